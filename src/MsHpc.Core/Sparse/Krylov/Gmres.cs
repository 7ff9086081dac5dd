namespace MsHpc.Core.Sparse;

/// <summary>
/// Restarted generalised minimal residuals for any square matrix, preconditioned from the right so that the residual it minimises is the
/// true one (Saad and Schultz, SIAM J. Sci. Stat. Comput. 7, 856 (1986)).
/// </summary>
/// <remarks>Arnoldi by modified Gram–Schmidt, repeated once where cancellation is strong. A restart cycle that gains less than 0.1 % is
/// stagnation. Holds restart + 1 basis vectors, allocated once.</remarks>
public sealed class Gmres
{
    private readonly int _rows, _restart;
    private readonly double[][] _basis;
    private readonly double[] _h, _cs, _sn, _g, _y, _z, _w;

    /// <param name="rows">Number of unknowns.</param>
    /// <param name="restart">Basis vectors per cycle.</param>
    public Gmres(int rows, int restart = 50)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(restart, 1);
        _rows = rows;
        _restart = Math.Min(restart, Math.Max(rows, 1));
        _basis = new double[_restart + 1][];
        for (int k = 0; k <= _restart; k++) _basis[k] = new double[rows];
        _h = new double[(_restart + 1) * _restart];
        _cs = new double[_restart];
        _sn = new double[_restart];
        _g = new double[_restart + 1];
        _y = new double[_restart];
        _z = new double[rows];
        _w = new double[rows];
    }

    /// <summary>Solves A x = b.</summary>
    /// <param name="a">Any square matrix.</param>
    /// <param name="preconditioner">Any fixed linear map.</param>
    /// <param name="b">Right-hand side.</param>
    /// <param name="x">Initial guess in, answer out.</param>
    /// <param name="options">Tolerance and limit.</param>
    public SolveReport Solve(IOperator a, IPreconditioner preconditioner, ReadOnlySpan<double> b, Span<double> x, KrylovOptions options)
    {
        if (KrylovStart.Trivial(a, _rows, b, x, out double normB) is { } done) return done;
        double tolerance = options.RelativeTolerance * normB, previous = double.PositiveInfinity;
        int iterations = 0;
        while (true)
        {
            var v0 = Basis(0);
            Vec.Residual(a, b, x, v0);
            double norm = Vec.Norm(v0);
            if (!double.IsFinite(norm)) return new(false, iterations, norm / normB, "the matrix or the preconditioner gives NaN");
            if (norm <= tolerance) return new(true, iterations, norm / normB, "converged");
            if (iterations >= options.MaxIterations)
                return new(false, iterations, norm / normB, KrylovStart.LimitReached(iterations));
            if (norm > 0.999 * previous) return new(false, iterations, norm / normB, KrylovStart.Stagnated(norm / normB));
            previous = norm;
            Vec.Scale(1 / norm, v0);
            Array.Clear(_g);
            _g[0] = norm;
            int k = 0;
            bool singular = false;
            while (k < _restart && iterations < options.MaxIterations)
            {
                preconditioner.Apply(Basis(k), _z);
                var w = Basis(k + 1);
                a.Apply(_z, w);
                double before = Vec.Norm(w);
                if (!double.IsFinite(before)) return new(false, iterations, norm / normB, "the matrix or the preconditioner gives NaN");
                var h = _h.AsSpan(k * (_restart + 1), _restart + 1);
                for (int j = 0; j <= k; j++)
                {
                    h[j] = Vec.Dot(Basis(j), w);
                    Vec.Axpy(-h[j], Basis(j), w);
                }
                double after = Vec.Norm(w);
                if (after < 0.1 * before)
                {
                    for (int j = 0; j <= k; j++)
                    {
                        double again = Vec.Dot(Basis(j), w);
                        h[j] += again;
                        Vec.Axpy(-again, Basis(j), w);
                    }
                    after = Vec.Norm(w);
                }
                h[k + 1] = after;
                bool exhausted = after <= 1e-15 * before;
                if (!exhausted) Vec.Scale(1 / after, w);
                else h[k + 1] = 0;
                for (int j = 0; j < k; j++)
                    (h[j], h[j + 1]) = (_cs[j] * h[j] + _sn[j] * h[j + 1], -_sn[j] * h[j] + _cs[j] * h[j + 1]);
                double rho = Math.Sqrt(h[k] * h[k] + h[k + 1] * h[k + 1]);
                iterations++;
                if (rho <= 1e-14 * before || rho == 0)
                {
                    singular = true;
                    break;
                }
                _cs[k] = h[k] / rho;
                _sn[k] = h[k + 1] / rho;
                h[k] = rho;
                _g[k + 1] = -_sn[k] * _g[k];
                _g[k] *= _cs[k];
                k++;
                if (Math.Abs(_g[k]) <= 0.9 * tolerance || exhausted) break;
            }
            for (int i = k - 1; i >= 0; i--)
            {
                double s = _g[i];
                for (int j = i + 1; j < k; j++) s -= _h[j * (_restart + 1) + i] * _y[j];
                _y[i] = s / _h[i * (_restart + 1) + i];
            }
            Array.Clear(_w);
            for (int j = 0; j < k; j++) Vec.Axpy(_y[j], Basis(j), _w);
            if (k > 0)
            {
                preconditioner.Apply(_w, _z);
                Vec.Axpy(1, _z, x);
            }
            if (singular)
            {
                Vec.Residual(a, b, x, _w);
                double rest = Vec.Norm(_w);
                if (rest > tolerance)
                    return new(false, iterations, rest / normB, "matrix is singular to working precision (the Krylov space closed without a solution)");
            }
        }
    }

    private Span<double> Basis(int k) => _basis[k];
}
