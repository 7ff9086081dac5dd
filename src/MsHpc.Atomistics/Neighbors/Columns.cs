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
/// Sorts points into columns along z and cuts the columns into clusters of eight. The order depends on positions and tags only: atoms at
/// the same height go by tag, so that a restart sorts as the first run did.
/// </summary>
internal sealed unsafe class ColumnSorter
{
    private readonly AlignedArray<double> _x = new(), _y = new(), _z = new(), _key = new();
    private readonly AlignedArray<int> _tag = new(), _item = new(), _column = new(), _order = new(), _sorted = new();
    private int[] _count = [];
    private double _width = 1;

    /// <summary>Items in order of slots; −1 for padding. Of the last <see cref="Sort"/>.</summary>
    public int* Order => _order.Pointer;

    public void Begin(int count)
    {
        foreach (var a in new[] { _x, _y, _z, _key }) a.Require(count);
        foreach (var a in new[] { _tag, _item, _column, _sorted }) a.Require(count);
    }

    public void Set(int k, double x, double y, double z, int tag, int item) =>
        (_x.Pointer[k], _y.Pointer[k], _z.Pointer[k], _tag.Pointer[k], _item.Pointer[k]) = (x, y, z, tag, item);

    /// <summary>Sorts points begin … end − 1.</summary>
    /// <param name="begin">First point.</param>
    /// <param name="end">One after the last point.</param>
    /// <param name="columns">Filled.</param>
    /// <param name="firstCluster">Number of the first cluster.</param>
    /// <param name="adapt">Whether to choose the width of columns by the density of these points, so that a cluster of eight becomes about a
    /// cube; otherwise it stays.</param>
    /// <returns>Clusters.</returns>
    public int Sort(int begin, int end, Columns columns, int firstCluster, bool adapt = false)
    {
        int n = end - begin;
        double lowX = double.PositiveInfinity, lowY = lowX, lowZ = lowX, highX = double.NegativeInfinity, highY = highX, highZ = highX;
        double* x = _x.Pointer, y = _y.Pointer, z = _z.Pointer;
        for (int k = begin; k < end; k++)
        {
            (lowX, highX) = (Math.Min(lowX, x[k]), Math.Max(highX, x[k]));
            (lowY, highY) = (Math.Min(lowY, y[k]), Math.Max(highY, y[k]));
            (lowZ, highZ) = (Math.Min(lowZ, z[k]), Math.Max(highZ, z[k]));
        }
        if (n == 0) (lowX, highX, lowY, highY, lowZ, highZ) = (0, 0, 0, 0, 0, 0);
        if (adapt)
        {
            double volume = Math.Max(highX - lowX, 1e-3) * Math.Max(highY - lowY, 1e-3) * Math.Max(highZ - lowZ, 1e-3);
            _width = Math.Max(Math.Cbrt(8 * volume / Math.Max(n, 1)), 1e-3);
        }
        // Never many more columns than points.
        double width = Math.Max(_width, Math.Max(highX - lowX, highY - lowY) / 4096);
        int nx = Math.Max(1, (int)Math.Round((highX - lowX) / width)), ny = Math.Max(1, (int)Math.Round((highY - lowY) / width));
        double edge = Math.Max(Math.Max((highX - lowX) / nx, (highY - lowY) / ny) * (1 + 1e-12), 1e-9);
        (columns.LowX, columns.LowY, columns.Inverse, columns.CountX, columns.CountY) = (lowX, lowY, 1 / edge, nx, ny);
        int m = nx * ny;
        if (columns.First.Length != m + 1) columns.First = new int[m + 1];
        if (_count.Length < m + 1) _count = new int[m + 1];
        Array.Clear(_count, 0, m + 1);
        int* column = _column.Pointer, sorted = _sorted.Pointer;
        for (int k = begin; k < end; k++)
        {
            int c = Math.Clamp(columns.Index(x[k] - lowX), 0, nx - 1) * ny + Math.Clamp(columns.Index(y[k] - lowY), 0, ny - 1);
            column[k - begin] = c;
            _count[c + 1]++;
        }
        for (int c = 0; c < m; c++) _count[c + 1] += _count[c];
        // Points of a column become contiguous; heights are the keys.
        int clusters = 0;
        for (int c = 0; c < m; c++)
        {
            columns.First[c] = firstCluster + clusters;
            clusters += Lane.Blocks(_count[c + 1] - _count[c]);
        }
        columns.First[m] = firstCluster + clusters;
        int* order = _order.Require(8L * clusters + 8);
        double* key = _key.Pointer;
        for (int k = begin; k < end; k++)
        {
            int at = _count[column[k - begin]]++;
            (sorted[at], key[at]) = (k, z[k]);
        }
        int start = 0, slot = 0;
        for (int c = 0; c < m; c++)
        {
            int stop = _count[c];
            var keys = new Span<double>(key + start, stop - start);
            var items = new Span<int>(sorted + start, stop - start);
            keys.Sort(items);
            for (int a = 0; a < keys.Length;)
            {
                int b = a + 1;
                while (b < keys.Length && keys[b] == keys[a]) b++;
                if (b - a > 1) SortByTag(items[a..b]);
                a = b;
            }
            foreach (int k in items) order[slot++] = _item.Pointer[k];
            while ((slot & 7) != 0) order[slot++] = -1;
            start = stop;
        }
        return clusters;
    }

    /// <summary>Insertion: runs of equal height are short. Copies of one atom at the same height (small cells) keep the order of x, then y.</summary>
    private void SortByTag(Span<int> items)
    {
        for (int a = 1; a < items.Length; a++)
        {
            int item = items[a], b = a - 1;
            while (b >= 0 && Before(item, items[b])) { items[b + 1] = items[b]; b--; }
            items[b + 1] = item;
        }
    }

    private bool Before(int a, int b)
    {
        int* tag = _tag.Pointer;
        if (tag[a] != tag[b]) return tag[a] < tag[b];
        return _x.Pointer[a] != _x.Pointer[b] ? _x.Pointer[a] < _x.Pointer[b] : _y.Pointer[a] < _y.Pointer[b];
    }
}
