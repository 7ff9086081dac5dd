using MsHpc.Atomistics;
using MsHpc.Core;
using MsHpc.Quantum.TightBinding;
using NUnit.Framework;
using static MsHpc.Tests.Quantum.TightBindingTests;

namespace MsHpc.Tests.Quantum;

/// <summary>How charges interact in DFTB2 and DFTB3, without any parameter set.</summary>
public class DftbChargesTests
{
    private static readonly (double A, double B)[] s_pairs = [(1.3, 1.3), (1.3, 1.3 * (1 + 1e-9)), (1.3, 1.301), (1.2, 1.26), (1.2, 1.2631), (1.2, 1.45), (1.6, 1.1), (0.8, 2)];

    // 1/R − S is the Fourier integral (2/π) ∫ j₀(kR) A²B²/((A + k²)² (B + k²)²) dk: the trapezium rule of an even, smooth integrand converges faster
    // than any power; cut at k = 400, where it is k⁻⁹/9 of 1e-20; steps of 0.05 keep images of the integrand's poles at distance e^(−2π·0.8/0.05).
    [Test]
    public void SpheresAgreeWithTheirFourierIntegral()
    {
        foreach (var (a, b) in s_pairs)
            foreach (double r in (double[])[0.7, 1.9, 4.3, 9])
            {
                double sum = 0.5;
                const double step = 0.05;
                for (double k = step; k < 400; k += step) sum += Math.Sin(k * r) / (k * r) * Math.Pow(a * b, 4) / Math.Pow((a * a + k * k) * (b * b + k * k), 2);
                Assert.That(1 / r - ChargedSpheres.Of(a, b, r).Value, Is.EqualTo(2 / Math.PI * step * sum).Within(2e-13), $"{a} {b} {r}");
            }
    }

    // Fourth-order differences over 1e-3: h⁴/30 of the fifth derivative, 1e-12, and rounding of 1e-13/1e-3.
    [Test]
    public void DerivativesOfSpheres()
    {
        static double Slope(Func<double, double> f) => (8 * (f(1e-3) - f(-1e-3)) - (f(2e-3) - f(-2e-3))) / 12e-3;
        foreach (var (a, b) in s_pairs)
            foreach (double r in (double[])[0.7, 1.9, 4.3, 9])
            {
                var s = ChargedSpheres.Of(a, b, r);
                string at = $"{a} {b} {r}";
                Assert.That(s.Slope, Is.EqualTo(Slope(h => ChargedSpheres.Of(a, b, r + h).Value)).Within(1e-9), at);
                Assert.That(s.First, Is.EqualTo(Slope(h => ChargedSpheres.Of(a + h, b, r).Value)).Within(1e-9), at);
                Assert.That(s.Second, Is.EqualTo(Slope(h => ChargedSpheres.Of(a, b + h, r).Value)).Within(1e-9), at);
                Assert.That(s.FirstSlope, Is.EqualTo(Slope(h => ChargedSpheres.Of(a + h, b, r).Slope)).Within(1e-9), at);
                Assert.That(s.SecondSlope, Is.EqualTo(Slope(h => ChargedSpheres.Of(a, b + h, r).Slope)).Within(1e-9), at);
            }
        // Equal spheres: the published closed form, and γ(R → 0) = 5 τ/16, from which U gives τ.
        double t = 1.6, d = 2.3;
        Assert.That(ChargedSpheres.Of(t, t, d).Value, Is.EqualTo(Math.Exp(-t * d) * (1 / d + 11 * t / 16 + 3 * t * t * d / 16 + t * t * t * d * d / 48)).Within(1e-15));
        Assert.That(1e4 - ChargedSpheres.Of(t, t, 1e-4).Value, Is.EqualTo(5 * t / 16).Within(1e-6));
    }

    // Γ_ij = ∂γ_ij/∂U_i ∂U_i/∂n_i by differences of γ, images included, and Γ_ii by hand; the energy they give, and its derivative.
    [TestCase(false, false)]
    [TestCase(false, true)]
    [TestCase(true, true)]
    public void ThirdOrderIsTheDerivativeOfGamma(bool periodic, bool damped)
    {
        string[] symbols = ["O", "H", "H"];
        double[] u = [0.4954, 0.4195, 0.4195], derivative = [-0.1575, -0.1857, -0.18];
        double[] surplus = [0.6, -0.35, -0.3];
        var atoms = AtomsOf(symbols, [0, 0, 0, 0.76, 0.59, 0, -0.76, 0.59, 0.1], new Cell([3, 0, 0, 0.2, 3.3, 0, 0, 0.4, 3.1], [periodic, periodic, periodic]));
        bool[] hydrogen = damped ? [false, true, true] : [];
        ChargeInteraction Of(double[] hubbard, double[] third, bool onSite)
        {
            var c = new ChargeInteraction();
            c.Build(atoms, periodic ? new Ewald(atoms.Cell) : null, hubbard, third, onSite, hydrogen, damped ? 4 : 0);
            return c;
        }
        double[] shift = new double[3], second = new double[3], ignored = new double[3];
        double pairs = 0, expected = Of(u, [], false).Energy(surplus, second);
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
            {
                double At(double h)
                {
                    double[] moved = [.. u];
                    moved[i] += h;
                    return Of(moved, [], false).Gamma[3 * i + j];
                }
                double slope = (8 * (At(1e-3) - At(-1e-3)) - (At(2e-3) - At(-2e-3))) / 12e-3;
                double gamma = derivative[i] * slope * (i == j ? 0.5 : 1); // γ_ii moves by U at both ends
                pairs += gamma * surplus[i] * surplus[i] * surplus[j] / 3;
            }
        var full = Of(u, derivative, false);
        Assert.That(full.Energy(surplus, shift), Is.EqualTo(expected + pairs).Within(1e-10));
        for (int i = 0; i < 3; i++)
        {
            double At(double h)
            {
                double[] moved = [.. surplus];
                moved[i] += h;
                return full.Energy(moved, ignored);
            }
            Assert.That(shift[i], Is.EqualTo((8 * (At(1e-2) - At(-1e-2)) - (At(2e-2) - At(-2e-2))) / 12e-2).Within(1e-12)); // a cubic: no error but rounding
        }
        double onSite = 0;
        for (int i = 0; i < 3; i++) onSite += derivative[i] * Math.Pow(surplus[i], 3) / 6;
        Assert.That(Of(u, derivative, true).Energy(surplus, shift), Is.EqualTo(expected + onSite).Within(1e-14));
        for (int i = 0; i < 3; i++) Assert.That(shift[i], Is.EqualTo(second[i] + 0.5 * derivative[i] * surplus[i] * surplus[i]).Within(1e-14));
    }

    // Rock salt: the potential at one ion of its seven neighbours in the cell and their images is Madelung's −1.747564594633/d, less that of the ion's own
    // images in their background, −2.837297479481/a (Nijboer and Ruijgrok, J. Stat. Phys. 53, 361 (1988)). The same crystal in a cell twice as long, shifted by whole cells.
    [Test]
    public void ExternalPotentialIsMadelungs()
    {
        const double a = 4;
        double unit = Codata.BohrInAngstrom / a;
        (int, int, int)[] sites = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1)];
        double[] where = [.. sites.SelectMany(s => new[] { s.Item1 * a / 2, s.Item2 * a / 2, s.Item3 * a / 2 })];
        double[] charges = [.. sites.Select(s => (s.Item1 + s.Item2 + s.Item3) % 2 == 0 ? 1.0 : -1)];
        double Potential(Cell cell, double[] at, double[] q, double[] w)
        {
            var field = new ExternalField();
            field.Build(AtomsOf(["H"], [0, 0, 0], cell), new Ewald(cell), new ExternalCharges(at, q, w));
            return field.Potential[0];
        }
        double one = Potential(Cell.Box(a, a, a), where, charges, []);
        Assert.That(one, Is.EqualTo((-2 * 1.747564594633 + 2.837297479481) * unit).Within(1e-11));
        double[] twice = [.. where, .. where.Select((x, k) => k % 3 == 0 ? x - 3 * a : x + 5 * a * (k % 3 - 1)), a, 0, 0];
        double long1 = Potential(Cell.Box(2 * a, a, a), twice, [.. charges, .. charges, 1], []);
        // one image of the ion itself is a charge now: add all of them to the short cell as one of its own, half of them here, by the same constant
        double alone = Potential(Cell.Box(2 * a, a, a), [a, 0, 0], [1], []);
        Assert.That(long1 - alone, Is.EqualTo(one).Within(1e-11));
        // Narrow Gaussians are points from outside, up to their own background π w²/V; wide ones fade away.
        double volume = Math.Pow(a / Codata.BohrInAngstrom, 3), w = 0.2 / Codata.BohrInAngstrom;
        Assert.That(Potential(Cell.Box(a, a, a), where, charges, [.. charges.Select(_ => 0.2)]), Is.EqualTo(one + charges.Sum() * Math.PI * w * w / volume).Within(1e-11));
        Assert.That(Math.Abs(Potential(Cell.Box(a, a, a), where, charges, [.. charges.Select(_ => 8.0)])), Is.LessThan(1e-11));
    }
}
