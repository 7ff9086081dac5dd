namespace MsHpc.Core.Sparse;

/// <summary>
/// Undirected graph whose vertices are groups of unknowns that are eliminated together: the unknowns of one node, or unknowns with the
/// same neighbours. Symbolic work is done on it, so it costs a ninth of the scalar graph for three unknowns a node.
/// </summary>
internal sealed class QuotientGraph
{
    /// <summary>Number of vertices.</summary>
    public required int Count { get; init; }

    /// <summary>Start of the neighbours of each vertex; length Count + 1.</summary>
    public required int[] Start { get; init; }

    /// <summary>Neighbours, without the vertex itself; rising.</summary>
    public required int[] Adjacent { get; init; }

    /// <summary>Start of each vertex in <see cref="Members"/>; length Count + 1.</summary>
    public required int[] MemberStart { get; init; }

    /// <summary>Unknowns of each vertex; rising.</summary>
    public required int[] Members { get; init; }

    /// <summary>Number of unknowns of a vertex.</summary>
    public int Weight(int vertex) => MemberStart[vertex + 1] - MemberStart[vertex];

    /// <summary>Groups unknowns by node where they have one, and by identical closed neighbourhood elsewhere.</summary>
    /// <param name="pattern">Symmetric pattern.</param>
    /// <param name="nodeOf">Node of each unknown, negative for none; empty when nothing is known.</param>
    public static QuotientGraph Build(SparsePattern pattern, ReadOnlySpan<int> nodeOf)
    {
        int n = pattern.Rows;
        var vertexOf = new int[n];
        int count = 0;
        int nodes = 0;
        foreach (int node in nodeOf) nodes = Math.Max(nodes, node + 1);
        var vertexOfNode = new int[nodes];
        Array.Fill(vertexOfNode, -1);
        var sameHash = new Dictionary<ulong, int>();
        for (int i = 0; i < n; i++)
        {
            int node = nodeOf.IsEmpty ? -1 : nodeOf[i];
            if (node >= 0)
            {
                if (vertexOfNode[node] < 0) vertexOfNode[node] = count++;
                vertexOf[i] = vertexOfNode[node];
                continue;
            }
            // Rows are sorted and hold the diagonal, so identical rows are identical closed neighbourhoods. A collision of the hash
            // merely keeps the two unknowns apart.
            var row = pattern.Columns.AsSpan(pattern.RowStart[i], pattern.RowStart[i + 1] - pattern.RowStart[i]);
            ulong hash = 14695981039346656037;
            foreach (int c in row) hash = unchecked((hash ^ (uint)c) * 1099511628211);
            if (sameHash.TryGetValue(hash, out int other)
                && pattern.Columns.AsSpan(pattern.RowStart[other], pattern.RowStart[other + 1] - pattern.RowStart[other]).SequenceEqual(row))
            {
                vertexOf[i] = vertexOf[other];
                continue;
            }
            sameHash[hash] = i;
            vertexOf[i] = count++;
        }

        var memberStart = new int[count + 1];
        for (int i = 0; i < n; i++) memberStart[vertexOf[i] + 1]++;
        for (int v = 0; v < count; v++) memberStart[v + 1] += memberStart[v];
        var fill = memberStart.AsSpan(0, count).ToArray();
        var members = new int[n];
        for (int i = 0; i < n; i++) members[fill[vertexOf[i]]++] = i;

        var mark = new int[count];
        Array.Fill(mark, -1);
        var start = new int[count + 1];
        var adjacent = new List<int>(pattern.Count);
        for (int v = 0; v < count; v++)
        {
            mark[v] = v;
            int begin = adjacent.Count;
            for (int m = memberStart[v]; m < memberStart[v + 1]; m++)
                for (int k = pattern.RowStart[members[m]]; k < pattern.RowStart[members[m] + 1]; k++)
                {
                    int u = vertexOf[pattern.Columns[k]];
                    if (mark[u] == v) continue;
                    mark[u] = v;
                    adjacent.Add(u);
                }
            adjacent.Sort(begin, adjacent.Count - begin, null);
            start[v + 1] = adjacent.Count;
        }
        return new QuotientGraph
        {
            Count = count, Start = start, Adjacent = adjacent.ToArray(), MemberStart = memberStart, Members = members,
        };
    }
}
