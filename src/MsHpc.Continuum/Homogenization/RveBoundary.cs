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
        // ties[node]: null = free; otherwise (master, weight) terms, empty = zero
        var ties = new (int Node, double Weight)[]?[nodes];
        switch (boundary)
        {
            case RveBoundary.LinearDisplacement:
                int[] sides = new BoxSides(mesh).Of;
                for (int a = 0; a < nodes; a++)
                    if (sides[a] != 0) ties[a] = [];
                break;
            case RveBoundary.Periodic:
                ties = PeriodicTies.Build(new BoxSides(mesh));
                break;
        }

        var used = BoxSides.Used(mesh);
        for (int a = 0; a < nodes; a++)
            if (!used[a]) ties[a] = [];
        var pinned = new bool[nodes * dim];
        int[] rotationValues = [];
        if (boundary == RveBoundary.UniformTraction)
            rotationValues = PinRigidModes(mesh, used, pinned);

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
            var expanded = Expand(a, ties, terms);
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

    /// <summary>A nodal value in terms of free ones; masters follow masters of their own (face → edge → edge).</summary>
    private static Dictionary<int, double> Expand(int node, (int Node, double Weight)[]?[] ties, Dictionary<int, double>[] known)
    {
        if (known[node] is { } done) return done;
        var sum = new Dictionary<int, double>();
        if (ties[node] is not { } tie) sum[node] = 1;
        else
            foreach (var (master, w) in tie)
                foreach (var (m, v) in Expand(master, ties, known)) sum[m] = sum.GetValueOrDefault(m) + w * v;
        return known[node] = sum;
    }

    /// <summary>Pins translations at one corner and picks the values that hold the rotations.</summary>
    private static int[] PinRigidModes(Mesh mesh, bool[] used, bool[] pinned)
    {
        int dim = mesh.Dimension;
        var (low, high) = BoxSides.Bounds(mesh);
        int Nearest(params double[] x)
        {
            int best = 0;
            double distance = double.PositiveInfinity;
            for (int a = 0; a < mesh.NodeCount; a++)
            {
                if (!used[a]) continue;
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
