using MsHpc.Atomistics;
using MsHpc.Atomistics.Analysis;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Structure analysis against LAMMPS and against perfect crystals; correlations against exact answers.</summary>
public sealed class AnalysisTests
{
    [Test]
    public void LocalStructureAgreesWithLammps()
    {
        var json = TestData.Json("md/local_structure.json");
        double[] x = [.. json.GetProperty("positions").EnumerateArray().SelectMany(r => r.EnumerateArray().Select(v => v.GetDouble()))];
        double a = json.GetProperty("cell").GetDouble();
        var atoms = new Atoms([new Species("Cu", 63.55)], new int[x.Length / 3], x, Cell.Box(a, a, a));
        CrystalStructure[] order = [CrystalStructure.Other, CrystalStructure.Fcc, CrystalStructure.Hcp, CrystalStructure.Bcc, CrystalStructure.Icosahedral, CrystalStructure.Other];
        var expected = json.GetProperty("cna").EnumerateArray().Select(v => order[v.GetInt32()]);
        Assert.That(LocalStructure.CommonNeighbors(atoms, 3.086), Is.EqualTo(expected));
        Assert.That(LocalStructure.Coordination(atoms, 3.086), Is.EqualTo(json.GetProperty("coord").EnumerateArray().Select(v => v.GetInt32())));
        double[] centro = [.. json.GetProperty("centro").EnumerateArray().Select(v => v.GetDouble())], found = LocalStructure.CentroSymmetry(atoms, 12, 5);
        // Positions have 17 digits, P is a sum of squares of about 1 Å²: 1e-12 allows for the order of sums.
        for (int i = 0; i < centro.Length; i++) Assert.That(found[i], Is.EqualTo(centro[i]).Within(1e-12), $"atom {i}");
    }

    private static Atoms Crystal(double[] rows, double[] basis, int n)
    {
        var x = new List<double>();
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int k = 0; k < n; k++)
                    for (int b = 0; b < basis.Length; b += 3)
                        for (int d = 0; d < 3; d++)
                            x.Add((i + basis[b]) * rows[d] + (j + basis[b + 1]) * rows[3 + d] + (k + basis[b + 2]) * rows[6 + d]);
        return new Atoms([new Species("X", 1)], new int[x.Count / 3], [.. x], new Cell([.. rows.Select(r => n * r)]));
    }

    // Also in cells smaller than the cutoff, where an atom is its own neighbour.
    [Test]
    public void PerfectCrystalsAreThemselves([Values(1, 2, 3)] int n)
    {
        double c = Math.Sqrt(8.0 / 3);
        var fcc = Crystal([1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, .5, .5, .5, 0, .5, .5, .5, 0], n);
        var bcc = Crystal([-.5, .5, .5, .5, -.5, .5, .5, .5, -.5], [0, 0, 0], n);
        var hcp = Crystal([1, 0, 0, -.5, Math.Sqrt(0.75), 0, 0, 0, c], [1.0 / 3, 2.0 / 3, .25, 2.0 / 3, 1.0 / 3, .75], n);
        Assert.That(LocalStructure.CommonNeighbors(fcc, LocalStructure.CommonNeighborCutoff(CrystalStructure.Fcc, 1)), Is.All.EqualTo(CrystalStructure.Fcc));
        Assert.That(LocalStructure.CommonNeighbors(bcc, LocalStructure.CommonNeighborCutoff(CrystalStructure.Bcc, 1)), Is.All.EqualTo(CrystalStructure.Bcc));
        Assert.That(LocalStructure.CommonNeighbors(hcp, LocalStructure.CommonNeighborCutoff(CrystalStructure.Hcp, 1)), Is.All.EqualTo(CrystalStructure.Hcp));
        Assert.That(LocalStructure.CentroSymmetry(fcc, 12, 1.2), Is.All.LessThan(1e-24));
        Assert.That(LocalStructure.CentroSymmetry(bcc, 8, 1.2), Is.All.LessThan(1e-24));
    }

    [Test]
    public void AnIcosahedronHasAnIcosahedralCentre()
    {
        double p = 0.5 * (1 + Math.Sqrt(5));
        double[] x = [0, 0, 0, 0, 1, p, 0, 1, -p, 0, -1, p, 0, -1, -p, 1, p, 0, 1, -p, 0, -1, p, 0, -1, -p, 0, p, 0, 1, -p, 0, 1, p, 0, -1, -p, 0, -1];
        var atoms = new Atoms([new Species("X", 1)], new int[13], x, Cell.Box(20, 20, 20, [false, false, false]));
        Assert.That(LocalStructure.CommonNeighbors(atoms, 2.5)[0], Is.EqualTo(CrystalStructure.Icosahedral));
    }

    // The integral of g over the first shell of a crystal is its coordination; far away g is 1 on average.
    [Test]
    public void RadialDistributionCountsNeighbours()
    {
        var fcc = Crystal([4, 0, 0, 0, 4, 0, 0, 0, 4], [0, 0, 0, 0, .5, .5, .5, 0, .5, .5, .5, 0], 2);
        var rdf = new RadialDistribution(20, 2000);
        rdf.Add(fcc);
        var (r, g) = rdf.Result();
        double density = 4 / 64.0, dr = r[1] - r[0];
        double Count(double low, double high) => Enumerable.Range(0, r.Length).Where(k => r[k] > low && r[k] < high)
            .Sum(k => g[k] * density * 4 * Math.PI / 3 * (Math.Pow(r[k] + dr / 2, 3) - Math.Pow(r[k] - dr / 2, 3)));
        Assert.That(Count(0, 3.5), Is.EqualTo(12).Within(1e-9));
        Assert.That(Count(3.5, 4.5), Is.EqualTo(6).Within(1e-9));
        Assert.That(Count(0, 20) / (density * 4 * Math.PI / 3 * 8000), Is.EqualTo(1).Within(0.02));
    }

    // Uniform motion: ⟨Δr²⟩ = v² t²; a harmonic oscillator: C(t)/C(0) = cos ωt, one line in the spectrum, of unit area.
    [Test]
    public void CorrelationsOfKnownMotions()
    {
        var (straight, harmonic) = (new TimeCorrelation(), new TimeCorrelation());
        const double frequency = 5e-3; // 1/fs: 5 THz
        for (int k = 0; k <= 4000; k++)
        {
            double t = k, phase = 2 * Math.PI * frequency * t;
            var atoms = new Atoms([new Species("X", 1)], [0], [0.3 * t, 0.4 * t, 0], Cell.Box(10, 10, 10));
            (atoms.Velocities[0], atoms.Velocities[1]) = (Math.Cos(phase), Math.Sin(phase));
            if (k <= 20) straight.Add(atoms);
            harmonic.Add(atoms);
        }
        double[] msd = straight.MeanSquareDisplacement(10);
        for (int k = 0; k <= 10; k++) Assert.That(msd[k], Is.EqualTo(0.25 * k * k).Within(1e-12));
        var c = harmonic.VelocityAutocorrelation(100);
        for (int k = 0; k <= 100; k++) Assert.That(c[k], Is.EqualTo(Math.Cos(2 * Math.PI * frequency * k)).Within(1e-12));
        var (f, d) = harmonic.DensityOfStates(2000, 1, 20, 4001);
        Assert.That(f[Array.IndexOf(d, d.Max())], Is.EqualTo(5).Within(0.01));
        Assert.That(d.Sum() * (f[1] - f[0]), Is.EqualTo(1).Within(2e-3)); // the window's tail beyond 20 THz
    }

    [Test]
    public void BadQuestionsAreRefused()
    {
        var atoms = new Atoms([new Species("X", 1)], [0], [0, 0, 0], Cell.Box(10, 10, 10));
        Assert.That(() => LocalStructure.Coordination(atoms, 0), Throws.TypeOf<InputException>());
        Assert.That(() => LocalStructure.CentroSymmetry(atoms, 7, 3), Throws.TypeOf<InputException>());
        Assert.That(() => new RadialDistribution(5, 10).Add(new Atoms(atoms.Species, atoms.Types, atoms.Positions, Cell.Box(20, 20, 20, [true, true, false]))), Throws.TypeOf<InputException>().With.Message.Contains("periodic in all three"));
        Assert.That(() => new TimeCorrelation().MeanSquareDisplacement(3), Throws.TypeOf<InputException>());
    }

    // Lists of force fields leave bonded pairs out; who counts neighbours wants them.
    [Test]
    public void BondedNeighboursCount()
    {
        var water = Water.Tip3p.Box(3, 3, 3, 1);
        Assert.That(LocalStructure.Coordination(water, 1.2), Is.EqualTo(water.Types.Select(t => t == 0 ? 2 : 1)));
        var rdf = new RadialDistribution(1.2, 1, 0, 1);
        rdf.Add(water);
        double density = 54 / water.Cell.Volume;
        Assert.That(rdf.Result().G[0] * density * 4 * Math.PI / 3 * Math.Pow(1.2, 3), Is.EqualTo(2).Within(1e-12));
    }

    // A sum made for the small cell has too coarse a mesh for the supercell: 8³ cells of rock salt would have an imaginary frequency of 3 THz.
    [Test]
    public void AnEwaldSumKnowsItsAtoms()
    {
        var atoms = MsHpc.Atomistics.Crystal.Create("rocksalt", [new("Na", 22.99), new("Cl", 35.45)], 5.64, [1, 1, 1], primitive: true);
        (atoms.Charges[0], atoms.Charges[1]) = (1, -1);
        Assert.That(() => Phonons.Compute(new ForceField(ParticleMeshEwald.Create(atoms, 7, 1e-6)), atoms, [2, 2, 2]), Throws.TypeOf<InputException>().With.Message.Contains("made for 2 atoms"));
        Assert.That(() => Phonons.Compute(new ForceField(Ewald.Create(atoms, 7, 1e-6)), atoms, [2, 2, 2]), Throws.TypeOf<InputException>().With.Message.Contains("made for 2 atoms"));
    }
}
