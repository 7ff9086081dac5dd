using System.Text.Json;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;
using NUnit.Framework;

namespace MsHpc.Tests.Jobs;

/// <summary>Jobs on atoms: their language, their runs, stopping and going on.</summary>
public sealed class AtomJobTests
{
    private const string Md = """
        schema: mshpc/1
        job: {name: test, type: md}
        system:
          crystal: {structure: fcc, element: Ar, a: 5.4 Å, cells: [4, 4, 4]}
          temperature: 60 K
        model:
          lennard_jones: {epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8.5 Å, truncation: force_shifted}
        run: {timestep: 5 fs, steps: 200, ensemble: ENSEMBLE}
        output: {thermo: 10, trajectory: {file: t.extxyz, every: 25}, checkpoint: {every: 50}}

        """;

    private static string Write(string yaml, string folder)
    {
        string file = Path.Combine(folder, "job.yaml");
        File.WriteAllText(file, yaml);
        return file;
    }

    private static RunResult Run(Job job, string folder, string? restart = null, int stopAfter = -1, int threads = 1)
    {
        var stop = new StopRequest();
        return JobRunner.Run(job, new RunOptions(folder, restart, threads, Comm.Self, null), new Recorder { OnStep = r => { if (r.Step == stopAfter) stop.Ask("test"); } }, stop);
    }

    [TestCase("nve")]
    [TestCase("{langevin: {temperature: 60 K, friction: 0.01 1/fs}}")]
    [TestCase("{nose_hoover: {temperature: 60 K, time: 100 fs}}")]
    [TestCase("{npt: {temperature: 60 K, time: 100 fs, pressure: 0 GPa, pressure_time: 1 ps}}")]
    public void StoppedAndRestartedItGivesTheSameBits(string ensemble)
    {
        string folder = TestData.Scratch(), whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        var job = JobFile.Load(Write(Md.Replace("ENSEMBLE", ensemble, StringComparison.Ordinal), folder));
        Assert.That(Run(job, whole).End, Is.EqualTo(RunEnd.Finished));
        // Stopped where the whole run writes a checkpoint, too: a checkpoint sorts the atoms anew.
        Assert.That(Run(job, parts, stopAfter: 100).End, Is.EqualTo(RunEnd.Checkpointed));
        Assert.That(Run(job, parts, restart: "latest").End, Is.EqualTo(RunEnd.Finished));
        foreach (string name in new[] { "thermo.csv", "t.extxyz", "final.extxyz" })
            Assert.That(File.ReadAllText(Path.Combine(parts, name)), Is.EqualTo(File.ReadAllText(Path.Combine(whole, name))), name);
        Assert.That(File.ReadAllText(Path.Combine(whole, "summary.html")), Does.Contain("ns/day").And.Contain("<svg").And.Contain("drift"));
        Assert.That(File.ReadAllLines(Path.Combine(whole, "thermo.csv")), Has.Length.EqualTo(22), "a heading, the start, twenty lines");
    }

    // As after kill −9: the trajectory and the tables are further than the checkpoint; what is beyond is dropped and done again.
    [TestCase("t.extxyz")]
    [TestCase("t.dump")]
    [TestCase("t.h5")]
    public void GoesOnFromAnOlderCheckpointWithTheSameBits(string trajectory)
    {
        string folder = TestData.Scratch(), whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        var job = JobFile.Load(Write(Md.Replace("ENSEMBLE", "{langevin: {temperature: 60 K, friction: 0.01 1/fs}}", StringComparison.Ordinal).Replace("t.extxyz", trajectory, StringComparison.Ordinal), folder));
        Run(job, whole);
        // The other run is stopped late (so that an H5MD file still has its frames apart) and sent back to an older checkpoint.
        Run(job, parts, stopAfter: 190);
        Assert.That(Run(job, parts, restart: Path.Combine(parts, "checkpoint-000150.h5")).End, Is.EqualTo(RunEnd.Finished));
        Assert.That(File.ReadAllText(Path.Combine(parts, "thermo.csv")), Is.EqualTo(File.ReadAllText(Path.Combine(whole, "thermo.csv"))));
        Assert.That(File.ReadAllBytes(Path.Combine(parts, trajectory)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, trajectory))));
    }

    // The program: a signal, exit code 75, a restart to the end; drift, speed and time left are on the screen.
    [Test]
    public void ASignalGivesACheckpointAndARestartGoesOn()
    {
        string folder = TestData.Scratch(), results = Path.Combine(folder, "results");
        string file = Write(Md.Replace("ENSEMBLE", "nve", StringComparison.Ordinal).Replace("steps: 200", "steps: 20000", StringComparison.Ordinal).Replace("thermo: 10", "thermo: 500", StringComparison.Ordinal)
            .Replace("checkpoint: {every: 50}", "checkpoint: {every: 10 min}", StringComparison.Ordinal), folder);
        using (var process = JobKit.Start("run", file, "--output", results, "--threads", "1"))
        {
            _ = process.StandardError.ReadToEndAsync();
            for (string? line = ""; line is not null && !line.Contains("step 1000/", StringComparison.Ordinal); line = process.StandardOutput.ReadLine()) { }
            System.Diagnostics.Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]).WaitForExit();
            process.StandardOutput.ReadToEnd();
            Assert.That(process.WaitForExit(60_000));
            Assert.That(process.ExitCode, Is.EqualTo(75));
        }
        var (code, output, error) = JobKit.Run("run", file, "--output", results, "--restart", "latest", "--threads", "1");
        Assert.That(code, Is.Zero, error);
        Assert.That(output, Does.Contain("restarted from").And.Contain("step 20000/20000").And.Contain("ns/day").And.Contain("left").And.Contain("drift"));
        Assert.That(File.ReadAllLines(Path.Combine(results, "thermo.csv")), Has.Length.EqualTo(42));
        Assert.That(File.ReadAllLines(Path.Combine(results, "t.extxyz")), Has.Length.EqualTo(258 * 801));
    }

    [Test]
    public void ReportsWhatIsWrong()
    {
        string folder = TestData.Scratch();
        string file = Write("""
            schema: mshpc/1
            job: {name: test, type: md}
            system:
              cristal: {structure: fcc, element: Ar, a: 5.4 Å}
              temperature: 60 s
            model:
              lenard_jones: {epsilon: 1, sigma: 3}
            run: {timestep: 5 fs, step: 200, ensemble: nvt}

            """, folder);
        string all = string.Join('\n', JobKit.Faults(file));
        Assert.Multiple(() =>
        {
            Assert.That(all, Does.Contain("job.yaml:4:3: unknown key 'cristal', did you mean 'crystal'?"));
            Assert.That(all, Does.Contain("job.yaml:5:16"));
            Assert.That(all, Does.Contain("job.yaml:7:3: unknown interaction 'lenard_jones', did you mean 'lennard_jones'?"));
            Assert.That(all, Does.Contain("unknown key 'step', did you mean 'steps'?"));
            Assert.That(all, Does.Contain("unknown ensemble 'nvt'"));
        });
    }

    [TestCase("element: Ar", "element: Arr", "'Arr' is no chemical symbol")]
    [TestCase("structure: fcc", "structure: rocksalt", "2 kinds")]
    [TestCase("sigma: 3.405 Å", "sigma: -1 Å", "sigma must be positive")]
    [TestCase("epsilon: 0.0103 eV, ", "", "'epsilon' is missing")]
    [TestCase("t.extxyz", "t.txt", "a trajectory ends in")]
    [TestCase("{epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8.5 Å, truncation: force_shifted}", "{pairs: [{of: [Ar, Xe], epsilon: 1, sigma: 1, cutoff: 5}]}", "no atoms 'Xe'")]
    public void SlipsAreNamed(string right, string wrong, string sentence)
    {
        string file = Write(Md.Replace("ENSEMBLE", "nve", StringComparison.Ordinal).Replace(right, wrong, StringComparison.Ordinal), TestData.Scratch());
        Assert.That(string.Join('\n', JobKit.Faults(file)), Does.Contain(sentence));
    }

    [Test]
    public void DryRunSaysWhatItIs()
    {
        var job = JobFile.Load(Write(Md.Replace("ENSEMBLE", "nve", StringComparison.Ordinal), TestData.Scratch()));
        string plan = string.Join('\n', JobPlan.Describe(job, 1, 1));
        // fcc: 12 + 6 + 24 + 12 neighbours in four shells up to √2 a = 7.64 Å; the fifth, 24 at 8.54 Å, lies outside.
        Assert.That(plan, Does.Contain("256 atoms").And.Contain("neighbours: 54.0 within 8.5 Å").And.Contain("200 steps of 5 fs").And.Contain("memory").And.Contain("1.6852 g/cm³"));
    }

    [Test]
    public void MinimizeReachesItsForceOrSaysSo()
    {
        string folder = TestData.Scratch();
        string yaml = Md.Replace("type: md", "type: minimize", StringComparison.Ordinal).Replace("a: 5.4", "a: 5.2", StringComparison.Ordinal)
            .Replace("run: {timestep: 5 fs, steps: 200, ensemble: ENSEMBLE}", "run: {cell: isotropic, fmax: 1e-5, smax: 1e-7}", StringComparison.Ordinal);
        yaml = yaml[..yaml.IndexOf("output", StringComparison.Ordinal)];
        var job = JobFile.Load(Write(yaml, folder));
        Run(job, folder);
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "summary.json")));
        Assert.That(Math.Abs(json.RootElement.GetProperty("stress_GPa").GetProperty("xx").GetDouble()), Is.LessThan(2e-5));
        Assert.That(() => Run(JobFile.Load(Path.Combine(folder, "job.yaml"), ["run.max_steps=1"]), folder), Throws.TypeOf<ConvergenceException>());
    }

    [Test]
    public void EnergyOfAFileAndItsForces()
    {
        string folder = TestData.Scratch();
        File.WriteAllText(Path.Combine(folder, "two.xyz"), "2\n\nAr 0 0 0\nAr 3.405 0 0\n");
        string yaml = Md.Replace("type: md", "type: energy", StringComparison.Ordinal).Replace("  crystal: {structure: fcc, element: Ar, a: 5.4 Å, cells: [4, 4, 4]}\n  temperature: 60 K", "  file: two.xyz", StringComparison.Ordinal)
            .Replace("truncation: force_shifted", "truncation: cut", StringComparison.Ordinal);
        yaml = yaml[..yaml.IndexOf("run:", StringComparison.Ordinal)];
        var result = Run(JobFile.Load(Write(yaml, folder)), folder);
        // At r = σ the energy is 0 and the force 24 ε/σ.
        Assert.That(result.History.Steps[0].Values[0], Is.EqualTo(0).Within(1e-15));
        Assert.That(result.History.Steps[0].Values[2], Is.EqualTo(24 * 0.0103 / 3.405).Within(1e-14));
    }

    [TestCase("0\n\n", "no atoms")]
    [TestCase("2\n\nAr 0 0 0\nAr 0 0 0\n", "on top of each other")]
    public void FilesWithoutAnEnergyAreRefused(string content, string words)
    {
        string folder = TestData.Scratch();
        File.WriteAllText(Path.Combine(folder, "atoms.xyz"), content);
        string file = Write("""
            schema: mshpc/1
            job: {name: test, type: energy}
            system: {file: atoms.xyz}
            model: {lennard_jones: {epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8.5 Å}}

            """, folder);
        Assert.That(() => Run(JobFile.Load(file), folder), Throws.InstanceOf<MsHpcException>().With.Message.Contains(words));
    }

    // Amber files as a job: the energy is Amber's, whose constant of Coulomb differs from CODATA's in the fifth digit.
    [Test]
    public void AmberMoleculeHasTheEnergyOfOpenMm()
    {
        string folder = TestData.Scratch(), name = "alanine_dipeptide_vacuum";
        foreach (string suffix in new[] { "prmtop", "inpcrd" }) File.Copy(TestData.File($"md/amber/{name}.{suffix}"), Path.Combine(folder, $"{name}.{suffix}"));
        var result = Run(JobFile.Load(Write("""
            schema: mshpc/1
            job: {name: test, type: energy}
            system: {amber: {prmtop: alanine_dipeptide_vacuum.prmtop, inpcrd: alanine_dipeptide_vacuum.inpcrd}}
            model: {amber: {prmtop: alanine_dipeptide_vacuum.prmtop}}

            """, folder)), folder);
        Assert.That(result.History.Steps[0].Values[0], Is.EqualTo(TestData.Json($"md/amber/openmm_{name}.json").GetProperty("energy_total_eV").GetDouble()).Within(2e-3));
    }

    // The sum and its mesh: forces to 1e-6 e²/4πε₀Å² each, of 2300 charged atoms; their energies then differ by far less than 1e-2 eV.
    [Test]
    public void AmberWaterByEwaldAndByMesh()
    {
        string folder = TestData.Scratch(), name = "alanine_dipeptide_water";
        foreach (string suffix in new[] { "prmtop", "inpcrd" }) File.Copy(TestData.File($"md/amber/{name}.{suffix}"), Path.Combine(folder, $"{name}.{suffix}"));
        string file = Write("""
            schema: mshpc/1
            job: {name: test, type: energy}
            system: {amber: {prmtop: alanine_dipeptide_water.prmtop, inpcrd: alanine_dipeptide_water.inpcrd}}
            model: {amber: {prmtop: alanine_dipeptide_water.prmtop, cutoff: 9 Å, coulomb: pme, accuracy: 1e-6}}

            """, folder);
        double mesh = Run(JobFile.Load(file), folder).History.Steps[0].Values[0], sum = Run(JobFile.Load(file, ["model.amber.coulomb=ewald"]), folder).History.Steps[0].Values[0];
        Assert.That(mesh, Is.EqualTo(sum).Within(1e-2));
    }

    // The mesh is that of the supercell: with the small cell's the highest of these modes is off by 0.013 THz (in 8³ cells the lowest by 5 THz). Both sums are good to
    // 1e-6 e²/4πε₀Å² of a force, of about 0.1 eV/Å at 0.01 Å: 1e-4 of ω², less than 0.001 THz.
    [Test]
    public void PhononsByEwaldAndByMesh()
    {
        string folder = TestData.Scratch(), file = Write("""
            schema: mshpc/1
            job: {name: test, type: phonon}
            system: {crystal: {structure: rocksalt, elements: [Na, Cl], a: 5.64 Å, primitive: true}, charges: {Na: 1, Cl: -1}}
            model:
              - buckingham: {pairs: [{of: [Na, Na], A: 424.097, rho: 0.3171, C: 1.05, cutoff: 6}, {of: [Cl, Na], A: 1256.31, rho: 0.3171, C: 11.2, cutoff: 6}, {of: [Cl, Cl], A: 3488.998, rho: 0.3171, C: 72.4, cutoff: 6}]}
              - pme: {cutoff: 7 Å, accuracy: 1e-6}
            run: {supercell: [6, 6, 6], points: {A: [0.25, 0, 0], B: [0.3, 0, 0]}, path: [A, B]}

            """, folder);
        double[] mesh = Run(JobFile.Load(file), folder).History.Steps[0].Values;
        File.WriteAllText(file, File.ReadAllText(file).Replace("- pme:", "- ewald:", StringComparison.Ordinal));
        Assert.That(mesh, Is.EqualTo(Run(JobFile.Load(file), folder).History.Steps[0].Values).Within(0.002));
    }

    // Each atomistic example runs, fast enough to be tried, and has its pictures.
    [TestCase("md-lj-melt/job.yaml", "temperature [K]")]
    [TestCase("md-water/job.yaml", "g(r)")]
    [TestCase("md-copper-indent/job.yaml", "part of the atoms")]
    [TestCase("md-silicon/elastic.yaml", "Young")]
    [TestCase("md-silicon/phonon.yaml", "Γ")]
    public void ExamplesRun(string example, string inPage)
    {
        string folder = TestData.Scratch();
        var result = Run(JobFile.Load(Path.Combine(JobKit.Examples, example), example.Contains("melt", StringComparison.Ordinal) ? ["run.steps=400"] : []), folder);
        Assert.That(result.End, Is.EqualTo(RunEnd.Finished));
        Assert.That(File.ReadAllText(Path.Combine(folder, "summary.html")), Does.Contain("<svg").And.Contain(inPage));
        if (example.Contains("water", StringComparison.Ordinal))
        {
            // Liquid water: oxygens about 2.8 Å apart; farther off the mean density, a little more since the water does not fill its box.
            double[][] g = [.. File.ReadLines(Path.Combine(folder, "rdf.csv")).Skip(1).Select(l => l.Split(',').Select(v => double.Parse(v, System.Globalization.CultureInfo.InvariantCulture)).ToArray())];
            Assert.That(g.MaxBy(p => p[1])![0], Is.EqualTo(2.8).Within(0.15));
            Assert.That(g[^30..].Average(p => p[1]), Is.EqualTo(1).Within(0.1));
        }
        if (!example.Contains("elastic", StringComparison.Ordinal)) return;
        var reference = TestData.Json("md/elastic_surface_0K.json").GetProperty("sw_si");
        double[] c = result.History.Steps[0].Values;
        // LAMMPS' own numbers come from strains of finite size: they agree to 1e-8 where both are converged.
        Assert.That(c[0], Is.EqualTo(reference.GetProperty("C11_GPa_relaxed").GetDouble()).Within(0.1));
    }
}
