using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Analysis;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Energy, forces and stress of atoms as they are.</summary>
internal sealed class EnergyEngine(Job job, Comm comm, ThreadTeam team) : OneStepEngine(job, comm)
{
    private CalculatorResults _results = new(0);

    protected override string Doing => "energy, forces and stress";
    public override IReadOnlyList<(string Name, string Unit)> Columns => [("energy", "eV"), ("energy_per_atom", "eV"), ("max_force", "eV/Å"), .. Voigt.Select(l => ("stress_" + l, "GPa"))];

    protected override (double[] Values, string Text) Work(StopCheck stop)
    {
        var domain = ForceField.MakeDomain(Atoms, 0.5, Comm, team);
        var tally = ForceField.Compute(domain, Want.Virial);
        _results = new CalculatorResults(Atoms.Count) { Energy = tally.Energy };
        domain.StoreForces(_results.Forces);
        if (!double.IsFinite(tally.Energy) || !_results.Forces.All(double.IsFinite))
            throw new NumericalException("the energy or a force is not a finite number: some atoms lie on top of each other, or closer than the potential allows");
        for (int k = 0; k < 6; k++) _results.Virial[k] = tally.Virial[k];
        return (Values(_results), string.Create(CultureInfo.InvariantCulture, $"energy {_results.Energy:R} eV, {_results.Energy / Atoms.Count:F6} eV/atom, largest force {LargestForce(_results):G4} eV/Å"));
    }

    private double[] Values(CalculatorResults r) => [r.Energy, r.Energy / Atoms.Count, LargestForce(r), .. Stress(r, Codata.EvPerCubicAngstromInGPa)];

    private double[] Stress(CalculatorResults r, double factor) => [.. r.Virial.Select(w => -w * factor / Atoms.Cell.Volume)];

    internal static double LargestForce(CalculatorResults r)
    {
        double largest = 0;
        for (int i = 0; i < r.Forces.Length; i += 3) largest = Math.Max(largest, Math.Sqrt(r.Forces[i] * r.Forces[i] + r.Forces[i + 1] * r.Forces[i + 1] + r.Forces[i + 2] * r.Forces[i + 2]));
        return largest;
    }

    public override void Close(RunEnd end)
    {
        if (end == RunEnd.Finished) WriteStructure(new AtomFrame(Atoms) { Energy = _results.Energy, Forces = _results.Forces, Stress = Stress(_results, 1) });
    }

    public override JsonObject? Results => Step == 0 ? null : new JsonObject
    {
        ["atoms"] = Atoms.Count, ["energy_eV"] = _results.Energy, ["energy_per_atom_eV"] = _results.Energy / Atoms.Count, ["max_force_eV_per_A"] = LargestForce(_results),
        ["stress_GPa"] = Numbers6(Stress(_results, 1), Codata.EvPerCubicAngstromInGPa),
    };

    public override IReadOnlyList<(string Label, string Value)> KeyNumbers => Step == 0 ? [] :
        [("energy per atom", $"{G(_results.Energy / Atoms.Count, 8)} eV"), ("largest force", $"{G(LargestForce(_results), 4)} eV/Å"), ("pressure", $"{G(-Stress(_results, Codata.EvPerCubicAngstromInGPa)[..3].Average(), 5)} GPa")];
}

/// <summary>The nearest minimum.</summary>
internal sealed class MinimizeEngine(Job job, Comm comm, ThreadTeam team) : OneStepEngine(job, comm)
{
    private readonly List<MinimizeStep> _steps = [];

    private MinimizeChoice Choice => Task.Run.Minimize!;

    protected override string Doing => $"minimum by {Choice.Method.ToString().ToLowerInvariant()} to {G(Choice.MaxForce)} eV/Å{(Choice.Cell == CellRelaxation.None ? "" : $", cell {Choice.Cell.ToString().ToLowerInvariant()}")}";
    public override IReadOnlyList<(string Name, string Unit)> Columns => [("energy", "eV"), ("energy_per_atom", "eV"), ("max_force", "eV/Å"), .. Voigt.Select(l => ("stress_" + l, "GPa"))];

    protected override (double[] Values, string Text) Work(StopCheck stop)
    {
        double p = Choice.Pressure;
        _steps.Clear();
        var minimizer = new Minimizer(ForceField, new MinimizerOptions
        {
            Method = Choice.Method, ForceTolerance = Choice.MaxForce, StressTolerance = Choice.MaxStress, MaxSteps = Choice.MaxSteps, Cell = Choice.Cell,
            TargetStress = Choice.Cell == CellRelaxation.None ? null : [-p, -p, -p, 0, 0, 0],
            Progress = step =>
            {
                _steps.Add(step);
                if (stop()) throw new OperationCanceledException();
            },
        }, Comm, team);
        var end = minimizer.Run(Atoms);
        if (_steps.Count == 0 || _steps[^1].Step != end.Step) _steps.Add(end);
        _results = minimizer.Results;
        return ([end.Energy, end.Energy / Atoms.Count, end.MaxForce, .. end.Stress.Select(s => s * Codata.EvPerCubicAngstromInGPa)],
            string.Create(CultureInfo.InvariantCulture, $"minimum after {end.Step} steps ({end.Evaluations} force calculations): energy {end.Energy:R} eV, {end.Energy / Atoms.Count:F6} eV/atom, largest force {end.MaxForce:0.0e+00} eV/Å"));
    }

    private CalculatorResults? _results;

    public override void Close(RunEnd end)
    {
        if (!Comm.IsRoot || _steps.Count == 0) return;
        var text = new StringBuilder("step,evaluations,energy [eV],max_force [eV/Å],max_stress [eV/Å^3]\n");
        foreach (var s in _steps) text.Append(CultureInfo.InvariantCulture, $"{s.Step},{s.Evaluations},{s.Energy:R},{s.MaxForce:R},{s.MaxStress:R}\n");
        AtomicFile.WriteText(Path.Combine(Folder, "minimize.csv"), text.ToString());
        if (end != RunEnd.Checkpointed) WriteStructure(new AtomFrame(Atoms) { Energy = _steps[^1].Energy, Forces = _results?.Forces ?? [], Stress = _steps[^1].Stress });
    }

    public override IReadOnlyList<(string File, string What)> Files => [("minimize.csv", "energy and largest force after each step"), .. base.Files];

    public override IReadOnlyList<(string Svg, string Caption)> Figures(RunHistory history, ICollection<string> notes)
    {
        if (_steps.Count < 2) return [];
        double[] x = [.. _steps.Select(s => (double)s.Step)];
        string? force = CurvePlot.Draw(x, [.. _steps.Select(s => s.MaxForce)], "step", "log10 largest force [eV/Å]", out string? trouble, logarithmic: true);
        if (force is null) { if (trouble is not null) notes.Add(trouble); return []; }
        return [(force, "Largest force"), (CurvePlot.Draw(x, [.. _steps.Select(s => s.Energy / Atoms.Count)], "step", "energy [eV/atom]", out _)!, "Energy per atom")];
    }

    public override IReadOnlyList<(string Label, string Value)> KeyNumbers => _steps.Count == 0 ? [] :
        [("energy per atom", $"{G(_steps[^1].Energy / Atoms.Count, 8)} eV"), ("largest force", $"{G(_steps[^1].MaxForce, 3)} eV/Å"), ("volume per atom", $"{G(Atoms.Cell.Volume / Atoms.Count)} Å³")];

    public override JsonObject? Results => _steps.Count == 0 ? null : new JsonObject
    {
        ["atoms"] = Atoms.Count, ["energy_eV"] = _steps[^1].Energy, ["energy_per_atom_eV"] = _steps[^1].Energy / Atoms.Count, ["max_force_eV_per_A"] = _steps[^1].MaxForce,
        ["stress_GPa"] = Numbers6(_steps[^1].Stress, Codata.EvPerCubicAngstromInGPa), ["volume_A3"] = Atoms.Cell.Volume, ["evaluations"] = _steps[^1].Evaluations,
    };
}

/// <summary>Elastic constants at 0 K.</summary>
internal sealed class ElasticEngine(Job job, Comm comm) : OneStepEngine(job, comm)
{
    private ElasticResult? _result;
    private const double Gpa = Codata.EvPerCubicAngstromInGPa;

    protected override string Doing => $"elastic constants{(Task.Run.Elastic!.Relax ? " of the relaxed crystal" : "")}";
    public override IReadOnlyList<(string Name, string Unit)> Columns => [("C11", "GPa"), ("C12", "GPa"), ("C44", "GPa"), ("bulk_modulus", "GPa")];

    protected override (double[] Values, string Text) Work(StopCheck stop)
    {
        var r = _result = ElasticConstants.Compute(ForceField, Atoms, Task.Run.Elastic!.Relax, Task.Run.Elastic.Strain, _ => !stop());
        Atoms = r.Atoms;
        double residual = r.Stress.Max(Math.Abs) * Gpa;
        if (residual > 0.01 || r.MaxForce > 1e-3)
            Notes.Add($"the crystal is not at rest: stress {G(residual, 3)} GPa, force {G(r.MaxForce, 3)} eV/Å; the constants are those of the strained crystal (relax: true brings it to rest)");
        if (r.Stability[0] < 0) Notes.Add($"the crystal is elastically unstable: the smallest eigenvalue of C is {G(r.Stability[0] * Gpa, 4)} GPa");
        if (r.Modes.Length > 0 && r.Modes[0] < -1e-6) Notes.Add($"the atoms of the cell are at a saddle: the smallest eigenvalue of their Hessian is {G(r.Modes[0], 4)} eV/Å²");
        double[] values = [r.Relaxed[0, 0] * Gpa, r.Relaxed[0, 1] * Gpa, r.Relaxed[3, 3] * Gpa, r.BulkVoigt * Gpa];
        return (values, string.Create(CultureInfo.InvariantCulture, $"C11 {values[0]:F4}  C12 {values[1]:F4}  C44 {values[2]:F4}  bulk modulus {values[3]:F4} GPa"));
    }

    public override IReadOnlyList<ResultTable> Tables => _result is not { } r ? [] :
        [new("elastic_constants_GPa", "Elastic constants (relaxed atoms)", "GPa", Voigt, Voigt, Rows(r.Relaxed)), new("clamped_constants_GPa", "Elastic constants (atoms clamped to the strain)", "GPa", Voigt, Voigt, Rows(r.Clamped))];

    /// <summary>In GPa; what is below the accuracy of the differences is a zero of symmetry.</summary>
    private static double[][] Rows(double[,] c) => [.. Enumerable.Range(0, 6).Select(i => Enumerable.Range(0, 6).Select(j => Math.Abs(c[i, j]) < 1e-8 * Math.Abs(c[0, 0]) ? 0 : c[i, j] * Gpa).ToArray())];

    public override IReadOnlyList<(string Label, string Value)> KeyNumbers => _result is not { } r ? [] :
    [
        ("bulk modulus (Voigt)", $"{G(r.BulkVoigt * Gpa, 5)} GPa"), ("shear modulus (Voigt–Reuss mean)", $"{G((r.ShearVoigt + r.Reuss.Shear) / 2 * Gpa, 5)} GPa"),
        ("energy per atom", $"{G(r.Energy / Atoms.Count, 8)} eV"), ("volume per atom", $"{G(Atoms.Cell.Volume / Atoms.Count)} Å³"),
    ];

    public override IReadOnlyList<(string Svg, string Caption)> Figures(RunHistory history, ICollection<string> notes)
    {
        if (_result is not { } r) return [];
        // Young's modulus in the xy plane: 1/E = S_ijkl n_i n_j n_k n_l.
        var s = new double[36];
        for (int i = 0; i < 6; i++) for (int j = 0; j < 6; j++) s[i + 6 * j] = r.Relaxed[i, j];
        if (r.Stability[0] <= 0) return [];
        Dense.Inverse(6, s);
        double Young(double x, double y, double z)
        {
            double[] m = [x * x, y * y, z * z, y * z, x * z, x * y];
            double sum = 0;
            for (int i = 0; i < 6; i++) for (int j = 0; j < 6; j++) sum += m[i] * s[i + 6 * j] * m[j];
            return Gpa / sum;
        }
        double[] angle = [.. Enumerable.Range(0, 181).Select(k => (double)k)];
        double[] Around(Func<double, (double, double, double)> n) => [.. angle.Select(a => { var (x, y, z) = n(a * Math.PI / 180); return Young(x, y, z); })];
        double h = Math.Sqrt(0.5);
        string? svg = CurvePlot.Draw([new("x to y", angle, Around(a => (Math.Cos(a), Math.Sin(a), 0))), new("z to x + y", angle, Around(a => (h * Math.Sin(a), h * Math.Sin(a), Math.Cos(a))))],
            "angle [°]", "Young's modulus [GPa]", out string? trouble);
        if (svg is null) { if (trouble is not null) notes.Add(trouble); return []; }
        return [(svg, "Young's modulus over the direction of pull: from x towards y, and from z towards the diagonal of x and y")];
    }

    public override JsonObject? Results => _result is not { } r ? null : new JsonObject
    {
        ["atoms"] = Atoms.Count, ["energy_per_atom_eV"] = r.Energy / Atoms.Count, ["volume_per_atom_A3"] = Atoms.Cell.Volume / Atoms.Count,
        ["bulk_modulus_voigt_GPa"] = r.BulkVoigt * Gpa, ["shear_modulus_voigt_GPa"] = r.ShearVoigt * Gpa, ["bulk_modulus_reuss_GPa"] = r.Reuss.Bulk * Gpa, ["shear_modulus_reuss_GPa"] = r.Reuss.Shear * Gpa,
        ["smallest_eigenvalue_GPa"] = r.Stability[0] * Gpa, ["residual_stress_GPa"] = Numbers6(r.Stress, Gpa), ["max_force_eV_per_A"] = r.MaxForce,
        ["cell_A"] = new JsonArray([.. Atoms.Cell.Rows.ToArray().Select(v => (JsonNode)JsonValue.Create(v))]),
    };

    public override void Close(RunEnd end)
    {
        if (end == RunEnd.Finished && _result is { } r) WriteStructure(new AtomFrame(Atoms) { Energy = r.Energy, Stress = r.Stress });
    }
}

/// <summary>Phonon dispersion.</summary>
internal sealed class PhononEngine(Job job, Comm comm) : OneStepEngine(job, comm)
{
    private readonly List<double> _distance = [];
    private readonly List<double[]> _bands = [];
    private readonly List<(double At, string Label)> _ticks = [];
    private (double[] Frequency, double[] States)? _density;
    private double _lowest, _highest;

    private PhononChoice Choice => Task.Run.Phonon!;

    protected override string Doing => $"phonons from a supercell of {string.Join(" × ", Choice.Supercell)} cells";
    public override IReadOnlyList<(string Name, string Unit)> Columns => [("lowest", "THz"), ("highest", "THz")];

    protected override (double[] Values, string Text) Work(StopCheck stop)
    {
        // Of the supercell's own: what an Ewald sum takes from the atoms it is made for (mesh, charges) does not fit more of them.
        var super = Task.MakeModel(Crystal.Repeat(Atoms, Choice.Supercell)).ForceField;
        Phonons phonons;
        try { phonons = Phonons.Compute(super, Atoms, Choice.Supercell, Choice.Displacement, (_, _) => !stop()); }
        finally { foreach (var term in super.Interactions) (term as IDisposable)?.Dispose(); }
        _distance.Clear();
        _bands.Clear();
        _ticks.Clear();
        double at = 0;
        // Each stretch gets points by its length.
        double total = 0;
        var path = Choice.Path;
        for (int k = 1; k < path.Count; k++) if (path[k] is { } b && path[k - 1] is { } a) total += phonons.Length(a.Q, b.Q);
        for (int k = 0; k < path.Count; k++)
        {
            if (path[k] is not { } point) continue;
            if (k > 0 && path[k - 1] is null)
            {
                // The picture goes on where it was; the label names both points.
                _ticks[^1] = (at, $"{_ticks[^1].Label}|{Name(point.Name)}");
                _distance.Add(at);
                _bands.Add([.. Enumerable.Repeat(double.NaN, phonons.Bands)]);
            }
            else _ticks.Add((at, Name(point.Name)));
            if (k + 1 == path.Count || path[k + 1] is not { } next) { Add(point.Q); continue; }
            double length = phonons.Length(point.Q, next.Q);
            int points = Math.Max(2, (int)Math.Round(Choice.Points * length / total));
            for (int i = 0; i < points; i++)
            {
                double t = (double)i / points;
                _distance.Add(at + t * length);
                _bands.Add(phonons.Frequencies([.. point.Q.Select((q, d) => q + t * (next.Q[d] - q))]));
            }
            at += length;

            void Add(double[] q)
            {
                _distance.Add(at);
                _bands.Add(phonons.Frequencies(q));
            }
        }
        if (Choice.Mesh > 0) _density = phonons.DensityOfStates(Choice.Mesh, 80);
        var all = _bands.SelectMany(b => b).Where(double.IsFinite).ToList();
        (_lowest, _highest) = (all.Min(), all.Max());
        if (Math.Abs(_lowest) < 1e-4 * _highest) _lowest = 0; // the acoustic modes at Γ
        if (phonons.MaxForce > 1e-3) Notes.Add($"the atoms are not at rest: the largest force is {G(phonons.MaxForce, 3)} eV/Å; relax them first (a minimize job)");
        if (_lowest < -0.01 * _highest) Notes.Add($"there are unstable modes: imaginary frequencies, shown as negative ones, down to {G(_lowest, 4)} THz");
        if (phonons.SumRule > 1e-2) Notes.Add($"the acoustic sum rule was violated by {G(phonons.SumRule, 3)} eV/Å² before it was imposed: a smaller displacement may help");
        return ([_lowest, _highest], string.Create(CultureInfo.InvariantCulture, $"{phonons.Bands} bands, {_lowest:F3} … {_highest:F3} THz"));

        static string Name(string name) => name is "G" or "Gamma" or "GAMMA" ? "Γ" : name;
    }

    public override void Close(RunEnd end)
    {
        if (end != RunEnd.Finished || !Comm.IsRoot || _bands.Count == 0) return;
        var text = new StringBuilder("distance [1/Å]");
        for (int b = 0; b < _bands[0].Length; b++) text.Append(CultureInfo.InvariantCulture, $",band{b + 1} [THz]");
        text.Append('\n');
        for (int k = 0; k < _bands.Count; k++)
            if (double.IsFinite(_bands[k][0])) text.Append(CultureInfo.InvariantCulture, $"{_distance[k]:R},{string.Join(',', _bands[k].Select(f => f.ToString("R", CultureInfo.InvariantCulture)))}\n");
        AtomicFile.WriteText(Path.Combine(Folder, "phonon.csv"), text.ToString());
        if (_density is not { } d) return;
        text.Clear().Append("frequency [THz],states [1/THz]\n");
        for (int k = 0; k < d.Frequency.Length; k++) text.Append(CultureInfo.InvariantCulture, $"{d.Frequency[k]:R},{d.States[k]:R}\n");
        AtomicFile.WriteText(Path.Combine(Folder, "phonon_dos.csv"), text.ToString());
    }

    public override IReadOnlyList<(string File, string What)> Files => [("phonon.csv", "bands along the path"), ("phonon_dos.csv", "density of states")];

    public override IReadOnlyList<(string Svg, string Caption)> Figures(RunHistory history, ICollection<string> notes)
    {
        if (_bands.Count == 0) return [];
        double[] x = [.. _distance];
        string? svg = CurvePlot.Draw([.. Enumerable.Range(0, _bands[0].Length).Select(b => new CurvePlot.Curve("", x, [.. _bands.Select(f => f[b])]))], "", "frequency [THz]", out string? trouble, _ticks);
        if (svg is null) { if (trouble is not null) notes.Add(trouble); return []; }
        var figures = new List<(string, string)> { (svg, "Phonon dispersion") };
        if (_density is { } d) figures.Add((CurvePlot.Draw(d.Frequency, d.States, "frequency [THz]", "states per THz and cell", out _)!, "Density of states"));
        return figures;
    }

    public override IReadOnlyList<(string Label, string Value)> KeyNumbers => _bands.Count == 0 ? [] : [("lowest frequency", $"{G(_lowest, 4)} THz"), ("highest frequency", $"{G(_highest, 5)} THz")];

    public override JsonObject? Results => _bands.Count == 0 ? null : new JsonObject
    {
        ["atoms"] = Atoms.Count, ["lowest_THz"] = _lowest, ["highest_THz"] = _highest,
        ["at"] = new JsonObject(Choice.Path.OfType<(string Name, double[] Q)>().DistinctBy(p => p.Name).Select(p => KeyValuePair.Create(p.Name, (JsonNode?)new JsonArray([.. At(p.Name).Select(f => (JsonNode)JsonValue.Create(f))])))),
    };

    /// <summary>Frequencies at a point of the path.</summary>
    private double[] At(string name)
    {
        string label = name is "G" or "Gamma" or "GAMMA" ? "Γ" : name;
        var (at, text) = _ticks.First(t => t.Label.Split('|').Contains(label));
        int k = _distance.FindIndex(d => Math.Abs(d - at) < 1e-12);
        // A jump has two points at one place: the one before it, and after the gap the one behind it.
        if (text.Contains('|', StringComparison.Ordinal) && text.Split('|')[1] == label) k = _distance.FindLastIndex(d => Math.Abs(d - at) < 1e-12);
        return _bands[k];
    }
}
