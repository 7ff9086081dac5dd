namespace MsHpc.Continuum.IO;

/// <summary>Gmsh's element type numbers and node orders.</summary>
internal static class GmshTypes
{
    /// <summary>The shape of a Gmsh element type, or null when MsHpc has none.</summary>
    public static ElementType? FromCode(int code) => code switch
    {
        15 => ElementType.Point1, 1 => ElementType.Line2, 8 => ElementType.Line3, 2 => ElementType.Tri3, 9 => ElementType.Tri6,
        3 => ElementType.Quad4, 16 => ElementType.Quad8, 4 => ElementType.Tet4, 11 => ElementType.Tet10, 5 => ElementType.Hex8,
        17 => ElementType.Hex20, _ => null,
    };

    /// <summary>Gmsh's number of a shape.</summary>
    public static int Code(ElementType type) => type switch
    {
        ElementType.Point1 => 15, ElementType.Line2 => 1, ElementType.Line3 => 8, ElementType.Tri3 => 2, ElementType.Tri6 => 9,
        ElementType.Quad4 => 3, ElementType.Quad8 => 16, ElementType.Tet4 => 4, ElementType.Tet10 => 11, ElementType.Hex8 => 5, _ => 17,
    };

    /// <summary>Local node of Gmsh that is node k in VTK's order; null when the orders agree.</summary>
    public static int[]? Order(ElementType type) => type switch
    {
        ElementType.Tet10 => s_tet10,
        ElementType.Hex20 => s_hex20,
        _ => null,
    };

    /// <summary>What an unsupported type is and how to avoid it.</summary>
    public static string Refusal(int code) => code switch
    {
        6 or 13 or 18 => $"element type {code} (prism) is not supported; mesh with tetrahedra or hexahedra",
        7 or 14 or 19 => $"element type {code} (pyramid) is not supported; mesh with tetrahedra or hexahedra",
        10 => "element type 10 (9-node quadrilateral) is not supported; set Mesh.SecondOrderIncomplete = 1 to get 8-node quadrilaterals",
        12 => "element type 12 (27-node hexahedron) is not supported; set Mesh.SecondOrderIncomplete = 1 to get 20-node hexahedra",
        >= 20 and <= 140 => $"element type {code} (order above 2, or a polygon) is not supported; mesh with Mesh.ElementOrder = 1 or 2",
        _ => $"there is no element type {code}",
    };

    private static readonly int[] s_tet10 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8],
        s_hex20 = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 9, 16, 18, 19, 17, 10, 12, 14, 15];
}
