using MsHpc.Atomistics;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>What holds for every potential of neighbour shells, whatever its law.</summary>
internal static class ThreeBodyChecks
{
    /// <summary>Atoms on a diamond lattice, moved by up to <paramref name="noise"/>; a surface and strangely placed atoms do not hurt a potential.</summary>
    public static Atoms Diamond(double a, int cells, int types, double noise, bool[]? periodic = null, double[]? strain = null, int seed = 5)
    {
        double[] basis = [0, 0, 0, 0, .5, .5, .5, 0, .5, .5, .5, 0, .25, .25, .25, .25, .75, .75, .75, .25, .75, .75, .75, .25];
        double length = a * cells;
        double[] rows = strain ?? [length, 0, 0, 0, length, 0, 0, 0, length];
        var cell = new Cell(rows, periodic ?? [true, true, true], [0, 0, 0]);
        var random = new Random(seed);
        var (x, type) = (new List<double>(), new List<int>());
        for (int i = 0; i < cells; i++)
            for (int j = 0; j < cells; j++)
                for (int k = 0; k < cells; k++)
                    for (int b = 0; b < 8; b++)
                    {
                        var (px, py, pz) = cell.Cartesian((i + basis[3 * b]) / cells, (j + basis[3 * b + 1]) / cells, (k + basis[3 * b + 2]) / cells);
                        foreach (double p in new[] { px, py, pz }) x.Add(p + noise * (2 * random.NextDouble() - 1));
                        type.Add(random.Next(types));
                    }
        return new Atoms([.. Enumerable.Range(0, types).Select(t => new Species($"A{t}", 1 + t))], [.. type], [.. x], cell);
    }

    public static CalculatorResults Results(Interaction law, Atoms atoms, Want want = Want.Virial)
    {
        var results = new CalculatorResults(atoms.Count);
        new ForceField(law).Compute(atoms, want, results);
        return results;
    }

    /// <summary>Wide kernel against the scalar twin: two orders of the same sums, so rounding only.</summary>
    public static void Twins(Interaction law, Atoms atoms, double tolerance = 1e-12)
    {
        CalculatorResults wide = Results(law, atoms), scalar = Results(law, atoms, Want.Virial | Want.PerAtom);
        double force = scalar.Forces.Max(Math.Abs), virial = scalar.Virial.Max(Math.Abs);
        Assert.Multiple(() =>
        {
            Assert.That(wide.Energy, Is.EqualTo(scalar.Energy).Within(tolerance * scalar.AtomEnergies.Sum(Math.Abs)), "energy");
            Assert.That(wide.Forces.Zip(scalar.Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(tolerance * force), "forces");
            Assert.That(wide.Virial.Zip(scalar.Virial, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(tolerance * Math.Max(virial, atoms.Count)), "virial");
            Assert.That(scalar.AtomEnergies.Sum(), Is.EqualTo(scalar.Energy).Within(1e-12 * scalar.AtomEnergies.Sum(Math.Abs)), "energies per atom");
        });
    }

    /// <summary>
    /// Forces are −∂E/∂r and sum to zero; the virial is −∂E/∂ε of an affine strain. A step of 10⁻⁴ Å with the formula of fourth order leaves h⁴E⁗/30
    /// ~ 10⁻¹³ eV/Å of truncation and 10⁻¹⁶·E/h ~ 10⁻¹⁰ of rounding for the hundreds of eV here.
    /// </summary>
    public static void Differences(Interaction law, Atoms atoms)
    {
        var field = new ForceField(law);
        var exact = new CalculatorResults(atoms.Count);
        field.Compute(atoms, Want.Virial, exact);
        var scratch = new CalculatorResults(atoms.Count);
        double Energy()
        {
            field.Compute(atoms, Want.Forces, scratch);
            return scratch.Energy;
        }
        double Slope(Action<double> set, double h)
        {
            double At(double step)
            {
                set(step);
                return Energy();
            }
            return (8 * (At(h) - At(-h)) - At(2 * h) + At(-2 * h)) / (12 * h);
        }
        double scale = Math.Max(1, exact.Forces.Max(Math.Abs));
        Assert.Multiple(() =>
        {
            for (int c = 0; c < atoms.Positions.Length; c += atoms.Positions.Length / 29 + 1)
            {
                double x = atoms.Positions[c];
                double slope = Slope(h => atoms.Positions[c] = x + h, 1e-4);
                atoms.Positions[c] = x;
                Assert.That(exact.Forces[c], Is.EqualTo(-slope).Within(1e-8 * scale), $"force {c / 3 + 1} {"xyz"[c % 3]}");
            }
            for (int k = 0; k < 3; k++)
                Assert.That(Enumerable.Range(0, atoms.Count).Sum(i => exact.Forces[3 * i + k]), Is.Zero.Within(1e-12 * scale * atoms.Count), "sum of forces");
        });

        double[] positions = [.. atoms.Positions];
        var cell = atoms.Cell;
        (int, int)[] voigt = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
        for (int v = 0; v < 6; v++)
        {
            var (a, b) = voigt[v];
            // Symmetric strain: half to each off-diagonal element, so that the derivative is the (symmetric) virial itself.
            void Strain(double e)
            {
                double[] f = [1, 0, 0, 0, 1, 0, 0, 0, 1];
                f[3 * a + b] += a == b ? e : 0.5 * e;
                if (a != b) f[3 * b + a] += 0.5 * e;
                double[] Apply(ReadOnlySpan<double> x)
                {
                    var y = new double[x.Length];
                    for (int i = 0; i < x.Length; i += 3)
                        for (int r = 0; r < 3; r++) y[i + r] = f[3 * r] * x[i] + f[3 * r + 1] * x[i + 1] + f[3 * r + 2] * x[i + 2];
                    return y;
                }
                Apply(positions).CopyTo(atoms.Positions, 0);
                atoms.Cell = cell.WithRows(Apply(cell.Rows));
            }
            double slope = Slope(Strain, 1e-5);
            positions.CopyTo(atoms.Positions, 0);
            atoms.Cell = cell;
            Assert.That(exact.Virial[v], Is.EqualTo(-slope).Within(1e-7 * Math.Max(100, Math.Abs(exact.Energy))), $"virial {v}");
        }
    }

    /// <summary>A sheared cell that spans the same crystal: c → c + a. Same atoms, same answers.</summary>
    public static void Triclinic(Interaction law, Atoms atoms)
    {
        var r = atoms.Cell.Rows;
        var sheared = new Atoms(atoms.Species, atoms.Types, [.. atoms.Positions], atoms.Cell.WithRows([r[0], r[1], r[2], r[3] + r[0], r[4] + r[1], r[5] + r[2], r[6] - r[0], r[7] - r[1], r[8] - r[2]]));
        CalculatorResults a = Results(law, atoms), b = Results(law, sheared);
        double force = a.Forces.Max(Math.Abs);
        Assert.Multiple(() =>
        {
            Assert.That(b.Energy, Is.EqualTo(a.Energy).Within(1e-12 * Math.Abs(a.Energy)));
            Assert.That(b.Forces.Zip(a.Forces, (p, q) => Math.Abs(p - q)).Max(), Is.LessThan(1e-11 * Math.Max(1, force)));
            Assert.That(b.Virial.Zip(a.Virial, (p, q) => Math.Abs(p - q)).Max(), Is.LessThan(1e-10 * Math.Abs(a.Energy)));
        });
    }

    /// <summary>Lists that live on while atoms move give what fresh ones give: the rows between and the exact filter follow.</summary>
    public static void Moving(Interaction law, Atoms atoms)
    {
        var field = new ForceField(law);
        var domain = field.MakeDomain(atoms, 2);
        var random = new Random(3);
        double[] drift = [.. atoms.Positions.Select(_ => 0.08 * (random.NextDouble() - 0.5))];
        for (int step = 0; step < 12; step++)
        {
            unsafe
            {
                for (int s = 0; s < domain.OwnedSlots; s++)
                    if (domain.Tag[s] >= 0)
                        for (int k = 0; k < 3; k++) domain.X[s / 8 * 24 + 8 * k + s % 8] += drift[3 * domain.Tag[s] + k];
            }
            domain.UpdateGhosts();
            Assert.That(domain.NeedsRebuild(), Is.False);
            var tally = field.Compute(domain, Want.Virial);
            domain.Store(atoms);
            var forces = new double[3 * atoms.Count];
            domain.StoreForces(forces);
            var fresh = Results(law, atoms, Want.Virial | Want.PerAtom);
            Assert.That(tally.Energy, Is.EqualTo(fresh.Energy).Within(1e-12 * fresh.AtomEnergies.Sum(Math.Abs)), $"step {step}");
            Assert.That(forces.Zip(fresh.Forces, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-11 * Math.Max(1, fresh.Forces.Max(Math.Abs))), $"step {step}");
        }
    }

    /// <summary>No bytes are allocated by an evaluation once everything has its size.</summary>
    public static void AllocatesNothing(Interaction law, Atoms atoms)
    {
        var field = new ForceField(law);
        var domain = field.MakeDomain(atoms, 1);
        for (int k = 0; k < 3; k++) field.Compute(domain, Want.Virial);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int k = 0; k < 5; k++) field.Compute(domain, Want.Virial);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    /// <summary>Largest error of a force against double precision, over the root mean square of the forces.</summary>
    public static double MixedError(Interaction exact, Interaction mixed, Atoms atoms, out double energyError)
    {
        CalculatorResults a = Results(exact, atoms), b = Results(mixed, atoms);
        double rms = Math.Sqrt(a.Forces.Average(f => f * f));
        energyError = Math.Abs(b.Energy - a.Energy) / atoms.Count;
        double[] error = [.. b.Forces.Zip(a.Forces, (p, q) => Math.Abs(p - q))];
        TestContext.Out.WriteLine($"{atoms.Count} atoms: rms force {rms:F3} eV/Å, error rms {Math.Sqrt(error.Average(e => e * e)) / rms:E2}, largest {error.Max() / rms:E2} of it; energy {energyError:E2} eV per atom");
        Assert.That(error, Has.All.Not.NaN);
        return error.Max() / rms;
    }

    /// <summary>Writes a potential file of one test.</summary>
    public static string File(string text)
    {
        string path = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"potential-{Guid.NewGuid():N}.txt");
        System.IO.File.WriteAllText(path, text);
        return path;
    }
}
