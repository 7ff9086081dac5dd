using System.Runtime.Intrinsics;
using MathNet.Numerics.LinearAlgebra.Double;
using MsHpc.Core;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Core.Sparse;

[TestFixture]
internal sealed class DirectSolverTests
{
    private static IEnumerable<DirectProblem> Positive()
    {
        yield return DirectProblem.RandomSymmetric("1x1", 1, 0, true, 1);
        yield return DirectProblem.RandomSymmetric("dense 37", 37, 1, true, 2);
        yield return DirectProblem.RandomSymmetric("random 60", 60, 0.05, true, 3);
        yield return DirectProblem.RandomSymmetric("random 211", 211, 0.02, true, 4);
        yield return DirectProblem.RandomSymmetric("disconnected", 150, 0.006, true, 5);
        yield return DirectProblem.RandomSymmetric("diagonal", 20, 0, true, 6);
        yield return DirectProblem.Grid("Laplace 2D", [13, 9], 1, false, true);
        yield return DirectProblem.Grid("Laplace 3D", [5, 6, 4], 1, false, true);
        yield return DirectProblem.Grid("Laplace 2D periodic", [9, 8], 1, true, true);
        yield return DirectProblem.Grid("elasticity 2D", [12, 7], 2, false, true, contrast: 1000);
        yield return DirectProblem.Grid("elasticity 2D periodic", [12, 12], 2, true, true, contrast: 1e-3);
        yield return DirectProblem.Grid("elasticity 3D", [4, 3, 4], 3, false, true);
        yield return DirectProblem.Grid("elasticity 3D periodic", [5, 4, 4], 3, true, true);
        yield return DirectProblem.Grid("three fields 2D", [7, 8], 3, false, true);
        yield return DirectProblem.Grid("two cells wide torus", [2, 9], 2, true, true);
    }

    private static IEnumerable<DirectProblem> Indefinite()
    {
        yield return DirectProblem.RandomSymmetric("random indefinite 90", 90, 0.05, false, 7);
        yield return DirectProblem.RandomSymmetric("dense indefinite 30", 30, 1, false, 8);
        var grid = DirectProblem.Grid("grid", [8, 9], 2, false, true);
        // Shifted into the spectrum: some eigenvalues turn negative.
        yield return grid.With((i, j, v) => i == j ? v - 0.31 : v, "shifted elasticity");
    }

    private static IEnumerable<DirectProblem> All() => Positive().Concat(Indefinite());

    private static IEnumerable<DirectProblem> Singular()
    {
        yield return DirectProblem.Grid("Neumann 2D", [11, 8], 1, false, false);
        yield return DirectProblem.Grid("Neumann 3D", [5, 4, 5], 1, false, false);
        yield return DirectProblem.Grid("free elasticity 2D", [9, 7], 2, false, false);
        yield return DirectProblem.Grid("free periodic elasticity 2D", [16, 16], 2, true, false);
        yield return DirectProblem.Grid("free stiff ball", [32, 32], 2, true, false, contrast: 1e4);
        yield return DirectProblem.Grid("free soft ball", [20, 20], 2, false, false, contrast: 1e-6);
        yield return DirectProblem.Grid("Neumann 2D large", [100, 100], 1, false, false);
        yield return DirectProblem.Grid("free elasticity 3D", [4, 4, 3], 3, false, false);
    }

    private static double[] Vector(int n, int seed)
    {
        var random = new Random(seed);
        var x = new double[n];
        for (int i = 0; i < n; i++) x[i] = 2 * random.NextDouble() - 1;
        return x;
    }

    private static void Load(BatchedLdl ldl, params DirectProblem[] lanes)
    {
        ldl.Clear();
        var storage = ldl.Storage;
        for (int k = 0; k < lanes[0].Values.Length; k++)
        {
            int slot = ldl.Slot(k);
            if (slot < 0) continue;
            var v = Lanes4.Zero;
            for (int l = 0; l < lanes.Length; l++) v = v.WithElement(l, lanes[l].Values[k]);
            storage[slot] += v;
        }
    }

    private static DirectProblem[] Four(DirectProblem problem)
        => [.. Enumerable.Range(0, Lane4.Width).Select(l => problem.With((_, _, v) => v * (1 + 0.3 * l), problem.Name))];

    private static int[][] Orderings(DirectProblem p) =>
    [
        Ordering.MinimumDegree(p.Pattern), Ordering.MinimumDegree(p.Pattern, p.NodeOf),
        Ordering.NestedDissection(p.Pattern, p.NodeOf, p.Coordinates, p.Dimension, 4),
        Ordering.NestedDissection(p.Pattern, p.NodeOf, p.Coordinates, p.Dimension),
        Ordering.NestedDissection(p.Pattern, [], [], 0, 5),
        SymbolicLdl.Analyze(p.Pattern, p.NodeOf, p.Coordinates, p.Dimension).Permutation.ToArray(),
    ];

    [TestCaseSource(nameof(All))]
    public void OrderingsArePermutationsThatKeepNodesTogether(DirectProblem problem)
    {
        foreach (var order in Orderings(problem))
            Assert.That(order.Order(), Is.EqualTo(Enumerable.Range(0, problem.Rows)));
        var last = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension).Permutation;
        var closed = new HashSet<int>();
        for (int k = 0; k < last.Length; k++)
        {
            int node = problem.NodeOf[last[k]];
            if (node < 0) continue;
            Assert.That(closed, Does.Not.Contain(node));
            if (k + 1 == last.Length || problem.NodeOf[last[k + 1]] != node) closed.Add(node);
        }
    }

    [Test]
    public void DissectionKnowsTheTorus()
    {
        // 9-point torus: nested dissection and minimum degree agree to some 15 %; a band ordering would cost several times as much.
        var p = DirectProblem.Grid("torus", [32, 32], 2, true, true);
        var symbolic = SymbolicLdl.Analyze(p.Pattern, p.NodeOf, p.Coordinates, p.Dimension);
        Assert.That(symbolic.Flops, Is.LessThan(1.1e7));
        Assert.That(symbolic.FactorNonzeros, Is.LessThan(125000));
    }

    [TestCaseSource(nameof(All))]
    public void SingleMatchesDense(DirectProblem problem)
    {
        int n = problem.Rows;
        foreach (var use in new[] { LdlUse.Single, LdlUse.Batched })
        {
            var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension, use);
            var ldl = new SparseLdl(symbolic);
            var status = ldl.Factor(problem.Values, false);
            Assert.That(status.IsOk, status.ToString());
            var b = Vector(n, 11);
            var x = (double[])b.Clone();
            ldl.Solve(x);
            Assert.That(problem.BackwardError(x, b), Is.LessThan(1e-13));
            Compare(x, Dense(problem).Solve(DenseVector.OfArray(b)).AsArray(), 1e-10);
            int negative = Dense(problem).Evd(MathNet.Numerics.LinearAlgebra.Symmetricity.Symmetric).EigenValues.Count(e => e.Real < 0);
            Assert.That(status.NegativePivots, Is.EqualTo(negative));
        }
    }

    private static DenseMatrix Dense(DirectProblem p)
    {
        var a = new DenseMatrix(p.Rows);
        for (int i = 0; i < p.Rows; i++)
            for (int k = p.Pattern.RowStart[i]; k < p.Pattern.RowStart[i + 1]; k++) a[i, p.Pattern.Columns[k]] = p.Values[k];
        return a;
    }

    private static void Compare(ReadOnlySpan<double> x, ReadOnlySpan<double> expected, double tolerance)
    {
        double scale = 0, error = 0;
        for (int i = 0; i < x.Length; i++)
        {
            scale = Math.Max(scale, Math.Abs(expected[i]));
            error = Math.Max(error, double.IsNaN(x[i]) ? double.MaxValue : Math.Abs(x[i] - expected[i]));
        }
        Assert.That(error, Is.LessThanOrEqualTo(tolerance * scale));
    }

    [TestCaseSource(nameof(All))]
    public void BatchedMatchesSingle(DirectProblem problem)
    {
        int n = problem.Rows;
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var lanes = Four(problem);
        var batched = new BatchedLdl(symbolic);
        Load(batched, lanes);
        Assert.That(batched.Factor(Lane4.All, false), Is.Zero);
        var single = new SparseLdl(symbolic);
        foreach (int columns in new[] { 1, 2, 3, 4, 5, 6, 7, 9 })
        {
            var x = new Lanes4[n * columns];
            var rhs = Enumerable.Range(0, columns).Select(c => Vector(n, 20 + c)).ToArray();
            for (int i = 0; i < n; i++) for (int c = 0; c < columns; c++) x[i * columns + c] = Vector256.Create(rhs[c][i]);
            batched.Solve(x, columns);
            for (int l = 0; l < Lane4.Width; l += 3)
            {
                var status = single.Factor(lanes[l].Values, false);
                Assert.That(batched.NegativePivots(l), Is.EqualTo(status.NegativePivots));
                var y = new double[n * columns];
                for (int i = 0; i < n; i++) for (int c = 0; c < columns; c++) y[i * columns + c] = rhs[c][i];
                single.Solve(y, columns);
                for (int c = 0; c < columns; c++)
                {
                    var mine = Enumerable.Range(0, n).Select(i => x[i * columns + c].GetElement(l)).ToArray();
                    var other = Enumerable.Range(0, n).Select(i => y[i * columns + c]).ToArray();
                    Assert.That(lanes[l].BackwardError(mine, rhs[c]), Is.LessThan(1e-13));
                    Compare(mine, other, problem.Name == "elasticity 2D" ? 1e-10 : 1e-12);
                }
            }
        }
    }

    [Test]
    public void LanesDoNotSeeEachOther()
    {
        var problem = DirectProblem.Grid("torus", [7, 9], 2, true, true);
        var other = DirectProblem.Grid("torus", [7, 9], 2, true, true, contrast: 1e6, seed: 9);
        var nan = problem.With((_, _, _) => double.NaN, "NaN");
        var zero = problem.With((_, _, _) => 0, "zero");
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var ldl = new BatchedLdl(symbolic);
        int n = problem.Rows;
        var b = Vector(n, 3);
        var reference = Run(Enumerable.Repeat(problem, Lane4.Width).ToArray(), Lane4.All, out byte failed);
        Assert.That(failed, Is.Zero);
        for (int i = 0; i < n; i++) for (int l = 1; l < Lane4.Width; l++) Assert.That(reference[i].GetElement(l), Is.EqualTo(reference[i].GetElement(0)));
        var mixed = Run([other, nan, problem, zero], 0b0111, out failed);
        Assert.That(failed, Is.EqualTo(0b0010));
        var turned = Run([zero, problem, nan, other], 0b1110, out failed);
        Assert.That(failed, Is.EqualTo(0b0100));
        for (int i = 0; i < n; i++)
        {
            Assert.That(BitConverter.DoubleToInt64Bits(mixed[i].GetElement(2)), Is.EqualTo(BitConverter.DoubleToInt64Bits(reference[i].GetElement(2))));
            Assert.That(BitConverter.DoubleToInt64Bits(turned[i].GetElement(1)), Is.EqualTo(BitConverter.DoubleToInt64Bits(reference[i].GetElement(1))));
            Assert.That(mixed[i].GetElement(3), Is.Zero);
            Assert.That(turned[i].GetElement(0), Is.Zero);
            Assert.That(mixed[i].GetElement(0), Is.EqualTo(turned[i].GetElement(3)));
        }

        Lanes4[] Run(DirectProblem[] lanes, byte active, out byte failed)
        {
            Load(ldl, lanes);
            failed = ldl.Factor(active, true);
            var x = new Lanes4[n];
            for (int i = 0; i < n; i++) x[i] = Vector256.Create(b[i]);
            ldl.Solve(x, 1);
            return x;
        }
    }

    [TestCaseSource(nameof(Singular))]
    public void SingularIsReported(DirectProblem problem)
    {
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var status = new SparseLdl(symbolic).Factor(problem.Values, false);
        Assert.That(status.Outcome, Is.EqualTo(LdlOutcome.Singular), status.ToString());
        Assert.That(status.ToString(), Does.Contain("singular or needs pivoting at unknown"));
        var batched = new BatchedLdl(symbolic);
        Load(batched, Four(problem));
        Assert.That(batched.Factor(0b0111, false), Is.EqualTo(0b0111));
        var lu = new SparseLu(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension).Factor(problem.Values);
        Assert.That(lu.Outcome, Is.EqualTo(LdlOutcome.Singular), lu.ToString());
    }

    [TestCase(1e-8)]
    [TestCase(1e8)]
    [TestCase(1e12)]
    public void HighContrastIsNotTakenForSingular(double contrast)
    {
        // A soft ball in a pinned matrix; at 1e8 and above the matrix is the soft part, the ball floats in it.
        var problem = DirectProblem.Grid("contrast", [24, 24], 2, true, true, contrast);
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var batched = new BatchedLdl(symbolic);
        Load(batched, Four(problem));
        Assert.That(batched.Factor(Lane4.All, true), Is.Zero);
        Assert.That(new SparseLdl(symbolic).Factor(problem.Values, true).IsOk);
    }

    [TestCaseSource(nameof(Indefinite))]
    public void IndefiniteIsRefusedWherePositiveIsRequired(DirectProblem problem)
    {
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        Assert.That(new SparseLdl(symbolic).Factor(problem.Values, true).Outcome, Is.EqualTo(LdlOutcome.NotPositive));
        var batched = new BatchedLdl(symbolic);
        Load(batched, Four(problem));
        Assert.That(batched.Factor(0b1001, true), Is.EqualTo(0b1001));
    }

    [Test]
    public void MultipliersComeLast()
    {
        // [K Bᵀ; B 0] with K definite: the multipliers have no node and a zero diagonal.
        var grid = DirectProblem.Grid("grid", [9, 7], 2, false, true);
        int n = grid.Rows, constraints = 3;
        var groups = new List<int> { 0 };
        var members = new List<int>();
        for (int i = 0; i < n; i++)
            for (int k = grid.Pattern.RowStart[i]; k < grid.Pattern.RowStart[i + 1]; k++)
            {
                members.AddRange([i, grid.Pattern.Columns[k]]);
                groups.Add(members.Count);
            }
        for (int c = 0; c < constraints; c++)
            for (int i = c; i < n; i += 2 + c)
            {
                members.AddRange([i, n + c]);
                groups.Add(members.Count);
            }
        var pattern = SparsePattern.FromGroups(n + constraints, groups.ToArray(), members.ToArray());
        var values = new double[pattern.Count];
        for (int i = 0; i < n + constraints; i++)
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
            {
                int j = pattern.Columns[k];
                values[k] = i < n && j < n ? grid.Values[grid.Pattern.Find(i, j)] : i == j ? 0 : 1 + 0.1 * (Math.Min(i, j) % 5);
            }
        var problem = new DirectProblem("saddle", pattern, values, [.. grid.NodeOf, .. Enumerable.Repeat(-1, constraints)], grid.Coordinates, 2);
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, 2);
        Assert.That(symbolic.Permutation[n..].ToArray(), Is.EquivalentTo(new[] { n, n + 1, n + 2 }));
        var ldl = new SparseLdl(symbolic);
        var status = ldl.Factor(values, false);
        Assert.That(status.IsOk, status.ToString());
        Assert.That(status.NegativePivots, Is.EqualTo(constraints));
        var b = Vector(problem.Rows, 8);
        var x = (double[])b.Clone();
        ldl.Solve(x);
        Assert.That(problem.BackwardError(x, b), Is.LessThan(1e-13));
        foreach (var order in Orderings(problem)) Assert.That(order.Order(), Is.EqualTo(Enumerable.Range(0, problem.Rows)));
    }

    [Test]
    public void NotANumberIsReported()
    {
        var problem = DirectProblem.Grid("Laplace", [6, 6], 1, false, true).With((i, j, v) => i == 17 && j == 17 ? double.NaN : v, "NaN");
        Assert.That(new SparseLdl(SymbolicLdl.Analyze(problem.Pattern)).Factor(problem.Values, false).Outcome, Is.EqualTo(LdlOutcome.NotANumber));
        Assert.That(new SparseLu(problem.Pattern).Factor(problem.Values).Outcome, Is.EqualTo(LdlOutcome.NotANumber));
    }

    [Test]
    public void SlotsCoverTheLowerTriangleOnce()
    {
        var problem = DirectProblem.Grid("torus", [6, 5], 2, true, true);
        var ldl = new BatchedLdl(SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension));
        var seen = new HashSet<int>();
        for (int i = 0; i < problem.Rows; i++)
            for (int k = problem.Pattern.RowStart[i]; k < problem.Pattern.RowStart[i + 1]; k++)
            {
                if (problem.Pattern.Columns[k] > i) { Assert.That(ldl.Slot(k), Is.EqualTo(-1)); continue; }
                Assert.That(ldl.Slot(k), Is.InRange(0, ldl.Storage.Length - 1));
                Assert.That(seen.Add(ldl.Slot(k)));
            }
    }

    [Test]
    public void UnsymmetricPatternIsRefused()
    {
        var pattern = new SparsePattern(2, [0, 2, 3], [0, 1, 1]);
        Assert.That(() => SymbolicLdl.Analyze(pattern), Throws.ArgumentException.With.Message.Contains("not symmetric"));
        Assert.That(() => SymbolicLdl.Analyze(new SparsePattern(2, [0, 1, 2], [1, 0])), Throws.ArgumentException.With.Message.Contains("diagonal"));
    }

    [TestCaseSource(nameof(All))]
    public void LuMatchesDense(DirectProblem symmetric)
    {
        var random = new Random(5);
        var problem = symmetric.With((_, _, v) => v * (0.7 + 0.6 * random.NextDouble()), symmetric.Name);
        Check(problem, 0.1);
        Check(problem, 1);
        // A cyclic shift of rows puts the large entries off the diagonal: pivoting must find them.
        if (problem.Rows is 37 or 30) Check(problem.With((i, j, v) => problem.Values[problem.Pattern.Find((i + 1) % problem.Rows, j)], "shifted"), 0.1);

        static void Check(DirectProblem p, double threshold)
        {
            var lu = new SparseLu(p.Pattern, p.NodeOf, p.Coordinates, p.Dimension, threshold);
            for (int round = 0; round < 2; round++)
            {
                var status = lu.Factor(p.Values);
                Assert.That(status.IsOk, status.ToString());
                var b = Vector(p.Rows, 31 + round);
                var x = (double[])b.Clone();
                lu.Solve(x);
                Assert.That(p.BackwardError(x, b), Is.LessThan(1e-12));
                Compare(x, Dense(p).Solve(DenseVector.OfArray(b)).AsArray(), 1e-8);
            }
        }
    }

    [Test]
    public void ZeroDiagonalNeedsPivoting()
    {
        // [0 1; 1 0] is regular: LU solves it, LDLᵀ without pivoting must refuse it.
        var pattern = new SparsePattern(2, [0, 2, 4], [0, 1, 0, 1]);
        double[] values = [0, 1, 1, 0];
        Assert.That(new SparseLdl(SymbolicLdl.Analyze(pattern)).Factor(values, false).Outcome, Is.EqualTo(LdlOutcome.Singular));
        var lu = new SparseLu(pattern);
        Assert.That(lu.Factor(values).IsOk);
        double[] x = [3, 4];
        lu.Solve(x);
        Assert.That(x, Is.EqualTo(new double[] { 4, 3 }));
    }

    [Test]
    public void FactorAndSolveDoNotAllocate()
    {
        var problem = DirectProblem.Grid("torus", [10, 10], 2, true, true);
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var batched = new BatchedLdl(symbolic);
        var single = new SparseLdl(symbolic);
        var lu = new SparseLu(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var x = new Lanes4[problem.Rows * 3];
        var y = new double[problem.Rows * 2];
        var z = new double[problem.Rows];
        var four = Four(problem);
        long before = 0;
        for (int round = 0; round < 3; round++)
        {
            Load(batched, four);
            if (round == 2) before = GC.GetAllocatedBytesForCurrentThread();
            batched.Factor(Lane4.All, true);
            batched.Solve(x, 3);
            single.Factor(problem.Values, true);
            single.Solve(y, 2);
            lu.Factor(problem.Values);
            lu.Solve(z);
            batched.Clear();
        }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void RefactoringGivesTheSameBits()
    {
        var problem = DirectProblem.Grid("3D", [5, 5, 5], 3, false, true);
        var symbolic = SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension);
        var a = new SparseLdl(symbolic);
        var b = new SparseLdl(SymbolicLdl.Analyze(problem.Pattern, problem.NodeOf, problem.Coordinates, problem.Dimension));
        var x = Vector(problem.Rows, 4);
        var y = (double[])x.Clone();
        a.Factor(problem.Values, true);
        a.Factor(problem.Values, true);
        a.Solve(x);
        b.Factor(problem.Values, true);
        b.Solve(y);
        Assert.That(x, Is.EqualTo(y));
    }
}
