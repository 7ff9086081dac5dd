using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Sparse;
using NUnit.Framework;
using static MsHpc.Tests.Continuum.Homogenization.RveFixture;

namespace MsHpc.Tests.Continuum.Homogenization;

/// <summary>Volumes and loads at the edge of what is sensible.</summary>
[TestFixture]
public sealed class RveBreakerTests
{
    private static double Norm(double[] a) => Math.Sqrt(a.Sum(x => x * x));

    // Rounding leaves ‖r‖ at about 1e-16 of the stiffness; where the stress itself is that small there is nothing more to be gained.
    [Test]
    public void FiniteStrainNearRestConverges([Values] RveBoundary boundary, [Values(0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4)] double size, [Values(0, 0.7, 3.0)] double angle,
        [Values("neo_hooke", "saint_venant_kirchhoff", "hencky")] string name)
    {
        var space = StrainSpace.PlaneFinite;
        var phases = new Dictionary<string, IMaterial>
        {
            ["matrix"] = Law(name, space, ("E", 1), ("nu", 0.3)), ["inclusion"] = Law(name, space, ("E", 10), ("nu", 0.2)),
        };
        var points = new Points(new RveMaterial(new RveModel(Voxels(2, 4, Disc(4, 0.3)), phases, space, boundary)));
        double c = Math.Cos(angle), s = Math.Sin(angle);
        double[] stretch = [1 + size, 0.3 * size, 0.3 * size, 1 - 0.5 * size];
        double[] f = [c * stretch[0] - s * stretch[2], c * stretch[1] - s * stretch[3], s * stretch[0] + c * stretch[2], s * stretch[1] + c * stretch[3]];
        Assert.That(points.Evaluate(_ => f), Is.True);
        Assert.That(points.StressOf(0).Max(Math.Abs), Is.LessThan(20 * size + 1e-13));
        Assert.That(points.Tangent, Is.All.Matches<double>(double.IsFinite));
    }

    [Test]
    public void UnloadingToZeroStressConverges([Values] RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        var law = Law("j2_plasticity", space, ("E", 1000), ("nu", 0.3), ("sigma_y", 1), ("H", 10));
        var points = new Points(new RveMaterial(new RveModel(Voxels(2, 3, (i, _, _) => i == 1 ? "a" : "b"), new Dictionary<string, IMaterial> { ["a"] = law, ["b"] = law }, space, boundary)));
        var single = new Points(law);
        double[] strain = [0, 0, 0.02];
        Assert.That(points.Evaluate(_ => strain) && single.Evaluate(_ => strain), Is.True);
        points.Commit();
        single.Commit();
        strain = [0, 0, 0.02 - single.StressOf(0)[2] / (1000 / 2.6)];
        for (int k = 0; k < 3; k++)
        {
            Assert.That(points.Evaluate(_ => strain), Is.True, $"pass {k}");
            Assert.That(Norm(points.StressOf(0)), Is.LessThan(1e-12));
            points.Commit();
        }
    }

    [Test]
    public void MixedControlReturnsToZeroStress([Values("elastic", "j2_plasticity")] string name, [Values] RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        var a = name == "elastic" ? Elastic(space, 1000, 0.3) : Law(name, space, ("E", 1000), ("nu", 0.3), ("sigma_y", 1), ("H", 10));
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = a, ["inclusion"] = Elastic(space, 3000, 0.2) };
        using var rve = new LargeRve(Voxels(2, 6, Disc(6, 0.3)), phases, space, boundary, new EmbeddedSolver());
        var strain = new double[3];
        foreach (double load in new[] { 0.5, 1.2, 0.6, 0, -0.5, 0, 0 })
        {
            var response = rve.SolveMixed([true, true, true], [load, -load / 2, load / 3], strain);
            rve.Commit();
            strain = response.Strain;
            Assert.That(response.Stress[0], Is.EqualTo(load).Within(1e-8));
        }
    }

    [Test]
    public void UniformTractionRefusesPoresAtAnySize()
    {
        var space = StrainSpace.PlaneSmall;
        var mesh = Pores();
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3) };
        Assert.Throws<InputException>(() => _ = new RveModel(mesh, phases, space, RveBoundary.UniformTraction));
        Assert.Throws<InputException>(() => new LargeRve(mesh, phases, space, RveBoundary.UniformTraction, new EmbeddedSolver()).Dispose());
    }

    // A 4 × 4 mesh without the four elements in the middle, the node there left over.
    private static Mesh Pores(double shift = 0)
    {
        var full = Voxels(2, 4, (i, j, _) => i is 1 or 2 && j is 1 or 2 ? "pore" : "matrix");
        return new Mesh(2, [.. full.Coordinates.Select(x => x + shift)], [.. full.Cells.Where(c => c.Region == "matrix")], new Dictionary<string, IReadOnlyList<CellBlock>>());
    }

    [Test]
    public void PoresWithALeftOverNode([Values(RveBoundary.LinearDisplacement, RveBoundary.Periodic)] RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3) };
        var batched = Stiffness(new RveModel(Pores(), phases, space, boundary));
        using var large = new LargeRve(Pores(), phases, space, boundary, new EmbeddedSolver());
        large.Solve(new double[3]);
        Assert.That(MaxDifference(batched, large.Tangent()), Is.LessThan(1e-10));
        Assert.That(SmallestEigenvalue(batched), Is.GreaterThan(0));
    }

    [Test]
    public void OneElementIsTheLaw([Values] RveBoundary boundary, [Values(2, 3)] int dim, [Values] bool finite)
    {
        var space = (dim, finite) switch { (2, false) => StrainSpace.PlaneSmall, (2, true) => StrainSpace.PlaneFinite, (_, false) => StrainSpace.SolidSmall, _ => StrainSpace.SolidFinite };
        var law = finite ? Law("neo_hooke", space, ("E", 1), ("nu", 0.3)) : Elastic(space, 1, 0.3);
        var phases = new Dictionary<string, IMaterial> { ["a"] = law };
        var mesh = Voxels(dim, 1, (_, _, _) => "a");
        var single = new Points(law);
        var points = new Points(new RveMaterial(new RveModel(mesh, phases, space, boundary)));
        double[] strain = [.. Rest(space).Select((r, c) => r + 0.01 * (c + 1))];
        Assert.That(single.Evaluate(_ => strain) && points.Evaluate(_ => strain), Is.True);
        Assert.That(points.StressOf(3), Is.EqualTo(single.StressOf(3)).Within(1e-12));
        Assert.That(MaxDifference(points.TangentOf(3), single.TangentOf(3)), Is.LessThan(1e-11));
        if (finite && boundary == RveBoundary.UniformTraction) return;
        using var large = new LargeRve(mesh, phases, space, boundary, new EmbeddedSolver());
        Assert.That(large.Solve(strain).Stress, Is.EqualTo(single.StressOf(3)).Within(1e-12));
        var c = large.Tangent();
        Assert.That(MaxDifference(c, single.TangentOf(3)), Is.LessThan(1e-11));
    }

    // Stiff inclusions hardly strain: their share of the rounding must not be mistaken for convergence.
    [Test]
    public void HighContrastStressMatchesTheTangent([Values] RveBoundary boundary, [Values(1e6, 1e-6)] double contrast)
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3), ["inclusion"] = Elastic(space, contrast, 0.3) };
        var points = new Points(new RveMaterial(new RveModel(Voxels(2, 8, Disc(8, 0.3)), phases, space, boundary)));
        double[] strain = [1e-3, 2e-3, -1e-3];
        Assert.That(points.Evaluate(_ => strain), Is.True);
        var c = points.TangentOf(0);
        for (int i = 0; i < 3; i++)
            Assert.That(points.StressOf(0)[i], Is.EqualTo(Enumerable.Range(0, 3).Sum(j => c[i, j] * strain[j])).Within(1e-8 * 1e-3));
    }

    [Test]
    public void HighContrastAgrees([Values] RveBoundary boundary, [Values(1e6, 1e-6)] double contrast)
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3), ["inclusion"] = Elastic(space, contrast, 0.3) };
        var mesh = Voxels(2, 8, Disc(8, 0.3));
        var c = Stiffness(new RveModel(mesh, phases, space, boundary));
        Assert.That(SmallestEigenvalue(c), Is.GreaterThan(0));
        using var large = new LargeRve(mesh, phases, space, boundary, new EmbeddedSolver());
        large.Solve(new double[3]);
        Assert.That(MaxDifference(c, large.Tangent()), Is.LessThan(1e-8 * MaxAbs(c)));
    }

    [Test]
    public void PlaceOfTheBoxDoesNotMatter([Values] RveBoundary boundary, [Values(-0.5, -1000, 1e5)] double shift)
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3), ["inclusion"] = Elastic(space, 10, 0.3) };
        var mesh = Voxels(2, 4, Disc(4, 0.3));
        var moved = new Mesh(2, [.. mesh.Coordinates.Select(x => x + shift)], mesh.Cells, mesh.Boundaries);
        var c = Stiffness(new RveModel(mesh, phases, space, boundary));
        Assert.That(MaxDifference(c, Stiffness(new RveModel(moved, phases, space, boundary))), Is.LessThan(1e-9));
        using var large = new LargeRve(moved, phases, space, boundary, new EmbeddedSolver());
        large.Solve([1e-3, 0, 0]);
        Assert.That(MaxDifference(c, large.Tangent()), Is.LessThan(1e-9));
    }

    // σy(α) = σ0 + Hα must not become negative: the return would go through the axis and come out on the other side.
    [Test]
    public void SofteningEndsAtZeroStress([Values("j2_plasticity")] string name, [Values(StrainSpace.PlaneSmall, StrainSpace.SolidSmall)] StrainSpace space, [Values(0, 0.5)] double voce)
    {
        var law = Law(name, space, ("E", 1000), ("nu", 0.3), ("sigma_y", 1), ("H", -100), ("sigma_inf", 1 + voce), ("delta", 3));
        var points = new Points(law);
        double last = 0;
        for (int k = 1; k <= 40; k++)
        {
            var strain = new double[points.n];
            strain[^1] = 0.002 * k;
            if (!points.Evaluate(_ => strain)) return; // a failure that is reported is an answer
            points.Commit();
            last = points.StressOf(0)[^1];
            Assert.That(last, Is.GreaterThanOrEqualTo(-1e-12), $"at strain {strain[^1]}");
        }
    }

    [Test]
    public void InstabilityOfASofteningVolumeIsTold()
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial>
        {
            ["a"] = Law("j2_plasticity", space, ("E", 1000), ("nu", 0.3), ("sigma_y", 1), ("H", -20)),
            ["b"] = Law("j2_plasticity", space, ("E", 1000), ("nu", 0.3), ("sigma_y", 0.99), ("H", -20)),
        };
        var law = new RveMaterial(new RveModel(Voxels(2, 4, (i, j, _) => (i + j) % 2 == 0 ? "a" : "b"), phases, space, RveBoundary.Periodic));
        var points = new Points(law);
        for (int k = 1; k <= 20; k++)
        {
            bool ok = points.Evaluate(_ => [0, 0, 0.0005 * k]);
            if (!ok) return; // told
            var outputs = new double[3 * Lane4.Width];
            law.GetOutputs(new MaterialBatch { Blocks = 1, Strain = new double[3 * Lane4.Width], OldState = points.Old, NewState = points.New, Stress = points.Stress }, outputs);
            if (outputs[2 * Lane4.Width] > 0) return; // told
            Assert.That(points.TangentOf(0)[2, 2], Is.GreaterThan(0), $"softening at step {k}, and nobody says so");
            points.Commit();
        }
    }

    [Test]
    public void PerfectPlasticityCycles([Values] RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial>
        {
            ["matrix"] = Law("j2_plasticity", space, ("E", 1000), ("nu", 0.3), ("sigma_y", 1)), ["inclusion"] = Elastic(space, 4000, 0.3),
        };
        var points = new Points(new RveMaterial(new RveModel(Voxels(2, 6, Disc(6, 0.3)), phases, space, boundary)));
        int failures = 0;
        for (int k = 1; k <= 60; k++)
        {
            double e = 0.01 * Math.Sin(k * 0.3);
            bool ok = points.Evaluate(_ => [e, -e / 3, 2 * e]);
            if (!ok) failures++;
            else points.Commit();
        }
        Assert.That(failures, Is.Zero);
    }

    // At zero macro strain after plastic flow the work vanishes, not so its parts: the residual is measured against those.
    [Test]
    public void HillMandelAtTheEndOfACycle([Values] RveBoundary boundary)
    {
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial>
        {
            ["matrix"] = Law("j2_plasticity", space, ("E", 1000), ("nu", 0.3), ("sigma_y", 1), ("H", 10)), ["inclusion"] = Elastic(space, 4000, 0.3),
        };
        var mesh = Voxels(2, 6, Disc(6, 0.3));
        var law = new RveMaterial(new RveModel(mesh, phases, space, boundary));
        var points = new Points(law);
        using var large = new LargeRve(mesh, phases, space, boundary, new EmbeddedSolver());
        foreach (double e in new[] { 0.005, 0.01, 0.005, 0 })
        {
            Assert.That(points.Evaluate(_ => [e, 0, e]), Is.True);
            var outputs = new double[3 * Lane4.Width];
            law.GetOutputs(new MaterialBatch { Blocks = 1, Strain = new double[3 * Lane4.Width], OldState = points.Old, NewState = points.New, Stress = points.Stress }, outputs);
            Assert.That(outputs[0], Is.LessThan(1e-9));
            points.Commit();
            Assert.That(large.Solve([e, 0, e]).HillMandel, Is.LessThan(1e-9));
            large.Commit();
        }
    }
}
