using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Amber files, and the terms of their force field against OpenMM's reference platform (double; numbers and units in tests/data/md/amber).</summary>
public sealed class AmberTests
{
    private const string Vacuum = "alanine_dipeptide_vacuum", Water = "alanine_dipeptide_water";

    private static string Prmtop(string name) => TestData.File($"md/amber/{name}.prmtop");

    private static (AmberTopology Topology, Atoms Atoms) Load(string name) => AmberTopology.Read(Prmtop(name), TestData.File($"md/amber/{name}.inpcrd"));

    // The reference converts kJ/mol by 96485.33212 C/mol.
    private static double Constant(System.Text.Json.JsonElement json) => json.GetProperty("coulomb_constant_kJ_nm_per_mol_e2").GetDouble() * 10 * 1000 / 96485.33212;

    private static double Energy(Interaction[] terms, Atoms atoms, Want want)
    {
        if (terms.Length == 0) return 0;
        var results = new CalculatorResults(atoms.Count);
        new ForceField(terms).Compute(atoms, want, results);
        if ((want & Want.PerAtom) != 0) Assert.That(results.AtomEnergies.Sum(), Is.EqualTo(results.Energy).Within(1e-9));
        return results.Energy;
    }

    /// <summary>1e-8 eV for every term. OpenMM mixes σ and ε of the types, here the file's A and B are used: both have nine digits.</summary>
    [Test]
    public void VacuumTermByTerm([Values(Want.Virial, Want.Virial | Want.PerAtom)] Want want)
    {
        var json = TestData.Json($"md/amber/openmm_{Vacuum}.json");
        var (topology, atoms) = Load(Vacuum);
        var terms = json.GetProperty("terms_eV");
        double constant = Constant(json), all = MolecularForceField.NoCutoff;
        var coulomb = PlainCoulomb.Create(atoms.Species.Count, all, constant);
        var field = MolecularForceField.FromTopology(atoms, topology.LennardJones, all, [coulomb], coulombConstant: constant);
        Assert.That(field.Interactions, Has.Count.EqualTo(6), "bonds, angles, dihedrals, scaled pairs, Lennard-Jones, Coulomb");
        double Term(params int[] which) => Energy([.. which.Select(k => field.Interactions[k])], atoms, want);
        var scaledCoulomb = ScaledPairs.Create(atoms, (_, _) => (0, 0), constant, 20);
        var scaledLennardJones = ScaledPairs.Create(atoms, topology.LennardJones, 0, 20);
        Assert.Multiple(() =>
        {
            Assert.That(Term(0), Is.EqualTo(terms.GetProperty("bond").GetDouble()).Within(1e-8), "bonds");
            Assert.That(Term(1), Is.EqualTo(terms.GetProperty("angle").GetDouble()).Within(1e-8), "angles");
            Assert.That(Term(2), Is.EqualTo(terms.GetProperty("torsion_proper_and_improper").GetDouble()).Within(1e-8), "torsions");
            Assert.That(Energy([scaledLennardJones, field.Interactions[4]], atoms, want), Is.EqualTo(terms.GetProperty("lennard_jones_with_1_4").GetDouble()).Within(1e-8), "Lennard-Jones");
            Assert.That(Energy([scaledCoulomb, coulomb], atoms, want), Is.EqualTo(terms.GetProperty("coulomb_with_1_4").GetDouble()).Within(1e-8), "Coulomb");
        });
        var results = new CalculatorResults(atoms.Count);
        field.Compute(atoms, want, results);
        Assert.That(results.Energy, Is.EqualTo(json.GetProperty("energy_total_eV").GetDouble()).Within(2e-8));
        CompareForces(json, results.Forces);
    }

    private static void CompareForces(System.Text.Json.JsonElement json, double[] forces)
    {
        double[] reference = [.. json.GetProperty("forces_eV_per_A").EnumerateArray().SelectMany(r => r.EnumerateArray().Select(v => v.GetDouble()))];
        Assert.That(forces.Zip(reference, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-7), "forces, eV/Å");
    }

    [Test]
    public void WaterTermByTerm([Values(Want.Virial, Want.Virial | Want.PerAtom)] Want want)
    {
        var json = TestData.Json($"md/amber/openmm_{Water}.json");
        var (topology, atoms) = Load(Water);
        var terms = json.GetProperty("terms_eV");
        var field = MolecularForceField.FromTopology(atoms, topology.LennardJones, 9);
        Assert.Multiple(() =>
        {
            Assert.That(Energy([field.Interactions[0]], atoms, want), Is.EqualTo(terms.GetProperty("bond").GetDouble()).Within(1e-8), "bonds");
            Assert.That(Energy([field.Interactions[1]], atoms, want), Is.EqualTo(terms.GetProperty("angle").GetDouble()).Within(1e-8), "angles");
            Assert.That(Energy([field.Interactions[2]], atoms, want), Is.EqualTo(terms.GetProperty("torsion_proper_and_improper").GetDouble()).Within(1e-8), "torsions");
            Assert.That(Energy([field.Interactions[3], field.Interactions[4]], atoms, want), Is.EqualTo(terms.GetProperty("lennard_jones_with_1_4").GetDouble()).Within(1e-8), "Lennard-Jones");
        });
    }

    /// <summary>
    /// Everything, with an Ewald sum. OpenMM takes α = √(−ln 2δ)/r_c for its tolerance δ = 1e-9, and its real sum, cut there, is 5e-8 eV off the converged one (seen
    /// with other α and cutoffs here); with the same α the sums agree to 4e-9 of 287 eV.
    /// </summary>
    [Test]
    public void WaterWithEwald([Values(Want.Virial, Want.Virial | Want.PerAtom)] Want want)
    {
        var json = TestData.Json($"md/amber/openmm_{Water}.json");
        var (topology, atoms) = Load(Water);
        double constant = Constant(json);
        var split = new EwaldSplit(Math.Sqrt(-Math.Log(2e-9)) / 9, 9, 1e-13, constant);
        Interaction[] ewald = [CoulombReal.Create(atoms.Species.Count, split), .. Ewald.Reciprocal(new Ewald(atoms, split), split, topology.Topology)];
        var field = MolecularForceField.FromTopology(atoms, topology.LennardJones, 9, ewald, coulombConstant: constant);
        var results = new CalculatorResults(atoms.Count);
        field.Compute(atoms, want, results);
        CompareForces(json, results.Forces);
        Interaction[] coulomb = [ScaledPairs.Create(atoms, (_, _) => (0, 0), constant, 8), .. ewald];
        Assert.Multiple(() =>
        {
            Assert.That(Energy(coulomb, atoms, want), Is.EqualTo(json.GetProperty("terms_eV").GetProperty("coulomb_with_1_4").GetDouble()).Within(1e-8), "Coulomb");
            Assert.That(results.Energy, Is.EqualTo(json.GetProperty("energy_total_eV").GetDouble()).Within(2e-8), "total");
        });
        if (want != Want.Virial) return;
        var converged = MolecularForceField.FromTopology(atoms, topology.LennardJones, 9, Ewald.Create(atoms, 9, 1e-13, constant), coulombConstant: constant);
        converged.Compute(atoms, want, results);
        CompareForces(json, results.Forces);
        Assert.That(results.Energy, Is.EqualTo(json.GetProperty("energy_total_eV").GetDouble()).Within(6e-8), "total, converged");
    }

    [Test]
    public void ReadsWhatTheFilesSay()
    {
        var (topology, atoms) = Load(Water);
        Assert.Multiple(() =>
        {
            Assert.That(atoms.Count, Is.EqualTo(2269));
            Assert.That(atoms.Molecules.Max(), Is.EqualTo(750), "alanine dipeptide and 749 waters");
            Assert.That(atoms.Molecules[21], Is.EqualTo(1));
            Assert.That(atoms.Molecules[22], Is.EqualTo(2));
            Assert.That(topology.Names[8], Is.EqualTo("CA"));
            Assert.That(topology.ResidueNames[topology.Residues[8]], Is.EqualTo("ALA"));
            Assert.That(atoms.Cell.Rows[4], Is.EqualTo(32.861648));
            Assert.That(atoms.Charges.Sum(), Is.EqualTo(0).Within(1e-6));
            Assert.That(atoms.Species[atoms.Types[22]], Is.EqualTo(new Species("O", 16)));
        });
        var rigid = topology.MakeAtoms(AmberCoordinates.Read(TestData.File($"md/amber/{Water}.inpcrd"), true), AmberConstraints.Water).Topology!;
        var hydrogens = topology.MakeAtoms(AmberCoordinates.Read(TestData.File($"md/amber/{Water}.inpcrd"), true), AmberConstraints.Hydrogens).Topology!;
        Assert.Multiple(() =>
        {
            Assert.That(rigid.Constraints, Has.Count.EqualTo(3 * 749));
            Assert.That(rigid.Bonds, Has.Count.EqualTo(21));
            Assert.That(hydrogens.Constraints, Has.Count.EqualTo(3 * 749 + 12));
            Assert.That(hydrogens.Bonds, Has.Count.EqualTo(9));
        });
    }

    [Test]
    public void ReadsVelocitiesAndBoxes()
    {
        string path = Path.Combine(TestData.Scratch(), "a.rst7");
        File.WriteAllText(path, """
            title
                 3  2.5000000E+00
              -1.0000000-100.2500000   3.0000000   4.0000000   5.0000000   6.0000000
               7.0000000   8.0000000   9.0000000
               1.0000000   0.0000000   0.0000000   0.0000000   0.0000000   0.0000000
               0.0000000   0.0000000   2.0000000
              10.0000000  11.0000000  12.0000000 109.4712190 109.4712190 109.4712190

            """.ReplaceLineEndings("\n"));
        var c = AmberCoordinates.Read(path);
        Assert.Multiple(() =>
        {
            Assert.That(c.Time, Is.EqualTo(2500));
            Assert.That(c.Positions[1], Is.EqualTo(-100.25));
            Assert.That(c.Velocities![8], Is.EqualTo(2 * 0.020455).Within(1e-15));
            Assert.That(c.Box, Is.EqualTo(new[] { 10, 11, 12, 109.471219, 109.471219, 109.471219 }));
        });
    }

    // Every fault names the file, the line and the thing.
    [TestCase("%FLAG LENNARD_JONES_ACOEF", "%FLAG LENNARD_JONES_ACOE", "LENNARD_JONES_ACOEF is missing; did you mean 'LENNARD_JONES_ACOE'", 0)]
    [TestCase("%FLAG TITLE", "%FLAG CTITLE", "CHARMM (chamber)", 2)]
    [TestCase("%FLAG HBCUT", "%FLAG CMAP_COUNT", "CMAP", 0)]
    [TestCase("  2.04636429E+00 -6.67300626E+00", "  2.04636429E+00 -6.6730o626E+00", "'-6.6730o626E+00' is not a number", 17)]
    [TestCase("%FORMAT(10I8)", "%FORMAT(tenI8)", "cannot read the format", 6)]
    [TestCase("       3       6       3       3       9       3", "       3       7       3       3       9       3", "7 is no atom", 0)]
    [TestCase("       3       6       3       3       9       3", "       3       6      33       3       9       3", "type 33; there are 8", 0)]
    [TestCase("  5.70000000E+02  4.90000000E+02", "  5.70000000E+02", "has 7 numbers, POINTERS promise 8", 0)]
    public void Refuses(string from, string to, string message, int line)
    {
        string path = Path.Combine(TestData.Scratch(), "bad.prmtop"), text = File.ReadAllText(Prmtop(Vacuum));
        int at = text.IndexOf(from, StringComparison.Ordinal);
        Assert.That(at, Is.GreaterThanOrEqualTo(0));
        File.WriteAllText(path, text[..at] + to + text[(at + from.Length)..]);
        var fault = Assert.Throws<InputException>(() => AmberTopology.Read(path))!.Faults[0];
        Assert.Multiple(() =>
        {
            Assert.That(fault.Message, Does.Contain(message));
            Assert.That(fault.File, Is.EqualTo(path));
            if (line > 0) Assert.That(fault.Line, Is.EqualTo(line));
        });
    }

    [Test]
    public void RefusesWrongCoordinates()
    {
        string folder = TestData.Scratch(), short_ = Path.Combine(folder, "short"), word = Path.Combine(folder, "word"), netcdf = Path.Combine(folder, "netcdf");
        File.WriteAllText(short_, "t\n  4\n   1.0000000   2.0000000   3.0000000\n");
        File.WriteAllText(word, "t\n  1\n   1.0000000   2.00o0000   3.0000000\n");
        File.WriteAllText(netcdf, "CDF\u0002xxxx");
        Assert.Multiple(() =>
        {
            Assert.That(Assert.Throws<InputException>(() => AmberCoordinates.Read(short_))!.Message, Does.Contain("4 atoms need 2 lines"));
            Assert.That(Assert.Throws<InputException>(() => AmberCoordinates.Read(word))!.Message, Does.Contain(":3:13: '2.00o0000' is not a number (position of atom 1)"));
            Assert.That(Assert.Throws<InputException>(() => AmberCoordinates.Read(netcdf))!.Message, Does.Contain("NetCDF"));
            Assert.That(Assert.Throws<InputException>(() => AmberCoordinates.Read(Path.Combine(folder, "none")))!.Message, Does.Contain("no such inpcrd"));
            Assert.That(Assert.Throws<InputException>(() => AmberTopology.Read(Prmtop(Vacuum)).MakeAtoms(AmberCoordinates.Read(word.Replace("word", "short"))))!.Message, Does.Contain("4 atoms need"));
        });
    }

    // Old coordinate files have three lengths; the angle of a truncated octahedron is then that of the parameter file.
    [Test]
    public void AnglesOfTheBoxFromTheTopology()
    {
        string folder = TestData.Scratch(), prmtop = Path.Combine(folder, "octahedron.prmtop"), inpcrd = Path.Combine(folder, "octahedron.inpcrd");
        string[] lines = File.ReadAllLines(Prmtop(Water)), coordinates = File.ReadAllLines(TestData.File($"md/amber/{Water}.inpcrd"));
        int pointers = Array.FindIndex(lines, l => l.StartsWith("%FLAG POINTERS", StringComparison.Ordinal)) + 4, box = Array.FindIndex(lines, l => l.StartsWith("%FLAG BOX_DIMENSIONS", StringComparison.Ordinal)) + 2;
        lines[pointers] = lines[pointers][..56] + "       2" + lines[pointers][64..]; // IFBOX
        lines[box] = "  1.09471219E+02" + lines[box][16..];
        File.WriteAllLines(prmtop, lines);
        File.WriteAllLines(inpcrd, [.. coordinates[..^1], coordinates[^1][..36]]);
        var rows = AmberTopology.Read(prmtop, inpcrd).Atoms.Cell.Rows;
        Assert.That((rows[0] * rows[3] + rows[1] * rows[4]) / (rows[0] * Math.Sqrt(rows[3] * rows[3] + rows[4] * rows[4])), Is.EqualTo(-1.0 / 3).Within(1e-7));
    }

    [Test]
    public void HeavyElementsKeepTheirNames()
    {
        string prmtop = Path.Combine(TestData.Scratch(), "gold.prmtop");
        string[] lines = File.ReadAllLines(Prmtop(Vacuum));
        int mass = Array.FindIndex(lines, l => l.StartsWith("%FLAG MASS", StringComparison.Ordinal)) + 2;
        lines[mass] = "  1.96970000E+02" + lines[mass][16..];
        File.WriteAllLines(prmtop, lines);
        var atoms = AmberTopology.Read(prmtop).MakeAtoms(AmberCoordinates.Read(TestData.File($"md/amber/{Vacuum}.inpcrd")));
        Assert.That(atoms.Species[atoms.Types[0]].Symbol, Is.EqualTo("Au"));
    }
}
