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
    public Lanes GetExtra(ref readonly Lanes newState) => Get(in newState, TSolid.Value ? 5 : 3);

    /// <inheritdoc/>
    public J2Plasticity<TSolid, TVoce> ForStep(double timeStep) => this;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Lanes Evaluate<TTangent>(ref readonly Lanes strain, ref readonly Lanes oldState, ref Lanes newState, ref Lanes stress,
        ref Lanes tangent) where TTangent : struct, IFlag
    {
        Lanes mu = Lane.Of(_mu), mu2 = mu + mu, back = Lane.Of(_back), c = Lane.Of(RootTwoThirds), two = Lane.Of(2);
        Lanes exx = Get(in strain, 0), eyy = Get(in strain, 1);
        Lanes pxx = Get(in oldState, 0), pyy = Get(in oldState, 1);
        Lanes alpha = Get(in oldState, TSolid.Value ? 5 : 3);
        Lanes gyz = default, gxz = default, gxy, pyz = default, pxz = default, pxy, trace = exx + eyy;
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
        Lanes third = trace * Lane.Of(1.0 / 3), dxx = mu2 * (exx - third), dyy = mu2 * (eyy - third); // 2μ dev ε
        Lanes half = back * Lane.Of(0.5);                                                            // engineering shear
        Lanes xxx = Lane.Fnma(back, pxx, dxx), xyy = Lane.Fnma(back, pyy, dyy), xzz = -(xxx + xyy);
        Lanes xxy = Lane.Fnma(half, pxy, gxy), xyz = default, xxz = default;
        var shear = xxy * xxy;
        if (TSolid.Value)
        {
            xyz = Lane.Fnma(half, pyz, gyz);
            xxz = Lane.Fnma(half, pxz, gxz);
            shear = Lane.Fma(xyz, xyz, Lane.Fma(xxz, xxz, shear));
        }
        var norm = Vector512.Sqrt(Lane.Fma(two, shear, Lane.Fma(xxx, xxx, Lane.Fma(xyy, xyy, xzz * xzz))));

        Lanes yield = Lane.Fma(Lane.Of(_h), alpha, Lane.Of(_sigma0 + (TVoce.Value ? _q : 0))), decay = Lanes.Zero;
        if (TVoce.Value)
        {
            decay = LaneMath.Exp(Lane.Of(-_delta) * alpha) * Lane.Of(_q); // (σ∞ − σ0) e^(−δα)
            yield -= decay;
        }
        Lanes excess = Lane.Fnma(c, yield, norm);
        Lanes plastic = Vector512.GreaterThan(excess, Lanes.Zero), failed = ~Vector512.LessThan(norm, Lane.Of(double.MaxValue));
        Lanes multiplier, ratio; // Δγ and 2μ ∂Δγ/∂|ξ*|
        if (TVoce.Value)
        {
            // Newton, lengthened by the curvature (Halley) where the residual is convex: hardening that saturates upwards. There the plain
            // iterates grow to the root from below; overshooting is harmless, the next iterate comes back. A lane that is done is
            // frozen, so that its bits do not depend on its neighbours.
            multiplier = Lanes.Zero;
            var open = plastic & ~failed;
            var tolerance = norm * Lane.Of(_q > 0 ? 1e-6 : 1e-9); // the update that follows cubes it (Halley) or squares it
            var slope = Slope(decay, back);
            for (int k = 0; Lane.Bits(open) != 0; k++)
            {
                if (k == MaxIterations) { failed |= open; break; }
                Lanes square = slope * slope, bend = Lane.Of(RootTwoThirds / 3 * _delta * _delta) * decay * excess; // r'² and ½ r r''
                bend = Vector512.Min(Vector512.Max(bend, Lanes.Zero), Lane.Of(0.5) * square);
                multiplier = Lane.Select(open, multiplier + excess * slope / (square - bend), multiplier);
                open &= Vector512.GreaterThan(Vector512.Abs(excess), tolerance);
                var a = Lane.Fma(c, multiplier, alpha);
                decay = LaneMath.Exp(Lane.Of(-_delta) * a) * Lane.Of(_q);
                slope = Slope(decay, back);
                excess = norm - Lane.Fma(back, multiplier, c * (Lane.Fma(Lane.Of(_h), a, Lane.Of(_sigma0 + _q)) - decay));
            }
            ratio = mu2 / slope;
        }
        else
        {
            multiplier = Lane.Select(plastic, excess * Lane.Of(_inverseSlope), Lanes.Zero);
            ratio = Lane.Of(_ratio);
        }
        // Softening ends where nothing is left of the yield stress; a return beyond would come out on the other side.
        failed |= plastic & Vector512.LessThan(Lane.Fnma(back, multiplier, norm), Lanes.Zero);
        var inverse = Lane.Select(plastic, Lanes.One / norm, Lanes.Zero);
        var q = multiplier * inverse;           // Δγ/|ξ*|
        var q2 = q + q;

        Lanes newXx = Lane.Fma(q, xxx, pxx), newYy = Lane.Fma(q, xyy, pyy), newXy = Lane.Fma(q2, xxy, pxy);
        var p = Lane.Of(_kappa) * trace;
        Lanes sxx = Lane.Fnma(mu2, newXx, dxx), syy = Lane.Fnma(mu2, newYy, dyy);
        Ref(ref newState, 0) = newXx;
        Ref(ref newState, 1) = newYy;
        Ref(ref stress, 0) = p + sxx;
        Ref(ref stress, 1) = p + syy;
        if (TSolid.Value)
        {
            Lanes newYz = Lane.Fma(q2, xyz, pyz), newXz = Lane.Fma(q2, xxz, pxz);
            Ref(ref newState, 2) = newYz;
            Ref(ref newState, 3) = newXz;
            Ref(ref newState, 4) = newXy;
            Ref(ref newState, 5) = Lane.Fma(c, multiplier, alpha);
            Ref(ref stress, 2) = p - (sxx + syy);
            Ref(ref stress, 3) = Lane.Fnma(mu, newYz, gyz);
            Ref(ref stress, 4) = Lane.Fnma(mu, newXz, gxz);
            Ref(ref stress, 5) = Lane.Fnma(mu, newXy, gxy);
        }
        else
        {
            Ref(ref newState, 2) = newXy;
            Ref(ref newState, 3) = Lane.Fma(c, multiplier, alpha);
            Ref(ref stress, 2) = Lane.Fnma(mu, newXy, gxy);
        }
        if (TTangent.Value)
        {
            Lanes lost = mu2 * q, theta = Lanes.One - lost;
            var bar = Lane.Select(plastic, ratio - lost, Lanes.Zero);
            Lanes shearModulus = mu * theta, lambda = Lane.Fnma(Lane.Of(2.0 / 3), shearModulus, Lane.Of(_kappa));
            var diagonal = Lane.Fma(two, shearModulus, lambda);
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
                Lanes wx = w * xxx, wy = w * xyy, ws = w * xxy;
                Lanes c01 = Lane.Fma(wx, xyy, lambda), c02 = wx * xxy, c12 = wy * xxy;
                Ref(ref tangent, 0) = Lane.Fma(wx, xxx, diagonal); Ref(ref tangent, 1) = c01; Ref(ref tangent, 2) = c02;
                Ref(ref tangent, 3) = c01; Ref(ref tangent, 4) = Lane.Fma(wy, xyy, diagonal); Ref(ref tangent, 5) = c12;
                Ref(ref tangent, 6) = c02; Ref(ref tangent, 7) = c12; Ref(ref tangent, 8) = Lane.Fma(ws, xxy, shearModulus);
            }
        }
        return failed;
    }

    /// <summary>2μ + (2/3)(H_k + σy'): minus the slope of the consistency condition in Δγ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lanes Slope(Lanes decay, Lanes back)
        => Lane.Fma(Lane.Of(2.0 / 3), Lane.Fma(Lane.Of(_delta), decay, Lane.Of(_h)), back);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(ref Lanes row, Lanes w, Lanes xx, Lanes yy, Lanes zz, Lanes yz, Lanes xz, Lanes xy)
    {
        Ref(ref row, 0) = w * xx; Ref(ref row, 1) = w * yy; Ref(ref row, 2) = w * zz;
        Ref(ref row, 3) = w * yz; Ref(ref row, 4) = w * xz; Ref(ref row, 5) = w * xy;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes strain, ref readonly Lanes newState, out Lanes zz, out Lanes yz, out Lanes xz)
    {
        var trace = Get(in strain, 0) + Get(in strain, 1);
        var elastic = Get(in newState, 0) + Get(in newState, 1) - trace * Lane.Of(1.0 / 3); // dev εzz − εᵖzz
        zz = Lane.Fma(Lane.Of(_kappa), trace, Lane.Of(2 * _mu) * elastic);
        yz = xz = Lanes.Zero;
    }
}
