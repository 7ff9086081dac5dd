using System.Runtime.CompilerServices;
using MsHpc.Core.Parallel;

namespace MsHpc.Core.Sparse;

/// <summary>A square sparse matrix in compressed rows: a <see cref="SparsePattern"/> and one value per entry.</summary>
/// <remarks>Products add the entries of a row in a fixed order (four interleaved partial sums), rows are shared out to the threads of a
/// <see cref="ThreadTeam"/> whole: the result has the same bits for any number of threads.</remarks>
public sealed unsafe class CsrMatrix : IOperator
{
    private const int RowsPerTask = 2048;
    private readonly ThreadTeam _team;
    private readonly Action<int, int> _body;
    private double* _x, _y;

    /// <param name="pattern">Where entries are.</param>
    /// <param name="values">Values, length pattern.Count; kept, not copied.</param>
    /// <param name="team">Threads for products; null runs on the caller's thread.</param>
    /// <exception cref="ArgumentException">Lengths disagree.</exception>
    public CsrMatrix(SparsePattern pattern, double[] values, ThreadTeam? team = null)
    {
        if (values.Length < pattern.Count)
            throw new ArgumentException($"{values.Length} values for a pattern of {pattern.Count} entries", nameof(values));
        Pattern = pattern;
        Values = values;
        _team = team ?? ThreadTeam.Single;
        _body = (task, _) => Multiply(task * RowsPerTask, Math.Min(Rows, (task + 1) * RowsPerTask));
    }

    /// <summary>A zero matrix over a pattern.</summary>
    public CsrMatrix(SparsePattern pattern, ThreadTeam? team = null) : this(pattern, new double[pattern.Count], team) { }

    /// <summary>Where entries are.</summary>
    public SparsePattern Pattern { get; }

    /// <summary>Value of each entry, in the order of the pattern; may be written between products.</summary>
    public double[] Values { get; }

    /// <inheritdoc/>
    public int Rows => Pattern.Rows;

    /// <summary>A_ii for each row; zero where the pattern has no diagonal entry.</summary>
    public double[] Diagonal()
    {
        var diagonal = new double[Rows];
        for (int i = 0; i < Rows; i++)
            for (int k = Pattern.RowStart[i]; k < Pattern.RowStart[i + 1]; k++)
                if (Pattern.Columns[k] == i) diagonal[i] = Values[k];
        return diagonal;
    }

    /// <summary>‖A‖∞, the largest absolute row sum.</summary>
    public double NormInfinity()
    {
        double norm = 0;
        for (int i = 0; i < Rows; i++)
        {
            double sum = 0;
            for (int k = Pattern.RowStart[i]; k < Pattern.RowStart[i + 1]; k++) sum += Math.Abs(Values[k]);
            norm = Math.Max(norm, sum);
        }
        return norm;
    }

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<double> x, Span<double> y)
    {
        if (x.Length < Rows || y.Length < Rows)
            throw new ArgumentException($"product of {Rows} rows with vectors of {x.Length} and {y.Length}");
        fixed (double* px = x, py = y)
        {
            _x = px;
            _y = py;
            if (_team.Count == 1) Multiply(0, Rows);
            else _team.Run((Rows + RowsPerTask - 1) / RowsPerTask, _body);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Multiply(int from, int to)
    {
        double* x = _x, y = _y;
        fixed (double* v = Values)
        fixed (int* c = Pattern.Columns, start = Pattern.RowStart)
            for (int i = from; i < to; i++)
            {
                int k = start[i], end = start[i + 1];
                double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
                for (; k + 4 <= end; k += 4)
                {
                    s0 = Math.FusedMultiplyAdd(v[k], x[c[k]], s0);
                    s1 = Math.FusedMultiplyAdd(v[k + 1], x[c[k + 1]], s1);
                    s2 = Math.FusedMultiplyAdd(v[k + 2], x[c[k + 2]], s2);
                    s3 = Math.FusedMultiplyAdd(v[k + 3], x[c[k + 3]], s3);
                }
                for (; k < end; k++) s0 = Math.FusedMultiplyAdd(v[k], x[c[k]], s0);
                y[i] = (s0 + s1) + (s2 + s3);
            }
    }
}
