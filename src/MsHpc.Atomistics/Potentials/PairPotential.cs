using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// A law φ(r) between two atoms, twice: scalar to read, wide to run. Parameters are a row of numbers per pair of types; the first is the squared
/// cutoff.
/// </summary>
internal interface IPairForm
{
    /// <summary>Numbers per pair of types, the squared cutoff first.</summary>
    static abstract int Parameters { get; }

    /// <summary>Whether <c>qq</c> = qᵢ qⱼ is used.</summary>
    static abstract bool UsesCharges { get; }

    /// <summary>−φ′(r)/r and φ(r) of one pair.</summary>
    static abstract double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy);

    /// <summary>−φ′(r)/r and φ(r) of eight pairs. Lanes beyond the cutoff may hold anything; they are masked by the caller.</summary>
    static abstract Lanes Evaluate<TTypes>(Lanes r2, in PairRow<TTypes> p, Lanes qq, out Lanes energy) where TTypes : struct, ITypeCount;
}

/// <summary>How parameters are found.</summary>
internal interface ITypeCount
{
    static abstract int Most { get; }
}

/// <summary>One kind of atom: parameters are constants.</summary>
internal readonly struct OneType : ITypeCount { public static int Most => 1; }

/// <summary>Up to eight kinds: a row of parameters is one vector, permuted by the neighbours' types.</summary>
internal readonly struct FewTypes : ITypeCount { public static int Most => 8; }

/// <summary>Any number of kinds: parameters are gathered.</summary>
internal readonly struct ManyTypes : ITypeCount { public static int Most => int.MaxValue; }

/// <summary>Parameters of one type i against the types of eight neighbours: parameter p against type t lies at <c>Table[p·Stride + t]</c>.</summary>
internal readonly unsafe struct PairRow<TTypes>(double* table, int stride, int* types, double* constants) where TTypes : struct, ITypeCount
{
    /// <summary>Numbers that are the same for all pairs of types.</summary>
    public readonly double* Constants = constants;

    /// <summary>The parameters, <see cref="Stride"/> numbers apart, for those that are the same for all types of neighbours.</summary>
    public double* Table => _table;

    /// <summary>See <see cref="Table"/>.</summary>
    public int Stride => _stride;

    private readonly double* _table = table;
    private readonly int _stride = stride;
    private readonly int* _types = types;

    public Lanes this[int p]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            double* row = _table + p * _stride;
            if (typeof(TTypes) == typeof(OneType)) return Lane.Of(row[0]);
            if (typeof(TTypes) == typeof(FewTypes))
            {
                var (lower, upper) = Vector256.Widen(Vector256.Load(_types));
                return Vector512.Shuffle(Vector512.Load(row), Vector512.Create(lower, upper));
            }
            int* t = _types;
            return Vector512.Create(row[t[0]], row[t[1]], row[t[2]], row[t[3]], row[t[4]], row[t[5]], row[t[6]], row[t[7]]);
        }
    }
}

/// <summary>A pair potential between atoms of given types, on <see cref="Domain.Pairs"/>.</summary>
internal abstract unsafe class PairPotential<TForm> : Interaction where TForm : struct, IPairForm
{
    private readonly int _types, _stride;
    private readonly AlignedArray<double> _table = new(), _constants = new();
    private readonly double[] _rows;

    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="rows">Parameters of types (i, j) at [(i·T + j)·P …]; symmetric. A squared cutoff of 0 switches a pair of types off.</param>
    /// <param name="constants">Numbers for the wide kernel that are the same for all pairs of types.</param>
    protected PairPotential(int types, double[] rows, ReadOnlySpan<double> constants = default)
    {
        int parameters = TForm.Parameters;
        if (rows.Length != types * types * parameters) throw new ArgumentException("parameters do not fit the number of types", nameof(rows));
        (_types, _rows) = (types, rows);
        _constants.Require(constants.Length);
        constants.CopyTo(_constants.Span(constants.Length));
        _stride = Math.Max(8, (types + 7) / 8 * 8);
        double* table = _table.Require((long)types * parameters * _stride);
        for (int i = 0; i < types; i++)
            for (int j = 0; j < types; j++)
                for (int p = 0; p < parameters; p++)
                    table[(i * parameters + p) * _stride + j] = rows[(i * types + j) * parameters + p];
        for (int k = 0; k < rows.Length; k += parameters) Cutoff = Math.Max(Cutoff, Math.Sqrt(rows[k]));
    }

    public override double Cutoff { get; }

    public override ListKind Lists => ListKind.Clusters;

    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) { Scalar(domain, ref tally); return; }
        if (_types == 1) Wide<OneType>(domain, ref tally);
        else if (_types <= 8) Wide<FewTypes>(domain, ref tally);
        else Wide<ManyTypes>(domain, ref tally);
    }

    /// <summary>Pairs one by one, with energies and virials per atom: half of a pair goes to each.</summary>
    internal void Scalar(Domain d, ref Tally tally)
    {
        double* x = d.X, f = d.F;
        int parameters = TForm.Parameters;
        double energy = 0;
        for (int c = 0; c < d.OwnedClusters; c++)
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                if (d.Tag[i] < 0) continue;
                bool masks = d.Pairs.HasMasks;
                for (int l = r + 1; l < 8; l++) if (!masks || (d.Pairs.Inside[i] >> l & 1) != 0) Pair(i, 8 * c + l);
                for (int k = masks ? d.Pairs.MaskedRowStart[i] : 0; masks && k < d.Pairs.MaskedRowStart[i + 1]; k++)
                    for (int l = 0; l < 8; l++) if ((d.Pairs.Mask[k] >> l & 1) != 0) Pair(i, d.Pairs.MaskedOffset[k] / 24 * 8 + l);
                for (int k = d.Pairs.RowStart[i]; k < d.Pairs.RowStart[i + 1]; k++)
                    for (int l = 0; l < 8; l++) Pair(i, d.Pairs.Offset[k] / 24 * 8 + l);
            }
        tally.Energy += energy;

        void Pair(int i, int j)
        {
            if (d.Tag[j] < 0) return;
            int a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
            double dx = x[a] - x[b], dy = x[a + 8] - x[b + 8], dz = x[a + 16] - x[b + 16], r2 = dx * dx + dy * dy + dz * dz;
            var p = _rows.AsSpan((d.Type[i] * _types + d.Type[j]) * parameters, parameters);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Wide<TTypes>(Domain d, ref Tally tally) where TTypes : struct, ITypeCount
    {
        double* x = d.X, f = d.F, charge = d.Charge, table = _table.Pointer, constants = _constants.Pointer;
        int* rows = d.Pairs.RowStart, offsets = d.Pairs.Offset, type = d.Type;
        int rowLength = TForm.Parameters * _stride;
        var lanes = Vector512.Create(0.0, 1, 2, 3, 4, 5, 6, 7);
        Lanes total = Lanes.Zero, qq = Lanes.Zero;
        bool masks = d.Pairs.HasMasks;
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            double* xc = x + 24L * c, fc = f + 24L * c;
            if (masks) total += Masked<TTypes>(d, c);
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                Lanes xi = Lane.Of(xc[r]), yi = Lane.Of(xc[8 + r]), zi = Lane.Of(xc[16 + r]);
                double* row = table + type[i] * rowLength;
                Lanes ax = Lanes.Zero, ay = Lanes.Zero, az = Lanes.Zero;
                if (r < 7 && !masks)
                {
                    Lanes dx = xi - Vector512.Load(xc), dy = yi - Vector512.Load(xc + 8), dz = zi - Vector512.Load(xc + 16);
                    var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                    var p = new PairRow<TTypes>(row, _stride, type + 8 * c, constants);
                    var mask = Vector512.LessThan(r2, p[0]) & Vector512.GreaterThan(lanes, Lane.Of(r));
                    if (TForm.UsesCharges) qq = Lane.Of(charge[i]) * Vector512.Load(charge + 8 * c);
                    // Lanes at and below the diagonal may coincide with atom i: a harmless distance instead.
                    var s = TForm.Evaluate(Lane.Select(mask, r2, Lanes.One), p, qq, out var e) & mask;
                    total += e & mask;
                    (ax, ay, az) = (s * dx, s * dy, s * dz);
                    (Vector512.Load(fc) - ax).Store(fc);
                    (Vector512.Load(fc + 8) - ay).Store(fc + 8);
                    (Vector512.Load(fc + 16) - az).Store(fc + 16);
                }
                int end = rows[i + 1];
                for (int k = rows[i]; k < end; k++)
                {
                    int at = offsets[k];
                    double* xj = x + at, fj = f + at;
                    Lanes dx = xi - Vector512.Load(xj), dy = yi - Vector512.Load(xj + 8), dz = zi - Vector512.Load(xj + 16);
                    var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                    var p = new PairRow<TTypes>(row, _stride, type + at / 3, constants);
                    var mask = Vector512.LessThan(r2, p[0]);
                    if (TForm.UsesCharges) qq = Lane.Of(charge[i]) * Vector512.Load(charge + at / 3);
                    var s = TForm.Evaluate(r2, p, qq, out var e) & mask;
                    total += e & mask;
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
                fc[r] += Vector512.Sum(ax);
                fc[8 + r] += Vector512.Sum(ay);
                fc[16 + r] += Vector512.Sum(az);
            }
        }
        tally.Energy += Vector512.Sum(total);
    }

    /// <summary>With exclusions: the pairs inside cluster c and those of its masked entries. Returns their energy, lane by lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private Lanes Masked<TTypes>(Domain d, int c) where TTypes : struct, ITypeCount
    {
        double* x = d.X, f = d.F, charge = d.Charge;
        int* type = d.Type;
        Lanes total = Lanes.Zero, qq = Lanes.Zero;
        for (int i = 8 * c; i < 8 * c + 8; i++)
        {
            double* xi = x + (24L * c + i % 8), fi = f + (24L * c + i % 8), row = _table.Pointer + type[i] * TForm.Parameters * _stride;
            Lanes ax = Lanes.Zero, ay = Lanes.Zero, az = Lanes.Zero;
            int first = d.Pairs.MaskedRowStart[i], end = d.Pairs.MaskedRowStart[i + 1];
            for (int k = first - 1; k < end; k++)
            {
                int at = k < first ? 24 * c : d.Pairs.MaskedOffset[k];
                double* xj = x + at, fj = f + at;
                Lanes dx = Lane.Of(xi[0]) - Vector512.Load(xj), dy = Lane.Of(xi[8]) - Vector512.Load(xj + 8), dz = Lane.Of(xi[16]) - Vector512.Load(xj + 16);
                var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                var p = new PairRow<TTypes>(row, _stride, type + at / 3, _constants.Pointer);
                var mask = Vector512.LessThan(r2, p[0]) & Lane.Mask(k < first ? d.Pairs.Inside[i] : d.Pairs.Mask[k]);
                if (TForm.UsesCharges) qq = Lane.Of(charge[i]) * Vector512.Load(charge + at / 3);
                // An atom meets itself, and excluded atoms may coincide: a harmless distance instead.
                var s = TForm.Evaluate(Lane.Select(mask, r2, Lanes.One), p, qq, out var e) & mask;
                total += e & mask;
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
            fi[0] += Vector512.Sum(ax);
            fi[8] += Vector512.Sum(ay);
            fi[16] += Vector512.Sum(az);
        }
        return total;
    }
}
