using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Non-bonded interactions of bonded neighbours, the pairs of <see cref="Topology.Scaled"/> (1–4 pairs of Amber, OPLS, CHARMM). Lists leave
/// these pairs out, so their scaled interaction is here in full and without cutoff:
/// <code>
/// E = s_C k_e qᵢ qⱼ/r + s_LJ (A/r¹² − B/r⁶)
/// Fᵢ = [s_C k_e qᵢ qⱼ/r³ + s_LJ (12 A/r¹⁴ − 6 B/r⁸)] (rᵢ − rⱼ)
/// </code>
/// Pairs whose factors are both 0 (1–2, 1–3) cost nothing. With an Ewald sum the same pairs' reciprocal part, −qᵢ qⱼ erf(α r)/r, is subtracted there.
/// </summary>
public static class ScaledPairs
{
    /// <summary>The scaled pairs of some atoms.</summary>
    /// <param name="atoms">Atoms with a topology; types and charges are read now.</param>
    /// <param name="lennardJones">A, eV Å¹², and B, eV Å⁶, of two types.</param>
    /// <param name="coulombConstant">k_e, eV Å/e²; 0 leaves Coulomb out.</param>
    /// <param name="reach">How long a pair may become, Å.</param>
    /// <exception cref="InputException">Factors or coefficients that are not finite.</exception>
    public static Interaction Create(Atoms atoms, Func<int, int, (double A, double B)> lennardJones, double coulombConstant, double reach)
    {
        List<int> pairs = [], types = [];
        List<double> rows = [];
        foreach (var (i, j, coulomb, lj) in atoms.Topology?.Scaled ?? [])
        {
            if (coulomb == 0 && lj == 0) continue;
            var (a, b) = lennardJones(Math.Min(atoms.Types[i], atoms.Types[j]), Math.Max(atoms.Types[i], atoms.Types[j]));
            pairs.AddRange([i, j]);
            types.Add(types.Count);
            rows.AddRange([coulomb * coulombConstant * atoms.Charges[i] * atoms.Charges[j], lj * a, lj * b]);
        }
        double[] numbers = [.. rows];
        Terms.Check("scaled pair", numbers, 3, types);
        return new Law([.. pairs], [.. types], numbers, 3, reach);
    }

    private sealed class Law(int[] atoms, int[] types, double[] rows, int parameters, double reach) : BondedTerms<Form>(atoms, types, rows, parameters, reach)
    {
        public override string Description => "scaled 1-4 pairs";
        protected override string Noun => "the scaled pair";
    }

    private readonly struct Form : IBondedForm
    {
        public static int Atoms => 2;

        public static double Evaluate(ReadOnlySpan<double> r, ReadOnlySpan<double> p, Span<double> f)
        {
            double dx = r[0] - r[3], dy = r[1] - r[4], dz = r[2] - r[5], i2 = 1 / (dx * dx + dy * dy + dz * dz), i6 = i2 * i2 * i2, c = p[0] * Math.Sqrt(i2);
            double s = (c + (12 * p[1] * i6 - 6 * p[2]) * i6) * i2;
            (f[0], f[1], f[2]) = (s * dx, s * dy, s * dz);
            (f[3], f[4], f[5]) = (-f[0], -f[1], -f[2]);
            return c + (p[1] * i6 - p[2]) * i6;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f)
        {
            Lanes dx = r[0] - r[3], dy = r[1] - r[4], dz = r[2] - r[5], i2 = Lanes.One / Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)), i6 = i2 * i2 * i2, c = p[0] * Vector512.Sqrt(i2);
            Lanes a = p[1] * i6, b = p[2], s = Lane.Fma(a * Lane.Of(12) - b * Lane.Of(6), i6, c) * i2;
            (f[0], f[1], f[2]) = (s * dx, s * dy, s * dz);
            (f[3], f[4], f[5]) = (-f[0], -f[1], -f[2]);
            return Lane.Fma(a - b, i6, c);
        }
    }
}
