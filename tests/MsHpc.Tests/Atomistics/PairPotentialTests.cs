using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Pair potentials, walls and indenters: against LAMMPS, and every one against its own energy.</summary>
public sealed class PairPotentialTests
{
    /// <summary>e²/(4π ε₀) as LAMMPS' metal units have it, reached by a permittivity.</summary>
    private const double AsLammps = Codata.CoulombInEvAngstrom / 14.399645;

    private static Interaction Lj(Truncation truncation = Truncation.Cut) => LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 2.5), truncation);

    private static Interaction Salt(bool overlay = false) => Buckingham.Create(2, (i, j) => (i, j) switch
    {
        (0, 0) => new BuckinghamPair(424.097, 0.3171, 1.05, overlay ? 0 : 6),
        (0, 1) => new BuckinghamPair(1256.31, 0.3171, 11.2, 6),
        _ => new BuckinghamPair(3488.998, 0.3171, 72.4, overlay ? 6 : 5),
    });

    [Test]
    public void LennardJonesInAnyCell([Values("lj_triclinic", "lj_small_triclinic", "lj_slab", "lj_wire_triclinic")] string name) =>
        ReferenceCase.Load(name).Compare(new ForceField(Lj()));

    [Test]
    public void LennardJonesForceShifted() => ReferenceCase.Load("lj_force_shifted").Compare(new ForceField(Lj(Truncation.ForceShifted)));

    [Test]
    public void MorseOfAluminium() => ReferenceCase.Load("morse").Compare(new ForceField(Morse.Create(1, (_, _) => new MorsePair(0.2703, 1.1646, 3.253, 6))));

    [Test]
    public void BuckinghamOfSalt() => ReferenceCase.Load("buckingham").Compare(new ForceField(Salt()));

    // LAMMPS' erfc is good to 1.5e-7 of 1 (Abramowitz and Stegun 7.1.26); the exact one is checked by finite differences and by SeriesOfErf.
    [Test]
    public void CoulombDampedShiftedForce() => ReferenceCase.Load("coul_dsf").Compare(new ForceField(DampedShiftedCoulomb.Create(0.2, 9, AsLammps)), 2e-6);

    // Three laws with cutoffs of their own, two of them not between all kinds. LAMMPS' erfc again; the virial nearly cancels.
    [Test]
    public void Overlay() => ReferenceCase.Load("lj_buck_overlay").Compare(new ForceField(
        LennardJones.Create(2, (i, j) => new LennardJonesPair(0.01, 3, i == 0 && j == 0 ? 4 : 0)), Salt(overlay: true), DampedShiftedCoulomb.Create(0.2, 9, AsLammps)), 2e-5);

    private static Wall WallOf(string name) => name switch
    {
        "wall_lj93" => Wall.LennardJones93([0, 0, 1], -1.5, 0.3, 2.2, 6),
        "wall_lj126" => Wall.LennardJones126([0, 0, 2], -2.4, 0.3, 2.2, 6),
        _ => Wall.Harmonic([0, 0, -1], -12.5, 2, 4),
    };

    [Test]
    public void Walls([Values("wall_lj93", "wall_lj126", "wall_harmonic")] string name)
    {
        var wall = WallOf(name);
        var results = CompareExternal(name, wall, virial: true);
        // What the atoms feel, the wall feels.
        Assert.That(wall.Reaction * (name == "wall_harmonic" ? -1 : 1), Is.EqualTo(-Enumerable.Range(0, results.Forces.Length / 3).Sum(i => results.Forces[3 * i + 2])).Within(1e-10));
    }

    [Test]
    public void Indenters([Values("indent_sphere", "indent_cylinder")] string name)
    {
        var indenter = IndenterOf(name);
        var results = CompareExternal(name, indenter, virial: false);
        for (int k = 0; k < 3; k++)
            Assert.That(indenter.Reaction[k], Is.EqualTo(-Enumerable.Range(0, results.Forces.Length / 3).Sum(i => results.Forces[3 * i + k])).Within(1e-10));
    }

    private static Indenter IndenterOf(string name) =>
        name == "indent_sphere" ? Indenter.Sphere(10, 3.5, [3, 4, 11]) : Indenter.Cylinder(10, 3.9, [2, 0, 12.5], [0, 1, 0]);

    /// <summary>LAMMPS has no energies per atom for these, and no virial of indenters.</summary>
    private static CalculatorResults CompareExternal(string name, Interaction interaction, bool virial)
    {
        var reference = ReferenceCase.Load(name);
        var results = new CalculatorResults(reference.Atoms.Count);
        new ForceField(interaction).Compute(reference.Atoms, Want.Virial | Want.PerAtom, results);
        Assert.Multiple(() =>
        {
            Assert.That(results.Energy, Is.EqualTo(reference.Energy).Within(1e-10 * Math.Abs(reference.Energy)));
            Assert.That(results.Forces, Is.EqualTo(reference.Forces).Within(1e-10 * reference.Forces.Max(Math.Abs)));
            if (virial) Assert.That(results.Virial, Is.EqualTo(reference.Virial).Within(1e-10 * reference.Virial.Max(Math.Abs)));
            Assert.That(results.AtomEnergies.Sum(), Is.EqualTo(results.Energy).Within(1e-12 * Math.Abs(results.Energy)));
            for (int k = 0; k < 6; k++)
                Assert.That(Enumerable.Range(0, reference.Atoms.Count).Sum(i => results.AtomVirials[6 * i + k]), Is.EqualTo(results.Virial[k]).Within(1e-11 * results.Virial.Max(Math.Abs)));
        });
        return results;
    }

    /// <summary>Every law, smooth at its cutoff so that differences of energies mean something.</summary>
    private static IEnumerable<TestCaseData> Laws()
    {
        const Truncation smooth = Truncation.ForceShifted;
        LennardJonesPair Pair(int i, int j) => new(0.02 * (1 + i + j), 2.2 + 0.1 * (i + j), 4.5 - 0.3 * j);
        TestCaseData Case(string name, params Func<Interaction>[] make) => new TestCaseData(() => make.Select(m => m()).ToArray()).SetArgDisplayNames(name);
        yield return Case("LJ, 3 types", () => LennardJones.Create(3, Pair, smooth));
        yield return Case("LJ, 9 types", () => LennardJones.Create(9, Pair, smooth));
        yield return Case("LJ, a pair of types off", () => LennardJones.Create(3, (i, j) => Pair(i, j) with { Cutoff = i == 0 && j == 2 ? 0 : 4 }, smooth));
        yield return Case("Morse", () => Morse.Create(3, (i, j) => new MorsePair(0.2 + 0.1 * i, 1.2 + 0.1 * j, 2.5, 5), smooth));
        yield return Case("Buckingham", () => Buckingham.Create(3, (i, j) => new BuckinghamPair(1000, 0.3, 10 + i + j, 5 - 0.5 * i), smooth));
        yield return Case("Coulomb DSF", () => DampedShiftedCoulomb.Create(0.25, 6.5));
        yield return Case("Coulomb shifted force, no damping", () => DampedShiftedCoulomb.Create(0, 5));
        yield return Case("Coulomb DSF, strong damping", () => DampedShiftedCoulomb.Create(0.9, 6));
        yield return Case("overlay", () => LennardJones.Create(3, Pair, smooth), () => DampedShiftedCoulomb.Create(0.25, 6.5), () => Morse.Create(3, (_, _) => new MorsePair(0.2, 1.2, 2.5, 3.7), smooth));
    }

    private static Atoms Sample(double[]? rows = null, bool[]? periodic = null)
    {
        var random = new Random(7);
        var cell = new Cell(rows ?? [7, 0, 0, 1.5, 6.5, 0, -1.2, 0.8, 8], periodic, [0.3, -1, 2]);
        const int n = 24;
        var positions = new double[3 * n];
        for (int i = 0; i < n; i++)
        {
            // A jittered grid: no overlaps.
            var (x, y, z) = cell.Cartesian((i % 2 + 0.25 * random.NextDouble()) / 2, (i / 2 % 3 + 0.2 * random.NextDouble()) / 3, (i / 6 + 0.2 * random.NextDouble()) / 4);
            (positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]) = (x, y, z);
        }
        var atoms = new Atoms([new("A", 1), new("B", 1), new("C", 1)], [.. Enumerable.Range(0, n).Select(i => i * 7 % 3)], positions, cell);
        for (int i = 0; i < n; i++) atoms.Charges[i] = (i % 2 == 0 ? 1 : -1) * (0.5 + 0.1 * (i % 3));
        return atoms;
    }

    private static double Energy(Func<Interaction[]> law, Atoms atoms)
    {
        var results = new CalculatorResults(atoms.Count);
        new ForceField(law()).Compute(atoms, Want.Forces, results);
        return results.Energy;
    }

    // Central differences of fourth order: the error is rounding, 1e-15 of the energies of ~100 eV by h; a longer step would take pairs over the
    // cutoff, where the second derivative jumps.
    [TestCaseSource(nameof(Laws))]
    public void ForcesAndVirialAreDerivatives(Func<Interaction[]> law)
    {
        foreach (bool[] periodic in new[] { new[] { true, true, true }, [true, false, true], [false, false, false] })
        {
            var atoms = Sample(periodic: periodic);
            var results = new CalculatorResults(atoms.Count);
            new ForceField(law()).Compute(atoms, Want.Virial, results);
            double scale = results.Forces.Max(Math.Abs);
            const double h = 2e-5;
            for (int k = 0; k < 3 * 8; k++)
            {
                double At(double d)
                {
                    var moved = Sample(periodic: periodic);
                    moved.Positions[k] += d;
                    return Energy(law, moved);
                }
                double force = -(8 * (At(h) - At(-h)) - (At(2 * h) - At(-2 * h))) / (12 * h);
                Assert.That(results.Forces[k], Is.EqualTo(force).Within(1e-7 * scale), $"force {k}");
            }
            for (int k = 0; k < 3; k++)
                Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => results.Forces[3 * i + k]), Is.EqualTo(0).Within(1e-12 * scale * atoms.Count), "sum of forces");
            (int, int)[] voigt = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
            double most = results.Virial.Max(Math.Abs);
            for (int k = 0; k < 6; k++)
            {
                double At(double strain) => Energy(law, Strained(periodic, voigt[k].Item1, voigt[k].Item2, strain));
                double virial = -(8 * (At(h) - At(-h)) - (At(2 * h) - At(-2 * h))) / (12 * h);
                Assert.That(results.Virial[k], Is.EqualTo(virial).Within(1e-6 * most), $"virial {k}");
            }
        }
    }

    /// <summary>r → r + strain · r_b e_a of everything about the cell's origin.</summary>
    private static Atoms Strained(bool[] periodic, int a, int b, double strain)
    {
        var atoms = Sample(periodic: periodic);
        double[] rows = atoms.Cell.Rows.ToArray(), origin = atoms.Cell.Origin.ToArray();
        for (int v = 0; v < 3; v++) rows[3 * v + a] += strain * rows[3 * v + b];
        for (int i = 0; i < atoms.Count; i++) atoms.Positions[3 * i + a] += strain * (atoms.Positions[3 * i + b] - origin[b]);
        atoms.Cell = atoms.Cell.WithRows(rows);
        return atoms;
    }

    // Sums in another order: rounding only.
    [TestCaseSource(nameof(Laws))]
    public void ScalarIsWide(Func<Interaction[]> law)
    {
        var atoms = Sample();
        CalculatorResults wide = new(atoms.Count), scalar = new(atoms.Count), bare = new(atoms.Count);
        new ForceField(law()).Compute(atoms, Want.Virial, wide);
        new ForceField(law()).Compute(atoms, Want.Virial | Want.PerAtom, scalar);
        new ForceField(law()).Compute(atoms, Want.Virial | Want.NoEnergy, bare);
        double scale = wide.Forces.Max(Math.Abs);
        Assert.Multiple(() =>
        {
            Assert.That(wide.Forces, Is.EqualTo(scalar.Forces).Within(1e-12 * scale));
            Assert.That(bare.Forces, Is.EqualTo(wide.Forces), "the energy does not change the bits of the forces");
            Assert.That(wide.Energy, Is.EqualTo(scalar.Energy).Within(1e-12 * scalar.AtomEnergies.Sum(Math.Abs)));
            Assert.That(wide.Virial, Is.EqualTo(scalar.Virial).Within(1e-11 * scale * 10));
            Assert.That(scalar.AtomEnergies.Sum(), Is.EqualTo(scalar.Energy).Within(1e-12 * scalar.AtomEnergies.Sum(Math.Abs)));
            for (int k = 0; k < 6; k++)
                Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => scalar.AtomVirials[6 * i + k]), Is.EqualTo(scalar.Virial[k]).Within(1e-11 * scale * 10));
        });
    }

    // Two charges: φ against erfc(αr)/r written down with Kummer's series of erf, which needs no library and is exact at these arguments.
    [Test]
    public void SeriesOfErf([Values(0.05, 0.2, 0.4)] double alpha)
    {
        const double cutoff = 9, k = Codata.CoulombInEvAngstrom;
        foreach (double r in new[] { 0.5, 1.7, 4.2, 8.9 })
        {
            var atoms = new Atoms([new("A", 1)], [0, 0], [0, 0, 0, r, 0, 0], Cell.Box(30, 30, 30, [false, false, false]));
            (atoms.Charges[0], atoms.Charges[1]) = (0.7, -1.3);
            var results = new CalculatorResults(2);
            new ForceField(DampedShiftedCoulomb.Create(alpha, cutoff)).Compute(atoms, Want.Forces, results);
            double c = 2 * alpha / Math.Sqrt(Math.PI), edge = (1 - Erf(alpha * cutoff)) / cutoff, b = edge / cutoff + c * Math.Exp(-alpha * alpha * cutoff * cutoff) / cutoff;
            double pair = k * 0.7 * -1.3 * ((1 - Erf(alpha * r)) / r - edge + b * (r - cutoff)), self = -0.5 * k * (0.49 + 1.69) * (c + edge + b * cutoff);
            double force = k * 0.7 * -1.3 * ((1 - Erf(alpha * r)) / (r * r) + c * Math.Exp(-alpha * alpha * r * r) / r - b);
            Assert.That(results.Energy, Is.EqualTo(pair + self).Within(1e-13 * k), $"r = {r}");
            Assert.That(results.Forces[3], Is.EqualTo(force).Within(1e-14 * k * Math.Max(1, 1 / (r * r))), $"r = {r}");
        }
    }

    /// <summary>erf z = 2/√π e^(−z²) Σ 2ⁿ z²ⁿ⁺¹/(2n + 1)!!: all terms positive.</summary>
    private static double Erf(double z)
    {
        double term = z, sum = 0;
        for (int n = 1; term > 1e-18 * sum; n++)
        {
            sum += term;
            term *= 2 * z * z / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-z * z) * sum;
    }

    // Walls and indenters carried along by a strain: then the virial is the derivative, as stated.
    [Test]
    public void VirialOfIndenterIsAboutItsCenter()
    {
        double[] center = [3, 2, 9], rows = [20, 0, 0, 0, 20, 0, 0, 0, 20];
        Atoms At(double strain) => new([new("A", 1)], [0], [center[0] + 1.1 * (1 + strain), center[1] - 0.4, center[2] - 1.3], new Cell(rows));
        var results = new CalculatorResults(1);
        Func<Interaction[]> law = () => [Indenter.Sphere(2, 4, center)];
        new ForceField(law()).Compute(At(0), Want.Virial, results);
        Assert.That(results.Virial[0], Is.EqualTo(-(Energy(law, At(1e-4)) - Energy(law, At(-1e-4))) / 2e-4).Within(1e-6));
        // The nearest image acts, wherever the cell is cut.
        var image = new Atoms([new("A", 1)], [0], [19.5, 10, 10], new Cell(rows));
        Assert.That(Energy(() => [Indenter.Sphere(2, 4, [0.5, 10, 10])], image), Is.EqualTo(2.0 / 3 * 27).Within(1e-12));
    }

    [Test]
    public void BadInput()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => LennardJones.Create(2, (_, _) => new LennardJonesPair(1, -1, 2.5)), Throws.TypeOf<InputException>().With.Message.Contains("types 1 and 1"));
            Assert.That(() => Morse.Create(1, (_, _) => new MorsePair(1, 0, 1, 2)), Throws.TypeOf<InputException>());
            Assert.That(() => Buckingham.Create(1, (_, _) => new BuckinghamPair(1, 0.3, double.NaN, 2)), Throws.TypeOf<InputException>());
            Assert.That(() => DampedShiftedCoulomb.Create(2, 9), Throws.TypeOf<InputException>().With.Message.Contains("beyond 6"));
            Assert.That(() => Wall.Harmonic([0, 0, 0], 0, 1, 1), Throws.TypeOf<InputException>());
            Assert.That(() => Wall.LennardJones93([0, 0, 1], 0, 1, 0, 1), Throws.TypeOf<InputException>());
            Assert.That(() => Indenter.Sphere(-1, 1, [0, 0, 0]), Throws.TypeOf<InputException>());
            // Fewer kinds of parameters than of atoms.
            Assert.That(() => Energy(() => [Lj()], Sample()), Throws.TypeOf<InputException>().With.Message.Contains("3"));
            Assert.That(() => Energy(() => [Indenter.Sphere(1, 6, [0, 0, 0])], Sample()), Throws.TypeOf<InputException>().With.Message.Contains("image"));
            Assert.That(() => Energy(() => [Wall.LennardJones126([0, 0, 1], 4, 1, 1, 3)], Sample()), Throws.TypeOf<NumericalException>().With.Message.Contains("behind"));
        });
    }

    // Rounding of the edge's length must not make an axis along it an oblique one.
    [Test]
    public void CylinderAlongAnEdge()
    {
        for (int k = 0; k < 40; k++)
        {
            var atoms = new Atoms([new("A", 1)], [0], [1, 1, 1], new Cell([30, 0, 0, 0.37 * k, 31, 0, 0, 0, 32]));
            Assert.That(() => new ForceField(Indenter.Cylinder(1, 3, [5, 5, 5], [0.37 * k, 31, 0])).Compute(atoms, Want.Forces, new CalculatorResults(1)), Throws.Nothing);
        }
    }
}
