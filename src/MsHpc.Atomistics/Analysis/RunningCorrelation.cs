using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Analysis;

/// <summary>
/// ⟨|r(t₀ + t) − r(t₀)|²⟩ or ⟨v(t₀ + t)·v(t₀)⟩ over atoms and all starting times t₀ while a run goes on, for delays up to a window: only as many frames are kept.
/// Every frame is a start. The same averages as of <see cref="TimeCorrelation"/> over the whole trajectory.
/// </summary>
public sealed class RunningCorrelation
{
    private readonly bool _displacement;
    private readonly int _length;
    private readonly double[] _ring, _sums, _counts, _frames = new double[1];

    /// <param name="atoms">Number of atoms.</param>
    /// <param name="window">Longest delay, frames.</param>
    /// <param name="displacement">Square of the difference, of positions; otherwise product, of velocities.</param>
    /// <exception cref="InputException">No atoms or no window.</exception>
    public RunningCorrelation(int atoms, int window, bool displacement)
    {
        if (atoms < 1 || window < 1) throw new InputException($"a time correlation of {atoms} atoms over {window} frames: both must be positive");
        (_length, _displacement) = (3 * atoms, displacement);
        (_ring, _sums, _counts) = (new double[(window + 1) * 3 * atoms], new double[window + 1], new double[window + 1]);
    }

    /// <summary>What a restart needs; written to in place.</summary>
    public IReadOnlyList<double[]> State => [_ring, _sums, _counts, _frames];

    /// <summary>Adds the next frame.</summary>
    /// <param name="values">x, y, z of all atoms.</param>
    /// <param name="group">The atoms that count, as indices; null: all.</param>
    public void Add(double[] values, int[]? group = null)
    {
        int window = _counts.Length, frame = (int)_frames[0];
        var now = _ring.AsSpan(frame % window * _length, _length);
        if (group is null) values.CopyTo(now);
        else for (int n = 0; n < group.Length; n++) values.AsSpan(3 * group[n], 3).CopyTo(now[(3 * n)..]);
        for (int delay = 0; delay < window && delay <= frame; delay++)
        {
            var then = _ring.AsSpan((frame - delay) % window * _length, _length);
            _sums[delay] += 3 * (_displacement ? Sum<Displacement>(now, then) : Sum<Product>(now, then)) / _length;
            _counts[delay]++;
        }
        _frames[0]++;
    }

    private interface ITerm { static abstract Lanes Of(Lanes now, Lanes then); }
    private readonly struct Displacement : ITerm { public static Lanes Of(Lanes now, Lanes then) => (now - then) * (now - then); }
    private readonly struct Product : ITerm { public static Lanes Of(Lanes now, Lanes then) => now * then; }

    /// <summary>Every delay costs as much as the memory it reads: eight numbers at a time, in two sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Sum<TTerm>(ReadOnlySpan<double> now, ReadOnlySpan<double> then) where TTerm : struct, ITerm
    {
        Lanes even = Lanes.Zero, odd = Lanes.Zero;
        int k = 0;
        for (; k + 16 <= now.Length; k += 16)
        {
            even += TTerm.Of(Vector512.Create(now[k..]), Vector512.Create(then[k..]));
            odd += TTerm.Of(Vector512.Create(now[(k + 8)..]), Vector512.Create(then[(k + 8)..]));
        }
        double sum = Vector512.Sum(even + odd);
        for (; k < now.Length; k++) sum += TTerm.Of(Vector512.CreateScalar(now[k]), Vector512.CreateScalar(then[k]))[0];
        return sum;
    }

    /// <summary>The average for delays of 0, 1, 2 … frames, as far as there are any: Å² or Å²/fs².</summary>
    public double[] Result() => [.. _sums.Zip(_counts).Where(p => p.Second > 0).Select(p => p.First / p.Second)];
}
