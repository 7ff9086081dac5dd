namespace MsHpc.Core.Sparse;

/// <summary>
/// Vectors that the operator (nearly) annihilates where nothing is constrained: rigid-body modes of a displacement field, constants of any
/// other. Multigrid keeps them exact on every level; a solver uses them to notice that a body floats.
/// </summary>
public sealed class NearNullspace
{
    private NearNullspace(int modes, double[] values) => (Modes, Values) = (modes, values);

    /// <summary>Number of vectors, 1 … 8.</summary>
    public int Modes { get; }

    /// <summary>Values, slot by slot of the numbering: vector c at slot s is Values[s · Modes + c]; zero in empty slots.</summary>
    public double[] Values { get; }

    /// <summary>
    /// With coordinates and as many components as dimensions: translations and linearised rotations (3 modes in 2D, 6 in 3D), taken about
    /// the centroid in units of the body's size. Otherwise one constant per component. Unknowns without a node get a constant of their own.
    /// </summary>
    /// <param name="system">Geometry: NodeOf, ComponentOf, Coordinates, Dimension.</param>
    /// <param name="numbering">Blocks of the same system.</param>
    public static NearNullspace Of(LinearSystem system, BlockNumbering numbering)
    {
        int n = numbering.Unknowns, dimension = system.Dimension, block = numbering.BlockSize;
        bool anyNode = false, anyLoose = false;
        for (int i = 0; i < n; i++)
        {
            if (system.NodeOf[i] >= 0) anyNode = true;
            else anyLoose = true;
        }
        bool rigid = anyNode && dimension is 2 or 3 && block == dimension && system.Coordinates.Length > 0;
        bool loose = anyNode && anyLoose;
        int fieldModes = !rigid ? block : dimension == 2 ? 3 : 6;
        // A full house of components leaves no room for the loose unknowns' own constant: they share component 0's.
        int modes = Math.Min(fieldModes + (loose ? 1 : 0), BlockNumbering.MaxBlock);
        var values = new double[(long)numbering.Nodes * block * modes];
        double cx = 0, cy = 0, cz = 0, size = 0;
        if (rigid)
        {
            double[] at = system.Coordinates;
            int count = 0;
            for (int i = 0; i < n; i++)
            {
                int node = system.NodeOf[i];
                if (node < 0) continue;
                count++;
                cx += at[node * dimension];
                cy += at[node * dimension + 1];
                if (dimension == 3) cz += at[node * dimension + 2];
            }
            (cx, cy, cz) = (cx / count, cy / count, cz / count);
            for (int i = 0; i < n; i++)
            {
                int node = system.NodeOf[i];
                if (node < 0) continue;
                size = Math.Max(size, Math.Abs(at[node * dimension] - cx));
                size = Math.Max(size, Math.Abs(at[node * dimension + 1] - cy));
                if (dimension == 3) size = Math.Max(size, Math.Abs(at[node * dimension + 2] - cz));
            }
            if (size == 0) size = 1;
        }
        for (int i = 0; i < n; i++)
        {
            int component = numbering.Component[i], node = system.NodeOf[i];
            var row = values.AsSpan((numbering.Node[i] * block + component) * modes, modes);
            if (node < 0 && loose)
            {
                row[modes > fieldModes ? fieldModes : 0] = 1;
                continue;
            }
            row[component] = 1;
            if (!rigid) continue;
            double x = (system.Coordinates[node * dimension] - cx) / size, y = (system.Coordinates[node * dimension + 1] - cy) / size;
            if (dimension == 2) row[2] = component == 0 ? -y : x;
            else
            {
                double z = (system.Coordinates[node * 3 + 2] - cz) / size;
                // Rows of ω × x for ω along x, y, z.
                switch (component)
                {
                    case 0: (row[4], row[5]) = (z, -y); break;
                    case 1: (row[3], row[5]) = (-z, x); break;
                    default: (row[3], row[4]) = (y, -x); break;
                }
            }
        }
        return new NearNullspace(modes, values);
    }
}
