using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Tests.Native;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>A domain shared by ranks against the same atoms on one.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class DomainMpiTests
{
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp() => _comm = NativeTest.World();

    /// <summary>All grids of this number of ranks.</summary>
    private IEnumerable<(int, int, int)> Grids()
    {
        int n = _comm.Size;
        for (int a = 1; a <= n; a++)
            for (int b = 1; a * b <= n; b++)
                if (n % (a * b) == 0) yield return (a, b, n / (a * b));
    }

    [Test]
    public void EnergyForcesAndVirialAreThoseOfOneRank([ValueSource(typeof(DomainSystems), nameof(DomainSystems.Names))] string name)
    {
        var atoms = DomainSystems.Make(name);
        foreach (var lists in new[] { ListKind.Clusters, ListKind.Half, ListKind.Full })
        {
            var one = DomainSystems.Evaluate(atoms, lists, Comm.Self, null);
            foreach (var grid in Grids())
            {
                var here = DomainSystems.Evaluate(atoms, lists, _comm, grid);
                // Sums over N neighbours in another order; 1e-12 of the largest.
                NativeTest.Agree(_comm, DomainSystems.Differ(one, here) < 1e-12, string.Create(CultureInfo.InvariantCulture, $"{name}, {lists}, {grid}: {DomainSystems.Differ(one, here)}"));
            }
        }
    }

    // Atoms on faces of an oblique cell: their fractions are zero up to rounding, of either sign. Once who owns such an atom and to which side it is wrapped
    // were decided by differently rounded numbers, and it was owned a cell away from its box: 5 to 15 % of the energy was missing.
    [Test]
    public void AtomsOnFacesOfObliqueCells([Values("hcp", "fcc", "bcc")] string lattice, [Values(4, 5, 7)] int cells)
    {
        double edge = lattice switch { "hcp" => 1.123, "fcc" => 1.587, _ => 1.287 };
        var atoms = Crystal.Create(lattice, [new Species("A", 1)], edge, [cells, cells, cells], primitive: lattice != "hcp");
        double[] one = DomainSystems.Evaluate(atoms, ListKind.Half, Comm.Self, null);
        double force = Math.Cbrt(one[0]); // forces vanish: no scale of their own
        foreach (var grid in Grids())
        {
            double[] here = DomainSystems.Evaluate(atoms, ListKind.Half, _comm, grid);
            double differ = Math.Max(DomainSystems.Differ(one[..7], here[..7]), here.Skip(7).Max(Math.Abs) / force);
            NativeTest.Agree(_comm, differ < 1e-12, string.Create(CultureInfo.InvariantCulture, $"{lattice}, {cells} cells, {grid}: {differ}"));
        }
    }

    [Test]
    public void PerAtomValuesAreThoseOfOneRank([Values("ortho", "triclinic", "tiny")] string name)
    {
        var atoms = DomainSystems.Make(name);
        var one = DomainSystems.PerAtom(atoms, Comm.Self);
        var here = DomainSystems.PerAtom(atoms, _comm);
        double largest = one.Max(Math.Abs);
        NativeTest.Agree(_comm, one.Zip(here, (a, b) => Math.Abs(a - b)).Max() < 1e-12 * largest, "energies and virials per atom");
    }

    [Test]
    public void MigrationKeepsTheTrajectory([Values("ortho", "triclinic", "slab", "tiny")] string name)
    {
        var start = DomainSystems.Make(name);
        var one = DomainSystems.Run(start, 100, Comm.Self, null, out int rebuilds, out _);
        foreach (var grid in Grids())
        {
            var here = DomainSystems.Run(start, 100, _comm, grid, out int times, out bool complete);
            double moved = one.Positions.Zip(here.Positions, (a, b) => Math.Abs(a - b)).Max(), far = one.Positions.Zip(start.Positions, (a, b) => Math.Abs(a - b)).Max();
            NativeTest.Agree(_comm, complete, $"every atom has one owner, {grid}");
            NativeTest.Agree(_comm, rebuilds > 3 && Math.Abs(times - rebuilds) <= 1, $"{times} rebuilds here, {rebuilds} on one rank");
            NativeTest.Agree(_comm, moved < 1e-9 * far, string.Create(CultureInfo.InvariantCulture, $"{grid}: paths of {far} Å differ by {moved}"));
        }
    }

    [Test]
    public void AtomsFlyAnyDistance()
    {
        var atoms = DomainSystems.Make("ortho");
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Clusters, _comm);
        var random = new Random(5);
        var jump = new double[3 * atoms.Count];
        for (int k = 0; k < jump.Length; k++) jump[k] = 40 * (random.NextDouble() - 0.5);
        DomainSystems.Move(domain, jump);
        NativeTest.Agree(_comm, domain.NeedsRebuild(), "needs a rebuild");
        domain.Rebuild();
        for (int k = 0; k < jump.Length; k++) atoms.Positions[k] += jump[k];
        var moved = DomainSystems.Make("ortho");
        domain.Store(moved);
        NativeTest.Agree(_comm, DomainSystems.Complete(domain), "every atom has one owner");
        NativeTest.Agree(_comm, moved.Positions.Zip(atoms.Positions, (a, b) => Math.Abs(a - b)).Max() < 1e-12 * 60, "unwrapped positions");
    }

    [Test]
    public void RebuildIsDecidedTogether()
    {
        var atoms = DomainSystems.Make("ortho");
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Clusters, _comm);
        NativeTest.Agree(_comm, !domain.NeedsRebuild(), "nothing moved");
        // One atom, on one rank.
        var jump = new double[3 * atoms.Count];
        jump[30] = 0.16;
        DomainSystems.Move(domain, jump);
        NativeTest.Agree(_comm, domain.NeedsRebuild(), "one atom moved more than half the skin");
    }

    [Test]
    public void LostAtomsRaiseOnAllRanks([Values(double.NaN, 1e12)] double where)
    {
        var atoms = DomainSystems.Make("ortho");
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Clusters, _comm);
        var jump = new double[3 * atoms.Count];
        jump[3 * 17 + 1] = where;
        DomainSystems.Move(domain, jump);
        bool asks = domain.NeedsRebuild();
        var error = Assert.Throws<NumericalException>(domain.Rebuild);
        NativeTest.Agree(_comm, asks && error!.Message.Contains("id 18 at", StringComparison.Ordinal), "the error names the atom on every rank");
        atoms.Positions[4] = double.NaN;
        error = Assert.Throws<NumericalException>(() => _ = new Domain(atoms, 2.5, 0.3, ListKind.Clusters, _comm));
        NativeTest.Agree(_comm, error!.Message.Contains("id 2 at", StringComparison.Ordinal), "at the start, too");
    }

    [Test]
    public void CutsFollowTheLoad()
    {
        // Half the cell is empty at first and fills; then the measured cost is uneven.
        var atoms = DomainSystems.Make("half");
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Clusters, _comm, grid: (_comm.Size, 1, 1));
        long most = (long)_comm.AllReduceMax((double)domain.Owned);
        NativeTest.Agree(_comm, most <= 1.05 * atoms.Count / _comm.Size, $"{most} of {atoms.Count} atoms on one rank");
        var forces = DomainSystems.Forces(domain);
        for (int k = 0; k < 60; k++)
        {
            domain.MeasuredCost = domain.Owned * (domain.Comm.Rank == 0 ? 3 : 1);
            domain.Rebuild();
        }
        var again = DomainSystems.Forces(domain);
        if (_comm.Size > 1) NativeTest.Agree(_comm, domain.Imbalance < 1.2, string.Create(CultureInfo.InvariantCulture, $"imbalance {domain.Imbalance}"));
        NativeTest.Agree(_comm, DomainSystems.Complete(domain), "every atom has one owner");
        NativeTest.Agree(_comm, forces.Zip(again, (a, b) => Math.Abs(a - b)).Max() < 1e-12 * forces.Max(Math.Abs), "forces stay");
    }

    [Test]
    public void ConstrainedAtomsStayTogetherAndPartnersAreKnown([Values] bool triclinic)
    {
        var atoms = DomainSystems.Molecules(triclinic);
        foreach (var grid in Grids())
        {
            var domain = new Domain(atoms, 4, 0.5, ListKind.Clusters, _comm, grid: grid);
            var random = new Random(3);
            for (int step = 0; step < 30; step++)
            {
                // Molecules move as a whole, and through faces and corners.
                var jump = new double[3 * atoms.Count];
                for (int m = 0; m < atoms.Count; m += 3)
                    for (int k = 0; k < 3; k++) jump[3 * m + k] = jump[3 * m + 3 + k] = jump[3 * m + 6 + k] = 1.5 * (random.NextDouble() - 0.4);
                DomainSystems.Move(domain, jump);
                domain.Rebuild();
                NativeTest.Agree(_comm, Together(domain, atoms), $"molecules are whole, {grid}");
            }
            NativeTest.Agree(_comm, DomainSystems.Complete(domain), "every atom has one owner");
        }
    }

    private static unsafe bool Together(Domain domain, Atoms atoms)
    {
        bool good = true;
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int i = domain.Tag[s];
            if (i < 0) continue;
            for (int j = i / 3 * 3; j < i / 3 * 3 + 3; j++)
            {
                int t = domain.Partner(s, j), a = s / 8 * 24 + s % 8, b = t / 8 * 24 + t % 8;
                double d = Math.Sqrt(Math.Pow(domain.X[a] - domain.X[b], 2) + Math.Pow(domain.X[a + 8] - domain.X[b + 8], 2) + Math.Pow(domain.X[a + 16] - domain.X[b + 16], 2));
                double expected = i == j ? 0 : i % 3 == 0 || j % 3 == 0 ? 1 : Math.Sqrt(2);
                good &= domain.OwnedSlot(j) >= 0 && Math.Abs(d - expected) < 1e-9;
            }
        }
        return good;
    }

    [Test]
    public void ABrokenBondIsNamed()
    {
        var atoms = DomainSystems.Molecules(false);
        var domain = new Domain(atoms, 4, 0.5, ListKind.Clusters, _comm);
        bool good = true;
        if (domain.OwnedSlot(4) is >= 0 and int slot)
        {
            // An atom of a molecule elsewhere.
            int other = Enumerable.Range(0, atoms.Count).MaxBy(j => Math.Abs(atoms.Positions[3 * j] - atoms.Positions[12]) > 8 && Math.Abs(atoms.Positions[3 * j] - atoms.Positions[12]) < 12 ? 1 : 0);
            var error = Assert.Throws<NumericalException>(() => domain.Partner(slot, other));
            good = error!.Message.Contains($"atom {other + 1}, bonded to atom 5", StringComparison.Ordinal);
        }
        NativeTest.Agree(_comm, good, "the error names both atoms");
    }

    [Test]
    public void AGridMustFit() =>
        Assert.Throws<InputException>(() => _ = new Domain(DomainSystems.Make("tiny"), 2.5, 0.3, ListKind.Clusters, _comm, grid: (_comm.Size + 1, 1, 1)));

    [Test]
    public void StepsMakeNoGarbage()
    {
        var atoms = DomainSystems.Make("ortho");
        var domain = new Domain(atoms, 2.5, 0.3, ListKind.Clusters, _comm);
        var field = new ForceField(LennardJones.Create(2, (_, _) => new LennardJonesPair(1, 1, 2.5)));
        for (int k = 0; k < 3; k++) field.Compute(domain, Want.Virial);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int k = 0; k < 50; k++)
        {
            domain.UpdateGhosts();
            field.Compute(domain, Want.Virial);
            domain.NeedsRebuild();
        }
        long garbage = GC.GetAllocatedBytesForCurrentThread() - before;
        NativeTest.Agree(_comm, garbage == 0, $"{garbage} bytes in 50 steps");
    }
}
