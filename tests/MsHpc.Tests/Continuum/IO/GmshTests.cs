using System.Diagnostics;
using System.Text;
using MsHpc.Continuum;
using MsHpc.Continuum.IO;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

/// <summary>The meshes in tests/data/mesh are made by Gmsh 4.8.4 (make.sh).</summary>
[TestFixture]
internal sealed class GmshTests
{
    private static readonly string[] s_plane = ["tri3", "tri6", "quad4", "quad8"], s_solid = ["tet4", "tet10", "hex8", "hex20"];

    private static string[] All => [.. s_plane, .. s_solid];

    [TestCaseSource(nameof(s_plane))]
    public void PlaneMeshesAreReadAsMade(string name)
    {
        var notes = new List<string>();
        var mesh = GmshReader.Read(TestData.File($"mesh/{name}.msh"), notes);
        Assert.That(mesh.Dimension, Is.EqualTo(2));
        Assert.That(mesh.Cells.Select(c => c.Region), Is.EqualTo(new[] { "matrix", "inclusion" }));
        Assert.That(mesh.Cells[0].Type.ToString(), Is.EqualTo(name).IgnoreCase);
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(2).Within(1e-12));
        MeshAssert.MidNodes(mesh);
        MeshAssert.Positive(mesh);
        Assert.That(mesh.Boundaries.Keys, Is.EquivalentTo(new[] { "bottom", "left", "right", "outer", "interface", "corner" }));
        Assert.That(MeshAssert.Normal(mesh, "left"), Is.EqualTo(new double[] { -1, 0 }).Within(1e-12));
        Assert.That(MeshAssert.Normal(mesh, "right"), Is.EqualTo(new double[] { 1, 0 }).Within(1e-12));
        Assert.That(MeshAssert.Normal(mesh, "bottom"), Is.EqualTo(new double[] { 0, -2 }).Within(1e-12));
        Assert.That(MeshAssert.Normal(mesh, "outer"), Is.EqualTo(new double[] { 0, 0 }).Within(1e-12));
        int corner = mesh.BoundaryNodes("corner").Single();
        Assert.That(mesh.Coordinates[(2 * corner)..(2 * corner + 2)], Is.EqualTo(new double[] { 0, 0 }));
        Assert.That(mesh.BoundaryNodes("interface").All(n => Math.Abs(mesh.Coordinates[2 * n] - 1) < 1e-12));
        Assert.That(notes, Is.Empty);
    }

    [TestCaseSource(nameof(s_solid))]
    public void SolidMeshesAreReadAsMade(string name)
    {
        var mesh = GmshReader.Read(TestData.File($"mesh/{name}.msh"));
        Assert.That(mesh.Dimension, Is.EqualTo(3));
        Assert.That(mesh.Cells.Single().Region, Is.EqualTo("body"));
        Assert.That(mesh.Cells[0].Type.ToString(), Is.EqualTo(name).IgnoreCase);
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(1).Within(1e-12));
        MeshAssert.MidNodes(mesh);
        MeshAssert.Positive(mesh);
        Assert.That(MeshAssert.Normal(mesh, "zmin"), Is.EqualTo(new double[] { 0, 0, -1 }).Within(1e-12));
        Assert.That(MeshAssert.Normal(mesh, "zmax"), Is.EqualTo(new double[] { 0, 0, 1 }).Within(1e-12));
        Assert.That(mesh.Boundaries["edge"].Single().Type.Dimension(), Is.EqualTo(1));
        Assert.That(mesh.BoundaryNodes("corner"), Has.Length.EqualTo(1));
    }

    [TestCaseSource(nameof(All))]
    public void TextBinaryAndRoundTripAgree(string name)
    {
        var mesh = GmshReader.Read(TestData.File($"mesh/{name}.msh"));
        var twin = GmshReader.Read(TestData.File($"mesh/{name}.bin.msh"));
        Assert.That(mesh.Coordinates, Is.EqualTo(twin.Coordinates).Within(1e-14)); // Gmsh writes 16 digits
        MeshAssert.Same(mesh, twin with { Coordinates = mesh.Coordinates });
        string folder = TestData.Scratch();
        foreach (bool binary in new[] { false, true })
        {
            string file = Path.Combine(folder, $"{binary}.msh");
            GmshWriter.Write(file, mesh, binary);
            MeshAssert.Same(GmshReader.Read(file), mesh);
        }
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(2), "temporary files are left");
    }

    [Test]
    public void GroupsOfPartitionedMeshesAreFound()
    {
        var mesh = GmshReader.Read(TestData.File("mesh/partitioned.msh"));
        Assert.That(mesh.Cells.Select(c => c.Region), Is.EquivalentTo(new[] { "matrix", "inclusion" }));
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(2).Within(1e-12));
        Assert.That(MeshAssert.Normal(mesh, "bottom"), Is.EqualTo(new double[] { 0, -2 }).Within(1e-12));
    }

    /// <summary>Two triangles, the second clockwise; sparse tags; an unused node; a group without a name; an unknown section; CRLF.</summary>
    private const string Odd = """
        $MeshFormat
        4.1 0 8
        $EndMeshFormat
        $Comments
        made by hand, 10 20
        $EndComments
        $PhysicalNames
        2
        1 3 "base line"
        1 4 "nothing"
        $EndPhysicalNames
        $Entities
        0 1 2 0
        1 0 0 0 1 0 0 1 -3 0
        1 0 0 0 1 1 0 1 9 0
        2 0 0 0 1 1 0 0 0
        $EndEntities
        $Nodes
        2 5 7 9000000000
        2 1 0 3
        7
        100
        9000000000
        0 0 2.5
        1 0 2.5
        1 1 2.5
        2 1 1 2
        8
        9
        0 1 2.5 0.1 0.2
        5 5 2.5 0.1 0.2
        $EndNodes
        $Elements
        3 3 1 3
        1 1 1 1
        1 100 7
        2 1 2 1
        2 7 100 9000000000
        2 2 2 1
        3 7 8 9000000000
        $EndElements
        """;

    [Test]
    public void OddFilesAreUnderstoodAndNoted()
    {
        var notes = new List<string>();
        var mesh = GmshReader.Parse(Encoding.UTF8.GetBytes(Odd.Replace("\n", "\r\n")), "odd.msh", notes);
        Assert.That(mesh.Dimension, Is.EqualTo(2));
        Assert.That(mesh.Coordinates, Is.EqualTo(new double[] { 0, 0, 1, 0, 1, 1, 0, 1 }));
        Assert.That(mesh.Cells.Select(c => c.Region), Is.EqualTo(new[] { "9", "" }));
        Assert.That(mesh.Cells[1].Connectivity, Is.EqualTo(new[] { 0, 2, 3 }));
        Assert.That(mesh.Boundaries["base line"].Single().Connectivity, Is.EqualTo(new[] { 0, 1 }), "turned outwards");
        Assert.That(notes, Has.Count.EqualTo(3));
        Assert.That(notes, Has.Some.Contains("1 nodes belong to no element"));
        Assert.That(notes, Has.Some.Contains("inside out"));
        Assert.That(notes, Has.Some.Contains("'nothing'"));
        string file = Path.Combine(TestData.Scratch(), "x.msh");
        GmshWriter.Write(file, mesh);
        MeshAssert.Same(GmshReader.Read(file), mesh);
    }

    [Test]
    public void ASurfaceInTwoGroupsTakesTheFirstAndSaysSo()
    {
        var notes = new List<string>();
        var mesh = GmshReader.Parse(Encoding.UTF8.GetBytes(Odd.Replace("1 0 0 0 1 1 0 1 9 0", "1 0 0 0 1 1 0 2 12 9 0")), "odd.msh", notes);
        Assert.That(mesh.Cells[0].Region, Is.EqualTo("12"));
        Assert.That(mesh.CellCount, Is.EqualTo(2));
        Assert.That(notes, Has.Some.Contains("is in the groups '12', '9'"));
    }

    [TestCase("4.1 0 8", "2.2 0 8", "odd.msh:2: ", "gmsh -format msh41")]
    [TestCase("4.1 0 8", "4 0 8", "odd.msh:2: ", "gmsh -format msh41")]
    [TestCase("4.1 0 8", "4.1 0 4", "odd.msh:2: ", "data size 4")]
    [TestCase("3 7 8 9000000000", "3 7 88 9000000000", "odd.msh:40: ", "node 88")]
    [TestCase("3 7 8 9000000000", "3 7 8 x", "odd.msh:40: ", "'x'")]
    [TestCase("3 7 8 9000000000", "3 7 7 9000000000", "odd.msh: ", "no area")]
    [TestCase("2 5 7 9000000000", "2 1000000000000 7 9", "odd.msh:19: ", "1000000000000 nodes are announced")]
    [TestCase("3 3 1 3", "3 2 1 3", "odd.msh:39: ", "more elements")]
    [TestCase("2 2 2 1", "2 2 10 1", "odd.msh:39: ", "SecondOrderIncomplete")]
    [TestCase("2 2 2 1", "2 2 3 1", "odd.msh:4", "expected an integer")]
    [TestCase("1 1 2.5", "1 1 2", "odd.msh: ", "shells are not supported")]
    [TestCase("1 1 2.5", "1 nan 2.5", "odd.msh:26: ", "coordinate")]
    [TestCase("100\n9000000000", "100\n100", "odd.msh:23: ", "node 100 appears twice")]
    [TestCase("$EndElements", "$EndNodes", "odd.msh:41: ", "$EndElements")]
    [TestCase("$EndElements", "", "odd.msh:", "the end of the file")]
    [TestCase("$EndComments", "", "odd.msh:5: ", "has no $EndComments")]
    [TestCase("\"base line\"", "\"base line", "odd.msh:9: ", "closing quote")]
    [TestCase("$MeshFormat", "solid", "odd.msh:1: ", "$Name")]
    public void FaultsAreNamed(string find, string replace, string where, string what)
    {
        byte[] data = Encoding.UTF8.GetBytes(Odd.Replace(find, replace));
        var error = Assert.Throws<InputException>(() => GmshReader.Parse(data, "odd.msh"))!;
        Assert.That(error.Message, Does.StartWith(where));
        Assert.That(error.Message, Does.Contain(what));
        Assert.That(error.Message, Does.Not.Contain("\n"));
    }

    [Test]
    public void UnsupportedFilesNameTheWayOut()
    {
        Assert.That(() => GmshReader.Read(TestData.File("mesh/version22.msh")), Throws.InstanceOf<InputException>().With.Message.Contains("gmsh -format msh41"));
        Assert.That(() => GmshReader.Read(TestData.File("mesh/quad9.msh")), Throws.InstanceOf<InputException>().With.Message.Contains("SecondOrderIncomplete"));
        Assert.That(() => GmshReader.Read("/nowhere/x.msh"), Throws.InstanceOf<InputException>().With.Message.Contains("no such"));
        Assert.That(() => GmshReader.Read(TestData.Root), Throws.InstanceOf<InputException>());
        Assert.That(() => GmshReader.Parse([], "empty.msh"), Throws.InstanceOf<InputException>().With.Message.Contains("empty"));
        byte[] cut = File.ReadAllBytes(TestData.File("mesh/tet4.bin.msh"))[..3000];
        Assert.That(() => GmshReader.Parse(cut, "cut.msh"), Throws.InstanceOf<InputException>().With.Message.StartsWith("cut.msh: byte "));
    }

    [Test]
    public void WriterRefusesWhatCannotBeStored()
    {
        var mesh = StructuredMesh.Rectangle(ElementType.Quad4, 1, 1, 1, 1, "a \"quoted\" name");
        Assert.Throws<InputException>(() => GmshWriter.Write(Path.Combine(TestData.Scratch(), "x.msh"), mesh));
        Assert.Throws<InputException>(() => GmshWriter.Write("/nowhere/at/all/x.msh", StructuredMesh.Rectangle(ElementType.Quad4, 1, 1, 1, 1)));
    }

    [Test]
    public void MeshioReadsWhatWeWrite([Values("tri6", "quad8", "tet10", "hex8", "hex20")] string name, [Values] bool binary)
    {
        Python.RequireModule("meshio");
        var mesh = GmshReader.Read(TestData.File($"mesh/{name}.msh"));
        string file = Path.Combine(TestData.Scratch(), "x.msh");
        GmshWriter.Write(file, mesh, binary);
        // meshio turns Gmsh's node order into VTK's, as we do: connectivity must agree number by number.
        string output = Python.Run("""
            import meshio, sys
            m = meshio.read(sys.argv[1])
            print(m.points.shape[0], repr(float(m.points.sum())))
            for c in m.cells:
                print(c.type, c.data.shape[0], " ".join(str(i) for i in c.data.ravel()))
            print(*sorted(m.field_data))
            """, file);
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] first = lines[0].Split(' ');
        Assert.That(int.Parse(first[0]), Is.EqualTo(mesh.NodeCount));
        Assert.That(double.Parse(first[1], System.Globalization.CultureInfo.InvariantCulture), Is.EqualTo(mesh.Coordinates.Sum()).Within(1e-9));
        foreach (var block in mesh.Cells)
        {
            string body = $"{block.Count} {string.Join(' ', block.Connectivity)}";
            Assert.That(lines.Skip(1), Has.Some.EndsWith(" " + body).Or.Some.Contains(string.Join(' ', block.Connectivity)));
        }
        Assert.That(lines[^1].Split(' '), Is.SupersetOf(mesh.Cells.Select(c => c.Region)));
        Assert.That(lines[^1].Split(' '), Is.SupersetOf(mesh.Boundaries.Keys));
    }

    [Test]
    public void GmshReadsWhatWeWrite([Values("tri6", "quad4", "tet10", "hex20")] string name, [Values] bool binary)
    {
        if (!File.Exists("/usr/bin/gmsh")) Assert.Ignore("gmsh is not installed");
        var mesh = GmshReader.Read(TestData.File($"mesh/{name}.msh"));
        string folder = TestData.Scratch(), ours = Path.Combine(folder, "ours.msh"), theirs = Path.Combine(folder, "theirs.msh");
        GmshWriter.Write(ours, mesh, binary);
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/gmsh", [ours, "-save", "-format", "msh41", "-o", theirs]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string log = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, log);
        Assert.That(log, Does.Not.Contain("Error").And.Not.Contain("Warning"));
        var back = GmshReader.Read(theirs);
        Assert.That(MeshAssert.Measure(back), Is.EqualTo(MeshAssert.Measure(mesh)).Within(1e-12));
        MeshAssert.MidNodes(back);
        Assert.That(back.Cells.Select(c => (c.Type, c.Region, c.Count)), Is.EqualTo(mesh.Cells.Select(c => (c.Type, c.Region, c.Count))));
        Assert.That(back.Boundaries.Keys, Is.EquivalentTo(mesh.Boundaries.Keys));
    }
}

/// <summary>Runs the system's Python, for comparisons that are skipped where it or a module is absent.</summary>
internal static class Python
{
    private const string Executable = "/usr/bin/python3";

    public static void RequireModule(string module)
    {
        if (!File.Exists(Executable)) Assert.Ignore($"{Executable} is not installed");
        if (!Try($"import {module}", [], out _, out _)) Assert.Ignore($"the Python module {module} is not installed");
    }

    public static string Run(string script, params string[] arguments) =>
        Try(script, arguments, out string output, out string error) ? output : throw new AssertionException(error);

    private static bool Try(string script, string[] arguments, out string output, out string error)
    {
        var start = new ProcessStartInfo(Executable, ["-c", script, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        output = process.StandardOutput.ReadToEnd();
        error = errors.Result;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
