using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core;

/// <summary>
/// Discrete Fourier transform of eight lines at once, one in each lane: y_k = Σ_j x_j exp(∓2πi jk/n), not normalised. Any n; fast for
/// products of 2, 3, 4, 5. Stockham's self-sorting algorithm (see C. Van Loan, Computational Frameworks for the FFT, SIAM 1992, section 1.7).
/// </summary>
/// <remarks>Complex vectors are pairs of <c>Lanes</c>: 8 real, then 8 imaginary parts. The eight lines of a grid that lie side by side in memory need no
/// transposition, which is why this beats a library that transforms line after line.</remarks>
public sealed unsafe class LaneFft
{
    private readonly int[] _radices;
    private readonly double[] _twiddles;
    private readonly AlignedArray<double> _a = new(), _b = new();

    /// <param name="length">n.</param>
    public LaneFft(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        Length = length;
        var radices = new List<int>();
        int rest = length;
        foreach (int r in (int[])[4, 5, 3, 2])
            for (; rest % r == 0; rest /= r) radices.Add(r);
        for (int r = 7; rest > 1; r += 2)
            for (; rest % r == 0; rest /= r) radices.Add(r);
        _radices = [.. radices];
        // Twiddles of each stage: w^(p k), p = 0 … m − 1, k = 0 … r − 1, w = exp(−2πi/(r m)); behind them the roots of r.
        var twiddles = new List<double>();
        int n = length;
        foreach (int r in _radices)
        {
            int m = n / r;
            for (int p = 0; p < m; p++)
                for (int k = 0; k < r; k++) Add(p * k % n, n);
            for (int k = 0; k < r; k++) Add(k, r);
            n = m;
        }
        _twiddles = [.. twiddles];
        _a.Require(16L * length);
        _b.Require(16L * length);

        void Add(int k, int of)
        {
            var (sin, cos) = Math.SinCos(2 * Math.PI * k / of);
            twiddles.Add(cos);
            twiddles.Add(-sin);
        }
    }

    /// <summary>n.</summary>
    public int Length { get; }

    /// <summary>Transforms; input and output may be the same.</summary>
    /// <param name="source">Element j at source + j·<paramref name="sourceStride"/>: 16 numbers.</param>
    /// <param name="sourceStride">In numbers.</param>
    /// <param name="target">Element k at target + k·<paramref name="targetStride"/>.</param>
    /// <param name="targetStride">In numbers.</param>
    /// <param name="inverse">Sign of the exponent: + when set.</param>
    public void Transform(double* source, int sourceStride, double* target, int targetStride, bool inverse)
    {
        // Exchanging real and imaginary parts of input and output turns one sign into the other.
        int re = inverse ? 8 : 0, im = 8 - re, s = 1, n = Length;
        if (_radices.Length == 0)
        {
            new Span<double>(source, 16).CopyTo(new Span<double>(target, 16));
            return;
        }
        fixed (double* first = _twiddles)
        {
            double* w = first;
            for (int stage = 0; stage < _radices.Length; stage++)
            {
                int r = _radices[stage], m = n / r;
                bool last = stage == _radices.Length - 1;
                double* to = last ? (stage == 0 && source == target ? _a.Pointer : target) : stage % 2 == 0 ? _a.Pointer : _b.Pointer;
                int toStride = last && to == target ? targetStride : 16;
                if (r == 4) Four(source, sourceStride, to, toStride, s, m, w, re, im);
                else if (r == 2) Two(source, sourceStride, to, toStride, s, m, w, re, im);
                else if (r == 3) Three(source, sourceStride, to, toStride, s, m, w, re, im);
                else if (r == 5) Five(source, sourceStride, to, toStride, s, m, w, re, im);
                else Any(source, sourceStride, to, toStride, s, m, r, w, re, im);
                if (last && to != target)
                    for (int k = 0; k < Length; k++) new Span<double>(to + 16 * k, 16).CopyTo(new Span<double>(target + k * targetStride, 16));
                source = to;
                sourceStride = toStride;
                w += 2 * (m * r + r);
                s *= r;
                n = m;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(double* to, int re, int im, Lanes x, Lanes y, Lanes c, Lanes s)
    {
        Lane.Fnma(y, s, x * c).Store(to + re);
        Lane.Fma(y, c, x * s).Store(to + im);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Two(double* x, int sx, double* y, int sy, int s, int m, double* w, int re, int im)
    {
        for (int p = 0; p < m; p++, w += 4)
        {
            Lanes c = Lane.Of(w[2]), d = Lane.Of(w[3]);
            for (int q = 0; q < s; q++)
            {
                double* f = x + (q + s * p) * sx, g = f + s * m * sx, to = y + (q + s * 2 * p) * sy;
                Lanes ar = Vector512.Load(f + re), ai = Vector512.Load(f + im), br = Vector512.Load(g + re), bi = Vector512.Load(g + im);
                (ar + br).Store(to + re);
                (ai + bi).Store(to + im);
                Put(to + s * sy, re, im, ar - br, ai - bi, c, d);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Three(double* x, int sx, double* y, int sy, int s, int m, double* w, int re, int im)
    {
        Lanes half = Lane.Of(-0.5), root = Lane.Of(Math.Sqrt(0.75));
        for (int p = 0; p < m; p++, w += 6)
        {
            Lanes c1 = Lane.Of(w[2]), d1 = Lane.Of(w[3]), c2 = Lane.Of(w[4]), d2 = Lane.Of(w[5]);
            for (int q = 0; q < s; q++)
            {
                double* f = x + (q + s * p) * sx, g = f + s * m * sx, h = g + s * m * sx, to = y + (q + s * 3 * p) * sy;
                Lanes ar = Vector512.Load(f + re), ai = Vector512.Load(f + im);
                Lanes pr = Vector512.Load(g + re) + Vector512.Load(h + re), pi = Vector512.Load(g + im) + Vector512.Load(h + im);
                Lanes nr = (Vector512.Load(g + re) - Vector512.Load(h + re)) * root, ni = (Vector512.Load(g + im) - Vector512.Load(h + im)) * root;
                (ar + pr).Store(to + re);
                (ai + pi).Store(to + im);
                Lanes mr = Lane.Fma(pr, half, ar), mi = Lane.Fma(pi, half, ai);
                Put(to + s * sy, re, im, mr + ni, mi - nr, c1, d1);
                Put(to + 2 * s * sy, re, im, mr - ni, mi + nr, c2, d2);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(double* x, int sx, double* y, int sy, int s, int m, double* w, int re, int im)
    {
        for (int p = 0; p < m; p++, w += 8)
        {
            Lanes c1 = Lane.Of(w[2]), d1 = Lane.Of(w[3]), c2 = Lane.Of(w[4]), d2 = Lane.Of(w[5]), c3 = Lane.Of(w[6]), d3 = Lane.Of(w[7]);
            for (int q = 0; q < s; q++)
            {
                double* f = x + (q + s * p) * sx, g = f + s * m * sx, h = g + s * m * sx, k = h + s * m * sx, to = y + (q + s * 4 * p) * sy;
                Lanes ar = Vector512.Load(f + re), ai = Vector512.Load(f + im), br = Vector512.Load(g + re), bi = Vector512.Load(g + im);
                Lanes cr = Vector512.Load(h + re), ci = Vector512.Load(h + im), er = Vector512.Load(k + re), ei = Vector512.Load(k + im);
                Lanes pr = ar + cr, pi = ai + ci, mr = ar - cr, mi = ai - ci, ur = br + er, ui = bi + ei, vr = br - er, vi = bi - ei;
                (pr + ur).Store(to + re);
                (pi + ui).Store(to + im);
                Put(to + s * sy, re, im, mr + vi, mi - vr, c1, d1);
                Put(to + 2 * s * sy, re, im, pr - ur, pi - ui, c2, d2);
                Put(to + 3 * s * sy, re, im, mr - vi, mi + vr, c3, d3);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Five(double* x, int sx, double* y, int sy, int s, int m, double* w, int re, int im)
    {
        Lanes u1 = Lane.Of(Math.Cos(0.4 * Math.PI)), u2 = Lane.Of(Math.Cos(0.8 * Math.PI)), v1 = Lane.Of(Math.Sin(0.4 * Math.PI)), v2 = Lane.Of(Math.Sin(0.8 * Math.PI));
        for (int p = 0; p < m; p++, w += 10)
            for (int q = 0; q < s; q++)
            {
                double* f = x + (q + s * p) * sx, to = y + (q + s * 5 * p) * sy;
                int step = s * m * sx, out1 = s * sy;
                Lanes ar = Vector512.Load(f + re), ai = Vector512.Load(f + im);
                Lanes br = Vector512.Load(f + step + re), bi = Vector512.Load(f + step + im), er = Vector512.Load(f + 4 * step + re), ei = Vector512.Load(f + 4 * step + im);
                Lanes cr = Vector512.Load(f + 2 * step + re), ci = Vector512.Load(f + 2 * step + im), dr = Vector512.Load(f + 3 * step + re), di = Vector512.Load(f + 3 * step + im);
                Lanes pr = br + er, pi = bi + ei, nr = br - er, ni = bi - ei, sr = cr + dr, si = ci + di, tr = cr - dr, ti = ci - di;
                (ar + pr + sr).Store(to + re);
                (ai + pi + si).Store(to + im);
                Lanes gr = Lane.Fma(u1, pr, Lane.Fma(u2, sr, ar)), gi = Lane.Fma(u1, pi, Lane.Fma(u2, si, ai)), hr = Lane.Fma(v1, nr, v2 * tr), hi = Lane.Fma(v1, ni, v2 * ti);
                Lanes kr = Lane.Fma(u2, pr, Lane.Fma(u1, sr, ar)), ki = Lane.Fma(u2, pi, Lane.Fma(u1, si, ai)), lr = Lane.Fnma(v1, tr, v2 * nr), li = Lane.Fnma(v1, ti, v2 * ni);
                Put(to + out1, re, im, gr + hi, gi - hr, Lane.Of(w[2]), Lane.Of(w[3]));
                Put(to + 2 * out1, re, im, kr + li, ki - lr, Lane.Of(w[4]), Lane.Of(w[5]));
                Put(to + 3 * out1, re, im, kr - li, ki + lr, Lane.Of(w[6]), Lane.Of(w[7]));
                Put(to + 4 * out1, re, im, gr - hi, gi + hr, Lane.Of(w[8]), Lane.Of(w[9]));
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Any(double* x, int sx, double* y, int sy, int s, int m, int r, double* w, int re, int im)
    {
        double* roots = w + 2 * m * r;
        for (int p = 0; p < m; p++, w += 2 * r)
            for (int q = 0; q < s; q++)
                for (int k = 0; k < r; k++)
                {
                    Lanes ar = Lanes.Zero, ai = Lanes.Zero;
                    for (int j = 0, jk = 0; j < r; j++, jk = (jk + k) % r)
                    {
                        double* f = x + (q + s * (p + m * j)) * sx;
                        Lanes br = Vector512.Load(f + re), bi = Vector512.Load(f + im), c = Lane.Of(roots[2 * jk]), d = Lane.Of(roots[2 * jk + 1]);
                        ar = Lane.Fnma(bi, d, Lane.Fma(br, c, ar));
                        ai = Lane.Fma(bi, c, Lane.Fma(br, d, ai));
                    }
                    Put(y + (q + s * (r * p + k)) * sy, re, im, ar, ai, Lane.Of(w[2 * k]), Lane.Of(w[2 * k + 1]));
                }
    }
}
