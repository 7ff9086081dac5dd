using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MsHpc.Multiscale.Jobs;

/// <summary>One finished step.</summary>
/// <param name="Step">Number, from 1.</param>
/// <param name="Time">Time at its end.</param>
/// <param name="Iterations">Newton iterations, those of increments that were cut included.</param>
/// <param name="Cuts">How often the step was cut.</param>
/// <param name="Norms">Residual norms of the last increment, relative, one per iteration.</param>
/// <param name="Values">Columns of the table: reactions, displacements, macro stress and strain.</param>
/// <param name="HillMandel">Largest relative Hill–Mandel residual over all representative volumes; null on a single scale.</param>
/// <param name="MicroFailures">Representative volumes that failed on the way (and led to cuts).</param>
/// <param name="Imbalance">Largest over mean time of the ranks in the micro problems; 1 on one rank.</param>
/// <param name="Seconds">Wall time.</param>
public sealed record StepRecord(int Step, double Time, int Iterations, int Cuts, double[] Norms, double[] Values, double? HillMandel,
    int MicroFailures, double Imbalance, double Seconds)
{
    /// <summary>The step in words of its own; null for the usual ones.</summary>
    public string? Text { get; init; }

    /// <summary>A step in one line.</summary>
    public string Describe(int total)
    {
        if (Text is not null) return Text;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"step {Step}{(total > 0 ? $"/{total}" : "")}  time {Numbers.Short(Time)}");
        if (Iterations > 0) text.Append(CultureInfo.InvariantCulture, $"  iterations {Iterations}");
        if (Norms.Length > 0) text.Append("  residual ").AppendJoin(" → ", Norms.Select(n => n.ToString("0.0e+00", CultureInfo.InvariantCulture)));
        if (Cuts > 0) text.Append(CultureInfo.InvariantCulture, $"  cut {Cuts}×");
        if (MicroFailures > 0) text.Append(CultureInfo.InvariantCulture, $"  micro failures {MicroFailures}");
        if (HillMandel is { } hm) text.Append(CultureInfo.InvariantCulture, $"  Hill–Mandel {hm:0.0e+00}");
        if (Imbalance > 1.005) text.Append(CultureInfo.InvariantCulture, $"  imbalance {Imbalance:F2}");
        return text.Append(CultureInfo.InvariantCulture, $"  {Seconds:F2} s").ToString();
    }
}

/// <summary>The steps of a run so far, with the names of their columns.</summary>
public sealed class RunHistory
{
    /// <summary>Names of <see cref="StepRecord.Values"/>.</summary>
    public string[] Columns { get; set; } = [];

    /// <summary>Unit of each column, as text.</summary>
    public string[] ColumnUnits { get; set; } = [];

    /// <summary>The steps.</summary>
    public List<StepRecord> Steps { get; set; } = [];

    /// <summary>Field files with their times.</summary>
    public List<FieldFile> Fields { get; set; } = [];

    /// <summary>Sentences for the reader of the results: what was extrapolated, cut short or repaired.</summary>
    public List<string> Notes { get; set; } = [];

    internal string ToJson() => JsonSerializer.Serialize(this, RunHistoryJson.Default.RunHistory);

    internal static RunHistory FromJson(string text) => JsonSerializer.Deserialize(text, RunHistoryJson.Default.RunHistory) ?? new RunHistory();
}

/// <summary>A written field file.</summary>
/// <param name="Time">Its time.</param>
/// <param name="File">Its name in the output folder.</param>
public sealed record FieldFile(double Time, string File);

[JsonSerializable(typeof(RunHistory))]
[JsonSourceGenerationOptions(NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
internal sealed partial class RunHistoryJson : JsonSerializerContext;

/// <summary>How a run ended.</summary>
public enum RunEnd
{
    /// <summary>All steps done.</summary>
    Finished,
    /// <summary>Asked to stop; a checkpoint was written.</summary>
    Checkpointed,
    /// <summary>Stopped by a failure; results so far were written.</summary>
    Failed,
}

/// <summary>Who wants to know how a run goes: the command line, Python, a test.</summary>
public interface IRunObserver
{
    /// <summary>Something worth a line.</summary>
    void Message(string line);

    /// <summary>Something that the user should look at.</summary>
    void Warn(string line);

    /// <summary>A step is done.</summary>
    /// <param name="record">The step.</param>
    /// <param name="total">Number of steps; 0 when not known.</param>
    /// <param name="progress">How far the run is, 0 … 1.</param>
    void Step(StepRecord record, int total, double progress);
}
