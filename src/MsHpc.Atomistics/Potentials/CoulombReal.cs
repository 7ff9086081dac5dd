using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The short-ranged part of an Ewald sum (<see cref="EwaldSplit"/>), alone or together with Lennard-Jones in one pass over the pairs; C = e²/4πε₀, r &lt; r_c:
/// <code>
/// φ = C qᵢ qⱼ erfc(α r)/r + 4ε (s¹² − s⁶),   s = σ/r
/// F = −dφ/dr · r̂ = { C qᵢ qⱼ [erfc(α r)/r² + 2α/√π exp(−α² r²)/r] + 24ε (2 s¹² − s⁶)/r } r̂
/// </code>
/// Both are cut, not shifted. The wide kernel takes erfc(α r)/r = 1/r − α g(α² r²) with g(t) = erf(√t)/√t as a polynomial in t and the force from its exact
/// derivative, so that forces remain the gradient of the energy whatever the polynomial's error (below 1e-2 of the requested accuracy, in units of C q²α).
/// </summary>
public static class CoulombReal
{
    /// <summary>Coulomb alone.</summary>
    /// <param name="types">Kinds of atoms.</param>
    /// <param name="split">α, r_c and the Coulomb constant.</param>
    public static Interaction Create(int types, EwaldSplit split) => Create(types, split, (_, _) => new LennardJonesPair(0, 1, split.Cutoff), "Ewald real-space sum (Ann. Phys. 369, 253)", plain: true);

    /// <summary>Coulomb and Lennard-Jones.</summary>
    /// <param name="types">Kinds of atoms.</param>
    /// <param name="split">α, r_c and the Coulomb constant.</param>
    /// <param name="pairs">Lennard-Jones parameters of types (i, j), asked for i ≤ j; their cutoff must be that of <paramref name="split"/>.</param>
    /// <exception cref="InputException">Bad parameters or another cutoff.</exception>
    public static Interaction Create(int types, EwaldSplit split, Func<int, int, LennardJonesPair> pairs) =>
        Create(types, split, pairs, "Lennard-Jones (Proc. R. Soc. Lond. A 106, 463) with Ewald real-space sum (Ann. Phys. 369, 253)", plain: false);

    private static Interaction Create(int types, EwaldSplit split, Func<int, int, LennardJonesPair> pairs, string description, bool plain)
    {
        const int Numbers = 6;
        var rows = new double[types * types * Numbers];
        for (int i = 0; i < types; i++)
            for (int j = i; j < types; j++)
            {
                var (epsilon, sigma, cutoff) = pairs(i, j);
                if (!(sigma > 0) || !double.IsFinite(epsilon + sigma))
                    throw new InputException($"Lennard-Jones between types {i + 1} and {j + 1}: epsilon {epsilon}, sigma {sigma}; sigma must be positive");
                if (cutoff != split.Cutoff)
                    throw new InputException($"Lennard-Jones between types {i + 1} and {j + 1}: cutoff {cutoff} Å, Coulomb {split.Cutoff} Å; in one pass both must be the same, otherwise use two interactions");
                double s6 = Math.Pow(sigma, 6);
                double[] row = [cutoff * cutoff, 4 * epsilon * s6 * s6, 4 * epsilon * s6, split.Constant, split.Alpha, 0];
                row.CopyTo(rows, (i * types + j) * Numbers);
                row.CopyTo(rows, (j * types + i) * Numbers);
            }
        for (int i = 0; i < types; i++)
        {
            bool any = Enumerable.Range(0, types).Any(j => rows[(i * types + j) * Numbers + 1] != 0 || rows[(i * types + j) * Numbers + 2] != 0);
            for (int j = 0; j < types; j++) rows[(i * types + j) * Numbers + 5] = any ? 1 : 0;
        }
        double[] series = split.ErfSeries(1e-2 * split.Accuracy);
        return (series.Length, plain) switch
        {
            (<= 12, true) => new Potential<Form<Terms12, No>>(types, rows, Constants(split, series, 12), description),
            (<= 12, false) => new Potential<Form<Terms12, Yes>>(types, rows, Constants(split, series, 12), description),
            (<= 16, true) => new Potential<Form<Terms16, No>>(types, rows, Constants(split, series, 16), description),
            (<= 16, false) => new Potential<Form<Terms16, Yes>>(types, rows, Constants(split, series, 16), description),
            (<= 20, true) => new Potential<Form<Terms20, No>>(types, rows, Constants(split, series, 20), description),
            (<= 20, false) => new Potential<Form<Terms20, Yes>>(types, rows, Constants(split, series, 20), description),
            (<= 32, true) => new Potential<Form<Terms32, No>>(types, rows, Constants(split, series, 32), description),
            (<= 32, false) => new Potential<Form<Terms32, Yes>>(types, rows, Constants(split, series, 32), description),
            (_, true) => new Potential<Form<Terms64, No>>(types, rows, Constants(split, series, 64), description),
            (_, false) => new Potential<Form<Terms64, Yes>>(types, rows, Constants(split, series, 64), description),
        };
    }

    /// <summary>2/r_c², C, then (energy, force) coefficients of u⁰, u¹, …</summary>
    private static double[] Constants(EwaldSplit split, double[] series, int terms)
    {
        double scale = 2 / (split.Cutoff * split.Cutoff);
        var constants = new double[2 + 2 * terms];
        (constants[0], constants[1]) = (scale, split.Constant);
        for (int k = 0; k < series.Length; k++)
        {
            constants[2 + 2 * k] = -split.Constant * split.Alpha * series[k];
            // −φ′/r = −2 dφ/d(r²) = −2 (2/r_c²) dφ/du
            if (k > 0) constants[1 + 2 * k] = 2 * scale * k * split.Constant * split.Alpha * series[k];
        }
        return constants;
    }

    private sealed class Potential<T>(int types, double[] rows, double[] constants, string description) : PairPotential<T>(types, rows, constants) where T : struct, IPairForm
    {
        public override string Description => description;
    }

    private interface ITerms { static abstract int Count { get; } }
    private readonly struct Terms12 : ITerms { public static int Count => 12; }
    private readonly struct Terms16 : ITerms { public static int Count => 16; }
    private readonly struct Terms20 : ITerms { public static int Count => 20; }
    private readonly struct Terms32 : ITerms { public static int Count => 32; }
    private readonly struct Terms64 : ITerms { public static int Count => 64; }

    private interface IFlag { static abstract bool Value { get; } }
    private readonly struct Yes : IFlag { public static bool Value => true; }
    private readonly struct No : IFlag { public static bool Value => false; }

    private readonly struct Form<TTerms, TLennardJones> : IPairForm where TTerms : struct, ITerms where TLennardJones : struct, IFlag
    {
        public static int Parameters => 6;
        public static bool UsesCharges => true;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double r = Math.Sqrt(r2), i2 = 1 / r2, i6 = i2 * i2 * i2, x = p[4] * r;
            double coulomb = p[3] * qq * Special.Erfc(x) / r;
            energy = coulomb + (p[1] * i6 - p[2]) * i6;
            return (coulomb + p[3] * qq * 2 / Math.Sqrt(Math.PI) * p[4] * Math.Exp(-x * x) + (12 * p[1] * i6 - 6 * p[2]) * i6) * i2;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static unsafe Lanes Evaluate<TTypes>(Lanes r2, in PairRow<TTypes> p, Lanes qq, out Lanes energy) where TTypes : struct, ITypeCount
        {
            double* c = p.Constants;
            Lanes i1 = ReciprocalSqrt(r2), i2 = i1 * i1, u = Lane.Fma(r2, Lane.Of(c[0]), -Lanes.One), far = Lane.Of(c[1]) * i1;
            Lanes e = Polynomial(c + 2, u), f = Polynomial(c + 3, u);
            energy = qq * (far + e);
            var s = qq * Lane.Fma(far, i2, f);
            // Rows of atoms without Lennard-Jones to any other (hydrogen of water) save its arithmetic; the branch goes the same way all along a row.
            if (!TLennardJones.Value || p.Table[5 * p.Stride] == 0) return s;
            Lanes i6 = i2 * i2 * i2, a = p[1] * i6, b = p[2];
            energy += (a - b) * i6;
            return Lane.Fma(Lane.Fma(a, Lane.Of(12), -b * Lane.Of(6)) * i6, i2, s);
        }

        /// <summary>Σ c[2k] uᵏ. Written out, so that one of the two polynomials costs nothing where its sum is not used.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static unsafe Lanes Polynomial(double* c, Lanes u)
        {
            var s = Lane.Of(c[2 * TTerms.Count - 2]);
            for (int k = TTerms.Count - 2; TTerms.Count > 20 && k >= 19; k--) s = Lane.Fma(s, u, Lane.Of(c[2 * k]));
            if (TTerms.Count > 16) s = Lane.Fma(Lane.Fma(Lane.Fma(Lane.Fma(s, u, Lane.Of(c[36])), u, Lane.Of(c[34])), u, Lane.Of(c[32])), u, Lane.Of(c[30]));
            if (TTerms.Count > 12) s = Lane.Fma(Lane.Fma(Lane.Fma(Lane.Fma(s, u, Lane.Of(c[28])), u, Lane.Of(c[26])), u, Lane.Of(c[24])), u, Lane.Of(c[22]));
            s = Lane.Fma(Lane.Fma(Lane.Fma(Lane.Fma(s, u, Lane.Of(c[20])), u, Lane.Of(c[18])), u, Lane.Of(c[16])), u, Lane.Of(c[14]));
            s = Lane.Fma(Lane.Fma(Lane.Fma(Lane.Fma(s, u, Lane.Of(c[12])), u, Lane.Of(c[10])), u, Lane.Of(c[8])), u, Lane.Of(c[6]));
            return Lane.Fma(Lane.Fma(Lane.Fma(s, u, Lane.Of(c[4])), u, Lane.Of(c[2])), u, Lane.Of(c[0]));
        }
    }

    /// <summary>1/√x to an ulp or two: an estimate of 14 bits and two Newton steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Lanes ReciprocalSqrt(Lanes x)
    {
        if (!Avx512F.IsSupported) return Lanes.One / Vector512.Sqrt(x);
        Lanes y = Avx512F.ReciprocalSqrt14(x), half = x * Lane.Of(-0.5);
        y *= Lane.Fma(half * y, y, Lane.Of(1.5));
        return y * Lane.Fma(half * y, y, Lane.Of(1.5));
    }
}
