using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Potential files of LAMMPS whose entries are three elements and a fixed count of numbers, over any number of lines: .sw, .tersoff.
/// <c>#</c> starts a comment. Entries of elements that nobody asked for are skipped.
/// </summary>
internal static class TripletFile
{
    /// <summary>Reads the entries of all triplets of the given elements.</summary>
    /// <param name="path">File.</param>
    /// <param name="elements">Element of each type as the file spells it, T names; a name may come twice.</param>
    /// <param name="columns">What each number is, for messages.</param>
    /// <returns>T³ rows: entry of types (i, j, k) at (i·T + j)·T + k.</returns>
    /// <exception cref="InputException">All faults of the file: words that are no numbers, cut or double entries, missing triplets, other units.</exception>
    public static double[][] Read(string path, IReadOnlyList<string> elements, string[] columns)
    {
        string[] lines;
        try { lines = File.ReadAllLines(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new InputException(path, 0, 0, "cannot be read: " + e.Message); }
        var faults = new List<InputFault>();
        var entries = new Dictionary<(string, string, string), double[]>();
        var known = new SortedSet<string>(StringComparer.Ordinal);
        string[] first = lines.Length > 0 ? lines[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) : [];
        int unit = Array.IndexOf(first, "UNITS:") + 1;
        if (unit > 0 && unit < first.Length && first[unit] != "metal") faults.Add(new InputFault(path, 1, 0, $"units {first[unit]}: only metal (eV, Å) is read"));

        var words = new List<(string Text, int Line)>();
        for (int l = 0; l < lines.Length; l++)
            foreach (string word in lines[l].Split('#')[0].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)) words.Add((word, l + 1));
        int length = 3 + columns.Length;
        for (int w = 0; w < words.Count; w += length)
        {
            int line = words[w].Line;
            if (w + length > words.Count)
            {
                faults.Add(new InputFault(path, line, 0, $"the last entry has {words.Count - w} of {length} words: three elements and {string.Join(", ", columns)}"));
                break;
            }
            var key = (words[w].Text, words[w + 1].Text, words[w + 2].Text);
            var row = new double[columns.Length];
            int wrong = -1;
            for (int c = 0; c < row.Length && wrong < 0; c++)
                if (!double.TryParse(words[w + 3 + c].Text, NumberStyles.Float, CultureInfo.InvariantCulture, out row[c]) || !double.IsFinite(row[c])) wrong = c;
            if (wrong >= 0)
            {
                // What follows is out of step: further messages would only confuse.
                var (text, at) = words[w + 3 + wrong];
                faults.Add(new InputFault(path, at, 0, $"'{text}' where {columns[wrong]} of {key.Item1} {key.Item2} {key.Item3} should be a number; an entry is three elements and {columns.Length} numbers"));
                throw new InputException(faults);
            }
            foreach (string element in new[] { key.Item1, key.Item2, key.Item3 }) known.Add(element);
            if (!entries.TryAdd(key, row)) faults.Add(new InputFault(path, line, 0, $"a second entry for {key.Item1} {key.Item2} {key.Item3}"));
        }

        int t = elements.Count;
        var rows = new double[t * t * t][];
        foreach (string element in elements.Distinct())
            if (!known.Contains(element)) faults.Add(new InputFault(path, 0, 0, $"no element '{element}'{Nearest.Hint(element, known)}; there are {string.Join(", ", known)}"));
        var told = new HashSet<(string, string, string)>();
        for (int i = 0; i < t; i++)
            for (int j = 0; j < t; j++)
                for (int k = 0; k < t; k++)
                {
                    var key = (elements[i], elements[j], elements[k]);
                    if (entries.TryGetValue(key, out double[]? row)) rows[(i * t + j) * t + k] = row;
                    else if (known.Contains(key.Item1) && known.Contains(key.Item2) && known.Contains(key.Item3) && told.Add(key))
                        faults.Add(new InputFault(path, 0, 0, $"no entry for {key.Item1} {key.Item2} {key.Item3}"));
                }
        return faults.Count == 0 ? rows : throw new InputException(faults);
    }
}
