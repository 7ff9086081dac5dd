using System.Runtime.Intrinsics;
using System.Text.Json;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Molecular dynamics: trajectories, conservation, ensembles, restarts, failures.</summary>
public sealed class DynamicsTests
{
    internal static ForceField Lj(Truncation truncation = Truncation.Cut, double cutoff = 2.5) =>
        new(LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, cutoff), truncation));

    /// <summary>A face-centred crystal in LJ units (time unit 1 fs by the mass, ε = 1 eV, k_B T in eV), n³ cells, density 0.95, with velocities.</summary>
    internal static Atoms Crystal(int n, double kT, ulong seed = 7)
    {
        double a = Math.Cbrt(4 / 0.95);
        var x = new List<double>();
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n; k++)
                    foreach (var (u, v, w) in new[] { (0.0, 0.0, 0.0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5) })
                        x.AddRange([a * (i + u), a * (j + v), a * (k + w)]);
        var atoms = new Atoms([new Species("A", 1 / Codata.MassVelocitySquaredInEv)], new int[x.Count / 3], [.. x], Cell.Box(n * a, n * a, n * a));
        Velocities.Maxwell(atoms, kT / Codata.BoltzmannInEv, seed);
        return atoms;
    }

    /// <summary>A trajectory of LAMMPS; masses such that the file's time unit is 1 fs in ours: a = F/m · ftm2v = F/(m′ C).</summary>
    private static (Atoms Atoms, JsonElement Json, double TimeStep) Trajectory(string name)
    {
        var json = TestData.Json($"md/{name}.json");
        bool lj = json.GetProperty("units").GetString() == "lj";
        double mass = json.GetProperty("mass").GetDouble(), c = Codata.MassVelocitySquaredInEv;
        // lj: m v² is an energy without a factor. metal: LAMMPS' rounded factor, ps → fs.
        mass = lj ? mass / c : mass * 1.0364269e-4 * 1e6 / c;
        var cell = new Cell(Rows(json.GetProperty("cell_rows_abc")));
        var frame = json.GetProperty("frames").GetProperty("0");
        double[] x = Rows(frame.GetProperty("positions")), v = Rows(frame.GetProperty("velocities"));
        var atoms = new Atoms([new Species("A", mass)], new int[x.Length / 3], x, cell);
        for (int k = 0; k < v.Length; k++) atoms.Velocities[k] = lj ? v[k] : v[k] * 1e-3;
        return (atoms, json, json.GetProperty("dt").GetDouble() * (lj ? 1 : 1000));
    }

    private static double[] Rows(JsonElement e) => [.. e.EnumerateArray().SelectMany(r => r.EnumerateArray().Select(v => v.GetDouble()))];

    // Rounding differences grow by the Lyapunov exponent, about e per LJ time unit in the liquid and less in the crystal: over the whole references
    // (200 steps: one LJ time unit; 0.2 ps of silicon at 1000 K) nothing but rounding may be seen.
    [TestCase("nve_lj", 1e-10)]
    [TestCase("nve_sw_si", 1e-10)]
    public void TrajectoryOfLammps(string name, double tolerance)
    {
        var (atoms, json, dt) = Trajectory(name);
        bool lj = name == "nve_lj";
        double pressureUnit = lj ? 1 : 1.6021765e6, velocityUnit = lj ? 1 : 1e-3, worst = 0;
        var md = new MolecularDynamics(atoms, lj ? Lj() : new ForceField(StillingerWeber.Silicon()), new VelocityVerlet(), new MdOptions { TimeStep = dt, Skin = lj ? 0.3 : 1 });
        foreach (var row in json.GetProperty("thermo").EnumerateArray())
        {
            md.Run((long)row[0].GetDouble() - md.Step);
            var thermo = md.Measure();
            Assert.That(thermo.Potential, Is.EqualTo(row[2].GetDouble()).Within(tolerance * Math.Abs(row[2].GetDouble())), $"potential energy at step {md.Step}");
            Assert.That(thermo.Kinetic, Is.EqualTo(row[3].GetDouble()).Within(tolerance * row[3].GetDouble() * 10), $"kinetic energy at step {md.Step}");
            Assert.That(thermo.Pressure * pressureUnit, Is.EqualTo(row[5].GetDouble()).Within(10 * tolerance * (lj ? 1 : 1e5)), $"pressure at step {md.Step}");
            if (!json.GetProperty("frames").TryGetProperty($"{md.Step}", out var frame)) continue;
            double[] x = Rows(frame.GetProperty("positions")), v = Rows(frame.GetProperty("velocities"));
            var now = md.Atoms;
            double edge = atoms.Cell.Rows[0];
            double dv = Enumerable.Range(0, v.Length).Max(k => Math.Abs(now.Velocities[k] / velocityUnit - v[k]));
            double dx = Enumerable.Range(0, x.Length).Max(k => Math.Abs(Math.IEEERemainder(now.Positions[k] - x[k], edge)));
            TestContext.Out.WriteLine($"{name}, step {md.Step}: largest difference of positions {dx:g3}, of velocities {dv:g3}");
            worst = Math.Max(worst, Math.Max(dx, dv * dt * velocityUnit));
        }
        Assert.That(worst, Is.LessThan(tolerance), "positions, and moves in one step");
    }

    // The same crystal in a sheared cell (c + a instead of c): the same trajectory.
    [Test]
    public void TriclinicCell()
    {
        var one = Crystal(3, 0.5);
        var h = one.Cell.Rows.ToArray();
        double[] sheared = [.. h];
        for (int k = 0; k < 3; k++) sheared[6 + k] += h[k];
        var two = Crystal(3, 0.5);
        two.Cell = new Cell(sheared);
        var options = new MdOptions { TimeStep = 0.004, Skin = 0.3 };
        MolecularDynamics a = new(one, Lj(), new VelocityVerlet(), options), b = new(two, Lj(), new VelocityVerlet(), options);
        a.Run(100);
        b.Run(100);
        Assert.That(b.Domain.Generation, Is.GreaterThan(2));
        Assert.That(b.Atoms.Positions, Is.EqualTo(a.Atoms.Positions).Within(1e-11));
    }

    // The energy of velocity Verlet oscillates with an amplitude ∝ Δt²: halving Δt divides it by 4. Force-shifted, so that the potential is smooth enough.
    [Test]
    public void EnergyErrorIsOfSecondOrder()
    {
        double Scatter(double dt)
        {
            var md = new MolecularDynamics(Crystal(4, 0.4), Lj(Truncation.ForceShifted), new VelocityVerlet(), new MdOptions { TimeStep = dt, Skin = 0.3 });
            md.Run((long)Math.Round(4 / dt));
            // No drift: over 4 time units less than the scatter itself.
            Assert.That(Math.Abs(md.DriftPerPsAndAtom) * 4 / 1000, Is.LessThan(md.ScatterPerAtom), $"drift, Δt {dt}");
            return md.ScatterPerAtom;
        }
        double one = Scatter(0.008), half = Scatter(0.004), quarter = Scatter(0.002);
        TestContext.Out.WriteLine($"rms energy error per atom {one:g3}, {half:g3}, {quarter:g3} eV");
        Assert.That(one / half, Is.EqualTo(4).Within(0.8));
        Assert.That(half / quarter, Is.EqualTo(4).Within(0.8));
    }

    // Sum of forces of one evaluation is rounding, N f ε √N ≈ 1e-12; random in time, so √n of that after n steps.
    [Test]
    public void MomentumIsConserved()
    {
        var md = new MolecularDynamics(Crystal(4, 0.8), Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 0.004, Skin = 0.3 });
        md.Run(500);
        double[] v = md.Atoms.Velocities;
        for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, v.Length / 3).Sum(i => v[3 * i + k]), Is.EqualTo(0).Within(1e-11));
    }

    private static readonly Dictionary<string, Func<Integrator>> s_rules = new()
    {
        ["verlet"] = () => new VelocityVerlet(),
        ["langevin"] = () => new Langevin(0.5 / Codata.BoltzmannInEv, 1),
        ["nose-hoover"] = () => new NoseHoover(0.5 / Codata.BoltzmannInEv, 0.4),
        ["rescaling"] = () => new VelocityRescaling(0.5 / Codata.BoltzmannInEv, 0.1),
        ["isotropic"] = () => new NoseHooverBarostat(0.5 / Codata.BoltzmannInEv, 0.4, 1, 2),
        ["flexible"] = () => new NoseHooverBarostat(0.5 / Codata.BoltzmannInEv, 0.4, 1, 2, CellMotion.Flexible),
        ["berendsen"] = () => new Berendsen(0.5 / Codata.BoltzmannInEv, 0.4, 1, 2, 0.02),
    };

    private static IEnumerable<string> Rules => s_rules.Keys;

    [TestCaseSource(nameof(Rules))]
    public void RestartHasTheSameBits(string rule)
    {
        var options = new MdOptions { TimeStep = 0.004, Skin = 0.3, Seed = 5 };
        var one = new MolecularDynamics(Crystal(3, 0.8), Lj(), s_rules[rule](), options);
        one.Run(60);
        var saved = one.Save();
        one.Run(60);
        var two = new MolecularDynamics(Crystal(3, 0.1, seed: 3), Lj(), s_rules[rule](), options);
        two.Restore(saved);
        two.Run(60);
        Assert.Multiple(() =>
        {
            Assert.That(two.Step, Is.EqualTo(120));
            Assert.That(two.Atoms.Positions, Is.EqualTo(one.Atoms.Positions));
            Assert.That(two.Atoms.Velocities, Is.EqualTo(one.Atoms.Velocities));
            Assert.That(two.Atoms.Cell.Rows.ToArray(), Is.EqualTo(one.Atoms.Cell.Rows.ToArray()));
            Assert.That(two.Measure().Conserved, Is.EqualTo(one.Measure().Conserved));
            Assert.That(two.Save().Fields["monitor"], Is.EqualTo(one.Save().Fields["monitor"]));
        });
    }

    [Test]
    public void NothingIsAllocatedPerStep([Values("verlet", "langevin", "nose-hoover", "rescaling")] string rule)
    {
        // Cold enough that lists last.
        var md = new MolecularDynamics(Crystal(3, 0.01), Lj(), s_rules[rule == "langevin" ? "verlet" : rule](), new MdOptions { TimeStep = 0.001, Skin = 0.5 });
        if (rule == "langevin") md = new MolecularDynamics(Crystal(3, 0.01), Lj(), new Langevin(0.01 / Codata.BoltzmannInEv, 1), new MdOptions { TimeStep = 0.001, Skin = 0.5 });
        md.Run(20);
        int generation = md.Domain.Generation;
        long before = GC.GetAllocatedBytesForCurrentThread();
        md.Run(50);
        long after = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(md.Domain.Generation, Is.EqualTo(generation));
        Assert.That(after - before, Is.Zero);
    }

    // Independent atoms on springs: ⟨v²⟩ and ⟨x²⟩ of BAOAB, the latter exact for any Δt.
    [Test]
    public void LangevinSamplesItsTemperature()
    {
        const int n = 1000, samples = 40;
        double kT = 0.02, spring = 2;
        var atoms = new Atoms([new Species("A", 1 / Codata.MassVelocitySquaredInEv)], new int[n], new double[3 * n], Cell.Box(10, 10, 10, [false, false, false]));
        var md = new MolecularDynamics(atoms, new ForceField(new RespaTests.Spring(spring)), new Langevin(kT / Codata.BoltzmannInEv, 0.5),
            new MdOptions { TimeStep = 0.5, Skin = 0.5 });
        md.Run(100);
        double x2 = 0, x4 = 0;
        for (int s = 0; s < samples; s++)
        {
            // Two relaxation times 1/γ … 2/γ apart.
            md.Run(16);
            foreach (double x in md.Atoms.Positions) { x2 += x * x; x4 += x * x * x * x; }
        }
        double count = 3.0 * n * samples, sigma = kT / spring;
        // Normal numbers: var(x²) = 2σ⁴, var(x⁴) = 96 σ⁸; four standard errors, samples taken as half independent.
        Assert.That(x2 / count / sigma, Is.EqualTo(1).Within(4 * Math.Sqrt(2 / (count / 2))));
        Assert.That(x4 / count / (3 * sigma * sigma), Is.EqualTo(1).Within(4 * Math.Sqrt(96.0 / 9 / (count / 2))));
        // The heat balance, up to the difference of energy and shadow energy, (ωΔt)²/8 of 3 kT on average; twice that.
        Assert.That(Math.Abs(md.Measure().Conserved) / n, Is.LessThan(2 * spring * 0.25 / 8 * 3 * kT));
    }

    // Canonical: E_kin has mean N_f kT/2 and variance N_f (kT)²/2, whatever the forces. Errors from block averages over 20 blocks.
    [TestCase("langevin")]
    [TestCase("nose-hoover")]
    [TestCase("rescaling")]
    [TestCase("isotropic")]
    [TestCase("flexible")]
    public void KineticEnergyIsCanonical(string rule)
    {
        const int blocks = 20, perBlock = 40;
        var md = new MolecularDynamics(Crystal(3, 1.0), Lj(Truncation.ForceShifted), s_rules[rule](), new MdOptions { TimeStep = 0.004, Skin = 0.4, Seed = 11 });
        md.Run(1000);
        double freedom = md.DegreesOfFreedom, kT = 0.5;
        var (means, squares, pressures) = (new double[blocks], new double[blocks], new double[blocks]);
        for (int b = 0; b < blocks; b++)
            for (int s = 0; s < perBlock; s++)
            {
                md.Run(10);
                var thermo = md.Measure();
                double z = (thermo.Kinetic - 0.5 * freedom * kT) / Math.Sqrt(0.5 * freedom * kT * kT);
                means[b] += z / perBlock;
                squares[b] += z * z / perBlock;
                pressures[b] += thermo.Pressure / perBlock;
            }
        static (double Mean, double Error) Average(double[] v) => (v.Average(), Math.Sqrt(v.Sum(x => Math.Pow(x - v.Average(), 2)) / (v.Length * (v.Length - 1.0))));
        var (mean, meanError) = Average(means);
        var (square, squareError) = Average(squares);
        var (pressure, pressureError) = Average(pressures);
        TestContext.Out.WriteLine($"{rule}: mean {mean:f3} ± {meanError:f3}, variance {square:f3} ± {squareError:f3}, pressure {pressure:f4} ± {pressureError:f4}, drift {md.DriftPerPsAndAtom:g3} eV/(ps atom), scatter {md.ScatterPerAtom:g3}");
        Assert.Multiple(() =>
        {
            // Δt = 0.004: the kinetic energy of the discrete trajectory is off by O((ω Δt)²/8) ≈ 1e-3 of itself, 0.03 standard deviations.
            Assert.That(mean, Is.EqualTo(0).Within(4 * meanError + 0.04));
            Assert.That(square, Is.EqualTo(1).Within(4 * squareError + 0.05));
            if (rule is "isotropic" or "flexible") Assert.That(pressure, Is.EqualTo(1).Within(4 * pressureError + 0.01));
            // 36 time units: the conserved quantity drifts by less than a thousandth of kT per atom.
            Assert.That(Math.Abs(md.DriftPerPsAndAtom) * md.Time / 1000, Is.LessThan(1e-3 * kT));
        });
    }

    // Order of the barostat's integrator: the error of the conserved quantity falls by 4.
    [TestCase(CellMotion.Isotropic)]
    [TestCase(CellMotion.Anisotropic)]
    [TestCase(CellMotion.Flexible)]
    public void BarostatConserves(CellMotion motion)
    {
        double Scatter(double dt)
        {
            var md = new MolecularDynamics(Crystal(3, 0.6), Lj(Truncation.ForceShifted), new NoseHooverBarostat(0.3 / Codata.BoltzmannInEv, 0.5, 2, 1, motion),
                new MdOptions { TimeStep = dt, Skin = 0.3 });
            md.Run((long)Math.Round(2 / dt));
            if (motion == CellMotion.Isotropic) Assert.That(md.Atoms.Cell.Rows[0], Is.EqualTo(md.Atoms.Cell.Rows[4]).Within(1e-12));
            else Assert.That(Math.Abs(md.Atoms.Cell.Rows[0] - md.Atoms.Cell.Rows[4]), Is.GreaterThan(1e-6));
            Assert.That(Math.Abs(md.Atoms.Cell.Rows[1]), motion == CellMotion.Flexible ? Is.GreaterThan(1e-6) : Is.Zero);
            return md.ScatterPerAtom;
        }
        double one = Scatter(0.008), half = Scatter(0.004);
        TestContext.Out.WriteLine($"{motion}: {one:g3}, {half:g3} eV per atom");
        Assert.That(one / half, Is.EqualTo(4).Within(1));
    }

    [Test]
    public void AnOverlapStopsTheRun()
    {
        var atoms = Crystal(3, 0.1);
        // Two atoms run into each other.
        atoms.Positions[0] = atoms.Positions[3] - 0.3;
        (atoms.Positions[1], atoms.Positions[2]) = (atoms.Positions[4], atoms.Positions[5]);
        var md = new MolecularDynamics(atoms, Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 0.01, Skin = 0.3 });
        double[] before = [.. atoms.Positions], velocities = [.. atoms.Velocities];
        string message = Assert.Throws<NumericalException>(() => md.Run(10))!.Message;
        TestContext.Out.WriteLine(message);
        Assert.Multiple(() =>
        {
            Assert.That(message, Does.Contain("step 1 ").And.Contain("Å").And.Match("atom (1|2) at").And.Match("neighbour is (1|2) at"));
            Assert.That(md.Step, Is.Zero);
            Assert.That(md.Atoms.Positions, Is.EqualTo(before).Within(1e-12));
            Assert.That(md.Atoms.Velocities, Is.EqualTo(velocities).Within(1e-15));
        });
    }

    [Test]
    public void TwoAtomsAtOnePlaceStopTheRun()
    {
        var atoms = Crystal(3, 0.1);
        for (int k = 0; k < 3; k++) atoms.Positions[k] = atoms.Positions[3 + k];
        var md = new MolecularDynamics(atoms, Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 0.01, Skin = 0.3 });
        string message = Assert.Throws<NumericalException>(() => md.Run(10))!.Message;
        TestContext.Out.WriteLine(message);
        Assert.That(message, Does.Contain("not a finite number").And.Match("atom (1|2) at").And.Match("neighbour is (1|2) at"));
    }

    [Test]
    public void HeatStopsTheRunAndTheStateBeforeIsKept()
    {
        var md = new MolecularDynamics(Crystal(3, 0.2), Lj(), new Langevin(5 / Codata.BoltzmannInEv, 1), new MdOptions { TimeStep = 0.004, Skin = 0.3, MaxTemperature = 1 / Codata.BoltzmannInEv });
        string message = Assert.Throws<NumericalException>(() => md.Run(10000))!.Message;
        Assert.That(message, Does.Contain("temperature").And.Contain($"step {md.Step + 1} "));
        long failed = md.Step;
        Assert.That(failed, Is.GreaterThan(5));
        var twin = new MolecularDynamics(Crystal(3, 0.2), Lj(), new Langevin(5 / Codata.BoltzmannInEv, 1), new MdOptions { TimeStep = 0.004, Skin = 0.3 });
        twin.Run(failed);
        Assert.That(md.Atoms.Positions, Is.EqualTo(twin.Atoms.Positions).Within(1e-12));
        Assert.That(md.Measure().Conserved, Is.EqualTo(twin.Measure().Conserved).Within(1e-9));
    }

    [Test]
    public void HeldAndDrivenAtoms()
    {
        var atoms = Crystal(3, 0.3);
        double[] start = [.. atoms.Positions];
        var md = new MolecularDynamics(atoms, Lj(Truncation.ForceShifted), new NoseHoover(0.3 / Codata.BoltzmannInEv, 0.4), new MdOptions
        {
            TimeStep = 0.004, Skin = 0.3, Driven = [DrivenGroup.Fixed("wall", [0, 1, 2]), new DrivenGroup("pusher", [5, 6], 0.01, null, 0)],
        });
        md.Run(200);
        double[] x = md.Atoms.Positions;
        Assert.Multiple(() =>
        {
            for (int k = 0; k < 9; k++) Assert.That(x[k], Is.EqualTo(start[k]).Within(1e-12));
            foreach (int i in new[] { 5, 6 })
            {
                Assert.That(x[3 * i], Is.EqualTo(start[3 * i] + 0.01 * 0.8).Within(1e-12));
                Assert.That(x[3 * i + 1], Is.Not.EqualTo(start[3 * i + 1]).Within(1e-3));
                Assert.That(x[3 * i + 2], Is.EqualTo(start[3 * i + 2]).Within(1e-12));
            }
            Assert.That(md.DegreesOfFreedom, Is.EqualTo(3 * 108 - 9 - 4));
        });
    }

    [Test]
    public void ThermostatOnAGroup()
    {
        int[] group = [.. Enumerable.Range(0, 50)];
        foreach (Integrator rule in new Integrator[] { new Langevin(0.2 / Codata.BoltzmannInEv, 2, group), new NoseHoover(0.2 / Codata.BoltzmannInEv, 0.4, group: group), new VelocityRescaling(0.2 / Codata.BoltzmannInEv, 0.2, group) })
        {
            // No forces: only the group feels the thermostat.
            var atoms = Crystal(3, 0.5);
            double[] v = [.. atoms.Velocities];
            var md = new MolecularDynamics(atoms, Lj(cutoff: 0.5), rule, new MdOptions { TimeStep = 0.004, Skin = 0.3 });
            md.Run(50);
            double[] now = md.Atoms.Velocities;
            Assert.That(now.Skip(150), Is.EqualTo(v.Skip(150)), rule.Description);
            for (int k = 0; k < 150; k++) Assert.That(now[k], Is.Not.EqualTo(v[k]), rule.Description);
            var thermo = md.Measure();
            Assert.That(Math.Abs(md.DriftPerPsAndAtom), Is.LessThan(1e-3), rule.Description);
        }
    }

    // The momentum is conserved, and takes three degrees of freedom, only where nobody touches the velocities of a part of the atoms.
    [Test]
    public void DegreesOfFreedomOfPartsAndOfAll()
    {
        int[] part = [.. Enumerable.Range(0, 8)];
        (double All, double Bath) Freedom(Integrator rule, MdOptions? options = null)
        {
            var motion = new MolecularDynamics(Crystal(2, 0.5), Lj(), rule, options ?? new MdOptions { TimeStep = 0.004 }).Motion;
            return (motion.DegreesOfFreedom, motion.BathDegreesOfFreedom);
        }
        // 32 atoms.
        Assert.That(Freedom(new VelocityVerlet()), Is.EqualTo((93.0, 93.0)));
        Assert.That(Freedom(new VelocityRescaling(100, 1)), Is.EqualTo((93.0, 93.0)));
        Assert.That(Freedom(new VelocityRescaling(100, 1, part)), Is.EqualTo((96.0, 24.0)));
        Assert.That(Freedom(new NoseHoover(100, 1, group: part)), Is.EqualTo((96.0, 24.0)));
        Assert.That(Freedom(new Berendsen(100, 1, group: part)), Is.EqualTo((96.0, 24.0)));
        Assert.That(Freedom(new Langevin(100, 1)), Is.EqualTo((96.0, 96.0)));
        // A wall that holds one atom along z: verlet conserves along x and y, a thermostat on the others conserves nothing.
        var held = new MdOptions { TimeStep = 0.004, Driven = [new DrivenGroup("wall", [0], null, null, 0)] };
        Assert.That(Freedom(new VelocityVerlet(), held), Is.EqualTo((93.0, 93.0)));
        Assert.That(Freedom(new VelocityRescaling(100, 1), held), Is.EqualTo((95.0, 93.0)));
    }

    // 32 atoms, four of them in the bath, which changes the momentum of all: the average temperature of all atoms is that of the bath, with 96 degrees of freedom. With 93 it would
    // be 3 % too high. A temperature has a relative variance of 2/96 and forgets itself within the bath's time on all atoms, 0.05 · 96/12 = 0.4 time units: 1600 time units are 2000
    // independent samples, a standard error of 0.3 %. The bath's random factors (variance 1/12 in 0.05) give the centre of mass its energy within about 5 time units.
    [Test]
    public void PartsInABathMeasureTheTemperatureOfAll()
    {
        const double kT = 0.5;
        var md = new MolecularDynamics(Crystal(2, kT), Lj(Truncation.ForceShifted, 1.4), new VelocityRescaling(kT / Codata.BoltzmannInEv, 0.05, [0, 9, 18, 27]), new MdOptions { TimeStep = 0.004, Skin = 0.3, RemoveMomentumEvery = 0 });
        double sum = 0, centre = 0;
        long count = 0;
        md.Run(10000);
        md.Every(50, run =>
        {
            sum += run.Motion.KineticEnergy;
            count++;
            double[] v = run.Atoms.Velocities;
            double mass = run.Atoms.Mass(0);
            for (int k = 0; k < 3; k++) centre += 0.5 * mass * Codata.MassVelocitySquaredInEv / 32 * Math.Pow(Enumerable.Range(0, 32).Sum(i => v[3 * i + k]), 2);
        }, measures: false);
        md.Run(400_000);
        TestContext.Out.WriteLine($"kT = {2 * sum / count / 96:f5} with 96, {2 * sum / count / 93:f5} with 93; centre of mass {2 * centre / count / 3:f4}; {md.Summary}");
        Assert.That(2 * sum / count / md.DegreesOfFreedom, Is.EqualTo(kT).Within(0.012 * kT));
        // The centre of mass has taken its share: a variance of 2/3 a sample.
        Assert.That(2 * centre / count / 3, Is.GreaterThan(0.5 * kT));
    }

    // Simple shear and stretch at a constant rate: the cell follows, and the work of the stress closes the energy balance to O(Δt²).
    [Test]
    public void Deformation()
    {
        double Error(double dt)
        {
            double[] rate = [0.02, 0, 0, 0, -0.01, 0.03, 0, 0, 0];
            var md = new MolecularDynamics(Crystal(3, 0.2), Lj(Truncation.ForceShifted), new VelocityVerlet(), new MdOptions { TimeStep = dt, Skin = 0.3, Deformation = new Deformation(rate) });
            var before = md.Measure();
            double edge = before.Cell.Rows[0];
            md.Run((long)Math.Round(2 / dt));
            var after = md.Measure();
            Assert.That(after.Cell.Rows[0], Is.EqualTo(edge * 1.04).Within(1e-10));
            Assert.That(after.Cell.Rows[4], Is.EqualTo(edge * 0.98).Within(1e-10));
            Assert.That(after.Cell.Rows[7], Is.EqualTo(edge * 0.06).Within(1e-10));
            // The energy itself changes much more than the balance.
            Assert.That(Math.Abs(after.Total - before.Total), Is.GreaterThan(30 * Math.Abs(after.Conserved - before.Conserved)));
            return md.ScatterPerAtom;
        }
        double one = Error(0.008), half = Error(0.004);
        TestContext.Out.WriteLine($"{one:g3}, {half:g3} eV per atom");
        Assert.That(one / half, Is.EqualTo(4).Within(1.2));
    }

    // Half way: the same step has the same bits, half of it the same strain and, to its error, the same atoms; other rates begin with the cell they find.
    [Test]
    public void DeformationGoesOnAfterARestart()
    {
        double[] rate = [0.02, 0, 0, 0, -0.01, 0.03, 0, 0, 0], other = [0, 0, 0, 0, 0.05, 0, 0, 0, 0];
        MolecularDynamics Make(double dt, double[]? with) => new(Crystal(3, 0.2), Lj(Truncation.ForceShifted), new VelocityVerlet(),
            new MdOptions { TimeStep = dt, Skin = 0.3, Deformation = with is null ? null : new Deformation(with) });
        MolecularDynamics From(StateFields state, double dt, double[]? with)
        {
            var md = Make(dt, with);
            md.Restore(state);
            return md;
        }
        var one = Make(0.004, rate);
        one.Run(100);
        var half = one.Save();
        double[] cell = one.Domain.Cell.Rows.ToArray();
        one.Run(100);
        var same = From(half, 0.004, rate);
        same.Run(100);
        Assert.That(same.Atoms.Positions, Is.EqualTo(one.Atoms.Positions));
        Assert.That(same.Domain.Cell.Rows.ToArray(), Is.EqualTo(one.Domain.Cell.Rows.ToArray()));
        Assert.That(same.Measure().Conserved, Is.EqualTo(one.Measure().Conserved));
        var fine = From(half, 0.002, rate);
        // Once more in between: the clock has steps of both lengths.
        fine.Run(100);
        fine = From(fine.Save(), 0.001, rate);
        fine.Run(200);
        Assert.That(fine.Time, Is.EqualTo(0.8).Within(1e-12));
        Assert.That(fine.Domain.Cell.Rows.ToArray(), Is.EqualTo(one.Domain.Cell.Rows.ToArray()).Within(1e-12));
        // v Δt per step with a phase error (Ω Δt)²/24 per step, Ω = 25, 100 steps: a hundredth of the amplitude 0.1.
        Assert.That(fine.Atoms.Positions, Is.EqualTo(one.Atoms.Positions).Within(2e-2));
        var turned = From(half, 0.004, other);
        turned.Run(1);
        Assert.That(turned.Domain.Cell.Rows[4], Is.EqualTo(cell[4] * (1 + 0.05 * 0.004)).Within(1e-12), "no jump");
        turned.Run(49);
        Assert.That(turned.Domain.Cell.Rows[4], Is.EqualTo(cell[4] * 1.01).Within(1e-12));
        Assert.That(turned.Domain.Cell.Rows[0], Is.EqualTo(cell[0]));
        var rest = From(half, 0.004, null);
        rest.Run(10);
        Assert.That(rest.Domain.Cell.Rows.ToArray(), Is.EqualTo(cell));
        var again = From(rest.Save(), 0.004, rate);
        again.Run(1);
        Assert.That(again.Domain.Cell.Rows[0], Is.EqualTo(cell[0] * (1 + 0.02 * 0.004)).Within(1e-12), "a deformation after a rest is a new one");
    }

    // Both halves of the drift of a Langevin step count.
    [Test]
    public void NoAtomMovesFartherThanAllowed([Values] bool langevin)
    {
        var atoms = new Atoms([new Species("A", 1)], [0], [1, 1, 1], Cell.Box(50, 50, 50));
        MolecularDynamics Make(double speed)
        {
            atoms.Velocities[0] = speed;
            return new MolecularDynamics(atoms, Lj(), langevin ? new Langevin(0, 1e-9) : new VelocityVerlet(), new MdOptions { TimeStep = 1, MaxMove = 1, MaxTemperature = 1e9 });
        }
        Make(0.99).Run(1);
        Assert.Throws<NumericalException>(() => Make(1.01).Run(1));
    }

    [Test]
    public void AGroupOfAllAtomsIsAllAtoms()
    {
        var atoms = Crystal(2, 0.5);
        double Freedom(int[]? group) => new MolecularDynamics(atoms, Lj(), new NoseHoover(100, 1, group: group), new MdOptions { TimeStep = 0.004 }).Motion.BathDegreesOfFreedom;
        Assert.That(Freedom(null), Is.EqualTo(93));
        Assert.That(Freedom([.. Enumerable.Range(0, 32)]), Is.EqualTo(93));
        Assert.That(Freedom([.. Enumerable.Range(0, 31)]), Is.EqualTo(93));
    }

    [Test]
    public void BarostatsLeaveOpenDirectionsAlone()
    {
        Atoms Slab()
        {
            var crystal = Crystal(3, 0.2);
            var slab = new Atoms(crystal.Species, crystal.Types, crystal.Positions, Cell.Box(crystal.Cell.Rows[0], crystal.Cell.Rows[4], 3 * crystal.Cell.Rows[8], [true, true, false]));
            crystal.Velocities.CopyTo(slab.Velocities, 0);
            return slab;
        }
        var options = new MdOptions { TimeStep = 0.004, Skin = 0.3 };
        MolecularDynamics Make(Integrator rule) => new(Slab(), Lj(), rule, options);
        foreach (Integrator rule in new Integrator[] { new Berendsen(100, 1, 0), new NoseHooverBarostat(100, 1, 0, 10), new NoseHooverBarostat(100, 1, 0, 10, CellMotion.Anisotropic) })
            Assert.That(Assert.Throws<InputException>(() => Make(rule).Run(1))!.Message, Does.Contain("edge c").And.Contain("not periodic").And.Contain("axes"));
        var md = Make(new NoseHooverBarostat(0.2 / Codata.BoltzmannInEv, 0.4, 0, 4, CellMotion.Anisotropic, [true, true, false]));
        double[] before = md.Domain.Cell.Rows.ToArray();
        md.Run(100);
        Assert.That(md.Domain.Cell.Rows[8], Is.EqualTo(before[8]));
        Assert.That(md.Domain.Cell.Rows[0], Is.Not.EqualTo(before[0]));
        var held = new MolecularDynamics(Crystal(3, 0.2), Lj(), new Berendsen(100, 1, 0), options with { Driven = [DrivenGroup.Fixed("x", [0])] });
        Assert.That(Assert.Throws<InputException>(() => held.Run(1))!.Message, Does.Contain("held"));
    }

    // A step that fails after the cell was stretched: its work is taken back, too.
    [Test]
    public void AFailedStepUnderDeformationDoesNoWork()
    {
        bool fails = false;
        var md = new MolecularDynamics(Crystal(5, 0.1), new ForceField([.. Lj().Interactions, new Failing(() => fails)]), new VelocityVerlet(),
            new MdOptions { TimeStep = 0.002, Skin = 0.3, Deformation = new Deformation([0.5, 0, 0, 0, 0, 0, 0, 0, 0]) });
        md.Run(20);
        double before = md.Measure().Conserved;
        fails = true;
        Assert.Throws<NumericalException>(() => md.Run(1));
        fails = false;
        // Sums of 500 atoms in another order.
        Assert.That(md.Measure().Conserved, Is.EqualTo(before).Within(1e-12 * Math.Abs(before)));
    }

    private sealed class Failing(Func<bool> fails) : Interaction
    {
        public override string Description => "fails when told to";
        public override double Cutoff => 0;
        public override bool IsLocal => false;
        public override void Compute(Domain domain, Want want, ref Tally tally)
        {
            if (fails()) throw new NumericalException("told to");
        }
    }

    [Test]
    public void AnyCalculatorDrivesDynamics()
    {
        var options = new MdOptions { TimeStep = 0.004, Skin = 0.3 };
        var one = new MolecularDynamics(Crystal(3, 0.5), Lj(), new VelocityVerlet(), options);
        var two = new MolecularDynamics(Crystal(3, 0.5), new Hidden(Lj()), new VelocityVerlet(), options);
        one.Run(50);
        two.Run(50);
        // Rounding grows little in 0.2 time units.
        Assert.That(two.Atoms.Positions, Is.EqualTo(one.Atoms.Positions).Within(1e-12));
        Assert.That(two.Measure().Pressure, Is.EqualTo(one.Measure().Pressure).Within(1e-11));
    }

    private sealed class Hidden(ICalculator inner) : ICalculator
    {
        public string Description => inner.Description;
        public void Compute(Atoms atoms, Want want, CalculatorResults results) => inner.Compute(atoms, want, results);
    }

    // Wide against scalar: logarithm and sine of the two libraries differ in the last bits.
    [Test]
    public void WideNormalNumbersAreThoseOfPhilox()
    {
        long[] streams = [0, 1, 17, 123456789, uint.MaxValue, (1L << 33) + 5, Velocities.GlobalStream, (1L << 47) + 3];
        foreach (ulong seed in new[] { 1UL, ulong.MaxValue - 12345 })
            foreach (long step in new[] { 1L, 987654321L, (1L << 40) + 77 })
            {
                WideNormals.Next(seed, Vector512.Create(streams), step, out var x, out var y, out var z);
                for (int l = 0; l < 8; l++)
                {
                    var random = new Philox(seed, streams[l], step);
                    foreach (double wide in new[] { x[l], y[l], z[l] }) Assert.That(wide, Is.EqualTo(random.NextNormal()).Within(1e-14));
                }
            }
    }

    [Test]
    public void MaxwellVelocities()
    {
        var atoms = Crystal(6, 0.5, seed: 3);
        double[] v = atoms.Velocities;
        int n = v.Length;
        Assert.Multiple(() =>
        {
            Assert.That(v.Sum(x => x * x), Is.EqualTo((n - 3) * 0.5).Within(1e-9 * n));
            for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, n / 3).Sum(i => v[3 * i + k]), Is.EqualTo(0).Within(1e-11));
            // Normal: kurtosis 3, standard error √(24/n).
            Assert.That(v.Sum(x => Math.Pow(x, 4)) / n / Math.Pow(v.Sum(x => x * x) / n, 2), Is.EqualTo(3).Within(4 * Math.Sqrt(24.0 / n)));
        });
    }

    [Test]
    public void BadInputIsRefused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => new MolecularDynamics(Crystal(2, 0.1), Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 0 }), Throws.TypeOf<InputException>());
            Assert.That(() => new MolecularDynamics(Crystal(2, 0.1), Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 1, Skin = -1 }), Throws.TypeOf<InputException>());
            Assert.That(() => new MolecularDynamics(Crystal(2, 0.1), Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 1, Driven = [DrivenGroup.Fixed("x", [32])] }), Throws.TypeOf<InputException>());
            Assert.That(() => new Langevin(-1, 1), Throws.TypeOf<InputException>());
            Assert.That(() => new NoseHoover(0, 1), Throws.TypeOf<InputException>());
            Assert.That(() => new MolecularDynamics(Crystal(2, 0.1), Lj(), s_rules["flexible"](), new MdOptions { TimeStep = 1, Deformation = new Deformation(new double[9]) }), Throws.TypeOf<InputException>());
            var md = new MolecularDynamics(Crystal(2, 0.1), Lj(), new VelocityVerlet(), new MdOptions { TimeStep = 0.001 });
            var state = new StateFields();
            state.Fields["positionz"] = [];
            Assert.That(Assert.Throws<InputException>(() => md.Restore(state))!.Message, Does.Contain("positions"));
        });
    }
}
