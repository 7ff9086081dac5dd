using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Neighbors;

/// <summary>Columns along z over a rectangle in x, y; which clusters each holds.</summary>
internal sealed class Columns
{
    public double LowX, LowY, Inverse = 1;
    public int CountX, CountY;

    /// <summary>First cluster of each column; one more for the end. Column (i, j) is number i·CountY + j.</summary>
    public int[] First = [0];

    /// <summary>Columns that a rectangle touches.</summary>
    public (int X0, int X1, int Y0, int Y1) Range(double lowX, double highX, double lowY, double highY) => (
        Math.Max(0, Index(lowX - LowX)), Math.Min(CountX - 1, Index(highX - LowX)),
        Math.Max(0, Index(lowY - LowY)), Math.Min(CountY - 1, Index(highY - LowY)));

    public int Index(double offset) => (int)Math.Clamp(Math.Floor(offset * Inverse), -1e9, 1e9);
}

/// <summary>
/// Sorts atoms into columns along z and cuts the columns into clusters of eight. The order depends on positions and tags only: atoms at
/// the same height go by tag, so that a restart sorts as the first run did.
/// </summary>
/// <remarks>Bins along each column, about one atom each, bring atoms nearly into order in one pass; insertion does the rest.</remarks>
internal sealed unsafe class ColumnSorter
{
    private readonly AlignedArray<double> _height = new();
    private readonly AlignedArray<int> _bin = new(), _order = new();
    private int[] _next = [];
    private double _width = 1;
    private double* _x;
    private int* _tag;

    /// <summary>Slots that came in, in the new order; −1 for padding. Of the last <see cref="Sort"/>.</summary>
    public int* Order => _order.Pointer;

    /// <summary>Atoms that the last <see cref="Sort"/> found.</summary>
    public int Count { get; private set; }

    /// <summary>Sorts the atoms among the slots of clusters begin … end − 1.</summary>
    /// <param name="x">Positions as in <see cref="Domain.X"/>.</param>
    /// <param name="tag">Tags; −1: no atom.</param>
    /// <param name="begin">First cluster.</param>
    /// <param name="end">One after the last cluster.</param>
    /// <param name="columns">Filled.</param>
    /// <param name="firstCluster">Number of the first cluster of the new order.</param>
    /// <param name="adapt">Whether to choose the width of columns by the density of these atoms, so that a cluster of eight becomes about a
    /// cube; otherwise it stays.</param>
    /// <returns>Clusters.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Sort(double* x, int* tag, int begin, int end, Columns columns, int firstCluster, bool adapt = false)
    {
        _x = x;
        _tag = tag;
        Lanes infinity = Lane.Of(double.PositiveInfinity), lowX = infinity, lowY = infinity, lowZ = infinity, highX = -infinity, highY = -infinity, highZ = -infinity;
        int n = 0;
        for (int c = begin; c < end; c++)
        {
            var atoms = IsAtom(tag + 8 * c);
            n += BitOperations.PopCount(Lane.Bits(atoms));
            Lanes px = Vector512.Load(x + 24L * c), py = Vector512.Load(x + 24L * c + 8), pz = Vector512.Load(x + 24L * c + 16);
            lowX = Vector512.Min(lowX, Lane.Select(atoms, px, infinity));
            lowY = Vector512.Min(lowY, Lane.Select(atoms, py, infinity));
            lowZ = Vector512.Min(lowZ, Lane.Select(atoms, pz, infinity));
            highX = Vector512.Max(highX, Lane.Select(atoms, px, -infinity));
            highY = Vector512.Max(highY, Lane.Select(atoms, py, -infinity));
            highZ = Vector512.Max(highZ, Lane.Select(atoms, pz, -infinity));
        }
        Count = n;
        double x0 = 0, y0 = 0, z0 = 0, sizeX = 0, sizeY = 0, sizeZ = 0;
        if (n > 0) (x0, y0, z0, sizeX, sizeY, sizeZ) = (Least(lowX), Least(lowY), Least(lowZ), -Least(-highX) - Least(lowX), -Least(-highY) - Least(lowY), -Least(-highZ) - Least(lowZ));
        if (adapt) _width = Math.Cbrt(8 * Math.Max(sizeX, 1e-3) * Math.Max(sizeY, 1e-3) * Math.Max(sizeZ, 1e-3) / Math.Max(n, 1));
        // Never many more columns than atoms, as a flat or a sparse set of them would have.
        double width = Math.Max(Math.Max(_width, Math.Sqrt(4 * sizeX * sizeY / Math.Max(n, 1))), Math.Max(1e-3, 8 * Math.Max(sizeX, sizeY) / Math.Max(n, 8)));
        int nx = Math.Max(1, (int)Math.Round(sizeX / width)), ny = Math.Max(1, (int)Math.Round(sizeY / width)), m = nx * ny, nz = Math.Max(1, n / m);
        double edge = Math.Max(Math.Max(sizeX / nx, sizeY / ny) * (1 + 1e-12), 1e-9), layer = Math.Max(sizeZ / nz * (1 + 1e-12), 1e-9);
        (columns.LowX, columns.LowY, columns.Inverse, columns.CountX, columns.CountY) = (x0, y0, 1 / edge, nx, ny);
        if (columns.First.Length < m + 1) columns.First = new int[m + m / 8 + 1];
        if (_next.Length < m * nz) _next = new int[Math.Max(n, m * nz) * 9 / 8]; // m nz changes more than n, which bounds it
        Array.Clear(_next, 0, m * nz);

        int* bin = _bin.Require(8L * (end - begin) + 8) - 8 * begin;
        Lanes perEdge = Lane.Of(1 / edge), perLayer = Lane.Of(1 / layer), mostX = Lane.Of(nx - 1), mostY = Lane.Of(ny - 1), mostZ = Lane.Of(nz - 1);
        Lanes ox = Lane.Of(x0), oy = Lane.Of(y0), oz = Lane.Of(z0), stepX = Lane.Of((double)ny * nz), stepY = Lane.Of(nz);
        fixed (int* next = _next, firstOf = columns.First)
        {
            for (int c = begin; c < end; c++)
            {
                double* p = x + 24L * c;
                var ix = Vector512.Floor(Vector512.Min((Vector512.Load(p) - ox) * perEdge, mostX));
                var iy = Vector512.Floor(Vector512.Min((Vector512.Load(p + 8) - oy) * perEdge, mostY));
                var iz = Vector512.Floor(Vector512.Min((Vector512.Load(p + 16) - oz) * perLayer, mostZ));
                var number = Lane.Fma(ix, stepX, Lane.Fma(iy, stepY, iz));
                var wide = Vector512.ConvertToInt64(Lane.Select(IsAtom(tag + 8 * c), number, Lanes.Zero));
                Vector256.Narrow(wide.GetLower(), wide.GetUpper()).Store(bin + 8 * c);
                for (int s = 8 * c; s < 8 * c + 8; s++) if (tag[s] >= 0) next[bin[s]]++;
            }
            // Every column begins a cluster.
            int at = 0, fullest = 0;
            for (int column = 0, b = 0; column < m; column++)
            {
                firstOf[column] = firstCluster + at / 8;
                for (int k = 0; k < nz; k++, b++)
                {
                    int here = next[b];
                    fullest = Math.Max(fullest, here);
                    next[b] = at;
                    at += here;
                }
                at = (at + 7) & ~7;
            }
            int clusters = at / 8;
            firstOf[m] = firstCluster + clusters;
            int* order = _order.Require(8L * clusters + 8);
            double* height = _height.Require(8L * clusters + 8);
            new Span<int>(order, 8 * clusters).Fill(-1);
            for (int c = begin; c < end; c++)
                for (int s = 8 * c; s < 8 * c + 8; s++)
                {
                    if (tag[s] < 0) continue;
                    int to = next[bin[s]]++;
                    (order[to], height[to]) = (s, x[s + 16 * c + 16]);
                }
            for (int column = 0; column < m; column++)
            {
                int start = 8 * (firstOf[column] - firstCluster), count = next[(column + 1) * nz - 1] - start;
                // Atoms heaped in few bins would make insertion slow.
                if (fullest > 64) new Span<double>(height + start, count).Sort(new Span<int>(order + start, count));
                Insert(height + start, order + start, count);
            }
            return clusters;
        }
    }

    /// <summary>The lanes that are atoms, not padding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes IsAtom(int* tag)
    {
        var (low, high) = Vector256.Widen(Vector256.Load(tag));
        return Vector512.GreaterThanOrEqual(Vector512.Create(low, high), Vector512<long>.Zero).AsDouble();
    }

    private static double Least(Lanes v)
    {
        double least = v[0];
        for (int l = 1; l < 8; l++) least = Math.Min(least, v[l]);
        return least;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Insert(double* height, int* order, int count)
    {
        for (int a = 1; a < count; a++)
        {
            double h = height[a];
            if (height[a - 1] < h) continue;
            int item = order[a], b = a - 1;
            while (b >= 0 && (height[b] > h || height[b] == h && Before(item, order[b])))
            {
                (height[b + 1], order[b + 1]) = (height[b], order[b]);
                b--;
            }
            (height[b + 1], order[b + 1]) = (h, item);
        }
    }

    /// <summary>Order of two at the same height: copies of one atom (small cells) keep the order of x, then y.</summary>
    private bool Before(int a, int b)
    {
        if (_tag[a] != _tag[b]) return _tag[a] < _tag[b];
        double* p = _x + (a + 2 * (a & ~7)), q = _x + (b + 2 * (b & ~7));
        return p[0] != q[0] ? p[0] < q[0] : p[8] < q[8];
    }
}
