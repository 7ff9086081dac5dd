using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>
/// Von Mises plasticity at small strain, associative, with isotropic (linear + saturating) and linear kinematic hardening, by radial return.
/// <code>
/// yield        f = |ξ| − √(2/3) σy(α),   ξ = dev σ − β,   β = (2/3) H_k εᵖ (Prager)
/// hardening    σy(α) = σ0 + H α + (σ∞ − σ0)(1 − e^(−δα))                              (Voce)
/// trial        ξ* = 2μ dev ε − (2μ + (2/3)H_k) εᵖₙ ,  n = ξ*/|ξ*|
/// consistency  |ξ*| − (2μ + (2/3)H_k) Δγ − √(2/3) σy(αₙ + √(2/3)Δγ) = 0               (closed form when δ or σ∞ − σ0 is 0)
/// update       εᵖ = εᵖₙ + Δγ n,  α = αₙ + √(2/3) Δγ
/// stress       σ = κ tr ε 1 + 2μ (dev ε − εᵖ)
/// tangent      C = κ 1⊗1 + 2μ θ (I − 1⊗1/3) − 2μ θ̄ n⊗n
///              θ = 1 − 2μ Δγ/|ξ*| ,  θ̄ = 1/(1 + (σy' + H_k)/(3μ)) − (1 − θ)
/// </code>
/// Source: Simo and Hughes, Computational Inelasticity (1998), Boxes 3.1 and 3.2; Voce, J. Inst. Metals 74, 537 (1948).
/// State: plastic strain without its zz component, which follows from tr εᵖ = 0 (plane: xx, yy, engineering xy; space: xx, yy,
/// engineering yz, xz, xy), then the equivalent plastic strain α. The back stress needs no memory: Prager's is proportional to εᵖ.
/// </summary>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
/// <typeparam name="TVoce">Whether there is saturating hardening; without it the return is in closed form.</typeparam>
public readonly struct J2Plasticity<TSolid, TVoce> : ILaw<J2Plasticity<TSolid, TVoce>> where TSolid : struct, IFlag where TVoce : struct, IFlag
{
    private const double RootTwoThirds = 0.816496580927726;
    private const int MaxIterations = 40;
    private readonly double _kappa, _mu, _sigma0, _h, _q, _delta, _back, _inverseSlope, _ratio;

    /// <summary>The law; parameters are checked by <see cref="MaterialCatalog"/>.</summary>
    /// <param name="lambda">Lamé's λ, stress unit.</param>
    /// <param name="mu">Shear modulus μ, stress unit.</param>
    /// <param name="sigmaY">Initial yield stress σ0, stress unit.</param>
    /// <param name="hardening">Linear isotropic modulus H, stress unit.</param>
    /// <param name="kinematic">Kinematic modulus H_k, stress unit.</param>
    /// <param name="saturation">σ∞ − σ0, stress unit; ignored without Voce hardening.</param>
    /// <param name="delta">Saturation rate δ; ignored without Voce hardening.</param>
    public J2Plasticity(double lambda, double mu, double sigmaY, double hardening, double kinematic, double saturation, double delta)
    {
        _kappa = lambda + 2 * mu / 3;
        _mu = mu;
        _sigma0 = sigmaY;
        _h = hardening;
        _q = saturation;
        _delta = delta;
        _back = 2 * mu + 2.0 / 3 * kinematic;
        _inverseSlope = 1 / (_back + 2.0 / 3 * hardening);
        _ratio = 2 * mu * _inverseSlope;
    }

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidSmall : StrainSpace.PlaneSmall;

    /// <inheritdoc/>
    public int StateSize => TSolid.Value ? 6 : 4;

    /// <inheritdoc/>
    public static string? Extra => "equivalent_plastic_strain";

    /// <inheritdoc/>
    public Lanes4 GetExtra(ref readonly Lanes4 newState) => Get(in newState, TSolid.Value ? 5 : 3);

    /// <inheritdoc/>
    public J2Plasticity<TSolid, TVoce> ForStep(double timeStep) => this;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        Lanes4 mu = Lane4.Of(_mu), mu2 = mu + mu, back = Lane4.Of(_back), c = Lane4.Of(RootTwoThirds), two = Lane4.Of(2);
        Lanes4 exx = Get(in strain, 0), eyy = Get(in strain, 1);
        Lanes4 pxx = Get(in oldState, 0), pyy = Get(in oldState, 1);
        Lanes4 alpha = Get(in oldState, TSolid.Value ? 5 : 3);
        Lanes4 gyz = default, gxz = default, gxy, pyz = default, pxz = default, pxy, trace = exx + eyy;
        if (TSolid.Value)
        {
            trace += Get(in strain, 2);
            gyz = mu * Get(in strain, 3); pyz = Get(in oldState, 2);
            gxz = mu * Get(in strain, 4); pxz = Get(in oldState, 3);
            gxy = mu * Get(in strain, 5); pxy = Get(in oldState, 4);
        }
        else
        {
            gxy = mu * Get(in strain, 2); pxy = Get(in oldState, 2);
        }
        Lanes4 third = trace * Lane4.Of(1.0 / 3), dxx = mu2 * (exx - third), dyy = mu2 * (eyy - third); // 2μ dev ε
        Lanes4 half = back * Lane4.Of(0.5);                                                            // engineering shear
        Lanes4 xxx = Lane4.Fnma(back, pxx, dxx), xyy = Lane4.Fnma(back, pyy, dyy), xzz = -(xxx + xyy);
        Lanes4 xxy = Lane4.Fnma(half, pxy, gxy), xyz = default, xxz = default;
        var shear = xxy * xxy;
        if (TSolid.Value)
        {
            xyz = Lane4.Fnma(half, pyz, gyz);
            xxz = Lane4.Fnma(half, pxz, gxz);
            shear = Lane4.Fma(xyz, xyz, Lane4.Fma(xxz, xxz, shear));
        }
        var norm = Vector256.Sqrt(Lane4.Fma(two, shear, Lane4.Fma(xxx, xxx, Lane4.Fma(xyy, xyy, xzz * xzz))));

        Lanes4 yield = Lane4.Fma(Lane4.Of(_h), alpha, Lane4.Of(_sigma0 + (TVoce.Value ? _q : 0))), decay = Lanes4.Zero;
        if (TVoce.Value)
        {
            decay = LaneMath.Exp(Lane4.Of(-_delta) * alpha) * Lane4.Of(_q); // (σ∞ − σ0) e^(−δα)
            yield -= decay;
        }
        Lanes4 excess = Lane4.Fnma(c, yield, norm);
        Lanes4 plastic = Vector256.GreaterThan(excess, Lanes4.Zero), failed = ~Vector256.LessThan(norm, Lane4.Of(double.MaxValue));
        Lanes4 multiplier, ratio; // Δγ and 2μ ∂Δγ/∂|ξ*|
        if (TVoce.Value)
        {
            // Newton, lengthened by the curvature (Halley) where the residual is convex: hardening that saturates upwards. There the plain
            // iterates grow to the root from below; overshooting is harmless, the next iterate comes back. A lane that is done is
            // frozen, so that its bits do not depend on its neighbours.
            multiplier = Lanes4.Zero;
            var open = plastic & ~failed;
            var tolerance = norm * Lane4.Of(_q > 0 ? 1e-6 : 1e-9); // the update that follows cubes it (Halley) or squares it
            var slope = Slope(decay, back);
            for (int k = 0; Lane4.Bits(open) != 0; k++)
            {
                if (k == MaxIterations) { failed |= open; break; }
                Lanes4 square = slope * slope, bend = Lane4.Of(RootTwoThirds / 3 * _delta * _delta) * decay * excess; // r'² and ½ r r''
                bend = Vector256.Min(Vector256.Max(bend, Lanes4.Zero), Lane4.Of(0.5) * square);
                multiplier = Lane4.Select(open, multiplier + excess * slope / (square - bend), multiplier);
                open &= Vector256.GreaterThan(Vector256.Abs(excess), tolerance);
                var a = Lane4.Fma(c, multiplier, alpha);
                decay = LaneMath.Exp(Lane4.Of(-_delta) * a) * Lane4.Of(_q);
                slope = Slope(decay, back);
                excess = norm - Lane4.Fma(back, multiplier, c * (Lane4.Fma(Lane4.Of(_h), a, Lane4.Of(_sigma0 + _q)) - decay));
            }
            ratio = mu2 / slope;
        }
        else
        {
            multiplier = Lane4.Select(plastic, excess * Lane4.Of(_inverseSlope), Lanes4.Zero);
            ratio = Lane4.Of(_ratio);
        }
        // Softening ends where nothing is left of the yield stress; a return beyond would come out on the other side.
        failed |= plastic & Vector256.LessThan(Lane4.Fnma(back, multiplier, norm), Lanes4.Zero);
        var inverse = Lane4.Select(plastic, Lanes4.One / norm, Lanes4.Zero);
        var q = multiplier * inverse;           // Δγ/|ξ*|
        var q2 = q + q;

        Lanes4 newXx = Lane4.Fma(q, xxx, pxx), newYy = Lane4.Fma(q, xyy, pyy), newXy = Lane4.Fma(q2, xxy, pxy);
        var p = Lane4.Of(_kappa) * trace;
        Lanes4 sxx = Lane4.Fnma(mu2, newXx, dxx), syy = Lane4.Fnma(mu2, newYy, dyy);
        Ref(ref newState, 0) = newXx;
        Ref(ref newState, 1) = newYy;
        Ref(ref stress, 0) = p + sxx;
        Ref(ref stress, 1) = p + syy;
        if (TSolid.Value)
        {
            Lanes4 newYz = Lane4.Fma(q2, xyz, pyz), newXz = Lane4.Fma(q2, xxz, pxz);
            Ref(ref newState, 2) = newYz;
            Ref(ref newState, 3) = newXz;
            Ref(ref newState, 4) = newXy;
            Ref(ref newState, 5) = Lane4.Fma(c, multiplier, alpha);
            Ref(ref stress, 2) = p - (sxx + syy);
            Ref(ref stress, 3) = Lane4.Fnma(mu, newYz, gyz);
            Ref(ref stress, 4) = Lane4.Fnma(mu, newXz, gxz);
            Ref(ref stress, 5) = Lane4.Fnma(mu, newXy, gxy);
        }
        else
        {
            Ref(ref newState, 2) = newXy;
            Ref(ref newState, 3) = Lane4.Fma(c, multiplier, alpha);
            Ref(ref stress, 2) = Lane4.Fnma(mu, newXy, gxy);
        }
        if (TTangent.Value)
        {
            Lanes4 lost = mu2 * q, theta = Lanes4.One - lost;
            var bar = Lane4.Select(plastic, ratio - lost, Lanes4.Zero);
            Lanes4 shearModulus = mu * theta, lambda = Lane4.Fnma(Lane4.Of(2.0 / 3), shearModulus, Lane4.Of(_kappa));
            var diagonal = Lane4.Fma(two, shearModulus, lambda);
            var w = -(mu2 * bar) * (inverse * inverse);
            if (TSolid.Value)
            {
                StoreRow(ref Ref(ref tangent, 0), w * xxx, xxx, xyy, xzz, xyz, xxz, xxy);
                StoreRow(ref Ref(ref tangent, 6), w * xyy, xxx, xyy, xzz, xyz, xxz, xxy);
                StoreRow(ref Ref(ref tangent, 12), w * xzz, xxx, xyy, xzz, xyz, xxz, xxy);
                StoreRow(ref Ref(ref tangent, 18), w * xyz, xxx, xyy, xzz, xyz, xxz, xxy);
                StoreRow(ref Ref(ref tangent, 24), w * xxz, xxx, xyy, xzz, xyz, xxz, xxy);
                StoreRow(ref Ref(ref tangent, 30), w * xxy, xxx, xyy, xzz, xyz, xxz, xxy);
                Ref(ref tangent, 0) += diagonal; Ref(ref tangent, 1) += lambda; Ref(ref tangent, 2) += lambda;
                Ref(ref tangent, 6) += lambda; Ref(ref tangent, 7) += diagonal; Ref(ref tangent, 8) += lambda;
                Ref(ref tangent, 12) += lambda; Ref(ref tangent, 13) += lambda; Ref(ref tangent, 14) += diagonal;
                Ref(ref tangent, 21) += shearModulus; Ref(ref tangent, 28) += shearModulus; Ref(ref tangent, 35) += shearModulus;
            }
            else
            {
                Lanes4 wx = w * xxx, wy = w * xyy, ws = w * xxy;
                Lanes4 c01 = Lane4.Fma(wx, xyy, lambda), c02 = wx * xxy, c12 = wy * xxy;
                Ref(ref tangent, 0) = Lane4.Fma(wx, xxx, diagonal); Ref(ref tangent, 1) = c01; Ref(ref tangent, 2) = c02;
                Ref(ref tangent, 3) = c01; Ref(ref tangent, 4) = Lane4.Fma(wy, xyy, diagonal); Ref(ref tangent, 5) = c12;
                Ref(ref tangent, 6) = c02; Ref(ref tangent, 7) = c12; Ref(ref tangent, 8) = Lane4.Fma(ws, xxy, shearModulus);
            }
        }
        return failed;
    }

    /// <summary>2μ + (2/3)(H_k + σy'): minus the slope of the consistency condition in Δγ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes4 Slope(Lanes4 decay, Lanes4 back)
        => Lane4.Fma(Lane4.Of(2.0 / 3), Lane4.Fma(Lane4.Of(_delta), decay, Lane4.Of(_h)), back);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(ref Lanes4 row, Lanes4 w, Lanes4 xx, Lanes4 yy, Lanes4 zz, Lanes4 yz, Lanes4 xz, Lanes4 xy)
    {
        Ref(ref row, 0) = w * xx; Ref(ref row, 1) = w * yy; Ref(ref row, 2) = w * zz;
        Ref(ref row, 3) = w * yz; Ref(ref row, 4) = w * xz; Ref(ref row, 5) = w * xy;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        var trace = Get(in strain, 0) + Get(in strain, 1);
        var elastic = Get(in newState, 0) + Get(in newState, 1) - trace * Lane4.Of(1.0 / 3); // dev εzz − εᵖzz
        zz = Lane4.Fma(Lane4.Of(_kappa), trace, Lane4.Of(2 * _mu) * elastic);
        yz = xz = Lanes4.Zero;
    }
}
