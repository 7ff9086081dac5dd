using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core.Sparse;

/// <summary>Vector kernels of the Krylov methods. Sums run in fixed chunks of eight-lane accumulators: same input, same bits.</summary>
public static class Vec
{
    /// <summary>Entries per partial sum.</summary>
    private const int Chunk = 4096;

    /// <summary>xᵀ y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        if (y.Length < x.Length) throw new ArgumentException($"dot product of lengths {x.Length} and {y.Length}");
        double total = 0;
        for (int begin = 0; begin < x.Length; begin += Chunk)
        {
            int length = Math.Min(Chunk, x.Length - begin);
            ref double a = ref Unsafe.Add(ref MemoryMarshal.GetReference(x), begin);
            ref double b = ref Unsafe.Add(ref MemoryMarshal.GetReference(y), begin);
            Lanes s0 = Lanes.Zero, s1 = Lanes.Zero;
            int i = 0;
            for (; i + 16 <= length; i += 16)
            {
                s0 = Lane.Fma(Vector512.LoadUnsafe(ref a, (nuint)i), Vector512.LoadUnsafe(ref b, (nuint)i), s0);
                s1 = Lane.Fma(Vector512.LoadUnsafe(ref a, (nuint)i + 8), Vector512.LoadUnsafe(ref b, (nuint)i + 8), s1);
            }
            double tail = 0;
            for (; i < length; i++) tail = Math.FusedMultiplyAdd(Unsafe.Add(ref a, i), Unsafe.Add(ref b, i), tail);
            total += Vector512.Sum(s0 + s1) + tail;
        }
        return total;
    }

    /// <summary>‖x‖₂, without overflow or underflow of the squares.</summary>
    public static double Norm(ReadOnlySpan<double> x)
    {
        double square = Dot(x, x);
        if (square is > 1e-280 and < 1e280 || double.IsNaN(square)) return Math.Sqrt(square);
        double max = 0;
        foreach (double v in x) max = Math.Max(max, Math.Abs(v));
        if (max == 0 || !double.IsFinite(max)) return max;
        double sum = 0;
        foreach (double v in x) sum += v / max * (v / max);
        return max * Math.Sqrt(sum);
    }

    /// <summary>y += α x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Axpy(double alpha, ReadOnlySpan<double> x, Span<double> y)
    {
        if (y.Length < x.Length) throw new ArgumentException($"axpy of lengths {x.Length} and {y.Length}");
        ref double a = ref MemoryMarshal.GetReference(x);
        ref double b = ref MemoryMarshal.GetReference(y);
        var s = Lane.Of(alpha);
        int i = 0;
        for (; i + 8 <= x.Length; i += 8)
            Lane.Fma(s, Vector512.LoadUnsafe(ref a, (nuint)i), Vector512.LoadUnsafe(ref b, (nuint)i)).StoreUnsafe(ref b, (nuint)i);
        for (; i < x.Length; i++)
            Unsafe.Add(ref b, i) = Math.FusedMultiplyAdd(alpha, Unsafe.Add(ref a, i), Unsafe.Add(ref b, i));
    }

    /// <summary>y = x + β y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Xpby(ReadOnlySpan<double> x, double beta, Span<double> y)
    {
        if (y.Length < x.Length) throw new ArgumentException($"xpby of lengths {x.Length} and {y.Length}");
        ref double a = ref MemoryMarshal.GetReference(x);
        ref double b = ref MemoryMarshal.GetReference(y);
        var s = Lane.Of(beta);
        int i = 0;
        for (; i + 8 <= x.Length; i += 8)
            Lane.Fma(s, Vector512.LoadUnsafe(ref b, (nuint)i), Vector512.LoadUnsafe(ref a, (nuint)i)).StoreUnsafe(ref b, (nuint)i);
        for (; i < x.Length; i++)
            Unsafe.Add(ref b, i) = Math.FusedMultiplyAdd(beta, Unsafe.Add(ref b, i), Unsafe.Add(ref a, i));
    }

    /// <summary>x *= α.</summary>
    public static void Scale(double alpha, Span<double> x)
    {
        for (int i = 0; i < x.Length; i++) x[i] *= alpha;
    }

    /// <summary>r = b − A x.</summary>
    public static void Residual(IOperator a, ReadOnlySpan<double> b, ReadOnlySpan<double> x, Span<double> r)
    {
        a.Apply(x, r);
        for (int i = 0; i < b.Length; i++) r[i] = b[i] - r[i];
    }

    /// <summary>First entry that is NaN or infinite; −1 when there is none.</summary>
    public static int FirstNonFinite(ReadOnlySpan<double> x)
    {
        for (int i = 0; i < x.Length; i++) if (!double.IsFinite(x[i])) return i;
        return -1;
    }

    /// <summary>A fixed, featureless vector with entries in (−1, 1): the start of Lanczos and condition estimates.</summary>
    public static void FillNoise(Span<double> x)
    {
        for (int i = 0; i < x.Length; i++)
        {
            // splitmix64 of the index (Steele, Lea, Flood, OOPSLA 2014).
            ulong z;
            unchecked
            {
                z = (ulong)(i + 1) * 0x9E3779B97F4A7C15UL;
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            }
            z ^= z >> 31;
            x[i] = ((z >> 11) + 0.5) * (2.0 / (1UL << 53)) - 1.0;
        }
    }
}
