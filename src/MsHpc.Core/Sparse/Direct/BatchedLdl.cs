using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Factors four symmetric matrices of one pattern at once, one per lane: P A Pᵀ = L D Lᵀ, L unit lower triangular, D diagonal, no pivoting.
/// Supernodal and right-looking, in place: callers add element matrices straight into <see cref="Storage"/>.
/// </summary>
/// <remarks>
/// <para>One assembly and solve: <c>Clear</c>; for each entry of an element matrix on or below the diagonal (row ≥ column in the original
/// numbering) add its four values to <c>Storage[Slot(entry)]</c>; <c>Factor</c>; <c>Solve</c>. After a factorisation the storage holds L
/// and must be cleared before the next assembly.</para>
/// <para>Lanes4 never mix: the bits of a lane's result depend on that lane's matrix only. Nothing is allocated after construction. Not
/// thread-safe; make one object per thread on a shared <see cref="SymbolicLdl"/>.</para>
/// </remarks>
public sealed unsafe partial class BatchedLdl
{
    private readonly LdlSchedule _schedule;
    private readonly int[] _first;
    private readonly int[] _permutation;
    private readonly AlignedBuffer _storage, _own, _tile, _pivot, _inverse, _scale, _work;

    /// <summary>Allocates the factor: about 32·<see cref="SymbolicLdl.FactorNonzeros"/> bytes.</summary>
    /// <exception cref="NumericalException">The factor does not fit one array.</exception>
    public BatchedLdl(SymbolicLdl symbolic)
    {
        Symbolic = symbolic;
        var schedule = _schedule = symbolic.Schedule4;
        _first = symbolic.First;
        _permutation = symbolic.Perm;
        _storage = new AlignedBuffer(4L * schedule.Length);
        _own = new AlignedBuffer(4L * schedule.MaxOwn);
        _tile = new AlignedBuffer(4L * 4 * schedule.MaxWidth);
        _pivot = new AlignedBuffer(4L * schedule.Columns);
        _inverse = new AlignedBuffer(4L * schedule.Columns);
        _scale = new AlignedBuffer(4L * schedule.Columns);
        _work = new AlignedBuffer(4L * 4 * (schedule.Columns + 1));
    }

    /// <summary>The analysis this factorisation follows.</summary>
    public SymbolicLdl Symbolic { get; }

    /// <summary>Values of the matrices before, of L after <see cref="Factor"/>; indexed by <see cref="Slot"/>. 64-byte aligned and pinned.</summary>
    public Span<Lanes4> Storage => new(_storage.Pointer, _schedule.Length);

    /// <summary>
    /// Where to add the value of a pattern entry: the index in <see cref="Storage"/> for entries with row ≥ column in the original
    /// numbering, −1 for the others (their mirror image holds the value).
    /// </summary>
    /// <param name="patternEntry">Position in <see cref="SparsePattern.Columns"/>.</param>
    public int Slot(int patternEntry) => _schedule.Slot[patternEntry];

    /// <summary><see cref="Slot"/> of all pattern entries.</summary>
    public ReadOnlySpan<int> Slots => _schedule.Slot;

    /// <summary>Sets all values to zero.</summary>
    public void Clear() => NativeMemory.Clear(_storage.Pointer, (nuint)_schedule.Length * (nuint)sizeof(Lanes4));

    /// <summary>Negative pivots of one lane in the last factorisation: the number of negative eigenvalues (Sylvester).</summary>
    /// <param name="lane">Lane, 0 … 3.</param>
    public int NegativePivots(int lane)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)lane, Lane4.Width - 1u, nameof(lane));
        int count = 0;
        for (int j = 0; j < _schedule.Columns; j++) if (_inverse.Pointer[Lane4.Width * j + lane] < 0) count++;
        return count;
    }

    /// <summary>Factors all active lanes in place.</summary>
    /// <param name="active">Bit l set: lane l holds a matrix. Other lanes may hold anything; their solutions are zero (NaN if they held NaN).</param>
    /// <param name="requirePositive">Whether a negative pivot is a failure.</param>
    /// <returns>
    /// Bits of the active lanes that failed: some pivot d_i is not a number, d_i ≤ 0 where positive pivots are required, or d_i is no larger
    /// than rounding: |d_i| ≤ 8 ε |a_ii|, or |d_i| ≤ 8 ε Σ_k |a_kk| v_k² with v = L⁻ᵀ e_i, the uncertainty of d_i = vᵀ A v (checked, at
    /// the price of a solve, for pivots that look suspicious). For a_ii = 0 the lane's largest diagonal entry stands in. Solutions of
    /// failed lanes are meaningless.
    /// </returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public byte Factor(byte active, bool requirePositive)
    {
        var schedule = _schedule;
        Lanes4* storage = _storage.Lanes4, own = _own.Lanes4, tile = _tile.Lanes4, pivots = _pivot.Lanes4, inverses = _inverse.Lanes4;
        Lanes4* scale = _scale.Lanes4;
        int columns = schedule.Columns;
        var largest = Lanes4.Zero;
        fixed (int* diagonal = schedule.Diagonal)
        {
            for (int j = 0; j < columns; j++)
            {
                var a = Vector256.Abs(storage[diagonal[j]]);
                scale[j] = a;
                largest = Vector256.Max(largest, a);
            }
        }
        for (int j = 0; j < columns; j++) scale[j] = Lane4.Select(Vector256.Equals(scale[j], Lanes4.Zero), largest, scale[j]);

        var state = new PivotState { Active = Lane4.Mask(active), Positive = requirePositive ? Lanes4.Zero : Lane4.Of(double.NegativeInfinity) };
        fixed (int* rel = schedule.Rel, columnOffset = schedule.ColumnOffset)
        {
            for (int s = 0; s < schedule.Supernodes; s++)
            {
                int w = schedule.Width[s], ownGroups = schedule.OwnGroups[s], belowGroups = schedule.BelowGroups[s], first = _first[s];
                int groups = ownGroups + belowGroups;
                nint stride = 4 * w;
                Lanes4* panel = storage + schedule.Panel[s];
                Lanes4* d = pivots + first;
                Lanes4* inverse = inverses + first;
                for (int c0 = 0, j = 0; c0 < w; c0 += 4, j++)
                {
                    int count = Math.Min(4, w - c0);
                    Lanes4* ownJ = own + j * stride;
                    DiagonalBlock(panel + j * stride, ownJ, c0, count, d + c0, inverse + c0, scale + first + c0, ref state);
                    int rest = groups - j - 1;
                    Lanes4* next = panel + (j + 1) * stride;
                    if (count == 4) PanelColumns4(next, stride, rest, ownJ, c0, inverse + c0, ownJ + stride, ownGroups - j - 1);
                    else
                    {
                        // Only the last block of columns is narrower, so there are no own rows left below it.
                        int c = 0;
                        if (count >= 2) { PanelColumns2(next, stride, rest, ownJ, c0, inverse + c0); c = 2; }
                        if (c < count) PanelColumn1(next, stride, rest, ownJ + c, c0 + c, inverse + c0 + c);
                    }
                }

                if (belowGroups == 0) continue;
                Lanes4* below = panel + ownGroups * stride;
                int* offset = columnOffset + schedule.PadStart[s];
                for (int segment = schedule.SegmentStart[s]; segment < schedule.SegmentStart[s + 1]; segment++)
                {
                    int begin = schedule.SegmentRow[segment], end = begin + schedule.SegmentColumns[segment];
                    int* target = rel + schedule.SegmentRel[segment] - begin / 4 * 4;
                    for (int j = begin; j < end; j += 4)
                    {
                        int count = Math.Min(4, end - j), group = j / 4;
                        PackRows(tile, below, stride, j, count, d, w);
                        Lanes4* a = below + group * stride;
                        int* t = target + 4 * group;
                        int n = belowGroups - group;
                        if (count == 4) UpdateColumns4(storage, a, stride, n, tile, w, t, offset[j], offset[j + 1], offset[j + 2], offset[j + 3]);
                        else
                        {
                            int c = 0;
                            if (count >= 2) { UpdateColumns2(storage, a, stride, n, tile, w, t, offset[j], offset[j + 1]); c = 2; }
                            if (c < count) UpdateColumn1(storage, a, stride, n, tile + c, w, t, offset[j + c]);
                        }
                    }
                }
                // END SEGMENTS
            }
        }
        // Pivots that are small beside their own row and beside the whole matrix.
        var global = Lane4.Of(SymbolicLdl.SuspiciousGlobally(columns)) * largest;
        var local = Lane4.Of(SymbolicLdl.SuspiciousPivot);
        var open = Vector256.AndNot(state.Active, state.Failed);
        int checks = 0;
        for (int j = 0; j < columns && checks < 32; j++)
        {
            var size = Vector256.Abs(pivots[j]);
            if (Vector256.GreaterThanAll(Lane4.Select(open, size, Lanes4.One), Lane4.Select(open, Vector256.Min(global, local * scale[j]), Lanes4.Zero))) continue;
            checks++;
            state.Failed |= open & Vector256.LessThanOrEqual(size, Noise(j));
            open = Vector256.AndNot(state.Active, state.Failed);
        }
        return Lane4.Bits(state.Failed);
    }

    /// <summary>Rounding noise of pivot j in each lane, see <see cref="SymbolicLdl.PivotNoise"/>.</summary>
    private Lanes4 Noise(int j)
    {
        var schedule = _schedule;
        Lanes4* y = _work.Lanes4, scale = _scale.Lanes4;
        new Span<Lanes4>(y, schedule.Columns + 1).Clear();
        y[j] = _pivot.Lanes4[j];
        fixed (int* rows = schedule.RowPad)
        {
            for (int s = Symbolic.SupernodeOf[j]; s >= 0; s--)
                Backward1(_storage.Lanes4 + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    y, y + _first[s], rows + schedule.PadStart[s], _inverse.Lanes4 + _first[s]);
        }
        var sum = Lanes4.Zero;
        for (int k = 0; k <= j; k++) sum = Lane4.Fma(scale[k] * y[k], y[k], sum);
        return Lane4.Of(SymbolicLdl.PivotNoise) * sum;
    }

    private struct PivotState
    {
        public Lanes4 Active, Failed, Positive;
    }

    /// <summary>Factors the block of up to four columns on the diagonal: updates it by the columns before, then eliminates within.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DiagonalBlock(Lanes4* a, Lanes4* own, int c0, int count, Lanes4* d, Lanes4* inverse, Lanes4* scale, ref PivotState state)
    {
        Lanes4* block = a + 4 * c0;
        if (c0 > 0)
        {
            Lanes4 x00 = block[0], x10 = block[1], x20 = block[2], x30 = block[3], x11 = block[5], x21 = block[6], x31 = block[7];
            Lanes4 x22 = block[10], x32 = block[11], x33 = block[15];
            Lanes4* p = a, q = own;
            for (int k = 0; k < c0; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0], b1 = q[1], b2 = q[2], b3 = q[3];
                x00 = Lane4.Fma(p[0], b0, x00);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                x11 = Lane4.Fma(a1, b1, x11);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                x21 = Lane4.Fma(a2, b1, x21);
                x22 = Lane4.Fma(a2, b2, x22);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
                x31 = Lane4.Fma(a3, b1, x31);
                x32 = Lane4.Fma(a3, b2, x32);
                x33 = Lane4.Fma(a3, b3, x33);
            }
            block[0] = x00;
            block[1] = x10;
            block[2] = x20;
            block[3] = x30;
            // Columns that the block does not have belong to the next group of rows: leave them alone.
            if (count > 1) { block[5] = x11; block[6] = x21; block[7] = x31; }
            if (count > 2) { block[10] = x22; block[11] = x32; }
            if (count > 3) block[15] = x33;
        }
        Lanes4* negative = own + 4 * c0;
        for (int c = 0; c < count; c++)
        {
            var pivot = block[5 * c];
            var good = Vector256.GreaterThan(Vector256.Abs(pivot), Lane4.Of(SymbolicLdl.LostPivot) * scale[c]) & Vector256.GreaterThan(pivot, state.Positive) & state.Active;
            state.Failed |= Vector256.AndNot(state.Active, good);
            var reciprocal = (Lanes4.One / Lane4.Select(good, pivot, Lanes4.One)) & good;
            d[c] = pivot & good;
            inverse[c] = reciprocal;
            for (int r = c + 1; r < count; r++)
            {
                var x = block[4 * c + r];
                negative[4 * c + r] = -x;
                block[4 * c + r] = x * reciprocal;
            }
            for (int k = c + 1; k < count; k++)
                for (int r = k; r < count; r++)
                    block[4 * k + r] = Lane4.Fma(block[4 * c + r], negative[4 * c + k], block[4 * k + r]);
        }
    }

    /// <summary>tile[4 k + c] = −D_k L_(j+c)k for up to four rows; the others repeat row j.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows(Lanes4* tile, Lanes4* below, nint stride, int j, int count, Lanes4* d, int w)
    {
        Lanes4* r0 = below + (j >> 2) * stride + (j & 3), r1 = r0, r2 = r0, r3 = r0;
        if (count > 1) r1 = below + (j + 1 >> 2) * stride + (j + 1 & 3);
        if (count > 2) r2 = below + (j + 2 >> 2) * stride + (j + 2 & 3);
        if (count > 3) r3 = below + (j + 3 >> 2) * stride + (j + 3 & 3);
        for (nint k = 0; k < w; k++, tile += 4)
        {
            var minus = -d[k];
            tile[0] = minus * r0[4 * k];
            tile[1] = minus * r1[4 * k];
            tile[2] = minus * r2[4 * k];
            tile[3] = minus * r3[4 * k];
        }
    }

    /// <summary>
    /// Four columns of L for the groups of rows below a diagonal block: X = A − L (D Lᵀ) over the columns before, then X := X L_JJ⁻ᵀ within
    /// the block, L = X D⁻¹. Rows that are columns of this supernode also leave −X in <paramref name="own"/>, the right factor of later blocks.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PanelColumns4(Lanes4* a, nint stride, int groups, Lanes4* b, int c0, Lanes4* inverse, Lanes4* own, int ownGroups)
    {
        Lanes4* t = b + 4 * c0;
        for (int i = 0; i < groups; i++, a += stride)
        {
            Lanes4* x = a + 4 * c0;
            Lanes4 x00 = x[0], x01 = x[4], x02 = x[8], x03 = x[12];
            Lanes4 x10 = x[1], x11 = x[5], x12 = x[9], x13 = x[13];
            Lanes4 x20 = x[2], x21 = x[6], x22 = x[10], x23 = x[14];
            Lanes4 x30 = x[3], x31 = x[7], x32 = x[11], x33 = x[15];
            Lanes4* p = a, q = b;
            for (int k = 0; k < c0; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0], b1 = q[1], b2 = q[2], b3 = q[3];
                var a0 = p[0];
                x00 = Lane4.Fma(a0, b0, x00);
                x01 = Lane4.Fma(a0, b1, x01);
                x02 = Lane4.Fma(a0, b2, x02);
                x03 = Lane4.Fma(a0, b3, x03);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                x11 = Lane4.Fma(a1, b1, x11);
                x12 = Lane4.Fma(a1, b2, x12);
                x13 = Lane4.Fma(a1, b3, x13);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                x21 = Lane4.Fma(a2, b1, x21);
                x22 = Lane4.Fma(a2, b2, x22);
                x23 = Lane4.Fma(a2, b3, x23);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
                x31 = Lane4.Fma(a3, b1, x31);
                x32 = Lane4.Fma(a3, b2, x32);
                x33 = Lane4.Fma(a3, b3, x33);
            }
            var d0 = inverse[0];
            Lanes4 l00 = x00 * d0, l10 = x10 * d0, l20 = x20 * d0, l30 = x30 * d0;
            x[0] = l00;
            x[1] = l10;
            x[2] = l20;
            x[3] = l30;
            Lanes4 t10 = t[1];
            x01 = Lane4.Fma(l00, t10, x01);
            x11 = Lane4.Fma(l10, t10, x11);
            x21 = Lane4.Fma(l20, t10, x21);
            x31 = Lane4.Fma(l30, t10, x31);
            var d1 = inverse[1];
            Lanes4 l01 = x01 * d1, l11 = x11 * d1, l21 = x21 * d1, l31 = x31 * d1;
            x[4] = l01;
            x[5] = l11;
            x[6] = l21;
            x[7] = l31;
            Lanes4 t20 = t[2];
            x02 = Lane4.Fma(l00, t20, x02);
            x12 = Lane4.Fma(l10, t20, x12);
            x22 = Lane4.Fma(l20, t20, x22);
            x32 = Lane4.Fma(l30, t20, x32);
            Lanes4 t21 = t[6];
            x02 = Lane4.Fma(l01, t21, x02);
            x12 = Lane4.Fma(l11, t21, x12);
            x22 = Lane4.Fma(l21, t21, x22);
            x32 = Lane4.Fma(l31, t21, x32);
            var d2 = inverse[2];
            Lanes4 l02 = x02 * d2, l12 = x12 * d2, l22 = x22 * d2, l32 = x32 * d2;
            x[8] = l02;
            x[9] = l12;
            x[10] = l22;
            x[11] = l32;
            Lanes4 t30 = t[3];
            x03 = Lane4.Fma(l00, t30, x03);
            x13 = Lane4.Fma(l10, t30, x13);
            x23 = Lane4.Fma(l20, t30, x23);
            x33 = Lane4.Fma(l30, t30, x33);
            Lanes4 t31 = t[7];
            x03 = Lane4.Fma(l01, t31, x03);
            x13 = Lane4.Fma(l11, t31, x13);
            x23 = Lane4.Fma(l21, t31, x23);
            x33 = Lane4.Fma(l31, t31, x33);
            Lanes4 t32 = t[11];
            x03 = Lane4.Fma(l02, t32, x03);
            x13 = Lane4.Fma(l12, t32, x13);
            x23 = Lane4.Fma(l22, t32, x23);
            x33 = Lane4.Fma(l32, t32, x33);
            var d3 = inverse[3];
            Lanes4 l03 = x03 * d3, l13 = x13 * d3, l23 = x23 * d3, l33 = x33 * d3;
            x[12] = l03;
            x[13] = l13;
            x[14] = l23;
            x[15] = l33;
            if (i >= ownGroups) continue;
            Lanes4* negative = own + i * stride + 4 * c0;
            negative[0] = -x00;
            negative[1] = -x10;
            negative[2] = -x20;
            negative[3] = -x30;
            negative[4] = -x01;
            negative[5] = -x11;
            negative[6] = -x21;
            negative[7] = -x31;
            negative[8] = -x02;
            negative[9] = -x12;
            negative[10] = -x22;
            negative[11] = -x32;
            negative[12] = -x03;
            negative[13] = -x13;
            negative[14] = -x23;
            negative[15] = -x33;
        }
    }

    /// <summary>The same for two columns at the end of a supernode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PanelColumns2(Lanes4* a, nint stride, int groups, Lanes4* b, int c0, Lanes4* inverse)
    {
        Lanes4* t = b + 4 * c0;
        for (int i = 0; i < groups; i++, a += stride)
        {
            Lanes4* x = a + 4 * c0;
            Lanes4 x00 = x[0], x01 = x[4];
            Lanes4 x10 = x[1], x11 = x[5];
            Lanes4 x20 = x[2], x21 = x[6];
            Lanes4 x30 = x[3], x31 = x[7];
            Lanes4* p = a, q = b;
            for (int k = 0; k < c0; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0], b1 = q[1];
                var a0 = p[0];
                x00 = Lane4.Fma(a0, b0, x00);
                x01 = Lane4.Fma(a0, b1, x01);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                x11 = Lane4.Fma(a1, b1, x11);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                x21 = Lane4.Fma(a2, b1, x21);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
                x31 = Lane4.Fma(a3, b1, x31);
            }
            var d0 = inverse[0];
            Lanes4 l00 = x00 * d0, l10 = x10 * d0, l20 = x20 * d0, l30 = x30 * d0;
            x[0] = l00;
            x[1] = l10;
            x[2] = l20;
            x[3] = l30;
            Lanes4 t10 = t[1];
            x01 = Lane4.Fma(l00, t10, x01);
            x11 = Lane4.Fma(l10, t10, x11);
            x21 = Lane4.Fma(l20, t10, x21);
            x31 = Lane4.Fma(l30, t10, x31);
            var d1 = inverse[1];
            Lanes4 l01 = x01 * d1, l11 = x11 * d1, l21 = x21 * d1, l31 = x31 * d1;
            x[4] = l01;
            x[5] = l11;
            x[6] = l21;
            x[7] = l31;
        }
    }

    /// <summary>The same for one column at the end of a supernode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PanelColumn1(Lanes4* a, nint stride, int groups, Lanes4* b, int c0, Lanes4* inverse)
    {
        Lanes4* t = b + 4 * c0;
        for (int i = 0; i < groups; i++, a += stride)
        {
            Lanes4* x = a + 4 * c0;
            Lanes4 x00 = x[0];
            Lanes4 x10 = x[1];
            Lanes4 x20 = x[2];
            Lanes4 x30 = x[3];
            Lanes4* p = a, q = b;
            for (int k = 0; k < c0; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0];
                var a0 = p[0];
                x00 = Lane4.Fma(a0, b0, x00);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
            }
            var d0 = inverse[0];
            Lanes4 l00 = x00 * d0, l10 = x10 * d0, l20 = x20 * d0, l30 = x30 * d0;
            x[0] = l00;
            x[1] = l10;
            x[2] = l20;
            x[3] = l30;
        }
    }

    /// <summary>
    /// Adds −L_I D L_Jᵀ of four columns J to an ancestor, four rows at a time; <paramref name="b"/> holds −D L_Jᵀ. Rows without a place in the
    /// ancestor go to the trash area, and tiles that cross its diagonal write to the unused half of the diagonal block.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateColumns4(Lanes4* storage, Lanes4* a, nint stride, int groups, Lanes4* b, int w, int* rel, nint c0, nint c1, nint c2, nint c3)
    {
        for (int i = 0; i < groups; i++, a += stride, rel += 4)
        {
            Lanes4* r0 = storage + rel[0], r1 = storage + rel[1], r2 = storage + rel[2], r3 = storage + rel[3];
            Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero, x02 = Lanes4.Zero, x03 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero, x12 = Lanes4.Zero, x13 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero, x22 = Lanes4.Zero, x23 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero, x32 = Lanes4.Zero, x33 = Lanes4.Zero;
            Lanes4* p = a, q = b;
            for (int k = 0; k < w; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0], b1 = q[1], b2 = q[2], b3 = q[3];
                var a0 = p[0];
                x00 = Lane4.Fma(a0, b0, x00);
                x01 = Lane4.Fma(a0, b1, x01);
                x02 = Lane4.Fma(a0, b2, x02);
                x03 = Lane4.Fma(a0, b3, x03);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                x11 = Lane4.Fma(a1, b1, x11);
                x12 = Lane4.Fma(a1, b2, x12);
                x13 = Lane4.Fma(a1, b3, x13);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                x21 = Lane4.Fma(a2, b1, x21);
                x22 = Lane4.Fma(a2, b2, x22);
                x23 = Lane4.Fma(a2, b3, x23);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
                x31 = Lane4.Fma(a3, b1, x31);
                x32 = Lane4.Fma(a3, b2, x32);
                x33 = Lane4.Fma(a3, b3, x33);
            }
            r0[c0] += x00;
            r0[c1] += x01;
            r0[c2] += x02;
            r0[c3] += x03;
            r1[c0] += x10;
            r1[c1] += x11;
            r1[c2] += x12;
            r1[c3] += x13;
            r2[c0] += x20;
            r2[c1] += x21;
            r2[c2] += x22;
            r2[c3] += x23;
            r3[c0] += x30;
            r3[c1] += x31;
            r3[c2] += x32;
            r3[c3] += x33;
        }
    }

    /// <summary>The same for two columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateColumns2(Lanes4* storage, Lanes4* a, nint stride, int groups, Lanes4* b, int w, int* rel, nint c0, nint c1)
    {
        for (int i = 0; i < groups; i++, a += stride, rel += 4)
        {
            Lanes4* r0 = storage + rel[0], r1 = storage + rel[1], r2 = storage + rel[2], r3 = storage + rel[3];
            Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero;
            Lanes4* p = a, q = b;
            for (int k = 0; k < w; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0], b1 = q[1];
                var a0 = p[0];
                x00 = Lane4.Fma(a0, b0, x00);
                x01 = Lane4.Fma(a0, b1, x01);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                x11 = Lane4.Fma(a1, b1, x11);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                x21 = Lane4.Fma(a2, b1, x21);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
                x31 = Lane4.Fma(a3, b1, x31);
            }
            r0[c0] += x00;
            r0[c1] += x01;
            r1[c0] += x10;
            r1[c1] += x11;
            r2[c0] += x20;
            r2[c1] += x21;
            r3[c0] += x30;
            r3[c1] += x31;
        }
    }

    /// <summary>The same for one column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateColumn1(Lanes4* storage, Lanes4* a, nint stride, int groups, Lanes4* b, int w, int* rel, nint c0)
    {
        for (int i = 0; i < groups; i++, a += stride, rel += 4)
        {
            Lanes4* r0 = storage + rel[0], r1 = storage + rel[1], r2 = storage + rel[2], r3 = storage + rel[3];
            Lanes4 x00 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero;
            Lanes4* p = a, q = b;
            for (int k = 0; k < w; k++, p += 4, q += 4)
            {
                Lanes4 b0 = q[0];
                var a0 = p[0];
                x00 = Lane4.Fma(a0, b0, x00);
                var a1 = p[1];
                x10 = Lane4.Fma(a1, b0, x10);
                var a2 = p[2];
                x20 = Lane4.Fma(a2, b0, x20);
                var a3 = p[3];
                x30 = Lane4.Fma(a3, b0, x30);
            }
            r0[c0] += x00;
            r1[c0] += x10;
            r2[c0] += x20;
            r3[c0] += x30;
        }
    }
}
