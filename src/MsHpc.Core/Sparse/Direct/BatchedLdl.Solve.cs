using System.Runtime.CompilerServices;

namespace MsHpc.Core.Sparse;

public sealed unsafe partial class BatchedLdl
{
    /// <summary>Solves A X = B in all lanes: X = Pᵀ L⁻ᵀ D⁻¹ L⁻¹ P B.</summary>
    /// <param name="x">B in, X out: x[i·columns + k] is unknown i (original numbering) of right-hand side k. Length Rows·columns.</param>
    /// <param name="columns">Right-hand sides per lane. Taken four, three, two or one at a time; 3, 6 and 9 in threes.</param>
    /// <exception cref="ArgumentException">The length of x does not match.</exception>
    public void Solve(Span<Lanes4> x, int columns)
    {
        if (columns < 1 || x.Length != (long)_schedule.Columns * columns)
            throw new ArgumentException($"x has {x.Length} entries for {_schedule.Columns} unknowns and {columns} columns", nameof(x));
        fixed (Lanes4* p = x)
        {
            for (int c = 0; c < columns;)
            {
                int left = columns - c;
                int chunk = columns % 3 == 0 ? 3 : left == 5 ? 3 : Math.Min(left, 4);
                switch (chunk)
                {
                    case 1: Solve1(p + c, columns); break;
                    case 2: Solve2(p + c, columns); break;
                    case 3: Solve3(p + c, columns); break;
                    default: Solve4(p + c, columns); break;
                }
                c += chunk;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Solve1(Lanes4* x, nint columns)
    {
        var schedule = _schedule;
        Lanes4* work = _work.Lanes4, inverses = _inverse.Lanes4, storage = _storage.Lanes4;
        int n = schedule.Columns;
        fixed (int* permutation = _permutation, rows = schedule.RowPad)
        {
            Lanes4* y = work;
            for (int i = 0; i < n; i++, y += 1)
            {
                Lanes4* source = x + permutation[i] * columns;
                y[0] = source[0];
            }
            y[0] = Lanes4.Zero;
            for (int s = 0; s < schedule.Supernodes; s++)
                Forward1(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 1 * (nint)_first[s], rows + schedule.PadStart[s]);
            for (int s = schedule.Supernodes - 1; s >= 0; s--)
                Backward1(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 1 * (nint)_first[s], rows + schedule.PadStart[s], inverses + _first[s]);
            y = work;
            for (int i = 0; i < n; i++, y += 1)
            {
                Lanes4* target = x + permutation[i] * columns;
                target[0] = y[0];
            }
        }
    }

    /// <summary>y := L⁻¹ y for one supernode and 1 column: own rows in blocks of four, then the rows below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward1(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows)
    {
        nint stride = 4 * w;
        for (int i = 0; i < ownGroups; i++, a += stride)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* l = a, y = own, z = own + 1 * c0;
            if (c0 > 0)
            {
                Lanes4 x00 = Lanes4.Zero;
                Lanes4 x10 = Lanes4.Zero;
                Lanes4 x20 = Lanes4.Zero;
                Lanes4 x30 = Lanes4.Zero;
                for (int k = 0; k < c0; k++, l += 4, y += 1)
                {
                    Lanes4 y0 = y[0];
                    var l0 = l[0];
                    x00 = Lane4.Fma(l0, y0, x00);
                    var l1 = l[1];
                    x10 = Lane4.Fma(l1, y0, x10);
                    var l2 = l[2];
                    x20 = Lane4.Fma(l2, y0, x20);
                    var l3 = l[3];
                    x30 = Lane4.Fma(l3, y0, x30);
                }
                { z[0] -= x00; }
                if (count > 1) { z[1] -= x10; }
                if (count > 2) { z[2] -= x20; }
                if (count > 3) { z[3] -= x30; }
            }
            for (int c = 0; c + 1 < count; c++)
                for (int r = c + 1; r < count; r++)
                {
                    var m = l[4 * c + r];
                    z[1 * r + 0] = Lane4.Fnma(m, z[1 * c + 0], z[1 * r + 0]);
                }
        }
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4 x00 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero;
            Lanes4* y = own;
            for (int k = 0; k < w; k++, a += 4, y += 1)
            {
                Lanes4 y0 = y[0];
                var l0 = a[0];
                x00 = Lane4.Fma(l0, y0, x00);
                var l1 = a[1];
                x10 = Lane4.Fma(l1, y0, x10);
                var l2 = a[2];
                x20 = Lane4.Fma(l2, y0, x20);
                var l3 = a[3];
                x30 = Lane4.Fma(l3, y0, x30);
            }
            Lanes4* r0 = work + 1 * (nint)rows[0];
            r0[0] -= x00;
            Lanes4* r1 = work + 1 * (nint)rows[1];
            r1[0] -= x10;
            Lanes4* r2 = work + 1 * (nint)rows[2];
            r2[0] -= x20;
            Lanes4* r3 = work + 1 * (nint)rows[3];
            r3[0] -= x30;
        }
    }

    /// <summary>y := L⁻ᵀ D⁻¹ y for one supernode and 1 column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward1(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows, Lanes4* inverse)
    {
        nint stride = 4 * w;
        Lanes4* y = own;
        for (int k = 0; k < w; k++, y += 1)
        {
            var d = inverse[k];
            y[0] *= d;
        }
        Lanes4* l = a + ownGroups * stride;
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4* r0 = work + 1 * (nint)rows[0];
            Lanes4 x00 = r0[0];
            Lanes4* r1 = work + 1 * (nint)rows[1];
            Lanes4 x10 = r1[0];
            Lanes4* r2 = work + 1 * (nint)rows[2];
            Lanes4 x20 = r2[0];
            Lanes4* r3 = work + 1 * (nint)rows[3];
            Lanes4 x30 = r3[0];
            y = own;
            for (int k = 0; k < w; k++, l += 4, y += 1)
            {
                Lanes4 y0 = y[0];
                var l0 = l[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                var l1 = l[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                var l2 = l[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                var l3 = l[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y[0] = y0;
            }
        }
        for (int i = ownGroups - 1; i >= 0; i--)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* group = a + i * stride, block = group + 4 * c0, z = own + 1 * c0;
            for (int c = count - 2; c >= 0; c--)
                for (int r = c + 1; r < count; r++)
                {
                    var m = block[4 * c + r];
                    z[1 * c + 0] = Lane4.Fnma(m, z[1 * r + 0], z[1 * c + 0]);
                }
            if (c0 == 0) break;
            Lanes4 x00 = z[0];
            Lanes4 x10 = count > 1 ? z[1] : Lanes4.Zero;
            Lanes4 x20 = count > 2 ? z[2] : Lanes4.Zero;
            Lanes4 x30 = count > 3 ? z[3] : Lanes4.Zero;
            y = own;
            for (int k = 0; k < c0; k++, group += 4, y += 1)
            {
                Lanes4 y0 = y[0];
                var l0 = group[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                var l1 = group[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                var l2 = group[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                var l3 = group[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y[0] = y0;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Solve2(Lanes4* x, nint columns)
    {
        var schedule = _schedule;
        Lanes4* work = _work.Lanes4, inverses = _inverse.Lanes4, storage = _storage.Lanes4;
        int n = schedule.Columns;
        fixed (int* permutation = _permutation, rows = schedule.RowPad)
        {
            Lanes4* y = work;
            for (int i = 0; i < n; i++, y += 2)
            {
                Lanes4* source = x + permutation[i] * columns;
                y[0] = source[0];
                y[1] = source[1];
            }
            y[0] = Lanes4.Zero;
            y[1] = Lanes4.Zero;
            for (int s = 0; s < schedule.Supernodes; s++)
                Forward2(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 2 * (nint)_first[s], rows + schedule.PadStart[s]);
            for (int s = schedule.Supernodes - 1; s >= 0; s--)
                Backward2(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 2 * (nint)_first[s], rows + schedule.PadStart[s], inverses + _first[s]);
            y = work;
            for (int i = 0; i < n; i++, y += 2)
            {
                Lanes4* target = x + permutation[i] * columns;
                target[0] = y[0];
                target[1] = y[1];
            }
        }
    }

    /// <summary>y := L⁻¹ y for one supernode and 2 columns: own rows in blocks of four, then the rows below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward2(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows)
    {
        nint stride = 4 * w;
        for (int i = 0; i < ownGroups; i++, a += stride)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* l = a, y = own, z = own + 2 * c0;
            if (c0 > 0)
            {
                Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero;
                Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero;
                Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero;
                Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero;
                for (int k = 0; k < c0; k++, l += 4, y += 2)
                {
                    Lanes4 y0 = y[0], y1 = y[1];
                    var l0 = l[0];
                    x00 = Lane4.Fma(l0, y0, x00);
                    x01 = Lane4.Fma(l0, y1, x01);
                    var l1 = l[1];
                    x10 = Lane4.Fma(l1, y0, x10);
                    x11 = Lane4.Fma(l1, y1, x11);
                    var l2 = l[2];
                    x20 = Lane4.Fma(l2, y0, x20);
                    x21 = Lane4.Fma(l2, y1, x21);
                    var l3 = l[3];
                    x30 = Lane4.Fma(l3, y0, x30);
                    x31 = Lane4.Fma(l3, y1, x31);
                }
                { z[0] -= x00; z[1] -= x01; }
                if (count > 1) { z[2] -= x10; z[3] -= x11; }
                if (count > 2) { z[4] -= x20; z[5] -= x21; }
                if (count > 3) { z[6] -= x30; z[7] -= x31; }
            }
            for (int c = 0; c + 1 < count; c++)
                for (int r = c + 1; r < count; r++)
                {
                    var m = l[4 * c + r];
                    z[2 * r + 0] = Lane4.Fnma(m, z[2 * c + 0], z[2 * r + 0]);
                    z[2 * r + 1] = Lane4.Fnma(m, z[2 * c + 1], z[2 * r + 1]);
                }
        }
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero;
            Lanes4* y = own;
            for (int k = 0; k < w; k++, a += 4, y += 2)
            {
                Lanes4 y0 = y[0], y1 = y[1];
                var l0 = a[0];
                x00 = Lane4.Fma(l0, y0, x00);
                x01 = Lane4.Fma(l0, y1, x01);
                var l1 = a[1];
                x10 = Lane4.Fma(l1, y0, x10);
                x11 = Lane4.Fma(l1, y1, x11);
                var l2 = a[2];
                x20 = Lane4.Fma(l2, y0, x20);
                x21 = Lane4.Fma(l2, y1, x21);
                var l3 = a[3];
                x30 = Lane4.Fma(l3, y0, x30);
                x31 = Lane4.Fma(l3, y1, x31);
            }
            Lanes4* r0 = work + 2 * (nint)rows[0];
            r0[0] -= x00;
            r0[1] -= x01;
            Lanes4* r1 = work + 2 * (nint)rows[1];
            r1[0] -= x10;
            r1[1] -= x11;
            Lanes4* r2 = work + 2 * (nint)rows[2];
            r2[0] -= x20;
            r2[1] -= x21;
            Lanes4* r3 = work + 2 * (nint)rows[3];
            r3[0] -= x30;
            r3[1] -= x31;
        }
    }

    /// <summary>y := L⁻ᵀ D⁻¹ y for one supernode and 2 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward2(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows, Lanes4* inverse)
    {
        nint stride = 4 * w;
        Lanes4* y = own;
        for (int k = 0; k < w; k++, y += 2)
        {
            var d = inverse[k];
            y[0] *= d;
            y[1] *= d;
        }
        Lanes4* l = a + ownGroups * stride;
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4* r0 = work + 2 * (nint)rows[0];
            Lanes4 x00 = r0[0], x01 = r0[1];
            Lanes4* r1 = work + 2 * (nint)rows[1];
            Lanes4 x10 = r1[0], x11 = r1[1];
            Lanes4* r2 = work + 2 * (nint)rows[2];
            Lanes4 x20 = r2[0], x21 = r2[1];
            Lanes4* r3 = work + 2 * (nint)rows[3];
            Lanes4 x30 = r3[0], x31 = r3[1];
            y = own;
            for (int k = 0; k < w; k++, l += 4, y += 2)
            {
                Lanes4 y0 = y[0], y1 = y[1];
                var l0 = l[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                y1 = Lane4.Fnma(l0, x01, y1);
                var l1 = l[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                y1 = Lane4.Fnma(l1, x11, y1);
                var l2 = l[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                y1 = Lane4.Fnma(l2, x21, y1);
                var l3 = l[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y1 = Lane4.Fnma(l3, x31, y1);
                y[0] = y0;
                y[1] = y1;
            }
        }
        for (int i = ownGroups - 1; i >= 0; i--)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* group = a + i * stride, block = group + 4 * c0, z = own + 2 * c0;
            for (int c = count - 2; c >= 0; c--)
                for (int r = c + 1; r < count; r++)
                {
                    var m = block[4 * c + r];
                    z[2 * c + 0] = Lane4.Fnma(m, z[2 * r + 0], z[2 * c + 0]);
                    z[2 * c + 1] = Lane4.Fnma(m, z[2 * r + 1], z[2 * c + 1]);
                }
            if (c0 == 0) break;
            Lanes4 x00 = z[0], x01 = z[1];
            Lanes4 x10 = count > 1 ? z[2] : Lanes4.Zero, x11 = count > 1 ? z[3] : Lanes4.Zero;
            Lanes4 x20 = count > 2 ? z[4] : Lanes4.Zero, x21 = count > 2 ? z[5] : Lanes4.Zero;
            Lanes4 x30 = count > 3 ? z[6] : Lanes4.Zero, x31 = count > 3 ? z[7] : Lanes4.Zero;
            y = own;
            for (int k = 0; k < c0; k++, group += 4, y += 2)
            {
                Lanes4 y0 = y[0], y1 = y[1];
                var l0 = group[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                y1 = Lane4.Fnma(l0, x01, y1);
                var l1 = group[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                y1 = Lane4.Fnma(l1, x11, y1);
                var l2 = group[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                y1 = Lane4.Fnma(l2, x21, y1);
                var l3 = group[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y1 = Lane4.Fnma(l3, x31, y1);
                y[0] = y0;
                y[1] = y1;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Solve3(Lanes4* x, nint columns)
    {
        var schedule = _schedule;
        Lanes4* work = _work.Lanes4, inverses = _inverse.Lanes4, storage = _storage.Lanes4;
        int n = schedule.Columns;
        fixed (int* permutation = _permutation, rows = schedule.RowPad)
        {
            Lanes4* y = work;
            for (int i = 0; i < n; i++, y += 3)
            {
                Lanes4* source = x + permutation[i] * columns;
                y[0] = source[0];
                y[1] = source[1];
                y[2] = source[2];
            }
            y[0] = Lanes4.Zero;
            y[1] = Lanes4.Zero;
            y[2] = Lanes4.Zero;
            for (int s = 0; s < schedule.Supernodes; s++)
                Forward3(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 3 * (nint)_first[s], rows + schedule.PadStart[s]);
            for (int s = schedule.Supernodes - 1; s >= 0; s--)
                Backward3(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 3 * (nint)_first[s], rows + schedule.PadStart[s], inverses + _first[s]);
            y = work;
            for (int i = 0; i < n; i++, y += 3)
            {
                Lanes4* target = x + permutation[i] * columns;
                target[0] = y[0];
                target[1] = y[1];
                target[2] = y[2];
            }
        }
    }

    /// <summary>y := L⁻¹ y for one supernode and 3 columns: own rows in blocks of four, then the rows below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward3(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows)
    {
        nint stride = 4 * w;
        for (int i = 0; i < ownGroups; i++, a += stride)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* l = a, y = own, z = own + 3 * c0;
            if (c0 > 0)
            {
                Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero, x02 = Lanes4.Zero;
                Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero, x12 = Lanes4.Zero;
                Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero, x22 = Lanes4.Zero;
                Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero, x32 = Lanes4.Zero;
                for (int k = 0; k < c0; k++, l += 4, y += 3)
                {
                    Lanes4 y0 = y[0], y1 = y[1], y2 = y[2];
                    var l0 = l[0];
                    x00 = Lane4.Fma(l0, y0, x00);
                    x01 = Lane4.Fma(l0, y1, x01);
                    x02 = Lane4.Fma(l0, y2, x02);
                    var l1 = l[1];
                    x10 = Lane4.Fma(l1, y0, x10);
                    x11 = Lane4.Fma(l1, y1, x11);
                    x12 = Lane4.Fma(l1, y2, x12);
                    var l2 = l[2];
                    x20 = Lane4.Fma(l2, y0, x20);
                    x21 = Lane4.Fma(l2, y1, x21);
                    x22 = Lane4.Fma(l2, y2, x22);
                    var l3 = l[3];
                    x30 = Lane4.Fma(l3, y0, x30);
                    x31 = Lane4.Fma(l3, y1, x31);
                    x32 = Lane4.Fma(l3, y2, x32);
                }
                { z[0] -= x00; z[1] -= x01; z[2] -= x02; }
                if (count > 1) { z[3] -= x10; z[4] -= x11; z[5] -= x12; }
                if (count > 2) { z[6] -= x20; z[7] -= x21; z[8] -= x22; }
                if (count > 3) { z[9] -= x30; z[10] -= x31; z[11] -= x32; }
            }
            for (int c = 0; c + 1 < count; c++)
                for (int r = c + 1; r < count; r++)
                {
                    var m = l[4 * c + r];
                    z[3 * r + 0] = Lane4.Fnma(m, z[3 * c + 0], z[3 * r + 0]);
                    z[3 * r + 1] = Lane4.Fnma(m, z[3 * c + 1], z[3 * r + 1]);
                    z[3 * r + 2] = Lane4.Fnma(m, z[3 * c + 2], z[3 * r + 2]);
                }
        }
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero, x02 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero, x12 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero, x22 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero, x32 = Lanes4.Zero;
            Lanes4* y = own;
            for (int k = 0; k < w; k++, a += 4, y += 3)
            {
                Lanes4 y0 = y[0], y1 = y[1], y2 = y[2];
                var l0 = a[0];
                x00 = Lane4.Fma(l0, y0, x00);
                x01 = Lane4.Fma(l0, y1, x01);
                x02 = Lane4.Fma(l0, y2, x02);
                var l1 = a[1];
                x10 = Lane4.Fma(l1, y0, x10);
                x11 = Lane4.Fma(l1, y1, x11);
                x12 = Lane4.Fma(l1, y2, x12);
                var l2 = a[2];
                x20 = Lane4.Fma(l2, y0, x20);
                x21 = Lane4.Fma(l2, y1, x21);
                x22 = Lane4.Fma(l2, y2, x22);
                var l3 = a[3];
                x30 = Lane4.Fma(l3, y0, x30);
                x31 = Lane4.Fma(l3, y1, x31);
                x32 = Lane4.Fma(l3, y2, x32);
            }
            Lanes4* r0 = work + 3 * (nint)rows[0];
            r0[0] -= x00;
            r0[1] -= x01;
            r0[2] -= x02;
            Lanes4* r1 = work + 3 * (nint)rows[1];
            r1[0] -= x10;
            r1[1] -= x11;
            r1[2] -= x12;
            Lanes4* r2 = work + 3 * (nint)rows[2];
            r2[0] -= x20;
            r2[1] -= x21;
            r2[2] -= x22;
            Lanes4* r3 = work + 3 * (nint)rows[3];
            r3[0] -= x30;
            r3[1] -= x31;
            r3[2] -= x32;
        }
    }

    /// <summary>y := L⁻ᵀ D⁻¹ y for one supernode and 3 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward3(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows, Lanes4* inverse)
    {
        nint stride = 4 * w;
        Lanes4* y = own;
        for (int k = 0; k < w; k++, y += 3)
        {
            var d = inverse[k];
            y[0] *= d;
            y[1] *= d;
            y[2] *= d;
        }
        Lanes4* l = a + ownGroups * stride;
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4* r0 = work + 3 * (nint)rows[0];
            Lanes4 x00 = r0[0], x01 = r0[1], x02 = r0[2];
            Lanes4* r1 = work + 3 * (nint)rows[1];
            Lanes4 x10 = r1[0], x11 = r1[1], x12 = r1[2];
            Lanes4* r2 = work + 3 * (nint)rows[2];
            Lanes4 x20 = r2[0], x21 = r2[1], x22 = r2[2];
            Lanes4* r3 = work + 3 * (nint)rows[3];
            Lanes4 x30 = r3[0], x31 = r3[1], x32 = r3[2];
            y = own;
            for (int k = 0; k < w; k++, l += 4, y += 3)
            {
                Lanes4 y0 = y[0], y1 = y[1], y2 = y[2];
                var l0 = l[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                y1 = Lane4.Fnma(l0, x01, y1);
                y2 = Lane4.Fnma(l0, x02, y2);
                var l1 = l[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                y1 = Lane4.Fnma(l1, x11, y1);
                y2 = Lane4.Fnma(l1, x12, y2);
                var l2 = l[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                y1 = Lane4.Fnma(l2, x21, y1);
                y2 = Lane4.Fnma(l2, x22, y2);
                var l3 = l[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y1 = Lane4.Fnma(l3, x31, y1);
                y2 = Lane4.Fnma(l3, x32, y2);
                y[0] = y0;
                y[1] = y1;
                y[2] = y2;
            }
        }
        for (int i = ownGroups - 1; i >= 0; i--)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* group = a + i * stride, block = group + 4 * c0, z = own + 3 * c0;
            for (int c = count - 2; c >= 0; c--)
                for (int r = c + 1; r < count; r++)
                {
                    var m = block[4 * c + r];
                    z[3 * c + 0] = Lane4.Fnma(m, z[3 * r + 0], z[3 * c + 0]);
                    z[3 * c + 1] = Lane4.Fnma(m, z[3 * r + 1], z[3 * c + 1]);
                    z[3 * c + 2] = Lane4.Fnma(m, z[3 * r + 2], z[3 * c + 2]);
                }
            if (c0 == 0) break;
            Lanes4 x00 = z[0], x01 = z[1], x02 = z[2];
            Lanes4 x10 = count > 1 ? z[3] : Lanes4.Zero, x11 = count > 1 ? z[4] : Lanes4.Zero, x12 = count > 1 ? z[5] : Lanes4.Zero;
            Lanes4 x20 = count > 2 ? z[6] : Lanes4.Zero, x21 = count > 2 ? z[7] : Lanes4.Zero, x22 = count > 2 ? z[8] : Lanes4.Zero;
            Lanes4 x30 = count > 3 ? z[9] : Lanes4.Zero, x31 = count > 3 ? z[10] : Lanes4.Zero, x32 = count > 3 ? z[11] : Lanes4.Zero;
            y = own;
            for (int k = 0; k < c0; k++, group += 4, y += 3)
            {
                Lanes4 y0 = y[0], y1 = y[1], y2 = y[2];
                var l0 = group[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                y1 = Lane4.Fnma(l0, x01, y1);
                y2 = Lane4.Fnma(l0, x02, y2);
                var l1 = group[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                y1 = Lane4.Fnma(l1, x11, y1);
                y2 = Lane4.Fnma(l1, x12, y2);
                var l2 = group[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                y1 = Lane4.Fnma(l2, x21, y1);
                y2 = Lane4.Fnma(l2, x22, y2);
                var l3 = group[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y1 = Lane4.Fnma(l3, x31, y1);
                y2 = Lane4.Fnma(l3, x32, y2);
                y[0] = y0;
                y[1] = y1;
                y[2] = y2;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Solve4(Lanes4* x, nint columns)
    {
        var schedule = _schedule;
        Lanes4* work = _work.Lanes4, inverses = _inverse.Lanes4, storage = _storage.Lanes4;
        int n = schedule.Columns;
        fixed (int* permutation = _permutation, rows = schedule.RowPad)
        {
            Lanes4* y = work;
            for (int i = 0; i < n; i++, y += 4)
            {
                Lanes4* source = x + permutation[i] * columns;
                y[0] = source[0];
                y[1] = source[1];
                y[2] = source[2];
                y[3] = source[3];
            }
            y[0] = Lanes4.Zero;
            y[1] = Lanes4.Zero;
            y[2] = Lanes4.Zero;
            y[3] = Lanes4.Zero;
            for (int s = 0; s < schedule.Supernodes; s++)
                Forward4(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 4 * (nint)_first[s], rows + schedule.PadStart[s]);
            for (int s = schedule.Supernodes - 1; s >= 0; s--)
                Backward4(storage + schedule.Panel[s], schedule.Width[s], schedule.OwnGroups[s], schedule.BelowGroups[s],
                    work, work + 4 * (nint)_first[s], rows + schedule.PadStart[s], inverses + _first[s]);
            y = work;
            for (int i = 0; i < n; i++, y += 4)
            {
                Lanes4* target = x + permutation[i] * columns;
                target[0] = y[0];
                target[1] = y[1];
                target[2] = y[2];
                target[3] = y[3];
            }
        }
    }

    /// <summary>y := L⁻¹ y for one supernode and 4 columns: own rows in blocks of four, then the rows below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Forward4(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows)
    {
        nint stride = 4 * w;
        for (int i = 0; i < ownGroups; i++, a += stride)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* l = a, y = own, z = own + 4 * c0;
            if (c0 > 0)
            {
                Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero, x02 = Lanes4.Zero, x03 = Lanes4.Zero;
                Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero, x12 = Lanes4.Zero, x13 = Lanes4.Zero;
                Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero, x22 = Lanes4.Zero, x23 = Lanes4.Zero;
                Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero, x32 = Lanes4.Zero, x33 = Lanes4.Zero;
                for (int k = 0; k < c0; k++, l += 4, y += 4)
                {
                    Lanes4 y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
                    var l0 = l[0];
                    x00 = Lane4.Fma(l0, y0, x00);
                    x01 = Lane4.Fma(l0, y1, x01);
                    x02 = Lane4.Fma(l0, y2, x02);
                    x03 = Lane4.Fma(l0, y3, x03);
                    var l1 = l[1];
                    x10 = Lane4.Fma(l1, y0, x10);
                    x11 = Lane4.Fma(l1, y1, x11);
                    x12 = Lane4.Fma(l1, y2, x12);
                    x13 = Lane4.Fma(l1, y3, x13);
                    var l2 = l[2];
                    x20 = Lane4.Fma(l2, y0, x20);
                    x21 = Lane4.Fma(l2, y1, x21);
                    x22 = Lane4.Fma(l2, y2, x22);
                    x23 = Lane4.Fma(l2, y3, x23);
                    var l3 = l[3];
                    x30 = Lane4.Fma(l3, y0, x30);
                    x31 = Lane4.Fma(l3, y1, x31);
                    x32 = Lane4.Fma(l3, y2, x32);
                    x33 = Lane4.Fma(l3, y3, x33);
                }
                { z[0] -= x00; z[1] -= x01; z[2] -= x02; z[3] -= x03; }
                if (count > 1) { z[4] -= x10; z[5] -= x11; z[6] -= x12; z[7] -= x13; }
                if (count > 2) { z[8] -= x20; z[9] -= x21; z[10] -= x22; z[11] -= x23; }
                if (count > 3) { z[12] -= x30; z[13] -= x31; z[14] -= x32; z[15] -= x33; }
            }
            for (int c = 0; c + 1 < count; c++)
                for (int r = c + 1; r < count; r++)
                {
                    var m = l[4 * c + r];
                    z[4 * r + 0] = Lane4.Fnma(m, z[4 * c + 0], z[4 * r + 0]);
                    z[4 * r + 1] = Lane4.Fnma(m, z[4 * c + 1], z[4 * r + 1]);
                    z[4 * r + 2] = Lane4.Fnma(m, z[4 * c + 2], z[4 * r + 2]);
                    z[4 * r + 3] = Lane4.Fnma(m, z[4 * c + 3], z[4 * r + 3]);
                }
        }
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4 x00 = Lanes4.Zero, x01 = Lanes4.Zero, x02 = Lanes4.Zero, x03 = Lanes4.Zero;
            Lanes4 x10 = Lanes4.Zero, x11 = Lanes4.Zero, x12 = Lanes4.Zero, x13 = Lanes4.Zero;
            Lanes4 x20 = Lanes4.Zero, x21 = Lanes4.Zero, x22 = Lanes4.Zero, x23 = Lanes4.Zero;
            Lanes4 x30 = Lanes4.Zero, x31 = Lanes4.Zero, x32 = Lanes4.Zero, x33 = Lanes4.Zero;
            Lanes4* y = own;
            for (int k = 0; k < w; k++, a += 4, y += 4)
            {
                Lanes4 y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
                var l0 = a[0];
                x00 = Lane4.Fma(l0, y0, x00);
                x01 = Lane4.Fma(l0, y1, x01);
                x02 = Lane4.Fma(l0, y2, x02);
                x03 = Lane4.Fma(l0, y3, x03);
                var l1 = a[1];
                x10 = Lane4.Fma(l1, y0, x10);
                x11 = Lane4.Fma(l1, y1, x11);
                x12 = Lane4.Fma(l1, y2, x12);
                x13 = Lane4.Fma(l1, y3, x13);
                var l2 = a[2];
                x20 = Lane4.Fma(l2, y0, x20);
                x21 = Lane4.Fma(l2, y1, x21);
                x22 = Lane4.Fma(l2, y2, x22);
                x23 = Lane4.Fma(l2, y3, x23);
                var l3 = a[3];
                x30 = Lane4.Fma(l3, y0, x30);
                x31 = Lane4.Fma(l3, y1, x31);
                x32 = Lane4.Fma(l3, y2, x32);
                x33 = Lane4.Fma(l3, y3, x33);
            }
            Lanes4* r0 = work + 4 * (nint)rows[0];
            r0[0] -= x00;
            r0[1] -= x01;
            r0[2] -= x02;
            r0[3] -= x03;
            Lanes4* r1 = work + 4 * (nint)rows[1];
            r1[0] -= x10;
            r1[1] -= x11;
            r1[2] -= x12;
            r1[3] -= x13;
            Lanes4* r2 = work + 4 * (nint)rows[2];
            r2[0] -= x20;
            r2[1] -= x21;
            r2[2] -= x22;
            r2[3] -= x23;
            Lanes4* r3 = work + 4 * (nint)rows[3];
            r3[0] -= x30;
            r3[1] -= x31;
            r3[2] -= x32;
            r3[3] -= x33;
        }
    }

    /// <summary>y := L⁻ᵀ D⁻¹ y for one supernode and 4 columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Backward4(Lanes4* a, int w, int ownGroups, int belowGroups, Lanes4* work, Lanes4* own, int* rows, Lanes4* inverse)
    {
        nint stride = 4 * w;
        Lanes4* y = own;
        for (int k = 0; k < w; k++, y += 4)
        {
            var d = inverse[k];
            y[0] *= d;
            y[1] *= d;
            y[2] *= d;
            y[3] *= d;
        }
        Lanes4* l = a + ownGroups * stride;
        for (int i = 0; i < belowGroups; i++, rows += 4)
        {
            Lanes4* r0 = work + 4 * (nint)rows[0];
            Lanes4 x00 = r0[0], x01 = r0[1], x02 = r0[2], x03 = r0[3];
            Lanes4* r1 = work + 4 * (nint)rows[1];
            Lanes4 x10 = r1[0], x11 = r1[1], x12 = r1[2], x13 = r1[3];
            Lanes4* r2 = work + 4 * (nint)rows[2];
            Lanes4 x20 = r2[0], x21 = r2[1], x22 = r2[2], x23 = r2[3];
            Lanes4* r3 = work + 4 * (nint)rows[3];
            Lanes4 x30 = r3[0], x31 = r3[1], x32 = r3[2], x33 = r3[3];
            y = own;
            for (int k = 0; k < w; k++, l += 4, y += 4)
            {
                Lanes4 y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
                var l0 = l[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                y1 = Lane4.Fnma(l0, x01, y1);
                y2 = Lane4.Fnma(l0, x02, y2);
                y3 = Lane4.Fnma(l0, x03, y3);
                var l1 = l[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                y1 = Lane4.Fnma(l1, x11, y1);
                y2 = Lane4.Fnma(l1, x12, y2);
                y3 = Lane4.Fnma(l1, x13, y3);
                var l2 = l[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                y1 = Lane4.Fnma(l2, x21, y1);
                y2 = Lane4.Fnma(l2, x22, y2);
                y3 = Lane4.Fnma(l2, x23, y3);
                var l3 = l[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y1 = Lane4.Fnma(l3, x31, y1);
                y2 = Lane4.Fnma(l3, x32, y2);
                y3 = Lane4.Fnma(l3, x33, y3);
                y[0] = y0;
                y[1] = y1;
                y[2] = y2;
                y[3] = y3;
            }
        }
        for (int i = ownGroups - 1; i >= 0; i--)
        {
            int c0 = 4 * i, count = Math.Min(4, w - c0);
            Lanes4* group = a + i * stride, block = group + 4 * c0, z = own + 4 * c0;
            for (int c = count - 2; c >= 0; c--)
                for (int r = c + 1; r < count; r++)
                {
                    var m = block[4 * c + r];
                    z[4 * c + 0] = Lane4.Fnma(m, z[4 * r + 0], z[4 * c + 0]);
                    z[4 * c + 1] = Lane4.Fnma(m, z[4 * r + 1], z[4 * c + 1]);
                    z[4 * c + 2] = Lane4.Fnma(m, z[4 * r + 2], z[4 * c + 2]);
                    z[4 * c + 3] = Lane4.Fnma(m, z[4 * r + 3], z[4 * c + 3]);
                }
            if (c0 == 0) break;
            Lanes4 x00 = z[0], x01 = z[1], x02 = z[2], x03 = z[3];
            Lanes4 x10 = count > 1 ? z[4] : Lanes4.Zero, x11 = count > 1 ? z[5] : Lanes4.Zero, x12 = count > 1 ? z[6] : Lanes4.Zero, x13 = count > 1 ? z[7] : Lanes4.Zero;
            Lanes4 x20 = count > 2 ? z[8] : Lanes4.Zero, x21 = count > 2 ? z[9] : Lanes4.Zero, x22 = count > 2 ? z[10] : Lanes4.Zero, x23 = count > 2 ? z[11] : Lanes4.Zero;
            Lanes4 x30 = count > 3 ? z[12] : Lanes4.Zero, x31 = count > 3 ? z[13] : Lanes4.Zero, x32 = count > 3 ? z[14] : Lanes4.Zero, x33 = count > 3 ? z[15] : Lanes4.Zero;
            y = own;
            for (int k = 0; k < c0; k++, group += 4, y += 4)
            {
                Lanes4 y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
                var l0 = group[0];
                y0 = Lane4.Fnma(l0, x00, y0);
                y1 = Lane4.Fnma(l0, x01, y1);
                y2 = Lane4.Fnma(l0, x02, y2);
                y3 = Lane4.Fnma(l0, x03, y3);
                var l1 = group[1];
                y0 = Lane4.Fnma(l1, x10, y0);
                y1 = Lane4.Fnma(l1, x11, y1);
                y2 = Lane4.Fnma(l1, x12, y2);
                y3 = Lane4.Fnma(l1, x13, y3);
                var l2 = group[2];
                y0 = Lane4.Fnma(l2, x20, y0);
                y1 = Lane4.Fnma(l2, x21, y1);
                y2 = Lane4.Fnma(l2, x22, y2);
                y3 = Lane4.Fnma(l2, x23, y3);
                var l3 = group[3];
                y0 = Lane4.Fnma(l3, x30, y0);
                y1 = Lane4.Fnma(l3, x31, y1);
                y2 = Lane4.Fnma(l3, x32, y2);
                y3 = Lane4.Fnma(l3, x33, y3);
                y[0] = y0;
                y[1] = y1;
                y[2] = y2;
                y[3] = y3;
            }
        }
    }
}
