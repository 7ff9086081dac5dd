using System.Diagnostics;
using System.Globalization;
using System.Text;
using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics.IO;

/// <summary>Files of atoms: there and back, read by other programs, and what becomes of broken ones.</summary>
public sealed class AtomFileTests
{
    /// <summary>Two kinds in a tilted cell with everything that a file may hold.</summary>
    private static AtomFrame Sample(bool topology = false)
    {
        var random = new Random(5);
        const int n = 12;
        var cell = new Cell([7, 0, 0, 1.5, 6.5, 0, -0.7, 0.4, 8], [true, true, !topology || true], [-1, 0.5, 2]);
        var positions = new double[3 * n];
        for (int i = 0; i < n; i++)
            (positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]) = cell.Cartesian(3 * random.NextDouble() - 1, random.NextDouble(), random.NextDouble() + 0.1);
        Topology? t = null;
        if (topology)
        {
            // A chain that could be one.
            double[] chain = [0, 0, 0, 1.1, 0.2, 0, 1.6, 1.2, 0.3, 2.6, 1.4, 1];
            for (int k = 3; k < 12; k++) positions[k] = positions[k % 3] + chain[k];
            t = new Topology();
            t.BondTypes.Add(new(4.5, 1.1));
            t.AngleTypes.Add(new(2.5, 1.9));
            t.DihedralTypes.Add(new(0.1, 3, Math.PI));
            t.ImproperTypes.Add(new(1, 0));
            t.Bonds.AddRange([(0, 1, 0), (1, 2, 0), (2, 3, 0)]);
            t.Angles.AddRange([(0, 1, 2, 0), (1, 2, 3, 0)]);
            t.Dihedrals.Add((0, 1, 2, 3, 0));
            t.Impropers.Add((1, 0, 2, 3, 0));
        }
        var atoms = new Atoms([new Species("Si", 28.085), new Species("C", 12.011)], [.. Enumerable.Range(0, n).Select(i => i % 2)], positions, cell)
        {
            Molecules = topology ? [.. Enumerable.Range(0, n).Select(i => i < 4 ? 1 : 2)] : [], Topology = t,
        };
        for (int k = 0; k < 3 * n; k++) atoms.Velocities[k] = 0.01 * (random.NextDouble() - 0.5);
        for (int i = 0; i < n; i++) atoms.Charges[i] = i % 2 == 0 ? 0.4 : -0.4;
        return new AtomFrame(atoms) { Step = 40, Time = 20, Energy = -3.25, Forces = [.. positions.Select(x => 0.1 * x)], Stress = [1, 2, 3, 4, 5, 6], Columns = new Dictionary<string, double[]> { ["csp"] = [.. Enumerable.Range(0, n).Select(i => i + 0.5)] } };
    }

    private static void Same(AtomFrame a, AtomFrame b, double tolerance)
    {
        double[] Values(AtomFrame f) => [.. f.Atoms.Cell.Rows, .. f.Atoms.Cell.Origin, .. f.Atoms.Positions, .. f.Atoms.Charges, .. f.Forces, .. f.Stress, f.Energy ?? 0, f.Time ?? 0, f.Step];
        Assert.Multiple(() =>
        {
            Assert.That(Values(b), Is.EqualTo(Values(a)).Within(tolerance));
            Assert.That(b.Atoms.Velocities, Is.EqualTo(a.Atoms.Velocities).Within(1e-16));
            Assert.That(b.Atoms.Types, Is.EqualTo(a.Atoms.Types));
            Assert.That(b.Atoms.Ids, Is.EqualTo(a.Atoms.Ids));
            Assert.That(b.Atoms.Species, Is.EqualTo(a.Atoms.Species));
            Assert.That(b.Atoms.Cell.Periodic.ToArray(), Is.EqualTo(a.Atoms.Cell.Periodic.ToArray()));
            Assert.That(b.Columns.Keys, Is.EqualTo(a.Columns.Keys));
            foreach (string key in a.Columns.Keys) Assert.That(b.Columns[key], Is.EqualTo(a.Columns[key]));
        });
    }

    [Test]
    public void ExtXyzThereAndBack()
    {
        string file = Path.Combine(TestData.Scratch(), "a.extxyz");
        var frame = Sample();
        ExtXyz.Write(file, [frame, frame with { Step = 41 }]);
        // Text with the shortest digits that read back; the momentum is a product and a quotient of its own.
        Same(frame with { Step = 41 }, ExtXyz.Read(file), 0);
        Assert.That(ExtXyz.ReadAll(file).Select(f => f.Step), Is.EqualTo([40L, 41L]));
    }

    [Test]
    public void DumpThereAndBack()
    {
        string file = Path.Combine(TestData.Scratch(), "a.dump");
        var frame = Sample();
        LammpsDump.Write(file, [frame, frame with { Step = 41 }]);
        // A dump holds no energy and stress; its bounds are sums.
        Same(frame with { Step = 41, Energy = null, Stress = [] }, LammpsDump.Read(file), 1e-14);
    }

    [Test]
    public void DataThereAndBack([Values] bool topology)
    {
        string file = Path.Combine(TestData.Scratch(), "a.data");
        var frame = Sample(topology);
        LammpsData.Write(file, frame.Atoms);
        var read = LammpsData.Read(file);
        Same(new AtomFrame(frame.Atoms), new AtomFrame(read.Atoms), 1e-14);
        Assert.That(read.Style, Is.EqualTo(topology ? "full" : "charge"));
        if (!topology) return;
        var (a, b) = (frame.Atoms.Topology!, read.Atoms.Topology!);
        Assert.Multiple(() =>
        {
            Assert.That(b.Bonds, Is.EqualTo(a.Bonds));
            Assert.That(b.Angles, Is.EqualTo(a.Angles));
            Assert.That(b.Dihedrals, Is.EqualTo(a.Dihedrals));
            Assert.That(b.Impropers, Is.EqualTo(a.Impropers));
            Assert.That(b.BondTypes, Is.EqualTo(a.BondTypes));
            Assert.That(b.AngleTypes[0].Theta0, Is.EqualTo(a.AngleTypes[0].Theta0).Within(1e-15));
            Assert.That(b.DihedralTypes, Is.EqualTo(a.DihedralTypes));
            Assert.That(b.Scaled.Select(s => (s.I, s.J)), Is.EquivalentTo([(0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 3)]));
        });
    }

    // A cell in any orientation is turned for LAMMPS; distances stay.
    [Test]
    public void TurnedCellsKeepDistances()
    {
        string file = Path.Combine(TestData.Scratch(), "a.data");
        var old = Sample().Atoms;
        var atoms = new Atoms(old.Species, old.Types, old.Positions, new Cell([1, 5, 2, -4, 2, 1, 0.5, -1, 6]));
        LammpsData.Write(file, atoms);
        var read = LammpsData.Read(file).Atoms;
        double Distance(Atoms a, int i, int j) => Math.Sqrt(Enumerable.Range(0, 3).Sum(k => Math.Pow(a.Positions[3 * i + k] - a.Positions[3 * j + k], 2)));
        for (int i = 1; i < atoms.Count; i++) Assert.That(Distance(read, 0, i), Is.EqualTo(Distance(atoms, 0, i)).Within(1e-13));
        Assert.That(read.Cell.Volume, Is.EqualTo(atoms.Cell.Volume).Within(1e-11));
    }

    // LAMMPS takes our data file, and its energy and forces of it are ours: that is the whole way there and, through its dump, back.
    [Test]
    public void LammpsReadsOurDataAndWeItsDump()
    {
        if (!File.Exists("/usr/bin/lmp")) Assert.Ignore("no lmp here");
        string folder = TestData.Scratch();
        var frame = Sample(topology: true);
        LammpsData.Write(Path.Combine(folder, "a.data"), frame.Atoms);
        File.WriteAllText(Path.Combine(folder, "in"), """
            units metal
            atom_style full
            bond_style harmonic
            angle_style harmonic
            dihedral_style charmm
            improper_style harmonic
            pair_style lj/cut 3.0
            read_data a.data
            special_bonds lj/coul 0 0 0
            pair_coeff * * 0.01 0.8
            dump d all custom 1 out.dump id type x y z ix iy iz vx vy vz q fx fy fz mol
            dump_modify d format float %.17g
            run 0
            write_data again.data
            """);
        Run("/usr/bin/lmp", folder, "-in", "in", "-log", "none");
        var dump = LammpsDump.Read(Path.Combine(folder, "out.dump"), ["Si", "C"]);
        var ours = new CalculatorResults(12);
        // As read back: LammpsData excludes what special_bonds excludes.
        var atoms = LammpsData.Read(Path.Combine(folder, "a.data")).Atoms;
        MolecularForceField.FromTopology(atoms, MolecularForceField.Mixed([(0.01, 0.8), (0.01, 0.8)]), 3).Compute(atoms, Want.Forces, ours);
        Assert.Multiple(() =>
        {
            Assert.That(dump.Atoms.Positions, Is.EqualTo(frame.Atoms.Positions).Within(1e-12));
            Assert.That(dump.Atoms.Velocities, Is.EqualTo(frame.Atoms.Velocities).Within(1e-16));
            Assert.That(dump.Atoms.Charges, Is.EqualTo(frame.Atoms.Charges).Within(1e-15));
            Assert.That(dump.Atoms.Molecules, Is.EqualTo(frame.Atoms.Molecules));
            double largest = ours.Forces.Max(Math.Abs);
            Assert.That(dump.Forces, Is.EqualTo(ours.Forces).Within(1e-10 * largest));
        });
        // And what LAMMPS itself writes; 17 digits there.
        var again = LammpsData.Read(Path.Combine(folder, "again.data"), scale14: (0.5, 0.5));
        Assert.Multiple(() =>
        {
            Assert.That(again.Atoms.Positions, Is.EqualTo(frame.Atoms.Positions).Within(1e-12));
            Assert.That(again.Atoms.Topology!.Bonds, Has.Count.EqualTo(3));
            Assert.That(again.Atoms.Topology!.Scaled, Has.Some.EqualTo((0, 3, 0.5, 0.5)));
        });
    }

    [Test]
    public void H5mdOpensInPython()
    {
        string folder = TestData.Scratch(), file = Path.Combine(folder, "a.h5");
        var frame = Sample();
        long cut;
        using (var trajectory = Trajectory.Open(file))
        {
            trajectory.Add(frame);
            cut = trajectory.Length;
            trajectory.Add(frame with { Step = 99 });
            trajectory.Close(complete: false);
        }
        // A restart drops what came after the checkpoint.
        using (var trajectory = Trajectory.Open(file, cut))
        {
            trajectory.Add(frame with { Step = 80, Time = 40 });
            trajectory.Close(complete: true);
        }
        Assert.That(File.Exists(file + ".part"), Is.False);
        if (!Python("import h5py")) Assert.Ignore("no h5py here");
        string script = """
            import h5py, sys
            f = h5py.File(sys.argv[1])
            p = f['particles/all']
            assert list(f['h5md'].attrs['version']) == [1, 1]
            assert [b if isinstance(b, str) else b.decode() for b in p['box'].attrs['boundary']] == ['periodic'] * 3, p['box'].attrs['boundary']
            assert list(p['position/step'][:]) == [40, 80] and list(p['position/time'][:]) == [20, 40]
            assert p['position/value'].shape == (2, 12, 3) and p['box/edges/value'].shape == (2, 3, 3)
            assert list(p['species'][:2]) == [14, 6]
            print(repr(float(p['position/value'][1, 7, 2])), repr(float(p['velocity/value'][0, 3, 1])), repr(float(p['box/edges/value'][1, 1, 0])))
            """;
        File.WriteAllText(Path.Combine(folder, "check.py"), script);
        string[] words = Run("/usr/bin/python3", folder, "check.py", file).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        Assert.That(words.Select(w => double.Parse(w, CultureInfo.InvariantCulture)), Is.EqualTo([frame.Atoms.Positions[23], frame.Atoms.Velocities[10], 1.5]));
    }

    // ASE reads positions, velocities, charges, forces, energy and stress as we meant them, and we read what it writes.
    [Test]
    public void AseUnderstands()
    {
        if (!Python("import ase")) Assert.Ignore("no ase here");
        string folder = TestData.Scratch();
        var frame = Sample();
        ExtXyz.Write(Path.Combine(folder, "a.extxyz"), frame);
        LammpsDump.Write(Path.Combine(folder, "a.dump"), frame);
        File.WriteAllText(Path.Combine(folder, "check.py"), """
            import ase.io, ase.units
            a = ase.io.read('a.extxyz')
            v = a.get_velocities() * ase.units.fs
            print(repr(float(v[3][1])), repr(float(a.get_potential_energy())), repr(float(a.get_forces()[2][1])), repr(float(a.get_stress()[3])), repr(float(a.get_initial_charges()[1])))
            ase.io.write('b.extxyz', a)
            """);
        string[] words = Run(PythonProgram, folder, "check.py").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        double[] values = [.. words.Select(w => double.Parse(w, CultureInfo.InvariantCulture))];
        // ASE takes CODATA 2014: its u differs in the tenth digit, and with it its unit of time.
        Assert.That(values, Is.EqualTo([frame.Atoms.Velocities[10], -3.25, frame.Forces[7], 4, -0.4]).Within(1e-10));
        var back = ExtXyz.Read(Path.Combine(folder, "b.extxyz"));
        Assert.That(back.Atoms.Positions, Is.EqualTo(frame.Atoms.Positions).Within(1e-8));
        Assert.That(back.Atoms.Velocities, Is.EqualTo(frame.Atoms.Velocities).Within(1e-8));
        Assert.That(back.Forces, Is.EqualTo(frame.Forces).Within(1e-8));
    }

    private static string PythonProgram => Environment.GetEnvironmentVariable("MSHPC_TEST_PYTHON") ?? "/usr/bin/python3";

    private static bool Python(string statement)
    {
        if (!File.Exists(PythonProgram)) return false;
        using var process = Process.Start(new ProcessStartInfo(PythonProgram, ["-c", statement]) { RedirectStandardError = true, UseShellExecute = false })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static string Run(string program, string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder, UseShellExecute = false })!;
        string output = process.StandardOutput.ReadToEnd(), error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, output + error);
        return output;
    }

    // ---- faults --------------------------------------------------------------------------------------------------------------------

    [TestCase("2\nLattice=\"5 0 0 0 5 0 0 0\" Properties=species:S:1:pos:R:3\nSi 0 0 0\nSi 1 1 1\n", "2: Lattice needs nine numbers")]
    [TestCase("2\nProperties=specis:S:1:pos:R:3\nSi 0 0 0\nSi 1 1 1\n", "did you mean 'species'?")]
    [TestCase("2\n\nSi 0 0 0\nSii 1 1 x\n", "4: 'Sii' is no chemical symbol; did you mean 'Si'?|4: pos should be a number, not 'x'")]
    [TestCase("3\n\nSi 0 0 0\n", "3: the file ends after 1 of 3 atoms")]
    [TestCase("2\nLattice=\"1 0 0 1 0 0 0 0 1\"\nSi 0 0 0\nSi 1 1 1\n", "2: the cell")]
    [TestCase("atoms\n", "1: a frame starts with the number of atoms")]
    [TestCase("", "there is no frame")]
    public void ExtXyzFaults(string text, string faults) => Faults("a.extxyz", text, faults, f => ExtXyz.Read(f));

    [TestCase("title\n2 atms\n", "2: unknown header 'atms'; did you mean 'atoms'?")]
    [TestCase("title\n1 atoms\n1 atom types\n\nMases\n", "5: unknown section 'Mases'; did you mean 'Masses'?")]
    [TestCase("title\n1 atoms\n1 atom types\n0 5 xlo xhi\n0 5 ylo yhi\n0 5 zlo zhi\n\nMasses\n\n1 28\n\nAtoms # ful\n\n1 1 0 0 0\n", "12: atom style 'ful' is not read here; did you mean 'full'?")]
    [TestCase("title\n2 atoms\n1 atom types\n0 5 xlo xhi\n0 5 ylo yhi\n0 5 zlo zhi\n\nMasses\n\n1 28\n\nAtoms # atomic\n\n1 1 0 0 0\n1 3 0 0 z\n", "15: the type 3 is out of range|15: z should be a number")]
    [TestCase("title\n1 atoms\n1 atom types\n5 0 xlo xhi\n0 5 ylo yhi\n", "4: xlo xhi: the upper bound 0 is not above the lower 5")]
    [TestCase("title\n1 atoms\n1 atom types\n\nAtoms # atomic\n\n1 1 0 0 0\n", "type 1 has no mass")]
    [TestCase("title\n1 dihedral types\n1 atom types\n\nMasses\n\n1 12\n\nDihedral Coeffs # charmm\n\n1 0.2 1 180 1.0\n", "11: the weight 1.0 of a charmm dihedral")]
    [TestCase("title\n4 atoms\n1 dihedrals\n1 impropers\n1 dihedral types\n1 improper types\n1 atom types\n0 5 xlo xhi\n0 5 ylo yhi\n0 5 zlo zhi\n\nMasses\n\n1 12\n\nImproper Coeffs # cvff\n\n1 7 -1 2\n\nAtoms # molecular\n\n1 1 1 0 0 0\n2 1 1 1 0 0\n3 1 1 1 1 0\n4 1 1 2 1 0\n\nDihedrals\n\n1 1 1 2 3 4\n\nImpropers\n\n1 1 2 1 3 4\n", "29: there are dihedrals and 'Improper Coeffs', but no 'Dihedral Coeffs'")]
    public void DataFaults(string text, string faults) => Faults("a.data", text, faults, f => LammpsData.Read(f));

    [TestCase("ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOM\n", "3: unknown 'ITEM: NUMBER OF ATOM'; did you mean 'NUMBER OF ATOMS'?")]
    [TestCase("ITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\nITEM: ATOMS id type X y z\n1 1 0 0 0\n", "7: there are no positions")]
    [TestCase("ITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n0 1\n0 1\n0 1\nITEM: ATOMS id type x y z\n1 1 0 0 0\n", "8: the file ends after 1 of 2 atoms")]
    [TestCase("hello\n", "1: a line 'ITEM: …' is needed here")]
    public void DumpFaults(string text, string faults) => Faults("a.dump", text, faults, f => LammpsDump.Read(f));

    // LAMMPS writes 'ITEM: UNITS' in the first frame only.
    [Test]
    public void UnitsOfADumpHoldForAllItsFrames()
    {
        const string frame = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\nITEM: ATOMS id element x y z vx vy vz fx fy fz\n1 Ar 1 2 3 0.01 0 0 1 0 0\n";
        string file = Path.Combine(TestData.Scratch(), "real.dump");
        File.WriteAllText(file, "ITEM: UNITS\nreal\n" + frame + frame);
        foreach (var f in LammpsDump.ReadAll(file)) Assert.That((f.Atoms.Velocities[0], f.Forces[0]), Is.EqualTo((0.01, 4184 / Codata.Avogadro / Codata.ElementaryCharge)));
    }

    // What stands behind a mass is a name for people, which type 2 of this file is not called by.
    [Test]
    public void ANumberBehindAMassIsNoLabel()
    {
        string file = Path.Combine(TestData.Scratch(), "a.data");
        File.WriteAllText(file, "title\n2 atoms\n2 atom types\n0 5 xlo xhi\n0 5 ylo yhi\n0 5 zlo zhi\n\nMasses\n\n1 1.008 # 2\n2 15.999 # 1\n\nAtoms # atomic\n\n1 1 0 0 0\n2 2 1 1 1\n");
        var atoms = LammpsData.Read(file).Atoms;
        Assert.That((atoms.Mass(0), atoms.Mass(1)), Is.EqualTo((1.008, 15.999)));
    }

    private static void Faults(string name, string text, string faults, Func<string, object> read)
    {
        string file = Path.Combine(TestData.Scratch(), name);
        File.WriteAllText(file, text);
        var e = Assert.Throws<InputException>(() => read(file))!;
        foreach (string fault in faults.Split('|')) Assert.That(e.Message, Does.Contain(fault));
    }

    // Whatever is cut, doubled or overwritten in a file: it is read, or refused in a sentence; never anything else.
    [Test, CancelAfter(120_000)]
    public void BrokenFilesAreRefused([Values("extxyz", "data", "dump")] string kind)
    {
        string folder = TestData.Scratch(), whole = Path.Combine(folder, "whole"), broken = Path.Combine(folder, "broken");
        var frame = Sample(topology: kind == "data");
        if (kind == "extxyz") ExtXyz.Write(whole, frame);
        else if (kind == "data") LammpsData.Write(whole, frame.Atoms);
        else LammpsDump.Write(whole, frame);
        byte[] bytes = File.ReadAllBytes(whole);
        string[] words = ["nan", "-1", "1e999", "99999999999999999999", "", "inf", "0", "\"", "=", "\n", "#", "2147483648", "ITEM:", "Atoms", "1e300", "-0", "\0", "é"];
        var random = new Random(11);
        int refused = 0;
        for (int trial = 0; trial < 3000; trial++)
        {
            byte[] next = Mutate();
            File.WriteAllBytes(broken, next);
            try
            {
                if (kind == "extxyz") foreach (var _ in ExtXyz.ReadAll(broken)) { }
                else if (kind == "data") LammpsData.Read(broken);
                else foreach (var _ in LammpsDump.ReadAll(broken)) { }
            }
            catch (InputException) { refused++; }
            catch (Exception e) { Assert.Fail($"trial {trial}: {e}\n{Encoding.UTF8.GetString(next)}"); }
        }
        Assert.That(refused, Is.GreaterThan(500));

        byte[] Mutate()
        {
            var copy = bytes.ToList();
            for (int k = random.Next(1, 4); k > 0; k--)
            {
                int at = random.Next(copy.Count);
                switch (random.Next(5))
                {
                    case 0: copy.RemoveRange(at, Math.Min(random.Next(1, 200), copy.Count - at)); break;
                    case 1: copy.InsertRange(at, copy.GetRange(at, Math.Min(random.Next(1, 100), copy.Count - at))); break;
                    case 2: copy[at] = (byte)random.Next(256); break;
                    case 3: copy.RemoveRange(at, copy.Count - at); break;
                    default:
                        // A whole word replaced.
                        int start = at, end = at;
                        while (start > 0 && copy[start - 1] > 32) start--;
                        while (end < copy.Count && copy[end] > 32) end++;
                        copy.RemoveRange(start, end - start);
                        copy.InsertRange(start, Encoding.UTF8.GetBytes(words[random.Next(words.Length)]));
                        break;
                }
                if (copy.Count == 0) copy.Add((byte)'1');
            }
            return [.. copy];
        }
    }
}
