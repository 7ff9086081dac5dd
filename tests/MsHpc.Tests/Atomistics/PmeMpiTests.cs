using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Tests.Native;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>The mesh shared by ranks against the mesh of one.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class PmeMpiTests
{
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp() => _comm = NativeTest.World();

    // Every way to cut the cell, so every choice of slabs; bricks that reach all around and those that do not; rows that end within a block of eight.
    [Test]
    public unsafe void ForcesEnergiesAndVirialsAreThoseOfOneRank([Values(4, 7, 10)] int order, [Values(20, 63)] int points)
    {
        var atoms = EwaldTests.Disordered(6, net: 1);
        var split = new EwaldSplit(0.4, 9, 1e-8, Codata.CoulombInEvAngstrom);
        double[] Evaluate(Comm comm, (int, int, int) grid)
        {
            var domain = new Domain(atoms, 4, 0.5, ListKind.None, comm, grid: grid);
            var mesh = new ParticleMeshEwald(atoms, split, (points, points + 4, points - 2), order);
            var tally = new ForceField(mesh).Compute(domain, Want.PerAtom);
            var all = new double[7 + 10 * atoms.Count];
            domain.StoreForces(all.AsSpan(7, 3 * atoms.Count));
            for (int s = 0; s < domain.OwnedSlots; s++)
            {
                if (domain.Tag[s] < 0) continue;
                int at = 7 + 3 * atoms.Count + 7 * domain.Tag[s];
                all[at] = domain.AtomEnergy[s];
                for (int k = 0; k < 6; k++) all[at + 1 + k] = domain.AtomVirial[6 * s + k];
            }
            comm.AllReduceSum(all.AsSpan(7 + 3 * atoms.Count));
            all[0] = tally.Energy;
            for (int k = 0; k < 6; k++) all[1 + k] = tally.Virial[k];
            return all;
        }
        double[] one = Evaluate(Comm.Self, (1, 1, 1));
        int n = _comm.Size;
        for (int a = 1; a <= n; a++)
            for (int b = 1; a * b <= n; b++)
            {
                if (n % (a * b) != 0) continue;
                double differ = DomainSystems.Differ(one, Evaluate(_comm, (a, b, n / (a * b))));
                // Sums in another order; 1e-12 of the largest.
                NativeTest.Agree(_comm, differ < 1e-12, $"grid {(a, b, n / (a * b))}: differs by {differ}");
            }
    }
}
