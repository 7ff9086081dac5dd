using System.Globalization;
using MsHpc.Multiscale.Jobs;
using Spectre.Console;

namespace MsHpc.Cli;

/// <summary>Shows a run: a progress bar on a terminal, quiet lines otherwise; nothing on ranks that do not write.</summary>
internal abstract class RunConsole : IRunObserver, IDisposable
{
    /// <summary>The console that fits.</summary>
    public static RunConsole Create(bool isRoot, bool verbose) => !isRoot ? new Silent()
        : !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb") ? new Live() : new Quiet(verbose);

    /// <summary>Runs the work while showing it.</summary>
    public virtual T Show<T>(Func<IRunObserver, T> work) => work(this);

    /// <inheritdoc/>
    public abstract void Message(string line);

    /// <inheritdoc/>
    public abstract void Warn(string line);

    /// <inheritdoc/>
    public abstract void Step(StepRecord record, int total, double progress);

    /// <inheritdoc/>
    public virtual void Dispose() { }

    private sealed class Silent : RunConsole
    {
        public override void Message(string line) { }
        public override void Warn(string line) { }
        public override void Step(StepRecord record, int total, double progress) { }
    }

    /// <summary>A line per step, or per tenth when there are many.</summary>
    private sealed class Quiet(bool verbose) : RunConsole
    {
        private int _tenth = -1;

        public override void Message(string line) => Console.Out.WriteLine(line);

        public override void Warn(string line) => Console.Error.WriteLine("mshpc: warning: " + line);

        public override void Step(StepRecord record, int total, double progress)
        {
            int tenth = (int)(progress * 10 + 1e-9);
            // A step with words of its own was asked for by the job.
            if (!verbose && record.Text is null && total is 0 or > 200 && tenth == _tenth) return;
            _tenth = tenth;
            Console.Out.WriteLine($"{(progress * 100).ToString("F0", CultureInfo.InvariantCulture),3} %  {record.Describe(total)}");
        }
    }

    /// <summary>A bar that moves, on stderr, so that stdout stays a clean log.</summary>
    private sealed class Live : RunConsole
    {
        private readonly IAnsiConsole _console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        private ProgressTask? _task;

        public override T Show<T>(Func<IRunObserver, T> work) => _console.Progress().AutoClear(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                _task = context.AddTask("starting", maxValue: 1);
                var result = work(this);
                _task.StopTask();
                return result;
            });

        public override void Message(string line) => _console.WriteLine(line);

        public override void Warn(string line) => _console.MarkupLine($"[yellow]warning:[/] {Markup.Escape(line)}");

        public override void Step(StepRecord record, int total, double progress)
        {
            if (_task is null) return;
            string last = record.Norms.Length > 0 ? record.Norms[^1].ToString("0e+00", CultureInfo.InvariantCulture) : "";
            _task.Description = Markup.Escape(record.Text ?? $"step {record.Step}{(total > 0 ? $"/{total}" : "")}  it {record.Iterations} {last}");
            _task.Value = progress;
        }
    }
}
