using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using NUnit.Framework;
using static MsHpc.Tests.Continuum.Homogenization.RveFixture;

namespace MsHpc.Tests.Continuum.Homogenization;

[TestFixture]
public sealed class LargeRveTests
{
    // The large RVE and the lanes' one are two ways to the same numbers: stress, tangent, Hill–Mandel.
    [Test]
    public void AgreesWithTheBatchedRve([Values("elastic", "j2_plasticity")] string law, [Values] RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        var matrix = law == "elastic" ? Elastic(space, 1, 0.3) : Law(law, space, ("E", 1), ("nu", 0.3), ("sigma_y", 2e-3), ("H", 0.05));
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = matrix, ["inclusion"] = Elastic(space, 10, 0.2) };
        var mesh = Voxels(2, 8, Disc(8, 0.3));
        var points = new Points(new RveMaterial(new RveModel(mesh, phases, space, boundary, new RveOptions(1e-12))));
        using var large = new LargeRve(mesh, phases, space, boundary, new EmbeddedSolver(), new RveOptions(1e-12));
        foreach (double load in new[] { 4e-3, 8e-3, 5e-3 })
        {
            double[] strain = [load, -0.4 * load, 0.7 * load];
            Assert.That(points.Evaluate(_ => strain), Is.True);
            var response = large.Solve(strain);
            Assert.That(response.HillMandel, Is.LessThan(1e-10));
            for (int c = 0; c < 3; c++) Assert.That(response.Stress[c], Is.EqualTo(points.StressOf(0)[c]).Within(1e-10 * 2e-3));
            Assert.That(MaxDifference(large.Tangent(), points.TangentOf(0)), Is.LessThan(1e-9));
            points.Commit();
            large.Commit();
        }
    }

    // Chunks on opposite faces write the same rows once their nodes are tied: they must not run at the same time. Fifty assemblies, since a
    // lost update needs two threads in the same row at the same moment.
    [Test]
    public void TiedAssemblyHasTheSameBitsForAnyThreads()
    {
        var space = StrainSpace.SolidSmall;
        var mesh = Voxels(3, 16, (_, _, _) => "a");
        var law = new Dictionary<string, IMaterial> { ["a"] = Elastic(space, 3, 0.25) };
        FeSystem Tied(FeModel model)
        {
            var at = new Dictionary<(double, double, double), int>();
            (double, double, double) Place(int node, double fold) =>
                (model.Coordinates[node * 3] % fold, model.Coordinates[node * 3 + 1] % fold, model.Coordinates[node * 3 + 2] % fold);
            for (int node = 0; node < model.Nodes; node++) at[Place(node, 2)] = node;
            int[] master = [.. Enumerable.Range(0, model.Nodes).Select(node => at[Place(node, 1)])];
            return new FeSystem(model, new bool[model.Unknowns], master);
        }
        using var team = new ThreadTeam(4);
        FeModel one = new(mesh, space, law), many = new(mesh, space, law, team: team);
        FeSystem expected = Tied(one), system = Tied(many);
        var force = new double[one.Unknowns];
        one.Assemble(new double[one.Unknowns], 1, 1, force, expected);
        for (int repeat = 0; repeat < 50; repeat++)
        {
            many.Assemble(new double[one.Unknowns], 1, 1, force, system);
            Assert.That(system.Values.AsSpan().SequenceEqual(expected.Values), Is.True, $"assembly {repeat}");
        }
    }

    // Uniaxial macro stress: the other components are found; the answer is the compliance.
    [Test]
    public void MixedControlFindsUniaxialStress()
    {
        var space = StrainSpace.SolidSmall;
        var phases = new Dictionary<string, IMaterial> { ["a"] = Elastic(space, 3, 0.25), ["b"] = Elastic(space, 3, 0.25) };
        using var rve = new LargeRve(Voxels(3, 3, (i, _, _) => i == 1 ? "a" : "b"), phases, space, RveBoundary.Periodic, new EmbeddedSolver());
        var response = rve.SolveMixed([false, true, true, true, true, true], [1e-3, 0, 0, 0, 0, 0], new double[6]);
        Assert.That(response.Stress[0], Is.EqualTo(3e-3).Within(1e-12));
        Assert.That(response.Strain[1], Is.EqualTo(-0.25e-3).Within(1e-12));
    }

    // FANS 0.6.2 stops at 1e-6 of the initial residual; the effective tensor is off by about the square of that times the contrast, so the
    // 1e-5 asked for is loose for both.
    private static void CompareFans(string key)
    {
        var parts = key.Split('/');
        int n = int.Parse(parts[1][1..], System.Globalization.CultureInfo.InvariantCulture);
        double contrast = double.Parse(parts[2][1..], System.Globalization.CultureInfo.InvariantCulture);
        var geometry = TestData.Json("fe/geometry.json").GetProperty("geometry").GetProperty(parts[0]);
        double radius = geometry.GetProperty("R").GetDouble();
        double[][] centres = [.. geometry.GetProperty("centres").EnumerateArray().Select(c => c.EnumerateArray().Select(v => v.GetDouble()).ToArray())];
        string Phase(int i, int j, int k)
        {
            foreach (var c in centres)
            {
                double d2 = 0;
                for (int a = 0; a < 3; a++)
                {
                    double d = ((a == 0 ? i : a == 1 ? j : k) + 0.5) / n - c[a];
                    d -= Math.Round(d);
                    d2 += d * d;
                }
                if (d2 <= radius * radius) return "inclusion";
            }
            return "matrix";
        }
        var space = StrainSpace.SolidSmall;
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3), ["inclusion"] = Elastic(space, contrast, 0.3) };
        // The one-point rule leaves K singular but consistent: conjugate gradients, preconditioned by what is as singular.
        bool onePoint = parts[3] == "HEX8R";
        ILinearSolver solver = onePoint ? new FourierSolver(1e-8) : new EmbeddedSolver(new EmbeddedSolverOptions { RelativeTolerance = 1e-8 });
        using var rve = new LargeRve(Voxels(3, n, Phase), phases, space, RveBoundary.Periodic, solver,
            new RveOptions(1e-7, Integration: onePoint ? Integration.Reduced : Integration.Full));
        var expected = TestData.Json("fe/fans_effective_stiffness.json").GetProperty("cases").GetProperty(key).GetProperty("C");
        rve.Solve(new double[6]);
        var c = rve.Tangent();
        int[] order = [0, 1, 2, 5, 4, 3]; // Mandel 11, 22, 33, 12, 13, 23 from Voigt
        double scale = expected[0][0].GetDouble();
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
            {
                double mandel = c[order[i], order[j]] * Math.Pow(Math.Sqrt(2), (i > 2 ? 1 : 0) + (j > 2 ? 1 : 0));
                Assert.That(mandel, Is.EqualTo(expected[i][j].GetDouble()).Within(1e-5 * scale), $"{i}{j}");
            }
    }

    // A one-point rule where it does not belong is refused, with its reason.
    [Test]
    public void OnePointRuleNeedsPeriodicBoundaries()
    {
        var space = StrainSpace.SolidSmall;
        var phases = new Dictionary<string, IMaterial> { ["a"] = Elastic(space, 3, 0.25) };
        var options = new RveOptions(Integration: Integration.Reduced);
        Assert.That(() => new LargeRve(Voxels(3, 3, (_, _, _) => "a"), phases, space, RveBoundary.LinearDisplacement, new EmbeddedSolver(), options),
            Throws.TypeOf<InputException>().With.Message.Contains("hourglass"));
        Assert.That(() => new RveModel(Voxels(3, 3, (_, _, _) => "a"), phases, space, RveBoundary.Periodic, options),
            Throws.TypeOf<InputException>().With.Message.Contains("LargeRve"));
    }

    // Another solver, the same stiffness; a grid of two voxels along one direction meets itself from both sides.
    [TestCase(2, 6)]
    [TestCase(3, 2)]
    [TestCase(3, 5)]
    public void FourierSolverIsAnotherWayToTheSameStiffness(int dimension, int n)
    {
        var space = dimension == 2 ? StrainSpace.PlaneSmall : StrainSpace.SolidSmall;
        var phases = new Dictionary<string, IMaterial> { ["a"] = Elastic(space, 1, 0.3), ["b"] = Elastic(space, 50, 0.2) };
        double[,] Stiffness(ILinearSolver solver)
        {
            using var rve = new LargeRve(Voxels(dimension, n, (i, j, k) => (i + 2 * j + 3 * k) % 5 < 2 ? "b" : "a"), phases, space, RveBoundary.Periodic, solver);
            rve.Solve(new double[space.Components()]);
            return rve.Tangent();
        }
        double[,] expected = Stiffness(new EmbeddedSolver()), found = Stiffness(new FourierSolver(1e-12));
        for (int i = 0; i < space.Components(); i++)
            for (int j = 0; j < space.Components(); j++) Assert.That(found[i, j], Is.EqualTo(expected[i, j]).Within(1e-10 * expected[0, 0]));
    }

    [Test]
    public void FourierSolverNeedsAPeriodicGrid()
    {
        var space = StrainSpace.SolidSmall;
        var phases = new Dictionary<string, IMaterial> { ["a"] = Elastic(space, 3, 0.25) };
        Assert.That(() => new LargeRve(Voxels(3, 3, (_, _, _) => "a"), phases, space, RveBoundary.LinearDisplacement, new FourierSolver()),
            Throws.TypeOf<InputException>().With.Message.Contains("periodic"));
    }

    [Test]
    public void FansTensorsSmall([Values("single/N16/c10/HEX8", "single/N16/c100/HEX8")] string key) => CompareFans(key);

    private static IEnumerable<string> LargeCases() =>
        TestData.Json("fe/fans_effective_stiffness.json").GetProperty("cases").EnumerateObject().Select(c => c.Name)
            .Where(k => !k.Contains("/N16/", StringComparison.Ordinal));

    [Test, Category("Slow")]
    public void FansTensorsLarge([ValueSource(nameof(LargeCases))] string key) => CompareFans(key);
}
