using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>
/// A ParaView collection (.pvd): the list of .vtu files of a time series. It is rewritten as a whole at each step and renamed into place, so
/// that it can be opened while the job runs and stays valid when the job dies.
/// </summary>
public sealed class PvdWriter
{
    private readonly string _path;
    private readonly List<(double Time, int Part, string File)> _entries = [];

    /// <summary>Starts a series, or goes on with one.</summary>
    /// <param name="path">The .pvd file; it is written at the first step.</param>
    /// <param name="resumeFrom">When the job restarts at this time: the earlier entries of an existing file are kept, those at this time and
    /// later are dropped.</param>
    /// <exception cref="InputException">The existing file is no ParaView collection.</exception>
    public PvdWriter(string path, double? resumeFrom = null)
    {
        _path = path;
        if (resumeFrom is { } from && File.Exists(path)) _entries.AddRange(Read(path).Where(e => e.Time < from));
    }

    /// <summary>Adds one file and rewrites the collection.</summary>
    /// <param name="time">Physical time.</param>
    /// <param name="file">The .vtu file; stored relative to the folder of the collection.</param>
    /// <param name="part">Number of the part, where several files make up one time.</param>
    /// <exception cref="InputException">The time is not a number, or the collection cannot be written.</exception>
    public void Add(double time, string file, int part = 0)
    {
        if (!double.IsFinite(time)) throw new InputException($"{time} is not a time");
        string folder = Path.GetDirectoryName(Path.GetFullPath(_path))!;
        string relative = Path.GetRelativePath(folder, Path.GetFullPath(file)).Replace('\\', '/');
        _entries.RemoveAll(e => e.Time == time && e.Part == part);
        _entries.Add((time, part, relative));
        Save();
    }

    /// <summary>Writes one step as <c>name-000042.vtu</c> beside the collection, and adds it.</summary>
    /// <param name="time">Physical time.</param>
    /// <param name="mesh">The mesh.</param>
    /// <param name="points">Fields on nodes.</param>
    /// <param name="cells">Fields on elements.</param>
    /// <returns>The .vtu file.</returns>
    /// <exception cref="InputException">See <see cref="VtuWriter.Write(string, Mesh, IReadOnlyList{FieldArray}, IReadOnlyList{FieldArray}, double?)"/>.</exception>
    public string Write(double time, Mesh mesh, IReadOnlyList<FieldArray>? points = null, IReadOnlyList<FieldArray>? cells = null)
    {
        string file = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(_path))!,
            string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(_path)}-{_entries.Count:D6}.vtu"));
        VtuWriter.Write(file, mesh, points, cells, time);
        Add(time, file);
        return file;
    }

    /// <summary>Entries of a collection, in the order of the file.</summary>
    /// <exception cref="InputException">The file cannot be read or is no ParaView collection.</exception>
    public static IReadOnlyList<(double Time, int Part, string File)> Read(string path)
    {
        XDocument document;
        try { document = XDocument.Load(new MemoryStream(InputFile.ReadAllBytes(path)), LoadOptions.SetLineInfo); }
        catch (XmlException e) { throw new InputException(path, e.LineNumber, e.LinePosition, $"is not XML: {e.Message}"); }
        if (document.Root?.Name != "VTKFile" || document.Root.Element("Collection") is not { } collection)
            throw new InputException(path, 1, 0, "is not a ParaView collection (VTKFile with a Collection)");
        var entries = new List<(double, int, string)>();
        foreach (var item in collection.Elements("DataSet"))
        {
            int line = ((IXmlLineInfo)item).LineNumber, part = 0;
            if (!double.TryParse((string?)item.Attribute("timestep"), NumberStyles.Float, CultureInfo.InvariantCulture, out double time))
                throw new InputException(path, line, 0, "a DataSet has no timestep");
            if (item.Attribute("part") is { } p && !int.TryParse(p.Value, NumberStyles.Integer, CultureInfo.InvariantCulture, out part))
                throw new InputException(path, line, 0, $"part '{p.Value}' is not an integer");
            entries.Add((time, part, (string?)item.Attribute("file") ?? throw new InputException(path, line, 0, "a DataSet names no file")));
        }
        return entries;
    }

    private void Save() => AtomicFile.Write(_path, stream =>
    {
        using var xml = XmlWriter.Create(stream, new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(false), NewLineChars = "\n" });
        new XDocument(new XElement("VTKFile", new XAttribute("type", "Collection"), new XAttribute("version", "1.0"),
            new XAttribute("byte_order", "LittleEndian"), new XElement("Collection", _entries.Select(e => new XElement("DataSet",
                new XAttribute("timestep", e.Time.ToString("R", CultureInfo.InvariantCulture)), new XAttribute("group", ""),
                new XAttribute("part", e.Part), new XAttribute("file", e.File)))))).Save(xml);
    });
}
