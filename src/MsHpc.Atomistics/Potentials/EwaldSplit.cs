using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// How the Coulomb energy of periodic charges is split in two sums (P. P. Ewald, Ann. Phys. 369, 253, 1921):
/// <code>1/r = erfc(α r)/r + erf(α r)/r</code>
/// the first short-ranged, cut at r_c; the second smooth, summed over the reciprocal lattice.
/// </summary>
/// <param name="Alpha">α, 1/Å.</param>
/// <param name="Cutoff">r_c, Å.</param>
/// <param name="Accuracy">Root mean square error of a force component's vector, in units of the force between two elementary charges 1 Å apart.</param>
/// <param name="Constant">e²/4πε₀, eV Å.</param>
public sealed record EwaldSplit(double Alpha, double Cutoff, double Accuracy, double Constant)
{
    /// <summary>
    /// α such that the error of the real sum is the accuracy. J. Kolafa, J. W. Perram, Mol. Simul. 9, 351 (1992):
    /// δF = 2 Q/√(N r_c V) exp(−α² r_c²), Q = Σ q².
    /// </summary>
    /// <param name="atoms">Atoms with charges and a cell.</param>
    /// <param name="cutoff">r_c, Å.</param>
    /// <param name="accuracy">Root mean square force error over the force between two elementary charges 1 Å apart (14.4 eV/Å): 1e-5 is common.</param>
    /// <param name="constant">e²/4πε₀, eV Å.</param>
    /// <exception cref="InputException">No charges, a cell that is not periodic in all directions, a cutoff or accuracy out of range.</exception>
    public static EwaldSplit For(Atoms atoms, double cutoff, double accuracy, double constant = Codata.CoulombInEvAngstrom)
    {
        if (!(cutoff > 0) || !double.IsFinite(cutoff)) throw new InputException($"Ewald sum: cutoff {cutoff} Å; it must be positive");
        if (!(accuracy is > 1e-15 and < 0.1)) throw new InputException($"Ewald sum: accuracy {accuracy}; it is the relative error of forces, between 1e-15 and 0.1");
        if (!(constant > 0) || !double.IsFinite(constant)) throw new InputException($"Ewald sum: Coulomb constant {constant} eV Å; it must be positive");
        if (!(atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2]))
            throw new InputException("Ewald sum: the cell must be periodic in all three directions; use a plain or damped cutoff for charges elsewhere");
        double squares = atoms.Charges.Sum(q => q * q);
        if (!(squares > 0) || !double.IsFinite(squares)) throw new InputException("Ewald sum: all charges are zero, or one is not a number");
        double scale = 2 * squares / Math.Sqrt(atoms.Count * cutoff * atoms.Cell.Volume);
        // Few charges in a large cell: the estimate is met by any α; one that leaves a tail of 1 % at the cutoff is taken.
        double alpha = Math.Sqrt(Math.Max(3.3, Math.Log(scale / accuracy))) / cutoff;
        return new EwaldSplit(alpha, cutoff, accuracy, constant);
    }

    /// <summary>
    /// Largest wave vector of the reciprocal sum, 1/Å, from the estimate of Kolafa and Perram,
    /// δF = 2 Q α/L · √(1/(π n N)) exp(−(π n/(α L))²), k = 2π n/L, here for a cube of the same volume.
    /// </summary>
    /// <param name="atoms">Number of atoms.</param>
    /// <param name="squares">Q = Σ q², e².</param>
    /// <param name="volume">Å³.</param>
    public double WaveCutoff(int atoms, double squares, double volume)
    {
        double length = Math.Cbrt(volume), n = 1;
        // The error falls with n: step in hundredths of n, a few thousand cheap evaluations once.
        while (2 * squares * Alpha / length * Math.Sqrt(1 / (Math.PI * n * atoms)) * Math.Exp(-Math.Pow(Math.PI * n / (Alpha * length), 2)) > Accuracy) n *= 1.01;
        return 2 * Math.PI * n / length;
    }

    /// <summary>
    /// Coefficients of the polynomial Σ c_k uᵏ ≈ erf(√t)/√t on t = α²r² = T (1 + u)/2 ∈ [0, T = α² r_c²], from its Chebyshev series cut where the rest falls below
    /// <paramref name="tolerance"/>. The function is 2/√π ∫₀¹ exp(−t s²) ds, so its derivatives alternate in sign and Σ |c_k| is its value at 0, 1.13: the
    /// powers of u lose nothing to cancellation. The series ends in rounding noise, which high powers would blow up: tolerances below 3e-16 are not followed.
    /// </summary>
    internal double[] ErfSeries(double tolerance)
    {
        const int Nodes = 128;
        double top = Alpha * Alpha * Cutoff * Cutoff;
        var value = new double[Nodes];
        var chebyshev = new double[Nodes];
        for (int j = 0; j < Nodes; j++) value[j] = Smooth(0.5 * top * (1 + Math.Cos(Math.PI * (j + 0.5) / Nodes)));
        for (int k = 0; k < Nodes; k++)
        {
            for (int j = 0; j < Nodes; j++) chebyshev[k] += value[j] * Math.Cos(Math.PI * k * (j + 0.5) / Nodes);
            chebyshev[k] *= (k == 0 ? 1.0 : 2.0) / Nodes;
        }
        int degree = 1;
        tolerance = Math.Max(tolerance, 3e-16);
        while (degree < 63 && Math.Abs(chebyshev[degree + 1]) + Math.Abs(chebyshev[degree + 2]) > tolerance) degree++;
        // T_k(u) as powers: T_{k+1} = 2u T_k − T_{k−1}.
        double[] series = new double[degree + 1], last = new double[degree + 2], current = new double[degree + 2];
        (last[0], current[1]) = (1, 1);
        series[0] = chebyshev[0];
        for (int k = 1; k <= degree; k++)
        {
            for (int p = 0; p <= k; p++) series[p] += chebyshev[k] * current[p];
            for (int p = k + 1; p >= 0; p--) last[p] = (p > 0 ? 2 * current[p - 1] : 0) - last[p];
            (last, current) = (current, last);
        }
        return series;
    }

    /// <summary>erf(√t)/√t.</summary>
    internal static double Smooth(double t) => t < 1e-8 ? 2 / Math.Sqrt(Math.PI) * (1 - t / 3) : Special.Erf(Math.Sqrt(t)) / Math.Sqrt(t);
}
