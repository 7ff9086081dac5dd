using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The reciprocal part of an Ewald sum on a mesh: smooth particle-mesh Ewald (U. Essmann, L. Perera, M. L. Berkowitz, T. Darden, H. Lee, L. G. Pedersen,
/// J. Chem. Phys. 103, 8577, 1995), any cell, B-splines of order p = 4 … 8; C = e²/4πε₀, m = n₀ a* + n₁ b* + n₂ c*:
/// <code>
/// Q(x) = Σ qᵢ M_p(u₀ᵢ − x₀) M_p(u₁ᵢ − x₁) M_p(u₂ᵢ − x₂),   u_d = n_d s_d
/// E = ½ Σ_{m≠0} ψ(m) |FFT[Q](m)|² − C α/√π Σ qᵢ² − πC/(2Vα²) (Σ qᵢ)²,   ψ = C/(πV) exp(−π²m²/α²)/m² |b₀ b₁ b₂|²
/// Fᵢ = −Σ_x ∂Q(x)/∂rᵢ · FFT⁻¹[ψ FFT[Q]](x)
/// </code>
/// Forces are the exact gradient of this energy, so energy is conserved; they do not sum up to zero exactly but to an amount of the order of the method's error, and that is
/// left in (taking it out would make them no gradient). Waves at the mesh's own frequency, n_d = ±N_d/2, are left out. The virial is that of <see cref="Ewald"/>.
/// </summary>
/// <remarks>
/// <para>Error of forces (root mean square): δF ≈ 0.4 C ⟨q²⟩ α² (α h/2)^(p−1), h the mesh spacing: a fit to measurements, within a factor of
/// three for α h = 0.1 … 0.2 (test <c>PmeTests.ErrorEstimate</c>).</para>
/// <para>Ranks spread their own atoms and add the meshes; every rank transforms the whole mesh.</para>
/// </remarks>
public sealed unsafe class ParticleMeshEwald : Interaction
{
    /// <summary>Points beyond the end of a mesh row, the images of its first: a spline never wraps along the row.</summary>
    private const int Halo = 8;

    private readonly EwaldSplit _split;
    private readonly double[] _charges;
    private readonly int _n0, _n1, _n2, _rowBlocks, _row, _columnBlocks;
    private readonly LaneFft _fft0, _fft1, _fft2;
    private readonly AlignedArray<double> _mesh = new(), _waves = new(), _psi = new(), _lines = new(), _spline = new();
    private readonly double[][] _euler;
    private Cell? _cell;

    /// <param name="atoms">Atoms: their charges and cell are read.</param>
    /// <param name="split">α, r_c and the Coulomb constant.</param>
    /// <param name="mesh">Mesh points along a, b, c.</param>
    /// <param name="order">p.</param>
    /// <exception cref="InputException">An order outside 4 … 8, a mesh of fewer than 8 points a side.</exception>
    public ParticleMeshEwald(Atoms atoms, EwaldSplit split, (int A, int B, int C) mesh, int order)
    {
        if (order is < 4 or > 8) throw new InputException($"PME: order {order}; it must be 4 to 8");
        if (mesh.A < 8 || mesh.B < 8 || mesh.C < 8 || (long)mesh.A * mesh.B * mesh.C > 1 << 30)
            throw new InputException($"PME: mesh {mesh.A} × {mesh.B} × {mesh.C}; at least 8 points a side and at most 2³⁰ in all");
        (_split, _charges, Order) = (split, atoms.Charges, order);
        (_n0, _n1, _n2) = mesh;
        (_fft0, _fft1, _fft2) = (new LaneFft(_n0), new LaneFft(_n1), new LaneFft(_n2));
        _rowBlocks = Lane.Blocks(_n2);
        _columnBlocks = Lane.Blocks(_n1);
        _row = 8 * _rowBlocks + Halo;
        _mesh.Require((long)_n0 * _n1 * _row);
        _waves.Require((_n0 / 2 + 1L) * _n1 * _rowBlocks * 16);
        _psi.Require((_n0 / 2 + 1L) * _columnBlocks * 8 * _n2);
        _lines.Require(16L * Math.Max(_n0, 8 * _rowBlocks));
        _spline.Require(16L * 3 * order);
        _euler = [Euler(_n0, order), Euler(_n1, order), Euler(_n2, order)];
    }

    /// <summary>All parts: real space (with Lennard-Jones in the same pass when given), the mesh, and excluded pairs taken out of it.</summary>
    /// <param name="atoms">Atoms with charges, a periodic cell and perhaps a topology.</param>
    /// <param name="cutoff">r_c of the real sum, Å.</param>
    /// <param name="accuracy">Root mean square force error over the force between two elementary charges 1 Å apart.</param>
    /// <param name="order">Order of the splines, 4 … 8.</param>
    /// <param name="spacing">Largest mesh spacing, Å; 0: from the accuracy.</param>
    /// <param name="constant">e²/4πε₀, eV Å.</param>
    /// <param name="lennardJones">Lennard-Jones parameters, with the same cutoff; null for none.</param>
    /// <param name="precision">Of the real-space sum.</param>
    /// <exception cref="InputException">See <see cref="EwaldSplit.For"/>.</exception>
    public static Interaction[] Create(Atoms atoms, double cutoff, double accuracy, int order = 5, double spacing = 0, double constant = Codata.CoulombInEvAngstrom,
        Func<int, int, LennardJonesPair>? lennardJones = null, Precision precision = Precision.Double)
    {
        var split = EwaldSplit.For(atoms, cutoff, accuracy, constant);
        if (!(spacing >= 0)) throw new InputException($"PME: mesh spacing {spacing} Å; it must be positive, or 0 to follow from the accuracy");
        if (order is < 4 or > 8) throw new InputException($"PME: order {order}; it must be 4 to 8");
        double squares = atoms.Charges.Sum(q => q * q) / atoms.Count;
        if (spacing == 0) spacing = 2 / split.Alpha * Math.Min(0.5, Math.Pow(accuracy / (0.4 * squares * split.Alpha * split.Alpha), 1.0 / (order - 1)));
        double[] rows = atoms.Cell.Rows.ToArray();
        int Points(int d) => Smooth(Math.Max(8, (int)Math.Ceiling(Math.Sqrt(rows[3 * d] * rows[3 * d] + rows[3 * d + 1] * rows[3 * d + 1] + rows[3 * d + 2] * rows[3 * d + 2]) / spacing - 1e-6)));
        var sum = new ParticleMeshEwald(atoms, split, (Points(0), Points(1), Points(2)), order);
        var real = lennardJones is null ? CoulombReal.Create(atoms.Species.Count, split, precision) : CoulombReal.Create(atoms.Species.Count, split, lennardJones, precision);
        return [real, .. Ewald.Reciprocal(sum, split, atoms.Topology)];
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
    public (int A, int B, int C) Mesh => (_n0, _n1, _n2);

    /// <inheritdoc/>
    public override string Description => $"smooth particle-mesh Ewald (J. Chem. Phys. 103, 8577), order {Order}, {_n0} × {_n1} × {_n2}";

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
        if (domain.Comm.IsRoot)
        {
            var own = Ewald.Own(_split, _charges, domain.Cell.Volume);
            tally.Energy += sums.Energy + own.Self + own.Background;
            for (int k = 0; k < 6; k++) tally.Virial[k] += sums.Virial[k] + (k < 3 ? own.Background : 0);
        }
        if (Order == 4) Gather<Four>(domain);
        else Gather<More>(domain);
        if ((want & Want.PerAtom) != 0) PerAtom(domain);
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

    /// <summary>ψ in the order of the innermost transform: plane n₀, block of eight n₁, n₂, lane.</summary>
    private void Tabulate(Cell cell)
    {
        _cell = cell;
        double* psi = _psi.Pointer;
        double factor = _split.Constant / (Math.PI * cell.Volume), decay = -Math.PI * Math.PI / (_split.Alpha * _split.Alpha);
        for (int n0 = 0; n0 <= _n0 / 2; n0++)
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
        var g = _cell!.Reciprocal;
        int a = 2 * n0 > _n0 ? n0 - _n0 : n0, b = 2 * n1 > _n1 ? n1 - _n1 : n1, c = 2 * n2 > _n2 ? n2 - _n2 : n2;
        return (a * g[0] + b * g[3] + c * g[6], a * g[1] + b * g[4] + c * g[7], a * g[2] + b * g[5] + c * g[8]);
    }

    /// <summary>First mesh point and splines of eight atoms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Place(Domain d, int cluster, int* first, double* spline)
    {
        var g = d.Cell.Reciprocal;
        var o = d.Cell.Origin;
        double* x = d.X + 24L * cluster;
        // Padding lies far away: it spreads a charge of zero at the corner.
        var exists = Vector512.LessThan(Vector512.Load(x), Lane.Of(1e6));
        Lanes rx = (Vector512.Load(x) - Lane.Of(o[0])) & exists, ry = (Vector512.Load(x + 8) - Lane.Of(o[1])) & exists, rz = (Vector512.Load(x + 16) - Lane.Of(o[2])) & exists;
        Axis(0, _n0);
        Axis(1, _n1);
        Axis(2, _n2);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Axis(int k, int n)
        {
            var g = _cell!.Reciprocal;
            var s = Lane.Fma(Lane.Of(g[3 * k]), rx, Lane.Fma(Lane.Of(g[3 * k + 1]), ry, Lane.Of(g[3 * k + 2]) * rz));
            var u = (s - Vector512.Floor(s)) * Lane.Of(n);
            var point = Vector512.Floor(u);
            Splines(u - point, Order, spline + 16 * Order * k);
            // s a hair below a whole number rounds up to n.
            point = Lane.Select(Vector512.GreaterThanOrEqual(point, Lane.Of(n)), Lanes.Zero, point);
            for (int l = 0; l < 8; l++) first[8 * k + l] = (int)point[l];
        }
    }

    /// <summary>A row of spline values along c: eight numbers, of which <see cref="Order"/> are not zero.</summary>
    private interface IRow
    {
        static abstract Lanes Load(double* p);
    }

    private readonly struct Four : IRow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Load(double* p) => Vector256.Load(p).ToVector512();
    }

    private readonly struct More : IRow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Load(double* p) => Vector512.Load(p);
    }

    /// <summary>Q of all ranks' atoms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Spread(Domain d)
    {
        double* mesh = _mesh.Pointer, spline = _spline.Pointer;
        int* first = stackalloc int[24];
        int order = Order, row = _row;
        new Span<double>(mesh, _n0 * _n1 * row).Clear();
        double* line = stackalloc double[8];
        for (int k = 0; k < 8; k++) line[k] = 0;
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            Place(d, c, first, spline);
            for (int l = 0; l < 8; l++)
            {
                double q = d.Charge[8 * c + l];
                if (q == 0) continue;
                double* s0 = spline + l, s1 = s0 + 16 * order, s2 = s1 + 16 * order;
                if (order == 4)
                {
                    var z = Vector256.Create(s2[0], s2[16], s2[32], s2[48]) * q;
                    for (int i = 0, n0 = first[l]; i < 4; i++, n0 = n0 + 1 == _n0 ? 0 : n0 + 1)
                        for (int j = 0, n1 = first[8 + l]; j < 4; j++, n1 = n1 + 1 == _n1 ? 0 : n1 + 1)
                        {
                            double* to = mesh + (n0 * _n1 + n1) * row + first[16 + l];
                            Vector256.FusedMultiplyAdd(Vector256.Create(s0[16 * i] * s1[16 * j]), z, Vector256.Load(to)).Store(to);
                        }
                }
                else
                {
                    for (int k = 0; k < order; k++) line[k] = q * s2[16 * k];
                    var z = Vector512.Load(line);
                    for (int i = 0, n0 = first[l]; i < order; i++, n0 = n0 + 1 == _n0 ? 0 : n0 + 1)
                        for (int j = 0, n1 = first[8 + l]; j < order; j++, n1 = n1 + 1 == _n1 ? 0 : n1 + 1)
                        {
                            double* to = mesh + (n0 * _n1 + n1) * row + first[16 + l];
                            Lane.Fma(Lane.Of(s0[16 * i] * s1[16 * j]), z, Vector512.Load(to)).Store(to);
                        }
                }
            }
        }
        for (int k = 0; k < _n0 * _n1; k++)
            for (int h = 0; h < Halo && h < row - _n2; h++)
            {
                double* at = mesh + (long)k * row;
                at[h % _n2] += at[_n2 + h];
                at[_n2 + h] = 0;
            }
        d.Comm.AllReduceSum(new Span<double>(mesh, _n0 * _n1 * row));
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
        int plane = _n1 * _rowBlocks * 16, half = _n0 / 2;
        var two = Lane.Of(0.5);
        for (int n1 = 0; n1 < _n1; n1++)
            for (int b = 0; b < _rowBlocks; b += 2)
            {
                double* from = mesh + n1 * _row + 8 * b, to = waves + (n1 * _rowBlocks + b) * 16;
                // A row ends with its halo, so that a second block can always be read; an odd last one is not written.
                bool pair = b + 1 < _rowBlocks;
                _fft0.Transform(from, _n1 * _row, lines, 16, inverse: false);
                for (int k = 0; k <= half; k++)
                {
                    double* x = lines + 16 * k, y = lines + 16 * (k == 0 ? 0 : _n0 - k), at = to + k * plane;
                    Lanes xr = Vector512.Load(x), xi = Vector512.Load(x + 8), yr = Vector512.Load(y), yi = Vector512.Load(y + 8);
                    ((xr + yr) * two).Store(at);
                    ((xi - yi) * two).Store(at + 8);
                    if (!pair) continue;
                    ((xi + yi) * two).Store(at + 16);
                    ((yr - xr) * two).Store(at + 24);
                }
            }

        for (int k = 0; k <= half; k++)
        {
            double* at = waves + k * plane;
            for (int b = 0; b < _rowBlocks; b++) _fft1.Transform(at + 16 * b, 16 * _rowBlocks, at + 16 * b, 16 * _rowBlocks, inverse: false);
            for (int b = 0; b < _columnBlocks; b++) Innermost(k, b, at + b * 8 * _rowBlocks * 16, virial, component, ref sums);
            for (int b = 0; b < _rowBlocks; b++) _fft1.Transform(at + 16 * b, 16 * _rowBlocks, at + 16 * b, 16 * _rowBlocks, inverse: true);
        }

        for (int n1 = 0; n1 < _n1; n1++)
            for (int b = 0; b < _rowBlocks; b += 2)
            {
                double* to = mesh + n1 * _row + 8 * b, from = waves + (n1 * _rowBlocks + b) * 16;
                bool pair = b + 1 < _rowBlocks;
                for (int k = 0; k <= half; k++)
                {
                    double* x = lines + 16 * k, y = lines + 16 * (k == 0 ? 0 : _n0 - k), at = from + k * plane;
                    Lanes ar = Vector512.Load(at), ai = Vector512.Load(at + 8), br = pair ? Vector512.Load(at + 16) : Lanes.Zero, bi = pair ? Vector512.Load(at + 24) : Lanes.Zero;
                    (ar + bi).Store(y);
                    (br - ai).Store(y + 8);
                    (ar - bi).Store(x);
                    (ai + br).Store(x + 8);
                }
                _fft0.Transform(lines, 16, to, _n1 * _row, inverse: true);
            }
        for (int k = 0; k < _n0 * _n1; k++)
            for (int h = 0; h < Halo && h < _row - _n2; h++) mesh[(long)k * _row + _n2 + h] = mesh[(long)k * _row + h % _n2];
    }

    /// <summary>Eight lines along c of plane n₀: forward, times ψ, backward.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Innermost(int n0, int block, double* at, bool virial, int component, ref Tally sums)
    {
        double* lines = _lines.Pointer, psi = _psi.Pointer + ((long)n0 * _columnBlocks + block) * 8 * _n2;
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
        var g = _cell!.Reciprocal;
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
    private void Gather<TRow>(Domain d) where TRow : struct, IRow
    {
        double* mesh = _mesh.Pointer, spline = _spline.Pointer;
        int* first = stackalloc int[24];
        double* line = stackalloc double[16], force = stackalloc double[24];
        int order = Order;
        for (int k = 0; k < 16; k++) line[k] = 0;
        var g = d.Cell.Reciprocal;
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            Place(d, c, first, spline);
            for (int l = 0; l < 8; l++)
            {
                double q = d.Charge[8 * c + l];
                double* s0 = spline + l, s1 = s0 + 16 * order, s2 = s1 + 16 * order;
                for (int k = 0; k < order; k++) (line[k], line[8 + k]) = (s2[16 * k], s2[16 * k + 8]);
                Lanes fa = Lanes.Zero, fb = Lanes.Zero, fc = Lanes.Zero;
                for (int i = 0, n0 = first[l]; i < order; i++, n0 = n0 + 1 == _n0 ? 0 : n0 + 1)
                {
                    Lanes t = Lanes.Zero, td = Lanes.Zero;
                    for (int j = 0, n1 = first[8 + l]; j < order; j++, n1 = n1 + 1 == _n1 ? 0 : n1 + 1)
                    {
                        var v = TRow.Load(mesh + (n0 * _n1 + n1) * _row + first[16 + l]);
                        t = Lane.Fma(Lane.Of(s1[16 * j]), v, t);
                        td = Lane.Fma(Lane.Of(s1[16 * j + 8]), v, td);
                    }
                    fa = Lane.Fma(Lane.Of(s0[16 * i + 8]), t, fa);
                    fb = Lane.Fma(Lane.Of(s0[16 * i]), td, fb);
                    fc = Lane.Fma(Lane.Of(s0[16 * i]), t, fc);
                }
                Lanes z = Vector512.Load(line), dz = Vector512.Load(line + 8);
                force[l] = -q * _n0 * Vector512.Sum(fa * z);
                force[8 + l] = -q * _n1 * Vector512.Sum(fb * z);
                force[16 + l] = -q * _n2 * Vector512.Sum(fc * dz);
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
                                * _mesh.Pointer[((first[l] + a) % _n0 * _n1 + (first[8 + l] + b) % _n1) * _row + first[16 + l] + c];
                if (component < 0) d.AtomEnergy[i] += 0.5 * q * potential + own - _split.Constant * _split.Alpha / Math.Sqrt(Math.PI) * q * q;
                else d.AtomVirial[6 * i + component] += 0.5 * q * potential + (component < 3 ? own : 0);
            }
        }
    }
}
