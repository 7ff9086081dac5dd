using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>The domain of one rank.</summary>
public sealed class DomainTests
{
    /// <summary>Each pair of an atom and an image of another within reach appears once in a half list, twice in a full one.</summary>
    [Test]
    public unsafe void ListsHoldEveryPair([ValueSource(typeof(DomainSystems), nameof(DomainSystems.Names))] string name)
    {
        var atoms = DomainSystems.Make(name);
        const double Reach = 2.8;
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Half | ListKind.Full);
        var expected = new Dictionary<(int, int), int>();
        int m = name is "tiny" or "needle" or "one" ? 4 : 1;
        for (int n0 = atoms.Cell.Periodic[0] ? -m : 0; n0 <= (atoms.Cell.Periodic[0] ? m : 0); n0++)
            for (int n1 = atoms.Cell.Periodic[1] ? -m : 0; n1 <= (atoms.Cell.Periodic[1] ? m : 0); n1++)
                for (int n2 = atoms.Cell.Periodic[2] ? -m : 0; n2 <= (atoms.Cell.Periodic[2] ? m : 0); n2++)
                {
                    var (x, y, z) = atoms.Cell.Shift(n0, n1, n2);
                    double[] p = atoms.Positions;
                    for (int i = 0; i < atoms.Count; i++)
                        for (int j = 0; j < atoms.Count; j++)
                        {
                            if (i == j && (n0, n1, n2) == (0, 0, 0)) continue;
                            double dx = p[3 * j] + x - p[3 * i], dy = p[3 * j + 1] + y - p[3 * i + 1], dz = p[3 * j + 2] + z - p[3 * i + 2];
                            if (dx * dx + dy * dy + dz * dz < Reach * Reach) expected[(i, j)] = expected.GetValueOrDefault((i, j)) + 1;
                        }
                }
        foreach (var (list, half) in new[] { (domain.Half, true), (domain.Full, false) })
        {
            var found = new Dictionary<(int, int), int>();
            for (int s = 0; s < domain.OwnedSlots; s++)
                for (int k = list.Start[s]; k < list.Start[s + 1]; k++)
                {
                    int i = domain.Tag[s], j = domain.Tag[list.Index[k]];
                    if (j < 0) continue;
                    found[(i, j)] = found.GetValueOrDefault((i, j)) + 1;
                    if (half) found[(j, i)] = found.GetValueOrDefault((j, i)) + 1;
                }
            Assert.That(found.Count == expected.Count && found.All(f => expected.GetValueOrDefault(f.Key) == f.Value), Is.True, half ? "half list" : "full list");
        }
    }

    [Test]
    public void StoreGivesUnwrappedPositions()
    {
        var atoms = DomainSystems.Make("triclinic");
        var (x, y, z) = atoms.Cell.Shift(3, -2, 1);
        for (int i = 0; i < atoms.Count; i += 2) (atoms.Positions[3 * i], atoms.Positions[3 * i + 1], atoms.Positions[3 * i + 2]) = (atoms.Positions[3 * i] + x, atoms.Positions[3 * i + 1] + y, atoms.Positions[3 * i + 2] + z);
        double[] before = [.. atoms.Positions], velocities = [.. atoms.Velocities];
        new Domain(atoms, 2.5, 0.3, ListKind.Clusters).Store(atoms);
        Assert.That(atoms.Positions, Is.EqualTo(before).Within(1e-13));
        Assert.That(atoms.Velocities, Is.EqualTo(velocities));
    }

    /// <summary>A run that loads what it stored is the same as one that starts there.</summary>
    [Test]
    public void LoadForgetsThePast()
    {
        var atoms = DomainSystems.Make("triclinic");
        var old = new Domain(DomainSystems.Make("triclinic"), 2.5, 0.3, ListKind.Clusters);
        DomainSystems.Move(old, [.. atoms.Velocities]);
        old.Rebuild();
        old.Load(atoms);
        Assert.That(DomainSystems.Forces(old), Is.EqualTo(DomainSystems.Forces(new Domain(atoms, 2.5, 0.3, ListKind.Clusters))));
    }

    [Test]
    public void ALostAtomIsNamed()
    {
        var atoms = DomainSystems.Make("slab");
        atoms.Positions[14] = double.PositiveInfinity;
        Assert.That(() => new Domain(atoms, 2.5, 0.3, ListKind.Clusters), Throws.TypeOf<NumericalException>().With.Message.Contains("id 5 at"));
    }

    [Test]
    public void NoAtoms()
    {
        var none = new Atoms([new Species("A", 1)], [], [], Cell.Box(5, 5, 5));
        var domain = new Domain(none, 2.5, 0.3, ListKind.Clusters | ListKind.Half | ListKind.Full);
        Assert.That((domain.Owned, domain.Clusters, domain.NeedsRebuild()), Is.EqualTo((0, 0, false)));
    }

    /// <summary>Copies on all sides within the span of bonds, although the lists are half.</summary>
    [Test]
    public unsafe void PartnersAreTheNearestCopies([Values] bool triclinic)
    {
        var atoms = DomainSystems.Molecules(triclinic);
        var domain = new Domain(atoms, 4, 0.5, ListKind.Clusters);
        for (int i = 0; i < atoms.Count; i++)
        {
            int s = domain.OwnedSlot(i), t = domain.Partner(s, i / 3 * 3), a = s / 8 * 24 + s % 8, b = t / 8 * 24 + t % 8;
            double d = Math.Sqrt(Math.Pow(domain.X[a] - domain.X[b], 2) + Math.Pow(domain.X[a + 8] - domain.X[b + 8], 2) + Math.Pow(domain.X[a + 16] - domain.X[b + 16], 2));
            Assert.That(d, Is.EqualTo(i % 3 == 0 ? 0 : 1).Within(1e-12));
        }
    }

    /// <summary>Atoms heaped up, with one far away: bins along columns do not help.</summary>
    [Test]
    public void ForcesDoNotDependOnTheOrderOfAtoms()
    {
        var atoms = DomainSystems.Make("outside");
        int[] order = [.. Enumerable.Range(0, atoms.Count).Reverse()];
        var turned = new Atoms(atoms.Species, [.. order.Select(i => atoms.Types[i])], [.. order.SelectMany(i => atoms.Positions.AsSpan(3 * i, 3).ToArray())], atoms.Cell);
        double[] a = DomainSystems.Forces(new Domain(atoms, 2.5, 0.3, ListKind.Clusters)), b = DomainSystems.Forces(new Domain(turned, 2.5, 0.3, ListKind.Clusters));
        Assert.That(order.SelectMany(i => a.AsSpan(3 * i, 3).ToArray()), Is.EqualTo(b));
    }

    [Test]
    public void StepsAndRebuildsMakeNoGarbage()
    {
        var atoms = DomainSystems.Make("triclinic");
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Clusters);
        var field = new ForceField(LennardJones.Create(2, (_, _) => new LennardJonesPair(1, 1, 2.5)));
        var random = new Random(1);
        var jump = new double[3 * atoms.Count];
        long before = 0;
        for (int k = 0; k < 220; k++)
        {
            if (k == 200) before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < jump.Length; i++) jump[i] = 0.1 * (random.NextDouble() - 0.5);
            DomainSystems.Move(domain, jump);
            domain.Rebuild();
            field.Compute(domain, Want.Virial);
            domain.UpdateGhosts();
        }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
