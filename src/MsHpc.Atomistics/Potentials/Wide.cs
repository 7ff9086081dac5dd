using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Arithmetic of kernels that are written once for eight doubles and sixteen floats. Relative errors are below 10⁻¹⁵ in double, 3·10⁻⁷ in single.
/// </summary>
internal static unsafe class Wide<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Numbers in one vector.</summary>
    public static int Width
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512<T>.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Of(double x) => typeof(T) == typeof(double) ? Vector512.Create(x).As<double, T>() : Vector512.Create((float)x).As<float, T>();

    /// <summary>a·b + c, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Fma(Vector512<T> a, Vector512<T> b, Vector512<T> c) => typeof(T) == typeof(double)
        ? Vector512.FusedMultiplyAdd(a.AsDouble(), b.AsDouble(), c.AsDouble()).As<double, T>()
        : Vector512.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).As<float, T>();

    /// <summary>c − a·b, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Fnma(Vector512<T> a, Vector512<T> b, Vector512<T> c) => Fma(-a, b, c);

    /// <summary>x·x + y·y + z·z, or any other scalar product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Dot(Vector512<T> x, Vector512<T> y, Vector512<T> z, Vector512<T> u, Vector512<T> v, Vector512<T> w) => Fma(z, w, Fma(y, v, x * u));

    /// <summary>1/a for normal a: estimate and Newton steps where the machine has one, else division.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Reciprocal(Vector512<T> a)
    {
        if (!Avx512F.IsSupported) return Vector512<T>.One / a;
        var r = typeof(T) == typeof(double) ? Avx512F.Reciprocal14(a.AsDouble()).As<double, T>() : Avx512F.Reciprocal14(a.AsSingle()).As<float, T>();
        r = Fma(r, Fnma(a, r, Vector512<T>.One), r);
        return typeof(T) == typeof(double) ? Fma(r, Fnma(a, r, Vector512<T>.One), r) : r;
    }

    /// <summary>1/√a for normal a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> ReciprocalSqrt(Vector512<T> a)
    {
        if (!Avx512F.IsSupported) return Vector512<T>.One / Vector512.Sqrt(a);
        var r = typeof(T) == typeof(double) ? Avx512F.ReciprocalSqrt14(a.AsDouble()).As<double, T>() : Avx512F.ReciprocalSqrt14(a.AsSingle()).As<float, T>();
        var half = Of(0.5);
        r = Fma(r * half, Fnma(a * r, r, Vector512<T>.One), r);
        return typeof(T) == typeof(double) ? Fma(r * half, Fnma(a * r, r, Vector512<T>.One), r) : r;
    }

    /// <summary>eˣ; x below −708 (single: −87) as if it were there. Not for x above 708 (87).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Exp(Vector512<T> x)
    {
        // x = n ln 2 + r. Adding 1.5·2^52 rounds to an integer and leaves it in the low bits, from where a shift takes it to the exponent.
        if (typeof(T) == typeof(double))
        {
            var a = Vector512.MaxNative(x.AsDouble(), Vector512.Create(-708.0));
            var magic = Vector512.Create(6755399441055744.0);
            var shifted = Vector512.FusedMultiplyAdd(a, Vector512.Create(1.4426950408889634), magic);
            var n = shifted - magic;
            var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.6931471805599453), a);
            r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-2.3190468138462996e-17), r);
            Lanes r2 = r * r, r4 = r2 * r2;
            var p01 = r + Lanes.One;
            var p23 = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 6.0), Vector512.Create(1 / 2.0));
            var p45 = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 120.0), Vector512.Create(1 / 24.0));
            var p67 = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 5040.0), Vector512.Create(1 / 720.0));
            var p89 = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 362880.0), Vector512.Create(1 / 40320.0));
            var pab = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 39916800.0), Vector512.Create(1 / 3628800.0));
            var pcd = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 6227020800.0), Vector512.Create(1 / 479001600.0));
            p01 = Vector512.FusedMultiplyAdd(p23, r2, p01);
            p45 = Vector512.FusedMultiplyAdd(p67, r2, p45);
            p89 = Vector512.FusedMultiplyAdd(pab, r2, p89);
            p89 = Vector512.FusedMultiplyAdd(pcd, r4, p89);
            p45 = Vector512.FusedMultiplyAdd(p89, r4, p45);
            p01 = Vector512.FusedMultiplyAdd(p45, r4, p01);
            return (p01.AsInt64() + (shifted.AsInt64() << 52)).As<long, T>();
        }
        else
        {
            var a = Vector512.MaxNative(x.AsSingle(), Vector512.Create(-87f));
            var magic = Vector512.Create(12582912f);
            var shifted = Vector512.FusedMultiplyAdd(a, Vector512.Create(1.44269504f), magic);
            var n = shifted - magic;
            var r = Vector512.FusedMultiplyAdd(n, Vector512.Create(-0.693359375f), a);
            r = Vector512.FusedMultiplyAdd(n, Vector512.Create(2.12194440e-4f), r);
            var r2 = r * r;
            var p01 = r + Vector512<float>.One;
            var p23 = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 6f), Vector512.Create(1 / 2f));
            var p45 = Vector512.FusedMultiplyAdd(r, Vector512.Create(1 / 120f), Vector512.Create(1 / 24f));
            p45 = Vector512.FusedMultiplyAdd(r2, Vector512.Create(1 / 720f), p45);
            p23 = Vector512.FusedMultiplyAdd(p45, r2, p23);
            p01 = Vector512.FusedMultiplyAdd(p23, r2, p01);
            return (p01.AsInt32() + (shifted.AsInt32() << 23)).As<int, T>();
        }
    }

    /// <summary>ln x, x &gt; 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Log(Vector512<T> x) => typeof(T) == typeof(double) ? Vector512.Log(x.AsDouble()).As<double, T>() : Vector512.Log(x.AsSingle()).As<float, T>();

    /// <summary>The largest whole number not above x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Floor(Vector512<T> x) => typeof(T) == typeof(double) ? Vector512.Floor(x.AsDouble()).As<double, T>() : Vector512.Floor(x.AsSingle()).As<float, T>();

    /// <summary>Sum over lanes, in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Widen(Vector512<T> x)
    {
        if (typeof(T) == typeof(double)) return x.AsDouble();
        var (low, high) = Vector512.Widen(x.AsSingle());
        return low + high;
    }

    /// <summary>Integers in the bits of the numbers: the same in all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Integer(int x) => typeof(T) == typeof(double) ? Vector512.Create((long)x).As<long, T>() : Vector512.Create(x).As<int, T>();

    /// <summary>a·m + b, of integers in the bits of numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Index(Vector512<T> a, int m, Vector512<T> b) => typeof(T) == typeof(double)
        ? (Vector512.Create((long)m) * a.AsInt64() + b.AsInt64()).As<long, T>()
        : (Vector512.Create(m) * a.AsInt32() + b.AsInt32()).As<int, T>();

    /// <summary>Lanes whose integers are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Same(Vector512<T> a, Vector512<T> b) => typeof(T) == typeof(double)
        ? Vector512.Equals(a.AsInt64(), b.AsInt64()).As<long, T>()
        : Vector512.Equals(a.AsInt32(), b.AsInt32()).As<int, T>();

    /// <summary>table[index] of <paramref name="count"/> numbers (allocated: at least a vector).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Lookup(T* table, int count, Vector512<T> index)
    {
        if (count == 1) return Vector512.Create(table[0]);
        if (count <= Width)
            return typeof(T) == typeof(double)
                ? Vector512.ShuffleNative(Vector512.Load((double*)table), index.AsInt64()).As<double, T>()
                : Vector512.ShuffleNative(Vector512.Load((float*)table), index.AsInt32()).As<float, T>();
        return Gather(table, index);
    }

    private static Vector512<T> Gather(T* table, Vector512<T> index)
    {
        Vector512<T> found = default;
        T* to = (T*)&found;
        if (typeof(T) == typeof(double)) for (int l = 0; l < 8; l++) to[l] = table[((long*)&index)[l]];
        else for (int l = 0; l < 16; l++) to[l] = table[((int*)&index)[l]];
        return found;
    }

    /// <summary>Reads rows of four numbers, one a lane, and turns them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadRows(T* rows, int* index, out Vector512<T> x, out Vector512<T> y, out Vector512<T> z, out Vector512<T> w)
    {
        if (!Avx512F.IsSupported)
        {
            LoadPlain(rows, index, out x, out y, out z, out w);
            return;
        }
        if (typeof(T) == typeof(double))
        {
            double* r = (double*)rows;
            Lanes a = Two(r, index[0], index[4]), b = Two(r, index[1], index[5]), c = Two(r, index[2], index[6]), d = Two(r, index[3], index[7]);
            Lanes xz01 = Avx512F.UnpackLow(a, b), yw01 = Avx512F.UnpackHigh(a, b), xz23 = Avx512F.UnpackLow(c, d), yw23 = Avx512F.UnpackHigh(c, d);
            Vector512<long> low = Vector512.Create(0L, 1, 8, 9, 4, 5, 12, 13), high = Vector512.Create(2L, 3, 10, 11, 6, 7, 14, 15);
            x = Avx512F.PermuteVar8x64x2(xz01, low, xz23).As<double, T>();
            y = Avx512F.PermuteVar8x64x2(yw01, low, yw23).As<double, T>();
            z = Avx512F.PermuteVar8x64x2(xz01, high, xz23).As<double, T>();
            w = Avx512F.PermuteVar8x64x2(yw01, high, yw23).As<double, T>();
        }
        else
        {
            float* r = (float*)rows;
            Vector512<float> a = Four(r, index[0], index[4], index[8], index[12]), b = Four(r, index[1], index[5], index[9], index[13]);
            Vector512<float> c = Four(r, index[2], index[6], index[10], index[14]), d = Four(r, index[3], index[7], index[11], index[15]);
            Lanes xy01 = Avx512F.UnpackLow(a, b).AsDouble(), zw01 = Avx512F.UnpackHigh(a, b).AsDouble();
            Lanes xy23 = Avx512F.UnpackLow(c, d).AsDouble(), zw23 = Avx512F.UnpackHigh(c, d).AsDouble();
            x = Avx512F.UnpackLow(xy01, xy23).As<double, T>();
            y = Avx512F.UnpackHigh(xy01, xy23).As<double, T>();
            z = Avx512F.UnpackLow(zw01, zw23).As<double, T>();
            w = Avx512F.UnpackHigh(zw01, zw23).As<double, T>();
        }
    }

    /// <summary>Columns of the rows of eight numbers at <c>rows + offset[l]</c>. A gather would touch the same cache lines one number at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadRows(T* rows, int* offset, out Vector512<T> c0, out Vector512<T> c1, out Vector512<T> c2, out Vector512<T> c3,
        out Vector512<T> c4, out Vector512<T> c5, out Vector512<T> c6, out Vector512<T> c7)
    {
        if (!Avx512DQ.IsSupported)
        {
            c0 = Column(rows, offset);
            c1 = Column(rows + 1, offset);
            c2 = Column(rows + 2, offset);
            c3 = Column(rows + 3, offset);
            c4 = Column(rows + 4, offset);
            c5 = Column(rows + 5, offset);
            c6 = Column(rows + 6, offset);
            c7 = Column(rows + 7, offset);
        }
        else if (typeof(T) == typeof(double)) LoadEight((double*)rows, offset, out c0, out c1, out c2, out c3, out c4, out c5, out c6, out c7);
        else LoadEight((float*)rows, offset, out c0, out c1, out c2, out c3, out c4, out c5, out c6, out c7);
    }

    // Two methods: one with both ways in it is too long for the compiler to inline.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadEight(double* rows, int* offset, out Vector512<T> c0, out Vector512<T> c1, out Vector512<T> c2, out Vector512<T> c3,
        out Vector512<T> c4, out Vector512<T> c5, out Vector512<T> c6, out Vector512<T> c7)
    {
        Lanes r0 = Vector512.Load(rows + (long)offset[0]), r1 = Vector512.Load(rows + (long)offset[1]);
        Lanes r2 = Vector512.Load(rows + (long)offset[2]), r3 = Vector512.Load(rows + (long)offset[3]);
        Lanes r4 = Vector512.Load(rows + (long)offset[4]), r5 = Vector512.Load(rows + (long)offset[5]);
        Lanes r6 = Vector512.Load(rows + (long)offset[6]), r7 = Vector512.Load(rows + (long)offset[7]);
        Lanes even01 = Avx512F.UnpackLow(r0, r1), even23 = Avx512F.UnpackLow(r2, r3), even45 = Avx512F.UnpackLow(r4, r5), even67 = Avx512F.UnpackLow(r6, r7);
        // 128-bit parts: 0x88 takes parts 0 and 2 of both, 0xDD parts 1 and 3.
        Lanes a = Avx512F.Shuffle4x128(even01, even23, 0x88), b = Avx512F.Shuffle4x128(even45, even67, 0x88);
        Lanes c = Avx512F.Shuffle4x128(even01, even23, 0xDD), e = Avx512F.Shuffle4x128(even45, even67, 0xDD);
        c0 = Avx512F.Shuffle4x128(a, b, 0x88).As<double, T>();
        c4 = Avx512F.Shuffle4x128(a, b, 0xDD).As<double, T>();
        c2 = Avx512F.Shuffle4x128(c, e, 0x88).As<double, T>();
        c6 = Avx512F.Shuffle4x128(c, e, 0xDD).As<double, T>();
        Lanes odd01 = Avx512F.UnpackHigh(r0, r1), odd23 = Avx512F.UnpackHigh(r2, r3), odd45 = Avx512F.UnpackHigh(r4, r5), odd67 = Avx512F.UnpackHigh(r6, r7);
        a = Avx512F.Shuffle4x128(odd01, odd23, 0x88);
        b = Avx512F.Shuffle4x128(odd45, odd67, 0x88);
        c = Avx512F.Shuffle4x128(odd01, odd23, 0xDD);
        e = Avx512F.Shuffle4x128(odd45, odd67, 0xDD);
        c1 = Avx512F.Shuffle4x128(a, b, 0x88).As<double, T>();
        c5 = Avx512F.Shuffle4x128(a, b, 0xDD).As<double, T>();
        c3 = Avx512F.Shuffle4x128(c, e, 0x88).As<double, T>();
        c7 = Avx512F.Shuffle4x128(c, e, 0xDD).As<double, T>();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LoadEight(float* rows, int* offset, out Vector512<T> c0, out Vector512<T> c1, out Vector512<T> c2, out Vector512<T> c3,
        out Vector512<T> c4, out Vector512<T> c5, out Vector512<T> c6, out Vector512<T> c7)
    {
        // Row l below, row l + 8 above.
        Vector512<float> r0 = Both(rows, offset, 0), r1 = Both(rows, offset, 1), r2 = Both(rows, offset, 2), r3 = Both(rows, offset, 3);
        Vector512<float> r4 = Both(rows, offset, 4), r5 = Both(rows, offset, 5), r6 = Both(rows, offset, 6), r7 = Both(rows, offset, 7);
        // Pairs of numbers travel as doubles: rows (0, 1), (2, 3), … of columns 0, 1, 4, 5 (low) and 2, 3, 6, 7 (high).
        Lanes low01 = Avx512F.UnpackLow(r0, r1).AsDouble(), low23 = Avx512F.UnpackLow(r2, r3).AsDouble(), low45 = Avx512F.UnpackLow(r4, r5).AsDouble(), low67 = Avx512F.UnpackLow(r6, r7).AsDouble();
        Vector512<long> even = Vector512.Create(0L, 1, 8, 9, 4, 5, 12, 13), odd = Vector512.Create(2L, 3, 10, 11, 6, 7, 14, 15);
        Lanes a = Avx512F.UnpackLow(low01, low23), b = Avx512F.UnpackLow(low45, low67), c = Avx512F.UnpackHigh(low01, low23), e = Avx512F.UnpackHigh(low45, low67);
        c0 = Avx512F.PermuteVar8x64x2(a, even, b).As<double, T>();
        c4 = Avx512F.PermuteVar8x64x2(a, odd, b).As<double, T>();
        c1 = Avx512F.PermuteVar8x64x2(c, even, e).As<double, T>();
        c5 = Avx512F.PermuteVar8x64x2(c, odd, e).As<double, T>();
        Lanes high01 = Avx512F.UnpackHigh(r0, r1).AsDouble(), high23 = Avx512F.UnpackHigh(r2, r3).AsDouble(), high45 = Avx512F.UnpackHigh(r4, r5).AsDouble(), high67 = Avx512F.UnpackHigh(r6, r7).AsDouble();
        a = Avx512F.UnpackLow(high01, high23);
        b = Avx512F.UnpackLow(high45, high67);
        c = Avx512F.UnpackHigh(high01, high23);
        e = Avx512F.UnpackHigh(high45, high67);
        c2 = Avx512F.PermuteVar8x64x2(a, even, b).As<double, T>();
        c6 = Avx512F.PermuteVar8x64x2(a, odd, b).As<double, T>();
        c3 = Avx512F.PermuteVar8x64x2(c, even, e).As<double, T>();
        c7 = Avx512F.PermuteVar8x64x2(c, odd, e).As<double, T>();
    }

    private static Vector512<T> Column(T* rows, int* offset)
    {
        Vector512<T> column = default;
        for (int l = 0; l < Width; l++) ((T*)&column)[l] = rows[offset[l]];
        return column;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Both(float* rows, int* offset, int l) =>
        Avx512DQ.InsertVector256(Vector256.Load(rows + (long)offset[l]).ToVector512Unsafe(), Vector256.Load(rows + (long)offset[l + 8]), 1);

    /// <summary>In double precision, one after the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreDoubles(Vector512<T> x, double* to)
    {
        if (typeof(T) == typeof(double)) x.AsDouble().Store(to);
        else
        {
            var (low, high) = Vector512.Widen(x.AsSingle());
            low.Store(to);
            high.Store(to + 8);
        }
    }

    /// <summary>The first eight, and the others <paramref name="apart"/> numbers after them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreEights(Vector512<T> x, T* to, int apart)
    {
        if (typeof(T) == typeof(double)) x.Store(to);
        else
        {
            x.GetLower().Store(to);
            x.GetUpper().Store(to + apart);
        }
    }

    /// <summary>Adds (x, y, z) of each lane to a row of four numbers. Rows may come twice.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddRows(T* rows, int* index, Vector512<T> x, Vector512<T> y, Vector512<T> z)
    {
        if (!Avx512F.IsSupported)
        {
            AddPlain(rows, index, x, y, z);
            return;
        }
        if (typeof(T) == typeof(double))
        {
            double* r = (double*)rows;
            Lanes a = x.AsDouble(), b = y.AsDouble(), c = z.AsDouble();
            Lanes xy02 = Avx512F.UnpackLow(a, b), xy13 = Avx512F.UnpackHigh(a, b), zw02 = Avx512F.UnpackLow(c, Lanes.Zero), zw13 = Avx512F.UnpackHigh(c, Lanes.Zero);
            Vector512<long> low = Vector512.Create(0L, 1, 8, 9, 2, 3, 10, 11), high = Vector512.Create(4L, 5, 12, 13, 6, 7, 14, 15);
            Lanes r02 = Avx512F.PermuteVar8x64x2(xy02, low, zw02), r46 = Avx512F.PermuteVar8x64x2(xy02, high, zw02);
            Lanes r13 = Avx512F.PermuteVar8x64x2(xy13, low, zw13), r57 = Avx512F.PermuteVar8x64x2(xy13, high, zw13);
            Add(r, index[0], r02.GetLower());
            Add(r, index[2], r02.GetUpper());
            Add(r, index[4], r46.GetLower());
            Add(r, index[6], r46.GetUpper());
            Add(r, index[1], r13.GetLower());
            Add(r, index[3], r13.GetUpper());
            Add(r, index[5], r57.GetLower());
            Add(r, index[7], r57.GetUpper());
        }
        else
        {
            float* r = (float*)rows;
            Vector512<float> a = x.AsSingle(), b = y.AsSingle(), c = z.AsSingle();
            Lanes xyLow = Avx512F.UnpackLow(a, b).AsDouble(), xyHigh = Avx512F.UnpackHigh(a, b).AsDouble();
            Lanes zLow = Avx512F.UnpackLow(c, Vector512<float>.Zero).AsDouble(), zHigh = Avx512F.UnpackHigh(c, Vector512<float>.Zero).AsDouble();
            AddFour(r, Avx512F.UnpackLow(xyLow, zLow).AsSingle(), index);
            AddFour(r, Avx512F.UnpackHigh(xyLow, zLow).AsSingle(), index + 1);
            AddFour(r, Avx512F.UnpackLow(xyHigh, zHigh).AsSingle(), index + 2);
            AddFour(r, Avx512F.UnpackHigh(xyHigh, zHigh).AsSingle(), index + 3);
        }
    }

    private static void LoadPlain(T* rows, int* index, out Vector512<T> x, out Vector512<T> y, out Vector512<T> z, out Vector512<T> w)
    {
        T* turned = stackalloc T[4 * Vector512<T>.Count];
        for (int l = 0; l < Width; l++)
            for (int k = 0; k < 4; k++) turned[k * Width + l] = rows[4L * index[l] + k];
        (x, y, z, w) = (Vector512.Load(turned), Vector512.Load(turned + Width), Vector512.Load(turned + 2 * Width), Vector512.Load(turned + 3 * Width));
    }

    private static void AddPlain(T* rows, int* index, Vector512<T> x, Vector512<T> y, Vector512<T> z)
    {
        for (int l = 0; l < Width; l++)
        {
            T* row = rows + 4L * index[l];
            row[0] += x[l];
            row[1] += y[l];
            row[2] += z[l];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Two(double* rows, int a, int b) => Avx512F.InsertVector256(Vector256.Load(rows + 4L * a).ToVector512Unsafe(), Vector256.Load(rows + 4L * b), 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Four(float* rows, int a, int b, int c, int d)
    {
        var v = Avx512F.InsertVector128(Vector128.Load(rows + 4L * a).ToVector256Unsafe().ToVector512Unsafe(), Vector128.Load(rows + 4L * b), 1);
        return Avx512F.InsertVector128(Avx512F.InsertVector128(v, Vector128.Load(rows + 4L * c), 2), Vector128.Load(rows + 4L * d), 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(double* rows, int slot, Vector256<double> v)
    {
        double* to = rows + 4L * slot;
        (Vector256.Load(to) + v).Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddFour(float* rows, Vector512<float> v, int* index)
    {
        float* to = rows + 4L * index[0];
        (Vector128.Load(to) + v.GetLower().GetLower()).Store(to);
        to = rows + 4L * index[4];
        (Vector128.Load(to) + Avx512F.ExtractVector128(v, 1)).Store(to);
        to = rows + 4L * index[8];
        (Vector128.Load(to) + Avx512F.ExtractVector128(v, 2)).Store(to);
        to = rows + 4L * index[12];
        (Vector128.Load(to) + Avx512F.ExtractVector128(v, 3)).Store(to);
    }
}
