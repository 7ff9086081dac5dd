namespace MsHpc.Continuum.Homogenization;

/// <summary>Element faces (edges in 2D) on the lower sides of a box, to interpolate a field there.</summary>
internal sealed class BoundaryFacets
{
    private readonly Mesh _mesh;
    private readonly double _tolerance;
    private readonly List<int[]>[] _facets; // by axis: corner and mid nodes of facets on the lower face normal to it

    public BoundaryFacets(Mesh mesh, double[] low, double tolerance)
    {
        (_mesh, _tolerance) = (mesh, tolerance);
        int dim = mesh.Dimension;
        _facets = [.. Enumerable.Range(0, dim).Select(_ => new List<int[]>())];
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++)
            {
                var nodes = block.Nodes(e);
                foreach (int[] local in Faces(block.Type))
                {
                    int[] facet = new int[local.Length];
                    for (int k = 0; k < local.Length; k++) facet[k] = nodes[local[k]];
                    for (int axis = 0; axis < dim; axis++)
                        if (facet.All(a => Math.Abs(mesh.Coordinates[a * dim + axis] - low[axis]) <= tolerance))
                            _facets[axis].Add(facet);
                }
            }
    }

    /// <summary>Nodes and weights whose weighted sum is the field at a point of a lower face; null when no facet covers the point.</summary>
    public (int Node, double Weight)[]? Interpolate(double[] x)
    {
        int dim = _mesh.Dimension;
        foreach (var facets in _facets)
            foreach (int[] facet in facets)
                if (Weights(facet, x) is { } weights)
                {
                    var terms = new List<(int, double)>();
                    for (int k = 0; k < facet.Length; k++)
                        if (Math.Abs(weights[k]) > 1e-14) terms.Add((facet[k], weights[k]));
                    return [.. terms];
                }
        return null;
    }

    // Corner coordinates decide where the point is (facets of a box side are flat and straight); the facet's own shape functions weigh it.
    private double[]? Weights(int[] facet, double[] x)
    {
        int dim = _mesh.Dimension;
        double[] P(int k) => _mesh.Coordinates.AsSpan(facet[k] * dim, dim).ToArray();
        double eps = 1e-7;
        if (dim == 2)
        {
            var (a, b) = (P(0), P(1));
            double length2 = Dot(Sub(b, a), Sub(b, a));
            double s = Dot(Sub(x, a), Sub(b, a)) / length2;
            var foot = Add(a, Scale(Sub(b, a), s));
            if (s < -eps || s > 1 + eps || Math.Sqrt(Dot(Sub(x, foot), Sub(x, foot))) > 10 * _tolerance) return null;
            return facet.Length == 2 ? [1 - s, s] : [(1 - s) * (1 - 2 * s), s * (2 * s - 1), 4 * s * (1 - s)];
        }
        if (facet.Length is 3 or 6)
        {
            var (a, b, c) = (P(0), P(1), P(2));
            var (u, v, w) = (Sub(b, a), Sub(c, a), Sub(x, a));
            double uu = Dot(u, u), uv = Dot(u, v), vv = Dot(v, v), wu = Dot(w, u), wv = Dot(w, v), det = uu * vv - uv * uv;
            double s = (wu * vv - wv * uv) / det, t = (wv * uu - wu * uv) / det;
            var off = Sub(w, Add(Scale(u, s), Scale(v, t)));
            if (s < -eps || t < -eps || s + t > 1 + eps || Math.Sqrt(Dot(off, off)) > 10 * _tolerance) return null;
            double r = 1 - s - t;
            return facet.Length == 3 ? [r, s, t]
                : [r * (2 * r - 1), s * (2 * s - 1), t * (2 * t - 1), 4 * r * s, 4 * s * t, 4 * t * r];
        }
        // bilinear (or serendipity) quadrilateral: invert the corner map by Newton; exact in two steps for rectangles
        double xi = 0, eta = 0;
        for (int it = 0; it < 20; it++)
        {
            double[] n = [(1 - xi) * (1 - eta) / 4, (1 + xi) * (1 - eta) / 4, (1 + xi) * (1 + eta) / 4, (1 - xi) * (1 + eta) / 4];
            double[] dx = [-(1 - eta) / 4, (1 - eta) / 4, (1 + eta) / 4, -(1 + eta) / 4];
            double[] dy = [-(1 - xi) / 4, -(1 + xi) / 4, (1 + xi) / 4, (1 - xi) / 4];
            double[] r = [.. x], j1 = new double[3], j2 = new double[3];
            for (int k = 0; k < 4; k++)
            {
                var p = P(k);
                for (int i = 0; i < 3; i++) { r[i] -= n[k] * p[i]; j1[i] += dx[k] * p[i]; j2[i] += dy[k] * p[i]; }
            }
            double a = Dot(j1, j1), b = Dot(j1, j2), c = Dot(j2, j2), f = Dot(j1, r), g = Dot(j2, r), det = a * c - b * b;
            double dxi = (f * c - g * b) / det, deta = (g * a - f * b) / det;
            xi += dxi;
            eta += deta;
            if (Math.Abs(xi) > 3 || Math.Abs(eta) > 3) return null;
            if (Math.Abs(dxi) + Math.Abs(deta) > 1e-13) continue;
            if (Math.Sqrt(Dot(r, r)) > 10 * _tolerance || Math.Abs(xi) > 1 + eps || Math.Abs(eta) > 1 + eps) return null;
            if (facet.Length == 4)
                return [(1 - xi) * (1 - eta) / 4, (1 + xi) * (1 - eta) / 4, (1 + xi) * (1 + eta) / 4, (1 - xi) * (1 + eta) / 4];
            return
            [
                (1 - xi) * (1 - eta) * (-1 - xi - eta) / 4, (1 + xi) * (1 - eta) * (-1 + xi - eta) / 4,
                (1 + xi) * (1 + eta) * (-1 + xi + eta) / 4, (1 - xi) * (1 + eta) * (-1 - xi + eta) / 4,
                (1 - xi * xi) * (1 - eta) / 2, (1 + xi) * (1 - eta * eta) / 2, (1 - xi * xi) * (1 + eta) / 2, (1 - xi) * (1 - eta * eta) / 2,
            ];
        }
        return null;
    }

    private static double Dot(double[] a, double[] b) { double s = 0; for (int i = 0; i < a.Length; i++) s += a[i] * b[i]; return s; }
    private static double[] Sub(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x - y)];
    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];
    private static double[] Scale(double[] a, double s) => [.. a.Select(x => x * s)];

    /// <summary>Local nodes of each facet (VTK numbering): corners, then mid-edge nodes.</summary>
    private static int[][] Faces(ElementType type) => type switch
    {
        ElementType.Tri3 => [[0, 1], [1, 2], [2, 0]],
        ElementType.Tri6 => [[0, 1, 3], [1, 2, 4], [2, 0, 5]],
        ElementType.Quad4 => [[0, 1], [1, 2], [2, 3], [3, 0]],
        ElementType.Quad8 => [[0, 1, 4], [1, 2, 5], [2, 3, 6], [3, 0, 7]],
        ElementType.Tet4 => [[0, 1, 2], [0, 1, 3], [1, 2, 3], [0, 2, 3]],
        ElementType.Tet10 => [[0, 1, 2, 4, 5, 6], [0, 1, 3, 4, 8, 7], [1, 2, 3, 5, 9, 8], [0, 2, 3, 6, 9, 7]],
        ElementType.Hex8 => [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]],
        ElementType.Hex20 =>
        [
            [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15], [0, 1, 5, 4, 8, 17, 12, 16],
            [1, 2, 6, 5, 9, 18, 13, 17], [2, 3, 7, 6, 10, 19, 14, 18], [3, 0, 4, 7, 11, 16, 15, 19],
        ],
        _ => [],
    };
}
