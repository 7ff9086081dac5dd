using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using MsHpc.Multiscale.Fe2;
using MsHpc.Tests.Continuum.Homogenization;
using NUnit.Framework;

namespace MsHpc.Tests.Multiscale;

[TestFixture]
public sealed class Fe2Tests
{
    private static readonly NewtonOptions Tight = new() { RelativeTolerance = 1e-12, LineSearch = LineSearch.None };

    /// <summary>A quarter plate with a hole, pulled to the right in steps, with the given law everywhere.</summary>
    private static (double[] Displacement, List<double> Reactions, List<StepReport> Steps) Plate(IMaterial law, double stretch, int steps, Comm? comm = null,
        NewtonOptions? options = null, ThreadTeam? team = null)
    {
        var mesh = StructuredMesh.PlateWithHole(ElementType.Quad4, 1, 1, 0.3, 8, 4);
        var model = new FeModel(mesh, law.Space, mesh.Cells.Select(c => c.Region).Distinct().ToDictionary(r => r, _ => law), comm: comm, team: team);
        var conditions = new BoundaryConditions().Fix("left", 0).Fix("bottom", 1).Displace("right", 0, LoadCurve.Ramp(stretch));
        using var linear = new EmbeddedSolver();
        var solver = new QuasistaticSolver(model, conditions, linear, options ?? Tight);
        var reactions = new List<double>();
        var reports = new List<StepReport>();
        solver.Solve(1, 1.0 / steps, r =>
        {
            reactions.Add(solver.Reaction("right")[0]);
            reports.Add(r);
        });
        return (model.GatherNodes(solver.Displacement), reactions, reports);
    }

    private static RveModel Homogeneous(IMaterial law) => new(RveFixture.Voxels(2, 3, (_, _, _) => "a"),
        new Dictionary<string, IMaterial> { ["a"] = law }, law.Space, RveBoundary.Periodic, new RveOptions(1e-13));

    private static RveModel Composite(double tolerance = 1e-12, int iterations = 25)
    {
        var space = StrainSpace.PlaneSmall;
        return new RveModel(RveFixture.Voxels(2, 6, RveFixture.Disc(6, 0.3)), new Dictionary<string, IMaterial>
        {
            ["matrix"] = RveFixture.Law("j2_plasticity", space, ("E", 1), ("nu", 0.3), ("sigma_y", 2e-3), ("H", 0.05)),
            ["inclusion"] = RveFixture.Elastic(space, 10, 0.2),
        }, space, RveBoundary.Periodic, new RveOptions(tolerance, iterations));
    }

    // With one phase the RVE returns its law's stress and tangent up to its residual (1e-13), so the macro solutions agree to that times the
    // condition of the plate (about 1e3).
    [Test]
    public void HomogeneousRveEqualsSingleScale([Values("j2_plasticity", "neo_hooke", "plane stress")] string name)
    {
        var law = name == "plane stress" ? MaterialCatalog.Create("j2_plasticity", new Dictionary<string, double[]>
            {
                ["E"] = [1], ["nu"] = [0.3], ["sigma_y"] = [2e-3], ["H"] = [0.05],
            }, StrainSpace.PlaneSmall, planeStress: true)
            : name == "neo_hooke" ? RveFixture.Law(name, StrainSpace.PlaneFinite, ("E", 1), ("nu", 0.3))
            : RveFixture.Law(name, StrainSpace.PlaneSmall, ("E", 1), ("nu", 0.3), ("sigma_y", 2e-3), ("H", 0.05), ("H_kinematic", 0.02));
        double stretch = name == "neo_hooke" ? 0.3 : 6e-3;
        var single = Plate(law, stretch, 10);
        var fe2 = Plate(new SharedMaterial(new RveMaterial(Homogeneous(law)), Comm.Self), stretch, 10);
        foreach (var run in new[] { single, fe2 }) TestContext.Out.WriteLine(string.Join("; ", run.Steps.Select(r => $"{r.Time:G4}: {r.Iterations} iterations, {r.Cuts} cuts")));
        Assert.That(fe2.Steps, Has.Count.EqualTo(single.Steps.Count), "cut steps make another path");
        double scale = single.Displacement.Max(Math.Abs), force = single.Reactions.Max(Math.Abs);
        Assert.That(fe2.Displacement.Zip(single.Displacement, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-10 * scale));
        Assert.That(fe2.Reactions.Zip(single.Reactions, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-10 * force));
    }

    // Quadratic: once below 1e-2 the relative residual r_{k+1} ≤ c r_k² with c of order one to a hundred; a tangent that is wrong by 1 % would
    // give r_{k+1} ≈ 1e-2 r_k.
    [Test]
    public void MacroNewtonIsQuadratic()
    {
        var (_, _, steps) = Plate(new SharedMaterial(new RveMaterial(Composite()), Comm.Self), 6e-3, 3);
        foreach (var step in steps)
        {
            double[] r = [.. step.Norms.Select(n => n / step.Reference)];
            TestContext.Out.WriteLine($"step {step.Step}: {string.Join(" ", r.Select(v => v.ToString("E1", System.Globalization.CultureInfo.InvariantCulture)))}");
            for (int k = 1; k + 1 < r.Length; k++)
                if (r[k] < 1e-2 && r[k + 1] > 1e-13) Assert.That(r[k + 1], Is.LessThan(100 * r[k] * r[k]), $"step {step.Step}, iteration {k + 1}");
        }
    }

    [Test]
    public void ThreadsDoNotChangeABit()
    {
        using var team = new ThreadTeam(2);
        var one = Plate(new SharedMaterial(new RveMaterial(Composite()), Comm.Self), 4e-3, 2);
        var two = Plate(new SharedMaterial(new RveMaterial(Composite(), team), Comm.Self), 4e-3, 2, team: team);
        Assert.That(two.Displacement, Is.EqualTo(one.Displacement));
        Assert.That(two.Reactions, Is.EqualTo(one.Reactions));
    }

    [Test, Category("Mpi")]
    public void RanksAgree()
    {
        var comm = MpiRuntime.Initialize();
        var alone = Plate(new SharedMaterial(new RveMaterial(Composite()), Comm.Self), 6e-3, 3);
        var together = Plate(new SharedMaterial(new RveMaterial(Composite()), comm), 6e-3, 3, comm);
        double scale = alone.Displacement.Max(Math.Abs);
        double error = alone.Displacement.Zip(together.Displacement, (a, b) => Math.Abs(a - b)).Max();
        Assert.That(comm.AllReduceMax(error), Is.LessThan(1e-10 * scale));
    }

    // Lent blocks give the same bits as own ones, also when the borrower owns none (more ranks than elements).
    [Test, Category("Mpi")]
    public void LendingDoesNotChangeABit([Values(1, 0)] int others)
    {
        var comm = MpiRuntime.Initialize();
        var model = Composite();
        int blocks = comm.Rank == 0 ? 6 : others; // unequal on purpose: rank 0 lends
        var shared = new SharedMaterial(new RveMaterial(model), comm);
        var own = new RveMaterial(model);
        double[] strain = new double[blocks * 3 * Lane4.Width], old = new double[blocks * model.StateSize * Lane4.Width];
        for (int k = 0; k < strain.Length; k++) strain[k] = 1e-3 * Math.Sin(k + 1);
        own.InitializeState(old, blocks);
        double[] Evaluate(IMaterial law)
        {
            double[] state = new double[old.Length], stress = new double[strain.Length], tangent = new double[blocks * 9 * Lane4.Width];
            bool ok = law.Evaluate(new MaterialBatch { Blocks = blocks, Strain = strain, OldState = old, NewState = state, Stress = stress, Tangent = tangent });
            return [ok ? 1 : 0, .. stress, .. tangent, .. state];
        }
        bool same = true;
        int lent = 0;
        for (int k = 0; k < 5; k++) // the first costs are those of compiling the code
        {
            same &= Evaluate(shared).SequenceEqual(Evaluate(own));
            lent += shared.Lent;
        }
        Assert.That(comm.AllOk(same), Is.True);
        if (comm.Size > 1) Assert.That(lent, Is.GreaterThan(0));
    }

    [Test]
    public void PlanEvensOutLoads()
    {
        double[] costs = [.. Enumerable.Repeat(1.0, 20), .. Enumerable.Repeat(1.0, 4)];
        var loans = SharedMaterial.Plan(costs, [0, 20, 24]);
        Assert.That(loans, Has.Count.EqualTo(8));
        Assert.That(loans.All(l => l is { From: 0, To: 1 }), Is.True);
        Assert.That(loans.Select(l => l.Block).Order(), Is.EqualTo(Enumerable.Range(12, 8)));
    }

    // An RVE that may take two Newton iterations only cannot follow a large step; the macro solver cuts it, rolls the states back and gets
    // through, and every accepted state satisfies Hill–Mandel.
    [Test]
    public void FailingRveCutsTheStep()
    {
        var law = new SharedMaterial(new RveMaterial(Composite(1e-9, 3)), Comm.Self);
        var (_, _, steps) = Plate(law, 4e-3, 1, options: new NewtonOptions { RelativeTolerance = 1e-8 });
        Assert.That(steps.Sum(s => s.Cuts), Is.GreaterThan(0));
        Assert.That(steps[^1].Time, Is.EqualTo(1));
    }

    [Test]
    public void HopelessRveStopsWithItsPlace()
    {
        var law = new SharedMaterial(new RveMaterial(Composite(1e-12, 1)), Comm.Self);
        var failure = Assert.Throws<ConvergenceException>(() => Plate(law, 2e-2, 1, options: new NewtonOptions { MinimumStep = 0.2 }));
        Assert.That(failure!.Message, Does.Contain("element"));
    }
}
