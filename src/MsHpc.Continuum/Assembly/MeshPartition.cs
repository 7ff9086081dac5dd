using MsHpc.Core.Parallel;

namespace MsHpc.Continuum.Assembly;

/// <summary>
/// Which rank has which cells and nodes. Every rank reads the whole mesh and derives the same partition from it: recursive coordinate
/// bisection of the cell centroids, ties broken by cell number. A node belongs to the lowest rank among its cells. Where the law is the
/// cost (a micro problem at every point), compact parts would give the yielding corner of a body to one rank: then the bisection goes on to
/// pieces of four cells, which are dealt out in turn.
/// </summary>
internal sealed class MeshPartition
{
    /// <param name="mesh">The whole mesh.</param>
    /// <param name="comm">Ranks.</param>
    /// <param name="dealt">Small pieces in turn instead of one compact part per rank.</param>
    public MeshPartition(Mesh mesh, Comm comm, bool dealt = false)
    {
        Comm = comm;
        int pieces = dealt ? Math.Max(1, mesh.CellCount / (Core.Lane4.Width * comm.Size)) : 1;
        CellRank = Bisect(mesh, comm.Size, comm.Size * pieces);
        int me = comm.Rank;

        var owner = new int[mesh.NodeCount];
        Array.Fill(owner, int.MaxValue);
        int cell = 0;
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++, cell++)
                foreach (int node in block.Nodes(e)) owner[node] = Math.Min(owner[node], CellRank[cell]);

        // Pairs (owner, node, reader) that concern this rank: what it reads from others, and what others read from it.
        var reads = new HashSet<int>();
        var writes = new HashSet<(int Reader, int Node)>();
        cell = 0;
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++, cell++)
            {
                int rank = CellRank[cell];
                foreach (int node in block.Nodes(e))
                {
                    if (owner[node] == rank) continue;
                    if (rank == me) reads.Add(node);
                    else if (owner[node] == me) writes.Add((rank, node));
                }
            }

        var ghosts = reads.OrderBy(n => owner[n]).ThenBy(n => n).ToArray();
        var owned = Enumerable.Range(0, owner.Length).Where(n => owner[n] == me).ToArray();
        Owned = owned.Length;
        LocalToMesh = [.. owned, .. ghosts];
        MeshToLocal = new int[owner.Length];
        Array.Fill(MeshToLocal, -1);
        for (int i = 0; i < LocalToMesh.Length; i++) MeshToLocal[LocalToMesh[i]] = i;

        Neighbors = [.. ghosts.Select(n => owner[n]).Concat(writes.Select(w => w.Reader)).Distinct().Order()];
        var sends = writes.OrderBy(w => w.Reader).ThenBy(w => w.Node).ToArray();
        SendNodes = [.. sends.Select(w => MeshToLocal[w.Node])];
        SendOffsets = new int[Neighbors.Length + 1];
        GhostOffsets = new int[Neighbors.Length + 1];
        for (int k = 0; k < Neighbors.Length; k++)
        {
            SendOffsets[k + 1] = SendOffsets[k] + sends.Count(w => w.Reader == Neighbors[k]);
            GhostOffsets[k + 1] = GhostOffsets[k] + ghosts.Count(n => owner[n] == Neighbors[k]);
        }
    }

    public Comm Comm { get; }

    /// <summary>Rank of each cell, in the order of the mesh.</summary>
    public int[] CellRank { get; }

    /// <summary>Nodes of this rank that it owns: the first ones of the local numbering.</summary>
    public int Owned { get; }

    /// <summary>Mesh node of each local node: owned ones rising, then ghosts by owner, rising.</summary>
    public int[] LocalToMesh { get; }

    /// <summary>Local node of each mesh node; −1 where the rank has no cell with it.</summary>
    public int[] MeshToLocal { get; }

    /// <summary>Ranks that share nodes with this one, rising.</summary>
    public int[] Neighbors { get; }

    /// <summary>Owned nodes that neighbour k reads: SendNodes[SendOffsets[k] .. SendOffsets[k + 1]].</summary>
    public int[] SendNodes { get; }

    /// <summary>See <see cref="SendNodes"/>.</summary>
    public int[] SendOffsets { get; }

    /// <summary>Ghosts owned by neighbour k: local nodes Owned + GhostOffsets[k] … Owned + GhostOffsets[k + 1] − 1.</summary>
    public int[] GhostOffsets { get; }

    private static int[] Bisect(Mesh mesh, int ranks, int parts)
    {
        var rank = new int[mesh.CellCount];
        if (ranks == 1) return rank;
        int dim = mesh.Dimension, cell = 0;
        var centroids = new double[dim][];
        for (int i = 0; i < dim; i++) centroids[i] = new double[rank.Length];
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++, cell++)
            {
                var nodes = block.Nodes(e);
                for (int i = 0; i < dim; i++)
                {
                    double sum = 0;
                    foreach (int node in nodes) sum += mesh.Coordinates[node * dim + i];
                    centroids[i][cell] = sum / nodes.Length;
                }
            }
        var cells = new int[rank.Length];
        for (int c = 0; c < cells.Length; c++) cells[c] = c;
        Split(0, cells.Length, 0, parts);
        return rank;

        void Split(int begin, int end, int first, int count)
        {
            if (count == 1)
            {
                for (int k = begin; k < end; k++) rank[cells[k]] = first % ranks;
                return;
            }
            int axis = 0;
            double widest = -1;
            for (int i = 0; i < dim; i++)
            {
                double low = double.PositiveInfinity, high = double.NegativeInfinity;
                for (int k = begin; k < end; k++)
                {
                    low = Math.Min(low, centroids[i][cells[k]]);
                    high = Math.Max(high, centroids[i][cells[k]]);
                }
                // A tenth of a per cent of preference for the first axis, so that rounding does not choose.
                if (high - low > widest * 1.001) { widest = high - low; axis = i; }
            }
            var x = centroids[axis];
            Array.Sort(cells, begin, end - begin, Comparer<int>.Create((a, b) => x[a] != x[b] ? x[a].CompareTo(x[b]) : a.CompareTo(b)));
            int left = count / 2;
            int middle = begin + (int)((long)(end - begin) * left / count);
            Split(begin, middle, first, left);
            Split(middle, end, first + left, count - left);
        }
    }
}
