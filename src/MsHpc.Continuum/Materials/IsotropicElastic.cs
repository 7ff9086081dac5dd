using System.Runtime.CompilerServices;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>
/// Isotropic linear elasticity (Hooke). σ = λ tr(ε) 1 + 2μ ε; tangent C = λ 1⊗1 + 2μ I, constant and symmetric. No state.
/// Source: Timoshenko, Goodier, Theory of Elasticity (1970), eqs. 3 and 11.
/// </summary>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
/// <param name="lambda">Lamé's first constant λ, stress unit.</param>
/// <param name="mu">Shear modulus μ, stress unit.</param>
public readonly struct IsotropicElastic<TSolid>(double lambda, double mu) : ILaw<IsotropicElastic<TSolid>> where TSolid : struct, IFlag
{
    private readonly double _lambda = lambda, _mu = mu;

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidSmall : StrainSpace.PlaneSmall;

    /// <inheritdoc/>
    public int StateSize => 0;

    /// <inheritdoc/>
    public IsotropicElastic<TSolid> ForStep(double timeStep) => this;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        Lanes4 lambda = Lane4.Of(_lambda), mu = Lane4.Of(_mu), mu2 = mu + mu;
        Lanes4 xx = Get(in strain, 0), yy = Get(in strain, 1);
        if (TSolid.Value)
        {
            var zz = Get(in strain, 2);
            var p = lambda * (xx + yy + zz);
            Ref(ref stress, 0) = Lane4.Fma(mu2, xx, p);
            Ref(ref stress, 1) = Lane4.Fma(mu2, yy, p);
            Ref(ref stress, 2) = Lane4.Fma(mu2, zz, p);
            Ref(ref stress, 3) = mu * Get(in strain, 3);
            Ref(ref stress, 4) = mu * Get(in strain, 4);
            Ref(ref stress, 5) = mu * Get(in strain, 5);
        }
        else
        {
            var p = lambda * (xx + yy);
            Ref(ref stress, 0) = Lane4.Fma(mu2, xx, p);
            Ref(ref stress, 1) = Lane4.Fma(mu2, yy, p);
            Ref(ref stress, 2) = mu * Get(in strain, 2);
        }
        if (TTangent.Value) Isotropy.StoreTangent<TSolid>(ref tangent, lambda, mu);
        return Lanes4.Zero;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        zz = Lane4.Of(_lambda) * (Get(in strain, 0) + Get(in strain, 1));
        yz = xz = Lanes4.Zero;
    }
}

/// <summary>What isotropic laws share.</summary>
internal static class Isotropy
{
    /// <summary>λ = Eν/((1+ν)(1−2ν)), μ = E/(2(1+ν)).</summary>
    public static (double Lambda, double Mu) Lame(double youngsModulus, double poissonRatio)
        => (youngsModulus * poissonRatio / ((1 + poissonRatio) * (1 - 2 * poissonRatio)), youngsModulus / (2 * (1 + poissonRatio)));

    /// <summary>Stores λ 1⊗1 + 2μ I in Voigt form.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreTangent<TSolid>(ref Lanes4 c, Lanes4 lambda, Lanes4 mu) where TSolid : struct, IFlag
    {
        var diagonal = lambda + (mu + mu);
        var zero = Lanes4.Zero;
        if (TSolid.Value)
        {
            for (int k = 0; k < 36; k++) Ref(ref c, k) = zero;
            Ref(ref c, 0) = diagonal; Ref(ref c, 1) = lambda; Ref(ref c, 2) = lambda;
            Ref(ref c, 6) = lambda; Ref(ref c, 7) = diagonal; Ref(ref c, 8) = lambda;
            Ref(ref c, 12) = lambda; Ref(ref c, 13) = lambda; Ref(ref c, 14) = diagonal;
            Ref(ref c, 21) = mu; Ref(ref c, 28) = mu; Ref(ref c, 35) = mu;
        }
        else
        {
            Ref(ref c, 0) = diagonal; Ref(ref c, 1) = lambda; Ref(ref c, 2) = zero;
            Ref(ref c, 3) = lambda; Ref(ref c, 4) = diagonal; Ref(ref c, 5) = zero;
            Ref(ref c, 6) = zero; Ref(ref c, 7) = zero; Ref(ref c, 8) = mu;
        }
    }
}
