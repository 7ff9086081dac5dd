using System.Runtime.CompilerServices;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>
/// Saint-Venant–Kirchhoff solid: Hooke's law between Green's strain and the second Piola–Kirchhoff stress.
/// <code>
/// E = (FᵀF − 1)/2 ,  W = λ/2 (tr E)² + μ E:E ,  S = λ tr E 1 + 2μ E ,  P = F S
/// ∂P_iJ/∂F_kL = δik S_JL + λ F_iJ F_kL + μ ((F Fᵀ)_ik δJL + F_iL F_kJ)
/// </code>
/// Symmetric tangent, no state. It softens and loses stability under large compression; a lane with J ≤ 0 fails and is evaluated at F = 1.
/// Source: Ciarlet, Mathematical Elasticity I (1988), section 3.9.
/// </summary>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
/// <param name="lambda">Lamé's λ, stress unit.</param>
/// <param name="mu">Shear modulus μ, stress unit.</param>
public readonly struct SaintVenantKirchhoff<TSolid>(double lambda, double mu) : ILaw<SaintVenantKirchhoff<TSolid>> where TSolid : struct, IFlag
{
    private readonly double _lambda = lambda, _mu = mu;

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidFinite : StrainSpace.PlaneFinite;

    /// <inheritdoc/>
    public int StateSize => 0;

    /// <inheritdoc/>
    public SaintVenantKirchhoff<TSolid> ForStep(double timeStep) => this;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        int d = TSolid.Value ? 3 : 2, n = d * d;
        Unsafe.SkipInit(out LaneTensor fBuffer);
        Unsafe.SkipInit(out LaneTensor sBuffer);
        Unsafe.SkipInit(out LaneTensor bBuffer);
        ref Lanes4 f = ref Unsafe.As<LaneTensor, Lanes4>(ref fBuffer), s = ref Unsafe.As<LaneTensor, Lanes4>(ref sBuffer);
        ref Lanes4 left = ref Unsafe.As<LaneTensor, Lanes4>(ref bBuffer); // F Fᵀ
        var bad = FiniteStrain.Load<TSolid>(in strain, ref f, out _);
        Lanes4 mu = Lane4.Of(_mu), lambda = Lane4.Of(_lambda);
        var trace = Lanes4.Zero; // 2 tr E
        for (int i = 0; i < d; i++)
            for (int j = i; j < d; j++)
            {
                Lanes4 c = i == j ? -Lanes4.One : Lanes4.Zero, b = Lanes4.Zero;
                for (int k = 0; k < d; k++)
                {
                    c = Lane4.Fma(Ref(ref f, k * d + i), Ref(ref f, k * d + j), c);
                    b = Lane4.Fma(Ref(ref f, i * d + k), Ref(ref f, j * d + k), b);
                }
                if (i == j) trace += c;
                Ref(ref s, i * d + j) = Ref(ref s, j * d + i) = mu * c;
                Ref(ref left, i * d + j) = Ref(ref left, j * d + i) = b;
            }
        for (int i = 0; i < d; i++) Ref(ref s, i * d + i) = Lane4.Fma(Lane4.Of(_lambda / 2), trace, Ref(ref s, i * d + i));
        for (int i = 0; i < d; i++)
            for (int j = 0; j < d; j++)
            {
                var p = Lanes4.Zero;
                for (int k = 0; k < d; k++) p = Lane4.Fma(Ref(ref f, i * d + k), Ref(ref s, k * d + j), p);
                Ref(ref stress, i * d + j) = p;
            }
        if (TTangent.Value)
        {
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                {
                    ref Lanes4 row = ref Ref(ref tangent, (i * d + j) * n);
                    var lij = lambda * Ref(ref f, i * d + j);
                    for (int k = 0; k < d; k++)
                    {
                        var mkj = mu * Ref(ref f, k * d + j);
                        for (int l = 0; l < d; l++)
                            Ref(ref row, k * d + l) = Lane4.Fma(mkj, Ref(ref f, i * d + l), lij * Ref(ref f, k * d + l));
                        Ref(ref row, k * d + j) = Lane4.Fma(mu, Ref(ref left, i * d + k), Ref(ref row, k * d + j));
                    }
                    for (int l = 0; l < d; l++) Ref(ref row, i * d + l) += Ref(ref s, j * d + l);
                }
        }
        return bad;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        Lanes4 a = Get(in strain, 0), b = Get(in strain, 1), c = Get(in strain, 2), d = Get(in strain, 3);
        zz = Lane4.Of(_lambda / 2) * (a * a + b * b + c * c + d * d - Lane4.Of(2)) / (a * d - b * c);
        yz = xz = Lanes4.Zero;
    }
}
