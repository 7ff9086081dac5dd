using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using MsHpc.Continuum.IO;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Jobs;

/// <summary>How a job is run.</summary>
/// <param name="Output">Folder for results; null: <c>results</c> beside the job.</param>
/// <param name="Restart"><c>latest</c>, a checkpoint file, or null for a fresh start.</param>
/// <param name="Threads">Threads of this rank.</param>
/// <param name="Comm">Ranks that share the job.</param>
/// <param name="Petsc">Version of PETSc in use, for the header; null without.</param>
public sealed record RunOptions(string? Output, string? Restart, int Threads, Comm Comm, string? Petsc);

/// <summary>A wish to stop, set from a signal handler.</summary>
public sealed class StopRequest
{
    private volatile string? _reason;

    /// <summary>Why; null while nobody asked.</summary>
    public string? Reason => _reason;

    /// <summary>Asks the run to write a checkpoint and stop.</summary>
    public void Ask(string reason) => _reason ??= reason;
}

/// <summary>What a run gave.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Folder">Where the results are.</param>
/// <param name="History">Its steps.</param>
public sealed record RunResult(RunEnd End, string Folder, RunHistory History);

/// <summary>Runs jobs: steps, tables, fields, checkpoints, summary.</summary>
public static class JobRunner
{
    /// <summary>Runs a job to its end, or until it is asked to stop.</summary>
    /// <param name="job">The job.</param>
    /// <param name="options">Output folder, restart, threads, ranks.</param>
    /// <param name="observer">Told of everything; only used on the writing rank.</param>
    /// <param name="stop">Checked between steps and iterations.</param>
    /// <exception cref="MsHpcException">Bad input, no convergence, …; results so far are written before.</exception>
    /// <remarks>Collective.</remarks>
    public static RunResult Run(Job job, RunOptions options, IRunObserver observer, StopRequest stop)
    {
        var comm = options.Comm;
        string folder = Path.GetFullPath(options.Output ?? Path.Combine(job.Directory, "results"));
        Exception? failure = null;
        try { if (comm.IsRoot) Directory.CreateDirectory(folder); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { failure = e; }
        if (!comm.AllOk(failure is null)) throw new InputException($"the output folder {folder} cannot be made: {failure?.Message ?? "on another rank"}");
        comm.Barrier();

        using var team = new ThreadTeam(options.Threads);
        var engine = JobEngines.Create(job, comm, team);
        bool whole = false;
        try
        {
            var result = Run(job, options, observer, stop, folder, engine);
            whole = true;
            return result;
        }
        finally
        {
            // Solvers are taken down by all ranks together. A rank that fails alone (its disk is full) would wait there for ever instead of
            // telling the others: the program ends them, see Commands.
            if (whole || comm.Size == 1) engine.Dispose();
        }
    }

    private static RunResult Run(Job job, RunOptions options, IRunObserver observer, StopRequest stop, string folder, JobEngine engine)
    {
        var comm = options.Comm;
        string header = Machine.Format(new LogHeader
        {
            Ranks = comm.Size, Threads = options.Threads, Petsc = options.Petsc, Seed = (ulong)job.Seed, Models = engine.Models,
        });
        var store = new CheckpointStore(folder, job.Settings, job.Output.Keep, comm);
        var writer = comm.IsRoot ? new ResultWriter(job, engine, folder, header, restart: options.Restart is not null) : null;
        using (writer)
        {
            void Say(string line) { writer?.Log(line); if (comm.IsRoot) observer.Message(line); }
            void Warn(string line) { writer?.Log("warning: " + line); writer?.History.Notes.Add(line); if (comm.IsRoot) observer.Warn(line); }

            Say(header);
            Say(engine.What);
            foreach (string note in engine.Notes) Warn(note);
            if (options.Restart is { } which)
            {
                var info = store.Restore(which, engine, Warn);
                engine.Restored(info.Step, info.Time, info.Changes.Count > 0);
                writer?.Resume(info.Notes);
                Say($"restarted from {info.File} after step {info.Step} (time {Numbers.Short(info.Time)})");
                foreach (var change in info.Changes) Warn($"from step {info.Step} on: {CheckpointStore.Describe(change)}");
            }
            else
            {
                store.Clear();
                writer?.Clear();
            }

            engine.Open(folder);
            foreach (string line in engine.Details) Say(line);

            // One rank's signal is everybody's: they must leave the step together.
            bool Stopping() => !comm.AllOk(stop.Reason is null);
            var end = RunEnd.Finished;
            int saved = engine.Step;
            var sinceSave = Stopwatch.StartNew();
            void Save()
            {
                store.Save(engine.Step, engine.Time, engine, writer?.History.ToJson() ?? "");
                saved = engine.Step;
                sinceSave.Restart();
            }
            try
            {
                if (options.Restart is null) Fields(force: false);
                while (!engine.Done)
                {
                    var record = Stopping() ? null : engine.Advance(Stopping);
                    if (record is null)
                    {
                        Save();
                        end = RunEnd.Checkpointed;
                        Say($"{stop.Reason ?? "asked to stop"}: checkpoint written after step {engine.Step}");
                        break;
                    }
                    writer?.Add(record);
                    if (comm.IsRoot) observer.Step(record, engine.TotalSteps, engine.TotalSteps > 0 ? (double)engine.Step / engine.TotalSteps : engine.Time / engine.EndTime);
                    Fields(force: false);
                    bool due = job.Output.CheckpointSteps > 0 ? engine.Step / job.Output.CheckpointSteps != saved / job.Output.CheckpointSteps
                        : comm.AllReduceMax(sinceSave.Elapsed.TotalSeconds) >= job.Output.CheckpointSeconds;
                    if (due && !engine.Done) Save();
                }
                if (engine.Step != saved && end == RunEnd.Finished) Save();
            }
            catch (MsHpcException e)
            {
                // Into the log only: the screen gets it from whoever catches it.
                writer?.Log("stopped: " + e.Message.ReplaceLineEndings(" "));
                writer?.History.Notes.Add("stopped: " + e.Message.ReplaceLineEndings(" "));
                // Dump and end are collective: a step that did not converge fails on all ranks alike, another failure may be this rank's own.
                bool together = e is ConvergenceException || engine.FailedTogether || comm.Size == 1;
                if (together && e is ConvergenceException or NumericalException && engine.DumpFailure(folder) is { } dump) Warn(dump);
                if (together) engine.Close(RunEnd.Failed);
                writer?.Finish(RunEnd.Failed, e.Message);
                throw;
            }
            foreach (string note in engine.Notes) if (writer is not null && !writer.History.Notes.Contains(note)) writer.History.Notes.Add(note);
            engine.Close(end);
            writer?.Finish(end, null);
            Say(end == RunEnd.Finished ? $"finished; results are in {folder}" : $"stopped; go on with --restart latest; results so far are in {folder}");
            return new RunResult(end, folder, writer?.History ?? new RunHistory());

            void Fields(bool force)
            {
                if (!force && engine.Step % job.Output.Every != 0 && !engine.Done) return;
                var snapshot = engine.Snapshot();
                var micro = engine.MicroSnapshots();
                if (snapshot is not null) writer?.Fields(engine.Time, snapshot, micro);
            }
        }
    }
}

/// <summary>The output folder of a run, on the writing rank.</summary>
internal sealed class ResultWriter : IDisposable
{
    private readonly Job _job;
    private readonly JobEngine _engine;
    private readonly string _folder, _header;
    private readonly StreamWriter _log;
    private readonly Stopwatch _clock = Stopwatch.StartNew(), _sinceTables = Stopwatch.StartNew();
    private readonly StringBuilder _reactions = new(), _newton = new();
    private FieldSnapshot? _last;

    public ResultWriter(Job job, JobEngine engine, string folder, string header, bool restart)
    {
        (_job, _engine, _folder, _header) = (job, engine, folder, header);
        History = new RunHistory { Columns = [.. engine.Columns.Select(c => c.Name)], ColumnUnits = [.. engine.Columns.Select(c => c.Unit)] };
        try { _log = new StreamWriter(Path.Combine(folder, "run.log"), append: restart) { AutoFlush = true }; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new InputException($"the output folder {folder} cannot be written: {e.Message}"); }
        StartTables();
    }

    public RunHistory History { get; private set; }

    public void Log(string line) => _log.WriteLine(line);

    private string At(string name) => Path.Combine(_folder, name);

    /// <summary>Removes the fields of an earlier run.</summary>
    public void Clear()
    {
        if (_job.Output.Fields is not { } fields || !Directory.Exists(_folder)) return;
        string stem = Path.GetFileNameWithoutExtension(fields);
        foreach (string old in Directory.EnumerateFiles(_folder, stem + "*-??????.vtu")) File.Delete(old);
    }

    /// <summary>Takes over the tables of the run that is continued.</summary>
    public void Resume(string notes)
    {
        History = RunHistory.FromJson(notes);
        StartTables();
        foreach (var record in History.Steps) Rows(record);
        WriteTables();
        WriteCollections();
    }

    private void StartTables()
    {
        _reactions.Clear().Append("step,time");
        foreach (var (name, unit) in _engine.Columns) _reactions.Append(CultureInfo.InvariantCulture, $",{name}{(unit.Length > 0 ? $" [{unit}]" : "")}");
        _reactions.Append('\n');
        _newton.Clear().Append("step,iteration,relative_residual\n");
    }

    private void Rows(StepRecord record)
    {
        _reactions.Append(CultureInfo.InvariantCulture, $"{record.Step},{record.Time:R}");
        foreach (double value in record.Values) _reactions.Append(CultureInfo.InvariantCulture, $",{value:R}");
        _reactions.Append('\n');
        for (int i = 0; i < record.Norms.Length; i++) _newton.Append(CultureInfo.InvariantCulture, $"{record.Step},{i},{record.Norms[i]:R}\n");
    }

    /// <summary>Adds a step. Tables are rewritten as a whole: a reader never sees half a line, a restart never a double one.</summary>
    public void Add(StepRecord record)
    {
        History.Steps.Add(record);
        Rows(record);
        Log(record.Describe(_engine.TotalSteps));
        if (_sinceTables.Elapsed.TotalSeconds < 2 && History.Steps.Count > 100 && !_engine.Done) return;
        WriteTables();
    }

    private void WriteTables()
    {
        if (_job.Output.Reactions is { } reactions && _engine.Columns.Count > 0) AtomicFile.WriteText(At(reactions), _reactions.ToString());
        if (History.Steps.Any(s => s.Norms.Length > 0)) AtomicFile.WriteText(At("newton.csv"), _newton.ToString());
        _sinceTables.Restart();
    }

    /// <summary>Writes the fields of one step; file names follow the step, so that a restarted run overwrites what it repeats.</summary>
    public void Fields(double time, FieldSnapshot snapshot, IReadOnlyList<(string Name, FieldSnapshot Fields)> micro)
    {
        _last = snapshot;
        if (_job.Output.Fields is not { } collection) return;
        string stem = Path.GetFileNameWithoutExtension(collection);
        foreach (var (name, fields) in micro.Prepend(("", snapshot)))
        {
            string file = string.Create(CultureInfo.InvariantCulture, $"{stem}{(name.Length > 0 ? "-" + name : "")}-{_engine.Step:D6}.vtu");
            VtuWriter.Write(At(file), fields.Mesh, fields.Arrays(onCells: false), fields.Arrays(onCells: true), time);
            History.Fields.RemoveAll(f => f.File == file);
            History.Fields.Add(new FieldFile(time, file));
        }
        WriteCollections();
    }

    private void WriteCollections()
    {
        if (_job.Output.Fields is not { } collection) return;
        string stem = Path.GetFileNameWithoutExtension(collection);
        foreach (var series in History.Fields.GroupBy(f => f.File[..^"-000000.vtu".Length]))
        {
            var text = new StringBuilder("<?xml version=\"1.0\"?>\n<VTKFile type=\"Collection\" version=\"1.0\" byte_order=\"LittleEndian\">\n<Collection>\n");
            foreach (var f in series) text.Append(CultureInfo.InvariantCulture, $"<DataSet timestep=\"{f.Time:R}\" part=\"0\" file=\"{f.File}\"/>\n");
            AtomicFile.WriteText(At(series.Key == stem ? collection : series.Key + ".pvd"), text.Append("</Collection>\n</VTKFile>\n").ToString());
        }
    }

    /// <summary>Writes the tables, the numbers for machines and the page for people.</summary>
    public void Finish(RunEnd end, string? problem)
    {
        WriteTables();
        WriteNumbers(end, problem);
        if (_job.Output.Summary is { } page) AtomicFile.WriteText(At(page), Page(end, problem));
    }

    private void WriteNumbers(RunEnd end, string? problem)
    {
        var json = new JsonObject
        {
            ["schema"] = "mshpc/summary/1",
            ["job"] = _job.Name,
            ["type"] = _job.Type.ToString().ToLowerInvariant(),
            ["units"] = _job.UnitSystem,
            ["hash"] = _job.Hash,
            ["version"] = Machine.Version,
            ["commit"] = Machine.Commit,
            ["status"] = end.ToString().ToLowerInvariant(),
            ["problem"] = problem,
            ["what"] = _engine.What,
            ["steps"] = _engine.Step,
            ["time"] = _engine.Time,
            ["wall_seconds"] = History.Steps.Sum(s => s.Seconds),
            ["iterations"] = History.Steps.Sum(s => s.Iterations),
            ["cuts"] = History.Steps.Sum(s => s.Cuts),
            ["hill_mandel"] = History.Steps.Max(s => s.HillMandel) is { } hm && double.IsFinite(hm) ? hm : null,
            ["columns"] = new JsonArray([.. _engine.Columns.Select(c => (JsonNode)c.Name)]),
            ["last"] = new JsonArray([.. (History.Steps.LastOrDefault()?.Values ?? []).Select(v => double.IsFinite(v) ? JsonValue.Create(v) : null)]),
            ["notes"] = new JsonArray([.. History.Notes.Concat(_engine.Notes).Distinct().Select(n => (JsonNode)n)]),
        };
        foreach (var table in _engine.Tables)
            json[table.Name] = new JsonArray([.. table.Rows.Select(r => (JsonNode)new JsonArray([.. r.Select(v => (JsonNode)JsonValue.Create(v)!)]))]);
        foreach (var (key, value) in _engine.Results ?? []) json[key] = value?.DeepClone();
        AtomicFile.WriteText(At("summary.json"), JsonText.Indented(json) + "\n");
    }

    private string Page(RunEnd end, string? problem)
    {
        var (status, shade) = end switch
        {
            RunEnd.Finished => ("finished", "good"),
            RunEnd.Checkpointed => ($"checkpointed at step {_engine.Step}", "warn"),
            _ => ("stopped by a failure", "bad"),
        };
        var page = new SummaryPage(_job.Name, _engine.What, status, shade);
        var steps = History.Steps;
        var numbers = new List<(string, string)> { ("wall time", Duration(steps.Sum(s => s.Seconds))) };
        if (_job.Atoms is null || _engine.TotalSteps > 1) numbers.Insert(0, ("steps", _engine.TotalSteps > 0 ? $"{_engine.Step} of {_engine.TotalSteps}" : $"{_engine.Step}"));
        if (steps.Sum(s => s.Iterations) is > 0 and var iterations) numbers.Add(("Newton iterations", $"{iterations}"));
        if (steps.Any(s => s.HillMandel is not null)) numbers.Add(("largest Hill–Mandel residual", steps.Max(s => s.HillMandel)!.Value.ToString("0.0e+00", CultureInfo.InvariantCulture)));
        if (steps.Sum(s => s.Cuts) is > 0 and var cuts) numbers.Add(("steps cut", $"{cuts}"));
        numbers.AddRange(_engine.KeyNumbers);
        page.KeyNumbers(numbers);
        if (problem is not null) page.Notes("Why it stopped", problem.Split('\n'));

        var figures = new List<(string, string)>();
        if (_engine.Curve is { } axes && steps.Count > 0)
        {
            int x = Array.IndexOf(History.Columns, axes.X), y = Array.IndexOf(History.Columns, axes.Y);
            string Label(int column) => $"{History.Columns[column]} [{History.ColumnUnits[column]}]".Replace(" []", "", StringComparison.Ordinal);
            string? svg = CurvePlot.Draw([0, .. steps.Select(s => s.Values[x])], [0, .. steps.Select(s => s.Values[y])], Label(x), Label(y), out string? trouble);
            if (svg is not null) figures.Add((svg, $"{History.Columns[y]} over {History.Columns[x]}"));
            else if (trouble is not null) History.Notes.Add(trouble);
        }
        if (steps.LastOrDefault(s => s.Norms.Length > 1) is { } last)
        {
            string? svg = CurvePlot.Draw([.. last.Norms.Select((_, i) => (double)i)], last.Norms, "Newton iteration", "log10 relative residual", out _, logarithmic: true);
            if (svg is not null) figures.Add((svg, $"Convergence of Newton's method in step {last.Step}: {string.Join(" → ", last.Norms.Select(n => n.ToString("0.0e+00", CultureInfo.InvariantCulture)))}"));
        }
        figures.AddRange(_engine.Figures(History, History.Notes));
        page.Figures("Curves", figures);
        if (_last is not null) page.Figures("Fields", _engine.Pictures(_last));
        foreach (var table in _engine.Tables)
            page.Table($"{table.Heading}{(table.Unit.Length > 0 ? $" in {table.Unit}" : "")}", ["", .. table.Columns], table.Rows.Select((r, i) => (IReadOnlyList<string>)[table.RowLabels[i], .. r.Select(Numbers.Short)]));
        page.Notes("Notes", History.Notes.Concat(_engine.Notes).Distinct());
        if (steps.Count > 0 && (_job.Atoms is null || _engine.TotalSteps > 1))
        {
            // A page of ten thousand rows helps nobody: the table file has them all.
            int stride = Math.Max(1, (steps.Count + 199) / 200);
            bool micro = steps.Any(s => s.HillMandel is not null);
            bool iterative = _job.Atoms is null;
            string[] usual = iterative ? ["iterations", "cuts", "residual"] : [], more = micro ? ["Hill–Mandel", "micro failures", "imbalance"] : [];
            page.Table(stride == 1 ? "Steps" : $"Steps (every {stride}th; all are in the table file)", ["step", "time", .. usual, .. more,
                .. History.Columns.Select((c, i) => History.ColumnUnits[i].Length > 0 ? $"{c} [{History.ColumnUnits[i]}]" : c), "seconds"],
                steps.Where((_, i) => i % stride == stride - 1 || i == steps.Count - 1).Select(s => (IReadOnlyList<string>)
                    [$"{s.Step}", Numbers.Short(s.Time), .. iterative ? [$"{s.Iterations}", $"{s.Cuts}", s.Norms.Length > 0 ? s.Norms[^1].ToString("0.0e+00", CultureInfo.InvariantCulture) : ""] : Array.Empty<string>(),
                     .. micro ? [s.HillMandel?.ToString("0.0e+00", CultureInfo.InvariantCulture) ?? "", $"{s.MicroFailures}", s.Imbalance.ToString("F2", CultureInfo.InvariantCulture)] : Array.Empty<string>(),
                     .. s.Values.Select(Numbers.Short), s.Seconds.ToString("F2", CultureInfo.InvariantCulture)]));
        }
        page.Files(Files());
        page.Text("Run", _header);
        return page.ToString();
    }

    private IEnumerable<(string, string)> Files()
    {
        var known = new List<(string?, string)>
        {
            (_job.Output.Fields, "fields over time, for ParaView"), (_job.Output.Reactions, "table of all steps"), ("newton.csv", "residuals of every Newton iteration"),
            ("summary.json", "the main numbers, for programs"), ("run.log", "log"),
        };
        known.AddRange(_engine.Files.Select(f => ((string?)f.File, f.What)));
        return known.Where(f => f.Item1 is not null && File.Exists(At(f.Item1))).Select(f => (f.Item1!, f.Item2));
    }

    private static string Duration(double seconds) => seconds < 60 ? seconds.ToString("F1", CultureInfo.InvariantCulture) + " s"
        : seconds < 3600 ? $"{(int)seconds / 60} min {(int)seconds % 60} s" : $"{(int)seconds / 3600} h {(int)seconds / 60 % 60} min";

    public void Dispose() => _log.Dispose();
}
