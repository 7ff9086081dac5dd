using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>SETTLE and SHAKE on water and on a chain.</summary>
public sealed unsafe class ConstraintTests
{
    /// <summary>Water whose atoms have been drifted off their constraints, and the positions before.</summary>
    private static (Domain Domain, AlignedArray<double> Before) Drifted(Atoms atoms, ulong seed, double step)
    {
        for (int i = 0; i < atoms.Count; i++)
        {
            var random = new Philox(seed, i, 1);
            for (int k = 0; k < 3; k++) atoms.Velocities[3 * i + k] = 0.02 * random.NextNormal() / Math.Sqrt(atoms.Mass(i) / 16);
        }
        var domain = new Domain(atoms, 3, 0.5, ListKind.Clusters);
        var constraints = new Constraints(atoms);
        constraints.Velocities(domain);
        return (domain, Drift(domain, step));
    }

    private static AlignedArray<double> Drift(Domain d, double step)
    {
        var before = new AlignedArray<double>();
        double* b = before.Require(24L * d.OwnedClusters);
        for (int k = 0; k < 24 * d.OwnedClusters; k++)
        {
            b[k] = d.X[k];
            d.X[k] += step * d.V[k];
        }
        return before;
    }

    private static Atoms Box() => Water.Tip3p.Box(3, 3, 3, 11);

    /// <summary>The same water with its three distances in an order, and masses so little apart, that SETTLE is not chosen.</summary>
    private static Atoms BoxForShake()
    {
        var box = Box();
        var topology = new Topology();
        topology.Constraints.AddRange(box.Topology!.Constraints);
        var atoms = new Atoms([new("O", 15.9994), new("H", 1.008), new("H", Math.BitIncrement(1.008))], [.. Enumerable.Range(0, box.Count).Select(i => i % 3)], box.Positions, box.Cell) { Topology = topology };
        return atoms;
    }

    private static double Violation(Domain d, Atoms atoms)
    {
        d.Store(atoms);
        double worst = 0;
        foreach (var (i, j, distance) in atoms.Topology!.Constraints)
        {
            double r = Math.Sqrt(Enumerable.Range(0, 3).Sum(k => Math.Pow(atoms.Positions[3 * i + k] - atoms.Positions[3 * j + k], 2)));
            worst = Math.Max(worst, Math.Abs(r / distance - 1));
        }
        return worst;
    }

    private static double Sliding(Domain d, Atoms atoms)
    {
        d.Store(atoms);
        return atoms.Topology!.Constraints.Max(c => Math.Abs(Enumerable.Range(0, 3).Sum(k =>
            (atoms.Positions[3 * c.I + k] - atoms.Positions[3 * c.J + k]) * (atoms.Velocities[3 * c.I + k] - atoms.Velocities[3 * c.J + k]))));
    }

    /// <summary>Σ m v and Σ m r × v of each molecule of three.</summary>
    private static double[] Momenta(Domain d, Atoms atoms)
    {
        d.Store(atoms);
        var p = new double[2 * atoms.Count];
        for (int i = 0; i < atoms.Count; i++)
        {
            double[] r = atoms.Positions[(3 * i)..(3 * i + 3)], v = atoms.Velocities[(3 * i)..(3 * i + 3)];
            for (int k = 0; k < 3; k++)
            {
                p[i / 3 * 6 + k] += atoms.Mass(i) * v[k];
                p[i / 3 * 6 + 3 + k] += atoms.Mass(i) * (r[(k + 1) % 3] * v[(k + 2) % 3] - r[(k + 2) % 3] * v[(k + 1) % 3]);
            }
        }
        return p;
    }

    // Molecules of the box lie across its faces; 27 are no multiple of eight.
    [TestCase(true)]
    [TestCase(false)]
    public void DistancesAndMomenta(bool settle)
    {
        var atoms = settle ? Box() : BoxForShake();
        var (domain, before) = Drifted(atoms, 5, 2);
        var constraints = new Constraints(atoms, 1e-14);
        var p = Momenta(domain, atoms);
        Assert.That(Violation(domain, atoms), Is.GreaterThan(1e-4));
        constraints.Positions(domain, before.Pointer, 2);
        Assert.That(constraints.RigidMolecules, Is.EqualTo(settle ? 27 : 0));
        Assert.That(Violation(domain, atoms), Is.LessThan(1e-12));
        // Impulses act along the bonds before the drift, so L changes by (x − x₀) × Σ only through velocities: m r × v with r before the drift is kept.
        double[] after = Momenta(domain, atoms);
        for (int k = 0; k < p.Length; k++) if (k % 6 < 3) Assert.That(after[k], Is.EqualTo(p[k]).Within(1e-13));
        constraints.Velocities(domain);
        Assert.That(Sliding(domain, atoms), Is.LessThan(1e-13));
        p = Momenta(domain, atoms);
        for (int k = 0; k < p.Length; k++) if (k % 6 < 3) Assert.That(p[k], Is.EqualTo(after[k]).Within(1e-13));
            else Assert.That(p[k], Is.EqualTo(after[k]).Within(1e-12));
    }

    // A free rotor: over many steps angular momentum and energy stay, and back again in time it returns.
    [TestCase(true)]
    [TestCase(false)]
    public void FreeMoleculesAreReversible(bool settle)
    {
        var atoms = settle ? Box() : BoxForShake();
        const double Step = 1;
        var (domain, _) = Drifted(atoms, 6, 0);
        var constraints = new Constraints(atoms, 1e-14);
        double[] start = Momenta(domain, atoms), positions = [.. atoms.Positions];
        double energy = Kinetic(atoms);
        for (int n = 0; n < 200; n++)
        {
            if (n == 100) for (int k = 0; k < 24 * domain.OwnedClusters; k++) domain.V[k] = -domain.V[k];
            var before = Drift(domain, Step);
            constraints.Positions(domain, before.Pointer, Step);
            constraints.Velocities(domain);
            if (n % 30 == 10) domain.Rebuild();
            if (n != 99) continue;
            double[] middle = Momenta(domain, atoms);
            for (int k = 0; k < start.Length; k++) Assert.That(middle[k], Is.EqualTo(start[k]).Within(1e-11), $"{k}");
            Assert.That(Kinetic(atoms), Is.EqualTo(energy).Within(2e-3 * energy));
            Assert.That(atoms.Positions.Zip(positions, (a, b) => Math.Abs(a - b)).Max(), Is.GreaterThan(1));
        }
        domain.Store(atoms);
        Assert.That(atoms.Positions.Zip(positions, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-9));
    }

    private static double Kinetic(Atoms atoms) => Enumerable.Range(0, 3 * atoms.Count).Sum(k => 0.5 * atoms.Mass(k / 3) * atoms.Velocities[k] * atoms.Velocities[k]);

    [Test]
    public void SettleIsShake()
    {
        Atoms a = Box(), b = BoxForShake();
        var (first, before) = Drifted(a, 7, 2);
        var (second, before2) = Drifted(b, 7, 2);
        Constraints settle = new(a), shake = new(b, 1e-14);
        settle.Positions(first, before.Pointer, 2);
        shake.Positions(second, before2.Pointer, 2);
        Compare(1e-11);
        settle.Velocities(first);
        shake.Velocities(second);
        Compare(1e-11);

        void Compare(double tolerance)
        {
            first.Store(a);
            second.Store(b);
            Assert.That(a.Positions.Zip(b.Positions, (x, y) => Math.Abs(x - y)).Max(), Is.LessThan(tolerance));
            Assert.That(a.Velocities.Zip(b.Velocities, (x, y) => Math.Abs(x - y)).Max(), Is.LessThan(tolerance));
            VirialSum v = settle.Virial(first, Forces(first).Pointer), w = shake.Virial(second, Forces(second).Pointer);
            for (int k = 0; k < 6; k++) Assert.That(v[k], Is.EqualTo(w[k]).Within(1e-10), $"virial {k}");
        }
    }

    /// <summary>Some force on each atom, eV/Å.</summary>
    private static AlignedArray<double> Forces(Domain d)
    {
        var forces = new AlignedArray<double>();
        double* f = forces.Require(24L * d.OwnedClusters);
        for (int s = 0; s < d.OwnedSlots; s++)
        {
            var random = new Philox(12, Math.Max(0, d.Tag[s]), 0);
            for (int k = 0; k < 3; k++) f[s / 8 * 24 + s % 8 + 8 * k] = d.Tag[s] < 0 ? 0 : random.NextNormal();
        }
        return forces;
    }

    // A rotor needs the force m v²/r inwards: trace of the virial = −2 · rotational kinetic energy, for free molecules at rest in their centres of mass.
    [Test]
    public void VirialOfFreeRotors()
    {
        var atoms = Box();
        var (domain, _) = Drifted(atoms, 8, 0);
        domain.Store(atoms);
        for (int i = 0; i < atoms.Count; i += 3)
            for (int k = 0; k < 3; k++)
            {
                double p = 0, m = 0;
                for (int j = 0; j < 3; j++) (p, m) = (p + atoms.Mass(i + j) * atoms.Velocities[3 * (i + j) + k], m + atoms.Mass(i + j));
                for (int j = 0; j < 3; j++)
                {
                    int s = domain.OwnedSlot(i + j);
                    domain.V[s / 8 * 24 + s % 8 + 8 * k] -= p / m;
                }
            }
        domain.Store(atoms);
        double kinetic = Kinetic(atoms) * Codata.MassVelocitySquaredInEv;
        var none = new AlignedArray<double>();
        none.Require(24L * domain.OwnedClusters);
        none.Span(24 * domain.OwnedClusters).Clear();
        var virial = new Constraints(atoms).Virial(domain, none.Pointer);
        Assert.That(virial[0] + virial[1] + virial[2], Is.EqualTo(-2 * kinetic).Within(1e-10 * kinetic));
    }

    // Under a barostat peculiar velocities make up for the flow of the cell: the distance does not change.
    [TestCase(true)]
    [TestCase(false)]
    public void VelocitiesInAFlow(bool settle)
    {
        var atoms = settle ? Box() : BoxForShake();
        var (domain, _) = Drifted(atoms, 10, 0);
        double[] g = [1e-3, 2e-4, 0, 2e-4, -3e-3, 1e-4, 0, 1e-4, 2e-3];
        new Constraints(atoms, 1e-14).Velocities(domain, g);
        domain.Store(atoms);
        foreach (var (i, j, _) in atoms.Topology!.Constraints)
        {
            double[] r = [.. Enumerable.Range(0, 3).Select(k => atoms.Positions[3 * i + k] - atoms.Positions[3 * j + k])];
            double rate = Enumerable.Range(0, 3).Sum(k => r[k] * (atoms.Velocities[3 * i + k] - atoms.Velocities[3 * j + k] + g[3 * k] * r[0] + g[3 * k + 1] * r[1] + g[3 * k + 2] * r[2]));
            Assert.That(rate, Is.Zero.Within(1e-13));
        }
    }

    // Methyl-like star and a chain, in a general cell.
    [Test]
    public void OtherClusters()
    {
        double[] x = [0, 0, 0, 1.09, 0, 0, -0.36, 1.03, 0, -0.36, -0.51, 0.89, 4, 4, 4, 5.4, 4, 4, 6, 5.3, 4, 7.4, 5.3, 4.2];
        var topology = new Topology();
        double Distance(int i, int j) => Math.Sqrt(Enumerable.Range(0, 3).Sum(k => Math.Pow(x[3 * i + k] - x[3 * j + k], 2)));
        foreach (var (i, j) in new[] { (0, 1), (0, 2), (0, 3), (4, 5), (5, 6), (6, 7) }) topology.Constraints.Add((i, j, Distance(i, j)));
        var atoms = new Atoms([new("C", 12.011), new("H", 1.008)], [0, 1, 1, 1, 0, 0, 0, 1], x, new Cell([9, 0, 0, 3, 8, 0, -2, 1, 7])) { Topology = topology };
        var (domain, before) = Drifted(atoms, 9, 2);
        var constraints = new Constraints(atoms);
        constraints.Positions(domain, before.Pointer, 2);
        constraints.Velocities(domain);
        Assert.That(Violation(domain, atoms), Is.LessThan(1e-12));
        Assert.That(Sliding(domain, atoms), Is.LessThan(1e-12));
        Assert.That(constraints.Count, Is.EqualTo(6));
    }

    // Coordinates of 1500 Å are no finer than 2e-13 Å, coarser than the tolerance.
    [TestCase(0)]
    [TestCase(1500)]
    [TestCase(20000)]
    public void FarFromTheOrigin(double at)
    {
        const int Count = 500;
        var topology = new Topology();
        var x = new double[6 * Count];
        for (int m = 0; m < Count; m++)
        {
            var random = new Philox(2, m, 0);
            double[] n = [random.NextNormal(), random.NextNormal(), random.NextNormal()];
            double size = Math.Sqrt(n.Sum(v => v * v));
            for (int k = 0; k < 3; k++)
            {
                x[6 * m + k] = at + 5 * (k == 0 ? m % 10 : k == 1 ? m / 10 % 10 : m / 100);
                x[6 * m + 3 + k] = x[6 * m + k] + 1.01 * n[k] / size;
            }
            topology.Constraints.Add((2 * m, 2 * m + 1, 1.01));
        }
        double edge = at + 60;
        var atoms = new Atoms([new("N", 14.007), new("H", 1.008)], [.. Enumerable.Range(0, 2 * Count).Select(i => i % 2)], x, Cell.Box(edge, edge, edge)) { Topology = topology };
        Velocities.Maxwell(atoms, 300, 1);
        var md = new MolecularDynamics(atoms, new ForceField(LennardJones.Create(2, (_, _) => new LennardJonesPair(1e-9, 1, 2.5))), new VelocityVerlet(), new MdOptions { TimeStep = 1 });
        md.Run(20);
        // Half of 4 d u, and u/2 of each coordinate once more when images are added.
        Assert.That(Violation(md.Domain, atoms), Is.LessThan(1e-12 + 4 * edge * 2.2e-16));
    }

    [Test]
    public void Faults()
    {
        var atoms = Box();
        Assert.Throws<InputException>(() => _ = new Constraints(atoms, 0));
        atoms.Topology!.Constraints.Add((1, 0, 1));
        Assert.Throws<InputException>(() => _ = new Constraints(atoms));
        atoms.Topology.Constraints[^1] = (0, 5, -1);
        Assert.Throws<InputException>(() => _ = new Constraints(atoms));
        Assert.Throws<InputException>(() => _ = new Constraints(new Atoms(atoms.Species, atoms.Types, atoms.Positions, atoms.Cell)));
        foreach (bool settle in new[] { true, false })
        {
            var box = settle ? Box() : BoxForShake();
            var (domain, before) = Drifted(box, 5, 2000);
            Assert.Throws<NumericalException>(() => new Constraints(box).Positions(domain, before.Pointer, 2000));
        }
    }

    // The model's own numbers, and what its builder makes of them.
    [Test]
    public void WaterModels()
    {
        Assert.That(Water.Tip3p.HH, Is.EqualTo(1.5139).Within(1e-4));
        Assert.That(Water.SpcE.HH, Is.EqualTo(2 * Math.Sqrt(2.0 / 3)).Within(1e-12));
        Assert.That(Water.Tip3p.Epsilon, Is.EqualTo(0.0065956).Within(1e-7));
        var box = Water.SpcE.Box(4, 3, 2, 1);
        Assert.That(box.Charges.Sum(), Is.EqualTo(0).Within(1e-14));
        Assert.That(24 * 18.0154 * 1.66053907 / box.Cell.Volume, Is.EqualTo(0.997).Within(1e-6));
        Assert.That(Violation(new Domain(box, 3, 0, ListKind.None), box), Is.LessThan(1e-14));
    }
}
