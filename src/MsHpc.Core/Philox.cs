using System.Runtime.CompilerServices;

namespace MsHpc.Core;

/// <summary>
/// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11, 2011).
/// A number is a function of (seed, stream, step, position), so it does not depend on threads, ranks, order or restarts: atom 17 gets
/// the same kick in step 1000 whoever owns it. Two streams, or two steps, never share a counter.
/// <para>Key = seed (64 bits). Counter words: block number, low word of step, low word of stream, high halves of step and stream
/// (16 bits each): up to 2³⁴ 32-bit words per (stream, step), 2⁴⁸ streams and 2⁴⁸ steps.</para>
/// </summary>
/// <remarks>A mutable value: pass it by reference, or every copy repeats the numbers. Uniform numbers are the same bits everywhere; normal
/// ones use the C library's logarithm, sine and cosine and may differ in the last bits between machines.</remarks>
public struct Philox
{
    private readonly uint _key0, _key1, _step, _stream, _high;
    private uint _block;
    private int _left; // 64-bit words not yet handed out of _a, _b
    private ulong _a, _b;
    private double _spare;
    private bool _hasSpare;

    /// <param name="seed">The job's seed.</param>
    /// <param name="stream">Atom id, Gauss point id …: 0 ≤ stream &lt; 2⁴⁸.</param>
    /// <param name="step">Time step: 0 ≤ step &lt; 2⁴⁸.</param>
    /// <exception cref="ArgumentOutOfRangeException">Stream or step outside 48 bits.</exception>
    public Philox(ulong seed, long stream, long step)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)stream, 1UL << 48, nameof(stream));
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((ulong)step, 1UL << 48, nameof(step));
        unchecked
        {
            _key0 = (uint)seed;
            _key1 = (uint)(seed >> 32);
            _step = (uint)step;
            _stream = (uint)stream;
            _high = (uint)(step >> 32) | (uint)(stream >> 32) << 16;
        }
    }

    /// <summary>The bijection itself: ten rounds of Philox4x32.</summary>
    /// <param name="counter">Four counter words, word 0 first.</param>
    /// <param name="key">Two key words.</param>
    /// <returns>Four random words, in the order of Random123.</returns>
    public static (uint W0, uint W1, uint W2, uint W3) Block((uint C0, uint C1, uint C2, uint C3) counter, (uint K0, uint K1) key)
    {
        unchecked
        {
            var (c0, c1, c2, c3) = counter;
            var (k0, k1) = key;
            for (int round = 0; round < 10; round++)
            {
                ulong p0 = 0xD2511F53UL * c0, p1 = 0xCD9E8D57UL * c2;
                (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
                k0 += 0x9E3779B9; // golden ratio
                k1 += 0xBB67AE85; // √3 − 1
            }
            return (c0, c1, c2, c3);
        }
    }

    /// <summary>Next 64 random bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong NextBits()
    {
        if (_left == 0)
        {
            var (w0, w1, w2, w3) = Block((_block, _step, _stream, _high), (_key0, _key1));
            _block = checked(_block + 1);
            _a = w0 | (ulong)w1 << 32;
            _b = w2 | (ulong)w3 << 32;
            _left = 2;
        }
        return _left-- == 2 ? _a : _b;
    }

    /// <summary>Uniform in [0, 1), a multiple of 2⁻⁵³.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public double NextDouble() => (NextBits() >> 11) * 1.1102230246251565e-16;

    /// <summary>Standard normal, by Box and Muller (Ann. Math. Stat. 29, 610, 1958): √(−2 ln u) · (cos 2πv, sin 2πv), u in (0, 1].
    /// |x| ≤ 8.6.</summary>
    public double NextNormal()
    {
        if (_hasSpare)
        {
            _hasSpare = false;
            return _spare;
        }
        double radius = Math.Sqrt(-2 * Math.Log(1 - NextDouble()));
        var (sin, cos) = Math.SinCos(2 * Math.PI * NextDouble());
        _spare = radius * sin;
        _hasSpare = true;
        return radius * cos;
    }

    /// <summary>Uniform integer in 0 … bound − 1, by multiplication with the top 64 bits (bias below bound · 2⁻⁶⁴).</summary>
    /// <param name="bound">At least one.</param>
    /// <exception cref="ArgumentOutOfRangeException">Bound below one.</exception>
    public long NextIndex(long bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (long)Math.BigMul(NextBits(), (ulong)bound, out _);
    }
}
