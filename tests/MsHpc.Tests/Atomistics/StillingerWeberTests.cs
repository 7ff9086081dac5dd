using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Stillinger–Weber against LAMMPS, against its own scalar twin and finite differences.</summary>
public sealed class StillingerWeberTests
{
    private static readonly string[] CdTe = ["Cd", "Te"];

    [Test]
    public void Silicon([Values("sw_si_ortho", "sw_si_small_ortho")] string name) => ReferenceCase.Load(name).Compare(new ForceField(StillingerWeber.Silicon()));

    [Test]
    public void SiliconFromTheFile() =>
        ReferenceCase.Load("sw_si_small_ortho").Compare(new ForceField(StillingerWeber.Read(ReferenceCase.PotentialFile("Si.sw"), ["Si"])));

    // Two species with every kind of triplet.
    [Test]
    public void CadmiumTelluride() => ReferenceCase.Load("sw_cdte_ortho").Compare(new ForceField(StillingerWeber.Read(ReferenceCase.PotentialFile("CdTe.sw"), CdTe)));

    /// <summary>Three species whose parameters all differ: powers, angles, widths and strengths. No material, but every branch of the kernel.</summary>
    private static StillingerWeber Made(int types, Precision precision = Precision.Double) => new(types, (i, j, k) =>
    {
        // Symmetric in the two ends of a pair where two-body, in j and k where an angle.
        int pair = i + j, angle = 3 * i + j + k;
        return new StillingerWeberTriplet(2 + 0.1 * angle, 2.0 + 0.05 * pair, 1.8 - 0.02 * pair, 20 + angle, types == 1 ? 0.9 : 1.2 - 0.1 * pair, -0.3 - 0.02 * angle, 7, 0.6, 4 + 0.5 * pair, 0.3 * pair);
    }, precision);

    private static StillingerWeber Law(int types) => types == 0 ? StillingerWeber.Silicon() : Made(types);

    private static Atoms Crystal(int types, int cells = 3, double noise = 0.3) => ThreeBodyChecks.Diamond(5.431, cells, Math.Max(1, types), noise);

    [Test]
    public void WideIsScalar([Values(0, 1, 2, 3, 5)] int types) => ThreeBodyChecks.Twins(Law(types), Crystal(types));

    [Test]
    public void WideIsScalarInASmallCell([Values(0, 2, 3)] int types) => ThreeBodyChecks.Twins(Law(types), Crystal(types, 1));

    [Test]
    public void WideIsScalarOfACluster() => ThreeBodyChecks.Twins(Law(2), ThreeBodyChecks.Diamond(5.431, 2, 2, 0.3, [false, false, false]));

    // Groups whose lanes have very different shells: a dense lump in a gas.
    [Test]
    public void WideIsScalarWithUnevenShells()
    {
        var atoms = Crystal(0);
        for (int i = 0; i < 20; i++)
            for (int k = 0; k < 3; k++) atoms.Positions[3 * i + k] = 8 + 0.62 * (atoms.Positions[3 * i + k] - 8);
        ThreeBodyChecks.Twins(StillingerWeber.Silicon(), atoms);
    }

    [Test]
    public void Differences([Values(0, 1, 2, 3)] int types) => ThreeBodyChecks.Differences(Law(types), Crystal(types, 2));

    [Test]
    public void Triclinic([Values(0, 2)] int types) => ThreeBodyChecks.Triclinic(Law(types), Crystal(types, 2));

    [Test]
    public void DifferencesInASkewedCell() =>
        ThreeBodyChecks.Differences(StillingerWeber.Silicon(), ThreeBodyChecks.Diamond(5.431, 2, 1, 0.2, null, [10.8, 0.4, -0.3, 1.7, 10.6, 0.2, -2.1, 0.9, 11.1]));

    [Test]
    public void ListsFollow([Values(0, 2)] int types) => ThreeBodyChecks.Moving(Law(types), Crystal(types, 3, 0.1));

    [Test]
    public void AllocatesNothing([Values] Precision precision) => ThreeBodyChecks.AllocatesNothing(StillingerWeber.Silicon(precision), Crystal(0));

    // A box of 87 Å: coordinates have 24 bits, 4·10⁻⁶ Å, and a bond pulls with some 10 eV/Å², so 4·10⁻⁵ eV/Å at most, times a few bonds.
    [Test]
    public void Mixed()
    {
        double largest = ThreeBodyChecks.MixedError(StillingerWeber.Silicon(), StillingerWeber.Silicon(Precision.Mixed), Crystal(0, 16, 0.2), out double energy);
        Assert.That(largest, Is.LessThan(2e-4));
        Assert.That(energy, Is.LessThan(5e-6));
    }

    [Test]
    public void MixedOfSeveralSpecies([Values(1, 2, 3, 5)] int types) =>
        Assert.That(ThreeBodyChecks.MixedError(Made(types), Made(types, Precision.Mixed), Crystal(types), out _), Is.LessThan(5e-5));

    private const string Entry = "Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333\n 7.049556277 0.6022245584 4.0 0.0 0.0\n";

    [TestCase(Entry, "Sii", "did you mean 'Si'")]
    [TestCase(Entry + "Ge Ge Ge 2 2 1.8 31 1.2 -0.33 7 0.6 4 0 0\n", "Si,Ge", "no entry for Si Si Ge")]
    [TestCase("# c\nSi Si Si 2.1683 2.0951 1.80 21.0 1.20 x\n", "Si", "txt:2: the last entry has 9 of 14 words")]
    [TestCase("# c\nSi Si Si 2.1683 2.0951 1.80 21.0 1.20\n x 1 2 3 4 5\n", "Si", "txt:3: 'x' where cos(theta0)")]
    [TestCase(Entry + Entry, "Si", "txt:3: a second entry for Si Si Si")]
    [TestCase("# DATE: x UNITS: real\n" + Entry, "Si", "txt:1: units real")]
    [TestCase("Si Si Si 2.1683 -2.0951 1.80 21.0 1.20 -0.3 7 0.6 4 0 0\n", "Si", "sigma and a must be positive")]
    public void Faults(string text, string elements, string message) =>
        Assert.That(() => StillingerWeber.Read(ThreeBodyChecks.File(text), elements.Split(',')), Throws.TypeOf<InputException>().With.Message.Contains(message));

    [Test]
    public void AnAngleHasOneSetOfParameters() =>
        Assert.That(() => new StillingerWeber(2, (i, j, k) => new StillingerWeberTriplet(2, 2, 1.8, 20 + j, 1.2, -0.3, 7, 0.6, 4, 0)), Throws.TypeOf<InputException>().With.Message.Contains("same angle"));

    // CdTeZnSeHgS0.sw of LAMMPS rounds λ and ε to seven digits, differently for (i, j, k) and (i, k, j).
    [Test]
    public void AnAngleMayDifferByRounding() =>
        ThreeBodyChecks.Twins(new StillingerWeber(2, (i, j, k) => new StillingerWeberTriplet(2, 2, 1.8, 20 * (1 + 1e-6 * j), 1.2, -0.3, 7, 0.6, 4, 0)), Crystal(2));

    [Test]
    public void ShippedFileOfSixElements() =>
        ThreeBodyChecks.Twins(StillingerWeber.Read(ReferenceCase.PotentialFile("CdTeZnSeHgS0.sw"), ["Cd", "Te", "Zn"]), ThreeBodyChecks.Diamond(6.3, 3, 3, 0.3));
}
