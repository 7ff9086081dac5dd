using System.Numerics;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Particle-mesh Ewald against the Ewald sum, and the transforms below it against their definition.</summary>
public sealed unsafe class PmeTests
{
    [Test]
    public void LaneFftAgainstItsDefinition([Values(1, 2, 3, 4, 5, 7, 8, 12, 15, 20, 22, 40, 45, 49, 64)] int n, [Values] bool inverse, [Values] bool inPlace)
    {
        var random = new Philox(7, n, 0);
        AlignedArray<double> source = new(), target = new();
        double* x = source.Require(48L * n), y = inPlace ? x : target.Require(48L * n);
        for (int k = 0; k < 48 * n; k++) x[k] = random.NextDouble() - 0.5;
        var line = new Complex[8, n];
        for (int l = 0; l < 8; l++) for (int j = 0; j < n; j++) line[l, j] = new Complex(x[48 * j + l], x[48 * j + 8 + l]);
        new LaneFft(n).Transform(x, 48, y, 48, inverse);
        for (int l = 0; l < 8; l++)
            for (int k = 0; k < n; k++)
            {
                var sum = Complex.Zero;
                for (int j = 0; j < n; j++) sum += line[l, j] * Complex.FromPolarCoordinates(1, (inverse ? 2 : -2) * Math.PI * j * k / n);
                Assert.That(Complex.Abs(new Complex(y[48 * k + l], y[48 * k + 8 + l]) - sum), Is.LessThan(1e-14 * n));
            }
        GC.KeepAlive(source);
        GC.KeepAlive(target);
    }

    private static double Rms(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum() / (a.Length / 3));

    private static CalculatorResults Evaluate(Atoms atoms, Want want, params Interaction[] terms)
    {
        var results = new CalculatorResults(atoms.Count);
        new ForceField(terms).Compute(atoms, want, results);
        return results;
    }

    // Meshes of even and odd sizes, more and less than whole blocks of eight, every order: errors fall with order and spacing towards the Ewald sum.
    [Test]
    public void AgreesWithEwald([Values(4, 5, 6, 7, 8, 9, 10)] int order, [Values(0.0, 2)] double net)
    {
        var atoms = EwaldTests.Disordered(5, net);
        var split = new EwaldSplit(0.5, 9, 1e-15, Codata.CoulombInEvAngstrom);
        var exact = Evaluate(atoms, Want.Virial, new Ewald(atoms, split));
        double last = double.PositiveInfinity;
        foreach (var mesh in new[] { (16, 18, 15), (25, 24, 20), (40, 36, 45) })
        {
            var found = Evaluate(atoms, Want.Virial, new ParticleMeshEwald(atoms, split, mesh, order));
            double error = Rms(found.Forces, exact.Forces);
            Assert.That(error, Is.LessThan(last / 2.5), $"{mesh}");
            last = error;
            Assert.That(found.Energy, Is.EqualTo(exact.Energy).Within(20 * error));
            for (int k = 0; k < 6; k++) Assert.That(found.Virial[k], Is.EqualTo(exact.Virial[k]).Within(40 * error), $"virial {k}");
        }
    }

    private static double Edge(Atoms atoms, int d) => Math.Sqrt(Enumerable.Range(3 * d, 3).Sum(k => atoms.Cell.Rows[k] * atoms.Cell.Rows[k]));

    // For orders and spacings in use.
    [Test]
    public void ErrorEstimate([Values(4, 5, 6, 8, 9, 10)] int order, [Values(16, 24, 36, 48)] int points)
    {
        var atoms = EwaldTests.Disordered(6);
        var split = new EwaldSplit(0.6, 9, 1e-12, Codata.CoulombInEvAngstrom);
        var exact = Evaluate(atoms, Want.Forces, new Ewald(atoms, split));
        var found = Evaluate(atoms, Want.Forces, new ParticleMeshEwald(atoms, split, (points, points, points), order));
        double squares = atoms.Charges.Sum(q => q * q) / atoms.Count, h = Math.Cbrt(atoms.Cell.Volume) / points;
        // Each axis with its own spacing has a third.
        double estimate = Math.Sqrt(Enumerable.Range(0, 3).Average(d => Math.Pow(ParticleMeshEwald.Error(split, squares, atoms.Count / atoms.Cell.Volume, Edge(atoms, d) / points, order), 2)));
        double error = Rms(found.Forces, exact.Forces);
        TestContext.Out.WriteLine($"order {order} alpha h {split.Alpha * h:f3}: error {error:e2}, estimate {estimate:e2}, ratio {error / estimate:f2}");
        // Charges that alternate are not without order: up to a factor of two. Rounding of charges and potentials, 1e-16 · 14.4 eV/Å · 10⁴ points and more: 1e-11.
        Assert.That(error, Is.InRange(estimate / 2.5, 2.5 * estimate + 1e-11));
    }

    // Order 0: chosen. The real sum's error and the mesh's, whose estimate is one within a factor of 2.5: √(1 + 2.5²).
    [Test]
    public void RequestedAccuracy([Values(1e-4, 1e-6, 1e-8)] double accuracy, [Values(0, 5, 8)] int order, [Values(6, 9)] double cutoff)
    {
        var atoms = EwaldTests.Disordered(7);
        var exact = Evaluate(atoms, Want.Forces, Ewald.Create(atoms, 9, 1e-13));
        var parts = ParticleMeshEwald.Create(atoms, cutoff, accuracy, order);
        double error = Rms(Evaluate(atoms, Want.Forces, parts).Forces, exact.Forces) / Codata.CoulombInEvAngstrom;
        TestContext.Out.WriteLine($"asked {accuracy}, found {error:e2}; {parts[1].Description}");
        Assert.That(error, Is.LessThan(2.7 * accuracy));
    }

    // 1e-12 with order 4: some 10^5 points a side. The sentence says what would help; the order chosen freely has room.
    [Test]
    public void MeshBeyondTheMemory()
    {
        var atoms = EwaldTests.Disordered(6);
        string message = Assert.Throws<InputException>(() => ParticleMeshEwald.Create(atoms, 6, 1e-12, 4))!.Message;
        Assert.That(message, Does.Contain("GB").And.Contain("higher order"));
        Assert.That(((ParticleMeshEwald)ParticleMeshEwald.Create(atoms, 6, 1e-12)[1]).Order, Is.GreaterThan(8));
        Assert.That(Assert.Throws<InputException>(() => ParticleMeshEwald.Create(atoms, 6, 1e-9, spacing: 3))!.Message, Does.Contain("does not reach"));
        Assert.That(Assert.Throws<InputException>(() => _ = new ParticleMeshEwald(atoms, EwaldSplit.For(atoms, 5, 1e-5), (8192, 8192, 1024), 4))!.Message, Does.Contain("GB"));
        // 2³⁰ points, 2³¹ numbers with the ends of rows: beyond the indices, whatever the memory.
        Assert.That(Assert.Throws<InputException>(() => _ = new ParticleMeshEwald(atoms, EwaldSplit.For(atoms, 5, 1e-5), (16384, 8192, 8), 4))!.Message, Does.Contain("2.15E+09 numbers").IgnoreCase.And.Contain("1.07e+09 numbers").IgnoreCase);
        Assert.That(ParticleMeshEwald.Fits(1e6, 1 << 30) && !ParticleMeshEwald.Fits(1e6, (1 << 30) + 1.0));
    }

    [TestCase(4, 0)]
    [TestCase(5, 1.5)]
    [TestCase(8, 0)]
    public void Derivatives(int order, double net)
    {
        var topology = new Topology();
        for (int i = 0; i < 26; i++) topology.Scaled.Add((i, i + 1, 0, 0));
        var atoms = EwaldTests.Disordered(8, net, topology);
        var split = new EwaldSplit(0.55, 6, 1e-12, Codata.CoulombInEvAngstrom);
        EwaldTests.Derivatives(a => new ForceField(Ewald.Reciprocal(new ParticleMeshEwald(a, split, (20, 18, 21), order), split, topology)), atoms, 1e-6);
    }

    [Test]
    public void BadInput()
    {
        var atoms = EwaldTests.Disordered(4);
        var split = EwaldSplit.For(atoms, 5, 1e-5);
        Assert.Throws<InputException>(() => ParticleMeshEwald.Create(atoms, 5, 1e-5, order: 3));
        Assert.Throws<InputException>(() => ParticleMeshEwald.Create(atoms, 5, 1e-5, spacing: -1));
        Assert.Throws<InputException>(() => _ = new ParticleMeshEwald(atoms, split, (4, 16, 16), 4));
    }
}
