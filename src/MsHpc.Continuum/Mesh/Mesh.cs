namespace MsHpc.Continuum;

/// <summary>Element shapes. Nodes are numbered as in VTK (and meshio): corners, then mid-edge nodes.</summary>
public enum ElementType
{
    /// <summary>A single node, for point loads.</summary>
    Point1,
    /// <summary>Straight edge, two nodes.</summary>
    Line2,
    /// <summary>Curved edge, three nodes.</summary>
    Line3,
    /// <summary>Linear triangle.</summary>
    Tri3,
    /// <summary>Quadratic triangle.</summary>
    Tri6,
    /// <summary>Bilinear quadrilateral.</summary>
    Quad4,
    /// <summary>Serendipity quadrilateral.</summary>
    Quad8,
    /// <summary>Linear tetrahedron.</summary>
    Tet4,
    /// <summary>Quadratic tetrahedron.</summary>
    Tet10,
    /// <summary>Trilinear hexahedron.</summary>
    Hex8,
    /// <summary>Serendipity hexahedron.</summary>
    Hex20,
}

/// <summary>Sizes that follow from an <see cref="ElementType"/>.</summary>
public static class ElementTypes
{
    /// <summary>Number of nodes.</summary>
    public static int Nodes(this ElementType type) => type switch
    {
        ElementType.Point1 => 1, ElementType.Line2 => 2, ElementType.Line3 => 3, ElementType.Tri3 => 3, ElementType.Tri6 => 6,
        ElementType.Quad4 => 4, ElementType.Quad8 => 8, ElementType.Tet4 => 4, ElementType.Tet10 => 10, ElementType.Hex8 => 8, _ => 20,
    };

    /// <summary>Dimension of the reference element, 0 … 3.</summary>
    public static int Dimension(this ElementType type) => type switch
    {
        ElementType.Point1 => 0,
        ElementType.Line2 or ElementType.Line3 => 1,
        ElementType.Tri3 or ElementType.Tri6 or ElementType.Quad4 or ElementType.Quad8 => 2,
        _ => 3,
    };
}

/// <summary>Elements of one shape in one named region.</summary>
/// <param name="Type">Shape.</param>
/// <param name="Region">Name of the physical group (or of the microstructure phase); <c>""</c> when the file has none.</param>
/// <param name="Connectivity">Nodes of each element, one after the other.</param>
public sealed record CellBlock(ElementType Type, string Region, int[] Connectivity)
{
    /// <summary>Number of elements.</summary>
    public int Count => Connectivity.Length / Type.Nodes();

    /// <summary>Nodes of one element.</summary>
    public ReadOnlySpan<int> Nodes(int element) => Connectivity.AsSpan(element * Type.Nodes(), Type.Nodes());
}

/// <summary>Nodes, elements by region, and named boundaries.</summary>
/// <param name="Dimension">2 or 3.</param>
/// <param name="Coordinates">Dimension numbers per node, node by node, in the job's length unit.</param>
/// <param name="Cells">Elements of full dimension.</param>
/// <param name="Boundaries">Elements of lower dimension by name: edges or faces for loads, points for single nodes. A name may hold several
/// shapes.</param>
public sealed record Mesh(int Dimension, double[] Coordinates, IReadOnlyList<CellBlock> Cells,
    IReadOnlyDictionary<string, IReadOnlyList<CellBlock>> Boundaries)
{
    /// <summary>Number of nodes.</summary>
    public int NodeCount => Coordinates.Length / Dimension;

    /// <summary>Number of elements of full dimension.</summary>
    public int CellCount => Cells.Sum(c => c.Count);

    /// <summary>Distinct nodes of a named boundary, rising.</summary>
    /// <exception cref="MsHpc.Core.InputException">There is no boundary of that name; the message lists those there are.</exception>
    public int[] BoundaryNodes(string name)
    {
        if (!Boundaries.TryGetValue(name, out var blocks))
            throw new Core.InputException($"the mesh has no boundary '{name}'; it has: {string.Join(", ", Boundaries.Keys.Order(StringComparer.Ordinal))}");
        return [.. blocks.SelectMany(b => b.Connectivity).Distinct().Order()];
    }
}
