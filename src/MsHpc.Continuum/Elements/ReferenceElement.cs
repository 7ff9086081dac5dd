using System.Collections.Concurrent;

namespace MsHpc.Continuum.Elements;

/// <summary>Which integrals a rule is meant for.</summary>
public enum QuadratureRule
{
    /// <summary>Exact for the stiffness of an undistorted element: 1 point on linear simplices, 3/4 on quadratic ones, 2 per direction on
    /// linear and 3 per direction on serendipity tensor elements.</summary>
    Full,
    /// <summary>One point per direction less than full on tensor elements (2 per direction for serendipity, the usual cure against
    /// locking); as <see cref="Full"/> on simplices. A linear quadrilateral or hexahedron with this rule has hourglass modes.</summary>
    Reduced,
    /// <summary>Exact for NₐNᵦ: mass matrices, projections and loads.</summary>
    Mass,
}

/// <summary>
/// Shape functions and quadrature of a reference element. Lines, quadrilaterals and hexahedra live on [−1, 1]^d, simplices on the unit
/// simplex; nodes are numbered as in VTK. Instances are cached and must be treated as immutable.
/// <code>
/// tensor, linear      Nₐ = Π (1 + ξᵢξₐᵢ)/2
/// tensor, serendipity corners Nₐ = Π (1 + ξᵢξₐᵢ)/2 · (Σ ξᵢξₐᵢ − (d − 1)),  mid-edges Nₐ = (1 − ξₘ²) Π_{i≠m} (1 + ξᵢξₐᵢ)/2
/// simplex, quadratic  corners λₐ(2λₐ − 1), mid-edges 4λᵢλⱼ
/// </code>
/// Quadrature: Gauss products; on simplices Hammer–Stroud (degree 2), Dunavant 6 points (degree 4; IJNME 21, 1129, 1985) and Walkington's
/// 14 points (degree 5, all weights positive).
/// </summary>
public sealed class ReferenceElement
{
    private static readonly ConcurrentDictionary<(ElementType, QuadratureRule), ReferenceElement> Cache = new();

    private static readonly int[] TriangleEdges = [0, 1, 1, 2, 2, 0];
    private static readonly int[] TetrahedronEdges = [0, 1, 1, 2, 2, 0, 0, 3, 1, 3, 2, 3];
    private static readonly int[] QuadrilateralEdges = [0, 1, 1, 2, 2, 3, 3, 0];
    private static readonly int[] HexahedronEdges = [0, 1, 1, 2, 2, 3, 3, 0, 4, 5, 5, 6, 6, 7, 7, 4, 0, 4, 1, 5, 2, 6, 3, 7];

    private ReferenceElement(ElementType type, QuadratureRule rule)
    {
        Type = type;
        Rule = rule;
        Nodes = type.Nodes();
        Dimension = type.Dimension();
        NodeCoordinates = Coordinates(type);
        (PointCoordinates, Weights) = Quadrature(type, rule);
        N = new double[Points * Nodes];
        Gradients = new double[Points * Nodes * Dimension];
        for (int q = 0; q < Points; q++)
            Evaluate(type, PointCoordinates.AsSpan(q * Dimension, Dimension), N.AsSpan(q * Nodes, Nodes),
                Gradients.AsSpan(q * Nodes * Dimension, Nodes * Dimension));
    }

    /// <summary>The cached element of a shape and a rule.</summary>
    public static ReferenceElement Get(ElementType type, QuadratureRule rule) =>
        Cache.GetOrAdd((type, rule), static key => new ReferenceElement(key.Item1, key.Item2));

    /// <summary>Shape.</summary>
    public ElementType Type { get; }

    /// <summary>Rule.</summary>
    public QuadratureRule Rule { get; }

    /// <summary>Number of nodes.</summary>
    public int Nodes { get; }

    /// <summary>Dimension of the reference element, 0 … 3.</summary>
    public int Dimension { get; }

    /// <summary>Number of quadrature points.</summary>
    public int Points => Weights.Length;

    /// <summary>Shape functions at the quadrature points, [q·Nodes + a].</summary>
    public double[] N { get; }

    /// <summary>∂Nₐ/∂ξᵢ at the quadrature points, [(q·Nodes + a)·Dimension + i].</summary>
    public double[] Gradients { get; }

    /// <summary>Quadrature weights; they sum to the measure of the reference element.</summary>
    public double[] Weights { get; }

    /// <summary>Reference coordinates of the quadrature points, [q·Dimension + i].</summary>
    public double[] PointCoordinates { get; }

    /// <summary>Reference coordinates of the nodes, [a·Dimension + i].</summary>
    public double[] NodeCoordinates { get; }

    /// <summary>Whether the shape is a triangle or a tetrahedron.</summary>
    internal static bool IsSimplex(ElementType type) => type is ElementType.Tri3 or ElementType.Tri6 or ElementType.Tet4 or ElementType.Tet10;

    /// <summary>Whether the shape has mid-edge nodes.</summary>
    internal static bool IsQuadratic(ElementType type) =>
        type is ElementType.Line3 or ElementType.Tri6 or ElementType.Quad8 or ElementType.Tet10 or ElementType.Hex20;

    /// <summary>Corner nodes at the two ends of each mid-edge node, in the order of the mid-edge nodes.</summary>
    internal static ReadOnlySpan<int> Edges(ElementType type) => type switch
    {
        ElementType.Line2 or ElementType.Line3 => [0, 1],
        ElementType.Tri3 or ElementType.Tri6 => TriangleEdges,
        ElementType.Quad4 or ElementType.Quad8 => QuadrilateralEdges,
        ElementType.Tet4 or ElementType.Tet10 => TetrahedronEdges,
        ElementType.Hex8 or ElementType.Hex20 => HexahedronEdges,
        _ => [],
    };

    /// <summary>Shape functions and their gradients at any point.</summary>
    /// <param name="type">Shape.</param>
    /// <param name="point">ξ, Dimension numbers.</param>
    /// <param name="n">Nₐ, one per node. Out.</param>
    /// <param name="gradients">∂Nₐ/∂ξᵢ, [a·Dimension + i]. Out.</param>
    public static void Evaluate(ElementType type, ReadOnlySpan<double> point, Span<double> n, Span<double> gradients)
    {
        int dim = type.Dimension(), nodes = type.Nodes();
        if (dim == 0)
        {
            n[0] = 1;
            return;
        }
        if (IsSimplex(type))
        {
            Span<double> lambda = stackalloc double[4];
            lambda[0] = 1;
            for (int i = 0; i < dim; i++)
            {
                lambda[i + 1] = point[i];
                lambda[0] -= point[i];
            }
            // ∂λ₀/∂ξᵢ = −1, ∂λₖ/∂ξᵢ = δₖ₋₁ᵢ.
            bool quadratic = IsQuadratic(type);
            for (int a = 0; a <= dim; a++)
            {
                n[a] = quadratic ? lambda[a] * (2 * lambda[a] - 1) : lambda[a];
                double slope = quadratic ? 4 * lambda[a] - 1 : 1;
                for (int i = 0; i < dim; i++) gradients[a * dim + i] = slope * Slope(a, i);
            }
            if (!quadratic) return;
            var edges = Edges(type);
            for (int e = 0; e < nodes - dim - 1; e++)
            {
                int a = edges[2 * e], b = edges[2 * e + 1], m = dim + 1 + e;
                n[m] = 4 * lambda[a] * lambda[b];
                for (int i = 0; i < dim; i++) gradients[m * dim + i] = 4 * (lambda[a] * Slope(b, i) + lambda[b] * Slope(a, i));
            }
            return;
        }

        int corners = 1 << dim;
        bool serendipity = nodes > corners;
        Span<double> node = stackalloc double[3];
        Span<double> factor = stackalloc double[3];
        Span<double> slopes = stackalloc double[3];
        for (int a = 0; a < nodes; a++)
        {
            NodeAt(type, a, node);
            for (int i = 0; i < dim; i++)
            {
                bool middle = node[i] == 0;
                factor[i] = middle ? 1 - point[i] * point[i] : 0.5 * (1 + point[i] * node[i]);
                slopes[i] = middle ? -2 * point[i] : 0.5 * node[i];
            }
            double product = 1, bubble = 1;
            for (int i = 0; i < dim; i++) product *= factor[i];
            bool corner = serendipity && a < corners;
            if (corner)
            {
                bubble = 1 - dim;
                for (int i = 0; i < dim; i++) bubble += point[i] * node[i];
            }
            n[a] = product * bubble;
            for (int i = 0; i < dim; i++)
            {
                double others = 1;
                for (int j = 0; j < dim; j++) if (j != i) others *= factor[j];
                gradients[a * dim + i] = others * slopes[i] * bubble + (corner ? product * node[i] : 0);
            }
        }

        static double Slope(int a, int i) => a == 0 ? -1 : a - 1 == i ? 1 : 0;
    }

    private static void NodeAt(ElementType type, int a, Span<double> x)
    {
        int dim = type.Dimension(), corners = 1 << dim;
        if (a < corners)
        {
            Corner(a, x);
            return;
        }
        var edges = Edges(type);
        Span<double> y = stackalloc double[3];
        Corner(edges[2 * (a - corners)], x);
        Corner(edges[2 * (a - corners) + 1], y);
        for (int i = 0; i < 3; i++) x[i] = 0.5 * (x[i] + y[i]);

        static void Corner(int c, Span<double> x)
        {
            // Counter-clockwise in the plane, then the upper layer.
            x[0] = (c & 3) is 1 or 2 ? 1 : -1;
            x[1] = (c & 3) is 2 or 3 ? 1 : -1;
            x[2] = c >= 4 ? 1 : -1;
        }
    }

    private static double[] Coordinates(ElementType type)
    {
        int dim = type.Dimension(), nodes = type.Nodes();
        var x = new double[nodes * dim];
        if (dim == 0) return x;
        if (!IsSimplex(type))
        {
            Span<double> node = stackalloc double[3];
            for (int a = 0; a < nodes; a++)
            {
                NodeAt(type, a, node);
                node[..dim].CopyTo(x.AsSpan(a * dim));
            }
            return x;
        }
        for (int i = 0; i < dim; i++) x[(i + 1) * dim + i] = 1;
        var edges = Edges(type);
        for (int m = dim + 1; m < nodes; m++)
            for (int i = 0; i < dim; i++)
                x[m * dim + i] = 0.5 * (x[edges[2 * (m - dim - 1)] * dim + i] + x[edges[2 * (m - dim - 1) + 1] * dim + i]);
        return x;
    }

    private static (double[] Points, double[] Weights) Quadrature(ElementType type, QuadratureRule rule)
    {
        bool mass = rule == QuadratureRule.Mass, full = rule == QuadratureRule.Full;
        switch (type)
        {
            case ElementType.Point1: return ([], [1]);
            case ElementType.Tri3: return mass ? Triangle3() : ([1.0 / 3, 1.0 / 3], [0.5]);
            case ElementType.Tri6: return mass ? Triangle6() : Triangle3();
            case ElementType.Tet4: return mass ? Tetrahedron4() : ([0.25, 0.25, 0.25], [1.0 / 6]);
            case ElementType.Tet10: return mass ? Tetrahedron14() : Tetrahedron4();
            case ElementType.Line2 or ElementType.Quad4: return Gauss(type.Dimension(), mass || full ? 2 : 1);
            // The Jacobian determinant of a distorted brick is quadratic in each coordinate: NₐNᵦJ then needs three points.
            case ElementType.Hex8: return Gauss(3, mass ? 3 : full ? 2 : 1);
            default: return Gauss(type.Dimension(), mass || full ? 3 : 2);
        }
    }

    private static (double[], double[]) Gauss(int dim, int perDirection)
    {
        (double[] x, double[] w) = perDirection switch
        {
            1 => (new[] { 0.0 }, new[] { 2.0 }),
            2 => ([-1 / Math.Sqrt(3), 1 / Math.Sqrt(3)], [1.0, 1.0]),
            _ => ([-Math.Sqrt(0.6), 0, Math.Sqrt(0.6)], [5.0 / 9, 8.0 / 9, 5.0 / 9]),
        };
        int count = 1;
        for (int i = 0; i < dim; i++) count *= perDirection;
        var points = new double[count * dim];
        var weights = new double[count];
        for (int q = 0; q < count; q++)
        {
            weights[q] = 1;
            for (int i = 0, rest = q; i < dim; i++, rest /= perDirection)
            {
                points[q * dim + i] = x[rest % perDirection];
                weights[q] *= w[rest % perDirection];
            }
        }
        return (points, weights);
    }

    private static (double[], double[]) Triangle3() =>
        ([1.0 / 6, 1.0 / 6, 2.0 / 3, 1.0 / 6, 1.0 / 6, 2.0 / 3], [1.0 / 6, 1.0 / 6, 1.0 / 6]);

    private static (double[], double[]) Triangle6()
    {
        const double a = 0.44594849091596488632, wa = 0.22338158967801146570 / 2;
        const double b = 0.09157621350977074346, wb = 0.10995174365532186764 / 2;
        return ([a, a, 1 - 2 * a, a, a, 1 - 2 * a, b, b, 1 - 2 * b, b, b, 1 - 2 * b], [wa, wa, wa, wb, wb, wb]);
    }

    private static (double[], double[]) Tetrahedron4()
    {
        double a = (5 - Math.Sqrt(5)) / 20, b = 1 - 3 * a;
        const double w = 1.0 / 24;
        return ([a, a, a, b, a, a, a, b, a, a, a, b], [w, w, w, w]);
    }

    private static (double[], double[]) Tetrahedron14()
    {
        const double a = 0.31088591926330060980, wa = 0.11268792571801585080 / 6;
        const double b = 0.09273525031089122640, wb = 0.07349304311636194954 / 6;
        const double c = 0.04550370412564964949, wc = 0.04254602077708146644 / 6, d = 0.5 - c;
        return ([a, a, a, 1 - 3 * a, a, a, a, 1 - 3 * a, a, a, a, 1 - 3 * a,
                 b, b, b, 1 - 3 * b, b, b, b, 1 - 3 * b, b, b, b, 1 - 3 * b,
                 c, c, d, c, d, c, d, c, c, d, d, c, d, c, d, c, d, d],
                [wa, wa, wa, wa, wb, wb, wb, wb, wc, wc, wc, wc, wc, wc]);
    }
}
