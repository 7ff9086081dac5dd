using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

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
    /// <param name="precision">Arithmetic. Mixed: forces of a melt are wrong by 6e-7 of their root mean square, the worst by 7e-7 of the largest; they sum up to zero to 1e-7, which the virial feels times
    /// the distance from the origin.</param>
    /// <exception cref="InputException">Negative or infinite parameters.</exception>
    public static Interaction Create(int types, Func<int, int, LennardJonesPair> pairs, Truncation truncation = Truncation.Cut, Precision precision = Precision.Double)
    {
        return Create(types, (i, j) =>
        {
            var (epsilon, sigma, cutoff) = pairs(i, j);
            if (!(sigma > 0) || !(cutoff >= 0) || !double.IsFinite(epsilon + sigma + cutoff))
                throw PairRows.Bad("Lennard-Jones", i, j, $"epsilon {epsilon}, sigma {sigma}, cutoff {cutoff}; sigma must be positive, the cutoff not negative");
            double s6 = Math.Pow(sigma, 6);
            return (4 * epsilon * s6 * s6, 4 * epsilon * s6, cutoff);
        }, truncation, precision);
    }

    /// <summary>The potential as φ₀ = A/r¹² − B/r⁶, as molecular force fields have it; B may be 0.</summary>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="pairs">A, eV Å¹², B, eV Å⁶, and the cutoff, Å (0 switches the pair off), of types (i, j), asked for i ≤ j.</param>
    /// <param name="truncation">What happens at the cutoff.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <exception cref="InputException">Infinite parameters, a negative cutoff.</exception>
    public static Interaction Create(int types, Func<int, int, (double A, double B, double Cutoff)> pairs, Truncation truncation = Truncation.Cut, Precision precision = Precision.Double)
    {
        double[] Row(int i, int j)
        {
            var (c12, c6, cutoff) = pairs(i, j);
            if (!(cutoff >= 0) || !double.IsFinite(c12 + c6 + cutoff))
                throw PairRows.Bad("Lennard-Jones", i, j, $"A {c12}, B {c6}, cutoff {cutoff}; all must be finite, the cutoff not negative");
            double i6 = Math.Pow(cutoff, -6);
            var (a, b) = PairRows.Shift(truncation, cutoff, (c12 * i6 - c6) * i6, -(12 * c12 * i6 - 6 * c6) * i6 / cutoff);
            return [cutoff * cutoff, c12, c6, a, b];
        }
        const string description = "Lennard-Jones (Proc. R. Soc. Lond. A 106, 463)";
        double[] rows = PairRows.Of(types, Form.Parameters, Row);
        return (truncation, precision) switch
        {
            (Truncation.ForceShifted, Precision.Mixed) => new MixedPairPotential<ForceShiftedForm, SingleForceShiftedForm>(description + ", mixed precision", types, rows),
            (Truncation.ForceShifted, _) => new PairPotential<ForceShiftedForm>(description, types, rows),
            (_, Precision.Mixed) => new MixedPairPotential<Form, SingleForm>(description + ", mixed precision", types, rows),
            _ => new PairPotential<Form>(description, types, rows),
        };
    }

    /// <summary>Lorentz–Berthelot mixing: σ arithmetic, ε geometric mean.</summary>
    public static LennardJonesPair Mix(LennardJonesPair a, LennardJonesPair b) =>
        new(Math.Sqrt(a.Epsilon * b.Epsilon), 0.5 * (a.Sigma + b.Sigma), Math.Max(a.Cutoff, b.Cutoff));

    private readonly struct Form(Lanes force12, Lanes force6, Lanes energy12, Lanes energy6, Lanes shift) : IPairForm<Form>
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
        public static Form Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount =>
            new(p[1] * Lane.Of(12), p[2] * Lane.Of(-6), p[1], -p[2], p[3]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            Lanes i2 = Lanes.One / r2, i6 = i2 * i2 * i2;
            energy = Lane.Fma(Lane.Fma(energy12, i6, energy6), i6, shift);
            return Lane.Fma(force12, i6, force6) * (i6 * i2);
        }
    }

    private readonly struct ForceShiftedForm(Lanes c12, Lanes c6, Lanes a, Lanes b) : IPairForm<ForceShiftedForm>
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
        public static ForceShiftedForm Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount => new(p[1], p[2], p[3], p[4]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            Lanes i2 = Lanes.One / r2, i6 = i2 * i2 * i2, r = Vector512.Sqrt(r2);
            energy = Lane.Fma(Lane.Fma(c12, i6, -c6), i6, Lane.Fma(b, r, a));
            return Lane.Fma(Lane.Of(12) * c12, i6, Lane.Of(-6) * c6) * (i6 * i2) - b * r * i2;
        }
    }

    private readonly struct SingleForm(Vector512<float> force12, Vector512<float> force6, Vector512<float> energy12, Vector512<float> energy6, Vector512<float> shift) : ISinglePairForm<SingleForm>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static SingleForm Load<TTypes>(in SinglePairRow<TTypes> p) where TTypes : struct, ITypeCount =>
            new(Vector512.Create(12f) * p[1], Vector512.Create(-6f) * p[2], p[1], -p[2], p[3]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Evaluate(Vector512<float> r2, Vector512<float> qq, out Vector512<float> energy)
        {
            Vector512<float> i2 = Singles.Reciprocal(r2), i6 = i2 * i2 * i2;
            energy = Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(energy12, i6, energy6), i6, shift);
            return Vector512.FusedMultiplyAdd(force12, i6, force6) * (i6 * i2);
        }
    }

    private readonly struct SingleForceShiftedForm(Vector512<float> c12, Vector512<float> c6, Vector512<float> a, Vector512<float> b) : ISinglePairForm<SingleForceShiftedForm>
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static SingleForceShiftedForm Load<TTypes>(in SinglePairRow<TTypes> p) where TTypes : struct, ITypeCount => new(p[1], -p[2], p[3], p[4]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Evaluate(Vector512<float> r2, Vector512<float> qq, out Vector512<float> energy)
        {
            Vector512<float> i2 = Singles.Reciprocal(r2), i6 = i2 * i2 * i2, r = Vector512.Sqrt(r2);
            energy = Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(c12, i6, c6), i6, Vector512.FusedMultiplyAdd(b, r, a));
            return Vector512.FusedMultiplyAdd(Vector512.Create(12f) * c12, i6, Vector512.Create(6f) * c6) * (i6 * i2) - b * r * i2;
        }
    }
}
