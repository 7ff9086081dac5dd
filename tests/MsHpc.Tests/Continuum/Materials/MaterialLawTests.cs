using MsHpc.Continuum.Materials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Continuum.Materials;

/// <summary>What every law must do, run on every law in every space.</summary>
[TestFixtureSource(typeof(MaterialCases), nameof(MaterialCases.All))]
[Category("Unit")]
internal sealed class MaterialLawTests(MaterialCase c)
{
    private const int Blocks = 4, Points = Blocks * Lane4.Width;

    private static void Load(MaterialDriver d, int step, int offset = 0)
    {
        for (int p = 0; p < d.Blocks * Lane4.Width; p++) d.SetStrain(p, MaterialCases.Path(d.Material.Space, p + offset, step));
    }

    private static double Largest(double[] a) => a.Max(Math.Abs);

    /// <summary>Central differences of step 1e-7 (1e-6 for F): truncation 1e-9, rounding 1e-9 of the tangent.</summary>
    [Test]
    public void Tangent_is_the_derivative_of_the_stress()
    {
        var material = c.Create();
        var d = new MaterialDriver(material, Blocks);
        var probe = new MaterialDriver(material, Blocks);
        double h = material.Space.IsFinite() ? 1e-6 : 1e-7;
        int n = d.N;
        for (int step = 0; step < MaterialCases.Steps; step++)
        {
            Load(d, step);
            Assert.That(d.Evaluate(), Is.True, $"step {step}");
            d.Old.CopyTo(probe.Old, 0);
            for (int k = 0; k < n; k++)
            {
                double[][] plus = Probe(k, h), minus = Probe(k, -h);
                for (int p = 0; p < Points; p++)
                {
                    var tangent = d.TangentOf(p);
                    for (int r = 0; r < n; r++)
                        Assert.That(tangent[r * n + k], Is.EqualTo((plus[p][r] - minus[p][r]) / (2 * h)).Within(1e-6 * Largest(tangent)),
                            $"step {step} point {p} entry {r},{k}");
                }
            }
            d.Commit();

            double[][] Probe(int component, double by)
            {
                for (int p = 0; p < Points; p++)
                {
                    var e = MaterialCases.Path(material.Space, p, step);
                    e[component] += by;
                    probe.SetStrain(p, e);
                }
                Assert.That(probe.Evaluate(false), Is.True);
                return [.. Enumerable.Range(0, Points).Select(probe.StressOf)];
            }
        }
    }

    [Test]
    public void Lanes_equal_the_readable_reference()
    {
        if (c.Reference is null) Assert.Ignore("plane stress and logarithmic strains are built on laws that have one and are checked in MaterialPhysicsTests");
        var d = new MaterialDriver(c.Create(), Blocks);
        var twins = Enumerable.Range(0, Points).Select(_ => c.Reference!()).ToArray();
        var places = MaterialCases.Places(c.Space);
        int n = d.N;
        for (int step = 0; step < MaterialCases.Steps; step++)
        {
            d.TimeStep = step % 5 == 4 ? 0 : 0.03 * (1 + step % 3);
            Load(d, step);
            d.Evaluate();
            for (int p = 0; p < Points; p++)
            {
                var tensor = MaterialCases.Tensor(c.Space, MaterialCases.Path(c.Space, p, step));
                var (stress, tangent) = twins[p].Step(tensor, d.TimeStep);
                double[] wide = d.StressOf(p), wideTangent = d.TangentOf(p);
                double stiff = Largest(wideTangent);
                // Stresses are differences of products of size C·ε (C·1 at finite strain), and rounding is relative to those.
                double scale = c.Space.IsFinite() ? stiff : stiff * tensor.Cast<double>().Max(Math.Abs) + ReferenceLaw.Norm(stress);
                for (int r = 0; r < n; r++)
                {
                    var (i, j) = places[r];
                    Assert.That(wide[r], Is.EqualTo(stress[i, j]).Within(1e-13 * scale), $"step {step} point {p} stress {r}");
                    for (int s = 0; s < n; s++)
                    {
                        var (k, l) = places[s];
                        Assert.That(wideTangent[r * n + s], Is.EqualTo(tangent[i, j, k, l]).Within(1e-13 * stiff * (c.Name == "j2_plasticity" ? 20 : 1)),
                            $"step {step} point {p} tangent {r},{s}");
                    }
                }
            }
            d.Commit();
        }
    }

    [Test]
    public void A_lane_does_not_feel_its_neighbours()
    {
        var material = c.Create();
        var together = new MaterialDriver(material, Blocks);
        var alone = new MaterialDriver(material, 1) { Active = [1 << 2] }; // each point by itself in lane 2, the others idle
        for (int p = 0; p < Points; p++)
        {
            together.Material.InitializeState(together.Old.AsSpan(0, Blocks * Lane4.Width * together.Size), Blocks);
            alone.Material.InitializeState(alone.Old.AsSpan(0, Lane4.Width * alone.Size), 1);
            for (int step = 0; step < MaterialCases.Steps; step++)
            {
                Load(together, step);
                alone.SetStrain(2, MaterialCases.Path(material.Space, p, step));
                together.Evaluate();
                Assert.That(alone.Evaluate(), Is.True);
                Assert.That(alone.StressOf(2), Is.EqualTo(together.StressOf(p)));
                Assert.That(alone.TangentOf(2), Is.EqualTo(together.TangentOf(p)));
                Assert.That(alone.Get(alone.New, 2, alone.Size), Is.EqualTo(together.Get(together.New, p, together.Size)));
                together.Commit();
                alone.Commit();
            }
        }
    }

    [Test]
    public void Inputs_stay_and_nothing_is_written_past_the_end_and_stress_alone_has_the_same_bits()
    {
        var d = new MaterialDriver(c.Create(), Blocks);
        for (int step = 0; step < 4; step++)
        {
            Load(d, step);
            double[] strain = [.. d.Strain], old = [.. d.Old];
            d.Evaluate();
            double[] stress = [.. d.Stress], state = [.. d.New];
            d.Evaluate(false);
            Assert.That(d.Stress, Is.EqualTo(stress));
            Assert.That(d.New, Is.EqualTo(state));
            Assert.That(d.Strain, Is.EqualTo(strain));
            Assert.That(d.Old, Is.EqualTo(old));
            d.AssertCanaries();
            Assert.That(d.Failed, Is.All.Zero);
            d.Commit();
        }
    }

    [Test]
    public void Tangent_is_symmetric_and_at_rest_positive_definite_with_zero_stress()
    {
        var d = new MaterialDriver(c.Create(), Blocks);
        Assert.That(d.Material.HasSymmetricTangent, Is.True);
        d.Evaluate();
        Assert.That(Largest(d.StressOf(3)), Is.LessThan(1e-13 * MaterialCases.E));
        for (int k = 0; k < d.N; k++) Assert.That(d.TangentOf(3)[k * (d.N + 1)], Is.Positive);
        for (int step = 0; step < MaterialCases.Steps; step++)
        {
            Load(d, step);
            d.Evaluate();
            for (int p = 0; p < Points; p++)
            {
                var t = d.TangentOf(p);
                for (int i = 0; i < d.N; i++)
                    for (int j = 0; j < i; j++) Assert.That(t[i * d.N + j], Is.EqualTo(t[j * d.N + i]).Within(1e-13 * Largest(t)));
            }
            d.Commit();
        }
    }

    [Test]
    public void Evaluate_allocates_nothing()
    {
        var d = new MaterialDriver(c.Create(), Blocks);
        var outputs = new double[Points * d.Material.OutputNames.Count];
        Load(d, 2);
        for (int k = 0; k < 3; k++) { d.Evaluate(); d.Material.GetOutputs(d.Batch(), outputs); }
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int k = 0; k < 20; k++) { d.Evaluate(); d.Evaluate(false); d.Material.GetOutputs(d.Batch(), outputs); }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(outputs, Is.All.Not.NaN);
    }

    [Test]
    public void Short_arrays_and_overlapping_states_are_refused()
    {
        var material = c.Create();
        int n = material.Space.Components(), size = material.StateSize;
        const int w = Lane4.Width;
        double[] strain = new double[w * n], state = new double[w * size], stress = new double[w * n];
        Assert.That(() => material.Evaluate(new MaterialBatch { Blocks = 2, Strain = strain, OldState = new double[2 * w * size], NewState = new double[2 * w * size], Stress = new double[2 * w * n] }),
            Throws.ArgumentException);
        if (size > 0)
            Assert.That(() => material.Evaluate(new MaterialBatch { Blocks = 1, Strain = strain, OldState = state, NewState = state, Stress = stress }), Throws.ArgumentException);
    }
}
