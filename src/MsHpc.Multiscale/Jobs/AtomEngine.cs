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
