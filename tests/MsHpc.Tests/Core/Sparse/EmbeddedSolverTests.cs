using System.Runtime.InteropServices;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Core.Sparse;

[TestFixture]
internal sealed class EmbeddedSolverTests
{
    private static (SolveReport Report, double[] X, string Description) Solve(KrylovProblems.Problem p, EmbeddedSolverOptions? options = null)
    {
        using var solver = new EmbeddedSolver(options);
        solver.Initialize(p.System);
        solver.SetValues(p.Values);
        var x = new double[p.Rows];
        var report = solver.Solve(p.Rhs, x);
        return (report, x, solver.Description);
    }

    private static EmbeddedSolverOptions With(EmbeddedMethod method, EmbeddedPreconditioner preconditioner = EmbeddedPreconditioner.Auto)
        => new() { Method = method, Preconditioner = preconditioner };

    private static double Distance(double[] x, double[] y)
    {
        double d = 0, s = 0;
        for (int i = 0; i < x.Length; i++) (d, s) = (Math.Max(d, Math.Abs(x[i] - y[i])), Math.Max(s, Math.Abs(y[i])));
        return d / s;
    }

    private static KrylovProblems.Problem OfKind(KrylovProblems.Problem p, MatrixKind kind) => p with { System = p.System with { Kind = kind } };

    /// <summary>Laplacian with one Lagrange multiplier that fixes the sum: symmetric, indefinite, a zero on the diagonal.</summary>
    private static KrylovProblems.Problem Saddle(int n)
    {
        var p = KrylovProblems.Grid(n, neumann: true);
        int rows = p.Rows + 1;
        var start = new int[rows + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < p.Rows; i++)
        {
            for (int k = p.System.Pattern.RowStart[i]; k < p.System.Pattern.RowStart[i + 1]; k++)
            {
                columns.Add(p.System.Pattern.Columns[k]);
                values.Add(p.Values[k]);
            }
            columns.Add(p.Rows);
            values.Add(1);
            start[i + 1] = columns.Count;
        }
        for (int i = 0; i < rows; i++)
        {
            columns.Add(i);
            values.Add(i < p.Rows ? 1 : 0);
        }
        start[rows] = columns.Count;
        return new(LinearSystem.Serial(new SparsePattern(rows, start, columns.ToArray()), MatrixKind.Symmetric), values.ToArray(), [.. p.Rhs, 0.3]);
    }

    [Test]
    public void Positive_definite_systems([Values] EmbeddedMethod method, [Values("cube", "constrained", "grid")] string matrix)
    {
        var p = matrix switch
        {
            "cube" => KrylovProblems.Cube(4),
            "constrained" => KrylovProblems.Constrain(KrylovProblems.Cube(4), i => i % 9 == 4),
            _ => KrylovProblems.Grid(13),
        };
        var (report, x, _) = Solve(p, With(method));
        Assert.That(report.Converged, report.Reason);
        Assert.That(report.RelativeResidual, Is.LessThan(1e-10));
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-8));
    }

    [Test]
    public void Every_preconditioner([Values] EmbeddedPreconditioner preconditioner, [Values(EmbeddedMethod.Cg, EmbeddedMethod.Gmres)] EmbeddedMethod method)
    {
        var p = KrylovProblems.Cube(5);
        var (report, x, _) = Solve(p, With(method, preconditioner));
        Assert.That(report.Converged, report.Reason);
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-8));
    }

    [Test]
    public void Symmetric_indefinite_systems([Values(EmbeddedMethod.Auto, EmbeddedMethod.Direct, EmbeddedMethod.Minres, EmbeddedMethod.Gmres)] EmbeddedMethod method,
        [Values("shifted", "saddle")] string matrix)
    {
        var p = matrix == "saddle" ? Saddle(9) : OfKind(KrylovProblems.Grid(12, shift: -1.3), MatrixKind.Symmetric);
        var preconditioner = method == EmbeddedMethod.Gmres ? EmbeddedPreconditioner.Jacobi : EmbeddedPreconditioner.Auto;
        var (report, x, _) = Solve(p, With(method, preconditioner) with { Restart = 150 });
        Assert.That(report.Converged, report.Reason);
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-7));
    }

    [Test]
    public void Symmetric_matrix_with_a_zero_diagonal_is_pivoted()
    {
        var p = new KrylovProblems.Problem(LinearSystem.Serial(new SparsePattern(2, [0, 2, 4], [0, 1, 0, 1]), MatrixKind.Symmetric), [0, 2, 2, 0], [2.0, 6.0]);
        var (report, x, _) = Solve(p);
        Assert.That(report.Converged, report.Reason);
        Assert.That(x, Is.EqualTo([3.0, 1.0]).Within(1e-14));
    }

    [Test]
    public void General_systems([Values(EmbeddedMethod.Auto, EmbeddedMethod.Direct, EmbeddedMethod.Gmres)] EmbeddedMethod method)
    {
        var p = KrylovProblems.Grid(14, wind: 0.6, kind: MatrixKind.General);
        var (report, x, _) = Solve(p, With(method));
        Assert.That(report.Converged, report.Reason);
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-8));
    }

    [Test]
    public void Indefinite_where_definite_was_promised_is_an_error([Values(EmbeddedMethod.Auto, EmbeddedMethod.Direct, EmbeddedMethod.Cg)] EmbeddedMethod method)
    {
        var (report, _, _) = Solve(KrylovProblems.Grid(12, shift: -1.3), With(method, method == EmbeddedMethod.Cg ? EmbeddedPreconditioner.Jacobi : EmbeddedPreconditioner.Auto));
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Reason, Does.Contain("not positive definite"));
        Assert.That(() => report.Require(), Throws.TypeOf<NumericalException>());
    }

    [Test]
    public void Singular_systems_are_errors_even_when_consistent([Values] EmbeddedMethod method, [Values("scalar", "elastic", "hinge", "two parts")] string matrix,
        [Values] bool consistent)
    {
        var p = matrix switch
        {
            "scalar" => KrylovProblems.Grid(9, neumann: true),
            "elastic" => KrylovProblems.Cube(3, clamp: false),
            "hinge" => KrylovProblems.Constrain(KrylovProblems.Cube(3, clamp: false), i => i < 3),
            _ => Isolated(KrylovProblems.Grid(9), 40),
        };
        double[] rhs = p.Rhs;
        if (consistent)
        {
            var x = new double[p.Rows];
            for (int i = 0; i < x.Length; i++) x[i] = Math.Sin(i * i);
            p.Csr.Apply(x, rhs);
        }
        foreach (var kind in new[] { MatrixKind.SymmetricPositiveDefinite, MatrixKind.Symmetric, MatrixKind.General })
        {
            if (kind == MatrixKind.General && method is EmbeddedMethod.Cg or EmbeddedMethod.Minres) continue;
            var (report, _, _) = Solve(OfKind(p, kind), With(method));
            Assert.That(report.Converged, Is.False, $"{kind}");
            Assert.That(report.Reason, Does.Contain("singular"), $"{kind}");
        }
    }

    /// <summary>Cuts one unknown off and zeroes its diagonal.</summary>
    private static KrylovProblems.Problem Isolated(KrylovProblems.Problem p, int unknown)
    {
        for (int i = 0; i < p.Rows; i++)
            for (int k = p.System.Pattern.RowStart[i]; k < p.System.Pattern.RowStart[i + 1]; k++)
                if (i == unknown || p.System.Pattern.Columns[k] == unknown) p.Values[k] = 0;
        return p;
    }

    [Test]
    public void A_residual_that_rounding_forbids_to_fall_is_no_failure([Values(EmbeddedMethod.Direct, EmbeddedMethod.Cg)] EmbeddedMethod method)
    {
        // A cantilever 200 times as long as high: ε ‖A‖ ‖x‖ is far above 1e-10 ‖b‖.
        var p = KrylovProblems.Lattice(400, 2);
        var (report, x, _) = Solve(p, With(method));
        Assert.That(report.Converged, report.Reason);
        Assert.That(report.Reason, Does.Contain("rounding"));
        Assert.That(report.RelativeResidual, Is.LessThan(1e-5));
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-5));
    }

    [Test]
    public void A_matrix_that_is_not_as_symmetric_as_promised_is_noticed()
    {
        var p = KrylovProblems.Grid(14, shift: 1, wind: 0.1);
        var (report, _, _) = Solve(p, With(EmbeddedMethod.Direct));
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Reason, Does.Contain("symmetric"));
        (report, var x, _) = Solve(OfKind(p, MatrixKind.Symmetric), With(EmbeddedMethod.Direct));
        Assert.That(report.Converged, "LU steps in");
        Assert.That(Distance(x, p.DenseSolve()), Is.LessThan(1e-10));
    }

    [Test]
    public void Repeated_solves_allocate_nothing([Values(EmbeddedMethod.Direct, EmbeddedMethod.Cg, EmbeddedMethod.Minres, EmbeddedMethod.Gmres)] EmbeddedMethod method)
    {
        var p = KrylovProblems.Cube(4);
        using var solver = new EmbeddedSolver(With(method));
        solver.Initialize(p.System);
        solver.SetValues(p.Values);
        var x = new double[p.Rows];
        solver.Solve(p.Rhs, x).Require();
        Array.Clear(x);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var report = solver.Solve(p.Rhs, x);
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(report.Converged, report.Reason);
        Assert.That(bytes, Is.Zero);
    }

    [Test]
    public void Not_a_number_is_reported_where_it_is([Values(EmbeddedMethod.Direct, EmbeddedMethod.Cg)] EmbeddedMethod method)
    {
        var p = KrylovProblems.Cube(3);
        using var solver = new EmbeddedSolver(With(method));
        solver.Initialize(p.System);
        var values = (double[])p.Values.Clone();
        values[p.System.Pattern.Find(7, 8)] = double.NaN;
        solver.SetValues(values);
        var x = new double[p.Rows];
        var report = solver.Solve(p.Rhs, x);
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Reason, Does.Contain("(7, 8)").And.Contain("NaN"));
        solver.SetValues(p.Values);
        var rhs = (double[])p.Rhs.Clone();
        rhs[11] = double.PositiveInfinity;
        Assert.That(solver.Solve(rhs, x).Reason, Does.Contain("unknown 11"));
        Assert.That(solver.Solve(p.Rhs, x).Converged);
    }

    [Test]
    public void Zero_right_hand_side_single_unknown_and_empty_system([Values] EmbeddedMethod method)
    {
        var one = new KrylovProblems.Problem(LinearSystem.Serial(new SparsePattern(1, [0, 1], [0]), MatrixKind.SymmetricPositiveDefinite), [4.0], [2.0]);
        var (report, x, _) = Solve(one, With(method));
        Assert.That(report.Converged, report.Reason);
        Assert.That(x[0], Is.EqualTo(0.5).Within(1e-14));
        (report, x, _) = Solve(one with { Rhs = [0.0] }, With(method));
        Assert.That(report.Converged && x[0] == 0 && report.RelativeResidual == 0);
        (report, _, _) = Solve(new(LinearSystem.Serial(new SparsePattern(0, [0], []), MatrixKind.SymmetricPositiveDefinite), [], []), With(method));
        Assert.That(report.Converged, report.Reason);
    }

    [Test]
    public void New_values_are_taken_up([Values(EmbeddedMethod.Direct, EmbeddedMethod.Cg)] EmbeddedMethod method)
    {
        var p = KrylovProblems.Cube(5);
        var q = KrylovProblems.Cube(5, (x, y, z) => 1 + 5 * x * y);
        using var solver = new EmbeddedSolver(With(method) with { Multigrid = new SmoothedAggregationOptions { CoarseSize = 50 } });
        solver.Initialize(p.System);
        foreach (var s in new[] { p, q, p })
        {
            solver.SetValues(s.Values);
            var x = new double[s.Rows];
            Assert.That(solver.Solve(s.Rhs, x).Converged);
            Assert.That(Distance(x, s.DenseSolve()), Is.LessThan(1e-8));
        }
    }

    [Test]
    public void Auto_goes_iterative_when_the_factor_is_dear_and_comes_back_when_that_fails()
    {
        var p = KrylovProblems.Cube(6);
        var dear = new EmbeddedSolverOptions { DirectFlops = 1e3 };
        var (report, _, description) = Solve(p, dear);
        Assert.That(report.Converged, report.Reason);
        Assert.That(description, Does.Contain("Cg").And.Contain("smoothed aggregation"));
        (_, _, description) = Solve(p);
        Assert.That(description, Does.Contain("LDL"));

        double flops = SymbolicLdl.Analyze(p.System.Pattern, p.System.NodeOf, p.System.Coordinates, 3).Flops;
        (report, var x, description) = Solve(p, new EmbeddedSolverOptions { DirectFlops = 0.5 * flops, MaxIterations = 1, Multigrid = new() { CoarseSize = 50 } });
        Assert.That(report.Converged, report.Reason);
        Assert.That(report.Reason, Does.Contain("after the Krylov method failed"));
        Assert.That(description, Does.Contain("LDL"));
        Assert.That(KrylovProblems.RelativeResidual(p, x), Is.LessThan(1e-10));
    }

    [Test]
    public void Options_and_calls_that_make_no_sense_are_refused()
    {
        Assert.That(() => new EmbeddedSolver(new() { RelativeTolerance = 0 }), Throws.TypeOf<InputException>());
        Assert.That(() => new EmbeddedSolver(new() { MaxIterations = 0 }), Throws.TypeOf<InputException>());
        Assert.That(() => new EmbeddedSolver(With(EmbeddedMethod.Minres, EmbeddedPreconditioner.Ilu0)), Throws.TypeOf<InputException>());
        var general = KrylovProblems.Grid(3, kind: MatrixKind.General);
        Assert.That(() => new EmbeddedSolver(With(EmbeddedMethod.Cg)).Initialize(general.System), Throws.TypeOf<InputException>());
        Assert.That(() => new EmbeddedSolver(With(EmbeddedMethod.Gmres, EmbeddedPreconditioner.Multigrid)).Initialize(general.System), Throws.TypeOf<InputException>());
        var solver = new EmbeddedSolver();
        Assert.That(() => solver.SetValues([]), Throws.InvalidOperationException);
        solver.Initialize(general.System);
        Assert.That(() => solver.SetValues([1.0]), Throws.ArgumentException);
        Assert.That(() => solver.Solve(general.Rhs, new double[9]), Throws.InvalidOperationException);
        solver.SetValues(general.Values);
        Assert.That(() => solver.Solve([1.0], new double[9]), Throws.ArgumentException);
    }

    /// <summary>Two ranks, each with half of the cells of a bar; the middle node's entries add up. Ghosts come last.</summary>
    [Test]
    public void Two_ranks_agree_with_one([Values(EmbeddedMethod.Direct, EmbeddedMethod.Cg)] EmbeddedMethod method)
    {
        // Springs 0-1-2-…-6 with stiffness k_e, node 0 held by a spring of 2; rank 0 owns 0…2, rank 1 owns 3…6.
        const int n = 7;
        double[] stiffness = [1, 3, 2, 5, 4, 1.5];
        var whole = Bar([0, 1, 2, 3, 4, 5, 6], 7, [0, 1, 2, 3, 4, 5], Comm.Self, 1.0);
        var (report, expected, _) = Solve(whole, With(method));
        Assert.That(report.Converged, report.Reason);
        var group = new ThreadComm.Group(2);
        var results = new double[2][];
        var threads = new Thread[2];
        for (int rank = 0; rank < 2; rank++)
        {
            int me = rank;
            threads[rank] = new Thread(() =>
            {
                var comm = new ThreadComm(group, me);
                // Rank 0 assembles springs 0…2 (its ghost is 3), rank 1 springs 3…5 (no ghost).
                var p = me == 0 ? Bar([0, 1, 2, 3], 3, [0, 1, 2], comm, 1.0) : Bar([3, 4, 5, 6], 4, [3, 4, 5], comm, 0.0);
                using var solver = new EmbeddedSolver(With(method));
                solver.Initialize(p.System);
                solver.SetValues(p.Values);
                results[me] = new double[p.System.Owned];
                solver.Solve(p.Rhs.AsSpan(0, p.System.Owned), results[me]).Require();
            });
            threads[rank].Start();
        }
        foreach (var thread in threads) thread.Join();
        Assert.That((double[])[.. results[0], .. results[1]], Is.EqualTo(expected).Within(1e-14));

        KrylovProblems.Problem Bar(int[] nodes, int owned, int[] springs, Comm comm, double ground)
        {
            int rows = nodes.Length;
            var groups = new List<int>();
            var start = new List<int> { 0 };
            foreach (int e in springs)
            {
                groups.AddRange([e - nodes[0], e + 1 - nodes[0]]);
                start.Add(groups.Count);
            }
            var pattern = SparsePattern.FromGroups(rows, CollectionsMarshal.AsSpan(start), CollectionsMarshal.AsSpan(groups));
            var values = new double[pattern.Count];
            foreach (int e in springs)
                for (int a = 0; a < 2; a++)
                    for (int b = 0; b < 2; b++)
                        values[pattern.Find(e + a - nodes[0], e + b - nodes[0])] += a == b ? stiffness[e] : -stiffness[e];
            values[pattern.Find(0, 0)] += 2 * ground;
            var global = new long[rows];
            var local = new int[rows];
            var coordinates = new double[2 * rows];
            var rhs = new double[rows];
            for (int i = 0; i < rows; i++) (global[i], local[i], coordinates[2 * i], rhs[i]) = (nodes[i], i, nodes[i], Math.Cos(nodes[i]) + n);
            return new(new LinearSystem(comm, MatrixKind.SymmetricPositiveDefinite, pattern, owned, global, 1, local, new byte[rows], coordinates, 2), values, rhs);
        }
    }

    /// <summary>Ranks that are threads of this process, enough for the embedded solver's gathers.</summary>
    private sealed class ThreadComm(ThreadComm.Group group, int rank) : Comm
    {
        internal sealed class Group(int size)
        {
            public readonly System.Threading.Barrier Barrier = new(size);
            public readonly byte[][] Pieces = new byte[size][];
        }

        public override int Rank => rank;
        public override int Size => group.Pieces.Length;

        public override (T[] Data, int[] Offsets) AllGather<T>(ReadOnlySpan<T> piece)
        {
            group.Pieces[rank] = MemoryMarshal.AsBytes(piece).ToArray();
            group.Barrier.SignalAndWait();
            var data = new List<T>();
            var offsets = new List<int> { 0 };
            foreach (var p in group.Pieces)
            {
                data.AddRange(MemoryMarshal.Cast<byte, T>(p));
                offsets.Add(data.Count);
            }
            group.Barrier.SignalAndWait();
            return (data.ToArray(), offsets.ToArray());
        }

        public override void AllReduceSum(Span<long> values)
        {
            var (all, _) = AllGather<long>(values);
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = 0;
                for (int r = 0; r < Size; r++) values[i] += all[r * values.Length + i];
            }
        }

        public override void AllReduceSum(Span<double> values) => throw new NotSupportedException();
        public override void AllReduceMax(Span<double> values) => throw new NotSupportedException();
        public override void Broadcast(Span<byte> data, int root = 0) => throw new NotSupportedException();
        public override void Barrier() => group.Barrier.SignalAndWait();
        public override Comm Split(int color, int key) => throw new NotSupportedException();
        public override void Exchange<T>(ReadOnlySpan<int> neighbors, ReadOnlySpan<T> send, ReadOnlySpan<int> sendOffsets,
            Span<T> receive, ReadOnlySpan<int> receiveOffsets) => throw new NotSupportedException();
    }
}
