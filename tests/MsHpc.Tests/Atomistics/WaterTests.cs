using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Rigid and flexible water in molecular dynamics: conservation, ensembles, restarts, multiple time stepping.</summary>
public sealed class WaterTests
{
    private static readonly Dictionary<(int, double), (double[] X, double[] V)> Equilibrated = [];

    /// <summary>TIP3P with particle-mesh Ewald: forces to 1e-5 of the force between two charges at 1 Å, order 6.</summary>
    internal static ForceField Field(Atoms atoms, double cutoff) => new(ParticleMeshEwald.Create(atoms, cutoff, 1e-5, 6, lennardJones: Water.Tip3p.LennardJones(cutoff)));

    /// <summary>The same with Lennard-Jones smooth at the cutoff: a cell that grows takes pairs across it all in one direction, which a jump would show as drift.</summary>
    private static ForceField Smooth(Atoms atoms, double cutoff) => new([LennardJones.Create(2, Water.Tip3p.LennardJones(cutoff), Truncation.ForceShifted), .. ParticleMeshEwald.Create(atoms, cutoff, 1e-5, 6)]);

    /// <summary>A box of n³ molecules at 300 K that has forgotten its lattice: 3 ps with a strong bath, done once for all tests.</summary>
    internal static Atoms Liquid(int n, double cutoff, double picoseconds = 3)
    {
        var atoms = Water.Tip3p.Box(n, n, n, 3);
        lock (Equilibrated)
        {
            if (!Equilibrated.TryGetValue((n, picoseconds), out var state))
            {
                Velocities.Maxwell(atoms, 300, 4);
                // Molecules turned at random are hot neighbours: short steps first.
                new MolecularDynamics(atoms, Field(atoms, cutoff), new Langevin(300, 0.05), new MdOptions { TimeStep = 0.5 }).RunAndStore(500);
                new MolecularDynamics(atoms, Field(atoms, cutoff), new Langevin(300, 0.01), new MdOptions { TimeStep = 2 }).RunAndStore((long)(500 * picoseconds));
                Equilibrated[(n, picoseconds)] = state = ([.. atoms.Positions], [.. atoms.Velocities]);
            }
            state.X.CopyTo(atoms.Positions, 0);
            state.V.CopyTo(atoms.Velocities, 0);
        }
        return atoms;
    }

    private static double Violation(Atoms atoms)
    {
        double[] x = atoms.Positions;
        return atoms.Topology!.Constraints.Max(c => Math.Abs(Math.Sqrt(Enumerable.Range(0, 3).Sum(k => Math.Pow(x[3 * c.I + k] - x[3 * c.J + k], 2))) / c.Distance - 1));
    }

    private static double Sliding(Atoms atoms)
    {
        double[] x = atoms.Positions, v = atoms.Velocities;
        return atoms.Topology!.Constraints.Max(c => Math.Abs(Enumerable.Range(0, 3).Sum(k => (x[3 * c.I + k] - x[3 * c.J + k]) * (v[3 * c.I + k] - v[3 * c.J + k]))));
    }

    private static double Momentum(Atoms atoms) => Enumerable.Range(0, 3).Max(k => Math.Abs(Enumerable.Range(0, atoms.Count).Sum(i => atoms.Mass(i) * atoms.Velocities[3 * i + k])));

    [Test]
    public void StartsOnTheConstraints()
    {
        var atoms = Water.Tip3p.Box(4, 4, 4, 3);
        Velocities.Maxwell(atoms, 300, 4);
        Assert.That(Sliding(atoms), Is.LessThan(1e-15));
        Assert.That(Momentum(atoms), Is.LessThan(1e-13));
        // As a file with three digits would have it.
        for (int k = 0; k < atoms.Positions.Length; k++) atoms.Positions[k] = Math.Round(atoms.Positions[k], 2);
        Assert.That(Violation(atoms), Is.GreaterThan(1e-3));
        var md = new MolecularDynamics(atoms, Field(atoms, 6), new VelocityVerlet(), new MdOptions { TimeStep = 1 });
        Assert.That(Violation(md.Atoms), Is.LessThan(1e-12));
        Assert.That(Sliding(md.Atoms), Is.LessThan(1e-15));
        Assert.That(md.DegreesOfFreedom, Is.EqualTo(9 * 64 - 3 * 64 - 3));
        Velocities.Maxwell(atoms, 300, 5);
        md.Load();
        Assert.That(md.Measure().Temperature, Is.EqualTo(300).Within(1e-9));
    }

    // 216 molecules, 2 fs: constraints, momentum and energy over 2 ps; the energy's error falls with the square of the step.
    [Test]
    public void ConstantEnergy()
    {
        double Scatter(double dt, out double drift)
        {
            var atoms = Liquid(6, 8);
            double momentum = Momentum(atoms);
            // Smooth at the cutoffs: jumps would add noise that does not depend on the step.
            var field = new ForceField([LennardJones.Create(2, Water.Tip3p.LennardJones(8), Truncation.ForceShifted), .. ParticleMeshEwald.Create(atoms, 8, 1e-7, 6)]);
            var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = dt, Skin = 1.5 });
            md.Run((long)(1000 / dt));
            Assert.That(md.Domain.Generation, Is.GreaterThan(5), "lists were made anew");
            Assert.That(Violation(md.Atoms), Is.LessThan(1e-10));
            Assert.That(Sliding(md.Atoms), Is.LessThan(1e-12));
            drift = md.DriftPerPsAndAtom;
            TestContext.Out.WriteLine($"{dt} fs: {md.Summary}; {md.Measure().Temperature:f1} K; momentum {Momentum(md.Atoms) - momentum:e1} u Å/fs");
            return md.ScatterPerAtom;
        }
        double two = Scatter(2, out double drift), one = Scatter(1, out _);
        Assert.That(two / one, Is.InRange(2.5, 6));
        Assert.That(Math.Abs(drift), Is.LessThan(1e-4));
    }

    // Pair forces and the Ewald sum obey Newton's third law, the mesh does not quite: its forces leave a momentum of the order of their error.
    [TestCase(true)]
    [TestCase(false)]
    public void MomentumStaysZero(bool mesh)
    {
        var atoms = Liquid(4, 5.5, 0.2);
        Velocities.Maxwell(atoms, 300, 6);
        var field = mesh ? Field(atoms, 6) : new ForceField([LennardJones.Create(2, Water.Tip3p.LennardJones(6)), .. Ewald.Create(atoms, 6, 1e-5)]);
        var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = 2 });
        md.Run(200);
        // Of the mesh: 64 molecules, 400 fs, forces wrong by 1e-5 · 14.4 eV/Å, as if all in one direction: 0.06·√192 u Å/fs/100.
        Assert.That(Momentum(md.Atoms), Is.LessThan(mesh ? 1e-2 : 1e-11));
    }

    [Test, Category("Slow")]
    public void LongConstantEnergy()
    {
        var atoms = Liquid(8, 9, 5);
        var md = new MolecularDynamics(atoms, Field(atoms, 9), new VelocityVerlet(), new MdOptions { TimeStep = 2, Skin = 1.5 });
        md.Run(10000);
        TestContext.Out.WriteLine($"{md.Summary}; {md.Measure().Temperature:f1} K");
        Assert.That(Violation(md.Atoms), Is.LessThan(1e-10));
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(2e-6));
        Assert.That(md.Measure().Temperature, Is.EqualTo(300).Within(25));
    }

    private static Integrator Rule(string name) => name switch
    {
        "verlet" => new VelocityVerlet(),
        "langevin" => new Langevin(300, 0.005),
        "chain" => new NoseHoover(300, 200),
        "rescaling" => new VelocityRescaling(300, 200),
        "barostat" => new NoseHooverBarostat(300, 200, 1 / Codata.EvPerCubicAngstromInGPa * 1e-4, 1000),
        _ => new NoseHooverBarostat(300, 200, 0, 1000, CellMotion.Flexible),
    };

    // What each rule calls conserved is conserved: heat of the baths is counted right with constraints. Temperatures stay where they should.
    [Test]
    public void Ensembles([Values("langevin", "chain", "rescaling", "barostat", "flexible cell")] string name)
    {
        var atoms = Liquid(6, 8);
        var md = new MolecularDynamics(atoms, Smooth(atoms, 8), Rule(name), new MdOptions { TimeStep = 2, Skin = 1.5 });
        double sum = 0, count = 0;
        md.Every(5, run => (sum, count) = (sum + run.Measure().Temperature, count + 1));
        md.Run(500);
        TestContext.Out.WriteLine($"{name}: {md.Summary}; mean {sum / count:f1} K; volume {md.Domain.Cell.Volume / atoms.Cell.Volume:f4}");
        Assert.That(Violation(md.Atoms), Is.LessThan(1e-10));
        if (!md.Integrator.ChangesCell) Assert.That(Sliding(md.Atoms), Is.LessThan(1e-12));
        Assert.That(sum / count, Is.EqualTo(300).Within(20));
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(1e-4));
        Assert.That(md.ScatterPerAtom, Is.LessThan(1e-4));
    }

    [Test]
    public void RestartHasTheSameBits([Values("verlet", "langevin", "barostat")] string name)
    {
        MolecularDynamics Make() => new(Liquid(4, 5.5, 0.2), Field(Liquid(4, 5.5, 0.2), 5.5), Rule(name), new MdOptions { TimeStep = 2 });
        var one = Make();
        one.Run(40);
        var saved = one.Save();
        one.Run(60);
        var two = Make();
        two.Restore(saved);
        two.Run(60);
        Assert.That(two.Atoms.Positions, Is.EqualTo(one.Atoms.Positions));
        Assert.That(two.Atoms.Velocities, Is.EqualTo(one.Atoms.Velocities));
        Assert.That(two.Measure().PressureTensor, Is.EqualTo(one.Measure().PressureTensor));
        Assert.That(two.Measure().Conserved, Is.EqualTo(one.Measure().Conserved));
    }

    // The forces of constraints belong to the velocities: what scales these after a step must not leave the pressure behind. τ of a few steps, so that it would show (by 1 %).
    [Test]
    public void PressureBelongsToTheVelocities([Values("chain", "rescaling", "berendsen", "barostat", "impulses")] string name)
    {
        var atoms = Liquid(4, 5.5, 0.2);
        var field = Field(atoms, 5.5);
        Integrator rule = name switch
        {
            "chain" => new NoseHoover(150, 20),
            "rescaling" => new VelocityRescaling(150, 20),
            "berendsen" => new Berendsen(150, 20),
            "barostat" => new NoseHooverBarostat(150, 20, 0, 200),
            _ => new Respa(field, [new ForceGroup("slow", 1, field.Interactions[1]), new ForceGroup("fast", 2, [.. field.Interactions.Where((_, k) => k != 1)])]),
        };
        var md = new MolecularDynamics(atoms, field, rule, new MdOptions { TimeStep = 2 });
        int looks = 0;
        md.Every(7, run =>
        {
            double[] seen = run.Measure().PressureTensor;
            run.Save(); // forces are computed anew
            double[] again = run.Measure().PressureTensor;
            double size = again.Take(3).Max(Math.Abs);
            for (int k = 0; k < 6; k++) Assert.That(seen[k], Is.EqualTo(again[k]).Within(1e-9 * size), $"step {run.Step}, component {k}");
            looks++;
        });
        double[] first = md.Measure().PressureTensor;
        md.Save();
        Assert.That(md.Measure().PressureTensor, Is.EqualTo(first).Within(1e-9 * first.Max(Math.Abs)));
        md.Run(21);
        Assert.That(looks, Is.EqualTo(3));
    }

    // P = −dE/dV at constant shape of the molecules: moving molecules as a whole, the virial of constraint forces cancels what bends them. The kinetic part
    // of the constraint virial is the rotation's: at rest only the potential's part is left.
    [Test]
    public void PressureIsThatOfRigidMolecules()
    {
        double Energy(double stretch, out double virial)
        {
            var atoms = Liquid(4, 5.5, 0.2);
            Array.Clear(atoms.Velocities);
            for (int i = 0; i < atoms.Count; i += 3)
                for (int k = 0; k < 3; k++)
                {
                    double centre = (atoms.Mass(i) * atoms.Positions[3 * i + k] + atoms.Mass(i + 1) * (atoms.Positions[3 * i + 3 + k] + atoms.Positions[3 * i + 6 + k])) / (atoms.Mass(i) + 2 * atoms.Mass(i + 1));
                    for (int a = 0; a < 3; a++) atoms.Positions[3 * (i + a) + k] += (stretch - 1) * centre;
                }
            double[] rows = [.. atoms.Cell.Rows.ToArray().Select(h => h * stretch)];
            atoms.Cell = atoms.Cell.WithRows(rows);
            // Cut pairs jump: a tight Ewald sum alone, whose real-space part ends at 1e-9.
            var field = new ForceField(Ewald.Create(atoms, 6, 1e-9));
            var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = 1 });
            var t = md.Measure();
            virial = 3 * t.Pressure * t.Volume;
            return t.Potential;
        }
        const double h = 1e-4;
        double slope = (Energy(1 + h, out _) - Energy(1 - h, out _)) / (2 * h);
        _ = Energy(1, out double virial);
        // dE/d ln L = −3PV; central difference, relative error O(h²).
        Assert.That(virial, Is.EqualTo(-slope).Within(1e-5 * Math.Abs(slope)));
    }

    [Test]
    public void MixedPrecision()
    {
        var atoms = Liquid(6, 8);
        CalculatorResults Evaluate(Precision precision)
        {
            var results = new CalculatorResults(atoms.Count);
            new ForceField(ParticleMeshEwald.Create(atoms, 8, 1e-5, 4, lennardJones: Water.Tip3p.LennardJones(8), precision: precision)).Compute(atoms, Want.Virial, results);
            return results;
        }
        CalculatorResults a = Evaluate(Precision.Double), b = Evaluate(Precision.Mixed);
        double error = Math.Sqrt(a.Forces.Zip(b.Forces, (x, y) => (x - y) * (x - y)).Sum() / a.Forces.Sum(x => x * x)), energy = Math.Abs(b.Energy / a.Energy - 1);
        TestContext.Out.WriteLine($"force error {error:e1} of the root mean square, energy {energy:e1}, virial {Math.Abs(b.Virial[0] - a.Virial[0]):e1} eV");
        Assert.That(error, Is.LessThan(2e-6));
        Assert.That(energy, Is.LessThan(1e-6));
        var field = new ForceField(ParticleMeshEwald.Create(atoms, 8, 1e-5, 6, lennardJones: Water.Tip3p.LennardJones(8), precision: Precision.Mixed));
        var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = 2, Skin = 1.5 });
        md.Run(500);
        TestContext.Out.WriteLine(md.Summary);
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(1e-4));
    }

    [Test]
    public void Refusals()
    {
        var atoms = Water.Tip3p.Box(3, 3, 3, 3);
        var field = new ForceField(Ewald.Create(atoms, 4, 1e-4));
        string Message(Integrator rule, MdOptions options) => Assert.Throws<InputException>(() => _ = new MolecularDynamics(atoms, field, rule, options))!.Message;
        Assert.That(Message(new VelocityVerlet(), new MdOptions { TimeStep = 1, Driven = [DrivenGroup.Fixed("wall", [0])] }), Does.Contain("held at a distance"));
        Assert.That(Message(new Langevin(300, 0.01, [0, 1]), new MdOptions { TimeStep = 1 }), Does.Contain("whole molecules"));
        Assert.That(Message(new Berendsen(300, 100, 0), new MdOptions { TimeStep = 1 }), Does.Contain("Nosé–Hoover barostat"));
        Assert.That(Assert.Throws<InputException>(() => Velocities.Maxwell(atoms, 300, 1, [0, 1, 2, 3]))!.Message, Does.Contain("whole molecules"));
    }

    [Test]
    public void NothingIsAllocatedPerStep()
    {
        var atoms = Liquid(4, 5.5, 0.2);
        var md = new MolecularDynamics(atoms, Field(atoms, 5.5), new VelocityVerlet(), new MdOptions { TimeStep = 2, Skin = 2 });
        md.Run(30);
        int generation = md.Domain.Generation;
        long before = GC.GetAllocatedBytesForCurrentThread();
        md.Run(3);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (md.Domain.Generation == generation) Assert.That(allocated, Is.Zero);
    }

    /// <summary>The molecules of a box with harmonic bonds and angles instead of constraints: parameters of water in Amber's files, 553 kcal/(mol Å²), 100 kcal/(mol rad²).</summary>
    private static Atoms Flexible(Atoms rigid)
    {
        const double KilocaloriePerMole = 0.0433641153087705; // eV
        var topology = new Topology();
        topology.BondTypes.Add(new Topology.BondType(553 * KilocaloriePerMole, Water.Tip3p.OH));
        topology.AngleTypes.Add(new Topology.AngleType(100 * KilocaloriePerMole, Water.Tip3p.Angle * Math.PI / 180));
        topology.Scaled.AddRange(rigid.Topology!.Scaled);
        for (int o = 0; o < rigid.Count; o += 3)
        {
            topology.Bonds.AddRange([(o, o + 1, 0), (o, o + 2, 0)]);
            topology.Angles.Add((o + 1, o, o + 2, 0));
        }
        var atoms = new Atoms(rigid.Species, rigid.Types, [.. rigid.Positions], rigid.Cell) { Topology = topology };
        rigid.Charges.CopyTo(atoms.Charges, 0);
        return atoms;
    }

    private static (MolecularDynamics Md, Respa Rule) FlexibleWater(double outer, int inner)
    {
        var atoms = Flexible(Liquid(3, 4.5, 0.2));
        Velocities.Maxwell(atoms, 300, 8);
        var sum = Ewald.Create(atoms, 4.6, 1e-4);
        var lj = LennardJones.Create(2, Water.Tip3p.LennardJones(4.6), Truncation.ForceShifted);
        Interaction bonds = Bonds.Create(atoms.Topology!, 3), angles = Angles.Create(atoms.Topology!, 3);
        var field = new ForceField([bonds, angles, lj, .. sum]);
        // The excluded pairs are erf(α r)/r at bond lengths: they belong to the reciprocal sum that they correct.
        var rule = new Respa(field, [new ForceGroup("bonded and real space", inner, bonds, angles, lj, sum[0]), new ForceGroup("reciprocal", 1, [.. sum[1..]])]);
        return (new MolecularDynamics(atoms, field, rule, new MdOptions { TimeStep = outer, Skin = 1 }), rule);
    }

    [TestCase(500)]
    [TestCase(100000, Category = "Slow")]
    public void RespaOfFlexibleWater(int steps)
    {
        var (md, rule) = FlexibleWater(2, 4);
        md.Run(500);
        TestContext.Out.WriteLine(rule.Hierarchy);
        md.Run(steps);
        TestContext.Out.WriteLine($"{md.Summary}; {md.Measure().Temperature:f1} K");
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(steps > 1000 ? 1e-5 : 1e-3));
    }

    [TestCase(500)]
    [TestCase(100000, Category = "Slow")]
    public void RespaOfSilicon(int steps)
    {
        var atoms = Silicon();
        Velocities.Maxwell(atoms, 600, 9);
        Interaction fast = StillingerWeber.Silicon(), slow = LennardJones.Create(1, (_, _) => new LennardJonesPair(0.02, 2, 7), Truncation.ForceShifted);
        var field = new ForceField(fast, slow);
        var rule = new Respa(field, [new ForceGroup("Stillinger-Weber", 4, fast), new ForceGroup("dispersion", 1, slow)]);
        var md = new MolecularDynamics(atoms, field, rule, new MdOptions { TimeStep = 8, Skin = 1 });
        md.Run(500);
        TestContext.Out.WriteLine(rule.Hierarchy);
        md.Run(steps);
        TestContext.Out.WriteLine($"{md.Summary}; {md.Measure().Temperature:f1} K");
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(steps > 1000 ? 1e-7 : 1e-4));
    }

    /// <summary>2 × 2 × 2 cells of diamond.</summary>
    private static Atoms Silicon()
    {
        const double A = 5.431;
        var x = new List<double>();
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                for (int k = 0; k < 2; k++)
                    foreach (var (u, v, w) in new[] { (0.0, 0.0, 0.0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0) })
                        foreach (double s in new[] { 0, 0.25 }) x.AddRange([A * (i + u + s), A * (j + v + s), A * (k + w + s)]);
        return new Atoms([new Species("Si", 28.0855)], new int[64], [.. x], Cell.Box(2 * A, 2 * A, 2 * A));
    }
}

internal static class MolecularDynamicsExtensions
{
    /// <summary>Runs and brings the atoms up to date.</summary>
    public static void RunAndStore(this MolecularDynamics md, long steps)
    {
        md.Run(steps);
        _ = md.Atoms;
    }
}
