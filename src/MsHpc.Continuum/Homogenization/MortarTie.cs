using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>
/// Joins two opposite sides of a box whose meshes do not match by a mortar method with dual Lagrange multipliers, so that each slave value
/// is an explicit sum of master values.
/// </summary>
/// <remarks>
/// Weak continuity ∫ψₐ (u_slave − u_master) = 0 for every multiplier ψₐ. With the dual basis of Wohlmuth (SIAM J. Numer. Anal. 38, 989,
/// 2000), ∫ψₐ N_b = δ_ab ∫Nₐ on the slave mesh, it is solved node by node:
/// <code>
/// uₐ = (Σ_m ∫ψₐN_m u_m − Σ_r ∫ψₐN_r u_r) / ∫Nₐ          a: slave nodes inside, m: master nodes, r: slave nodes on the rim
/// </code>
/// Nodes r on the rim are tied elsewhere and have no multiplier. What their ψ_r would contribute to a facet goes in equal parts to the
/// facet's other multipliers (in 2D: ψ of the neighbour is 1 on the last segment), so that Σψ = 1 still holds everywhere, hence
/// ∫(u_slave − u_master) = 0, the patch test; and ∫ψₐN_b = 0 still holds for b ≠ a inside, since the ψ_r are orthogonal to those N_b. A facet
/// with all its nodes on the rim (the triangle that cuts off a corner) has no multiplier of its own: there ψ = 1 belongs to the slave node
/// inside that is nearest to the facet's centroid.
/// <para>Weights reproduce constant fields, and linear ones in the plane of the side, because both meshes represent them. Multipliers
/// contain constants, which is what linear elements need for their order; on Line3 they contain linear functions as well (ψ = D M⁻¹ N
/// reproduces x where ∫Nₐx = xₐ∫Nₐ, Simpson's rule), except on the facets at the rim.</para>
/// <para>Integrals run over the intersections of slave and master facets. They are exact for straight lines (mid nodes in the middle),
/// triangles and parallelograms; other convex quadrilaterals leave a quadrature error. Tri6 and Quad8 have corner functions whose integral is
/// zero or negative and hence no such basis: they are refused.</para>
/// </remarks>
internal static class MortarTie
{
    // Share of a facet that may lie opposite to nothing (coordinates in files are rounded); weights that only rounding makes of facets that touch.
    private const double Coverage = 1e-6, Negligible = 1e-14;

    /// <summary>The terms of each slave node inside the piece.</summary>
    /// <param name="box">The box.</param>
    /// <param name="slave">Face or edge that follows; its rim is tied elsewhere.</param>
    /// <param name="master">Parallel face or edge.</param>
    /// <exception cref="InputException">The pieces do not cover each other, or have facets without a dual basis.</exception>
    public static IEnumerable<(int Node, (int Node, double Weight)[] Terms)> Build(BoxSides box, BoxPiece slave, BoxPiece master)
    {
        if (slave.Axes.Length == 2 && slave.Facets.Concat(master.Facets).Any(f => f.Type.IsQuadratic()))
            throw new InputException($"the faces of the RVE normal to {Normal(slave)} do not match and have quadratic elements: only faces of " +
                "linear elements can be tied then; mesh the faces periodically");
        var masters = new FacetSearch(master.Facets.Select(f => new PlaneFacet(box.Mesh, f, master.Axes)));
        var (sums, integrals) = (new SortedDictionary<int, SortedDictionary<int, double>>(), new Dictionary<int, double>());
        double covered = 0;
        Span<double> ns = stackalloc double[4], nm = stackalloc double[4];
        foreach (var facet in slave.Facets)
        {
            var s = new PlaneFacet(box.Mesh, facet, slave.Axes);
            var multipliers = Multipliers(box, slave, s);
            foreach (var (node, _) in multipliers)
                if (!sums.ContainsKey(node)) sums[node] = [];
            for (int b = 0; b < facet.Nodes.Length; b++)
                if (box.Of[facet.Nodes[b]] == slave.Sides)
                    integrals[facet.Nodes[b]] = integrals.GetValueOrDefault(facet.Nodes[b]) + s.Integrals[b];

            double overlap = 0;
            foreach (var m in masters.Near(s))
                foreach (var (x, w) in PlaneFacet.Quadrature(s.Intersect(m)))
                {
                    overlap += w;
                    s.ShapeFunctions(x, ns);
                    m.ShapeFunctions(x, nm);
                    foreach (var (node, coefficients) in multipliers)
                    {
                        double weighted = 0;
                        for (int b = 0; b < coefficients.Length; b++) weighted += w * coefficients[b] * ns[b];
                        var sum = sums[node];
                        for (int k = 0; k < m.Nodes.Length; k++) sum[m.Nodes[k]] = sum.GetValueOrDefault(m.Nodes[k]) + weighted * nm[k];
                        for (int r = 0; r < s.Nodes.Length; r++)
                            if (box.Of[s.Nodes[r]] != slave.Sides) sum[s.Nodes[r]] = sum.GetValueOrDefault(s.Nodes[r]) - weighted * ns[r];
                    }
                }
            if (Math.Abs(overlap - s.Measure) > Coverage * s.Measure) throw Uncovered(box, slave, s);
            covered += overlap;
        }
        double area = masters.Facets.Sum(m => m.Measure);
        if (Math.Abs(covered - area) > Coverage * area) throw Uncovered(box, master, null);
        return sums.Select(s => (s.Key, s.Value.Select(t => (t.Key, t.Value / integrals[s.Key]))
            .Where(t => Math.Abs(t.Item2) > Negligible).ToArray()));
    }

    /// <summary>Multipliers ψ = Σ_b c_b N_b on a facet, by the slave node they belong to: D M⁻¹ row by row, M_bc = ∫N_bN_c, D = diag ∫N_b
    /// (so that ∫ψₐN_b = D_ab and Σψ = ΣN = 1), with the rows of the rim shared out among the others.</summary>
    private static List<(int Node, double[] Coefficients)> Multipliers(BoxSides box, BoxPiece slave, PlaneFacet facet)
    {
        int n = facet.Nodes.Length;
        int[] inside = [.. Enumerable.Range(0, n).Where(a => box.Of[facet.Nodes[a]] == slave.Sides)];
        if (inside.Length == 0)
        {
            int nearest = Nearest(box, slave, facet);
            return nearest < 0 ? [] : [(nearest, [.. Enumerable.Repeat(1.0, n)])]; // ΣN = 1
        }
        var dual = new double[n * n];
        if (!SmallMatrix.Invert(n, facet.Mass, dual)) throw new InputException($"the RVE has a flat facet {facet.Where}");
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++) dual[a * n + b] *= facet.Integrals[a];
        var multipliers = new List<(int, double[])>();
        foreach (int a in inside)
        {
            var row = dual[(a * n)..((a + 1) * n)];
            for (int r = 0; r < n; r++)
                if (!inside.Contains(r))
                    for (int b = 0; b < n; b++) row[b] += dual[r * n + b] / inside.Length;
            multipliers.Add((facet.Nodes[a], row));
        }
        return multipliers;
    }

    /// <summary>Slave node inside the piece nearest to a facet's centroid; −1 when there is none (a box edge of one element: its two
    /// corners do not fluctuate, and it has nothing to tie).</summary>
    private static int Nearest(BoxSides box, BoxPiece slave, PlaneFacet facet)
    {
        int best = -1;
        double distance = double.PositiveInfinity;
        var (cx, cy) = facet.Centroid;
        foreach (var other in slave.Facets)
            foreach (int a in other.Nodes)
            {
                if (box.Of[a] != slave.Sides) continue;
                var (x, y) = PlaneFacet.Project(box.Mesh, a, slave.Axes);
                double d = (x - cx) * (x - cx) + (y - cy) * (y - cy);
                if (d < distance) (best, distance) = (a, d);
            }
        return best;
    }

    private static string Normal(BoxPiece piece) =>
        string.Concat(Enumerable.Range(0, 3).Where(i => !piece.Axes.Contains(i) && (piece.Sides >> 2 * i & 3) != 0).Select(i => "xyz"[i]));

    private static InputException Uncovered(BoxSides box, BoxPiece piece, PlaneFacet? facet) => new(
        $"opposite {(box.Mesh.Dimension - piece.Axes.Length == 1 ? "faces" : "edges")} of the RVE normal to {Normal(piece)} must cover each other" +
        (facet is null ? "" : $"; nothing lies opposite to the facet {facet.Where}"));
}
