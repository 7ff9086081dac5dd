using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Materials;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using MsHpc.Tests.Native;
using NUnit.Framework;

namespace MsHpc.Tests.Fe;

/// <summary>One rank against all ranks of the job: run the test program under mpirun with any number of them.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
internal sealed class FeMpiTests
{
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp() => _comm = NativeTest.World();

    private static double[] Run(Comm comm, Mesh mesh, IMaterial law, ILinearSolver linear, double tolerance, out double[] reaction)
    {
        int dim = mesh.Dimension;
        var model = FeKit.Model(mesh, law, comm: comm);
        double[] load = dim == 2 ? [0.02, -0.01] : [0.02, -0.01, 0.015];
        var solver = new QuasistaticSolver(model, new BoundaryConditions().Fix("left").Traction("right", load, LoadCurve.Ramp(1))
            .Gravity(load, LoadCurve.Ramp(1)), linear, new NewtonOptions { RelativeTolerance = tolerance });
        solver.Solve(1, 0.5);
        reaction = solver.Reaction("left");
        return model.GatherNodes(solver.Displacement);
    }

    private double Compare(double[] a, double[] b) => _comm.AllReduceMax(a.Zip(b, (x, y) => Math.Abs(x - y)).Max() / b.Max(Math.Abs));

    [Test]
    public void QuasistaticSolutionIsThatOfOneRank([Values(ElementType.Hex8, ElementType.Tet10, ElementType.Quad8)] ElementType type)
    {
        var mesh = FeKit.Distorted(type, 4);
        using var one = new EmbeddedSolver();
        using var all = new EmbeddedSolver();
        double[] u = Run(Comm.Self, mesh, FeKit.NeoHooke(type.Dimension()), one, 1e-12, out var r);
        double[] v = Run(_comm, mesh, FeKit.NeoHooke(type.Dimension()), all, 1e-12, out var s);
        Assert.That(Compare(v, u), Is.LessThan(1e-12));
        Assert.That(Compare(s, r), Is.LessThan(1e-12));
    }

    [Test]
    public void PetscSolvesWhatFeModelAssembles()
    {
        NativeTest.RequirePetsc();
        var mesh = FeKit.Distorted(ElementType.Hex8, 6);
        using var one = new EmbeddedSolver();
        using var all = new PetscSolver("fe_", new Dictionary<string, string> { ["ksp_type"] = "cg", ["pc_type"] = "gamg", ["ksp_rtol"] = "1e-12" });
        double[] u = Run(Comm.Self, mesh, FeKit.Elastic(3), one, 1e-9, out var r);
        double[] v = Run(_comm, mesh, FeKit.Elastic(3), all, 1e-9, out var s);
        Assert.That(Compare(v, u), Is.LessThan(1e-8)); // Krylov: ‖error‖ ≲ cond · 1e-12
        Assert.That(Compare(s, r), Is.LessThan(1e-8));
    }

    [Test]
    public void ExplicitDynamicsIsThatOfOneRank()
    {
        var mesh = FeKit.Distorted(ElementType.Hex8, 4);
        double[] Shake(Comm comm)
        {
            var model = FeKit.Model(mesh, FeKit.NeoHooke(3), comm: comm);
            var run = new ExplicitDynamics(model, new BoundaryConditions().Fix("left").Displace("right", 0, LoadCurve.Ramp(0.05)));
            run.Run(1);
            return [.. model.GatherNodes(run.Displacement), run.Energy.Total, run.StableStep, .. run.Reaction("right")];
        }
        Assert.That(Compare(Shake(_comm), Shake(Comm.Self)), Is.LessThan(1e-12));
    }

    [Test]
    public void ImplicitDynamicsIsThatOfOneRank()
    {
        var mesh = FeKit.Distorted(ElementType.Quad4, 6);
        double[] Shake(Comm comm)
        {
            var model = FeKit.Model(mesh, FeKit.NeoHooke(2), comm: comm);
            using var linear = new EmbeddedSolver();
            var run = new ImplicitDynamics(model, new BoundaryConditions().Fix("left").Traction("right", [0.01, 0.02], LoadCurve.Ramp(1)), linear,
                new ImplicitOptions { Alpha = -0.1, MassDamping = 0.1, StiffnessDamping = 0.05, Newton = new NewtonOptions { RelativeTolerance = 1e-12 } });
            for (int k = 0; k < 20; k++) run.Step(0.1);
            return [.. model.GatherNodes(run.Displacement), run.Energy.Total, .. run.Reaction("left")];
        }
        Assert.That(Compare(Shake(_comm), Shake(Comm.Self)), Is.LessThan(1e-11));
    }
}
