using MsHpc.Continuum;
using NUnit.Framework;

namespace MsHpc.Tests;

/// <summary>Checks that meshes share.</summary>
internal static class MeshAssert
{
    /// <summary>Area or volume of the corner polygons (polyhedra) of all elements; exact for straight edges.</summary>
    public static double Measure(Mesh mesh)
    {
        // ∫ div(x)/dim dV over the oriented facets of each element, facets split into triangles.
        double sum = 0;
        int dim = mesh.Dimension;
        double[] x = mesh.Coordinates;
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++)
                foreach (int[] facet in block.Type.Facets())
                {
                    int[] n = [.. facet.Select(a => block.Connectivity[e * block.Type.Nodes() + a])];
                    if (dim == 2) sum += 0.5 * (x[2 * n[0]] * x[2 * n[1] + 1] - x[2 * n[1]] * x[2 * n[0] + 1]);
                    else
                        for (int k = 2; k < block.Type.FacetType().Corners(); k++) sum += Triple(x, n[0], n[k - 1], n[k]) / 6;
                }
        return sum;
    }

    /// <summary>Length or area of a boundary's corner polygons.</summary>
    public static double Measure(Mesh mesh, string boundary) => Normal(mesh, boundary).Sum(Math.Abs);

    /// <summary>∫ n dA over a boundary, from the order of its nodes.</summary>
    public static double[] Normal(Mesh mesh, string boundary)
    {
        double[] x = mesh.Coordinates, sum = new double[mesh.Dimension];
        foreach (var block in mesh.Boundaries[boundary])
            for (int e = 0; e < block.Count; e++)
            {
                var n = block.Nodes(e);
                if (mesh.Dimension == 2)
                {
                    sum[0] += x[2 * n[1] + 1] - x[2 * n[0] + 1];
                    sum[1] -= x[2 * n[1]] - x[2 * n[0]];
                    continue;
                }
                for (int k = 2; k < block.Type.Corners(); k++)
                    for (int d = 0; d < 3; d++)
                    {
                        int u = (d + 1) % 3, v = (d + 2) % 3;
                        double Edge(int node, int axis, int from) => x[3 * node + axis] - x[3 * from + axis];
                        sum[d] += 0.5 * (Edge(n[k - 1], u, n[0]) * Edge(n[k], v, n[0]) - Edge(n[k - 1], v, n[0]) * Edge(n[k], u, n[0]));
                    }
            }
        return sum;
    }

    /// <summary>Every mid-edge node lies in the middle of its edge.</summary>
    public static void MidNodes(Mesh mesh, double tolerance = 1e-9)
    {
        foreach (var block in mesh.Cells.Concat(mesh.Boundaries.Values.SelectMany(b => b)))
        {
            if (!block.Type.IsQuadratic()) continue;
            for (int e = 0; e < block.Count; e++)
                for (int k = 0; k < block.Type.Edges().Count; k++)
                {
                    var (a, b) = block.Type.Edges()[k];
                    var n = block.Nodes(e);
                    for (int d = 0; d < mesh.Dimension; d++)
                    {
                        double middle = 0.5 * (mesh.Coordinates[n[a] * mesh.Dimension + d] + mesh.Coordinates[n[b] * mesh.Dimension + d]);
                        Assert.That(mesh.Coordinates[n[block.Type.Corners() + k] * mesh.Dimension + d], Is.EqualTo(middle).Within(tolerance),
                            $"{block.Type} {block.Region} element {e} edge {k}");
                    }
                }
        }
    }

    /// <summary>All elements are well numbered: positive Jacobian at the centre.</summary>
    public static void Positive(Mesh mesh)
    {
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++)
                Assert.That(MeshTopology.Orientation(block.Type, block.Nodes(e), mesh.Coordinates, mesh.Dimension), Is.GreaterThan(0), $"{block.Type} {e}");
    }

    /// <summary>Both hold the same nodes, blocks and boundaries.</summary>
    public static void Same(Mesh a, Mesh b)
    {
        Assert.That(a.Dimension, Is.EqualTo(b.Dimension));
        Assert.That(a.Coordinates, Is.EqualTo(b.Coordinates));
        Blocks(a.Cells, b.Cells);
        Assert.That(a.Boundaries.Keys.Order(StringComparer.Ordinal), Is.EqualTo(b.Boundaries.Keys.Order(StringComparer.Ordinal)));
        foreach (string name in a.Boundaries.Keys) Blocks(a.Boundaries[name], b.Boundaries[name]);

        static void Blocks(IReadOnlyList<CellBlock> a, IReadOnlyList<CellBlock> b)
        {
            Assert.That(a.Select(c => (c.Type, c.Region)), Is.EqualTo(b.Select(c => (c.Type, c.Region))));
            for (int i = 0; i < a.Count; i++) Assert.That(a[i].Connectivity, Is.EqualTo(b[i].Connectivity));
        }
    }

    private static double Triple(double[] x, int a, int b, int c) =>
        x[3 * a] * (x[3 * b + 1] * x[3 * c + 2] - x[3 * b + 2] * x[3 * c + 1])
        - x[3 * a + 1] * (x[3 * b] * x[3 * c + 2] - x[3 * b + 2] * x[3 * c])
        + x[3 * a + 2] * (x[3 * b] * x[3 * c + 1] - x[3 * b + 1] * x[3 * c]);
}
