using System.Text.Json;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Bonded terms, 1–4 scaling and exclusions.</summary>
public sealed unsafe class MolecularTests
{
    private const double Degree = Math.PI / 180;

    /// <summary>Two branched molecules in a triclinic cell smaller than twice the cutoff, all kinds of terms, as LAMMPS computes them.</summary>
    internal sealed class Case
    {
        public Atoms Atoms { get; }
        public JsonElement Json { get; } = TestData.Json("md/molecular_triclinic.json");
        public double CoulombConstant => Json.GetProperty("coulomb_constant").GetDouble();
        public double Cutoff => Json.GetProperty("cutoff").GetDouble();
        public Func<int, int, (double A, double B)> LennardJones { get; }

        public Case()
        {
            double[] eps = Numbers("lennard_jones_epsilon"), sigma = Numbers("lennard_jones_sigma");
            // pair_modify mix arithmetic
            LennardJones = MolecularForceField.Mixed([(eps[0], sigma[0]), (eps[1], sigma[1])]);
            var t = new Topology();
            foreach (var b in Rows("bond_types_k_r0_k3_k4")) t.BondTypes.Add(new(b[0], b[1], b[2], b[3]));
            foreach (var a in Rows("angle_types_k_theta0")) t.AngleTypes.Add(new(a[0], a[1] * Degree));
            foreach (var d in Rows("dihedral_types_k_n_delta")) t.DihedralTypes.Add(new(d[0], (int)d[1], d[2] * Degree));
            foreach (var i in Rows("improper_types_k_chi0")) t.ImproperTypes.Add(new(i[0], i[1] * Degree));
            foreach (var b in Integers("bonds")) t.Bonds.Add((b[0], b[1], b[2]));
            foreach (var a in Integers("angles")) t.Angles.Add((a[0], a[1], a[2], a[3]));
            foreach (var d in Integers("dihedrals")) t.Dihedrals.Add((d[0], d[1], d[2], d[3], d[4]));
            foreach (var i in Integers("impropers")) t.Impropers.Add((i[0], i[1], i[2], i[3], i[4]));
            HashSet<(int, int)> near = [];
            foreach (var (i, j, _) in t.Bonds) Add(i, j, 0, 0);
            foreach (var (i, _, k, _) in t.Angles) Add(i, k, 0, 0);
            foreach (var (i, _, _, l, _) in t.Dihedrals) Add(i, l, 0.8333333333333334, 0.5);
            void Add(int i, int j, double c, double l)
            {
                if (near.Add((Math.Min(i, j), Math.Max(i, j)))) t.Scaled.Add((Math.Min(i, j), Math.Max(i, j), c, l));
            }
            int[] types = [.. Json.GetProperty("type").EnumerateArray().Select(v => v.GetInt32())];
            Atoms = new Atoms([new("C", 12), new("N", 14)], types, [.. Rows("positions").SelectMany(r => r)], new Cell([.. Rows("cell_rows_abc").SelectMany(r => r)])) { Topology = t };
            Numbers("charges").CopyTo(Atoms.Charges, 0);
        }

        public double[] Numbers(string key) => [.. Json.GetProperty(key).EnumerateArray().Select(v => v.GetDouble())];
        public double[][] Rows(string key) => [.. Json.GetProperty(key).EnumerateArray().Select(r => r.EnumerateArray().Select(v => v.GetDouble()).ToArray())];
        private int[][] Integers(string key) => [.. Rows(key).Select(r => r.Select(v => (int)v).ToArray())];

        public ForceField Field() => MolecularForceField.FromTopology(Atoms, LennardJones, Cutoff, [PlainCoulomb.Create(2, Cutoff, CoulombConstant)], coulombConstant: CoulombConstant);
    }

    private static CalculatorResults Compute(Atoms atoms, Want want, params Interaction[] terms)
    {
        var results = new CalculatorResults(atoms.Count);
        new ForceField(terms).Compute(atoms, want, results);
        return results;
    }

    private static double Distance(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();

    /// <summary>Every term, forces, energies per atom and the virial; LAMMPS computes angles by acos, which costs some digits: 1e-10 relative.</summary>
    [Test]
    public void AgreesWithLammps([Values(Want.Virial, Want.Virial | Want.PerAtom)] Want want)
    {
        var c = new Case();
        var field = c.Field();
        Assert.That(field.Interactions, Has.Count.EqualTo(7));
        var reference = c.Json.GetProperty("terms_eV");
        double Term(params int[] which) => which.Sum(k => Compute(c.Atoms, want, field.Interactions[k]).Energy);
        var all = new CalculatorResults(c.Atoms.Count);
        field.Compute(c.Atoms, want, all);
        double[] forces = [.. c.Rows("forces").SelectMany(r => r)], w = c.Numbers("virial_sum_r_f_xx_yy_zz_xy_xz_yz");
        var scaledLennardJones = ScaledPairs.Create(c.Atoms, c.LennardJones, 0, 8);
        var scaledCoulomb = ScaledPairs.Create(c.Atoms, (_, _) => (0, 0), c.CoulombConstant, 8);
        Assert.Multiple(() =>
        {
            Assert.That(Term(0), Is.EqualTo(reference.GetProperty("bond").GetDouble()).Within(1e-10).Percent, "bonds");
            Assert.That(Term(1), Is.EqualTo(reference.GetProperty("angle").GetDouble()).Within(1e-9).Percent, "angles");
            Assert.That(Term(2), Is.EqualTo(reference.GetProperty("dihedral").GetDouble()).Within(1e-9).Percent, "dihedrals");
            Assert.That(Term(3), Is.EqualTo(reference.GetProperty("improper").GetDouble()).Within(1e-9).Percent, "impropers");
            Assert.That(Compute(c.Atoms, want, scaledLennardJones, field.Interactions[5]).Energy, Is.EqualTo(reference.GetProperty("lennard_jones").GetDouble()).Within(1e-11), "Lennard-Jones");
            Assert.That(Compute(c.Atoms, want, scaledCoulomb, field.Interactions[6]).Energy, Is.EqualTo(reference.GetProperty("coulomb").GetDouble()).Within(1e-11), "Coulomb");
            Assert.That(Distance(all.Forces, forces), Is.LessThan(1e-10 * forces.Max(Math.Abs)), "forces");
            Assert.That(Distance(all.Virial, [w[0], w[1], w[2], w[5], w[4], w[3]]), Is.LessThan(1e-10 * w.Max(Math.Abs)), "virial");
            if ((want & Want.PerAtom) == 0) return;
            Assert.That(Distance(all.AtomEnergies, c.Numbers("per_atom_energy")), Is.LessThan(1e-9), "energies per atom");
            for (int k = 0; k < 6; k++) Assert.That(Enumerable.Range(0, c.Atoms.Count).Sum(i => all.AtomVirials[6 * i + k]), Is.EqualTo(all.Virial[k]).Within(1e-10 * w.Max(Math.Abs)));
        });
    }

    // Central differences of step h = 1e-5: h² E''' / 6 ~ 1e-10 · 1e3, and 1e-14 E / h ~ 1e-8.
    [Test]
    public void ForcesAreTheGradient([Range(0, 6)] int term)
    {
        var c = new Case();
        var one = c.Field().Interactions[term];
        var atoms = c.Atoms;
        double[] forces = Compute(atoms, Want.Virial, one).Forces;
        const double H = 1e-5;
        for (int k = 0; k < forces.Length; k++)
        {
            double x = atoms.Positions[k];
            atoms.Positions[k] = x + H;
            double up = Compute(atoms, Want.Forces, one).Energy;
            atoms.Positions[k] = x - H;
            double down = Compute(atoms, Want.Forces, one).Energy;
            atoms.Positions[k] = x;
            Assert.That(forces[k], Is.EqualTo((down - up) / (2 * H)).Within(term >= 5 ? 2e-5 : 2e-6), $"coordinate {k}");
        }
        for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => forces[3 * i + k]), Is.EqualTo(0).Within(1e-12), "Newton's third law");
    }

    [Test]
    public void WideIsScalar([Range(0, 6)] int term)
    {
        var c = new Case();
        var one = c.Field().Interactions[term];
        var (wide, scalar) = (Compute(c.Atoms, Want.Virial, one), Compute(c.Atoms, Want.Virial | Want.PerAtom, one));
        Assert.Multiple(() =>
        {
            Assert.That(wide.Energy, Is.EqualTo(scalar.Energy).Within(1e-13 * (1 + Math.Abs(scalar.Energy))));
            Assert.That(Distance(wide.Forces, scalar.Forces), Is.LessThan(1e-12 * (1 + scalar.Forces.Max(Math.Abs))));
            Assert.That(Distance(wide.Virial, scalar.Virial), Is.LessThan(1e-11 * (1 + scalar.Forces.Max(Math.Abs))));
        });
    }

    /// <summary>Where atoms are stored, and through which faces a molecule reaches, does not matter.</summary>
    [Test]
    public void WrappingChangesNothing()
    {
        var c = new Case();
        var before = new CalculatorResults(c.Atoms.Count);
        var after = new CalculatorResults(c.Atoms.Count);
        c.Field().Compute(c.Atoms, Want.Virial, before);
        for (int i = 0; i < c.Atoms.Count; i++)
        {
            var (x, y, z) = c.Atoms.Cell.Shift(i % 3 - 1, i % 2, -(i % 4));
            (c.Atoms.Positions[3 * i], c.Atoms.Positions[3 * i + 1], c.Atoms.Positions[3 * i + 2]) = (c.Atoms.Positions[3 * i] + x + 3.1, c.Atoms.Positions[3 * i + 1] + y - 2.2, c.Atoms.Positions[3 * i + 2] + z + 4.3);
        }
        c.Field().Compute(c.Atoms, Want.Virial, after);
        Assert.That(after.Energy, Is.EqualTo(before.Energy).Within(1e-12 * Math.Abs(before.Energy)));
        Assert.That(Distance(after.Forces, before.Forces), Is.LessThan(1e-11 * before.Forces.Max(Math.Abs)));
        Assert.That(Distance(after.Virial, before.Virial), Is.LessThan(1e-10 * before.Virial.Max(Math.Abs)));
    }

    /// <summary>Half, full and cluster lists of one domain leave the same pairs out: all that brute force over images finds, except the nearest copy of excluded partners.</summary>
    [Test]
    public void ListsLeaveExcludedPairsOut([Values(3.0, 7.0, 12.0)] double reach)
    {
        var c = new Case();
        var d = new Domain(c.Atoms, reach, 0, ListKind.Clusters | ListKind.Half | ListKind.Full);
        var expected = BruteForce(c.Atoms, reach);
        List<(int, int, long)> full = [], half = [], clusters = [];
        (int, int, long) Key(int s, int t)
        {
            double r2 = Square(0) + Square(8) + Square(16);
            double Square(int k) => Math.Pow(d.X[s / 8 * 24 + s % 8 + k] - d.X[t / 8 * 24 + t % 8 + k], 2);
            return (Math.Min(d.Tag[s], d.Tag[t]), Math.Max(d.Tag[s], d.Tag[t]), r2 < reach * reach && d.Tag[s] >= 0 && d.Tag[t] >= 0 ? (long)Math.Round(r2 * 1e8) : -1);
        }
        for (int s = 0; s < d.OwnedSlots; s++)
        {
            for (int k = d.Full.Start[s]; k < d.Full.Start[s + 1]; k++) full.Add(Key(s, d.Full.Index[k]));
            for (int k = d.Half.Start[s]; k < d.Half.Start[s + 1]; k++) half.Add(Key(s, d.Half.Index[k]));
            for (int l = s % 8 + 1; l < 8; l++) if ((d.Pairs.Inside[s] >> l & 1) != 0) clusters.Add(Key(s, s / 8 * 8 + l));
            for (int l = 0; l < 8; l++)
            {
                for (int k = d.Pairs.RowStart[s]; k < d.Pairs.RowStart[s + 1]; k++) clusters.Add(Key(s, d.Pairs.Offset[k] / 3 + l));
                for (int k = d.Pairs.MaskedRowStart[s]; k < d.Pairs.MaskedRowStart[s + 1]; k++) if ((d.Pairs.Mask[k] >> l & 1) != 0) clusters.Add(Key(s, d.Pairs.MaskedOffset[k] / 3 + l));
            }
        }
        static List<(int, int, long)> Sorted(IEnumerable<(int, int, long)> pairs) => [.. pairs.Where(p => p.Item3 >= 0).Order()];
        Assert.Multiple(() =>
        {
            Assert.That(Sorted(half), Is.EqualTo(expected));
            Assert.That(Sorted(clusters), Is.EqualTo(expected));
            Assert.That(Sorted(full), Is.EqualTo(Sorted(expected.Concat(expected))));
        });
    }

    private static List<(int, int, long)> BruteForce(Atoms a, double reach)
    {
        var excluded = a.Topology!.Scaled.Select(s => (s.I, s.J)).ToHashSet();
        List<(int, int, long)> pairs = [];
        for (int i = 0; i < a.Count; i++)
            for (int j = i; j < a.Count; j++)
            {
                List<double> found = [];
                for (int u = -3; u <= 3; u++)
                    for (int v = -3; v <= 3; v++)
                        for (int w = -3; w <= 3; w++)
                        {
                            var (x, y, z) = a.Cell.Shift(u, v, w);
                            double[] r = a.Positions;
                            double r2 = Math.Pow(r[3 * j] + x - r[3 * i], 2) + Math.Pow(r[3 * j + 1] + y - r[3 * i + 1], 2) + Math.Pow(r[3 * j + 2] + z - r[3 * i + 2], 2);
                            // An atom and its own images: each pair of opposite images once.
                            if (i != j || (u, v, w).CompareTo((0, 0, 0)) > 0) found.Add(r2);
                        }
                found.Sort();
                if (excluded.Contains((i, j))) found.RemoveAt(0);
                pairs.AddRange(found.Where(r2 => r2 < reach * reach).Select(r2 => (i, j, (long)Math.Round(r2 * 1e8))));
            }
        return [.. pairs.Order()];
    }

    private static Atoms Few(Topology topology, params double[] positions) =>
        new([new Species("C", 12)], new int[positions.Length / 3], positions, Cell.Box(50, 50, 50, [false, false, false])) { Topology = topology };

    /// <summary>E = Σ k (1 + cos(n φ − δ)) against the formula with φ built into the positions, cis and trans included, where the division by sin φ of other formulas fails.</summary>
    [Test]
    public void DihedralsKnowTheirAngle([Values(-180, -179.9999999, -120, -90, -0.0000001, 0, 1, 60, 135, 180)] double degrees)
    {
        var t = new Topology();
        t.DihedralTypes.AddRange([new(0.3, 1, 0.4), new(0.2, 2, Math.PI), new(0.1, 3, -1), new(0.05, 6, 0.2), new(0.7, 0, 1)]);
        for (int k = 0; k < 5; k++) t.Dihedrals.Add((0, 1, 2, 3, k));
        double phi = degrees * Degree;
        // IUPAC: looking from j to k, clockwise from i to l is positive.
        var atoms = Few(t, 1, 0, -0.3, 0, 0, 0, 0, 0, 1.5, Math.Cos(phi), Math.Sin(phi), 1.8);
        double energy = t.DihedralTypes.Sum(d => d.K * (1 + Math.Cos(d.N * phi - d.Delta))), slope = t.DihedralTypes.Sum(d => d.K * d.N * Math.Sin(d.N * phi - d.Delta));
        foreach (var want in new[] { Want.Virial, Want.Virial | Want.PerAtom })
        {
            var r = Compute(atoms, want, Dihedrals.Create(t, 0));
            Assert.Multiple(() =>
            {
                Assert.That(r.Energy, Is.EqualTo(energy).Within(1e-14));
                // Atom l sits at distance 1 from the axis: the force along its circle is −dE/dφ.
                Assert.That(-Math.Sin(phi) * r.Forces[9] + Math.Cos(phi) * r.Forces[10], Is.EqualTo(slope).Within(1e-13));
                Assert.That(Math.Cos(phi) * r.Forces[9] + Math.Sin(phi) * r.Forces[10], Is.EqualTo(0).Within(1e-13));
            });
        }
    }

    /// <summary>A straight angle with θ₀ = π is a spring across the axis: F = 2 k (x/a)·(1/a + …), finite down to θ = π.</summary>
    [Test]
    public void StraightAngles([Values(0.1, 1e-4, 1e-7, 1e-9, 0)] double x)
    {
        var t = new Topology();
        t.AngleTypes.Add(new(1.5, Math.PI));
        t.Angles.Add((0, 1, 2, 0));
        var atoms = Few(t, -1, 0, 0, 0, x, 0, 1, 0, 0);
        double bend = 2 * Math.Atan(x);
        foreach (var want in new[] { Want.Virial, Want.Virial | Want.PerAtom })
        {
            var r = Compute(atoms, want, Angles.Create(t, 0));
            Assert.Multiple(() =>
            {
                Assert.That(r.Energy, Is.EqualTo(1.5 * bend * bend).Within(1e-15 + 1e-9 * x));
                Assert.That(r.Forces[4], Is.EqualTo(-2 * 1.5 * bend * 2 / (1 + x * x)).Within(1e-12 + 1e-9 * x));
                Assert.That(r.Forces.All(double.IsFinite));
            });
        }
    }

    [Test]
    public void ThreeAtomsOnALineHaveNoTorsion()
    {
        var t = new Topology();
        t.DihedralTypes.Add(new(1, 3, 0));
        t.ImproperTypes.Add(new(1, 0.5));
        t.Dihedrals.Add((0, 1, 2, 3, 0));
        t.Impropers.Add((0, 1, 2, 3, 0));
        var atoms = Few(t, 0, 0, -1, 0, 0, 0, 0, 0, 1, 1, 0, 2);
        foreach (var want in new[] { Want.Virial, Want.Virial | Want.PerAtom })
            Assert.That(Compute(atoms, want, Dihedrals.Create(t, 0), Impropers.Create(t, 0)).Forces.All(double.IsFinite));
    }

    [Test]
    public void Refuses()
    {
        var t = new Topology();
        t.BondTypes.Add(new(1, double.NaN));
        t.AngleTypes.Add(new(1, 1));
        t.Angles.Add((0, 1, 2, 3));
        t.DihedralTypes.Add(new(1, -2, 0));
        t.Scaled.Add((0, 7, 0, 0));
        var atoms = Few(t, 0, 0, 0, 1, 0, 0, 2, 0, 0);
        Assert.Multiple(() =>
        {
            Assert.That(Assert.Throws<InputException>(() => Bonds.Create(t, 3))!.Message, Does.Contain("bond type 1 has a parameter NaN"));
            Assert.That(Assert.Throws<InputException>(() => Angles.Create(t, 3))!.Message, Does.Contain("angle 1 has type 4; there are 1"));
            Assert.That(Assert.Throws<InputException>(() => Dihedrals.Create(t, 3))!.Message, Does.Contain("-2 waves"));
            Assert.That(Assert.Throws<InputException>(() => new Domain(atoms, 3, 0, ListKind.Half))!.Message, Does.Contain("atoms 1 and 8"));
            Assert.That(Assert.Throws<InputException>(() => PlainCoulomb.Create(1, 0))!.Message, Does.Contain("positive"));
            Assert.That(Assert.Throws<InputException>(() => MolecularForceField.FromTopology(new Atoms(atoms.Species, [0], [0, 0, 0], Cell.Box(5, 5, 5)), (_, _) => (0, 0), 3))!.Message, Does.Contain("needs atoms with a topology"));
            Assert.That(Assert.Throws<InputException>(() => MolecularForceField.FromTopology(new Atoms(atoms.Species, [0], [0, 0, 0], Cell.Box(5, 5, 5)) { Topology = new Topology() }, (_, _) => (0, 0), double.PositiveInfinity))!.Message,
                Does.Contain("infinite cutoff"));
        });
        var torn = new Topology();
        torn.BondTypes.Add(new(1, 1));
        torn.Bonds.Add((0, 1, 0));
        var apart = new Atoms(atoms.Species, [0, 0], [0, 0, 0, 4, 0, 0], Cell.Box(20, 20, 20)) { Topology = torn };
        // The halo fits the bonds as they were at the start: 4 Å and a quarter more.
        var (field, results) = (new ForceField(Bonds.Create(torn, 3)), new CalculatorResults(2));
        field.Compute(apart, Want.Forces, results);
        apart.Positions[3] = 9;
        Assert.That(Assert.Throws<NumericalException>(() => field.Compute(apart, Want.Forces, results))!.Message, Does.Contain("the bond of atoms 1, 2 is longer than the halo of 5 Å"));
    }

    // A bond that grew by more than the halo allows for, in a box so small that a farther image lies within the cutoff: never that one instead.
    [TestCase(1.4, true)]
    [TestCase(2, false)]
    [TestCase(2.5, false)]
    public void AGrownBondIsNotTakenForItsImage(double length, bool known)
    {
        var topology = new Topology();
        topology.BondTypes.Add(new(5, 1.8));
        topology.Bonds.Add((0, 1, 0));
        topology.Scaled.Add((0, 1, 0, 0));
        var atoms = new Atoms([new("A", 1)], [0, 0], [0.4, 5, 5, -0.6, 5, 5], Cell.Box(10, 10, 10)) { Topology = topology };
        var (field, results) = (MolecularForceField.FromTopology(atoms, (_, _) => (0, 1e-30), 9), new CalculatorResults(2));
        field.Compute(atoms, Want.Forces, results);
        atoms.Positions[3] = 0.4 - length;
        if (!known)
        {
            Assert.That(() => field.Compute(atoms, Want.Forces, results), Throws.TypeOf<NumericalException>().With.Message.Contains("the bond of atoms 1, 2"));
            return;
        }
        field.Compute(atoms, Want.Forces, results);
        Assert.That(results.Energy, Is.EqualTo(5 * Math.Pow(length - 1.8, 2)).Within(1e-12));
    }
}
