using System.Numerics;
using MsHpc.Core;
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
/// <remarks>The densities are those that energies are linear in: E = Σ_μ P_μ H_μ + Σ_bonds P : H_block, so a bond's block holds both P_ij and P_ji.
/// Work arrays are kept from call to call.</remarks>
internal sealed class BandSolver(KMesh mesh)
{
    private double[][] _real = [];
    private Complex[][] _complex = [];
    private double[] _overlap = [], _scaled = [], _density = [];
    private Complex[] _complexOverlap = [], _complexScaled = [], _complexDensity = [];
    private double[] _weights = [];

    /// <summary>The mesh.</summary>
    public KMesh Mesh { get; } = mesh;

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
    /// <param name="layout">Orbitals and bonds.</param>
    /// <param name="bonds">The bonds.</param>
    /// <param name="h">Hamiltonian.</param>
    /// <param name="s">Overlap, its diagonal one; null for orthogonal orbitals.</param>
    /// <param name="electrons">Electrons.</param>
    /// <param name="kT">Temperature of the electrons.</param>
    public void Solve(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator h, BondOperator? s, double electrons, double kT)
    {
        Diagonalise(layout, bonds, h, s);
        Fill([this], electrons, kT);
    }

    /// <summary>Fills the levels of solvers that share their electrons: one Fermi level for all.</summary>
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
        }
    }

    /// <summary>Levels and coefficients; parameters as in <see cref="Solve"/>.</summary>
    public void Diagonalise(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator h, BondOperator? s)
    {
        int n = layout.Count, points = Mesh.Points.Count;
        if (Levels.Length != n * points)
        {
            (Levels, Occupations, _weights) = (new double[n * points], new double[n * points], new double[n * points]);
            (_real, _complex) = (new double[points][], new Complex[points][]);
        }
        for (int p = 0; p < points; p++)
        {
            var point = Mesh.Points[p];
            _weights.AsSpan(p * n, n).Fill(point.Weight);
            var levels = Levels.AsSpan(p * n, n);
            if (point.IsReal)
            {
                var a = _real[p] ??= new double[n * n];
                Assemble(layout, bonds, h, point, a);
                if (s is null) Dense.SymmetricEigen(n, a, levels);
                else
                {
                    if (_overlap.Length != n * n) _overlap = new double[n * n];
                    Assemble(layout, bonds, s, point, _overlap);
                    Dense.GeneralizedSymmetricEigen(n, a, _overlap, levels);
                }
            }
            else
            {
                var a = _complex[p] ??= new Complex[n * n];
                Assemble(layout, bonds, h, point, a);
                if (s is null) Dense.HermitianEigen(n, a, levels);
                else
                {
                    if (_complexOverlap.Length != n * n) _complexOverlap = new Complex[n * n];
                    Assemble(layout, bonds, s, point, _complexOverlap);
                    Dense.GeneralizedHermitianEigen(n, a, _complexOverlap, levels);
                }
            }
        }
    }

    /// <summary>exp(2πi k·n) of a bond.</summary>
    private static Complex Phase(in KMesh.Point k, in BondList.Bond b)
    {
        var (sin, cos) = double.SinCosPi(2 * (k.K0 * b.N0 + k.K1 * b.N1 + k.K2 * b.N2));
        return new Complex(cos, sin);
    }

    /// <summary>Lower triangle of the matrix at a point whose phases are ±1.</summary>
    private static void Assemble(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator o, in KMesh.Point k, double[] a)
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

    /// <summary>Density P = Σ w f c c† at the places that the operators have.</summary>
    /// <param name="layout">Orbitals and bonds.</param>
    /// <param name="bonds">The bonds.</param>
    /// <param name="energyWeighted">With f ε in the place of f.</param>
    /// <param name="density">Out.</param>
    public void Density(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, bool energyWeighted, BondOperator density)
    {
        int n = layout.Count;
        density.Resize(n, layout.Block[^1]);
        density.Diagonal.AsSpan().Clear();
        density.Blocks.AsSpan(0, layout.Block[^1]).Clear();
        for (int p = 0; p < Mesh.Points.Count; p++)
        {
            var point = Mesh.Points[p];
            // Levels rise: the occupied ones are the first.
            int filled = n;
            while (filled > 0 && Occupations[p * n + filled - 1] * point.Weight < 1e-18) filled--;
            if (point.IsReal) AddReal(layout, bonds, point, p, filled, energyWeighted, density);
            else AddComplex(layout, bonds, point, p, filled, energyWeighted, density);
        }
    }

    private double Share(int level, double weight, bool energyWeighted) => weight * Occupations[level] * (energyWeighted ? Levels[level] : 1);

    private void AddReal(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, in KMesh.Point k, int p, int filled, bool energyWeighted, BondOperator density)
    {
        int n = layout.Count;
        if (_density.Length != n * n) (_density, _scaled) = (new double[n * n], new double[n * n]);
        var c = _real[p];
        for (int l = 0; l < filled; l++)
        {
            double share = Share(p * n + l, k.Weight, energyWeighted);
            for (int i = 0; i < n; i++) _scaled[l * n + i] = share * c[l * n + i];
        }
        Dense.Gemm(false, true, n, n, filled, 1, _scaled, c, 0, _density);
        for (int i = 0; i < n; i++) density.Diagonal[i] += _density[i * (n + 1)];
        for (int b = 0; b < bonds.Length; b++)
        {
            ref readonly var bond = ref bonds[b];
            int fi = layout.First[bond.I], fj = layout.First[bond.J], ni = layout.First[bond.I + 1] - fi, nj = layout.First[bond.J + 1] - fj;
            double phase = 2 * Phase(k, bond).Real;
            var block = density.Blocks.AsSpan(layout.Block[b], ni * nj);
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++) block[m * nj + v] += phase * _density[fj + v + (fi + m) * n];
        }
    }

    private void AddComplex(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, in KMesh.Point k, int p, int filled, bool energyWeighted, BondOperator density)
    {
        int n = layout.Count;
        if (_complexDensity.Length != n * n) (_complexDensity, _complexScaled) = (new Complex[n * n], new Complex[n * n]);
        var c = _complex[p];
        for (int l = 0; l < filled; l++)
        {
            double share = Share(p * n + l, k.Weight, energyWeighted);
            for (int i = 0; i < n; i++) _complexScaled[l * n + i] = share * c[l * n + i];
        }
        Dense.Gemm(MatrixOp.None, MatrixOp.ConjugateTranspose, n, n, filled, Complex.One, _complexScaled, c, Complex.Zero, _complexDensity);
        for (int i = 0; i < n; i++) density.Diagonal[i] += _complexDensity[i * (n + 1)].Real;
        for (int b = 0; b < bonds.Length; b++)
        {
            ref readonly var bond = ref bonds[b];
            int fi = layout.First[bond.I], fj = layout.First[bond.J], ni = layout.First[bond.I + 1] - fi, nj = layout.First[bond.J + 1] - fj;
            var phase = 2 * Phase(k, bond);
            var block = density.Blocks.AsSpan(layout.Block[b], ni * nj);
            // P_ji exp(i φ) H_ij and its conjugate: twice the real part
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++) block[m * nj + v] += (_complexDensity[fj + v + (fi + m) * n] * phase).Real;
        }
    }
}
