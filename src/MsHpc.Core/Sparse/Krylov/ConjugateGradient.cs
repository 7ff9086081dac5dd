namespace MsHpc.Core.Sparse;

/// <summary>
/// Preconditioned conjugate gradients for symmetric positive definite matrices (Hestenes and Stiefel, J. Res. NBS 49, 409 (1952)).
/// </summary>
/// <remarks>Stops on the Euclidean norm of the residual, recomputes the true residual at the end and starts again from there when the two
/// have drifted apart. Directions p with pᵀ A p ≤ 0 end the solve: the matrix is not positive definite. Work vectors are allocated once.</remarks>
/// <param name="rows">Number of unknowns.</param>
public sealed class ConjugateGradient(int rows)
{
    private const int StagnationWindow = 500;
    private readonly double[] _r = new double[rows], _z = new double[rows], _p = new double[rows], _q = new double[rows];

    /// <summary>Solves A x = b.</summary>
    /// <param name="a">Symmetric positive definite.</param>
    /// <param name="preconditioner">Symmetric positive definite.</param>
    /// <param name="b">Right-hand side.</param>
    /// <param name="x">Initial guess in, answer out; the best found when the solve fails.</param>
    /// <param name="options">Tolerance and limit.</param>
    public SolveReport Solve(IOperator a, IPreconditioner preconditioner, ReadOnlySpan<double> b, Span<double> x, KrylovOptions options)
    {
        if (KrylovStart.Trivial(a, rows, b, x, out double normB) is { } done) return done;
        double tolerance = options.RelativeTolerance * normB, previous = double.PositiveInfinity;
        int iterations = 0;
        while (true)
        {
            Vec.Residual(a, b, x, _r);
            double norm = Vec.Norm(_r);
            if (!double.IsFinite(norm)) return new(false, iterations, norm / normB, "the matrix gives NaN or infinite products");
            if (norm <= tolerance) return new(true, iterations, norm / normB, "converged");
            if (iterations >= options.MaxIterations)
                return new(false, iterations, norm / normB, KrylovStart.LimitReached(iterations));
            if (norm > 0.5 * previous) return new(false, iterations, norm / normB, KrylovStart.Stagnated(norm / normB));
            previous = norm;

            preconditioner.Apply(_r, _z);
            double rz = Vec.Dot(_r, _z);
            if (!(rz > 0)) return new(false, iterations, norm / normB, BadPreconditioner(rz));
            _z.CopyTo(_p, 0);
            double best = norm;
            int sinceBest = 0;
            while (iterations < options.MaxIterations)
            {
                a.Apply(_p, _q);
                double curvature = Vec.Dot(_p, _q);
                if (!(curvature > 0)) return new(false, iterations, norm / normB, BadCurvature(curvature, iterations));
                double alpha = rz / curvature;
                if (!double.IsFinite(alpha)) return new(false, iterations, norm / normB, "breakdown: the step length overflowed");
                Vec.Axpy(alpha, _p, x);
                Vec.Axpy(-alpha, _q, _r);
                iterations++;
                norm = Vec.Norm(_r);
                if (!(norm > tolerance)) break;
                if (norm < best) (best, sinceBest) = (norm, 0);
                else if (++sinceBest >= StagnationWindow) break;
                preconditioner.Apply(_r, _z);
                double next = Vec.Dot(_r, _z);
                if (!(next > 0)) return new(false, iterations, norm / normB, BadPreconditioner(next));
                Vec.Xpby(_z, next / rz, _p);
                rz = next;
            }
        }
    }

    private static string BadCurvature(double curvature, int iteration) => double.IsNaN(curvature)
        ? "the matrix or the preconditioner gives NaN"
        : $"matrix is not positive definite, or singular (direction of curvature {curvature:g3} in iteration {iteration + 1})";

    private static string BadPreconditioner(double rz) => double.IsNaN(rz)
        ? "the preconditioner gives NaN"
        : $"preconditioner is not positive definite (rᵀ M⁻¹ r = {rz:g3}); the matrix may be indefinite";
}

/// <summary>What all Krylov methods do before the first iteration, and the sentences they share.</summary>
internal static class KrylovStart
{
    /// <summary>Checks lengths, right-hand side and guess; answers b = 0 at once.</summary>
    public static SolveReport? Trivial(IOperator a, int rows, ReadOnlySpan<double> b, Span<double> x, out double normB)
    {
        if (a.Rows != rows || b.Length != rows || x.Length != rows)
            throw new ArgumentException($"solver for {rows} unknowns given {a.Rows} rows, right-hand side of {b.Length}, solution of {x.Length}");
        normB = Vec.Norm(b);
        if (!double.IsFinite(normB))
            return new(false, 0, double.NaN, $"right-hand side is NaN or infinite at unknown {Vec.FirstNonFinite(b)}");
        if (normB == 0)
        {
            x.Clear();
            return new(true, 0, 0, "right-hand side is zero");
        }
        if (Vec.FirstNonFinite(x) >= 0) x.Clear();
        return null;
    }

    public static string LimitReached(int iterations) => $"not converged after {iterations} iterations";

    public static string Stagnated(double relative) => $"stagnated at a relative residual of {relative:g3}";
}
