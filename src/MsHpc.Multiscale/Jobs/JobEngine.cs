using System.Text.Json.Nodes;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.IO;
using MsHpc.Continuum.Materials;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Asked between iterations whether the run should stop; the same answer on every rank.</summary>
/// <returns>True when it should.</returns>
internal delegate bool StopCheck();

/// <summary>One kind of job while it runs: the runner advances it step by step and writes what it gives.</summary>
internal abstract class JobEngine : ICheckpointed, IDisposable
{
    /// <summary>One sentence: what is computed on what.</summary>
    public abstract string What { get; }

    /// <summary>Laws and solvers, one line each, for the header of the log.</summary>
    public abstract IReadOnlyList<string> Models { get; }

    /// <summary>Names of the columns of the table, and their units.</summary>
    public abstract IReadOnlyList<(string Name, string Unit)> Columns { get; }

    /// <summary>Columns of the main curve, by name; null when there is none.</summary>
    public abstract (string X, string Y)? Curve { get; }

    /// <summary>Number of steps; 0 when only the end time is known.</summary>
    public abstract int TotalSteps { get; }

    /// <summary>Time at the end.</summary>
    public abstract double EndTime { get; }

    /// <summary>Last finished step.</summary>
    public int Step { get; protected set; }

    /// <summary>Time after it.</summary>
    public double Time { get; protected set; }

    /// <summary>Whether the end is reached.</summary>
    public bool Done => TotalSteps > 0 ? Step >= TotalSteps : Time >= EndTime * (1 - 1e-12);

    /// <summary>Sentences for the reader of the results.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Goes one step further.</summary>
    /// <returns>Null when <paramref name="stop"/> asked to; the state is then that of <see cref="Step"/> and can be saved.</returns>
    /// <exception cref="Core.ConvergenceException">The step failed however small it was cut.</exception>
    public abstract StepRecord? Advance(StopCheck stop);

    /// <inheritdoc/>
    public abstract IEnumerable<(string Name, Memory<double> Data)> StateArrays { get; }

    /// <inheritdoc/>
    public virtual bool MayChange(string key) => key == "job.name";

    /// <inheritdoc/>
    public virtual bool MayGrow(string name) => false;

    /// <summary>Takes over the arrays after a restart.</summary>
    /// <param name="step">Last finished step.</param>
    /// <param name="time">Time after it.</param>
    /// <param name="changed">Whether settings are other ones than before, as far as <see cref="MayChange"/> allows.</param>
    public virtual void Restored(int step, double time, bool changed) => (Step, Time) = (step, time);

    /// <summary>The fields now, over the whole mesh. Collective; null on ranks that do not write.</summary>
    public abstract FieldSnapshot? Snapshot();

    /// <summary>Microstructures that the job asks for, by name. Collective; empty on ranks that do not write.</summary>
    public virtual IReadOnlyList<(string Name, FieldSnapshot Fields)> MicroSnapshots() => [];

    /// <summary>Pictures for the summary. Called on the writing rank with the last snapshot.</summary>
    public virtual IReadOnlyList<(string Svg, string Caption)> Pictures(FieldSnapshot last) => [];

    /// <summary>Whether a step has failed on all ranks alike, so that they can still write together.</summary>
    public virtual bool FailedTogether => false;

    /// <summary>Writes what helps to understand a failure. Collective.</summary>
    /// <returns>A sentence on what was written and where it failed; null when there is nothing to tell.</returns>
    public virtual string? DumpFailure(string folder) => null;

    /// <summary>Tables for the summary and the machine-readable results: name, labels, rows of numbers.</summary>
    public virtual IReadOnlyList<ResultTable> Tables => [];

    /// <summary>The output folder is there and a restart, if any, is done: files of one's own can be opened. Collective.</summary>
    /// <param name="folder">Output folder.</param>
    public virtual void Open(string folder) { }

    /// <summary>Lines for the log that are known once the run is open.</summary>
    public virtual IReadOnlyList<string> Details => [];

    /// <summary>The run ends; files of one's own are finished. Collective.</summary>
    /// <param name="end">How.</param>
    public virtual void Close(RunEnd end) { }

    /// <summary>Numbers worth seeing first on the page.</summary>
    public virtual IReadOnlyList<(string Label, string Value)> KeyNumbers => [];

    /// <summary>Curves of its own for the page.</summary>
    /// <param name="history">Steps so far.</param>
    /// <param name="notes">Told what could not be drawn.</param>
    public virtual IReadOnlyList<(string Svg, string Caption)> Figures(RunHistory history, ICollection<string> notes) => [];

    /// <summary>Files of its own in the output folder, each with what it is.</summary>
    public virtual IReadOnlyList<(string File, string What)> Files => [];

    /// <summary>Further entries of the machine-readable results.</summary>
    public virtual JsonObject? Results => null;

    /// <inheritdoc/>
    public virtual bool IsReplicated => false;

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>Fields over a mesh, ready to be written.</summary>
internal sealed record FieldSnapshot(Continuum.Mesh Mesh, StrainSpace Space, IReadOnlyList<FeField> Fields)
{
    /// <summary>The fields on nodes or on elements as arrays for files.</summary>
    public IReadOnlyList<FieldArray> Arrays(bool onCells) =>
        [.. Fields.Where(f => f.OnCells == onCells).Select(f => FieldArray.Of(f.Name, f.Values, f.Components, Labels(f)))];

    /// <summary>Names of a field's components: stresses and strains have some.</summary>
    public string[] Labels(FeField field) => field.Name switch
    {
        "stress" or "nodal_stress" => (Space.Dimension() == 2 ? StrainSpace.PlaneSmall : StrainSpace.SolidSmall).Labels(),
        "strain" or "F" or "P" => Space.Labels(),
        _ => [],
    };
}

/// <summary>A small matrix of results with a heading.</summary>
internal sealed record ResultTable(string Name, string Heading, string Unit, IReadOnlyList<string> Columns, IReadOnlyList<string> RowLabels, double[][] Rows);
