using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>A law in single precision, for sixteen pairs.</summary>
internal interface ISinglePairForm<TSelf> where TSelf : struct, ISinglePairForm<TSelf>
{
    /// <summary>Whether <c>qq</c> = qᵢ qⱼ is used.</summary>
    static virtual bool UsesCharges => false;

    /// <summary>Parameters of sixteen pairs; as of the double form.</summary>
    static abstract TSelf Load<TTypes>(in SinglePairRow<TTypes> p) where TTypes : struct, ITypeCount;

    /// <summary>−φ′(r)/r and φ(r) of sixteen pairs. Lanes beyond the cutoff may hold anything.</summary>
    Vector512<float> Evaluate(Vector512<float> r2, Vector512<float> qq, out Vector512<float> energy);
}

/// <summary><see cref="PairRow{TTypes}"/> in single precision, against two clusters.</summary>
internal readonly unsafe struct SinglePairRow<TTypes>(float* table, int stride, int* types, int* moreTypes) where TTypes : struct, ITypeCount
{
    /// <summary>As <see cref="PairRow{TTypes}.Table"/>.</summary>
    public float* Table => table;

    /// <summary>As <see cref="PairRow{TTypes}.Stride"/>.</summary>
    public int Stride => stride;

    public Vector512<float> this[int p]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            float* row = table + p * stride;
            if (typeof(TTypes) == typeof(OneType)) return Vector512.Create(row[0]);
            if (typeof(TTypes) == typeof(FewTypes))
            {
                var all = Vector256.Load(row);
                return Vector512.Create(Vector256.ShuffleNative(all, Vector256.Load(types)), Vector256.ShuffleNative(all, Vector256.Load(moreTypes)));
            }
            int* t = types, u = moreTypes;
            return Vector512.Create(
                row[t[0]], row[t[1]], row[t[2]], row[t[3]], row[t[4]], row[t[5]], row[t[6]], row[t[7]],
                row[u[0]], row[u[1]], row[u[2]], row[u[3]], row[u[4]], row[u[5]], row[u[6]], row[u[7]]);
        }
    }
}

/// <summary>
/// A pair potential with pairs in single precision: positions become 32-bit integers, at most E/2³⁰ apart for a domain of extent E (with its ghosts), so
/// that differences are exact and quick and only those are rounded, to 6e-8 of themselves; a row meets two clusters at a time; the
/// rows of a cluster are summed in double, forces on the others in single precision.
/// </summary>
internal sealed unsafe class MixedPairPotential<TForm, TSingle> : PairPotential<TForm>
    where TForm : struct, IPairForm<TForm>
    where TSingle : struct, ISinglePairForm<TSingle>
{
    // Atoms lie within ±Widest quanta along every axis, padding at Beyond along x: the difference of any two fits 32 bits.
    private const double Widest = 0.9 * (1 << 30), Beyond = 1.05 * (1 << 30);
    private readonly AlignedArray<float> _singles = new(), _f = new(), _charge = new();
    private readonly AlignedArray<int> _q = new();
    private double _middleX, _middleY, _middleZ, _quantum = 1;

    public MixedPairPotential(string description, int types, double[] rows) : base(description, types, rows)
    {
        int length = types * TForm.Parameters * Stride;
        float* singles = _singles.Require(length);
        for (int k = 0; k < length; k++) singles[k] = (float)Table[k];
    }

    // Positions are quantised and forces joined as a whole.
    public override bool Overlaps => false;

    public override void Prepare(Domain domain)
    {
        base.Prepare(domain);
        Measure(domain);
        if (!TSingle.UsesCharges) return;
        float* charge = _charge.Require(domain.Slots + 8L);
        for (int s = 0; s < domain.Slots + 8; s++) charge[s] = s < domain.Slots ? (float)domain.Charge[s] : 0;
    }

    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) { Scalar(domain, ref tally); return; }
        _f.Require(24L * (domain.Clusters + 1));
        _f.Span(24 * (domain.Clusters + 1)).Clear();
        if (!Quantize(domain))
        {
            // Atoms have left the box they were in.
            Measure(domain);
            if (!Quantize(domain)) throw new NumericalException("a position is not a finite number");
        }
        Wide(domain, want, ref tally);
        Join(domain);
    }

    /// <summary>The box around all atoms, with some room, and the quantum that divides it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Measure(Domain d)
    {
        double* x = d.X;
        Lanes infinity = Lane.Of(double.PositiveInfinity), lowX = infinity, lowY = infinity, lowZ = infinity, highX = -infinity, highY = -infinity, highZ = -infinity;
        for (int c = 0; c < d.Clusters; c++, x += 24)
        {
            Lanes atoms = d.Atoms(8 * c), px = Vector512.Load(x), py = Vector512.Load(x + 8), pz = Vector512.Load(x + 16);
            lowX = Vector512.Min(lowX, Lane.Select(atoms, px, infinity));
            lowY = Vector512.Min(lowY, Lane.Select(atoms, py, infinity));
            lowZ = Vector512.Min(lowZ, Lane.Select(atoms, pz, infinity));
            highX = Vector512.Max(highX, Lane.Select(atoms, px, -infinity));
            highY = Vector512.Max(highY, Lane.Select(atoms, py, -infinity));
            highZ = Vector512.Max(highZ, Lane.Select(atoms, pz, -infinity));
        }
        double extent = 0;
        _middleX = Middle(lowX, highX, ref extent);
        _middleY = Middle(lowY, highY, ref extent);
        _middleZ = Middle(lowZ, highZ, ref extent);
        // Padding, Beyond − Widest away from all atoms and Widest/4 from each other, is out of reach.
        // A power of two, so that scaling does not round.
        _quantum = Math.ScaleB(1, (int)Math.Ceiling(Math.Log2(0.5 * Math.Max(extent + d.Skin, 13 * Cutoff) / Widest)));

        static double Middle(Lanes low, Lanes high, ref double extent)
        {
            double least = low[0], most = high[0];
            for (int l = 1; l < 8; l++) (least, most) = (Math.Min(least, low[l]), Math.Max(most, high[l]));
            if (!(most >= least)) return 0;
            extent = Math.Max(extent, most - least);
            return 0.5 * (least + most);
        }
    }

    /// <summary>Positions in quanta from the middle of the box.</summary>
    /// <returns>Whether all atoms lie in the box.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Quantize(Domain d)
    {
        double* x = d.X;
        int* q = _q.Require(24L * (d.Clusters + 1));
        Lanes mx = Lane.Of(_middleX), my = Lane.Of(_middleY), mz = Lane.Of(_middleZ), scale = Lane.Of(1 / _quantum), widest = Lane.Of(Widest);
        Lanes nowhere = Lane.Of(0.5 * Domain.FarAway), beyond = Lane.Of(Beyond), apart = Vector512.Create(-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75) * widest;
        var outside = Lanes.Zero;
        for (int c = 0; c <= d.Clusters; c++, x += 24, q += 24)
        {
            Lanes px = Vector512.Load(x), py = Vector512.Load(x + 8), pz = Vector512.Load(x + 16);
            var padding = Vector512.GreaterThan(Vector512.Abs(px), nowhere);
            px = Lane.Select(padding, beyond, (px - mx) * scale);
            py = Lane.Select(padding, apart, (py - my) * scale);
            pz = Lane.Select(padding, Lanes.Zero, (pz - mz) * scale);
            // So written, a NaN is outside too.
            outside |= ~(Vector512.LessThanOrEqual(Vector512.Abs(px), widest) | padding) | ~Vector512.LessThanOrEqual(Vector512.Abs(py), widest) | ~Vector512.LessThanOrEqual(Vector512.Abs(pz), widest);
            Round(px).Store(q);
            Round(py).Store(q + 8);
            Round(pz).Store(q + 16);
        }
        return Lane.Bits(outside) == 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(Lanes x)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector256Int32(x);
        var wide = Vector512.ConvertToInt64(Vector512.Round(x));
        return Vector256.Narrow(wide.GetLower(), wide.GetUpper());
    }

    /// <summary>Adds the forces of single precision, in eV/Å per quantum, to the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Join(Domain d)
    {
        double* to = d.F;
        float* f = _f.Pointer;
        Lanes perQuantum = Lane.Of(_quantum);
        for (int k = 0; k < 24 * d.Clusters; k += 8) Lane.Fma(Widen(Vector256.Load(f + k)), perQuantum, Vector512.Load(to + k)).Store(to + k);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Widen(Vector256<float> x)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Double(x);
        var (lower, upper) = Vector256.Widen(x);
        return Vector512.Create(lower, upper);
    }

    /// <summary>The lower eight numbers plus the upper eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes WidenAndAdd(Vector512<float> x) => Widen(x.GetLower()) + Widen(x.GetUpper());

    /// <summary>Two clusters minus an atom, in quanta.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Difference(int* b, int* c, Vector512<int> a) => Vector512.ConvertToSingle(Two(b, c) - a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Two(int* b, int* c)
    {
        if (Avx512F.IsSupported) return Avx512F.InsertVector256(Vector256.Load(b).ToVector512Unsafe(), Vector256.Load(c), 1);
        return Vector512.Create(Vector256.Load(b), Vector256.Load(c));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SquaredLength(Vector512<float> x, Vector512<float> y, Vector512<float> z) =>
        Vector512.FusedMultiplyAdd(z, z, Vector512.FusedMultiplyAdd(y, y, x * x));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override double Tile<TTypes, TWant>(Domain d, int firstCluster, int endCluster)
    {
        double* force = d.F;
        float* charge = _charge.Pointer;
        int* q = _q.Pointer;
        double* sums = stackalloc double[24 * 8 + 8];
        sums = (double*)(((nuint)sums + 63) & ~(nuint)63);
        bool masks = d.Pairs.HasMasks;
        Lanes total = Lanes.Zero, perQuantum = Lane.Of(_quantum);
        var qq = Vector512<float>.Zero;
        Vector512<float> square = Vector512.Create((float)(_quantum * _quantum));
        var first = new SinglePairRow<TTypes>(_singles.Pointer, Stride, d.Type, d.Type);
        var cut = first[0];
        TSingle form = TSingle.Load(first);
        // Turned by four, every pair of a cluster comes twice: half of the lanes.
        var half = Vector512.Create(cut.GetLower(), Vector256.Create(cut.GetLower().GetLower(), Vector128<float>.Zero));
        Vector512<int> lane = Vector512.Create(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7), turns = Vector512.Create(Vector256.Create(1), Vector256.Create(2));
        Vector512<int> seven = Vector512.Create(7), upper = Vector512.Create(Vector256<int>.Zero, Vector256.Create(8));
        for (int c = firstCluster; c < endCluster; c++)
        {
            int* qc = q + 24L * c;
            double* fc = force + 24L * c;
            Lanes gx = Lanes.Zero, gy = Lanes.Zero, gz = Lanes.Zero;
            // Few, and near: in double.
            if (masks) total += Masked<TTypes, TWant>(d, c);
            if (typeof(TTypes) == typeof(OneType) && !masks)
            {
                // The cluster against itself turned by one and two lanes, then by three and four.
                Vector512<int> px = Two(qc, qc), py = Two(qc + 8, qc + 8), pz = Two(qc + 16, qc + 16), turn = turns;
                for (int k = 0; k < 2; k++, turn += Vector512.Create(2))
                {
                    Vector512<int> there = (lane + turn) & seven, back = (lane - turn) & seven | upper;
                    Vector512<float> dx = Vector512.ConvertToSingle(px - Vector512.ShuffleNative(px, there));
                    Vector512<float> dy = Vector512.ConvertToSingle(py - Vector512.ShuffleNative(py, there));
                    Vector512<float> dz = Vector512.ConvertToSingle(pz - Vector512.ShuffleNative(pz, there));
                    Vector512<float> r2 = SquaredLength(dx, dy, dz) * square, limit = k == 0 ? cut : half;
                    if (TSingle.UsesCharges)
                    {
                        var mine = Vector512.Create(Vector256.Load(charge + 8 * c), Vector256.Load(charge + 8 * c));
                        qq = mine * Vector512.ShuffleNative(mine, there);
                    }
                    var s = Vector512.ConditionalSelect(Vector512.LessThan(r2, limit), form.Evaluate(r2, qq, out var e), Vector512<float>.Zero);
                    if (TWant.Energy)
                    {
                        e = Vector512.ConditionalSelect(Vector512.LessThan(r2, limit), e, Vector512<float>.Zero);
                        total += WidenAndAdd(e);
                    }
                    dx *= s;
                    dy *= s;
                    dz *= s;
                    gx += WidenAndAdd(Vector512.ShuffleNative(dx, back)) - WidenAndAdd(dx);
                    gy += WidenAndAdd(Vector512.ShuffleNative(dy, back)) - WidenAndAdd(dy);
                    gz += WidenAndAdd(Vector512.ShuffleNative(dz, back)) - WidenAndAdd(dz);
                }
            }
            total += Rows<TTypes, TWant>(d, c, sums);
            (Vector512.Load(fc) - perQuantum * (RowSums(sums) + gx)).Store(fc);
            (Vector512.Load(fc + 8) - perQuantum * (RowSums(sums + 64) + gy)).Store(fc + 8);
            (Vector512.Load(fc + 16) - perQuantum * (RowSums(sums + 128) + gz)).Store(fc + 16);
        }
        return TWant.Energy ? Vector512.Sum(total) : 0;
    }

    /// <summary>The rows of cluster c: minus their forces, lane by lane, to <paramref name="sums"/>, eV/Å per quantum. Returns their energy, lane by lane.</summary>
    /// <remarks>A method of its own, so that constants stay in registers. Distances of the next two clusters are made while those of the
    /// present two become forces: the processor's schedulers are too short to find that much to do by themselves.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private Lanes Rows<TTypes, TWant>(Domain d, int c, double* sums)
        where TTypes : struct, ITypeCount
        where TWant : struct, IKernelWant
    {
        float* f = _f.Pointer, table = _singles.Pointer, charge = _charge.Pointer;
        int* q = _q.Pointer, qc = q + 24L * c, rows = d.Pairs.RowStart, offsets = d.Pairs.Offset, type = d.Type;
        int stride = Stride, rowLength = TForm.Parameters * stride;
        long nowhere = 3L * d.Dummy;
        bool masks = d.Pairs.HasMasks;
        var qq = Vector512<float>.Zero;
        var total = Lanes.Zero;
        var lanes = Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0);
        var square = Vector512.Create((float)(_quantum * _quantum));
        // With one kind of atom these stay in registers.
        var first = new SinglePairRow<TTypes>(table, stride, type, type);
        var cut = first[0];
        TSingle form = TSingle.Load(first);
        for (int r = 0; r < 8; r++)
        {
            int i = 8 * c + r;
            Vector512<int> xi = Vector512.Create(qc[r]), yi = Vector512.Create(qc[8 + r]), zi = Vector512.Create(qc[16 + r]);
            float* row = table + type[i] * rowLength;
            var qi = TSingle.UsesCharges ? Vector512.Create(charge[i]) : Vector512<float>.Zero;
            Vector512<float> ax = Vector512<float>.Zero, ay = Vector512<float>.Zero, az = Vector512<float>.Zero, ae = Vector512<float>.Zero;
            if (typeof(TTypes) != typeof(OneType) && !masks)
            {
                // The row's own cluster, lanes above the diagonal.
                long at = 24L * c;
                Vector512<float> dx = Difference(q + at, q + nowhere, xi), dy = Difference(q + at + 8, q + nowhere + 8, yi), dz = Difference(q + at + 16, q + nowhere + 16, zi);
                var r2 = SquaredLength(dx, dy, dz) * square;
                var p = new SinglePairRow<TTypes>(row, stride, type + at / 3, type + d.Dummy);
                (cut, form) = (p[0], TSingle.Load(p));
                if (TSingle.UsesCharges) qq = qi * Vector512.Create(Vector256.Load(charge + at / 3), Vector256<float>.Zero);
                var mask = Vector512.LessThan(r2, cut) & Vector512.GreaterThan(lanes, Vector512.Create((float)r));
                var s = Vector512.ConditionalSelect(mask, form.Evaluate(r2, qq, out var e), Vector512<float>.Zero);
                if (TWant.Energy) ae = Vector512.ConditionalSelect(mask, e, Vector512<float>.Zero);
                (ax, ay, az) = (s * dx, s * dy, s * dz);
                Add(f + at, ax.GetLower(), ay.GetLower(), az.GetLower());
            }
            int* k = offsets + rows[i], last = offsets + rows[i + 1] - 1;
            if (k <= last)
            {
                // The last of an odd number goes with padding. No branch: it would be a coin's toss.
                long at = k[0], bt = nowhere + (k[1] - nowhere & ((long)k - (long)last) >> 63);
                Vector512<float> dx = Difference(q + at, q + bt, xi), dy = Difference(q + at + 8, q + bt + 8, yi), dz = Difference(q + at + 16, q + bt + 16, zi);
                var r2 = SquaredLength(dx, dy, dz) * square;
                do
                {
                    k += 2;
                    // After the last of all there is room to read.
                    long nextAt = k[0], nextBt = nowhere + (k[1] - nowhere & ((long)k - (long)last) >> 63);
                    Vector512<float> nextX = Difference(q + nextAt, q + nextBt, xi), nextY = Difference(q + nextAt + 8, q + nextBt + 8, yi), nextZ = Difference(q + nextAt + 16, q + nextBt + 16, zi);
                    if (typeof(TTypes) != typeof(OneType))
                    {
                        var p = new SinglePairRow<TTypes>(row, stride, type + at / 3, type + bt / 3);
                        (cut, form) = (p[0], TSingle.Load(p));
                    }
                    if (TSingle.UsesCharges) qq = qi * Vector512.Create(Vector256.Load(charge + at / 3), Vector256.Load(charge + bt / 3));
                    var s = Vector512.ConditionalSelect(Vector512.LessThan(r2, cut), form.Evaluate(r2, qq, out var e), Vector512<float>.Zero);
                    if (TWant.Energy) ae += Vector512.ConditionalSelect(Vector512.LessThan(r2, cut), e, Vector512<float>.Zero);
                    r2 = SquaredLength(nextX, nextY, nextZ) * square;
                    dx *= s;
                    dy *= s;
                    dz *= s;
                    ax += dx;
                    ay += dy;
                    az += dz;
                    Add(f + at, dx.GetLower(), dy.GetLower(), dz.GetLower());
                    Add(f + bt, dx.GetUpper(), dy.GetUpper(), dz.GetUpper());
                    (at, bt, dx, dy, dz) = (nextAt, nextBt, nextX, nextY, nextZ);
                }
                while (k <= last);
            }
            WidenAndAdd(ax).Store(sums + 8 * r);
            WidenAndAdd(ay).Store(sums + 64 + 8 * r);
            WidenAndAdd(az).Store(sums + 128 + 8 * r);
            if (TWant.Energy) total += WidenAndAdd(ae);
        }
        return total;
    }

    /// <summary>Adds to the forces on a cluster.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* f, Vector256<float> x, Vector256<float> y, Vector256<float> z)
    {
        (Vector256.Load(f) + x).Store(f);
        (Vector256.Load(f + 8) + y).Store(f + 8);
        (Vector256.Load(f + 16) + z).Store(f + 16);
    }
}

/// <summary>Arithmetic of sixteen numbers of single precision.</summary>
internal static class Singles
{
    /// <summary>1/x to two units in the last place, a third of the time of a division; 1/0 is not finite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Reciprocal(Vector512<float> x)
    {
        if (!Avx512F.IsSupported) return Vector512<float>.One / x;
        var y = Avx512F.Reciprocal14(x);
        return Avx512F.FusedMultiplyAdd(y, Avx512F.FusedMultiplyAddNegated(x, y, Vector512<float>.One), y);
    }
}
