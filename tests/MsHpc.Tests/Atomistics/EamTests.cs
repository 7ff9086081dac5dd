using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Embedded-atom method: LAMMPS' numbers from the same files, Zhou's metals, finite differences, bad files.</summary>
public sealed class EamTests
{
    private static string Shipped(string name) => ReferenceCase.PotentialFile(name);

    // The same splines, so the same numbers up to rounding.
    [Test]
    public void Funcfl([Values("eam_cu_u3_ortho", "eam_cu_u3_small_ortho")] string name) =>
        ReferenceCase.Load(name).Compare(new ForceField(Eam.FromFuncfl([Shipped("Cu_u3.eam")])));

    [Test]
    public void Setfl() => ReferenceCase.Load("eam_alloy_cu_mishin_ortho").Compare(new ForceField(Eam.FromSetfl(Shipped("Cu_mishin1.eam.alloy"), ["Cu"])));

    [Test]
    public void Alloy()
    {
        var reference = ReferenceCase.Load("eam_alloy_cuni_ortho");
        reference.Compare(new ForceField(Eam.FromSetfl(Shipped("CuNi.eam.alloy"), [.. reference.Atoms.Species.Select(s => s.Symbol)])));
    }

    [Test]
    public void FinnisSinclair() => ReferenceCase.Load("eam_fs_fe_mm_ortho").Compare(new ForceField(Eam.FromFinnisSinclair(Shipped("Fe_mm.eam.fs"), ["Fe"])));

    // Cohesive energies that the paper fits, at its neighbour distance r_e; hcp with the ideal axis ratio. The cutoff takes up to 2·10⁻⁴ eV off hcp metals, whose λ is large.
    [TestCase("Cu", "fcc", 2.556162, 3.54)]
    [TestCase("Ag", "fcc", 2.891814, 2.85)]
    [TestCase("Au", "fcc", 2.885034, 3.93)]
    [TestCase("Ni", "fcc", 2.488746, 4.45)]
    [TestCase("Pd", "fcc", 2.750897, 3.91)]
    [TestCase("Pt", "fcc", 2.771916, 5.77)]
    [TestCase("Al", "fcc", 2.863924, 3.58)]
    [TestCase("Pb", "fcc", 3.499723, 2.02)]
    [TestCase("Fe", "bcc", 2.481987, 4.29)]
    [TestCase("Mo", "bcc", 2.728100, 6.81)]
    [TestCase("Ta", "bcc", 2.860082, 8.09)]
    [TestCase("W", "bcc", 2.740840, 8.76)]
    [TestCase("Mg", "hcp", 3.196291, 1.55)]
    [TestCase("Co", "hcp", 2.505979, 4.41)]
    [TestCase("Ti", "hcp", 2.933872, 4.87)]
    [TestCase("Zr", "hcp", 3.199978, 6.36)]
    public void ZhouCohesion(string metal, string lattice, double re, double cohesion)
    {
        double s3 = Math.Sqrt(3), s83 = Math.Sqrt(8.0 / 3);
        var (edges, sites) = lattice switch
        {
            "fcc" => (new[] { 1.0, 1, 1 }.Select(v => v * Math.Sqrt(2) * re).ToArray(), new double[] { 0, 0, 0, 0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0 }),
            "bcc" => (new[] { 1.0, 1, 1 }.Select(v => v * 2 / s3 * re).ToArray(), [0, 0, 0, 0.5, 0.5, 0.5]),
            _ => (new[] { 1, s3, s83 }.Select(v => v * re).ToArray(), [0, 0, 0, 0.5, 0.5, 0, 0.5, 5.0 / 6, 0.5, 0, 1.0 / 3, 0.5]),
        };
        int n = sites.Length / 3;
        var atoms = new Atoms([new Species(metal, 1)], new int[n], [.. sites.Select((s, i) => s * edges[i % 3])], Cell.Box(edges[0], edges[1], edges[2]));
        var results = Evaluate(new ForceField(Eam.FromZhou2004([metal])), atoms, Want.Virial);
        double volume = edges[0] * edges[1] * edges[2];
        Assert.Multiple(() =>
        {
            Assert.That(results.Energy / n, Is.EqualTo(-cohesion).Within(3e-4), "cohesive energy, eV");
            // 0.2 GPa: a lattice constant within 1e-4 of the one meant, for a bulk modulus of 300 GPa.
            Assert.That((results.Virial[0] + results.Virial[1] + results.Virial[2]) / (3 * volume) * 160.2177, Is.EqualTo(0).Within(0.2), "pressure, GPa");
        });
    }

    private static readonly double[] Edges = [4.4, 0, 0, 1.3, 4.1, 0, -0.9, 1.1, 4.7];

    // Three metals in a skewed cell much smaller than the cutoff.
    private static Atoms Skewed(string[] metals, double scale = 1)
    {
        double[] h = Edges;
        double[] s = [0.03, 0.01, 0.02, 0.52, 0.47, 0.04, 0.49, 0.03, 0.55, 0.02, 0.51, 0.46];
        var x = new double[s.Length];
        for (int i = 0; i < x.Length; i++) for (int k = 0; k < 3; k++) x[i] += scale * s[i / 3 * 3 + k] * h[3 * k + i % 3];
        return new Atoms([.. metals.Select(m => new Species(m, 1))], [.. Enumerable.Range(0, s.Length / 3).Select(i => i % metals.Length)], x, new Cell([.. h.Select(v => scale * v)], [true, true, true], [0, 0, 0]));
    }

    private static CalculatorResults Evaluate(ForceField field, Atoms atoms, Want want)
    {
        var results = new CalculatorResults(atoms.Count);
        field.Compute(atoms, want, results);
        return results;
    }

    // Differences of fourth order: h⁴ E⁽⁵⁾/30 and rounding 1e-14/h are below 1e-8. Where a distance crosses a knot, the spline's second derivative jumps
    // and the error is that jump times h: 1e-7 eV/Å for the coarse tables of funcfl; more for strains, which move all distances at once, so they take a smaller h.
    private static double Derivative(Func<double, double> energy, double h = 2e-4)
    {
        return (8 * (energy(h) - energy(-h)) - (energy(2 * h) - energy(-2 * h))) / (12 * h);
    }

    private static IEnumerable<TestCaseData> Cases()
    {
        yield return new TestCaseData(() => new ForceField(Eam.FromZhou2004(["Cu"])), (string[])["Cu"]).SetArgDisplayNames("Zhou Cu");
        yield return new TestCaseData(() => new ForceField(Eam.FromZhou2004(["Cu", "Ta", "Mg"])), (string[])["Cu", "Ta", "Mg"]).SetArgDisplayNames("Zhou CuTaMg");
        yield return new TestCaseData(() => new ForceField(Eam.FromFuncfl([Shipped("Cu_u3.eam"), Shipped("Ag_u3.eam")])), (string[])["Cu", "Ag"]).SetArgDisplayNames("funcfl CuAg");
        yield return new TestCaseData(() => new ForceField(Eam.FromFinnisSinclair(Shipped("AlFe_mm.eam.fs"), ["Fe", "Al"])), (string[])["Fe", "Al"]).SetArgDisplayNames("fs FeAl");
    }

    [TestCaseSource(nameof(Cases))]
    public void FiniteDifferences(Func<ForceField> make, string[] metals)
    {
        var field = make();
        var atoms = Skewed(metals);
        var exact = Evaluate(field, atoms, Want.Virial);
        for (int i = 0; i < 3 * atoms.Count; i++)
        {
            double at = atoms.Positions[i];
            double force = -Derivative(h =>
            {
                atoms.Positions[i] = at + h;
                return Evaluate(field, atoms, Want.Forces).Energy;
            });
            atoms.Positions[i] = at;
            Assert.That(exact.Forces[i], Is.EqualTo(force).Within(2e-7), $"force {i}");
        }
        int[] voigt = [0, 4, 8, 5, 2, 1];
        for (int k = 0; k < 6; k++)
        {
            int a = voigt[k] / 3, b = voigt[k] % 3;
            double virial = -Derivative(h =>
            {
                double[] Strained(double[] v) => [.. v.Select((value, i) => i % 3 == a ? value + h * v[i / 3 * 3 + b] : value)];
                return Evaluate(field, new Atoms(atoms.Species, atoms.Types, Strained(atoms.Positions), new Cell(Strained(Edges), [true, true, true], [0, 0, 0])), Want.Forces).Energy;
            }, 2e-5);
            Assert.That(exact.Virial[k], Is.EqualTo(virial).Within(2e-6), $"virial {k}");
        }
    }

    [TestCaseSource(nameof(Cases))]
    public void WideIsScalarAndForcesBalance(Func<ForceField> make, string[] metals)
    {
        var atoms = Skewed(metals);
        var wide = Evaluate(make(), atoms, Want.Virial);
        var scalar = Evaluate(make(), atoms, Want.Virial | Want.PerAtom);
        // Some hundred neighbours, each rounded at 1e-16 of forces that largely cancel.
        double size = scalar.Forces.Max(Math.Abs) + 1;
        Assert.Multiple(() =>
        {
            Assert.That(wide.Energy, Is.EqualTo(scalar.Energy).Within(1e-13 * Math.Abs(scalar.Energy)));
            Assert.That(wide.Forces.Zip(scalar.Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-12 * size));
            Assert.That(scalar.AtomEnergies.Sum(), Is.EqualTo(scalar.Energy).Within(1e-13 * Math.Abs(scalar.Energy)));
            for (int k = 0; k < 3; k++) Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => wide.Forces[3 * i + k]), Is.EqualTo(0).Within(1e-12 * size));
            for (int k = 0; k < 6; k++)
            {
                double w = scalar.Virial.Max(Math.Abs) + 1;
                Assert.That(wide.Virial[k], Is.EqualTo(scalar.Virial[k]).Within(1e-12 * w));
                Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => scalar.AtomVirials[6 * i + k]), Is.EqualTo(scalar.Virial[k]).Within(1e-12 * w));
            }
        });
    }

    // Excluded pairs, in one cluster of eight and between clusters: left out by both kernels; atoms that have no other pairs are alone.
    [Test]
    public void ExcludedPairs()
    {
        var random = new Random(11);
        Atoms Make(int n, bool all)
        {
            double[] x = [.. Enumerable.Range(0, 3 * n).Select(i => 2.6 * (i % 3 == 0 ? i / 3 % 4 : i % 3 == 1 ? i / 12 % 4 : i / 48) + 0.3 * random.NextDouble())];
            var topology = new Topology();
            for (int i = 0; i < n; i++) for (int j = i + 1; j < n; j++) if (all || j - i is 1 or 17) topology.Scaled.Add((i, j, 0, 0));
            return new Atoms([new Species("Cu", 1)], new int[n], x, new Cell([40, 0, 0, 0, 40, 0, 0, 0, 40], [false, false, false], [0, 0, 0])) { Topology = topology };
        }
        var some = Make(50, false);
        CalculatorResults wide = Evaluate(new ForceField(Eam.FromZhou2004(["Cu"])), some, Want.Virial), scalar = Evaluate(new ForceField(Eam.FromZhou2004(["Cu"])), some, Want.PerAtom);
        Assert.That(wide.Energy, Is.EqualTo(scalar.Energy).Within(1e-13 * Math.Abs(scalar.Energy)));
        Assert.That(wide.Forces.Zip(scalar.Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-12 * scalar.Forces.Max(Math.Abs)));
        var alone = Evaluate(new ForceField(Eam.FromZhou2004(["Cu"])), Make(20, true), Want.Virial);
        Assert.That(alone.Forces, Is.All.Zero);
        Assert.That(alone.Energy, Is.EqualTo(20 * Evaluate(new ForceField(Eam.FromZhou2004(["Cu"])), Make(1, true), Want.Virial).Energy).Within(1e-13));
    }

    // The way for several kinds of atoms, on one kind.
    [Test]
    public void TwoTypesOfOneMetalAreOne()
    {
        var one = Evaluate(new ForceField(Eam.FromZhou2004(["Cu"])), Skewed(["Cu"]), Want.Virial);
        var two = Evaluate(new ForceField(Eam.FromZhou2004(["Cu", "Cu"])), Skewed(["Cu", "Cu"]), Want.Virial);
        Assert.That(two.Energy, Is.EqualTo(one.Energy).Within(1e-13 * Math.Abs(one.Energy)));
        Assert.That(two.Forces.Zip(one.Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-12));
    }

    // Distances and functions in single precision: 2⁻²⁴ of r, times steep slopes, against forces of eV/Å.
    [Test]
    public void Mixed([Values("Cu", "Cu Ta Mg")] string metals)
    {
        string[] elements = metals.Split(' ');
        var atoms = Skewed(elements);
        var exact = Evaluate(new ForceField(Eam.FromZhou2004(elements)), atoms, Want.Virial);
        var mixed = Evaluate(new ForceField(Eam.FromZhou2004(elements, Precision.Mixed)), atoms, Want.Virial);
        double error = mixed.Forces.Zip(exact.Forces, (a, b) => Math.Abs(a - b)).Max(), energy = Math.Abs(mixed.Energy - exact.Energy);
        TestContext.Out.WriteLine($"forces up to {exact.Forces.Max(Math.Abs):F3} eV/Å: {error:E1} eV/Å; energy {exact.Energy:F3} eV: {energy:E1} eV");
        Assert.That(error, Is.LessThan(1e-5).And.GreaterThan(0));
        Assert.That(energy, Is.LessThan(1e-6 * Math.Abs(exact.Energy)));
    }

    [Test]
    public void MixedBulk()
    {
        var reference = ReferenceCase.Load("eam_cu_u3_ortho");
        var mixed = Evaluate(new ForceField(Eam.FromFuncfl([Shipped("Cu_u3.eam")], Precision.Mixed)), reference.Atoms, Want.Virial);
        double error = mixed.Forces.Zip(reference.Forces, (a, b) => Math.Abs(a - b)).Max(), size = reference.Forces.Max(Math.Abs);
        TestContext.Out.WriteLine($"{error / size:E1} of the largest force {size:F3} eV/Å");
        Assert.That(error, Is.LessThan(3e-6 * size));
    }

    // Lists made before the atoms moved by less than half the skin, and not a byte allocated.
    [Test]
    public unsafe void MovedAtomsNeedNoNewLists([Values] Precision precision)
    {
        const int n = 3;
        const double a = 3.615;
        var random = new Random(5);
        double[] basis = [0, 0, 0, 0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5, 0];
        var before = new double[12 * n * n * n];
        for (int i = 0; i < before.Length; i++) before[i] = a * (basis[i % 12] + (i % 3 == 0 ? i / 12 % n : i % 3 == 1 ? i / 12 / n % n : i / 12 / n / n)) + 0.2 * random.NextDouble();
        double[] after = [.. before.Select(x => x + 0.4 * (random.NextDouble() - 0.5))];
        int[] types = [.. Enumerable.Range(0, before.Length / 3).Select(i => i % 2)];
        Atoms Make(double[] x) => new([new Species("Cu", 1), new Species("Ag", 1)], types, x, Cell.Box(n * a, n * a, n * a));
        var fresh = Evaluate(new ForceField(Eam.FromZhou2004(["Cu", "Ag"], precision)), Make(after), Want.Virial);
        var field = new ForceField(Eam.FromZhou2004(["Cu", "Ag"], precision));
        var domain = field.MakeDomain(Make(before), 0.9);
        field.Compute(domain, Want.Virial);
        for (int s = 0; s < domain.OwnedSlots; s++)
            if (domain.Tag[s] >= 0)
                for (int k = 0; k < 3; k++) domain.X[s / 8 * 24 + 8 * k + s % 8] += after[3 * domain.Tag[s] + k] - before[3 * domain.Tag[s] + k];
        domain.UpdateGhosts();
        Assert.That(domain.NeedsRebuild(), Is.False);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        var tally = field.Compute(domain, Want.Virial);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        var forces = new double[after.Length];
        domain.StoreForces(forces);
        // In single precision a distance may round either way after rounding in double.
        double error = precision == Precision.Mixed ? 1e-5 : 1e-11;
        Assert.Multiple(() =>
        {
            Assert.That(allocated, Is.Zero);
            Assert.That(tally.Energy, Is.EqualTo(fresh.Energy).Within(error));
            Assert.That(forces.Zip(fresh.Forces, (x, y) => Math.Abs(x - y)).Max(), Is.LessThan(error));
        });
    }

    // A primitive cell of one atom, sheared to a longer one of the same lattice, against the cube of four.
    [Test]
    public void PrimitiveCellIsTheCube()
    {
        const double a = 3.7;
        var field = new ForceField(Eam.FromZhou2004(["Ni"]));
        var cube = Evaluate(field, new Atoms([new Species("Ni", 1)], [0, 0, 0, 0], [0, 0, 0, 0, a / 2, a / 2, a / 2, 0, a / 2, a / 2, a / 2, 0], Cell.Box(a, a, a)), Want.Virial);
        var cell = Evaluate(new ForceField(Eam.FromZhou2004(["Ni"])), new Atoms([new Species("Ni", 1)], [0], [0.3, 0.4, 0.5], new Cell([a / 2, a / 2, 0, 0, a / 2, a / 2, a, a / 2, a / 2], [true, true, true], [0, 0, 0])), Want.Virial);
        Assert.That(cell.Energy, Is.EqualTo(cube.Energy / 4).Within(1e-12));
        for (int k = 0; k < 6; k++) Assert.That(cell.Virial[k], Is.EqualTo(cube.Virial[k] / 4).Within(1e-11));
    }

    [Test]
    public void BeyondTheTableFIsLinearAndFlagged()
    {
        var eam = Eam.FromZhou2004(["Cu"]);
        var field = new ForceField(eam);
        var normal = Skewed(["Cu"]);
        Evaluate(field, normal, Want.Forces);
        Assert.That(eam.BeyondTable, Is.Zero);
        var squeezed = Skewed(["Cu"], 0.4);
        field = new ForceField(eam);
        var exact = Evaluate(field, squeezed, Want.Forces);
        Assert.That(eam.BeyondTable, Is.EqualTo(squeezed.Count));
        double at = squeezed.Positions[4];
        double force = -Derivative(h =>
        {
            squeezed.Positions[4] = at + h;
            return Evaluate(field, squeezed, Want.Forces).Energy;
        });
        Assert.That(exact.Forces[4], Is.EqualTo(force).Within(1e-7 * Math.Abs(force) + 1e-5));
    }

    // Whatever LAMMPS ships is read: comments, Fortran exponents and all.
    [Test]
    public void EveryShippedFile()
    {
        string folder = Path.GetDirectoryName(Shipped("Cu_u3.eam"))!;
        Assert.Multiple(() =>
        {
            foreach (string file in Directory.GetFiles(folder, "*.eam*").Where(f => Path.GetExtension(f) is ".eam" or ".alloy" or ".fs"))
            {
                string[] elements = [.. File.ReadLines(file).Skip(3).First().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Skip(1)];
                Assert.DoesNotThrow(() => _ = Path.GetExtension(file) switch
                {
                    ".eam" => Eam.FromFuncfl([file]),
                    ".fs" => Eam.FromFinnisSinclair(file, elements),
                    _ => Eam.FromSetfl(file, elements),
                }, file);
            }
        });
    }

    private static readonly string[] Numbers = [.. Enumerable.Range(1, 6).Select(k => (0.1 * k).ToString(CultureInfo.InvariantCulture))];

    /// <summary>A small setfl file of two elements, as lines.</summary>
    private static List<string> Small()
    {
        string three = string.Join(' ', Numbers[..3]), rest = string.Join(' ', Numbers[3..]);
        var lines = new List<string> { "comment", "comment", "comment", "2 Cu Ni", "6 0.1 6 0.5 2.5" };
        foreach (string header in new[] { "29 63.5 3.6 fcc", "28 58.7 3.5 fcc" }) lines.AddRange([header, three, rest, three, rest]);
        for (int pair = 0; pair < 3; pair++) lines.AddRange([three, rest]);
        return lines;
    }

    private static InputException Fails(Func<string, Eam> read, IEnumerable<string> lines)
    {
        string file = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"eam-{Guid.NewGuid():N}.txt");
        File.WriteAllLines(file, lines);
        try { return Assert.Throws<InputException>(() => read(file))!; }
        finally { File.Delete(file); }
    }

    private static Eam Alloy(string file) => Eam.FromSetfl(file, ["Ni", "Cu"]);

    private static void At(InputException e, int line, string words)
    {
        Assert.That(e.Faults[0].Line, Is.EqualTo(line), e.Message);
        Assert.That(e.Message, Does.Contain(words));
    }

    [Test]
    public void BadFiles()
    {
        string file = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"eam-{Guid.NewGuid():N}.txt");
        File.WriteAllLines(file, Small());
        Assert.That(Alloy(file).Cutoff, Is.EqualTo(2.5), "the whole file is good");
        File.Delete(file);
        List<string> Change(int line, string text)
        {
            var lines = Small();
            lines[line - 1] = text;
            return lines;
        }
        Assert.Multiple(() =>
        {
            At(Fails(Alloy, Small()[..^1]), 20, "the file ends here, after 3 of 6 values of r phi(r) of Ni and Ni, which begins on line 20");
            At(Fails(Alloy, Small()[..4]), 4, "the file ends here; nrho, drho, nr, dr and the cutoff");
            At(Fails(Alloy, Change(5, "8 0.1 6 0.5 2.5")), 9, "F(rho) of Cu");
            At(Fails(Alloy, Change(5, "6 0.1 7 0.5 2.5")), 11, "the counts do not fit");
            At(Fails(Alloy, Change(5, "5 0.1 5 0.5 2.5")), 8, "the counts do not fit");
            At(Fails(Alloy, Change(5, "6 0.1 six 0.5 2.5")), 5, "'six' is not a whole number");
            At(Fails(Alloy, Change(5, "6 0.1 6 0.5 9")), 5, "beyond the table");
            At(Fails(Alloy, Change(5, "6 0 6 0.5 2.5")), 5, "must be positive");
            At(Fails(Alloy, Change(5, "3 0.1 6 0.5 2.5")), 5, "five values");
            At(Fails(Alloy, Change(4, "3 Cu Ni")), 4, "as many names");
            At(Fails(Alloy, Change(8, "0.4 abc 0.6")), 8, "'abc' is not a number; this should be value 5 of 6 of F(rho) of Cu, which begins on line 7");
            At(Fails(Alloy, Change(8, "0.4 nan 0.6")), 8, "'nan'");
            At(Fails(Alloy, [.. Small(), "0.7"]), 22, "numbers after the last function");
            At(Fails(f => Eam.FromSetfl(f, ["Cuu"]), Small()), 4, "no element 'Cuu' here, only Cu, Ni; did you mean 'Cu'?");
            At(Fails(f => Eam.FromFinnisSinclair(f, ["Cu"]), Small()), 11, "'fcc' is not a number; this should be value 4 of 6 of f(r) of Cu at Ni");
            At(Fails(f => Eam.FromFuncfl([f]), ["comment", "29 63.5 3.6 fcc", "6 0.1 6 0.5 2.5", "1 2 3 4 5"]), 4, "after 5 of 6 values of F(rho)");
            At(Assert.Throws<InputException>(() => Eam.FromFuncfl(["/nowhere/Cu.eam"]))!, 0, "cannot read the potential");
        });
        Assert.That(Assert.Throws<InputException>(() => Eam.FromZhou2004(["Cu", "Xy"]))!.Message, Does.Contain("no 'Xy', only Cu, Ag"));
    }
}
