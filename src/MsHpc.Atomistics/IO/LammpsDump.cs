using System.Globalization;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>
/// LAMMPS text dumps (docs.lammps.org/dump.html), custom columns in any order: id, type, element, mass, mol, q, positions as x, xu, xs or xsu,
/// image flags, velocities, forces; other columns are kept by name. Units metal unless told otherwise.
/// </summary>
public static class LammpsDump
{
    private static readonly string[] s_known = ["id", "type", "element", "mass", "mol", "q", "x", "y", "z", "xu", "yu", "zu", "xs", "ys", "zs", "xsu", "ysu", "zsu", "ix", "iy", "iz", "vx", "vy", "vz", "fx", "fy", "fz"];
    private static readonly string[] s_items = ["TIMESTEP", "NUMBER OF ATOMS", "BOX BOUNDS", "ATOMS", "TIME", "UNITS"];

    /// <summary>The last frame of a file.</summary>
    /// <param name="path">File.</param>
    /// <param name="elements">Symbol of each type, for dumps without the column <c>element</c>.</param>
    /// <param name="units">Units of the file.</param>
    /// <exception cref="InputException">Everything that is wrong with it, by line.</exception>
    public static AtomFrame Read(string path, IReadOnlyList<string>? elements = null, LammpsUnits units = LammpsUnits.Metal)
    {
        AtomFrame? last = null;
        foreach (var frame in ReadAll(path, elements, units)) last = frame;
        return last ?? throw new InputException(path, 0, 0, "there is no frame in this file");
    }

    /// <summary>All frames of a file, one after the other.</summary>
    /// <exception cref="InputException">Everything that is wrong with a frame, by line; thrown when the frame is reached.</exception>
    public static IEnumerable<AtomFrame> ReadAll(string path, IReadOnlyList<string>? elements = null, LammpsUnits units = LammpsUnits.Metal)
    {
        using var lines = new TextLines(path);
        while (ReadFrame(lines, elements, ref units) is { } frame) yield return frame;
    }

    /// <param name="lines">File.</param>
    /// <param name="elements">Symbol of each type.</param>
    /// <param name="units">Units so far: LAMMPS names them in the first frame only, and they hold for all that follow.</param>
    private static AtomFrame? ReadFrame(TextLines lines, IReadOnlyList<string>? elements, ref LammpsUnits units)
    {
        long step = 0, count = -1;
        double? time = null;
        Cell? cell = null;
        bool any = false;
        while (lines.Next() is { } line)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (!line.StartsWith("ITEM:", StringComparison.Ordinal)) throw lines.Stop($"a line 'ITEM: …' is needed here, not '{TextLines.Short(line.Trim())}'");
            string item = line[5..].Trim();
            any = true;
            if (item == "TIMESTEP") lines.Integer(Value(lines, item), "the time step", 0, long.MaxValue, out step);
            else if (item == "NUMBER OF ATOMS") lines.Integer(Value(lines, item), "the number of atoms", 0, 1_000_000_000, out count);
            else if (item == "UNITS")
            {
                string said = Value(lines, item);
                if (said is "metal" or "real") units = said == "real" ? LammpsUnits.Real : LammpsUnits.Metal;
                else lines.Fault($"units '{TextLines.Short(said)}' are not read here; there is: metal, real");
            }
            else if (item == "TIME") time = lines.Real(Value(lines, item), "the time", out double t) ? t * units.Time() : null;
            else if (item.StartsWith("BOX BOUNDS", StringComparison.Ordinal)) cell = Box(lines, TextLines.Words(item[10..]));
            else if (item.StartsWith("ATOMS", StringComparison.Ordinal))
            {
                if (count < 0) throw lines.Stop("the atoms come before 'ITEM: NUMBER OF ATOMS'");
                if (cell is null) throw lines.Stop("the atoms come before 'ITEM: BOX BOUNDS'");
                lines.Check();
                return Atoms(lines, TextLines.Words(item[5..]), count, cell, elements, units) with { Step = step, Time = time };
            }
            else throw lines.Stop($"unknown 'ITEM: {TextLines.Short(item)}'{Nearest.Hint(item, s_items)}; there is: {string.Join(", ", s_items)}");
            lines.Check();
        }
        return any ? throw lines.Stop("the file ends before the atoms of its last frame") : null;
    }

    private static string Value(TextLines lines, string item) => lines.Next()?.Trim() ?? throw lines.Stop($"the file ends after 'ITEM: {item}'");

    private static Cell Box(TextLines lines, string[] words)
    {
        bool tilted = words.Length >= 3 && words[0] == "xy";
        string[] ends = words[(tilted ? 3 : 0)..];
        if (ends.Length is not (0 or 3) || ends.Any(e => e.Length != 2)) lines.Fault($"BOX BOUNDS carries three pairs like 'pp pp ss' (and 'xy xz yz' before them when tilted), not '{TextLines.Short(string.Join(' ', words))}'");
        bool[] periodic = ends.Length == 3 ? [.. ends.Select(e => e == "pp")] : [true, true, true];
        var b = new double[9];
        for (int d = 0; d < 3; d++)
        {
            string[] w = TextLines.Words(Value(lines, "BOX BOUNDS"));
            if (w.Length != (tilted ? 3 : 2)) throw lines.Stop($"the bounds along {"xyz"[d]} are {(tilted ? "three" : "two")} numbers");
            lines.Real(w[0], "a bound", out b[2 * d]);
            lines.Real(w[1], "a bound", out b[2 * d + 1]);
            if (tilted) lines.Real(w[2], "a tilt", out b[6 + d]);
        }
        lines.Check();
        double xy = b[6], xz = b[7], yz = b[8];
        // The bounds are those of the box around the tilted cell.
        double x0 = b[0] - Math.Min(Math.Min(0, xy), Math.Min(xz, xy + xz)), x1 = b[1] - Math.Max(Math.Max(0, xy), Math.Max(xz, xy + xz));
        double y0 = b[2] - Math.Min(0, yz), y1 = b[3] - Math.Max(0, yz);
        if (!(x1 > x0 && y1 > y0 && b[5] > b[4])) throw lines.Stop("an upper bound of the box is not above its lower one");
        try { return new Cell([x1 - x0, 0, 0, xy, y1 - y0, 0, xz, yz, b[5] - b[4]], periodic, [x0, y0, b[4]]); }
        catch (InputException e) { throw lines.Stop(e.Message); }
    }

    private static AtomFrame Atoms(TextLines lines, string[] columns, long count, Cell cell, IReadOnlyList<string>? elements, LammpsUnits units)
    {
        int head = lines.Number;
        int At(string name) => Array.IndexOf(columns, name);
        foreach (var twice in columns.GroupBy(c => c).Where(g => g.Count() > 1)) lines.Fault($"the column '{TextLines.Short(twice.Key)}' is there twice");
        string? form = new[] { "xu", "x", "xsu", "xs" }.FirstOrDefault(f => At(f) >= 0);
        string suffix = form?[1..] ?? "";
        if (form is null || At("y" + suffix) < 0 || At("z" + suffix) < 0)
        {
            string near = columns.Select(c => Nearest.Match(c, ["x", "y", "z"])).FirstOrDefault(m => m is not null) is { } m ? $"; did you mean '{m}'?" : "";
            throw lines.Stop($"there are no positions: x y z, xu yu zu, xs ys zs or xsu ysu zsu are needed among {TextLines.Short(string.Join(' ', columns))}{near}");
        }
        if (At("element") < 0 && At("type") < 0) lines.Fault("there is neither a column 'type' nor 'element'");
        lines.Check();
        int element = At("element");
        var numbers = new List<double>[columns.Length];
        for (int c = 0; c < columns.Length; c++) numbers[c] = [];
        var symbols = new List<string>();
        for (long i = 0; i < count; i++)
        {
            if (lines.Next() is not { } line) throw lines.Stop($"the file ends after {i} of {count} atoms");
            if (line.StartsWith("ITEM:", StringComparison.Ordinal)) throw lines.Stop($"a new item begins after {i} of {count} atoms");
            string[] w = TextLines.Words(line);
            if (w.Length != columns.Length) { lines.Fault($"an atom has {columns.Length} words here ({string.Join(' ', columns)}), not {w.Length}"); continue; }
            for (int c = 0; c < w.Length; c++)
            {
                if (c == element) { symbols.Add(w[c]); continue; }
                double value = 0;
                if (s_known.Contains(columns[c])) lines.Real(w[c], columns[c], out value);
                else if (!double.TryParse(w[c], NumberStyles.Float, CultureInfo.InvariantCulture, out value)) value = double.NaN; // a column of words that nobody asked for
                numbers[c].Add(value);
            }
        }
        lines.Check();
        int n = (int)count;
        double[]? Take(string name) => At(name) is >= 0 and var c ? [.. numbers[c]] : null;
        double[] ids = Take("id") ?? [.. Enumerable.Range(1, n).Select(i => (double)i)];
        for (int i = 0; i < n; i++) if (!(ids[i] >= 1) || ids[i] != Math.Floor(ids[i]) || ids[i] > 9e15) lines.Fault($"an atom has the number {ids[i]}; numbers are whole, from 1", head);
        if (ids.Distinct().Count() != n) lines.Fault("two atoms have the same number", head);
        lines.Check();
        int[] order = [.. Enumerable.Range(0, n).OrderBy(i => ids[i])];
        double[]? Ordered(string name) => Take(name) is { } v ? [.. order.Select(i => v[i])] : null;
        double[]? type = Ordered("type"), masses = Ordered("mass");
        if (element < 0)
            foreach (int i in order)
            {
                double t = numbers[At("type")][i];
                if (!(t >= 1 && t == Math.Floor(t) && t <= 1e5)) lines.Fault($"an atom has type {t}; types are whole, from 1", head);
                else if (elements is not null && t > elements.Count) lines.Fault($"an atom has type {t}; {elements.Count} elements were named", head);
            }
        lines.Check();
        List<Species> species;
        int[] types;
        if (type is not null && type.All(t => t >= 1 && t == Math.Floor(t) && t <= 1e5))
        {
            // Types keep their numbers; those that no atom has keep their place.
            types = [.. type.Select(t => (int)t - 1)];
            species = [];
            for (int t = 0; t < Math.Max(elements?.Count ?? 0, types.DefaultIfEmpty(-1).Max() + 1); t++)
            {
                int one = Array.IndexOf(types, t);
                string name = one >= 0 && element >= 0 ? symbols[order[one]] : elements?.ElementAtOrDefault(t) ?? (one >= 0 && masses is not null ? Elements.OfMass(masses[one]) : null) ?? $"type{t + 1}";
                species.Add(new Species(name, one >= 0 && masses is not null ? masses[one] : Elements.Mass(name) ?? 1));
            }
        }
        else
        {
            var names = order.Select(i => symbols[i]).ToList();
            foreach (string name in names.Distinct().Where(s => masses is null && Elements.Mass(s) is null))
                lines.Fault($"'{TextLines.Short(name)}' is no chemical symbol{Nearest.Hint(name, Elements.Symbols)}; other names need a column 'mass'", head);
            lines.Check();
            (species, types) = AtomBuilder.Kinds(names, masses);
        }
        if (species.Exists(s => !(s.Mass > 0))) lines.Fault("a mass is not positive", head);
        lines.Check();
        double[] x = Ordered(form)!, y = Ordered("y" + suffix)!, z = Ordered("z" + suffix)!;
        double[]? ix = Ordered("ix"), iy = Ordered("iy"), iz = Ordered("iz");
        var positions = new double[3 * n];
        for (int i = 0; i < n; i++)
        {
            var (px, py, pz) = suffix.StartsWith('s') ? cell.Cartesian(x[i], y[i], z[i]) : (x[i], y[i], z[i]);
            if (suffix is "" or "s" && ix is not null && iy is not null && iz is not null)
            {
                if (Math.Max(Math.Abs(ix[i]), Math.Max(Math.Abs(iy[i]), Math.Abs(iz[i]))) > 1e6) { lines.Fault("an image flag is out of range", head); continue; }
                var (sx, sy, sz) = cell.Shift((int)ix[i], (int)iy[i], (int)iz[i]);
                (px, py, pz) = (px + sx, py + sy, pz + sz);
            }
            (positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]) = (px, py, pz);
        }
        lines.Check();
        var atoms = new Atoms(species, types, positions, cell) { Ids = [.. order.Select(i => (long)ids[i])], Molecules = Ordered("mol") is { } mol ? [.. mol.Select(m => (int)m)] : [] };
        Ordered("q")?.CopyTo(atoms.Charges, 0);
        Three("v", units.Velocity())?.CopyTo(atoms.Velocities, 0);
        return new AtomFrame(atoms)
        {
            Forces = Three("f", units.Energy()) ?? [],
            Columns = columns.Where((c, k) => !s_known.Contains(c) && !numbers[k].Exists(double.IsNaN)).ToDictionary(c => c, c => Ordered(c)!),
        };

        double[]? Three(string letter, double factor)
        {
            if (Ordered(letter + "x") is not { } a || Ordered(letter + "y") is not { } b || Ordered(letter + "z") is not { } c) return null;
            var all = new double[3 * n];
            for (int i = 0; i < n; i++) (all[3 * i], all[3 * i + 1], all[3 * i + 2]) = (a[i] * factor, b[i] * factor, c[i] * factor);
            return all;
        }
    }

    /// <summary>Writes frames in metal units into a file; a file that is there is replaced as a whole.</summary>
    public static void Write(string path, params IEnumerable<AtomFrame> frames) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true) { NewLine = "\n" };
        foreach (var frame in frames) Write(writer, frame);
    });

    /// <summary>Writes one frame: id type element xu yu zu, and what else there is. A cell that LAMMPS would not take is turned with everything in it.</summary>
    public static void Write(TextWriter writer, AtomFrame frame)
    {
        var atoms = frame.Atoms;
        var invariant = CultureInfo.InvariantCulture;
        var box = new LammpsCell(atoms.Cell);
        bool moving = atoms.Velocities.Any(v => v != 0), charged = atoms.Charges.Any(q => q != 0), forced = frame.Forces.Length == 3 * atoms.Count && atoms.Count > 0;
        var text = new StringBuilder();
        text.Append("ITEM: UNITS\nmetal\n");
        if (frame.Time is { } time) text.Append(invariant, $"ITEM: TIME\n{time * 1e-3:R}\n");
        text.Append(invariant, $"ITEM: TIMESTEP\n{frame.Step}\nITEM: NUMBER OF ATOMS\n{atoms.Count}\n");
        string ends = string.Join(' ', atoms.Cell.Periodic.ToArray().Select(p => p ? "pp" : "ff"));
        double x0 = box.Low[0], y0 = box.Low[1], z0 = box.Low[2], x1 = x0 + box.Lx, y1 = y0 + box.Ly, z1 = z0 + box.Lz;
        if (box.IsTilted)
        {
            double a = Math.Min(Math.Min(0, box.Xy), Math.Min(box.Xz, box.Xy + box.Xz)), b = Math.Max(Math.Max(0, box.Xy), Math.Max(box.Xz, box.Xy + box.Xz));
            text.Append(invariant, $"ITEM: BOX BOUNDS xy xz yz {ends}\n{x0 + a:R} {x1 + b:R} {box.Xy:R}\n{y0 + Math.Min(0, box.Yz):R} {y1 + Math.Max(0, box.Yz):R} {box.Xz:R}\n{z0:R} {z1:R} {box.Yz:R}\n");
        }
        else text.Append(invariant, $"ITEM: BOX BOUNDS {ends}\n{x0:R} {x1:R}\n{y0:R} {y1:R}\n{z0:R} {z1:R}\n");
        var columns = frame.Columns.Where(c => c.Value.Length == atoms.Count && atoms.Count > 0).ToList();
        text.Append(invariant, $"ITEM: ATOMS id type element mass xu yu zu{(atoms.Molecules.Length > 0 ? " mol" : "")}{(charged ? " q" : "")}{(moving ? " vx vy vz" : "")}{(forced ? " fx fy fz" : "")}{string.Concat(columns.Select(c => " " + c.Key))}\n");
        writer.Write(text);
        for (int i = 0; i < atoms.Count; i++)
        {
            double[] r = box.Turn(atoms.Positions.AsSpan(3 * i, 3));
            text.Clear().Append(invariant, $"{atoms.Ids[i]} {atoms.Types[i] + 1} {atoms.Species[atoms.Types[i]].Symbol} {atoms.Mass(i):R} {r[0]:R} {r[1]:R} {r[2]:R}");
            if (atoms.Molecules.Length > 0) text.Append(invariant, $" {atoms.Molecules[i]}");
            if (charged) text.Append(invariant, $" {atoms.Charges[i]:R}");
            if (moving) { double[] v = box.Turn(atoms.Velocities.AsSpan(3 * i, 3)); text.Append(invariant, $" {v[0] * 1e3:R} {v[1] * 1e3:R} {v[2] * 1e3:R}"); }
            if (forced) { double[] f = box.Turn(frame.Forces.AsSpan(3 * i, 3)); text.Append(invariant, $" {f[0]:R} {f[1]:R} {f[2]:R}"); }
            foreach (var (_, values) in columns) text.Append(invariant, $" {values[i]:R}");
            writer.Write(text.Append('\n'));
        }
    }
}
