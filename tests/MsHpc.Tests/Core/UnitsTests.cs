using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Core;

public sealed class UnitsTests
{
    // Expected values from CODATA 2022 by hand: 1 eV = 1.602176634e-19 J, 1 u = 1.66053906892e-27 kg.
    private static readonly object[] s_metal =
    [
        new object[] { "300 K", Dimension.Kelvin, 300.0 },
        new object[] { "25 °C", Dimension.Kelvin, 298.15 },
        new object[] { "2 fs", Dimension.Duration, 2.0 },
        new object[] { "1 ps", Dimension.Duration, 1000.0 },
        new object[] { "30 min", Dimension.Duration, 1.8e18 },
        new object[] { "160.2176634 GPa", Dimension.Pressure, 1.0 },
        new object[] { "100 eV/Å^3", Dimension.Pressure, 100.0 },
        new object[] { "100 eV/Å³", Dimension.Pressure, 100.0 },
        new object[] { "0.02 eV/Å", Dimension.Force, 0.02 },
        new object[] { "1e-3 eV/\u212b", Dimension.Force, 1e-3 },
        new object[] { "1 nN", Dimension.Force, 1e-9 * 1e-10 / 1.602176634e-19 },
        new object[] { "0.01 1/fs", Dimension.Rate, 0.01 },
        new object[] { "1/fs", Dimension.Rate, 1.0 },
        new object[] { "5 1/ps", Dimension.Rate, 0.005 },
        new object[] { "5 ps^-1", Dimension.Rate, 0.005 },
        new object[] { "5 ps⁻¹", Dimension.Rate, 0.005 },
        new object[] { "1 THz", Dimension.Rate, 1e-3 },
        new object[] { "1 hartree", Dimension.Energy, 27.211386245981 },
        new object[] { "2 Ry", Dimension.Energy, 27.211386245981 },
        new object[] { "1 kcal/mol", Dimension.Energy, 0.0433641042 },
        new object[] { "96.4853321233 kJ/mol", Dimension.Energy, 1.0 },
        new object[] { "1 bohr", Dimension.Distance, 0.529177210544 },
        new object[] { "0.4 nm", Dimension.Distance, 4.0 },
        new object[] { "28.085 u", Dimension.Weight, 28.085 },
        new object[] { "1 kg/m^3", Dimension.Density, 1e-30 / 1.66053906892e-27 },
        new object[] { "1 km/s", Dimension.Velocity, 0.01 },
        new object[] { "1 J/m^2", Dimension.EnergyPerArea, 1e-20 / 1.602176634e-19 },
        new object[] { "1 MPa m^0.5", Dimension.StressIntensity, 1e6 * 1e5 / 1.602176634e-19 * 1e-30 },
        new object[] { "1 MPa √m", Dimension.StressIntensity, 1e6 * 1e5 / 1.602176634e-19 * 1e-30 },
        new object[] { "1 MPa*m^(1/2)", Dimension.StressIntensity, 1e6 * 1e5 / 1.602176634e-19 * 1e-30 },
        new object[] { "0.5 %", Dimension.None, 0.005 },
        new object[] { "90 deg", Dimension.None, Math.PI / 2 },
        new object[] { "-1 e", Dimension.ElectricCharge, -1.0 },
        new object[] { "2eV", Dimension.Energy, 2.0 },
        new object[] { " 4.05 ", Dimension.Distance, 4.05 },
        new object[] { "1e3", Dimension.Pressure, 1e3 },
    ];

    [TestCaseSource(nameof(s_metal))]
    public void Metal(string text, Dimension dimension, double expected) =>
        Assert.That(Units.Parse(text, dimension, UnitSystem.Metal), Is.EqualTo(expected).Within(1e-9 * Math.Abs(expected)));

    [TestCase("210 GPa", -1, 1, -2, 210e3)]
    [TestCase("2.7 N/mm", 0, 1, -2, 2.7)]
    [TestCase("2.7 kJ/m^2", 0, 1, -2, 2.7)]
    [TestCase("0.015 mm", 1, 0, 0, 0.015)]
    [TestCase("15 um", 1, 0, 0, 0.015)]
    [TestCase("15 µm", 1, 0, 0, 0.015)]
    [TestCase("7850 kg/m^3", -3, 1, 0, 7.85e-9)]
    [TestCase("1 kN", 1, 1, -2, 1e3)]
    [TestCase("1 kg/(m s^2)", -1, 1, -2, 1e-6)]
    [TestCase("1 N/m/m", -1, 1, -2, 1e-6)]
    public void MillimetreNewton(string text, double length, double mass, double time, double expected) =>
        Assert.That(Units.Parse(text, new Dimension(length, mass, time), UnitSystem.MillimetreNewton), Is.EqualTo(expected).Within(1e-12 * expected));

    [Test]
    public void NumbersAreInTheJobsUnits()
    {
        foreach (var system in UnitSystem.All) Assert.That(Units.Parse("1.25", Dimension.Pressure, system), Is.EqualTo(1.25));
        Assert.That(Units.Parse("1 eV", Dimension.Energy, UnitSystem.Si), Is.EqualTo(Codata.ElementaryCharge));
    }

    [Test]
    public void EverySystemReadsItsOwnSymbols()
    {
        Dimension[] dimensions =
        [
            Dimension.Distance, Dimension.Area, Dimension.Volume, Dimension.Weight, Dimension.Duration, Dimension.Rate, Dimension.Kelvin,
            Dimension.ElectricCharge, Dimension.Velocity, Dimension.Energy, Dimension.Force, Dimension.Pressure, Dimension.EnergyPerArea,
            Dimension.Density, Dimension.StressIntensity, new(-1, 1, -1), new(0, 1, -3, -1), new(-2, 0, 0, 0, 1), new(-2, -1, 4, 0, 2),
        ];
        foreach (var system in UnitSystem.All)
            foreach (var dimension in dimensions)
                Assert.That(Units.Parse($"3 {system.Symbol(dimension)}", dimension, system), Is.EqualTo(3).Within(1e-14), $"{system.Name}: {system.Symbol(dimension)}");
        Assert.That(UnitSystem.Metal.Symbol(Dimension.Pressure), Is.EqualTo("eV/Å^3"));
        Assert.That(UnitSystem.MillimetreNewton.Symbol(Dimension.Pressure), Is.EqualTo("MPa"));
        Assert.That(UnitSystem.Metal.Symbol(Dimension.Density), Is.EqualTo("u/Å^3"));
        Assert.That(UnitSystem.Si.Symbol(Dimension.None), Is.Empty);
    }

    [TestCase("12 Gpa", "unknown unit 'Gpa' in '12 Gpa'; did you mean 'GPa'?")]
    [TestCase("2 angstrm", "did you mean 'angstrom'?")]
    [TestCase("2 Å", "'2 Å' is of dimension length, but of dimension pressure is needed (units 'metal': a number in eV/Å^3, or text such as \"1 eV/Å^3\")")]
    [TestCase("5 %", "'5 %' is a plain number, but of dimension pressure is needed")]
    [TestCase("GPa", "'GPa' is not a number")]
    [TestCase("", "is not a number")]
    [TestCase("nan", "is not a number")]
    [TestCase("1e999", "is not a number")]
    [TestCase("1,5 GPa", "unexpected ','")]
    [TestCase("1 GPa/", "a unit is missing at the end")]
    [TestCase("1 GPa)", "unexpected ')'")]
    [TestCase("1 (GPa", "a parenthesis is not closed")]
    [TestCase("1 GPa^", "is not a number")]
    [TestCase("1e300 TPa^1", "")]
    public void FaultsSayWhatIsWrong(string text, string message)
    {
        bool good = Units.TryParse(text, Dimension.Pressure, UnitSystem.Metal, out double value, out string fault);
        if (message.Length == 0) Assert.That(good, Is.True, fault);
        else
        {
            Assert.That(good, Is.False);
            Assert.That(value, Is.NaN);
            Assert.That(fault, Does.Contain(message));
            Assert.That(() => Units.Parse(text, Dimension.Pressure, UnitSystem.Metal), Throws.TypeOf<InputException>());
        }
    }

    [Test]
    public void DerivedConstants()
    {
        // CODATA 2022 lists these as values of their own; agreement shows that the digits above them were typed correctly.
        Assert.That(Codata.HartreeInEv, Is.EqualTo(27.211386245981).Within(1e-11));
        Assert.That(Codata.BoltzmannInEv, Is.EqualTo(8.617333262e-5).Within(1e-14));
        Assert.That(Codata.CoulombInEvAngstrom, Is.EqualTo(14.3996454).Within(1e-6));
        Assert.That(Codata.ReducedPlanck, Is.EqualTo(1.054571817e-34).Within(1e-43));
        Assert.That(Codata.EvPerCubicAngstromInGPa, Is.EqualTo(160.2176634).Within(1e-12));
        // a₀ = ħ/(m_e c α), E_h = m_e c² α², ε₀ = e²/(2 α h c): independent rows of the table, consistent to their uncertainty.
        Assert.That(Codata.ReducedPlanck / (Codata.ElectronMass * Codata.SpeedOfLight * Codata.FineStructure) / Codata.Bohr, Is.EqualTo(1).Within(1e-9));
        Assert.That(Codata.ElectronMass * Math.Pow(Codata.SpeedOfLight * Codata.FineStructure, 2) / Codata.Hartree, Is.EqualTo(1).Within(1e-9));
        Assert.That(Math.Pow(Codata.ElementaryCharge, 2) / (2 * Codata.FineStructure * Codata.Planck * Codata.SpeedOfLight) / Codata.VacuumPermittivity,
            Is.EqualTo(1).Within(1e-9));
        Assert.That(Codata.AtomicMass * Codata.Avogadro * 1e3, Is.EqualTo(1).Within(1e-8), "molar mass constant");
        Assert.That(Codata.MassVelocitySquaredInEv, Is.EqualTo(103.642697).Within(1e-5));
        Assert.That(Units.Factor("GPa", UnitSystem.Metal), Is.EqualTo(1 / 160.2176634).Within(1e-16));
    }

    [Test]
    public void Systems()
    {
        Assert.That(UnitSystem.Parse("metal"), Is.SameAs(UnitSystem.Metal));
        Assert.That(UnitSystem.Parse("SI"), Is.SameAs(UnitSystem.Si));
        Assert.That(() => UnitSystem.Parse("mm-N-Mpas"), Throws.TypeOf<InputException>().With.Message.Contains("did you mean 'mm-N-MPa'?"));
    }

    [TestCase("timestp", "timestep")]
    [TestCase("Time-Step", "time_step")]
    [TestCase("xyz", null)]
    [TestCase("", null)]
    public void Nearest(string word, string? expected) =>
        Assert.That(MsHpc.Core.Nearest.Match(word, ["timestep", "time_step", "thermostat", "steps"]), Is.EqualTo(expected));

    [TestCase("kitten", "sitting", 3)]
    [TestCase("", "abc", 3)]
    [TestCase("same", "same", 0)]
    public void Levenshtein(string a, string b, int expected) => Assert.That(MsHpc.Core.Nearest.Distance(a, b), Is.EqualTo(expected));
}
