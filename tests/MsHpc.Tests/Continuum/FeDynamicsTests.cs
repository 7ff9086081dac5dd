using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Elements;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Fe;

[TestFixture, Category("Verification")]
internal sealed class FeDynamicsTests
{
    private const double Length = 10;

    private static readonly double WaveSpeed = Math.Sqrt(0.3 / (1.3 * 0.4) + 2 / 2.6); // √((λ + 2μ)/ρ) with E = 1, ν = 0.3, ρ = 1

    /// <summary>A bar without lateral motion, fixed on the left: ω₁ = π c/2L exactly.</summary>
    private static (FeModel, BoundaryConditions) Bar(ElementType type, int n, Integration integration = Integration.Full)
    {
        var mesh = type.Dimension() == 2 ? StructuredMesh.Rectangle(type, n, 1, Length, Length / n)
            : StructuredMesh.Box(type, n, 1, 1, Length, Length / n, Length / n);
        var conditions = new BoundaryConditions().Fix("left", 0);
        foreach (string side in FeKit.SidesOf(mesh)) conditions.Fix(side, type.Dimension() == 2 ? [1] : [1, 2]);
        return (FeKit.Model(mesh, FeKit.Elastic(type.Dimension()), integration), conditions);
    }

    private static void FirstMode(FeModel model, double[] field, double amplitude)
    {
        for (int n = 0; n < model.Nodes; n++)
            field[n * model.Dimension] = amplitude * Math.Sin(Math.PI * model.Coordinates[n * model.Dimension] / (2 * Length));
    }

    [Test]
    public void MassesAddUp([ValueSource(typeof(FeKit), nameof(FeKit.All))] ElementType type)
    {
        var model = FeKit.Model(FeKit.Distorted(type, 3), FeKit.Elastic(type.Dimension(), density: 3));
        Assert.That(model.ConsistentMass().Sum(), Is.EqualTo(3).Within(1e-12));
        var lumped = model.LumpedMass();
        Assert.That(lumped.Sum(), Is.EqualTo(3 * type.Dimension()).Within(1e-12));
        Assert.That(lumped.Min(), Is.Positive);
    }

    [Test]
    public void NewmarkKeepsEnergyAndFrequency([Values(ElementType.Quad4, ElementType.Quad8, ElementType.Hex8, ElementType.Tri6)] ElementType type)
    {
        var (model, conditions) = Bar(type, 20);
        using var linear = new GatheredSolver();
        var run = new ImplicitDynamics(model, conditions, linear, new ImplicitOptions { Newton = new NewtonOptions { RelativeTolerance = 1e-12 } });
        double omega = Math.PI * WaveSpeed / (2 * Length), period = 2 * Math.PI / omega, dt = period / 200;
        FirstMode(model, run.Velocity, 0.01);
        double start = run.Energy.Kinetic, worst = 0, last = 0, crossing = 0;
        int tip = (Enumerable.Range(0, model.Nodes).First(n => model.Coordinates[n * model.Dimension] == Length)) * model.Dimension;
        for (int k = 0; k < 220; k++)
        {
            run.Step(dt);
            worst = Math.Max(worst, Math.Abs(run.Energy.Total / start - 1));
            // Second zero of sin ωt: one period.
            double now = run.Displacement[tip];
            if (k > 150 && last < 0 && now >= 0) crossing = run.Time - dt * now / (now - last);
            last = now;
        }
        Assert.That(worst, Is.LessThan(1e-9), "linear Newmark keeps kinetic + strain energy");
        // Period error (ωΔt)²/12 = 8e-5, mesh error (ωh/c)²/24 = 2.6e-4 for linear elements.
        Assert.That(crossing / period, Is.EqualTo(1).Within(6e-4));
    }

    [Test]
    public void HhtDampsHighModesAndKeepsLowOnes()
    {
        double[] Run(double alpha, bool high)
        {
            var (model, conditions) = Bar(ElementType.Quad4, 20);
            using var linear = new GatheredSolver();
            var run = new ImplicitDynamics(model, conditions, linear, new ImplicitOptions { Alpha = alpha });
            if (high) for (int n = 0; n < model.Nodes; n++) run.Velocity[2 * n] = 0.01 * Math.Cos(Math.PI * Math.Round(model.Coordinates[2 * n] / (Length / 20)));
            else FirstMode(model, run.Velocity, 0.01);
            foreach (int n in model.Mesh.BoundaryNodes("left")) run.Velocity[2 * n] = 0;
            double start = run.Energy.Kinetic, dt = 2 * Math.PI / (Math.PI * WaveSpeed / (2 * Length)) / 60;
            for (int k = 0; k < 60; k++) run.Step(dt);
            return [(run.Energy.Kinetic + run.Energy.Internal) / start];
        }
        Assert.That(Run(0, true)[0], Is.EqualTo(1).Within(1e-6));
        Assert.That(Run(-0.3, true)[0], Is.LessThan(0.05));
        Assert.That(Run(-0.3, false)[0], Is.GreaterThan(0.98));
        Assert.Throws<InputException>(() => Run(-0.5, false));
    }

    [Test]
    public void RayleighDampingTakesTheEnergyItShould()
    {
        // Mode 1 decays with ζ = (α/ω + βω)/2: amplitude e^(−ζωT) after a period.
        var (model, conditions) = Bar(ElementType.Quad8, 10);
        double omega = Math.PI * WaveSpeed / (2 * Length), period = 2 * Math.PI / omega;
        using var linear = new GatheredSolver();
        var run = new ImplicitDynamics(model, conditions, linear, new ImplicitOptions { MassDamping = 0.04 * omega, StiffnessDamping = 0.02 / omega,
            Newton = new NewtonOptions { RelativeTolerance = 1e-11 } });
        FirstMode(model, run.Velocity, 0.01);
        double start = run.Energy.Kinetic;
        for (int k = 0; k < 400; k++) run.Step(period / 400);
        var e = run.Energy;
        Assert.That((e.Kinetic + e.Internal) / start, Is.EqualTo(Math.Exp(-2 * 0.03 * 2 * Math.PI)).Within(0.002));
        Assert.That(e.Total / start, Is.EqualTo(1).Within(1e-9));
    }

    [Test]
    public void PrescribedMotionAndReactionsInDynamics()
    {
        // A finite-strain block is pulled; the work at the supports is the energy it gains.
        var mesh = FeKit.Grid(ElementType.Hex8, 2);
        using var linear = new GatheredSolver();
        var run = new ImplicitDynamics(FeKit.Model(mesh, FeKit.NeoHooke(3)), new BoundaryConditions().Fix("left").Displace("right", 0, LoadCurve.Ramp(0.2, 10)), linear);
        for (int k = 0; k < 100; k++) run.Step(0.1);
        var e = run.Energy;
        Assert.That(e.Total, Is.EqualTo(0).Within(0.02 * e.External));
        double[] a = run.Reaction("left"), b = run.Reaction("right");
        Assert.That(b[0], Is.EqualTo(0.2).Within(0.1), "static value E ε with waves on top");
        Assert.That(a[0], Is.Negative);
    }

    [Test]
    public void ExplicitLimitIsSafeAndSharp([Values(ElementType.Quad4, ElementType.Quad8, ElementType.Hex8, ElementType.Tri3)] ElementType type)
    {
        var (model, conditions) = Bar(type, 12);
        double estimate = model.StableStep(new double[model.Unknowns]);
        // Exact limit of the constrained system by power iteration on M⁻¹K.
        var loads = conditions.Compile(model);
        var system = new FeSystem(model, loads.Constrained);
        double[] f = new double[model.Unknowns], mass = model.LumpedMass(), x = new double[system.Unknowns], y = new double[system.Unknowns], m = new double[system.Unknowns];
        model.Assemble(new double[model.Unknowns], 0, 0, f, system);
        system.Gather(mass, m);
        for (int k = 0; k < x.Length; k++) x[k] = Math.Sin(1 + 37.0 * k * k);
        double lambda = 0;
        for (int k = 0; k < 3000; k++)
        {
            Array.Clear(y);
            system.Multiply(system.Values, x, 1, y);
            double norm = 0;
            for (int i = 0; i < y.Length; i++) { y[i] /= m[i]; norm += y[i] * y[i]; }
            norm = Math.Sqrt(norm);
            lambda = norm;
            for (int i = 0; i < y.Length; i++) x[i] = y[i] / norm;
        }
        double exact = 2 / Math.Sqrt(lambda);
        TestContext.Out.WriteLine($"{type}: estimate {estimate:G5}, exact {exact:G5}, ratio {estimate / exact:F3}");
        Assert.That(estimate, Is.LessThanOrEqualTo(exact));
        if (type != ElementType.Tri3) Assert.That(estimate, Is.GreaterThan(0.7 * exact));

        Assert.That(Shake(0.99 * estimate), Is.LessThan(1e-9));
        Assert.That(Shake(0.99 * exact), Is.LessThan(1e-9));
        Assert.Throws<NumericalException>(() => Shake(1.02 * exact));

        double Shake(double dt)
        {
            var (fresh, same) = Bar(type, 12);
            var run = new ExplicitDynamics(fresh, same);
            for (int k = 0; k < run.Velocity.Length; k++) run.Velocity[k] = 0.01 * Math.Sin(1 + 3.7 * k);
            run.Step(dt);
            double start = run.Energy.Total, drift = 0;
            for (int k = 0; k < 2000; k++)
            {
                run.Step(dt);
                drift = Math.Max(drift, Math.Abs(run.Energy.Total / start - 1));
            }
            return drift;
        }
    }

    [Test]
    public void ExplicitFollowsTheModeAndAgreesWithNewmark()
    {
        var (model, conditions) = Bar(ElementType.Quad4, 40);
        var run = new ExplicitDynamics(model, conditions, new ExplicitOptions { Safety = 0.3 });
        double omega = Math.PI * WaveSpeed / (2 * Length), end = 2 * Math.PI / omega * 0.7;
        FirstMode(model, run.Velocity, 0.01);
        run.Run(end);
        int tip = model.Mesh.BoundaryNodes("right")[0];
        Assert.That(run.Displacement[2 * tip], Is.EqualTo(0.01 / omega * Math.Sin(omega * end)).Within(0.002 * 0.01 / omega));
        Assert.That(run.Reaction("left")[0], Is.Not.Zero);
    }

    [Test]
    public void ExplicitPrescribedMotionBalancesEnergy()
    {
        var mesh = FeKit.Grid(ElementType.Hex8, 3);
        var run = new ExplicitDynamics(FeKit.Model(mesh, FeKit.NeoHooke(3)),
            new BoundaryConditions().Fix("left").Displace("right", 0, LoadCurve.Ramp(0.1, 5)), new ExplicitOptions { MassDamping = 0.1 });
        double worst = 0, dt = 0.5 * run.StableStep;
        run.Step(dt);
        double start = run.Energy.Total; // kinetic energy of the driven face, which starts at its speed
        for (int k = 0; k < 200; k++)
        {
            run.Step(dt);
            worst = Math.Max(worst, Math.Abs(run.Energy.Total - start));
        }
        Assert.That(run.Energy.External, Is.GreaterThan(1e-4));
        Assert.That(worst, Is.LessThan(1e-12));
    }
}
