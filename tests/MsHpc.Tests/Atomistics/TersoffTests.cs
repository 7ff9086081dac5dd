using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Tersoff against LAMMPS, against its own scalar twin and finite differences.</summary>
public sealed class TersoffTests
{
    [TestCase("tersoff_si_ortho", "Si.tersoff", "Si")]
    [TestCase("tersoff_si_small_ortho", "Si.tersoff", "Si")]
    [TestCase("tersoff_si_t3_ortho", "SiCGe.tersoff", "Si(C)")]
    [TestCase("tersoff_sic_ortho", "SiC.tersoff", "Si", "C")]
    public void Lammps(string name, string file, params string[] elements) =>
        ReferenceCase.Load(name).Compare(new ForceField(Tersoff.Read(ReferenceCase.PotentialFile(file), elements)));

    /// <summary>The T2 set of the paper, which LAMMPS has in Si.tersoff.</summary>
    private static TersoffTriplet T2 => new(3, 1, 1.3258, 4.8381, 2.0417, 0, 22.956, 0.33675, 1.3258, 95.373, 3.0, 0.2, 3.2394, 3264.7);

    /// <summary>0: T2 silicon. Others: made-up kinds whose parameters all differ, with m of both sorts, switches of the triplet and of the pair.</summary>
    private static Tersoff Law(int types, Precision precision = Precision.Double) => types == 0 ? new Tersoff(1, (_, _, _) => T2, precision) : new Tersoff(types, (i, j, k) =>
    {
        int pair = i + j, odd = (i + 2 * j + 3 * k) % 4;
        return T2 with
        {
            M = odd == 1 ? 1 : 3, Gamma = 1 - 0.05 * odd, Lambda3 = odd == 2 ? 0 : 1.3 - 0.1 * odd, C = 4.8 + 0.1 * odd, D = 2 + 0.1 * k, Cosine = -0.1 * odd, N = types == 1 ? 0.787 : 0.8 + pair,
            Beta = 0.3 + 0.02 * pair, Lambda2 = 1.3 + 0.05 * pair, B = 95 + pair, R = 3 + 0.05 * odd, HalfWidth = 0.4, Lambda1 = 3.2 + 0.02 * pair, A = 3200 - 10 * pair,
        };
    }, precision);

    private static Atoms Crystal(int types, int cells = 3, double noise = 0.3) => ThreeBodyChecks.Diamond(5.431, cells, Math.Max(1, types), noise);

    [Test]
    public void WideIsScalar([Values(0, 1, 2, 3)] int types) => ThreeBodyChecks.Twins(Law(types), Crystal(types));

    [Test]
    public void WideIsScalarInASmallCell([Values(0, 2, 3)] int types) => ThreeBodyChecks.Twins(Law(types), Crystal(types, 1));

    [Test]
    public void WideIsScalarOfACluster() => ThreeBodyChecks.Twins(Law(2), ThreeBodyChecks.Diamond(5.431, 2, 2, 0.3, [false, false, false]));

    // Atoms with one neighbour have ζ = 0, those with none no bonds.
    [Test]
    public void Molecules()
    {
        var atoms = new Atoms([new Species("Si", 28)], new int[6], [0, 0, 0, 2.3, 0, 0, 20, 0, 0, 40, 0, 0, 40, 2.3, 0, 42.1, -0.7, 0], Cell.Box(80, 80, 80));
        ThreeBodyChecks.Twins(Law(0), atoms);
        double r = 2.3, dimer = 3264.7 * Math.Exp(-3.2394 * r) - 95.373 * Math.Exp(-1.3258 * r);
        var two = new Atoms([new Species("Si", 28)], new int[2], [0, 0, 0, r, 0, 0], Cell.Box(80, 80, 80));
        Assert.That(ThreeBodyChecks.Results(Law(0), two).Energy, Is.EqualTo(dimer).Within(1e-13));
    }

    [Test]
    public void Differences([Values(0, 1, 2, 3)] int types) => ThreeBodyChecks.Differences(Law(types), Crystal(types, 2, 0.2));

    [Test]
    public void Triclinic([Values(0, 2)] int types) => ThreeBodyChecks.Triclinic(Law(types), Crystal(types, 2));

    [Test]
    public void DifferencesInASkewedCell() =>
        ThreeBodyChecks.Differences(Law(0), ThreeBodyChecks.Diamond(5.431, 2, 1, 0.2, null, [10.8, 0.4, -0.3, 1.7, 10.6, 0.2, -2.1, 0.9, 11.1]));

    [Test]
    public void ListsFollow([Values(0, 2)] int types) => ThreeBodyChecks.Moving(Law(types), Crystal(types, 3, 0.1));

    [Test]
    public void AllocatesNothing([Values] Precision precision) => ThreeBodyChecks.AllocatesNothing(Law(0, precision), Crystal(0));

    // As for Stillinger–Weber: coordinates of 24 bits in a box of 87 Å; bonds are about twice as stiff, and b of T2 (n = 23) doubles that again.
    [Test]
    public void Mixed()
    {
        double largest = ThreeBodyChecks.MixedError(Law(0), Law(0, Precision.Mixed), Crystal(0, 16, 0.2), out double energy);
        Assert.That(largest, Is.LessThan(5e-4));
        Assert.That(energy, Is.LessThan(5e-6));
    }

    [Test]
    public void MixedOfSeveralSpecies([Values(1, 2, 3)] int types) =>
        Assert.That(ThreeBodyChecks.MixedError(Law(types), Law(types, Precision.Mixed), Crystal(types), out _), Is.LessThan(2e-4));

    private const string Entry = "Si Si Si 3.0 1.0 1.3258 4.8381 2.0417 0.0000 22.956\n 0.33675 1.3258 95.373 3.0 0.2 3.2394 3264.7\n";

    [TestCase(Entry, "Ge", "no element 'Ge'; there are Si")]
    [TestCase(Entry + "C Si Si 3.0 1.0 1.3258 4.8381 2.0417 0 22 0.3 1.3 95 3.0 0.2 3.2 3264\n", "Si,C", "no entry for Si Si C")]
    [TestCase("Si Si Si 2 1.0 1.3258 4.8381 2.0417 0 22 0.3 1.3 95 3.0 0.2 3.2 3264\n", "Si", "m must be 1 or 3")]
    [TestCase("Si Si Si 3 1.0 1.3258 4.8381 2.0417 0 22 0.3 1.3 95 3.0 -0.2 3.2 3264\n", "Si", "D between 0 and R")]
    [TestCase("Si Si Si 3 1.0 1.3258 4.8381 2.0417 0 22 0.3 1.3 95 3.0 0.2 3.2\n", "Si", "txt:1: the last entry has 16 of 17 words")]
    public void Faults(string text, string elements, string message) =>
        Assert.That(() => Tersoff.Read(ThreeBodyChecks.File(text), elements.Split(',')), Throws.TypeOf<InputException>().With.Message.Contains(message));
}
