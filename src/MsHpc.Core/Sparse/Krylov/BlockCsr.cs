using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Core.Parallel;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Square matrix of dense m × m blocks (1 ≤ m ≤ 8) in compressed block rows, blocks column by column, over padded vectors of
/// Nodes · m entries. The kernels load whole lanes and therefore read, and ignore, up to seven doubles beyond a block; value arrays carry
/// that padding at their end.
/// </summary>
internal sealed unsafe class BlockCsr
{
    /// <summary>Spare doubles at the end of value arrays and coarse vectors.</summary>
    public const int Pad = Lane.Width;

    private const int NodesPerTask = 512;
    private readonly ThreadTeam _team;
    private readonly Action<int, int> _body;
    private Job _job;
    private double* _x, _y, _b, _inverse;
    private double _alpha, _beta;

    private enum Job { Multiply, Residual, Chebyshev }

    public BlockCsr(int nodes, int block, int[] rowStart, int[] columns, ThreadTeam team)
    {
        Nodes = nodes;
        Block = block;
        RowStart = rowStart;
        Columns = columns;
        Values = new double[(long)rowStart[nodes] * block * block + Pad];
        _team = team;
        _body = (task, _) => Work(task * NodesPerTask, Math.Min(Nodes, (task + 1) * NodesPerTask));
    }

    public int Nodes { get; }
    public int Block { get; }
    public int[] RowStart { get; }
    public int[] Columns { get; }
    public double[] Values { get; }
    public int Size => Nodes * Block;
    public int Count => RowStart[Nodes];

    /// <summary>Position of block (row, column); −1 when it is not stored.</summary>
    public int Find(int row, int column)
    {
        int at = Array.BinarySearch(Columns, RowStart[row], RowStart[row + 1] - RowStart[row], column);
        return at < 0 ? -1 : at;
    }

    /// <summary>y = A x.</summary>
    public void Multiply(ReadOnlySpan<double> x, Span<double> y)
    {
        fixed (double* px = x, py = y)
        {
            _job = Job.Multiply;
            _x = px;
            _y = py;
            Run();
        }
    }

    /// <summary>r = b − A x.</summary>
    public void Residual(ReadOnlySpan<double> b, ReadOnlySpan<double> x, Span<double> r)
    {
        fixed (double* px = x, pr = r, pb = b)
        {
            _job = Job.Residual;
            _x = px;
            _y = pr;
            _b = pb;
            Run();
        }
    }

    /// <summary>d = α d + β D⁻¹ (b − A x): one step of a Chebyshev or Jacobi iteration; D⁻¹ by blocks, column by column.</summary>
    public void ChebyshevStep(ReadOnlySpan<double> b, ReadOnlySpan<double> x, Span<double> d, double[] inverse, double alpha, double beta)
    {
        fixed (double* px = x, pd = d, pb = b, pi = inverse)
        {
            _job = Job.Chebyshev;
            _x = px;
            _y = pd;
            _b = pb;
            _inverse = pi;
            (_alpha, _beta) = (alpha, beta);
            Run();
        }
    }

    private void Run()
    {
        if (_team.Count == 1) Work(0, Nodes);
        else _team.Run((Nodes + NodesPerTask - 1) / NodesPerTask, _body);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Work(int from, int to)
    {
        double* t = stackalloc double[2 * Lane.Width];
        double* r = t + Lane.Width;
        double* x = _x, y = _y, b = _b, inverse = _inverse;
        double alpha = _alpha, beta = _beta;
        int m = Block;
        var job = _job;
        fixed (double* v = Values)
        fixed (int* columns = Columns, start = RowStart)
            for (int i = from; i < to; i++)
            {
                Row(m, v, columns, start[i], start[i + 1], x, t);
                double* yi = y + (long)i * m;
                switch (job)
                {
                    case Job.Multiply:
                        for (int a = 0; a < m; a++) yi[a] = t[a];
                        break;
                    case Job.Residual:
                        for (int a = 0; a < m; a++) yi[a] = b[(long)i * m + a] - t[a];
                        break;
                    default:
                        for (int a = 0; a < m; a++) r[a] = b[(long)i * m + a] - t[a];
                        Single(m, inverse + (long)i * m * m, r, t);
                        for (int a = 0; a < m; a++) yi[a] = Math.FusedMultiplyAdd(alpha, yi[a], beta * t[a]);
                        break;
                }
            }
    }

    /// <summary>t = Σ_k A_k x_{columns[k]} over one block row; t has room for eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(int m, double* v, int* columns, int begin, int end, double* x, double* t)
    {
        switch (m)
        {
            case 1:
            {
                double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
                int k = begin;
                for (; k + 4 <= end; k += 4)
                {
                    s0 = Math.FusedMultiplyAdd(v[k], x[columns[k]], s0);
                    s1 = Math.FusedMultiplyAdd(v[k + 1], x[columns[k + 1]], s1);
                    s2 = Math.FusedMultiplyAdd(v[k + 2], x[columns[k + 2]], s2);
                    s3 = Math.FusedMultiplyAdd(v[k + 3], x[columns[k + 3]], s3);
                }
                for (; k < end; k++) s0 = Math.FusedMultiplyAdd(v[k], x[columns[k]], s0);
                t[0] = (s0 + s1) + (s2 + s3);
                break;
            }
            case 2:
            {
                Vector128<double> s0 = default, s1 = default;
                double* a = v + (long)begin * 4;
                for (int k = begin; k < end; k++, a += 4)
                {
                    double* xk = x + (long)columns[k] * 2;
                    s0 = Vector128.FusedMultiplyAdd(Vector128.Load(a), Vector128.Create(xk[0]), s0);
                    s1 = Vector128.FusedMultiplyAdd(Vector128.Load(a + 2), Vector128.Create(xk[1]), s1);
                }
                (s0 + s1).Store(t);
                break;
            }
            case 3:
            {
                Vector256<double> s0 = default, s1 = default, s2 = default;
                double* a = v + (long)begin * 9;
                for (int k = begin; k < end; k++, a += 9)
                {
                    double* xk = x + (long)columns[k] * 3;
                    s0 = Vector256.FusedMultiplyAdd(Vector256.Load(a), Vector256.Create(xk[0]), s0);
                    s1 = Vector256.FusedMultiplyAdd(Vector256.Load(a + 3), Vector256.Create(xk[1]), s1);
                    s2 = Vector256.FusedMultiplyAdd(Vector256.Load(a + 6), Vector256.Create(xk[2]), s2);
                }
                ((s0 + s1) + s2).Store(t);
                break;
            }
            default:
            {
                Lanes s0 = Lanes.Zero, s1 = Lanes.Zero;
                double* a = v + (long)begin * m * m;
                for (int k = begin; k < end; k++)
                {
                    double* xk = x + (long)columns[k] * m;
                    int c = 0;
                    for (; c + 2 <= m; c += 2, a += 2 * m)
                    {
                        s0 = Lane.Fma(Vector512.Load(a), Lane.Of(xk[c]), s0);
                        s1 = Lane.Fma(Vector512.Load(a + m), Lane.Of(xk[c + 1]), s1);
                    }
                    for (; c < m; c++, a += m) s0 = Lane.Fma(Vector512.Load(a), Lane.Of(xk[c]), s0);
                }
                (s0 + s1).Store(t);
                break;
            }
        }
    }

    /// <summary>t = B r for one m × m block, column by column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Single(int m, double* block, double* r, double* t)
    {
        for (int a = 0; a < m; a++) t[a] = block[a] * r[0];
        for (int c = 1; c < m; c++)
            for (int a = 0; a < m; a++)
                t[a] = Math.FusedMultiplyAdd(block[c * m + a], r[c], t[a]);
    }

    /// <summary>z = D⁻¹ r over all nodes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ApplyBlocks(int nodes, int m, double[] inverse, ReadOnlySpan<double> r, Span<double> z, double scale)
    {
        double* t = stackalloc double[Lane.Width];
        fixed (double* pi = inverse, pr = r, pz = z)
            for (int i = 0; i < nodes; i++)
            {
                Single(m, pi + (long)i * m * m, pr + (long)i * m, t);
                double* zi = pz + (long)i * m;
                for (int a = 0; a < m; a++) zi[a] = scale * t[a];
            }
    }

    /// <summary>Inverts the diagonal blocks by Cholesky. Rows whose diagonal is zero and that nothing touches get 1.</summary>
    /// <returns>First slot whose block is not positive definite; −1 when all are.</returns>
    public int InvertDiagonal(double[] inverse)
    {
        int m = Block, bad = -1;
        Span<double> l = stackalloc double[m * m];
        Span<double> column = stackalloc double[m];
        for (int i = 0; i < Nodes; i++)
        {
            int at = Find(i, i);
            Span<double> block = Values.AsSpan(at * m * m, m * m);
            Span<double> output = inverse.AsSpan(i * m * m, m * m);
            int failed = Cholesky(block, l, m);
            if (failed >= 0)
            {
                if (bad < 0) bad = i * m + failed;
                output.Clear();
                for (int a = 0; a < m; a++) output[a * m + a] = block[a * m + a] > 0 ? 1 / block[a * m + a] : 1;
                continue;
            }
            for (int c = 0; c < m; c++)
            {
                column.Clear();
                column[c] = 1;
                for (int a = 0; a < m; a++)
                {
                    double s = column[a];
                    for (int k = 0; k < a; k++) s -= l[a * m + k] * column[k];
                    column[a] = s / l[a * m + a];
                }
                for (int a = m - 1; a >= 0; a--)
                {
                    double s = column[a];
                    for (int k = a + 1; k < m; k++) s -= l[k * m + a] * column[k];
                    column[a] = s / l[a * m + a];
                }
                for (int a = 0; a < m; a++) output[c * m + a] = column[a];
            }
        }
        return bad;
    }

    /// <summary>Row-major L of a small symmetric block; returns the failing row or −1.</summary>
    private static int Cholesky(ReadOnlySpan<double> block, Span<double> l, int m)
    {
        for (int a = 0; a < m; a++)
        {
            for (int c = 0; c <= a; c++)
            {
                double s = block[c * m + a];
                for (int k = 0; k < c; k++) s -= l[a * m + k] * l[c * m + k];
                if (c < a) l[a * m + c] = s / l[c * m + c];
                else if (s > 1e-14 * block[a * m + a]) l[a * m + a] = Math.Sqrt(s);
                else return a;
            }
        }
        return -1;
    }
}

/// <summary>
/// A square sparse matrix stored by node blocks: less index traffic and wider arithmetic than <see cref="CsrMatrix"/>, about 1.5 times as
/// fast for three unknowns per node. Vectors keep the order of the unknowns; empty slots of constrained nodes cost nothing but room.
/// </summary>
public sealed class BlockCsrMatrix : IOperator
{
    private readonly SparsePattern _pattern;
    private readonly double[] _x, _y;

    /// <param name="pattern">Pattern over unknowns.</param>
    /// <param name="numbering">Node blocks; covers all rows of the pattern.</param>
    /// <param name="team">Threads for products; null runs on the caller's thread. The result does not depend on it.</param>
    /// <exception cref="ArgumentException">Numbering and pattern disagree.</exception>
    public BlockCsrMatrix(SparsePattern pattern, BlockNumbering numbering, ThreadTeam? team = null)
    {
        if (numbering.Unknowns != pattern.Rows)
            throw new ArgumentException($"numbering of {numbering.Unknowns} unknowns for a pattern of {pattern.Rows} rows", nameof(numbering));
        _pattern = pattern;
        Numbering = numbering;
        var (start, columns) = Blocks(pattern, numbering);
        Raw = new BlockCsr(numbering.Nodes, numbering.BlockSize, start, columns, team ?? ThreadTeam.Single);
        _x = numbering.IsIdentity ? [] : new double[Raw.Size];
        _y = numbering.IsIdentity ? [] : new double[Raw.Size];
    }

    /// <summary>Unknowns ↔ slots.</summary>
    public BlockNumbering Numbering { get; }

    /// <inheritdoc/>
    public int Rows => _pattern.Rows;

    /// <summary>Number of stored blocks.</summary>
    public int BlockCount => Raw.Count;

    internal BlockCsr Raw { get; }

    /// <summary>Takes new values, one per entry of the pattern. Empty slots get a unit diagonal.</summary>
    /// <exception cref="ArgumentException">Too few values.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void SetValues(ReadOnlySpan<double> values)
    {
        if (values.Length < _pattern.Count) throw new ArgumentException($"{values.Length} values for {_pattern.Count} entries", nameof(values));
        int m = Raw.Block;
        double[] target = Raw.Values;
        int[] node = Numbering.Node, where = new int[Raw.Nodes];
        byte[] component = Numbering.Component;
        Array.Clear(target);
        for (int i = 0; i < Raw.Nodes; i++)
        {
            for (int k = Raw.RowStart[i]; k < Raw.RowStart[i + 1]; k++) where[Raw.Columns[k]] = k * m * m;
            for (int a = 0; a < m; a++)
            {
                int row = Numbering.Unknown[i * m + a];
                if (row < 0)
                {
                    target[where[i] + a * m + a] = 1;
                    continue;
                }
                for (int k = _pattern.RowStart[row]; k < _pattern.RowStart[row + 1]; k++)
                {
                    int column = _pattern.Columns[k];
                    target[where[node[column]] + component[column] * m + a] = values[k];
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<double> x, Span<double> y)
    {
        if (x.Length < Rows || y.Length < Rows)
            throw new ArgumentException($"product of {Rows} rows with vectors of {x.Length} and {y.Length}");
        if (Numbering.IsIdentity)
        {
            Raw.Multiply(x, y);
            return;
        }
        Numbering.Scatter(x, _x);
        Raw.Multiply(_x, _y);
        Numbering.Gather(_y, y);
    }

    private static (int[] Start, int[] Columns) Blocks(SparsePattern pattern, BlockNumbering numbering)
    {
        int m = numbering.BlockSize;
        var marker = new int[numbering.Nodes];
        Array.Fill(marker, -1);
        var start = new int[numbering.Nodes + 1];
        var columns = new List<int>(pattern.Count / (m * m) + numbering.Nodes);
        for (int i = 0; i < numbering.Nodes; i++)
        {
            int begin = columns.Count;
            marker[i] = i;
            columns.Add(i);
            for (int a = 0; a < m; a++)
            {
                int row = numbering.Unknown[i * m + a];
                if (row < 0) continue;
                for (int k = pattern.RowStart[row]; k < pattern.RowStart[row + 1]; k++)
                {
                    int j = numbering.Node[pattern.Columns[k]];
                    if (marker[j] == i) continue;
                    marker[j] = i;
                    columns.Add(j);
                }
            }
            CollectionsMarshal.AsSpan(columns)[begin..].Sort();
            start[i + 1] = columns.Count;
        }
        return (start, columns.ToArray());
    }
}
