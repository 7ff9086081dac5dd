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
    public Lanes Evaluate<TTangent>(ref readonly Lanes strain, ref readonly Lanes oldState, ref Lanes newState, ref Lanes stress,
        ref Lanes tangent) where TTangent : struct, IFlag
    {
        int d = TSolid.Value ? 3 : 2, n = d * d;
        Unsafe.SkipInit(out LaneTensor fBuffer);
        Unsafe.SkipInit(out LaneTensor gBuffer);
        ref Lanes f = ref Unsafe.As<LaneTensor, Lanes>(ref fBuffer), g = ref Unsafe.As<LaneTensor, Lanes>(ref gBuffer); // g = F⁻ᵀ
        var bad = FiniteStrain.Load<TSolid>(in strain, ref f, out var jacobian);
        FiniteStrain.InverseTranspose<TSolid>(ref f, jacobian, ref g);
        Lanes mu = Lane.Of(_mu), lambda = Lane.Of(_lambda);
        var negative = Lane.Fma(lambda, LaneMath.Log(jacobian), -mu); // λ ln J − μ
        for (int k = 0; k < n; k++) Ref(ref stress, k) = Lane.Fma(mu, Ref(ref f, k), negative * Ref(ref g, k));
        if (TTangent.Value)
        {
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                {
                    ref Lanes row = ref Ref(ref tangent, (i * d + j) * n);
                    var lij = lambda * Ref(ref g, i * d + j);
                    for (int k = 0; k < d; k++)
                    {
                        var mkj = -negative * Ref(ref g, k * d + j);
                        for (int l = 0; l < d; l++)
                            Ref(ref row, k * d + l) = Lane.Fma(mkj, Ref(ref g, i * d + l), lij * Ref(ref g, k * d + l));
                    }
                    Ref(ref row, i * d + j) += mu;
                }
        }
        return bad;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes strain, ref readonly Lanes newState, out Lanes zz, out Lanes yz, out Lanes xz)
    {
        var jacobian = Get(in strain, 0) * Get(in strain, 3) - Get(in strain, 1) * Get(in strain, 2);
        zz = Lane.Of(_lambda) * LaneMath.Log(jacobian) / jacobian;
        yz = xz = Lanes.Zero;
    }
}
