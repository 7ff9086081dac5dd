using NUnit.Framework;
using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using static MsHpc.Tests.Continuum.Homogenization.RveFixture;

namespace MsHpc.Tests.Continuum.Homogenization;

[TestFixture]
public sealed class RveTests
{
    private static RveModel Table(int n, RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        return new RveModel(Voxels(2, n, Disc(n, 0.4)),
            new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.45), ["inclusion"] = Elastic(space, 50, 0.3) }, space, boundary);
    }

    // tests/data/fe/rve2d_bc.json: an independent code on the same voxels and elements; both solve directly, so they agree to roundoff
    // times the condition number (about 1e4 at N = 64): 1e-8 leaves a margin.
    [Test]
    public void TableOfThreeBoundaryConditions([Values(8, 16, 32, 64)] int n, [Values] RveBoundary boundary) => CompareTable(n, boundary);

    [Test, Category("Slow")]
    public void TableOfThreeBoundaryConditionsLarge([Values(128, 256)] int n, [Values] RveBoundary boundary) => CompareTable(n, boundary);

    private static void CompareTable(int n, RveBoundary boundary)
    {
        string key = boundary switch { RveBoundary.Periodic => "PBC", RveBoundary.LinearDisplacement => "KUBC", _ => "SUBC" };
        var expected = TestData.Json("fe/rve2d_bc.json").GetProperty("results").GetProperty($"{n}").GetProperty(key);
        var c = Stiffness(Table(n, boundary));
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
            {
                double mandel = c[i, j] * Math.Pow(Math.Sqrt(2), (i == 2 ? 1 : 0) + (j == 2 ? 1 : 0));
                Assert.That(mandel, Is.EqualTo(expected[i][j].GetDouble()).Within(1e-8 * Math.Max(1, Math.Abs(expected[i][j].GetDouble()))), $"{i}{j}");
            }
    }

    [Test]
    public void TractionPeriodicDisplacementAreOrdered([Values(8, 16)] int n)
    {
        double[,] t = Stiffness(Table(n, RveBoundary.UniformTraction)), p = Stiffness(Table(n, RveBoundary.Periodic)),
            k = Stiffness(Table(n, RveBoundary.LinearDisplacement));
        Assert.That(SmallestEigenvalue(Minus(p, t)), Is.GreaterThan(-1e-12));
        Assert.That(SmallestEigenvalue(Minus(k, p)), Is.GreaterThan(-1e-12));
    }

    private static double[,] Minus(double[,] a, double[,] b)
    {
        var c = new double[a.GetLength(0), a.GetLength(1)];
        for (int i = 0; i < c.GetLength(0); i++)
            for (int j = 0; j < c.GetLength(1); j++) c[i, j] = a[i, j] - b[i, j];
        return c;
    }

    // Rank-one laminate normal to x in plane strain (Milton, The Theory of Composites, 2002, ch. 9): σxx and σxy are the same in both
    // layers, εyy too. With a = λ + 2μ, b = λ: C11 = ⟨1/a⟩⁻¹, C12 = C11 ⟨b/a⟩, C22 = ⟨a − b²/a⟩ + C11 ⟨b/a⟩², C66 = ⟨1/μ⟩⁻¹.
    [Test]
    public void LaminateIsExact()
    {
        (double E, double nu)[] phase = [(1, 0.3), (20, 0.2)];
        double[] mu = [.. phase.Select(p => p.E / 2 / (1 + p.nu))];
        double[] b = [.. phase.Select(p => p.E * p.nu / (1 + p.nu) / (1 - 2 * p.nu))], a = [.. b.Zip(mu, (l, m) => l + 2 * m)];
        double[] f = [0.75, 0.25];
        double Mean(Func<int, double> g) => f[0] * g(0) + f[1] * g(1);
        double c11 = 1 / Mean(i => 1 / a[i]), ratio = Mean(i => b[i] / a[i]);
        double[,] exact =
        {
            { c11, c11 * ratio, 0 }, { c11 * ratio, Mean(i => a[i] - b[i] * b[i] / a[i]) + c11 * ratio * ratio, 0 }, { 0, 0, 1 / Mean(i => 1 / mu[i]) },
        };
        var space = StrainSpace.PlaneSmall;
        var model = new RveModel(Voxels(2, 8, (i, _, _) => i is 2 or 3 ? "b" : "a"),
            new Dictionary<string, IMaterial> { ["a"] = Elastic(space, 1, 0.3), ["b"] = Elastic(space, 20, 0.2) }, space, RveBoundary.Periodic);
        Assert.That(MaxDifference(Stiffness(model), exact), Is.LessThan(1e-10 * MaxAbs(exact)));
    }

    // Levin (1967): for two isotropic phases the effective expansion follows from the effective stiffness alone,
    // ε* = ε₁ + (S* − S₁)(S₂ − S₁)⁻¹ (ε₂ − ε₁); here in the plane with an eigenstrain tensor per phase.
    [Test]
    public void LevinsRelation()
    {
        var space = StrainSpace.PlaneSmall;
        IMaterial soft = Elastic(space, 1, 0.3), hard = Elastic(space, 10, 0.2);
        double[] e1 = [1e-3, 1e-3, 0], e2 = [-2e-3, 5e-4, 1e-3];
        var mesh = Voxels(2, 16, Disc(16, 0.3));
        var model = new RveModel(mesh, new Dictionary<string, IMaterial> { ["matrix"] = new Eigenstrain(soft, e1), ["inclusion"] = new Eigenstrain(hard, e2) },
            space, RveBoundary.Periodic);
        var points = new Points(new RveMaterial(model));
        Assert.That(points.Evaluate(_ => new double[3], 1), Is.True);
        var build = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build;
        var vector = MathNet.Numerics.LinearAlgebra.Vector<double>.Build;
        var effective = build.DenseOfArray(points.TangentOf(0)).Inverse();
        var s1 = build.DenseOfArray(TangentAtRest(soft)).Inverse();
        var s2 = build.DenseOfArray(TangentAtRest(hard)).Inverse();
        var expected = vector.Dense(e1) + (effective - s1) * (s2 - s1).Inverse() * (vector.Dense(e2) - vector.Dense(e1));
        var got = -(effective * vector.Dense(points.StressOf(0)));
        Assert.That((got - expected).AbsoluteMaximum(), Is.LessThan(1e-10 * 2e-3));
    }

    private static double[,] TangentAtRest(IMaterial law)
    {
        var points = new Points(law);
        points.Evaluate(_ => Rest(law.Space));
        return points.TangentOf(0);
    }

    private sealed class Eigenstrain(IMaterial law, double[] eigen) : IMaterial
    {
        public string Description => law.Description;
        public StrainSpace Space => law.Space;
        public int StateSize => 0;
        public double Density => 0;
        public bool HasSymmetricTangent => true;
        public void InitializeState(Span<double> state, int blocks) { }

        public bool Evaluate(in MaterialBatch batch)
        {
            var strain = batch.Strain.ToArray();
            for (int k = 0; k < strain.Length; k++) strain[k] -= eigen[k / Lane4.Width % 3];
            return law.Evaluate(new MaterialBatch
            {
                Blocks = batch.Blocks, Active = batch.Active, Strain = strain, OldState = batch.OldState, NewState = batch.NewState,
                Stress = batch.Stress, Tangent = batch.Tangent, Failed = batch.Failed,
            });
        }
    }

    private static RveModel Nonlinear(string law, int dim, int n, RveBoundary boundary)
    {
        bool finite = law == "neo_hooke";
        var space = dim == 2 ? finite ? StrainSpace.PlaneFinite : StrainSpace.PlaneSmall : finite ? StrainSpace.SolidFinite : StrainSpace.SolidSmall;
        var matrix = law switch
        {
            "j2_plasticity" => Law(law, space, ("E", 1), ("nu", 0.3), ("sigma_y", 2e-3), ("H", 0.05), ("H_kinematic", 0.02)),
            _ => Law(law, space, ("E", 1), ("nu", 0.3)),
        };
        var inclusion = Law(finite ? "neo_hooke" : "elastic", space, ("E", 10), ("nu", 0.2));
        var mesh = Voxels(dim, n, dim == 2 ? Disc(n, 0.3) : (i, j, k) => (i + 0.5) / n is > 0.25 and < 0.75 && (j + 0.5) / n is > 0.25 and < 0.75
            && (k + 0.5) / n is > 0.25 and < 0.75 ? "inclusion" : "matrix");
        return new RveModel(mesh, new Dictionary<string, IMaterial> { ["matrix"] = matrix, ["inclusion"] = inclusion }, space, boundary, new RveOptions(1e-12));
    }

    private static double[] Direction(StrainSpace space, double size)
    {
        double[] e = space switch
        {
            StrainSpace.PlaneSmall => [1, -0.4, 0.7],
            StrainSpace.SolidSmall => [1, -0.4, 0.2, 0.3, -0.5, 0.7],
            StrainSpace.PlaneFinite => [1, 0.5, -0.2, -0.4],
            _ => [1, 0.5, -0.2, 0.3, -0.4, 0.1, 0.2, -0.3, 0.6],
        };
        return [.. e.Zip(Rest(space), (d, r) => r + size * d)];
    }

    // Loading to a plastic state, then further loading and unloading: the condensed tangent against central differences of the macro stress.
    // Truncation error h²·|σ'''| and cancellation eps·|σ|/h balance near h = 1e-6 of the strain.
    [Test]
    public void TangentMatchesDifferences([Values("elastic", "neo_hooke", "j2_plasticity")] string law, [Values] RveBoundary boundary,
        [Values(2, 3)] int dim)
    {
        var model = Nonlinear(law, dim, dim == 2 ? 6 : 4, boundary);
        var space = model.Space;
        double size = space.IsFinite() ? 0.1 : 8e-3, h = space.IsFinite() ? 1e-5 : 1e-7;
        var points = new Points(new RveMaterial(model));
        double[] path = [0.5, 1, 0.8];
        foreach (double load in path)
        {
            var at = Direction(space, load * size);
            Assert.That(points.Evaluate(_ => at), Is.True);
            var tangent = points.TangentOf(0);
            double scale = MaxAbs(tangent);
            for (int c = 0; c < points.n; c++)
            {
                double[] Shift(int l) => [.. at.Select((v, k) => k == c ? v + (l == 0 ? h : l == 1 ? -h : 0) : v)];
                Assert.That(points.Evaluate(Shift, tangent: false), Is.True);
                double[] plus = points.StressOf(0), minus = points.StressOf(1);
                for (int r = 0; r < points.n; r++)
                    Assert.That((plus[r] - minus[r]) / (2 * h), Is.EqualTo(tangent[r, c]).Within(1e-6 * scale), $"load {load}, {r}{c}");
            }
            Assert.That(points.Evaluate(_ => at), Is.True);
            points.Commit();
        }
    }

    [Test]
    public void HillMandelHolds([Values("elastic", "neo_hooke", "j2_plasticity")] string law, [Values] RveBoundary boundary, [Values(2, 3)] int dim)
    {
        var material = new RveMaterial(Nonlinear(law, dim, dim == 2 ? 8 : 4, boundary));
        var points = new Points(material);
        foreach (double load in new[] { 0.3, 1, 0.7, -0.5 })
        {
            Assert.That(points.Evaluate(l => Direction(material.Space, load * (material.Space.IsFinite() ? 0.1 : 1e-2) * (1 + 0.1 * l))), Is.True);
            var outputs = new double[material.OutputNames.Count * Lane4.Width];
            material.GetOutputs(new MaterialBatch { Blocks = 1, Strain = [], OldState = [], NewState = points.New, Stress = [] }, outputs);
            Assert.That(outputs[..Lane4.Width].Max(), Is.LessThan(1e-10));
            points.Commit();
        }
    }

    [Test]
    public void MacroResponseIsObjective([Values] RveBoundary boundary)
    {
        var model = Nonlinear("neo_hooke", 2, 8, boundary);
        var points = new Points(new RveMaterial(model));
        var f = Direction(model.Space, 0.2);
        double c = Math.Cos(0.7), s = Math.Sin(0.7);
        double[] rotated = [c * f[0] - s * f[2], c * f[1] - s * f[3], s * f[0] + c * f[2], s * f[1] + c * f[3]];
        Assert.That(points.Evaluate(l => l == 0 ? f : l == 1 ? rotated : Rest(model.Space), 3), Is.True);
        double[] p = points.StressOf(0), q = points.StressOf(1);
        double[] expected = [c * p[0] - s * p[2], c * p[1] - s * p[3], s * p[0] + c * p[2], s * p[1] + c * p[3]];
        for (int k = 0; k < 4; k++) Assert.That(q[k], Is.EqualTo(expected[k]).Within(1e-10 * p.Max(Math.Abs)));
    }

    // A homogeneous RVE is its own law: stress and tangent to roundoff, elastic and plastic.
    [Test]
    public void HomogeneousRveIsTheLaw([Values] RveBoundary boundary, [Values] bool planeStress)
    {
        var space = StrainSpace.PlaneSmall;
        var law = MaterialCatalog.Create("j2_plasticity", new Dictionary<string, double[]> { ["E"] = [1], ["nu"] = [0.3], ["sigma_y"] = [2e-3], ["H"] = [0.05] },
            space, planeStress);
        var model = new RveModel(Voxels(2, 4, (_, _, _) => "a"), new Dictionary<string, IMaterial> { ["a"] = law }, space, boundary);
        Points rve = new(new RveMaterial(model)), single = new(law);
        foreach (double load in new[] { 1e-3, 5e-3, 2e-3 })
        {
            double[] Strain(int l) => Direction(space, load * (1 + l));
            Assert.That(rve.Evaluate(Strain) && single.Evaluate(Strain), Is.True);
            for (int l = 0; l < Lane4.Width; l++)
            {
                Assert.That(MaxDifference(rve.TangentOf(l), single.TangentOf(l)), Is.LessThan(1e-12));
                Assert.That(rve.StressOf(l).Zip(single.StressOf(l), (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-15));
            }
            rve.Commit();
            single.Commit();
        }
    }

    [Test]
    public void LanesDoNotSeeEachOther()
    {
        var model = Nonlinear("j2_plasticity", 2, 8, RveBoundary.Periodic);
        Points many = new(new RveMaterial(model)), one = new(new RveMaterial(model));
        Assert.That(many.Evaluate(l => Direction(model.Space, 2e-3 * (1 + l))), Is.True);
        Assert.That(one.Evaluate(l => l == 3 ? Direction(model.Space, 2e-3 * 4) : new double[3], 1 << 3), Is.True);
        Assert.That(many.StressOf(3), Is.EqualTo(one.StressOf(3)));
        Assert.That(many.TangentOf(3), Is.EqualTo(one.TangentOf(3)));
    }

    // Volume-weighted means of the phases bound every periodic, displacement or traction cell as quadratic forms (Hill 1952). The bulk
    // modulus of a cell is bounded by Hashin and Shtrikman (1963) when the cell's statistics are isotropic; the mean over the cell's
    // rotations by 90° of the plane-strain area modulus (C11 + C22 + 2 C12)/4 is compared with the two-dimensional bounds
    // k± = k₁ + f₂ / (1/(k₂ − k₁) + f₁/(k₁ + μ±)) (Hashin 1965).
    [Test]
    public void BoundsHoldOnRandomMicrostructures()
    {
        var space = StrainSpace.PlaneSmall;
        (double E, double nu) soft = (1, 0.35), hard = (20, 0.25);
        var random = new Random(20261123);
        for (int trial = 0; trial < 100; trial++)
        {
            int n = 16;
            double f = 0.15 + 0.5 * random.NextDouble();
            // random blobs: thresholded sum of random periodic waves
            var waves = Enumerable.Range(0, 12).Select(_ => (random.Next(-3, 4), random.Next(-3, 4), random.NextDouble() * 6.28)).ToArray();
            double[,] field = new double[n, n];
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) field[i, j] = waves.Sum(w => Math.Cos(6.283185307179586 * (w.Item1 * i + w.Item2 * j) / n + w.Item3));
            double threshold = field.Cast<double>().Order().ElementAt((int)(f * n * n));
            var mesh = Voxels(2, n, (i, j, _) => field[i, j] < threshold ? "hard" : "soft");
            if (mesh.Cells.Count < 2) continue;
            f = (double)mesh.Cells.Single(c => c.Region == "hard").Count / (n * n);
            var phases = new Dictionary<string, IMaterial> { ["soft"] = Elastic(space, soft.E, soft.nu), ["hard"] = Elastic(space, hard.E, hard.nu) };
            var build = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build;
            var c1 = build.DenseOfArray(TangentAtRest(phases["soft"]));
            var c2 = build.DenseOfArray(TangentAtRest(phases["hard"]));
            var voigt = c1 * (1 - f) + c2 * f;
            var reuss = (c1.Inverse() * (1 - f) + c2.Inverse() * f).Inverse();
            foreach (var boundary in Enum.GetValues<RveBoundary>())
            {
                var c = Stiffness(new RveModel(mesh, phases, space, boundary));
                Assert.That(SmallestEigenvalue(Minus(voigt.ToArray(), c)), Is.GreaterThan(-1e-10), $"trial {trial}: Voigt, {boundary}");
                Assert.That(SmallestEigenvalue(Minus(c, reuss.ToArray())), Is.GreaterThan(-1e-10), $"trial {trial}: Reuss, {boundary}");
                if (boundary != RveBoundary.Periodic) continue;
                static (double K, double Mu) Moduli((double E, double nu) p) =>
                    (p.E / 2 / (1 + p.nu) / (1 - 2 * p.nu), p.E / 2 / (1 + p.nu));
                var ((k1, m1), (k2, m2)) = (Moduli(soft), Moduli(hard));
                double Bound(double mu) => k1 + f / (1 / (k2 - k1) + (1 - f) / (k1 + mu));
                double k = (c[0, 0] + c[1, 1] + 2 * c[0, 1]) / 4;
                Assert.That(k, Is.GreaterThanOrEqualTo(Bound(m1) * (1 - 1e-12)), $"trial {trial}: lower Hashin–Shtrikman");
                Assert.That(k, Is.LessThanOrEqualTo(Bound(m2) * (1 + 1e-12)), $"trial {trial}: upper Hashin–Shtrikman");
            }
        }
    }

    // Nothing is allocated between the first and the last Newton iteration, loading through yield.
    [Test]
    public void NewtonLoopAllocatesNothing([Values] RveBoundary boundary)
    {
        var model = Nonlinear("j2_plasticity", 2, 8, boundary);
        var solver = new RveSolver(model);
        var material = new RveMaterial(model);
        double[] old = new double[model.StateSize * Lane4.Width], state = new double[old.Length], strain = new double[3 * Lane4.Width];
        double[] stress = new double[strain.Length], tangent = new double[9 * Lane4.Width];
        material.InitializeState(old, 1);
        long before = 0;
        for (int k = 0; k < 4; k++)
        {
            if (k == 2) before = GC.GetAllocatedBytesForCurrentThread();
            for (int l = 0; l < Lane4.Width; l++) (strain[l], strain[Lane4.Width + l]) = (1e-3 * (k + l + 1), -5e-4 * (k + l));
            byte failed = solver.Solve(Cast(strain), Cast(old), Cast(state), Cast(stress), Cast(tangent), Lane4.All, 1, 1);
            if (failed != 0) Assert.Fail("the RVE failed");
            if (k > 0 && solver.Iterations < 2) Assert.Fail("the load does not reach yield");
        }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        static Span<Lanes4> Cast(double[] values) => System.Runtime.InteropServices.MemoryMarshal.Cast<double, Lanes4>(values.AsSpan());
    }

    [Test]
    public void BadRvesAreRefused()
    {
        var space = StrainSpace.PlaneSmall;
        var law = Elastic(space, 1, 0.3);
        var mesh = Voxels(2, 2, (i, _, _) => i == 0 ? "a" : "b");
        Assert.That(() => new RveModel(mesh, new Dictionary<string, IMaterial> { ["a"] = law }, space, RveBoundary.Periodic),
            Throws.TypeOf<InputException>().With.Message.Contains("'b'"));
        Assert.That(() => new RveModel(mesh, new Dictionary<string, IMaterial> { ["a"] = law, ["b"] = Elastic(StrainSpace.SolidSmall, 1, 0.3) }, space,
            RveBoundary.Periodic), Throws.TypeOf<InputException>());
        var flipped = mesh with { Cells = [new CellBlock(ElementType.Quad4, "a", [0, 3, 4, 1])] };
        Assert.That(() => new RveModel(flipped, new Dictionary<string, IMaterial> { ["a"] = law }, space, RveBoundary.Periodic),
            Throws.TypeOf<InputException>().With.Message.Contains("inverted"));
    }
}
