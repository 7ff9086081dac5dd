using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Multiple time stepping: identity with velocity Verlet, assignment of forces, resonances.</summary>
public sealed class RespaTests
{
    /// <summary>E = ½ k Σ r², a spring to the origin.</summary>
    internal sealed unsafe class Spring(double k, int only = -1) : Interaction
    {
        public override string Description => $"spring {k} eV/Å²";
        public override double Cutoff => 0;
        public override bool IsLocal => false;

        public override void Compute(Domain domain, Want want, ref Tally tally)
        {
            for (int s = 0; s < domain.OwnedSlots; s++)
            {
                if (domain.Tag[s] < 0 || (only >= 0 && domain.Tag[s] != only)) continue;
                int at = s / 8 * 24 + s % 8;
                for (int a = 0; a < 24; a += 8)
                {
                    tally.Energy += 0.5 * k * domain.X[at + a] * domain.X[at + a];
                    domain.F[at + a] -= k * domain.X[at + a];
                }
            }
        }
    }

    // Mass 1/C: frequencies are √k in rad/fs.
    private const double Mass = 1 / Codata.MassVelocitySquaredInEv, Omega = 1, Lambda = 0.3;

    private static Atoms Oscillator(double x)
    {
        var atoms = new Atoms([new Species("A", Mass)], [0], [x, 0, 0], Cell.Box(10, 10, 10, [false, false, false]));
        return atoms;
    }

    private static (MolecularDynamics Md, Respa Rule) TwoFrequencies(double dt, int substeps, bool allow = false)
    {
        Interaction fast = new Spring(Omega * Omega), slow = new Spring(Lambda * Lambda);
        var field = new ForceField(fast, slow);
        var rule = new Respa(field, [new ForceGroup("slow", 1, slow), new ForceGroup("fast", substeps, fast)], allowResonance: allow);
        return (new MolecularDynamics(Oscillator(1e-6), field, rule, new MdOptions { TimeStep = dt, ExternalForces = true }), rule);
    }

    [Test]
    public void BandOfTheFormula()
    {
        var band = new ResonanceBand(Omega, Lambda * Lambda);
        var (low, high) = band.Edges(1);
        double growth = Enumerable.Range(0, 100001).Max(i => band.Growth(low + (high - low) * i / 100000));
        Assert.Multiple(() =>
        {
            Assert.That(low, Is.EqualTo(0.9178523 * Math.PI).Within(1e-7 * Math.PI));
            Assert.That(high, Is.EqualTo(Math.PI).Within(1e-14));
            // The largest |½ tr M| is 1.0091306695 at Ω Δt = 0.9589354685 π (root of its derivative, 30 digits): growth 1.1445733076. The bound √(1 + β²) + β
            // with β there is 1.1447135836: that is the 1.1447 one finds when β is taken as constant.
            Assert.That(growth, Is.EqualTo(1.1445733076).Within(1e-9));
            Assert.That(band.Forbids(low * 1.0001) && band.Forbids(high * 0.9999) && !band.Forbids(low * 0.9999) && !band.Forbids(high * 1.0001));
            Assert.That(band.Edges(2).Low, Is.LessThan(2 * Math.PI).And.GreaterThan(high));
        });
    }

    // The fast part is done by velocity Verlet in n substeps of δ: an exact rotation by n θ, cos θ = 1 − (Ωδ)²/2, with Ω′ = Ω √(1 − (Ωδ/2)²) in place of Ω
    // between x and v. With these the formula is exact; with Ω itself it is right to O(δ²).
    [TestCase(0.90)]
    [TestCase(0.93)]
    [TestCase(0.957)]
    [TestCase(0.99)]
    [TestCase(1.05)]
    [TestCase(1.95)]
    public void GrowthAsPredicted(double phaseOverPi)
    {
        double dt = phaseOverPi * Math.PI / Omega;
        const int n = 64;
        double step = dt / n, phi = n * Math.Acos(1 - 0.5 * Math.Pow(Omega * step, 2)), omega = Omega * Math.Sqrt(1 - Math.Pow(0.5 * Omega * step, 2));
        double half = Math.Cos(phi) - Lambda * Lambda * dt / (2 * omega) * Math.Sin(phi);
        double expected = Math.Abs(half) > 1 ? Math.Abs(half) + Math.Sqrt(half * half - 1) : 1;
        var (md, _) = TwoFrequencies(dt, n, allow: true);
        // xₙ₊₁ + xₙ₋₁ = tr M · xₙ for any linear map of determinant 1: the trace from three points, the growth from the trace.
        var x = new List<double>();
        for (int k = 0; k < 60; k++)
        {
            md.Run(1);
            x.Add(md.Atoms.Positions[0]);
        }
        for (int k = 10; k < 59; k += 7)
        {
            if (Math.Abs(x[k]) < 0.1 * x.Skip(k - 2).Take(5).Max(Math.Abs)) continue;
            Assert.That(0.5 * (x[k + 1] + x[k - 1]) / x[k], Is.EqualTo(half).Within(1e-9), $"half trace at step {k}");
        }
        if (expected > 1)
            Assert.That(Math.Abs(x[59] / x[58]), Is.EqualTo(expected).Within(expected > 1.05 ? 1e-4 : 0.05), "growth per step");
        Assert.That(new ResonanceBand(Omega, Lambda * Lambda).Growth(dt), Is.EqualTo(expected).Within(2e-3), "the formula with Ω itself");
    }

    [Test]
    public void RefusesAStepInsideABand()
    {
        var (md, _) = TwoFrequencies(0.96 * Math.PI, 16);
        string message = Assert.Throws<InputException>(() => md.Run(1))!.Message;
        Assert.That(message, Does.Contain("forbidden band").And.Contain("Nearest safe time steps"));
        TestContext.Out.WriteLine(message);
        var (safe, rule) = TwoFrequencies(0.9 * Math.PI, 16);
        safe.Run(1);
        TestContext.Out.WriteLine(rule.Hierarchy);
        Assert.That(rule.Hierarchy, Does.Contain("level 1: slow").And.Contain("level 2: fast"));
    }

    [Test]
    public void RefusesAnUnstableInnermostStep()
    {
        var (md, _) = TwoFrequencies(2.5, 1);
        // One level: everything together, Ω² = 1.09.
        Assert.That(Assert.Throws<InputException>(() => md.Run(1))!.Message, Does.Contain("stability bound"));
    }

    [Test]
    public void StaysBoundedOutsideTheBands()
    {
        var (md, _) = TwoFrequencies(0.9 * Math.PI, 8);
        md.Run(100000);
        var (x, v) = (md.Atoms.Positions[0], md.Atoms.Velocities[0]);
        // Bounded: a quadratic form of (x, v) is conserved; its axes differ by less than a factor of 10 this far from the band.
        Assert.That(Math.Sqrt(x * x + v * v), Is.LessThan(1e-5).And.GreaterThan(1e-7));
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(1e-16));
    }

    [Test]
    public void OneGroupIsVelocityVerlet()
    {
        var field = DynamicsTests.Lj(Truncation.ForceShifted);
        var (a, b) = (DynamicsTests.Crystal(4, 0.8), DynamicsTests.Crystal(4, 0.8));
        var options = new MdOptions { TimeStep = 0.004, Skin = 0.2 };
        var verlet = new MolecularDynamics(a, field, new VelocityVerlet(), options);
        verlet.Run(300);
        var field2 = DynamicsTests.Lj(Truncation.ForceShifted);
        var respa = new MolecularDynamics(b, field2, new Respa(field2, [new ForceGroup("all", 1, [.. field2.Interactions])]), options);
        respa.Run(300);
        Assert.That(respa.Domain.Generation, Is.GreaterThan(2));
        Assert.That(respa.Atoms.Positions, Is.EqualTo(verlet.Atoms.Positions));
        Assert.That(respa.Atoms.Velocities, Is.EqualTo(verlet.Atoms.Velocities));
    }

    // Three levels of one potential, cut into shells, against all of it in small steps: the same trajectory to O(Δt²).
    [Test]
    public void ThreeLevels()
    {
        double Error(double dt)
        {
            Interaction Part(double epsilon) => LennardJones.Create(1, (_, _) => new LennardJonesPair(epsilon, 1, 2.5), Truncation.ForceShifted);
            Interaction a = Part(0.5), b = Part(0.3), c = Part(0.2);
            var field = new ForceField(a, b, c);
            var atoms = DynamicsTests.Crystal(3, 0.5);
            var md = new MolecularDynamics(atoms, field, new Respa(field, [new ForceGroup("c", 1, c), new ForceGroup("a", 4, a), new ForceGroup("b", 2, b)]),
                new MdOptions { TimeStep = dt, Skin = 0.3 });
            md.Run((long)Math.Round(0.32 / dt));
            var reference = new MolecularDynamics(DynamicsTests.Crystal(3, 0.5), DynamicsTests.Lj(Truncation.ForceShifted), new VelocityVerlet(), new MdOptions { TimeStep = 0.0005, Skin = 0.3 });
            reference.Run(640);
            double[] x = md.Atoms.Positions, y = reference.Atoms.Positions;
            return Enumerable.Range(0, x.Length).Max(k => Math.Abs(x[k] - y[k]));
        }
        double one = Error(0.016), half = Error(0.008);
        Assert.That(one, Is.LessThan(0.02));
        Assert.That(one / half, Is.EqualTo(4).Within(1));
    }

    private static (MolecularDynamics Md, Respa Rule) Split(double dt, Langevin? bath = null)
    {
        Interaction Part(double epsilon) => LennardJones.Create(1, (_, _) => new LennardJonesPair(epsilon, 1, 2.5), Truncation.ForceShifted);
        Interaction fast = Part(0.9), slow = Part(0.1);
        var field = new ForceField(fast, slow);
        var rule = new Respa(field, [new ForceGroup("slow", 1, slow), new ForceGroup("fast", 8, fast)], bath);
        return (new MolecularDynamics(DynamicsTests.Crystal(3, 0.3), field, rule, new MdOptions { TimeStep = dt, Skin = 0.3 }), rule);
    }

    // A crystal: the guard finds its fastest vibration and refuses impulses that resonate with it.
    [Test]
    public void GuardsACrystal()
    {
        var (probe, _) = Split(0.001);
        probe.Run(0);
        double omega = Vibrations.Fastest(probe.Motion, [probe.ForceField.Interactions[0]], 1, null)[0].Omega;
        var (bad, _) = Split(0.99 * Math.PI / omega);
        Assert.That(Assert.Throws<InputException>(() => bad.Run(1))!.Message, Does.Contain("'slow'").And.Contain("forbidden band"));
        var (good, rule) = Split(0.1 * Math.PI / omega);
        good.Run(1500);
        string cold = rule.Hierarchy, hot = rule.Check(good);
        good.Run(1500);
        TestContext.Out.WriteLine(cold + hot + good.Summary);
        Assert.That(hot, Is.Not.EqualTo(cold));
        // Scatter ∝ Δt², 4e-5 eV here; drift over the whole run far below it.
        Assert.That(good.ScatterPerAtom, Is.LessThan(1e-4));
        Assert.That(Math.Abs(good.DriftPerPsAndAtom) * good.Time / 1000, Is.LessThan(1e-5));
        // Looking did not change the run.
        var (twin, _) = Split(0.1 * Math.PI / omega);
        twin.Run(3000);
        Assert.That(good.Atoms.Positions, Is.EqualTo(twin.Atoms.Positions));
    }

    // Anharmonic vibrations resonate at third and fourth order where harmonic ones do not (see Respa): with Ω of the hot crystal, 20500 steps drift by 0.0015 eV per ps and atom
    // at 0.4 π, 0.02 at 0.5 π, 0.16 at 0.55 π; at 0.6 π it flies apart. No band of the harmonic theory is there: the hierarchy must say so.
    [TestCase(0.4, false, Category = "Slow")]
    [TestCase(0.55, true, Category = "Slow")]
    public void AnharmonicCrystal(double phase, bool warned)
    {
        var (probe, _) = Split(0.004);
        probe.Run(1500);
        double omega = Enumerable.Range(0, 5).Max(_ =>
        {
            probe.Run(200);
            return Vibrations.Fastest(probe.Motion, [probe.ForceField.Interactions[0]], 1, null)[0].Omega;
        });
        var (md, rule) = Split(phase * Math.PI / omega);
        md.Run(500);
        string says = rule.Check(md);
        md.Run(20000);
        TestContext.Out.WriteLine($"{phase} π: {md.Summary}");
        Assert.That(says.Contains("third and fourth order", StringComparison.Ordinal), Is.EqualTo(warned));
        Assert.That(Math.Abs(md.DriftPerPsAndAtom), warned ? Is.GreaterThan(0.05) : Is.LessThan(0.005));
    }

    [Test]
    public void RestartHasTheSameBits([Values] bool bath)
    {
        Langevin? Bath() => bath ? new Langevin(0.3 / Codata.BoltzmannInEv, 1) : null;
        var (one, _) = Split(0.01, Bath());
        one.Run(40);
        var saved = one.Save();
        one.Run(40);
        var (two, _) = Split(0.01, Bath());
        two.Restore(saved);
        two.Run(40);
        Assert.That(two.Atoms.Positions, Is.EqualTo(one.Atoms.Positions));
        Assert.That(two.Atoms.Velocities, Is.EqualTo(one.Atoms.Velocities));
        Assert.That(two.Measure().Conserved, Is.EqualTo(one.Measure().Conserved));
    }

    [Test]
    public void NothingIsAllocatedPerStep()
    {
        Interaction fast = new Spring(1), slow = new Spring(0.09);
        var field = new ForceField(fast, slow);
        var md = new MolecularDynamics(Oscillator(1e-3), field, new Respa(field, [new ForceGroup("slow", 1, slow), new ForceGroup("fast", 4, fast)]), new MdOptions { TimeStep = 1, ExternalForces = true });
        md.Run(10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        md.Run(100);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void EveryForceActsOnce()
    {
        Interaction a = new Spring(1), b = new Spring(2), c = new Spring(3);
        var field = new ForceField(a, b);
        Assert.Multiple(() =>
        {
            Assert.That(Assert.Throws<InputException>(() => _ = new Respa(field, [new ForceGroup("x", 1, a)]))!.Message, Does.Contain("would not act").And.Contain("spring 2"));
            Assert.That(Assert.Throws<InputException>(() => _ = new Respa(field, [new ForceGroup("x", 1, a, b), new ForceGroup("y", 2, b)]))!.Message, Does.Contain("act twice"));
            Assert.That(Assert.Throws<InputException>(() => _ = new Respa(field, [new ForceGroup("x", 1, a, b, c)]))!.Message, Does.Contain("not in the force field"));
            Assert.That(Assert.Throws<InputException>(() => _ = new Respa(field, [new ForceGroup("x", 2, a), new ForceGroup("y", 3, b)]))!.Faults, Has.Count.EqualTo(2));
        });
    }

    // Two atoms at the minimum of the pair potential: Ω² = φ″/μ, φ″(r_m) = 72 ε/(2^⅓ σ²); with ε in two parts, half the stiffness comes from the slow one.
    [Test]
    public void VibrationOfADimer()
    {
        Interaction Part() => LennardJones.Create(1, (_, _) => new LennardJonesPair(0.5, 1, 4));
        Interaction fast = Part(), slow = Part();
        var field = new ForceField(fast, slow);
        var atoms = new Atoms([new Species("A", 2 * Mass)], [0, 0], [3, 3, 3, 3 + Math.Pow(2, 1.0 / 6), 3, 3], Cell.Box(20, 20, 20));
        var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = 0.01 });
        md.Run(0);
        double square = 0.5 * 72 / Math.Cbrt(2);
        var modes = Vibrations.Fastest(md.Motion, [fast], 4, [slow]);
        // Central differences with 1e-3 Å: relative error φ⁗ h²/(6 φ″) ≈ 1e-4.
        Assert.That(modes[0].Omega, Is.EqualTo(Math.Sqrt(square)).Within(1e-4 * Math.Sqrt(square)));
        Assert.That(modes[0].SlowStiffness, Is.EqualTo(square).Within(2e-4 * square));
    }

    // A rigid dumbbell in a harmonic well about its centre: the bond does not vibrate, the centre does with √(k/m), and turning costs nothing: the constraint's
    // force along the bond and its turning with it cancel the well's stiffness.
    [Test]
    public void WhatConstraintsHoldDoesNotVibrate()
    {
        const double K = 0.25, Distance = 1.2;
        var topology = new Topology();
        topology.BondTypes.Add(new Topology.BondType(100, 1));
        topology.Bonds.Add((0, 1, 0));
        topology.Constraints.Add((0, 1, Distance));
        var atoms = new Atoms([new Species("A", Mass)], [0, 0], [-0.5 * Distance, 0, 0, 0.5 * Distance, 0, 0], Cell.Box(10, 10, 10, [false, false, false])) { Topology = topology };
        Interaction bond = Bonds.Create(topology, 3), well = new Spring(K);
        var field = new ForceField(bond, well);
        var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = 0.01, ExternalForces = true });
        md.Run(0);
        var modes = Vibrations.Fastest(md.Motion, [bond, well], 8, [well]);
        // Central differences with 1e-3 Å: relative errors of 1e-6; a frequency of √1e-6 is none.
        Assert.That(modes[0].Omega, Is.EqualTo(Math.Sqrt(K)).Within(1e-5));
        Assert.That(modes[0].SlowStiffness, Is.EqualTo(K).Within(1e-5));
        Assert.That(modes.All(mode => Math.Abs(mode.Omega - Math.Sqrt(K)) < 1e-5 || mode.Omega < 1e-3));
    }

    // The slow group is stiff where the fast one is not: Λ Δt > 2 is unstable without any fast vibration.
    [TestCase(1.9, false)]
    [TestCase(2.1, true)]
    public void StiffSlowGroup(double phase, bool refused)
    {
        Interaction fast = new Spring(1, only: 0), slow = new Spring(phase * phase, only: 1);
        var field = new ForceField(fast, slow);
        var atoms = new Atoms([new Species("A", Mass)], [0, 0], [1e-6, 0, 0, 0, 1e-6, 0], Cell.Box(10, 10, 10, [false, false, false]));
        var md = new MolecularDynamics(atoms, field, new Respa(field, [new ForceGroup("slow", 1, slow), new ForceGroup("fast", 8, fast)]), new MdOptions { TimeStep = 1, ExternalForces = true });
        if (refused) Assert.That(Assert.Throws<InputException>(() => md.Run(1))!.Message, Does.Contain("'slow'").And.Contain("forbidden band"));
        else
        {
            md.Run(1000);
            Assert.That(Math.Abs(md.Atoms.Positions[4]), Is.LessThan(1e-5));
        }
    }

    [Test]
    public void WithABath()
    {
        Interaction fast = new Spring(1), slow = new Spring(0.09);
        var field = new ForceField(fast, slow);
        int n = 1000;
        var atoms = new Atoms([new Species("A", Mass)], new int[n], new double[3 * n], Cell.Box(10, 10, 10, [false, false, false]));
        double kT = 1e-4, temperature = kT / Codata.BoltzmannInEv;
        var md = new MolecularDynamics(atoms, field, new Respa(field, [new ForceGroup("slow", 1, slow), new ForceGroup("fast", 4, fast)], new Langevin(temperature, 0.2)),
            new MdOptions { TimeStep = 1, ExternalForces = true });
        md.Run(100);
        double sum = 0;
        int samples = 20;
        for (int k = 0; k < samples; k++)
        {
            md.Run(20);
            sum += md.Atoms.Positions.Sum(x => x * x);
        }
        // ⟨x²⟩ = kT/(Ω² + λ²), 60000 numbers nearly independent after 4/γ: standard error √(2/60000) = 0.6 %; the splitting's own error λ²Δt²/12 ≈ 1 %.
        Assert.That(sum / (3 * n * samples) / (kT / 1.09), Is.EqualTo(1).Within(0.025 + 0.01));
    }
}
