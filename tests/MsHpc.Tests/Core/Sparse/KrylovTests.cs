using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Core.Sparse;

[TestFixture]
internal sealed class KrylovTests
{
    private static readonly KrylovOptions Tight = new(1e-12, 2000);

    private static double Distance(double[] x, double[] y)
    {
        double d = 0, s = 0;
        for (int i = 0; i < x.Length; i++) (d, s) = (Math.Max(d, Math.Abs(x[i] - y[i])), Math.Max(s, Math.Abs(y[i])));
        return d / s;
    }

    private static IPreconditioner Make(string name, KrylovProblems.Problem p) => name switch
    {
        "none" => IdentityPreconditioner.Instance,
        "jacobi" => new JacobiPreconditioner(p.Csr),
        "block" => new BlockJacobiPreconditioner(p.Blocks()),
        "ic0" => new Ic0Preconditioner(p.Csr),
        "ilu0" => new Ilu0Preconditioner(p.Csr),
        "sa" => Amg(p),
        _ => throw new ArgumentException(name),
    };

    private static SmoothedAggregation Amg(KrylovProblems.Problem p)
    {
        var a = p.Blocks();
        return new SmoothedAggregation(a, NearNullspace.Of(p.System, a.Numbering), new SmoothedAggregationOptions { CoarseSize = 20 });
    }

    [Test]
    public void Every_method_with_every_preconditioner_agrees_with_a_dense_solve(
        [Values("none", "jacobi", "block", "ic0", "ilu0", "sa")] string preconditioner, [Values("cg", "minres", "gmres")] string method,
        [Values("cube", "partly constrained cube", "grid")] string matrix)
    {
        var p = matrix switch
        {
            "cube" => KrylovProblems.Cube(3),
            "grid" => KrylovProblems.Grid(11),
            _ => KrylovProblems.Constrain(KrylovProblems.Cube(3), i => i % 7 == 2),
        };
        // ILU(0) of an ordering-symmetric matrix is symmetric too, so CG and MINRES may use it.
        var m = Make(preconditioner, p);
        var x = new double[p.Rows];
        var report = method switch
        {
            "cg" => new ConjugateGradient(p.Rows).Solve(p.Csr, m, p.Rhs, x, Tight),
            "minres" => new Minres(p.Rows).Solve(p.Csr, m, p.Rhs, x, Tight),
            _ => new Gmres(p.Rows).Solve(p.Csr, m, p.Rhs, x, Tight),
        };
        Assert.That(report.Converged, report.Reason);
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-9));
        Assert.That(report.RelativeResidual, Is.EqualTo(KrylovProblems.RelativeResidual(p, x)).Within(1e-14));
        Assert.That(m.Description, Is.Not.Empty);
    }

    [Test]
    public void Block_products_agree_with_rows_for_any_number_of_threads([Values(1, 2, 3, 4, 6)] int block, [Values(1, 3)] int threads)
    {
        var p = KrylovProblems.Grid(60 * block / (block == 4 ? 2 : 1));
        using var team = new ThreadTeam(threads);
        var a = new BlockCsrMatrix(p.System.Pattern, BlockNumbering.Aligned(p.Rows, block), team);
        a.SetValues(p.Values);
        var rows = new CsrMatrix(p.System.Pattern, p.Values, team);
        double[] y = new double[p.Rows], z = new double[p.Rows], one = new double[p.Rows];
        a.Apply(p.Rhs, y);
        rows.Apply(p.Rhs, z);
        Assert.That(Distance(y, z), Is.LessThan(1e-14));
        p.Csr.Apply(p.Rhs, one);
        Assert.That(z, Is.EqualTo(one), "same bits for any number of threads");
    }

    [Test]
    public void Empty_slots_of_constrained_nodes_change_nothing()
    {
        var p = KrylovProblems.Constrain(KrylovProblems.Cube(4), i => i % 5 == 1);
        var a = p.Blocks();
        Assert.That(a.Numbering.IsIdentity, Is.False);
        double[] y = new double[p.Rows], z = new double[p.Rows], x = new double[p.Rows];
        for (int i = 0; i < x.Length; i++) x[i] = Math.Cos(i);
        a.Apply(x, y);
        p.Csr.Apply(x, z);
        Assert.That(Distance(y, z), Is.LessThan(1e-14));
    }

    [Test]
    public void Dot_product_and_norm_survive_extremes()
    {
        double[] tiny = [3e-200, 4e-200], huge = [3e200, 4e200];
        Assert.That(Vec.Norm(tiny), Is.EqualTo(5e-200).Within(1e-214));
        Assert.That(Vec.Norm(huge), Is.EqualTo(5e200).Within(1e186));
        Assert.That(Vec.Norm([]), Is.Zero);
        Assert.That(() => Vec.Dot([1, 2], [1]), Throws.ArgumentException);
    }

    [Test]
    public void Indefinite_matrix_is_named_by_cg_and_solved_by_minres()
    {
        var p = KrylovProblems.Grid(12, shift: -1.3);
        var x = new double[p.Rows];
        var report = new ConjugateGradient(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, Tight);
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Reason, Does.Contain("not positive definite"));

        Array.Clear(x);
        report = new Minres(p.Rows).Solve(p.Csr, new JacobiPreconditioner(p.Csr), p.Rhs, x, Tight);
        Assert.That(report.Converged, report.Reason);
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-8));
    }

    [Test]
    public void Nonsymmetric_matrix_is_solved_by_gmres([Values("none", "ilu0")] string preconditioner, [Values(10, 200)] int restart)
    {
        var p = KrylovProblems.Grid(14, wind: 0.6, kind: MatrixKind.General);
        var x = new double[p.Rows];
        var report = new Gmres(p.Rows, restart).Solve(p.Csr, Make(preconditioner, p), p.Rhs, x, Tight);
        Assert.That(report.Converged, report.Reason);
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-9));
    }

    [Test]
    public void Inconsistent_singular_systems_fail_in_words([Values("cg", "minres", "gmres")] string method)
    {
        var p = KrylovProblems.Grid(8, neumann: true);
        var x = new double[p.Rows];
        var report = method switch
        {
            "cg" => new ConjugateGradient(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, Tight),
            "minres" => new Minres(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, Tight),
            _ => new Gmres(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, Tight),
        };
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Reason, Is.Not.Empty);
        TestContext.Out.WriteLine(report.Reason);
    }

    [Test]
    public void Degenerate_right_hand_sides([Values("cg", "minres", "gmres")] string method)
    {
        var one = new KrylovProblems.Problem(LinearSystem.Serial(new SparsePattern(1, [0, 1], [0]), MatrixKind.SymmetricPositiveDefinite), [4.0], [2.0]);
        SolveReport Solve(double[] b, double[] x) => method switch
        {
            "cg" => new ConjugateGradient(1).Solve(one.Csr, IdentityPreconditioner.Instance, b, x, Tight),
            "minres" => new Minres(1).Solve(one.Csr, IdentityPreconditioner.Instance, b, x, Tight),
            _ => new Gmres(1).Solve(one.Csr, IdentityPreconditioner.Instance, b, x, Tight),
        };
        double[] x = [7.0];
        Assert.That(Solve([2.0], x).Converged);
        Assert.That(x[0], Is.EqualTo(0.5).Within(1e-14));
        var zero = Solve([0.0], x);
        Assert.That(zero.Converged && zero.RelativeResidual == 0 && x[0] == 0);
        var nan = Solve([double.NaN], x);
        Assert.That(nan.Converged, Is.False);
        Assert.That(nan.Reason, Does.Contain("NaN").And.Contain("unknown 0"));
        x[0] = double.NaN;
        Assert.That(Solve([2.0], x).Converged, "a guess that is not a number is ignored");
        Assert.That(() => Solve([1.0, 2.0], x), Throws.ArgumentException);
    }

    [Test]
    public void Iterations_allocate_nothing([Values("cg", "minres", "gmres")] string method, [Values("jacobi", "block", "ic0", "ilu0", "sa")] string preconditioner)
    {
        var p = KrylovProblems.Cube(4);
        var m = Make(preconditioner, p);
        var a = p.Csr;
        var x = new double[p.Rows];
        var cg = new ConjugateGradient(p.Rows);
        var minres = new Minres(p.Rows);
        var gmres = new Gmres(p.Rows, 5);
        SolveReport Solve() => method switch
        {
            "cg" => cg.Solve(a, m, p.Rhs, x, Tight),
            "minres" => minres.Solve(a, m, p.Rhs, x, Tight),
            _ => gmres.Solve(a, m, p.Rhs, x, Tight),
        };
        Solve();
        Array.Clear(x);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var report = Solve();
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(report.Converged, report.Reason);
        Assert.That(report.Iterations, Is.GreaterThan(4));
        Assert.That(bytes, Is.LessThan(200), "one closure for the test itself");
    }

    [Test]
    public void Unreachable_tolerance_is_stagnation_not_an_endless_loop([Values("cg", "minres", "gmres")] string method)
    {
        var p = KrylovProblems.Cube(3);
        var x = new double[p.Rows];
        var options = new KrylovOptions(1e-20, 100_000);
        var report = method switch
        {
            "cg" => new ConjugateGradient(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, options),
            "minres" => new Minres(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, options),
            _ => new Gmres(p.Rows).Solve(p.Csr, IdentityPreconditioner.Instance, p.Rhs, x, options),
        };
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Iterations, Is.LessThan(20_000));
        Assert.That(report.RelativeResidual, Is.LessThan(1e-12));
        Assert.That(report.Reason, Does.Contain("stagnated"));
    }

    [Test]
    public void Incomplete_factors_are_exact_without_fill()
    {
        // A tridiagonal matrix has no fill: IC(0) and ILU(0) are direct solvers.
        const int n = 30;
        var start = new int[n + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < n; i++)
        {
            for (int j = Math.Max(0, i - 1); j <= Math.Min(n - 1, i + 1); j++)
            {
                columns.Add(j);
                values.Add(i == j ? 2.5 : -1);
            }
            start[i + 1] = columns.Count;
        }
        var a = new CsrMatrix(new SparsePattern(n, start, columns.ToArray()), values.ToArray());
        double[] b = new double[n], x = new double[n], back = new double[n];
        for (int i = 0; i < n; i++) b[i] = Math.Sin(i);
        var ic = new Ic0Preconditioner(a);
        Assert.That(ic.Shift, Is.Zero);
        foreach (IPreconditioner m in new IPreconditioner[] { ic, new Ilu0Preconditioner(a) })
        {
            m.Apply(b, x);
            a.Apply(x, back);
            Assert.That(Distance(back, b), Is.LessThan(1e-14), m.Description);
        }
    }

    [Test]
    public void Incomplete_cholesky_shifts_where_it_breaks_down()
    {
        // Kershaw, J. Comput. Phys. 26, 43 (1978): positive definite (smallest eigenvalue 3 − 2√2), yet IC(0) meets a negative pivot.
        var pattern = new SparsePattern(4, [0, 3, 6, 9, 12], [0, 1, 3, 0, 1, 2, 1, 2, 3, 0, 2, 3]);
        var a = new CsrMatrix(pattern, [3.0, -2, 2, -2, 3, -2, -2, 3, -2, 2, -2, 3]);
        var m = new Ic0Preconditioner(a);
        Assert.That(m.Shift, Is.GreaterThan(0));
        Assert.That(m.Description, Does.Contain("shift"));
        double[] b = [1, 2, 3, 4], x = new double[4], back = new double[4];
        Assert.That(new ConjugateGradient(4).Solve(a, m, b, x, Tight).Converged);
        a.Apply(x, back);
        Assert.That(Distance(back, b), Is.LessThan(1e-11));
    }

    [Test]
    public void Bad_diagonals_are_refused_by_name()
    {
        var pattern = new SparsePattern(2, [0, 2, 4], [0, 1, 0, 1]);
        var a = new CsrMatrix(pattern, [1.0, 2.0, 2.0, -1.0]);
        Assert.That(() => new Ic0Preconditioner(a), Throws.TypeOf<NumericalException>().With.Message.Contains("unknown 1"));
        var singular = new CsrMatrix(pattern, [1.0, 1.0, 1.0, 1.0]);
        Assert.That(() => new Ilu0Preconditioner(singular), Throws.TypeOf<NumericalException>().With.Message.Contains("unknown 1"));
        Assert.That(() => new CsrMatrix(pattern, [1.0]), Throws.ArgumentException);
        Assert.That(() => BlockNumbering.Aligned(7, 2), Throws.ArgumentException);
    }
}
