using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core.Sparse;

public sealed unsafe partial class SparseLdl
{
    /// <summary>
    /// Columns c0 … c0 + count of L for one group of eight rows: X = A − L (D Lᵀ) over the columns before, then
    /// X := X L_JJ⁻ᵀ within the block and L = X D⁻¹. Rows of the diagonal block also leave −X in <c>own</c>. Without
    /// <paramref name="inverse"/> only the first step is done. Columns beyond count are computed and dropped.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panel1(double* a, double* b, int c0, int count, double* inverse, double* own)
    {
        double* x = a + 8 * c0;
        Lanes x0 = Vector512.Load(x + 0), x1 = Vector512.Load(x + 8), x2 = Vector512.Load(x + 16), x3 = Vector512.Load(x + 24), x4 = Vector512.Load(x + 32), x5 = Vector512.Load(x + 40), x6 = Vector512.Load(x + 48), x7 = Vector512.Load(x + 56);
        double* p = a, q = b;
        for (int k = 0; k < c0; k++, p += 8, q += 8)
        {
            var a0 = Vector512.Load(p);
            var b0 = Vector512.Create(q[0]);
            x0 = Lane.Fma(a0, b0, x0);
            var b1 = Vector512.Create(q[1]);
            x1 = Lane.Fma(a0, b1, x1);
            var b2 = Vector512.Create(q[2]);
            x2 = Lane.Fma(a0, b2, x2);
            var b3 = Vector512.Create(q[3]);
            x3 = Lane.Fma(a0, b3, x3);
            var b4 = Vector512.Create(q[4]);
            x4 = Lane.Fma(a0, b4, x4);
            var b5 = Vector512.Create(q[5]);
            x5 = Lane.Fma(a0, b5, x5);
            var b6 = Vector512.Create(q[6]);
            x6 = Lane.Fma(a0, b6, x6);
            var b7 = Vector512.Create(q[7]);
            x7 = Lane.Fma(a0, b7, x7);
        }
        if (inverse == null)
        {
            x0.Store(x);
            if (count > 1) x1.Store(x + 8);
            if (count > 2) x2.Store(x + 16);
            if (count > 3) x3.Store(x + 24);
            if (count > 4) x4.Store(x + 32);
            if (count > 5) x5.Store(x + 40);
            if (count > 6) x6.Store(x + 48);
            if (count > 7) x7.Store(x + 56);
            return;
        }
        double* t = b + 8 * c0;
        (x0 * Vector512.Create(inverse[0])).Store(x);
        if (count > 1)
        {
            x1 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[1]), x1);
            (x1 * Vector512.Create(inverse[1])).Store(x + 8);
        }
        if (count > 2)
        {
            x2 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[2]), x2);
            x2 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[10]), x2);
            (x2 * Vector512.Create(inverse[2])).Store(x + 16);
        }
        if (count > 3)
        {
            x3 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[3]), x3);
            x3 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[11]), x3);
            x3 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[19]), x3);
            (x3 * Vector512.Create(inverse[3])).Store(x + 24);
        }
        if (count > 4)
        {
            x4 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[4]), x4);
            x4 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[12]), x4);
            x4 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[20]), x4);
            x4 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[28]), x4);
            (x4 * Vector512.Create(inverse[4])).Store(x + 32);
        }
        if (count > 5)
        {
            x5 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[5]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[13]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[21]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[29]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 32), Vector512.Create(t[37]), x5);
            (x5 * Vector512.Create(inverse[5])).Store(x + 40);
        }
        if (count > 6)
        {
            x6 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[6]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[14]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[22]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[30]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 32), Vector512.Create(t[38]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 40), Vector512.Create(t[46]), x6);
            (x6 * Vector512.Create(inverse[6])).Store(x + 48);
        }
        if (count > 7)
        {
            x7 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[7]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[15]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[23]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[31]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 32), Vector512.Create(t[39]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 40), Vector512.Create(t[47]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 48), Vector512.Create(t[55]), x7);
            (x7 * Vector512.Create(inverse[7])).Store(x + 56);
        }
        if (own != null)
        {
            double* n = own + 8 * c0;
            (-x0).Store(n);
            if (count > 1) (-x1).Store(n + 8);
            if (count > 2) (-x2).Store(n + 16);
            if (count > 3) (-x3).Store(n + 24);
            if (count > 4) (-x4).Store(n + 32);
            if (count > 5) (-x5).Store(n + 40);
            if (count > 6) (-x6).Store(n + 48);
            if (count > 7) (-x7).Store(n + 56);
        }
    }

    /// <summary>
    /// Columns c0 … c0 + count of L for two groups of eight rows: X = A − L (D Lᵀ) over the columns before, then
    /// X := X L_JJ⁻ᵀ within the block and L = X D⁻¹. Rows of the diagonal block also leave −X in <c>own</c>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Panel2(double* a, nint stride, double* b, int c0, int count, double* inverse, double* own, double* own1)
    {
        double* x = a + 8 * c0;
        double* y = x + stride;
        Lanes x0 = Vector512.Load(x + 0), x1 = Vector512.Load(x + 8), x2 = Vector512.Load(x + 16), x3 = Vector512.Load(x + 24), x4 = Vector512.Load(x + 32), x5 = Vector512.Load(x + 40), x6 = Vector512.Load(x + 48), x7 = Vector512.Load(x + 56);
        Lanes y0 = Vector512.Load(y + 0), y1 = Vector512.Load(y + 8), y2 = Vector512.Load(y + 16), y3 = Vector512.Load(y + 24), y4 = Vector512.Load(y + 32), y5 = Vector512.Load(y + 40), y6 = Vector512.Load(y + 48), y7 = Vector512.Load(y + 56);
        double* p = a, q = b;
        double* r = a + stride;
        for (int k = 0; k < c0; k++, p += 8, q += 8, r += 8)
        {
            var a0 = Vector512.Load(p);
            var a1 = Vector512.Load(r);
            var b0 = Vector512.Create(q[0]);
            x0 = Lane.Fma(a0, b0, x0);
            y0 = Lane.Fma(a1, b0, y0);
            var b1 = Vector512.Create(q[1]);
            x1 = Lane.Fma(a0, b1, x1);
            y1 = Lane.Fma(a1, b1, y1);
            var b2 = Vector512.Create(q[2]);
            x2 = Lane.Fma(a0, b2, x2);
            y2 = Lane.Fma(a1, b2, y2);
            var b3 = Vector512.Create(q[3]);
            x3 = Lane.Fma(a0, b3, x3);
            y3 = Lane.Fma(a1, b3, y3);
            var b4 = Vector512.Create(q[4]);
            x4 = Lane.Fma(a0, b4, x4);
            y4 = Lane.Fma(a1, b4, y4);
            var b5 = Vector512.Create(q[5]);
            x5 = Lane.Fma(a0, b5, x5);
            y5 = Lane.Fma(a1, b5, y5);
            var b6 = Vector512.Create(q[6]);
            x6 = Lane.Fma(a0, b6, x6);
            y6 = Lane.Fma(a1, b6, y6);
            var b7 = Vector512.Create(q[7]);
            x7 = Lane.Fma(a0, b7, x7);
            y7 = Lane.Fma(a1, b7, y7);
        }
        double* t = b + 8 * c0;
        (x0 * Vector512.Create(inverse[0])).Store(x);
        if (count > 1)
        {
            x1 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[1]), x1);
            (x1 * Vector512.Create(inverse[1])).Store(x + 8);
        }
        if (count > 2)
        {
            x2 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[2]), x2);
            x2 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[10]), x2);
            (x2 * Vector512.Create(inverse[2])).Store(x + 16);
        }
        if (count > 3)
        {
            x3 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[3]), x3);
            x3 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[11]), x3);
            x3 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[19]), x3);
            (x3 * Vector512.Create(inverse[3])).Store(x + 24);
        }
        if (count > 4)
        {
            x4 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[4]), x4);
            x4 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[12]), x4);
            x4 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[20]), x4);
            x4 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[28]), x4);
            (x4 * Vector512.Create(inverse[4])).Store(x + 32);
        }
        if (count > 5)
        {
            x5 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[5]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[13]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[21]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[29]), x5);
            x5 = Lane.Fma(Vector512.Load(x + 32), Vector512.Create(t[37]), x5);
            (x5 * Vector512.Create(inverse[5])).Store(x + 40);
        }
        if (count > 6)
        {
            x6 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[6]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[14]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[22]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[30]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 32), Vector512.Create(t[38]), x6);
            x6 = Lane.Fma(Vector512.Load(x + 40), Vector512.Create(t[46]), x6);
            (x6 * Vector512.Create(inverse[6])).Store(x + 48);
        }
        if (count > 7)
        {
            x7 = Lane.Fma(Vector512.Load(x), Vector512.Create(t[7]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 8), Vector512.Create(t[15]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 16), Vector512.Create(t[23]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 24), Vector512.Create(t[31]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 32), Vector512.Create(t[39]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 40), Vector512.Create(t[47]), x7);
            x7 = Lane.Fma(Vector512.Load(x + 48), Vector512.Create(t[55]), x7);
            (x7 * Vector512.Create(inverse[7])).Store(x + 56);
        }
        if (own != null)
        {
            double* n = own + 8 * c0;
            (-x0).Store(n);
            if (count > 1) (-x1).Store(n + 8);
            if (count > 2) (-x2).Store(n + 16);
            if (count > 3) (-x3).Store(n + 24);
            if (count > 4) (-x4).Store(n + 32);
            if (count > 5) (-x5).Store(n + 40);
            if (count > 6) (-x6).Store(n + 48);
            if (count > 7) (-x7).Store(n + 56);
        }
        (y0 * Vector512.Create(inverse[0])).Store(y);
        if (count > 1)
        {
            y1 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[1]), y1);
            (y1 * Vector512.Create(inverse[1])).Store(y + 8);
        }
        if (count > 2)
        {
            y2 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[2]), y2);
            y2 = Lane.Fma(Vector512.Load(y + 8), Vector512.Create(t[10]), y2);
            (y2 * Vector512.Create(inverse[2])).Store(y + 16);
        }
        if (count > 3)
        {
            y3 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[3]), y3);
            y3 = Lane.Fma(Vector512.Load(y + 8), Vector512.Create(t[11]), y3);
            y3 = Lane.Fma(Vector512.Load(y + 16), Vector512.Create(t[19]), y3);
            (y3 * Vector512.Create(inverse[3])).Store(y + 24);
        }
        if (count > 4)
        {
            y4 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[4]), y4);
            y4 = Lane.Fma(Vector512.Load(y + 8), Vector512.Create(t[12]), y4);
            y4 = Lane.Fma(Vector512.Load(y + 16), Vector512.Create(t[20]), y4);
            y4 = Lane.Fma(Vector512.Load(y + 24), Vector512.Create(t[28]), y4);
            (y4 * Vector512.Create(inverse[4])).Store(y + 32);
        }
        if (count > 5)
        {
            y5 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[5]), y5);
            y5 = Lane.Fma(Vector512.Load(y + 8), Vector512.Create(t[13]), y5);
            y5 = Lane.Fma(Vector512.Load(y + 16), Vector512.Create(t[21]), y5);
            y5 = Lane.Fma(Vector512.Load(y + 24), Vector512.Create(t[29]), y5);
            y5 = Lane.Fma(Vector512.Load(y + 32), Vector512.Create(t[37]), y5);
            (y5 * Vector512.Create(inverse[5])).Store(y + 40);
        }
        if (count > 6)
        {
            y6 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[6]), y6);
            y6 = Lane.Fma(Vector512.Load(y + 8), Vector512.Create(t[14]), y6);
            y6 = Lane.Fma(Vector512.Load(y + 16), Vector512.Create(t[22]), y6);
            y6 = Lane.Fma(Vector512.Load(y + 24), Vector512.Create(t[30]), y6);
            y6 = Lane.Fma(Vector512.Load(y + 32), Vector512.Create(t[38]), y6);
            y6 = Lane.Fma(Vector512.Load(y + 40), Vector512.Create(t[46]), y6);
            (y6 * Vector512.Create(inverse[6])).Store(y + 48);
        }
        if (count > 7)
        {
            y7 = Lane.Fma(Vector512.Load(y), Vector512.Create(t[7]), y7);
            y7 = Lane.Fma(Vector512.Load(y + 8), Vector512.Create(t[15]), y7);
            y7 = Lane.Fma(Vector512.Load(y + 16), Vector512.Create(t[23]), y7);
            y7 = Lane.Fma(Vector512.Load(y + 24), Vector512.Create(t[31]), y7);
            y7 = Lane.Fma(Vector512.Load(y + 32), Vector512.Create(t[39]), y7);
            y7 = Lane.Fma(Vector512.Load(y + 40), Vector512.Create(t[47]), y7);
            y7 = Lane.Fma(Vector512.Load(y + 48), Vector512.Create(t[55]), y7);
            (y7 * Vector512.Create(inverse[7])).Store(y + 56);
        }
        if (own1 != null)
        {
            double* n = own1 + 8 * c0;
            (-y0).Store(n);
            if (count > 1) (-y1).Store(n + 8);
            if (count > 2) (-y2).Store(n + 16);
            if (count > 3) (-y3).Store(n + 24);
            if (count > 4) (-y4).Store(n + 32);
            if (count > 5) (-y5).Store(n + 40);
            if (count > 6) (-y6).Store(n + 48);
            if (count > 7) (-y7).Store(n + 56);
        }
    }

    /// <summary>Adds −L_I D L_Jᵀ of one group of eight rows and up to eight columns to an ancestor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Update1(double* storage, double* a, double* b, int w, int count, int* rel, int* offset, Lanes* v)
    {
        Lanes x0 = Lanes.Zero, x1 = Lanes.Zero, x2 = Lanes.Zero, x3 = Lanes.Zero, x4 = Lanes.Zero, x5 = Lanes.Zero, x6 = Lanes.Zero, x7 = Lanes.Zero;
        double* p = a, q = b;
        for (int k = 0; k < w; k++, p += 8, q += 8)
        {
            var a0 = Vector512.Load(p);
            var b0 = Vector512.Create(q[0]);
            x0 = Lane.Fma(a0, b0, x0);
            var b1 = Vector512.Create(q[1]);
            x1 = Lane.Fma(a0, b1, x1);
            var b2 = Vector512.Create(q[2]);
            x2 = Lane.Fma(a0, b2, x2);
            var b3 = Vector512.Create(q[3]);
            x3 = Lane.Fma(a0, b3, x3);
            var b4 = Vector512.Create(q[4]);
            x4 = Lane.Fma(a0, b4, x4);
            var b5 = Vector512.Create(q[5]);
            x5 = Lane.Fma(a0, b5, x5);
            var b6 = Vector512.Create(q[6]);
            x6 = Lane.Fma(a0, b6, x6);
            var b7 = Vector512.Create(q[7]);
            x7 = Lane.Fma(a0, b7, x7);
        }
        v[0] = x0;
        v[1] = x1;
        v[2] = x2;
        v[3] = x3;
        v[4] = x4;
        v[5] = x5;
        v[6] = x6;
        v[7] = x7;
        for (int c = 0; c < count; c++)
        {
            double* target = storage + offset[c];
            Scatter(target, rel, (double*)(v + c));
        }
    }

    /// <summary>Adds −L_I D L_Jᵀ of two groups of eight rows and up to eight columns to an ancestor.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Update2(double* storage, double* a, nint stride, double* b, int w, int count, int* rel, int* offset, Lanes* v)
    {
        Lanes x0 = Lanes.Zero, x1 = Lanes.Zero, x2 = Lanes.Zero, x3 = Lanes.Zero, x4 = Lanes.Zero, x5 = Lanes.Zero, x6 = Lanes.Zero, x7 = Lanes.Zero;
        Lanes y0 = Lanes.Zero, y1 = Lanes.Zero, y2 = Lanes.Zero, y3 = Lanes.Zero, y4 = Lanes.Zero, y5 = Lanes.Zero, y6 = Lanes.Zero, y7 = Lanes.Zero;
        double* p = a, q = b;
        double* r = a + stride;
        for (int k = 0; k < w; k++, p += 8, q += 8, r += 8)
        {
            var a0 = Vector512.Load(p);
            var a1 = Vector512.Load(r);
            var b0 = Vector512.Create(q[0]);
            x0 = Lane.Fma(a0, b0, x0);
            y0 = Lane.Fma(a1, b0, y0);
            var b1 = Vector512.Create(q[1]);
            x1 = Lane.Fma(a0, b1, x1);
            y1 = Lane.Fma(a1, b1, y1);
            var b2 = Vector512.Create(q[2]);
            x2 = Lane.Fma(a0, b2, x2);
            y2 = Lane.Fma(a1, b2, y2);
            var b3 = Vector512.Create(q[3]);
            x3 = Lane.Fma(a0, b3, x3);
            y3 = Lane.Fma(a1, b3, y3);
            var b4 = Vector512.Create(q[4]);
            x4 = Lane.Fma(a0, b4, x4);
            y4 = Lane.Fma(a1, b4, y4);
            var b5 = Vector512.Create(q[5]);
            x5 = Lane.Fma(a0, b5, x5);
            y5 = Lane.Fma(a1, b5, y5);
            var b6 = Vector512.Create(q[6]);
            x6 = Lane.Fma(a0, b6, x6);
            y6 = Lane.Fma(a1, b6, y6);
            var b7 = Vector512.Create(q[7]);
            x7 = Lane.Fma(a0, b7, x7);
            y7 = Lane.Fma(a1, b7, y7);
        }
        v[0] = x0;
        v[2] = x1;
        v[4] = x2;
        v[6] = x3;
        v[8] = x4;
        v[10] = x5;
        v[12] = x6;
        v[14] = x7;
        v[1] = y0;
        v[3] = y1;
        v[5] = y2;
        v[7] = y3;
        v[9] = y4;
        v[11] = y5;
        v[13] = y6;
        v[15] = y7;
        for (int c = 0; c < count; c++)
        {
            double* target = storage + offset[c];
            Scatter(target, rel, (double*)(v + 2 * c));
            Scatter(target, rel + 8, (double*)(v + 2 * c + 1));
        }
    }
}
