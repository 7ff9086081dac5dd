using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>Walks through a text file line by line and gathers what is wrong with it.</summary>
internal sealed class TextLines : IDisposable
{
    private const int MostFaults = 50;
    private readonly StreamReader _reader;
    private readonly List<InputFault> _faults = [];
    private string? _pushed;

    /// <exception cref="InputException">The file cannot be opened.</exception>
    public TextLines(string path)
    {
        File = path;
        try { _reader = new StreamReader(path); }
        catch (FileNotFoundException) { throw new InputException(path, 0, 0, "no such file"); }
        catch (DirectoryNotFoundException) { throw new InputException(path, 0, 0, "no such folder"); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException) { throw new InputException(path, 0, 0, $"cannot be read: {e.Message}"); }
    }

    /// <summary>File as the user named it.</summary>
    public string File { get; }

    /// <summary>Number of the line that was read last, from 1.</summary>
    public int Number { get; private set; }

    /// <summary>Whether something was wrong so far.</summary>
    public bool HasFaults => _faults.Count > 0;

    /// <summary>The next line; null at the end.</summary>
    public string? Next()
    {
        if (_pushed is { } line) _pushed = null;
        else
        {
            try { line = _reader.ReadLine(); }
            catch (Exception e) when (e is IOException or OutOfMemoryException) { throw new InputException(File, Number + 1, 0, $"cannot be read: {e.Message}"); }
            if (line is null) return null;
        }
        Number++;
        return line;
    }

    /// <summary>Gives the last line back, to be read again.</summary>
    public void Back(string line) => (_pushed, Number) = (line, Number - 1);

    /// <summary>Words between blanks.</summary>
    public static string[] Words(string line) => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Notes a fault in the line read last. After many the file is given up.</summary>
    public bool Fault(string message, int line = 0)
    {
        _faults.Add(new InputFault(File, line > 0 ? line : Number, 0, message));
        if (_faults.Count >= MostFaults) Check();
        return false;
    }

    /// <summary>Throws when anything was wrong.</summary>
    public void Check()
    {
        if (_faults.Count > 0) throw new InputException(_faults);
    }

    /// <summary>Notes a fault and gives up.</summary>
    public InputException Stop(string message, int line = 0)
    {
        _faults.Add(new InputFault(File, line > 0 ? line : Number, 0, message));
        return new InputException(_faults);
    }

    /// <summary>A finite number.</summary>
    public bool Real(string word, string what, out double value)
    {
        if (double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value)) return true;
        value = 0;
        return Fault($"{what} should be a number, not '{Short(word)}'");
    }

    /// <summary>A whole number within bounds.</summary>
    public bool Integer(string word, string what, long min, long max, out long value)
    {
        if (!long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value)) return Fault($"{what} should be a whole number, not '{Short(word)}'");
        return value >= min && value <= max || Fault(max is long.MaxValue or int.MaxValue ? $"{what} {value} is out of range: it must be ≥ {min}" : $"{what} {value} is out of range: it must lie between {min} and {max}");
    }

    /// <summary>A word for a message, cut when it is long.</summary>
    public static string Short(string word)
    {
        string clean = string.Concat(word.Take(40).Select(c => char.IsControl(c) ? '?' : c));
        return word.Length > 40 ? clean + "…" : clean;
    }

    public void Dispose() => _reader.Dispose();
}
