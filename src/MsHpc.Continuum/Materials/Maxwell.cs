using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>Coefficients of up to 32 relaxation terms.</summary>
[InlineArray(Capacity)]
public struct PronyTerms
{
    /// <summary>Most terms a law may have.</summary>
    public const int Capacity = 32;
    private double _first;
}

/// <summary>
/// Isotropic linear viscoelasticity, generalized Maxwell chain (Prony series), integrated exactly for strain that is linear over a step.
/// <code>
/// G(t) = G0 (1 − Σ gᵢ (1 − e^(−t/τᵢ))),   κ(t) = κ0 (1 − Σ kᵢ (1 − e^(−t/τᵢ)))         (G0, κ0 instantaneous)
/// σ    = κ∞ tr ε 1 + 2 G∞ dev ε + Σ (hᵢ + pᵢ 1)
/// hᵢ   = e^(−Δt/τᵢ) hᵢₙ + 2 G0 gᵢ aᵢ (dev ε − dev εₙ),   pᵢ likewise with κ0 kᵢ tr ε,   aᵢ = (1 − e^(−Δt/τᵢ))/(Δt/τᵢ)
/// tangent: isotropic with 2G = 2G0 (1 − Σ gᵢ (1 − aᵢ)) and κ = κ0 (1 − Σ kᵢ (1 − aᵢ))
/// </code>
/// A step of length 0 is instantaneous (aᵢ = 1). Symmetric tangent. Source: Taylor, Pister and Goudreau, Int. J. Numer. Methods Eng. 2, 45
/// (1970); Simo and Hughes, Computational Inelasticity (1998), Box 10.1.
/// State: the strain (n), then per term hᵢ without zz (plane 3: xx, yy, xy; space 5: xx, yy, yz, xz, xy) and, only where some kᵢ is not 0, pᵢ.
/// </summary>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
public struct Maxwell<TSolid> : ILaw<Maxwell<TSolid>> where TSolid : struct, IFlag
{
    private readonly double _kappa0, _mu0;
    private readonly int _terms;
    private readonly bool _bulk;
    private readonly PronyTerms _g, _k, _tau;
    private PronyTerms _decay, _shear, _volume; // e^(−Δt/τ), 2 G0 g a, κ0 k a of the step
    private double _tangentMu, _tangentKappa;   // of the step
    private readonly double _muInfinity, _kappaInfinity;

    /// <summary>The law; parameters are checked by <see cref="MaterialCatalog"/>.</summary>
    /// <param name="kappa">Instantaneous bulk modulus κ0, stress unit.</param>
    /// <param name="mu">Instantaneous shear modulus G0, stress unit.</param>
    /// <param name="g">Relative shear moduli gᵢ, at most <see cref="PronyTerms.Capacity"/>.</param>
    /// <param name="k">Relative bulk moduli kᵢ, as many; empty: none relaxes.</param>
    /// <param name="tau">Relaxation times τᵢ, time unit.</param>
    /// <exception cref="ArgumentException">Lengths that differ, or too many terms.</exception>
    public Maxwell(double kappa, double mu, ReadOnlySpan<double> g, ReadOnlySpan<double> k, ReadOnlySpan<double> tau)
    {
        if (g.Length > PronyTerms.Capacity || g.Length != tau.Length || (k.Length != 0 && k.Length != g.Length))
            throw new ArgumentException($"{g.Length} shear terms, {k.Length} bulk terms, {tau.Length} times (at most {PronyTerms.Capacity}, all alike)");
        _kappa0 = kappa;
        _mu0 = mu;
        _terms = g.Length;
        double sumG = 0, sumK = 0;
        for (int i = 0; i < g.Length; i++)
        {
            _g[i] = g[i];
            _k[i] = k.Length == 0 ? 0 : k[i];
            _tau[i] = tau[i];
            sumG += _g[i];
            sumK += _k[i];
            _bulk |= _k[i] != 0;
        }
        _muInfinity = mu * (1 - sumG);
        _kappaInfinity = kappa * (1 - sumK);
    }

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidSmall : StrainSpace.PlaneSmall;

    private static int Size => TSolid.Value ? 6 : 3;
    private static int Deviatoric => TSolid.Value ? 5 : 3;

    /// <inheritdoc/>
    public readonly int StateSize => Size + _terms * (Deviatoric + (_bulk ? 1 : 0));

    /// <inheritdoc/>
    public readonly Maxwell<TSolid> ForStep(double timeStep)
    {
        var law = this;
        law._tangentMu = _muInfinity;
        law._tangentKappa = _kappaInfinity;
        for (int i = 0; i < _terms; i++)
        {
            double x = timeStep / _tau[i];
            double decay = LaneMath.Exp(Lane4.Of(-x)).GetElement(0), a = (1 - decay) / x;
            if (x < 0.5) // by its series, in which nothing cancels
            {
                a = 0;
                for (int k = 15; k >= 1; k--) a = 1 - x / (k + 1) * a;
            }
            law._decay[i] = decay;
            law._shear[i] = 2 * _mu0 * _g[i] * a;
            law._volume[i] = _kappa0 * _k[i] * a;
            law._tangentMu += _mu0 * _g[i] * a;
            law._tangentKappa += law._volume[i];
        }
        return law;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        Split(in strain, out var trace, out var xx, out var yy, out var yz, out var xz, out var xy);
        Split(in oldState, out var oldTrace, out var oxx, out var oyy, out var oyz, out var oxz, out var oxy);
        for (int k = 0; k < Size; k++) Ref(ref newState, k) = Get(in strain, k);
        Lanes4 dt = trace - oldTrace, dxx = xx - oxx, dyy = yy - oyy, dyz = yz - oyz, dxz = xz - oxz, dxy = xy - oxy;
        Lanes4 mu2 = Lane4.Of(2 * _muInfinity), p = Lane4.Of(_kappaInfinity) * trace;
        Lanes4 sxx = mu2 * xx, syy = mu2 * yy, sxy = mu2 * xy, syz = default, sxz = default;
        if (TSolid.Value) { syz = mu2 * yz; sxz = mu2 * xz; }
        int at = Size;
        for (int i = 0; i < _terms; i++)
        {
            Lanes4 decay = Lane4.Of(_decay[i]), shear = Lane4.Of(_shear[i]);
            sxx += Term(ref newState, in oldState, at++, decay, shear * dxx);
            syy += Term(ref newState, in oldState, at++, decay, shear * dyy);
            if (TSolid.Value)
            {
                syz += Term(ref newState, in oldState, at++, decay, shear * dyz);
                sxz += Term(ref newState, in oldState, at++, decay, shear * dxz);
            }
            sxy += Term(ref newState, in oldState, at++, decay, shear * dxy);
            if (_bulk) p += Term(ref newState, in oldState, at++, decay, Lane4.Of(_volume[i]) * dt);
        }
        Ref(ref stress, 0) = p + sxx;
        Ref(ref stress, 1) = p + syy;
        Ref(ref stress, TSolid.Value ? 5 : 2) = sxy;
        if (TSolid.Value)
        {
            Ref(ref stress, 2) = p - (sxx + syy);
            Ref(ref stress, 3) = syz;
            Ref(ref stress, 4) = sxz;
        }
        if (TTangent.Value) Isotropy.StoreTangent<TSolid>(ref tangent, Lane4.Of(_tangentKappa - 2 * _tangentMu / 3), Lane4.Of(_tangentMu));
        return Lanes4.Zero;
    }

    /// <summary>h = decay·hₙ + increment, stored and returned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes4 Term(ref Lanes4 newState, ref readonly Lanes4 oldState, int at, Lanes4 decay, Lanes4 increment)
        => Ref(ref newState, at) = Lane4.Fma(decay, Get(in oldState, at), increment);

    /// <summary>Trace and deviator (tensor shears) of a strain.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Split(ref readonly Lanes4 e, out Lanes4 trace, out Lanes4 xx, out Lanes4 yy, out Lanes4 yz, out Lanes4 xz, out Lanes4 xy)
    {
        var half = Lane4.Of(0.5);
        xx = Get(in e, 0);
        yy = Get(in e, 1);
        trace = xx + yy;
        yz = xz = Lanes4.Zero;
        if (TSolid.Value)
        {
            trace += Get(in e, 2);
            yz = half * Get(in e, 3);
            xz = half * Get(in e, 4);
            xy = half * Get(in e, 5);
        }
        else xy = half * Get(in e, 2);
        var mean = trace * Lane4.Of(1.0 / 3);
        xx -= mean;
        yy -= mean;
    }

    /// <inheritdoc/>
    public readonly void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        Split(in strain, out var trace, out var dxx, out var dyy, out _, out _, out _);
        zz = Lane4.Of(_kappaInfinity) * trace - Lane4.Of(2 * _muInfinity) * (dxx + dyy);
        int stride = Deviatoric + (_bulk ? 1 : 0);
        for (int i = 0, at = Size; i < _terms; i++, at += stride)
        {
            zz -= Get(in newState, at) + Get(in newState, at + 1);
            if (_bulk) zz += Get(in newState, at + stride - 1);
        }
        yz = xz = Lanes4.Zero;
    }
}
