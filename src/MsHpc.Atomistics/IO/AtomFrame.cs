using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>Atoms at one moment with what a program had computed of them, as trajectory files hold them.</summary>
/// <param name="Atoms">Positions, velocities, charges, cell.</param>
public sealed record AtomFrame(Atoms Atoms)
{
    /// <summary>Number of the time step; 0 when the file does not say.</summary>
    public long Step { get; init; }

    /// <summary>fs; null when the file does not say.</summary>
    public double? Time { get; init; }

    /// <summary>Potential energy, eV; null when not known.</summary>
    public double? Energy { get; init; }

    /// <summary>3·N, eV/Å; empty when not known.</summary>
    public double[] Forces { get; init; } = [];

    /// <summary>Stress, positive in tension, eV/Å³ (xx, yy, zz, yz, xz, xy); empty when not known.</summary>
    public double[] Stress { get; init; } = [];

    /// <summary>Further numbers of each atom by name of the column, as they stand in the file: N of each.</summary>
    public IReadOnlyDictionary<string, double[]> Columns { get; init; } = new Dictionary<string, double[]>();
}

/// <summary>Builds <see cref="Atoms"/> from what file readers found.</summary>
internal static class AtomBuilder
{
    /// <summary>Kinds of atoms in the order in which they first appear, by symbol and mass.</summary>
    public static (List<Species> Species, int[] Types) Kinds(IReadOnlyList<string> symbols, double[]? masses)
    {
        var species = new List<Species>();
        var numbers = new Dictionary<(string, double), int>();
        var types = new int[symbols.Count];
        for (int i = 0; i < types.Length; i++)
        {
            double mass = masses?[i] ?? Elements.Mass(symbols[i])!.Value;
            if (!numbers.TryGetValue((symbols[i], mass), out types[i]))
            {
                numbers.Add((symbols[i], mass), types[i] = species.Count);
                species.Add(new Species(symbols[i], mass));
            }
        }
        return (species, types);
    }

    /// <summary>A box around atoms that no cell was given for, or for directions without an edge vector; it repeats nowhere there.</summary>
    /// <param name="rows">Nine numbers; rows of zeros are filled in.</param>
    /// <param name="periodic">Directions that repeat.</param>
    /// <param name="positions">3·N, Å.</param>
    /// <param name="origin">Corner; null: below the atoms where rows are missing.</param>
    public static Cell Around(double[] rows, bool[] periodic, double[] positions, double[]? origin)
    {
        double[] corner = origin is null ? [0, 0, 0] : [.. origin];
        bool Missing(int d) => rows[3 * d] == 0 && rows[3 * d + 1] == 0 && rows[3 * d + 2] == 0;
        bool[] missing = [Missing(0), Missing(1), Missing(2)];
        if (!missing.Contains(true)) return new Cell(rows, periodic, corner);
        double[] full = [.. rows];
        bool none = missing[0] && missing[1] && missing[2];
        for (int d = 0; d < 3; d++)
        {
            if (!missing[d]) continue;
            // Perpendicular to the edges there are, or along the axis.
            int a = (d + 1) % 3, b = (d + 2) % 3;
            double[] n = none ? [d == 0 ? 1 : 0, d == 1 ? 1 : 0, d == 2 ? 1 : 0] : Perpendicular(full, missing, a, b);
            double low = double.PositiveInfinity, high = double.NegativeInfinity;
            for (int i = 0; i < positions.Length; i += 3)
            {
                double s = positions[i] * n[0] + positions[i + 1] * n[1] + positions[i + 2] * n[2];
                (low, high) = (Math.Min(low, s), Math.Max(high, s));
            }
            if (positions.Length == 0) (low, high) = (0, 0);
            double length = high - low + 2;
            for (int k = 0; k < 3; k++) full[3 * d + k] = n[k] * length;
            double shift = low - 1 - (corner[0] * n[0] + corner[1] * n[1] + corner[2] * n[2]);
            if (origin is null) for (int k = 0; k < 3; k++) corner[k] += shift * n[k];
            missing[d] = false;
        }
        return new Cell(full, periodic, corner);
    }

    private static double[] Perpendicular(double[] rows, bool[] missing, int a, int b)
    {
        double[] u = missing[a] ? [] : rows[(3 * a)..(3 * a + 3)], v = missing[b] ? [] : rows[(3 * b)..(3 * b + 3)];
        if (u.Length == 0 || v.Length == 0)
        {
            double[] known = u.Length > 0 ? u : v;
            // Any second direction will do: the axis least along the known one.
            int k = Math.Abs(known[0]) <= Math.Abs(known[1]) && Math.Abs(known[0]) <= Math.Abs(known[2]) ? 0 : Math.Abs(known[1]) <= Math.Abs(known[2]) ? 1 : 2;
            double[] axis = [0, 0, 0];
            axis[k] = 1;
            if (u.Length == 0) u = axis;
            else v = axis;
        }
        double[] n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        double length = Math.Sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
        return length > 0 ? [n[0] / length, n[1] / length, n[2] / length] : [0, 0, 1];
    }
}
