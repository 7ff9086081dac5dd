using System.Numerics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Analysis;

/// <summary>
/// Harmonic lattice vibrations by finite displacements in a supercell:
/// <code>
/// D_iα,jβ(q) = Σ_L Φ_iα,jβ(L) exp(2πi q·(L + s_j − s_i)) / √(m_i m_j),   ω² = eigenvalues of D
/// </code>
/// Φ(L): force constants between atom i of the first cell and atom j in cell L, by central differences of forces; where several images of j in the supercell are
/// equally near to i they share Φ equally (K. Parlinski, Z. Q. Li, Y. Kawazoe, Phys. Rev. Lett. 78, 4063, 1997). The acoustic sum rule Σ Φ = 0 is imposed
/// on the diagonal block. q and s are fractional, so that q = (½, 0, 0) is half the first reciprocal vector. Forces only: the splitting of longitudinal and
/// transversal optical modes of polar crystals at q → 0 is not in it.
/// </summary>
public sealed class Phonons
{
    /// <summary>ω in 1/fs to a frequency in THz.</summary>
    public const double ThzPerRadFs = 1000 / (2 * Math.PI);

    private readonly Atoms _cell;
    private readonly List<(int I, int J, double X, double Y, double Z, double[] Phi)> _terms = [];

    private Phonons(Atoms cell) => _cell = cell;

    /// <summary>Bands: three per atom.</summary>
    public int Bands => 3 * _cell.Count;

    /// <summary>Largest violation of the acoustic sum rule before it was imposed, eV/Å²: says how good the differences are.</summary>
    public double SumRule { get; private set; }

    /// <summary>Largest force in the undisplaced supercell, eV/Å: away from a minimum frequencies mean little.</summary>
    public double MaxForce { get; private set; }

    /// <summary>Computes the force constants.</summary>
    /// <param name="calculator">Energy surface; it is asked about the supercell.</param>
    /// <param name="atoms">The cell of the crystal; best its primitive one.</param>
    /// <param name="supercell">Repeats along a, b, c: the supercell should be wider than twice the reach of the forces.</param>
    /// <param name="displacement">Å.</param>
    /// <param name="progress">Told how many of how many displacements are done; returns false to stop. Null: nobody.</param>
    /// <exception cref="InputException">A cell that cannot be repeated so.</exception>
    public static Phonons Compute(ICalculator calculator, Atoms atoms, int[] supercell, double displacement = 0.01, Func<int, int, bool>? progress = null)
    {
        if (!(displacement > 0 && displacement < 0.5)) throw new InputException($"the displacement is {displacement} Å; it should lie between 0 and 0.5 Å (0.01 Å suits most)");
        var phonons = new Phonons(atoms);
        var super = Crystal.Repeat(atoms, supercell);
        int n = atoms.Count, copies = super.Count / n;
        var results = new CalculatorResults(super.Count);
        calculator.Compute(super, Want.Forces, results);
        phonons.MaxForce = results.Forces.Max(Math.Abs);
        // Φ of atom i of the first cell with all atoms of the supercell.
        var phi = new double[n][];
        double[] rest = [.. super.Positions], plus = new double[3 * super.Count];
        for (int i = 0; i < n; i++)
        {
            phi[i] = new double[9 * super.Count];
            for (int a = 0; a < 3; a++)
            {
                if (progress?.Invoke(3 * i + a, 3 * n) == false) throw new OperationCanceledException();
                super.Positions[3 * i + a] = rest[3 * i + a] + displacement;
                calculator.Compute(super, Want.Forces, results);
                results.Forces.CopyTo(plus, 0);
                super.Positions[3 * i + a] = rest[3 * i + a] - displacement;
                calculator.Compute(super, Want.Forces, results);
                super.Positions[3 * i + a] = rest[3 * i + a];
                for (int j = 0; j < super.Count; j++)
                    for (int b = 0; b < 3; b++) phi[i][9 * j + 3 * a + b] = -(plus[3 * j + b] - results.Forces[3 * j + b]) / (2 * displacement);
            }
            for (int k = 0; k < 9; k++)
            {
                double sum = 0;
                for (int j = 0; j < super.Count; j++) sum += phi[i][9 * j + k];
                phonons.SumRule = Math.Max(phonons.SumRule, Math.Abs(sum));
                phi[i][9 * i + k] -= sum;
            }
        }
        for (int i = 0; i < n; i++)
            for (int copy = 0; copy < copies; copy++)
                for (int j = 0; j < n; j++)
                {
                    double[] block = phi[i].AsSpan(9 * (copy * n + j), 9).ToArray();
                    if (block.All(x => Math.Abs(x) < 1e-14)) continue;
                    var nearest = phonons.Nearest(super, i, copy * n + j);
                    foreach (var (x, y, z) in nearest) phonons._terms.Add((i, j, x, y, z, [.. block.Select(p => p / nearest.Count)]));
                }
        return phonons;
    }

    /// <summary>Vectors from atom i to the nearest images of atom k of the supercell, in fractions of the small cell.</summary>
    private List<(double X, double Y, double Z)> Nearest(Atoms super, int i, int k)
    {
        var found = new List<(double R, (double, double, double) S)>();
        var cell = super.Cell;
        double dx = super.Positions[3 * k] - super.Positions[3 * i], dy = super.Positions[3 * k + 1] - super.Positions[3 * i + 1], dz = super.Positions[3 * k + 2] - super.Positions[3 * i + 2];
        // The image next to i by its fractions, and all that may be nearer in a skew cell: s_d + n lies |s_d + n| spacings away at least.
        var (s0, s1, s2) = cell.Fractional(dx + cell.Origin[0], dy + cell.Origin[1], dz + cell.Origin[2]);
        int[] start = [Start(0, s0), Start(1, s1), Start(2, s2)], most = new int[3];
        double first = At(start[0], start[1], start[2]).R;
        for (int d = 0; d < 3; d++) most[d] = cell.Periodic[d] ? (int)(first / cell.Spacing[d] + 0.5 + 1e-6) : 0;
        for (int a = -most[0]; a <= most[0]; a++)
            for (int b = -most[1]; b <= most[1]; b++)
                for (int c = -most[2]; c <= most[2]; c++) found.Add(At(start[0] + a, start[1] + b, start[2] + c));
        double least = found.Min(f => f.R);
        return [.. found.Where(f => f.R < least + 1e-5).Select(f => f.S)];

        int Start(int d, double s) => cell.Periodic[d] ? -(int)Math.Round(s) : 0;

        (double R, (double, double, double) S) At(int a, int b, int c)
        {
            var (sx, sy, sz) = cell.Shift(a, b, c);
            double x = dx + sx, y = dy + sy, z = dz + sz;
            return (Math.Sqrt(x * x + y * y + z * z), _cell.Cell.Fractional(x + _cell.Cell.Origin[0], y + _cell.Cell.Origin[1], z + _cell.Cell.Origin[2]));
        }
    }

    /// <summary>Frequencies at a wave vector, THz, lowest first; imaginary ones (unstable modes) as negative numbers.</summary>
    /// <param name="q">In fractions of the reciprocal vectors.</param>
    public double[] Frequencies(ReadOnlySpan<double> q)
    {
        int n = Bands;
        var d = new Complex[n * n];
        foreach (var (i, j, x, y, z, phi) in _terms)
        {
            var phase = Complex.FromPolarCoordinates(1 / Math.Sqrt(_cell.Mass(i) * _cell.Mass(j)), 2 * Math.PI * (q[0] * x + q[1] * y + q[2] * z));
            for (int a = 0; a < 3; a++) for (int b = 0; b < 3; b++) d[3 * i + a + n * (3 * j + b)] += phi[3 * a + b] * phase;
        }
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
            {
                var mean = 0.5 * (d[i + n * j] + Complex.Conjugate(d[j + n * i]));
                (d[i + n * j], d[j + n * i]) = (mean, Complex.Conjugate(mean));
            }
        var values = new double[n];
        Dense.HermitianEigen(n, d, values);
        // eV/(u Å²) to 1/fs².
        return [.. values.Select(v => Math.Sign(v) * Math.Sqrt(Math.Abs(v) / Codata.MassVelocitySquaredInEv) * ThzPerRadFs)];
    }

    /// <summary>Density of states on a regular mesh of q, normalised to the number of bands: frequencies (THz, middle of each bin) and states per THz.</summary>
    /// <param name="mesh">Points along each reciprocal vector.</param>
    /// <param name="bins">Number of bins.</param>
    public (double[] Frequency, double[] States) DensityOfStates(int mesh, int bins)
    {
        var all = new List<double>();
        for (int a = 0; a < mesh; a++)
            for (int b = 0; b < mesh; b++)
                for (int c = 0; c < mesh; c++) all.AddRange(Frequencies([(a + 0.5) / mesh, (b + 0.5) / mesh, (c + 0.5) / mesh]));
        double low = Math.Min(0, all.Min()), high = all.Max() * 1.02 + 1e-9, width = (high - low) / bins;
        var states = new double[bins];
        foreach (double f in all) states[Math.Clamp((int)((f - low) / width), 0, bins - 1)] += Bands / (width * all.Count);
        return ([.. Enumerable.Range(0, bins).Select(k => low + (k + 0.5) * width)], states);
    }

    /// <summary>Length of a step between two wave vectors, 1/Å (2π included).</summary>
    public double Length(ReadOnlySpan<double> from, ReadOnlySpan<double> to)
    {
        var g = _cell.Cell.Reciprocal;
        double sum = 0;
        for (int k = 0; k < 3; k++)
        {
            double x = 0;
            for (int d = 0; d < 3; d++) x += (to[d] - from[d]) * g[3 * d + k];
            sum += x * x;
        }
        return 2 * Math.PI * Math.Sqrt(sum);
    }
}
