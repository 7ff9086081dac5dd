using System.Globalization;
using System.Text.RegularExpressions;
using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>A prmtop as its sections: <c>%FLAG name</c>, <c>%FORMAT(10I8)</c>, fixed columns (ambermd.org/FileFormats.php).</summary>
internal sealed partial class AmberFile
{
    private sealed record Section(string Name, int Line, int PerLine, char Kind, int Width, List<string> Lines)
    {
        /// <summary>Number of the line of <see cref="Lines"/>[0]; comments stand before the format.</summary>
        public int First;
    }

    private readonly Dictionary<string, Section> _sections = new(StringComparer.Ordinal);
    private readonly string _path;

    [GeneratedRegex(@"^%FORMAT\(\s*(\d*)\s*([aAiIeEfFgGdD])\s*(\d+)(?:\.\d+)?\s*\)")]
    private static partial Regex Format();

    public AmberFile(string path)
    {
        _path = path;
        string[] lines = AmberText.Lines(path, "prmtop");
        Section? section = null;
        string name = "";
        int flag = 0;
        for (int k = 0; k < lines.Length; k++)
        {
            string line = lines[k];
            if (line.StartsWith("%FLAG", StringComparison.Ordinal))
            {
                (name, flag, section) = (line[5..].Trim(), k + 1, null);
                if (_sections.ContainsKey(name)) throw Fault(k + 1, $"section {name} appears twice");
            }
            else if (line.StartsWith("%FORMAT", StringComparison.Ordinal))
            {
                var match = Format().Match(line);
                if (!match.Success) throw Fault(k + 1, $"cannot read the format '{line.Trim()}'; it must be like %FORMAT(10I8), %FORMAT(5E16.8) or %FORMAT(20a4)");
                if (flag == 0) throw Fault(k + 1, "a %FORMAT without a %FLAG before it");
                int perLine = match.Groups[1].Length == 0 ? 1 : int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
                section = new Section(name, flag, perLine, char.ToLowerInvariant(match.Groups[2].Value[0]), int.Parse(match.Groups[3].ValueSpan, CultureInfo.InvariantCulture), []) { First = k + 2 };
                if (section.PerLine == 0 || section.Width == 0) throw Fault(k + 1, $"cannot read the format '{line.Trim()}': no columns");
                _sections.Add(name, section);
            }
            else if (line.StartsWith('%')) continue; // %VERSION, %COMMENT
            else if (section is not null) section.Lines.Add(line);
            else if (line.Trim().Length > 0)
                throw Fault(k + 1, flag == 0 ? "this is no prmtop of Amber 7 or newer: it must begin with %VERSION and %FLAG lines (convert old files with ParmEd)" : $"section {name} has no %FORMAT line");
        }
        if (_sections.Count == 0) throw Fault(1, "no %FLAG section: not a prmtop");
    }

    public InputException Fault(int line, string message) => new(_path, line, 0, message);

    public InputException Fault(string section, string message) => Fault(_sections.TryGetValue(section, out var s) ? s.Line : 0, message);

    public bool Has(string name) => _sections.ContainsKey(name);

    /// <summary>First section whose name begins like this; null for none.</summary>
    public string? First(string prefix) => _sections.Keys.FirstOrDefault(k => k.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>Line of number k of a section.</summary>
    public int Line(string name, int k) => _sections[name] is var s ? s.First + k / s.PerLine : 0;

    /// <summary>Numbers in a section (not of words, which may be blank).</summary>
    public int Count(string name) => _sections.TryGetValue(name, out var s) ? s.Lines.Sum(l => (l.TrimEnd().Length + s.Width - 1) / s.Width) : 0;

    public int[] Integers(string name, int count) => Read(name, count, (text, fault) =>
        int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : throw fault("a whole number"));

    public double[] Reals(string name, int count) => Read(name, count, (text, fault) =>
        double.TryParse(text.Replace('D', 'E').Replace('d', 'e'), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value) ? value : throw fault("a number"));

    public string[] Words(string name, int count) => Read(name, count, (text, _) => text);

    private T[] Read<T>(string name, int count, Func<string, Func<string, InputException>, T> parse)
    {
        if (!_sections.TryGetValue(name, out var s)) throw new InputException(_path, 0, 0, $"section %FLAG {name} is missing{Nearest.Hint(name, _sections.Keys)}");
        var values = new T[count];
        int n = 0;
        for (int k = 0; k < s.Lines.Count && n < count; k++)
        {
            string line = s.Lines[k];
            for (int c = 0; c < s.PerLine && n < count && c * s.Width < line.Length; c++)
            {
                string text = line.Substring(c * s.Width, Math.Min(s.Width, line.Length - c * s.Width)).Trim();
                if (text.Length == 0 && s.Kind != 'a') break;
                int row = s.First + k, column = c * s.Width + 1;
                values[n++] = parse(text, what => new InputException(_path, row, column, $"{name}: '{text}' is not {what}"));
            }
        }
        return n == count ? values : throw Fault(s.First + s.Lines.Count - 1, $"section {name} has {n} numbers, POINTERS promise {count}");
    }
}

internal static class AmberText
{
    public static string[] Lines(string path, string what)
    {
        if (!File.Exists(path)) throw new InputException(path, 0, 0, $"there is no such {what} file");
        using var stream = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        int read = stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false);
        if (read >= 3 && (magic[..3].SequenceEqual("CDF"u8) || magic[1..].SequenceEqual("HDF"u8)))
            throw new InputException(path, 0, 0, $"this is a NetCDF file; a text {what} is needed (cpptraj or ParmEd write one: 'restrt' or 'rst7' format)");
        return File.ReadAllLines(path);
    }
}
