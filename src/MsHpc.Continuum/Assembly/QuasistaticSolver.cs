using System.Diagnostics;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Assembly;

/// <summary>
/// Equilibrium in time: f_int(u, history) = f_ext(t) with prescribed components, by Newton's method in steps that are cut when one fails
/// and grow again. A step starts from the last increment, scaled by the ratio of the steps: exact while the answer is linear, and near once
/// plastic flow is under way. The first step, and one after a knot of a load curve or a failure, starts from the tangent instead, which
/// carries the increments of the prescribed components into the body,
/// <code>
/// K_ff Δu_f = f_ext − f_int − K_fc Δū
/// </code>
/// so that a large increment does not crush the elements at the boundary.
/// </summary>
/// <remarks>Every method is collective over the model's ranks.</remarks>
public sealed class QuasistaticSolver
{
    private readonly ILinearSolver _linear;
    private readonly double[] _committed, _internal, _external, _residual, _increment, _coupling, _trial, _direction, _committedResidual;
    private readonly double[] _rhs, _solution;
    private readonly double[] _lastIncrement;
    private readonly double[] _lastStep = [0]; // length of the step that made it; 0: none
    private readonly List<double> _norms = [];
    private double _reference, _initialStep;
    private Action? _divided;
    private int _linearIterations, _lineSearches;
    private string _failure = "";

    /// <summary>Prepares the unknowns and initialises the linear solver.</summary>
    /// <param name="model">The model; its state advances with the solver.</param>
    /// <param name="conditions">Boundary conditions.</param>
    /// <param name="linear">A solver that has not been initialised; the caller disposes it.</param>
    /// <param name="options">Newton's options.</param>
    /// <exception cref="InputException">Faults of the boundary conditions.</exception>
    public QuasistaticSolver(FeModel model, BoundaryConditions conditions, ILinearSolver linear, NewtonOptions? options = null)
    {
        Model = model;
        Loads = conditions.Compile(model);
        Options = options ?? new NewtonOptions();
        System = new FeSystem(model, Loads.Constrained);
        _linear = linear;
        var kind = Options.Kind ?? (Loads.HasFollowers || !model.IsSymmetric ? MatrixKind.General
            : model.IsElastic ? MatrixKind.SymmetricPositiveDefinite : MatrixKind.Symmetric);
        if (model.Comm.AllReduceSum((long)System.Owned) > 0) linear.Initialize(System.ToLinearSystem(kind));
        Displacement = new double[model.Unknowns];
        (_committed, _internal, _external, _residual) = (Field(), Field(), Field(), Field());
        (_increment, _coupling, _trial, _direction, _committedResidual) = (Field(), Field(), Field(), Field(), Field());
        _lastIncrement = Field();
        _rhs = new double[System.Owned];
        _solution = new double[System.Owned];
        double[] Field() => new double[model.Unknowns];
    }

    /// <summary>The model.</summary>
    public FeModel Model { get; }

    /// <summary>Compiled boundary conditions.</summary>
    public FeLoads Loads { get; }

    /// <summary>Newton's options.</summary>
    public NewtonOptions Options { get; }

    /// <summary>Unknowns.</summary>
    public FeSystem System { get; }

    /// <summary>Time of the last accepted step.</summary>
    public double Time { get; private set; }

    /// <summary>Accepted steps so far.</summary>
    public int Steps { get; private set; }

    /// <summary>u at <see cref="Time"/>, local nodal field with ghosts.</summary>
    public double[] Displacement { get; }

    /// <summary>f_int − f_ext at <see cref="Time"/>, local nodal field at owned nodes: zero at free components to the tolerance, the
    /// reactions at prescribed ones.</summary>
    public ReadOnlySpan<double> Residual => _residual;

    /// <summary>Reaction on a named boundary: the force that the support exerts, summed over its prescribed components.</summary>
    public double[] Reaction(string boundary) => Loads.Reaction(boundary, _residual);

    /// <summary>What a restart needs besides the model's state fields, by name: overwrite the memory, then call <see cref="Restart"/>.</summary>
    public IEnumerable<(string Name, Memory<double> Data)> StateFields =>
        [("displacement", Displacement), ("last_increment", _lastIncrement), ("last_step", _lastStep)];

    /// <summary>Puts the solver at a saved time; <see cref="StateFields"/> and the model's are restored by the caller before.</summary>
    public void Restart(double time, int steps)
    {
        Time = time;
        Steps = steps;
    }

    /// <summary>Advances to a time in steps of at most the given length.</summary>
    /// <param name="endTime">Where to stop.</param>
    /// <param name="step">Initial and largest step; null for one step. Steps end at the knots of the load curves.</param>
    /// <param name="observer">Called after each accepted step.</param>
    /// <param name="divided">Called once, before the first accepted step, when it turns out that one step will not reach the end: model and
    /// solver still hold the state at the start, for callers that may want to come back to it.</param>
    /// <exception cref="ConvergenceException">The smallest step failed too. Displacement and state are those of the last accepted step.</exception>
    public void Solve(double endTime, double? step = null, Action<StepReport>? observer = null, Action? divided = null)
    {
        double largest = step ?? endTime - Time;
        if (!(largest > 0)) throw new ArgumentOutOfRangeException(nameof(step), "the step must be positive and the end ahead");
        _initialStep = largest;
        double dt = largest;
        while (endTime - Time > 1e-12 * Math.Abs(endTime))
        {
            double stop = Math.Min(endTime, Loads.NextKnot(Time * (1 + 1e-12)));
            double left = stop - Time;
            // Neither overshoot nor leave a sliver.
            double now = dt >= left * (1 - 1e-9) ? left : 2 * dt > left ? 0.5 * left : dt;
            bool whole = now >= (endTime - Time) * (1 - 1e-12);
            if (!whole) divided?.Invoke();
            _divided = whole ? divided : null; // may still be cut
            var report = Step(now, dt >= left * (1 - 1e-9) ? stop : Time + now);
            divided = null;
            observer?.Invoke(report);
            if (report.Cuts > 0) dt = report.TimeStep;
            if (report.Iterations <= Options.EasyIterations && report.Cuts == 0) dt = Math.Min(dt * Options.Growth, largest);
        }
    }

    /// <summary>One accepted step of at most the given length.</summary>
    /// <exception cref="ConvergenceException">See <see cref="Solve"/>.</exception>
    public StepReport Step(double timeStep) => Step(timeStep, Time + timeStep);

    private StepReport Step(double dt, double target)
    {
        long start = Stopwatch.GetTimestamp();
        if (_initialStep == 0) _initialStep = dt;
        _linearIterations = 0;
        Displacement.CopyTo(_committed, 0);
        _residual.CopyTo(_committedResidual, 0);
        for (int cuts = 0; ; cuts++)
        {
            double time = cuts == 0 ? target : Time + dt;
            _lineSearches = 0;
            if (Attempt(time, dt, cuts == 0, out int iterations))
            {
                for (int k = 0; k < _lastIncrement.Length; k++) _lastIncrement[k] = Displacement[k] - _committed[k];
                _lastStep[0] = dt;
                Model.Commit();
                Time = time;
                Steps++;
                return new StepReport(Steps, Time, dt, iterations, [.. _norms], _reference, cuts, _linearIterations, _lineSearches,
                    Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
            _committed.CopyTo(Displacement, 0);
            _committedResidual.CopyTo(_residual, 0);
            Model.Rollback();
            _divided?.Invoke();
            _divided = null;
            dt *= Options.Cutback;
            if (dt < Options.MinimumStep * _initialStep)
            {
                // Singular from the start is most often a forgotten support.
                string hint = Steps == 0 && _failure.Contains("singular", StringComparison.Ordinal) ? "; do the supports hold the body against every rigid motion?" : "";
                throw new ConvergenceException($"no convergence at time {time:G6} with the smallest step {dt / Options.Cutback:G3}: {_failure}{hint}", [.. _norms]);
            }
        }
    }

    private bool Attempt(double time, double dt, bool extrapolate, out int iterations)
    {
        iterations = 0;
        _norms.Clear();
        _reference = 0;
        var u = Displacement;

        // Increment of the prescribed components, zero elsewhere.
        u.CopyTo(_trial, 0);
        Loads.Prescribe(time, _trial);
        double largest = 0;
        for (int k = 0; k < u.Length; k++)
        {
            _increment[k] = _trial[k] - u[k];
            largest = Math.Max(largest, Math.Abs(_increment[k]));
        }
        // The first step carries the prescribed increments, which must be whole; without any it may be searched like the others.
        bool driven = Model.Comm.AllReduceMax(largest) > 0;

        double norm = double.NaN;
        bool first = !(extrapolate && Extrapolate(time, dt, out norm));
        if (first)
        {
            Loads.External(time, u, _external);
            if (!Model.Assemble(u, time, dt, _internal, System, _increment, _coupling)) return Fail("the material fails at the start");
            if (Loads.HasFollowers) Loads.AddTangent(time, u, System);
            for (int k = 0; k < u.Length; k++) _residual[k] = _internal[k] - _external[k] + _coupling[k];
            norm = System.FreeNorm(_residual);
            for (int k = 0; k < u.Length; k++) _residual[k] -= _coupling[k];
        }
        _reference = Math.Max(first ? norm : 0, Reference());
        _norms.Add(norm);
        if (!first && norm <= Math.Max(Options.AbsoluteTolerance, Options.RelativeTolerance * _reference)) return true;

        while (true)
        {
            if (iterations >= Options.MaxIterations) return Fail($"{iterations} iterations were not enough (residual {norm:G3}, reference {_reference:G3})");
            iterations++;
            System.Gather(_residual, _rhs);
            for (int k = 0; k < _rhs.Length; k++) _rhs[k] = -_rhs[k];
            if (first) SubtractCoupling();
            Array.Clear(_solution);
            if (!SolveLinear()) return false;
            double before = 0;
            for (int k = 0; k < _rhs.Length; k++) before += _rhs[k] * _solution[k];
            before = Model.Comm.AllReduceSum(before);

            Array.Clear(_direction);
            System.AddTo(_solution, 1, _direction);
            if (first) for (int k = 0; k < _direction.Length; k++) _direction[k] += _increment[k];
            Model.UpdateGhosts(_direction);
            u.CopyTo(_trial, 0);

            bool ok = Move(1, time, dt, true);
            double full = ok ? System.FreeNorm(_residual) : double.NaN;
            double tolerance = Math.Max(Options.AbsoluteTolerance, Options.RelativeTolerance * Math.Max(_reference, Reference()));
            if (Options.LineSearch != LineSearch.None && !(first && driven) && !(full <= tolerance) && NeedsSearch(ok, full, norm, before))
            {
                _lineSearches++;
                if (!Search(ok, full, norm, before, time, dt)) return Fail("the material fails along the search direction");
            }
            else if (!ok) return Fail("the material fails");

            norm = System.FreeNorm(_residual);
            _norms.Add(norm);
            _reference = Math.Max(_reference, Reference());
            if (!double.IsFinite(norm)) return Fail("the residual is not finite");
            first = false;
            if (norm <= Math.Max(Options.AbsoluteTolerance, Options.RelativeTolerance * _reference)) return true;
        }
    }

    /// <summary>Starts a step from the last increment; leaves residual and stiffness there.</summary>
    /// <returns>False, with everything as before, when there is no such increment or it leads nowhere.</returns>
    private bool Extrapolate(double time, double dt, out double norm)
    {
        norm = double.NaN;
        double last = _lastStep[0];
        // A knot at the start of this step, or within the last one, bends the path.
        if (last == 0 || Loads.NextKnot((Time - last) * (1 + 1e-12)) <= Time * (1 + 1e-12)) return false;
        for (int k = 0; k < _direction.Length; k++)
            _direction[k] = Loads.Constrained[k] ? _increment[k] : _lastIncrement[k] * (dt / last);
        Displacement.CopyTo(_trial, 0);
        bool ok = Move(1, time, dt, true);
        if (ok) norm = System.FreeNorm(_residual);
        if (ok && norm < 0.5 * Reference()) return true;
        _trial.CopyTo(Displacement, 0);
        Model.Rollback();
        return false;
    }

    private void SubtractCoupling()
    {
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
            if (System.Equation[k] is int row and >= 0) _rhs[row] -= _coupling[k];
    }

    private bool SolveLinear()
    {
        if (Model.Comm.AllReduceSum((long)System.Owned) == 0) return true;
        _linear.SetValues(System.Values);
        var report = _linear.Solve(_rhs, _solution);
        _linearIterations += report.Iterations;
        if (!report.Converged) return Fail($"linear solver: {report.Reason}");
        bool finite = true;
        foreach (double x in _solution) finite &= double.IsFinite(x);
        return Model.Comm.AllOk(finite) || Fail("the linear solver's answer is not finite");
    }

    /// <summary>u = trial + η·direction, then residual (and stiffness).</summary>
    private bool Move(double eta, double time, double dt, bool stiffness)
    {
        var u = Displacement;
        for (int k = 0; k < u.Length; k++) u[k] = _trial[k] + eta * _direction[k];
        if (!Model.Assemble(u, time, dt, _internal, stiffness ? System : null)) return false;
        Loads.External(time, u, _external);
        if (stiffness && Loads.HasFollowers) Loads.AddTangent(time, u, System);
        for (int k = 0; k < u.Length; k++) _residual[k] = _internal[k] - _external[k];
        return true;
    }

    /// <summary>s = −Δu·r: positive while the step still releases energy.</summary>
    private double Rate()
    {
        double sum = 0;
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++) if (System.Equation[k] >= 0) sum -= _direction[k] * _residual[k];
        return Model.Comm.AllReduceSum(sum);
    }

    /// <summary>By the work rate: the step went past the zero by almost as much as it came from. By the norm: it grew.</summary>
    private bool NeedsSearch(bool ok, double full, double norm, double before)
    {
        if (!ok || !double.IsFinite(full)) return true;
        if (Options.LineSearch == LineSearch.Residual) return full > norm;
        double rate = Rate();
        return rate * before < 0 && Math.Abs(rate) > 0.8 * Math.Abs(before);
    }

    /// <summary>Finds a shorter step and leaves residual and stiffness there: regula falsi on the work rate, bisection where the material
    /// fails, halving by the norm.</summary>
    private bool Search(bool ok, double full, double norm, double before, double time, double dt)
    {
        bool byNorm = Options.LineSearch == LineSearch.Residual;
        ok &= double.IsFinite(full);
        double low = 0, rateLow = before, high = 1, rateHigh = ok ? Rate() : double.NaN;
        double best = ok ? 1 : double.NaN, bestMeasure = !ok ? double.PositiveInfinity : byNorm ? full : Math.Abs(rateHigh);
        for (int trial = 0; trial < 6; trial++)
        {
            double eta = byNorm || double.IsNaN(rateHigh) ? 0.5 * (low + high)
                : Math.Clamp(low + (high - low) * rateLow / (rateLow - rateHigh), low + 0.1 * (high - low), high - 0.1 * (high - low));
            if (!Move(eta, time, dt, false))
            {
                (high, rateHigh) = (eta, double.NaN);
                continue;
            }
            double rate = Rate(), measure = byNorm ? System.FreeNorm(_residual) : Math.Abs(rate);
            if (measure < bestMeasure) (bestMeasure, best) = (measure, eta);
            if (byNorm ? bestMeasure < norm : bestMeasure <= 0.5 * Math.Abs(before)) break;
            if (!byNorm && rate * before > 0) (low, rateLow) = (eta, rate);
            else (high, rateHigh) = (eta, rate);
        }
        return !double.IsNaN(best) && Move(best, time, dt, true);
    }

    private double Reference() => Math.Max(Math.Sqrt(Model.Dot(_external, _external)), System.PrescribedNorm(_residual));

    private bool Fail(string reason)
    {
        int cell = Model.FailedCell();
        if (cell < 0) cell = Model.CellOfLargest(FreePart());
        _failure = cell >= 0 ? $"{reason}; {Model.Locate(cell)}" : reason;
        return false;
    }

    private double[] FreePart()
    {
        for (int k = 0; k < _coupling.Length; k++) _coupling[k] = System.Equation[k] >= 0 ? _residual[k] : 0;
        return _coupling;
    }
}
