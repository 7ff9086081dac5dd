using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Quantum.TightBinding;

namespace MsHpc.Quantum.Scf;

/// <summary>
/// An operator between orbitals of atoms, real in space: one number per orbital (its own energy), and a block of first × second orbitals per
/// bond, row by row.
/// </summary>
internal sealed class BondOperator
{
    /// <summary>Diagonal, by orbital.</summary>
    public double[] Diagonal { get; private set; } = [];

    /// <summary>Blocks of all bonds, one after the other.</summary>
    public double[] Blocks { get; private set; } = [];

    /// <summary>Makes room; contents are undefined.</summary>
    public void Resize(int orbitals, int entries)
    {
        if (Diagonal.Length != orbitals) Diagonal = new double[orbitals];
        if (Blocks.Length < entries) Blocks = new double[entries + entries / 8];
    }
}

/// <summary>Where orbitals and blocks stand.</summary>
internal sealed class OrbitalLayout
{
    /// <summary>First orbital of each atom, and their number at the end.</summary>
    public int[] First { get; }

    /// <summary>Start of each bond's block, and the sum of lengths at the end.</summary>
    public int[] Block { get; private set; } = [];

    /// <param name="orbitals">Orbitals of each atom.</param>
    public OrbitalLayout(IEnumerable<int> orbitals)
    {
        var first = new List<int> { 0 };
        foreach (int n in orbitals) first.Add(first[^1] + n);
        First = [.. first];
    }

    /// <summary>Number of orbitals.</summary>
    public int Count => First[^1];

    /// <summary>Takes the bonds.</summary>
    public void SetBonds(ReadOnlySpan<BondList.Bond> bonds)
    {
        if (Block.Length != bonds.Length + 1) Block = new int[bonds.Length + 1];
        for (int b = 0; b < bonds.Length; b++)
            Block[b + 1] = Block[b] + (First[bonds[b].I + 1] - First[bonds[b].I]) * (First[bonds[b].J + 1] - First[bonds[b].J]);
    }
}

/// <summary>
/// Levels, occupations and densities of a Hamiltonian by diagonalisation at every point of a mesh: H(k) C = S(k) C ε with
/// H(k)_iμ,jν = Σ_n exp(2πi k·n) H_iμ,jν(n).
/// </summary>
/// <remarks>
/// The densities are those that energies are linear in: E = Σ_μ P_μ H_μ + Σ_bonds P : H_block, so a bond's block holds both P_ij and P_ji. Only these
/// blocks are computed, from the occupied coefficients of both atoms: a few per cent of the whole matrix. A team shares out the points while the dense
/// library runs on one thread; with one point the library has its own threads. Work arrays are kept from call to call.
/// </remarks>
internal sealed class BandSolver
{
    /// <summary>One point: matrices real or complex, and the occupied coefficients by orbital.</summary>
    private sealed class Block
    {
        public Eigenproblem<double>? Real;
        public Eigenproblem<Complex>? Complex;
        public readonly AlignedArray<double> Rows = new();
        public int Stride; // of a row: real parts, then imaginary ones, padded with zeros to whole lanes
    }

    private readonly ThreadTeam _team;
    private readonly Block[] _points;
    private readonly AlignedArray<double> _scaled = new();
    private double[] _weights = [];
    private OrbitalLayout? _layout;

    /// <param name="mesh">Points of the Brillouin zone.</param>
    /// <param name="team">Threads; null: one.</param>
    public BandSolver(KMesh mesh, ThreadTeam? team = null)
    {
        (Mesh, _team) = (mesh, team ?? ThreadTeam.Single);
        _points = [.. mesh.Points.Select(p => p.IsReal ? new Block { Real = new() } : new Block { Complex = new() })];
    }

    /// <summary>The mesh.</summary>
    public KMesh Mesh { get; }

    /// <summary>ε of all points one after the other, rising at each.</summary>
    public double[] Levels { get; private set; } = [];

    /// <summary>Electrons in a full level: 2, or 1 where each spin has its own solver.</summary>
    public double Full { get; init; } = 2;

    /// <summary>f of all levels, weight of the point not included.</summary>
    public double[] Occupations { get; private set; } = [];

    /// <summary>Fermi level.</summary>
    public double Fermi { get; private set; }

    /// <summary>TS.</summary>
    public double Entropy { get; private set; }

    /// <summary>Σ w f ε.</summary>
    public double BandEnergy { get; private set; }

    /// <summary>Solves, and fills the levels.</summary>
    /// <param name="layout">Orbitals and bonds: a new one for new atoms, since the factors of S are kept for as long as it is the same.</param>
    /// <param name="list">The bonds.</param>
    /// <param name="h">Hamiltonian.</param>
    /// <param name="s">Overlap, its diagonal one; null for orthogonal orbitals.</param>
    /// <param name="electrons">Electrons.</param>
    /// <param name="kT">Temperature of the electrons.</param>
    public void Solve(OrbitalLayout layout, BondList list, BondOperator h, BondOperator? s, double electrons, double kT)
    {
        Diagonalise(layout, list, h, s);
        Fill([this], electrons, kT);
    }

    /// <summary>Levels; parameters as in <see cref="Solve"/>. <see cref="Fill"/> comes next.</summary>
    public void Diagonalise(OrbitalLayout layout, BondList list, BondOperator h, BondOperator? s)
    {
        int n = layout.Count, points = Mesh.Points.Count;
        if (Levels.Length != n * points)
        {
            (Levels, Occupations, _weights) = (new double[n * points], new double[n * points], new double[n * points]);
            for (int p = 0; p < points; p++) _weights.AsSpan(p * n, n).Fill(Mesh.Points[p].Weight);
        }
        bool anew = !ReferenceEquals(layout, _layout);
        _layout = layout;
        Each(points, (p, _) => Diagonalise(p, layout, list, h, anew, s));
    }

    /// <summary>Fills the levels of solvers that share their electrons, one Fermi level for all, and takes the coefficients of the filled ones.</summary>
    public static void Fill(ReadOnlySpan<BandSolver> solvers, double electrons, double kT)
    {
        double[] levels = [], weights = [];
        foreach (var s in solvers) (levels, weights) = ([.. levels, .. s.Levels], [.. weights, .. s._weights]);
        var occupations = new double[levels.Length];
        var (fermi, _) = FermiDirac.Fill(levels, weights, electrons, kT, solvers[0].Full, occupations);
        int at = 0;
        foreach (var s in solvers)
        {
            occupations.AsSpan(at, s.Levels.Length).CopyTo(s.Occupations);
            at += s.Levels.Length;
            s.Fermi = fermi;
            s.Entropy = FermiDirac.Entropy(s.Occupations, s._weights, kT, s.Full);
            s.BandEnergy = 0;
            for (int k = 0; k < s.Levels.Length; k++) s.BandEnergy += s._weights[k] * s.Occupations[k] * s.Levels[k];
            s.Each(s.Mesh.Points.Count, (p, _) => s.Collect(p, s._layout!.Count));
        }
    }

    private void Each(int points, Action<int, int> body)
    {
        if (points > 1 && _team.Count > 1) Dense.OnOneThread(() => _team.Run(points, body));
        else for (int p = 0; p < points; p++) body(p, 0);
    }

    private void Diagonalise(int p, OrbitalLayout layout, BondList list, BondOperator h, bool anew, BondOperator? s)
    {
        var point = Mesh.Points[p];
        var bonds = list.Bonds;
        var levels = Levels.AsSpan(p * layout.Count, layout.Count);
        if (_points[p].Real is { } real)
        {
            if (anew)
            {
                real.Resize(layout.Count);
                if (s is not null)
                {
                    Assemble(layout, bonds, s, point, real.Metric);
                    real.FactorMetric();
                }
            }
            Assemble(layout, bonds, h, point, real.Matrix);
            real.Solve(levels);
        }
        else if (_points[p].Complex is { } complex)
        {
            if (anew)
            {
                complex.Resize(layout.Count);
                if (s is not null)
                {
                    Assemble(layout, bonds, s, point, complex.Metric);
                    complex.FactorMetric();
                }
            }
            Assemble(layout, bonds, h, point, complex.Matrix);
            complex.Solve(levels);
        }
    }

    /// <summary>exp(2πi k·n) of a bond.</summary>
    private static Complex Phase(in KMesh.Point k, in BondList.Bond b)
    {
        if ((b.N0 | b.N1 | b.N2) == 0) return Complex.One;
        var (sin, cos) = double.SinCosPi(2 * (k.K0 * b.N0 + k.K1 * b.N1 + k.K2 * b.N2));
        return new Complex(cos, sin);
    }

    /// <summary>Lower triangle of the matrix at a point whose phases are ±1.</summary>
    internal static void Assemble(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator o, in KMesh.Point k, double[] a)
    {
        int n = layout.Count;
        a.AsSpan().Clear();
        for (int i = 0; i < n; i++) a[i * (n + 1)] = o.Diagonal[i];
        for (int b = 0; b < bonds.Length; b++)
        {
            ref readonly var bond = ref bonds[b];
            int fi = layout.First[bond.I], fj = layout.First[bond.J], ni = layout.First[bond.I + 1] - fi, nj = layout.First[bond.J + 1] - fj;
            var block = o.Blocks.AsSpan(layout.Block[b], ni * nj);
            double phase = Phase(k, bond).Real;
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++)
                {
                    double x = phase * block[m * nj + v];
                    if (fj + v >= fi + m) a[fj + v + (fi + m) * n] += x;
                    if (bond.I == bond.J && m >= v) a[fi + m + (fi + v) * n] += x; // the image on the other side
                }
        }
    }

    private static void Assemble(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator o, in KMesh.Point k, Complex[] a)
    {
        int n = layout.Count;
        a.AsSpan().Clear();
        for (int i = 0; i < n; i++) a[i * (n + 1)] = o.Diagonal[i];
        for (int b = 0; b < bonds.Length; b++)
        {
            ref readonly var bond = ref bonds[b];
            int fi = layout.First[bond.I], fj = layout.First[bond.J], ni = layout.First[bond.I + 1] - fi, nj = layout.First[bond.J + 1] - fj;
            var block = o.Blocks.AsSpan(layout.Block[b], ni * nj);
            var phase = Phase(k, bond);
            var conjugate = Complex.Conjugate(phase);
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++)
                {
                    double x = block[m * nj + v];
                    if (fj + v >= fi + m) a[fj + v + (fi + m) * n] += conjugate * x; // (j, i) is the conjugate of (i, j)
                    if (bond.I == bond.J && m >= v) a[fi + m + (fi + v) * n] += phase * x;
                }
        }
    }

    /// <summary>Takes the coefficients of the levels that are not empty, a row for each orbital.</summary>
    private unsafe void Collect(int p, int n)
    {
        // Levels rise: the occupied ones are the first.
        int filled = n;
        while (filled > 0 && Occupations[p * n + filled - 1] * Mesh.Points[p].Weight < 1e-18) filled--;
        var point = _points[p];
        int lanes = Lane.Blocks(filled) * Lane.Width;
        point.Stride = point.Real is null ? 2 * lanes : lanes;
        double* rows = point.Rows.Require((long)n * point.Stride);
        point.Rows.Span(n * point.Stride).Clear();
        if (point.Real is { } real)
        {
            fixed (double* c = real.Vectors(filled)) Turn(c, n, filled, 1, rows, point.Stride);
        }
        else
        {
            fixed (Complex* c = point.Complex!.Vectors(filled))
            {
                Turn((double*)c, n, filled, 2, rows, point.Stride);
                Turn((double*)c + 1, n, filled, 2, rows + lanes, point.Stride);
            }
        }
    }

    /// <summary>rows[i·stride + l] = c[step·(i + l·n)], by squares that stay in the cache.</summary>
    private static unsafe void Turn(double* c, int n, int filled, int step, double* rows, int stride)
    {
        const int square = 32;
        for (int i0 = 0; i0 < n; i0 += square)
            for (int l0 = 0; l0 < filled; l0 += square)
                for (int i = i0; i < Math.Min(n, i0 + square); i++)
                    for (int l = l0; l < Math.Min(filled, l0 + square); l++) rows[(long)i * stride + l] = c[step * (i + (long)l * n)];
    }

    /// <summary>Density P = Σ w f c c† at the places that the operators have.</summary>
    /// <param name="layout">Orbitals and bonds.</param>
    /// <param name="list">The bonds.</param>
    /// <param name="energyWeighted">With f ε in the place of f.</param>
    /// <param name="density">Out.</param>
    public unsafe void Density(OrbitalLayout layout, BondList list, bool energyWeighted, BondOperator density)
    {
        int n = layout.Count, count = list.Count;
        density.Resize(n, layout.Block[^1]);
        density.Diagonal.AsSpan().Clear();
        density.Blocks.AsSpan(0, layout.Block[^1]).Clear();
        for (int p = 0; p < _points.Length; p++)
        {
            var (k, point) = (Mesh.Points[p], _points[p]);
            int stride = point.Stride, half = point.Real is null ? stride / 2 : stride;
            // Scaled rows w f c; for complex ones also w f c turned by −90°: Re and Im of a product are then plain dot products.
            int copies = point.Real is null ? 2 : 1;
            double* rows = point.Rows.Pointer, scaled = _scaled.Require((long)copies * n * stride);
            long turned = (long)n * stride;
            int first = p * n;
            _team.Run(Chunks(n), (chunk, _) =>
            {
                for (int i = chunk * ChunkSize; i < Math.Min(n, (chunk + 1) * ChunkSize); i++)
                {
                    double* row = rows + (long)i * stride, to = scaled + (long)i * stride, away = to + turned;
                    for (int l = 0; l < half; l++)
                    {
                        double share = l < n ? k.Weight * Occupations[first + l] * (energyWeighted ? Levels[first + l] : 1) : 0;
                        to[l] = share * row[l];
                        if (copies == 1) continue;
                        to[half + l] = share * row[half + l];
                        (away[l], away[half + l]) = (to[half + l], -to[l]);
                    }
                    double sum = 0;
                    for (int l = 0; l < stride; l++) sum = Math.FusedMultiplyAdd(row[l], to[l], sum);
                    density.Diagonal[i] += sum;
                }
            });
            _team.Run(Chunks(count), (chunk, _) =>
            {
                var bonds = list.Bonds;
                double* dots = stackalloc double[16];
                for (int b = chunk * ChunkSize; b < Math.Min(count, (chunk + 1) * ChunkSize); b++)
                {
                    ref readonly var bond = ref bonds[b];
                    int fi = layout.First[bond.I], fj = layout.First[bond.J], ni = layout.First[bond.I + 1] - fi, nj = layout.First[bond.J + 1] - fj;
                    var block = density.Blocks.AsSpan(layout.Block[b], ni * nj);
                    var phase = 2 * Phase(k, bond); // P_ji exp(i φ) H_ij and its conjugate: twice the real part
                    for (int m = 0; m < ni; m += 4)
                        for (int v = 0; v < nj; v += 4)
                            for (int copy = 0; copy < copies; copy++)
                            {
                                double factor = copy == 0 ? phase.Real : -phase.Imaginary;
                                Dots(rows + (long)(fi + m) * stride, Math.Min(4, ni - m), scaled + copy * turned + (long)(fj + v) * stride, Math.Min(4, nj - v), stride, dots);
                                for (int r = 0; r < Math.Min(4, ni - m); r++)
                                    for (int c = 0; c < Math.Min(4, nj - v); c++) block[(m + r) * nj + v + c] += factor * dots[4 * r + c];
                            }
                }
            });
        }
    }

    private const int ChunkSize = 64;

    private static int Chunks(int count) => (count + ChunkSize - 1) / ChunkSize;

    /// <summary>result[4 r + c] = a_r · b_c for up to four rows each; rows that are not there repeat the last one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe void Dots(double* a, int rowsA, double* b, int rowsB, int stride, double* result)
    {
        double* a1 = a + (rowsA > 1 ? stride : 0), a2 = rowsA > 2 ? a1 + stride : a1, a3 = rowsA > 3 ? a2 + stride : a2;
        double* b1 = b + (rowsB > 1 ? stride : 0), b2 = rowsB > 2 ? b1 + stride : b1, b3 = rowsB > 3 ? b2 + stride : b2;
        Lanes s00 = default, s01 = default, s02 = default, s03 = default, s10 = default, s11 = default, s12 = default, s13 = default;
        Lanes s20 = default, s21 = default, s22 = default, s23 = default, s30 = default, s31 = default, s32 = default, s33 = default;
        for (int l = 0; l < stride; l += Lane.Width)
        {
            Lanes y0 = Vector512.Load(b + l), y1 = Vector512.Load(b1 + l), y2 = Vector512.Load(b2 + l), y3 = Vector512.Load(b3 + l);
            Lanes x = Vector512.Load(a + l);
            (s00, s01, s02, s03) = (Lane.Fma(x, y0, s00), Lane.Fma(x, y1, s01), Lane.Fma(x, y2, s02), Lane.Fma(x, y3, s03));
            x = Vector512.Load(a1 + l);
            (s10, s11, s12, s13) = (Lane.Fma(x, y0, s10), Lane.Fma(x, y1, s11), Lane.Fma(x, y2, s12), Lane.Fma(x, y3, s13));
            x = Vector512.Load(a2 + l);
            (s20, s21, s22, s23) = (Lane.Fma(x, y0, s20), Lane.Fma(x, y1, s21), Lane.Fma(x, y2, s22), Lane.Fma(x, y3, s23));
            x = Vector512.Load(a3 + l);
            (s30, s31, s32, s33) = (Lane.Fma(x, y0, s30), Lane.Fma(x, y1, s31), Lane.Fma(x, y2, s32), Lane.Fma(x, y3, s33));
        }
        (result[0], result[1], result[2], result[3]) = (Vector512.Sum(s00), Vector512.Sum(s01), Vector512.Sum(s02), Vector512.Sum(s03));
        (result[4], result[5], result[6], result[7]) = (Vector512.Sum(s10), Vector512.Sum(s11), Vector512.Sum(s12), Vector512.Sum(s13));
        (result[8], result[9], result[10], result[11]) = (Vector512.Sum(s20), Vector512.Sum(s21), Vector512.Sum(s22), Vector512.Sum(s23));
        (result[12], result[13], result[14], result[15]) = (Vector512.Sum(s30), Vector512.Sum(s31), Vector512.Sum(s32), Vector512.Sum(s33));
    }
}
