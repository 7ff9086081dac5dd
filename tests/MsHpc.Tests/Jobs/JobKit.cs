using NUnit.Framework;
using System.Diagnostics;
using MsHpc.Core;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Tests.Jobs;

/// <summary>Jobs to test with, and the program itself as a process.</summary>
internal static class JobKit
{
    public static string Examples => Path.Combine(TestData.Root, "examples");

    public static string[] ExampleJobs => [.. Directory.EnumerateFiles(Examples, "*.yaml", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    /// <summary>A two-dimensional mesh with boundaries left, right, bottom, top, hole and region plate.</summary>
    public static string Mesh => Path.Combine(Examples, "plate-elastic", "plate_hole.msh");

    public const string Elastic = """
        schema: mshpc/1
        job: {name: test, type: quasistatic}
        model:
          continuum:
            mesh: plate_hole.msh
            materials: {plate: {elastic: {E: 210 GPa, nu: 0.3}}}
        boundary_conditions:
          - {on: left, ux: 0}
          - {on: bottom, uy: 0}
          - {on: right, ux: {ramp: [0, 0.01]}}
        run: {steps: 2}

        """;

    /// <summary>Writes a job beside a copy of the mesh.</summary>
    public static string Write(string yaml, string folder, string name = "job.yaml")
    {
        File.Copy(Mesh, Path.Combine(folder, "plate_hole.msh"), overwrite: true);
        string file = Path.Combine(folder, name);
        File.WriteAllText(file, yaml);
        return file;
    }

    /// <summary>Faults of a job; empty when it is fine.</summary>
    public static IReadOnlyList<InputFault> Faults(string file, params string[] set)
    {
        try { JobFile.Load(file, set); }
        catch (InputException e) { return e.Faults; }
        return [];
    }

    public static string Program => Path.Combine(AppContext.BaseDirectory, "mshpc.dll");

    /// <summary>Starts the program.</summary>
    public static Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["MSHPC_EMBEDDED"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        return Process.Start(start)!;
    }

    /// <summary>Runs the program to its end.</summary>
    public static (int Code, string Out, string Error) Run(params string[] arguments)
    {
        using var process = Start(arguments);
        var error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(120_000)) { process.Kill(true); Assert.Fail($"mshpc {string.Join(' ', arguments)} hangs"); }
        return (process.ExitCode, output, error.Result);
    }
}

/// <summary>Remembers what it was told.</summary>
internal sealed class Recorder : IRunObserver
{
    public List<string> Messages { get; } = [];
    public List<string> Warnings { get; } = [];
    public List<StepRecord> Steps { get; } = [];
    public Action<StepRecord>? OnStep { get; init; }
    public void Message(string line) => Messages.Add(line);
    public void Warn(string line) => Warnings.Add(line);
    public void Step(StepRecord record, int total, double progress) { Steps.Add(record); OnStep?.Invoke(record); }
}
