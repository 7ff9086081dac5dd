using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Xml;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>A named array of a picture or output file: one tuple per node or per element.</summary>
public sealed class FieldArray
{
    private FieldArray(string name, int components, IReadOnlyList<string> componentNames, ReadOnlyMemory<double>? doubles, ReadOnlyMemory<int>? ints)
    {
        ArgumentNullException.ThrowIfNull(name);
        int length = doubles?.Length ?? ints?.Length ?? 0;
        if (components < 1 || length % components != 0) throw new InputException($"field '{name}': {length} values are no multiple of {components} components");
        if (componentNames.Count != 0 && componentNames.Count != components)
            throw new InputException($"field '{name}': {componentNames.Count} component names for {components} components");
        (Name, Components, ComponentNames, Doubles, Ints) = (name, components, componentNames, doubles, ints);
    }

    /// <summary>A field of doubles.</summary>
    /// <param name="name">Name, with the unit where there is one.</param>
    /// <param name="values">Tuples, one after the other.</param>
    /// <param name="components">Numbers per tuple.</param>
    /// <param name="componentNames">None, or one per component.</param>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public static FieldArray Of(string name, ReadOnlyMemory<double> values, int components = 1, params string[] componentNames) =>
        new(name, components, componentNames, values, null);

    /// <summary>A field of integers.</summary>
    /// <param name="name">Name.</param>
    /// <param name="values">Tuples, one after the other.</param>
    /// <param name="components">Numbers per tuple.</param>
    /// <param name="componentNames">None, or one per component.</param>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public static FieldArray Of(string name, ReadOnlyMemory<int> values, int components = 1, params string[] componentNames) =>
        new(name, components, componentNames, null, values);

    /// <summary>Name of the field.</summary>
    public string Name { get; }

    /// <summary>Numbers per node or element.</summary>
    public int Components { get; }

    /// <summary>Names of the components; empty when they have none.</summary>
    public IReadOnlyList<string> ComponentNames { get; }

    /// <summary>Number of tuples.</summary>
    public int Tuples => (Doubles?.Length ?? Ints!.Value.Length) / Components;

    internal ReadOnlyMemory<double>? Doubles { get; }

    internal ReadOnlyMemory<int>? Ints { get; }
}

/// <summary>
/// Writes VTK unstructured grids (.vtu) with appended raw binary data, as ParaView, VTK and meshio read them. Elements come in the order of
/// <see cref="Mesh.Cells"/>, with the cell field <c>region</c> (index of the block's region among the distinct names, in order of
/// appearance). Format: VTK file formats, XML, version 1.0 with 64-bit headers.
/// </summary>
public static class VtuWriter
{
    /// <summary>Writes or replaces a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mesh">The mesh; a two-dimensional one gets z = 0.</param>
    /// <param name="points">Fields with one tuple per node. Two components on a two-dimensional mesh are a vector: it gets a third, zero
    /// component, so that ParaView can warp by it.</param>
    /// <param name="cells">Fields with one tuple per element, block after block.</param>
    /// <param name="time">Physical time, stored as the field data <c>TimeValue</c>.</param>
    /// <exception cref="InputException">A field has the wrong length or a name that XML cannot hold, or the file cannot be written.</exception>
    public static void Write(string path, Mesh mesh, IReadOnlyList<FieldArray>? points = null, IReadOnlyList<FieldArray>? cells = null,
        double? time = null)
    {
        ArgumentNullException.ThrowIfNull(mesh);
        if (mesh.Cells.Sum(c => (long)c.Connectivity.Length) > int.MaxValue / 8 || mesh.NodeCount > int.MaxValue / 24)
            throw new InputException(path, 0, 0, "the mesh is too large for one .vtu file (2 GB an array); write it in parts");
        points ??= [];
        cells ??= [];
        Check(points, mesh.NodeCount, "nodes");
        Check(cells, mesh.CellCount, "elements");
        AtomicFile.Write(path, stream => Write(stream, mesh, points, cells, time));
    }

    /// <summary>VTK's number of a shape.</summary>
    public static byte CellType(ElementType type) => type switch
    {
        ElementType.Point1 => 1, ElementType.Line2 => 3, ElementType.Line3 => 21, ElementType.Tri3 => 5, ElementType.Tri6 => 22,
        ElementType.Quad4 => 9, ElementType.Quad8 => 23, ElementType.Tet4 => 10, ElementType.Tet10 => 24, ElementType.Hex8 => 12, _ => 25,
    };

    private static void Check(IReadOnlyList<FieldArray> fields, int count, string of)
    {
        foreach (var field in fields)
        {
            if (field.Tuples != count) throw new InputException($"field '{field.Name}' has {field.Tuples} tuples, but the mesh has {count} {of}");
            foreach (string name in field.ComponentNames.Append(field.Name))
                if (name.Any(c => !XmlConvert.IsXmlChar(c))) throw new InputException($"field '{field.Name}': a name holds a character that XML cannot store");
        }
        if (fields.GroupBy(f => f.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new InputException($"two fields on the {of} are called '{twice.Key}'");
    }

    private static void Write(Stream stream, Mesh mesh, IReadOnlyList<FieldArray> points, IReadOnlyList<FieldArray> cells, double? time)
    {
        var arrays = Arrays(mesh, points, cells);
        // The blocks lie in the opposite order of their headers: meshio (to 5.0 at least) renumbers the offsets one by one while it looks
        // them up, and would otherwise take one that it has already renumbered for another of the same number.
        var offsets = new long[arrays.Count + 1];
        for (int i = arrays.Count - 1; i >= 0; i--) offsets[i] = offsets[i + 1] + (i + 1 < arrays.Count ? 8 + arrays[i + 1].Bytes.LongLength : 0);
        using var xml = XmlWriter.Create(stream, new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(false), NewLineChars = "\n" });
        xml.WriteStartElement("VTKFile");
        xml.WriteAttributeString("type", "UnstructuredGrid");
        xml.WriteAttributeString("version", "1.0");
        xml.WriteAttributeString("byte_order", "LittleEndian");
        xml.WriteAttributeString("header_type", "UInt64");
        xml.WriteStartElement("UnstructuredGrid");
        if (time is { } t)
        {
            xml.WriteStartElement("FieldData");
            xml.WriteStartElement("DataArray");
            xml.WriteAttributeString("type", "Float64");
            xml.WriteAttributeString("Name", "TimeValue");
            xml.WriteAttributeString("NumberOfTuples", "1");
            xml.WriteAttributeString("format", "ascii");
            xml.WriteString(t.ToString("R", CultureInfo.InvariantCulture));
            xml.WriteEndElement();
            xml.WriteEndElement();
        }
        xml.WriteStartElement("Piece");
        xml.WriteAttributeString("NumberOfPoints", mesh.NodeCount.ToString(CultureInfo.InvariantCulture));
        xml.WriteAttributeString("NumberOfCells", mesh.CellCount.ToString(CultureInfo.InvariantCulture));

        foreach (string section in (ReadOnlySpan<string>)["PointData", "CellData", "Points", "Cells"])
        {
            xml.WriteStartElement(section);
            for (int i = 0; i < arrays.Count; i++)
            {
                var array = arrays[i];
                if (array.Section != section) continue;
                xml.WriteStartElement("DataArray");
                xml.WriteAttributeString("type", array.Type);
                xml.WriteAttributeString("Name", array.Name);
                xml.WriteAttributeString("NumberOfComponents", array.Components.ToString(CultureInfo.InvariantCulture));
                for (int k = 0; k < array.ComponentNames.Count; k++)
                    xml.WriteAttributeString(string.Create(CultureInfo.InvariantCulture, $"ComponentName{k}"), array.ComponentNames[k]);
                xml.WriteAttributeString("format", "appended");
                xml.WriteAttributeString("offset", offsets[i].ToString(CultureInfo.InvariantCulture));
                xml.WriteEndElement();
            }
            xml.WriteEndElement();
        }
        xml.WriteEndElement(); // Piece
        xml.WriteEndElement(); // UnstructuredGrid

        xml.WriteStartElement("AppendedData");
        xml.WriteAttributeString("encoding", "raw");
        xml.WriteRaw("\n_");
        xml.Flush();
        for (int i = arrays.Count - 1; i >= 0; i--)
        {
            stream.Write(Bytes<long>([arrays[i].Bytes.LongLength]));
            stream.Write(arrays[i].Bytes);
        }
        xml.WriteRaw("\n");
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private sealed record Array(string Section, string Type, string Name, int Components, byte[] Bytes, IReadOnlyList<string> ComponentNames);

    /// <summary>All arrays of the file, section by section.</summary>
    private static List<Array> Arrays(Mesh mesh, IReadOnlyList<FieldArray> points, IReadOnlyList<FieldArray> cells)
    {
        var arrays = new List<Array>();
        void PutField(string section, FieldArray field, bool pad)
        {
            pad &= field.Components == 2 && mesh.Dimension == 2;
            int components = pad ? 3 : field.Components;
            var names = pad && field.ComponentNames.Count > 0 ? [.. field.ComponentNames, "z"] : field.ComponentNames;
            arrays.Add(field.Doubles is { } d
                ? new Array(section, "Float64", field.Name, components, Bytes<double>(pad ? Pad(d.Span) : d.Span), names)
                : new Array(section, "Int32", field.Name, components, Bytes<int>(pad ? Pad(field.Ints!.Value.Span) : field.Ints!.Value.Span), names));
        }

        foreach (var field in points) PutField("PointData", field, pad: true);
        if (!cells.Any(f => f.Name == "region"))
        {
            List<string> names = [.. mesh.Cells.Select(c => c.Region).Distinct()];
            int[] region = [.. mesh.Cells.SelectMany(c => Enumerable.Repeat(names.IndexOf(c.Region), c.Count))];
            arrays.Add(new Array("CellData", "Int32", "region", 1, Bytes<int>(region), []));
        }
        foreach (var field in cells) PutField("CellData", field, pad: false);
        arrays.Add(new Array("Points", "Float64", "Points", 3, Bytes<double>(mesh.Dimension == 3 ? mesh.Coordinates : Pad<double>(mesh.Coordinates)), []));

        var connectivity = new long[mesh.Cells.Sum(c => c.Connectivity.Length)];
        var ends = new long[mesh.CellCount];
        var types = new byte[mesh.CellCount];
        int at = 0, cell = 0;
        foreach (var block in mesh.Cells)
        {
            int size = block.Type.Nodes(), start = at;
            foreach (int n in block.Connectivity) connectivity[at++] = n;
            for (int e = 0; e < block.Count; e++, cell++) (ends[cell], types[cell]) = (start + (e + 1L) * size, CellType(block.Type));
        }
        arrays.Add(new Array("Cells", "Int64", "connectivity", 1, Bytes<long>(connectivity), []));
        arrays.Add(new Array("Cells", "Int64", "offsets", 1, Bytes<long>(ends), []));
        arrays.Add(new Array("Cells", "UInt8", "types", 1, types, []));
        return arrays;
    }

    private static byte[] Bytes<T>(ReadOnlySpan<T> values) where T : unmanaged => MemoryMarshal.AsBytes(values).ToArray();

    private static T[] Pad<T>(ReadOnlySpan<T> pairs)
    {
        var triples = new T[pairs.Length / 2 * 3];
        for (int i = 0; i < pairs.Length; i += 2) (triples[i / 2 * 3], triples[i / 2 * 3 + 1]) = (pairs[i], pairs[i + 1]);
        return triples;
    }
}
