using MsHpc.Core;

namespace MsHpc.Continuum;

/// <summary>A facet (edge in 2D, face in 3D) of one element.</summary>
/// <param name="Type">Shape, with mid-edge nodes where the element has them.</param>
/// <param name="Nodes">Nodes, seen from outside the element counter-clockwise (in 2D: the element lies to the left of the edge).</param>
/// <param name="Block">Index of the element's block in <see cref="Mesh.Cells"/>.</param>
/// <param name="Element">Index of the element in its block.</param>
public sealed record Facet(ElementType Type, int[] Nodes, int Block, int Element);

/// <summary>Edges and facets of the element shapes, and what follows from them for a mesh.</summary>
public static class MeshTopology
{
    /// <summary>Number of corner nodes; the mid-edge nodes follow them in the order of <see cref="Edges"/>.</summary>
    public static int Corners(this ElementType type) => type switch
    {
        ElementType.Point1 => 1, ElementType.Line2 or ElementType.Line3 => 2, ElementType.Tri3 or ElementType.Tri6 => 3,
        ElementType.Quad4 or ElementType.Quad8 or ElementType.Tet4 or ElementType.Tet10 => 4, _ => 8,
    };

    /// <summary>True for shapes with mid-edge nodes.</summary>
    public static bool IsQuadratic(this ElementType type) => type.Nodes() > type.Corners();

    /// <summary>Corner pairs of the edges, in VTK order.</summary>
    public static IReadOnlyList<(int A, int B)> Edges(this ElementType type) => type switch
    {
        ElementType.Point1 => [],
        ElementType.Line2 or ElementType.Line3 => s_line,
        ElementType.Tri3 or ElementType.Tri6 => s_tri,
        ElementType.Quad4 or ElementType.Quad8 => s_quad,
        ElementType.Tet4 or ElementType.Tet10 => s_tet,
        _ => s_hex,
    };

    /// <summary>Shape of the facets of a two- or three-dimensional element.</summary>
    public static ElementType FacetType(this ElementType type) => type switch
    {
        ElementType.Line2 or ElementType.Line3 => ElementType.Point1,
        ElementType.Tri3 or ElementType.Quad4 => ElementType.Line2,
        ElementType.Tri6 or ElementType.Quad8 => ElementType.Line3,
        ElementType.Tet4 => ElementType.Tri3, ElementType.Tet10 => ElementType.Tri6,
        ElementType.Hex8 => ElementType.Quad4, ElementType.Hex20 => ElementType.Quad8,
        _ => throw new InputException("a point has no facets"),
    };

    /// <summary>Local nodes of each facet of a two- or three-dimensional element, counter-clockwise seen from outside.</summary>
    public static IReadOnlyList<int[]> Facets(this ElementType type) => s_facets[(int)type];

    /// <summary>Facets that belong to one element only: the outer surface, holes included.</summary>
    public static IReadOnlyList<Facet> Skin(Mesh mesh)
    {
        var open = new Dictionary<FacetKey, (int Block, int Element, int Local)>();
        for (int b = 0; b < mesh.Cells.Count; b++)
        {
            var block = mesh.Cells[b];
            var facets = block.Type.Facets();
            for (int e = 0; e < block.Count; e++)
                for (int f = 0; f < facets.Count; f++)
                {
                    var key = FacetKey.Of(block.Nodes(e), facets[f], block.Type.FacetType().Corners());
                    if (!open.Remove(key)) open.Add(key, (b, e, f));
                }
        }
        var skin = open.Values.ToArray();
        Array.Sort(skin);
        return [.. skin.Select(s => new Facet(mesh.Cells[s.Block].Type.FacetType(),
            Pick(mesh.Cells[s.Block].Nodes(s.Element), mesh.Cells[s.Block].Type.Facets()[s.Local]), s.Block, s.Element))];
    }

    /// <summary>
    /// Turns boundary elements that lie on the surface so that their normal points out of the body (in 2D: the body lies to the left).
    /// Elements between two cells, and those that match no facet, stay as they are.
    /// </summary>
    internal static void OrientOutward(IReadOnlyList<CellBlock> cells, IEnumerable<CellBlock> boundaries)
    {
        var wanted = new Dictionary<FacetKey, int[]?>();
        foreach (var block in boundaries)
            for (int e = 0; e < block.Count; e++) wanted[FacetKey.Of(block.Nodes(e), null, block.Type.Corners())] = null;
        int[] inside = []; // marks a facet that two cells share
        foreach (var block in cells)
        {
            var facets = block.Type.Facets();
            int corners = block.Type.FacetType().Corners();
            for (int e = 0; e < block.Count; e++)
                for (int f = 0; f < facets.Count; f++)
                {
                    var key = FacetKey.Of(block.Nodes(e), facets[f], corners);
                    if (wanted.TryGetValue(key, out var seen)) wanted[key] = seen is null ? Pick(block.Nodes(e), facets[f]) : inside;
                }
        }
        foreach (var block in boundaries)
            for (int e = 0; e < block.Count; e++)
                if (wanted[FacetKey.Of(block.Nodes(e), null, block.Type.Corners())] is { } nodes && nodes.Length == block.Type.Nodes())
                    nodes.CopyTo(block.Connectivity, e * nodes.Length);
    }

    /// <summary>
    /// Twice the signed area of a triangle, four times the Jacobian of a quadrilateral at its centre, six times the volume of a
    /// tetrahedron, eight times the Jacobian of a hexahedron at its centre: positive for well-numbered elements.
    /// </summary>
    internal static double Orientation(ElementType type, ReadOnlySpan<int> nodes, ReadOnlySpan<double> x, int dim)
    {
        Span<double> j = stackalloc double[9]; // columns of the Jacobian at the centre
        j.Clear();
        var (signs, count) = type switch
        {
            ElementType.Tri3 or ElementType.Tri6 => (s_triGradients, 3),
            ElementType.Quad4 or ElementType.Quad8 => (s_quadGradients, 4),
            ElementType.Tet4 or ElementType.Tet10 => (s_tetGradients, 4),
            _ => (s_hexGradients, 8),
        };
        for (int a = 0; a < count; a++)
            for (int k = 0; k < dim; k++)
                for (int i = 0; i < dim; i++) j[k * 3 + i] += signs[a * dim + k] * x[nodes[a] * dim + i];
        return dim == 2 ? j[0] * j[4] - j[1] * j[3]
            : j[0] * (j[4] * j[8] - j[5] * j[7]) - j[1] * (j[3] * j[8] - j[5] * j[6]) + j[2] * (j[3] * j[7] - j[4] * j[6]);
    }

    /// <summary>Local order of the nodes that turns an element inside out.</summary>
    internal static int[] Mirror(ElementType type) => type switch
    {
        ElementType.Tri3 => [0, 2, 1],
        ElementType.Tri6 => [0, 2, 1, 5, 4, 3],
        ElementType.Quad4 => [0, 3, 2, 1],
        ElementType.Quad8 => [0, 3, 2, 1, 7, 6, 5, 4],
        ElementType.Tet4 => [0, 2, 1, 3],
        ElementType.Tet10 => [0, 2, 1, 3, 6, 5, 4, 7, 9, 8],
        ElementType.Hex8 => [4, 5, 6, 7, 0, 1, 2, 3],
        ElementType.Hex20 => [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11, 16, 17, 18, 19],
        _ => throw new InputException($"{type} has no orientation"),
    };

    private static int[] Pick(ReadOnlySpan<int> nodes, int[] local)
    {
        var picked = new int[local.Length];
        for (int i = 0; i < local.Length; i++) picked[i] = nodes[local[i]];
        return picked;
    }

    private static int[][] FacetTable(ElementType type)
    {
        int[][] corners = type switch
        {
            ElementType.Tri3 or ElementType.Tri6 => [[0, 1], [1, 2], [2, 0]],
            ElementType.Quad4 or ElementType.Quad8 => [[0, 1], [1, 2], [2, 3], [3, 0]],
            ElementType.Tet4 or ElementType.Tet10 => [[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]],
            ElementType.Hex8 or ElementType.Hex20 => [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]],
            ElementType.Line2 or ElementType.Line3 => [[0], [1]],
            _ => [],
        };
        if (!type.IsQuadratic() || type.Dimension() < 2) return corners;
        var edges = type.Edges();
        int Mid(int a, int b)
        {
            for (int e = 0; e < edges.Count; e++) if (edges[e] == (a, b) || edges[e] == (b, a)) return type.Corners() + e;
            throw new InvalidOperationException($"{type} has no edge {a}-{b}");
        }
        return [.. corners.Select(c => c.Length == 2 ? [.. c, Mid(c[0], c[1])]
            : (int[])[.. c, .. c.Select((_, i) => Mid(c[i], c[(i + 1) % c.Length]))])];
    }

    /// <summary>Corner nodes of a facet in rising order, −1 where there are fewer than four.</summary>
    internal readonly record struct FacetKey(int A, int B, int C, int D)
    {
        public static FacetKey Of(ReadOnlySpan<int> nodes, int[]? local, int corners)
        {
            Span<int> key = [-1, -1, -1, -1];
            for (int i = 0; i < corners; i++) key[i] = nodes[local is null ? i : local[i]];
            key.Sort();
            return new FacetKey(key[0], key[1], key[2], key[3]);
        }
    }

    private static readonly (int, int)[] s_line = [(0, 1)], s_tri = [(0, 1), (1, 2), (2, 0)], s_quad = [(0, 1), (1, 2), (2, 3), (3, 0)],
        s_tet = [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)],
        s_hex = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)];

    private static readonly double[] s_triGradients = [-1, -1, 1, 0, 0, 1], s_quadGradients = [-1, -1, 1, -1, 1, 1, -1, 1],
        s_tetGradients = [-1, -1, -1, 1, 0, 0, 0, 1, 0, 0, 0, 1],
        s_hexGradients = [-1, -1, -1, 1, -1, -1, 1, 1, -1, -1, 1, -1, -1, -1, 1, 1, -1, 1, 1, 1, 1, -1, 1, 1];

    private static readonly int[][][] s_facets = [.. Enum.GetValues<ElementType>().Select(FacetTable)];
}
