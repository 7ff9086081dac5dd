using System.Diagnostics;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Core.Sparse;

[TestFixture]
internal sealed class MultigridTests
{
    private static (SolveReport Report, double[] X) Solve(KrylovProblems.Problem p, double tolerance = 1e-8, SmoothedAggregationOptions? options = null,
        ThreadTeam? team = null)
    {
        long begin = Stopwatch.GetTimestamp();
        var a = new BlockCsrMatrix(p.System.Pattern, BlockNumbering.Of(p.System), team);
        a.SetValues(p.Values);
        var m = new SmoothedAggregation(a, NearNullspace.Of(p.System, a.Numbering), options, team);
        double setUp = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var x = new double[p.Rows];
        var report = new ConjugateGradient(p.Rows).Solve(a, m, p.Rhs, x, new KrylovOptions(tolerance, 200));
        TestContext.Out.WriteLine($"{p.Rows} unknowns: {report.Iterations} iterations; set-up {setUp:f2} s, "
            + $"solve {Stopwatch.GetElapsedTime(begin).TotalSeconds - setUp:f2} s; {m.Description}");
        Assert.That(report.Converged, report.Reason);
        return (report, x);
    }

    private static double Inclusion(double x, double y, double z, double contrast)
        => (x - 0.5) * (x - 0.5) + (y - 0.5) * (y - 0.5) + (z - 0.5) * (z - 0.5) < 0.09 ? contrast : 1;

    [Test]
    public void Iterations_hardly_grow_with_refinement()
    {
        var counts = new List<int>();
        foreach (int n in new[] { 8, 16, 24 })
            counts.Add(Solve(KrylovProblems.Cube(n), options: new SmoothedAggregationOptions { CoarseSize = 300 }).Report.Iterations);
        Assert.That(counts[2], Is.LessThan(1.6 * counts[0]));
        Assert.That(counts[2], Is.LessThanOrEqualTo(18));
    }

    [Test]
    public void Inclusions_of_any_contrast_cost_little([Values(1e-4, 1e4)] double contrast)
    {
        var (report, _) = Solve(KrylovProblems.Cube(16, (x, y, z) => Inclusion(x, y, z, contrast)), options: new SmoothedAggregationOptions { CoarseSize = 300 });
        Assert.That(report.Iterations, Is.LessThanOrEqualTo(25));
    }

    // Reference compliances: PETSc (GAMG, hypre, MUMPS), tests/data-independent numbers of fe_cube_compliance.json.
    [TestCase(40, 0.0006844611883740023, Category = "Slow")]
    [TestCase(60, 0.0006851194881343067, Category = "Slow")]
    [TestCase(80, 0.0006853917005542757, Category = "Slow")]
    public void Compliance_of_the_cube_is_that_of_petsc(int n, double reference)
    {
        var p = KrylovProblems.Cube(n);
        var (report, x) = Solve(p);
        Assert.That(KrylovProblems.Dot(p.Rhs, x), Is.EqualTo(reference).Within(1e-9 * reference));
        Assert.That(report.Iterations, Is.LessThanOrEqualTo(25));
    }

    [Test]
    public void Compliance_of_a_small_cube_is_that_of_plain_cg()
    {
        var p = KrylovProblems.Cube(12);
        var (report, x) = Solve(p, options: new SmoothedAggregationOptions { CoarseSize = 300 });
        var y = new double[p.Rows];
        Assert.That(new ConjugateGradient(p.Rows).Solve(p.Csr, new JacobiPreconditioner(p.Csr), p.Rhs, y, new KrylovOptions(1e-11, 5000)).Converged);
        double reference = KrylovProblems.Dot(p.Rhs, y);
        Assert.That(KrylovProblems.Dot(p.Rhs, x), Is.EqualTo(reference).Within(1e-9 * reference));
        Assert.That(report.Iterations, Is.LessThanOrEqualTo(18));
    }

    [Test]
    public void Constrained_components_and_scalar_fields_work_too()
    {
        var roller = KrylovProblems.Constrain(KrylovProblems.Cube(14, clamp: false), i => OnRoller(i, 14));
        Assert.That(Solve(roller, options: new SmoothedAggregationOptions { CoarseSize = 300 }).Report.Iterations, Is.LessThanOrEqualTo(30));
        var grid = KrylovProblems.Grid(150);
        Assert.That(Solve(grid).Report.Iterations, Is.LessThanOrEqualTo(30));

        // Symmetry planes: the component normal to x = 0, y = 0, z = 0 is held there.
        static bool OnRoller(int unknown, int n)
        {
            int node = unknown / 3, i = node % (n + 1), j = node / (n + 1) % (n + 1), k = node / ((n + 1) * (n + 1));
            return (unknown % 3) switch { 0 => i == 0, 1 => j == 0, _ => k == 0 };
        }
    }

    [Test]
    public void Node_order_layers_and_slender_shapes_cost_little()
    {
        var options = new SmoothedAggregationOptions { CoarseSize = 300 };
        Assert.That(Solve(KrylovProblems.Shuffle(KrylovProblems.Cube(14)), options: options).Report.Iterations, Is.LessThanOrEqualTo(20));
        var layers = KrylovProblems.Cube(14, (_, _, z) => (int)(z * 14) / 2 % 2 == 0 ? 1 : 1e4);
        Assert.That(Solve(layers, options: options).Report.Iterations, Is.LessThanOrEqualTo(35));
        Assert.That(Solve(KrylovProblems.Lattice(60, 60), options: options).Report.Iterations, Is.LessThanOrEqualTo(30));
        Assert.That(Solve(KrylovProblems.Lattice(200, 8), 1e-7, options).Report.Iterations, Is.LessThanOrEqualTo(40));
    }

    [Test]
    public void The_same_bits_come_out_for_any_number_of_threads()
    {
        var p = KrylovProblems.Cube(14);
        using var team = new ThreadTeam(3);
        var options = new SmoothedAggregationOptions { CoarseSize = 300 };
        Assert.That(Solve(p, options: options, team: team).X, Is.EqualTo(Solve(p, options: options).X));
    }

    [Test]
    public void New_values_reuse_the_aggregates()
    {
        var p = KrylovProblems.Cube(12);
        var q = KrylovProblems.Cube(12, (x, y, z) => 1 + x + 2 * y * z);
        var a = p.Blocks();
        var m = new SmoothedAggregation(a, NearNullspace.Of(p.System, a.Numbering), new SmoothedAggregationOptions { CoarseSize = 300 });
        a.SetValues(q.Values);
        m.Update();
        var x = new double[p.Rows];
        var report = new ConjugateGradient(p.Rows).Solve(a, m, q.Rhs, x, new KrylovOptions(1e-8, 100));
        Assert.That(report.Converged && report.Iterations <= 18, $"{report}");
        Assert.That(KrylovProblems.RelativeResidual(q, x), Is.LessThan(1e-8));

        // Back to the first values: the preconditioner must be the first one, to the bit.
        var fresh = p.Blocks();
        var first = new SmoothedAggregation(fresh, NearNullspace.Of(p.System, fresh.Numbering), new SmoothedAggregationOptions { CoarseSize = 300 });
        a.SetValues(p.Values);
        m.Update();
        double[] z1 = new double[p.Rows], z2 = new double[p.Rows];
        m.Apply(p.Rhs, z1);
        first.Apply(p.Rhs, z2);
        Assert.That(z1, Is.EqualTo(z2));
    }

    [Test]
    public void The_cycle_is_symmetric_and_positive()
    {
        var p = KrylovProblems.Constrain(KrylovProblems.Cube(7), i => i % 11 == 3);
        var a = p.Blocks();
        var m = new SmoothedAggregation(a, NearNullspace.Of(p.System, a.Numbering), new SmoothedAggregationOptions { CoarseSize = 30 });
        Assert.That(m.LevelSizes, Has.Length.GreaterThan(1));
        double[] u = new double[p.Rows], v = new double[p.Rows], mu = new double[p.Rows], mv = new double[p.Rows];
        for (int i = 0; i < u.Length; i++) (u[i], v[i]) = (Math.Sin(3.1 * i), Math.Cos(1.7 * i * i));
        m.Apply(u, mu);
        m.Apply(v, mv);
        double uv = KrylovProblems.Dot(u, mv), vu = KrylovProblems.Dot(v, mu), uu = KrylovProblems.Dot(u, mu), vv = KrylovProblems.Dot(v, mv);
        Assert.That(uv, Is.EqualTo(vu).Within(1e-12 * Math.Sqrt(uu * vv)));
        Assert.That(uu > 0 && vv > 0);
    }

    [Test]
    public void Rigid_motions_cost_no_energy_and_are_noticed()
    {
        var p = KrylovProblems.Cube(6, clamp: false);
        var a = p.Blocks();
        var b = NearNullspace.Of(p.System, a.Numbering);
        Assert.That(b.Modes, Is.EqualTo(6));
        double[] mode = new double[p.Rows], image = new double[p.Rows];
        for (int c = 0; c < 6; c++)
        {
            for (int s = 0; s < p.Rows; s++) mode[s] = b.Values[s * 6 + c];
            a.Apply(mode, image);
            foreach (double f in image) Assert.That(f, Is.Zero.Within(1e-15));
        }
        Assert.That(FloatingModes.Find(a, b), Does.Contain("singular"));
        var plane = KrylovProblems.Lattice(40, 5, clamp: false);
        var l = plane.Blocks();
        var modes = NearNullspace.Of(plane.System, l.Numbering);
        Assert.That(modes.Modes, Is.EqualTo(3));
        Assert.That(FloatingModes.Find(l, modes), Does.Contain("singular"));
        // Hinged at one node, the cube still turns; at three, it stands.
        var hinged = KrylovProblems.Constrain(p, i => i < 3);
        var h = hinged.Blocks();
        Assert.That(FloatingModes.Find(h, NearNullspace.Of(hinged.System, h.Numbering)), Does.Contain("singular"));
        var held = KrylovProblems.Constrain(p, i => i < 6 || i is >= 300 and < 303);
        var g = held.Blocks();
        Assert.That(FloatingModes.Find(g, NearNullspace.Of(held.System, g.Numbering)), Is.Null);
    }

    [Test]
    public void Settings_out_of_range_are_refused()
    {
        var p = KrylovProblems.Grid(4);
        var a = p.Blocks();
        var b = NearNullspace.Of(p.System, a.Numbering);
        Assert.That(() => new SmoothedAggregation(a, b, default(SmoothedAggregationOptions)), Throws.ArgumentException);
        Assert.That(() => new SmoothedAggregation(KrylovProblems.Grid(5).Blocks(), b), Throws.ArgumentException);
    }

    [Test]
    public void Indefinite_diagonal_is_refused()
    {
        var p = KrylovProblems.Grid(20, shift: -5);
        var a = p.Blocks();
        Assert.That(() => new SmoothedAggregation(a, NearNullspace.Of(p.System, a.Numbering)),
            Throws.TypeOf<NumericalException>().With.Message.Contains("unknown 0"));
    }
}
