using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Potential files of the DYNAMO family as LAMMPS reads them: funcfl (one element), setfl (.eam.alloy) and Finnis–Sinclair (.eam.fs).
/// </summary>
/// <remarks>
/// <para>funcfl: a comment; Z, mass, lattice constant, lattice; nρ Δρ nr Δr r_c; F(ρ) in eV, Z(r) (charge, φ = 27.2·0.529 Z²/r), f(r).</para>
/// <para>setfl: three comments; number and names of elements; nρ Δρ nr Δr r_c; for each element a line with Z, mass, lattice constant and lattice, F(ρ) and f(r);
/// then r φ(r) in eV Å for each pair of elements i ≥ j. Finnis–Sinclair: for each element as many f(r) as there are elements, what it gives to an atom of each.</para>
/// <para>Numbers may share lines as they like, but every function begins on a new line, which finds wrong counts.</para>
/// </remarks>
internal static class EamFile
{
    /// <summary>A funcfl file for each type; functions are brought to the coarsest grid among them.</summary>
    public static EamFunctions Funcfl(IReadOnlyList<string> files)
    {
        if (files.Count == 0) throw new InputException("EAM needs a funcfl file for each kind of atom");
        var known = new Dictionary<string, Element>();
        var all = new Element[files.Count];
        for (int i = 0; i < all.Length; i++)
            if (!known.TryGetValue(files[i], out all[i]!)) known.Add(files[i], all[i] = ReadElement(files[i]));
        double dr = all.Max(e => e.Grid.Dr), drho = all.Max(e => e.Grid.DRho), rmax = all.Max(e => (e.Grid.Nr - 1) * e.Grid.Dr), rhoMax = all.Max(e => (e.Grid.NRho - 1) * e.Grid.DRho);
        // One knot less than the file has, as LAMMPS counts.
        int nr = (int)(rmax / dr + 0.5), nrho = (int)(rhoMax / drho + 0.5);
        double[][] charge = [.. all.Select(e => EamFunctions.Regrid(e.Charge, e.Grid.Dr, nr, dr))];
        double[][] density = [.. all.Select(e => EamFunctions.Regrid(e.Density, e.Grid.Dr, nr, dr))];
        return new EamFunctions(string.Join(", ", known.Keys.Select(Path.GetFileName)), all.Max(e => e.Grid.Cutoff), dr, drho,
            [.. all.Select(e => EamFunctions.Regrid(e.Embedding, e.Grid.DRho, nrho, drho))],
            [.. all.Select(_ => density)],
            [.. charge.Select(a => charge.Select(b => a.Zip(b, (x, y) => 27.2 * 0.529 * x * y).ToArray()).ToArray())]);
    }

    /// <summary>A setfl or Finnis–Sinclair file.</summary>
    /// <param name="file">File.</param>
    /// <param name="elements">Element of each type, as the file names it.</param>
    /// <param name="finnisSinclair">Whether densities depend on both elements.</param>
    public static EamFunctions Setfl(string file, IReadOnlyList<string> elements, bool finnisSinclair)
    {
        if (elements.Count == 0) throw new InputException("EAM needs the names of elements");
        var reader = new Reader(file);
        for (int k = 0; k < 3; k++) reader.Line("a comment");
        string[] words = reader.Line("the number and names of elements");
        int count = reader.Integer(words, 0, "the number of elements");
        if (count < 1 || words.Length != count + 1) throw reader.Fault(0, $"'{count}' elements need as many names after the number, there are {words.Length - 1}");
        string[] names = words[1..];
        int[] map = [.. elements.Select(e => Array.IndexOf(names, e))];
        if (Array.IndexOf(map, -1) is >= 0 and var missing)
            throw reader.Fault(0, $"no element '{elements[missing]}' here, only {string.Join(", ", names)}{Nearest.Hint(elements[missing], names)}");
        var grid = reader.ReadGrid();
        var embedding = new double[count][];
        var density = new double[count][][]; // [giver][receiver]
        for (int e = 0; e < count; e++)
        {
            string[] header = reader.Line($"atomic number, mass, lattice constant and lattice of {names[e]}");
            if (header.Length < 3) throw reader.Fault(0, $"expected atomic number, mass, lattice constant and lattice of {names[e]}; a count on line {grid.Line} may be wrong");
            reader.Integer(header, 0, $"the atomic number of {names[e]}");
            reader.Number(header, 1, $"the mass of {names[e]}");
            embedding[e] = reader.Numbers(grid.NRho, $"F(rho) of {names[e]}");
            density[e] = new double[count][];
            for (int to = 0; to < count; to++)
                density[e][to] = to > 0 && !finnisSinclair ? density[e][0] : reader.Numbers(grid.Nr, finnisSinclair ? $"f(r) of {names[e]} at {names[to]}" : $"f(r) of {names[e]}");
        }
        var pair = new double[count][][];
        for (int i = 0; i < count; i++) pair[i] = new double[count][];
        for (int i = 0; i < count; i++)
            for (int j = 0; j <= i; j++) pair[i][j] = pair[j][i] = reader.Numbers(grid.Nr, $"r phi(r) of {names[i]} and {names[j]}");
        reader.End();
        return new EamFunctions(Path.GetFileName(file), grid.Cutoff, grid.Dr, grid.DRho,
            [.. map.Select(e => embedding[e])],
            [.. map.Select(i => map.Select(j => density[j][i]).ToArray())],
            [.. map.Select(i => map.Select(j => pair[i][j]).ToArray())]);
    }

    private sealed record Grid(int NRho, double DRho, int Nr, double Dr, double Cutoff, int Line);

    private sealed record Element(Grid Grid, double[] Embedding, double[] Charge, double[] Density);

    private static Element ReadElement(string file)
    {
        var reader = new Reader(file);
        reader.Line("a comment");
        string[] header = reader.Line("atomic number, mass, lattice constant and lattice");
        reader.Integer(header, 0, "the atomic number");
        reader.Number(header, 1, "the mass");
        var grid = reader.ReadGrid();
        var element = new Element(grid, reader.Numbers(grid.NRho, "F(rho)"), reader.Numbers(grid.Nr, "Z(r)"), reader.Numbers(grid.Nr, "f(r)"));
        reader.End();
        return element;
    }

    private sealed class Reader
    {
        private readonly string _file;
        private readonly string[] _lines;
        private int _next;

        public Reader(string file)
        {
            _file = file;
            try { _lines = File.ReadAllLines(file); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new InputException(file, 0, 0, $"cannot read the potential: {e.Message}"); }
        }

        /// <summary>A fault at word <paramref name="word"/> of the line read last.</summary>
        public InputException Fault(int word, string message) => new(_file, _next, Column(word), message);

        public string[] Line(string what)
        {
            if (_next >= _lines.Length) throw new InputException(_file, _lines.Length, 0, $"the file ends here; {what} should follow");
            return Split(_lines[_next++]);
        }

        public int Integer(string[] words, int k, string what) =>
            k < words.Length && int.TryParse(words[k], NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) ? n
            : throw Fault(k, k < words.Length ? $"'{words[k]}' is not a whole number; expected {what}" : $"{what} is missing");

        public double Number(string[] words, int k, string what) =>
            k < words.Length ? Parse(words[k], out double x) ? x : throw Fault(k, $"'{words[k]}' is not a number; expected {what}") : throw Fault(k, $"{what} is missing");

        public Grid ReadGrid()
        {
            string[] words = Line("nrho, drho, nr, dr and the cutoff");
            int nrho = Integer(words, 0, "the number of densities nrho"), nr = Integer(words, 2, "the number of distances nr");
            double drho = Number(words, 1, "the step drho"), dr = Number(words, 3, "the step dr"), cutoff = Number(words, 4, "the cutoff");
            if (nrho < 5 || nr < 5) throw Fault(nrho < 5 ? 0 : 2, $"tables of {nrho} densities and {nr} distances; splines need five values at least");
            if (!(drho > 0) || !(dr > 0) || !(cutoff > 0)) throw Fault(!(drho > 0) ? 1 : !(dr > 0) ? 3 : 4, $"steps {drho} and {dr} and cutoff {cutoff} must be positive");
            // Beyond the last knot the functions would be constant.
            if (cutoff > (nr + 1) * dr) throw Fault(4, $"cutoff {cutoff} lies beyond the table, which ends at {(nr - 1) * dr}");
            return new Grid(nrho, drho, nr, dr, cutoff, _next);
        }

        public double[] Numbers(int count, string what)
        {
            var values = new double[count];
            int first = _next + 1;
            for (int n = 0; n < count;)
            {
                if (_next >= _lines.Length) throw new InputException(_file, _lines.Length, 0, $"the file ends here, after {n} of {count} values of {what}, which begins on line {first}");
                string[] words = Split(_lines[_next++]);
                if (words.Length > count - n) throw Fault(count - n, $"{what}, which begins on line {first}, ends before this word with its value {count}; the counts do not fit");
                for (int k = 0; k < words.Length; k++)
                    values[n++] = Parse(words[k], out double x) ? x : throw Fault(k, $"'{words[k]}' is not a number; this should be value {n} of {count} of {what}, which begins on line {first}");
            }
            return values;
        }

        public void End()
        {
            while (_next < _lines.Length)
            {
                string[] words = Split(_lines[_next++]);
                if (words.Length > 0 && Parse(words[0], out _)) throw Fault(0, "numbers after the last function: a count at the top of the file is too small");
            }
        }

        private static string[] Split(string line) => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

        private static bool Parse(string word, out double x) =>
            double.TryParse(word.AsSpan().IndexOfAny('d', 'D') >= 0 ? word.Replace('d', 'e').Replace('D', 'e') : word, NumberStyles.Float, CultureInfo.InvariantCulture, out x) && double.IsFinite(x);

        private int Column(int word)
        {
            if (_next == 0 || _next > _lines.Length) return 0;
            string line = _lines[_next - 1];
            int at = 0;
            for (int k = 0; ; k++)
            {
                while (at < line.Length && char.IsWhiteSpace(line[at])) at++;
                if (k == word || at >= line.Length) return at + 1;
                while (at < line.Length && !char.IsWhiteSpace(line[at])) at++;
            }
        }
    }
}
