using System.Runtime.InteropServices;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Fill-reducing orderings of symmetric patterns. A permutation p lists unknowns in the order of their elimination: p[k] is the original
/// number of the k-th pivot. Unknowns of one node stay together; where some
/// unknowns have a node, those without one (Lagrange multipliers) come last.
/// </summary>
public static class Ordering
{
    /// <summary>Approximate minimum degree (Amestoy, Davis, Duff, SIAM J. Matrix Anal. Appl. 17 (1996) 886).</summary>
    /// <param name="pattern">Symmetric pattern.</param>
    /// <param name="nodeOf">Node of each unknown, −1 for none; empty when unknown.</param>
    /// <returns>Permutation, length Rows.</returns>
    public static int[] MinimumDegree(SparsePattern pattern, ReadOnlySpan<int> nodeOf = default)
    {
        var graph = QuotientGraph.Build(pattern, nodeOf);
        return Expand(graph, MinimumDegreeVertices(graph, WithoutNode(graph, nodeOf)));
    }

    /// <summary>
    /// Nested dissection (George, SIAM J. Numer. Anal. 10 (1973) 345). With coordinates a set of nodes is cut by planes near its median and
    /// the separator is found from the graph (the nodes of one side next to the other), so periodic meshes are cut twice at once; without
    /// coordinates the cuts are level sets of a breadth-first search. Parts of at most <paramref name="leafSize"/> nodes are ordered by
    /// minimum degree with their boundary as halo.
    /// </summary>
    /// <param name="pattern">Symmetric pattern.</param>
    /// <param name="nodeOf">Node of each unknown, −1 for none; empty when unknown.</param>
    /// <param name="coordinates">Node coordinates, <paramref name="dimension"/> per node; empty when unknown.</param>
    /// <param name="dimension">Coordinates per node.</param>
    /// <param name="leafSize">Largest part that is not cut, in nodes.</param>
    /// <returns>Permutation, length Rows.</returns>
    public static int[] NestedDissection(SparsePattern pattern, ReadOnlySpan<int> nodeOf, ReadOnlySpan<double> coordinates, int dimension,
        int leafSize = 40)
    {
        var graph = QuotientGraph.Build(pattern, nodeOf);
        return Expand(graph, DissectVertices(graph, VertexCoordinates(graph, nodeOf, coordinates, dimension), dimension, leafSize,
            WithoutNode(graph, nodeOf)));
    }

    internal static int[] Expand(QuotientGraph graph, int[] vertices)
    {
        var permutation = new int[graph.Members.Length];
        int at = 0;
        foreach (int v in vertices)
            for (int m = graph.MemberStart[v]; m < graph.MemberStart[v + 1]; m++) permutation[at++] = graph.Members[m];
        return permutation;
    }

    /// <summary>
    /// Vertices without a node (Lagrange multipliers and the like) in a system that has nodes; null when there are none. They are eliminated
    /// last: their diagonal is often zero until the unknowns they constrain are gone.
    /// </summary>
    internal static bool[]? WithoutNode(QuotientGraph graph, ReadOnlySpan<int> nodeOf)
    {
        if (nodeOf.IsEmpty) return null;
        var without = new bool[graph.Count];
        int count = 0;
        for (int v = 0; v < graph.Count; v++)
        {
            without[v] = nodeOf[graph.Members[graph.MemberStart[v]]] < 0;
            if (without[v]) count++;
        }
        return count == 0 || count == graph.Count ? null : without;
    }

    internal static int[] MinimumDegreeVertices(QuotientGraph graph, bool[]? last = null)
    {
        var weight = new int[graph.Count];
        for (int v = 0; v < weight.Length; v++) weight[v] = graph.Weight(v);
        var order = Sparse.MinimumDegree.Order(graph.Count, graph.Start, graph.Adjacent, weight, last);
        if (last is not null) for (int v = 0; v < last.Length; v++) if (last[v]) order.Add(v);
        return [.. order];
    }

    /// <summary>Coordinates of vertices (zero where there is no node), or null when there are none.</summary>
    internal static double[]? VertexCoordinates(QuotientGraph graph, ReadOnlySpan<int> nodeOf, ReadOnlySpan<double> coordinates, int dimension)
    {
        if (nodeOf.IsEmpty || coordinates.IsEmpty || dimension < 1) return null;
        var result = new double[graph.Count * dimension];
        for (int v = 0; v < graph.Count; v++)
        {
            int node = nodeOf[graph.Members[graph.MemberStart[v]]];
            if (node < 0) continue;
            if ((node + 1) * dimension > coordinates.Length) return null;
            coordinates.Slice(node * dimension, dimension).CopyTo(result.AsSpan(v * dimension));
        }
        return result;
    }

    internal static int[] DissectVertices(QuotientGraph graph, double[]? coordinates, int dimension, int leafSize, bool[]? last = null)
    {
        var work = new Dissection(graph, coordinates, dimension, Math.Max(1, leafSize));
        work.Run(last);
        return work.Order;
    }

    /// <summary>State of one dissection: <see cref="Order"/> is cut into parts in place, separators behind the two sides they separate.</summary>
    private sealed class Dissection
    {
        private const byte SideA = 0, SideB = 1, Separator = 2;

        private readonly QuotientGraph _graph;
        private readonly double[]? _coordinates;
        private readonly int _dimension, _leaf;
        private readonly int[] _region, _local, _level, _queue, _weight;
        private readonly byte[] _side;
        private readonly double[] _key;
        private int _regions;

        public Dissection(QuotientGraph graph, double[]? coordinates, int dimension, int leaf)
        {
            _graph = graph;
            _coordinates = coordinates;
            _dimension = dimension;
            _leaf = leaf;
            Order = new int[graph.Count];
            _region = new int[graph.Count];
            _local = new int[graph.Count];
            _level = new int[graph.Count];
            _queue = new int[graph.Count];
            _weight = new int[graph.Count];
            _side = new byte[graph.Count];
            _key = new double[graph.Count];
            for (int v = 0; v < graph.Count; v++)
            {
                Order[v] = v;
                _weight[v] = graph.Weight(v);
            }
            Array.Fill(_local, -1);
        }

        public int[] Order { get; }

        public void Run(bool[]? last)
        {
            int count = 0;
            for (int v = 0; v < _graph.Count; v++) if (last is null || !last[v]) Order[count++] = v;
            for (int v = 0, at = count; v < _graph.Count && last is not null; v++) if (last[v]) Order[at++] = v;
            var todo = new Stack<(int Begin, int End)>();
            todo.Push((0, count));
            while (todo.TryPop(out var part))
            {
                (int begin, int end) = part;
                if (end - begin <= _leaf) { Leaf(begin, end); continue; }
                int region = ++_regions;
                for (int k = begin; k < end; k++) _region[Order[k]] = region;
                if (!Split(begin, end, region, out int middle, out int separator)) { Leaf(begin, end); continue; }
                todo.Push((begin, middle));
                todo.Push((middle, separator));
            }
        }

        private void Leaf(int begin, int end)
        {
            int inner = end - begin;
            if (inner <= 1) return;
            var vertices = new List<int>(inner * 2);
            for (int k = begin; k < end; k++) { _local[Order[k]] = k - begin; vertices.Add(Order[k]); }
            var start = new List<int>(inner * 2) { 0 };
            var adjacent = new List<int>(inner * 8);
            // Inner vertices with all their neighbours; every neighbour outside is a separator that is eliminated later.
            for (int k = 0; k < inner; k++)
            {
                int v = vertices[k];
                for (int a = _graph.Start[v]; a < _graph.Start[v + 1]; a++)
                {
                    int u = _graph.Adjacent[a];
                    if (_local[u] < 0) { _local[u] = vertices.Count; vertices.Add(u); }
                    adjacent.Add(_local[u]);
                }
                start.Add(adjacent.Count);
            }
            for (int k = inner; k < vertices.Count; k++)
            {
                int v = vertices[k];
                for (int a = _graph.Start[v]; a < _graph.Start[v + 1]; a++)
                {
                    int u = _local[_graph.Adjacent[a]];
                    if (u >= 0 && u < inner) adjacent.Add(u);
                }
                start.Add(adjacent.Count);
            }
            var weight = new int[vertices.Count];
            var halo = new bool[vertices.Count];
            for (int k = 0; k < weight.Length; k++) { weight[k] = _weight[vertices[k]]; halo[k] = k >= inner; }
            var order = Sparse.MinimumDegree.Order(vertices.Count, CollectionsMarshal.AsSpan(start), CollectionsMarshal.AsSpan(adjacent), weight, halo);
            for (int k = 0; k < inner; k++) Order[begin + k] = vertices[order[k]];
            foreach (int v in vertices) _local[v] = -1;
        }

        /// <summary>Arranges a part as side A, side B, separator; false when no cut makes sense.</summary>
        private bool Split(int begin, int end, int region, out int middle, out int separator)
        {
            var vertices = Order.AsSpan(begin, end - begin);
            middle = separator = begin;
            double best = double.MaxValue;
            double bestThreshold = 0;
            int bestAxis = -1;
            bool bestFromA = true;
            int axes = 1;
            if (_coordinates is null)
            {
                int reached = LevelSets(vertices, region);
                if (reached < vertices.Length)
                {
                    // Disconnected: the component that was reached is one side, the rest the other, nothing between.
                    foreach (int v in vertices) _side[v] = _level[v] >= 0 ? SideA : SideB;
                    Arrange(vertices, begin, out middle, out separator);
                    return true;
                }
            }
            else axes = _dimension;

            var sorted = new double[vertices.Length];
            for (int axis = 0; axis < axes; axis++)
            {
                for (int k = 0; k < sorted.Length; k++) sorted[k] = Key(vertices[k], axis);
                Array.Sort(sorted);
                double scale = sorted[^1] - sorted[0];
                if (!(scale > 0)) continue;
                int candidates = vertices.Length > 20000 ? 3 : 9;
                double previous = double.NaN;
                for (int c = 0; c < candidates; c++)
                {
                    double fraction = 0.38 + 0.24 * c / (candidates - 1);
                    double threshold = sorted[(int)(fraction * (sorted.Length - 1))] + 1e-9 * scale;
                    if (threshold == previous || threshold >= sorted[^1]) continue;
                    previous = threshold;
                    Cost(vertices, region, axis, threshold, out double fromA, out double fromB);
                    if (fromA < best) (best, bestThreshold, bestAxis, bestFromA) = (fromA, threshold, axis, true);
                    if (fromB < best) (best, bestThreshold, bestAxis, bestFromA) = (fromB, threshold, axis, false);
                }
            }
            if (bestAxis < 0) return false;

            foreach (int v in vertices) _side[v] = Key(v, bestAxis) <= bestThreshold ? SideA : SideB;
            byte from = bestFromA ? SideA : SideB, to = bestFromA ? SideB : SideA;
            foreach (int v in vertices)
                if (_side[v] == from && Touches(v, region, to)) _side[v] = Separator;
            // A separator vertex that touches one side only belongs to that side.
            foreach (int v in vertices)
            {
                if (_side[v] != Separator) continue;
                if (!Touches(v, region, from)) _side[v] = to;
                else if (!Touches(v, region, to)) _side[v] = from;
            }
            Arrange(vertices, begin, out middle, out separator);
            return middle > begin && separator > middle;
        }

        private double Key(int v, int axis) => _coordinates is null ? _level[v] : _coordinates[v * _dimension + axis];

        private bool Touches(int v, int region, byte side)
        {
            for (int a = _graph.Start[v]; a < _graph.Start[v + 1]; a++)
            {
                int u = _graph.Adjacent[a];
                if (_region[u] == region && _side[u] == side) return true;
            }
            return false;
        }

        /// <summary>Weight of the separator, taken from either side, times a penalty for unequal sides.</summary>
        private void Cost(ReadOnlySpan<int> vertices, int region, int axis, double threshold, out double fromA, out double fromB)
        {
            double a = 0, b = 0, cutA = 0, cutB = 0;
            foreach (int v in vertices) _side[v] = Key(v, axis) <= threshold ? SideA : SideB;
            foreach (int v in vertices)
            {
                bool cut = Touches(v, region, _side[v] == SideA ? SideB : SideA);
                if (_side[v] == SideA) { a += _weight[v]; if (cut) cutA += _weight[v]; }
                else { b += _weight[v]; if (cut) cutB += _weight[v]; }
            }
            fromA = Penalised(cutA, a - cutA, b);
            fromB = Penalised(cutB, a, b - cutB);

            static double Penalised(double cut, double a, double b)
                => a <= 0 || b <= 0 ? double.MaxValue : cut * (1 + 0.5 * Math.Abs(a - b) / (a + b));
        }

        private void Arrange(Span<int> vertices, int begin, out int middle, out int separator)
        {
            Span<int> count = stackalloc int[3];
            foreach (int v in vertices) count[_side[v]]++;
            middle = begin + count[0];
            separator = middle + count[1];
            Span<int> at = [0, count[0], count[0] + count[1]];
            foreach (int v in vertices) _queue[at[_side[v]]++] = v;
            _queue.AsSpan(0, vertices.Length).CopyTo(vertices);
        }

        /// <summary>Levels from a pseudo-peripheral vertex (George, Liu 1979); −1 where not reached. Returns how many were reached.</summary>
        private int LevelSets(ReadOnlySpan<int> vertices, int region)
        {
            int root = vertices[0], depth = -1, reached = 0;
            for (int round = 0; round < 6; round++)
            {
                foreach (int v in vertices) _level[v] = -1;
                _level[root] = 0;
                _queue[0] = root;
                reached = 1;
                for (int h = 0; h < reached; h++)
                {
                    int v = _queue[h];
                    for (int a = _graph.Start[v]; a < _graph.Start[v + 1]; a++)
                    {
                        int u = _graph.Adjacent[a];
                        if (_region[u] != region || _level[u] >= 0) continue;
                        _level[u] = _level[v] + 1;
                        _queue[reached++] = u;
                    }
                }
                int last = _queue[reached - 1];
                if (_level[last] <= depth) break;
                depth = _level[last];
                // Next root: the vertex of smallest degree in the last level.
                int next = last;
                for (int h = reached - 1; h >= 0 && _level[_queue[h]] == depth; h--)
                    if (Degree(_queue[h]) < Degree(next)) next = _queue[h];
                root = next;
            }
            return reached;
        }

        private int Degree(int v) => _graph.Start[v + 1] - _graph.Start[v];
    }
}
