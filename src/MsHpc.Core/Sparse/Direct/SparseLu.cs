using System.Runtime.CompilerServices;

namespace MsHpc.Core.Sparse;

/// <summary>Result of <see cref="SparseLu.Factor"/>.</summary>
/// <param name="Outcome">How it ended; <see cref="LdlOutcome.NotPositive"/> does not occur.</param>
/// <param name="Unknown">Original number of the column without a usable pivot; −1 when all went well.</param>
/// <param name="Pivot">Largest candidate in that column.</param>
public readonly record struct LuStatus(LdlOutcome Outcome, int Unknown, double Pivot)
{
    /// <summary>Whether the factors can be used.</summary>
    public bool IsOk => Outcome == LdlOutcome.Ok;

    /// <summary>One sentence for a log or an error.</summary>
    public override string ToString() => Outcome switch
    {
        LdlOutcome.Ok => "regular",
        LdlOutcome.Singular => $"singular at unknown {Unknown} (largest pivot candidate {Pivot:g3})",
        _ => $"column of unknown {Unknown} holds a number that is not finite",
    };
}

/// <summary>
/// Factors P A Q = L U of a matrix without symmetry of values on a symmetric pattern: left-looking sparse elimination with a depth-first
/// search per column (Gilbert, Peierls, SIAM J. Sci. Stat. Comput. 9 (1988) 862) and threshold partial pivoting that prefers the diagonal.
/// Q is a fill-reducing ordering of the pattern, found once.
/// </summary>
/// <remarks>Memory grows with the fill that pivoting makes and is kept, so later factorisations of similar values allocate nothing. Not
/// thread-safe.</remarks>
public sealed unsafe class SparseLu
{
    private readonly SparsePattern _pattern;
    private readonly int[] _column, _columnPosition, _mirror, _rowPosition, _pivotRow, _mark, _stack, _next, _topological;
    private readonly int[] _lowerStart, _upperStart;
    private readonly double[] _x, _y, _pivot, _size;
    private readonly double _threshold;
    private int[] _lowerRow, _upperRow;
    private double[] _lower, _upper;

    /// <summary>Orders a pattern.</summary>
    /// <param name="pattern">Full symmetric pattern.</param>
    /// <param name="nodeOf">Node of each unknown, −1 for none; empty when unknown.</param>
    /// <param name="coordinates">Node coordinates; empty when unknown.</param>
    /// <param name="dimension">Coordinates per node.</param>
    /// <param name="threshold">The diagonal is the pivot when it is at least this fraction of the column's largest candidate; 1 is plain
    /// partial pivoting.</param>
    /// <exception cref="ArgumentException">The pattern is not symmetric or lacks a diagonal entry.</exception>
    public SparseLu(SparsePattern pattern, ReadOnlySpan<int> nodeOf = default, ReadOnlySpan<double> coordinates = default, int dimension = 0,
        double threshold = 0.1)
    {
        _pattern = pattern;
        _threshold = threshold;
        var symbolic = SymbolicLdl.Analyze(pattern, nodeOf, coordinates, dimension);
        int n = pattern.Rows;
        _column = symbolic.Perm;
        _columnPosition = symbolic.Inverse;
        _size = new double[n];
        _mirror = new int[pattern.Count];
        var at = pattern.RowStart.AsSpan(0, n).ToArray();
        for (int i = 0; i < n; i++)
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++) _mirror[at[pattern.Columns[k]]++] = k;
        _rowPosition = new int[n];
        _pivotRow = new int[n];
        _mark = new int[n];
        _stack = new int[n];
        _next = new int[n];
        _topological = new int[n];
        _lowerStart = new int[n + 1];
        _upperStart = new int[n + 1];
        _x = new double[n];
        _y = new double[n];
        _pivot = new double[n];
        int guess = (int)Math.Min(symbolic.FactorNonzeros + (symbolic.FactorNonzeros / 4) + n, Array.MaxLength);
        _lowerRow = new int[guess];
        _lower = new double[guess];
        _upperRow = new int[guess];
        _upper = new double[guess];
    }

    /// <summary>Number of unknowns.</summary>
    public int Rows => _column.Length;

    /// <summary>Entries of L and U of the last factorisation, diagonals included.</summary>
    public long FactorNonzeros => (long)_lowerStart[Rows] + _upperStart[Rows] + 2L * Rows;

    /// <summary>
    /// Factors a matrix. A column fails when its largest pivot candidate is not finite or no larger than rounding: at most 8 ε times the
    /// column's largest entry, or |u_kk| ≤ 8 ε |w|ᵀ |A| |v| with w = L⁻ᵀ e_k and U v = u_kk e_k, the uncertainty of u_kk = wᵀ A v (found, at
    /// the price of a solve, for pivots that look suspicious).
    /// </summary>
    /// <param name="values">One per pattern entry.</param>
    /// <exception cref="ArgumentException">Wrong number of values.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public LuStatus Factor(ReadOnlySpan<double> values)
    {
        if (values.Length != _pattern.Count) throw new ArgumentException($"{values.Length} values for {_pattern.Count} pattern entries", nameof(values));
        int n = Rows;
        Array.Fill(_rowPosition, -1);
        Array.Fill(_mark, -1);
        Array.Clear(_x);
        var columns = _pattern.Columns;
        int lowerEnd = 0, upperEnd = 0;
        double greatest = 0;
        for (int k = 0; k < n; k++)
        {
            int column = _column[k];
            int begin = _pattern.RowStart[column], end = _pattern.RowStart[column + 1];
            // Rows reached from the column through L, in topological order at the end of _topological.
            int top = n;
            for (int p = begin; p < end; p++)
                if (_mark[columns[p]] != k) top = Reach(columns[p], k, top);
            double size = 0;
            for (int p = begin; p < end; p++)
            {
                double v = values[_mirror[p]];
                _x[columns[p]] = v;
                size = Math.Max(size, Math.Abs(v));
            }
            Reserve(lowerEnd, upperEnd, n);
            fixed (double* x = _x, lower = _lower)
            fixed (int* row = _lowerRow)
            {
                for (int t = top; t < n; t++)
                {
                    int i = _topological[t];
                    int j = _rowPosition[i];
                    double v = x[i];
                    if (j < 0) continue;
                    _upperRow[upperEnd] = j;
                    _upper[upperEnd++] = v;
                    int stop = _lowerStart[j + 1];
                    for (int p = _lowerStart[j]; p < stop; p++) x[row[p]] = Math.FusedMultiplyAdd(-lower[p], v, x[row[p]]);
                }
            }
            double largest = -1;
            int pivotRow = -1;
            for (int t = top; t < n; t++)
            {
                int i = _topological[t];
                if (_rowPosition[i] >= 0) continue;
                double a = Math.Abs(_x[i]);
                if (!double.IsFinite(a)) return new LuStatus(LdlOutcome.NotANumber, column, a);
                if (a > largest) { largest = a; pivotRow = i; }
            }
            if (!(largest > SymbolicLdl.LostPivot * size)) return new LuStatus(double.IsFinite(size) ? LdlOutcome.Singular : LdlOutcome.NotANumber, column, Math.Max(largest, 0));
            if (_rowPosition[column] < 0 && _mark[column] == k && Math.Abs(_x[column]) >= _threshold * largest) pivotRow = column;
            double pivot = _x[pivotRow];
            _rowPosition[pivotRow] = k;
            _pivotRow[k] = pivotRow;
            _pivot[k] = pivot;
            _size[k] = size;
            greatest = Math.Max(greatest, size);
            for (int t = top; t < n; t++)
            {
                int i = _topological[t];
                if (_rowPosition[i] < 0)
                {
                    _lowerRow[lowerEnd] = i;
                    _lower[lowerEnd++] = _x[i] / pivot;
                }
                _x[i] = 0;
            }
            _lowerStart[k + 1] = lowerEnd;
            _upperStart[k + 1] = upperEnd;
        }
        for (int p = 0; p < lowerEnd; p++) _lowerRow[p] = _rowPosition[_lowerRow[p]];
        double global = SymbolicLdl.SuspiciousGlobally(n) * greatest;
        int checks = 0;
        for (int k = 0; k < n && checks < 32; k++)
        {
            double pivot = Math.Abs(_pivot[k]);
            if (pivot > global || pivot > SymbolicLdl.SuspiciousPivot * _size[k]) continue;
            checks++;
            if (pivot <= Noise(k, values)) return new LuStatus(LdlOutcome.Singular, _column[k], pivot);
        }
        return new LuStatus(LdlOutcome.Ok, -1, 0);
    }

    /// <summary>8 ε |w|ᵀ |A| |v| of pivot k.</summary>
    private double Noise(int k, ReadOnlySpan<double> values)
    {
        Array.Clear(_x);
        Array.Clear(_y);
        _y[k] = 1;
        _x[k] = 1;
        for (int j = k; j >= 0; j--)
        {
            if (j < k) _y[j] /= _pivot[j];
            double v = _y[j];
            for (int p = _upperStart[j]; p < _upperStart[j + 1]; p++) _y[_upperRow[p]] -= _upper[p] * v;
            double w = _x[j];
            for (int p = _lowerStart[j]; p < _lowerStart[j + 1]; p++) w -= _lower[p] * _x[_lowerRow[p]];
            _x[j] = w;
        }
        double sum = 0;
        for (int i = 0; i < Rows; i++)
        {
            double row = 0;
            for (int p = _pattern.RowStart[i]; p < _pattern.RowStart[i + 1]; p++)
                row += Math.Abs(values[p] * _y[_columnPosition[_pattern.Columns[p]]]);
            sum += row * Math.Abs(_x[_rowPosition[i]]);
        }
        return SymbolicLdl.PivotNoise * sum;
    }

    /// <summary>Depth-first search from a row through the columns of L; writes what it leaves in front of <paramref name="top"/>.</summary>
    private int Reach(int start, int k, int top)
    {
        int head = 0;
        _stack[0] = start;
        _mark[start] = k;
        int position = _rowPosition[start];
        _next[0] = position < 0 ? 0 : _lowerStart[position];
        while (head >= 0)
        {
            int i = _stack[head];
            position = _rowPosition[i];
            bool descended = false;
            if (position >= 0)
            {
                int stop = _lowerStart[position + 1];
                for (int p = _next[head]; p < stop; p++)
                {
                    int r = _lowerRow[p];
                    if (_mark[r] == k) continue;
                    _mark[r] = k;
                    _next[head] = p + 1;
                    _stack[++head] = r;
                    int q = _rowPosition[r];
                    _next[head] = q < 0 ? 0 : _lowerStart[q];
                    descended = true;
                    break;
                }
            }
            if (descended) continue;
            head--;
            _topological[--top] = i;
        }
        return top;
    }

    private void Reserve(int lowerEnd, int upperEnd, int n)
    {
        if (lowerEnd + n > _lowerRow.Length)
        {
            int size = Grow(_lowerRow.Length, n);
            Array.Resize(ref _lowerRow, size);
            Array.Resize(ref _lower, size);
        }
        if (upperEnd + n > _upperRow.Length)
        {
            int size = Grow(_upperRow.Length, n);
            Array.Resize(ref _upperRow, size);
            Array.Resize(ref _upper, size);
        }
    }

    private static int Grow(int length, int n)
    {
        long size = Math.Min(Math.Max((long)length + n, (long)length * 3 / 2), Array.MaxLength);
        return size >= (long)length + n ? (int)size : throw new NumericalException("the LU factors have more than 2³¹ entries: use an iterative solver");
    }

    /// <summary>Solves A x = b in place.</summary>
    /// <param name="x">b in, x out; length Rows.</param>
    /// <exception cref="ArgumentException">The length of x does not match.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Solve(Span<double> x)
    {
        int n = Rows;
        if (x.Length != n) throw new ArgumentException($"x has {x.Length} entries for {n} unknowns", nameof(x));
        fixed (double* y = _y, lower = _lower, upper = _upper)
        fixed (int* lowerRow = _lowerRow, upperRow = _upperRow)
        {
            for (int k = 0; k < n; k++) y[k] = x[_pivotRow[k]];
            for (int k = 0; k < n; k++)
            {
                double v = y[k];
                for (int p = _lowerStart[k]; p < _lowerStart[k + 1]; p++) y[lowerRow[p]] = Math.FusedMultiplyAdd(-lower[p], v, y[lowerRow[p]]);
            }
            for (int k = n - 1; k >= 0; k--)
            {
                double v = y[k] /= _pivot[k];
                for (int p = _upperStart[k]; p < _upperStart[k + 1]; p++) y[upperRow[p]] = Math.FusedMultiplyAdd(-upper[p], v, y[upperRow[p]]);
            }
            for (int k = 0; k < n; k++) x[_column[k]] = y[k];
        }
    }
}
