using System.Globalization;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>
/// Extended xyz files (github.com/libAtoms/extxyz) as ASE reads and writes them: any number of frames, each a count, a line of key=value
/// pairs with <c>Lattice</c>, <c>pbc</c> and <c>Properties</c>, and a line per atom. Plain xyz files are read too.
/// </summary>
/// <remarks>
/// Units are ASE's: Å, eV, eV/Å, e, u. Velocities stand in the file as <c>momenta</c> in √(u·eV), ASE's own column, p = m v with time in
/// Å√(u/eV) = 10.1805 fs; <c>velocities</c> (Å per that time) and <c>vel</c> (Å/fs, as GPUMD writes) are read too. Charges are
/// <c>initial_charges</c>; <c>charge</c> and <c>charges</c> are read too.
/// </remarks>
public static class ExtXyz
{
    /// <summary>ASE's unit of time, Å√(u/eV), in fs.</summary>
    private static readonly double s_aseTime = Math.Sqrt(Codata.MassVelocitySquaredInEv);

    private static readonly string[] s_known = ["species", "pos", "Z", "forces", "force", "velocities", "vel", "velo", "momenta", "masses", "mass", "initial_charges", "charge", "charges", "id", "mol"];

    /// <summary>The last frame of a file.</summary>
    /// <param name="path">File.</param>
    /// <exception cref="InputException">Everything that is wrong with it, by line.</exception>
    public static AtomFrame Read(string path)
    {
        AtomFrame? last = null;
        foreach (var frame in ReadAll(path)) last = frame;
        return last ?? throw new InputException(path, 0, 0, "there is no frame in this file");
    }

    /// <summary>All frames of a file, one after the other.</summary>
    /// <exception cref="InputException">Everything that is wrong with a frame, by line; thrown when the frame is reached.</exception>
    public static IEnumerable<AtomFrame> ReadAll(string path)
    {
        using var lines = new TextLines(path);
        while (ReadFrame(lines) is { } frame) yield return frame;
    }

    private sealed record Column(string Name, char Kind, int Width, int At);

    private static AtomFrame? ReadFrame(TextLines lines)
    {
        string? line;
        do line = lines.Next();
        while (line is not null && string.IsNullOrWhiteSpace(line));
        if (line is null) return null;
        string[] head = TextLines.Words(line);
        if (head.Length != 1 || !long.TryParse(head[0], NumberStyles.None, CultureInfo.InvariantCulture, out long count) || count > 1_000_000_000)
            throw lines.Stop($"a frame starts with the number of atoms, alone on its line, not '{TextLines.Short(line.Trim())}'");
        if (lines.Next() is not { } comment) throw lines.Stop("the file ends after the number of atoms");
        int commentLine = lines.Number;
        // The comment of a plain xyz file is anybody's text, apostrophes and all.
        bool extended = comment.Contains("Properties", StringComparison.OrdinalIgnoreCase) || comment.Contains("Lattice", StringComparison.OrdinalIgnoreCase);
        var keys = extended ? Pairs(comment, lines) : [];
        var columns = Properties(keys.GetValueOrDefault("Properties") ?? "species:S:1:pos:R:3", lines);
        int width = columns.Sum(c => c.Width);
        // Room grows with what is there: a count that is only claimed allocates nothing.
        int room = (int)Math.Min(count, 1 << 16);
        var symbols = new List<string>(room);
        var numbers = new List<double>[width];
        for (int c = 0; c < width; c++) numbers[c] = new List<double>(room);
        for (int i = 0; i < count; i++)
        {
            if (lines.Next() is not { } row) throw lines.Stop($"the file ends after {i} of {count} atoms");
            string[] words = TextLines.Words(row);
            // A plain xyz file may carry on with anything.
            if (words.Length != width && (keys.ContainsKey("Properties") || words.Length < width))
            {
                // A line that is only a count starts the next frame: the number of atoms is what is wrong.
                if (words.Length == 1 && long.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out _)) throw lines.Stop($"a new frame begins after {i} of {count} atoms");
                lines.Fault($"an atom has {width} words here ({string.Join(", ", columns.Select(c => c.Width > 1 ? $"{c.Name} ×{c.Width}" : c.Name))}), not {words.Length}");
                continue;
            }
            foreach (var column in columns)
            {
                if (column.Name is "species")
                {
                    symbols.Add(words[column.At]);
                    if (!columns.Any(c => c.Name is "masses" or "mass") && Elements.Mass(words[column.At]) is null)
                        lines.Fault($"'{TextLines.Short(words[column.At])}' is no chemical symbol{Nearest.Hint(words[column.At], Elements.Symbols)}; other names need a column masses:R:1");
                    continue;
                }
                for (int k = column.At; k < column.At + column.Width; k++)
                {
                    double value = 0;
                    if (column.Kind == 'L')
                    {
                        value = words[k] is "T" or "True" or "true" or "1" ? 1 : 0;
                        if (value == 0 && words[k] is not ("F" or "False" or "false" or "0")) lines.Fault($"{column.Name} should be T or F, not '{TextLines.Short(words[k])}'");
                    }
                    else if (column.Kind != 'S') lines.Real(words[k], column.Name, out value);
                    numbers[k].Add(value);
                }
            }
        }
        lines.Check();
        int n = (int)count;
        double[]? Take(params string[] names)
        {
            var column = columns.Find(c => names.Contains(c.Name));
            if (column is null) return null;
            var values = new double[n * column.Width];
            for (int k = 0; k < column.Width; k++)
                for (int i = 0; i < n; i++) values[i * column.Width + k] = numbers[column.At + k][i];
            return values;
        }

        double[] positions = Take("pos")!;
        double[]? masses = Take("masses", "mass");
        if (symbols.Count == 0 && Take("Z") is { } z)
            symbols.AddRange(z.Select((number, i) => Elements.Symbol((int)number) ?? (lines.Fault($"atom {i + 1} has no element number but {number}", commentLine) ? "" : "X")));
        for (int i = 0; masses is not null && i < n; i++) if (!(masses[i] > 0)) lines.Fault($"atom {i + 1} has mass {masses[i]}; it must be positive", commentLine);
        lines.Check();
        var cell = ReadCell(keys, positions, lines, commentLine);
        var (species, types) = AtomBuilder.Kinds(symbols, masses);
        double[]? ids = Take("id"), molecules = Take("mol");
        long[] numbered = ids is null ? [.. Enumerable.Range(1, n).Select(i => (long)i)] : [.. ids.Select(i => (long)i)];
        if (numbered.Any(i => i < 1) || numbered.Distinct().Count() != n) lines.Fault("the column id holds a number below 1 or one twice", commentLine);
        lines.Check();
        var atoms = new Atoms(species, types, positions, cell) { Ids = numbered, Molecules = molecules is null ? [] : [.. molecules.Select(m => (int)m)] };
        if (Take("momenta") is { } momenta) for (int k = 0; k < 3 * n; k++) atoms.Velocities[k] = momenta[k] / (atoms.Mass(k / 3) * s_aseTime);
        else if (Take("velocities", "velo") is { } velocities) for (int k = 0; k < 3 * n; k++) atoms.Velocities[k] = velocities[k] / s_aseTime;
        else if (Take("vel") is { } vel) vel.CopyTo(atoms.Velocities, 0);
        Take("initial_charges", "charge", "charges")?.CopyTo(atoms.Charges, 0);
        double? Number(string key) => keys.TryGetValue(key, out string? text) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value : null;
        double[] stress = [];
        if (keys.TryGetValue("stress", out string? tensor) && Numbers(tensor) is { } t)
            stress = t.Length == 9 ? [t[0], t[4], t[8], (t[5] + t[7]) / 2, (t[2] + t[6]) / 2, (t[1] + t[3]) / 2] : t.Length == 6 ? t : [];
        return new AtomFrame(atoms)
        {
            Step = (long)(Number("step") ?? 0), Time = Number("time"), Energy = Number("energy"), Forces = Take("forces", "force") ?? [], Stress = stress,
            Columns = columns.Where(c => c.Kind != 'S' && !s_known.Contains(c.Name)).ToDictionary(c => c.Name, c => Take(c.Name)!),
        };
    }

    private static double[]? Numbers(string text)
    {
        string[] words = TextLines.Words(text.Replace(',', ' ').Replace('[', ' ').Replace(']', ' '));
        var values = new double[words.Length];
        for (int i = 0; i < words.Length; i++)
            if (!double.TryParse(words[i], NumberStyles.Float, CultureInfo.InvariantCulture, out values[i]) || !double.IsFinite(values[i])) return null;
        return values;
    }

    private static Cell ReadCell(Dictionary<string, string> keys, double[] positions, TextLines lines, int line)
    {
        bool[] periodic = [keys.ContainsKey("Lattice"), keys.ContainsKey("Lattice"), keys.ContainsKey("Lattice")];
        double[] rows = new double[9];
        if (keys.TryGetValue("Lattice", out string? lattice))
        {
            if (Numbers(lattice) is { Length: 9 } nine) rows = nine;
            else lines.Fault($"Lattice needs nine numbers, the edge vectors a, b, c, not '{TextLines.Short(lattice)}'", line);
        }
        if (keys.TryGetValue("pbc", out string? pbc))
        {
            string[] words = TextLines.Words(pbc.Replace(',', ' ').Replace('[', ' ').Replace(']', ' '));
            bool fine = words.Length == 3;
            for (int d = 0; d < 3 && fine; d++)
            {
                periodic[d] = words[d] is "T" or "True" or "true" or "1";
                fine = periodic[d] || words[d] is "F" or "False" or "false" or "0";
            }
            if (!fine) lines.Fault($"pbc needs three of T or F, not '{TextLines.Short(pbc)}'", line);
        }
        double[]? origin = keys.TryGetValue("Origin", out string? corner) ? Numbers(corner) : null;
        if (corner is not null && origin is not { Length: 3 }) lines.Fault($"Origin needs three numbers, not '{TextLines.Short(corner)}'", line);
        for (int d = 0; d < 3; d++)
            if (periodic[d] && rows[3 * d] == 0 && rows[3 * d + 1] == 0 && rows[3 * d + 2] == 0)
                lines.Fault($"direction {"abc"[d]} repeats (pbc), but the Lattice has no vector for it", line);
        lines.Check();
        try { return AtomBuilder.Around(rows, periodic, positions, origin); }
        catch (InputException e) { throw lines.Stop(e.Message, line); }
    }

    private static List<Column> Properties(string text, TextLines lines)
    {
        string[] parts = text.Split(':');
        var columns = new List<Column>();
        if (parts.Length % 3 != 0) throw lines.Stop($"Properties is a list of name:kind:width, like species:S:1:pos:R:3, not '{TextLines.Short(text)}'");
        int at = 0;
        for (int p = 0; p < parts.Length; p += 3)
        {
            string name = parts[p], kind = parts[p + 1];
            if (kind is not ("S" or "R" or "I" or "L")) { lines.Fault($"Properties: the kind of '{TextLines.Short(name)}' is S (text), R (real), I (whole number) or L (flag), not '{TextLines.Short(kind)}'"); continue; }
            if (!lines.Integer(parts[p + 2], $"Properties: the width of '{TextLines.Short(name)}'", 1, 1000, out long width)) continue;
            int wanted = name switch { "pos" or "forces" or "force" or "velocities" or "vel" or "velo" or "momenta" => 3, "species" or "Z" or "masses" or "mass" or "initial_charges" or "charge" or "charges" or "id" or "mol" => 1, _ => 0 };
            if (wanted > 0 && width != wanted) lines.Fault($"Properties: '{name}' has {wanted} number{(wanted > 1 ? "s" : "")} per atom, not {width}");
            if (wanted > 0 && (kind == "S") != (name == "species")) lines.Fault($"Properties: '{name}' is {(name == "species" ? "text (S)" : "a number (R or I)")}, not {kind}");
            if (columns.Exists(c => c.Name == name)) lines.Fault($"Properties: '{TextLines.Short(name)}' is there twice");
            columns.Add(new Column(name, kind[0], (int)width, at));
            at += (int)width;
        }
        string hint = columns.Select(c => Nearest.Match(c.Name, ["pos", "species"])).FirstOrDefault(m => m is not null) is { } near ? $"; did you mean '{near}'?" : "";
        if (!columns.Exists(c => c.Name == "pos")) lines.Fault($"Properties has no 'pos:R:3'{hint}");
        if (!columns.Exists(c => c.Name is "species" or "Z")) lines.Fault($"Properties has neither 'species:S:1' nor 'Z:I:1'{hint}");
        lines.Check();
        return columns;
    }

    /// <summary>key=value, key="value with blanks", key={value}, or a key alone (true).</summary>
    private static Dictionary<string, string> Pairs(string text, TextLines lines)
    {
        var pairs = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        int at = 0;
        while (true)
        {
            while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
            if (at >= text.Length) return pairs;
            string key = Word(stop: true);
            if (key.Length == 0 && at < text.Length && text[at] != '=') { at++; continue; }
            string value = "T";
            if (at < text.Length && text[at] == '=') { at++; value = Word(stop: false); }
            pairs[key] = value;
        }

        string Word(bool stop)
        {
            if (at < text.Length && text[at] is '"' or '\'' or '{')
            {
                char close = text[at] == '{' ? '}' : text[at];
                int end = text.IndexOf(close, at + 1);
                if (end < 0) throw lines.Stop($"a quote ({text[at]}) is not closed");
                string inside = text[(at + 1)..end];
                at = end + 1;
                return inside;
            }
            int start = at;
            while (at < text.Length && !char.IsWhiteSpace(text[at]) && !(stop && text[at] == '=')) at++;
            return text[start..at];
        }
    }

    /// <summary>Writes frames into a file; a file that is there is replaced as a whole.</summary>
    public static void Write(string path, params IEnumerable<AtomFrame> frames) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true) { NewLine = "\n" };
        foreach (var frame in frames) Write(writer, frame);
    });

    /// <summary>Writes one frame.</summary>
    public static void Write(TextWriter writer, AtomFrame frame)
    {
        var atoms = frame.Atoms;
        var invariant = CultureInfo.InvariantCulture;
        bool moving = atoms.Velocities.Any(v => v != 0), charged = atoms.Charges.Any(q => q != 0), forced = frame.Forces.Length == 3 * atoms.Count && atoms.Count > 0;
        bool ordinary = !atoms.Ids.Where((id, i) => id != i + 1).Any(), massive = atoms.Species.Any(s => Elements.Mass(s.Symbol) != s.Mass);
        var columns = frame.Columns.Where(c => atoms.Count > 0 && c.Value.Length % atoms.Count == 0).ToList();
        var text = new StringBuilder();
        text.Append(invariant, $"{atoms.Count}\nLattice=\"{Join(atoms.Cell.Rows)}\" ");
        if (atoms.Cell.Origin.IndexOfAnyExcept(0.0) >= 0) text.Append(invariant, $"Origin=\"{Join(atoms.Cell.Origin)}\" ");
        text.Append(invariant, $"Properties=species:S:1:pos:R:3{(massive ? ":masses:R:1" : "")}{(moving ? ":momenta:R:3" : "")}{(charged ? ":initial_charges:R:1" : "")}{(forced ? ":forces:R:3" : "")}");
        if (!ordinary) text.Append(":id:I:1");
        if (atoms.Molecules.Length > 0) text.Append(":mol:I:1");
        foreach (var (name, values) in columns) text.Append(invariant, $":{name}:R:{values.Length / atoms.Count}");
        if (frame.Energy is { } energy) text.Append(invariant, $" energy={energy:R}");
        if (frame.Stress is { Length: 6 } s) text.Append(invariant, $" stress=\"{Join([s[0], s[5], s[4], s[5], s[1], s[3], s[4], s[3], s[2]])}\"");
        if (frame.Step != 0) text.Append(invariant, $" step={frame.Step}");
        if (frame.Time is { } time) text.Append(invariant, $" time={time:R}");
        text.Append(invariant, $" pbc=\"{string.Join(' ', atoms.Cell.Periodic.ToArray().Select(p => p ? 'T' : 'F'))}\"");
        writer.Write(text.Append('\n'));
        for (int i = 0; i < atoms.Count; i++)
        {
            text.Clear().Append(invariant, $"{atoms.Species[atoms.Types[i]].Symbol} {Join(atoms.Positions.AsSpan(3 * i, 3))}");
            if (massive) text.Append(invariant, $" {atoms.Mass(i):R}");
            for (int k = 3 * i; moving && k < 3 * i + 3; k++) text.Append(invariant, $" {atoms.Velocities[k] * atoms.Mass(i) * s_aseTime:R}");
            if (charged) text.Append(invariant, $" {atoms.Charges[i]:R}");
            if (forced) text.Append(invariant, $" {Join(frame.Forces.AsSpan(3 * i, 3))}");
            if (!ordinary) text.Append(invariant, $" {atoms.Ids[i]}");
            if (atoms.Molecules.Length > 0) text.Append(invariant, $" {atoms.Molecules[i]}");
            foreach (var (_, values) in columns) text.Append(invariant, $" {Join(values.AsSpan(i * (values.Length / atoms.Count), values.Length / atoms.Count))}");
            writer.Write(text.Append('\n'));
        }

        static string Join(ReadOnlySpan<double> values)
        {
            var text = new StringBuilder();
            foreach (double v in values) text.Append(CultureInfo.InvariantCulture, $"{(text.Length > 0 ? " " : "")}{v:R}");
            return text.ToString();
        }
    }
}
