using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
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
        Assert.That(b.Forces, Is.EqualTo(a.Forces));
    }
}
