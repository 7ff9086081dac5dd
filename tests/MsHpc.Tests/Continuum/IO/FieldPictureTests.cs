using System.Xml.Linq;
using MsHpc.Continuum;
using MsHpc.Continuum.IO;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

[TestFixture]
internal sealed class FieldPictureTests
{
    /// <summary>Pictures are kept in this folder when MSHPC_PICTURES names one, to be looked at.</summary>
    private static string Keep(string name, string svg)
    {
        if (Environment.GetEnvironmentVariable("MSHPC_PICTURES") is { Length: > 0 } folder) AtomicFile.WriteText(Path.Combine(folder, name + ".svg"), svg);
        Assert.That(() => XDocument.Parse(svg), Throws.Nothing);
        Assert.That(svg, Has.Length.LessThan(1_000_000));
        Assert.That(svg, Does.Not.Contain("NaN").And.Not.Contain("∞"));
        return svg;
    }

    /// <summary>Kirsch's hoop-like stress around a hole under tension along y.</summary>
    private static double Kirsch(double x, double y)
    {
        double r2 = x * x + y * y, a = 1 / r2, c2 = (y * y - x * x) / r2, c4 = 2 * c2 * c2 - 1; // angles from the y axis
        return 1 - a * (1.5 * c2 + c4) + 1.5 * a * a * c4;
    }

    [Test]
    public void PlateWithHole()
    {
        var mesh = StructuredMesh.PlateWithHole(ElementType.Quad8, 4, 5, 1, 12, 16, 6, full: true);
        double[] s = [.. Enumerable.Range(0, mesh.NodeCount).Select(n => 120 * Kirsch(mesh.Coordinates[2 * n], mesh.Coordinates[2 * n + 1]))];
        string svg = Keep("plate", FieldPicture.Nodal(mesh, s, new() { Title = "Plate with a hole under tension", Label = "σ_yy / MPa" }));
        Assert.That(svg, Does.Contain(">yy</tspan>").And.Contain(" / MPa").And.Contain("max 360"));
        double[] u = [.. Enumerable.Range(0, mesh.NodeCount).SelectMany(n => new[] { -0.0003 * mesh.Coordinates[2 * n], 0.001 * mesh.Coordinates[2 * n + 1] })];
        Keep("plate-deformed", FieldPicture.Nodal(mesh, s, new() { Title = "Deformed", Label = "σ_yy / MPa", Displacement = u, DeformationScale = 200, Edges = false }));
    }

    [Test]
    public void Solid()
    {
        var mesh = StructuredMesh.Box(ElementType.Hex20, 24, 8, 10, 3, 1, 1.2);
        double[] t = [.. Enumerable.Range(0, mesh.NodeCount).Select(n => 1e-5 * (Math.Sin(2.2 * mesh.Coordinates[3 * n]) * mesh.Coordinates[3 * n + 2] + 0.4 * mesh.Coordinates[3 * n + 1]))];
        Keep("solid", FieldPicture.Nodal(mesh, t, new() { Title = "Bending of a beam", Label = "u_z / mm" }));
        double[] u = new double[mesh.Coordinates.Length];
        for (int n = 0; n < mesh.NodeCount; n++) u[3 * n + 2] = -0.05 * mesh.Coordinates[3 * n] * mesh.Coordinates[3 * n];
        Keep("solid-deformed", FieldPicture.Nodal(mesh, t, new() { Label = "u_z / mm", Displacement = u, DeformationScale = 2 }));
    }

    [Test]
    public void CellsAndFiveThousandElements()
    {
        var voxels = Voxels.FromFunction([40, 40], [1, 1], x => (int)(3 * x[0]) + (int)(2 * x[1]));
        var mesh = VoxelMesh.Create(voxels);
        Keep("cells", FieldPicture.PerCell(mesh, [.. VoxelMesh.CellOrder(voxels).Select(c => (double)voxels.Labels[c])], new() { Title = "Phases" }));
        var large = StructuredMesh.Rectangle(ElementType.Quad4, 71, 71, 2, 1);
        double[] rough = [.. Enumerable.Range(0, large.NodeCount).Select(n => Math.Sin(12 * large.Coordinates[2 * n]) * Math.Cos(9 * large.Coordinates[2 * n + 1]) + 0.8 * Math.Sin(n * 12345.678))];
        Keep("large-rough", FieldPicture.Nodal(large, rough, new() { Title = "5041 elements", Edges = true }));
        double[] smooth = [.. Enumerable.Range(0, large.NodeCount).Select(n => Math.Sin(12 * large.Coordinates[2 * n]) * Math.Cos(9 * large.Coordinates[2 * n + 1]))];
        Keep("large-smooth", FieldPicture.Nodal(large, smooth, new() { Title = "5041 elements" }));
        Keep("large-cells", FieldPicture.PerCell(large, rough.AsSpan(0, large.CellCount), new() { Title = "5041 elements" }));
    }

    [Test]
    public void OddFieldsAreDrawnAndBadInputIsRefused()
    {
        var mesh = StructuredMesh.Rectangle(ElementType.Tri3, 3, 3, 1, 1);
        double[] values = new double[mesh.NodeCount];
        Keep("constant", FieldPicture.Nodal(mesh, values));
        values[5] = double.NaN;
        values[6] = 1;
        Assert.That(Keep("gap", FieldPicture.Nodal(mesh, values, new() { Title = "a < b & c", Label = "T / \"K\"" })), Does.Contain("#c8c8c8").And.Contain("a &lt; b &amp; c"));
        values.AsSpan().Fill(double.NaN);
        FieldPicture.Nodal(mesh, values);
        Keep("huge", FieldPicture.Nodal(mesh, [.. Enumerable.Range(0, mesh.NodeCount).Select(n => (n - 8) * 2e307)]));
        Assert.Throws<InputException>(() => FieldPicture.Nodal(mesh, new double[3]));
        Assert.Throws<InputException>(() => FieldPicture.PerCell(mesh, new double[3]));
        Assert.Throws<InputException>(() => FieldPicture.Nodal(mesh, values, new() { Width = 3 }));
        Assert.Throws<InputException>(() => FieldPicture.Nodal(mesh, values, new() { Min = 2, Max = 1 }));
        Assert.Throws<InputException>(() => FieldPicture.Nodal(mesh, values, new() { Displacement = new double[3] }));
        Assert.Throws<InputException>(() => FieldPicture.Nodal(mesh, values, new() { Displacement = [.. mesh.Coordinates.Select(_ => double.NaN)] }));
    }

    [Test]
    public void ColoursRiseInBrightness()
    {
        double before = -1;
        for (int i = 0; i <= 100; i++)
        {
            int c = Convert.ToInt32(FieldPicture.Colour(i / 100.0)[1..], 16);
            double grey = 0.2126 * (c >> 16) + 0.7152 * ((c >> 8) & 255) + 0.0722 * (c & 255);
            Assert.That(grey, Is.GreaterThanOrEqualTo(before - 0.5));
            before = grey;
        }
    }
}
