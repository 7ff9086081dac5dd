using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>The first three normal numbers of eight streams at once: those of <see cref="Philox.NextNormal"/>, to the rounding of logarithm and sine.</summary>
internal static class WideNormals
{
    private static readonly Vector512<ulong> s_low = Vector512.Create(0xFFFFFFFFUL);

    /// <param name="seed">Seed.</param>
    /// <param name="streams">Stream of each lane.</param>
    /// <param name="step">Step.</param>
    /// <param name="x">First numbers.</param>
    /// <param name="y">Second numbers.</param>
    /// <param name="z">Third numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Next(ulong seed, Vector512<long> streams, long step, out Lanes x, out Lanes y, out Lanes z)
    {
        var stream = streams.AsUInt64();
        Block(0, seed, stream, (ulong)step, out var u, out var v);
        Pair(u, v, out x, out y);
        Block(1, seed, stream, (ulong)step, out u, out v);
        Pair(u, v, out z, out _);
    }

    /// <summary>Ten rounds of Philox4x32, one 64-bit lane per 32-bit word; two uniform numbers in [0, 1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block(ulong number, ulong seed, Vector512<ulong> stream, ulong step, out Lanes u, out Lanes v)
    {
        var low = s_low;
        Vector512<ulong> c0 = Vector512.Create(number), c1 = Vector512.Create(step & 0xFFFFFFFF), c2 = stream & low;
        var c3 = (Vector512.Create(step >> 32) | stream >> 32 << 16) & low;
        uint k0 = (uint)(seed & 0xFFFFFFFF), k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            var p0 = c0 * 0xD2511F53UL;
            var p1 = c2 * 0xCD9E8D57UL;
            c0 = p1 >> 32 ^ c1 ^ Vector512.Create((ulong)k0);
            c1 = p1 & low;
            c2 = p0 >> 32 ^ c3 ^ Vector512.Create((ulong)k1);
            c3 = p0 & low;
            unchecked
            {
                k0 += 0x9E3779B9;
                k1 += 0xBB67AE85;
            }
        }
        u = Vector512.ConvertToDouble((c0 | c1 << 32) >> 11) * 1.1102230246251565e-16;
        v = Vector512.ConvertToDouble((c2 | c3 << 32) >> 11) * 1.1102230246251565e-16;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pair(Lanes u, Lanes v, out Lanes cosine, out Lanes sine)
    {
        var radius = Vector512.Sqrt(Vector512.Log(Lanes.One - u) * -2.0);
        var (s, c) = Vector512.SinCos(v * (2 * Math.PI));
        cosine = radius * c;
        sine = radius * s;
    }
}
