using System.Text.Json;
using MsHpc.Atomistics;
using MsHpc.Core;
using MsHpc.Quantum.Scf;
using MsHpc.Quantum.TightBinding;
using NUnit.Framework;
using static MsHpc.Tests.Quantum.TightBindingTests;

namespace MsHpc.Tests.Quantum;

/// <summary>Tight binding from Slater–Koster files against DFTB+. The files are not part of the repository: MSHPC_SKF names a folder with mio and
/// pbc; without it these tests are skipped.</summary>
public class DftbTests
{
    internal static string Folder(string set)
    {
        foreach (string? root in (string?[])[Environment.GetEnvironmentVariable("MSHPC_SKF"), Path.Combine(TestData.Root, "..", "shared", "reference", "skf")])
            if (root is not null && Directory.Exists(Path.Combine(root, set))) return Path.Combine(root, set);
        Assert.Ignore($"no Slater-Koster files: MSHPC_SKF names no folder with {set}");
        return "";
    }

    // Hubbard derivatives and spin constants of the right size; their digits do not matter here.
    internal static readonly Dictionary<string, double> s_derivatives = new() { ["O"] = -0.16, ["H"] = -0.19, ["C"] = -0.15, ["N"] = -0.15, ["Si"] = -0.07 };

    internal static readonly Dictionary<string, double[]> s_spins = new()
    {
        ["H"] = [-0.072], ["O"] = [-0.035, -0.030, -0.030, -0.028], ["C"] = [-0.031, -0.025, -0.025, -0.023], ["N"] = [-0.033, -0.027, -0.027, -0.026], ["Si"] = [-0.020, -0.015, -0.015, -0.014],
    };

    private static IEnumerable<string> Cases(bool scc) => TestData.Json("qm/dftbplus.json").GetProperty("cases").EnumerateObject()
        .Where(c => c.Value.GetProperty("scc").GetBoolean() == scc).Select(c => c.Name);

    private static IEnumerable<TestCaseData> PlainCases() => Cases(scc: false).Select(name => name.Contains("216", StringComparison.Ordinal)
        ? new TestCaseData(name).SetCategory("Slow") // four points of 864 orbitals
        : new TestCaseData(name));

    private static IEnumerable<string> SccCases() => Cases(scc: true);

    internal static (Atoms Atoms, TightBindingModel Model, TightBindingOptions Options) Read(JsonElement c)
    {
        string[] symbols = [.. c.GetProperty("symbols").EnumerateArray().Select(s => s.GetString()!)];
        double[] positions = [.. Numbers(c.GetProperty("positions_bohr")).Select(x => x * Codata.BohrInAngstrom)];
        bool periodic = c.TryGetProperty("lattice_bohr", out var lattice);
        var cell = periodic ? new Cell([.. Numbers(lattice).Select(x => x * Codata.BohrInAngstrom)]) : new Cell([50, 0, 0, 0, 50, 0, 0, 0, 50], [false, false, false]);
        var mesh = periodic ? KMesh.Of(c.GetProperty("k_points").EnumerateArray().Select(k => (k[0].GetDouble(), k[1].GetDouble(), k[2].GetDouble(), k[3].GetDouble()))) : null;
        var model = new SlaterKosterSet(Folder(c.GetProperty("set").GetString()!), [.. symbols.Distinct()], new Dictionary<string, int> { ["Si"] = 1 },
            c.TryGetProperty("polynomial_repulsion", out _));
        // ThirdOrder = Yes of DFTB+ is the one on site; ThirdOrderFull would be the other.
        bool third = c.TryGetProperty("third_order", out var order);
        return (AtomsOf(symbols, positions, cell), model, new TightBindingOptions(mesh, c.GetProperty("temperature_K").GetDouble() * Codata.BoltzmannInEv,
            SelfConsistent: c.GetProperty("scc").GetBoolean(),
            ThirdOrder: third ? new ThirdOrder(order.GetProperty("hubbard_derivatives").EnumerateObject().ToDictionary(d => d.Name, d => d.Value.GetDouble()), OnSiteOnly: true) : null,
            HydrogenDamping: third ? order.GetProperty("damp_xh").GetDouble() : 0));
    }

    // Energies to 1e-8 hartree. Forces: DFTB+ differentiates its blocks by differences over ±0.01 bohr in these inputs (the rule of their parser
    // version), which leaves Σ P h² H‴/6: 2e-6 hartree/bohr with the one short bond of CH4's hydrogens, 1e-5
    // with the neighbours of C60; ours are checked against their own energy below.
    [TestCaseSource(nameof(PlainCases))]
    public void AgreesWithDftbPlus(string name)
    {
        var c = TestData.Json("qm/dftbplus.json").GetProperty("cases").GetProperty(name);
        var (atoms, model, options) = Read(c);
        var results = Compute(model, options, atoms);
        double toHartree = 1 / Codata.HartreeInEv, toForce = Codata.BohrInAngstrom / Codata.HartreeInEv;
        TestContext.Out.WriteLine($"energy {results.Energy * toHartree - c.GetProperty("mermin_energy").GetDouble():e2} hartree, forces {Largest(results.Forces.Select(f => f * toForce), Numbers(c.GetProperty("forces"))):e2} hartree/bohr");
        Assert.That(results.Energy * toHartree, Is.EqualTo(c.GetProperty("mermin_energy").GetDouble()).Within(1e-8));
        Assert.That(Largest(results.Forces.Select(f => f * toForce), Numbers(c.GetProperty("forces"))), Is.LessThan(2e-5));
    }

    [TestCaseSource(nameof(SccCases))]
    public void SelfConsistentChargesAgreeWithDftbPlus(string name)
    {
        var c = TestData.Json("qm/dftbplus.json").GetProperty("cases").GetProperty(name);
        var (atoms, model, options) = Read(c);
        var calculator = new TightBindingCalculator(model, options);
        var results = new CalculatorResults(atoms.Count);
        bool external = c.TryGetProperty("external", out var e);
        if (external)
        {
            double[][] rows = [.. e.EnumerateArray().Select(Numbers)];
            calculator.External = new ExternalCharges([.. rows.SelectMany(r => r[..3]).Select(x => x * Codata.BohrInAngstrom)], [.. rows.Select(r => r[3])],
                [.. rows.Select(r => r[4] * Codata.BohrInAngstrom)]);
        }
        calculator.Compute(atoms, Want.Forces, results);
        double toHartree = 1 / Codata.HartreeInEv, toForce = Codata.BohrInAngstrom / Codata.HartreeInEv;
        TestContext.Out.WriteLine($"energy {results.Energy * toHartree - c.GetProperty("mermin_energy").GetDouble():e2} hartree, forces {Largest(results.Forces.Select(f => f * toForce), Numbers(c.GetProperty("forces"))):e2} hartree/bohr, cycles {calculator.Energies!.Cycles}");
        if (external) TestContext.Out.WriteLine($"external {Largest(calculator.ExternalForces.Select(f => f * toForce), Numbers(c.GetProperty("forces_ext_charges"))):e2}");
        Assert.That(results.Energy * toHartree, Is.EqualTo(c.GetProperty("mermin_energy").GetDouble()).Within(1e-8));
        if (external) Assert.That(Largest(calculator.ExternalForces.Select(f => f * toForce), Numbers(c.GetProperty("forces_ext_charges"))), Is.LessThan(1e-8));
        Assert.That(Largest(results.Forces.Select(f => f * toForce), Numbers(c.GetProperty("forces"))), Is.LessThan(2e-5));
    }

    // The free energy by central differences of 1e-4 bohr.
    [TestCase("non-scc__CH4")]
    [TestCase("non-scc__Si_2")]
    public void ForcesAreTheGradient(string name)
    {
        var (atoms, model, options) = Read(TestData.Json("qm/dftbplus.json").GetProperty("cases").GetProperty(name));
        for (int i = 0; i < atoms.Positions.Length; i++) atoms.Positions[i] += 0.05 * Math.Sin(3 * i + 1);
        var results = Compute(model, options, atoms);
        const double h = 5e-5;
        for (int k = 0; k < atoms.Positions.Length; k++)
        {
            double x = atoms.Positions[k];
            atoms.Positions[k] = x + h;
            double up = Compute(model, options, atoms).Energy;
            atoms.Positions[k] = x - h;
            double down = Compute(model, options, atoms).Energy;
            atoms.Positions[k] = x;
            TestContext.Out.WriteLine($"{results.Forces[k]:g10} {results.Forces[k] - (down - up) / (2 * h):e2}");
            Assert.That(results.Forces[k], Is.EqualTo((down - up) / (2 * h)).Within(1e-6));
        }
    }

    // Free energy of molecules and crystals against differences: forces on atoms, on charges (a point, and Gaussians narrower and wider than what
    // Ewald's sum splits by), virial. Charges converged to 1e-11 leave 1e-11 e × 1 eV.
    [TestCase(false, "", true)]
    [TestCase(false, "third", true)]
    [TestCase(false, "on site", false)]
    [TestCase(false, "spin", true)]
    [TestCase(false, "free spin", false)]
    [TestCase(true, "", false)]
    [TestCase(true, "", true)]
    [TestCase(true, "third", true)]
    [TestCase(true, "free spin", false)]
    public void GradientsWithCharges(bool periodic, string more, bool external)
    {
        string[] symbols = periodic ? ["Si", "C", "Si"] : ["O", "H", "H", "C", "O"];
        double[] x = periodic ? [0.1, 0.2, 0, 1.3, 1.1, 0.9, 2.4, 0.1, 2.2] : [0, 0, 0, 0.8, 0.6, 0, -0.7, 0.6, 0.1, 0.31, -2.407, 0.4, 0.2, -3.5, 0.7];
        var cell = periodic ? new Cell([4.4, 0, 0, 0.3, 4.1, 0, -0.2, 0.5, 4.3]) : new Cell([9, 0, 0, 0, 9, 0, 0, 0, 9], [false, false, false]);
        var model = new SlaterKosterSet(Folder(periodic ? "pbc" : "mio"), [.. symbols.Distinct()], new Dictionary<string, int> { ["Si"] = 1 });
        var options = new TightBindingOptions(periodic ? KMesh.MonkhorstPack(2, 1, 1) : null, 0.1, periodic && !external ? 0 : 1, SelfConsistent: true, Tolerance: 1e-11);
        if (more is "third" or "on site") options = options with { ThirdOrder = new ThirdOrder(s_derivatives, more == "on site"), HydrogenDamping = 4 };
        if (more.Contains("spin", StringComparison.Ordinal)) options = options with { Spin = new Spin(s_spins, more == "spin" ? 3 : null) };
        var calculator = new TightBindingCalculator(model, options);
        double[] at = external ? [2.5, 1, 1, -2, -2, 1.5, 9, -4, 2] : [], charge = external ? [0.8, -1.1, 0.6] : [], widths = external ? [0, 0.7, 3.1] : [];
        CalculatorResults Of(double[] positions, double[] charges, Cell box)
        {
            var results = new CalculatorResults(symbols.Length);
            calculator.External = new ExternalCharges(charges, charge, widths);
            calculator.Compute(AtomsOf(symbols, positions, box), Want.Virial, results);
            return results;
        }
        var exact = Of(x, at, cell);
        double[] onCharges = calculator.ExternalForces;
        // Fourth order, step 2e-4 Å: 1e-12 eV/h. A longer one would meet points of the tables' grid, where slopes jump by some 1e-8 hartree/bohr.
        static double Fourth(Func<double, double> e) => (8 * (e(2e-4) - e(-2e-4)) - (e(4e-4) - e(-4e-4))) / 24e-4;
        double Slope(double[] array, int k)
        {
            double keep = array[k];
            double At(double d)
            {
                array[k] = keep + d;
                return Of(x, at, cell).Energy;
            }
            double slope = Fourth(At);
            array[k] = keep;
            return slope;
        }
        for (int k = 0; k < x.Length; k++) Assert.That(exact.Forces[k], Is.EqualTo(-Slope(x, k)).Within(1e-7), $"atom coordinate {k}");
        for (int k = 0; k < onCharges.Length; k++) Assert.That(onCharges[k], Is.EqualTo(-Slope(at, k)).Within(1e-7), $"charge coordinate {k}");
        // Nothing outside pulls: force and torque of atoms and charges are zero.
        double[] all = [.. exact.Forces, .. onCharges], where = [.. x, .. at];
        for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, all.Length / 3).Sum(i => all[3 * i + k]), Is.EqualTo(0).Within(1e-9));
        if (!periodic)
            for (int k = 0; k < 3; k++)
            {
                int a = (k + 1) % 3, b = (k + 2) % 3;
                Assert.That(Enumerable.Range(0, all.Length / 3).Sum(i => where[3 * i + a] * all[3 * i + b] - where[3 * i + b] * all[3 * i + a]), Is.EqualTo(0).Within(1e-9));
            }
        Assert.That(exact.Charges.Sum(), Is.EqualTo(options.Charge).Within(1e-9));
        if (!periodic) return;
        (int, int)[] strains = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
        for (int v = 0; v < 6; v++)
        {
            var (a, b) = strains[v];
            double Strained(double e)
            {
                double[] rows = [.. cell.Rows], y = [.. x], q = [.. at];
                foreach (double[] r in (double[][])[rows, y, q])
                    for (int i = 0; i < r.Length; i += 3) (r[i + a], r[i + b]) = a == b ? (r[i + a] * (1 + e), r[i + a] * (1 + e)) : (r[i + a] + 0.5 * e * r[i + b], r[i + b] + 0.5 * e * r[i + a]);
                return Of(y, q, cell.WithRows(rows)).Energy;
            }
            Assert.That(exact.Virial[v], Is.EqualTo(-Fourth(Strained)).Within(2e-6), $"strain {v}");
        }
    }

    [Test]
    public void BadInputIsASentence()
    {
        string mio = Folder("mio");
        void Fails(Action action, params string[] parts)
        {
            string message = Assert.Throws<InputException>(() => action())!.Message;
            foreach (string part in parts) Assert.That(message, Does.Contain(part));
        }
        var water = AtomsOf(["O", "H", "H"], [0, 0, 0, 0.76, 0.59, 0, -0.76, 0.59, 0], new Cell([9, 0, 0, 0, 9, 0, 0, 0, 9], [false, false, false]));
        var model = new SlaterKosterSet(mio, ["O", "H"]);
        Assert.That(model.Source, Does.Contain("cite"));
        Fails(() => _ = new SlaterKosterSet(mio, ["O", "Xe"]), "lacks O-Xe.skf, Xe-O.skf, Xe-Xe.skf");
        Fails(() => _ = new SlaterKosterSet("/nowhere", ["O"]), "no folder");
        Fails(() => _ = new SlaterKosterSet(mio, ["O"], new Dictionary<string, int> { ["O"] = 0 }), "electrons in l = 1");
        Fails(() => _ = new TightBindingCalculator(new BowlerSiliconHydrogen(), new TightBindingOptions(SelfConsistent: true)), "Hubbard");
        var plain = new TightBindingCalculator(model) { External = new ExternalCharges([1, 1, 1], [1], []) };
        Fails(() => plain.Compute(water, Want.Forces, new CalculatorResults(3)), "self-consistent");
        var inside = new TightBindingCalculator(model, new TightBindingOptions(SelfConsistent: true)) { External = new ExternalCharges([0.76, 0.59, 0.05], [1], []) };
        Fails(() => inside.Compute(water, Want.Forces, new CalculatorResults(3)), "external charge 1", "atom 2");
        var hopeless = new TightBindingCalculator(model, new TightBindingOptions(SelfConsistent: true, MaxCycles: 2));
        var failure = Assert.Throws<ConvergenceException>(() => hopeless.Compute(water, Want.Forces, new CalculatorResults(3)))!;
        Assert.That(failure.History, Has.Count.EqualTo(2));
        string broken = Path.Combine(TestData.Scratch(), "H-H.skf");
        foreach (var (text, part) in ((string, string)[])[("@ 0.02 10\n", "extended format"), ("0.02\n", ":1: 1 numbers"), ("0.02 500\n1 2 3\n", ":2: 3 numbers"), ("x\n", "not a number"), ("", "ends where"), ("0.02 20\n10*0\n20*0\n20*1\n20*1\n", "2 rows of integrals")])
        {
            File.WriteAllText(broken, text);
            Fails(() => _ = new SlaterKosterSet(Path.GetDirectoryName(broken)!, ["H"]), part);
        }
    }
}
