using MsHpc.Continuum;
using MsHpc.Continuum.Elements;
using NUnit.Framework;

namespace MsHpc.Tests.Fe;

[TestFixture, Category("Unit")]
internal sealed class ReferenceElementTests
{
    private static readonly ElementType[] Types = Enum.GetValues<ElementType>();
    private static readonly QuadratureRule[] Rules = Enum.GetValues<QuadratureRule>();

    [Test]
    public void ShapeFunctionsAreOneAtTheirNodeAndSumToOne([ValueSource(nameof(Types))] ElementType type)
    {
        var e = ReferenceElement.Get(type, QuadratureRule.Full);
        var n = new double[e.Nodes];
        var g = new double[e.Nodes * e.Dimension];
        for (int a = 0; a < e.Nodes; a++)
        {
            ReferenceElement.Evaluate(type, e.NodeCoordinates.AsSpan(a * e.Dimension, e.Dimension), n, g);
            for (int b = 0; b < e.Nodes; b++) Assert.That(n[b], Is.EqualTo(a == b ? 1 : 0).Within(1e-15), $"N{b} at node {a}");
        }
        foreach (var rule in Rules)
        {
            var r = ReferenceElement.Get(type, rule);
            for (int q = 0; q < r.Points; q++)
            {
                Assert.That(r.N.AsSpan(q * r.Nodes, r.Nodes).ToArray().Sum(), Is.EqualTo(1).Within(1e-14));
                for (int i = 0; i < r.Dimension; i++)
                {
                    double sum = 0;
                    for (int a = 0; a < r.Nodes; a++) sum += r.Gradients[(q * r.Nodes + a) * r.Dimension + i];
                    Assert.That(sum, Is.Zero.Within(1e-14));
                }
            }
        }
    }

    [Test]
    public void GradientsAreTheDerivatives([ValueSource(nameof(Types))] ElementType type)
    {
        int dim = type.Dimension(), nodes = type.Nodes();
        double[] x = [0.21, 0.13, 0.34];
        double[] n = new double[nodes], m = new double[nodes], g = new double[nodes * dim], scratch = new double[nodes * dim];
        ReferenceElement.Evaluate(type, x.AsSpan(0, dim), n, g);
        const double h = 1e-5; // central difference of polynomials of degree ≤ 4 per direction: error h²·|N'''|/6 ≈ 1e-10
        for (int i = 0; i < dim; i++)
        {
            double keep = x[i];
            x[i] = keep + h;
            ReferenceElement.Evaluate(type, x.AsSpan(0, dim), n, scratch);
            x[i] = keep - h;
            ReferenceElement.Evaluate(type, x.AsSpan(0, dim), m, scratch);
            x[i] = keep;
            for (int a = 0; a < nodes; a++) Assert.That(g[a * dim + i], Is.EqualTo((n[a] - m[a]) / (2 * h)).Within(2e-9));
        }
    }

    [Test]
    public void QuadratureHasItsDegree([ValueSource(nameof(Types))] ElementType type, [ValueSource(nameof(Rules))] QuadratureRule rule)
    {
        var e = ReferenceElement.Get(type, rule);
        if (e.Dimension == 0) { Assert.That(e.Weights, Is.EqualTo(new[] { 1.0 })); return; }
        bool simplex = ReferenceElement.IsSimplex(type);
        int perDirection = (int)Math.Round(Math.Pow(e.Points, 1.0 / e.Dimension));
        int degree = simplex ? e.Points switch { 1 => 1, 3 or 4 => 2, 6 => 4, _ => 5 } : 2 * perDirection - 1;
        for (int i = 0; i <= degree; i++)
            for (int j = 0; j <= (e.Dimension > 1 ? degree : 0); j++)
                for (int k = 0; k <= (e.Dimension > 2 ? degree : 0); k++)
                {
                    if (simplex && i + j + k > degree) continue;
                    double sum = 0;
                    for (int q = 0; q < e.Points; q++)
                    {
                        double term = e.Weights[q] * Math.Pow(e.PointCoordinates[q * e.Dimension], i);
                        if (e.Dimension > 1) term *= Math.Pow(e.PointCoordinates[q * e.Dimension + 1], j);
                        if (e.Dimension > 2) term *= Math.Pow(e.PointCoordinates[q * e.Dimension + 2], k);
                        sum += term;
                    }
                    double exact = simplex
                        ? Factorial(i) * Factorial(j) * Factorial(k) / Factorial(i + j + k + e.Dimension)
                        : Line(i) * (e.Dimension > 1 ? Line(j) : 1) * (e.Dimension > 2 ? Line(k) : 1);
                    Assert.That(sum, Is.EqualTo(exact).Within(1e-14), $"x^{i} y^{j} z^{k}");
                }
        static double Line(int p) => p % 2 == 1 ? 0 : 2.0 / (p + 1);
        static double Factorial(int n) => n <= 1 ? 1 : n * Factorial(n - 1);
    }

    [Test]
    public void MassRulesGiveTheTotalMass([ValueSource(nameof(Types))] ElementType type)
    {
        // ΣΣ Mₐᵦ = ∫1, and a positive diagonal; exactness for the products follows from the degrees tested above. Rounding grows with 400 terms.
        var e = ReferenceElement.Get(type, QuadratureRule.Mass);
        double total = 0, measure = e.Weights.Sum();
        for (int a = 0; a < e.Nodes; a++)
        {
            double diagonal = 0;
            for (int q = 0; q < e.Points; q++) diagonal += e.Weights[q] * e.N[q * e.Nodes + a] * e.N[q * e.Nodes + a];
            Assert.That(diagonal, Is.Positive);
            for (int b = 0; b < e.Nodes; b++)
                for (int q = 0; q < e.Points; q++) total += e.Weights[q] * e.N[q * e.Nodes + a] * e.N[q * e.Nodes + b];
        }
        Assert.That(total, Is.EqualTo(measure).Within(1e-12));
    }

    [Test]
    public void MidEdgeNodesFollowVtk()
    {
        var hex = ReferenceElement.Get(ElementType.Hex20, QuadratureRule.Full);
        Assert.That(hex.NodeCoordinates.AsSpan(8 * 3, 3).ToArray(), Is.EqualTo(new double[] { 0, -1, -1 }));
        Assert.That(hex.NodeCoordinates.AsSpan(12 * 3, 3).ToArray(), Is.EqualTo(new double[] { 0, -1, 1 }));
        Assert.That(hex.NodeCoordinates.AsSpan(18 * 3, 3).ToArray(), Is.EqualTo(new double[] { 1, 1, 0 }));
        var tet = ReferenceElement.Get(ElementType.Tet10, QuadratureRule.Full);
        Assert.That(tet.NodeCoordinates.AsSpan(6 * 3, 3).ToArray(), Is.EqualTo(new[] { 0, 0.5, 0 }));
        Assert.That(tet.NodeCoordinates.AsSpan(9 * 3, 3).ToArray(), Is.EqualTo(new[] { 0, 0.5, 0.5 }));
        Assert.That(ReferenceElement.Get(ElementType.Hex20, QuadratureRule.Full), Is.SameAs(hex));
    }
}
