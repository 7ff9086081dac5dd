namespace MsHpc.Core.Sparse;

/// <summary>
/// Preconditioned minimal residuals for symmetric, possibly indefinite matrices (Paige and Saunders, SIAM J. Numer. Anal. 12, 617 (1975)).
/// </summary>
/// <remarks>The recurrence minimises ‖r‖ in the norm of M⁻¹; the answer is accepted on the true Euclidean residual, with restarts from the
/// current iterate while the two disagree. Work vectors are allocated once.</remarks>
/// <param name="rows">Number of unknowns.</param>
public sealed class Minres(int rows)
{
    private readonly double[] _r1 = new double[rows], _r2 = new double[rows], _y = new double[rows], _v = new double[rows];
    private double[] _w = new double[rows], _w1 = new double[rows], _w2 = new double[rows];

    /// <summary>Solves A x = b.</summary>
    /// <param name="a">Symmetric.</param>
    /// <param name="preconditioner">Symmetric positive definite.</param>
    /// <param name="b">Right-hand side.</param>
    /// <param name="x">Initial guess in, answer out.</param>
    /// <param name="options">Tolerance and limit.</param>
    public SolveReport Solve(IOperator a, IPreconditioner preconditioner, ReadOnlySpan<double> b, Span<double> x, KrylovOptions options)
    {
        if (KrylovStart.Trivial(a, rows, b, x, out double normB) is { } done) return done;
        double tolerance = options.RelativeTolerance * normB, previous = double.PositiveInfinity;
        int iterations = 0;
        while (true)
        {
            Vec.Residual(a, b, x, _r1);
            double norm = Vec.Norm(_r1);
            if (!double.IsFinite(norm)) return new(false, iterations, norm / normB, "the matrix gives NaN or infinite products");
            if (norm <= tolerance) return new(true, iterations, norm / normB, "converged");
            if (iterations >= options.MaxIterations)
                return new(false, iterations, norm / normB, KrylovStart.LimitReached(iterations));
            if (norm > 0.5 * previous) return new(false, iterations, norm / normB, KrylovStart.Stagnated(norm / normB));
            previous = norm;

            preconditioner.Apply(_r1, _y);
            double square = Vec.Dot(_r1, _y);
            if (!(square > 0)) return new(false, iterations, norm / normB, $"preconditioner is not positive definite (rᵀ M⁻¹ r = {square:g3})");
            double beta1 = Math.Sqrt(square), beta = beta1, oldBeta = 0, dbar = 0, epsilon = 0, phibar = beta1, cs = -1, sn = 0;
            double squareNorm = 0;
            // The 2-norm target, carried over to the norm of the recurrence by their ratio at the start, with a margin.
            double target = 0.3 * tolerance * (beta1 / norm);
            _r1.CopyTo(_r2, 0);
            Array.Clear(_w);
            Array.Clear(_w2);
            double reference = phibar;
            int cycle = 0;
            while (iterations < options.MaxIterations)
            {
                double s = 1 / beta;
                for (int i = 0; i < rows; i++) _v[i] = s * _y[i];
                a.Apply(_v, _y);
                if (cycle > 0) Vec.Axpy(-beta / oldBeta, _r1, _y);
                double alpha = Vec.Dot(_v, _y);
                Vec.Axpy(-alpha / beta, _r2, _y);
                _r2.CopyTo(_r1, 0);
                _y.CopyTo(_r2, 0);
                preconditioner.Apply(_r2, _y);
                oldBeta = beta;
                square = Vec.Dot(_r2, _y);
                if (double.IsNaN(square)) return new(false, iterations, norm / normB, "the matrix or the preconditioner gives NaN");
                // Rounding may push an exhausted Krylov space slightly below zero.
                if (square < -1e-10 * beta1 * beta1)
                    return new(false, iterations, norm / normB, $"preconditioner is not positive definite (rᵀ M⁻¹ r = {square:g3})");
                beta = Math.Sqrt(Math.Max(square, 0));

                double oldEpsilon = epsilon;
                double delta = cs * dbar + sn * alpha, gbar = sn * dbar - cs * alpha;
                epsilon = sn * beta;
                dbar = -cs * beta;
                double gamma = Math.Sqrt(gbar * gbar + beta * beta);
                squareNorm += alpha * alpha + oldBeta * oldBeta + square;
                // ‖A r‖ / ‖r‖ of the previous iterate: zero at a least-squares solution that is none of the system.
                double root = Math.Sqrt(gbar * gbar + dbar * dbar);
                if (gamma <= 1e-300 || (cycle > 0 && root <= 1e-12 * Math.Sqrt(squareNorm)))
                    return new(false, iterations, norm / normB, "matrix is singular: the right-hand side is not in its range");
                cs = gbar / gamma;
                sn = beta / gamma;
                double phi = cs * phibar;
                phibar *= sn;

                (_w1, _w2, _w) = (_w2, _w, _w1);
                for (int i = 0; i < rows; i++) _w[i] = (_v[i] - oldEpsilon * _w1[i] - delta * _w2[i]) / gamma;
                Vec.Axpy(phi, _w, x);
                iterations++;
                cycle++;
                if (phibar <= target || beta <= 1e-14 * beta1) break;
                if (cycle % 1000 == 0)
                {
                    if (phibar > 0.999 * reference) break;
                    reference = phibar;
                }
            }
        }
    }
}
