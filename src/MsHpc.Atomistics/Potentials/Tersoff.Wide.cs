using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

public sealed unsafe partial class Tersoff
{
    /// <summary>Lanes are central atoms, their neighbours lie in layers; for each layer j one pass over the others for ζ, one for what it moves.</summary>
    private sealed class Kernel<T> : Shells<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        // Numbers per layer: geometry, the switch of the bond, the gradient; and of the terms of one ζ: cosine, ∂/∂r_ik, ∂/∂cos.
        private const int Ux = 0, Uy = 1, Uz = 2, R = 3, InverseR = 4, Fc = 5, FcSlope = 6, Kind = 7, Gx = 8, Gy = 9, Gz = 10, Cos = 11, Dk = 12, Dc = 13, Kept = 14;

        // Parameters of a triplet.
        private const int Middle = 0, InverseWidth = 1, GMost = 2, GC2 = 3, D2 = 4, H = 5, Lambda3 = 6, M = 7, N = 8, Half1OverN = 9, Beta = 10, Least = 11, Lambda1 = 12, Lambda2 = 13, A = 14, B = 15,
            Parameters = 16;

        private readonly int _types, _triplets, _stride;
        private readonly bool _ownSwitch, _exponential, _cubes, _linear;
        private readonly AlignedArray<T> _table = new();

        public Kernel(Tersoff law) : base(law.Types, law.Cut, Kept)
        {
            _types = law.Types;
            _triplets = _types * _types * _types;
            _stride = _triplets + 16;
            T* table = _table.Require(Parameters * _stride);
            for (int i = 0; i < _types; i++)
                for (int j = 0; j < _types; j++)
                    for (int k = 0; k < _types; k++)
                    {
                        TersoffTriplet p = law.Triplet(i, j, k), own = law.Triplet(i, k, k);
                        double c2 = p.C * p.C, d2 = p.C == 0 ? 1 : p.D * p.D, n = p.Beta > 0 && p.N > 0 ? p.N : 1;
                        double least = Math.Pow(2 * n * Rounding, 1 / n);
                        if (typeof(T) == typeof(float)) least = Math.Max(least, 1e-25);
                        double[] row = [p.R, p.HalfWidth > 0 ? 1 / p.HalfWidth : 1e30, p.Gamma * (1 + c2 / d2), p.Gamma * c2, d2, p.Cosine, p.Lambda3, p.M, n, 0.5 / n, p.Beta, least, p.Lambda1, p.Lambda2, 0.5 * p.A, 0.5 * p.B];
                        for (int q = 0; q < Parameters; q++) table[q * _stride + (i * _types + j) * _types + k] = T.CreateTruncating(row[q]);
                        _ownSwitch |= p.R != own.R || p.HalfWidth != own.HalfWidth;
                        if (p.Lambda3 == 0) continue;
                        _exponential = true;
                        _cubes |= p.M == 3;
                        _linear |= p.M == 1;
                    }
        }

        protected override int Run(Scratch groups, out double energy) => _types == 1 ? Run<OneType>(groups, out energy) : Run<ManyTypes>(groups, out energy);

        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        private int Run<TTypes>(Scratch groups, out double energy) where TTypes : struct, ITypeCount
        {
            bool one = typeof(TTypes) == typeof(OneType), ownSwitch = !one && _ownSwitch, exponential = _exponential, cubes = _cubes, linear = _linear;
            int w = Wide<T>.Width, types = one ? 1 : _types, count = one ? 1 : _triplets, stride = _stride, layer = Kept * w;
            T* rows = Rows, forces = Forces, table = _table.Pointer, buffer = groups.Buffer;
            int* first = groups.First;
            Vector512<T> zero = Vector512<T>.Zero, unit = Vector512<T>.One, far = Wide<T>.Of(100), limit = Wide<T>.Of(typeof(T) == typeof(double) ? Limit : 40);
            Lanes total = Lanes.Zero;
            for (int g = 0; g < groups.Groups; g++)
            {
                int* center = groups.Centers + g * w, neighbors = groups.Neighbors + (long)first[g] * w;
                T* end = buffer + (first[g + 1] - first[g]) * layer;
                Wide<T>.LoadRows(rows, center, out var xi, out var yi, out var zi, out var ti);
                int* next = neighbors;
                for (T* b = buffer; b < end; b += layer, next += w)
                {
                    Wide<T>.LoadRows(rows, next, out var dx, out var dy, out var dz, out var tj);
                    dx -= xi;
                    dy -= yi;
                    dz -= zi;
                    Vector512<T> r2 = Wide<T>.Dot(dx, dy, dz, dx, dy, dz), ri = Wide<T>.ReciprocalSqrt(r2);
                    // Dummies are 10⁷ Å away, too far for powers in single precision.
                    var r = Vector512.MinNative(r2 * ri, far);
                    var index = one ? zero : Wide<T>.Index(Wide<T>.Index(ti, types, tj), types, tj);
                    Switch(r, Wide<T>.Lookup(table + Middle * stride, count, index), Wide<T>.Lookup(table + InverseWidth * stride, count, index), out var fc, out var fcSlope);
                    (dx * ri).Store(b + Ux * w);
                    (dy * ri).Store(b + Uy * w);
                    (dz * ri).Store(b + Uz * w);
                    r.Store(b + R * w);
                    ri.Store(b + InverseR * w);
                    fc.Store(b + Fc * w);
                    fcSlope.Store(b + FcSlope * w);
                    tj.Store(b + Kind * w);
                    zero.Store(b + Gx * w);
                    zero.Store(b + Gy * w);
                    zero.Store(b + Gz * w);
                }

                Vector512<T> sum = zero;
                for (T* b = buffer; b < end; b += layer)
                {
                    Vector512<T> ux = Vector512.Load(b + Ux * w), uy = Vector512.Load(b + Uy * w), uz = Vector512.Load(b + Uz * w), r = Vector512.Load(b + R * w), ri = Vector512.Load(b + InverseR * w);
                    Vector512<T> tj = Vector512.Load(b + Kind * w), pair = one ? zero : Wide<T>.Index(ti, types, tj), zeta = zero, bondDj = zero, bondDc = zero;
                    Vector512<T> sx = zero, sy = zero, sz = zero;
                    for (T* k = buffer; k < end; k += layer)
                    {
                        if (k == b) continue;
                        var index = one ? zero : Wide<T>.Index(pair, types, Vector512.Load(k + Kind * w));
                        Vector512<T> vx = Vector512.Load(k + Ux * w), vy = Vector512.Load(k + Uy * w), vz = Vector512.Load(k + Uz * w), rk = Vector512.Load(k + R * w);
                        Vector512<T> fc = Vector512.Load(k + Fc * w), fcSlope = Vector512.Load(k + FcSlope * w);
                        if (ownSwitch) Switch(rk, Wide<T>.Lookup(table + Middle * stride, count, index), Wide<T>.Lookup(table + InverseWidth * stride, count, index), out fc, out fcSlope);
                        Vector512<T> cosine = Wide<T>.Dot(ux, uy, uz, vx, vy, vz), difference = Wide<T>.Lookup(table + H * stride, count, index) - cosine;
                        var q = Wide<T>.Reciprocal(Wide<T>.Fma(difference, difference, Wide<T>.Lookup(table + D2 * stride, count, index)));
                        var c2q = Wide<T>.Lookup(table + GC2 * stride, count, index) * q;
                        Vector512<T> value = Wide<T>.Lookup(table + GMost * stride, count, index) - c2q, slope = Wide<T>.Of(-2) * difference * c2q * q, dj = zero;
                        if (exponential)
                        {
                            Vector512<T> lambda = Wide<T>.Lookup(table + Lambda3 * stride, count, index), x = lambda * (r - rk), exponent = x, relative = lambda;
                            if (cubes)
                            {
                                Vector512<T> x2 = x * x, cube = x2 * x, three = Wide<T>.Of(3) * lambda * x2;
                                var isCube = linear ? Vector512.GreaterThan(Wide<T>.Lookup(table + M * stride, count, index), Wide<T>.Of(2)) : Vector512<T>.AllBitsSet;
                                exponent = Vector512.ConditionalSelect(isCube, cube, exponent);
                                relative = Vector512.ConditionalSelect(isCube, three, relative);
                            }
                            var e = Wide<T>.Exp(Vector512.MaxNative(Vector512.MinNative(exponent, limit), -limit));
                            value *= e;
                            slope *= e;
                            dj = fc * value * relative;
                        }
                        zeta = Wide<T>.Fma(fc, value, zeta);
                        slope *= fc;
                        bondDj += dj;
                        bondDc = Wide<T>.Fma(slope, cosine, bondDc);
                        sx = Wide<T>.Fma(slope, vx, sx);
                        sy = Wide<T>.Fma(slope, vy, sy);
                        sz = Wide<T>.Fma(slope, vz, sz);
                        cosine.Store(k + Cos * w);
                        Wide<T>.Fma(fcSlope, value, -dj).Store(k + Dk * w);
                        slope.Store(k + Dc * w);
                    }

                    {
                        Vector512<T> fc = Vector512.Load(b + Fc * w), fcSlope = Vector512.Load(b + FcSlope * w);
                        var index = one ? zero : Wide<T>.Index(pair, types, tj);
                        Vector512<T> lambda1 = Wide<T>.Lookup(table + Lambda1 * stride, count, index), lambda2 = Wide<T>.Lookup(table + Lambda2 * stride, count, index);
                        Vector512<T> repulsive = Wide<T>.Lookup(table + A * stride, count, index) * Wide<T>.Exp(-lambda1 * r), attractive = Wide<T>.Lookup(table + B * stride, count, index) * Wide<T>.Exp(-lambda2 * r);

                        // b = (1 + t)^(−1/2n) with t = (βζ)ⁿ, by logarithms and e^−|ln t|, which cannot overflow.
                        Vector512<T> beta = Wide<T>.Lookup(table + Beta * stride, count, index), x = Vector512.MaxNative(beta * zeta, Wide<T>.Of(1e-37)), least = Wide<T>.Lookup(table + Least * stride, count, index);
                        Vector512<T> logT = Wide<T>.Lookup(table + N * stride, count, index) * Wide<T>.Log(x), small = Wide<T>.Exp(-Vector512.Abs(logT)), more = unit + small;
                        var isLarge = Vector512.GreaterThan(logT, zero);
                        var log1 = Vector512.MaxNative(logT, zero) + Wide<T>.Log(more);
                        var share = Vector512.ConditionalSelect(isLarge, unit, small) * Wide<T>.Reciprocal(more);
                        var order = Wide<T>.Exp(-Wide<T>.Lookup(table + Half1OverN * stride, count, index) * log1);
                        var isBond = Vector512.GreaterThanOrEqual(x, least);
                        var orderSlope = (Wide<T>.Of(-0.5) * order * share * beta * Wide<T>.Reciprocal(Vector512.ConditionalSelect(isBond, x, unit))) & isBond;

                        sum = Wide<T>.Fma(fc, Wide<T>.Fnma(order, attractive, repulsive), sum);
                        var radial = repulsive * Wide<T>.Fnma(lambda1, fc, fcSlope) - order * attractive * Wide<T>.Fnma(lambda2, fc, fcSlope);
                        var dZeta = -fc * attractive * orderSlope;
                        Vector512<T> across = dZeta * ri, along = Wide<T>.Fma(dZeta, Wide<T>.Fnma(ri, bondDc, bondDj), radial);
                        (Vector512.Load(b + Gx * w) + Wide<T>.Fma(along, ux, across * sx)).Store(b + Gx * w);
                        (Vector512.Load(b + Gy * w) + Wide<T>.Fma(along, uy, across * sy)).Store(b + Gy * w);
                        (Vector512.Load(b + Gz * w) + Wide<T>.Fma(along, uz, across * sz)).Store(b + Gz * w);
                        for (T* k = buffer; k < end; k += layer)
                        {
                            if (k == b) continue;
                            Vector512<T> c = dZeta * Vector512.Load(k + Dc * w) * Vector512.Load(k + InverseR * w);
                            var own = Wide<T>.Fnma(c, Vector512.Load(k + Cos * w), dZeta * Vector512.Load(k + Dk * w));
                            Wide<T>.Fma(own, Vector512.Load(k + Ux * w), Wide<T>.Fma(c, ux, Vector512.Load(k + Gx * w))).Store(k + Gx * w);
                            Wide<T>.Fma(own, Vector512.Load(k + Uy * w), Wide<T>.Fma(c, uy, Vector512.Load(k + Gy * w))).Store(k + Gy * w);
                            Wide<T>.Fma(own, Vector512.Load(k + Uz * w), Wide<T>.Fma(c, uz, Vector512.Load(k + Gz * w))).Store(k + Gz * w);
                        }
                    }
                }

                Vector512<T> fx = zero, fy = zero, fz = zero;
                next = neighbors;
                for (T* b = buffer; b < end; b += layer, next += w)
                {
                    Vector512<T> gx = Vector512.Load(b + Gx * w), gy = Vector512.Load(b + Gy * w), gz = Vector512.Load(b + Gz * w);
                    fx += gx;
                    fy += gy;
                    fz += gz;
                    Wide<T>.AddRows(forces, next, -gx, -gy, -gz);
                }
                Wide<T>.AddRows(forces, center, fx, fy, fz);
                total += Wide<T>.Widen(sum);
            }
            energy = Vector512.Sum(total);
            Lanes probe = total;
            return (int)((nint)(&probe) & 63);
        }

        /// <summary>f_C and its derivative; with y = π (r − R)/4D the sine is 2 sin y cos y, of arguments small enough for short series.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Switch(Vector512<T> r, Vector512<T> middle, Vector512<T> inverseWidth, out Vector512<T> value, out Vector512<T> slope)
        {
            Vector512<T> unit = Vector512<T>.One, t = (r - middle) * inverseWidth;
            Vector512<T> isInside = Vector512.LessThan(Vector512.Abs(t), unit);
            value = unit & Vector512.LessThan(t, Vector512<T>.Zero);
            slope = Vector512<T>.Zero;
            if (isInside == Vector512<T>.Zero) return;
            Vector512<T> y = Wide<T>.Of(Math.PI / 4) * (t & isInside), z = y * y;
            var sin = Wide<T>.Fma(z, Wide<T>.Of(-1 / 1307674368000.0), Wide<T>.Of(1 / 6227020800.0));
            sin = Wide<T>.Fma(z, sin, Wide<T>.Of(-1 / 39916800.0));
            sin = Wide<T>.Fma(z, sin, Wide<T>.Of(1 / 362880.0));
            sin = Wide<T>.Fma(z, sin, Wide<T>.Of(-1 / 5040.0));
            sin = Wide<T>.Fma(z, sin, Wide<T>.Of(1 / 120.0));
            sin = Wide<T>.Fma(z, sin, Wide<T>.Of(-1 / 6.0));
            sin = Wide<T>.Fma(z * y, sin, y);
            var sin2 = sin * sin;
            // |y| ≤ π/4, where the cosine is not small.
            var cos = Vector512.Sqrt(unit - sin2);
            value = Vector512.ConditionalSelect(isInside, Wide<T>.Fnma(sin, cos, Wide<T>.Of(0.5)), value);
            slope = (Wide<T>.Of(-Math.PI / 4) * inverseWidth * Wide<T>.Fnma(sin2, Wide<T>.Of(2), unit)) & isInside;
        }
    }
}
