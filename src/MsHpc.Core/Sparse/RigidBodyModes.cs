namespace MsHpc.Core.Sparse;

/// <summary>
/// Rigid motions of a body over the owned unknowns: what an elastic stiffness does not resist, and what aggregation multigrid must represent on its
/// coarse levels. Translations u = e_k; rotations u = e_k × (x − x₀), in 2D u = (−(y − y₀), x − x₀), with x₀ the mean position of the
/// unknowns and lengths in units of the largest distance from it.
/// </summary>
internal static class RigidBodyModes
{
    /// <summary>The modes, one after the other, Owned numbers each; unknowns may be any subset of the nodes' (eliminated ones are left out).
    /// Null when the system is no vector field with coordinates: scalar, or without geometry on some rank. Collective.</summary>
    public static (int Count, double[] Values)? Build(LinearSystem system)
    {
        int d = system.Dimension, n = system.Owned;
        bool geometry = d is 2 or 3 && system.NodeOf.Length >= n && system.ComponentOf.Length >= n;
        for (int i = 0; i < n && geometry; i++)
            geometry = system.NodeOf[i] >= 0 && (system.NodeOf[i] + 1) * d <= system.Coordinates.Length && system.ComponentOf[i] < d;
        if (!system.Comm.AllOk(geometry)) return null;

        // Mean position and the components that occur; a temperature or a phase field has component 0 only.
        Span<double> sums = stackalloc double[4 + 3];
        sums.Clear();
        for (int i = 0; i < n; i++)
        {
            for (int c = 0; c < d; c++) sums[c] += system.Coordinates[system.NodeOf[i] * d + c];
            sums[3]++;
            sums[4 + system.ComponentOf[i]]++;
        }
        system.Comm.AllReduceSum(sums);
        for (int c = 0; c < d; c++)
            if (sums[4 + c] == 0) return null;
        Span<double> centre = stackalloc double[3];
        for (int c = 0; c < d; c++) centre[c] = sums[c] / sums[3];
        double length = 0;
        for (int i = 0; i < n; i++)
            for (int c = 0; c < d; c++) length = Math.Max(length, Math.Abs(system.Coordinates[system.NodeOf[i] * d + c] - centre[c]));
        length = system.Comm.AllReduceMax(length);
        double scale = length > 0 ? 1 / length : 1;

        int rotations = d == 2 ? 1 : 3, modes = d + rotations;
        var values = new double[modes * n];
        Span<double> x = stackalloc double[3];
        for (int i = 0; i < n; i++)
        {
            int component = system.ComponentOf[i];
            x.Clear();
            for (int c = 0; c < d; c++) x[c] = (system.Coordinates[system.NodeOf[i] * d + c] - centre[c]) * scale;
            values[component * n + i] = 1;
            if (d == 2) values[2 * n + i] = component == 0 ? -x[1] : x[0];
            else
                for (int k = 0; k < 3; k++) // (e_k × x)_component
                    values[(3 + k) * n + i] = component == (k + 1) % 3 ? -x[(k + 2) % 3] : component == (k + 2) % 3 ? x[(k + 1) % 3] : 0;
        }
        return (modes, values);
    }
}
