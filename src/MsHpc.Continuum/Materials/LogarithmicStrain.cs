using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>A 6 × 6 matrix of vectors on the stack.</summary>
[InlineArray(36)]
internal struct LaneMatrix6
{
    private Lanes4 _first;
}

/// <summary>Six rows of nine vectors on the stack.</summary>
[InlineArray(54)]
internal struct LaneMatrix69
{
    private Lanes4 _first;
}

/// <summary>
/// Any law at small strain, taken to finite strain in the space of logarithmic strains: with J2 this is additive finite plasticity, with
/// isotropic elasticity Hencky's hyperelastic solid (W = λ/2 (tr E)² + μ E:E).
/// <code>
/// C = FᵀF = Σ λₐ Nₐ⊗Nₐ ,  E = ½ ln C ,  (T, 𝔻) = small-strain law (E, state)
/// S_ab = 2 f[λₐ,λ_b] T_ab ,  P = F S                                 (components in the eigenbasis, f = ½ ln)
/// ∂P_iJ/∂F_kL = δik S_JL + Σ Q_rs (∂C_r/∂F_iJ)(∂C_s/∂F_kL)
/// Q = l 𝔻 l + Σ_abc T_ab f[λₐ,λ_b,λ_c] (symmetric in ac, bc) ,       l_ab = f[λₐ,λ_b], twice for shears
/// </code>
/// f[·,·] and f[·,·,·] are divided differences, evaluated by artanh and Taylor series where eigenvalues (nearly) coincide, so that
/// stress and tangent are smooth there. Symmetric tangent. In the plane F33 = 1, so E33 = 0 and the law in plane strain applies.
/// State: that of the law. A lane with J ≤ 0 fails and is evaluated at F = 1. Source: Miehe, Apel and Lambrecht, Comput. Methods Appl. Mech.
/// Eng. 191, 5383 (2002), section 3; Hencky, J. Rheol. 2, 169 (1931).
/// </summary>
/// <typeparam name="TLaw">The law at small strain, in the plane or in space as <typeparamref name="TSolid"/> says.</typeparam>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
/// <param name="inner">The law at small strain.</param>
public struct LogarithmicStrain<TLaw, TSolid>(TLaw inner) : ILaw<LogarithmicStrain<TLaw, TSolid>>
    where TLaw : struct, ILaw<TLaw> where TSolid : struct, IFlag
{
    private const int MaxSweeps = 8;
    private TLaw _inner = inner;

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidFinite : StrainSpace.PlaneFinite;

    /// <inheritdoc/>
    public readonly int StateSize => _inner.StateSize;

    /// <inheritdoc/>
    public static bool HasSymmetricTangent => TLaw.HasSymmetricTangent;

    /// <inheritdoc/>
    public static string? Extra => TLaw.Extra;

    /// <inheritdoc/>
    public readonly Lanes4 GetExtra(ref readonly Lanes4 newState) => _inner.GetExtra(in newState);

    /// <inheritdoc/>
    public readonly LogarithmicStrain<TLaw, TSolid> ForStep(double timeStep)
    {
        var law = this;
        law._inner = _inner.ForStep(timeStep);
        return law;
    }

    private static int Dim => TSolid.Value ? 3 : 2;
    private static int Voigt => TSolid.Value ? 6 : 3;

    /// <summary>First and second index of the Voigt components.</summary>
    private static ReadOnlySpan<byte> First => TSolid.Value ? [0, 1, 2, 1, 0, 0] : [0, 1, 0];
    private static ReadOnlySpan<byte> Second => TSolid.Value ? [0, 1, 2, 2, 2, 1] : [0, 1, 1];

    /// <summary>Voigt component of a pair.</summary>
    private static ReadOnlySpan<byte> Pair => TSolid.Value ? [0, 5, 4, 5, 1, 3, 4, 3, 2] : [0, 2, 2, 1];

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        int d = Dim, n = d * d, v = Voigt;
        ReadOnlySpan<byte> first = First, second = Second, pair = Pair;
        Unsafe.SkipInit(out LaneTensor fBuffer);
        Unsafe.SkipInit(out LaneTensor axesBuffer);
        Unsafe.SkipInit(out LaneTensor valuesBuffer);
        Unsafe.SkipInit(out LaneTensor logBuffer);
        Unsafe.SkipInit(out LaneTensor stressBuffer);
        Unsafe.SkipInit(out LaneMatrix6 lawBuffer);
        Unsafe.SkipInit(out LaneMatrix6 bondBuffer);
        Unsafe.SkipInit(out LaneTensor turnedBuffer);
        Unsafe.SkipInit(out LaneTensor divided);
        Unsafe.SkipInit(out LaneTensor pushedBuffer);
        ref Lanes4 f = ref Unsafe.As<LaneTensor, Lanes4>(ref fBuffer), axes = ref Unsafe.As<LaneTensor, Lanes4>(ref axesBuffer);
        ref Lanes4 values = ref Unsafe.As<LaneTensor, Lanes4>(ref valuesBuffer), log = ref Unsafe.As<LaneTensor, Lanes4>(ref logBuffer);
        ref Lanes4 t = ref Unsafe.As<LaneTensor, Lanes4>(ref stressBuffer), law = ref Unsafe.As<LaneMatrix6, Lanes4>(ref lawBuffer);
        ref Lanes4 bond = ref Unsafe.As<LaneMatrix6, Lanes4>(ref bondBuffer), turned = ref Unsafe.As<LaneTensor, Lanes4>(ref turnedBuffer);
        ref Lanes4 difference = ref Unsafe.As<LaneTensor, Lanes4>(ref divided), pushed = ref Unsafe.As<LaneTensor, Lanes4>(ref pushedBuffer);

        var bad = FiniteStrain.Load<TSolid>(in strain, ref f, out _);
        Eigen(ref f, ref axes, ref values);
        // E in the frame of the job, engineering shears
        for (int r = 0; r < v; r++) Ref(ref log, r) = Lanes4.Zero;
        for (int a = 0; a < d; a++)
        {
            var e = LaneMath.Log(Ref(ref values, a * (d + 1))) * Lane4.Of(0.5);
            for (int r = 0; r < v; r++)
            {
                var term = e * Ref(ref axes, first[r] * d + a) * Ref(ref axes, second[r] * d + a);
                Ref(ref log, r) += r < d ? term : term + term;
            }
        }
        bad |= _inner.Evaluate<TTangent>(in log, in oldState, ref newState, ref t, ref law);

        // T in the eigenbasis by Bond's matrix, S there, P = Σ (F Nₐ) S_ab N_b
        for (int r = 0; r < v; r++)
        {
            int a = first[r], b = second[r];
            for (int s = 0; s < v; s++)
            {
                int i = first[s], j = second[s];
                var m = Ref(ref axes, i * d + a) * Ref(ref axes, j * d + b);
                if (i != j) m = Lane4.Fma(Ref(ref axes, j * d + a), Ref(ref axes, i * d + b), m);
                Ref(ref bond, r * v + s) = m;
            }
            Ref(ref turned, r) = Dot(ref Ref(ref bond, r * v), 1, ref t, 1);
            Ref(ref difference, r) = a == b ? Lane4.Of(0.5) / Ref(ref values, a * (d + 1))
                : LaneMath.FirstDifference(Ref(ref values, a * (d + 1)), Ref(ref values, b * (d + 1)));
        }
        Unsafe.SkipInit(out LaneTensor halfBuffer);
        ref Lanes4 half = ref Unsafe.As<LaneTensor, Lanes4>(ref halfBuffer); // (S N)_aJ = Σ_b S_ab N_b,J
        for (int a = 0; a < d; a++)
            for (int j = 0; j < d; j++)
            {
                Lanes4 push = Lanes4.Zero, sum = Lanes4.Zero;
                for (int b = 0; b < d; b++)
                {
                    int r = pair[a * d + b];
                    var s = Lane4.Of(2) * Ref(ref turned, r) * Ref(ref difference, r);
                    sum = Lane4.Fma(s, Ref(ref axes, j * d + b), sum);
                    push = Lane4.Fma(Ref(ref f, j * d + b), Ref(ref axes, b * d + a), push);
                }
                Ref(ref half, a * d + j) = sum;
                Ref(ref pushed, a * d + j) = push; // (F Nₐ)_j
            }
        for (int i = 0; i < d; i++)
            for (int j = 0; j < d; j++)
            {
                var sum = Lanes4.Zero;
                for (int a = 0; a < d; a++) sum = Lane4.Fma(Ref(ref pushed, a * d + i), Ref(ref half, a * d + j), sum);
                Ref(ref stress, i * d + j) = sum;
            }
        if (TTangent.Value) Tangent(ref axes, ref values, ref law, ref bond, ref turned, ref difference, ref pushed, ref half, ref tangent);
        return bad;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tangent(ref Lanes4 axes, ref Lanes4 values, ref Lanes4 law, ref Lanes4 bond, ref Lanes4 turned, ref Lanes4 difference,
        ref Lanes4 pushed, ref Lanes4 half, ref Lanes4 tangent)
    {
        int d = Dim, n = d * d, v = Voigt;
        ReadOnlySpan<byte> first = First, second = Second, pair = Pair;
        Unsafe.SkipInit(out LaneMatrix6 workBuffer);
        Unsafe.SkipInit(out LaneMatrix6 quadraticBuffer);
        Unsafe.SkipInit(out LaneMatrix69 stretchBuffer);
        Unsafe.SkipInit(out LaneMatrix69 appliedBuffer);
        ref Lanes4 work = ref Unsafe.As<LaneMatrix6, Lanes4>(ref workBuffer), q = ref Unsafe.As<LaneMatrix6, Lanes4>(ref quadraticBuffer);
        ref Lanes4 stretch = ref Unsafe.As<LaneMatrix69, Lanes4>(ref stretchBuffer); // ∂C_r/∂F_iJ
        ref Lanes4 applied = ref Unsafe.As<LaneMatrix69, Lanes4>(ref appliedBuffer); // Q times that
        for (int r = 0; r < v; r++)
            for (int s = 0; s < v; s++) Ref(ref work, r * v + s) = Dot(ref Ref(ref bond, r * v), 1, ref Ref(ref law, s), v);
        for (int r = 0; r < v; r++)
            for (int s = 0; s < v; s++)
            {
                var sum = Dot(ref Ref(ref work, r * v), 1, ref Ref(ref bond, s * v), 1);
                double factor = (r < d ? 1 : 2) * (s < d ? 1 : 2);
                Ref(ref q, r * v + s) = sum * (Ref(ref difference, r) * Ref(ref difference, s) * Lane4.Of(factor));
            }
        for (int a = 0; a < d; a++)
            for (int b = a; b < d; b++)
                for (int c = b; c < d; c++)
                {
                    var g = a == c ? -(Ref(ref difference, a) * Ref(ref difference, a))
                        : LaneMath.SecondDifference(Ref(ref values, a * (d + 1)), Ref(ref values, b * (d + 1)), Ref(ref values, c * (d + 1)));
                    // every different order of (a, b, c) has the same g
                    AddGeometric(ref q, pair, ref turned, g, a, b, c);
                    if (b != c) AddGeometric(ref q, pair, ref turned, g, a, c, b);
                    if (a != b) AddGeometric(ref q, pair, ref turned, g, b, a, c);
                    if (a != b) AddGeometric(ref q, pair, ref turned, g, b, c, a);
                    if (b != c) AddGeometric(ref q, pair, ref turned, g, c, b, a);
                    if (a != b && b != c) AddGeometric(ref q, pair, ref turned, g, c, a, b);
                }
        for (int r = 0; r < v; r++)
        {
            int a = first[r], b = second[r];
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                    Ref(ref stretch, r * n + i * d + j) = Lane4.Fma(Ref(ref pushed, a * d + i), Ref(ref axes, j * d + b),
                        Ref(ref pushed, b * d + i) * Ref(ref axes, j * d + a));
        }
        for (int r = 0; r < v; r++)
            for (int p = 0; p < n; p++) Ref(ref applied, r * n + p) = Dot(ref Ref(ref q, r * v), 1, ref Ref(ref stretch, p), n);
        for (int p = 0; p < n; p++)
            for (int o = p; o < n; o++)
                Ref(ref tangent, p * n + o) = Ref(ref tangent, o * n + p) = Dot(ref Ref(ref stretch, p), n, ref Ref(ref applied, o), n);
        for (int j = 0; j < d; j++)
            for (int l = 0; l < d; l++)
            {
                var s = Lanes4.Zero; // S_JL = Σ N_J,a (S N)_aL
                for (int a = 0; a < d; a++) s = Lane4.Fma(Ref(ref axes, j * d + a), Ref(ref half, a * d + l), s);
                for (int i = 0; i < d; i++) Ref(ref tangent, (i * d + j) * n + i * d + l) += s;
            }
    }

    /// <summary>Sum over the Voigt components of a product, the vectors taken with a stride.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes4 Dot(ref Lanes4 x, int xStride, ref Lanes4 y, int yStride)
    {
        var sum = Lane4.Fma(x, y, Lane4.Fma(Ref(ref x, xStride), Ref(ref y, yStride), Ref(ref x, 2 * xStride) * Ref(ref y, 2 * yStride)));
        return !TSolid.Value ? sum : sum + Lane4.Fma(Ref(ref x, 3 * xStride), Ref(ref y, 3 * yStride),
            Lane4.Fma(Ref(ref x, 4 * xStride), Ref(ref y, 4 * yStride), Ref(ref x, 5 * xStride) * Ref(ref y, 5 * yStride)));
    }

    /// <summary>Adds T_ab g to Q at (ac, bc) and at (bc, ac).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddGeometric(ref Lanes4 q, ReadOnlySpan<byte> pair, ref Lanes4 turned, Lanes4 g, int a, int b, int c)
    {
        int d = Dim, v = Voigt, r = pair[a * d + c], s = pair[b * d + c];
        var term = Ref(ref turned, pair[a * d + b]) * g;
        Ref(ref q, r * v + s) += term;
        Ref(ref q, s * v + r) += term;
    }

    /// <summary>
    /// Eigenvalues (on the diagonal of <paramref name="values"/>) and axes (columns) of FᵀF by cyclic Jacobi rotations. An entry below 1e-17 of its
    /// diagonal counts as zero and its rotation is then exactly the identity, so the sweeps that another lane needs change nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Eigen(ref Lanes4 f, ref Lanes4 axes, ref Lanes4 values)
    {
        int d = Dim;
        for (int i = 0; i < d; i++)
            for (int j = 0; j < d; j++)
            {
                var sum = Lanes4.Zero;
                for (int k = 0; k < d; k++) sum = Lane4.Fma(Ref(ref f, k * d + i), Ref(ref f, k * d + j), sum);
                Ref(ref values, i * d + j) = sum;
                Ref(ref axes, i * d + j) = i == j ? Lanes4.One : Lanes4.Zero;
            }
        for (int sweep = 0; sweep < (TSolid.Value ? MaxSweeps : 1); sweep++)
        {
            var turning = Lanes4.Zero;
            for (int p = 0; p < d - 1; p++)
                for (int q = p + 1; q < d; q++)
                {
                    Lanes4 off = Ref(ref values, p * d + q), gap = Ref(ref values, q * d + q) - Ref(ref values, p * d + p), twice = off + off;
                    var significant = Vector256.GreaterThan(Vector256.Abs(off), Lane4.Of(1e-17) * (Ref(ref values, q * d + q) + Ref(ref values, p * d + p)));
                    turning |= significant;
                    var root = Vector256.Sqrt(Lane4.Fma(gap, gap, twice * twice)) + Vector256.Abs(gap);
                    var tan = Lane4.Select(significant, Vector256.CopySign(Lanes4.One, gap) * twice / root, Lanes4.Zero);
                    var cos = Lanes4.One / Vector256.Sqrt(Lane4.Fma(tan, tan, Lanes4.One));
                    var sin = tan * cos;
                    Ref(ref values, p * d + p) = Lane4.Fnma(tan, off, Ref(ref values, p * d + p));
                    Ref(ref values, q * d + q) = Lane4.Fma(tan, off, Ref(ref values, q * d + q));
                    Ref(ref values, p * d + q) = Ref(ref values, q * d + p) = Lanes4.Zero;
                    for (int k = 0; k < d; k++)
                    {
                        Lanes4 x = Ref(ref axes, k * d + p), y = Ref(ref axes, k * d + q);
                        Ref(ref axes, k * d + p) = Lane4.Fma(cos, x, -(sin * y));
                        Ref(ref axes, k * d + q) = Lane4.Fma(sin, x, cos * y);
                        if (k == p || k == q) continue;
                        x = Ref(ref values, k * d + p);
                        y = Ref(ref values, k * d + q);
                        Ref(ref values, k * d + p) = Ref(ref values, p * d + k) = Lane4.Fma(cos, x, -(sin * y));
                        Ref(ref values, k * d + q) = Ref(ref values, q * d + k) = Lane4.Fma(sin, x, cos * y);
                    }
                }
            if (Lane4.Bits(turning) == 0) break;
        }
    }

    /// <inheritdoc/>
    public readonly void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        Unsafe.SkipInit(out LaneTensor fBuffer);
        Unsafe.SkipInit(out LaneTensor axesBuffer);
        Unsafe.SkipInit(out LaneTensor valuesBuffer);
        Unsafe.SkipInit(out LaneTensor logBuffer);
        ref Lanes4 f = ref Unsafe.As<LaneTensor, Lanes4>(ref fBuffer), axes = ref Unsafe.As<LaneTensor, Lanes4>(ref axesBuffer);
        ref Lanes4 values = ref Unsafe.As<LaneTensor, Lanes4>(ref valuesBuffer), log = ref Unsafe.As<LaneTensor, Lanes4>(ref logBuffer);
        FiniteStrain.Load<TSolid>(in strain, ref f, out var jacobian);
        Eigen(ref f, ref axes, ref values);
        Lanes4 p = LaneMath.Log(Ref(ref values, 0)) * Lane4.Of(0.5), q = LaneMath.Log(Ref(ref values, 3)) * Lane4.Of(0.5);
        Lanes4 a = Ref(ref axes, 0), b = Ref(ref axes, 1), c = Ref(ref axes, 2), d = Ref(ref axes, 3);
        Ref(ref log, 0) = p * a * a + q * b * b;
        Ref(ref log, 1) = p * c * c + q * d * d;
        Ref(ref log, 2) = Lane4.Of(2) * (p * a * c + q * b * d);
        _inner.OutOfPlane(in log, in newState, out zz, out yz, out xz); // Kirchhoff stress, since λ₃ = 1
        zz /= jacobian;
        yz = xz = Lanes4.Zero;
    }
}
