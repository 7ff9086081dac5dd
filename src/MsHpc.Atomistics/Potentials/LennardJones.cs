using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>What happens to a pair potential at its cutoff.</summary>
public enum Truncation
{
    /// <summary>Cut: the energy jumps at r_c.</summary>
    Cut,
    /// <summary>Shifted to zero energy at r_c: φ(r) − φ(r_c).</summary>
    Shifted,
    /// <summary>Shifted to zero energy and force at r_c: φ(r) − φ(r_c) − (r − r_c) φ′(r_c).</summary>
    ForceShifted,
}

/// <summary>Parameters of one pair of types.</summary>
/// <param name="Epsilon">Well depth ε, eV.</param>
/// <param name="Sigma">σ, Å.</param>
/// <param name="Cutoff">r_c, Å; 0 switches the pair off.</param>
public readonly record struct LennardJonesPair(double Epsilon, double Sigma, double Cutoff);

/// <summary>
/// Lennard-Jones potential (J. E. Lennard-Jones, Proc. R. Soc. Lond. A 106, 463, 1924), for r &lt; r_c:
/// <code>
/// φ = 4ε (s¹² − s⁶) + a + b r,   s = σ/r
/// F = −dφ/dr · r̂ = [24ε (2 s¹² − s⁶)/r − b] r̂
/// </code>
/// a = b = 0 (cut), a = −φ₀(r_c) (shifted), and b = −φ₀′(r_c), a = −φ₀(r_c) − b r_c (force-shifted), φ₀ the plain law.
/// </summary>
public static class LennardJones
{
    /// <summary>The potential for T types.</summary>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="pairs">Parameters of types (i, j), asked for i ≤ j.</param>
    /// <param name="truncation">What happens at the cutoff.</param>
    /// <exception cref="InputException">Negative or infinite parameters.</exception>
    public static Interaction Create(int types, Func<int, int, LennardJonesPair> pairs, Truncation truncation = Truncation.Cut)
    {
        return Create(types, (i, j) =>
        {
            var (epsilon, sigma, cutoff) = pairs(i, j);
            if (!(sigma > 0) || !(cutoff >= 0) || !double.IsFinite(epsilon + sigma + cutoff))
                throw new InputException($"Lennard-Jones between types {i + 1} and {j + 1}: epsilon {epsilon}, sigma {sigma}, cutoff {cutoff}; sigma must be positive, the cutoff not negative");
            double s6 = Math.Pow(sigma, 6);
            return (4 * epsilon * s6 * s6, 4 * epsilon * s6, cutoff);
        }, truncation);
    }

    /// <summary>The potential as φ₀ = A/r¹² − B/r⁶, as molecular force fields have it; B may be 0.</summary>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="pairs">A, eV Å¹², B, eV Å⁶, and the cutoff, Å (0 switches the pair off), of types (i, j), asked for i ≤ j.</param>
    /// <param name="truncation">What happens at the cutoff.</param>
    /// <exception cref="InputException">Infinite parameters, a negative cutoff.</exception>
    public static Interaction Create(int types, Func<int, int, (double A, double B, double Cutoff)> pairs, Truncation truncation = Truncation.Cut)
    {
        int n = Form.Parameters;
        var rows = new double[types * types * n];
        for (int i = 0; i < types; i++)
            for (int j = i; j < types; j++)
            {
                var (c12, c6, cutoff) = pairs(i, j);
                if (!(cutoff >= 0) || !double.IsFinite(c12 + c6 + cutoff))
                    throw new InputException($"Lennard-Jones between types {i + 1} and {j + 1}: A {c12}, B {c6}, cutoff {cutoff}; all must be finite, the cutoff not negative");
                double a = 0, b = 0;
                if (cutoff > 0 && truncation != Truncation.Cut)
                {
                    double i6 = Math.Pow(cutoff, -6), energy = (c12 * i6 - c6) * i6, slope = -(12 * c12 * i6 - 6 * c6) * i6 / cutoff;
                    b = truncation == Truncation.ForceShifted ? -slope : 0;
                    a = -energy - b * cutoff;
                }
                double[] row = [cutoff * cutoff, c12, c6, a, b];
                row.CopyTo(rows, (i * types + j) * n);
                row.CopyTo(rows, (j * types + i) * n);
            }
        return truncation == Truncation.ForceShifted ? new Potential<ForceShiftedForm>(types, rows) : new Potential<Form>(types, rows);
    }

    /// <summary>Lorentz–Berthelot mixing: σ arithmetic, ε geometric mean.</summary>
    public static LennardJonesPair Mix(LennardJonesPair a, LennardJonesPair b) =>
        new(Math.Sqrt(a.Epsilon * b.Epsilon), 0.5 * (a.Sigma + b.Sigma), Math.Max(a.Cutoff, b.Cutoff));

    private sealed class Potential<T>(int types, double[] rows) : PairPotential<T>(types, rows) where T : struct, IPairForm
    {
        public override string Description => "Lennard-Jones (Proc. R. Soc. Lond. A 106, 463)";
    }

    private readonly struct Form : IPairForm
    {
        public static int Parameters => 5;
        public static bool UsesCharges => false;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double i2 = 1 / r2, i6 = i2 * i2 * i2;
            energy = (p[1] * i6 - p[2]) * i6 + p[3];
            return (12 * p[1] * i6 - 6 * p[2]) * i6 * i2;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate<TTypes>(Lanes r2, in PairRow<TTypes> p, Lanes qq, out Lanes energy) where TTypes : struct, ITypeCount
        {
            Lanes i2 = Lanes.One / r2, i6 = i2 * i2 * i2, a = p[1] * i6, b = p[2];
            energy = Lane.Fma(a - b, i6, p[3]);
            return Lane.Fma(a, Lane.Of(12), -b * Lane.Of(6)) * i6 * i2;
        }
    }

    private readonly struct ForceShiftedForm : IPairForm
    {
        public static int Parameters => 5;
        public static bool UsesCharges => false;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double i2 = 1 / r2, i6 = i2 * i2 * i2, r = Math.Sqrt(r2);
            energy = (p[1] * i6 - p[2]) * i6 + p[3] + p[4] * r;
            return (12 * p[1] * i6 - 6 * p[2]) * i6 * i2 - p[4] / r;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate<TTypes>(Lanes r2, in PairRow<TTypes> p, Lanes qq, out Lanes energy) where TTypes : struct, ITypeCount
        {
            Lanes i2 = Lanes.One / r2, i6 = i2 * i2 * i2, a = p[1] * i6, b = p[2], r = Vector512.Sqrt(r2);
            energy = Lane.Fma(a - b, i6, Lane.Fma(p[4], r, p[3]));
            return Lane.Fma(a, Lane.Of(12), -b * Lane.Of(6)) * i6 * i2 - p[4] / r;
        }
    }
}
