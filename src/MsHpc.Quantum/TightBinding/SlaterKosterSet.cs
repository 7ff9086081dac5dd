using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// A set of Slater–Koster files of the user's, such as mio, 3ob or pbc of dftb.org: the parameters of DFTB. The sets ask to be cited:
/// <see cref="TightBindingModel.Source"/> is what their README requires.
/// </summary>
public sealed class SlaterKosterSet : TightBindingModel
{
    private readonly SlaterKosterFile[,] _files;

    /// <summary>Reads the files of all pairs of some elements.</summary>
    /// <param name="folder">Folder with <c>A-B.skf</c>.</param>
    /// <param name="symbols">Elements.</param>
    /// <param name="highest">Highest l per element; without an entry the highest shell that holds electrons in the neutral atom.</param>
    /// <param name="polynomial">Repulsion from the polynomial of the files, also where they have a spline.</param>
    /// <exception cref="InputException">A missing file (all of them are named), or one that cannot be read.</exception>
    public SlaterKosterSet(string folder, IReadOnlyList<string> symbols, IReadOnlyDictionary<string, int>? highest = null, bool polynomial = false)
    {
        if (!Directory.Exists(folder)) throw new InputException($"there is no folder {folder} of Slater-Koster files");
        string[] missing = [.. symbols.SelectMany(a => symbols.Select(b => $"{a}-{b}.skf")).Where(f => !File.Exists(Path.Combine(folder, f)))];
        if (missing.Length > 0) throw new InputException($"{folder} lacks {string.Join(", ", missing)}, which {(symbols.Count == 1 ? symbols[0] : "these elements")} need{(symbols.Count == 1 ? "s" : "")}");
        int n = symbols.Count;
        _files = new SlaterKosterFile[n, n];
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++) _files[a, b] = new SlaterKosterFile(Path.Combine(folder, $"{symbols[a]}-{symbols[b]}.skf"), a == b, polynomial);
        Name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
        Source = Citation(folder);
        var elements = new List<TightBindingElement>();
        for (int a = 0; a < n; a++)
        {
            var file = _files[a, a];
            int top = file.Occupations[0] > 0 ? 2 : file.Occupations[1] > 0 ? 1 : 0;
            if (highest is not null && highest.TryGetValue(symbols[a], out int l))
            {
                if (l is < 0 or > 2) throw new InputException($"the highest shell of {symbols[a]} is l = {l}; s, p and d (0, 1, 2) are known");
                if (l < top) throw new InputException($"{symbols[a]} has electrons in l = {top}, beyond the highest shell {l} asked for");
                top = l;
            }
            int[] shells = [.. Enumerable.Range(0, top + 1)];
            elements.Add(new TightBindingElement(symbols[a], file.Occupations.Sum(), shells, [.. shells.Select(s => file.OnSite[2 - s])]) { Hubbard = file.Hubbard[2] });
            Cutoff = Math.Max(Cutoff, Enumerable.Range(0, n).Max(b => Math.Max(_files[a, b].Cutoff, _files[a, b].RepulsionCutoff)));
        }
        Elements = elements;
    }

    /// <summary>What the README of the set says under "Required references".</summary>
    private static string Citation(string folder)
    {
        foreach (string name in (ReadOnlySpan<string>)["README", "README.md", "README.txt"])
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path)) continue;
            string[] lines = File.ReadAllLines(path);
            int start = Array.FindIndex(lines, l => l.Trim().StartsWith("Required reference", StringComparison.OrdinalIgnoreCase));
            if (start < 0) continue;
            var words = new List<string>();
            for (int k = start + 1; k < lines.Length; k++)
            {
                if (lines[k].Length > 2 && lines[k].All(c => c is '-' or '='))
                {
                    if (k == start + 1) continue;
                    words.RemoveAt(words.Count - 1); // the title of the next section
                    break;
                }
                words.Add(lines[k].Trim());
            }
            return "please cite: " + string.Join(" ", string.Join(" ", words).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }
        return $"see {folder} for what to cite";
    }

    /// <inheritdoc/>
    public override string Name { get; }

    /// <inheritdoc/>
    public override string Source { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<TightBindingElement> Elements { get; }

    /// <inheritdoc/>
    public override bool IsOrthogonal => false;

    /// <inheritdoc/>
    public override double Cutoff { get; }

    /// <inheritdoc/>
    public override double Shortest => 0.5; // the first rows of the tables are not integrals

    /// <inheritdoc/>
    public override void TwoCentre(int first, int second, double r, in TwoCentreTable table) => _files[first, second].At(r, table);

    /// <inheritdoc/>
    public override (double Value, double Slope) Repulsion(int first, int second, double r) => _files[first, second].Repulsion(r);
}
