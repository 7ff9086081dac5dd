namespace MsHpc.Core;

/// <summary>
/// Matrices of a handful of rows (strain space, one element, macroscopic tangents) on the caller's stack: no allocation, no native call.
/// Row-major or column-major makes a difference only where stated. The operations are + − × ÷ √ in fixed order: the same bits on every
/// machine.
/// </summary>
public static class SmallMatrix
{
    /// <summary>Largest order of <see cref="Solve"/> and <see cref="Invert"/>.</summary>
    public const int MaxOrder = 12;

    /// <summary>Largest order of <see cref="SymmetricEigenvalues"/>.</summary>
    public const int MaxEigenOrder = 9;

    private const double Epsilon = 2.220446049250313e-16; // 2⁻⁵²

    /// <summary>Solves A X = B by Gaussian elimination with partial pivoting, in place.</summary>
    /// <param name="n">Order, 1 … <see cref="MaxOrder"/>.</param>
    /// <param name="a">In: A, n × n, row-major. Destroyed.</param>
    /// <param name="b">In: B, n × columns, row-major (one right-hand side: a plain vector). Out: X; undefined when singular.</param>
    /// <param name="columns">Right-hand sides.</param>
    /// <returns>False when A is singular to working precision: a pivot is zero, not a number, or nothing but the rounding error of the
    /// terms it was computed from, |u_kk| ≤ 4 √n ε Σⱼ |l_kj u_jk|; row and column scaling make no difference to this test.</returns>
    /// <exception cref="ArgumentException">Order out of range or a span too short.</exception>
    public static bool Solve(int n, Span<double> a, Span<double> b, int columns = 1)
    {
        Check(n, MaxOrder, a.Length);
        if (columns < 0 || b.Length < n * columns) throw new ArgumentException($"length {b.Length}, needed {n} × {columns}", nameof(b));
        double threshold = 4 * Math.Sqrt(n) * Epsilon;
        for (int k = 0; k < n; k++)
        {
            int pivotRow = k;
            double largest = Math.Abs(a[k * n + k]);
            for (int i = k + 1; i < n; i++)
                if (Math.Abs(a[i * n + k]) is var candidate && candidate > largest) (largest, pivotRow) = (candidate, i);
            if (pivotRow != k)
            {
                for (int j = 0; j < n; j++) (a[k * n + j], a[pivotRow * n + j]) = (a[pivotRow * n + j], a[k * n + j]);
                for (int j = 0; j < columns; j++)
                    (b[k * columns + j], b[pivotRow * columns + j]) = (b[pivotRow * columns + j], b[k * columns + j]);
            }
            double terms = 0;
            for (int j = 0; j < k; j++) terms += Math.Abs(a[k * n + j] * a[j * n + k]);
            if (!(largest > threshold * terms) || !double.IsFinite(largest)) return false;

            double inverse = 1 / a[k * n + k];
            for (int i = k + 1; i < n; i++)
            {
                double factor = a[i * n + k] *= inverse;
                if (factor == 0) continue;
                for (int j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
                for (int j = 0; j < columns; j++) b[i * columns + j] -= factor * b[k * columns + j];
            }
        }
        for (int i = n - 1; i >= 0; i--)
            for (int j = 0; j < columns; j++)
            {
                double sum = b[i * columns + j];
                for (int k = i + 1; k < n; k++) sum -= a[i * n + k] * b[k * columns + j];
                b[i * columns + j] = sum / a[i * n + i];
            }
        return true;
    }

    /// <summary>Inverse of A; the storage order does not matter, both have it.</summary>
    /// <param name="n">Order, 1 … <see cref="MaxOrder"/>.</param>
    /// <param name="a">A, n × n, kept.</param>
    /// <param name="inverse">Out: A⁻¹, n × n; may be the same memory as <paramref name="a"/>; undefined when singular.</param>
    /// <returns>False when A is singular to working precision, as in <see cref="Solve"/>.</returns>
    /// <exception cref="ArgumentException">Order out of range or a span too short.</exception>
    public static bool Invert(int n, ReadOnlySpan<double> a, Span<double> inverse)
    {
        Check(n, MaxOrder, Math.Min(a.Length, inverse.Length));
        Span<double> copy = stackalloc double[MaxOrder * MaxOrder];
        a[..(n * n)].CopyTo(copy);
        inverse[..(n * n)].Clear();
        for (int i = 0; i < n; i++) inverse[i * n + i] = 1;
        return Solve(n, copy, inverse, n);
    }

    /// <summary>Eigenvalues of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, section 8.5): tan of
    /// the angle t = sgn(τ)/(|τ| + √(1 + τ²)), τ = (a_qq − a_pp)/(2 a_pq). Small eigenvalues come out with the accuracy of the matrix's
    /// norm, good for tests of definiteness.</summary>
    /// <param name="n">Order, 1 … <see cref="MaxEigenOrder"/>.</param>
    /// <param name="a">A, n × n, kept; the mean of both triangles is used.</param>
    /// <param name="values">Out: eigenvalues, rising; length n. NaN when an entry is not finite.</param>
    /// <exception cref="ArgumentException">Order out of range or a span too short.</exception>
    public static void SymmetricEigenvalues(int n, ReadOnlySpan<double> a, Span<double> values)
    {
        Check(n, MaxEigenOrder, a.Length);
        if (values.Length < n) throw new ArgumentException($"length {values.Length}, needed {n}", nameof(values));
        Span<double> m = stackalloc double[MaxEigenOrder * MaxEigenOrder];
        double norm = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                double mean = 0.5 * a[i * n + j] + 0.5 * a[j * n + i];
                m[i * n + j] = mean;
                norm = Math.Max(norm, Math.Abs(mean)); // NaN stays NaN
            }
        values = values[..n];
        if (!double.IsFinite(norm))
        {
            values.Fill(double.NaN);
            return;
        }
        // Quadratic convergence: six or seven sweeps for order nine; the bound only guards the loop.
        for (int sweep = 0; sweep < 40; sweep++)
        {
            double off = 0;
            for (int p = 0; p < n; p++)
                for (int q = p + 1; q < n; q++) off = Math.Max(off, Math.Abs(m[p * n + q]));
            if (off <= 0.25 * Epsilon * norm) break;
            for (int p = 0; p < n; p++)
                for (int q = p + 1; q < n; q++) Rotate(n, m, p, q);
        }
        for (int i = 0; i < n; i++) values[i] = m[i * n + i];
        values.Sort();
    }

    private static void Rotate(int n, Span<double> m, int p, int q)
    {
        double apq = m[p * n + q];
        if (apq == 0) return;
        double tau = (m[q * n + q] - m[p * n + p]) / (2 * apq);
        double t = (tau >= 0 ? 1 : -1) / (Math.Abs(tau) + Math.Sqrt(1 + tau * tau));
        double c = 1 / Math.Sqrt(1 + t * t), s = t * c;
        m[p * n + p] -= t * apq;
        m[q * n + q] += t * apq;
        m[p * n + q] = m[q * n + p] = 0;
        for (int r = 0; r < n; r++)
        {
            if (r == p || r == q) continue;
            double rp = m[r * n + p], rq = m[r * n + q];
            m[r * n + p] = m[p * n + r] = c * rp - s * rq;
            m[r * n + q] = m[q * n + r] = s * rp + c * rq;
        }
    }

    private static void Check(int n, int largest, int length)
    {
        if (n < 1 || n > largest) throw new ArgumentException($"order {n} is not in 1 … {largest}", nameof(n));
        if (length < n * n) throw new ArgumentException($"length {length}, needed {n} × {n}");
    }
}
