using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>Number types of arrays in files, by NumPy's letters.</summary>
public enum NpyType
{
    /// <summary>Boolean, one byte.</summary>
    Bool,
    /// <summary>Unsigned byte.</summary>
    U1,
    /// <summary>Signed byte.</summary>
    I1,
    /// <summary>16-bit unsigned integer.</summary>
    U2,
    /// <summary>16-bit integer.</summary>
    I2,
    /// <summary>32-bit integer.</summary>
    I4,
    /// <summary>64-bit integer.</summary>
    I8,
    /// <summary>Single precision.</summary>
    F4,
    /// <summary>Double precision.</summary>
    F8,
}

/// <summary>An array that was read from a file, in C order (last index fastest) and the machine's byte order.</summary>
public sealed class NpyArray
{
    private readonly byte[] _data;
    private readonly string _source;

    internal NpyArray(int[] shape, NpyType type, byte[] data, string source) => (Shape, Type, _data, _source) = (shape, type, data, source);

    /// <summary>Extent of each dimension; empty for a single number.</summary>
    public IReadOnlyList<int> Shape { get; }

    /// <summary>Number type in the file.</summary>
    public NpyType Type { get; }

    /// <summary>Number of elements.</summary>
    public int Count => _data.Length / Npy.Size(Type);

    /// <summary>All elements as doubles.</summary>
    public double[] ToDoubles() => Type switch
    {
        NpyType.F8 => As<double>().ToArray(),
        NpyType.F4 => Convert<float, double>(),
        NpyType.I8 => Convert<long, double>(),
        _ => [.. ToInts().Select(i => (double)i)],
    };

    /// <summary>All elements as integers.</summary>
    /// <exception cref="InputException">The array holds fractions, or numbers beyond 32 bits.</exception>
    public int[] ToInts()
    {
        switch (Type)
        {
            case NpyType.Bool or NpyType.U1: return Convert<byte, int>();
            case NpyType.I1: return Convert<sbyte, int>();
            case NpyType.U2: return Convert<ushort, int>();
            case NpyType.I2: return Convert<short, int>();
            case NpyType.I4: return As<int>().ToArray();
        }
        var exact = new int[Count];
        double[] doubles = Type == NpyType.I8 ? [] : ToDoubles();
        for (int i = 0; i < exact.Length; i++)
        {
            bool fits = unchecked(Type == NpyType.I8 ? (exact[i] = (int)As<long>()[i]) == As<long>()[i] : (exact[i] = (int)doubles[i]) == doubles[i]);
            if (!fits) throw new InputException(_source, 0, 0, $"element {i} of the array is no 32-bit integer");
        }
        return exact;
    }

    private ReadOnlySpan<T> As<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(_data);

    private TTo[] Convert<TFrom, TTo>() where TFrom : unmanaged, INumberBase<TFrom> where TTo : INumberBase<TTo>
    {
        var from = As<TFrom>();
        var to = new TTo[from.Length];
        for (int i = 0; i < to.Length; i++) to[i] = TTo.CreateTruncating(from[i]);
        return to;
    }
}

/// <summary>
/// NumPy's .npy format, versions 1 to 3, and headerless ("raw") arrays. Both byte orders and both memory orders are read; what is read is
/// brought to C order. Format: NEP 1.
/// </summary>
public static class Npy
{
    /// <summary>Reads a .npy file.</summary>
    /// <exception cref="InputException">The file cannot be read, is damaged, or holds a type that is not in <see cref="NpyType"/>.</exception>
    public static NpyArray Read(string path) => Parse(InputFile.ReadAllBytes(path), path);

    /// <summary>Reads an array from the bytes of a .npy file.</summary>
    /// <param name="data">Content.</param>
    /// <param name="name">What to call the file in messages.</param>
    /// <exception cref="InputException">The data is damaged or holds a type that is not in <see cref="NpyType"/>.</exception>
    public static NpyArray Parse(byte[] data, string name)
    {
        ArgumentNullException.ThrowIfNull(data);
        InputException Error(int at, string message) => new(name, 0, 0, $"byte {at}: {message}");
        if (data.Length < 10 || !data.AsSpan(0, 6).SequenceEqual(s_magic)) throw Error(0, "this is not a .npy file");
        int version = data[6], start = version == 1 ? 10 : 12;
        if (version is < 1 or > 3) throw Error(6, $"version {version} of the .npy format is not known");
        if (data.Length < start) throw Error(data.Length, "the file ends in its header");
        long length = version == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(8)) : BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(8));
        if (length > data.Length - start) throw Error(8, $"a header of {length} bytes is announced, but the file has only {data.Length - start} more");
        string header = Encoding.UTF8.GetString(data, start, (int)length);

        string descr = Entry(header, "descr") ?? throw Error(start, "the header has no 'descr'");
        if (descr.Length < 2 || descr[0] is not ('\'' or '"') || descr[^1] != descr[0])
            throw Error(start, "structured arrays are not supported; save one plain array");
        descr = descr[1..^1];
        var type = TypeOf(descr.TrimStart('<', '>', '|', '='))
            ?? throw Error(start, $"type '{Shorten(descr)}' is not supported; it can be bool, u1, i1, u2, i2, i4, i8, f4 or f8 (array.astype)");
        bool fortran = Entry(header, "fortran_order") switch
        {
            "True" => true,
            "False" => false,
            _ => throw Error(start, "the header has no 'fortran_order' of True or False"),
        };
        string tuple = Entry(header, "shape") ?? throw Error(start, "the header has no 'shape'");
        if (tuple.Length < 2 || tuple[0] != '(' || tuple[^1] != ')') throw Error(start, "'shape' is not a tuple");
        var shape = new List<int>();
        foreach (string item in tuple[1..^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(item, NumberStyles.None, CultureInfo.InvariantCulture, out int extent))
                throw Error(start, $"'{Shorten(item)}' is not an extent of an array (0 to 2147483647)");
            if (shape.Count == 32) throw Error(start, "more than 32 dimensions");
            shape.Add(extent);
        }
        int body = start + (int)length;
        return Take(data, body, [.. shape], type, fortran, descr[0] == '>', name);
    }

    /// <summary>Reads a file that holds nothing but the numbers (and perhaps a header to be skipped).</summary>
    /// <param name="path">The file.</param>
    /// <param name="shape">Extents; their product times the size of the type must be the rest of the file.</param>
    /// <param name="type">Number type.</param>
    /// <param name="fortranOrder">The first index runs fastest, as in most image stacks written x first.</param>
    /// <param name="bigEndian">Byte order of the file.</param>
    /// <param name="skipBytes">Length of a header that is ignored.</param>
    /// <exception cref="InputException">The file cannot be read or does not have that size.</exception>
    public static NpyArray ReadRaw(string path, IReadOnlyList<int> shape, NpyType type, bool fortranOrder = false, bool bigEndian = false,
        int skipBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(shape);
        byte[] data = InputFile.ReadAllBytes(path);
        if (skipBytes < 0 || skipBytes > data.Length) throw new InputException(path, 0, 0, $"cannot skip {skipBytes} bytes of {data.Length}");
        if (shape.Any(n => n < 0)) throw new InputException(path, 0, 0, $"the shape ({string.Join(", ", shape)}) has a negative extent");
        return Take(data, skipBytes, [.. shape], type, fortranOrder, bigEndian, path);
    }

    /// <summary>Writes a .npy file (version 1).</summary>
    /// <param name="path">The file.</param>
    /// <param name="values">Elements in C order (last index fastest): bool, byte, sbyte, short, ushort, int, long, float or double.</param>
    /// <param name="shape">Extents.</param>
    /// <param name="fortranOrder">Store the first index fastest.</param>
    /// <param name="bigEndian">Store in big-endian byte order.</param>
    /// <exception cref="InputException">The shape does not fit the elements, or the file cannot be written.</exception>
    public static void Write<T>(string path, ReadOnlySpan<T> values, IReadOnlyList<int> shape, bool fortranOrder = false, bool bigEndian = false)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(shape);
        var type = TypeOf<T>();
        int size = Size(type);
        if (shape.Any(n => n < 0) || shape.Aggregate((UInt128)1, (p, n) => p > int.MaxValue ? p : p * (UInt128)n) != (UInt128)values.Length)
            throw new InputException(path, 0, 0, $"{values.Length} elements do not make an array of shape ({string.Join(", ", shape)})");
        byte[] body = MemoryMarshal.AsBytes(values).ToArray();
        if (fortranOrder) body = Reorder(body, shape, size, toFortran: true);
        if (bigEndian) Swap(body, size);
        string letter = type == NpyType.Bool ? "b1" : type.ToString().ToLowerInvariant();
        string tuple = shape.Count == 1 ? $"({shape[0]},)" : $"({string.Join(", ", shape)})";
        string header = $"{{'descr': '{(size == 1 ? '|' : bigEndian ? '>' : '<')}{letter}', 'fortran_order': {(fortranOrder ? "True" : "False")}, 'shape': {tuple}, }}";
        header = header.PadRight((10 + header.Length + 1 + 63) / 64 * 64 - 11) + "\n";
        AtomicFile.Write(path, stream =>
        {
            stream.Write(s_magic);
            stream.Write([1, 0, (byte)header.Length, (byte)(header.Length >> 8)]);
            stream.Write(Encoding.ASCII.GetBytes(header));
            stream.Write(body);
        });
    }

    internal static int Size(NpyType type) => type switch
    {
        NpyType.Bool or NpyType.U1 or NpyType.I1 => 1, NpyType.U2 or NpyType.I2 => 2, NpyType.I4 or NpyType.F4 => 4, _ => 8,
    };

    private static NpyArray Take(byte[] data, int start, int[] shape, NpyType type, bool fortran, bool bigEndian, string name)
    {
        int size = Size(type);
        UInt128 bytes = (UInt128)size;
        foreach (int n in shape) bytes = bytes > long.MaxValue && n > 0 ? bytes : bytes * (UInt128)n;
        if (bytes != (UInt128)(data.Length - start))
            throw new InputException(name, 0, 0, $"byte {start}: an array of shape ({string.Join(", ", shape)}) of {size}-byte numbers does not fit the {data.Length - start} bytes of the file");
        byte[] body = data[start..];
        if (bigEndian) Swap(body, size);
        if (fortran) body = Reorder(body, shape, size, toFortran: false);
        return new NpyArray(shape, type, body, name);
    }

    private static void Swap(Span<byte> body, int size)
    {
        if (size > 1) for (int i = 0; i < body.Length; i += size) body.Slice(i, size).Reverse();
    }

    private static byte[] Reorder(byte[] body, IReadOnlyList<int> shape, int size, bool toFortran)
    {
        var result = new byte[body.Length];
        var index = new int[shape.Count];
        for (int c = 0; c < body.Length / size; c++) // c runs in C order
        {
            long f = 0;
            for (int d = shape.Count - 1; d >= 0; d--) f = f * shape[d] + index[d];
            var (from, to) = toFortran ? (c, (int)f) : ((int)f, c);
            body.AsSpan(from * size, size).CopyTo(result.AsSpan(to * size));
            for (int d = shape.Count - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
        }
        return result;
    }

    /// <summary>The text of one entry of the header's dictionary.</summary>
    private static string? Entry(string header, string key)
    {
        int at = header.IndexOf($"'{key}'", StringComparison.Ordinal);
        if (at < 0 || (at = header.IndexOf(':', at + key.Length + 2)) < 0) return null;
        string rest = header[(at + 1)..].TrimStart();
        int end = rest.Length == 0 ? -1 : rest[0] switch
        {
            '(' => rest.IndexOf(')') + 1,
            '\'' or '"' => rest.IndexOf(rest[0], 1) + 1,
            '[' => rest.IndexOf(']') + 1,
            _ => rest.AsSpan().IndexOfAny(',', '}'),
        };
        return end > 0 ? rest[..end].Trim() : null;
    }

    private static NpyType? TypeOf(string letters) => letters switch
    {
        "b1" or "?" => NpyType.Bool, "u1" => NpyType.U1, "i1" => NpyType.I1, "u2" => NpyType.U2, "i2" => NpyType.I2, "i4" => NpyType.I4,
        "i8" => NpyType.I8, "f4" => NpyType.F4, "f8" => NpyType.F8, _ => null,
    };

    private static NpyType TypeOf<T>() => Type.GetTypeCode(typeof(T)) switch
    {
        TypeCode.Boolean => NpyType.Bool, TypeCode.Byte => NpyType.U1, TypeCode.SByte => NpyType.I1, TypeCode.UInt16 => NpyType.U2,
        TypeCode.Int16 => NpyType.I2, TypeCode.Int32 => NpyType.I4, TypeCode.Int64 => NpyType.I8, TypeCode.Single => NpyType.F4,
        TypeCode.Double => NpyType.F8, _ => throw new InputException($"arrays of {typeof(T).Name} cannot be written as .npy"),
    };

    private static string Shorten(string text) => new([.. text.Take(40).Select(c => char.IsControl(c) ? '?' : c)]);

    private static readonly byte[] s_magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];
}
