using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.IO;
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
    private Trajectory? _trajectory;
    private Thermo? _last;
    private int _sinceClock;
    private bool _started;

    public MdEngine(Job job, Comm comm, ThreadTeam team) : base(job, comm)
    {
        var run = Task.Run;
        _md = new MolecularDynamics(Atoms, ForceField, run.Ensemble!.Make(), new MdOptions { TimeStep = run.TimeStep, Skin = run.Skin, Seed = (ulong)job.Seed, MaxTemperature = run.MaxTemperature }, comm, team);
        _md.Every(Task.Output.Thermo, md => _last = md.Measure());
        if (Task.Output.Trajectory is not null) _md.Every(Task.Output.TrajectoryEvery, Frame);
    }

    protected override string Doing => $"{Task.Run.Steps} steps of {G(Task.Run.TimeStep)} fs, {Task.Run.Ensemble!.Name}";
    public override IReadOnlyList<string> Models => [.. base.Models, _md.Integrator.Description];
    public override int TotalSteps => Task.Run.Steps;
    public override double EndTime => Task.Run.Steps * Task.Run.TimeStep;

    public override IReadOnlyList<(string Name, string Unit)> Columns =>
    [
        ("temperature", "K"), ("potential", "eV"), ("kinetic", "eV"), ("total", "eV"), ("conserved", "eV"), ("pressure", "GPa"), ("volume", "Å^3"),
        .. Voigt.Select(l => ("pressure_" + l, "GPa")),
    ];

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
                _last = _md.Measure();
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
            _md.Run(some);
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
        if (_md.Step % thermo != 0) _last = _md.Measure();
        (Step, Time) = ((int)_md.Step, _md.Time);
        return Record(start);
    }

    private StepRecord Record(long start)
    {
        var t = _last!;
        int n = Atoms.Count;
        double perSecond = _clock.Elapsed.TotalSeconds > 0 ? _sinceClock / _clock.Elapsed.TotalSeconds : 0;
        string text = string.Create(CultureInfo.InvariantCulture, $"step {t.Step}/{TotalSteps}  {t.Time / 1000:F3} ps  T {t.Temperature:F1} K  E {t.Potential / n:F6} + {t.Kinetic / n:F6} eV/atom  P {t.PressureGPa:F4} GPa");
        if (double.IsFinite(t.Drift)) text += string.Create(CultureInfo.InvariantCulture, $"  drift {t.Drift:0.0e+00} eV/ps/atom");
        if (perSecond > 0)
            text += string.Create(CultureInfo.InvariantCulture, $"  {NsPerDay(perSecond):G4} ns/day, {Duration((TotalSteps - t.Step) / perSecond)} left");
        const double gpa = Codata.EvPerCubicAngstromInGPa;
        return new StepRecord((int)t.Step, t.Time, 0, 0, [], [t.Temperature, t.Potential, t.Kinetic, t.Total, t.Conserved, t.PressureGPa, t.Volume, .. t.PressureTensor.Select(p => p * gpa)], null, 0, 1,
            Stopwatch.GetElapsedTime(start).TotalSeconds) { Text = text };
    }

    private double NsPerDay(double stepsPerSecond) => stepsPerSecond * Task.Run.TimeStep * 1e-6 * 86400;

    private static string Duration(double seconds) => seconds < 60 ? $"{seconds.ToString("F0", CultureInfo.InvariantCulture)} s" : seconds < 3600 ? $"{(int)seconds / 60}:{(int)seconds % 60:D2} min" : $"{(int)(seconds / 3600)}:{(int)seconds / 60 % 60:D2} h";

    // ---- files ---------------------------------------------------------------------------------------------------------------------

    public override void Open(string folder)
    {
        base.Open(folder);
        if (Task.Output.Trajectory is { } name && Comm.IsRoot) _trajectory = Trajectory.Open(Path.Combine(folder, name), (long)_length[0]);
    }

    private void Frame(MolecularDynamics md)
    {
        var atoms = md.Atoms; // collective
        if (_trajectory is null) return;
        _trajectory.Add(new AtomFrame(atoms) { Step = md.Step, Time = md.Time });
        _length[0] = _trajectory.Length;
    }

    public override void Close(RunEnd end)
    {
        if (end != RunEnd.Failed || Comm.Size == 1)
        {
            var atoms = _md.Atoms;
            WriteStructure(new AtomFrame(atoms) { Step = _md.Step, Time = _md.Time });
        }
        _trajectory?.Close(end == RunEnd.Finished);
        _trajectory?.Dispose();
        _trajectory = null;
        if (_last is { } t && double.IsNaN(t.Drift) is false && Task.Run.Ensemble!.Name == "nve" && Math.Abs(t.Drift) > 1e-4)
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
            return [.. _state.Select(s => (s.Key, (Memory<double>)s.Value)), ("trajectory", _length)];
        }
    }

    public override void Restored(int step, double time)
    {
        base.Restored(step, time);
        var fields = new StateFields();
        foreach (var (name, data) in _state) fields.Fields[name] = data;
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
            if (double.IsFinite(_last.Drift)) numbers.Add(("energy drift per ps and atom", $"{_last.Drift.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV"));
            if (_clock.Elapsed.TotalSeconds > 0 && _sinceClock > 0) numbers.Add(("speed", $"{G(NsPerDay(_sinceClock / _clock.Elapsed.TotalSeconds), 4)} ns/day"));
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
        if (history.Steps.All(s => double.IsFinite(s.Values[4])))
        {
            double first = history.Steps[0].Values[4];
            Add(CurvePlot.Draw(time, [.. history.Steps.Select(s => 1000 * (s.Values[4] - first) / n)], "time [ps]", "change [meV/atom]", out trouble),
                $"Conserved energy (with what thermostat and barostat hold) less its start{(_last is { } t && double.IsFinite(t.Drift) ? $": drift {t.Drift.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV per ps and atom, scatter {_md.ScatterPerAtom.ToString("0.0e+00", CultureInfo.InvariantCulture)} eV per atom" : "")}", trouble);
        }
        Add(CurvePlot.Draw(time, Column(5), "time [ps]", "pressure [GPa]", out trouble), "Pressure", trouble);
        if (_md.Integrator.ChangesCell) Add(CurvePlot.Draw(time, Column(6, 1.0 / n), "time [ps]", "volume [Å³/atom]", out trouble), "Volume per atom", trouble);
        return figures;
    }

    public override IReadOnlyList<(string File, string What)> Files => Task.Output.Trajectory is { } name ? [(name, "trajectory"), .. base.Files] : base.Files;

    public override JsonObject? Results => _last is not { } t ? null : new JsonObject
    {
        ["atoms"] = Atoms.Count, ["temperature_K"] = Finite(t.Temperature), ["potential_eV"] = Finite(t.Potential), ["kinetic_eV"] = Finite(t.Kinetic),
        ["pressure_GPa"] = Finite(t.PressureGPa), ["volume_A3"] = t.Volume, ["drift_eV_per_ps_atom"] = Finite(t.Drift),
    };

    /// <summary>JSON knows no infinity; a run that fails at once may have one.</summary>
    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
