using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>What happens to a pair potential at its cutoff.</summary>
public enum Truncation
{
    /// <summary>Cut: the energy jumps at r_c.</summary>
    Cut,
    /// <summary>Shifted to zero energy at r_c: φ(r) − φ(r_c).</summary>
    Shifted,
    /// <summary>Shifted to zero energy and force at r_c: φ(r) − φ(r_c) − (r − r_c) φ′(r_c).</summary>
    ForceShifted,
}

/// <summary>
/// A law φ(r) between two atoms, twice: scalar to read, wide to run. Parameters are a row of numbers per pair of types; the first is the squared
/// cutoff. A value of the type is the parameters of eight pairs, ready for <see cref="Evaluate(Lanes, Lanes, out Lanes)"/>.
/// </summary>
internal interface IPairForm<TSelf> where TSelf : struct, IPairForm<TSelf>
{
    /// <summary>Numbers per pair of types, the squared cutoff first.</summary>
    static abstract int Parameters { get; }

    /// <summary>Whether <c>qq</c> = qᵢ qⱼ is used.</summary>
    static abstract bool UsesCharges { get; }

    /// <summary>−φ′(r)/r and φ(r) of one pair.</summary>
    static abstract double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy);

    /// <summary>Parameters of eight pairs.</summary>
    static abstract TSelf Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount;

    /// <summary>−φ′(r)/r and φ(r) of eight pairs. Lanes beyond the cutoff may hold anything, infinity and NaN too: they are masked by the caller.</summary>
    Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy);
}

/// <summary>How parameters are found.</summary>
internal interface ITypeCount;

/// <summary>One kind of atom: parameters are constants.</summary>
internal readonly struct OneType : ITypeCount;

/// <summary>Up to eight kinds: a row of parameters is one vector, permuted by the neighbours' types.</summary>
internal readonly struct FewTypes : ITypeCount;

/// <summary>Any number of kinds: parameters are gathered.</summary>
internal readonly struct ManyTypes : ITypeCount;

/// <summary>Parameters of one type i against the types of eight neighbours: parameter p against type t lies at <c>table[p·stride + t]</c>.</summary>
internal readonly unsafe struct PairRow<TTypes>(double* table, int stride, int* types) where TTypes : struct, ITypeCount
{
    /// <summary>The parameters, <see cref="Stride"/> numbers apart, for laws that hold between all kinds of atoms.</summary>
    public double* Table => table;

    /// <summary>See <see cref="Table"/>.</summary>
    public int Stride => stride;

    public Lanes this[int p]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            double* row = table + p * stride;
            if (typeof(TTypes) == typeof(OneType)) return Lane.Of(row[0]);
            if (typeof(TTypes) == typeof(FewTypes))
            {
                var (lower, upper) = Vector256.Widen(Vector256.Load(types));
                return Vector512.ShuffleNative(Vector512.Load(row), Vector512.Create(lower, upper));
            }
            int* t = types;
            return Vector512.Create(row[t[0]], row[t[1]], row[t[2]], row[t[3]], row[t[4]], row[t[5]], row[t[6]], row[t[7]]);
        }
    }
}

/// <summary>What a kernel leaves out.</summary>
internal interface IKernelWant
{
    static abstract bool Energy { get; }
}

internal readonly struct WithEnergy : IKernelWant { public static bool Energy => true; }

internal readonly struct ForcesOnly : IKernelWant { public static bool Energy => false; }

/// <summary>Parameters of pairs of types.</summary>
internal static class PairRows
{
    /// <summary>Rows of all pairs (i, j) at [(i·T + j)·n …] from those of i ≤ j.</summary>
    public static double[] Of(int types, int n, Func<int, int, double[]> row)
    {
        var rows = new double[types * types * n];
        for (int i = 0; i < types; i++)
            for (int j = i; j < types; j++)
            {
                double[] p = row(i, j);
                p.CopyTo(rows, (i * types + j) * n);
                p.CopyTo(rows, (j * types + i) * n);
            }
        return rows;
    }

    /// <summary>a, b that make φ + a + b r end at r_c as wanted, from φ(r_c) and φ′(r_c).</summary>
    public static (double A, double B) Shift(Truncation truncation, double cutoff, double energy, double slope)
    {
        if (cutoff == 0 || truncation == Truncation.Cut) return (0, 0);
        double b = truncation == Truncation.ForceShifted ? -slope : 0;
        return (-energy - b * cutoff, b);
    }

    /// <summary>The error for parameters of types i, j.</summary>
    public static InputException Bad(string law, int i, int j, string what) => new($"{law} between types {i + 1} and {j + 1}: {what}");
}

/// <summary>A pair potential between atoms of given types, on <see cref="Domain.Pairs"/>.</summary>
internal unsafe class PairPotential<TForm> : Interaction where TForm : struct, IPairForm<TForm>
{
    private readonly int _types, _stride;
    private readonly bool _anyType;
    private readonly AlignedArray<double> _table = new();
    private readonly double[] _rows;
    private readonly Action<Domain.Tile> _forces, _forcesAndEnergy;
    private double[] _energies = [];
    private Domain? _domain;

    /// <param name="description">Name and source.</param>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="rows">Parameters of types (i, j) at [(i·T + j)·P …]; symmetric. A squared cutoff of 0 switches a pair of types off.</param>
    /// <param name="anyType">With T = 1: the law holds between all kinds of atoms alike.</param>
    public PairPotential(string description, int types, double[] rows, bool anyType = false)
    {
        int parameters = TForm.Parameters;
        if (rows.Length != types * types * parameters) throw new ArgumentException("parameters do not fit the number of types", nameof(rows));
        (Description, _types, _rows, _anyType) = (description, types, rows, anyType);
        _stride = Math.Max(8, (types + 7) / 8 * 8);
        double* table = _table.Require((long)types * parameters * _stride);
        for (int i = 0; i < types; i++)
            for (int j = 0; j < types; j++)
                for (int p = 0; p < parameters; p++)
                    table[(i * parameters + p) * _stride + j] = rows[(i * types + j) * parameters + p];
        for (int k = 0; k < rows.Length; k += parameters) Cutoff = Math.Max(Cutoff, Math.Sqrt(rows[k]));
        _forces = tile => Tile<ForcesOnly>(tile.First, tile.End);
        _forcesAndEnergy = tile => _energies[tile.Index] = Tile<WithEnergy>(tile.First, tile.End);
    }

    /// <summary>Kinds of atoms.</summary>
    protected int Types => _types;

    /// <summary>Parameter p of types (i, j) lies at <c>Table[(i·P + p)·Stride + j]</c>.</summary>
    protected double* Table => _table.Pointer;

    /// <summary>See <see cref="Table"/>.</summary>
    protected int Stride => _stride;

    public override string Description { get; }

    public override void Prepare(Domain domain)
    {
        if (!_anyType && domain.TypeCount > _types)
            throw new InputException($"{Description}: parameters for {_types} kinds of atoms, but there are {domain.TypeCount}");
    }

    public override double Cutoff { get; }

    public override ListKind Lists => ListKind.Clusters;

    public override bool Overlaps => true;

    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) Scalar(domain, ref tally);
        else Wide(domain, want, ref tally);
    }

    /// <summary>The wide kernel on all tiles.</summary>
    protected void Wide(Domain domain, Want want, ref Tally tally)
    {
        _domain = domain;
        if ((want & Want.NoEnergy) != 0) { domain.RunTiles(_forces); return; }
        if (_energies.Length < domain.Tiles) _energies = new double[2 * domain.Tiles];
        domain.RunTiles(_forcesAndEnergy);
        for (int t = 0; t < domain.Tiles; t++) tally.Energy += _energies[t];
    }

    /// <summary>The wide kernel on owned clusters first … end − 1; returns their energy.</summary>
    private double Tile<TWant>(int first, int end) where TWant : struct, IKernelWant =>
        _types == 1 ? Tile<OneType, TWant>(_domain!, first, end)
        : _types <= 8 ? Tile<FewTypes, TWant>(_domain!, first, end)
        : Tile<ManyTypes, TWant>(_domain!, first, end);

    /// <summary>Pairs one by one, with energies and virials per atom: half of a pair goes to each.</summary>
    internal void Scalar(Domain d, ref Tally tally)
    {
        double* x = d.X, f = d.F;
        int parameters = TForm.Parameters;
        double energy = 0;
        d.EachPair(Pair);
        tally.Energy += energy;

        void Pair(int i, int j)
        {
            int a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
            double dx = x[a] - x[b], dy = x[a + 8] - x[b + 8], dz = x[a + 16] - x[b + 16], r2 = dx * dx + dy * dy + dz * dz;
            int row = _types == 1 ? 0 : d.Type[i] * _types + d.Type[j];
            var p = _rows.AsSpan(row * parameters, parameters);
            if (!(r2 < p[0])) return;
            double s = TForm.Evaluate(r2, p, d.Charge[i] * d.Charge[j], out double e);
            energy += e;
            f[a] += s * dx;
            f[a + 8] += s * dy;
            f[a + 16] += s * dz;
            f[b] -= s * dx;
            f[b + 8] -= s * dy;
            f[b + 16] -= s * dz;
            if (d.AtomEnergy == null) return;
            Span<double> w = [s * dx * dx, s * dy * dy, s * dz * dz, s * dy * dz, s * dx * dz, s * dx * dy];
            d.AtomEnergy[i] += 0.5 * e;
            d.AtomEnergy[j] += 0.5 * e;
            for (int k = 0; k < 6; k++)
            {
                d.AtomVirial[6 * i + k] += 0.5 * w[k];
                d.AtomVirial[6 * j + k] += 0.5 * w[k];
            }
        }
    }

    /// <summary>
    /// One atom of the row cluster against eight of another at a time. Forces on the eight go to memory at once; those on the row stay in
    /// registers, and eight rows are summed over lanes together.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected virtual double Tile<TTypes, TWant>(Domain d, int firstCluster, int endCluster)
        where TTypes : struct, ITypeCount
        where TWant : struct, IKernelWant
    {
        double* x = d.X, f = d.F, charge = d.Charge, table = _table.Pointer;
        int* rows = d.Pairs.RowStart, offsets = d.Pairs.Offset, type = d.Type;
        int stride = _stride, rowLength = TForm.Parameters * stride;
        double* sums = stackalloc double[24 * 8 + 8];
        sums = (double*)(((nuint)sums + 63) & ~(nuint)63);
        var lanes = Vector512.Create(0.0, 1, 2, 3, 4, 5, 6, 7);
        Lanes qq = Lanes.Zero, qi = Lanes.Zero;
        bool masks = d.Pairs.HasMasks;
        // A call between the loops below would keep what they need out of registers.
        var total = Lanes.Zero;
        // With one kind of atom these stay in registers.
        var first = new PairRow<TTypes>(table, stride, type);
        Lanes cut = first[0];
        TForm form = TForm.Load(first);
        // The cutoff for the lower four lanes, nothing for the others.
        Lanes half = Vector512.Create(cut.GetLower(), Vector256<double>.Zero);
        Vector512<long> lane = Vector512.Create(0L, 1, 2, 3, 4, 5, 6, 7), seven = Vector512.Create(7L);
        for (int c = firstCluster; c < endCluster; c++)
        {
            double* xc = x + 24L * c, fc = f + 24L * c;
            Lanes gx = Lanes.Zero, gy = Lanes.Zero, gz = Lanes.Zero;
            if (masks) total += Masked<TTypes, TWant>(d, c);
            if (typeof(TTypes) == typeof(OneType) && !masks)
            {
                // The cluster against itself turned by one to four lanes; turned by four every pair comes twice.
                Lanes px = Vector512.Load(xc), py = Vector512.Load(xc + 8), pz = Vector512.Load(xc + 16);
                for (int turn = 1; turn <= 4; turn++)
                {
                    var (there, back) = (lane + Vector512.Create((long)turn), lane - Vector512.Create((long)turn));
                    (there, back) = (there & seven, back & seven);
                    Lanes dx = px - Vector512.ShuffleNative(px, there), dy = py - Vector512.ShuffleNative(py, there), dz = pz - Vector512.ShuffleNative(pz, there);
                    var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                    if (TForm.UsesCharges) qq = Vector512.Load(charge + 8 * c) * Vector512.ShuffleNative(Vector512.Load(charge + 8 * c), there);
                    var limit = turn == 4 ? half : cut;
                    var s = Vector512.ConditionalSelect(Vector512.LessThan(r2, limit), form.Evaluate(r2, qq, out var e), Lanes.Zero);
                    if (TWant.Energy) total += Vector512.ConditionalSelect(Vector512.LessThan(r2, limit), e, Lanes.Zero);
                    dx *= s;
                    dy *= s;
                    dz *= s;
                    gx += Vector512.ShuffleNative(dx, back) - dx;
                    gy += Vector512.ShuffleNative(dy, back) - dy;
                    gz += Vector512.ShuffleNative(dz, back) - dz;
                }
            }
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                Lanes xi = Lane.Of(xc[r]), yi = Lane.Of(xc[8 + r]), zi = Lane.Of(xc[16 + r]);
                double* row = table + type[i] * rowLength;
                if (TForm.UsesCharges) qi = Lane.Of(charge[i]);
                Lanes ax = Lanes.Zero, ay = Lanes.Zero, az = Lanes.Zero;
                if (typeof(TTypes) != typeof(OneType) && !masks)
                {
                    // The row against its own cluster, lanes above the diagonal. The others hold infinities until they are masked.
                    Lanes dx = xi - Vector512.Load(xc), dy = yi - Vector512.Load(xc + 8), dz = zi - Vector512.Load(xc + 16);
                    var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                    var p = new PairRow<TTypes>(row, stride, type + 8 * c);
                    (cut, form) = (p[0], TForm.Load(p));
                    var mask = Vector512.LessThan(r2, cut) & Vector512.GreaterThan(lanes, Lane.Of(r));
                    if (TForm.UsesCharges) qq = qi * Vector512.Load(charge + 8 * c);
                    var s = Lane.Select(mask, form.Evaluate(r2, qq, out var e), Lanes.Zero);
                    if (TWant.Energy) total += Lane.Select(mask, e, Lanes.Zero);
                    (ax, ay, az) = (s * dx, s * dy, s * dz);
                    gx += ax;
                    gy += ay;
                    gz += az;
                }
                int* end = offsets + rows[i + 1];
                for (int* k = offsets + rows[i]; k < end; k++)
                {
                    long at = *k;
                    double* xj = x + at, fj = f + at;
                    Lanes dx = xi - Vector512.Load(xj), dy = yi - Vector512.Load(xj + 8), dz = zi - Vector512.Load(xj + 16);
                    var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                    if (typeof(TTypes) != typeof(OneType))
                    {
                        var p = new PairRow<TTypes>(row, stride, type + at / 3);
                        (cut, form) = (p[0], TForm.Load(p));
                    }
                    if (TForm.UsesCharges) qq = qi * Vector512.Load(charge + at / 3);
                    // Comparisons written where they are used become mask registers.
                    var s = Vector512.ConditionalSelect(Vector512.LessThan(r2, cut), form.Evaluate(r2, qq, out var e), Lanes.Zero);
                    if (TWant.Energy) total += Vector512.ConditionalSelect(Vector512.LessThan(r2, cut), e, Lanes.Zero);
                    dx *= s;
                    dy *= s;
                    dz *= s;
                    ax += dx;
                    ay += dy;
                    az += dz;
                    (Vector512.Load(fj) - dx).Store(fj);
                    (Vector512.Load(fj + 8) - dy).Store(fj + 8);
                    (Vector512.Load(fj + 16) - dz).Store(fj + 16);
                }
                ax.Store(sums + 8 * r);
                ay.Store(sums + 64 + 8 * r);
                az.Store(sums + 128 + 8 * r);
            }
            (Vector512.Load(fc) + (RowSums(sums) - gx)).Store(fc);
            (Vector512.Load(fc + 8) + (RowSums(sums + 64) - gy)).Store(fc + 8);
            (Vector512.Load(fc + 16) + (RowSums(sums + 128) - gz)).Store(fc + 16);
        }
        return TWant.Energy ? Vector512.Sum(total) : 0;
    }

    /// <summary>With exclusions: the pairs inside cluster c and those of its masked entries. Returns their energy, lane by lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    protected Lanes Masked<TTypes, TWant>(Domain d, int c)
        where TTypes : struct, ITypeCount
        where TWant : struct, IKernelWant
    {
        double* x = d.X, f = d.F, charge = d.Charge, xc = x + 24L * c, fc = f + 24L * c;
        int* type = d.Type, rows = d.Pairs.MaskedRowStart, offsets = d.Pairs.MaskedOffset;
        byte* masks = d.Pairs.Mask, inside = d.Pairs.Inside;
        double* sums = stackalloc double[24 * 8 + 8];
        sums = (double*)(((nuint)sums + 63) & ~(nuint)63);
        Lanes total = Lanes.Zero, qq = Lanes.Zero;
        for (int r = 0; r < 8; r++)
        {
            int i = 8 * c + r;
            double* row = _table.Pointer + (typeof(TTypes) == typeof(OneType) ? 0 : type[i]) * TForm.Parameters * _stride;
            Lanes xi = Lane.Of(xc[r]), yi = Lane.Of(xc[8 + r]), zi = Lane.Of(xc[16 + r]), qi = TForm.UsesCharges ? Lane.Of(charge[i]) : Lanes.Zero;
            Lanes ax = Lanes.Zero, ay = Lanes.Zero, az = Lanes.Zero;
            int first = rows[i], end = rows[i + 1];
            // The cluster itself goes before the first entry.
            for (int k = inside[i] == 0 ? first : first - 1; k < end; k++)
            {
                long at = k < first ? 24L * c : offsets[k];
                double* xj = x + at, fj = f + at;
                Lanes dx = xi - Vector512.Load(xj), dy = yi - Vector512.Load(xj + 8), dz = zi - Vector512.Load(xj + 16);
                var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                var p = new PairRow<TTypes>(row, _stride, type + at / 3);
                var mask = Vector512.LessThan(r2, p[0]) & Lane.Mask(k < first ? inside[i] : masks[k]);
                if (TForm.UsesCharges) qq = qi * Vector512.Load(charge + at / 3);
                var s = Lane.Select(mask, TForm.Load(p).Evaluate(r2, qq, out var e), Lanes.Zero);
                if (TWant.Energy) total += Lane.Select(mask, e, Lanes.Zero);
                dx *= s;
                dy *= s;
                dz *= s;
                ax += dx;
                ay += dy;
                az += dz;
                (Vector512.Load(fj) - dx).Store(fj);
                (Vector512.Load(fj + 8) - dy).Store(fj + 8);
                (Vector512.Load(fj + 16) - dz).Store(fj + 16);
            }
            ax.Store(sums + 8 * r);
            ay.Store(sums + 64 + 8 * r);
            az.Store(sums + 128 + 8 * r);
        }
        (Vector512.Load(fc) + RowSums(sums)).Store(fc);
        (Vector512.Load(fc + 8) + RowSums(sums + 64)).Store(fc + 8);
        (Vector512.Load(fc + 16) + RowSums(sums + 128)).Store(fc + 16);
        return total;
    }

    /// <summary>Lane r: the sum over row r of an 8×8 block, ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected static Lanes RowSums(double* a)
    {
        if (Avx512F.IsSupported)
        {
            Lanes a0 = Vector512.Load(a), a1 = Vector512.Load(a + 8), a2 = Vector512.Load(a + 16), a3 = Vector512.Load(a + 24);
            Lanes a4 = Vector512.Load(a + 32), a5 = Vector512.Load(a + 40), a6 = Vector512.Load(a + 48), a7 = Vector512.Load(a + 56);
            Lanes b0 = Avx512F.UnpackLow(a0, a1) + Avx512F.UnpackHigh(a0, a1), b1 = Avx512F.UnpackLow(a2, a3) + Avx512F.UnpackHigh(a2, a3);
            Lanes b2 = Avx512F.UnpackLow(a4, a5) + Avx512F.UnpackHigh(a4, a5), b3 = Avx512F.UnpackLow(a6, a7) + Avx512F.UnpackHigh(a6, a7);
            Lanes c0 = Avx512F.Shuffle4x128(b0, b1, 0x88) + Avx512F.Shuffle4x128(b0, b1, 0xDD);
            Lanes c1 = Avx512F.Shuffle4x128(b2, b3, 0x88) + Avx512F.Shuffle4x128(b2, b3, 0xDD);
            return Avx512F.Shuffle4x128(c0, c1, 0x88) + Avx512F.Shuffle4x128(c0, c1, 0xDD);
        }
        double* sum = stackalloc double[8];
        for (int r = 0; r < 8; r++, a += 8) sum[r] = (a[0] + a[1] + (a[2] + a[3])) + (a[4] + a[5] + (a[6] + a[7]));
        return Vector512.Load(sum);
    }
}
