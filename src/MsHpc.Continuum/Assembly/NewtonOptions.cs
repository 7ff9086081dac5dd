namespace MsHpc.Continuum.Assembly;

/// <summary>What a Newton iteration does when its full step is bad.</summary>
public enum LineSearch
{
    /// <summary>Full steps only.</summary>
    None,
    /// <summary>Search for a zero of the work rate s(η) = Δu·r(u + ηΔu) when s(1) &lt; −0.8 s(0) or the material fails.</summary>
    Energy,
    /// <summary>Halve the step while the residual norm is above that before it, or the material fails.</summary>
    Residual,
}

/// <summary>Newton iteration and load stepping.</summary>
public sealed record NewtonOptions
{
    /// <summary>Converged when ‖r‖ ≤ this × reference; the reference is the largest of the external forces, the reactions and the first
    /// right-hand side of the step.</summary>
    public double RelativeTolerance { get; init; } = 1e-8;

    /// <summary>Or when ‖r‖ ≤ this, in the job's force unit.</summary>
    public double AbsoluteTolerance { get; init; }

    /// <summary>Linear solves per step before it is cut.</summary>
    public int MaxIterations { get; init; } = 20;

    /// <summary>Line search; it only starts when it is needed.</summary>
    public LineSearch LineSearch { get; init; } = LineSearch.Energy;

    /// <summary>Factor on the step after a failure.</summary>
    public double Cutback { get; init; } = 0.5;

    /// <summary>Factor on the step after an easy success.</summary>
    public double Growth { get; init; } = 1.5;

    /// <summary>A step with at most this many linear solves was easy.</summary>
    public int EasyIterations { get; init; } = 6;

    /// <summary>Smallest step as a fraction of the initial one; below it the run ends.</summary>
    public double MinimumStep { get; init; } = 1e-4;

    /// <summary>Symmetry to tell the linear solver; null to derive it from the laws: positive definite for elastic small strain, symmetric
    /// for other symmetric tangents, general otherwise or with follower loads.</summary>
    public Core.Sparse.MatrixKind? Kind { get; init; }
}

/// <summary>How one time step went.</summary>
/// <param name="Step">Number of the step, from 1.</param>
/// <param name="Time">Time at its end.</param>
/// <param name="TimeStep">Its length.</param>
/// <param name="Iterations">Linear solves in the successful attempt.</param>
/// <param name="Norms">Residual norms in the force unit: the first right-hand side, then after each solve.</param>
/// <param name="Reference">Force norm that the tolerance refers to.</param>
/// <param name="Cuts">Attempts that failed before.</param>
/// <param name="LinearIterations">Krylov iterations, failed attempts included.</param>
/// <param name="LineSearches">Iterations with a line search.</param>
/// <param name="WallTime">Seconds, failed attempts included.</param>
public sealed record StepReport(int Step, double Time, double TimeStep, int Iterations, IReadOnlyList<double> Norms, double Reference,
    int Cuts, int LinearIterations, int LineSearches, double WallTime);
