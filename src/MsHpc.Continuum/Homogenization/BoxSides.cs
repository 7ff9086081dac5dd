using System.Numerics;
using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>An element facet, or an edge of one, on a side of the box.</summary>
/// <param name="Type">Shape.</param>
/// <param name="Nodes">Its nodes, corners first.</param>
internal readonly record struct SideFacet(ElementType Type, int[] Nodes);

/// <summary>A face, an edge or a corner of the box: what lies on a set of its sides.</summary>
/// <param name="Sides">Sides that meet here, as in <see cref="BoxSides.Of"/>.</param>
/// <param name="Axes">Axes along which the piece extends.</param>
internal sealed record BoxPiece(int Sides, int[] Axes)
{
    /// <summary>Nodes on the piece, those on its rim included, rising.</summary>
    public List<int> Nodes { get; } = [];

    /// <summary>Element facets that make up a face, element edges that make up an edge; none on a corner.</summary>
    public List<SideFacet> Facets { get; } = [];
}

/// <summary>The boundary of a box-shaped mesh, taken apart into faces, edges (in 3D) and corners.</summary>
internal sealed class BoxSides
{
    private readonly BoxPiece[] _pieces; // by Sides

    /// <param name="mesh">The mesh; a node lies on a side when it is within 1e-8 of the largest edge length.</param>
    public BoxSides(Mesh mesh)
    {
        Mesh = mesh;
        int dim = mesh.Dimension;
        var (low, high) = Bounds(mesh);
        Tolerance = 1e-8 * Enumerable.Range(0, dim).Max(i => high[i] - low[i]);
        Of = new int[mesh.NodeCount];
        var used = Used(mesh);
        for (int a = 0; a < Of.Length; a++)
            for (int i = 0; i < dim && used[a]; i++)
            {
                double x = mesh.Coordinates[a * dim + i];
                if (Math.Abs(x - low[i]) <= Tolerance) Of[a] |= Lower(i);
                else if (Math.Abs(x - high[i]) <= Tolerance) Of[a] |= Upper(i);
            }
        _pieces = [.. Enumerable.Range(0, 1 << 2 * dim)
            .Select(s => new BoxPiece(s, [.. Enumerable.Range(0, dim).Where(i => (s & (Lower(i) | Upper(i))) == 0)]))];
        for (int a = 0; a < Of.Length; a++)
            for (int s = Of[a]; s != 0; s = s - 1 & Of[a]) _pieces[s].Nodes.Add(a); // every piece that the node's sides form
        CollectFacets();
    }

    /// <summary>The mesh.</summary>
    public Mesh Mesh { get; }

    /// <summary>Distance below which points coincide.</summary>
    public double Tolerance { get; }

    /// <summary>Per node the sides it lies on: bit 2i for the lower, bit 2i + 1 for the upper side normal to axis i; 0 inside.</summary>
    public int[] Of { get; }

    /// <summary>The lower side normal to an axis.</summary>
    public static int Lower(int axis) => 1 << 2 * axis;

    /// <summary>The upper side normal to an axis.</summary>
    public static int Upper(int axis) => 2 << 2 * axis;

    /// <summary>The face on one side, or the edge or corner where several meet; empty when nothing is there.</summary>
    public BoxPiece Piece(int sides) => _pieces[sides];

    /// <summary>Pieces on which a given number of sides meet, in the order of <see cref="BoxPiece.Sides"/>: lower sides come first.</summary>
    public IEnumerable<BoxPiece> Meeting(int sides) => _pieces.Where(p => BitOperations.PopCount((uint)p.Sides) == sides
        && p.Axes.Length == Mesh.Dimension - sides);

    /// <summary>Which nodes have an element; others (a point of the geometry, the inside of a pore) are no part of the volume.</summary>
    public static bool[] Used(Mesh mesh)
    {
        var used = new bool[mesh.NodeCount];
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++)
                foreach (int a in block.Nodes(e)) used[a] = true;
        return used;
    }

    /// <summary>Lower and upper corner of the elements of a mesh.</summary>
    public static (double[] Low, double[] High) Bounds(Mesh mesh)
    {
        int dim = mesh.Dimension;
        var used = Used(mesh);
        double[] low = [.. Enumerable.Repeat(double.PositiveInfinity, dim)], high = [.. Enumerable.Repeat(double.NegativeInfinity, dim)];
        for (int d = 0; d < mesh.Coordinates.Length; d++)
        {
            if (!used[d / dim]) continue;
            low[d % dim] = Math.Min(low[d % dim], mesh.Coordinates[d]);
            high[d % dim] = Math.Max(high[d % dim], mesh.Coordinates[d]);
        }
        return (low, high);
    }

    /// <summary>
    /// Node of the second piece opposite to each node of the first; null unless the two match: the same nodes, and facets with the same
    /// corners. (Triangles cut along the other diagonal have the same nodes, but not the same nodal forces for the same traction.)
    /// </summary>
    public int[]? Match(BoxPiece from, BoxPiece to)
    {
        if (from.Nodes.Count != to.Nodes.Count || from.Facets.Count != to.Facets.Count) return null;
        var at = new Dictionary<(long, long), int>();
        (long, long) Key(int node)
        {
            long K(int k) => k < to.Axes.Length
                ? (long)Math.Round(Mesh.Coordinates[node * Mesh.Dimension + to.Axes[k]] / (4 * Tolerance)) : 0;
            return (K(0), K(1));
        }
        foreach (int a in to.Nodes) at[Key(a)] = a;
        var partner = new Dictionary<int, int>();
        foreach (int a in from.Nodes)
        {
            // rounding may put the same point into the neighbouring key
            var (u, v) = Key(a);
            for (int i = 0; i < 9 && !partner.ContainsKey(a); i++)
                if (at.TryGetValue((u + i / 3 - 1, v + i % 3 - 1), out int b)) partner[a] = b;
            if (!partner.ContainsKey(a)) return null;
        }
        static MeshTopology.FacetKey Corners(SideFacet f, int[] nodes) => MeshTopology.FacetKey.Of(nodes, null, f.Type.Corners());
        var facets = to.Facets.Select(f => Corners(f, f.Nodes)).ToHashSet();
        bool same = from.Facets.TrueForAll(f => facets.Contains(Corners(f, [.. f.Nodes.Select(a => partner[a])])));
        return same ? [.. from.Nodes.Select(a => partner[a])] : null;
    }

    private void CollectFacets()
    {
        var edges = new HashSet<(int, int)>();
        foreach (var block in Mesh.Cells)
        {
            var locals = block.Type.Facets();
            var type = block.Type.FacetType();
            for (int e = 0; e < block.Count; e++)
            {
                var nodes = block.Nodes(e);
                foreach (int[] local in locals)
                {
                    int sides = ~0;
                    foreach (int k in local) sides &= Of[nodes[k]];
                    if (BitOperations.PopCount((uint)sides) != 1) continue;
                    var facet = new int[local.Length];
                    for (int k = 0; k < local.Length; k++) facet[k] = nodes[local[k]];
                    _pieces[sides].Facets.Add(new SideFacet(type, facet));
                    if (Mesh.Dimension == 3) CollectEdges(type, facet, edges);
                }
            }
        }
    }

    private void CollectEdges(ElementType type, int[] facet, HashSet<(int, int)> known)
    {
        var edges = type.Edges();
        for (int k = 0; k < edges.Count; k++)
        {
            int a = facet[edges[k].A], b = facet[edges[k].B], sides = Of[a] & Of[b];
            if (BitOperations.PopCount((uint)sides) != 2 || !known.Add((Math.Min(a, b), Math.Max(a, b)))) continue;
            _pieces[sides].Facets.Add(type.IsQuadratic()
                ? new SideFacet(ElementType.Line3, [a, b, facet[type.Corners() + k]]) : new SideFacet(ElementType.Line2, [a, b]));
        }
    }
}
