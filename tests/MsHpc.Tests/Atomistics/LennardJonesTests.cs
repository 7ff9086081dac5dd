using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Lennard-Jones against LAMMPS, boxes smaller than twice the cutoff included.</summary>
public sealed class LennardJonesTests
{
    [Test]
    public void One([Values("lj_ortho", "lj_small_ortho", "lj_shift_ortho")] string name) =>
        ReferenceCase.Load(name).Compare(new ForceField(LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 2.5),
            name.Contains("shift", StringComparison.Ordinal) ? Truncation.Shifted : Truncation.Cut)));

    [Test]
    public void Binary() =>
        ReferenceCase.Load("lj_binary_ortho").Compare(new ForceField(LennardJones.Create(2, (i, j) => (i, j) switch
        {
            (0, 0) => new LennardJonesPair(1, 1, 2.5),
            (0, 1) => new LennardJonesPair(1.5, 0.8, 2),
            _ => new LennardJonesPair(0.5, 0.88, 2.2),
        })));

    // More kinds of atoms than lanes take another way to the parameters.
    [Test]
    public void ManyTypesAreTheSameAsOne()
    {
        var one = ReferenceCase.Load("lj_small_ortho").Atoms;
        var many = new Atoms([.. Enumerable.Range(0, 9).Select(t => new Species($"A{t}", 1))], [.. Enumerable.Range(0, one.Count).Select(i => i % 9)], one.Positions, one.Cell);
        var (a, b) = (new CalculatorResults(one.Count), new CalculatorResults(one.Count));
        new ForceField(LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 2.5))).Compute(one, Want.Virial, a);
        new ForceField(LennardJones.Create(9, (_, _) => new LennardJonesPair(1, 1, 2.5))).Compute(many, Want.Virial, b);
        // Pairs within a cluster are summed in another order.
        Assert.That(b.Forces, Is.EqualTo(a.Forces).Within(1e-13 * a.Forces.Max(Math.Abs)));
    }

    // Rounding of single precision, 6e-8, of pair forces much larger than their sum, and of positions to multiples of 3e-8 Å here, which the force,
    // ∝ r^-13, magnifies thirteenfold.
    [Test]
    public void Mixed([Values] bool shifted, [Values(1, 2, 9)] int types)
    {
        var atoms = ReferenceCase.Load("lj_ortho").Atoms;
        // Far from the origin too: differences are exact.
        var far = new Cell(atoms.Cell.Rows, [true, true, true], [100, -200, 300]);
        double[] positions = [.. atoms.Positions.Select((x, k) => x + far.Origin[k % 3] - atoms.Cell.Origin[k % 3])];
        var many = new Atoms([.. Enumerable.Range(0, types).Select(t => new Species($"A{t}", 1))], [.. Enumerable.Range(0, atoms.Count).Select(i => i % types)], positions, far);
        CalculatorResults a = new(atoms.Count), b = new(atoms.Count);
        Interaction Make(Precision precision) => LennardJones.Create(types, (i, j) => new LennardJonesPair(1 + 0.1 * (i + j), 1 - 0.01 * (i + j), 2.5), shifted ? Truncation.ForceShifted : Truncation.Cut, precision);
        new ForceField(Make(Precision.Double)).Compute(many, Want.Virial, a);
        new ForceField(Make(Precision.Mixed)).Compute(many, Want.Virial, b);
        double square = a.Forces.Zip(b.Forces, (p, q) => (p - q) * (p - q)).Sum(), scale = a.Forces.Sum(p => p * p), worst = a.Forces.Zip(b.Forces, (p, q) => Math.Abs(p - q)).Max() / a.Forces.Max(Math.Abs);
        TestContext.Out.WriteLine($"force error: rms {Math.Sqrt(square / scale):E1} of rms, worst {worst:E1} of largest; energy {Math.Abs(b.Energy / a.Energy - 1):E1}");
        // r⁻¹⁴ is seven factors 1/r², each wrong by at most 2⁻²³.
        const double pair = 7.0 / (1 << 23);
        Assert.That(Math.Sqrt(square / scale), Is.LessThan(pair));
        Assert.That(worst, Is.LessThan(1e-6));
        Assert.That(b.Energy, Is.EqualTo(a.Energy).Within(1e-6 * Math.Abs(a.Energy)));
        // Errors of forces count times the distance from the origin. Partners' errors cancel most of it: seen 1.2e-5, where independent errors would allow a hundred times more.
        Assert.That(b.Virial, Is.EqualTo(a.Virial).Within(2e-5 * a.Virial.Max(Math.Abs)));
    }

    // The same bits on one, two and four threads, over steps with pruning and sorting, in a box long enough for several chains of tiles.
    [Test]
    public void ThreadsDoNotChangeBits([Values] Precision precision)
    {
        var random = new Random(3);
        const int n = 49 * 120;
        var positions = new double[3 * n];
        for (int i = 0; i < n; i++) (positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]) = (i / 49 * 1.1, i / 7 % 7 * 1.1 + 0.1 * random.NextDouble(), i % 7 * 1.1 + 0.1 * random.NextDouble());
        List<double[]> forces = [];
        foreach (int threads in new[] { 1, 2, 4 })
        {
            using var team = new ThreadTeam(threads);
            var atoms = new Atoms([new("A", 1)], new int[n], positions, Cell.Box(132, 7.7, 7.7));
            var field = new ForceField(LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 2.5), precision: precision));
            var domain = field.MakeDomain(atoms, 0.6, team: team);
            var all = new double[3 * n + 7];
            var moves = new Random(5);
            for (int step = 0; step < 12; step++)
            {
                if (domain.NeedsRebuild()) domain.Rebuild();
                else domain.UpdateGhosts();
                var tally = field.Compute(domain, Want.Virial);
                domain.StoreForces(all.AsSpan(0, 3 * n));
                all[3 * n] = tally.Energy;
                for (int k = 0; k < 6; k++) all[3 * n + 1 + k] = tally.Virial[k];
                forces.Add([.. all]);
                var shifts = Enumerable.Range(0, 3 * n).Select(_ => 0.05 * (moves.NextDouble() - 0.5)).ToArray();
                unsafe
                {
                    for (int s = 0; s < domain.OwnedSlots; s++)
                        for (int k = 0; k < 3 && domain.Tag[s] >= 0; k++) domain.X[s / 8 * 24 + s % 8 + 8 * k] += shifts[3 * domain.Tag[s] + k];
                }
            }
        }
        for (int k = 12; k < forces.Count; k++) Assert.That(forces[k], Is.EqualTo(forces[k % 12]));
    }
}
