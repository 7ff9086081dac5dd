using System.Runtime.CompilerServices;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>
/// Compressible neo-Hooke solid.
/// <code>
/// W = μ/2 (tr FᵀF − 3 − 2 ln J) + λ/2 (ln J)²           (F33 = 1 in the plane)
/// P = μ (F − F⁻ᵀ) + λ ln J F⁻ᵀ
/// ∂P_iJ/∂F_kL = μ δik δJL + (μ − λ ln J) F⁻ᵀ_kJ F⁻ᵀ_iL + λ F⁻ᵀ_iJ F⁻ᵀ_kL
/// </code>
/// Symmetric tangent, no state. A lane with J ≤ 0 fails and is evaluated at F = 1. Source: Simo and Pister, Comput. Methods Appl. Mech.
/// Eng. 46, 201 (1984); Bonet and Wood, Nonlinear Continuum Mechanics for Finite Element Analysis (2008), eq. 6.27.
/// </summary>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
/// <param name="lambda">Lamé's λ, stress unit.</param>
/// <param name="mu">Shear modulus μ, stress unit.</param>
public readonly struct NeoHooke<TSolid>(double lambda, double mu) : ILaw<NeoHooke<TSolid>> where TSolid : struct, IFlag
{
    private readonly double _lambda = lambda, _mu = mu;

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidFinite : StrainSpace.PlaneFinite;

    /// <inheritdoc/>
    public int StateSize => 0;

    /// <inheritdoc/>
    public NeoHooke<TSolid> ForStep(double timeStep) => this;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        int d = TSolid.Value ? 3 : 2, n = d * d;
        Unsafe.SkipInit(out LaneTensor fBuffer);
        Unsafe.SkipInit(out LaneTensor gBuffer);
        ref Lanes4 f = ref Unsafe.As<LaneTensor, Lanes4>(ref fBuffer), g = ref Unsafe.As<LaneTensor, Lanes4>(ref gBuffer); // g = F⁻ᵀ
        var bad = FiniteStrain.Load<TSolid>(in strain, ref f, out var jacobian);
        FiniteStrain.InverseTranspose<TSolid>(ref f, jacobian, ref g);
        Lanes4 mu = Lane4.Of(_mu), lambda = Lane4.Of(_lambda);
        var negative = Lane4.Fma(lambda, LaneMath.Log(jacobian), -mu); // λ ln J − μ
        for (int k = 0; k < n; k++) Ref(ref stress, k) = Lane4.Fma(mu, Ref(ref f, k), negative * Ref(ref g, k));
        if (TTangent.Value)
        {
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                {
                    ref Lanes4 row = ref Ref(ref tangent, (i * d + j) * n);
                    var lij = lambda * Ref(ref g, i * d + j);
                    for (int k = 0; k < d; k++)
                    {
                        var mkj = -negative * Ref(ref g, k * d + j);
                        for (int l = 0; l < d; l++)
                            Ref(ref row, k * d + l) = Lane4.Fma(mkj, Ref(ref g, i * d + l), lij * Ref(ref g, k * d + l));
                    }
                    Ref(ref row, i * d + j) += mu;
                }
        }
        return bad;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        var jacobian = Get(in strain, 0) * Get(in strain, 3) - Get(in strain, 1) * Get(in strain, 2);
        zz = Lane4.Of(_lambda) * LaneMath.Log(jacobian) / jacobian;
        yz = xz = Lanes4.Zero;
    }
}
