using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>Choices of explicit time integration.</summary>
public sealed record ExplicitOptions
{
    /// <summary>Fraction of the estimated stable step that is taken.</summary>
    public double Safety { get; init; } = 0.9;

    /// <summary>Damping force −this·M v.</summary>
    public double MassDamping { get; init; }

    /// <summary>Steps between new estimates of the stable step; 0 for one estimate at the start.</summary>
    public int EstimateEvery { get; init; }

    /// <summary>The run is declared unstable when the kinetic energy exceeds this many times all energy that was put in.</summary>
    public double BlowUp { get; init; } = 1000;
}

/// <summary>
/// Explicit dynamics by central differences with lumped mass,
/// <code>
/// v_{n+½} = v_{n−½} + Δt M⁻¹(f_ext − f_int − C v)ₙ      uₙ₊₁ = uₙ + Δt v_{n+½}
/// </code>
/// written so that velocities at whole steps are available. Energies are taken on the staggered velocities: ½ v_{n+½}·M v_{n−½} plus the
/// trapezoidal work is then constant but for rounding, so that any drift is an error of the model and not of the bookkeeping.
/// </summary>
/// <remarks>Every method is collective over the model's ranks.</remarks>
public sealed class ExplicitDynamics
{
    private readonly double[] _mass, _internal, _external, _next, _externalNext, _half, _halfOld, _ahead, _scratch;
    private readonly double[] _work = new double[3];
    private bool _started;
    private double _initial, _internalWork, _externalWork, _dampingWork, _given, _stable;

    /// <summary>Prepares the lumped mass.</summary>
    /// <param name="model">The model; all its laws need a density.</param>
    /// <param name="conditions">Boundary conditions.</param>
    /// <param name="options">Safety and damping.</param>
    /// <exception cref="InputException">No density, or faults of the boundary conditions.</exception>
    public ExplicitDynamics(FeModel model, BoundaryConditions conditions, ExplicitOptions? options = null)
    {
        Model = model;
        Options = options ?? new ExplicitOptions();
        Loads = conditions.Compile(model);
        _mass = model.LumpedMass();
        (Displacement, Velocity, Acceleration) = (Field(), Field(), Field());
        (_internal, _external, _next, _externalNext) = (Field(), Field(), Field(), Field());
        (_half, _halfOld, _ahead, _scratch) = (Field(), Field(), Field(), Field());
        double[] Field() => new double[model.Unknowns];
    }

    /// <summary>The model.</summary>
    public FeModel Model { get; }

    /// <summary>Safety and damping.</summary>
    public ExplicitOptions Options { get; }

    /// <summary>Compiled boundary conditions.</summary>
    public FeLoads Loads { get; }

    /// <summary>Lumped mass, local nodal vector field.</summary>
    public ReadOnlySpan<double> Mass => _mass;

    /// <summary>Time.</summary>
    public double Time { get; private set; }

    /// <summary>Steps so far.</summary>
    public int Steps { get; private set; }

    /// <summary>u, local nodal field with ghosts. Set the initial one before the first step.</summary>
    public double[] Displacement { get; }

    /// <summary>v at whole steps.</summary>
    public double[] Velocity { get; }

    /// <summary>a.</summary>
    public double[] Acceleration { get; }

    /// <summary>Energies on staggered velocities; Total stays constant but for rounding.</summary>
    public EnergyBalance Energy { get; private set; }

    /// <summary>The estimated stable step, without the safety factor.</summary>
    public double StableStep => _stable > 0 ? _stable : _stable = Model.StableStep(Displacement, Time);

    /// <summary>Reaction on a named boundary, inertia included.</summary>
    public double[] Reaction(string boundary)
    {
        for (int k = 0; k < _scratch.Length; k++) _scratch[k] = _mass[k] * Acceleration[k] + _internal[k] - _external[k];
        return Loads.Reaction(boundary, _scratch);
    }

    private readonly double[] _totals = new double[11];

    /// <summary>Everything that the next step depends on, by name, for checkpoints: read it, or overwrite it and call <see cref="Restart"/>.</summary>
    public IEnumerable<(string Name, Memory<double> Data)> StateFields
    {
        get
        {
            double[] now = [_started ? 1 : 0, _initial, _internalWork, _externalWork, _dampingWork, _given, _stable, Energy.Kinetic, Energy.Internal,
                Energy.External, Energy.Damping];
            now.CopyTo(_totals, 0);
            return [("displacement", Displacement), ("velocity", Velocity), ("acceleration", Acceleration), ("half", _half),
                ("internal", _internal), ("external", _external), ("totals", _totals), .. Model.StateFields];
        }
    }

    /// <summary>Goes on from a time whose <see cref="StateFields"/> were put back.</summary>
    public void Restart(double time, int steps)
    {
        (Time, Steps, _started) = (time, steps, _totals[0] != 0);
        (_initial, _internalWork, _externalWork, _dampingWork, _given, _stable) = (_totals[1], _totals[2], _totals[3], _totals[4], _totals[5], _totals[6]);
        Energy = new EnergyBalance(_totals[7], _totals[8], _totals[9], _totals[10]);
        Model.Rollback();
    }

    /// <summary>Runs to a time with steps of the safety factor times the stable step, equalised to end there.</summary>
    /// <param name="endTime">Where to stop.</param>
    /// <param name="observer">Called after each step.</param>
    public void Run(double endTime, Action<ExplicitDynamics>? observer = null)
    {
        while (endTime - Time > 1e-12 * Math.Abs(endTime))
        {
            double largest = Options.Safety * StableStep;
            Step((endTime - Time) / Math.Max(1, Math.Ceiling((endTime - Time) / largest * (1 - 1e-12))));
            observer?.Invoke(this);
        }
    }

    /// <summary>One step of any length: the caller answers for stability.</summary>
    /// <exception cref="NumericalException">A point failed, or the energy shows that the step is unstable.</exception>
    public void Step(double dt)
    {
        if (!_started) Start(dt);
        double[] u = Displacement, v = Velocity, a = Acceleration;
        double time = Time + dt, damping = Options.MassDamping;
        u.CopyTo(_scratch, 0);
        for (int k = 0; k < u.Length; k++)
        {
            _halfOld[k] = _half[k];
            _half[k] = v[k] + 0.5 * dt * a[k];
            u[k] += dt * _half[k];
        }
        Loads.Prescribe(time, u);
        for (int k = 0; k < u.Length; k++) if (Loads.Constrained[k]) _half[k] = (u[k] - _scratch[k]) / dt;

        if (!Model.Assemble(u, time, dt, _next)) throw new NumericalException($"explicit step at time {time:G6}: the material fails in {Model.Locate(Model.FailedCell())}");
        Loads.External(time, u, _externalNext);
        u.CopyTo(_ahead, 0);
        Loads.Prescribe(time + dt, _ahead);
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
        {
            // Damping acts on v_{n+½}, so the update stays explicit.
            double next = Loads.Constrained[k] ? ((_ahead[k] - u[k]) / dt - _half[k]) / dt
                : (_externalNext[k] - _next[k]) / _mass[k] - damping * _half[k];
            double du = u[k] - _scratch[k];
            _work[0] += 0.5 * (_internal[k] + _next[k]) * du;
            _work[1] += Loads.Constrained[k] ? 0.5 * (_mass[k] * (a[k] + next) + _internal[k] + _next[k]) * du : 0.5 * (_external[k] + _externalNext[k]) * du;
            _work[2] += Loads.Constrained[k] ? 0 : 0.5 * damping * _mass[k] * (_halfOld[k] + _half[k]) * du;
            a[k] = next;
            v[k] = _half[k] + 0.5 * dt * next;
        }
        Model.UpdateGhosts(a);
        Model.UpdateGhosts(v);
        Model.Comm.AllReduceSum(_work.AsSpan());
        _internalWork += _work[0];
        _externalWork += _work[1];
        _dampingWork += _work[2];
        _given += Math.Abs(_work[1]);
        Array.Clear(_work);
        _next.CopyTo(_internal, 0);
        _externalNext.CopyTo(_external, 0);
        Model.Commit();
        Time = time;
        Steps++;

        // ½ v_{n+½}·M v_{n+3/2} with the next half step as it will be for the same Δt.
        double staggered = 0, kinetic = 0;
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
        {
            staggered += 0.5 * _mass[k] * _half[k] * (_half[k] + dt * a[k]);
            kinetic += 0.5 * _mass[k] * _half[k] * _half[k];
        }
        staggered = Model.Comm.AllReduceSum(staggered);
        kinetic = Model.Comm.AllReduceSum(kinetic);
        Energy = new EnergyBalance(staggered, _internalWork, _externalWork, _dampingWork);
        if (!(kinetic <= Options.BlowUp * (_initial + _given)))
            throw new NumericalException($"explicit dynamics is unstable at time {Time:G6}: kinetic energy {kinetic:G3} from {_initial + _given:G3} put in; "
                + $"the step is {dt:G4}, the estimated limit {StableStep:G4}");
        if (Options.EstimateEvery > 0 && Steps % Options.EstimateEvery == 0) _stable = Model.StableStep(u, Time);
    }

    private void Start(double dt)
    {
        Model.UpdateGhosts(Velocity);
        Model.UpdateGhosts(Displacement);
        Loads.Prescribe(Time, Displacement);
        if (!Model.Assemble(Displacement, Time, 0, _internal)) throw new NumericalException($"the material fails at the start in {Model.Locate(Model.FailedCell())}");
        Model.Commit();
        Loads.External(Time, Displacement, _external);
        Displacement.CopyTo(_ahead, 0);
        Loads.Prescribe(Time + dt, _ahead);
        double energy = 0, staggered = 0;
        for (int k = 0; k < Model.OwnedNodes * Model.Dimension; k++)
        {
            if (Loads.Constrained[k]) Velocity[k] = (_ahead[k] - Displacement[k]) / dt;
            Acceleration[k] = Loads.Constrained[k] ? 0 : (_external[k] - _internal[k]) / _mass[k] - Options.MassDamping * Velocity[k];
            energy += 0.5 * _mass[k] * Velocity[k] * Velocity[k] + Math.Abs(_internal[k] * Displacement[k]);
            double change = 0.5 * dt * Acceleration[k];
            staggered += 0.5 * _mass[k] * (Velocity[k] - change) * (Velocity[k] + change);
        }
        Velocity.CopyTo(_half, 0);
        Energy = new EnergyBalance(Model.Comm.AllReduceSum(staggered), 0, 0, 0);
        Model.UpdateGhosts(Acceleration);
        _initial = Model.Comm.AllReduceSum(energy);
        _started = true;
    }
}
