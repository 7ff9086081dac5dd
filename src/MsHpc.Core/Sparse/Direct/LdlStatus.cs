namespace MsHpc.Core.Sparse;

/// <summary>How a factorisation ended.</summary>
public enum LdlOutcome
{
    /// <summary>All pivots are usable.</summary>
    Ok,
    /// <summary>A pivot is too small beside its row: the matrix is singular, or needs pivoting that this method does not do.</summary>
    Singular,
    /// <summary>A negative pivot where a positive definite matrix was required.</summary>
    NotPositive,
    /// <summary>A pivot is NaN or infinite.</summary>
    NotANumber,
}

/// <summary>Result of <see cref="SparseLdl.Factor"/>.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Unknown">Original number of the offending unknown; −1 when all went well.</param>
/// <param name="Pivot">The offending pivot.</param>
/// <param name="NegativePivots">Negative pivots so far; after success the number of negative eigenvalues (Sylvester's law of inertia).</param>
public readonly record struct LdlStatus(LdlOutcome Outcome, int Unknown, double Pivot, int NegativePivots)
{
    /// <summary>Whether the factor can be used.</summary>
    public bool IsOk => Outcome == LdlOutcome.Ok;

    /// <summary>One sentence for a log or an error.</summary>
    public override string ToString() => Outcome switch
    {
        LdlOutcome.Ok => NegativePivots == 0 ? "positive definite" : $"{NegativePivots} negative pivots",
        LdlOutcome.Singular => $"singular or needs pivoting at unknown {Unknown} (pivot {Pivot:g3})",
        LdlOutcome.NotPositive => $"not positive definite at unknown {Unknown} (pivot {Pivot:g3})",
        _ => $"pivot of unknown {Unknown} is not a finite number",
    };
}
