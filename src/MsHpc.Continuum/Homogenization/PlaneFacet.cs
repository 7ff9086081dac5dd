using System.Globalization;
using MsHpc.Continuum.Elements;
using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>A facet in the coordinates of the plane (or line) it lies in: a convex polygon or an interval with shape functions.</summary>
internal sealed class PlaneFacet
{
    private readonly ElementType _type;
    private readonly (double X, double Y)[] _nodes;   // all nodes
    private readonly (double X, double Y)[] _corners; // counter-clockwise; an interval: its rising ends
    private readonly double _bottom, _top;            // extent along the second axis

    /// <exception cref="InputException">A quadrilateral is not convex.</exception>
    public PlaneFacet(Mesh mesh, SideFacet facet, int[] axes)
    {
        (_type, Nodes) = (facet.Type, facet.Nodes);
        _nodes = [.. Nodes.Select(a => Project(mesh, a, axes))];
        _corners = _nodes[.._type.Corners()];
        if (IsLine ? _corners[0].X > _corners[1].X : Twice(_corners[0], _corners[1], _corners[2]) < 0) Array.Reverse(_corners);
        if (_corners.Length == 4)
            for (int k = 0; k < 4; k++)
                if (!(Twice(_corners[k], _corners[(k + 1) % 4], _corners[(k + 2) % 4]) > 0))
                    throw new InputException($"the RVE has a quadrilateral facet {Where} that is not convex");
        (Low, High) = (_corners.Min(c => c.X), _corners.Max(c => c.X));
        (_bottom, _top) = (_corners.Min(c => c.Y), _corners.Max(c => c.Y));

        int n = Nodes.Length, d = _type.Dimension();
        (Integrals, Mass) = (new double[n], new double[n * n]);
        var rule = ReferenceElement.Get(_type, QuadratureRule.Mass);
        for (int q = 0; q < rule.Points; q++)
        {
            var shape = rule.N.AsSpan(q * n, n);
            double w = rule.Weights[q] * Math.Abs(Jacobian(rule.Gradients.AsSpan(q * n * d, n * d)).Determinant);
            Measure += w;
            for (int a = 0; a < n; a++)
            {
                Integrals[a] += w * shape[a];
                for (int b = 0; b < n; b++) Mass[a * n + b] += w * shape[a] * shape[b];
            }
        }
    }

    /// <summary>Mesh nodes.</summary>
    public int[] Nodes { get; }

    /// <summary>Extent along the first axis.</summary>
    public double Low { get; }

    /// <inheritdoc cref="Low"/>
    public double High { get; }

    /// <summary>Area, or length.</summary>
    public double Measure { get; }

    /// <summary>∫Nₐ.</summary>
    public double[] Integrals { get; }

    /// <summary>∫NₐN_b.</summary>
    public double[] Mass { get; }

    /// <summary>Mean of the corners.</summary>
    public (double X, double Y) Centroid => (_corners.Average(c => c.X), _corners.Average(c => c.Y));

    /// <summary>Where the facet is, for messages.</summary>
    public string Where => string.Create(CultureInfo.InvariantCulture, $"at ({Centroid.X:G6}{(IsLine ? "" : $", {Centroid.Y:G6}")}) in its plane");

    private bool IsLine => _type.Dimension() == 1;

    /// <summary>Coordinates of a node along one or two axes; y = 0 on a line.</summary>
    public static (double X, double Y) Project(Mesh mesh, int node, int[] axes) =>
        (mesh.Coordinates[node * mesh.Dimension + axes[0]], axes.Length > 1 ? mesh.Coordinates[node * mesh.Dimension + axes[1]] : 0);

    /// <summary>
    /// The common part of two facets: an interval's ends, or a convex polygon by clipping this one at each edge of the other (Sutherland and
    /// Hodgman, Commun. ACM 17, 32, 1974); empty when they do not overlap.
    /// </summary>
    public List<(double X, double Y)> Intersect(PlaneFacet other)
    {
        if (IsLine)
        {
            double low = Math.Max(Low, other.Low), high = Math.Min(High, other.High);
            return low < high ? [(low, 0), (high, 0)] : [];
        }
        if (Low >= other.High || High <= other.Low || _bottom >= other._top || _top <= other._bottom) return [];
        List<(double X, double Y)> region = [.. _corners];
        for (int e = 0; e < other._corners.Length && region.Count > 0; e++)
        {
            var (a, b) = (other._corners[e], other._corners[(e + 1) % other._corners.Length]);
            var kept = new List<(double X, double Y)>(region.Count + 1);
            for (int k = 0; k < region.Count; k++)
            {
                var (p, q) = (region[k], region[(k + 1) % region.Count]);
                double sp = Twice(a, b, p), sq = Twice(a, b, q); // > 0: left of the edge, inside
                if (sp >= 0) kept.Add(p);
                if (sp > 0 && sq < 0 || sp < 0 && sq > 0)
                {
                    double t = sp / (sp - sq);
                    kept.Add((p.X + t * (q.X - p.X), p.Y + t * (q.Y - p.Y)));
                }
            }
            region = kept;
        }
        return region.Count > 2 ? region : [];
    }

    /// <summary>Points and weights on an intersection: 3 Gauss points on a line (degree 5), 6 points on each triangle of a polygon's fan
    /// (degree 4, two bilinear functions of parallelograms).</summary>
    public static IEnumerable<((double X, double Y) Point, double Weight)> Quadrature(List<(double X, double Y)> region)
    {
        var rule = ReferenceElement.Get(region.Count == 2 ? ElementType.Line3 : ElementType.Tri6, QuadratureRule.Mass);
        if (region.Count == 2)
        {
            double middle = 0.5 * (region[0].X + region[1].X), half = 0.5 * (region[1].X - region[0].X);
            for (int q = 0; q < rule.Points; q++) yield return ((middle + half * rule.PointCoordinates[q], 0), half * rule.Weights[q]);
        }
        for (int k = 2; k < region.Count; k++)
        {
            var (a, b, c) = (region[0], region[k - 1], region[k]);
            double jacobian = Twice(a, b, c);
            if (!(jacobian > 0)) continue;
            for (int q = 0; q < rule.Points; q++)
            {
                double s = rule.PointCoordinates[2 * q], t = rule.PointCoordinates[2 * q + 1];
                yield return ((a.X + s * (b.X - a.X) + t * (c.X - a.X), a.Y + s * (b.Y - a.Y) + t * (c.Y - a.Y)), jacobian * rule.Weights[q]);
            }
        }
    }

    /// <summary>Shape functions at a point of the plane: Newton's method for the reference coordinates, one step where the map is affine.</summary>
    public void ShapeFunctions((double X, double Y) point, Span<double> n)
    {
        int d = _type.Dimension();
        Span<double> xi = stackalloc double[2], gradients = stackalloc double[8];
        xi.Fill(_type is ElementType.Tri3 ? 1.0 / 3 : 0);
        for (int it = 0; it < 20; it++)
        {
            ReferenceElement.Evaluate(_type, xi[..d], n, gradients);
            var (a, b, c, e, det) = Jacobian(gradients);
            var (rx, ry) = point;
            for (int k = 0; k < _nodes.Length; k++) (rx, ry) = (rx - n[k] * _nodes[k].X, ry - n[k] * _nodes[k].Y);
            double dx = (e * rx - b * ry) / det, dy = (a * ry - c * rx) / det;
            if (Math.Abs(dx) + Math.Abs(dy) < 1e-14) return;
            xi[0] += dx;
            xi[1] += dy;
        }
    }

    /// <summary>∂(x, y)/∂(ξ, η); on a line ∂y/∂η = 1.</summary>
    private (double XXi, double XEta, double YXi, double YEta, double Determinant) Jacobian(ReadOnlySpan<double> gradients)
    {
        int d = _type.Dimension();
        double a = 0, b = 0, c = 0, e = d == 1 ? 1 : 0;
        for (int k = 0; k < _nodes.Length; k++)
        {
            a += _nodes[k].X * gradients[k * d];
            if (d == 1) continue;
            b += _nodes[k].X * gradients[k * d + 1];
            c += _nodes[k].Y * gradients[k * d];
            e += _nodes[k].Y * gradients[k * d + 1];
        }
        return (a, b, c, e, a * e - b * c);
    }

    /// <summary>Twice the signed area of a triangle.</summary>
    private static double Twice((double X, double Y) a, (double X, double Y) b, (double X, double Y) c) =>
        (b.X - a.X) * (c.Y - a.Y) - (b.Y - a.Y) * (c.X - a.X);
}

/// <summary>Facets in the order of their lower end along the first axis, to find those near another.</summary>
internal sealed class FacetSearch
{
    private readonly double[] _low;
    private readonly double _widest;

    public FacetSearch(IEnumerable<PlaneFacet> facets)
    {
        Facets = [.. facets.OrderBy(f => f.Low)];
        _low = [.. Facets.Select(f => f.Low)];
        _widest = Facets.Length == 0 ? 0 : Facets.Max(f => f.High - f.Low);
    }

    /// <summary>All facets.</summary>
    public PlaneFacet[] Facets { get; }

    /// <summary>Facets whose extent along the first axis overlaps that of the given one, and some more.</summary>
    public IEnumerable<PlaneFacet> Near(PlaneFacet facet)
    {
        int first = Array.BinarySearch(_low, facet.Low - _widest);
        if (first < 0) first = ~first;
        while (first > 0 && _low[first - 1] >= facet.Low - _widest) first--;
        for (int k = first; k < Facets.Length && _low[k] < facet.High; k++) yield return Facets[k];
    }
}
