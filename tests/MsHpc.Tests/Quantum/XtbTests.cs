using System.Text.Json;
using MsHpc.Atomistics;
using MsHpc.Core;
using MsHpc.Quantum.TightBinding;
using MsHpc.Quantum.Xtb;
using NUnit.Framework;
using static MsHpc.Tests.Quantum.TightBindingTests;

namespace MsHpc.Tests.Quantum;

/// <summary>libxtb through its C interface: numbers of the same library called from Python, differences, what it refuses. Skipped where it is not installed.</summary>
public class XtbTests
{
    private const double ToHartree = 1 / Codata.HartreeInEv, ToForce = Codata.BohrInAngstrom / Codata.HartreeInEv;
    private static readonly Cell s_free = new([50, 0, 0, 0, 50, 0, 0, 0, 50], [false, false, false]);
    private static readonly double[] s_water = [0, 0, 0.12, 0, 0.76, -0.47, 0, -0.76, -0.47];

    [SetUp]
    public void NeedsLibxtb()
    {
        if (!XtbLibrary.IsAvailable) Assert.Ignore("libxtb.so.6 is not on this machine");
    }

    private static Atoms Molecule(JsonElement c, string geometry) =>
        AtomsOf([.. c.GetProperty("symbols").EnumerateArray().Select(s => s.GetString()!)], [.. Numbers(c.GetProperty(geometry)).Select(x => x * Codata.BohrInAngstrom)], s_free);

    private static void Compare(JsonElement expected, CalculatorResults found)
    {
        Assert.Multiple(() =>
        {
            Assert.That(found.Energy * ToHartree, Is.EqualTo(expected.GetProperty("energy").GetDouble()).Within(1e-8));
            Assert.That(Largest(found.Forces.Select(f => -f * ToForce), Numbers(expected.GetProperty("gradient_au"))), Is.LessThan(1e-8));
            Assert.That(Largest(found.Charges, Numbers(expected.GetProperty("charges"))), Is.LessThan(1e-8));
            Assert.That(Largest(found.Dipole.Select(d => d / Codata.BohrInAngstrom), Numbers(expected.GetProperty("dipole_au"))), Is.LessThan(1e-8));
        });
    }

    private static IEnumerable<string> Molecules => TestData.Json("qm/xtb_molecules.json").GetProperty("molecules").EnumerateObject().Select(m => m.Name);

    // The reference was computed at the accuracy 1e-4, and so is this: to 1e-8.
    [TestCaseSource(nameof(Molecules))]
    public void AgreesWithLibxtbFromPython(string name)
    {
        var c = TestData.Json("qm/xtb_molecules.json").GetProperty("molecules").GetProperty(name);
        var atoms = Molecule(c, "geometry_bohr");
        foreach (var (key, method) in ((string, XtbMethod)[])[("GFN2", XtbMethod.Gfn2), ("GFN1", XtbMethod.Gfn1)])
        {
            using var calculator = new XtbCalculator(new XtbOptions(method, c.GetProperty("charge").GetDouble(), Accuracy: 1e-4));
            var results = new CalculatorResults(atoms.Count);
            calculator.Compute(atoms, Want.Forces, results);
            Compare(c.GetProperty(key), results);
        }
    }

    [Test]
    public void ExternalChargesAgreeAndNothingElsePulls()
    {
        var c = TestData.Json("qm/xtb_embedding.json").GetProperty("cases").GetProperty("A_dimer_1TIP3P");
        var atoms = Molecule(c, "qm_geometry_bohr");
        double[] at = [.. Numbers(c.GetProperty("charges_bohr")).Select(x => x * Codata.BohrInAngstrom)];
        using var calculator = new XtbCalculator(new XtbOptions(Accuracy: 1e-4))
        {
            External = new ExternalCharges(at, Numbers(c.GetProperty("charges_e")), []), ExternalNumbers = [.. Numbers(c.GetProperty("charges_Z")).Select(z => (int)z)],
        };
        var results = new CalculatorResults(atoms.Count);
        calculator.Compute(atoms, Want.Forces, results);
        Compare(c.GetProperty("GFN2"), results);
        Assert.That(Largest(calculator.ExternalForces.Select(f => -f * ToForce), Numbers(c.GetProperty("GFN2").GetProperty("pc_gradient_au"))), Is.LessThan(1e-8));
        double[] forces = [.. results.Forces, .. calculator.ExternalForces], x = [.. atoms.Positions, .. at];
        for (int k = 0; k < 3; k++)
        {
            int a = (k + 1) % 3, b = (k + 2) % 3;
            Assert.That(Enumerable.Range(0, forces.Length / 3).Sum(i => forces[3 * i + k]), Is.EqualTo(0).Within(1e-9));
            Assert.That(Enumerable.Range(0, forces.Length / 3).Sum(i => x[3 * i + a] * forces[3 * i + b] - x[3 * i + b] * forces[3 * i + a]) * ToHartree, Is.EqualTo(0).Within(1e-9));
        }
        // Moved and taken away, they act as they are then.
        double with = results.Energy;
        calculator.External = null;
        calculator.Compute(atoms, Want.Forces, results);
        Assert.That(results.Energy, Is.Not.EqualTo(with).Within(1e-3));
        Assert.That(calculator.ExternalForces, Is.Empty);
        using var fresh = new XtbCalculator(new XtbOptions(Accuracy: 1e-4));
        var alone = new CalculatorResults(atoms.Count);
        fresh.Compute(atoms, Want.Forces, alone);
        Assert.That(results.Energy, Is.EqualTo(alone.Energy).Within(1e-8));
    }

    // Differences of fourth order, h = 2e-3 Å: h⁴ E⁗′ is some 1e-8 eV/Å with the stiffest bond, energies hold to 1e-11 eV. Hot electrons show that the
    // energy is the free one: without −TS the error would be 0.1 eV/Å.
    [TestCase(XtbMethod.Gfn2, 0, 0, 300)]
    [TestCase(XtbMethod.Gfn2, 1, 1, 300)]
    [TestCase(XtbMethod.Gfn2, 0, 2, 300)]
    [TestCase(XtbMethod.Gfn1, 0, 0, 15000)]
    [TestCase(XtbMethod.Gfn2, 0, 0, 15000)]
    [TestCase(XtbMethod.GfnFf, 0, 0, 300)]
    public void ForcesAreTheGradient(XtbMethod method, double charge, int unpaired, double temperature)
    {
        using var calculator = new XtbCalculator(new XtbOptions(method, charge, unpaired, temperature, 1e-4));
        double[] x = [.. s_water.Select((v, i) => v + 0.05 * Math.Sin(3 * i + 1))], charges = [2.4, 0.3, 0.2, -2.1, 0.4, 1.3];
        if (method != XtbMethod.GfnFf) calculator.External = new ExternalCharges(charges, [0.6, -0.4], []);
        var results = new CalculatorResults(3);
        double Energy()
        {
            calculator.Compute(AtomsOf(["O", "H", "H"], x, s_free), Want.Forces, results);
            return results.Energy;
        }
        Energy();
        double[] forces = [.. results.Forces], onCharges = calculator.ExternalForces;
        if (temperature > 1000) Assert.That(results.Electrons!.Entropy, Is.GreaterThan(0.01));
        // The triplet falls apart with 12 eV/Å, and what is left of its levels' crossings at 300 K bends the energy more: 1.5e-6 eV/Å at 2e-3 Å.
        double h = unpaired == 2 ? 5e-4 : 2e-3;
        void Differences(double[] at, double[] exact)
        {
            for (int k = 0; k < exact.Length; k++)
            {
                double keep = at[k], sum = 0;
                foreach (var (step, weight) in ((double, double)[])[(1, 8), (-1, -8), (2, -1), (-2, 1)])
                {
                    at[k] = keep + step * h;
                    sum += weight * Energy();
                }
                at[k] = keep;
                Assert.That(exact[k], Is.EqualTo(-sum / (12 * h)).Within(1e-7));
            }
        }
        Differences(x, forces);
        Differences(charges, onCharges);
        Assert.That(Enumerable.Range(0, 3).Max(k => Math.Abs(forces[k] + forces[3 + k] + forces[6 + k] + onCharges.Where((_, i) => i % 3 == k).Sum())), Is.LessThan(1e-9));
    }

    // The next of the same atoms starts from the last density; a fresh calculator agrees to what the accuracy leaves.
    [Test]
    public void StartsFromTheLastDensityAndTakesOtherAtoms()
    {
        using var calculator = new XtbCalculator();
        var results = new CalculatorResults(3);
        double[] x = [.. s_water];
        for (int step = 0; step < 5; step++)
        {
            x[0] += 0.05;
            calculator.Compute(AtomsOf(["O", "H", "H"], x, s_free), Want.Virial, results);
        }
        using var fresh = new XtbCalculator();
        var again = new CalculatorResults(3);
        fresh.Compute(AtomsOf(["O", "H", "H"], x, s_free), Want.Virial, again);
        Assert.That(results.Energy, Is.EqualTo(again.Energy).Within(1e-8));
        Assert.That(Largest(results.Forces, again.Forces), Is.LessThan(1e-6));
        Assert.That(results.Electrons!.Gap, Is.InRange(5, 20));
        Assert.That(calculator.Levels, Is.Ordered);
        var pair = new CalculatorResults(2);
        calculator.Compute(AtomsOf(["H", "H"], [0, 0, 0, 0.74, 0, 0], s_free), Want.Forces, pair);
        Assert.That(pair.Energy * ToHartree, Is.EqualTo(-0.982).Within(1e-3));
        Assert.That(pair.Forces[0], Is.EqualTo(-pair.Forces[3]).Within(1e-10));
    }

    // GFN-FF prints and writes files wherever it is told not to: nothing of it is seen.
    [Test]
    public void LeavesNoFilesAndNoOutput()
    {
        string here = Environment.CurrentDirectory;
        using var calculator = new XtbCalculator(new XtbOptions(XtbMethod.GfnFf));
        var results = new CalculatorResults(3);
        calculator.Compute(AtomsOf(["O", "H", "H"], s_water, s_free), Want.Forces, results);
        Assert.That(Environment.CurrentDirectory, Is.EqualTo(here));
        Assert.That(Directory.GetFiles(here, "gfnff_*"), Is.Empty);
        Assert.That(results.Charges, Is.Empty);
        Assert.That(results.Electrons, Is.Null);
    }

    [Test]
    public void BadInputIsASentence()
    {
        void Fails<T>(XtbOptions options, Atoms atoms, Action<XtbCalculator> change, params string[] parts) where T : MsHpcException
        {
            using var calculator = new XtbCalculator(options);
            change(calculator);
            string message = Assert.Throws<T>(() => calculator.Compute(atoms, Want.Forces, new CalculatorResults(atoms.Count)))!.Message;
            foreach (string part in parts) Assert.That(message, Does.Contain(part));
        }
        var water = AtomsOf(["O", "H", "H"], s_water, s_free);
        var none = new XtbOptions();
        void Nothing(XtbCalculator c) { }
        Fails<InputException>(none with { Charge = 1 }, water, Nothing, "9 electrons", "do not pair up", "'unpaired' to 1");
        Fails<InputException>(none with { Unpaired = 1 }, water, Nothing, "10 electrons with 1 unpaired");
        Fails<InputException>(none, AtomsOf(["O", "H", "H"], s_water, new Cell([9, 0, 0, 0, 9, 0, 0, 0, 9])), Nothing, "repeats", "tight_binding");
        Fails<InputException>(none, AtomsOf(["U", "H", "H"], s_water, s_free), Nothing, "'U'");
        Fails<NumericalException>(none, AtomsOf(["O", "H", "H"], [0, 0, 0, 1, 0, 0, 1, 0.01, 0], s_free), Nothing, "atoms 2 and 3", "0.01 Å");
        Fails<InputException>(none with { Method = XtbMethod.GfnFf }, water, c => c.External = new ExternalCharges([3, 0, 0], [1], []), "GFN-FF knows no external charges");
        Fails<InputException>(none, water, c => c.External = new ExternalCharges([3, 0, 0], [1], [0.5]), "Gaussian");
        Fails<InputException>(none, water, c => c.External = new ExternalCharges([3, 0], [1], []), "3 coordinates");
        Fails<ConvergenceException>(none with { MaxCycles = 2 }, water, Nothing, "2 cycles", "libxtb:");
        foreach (var options in (XtbOptions[])[none with { Accuracy = 1e-6 }, none with { Temperature = 0 }, none with { Unpaired = -1 }, none with { Charge = double.NaN }])
            Assert.Throws<InputException>(() => _ = new XtbCalculator(options));
    }
}
