using MsHpc.Core.Parallel;

namespace MsHpc.Core.Sparse;

/// <summary>What is known of the matrix before its values: a solver chooses its method from this.</summary>
public enum MatrixKind
{
    /// <summary>Symmetric positive definite; anything else is an error that the solver must report.</summary>
    SymmetricPositiveDefinite,
    /// <summary>Symmetric, may be indefinite (saddle points, softening).</summary>
    Symmetric,
    /// <summary>No symmetry of values; the pattern is still symmetric.</summary>
    General,
}

/// <summary>
/// The fixed part of a linear system that is assembled again and again: pattern, numbering and geometry. Each rank assembles its own
/// elements into a local matrix over its local unknowns (owned first, then ghosts); entries that several ranks hold add up.
/// </summary>
/// <param name="Comm">Ranks that share the system.</param>
/// <param name="Kind">Symmetry.</param>
/// <param name="Pattern">Pattern over local unknowns, full (both triangles).</param>
/// <param name="Owned">Unknowns that this rank owns: the first ones of the local numbering.</param>
/// <param name="LocalToGlobal">Global number of each local unknown. Owned ones are contiguous: first + 0 … Owned − 1, ranks in order.</param>
/// <param name="BlockSize">Unknowns per node, consecutive and aligned; 1 when eliminated unknowns break the blocks.</param>
/// <param name="NodeOf">Node index of each local unknown, for orderings and coarsening; −1 where there is none.</param>
/// <param name="ComponentOf">Displacement component of each local unknown (0, 1, 2); used for rigid-body modes.</param>
/// <param name="Coordinates">Node coordinates, <c>Dimension</c> per node.</param>
/// <param name="Dimension">Space dimension, 2 or 3.</param>
public sealed record LinearSystem(Comm Comm, MatrixKind Kind, SparsePattern Pattern, int Owned, long[] LocalToGlobal,
    int BlockSize, int[] NodeOf, byte[] ComponentOf, double[] Coordinates, int Dimension)
{
    /// <summary>A system without geometry on one rank.</summary>
    public static LinearSystem Serial(SparsePattern pattern, MatrixKind kind)
    {
        var identity = new long[pattern.Rows];
        var none = new int[pattern.Rows];
        for (int i = 0; i < identity.Length; i++) { identity[i] = i; none[i] = -1; }
        return new LinearSystem(Comm.Self, kind, pattern, pattern.Rows, identity, 1, none, new byte[pattern.Rows], [], 0);
    }
}

/// <summary>How a solve went. Divergence is a result here, not an exception; a caller that needs the answer calls <see cref="Require"/>.</summary>
/// <param name="Converged">Whether the answer meets the tolerance.</param>
/// <param name="Iterations">Krylov iterations; refinement steps of a direct solver.</param>
/// <param name="RelativeResidual">‖b − A x‖ / ‖b‖ (0 when b = 0), computed, not estimated.</param>
/// <param name="Reason">Why it stopped, in words.</param>
public readonly record struct SolveReport(bool Converged, int Iterations, double RelativeResidual, string Reason)
{
    /// <summary>Throws when the solve failed.</summary>
    /// <exception cref="NumericalException">Not converged, singular or indefinite.</exception>
    public SolveReport Require() => Converged ? this : throw new NumericalException($"linear solver: {Reason}");
}

/// <summary>
/// Solves A x = b for a matrix whose pattern stays and whose values change. Implemented by PETSc (<c>PetscSolver</c>) and by the embedded
/// solvers, which need no native library.
/// </summary>
/// <remarks>Collective over the system's ranks. Singular or (where definiteness was promised) indefinite matrices give
/// <c>Converged = false</c> with the reason, never a wrong answer.</remarks>
public interface ILinearSolver : IDisposable
{
    /// <summary>Method and options in one line, for the log.</summary>
    string Description { get; }

    /// <summary>Symbolic work that depends on the pattern only. Call once.</summary>
    void Initialize(LinearSystem system);

    /// <summary>New values, one per entry of the system's pattern; read during the call only. The next solve factors or sets up again.</summary>
    void SetValues(ReadOnlySpan<double> values);

    /// <summary>Solves for one right-hand side over the owned unknowns.</summary>
    /// <param name="rhs">b, length Owned.</param>
    /// <param name="solution">x, length Owned: initial guess of iterative methods in, answer out.</param>
    SolveReport Solve(ReadOnlySpan<double> rhs, Span<double> solution);
}
