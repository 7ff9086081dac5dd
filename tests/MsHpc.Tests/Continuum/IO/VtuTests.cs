using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Xml.Linq;
using MsHpc.Continuum;
using MsHpc.Continuum.IO;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

[TestFixture]
internal sealed class VtuTests
{
    private static Mesh Sample(ElementType type) => type.Dimension() == 2 ? StructuredMesh.Rectangle(type, 3, 2, 1, 1, "plate")
        : StructuredMesh.Box(type, 2, 2, 2, 1, 1, 1, "block");

    [Test]
    public void WhatIsWrittenIsRead([Values(ElementType.Tri6, ElementType.Quad4, ElementType.Quad8, ElementType.Tet10, ElementType.Hex8, ElementType.Hex20)] ElementType type)
    {
        var mesh = Sample(type);
        double[] u = [.. Enumerable.Range(0, mesh.NodeCount * mesh.Dimension).Select(i => 0.1 * i)];
        int[] id = [.. Enumerable.Range(0, mesh.CellCount)];
        string file = Path.Combine(TestData.Scratch(), "x.vtu");
        VtuWriter.Write(file, mesh, [FieldArray.Of("u", u, mesh.Dimension, mesh.Dimension == 2 ? ["x", "y"] : ["x", "y", "z"])],
            [FieldArray.Of("id", id), FieldArray.Of("σ & <ε>", new double[3 * id.Length], 3, "xx", "yy", "xy")], 0.25);
        var (document, arrays) = Parse(file);
        Assert.That(arrays["Points"].Doubles, Has.Length.EqualTo(3 * mesh.NodeCount));
        for (int n = 0; n < mesh.NodeCount; n++)
            for (int d = 0; d < 3; d++)
            {
                Assert.That(arrays["Points"].Doubles[3 * n + d], Is.EqualTo(d < mesh.Dimension ? mesh.Coordinates[n * mesh.Dimension + d] : 0));
                Assert.That(arrays["u"].Doubles[3 * n + d], Is.EqualTo(d < mesh.Dimension ? u[n * mesh.Dimension + d] : 0));
            }
        Assert.That(MemoryMarshal.Cast<byte, int>(arrays["id"].Bytes).ToArray(), Is.EqualTo(id));
        Assert.That(MemoryMarshal.Cast<byte, long>(arrays["connectivity"].Bytes).ToArray(), Is.EqualTo(mesh.Cells[0].Connectivity.Select(n => (long)n)));
        Assert.That(MemoryMarshal.Cast<byte, long>(arrays["offsets"].Bytes)[^1], Is.EqualTo(mesh.Cells[0].Connectivity.Length));
        Assert.That(arrays["types"].Bytes.Distinct(), Is.EqualTo(new[] { VtuWriter.CellType(type) }));
        Assert.That(arrays["σ & <ε>"].Doubles, Has.Length.EqualTo(3 * id.Length));
        var u0 = document.Descendants("DataArray").Single(a => (string?)a.Attribute("Name") == "u");
        Assert.That(new[] { (string?)u0.Attribute("ComponentName0"), (string?)u0.Attribute("ComponentName2") }, Is.EqualTo(new[] { "x", "z" }));
        Assert.That(document.Descendants("DataArray").Single(a => (string?)a.Attribute("Name") == "TimeValue").Value, Is.EqualTo("0.25"));
    }

    [Test]
    public void MeshioReadsIt([Values(ElementType.Tri3, ElementType.Quad8, ElementType.Tet10, ElementType.Hex20)] ElementType type)
    {
        Python.RequireModule("meshio");
        var mesh = Sample(type);
        double[] t = [.. Enumerable.Range(0, mesh.NodeCount).Select(i => Math.Sqrt(i))];
        string file = Path.Combine(TestData.Scratch(), "x.vtu");
        VtuWriter.Write(file, mesh, [FieldArray.Of("T", t)], [FieldArray.Of("id", Enumerable.Range(0, mesh.CellCount).ToArray())], 1);
        string output = Python.Run("""
            import meshio, sys
            m = meshio.read(sys.argv[1])
            print(repr(float(m.points.sum())), repr(float(m.point_data["T"].sum())), int(sum(a.sum() for a in m.cell_data["id"])))
            print(" ".join(str(i) for c in m.cells for i in c.data.ravel()))
            print(m.cells[0].type)
            """, file);
        string[] lines = output.Split('\n'), sums = lines[0].Split(' ');
        Assert.That(double.Parse(sums[0], CultureInfo.InvariantCulture), Is.EqualTo(mesh.Coordinates.Sum()).Within(1e-10));
        Assert.That(double.Parse(sums[1], CultureInfo.InvariantCulture), Is.EqualTo(t.Sum()).Within(1e-10));
        Assert.That(int.Parse(sums[2]), Is.EqualTo(mesh.CellCount * (mesh.CellCount - 1) / 2));
        Assert.That(lines[1], Is.EqualTo(string.Join(' ', mesh.Cells[0].Connectivity)));
        Assert.That(lines[2], Is.EqualTo(type switch { ElementType.Tri3 => "triangle", ElementType.Quad8 => "quad8", ElementType.Tet10 => "tetra10", _ => "hexahedron20" }));
    }

    [Test]
    public void FaultyFieldsAreRefused()
    {
        var mesh = Sample(ElementType.Quad4);
        string file = Path.Combine(TestData.Scratch(), "x.vtu");
        Assert.Throws<InputException>(() => FieldArray.Of("u", new double[7], 2));
        Assert.Throws<InputException>(() => FieldArray.Of("u", new double[6], 2, "x"));
        Assert.Throws<InputException>(() => VtuWriter.Write(file, mesh, [FieldArray.Of("u", new double[3])]));
        Assert.Throws<InputException>(() => VtuWriter.Write(file, mesh, [FieldArray.Of("u\u0001", new double[mesh.NodeCount])]));
        Assert.Throws<InputException>(() => VtuWriter.Write(file, mesh, [FieldArray.Of("u", new double[mesh.NodeCount]), FieldArray.Of("u", new double[mesh.NodeCount])]));
        Assert.Throws<InputException>(() => VtuWriter.Write("/nowhere/at/all.vtu", mesh));
        Assert.That(File.Exists(file), Is.False);
    }

    [Test]
    public void SeriesCanBeResumed()
    {
        string folder = TestData.Scratch(), pvd = Path.Combine(folder, "run.pvd");
        var mesh = Sample(ElementType.Quad4);
        var series = new PvdWriter(pvd);
        for (int step = 0; step < 4; step++) series.Write(0.1 * step, mesh);
        Assert.That(PvdWriter.Read(pvd).Select(e => e.File), Is.EqualTo(new[] { "run-000000.vtu", "run-000001.vtu", "run-000002.vtu", "run-000003.vtu" }));
        var resumed = new PvdWriter(pvd, resumeFrom: 0.2);
        Assert.That(Path.GetFileName(resumed.Write(0.2, mesh)), Is.EqualTo("run-000002.vtu"));
        Assert.That(PvdWriter.Read(pvd).Select(e => e.Time), Is.EqualTo(new[] { 0, 0.1, 0.2 }));
        Assert.That(PvdWriter.Read(pvd).All(e => File.Exists(Path.Combine(folder, e.File))));
        Assert.Throws<InputException>(() => series.Add(double.NaN, "x.vtu"));
        File.WriteAllText(pvd, "<VTKFile><Collection>");
        Assert.That(() => new PvdWriter(pvd, 0), Throws.InstanceOf<InputException>().With.Message.Contains("is not XML"));
        File.WriteAllText(pvd, "<a/>");
        Assert.That(() => PvdWriter.Read(pvd), Throws.InstanceOf<InputException>().With.Message.Contains("not a ParaView collection"));
        Assert.That(Directory.GetFiles(folder, ".*"), Is.Empty, "temporary files are left");
    }

    [Test]
    public void AFailedWriteKeepsTheOldFile()
    {
        string folder = TestData.Scratch(), file = Path.Combine(folder, "x.txt");
        AtomicFile.WriteText(file, "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(file, s =>
        {
            s.WriteByte(1);
            throw new InvalidOperationException("half-way");
        }));
        Assert.That(File.ReadAllText(file), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(1));
        AtomicFile.WriteText(file, "new");
        Assert.That(File.ReadAllText(file), Is.EqualTo("new"));
    }

    private sealed record Raw(byte[] Bytes)
    {
        public double[] Doubles => MemoryMarshal.Cast<byte, double>(Bytes).ToArray();
    }

    /// <summary>A reader of its own: header as XML, then length-prefixed blocks.</summary>
    private static (XDocument, Dictionary<string, Raw>) Parse(string file)
    {
        byte[] data = File.ReadAllBytes(file);
        int start = data.AsSpan().IndexOf("<AppendedData encoding=\"raw\">"u8), at = data.AsSpan(start).IndexOf((byte)'_') + start + 1;
        Assert.That(data.AsSpan().EndsWith("</AppendedData>\n</VTKFile>"u8), Is.True, Encoding.ASCII.GetString(data[^60..]));
        var document = XDocument.Parse(Encoding.UTF8.GetString(data, 0, start) + "</VTKFile>");
        var arrays = new Dictionary<string, Raw>();
        foreach (var array in document.Descendants("DataArray").Where(a => (string?)a.Attribute("format") == "appended"))
        {
            int offset = at + (int)array.Attribute("offset")!, length = (int)BitConverter.ToInt64(data, offset);
            arrays.Add((string)array.Attribute("Name")!, new Raw(data[(offset + 8)..(offset + 8 + length)]));
        }
        return (document, arrays);
    }
}
