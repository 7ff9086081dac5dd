using MsHpc.Core.Parallel;

namespace MsHpc.Core.Sparse;

/// <summary>Which way <see cref="EmbeddedSolver"/> goes.</summary>
public enum EmbeddedMethod
{
    /// <summary>Direct while its factor is estimated to be cheap, otherwise the Krylov method of the matrix kind.</summary>
    Auto,
    /// <summary>LDLᵀ for symmetric matrices, LU for others and where LDLᵀ needs pivoting.</summary>
    Direct,
    /// <summary>Conjugate gradients (symmetric positive definite).</summary>
    Cg,
    /// <summary>Minimal residuals (symmetric).</summary>
    Minres,
    /// <summary>Restarted generalised minimal residuals (any matrix).</summary>
    Gmres,
}

/// <summary>Preconditioner of the Krylov methods.</summary>
public enum EmbeddedPreconditioner
{
    /// <summary>Multigrid for CG, Jacobi for MINRES, ILU(0) for GMRES.</summary>
    Auto,
    /// <summary>Diagonal scaling.</summary>
    Jacobi,
    /// <summary>Incomplete Cholesky without fill (symmetric positive definite).</summary>
    Ic0,
    /// <summary>Incomplete LU without fill.</summary>
    Ilu0,
    /// <summary>Smoothed aggregation (symmetric positive definite).</summary>
    Multigrid,
}

/// <summary>Settings of <see cref="EmbeddedSolver"/>.</summary>
public sealed record EmbeddedSolverOptions
{
    /// <summary>Method.</summary>
    public EmbeddedMethod Method { get; init; } = EmbeddedMethod.Auto;

    /// <summary>Preconditioner of Krylov methods.</summary>
    public EmbeddedPreconditioner Preconditioner { get; init; } = EmbeddedPreconditioner.Auto;

    /// <summary>‖b − A x‖ / ‖b‖ at which an answer counts as converged.</summary>
    public double RelativeTolerance { get; init; } = 1e-10;

    /// <summary>Limit on Krylov iterations.</summary>
    public int MaxIterations { get; init; } = 5000;

    /// <summary>Basis vectors of GMRES between restarts.</summary>
    public int Restart { get; init; } = 50;

    /// <summary>Auto takes the direct way up to this many operations per factorisation (ten times that for indefinite and unsymmetric
    /// matrices, whose iterative solvers are weaker).</summary>
    public double DirectFlops { get; init; } = 5e9;

    /// <summary>Auto takes the direct way up to this many entries of the factor (8 bytes each; four times that for indefinite and
    /// unsymmetric matrices).</summary>
    public long DirectNonzeros { get; init; } = 100_000_000;

    /// <summary>Settings of multigrid.</summary>
    public SmoothedAggregationOptions Multigrid { get; init; } = new();

    /// <summary>Threads for Krylov methods; null runs on the caller's thread. The answer does not depend on it.</summary>
    public ThreadTeam? Team { get; init; }
}

/// <summary>
/// The solver that needs no native library: sparse direct factorisation or preconditioned Krylov methods, chosen from the matrix kind and
/// the estimated cost of the factor.
/// </summary>
/// <remarks>
/// <para>Positive definite: LDLᵀ with positive pivots, or CG with smoothed aggregation. Symmetric: LDLᵀ, with LU where it meets a bad pivot
/// or the residual stays large, or MINRES. General: LU, or GMRES with ILU(0). Under Auto, a Krylov method that fails hands over to the
/// direct one when that is affordable.</para>
/// <para>Every answer is judged by its true residual; direct ones are refined up to three times. Where rounding of A x alone exceeds the
/// tolerance (backward error below 1e-14: slender bodies, point supports), the answer counts and the report says so. Singular matrices are reported: by their
/// pivots (direct), by a condition estimate (LU and indefinite LDLᵀ), by testing rigid-body motions and constants on every connected part
/// (Krylov); a Krylov solve of a consistent system with some other mechanism is not noticed.</para>
/// <para>On several ranks the matrix is gathered on all of them and solved redundantly: the same bits everywhere, no speed-up. Use
/// PetscSolver for scaling.</para>
/// </remarks>
public sealed class EmbeddedSolver : ILinearSolver
{
    private const int Refinements = 3;
    private readonly EmbeddedSolverOptions _options;
    private LinearSystem? _given, _system;
    private EmbeddedMethod _method;
    private EmbeddedPreconditioner _preconditionerKind;
    private int[] _scatter = [];
    private CsrMatrix? _matrix;
    private bool _prepared, _hasValues;
    private string? _failure;

    private SymbolicLdl? _symbolic;
    private IFactor? _ldl, _lu, _factor;
    private double[] _r = [], _d = [], _rhs = [], _x = [];
    private double _normA;

    private BlockCsrMatrix? _blocks;
    private NearNullspace? _nullspace;
    private SmoothedAggregation? _multigrid;
    private IPreconditioner? _preconditioner;
    private ConjugateGradient? _cg;
    private Minres? _minres;
    private Gmres? _gmres;
    private int _firstIterations = -1;
    private bool _rebuild;

    /// <param name="options">Settings; null for the defaults.</param>
    /// <exception cref="InputException">A tolerance or limit is not positive, or preconditioner and method do not go together.</exception>
    public EmbeddedSolver(EmbeddedSolverOptions? options = null)
    {
        _options = options ?? new EmbeddedSolverOptions();
        if (!(_options.RelativeTolerance > 0) || !double.IsFinite(_options.RelativeTolerance))
            throw new InputException($"linear solver: relative tolerance {_options.RelativeTolerance} is not a positive number");
        if (_options.MaxIterations < 1 || _options.Restart < 1)
            throw new InputException($"linear solver: at least one iteration is needed (limit {_options.MaxIterations}, restart {_options.Restart})");
        if (_options is { Method: EmbeddedMethod.Minres, Preconditioner: EmbeddedPreconditioner.Ilu0 })
            throw new InputException("linear solver: MINRES needs a positive definite preconditioner; ILU(0) is none (choose Jacobi or GMRES)");
    }

    /// <inheritdoc/>
    public string Description => _system is null ? $"embedded solver ({_options.Method}, not initialised)" : _method switch
    {
        EmbeddedMethod.Direct when _lu is not null && ReferenceEquals(_factor, _lu) => $"embedded sparse LU ({_system.Pattern.Rows} unknowns)",
        EmbeddedMethod.Direct when _system.Kind == MatrixKind.General => $"embedded sparse LU ({_system.Pattern.Rows} unknowns)",
        EmbeddedMethod.Direct => $"embedded sparse LDLᵀ ({_system.Pattern.Rows} unknowns, {_symbolic!.FactorNonzeros} factor entries, {_symbolic.Flops:g3} operations)",
        _ => $"embedded {_method} with {_preconditioner?.Description ?? _preconditionerKind.ToString()} ({_system.Pattern.Rows} unknowns, "
            + $"relative tolerance {_options.RelativeTolerance:g3})",
    };

    /// <inheritdoc/>
    /// <exception cref="InputException">The method does not fit the matrix kind.</exception>
    public void Initialize(LinearSystem system)
    {
        if (_options.Method == EmbeddedMethod.Cg && system.Kind == MatrixKind.General
            || _options.Method == EmbeddedMethod.Minres && system.Kind == MatrixKind.General)
            throw new InputException($"linear solver: {_options.Method} needs a symmetric matrix; choose Gmres, Direct or Auto");
        if (system.Kind == MatrixKind.General && _options.Preconditioner is EmbeddedPreconditioner.Ic0 or EmbeddedPreconditioner.Multigrid)
            throw new InputException($"linear solver: preconditioner {_options.Preconditioner} needs a symmetric matrix; choose Ilu0 or Jacobi");
        (_symbolic, _ldl, _lu, _factor, _blocks, _nullspace, _multigrid) = (null, null, null, null, null, null, null);
        (_preconditioner, _cg, _minres, _gmres) = (null, null, null, null);
        (_prepared, _hasValues, _failure, _firstIterations, _rebuild) = (false, false, null, -1, false);
        _given = system;
        (_system, _scatter) = Gather(system);
        int n = _system.Pattern.Rows;
        _matrix = new CsrMatrix(_system.Pattern, _options.Team);
        (_r, _d) = (new double[n], new double[n]);
        _method = _options.Method == EmbeddedMethod.Auto ? Choose() : _options.Method;
        _preconditionerKind = _options.Preconditioner != EmbeddedPreconditioner.Auto ? _options.Preconditioner : _method switch
        {
            EmbeddedMethod.Cg => EmbeddedPreconditioner.Multigrid,
            EmbeddedMethod.Minres => EmbeddedPreconditioner.Jacobi,
            _ => EmbeddedPreconditioner.Ilu0,
        };
        if (_method == EmbeddedMethod.Direct && _system.Kind != MatrixKind.General) Analyze();
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">Not initialised.</exception>
    /// <exception cref="ArgumentException">Wrong number of values.</exception>
    public void SetValues(ReadOnlySpan<double> values)
    {
        if (_given is null || _matrix is null) throw new InvalidOperationException("EmbeddedSolver.SetValues before Initialize");
        if (values.Length != _given.Pattern.Count)
            throw new ArgumentException($"{values.Length} values for a pattern of {_given.Pattern.Count} entries", nameof(values));
        if (_given.Comm.Size == 1) values.CopyTo(_matrix.Values);
        else
        {
            var (all, _) = _given.Comm.AllGather(values);
            Array.Clear(_matrix.Values);
            for (int e = 0; e < all.Length; e++) _matrix.Values[_scatter[e]] += all[e];
        }
        (_prepared, _hasValues, _failure) = (false, true, null);
        int bad = Vec.FirstNonFinite(_matrix.Values.AsSpan(0, _matrix.Pattern.Count));
        if (bad < 0) return;
        int row = Array.BinarySearch(_matrix.Pattern.RowStart, bad);
        // Empty rows repeat a start: the row of an entry is the last one that starts at or before it.
        row = row < 0 ? ~row - 1 : row;
        while (_matrix.Pattern.RowStart[row + 1] <= bad) row++;
        _failure = $"matrix entry ({row}, {_matrix.Pattern.Columns[bad]}) is NaN or infinite";
        _prepared = true;
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">Not initialised, or without values.</exception>
    /// <exception cref="ArgumentException">Lengths are not the number of owned unknowns.</exception>
    public SolveReport Solve(ReadOnlySpan<double> rhs, Span<double> solution)
    {
        if (_given is null || !_hasValues) throw new InvalidOperationException("EmbeddedSolver.Solve before Initialize and SetValues");
        if (rhs.Length != _given.Owned || solution.Length != _given.Owned)
            throw new ArgumentException($"right-hand side of {rhs.Length} and solution of {solution.Length} for {_given.Owned} owned unknowns");
        if (_given.Comm.Size == 1) return SolveAll(rhs, solution);
        (_rhs, int[] offsets) = _given.Comm.AllGather(rhs);
        (_x, _) = _given.Comm.AllGather<double>(solution);
        var report = SolveAll(_rhs, _x);
        _x.AsSpan(offsets[_given.Comm.Rank], _given.Owned).CopyTo(solution);
        return report;
    }

    /// <summary>Releases the factors.</summary>
    public void Dispose()
    {
        (_given, _system, _matrix, _symbolic, _ldl, _lu, _factor, _blocks, _multigrid) = (null, null, null, null, null, null, null, null, null);
        _hasValues = false;
    }

    private SolveReport SolveAll(ReadOnlySpan<double> b, Span<double> x)
    {
        double normB = Vec.Norm(b);
        if (!double.IsFinite(normB))
            return new(false, 0, double.NaN, $"right-hand side is NaN or infinite at unknown {Vec.FirstNonFinite(b)}");
        if (!_prepared) Prepare();
        if (_failure is not null) return new(false, 0, double.NaN, _failure);
        if (normB == 0)
        {
            x.Clear();
            return new(true, 0, 0, "right-hand side is zero");
        }
        if (_method == EmbeddedMethod.Direct) return SolveDirect(b, x, normB);
        var report = SolveKrylov(b, x);
        if (report.Converged || _options.Method != EmbeddedMethod.Auto || !Affordable(100)) return report;
        _method = EmbeddedMethod.Direct;
        Prepare();
        if (_failure is not null) return new(false, report.Iterations, report.RelativeResidual, _failure);
        var second = SolveDirect(b, x, normB);
        return second with { Reason = $"{second.Reason} (direct, after the Krylov method failed: {report.Reason})" };
    }

    // ---- the choice --------------------------------------------------------------------------------------------------------------

    private EmbeddedMethod Choose()
    {
        var krylov = _system!.Kind switch
        {
            MatrixKind.SymmetricPositiveDefinite => EmbeddedMethod.Cg,
            MatrixKind.Symmetric => EmbeddedMethod.Minres,
            _ => EmbeddedMethod.Gmres,
        };
        // Beyond these sizes even the analysis costs more than an iterative solve.
        if (krylov == EmbeddedMethod.Cg && _system.Pattern.Rows > (_system.Dimension == 3 ? 100_000 : 2_000_000)) return krylov;
        return Affordable(1) ? EmbeddedMethod.Direct : krylov;
    }

    private bool Affordable(double factor)
    {
        Analyze();
        if (_system!.Kind != MatrixKind.SymmetricPositiveDefinite) factor *= 10;
        return _symbolic!.Flops <= factor * _options.DirectFlops && _symbolic.FactorNonzeros <= Math.Min(factor, 4) * _options.DirectNonzeros;
    }

    private void Analyze() => _symbolic ??= SymbolicLdl.Analyze(_system!.Pattern, HasGeometry ? _system.NodeOf : default,
        HasGeometry ? _system.Coordinates : default, HasGeometry ? _system.Dimension : 0);

    private bool HasGeometry => _system!.Coordinates.Length > 0 && Array.TrueForAll(_system.NodeOf, node => node >= 0);

    private void Prepare()
    {
        _prepared = true;
        _failure = null;
        _normA = _matrix!.NormInfinity();
        try
        {
            if (_matrix.Rows == 0) return;
            if (_normA == 0) _failure = "matrix is zero";
            else if (_method == EmbeddedMethod.Direct) PrepareDirect();
            else PrepareKrylov();
        }
        catch (NumericalException failure)
        {
            _failure = failure.Message;
        }
    }

    // ---- direct ------------------------------------------------------------------------------------------------------------------

    private void PrepareDirect()
    {
        var kind = _system!.Kind;
        if (kind != MatrixKind.General)
        {
            Analyze();
            _factor = _ldl ??= new LdlFactor(_symbolic!, kind == MatrixKind.SymmetricPositiveDefinite);
            _failure = _ldl.Factor(_matrix!);
            if (kind == MatrixKind.SymmetricPositiveDefinite) return;
            if (_failure is null && !IsSingular()) return;
        }
        FactorLu();
    }

    private void FactorLu()
    {
        _factor = _lu ??= new LuFactor(_system!, HasGeometry);
        _failure = _lu.Factor(_matrix!);
        if (_failure is null && IsSingular()) _failure = "matrix is singular to working precision (estimated condition above 1e14)";
    }

    private SolveReport SolveDirect(ReadOnlySpan<double> b, Span<double> x, double normB)
    {
        var report = Refine(b, x, normB);
        if (report.Converged || _system!.Kind != MatrixKind.Symmetric || ReferenceEquals(_factor, _lu)) return report;
        // LDLᵀ without pivoting lost digits: pivot properly.
        FactorLu();
        return _failure is null ? Refine(b, x, normB) : new(false, 0, report.RelativeResidual, _failure);
    }

    private SolveReport Refine(ReadOnlySpan<double> b, Span<double> x, double normB)
    {
        double target = Math.Min(1e-12, _options.RelativeTolerance);
        b.CopyTo(x);
        _factor!.Solve(x);
        double best = double.PositiveInfinity;
        for (int step = 0; ; step++)
        {
            Vec.Residual(_matrix!, b, x, _r);
            double relative = Vec.Norm(_r) / normB;
            if (!double.IsFinite(relative)) return new(false, step, relative, "the factorisation overflowed; the matrix may be singular");
            bool worse = relative >= best;
            if (worse)
            {
                // The last correction did harm: take it back.
                Vec.Axpy(-1, _d, x);
                relative = best;
            }
            if (relative <= target || worse || step == Refinements || relative > 0.5 * best) return Judge(x, normB, relative, step);
            best = relative;
            _r.CopyTo(_d, 0);
            _factor.Solve(_d);
            Vec.Axpy(1, _d, x);
        }
    }

    private SolveReport Judge(ReadOnlySpan<double> x, double normB, double relative, int steps)
    {
        if (relative <= _options.RelativeTolerance) return new(true, steps, relative, "direct solve");
        if (!IsExactToRounding(x, normB, relative))
            return new(false, steps, relative, $"direct solve left a relative residual of {relative:g3}; the matrix may be singular or not as symmetric as promised");
        return IsSingular()
            ? new(false, steps, relative, "matrix is singular to working precision (estimated condition above 1e14)")
            : new(true, steps, relative, "direct solve, exact to rounding (ill-conditioned: the residual cannot fall further)");
    }

    /// <summary>Whether the residual is what rounding of A x leaves, about ε ‖A‖ ‖x‖, which no solver can improve: slender bodies,
    /// point supports, penalties.</summary>
    private bool IsExactToRounding(ReadOnlySpan<double> x, double normB, double relative)
        => relative * normB <= 1e-14 * (_normA * Vec.Norm(x) + normB);

    /// <summary>Condition of the equilibrated matrix S A S by two steps of inverse iteration; S from the largest entry of each row.</summary>
    private bool IsSingular()
    {
        var a = _matrix!;
        int n = a.Rows;
        var scale = new double[n];
        for (int i = 0; i < n; i++)
        {
            double largest = 0;
            for (int k = a.Pattern.RowStart[i]; k < a.Pattern.RowStart[i + 1]; k++) largest = Math.Max(largest, Math.Abs(a.Values[k]));
            if (largest == 0) return true;
            scale[i] = 1 / Math.Sqrt(largest);
        }
        double norm = 0;
        for (int i = 0; i < n; i++)
        {
            double sum = 0;
            for (int k = a.Pattern.RowStart[i]; k < a.Pattern.RowStart[i + 1]; k++) sum += Math.Abs(a.Values[k]) * scale[a.Pattern.Columns[k]];
            norm = Math.Max(norm, sum * scale[i]);
        }
        Vec.FillNoise(_d);
        double growth = 0;
        for (int step = 0; step < 2; step++)
        {
            double before = Vec.Norm(_d);
            for (int i = 0; i < n; i++) _d[i] /= before * scale[i];
            _factor!.Solve(_d);
            for (int i = 0; i < n; i++) _d[i] /= scale[i];
            growth = Vec.Norm(_d);
            if (!double.IsFinite(growth)) return true;
        }
        return growth * norm > 1e14;
    }

    // ---- Krylov ------------------------------------------------------------------------------------------------------------------

    private void PrepareKrylov()
    {
        var system = _system!;
        _blocks ??= new BlockCsrMatrix(system.Pattern, BlockNumbering.Of(system), _options.Team);
        _nullspace ??= NearNullspace.Of(system, _blocks.Numbering);
        _blocks.SetValues(_matrix!.Values);
        _failure = FloatingModes.Find(_blocks, _nullspace);
        if (_failure is not null) return;
        switch (_preconditionerKind)
        {
            case EmbeddedPreconditioner.Jacobi:
                _preconditioner = new JacobiPreconditioner(_matrix, signed: _method == EmbeddedMethod.Gmres);
                break;
            case EmbeddedPreconditioner.Ic0:
                _preconditioner = new Ic0Preconditioner(_matrix);
                break;
            case EmbeddedPreconditioner.Ilu0:
                _preconditioner = new Ilu0Preconditioner(_matrix);
                break;
            default:
                if (_multigrid is null || _rebuild)
                {
                    _multigrid = null;
                    _multigrid = new SmoothedAggregation(_blocks, _nullspace, _options.Multigrid, _options.Team);
                    (_rebuild, _firstIterations) = (false, -1);
                }
                else _multigrid.Update();
                _preconditioner = _multigrid;
                break;
        }
    }

    private SolveReport SolveKrylov(ReadOnlySpan<double> b, Span<double> x)
    {
        int n = _matrix!.Rows;
        var options = new KrylovOptions(_options.RelativeTolerance, _options.MaxIterations);
        var report = _method switch
        {
            EmbeddedMethod.Cg => (_cg ??= new ConjugateGradient(n)).Solve(_blocks!, _preconditioner!, b, x, options),
            EmbeddedMethod.Minres => (_minres ??= new Minres(n)).Solve(_blocks!, _preconditioner!, b, x, options),
            _ => (_gmres ??= new Gmres(n, _options.Restart)).Solve(_blocks!, _preconditioner!, b, x, options),
        };
        if (!report.Converged && report.RelativeResidual < 1e-4 && IsExactToRounding(x, Vec.Norm(b), report.RelativeResidual))
            report = report with { Converged = true, Reason = "exact to rounding (ill-conditioned: the residual cannot fall further)" };
        // Aggregates chosen for earlier values may have aged: start afresh with the next ones.
        if (_firstIterations < 0) _firstIterations = report.Iterations;
        else if (report.Iterations > 1.5 * _firstIterations + 5) _rebuild = true;
        return report;
    }

    // ---- several ranks -----------------------------------------------------------------------------------------------------------

    /// <summary>The whole system on this rank, and the place of each gathered entry in its pattern.</summary>
    private static (LinearSystem System, int[] Scatter) Gather(LinearSystem local)
    {
        if (local.Comm.Size == 1) return (local, []);
        var comm = local.Comm;
        long total = comm.AllReduceSum((long)local.Owned);
        if (total > int.MaxValue / 2) throw new InputException($"the embedded solver gathers the system on every rank; {total} unknowns are too many, use PETSc");
        int n = (int)total, count = local.Pattern.Count;
        var keys = new long[count];
        for (int i = 0; i < local.Pattern.Rows; i++)
            for (int k = local.Pattern.RowStart[i]; k < local.Pattern.RowStart[i + 1]; k++)
                keys[k] = local.LocalToGlobal[i] * total + local.LocalToGlobal[local.Pattern.Columns[k]];
        var (all, _) = comm.AllGather<long>(keys);
        var sorted = (long[])all.Clone();
        Array.Sort(sorted);
        int distinct = 0;
        for (int k = 0; k < sorted.Length; k++) if (k == 0 || sorted[k] != sorted[k - 1]) sorted[distinct++] = sorted[k];
        var start = new int[n + 1];
        var columns = new int[distinct];
        for (int k = 0; k < distinct; k++)
        {
            start[sorted[k] / total + 1]++;
            columns[k] = (int)(sorted[k] % total);
        }
        for (int i = 0; i < n; i++) start[i + 1] += start[i];
        var scatter = new int[all.Length];
        for (int e = 0; e < all.Length; e++) scatter[e] = Array.BinarySearch(sorted, 0, distinct, all[e]);

        // Nodes are numbered by rank; an unknown's node is its owner's.
        var (coordinates, offsets) = comm.AllGather<double>(local.Coordinates);
        int firstNode = local.Dimension > 0 ? offsets[comm.Rank] / local.Dimension : 0;
        var node = new int[local.Owned];
        for (int i = 0; i < local.Owned; i++) node[i] = local.NodeOf[i] < 0 ? -1 : local.NodeOf[i] + firstNode;
        var system = new LinearSystem(Comm.Self, local.Kind, new SparsePattern(n, start, columns), n, Identity(n), local.BlockSize,
            comm.AllGather<int>(node).Data, comm.AllGather<byte>(local.ComponentOf.AsSpan(0, local.Owned)).Data, coordinates, local.Dimension);
        return (system, scatter);
    }

    private static long[] Identity(int n)
    {
        var identity = new long[n];
        for (int i = 0; i < n; i++) identity[i] = i;
        return identity;
    }

    // ---- factors -----------------------------------------------------------------------------------------------------------------

    private interface IFactor
    {
        /// <summary>A sentence when it fails.</summary>
        string? Factor(CsrMatrix a);

        void Solve(Span<double> x);
    }

    private sealed class LdlFactor(SymbolicLdl symbolic, bool positive) : IFactor
    {
        private readonly SparseLdl _ldl = new(symbolic);

        public string? Factor(CsrMatrix a)
        {
            var status = _ldl.Factor(a.Values, positive);
            return status.IsOk ? null : $"matrix is {status}";
        }

        public void Solve(Span<double> x) => _ldl.Solve(x);
    }
    private sealed class LuFactor(LinearSystem system, bool geometry) : IFactor
    {
        private readonly SparseLu _lu = new(system.Pattern, geometry ? system.NodeOf : default, geometry ? system.Coordinates : default,
            geometry ? system.Dimension : 0);

        public string? Factor(CsrMatrix a)
        {
            var status = _lu.Factor(a.Values);
            return status.IsOk ? null : $"matrix is {status}";
        }

        public void Solve(Span<double> x) => _lu.Solve(x);
    }
}
