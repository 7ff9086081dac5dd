using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Native;

/// <summary>PETSc against a dense solve of the same elastic block, on any number of ranks.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class PetscSolverTests
{
    private static readonly Dictionary<string, string> None = [];
    private static readonly int[] Small2 = [6, 4], Small3 = [4, 2, 2];
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp()
    {
        NativeTest.RequirePetsc();
        _comm = NativeTest.World();
    }

    private static bool Clamped(double[] x, int component) => x[0] == 0;

    private static bool Free(double[] x, int component) => false;

    /// <summary>"a: b, c: d" → options.</summary>
    private static Dictionary<string, string> Options(string text) => text.Length == 0 ? None : text.Split(", ")
        .Select(o => o.Split(": ")).ToDictionary(o => o[0], o => o.Length > 1 ? o[1] : "");

    private static (SolveReport Report, double[] X) Solve(PetscSolver solver, TestBlock block, double factor = 1)
    {
        double[] values = [.. block.Values.Select(v => v * factor)];
        solver.SetValues(values);
        var x = new double[block.Owned];
        var report = solver.Solve(block.Rhs(), x);
        return (report, x);
    }

    private double Error(double[] x, double[] exact, double factor = 1)
    {
        double error = 0, size = 0;
        for (int i = 0; i < x.Length; i++)
        {
            error = Math.Max(error, Math.Abs(x[i] * factor - exact[i]));
            size = Math.Max(size, Math.Abs(exact[i]));
        }
        return _comm.AllReduceMax(error) / _comm.AllReduceMax(size);
    }

    /// <summary>The residual is 1e-10 or better; the condition number of these blocks is below 1e4, so the answer is good to 1e-6.</summary>
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "", "preonly + cholesky")]
    [TestCase(MatrixKind.Symmetric, "", "")]
    [TestCase(MatrixKind.General, "", "preonly + lu")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "pc_type: cholesky, pc_factor_mat_solver_type: mumps", "cholesky (mumps)")]
    [TestCase(MatrixKind.General, "pc_type: lu, pc_factor_mat_solver_type: mumps, mat_mumps_icntl_7: 2", "lu (mumps)")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "ksp_type: cg, pc_type: gamg", "cg + gamg")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "-ksp_type: cg, -pc_type: hypre, -pc_hypre_type: boomeramg", "cg + hypre")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "ksp_type: cg, pc_type: jacobi, ksp_norm_type: preconditioned, ksp_rtol: 1e-11", "cg + jacobi")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "ksp_type: cg", "cg + gamg")]
    [TestCase(MatrixKind.Symmetric, "ksp_type: minres, pc_type: jacobi", "minres + jacobi")]
    [TestCase(MatrixKind.General, "ksp_type: gmres, pc_type: bjacobi, sub_pc_type: ilu", "gmres + bjacobi")]
    [TestCase(MatrixKind.General, "ksp_type: bcgs, pc_type: asm", "bcgs + asm")]
    [TestCase(MatrixKind.General, "ksp_type: fgmres, pc_type: gamg", "fgmres + gamg")]
    [TestCase(MatrixKind.General, "ksp_type: gmres, pc_type: lu", "gmres + lu")]
    public void AgreesWithDenseSolve(MatrixKind kind, string options, string description)
    {
        if (options.Contains("mumps", StringComparison.Ordinal) || _comm.Size > 1) NativeTest.RequirePetsc("mumps");
        if (options.Contains("hypre", StringComparison.Ordinal)) NativeTest.RequirePetsc("hypre");
        foreach (int[] cells in (int[][])[Small2, Small3])
        {
            var block = new TestBlock(_comm, cells, Clamped, kind);
            using var solver = new PetscSolver("agree_", Options(options));
            solver.Initialize(block.System);
            Assert.That(solver.Description, Does.Contain(description));
            double[] exact = block.Exact();
            foreach (double factor in (double[])[1, 1, 4]) // assembling again replaces, and does not add
            {
                var (report, x) = Solve(solver, block, factor);
                double error = Error(x, exact, factor);
                Assert.That(report.Converged, Is.True, report.Reason);
                Assert.That(report.RelativeResidual, Is.LessThan(1e-9));
                Assert.That(error, Is.LessThan(1e-6), report.Reason);
            }
        }
    }

    /// <summary>Nothing eliminated, so unknowns come in whole nodes and the block size reaches PETSc.</summary>
    [TestCase("ksp_type: cg, pc_type: gamg")]
    [TestCase("ksp_type: cg, pc_type: hypre")]
    [TestCase("ksp_type: cg, pc_type: pbjacobi")]
    [TestCase("")]
    public void BlocksOfWholeNodesAreSolved(string options)
    {
        if (options.Contains("hypre", StringComparison.Ordinal)) NativeTest.RequirePetsc("hypre");
        foreach (int[] cells in (int[][])[Small2, Small3])
        {
            var block = new TestBlock(_comm, cells, Free, MatrixKind.SymmetricPositiveDefinite, shift: -0.1);
            Assert.That(block.System.BlockSize, Is.EqualTo(cells.Length));
            using var solver = new PetscSolver("blocks_", Options(options));
            solver.Initialize(block.System);
            var (report, x) = Solve(solver, block);
            double error = Error(x, block.Exact());
            Assert.That(report.Converged, Is.True, report.Reason);
            Assert.That(error, Is.LessThan(1e-7), report.Reason);
        }
    }

    /// <summary>All nodes of the first rank are held: it owns nothing, and still takes part.</summary>
    [Test]
    public void RanksWithoutUnknownsTakePart([Values("", "ksp_type: cg, pc_type: gamg", "ksp_type: gmres, pc_type: bjacobi")] string options)
    {
        var block = new TestBlock(_comm, [1, 4], Clamped, MatrixKind.SymmetricPositiveDefinite);
        if (_comm.Size > 1 && _comm.IsRoot) Assert.That(block.Owned, Is.Zero);
        using var solver = new PetscSolver("empty_", Options(options));
        solver.Initialize(block.System);
        var (report, x) = Solve(solver, block);
        double error = Error(x, block.Exact());
        Assert.That(report.Converged, Is.True, report.Reason);
        Assert.That(error, Is.LessThan(1e-8), report.Reason);
    }

    [Test]
    public void ReportedResidualIsTheTrueOne()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("few_", Options("ksp_type: cg, pc_type: jacobi, ksp_max_it: 3"));
        solver.Initialize(block.System);
        var (report, x) = Solve(solver, block);
        var y = new double[block.Owned];
        solver.Multiply(x, y);
        double rr = 0, bb = 0;
        double[] b = block.Rhs();
        for (int i = 0; i < y.Length; i++) { rr += (b[i] - y[i]) * (b[i] - y[i]); bb += b[i] * b[i]; }
        double residual = Math.Sqrt(_comm.AllReduceSum(rr) / _comm.AllReduceSum(bb));
        Assert.That(report.Converged, Is.False);
        Assert.That(report.Iterations, Is.EqualTo(3));
        Assert.That(report.Reason, Does.Contain("DIVERGED_ITS"));
        Assert.That(report.RelativeResidual, Is.EqualTo(residual).Within(1e-12).Percent.And.GreaterThan(1e-3));
        Assert.Throws<NumericalException>(() => report.Require());
    }

    /// <summary>A method that watches the preconditioned residual is held to the true one.</summary>
    [Test]
    public void PreconditionedNormDoesNotLowerTheBar()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.General);
        double[] values = [.. block.Values.Select(v => v * 1e6)];
        using var solver = new PetscSolver("norm_", Options("ksp_type: gmres, pc_type: jacobi, ksp_norm_type: preconditioned, ksp_rtol: 1e-6"));
        solver.Initialize(block.System);
        solver.SetValues(values);
        var report = solver.Solve(block.Rhs(), new double[block.Owned]);
        Assert.That(report.Converged, Is.True, report.Reason);
        Assert.That(report.RelativeResidual, Is.LessThanOrEqualTo(2e-6));
    }

    [Test]
    public void InitialGuessIsUsed()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("guess_", Options("ksp_type: cg, pc_type: jacobi, ksp_rtol: 1e-8"));
        solver.Initialize(block.System);
        var (_, x) = Solve(solver, block);
        var again = solver.Solve(block.Rhs(), x);
        Assert.That(again.Iterations, Is.LessThanOrEqualTo(1), "the answer is its own initial guess");
        var poisoned = new double[block.Owned];
        Array.Fill(poisoned, double.NaN);
        Assert.That(solver.Solve(block.Rhs(), poisoned).Converged, Is.True, "a guess that is no number counts as zero");
    }

    [Test]
    public void ZeroLoadGivesZero([Values("", "ksp_type: cg, pc_type: gamg")] string options)
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("zero_", Options(options));
        solver.Initialize(block.System);
        solver.SetValues(block.Values);
        var x = new double[block.Owned];
        Array.Fill(x, 3.0);
        var report = solver.Solve(new double[block.Owned], x);
        NativeTest.Agree(_comm, report.Converged && report.RelativeResidual == 0 && x.All(v => v == 0), "x = 0");
    }

    /// <summary>No supports, or too few: one point held leaves a rotation, whatever the load.</summary>
    [Test]
    public void SingularIsReported(
        [Values("", "ksp_type: cg, pc_type: gamg", "ksp_type: cg, pc_type: jacobi", "ksp_type: cg, pc_type: cholesky")] string options,
        [Values] bool onePointHeld, [Values(2, 3)] int dimension)
    {
        if (_comm.Size > 1 && !options.Contains("gamg", StringComparison.Ordinal)) NativeTest.RequirePetsc("mumps");
        var block = new TestBlock(_comm, dimension == 2 ? Small2 : Small3, (x, _) => onePointHeld && x.Sum() == 0, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("singular_", Options(options));
        solver.Initialize(block.System);
        var (report, x) = Solve(solver, block);
        Assert.That(report.Converged, Is.False, report.Reason);
        Assert.That(report.Reason, Does.Contain("singular"), report.Reason);
        NativeTest.Agree(_comm, x.All(double.IsFinite), "the guess is left alone");
        // Supports come back (as stiffness on the diagonal): the same solver recovers.
        double[] values = [.. block.Values];
        for (int i = 0; i < block.Owned; i++) values[block.System.Pattern.Find(i, i)] += 0.1;
        solver.SetValues(values);
        report = solver.Solve(block.Rhs(), x);
        Assert.That(report.Converged, Is.True, report.Reason);
    }

    [TestCase(MatrixKind.Symmetric, "")]
    [TestCase(MatrixKind.General, "")]
    [TestCase(MatrixKind.General, "ksp_type: gmres, pc_type: lu")]
    public void SingularIsReportedForOtherKinds(MatrixKind kind, string options)
    {
        NativeTest.RequirePetsc("mumps");
        var block = new TestBlock(_comm, Small2, Free, kind);
        using var solver = new PetscSolver("singular_", Options(options));
        solver.Initialize(block.System);
        var (report, _) = Solve(solver, block);
        Assert.That(report.Converged, Is.False, report.Reason);
        Assert.That(report.Reason, Does.Contain("singular"), report.Reason);
    }

    /// <summary>A scalar field without coordinates: the constant vector is the suspect, even for a load that it does not see.</summary>
    [Test]
    public void FloatingScalarFieldIsReported([Values("", "ksp_type: cg, pc_type: jacobi")] string options)
    {
        const int n = 30;
        int[] members = [.. Enumerable.Range(0, n - 1).SelectMany(i => new[] { i, i + 1 })];
        int[] starts = [.. Enumerable.Range(0, n).Select(i => 2 * i)];
        var pattern = SparsePattern.FromGroups(n, starts, members);
        var values = new double[pattern.Count];
        for (int i = 0; i + 1 < n; i++)
            foreach (var (r, c, v) in ((int, int, double)[])[(i, i, 1), (i, i + 1, -1), (i + 1, i, -1), (i + 1, i + 1, 1)]) values[pattern.Find(r, c)] += v;
        using var solver = new PetscSolver("chain_", Options(options));
        solver.Initialize(LinearSystem.Serial(pattern, MatrixKind.SymmetricPositiveDefinite)); // each rank its own
        solver.SetValues(values);
        var load = new double[n];
        (load[0], load[^1]) = (1, -1);
        var report = solver.Solve(load, new double[n]);
        Assert.That(report.Converged, Is.False, report.Reason);
        Assert.That(report.Reason, Does.Contain("singular"));
        values[0] += 1; // a spring to the ground: x_i = const + …
        solver.SetValues(values);
        var x = new double[n];
        Assert.That(solver.Solve(load, x).Require().RelativeResidual, Is.LessThan(1e-9));
        Assert.That(x[0], Is.EqualTo(0).Within(1e-7), "the loads are in equilibrium");
    }

    /// <summary>MUMPS starts with far too little workspace, and gets more until it can factor.</summary>
    [Test]
    public void WorkspaceGrowsOnDemand()
    {
        NativeTest.RequirePetsc("mumps");
        var block = new TestBlock(_comm, [12, 12, 6], Clamped, MatrixKind.General);
        using var solver = new PetscSolver("memory_", Options("pc_type: lu, mat_mumps_icntl_14: -95"));
        solver.Initialize(block.System);
        var (report, _) = Solve(solver, block);
        Assert.That(report.Converged, Is.True, report.Reason);
        Assert.That(report.RelativeResidual, Is.LessThan(1e-12));
    }

    /// <summary>K − ω² M between two eigenvalues: refused where definiteness was promised, solved where it was not.</summary>
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "ksp_type: cg, pc_type: jacobi")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "ksp_type: cg, pc_type: gamg")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, "ksp_type: cg, pc_type: cholesky")]
    [TestCase(MatrixKind.Symmetric, "")]
    [TestCase(MatrixKind.General, "")]
    public void IndefiniteIsRefusedOnlyWhereDefinitenessWasPromised(MatrixKind kind, string options)
    {
        NativeTest.RequirePetsc("mumps");
        var block = new TestBlock(_comm, Small2, Clamped, kind, shift: 0.3);
        using var solver = new PetscSolver("shift_", Options(options));
        solver.Initialize(block.System);
        var (report, x) = Solve(solver, block);
        if (kind == MatrixKind.SymmetricPositiveDefinite)
        {
            Assert.That(report.Converged, Is.False, report.Reason);
            Assert.That(report.Reason, Does.Contain("not positive definite"), report.Reason);
        }
        else
        {
            Assert.That(report.Converged, Is.True, report.Reason);
            Assert.That(Error(x, block.Exact()), Is.LessThan(1e-9));
        }
    }

    [Test]
    public void NumbersThatAreNoneAreReported([Values("", "ksp_type: cg, pc_type: gamg")] string options)
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("nan_", Options(options));
        solver.Initialize(block.System);
        double[] values = [.. block.Values];
        if (_comm.Rank == _comm.Size - 1) values[^1] = double.NaN;
        solver.SetValues(values);
        var bad = solver.Solve(block.Rhs(), new double[block.Owned]);
        Assert.That(bad.Converged, Is.False);
        Assert.That(bad.Reason, Does.Contain("matrix holds NaN"));
        solver.SetValues(block.Values);
        double[] rhs = block.Rhs();
        if (_comm.IsRoot) rhs[0] = double.PositiveInfinity;
        bad = solver.Solve(rhs, new double[block.Owned]);
        Assert.That(bad.Reason, Does.Contain("right-hand side holds NaN"));
        Assert.That(Solve(solver, block).Report.Converged, Is.True, "and it recovers");
    }

    /// <summary>Rigid motions of a free body carry no force; they are orthogonal to what the unsupported matrix can balance.</summary>
    [TestCase(2, 3)]
    [TestCase(3, 6)]
    public void RigidBodyModesCarryNoForce(int dimension, int count)
    {
        var block = new TestBlock(_comm, dimension == 2 ? Small2 : Small3, Free, MatrixKind.Symmetric);
        Assert.That(block.System.BlockSize, Is.EqualTo(dimension));
        var modes = RigidBodyModes.Build(block.System);
        Assert.That(modes, Is.Not.Null);
        Assert.That(modes!.Value.Count, Is.EqualTo(count));
        using var solver = new PetscSolver("modes_", Options("ksp_type: gmres, pc_type: none"));
        solver.Initialize(block.System);
        solver.SetValues(block.Values);
        double worst = 0, least = double.MaxValue;
        for (int m = 0; m < count; m++)
        {
            double[] mode = modes.Value.Values[(m * block.Owned)..((m + 1) * block.Owned)], force = new double[block.Owned];
            solver.Multiply(mode, force);
            worst = Math.Max(worst, force.Select(Math.Abs).DefaultIfEmpty(0).Max());
            least = Math.Min(least, _comm.AllReduceSum(mode.Sum(v => v * v)));
        }
        Assert.That(_comm.AllReduceMax(worst), Is.LessThan(1e-13));
        Assert.That(least, Is.GreaterThan(1));
    }

    /// <summary>What the modes are for: multigrid needs far fewer iterations with them. Unknowns at the support are eliminated.</summary>
    [Test]
    public void RigidBodyModesSpeedUpMultigrid()
    {
        var block = new TestBlock(_comm, [48, 16], Clamped, MatrixKind.SymmetricPositiveDefinite);
        int Iterations(LinearSystem system)
        {
            using var solver = new PetscSolver("speed_", Options("ksp_type: cg, pc_type: gamg, ksp_rtol: 1e-8"));
            solver.Initialize(system);
            var (report, _) = Solve(solver, block);
            return report.Require().Iterations;
        }
        int with = Iterations(block.System), without = Iterations(block.System with { Dimension = 0, BlockSize = 1 });
        TestContext.Out.WriteLine($"{with} iterations with rigid-body modes, {without} without");
        Assert.That(with, Is.LessThan(without));
    }

    [Test]
    public void MisspeltOptionsAreNamed()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using (var solver = new PetscSolver("typo_", Options("ksp_type: cg, pc_type: jacobi, ksp_rtoll: 1e-3, pc_gamg_threshold: 0.1")))
        {
            solver.Initialize(block.System);
            solver.SetValues(block.Values);
            var fault = Assert.Throws<InputException>(() => solver.Solve(block.Rhs(), new double[block.Owned]))!;
            Assert.That(fault.Faults, Has.Count.EqualTo(2));
            Assert.That(fault.Message, Does.Contain("'ksp_rtoll'").And.Contain("did you mean 'ksp_rtol'").And.Contain("'pc_gamg_threshold'"));
        }
        using (var solver = new PetscSolver("typo_", Options("ksp_type: cgg")))
        {
            var fault = Assert.Throws<InputException>(() => solver.Initialize(block.System))!;
            Assert.That(fault.Message, Does.Contain("ksp_type: cgg").And.Contain("did you mean 'cg'"));
        }
        // The next solver is not harmed.
        using var good = new PetscSolver("typo_", Options("ksp_type: cg, pc_type: jacobi"));
        good.Initialize(block.System);
        Assert.That(Solve(good, block).Report.Converged, Is.True);
    }

    [Test]
    public void SolversOfOnePrefixKeepTheirOwnOptions()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var one = new PetscSolver("same_", Options("ksp_type: cg, pc_type: jacobi"));
        one.Initialize(block.System);
        using (var two = new PetscSolver("same_", Options("ksp_type: gmres, pc_type: bjacobi")))
        {
            two.Initialize(block.System);
            Assert.That(two.Description, Does.Contain("gmres + bjacobi"));
            Assert.That(Solve(two, block).Report.Converged, Is.True);
        }
        Assert.That(one.Description, Does.Contain("cg + jacobi"));
        Assert.That(Solve(one, block).Report.Converged, Is.True);
    }

    [Test]
    public void WrongUseIsRefused()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("use", None);
        Assert.Throws<InvalidOperationException>(() => solver.SetValues(block.Values));
        Assert.Throws<ArgumentException>(() => solver.Initialize(block.System with { LocalToGlobal = [0] }));
        solver.Initialize(block.System);
        Assert.Throws<InvalidOperationException>(() => solver.Initialize(block.System));
        Assert.Throws<ArgumentException>(() => solver.SetValues(block.Values.AsSpan(1)));
        Assert.Throws<NativeException>(() => solver.Solve(block.Rhs(), new double[block.Owned]), "no values yet");
        solver.SetValues(block.Values);
        Assert.Throws<ArgumentException>(() => solver.Solve(block.Rhs(), new double[block.Owned + 1]));
    }

    /// <summary>A Newton iteration assembles and solves without garbage.</summary>
    [Test]
    public void AssemblyAndSolveAllocateNothing()
    {
        var block = new TestBlock(_comm, Small2, Clamped, MatrixKind.SymmetricPositiveDefinite);
        using var solver = new PetscSolver("alloc_", None);
        solver.Initialize(block.System);
        double[] b = block.Rhs(), x = new double[block.Owned];
        bool ok = true;
        void Step()
        {
            solver.SetValues(block.Values);
            ok &= solver.Solve(b, x).Converged;
        }
        for (int i = 0; i < 20; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) Step();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        NativeTest.Agree(_comm, ok && allocated == 0, $"{allocated} bytes allocated");
    }
}

/// <summary>The choice of method, which needs no PETSc.</summary>
[TestFixture]
public sealed class PetscOptionsTests
{
    private static readonly Dictionary<string, string> None = [];

    [TestCase(MatrixKind.SymmetricPositiveDefinite, 1_000, 3, 4, true, "preonly", "cholesky")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, 1_000_000, 3, 4, true, "cg", "gamg")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, 1_000, 3, 4, false, "cg", "gamg")]
    [TestCase(MatrixKind.SymmetricPositiveDefinite, 1_000, 3, 1, false, "preonly", "cholesky")]
    [TestCase(MatrixKind.Symmetric, 1_000_000, 3, 4, true, "preonly", "cholesky")]
    [TestCase(MatrixKind.Symmetric, 1_000, 3, 1, false, "minres", "jacobi")]
    [TestCase(MatrixKind.General, 1_000, 2, 4, true, "preonly", "lu")]
    [TestCase(MatrixKind.General, 1_000_000, 2, 4, true, "gmres", "gamg")]
    public void DefaultFitsTheMatrix(MatrixKind kind, int unknowns, int dimension, int ranks, bool mumps, string ksp, string pc)
    {
        var chosen = PetscOptions.Defaults(kind, unknowns, dimension, ranks, mumps, None);
        Assert.That(chosen["ksp_type"], Is.EqualTo(ksp));
        Assert.That(chosen["pc_type"], Is.EqualTo(pc));
        Assert.That(chosen.ContainsKey("pc_factor_mat_solver_type"), Is.EqualTo(mumps && ksp == "preonly"));
    }

    [Test]
    public void UsersChoiceIsNotOverruled()
    {
        var user = new Dictionary<string, string> { ["pc_type"] = "gamg", ["ksp_rtol"] = "1e-4" };
        var chosen = PetscOptions.Defaults(MatrixKind.SymmetricPositiveDefinite, 10, 2, 1, true, user);
        Assert.That(chosen["ksp_type"], Is.EqualTo("cg"), "not preonly");
        Assert.That(chosen.Keys, Has.No.AnyOf("pc_type", "ksp_rtol"));
        user = new Dictionary<string, string> { ["pc_type"] = "hypre", ["pc_hypre_boomeramg_coarsen_type"] = "PMIS" };
        chosen = PetscOptions.Defaults(MatrixKind.SymmetricPositiveDefinite, 10, 3, 1, true, user);
        Assert.That(chosen.Keys, Has.Some.EqualTo("pc_hypre_boomeramg_interp_type").And.None.EqualTo("pc_hypre_boomeramg_coarsen_type"));
    }

    [Test]
    public void NamesAndPrefixesAreChecked()
    {
        var bad = new Dictionary<string, string> { ["ksp type"] = "cg", ["-"] = "x", ["-pc_type"] = "lu", ["pc_type"] = "ilu" };
        Assert.That(Assert.Throws<InputException>(() => _ = new PetscSolver("p_", bad))!.Faults, Has.Count.EqualTo(3));
        Assert.Throws<InputException>(() => _ = new PetscSolver("7_", None));
        Assert.That(PetscOptions.CheckPrefix("elastic"), Is.EqualTo("elastic_"));
        Assert.That(PetscOptions.DidYouMean("ksp_tpye"), Does.Contain("'ksp_type'"));
        Assert.That(PetscOptions.DidYouMean("completely_different"), Is.Empty);
    }
}
