using MsHpc.Core.Parallel;
using MsHpc.Interop;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Linear solver by PETSc, on one rank or many: any KSP and PC by PETSc's own option names (e.g. <c>ksp_type: cg, pc_type: gamg</c>), and
/// sensible ones where the user names none: positive definite matrices by Cholesky (MUMPS) while small, else conjugate gradients with
/// algebraic multigrid (GAMG) and rigid-body modes; symmetric indefinite ones by MUMPS LDLᵀ; general ones by MUMPS LU or GMRES.
/// Options that the user gives to PETSc under the prefix (<c>PETSC_OPTIONS="-elastic_ksp_rtol 1e-12"</c>) win over those given here.
/// </summary>
/// <remarks>
/// <para>An answer is accepted on its computed true residual: ‖b − A x‖ ≤ 2 · ksp_rtol · ‖b‖ for Krylov methods (those that watch another
/// norm are restarted until it holds) and 10⁻⁸ ‖b‖ after iterative refinement for direct ones.</para>
/// <para>Direct: the condition number of the scaled matrix is bounded from below by inverse iteration, and beyond 10¹³ the matrix counts as
/// singular; where definiteness was promised the signs of the pivots are checked. Krylov: negative curvature is reported, and the rigid-body
/// modes (the constant vector, when there are none) are tested for being a null space.</para>
/// <para>Assembly: the pattern goes to <c>MatSetPreallocationCOO</c> once, values by one <c>MatSetValuesCOO</c>. Disposing is collective; a
/// solver that is forgotten is destroyed when the next one on the same ranks is initialised, or at <see cref="MpiRuntime.Shutdown"/>.</para>
/// </remarks>
public sealed unsafe class PetscSolver : ILinearSolver
{
    private readonly string _prefix;
    private readonly SortedDictionary<string, string> _options;
    private LinearSystem? _system;
    private SolverHandle? _handle;
    private string _description = "PETSc", _success = "";
    private bool _disposed, _optionsChecked;

    /// <param name="prefix">Prefix of this solver's PETSc options, e.g. <c>elastic_</c>; an underscore is added when it has none.</param>
    /// <param name="options">PETSc options without prefix: name (a leading dash is allowed) → value, empty for flags.</param>
    /// <exception cref="InputException">A name that cannot be an option.</exception>
    public PetscSolver(string prefix, IReadOnlyDictionary<string, string> options)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentNullException.ThrowIfNull(options);
        _prefix = PetscOptions.CheckPrefix(prefix);
        _options = PetscOptions.Normalize(options);
    }

    /// <summary>Whether the native library is there and was built with PETSc. Initialises nothing. Not collective.</summary>
    public static bool IsAvailable => MpiRuntime.TryLoad(out _) && NativeMethods.msh_have_petsc() != 0;

    /// <summary>Whether this PETSc has an external package, e.g. <c>mumps</c> or <c>hypre</c>. Initialises MPI.</summary>
    /// <exception cref="NativeException">No native library.</exception>
    public static bool HasPackage(string name)
    {
        _ = MpiRuntime.NativeOf(Comm.Self);
        int flag;
        fixed (byte* text = NativeText.Encode(name)) Native.Check(NativeMethods.msh_petsc_has(text, &flag));
        return flag != 0;
    }

    /// <inheritdoc/>
    public string Description => _description;

    /// <summary>The native object, for tests of its life.</summary>
    internal SolverHandle? Handle => _handle;

    /// <inheritdoc/>
    /// <exception cref="InputException">An option has a value that PETSc does not know.</exception>
    /// <exception cref="NativeException">No native library, no PETSc, or PETSc failed.</exception>
    public void Initialize(LinearSystem system)
    {
        ArgumentNullException.ThrowIfNull(system);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_system is not null) throw new InvalidOperationException("Initialize is called once");
        var pattern = system.Pattern;
        if (system.LocalToGlobal.Length != pattern.Rows || system.Owned > pattern.Rows || system.Owned < 0)
            throw new ArgumentException($"{system.LocalToGlobal.Length} global numbers and {system.Owned} owned for {pattern.Rows} local unknowns",
                nameof(system));

        var group = MpiRuntime.NativeOf(system.Comm);
        group.DestroyDropped();
        long unknowns = system.Comm.AllReduceSum((long)system.Owned);
        long first = FirstOwned(system);
        bool numbered = true;
        for (int i = 0; i < system.Owned; i++) numbered &= system.LocalToGlobal[i] == first + i;
        if (!system.Comm.AllOk(numbered))
            throw new ArgumentException("owned unknowns must be numbered consecutively, ranks in order", nameof(system));

        _system = system;
        int block = Math.Max(1, system.BlockSize);
        if (!system.Comm.AllOk(system.Owned % block == 0 && first % block == 0)) block = 1;
        CreateNative(group, system, block);
        SetPattern(pattern, system.LocalToGlobal);
        if (RigidBodyModes.Build(system) is { } modes) SetModes(modes);

        // What the user gave to PETSc itself is part of his choice, so that our defaults fit to it.
        var wishes = new Dictionary<string, string>(_options);
        foreach (string name in PetscOptions.Decisive)
            if (GivenToPetsc(name) is { } value) wishes[name] = value;
        var defaults = PetscOptions.Defaults(system.Kind, unknowns, system.Dimension, system.Comm.Size, HasPackage("mumps"), wishes);
        foreach (var (name, value) in _options) SetOption(name, value);
        foreach (var (name, value) in defaults) SetOption(name, value);
        Setup();
        _description = $"PETSc {Describe()}";
        _success = $"{Describe()}: converged"; // made once: a solve allocates nothing
    }

    /// <inheritdoc/>
    public void SetValues(ReadOnlySpan<double> values)
    {
        var system = RequireSystem();
        if (values.Length != system.Pattern.Count)
            throw new ArgumentException($"{values.Length} values for {system.Pattern.Count} entries", nameof(values));
        using var solver = _handle!.Borrow();
        fixed (double* p = values) Native.Check(NativeMethods.msh_solver_values((msh_solver*)solver.Pointer, values.Length, p));
    }

    /// <inheritdoc/>
    /// <exception cref="InputException">After the first solve: an option of the constructor that PETSc never asked for.</exception>
    public SolveReport Solve(ReadOnlySpan<double> rhs, Span<double> solution)
    {
        var system = RequireSystem();
        if (rhs.Length != system.Owned || solution.Length != system.Owned)
            throw new ArgumentException($"{rhs.Length} and {solution.Length} numbers for {system.Owned} owned unknowns");
        msh_solve_info info;
        using (var solver = _handle!.Borrow())
            fixed (double* b = rhs, x = solution)
                Native.Check(NativeMethods.msh_solver_solve((msh_solver*)solver.Pointer, b, x, &info));
        bool converged = info.outcome == NativeMethods.MSH_SOLVE_OK;
        if (converged && !_optionsChecked && info.rhs_norm > 0) CheckOptionsUsed();
        return new SolveReport(converged, info.iterations, info.residual, converged ? _success : Words(info));
    }

    /// <summary>y = A x over owned unknowns. Collective.</summary>
    /// <param name="x">x, length Owned.</param>
    /// <param name="result">y, length Owned, overwritten.</param>
    public void Multiply(ReadOnlySpan<double> x, Span<double> result)
    {
        var system = RequireSystem();
        if (x.Length != system.Owned || result.Length != system.Owned)
            throw new ArgumentException($"{x.Length} and {result.Length} numbers for {system.Owned} owned unknowns");
        using var solver = _handle!.Borrow();
        fixed (double* a = x, y = result) Native.Check(NativeMethods.msh_solver_multiply((msh_solver*)solver.Pointer, a, y));
    }

    /// <summary>Destroys the native objects. Collective over the system's ranks.</summary>
    public void Dispose()
    {
        _disposed = true;
        _handle?.Dispose();
    }

    private LinearSystem RequireSystem()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _system is not null && _handle is not null ? _system : throw new InvalidOperationException("Initialize comes first");
    }

    private static long FirstOwned(LinearSystem system)
    {
        if (system.Comm.Size == 1) return 0;
        var (counts, _) = system.Comm.AllGather<long>([system.Owned]);
        long first = 0;
        for (int r = 0; r < system.Comm.Rank; r++) first += counts[r];
        return first;
    }

    private void CreateNative(MpiComm group, LinearSystem system, int block)
    {
        int kind = system.Kind switch
        {
            MatrixKind.SymmetricPositiveDefinite => NativeMethods.MSH_KIND_SPD,
            MatrixKind.Symmetric => NativeMethods.MSH_KIND_SYMMETRIC,
            _ => NativeMethods.MSH_KIND_GENERAL,
        };
        using var comm = group.Handle.Borrow();
        msh_solver* solver = null;
        fixed (byte* prefix = NativeText.Encode(_prefix))
            Native.Check(NativeMethods.msh_solver_create((msh_comm*)comm.Pointer, prefix, system.Owned, block, kind, &solver));
        _handle = new SolverHandle((nint)solver, group.Handle);
    }

    private void SetPattern(SparsePattern pattern, long[] global)
    {
        var rows = GC.AllocateUninitializedArray<long>(pattern.Count);
        var columns = GC.AllocateUninitializedArray<long>(pattern.Count);
        for (int i = 0; i < pattern.Rows; i++)
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
            {
                rows[k] = global[i];
                columns[k] = global[pattern.Columns[k]];
            }
        using var solver = _handle!.Borrow();
        fixed (long* r = rows, c = columns)
            Native.Check(NativeMethods.msh_solver_pattern((msh_solver*)solver.Pointer, pattern.Count, r, c));
    }

    private void SetModes((int Count, double[] Values) modes)
    {
        using var solver = _handle!.Borrow();
        fixed (double* p = modes.Values)
            Native.Check(NativeMethods.msh_solver_near_nullspace((msh_solver*)solver.Pointer, modes.Count, p));
    }

    private void SetOption(string name, string value)
    {
        using var solver = _handle!.Borrow();
        fixed (byte* n = NativeText.Encode(name), v = NativeText.Encode(value))
            Native.Check(NativeMethods.msh_solver_option((msh_solver*)solver.Pointer, n, v));
    }

    private string? GivenToPetsc(string name)
    {
        using var solver = _handle!.Borrow();
        var text = new byte[256];
        long length;
        fixed (byte* n = NativeText.Encode(name), p = text)
            Native.Check(NativeMethods.msh_solver_option_get((msh_solver*)solver.Pointer, n, p, text.Length, &length));
        return length < 0 ? null : NativeText.Decode(text);
    }

    private void Setup()
    {
        using var solver = _handle!.Borrow();
        int status = NativeMethods.msh_solver_setup((msh_solver*)solver.Pointer);
        if (status == NativeMethods.MSH_OK) return;
        // PETSc's text names the value that it does not know; say which option it came from.
        string text = NativeText.LastError(out int code);
        foreach (var (name, value) in _options)
            if (value.Length > 0 && text.Contains(value, StringComparison.Ordinal))
                throw new InputException($"PETSc option '{name}: {value}' of solver '{_prefix}' is not accepted{PetscOptions.DidYouMeanType(value)} ({text})");
        throw new NativeException(text, code);
    }

    private void CheckOptionsUsed()
    {
        _optionsChecked = true;
        var faults = new List<InputFault>();
        using var solver = _handle!.Borrow();
        foreach (string name in _options.Keys)
        {
            int used;
            fixed (byte* n = NativeText.Encode(name))
                Native.Check(NativeMethods.msh_solver_option_used((msh_solver*)solver.Pointer, n, &used));
            if (used == 0)
                faults.Add(new InputFault(null, 0, 0,
                    $"PETSc option '{name}' of solver '{_prefix}' is unknown or has no effect with {Describe()}{PetscOptions.DidYouMean(name)}"));
        }
        if (faults.Count > 0) throw new InputException(faults);
    }

    private string Describe()
    {
        using var solver = _handle!.Borrow();
        var text = new byte[256];
        long length;
        fixed (byte* p = text)
            Native.Check(NativeMethods.msh_solver_describe((msh_solver*)solver.Pointer, p, text.Length, &length));
        return NativeText.Decode(text);
    }

    private static string ReasonText(int reason)
    {
        var text = new byte[64];
        long length;
        fixed (byte* p = text) Native.Check(NativeMethods.msh_reason_text(reason, p, text.Length, &length));
        return NativeText.Decode(text);
    }

    private string Words(in msh_solve_info info)
    {
        string who = Describe();
        string condition = double.IsFinite(info.condition) ? $"condition number of the scaled matrix at least {info.condition:E1}" : "a pivot is zero";
        string mumps = info.mumps_infog1 != 0 ? $"; MUMPS INFOG(1) = {info.mumps_infog1}, INFOG(2) = {info.mumps_infog2}" : "";
        const int indefiniteMatrix = -10; // KSP_DIVERGED_INDEFINITE_MAT
        return info.outcome switch
        {
            NativeMethods.MSH_SOLVE_SINGULAR => info.condition != 0
                ? $"{who}: the matrix is singular ({condition}{mumps})"
                : info.mumps_infog1 != 0 || info.pc_reason != 0 ? $"{who}: the matrix is singular (zero pivot{mumps})"
                : $"{who}: the matrix is singular (a rigid motion or the constant vector costs no energy: supports are missing)",
            NativeMethods.MSH_SOLVE_INDEFINITE => info.negative_pivots > 0
                ? $"{who}: the matrix is not positive definite ({info.negative_pivots} negative pivots)"
                : info.reason < 0 && info.reason != indefiniteMatrix
                    ? $"{who}: the preconditioner is indefinite ({ReasonText(info.reason)}): the matrix is not positive definite, or the preconditioner does not suit it"
                    : $"{who}: the matrix is not positive definite (negative curvature{mumps})",
            NativeMethods.MSH_SOLVE_NOT_CONVERGED =>
                $"{who}: not converged after {info.iterations} iterations ({ReasonText(info.reason)}), relative residual {info.residual:E2}",
            NativeMethods.MSH_SOLVE_NONFINITE_MATRIX => "the matrix holds NaN or infinity",
            NativeMethods.MSH_SOLVE_NONFINITE_RHS => "the right-hand side holds NaN or infinity",
            NativeMethods.MSH_SOLVE_NONFINITE_SOLUTION => $"{who}: the answer holds NaN or infinity",
            NativeMethods.MSH_SOLVE_OUT_OF_MEMORY => $"{who}: the factorisation ran out of memory{mumps}",
            NativeMethods.MSH_SOLVE_INACCURATE => $"{who}: relative residual {info.residual:E2} even after refinement ({condition})",
            _ => $"{who}: the preconditioner failed (PCFailedReason {info.pc_reason}{mumps})",
        };
    }
}
