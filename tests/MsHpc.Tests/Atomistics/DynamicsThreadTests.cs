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
}
