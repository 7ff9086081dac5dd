using System.Runtime.Intrinsics;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using NUnit.Framework;
using static MsHpc.Tests.Continuum.Materials.MaterialCases;

namespace MsHpc.Tests.Continuum.Materials;

/// <summary>Closed forms, invariances and numbers from the literature.</summary>
[Category("Verification")]
internal sealed class MaterialPhysicsTests
{
    private static Dictionary<string, double[]> Elastic => P(("E", E), ("nu", Nu));

    private static double Lambda => E * Nu / ((1 + Nu) * (1 - 2 * Nu));

    private static double Mu => E / (2 * (1 + Nu));

    /// <summary>Uniaxial stress along xx in all lanes of one block: returns σ_xx, and dσ_xx/dε_xx by condensation.</summary>
    private static (double Stress, double Modulus) Uniaxial(MaterialDriver d, double axial)
    {
        int n = d.N;
        var given = new bool[n];
        for (int k = 1; k < n; k++) given[k] = true;
        var values = new double[n * Lane4.Width];
        Array.Fill(values, axial, 0, Lane4.Width);
        bool ok = MixedControl.Solve(d.Material, given, values, d.Strain.AsSpan(0, n * Lane4.Width), d.Old.AsSpan(0, d.Size * Lane4.Width), d.New.AsSpan(0, d.Size * Lane4.Width),
            d.Stress.AsSpan(0, n * Lane4.Width), d.Tangent.AsSpan(0, n * n * Lane4.Width), 0, d.TimeStep, out byte failed);
        Assert.That(ok, Is.True);
        Assert.That(failed, Is.Zero);
        var condensed = new double[Lane4.Width];
        MixedControl.Condense(n, [0], [.. Enumerable.Range(1, n - 1)], d.Tangent.AsSpan(0, n * n * Lane4.Width), condensed);
        return (d.StressOf(3)[0], condensed[3]);
    }

    private static MaterialDriver Solid(string name, Dictionary<string, double[]> p) => new(MaterialCatalog.Create(name, p, StrainSpace.SolidSmall));

    [Test]
    public void Uniaxial_stress_gives_Youngs_modulus_and_Poissons_ratio()
    {
        var d = Solid("elastic", Elastic);
        var (stress, modulus) = Uniaxial(d, 1e-3);
        Assert.That(stress, Is.EqualTo(E * 1e-3).Within(1e-12));
        Assert.That(modulus, Is.EqualTo(E).Within(1e-11));
        Assert.That(d.Strain[Lane4.Width], Is.EqualTo(-Nu * 1e-3).Within(1e-16));
    }

    /// <summary>Silicon: E[100] = 130, E[110] = 169, E[111] = 188 GPa from C = 165.7, 63.9, 79.6 GPa; Hopcroft, Nix, Kenny, J. Microelectromech.
    /// Syst. 19, 229 (2010), rounded there to 1 GPa.</summary>
    [TestCase(new double[] { 1, 0, 0 }, 130)]
    [TestCase(new double[] { 1, 1, 0 }, 169)]
    [TestCase(new double[] { 1, 1, 1 }, 188)]
    public void Silicon_has_its_orientation_dependent_modulus(double[] axis, double expected)
    {
        double length = Math.Sqrt(axis.Sum(x => x * x));
        double[] a = [.. axis.Select(x => x / length)];
        double[] b = Math.Abs(a[2]) < 0.1 ? [0, 0, 1] : [1 / Math.Sqrt(2), -1 / Math.Sqrt(2), 0]; // orthogonal to a in all three cases
        double[] t = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
        // rows: the axes x, y, z of the job in the crystal, so columns are the crystal axes in the job
        var d = Solid("cubic", P(("C11", 165.7), ("C12", 63.9), ("C44", 79.6)).With("orientation", [.. a, .. b, .. t]));
        var (_, modulus) = Uniaxial(d, 1e-3);
        Assert.That(modulus, Is.EqualTo(expected).Within(0.6));
    }

    /// <summary>σ = σ0 + H_t εᵖ with total hardening H + H_k in monotonic tension; E_t = E (H + H_k)/(E + H + H_k).</summary>
    [TestCase(3, 0)]
    [TestCase(0, 8)]
    [TestCase(3, 8)]
    [TestCase(0, 0)]
    public void J2_tension_follows_the_closed_form(double h, double hk)
    {
        var d = Solid("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", h).With("H_kinematic", hk));
        foreach (double strain in new[] { 0.001, 0.004, 0.02 })
        {
            double total = h + hk, tangent = E * total / (E + total), yield = 0.4 / E;
            var (stress, modulus) = Uniaxial(d, strain);
            Assert.That(stress, Is.EqualTo(strain < yield ? E * strain : 0.4 + tangent * (strain - yield)).Within(1e-11));
            Assert.That(modulus, Is.EqualTo(strain < yield ? E : tangent).Within(1e-9 * E));
            d.Commit();
        }
        Assert.That(d.Outputs(3)["equivalent_plastic_strain"][0], Is.EqualTo(0.02 - d.StressOf(3)[0] / E).Within(1e-14));
        Assert.That(d.Outputs(3)["von_mises"][0], Is.EqualTo(d.StressOf(3)[0]).Within(1e-12));
        Assert.That(d.Outputs(3)["hydrostatic_stress"][0], Is.EqualTo(d.StressOf(3)[0] / 3).Within(1e-12));
    }

    /// <summary>Prager: reverse yield after the stress has dropped by 2σ0 (Bauschinger), and a closed loop of constant width.</summary>
    [Test]
    public void J2_kinematic_cycle_follows_the_closed_form()
    {
        double hk = 8, tangent = E * hk / (E + hk), yield = 0.4 / E;
        var d = Solid("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H_kinematic", hk));
        double Expected(double from, double at, double strain) // on the branch that starts elastically at (from, at)
        {
            double change = strain - from, sign = Math.Sign(change);
            return Math.Abs(change) <= 2 * yield ? at + E * change : at + sign * (0.8 + tangent * (Math.Abs(change) - 2 * yield));
        }
        double top = 0.4 + tangent * (0.01 - yield);
        Assert.That(Uniaxial(d, 0.01).Stress, Is.EqualTo(top).Within(1e-11));
        d.Commit();
        double start = 0.01, at = top;
        for (int reversal = 0; reversal < 4; reversal++)
        {
            double end = -start;
            foreach (double part in new[] { 0.1, 0.5, 1 })
            {
                double strain = start + part * (end - start);
                Assert.That(Uniaxial(d, strain).Stress, Is.EqualTo(Expected(start, at, strain)).Within(1e-11), $"reversal {reversal} at {strain}");
                d.Commit();
            }
            at = Expected(start, at, end);
            start = end;
        }
        Assert.That(at, Is.EqualTo(top).Within(1e-11), "the loop closes");
    }

    /// <summary>σ = σ0 + Hα + Q(1 − e^(−δα)) with α = ε − σ/E, solved here by bisection.</summary>
    [Test]
    public void J2_tension_with_saturation_follows_the_implicit_closed_form()
    {
        var d = Solid("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", 1).With("sigma_inf", 0.7).With("delta", 200));
        foreach (double strain in new[] { 0.0025, 0.01, 0.05, 0.3 })
        {
            double low = 0.4, high = E * strain;
            for (int k = 0; k < 200; k++)
            {
                double s = (low + high) / 2, a = strain - s / E;
                if (0.4 + a + 0.3 * (1 - Math.Exp(-200 * a)) > s) low = s; else high = s;
            }
            Assert.That(Uniaxial(d, strain).Stress, Is.EqualTo(low).Within(1e-11));
            d.Commit();
        }
    }

    /// <summary>Relaxation at constant shear: τ(t) = G0 γ (1 − Σ gᵢ(1 − e^(−t/τᵢ))), exact whatever the steps.</summary>
    [TestCase(StrainSpace.SolidSmall)]
    [TestCase(StrainSpace.PlaneSmall)]
    public void Prony_series_relaxes_exactly(StrainSpace space)
    {
        double[] g = [0.3, 0.4], tau = [0.2, 3];
        var d = new MaterialDriver(MaterialCatalog.Create("maxwell", Elastic.With("g", g).With("tau", tau), space));
        int xy = d.N - 1;
        var strain = new double[d.N];
        strain[xy] = 0.01;
        d.SetStrain(2, strain);
        double time = 0;
        foreach (double dt in new[] { 0, 1e-6, 0.01, 0.5, 2, 40 })
        {
            time += d.TimeStep = dt;
            d.Evaluate();
            double exact = Mu * 0.01 * (1 - 0.3 * (1 - Math.Exp(-time / 0.2)) - 0.4 * (1 - Math.Exp(-time / 3)));
            Assert.That(d.StressOf(2)[xy], Is.EqualTo(exact).Within(1e-14), $"t = {time}");
            d.Commit();
        }
    }

    /// <summary>A ramp is integrated exactly too: one step or a thousand give the same stress.</summary>
    [Test]
    public void Prony_series_is_exact_on_a_ramp()
    {
        var p = Elastic.With("g", 0.3, 0.4).With("k", 0.2, 0.1).With("tau", 0.2, 3);
        MaterialDriver one = Solid("maxwell", p), many = Solid("maxwell", p);
        double[] end = [0.01, -0.002, 0.003, 0.004, 0.005, -0.006];
        one.SetStrain(0, end);
        one.TimeStep = 2;
        one.Evaluate();
        many.TimeStep = 2e-3;
        for (int k = 1; k <= 1000; k++)
        {
            many.SetStrain(0, [.. end.Select(x => x * k / 1000)]);
            many.Evaluate();
            many.Commit();
        }
        for (int c = 0; c < 6; c++) Assert.That(many.StressOf(0)[c], Is.EqualTo(one.StressOf(0)[c]).Within(1e-12));
    }

    [Test]
    public void Plane_stress_elasticity_is_the_textbook_matrix()
    {
        var d = new MaterialDriver(MaterialCatalog.Create("elastic", Elastic, StrainSpace.PlaneSmall, true));
        d.SetStrain(0, [1e-3, 2e-4, 5e-4]);
        d.Evaluate();
        double f = E / (1 - Nu * Nu);
        double[] expected = [f, Nu * f, 0, Nu * f, f, 0, 0, 0, Mu];
        for (int k = 0; k < 9; k++) Assert.That(d.TangentOf(0)[k], Is.EqualTo(expected[k]).Within(1e-11));
        Assert.That(d.StressOf(0)[0], Is.EqualTo(f * (1e-3 + Nu * 2e-4)).Within(1e-14));
        Assert.That(d.Outputs(0)["strain_zz"][0], Is.EqualTo(-Nu / (1 - Nu) * 1.2e-3).Within(1e-17));
    }

    /// <summary>The law in space at the strain found: no stress across the plane, the same stress in it.</summary>
    [TestCase("j2_plasticity")]
    [TestCase("anisotropic")]
    [TestCase("neo_hooke")]
    [TestCase("saint_venant_kirchhoff")]
    public void Plane_stress_leaves_no_stress_across_the_plane(string name)
    {
        var c = All().Last(x => x.Name == name && x.PlaneStress);
        var d = new MaterialDriver(c.Create());
        var solidSpace = c.Space.IsFinite() ? StrainSpace.SolidFinite : StrainSpace.SolidSmall;
        var solid = new MaterialDriver(MaterialCatalog.Create(name, c.Parameters, solidSpace));
        int[] kept = c.Space.IsFinite() ? [0, 1, 3, 4] : [0, 1, 5];
        int[] across = c.Space.IsFinite() ? [8, 2, 5] : [2, 3, 4];
        for (int step = 0; step < Steps; step++)
        {
            for (int p = 0; p < 8; p++) d.SetStrain(p, Path(c.Space, p, step));
            Assert.That(d.Evaluate(), Is.True);
            for (int p = 0; p < 8; p++)
            {
                var e = new double[solid.N];
                for (int k = 0; k < d.N; k++) e[kept[k]] = Path(c.Space, p, step)[k];
                for (int k = 0; k < d.Size - solid.Size; k++) e[across[k]] = d.Get(d.New, p, d.Size)[solid.Size + k];
                solid.SetStrain(p, e);
            }
            Assert.That(solid.Evaluate(), Is.True);
            for (int p = 0; p < 8; p++)
            {
                for (int k = 0; k < d.N; k++) Assert.That(solid.StressOf(p)[kept[k]], Is.EqualTo(d.StressOf(p)[k]).Within(1e-13));
                double allowed = 1.01 * MixedControl.DefaultTolerance * solid.StressOf(p).Max(Math.Abs) + 1e-13 * E * (c.Space.IsFinite() ? 1 : 0.03);
                foreach (int k in across) Assert.That(solid.StressOf(p)[k], Is.EqualTo(0).Within(allowed), $"step {step} point {p}");
            }
            d.Commit();
            solid.Commit();
        }
    }

    /// <summary>With σ_yy = 0 as well, plane stress J2 is the tension test.</summary>
    [Test]
    public void Plane_stress_J2_in_tension_follows_the_closed_form()
    {
        var d = new MaterialDriver(MaterialCatalog.Create("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", 3), StrainSpace.PlaneSmall, true));
        double tangent = E * 3 / (E + 3), yield = 0.4 / E;
        foreach (double strain in new[] { 0.001, 0.003, 0.01, 0.04 })
        {
            var (stress, modulus) = Uniaxial(d, strain);
            Assert.That(stress, Is.EqualTo(strain < yield ? E * strain : 0.4 + tangent * (strain - yield)).Within(1e-10));
            Assert.That(modulus, Is.EqualTo(strain < yield ? E : tangent).Within(1e-7 * E));
            d.Commit();
        }
    }

    [TestCase("neo_hooke", StrainSpace.PlaneFinite)]
    [TestCase("neo_hooke", StrainSpace.SolidFinite)]
    [TestCase("saint_venant_kirchhoff", StrainSpace.PlaneFinite)]
    [TestCase("saint_venant_kirchhoff", StrainSpace.SolidFinite)]
    [TestCase("hencky", StrainSpace.PlaneFinite)]
    [TestCase("hencky", StrainSpace.SolidFinite)]
    public void Stress_is_the_derivative_of_the_energy_and_turns_with_the_body(string name, StrainSpace space)
    {
        var d = new MaterialDriver(MaterialCatalog.Create(name, Elastic, space));
        var turned = new MaterialDriver(d.Material);
        var places = Places(space);
        double a = 0.7, b = 1.1;
        double[,] q = { { Math.Cos(a), -Math.Sin(a), 0 }, { Math.Sin(a), Math.Cos(a), 0 }, { 0, 0, 1 } };
        if (space == StrainSpace.SolidFinite) q = Multiply(q, new[,] { { 1, 0, 0 }, { 0, Math.Cos(b), -Math.Sin(b) }, { 0, Math.Sin(b), Math.Cos(b) } });
        for (int p = 0; p < 8; p++)
        {
            d.SetStrain(p, Path(space, p, 2));
            var qf = Multiply(q, Tensor(space, Path(space, p, 2)));
            turned.SetStrain(p, [.. places.Select(x => qf[x.I, x.J])]);
        }
        d.Evaluate();
        turned.Evaluate();
        for (int p = 0; p < 8; p++)
        {
            var f = Tensor(space, Path(space, p, 2));
            var stress = Tensor(space, d.StressOf(p));
            var qp = Multiply(q, stress);
            for (int k = 0; k < d.N; k++)
            {
                var (i, j) = places[k];
                double Energy(double by)
                {
                    var g = (double[,])f.Clone();
                    g[i, j] += by;
                    return name switch
                    {
                        "neo_hooke" => ReferenceNeoHooke.Energy(g, Lambda, Mu),
                        "hencky" => ReferenceHencky.Energy(g, Lambda, Mu),
                        _ => ReferenceSvk.Energy(g, Lambda, Mu),
                    };
                }
                Assert.That(d.StressOf(p)[k], Is.EqualTo((Energy(1e-6) - Energy(-1e-6)) / 2e-6).Within(1e-7));
                Assert.That(turned.StressOf(p)[k], Is.EqualTo(qp[i, j]).Within(1e-12 * E));
            }
            // Cauchy stress turns as Q σ Qᵀ: invariants stay
            Assert.That(turned.Outputs(p)["von_mises"][0], Is.EqualTo(d.Outputs(p)["von_mises"][0]).Within(1e-11));
            Assert.That(turned.Outputs(p)["hydrostatic_stress"][0], Is.EqualTo(d.Outputs(p)["hydrostatic_stress"][0]).Within(1e-11));
            Assert.That(d.Outputs(p)["J"][0], Is.EqualTo(ReferenceLaw.Determinant(f)).Within(1e-15));
        }
    }

    /// <summary>Where eigenvalues of C coincide, nearly coincide, or stand at the switch between series and quotient.</summary>
    [Test]
    public void Logarithmic_strain_is_smooth_where_stretches_coincide()
    {
        var d = new MaterialDriver(MaterialCatalog.Create("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", 3), StrainSpace.SolidFinite));
        double[] gaps = [0, 1e-13, 1e-9, 1e-7, 1e-4, 4.99e-3, 5.01e-3, 0.4];
        double[] F(int p) => [1.1 + gaps[p], 0, 0, 0, 1.1, 0.3 * gaps[p], 0, 0, p % 2 == 0 ? 1.1 - gaps[p] : 1.1];
        double[][] Probe(int k, double by)
        {
            for (int p = 0; p < 8; p++) { var f = F(p); if (k >= 0) f[k] += by; d.SetStrain(p, f); }
            Assert.That(d.Evaluate(), Is.True);
            return [.. Enumerable.Range(0, 8).Select(d.StressOf)];
        }
        // the plastic history is one of pure shear, so that the stress at these F is not coaxial with C
        for (int p = 0; p < 8; p++) d.SetStrain(p, [1, 0.02, 0, 0, 1, 0.01, 0, 0, 1]);
        d.Evaluate();
        d.Commit();
        Probe(-1, 0);
        var tangents = Enumerable.Range(0, 8).Select(d.TangentOf).ToArray();
        for (int k = 0; k < 9; k++)
        {
            double[][] plus = Probe(k, 1e-6), minus = Probe(k, -1e-6);
            for (int p = 0; p < 8; p++)
                for (int r = 0; r < 9; r++)
                    Assert.That(tangents[p][r * 9 + k], Is.EqualTo((plus[p][r] - minus[p][r]) / 2e-6).Within(1e-6 * E), $"gap {gaps[p]} entry {r},{k}");
        }
    }

    /// <summary>In tension along a fixed axis, Kirchhoff stress over logarithmic strain is the small-strain curve, at any stretch.</summary>
    [Test]
    public void Finite_J2_in_tension_follows_the_closed_form()
    {
        var d = new MaterialDriver(MaterialCatalog.Create("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", 3).With("H_kinematic", 8), StrainSpace.SolidFinite));
        bool[] given = [false, false, false, false, true, false, false, false, true];
        double tangent = E * 11 / (E + 11), yield = 0.4 / E;
        foreach (double log in new[] { 0.001, 0.01, 0.1, 0.5, 0.9 })
        {
            var values = new double[9 * Lane4.Width];
            Array.Fill(values, Math.Exp(log), 0, Lane4.Width);
            bool ok = MixedControl.Solve(d.Material, given, values, d.Strain.AsSpan(0, 9 * Lane4.Width), d.Old.AsSpan(0, d.Size * Lane4.Width), d.New.AsSpan(0, d.Size * Lane4.Width),
                d.Stress.AsSpan(0, 9 * Lane4.Width), d.Tangent.AsSpan(0, 81 * Lane4.Width), 0, 0, out _);
            Assert.That(ok, Is.True);
            double expected = log < yield ? E * log : 0.4 + tangent * (log - yield);
            Assert.That(d.StressOf(1)[0] * Math.Exp(log), Is.EqualTo(expected).Within(1e-10));
            Assert.That(d.Outputs(1)["equivalent_plastic_strain"][0], Is.EqualTo(log - expected / E).Within(1e-11));
            Assert.That(d.Outputs(1)["J"][0], Is.EqualTo(Math.Exp((1 - 2 * Nu) * expected / E)).Within(1e-12), "plastic flow keeps the volume");
            d.Commit();
        }
    }

    /// <summary>A rotation on top of a plastic step turns P and changes nothing else.</summary>
    [TestCase(StrainSpace.PlaneFinite)]
    [TestCase(StrainSpace.SolidFinite)]
    public void Finite_J2_turns_with_the_body(StrainSpace space)
    {
        var material = MaterialCatalog.Create("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", 3), space);
        MaterialDriver d = new(material), turned = new(material);
        for (int step = 0; step < 6; step++)
        {
            double a = 0.4 * step;
            double[,] q = { { Math.Cos(a), -Math.Sin(a), 0 }, { Math.Sin(a), Math.Cos(a), 0 }, { 0, 0, 1 } };
            for (int p = 0; p < 8; p++)
            {
                d.SetStrain(p, Path(space, p, step));
                var qf = Multiply(q, Tensor(space, Path(space, p, step)));
                turned.SetStrain(p, [.. Places(space).Select(x => qf[x.I, x.J])]);
            }
            d.Evaluate();
            turned.Evaluate();
            for (int p = 0; p < 8; p++)
            {
                var qp = Multiply(q, Tensor(space, d.StressOf(p)));
                for (int k = 0; k < d.N; k++) Assert.That(turned.StressOf(p)[k], Is.EqualTo(qp[Places(space)[k].I, Places(space)[k].J]).Within(1e-12 * E));
                for (int k = 0; k < d.Size; k++) Assert.That(turned.Get(turned.New, p, d.Size)[k], Is.EqualTo(d.Get(d.New, p, d.Size)[k]).Within(1e-13));
            }
            d.Commit();
            turned.Commit();
        }
    }

    [TestCase("hencky", StrainSpace.PlaneFinite, false)]
    [TestCase("hencky", StrainSpace.SolidFinite, false)]
    [TestCase("neo_hooke", StrainSpace.PlaneFinite, false)]
    [TestCase("neo_hooke", StrainSpace.SolidFinite, false)]
    [TestCase("saint_venant_kirchhoff", StrainSpace.SolidFinite, false)]
    [TestCase("neo_hooke", StrainSpace.PlaneFinite, true)]
    public void An_inverted_lane_fails_alone_and_stays_finite(string name, StrainSpace space, bool planeStress)
    {
        var d = new MaterialDriver(MaterialCatalog.Create(name, Elastic, space, planeStress));
        for (int p = 0; p < 2 * Lane4.Width; p++) d.SetStrain(p, Path(space, p, 2));
        d.Evaluate();
        double[] good = d.StressOf(4);
        var bad = Path(space, 0, 2);
        bad[0] = -1;
        d.SetStrain(7, bad);
        bad[0] = double.NaN;
        d.SetStrain(3, bad);
        Assert.That(d.Evaluate(), Is.False);
        Assert.That(d.Failed, Is.EqualTo(new byte[] { 1 << 3, 1 << 3 }));
        Assert.That(d.StressOf(4), Is.EqualTo(good));
        foreach (int p in new[] { 3, 7 })
        {
            Assert.That(d.StressOf(p), Is.All.Matches<double>(double.IsFinite));
            Assert.That(d.TangentOf(p), Is.All.Matches<double>(double.IsFinite));
        }
        d.Active = [Lane4.All & ~(1 << 3), Lane4.All & ~(1 << 3)];
        Assert.That(d.Evaluate(), Is.True, "an idle lane does not count");
    }

    [Test]
    public void J2_with_a_strain_that_is_not_a_number_fails()
    {
        var d = Solid("j2_plasticity", Elastic.With("sigma_y", 0.4).With("sigma_inf", 0.5).With("delta", 10));
        d.SetStrain(6, [double.NaN, 0, 0, 0, 0, 0]);
        Assert.That(d.Evaluate(), Is.False);
        Assert.That(d.Failed, Is.EqualTo(new byte[] { 0, 1 << 2 }));
    }

    /// <summary>σ_zz in the plane is what the law in space gives with ε_zz = 0 (F33 = 1).</summary>
    [Test]
    public void Out_of_plane_stress_is_that_of_the_law_in_space()
    {
        foreach (var c in All().Where(x => x.Space.Dimension() == 2 && !x.PlaneStress))
        {
            var solidSpace = c.Space.IsFinite() ? StrainSpace.SolidFinite : StrainSpace.SolidSmall;
            var d = new MaterialDriver(c.Create());
            var solid = new MaterialDriver(MaterialCatalog.Create(c.Name, c.Parameters, solidSpace));
            for (int step = 0; step < 5; step++)
            {
                for (int p = 0; p < 8; p++)
                {
                    var e = Path(c.Space, p, step);
                    d.SetStrain(p, e);
                    var tensor = Tensor(c.Space, e);
                    solid.SetStrain(p, [.. Places(solidSpace).Select(x => c.Space.IsFinite() || x.I == x.J ? tensor[x.I, x.J] : 2 * tensor[x.I, x.J])]);
                }
                d.Evaluate();
                solid.Evaluate();
                for (int p = 0; p < 8; p++)
                {
                    double expected = c.Space.IsFinite() ? solid.Outputs(p)["sigma_zz"][0] : solid.StressOf(p)[2];
                    Assert.That(d.Outputs(p)["sigma_zz"][0], Is.EqualTo(expected).Within(1e-12), $"{c} step {step}");
                    Assert.That(d.Outputs(p)["von_mises"][0], Is.EqualTo(solid.Outputs(p)["von_mises"][0]).Within(1e-12), $"{c} step {step}");
                }
                d.Commit();
                solid.Commit();
            }
        }
    }

    [Test]
    public void Exponential_and_logarithm_are_right_to_two_units_in_the_last_place()
    {
        for (int k = 0; k < 4000; k++)
        {
            double x = -60 + 0.03001 * k, y = Math.Exp(x), near = 1 + 1e-3 * Math.Sin(k);
            Assert.That(LaneMath.Exp(Lane4.Of(x)).GetElement(3), Is.EqualTo(y).Within(2).Ulps);
            Assert.That(LaneMath.Log(Lane4.Of(y)).GetElement(2), Is.EqualTo(Math.Log(y)).Within(2).Ulps);
            Assert.That(LaneMath.Log(Lane4.Of(near)).GetElement(0), Is.EqualTo(Math.Log(near)).Within(2).Ulps);
        }
        Assert.That(LaneMath.Exp(Lanes4.Zero), Is.EqualTo(Lanes4.One));
        Assert.That(LaneMath.Log(Lanes4.One), Is.EqualTo(Lanes4.Zero));
    }

    /// <summary>Divided differences of ½ ln against 28-digit arithmetic, on both sides of the switch to the series.</summary>
    [Test]
    public void Divided_differences_are_right_near_and_far()
    {
        static decimal Log(decimal x)
        {
            decimal z = (x - 1) / (x + 1), power = z, sum = z;
            for (int k = 3; k < 400; k += 2) { power *= z * z; sum += power / k; }
            return 2 * sum;
        }
        static decimal F1(decimal x, decimal y) => (Log(x) - Log(y)) / 2 / (x - y);
        foreach (double gap in new[] { 1e-4, 1e-3, 4e-3, 9.9e-3, 1.02e-2, 0.05, 0.15, 0.19, 0.5, 1.5 })
            foreach (double part in new[] { 0.3, 0.7 })
            {
                double x = 0.9, y = 0.9 + part * gap, z = 0.9 + gap;
                decimal a = (decimal)x, b = (decimal)y, c = (decimal)z;
                double first = (double)F1(a, c), second = (double)((F1(a, b) - F1(b, c)) / (a - c));
                Assert.That(LaneMath.FirstDifference(Lane4.Of(x), Lane4.Of(z)).GetElement(1), Is.EqualTo(first).Within(4e-15 * first));
                foreach (var (p, q, r) in new[] { (x, y, z), (z, x, y), (y, z, x) })
                    Assert.That(LaneMath.SecondDifference(Lane4.Of(p), Lane4.Of(q), Lane4.Of(r)).GetElement(2), Is.EqualTo(second).Within(6e-14), $"gap {gap}");
            }
        Assert.That(LaneMath.SecondDifference(Lane4.Of(0.9), Lane4.Of(0.9), Lane4.Of(0.9)).GetElement(0), Is.EqualTo(-0.25 / 0.81).Within(1e-16));
    }

    /// <summary>Pressure given in every lane, a different one each: tr ε = −p/κ. Nothing allocated.</summary>
    [Test]
    public void Mixed_control_finds_the_strain_of_a_given_pressure()
    {
        var d = Solid("j2_plasticity", Elastic.With("sigma_y", 0.4).With("H", 3));
        bool[] given = [true, true, true, true, true, true];
        var values = new double[6 * Lane4.Width];
        for (int c = 0; c < 3; c++) for (int l = 0; l < Lane4.Width; l++) values[c * Lane4.Width + l] = -(l + 1);
        long allocated = 0;
        for (int k = 0; k < 2; k++)
        {
            d.Strain.AsSpan(0, 6 * Lane4.Width).Clear();
            long before = GC.GetAllocatedBytesForCurrentThread();
            bool ok = MixedControl.Solve(d.Material, given, values, d.Strain.AsSpan(0, 6 * Lane4.Width), d.Old.AsSpan(0, 6 * Lane4.Width), d.New.AsSpan(0, 6 * Lane4.Width),
                d.Stress.AsSpan(0, 6 * Lane4.Width), d.Tangent.AsSpan(0, 36 * Lane4.Width), 0, 0, out _);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.That(ok, Is.True);
        }
        Assert.That(allocated, Is.Zero);
        double kappa = E / (3 * (1 - 2 * Nu));
        for (int l = 0; l < Lane4.Width; l++)
            for (int c = 0; c < 3; c++) Assert.That(d.Strain[c * Lane4.Width + l], Is.EqualTo(-(l + 1) / (3 * kappa)).Within(1e-14));
    }

    /// <summary>A stress beyond the strength of a perfectly plastic solid cannot be carried: that lane fails, with harmless output.</summary>
    [Test]
    public void Mixed_control_says_which_lane_has_no_solution()
    {
        var d = Solid("j2_plasticity", Elastic.With("sigma_y", 0.4));
        bool[] given = [true, true, true, true, true, true];
        var values = new double[6 * Lane4.Width];
        for (int l = 0; l < Lane4.Width; l++) values[5 * Lane4.Width + l] = l == 2 ? 0.5 : 0.2; // shear strength is 0.4/√3 = 0.231
        bool ok = MixedControl.Solve(d.Material, given, values, d.Strain.AsSpan(0, 6 * Lane4.Width), d.Old.AsSpan(0, 6 * Lane4.Width), d.New.AsSpan(0, 6 * Lane4.Width),
            d.Stress.AsSpan(0, 6 * Lane4.Width), d.Tangent.AsSpan(0, 36 * Lane4.Width), 0, 0, out byte failed);
        Assert.That(ok, Is.False);
        Assert.That(failed, Is.EqualTo(1 << 2));
        Assert.That(d.StressOf(2), Is.All.Zero);
        Assert.That(d.Get(d.Strain, 2, 6), Is.All.Zero);
        Assert.That(d.Strain[5 * Lane4.Width + 3], Is.EqualTo(0.2 / Mu).Within(1e-15));
        byte without2 = Lane4.All & ~(1 << 2);
        Assert.That(MixedControl.Solve(d.Material, given, values, d.Strain.AsSpan(0, 6 * Lane4.Width), d.Old.AsSpan(0, 6 * Lane4.Width), d.New.AsSpan(0, 6 * Lane4.Width),
            d.Stress.AsSpan(0, 6 * Lane4.Width), d.Tangent.AsSpan(0, 36 * Lane4.Width), 0, 0, out _, without2), Is.True);
    }

    /// <summary>
    /// Twin of the logarithmic laws without any derivative: for an isotropic law and no plastic history, P Fᵀ = σ(½ ln F Fᵀ), the readable
    /// small-strain reference at the left logarithmic strain.
    /// </summary>
    [TestCase("hencky", StrainSpace.PlaneFinite)]
    [TestCase("hencky", StrainSpace.SolidFinite)]
    [TestCase("j2_plasticity", StrainSpace.PlaneFinite)]
    [TestCase("j2_plasticity", StrainSpace.SolidFinite)]
    public void Logarithmic_laws_equal_the_readable_reference(string name, StrainSpace space)
    {
        bool plastic = name != "hencky";
        var p = plastic ? Elastic.With("sigma_y", 0.4).With("H", 3).With("H_kinematic", 8).With("sigma_inf", 0.7).With("delta", 60) : Elastic;
        var places = Places(space);
        for (int step = 0; step < Steps; step++)
        {
            var d = new MaterialDriver(MaterialCatalog.Create(name, p, space));
            for (int l = 0; l < 8; l++) d.SetStrain(l, Path(space, l, step));
            Assert.That(d.Evaluate(), Is.True);
            for (int l = 0; l < 8; l++)
            {
                var f = Tensor(space, Path(space, l, step));
                var left = ReferenceHencky.Strain(ReferenceLaw.Fill((i, j) => f[j, i]));
                ReferenceLaw law = plastic ? new ReferenceJ2(E, Nu, 0.4, 3, 8, 0.7 - 0.4, 60)
                    : new ReferenceLinear(ReferenceLaw.Isotropic(E / (3 * (1 - 2 * Nu)), Mu));
                var kirchhoff = law.Step(left, 0).Stress;
                var inverse = ReferenceLaw.Inverse(f);
                var expected = Multiply(kirchhoff, ReferenceLaw.Fill((i, j) => inverse[j, i]));
                for (int k = 0; k < d.N; k++)
                    Assert.That(d.StressOf(l)[k], Is.EqualTo(expected[places[k].I, places[k].J]).Within(3e-13 * E), $"step {step} lane {l} component {k}");
            }
        }
    }
}
