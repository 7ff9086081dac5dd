using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Runtime.InteropServices;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Cli;

/// <summary>The verbs of the command line, and what becomes of errors.</summary>
internal static class Commands
{
    /// <summary>Exit codes: 0 done, 1 a bug, 2 bad input or usage, 3 not converged, 4 numerical failure, 5 native library, 75 checkpointed and
    /// wants to be started again, 130 and 143 ended by a signal.</summary>
    internal const int Bug = 1, BadInput = 2, Requeue = 75, Interrupted = 130, Terminated = 143;

    private static readonly Option<bool> s_verbose = new("--verbose", "-v") { Description = "Say more; with an error, where it came from", Recursive = true };

    /// <summary>Parses and runs.</summary>
    public static int Run(string[] args)
    {
        var root = Build();
        if (args.Length == 0)
        {
            // Somebody looks what there is.
            root.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = Console.Error });
            return BadInput;
        }
        var parse = root.Parse(args);
        bool verbose = args.Contains("-v") || args.Contains("--verbose");
        try
        {
            if (parse.Errors.Count > 0 && parse.Action is not System.CommandLine.Help.HelpAction)
            {
                foreach (var error in parse.Errors) Console.Error.WriteLine($"mshpc: {Hint(error, parse)}");
                string command = parse.CommandResult.Command is RootCommand ? "" : parse.CommandResult.Command.Name + " ";
                Console.Error.WriteLine($"mshpc: see 'mshpc {command}--help'");
                return BadInput;
            }
            int code = parse.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
            MpiRuntime.Shutdown();
            return code;
        }
        catch (Exception e)
        {
            return Report(e, verbose);
        }
    }

    private static string Hint(ParseError error, ParseResult parse)
    {
        string message = error.Message.TrimEnd('.');
        if (parse.UnmatchedTokens.Count > 0 && message.Contains(parse.UnmatchedTokens[0], StringComparison.Ordinal))
        {
            string word = parse.UnmatchedTokens[0];
            var command = parse.CommandResult.Command;
            var valid = word.StartsWith('-') ? command.Options.Select(o => o.Name) : command.Subcommands.Select(c => c.Name);
            message += Nearest.Hint(word, valid);
        }
        return message;
    }

    /// <summary>One sentence on stderr and the exit code; collective failures end every rank.</summary>
    private static int Report(Exception e, bool verbose)
    {
        if (e is AggregateException { InnerExceptions: [var only] }) e = only;
        int code = e is MsHpcException known ? known.ExitCode : e is OutOfMemoryException ? 4 : Bug;
        string rank = MpiRuntime.IsInitialized && MpiRuntime.LaunchedRanks > 1 ? $"[{Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK") ?? Environment.GetEnvironmentVariable("PMI_RANK") ?? "?"}/{MpiRuntime.LaunchedRanks}] " : "";
        if (e is InputException input) foreach (var fault in input.Faults) Console.Error.WriteLine(rank + fault);
        else if (e is MsHpcException) Console.Error.WriteLine($"{rank}mshpc: {e.Message}");
        else if (e is OutOfMemoryException) Console.Error.WriteLine($"{rank}mshpc: out of memory; --dry-run tells what a job needs");
        else Console.Error.WriteLine($"{rank}mshpc: this is a bug: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")} (start again with -v for where it happened)");
        if (verbose) Console.Error.WriteLine(e.ToString());
        if (MpiRuntime.IsInitialized && MpiRuntime.LaunchedRanks > 1) MpiRuntime.Abort(code);
        return code;
    }

    private static RootCommand Build()
    {
        var root = new RootCommand("Multiscale simulation of materials.") { s_verbose };

        var file = new Argument<string>("job.yaml") { Description = "Job file" };
        var set = new Option<string[]>("--set") { Description = "Replace a setting: --set run.steps=20 (may be repeated; list entries are numbered from 0)", HelpName = "key=value", AllowMultipleArgumentsPerToken = false, Arity = ArgumentArity.OneOrMore };
        var restart = new Option<string?>("--restart") { Description = "Go on from a checkpoint: 'latest' or a file", HelpName = "latest|FILE" };
        var output = new Option<string?>("--output", "-o") { Description = "Folder for results (default: 'results' beside the job)", HelpName = "DIR" };
        var threads = new Option<int?>("--threads") { Description = "Threads per rank (default: cores in the affinity mask; 1 under mpirun)", HelpName = "N" };
        threads.Validators.Add(result => { if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, out int n) && n is < 1 or > 4096) result.AddError($"--threads must be between 1 and 4096, not {n}"); });
        var dry = new Option<bool>("--dry-run") { Description = "Print what would be solved, and stop" };
        var run = new Command("run", "Run a job.") { file, set, restart, output, threads, dry };
        run.SetAction(parse => RunJob(parse.GetValue(file)!, parse.GetValue(set) ?? [], parse.GetValue(restart), parse.GetValue(output), parse.GetValue(threads), parse.GetValue(dry), parse.GetValue(s_verbose)));
        root.Add(run);

        var checkedFile = new Argument<string>("job.yaml") { Description = "Job file" };
        var checkedSet = new Option<string[]>("--set") { Description = "Replace a setting, as in run", HelpName = "key=value", Arity = ArgumentArity.OneOrMore };
        var validate = new Command("validate", "Check a job and the files it names; all faults at once.") { checkedFile, checkedSet };
        validate.SetAction(parse =>
        {
            var job = JobFile.Load(parse.GetValue(checkedFile)!, parse.GetValue(checkedSet));
            Console.WriteLine($"{job.File}: job '{job.Name}' ({job.Type.ToString().ToLowerInvariant()}) is fine");
        });
        root.Add(validate);

        var schema = new Command("schema", "Print the JSON Schema of job files, for editors.");
        schema.SetAction(_ => Console.WriteLine(JobFile.JsonSchema()));
        root.Add(schema);

        var info = new Command("info", "Print version, machine and libraries.");
        info.SetAction(_ => Info());
        root.Add(info);

        var mkl = new Option<bool>("--mkl") { Description = "Also install Intel MKL" };
        var setup = new Command("setup", "Install MPI, PETSc and BLAS, and build everything (source tree only).") { mkl };
        setup.SetAction(parse => Launcher(parse.GetValue(mkl) ? ["setup", "--mkl"] : ["setup"]));
        root.Add(setup);

        var nightly = new Option<bool>("--nightly") { Description = "With the slow tests" };
        var test = new Command("test", "Run every test: C#, native, MPI on two ranks, Python (source tree only).") { nightly };
        test.SetAction(parse => Launcher(parse.GetValue(nightly) ? ["test", "--nightly"] : ["test"]));
        root.Add(test);
        return root;
    }

    /// <summary>The launcher in the source tree builds and tests; the program itself cannot rebuild what it runs from.</summary>
    private static int Launcher(string[] arguments)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string script = Path.Combine(folder.FullName, "mshpc");
            if (!File.Exists(script) || !File.Exists(Path.Combine(folder.FullName, "MsHpc.sln"))) continue;
            using var process = Process.Start(new ProcessStartInfo(script, arguments) { UseShellExecute = false })!;
            process.WaitForExit();
            return process.ExitCode;
        }
        throw new InputException($"'{arguments[0]}' belongs to the source tree: run ./mshpc {arguments[0]} there");
    }

    private static void Info()
    {
        Console.WriteLine(Machine.Format(new LogHeader { Ranks = MpiRuntime.LaunchedRanks, Threads = Machine.ChooseThreads().Count, Petsc = PetscVersion() }));
        Console.WriteLine($"threads: {Machine.ChooseThreads().Count} (from {Machine.ChooseThreads().Source})");
        Console.WriteLine($"native library: {MpiRuntime.LibraryPath ?? "none; the built-in solvers do the work"}");
        if (MpiRuntime.LibraryPath is not null) Console.WriteLine(MpiRuntime.Versions);
    }

    /// <summary>"3.18.5, Open MPI v4.1.4" from the library's "Open MPI v4.1.4; PETSc 3.18.5"; null without PETSc.</summary>
    private static string? PetscVersion()
    {
        if (!PetscSolver.IsAvailable) return null;
        string[] parts = MpiRuntime.Versions.Split(';', StringSplitOptions.TrimEntries);
        return string.Join(", ", parts.OrderBy(p => !p.StartsWith("PETSc", StringComparison.Ordinal)).Select(p => p.Replace("PETSc ", "", StringComparison.Ordinal)));
    }

    private static int RunJob(string file, string[] set, string? restart, string? output, int? threads, bool dry, bool verbose)
    {
        // Reading comes first: a typing error should not wait for MPI.
        var job = JobFile.Load(file, set);
        int count = Machine.ChooseThreads(threads).Count;
        if (dry)
        {
            foreach (string line in JobPlan.Describe(job, MpiRuntime.LaunchedRanks, count)) Console.WriteLine(line);
            return 0;
        }
        // PETSc brings MPI with it, also on one rank.
        bool native = MpiRuntime.IsLaunchedInParallel || PetscSolver.IsAvailable;
        var comm = native ? MpiRuntime.Initialize() : Comm.Self;
        var stop = new StopRequest();
        int signalled = 0;
        void On(PosixSignalContext context, string why, int code)
        {
            context.Cancel = true;
            // A second Ctrl-C means now.
            if (stop.Reason is not null && code == Interrupted) { context.Cancel = false; return; }
            signalled = code;
            stop.Ask(why);
            if (code == Interrupted && comm.IsRoot) Console.Error.WriteLine("mshpc: Ctrl-C: stopping soon, with a checkpoint (again: stop at once, without)");
        }
        using var usr1 = PosixSignalRegistration.Create((PosixSignal)10, c => On(c, "SIGUSR1", Requeue));
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => On(c, "SIGTERM", Requeue));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, c => On(c, "Ctrl-C", Interrupted));

        using var console = RunConsole.Create(comm.IsRoot, verbose);
        var result = console.Show(observer => JobRunner.Run(job, new RunOptions(output, restart, count, comm, PetscVersion()), observer, stop));
        if (result.End != RunEnd.Checkpointed) return 0;
        // The signal may have reached another rank only.
        int code = (int)comm.AllReduceMax(signalled == Interrupted ? 1.0 : 0.0) == 1 ? Interrupted : Requeue;
        return code;
    }
}
