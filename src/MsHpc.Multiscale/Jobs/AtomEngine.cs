using System.Globalization;
using System.Text.Json.Nodes;
using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Jobs;

/// <summary>What engines on atoms share: the atoms, the force field, the file with the atoms at the end.</summary>
internal abstract class AtomEngine : JobEngine
{
    protected AtomEngine(Job job, Comm comm)
    {
        (Job, Comm, Task) = (job, comm, job.Atoms!);
        Atoms = Task.MakeAtoms(job.Seed);
        Model = Task.MakeModel(Atoms);
    }

    protected Job Job { get; }
    protected AtomJob Task { get; }
    protected Comm Comm { get; }
    protected Atoms Atoms { get; set; }
    protected AtomModel Model { get; }
    protected ForceField ForceField => Model.ForceField;
    protected string Folder { get; private set; } = "";

    /// <summary>What is done, after the atoms.</summary>
    protected abstract string Doing { get; }

    public override string What => $"{Task.System.Description}: {Formula(Atoms)}, {Atoms.Count} atoms; {Doing}";
    public override IReadOnlyList<string> Models => [.. ForceField.Interactions.Select(i => i.Description).Distinct()];
    public override (string X, string Y)? Curve => null;
    public override FieldSnapshot? Snapshot() => null;
    public override IEnumerable<(string Name, Memory<double> Data)> StateArrays => [];
    public override bool IsReplicated => true;
    public override void Open(string folder) => Folder = folder;

    public override void Dispose()
    {
        foreach (var term in ForceField.Interactions) (term as IDisposable)?.Dispose();
    }

    public override IReadOnlyList<(string File, string What)> Files => Task.Output.Structure is { } last ? [(last, "atoms at the end")] : [];

    /// <summary>Cu₄₀₀ Ni₁₀₀ in plain letters.</summary>
    internal static string Formula(Atoms atoms)
    {
        var counts = new int[atoms.Species.Count];
        foreach (int type in atoms.Types) counts[type]++;
        return string.Join(' ', atoms.Species.Select((s, t) => (s.Symbol, Count: counts[t])).Where(s => s.Count > 0).Select(s => $"{s.Symbol}{s.Count}"));
    }

    /// <summary>Writes the last atoms, on the writing rank.</summary>
    protected void WriteStructure(AtomFrame frame)
    {
        if (!Comm.IsRoot || Task.Output.Structure is not { } name) return;
        string path = Path.Combine(Folder, name);
        File.Delete(path);
        using var file = Trajectory.Open(path);
        file.Add(frame);
        file.Close(complete: true);
    }

    /// <summary>What surfaces or vacancies cost: the energy less that of as many atoms in the perfect crystal, eV.</summary>
    private double? _perfect;

    /// <summary>Computes the energy that the atoms would have in the perfect crystal, where that is defined: no other forces, and of each kind as large a part as there.</summary>
    protected void MeasurePerfect()
    {
        if (Task.System.Perfect is not { } make || Model.IsExternal) return;
        var crystal = make();
        int[] here = new int[Atoms.Species.Count], there = new int[Atoms.Species.Count];
        foreach (int t in Atoms.Types) here[t]++;
        foreach (int t in crystal.Types) there[t]++;
        if (Enumerable.Range(0, here.Length).Any(t => (long)here[t] * crystal.Count != (long)there[t] * Atoms.Count))
        {
            Notes.Add("no energy of the vacancies is given: the crystal has lost another part of one kind of atoms than of another, and what they cost then depends on where they go");
            return;
        }
        var model = Task.MakeModel(crystal);
        _perfect = model.ForceField.Compute(model.ForceField.MakeDomain(crystal, 0.5), Want.Forces).Energy * Atoms.Count / crystal.Count;
        foreach (var term in model.ForceField.Interactions) (term as IDisposable)?.Dispose();
    }

    /// <summary>Area of both surfaces, Å².</summary>
    private double Area
    {
        get
        {
            var h = Atoms.Cell.Rows;
            double x = h[1] * h[5] - h[2] * h[4], y = h[2] * h[3] - h[0] * h[5], z = h[0] * h[4] - h[1] * h[3];
            return 2 * Math.Sqrt(x * x + y * y + z * z);
        }
    }

    private const double JoulePerSquareMetre = Codata.ElementaryCharge * 1e20; // 1 eV/Å²

    /// <summary>What surfaces and vacancies cost, for people.</summary>
    /// <param name="energy">Energy of the atoms, eV.</param>
    /// <param name="before">The same before they were relaxed.</param>
    protected IEnumerable<(string Label, string Value)> DefectNumbers(double energy, double? before = null)
    {
        if (_perfect is not { } perfect) yield break;
        var (name, factor, unit) = Task.System.Surfaces ? ("surface energy", JoulePerSquareMetre / Area, "J/m²") : ("formation energy of the vacancies", 1, "eV");
        yield return (name, $"{G((energy - perfect) * factor)} {unit}");
        if (before is { } first) yield return ("before the atoms relaxed", $"{G((first - perfect) * factor)} {unit}");
    }

    /// <summary>The same for machines.</summary>
    protected JsonObject AddDefects(JsonObject results, double energy, double? before = null)
    {
        if (_perfect is not { } perfect) return results;
        results["perfect_crystal_eV"] = perfect;
        void Add(string name, double factor)
        {
            results[name] = (energy - perfect) * factor;
            if (before is { } first) results["unrelaxed_" + name] = (first - perfect) * factor;
        }
        if (Task.System.Surfaces) Add("surface_energy_J_per_m2", JoulePerSquareMetre / Area);
        else Add("vacancy_formation_energy_eV", 1);
        return results;
    }

    /// <summary>Energy, stress, largest force of the atoms as numbers for machines.</summary>
    protected static JsonObject Numbers6(IReadOnlyList<double> stress, double factor) => new(Voigt.Select((l, k) => KeyValuePair.Create(l, (JsonNode?)JsonValue.Create(stress[k] * factor))));

    protected static string[] Voigt { get; } = ["xx", "yy", "zz", "yz", "xz", "xy"];

    /// <summary>Digits for people.</summary>
    protected static string G(double value, int digits = 6) => value.ToString("G" + digits, CultureInfo.InvariantCulture);
}

/// <summary>A task of one step: it runs, or is stopped and starts anew.</summary>
internal abstract class OneStepEngine(Job job, Comm comm) : AtomEngine(job, comm)
{
    public override int TotalSteps => 1;
    public override double EndTime => 0;

    /// <summary>Does the work; values of the columns, and the line for the screen.</summary>
    /// <exception cref="OperationCanceledException">Asked to stop.</exception>
    protected abstract (double[] Values, string Text) Work(StopCheck stop);

    public override StepRecord? Advance(StopCheck stop)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        try
        {
            var (values, text) = Work(stop);
            Step = 1;
            return new StepRecord(1, 0, 0, 0, [], values, null, 0, 1, System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds) { Text = text };
        }
        catch (OperationCanceledException) { return null; }
    }
}
