using System.Diagnostics;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Assembly;

/// <summary>Choices of implicit time integration.</summary>
public sealed record ImplicitOptions
{
    /// <summary>α of Hilber, Hughes and Taylor, −1/3 … 0: 0 is Newmark's average acceleration without damping, −1/3 damps high modes most.
    /// β = (1 − α)²/4 and γ = 1/2 − α follow, for second order and unconditional stability (linear).</summary>
    public double Alpha { get; init; }

    /// <summary>Damping C = this·M + <see cref="StiffnessDamping"/>·K₀.</summary>
    public double MassDamping { get; init; }

    /// <summary>Factor of the initial stiffness in the damping matrix.</summary>
    public double StiffnessDamping { get; init; }

    /// <summary>Newton's options. Steps are not cut: the observer sees a <see cref="ConvergenceException"/>.</summary>
    public NewtonOptions Newton { get; init; } = new();
}

/// <summary>Energies of a moving body, in the job's unit.</summary>
/// <param name="Kinetic">½ v·M v.</param>
/// <param name="Internal">Work done on the material since the start, trapezoidal in time (exact for linear laws).</param>
/// <param name="External">Work of loads and prescribed motion since the start, trapezoidal.</param>
/// <param name="Damping">Energy taken by damping since the start.</param>
public readonly record struct EnergyBalance(double Kinetic, double Internal, double External, double Damping)
{
    /// <summary>Kinetic + internal + damping − external: constant in an exact motion.</summary>
    public double Total => Kinetic + Internal + Damping - External;
}

/// <summary>
/// Implicit dynamics, Newmark (N. M. Newmark, J. Eng. Mech. Div. ASCE 85, 67, 1959) and HHT-α (H. M. Hilber, T. J. R. Hughes, R. L.
/// Taylor, Earthquake Eng. Struct. Dyn. 5, 283, 1977) with consistent mass:
/// <code>
/// M aₙ₊₁ + (1 + α)(f_int + C v − f_ext)ₙ₊₁ − α(f_int + C v − f_ext)ₙ = 0
/// uₙ₊₁ = uₙ + Δt vₙ + Δt²((½ − β)aₙ + β aₙ₊₁)     vₙ₊₁ = vₙ + Δt((1 − γ)aₙ + γ aₙ₊₁)
/// </code>
/// </summary>
/// <remarks>Every method is collective over the model's ranks.</remarks>
public sealed class ImplicitDynamics
{
    private readonly ILinearSolver _linear;
    private readonly double[] _mass; // nodal graph
    private readonly FeSystem? _damping; // K₀, all components
    private readonly double[] _internal, _external, _damped, _old, _inertia, _residual, _increment, _coupling, _uOld, _vOld, _aOld, _externalOld;
    private readonly double[] _internalOld, _dampedOld, _inertiaOld, _ahead, _scratch, _rhs, _solution, _work = new double[3];
    private bool _started;
    private double _internalWork, _externalWork, _dampingWork;

    /// <summary>Prepares mass and unknowns and initialises the linear solver.</summary>
    /// <param name="model">The model; all its laws need a density.</param>
    /// <param name="conditions">Boundary conditions.</param>
    /// <param name="linear">A solver that has not been initialised; the caller disposes it.</param>
    /// <param name="options">Scheme and damping.</param>
    /// <exception cref="InputException">α out of range, no density, or faults of the boundary conditions.</exception>
    public ImplicitDynamics(FeModel model, BoundaryConditions conditions, ILinearSolver linear, ImplicitOptions? options = null)
    {
        Model = model;
        Options = options ?? new ImplicitOptions();
        if (!(Options.Alpha is >= -1.0 / 3 - 1e-12 and <= 0)) throw new InputException($"HHT's alpha lies in −1/3 … 0, not {Options.Alpha}");
        Loads = conditions.Compile(model);
        System = new FeSystem(model, Loads.Constrained);
        _linear = linear;
        _mass = model.ConsistentMass();
        linear.Initialize(System.ToLinearSystem(Options.Newton.Kind ?? (Loads.HasFollowers || !model.IsSymmetric ? MatrixKind.General
            : model.IsElastic ? MatrixKind.SymmetricPositiveDefinite : MatrixKind.Symmetric)));
        (Displacement, Velocity, Acceleration) = (Field(), Field(), Field());
        (_internal, _external, _damped, _old, _inertia, _residual) = (Field(), Field(), Field(), Field(), Field(), Field());
        (_increment, _coupling, _uOld, _vOld, _aOld, _externalOld) = (Field(), Field(), Field(), Field(), Field(), Field());
        (_internalOld, _dampedOld, _inertiaOld, _ahead, _scratch) = (Field(), Field(), Field(), Field(), Field());
        _rhs = new double[System.Owned];
        _solution = new double[System.Owned];
        if (Options.StiffnessDamping != 0)
        {
            _damping = new FeSystem(model, new bool[model.Unknowns]);
            if (!model.Assemble(Displacement, 0, 0, _scratch, _damping)) throw new NumericalException("the material fails at rest");
            model.Rollback();
        }
        double[] Field() => new double[model.Unknowns];
    }

    /// <summary>The model.</summary>
    public FeModel Model { get; }

    /// <summary>Scheme and damping.</summary>
    public ImplicitOptions Options { get; }

    /// <summary>Compiled boundary conditions.</summary>
    public FeLoads Loads { get; }

    /// <summary>Unknowns.</summary>
    public FeSystem System { get; }

    /// <summary>Time.</summary>
    public double Time { get; private set; }

    /// <summary>Steps so far.</summary>
    public int Steps { get; private set; }

    /// <summary>u, local nodal field with ghosts. Set the initial one before the first step.</summary>
    public double[] Displacement { get; }

    /// <summary>v, as <see cref="Displacement"/>.</summary>
    public double[] Velocity { get; }

    /// <summary>a; the initial one follows from equilibrium.</summary>
    public double[] Acceleration { get; }

    /// <summary>Reaction on a named boundary, inertia and damping included.</summary>
    public double[] Reaction(string boundary)
    {
        for (int k = 0; k < _scratch.Length; k++) _scratch[k] = _inertia[k] + _internal[k] + _damped[k] - _external[k];
        return Loads.Reaction(boundary, _scratch);
    }

    /// <summary>Energies at the current time.</summary>
    public EnergyBalance Energy
    {
        get
        {
            MassTimes(Velocity, _scratch);
            return new EnergyBalance(0.5 * Model.Dot(Velocity, _scratch), _internalWork, _externalWork, _dampingWork);
        }
    }

    private readonly double[] _totals = new double[4];

    /// <summary>Everything that the next step depends on, by name, for checkpoints: read it, or overwrite it and call <see cref="Restart"/>.</summary>
    public IEnumerable<(string Name, Memory<double> Data)> StateFields
    {
        get
        {
            (_totals[0], _totals[1], _totals[2], _totals[3]) = (_started ? 1 : 0, _internalWork, _externalWork, _dampingWork);
            return [("displacement", Displacement), ("velocity", Velocity), ("acceleration", Acceleration), ("internal", _internal),
                ("damped", _damped), ("external", _external), ("inertia", _inertia), ("totals", _totals), .. Model.StateFields];
        }
    }

    /// <summary>Goes on from a time whose <see cref="StateFields"/> were put back.</summary>
    public void Restart(double time, int steps)
    {
        (Time, Steps) = (time, steps);
        (_started, _internalWork, _externalWork, _dampingWork) = (_totals[0] != 0, _totals[1], _totals[2], _totals[3]);
        Model.Rollback();
    }

    /// <summary>Advances by one step.</summary>
    /// <exception cref="ConvergenceException">Newton's method or the material failed; everything is as before the step.</exception>
    public StepReport Step(double dt)
    {
        long start = Stopwatch.GetTimestamp();
        if (!_started) Start();
        double alpha = Options.Alpha, beta = (1 - alpha) * (1 - alpha) / 4, gamma = 0.5 - alpha, time = Time + dt;
        double a0 = 1 / (beta * dt * dt), a1 = gamma / (beta * dt);
        double[] u = Displacement, v = Velocity, a = Acceleration;
        u.CopyTo(_uOld, 0);
        v.CopyTo(_vOld, 0);
        a.CopyTo(_aOld, 0);
        _internal.CopyTo(_internalOld, 0);
        _damped.CopyTo(_dampedOld, 0);
        _external.CopyTo(_externalOld, 0);
        _inertia.CopyTo(_inertiaOld, 0);
        for (int k = 0; k < _old.Length; k++) _old[k] = _internal[k] + _damped[k] - _external[k];

        Array.Clear(_increment);
        u.CopyTo(_scratch, 0);
        Loads.Prescribe(time, _scratch);
        for (int k = 0; k < u.Length; k++) _increment[k] = _scratch[k] - u[k];
        u.CopyTo(_ahead, 0);
        Loads.Prescribe(time + dt, _ahead);

        var norms = new List<double>();
        double reference = 0;
        int linear = 0;
        for (int iteration = 0; ; iteration++)
        {
            // Newmark's relations with u known. Prescribed motion gives its own velocity and acceleration, by central differences:
            // Newmark's would ring after every jump of the speed.
            for (int k = 0; k < u.Length; k++)
            {
                if (Loads.Constrained[k])
                {
                    double now = iteration == 0 ? u[k] + _increment[k] : u[k];
                    v[k] = (_ahead[k] - _uOld[k]) / (2 * dt);
                    a[k] = (_ahead[k] - 2 * now + _uOld[k]) / (dt * dt);
                    continue;
                }
                a[k] = a0 * (u[k] - _uOld[k] - dt * _vOld[k]) - (0.5 / beta - 1) * _aOld[k];
                v[k] = _vOld[k] + dt * ((1 - gamma) * _aOld[k] + gamma * a[k]);
            }
            bool first = iteration == 0;
            if (!Model.Assemble(u, time, dt, _internal, System, first ? _increment : null, first ? _coupling : null))
                throw Fail("the material fails", norms);
            Loads.External(time, u, _external);
            if (Loads.HasFollowers) Loads.AddTangent(time, u, System);
            MassTimes(a, _inertia);
            DampingTimes(v, _damped);
            for (int k = 0; k < u.Length; k++)
                _residual[k] = _inertia[k] + (1 + alpha) * (_internal[k] + _damped[k] - _external[k]) - alpha * _old[k];
            if (first) for (int k = 0; k < u.Length; k++) _residual[k] += (1 + alpha) * _coupling[k]; // K_fc Δū
            double norm = System.FreeNorm(_residual);
            norms.Add(norm);
            reference = Math.Max(reference, Math.Max(Math.Max(norm, Math.Sqrt(Model.Dot(_external, _external))),
                Math.Max(System.FreeNorm(_inertia), System.FreeNorm(_internal))));
            if (!double.IsFinite(norm)) throw Fail("the residual is not finite", norms);
            if (!first && norm <= Math.Max(Options.Newton.AbsoluteTolerance, Options.Newton.RelativeTolerance * reference)) break;
            if (iteration >= Options.Newton.MaxIterations) throw Fail($"{iteration} iterations were not enough", norms);

            var values = System.Values;
            for (int k = 0; k < values.Length; k++) values[k] *= 1 + alpha;
            if (_damping is not null) AddDampingStiffness((1 + alpha) * a1 * Options.StiffnessDamping);
            System.AddNodal(_mass, a0 + (1 + alpha) * a1 * Options.MassDamping);
            _linear.SetValues(values);
            System.Gather(_residual, _rhs);
            for (int k = 0; k < _rhs.Length; k++) _rhs[k] = -_rhs[k];
            Array.Clear(_solution);
            var report = _linear.Solve(_rhs, _solution);
            linear += report.Iterations;
            if (!report.Converged) throw Fail($"linear solver: {report.Reason}", norms);
            System.AddTo(_solution, 1, u);
            if (first) for (int k = 0; k < u.Length; k++) u[k] += _increment[k];
            Model.UpdateGhosts(u);
        }

        Array.Clear(_work);
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
        {
            double du = u[k] - _uOld[k], supported = System.Equation[k] < 0 ? 1 : 0;
            // Where motion is prescribed the support adds its reaction M a + f_int + C v − f_ext to the load.
            double force = _external[k] + supported * (_inertia[k] + _internal[k] + _damped[k] - _external[k]);
            double forceOld = _externalOld[k] + supported * (_inertiaOld[k] + _old[k]);
            _work[0] += 0.5 * (_internal[k] + _internalOld[k]) * du;
            _work[1] += 0.5 * (force + forceOld) * du;
            _work[2] += 0.5 * (_damped[k] + _dampedOld[k]) * du;
        }
        Model.Comm.AllReduceSum(_work.AsSpan());
        _internalWork += _work[0];
        _externalWork += _work[1];
        _dampingWork += _work[2];
        Model.Commit();
        Time = time;
        Steps++;
        return new StepReport(Steps, Time, dt, norms.Count - 1, norms, reference, 0, linear, 0, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>Accelerations from equilibrium at the start.</summary>
    private void Start()
    {
        Model.UpdateGhosts(Velocity);
        Model.UpdateGhosts(Displacement);
        Loads.Prescribe(Time, Displacement);
        if (!Model.Assemble(Displacement, Time, 0, _internal)) throw new NumericalException($"the material fails at the start in {Model.Locate(Model.FailedCell())}");
        Model.Commit();
        Loads.External(Time, Displacement, _external);
        DampingTimes(Velocity, _damped);
        for (int k = 0; k < _residual.Length; k++) _residual[k] = _external[k] - _internal[k] - _damped[k];
        Array.Clear(System.Values);
        System.AddNodal(_mass, 1);
        _linear.SetValues(System.Values);
        System.Gather(_residual, _rhs);
        Array.Clear(_solution);
        _linear.Solve(_rhs, _solution).Require();
        Array.Clear(Acceleration);
        System.AddTo(_solution, 1, Acceleration);
        Model.UpdateGhosts(Acceleration);
        MassTimes(Acceleration, _inertia);
        _started = true;
    }

    private void MassTimes(double[] x, double[] y)
    {
        var graph = Model.Graph;
        int dim = Model.Dimension;
        for (int a = 0; a < Model.Nodes; a++)
            for (int i = 0; i < dim; i++)
            {
                double sum = 0;
                for (int k = graph.RowStart[a]; k < graph.RowStart[a + 1]; k++) sum += _mass[k] * x[graph.Columns[k] * dim + i];
                y[a * dim + i] = sum;
            }
        Model.SumToOwners(y);
    }

    private void DampingTimes(double[] x, double[] y)
    {
        Array.Clear(y);
        if (Options.MassDamping != 0)
        {
            MassTimes(x, y);
            for (int k = 0; k < y.Length; k++) y[k] *= Options.MassDamping;
        }
        if (_damping is null) return;
        _damping.Multiply(_damping.Values, x, Options.StiffnessDamping, y);
        Model.SumToOwners(y);
    }

    private void AddDampingStiffness(double scale)
    {
        var graph = Model.Graph;
        int dim = Model.Dimension;
        for (int a = 0; a < Model.Nodes; a++)
            for (int i = 0; i < dim; i++)
            {
                int row = System.Equation[a * dim + i];
                if (row < 0) continue;
                for (int k = graph.RowStart[a]; k < graph.RowStart[a + 1]; k++)
                {
                    int from = _damping!.Pattern.RowStart[a * dim + i] + _damping.ColumnOffset[k], to = System.Pattern.RowStart[row] + System.ColumnOffset[k];
                    for (int j = 0; j < dim; j++)
                        if (System.Equation[graph.Columns[k] * dim + j] >= 0) System.Values[to++] += scale * _damping.Values[from + j];
                }
            }
    }

    private ConvergenceException Fail(string reason, List<double> norms)
    {
        int cell = Model.FailedCell();
        if (cell < 0) cell = Model.CellOfLargest(_residual);
        _uOld.CopyTo(Displacement, 0);
        _vOld.CopyTo(Velocity, 0);
        _aOld.CopyTo(Acceleration, 0);
        _internalOld.CopyTo(_internal, 0);
        _externalOld.CopyTo(_external, 0);
        _dampedOld.CopyTo(_damped, 0);
        _inertiaOld.CopyTo(_inertia, 0);
        Model.Rollback();
        return new ConvergenceException($"the step after time {Time:G6} does not converge: {reason}{(cell >= 0 ? "; " + Model.Locate(cell) : "")}", norms);
    }
}
