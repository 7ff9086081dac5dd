using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Assembly;

/// <summary>
/// The unknowns of a model when some displacement components are prescribed: their numbering, the pattern of their matrix and the places
/// where elements add to it. Unknowns are numbered node by node, so a node's free components are consecutive; prescribed ones are eliminated.
/// </summary>
public sealed class FeSystem
{
    private readonly bool[]? _tied;
    private readonly bool _isBlocked;

    /// <summary>Numbers the unknowns. Collective.</summary>
    /// <param name="model">The model.</param>
    /// <param name="constrained">Which local components are prescribed, one per local unknown of the model (node·dim + component), ghosts
    /// included and the same as at their owners.</param>
    /// <param name="master">Node whose unknowns each local node shares (itself where it is not tied, and masters are not tied further);
    /// empty: no ties. Ties need a model on one rank.</param>
    public FeSystem(FeModel model, ReadOnlySpan<bool> constrained, ReadOnlySpan<int> master = default)
    {
        Model = model;
        int dim = model.Dimension, count = model.Unknowns;
        if (constrained.Length != count) throw new ArgumentException($"expected {count} flags, got {constrained.Length}", nameof(constrained));
        bool tied = !master.IsEmpty;
        if (tied) model.Tie(master);
        if (tied && model.Comm.Size > 1) throw new ArgumentException("ties need a model on one rank", nameof(master));
        Equation = new int[count];
        int next = 0, eliminated = 0;
        var freeOf = new int[model.Nodes];
        for (int k = 0; k < count; k++)
        {
            if (tied && master[k / dim] != k / dim) { eliminated++; continue; }
            if (constrained[k]) { Equation[k] = -1; eliminated++; }
            else
            {
                Equation[k] = next++;
                freeOf[k / dim]++;
            }
            if (k + 1 == model.OwnedNodes * dim) Owned = next;
        }
        Unknowns = next;
        if (tied)
        {
            Owned = next;
            _tied = new bool[model.Nodes];
            for (int a = 0; a < model.Nodes; a++) _tied[a] = master[a] != a;
            for (int k = 0; k < count; k++) Equation[k] = Equation[master[k / dim] * dim + k % dim];
        }

        // A node's rows all have the same columns: the free components of its neighbours (of all nodes tied to it), in order.
        var graph = model.Graph;
        var coarse = tied ? Merge(graph, master) : graph;
        ColumnOffset = new int[graph.Count];
        var rowStart = new int[Unknowns + 1];
        var coarseOffset = tied ? new int[coarse.Count] : ColumnOffset;
        for (int node = 0; node < model.Nodes; node++)
        {
            if (tied && master[node] != node) continue;
            int width = 0;
            for (int k = coarse.RowStart[node]; k < coarse.RowStart[node + 1]; k++)
            {
                coarseOffset[k] = width;
                width += freeOf[coarse.Columns[k]];
            }
            for (int i = 0; i < dim; i++)
                if (Equation[node * dim + i] is int row and >= 0) rowStart[row + 1] = rowStart[row] + width;
        }
        if (tied)
            for (int node = 0; node < model.Nodes; node++)
                for (int k = graph.RowStart[node]; k < graph.RowStart[node + 1]; k++)
                    ColumnOffset[k] = coarseOffset[coarse.Find(master[node], master[graph.Columns[k]])];
        var columns = new int[rowStart[Unknowns]];
        for (int node = 0; node < model.Nodes; node++)
        {
            if (tied && master[node] != node) continue;
            for (int i = 0; i < dim; i++)
            {
                int row = Equation[node * dim + i];
                if (row < 0) continue;
                int at = rowStart[row];
                for (int k = coarse.RowStart[node]; k < coarse.RowStart[node + 1]; k++)
                    for (int j = 0; j < dim; j++)
                        if (Equation[coarse.Columns[k] * dim + j] is int column and >= 0) columns[at++] = column;
            }
        }
        Pattern = new SparsePattern(Unknowns, rowStart, columns);
        Values = new double[columns.Length];
        IsComplete = model.Comm.AllOk(eliminated == 0);
        _isBlocked = model.Comm.AllOk(Array.TrueForAll(freeOf, f => f == 0 || f == dim));
    }

    /// <summary>The nodal graph with tied nodes merged into their masters; rows of tied nodes keep only their diagonal.</summary>
    private static SparsePattern Merge(SparsePattern graph, ReadOnlySpan<int> master)
    {
        var groups = new List<int>[graph.Rows];
        for (int a = 0; a < graph.Rows; a++)
        {
            ref var row = ref groups[master[a]];
            row ??= [];
            for (int k = graph.RowStart[a]; k < graph.RowStart[a + 1]; k++) row.Add(master[graph.Columns[k]]);
        }
        var rowStart = new int[graph.Rows + 1];
        var columns = new List<int>(graph.Count);
        for (int a = 0; a < graph.Rows; a++)
        {
            if (groups[a] is { } row)
            {
                row.Sort();
                for (int k = 0; k < row.Count; k++)
                    if (k == 0 || row[k] != row[k - 1]) columns.Add(row[k]);
            }
            else columns.Add(a);
            rowStart[a + 1] = columns.Count;
        }
        return new SparsePattern(graph.Rows, rowStart, [.. columns]);
    }

    /// <summary>The model.</summary>
    public FeModel Model { get; }

    /// <summary>Local unknown of each local component; −1 where it is prescribed.</summary>
    public int[] Equation { get; }

    /// <summary>Local unknowns: owned first, then those of ghosts.</summary>
    public int Unknowns { get; }

    /// <summary>Unknowns that this rank owns.</summary>
    public int Owned { get; }

    /// <summary>Pattern over local unknowns.</summary>
    public SparsePattern Pattern { get; }

    /// <summary>Values of the matrix, one per entry of the pattern; <see cref="FeModel.Assemble"/> writes them.</summary>
    public double[] Values { get; }

    /// <summary>Whether nothing is prescribed on any rank.</summary>
    public bool IsComplete { get; }

    /// <summary>Position of the first free component of each entry of the nodal graph within its row.</summary>
    internal int[] ColumnOffset { get; }

    /// <summary>The description that linear solvers want. Collective.</summary>
    /// <param name="kind">What is known of the matrix.</param>
    public LinearSystem ToLinearSystem(MatrixKind kind)
    {
        var model = Model;
        int dim = model.Dimension;
        var (counts, _) = model.Comm.AllGather<long>([Owned]);
        long first = 0;
        for (int r = 0; r < model.Comm.Rank; r++) first += counts[r];
        // Ghosts learn their numbers from their owners; numbers below 2^53 travel exactly as doubles.
        var numbers = new double[model.Unknowns];
        for (int k = 0; k < model.OwnedNodes * dim; k++) numbers[k] = Equation[k] < 0 ? -1 : first + Equation[k];
        model.UpdateGhosts(numbers);
        var localToGlobal = new long[Unknowns];
        var nodeOf = new int[Unknowns];
        var componentOf = new byte[Unknowns];
        for (int k = 0; k < Equation.Length; k++)
        {
            int row = Equation[k];
            if (row < 0 || _tied is not null && _tied[k / dim]) continue;
            localToGlobal[row] = (long)numbers[k];
            nodeOf[row] = k / dim;
            componentOf[row] = (byte)(k % dim);
        }
        return new LinearSystem(model.Comm, kind, Pattern, Owned, localToGlobal, _isBlocked ? dim : 1, nodeOf, componentOf, model.Coordinates, dim);
    }

    /// <summary>Adds scale·m to the values, m being a nodal matrix that acts on each displacement component alike (a mass matrix).</summary>
    /// <param name="nodal">One number per entry of <see cref="FeModel.Graph"/>.</param>
    /// <param name="scale">Factor.</param>
    public void AddNodal(ReadOnlySpan<double> nodal, double scale)
    {
        var graph = Model.Graph;
        int dim = Model.Dimension;
        for (int a = 0; a < Model.Nodes; a++)
            for (int k = graph.RowStart[a]; k < graph.RowStart[a + 1]; k++)
            {
                int b = graph.Columns[k], free = 0;
                for (int i = 0; i < dim; i++)
                {
                    if (Equation[b * dim + i] < 0) continue;
                    int row = Equation[a * dim + i];
                    if (row >= 0) Values[Pattern.RowStart[row] + ColumnOffset[k] + free] += scale * nodal[k];
                    free++;
                }
            }
    }

    /// <summary>Picks the owned unknowns out of a local nodal field.</summary>
    public void Gather(ReadOnlySpan<double> field, Span<double> unknowns)
    {
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
            if (Equation[k] is int row and >= 0) unknowns[row] = field[k];
    }

    /// <summary>Adds scale·unknowns to a local nodal field at the owned free components.</summary>
    public void AddTo(ReadOnlySpan<double> unknowns, double scale, Span<double> field)
    {
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
            if (Equation[k] is int row and >= 0) field[k] += scale * unknowns[row];
    }

    /// <summary>y += scale·A x over local unknowns, with this rank's part of the matrix.</summary>
    internal void Multiply(ReadOnlySpan<double> values, ReadOnlySpan<double> x, double scale, Span<double> y)
    {
        for (int r = 0; r < Unknowns; r++)
        {
            double sum = 0;
            for (int k = Pattern.RowStart[r]; k < Pattern.RowStart[r + 1]; k++) sum += values[k] * x[Pattern.Columns[k]];
            y[r] += scale * sum;
        }
    }

    /// <summary>Norm over owned free components of all ranks. Collective.</summary>
    internal double FreeNorm(double[] field)
    {
        double sum = 0;
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++) if (Equation[k] >= 0) sum += field[k] * field[k];
        return Math.Sqrt(Model.Comm.AllReduceSum(sum));
    }

    /// <summary>Norm over owned prescribed components of all ranks. Collective.</summary>
    internal double PrescribedNorm(double[] field)
    {
        double sum = 0;
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++) if (Equation[k] < 0) sum += field[k] * field[k];
        return Math.Sqrt(Model.Comm.AllReduceSum(sum));
    }
}
