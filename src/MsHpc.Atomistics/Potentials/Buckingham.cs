using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>Parameters of one pair of types.</summary>
/// <param name="A">A, eV.</param>
/// <param name="Rho">ρ, Å.</param>
/// <param name="C">C, eV Å⁶.</param>
/// <param name="Cutoff">r_c, Å; 0 switches the pair off.</param>
public readonly record struct BuckinghamPair(double A, double Rho, double C, double Cutoff);

/// <summary>
/// Buckingham's exp-6 potential (R. A. Buckingham, Proc. R. Soc. Lond. A 168, 264, 1938), for r &lt; r_c:
/// <code>
/// φ = A exp(−r/ρ) − C/r⁶ + a + b r
/// F = −dφ/dr · r̂ = [A/ρ exp(−r/ρ) − 6C/r⁷ − b] r̂
/// </code>
/// a, b by <see cref="Truncation"/>. With C &gt; 0 the energy falls to −∞ at r → 0: atoms driven together by heat or opposite charges collapse.
/// </summary>
public static class Buckingham
{
    /// <summary>The potential for T types.</summary>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="pairs">Parameters of types (i, j), asked for i ≤ j.</param>
    /// <param name="truncation">What happens at the cutoff.</param>
    /// <exception cref="InputException">Parameters that are not finite, a negative cutoff, ρ not positive.</exception>
    public static Interaction Create(int types, Func<int, int, BuckinghamPair> pairs, Truncation truncation = Truncation.Cut)
    {
        double[] Row(int i, int j)
        {
            var (strength, rho, c, cutoff) = pairs(i, j);
            if (!(rho > 0) || !(cutoff >= 0) || !double.IsFinite(strength + rho + c + cutoff))
                throw PairRows.Bad("Buckingham", i, j, $"A {strength}, rho {rho}, C {c}, cutoff {cutoff}; rho must be positive, the cutoff not negative");
            double e = strength * Math.Exp(-cutoff / rho), six = c * Math.Pow(cutoff, -6);
            var (a, b) = PairRows.Shift(truncation, cutoff, e - six, -e / rho + 6 * six / cutoff);
            return [cutoff * cutoff, strength, 1 / rho, c, a, b];
        }
        return new PairPotential<Form>("Buckingham (Proc. R. Soc. Lond. A 168, 264)", types, PairRows.Of(types, Form.Parameters, Row));
    }

    private readonly struct Form(Lanes strength, Lanes inverseRho, Lanes c, Lanes a, Lanes b) : IPairForm<Form>
    {
        public static int Parameters => 6;
        public static bool UsesCharges => false;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double r = Math.Sqrt(r2), e = p[1] * Math.Exp(-r * p[2]), six = p[3] / (r2 * r2 * r2);
            energy = e - six + p[4] + p[5] * r;
            return (e * p[2] - p[5]) / r - 6 * six / r2;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Form Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount => new(p[1], p[2], p[3], p[4], p[5]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            Lanes i2 = Lanes.One / r2, r = Vector512.Sqrt(r2), e = strength * Vector512.Exp(-r * inverseRho), six = c * (i2 * i2 * i2);
            energy = e - six + Lane.Fma(b, r, a);
            return (Lane.Fma(e, inverseRho, -b) * r - Lane.Of(6) * six) * i2;
        }
    }
}
