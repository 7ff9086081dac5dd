using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Fe;

[TestFixture, Category("Verification")]
internal sealed class FeModelTests
{
    private static IEnumerable<TestCaseData> PatchCases()
    {
        foreach (var type in FeKit.All)
            foreach (bool finite in new[] { false, true })
            {
                yield return new TestCaseData(type, finite, Integration.Full);
                if (type is ElementType.Quad8 or ElementType.Hex20) yield return new TestCaseData(type, finite, Integration.Reduced);
                if (!finite && type is ElementType.Quad4 or ElementType.Hex8 && !finite) yield return new TestCaseData(type, finite, Integration.BBar);
            }
    }

    [TestCaseSource(nameof(PatchCases))]
    public void PatchTest(ElementType type, bool finite, Integration integration)
    {
        int dim = type.Dimension();
        var mesh = FeKit.Distorted(type, 3);
        var law = FeKit.Law(dim, finite);
        var model = FeKit.Model(mesh, law, integration);
        double[] gradient = FeKit.Gradient(dim, finite ? 0.3 : 0.01);
        using var linear = new GatheredSolver();
        var solver = new QuasistaticSolver(model, FeKit.OnAllSides(mesh, FeKit.Linear(gradient), LoadCurve.Ramp(1)), linear,
            new NewtonOptions { RelativeTolerance = 1e-13 });
        solver.Solve(1);

        var exact = new double[dim];
        double worst = 0, scale = 0;
        for (int node = 0; node < mesh.NodeCount; node++)
        {
            FeKit.Linear(gradient)(mesh.Coordinates.AsSpan(node * dim, dim), exact);
            for (int i = 0; i < dim; i++)
            {
                worst = Math.Max(worst, Math.Abs(solver.Displacement[node * dim + i] - exact[i]));
                scale = Math.Max(scale, Math.Abs(exact[i]));
            }
        }
        Assert.That(worst / scale, Is.LessThan(1e-12), "displacement");

        // Stress is the same everywhere; reactions of all sides cancel.
        var stress = model.Fields(solver.Displacement).First(f => f.Name == "stress");
        double largest = stress.Values.Max(Math.Abs);
        for (int c = 0; c < mesh.CellCount; c++)
            for (int i = 0; i < stress.Components; i++)
                Assert.That(stress.Values[c * stress.Components + i], Is.EqualTo(stress.Values[i]).Within(1e-11 * largest));
        if (!finite)
        {
            double l = 0.3 / (1.3 * 0.4), m = 1 / 2.6, trace = 0;
            for (int i = 0; i < dim; i++) trace += gradient[i * dim + i];
            Assert.That(stress.Values[0], Is.EqualTo(l * trace + 2 * m * gradient[0]).Within(1e-12 * largest));
            Assert.That(stress.Values[^1], Is.EqualTo(m * (gradient[1] + gradient[dim])).Within(1e-11 * largest));
        }
    }

    [TestCaseSource(nameof(PatchCases))]
    public void StiffnessIsTheDerivativeOfTheForce(ElementType type, bool finite, Integration integration)
    {
        var model = FeKit.Model(FeKit.Distorted(type, 2), FeKit.Law(type.Dimension(), finite), integration);
        var u = FeKit.Wave(model, 0.01);
        var system = new FeSystem(model, new bool[model.Unknowns]);
        double[] f = new double[u.Length], g = new double[u.Length], kd = new double[u.Length];
        double[] d = [.. u.Select((_, k) => Math.Cos(0.9 * k + 0.2))];
        Assert.That(model.Assemble(u, 0, 0, f, system, d, g));
        system.Multiply(system.Values, d, 1, kd);
        for (int k = 0; k < u.Length; k++) Assert.That(g[k], Is.EqualTo(kd[k]).Within(1e-12), "coupling is the product with the matrix");
        const double h = 1e-6;
        double[] plus = new double[u.Length], minus = new double[u.Length];
        model.Assemble([.. u.Select((v, k) => v + h * d[k])], 0, 0, plus);
        model.Assemble([.. u.Select((v, k) => v - h * d[k])], 0, 0, minus);
        double norm = Math.Sqrt(kd.Sum(v => v * v)), error = 0;
        for (int k = 0; k < u.Length; k++) error += Math.Pow((plus[k] - minus[k]) / (2 * h) - kd[k], 2);
        Assert.That(Math.Sqrt(error) / norm, Is.LessThan(1e-7));
        // Constrained components leave the same numbers for the others.
        bool[] constrained = [.. u.Select((_, k) => k % 3 == 1)];
        var part = new FeSystem(model, constrained);
        model.Assemble(u, 0, 0, f, part);
        for (int r = 0; r < u.Length; r++)
            for (int k = system.Pattern.RowStart[r]; k < system.Pattern.RowStart[r + 1]; k++)
                if (part.Equation[r] is int row and >= 0 && part.Equation[system.Pattern.Columns[k]] is int column and >= 0)
                    Assert.That(part.Values[part.Pattern.Find(row, column)], Is.EqualTo(system.Values[k]));
    }

    [Test]
    public void PlasticTangentIsConsistent([ValueSource(typeof(FeKit), nameof(FeKit.All))] ElementType type)
    {
        var law = FeKit.J2(type.Dimension(), 0.002, 0.1);
        var model = FeKit.Model(FeKit.Distorted(type, 2), law);
        var u = FeKit.Wave(model, 0.01);
        var system = new FeSystem(model, new bool[model.Unknowns]);
        double[] f = new double[u.Length], kd = new double[u.Length], plus = new double[u.Length], minus = new double[u.Length];
        double[] d = [.. u.Select((_, k) => Math.Cos(0.9 * k + 0.2))];
        model.Assemble(u, 0, 0, f, system);
        system.Multiply(system.Values, d, 1, kd);
        const double h = 1e-7;
        model.Assemble([.. u.Select((v, k) => v + h * d[k])], 0, 0, plus);
        model.Assemble([.. u.Select((v, k) => v - h * d[k])], 0, 0, minus);
        double norm = Math.Sqrt(kd.Sum(v => v * v)), error = 0;
        for (int k = 0; k < u.Length; k++) error += Math.Pow((plus[k] - minus[k]) / (2 * h) - kd[k], 2);
        Assert.That(Math.Sqrt(error) / norm, Is.LessThan(1e-6));
    }

    [Test]
    public void RigidRotationsCauseNoForces([ValueSource(typeof(FeKit), nameof(FeKit.All))] ElementType type)
    {
        int dim = type.Dimension();
        var mesh = FeKit.Distorted(type, 2);
        var model = FeKit.Model(mesh, FeKit.NeoHooke(dim));
        double c = Math.Cos(1.1), s = Math.Sin(1.1);
        double[] r = dim == 2 ? [c, -s, s, c] : [c, -s, 0, s * 0.6, c * 0.6, -0.8, s * 0.8, c * 0.8, 0.6];
        double[] u = new double[model.Unknowns], f = new double[u.Length], turned = new double[u.Length], g = new double[u.Length];
        Rotate(new double[u.Length], u);
        Assert.That(model.Assemble(u, 0, 0, f));
        Assert.That(f.Max(Math.Abs), Is.LessThan(1e-13));

        // Deform, then rotate: forces turn with the body.
        var w = FeKit.Wave(model, 0.02);
        model.Assemble(w, 0, 0, f);
        Rotate(w, turned);
        model.Assemble(turned, 0, 0, g);
        for (int n = 0; n < mesh.NodeCount; n++)
            for (int i = 0; i < dim; i++)
            {
                double expected = 0;
                for (int j = 0; j < dim; j++) expected += r[i * dim + j] * f[n * dim + j];
                Assert.That(g[n * dim + i], Is.EqualTo(expected).Within(1e-13));
            }

        void Rotate(double[] from, double[] to)
        {
            for (int n = 0; n < mesh.NodeCount; n++)
                for (int i = 0; i < dim; i++)
                {
                    to[n * dim + i] = -mesh.Coordinates[n * dim + i];
                    for (int j = 0; j < dim; j++) to[n * dim + i] += r[i * dim + j] * (mesh.Coordinates[n * dim + j] + from[n * dim + j]);
                }
        }
    }

    [Test]
    public void ThreadsDoNotChangeABitAndNothingIsAllocated([Values(ElementType.Hex8, ElementType.Tet10, ElementType.Quad8)] ElementType type)
    {
        var mesh = FeKit.Distorted(type, type.Dimension() == 2 ? 24 : 7);
        var law = FeKit.Law(type.Dimension(), true);
        using var three = new ThreadTeam(3);
        var results = new List<(double[] F, double[] K)>();
        foreach (var team in new[] { ThreadTeam.Single, three })
        {
            var model = FeKit.Model(mesh, law, team: team);
            var system = new FeSystem(model, [.. Enumerable.Range(0, model.Unknowns).Select(k => k % 7 == 0)]);
            double[] u = FeKit.Wave(model, 0.001), f = new double[u.Length];
            Assert.That(model.Assemble(u, 0, 0, f, system));
            long before = GC.GetAllocatedBytesForCurrentThread();
            model.Assemble(u, 0, 0, f, system);
            model.Assemble(u, 0, 0, f);
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
            results.Add((f, (double[])system.Values.Clone()));
        }
        Assert.That(results[1].F.AsSpan().SequenceEqual(results[0].F));
        Assert.That(results[1].K.AsSpan().SequenceEqual(results[0].K));
    }

    [Test]
    public void RanksDoNotChangeTheAnswer([Values(2, 3, 5)] int ranks, [Values(ElementType.Hex8, ElementType.Tri6)] ElementType type)
    {
        var mesh = FeKit.Distorted(type, 4);
        double[] serial = [], reaction = [];
        double[][] fields = [];
        RunOn(Comm.Self, true);
        ThreadComm.Run(ranks, comm => RunOn(comm, false));

        void RunOn(Comm comm, bool reference)
        {
            int dim = type.Dimension();
            var model = FeKit.Model(mesh, FeKit.NeoHooke(dim), comm: comm);
            using var linear = new GatheredSolver();
            var load = new double[dim];
            load[0] = 0.05;
            load[1] = -0.02;
            var conditions = new BoundaryConditions().Fix("left").Traction("right", load, LoadCurve.Ramp(1)).Gravity(load, LoadCurve.Ramp(1))
                .Pressure("top", LoadCurve.Ramp(0.02), follower: true);
            var solver = new QuasistaticSolver(model, conditions, linear, new NewtonOptions { RelativeTolerance = 1e-12 });
            solver.Solve(1, 0.5);
            double[] u = model.GatherNodes(solver.Displacement), r = solver.Reaction("left");
            double[][] f = [.. model.Fields(solver.Displacement).Select(x => x.Values)];
            if (reference) { (serial, reaction, fields) = (u, r, f); return; }
            double size = serial.Max(Math.Abs);
            double error = u.Zip(serial, (a, b) => Math.Abs(a - b)).Max() / size;
            Assert.That(error, Is.LessThan(1e-12));
            for (int i = 0; i < dim; i++) Assert.That(r[i], Is.EqualTo(reaction[i]).Within(1e-12));
            for (int k = 0; k < f.Length; k++)
                Assert.That(f[k].Zip(fields[k], (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-11));
        }
    }

    [Test]
    public void CollectiveLawsGetOneCallPerAssembly()
    {
        var mesh = FeKit.Grid(ElementType.Quad4, 2); // four elements on six ranks: some have none
        var expected = FeKit.Elastic(2);
        ThreadComm.Run(6, comm =>
        {
            var law = new CollectiveLaw(expected);
            var model = FeKit.Model(mesh, law, comm: comm);
            var plain = FeKit.Model(mesh, expected, comm: comm);
            double[] u = FeKit.Wave(model, 0.01), f = new double[u.Length], g = new double[u.Length];
            Assert.That(model.Assemble(u, 0, 0, f, new FeSystem(model, new bool[u.Length])));
            Assert.That(law.Calls, Is.EqualTo(1));
            Assert.That(law.Blocks, Is.EqualTo(Lane4.Blocks(model.Elements) * 4));
            plain.Assemble(u, 0, 0, g);
            Assert.That(f.AsSpan().SequenceEqual(g));
        });
    }

    [Test]
    public void FaultsAreAllReported()
    {
        var mesh = FeKit.Grid(ElementType.Quad4, 2);
        var wrong = Assert.Throws<InputException>(() => _ = new FeModel(mesh, StrainSpace.PlaneSmall,
            new Dictionary<string, IMaterial> { ["steel"] = FeKit.Elastic(2) }, new FeOptions { Integration = Integration.Reduced }))!;
        Assert.That(wrong.Faults, Has.Count.EqualTo(3), wrong.Message);
        Assert.That(wrong.Message, Does.Contain("hourglass").And.Contain("'steel'"));

        var bad = mesh with { Coordinates = (double[])mesh.Coordinates.Clone() };
        bad.Coordinates[2 * 4] = 2.5; // the middle node leaves the square
        wrong = Assert.Throws<InputException>(() => FeKit.Model(bad, FeKit.Elastic(2)))!;
        Assert.That(wrong.Message, Does.Contain("element 1 ").And.Contain("inverted"));

        var model = FeKit.Model(mesh, FeKit.Elastic(2));
        wrong = Assert.Throws<InputException>(() => new BoundaryConditions().Fix("lft").Displace("right", 2, LoadCurve.Zero)
            .Fix("left").Displace("left", 0, LoadCurve.One).Traction("nowhere", [1, 0], LoadCurve.One).BodyForce("r", [1, 0], LoadCurve.One).Compile(model))!;
        Assert.That(wrong.Faults, Has.Count.EqualTo(5), wrong.Message);
        Assert.That(wrong.Message, Does.Contain("bottom"));
        Assert.Throws<InputException>(() => LoadCurve.Table([0, 0], [1, 2]));
        Assert.That(LoadCurve.Ramp(2, 4).At(1), Is.EqualTo(0.5));
        Assert.That(LoadCurve.Ramp(2, 4), Is.EqualTo(LoadCurve.Table([0, 4], [0, 2])));
        Assert.That(LoadCurve.Table([0, 1, 3], [0, 1, 0]).NextKnot(1), Is.EqualTo(3));
    }

    [Test]
    public void StateIsCommittedRolledBackAndListed()
    {
        var model = FeKit.Model(FeKit.Grid(ElementType.Quad4, 3), FeKit.J2(2, 0.001, 0.1));
        double[] u = FeKit.Wave(model, 0.01), f = new double[u.Length], g = new double[u.Length], zero = new double[u.Length];
        var fresh = model.StateFields.ToDictionary(s => s.Name, s => s.Data.ToArray());
        Assert.That(fresh.Keys, Is.EqualTo(new[] { "state//Quad4", "strain//Quad4", "stress//Quad4" }));
        model.Assemble(u, 1, 1, f);
        model.Rollback();
        Assert.That(model.StateFields.First().Data.ToArray(), Is.EqualTo(fresh["state//Quad4"]));
        model.Assemble(u, 1, 1, f);
        model.Commit();
        model.Assemble(zero, 2, 1, g);
        Assert.That(g.Max(Math.Abs), Is.GreaterThan(1e-4), "plastic strain leaves stress behind");
        foreach (var (name, data) in model.StateFields) fresh[name].CopyTo(data);
        model.Rollback();
        model.Assemble(zero, 1, 1, g);
        Assert.That(g.Max(Math.Abs), Is.LessThan(1e-15), "back in the virgin state");
    }

    private sealed class CollectiveLaw(IMaterial law) : IMaterial
    {
        public int Calls, Blocks;
        public string Description => law.Description;
        public StrainSpace Space => law.Space;
        public int StateSize => law.StateSize;
        public double Density => law.Density;
        public bool HasSymmetricTangent => true;
        public bool IsCollective => true;
        public void InitializeState(Span<double> state, int blocks) => law.InitializeState(state, blocks);

        public bool Evaluate(in MaterialBatch batch)
        {
            Calls++;
            Blocks = batch.Blocks;
            return law.Evaluate(batch);
        }
    }
}
