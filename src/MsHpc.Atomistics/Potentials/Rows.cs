using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>Moves of numbers that are not arithmetic.</summary>
internal static unsafe class Rows
{
    private static readonly AlignedArray<ulong> AllPlaces = MakePlaces();

    /// <summary>Byte k of entry b is the place of the k-th bit that is set in b.</summary>
    public static ulong* Places => AllPlaces.Pointer;

    private static AlignedArray<ulong> MakePlaces()
    {
        var places = new AlignedArray<ulong>();
        ulong* to = places.Require(256);
        for (int b = 0; b < 256; b++)
            for (int l = 0, k = 0; l < 8; l++) if ((b >> l & 1) != 0) to[b] |= (ulong)l << 8 * k++;
        return places;
    }

    /// <summary>Stores the lanes at the given places, one after the other; all eight are written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Pack(Lanes value, ulong* places)
    {
        if (Avx512F.IsSupported) return Avx512F.PermuteVar8x64(value, Avx512F.ConvertToVector512Int64(Vector128.CreateScalarUnsafe(*places).AsByte()));
        var packed = Lanes.Zero;
        for (int k = 0; k < 8; k++) packed = packed.WithElement(k, value[((byte*)places)[k]]);
        return packed;
    }

    /// <inheritdoc cref="Pack(Lanes, ulong*)"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Pack(Vector256<int> value, ulong* places) =>
        Avx2.IsSupported ? Avx2.PermuteVar8x32(value, Avx2.ConvertToVector256Int32((byte*)places)) : Vector256.Shuffle(value, Integers(places));

    /// <summary>The places themselves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Integers(ulong* places)
    {
        if (Avx2.IsSupported) return Avx2.ConvertToVector256Int32((byte*)places);
        byte* p = (byte*)places;
        return Vector256.Create(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]);
    }

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
}
