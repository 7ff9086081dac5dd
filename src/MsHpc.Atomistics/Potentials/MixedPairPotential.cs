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
/// A pair potential with pairs in single precision: differences of positions are taken in double and rounded, so that they are good to 6e-8 of
/// themselves however large the box is; a row meets two clusters at a time; forces on the row's eight atoms are summed in double, those on the others
/// in single precision.
/// </summary>
internal sealed unsafe class MixedPairPotential<TForm, TSingle> : PairPotential<TForm>
    where TForm : struct, IPairForm<TForm>
    where TSingle : struct, ISinglePairForm<TSingle>
{
    private readonly AlignedArray<float> _singles = new(), _f = new(), _charge = new();

    public MixedPairPotential(string description, int types, double[] rows) : base(description, types, rows)
    {
        int length = types * TForm.Parameters * Stride;
        float* singles = _singles.Require(length);
        for (int k = 0; k < length; k++) singles[k] = (float)Table[k];
    }

    public override void Prepare(Domain domain)
    {
        base.Prepare(domain);
        if (!TSingle.UsesCharges) return;
        float* charge = _charge.Require(domain.Slots + 8L);
        for (int s = 0; s < domain.Slots + 8; s++) charge[s] = s < domain.Slots ? (float)domain.Charge[s] : 0;
    }

    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) { Scalar(domain, ref tally); return; }
        _f.Require(24L * (domain.Clusters + 1));
        _f.Span(24 * (domain.Clusters + 1)).Clear();
        Wide(domain, want, ref tally);
        Join(domain);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Join(Domain d)
    {
        double* to = d.F;
        float* f = _f.Pointer;
        for (int k = 0; k < 24 * d.Clusters; k += 8) (Vector512.Load(to + k) + Widen(Vector256.Load(f + k))).Store(to + k);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Widen(Vector256<float> x)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Double(x);
        var (lower, upper) = Vector256.Widen(x);
        return Vector512.Create(lower, upper);
    }

    /// <summary>a − b of two clusters, rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Difference(Lanes a, double* b, double* c)
    {
        Lanes p = a - Vector512.Load(b), q = a - Vector512.Load(c);
        if (Avx512DQ.IsSupported) return Avx512DQ.InsertVector256(Avx512F.ConvertToVector256Single(p).ToVector512Unsafe(), Avx512F.ConvertToVector256Single(q), 1);
        return Vector512.Create(Vector256.Narrow(p.GetLower(), p.GetUpper()), Vector256.Narrow(q.GetLower(), q.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected override double Tile<TTypes, TWant>(Domain d, int firstCluster, int endCluster)
    {
        double* x = d.X, force = d.F;
        float* f = _f.Pointer, table = _singles.Pointer, charge = _charge.Pointer;
        int* rows = d.Pairs.RowStart, offsets = d.Pairs.Offset, type = d.Type;
        int stride = Stride, rowLength = TForm.Parameters * stride, nowhere = 3 * d.Dummy;
        double* sums = stackalloc double[24 * 8 + 8];
        sums = (double*)(((nuint)sums + 63) & ~(nuint)63);
        var lanes = Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0);
        Lanes total = Lanes.Zero;
        bool masks = d.Pairs.HasMasks;
        // Powers of the distance of padding would be subnormal numbers, which are slow.
        Vector512<float> zero = Vector512<float>.Zero, far = Vector512.Create(1e6f);
        var first = new SinglePairRow<TTypes>(table, stride, type, type);
        var cut = first[0];
        TSingle form = TSingle.Load(first);
        for (int c = firstCluster; c < endCluster; c++)
        {
            double* xc = x + 24L * c, fc = force + 24L * c;
            Lanes gx = Lanes.Zero, gy = Lanes.Zero, gz = Lanes.Zero;
            // Few, and near: in double.
            if (masks) total += Masked<TTypes, TWant>(d, c);
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                Lanes xi = Lane.Of(xc[r]), yi = Lane.Of(xc[8 + r]), zi = Lane.Of(xc[16 + r]);
                float* row = table + type[i] * rowLength;
                Vector512<float> qi = TSingle.UsesCharges ? Vector512.Create(charge[i]) : zero, qq = zero;
                int* k = offsets + rows[i], end = offsets + rows[i + 1];
                // The row's own cluster, lanes above the diagonal, goes with the first of its others.
                long at = 24L * c, bt = k < end ? *k++ : nowhere;
                Vector512<float> ax = zero, ay = zero, az = zero, ae = zero;
                {
                    Vector512<float> dx = Difference(xi, x + at, x + bt), dy = Difference(yi, x + at + 8, x + bt + 8), dz = Difference(zi, x + at + 16, x + bt + 16);
                    var r2 = Vector512.MinNative(far, Vector512.FusedMultiplyAdd(dz, dz, Vector512.FusedMultiplyAdd(dy, dy, dx * dx)));
                    if (typeof(TTypes) != typeof(OneType))
                    {
                        var p = new SinglePairRow<TTypes>(row, stride, type + at / 3, type + bt / 3);
                        (cut, form) = (p[0], TSingle.Load(p));
                    }
                    if (TSingle.UsesCharges) qq = qi * Vector512.Create(Vector256.Load(charge + at / 3), Vector256.Load(charge + bt / 3));
                    // Of the upper half all lanes; where pairs are masked, the cluster itself has been done.
                    var above = Vector512.Create(Vector256.Create(masks ? 8f : r), Vector256.Create(-1f));
                    var mask = Vector512.LessThan(r2, cut) & Vector512.GreaterThan(lanes, above);
                    var s = Vector512.ConditionalSelect(mask, form.Evaluate(r2, qq, out var e), zero);
                    if (TWant.Energy) ae = Vector512.ConditionalSelect(mask, e, zero);
                    (ax, ay, az) = (s * dx, s * dy, s * dz);
                    gx += Widen(ax.GetLower());
                    gy += Widen(ay.GetLower());
                    gz += Widen(az.GetLower());
                    float* fb = f + bt;
                    (Vector256.Load(fb) - ax.GetUpper()).Store(fb);
                    (Vector256.Load(fb + 8) - ay.GetUpper()).Store(fb + 8);
                    (Vector256.Load(fb + 16) - az.GetUpper()).Store(fb + 16);
                }
                for (; k < end; k += 2)
                {
                    at = k[0];
                    bt = k + 1 < end ? k[1] : nowhere;
                    Vector512<float> dx = Difference(xi, x + at, x + bt), dy = Difference(yi, x + at + 8, x + bt + 8), dz = Difference(zi, x + at + 16, x + bt + 16);
                    var r2 = Vector512.MinNative(far, Vector512.FusedMultiplyAdd(dz, dz, Vector512.FusedMultiplyAdd(dy, dy, dx * dx)));
                    if (typeof(TTypes) != typeof(OneType))
                    {
                        var p = new SinglePairRow<TTypes>(row, stride, type + at / 3, type + bt / 3);
                        (cut, form) = (p[0], TSingle.Load(p));
                    }
                    if (TSingle.UsesCharges) qq = qi * Vector512.Create(Vector256.Load(charge + at / 3), Vector256.Load(charge + bt / 3));
                    var s = Vector512.ConditionalSelect(Vector512.LessThan(r2, cut), form.Evaluate(r2, qq, out var e), zero);
                    if (TWant.Energy) ae += Vector512.ConditionalSelect(Vector512.LessThan(r2, cut), e, zero);
                    dx *= s;
                    dy *= s;
                    dz *= s;
                    ax += dx;
                    ay += dy;
                    az += dz;
                    float* fa = f + at, fb = f + bt;
                    (Vector256.Load(fa) - dx.GetLower()).Store(fa);
                    (Vector256.Load(fa + 8) - dy.GetLower()).Store(fa + 8);
                    (Vector256.Load(fa + 16) - dz.GetLower()).Store(fa + 16);
                    (Vector256.Load(fb) - dx.GetUpper()).Store(fb);
                    (Vector256.Load(fb + 8) - dy.GetUpper()).Store(fb + 8);
                    (Vector256.Load(fb + 16) - dz.GetUpper()).Store(fb + 16);
                }
                (Widen(ax.GetLower()) + Widen(ax.GetUpper())).Store(sums + 8 * r);
                (Widen(ay.GetLower()) + Widen(ay.GetUpper())).Store(sums + 64 + 8 * r);
                (Widen(az.GetLower()) + Widen(az.GetUpper())).Store(sums + 128 + 8 * r);
                if (TWant.Energy) total += Widen(ae.GetLower()) + Widen(ae.GetUpper());
            }
            (Vector512.Load(fc) + (RowSums(sums) - gx)).Store(fc);
            (Vector512.Load(fc + 8) + (RowSums(sums + 64) - gy)).Store(fc + 8);
            (Vector512.Load(fc + 16) + (RowSums(sums + 128) - gz)).Store(fc + 16);
        }
        return TWant.Energy ? Vector512.Sum(total) : 0;
    }
}
