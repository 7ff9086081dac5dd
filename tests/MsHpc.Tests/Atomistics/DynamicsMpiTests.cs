using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.IO;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Tests.Native;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Molecular dynamics shared by ranks against the same run on one; failures that one rank finds.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class DynamicsMpiTests
{
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp() => _comm = NativeTest.World();

    internal static string[] Systems => ["lj", "eam", "stillinger-weber", "tersoff", "ewald", "pme"];

    /// <summary>Atoms in motion, their forces, a time step in fs.</summary>
    internal static (Atoms Atoms, ForceField Field, double TimeStep) Make(string name)
    {
        switch (name)
        {
            case "lj":
                return (DynamicsTests.Crystal(5, 0.8), DynamicsTests.Lj(), 0.004);
            case "eam":
                return (Hot(Crystal.Create("fcc", [new Species("Cu", 63.546)], 3.615, [5, 5, 6]), 900), new ForceField(Eam.FromZhou2004(["Cu"])), 2);
            case "stillinger-weber":
                return (Hot(Crystal.Create("diamond", [new Species("Si", 28.085)], 5.431, [4, 4, 5]), 1200), new ForceField(StillingerWeber.Silicon()), 1);
            case "tersoff":
                return (Hot(Crystal.Create("diamond", [new Species("Si", 28.085)], 5.431, [4, 4, 5]), 1200), new ForceField(Tersoff.Read(ReferenceCase.PotentialFile("Si.tersoff"), ["Si"])), 1);
            default:
                var (topology, atoms) = AmberTopology.Read(TestData.File("md/amber/alanine_dipeptide_water.prmtop"), TestData.File("md/amber/alanine_dipeptide_water.inpcrd"));
                var coulomb = name == "pme" ? ParticleMeshEwald.Create(atoms, 9, 1e-5) : Ewald.Create(atoms, 9, 1e-3);
                return (Hot(atoms, 300), MolecularForceField.FromTopology(atoms, topology.LennardJones, 9, coulomb), 0.5);
        }

        static Atoms Hot(Atoms atoms, double temperature)
        {
            Velocities.Maxwell(atoms, temperature, 3);
            return atoms;
        }
    }

    internal static MolecularDynamics Run(string name, string rule, int steps, Comm comm, ThreadTeam? team = null)
    {
        var (atoms, field, dt) = Make(name);
        double temperature = name == "lj" ? 0.8 / Codata.BoltzmannInEv : 500;
        Integrator integrator = rule switch { "langevin" => new Langevin(temperature, 0.01 / dt), "nose-hoover" => new NoseHoover(temperature, 100 * dt), _ => new VelocityVerlet() };
        // A thin skin: atoms change ranks and lists within the run.
        var md = new MolecularDynamics(atoms, field, integrator, new MdOptions { TimeStep = dt, Skin = name == "lj" ? 0.15 : 0.4 }, comm, team);
        md.Run(steps);
        return md;
    }

    /// <summary>Positions in units of the cell, forces of the largest, energies and virials each of the largest: the largest difference.</summary>
    internal static double Differ(MolecularDynamics a, MolecularDynamics b)
    {
        Thermo one = a.Measure(), two = b.Measure();
        double[] f = new double[3 * a.Atoms.Count], g = new double[f.Length];
        a.Domain.StoreForces(f);
        b.Domain.StoreForces(g);
        double edge = Math.Cbrt(one.Volume);
        return Math.Max(Math.Max(Far(a.Atoms.Positions, b.Atoms.Positions) / edge, Far(f, g) / f.Max(Math.Abs)), Math.Max(
            Math.Max(Math.Abs(one.Potential - two.Potential), Math.Abs(one.Kinetic - two.Kinetic)) / Math.Max(Math.Abs(one.Potential), one.Kinetic),
            Far(one.PressureTensor, two.PressureTensor) * one.Volume / Math.Max(Math.Abs(one.Potential), one.Kinetic)));
    }

    private static double Far(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    // Rounding, 1e-16, and what 100 steps make of it. The sum of a mesh of charges over ranks is in another order: the same.
    [Test]
    public void TrajectoryIsThatOfOneRank([ValueSource(nameof(Systems))] string name, [Values("verlet", "langevin", "nose-hoover")] string rule)
    {
        int steps = name is "ewald" or "pme" ? 40 : 100;
        if (name == "ewald" && rule != "verlet") return;
        MolecularDynamics one = Run(name, rule, steps, Comm.Self), here = Run(name, rule, steps, _comm);
        double differ = Differ(one, here);
        if (_comm.IsRoot) TestContext.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}, {rule}, grid {here.Domain.Grid}: {differ:g3}, {here.Domain.Generation} orders of atoms"));
        NativeTest.Agree(_comm, here.Domain.Generation > 2 && DomainSystems.Complete(here.Domain), $"atoms change ranks ({here.Domain.Generation} orders)");
        NativeTest.Agree(_comm, differ < 1e-10, string.Create(CultureInfo.InvariantCulture, $"{name}, {rule}: differs by {differ}"));
    }

    // Each term alone, so that a pair counted twice or not at all cannot hide behind the others.
    [Test]
    public void EachTermOfAMoleculeCountsOnce()
    {
        var (atoms, field, _) = Make("pme");
        foreach (var term in field.Interactions)
        {
            double[] Evaluate(Comm comm)
            {
                var alone = new ForceField(term);
                // Halo and lists of the whole field, as in a run.
                var domain = new Domain(atoms, field.Reach, 0.5, field.Lists, comm);
                var tally = alone.Compute(domain, Want.Virial);
                var all = new double[7 + 3 * atoms.Count];
                all[0] = tally.Energy;
                for (int k = 0; k < 6; k++) all[1 + k] = tally.Virial[k];
                domain.StoreForces(all.AsSpan(7));
                return all;
            }
            double[] one = Evaluate(Comm.Self), here = Evaluate(_comm);
            double differ = DomainSystems.Differ(one, here);
            NativeTest.Agree(_comm, one[0] != 0 && differ < 1e-12, string.Create(CultureInfo.InvariantCulture, $"{term.Description}: {differ}"));
        }
    }

    // The same state on all ranks, saved on any number of them.
    /// <summary>Steps with sorting, new lists and atoms that change ranks.</summary>
    [Test]
    public void NothingIsAllocatedOnceArraysHaveTheirSize([Values("lj", "eam", "stillinger-weber", "tersoff", "water")] string name)
    {
        var md = name == "water" ? Water() : Run(name, "verlet", 0, _comm);
        md.Run(name == "water" ? 300 : 400);
        int generation = md.Domain.Generation;
        long before = GC.GetAllocatedBytesForCurrentThread();
        md.Run(name == "water" ? 30 : 200);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(md.Domain.Generation, Is.GreaterThan(generation + 1));
        NativeTest.Agree(_comm, allocated == 0, $"{allocated} bytes");

        MolecularDynamics Water()
        {
            var atoms = WaterTests.Liquid(6, 8, 0.2);
            return new MolecularDynamics(atoms, WaterTests.Field(atoms, 8), new VelocityVerlet(), new MdOptions { TimeStep = 2, Skin = 0.5 }, _comm);
        }
    }

    [Test]
    public void StateOfRanksGoesOnOnOne([Values("lj", "eam")] string name)
    {
        var many = Run(name, "langevin", 30, _comm);
        var state = many.Save();
        many.Run(30);
        var (atoms, field, dt) = Make(name);
        var one = new MolecularDynamics(atoms, field, new Langevin(((Langevin)many.Integrator).Temperature, 0.01 / dt), many.Options);
        one.Restore(state);
        one.Run(30);
        double differ = Differ(one, many);
        NativeTest.Agree(_comm, differ < 1e-10, string.Create(CultureInfo.InvariantCulture, $"differs by {differ}"));
        var (again, field2, _) = Make(name);
        var same = new MolecularDynamics(again, field2, new Langevin(((Langevin)many.Integrator).Temperature, 0.01 / dt), many.Options, _comm);
        same.Restore(state);
        same.Run(30);
        NativeTest.Agree(_comm, same.Atoms.Positions.AsSpan().SequenceEqual(many.Atoms.Positions) && same.Atoms.Velocities.AsSpan().SequenceEqual(many.Atoms.Velocities), "the same bits on as many ranks");
    }

    // What goes wrong on one rank stops all, with the same words, and leaves the state before the step.
    [Test]
    public void FailuresReachAllRanks([Values("overlap", "hot", "fast", "not-a-number", "lost", "wall", "torn")] string what)
    {
        var (atoms, field, dt) = Make(what is "torn" ? "pme" : "lj");
        double hottest = 1e5, farthest = 1;
        string expected = "";
        switch (what)
        {
            case "overlap":
                for (int k = 0; k < 3; k++) atoms.Positions[3 * 17 + k] = atoms.Positions[3 * 18 + k];
                break;
            case "hot":
                for (int k = 0; k < 3; k++) atoms.Velocities[3 * 17 + k] = 60;
                hottest = 3 * 0.8 / Codata.BoltzmannInEv;
                break;
            case "fast":
                atoms.Velocities[3 * 17] = 1000;
                break;
            case "not-a-number":
                field = new ForceField([.. field.Interactions, new Breaking(17, 20)]);
                break;
            case "lost":
                atoms.Velocities[3 * 17] = 1e12;
                (farthest, hottest, expected) = (1e30, 1e99, "lost");
                break;
            case "wall":
                // One atom in the middle jumps over a wall of its own.
                int middle = atoms.Count / 2;
                atoms.Velocities[3 * middle] = -100;
                field = new ForceField([.. field.Interactions, Wall.LennardJones93([1, 0, 0], atoms.Positions[3 * middle] - 0.2, 1e-6, 0.01, 0.02, [middle])]);
                expected = "behind";
                break;
            case "torn":
                // A hydrogen leaves its water faster than the bond can hold (4 keV against 0.9 keV at 6 Å); every step looks harmless.
                atoms.Velocities[3 * 500] = 9;
                (dt, hottest, expected) = (0.1, 1e9, "the bond broke");
                break;
        }
        var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = dt, Skin = what == "hot" ? 0.5 : 0.3, MaxTemperature = hottest, MaxMove = farthest }, _comm);
        double[] positions = [.. atoms.Positions], velocities = [.. atoms.Velocities];
        string message = "";
        try { md.Run(60); }
        catch (NumericalException e) { message = e.Message; }
        if (_comm.IsRoot) TestContext.Out.WriteLine(message);
        var (all, start) = _comm.AllGather<char>(message);
        string first = new(all, 0, start[1]);
        NativeTest.Agree(_comm, message == first, $"the same words on all ranks: '{message}' and '{first}'");
        NativeTest.Agree(_comm, message.Contains("atom", StringComparison.Ordinal) && message.Contains("at (", StringComparison.Ordinal) && message.Contains(expected, StringComparison.Ordinal), $"names atoms: {message}");
        NativeTest.Agree(_comm, message.Contains("minimis", StringComparison.Ordinal), $"says what to try: {message}");
        NativeTest.Agree(_comm, md.Atoms.Positions.All(double.IsFinite) && DomainSystems.Complete(md.Domain), "the state before is whole");
        // It is the state that a run up to there has.
        double[] kept = [.. md.Atoms.Positions, .. md.Atoms.Velocities];
        positions.CopyTo(md.Atoms.Positions, 0);
        velocities.CopyTo(md.Atoms.Velocities, 0);
        long steps = md.Step;
        md.Load();
        if (what == "not-a-number") field.Interactions.OfType<Breaking>().Single().Mend();
        if (steps > 0) md.Run(steps);
        double[] run = [.. md.Atoms.Positions, .. md.Atoms.Velocities];
        NativeTest.Agree(_comm, kept.AsSpan().SequenceEqual(run), $"the state after {steps} steps is kept");
    }

    /// <summary>A law that gives one atom no number from an evaluation on.</summary>
    private sealed unsafe class Breaking(int atom, int evaluation) : Interaction
    {
        private int _evaluations;

        public void Mend() => _evaluations = int.MinValue;

        public override string Description => "breaking";

        public override double Cutoff => 0;

        public override bool IsLocal => false;

        public override void Compute(Domain domain, Want want, ref Tally tally)
        {
            if (++_evaluations >= evaluation && domain.OwnedSlot(atom) is >= 0 and int s) domain.F[s / 8 * 24 + s % 8] = double.NaN;
        }
    }

    /// <summary>A law that fails once, on the rank that owns an atom.</summary>
    private sealed class Failing(int atom) : Interaction
    {
        /// <summary>Evaluations until it fails.</summary>
        public int Countdown { get; set; }

        public override string Description => "failing";

        public override double Cutoff => 0;

        public override bool IsLocal => false;

        public override void Compute(Domain domain, Want want, ref Tally tally)
        {
            if (--Countdown == 0 && domain.OwnedSlot(atom) >= 0) throw new NumericalException("the law failed");
        }
    }

    // The energy of an evaluation between impulses is not kept, a failure must be: of each of the four between two impulses, and of the slow one.
    [Test]
    public void FailureBetweenImpulsesReachesAllRanks([Values(1, 2, 4, 5)] int evaluation)
    {
        Interaction Part(double epsilon) => LennardJones.Create(1, (_, _) => new LennardJonesPair(epsilon, 1, 2.5), Truncation.ForceShifted);
        Interaction fast = Part(0.9), slow = Part(0.1);
        var failing = new Failing(17);
        var field = new ForceField(fast, slow, failing);
        ForceGroup[] groups = evaluation == 5 ? [new("slow", 1, slow, failing), new("fast", 4, fast)] : [new("slow", 1, slow), new("fast", 4, fast, failing)];
        var md = new MolecularDynamics(DynamicsTests.Crystal(4, 0.3), field, new Respa(field, groups), new MdOptions { TimeStep = 0.01, Skin = 0.3 }, _comm);
        md.Run(3);
        failing.Countdown = evaluation == 5 ? 1 : evaluation;
        string message = "";
        try { md.Run(3); }
        catch (NumericalException e) { message = e.Message; }
        NativeTest.Agree(_comm, message.Contains("step 4 failed: the law failed", StringComparison.Ordinal) && md.Step == 3, $"evaluation {evaluation}: '{message}' after step {md.Step}");
        md.Run(3);
        NativeTest.Agree(_comm, md.Step == 6, "and goes on");
    }

    // A molecule that constraints cannot restore belongs to one rank; the others must not wait for it.
    [Test]
    public void ATornMoleculeAtTheStartReachesAllRanks()
    {
        var atoms = Water.Tip3p.Box(4, 4, 4, 3);
        for (int k = 0; k < 3; k++) atoms.Positions[3 + k] = atoms.Positions[k] + 2;
        var field = new ForceField(LennardJones.Create(2, Water.Tip3p.LennardJones(5)));
        var error = Assert.Throws<NumericalException>(() => _ = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = 1 }, _comm));
        NativeTest.Agree(_comm, error!.Message.Contains("atoms 1, 2, 3", StringComparison.Ordinal), error.Message);
    }
}
