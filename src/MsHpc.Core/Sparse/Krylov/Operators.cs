namespace MsHpc.Core.Sparse;

/// <summary>A square linear map that can be applied to a vector: all that a Krylov method needs to know of a matrix.</summary>
public interface IOperator
{
    /// <summary>Number of rows and columns.</summary>
    int Rows { get; }

    /// <summary>y = A x. Allocates nothing; same input, same bits.</summary>
    /// <param name="x">Input, length <see cref="Rows"/>.</param>
    /// <param name="y">Output, length <see cref="Rows"/>; must not overlap <paramref name="x"/>.</param>
    void Apply(ReadOnlySpan<double> x, Span<double> y);
}

/// <summary>An approximate inverse, z ≈ A⁻¹ r. Linear and fixed during a solve; symmetric positive definite for CG and MINRES.</summary>
public interface IPreconditioner
{
    /// <summary>Name and main numbers in one line, for the log.</summary>
    string Description { get; }

    /// <summary>z = M⁻¹ r. Allocates nothing.</summary>
    /// <param name="r">Residual.</param>
    /// <param name="z">Output, same length; must not overlap <paramref name="r"/>.</param>
    void Apply(ReadOnlySpan<double> r, Span<double> z);
}

/// <summary>No preconditioner: z = r.</summary>
public sealed class IdentityPreconditioner : IPreconditioner
{
    /// <summary>The one instance.</summary>
    public static IdentityPreconditioner Instance { get; } = new();

    /// <inheritdoc/>
    public string Description => "none";

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<double> r, Span<double> z) => r.CopyTo(z);
}

/// <summary>When a Krylov method stops.</summary>
/// <param name="RelativeTolerance">On the true residual in the Euclidean norm, ‖b − A x‖ / ‖b‖.</param>
/// <param name="MaxIterations">Limit on iterations, all restarts together.</param>
public readonly record struct KrylovOptions(double RelativeTolerance = 1e-10, int MaxIterations = 10_000);
