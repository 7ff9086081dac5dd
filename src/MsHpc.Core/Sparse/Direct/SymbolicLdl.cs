namespace MsHpc.Core.Sparse;

/// <summary>Which numeric factorisation a symbolic one is tuned for; it changes how eagerly supernodes are merged, never what is right.</summary>
public enum LdlUse
{
    /// <summary>Batched up to 8000 unknowns, single above.</summary>
    Auto,
    /// <summary>Eight matrices at once, one per lane (<see cref="BatchedLdl"/>): small supernodes are cheap.</summary>
    Batched,
    /// <summary>One matrix (SparseLdl): zeros are cheap, small supernodes are not.</summary>
    Single,
}

/// <summary>
/// Symbolic factorisation P A Pᵀ = L D Lᵀ of a symmetric pattern: fill-reducing ordering, elimination tree (Liu, ACM TOMS 12 (1986) 127),
/// relaxed supernodes (Ashcraft, Grimes, ACM TOMS 15 (1989) 291) and their row structures. Immutable: threads and numeric factorisations
/// may share it.
/// </summary>
public sealed class SymbolicLdl
{
    private readonly Lazy<LdlSchedule> _schedule4, _schedule8;

    private SymbolicLdl(SparsePattern pattern, int[] permutation, int[] first, int[] rowStart, int[] rows)
    {
        Pattern = pattern;
        Perm = permutation;
        First = first;
        RowStart = rowStart;
        RowIndex = rows;
        Inverse = new int[permutation.Length];
        for (int k = 0; k < permutation.Length; k++) Inverse[permutation[k]] = k;
        SupernodeOf = new int[permutation.Length];
        for (int s = 0; s + 1 < first.Length; s++)
        {
            for (int j = first[s]; j < first[s + 1]; j++) SupernodeOf[j] = s;
            long w = first[s + 1] - first[s], m = rowStart[s + 1] - rowStart[s];
            FactorNonzeros += w * (w + 1) / 2 + w * m;
            Flops += 2 * Elimination(w, m);
        }
        _schedule4 = new Lazy<LdlSchedule>(() => new LdlSchedule(this, 4));
        _schedule8 = new Lazy<LdlSchedule>(() => new LdlSchedule(this, 8));
    }

    /// <summary>The pattern that was analysed.</summary>
    public SparsePattern Pattern { get; }

    /// <summary>Number of unknowns.</summary>
    public int Rows => Perm.Length;

    /// <summary>Entries of the lower triangle of L with its diagonal, zeros stored by relaxed supernodes included.</summary>
    public long FactorNonzeros { get; }

    /// <summary>Floating-point operations of one factorisation of one matrix; a multiply-add counts two.</summary>
    public double Flops { get; }

    /// <summary>Elimination order: the original number of each pivot.</summary>
    public ReadOnlySpan<int> Permutation => Perm;

    /// <summary>Number of supernodes.</summary>
    public int Supernodes => First.Length - 1;

    internal int[] Perm { get; }

    internal int[] Inverse { get; }

    /// <summary>First column of each supernode; length Supernodes + 1.</summary>
    internal int[] First { get; }

    /// <summary>Start of each supernode's rows below its diagonal block.</summary>
    internal int[] RowStart { get; }

    /// <summary>Rows below the diagonal block, rising, in the permuted numbering.</summary>
    internal int[] RowIndex { get; }

    internal int[] SupernodeOf { get; }

    internal LdlSchedule Schedule4 => _schedule4.Value;

    internal LdlSchedule Schedule8 => _schedule8.Value;

    /// <summary>Analyses a pattern without geometry.</summary>
    /// <exception cref="ArgumentException">The pattern is not symmetric or lacks a diagonal entry.</exception>
    public static SymbolicLdl Analyze(SparsePattern pattern) => Analyze(pattern, default, default, 0);

    /// <summary>
    /// Analyses a pattern. Minimum degree and nested dissection with several leaf sizes compete; the one with the fewest operations wins.
    /// </summary>
    /// <param name="pattern">Full symmetric pattern.</param>
    /// <param name="nodeOf">Node of each unknown, −1 for none; empty when unknown. Length Rows. Where some have a node, those without one
    /// (Lagrange multipliers) are eliminated last, so that constraints on a definite matrix need no pivoting.</param>
    /// <param name="coordinates">Node coordinates, <paramref name="dimension"/> per node; empty when unknown.</param>
    /// <param name="dimension">Coordinates per node.</param>
    /// <param name="use">What to tune supernodes for.</param>
    /// <exception cref="ArgumentException">The pattern is not symmetric, lacks a diagonal entry, or nodeOf has the wrong length.</exception>
    public static SymbolicLdl Analyze(SparsePattern pattern, ReadOnlySpan<int> nodeOf, ReadOnlySpan<double> coordinates, int dimension,
        LdlUse use = LdlUse.Auto)
    {
        if (!nodeOf.IsEmpty && nodeOf.Length != pattern.Rows)
            throw new ArgumentException($"nodeOf has {nodeOf.Length} entries for {pattern.Rows} unknowns");
        CheckSymmetry(pattern);
        var graph = QuotientGraph.Build(pattern, nodeOf);
        var xyz = Ordering.VertexCoordinates(graph, nodeOf, coordinates, dimension);
        var last = Ordering.WithoutNode(graph, nodeOf);
        int[]? best = null;
        double bestCost = double.MaxValue;
        ReadOnlySpan<int> leaves = graph.Count <= 20000 ? [6, 12, 30, 100] : graph.Count <= 200000 ? [30, 100] : [60];
        foreach (int leaf in leaves)
        {
            Try(Ordering.DissectVertices(graph, xyz, dimension, leaf, last));
            if (xyz is not null && graph.Count <= 2000) Try(Ordering.DissectVertices(graph, null, 0, leaf, last));
        }
        if (graph.Count <= 60000) Try(Ordering.MinimumDegreeVertices(graph, last));
        bool batched = use == LdlUse.Batched || (use == LdlUse.Auto && pattern.Rows <= 8000);
        return Build(pattern, graph, best!, batched);

        void Try(int[] order)
        {
            var parent = EliminationTree(graph, order);
            var weight = ColumnWeights(graph, order, parent);
            double cost = 0;
            for (int k = 0; k < order.Length; k++)
            {
                long w = graph.Weight(order[k]);
                cost += Elimination(w, weight[k] - w);
            }
            if (cost >= bestCost) return;
            bestCost = cost;
            best = order;
        }
    }

    /// <summary>A pivot is lost at once when it is this small beside its row: 8 ε.</summary>
    internal const double LostPivot = 8 * 2.220446049250313e-16;

    /// <summary>
    /// Rounding noise of a pivot, as a multiple of Σ_k a_kk v_k². With v = L⁻ᵀ e_i the pivot is d_i = vᵀ A v, so an error of ε in the
    /// entries of A (assembly alone makes it) shifts it by some ε |v|ᵀ |A| |v|. A pivot below that is singular as far as anyone can tell.
    /// This holds for any size and contrast, which a bound relative to a_ii does not.
    /// </summary>
    internal const double PivotNoise = 8 * 2.220446049250313e-16;

    /// <summary>Only pivots this small beside their row are worth the solve that <see cref="PivotNoise"/> needs.</summary>
    internal const double SuspiciousPivot = 1e-6;

    /// <summary>… and only those this small beside the largest entry of the matrix: Σ_k a_kk v_k² rarely exceeds n max a_kk by more.</summary>
    internal static double SuspiciousGlobally(int rows) => 16 * PivotNoise * rows;

    /// <summary>Multiply-adds of eliminating w columns with m rows below: Σ over pivots of r (r + 3) / 2, r the rows below the pivot.</summary>
    internal static double Elimination(long w, long m)
    {
        double cost = 0;
        for (long k = 0; k < w; k++)
        {
            double r = w - 1 - k + m;
            cost += 0.5 * r * (r + 3);
        }
        return cost;
    }

    private static void CheckSymmetry(SparsePattern pattern)
    {
        int n = pattern.Rows;
        // Row by row, each entry (i, j) must be the next unread entry of row j when rows are visited in rising order.
        var at = pattern.RowStart.AsSpan(0, n).ToArray();
        for (int i = 0; i < n; i++)
        {
            bool diagonal = false;
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
            {
                int j = pattern.Columns[k];
                diagonal |= i == j;
                if ((uint)j >= (uint)n || at[j] >= pattern.RowStart[j + 1] || pattern.Columns[at[j]] != i)
                    throw new ArgumentException($"the sparsity pattern is not symmetric: entry ({i}, {j}) has no mirror, or columns do not rise");
                at[j]++;
            }
            if (!diagonal) throw new ArgumentException($"the sparsity pattern lacks the diagonal entry of row {i}");
        }
    }

    private static int[] EliminationTree(QuotientGraph graph, int[] order)
    {
        int n = graph.Count;
        var position = new int[n];
        for (int k = 0; k < n; k++) position[order[k]] = k;
        var parent = new int[n];
        var ancestor = new int[n];
        for (int k = 0; k < n; k++)
        {
            parent[k] = ancestor[k] = -1;
            int v = order[k];
            for (int a = graph.Start[v]; a < graph.Start[v + 1]; a++)
                for (int i = position[graph.Adjacent[a]]; i >= 0 && i < k;)
                {
                    int next = ancestor[i];
                    ancestor[i] = k;
                    if (next < 0) { parent[i] = k; break; }
                    i = next;
                }
        }
        return parent;
    }

    /// <summary>Unknowns in each column of L on the quotient graph, the vertex itself included, by walking the row subtrees.</summary>
    private static long[] ColumnWeights(QuotientGraph graph, int[] order, int[] parent)
    {
        int n = graph.Count;
        var position = new int[n];
        for (int k = 0; k < n; k++) position[order[k]] = k;
        var weight = new long[n];
        var mark = new int[n];
        for (int k = 0; k < n; k++)
        {
            int v = order[k];
            int w = graph.Weight(v);
            mark[k] = k;
            weight[k] += w;
            for (int a = graph.Start[v]; a < graph.Start[v + 1]; a++)
            {
                int i = position[graph.Adjacent[a]];
                if (i > k) continue;
                for (; mark[i] != k; i = parent[i]) { mark[i] = k; weight[i] += w; }
            }
        }
        return weight;
    }

    /// <summary>Cost model of one supernode in cycles; only differences matter (they decide whether two supernodes become one).</summary>
    private static double Cost(double w, double m, bool batched)
    {
        double work = w * m * m / 2 + w * w * m / 2 + w * w * w / 6;
        return batched
            ? 600 + 40 * w + work + 3.5 * (m * m / 2) + 2 * w * m + w * w
            : 600 + 60 * w + work / 6 + 1.5 * (m * m / 2) + 0.8 * w * m + 0.5 * w * w;
    }

    private const double WidestBatched = 48, WidestSingle = 256;

    private static SymbolicLdl Build(SparsePattern pattern, QuotientGraph graph, int[] order, bool batched)
    {
        int n = graph.Count;
        // Postorder the elimination tree so that subtrees, and with them supernodes, are contiguous.
        var parent = EliminationTree(graph, order);
        order = Reorder(order, Postorder(parent));
        parent = EliminationTree(graph, order);
        var weight = ColumnWeights(graph, order, parent);

        // Maximal supernodes: a column joins its predecessor when their structures agree.
        var of = new int[n];
        var last = new List<int>();
        for (int k = 0; k < n; k++)
        {
            bool joins = k > 0 && parent[k - 1] == k && weight[k - 1] - graph.Weight(order[k - 1]) == weight[k];
            if (!joins) last.Add(k);
            else last[^1] = k;
            of[k] = last.Count - 1;
        }
        int count = last.Count;
        var width = new double[count];
        var below = new double[count];
        var columns = new List<int>[count];
        var nodeParent = new int[count];
        for (int s = 0; s < count; s++) columns[s] = [];
        for (int k = 0; k < n; k++)
        {
            columns[of[k]].Add(k);
            width[of[k]] += graph.Weight(order[k]);
        }
        for (int s = 0; s < count; s++)
        {
            below[s] = weight[last[s]] - graph.Weight(order[last[s]]);
            nodeParent[s] = parent[last[s]] < 0 ? -1 : of[parent[last[s]]];
        }

        // Relaxation: parents come after children, so one pass that tries each child's merge into its parent, best first, suffices.
        var gone = new bool[count];
        var children = new List<int>[count];
        for (int s = 0; s < count; s++) children[s] = [];
        for (int s = 0; s < count; s++) if (nodeParent[s] >= 0) children[nodeParent[s]].Add(s);
        for (int p = 0; p < count; p++)
        {
            while (true)
            {
                int bestChild = -1;
                double bestGain = 0;
                foreach (int c in children[p])
                {
                    double gain = Cost(width[c], below[c], batched) + Cost(width[p], below[p], batched)
                        - Cost(width[c] + width[p], below[p], batched);
                    if (gain > bestGain) (bestChild, bestGain) = (c, gain);
                }
                if (bestChild < 0) break;
                columns[bestChild].AddRange(columns[p]);
                columns[p] = columns[bestChild];
                width[p] += width[bestChild];
                gone[bestChild] = true;
                children[p].Remove(bestChild);
                children[p].AddRange(children[bestChild]);
            }
        }
        for (int s = 0; s < count; s++)
            if (!gone[s])
                foreach (int c in children[s]) nodeParent[c] = s;

        // Final numbering: postorder of the merged tree.
        var tree = new int[count];
        for (int s = 0; s < count; s++) tree[s] = gone[s] ? -2 : nodeParent[s];
        var sequence = Postorder(tree);
        var vertices = new int[n];
        var firstVertex = new List<int> { 0 };
        int at = 0;
        foreach (int s in sequence)
        {
            // Wide supernodes are cut into chunks that the caches hold; the chunks' row structures come out of the general rule below.
            int chunks = (int)Math.Ceiling(width[s] / (batched ? WidestBatched : WidestSingle));
            double target = width[s] / chunks, filled = 0;
            foreach (int k in columns[s])
            {
                if (filled >= target - 1e-9)
                {
                    firstVertex.Add(at);
                    filled -= target;
                }
                filled += graph.Weight(order[k]);
                vertices[at++] = order[k];
            }
            firstVertex.Add(at);
        }
        count = firstVertex.Count - 1;

        var permutation = Ordering.Expand(graph, vertices);
        var position = new int[n];
        var unknown = new int[n + 1];
        for (int k = 0; k < n; k++) { position[vertices[k]] = k; unknown[k + 1] = unknown[k] + graph.Weight(vertices[k]); }
        var first = new int[count + 1];
        for (int s = 0; s <= count; s++) first[s] = unknown[firstVertex[s]];

        // Row structures bottom-up: own neighbours and what the children pass on.
        var supernodeOf = new int[n];
        for (int s = 0; s < count; s++) for (int k = firstVertex[s]; k < firstVertex[s + 1]; k++) supernodeOf[k] = s;
        var mark = new int[n];
        Array.Fill(mark, -1);
        var structure = new int[count][];
        var firstChild = new int[count];
        var nextChild = new int[count];
        Array.Fill(firstChild, -1);
        var gather = new List<int>();
        var rowStart = new int[count + 1];
        var rows = new List<int>();
        for (int s = 0; s < count; s++)
        {
            int end = firstVertex[s + 1];
            gather.Clear();
            for (int k = firstVertex[s]; k < end; k++)
            {
                int v = vertices[k];
                for (int a = graph.Start[v]; a < graph.Start[v + 1]; a++)
                {
                    int r = position[graph.Adjacent[a]];
                    if (r < end || mark[r] == s) continue;
                    mark[r] = s;
                    gather.Add(r);
                }
            }
            for (int c = firstChild[s]; c >= 0; c = nextChild[c])
            {
                foreach (int r in structure[c])
                {
                    if (r < end || mark[r] == s) continue;
                    mark[r] = s;
                    gather.Add(r);
                }
                structure[c] = [];
            }
            gather.Sort();
            structure[s] = [.. gather];
            if (gather.Count > 0)
            {
                int p = supernodeOf[gather[0]];
                nextChild[s] = firstChild[p];
                firstChild[p] = s;
            }
            foreach (int r in gather) for (int u = unknown[r]; u < unknown[r + 1]; u++) rows.Add(u);
            rowStart[s + 1] = rows.Count;
        }
        return new SymbolicLdl(pattern, permutation, first, rowStart, [.. rows]);
    }

    private static int[] Reorder(int[] order, int[] sequence)
    {
        var result = new int[order.Length];
        for (int k = 0; k < result.Length; k++) result[k] = order[sequence[k]];
        return result;
    }

    /// <summary>Postorder of a forest; parent −1 is a root, −2 is not part of it. Children in rising order.</summary>
    private static int[] Postorder(int[] parent)
    {
        int n = parent.Length;
        var head = new int[n];
        var next = new int[n];
        Array.Fill(head, -1);
        for (int i = n - 1; i >= 0; i--)
            if (parent[i] >= 0) { next[i] = head[parent[i]]; head[parent[i]] = i; }
        var result = new List<int>(n);
        var stack = new Stack<int>();
        for (int root = 0; root < n; root++)
        {
            if (parent[root] != -1) continue;
            stack.Push(root);
            while (stack.Count > 0)
            {
                int i = stack.Peek();
                int child = head[i];
                if (child < 0) { result.Add(i); stack.Pop(); }
                else { head[i] = next[child]; stack.Push(child); }
            }
        }
        return [.. result];
    }
}
