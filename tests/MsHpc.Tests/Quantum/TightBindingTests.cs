using System.Text.Json;
using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Quantum.Scf;
using MsHpc.Quantum.TightBinding;
using NUnit.Framework;

namespace MsHpc.Tests.Quantum;

/// <summary>Tight binding against QUIP, against an independent numpy code, and against itself.</summary>
public class TightBindingTests
{
    internal static double[] Numbers(JsonElement e) => e.ValueKind == JsonValueKind.Array ? [.. e.EnumerateArray().SelectMany(Numbers)] : [e.GetDouble()];

    internal static Atoms AtomsOf(string[] symbols, double[] positions, Cell cell)
    {
        string[] kinds = [.. symbols.Distinct()];
        return new Atoms([.. kinds.Select(s => new Species(s, Elements.Mass(s)!.Value))], [.. symbols.Select(s => Array.IndexOf(kinds, s))], positions, cell);
    }

    private static Atoms Structure(JsonElement c) => AtomsOf([.. c.GetProperty("symbols").EnumerateArray().Select(s => s.GetString()!)],
        Numbers(c.GetProperty("positions_A")), new Cell(Numbers(c.GetProperty("lattice_A_rows"))));

    internal static CalculatorResults Compute(TightBindingModel model, TightBindingOptions options, Atoms atoms)
    {
        var results = new CalculatorResults(atoms.Count);
        new TightBindingCalculator(model, options).Compute(atoms, Want.Virial, results);
        return results;
    }

    private static TightBindingModel Model(string name) => name.Split('-', ' ')[0] switch
    {
        "Bowler" => new BowlerSiliconHydrogen(),
        "Kwon1994" => new KwonSilicon(),
        "XWCH1992" => new XuCarbon(),
        "NRL" => new NrlSilicon(),
        _ => throw new ArgumentException(name),
    };

    internal static double Largest(IEnumerable<double> a, IEnumerable<double> b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    private static IEnumerable<int> Cases(string file) => Enumerable.Range(0, TestData.Json(file).GetProperty("cases").GetArrayLength());

    private static IEnumerable<int> QuipCases() => Cases("qm/quip_tb_si.json");

    private static IEnumerable<int> NumpyCases() => Cases("qm/sktb_reference.json");

    // QUIP, energies to 1e-8 eV, forces to 1e-8 eV/Å. NRL-TB is in Rydberg and bohr, and QUIP has those of CODATA 2014: the atoms are put where they are in
    // its bohr, and what comes out is read in its hartree.
    [TestCaseSource(nameof(QuipCases))]
    public void AgreesWithQuip(int number)
    {
        var c = TestData.Json("qm/quip_tb_si.json").GetProperty("cases")[number];
        var atoms = Structure(c);
        bool nrl = c.GetProperty("model").GetString() == "NRL-TB";
        double length = nrl ? Codata.BohrInAngstrom / 0.52917721067 : 1, energy = nrl ? 27.21138602 / Codata.HartreeInEv : 1;
        for (int i = 0; i < atoms.Positions.Length; i++) atoms.Positions[i] *= length;
        atoms.Cell = atoms.Cell.WithRows([.. atoms.Cell.Rows.ToArray().Select(x => x * length)]);
        var mesh = c.GetProperty("kpoints_frac_weight").ValueKind == JsonValueKind.Null ? null
            : KMesh.Of(c.GetProperty("kpoints_frac_weight").EnumerateArray().Select(p => (p[0].GetDouble(), p[1].GetDouble(), p[2].GetDouble(), p[3].GetDouble())));
        var results = Compute(Model(c.GetProperty("model").GetString()!), new TightBindingOptions(mesh, 0.001), atoms);
        double[] w = Numbers(c.GetProperty("virial_eV"));
        Assert.That(results.Energy * energy, Is.EqualTo(c.GetProperty("energy_eV").GetDouble()).Within(1e-8));
        Assert.That(Largest(results.Forces.Select(f => f * energy * length), Numbers(c.GetProperty("forces_eV_A"))), Is.LessThan(1e-8));
        Assert.That(Largest(results.Virial.Select(v => v * energy), [w[0], w[4], w[8], w[5], w[2], w[1]]), Is.LessThan(1e-8));
    }

    [TestCaseSource(nameof(NumpyCases))]
    public void AgreesWithNumpy(int number)
    {
        var c = TestData.Json("qm/sktb_reference.json").GetProperty("cases")[number];
        var atoms = Structure(c);
        int[] k = [.. Numbers(c.GetProperty("k_mesh")).Select(x => (int)x)];
        var calculator = new TightBindingCalculator(Model(c.GetProperty("model").GetString()!), new TightBindingOptions(KMesh.MonkhorstPack(k[0], k[1], k[2]), c.GetProperty("kT_eV").GetDouble()));
        var results = new CalculatorResults(atoms.Count);
        calculator.Compute(atoms, Want.Forces, results);
        var e = calculator.Energies!;
        Assert.Multiple(() =>
        {
            Assert.That(e.Band, Is.EqualTo(c.GetProperty("band_eV").GetDouble()).Within(1e-8));
            Assert.That(e.Repulsive, Is.EqualTo(c.GetProperty("repulsive_eV").GetDouble()).Within(1e-8));
            Assert.That(e.Energy, Is.EqualTo(c.GetProperty("energy_eV").GetDouble()).Within(1e-8));
            Assert.That(results.Energy, Is.EqualTo(c.GetProperty("free_energy_eV").GetDouble()).Within(1e-8));
            Assert.That(Largest(results.Forces, Numbers(c.GetProperty("forces_eV_A"))), Is.LessThan(1e-8));
            double[] extremes = Numbers(c.GetProperty("eigenvalues_minmax"));
            Assert.That(Largest([calculator.Levels.Min(), calculator.Levels.Max()], extremes), Is.LessThan(1e-8));
        });
    }

    internal static Atoms Random(string[] symbols, double edge, int seed, bool periodic = true, double least = 1.9)
    {
        var random = new Random(seed);
        var positions = new List<double>();
        var cell = new Cell([edge, 0, 0, 0.1 * edge, edge, 0, -0.2 * edge, 0.15 * edge, edge], [periodic, periodic, periodic]);
        while (positions.Count < 3 * symbols.Length)
        {
            var (x, y, z) = cell.Cartesian(random.NextDouble(), random.NextDouble(), random.NextDouble());
            bool free = true;
            for (int j = 0; j < positions.Count; j += 3)
                for (int m = 0; m < 27; m++)
                {
                    var (sx, sy, sz) = periodic ? cell.Shift(m % 3 - 1, m / 3 % 3 - 1, m / 9 - 1) : (0, 0, 0);
                    double dx = positions[j] + sx - x, dy = positions[j + 1] + sy - y, dz = positions[j + 2] + sz - z;
                    free &= dx * dx + dy * dy + dz * dz > least * least;
                }
            if (free) positions.AddRange([x, y, z]);
        }
        return AtomsOf(symbols, [.. positions], cell);
    }

    private static IEnumerable<TestCaseData> GradientCases()
    {
        var mesh = KMesh.MonkhorstPack(2, 1, 3);
        foreach (bool hot in (bool[])[false, true])
        {
            double kT = hot ? 0.3 : 0.01;
            yield return new TestCaseData(new BowlerSiliconHydrogen(), new TightBindingOptions(null, kT), (string[])["Si", "Si", "H", "Si", "H", "Si"], 7.0);
            yield return new TestCaseData(new BowlerSiliconHydrogen(), new TightBindingOptions(mesh, kT), (string[])["Si", "H", "Si"], 4.5);
            yield return new TestCaseData(new KwonSilicon(), new TightBindingOptions(mesh, kT), (string[])["Si", "Si", "Si"], 4.5);
            yield return new TestCaseData(new XuCarbon(), new TightBindingOptions(null, kT), (string[])["C", "C", "C", "C"], 4.2);
            yield return new TestCaseData(new NrlSilicon(), new TightBindingOptions(mesh, kT, 0.5), (string[])["Si", "Si"], 4.2);
        }
    }

    // Free energy by central differences, step h = 1e-4 Å: error h² E‴/6 and ε E/h, both below 1e-6 eV/Å here.
    [TestCaseSource(nameof(GradientCases))]
    public void ForcesAreTheGradient(TightBindingModel model, TightBindingOptions options, string[] symbols, double edge)
    {
        var atoms = Random(symbols, edge, 7);
        var results = Compute(model, options, atoms);
        const double h = 1e-4;
        for (int k = 0; k < 3 * atoms.Count; k++)
        {
            double x = atoms.Positions[k];
            atoms.Positions[k] = x + h;
            double up = Compute(model, options, atoms).Energy;
            atoms.Positions[k] = x - h;
            double down = Compute(model, options, atoms).Energy;
            atoms.Positions[k] = x;
            Assert.That(results.Forces[k], Is.EqualTo((down - up) / (2 * h)).Within(2e-6), $"coordinate {k}");
        }
        for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => results.Forces[3 * i + k]), Is.EqualTo(0).Within(1e-10));

        (int, int)[] strains = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
        for (int v = 0; v < 6; v++)
        {
            var (a, b) = strains[v];
            double At(double e)
            {
                double[] rows = [.. atoms.Cell.Rows], x = [.. atoms.Positions];
                void Shear(double[] r)
                {
                    for (int i = 0; i < r.Length; i += 3)
                    {
                        double ra = r[i + a], rb = r[i + b];
                        r[i + a] += 0.5 * e * rb;
                        r[i + b] += 0.5 * e * ra;
                    }
                }
                Shear(rows);
                Shear(x);
                return Compute(model, options, AtomsOf(symbols, x, atoms.Cell.WithRows(rows))).Energy;
            }
            Assert.That(results.Virial[v], Is.EqualTo((At(-h) - At(h)) / (2 * h)).Within(2e-5), $"strain {v}");
        }
    }

    // A supercell at Γ is the cell with the mesh that holds Γ: k = 0, 1/n, … Here 2 × 2 × 1 by a list of points.
    [Test]
    public void SupercellIsMesh()
    {
        var atoms = Random(["Si", "Si"], 4.0, 3);
        var mesh = KMesh.Of([(0, 0, 0, 1), (0.5, 0, 0, 1), (0, 0.5, 0, 1), (0.5, 0.5, 0, 1)]);
        var unit = Compute(new NrlSilicon(), new TightBindingOptions(mesh, 0.1), atoms);
        var rows = atoms.Cell.Rows.ToArray();
        var positions = new List<double>();
        for (int m = 0; m < 4; m++)
            for (int i = 0; i < 2; i++)
            {
                var (x, y, z) = atoms.Cell.Shift(m % 2, m / 2, 0);
                positions.AddRange([atoms.Positions[3 * i] + x, atoms.Positions[3 * i + 1] + y, atoms.Positions[3 * i + 2] + z]);
            }
        for (int k = 0; k < 6; k++) rows[k] *= 2;
        var super = Compute(new NrlSilicon(), new TightBindingOptions(null, 0.1), AtomsOf([.. Enumerable.Repeat("Si", 8)], [.. positions], new Cell(rows)));
        Assert.That(super.Energy, Is.EqualTo(4 * unit.Energy).Within(1e-9));
        Assert.That(Largest(super.Forces, Enumerable.Repeat(unit.Forces, 4).SelectMany(f => f)), Is.LessThan(1e-9));
        Assert.That(super.Charges.Sum(), Is.EqualTo(0).Within(1e-10));
    }

    // d shells: blocks turn with the bond. The orbitals of a shell are a representation of rotations, so the singular values of every shell's
    // block are those of the bond along z, where the block is the table itself; and the gradient is that of the block.
    [Test]
    public void BlocksTurnWithTheBond([Values(1, 2, 3)] int seed)
    {
        var random = new Random(seed);
        int[] shells = [0, 1, 2];
        double[] Channels() => [.. Enumerable.Range(0, 10).Select(_ => random.NextDouble() - 0.5)];
        double[] forward = Channels(), backward = Channels(), slopes = Channels(), backSlopes = Channels(), weight = [.. Enumerable.Range(0, 81).Select(_ => random.NextDouble() - 0.5)];
        double[] r = [random.NextDouble() - 0.5, random.NextDouble() - 0.5, random.NextDouble() - 0.5];
        double length = Math.Sqrt(r.Sum(x => x * x));
        double[] Block(double[] v)
        {
            double l = Math.Sqrt(v.Sum(x => x * x));
            double[] f = [.. forward.Select((x, k) => x + slopes[k] * (l - length))], b = [.. backward.Select((x, k) => x + backSlopes[k] * (l - length))];
            var block = new double[81];
            SlaterKoster.Block(shells, shells, [v[0] / l, v[1] / l, v[2] / l], f, b, block);
            return block;
        }
        double[] turned = Block(r), straight = Block([0, 0, length]);
        int[] first = [0, 1, 4, 9];
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
            {
                int m = 2 * a + 1, n = 2 * b + 1;
                double[] Values(double[] block)
                {
                    var part = new double[m * n];
                    for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) part[i + j * m] = block[(first[a] + i) * 9 + first[b] + j];
                    var s = new double[Math.Min(m, n)];
                    Dense.Svd(m, n, part, s, new double[m * m], new double[n * n]);
                    return s;
                }
                Assert.That(Largest(Values(turned), Values(straight)), Is.LessThan(1e-14), $"shells {a} {b}");
            }
        // Along z: order xy, yz, z², xz, x²−y² and x, y, z.
        Assert.Multiple(() =>
        {
            Assert.That(straight[0 * 9 + 6], Is.EqualTo(forward[Channel.SdSigma]).Within(1e-15));
            Assert.That(straight[3 * 9 + 6], Is.EqualTo(forward[Channel.PdSigma]).Within(1e-15));
            Assert.That(straight[6 * 9 + 3], Is.EqualTo(-backward[Channel.PdSigma]).Within(1e-15));
            Assert.That(straight[1 * 9 + 7], Is.EqualTo(forward[Channel.PdPi]).Within(1e-15));
            Assert.That(straight[4 * 9 + 4], Is.EqualTo(forward[Channel.DdDelta]).Within(1e-15));
            Assert.That(straight[5 * 9 + 5], Is.EqualTo(forward[Channel.DdPi]).Within(1e-15));
        });
        var gradient = new double[3];
        SlaterKoster.AddGradient(shells, shells, [r[0] / length, r[1] / length, r[2] / length], length, forward, slopes, backward, backSlopes, weight, gradient);
        for (int k = 0; k < 3; k++)
        {
            const double h = 1e-5;
            double[] up = [.. r], down = [.. r];
            up[k] += h;
            down[k] -= h;
            double difference = Block(up).Zip(Block(down), weight).Sum(t => t.Third * (t.First - t.Second)) / (2 * h);
            Assert.That(gradient[k], Is.EqualTo(difference).Within(1e-8));
        }
    }

    [Test]
    public void RotationAndPermutationChangeNothing()
    {
        var atoms = Random(["Si", "H", "Si", "H", "Si"], 5, 11, periodic: false);
        var one = Compute(new BowlerSiliconHydrogen(), new TightBindingOptions(null, 0.05), atoms);
        double c = Math.Cos(0.7), s = Math.Sin(0.7);
        int[] order = [3, 0, 4, 2, 1];
        var x = new double[15];
        for (int i = 0; i < 5; i++)
        {
            var p = atoms.Positions.AsSpan(3 * order[i], 3);
            (x[3 * i], x[3 * i + 1], x[3 * i + 2]) = (c * p[0] - s * p[1], s * p[0] + c * p[1], p[2] + 3);
        }
        string[] symbols = [.. order.Select(i => atoms.Species[atoms.Types[i]].Symbol)];
        var two = Compute(new BowlerSiliconHydrogen(), new TightBindingOptions(null, 0.05), AtomsOf(symbols, x, atoms.Cell));
        Assert.That(two.Energy, Is.EqualTo(one.Energy).Within(1e-10));
        for (int i = 0; i < 5; i++)
        {
            var f = one.Forces.AsSpan(3 * order[i], 3);
            Assert.That(Largest(two.Forces[(3 * i)..(3 * i + 3)], [c * f[0] - s * f[1], s * f[0] + c * f[1], f[2]]), Is.LessThan(1e-9));
            Assert.That(two.Charges[i], Is.EqualTo(one.Charges[order[i]]).Within(1e-10));
        }
    }

    [Test]
    public void BadInputIsASentence()
    {
        var silicon = Random(["Si", "Si"], 5, 1, periodic: false);
        void Fails(Action action, string part) => Assert.That(Assert.Throws<InputException>(() => action())!.Message, Does.Contain(part));
        Fails(() => Compute(new XuCarbon(), new TightBindingOptions(), silicon), "no parameters for Si");
        Fails(() => Compute(new BowlerSiliconHydrogen(), new TightBindingOptions(KMesh.MonkhorstPack(2, 2, 2)), silicon), "periodic cell");
        Fails(() => Compute(new BowlerSiliconHydrogen(), new TightBindingOptions(null, -1), silicon), "temperature");
        Fails(() => Compute(new BowlerSiliconHydrogen(), new TightBindingOptions(null, 0.1, 9), silicon), "charge");
        Fails(() => KMesh.MonkhorstPack(0, 1, 1), "at least 1");
        silicon.Positions.AsSpan(0, 3).CopyTo(silicon.Positions.AsSpan(3));
        Fails(() => Compute(new BowlerSiliconHydrogen(), new TightBindingOptions(), silicon), "closer than");
    }
}
