using System.Runtime.CompilerServices;

namespace MsHpc.Core.Sparse;

/// <summary>Diagonal scaling, z_i = r_i / |a_ii|; rows with a zero diagonal are scaled by their largest entry, so that saddle points work.</summary>
public sealed class JacobiPreconditioner : IPreconditioner
{
    private readonly double[] _inverse;

    /// <param name="a">The matrix.</param>
    /// <param name="signed">Keep the sign of the diagonal (for GMRES); CG and MINRES need the absolute value.</param>
    public JacobiPreconditioner(CsrMatrix a, bool signed = false)
    {
        _inverse = new double[a.Rows];
        var pattern = a.Pattern;
        for (int i = 0; i < a.Rows; i++)
        {
            double diagonal = 0, largest = 0;
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
            {
                if (pattern.Columns[k] == i) diagonal = a.Values[k];
                largest = Math.Max(largest, Math.Abs(a.Values[k]));
            }
            double scale = Math.Abs(diagonal) > 1e-12 * largest ? signed ? diagonal : Math.Abs(diagonal) : largest;
            _inverse[i] = scale == 0 ? 1 : 1 / scale;
        }
    }

    /// <inheritdoc/>
    public string Description => "Jacobi";

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<double> r, Span<double> z)
    {
        for (int i = 0; i < _inverse.Length; i++) z[i] = r[i] * _inverse[i];
    }
}

/// <summary>Inverts the diagonal block of each node: z_i = A_ii⁻¹ r_i. Symmetric positive definite matrices only.</summary>
public sealed class BlockJacobiPreconditioner : IPreconditioner
{
    private readonly BlockNumbering _numbering;
    private readonly double[] _inverse, _r, _z;
    private readonly int _block;

    /// <param name="a">The matrix, with its values.</param>
    /// <exception cref="NumericalException">A diagonal block is not positive definite.</exception>
    public BlockJacobiPreconditioner(BlockCsrMatrix a)
    {
        _numbering = a.Numbering;
        _block = a.Raw.Block;
        _inverse = new double[(long)a.Raw.Nodes * _block * _block + BlockCsr.Pad];
        _r = new double[a.Raw.Size];
        _z = new double[a.Raw.Size];
        int bad = a.Raw.InvertDiagonal(_inverse);
        if (bad >= 0) throw new NumericalException($"matrix is not positive definite: diagonal block at unknown {_numbering.Unknown[bad]}");
    }

    /// <inheritdoc/>
    public string Description => $"block Jacobi ({_block} × {_block})";

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<double> r, Span<double> z)
    {
        _numbering.Scatter(r, _r);
        BlockCsr.ApplyBlocks(_numbering.Nodes, _block, _inverse, _r, _z, 1);
        _numbering.Gather(_z, z);
    }
}

/// <summary>
/// Incomplete LU factorisation without fill, A ≈ L U on the pattern of A (Saad, Iterative Methods for Sparse Linear Systems, alg. 10.4).
/// </summary>
public sealed class Ilu0Preconditioner : IPreconditioner
{
    private readonly SparsePattern _pattern;
    private readonly double[] _lu, _inverse;
    private readonly int[] _diagonal;

    /// <param name="a">The matrix; its pattern holds the diagonal and rising columns.</param>
    /// <exception cref="NumericalException">A pivot vanishes.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Ilu0Preconditioner(CsrMatrix a)
    {
        _pattern = a.Pattern;
        int n = a.Rows;
        int[] start = _pattern.RowStart, columns = _pattern.Columns;
        _lu = a.Values.AsSpan(0, _pattern.Count).ToArray();
        _inverse = new double[n];
        _diagonal = new int[n];
        var where = new int[n];
        Array.Fill(where, -1);
        for (int i = 0; i < n; i++)
        {
            double largest = 0;
            for (int k = start[i]; k < start[i + 1]; k++)
            {
                where[columns[k]] = k;
                largest = Math.Max(largest, Math.Abs(_lu[k]));
                if (columns[k] == i) _diagonal[i] = k;
            }
            for (int k = start[i]; k < _diagonal[i]; k++)
            {
                int c = columns[k];
                double factor = _lu[k] *= _inverse[c];
                for (int j = _diagonal[c] + 1; j < start[c + 1]; j++)
                {
                    int at = where[columns[j]];
                    if (at >= 0) _lu[at] -= factor * _lu[j];
                }
            }
            double pivot = _lu[_diagonal[i]];
            if (!(Math.Abs(pivot) > 1e-14 * largest))
                throw new NumericalException($"ILU(0): zero pivot at unknown {i}; the matrix may be singular");
            _inverse[i] = 1 / pivot;
            for (int k = start[i]; k < start[i + 1]; k++) where[columns[k]] = -1;
        }
    }

    /// <inheritdoc/>
    public string Description => "ILU(0)";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Apply(ReadOnlySpan<double> r, Span<double> z)
    {
        int[] start = _pattern.RowStart, columns = _pattern.Columns;
        for (int i = 0; i < _inverse.Length; i++)
        {
            double s = r[i];
            for (int k = start[i]; k < _diagonal[i]; k++) s -= _lu[k] * z[columns[k]];
            z[i] = s;
        }
        for (int i = _inverse.Length - 1; i >= 0; i--)
        {
            double s = z[i];
            for (int k = _diagonal[i] + 1; k < start[i + 1]; k++) s -= _lu[k] * z[columns[k]];
            z[i] = s * _inverse[i];
        }
    }
}

/// <summary>
/// Incomplete Cholesky factorisation without fill, A + α diag(A) ≈ L Lᵀ on the lower pattern of A (Meijerink and van der Vorst, Math. Comp.
/// 31, 148 (1977)); α starts at 0 and grows until no pivot fails (Manteuffel, Math. Comp. 34, 473 (1980)).
/// </summary>
public sealed class Ic0Preconditioner : IPreconditioner
{
    private readonly int[] _start, _columns;
    private readonly double[] _l;
    private readonly int _n;

    /// <param name="a">Symmetric; both triangles stored.</param>
    /// <exception cref="NumericalException">A diagonal entry is not positive, or even a shift of 100 % does not help.</exception>
    public Ic0Preconditioner(CsrMatrix a)
    {
        _n = a.Rows;
        int[] start = a.Pattern.RowStart, columns = a.Pattern.Columns;
        _start = new int[_n + 1];
        for (int i = 0; i < _n; i++)
        {
            int lower = 0;
            for (int k = start[i]; k < start[i + 1]; k++) if (columns[k] <= i) lower++;
            _start[i + 1] = _start[i] + lower;
        }
        _columns = new int[_start[_n]];
        var values = new double[_start[_n]];
        for (int i = 0, at = 0; i < _n; i++)
            for (int k = start[i]; k < start[i + 1]; k++)
                if (columns[k] <= i)
                {
                    _columns[at] = columns[k];
                    values[at++] = a.Values[k];
                }
        for (int i = 0; i < _n; i++)
            if (!(values[_start[i + 1] - 1] > 0) || _columns[_start[i + 1] - 1] != i)
                throw new NumericalException($"matrix is not positive definite: diagonal {values[_start[i + 1] - 1]:g3} at unknown {i}");
        _l = new double[values.Length];
        for (double shift = 0; ; shift = shift == 0 ? 1e-3 : 2 * shift)
        {
            if (shift > 1.1) throw new NumericalException("IC(0) breaks down even with a shift of 100 % of the diagonal; the matrix may be indefinite");
            if (!Factor(values, shift)) continue;
            Shift = shift;
            return;
        }
    }

    /// <summary>α, the share of the diagonal that was added.</summary>
    public double Shift { get; }

    /// <inheritdoc/>
    public string Description => Shift == 0 ? "IC(0)" : $"IC(0) with shift {Shift:g2}";

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Apply(ReadOnlySpan<double> r, Span<double> z)
    {
        for (int i = 0; i < _n; i++)
        {
            double s = r[i];
            int end = _start[i + 1] - 1;
            for (int k = _start[i]; k < end; k++) s -= _l[k] * z[_columns[k]];
            z[i] = s / _l[end];
        }
        for (int i = _n - 1; i >= 0; i--)
        {
            int end = _start[i + 1] - 1;
            double s = z[i] /= _l[end];
            for (int k = _start[i]; k < end; k++) z[_columns[k]] -= _l[k] * s;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool Factor(double[] values, double shift)
    {
        for (int i = 0; i < _n; i++)
        {
            int end = _start[i + 1] - 1;
            for (int k = _start[i]; k <= end; k++)
            {
                int c = _columns[k], p = _start[i], q = _start[c], last = _start[c + 1] - 1;
                double s = values[k];
                if (c == i) s *= 1 + shift;
                // Two rising rows of L, merged: Σ_j l_ij l_cj over j < c.
                while (p < k && q < last)
                {
                    int left = _columns[p], right = _columns[q];
                    if (left == right) s -= _l[p++] * _l[q++];
                    else if (left < right) p++;
                    else q++;
                }
                if (c < i) _l[k] = s / _l[last];
                else if (s > 1e-10 * values[k]) _l[k] = Math.Sqrt(s);
                else return false;
            }
        }
        return true;
    }
}
