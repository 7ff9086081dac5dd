using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Ewald sum against LAMMPS, Madelung constants and its own derivatives.</summary>
public sealed class EwaldTests
{
    private const double LammpsConstant = 14.399645;

    // LAMMPS takes erfc from a polynomial (Abramowitz and Stegun 7.1.26, error 1.5e-7) and 2/√π as 1.12837917: without them the energies differ by 3e-7, with them they agree to 1e-10.
    [TestCase(6)]
    [TestCase(9)] // beyond half the cell
    public void Lammps(double cutoff)
    {
        var reference = ReferenceCase.Load("ewald_nacl_ortho");
        var field = new ForceField(Ewald.Create(reference.Atoms, cutoff, 1e-13, LammpsConstant));
        reference.Compare(field, 1e-6);
        reference.Compare(new WithLammpsErfc(field));
    }

    /// <summary>Adds what LAMMPS' erfc and 2/√π differ from the true ones, for its own α and cutoff of 6 Å.</summary>
    private sealed class WithLammpsErfc(ICalculator exact) : ICalculator
    {
        public string Description => exact.Description;

        public void Compute(Atoms atoms, Want want, CalculatorResults results)
        {
            const double Cutoff = 6, Accuracy = 1e-12, Edge = 11.28;
            exact.Compute(atoms, want, results);
            double alpha = Math.Sqrt(-Math.Log(Accuracy * Math.Sqrt(atoms.Count * Cutoff * Edge * Edge * Edge) / (2 * atoms.Charges.Sum(q => q * q)))) / Cutoff;
            for (int i = 0; i < atoms.Count; i++)
                for (int j = 0; j < atoms.Count; j++)
                    for (int n = 0; n < 27; n++)
                    {
                        int[] hop = [n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1];
                        double[] d = [.. Enumerable.Range(0, 3).Select(k => atoms.Positions[3 * i + k] - atoms.Positions[3 * j + k] + Edge * hop[k])];
                        double r2 = d.Sum(v => v * v), r = Math.Sqrt(r2);
                        if (i == j || r2 >= Cutoff * Cutoff) continue;
                        double t = 1 / (1 + 0.3275911 * alpha * r);
                        double polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.Exp(-alpha * alpha * r2);
                        double e = 0.5 * LammpsConstant * atoms.Charges[i] * atoms.Charges[j] / r * (polynomial - Special.Erfc(alpha * r));
                        double f = e + 0.5 * LammpsConstant * atoms.Charges[i] * atoms.Charges[j] / r * (1.12837917 - 2 / Math.Sqrt(Math.PI)) * alpha * r * Math.Exp(-alpha * alpha * r2);
                        results.Energy += e;
                        for (int k = 0; k < 3; k++)
                        {
                            results.Forces[3 * i + k] += 2 * f / r2 * d[k];
                            results.Virial[k] += f / r2 * d[k] * d[k];
                            results.Virial[5 - k] += f / r2 * d[k < 2 ? 0 : 1] * d[k == 0 ? 1 : 2];
                            if ((want & Want.PerAtom) != 0) results.AtomVirials[6 * i + k] += f / r2 * d[k] * d[k];
                            if ((want & Want.PerAtom) != 0) results.AtomVirials[6 * i + 5 - k] += f / r2 * d[k < 2 ? 0 : 1] * d[k == 0 ? 1 : 2];
                        }
                        if ((want & Want.PerAtom) != 0) results.AtomEnergies[i] += e;
                    }
        }
    }

    private static readonly double[] s_cubic = [1, 0, 0, 0, 1, 0, 0, 0, 1], s_fcc = [0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0];

    /// <summary>Ions A at 0 and B at the middle of the body diagonal.</summary>
    private static Atoms Crystal(double[] rows, double edge)
    {
        double[] cell = [.. rows.Select(v => v * edge)];
        double[] x = [0, 0, 0, 0.5 * (cell[0] + cell[3] + cell[6]), 0.5 * (cell[1] + cell[4] + cell[7]), 0.5 * (cell[2] + cell[5] + cell[8])];
        var atoms = new Atoms([new Species("A", 1), new Species("B", 1)], [0, 1], x, new Cell(cell));
        (atoms.Charges[0], atoms.Charges[1]) = (1, -1);
        return atoms;
    }

    // E per ion pair = −M C/r₀, r₀ the distance of nearest neighbours. The primitive cells are smaller than the cutoff, that of NaCl is triclinic.
    [TestCase("NaCl", 1.747564594633182)]
    [TestCase("CsCl", 1.762674773070988)]
    public void Madelung(string name, double constant)
    {
        var atoms = name == "NaCl" ? Crystal(s_fcc, 5.64) : Crystal(s_cubic, 4.123);
        double nearest = name == "NaCl" ? 2.82 : 4.123 * Math.Sqrt(3) / 2;
        var results = new CalculatorResults(2);
        // The estimates of errors are for disordered charges; in a crystal errors of all ions add up, so far more is asked for.
        var split = new EwaldSplit(0.7, 9, 1e-18, Codata.CoulombInEvAngstrom);
        new ForceField(CoulombReal.Create(2, split), new Ewald(atoms, split)).Compute(atoms, Want.Virial, results);
        Assert.That(-results.Energy * nearest / Codata.CoulombInEvAngstrom, Is.EqualTo(constant).Within(1e-13 * constant));
        // E ∝ 1/length: the trace of the virial is the energy.
        Assert.That(results.Virial[0] + results.Virial[1] + results.Virial[2], Is.EqualTo(results.Energy).Within(2e-10)); // derivative of a series with rounding noise of degree² · 1e-16
        Assert.That(results.Forces.Max(Math.Abs), Is.LessThan(1e-12));
    }

    // A point charge with its images and background in a cube of edge L: E = −½ · 2.837297 C q²/L (Wigner's constant of the simple cubic lattice).
    [Test]
    public void OneChargeWithBackground()
    {
        var atoms = new Atoms([new Species("A", 1)], [0], [0.3, 0.2, 0.1], Cell.Box(10, 10, 10));
        atoms.Charges[0] = 2;
        foreach (double cutoff in new[] { 5.0, 8 })
        {
            var results = new CalculatorResults(1);
            new ForceField(Ewald.Create(atoms, cutoff, 1e-13)).Compute(atoms, Want.Virial | Want.PerAtom, results);
            Assert.That(results.Energy * 10 / (4 * Codata.CoulombInEvAngstrom), Is.EqualTo(-0.5 * 2.837297479480619).Within(1e-11));
            Assert.That(results.AtomEnergies[0], Is.EqualTo(results.Energy).Within(1e-11));
            for (int k = 0; k < 6; k++) Assert.That(results.Virial[k], Is.EqualTo(k < 3 ? results.Energy / 3 : 0).Within(1e-10), $"{k}");
        }
    }

    internal static Atoms Disordered(int seed, double net = 0, Topology? topology = null)
    {
        double[] cell = [9, 0.4, -0.3, 2.5, 8, 0.6, -1.5, 2, 7.5];
        var random = new Philox((ulong)seed, 0, 0);
        const int N = 27;
        var x = new double[3 * N];
        for (int i = 0; i < N; i++)
        {
            double[] s = [(i % 3 + 0.3 * random.NextDouble()) / 3, (i / 3 % 3 + 0.3 * random.NextDouble()) / 3, (i / 9 + 0.3 * random.NextDouble()) / 3];
            for (int k = 0; k < 3; k++) x[3 * i + k] = 1 + s[0] * cell[k] + s[1] * cell[3 + k] + s[2] * cell[6 + k];
        }
        var atoms = new Atoms([new Species("A", 1), new Species("B", 2)], [.. Enumerable.Range(0, N).Select(i => i % 2)], x, new Cell(cell, null, [1, 1, 1])) { Topology = topology };
        for (int i = 0; i < N; i++) atoms.Charges[i] = (i % 2 == 0 ? 1 : -1) * (0.5 + random.NextDouble());
        double sum = atoms.Charges.Sum();
        for (int i = 0; i < N; i++) atoms.Charges[i] += (net - sum) / N;
        return atoms;
    }

    /// <summary>Forces against finite differences of the energy, the virial against strains of atoms and cell, scalar against wide, momentum.</summary>
    internal static void Derivatives(Func<Atoms, ForceField> make, Atoms atoms, double tolerance)
    {
        int n = atoms.Count;
        var field = make(atoms);
        double Energy(double[] x, Cell cell)
        {
            var moved = new Atoms(atoms.Species, atoms.Types, x, cell) { Topology = atoms.Topology };
            atoms.Charges.CopyTo(moved.Charges, 0);
            var r = new CalculatorResults(n);
            field.Compute(moved, Want.Forces, r);
            return r.Energy;
        }
        // Central differences of fourth order.
        double Difference(Func<double, double> e, double h) => (8 * (e(h) - e(-h)) - (e(2 * h) - e(-2 * h))) / (12 * h);
        var (wide, scalar) = (new CalculatorResults(n), new CalculatorResults(n));
        field.Compute(atoms, Want.Virial, wide);
        field.Compute(atoms, Want.Virial | Want.PerAtom, scalar);
        double force = wide.Forces.Max(Math.Abs), virial = wide.Virial.Max(Math.Abs);
        for (int i = 0; i < 3 * n; i += 7)
        {
            double d = Difference(h => { double[] x = [.. atoms.Positions]; x[i] += h; return Energy(x, atoms.Cell); }, 2e-3);
            Assert.That(wide.Forces[i], Is.EqualTo(-d).Within(tolerance * force), $"force {i}");
        }
        (int A, int B)[] order = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
        for (int k = 0; k < 6; k++)
        {
            var (a, b) = order[k];
            double d = Difference(h =>
            {
                double[] x = [.. atoms.Positions], rows = atoms.Cell.Rows.ToArray(), origin = atoms.Cell.Origin.ToArray();
                for (int i = 0; i < n; i++) x[3 * i + a] += h * atoms.Positions[3 * i + b];
                for (int i = 0; i < 3; i++) rows[3 * i + a] += h * atoms.Cell.Rows[3 * i + b];
                origin[a] += h * atoms.Cell.Origin[b];
                return Energy(x, new Cell(rows, null, origin));
            }, 1e-3);
            Assert.That(wide.Virial[k], Is.EqualTo(-d).Within(tolerance * virial), $"virial {k}");
            Assert.That(scalar.Virial[k], Is.EqualTo(wide.Virial[k]).Within(1e-10 * virial), $"scalar virial {k}");
            Assert.That(Enumerable.Range(0, n).Sum(i => scalar.AtomVirials[6 * i + k]), Is.EqualTo(wide.Virial[k]).Within(1e-10 * virial), $"sum of virials {k}");
        }
        Assert.That(scalar.Energy, Is.EqualTo(wide.Energy).Within(1e-10 * Math.Abs(wide.Energy)));
        Assert.That(scalar.AtomEnergies.Sum(), Is.EqualTo(wide.Energy).Within(1e-10 * Math.Abs(wide.Energy)));
        Assert.That(scalar.Forces.Zip(wide.Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-10 * force));
    }

    [TestCase(0)]
    [TestCase(3)]
    public void DerivativesInTriclinicCells(double net)
    {
        var atoms = Disordered(1, net);
        Derivatives(a => new ForceField(Ewald.Create(a, 6, 1e-13)), atoms, 1e-8);
        var results = new CalculatorResults(atoms.Count);
        new ForceField(Ewald.Create(atoms, 6, 1e-13)).Compute(atoms, Want.Forces, results);
        for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => results.Forces[3 * i + k]), Is.EqualTo(0).Within(1e-11));
    }

    // The split is a choice: other cutoffs, another origin of coordinates, the doubled cell give the same energies within the accuracy.
    [Test]
    public void SplitAndTranslationDoNotMatter()
    {
        var atoms = Disordered(2);
        var reference = new CalculatorResults(atoms.Count);
        new ForceField(Ewald.Create(atoms, 10, 1e-13)).Compute(atoms, Want.Virial, reference);
        double force = reference.Forces.Max(Math.Abs);
        foreach (double accuracy in new[] { 1e-4, 1e-6, 1e-8 })
        {
            var results = new CalculatorResults(atoms.Count);
            double[] shifted = [.. atoms.Positions.Select(v => v + 3.3)];
            var moved = new Atoms(atoms.Species, atoms.Types, shifted, atoms.Cell);
            atoms.Charges.CopyTo(moved.Charges, 0);
            new ForceField(Ewald.Create(moved, 5, accuracy)).Compute(moved, Want.Virial, results);
            double square = 0;
            for (int i = 0; i < 3 * atoms.Count; i++) square += Math.Pow(results.Forces[i] - reference.Forces[i], 2);
            // The estimate is for disordered charges; a factor of three is left for this small sample.
            Assert.That(Math.Sqrt(square / atoms.Count), Is.LessThan(3 * accuracy * Codata.CoulombInEvAngstrom), $"{accuracy}");
        }
        var doubled = new Atoms(atoms.Species, [.. atoms.Types, .. atoms.Types],
            [.. atoms.Positions, .. atoms.Positions.Select((v, i) => v + atoms.Cell.Rows[6 + i % 3])],
            new Cell([.. atoms.Cell.Rows[..6], .. atoms.Cell.Rows[6..].ToArray().Select(v => 2 * v)], null, atoms.Cell.Origin));
        for (int i = 0; i < doubled.Count; i++) doubled.Charges[i] = atoms.Charges[i % atoms.Count];
        var two = new CalculatorResults(doubled.Count);
        new ForceField(Ewald.Create(doubled, 8, 1e-13)).Compute(doubled, Want.Virial, two);
        Assert.That(two.Energy, Is.EqualTo(2 * reference.Energy).Within(1e-10 * Math.Abs(reference.Energy)));
        Assert.That(force, Is.GreaterThan(0.1));
    }

    // A pair that is excluded keeps no Coulomb force of its own: what the reciprocal sum gives it is taken out by the correction, checked by its formula.
    [Test]
    public void ExcludedPairs()
    {
        var topology = new Topology();
        for (int i = 0; i < 26; i++) topology.Scaled.Add((i, i + 1, 0, 0));
        var (plain, scaled) = (Disordered(3), Disordered(3, 0, topology));
        var split = EwaldSplit.For(plain, 8, 1e-13);
        ForceField Long(Atoms a) => new(Ewald.Reciprocal(new Ewald(a, split), split, a.Topology));
        var (without, with) = (new CalculatorResults(27), new CalculatorResults(27));
        Long(plain).Compute(plain, Want.Virial, without);
        Long(scaled).Compute(scaled, Want.Virial, with);
        double expected = 0;
        foreach (var (i, j, _, _) in topology.Scaled)
        {
            double least = double.PositiveInfinity;
            for (int n = 0; n < 125; n++)
            {
                var (sx, sy, sz) = plain.Cell.Shift(n % 5 - 2, n / 5 % 5 - 2, n / 25 - 2);
                double x = plain.Positions[3 * i] - plain.Positions[3 * j] + sx, y = plain.Positions[3 * i + 1] - plain.Positions[3 * j + 1] + sy, z = plain.Positions[3 * i + 2] - plain.Positions[3 * j + 2] + sz;
                least = Math.Min(least, Math.Sqrt(x * x + y * y + z * z));
            }
            expected -= Codata.CoulombInEvAngstrom * plain.Charges[i] * plain.Charges[j] * (1 - Special.Erfc(split.Alpha * least)) / least;
        }
        Assert.That(with.Energy - without.Energy, Is.EqualTo(expected).Within(1e-11 * Math.Abs(expected)));
        Derivatives(Long, scaled, 1e-8);
    }

    // Excluded atoms may be farther from each other than the cutoff. All pairs are within the halo of both; 1e-8 of 14.4 eV/Å for each of four charges.
    [TestCase(4.5)]
    [TestCase(6)]
    public void ExcludedPairBeyondTheCutoff(double length)
    {
        var topology = new Topology();
        topology.Scaled.Add((0, 1, 0, 0));
        var atoms = new Atoms([new("A", 1)], [0, 0, 0, 0], [1, 1, 1, 1 + length, 1, 1, 9, 9, 9, 5, 12, 7], Cell.Box(16, 16, 16)) { Topology = topology };
        (atoms.Charges[0], atoms.Charges[1], atoms.Charges[2], atoms.Charges[3]) = (1, 1, -1, -1);
        CalculatorResults near = new(4), far = new(4);
        new ForceField(Ewald.Create(atoms, 4, 1e-8)).Compute(atoms, Want.Forces, near);
        new ForceField(Ewald.Create(atoms, 8, 1e-8)).Compute(atoms, Want.Forces, far);
        for (int k = 0; k < 12; k++) Assert.That(near.Forces[k], Is.EqualTo(far.Forces[k]).Within(6e-7));
    }

    [Test]
    public void BadInput()
    {
        var atoms = Disordered(4);
        Assert.Throws<InputException>(() => Ewald.Create(atoms, 0, 1e-5));
        Assert.Throws<InputException>(() => Ewald.Create(atoms, 5, 0));
        Assert.Throws<InputException>(() => Ewald.Create(atoms, 5, 1e-5, double.NaN));
        Assert.Throws<InputException>(() => CoulombReal.Create(1, EwaldSplit.For(atoms, 5, 1e-5), (_, _) => new LennardJonesPair(1, 1, 4)));
        var open = new Atoms(atoms.Species, atoms.Types, atoms.Positions, new Cell(atoms.Cell.Rows, [true, true, false]));
        Assert.Throws<InputException>(() => Ewald.Create(open, 5, 1e-5));
        Assert.Throws<InputException>(() => Ewald.Create(new Atoms(atoms.Species, atoms.Types, atoms.Positions, atoms.Cell), 5, 1e-5));
    }
}
