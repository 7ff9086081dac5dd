using System.Diagnostics;
using System.Globalization;
using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Materials;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Perf;

/// <summary>Our side of perf/peers/dolfinx_elasticity.py: the clamped unit cube, timed stage by stage.</summary>
internal static class ElasticityPeer
{
    public static int Run(string[] args)
    {
        int n = int.Parse(args[0], CultureInfo.InvariantCulture);
        string kind = args.Length > 1 ? args[1] : "embedded";
        if (kind == "petsc") MpiRuntime.Initialize();
        long start = Stopwatch.GetTimestamp();
        double Lap()
        {
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            start = Stopwatch.GetTimestamp();
            return seconds;
        }

        var mesh = StructuredMesh.Box(ElementType.Hex8, n, n, n, 1, 1, 1, "solid");
        var law = MaterialCatalog.Create("elastic", new Dictionary<string, double[]> { ["E"] = [1], ["nu"] = [0.3] }, StrainSpace.SolidSmall, false);
        var model = new FeModel(mesh, StrainSpace.SolidSmall, new Dictionary<string, IMaterial> { ["solid"] = law });
        var conditions = new BoundaryConditions().Fix("left").Traction("right", [0, 0, -0.01], LoadCurve.One);
        var loads = new FeLoads(model, conditions);
        var system = new FeSystem(model, loads.Constrained);
        double prepare = Lap();

        double[] u = new double[model.Unknowns], f = new double[model.Unknowns], external = new double[model.Unknowns];
        model.Assemble(u, 1, 1, f, system);
        double assembly = Lap();

        loads.External(1, u, external);
        var rhs = new double[system.Owned];
        var x = new double[system.Owned];
        system.Gather(external, rhs);
        using ILinearSolver solver = kind == "petsc"
            ? new PetscSolver("", new Dictionary<string, string>
            {
                ["ksp_type"] = "cg", ["pc_type"] = "gamg", ["ksp_rtol"] = "1e-8", ["mg_levels_ksp_type"] = "chebyshev", ["mg_levels_pc_type"] = "jacobi",
            })
            : new EmbeddedSolver(new EmbeddedSolverOptions { Method = EmbeddedMethod.Cg, RelativeTolerance = 1e-8 });
        start = Stopwatch.GetTimestamp();
        solver.Initialize(system.ToLinearSystem(MatrixKind.SymmetricPositiveDefinite));
        solver.SetValues(system.Values);
        // Set-up happens in the first solve: a solve of zero costs nothing else.
        solver.Solve(new double[rhs.Length], new double[rhs.Length]);
        double setup = Lap();
        var report = solver.Solve(rhs, x).Require();
        double solve = Lap();

        double compliance = Vec.Dot(rhs, x);
        double memory = Process.GetCurrentProcess().PeakWorkingSet64 / 1048576.0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{{\"prepare\": {prepare}, \"assembly\": {assembly}, \"setup\": {setup}, \"solve\": {solve}, \"iterations\": {report.Iterations}, \"compliance\": {compliance:R}, \"memory_mb\": {memory}}}"));
        if (kind == "petsc") MpiRuntime.Shutdown();
        return 0;
    }
}
