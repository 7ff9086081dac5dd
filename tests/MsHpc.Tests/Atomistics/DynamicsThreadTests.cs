using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
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

    private static IEnumerable<TestCaseData> Laws()
    {
        string sic = ReferenceCase.PotentialFile("SiC.tersoff");
        foreach (var precision in Enum.GetValues<Precision>())
        {
            yield return Case("EAM", ["Cu"], (_, p) => Eam.FromZhou2004(["Cu"], p), 3.6);
            yield return Case("EAM", ["Cu", "Ta", "Mg"], (e, p) => Eam.FromZhou2004(e, p), 3.9);
            yield return Case("Stillinger-Weber", ["Si"], (_, p) => StillingerWeber.Silicon(p), 3.4);
            yield return Case("Tersoff", ["Si", "C"], (e, p) => Tersoff.Read(sic, e, p), 2.9);

            TestCaseData Case(string name, string[] elements, Func<string[], Precision, Interaction> law, double edge) =>
                new TestCaseData(elements, () => law(elements, precision), edge).SetArgDisplayNames($"{name} {string.Join('-', elements)}, {precision}");
        }
    }

    // Disordered atoms in a long box, for several chains of tiles, one orthogonal and one sheared, thinner than twice the cutoff across; over steps with
    // pruning and sorting. A thread that came too early, or a sum in the order of arrival, changes bits.
    [TestCaseSource(nameof(Laws))]
    public unsafe void ThreadsChangeNoBitOfForces(string[] elements, Func<Interaction> law, double edge)
    {
        foreach (bool sheared in new[] { false, true })
        {
            const int nx = 48, across = 3;
            var random = new Random(7);
            int n = nx * across * across;
            double[] start = [.. Enumerable.Range(0, 3 * n).Select(i => edge * (i % 3 == 0 ? i / 3 / 9 : i % 3 == 1 ? i / 3 / 3 % 3 : i / 3 % 3) + 0.5 * random.NextDouble())];
            int[] types = [.. Enumerable.Range(0, n).Select(_ => random.Next(elements.Length))];
            var cell = new Cell([nx * edge, 0, 0, sheared ? edge : 0, across * edge, 0, 0, sheared ? -edge : 0, across * edge], [true, true, true], [0, 0, 0]);
            List<double[]> seen = [];
            foreach (int threads in new[] { 1, 2, 4 })
            {
                using var team = new ThreadTeam(threads);
                var field = new ForceField(law());
                var domain = field.MakeDomain(new Atoms([.. elements.Select(e => new Species(e, 1))], types, [.. start], cell), 0.6, team: team);
                var moves = new Random(5);
                for (int step = 0; step < 10; step++)
                {
                    if (domain.NeedsRebuild()) domain.Rebuild();
                    else domain.UpdateGhosts();
                    var tally = field.Compute(domain, Want.Virial);
                    var all = new double[3 * n + 7];
                    domain.StoreForces(all.AsSpan(0, 3 * n));
                    all[3 * n] = tally.Energy;
                    for (int k = 0; k < 6; k++) all[3 * n + 1 + k] = tally.Virial[k];
                    seen.Add(all);
                    double[] shifts = [.. Enumerable.Range(0, 3 * n).Select(_ => 0.2 * (moves.NextDouble() - 0.5))];
                    for (int s = 0; s < domain.OwnedSlots; s++)
                        for (int k = 0; k < 3 && domain.Tag[s] >= 0; k++) domain.X[s / 8 * 24 + s % 8 + 8 * k] += shifts[3 * domain.Tag[s] + k];
                }
                Assert.That(domain.Generation, Is.GreaterThan(1), "sorted anew");
                Assert.That(domain.Chains, Is.GreaterThan(2), "something for four threads to do");
            }
            Assert.That(seen[0].Any(f => Math.Abs(f) > 1e-3) && seen[0].All(double.IsFinite));
            for (int k = 10; k < seen.Count; k++) Assert.That(seen[k], Is.EqualTo(seen[k % 10]), $"sheared {sheared}, evaluation {k}");
        }
    }

    [Test]
    public void MoreKindsOfAtomsThanParameters([Values] bool many)
    {
        var atoms = new Atoms([new Species("Si", 28), new Species("C", 12)], [0, 1], [0, 0, 0, 2, 0, 0], Cell.Box(20, 20, 20));
        Interaction law = many ? StillingerWeber.Silicon() : Eam.FromZhou2004(["Cu"]);
        Assert.That(() => new ForceField(law).Compute(atoms, Want.Forces, new CalculatorResults(2)), Throws.TypeOf<InputException>().With.Message.Contains("1 kinds of atoms, but there are 2"));
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
        Assert.Throws<NumericalException>(() => domain.RunTiles(tile =>
        {
            // Long enough for the other thread to come to the end of its chain.
            if (tile.Index == first) Thread.Sleep(100);
            if (tile.Index == first) throw new NumericalException("a tile");
        }));
    }
}
