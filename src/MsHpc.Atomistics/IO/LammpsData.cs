using System.Globalization;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>What a LAMMPS data file holds.</summary>
/// <param name="Atoms">Atoms in the order of their ids, positions unwrapped by their image flags; with the topology when there are bonds.</param>
/// <param name="Style">atomic, charge, molecular or full.</param>
/// <param name="PairCoeffs">Words of <c>Pair Coeffs</c> per type, as they stand there; empty when there are none.</param>
public sealed record LammpsDataFile(Atoms Atoms, string Style, IReadOnlyList<string[]> PairCoeffs)
{
    /// <summary>The pair style that <c>Pair Coeffs</c> are of, from the comment behind that name; null when it does not say.</summary>
    public string? PairStyle { get; init; }
}

/// <summary>
/// LAMMPS data files (docs.lammps.org/read_data.html): atom styles atomic, charge, bond, angle, molecular and full, triclinic tilt, masses, type
/// labels, image flags, velocities, bonds, angles, dihedrals, impropers and the coefficients of those forms that
/// <see cref="Topology"/> knows.
/// </summary>
/// <remarks>Forms of coefficients are told by the comment that <c>write_data</c> puts behind a section's name (<c>Bond Coeffs # harmonic</c>) or by
/// the first word (hybrid styles); without either, harmonic. Known are: bond harmonic, class2; angle harmonic; dihedral harmonic, charmm,
/// fourier; improper harmonic, cvff. Pairs joined by one or two bonds are excluded and those joined by three scaled as asked.</remarks>
public static class LammpsData
{
    private static readonly string[] s_styles = ["atomic", "charge", "molecular", "full", "bond", "angle"];
    private static readonly string[] s_counts = ["atoms", "bonds", "angles", "dihedrals", "impropers"];
    private static readonly string[] s_sections = ["Masses", "Atoms", "Velocities", "Bonds", "Angles", "Dihedrals", "Impropers", "Pair Coeffs", "PairIJ Coeffs",
        "Bond Coeffs", "Angle Coeffs", "Dihedral Coeffs", "Improper Coeffs", "Atom Type Labels"];
    // Sections of styles that are not read: their names are told apart from slips.
    private static readonly string[] s_foreign = ["Ellipsoids", "Lines", "Triangles", "Bodies", "BondBond Coeffs", "BondAngle Coeffs", "MiddleBondTorsion Coeffs", "EndBondTorsion Coeffs",
        "AngleTorsion Coeffs", "AngleAngleTorsion Coeffs", "BondBond13 Coeffs", "AngleAngle Coeffs", "Bond Type Labels", "Angle Type Labels", "Dihedral Type Labels", "Improper Type Labels"];

    /// <summary>Reads a data file.</summary>
    /// <param name="path">File.</param>
    /// <param name="style">Atom style; null: what the comment behind <c>Atoms</c> says, else guessed by the number of columns.</param>
    /// <param name="units">Units of the file.</param>
    /// <param name="scale14">Factors of Coulomb and Lennard-Jones between atoms three bonds apart (special_bonds); LAMMPS' own default is 0 and 0.</param>
    /// <exception cref="InputException">Everything that is wrong with it, by line.</exception>
    public static LammpsDataFile Read(string path, string? style = null, LammpsUnits units = LammpsUnits.Metal, (double Coulomb, double LennardJones) scale14 = default)
    {
        using var lines = new TextLines(path);
        return new Reader(lines, style, units, scale14).Read();
    }

    private sealed class Reader(TextLines lines, string? style, LammpsUnits units, (double Coulomb, double LennardJones) scale14)
    {
        private readonly Dictionary<string, long> _counts = s_counts.ToDictionary(c => c, _ => 0L), _typeCounts = s_counts.ToDictionary(c => c, _ => 0L);
        private readonly double[] _box = [-0.5, 0.5, -0.5, 0.5, -0.5, 0.5, 0, 0, 0];
        private readonly HashSet<string> _seen = [];
        private readonly Topology _topology = new();
        private double[] _masses = [];
        private string[] _names = [];
        private readonly List<(long Id, int Molecule, int Type, double Charge, double X, double Y, double Z, int Nx, int Ny, int Nz)> _atoms = [];
        private readonly Dictionary<long, int> _index = [];
        private readonly List<(long Id, double X, double Y, double Z, int Line)> _velocities = [];
        private readonly List<(string Kind, long[] Numbers, int Line)> _terms = [];
        private string[][] _pairs = [];
        private string? _pairStyle;

        public LammpsDataFile Read()
        {
            lines.Next(); // a title
            Header();
            while (NextSection() is { } section) Section(section.Name, section.Comment);
            return Finish();
        }

        /// <summary>Lines of numbers up to the first section.</summary>
        private void Header()
        {
            while (lines.Next() is { } raw)
            {
                string line = Bare(raw, out _);
                if (line.Length == 0) continue;
                string[] w = TextLines.Words(line);
                if (char.IsLetter(w[0][0])) { lines.Back(raw); break; }
                string tail = string.Join(' ', w.SkipWhile(x => !char.IsLetter(x[0])));
                int numbers = w.TakeWhile(x => !char.IsLetter(x[0])).Count();
                if (tail is "xlo xhi" or "ylo yhi" or "zlo zhi")
                {
                    int d = tail[0] - 'x';
                    if (numbers != 2) lines.Fault($"'{tail}' needs two numbers");
                    else if (lines.Real(w[0], tail, out _box[2 * d]) & lines.Real(w[1], tail, out _box[2 * d + 1]) && !(_box[2 * d + 1] > _box[2 * d])) lines.Fault($"{tail}: the upper bound {w[1]} is not above the lower {w[0]}");
                }
                else if (tail == "xy xz yz")
                {
                    if (numbers != 3) lines.Fault("'xy xz yz' needs three numbers");
                    else for (int k = 0; k < 3; k++) lines.Real(w[k], tail, out _box[6 + k]);
                }
                else if (_counts.ContainsKey(tail)) { if (lines.Integer(w[0], $"the number of {tail}", 0, 1_000_000_000, out long n)) _counts[tail] = n; }
                else if (tail.EndsWith(" types", StringComparison.Ordinal) && _counts.ContainsKey(tail[..^6] + "s")) { if (lines.Integer(w[0], $"the number of {tail}", 0, 100_000, out long n)) _typeCounts[tail[..^6] + "s"] = n; }
                else if (!tail.StartsWith("extra ", StringComparison.Ordinal) && !tail.EndsWith("per atom", StringComparison.Ordinal))
                    lines.Fault($"unknown header '{TextLines.Short(tail)}'{Nearest.Hint(tail, [.. s_counts, .. s_counts.Select(c => c[..^1] + " types"), "xlo xhi", "ylo yhi", "zlo zhi", "xy xz yz"])}");
            }
            lines.Check();
            int types = (int)_typeCounts["atoms"];
            if (types == 0 && _counts["atoms"] > 0) throw lines.Stop("the header does not say how many 'atom types' there are");
            _masses = new double[types];
            _names = new string[types];
            _pairs = new string[types][];
        }

        private static string Bare(string line, out string comment)
        {
            int hash = line.IndexOf('#', StringComparison.Ordinal);
            comment = hash >= 0 ? line[(hash + 1)..].Trim() : "";
            return (hash >= 0 ? line[..hash] : line).Trim();
        }

        private (string Name, string Comment)? NextSection()
        {
            while (lines.Next() is { } raw)
            {
                string line = Bare(raw, out string comment);
                if (line.Length == 0) continue;
                string name = string.Join(' ', TextLines.Words(line));
                if (s_foreign.Contains(name)) throw lines.Stop($"the section '{name}' belongs to a style that is not read here; there is: {string.Join(", ", s_sections)}");
                if (!s_sections.Contains(name)) throw lines.Stop($"unknown section '{TextLines.Short(name)}'{Nearest.Hint(name, s_sections)}");
                if (!_seen.Add(name)) throw lines.Stop($"the section '{name}' is there twice");
                return (name, comment);
            }
            return null;
        }

        /// <summary>The lines of a section: as many as the header promises.</summary>
        private IEnumerable<string[]> Rows(string section, long count, bool withComment = false)
        {
            for (long i = 0; i < count;)
            {
                string? raw = lines.Next();
                if (raw is null) { lines.Fault($"the file ends after {i} of {count} lines of '{section}'"); yield break; }
                string line = Bare(raw, out string comment);
                if (line.Length == 0) continue;
                if (s_sections.Contains(string.Join(' ', TextLines.Words(line)))) { lines.Fault($"'{section}' has {i} of {count} lines"); lines.Back(raw); yield break; }
                i++;
                yield return withComment ? [.. TextLines.Words(line), "#", comment] : TextLines.Words(line);
            }
        }

        private void Section(string name, string comment)
        {
            int types = _masses.Length;
            switch (name)
            {
                case "Masses":
                    foreach (string[] w in Rows(name, types, withComment: true))
                    {
                        if (w.Length != 4) { lines.Fault("a mass is a type and a number"); continue; }
                        if (!Type(w[0], types, out int t) || !lines.Real(w[1], "a mass", out double mass)) continue;
                        if (!(mass > 0)) lines.Fault($"the mass {w[1]} of type {w[0]} must be positive");
                        _masses[t] = mass;
                        string word = TextLines.Words(w[3]).FirstOrDefault() ?? "";
                        if (word.Length > 0) _names[t] ??= word;
                    }
                    break;
                case "Atom Type Labels":
                    foreach (string[] w in Rows(name, types))
                        if (w.Length != 2) lines.Fault("a label is a type and a word");
                        else if (lines.Integer(w[0], "the type", 1, types, out long t)) _names[t - 1] = w[1];
                    break;
                case "Pair Coeffs":
                    _pairStyle = TextLines.Words(comment).FirstOrDefault();
                    foreach (string[] w in Rows(name, types)) if (Type(w[0], types, out int t)) _pairs[t] = w[1..];
                    break;
                case "PairIJ Coeffs":
                    foreach (string[] _ in Rows(name, types * (types + 1L) / 2)) { }
                    break;
                case "Atoms": AtomRows(comment); break;
                case "Velocities":
                    foreach (string[] w in Rows(name, _counts["atoms"]))
                    {
                        if (w.Length != 4) { lines.Fault($"a velocity is an atom and three numbers, not {w.Length} words"); continue; }
                        if (lines.Integer(w[0], "the atom", 1, long.MaxValue, out long id) & lines.Real(w[1], "vx", out double x) & lines.Real(w[2], "vy", out double y) & lines.Real(w[3], "vz", out double z))
                            _velocities.Add((id, x, y, z, lines.Number));
                    }
                    break;
                case "Bonds" or "Angles" or "Dihedrals" or "Impropers":
                    string key = name.ToLowerInvariant();
                    int members = key switch { "bonds" => 2, "angles" => 3, _ => 4 };
                    foreach (string[] w in Rows(name, _counts[key]))
                    {
                        if (w.Length != members + 2) { lines.Fault($"one of the {key} is a number, a type and {members} atoms, not {w.Length} words"); continue; }
                        var numbers = new long[members + 1];
                        bool fine = lines.Integer(w[1], "the type", 1, _typeCounts[key], out numbers[0]);
                        for (int k = 1; k <= members; k++) fine &= lines.Integer(w[k + 1], "the atom", 1, long.MaxValue, out numbers[k]);
                        if (fine) _terms.Add((key, numbers, lines.Number));
                    }
                    break;
                default: Coefficients(name, comment); break;
            }
            // Everything after a broken section would only be noise.
            lines.Check();
        }

        private bool Type(string word, int types, out int type)
        {
            // Labels do not begin with a digit; what a comment behind a mass says may.
            type = char.IsAsciiDigit(word[0]) ? -1 : Array.IndexOf(_names, word);
            if (type >= 0) return true;
            bool ok = lines.Integer(word, "the type", 1, types, out long number);
            type = (int)number - 1;
            return ok;
        }

        private void AtomRows(string comment)
        {
            string? said = comment.Length > 0 ? TextLines.Words(comment)[0] : null;
            if (style is not null && !s_styles.Contains(style)) throw lines.Stop($"unknown atom style '{style}'{Nearest.Hint(style, s_styles)}; there is: {string.Join(", ", s_styles)}");
            if (said is not null && !s_styles.Contains(said)) throw lines.Stop($"atom style '{TextLines.Short(said)}' is not read here{Nearest.Hint(said, s_styles)}; there is: {string.Join(", ", s_styles)}");
            if (style is not null && said is not null && Columns(style) != Columns(said)) throw lines.Stop($"the file says atom style {said}, not {style}");
            style ??= said;
            foreach (string[] w in Rows("Atoms", _counts["atoms"]))
            {
                style ??= w.Length switch { 5 or 8 => "atomic", 7 or 10 => "full", 6 or 9 => w[2].Contains('.', StringComparison.Ordinal) ? "charge" : "molecular", _ => throw lines.Stop($"an atom has 5 to 10 words, not {w.Length}") };
                int columns = Columns(style), at = 1;
                if (w.Length != columns && w.Length != columns + 3) { lines.Fault($"an atom of style {style} has {columns} words, or {columns + 3} with image flags, not {w.Length}"); continue; }
                long molecule = 0;
                double charge = 0;
                bool fine = lines.Integer(w[0], "the atom's number", 1, long.MaxValue, out long id);
                if (style is "full" or "molecular" or "bond" or "angle") fine &= lines.Integer(w[at++], "the molecule", 0, int.MaxValue, out molecule);
                fine &= Type(w[at++], _masses.Length, out int type);
                if (style is "full" or "charge") fine &= lines.Real(w[at++], "the charge", out charge);
                fine &= lines.Real(w[at++], "x", out double x) & lines.Real(w[at++], "y", out double y) & lines.Real(w[at++], "z", out double z);
                long[] image = new long[3];
                if (w.Length > columns)
                    for (int k = 0; k < 3; k++) fine &= lines.Integer(w[at + k], "an image flag", -1_000_000, 1_000_000, out image[k]);
                if (!fine) continue;
                if (!_index.TryAdd(id, _atoms.Count)) { lines.Fault($"atom {id} is there twice"); continue; }
                _atoms.Add((id, (int)molecule, type, charge, x, y, z, (int)image[0], (int)image[1], (int)image[2]));
            }
        }

        private static int Columns(string style) => style switch { "atomic" => 5, "full" => 7, _ => 6 };

        private void Coefficients(string section, string comment)
        {
            string kind = section[..^7].ToLowerInvariant(); // "bond" of "Bond Coeffs"
            string? said = comment.Length > 0 ? TextLines.Words(comment)[0] : null;
            string[] known = kind switch { "bond" => ["harmonic", "class2"], "angle" => ["harmonic"], "dihedral" => ["harmonic", "charmm", "fourier"], _ => ["harmonic", "cvff"] };
            int types = (int)_typeCounts[kind + "s"];
            double energy = units.Energy();
            var found = new List<object>?[types];
            foreach (string[] w in Rows(section, types))
            {
                if (!lines.Integer(w[0], "the type", 1, types, out long type)) continue;
                bool named = w.Length > 1 && char.IsLetter(w[1][0]);
                string form = named ? w[1] : said is null or "hybrid" ? "harmonic" : said;
                if (!known.Contains(form)) { lines.Fault($"{kind} style '{TextLines.Short(form)}' is not read here{Nearest.Hint(form, known)}; there is: {string.Join(", ", known)}"); continue; }
                string[] words = w[(named ? 2 : 1)..];
                var n = new double[words.Length];
                bool fine = true;
                for (int k = 0; k < n.Length; k++) fine &= lines.Real(words[k], $"a coefficient of {section}", out n[k]);
                if (!fine) continue;
                int needed = (kind, form) switch { ("bond", "harmonic") => 2, ("bond", _) => 4, ("angle", _) => 2, ("dihedral", "harmonic") => 3, ("dihedral", "charmm") => 4, ("dihedral", _) => 1, (_, "harmonic") => 2, _ => 3 };
                if (form == "fourier" && n.Length > 0) needed = n[0] is >= 1 and <= 100 ? 1 + 3 * (int)n[0] : 1;
                if (n.Length != needed || form == "fourier" && needed == 1) { lines.Fault($"{kind} style {form} needs {needed} numbers, not {n.Length}"); continue; }
                if (form == "charmm" && n[3] != 0)
                {
                    lines.Fault($"the weight {words[3]} of a charmm dihedral asks for 1-4 interactions of lj/charmm, which are not read here; with weight 0 special_bonds (scale14) scales them");
                    continue;
                }
                const double degree = Math.PI / 180;
                found[type - 1] = (kind, form) switch
                {
                    ("bond", "harmonic") => [new Topology.BondType(n[0] * energy, n[1])],
                    ("bond", _) => [new Topology.BondType(n[1] * energy, n[0], n[2] * energy, n[3] * energy)],
                    ("angle", _) => [new Topology.AngleType(n[0] * energy, n[1] * degree)],
                    ("dihedral", "harmonic") => [new Topology.DihedralType(n[0] * energy, (int)n[2], n[1] < 0 ? Math.PI : 0)],
                    ("dihedral", "charmm") => [new Topology.DihedralType(n[0] * energy, (int)n[1], n[2] * degree)],
                    ("dihedral", _) => [.. Enumerable.Range(0, (int)n[0]).Select(m => new Topology.DihedralType(n[1 + 3 * m] * energy, (int)n[2 + 3 * m], n[3 + 3 * m] * degree))],
                    (_, "harmonic") => [new Topology.ImproperType(n[0] * energy, n[1] * degree)],
                    _ => [new Topology.DihedralType(n[0] * energy, (int)n[2], n[1] < 0 ? Math.PI : 0)],
                };
            }
            for (int t = 0; t < types && !lines.HasFaults; t++) if (found[t] is null) lines.Fault($"{section}: type {t + 1} has no coefficients");
            _coefficients[kind + "s"] = found;
        }

        private readonly Dictionary<string, List<object>?[]> _coefficients = [];

        private LammpsDataFile Finish()
        {
            int n = _atoms.Count;
            if (!_seen.Contains("Atoms") && _counts["atoms"] > 0) lines.Fault("there is no section 'Atoms'");
            for (int t = 0; t < _masses.Length; t++) if (_masses[t] == 0) lines.Fault($"type {t + 1} has no mass: a section 'Masses' is needed");
            lines.Check();
            double[] b = _box;
            Cell cell;
            try { cell = new Cell([b[1] - b[0], 0, 0, b[6], b[3] - b[2], 0, b[7], b[8], b[5] - b[4]], null, [b[0], b[2], b[4]]); }
            catch (InputException e) { throw lines.Stop(e.Message, 1); }
            // Ids in order, as LAMMPS itself has no order to speak of.
            int[] order = [.. Enumerable.Range(0, n).OrderBy(i => _atoms[i].Id)];
            var species = Enumerable.Range(0, _masses.Length).Select(t => new Species(_names[t] ?? Elements.OfMass(_masses[t]) ?? $"type{t + 1}", _masses[t])).ToList();
            var positions = new double[3 * n];
            for (int i = 0; i < n; i++)
            {
                var a = _atoms[order[i]];
                var (sx, sy, sz) = cell.Shift(a.Nx, a.Ny, a.Nz);
                (positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]) = (a.X + sx, a.Y + sy, a.Z + sz);
            }
            for (int i = 0; i < n; i++) _index[_atoms[order[i]].Id] = i;
            Terms();
            lines.Check();
            bool molecular = _terms.Count > 0;
            if (molecular) SpecialPairs.Add(_topology, n, scale14.Coulomb, scale14.LennardJones);
            var atoms = new Atoms(species, [.. order.Select(i => _atoms[i].Type)], positions, cell)
            {
                Ids = [.. order.Select(i => _atoms[i].Id)], Molecules = style is "full" or "molecular" or "bond" or "angle" ? [.. order.Select(i => _atoms[i].Molecule)] : [], Topology = molecular ? _topology : null,
            };
            for (int i = 0; i < n; i++) atoms.Charges[i] = _atoms[order[i]].Charge;
            foreach (var (id, x, y, z, line) in _velocities)
            {
                if (!_index.TryGetValue(id, out int i)) { lines.Fault($"there is no atom {id}", line); continue; }
                double v = units.Velocity();
                (atoms.Velocities[3 * i], atoms.Velocities[3 * i + 1], atoms.Velocities[3 * i + 2]) = (x * v, y * v, z * v);
            }
            lines.Check();
            return new LammpsDataFile(atoms, style ?? "atomic", _seen.Contains("Pair Coeffs") ? _pairs : []) { PairStyle = _pairStyle };
        }

        private void Terms()
        {
            var first = new Dictionary<string, int[]>();
            foreach (var (kind, found) in _coefficients)
            {
                var numbers = first[kind] = new int[found.Length];
                for (int t = 0; t < found.Length; t++)
                {
                    foreach (object law in found[t]!)
                        switch (law)
                        {
                            case Topology.BondType x: numbers[t] = _topology.BondTypes.Count; _topology.BondTypes.Add(x); break;
                            case Topology.AngleType x: numbers[t] = _topology.AngleTypes.Count; _topology.AngleTypes.Add(x); break;
                            case Topology.ImproperType x: numbers[t] = _topology.ImproperTypes.Count; _topology.ImproperTypes.Add(x); break;
                            case Topology.DihedralType x: numbers[t] = _topology.DihedralTypes.Count; _topology.DihedralTypes.Add(x); break;
                        }
                    numbers[t] -= found[t]!.Count - 1;
                }
            }
            foreach (var (kind, numbers, line) in _terms)
            {
                var at = new int[numbers.Length - 1];
                bool fine = true;
                for (int k = 0; k < at.Length; k++) if (!_index.TryGetValue(numbers[k + 1], out at[k])) fine = lines.Fault($"there is no atom {numbers[k + 1]}", line);
                if (at.Distinct().Count() != at.Length) fine = lines.Fault($"an atom is there twice in one of the {kind}", line);
                if (!fine) continue;
                int type = (int)numbers[0] - 1, law = type, count = 1;
                bool cosine = kind == "dihedrals";
                if (_coefficients.TryGetValue(kind, out var found))
                {
                    (law, count) = (first[kind][type], found[type]!.Count);
                    cosine |= found[type]![0] is Topology.DihedralType;
                }
                else if (cosine && _coefficients.ContainsKey("impropers"))
                {
                    // Without this they would take the numbers of impropers of the same form.
                    lines.Fault("there are dihedrals and 'Improper Coeffs', but no 'Dihedral Coeffs'", line);
                    return;
                }
                for (int k = 0; k < count; k++)
                    switch (kind)
                    {
                        case "bonds": _topology.Bonds.Add((at[0], at[1], law + k)); break;
                        case "angles": _topology.Angles.Add((at[0], at[1], at[2], law + k)); break;
                        default: (cosine ? _topology.Dihedrals : _topology.Impropers).Add((at[0], at[1], at[2], at[3], law + k)); break;
                    }
            }
        }
    }

    /// <summary>Writes a data file in metal units; a file that is there is replaced as a whole.</summary>
    /// <param name="path">File.</param>
    /// <param name="atoms">Atoms. A cell whose a is not along x, or whose b leaves the xy plane, is turned with everything in it.</param>
    /// <param name="style">atomic, charge, molecular or full; null: the least that holds everything.</param>
    /// <param name="pairCoeffs">Words of <c>Pair Coeffs</c> per type; null for none.</param>
    /// <exception cref="InputException">Unknown style, left-handed cell, unwritable file.</exception>
    public static void Write(string path, Atoms atoms, string? style = null, IReadOnlyList<string[]>? pairCoeffs = null)
    {
        bool charged = atoms.Charges.Any(q => q != 0), molecular = atoms.Molecules.Length > 0 || atoms.Topology is not null;
        style ??= (molecular, charged) switch { (true, true) => "full", (true, _) => "molecular", (_, true) => "charge", _ => "atomic" };
        if (!s_styles.Contains(style)) throw new InputException($"unknown atom style '{style}'{Nearest.Hint(style, s_styles)}; there is: {string.Join(", ", s_styles)}");
        var box = new LammpsCell(atoms.Cell);
        var t = atoms.Topology;
        var invariant = CultureInfo.InvariantCulture;
        AtomicFile.Write(path, stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true) { NewLine = "\n" };
            writer.Write("LAMMPS data file written by MsHpc, units metal\n\n");
            writer.Write($"{atoms.Count} atoms\n{atoms.Species.Count} atom types\n");
            // Impropers of the cosine form are dihedrals in Amber's way of counting, and so they stay.
            if (t is not null)
                writer.Write($"{t.Bonds.Count} bonds\n{Types(t.BondTypes.Count, t.Bonds.Select(b => b.Type))} bond types\n{t.Angles.Count} angles\n{Types(t.AngleTypes.Count, t.Angles.Select(a => a.Type))} angle types\n" +
                    $"{t.Dihedrals.Count} dihedrals\n{Types(t.DihedralTypes.Count, t.Dihedrals.Select(a => a.Type))} dihedral types\n{t.Impropers.Count} impropers\n{Types(t.ImproperTypes.Count, t.Impropers.Select(a => a.Type))} improper types\n");
            writer.Write(string.Create(invariant, $"\n{box.Low[0]:R} {box.Low[0] + box.Lx:R} xlo xhi\n{box.Low[1]:R} {box.Low[1] + box.Ly:R} ylo yhi\n{box.Low[2]:R} {box.Low[2] + box.Lz:R} zlo zhi\n"));
            if (box.IsTilted) writer.Write(string.Create(invariant, $"{box.Xy:R} {box.Xz:R} {box.Yz:R} xy xz yz\n"));
            writer.Write("\nMasses\n\n");
            for (int s = 0; s < atoms.Species.Count; s++) writer.Write(string.Create(invariant, $"{s + 1} {atoms.Species[s].Mass:R} # {atoms.Species[s].Symbol}\n"));
            if (pairCoeffs is { Count: > 0 })
            {
                writer.Write("\nPair Coeffs\n\n");
                for (int s = 0; s < pairCoeffs.Count; s++) writer.Write($"{s + 1} {string.Join(' ', pairCoeffs[s])}\n");
            }
            const double degree = Math.PI / 180;
            if (t is { BondTypes.Count: > 0 })
            {
                bool quartic = t.BondTypes.Exists(b => b.K3 != 0 || b.K4 != 0);
                writer.Write($"\nBond Coeffs # {(quartic ? "class2" : "harmonic")}\n\n");
                for (int k = 0; k < t.BondTypes.Count; k++)
                {
                    var b = t.BondTypes[k];
                    writer.Write(quartic ? string.Create(invariant, $"{k + 1} {b.R0:R} {b.K:R} {b.K3:R} {b.K4:R}\n") : string.Create(invariant, $"{k + 1} {b.K:R} {b.R0:R}\n"));
                }
            }
            if (t is { AngleTypes.Count: > 0 })
            {
                writer.Write("\nAngle Coeffs # harmonic\n\n");
                for (int k = 0; k < t.AngleTypes.Count; k++) writer.Write(string.Create(invariant, $"{k + 1} {t.AngleTypes[k].K:R} {t.AngleTypes[k].Theta0 / degree:R}\n"));
            }
            if (t is { DihedralTypes.Count: > 0 })
            {
                // charmm is in more builds of LAMMPS, but takes whole degrees only.
                bool whole = t.DihedralTypes.TrueForAll(d => d.Delta / degree == Math.Round(d.Delta / degree));
                writer.Write($"\nDihedral Coeffs # {(whole ? "charmm" : "fourier")}\n\n");
                for (int k = 0; k < t.DihedralTypes.Count; k++)
                {
                    var d = t.DihedralTypes[k];
                    writer.Write(whole ? string.Create(invariant, $"{k + 1} {d.K:R} {d.N} {d.Delta / degree:F0} 0\n") : string.Create(invariant, $"{k + 1} 1 {d.K:R} {d.N} {d.Delta / degree:R}\n"));
                }
            }
            if (t is { ImproperTypes.Count: > 0 })
            {
                writer.Write("\nImproper Coeffs # harmonic\n\n");
                for (int k = 0; k < t.ImproperTypes.Count; k++) writer.Write(string.Create(invariant, $"{k + 1} {t.ImproperTypes[k].K:R} {t.ImproperTypes[k].Chi0 / degree:R}\n"));
            }
            writer.Write($"\nAtoms # {style}\n\n");
            for (int i = 0; i < atoms.Count; i++)
            {
                writer.Write(string.Create(invariant, $"{atoms.Ids[i]}"));
                if (style is "full" or "molecular" or "bond" or "angle") writer.Write(string.Create(invariant, $" {(atoms.Molecules.Length > 0 ? atoms.Molecules[i] : 0)}"));
                writer.Write(string.Create(invariant, $" {atoms.Types[i] + 1}"));
                if (style is "full" or "charge") writer.Write(string.Create(invariant, $" {atoms.Charges[i]:R}"));
                // Inside the box with image flags: that is where LAMMPS looks for atoms.
                var (s0, s1, s2) = atoms.Cell.Fractional(atoms.Positions[3 * i], atoms.Positions[3 * i + 1], atoms.Positions[3 * i + 2]);
                int n0 = Image(0, s0), n1 = Image(1, s1), n2 = Image(2, s2);
                var (sx, sy, sz) = atoms.Cell.Shift(n0, n1, n2);
                double[] r = box.Turn([atoms.Positions[3 * i] - sx, atoms.Positions[3 * i + 1] - sy, atoms.Positions[3 * i + 2] - sz]);
                writer.Write(string.Create(invariant, $" {r[0]:R} {r[1]:R} {r[2]:R} {n0} {n1} {n2}\n"));
            }
            if (atoms.Velocities.Any(v => v != 0))
            {
                writer.Write("\nVelocities\n\n");
                for (int i = 0; i < atoms.Count; i++)
                {
                    double[] v = box.Turn(atoms.Velocities.AsSpan(3 * i, 3));
                    writer.Write(string.Create(invariant, $"{atoms.Ids[i]} {v[0] * 1e3:R} {v[1] * 1e3:R} {v[2] * 1e3:R}\n"));
                }
            }
            if (t is null) return;
            Terms("Bonds", t.Bonds.Select(b => (b.Type, new[] { b.I, b.J })));
            Terms("Angles", t.Angles.Select(b => (b.Type, new[] { b.I, b.J, b.K })));
            Terms("Dihedrals", t.Dihedrals.Select(b => (b.Type, new[] { b.I, b.J, b.K, b.L })));
            Terms("Impropers", t.Impropers.Select(b => (b.Type, new[] { b.I, b.J, b.K, b.L })));

            void Terms(string section, IEnumerable<(int Type, int[] At)> terms)
            {
                int number = 0;
                foreach (var (type, at) in terms)
                {
                    if (number == 0) writer.Write($"\n{section}\n\n");
                    writer.Write($"{++number} {type + 1} {string.Join(' ', at.Select(i => atoms.Ids[i]))}\n");
                }
            }
        });

        int Image(int d, double s) => atoms.Cell.Periodic[d] ? (int)Math.Floor(s) : 0;
        static int Types(int laws, IEnumerable<int> used) => Math.Max(laws, used.Select(u => u + 1).DefaultIfEmpty(0).Max());
    }
}

/// <summary>Pairs of atoms joined by few bonds.</summary>
internal static class SpecialPairs
{
    /// <summary>Fills <see cref="Topology.Scaled"/>: pairs one and two bonds apart are excluded, those three apart scaled. The shortest way counts.</summary>
    public static void Add(Topology topology, int atoms, double coulomb14, double lennardJones14)
    {
        var neighbours = new List<int>[atoms];
        for (int i = 0; i < atoms; i++) neighbours[i] = [];
        foreach (var (i, j, _) in topology.Bonds)
        {
            neighbours[i].Add(j);
            neighbours[j].Add(i);
        }
        topology.Scaled.Clear();
        var distance = new Dictionary<int, int>();
        for (int i = 0; i < atoms; i++)
        {
            distance.Clear();
            distance[i] = 0;
            var shell = new List<int> { i };
            for (int hop = 1; hop <= 3; hop++)
            {
                var next = new List<int>();
                foreach (int j in shell) foreach (int k in neighbours[j]) if (distance.TryAdd(k, hop)) next.Add(k);
                shell = next;
            }
            foreach (var (j, hops) in distance.OrderBy(d => d.Key))
                if (j > i) topology.Scaled.Add((i, j, hops == 3 ? coulomb14 : 0, hops == 3 ? lennardJones14 : 0));
        }
    }
}
