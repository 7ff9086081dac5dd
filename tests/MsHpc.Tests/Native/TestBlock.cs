using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Tests.Native;

/// <summary>
/// An elastic block of multilinear elements (Q4 in plane strain, Hex8) of unit size, cut into slabs along x: each rank owns the nodes of
/// its columns and assembles the elements left of them, so that rows are shared. Supported unknowns are eliminated.
/// </summary>
internal sealed class TestBlock
{
    private readonly int _d;
    private readonly int[] _cells;
    private readonly Func<double[], int, bool> _fixed;
    private readonly double[,] _element;

    /// <param name="comm">Ranks.</param>
    /// <param name="cells">Elements along each axis; their number is the dimension.</param>
    /// <param name="isFixed">Whether a component of the node at a place is held.</param>
    /// <param name="kind">What is promised of the matrix.</param>
    /// <param name="shift">Subtracted from the diagonal of the matrix: makes it indefinite.</param>
    public TestBlock(Comm comm, int[] cells, Func<double[], int, bool> isFixed, MatrixKind kind, double shift = 0)
    {
        (_d, _cells, _fixed) = (cells.Length, cells, isFixed);
        _element = ElementStiffness(_d, 1.0, 0.3);
        int columns = cells[0] + 1, perColumn = Nodes / columns;
        int Owner(int node) => Array.FindIndex(Cuts(comm.Size), 1, cut => node / perColumn < cut) - 1;
        int[] Cuts(int ranks) => [.. Enumerable.Range(0, ranks + 1).Select(r => columns * r / ranks)];

        // Global numbers of the free unknowns: nodes by columns, so ranks in order.
        Global = new int[Nodes * _d];
        for (int node = 0; node < Nodes; node++)
            for (int c = 0; c < _d; c++) Global[node * _d + c] = _fixed(Place(node), c) ? -1 : Unknowns++;

        // Own elements: those whose last node is owned. Local nodes: owned ones, then ghosts.
        int me = comm.Rank;
        var elements = Enumerable.Range(0, cells.Aggregate(1, (a, b) => a * b)).Select(ElementNodes).Where(e => Owner(e.Max()) == me).ToArray();
        var owned = Enumerable.Range(0, Nodes).Where(n => Owner(n) == me).ToArray();
        int[] nodes = [.. owned, .. elements.SelectMany(e => e).Distinct().Where(n => Owner(n) != me).Order()];
        var localOf = new Dictionary<int, int>();
        var toGlobal = new List<long>();
        var nodeOf = new List<int>();
        var componentOf = new List<byte>();
        for (int n = 0; n < nodes.Length; n++)
            for (int c = 0; c < _d; c++)
                if (Global[nodes[n] * _d + c] is >= 0 and var g)
                {
                    localOf[g] = toGlobal.Count;
                    toGlobal.Add(g);
                    nodeOf.Add(n);
                    componentOf.Add((byte)c);
                    if (n < owned.Length) Owned++;
                }
        int size = _element.GetLength(0);
        int[] members = [.. elements.SelectMany(e => e.SelectMany(n => Enumerable.Range(0, _d).Select(c => Global[n * _d + c] is >= 0 and var g ? localOf[g] : -1)))];
        int[] starts = [.. Enumerable.Range(0, elements.Length + 1).Select(e => e * size)];
        var pattern = SparsePattern.FromGroups(toGlobal.Count, starts, members);
        Values = new double[pattern.Count];
        for (int e = 0; e < elements.Length; e++)
            for (int i = 0; i < size; i++)
                for (int j = 0; j < size; j++)
                    if (members[e * size + i] is >= 0 and var row && members[e * size + j] is >= 0 and var column)
                        Values[pattern.Find(row, column)] += _element[i, j];
        for (int i = 0; i < Owned; i++) Values[pattern.Find(i, i)] -= shift;
        System = new LinearSystem(comm, kind, pattern, Owned, [.. toGlobal], Global.Contains(-1) ? 1 : _d, [.. nodeOf], [.. componentOf],
            [.. nodes.SelectMany(Place)], _d);
        First = Owned > 0 ? (int)toGlobal[0] : 0;
        Shift = shift;
    }

    public LinearSystem System { get; }
    public double[] Values { get; }
    public int Unknowns { get; }
    public int Owned { get; }
    public int First { get; }
    public double Shift { get; }
    public int[] Global { get; }
    private int Nodes => _cells.Aggregate(1, (a, b) => a * (b + 1));

    /// <summary>A right-hand side with all frequencies in it.</summary>
    public static double Load(int unknown) => Math.Sin(1 + 0.7 * unknown) + 0.1;

    /// <summary>This rank's part of it.</summary>
    public double[] Rhs() => [.. Enumerable.Range(First, Owned).Select(Load)];

    /// <summary>The whole matrix, on every rank.</summary>
    public double[,] Dense()
    {
        var a = new double[Unknowns, Unknowns];
        for (int e = 0; e < _cells.Aggregate(1, (x, y) => x * y); e++)
        {
            int[] dofs = [.. ElementNodes(e).SelectMany(n => Enumerable.Range(0, _d).Select(c => Global[n * _d + c]))];
            for (int i = 0; i < dofs.Length; i++)
                for (int j = 0; j < dofs.Length; j++)
                    if (dofs[i] >= 0 && dofs[j] >= 0) a[dofs[i], dofs[j]] += _element[i, j];
        }
        for (int i = 0; i < Unknowns; i++) a[i, i] -= Shift;
        return a;
    }

    /// <summary>This rank's part of the exact answer: Gauss with partial pivoting.</summary>
    public double[] Exact()
    {
        var a = Dense();
        double[] x = [.. Enumerable.Range(0, Unknowns).Select(Load)];
        int n = Unknowns;
        for (int k = 0; k < n; k++)
        {
            int pivot = k;
            for (int i = k + 1; i < n; i++) if (Math.Abs(a[i, k]) > Math.Abs(a[pivot, k])) pivot = i;
            for (int j = 0; j < n; j++) (a[k, j], a[pivot, j]) = (a[pivot, j], a[k, j]);
            (x[k], x[pivot]) = (x[pivot], x[k]);
            for (int i = k + 1; i < n; i++)
            {
                double f = a[i, k] / a[k, k];
                if (f == 0) continue;
                for (int j = k; j < n; j++) a[i, j] -= f * a[k, j];
                x[i] -= f * x[k];
            }
        }
        for (int i = n - 1; i >= 0; i--)
        {
            for (int j = i + 1; j < n; j++) x[i] -= a[i, j] * x[j];
            x[i] /= a[i, i];
        }
        return x[First..(First + Owned)];
    }

    private double[] Place(int node)
    {
        var x = new double[_d];
        for (int c = _d - 1; c >= 0; c--) { x[c] = node % (_cells[c] + 1); node /= _cells[c] + 1; }
        return x;
    }

    private int[] ElementNodes(int element)
    {
        var at = new int[_d];
        for (int c = _d - 1; c >= 0; c--) { at[c] = element % _cells[c]; element /= _cells[c]; }
        return [.. Enumerable.Range(0, 1 << _d).Select(corner =>
        {
            int node = 0;
            for (int c = 0; c < _d; c++) node = node * (_cells[c] + 1) + at[c] + (corner >> (_d - 1 - c) & 1);
            return node;
        })];
    }

    /// <summary>∫ Bᵀ C B over the unit cell, 2^d Gauss points: λ (∇·u)² + 2 μ ε:ε.</summary>
    private static double[,] ElementStiffness(int d, double young, double poisson)
    {
        double lambda = young * poisson / ((1 + poisson) * (1 - 2 * poisson)), mu = young / (2 * (1 + poisson));
        int corners = 1 << d;
        var k = new double[corners * d, corners * d];
        for (int point = 0; point < corners; point++)
        {
            var gradient = new double[corners, d];
            for (int n = 0; n < corners; n++)
                for (int c = 0; c < d; c++)
                {
                    double product = 1;
                    for (int m = 0; m < d; m++)
                    {
                        double x = 0.5 + ((point >> m & 1) == 0 ? -1 : 1) / (2 * Math.Sqrt(3));
                        bool high = (n >> (d - 1 - m) & 1) == 1;
                        product *= m == c ? (high ? 1 : -1) : high ? x : 1 - x;
                    }
                    gradient[n, c] = product;
                }
            for (int n = 0; n < corners; n++)
                for (int m = 0; m < corners; m++)
                {
                    double dot = 0;
                    for (int c = 0; c < d; c++) dot += gradient[n, c] * gradient[m, c];
                    for (int a = 0; a < d; a++)
                        for (int b = 0; b < d; b++)
                            k[n * d + a, m * d + b] += (lambda * gradient[n, a] * gradient[m, b] + mu * gradient[n, b] * gradient[m, a]
                                + (a == b ? mu * dot : 0)) / corners;
                }
        }
        return k;
    }
}
