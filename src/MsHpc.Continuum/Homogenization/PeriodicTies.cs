using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>
/// Ties the fluctuation on opposite sides of a box to each other. Sides that match node by node and facet by facet take the same nodal
/// values; others are joined by <see cref="MortarTie"/>, in the mean against every multiplier, which passes the patch test: a
/// homogeneous cell is its own law, to roundoff.
/// </summary>
/// <remarks>
/// Each face is tied inside its rim, the rim on its own and first, so that no value is tied twice:
/// <list type="number">
/// <item>corners do not fluctuate (all of them are one periodic point, the origin of the fluctuation);</item>
/// <item>of the four parallel edges of a 3D box the one with the fewest nodes leads and the other three follow;</item>
/// <item>upper faces follow lower ones, or the other way round where the upper face has no node inside.</item>
/// </list>
/// The rim may be tied in any consistent way: the patch test of a face needs ∫(u_slave − u_master) = 0 only, which the multipliers inside
/// ensure whatever the rim does (Puso, IJNME 59, 315, 2004; for RVEs Reis and Andrade Pires, CMAME 274, 168, 2014).
/// <para>Pores may cut the boundary, as long as opposite sides cover each other.</para>
/// </remarks>
internal static class PeriodicTies
{
    /// <summary>Per node: null = free; otherwise the sum of master values it follows, empty = zero. Masters may be tied themselves.</summary>
    /// <exception cref="InputException">The mesh is not a box; opposite sides do not cover each other; sides that do not match have
    /// facets that <see cref="MortarTie"/> cannot join, or no node inside.</exception>
    public static (int Node, double Weight)[]?[] Build(BoxSides box)
    {
        int dim = box.Mesh.Dimension;
        var ties = new (int Node, double Weight)[]?[box.Mesh.NodeCount];
        if (box.Meeting(dim).First().Nodes.Count == 0)
            throw new InputException("the RVE mesh has no node at its lower corner: a periodic RVE must be a box");
        foreach (var corner in box.Meeting(dim))
            foreach (int a in corner.Nodes) ties[a] = [];

        if (dim == 3)
            foreach (var parallel in box.Meeting(2).GroupBy(p => p.Axes[0]))
            {
                var leader = parallel.MinBy(p => p.Nodes.Count)!; // the first of them, on lower sides, when all are alike
                foreach (var edge in parallel.Where(p => p != leader)) Tie(box, edge, leader, ties);
            }

        for (int axis = 0; axis < dim; axis++)
        {
            BoxPiece lower = box.Piece(BoxSides.Lower(axis)), upper = box.Piece(BoxSides.Upper(axis));
            bool Inside(BoxPiece face) => face.Facets.Exists(f => f.Nodes.Any(a => box.Of[a] == face.Sides));
            if (Inside(upper) || box.Match(upper, lower) is not null) Tie(box, upper, lower, ties);
            else if (Inside(lower)) Tie(box, lower, upper, ties);
            else
                throw new InputException($"the faces of the RVE normal to {"xyz"[axis]} do not match and have no node inside: refine the mesh");
        }
        return ties;
    }

    private static void Tie(BoxSides box, BoxPiece slave, BoxPiece master, (int Node, double Weight)[]?[] ties)
    {
        if (box.Match(slave, master) is { } partner)
        {
            for (int k = 0; k < partner.Length; k++)
                if (box.Of[slave.Nodes[k]] == slave.Sides) ties[slave.Nodes[k]] = [(partner[k], 1)];
        }
        else
            foreach (var (node, terms) in MortarTie.Build(box, slave, master)) ties[node] = terms;
    }
}
