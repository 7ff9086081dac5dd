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
/// <remarks>Mixed precision: pairs in single; forces of liquid water differ by 5e-7 of their root mean square, energies by 3e-7 (test <c>WaterTests.MixedPrecision</c>).</remarks>
public static class CoulombReal
{
    /// <summary>Coulomb alone.</summary>
    /// <param name="types">Kinds of atoms.</param>
    /// <param name="split">α, r_c and the Coulomb constant.</param>
    /// <param name="precision">See the remarks.</param>
    public static Interaction Create(int types, EwaldSplit split, Precision precision = Precision.Double) =>
        Create(types, split, (_, _) => new LennardJonesPair(0, 1, split.Cutoff), "Ewald real-space sum (Ann. Phys. 369, 253)", plain: true, precision);

    /// <summary>Coulomb and Lennard-Jones.</summary>
    /// <param name="types">Kinds of atoms.</param>
    /// <param name="split">α, r_c and the Coulomb constant.</param>
    /// <param name="pairs">Lennard-Jones parameters of types (i, j), asked for i ≤ j; their cutoff must be that of <paramref name="split"/>.</param>
    /// <param name="precision">See the remarks.</param>
    /// <exception cref="InputException">Bad parameters or another cutoff.</exception>
    public static Interaction Create(int types, EwaldSplit split, Func<int, int, LennardJonesPair> pairs, Precision precision = Precision.Double) =>
        Create(types, split, pairs, "Lennard-Jones (Proc. R. Soc. Lond. A 106, 463) with Ewald real-space sum (Ann. Phys. 369, 253)", plain: false, precision);

    private static Interaction Create(int types, EwaldSplit split, Func<int, int, LennardJonesPair> pairs, string description, bool plain, Precision precision)
    {
        // Single precision has no use for terms below its rounding.
        double[] series = split.ErfSeries(precision == Precision.Mixed ? Math.Max(1e-7, 1e-2 * split.Accuracy) : 1e-2 * split.Accuracy);
        int terms = TermCounts.First(n => n >= Math.Min(series.Length, TermCounts[^1])), numbers = First + 2 * terms;
        var rows = new double[types * types * numbers];
        for (int i = 0; i < types; i++)
            for (int j = i; j < types; j++)
            {
                var (epsilon, sigma, cutoff) = pairs(i, j);
                if (!(sigma > 0) || !double.IsFinite(epsilon + sigma))
                    throw PairRows.Bad("Lennard-Jones", i, j, $"epsilon {epsilon}, sigma {sigma}; sigma must be positive");
                if (cutoff != split.Cutoff)
                    throw PairRows.Bad("Lennard-Jones", i, j, $"cutoff {cutoff} Å, Coulomb {split.Cutoff} Å; in one pass both must be the same, otherwise use two interactions");
                double s6 = Math.Pow(sigma, 6);
                double[] row = [cutoff * cutoff, 4 * epsilon * s6 * s6, 4 * epsilon * s6, split.Constant, split.Alpha, 0, 2 / (cutoff * cutoff), .. Coefficients(split, series, terms)];
                row.CopyTo(rows, (i * types + j) * numbers);
                row.CopyTo(rows, (j * types + i) * numbers);
            }
        for (int i = 0; i < types; i++)
        {
            bool any = Enumerable.Range(0, types).Any(j => rows[(i * types + j) * numbers + 1] != 0 || rows[(i * types + j) * numbers + 2] != 0);
            for (int j = 0; j < types; j++) rows[(i * types + j) * numbers + 5] = any ? 1 : 0;
        }
        return (terms, plain) switch
        {
            (12, true) => Make<Terms12, No>(description, types, rows, precision),
            (12, false) => Make<Terms12, Yes>(description, types, rows, precision),
            (16, true) => Make<Terms16, No>(description, types, rows, precision),
            (16, false) => Make<Terms16, Yes>(description, types, rows, precision),
            (20, true) => Make<Terms20, No>(description, types, rows, precision),
            (20, false) => Make<Terms20, Yes>(description, types, rows, precision),
            (32, true) => Make<Terms32, No>(description, types, rows, precision),
            (32, false) => Make<Terms32, Yes>(description, types, rows, precision),
            (_, true) => Make<Terms64, No>(description, types, rows, precision),
            (_, false) => Make<Terms64, Yes>(description, types, rows, precision),
        };
    }

    private static Interaction Make<TTerms, TLennardJones>(string description, int types, double[] rows, Precision precision)
        where TTerms : struct, ITerms where TLennardJones : struct, IFlag => precision == Precision.Mixed
        ? new MixedPairPotential<Form<TTerms, TLennardJones>, SingleForm<TTerms, TLennardJones>>(description + ", mixed precision", types, rows)
        : new PairPotential<Form<TTerms, TLennardJones>>(description, types, rows);

    private static readonly int[] TermCounts = [12, 16, 20, 32, 64];

    // A row: r_c², A, B, C, α, whether type i has Lennard-Jones at all, 2/r_c², then (energy, force) coefficients of u⁰, u¹, …, u = 2r²/r_c² − 1.
    private const int First = 7;

    private static double[] Coefficients(EwaldSplit split, double[] series, int terms)
    {
        double scale = 2 / (split.Cutoff * split.Cutoff);
        var coefficients = new double[2 * terms];
        for (int k = 0; k < Math.Min(series.Length, terms); k++)
        {
            coefficients[2 * k] = -split.Constant * split.Alpha * series[k];
            // −φ′/r = −2 dφ/d(r²) = −2 (2/r_c²) dφ/du
            if (k > 0) coefficients[2 * k - 1] = 2 * scale * k * split.Constant * split.Alpha * series[k];
        }
        return coefficients;
    }

    /// <summary>For few types a constant, which then is part of the addresses of coefficients.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stride<TTypes>(int stride) where TTypes : struct, ITypeCount => typeof(TTypes) == typeof(ManyTypes) ? stride : 8;

    private interface ITerms { static abstract int Count { get; } }
    private readonly struct Terms12 : ITerms { public static int Count => 12; }
    private readonly struct Terms16 : ITerms { public static int Count => 16; }
    private readonly struct Terms20 : ITerms { public static int Count => 20; }
    private readonly struct Terms32 : ITerms { public static int Count => 32; }
    private readonly struct Terms64 : ITerms { public static int Count => 64; }

    private interface IFlag { static abstract bool Value { get; } }
    private readonly struct Yes : IFlag { public static bool Value => true; }
    private readonly struct No : IFlag { public static bool Value => false; }

    private readonly unsafe struct Form<TTerms, TLennardJones>(double* table, int stride, Lanes a, Lanes b) : IPairForm<Form<TTerms, TLennardJones>>
        where TTerms : struct, ITerms where TLennardJones : struct, IFlag
    {
        private readonly double* _table = table;
        private readonly nint _stride = stride;
        private readonly Lanes _a = a, _b = b;

        public static int Parameters => First + 2 * TTerms.Count;
        public static bool UsesCharges => true;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double r = Math.Sqrt(r2), i2 = 1 / r2, i6 = i2 * i2 * i2, x = p[4] * r;
            double coulomb = p[3] * qq * Special.Erfc(x) / r;
            energy = coulomb + (p[1] * i6 - p[2]) * i6;
            return (coulomb + p[3] * qq * 2 / Math.Sqrt(Math.PI) * p[4] * Math.Exp(-x * x) + (12 * p[1] * i6 - 6 * p[2]) * i6) * i2;
        }

        // Rows of atoms without Lennard-Jones to any other (hydrogen of water) save its arithmetic; the branch goes the same way all along a row.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Form<TTerms, TLennardJones> Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount =>
            TLennardJones.Value && p.Table[5 * p.Stride] != 0 ? new(p.Table, Stride<TTypes>(p.Stride), p[1], p[2]) : new(p.Table, Stride<TTypes>(p.Stride), Lanes.Zero, Lanes.Zero);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            double* t = _table;
            Lanes i1 = ReciprocalSqrt(r2), i2 = i1 * i1, u = Lane.Fma(r2, Lane.Of(t[6 * _stride]), -Lanes.One), far = Lane.Of(t[3 * _stride]) * i1;
            Lanes e = Polynomial(t + First * _stride, _stride, u), f = Polynomial(t + (First + 1) * _stride, _stride, u);
            energy = qq * (far + e);
            var s = qq * Lane.Fma(far, i2, f);
            if (!TLennardJones.Value || t[5 * _stride] == 0) return s;
            Lanes i6 = i2 * i2 * i2, a = _a * i6;
            energy += (a - _b) * i6;
            return Lane.Fma(Lane.Fma(a, Lane.Of(12), -_b * Lane.Of(6)) * i6, i2, s);
        }

        /// <summary>Σ c[2k·stride] uᵏ, even and odd powers side by side. Written out, so that one of the two polynomials costs nothing where its sum is not used.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Lanes Polynomial(double* c, nint n, Lanes u)
        {
            Lanes v = u * u, even = Lane.Of(c[(2 * TTerms.Count - 4) * n]), odd = Lane.Of(c[(2 * TTerms.Count - 2) * n]);
            for (int k = TTerms.Count - 4; TTerms.Count > 20 && k >= 18; k -= 2) Step(ref even, ref odd, v, c, n, k);
            if (TTerms.Count > 16)
            {
                Step(ref even, ref odd, v, c, n, 16);
                Step(ref even, ref odd, v, c, n, 14);
            }
            if (TTerms.Count > 12)
            {
                Step(ref even, ref odd, v, c, n, 12);
                Step(ref even, ref odd, v, c, n, 10);
            }
            Step(ref even, ref odd, v, c, n, 8);
            Step(ref even, ref odd, v, c, n, 6);
            Step(ref even, ref odd, v, c, n, 4);
            Step(ref even, ref odd, v, c, n, 2);
            Step(ref even, ref odd, v, c, n, 0);
            return Lane.Fma(odd, u, even);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Step(ref Lanes even, ref Lanes odd, Lanes v, double* c, nint n, int k)
        {
            even = Lane.Fma(even, v, Lane.Of(c[2 * k * n]));
            odd = Lane.Fma(odd, v, Lane.Of(c[(2 * k + 2) * n]));
        }
    }

    private readonly unsafe struct SingleForm<TTerms, TLennardJones>(float* table, int stride, Vector512<float> a, Vector512<float> b) : ISinglePairForm<SingleForm<TTerms, TLennardJones>>
        where TTerms : struct, ITerms where TLennardJones : struct, IFlag
    {
        private readonly float* _table = table;
        private readonly nint _stride = stride;
        private readonly Vector512<float> _a = a, _b = b;

        public static bool UsesCharges => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static SingleForm<TTerms, TLennardJones> Load<TTypes>(in SinglePairRow<TTypes> p) where TTypes : struct, ITypeCount =>
            TLennardJones.Value && p.Table[5 * Stride<TTypes>(p.Stride)] != 0 ? new(p.Table, Stride<TTypes>(p.Stride), p[1], p[2])
            : new(p.Table, Stride<TTypes>(p.Stride), Vector512<float>.Zero, Vector512<float>.Zero);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Evaluate(Vector512<float> r2, Vector512<float> qq, out Vector512<float> energy)
        {
            float* t = _table;
            Vector512<float> i1 = ReciprocalSqrt(r2), i2 = i1 * i1, far = Vector512.Create(t[3 * _stride]) * i1;
            var u = Vector512.FusedMultiplyAdd(r2, Vector512.Create(t[6 * _stride]), Vector512.Create(-1f));
            Vector512<float> e = Polynomial(t + First * _stride, _stride, u), f = Polynomial(t + (First + 1) * _stride, _stride, u);
            energy = qq * (far + e);
            var s = qq * Vector512.FusedMultiplyAdd(far, i2, f);
            if (!TLennardJones.Value || t[5 * _stride] == 0) return s;
            Vector512<float> i6 = i2 * i2 * i2, a = _a * i6;
            energy += (a - _b) * i6;
            return Vector512.FusedMultiplyAdd(Vector512.FusedMultiplyAdd(a, Vector512.Create(12f), _b * Vector512.Create(-6f)) * i6, i2, s);
        }

        /// <summary>As in double.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Vector512<float> Polynomial(float* c, nint n, Vector512<float> u)
        {
            Vector512<float> v = u * u, even = Vector512.Create(c[(2 * TTerms.Count - 4) * n]), odd = Vector512.Create(c[(2 * TTerms.Count - 2) * n]);
            for (int k = TTerms.Count - 4; TTerms.Count > 16 && k >= 14; k -= 2) Step(ref even, ref odd, v, c, n, k);
            if (TTerms.Count > 12)
            {
                Step(ref even, ref odd, v, c, n, 12);
                Step(ref even, ref odd, v, c, n, 10);
            }
            Step(ref even, ref odd, v, c, n, 8);
            Step(ref even, ref odd, v, c, n, 6);
            Step(ref even, ref odd, v, c, n, 4);
            Step(ref even, ref odd, v, c, n, 2);
            Step(ref even, ref odd, v, c, n, 0);
            return Vector512.FusedMultiplyAdd(odd, u, even);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Step(ref Vector512<float> even, ref Vector512<float> odd, Vector512<float> v, float* c, nint n, int k)
        {
            even = Vector512.FusedMultiplyAdd(even, v, Vector512.Create(c[2 * k * n]));
            odd = Vector512.FusedMultiplyAdd(odd, v, Vector512.Create(c[(2 * k + 2) * n]));
        }
    }

    /// <summary>1/√x in single precision: an estimate of 14 bits and one Newton step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ReciprocalSqrt(Vector512<float> x)
    {
        if (!Avx512F.IsSupported) return Vector512<float>.One / Vector512.Sqrt(x);
        var y = Avx512F.ReciprocalSqrt14(x);
        return y * Vector512.FusedMultiplyAdd(x * Vector512.Create(-0.5f) * y, y, Vector512.Create(1.5f));
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
