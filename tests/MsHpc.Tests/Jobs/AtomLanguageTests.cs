using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;
using MsHpc.Tests.Atomistics;
using NUnit.Framework;

namespace MsHpc.Tests.Jobs;

/// <summary>Models, groups, rules of motion and analyses as a job names them.</summary>
public sealed class AtomLanguageTests
{
    private static string Write(string yaml, string folder)
    {
        string file = Path.Combine(folder, "job.yaml");
        File.WriteAllText(file, yaml);
        return file;
    }

    private static RunResult Run(Job job, string folder, string? restart = null, int stopAfter = -1, Recorder? recorder = null)
    {
        var stop = new StopRequest();
        return JobRunner.Run(job, new RunOptions(folder, restart, 1, Comm.Self, null), recorder ?? new Recorder { OnStep = r => { if (r.Step == stopAfter) stop.Ask("test"); } }, stop);
    }

    private static double[][] Table(string folder, string name) => [.. File.ReadAllLines(Path.Combine(folder, name)).Skip(1).Select(l => l.Split(',').Select(v => double.Parse(v, CultureInfo.InvariantCulture)).ToArray())];

    // Every law as YAML gives LAMMPS' energy; charges with a tolerance for its constant and its approximate erfc.
    [TestCase("morse", "morse: {depth: 0.2703, alpha: 1.1646 1/Å, r0: 3.253, cutoff: 6}", 1e-12)]
    [TestCase("buckingham", "buckingham: {pairs: [{of: [Na, Na], A: 424.097, rho: 0.3171, C: 1.05, cutoff: 6}, {of: [Cl, Na], A: 1256.31, rho: 0.3171, C: 11.2, cutoff: 6}, {of: [Cl, Cl], A: 3488.998, rho: 0.3171, C: 72.4, cutoff: 5}]}", 1e-12)]
    [TestCase("coul_dsf", "damped_shifted_coulomb: {alpha: 0.2, cutoff: 9}", 1e-5)]
    [TestCase("ewald_nacl_ortho", "ewald: {cutoff: 5.5, accuracy: 1e-10}", 1e-6)]
    [TestCase("ewald_nacl_ortho", "pme: {cutoff: 5.5, accuracy: 1e-8, order: 8}", 1e-6)]
    [TestCase("indent_sphere", "indenter: {center: [3, 4, 11], radius: 3.5, stiffness: 10}", 1e-12)]
    [TestCase("indent_cylinder", "indenter: {center: [2, 0, 12.5], axis: [0, 1, 0], radius: 3.9, stiffness: 10}", 1e-12)]
    [TestCase("wall_harmonic", "wall: {harmonic: {normal: [0, 0, -1], offset: -12.5, stiffness: 2, cutoff: 4}}", 1e-12)]
    [TestCase("wall_lj93", "wall: {lennard_jones_93: {normal: [0, 0, 1], offset: -1.5, epsilon: 0.3, sigma: 2.2, cutoff: 6}}", 1e-12)]
    [TestCase("wall_lj126", "wall: {lennard_jones_126: {normal: [0, 0, 1], offset: -2.4, epsilon: 0.3, sigma: 2.2, cutoff: 6}}", 1e-12)]
    public void LawsAreThoseOfLammps(string reference, string model, double tolerance)
    {
        string folder = TestData.Scratch();
        var known = ReferenceCase.Load(reference);
        ExtXyz.Write(Path.Combine(folder, "atoms.extxyz"), new AtomFrame(known.Atoms));
        var result = Run(JobFile.Load(Write($"schema: mshpc/1\njob: {{name: test, type: energy}}\nsystem: {{file: atoms.extxyz}}\nmodel: {{{model}}}\n", folder)), folder);
        Assert.That(result.History.Steps[0].Values[0], Is.EqualTo(known.Energy).Within(tolerance * Math.Abs(known.Energy)));
    }

    // Two molecules with all kinds of terms, through a LAMMPS data file.
    [Test]
    public void MolecularForceFieldFromADataFile()
    {
        string folder = TestData.Scratch();
        var known = new MolecularTests.Case();
        LammpsData.Write(Path.Combine(folder, "two.data"), known.Atoms, "full", [["0.01", "2.6"], ["0.02", "2.9"]]);
        string file = Write("""
            schema: mshpc/1
            job: {name: test, type: energy}
            system: {file: two.data, scale14: [0.8333333333333334, 0.5]}
            model: {molecular: {data: two.data, cutoff: 7}}

            """, folder);
        double energy = Run(JobFile.Load(file), folder).History.Steps[0].Values[0];
        // LAMMPS' constant of Coulomb has eight digits.
        Assert.That(energy, Is.EqualTo(known.Json.GetProperty("potential_energy").GetDouble()).Within(1e-6));
        Assert.That(Run(JobFile.Load(file, ["model.molecular.mixing=geometric"]), folder).History.Steps[0].Values[0], Is.Not.EqualTo(energy).Within(1e-6));
        // The section says what it is of.
        string data = Path.Combine(folder, "two.data"), text = File.ReadAllText(data);
        File.WriteAllText(data, text.Replace("Pair Coeffs", "Pair Coeffs # lj/cut/coul/long", StringComparison.Ordinal));
        Assert.That(Run(JobFile.Load(file), folder).History.Steps[0].Values[0], Is.EqualTo(energy));
        File.WriteAllText(data, text.Replace("Pair Coeffs", "Pair Coeffs # lj/class2", StringComparison.Ordinal));
        Assert.That(() => Run(JobFile.Load(file), folder), Throws.InstanceOf<MsHpcException>().With.Message.Contains("style lj/class2"));
    }

    private const string Copper = """
        schema: mshpc/1
        job: {name: test, type: md}
        system:
          crystal: {structure: fcc, element: Cu, a: 3.615 Å, cells: [4, 4, 4], vacuum: 20 Å}
          temperature: 100 K
        groups:
          bottom: {box: {z: [-1 Å, 3 Å]}}
          rest: {box: {z: [-1 Å, 3 Å]}, invert: true}
          top: {box: {z: [12 Å, 20 Å]}}
        model: zhou2004
        run: {timestep: 2 fs, steps: 40, ensemble: {langevin: {temperature: 100 K, friction: 1 1/ps, group: rest}}, fixed: [bottom], driven: [{group: top, vz: 0.001}]}
        output: {thermo: 10, checkpoint: {every: 20}, analysis: ANALYSIS}

        """;

    private const string Analyses = "[{rdf: {range: 6, every: 5}}, {msd: {every: 2, group: top}}, {vacf: {every: 2}}, {dos: {every: 2}}, {coordination: {cutoff: 3.1, every: 10}}, {centro_symmetry: {cutoff: 4.2, every: 10}}, {common_neighbors: {cutoff: 3.08, every: 10}}, {rdf: {range: 4, pair: [Cu, Cu], every: 10}}]";

    [Test]
    public void HeldAtomsRestDrivenOnesGo()
    {
        string folder = TestData.Scratch();
        var job = JobFile.Load(Write(Copper.Replace("ANALYSIS", "[{msd: {every: 2, window: 20, group: top}}]", StringComparison.Ordinal), folder));
        var start = job.Atoms!.MakeAtoms(job.Seed);
        Run(job, folder);
        var end = ExtXyz.Read(Path.Combine(folder, "final.extxyz")).Atoms;
        foreach (int i in start.Groups["bottom"]) for (int k = 0; k < 3; k++) Assert.That(end.Positions[3 * i + k], Is.EqualTo(start.Positions[3 * i + k]).Within(1e-9));
        foreach (int i in start.Groups["top"]) Assert.That(end.Positions[3 * i + 2] - start.Positions[3 * i + 2], Is.EqualTo(0.08).Within(1e-6));
        Assert.That(start.Groups["bottom"], Has.Length.EqualTo(64), "two layers of 32");
        Assert.That(Table(folder, "msd.csv")[^1][1], Is.GreaterThan(0.08 * 0.08 / 4));
    }

    [Test]
    public void AnalysesSurviveARestart()
    {
        string folder = TestData.Scratch(), whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        var job = JobFile.Load(Write(Copper.Replace("ANALYSIS", Analyses, StringComparison.Ordinal), folder));
        Assert.That(Run(job, whole).End, Is.EqualTo(RunEnd.Finished));
        Assert.That(Run(job, parts, stopAfter: 20).End, Is.EqualTo(RunEnd.Checkpointed));
        Assert.That(Run(job, parts, restart: "latest").End, Is.EqualTo(RunEnd.Finished));
        foreach (string name in new[] { "rdf", "rdf-2", "msd", "vacf", "dos", "coordination", "centro_symmetry", "common_neighbors" })
            Assert.That(File.ReadAllText(Path.Combine(parts, name + ".csv")), Is.EqualTo(File.ReadAllText(Path.Combine(whole, name + ".csv"))), name);
        Assert.That(File.ReadAllText(Path.Combine(whole, "summary.html")), Does.Contain("g(r)").And.Contain("part of the atoms"));
        // In the middle of the slab all is fcc with 12 neighbours; two surfaces of a layer of eight are not.
        Assert.That(Table(whole, "common_neighbors.csv")[0][3], Is.EqualTo(0.75));
        Assert.That(Table(whole, "coordination.csv")[0][4], Is.EqualTo(12));
        Assert.That(Table(whole, "vacf.csv")[0][2], Is.EqualTo(1));
        Assert.That(ExtXyz.Read(Path.Combine(whole, "final.extxyz")).Columns.Keys, Is.SupersetOf(new[] { "coordination", "centro_symmetry", "structure" }));
    }

    // An indenter and a wall that move: the forces on them are columns, a restart goes on where they are.
    [Test]
    public void MovingIndenterAndWallSurviveARestart()
    {
        string folder = TestData.Scratch(), whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        var job = JobFile.Load(Write(Copper.Replace("output: {thermo: 10, checkpoint: {every: 20}, analysis: ANALYSIS}", "output: {thermo: 10, checkpoint: {every: 20}}", StringComparison.Ordinal).Replace(", driven: [{group: top, vz: 0.001}]", "", StringComparison.Ordinal)
            .Replace("model: zhou2004", "model: [zhou2004, {indenter: {center: [7.23, 7.23, 18], radius: 5, stiffness: 10, velocity: [0, 0, -0.01]}}, {wall: {harmonic: {normal: [0, 0, 1], offset: -3, stiffness: 1, cutoff: 3.5, velocity: 0.005, group: rest}}}]", StringComparison.Ordinal), folder));
        Run(job, whole);
        Run(job, parts, stopAfter: 20);
        Run(job, parts, restart: "latest");
        Assert.That(File.ReadAllText(Path.Combine(parts, "thermo.csv")), Is.EqualTo(File.ReadAllText(Path.Combine(whole, "thermo.csv"))));
        double[][] table = Table(whole, "thermo.csv");
        // The columns at the end: wall … indenter in the order of the model; the atoms push the sphere up.
        int z = Array.IndexOf(File.ReadLines(Path.Combine(whole, "thermo.csv")).First().Split(',').Select(h => h.Split(' ')[0]).ToArray(), "indenter1_force_z");
        Assert.That(z, Is.GreaterThan(0));
        Assert.That(table[^1][z], Is.GreaterThan(table[0][z]).And.GreaterThan(0));
    }

    private const string Molecule = """
        schema: mshpc/1
        job: {name: test, type: md}
        system: {amber: {prmtop: PATH.prmtop, inpcrd: PATH.inpcrd}, temperature: 100 K}
        model: {amber: {prmtop: PATH.prmtop}}
        run:
          timestep: 1 fs
          steps: 20
          ensemble:
            rrespa:
              groups:
                slow: {evaluations: 1, terms: [lennard_jones, coulomb, scaled_pairs]}
                fast: {evaluations: 4, terms: [bonds, angles, dihedrals]}

        """;

    private static string WriteMolecule(string folder, string what = "vacuum", string from = "", string to = "") =>
        Write(Molecule.Replace("PATH", TestData.File($"md/amber/alanine_dipeptide_{what}.prmtop")[..^7], StringComparison.Ordinal).Replace(from.Length > 0 ? from : "\0", to, StringComparison.Ordinal), folder);

    [Test]
    public void MultipleTimeStepsShowTheirHierarchy()
    {
        string folder = TestData.Scratch();
        var job = JobFile.Load(WriteMolecule(folder));
        var recorder = new Recorder();
        Run(job, folder, recorder: recorder);
        Assert.That(string.Join('\n', recorder.Messages), Does.Contain("level 1: slow, every 1 fs").And.Contain("level 2: fast, every 0.25 fs").And.Contain("first forbidden band"));
        Assert.That(string.Join('\n', JobPlan.Describe(job, 1, 1)), Does.Contain("level 2: fast, every 0.25 fs"));
    }

    // Impulses in the middle of the first forbidden band that the hierarchy tells of: bonds to hydrogen, with periods of 9 … 11 fs.
    [Test]
    public void ResonantStepsAreRefusedAtTheirPlace()
    {
        string folder = TestData.Scratch(), file = WriteMolecule(folder);
        string level = JobPlan.Describe(JobFile.Load(file), 1, 1).Single(l => l.Contains("level 1", StringComparison.Ordinal)), band = level[(level.IndexOf("band", StringComparison.Ordinal) + 5)..];
        double[] edges = [.. band.Replace(" fs", "", StringComparison.Ordinal).Split('…').Select(v => double.Parse(v, CultureInfo.InvariantCulture))];
        Assert.That(edges[0], Is.EqualTo(4.9).Within(0.6));
        var job = JobFile.Load(file, [$"run.timestep={((edges[0] + edges[1]) / 2).ToString("R", CultureInfo.InvariantCulture)} fs"]);
        var refusal = Assert.Throws<InputException>(() => JobPlan.Describe(job, 1, 1))!.Faults[0];
        Assert.That(refusal.Message, Does.Contain("force group 'slow'").And.Contain("Nearest safe time steps of the run"));
        Assert.That((refusal.Line, Path.GetFileName(refusal.File)), Is.EqualTo((10, "job.yaml")), "the ensemble");
        Assert.That(() => Run(job, folder), Throws.TypeOf<InputException>().With.Message.Contains("Nearest safe time steps"));
    }

    [TestCase("lennard_jones, coulomb, scaled_pairs", "lennard_jones, coulomb", "a force would not act: 'scaled_pairs' is in no group")]
    [TestCase("[bonds, angles, dihedrals]", "[bonds, angles, dihedrals, coulomb]", "a force would act twice: 'coulomb' is in the groups 'slow' and 'fast'")]
    [TestCase("[bonds, angles, dihedrals]", "[bonds, angels, dihedrals]", "job.yaml:12:47: the model has no term 'angels', did you mean 'angles'?")]
    [TestCase("evaluations: 1,", "evaluations: 3,", "the slowest force group 'slow' has 3 evaluations")]
    public void SlipsOfMultipleTimeStepsAreNamed(string right, string wrong, string sentence) =>
        Assert.That(string.Join('\n', JobKit.Faults(WriteMolecule(TestData.Scratch(), "vacuum", right, wrong))), Does.Contain(sentence));

    // Rigid molecules: the distances of the topology are held by the run.
    [Test]
    public void RigidBondsStayAsLongAsTheyAre()
    {
        string folder = TestData.Scratch();
        var job = JobFile.Load(WriteMolecule(folder, "vacuum", ".inpcrd}", ".inpcrd, rigid: h-bonds}"), ["run.ensemble=nve", "run.timestep=2"]);
        Run(job, folder);
        var end = ExtXyz.Read(Path.Combine(folder, "final.extxyz")).Atoms;
        var constraints = job.Atoms!.MakeAtoms(1).Topology!.Constraints;
        Assert.That(constraints, Has.Count.EqualTo(12), "bonds to hydrogen");
        foreach (var (i, j, distance) in constraints)
            Assert.That(Math.Sqrt(Enumerable.Range(0, 3).Sum(k => Math.Pow(end.Positions[3 * i + k] - end.Positions[3 * j + k], 2))), Is.EqualTo(distance).Within(1e-6));
    }

    [TestCase("fixed: [bottom]", "fixed: [botom]", "job.yaml:11:117: there is no group 'botom', did you mean 'bottom'?")]
    [TestCase("bottom: {box: {z: [-1 Å, 3 Å]}}", "bottom: {box: {z: [3 Å, 1 Å]}}", "the first number is the smaller one")]
    [TestCase("bottom: {box: {z: [-1 Å, 3 Å]}}", "bottom: {elements: [Ni]}", "there are no such atoms")]
    [TestCase("bottom: {box: {z: [-1 Å, 3 Å]}}", "bottom: {}", "a group needs ids, elements, box or sphere")]
    [TestCase("bottom: {box: {z: [-1 Å, 3 Å]}}", "bottom: {ids: [1-x]}", "an id or a range of ids")]
    [TestCase("bottom: {box: {z: [-1 Å, 3 Å]}}", "bottom: {sphere: {center: [100, 0, 0], radius: 1}}", "group 'bottom' has no atoms")]
    [TestCase("model: zhou2004", "model: {zhou2004: {precision: single}}", "unknown choice 'single'")]
    [TestCase("model: zhou2004", "model: [zhou2004, {ewald: {cutoff: 5}}]", "all charges are zero")]
    [TestCase("model: zhou2004", "model: [zhou2004, {wall: {harmonc: {}}}]", "unknown law of the wall 'harmonc', did you mean 'harmonic'?")]
    [TestCase("temperature: 100 K\ngroups", "charges: {Ni: 1}\ngroups", "charges: there are no atoms 'Ni'")]
    [TestCase("analysis: ANALYSIS", "analysis: [{rdff: {every: 1}}]", "unknown analysis 'rdff', did you mean 'rdf'?")]
    [TestCase("analysis: ANALYSIS", "analysis: [{common_neighbors: {every: 1}}]", "one of 'cutoff', 'lattice' must be given")]
    [TestCase("analysis: ANALYSIS", "analysis: [{rdf: {range: 5, every: 1, pair: [Cu, Ni]}}]", "rdf: there are no atoms 'Ni'")]
    public void SlipsAreNamed(string right, string wrong, string sentence) =>
        Assert.That(string.Join('\n', JobKit.Faults(Write(Copper.Replace(right, wrong, StringComparison.Ordinal).Replace("ANALYSIS", Analyses, StringComparison.Ordinal), TestData.Scratch()))), Does.Contain(sentence));

    [Test]
    public void DryRunCountsGroupsAndSamples()
    {
        string plan = string.Join('\n', JobPlan.Describe(JobFile.Load(Write(Copper.Replace("ANALYSIS", Analyses, StringComparison.Ordinal), TestData.Scratch())), 1, 1));
        Assert.That(plan, Does.Contain("group bottom: 64 atoms").And.Contain("rdf.csv: radial distribution function, 8 samples").And.Contain("common_neighbors.csv"));
    }

    // A cell that is stretched: the stress rises, the page shows it over strain.
    [Test]
    public void DeformedCellGivesStressOverStrain()
    {
        string folder = TestData.Scratch();
        string yaml = Copper[..Copper.IndexOf("groups:", StringComparison.Ordinal)].Replace(", vacuum: 20 Å", "", StringComparison.Ordinal) + """
            model: {zhou2004: {precision: mixed}}
            run: {timestep: 2 fs, steps: 50, deform: {zz: 1e-4}, remove_momentum: 10}
            output: {thermo: 10}

            """;
        var result = Run(JobFile.Load(Write(yaml, folder)), folder);
        // Strain 0.01; C11 = 170 GPa for a stretch of one edge alone.
        Assert.That(-(result.History.Steps[^1].Values[9] - result.History.Steps[0].Values[9]), Is.EqualTo(1.7).Within(0.7));
        Assert.That(File.ReadAllText(Path.Combine(folder, "summary.html")), Does.Contain("Stress over strain"));
    }
}
