using MsHpc.Continuum.Materials;
using MsHpc.Core;
using NUnit.Framework;
using static MsHpc.Tests.Continuum.Materials.MaterialCases;

namespace MsHpc.Tests.Continuum.Materials;

[Category("Unit")]
internal sealed class MaterialCatalogTests
{
    private static string Message(string name, Dictionary<string, double[]> p, StrainSpace space = StrainSpace.SolidSmall, bool planeStress = false)
        => Assert.Throws<InputException>(() => MaterialCatalog.Create(name, p, space, planeStress))!.Message;

    [Test]
    public void Every_entry_is_tested_in_every_space_it_claims_and_has_its_words()
    {
        foreach (var entry in MaterialCatalog.Entries)
        {
            var cases = All().Where(c => c.Name == entry.Name).ToArray();
            Assert.That(cases.Any(c => !c.Space.IsFinite()), Is.EqualTo(entry.SupportsSmall), entry.Name);
            Assert.That(cases.Any(c => c.Space.IsFinite()), Is.EqualTo(entry.SupportsFinite), entry.Name);
            Assert.That(entry.Parameters[^1].Name, Is.EqualTo("density"));
            Assert.That(entry.Parameters, Is.All.Matches<MaterialParameter>(p => p!.Summary.EndsWith('.') && p.Required == (p.Default is null)));
            var material = MaterialCatalog.Create(entry.Name, cases[0].Parameters.With("density", 7.8), cases[0].Space);
            Assert.That(material.Description, Does.StartWith(entry.Name).And.Contain(entry.Reference));
            Assert.That(material.Density, Is.EqualTo(7.8));
        }
    }

    [Test]
    public void Bad_numbers_are_named()
    {
        var good = P(("E", E), ("nu", Nu));
        Assert.That(Message("elastic", good.With("E", -1)), Does.Contain("E = -1 must be positive"));
        Assert.That(Message("elastic", good.With("nu", 0.5)), Does.Contain("nu = 0.5"));
        Assert.That(Message("elastic", good.With("density", -1)), Does.Contain("density"));
        Assert.That(Message("elastic", good.With("E", 1, 2)), Does.Contain("E takes 1 numbers, not 2"));
        Assert.That(Message("elastic", good.With("E", double.NaN)), Does.Contain("E is not a finite number"));
        Assert.That(Message("elastic", P(("E", E))), Does.Contain("nu is missing"));
        Assert.That(Message("elastik", good), Does.Contain("did you mean 'elastic'"));
        Assert.That(Message("elastic", good.With("Nu", 0.3)), Does.Contain("did you mean 'nu'"));
        Assert.That(Message("elastic", good, StrainSpace.PlaneFinite), Does.Contain("neo_hooke"));
        Assert.That(Message("elastic", good, StrainSpace.SolidSmall, true), Does.Contain("plane stress"));
        Assert.That(Message("cubic", P(("C11", 1), ("C12", 2), ("C44", 1))), Does.Contain("not positive definite"));
        Assert.That(Message("cubic", P(("C11", 3), ("C12", 2), ("C44", 1)).With("orientation", 1, 0, 0, 0, 1, 0, 0, 0, 2)), Does.Contain("not a rotation"));
        Assert.That(Message("anisotropic", P().With("C", new double[20])), Does.Contain("21"));
        Assert.That(Message("anisotropic", P().With("C", new double[21])), Does.Contain("not positive definite"));
        var skew = new double[36];
        skew[1] = 1;
        Assert.That(Message("anisotropic", P().With("C", skew)), Does.Contain("not symmetric"));
        var j2 = good.With("sigma_y", 0.4);
        Assert.That(Message("j2_plasticity", j2.With("H", -300)), Does.Contain("no unique solution"));
        Assert.That(Message("j2_plasticity", j2.With("sigma_y", 0)), Does.Contain("sigma_y = 0 must be positive"));
        Assert.That(Message("maxwell", good.With("g", 0.5, 0.6).With("tau", 1, 2)), Does.Contain("sum to at most 1"));
        Assert.That(Message("maxwell", good.With("g", 0.5).With("tau", 1, 2)), Does.Contain("g has 1 numbers but tau 2"));
        Assert.That(Message("maxwell", good.With("g", 0.5).With("tau", -1)), Does.Contain("tau must be positive"));
    }

    [Test]
    public void All_faults_are_reported_at_once()
    {
        var e = Assert.Throws<InputException>(() => MaterialCatalog.Create("j2_plasticity", P(("E", -1), ("nu", 2), ("sigmay", 1)), StrainSpace.PlaneSmall))!;
        Assert.That(e.Faults, Has.Count.GreaterThanOrEqualTo(4));
        Assert.That(e.Message, Does.Contain("'sigma_y'"));
    }

    [Test]
    public void State_is_small()
    {
        var j2 = P(("E", E), ("nu", Nu), ("sigma_y", 0.4), ("H_kinematic", 5));
        Assert.That(MaterialCatalog.Create("j2_plasticity", j2, StrainSpace.PlaneSmall).StateSize, Is.EqualTo(4));
        Assert.That(MaterialCatalog.Create("j2_plasticity", j2, StrainSpace.SolidSmall).StateSize, Is.EqualTo(6));
        Assert.That(MaterialCatalog.Create("j2_plasticity", j2, StrainSpace.PlaneSmall, true).StateSize, Is.EqualTo(7));
    }

    [Test]
    public void Plane_stress_refuses_a_law_in_the_plane()
        => Assert.That(() => new PlaneStress(MaterialCatalog.Create("elastic", P(("E", 1), ("nu", 0)), StrainSpace.PlaneSmall), true), Throws.ArgumentException);
}
