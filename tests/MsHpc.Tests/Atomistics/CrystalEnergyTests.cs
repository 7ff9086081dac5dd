using MsHpc.Atomistics;
using MsHpc.Atomistics.Analysis;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Elastic constants against LAMMPS, and phonons against elastic constants and closed formulas.</summary>
public sealed class CrystalEnergyTests
{
    private const double Gpa = Codata.EvPerCubicAngstromInGPa;

    [Test]
    public void ElasticConstantsOfSilicon()
    {
        string file = ReferenceCase.PotentialFile("Si.sw");
        var reference = TestData.Json("md/elastic_surface_0K.json").GetProperty("sw_si");
        var r = ElasticConstants.Compute(new ForceField(StillingerWeber.Read(file, ["Si"])), Crystal.Create("diamond", [Crystal.Element("Si")], 5.4, [1, 1, 1]));
        double Reference(string name) => reference.GetProperty(name).GetDouble();
        // The reference comes from finite differences, too; 1e-6 relative is what those carry.
        Assert.Multiple(() =>
        {
            Assert.That(Math.Cbrt(r.Atoms.Cell.Volume), Is.EqualTo(Reference("lattice_constant_A")).Within(1e-8));
            Assert.That(r.Energy / 8, Is.EqualTo(Reference("cohesive_energy_eV_per_atom")).Within(1e-10));
            Assert.That(r.Relaxed[0, 0] * Gpa, Is.EqualTo(Reference("C11_GPa_relaxed")).Within(2e-4));
            Assert.That(r.Relaxed[0, 1] * Gpa, Is.EqualTo(Reference("C12_GPa_relaxed")).Within(2e-4));
            Assert.That(r.Relaxed[3, 3] * Gpa, Is.EqualTo(Reference("C44_GPa_relaxed")).Within(2e-4));
            Assert.That(r.Clamped[3, 3] * Gpa, Is.EqualTo(Reference("C44_GPa_unrelaxed_ions")).Within(2e-4));
            Assert.That(r.BulkVoigt * Gpa, Is.EqualTo(Reference("bulk_modulus_GPa")).Within(2e-4));
            Assert.That(r.Stability[0], Is.GreaterThan(0));
            Assert.That(r.Modes, Has.Length.EqualTo(21));
            // Cubic symmetry.
            Assert.That(r.Relaxed[1, 1], Is.EqualTo(r.Relaxed[0, 0]).Within(1e-7));
            Assert.That(r.Relaxed[0, 3], Is.Zero.Within(1e-7));
        });
    }

    // Constants do not depend on the cell in which the crystal is described; the primitive one is turned nowhere.
    [Test]
    public void ElasticConstantsDoNotDependOnTheCell()
    {
        var field = new ForceField(StillingerWeber.Silicon());
        var cube = ElasticConstants.Compute(field, Crystal.Create("diamond", [Crystal.Element("Si")], 5.4, [1, 1, 1]));
        var primitive = ElasticConstants.Compute(field, Crystal.Create("diamond", [Crystal.Element("Si")], 5.45, [1, 1, 1], primitive: true));
        for (int i = 0; i < 6; i++) for (int j = 0; j < 6; j++) Assert.That(primitive.Relaxed[i, j], Is.EqualTo(cube.Relaxed[i, j]).Within(1e-6), $"{i} {j}");
    }

    // A chain of nearest neighbours in an sc crystal of a pair potential: ω along [100] has a closed form. At small q the sound of the phonons is that of the elastic constants.
    [Test]
    public void SoundOfPhononsIsThatOfElasticConstants()
    {
        var field = new ForceField(StillingerWeber.Silicon());
        var rest = ElasticConstants.Compute(field, Crystal.Create("diamond", [Crystal.Element("Si")], 5.43, [1, 1, 1], primitive: true));
        var phonons = Phonons.Compute(field, rest.Atoms, [4, 4, 4], 0.005);
        double a = Math.Cbrt(4 * rest.Atoms.Cell.Volume), density = 2 * 28.085 / rest.Atoms.Cell.Volume * Codata.MassVelocitySquaredInEv; // eV fs²/Å⁵
        const double small = 0.002;
        double[] f = phonons.Frequencies([small, 0, small]); // towards X: q = 2π/a · 2·small along y
        double k = 2 * Math.PI / a * 2 * small;
        double transversal = Math.Sqrt(rest.Relaxed[3, 3] / density) * k * Phonons.ThzPerRadFs, longitudinal = Math.Sqrt(rest.Relaxed[0, 0] / density) * k * Phonons.ThzPerRadFs;
        Assert.Multiple(() =>
        {
            // The force constants of a 4 × 4 × 4 cell hold all of Stillinger and Weber's reach; dispersion is of order (k a)² ~ 6e-4.
            Assert.That(f[0], Is.EqualTo(transversal).Within(1e-3 * transversal));
            Assert.That(f[1], Is.EqualTo(transversal).Within(1e-3 * transversal));
            Assert.That(f[2], Is.EqualTo(longitudinal).Within(1e-3 * longitudinal));
            Assert.That(phonons.Frequencies([0, 0, 0])[..3], Is.All.EqualTo(0).Within(1e-4));
            Assert.That(phonons.MaxForce, Is.LessThan(1e-7));
            var (frequency, states) = phonons.DensityOfStates(4, 50);
            Assert.That(states.Sum() * (frequency[1] - frequency[0]), Is.EqualTo(6).Within(1e-9));
        });
    }

    // fcc with forces between nearest neighbours only: ω²(X, longitudinal) = 8 φ″/m, transversal half of that (φ′ = 0 at rest).
    [Test]
    public void PhononsOfFccHaveAClosedForm()
    {
        // At the pair minimum r₀ = 2^{1/6} σ, φ″ = 72 ε/(2^{1/3} σ²); the cutoff lies between first and second neighbours.
        double r0 = Math.Pow(2, 1.0 / 6), stiffness = 72 / Math.Cbrt(2);
        var atoms = Crystal.Create("fcc", [new Species("A", 1)], r0 * Math.Sqrt(2), [1, 1, 1], primitive: true);
        var phonons = Phonons.Compute(new ForceField(LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 1.3))), atoms, [4, 4, 4], 1e-4);
        double[] f = phonons.Frequencies([0.5, 0, 0.5]);
        double high = Math.Sqrt(8 * stiffness / Codata.MassVelocitySquaredInEv) * Phonons.ThzPerRadFs;
        // Central differences: (h/r₀)² times the quotient of derivatives, about 1e-6.
        Assert.That(f, Is.EqualTo([high / Math.Sqrt(2), high / Math.Sqrt(2), high]).Within(1e-5 * high));
    }

    // Bonds cut per area, as LAMMPS finds it; Stillinger and Weber's ideal surfaces do not relax. (111) is cut between the far layers, 3/8 of a bilayer's height up.
    [TestCase("111", new[] { 1, -1, 0 }, new[] { 1, 1, -2 }, new[] { 1, 1, 1 }, 5, 0.125)]
    [TestCase("110", new[] { 0, 0, 1 }, new[] { 1, -1, 0 }, new[] { 1, 1, 0 }, 6, 0.0)]
    [TestCase("100", new[] { 1, 0, 0 }, new[] { 0, 1, 0 }, new[] { 0, 0, 1 }, 4, 0.0)]
    public void SurfaceEnergiesOfSilicon(string face, int[] x, int[] y, int[] z, int cells, double offset)
    {
        string file = ReferenceCase.PotentialFile("Si.sw");
        var reference = TestData.Json("md/elastic_surface_0K.json").GetProperty("sw_si");
        double a = reference.GetProperty("lattice_constant_A").GetDouble(), bulk = reference.GetProperty("cohesive_energy_eV_per_atom").GetDouble();
        var field = new ForceField(StillingerWeber.Read(file, ["Si"]));
        const double joule = 16.021765; // of 1 eV/Å² in J/m², as the reference was converted (e to eight digits)
        var slab = Crystal.Create("diamond", [Crystal.Element("Si")], a, [2, 2, cells], orientation: [x, y, z], vacuum: 15, offset: offset);
        double expected = reference.GetProperty("surfaces").GetProperty(face).GetProperty("unrelaxed_J_m2").GetDouble();
        Assert.That(DefectEnergies.Surface(field, slab, bulk) * joule, Is.EqualTo(expected).Within(1e-8));
        expected = reference.GetProperty("surfaces").GetProperty(face).GetProperty("relaxed_J_m2").GetDouble();
        Assert.That(DefectEnergies.Surface(field, slab, bulk, new MinimizerOptions { ForceTolerance = 1e-6 }) * joule, Is.EqualTo(expected).Within(1e-8));
    }

    [Test]
    public void VacancyEnergyOfSilicon()
    {
        string file = ReferenceCase.PotentialFile("Si.sw");
        var reference = TestData.Json("md/elastic_surface_0K.json").GetProperty("sw_si");
        var field = new ForceField(StillingerWeber.Read(file, ["Si"]));
        var crystal = Crystal.Create("diamond", [Crystal.Element("Si")], reference.GetProperty("lattice_constant_A").GetDouble(), [5, 5, 5]);
        double expected = reference.GetProperty("vacancy_formation_eV").GetProperty("unrelaxed").GetDouble();
        Assert.That(DefectEnergies.Vacancy(field, crystal), Is.EqualTo(expected).Within(1e-6));
    }

    [Test]
    public void BadInputIsRefused()
    {
        var field = new ForceField(StillingerWeber.Silicon());
        var slab = Crystal.Create("diamond", [Crystal.Element("Si")], 5.43, [1, 1, 1]);
        slab.Cell = new Cell(slab.Cell.Rows, [true, true, false]);
        Assert.That(() => ElasticConstants.Compute(field, slab), Throws.TypeOf<InputException>());
        Assert.That(() => Phonons.Compute(field, slab, [2, 2, 2]), Throws.TypeOf<InputException>());
    }
}
