using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>Parameters of one pair of types.</summary>
/// <param name="Depth">D, eV.</param>
/// <param name="Alpha">α, 1/Å.</param>
/// <param name="R0">r₀, Å.</param>
/// <param name="Cutoff">r_c, Å; 0 switches the pair off.</param>
public readonly record struct MorsePair(double Depth, double Alpha, double R0, double Cutoff);

/// <summary>
/// Morse potential (P. M. Morse, Phys. Rev. 34, 57, 1929), for r &lt; r_c:
/// <code>
/// φ = D (e² − 2e) + a + b r,   e = exp(−α (r − r₀))
/// F = −dφ/dr · r̂ = [2 α D (e² − e) − b] r̂
/// </code>
/// a, b by <see cref="Truncation"/>.
/// </summary>
public static class Morse
{
    /// <summary>The potential for T types.</summary>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="pairs">Parameters of types (i, j), asked for i ≤ j.</param>
    /// <param name="truncation">What happens at the cutoff.</param>
    /// <exception cref="InputException">Parameters that are not finite, a negative cutoff, α not positive.</exception>
    public static Interaction Create(int types, Func<int, int, MorsePair> pairs, Truncation truncation = Truncation.Cut)
    {
        double[] Row(int i, int j)
        {
            var (depth, alpha, r0, cutoff) = pairs(i, j);
            if (!(alpha > 0) || !(cutoff >= 0) || !double.IsFinite(depth + alpha + r0 + cutoff))
                throw PairRows.Bad("Morse", i, j, $"depth {depth}, alpha {alpha}, r0 {r0}, cutoff {cutoff}; alpha must be positive, the cutoff not negative");
            double e = Math.Exp(-alpha * (cutoff - r0));
            var (a, b) = PairRows.Shift(truncation, cutoff, depth * (e * e - 2 * e), -2 * alpha * depth * (e * e - e));
            return [cutoff * cutoff, depth, alpha, r0, a, b];
        }
        return new PairPotential<Form>("Morse (Phys. Rev. 34, 57)", types, PairRows.Of(types, Form.Parameters, Row));
    }

    private readonly struct Form(Lanes depth, Lanes alpha, Lanes r0, Lanes a, Lanes b) : IPairForm<Form>
    {
        public static int Parameters => 6;
        public static bool UsesCharges => false;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double r = Math.Sqrt(r2), e = Math.Exp(-p[2] * (r - p[3]));
            energy = p[1] * (e * e - 2 * e) + p[4] + p[5] * r;
            return (2 * p[2] * p[1] * (e * e - e) - p[5]) / r;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Form Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount => new(p[1], p[2], p[3], p[4], p[5]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            Lanes r = Vector512.Sqrt(r2), e = Vector512.Exp(alpha * (r0 - r)), de = depth * e;
            energy = Lane.Fma(de, e - Lane.Of(2), Lane.Fma(b, r, a));
            return (Lane.Of(2) * alpha * de * (e - Lanes.One) - b) / r;
        }
    }
}
