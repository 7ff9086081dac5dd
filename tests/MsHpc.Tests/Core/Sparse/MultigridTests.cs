using System.Diagnostics;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Core.Sparse;

[TestFixture]
internal sealed class MultigridTests
{
    private static (SolveReport Report, double[] X, double Seconds) Solve(KrylovProblems.Problem p, double tolerance = 1e-8, SmoothedAggregationOptions? options = null)
    {
        long begin = Stopwatch.GetTimestamp();
        var a = p.Blocks();
        double s0 = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var m = new SmoothedAggregation(a, NearNullspace.Of(p.System, a.Numbering), options);
        double s1 = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var x = new double[p.Rows];
        var report = new ConjugateGradient(p.Rows).Solve(a, m, p.Rhs, x, new KrylovOptions(tolerance, 500));
        double s2 = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        TestContext.Out.WriteLine($"{p.Rows} unknowns: {report.Iterations} iterations; blocks {s0:f2} s, set-up {s1 - s0:f2} s, solve {s2 - s1:f2} s; "
            + $"{m.Description}; λmax {m.LargestEigenvalue:f3}; compliance {KrylovProblems.Dot(p.Rhs, x):r}");
        return (report, x, s2);
    }

    [Test, Explicit]
    public void Tune([Values(40)] int n, [Values(2, 3)] int degree, [Values(6.0, 10.0, 20.0)] double range, [Values(0.01)] double theta)
    {
        var p = KrylovProblems.Cube(n);
        for (int k = 0; k < 2; k++) Solve(p, 1e-8, new SmoothedAggregationOptions(theta, degree, range));
    }
}
