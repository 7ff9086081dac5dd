using NUnit.Framework;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using CsCheck;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Tests.Jobs;

/// <summary>The built program as a process: exit codes, one sentence on stderr, restart.</summary>
[Category("Unit")]
[NonParallelizable]
public partial class CommandLineTests
{
    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [Test]
    public void Help_names_every_verb()
    {
        var (code, output, _) = JobKit.Run("--help");
        Assert.That(code, Is.Zero);
        foreach (string verb in new[] { "run", "validate", "schema", "info", "setup", "test" }) Assert.That(output, Does.Contain(verb));
        Assert.That(JobKit.Run("run", "--help").Out, Does.Contain("--restart").And.Contain("--set").And.Contain("--dry-run").And.Contain("--threads"));
    }

    [TestCase("frobnicate")]
    [TestCase("run")]
    [TestCase("run", "job.yaml", "--outputt", "x")]
    [TestCase("run", "job.yaml", "--threads", "0")]
    [TestCase("validate", "/nonexistent/job.yaml")]
    public void Wrong_usage_is_exit_code_2_and_a_sentence(params string[] arguments)
    {
        var (code, _, error) = JobKit.Run(arguments);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(2), error);
            Assert.That(error.Trim(), Is.Not.Empty.And.Not.Contain("   at "));
        });
    }

    [Test]
    public void Faults_of_a_job_are_printed_as_editors_like_them()
    {
        string file = JobKit.Write(JobKit.Elastic.Replace("nu: 0.3", "nu2: 0.3", StringComparison.Ordinal).Replace("on: left", "on: lefft", StringComparison.Ordinal), TestData.Scratch());
        var (code, _, error) = JobKit.Run("validate", file);
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(2));
            Assert.That(error, Does.Contain($"{file}:6:").And.Contain("did you mean 'nu'?").And.Contain("did you mean 'left'?"));
            Assert.That(error, Does.Not.Contain("   at "));
        });
    }

    [Test]
    public void A_run_writes_everything_and_says_where()
    {
        string folder = TestData.Scratch(), file = JobKit.Write(JobKit.Elastic, folder), results = Path.Combine(folder, "results");
        var (code, output, error) = JobKit.Run("run", file, "--threads", "1");
        Assert.That(code, Is.Zero, error);
        Assert.Multiple(() =>
        {
            foreach (string name in new[] { "fields.pvd", "fields-000000.vtu", "fields-000002.vtu", "reactions.csv", "newton.csv", "summary.html", "summary.json", "run.log", "checkpoint-000002.h5" })
                Assert.That(File.Exists(Path.Combine(results, name)), name);
            Assert.That(output, Does.StartWith("mshpc ").And.Contain("BLAS").And.Contain("elastic").And.Contain("100 %").And.Contain(results));
            string page = File.ReadAllText(Path.Combine(results, "summary.html"));
            Assert.That(page, Does.Contain("<svg").And.Contain("finished").And.Contain("prefers-color-scheme"));
            Assert.That(page, Does.Not.Contain("http://").IgnoreCase.Or.Contain("www.w3.org"));
            string[] table = File.ReadAllLines(Path.Combine(results, "reactions.csv"));
            Assert.That(table, Has.Length.EqualTo(3));
            Assert.That(table[0], Does.StartWith("step,time,").And.Contain("right_fx [N]"));
        });
        var summary = JsonDocument.Parse(File.ReadAllText(Path.Combine(results, "summary.json"))).RootElement;
        Assert.That(summary.GetProperty("status").GetString(), Is.EqualTo("finished"));
        // Supports balance: what pulls right holds left.
        var columns = summary.GetProperty("columns").EnumerateArray().Select(c => c.GetString()).ToList();
        double Last(string name) => summary.GetProperty("last")[columns.IndexOf(name)].GetDouble();
        Assert.That(Last("right_fx"), Is.EqualTo(-Last("left_fx")).Within(1e-9 * Math.Abs(Last("right_fx"))).And.GreaterThan(0));
    }

    [Test]
    public void Dry_run_tells_sizes_and_writes_nothing()
    {
        string folder = TestData.Scratch();
        File.Copy(JobKit.Mesh, Path.Combine(folder, "plate_hole.msh"));
        string file = Path.Combine(folder, "job.yaml");
        File.Copy(Path.Combine(JobKit.Examples, "fe2-plate", "job.yaml"), file);
        var (code, output, error) = JobKit.Run("run", file, "--dry-run");
        Assert.That(code, Is.Zero, error);
        Assert.That(output, Does.Contain("960 representative volumes").And.Contain("ε = ℓ/L = 0.01").And.Contain("memory"));
        Assert.That(Directory.Exists(Path.Combine(folder, "results")), Is.False);
    }

    [Test]
    public void No_convergence_is_exit_code_3_with_results_so_far()
    {
        string folder = TestData.Scratch(), file = JobKit.Write(JobKit.Elastic.Replace("elastic: {E: 210 GPa, nu: 0.3}", "j2_plasticity: {E: 210 GPa, nu: 0.3, sigma_y: 100, H: 10}", StringComparison.Ordinal), folder);
        var (code, _, error) = JobKit.Run("run", file, "--set", "run.steps=1", "--set", "run.newton={max_iterations: 1, min_step: 0.4}", "--set", "boundary_conditions.2.ux.ramp=[0, 0.05]");
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(3), error);
            Assert.That(error, Does.Contain("no convergence").And.Not.Contain("   at "));
            Assert.That(File.ReadAllText(Path.Combine(folder, "results", "summary.html")), Does.Contain("stopped by a failure"));
        });
    }

    private const string Long = """
        schema: mshpc/1
        job: {name: long, type: quasistatic}
        model:
          continuum:
            mesh: plate_hole.msh
            materials: {plate: {j2_plasticity: {E: 210 GPa, nu: 0.3, sigma_y: 250, H: 1000}}}
        boundary_conditions:
          - {on: left, ux: 0}
          - {on: bottom, uy: 0}
          - {on: right, ux: {table: [[0, 0], [0.5, 0.005], [1, 0.001]]}}
        run: {steps: 400}
        output: {every: 400, checkpoint: {every: 5}}

        """;

    private static readonly string[] s_compared = ["reactions.csv", "newton.csv", "fields-000400.vtu"];

    private static void SameResults(string a, string b)
    {
        foreach (string name in s_compared)
            Assert.That(File.ReadAllBytes(Path.Combine(b, name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(a, name))), name);
    }

    [TestCase(10, 75)]
    [TestCase(15, 75)]
    [TestCase(2, 130)]
    public void A_signal_gives_a_checkpoint_and_a_restart_the_same_bits(int signal, int expected)
    {
        string folder = TestData.Scratch(), file = JobKit.Write(Long, folder);
        string whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        Assert.That(JobKit.Run("run", file, "--output", whole, "--threads", "1").Code, Is.Zero);
        using (var process = JobKit.Start("run", file, "--output", parts, "--threads", "1"))
        {
            _ = process.StandardError.ReadToEndAsync();
            for (string? line = ""; line is not null && !line.Contains("step 20", StringComparison.Ordinal) && !line.Contains(" 10 %", StringComparison.Ordinal); line = process.StandardOutput.ReadLine()) { }
            Assert.That(kill(process.Id, signal), Is.Zero);
            process.StandardOutput.ReadToEnd();
            Assert.That(process.WaitForExit(60_000));
            Assert.That(process.ExitCode, Is.EqualTo(expected));
        }
        var (code, output, error) = JobKit.Run("run", file, "--output", parts, "--restart", "latest", "--threads", "1");
        Assert.That(code, Is.Zero, error);
        Assert.That(output, Does.Contain("restarted from"));
        SameResults(whole, parts);
        // A job that means something else is refused.
        var refused = JobKit.Run("run", file, "--output", parts, "--restart", "latest", "--set", "run.steps=500");
        Assert.That(refused.Code, Is.EqualTo(2));
        Assert.That(refused.Error, Does.Contain("another job"));
    }

    [Test]
    [Category("Slow")]
    public void Killed_at_random_moments_it_ends_with_the_same_bits()
    {
        string folder = TestData.Scratch(), file = JobKit.Write(Long, folder);
        string whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        Assert.That(JobKit.Run("run", file, "--output", whole, "--threads", "1").Code, Is.Zero);
        var random = new Random(42);
        for (int k = 0; k < 10; k++)
        {
            bool any = Directory.Exists(parts) && Directory.EnumerateFiles(parts, "checkpoint-*.h5").Any();
            using var process = JobKit.Start(["run", file, "--output", parts, "--threads", "1", .. any ? new[] { "--restart", "latest" } : []]);
            _ = process.StandardError.ReadToEndAsync();
            _ = process.StandardOutput.ReadToEndAsync();
            Thread.Sleep(random.Next(200, 1500));
            process.Kill();
            process.WaitForExit();
        }
        bool some = Directory.EnumerateFiles(parts, "checkpoint-*.h5").Any();
        var (code, _, error) = JobKit.Run(["run", file, "--output", parts, "--threads", "1", .. some ? new[] { "--restart", "latest" } : []]);
        Assert.That(code, Is.Zero, error);
        SameResults(whole, parts);
    }
}
