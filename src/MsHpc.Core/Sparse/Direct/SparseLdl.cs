using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Supernodal factorisation P A Pᵀ = L D Lᵀ of one symmetric matrix, without pivoting: right for definite and quasi-definite matrices,
/// honest about the others. Right-looking; every update is a dense tile of 16 rows × 8 columns.
/// </summary>
/// <remarks>Nothing is allocated after construction. Not thread-safe; several may share one <see cref="SymbolicLdl"/>.</remarks>
public sealed unsafe partial class SparseLdl
{
    private readonly LdlSchedule _schedule;
    private readonly int[] _first, _permutation;
    private readonly AlignedBuffer _storage, _own, _tile, _pivot, _inverse, _scale, _work, _sums, _scratch;

    /// <summary>Allocates the factor: about 8·<see cref="SymbolicLdl.FactorNonzeros"/> bytes.</summary>
    /// <exception cref="NumericalException">The factor does not fit one array.</exception>
    public SparseLdl(SymbolicLdl symbolic)
    {
        Symbolic = symbolic;
        var schedule = _schedule = symbolic.Schedule8;
        _first = symbolic.First;
        _permutation = symbolic.Perm;
        _storage = new AlignedBuffer(schedule.Length + 64L);
        _own = new AlignedBuffer(schedule.MaxOwn + 64L);
        _tile = new AlignedBuffer(8L * schedule.MaxWidth);
        _pivot = new AlignedBuffer(schedule.Columns + 8L);
        _inverse = new AlignedBuffer(schedule.Columns + 8L);
        _scale = new AlignedBuffer(schedule.Columns + 8L);
        _work = new AlignedBuffer(schedule.Columns + 8L);
        _sums = new AlignedBuffer(8L * schedule.MaxWidth);
        _scratch = new AlignedBuffer(128);
    }

    /// <summary>The analysis this factorisation follows.</summary>
    public SymbolicLdl Symbolic { get; }

    /// <summary>
    /// Factors a matrix. A pivot d_i fails when it is negative where that is not allowed, not finite, or no larger than rounding:
    /// |d_i| ≤ 8 ε s_i, or |d_i| ≤ 8 ε Σ_k s_k v_k² with v = L⁻ᵀ e_i and s_k = max_j |a_kj|, the uncertainty of d_i = vᵀ A v. The latter
    /// finds the null spaces of large and of badly scaled matrices; it costs one solve for each pivot that looks suspicious.
    /// </summary>
    /// <param name="values">One per pattern entry; the lower triangle is read, the upper one only for the size of its entries.</param>
    /// <param name="requirePositive">Whether a negative pivot is a failure.</param>
    /// <exception cref="ArgumentException">Wrong number of values.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public LdlStatus Factor(ReadOnlySpan<double> values, bool requirePositive)
    {
        var pattern = Symbolic.Pattern;
        if (values.Length != pattern.Count) throw new ArgumentException($"{values.Length} values for {pattern.Count} pattern entries", nameof(values));
        var schedule = _schedule;
        double* storage = _storage.Pointer, own = _own.Pointer, tile = _tile.Pointer, pivots = _pivot.Pointer, inverses = _inverse.Pointer;
        double* scale = _scale.Pointer;
        NativeMemory.Clear(storage, (nuint)schedule.Length * 8);
        var inversePermutation = Symbolic.Inverse;
        var slots = schedule.Slot;
        double greatest = 0;
        for (int i = 0; i < pattern.Rows; i++)
        {
            double largest = 0;
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
            {
                double v = values[k];
                largest = Math.Max(largest, Math.Abs(v));
                int slot = slots[k];
                if (slot >= 0) storage[slot] = v;
            }
            scale[inversePermutation[i]] = largest;
            greatest = Math.Max(greatest, largest);
        }

        int negatives = 0;
        Lanes* scratch = _scratch.Lanes;
        fixed (int* rel = schedule.Rel, columnOffset = schedule.ColumnOffset)
        {
            for (int s = 0; s < schedule.Supernodes; s++)
            {
                int w = schedule.Width[s], ownGroups = schedule.OwnGroups[s], belowGroups = schedule.BelowGroups[s], first = _first[s];
                int groups = ownGroups + belowGroups;
                nint stride = 8 * w;
                double* panel = storage + schedule.Panel[s];
                double* d = pivots + first;
                double* inverse = inverses + first;
                for (int c0 = 0, j = 0; c0 < w; c0 += 8, j++)
                {
                    int count = Math.Min(8, w - c0);
                    double* ownJ = own + j * stride;
                    double* panelJ = panel + j * stride;
                    if (c0 > 0) Panel1(panelJ, ownJ, c0, count, null, null);
                    int bad = DiagonalBlock(panelJ + 8 * c0, ownJ + 8 * c0, count, d + c0, inverse + c0, scale + first + c0, requirePositive, ref negatives);
                    if (bad >= 0)
                    {
                        int at = first + c0 + bad;
                        double pivot = d[c0 + bad];
                        var outcome = !double.IsFinite(pivot) ? LdlOutcome.NotANumber
                            : Math.Abs(pivot) <= SymbolicLdl.LostPivot * scale[at] || Math.Abs(pivot) <= Noise(at)
                            ? LdlOutcome.Singular : LdlOutcome.NotPositive;
                        return new LdlStatus(outcome, _permutation[at], pivot, negatives);
                    }
                    int i = j + 1;
                    for (; i + 1 < groups; i += 2)
                    {
                        Panel2(panel + i * stride, stride, ownJ, c0, count, inverse + c0, i < ownGroups ? own + i * stride : null,
                            i + 1 < ownGroups ? own + (i + 1) * stride : null);
                    }
                    if (i < groups) Panel1(panel + i * stride, ownJ, c0, count, inverse + c0, i < ownGroups ? own + i * stride : null);
                }

                if (belowGroups == 0) continue;
                double* below = panel + ownGroups * stride;
                int* offset = columnOffset + schedule.PadStart[s];
                for (int segment = schedule.SegmentStart[s]; segment < schedule.SegmentStart[s + 1]; segment++)
                {
                    int begin = schedule.SegmentRow[segment], end = begin + schedule.SegmentColumns[segment];
                    int* target = rel + schedule.SegmentRel[segment] - begin / 8 * 8;
                    for (int j = begin; j < end; j += 8)
                    {
                        int count = Math.Min(8, end - j);
                        PackRows(tile, below, stride, j, count, d, w);
                        int i = j / 8;
                        for (; i + 1 < belowGroups; i += 2)
                            Update2(storage, below + i * stride, stride, tile, w, count, target + 8 * i, offset + j, scratch);
                        if (i < belowGroups) Update1(storage, below + i * stride, tile, w, count, target + 8 * i, offset + j, scratch);
                    }
                }
            }
        }
        double global = SymbolicLdl.SuspiciousGlobally(schedule.Columns) * greatest;
        int checks = 0;
        for (int j = 0; j < schedule.Columns && checks < 32; j++)
        {
            double size = Math.Abs(pivots[j]);
            if (size > global || size > SymbolicLdl.SuspiciousPivot * scale[j]) continue;
            checks++;
            if (size <= Noise(j)) return new LdlStatus(LdlOutcome.Singular, _permutation[j], pivots[j], negatives);
        }
        return new LdlStatus(LdlOutcome.Ok, -1, 0, negatives);
    }

    /// <summary>Rounding noise of pivot j, see <see cref="SymbolicLdl.PivotNoise"/>; needs the columns before j only.</summary>
    private double Noise(int j)
    {
        var schedule = _schedule;
        double* y = _work.Pointer, scale = _scale.Pointer;
        new Span<double>(y, schedule.Columns + 1).Clear();
        y[j] = _pivot.Pointer[j];
        _inverse.Pointer[j] = 1 / y[j];
        int last = Symbolic.SupernodeOf[j];
        fixed (int* rows = schedule.RowPad)
        {
            for (int s = last; s >= 0; s--)
                Backward(_storage.Pointer + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s], y, y + _first[s],
                    rows + schedule.PadStart[s], _inverse.Pointer + _first[s], _sums.Lanes, _scratch.Pointer);
        }
        double sum = 0;
        for (int k = 0; k <= j; k++) sum += scale[k] * y[k] * y[k];
        return SymbolicLdl.PivotNoise * sum;
    }

    /// <summary>Eliminates the block of up to eight columns on the diagonal; returns the first bad column or −1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int DiagonalBlock(double* block, double* negative, int count, double* d, double* inverse, double* scale, bool positive, ref int negatives)
    {
        for (int c = 0; c < count; c++)
        {
            double pivot = d[c] = block[9 * c];
            if (!(Math.Abs(pivot) > SymbolicLdl.LostPivot * scale[c]) || !double.IsFinite(pivot) || (positive && pivot < 0)) return c;
            if (pivot < 0) negatives++;
            double reciprocal = inverse[c] = 1 / pivot;
            for (int r = c + 1; r < count; r++)
            {
                double x = block[8 * c + r];
                negative[8 * c + r] = -x;
                block[8 * c + r] = x * reciprocal;
            }
            for (int k = c + 1; k < count; k++)
                for (int r = k; r < count; r++)
                    block[8 * k + r] = Math.FusedMultiplyAdd(block[8 * c + r], negative[8 * c + k], block[8 * k + r]);
        }
        return -1;
    }

    /// <summary>tile[8 k + c] = −D_k L_(j+c)k; zero for c ≥ count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows(double* tile, double* below, nint stride, int j, int count, double* d, int w)
    {
        for (int c = 0; c < 8; c++)
        {
            double* row = below + (j + c) / 8 * stride + (j + c) % 8;
            if (c < count) for (int k = 0; k < w; k++) tile[8 * k + c] = -(row[8 * k] * d[k]);
            else for (int k = 0; k < w; k++) tile[8 * k + c] = 0;
        }
    }

    /// <summary>Adds one column of an update tile to eight rows of an ancestor: as one vector where they are neighbours there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scatter(double* storage, int* rel, double* x)
    {
        if (rel[7] - rel[0] == 7)
        {
            double* t = storage + rel[0];
            (Vector512.Load(t) + Vector512.Load(x)).Store(t);
            return;
        }
        storage[rel[0]] += x[0];
        storage[rel[1]] += x[1];
        storage[rel[2]] += x[2];
        storage[rel[3]] += x[3];
        storage[rel[4]] += x[4];
        storage[rel[5]] += x[5];
        storage[rel[6]] += x[6];
        storage[rel[7]] += x[7];
    }

    /// <summary>Solves A x = b in place, both in the original numbering: x = Pᵀ L⁻ᵀ D⁻¹ L⁻¹ P b.</summary>
    /// <param name="x">b in, x out; length Rows.</param>
    public void Solve(Span<double> x) => Solve(x, 1);

    /// <summary>Solves for several right-hand sides.</summary>
    /// <param name="x">x[i·columns + k]: unknown i of right-hand side k. Length Rows·columns.</param>
    /// <param name="columns">Number of right-hand sides.</param>
    /// <exception cref="ArgumentException">The length of x does not match.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Solve(Span<double> x, int columns)
    {
        var schedule = _schedule;
        int n = schedule.Columns;
        if (columns < 1 || x.Length != (long)n * columns)
            throw new ArgumentException($"x has {x.Length} entries for {n} unknowns and {columns} columns", nameof(x));
        double* y = _work.Pointer, storage = _storage.Pointer, inverses = _inverse.Pointer;
        fixed (int* permutation = _permutation, rows = schedule.RowPad)
        {
            for (int column = 0; column < columns; column++)
            {
                for (int i = 0; i < n; i++) y[i] = x[permutation[i] * columns + column];
                y[n] = 0;
                for (int s = 0; s < schedule.Supernodes; s++)
                    Forward(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s], y, y + _first[s],
                        rows + schedule.PadStart[s], _scratch.Pointer);
                for (int s = schedule.Supernodes - 1; s >= 0; s--)
                    Backward(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s], y, y + _first[s],
                        rows + schedule.PadStart[s], inverses + _first[s], _sums.Lanes, _scratch.Pointer);
                for (int i = 0; i < n; i++) x[permutation[i] * columns + column] = y[i];
            }
        }
    }

    /// <summary>Σ_k L_k y_k of one group of rows, in four chains that are added at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Product(double* l, double* y, int count)
    {
        Lanes a = Lanes.Zero, b = a, c = a, d = a;
        int k = 0;
        for (; k + 3 < count; k += 4, l += 32)
        {
            a = Lane.Fma(Vector512.Load(l), Vector512.Create(y[k]), a);
            b = Lane.Fma(Vector512.Load(l + 8), Vector512.Create(y[k + 1]), b);
            c = Lane.Fma(Vector512.Load(l + 16), Vector512.Create(y[k + 2]), c);
            d = Lane.Fma(Vector512.Load(l + 24), Vector512.Create(y[k + 3]), d);
        }
        for (; k < count; k++, l += 8) a = Lane.Fma(Vector512.Load(l), Vector512.Create(y[k]), a);
        return (a + b) + (c + d);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward(double* a, int w, int ownGroups, int belowGroups, double* work, double* own, int* rows, double* v)
    {
        nint stride = 8 * w;
        for (int i = 0; i < ownGroups; i++, a += stride)
        {
            int c0 = 8 * i, count = Math.Min(8, w - c0);
            double* z = own + c0;
            if (c0 > 0)
            {
                Product(a, own, c0).Store(v);
                for (int r = 0; r < count; r++) z[r] -= v[r];
            }
            double* block = a + 8 * c0;
            for (int c = 0; c + 1 < count; c++)
                for (int r = c + 1; r < count; r++) z[r] = Math.FusedMultiplyAdd(-block[8 * c + r], z[c], z[r]);
        }
        for (int i = 0; i < belowGroups; i++, a += stride, rows += 8)
        {
            Product(a, own, w).Store(v);
            for (int r = 0; r < 8; r++) work[rows[r]] -= v[r];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward(double* a, int w, int ownGroups, int belowGroups, double* work, double* own, int* rows, double* inverse, Lanes* sums, double* v)
    {
        nint stride = 8 * w;
        for (int k = 0; k < w; k++) { own[k] *= inverse[k]; sums[k] = Lanes.Zero; }
        double* l = a + ownGroups * stride;
        for (int i = 0; i < belowGroups; i++, rows += 8)
        {
            for (int r = 0; r < 8; r++) v[r] = work[rows[r]];
            var y = Vector512.Load(v);
            for (int k = 0; k < w; k++, l += 8) sums[k] = Lane.Fma(Vector512.Load(l), y, sums[k]);
        }
        if (belowGroups > 0) for (int k = 0; k < w; k++) own[k] -= Vector512.Sum(sums[k]);
        for (int i = ownGroups - 1; i >= 0; i--)
        {
            int c0 = 8 * i, count = Math.Min(8, w - c0);
            double* group = a + i * stride, block = group + 8 * c0, z = own + c0;
            for (int c = count - 2; c >= 0; c--)
                for (int r = c + 1; r < count; r++) z[c] = Math.FusedMultiplyAdd(-block[8 * c + r], z[r], z[c]);
            if (c0 == 0) break;
            for (int r = 0; r < 8; r++) v[r] = r < count ? z[r] : 0;
            var y = Vector512.Load(v);
            for (int k = 0; k < c0; k++, group += 8) own[k] -= Vector512.Sum(Vector512.Load(group) * y);
        }
    }
}
