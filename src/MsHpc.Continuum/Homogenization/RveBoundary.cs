using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>How the macroscopic strain is imposed on a representative volume element (RVE).</summary>
/// <remarks>For the same RVE the effective stiffnesses are ordered as quadratic forms:
/// uniform traction ≤ periodic ≤ linear displacement (Hill 1963; Huet 1990).</remarks>
public enum RveBoundary
{
    /// <summary>Boundary nodes follow the macro strain: ũ = 0 on ∂Ω (kinematically uniform, upper bound).</summary>
    LinearDisplacement,
    /// <summary>ũ takes the same value at opposite points of ∂Ω, tractions are opposite.</summary>
    Periodic,
    /// <summary>t = σ̄·n on ∂Ω; the strain is imposed on average only, with σ̄ as its multiplier (statically uniform, lower bound).</summary>
    UniformTraction,
}

/// <summary>
/// Linear constraints of the displacement fluctuation ũ on the boundary of a box, ũ = T q: every nodal value is a weighted sum of a few
/// unknowns q. Values without terms are zero.
/// </summary>
internal sealed class FluctuationConstraints
{
    private FluctuationConstraints(int unknowns, int[] start, int[] unknown, double[] weight, int[] nodeOf, int[] rotationPins)
    {
        (Unknowns, Start, Unknown, Weight, NodeOf, RotationPins) = (unknowns, start, unknown, weight, nodeOf, rotationPins);
        IsRenumbering = true;
        for (int d = 0; d + 1 < start.Length; d++)
            IsRenumbering &= start[d + 1] - start[d] <= 1 && (start[d + 1] == start[d] || weight[start[d]] == 1);
    }

    /// <summary>Number of unknowns q.</summary>
    public int Unknowns { get; }

    /// <summary>Terms of nodal value d: Start[d] … Start[d+1].</summary>
    public int[] Start { get; }

    /// <summary>Unknown of each term.</summary>
    public int[] Unknown { get; }

    /// <summary>Weight of each term.</summary>
    public double[] Weight { get; }

    /// <summary>Master node of each unknown.</summary>
    public int[] NodeOf { get; }

    /// <summary>Unknowns whose springs stand in for the free rotations at finite strain under uniform traction.</summary>
    public int[] RotationPins { get; }

    /// <summary>Whether every value is one unknown or zero (no interpolation).</summary>
    public bool IsRenumbering { get; }

    /// <summary>Builds the constraints of one kind for a box-shaped mesh.</summary>
    /// <exception cref="InputException">The mesh is not a box, or opposite faces cannot be tied.</exception>
    public static FluctuationConstraints Build(Mesh mesh, RveBoundary boundary, bool finiteStrain)
    {
        int dim = mesh.Dimension, nodes = mesh.NodeCount;
        var (low, high) = Box(mesh);
        double tolerance = 1e-8 * Enumerable.Range(0, dim).Max(i => high[i] - low[i]);
        // ±1 per axis where the node lies on that face of the box
        int Side(int node, int axis) => Math.Abs(mesh.Coordinates[node * dim + axis] - low[axis]) <= tolerance ? -1
            : Math.Abs(mesh.Coordinates[node * dim + axis] - high[axis]) <= tolerance ? 1 : 0;

        // ties[node]: null = free; otherwise (master, weight) terms, empty = zero
        var ties = new (int Node, double Weight)[]?[nodes];
        switch (boundary)
        {
            case RveBoundary.LinearDisplacement:
                for (int a = 0; a < nodes; a++)
                    for (int i = 0; i < dim; i++)
                        if (Side(a, i) != 0) ties[a] = [];
                break;
            case RveBoundary.Periodic:
                TiePeriodic(mesh, low, high, tolerance, Side, ties);
                break;
        }

        var pinned = new bool[nodes * dim];
        int[] rotationValues = [];
        if (boundary == RveBoundary.UniformTraction)
            rotationValues = PinRigidModes(mesh, low, high, pinned);

        var unknownOf = new int[nodes * dim];
        var nodeOf = new List<int>();
        bool hard = !finiteStrain; // small strain: rotations are pinned exactly; finite strain: springs, removed again by bordering
        foreach (int d in rotationValues) pinned[d] = hard;
        for (int a = 0; a < nodes; a++)
            for (int i = 0; i < dim; i++)
            {
                int d = a * dim + i;
                if (ties[a] is not null || pinned[d]) { unknownOf[d] = -1; continue; }
                unknownOf[d] = nodeOf.Count;
                nodeOf.Add(a);
            }

        var start = new int[nodes * dim + 1];
        var unknown = new List<int>();
        var weight = new List<double>();
        var terms = new Dictionary<int, double>[nodes];
        for (int a = 0; a < nodes; a++)
        {
            var expanded = Expand(a, ties, terms, 0);
            for (int i = 0; i < dim; i++)
            {
                foreach (var (master, w) in expanded.OrderBy(t => t.Key))
                    if (unknownOf[master * dim + i] >= 0)
                    {
                        unknown.Add(unknownOf[master * dim + i]);
                        weight.Add(w);
                    }
                start[a * dim + i + 1] = unknown.Count;
            }
        }
        int[] pins = hard ? [] : [.. rotationValues.Select(d => unknownOf[d])];
        return new FluctuationConstraints(nodeOf.Count, start, [.. unknown], [.. weight], [.. nodeOf], pins);
    }

    /// <summary>Lower and upper corner of the mesh.</summary>
    public static (double[] Low, double[] High) Box(Mesh mesh)
    {
        int dim = mesh.Dimension;
        double[] low = [.. Enumerable.Repeat(double.PositiveInfinity, dim)], high = [.. Enumerable.Repeat(double.NegativeInfinity, dim)];
        for (int d = 0; d < mesh.Coordinates.Length; d++)
        {
            low[d % dim] = Math.Min(low[d % dim], mesh.Coordinates[d]);
            high[d % dim] = Math.Max(high[d % dim], mesh.Coordinates[d]);
        }
        return (low, high);
    }

    private static Dictionary<int, double> Expand(int node, (int Node, double Weight)[]?[] ties, Dictionary<int, double>[] known, int depth)
    {
        if (known[node] is { } done) return done;
        var sum = new Dictionary<int, double>();
        if (ties[node] is not { } tie) sum[node] = 1;
        else
            foreach (var (master, w) in tie)
            {
                if (depth > 8) throw new InputException("the periodic faces of the RVE tie nodes to each other in a circle");
                foreach (var (m, v) in Expand(master, ties, known, depth + 1))
                    sum[m] = sum.GetValueOrDefault(m) + w * v;
            }
        return known[node] = sum;
    }

    /// <summary>
    /// Ties each node of an upper face to the lower face opposite: to the node that stands there, or, where meshes do not match, to the
    /// facet there by its shape functions. Nodes on edges and corners project along all their upper axes at once, so that they meet
    /// lower edges; one corner is the origin of the fluctuation.
    /// </summary>
    private static void TiePeriodic(Mesh mesh, double[] low, double[] high, double tolerance, Func<int, int, int> side,
        (int Node, double Weight)[]?[] ties)
    {
        int dim = mesh.Dimension, nodes = mesh.NodeCount;
        var at = new Dictionary<(long, long, long), int>();
        (long, long, long) Key(ReadOnlySpan<double> x)
        {
            long K(double v, int i) => (long)Math.Round((v - low[i]) / (4 * tolerance));
            return (K(x[0], 0), K(x[1], 1), dim > 2 ? K(x[2], 2) : 0);
        }
        for (int a = 0; a < nodes; a++) at[Key(mesh.Coordinates.AsSpan(a * dim, dim))] = a;
        int Find(double[] x)
        {
            // rounding may put the same point into the neighbouring key
            var (kx, ky, kz) = Key(x);
            for (long i = -1; i <= 1; i++)
                for (long j = -1; j <= 1; j++)
                    for (long k = dim > 2 ? -1 : 0; k <= (dim > 2 ? 1 : 0); k++)
                        if (at.TryGetValue((kx + i, ky + j, kz + k), out int node)) return node;
            return -1;
        }

        int origin = Find(low);
        if (origin < 0) throw new InputException("the RVE mesh has no node at its lower corner: a periodic RVE must be a box");
        BoundaryFacets? facets = null;
        for (int a = 0; a < nodes; a++)
        {
            var x = mesh.Coordinates.AsSpan(a * dim, dim).ToArray();
            bool upper = false;
            for (int i = 0; i < dim; i++)
                if (side(a, i) > 0) { x[i] = low[i]; upper = true; }
            if (!upper) continue;
            int partner = Find(x);
            if (partner >= 0) { ties[a] = [(partner, 1)]; continue; }
            facets ??= new BoundaryFacets(mesh, low, tolerance);
            ties[a] = facets.Interpolate(x) ?? throw new InputException(
                $"the RVE node at ({string.Join(", ", mesh.Coordinates.AsSpan(a * dim, dim).ToArray())}) has nothing opposite to be tied to: " +
                "the upper and lower faces must cover each other");
        }
        ties[origin] = [];
    }

    /// <summary>Pins translations at one corner and picks the values that hold the rotations.</summary>
    private static int[] PinRigidModes(Mesh mesh, double[] low, double[] high, bool[] pinned)
    {
        int dim = mesh.Dimension;
        int Nearest(params double[] x)
        {
            int best = 0;
            double distance = double.PositiveInfinity;
            for (int a = 0; a < mesh.NodeCount; a++)
            {
                double d = 0;
                for (int i = 0; i < dim; i++) d += Math.Pow((mesh.Coordinates[a * dim + i] - x[i]) / (high[i] - low[i]), 2);
                if (d < distance) (best, distance) = (a, d);
            }
            return best;
        }
        int origin = dim == 2 ? Nearest(low[0], low[1]) : Nearest(low[0], low[1], low[2]);
        for (int i = 0; i < dim; i++) pinned[origin * dim + i] = true;
        if (dim == 2) return [Nearest(high[0], low[1]) * 2 + 1];
        int onX = Nearest(high[0], low[1], low[2]), onY = Nearest(low[0], high[1], low[2]);
        return [onX * 3 + 1, onX * 3 + 2, onY * 3 + 2];
    }
}
