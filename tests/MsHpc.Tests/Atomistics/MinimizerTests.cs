using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Minimisers: known minima, relaxed cells, stress targets, failures.</summary>
public sealed class MinimizerTests
{
    /// <summary>A face-centred crystal of LJ atoms, shaken and strained.</summary>
    private static Atoms Shaken(double amplitude, double[]? strain = null)
    {
        var atoms = DynamicsTests.Crystal(3, 0.1);
        for (int i = 0; i < atoms.Count; i++)
        {
            var random = new Philox(3, i, 0);
            for (int k = 0; k < 3; k++) atoms.Positions[3 * i + k] += amplitude * (2 * random.NextDouble() - 1);
        }
        if (strain is null) return atoms;
        double[] e = strain;
        var cell = new double[9];
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 3; k++)
                for (int l = 0; l < 3; l++) cell[3 * i + k] += (e[3 * k + l] + (k == l ? 1 : 0)) * atoms.Cell.Rows[3 * i + l];
        for (int i = 0; i < atoms.Count; i++)
        {
            double[] r = [atoms.Positions[3 * i], atoms.Positions[3 * i + 1], atoms.Positions[3 * i + 2]];
            for (int k = 0; k < 3; k++) atoms.Positions[3 * i + k] = r[k] + e[3 * k] * r[0] + e[3 * k + 1] * r[1] + e[3 * k + 2] * r[2];
        }
        atoms.Cell = new Cell(cell);
        return atoms;
    }

    // The perfect crystal is the minimum: force 0 by symmetry; its energy does not depend on the way there. E − E₀ ≈ f²/2k is below 1e-12.
    [Test]
    public void FindsTheCrystal([Values] MinimizeMethod method)
    {
        var perfect = new CalculatorResults(108);
        DynamicsTests.Lj(Truncation.ForceShifted).Compute(DynamicsTests.Crystal(3, 0.1), Want.Forces, perfect);
        var minimizer = new Minimizer(DynamicsTests.Lj(Truncation.ForceShifted), new MinimizerOptions { Method = method, ForceTolerance = 1e-8, MaxSteps = 2000, Skin = 0.3 });
        var end = minimizer.Run(Shaken(0.1));
        TestContext.Out.WriteLine($"{method}: {end.Step} steps, {end.Evaluations} evaluations");
        Assert.That(end.Energy, Is.EqualTo(perfect.Energy).Within(1e-10));
        Assert.That(end.MaxForce, Is.LessThanOrEqualTo(1e-8));
        Assert.That(minimizer.History[^1], Is.EqualTo(end.MaxForce));
    }

    // From a strained, shaken crystal back to the cubic one; the lattice constant of the force-shifted potential by a scan of energies.
    [Test]
    public void RelaxesTheCell([Values] MinimizeMethod method, [Values(CellRelaxation.Isotropic, CellRelaxation.Full)] CellRelaxation relaxation)
    {
        double[]? strain = relaxation == CellRelaxation.Full ? [0.02, 0.01, 0, -0.01, 0.01, 0.02, 0.01, 0, -0.01] : [0.02, 0, 0, 0, 0.02, 0, 0, 0, 0.02];
        var atoms = Shaken(0.03, strain);
        var end = new Minimizer(DynamicsTests.Lj(Truncation.ForceShifted), new MinimizerOptions
        {
            Method = method, ForceTolerance = 1e-7, StressTolerance = 1e-8, Cell = relaxation, MaxSteps = 3000, Skin = 0.3,
        }).Run(atoms);
        TestContext.Out.WriteLine($"{method}, {relaxation}: {end.Step} steps, {end.Evaluations} evaluations");
        double Energy(double scale)
        {
            var crystal = DynamicsTests.Crystal(3, 0.1);
            double edge = crystal.Cell.Rows[0] * scale;
            var scaled = new Atoms(crystal.Species, crystal.Types, [.. crystal.Positions.Select(x => x * scale)], Cell.Box(edge, edge, edge));
            var results = new CalculatorResults(scaled.Count);
            DynamicsTests.Lj(Truncation.ForceShifted).Compute(scaled, Want.Forces, results);
            return results.Energy;
        }
        // Golden section to 1e-7, energy then exact to 1e-12.
        double a = 0.9, b = 1.1, golden = 0.5 * (Math.Sqrt(5) - 1);
        while (b - a > 1e-7)
        {
            double c = b - golden * (b - a), d = a + golden * (b - a);
            (a, b) = Energy(c) < Energy(d) ? (a, d) : (c, b);
        }
        double scale = 0.5 * (a + b), volume = Math.Pow(scale, 3) * DynamicsTests.Crystal(3, 0.1).Cell.Volume;
        Assert.Multiple(() =>
        {
            Assert.That(end.Energy, Is.EqualTo(Energy(scale)).Within(1e-8));
            Assert.That(atoms.Cell.Volume, Is.EqualTo(volume).Within(1e-4));
            Assert.That(end.Stress.Max(Math.Abs), Is.LessThan(1e-7));
            // Cubic again, whatever its orientation: equal edges, right angles.
            var h = atoms.Cell.Rows;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++)
                    Assert.That(h[3 * i] * h[3 * j] + h[3 * i + 1] * h[3 * j + 1] + h[3 * i + 2] * h[3 * j + 2], Is.EqualTo(i == j ? Math.Pow(volume, 2.0 / 3) : 0).Within(1e-4));
        });
    }

    [Test]
    public void ReachesATargetStress([Values(MinimizeMethod.Lbfgs, MinimizeMethod.Fire, MinimizeMethod.ConjugateGradient)] MinimizeMethod method)
    {
        double[] target = [1, -0.5, 0.2, 0.3, -0.1, 0.4];
        var atoms = Shaken(0.02);
        var end = new Minimizer(DynamicsTests.Lj(Truncation.ForceShifted), new MinimizerOptions
        {
            Method = method, Cell = CellRelaxation.Full, TargetStress = target, ForceTolerance = 1e-6, StressTolerance = 1e-7, MaxSteps = 3000, Skin = 0.3,
        }).Run(atoms);
        TestContext.Out.WriteLine($"{method}: {end.Step} steps, {end.Evaluations} evaluations");
        // An independent evaluation.
        var results = new CalculatorResults(atoms.Count);
        DynamicsTests.Lj(Truncation.ForceShifted).Compute(atoms, Want.Virial, results);
        for (int k = 0; k < 6; k++) Assert.That(-results.Virial[k] / atoms.Cell.Volume, Is.EqualTo(target[k]).Within(1e-6));
    }

    // Silicon of Stillinger and Weber against LAMMPS (tests/data/md/elastic_surface_0K.json).
    [Test]
    public void LatticeConstantOfSilicon([Values] MinimizeMethod method)
    {
        var reference = TestData.Json("md/elastic_surface_0K.json").GetProperty("sw_si");
        double a = 5.5;
        var x = new List<double>();
        foreach (var (u, v, w) in new[] { (0.0, 0.0, 0.0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5) })
            for (int basis = 0; basis < 2; basis++) x.AddRange([a * (u + 0.25 * basis), a * (v + 0.25 * basis), a * (w + 0.26 * basis)]);
        var atoms = new Atoms([new Species("Si", 28.0855)], new int[8], [.. x], Cell.Box(a, a, a));
        var end = new Minimizer(new ForceField(StillingerWeber.Silicon()), new MinimizerOptions { Method = method, Cell = CellRelaxation.Full, ForceTolerance = 1e-9, StressTolerance = 1e-10, MaxSteps = 2000 }).Run(atoms);
        TestContext.Out.WriteLine($"{method}: {end.Step} steps, {end.Evaluations} evaluations");
        Assert.That(atoms.Cell.Rows[0], Is.EqualTo(reference.GetProperty("lattice_constant_A").GetDouble()).Within(1e-8));
        Assert.That(end.Energy / 8, Is.EqualTo(reference.GetProperty("cohesive_energy_eV_per_atom").GetDouble()).Within(1e-9));
    }

    [Test]
    public void FixedAtomsStay()
    {
        var atoms = Shaken(0.1);
        double[] start = [.. atoms.Positions];
        var end = new Minimizer(DynamicsTests.Lj(Truncation.ForceShifted), new MinimizerOptions { Fixed = [3, 4], ForceTolerance = 1e-6, Skin = 0.3 }).Run(atoms);
        Assert.That(end.MaxForce, Is.LessThan(1e-6));
        Assert.That(atoms.Positions[9..15], Is.EqualTo(start[9..15]).Within(1e-14));
    }

    [Test]
    public void TellsWhenItDoesNotConverge()
    {
        var failure = Assert.Throws<ConvergenceException>(() => new Minimizer(DynamicsTests.Lj(), new MinimizerOptions { MaxSteps = 3, ForceTolerance = 1e-12 }).Run(Shaken(0.1)))!;
        Assert.That(failure.History, Has.Count.EqualTo(4));
        Assert.That(failure.History[^1], Is.LessThan(failure.History[0]));
    }

    [Test]
    public void BadInputIsRefused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => new Minimizer(DynamicsTests.Lj(), new MinimizerOptions { ForceTolerance = 0 }), Throws.TypeOf<InputException>());
            Assert.That(() => new Minimizer(DynamicsTests.Lj(), new MinimizerOptions { TargetStress = [1, 1, 1, 0, 0, 0] }), Throws.TypeOf<InputException>());
            Assert.That(() => new Minimizer(DynamicsTests.Lj(), new MinimizerOptions { Fixed = [108] }).Run(Shaken(0)), Throws.TypeOf<InputException>());
            var overlap = Shaken(0);
            for (int k = 0; k < 3; k++) overlap.Positions[k] = overlap.Positions[3 + k];
            Assert.That(() => new Minimizer(DynamicsTests.Lj()).Run(overlap), Throws.TypeOf<NumericalException>());
        });
    }

    // No force holds rigid molecules together: they were torn apart, and the error spoke of a broken bond.
    [Test]
    public void ConstraintsAreRefused()
    {
        var water = Water.Tip3p.Box(2, 2, 2, 1);
        var field = new ForceField(LennardJones.Create(2, Water.Tip3p.LennardJones(3)));
        Assert.That(() => new Minimizer(field).Run(water), Throws.TypeOf<InputException>().With.Message.Contains("24 distances"));
    }
}
