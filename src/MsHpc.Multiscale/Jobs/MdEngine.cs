using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.IO;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Molecular dynamics: a line of thermo.csv at a time.</summary>
internal sealed class MdEngine : AtomEngine
{
    private readonly MolecularDynamics _md;
    private readonly double[] _length = new double[1]; // of the trajectory, kept with each checkpoint
    private readonly SortedDictionary<string, double[]> _state = new(StringComparer.Ordinal);
    private readonly Stopwatch _clock = new();
    private readonly IReadOnlyList<AtomAnalysis> _analyses;
    private double[] _push = []; // on walls and indenters, of the last line
    private IReadOnlyList<string> _details = [];
    private Trajectory? _trajectory;
    private Thermo? _last;
    private int _sinceClock;
    private bool _started;

    public MdEngine(Job job, Comm comm, ThreadTeam team) : base(job, comm)
    {
        var run = Task.Run;
        _md = new MolecularDynamics(Atoms, ForceField, run.Ensemble!.Make(Model), Task.MakeOptions(Model, job.Seed), comm, team);
        _md.Every(Task.Output.Thermo, Measure);
        _analyses = AtomAnalyses.Make(Task.Output, Atoms, run);
        foreach (var analysis in _analyses) _md.Every(analysis.Choice.Every, md => Sample(analysis, md), measures: false);
        if (Task.Output.Trajectory is not null) _md.Every(Task.Output.TrajectoryEvery, Frame, measures: false);
    }

    protected override string Doing => $"{Task.Run.Steps} steps of {G(Task.Run.TimeStep)} fs, {Task.Run.Ensemble!.Name}";
    public override IReadOnlyList<string> Models => [.. base.Models, _md.Integrator.Description];
    public override int TotalSteps => Task.Run.Steps;
    public override double EndTime => _md.TimeAt(Task.Run.Steps);

    public override IReadOnlyList<(string Name, string Unit)> Columns =>
    [
        ("temperature", "K"), ("potential", "eV"), ("kinetic", "eV"), ("total", "eV"), ("conserved", "eV"), ("pressure", "GPa"), ("volume", "Å^3"),
        .. Voigt.Select(l => ("pressure_" + l, "GPa")), .. Pushed.SelectMany(p => p.Names.Select(n => (n, "eV/Å"))),
    ];

    /// <summary>Walls and indenters with the columns of the forces on them.</summary>
    private IEnumerable<(Interaction Term, string[] Names)> Pushed
    {
        get
        {
            int walls = 0, indenters = 0;
            foreach (var (_, term) in Model.Terms)
                if (term.Interaction is Wall) yield return (term.Interaction, [$"wall{++walls}_force"]);
                else if (term.Interaction is Indenter && ++indenters > 0) yield return (term.Interaction, [.. "xyz".Select(k => $"indenter{indenters}_force_{k}")]);
        }
    }

    /// <summary>Whether nothing but thermostat and barostat, which count it, works on the atoms: then a drift is an error of the time step.</summary>
    private bool Conserves => !Model.Moves && !Task.Run.Driven!.Any(d => d.Velocity.Any(v => v is { } speed && speed != 0));

    private bool Drifts => Conserves && _last is { } t && double.IsFinite(t.Drift);

    private void Measure(MolecularDynamics md)
    {
        _last = md.Measure();
        _push = [.. Pushed.SelectMany(p => p.Term is Wall wall ? [wall.Reaction] : ((Indenter)p.Term).Reaction.ToArray())];
        if (_push.Length > 0) Comm.AllReduceSum(_push);
    }

    private void Sample(AtomAnalysis analysis, MolecularDynamics md)
    {
        if (md.Step < analysis.Choice.From) return;
        var atoms = md.Atoms; // collective
        if (Comm.IsRoot) analysis.Add(atoms, md.Step, md.Time);
    }

    /// <summary>Makes steps; what moves by itself is at each step where its time says.</summary>
    private void Steps(int count)
    {
        if (!Model.Moves) { _md.Run(count); return; }
        for (int k = 0; k < count; k++)
        {
            _md.Run(0); // forces of now, if they are not there
            Model.MoveTo(_md.TimeAt(_md.Step + 1));
            _md.Run(1);
        }
    }

    public override StepRecord? Advance(StopCheck stop)
    {
        long start = Stopwatch.GetTimestamp();
        int thermo = Task.Output.Thermo;
        if (!_started && Step == 0)
        {
            // What the run starts from is a line, too.
            _started = true;
            if (_md.Step == 0)
            {
                if (_trajectory is not null || Task.Output.Trajectory is not null) Frame(_md);
                foreach (var analysis in _analyses) Sample(analysis, _md);
                Measure(_md);
                return Record(start);
            }
        }
        _started = true;
        int target = Math.Min(TotalSteps, (Step / thermo + 1) * thermo);
        _clock.Start();
        int before = (int)_md.Step;
        while (_md.Step < target)
        {
            // A signal should not wait for a long interval; asking costs a collective call.
            int some = (int)Math.Min(target - _md.Step, Math.Max(1, 2_000_000 / Math.Max(1, Atoms.Count)));
            Steps(some);
            if (_md.Step < target && stop())
            {
                _clock.Stop();
                _sinceClock += (int)_md.Step - before;
                (Step, Time) = ((int)_md.Step, _md.Time);
                return null;
            }
        }
        _clock.Stop();
        _sinceClock += (int)_md.Step - before;
        if (_md.Step % thermo != 0) Measure(_md);
        (Step, Time) = ((int)_md.Step, _md.Time);
        return Record(start);
    }

    private StepRecord Record(long start)
    {
        var t = _last!;
        int n = Atoms.Count;
        double perSecond = _clock.Elapsed.TotalSeconds > 0 ? _sinceClock / _clock.Elapsed.TotalSeconds : 0;
        string text = string.Create(CultureInfo.InvariantCulture, $"step {t.Step}/{TotalSteps}  {t.Time / 1000:F3} ps  T {t.Temperature:F1} K  E {t.Potential / n:F6} + {t.Kinetic / n:F6} eV/atom  P {t.PressureGPa:F4} GPa");
        if (Drifts) text += string.Create(CultureInfo.InvariantCulture, $"  drift {t.Drift:0.0e+00} eV/ps/atom");
        if (perSecond > 0)
            text += string.Create(CultureInfo.InvariantCulture, $"  {NsPerDay(perSecond):G4} ns/day, {Duration((TotalSteps - t.Step) / perSecond)} left");
        const double gpa = Codata.EvPerCubicAngstromInGPa;
        return new StepRecord((int)t.Step, t.Time, 0, 0, [], [t.Temperature, t.Potential, t.Kinetic, t.Total, t.Conserved, t.PressureGPa, t.Volume, .. t.PressureTensor.Select(p => p * gpa), .. _push], null, 0, 1,
            Stopwatch.GetElapsedTime(start).TotalSeconds) { Text = text };
    }

    private double NsPerDay(double stepsPerSecond) => stepsPerSecond * Task.Run.TimeStep * 1e-6 * 86400;

    private static string Duration(double seconds) => seconds < 60 ? $"{seconds.ToString("F0", CultureInfo.InvariantCulture)} s" : seconds < 3600 ? $"{(int)seconds / 60}:{(int)seconds % 60:D2} min" : $"{(int)(seconds / 3600)}:{(int)seconds / 60 % 60:D2} h";

    // ---- files ---------------------------------------------------------------------------------------------------------------------

    public override void Open(string folder)
    {
        base.Open(folder);
        if (Task.Output.Trajectory is { } name && Comm.IsRoot) _trajectory = Trajectory.Open(Path.Combine(folder, name), (long)_length[0]);
        _details = AtomPlan.Levels(_md, Task.Run.Ensemble!);
    }

    public override IReadOnlyList<string> Details => _details;

    /// <summary>What analyses say of each atom, for files of atoms.</summary>
    private Dictionary<string, double[]> PerAtom(Atoms atoms) => _analyses.Select(a => a.PerAtom(atoms)).OfType<(string Name, double[] Values)>().DistinctBy(c => c.Name).ToDictionary(c => c.Name, c => c.Values);

    private void Frame(MolecularDynamics md)
    {
        var atoms = md.Atoms; // collective
        if (_trajectory is null) return;
        _trajectory.Add(new AtomFrame(atoms) { Step = md.Step, Time = md.Time, Columns = PerAtom(atoms) });
        _length[0] = _trajectory.Length;
    }

    public override void Close(RunEnd end)
    {
        var atoms = _md.Atoms; // collective
        if (Comm.IsRoot) WriteStructure(new AtomFrame(atoms) { Step = _md.Step, Time = _md.Time, Columns = PerAtom(atoms) });
        if (Comm.IsRoot) foreach (var analysis in _analyses) AtomicFile.WriteText(Path.Combine(Folder, analysis.File), analysis.Csv());
        _trajectory?.Close(end == RunEnd.Finished);
        _trajectory?.Dispose();
        _trajectory = null;
        if (_last is { } t && Drifts && Task.Run.Ensemble!.Name is "nve" or "rrespa" && Math.Abs(t.Drift) > 1e-4)
            Notes.Add($"the energy drifts by {t.Drift.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV per ps and atom: the time step is likely too large");
    }

    public override void Dispose()
    {
        _trajectory?.Dispose();
        base.Dispose();
    }

    // ---- state ---------------------------------------------------------------------------------------------------------------------

    /// <summary>The run's own arrays, brought up to date; a restart writes into them and <see cref="Restored"/> hands them over.</summary>
    public override IEnumerable<(string Name, Memory<double> Data)> StateArrays
    {
        get
        {
            foreach (var (name, data) in _md.Save().Fields)
            {
                if (_state.TryGetValue(name, out var kept) && kept.Length == data.Length) data.CopyTo(kept, 0);
                else _state[name] = data;
            }
            return [.. _state.Select(s => (s.Key, (Memory<double>)s.Value)), ("trajectory", _length),
                .. _analyses.SelectMany((a, n) => a.State.Select((data, k) => ($"analysis{n}_{k}", (Memory<double>)data)))];
        }
    }

    /// <summary>How long and how finely the run goes on, and what thermostat and barostat aim at; not what acts, nor what kind of run it is.</summary>
    public override bool MayChange(string key) => base.MayChange(key) || key is "run.steps" or "run.timestep" or "run.skin" or "run.max_temperature" or "run.remove_momentum"
        || key.Split('.') is ["run", "ensemble", not "rrespa", "temperature" or "time" or "friction" or "pressure" or "pressure_time"] or ["run", "ensemble", "rrespa", "temperature" or "friction"];

    /// <summary>Tables of analyses get a row a sample.</summary>
    public override bool MayGrow(string name) => _analyses.Where((a, n) => a is StructureAnalysis && name == $"analysis{n}_0").Any();

    public override bool FailedTogether => _md.Failed;

    public override void Restored(int step, double time, bool changed)
    {
        if (step > TotalSteps) throw new InputException($"the checkpoint is one after step {step}, and 'run.steps' is {TotalSteps}");
        base.Restored(step, time, changed);
        var fields = new StateFields();
        foreach (var (name, data) in _state) fields.Fields[name] = data;
        // Another thermostat conserves another quantity, a longer step keeps it less well: its drift counts from here.
        if (changed) Array.Clear(fields.Fields["monitor"]);
        Model.MoveTo(time);
        _md.Restore(fields);
        _started = true;
    }

    // ---- results -------------------------------------------------------------------------------------------------------------------

    public override IReadOnlyList<(string Label, string Value)> KeyNumbers
    {
        get
        {
            if (_last is null) return [];
            var numbers = new List<(string, string)> { ("simulated", $"{G(_md.Time / 1000, 5)} ps"), ("temperature at the end", $"{G(_last.Temperature, 4)} K") };
            if (Drifts) numbers.Add(("energy drift per ps and atom", $"{_last.Drift.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV"));
            if (_clock.Elapsed.TotalSeconds > 0 && _sinceClock > 0) numbers.AddRange([("speed", $"{G(NsPerDay(_sinceClock / _clock.Elapsed.TotalSeconds), 4)} ns/day"), ("per atom and step", $"{G(_clock.Elapsed.TotalSeconds * 1e9 / _sinceClock / Atoms.Count, 4)} ns")]);
            foreach (var analysis in _analyses) numbers.AddRange(analysis.KeyNumbers);
            return numbers;
        }
    }

    public override IReadOnlyList<(string Svg, string Caption)> Figures(RunHistory history, ICollection<string> notes)
    {
        if (history.Steps.Count < 2) return [];
        var figures = new List<(string, string)>();
        double[] time = [.. history.Steps.Select(s => s.Time / 1000)];
        int n = Atoms.Count;
        double[] Column(int c, double factor = 1) => [.. history.Steps.Select(s => s.Values[c] * factor)];
        void Add(string? svg, string caption, string? trouble)
        {
            if (svg is not null) figures.Add((svg, caption));
            else if (trouble is not null && !notes.Contains(trouble)) notes.Add(trouble);
        }
        Add(CurvePlot.Draw(time, Column(0), "time [ps]", "temperature [K]", out string? trouble), "Temperature", trouble);
        Add(CurvePlot.Draw([new("potential", time, Column(1, 1.0 / n)), new("total", time, Column(3, 1.0 / n))], "time [ps]", "energy [eV/atom]", out trouble), "Potential and total energy per atom", trouble);
        if (Conserves && history.Steps.All(s => double.IsFinite(s.Values[4])))
        {
            double first = history.Steps[0].Values[4];
            Add(CurvePlot.Draw(time, [.. history.Steps.Select(s => 1000 * (s.Values[4] - first) / n)], "time [ps]", "change [meV/atom]", out trouble),
                $"Conserved energy (with what thermostat and barostat hold) less its start{(Drifts ? $": drift {_last!.Drift.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV per ps and atom, scatter {_md.ScatterPerAtom.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV per atom" : "")}", trouble);
        }
        Add(CurvePlot.Draw(time, Column(5), "time [ps]", "pressure [GPa]", out trouble), "Pressure", trouble);
        if (_md.Integrator.ChangesCell) Add(CurvePlot.Draw(time, Column(6, 1.0 / n), "time [ps]", "volume [Å³/atom]", out trouble), "Volume per atom", trouble);
        if (Task.Run.Deform is { } rate)
        {
            // Along the direction that is stretched or sheared most.
            int k = Enumerable.Range(0, 9).MaxBy(i => Math.Abs(rate[i])), voigt = (k / 3, k % 3) switch { (0, 0) => 0, (1, 1) => 1, (2, 2) => 2, (1, 2) or (2, 1) => 3, (0, 2) or (2, 0) => 4, _ => 5 };
            Add(CurvePlot.Draw([.. history.Steps.Select(s => s.Time * rate[k])], Column(7 + voigt, -1), $"strain {"xyz"[k / 3]}{"xyz"[k % 3]}", $"stress {Voigt[voigt]} [GPa]", out trouble), "Stress over strain", trouble);
        }
        string[] pushed = [.. Pushed.SelectMany(p => p.Names)];
        if (pushed.Length > 0) Add(CurvePlot.Draw([.. pushed.Select((p, c) => new CurvePlot.Curve(p.Replace("_force", "", StringComparison.Ordinal).Replace('_', ' '), time, Column(13 + c)))], "time [ps]", "force [eV/Å]", out trouble), "Force of the atoms on walls and indenters", trouble);
        foreach (var analysis in _analyses)
        {
            var (svg, caption) = analysis.Figure(out trouble);
            Add(svg, caption, trouble);
        }
        return figures;
    }

    public override IReadOnlyList<(string File, string What)> Files => [.. Task.Output.Trajectory is { } name ? [(name, "trajectory")] : Array.Empty<(string, string)>(), .. _analyses.Select(a => (a.File, a.What)), .. base.Files];

    public override JsonObject? Results => _last is not { } t ? null : new JsonObject
    {
        ["atoms"] = Atoms.Count, ["temperature_K"] = Finite(t.Temperature), ["potential_eV"] = Finite(t.Potential), ["kinetic_eV"] = Finite(t.Kinetic),
        ["pressure_GPa"] = Finite(t.PressureGPa), ["volume_A3"] = t.Volume, ["drift_eV_per_ps_atom"] = Drifts ? Finite(t.Drift) : null,
    };

    /// <summary>JSON knows no infinity; a run that fails at once may have one.</summary>
    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
