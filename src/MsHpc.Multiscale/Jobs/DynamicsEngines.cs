using System.Diagnostics;
using MsHpc.Continuum.Assembly;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Multiscale.Jobs;

/// <summary>What both ways of time integration share.</summary>
internal abstract class DynamicsEngine(Job job, Comm comm, ThreadTeam team) : MeshEngine(job, comm, team)
{
    protected override IReadOnlyList<(string Name, string Unit)> MoreColumns
    {
        get
        {
            string unit = UnitSystem.Parse(Job.UnitSystem).Symbol(Dimension.Energy);
            return [("kinetic_energy", unit), ("internal_energy", unit), ("external_work", unit), ("damping_energy", unit), ("total_energy", unit)];
        }
    }

    public override double EndTime => Job.Run.EndTime;

    protected static double[] Energies(EnergyBalance e) => [e.Kinetic, e.Internal, e.External, e.Damping, e.Total];

    /// <summary>Writes the initial velocity into a local nodal field.</summary>
    protected void Start(double[] velocity)
    {
        int dim = Model.Dimension;
        foreach (var (region, v) in Job.InitialVelocity)
        {
            var nodes = Model.Mesh.Cells.Where(c => region == "all" || c.Region == region).SelectMany(c => c.Connectivity).Distinct();
            foreach (int node in nodes)
                if (Model.LocalNode(node) is >= 0 and var local) v.CopyTo(velocity.AsSpan(local * dim));
        }
    }
}

/// <summary>Newmark and HHT.</summary>
internal sealed class ImplicitEngine : DynamicsEngine
{
    private readonly ILinearSolver _linear;
    private readonly ImplicitDynamics _solver;

    public ImplicitEngine(Job job, Comm comm, ThreadTeam team) : base(job, comm, team)
    {
        _linear = JobEngines.Solver(job.Macro, "macro_", comm, team, Notes);
        _solver = new ImplicitDynamics(Model, Conditions, _linear, new ImplicitOptions
        {
            Alpha = job.Run.Integrator!.Parameters.GetValueOrDefault("alpha"),
            MassDamping = job.Run.Integrator.Parameters["mass_damping"],
            StiffnessDamping = job.Run.Integrator.Parameters["stiffness_damping"],
            Newton = JobEngines.Newton(job.Run.Newton),
        });
        Start(_solver.Velocity);
    }

    public override int TotalSteps => Job.Run.Steps;
    protected override double[] Displacement => _solver.Displacement;
    protected override double[] Reaction(string boundary) => _solver.Reaction(boundary);
    protected override string Method => $"HHT α = {Numbers.Text(_solver.Options.Alpha)}, {_linear.Description}";

    public override StepRecord? Advance(StopCheck stop)
    {
        double dt = EndTime / TotalSteps;
        var report = _solver.Step(dt);
        Step++;
        Time = _solver.Time;
        return new StepRecord(Step, Time, report.Iterations, report.Cuts, [.. report.Norms.Select(n => report.Reference > 0 ? n / report.Reference : n)],
            [.. BoundaryValues(), .. Energies(_solver.Energy)], HillMandel(), 0, Shared?.Imbalance ?? 1, report.WallTime);
    }

    public override IEnumerable<(string Name, Memory<double> Data)> StateArrays => _solver.StateFields;

    public override void Restored(int step, double time, bool changed)
    {
        base.Restored(step, time, changed);
        _solver.Restart(time, step);
    }

    public override void Dispose()
    {
        _linear.Dispose();
        base.Dispose();
    }
}

/// <summary>Central differences; one record is one output interval, or one step when the job fixes their number.</summary>
internal sealed class ExplicitEngine : DynamicsEngine
{
    private readonly ExplicitDynamics _solver;
    private readonly double _dt;

    public ExplicitEngine(Job job, Comm comm, ThreadTeam team) : base(job, comm, team)
    {
        _solver = new ExplicitDynamics(Model, Conditions, new ExplicitOptions { Safety = job.Run.Integrator!.Parameters["safety"], MassDamping = job.Run.Integrator.Parameters["mass_damping"] });
        Start(_solver.Velocity);
        double largest = _solver.Options.Safety * _solver.StableStep;
        TotalSteps = job.Run.Steps > 0 ? job.Run.Steps : (int)Math.Min(int.MaxValue, Math.Max(1, Math.Ceiling(EndTime / largest * (1 - 1e-12))));
        _dt = EndTime / TotalSteps;
        if (_dt > _solver.StableStep)
            throw new InputException($"{TotalSteps} steps make a time step of {_dt:G4}, beyond the stable {_solver.StableStep:G4}: at least {Math.Ceiling(EndTime / largest)} steps are needed (or leave 'steps' out)");
    }

    public override int TotalSteps { get; }
    protected override double[] Displacement => _solver.Displacement;
    protected override double[] Reaction(string boundary) => _solver.Reaction(boundary);
    protected override string Method => $"central differences, Δt = {Numbers.Short(_dt)} (stable: {Numbers.Short(_solver.StableStep)})";

    public override StepRecord? Advance(StopCheck stop)
    {
        long start = Stopwatch.GetTimestamp();
        // A record per output interval: a table of all small steps would be larger than the result.
        int until = Math.Min(TotalSteps, (Step / Job.Output.Every + 1) * Job.Output.Every);
        while (Step < until)
        {
            _solver.Step(_dt);
            Step++;
            Time = _solver.Time;
            // Asking needs all ranks, so not at every step. The restart finishes the interval.
            if (Step % 64 == 0 && Step < until && stop()) return null;
        }
        return new StepRecord(Step, Time, 0, 0, [], [.. BoundaryValues(), .. Energies(_solver.Energy)], HillMandel(), 0, Shared?.Imbalance ?? 1, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    public override IEnumerable<(string Name, Memory<double> Data)> StateArrays => _solver.StateFields;

    public override void Restored(int step, double time, bool changed)
    {
        base.Restored(step, time, changed);
        _solver.Restart(time, step);
    }
}
