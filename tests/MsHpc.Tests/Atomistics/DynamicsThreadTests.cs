using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Any number of threads: the same bits.</summary>
public sealed class DynamicsThreadTests
{
    [Test]
    public void ThreadsChangeNoBit([ValueSource(typeof(DynamicsMpiTests), nameof(DynamicsMpiTests.Systems))] string name, [Values("verlet", "langevin")] string rule)
    {
        bool water = name is "ewald" or "pme";
        if (water && rule == "langevin") return;
        int steps = water ? 15 : 60;
        var one = DynamicsMpiTests.Run(name, rule, steps, Comm.Self);
        foreach (int threads in new[] { 2, 4 })
        {
            using var team = new ThreadTeam(threads);
            var many = DynamicsMpiTests.Run(name, rule, steps, Comm.Self, team);
            Assert.That(many.Atoms.Positions.AsSpan().SequenceEqual(one.Atoms.Positions) && many.Atoms.Velocities.AsSpan().SequenceEqual(one.Atoms.Velocities), $"{threads} threads");
            Assert.That(many.Measure().PressureTensor, Is.EqualTo(one.Measure().PressureTensor), $"virial, {threads} threads");
            Assert.That(many.Measure().Conserved, Is.EqualTo(one.Measure().Conserved), $"energy, {threads} threads");
        }
    }

    // The thread below waits for tiles above that will never be done.
    [Test, CancelAfter(20000)]
    public void AFailureInOneTileEndsAll()
    {
        using var team = new ThreadTeam(2);
        var atoms = Crystal.Create("sc", [new Species("A", 1)], 1, [160, 6, 6]);
        var domain = new Domain(atoms, 1.2, 0.1, ListKind.Clusters, null, team);
        Assert.That(domain.Tiles, Is.GreaterThan(32)); // 16 chains
        int first = domain.Tiles * 15 / 16;
        Assert.Throws<NumericalException>(() => domain.RunTiles((_, _, tile) =>
        {
            // Long enough for the other thread to come to the end of its chain.
            if (tile == first) Thread.Sleep(100);
            if (tile == first) throw new NumericalException("a tile");
        }));
    }
}
