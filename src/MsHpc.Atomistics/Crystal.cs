using MsHpc.Core;
using MsHpc.Atomistics.IO;

namespace MsHpc.Atomistics;

/// <summary>Perfect crystals: fcc, bcc, sc, hcp, diamond, zincblende, rocksalt and caesium chloride, in any orientation, with or without surfaces.</summary>
public static class Crystal
{
    /// <summary>A structure in its conventional cell: fractional positions, each with the number of its kind of atom; centring vectors.</summary>
    private sealed record Structure(string Name, int Kinds, double[][] Centring, (double X, double Y, double Z, int Kind)[] Basis, double[][] Primitive);

    private static readonly double[][] s_p = [[0, 0, 0]], s_f = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], s_i = [[0, 0, 0], [0.5, 0.5, 0.5]];
    private static readonly double[][] s_cube = [[1, 0, 0], [0, 1, 0], [0, 0, 1]], s_face = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], s_body = [[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]];

    private static readonly Structure[] s_all =
    [
        new("fcc", 1, s_f, [(0, 0, 0, 0)], s_face),
        new("bcc", 1, s_i, [(0, 0, 0, 0)], s_body),
        new("sc", 1, s_p, [(0, 0, 0, 0)], s_cube),
        new("hcp", 1, s_p, [(0, 0, 0, 0), (1.0 / 3, 2.0 / 3, 0.5, 0)], s_cube),
        new("diamond", 1, s_f, [(0, 0, 0, 0), (0.25, 0.25, 0.25, 0)], s_face),
        new("zincblende", 2, s_f, [(0, 0, 0, 0), (0.25, 0.25, 0.25, 1)], s_face),
        new("rocksalt", 2, s_f, [(0, 0, 0, 0), (0.5, 0, 0, 1)], s_face),
        new("cscl", 2, s_p, [(0, 0, 0, 0), (0.5, 0.5, 0.5, 1)], s_cube),
    ];

    /// <summary>Names of the structures.</summary>
    public static IReadOnlyList<string> Structures { get; } = [.. s_all.Select(s => s.Name)];

    /// <summary>How many kinds of atoms a structure has; 0 for an unknown one.</summary>
    public static int Kinds(string structure) => Array.Find(s_all, s => s.Name == structure)?.Kinds ?? 0;

    /// <summary>A crystal of n₀ × n₁ × n₂ cells, periodic.</summary>
    /// <param name="structure">One of <see cref="Structures"/>.</param>
    /// <param name="species">Kinds of atoms, as many as the structure has.</param>
    /// <param name="a">Lattice constant, Å.</param>
    /// <param name="cells">n₀, n₁, n₂.</param>
    /// <param name="c">Second lattice constant of hcp, Å; 0: the ideal √(8/3) a.</param>
    /// <param name="primitive">The primitive cell instead of the cube.</param>
    /// <param name="orientation">Directions [h k l] of the cubic crystal along x, y, z, at right angles and right-handed; null: ⟨100⟩. One cell is then the
    /// shortest repeat along each.</param>
    /// <param name="vacuum">Empty space added along the third edge, Å; the slab stays periodic.</param>
    /// <param name="offset">Shift of the atoms along the third edge, in parts of a repeat: where the crystal is cut when there is a vacuum.</param>
    /// <exception cref="InputException">Unknown structure, wrong number of kinds, numbers out of range, directions that are not at right angles.</exception>
    public static Atoms Create(string structure, IReadOnlyList<Species> species, double a, int[] cells, double c = 0, bool primitive = false,
        int[][]? orientation = null, double vacuum = 0, double offset = 0)
    {
        var lattice = Array.Find(s_all, s => s.Name == structure)
            ?? throw new InputException($"unknown crystal structure '{structure}'{Nearest.Hint(structure, Structures)}; there is: {string.Join(", ", Structures)}");
        if (species.Count != lattice.Kinds) throw new InputException($"{structure} has {lattice.Kinds} kind{(lattice.Kinds > 1 ? "s" : "")} of atoms, not {species.Count}");
        if (!(a > 0) || !double.IsFinite(a) || !(c >= 0) || !(vacuum >= 0) || !double.IsFinite(offset)) throw new InputException($"lattice constants a = {a}, c = {c} must be positive, the vacuum {vacuum} not negative, the offset {offset} a number");
        if (cells.Length != 3 || cells.Any(n => n < 1)) throw new InputException("a crystal needs three positive numbers of cells");
        bool hexagonal = structure == "hcp";
        if (hexagonal && (primitive || orientation is not null)) throw new InputException("hcp is built in its own cell only: a along x, c along z");
        if (!hexagonal && c > 0) throw new InputException($"{structure} is cubic: it has no second lattice constant c");
        if (primitive && orientation is not null) throw new InputException("a crystal is built from primitive cells or in an orientation, not both");

        double[] rows; // conventional frame, in units of a
        if (hexagonal) rows = [1, 0, 0, -0.5, Math.Sqrt(0.75), 0, 0, 0, (c > 0 ? c : Math.Sqrt(8.0 / 3) * a) / a];
        else if (orientation is not null) rows = Repeats(lattice, orientation);
        else rows = [.. (primitive ? lattice.Primitive : s_cube).SelectMany(v => v)];
        // Atoms of one repeat cell: conventional cells around it, kept when inside.
        var points = hexagonal ? lattice.Basis.ToList() : Inside(lattice, rows);
        if (offset != 0) points = [.. points.Select(p => (p.X, p.Y, p.Z + offset - Math.Floor(p.Z + offset), p.Kind)).OrderBy(p => p.Item3)];
        double[] edges = [.. rows.Select(r => r * a)];
        if (orientation is not null)
        {
            // Turned so that the directions lie along x, y, z.
            double Length(int d) => Math.Sqrt(rows[3 * d] * rows[3 * d] + rows[3 * d + 1] * rows[3 * d + 1] + rows[3 * d + 2] * rows[3 * d + 2]) * a;
            edges = [Length(0), 0, 0, 0, Length(1), 0, 0, 0, Length(2)];
        }
        int count = points.Count;
        long total = (long)count * cells[0] * cells[1] * cells[2];
        if (total > 500_000_000) throw new InputException($"{total} atoms are more than one crystal may have");
        var types = new int[total];
        var positions = new double[3 * total];
        int at = 0;
        for (int i = 0; i < cells[0]; i++)
            for (int j = 0; j < cells[1]; j++)
                for (int k = 0; k < cells[2]; k++)
                    foreach (var (x, y, z, kind) in points)
                    {
                        types[at] = kind;
                        for (int d = 0; d < 3; d++) positions[3 * at + d] = (i + x) * edges[d] + (j + y) * edges[3 + d] + (k + z) * edges[6 + d];
                        at++;
                    }
        double[] box = [.. edges.Select((e, n) => e * cells[n / 3])];
        if (vacuum > 0)
        {
            double length = Math.Sqrt(box[6] * box[6] + box[7] * box[7] + box[8] * box[8]);
            for (int d = 6; d < 9; d++) box[d] *= (length + vacuum) / length;
        }
        return new Atoms(species, types, positions, new Cell(box));
    }

    /// <summary>Shortest lattice vectors along three directions, in units of the cube's edge.</summary>
    private static double[] Repeats(Structure lattice, int[][] orientation)
    {
        if (orientation.Length != 3 || orientation.Any(o => o.Length != 3 || o.All(n => n == 0) || o.Any(n => Math.Abs(n) > 50)))
            throw new InputException("an orientation is three directions [h, k, l] of whole numbers up to 50, not all zero");
        int[] u = orientation[0], v = orientation[1], w = orientation[2];
        long Dot(int[] p, int[] q) => (long)p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
        if (Dot(u, v) != 0 || Dot(u, w) != 0 || Dot(v, w) != 0) throw new InputException("the three directions of an orientation must be at right angles");
        long det = u[0] * ((long)v[1] * w[2] - v[2] * w[1]) - u[1] * ((long)v[0] * w[2] - v[2] * w[0]) + u[2] * ((long)v[0] * w[1] - v[1] * w[0]);
        if (det < 0) throw new InputException("the three directions of an orientation must be right-handed: turn one of them round");
        var rows = new double[9];
        for (int d = 0; d < 3; d++)
        {
            int[] o = orientation[d];
            int divisor = o.Aggregate(0, (x, y) => Gcd(x, Math.Abs(y)));
            double[] whole = [.. o.Select(n => (double)n / divisor)];
            // Half the way, or a whole one: centred lattices repeat on halves.
            double[] half = [.. whole.Select(n => n / 2)];
            bool centred = lattice.Centring.Any(c => half.Zip(c, (p, q) => p - q).All(x => Math.Abs(x - Math.Round(x)) < 1e-9));
            (centred ? half : whole).CopyTo(rows, 3 * d);
        }
        return rows;
    }

    private static int Gcd(int a, int b) => b == 0 ? a : Gcd(b, a % b);

    private static List<(double X, double Y, double Z, int Kind)> Inside(Structure lattice, double[] rows)
    {
        var cell = new Cell(rows);
        var found = new List<(double, double, double, int)>();
        int[] low = new int[3], high = new int[3];
        for (int corner = 0; corner < 8; corner++)
            for (int d = 0; d < 3; d++)
            {
                double x = (corner & 1) * rows[d] + (corner >> 1 & 1) * rows[3 + d] + (corner >> 2) * rows[6 + d];
                (low[d], high[d]) = (Math.Min(low[d], (int)Math.Floor(x - 1e-9) - 1), Math.Max(high[d], (int)Math.Ceiling(x + 1e-9)));
            }
        for (int i = low[0]; i <= high[0]; i++)
            for (int j = low[1]; j <= high[1]; j++)
                for (int k = low[2]; k <= high[2]; k++)
                    foreach (var (bx, by, bz, kind) in lattice.Basis)
                        foreach (double[] t in lattice.Centring)
                        {
                            var (x, y, z) = cell.Fractional(i + bx + t[0], j + by + t[1], k + bz + t[2]);
                            const double tolerance = 1e-9;
                            if (x < -tolerance || y < -tolerance || z < -tolerance || x >= 1 - tolerance || y >= 1 - tolerance || z >= 1 - tolerance) continue;
                            found.Add((x, y, z, kind));
                        }
        // Sums of thirds and quarters carry rounding; a fraction that is one is made exactly that.
        return [.. found.Select(p => (Round(p.Item1), Round(p.Item2), Round(p.Item3), p.Item4)).OrderBy(p => p.Item3).ThenBy(p => p.Item2).ThenBy(p => p.Item1)];

        static double Round(double x) => Math.Abs(x) < 1e-9 ? 0 : x;
    }

    /// <summary>The same atoms repeated n₀ × n₁ × n₂ times; the first copy comes first. Velocities and charges are repeated, a topology is not.</summary>
    /// <exception cref="InputException">Numbers below 1, or repeats along a direction that is not periodic.</exception>
    public static Atoms Repeat(Atoms atoms, int[] times)
    {
        if (times.Length != 3 || times.Any(n => n < 1)) throw new InputException("three positive numbers of repeats are needed");
        for (int d = 0; d < 3; d++) if (times[d] > 1 && !atoms.Cell.Periodic[d]) throw new InputException($"direction {"abc"[d]} is not periodic: it cannot be repeated");
        if (atoms.Topology is not null) throw new InputException("atoms with bonds cannot be repeated here");
        int n = atoms.Count, copies = times[0] * times[1] * times[2], copy = 0;
        var positions = new double[3L * n * copies];
        var types = new int[(long)n * copies];
        double[] rows = [.. atoms.Cell.Rows];
        for (int d = 0; d < 9; d++) rows[d] *= times[d / 3];
        for (int i = 0; i < times[0]; i++)
            for (int j = 0; j < times[1]; j++)
                for (int k = 0; k < times[2]; k++, copy++)
                {
                    var (sx, sy, sz) = atoms.Cell.Shift(i, j, k);
                    for (int m = 0; m < n; m++)
                    {
                        int to = copy * n + m;
                        types[to] = atoms.Types[m];
                        positions[3 * to] = atoms.Positions[3 * m] + sx;
                        positions[3 * to + 1] = atoms.Positions[3 * m + 1] + sy;
                        positions[3 * to + 2] = atoms.Positions[3 * m + 2] + sz;
                    }
                }
        var all = new Atoms(atoms.Species, types, positions, atoms.Cell.WithRows(rows));
        for (int c = 0; c < copies; c++)
        {
            atoms.Velocities.CopyTo(all.Velocities, 3 * n * c);
            atoms.Charges.CopyTo(all.Charges, n * c);
        }
        return all;
    }

    /// <summary>A crystal without some of its atoms; those that stay keep their ids.</summary>
    /// <param name="crystal">Atoms without velocities, charges and topology, as built here.</param>
    /// <param name="ids">Ids of the atoms that are taken out.</param>
    /// <exception cref="InputException">No such atom, or none left.</exception>
    public static Atoms Remove(Atoms crystal, IReadOnlyCollection<int> ids)
    {
        if (ids.Count == 0) return crystal;
        foreach (int id in ids) if (id < 1 || id > crystal.Count) throw new InputException($"atom {id} is to be taken out of a crystal of {crystal.Count} atoms");
        var gone = ids.ToHashSet();
        int[] left = [.. Enumerable.Range(0, crystal.Count).Where(i => !gone.Contains(i + 1))];
        if (left.Length == 0) throw new InputException("all atoms of the crystal are to be taken out");
        return new Atoms(crystal.Species, [.. left.Select(i => crystal.Types[i])], [.. left.SelectMany(i => crystal.Positions[(3 * i)..(3 * i + 3)])], crystal.Cell) { Ids = [.. left.Select(i => crystal.Ids[i])] };
    }

    /// <summary>A kind of atom by its chemical symbol.</summary>
    /// <exception cref="InputException">No such element.</exception>
    public static Species Element(string symbol, double mass = 0) => new(symbol, mass > 0 ? mass : Elements.Mass(symbol)
        ?? throw new InputException($"'{symbol}' is no chemical symbol{Nearest.Hint(symbol, Elements.Symbols)}; other names need a mass"));
}
