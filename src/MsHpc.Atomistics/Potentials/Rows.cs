using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Rows of eight indices, loaded whole and transposed in registers. A gather would touch the same cache lines one number at a time.
/// </summary>
internal static unsafe class Rows
{
    /// <summary>Stores eight rows of four numbers whose columns are given, one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store4(Lanes c0, Lanes c1, Lanes c2, Lanes c3, double* to)
    {
        if (!Avx512F.IsSupported)
        {
            for (int l = 0; l < 8; l++) Vector256.Create(c0[l], c1[l], c2[l], c3[l]).Store(to + 4 * l);
            return;
        }
        Lanes a02 = Avx512F.UnpackLow(c0, c1), a13 = Avx512F.UnpackHigh(c0, c1), b02 = Avx512F.UnpackLow(c2, c3), b13 = Avx512F.UnpackHigh(c2, c3);
        Vector512<long> low = Vector512.Create(0L, 1, 8, 9, 2, 3, 10, 11), high = Vector512.Create(4L, 5, 12, 13, 6, 7, 14, 15);
        Lanes r02 = Avx512F.PermuteVar8x64x2(a02, low, b02), r46 = Avx512F.PermuteVar8x64x2(a02, high, b02);
        Lanes r13 = Avx512F.PermuteVar8x64x2(a13, low, b13), r57 = Avx512F.PermuteVar8x64x2(a13, high, b13);
        r02.GetLower().Store(to);
        r13.GetLower().Store(to + 4);
        r02.GetUpper().Store(to + 8);
        r13.GetUpper().Store(to + 12);
        r46.GetLower().Store(to + 16);
        r57.GetLower().Store(to + 20);
        r46.GetUpper().Store(to + 24);
        r57.GetUpper().Store(to + 28);
    }

    /// <summary>Columns of the rows of eight numbers at <c>rows + stride·index[l]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load8(double* rows, int* index, int stride, out Lanes c0, out Lanes c1, out Lanes c2, out Lanes c3, out Lanes c4, out Lanes c5, out Lanes c6, out Lanes c7)
    {
        if (!Avx512F.IsSupported)
        {
            c0 = Column(rows, index, stride);
            c1 = Column(rows + 1, index, stride);
            c2 = Column(rows + 2, index, stride);
            c3 = Column(rows + 3, index, stride);
            c4 = Column(rows + 4, index, stride);
            c5 = Column(rows + 5, index, stride);
            c6 = Column(rows + 6, index, stride);
            c7 = Column(rows + 7, index, stride);
            return;
        }
        Lanes r0 = Vector512.Load(rows + (long)stride * index[0]), r1 = Vector512.Load(rows + (long)stride * index[1]);
        Lanes r2 = Vector512.Load(rows + (long)stride * index[2]), r3 = Vector512.Load(rows + (long)stride * index[3]);
        Lanes r4 = Vector512.Load(rows + (long)stride * index[4]), r5 = Vector512.Load(rows + (long)stride * index[5]);
        Lanes r6 = Vector512.Load(rows + (long)stride * index[6]), r7 = Vector512.Load(rows + (long)stride * index[7]);
        Lanes even01 = Avx512F.UnpackLow(r0, r1), even23 = Avx512F.UnpackLow(r2, r3), even45 = Avx512F.UnpackLow(r4, r5), even67 = Avx512F.UnpackLow(r6, r7);
        // 128-bit parts: 0x88 takes parts 0 and 2 of both, 0xDD parts 1 and 3.
        Lanes a = Avx512F.Shuffle4x128(even01, even23, 0x88), b = Avx512F.Shuffle4x128(even45, even67, 0x88);
        Lanes c = Avx512F.Shuffle4x128(even01, even23, 0xDD), e = Avx512F.Shuffle4x128(even45, even67, 0xDD);
        c0 = Avx512F.Shuffle4x128(a, b, 0x88);
        c4 = Avx512F.Shuffle4x128(a, b, 0xDD);
        c2 = Avx512F.Shuffle4x128(c, e, 0x88);
        c6 = Avx512F.Shuffle4x128(c, e, 0xDD);
        Lanes odd01 = Avx512F.UnpackHigh(r0, r1), odd23 = Avx512F.UnpackHigh(r2, r3), odd45 = Avx512F.UnpackHigh(r4, r5), odd67 = Avx512F.UnpackHigh(r6, r7);
        a = Avx512F.Shuffle4x128(odd01, odd23, 0x88);
        b = Avx512F.Shuffle4x128(odd45, odd67, 0x88);
        c = Avx512F.Shuffle4x128(odd01, odd23, 0xDD);
        e = Avx512F.Shuffle4x128(odd45, odd67, 0xDD);
        c1 = Avx512F.Shuffle4x128(a, b, 0x88);
        c5 = Avx512F.Shuffle4x128(a, b, 0xDD);
        c3 = Avx512F.Shuffle4x128(c, e, 0x88);
        c7 = Avx512F.Shuffle4x128(c, e, 0xDD);
    }

    /// <summary>Columns of the rows of eight numbers at <c>rows + stride·index[l]</c>, sixteen rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load8(float* rows, int* index, int stride, out Vector512<float> c0, out Vector512<float> c1, out Vector512<float> c2, out Vector512<float> c3,
        out Vector512<float> c4, out Vector512<float> c5, out Vector512<float> c6, out Vector512<float> c7)
    {
        if (!Avx512DQ.IsSupported)
        {
            c0 = Column(rows, index, stride);
            c1 = Column(rows + 1, index, stride);
            c2 = Column(rows + 2, index, stride);
            c3 = Column(rows + 3, index, stride);
            c4 = Column(rows + 4, index, stride);
            c5 = Column(rows + 5, index, stride);
            c6 = Column(rows + 6, index, stride);
            c7 = Column(rows + 7, index, stride);
            return;
        }
        // Row l below, row l + 8 above.
        Vector512<float> r0 = Two(rows, index, stride, 0), r1 = Two(rows, index, stride, 1), r2 = Two(rows, index, stride, 2), r3 = Two(rows, index, stride, 3);
        Vector512<float> r4 = Two(rows, index, stride, 4), r5 = Two(rows, index, stride, 5), r6 = Two(rows, index, stride, 6), r7 = Two(rows, index, stride, 7);
        // Pairs of numbers travel as doubles: rows (0, 1), (2, 3), … of columns 0, 1, 4, 5 (low) and 2, 3, 6, 7 (high).
        Lanes low01 = Avx512F.UnpackLow(r0, r1).AsDouble(), low23 = Avx512F.UnpackLow(r2, r3).AsDouble(), low45 = Avx512F.UnpackLow(r4, r5).AsDouble(), low67 = Avx512F.UnpackLow(r6, r7).AsDouble();
        Vector512<long> even = Vector512.Create(0L, 1, 8, 9, 4, 5, 12, 13), odd = Vector512.Create(2L, 3, 10, 11, 6, 7, 14, 15);
        Lanes a = Avx512F.UnpackLow(low01, low23), b = Avx512F.UnpackLow(low45, low67), c = Avx512F.UnpackHigh(low01, low23), e = Avx512F.UnpackHigh(low45, low67);
        c0 = Avx512F.PermuteVar8x64x2(a, even, b).AsSingle();
        c4 = Avx512F.PermuteVar8x64x2(a, odd, b).AsSingle();
        c1 = Avx512F.PermuteVar8x64x2(c, even, e).AsSingle();
        c5 = Avx512F.PermuteVar8x64x2(c, odd, e).AsSingle();
        Lanes high01 = Avx512F.UnpackHigh(r0, r1).AsDouble(), high23 = Avx512F.UnpackHigh(r2, r3).AsDouble(), high45 = Avx512F.UnpackHigh(r4, r5).AsDouble(), high67 = Avx512F.UnpackHigh(r6, r7).AsDouble();
        a = Avx512F.UnpackLow(high01, high23);
        b = Avx512F.UnpackLow(high45, high67);
        c = Avx512F.UnpackHigh(high01, high23);
        e = Avx512F.UnpackHigh(high45, high67);
        c2 = Avx512F.PermuteVar8x64x2(a, even, b).AsSingle();
        c6 = Avx512F.PermuteVar8x64x2(a, odd, b).AsSingle();
        c3 = Avx512F.PermuteVar8x64x2(c, even, e).AsSingle();
        c7 = Avx512F.PermuteVar8x64x2(c, odd, e).AsSingle();
    }

    /// <summary>Adds eight numbers at eight indices, one after the other: an index may come twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Add(double* to, int* index, double* values)
    {
        to[index[0]] += values[0];
        to[index[1]] += values[1];
        to[index[2]] += values[2];
        to[index[3]] += values[3];
        to[index[4]] += values[4];
        to[index[5]] += values[5];
        to[index[6]] += values[6];
        to[index[7]] += values[7];
    }

    /// <summary>Stores the lanes whose mask is set one after the other; what follows them is overwritten up to eight numbers.</summary>
    /// <returns>How many.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Pack(Lanes mask, Lanes value, double* to)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.Compress(Lanes.Zero, mask, value).Store(to);
            return BitOperations.PopCount((uint)Vector512.ExtractMostSignificantBits(mask));
        }
        int n = 0;
        for (int l = 0; l < 8; l++) if (mask.AsInt64()[l] != 0) to[n++] = value[l];
        return n;
    }

    /// <inheritdoc cref="Pack(Lanes, Lanes, double*)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Pack(Lanes mask, Lanes value, float* to)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.ConvertToVector256Single(Avx512F.Compress(Lanes.Zero, mask, value)).Store(to);
            return BitOperations.PopCount((uint)Vector512.ExtractMostSignificantBits(mask));
        }
        int n = 0;
        for (int l = 0; l < 8; l++) if (mask.AsInt64()[l] != 0) to[n++] = (float)value[l];
        return n;
    }

    /// <inheritdoc cref="Pack(Lanes, Lanes, double*)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Pack(Lanes mask, Vector256<int> value, int* to)
    {
        if (Avx512F.VL.IsSupported)
        {
            Avx512F.VL.Compress(Vector256<int>.Zero, Avx512F.ConvertToVector256Int32(mask.AsInt64()), value).Store(to);
            return BitOperations.PopCount((uint)Vector512.ExtractMostSignificantBits(mask));
        }
        int n = 0;
        for (int l = 0; l < 8; l++) if (mask.AsInt64()[l] != 0) to[n++] = value[l];
        return n;
    }

    /// <summary>Whole numbers as integers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> ToInt32(Lanes x) => Avx512F.IsSupported
        ? Avx512F.ConvertToVector256Int32WithTruncation(x)
        : Vector256.Create((int)x[0], (int)x[1], (int)x[2], (int)x[3], (int)x[4], (int)x[5], (int)x[6], (int)x[7]);

    /// <summary>Eight numbers in double precision.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Widen(float* from)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Double(Vector256.Load(from));
        var (lower, upper) = Vector256.Widen(Vector256.Load(from));
        return Vector512.Create(lower, upper);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Two(float* rows, int* index, int stride, int l) =>
        Avx512DQ.InsertVector256(Vector256.Load(rows + (long)stride * index[l]).ToVector512Unsafe(), Vector256.Load(rows + (long)stride * index[l + 8]), 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Column(float* rows, int* index, int stride)
    {
        float* c = stackalloc float[16];
        for (int l = 0; l < 16; l++) c[l] = rows[(long)stride * index[l]];
        return Vector512.Load(c);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Column(double* rows, int* index, int stride) => Vector512.Create(
        rows[(long)stride * index[0]], rows[(long)stride * index[1]], rows[(long)stride * index[2]], rows[(long)stride * index[3]],
        rows[(long)stride * index[4]], rows[(long)stride * index[5]], rows[(long)stride * index[6]], rows[(long)stride * index[7]]);
}
