namespace MsHpc.Core;

/// <summary>Base of every error that MsHpc raises on purpose; <see cref="ExitCode"/> is what the command line returns.</summary>
public abstract class MsHpcException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Exit code of the process: 2 bad input, 3 not converged, 4 numerical failure, 5 native.</summary>
    public abstract int ExitCode { get; }
}

/// <summary>One fault of an input file: where it is and what is wrong, in one sentence.</summary>
/// <param name="File">File as the user named it; null when the input did not come from a file.</param>
/// <param name="Line">Line, 1-based; 0 when unknown.</param>
/// <param name="Column">Column, 1-based; 0 when unknown.</param>
/// <param name="Message">What is wrong and, where there is one, the nearest valid key or the way out.</param>
public sealed record InputFault(string? File, int Line, int Column, string Message)
{
    /// <summary><c>file:line:column: message</c>, the form that editors jump to.</summary>
    public override string ToString() => File is null ? Message
        : Line <= 0 ? $"{File}: {Message}"
        : Column <= 0 ? $"{File}:{Line}: {Message}"
        : $"{File}:{Line}:{Column}: {Message}";
}

/// <summary>Bad input; carries every fault that was found, not only the first. Exit code 2.</summary>
public sealed class InputException(IReadOnlyList<InputFault> faults)
    : MsHpcException(string.Join(Environment.NewLine, faults))
{
    /// <summary>One fault without a file.</summary>
    public InputException(string message) : this([new InputFault(null, 0, 0, message)]) { }

    /// <summary>One fault at a place in a file.</summary>
    public InputException(string? file, int line, int column, string message) : this([new InputFault(file, line, column, message)]) { }

    /// <summary>All faults, in the order of the file.</summary>
    public IReadOnlyList<InputFault> Faults { get; } = faults;

    /// <inheritdoc/>
    public override int ExitCode => 2;
}

/// <summary>An iteration did not converge; carries its residual norms. Exit code 3.</summary>
public sealed class ConvergenceException(string message, IReadOnlyList<double> history) : MsHpcException(message)
{
    /// <summary>Residual norms, one per iteration, in the unit that the message names.</summary>
    public IReadOnlyList<double> History { get; } = history;

    /// <inheritdoc/>
    public override int ExitCode => 3;
}

/// <summary>A number that cannot be right: NaN, a singular or indefinite matrix where it must not be, an inverted element. Exit code 4.</summary>
public sealed class NumericalException(string message, Exception? inner = null) : MsHpcException(message, inner)
{
    /// <inheritdoc/>
    public override int ExitCode => 4;
}

/// <summary>PETSc, MPI or another native library failed; carries its code and its own text. Exit code 5.</summary>
public sealed class NativeException(string message, int code = 0) : MsHpcException(message)
{
    /// <summary>The library's own error code; 0 when it has none.</summary>
    public int Code { get; } = code;

    /// <inheritdoc/>
    public override int ExitCode => 5;
}
