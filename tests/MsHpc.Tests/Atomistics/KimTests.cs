using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Models of the KIM API: the same numbers as LAMMPS gives for the same potentials, and sentences for what is missing.</summary>
public sealed class KimTests
{
    private static void NeedsKim()
    {
        if (!Directory.Exists("/usr/lib/x86_64-linux-gnu/kim-api/portable-models")) Assert.Ignore("openkim-models is not installed");
    }

    private static KimModel Model(string prefix, params string[] species)
    {
        string? folder = Directory.EnumerateDirectories("/usr/lib/x86_64-linux-gnu/kim-api/portable-models", prefix + "*").Order().FirstOrDefault();
        if (folder is null) Assert.Ignore($"the model {prefix} is not among those installed");
        return new KimModel(Path.GetFileName(folder!), species);
    }

    // The KIM model has ε = 2.1682 eV, LAMMPS' file 2.1683; energies scale with it. The other parameters have nine digits in common.
    [Test]
    public void SiliconAgreesWithLammps([Values("sw_si_ortho", "sw_si_small_ortho")] string name)
    {
        NeedsKim();
        using var model = Model("SW_StillingerWeber_1985_Si__MO_405512056662", "Si");
        var reference = ReferenceCase.Load(name);
        var results = new CalculatorResults(reference.Atoms.Count);
        new ForceField(model).Compute(reference.Atoms, Want.Virial | Want.PerAtom, results);
        const double scale = 2.1682 / 2.1683;
        Assert.That(results.Energy, Is.EqualTo(scale * reference.Energy).Within(1e-7 * Math.Abs(reference.Energy)));
        double largest = reference.Forces.Max(Math.Abs);
        Assert.That(results.Forces.Zip(reference.Forces, (a, b) => Math.Abs(a - scale * b)).Max(), Is.LessThan(1e-7 * largest));
        Assert.That(results.Virial.Zip(reference.Virial, (a, b) => Math.Abs(a - scale * b)).Max(), Is.LessThan(1e-7 * reference.Virial.Max(Math.Abs)));
        Assert.That(results.AtomEnergies.Sum(), Is.EqualTo(results.Energy).Within(1e-10 * Math.Abs(results.Energy)));
    }

    // Forces are minus the gradient of the energy, for a pair functional and for a model that asks for the neighbours of ghosts.
    [Test]
    public void ForcesAreTheGradient([Values("EAM_Dynamo_ErcolessiAdams_1994_Al", "LJ_ElliottAkerson_2015_Universal", "DUNN_WenTadmor_2019v1_C", "Tersoff_LAMMPS_Tersoff_1988T3_Si")] string prefix)
    {
        NeedsKim();
        string symbol = prefix.Contains("_Al", StringComparison.Ordinal) ? "Al" : prefix.EndsWith("_C", StringComparison.Ordinal) ? "C" : prefix.EndsWith("_Si", StringComparison.Ordinal) ? "Si" : "Ar";
        using var model = Model(prefix, symbol);
        double a = symbol switch { "Al" => 4.05, "C" => 3.57, "Si" => 5.43, _ => 5.3 };
        double[] basis = symbol is "C" or "Si" ? [0, 0, 0, 0, .5, .5, .5, 0, .5, .5, .5, 0, .25, .25, .25, .25, .75, .75, .75, .25, .75, .75, .75, .25] : [0, 0, 0, 0, .5, .5, .5, 0, .5, .5, .5, 0];
        var random = new Philox(7, 0, 0);
        double[] x = [.. basis.Select(s => s * a + 0.1 * (random.NextDouble() - 0.5))];
        var atoms = new Atoms([new Species(symbol, 1)], new int[x.Length / 3], x, Cell.Box(a, a, a));
        var field = new ForceField(model);
        var results = new CalculatorResults(atoms.Count);
        field.Compute(atoms, Want.Forces, results);
        double[] forces = [.. results.Forces];
        const double h = 1e-4; // error h² φ‴/6 and ε E/h balance near 1e-7 eV/Å
        for (int k = 0; k < 6; k++)
        {
            double old = x[k];
            x[k] = old + h;
            field.Compute(atoms, Want.Forces, results);
            double up = results.Energy;
            x[k] = old - h;
            field.Compute(atoms, Want.Forces, results);
            x[k] = old;
            Assert.That(forces[k], Is.EqualTo((results.Energy - up) / (2 * h)).Within(2e-5 * Math.Max(1, forces.Max(Math.Abs))), $"component {k}");
        }
    }

    [Test]
    public void MissingThingsAreNamed()
    {
        NeedsKim();
        Assert.That(() => new KimModel("NoSuchModel__MO_000000000000_000", ["Si"]), Throws.TypeOf<InputException>().With.Message.Contains("NoSuchModel"));
        Assert.That(() => Model("SW_StillingerWeber_1985_Si__MO_405512056662", "Xe"), Throws.TypeOf<InputException>().With.Message.Contains("Xe"));
    }

    // A model without virials of single atoms: no zeros in their place.
    [Test]
    public void NumbersPerAtomThatAModelDoesNotGiveAreRefused()
    {
        NeedsKim();
        using var model = Model("ThreeBodyCluster_BH_BiswasHamann_1987_Si", "Si");
        var atoms = new Atoms([new("Si", 28.085)], [0, 0], [0, 0, 0, 2.4, 0, 0], Cell.Box(20, 20, 20));
        Assert.That(() => new ForceField(model).Compute(atoms, Want.PerAtom, new CalculatorResults(2)), Throws.TypeOf<InputException>().With.Message.Contains("gives no virials of single atoms"));
    }
}
