using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>Takes numbers and names from the bytes of an .msh file; ASCII and binary data are read by the same calls.</summary>
internal sealed class MshScanner(byte[] data, string file)
{
    private int _at;

    /// <summary>True inside the data of binary sections.</summary>
    public bool Binary { get; set; }

    /// <summary>Where the next number or name starts.</summary>
    public int Position
    {
        get
        {
            if (!Binary) SkipSpace();
            return _at;
        }
    }

    /// <summary>True when only white space is left.</summary>
    public bool AtEnd
    {
        get { SkipSpace(); return _at >= data.Length; }
    }

    /// <summary>An error at a place in the file: by line in text, by byte offset in binary data.</summary>
    public InputException Error(string message, int? position = null)
    {
        int at = Math.Min(position ?? _at, data.Length);
        return Binary ? new InputException(file, 0, 0, $"byte {at}: {message}")
            : new InputException(file, 1 + data.AsSpan(0, at).Count((byte)'\n'), 0, message);
    }

    /// <summary>The name after <c>$</c> at the start of a section; leaves the rest of its line behind.</summary>
    public string SectionStart()
    {
        SkipSpace();
        if (_at >= data.Length || data[_at] != '$') throw Error("expected the start of a section ($Name)");
        string name = Line();
        if (name.Length is < 2 or > 64) throw Error("this is not the name of a section");
        return name[1..];
    }

    /// <summary>Checks the end of a section.</summary>
    public void SectionEnd(string name)
    {
        SkipSpace();
        int start = _at;
        string found = Line();
        if (found != "$End" + name) throw Error($"expected $End{name}, found '{Shorten(found)}'", start);
    }

    /// <summary>Goes past the end of a section that is not wanted.</summary>
    public void SkipSection(string name)
    {
        int length = data.AsSpan(_at).IndexOf(Encoding.UTF8.GetBytes("$End" + name));
        if (length < 0) throw Error($"section ${name} has no $End{name}");
        _at += length;
        Line();
    }

    /// <summary>The rest of the line, without the line break and spaces around it.</summary>
    public string Line()
    {
        int length = data.AsSpan(_at).IndexOf((byte)'\n');
        var bytes = length < 0 ? data.AsSpan(_at) : data.AsSpan(_at, length);
        _at = length < 0 ? data.Length : _at + length + 1;
        return Encoding.UTF8.GetString(bytes.Length > 4096 ? bytes[..4096] : bytes).Trim();
    }

    /// <summary>A 32-bit integer.</summary>
    public int Int()
    {
        if (Binary) return BinaryPrimitives.ReadInt32LittleEndian(Take(4));
        var token = Token();
        return Utf8Parser.TryParse(token, out int value, out int used) && used == token.Length ? value
            : throw Error($"expected an integer, found '{Shorten(token)}'", _at - token.Length);
    }

    /// <summary>A node or element tag: a positive 64-bit integer.</summary>
    public long Tag()
    {
        int start = _at;
        long value;
        if (Binary) value = BinaryPrimitives.ReadInt64LittleEndian(Take(8));
        else
        {
            var token = Token();
            start = _at - token.Length;
            if (!Utf8Parser.TryParse(token, out value, out int used) || used != token.Length)
                throw Error($"expected an integer, found '{Shorten(token)}'", start);
        }
        return value >= 0 ? value : throw Error($"a tag or count cannot be {value}", start);
    }

    /// <summary>A number of items that follow; refused when the rest of the file cannot hold them.</summary>
    /// <param name="what">The items, for the message.</param>
    /// <param name="numbers">Numbers per item; an ASCII number needs two bytes.</param>
    /// <param name="bytes">Bytes per item in binary.</param>
    public int Count(string what, int numbers, int bytes)
    {
        int start = Position;
        long count = Tag(), room = (data.Length - _at + 1) / Math.Max(1, Binary ? bytes : 2 * numbers);
        if (count > room) throw Error($"{count} {what} are announced, but the rest of the file can hold at most {room}", start);
        return (int)count;
    }

    /// <summary>A finite floating-point number.</summary>
    public double Double()
    {
        int start = _at;
        double value;
        if (Binary) value = BinaryPrimitives.ReadDoubleLittleEndian(Take(8));
        else
        {
            var token = Token();
            start = _at - token.Length;
            if (!Utf8Parser.TryParse(token, out value, out int used) || used != token.Length)
                throw Error($"expected a number, found '{Shorten(token)}'", start);
        }
        return double.IsFinite(value) ? value : throw Error($"{value} is not a coordinate", start);
    }

    /// <summary>A token of text.</summary>
    public string Word() => Encoding.UTF8.GetString(Token());

    /// <summary>A name in double quotes.</summary>
    public string Quoted()
    {
        SkipSpace();
        int start = _at;
        if (_at >= data.Length || data[_at] != '"') throw Error("expected a name in double quotes");
        int length = data.AsSpan(_at + 1).IndexOfAny((byte)'"', (byte)'\n');
        if (length < 0 || data[_at + 1 + length] == '\n') throw Error("the name has no closing quote", start);
        _at += length + 2;
        return Encoding.UTF8.GetString(data.AsSpan(start + 1, length));
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > data.Length - _at) throw Error("the file ends in the middle of a section");
        _at += count;
        return data.AsSpan(_at - count, count);
    }

    private ReadOnlySpan<byte> Token()
    {
        SkipSpace();
        int start = _at;
        while (_at < data.Length && data[_at] > ' ') _at++;
        return _at > start ? data.AsSpan(start, _at - start) : throw Error("the file ends in the middle of a section");
    }

    private void SkipSpace()
    {
        while (_at < data.Length && data[_at] <= ' ') _at++;
    }

    private static string Shorten(ReadOnlySpan<byte> token) => Shorten(Encoding.UTF8.GetString(token.Length > 40 ? token[..40] : token));

    private static string Shorten(string text)
    {
        text = new string([.. text.Take(40).Select(c => char.IsControl(c) ? '?' : c)]);
        return text.Length == 0 ? "the end of the file" : text;
    }
}
