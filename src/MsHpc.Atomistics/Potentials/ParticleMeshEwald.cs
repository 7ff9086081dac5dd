using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The reciprocal part of an Ewald sum on a mesh: smooth particle-mesh Ewald (U. Essmann, L. Perera, M. L. Berkowitz, T. Darden, H. Lee, L. G. Pedersen,
/// J. Chem. Phys. 103, 8577, 1995), any cell, B-splines of order p = 4 … 10; C = e²/4πε₀, m = n₀ a* + n₁ b* + n₂ c*:
/// <code>
/// Q(x) = Σ qᵢ M_p(u₀ᵢ − x₀) M_p(u₁ᵢ − x₁) M_p(u₂ᵢ − x₂),   u_d = n_d s_d
/// E = ½ Σ_{m≠0} ψ(m) |FFT[Q](m)|² − C α/√π Σ qᵢ² − πC/(2Vα²) (Σ qᵢ)²,   ψ = C/(πV) exp(−π²m²/α²)/m² |b₀ b₁ b₂|²
/// Fᵢ = −Σ_x ∂Q(x)/∂rᵢ · FFT⁻¹[ψ FFT[Q]](x)
/// </code>
/// Forces are the exact gradient of this energy, so energy is conserved; they do not sum up to zero exactly but to an amount of the order of the method's error, and that is
/// left in (taking it out would make them no gradient). <see cref="Dynamics.MdOptions.RemoveMomentumEvery"/> removes the momentum that it leaves, as GROMACS' comm-mode does. Waves at the mesh's own frequency, n_d = ±N_d/2, are left out. The virial is that of <see cref="Ewald"/>.
/// </summary>
/// <remarks>
/// <para>The error of forces is estimated (<see cref="Error"/>) within a factor of two for charges that alternate (test <c>PmeTests.ErrorEstimate</c>).</para>
/// <para>Ranks share the mesh, see the other part of this class.</para>
/// </remarks>
public sealed unsafe partial class ParticleMeshEwald : Interaction
{
    private const int LeastOrder = 4, MostOrder = 10;

    private readonly EwaldSplit _split;
    private readonly double[] _charges;
    private readonly int[] _points;
    private readonly double[] _star = new double[9]; // reciprocal vectors of the mesh's axes
    private readonly AlignedArray<double> _mesh = new(), _waves = new(), _psi = new(), _lines = new(), _spline = new();
    private double[][] _euler = [];
    private LaneFft _fft0 = null!, _fft1 = null!, _fft2 = null!;
    private int _n0, _n1, _n2, _rowBlocks, _row, _columnBlocks;
    private Cell? _cell;

    /// <param name="atoms">Atoms: their charges and cell are read.</param>
    /// <param name="split">α, r_c and the Coulomb constant.</param>
    /// <param name="mesh">Mesh points along a, b, c.</param>
    /// <param name="order">p.</param>
    /// <exception cref="InputException">An order outside 4 … 10, a mesh of fewer points a side than p or 8, or of more than the memory holds.</exception>
    public ParticleMeshEwald(Atoms atoms, EwaldSplit split, (int A, int B, int C) mesh, int order)
    {
        CheckOrder(order);
        int least = LeastPoints(order);
        if (mesh.A < least || mesh.B < least || mesh.C < least) throw new InputException($"PME: mesh {mesh.A} × {mesh.B} × {mesh.C}; order {order} needs at least {least} points a side");
        var (bytes, numbers) = Size(mesh.A, mesh.B, mesh.C, order);
        if (!Fits(bytes, numbers)) throw new InputException($"PME: a mesh of {mesh.A} × {mesh.B} × {mesh.C} points takes {Room(bytes, numbers)}");
        (_split, _charges, Order, _points) = (split, atoms.Charges, order, [mesh.A, mesh.B, mesh.C]);
    }

    private static void CheckOrder(int order)
    {
        if (order is < LeastOrder or > MostOrder) throw new InputException($"PME: order {order}; it must be {LeastOrder} to {MostOrder}");
    }

    /// <summary>Points a side, so that a spline does not meet itself.</summary>
    private static int LeastPoints(int order) => Math.Max(8, order);

    /// <summary>All parts: real space (with Lennard-Jones in the same pass when given), the mesh, and excluded pairs taken out of it.</summary>
    /// <param name="atoms">Atoms with charges, a periodic cell and perhaps a topology.</param>
    /// <param name="cutoff">r_c of the real sum, Å.</param>
    /// <param name="accuracy">Root mean square force error over the force between two elementary charges 1 Å apart.</param>
    /// <param name="order">Order of the splines, 4 … 10; 0: the cheapest together with its mesh.</param>
    /// <param name="spacing">Largest mesh spacing, Å; 0: from the accuracy.</param>
    /// <param name="constant">e²/4πε₀, eV Å.</param>
    /// <param name="lennardJones">Lennard-Jones parameters, with the same cutoff; null for none.</param>
    /// <param name="precision">Of the real-space sum.</param>
    /// <exception cref="InputException">See <see cref="EwaldSplit.For"/>; no mesh within the memory reaches the accuracy.</exception>
    public static Interaction[] Create(Atoms atoms, double cutoff, double accuracy, int order = 0, double spacing = 0, double constant = Codata.CoulombInEvAngstrom,
        Func<int, int, LennardJonesPair>? lennardJones = null, Precision precision = Precision.Double)
    {
        var split = EwaldSplit.For(atoms, cutoff, accuracy, constant);
        if (!(spacing >= 0)) throw new InputException($"PME: mesh spacing {spacing} Å; it must be positive, or 0 to follow from the accuracy");
        if (order != 0) CheckOrder(order);
        var (mesh, chosen) = Choose(atoms, split, order, spacing);
        var sum = new ParticleMeshEwald(atoms, split, mesh, chosen);
        var real = lennardJones is null ? CoulombReal.Create(atoms.Species.Count, split, precision) : CoulombReal.Create(atoms.Species.Count, split, lennardJones, precision);
        return [real, .. Ewald.Reciprocal(sum, split, atoms.Topology)];
    }

    /// <summary>Times over that of one row of splines of up to eight points, spread and gathered (4 ns): of a longer row, 5.6 ns, and of a mesh point in the
    /// transforms, 11 ns, as measured for water on meshes of 40³ to 90³.</summary>
    private const double LongRowCost = 1.4, PointCost = 2.75;

    /// <summary>The mesh and order that meet the accuracy by the estimate of δF in the least time: N p² rows and the mesh's points.</summary>
    private static ((int A, int B, int C) Mesh, int Order) Choose(Atoms atoms, EwaldSplit split, int order, double spacing)
    {
        double squares = atoms.Charges.Sum(q => q * q) / atoms.Count, least = double.PositiveInfinity;
        (double Bytes, double Numbers) smallest = (double.PositiveInfinity, 0);
        double[] rows = atoms.Cell.Rows.ToArray();
        ((int, int, int), int) best = default;
        for (int p = order == 0 ? LeastOrder : order; p <= (order == 0 ? MostOrder : order); p++)
        {
            double coarsest = Spacing(split, squares, atoms.Count / atoms.Cell.Volume, p);
            // A spacing that was asked for with an order is taken as it is.
            if (spacing > coarsest && order == 0) continue;
            double h = spacing > 0 ? spacing : coarsest;
            int[] n = new int[3];
            double cost = atoms.Count * p * p * (p > 8 ? LongRowCost : 1);
            for (int d = 0; d < 3; d++)
            {
                double points = Math.Ceiling(Math.Sqrt(rows[3 * d] * rows[3 * d] + rows[3 * d + 1] * rows[3 * d + 1] + rows[3 * d + 2] * rows[3 * d + 2]) / h - 1e-6);
                n[d] = points < 1e6 ? Smooth(Math.Max(LeastPoints(p), (int)points)) : 1000000;
            }
            var size = Size(n[0], n[1], n[2], p);
            cost += PointCost * n[0] * n[1] * n[2];
            if (size.Bytes < smallest.Bytes) smallest = size;
            if (!(cost < least) || !Fits(size.Bytes, size.Numbers)) continue;
            (least, best) = (cost, ((n[0], n[1], n[2]), p));
        }
        if (least < double.PositiveInfinity) return best;
        if (double.IsPositiveInfinity(smallest.Bytes))
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"PME: a mesh spacing of {spacing} Å does not reach the accuracy {split.Accuracy} with splines of any order up to {MostOrder}; leave it out, or the accuracy is that of an order given"));
        throw new InputException(string.Create(CultureInfo.InvariantCulture,
            $"PME: accuracy {split.Accuracy} with a cutoff of {split.Cutoff} Å{(order == 0 ? "" : $" and order {order}")} needs a mesh of {Room(smallest.Bytes, smallest.Numbers)}. A longer cutoff, less accuracy{(order is 0 or MostOrder ? "" : " or a higher order")} make it coarser"));
    }

    /// <summary>
    /// Estimated root mean square force error, eV/Å, of charges without order: with x = m_d h and φ_l/φ₀ = (x/(x + l))^p the splines turn a wave exp(2πi m u) into
    /// Σ_l c_l exp(2πi (m + l ê_d/h) u), c_l = φ_l/Σφ (the argument of Essmann et al., as used by H. Wang, F. Dommert, C. Holm, J. Chem. Phys. 133, 034117, 2010), so that
    /// <code>
    /// δF² = 4 C² ⟨q²⟩² N/V ∫d³m exp(−2π²m²/α²)/m⁴ Σ_d { (c₀² − 1)² m² + Σ_{l≠0} c₀² c_l² [m² + |m + l ê_d/h|²] },   |x| &lt; ½;   m² beyond, where there are no waves
    /// </code>
    /// </summary>
    /// <param name="split">α and C.</param>
    /// <param name="squares">⟨q²⟩, e².</param>
    /// <param name="density">N/V, 1/Å³.</param>
    /// <param name="spacing">h, Å.</param>
    /// <param name="order">p.</param>
    internal static double Error(EwaldSplit split, double squares, double density, double spacing, int order)
    {
        // Midpoint rule in |m|, to where the Gaussian is 1e-35, and in the cosine with one axis.
        const int Radii = 48, Angles = 24, Images = 2;
        double end = split.Alpha * Math.Sqrt(80 / (2 * Math.PI * Math.PI)), sum = 0;
        for (int i = 0; i < Radii; i++)
        {
            double m = end * (i + 0.5) / Radii, weight = Math.Exp(-2 * Math.PI * Math.PI * m * m / (split.Alpha * split.Alpha)) / (m * m);
            for (int j = 0; j < Angles; j++)
            {
                double along = m * (j + 0.5) / Angles, x = along * spacing, all = 1, images = 0;
                for (int l = -Images; l <= Images && x < 0.5; l++)
                {
                    if (l == 0) continue;
                    double c = Math.Pow(x / (x + l), order);
                    all += c;
                    images += c * c * (2 * m * m + 2 * along * l / spacing + l * l / (spacing * spacing));
                }
                double own = 1 / (all * all);
                sum += weight * (x < 0.5 ? (own - 1) * (own - 1) * m * m + own * own * images : m * m);
            }
        }
        return 2 * split.Constant * squares * Math.Sqrt(density * 3 * 4 * Math.PI * sum * end / (Radii * Angles));
    }

    /// <summary>The coarsest mesh of an order that meets the accuracy, Å.</summary>
    private static double Spacing(EwaldSplit split, double squares, double density, int order)
    {
        double fine = 1e-6 / split.Alpha, coarse = 2 / split.Alpha;
        while (coarse > 1.001 * fine)
        {
            double h = Math.Sqrt(fine * coarse);
            (fine, coarse) = Error(split, squares, density, h, order) > split.Accuracy * split.Constant ? (fine, h) : (h, coarse);
        }
        return fine;
    }

    /// <summary>Half of what this process may have.</summary>
    private static double MemoryLimit => 0.5 * GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Numbers in one array. Indices into the mesh have 31 bits; the other half is for what ranks add around their bricks.</summary>
    private const double MostNumbers = 1 << 30;

    internal static bool Fits(double bytes, double numbers) => bytes < MemoryLimit && numbers <= MostNumbers;

    private static string Room(double bytes, double numbers) => string.Create(CultureInfo.InvariantCulture,
        $"{bytes / 1e9:g3} GB, {numbers:g3} numbers in its largest array; there is room for {MemoryLimit / 1e9:g3} GB and for {MostNumbers:g3} numbers in one array");

    /// <summary>Memory of a mesh and numbers in the larger of the mesh and its waves, of all ranks and whichever axes they exchange.</summary>
    private static (double Bytes, double Numbers) Size(int a, int b, int c, int order)
    {
        double bytes = 0, numbers = 0;
        foreach (var (n0, n1, n2) in ((double, double, double)[])[(a, b, c), (b, a, c), (a, c, b)])
        {
            double row = 8 * Math.Ceiling(n2 / 8), columns = 8 * Math.Ceiling(n1 / 8), mesh = n0 * n1 * (row + Halo(order)), waves = (Math.Floor(n0 / 2) + 1) * n1 * row * 2;
            bytes = Math.Max(bytes, 8 * (mesh + waves + (Math.Floor(n0 / 2) + 1) * columns * n2));
            numbers = Math.Max(numbers, Math.Max(mesh, waves));
        }
        return (bytes, numbers);
    }

    /// <summary>The next product of 2, 3 and 5.</summary>
    private static int Smooth(int n)
    {
        for (; ; n++)
        {
            int rest = n;
            foreach (int p in (int[])[2, 3, 5]) while (rest % p == 0) rest /= p;
            if (rest == 1) return n;
        }
    }

    /// <summary>p.</summary>
    public int Order { get; }

    /// <summary>Mesh points along a, b, c.</summary>
    public (int A, int B, int C) Mesh => (_points[0], _points[1], _points[2]);

    /// <inheritdoc/>
    public override string Description => $"smooth particle-mesh Ewald (J. Chem. Phys. 103, 8577), order {Order}, {_points[0]} × {_points[1]} × {_points[2]}";

    /// <inheritdoc/>
    public override double Cutoff => 0;

    /// <inheritdoc/>
    public override bool IsLocal => false;

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        Ewald.CheckCount(domain, _charges.Length);
        if (_cell != domain.Cell) Tabulate(domain.Cell);
        var sums = new Tally();
        Spread(domain);
        Convolve((want & Want.Virial) != 0, -1, ref sums);
        var own = domain.Comm.IsRoot ? Ewald.Own(_split, _charges, domain.Cell.Volume) : default;
        tally.Energy += sums.Energy + own.Self + own.Background;
        for (int k = 0; k < 6; k++) tally.Virial[k] += sums.Virial[k] + (k < 3 ? own.Background : 0);
        if (Order == 4) Gather<Four>(domain);
        else if (Order <= 8) Gather<Eight>(domain);
        else Gather<Sixteen>(domain);
        if ((want & Want.PerAtom) != 0) PerAtom(domain);
        if (_outside) throw new NumericalException("PME: atoms have moved farther than the skin since the lists were made");
    }

    /// <summary>|b(m)|² = 1/|Σ_j M_p(j + 1) exp(2πi m j/n)|².</summary>
    private static double[] Euler(int n, int order)
    {
        double* spline = stackalloc double[16 * order];
        Splines(Lanes.Zero, order, spline);
        var b = new double[n];
        for (int m = 0; m < n; m++)
        {
            double re = 0, im = 0;
            for (int j = 0; j < order; j++)
            {
                var (sin, cos) = Math.SinCos(2 * Math.PI * m * j / n);
                (re, im) = (re + spline[16 * j] * cos, im + spline[16 * j] * sin);
            }
            b[m] = 1 / (re * re + im * im);
        }
        return b;
    }

    /// <summary>M_p(w + p − 1 − j), j = 0 … p − 1, and its derivative: 8 + 8 numbers each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Splines(Lanes w, int order, double* at)
    {
        (Lanes.One - w).Store(at);
        w.Store(at + 16);
        for (int k = 3; k <= order; k++)
        {
            if (k == order)
            {
                var before = Lanes.Zero;
                for (int j = 0; j < k - 1; j++)
                {
                    var here = Vector512.Load(at + 16 * j);
                    (before - here).Store(at + 16 * j + 8);
                    before = here;
                }
                before.Store(at + 16 * (k - 1) + 8);
            }
            var scale = Lane.Of(1.0 / (k - 1));
            (scale * w * Vector512.Load(at + 16 * (k - 2))).Store(at + 16 * (k - 1));
            for (int j = 1; j < k - 1; j++)
                (scale * Lane.Fma(w + Lane.Of(j), Vector512.Load(at + 16 * (k - 2 - j)), (Lane.Of(k - j) - w) * Vector512.Load(at + 16 * (k - 1 - j)))).Store(at + 16 * (k - 1 - j));
            (scale * (Lanes.One - w) * Vector512.Load(at)).Store(at);
        }
    }

    /// <summary>ψ of this rank in the order of the innermost transform: plane n₀, block of eight n₁, n₂, lane.</summary>
    private void Tabulate(Cell cell)
    {
        _cell = cell;
        for (int k = 0; k < 9; k++) _star[k] = cell.Reciprocal[3 * _axes[k / 3] + k % 3];
        double* psi = _psi.Pointer;
        double factor = _split.Constant / (Math.PI * cell.Volume), decay = -Math.PI * Math.PI / (_split.Alpha * _split.Alpha);
        for (int n0 = Planes(_rank); n0 < Planes(_rank + 1); n0++)
            for (int block = 0; block < _columnBlocks; block++)
                for (int n2 = 0; n2 < _n2; n2++)
                    for (int lane = 0; lane < 8; lane++, psi++)
                    {
                        int n1 = 8 * block + lane;
                        *psi = 0;
                        if (n1 >= _n1 || 2 * n0 == _n0 || 2 * n1 == _n1 || 2 * n2 == _n2 || (n0 | n1 | n2) == 0) continue;
                        var (x, y, z) = Wave(n0, n1, n2);
                        double m2 = x * x + y * y + z * z;
                        *psi = factor * Math.Exp(decay * m2) / m2 * _euler[0][n0] * _euler[1][n1] * _euler[2][n2];
                    }
    }

    /// <summary>m of mesh frequencies; those beyond half the mesh are negative.</summary>
    private (double X, double Y, double Z) Wave(int n0, int n1, int n2)
    {
        double[] g = _star;
        int a = 2 * n0 > _n0 ? n0 - _n0 : n0, b = 2 * n1 > _n1 ? n1 - _n1 : n1, c = 2 * n2 > _n2 ? n2 - _n2 : n2;
        return (a * g[0] + b * g[3] + c * g[6], a * g[1] + b * g[4] + c * g[7], a * g[2] + b * g[5] + c * g[8]);
    }

    /// <summary>First point, counted from that of the brick, and splines of eight atoms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Place(Domain d, int cluster, int* first, double* spline)
    {
        var o = d.Cell.Origin;
        double* x = d.X + 24L * cluster;
        // Padding lies far away: it spreads a charge of zero at the corner.
        var exists = Vector512.LessThan(Vector512.Load(x), Lane.Of(1e6));
        Lanes rx = (Vector512.Load(x) - Lane.Of(o[0])) & exists, ry = (Vector512.Load(x + 8) - Lane.Of(o[1])) & exists, rz = (Vector512.Load(x + 16) - Lane.Of(o[2])) & exists;
        Axis(0, _n0, _brick[0]);
        Axis(1, _n1, _brick[1]);
        Axis(2, _n2, _brick[2]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Axis(int k, int n, Range range)
        {
            double[] g = _star;
            var s = Lane.Fma(Lane.Of(g[3 * k]), rx, Lane.Fma(Lane.Of(g[3 * k + 1]), ry, Lane.Of(g[3 * k + 2]) * rz));
            var u = (s - Vector512.Floor(s)) * Lane.Of(n);
            var point = Vector512.Floor(u);
            Splines(u - point, Order, spline + 16 * Order * k);
            // s a hair below a whole number rounds up to n.
            point = Lane.Select(Vector512.GreaterThanOrEqual(point, Lane.Of(n)), Lanes.Zero, point);
            if (range.Count < n)
            {
                point -= Lane.Of(range.First);
                point = Lane.Select(Vector512.LessThan(point, Lanes.Zero), point + Lane.Of(n), point);
                Lanes most = Lane.Of(range.Count - Order), outside = Vector512.GreaterThan(point, most);
                _outside |= Lane.Bits(outside & exists) != 0;
                point = Lane.Select(outside, most, point);
            }
            for (int l = 0; l < 8; l++) first[8 * k + l] = (int)point[l];
        }
    }

    /// <summary>A row of the mesh under one atom's splines along the last axis.</summary>
    private interface IRow<TRow> where TRow : struct, IRow<TRow>
    {
        static abstract TRow Load(double* p);
        static abstract TRow Fma(Lanes scale, TRow row, TRow sum);
        static abstract double Dot(TRow row, double* values);
        static abstract TRow Of(double scale, double* spline, double* line, int order);
        static abstract void Add(double* p, double scale, TRow row);
    }

    private readonly struct Four(Lanes a) : IRow<Four>
    {
        private readonly Lanes _a = a;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Four Load(double* p) => new(Vector256.Load(p).ToVector512());

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Four Fma(Lanes scale, Four row, Four sum) => new(Lane.Fma(scale, row._a, sum._a));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static double Dot(Four row, double* values) => Vector512.Sum(row._a * Vector512.Load(values));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Four Of(double scale, double* spline, double* line, int order) => new((Vector256.Create(spline[0], spline[16], spline[32], spline[48]) * scale).ToVector512());

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Add(double* p, double scale, Four row) => Vector256.FusedMultiplyAdd(Vector256.Create(scale), row._a.GetLower(), Vector256.Load(p)).Store(p);
    }

    private readonly struct Eight(Lanes a) : IRow<Eight>
    {
        private readonly Lanes _a = a;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Eight Load(double* p) => new(Vector512.Load(p));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Eight Fma(Lanes scale, Eight row, Eight sum) => new(Lane.Fma(scale, row._a, sum._a));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static double Dot(Eight row, double* values) => Vector512.Sum(row._a * Vector512.Load(values));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Eight Of(double scale, double* spline, double* line, int order)
        {
            for (int k = 0; k < order; k++) line[k] = scale * spline[16 * k];
            return Load(line);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Add(double* p, double scale, Eight row) => Lane.Fma(Lane.Of(scale), row._a, Vector512.Load(p)).Store(p);
    }

    private readonly struct Sixteen(Lanes a, Lanes b) : IRow<Sixteen>
    {
        private readonly Lanes _a = a, _b = b;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Sixteen Load(double* p) => new(Vector512.Load(p), Vector512.Load(p + 8));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Sixteen Fma(Lanes scale, Sixteen row, Sixteen sum) => new(Lane.Fma(scale, row._a, sum._a), Lane.Fma(scale, row._b, sum._b));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static double Dot(Sixteen row, double* values) => Vector512.Sum(Lane.Fma(row._a, Vector512.Load(values), row._b * Vector512.Load(values + 8)));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Sixteen Of(double scale, double* spline, double* line, int order)
        {
            for (int k = 0; k < order; k++) line[k] = scale * spline[16 * k];
            return Load(line);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void Add(double* p, double scale, Sixteen row)
        {
            Lane.Fma(Lane.Of(scale), row._a, Vector512.Load(p)).Store(p);
            Lane.Fma(Lane.Of(scale), row._b, Vector512.Load(p + 8)).Store(p + 8);
        }
    }

    /// <summary>Points beyond the end of a mesh row, the images of its first, so that a spline never wraps along the row.</summary>
    private static int Halo(int order) => order <= 8 ? 8 : 16;

    /// <summary>Q of all ranks' atoms, each rank's part of it.</summary>
    private void Spread(Domain d)
    {
        if (Order == 4) Spread<Four>(d);
        else if (Order <= 8) Spread<Eight>(d);
        else Spread<Sixteen>(d);
        Fold();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Spread<TRow>(Domain d) where TRow : struct, IRow<TRow>
    {
        double* brick = Brick, spline = _spline.Pointer;
        int* first = stackalloc int[24];
        int order = Order, row = _brickRow, count0 = _brick[0].Count, count1 = _brick[1].Count;
        new Span<double>(brick, count0 * count1 * row).Clear();
        double* line = stackalloc double[16];
        for (int k = 0; k < 16; k++) line[k] = 0;
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            Place(d, c, first, spline);
            for (int l = 0; l < 8; l++)
            {
                double q = d.Charge[8 * c + l];
                if (q == 0) continue;
                double* s0 = spline + l, s1 = s0 + 16 * order, s2 = s1 + 16 * order;
                var z = TRow.Of(q, s2, line, order);
                for (int i = 0, n0 = first[l]; i < order; i++, n0 = n0 + 1 == count0 ? 0 : n0 + 1)
                    for (int j = 0, n1 = first[8 + l]; j < order; j++, n1 = n1 + 1 == count1 ? 0 : n1 + 1)
                        TRow.Add(brick + (n0 * count1 + n1) * row + first[16 + l], s0[16 * i] * s1[16 * j], z);
            }
        }
    }

    /// <summary>Mesh charges to mesh potentials: real transforms along a (two blocks of eight lines as one complex), then, plane by plane, along b and c
    /// and back, with ψ in between.</summary>
    /// <param name="virial">Whether the virial is wanted.</param>
    /// <param name="component">A component of the virial to take instead of the energy; −1: none.</param>
    /// <param name="sums">Energy and virial of all atoms.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Convolve(bool virial, int component, ref Tally sums)
    {
        double* mesh = _mesh.Pointer, lines = _lines.Pointer, waves = _waves.Pointer;
        int plane = _n1 * _rowBlocks * 16, half = _n0 / 2, rows = Slab(_rank + 1) - Slab(_rank);
        double** planes = stackalloc double*[half + 1];
        var two = Lane.Of(0.5);
        Address(planes, _outgoing.Pointer);
        for (int n1 = 0; n1 < rows; n1++)
            for (int b = 0; b < _rowBlocks; b += 2)
            {
                double* from = mesh + n1 * _row + 8 * b;
                int to = (n1 * _rowBlocks + b) * 16;
                // A row ends with its halo, so that a second block can always be read; an odd last one is not written.
                bool pair = b + 1 < _rowBlocks;
                _fft0.Transform(from, rows * _row, lines, 16, inverse: false);
                for (int k = 0; k <= half; k++)
                {
                    double* x = lines + 16 * k, y = lines + 16 * (k == 0 ? 0 : _n0 - k), at = planes[k] + to;
                    Lanes xr = Vector512.Load(x), xi = Vector512.Load(x + 8), yr = Vector512.Load(y), yi = Vector512.Load(y + 8);
                    ((xr + yr) * two).Store(at);
                    ((xi - yi) * two).Store(at + 8);
                    if (!pair) continue;
                    ((xi + yi) * two).Store(at + 16);
                    ((yr - xr) * two).Store(at + 24);
                }
            }
        Transpose(forward: true);

        int first = Planes(_rank);
        for (int k = first; k < Planes(_rank + 1); k++)
        {
            double* at = waves + (k - first) * plane;
            for (int b = 0; b < _rowBlocks; b++) _fft1.Transform(at + 16 * b, 16 * _rowBlocks, at + 16 * b, 16 * _rowBlocks, inverse: false);
            for (int b = 0; b < _columnBlocks; b++) Innermost(k, b, at + b * 8 * _rowBlocks * 16, virial, component, ref sums);
            for (int b = 0; b < _rowBlocks; b++) _fft1.Transform(at + 16 * b, 16 * _rowBlocks, at + 16 * b, 16 * _rowBlocks, inverse: true);
        }

        Transpose(forward: false);
        for (int n1 = 0; n1 < rows; n1++)
            for (int b = 0; b < _rowBlocks; b += 2)
            {
                double* to = mesh + n1 * _row + 8 * b;
                int from = (n1 * _rowBlocks + b) * 16;
                bool pair = b + 1 < _rowBlocks;
                for (int k = 0; k <= half; k++)
                {
                    double* x = lines + 16 * k, y = lines + 16 * (k == 0 ? 0 : _n0 - k), at = planes[k] + from;
                    Lanes ar = Vector512.Load(at), ai = Vector512.Load(at + 8), br = pair ? Vector512.Load(at + 16) : Lanes.Zero, bi = pair ? Vector512.Load(at + 24) : Lanes.Zero;
                    (ar + bi).Store(y);
                    (br - ai).Store(y + 8);
                    (ar - bi).Store(x);
                    (ai + br).Store(x + 8);
                }
                _fft0.Transform(lines, 16, to, rows * _row, inverse: true);
            }
        Unfold();
    }

    /// <summary>Eight lines along c of plane n₀: forward, times ψ, backward.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Innermost(int n0, int block, double* at, bool virial, int component, ref Tally sums)
    {
        double* lines = _lines.Pointer, psi = _psi.Pointer + ((long)(n0 - Planes(_rank)) * _columnBlocks + block) * 8 * _n2;
        int rows = Math.Min(8, _n1 - 8 * block), row = _rowBlocks * 16;
        for (int l = 0; l < 8; l++)
            for (int b = 0; b < _rowBlocks; b++)
                for (int k = 0; k < 8; k++)
                {
                    double* to = lines + 16 * (8 * b + k) + l;
                    (to[0], to[8]) = l < rows ? (at[l * row + 16 * b + k], at[l * row + 16 * b + 8 + k]) : (0, 0);
                }
        _fft2.Transform(lines, 16, lines, 16, inverse: false);
        var energy = Lanes.Zero;
        // Planes n₀ and N₀ − n₀ count together.
        double weight = n0 == 0 ? 0.5 : 1;
        if (component >= 0) Component(n0, block, lines, psi, component);
        else
            for (int k = 0; k < _n2; k++)
            {
                Lanes re = Vector512.Load(lines + 16 * k), im = Vector512.Load(lines + 16 * k + 8), p = Vector512.Load(psi + 8 * k);
                Lanes pr = p * re, pi = p * im;
                energy = Lane.Fma(pr, re, Lane.Fma(pi, im, energy));
                if (virial) Virial(n0, block, k, (pr * re + pi * im) * Lane.Of(weight), ref sums.Virial);
                pr.Store(lines + 16 * k);
                pi.Store(lines + 16 * k + 8);
            }
        sums.Energy += weight * Vector512.Sum(energy);
        _fft2.Transform(lines, 16, lines, 16, inverse: true);
        for (int l = 0; l < rows; l++)
            for (int b = 0; b < _rowBlocks; b++)
                for (int k = 0; k < 8; k++)
                {
                    double* from = lines + 16 * (8 * b + k) + l;
                    (at[l * row + 16 * b + k], at[l * row + 16 * b + 8 + k]) = (from[0], from[8]);
                }
    }

    /// <summary>Adds E_m [δ_ab − 2 (1/m² + π²/α²) m_a m_b] of eight waves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Virial(int n0, int block, int n2, Lanes e, ref VirialSum virial)
    {
        double[] g = _star;
        double n = 2 * n2 > _n2 ? n2 - _n2 : n2;
        var n1 = Vector512.Create(0.0, 1, 2, 3, 4, 5, 6, 7) + Lane.Of(8 * block);
        n1 = Lane.Select(Vector512.GreaterThan(n1 + n1, Lane.Of(_n1)), n1 - Lane.Of(_n1), n1);
        Lanes x = Lane.Fma(n1, Lane.Of(g[3]), Lane.Of(n0 * g[0] + n * g[6])), y = Lane.Fma(n1, Lane.Of(g[4]), Lane.Of(n0 * g[1] + n * g[7])), z = Lane.Fma(n1, Lane.Of(g[5]), Lane.Of(n0 * g[2] + n * g[8]));
        var m2 = Lane.Fma(x, x, Lane.Fma(y, y, z * z));
        // The wave m = 0 has no energy.
        var t = Lane.Of(2) * e * (Lanes.One / Lane.Select(Vector512.Equals(m2, Lanes.Zero), Lanes.One, m2) + Lane.Of(Math.PI * Math.PI / (_split.Alpha * _split.Alpha)));
        virial[0] += Vector512.Sum(Lane.Fnma(t * x, x, e));
        virial[1] += Vector512.Sum(Lane.Fnma(t * y, y, e));
        virial[2] += Vector512.Sum(Lane.Fnma(t * z, z, e));
        virial[3] -= Vector512.Sum(t * y * z);
        virial[4] -= Vector512.Sum(t * x * z);
        virial[5] -= Vector512.Sum(t * x * y);
    }

    private void Component(int n0, int block, double* lines, double* psi, int component)
    {
        for (int k = 0; k < _n2; k++)
            for (int l = 0; l < 8; l++)
            {
                double p = psi[8 * k + l];
                if (p != 0)
                {
                    var one = new VirialSum();
                    var unit = Lanes.Zero.WithElement(l, 1);
                    Virial(n0, block, k, unit, ref one);
                    p *= one[component];
                }
                lines[16 * k + l] *= p;
                lines[16 * k + 8 + l] *= p;
            }
    }

    /// <summary>Forces from potentials on the mesh.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Gather<TRow>(Domain d) where TRow : struct, IRow<TRow>
    {
        double* brick = Brick, spline = _spline.Pointer;
        int* first = stackalloc int[24];
        double* line = stackalloc double[32], force = stackalloc double[24];
        int order = Order, row = _brickRow, count0 = _brick[0].Count, count1 = _brick[1].Count;
        for (int k = 0; k < 32; k++) line[k] = 0;
        double[] g = _star;
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            Place(d, c, first, spline);
            for (int l = 0; l < 8; l++)
            {
                double q = d.Charge[8 * c + l];
                double* s0 = spline + l, s1 = s0 + 16 * order, s2 = s1 + 16 * order;
                for (int k = 0; k < order; k++) (line[k], line[16 + k]) = (s2[16 * k], s2[16 * k + 8]);
                TRow fa = default, fb = default, fc = default;
                for (int i = 0, n0 = first[l]; i < order; i++, n0 = n0 + 1 == count0 ? 0 : n0 + 1)
                {
                    TRow t = default, td = default;
                    for (int j = 0, n1 = first[8 + l]; j < order; j++, n1 = n1 + 1 == count1 ? 0 : n1 + 1)
                    {
                        var v = TRow.Load(brick + (n0 * count1 + n1) * row + first[16 + l]);
                        t = TRow.Fma(Lane.Of(s1[16 * j]), v, t);
                        td = TRow.Fma(Lane.Of(s1[16 * j + 8]), v, td);
                    }
                    fa = TRow.Fma(Lane.Of(s0[16 * i + 8]), t, fa);
                    fb = TRow.Fma(Lane.Of(s0[16 * i]), td, fb);
                    fc = TRow.Fma(Lane.Of(s0[16 * i]), t, fc);
                }
                force[l] = -q * _n0 * TRow.Dot(fa, line);
                force[8 + l] = -q * _n1 * TRow.Dot(fb, line);
                force[16 + l] = -q * _n2 * TRow.Dot(fc, line + 16);
            }
            Lanes a = Vector512.Load(force), b = Vector512.Load(force + 8), e = Vector512.Load(force + 16);
            double* f = d.F + 24L * c;
            for (int k = 0; k < 3; k++)
                Lane.Fma(a, Lane.Of(g[k]), Lane.Fma(b, Lane.Of(g[3 + k]), Lane.Fma(e, Lane.Of(g[6 + k]), Vector512.Load(f + 8 * k)))).Store(f + 8 * k);
        }
    }

    /// <summary>Energies and virials per atom, ½ qᵢ times the mesh's potential at i; the virial by one more pair of transforms for each component.</summary>
    private void PerAtom(Domain d)
    {
        double net = 0, background = Ewald.Own(_split, _charges, d.Cell.Volume).Background;
        foreach (double q in _charges) net += q;
        int* first = stackalloc int[24];
        double* spline = _spline.Pointer;
        for (int component = -1; component < 6; component++)
        {
            if (component >= 0)
            {
                var unused = new Tally();
                Spread(d);
                Convolve(false, component, ref unused);
            }
            for (int i = 0; i < d.OwnedSlots; i++)
            {
                if (i % 8 == 0) Place(d, i / 8, first, spline);
                if (d.Tag[i] < 0) continue;
                int l = i % 8;
                double q = d.Charge[i], own = net == 0 ? 0 : background * q / net, potential = 0;
                for (int a = 0; a < Order; a++)
                    for (int b = 0; b < Order; b++)
                        for (int c = 0; c < Order; c++)
                            potential += spline[16 * a + l] * spline[16 * (Order + b) + l] * spline[16 * (2 * Order + c) + l]
                                * Brick[((first[l] + a) % _brick[0].Count * _brick[1].Count + (first[8 + l] + b) % _brick[1].Count) * _brickRow + first[16 + l] + c];
                if (component < 0) d.AtomEnergy[i] += 0.5 * q * potential + own - _split.Constant * _split.Alpha / Math.Sqrt(Math.PI) * q * q;
                else d.AtomVirial[6 * i + component] += 0.5 * q * potential + (component < 3 ? own : 0);
            }
        }
    }
}
