using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

public sealed unsafe partial class StillingerWeber
{
    /// <summary>Lanes are central atoms; their neighbours pass by layer after layer, first to sum moments, then to take forces.</summary>
    private sealed class Kernel<T> : Shells<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        // Numbers per layer, between the passes.
        private const int Ux = 0, Uy = 1, Uz = 2, H = 3, HOverR = 4, HSlope = 5, PairSlope = 6, Kind = 7, Kept = 8;

        // Parameters of a pair.
        private const int Range = 0, Sigma = 1, GammaSigma = 2, Depth = 3, B = 4, P = 5, Q = 6, Parameters = 7;

        // Moments of a shell: T (xx, yy, zz, xy, xz, yz), V, S, and the weight of the terms j = k.
        private const int V = 6, S = 9, Self = 10, Moments = 11;

        private readonly int _types, _pairs, _pairStride, _typeStride;
        private readonly bool _plainPowers, _oneExponential;
        private readonly AlignedArray<T> _pair = new(), _angle = new();

        public Kernel(StillingerWeber law) : base(law.Types, Cutoffs(law), Kept, 2 * Moments * law.Types)
        {
            (_types, _pairs) = (law.Types, law.Types * law.Types);
            (_pairStride, _typeStride) = (_pairs + 16, _types + 16);
            T* pair = _pair.Require(Parameters * _pairStride), angle = _angle.Require(2L * _pairs * _typeStride);
            (_plainPowers, _oneExponential) = (true, true);
            for (int i = 0; i < _types; i++)
                for (int j = 0; j < _types; j++)
                {
                    var p = law.Pair(i, j);
                    int at = i * _types + j;
                    double[] row = [p.Range * p.Sigma, p.Sigma, p.Gamma * p.Sigma, p.A * p.Epsilon, p.B, p.P, p.Q];
                    for (int k = 0; k < Parameters; k++) pair[k * _pairStride + at] = T.CreateTruncating(row[k]);
                    _plainPowers &= p.P == 4 && p.Q == 0;
                    _oneExponential &= p.Gamma == 1.2;
                    for (int k = 0; k < _types; k++)
                    {
                        var (strength, cosine) = law.Angle(i, j, k);
                        T* to = angle + 2 * (j * _types + k) * _typeStride + i;
                        (to[0], to[_typeStride]) = (T.CreateTruncating(strength), T.CreateTruncating(cosine));
                    }
                }
        }

        /// <summary>Where what is left is below rounding.</summary>
        private static double[] Cutoffs(StillingerWeber law)
        {
            // e^−25 is far below the rounding of single precision, as e^−40 is of double.
            double least = typeof(T) == typeof(double) ? 40 : 25;
            double[] cut = [.. law.Cut];
            for (int at = 0; at < cut.Length; at++)
            {
                var p = law.Pair(at / law.Types, at % law.Types);
                cut[at] = Math.Max(0, Math.Min(cut[at], p.Sigma * (p.Range - Math.Clamp(p.Gamma, 1e-4, 1) / least)));
            }
            return cut;
        }

        protected override int Run(Scratch groups, out double energy) => _types == 1 ? Run<OneType>(groups, out energy) : Run<ManyTypes>(groups, out energy);

        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        private int Run<TTypes>(Scratch groups, out double energy) where TTypes : struct, ITypeCount
        {
            bool one = typeof(TTypes) == typeof(OneType);
            int w = Wide<T>.Width, types = one ? 1 : _types, pairs = one ? 1 : _pairs, stride = _pairStride;
            T* rows = Rows, forces = Forces, pair = _pair.Pointer, buffer = groups.Buffer, moments = buffer + (long)Kept * w * (groups.Deepest + 1), effective = moments + types * Moments * w;
            int* first = groups.First;
            bool plainPowers = _plainPowers, oneExponential = _oneExponential;
            Vector512<T> zero = Vector512<T>.Zero, unit = Vector512<T>.One, near = Wide<T>.Of(1e4), half = Wide<T>.Of(0.5), four = Wide<T>.Of(4);
            Lanes total = Lanes.Zero;
            for (int g = 0; g < groups.Groups; g++)
            {
                int* center = groups.Centers + g * w, neighbors = groups.Neighbors + (long)first[g] * w;
                int depth = first[g + 1] - first[g];
                Wide<T>.LoadRows(rows, center, out var xi, out var yi, out var zi, out var ti);
                Vector512<T> sum = zero;
                T* b = buffer;
                for (int k = 0; k < depth; k++, b += Kept * w)
                {
                    Wide<T>.LoadRows(rows, neighbors + k * w, out var dx, out var dy, out var dz, out var tj);
                    dx -= xi;
                    dy -= yi;
                    dz -= zi;
                    var r2 = Wide<T>.Dot(dx, dy, dz, dx, dy, dz);
                    var mask = Vector512.LessThan(r2, near);
                    var index = one ? zero : Wide<T>.Index(ti, types, tj);
                    Vector512<T> sigma = Wide<T>.Lookup(pair + Sigma * stride, pairs, index), ri = Wide<T>.ReciprocalSqrt(r2), r = r2 * ri;
                    var s = Wide<T>.Reciprocal(Vector512.ConditionalSelect(mask, r - Wide<T>.Lookup(pair + Range * stride, pairs, index), -unit));
                    Vector512<T> exp, h;
                    if (oneExponential)
                    {
                        // γ = 6/5 nearly everywhere: e^(σ/5(r−aσ)) to the fifth and the sixth.
                        Vector512<T> e1 = Wide<T>.Exp(s * sigma * Wide<T>.Of(0.2)), e2 = e1 * e1, e4 = e2 * e2;
                        (exp, h) = (e4 * e1, e4 * e2);
                    }
                    else (exp, h) = (Wide<T>.Exp(s * sigma), Wide<T>.Exp(s * Wide<T>.Lookup(pair + GammaSigma * stride, pairs, index)));
                    exp = exp & mask;
                    h = h & mask;
                    Vector512<T> br = Wide<T>.Lookup(pair + B * stride, pairs, index), cr = unit, slope, x = sigma * ri;
                    if (plainPowers)
                    {
                        x *= x;
                        br *= x * x;
                        slope = -four * br * ri;
                    }
                    else
                    {
                        Vector512<T> log = Wide<T>.Log(x), p = Wide<T>.Lookup(pair + P * stride, pairs, index), q = Wide<T>.Lookup(pair + Q * stride, pairs, index);
                        br *= Wide<T>.Exp(p * log);
                        cr = Wide<T>.Exp(q * log);
                        slope = Wide<T>.Fnma(p, br, q * cr) * ri;
                    }
                    exp *= Wide<T>.Lookup(pair + Depth * stride, pairs, index) * half;
                    var s2 = s * s;
                    sum = Wide<T>.Fma(exp, br - cr, sum);
                    (dx * ri).Store(b + Ux * w);
                    (dy * ri).Store(b + Uy * w);
                    (dz * ri).Store(b + Uz * w);
                    h.Store(b + H * w);
                    (h * ri).Store(b + HOverR * w);
                    (-h * s2 * Wide<T>.Lookup(pair + GammaSigma * stride, pairs, index)).Store(b + HSlope * w);
                    (exp * Wide<T>.Fnma((br - cr) * sigma, s2, slope)).Store(b + PairSlope * w);
                    if (!one) tj.Store(b + Kind * w);
                }

                for (int t = 0; t < types; t++)
                {
                    var kind = Wide<T>.Integer(t);
                    Vector512<T> xx = zero, yy = zero, zz = zero, xy = zero, xz = zero, yz = zero, vx = zero, vy = zero, vz = zero;
                    b = buffer;
                    for (int k = 0; k < depth; k++, b += Kept * w)
                    {
                        Vector512<T> ux = Vector512.Load(b + Ux * w), uy = Vector512.Load(b + Uy * w), uz = Vector512.Load(b + Uz * w), h = Vector512.Load(b + H * w);
                        if (!one) h = h & Wide<T>.Same(Vector512.Load(b + Kind * w), kind);
                        Vector512<T> hx = h * ux, hy = h * uy, hz = h * uz;
                        vx += hx;
                        vy += hy;
                        vz += hz;
                        xx = Wide<T>.Fma(hx, ux, xx);
                        yy = Wide<T>.Fma(hy, uy, yy);
                        zz = Wide<T>.Fma(hz, uz, zz);
                        xy = Wide<T>.Fma(hx, uy, xy);
                        xz = Wide<T>.Fma(hx, uz, xz);
                        yz = Wide<T>.Fma(hy, uz, yz);
                    }
                    T* m = moments + t * Moments * w;
                    xx.Store(m);
                    yy.Store(m + w);
                    zz.Store(m + 2 * w);
                    xy.Store(m + 3 * w);
                    xz.Store(m + 4 * w);
                    yz.Store(m + 5 * w);
                    vx.Store(m + V * w);
                    vy.Store(m + (V + 1) * w);
                    vz.Store(m + (V + 2) * w);
                    (xx + yy + zz).Store(m + S * w);
                }

                // What neighbours of type s feel: minus Σ_t λε (T_t, −2c V_t, c² S_t).
                for (int s = 0; s < types; s++)
                {
                    T* e = effective + s * Moments * w;
                    for (int m = 0; m < Moments; m++) zero.Store(e + m * w);
                    for (int t = 0; t < types; t++)
                    {
                        T* angle = _angle.Pointer + 2 * (s * types + t) * _typeStride, m = moments + t * Moments * w;
                        Vector512<T> strength = -Wide<T>.Lookup(angle, types, ti), c = Wide<T>.Lookup(angle + _typeStride, types, ti), c2 = Wide<T>.Of(-2) * c * strength;
                        for (int k = 0; k < V; k++) Wide<T>.Fma(strength, Vector512.Load(m + k * w), Vector512.Load(e + k * w)).Store(e + k * w);
                        for (int k = V; k < S; k++) Wide<T>.Fma(c2, Vector512.Load(m + k * w), Vector512.Load(e + k * w)).Store(e + k * w);
                        Wide<T>.Fma(strength * c * c, Vector512.Load(m + S * w), Vector512.Load(e + S * w)).Store(e + S * w);
                        if (s == t) (strength * (unit - c) * (unit - c)).Store(e + Self * w);
                    }
                }

                Vector512<T> fx = zero, fy = zero, fz = zero;
                b = buffer;
                {
                    Vector512<T> xx = Vector512.Load(effective), yy = Vector512.Load(effective + w), zz = Vector512.Load(effective + 2 * w);
                    Vector512<T> xy = Vector512.Load(effective + 3 * w), xz = Vector512.Load(effective + 4 * w), yz = Vector512.Load(effective + 5 * w);
                    Vector512<T> vx = Vector512.Load(effective + V * w), vy = Vector512.Load(effective + (V + 1) * w), vz = Vector512.Load(effective + (V + 2) * w);
                    Vector512<T> scalar = Vector512.Load(effective + S * w), self = Vector512.Load(effective + Self * w);
                    for (int k = 0; k < depth; k++, b += Kept * w)
                    {
                        if (!one)
                        {
                            var kind = Vector512.Load(b + Kind * w);
                            for (int s = 0; s < types; s++)
                            {
                                var same = Wide<T>.Same(kind, Wide<T>.Integer(s));
                                T* e = effective + s * Moments * w;
                                xx = Vector512.ConditionalSelect(same, Vector512.Load(e), xx);
                                yy = Vector512.ConditionalSelect(same, Vector512.Load(e + w), yy);
                                zz = Vector512.ConditionalSelect(same, Vector512.Load(e + 2 * w), zz);
                                xy = Vector512.ConditionalSelect(same, Vector512.Load(e + 3 * w), xy);
                                xz = Vector512.ConditionalSelect(same, Vector512.Load(e + 4 * w), xz);
                                yz = Vector512.ConditionalSelect(same, Vector512.Load(e + 5 * w), yz);
                                vx = Vector512.ConditionalSelect(same, Vector512.Load(e + V * w), vx);
                                vy = Vector512.ConditionalSelect(same, Vector512.Load(e + (V + 1) * w), vy);
                                vz = Vector512.ConditionalSelect(same, Vector512.Load(e + (V + 2) * w), vz);
                                scalar = Vector512.ConditionalSelect(same, Vector512.Load(e + S * w), scalar);
                                self = Vector512.ConditionalSelect(same, Vector512.Load(e + Self * w), self);
                            }
                        }
                        Vector512<T> ux = Vector512.Load(b + Ux * w), uy = Vector512.Load(b + Uy * w), uz = Vector512.Load(b + Uz * w), h = Vector512.Load(b + H * w), hr = Vector512.Load(b + HOverR * w);
                        Vector512<T> wx = Wide<T>.Dot(ux, uy, uz, xx, xy, xz), wy = Wide<T>.Dot(ux, uy, uz, xy, yy, yz), wz = Wide<T>.Dot(ux, uy, uz, xz, yz, zz);
                        Vector512<T> quadratic = Wide<T>.Dot(wx, wy, wz, ux, uy, uz), linear = Wide<T>.Dot(vx, vy, vz, ux, uy, uz);
                        // −∂E/∂h; times h and summed it is −2E, since E is quadratic in h.
                        var dh = Wide<T>.Fnma(self, h, quadratic + linear + scalar);
                        sum = Wide<T>.Fnma(h * half, dh, sum);
                        var along = Wide<T>.Fma(dh, Vector512.Load(b + HSlope * w), Wide<T>.Fnma(hr, quadratic + quadratic + linear, -Vector512.Load(b + PairSlope * w)));
                        Vector512<T> gx = Wide<T>.Fma(hr, wx + wx + vx, along * ux), gy = Wide<T>.Fma(hr, wy + wy + vy, along * uy), gz = Wide<T>.Fma(hr, wz + wz + vz, along * uz);
                        fx -= gx;
                        fy -= gy;
                        fz -= gz;
                        Wide<T>.AddRows(forces, neighbors + k * w, gx, gy, gz);
                    }
                }
                Wide<T>.AddRows(forces, center, fx, fy, fz);
                total += Wide<T>.Widen(sum);
            }
            energy = Vector512.Sum(total);
            Lanes probe = total;
            return (int)((nint)(&probe) & 63);
        }
    }
}
