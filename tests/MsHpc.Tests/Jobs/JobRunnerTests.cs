using NUnit.Framework;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Tests.Jobs;

/// <summary>Runs in this process: all kinds of jobs, stopping and going on.</summary>
[Category("Unit")]
public class JobRunnerTests
{
    private static RunResult Run(Job job, string folder, string? restart = null, int stopAfter = -1, Recorder? recorder = null)
    {
        var stop = new StopRequest();
        recorder ??= new Recorder { OnStep = r => { if (r.Step == stopAfter) stop.Ask("test"); } };
        return JobRunner.Run(job, new RunOptions(folder, restart, 2, Comm.Self, null), recorder, stop);
    }

    private const string Micro = """
        schema: mshpc/1
        job: {name: small-fe2, type: quasistatic}
        model:
          fe2:
            mesh: plate_hole.msh
            micro:
              microstructure: {array: {shape: [4, 4], radius: 0.3}}
              size: [1, 1]
              materials:
                0: {j2_plasticity: {E: 70000, nu: 0.33, sigma_y: 250, H: 1000}}
                1: {elastic: {E: 400000, nu: 0.2}}
        boundary_conditions:
          - {on: left, ux: 0}
          - {on: bottom, uy: 0}
          - {on: right, ux: {ramp: [0, 0.004]}}
        run: {steps: 4}
        output: {micro: [{element: 3, point: 1}], checkpoint: {every: 1}}

        """;

    private static readonly TestCaseData[] s_jobs =
    [
        new TestCaseData(JobKit.Elastic.Replace("steps: 2", "steps: 4", StringComparison.Ordinal), 2).SetArgDisplayNames("elastic"),
        new TestCaseData(Micro, 2).SetArgDisplayNames("fe2"),
        new TestCaseData(JobKit.Elastic.Replace("type: quasistatic", "type: dynamics", StringComparison.Ordinal).Replace("nu: 0.3", "nu: 0.3, density: 7850 kg/m^3", StringComparison.Ordinal)
            .Replace("run: {steps: 2}", "run: {integrator: hht, steps: 6, end_time: 1e-5}", StringComparison.Ordinal), 3).SetArgDisplayNames("hht"),
        new TestCaseData(JobKit.Elastic.Replace("type: quasistatic", "type: dynamics", StringComparison.Ordinal).Replace("nu: 0.3", "nu: 0.3, density: 7850 kg/m^3", StringComparison.Ordinal)
            .Replace("run: {steps: 2}", "run: {integrator: explicit, end_time: 1e-6}\noutput: {every: 8}", StringComparison.Ordinal), 16).SetArgDisplayNames("explicit"),
        new TestCaseData("""
            schema: mshpc/1
            job: {name: path, type: homogenize}
            model:
              rve:
                microstructure: {spheres: {shape: [8, 8], fraction: 0.3, radius: 0.3}}
                size: [1, 1]
                materials:
                  0: {j2_plasticity: {E: 70000, nu: 0.33, sigma_y: 250, H: 1000}}
                  1: {elastic: {E: 400000, nu: 0.2}}
            run: {steps: 4, strain: {xx: {ramp: [0, 0.01]}}, stress: {yy: 0, xy: 0}}

            """, 2).SetArgDisplayNames("homogenize"),
    ];

    [TestCaseSource(nameof(s_jobs))]
    public void Stopped_and_restarted_it_gives_the_same_bits(string yaml, int stopAfter)
    {
        string folder = TestData.Scratch(), whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        var job = JobFile.Load(JobKit.Write(yaml, folder));
        Assert.That(Run(job, whole).End, Is.EqualTo(RunEnd.Finished));
        Assert.That(Run(job, parts, stopAfter: stopAfter).End, Is.EqualTo(RunEnd.Checkpointed));
        Assert.That(Run(job, parts, restart: "latest").End, Is.EqualTo(RunEnd.Finished));
        string[] Names(string f) => [.. Directory.EnumerateFiles(f).Select(Path.GetFileName).Where(n => n!.EndsWith(".vtu", StringComparison.Ordinal) || n.EndsWith(".csv", StringComparison.Ordinal) || n.EndsWith(".pvd", StringComparison.Ordinal)).Order()!];
        Assert.That(Names(parts), Is.EqualTo(Names(whole)));
        foreach (string name in Names(whole))
            Assert.That(File.ReadAllBytes(Path.Combine(parts, name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, name))), name);
    }

    [TestCase("plate-elastic")]
    [TestCase("bar-explicit")]
    [TestCase("fe2-finite-strain")]
    [TestCase("rve-homogenize", Category = "Slow")]
    [TestCase("fe2-plate", Category = "Slow")]
    public void Examples_run_to_their_end(string example)
    {
        var recorder = new Recorder();
        var result = Run(JobFile.Load(Path.Combine(JobKit.Examples, example, "job.yaml")), TestData.Scratch(), recorder: recorder);
        Assert.Multiple(() =>
        {
            Assert.That(result.End, Is.EqualTo(RunEnd.Finished));
            Assert.That(recorder.Warnings, Is.Empty);
            Assert.That(result.History.Steps.Select(s => s.HillMandel ?? 0), Is.All.LessThan(1e-10));
            Assert.That(result.History.Steps.SelectMany(s => s.Values), Is.All.Matches<double>(double.IsFinite));
        });
    }

    [Test]
    public void The_bar_carries_the_stress_of_the_wave_and_keeps_its_energy()
    {
        var job = JobFile.Load(Path.Combine(JobKit.Examples, "bar-explicit", "job.yaml"), ["run.end_time=3e-6", "output.every=1"]);
        var result = Run(job, TestData.Scratch());
        int force = Array.IndexOf(result.History.Columns, "left_fx"), energy = Array.IndexOf(result.History.Columns, "total_energy");
        // Behind the front of a wave the stress is rho c v = sqrt(E rho) v on 1 mm²; the discrete one oscillates about it.
        var late = result.History.Steps.Where(s => s.Time > 1e-6).Select(s => s.Values[force]).ToList();
        double expected = Math.Sqrt(210e3 * 7.85e-9) * 5000;
        Assert.That(late.Average(), Is.EqualTo(expected).Within(0.02 * expected));
        var energies = result.History.Steps.Select(s => s.Values[energy]).ToList();
        Assert.That(energies.Max() - energies.Min(), Is.LessThan(1e-10 * energies[0]));
    }

    [Test]
    public void Fe2_writes_the_microstructure_and_reports_hill_mandel()
    {
        string folder = TestData.Scratch();
        var recorder = new Recorder();
        var result = Run(JobFile.Load(JobKit.Write(Micro, folder)), folder, recorder: recorder);
        Assert.Multiple(() =>
        {
            Assert.That(File.Exists(Path.Combine(folder, "fields-micro-3-1-000004.vtu")));
            Assert.That(File.Exists(Path.Combine(folder, "fields-micro-3-1.pvd")));
            Assert.That(recorder.Steps, Has.Count.EqualTo(4));
            Assert.That(recorder.Steps.Max(s => s.HillMandel), Is.LessThan(1e-10));
            Assert.That(File.ReadAllText(Path.Combine(folder, "summary.html")), Does.Contain("Hill–Mandel").And.Contain("micro-3-1"));
            Assert.That(result.History.Steps[^1].Norms[^1], Is.LessThan(1e-8));
        });
    }

    [Test]
    public void A_volume_that_fails_is_named_and_dumped()
    {
        string folder = TestData.Scratch();
        // One Newton iteration is not enough for a plastic volume, however small the step.
        var job = JobFile.Load(JobKit.Write(Micro.Replace("size: [1, 1]", "size: [1, 1]\n      max_iterations: 1\n      tolerance: 1e-13", StringComparison.Ordinal), folder),
            ["run.newton={min_step: 0.4}", "boundary_conditions.2.ux.ramp=[0, 0.04]"]);
        var recorder = new Recorder();
        Assert.That(() => Run(job, folder, recorder: recorder), Throws.TypeOf<MsHpc.Core.ConvergenceException>().With.Message.Contains("element"));
        Assert.Multiple(() =>
        {
            Assert.That(recorder.Warnings, Has.Some.Contains("does not reach equilibrium under the macro strain (xx "));
            Assert.That(File.Exists(Path.Combine(folder, "failed-volume.vtu")) && File.Exists(Path.Combine(folder, "failed-volume.h5")));
            Assert.That(File.ReadAllText(Path.Combine(folder, "summary.html")), Does.Contain("stopped by a failure"));
        });
    }

    [Test]
    public void A_load_table_is_followed_and_a_homogeneous_volume_is_its_material()
    {
        string folder = TestData.Scratch();
        var job = JobFile.Load(JobKit.Write("""
            schema: mshpc/1
            job: {name: one, type: homogenize}
            model:
              rve:
                microstructure: {checkerboard: {shape: [4, 4]}}
                size: [1, 1]
                materials: {0: {elastic: {E: 1000, nu: 0.25}}, 1: {elastic: {E: 1000, nu: 0.25}}}
            run: {steps: 2, strain: {xx: {table: [[0, 0], [0.5, 0.01], [1, 0.005]]}}}

            """, folder));
        var result = Run(job, folder);
        // Plane strain: C11 = E(1 − ν)/((1 + ν)(1 − 2ν)) = 1200.
        var summary = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "summary.json"))).RootElement;
        Assert.Multiple(() =>
        {
            Assert.That(summary.GetProperty("effective_stiffness")[0][0].GetDouble(), Is.EqualTo(1200).Within(1e-8));
            Assert.That(result.History.Steps.Select(s => s.Values[0]), Is.EqualTo(new[] { 0.01, 0.005 }).Within(1e-15));
            Assert.That(result.History.Steps.Select(s => s.Values[3]), Is.EqualTo(new[] { 12.0, 6.0 }).Within(1e-9));
        });
    }

    // Steps of 1/3 would jump over the peak at 1/2, and with it over all plastic flow.
    [Test]
    public void A_peak_of_the_path_between_two_steps_is_not_missed()
    {
        string folder = TestData.Scratch();
        var job = JobFile.Load(JobKit.Write("""
            schema: mshpc/1
            job: {name: peak, type: homogenize}
            model:
              rve:
                microstructure: {checkerboard: {shape: [2, 2]}}
                size: [1, 1]
                materials: {0: {j2_plasticity: {E: 1000, nu: 0.25, sigma_y: 1}}, 1: {j2_plasticity: {E: 1000, nu: 0.25, sigma_y: 1}}}
            run: {steps: 1, strain: {xx: 0, yy: 0, xy: {table: [[0, 0], [0.5, 0.01], [1, 0]]}}}

            """, folder));
        Assert.That(Run(job, folder).History.Steps[^1].Values[5], Is.EqualTo(-1 / Math.Sqrt(3)).Within(1e-9));
    }
}
