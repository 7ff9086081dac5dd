using MsHpc.Continuum;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

[TestFixture]
internal sealed class StructuredMeshTests
{
    [TestCase(ElementType.Quad4, 4 * 3), TestCase(ElementType.Quad8, 7 * 5 - 6), TestCase(ElementType.Tri3, 4 * 3), TestCase(ElementType.Tri6, 7 * 5)]
    public void RectangleFillsItsArea(ElementType type, int nodes)
    {
        var mesh = StructuredMesh.Rectangle(type, 3, 2, 1.5, 0.8, "plate");
        Assert.That(mesh.NodeCount, Is.EqualTo(nodes));
        Assert.That(mesh.Cells[0].Region, Is.EqualTo("plate"));
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(1.2).Within(1e-13));
        MeshAssert.MidNodes(mesh);
        MeshAssert.Positive(mesh);
        Assert.That(MeshAssert.Normal(mesh, "left"), Is.EqualTo(new[] { -0.8, 0 }).Within(1e-13));
        Assert.That(MeshAssert.Normal(mesh, "right"), Is.EqualTo(new[] { 0.8, 0 }).Within(1e-13));
        Assert.That(MeshAssert.Normal(mesh, "bottom"), Is.EqualTo(new[] { 0, -1.5 }).Within(1e-13));
        Assert.That(MeshAssert.Normal(mesh, "top"), Is.EqualTo(new[] { 0, 1.5 }).Within(1e-13));
    }

    [TestCase(ElementType.Hex8, 4 * 3 * 5), TestCase(ElementType.Hex20, 0), TestCase(ElementType.Tet4, 4 * 3 * 5), TestCase(ElementType.Tet10, 7 * 5 * 9)]
    public void BoxFillsItsVolume(ElementType type, int nodes)
    {
        var mesh = StructuredMesh.Box(type, 3, 2, 4, 1.5, 0.8, 2);
        if (nodes > 0) Assert.That(mesh.NodeCount, Is.EqualTo(nodes));
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(2.4).Within(1e-13));
        MeshAssert.MidNodes(mesh);
        MeshAssert.Positive(mesh);
        foreach (var (name, axis, area) in new[] { ("left", 0, -1.6), ("right", 0, 1.6), ("bottom", 1, -3.0), ("top", 1, 3.0), ("front", 2, -1.2), ("back", 2, 1.2) })
        {
            double[] normal = new double[3];
            normal[axis] = area;
            Assert.That(MeshAssert.Normal(mesh, name), Is.EqualTo(normal).Within(1e-13), name);
        }
        Assert.That(MeshTopology.Skin(mesh), Has.Count.EqualTo(mesh.Boundaries.Values.SelectMany(b => b).Sum(b => b.Count)));
        Assert.That(mesh.Boundaries, Has.Count.EqualTo(6));
    }

    [Test]
    public void NodesAreLexicographic()
    {
        var mesh = StructuredMesh.Box(ElementType.Hex8, 2, 3, 4, 2, 3, 4);
        for (int k = 0, n = 0; k <= 4; k++)
            for (int j = 0; j <= 3; j++)
                for (int i = 0; i <= 2; i++, n++)
                    Assert.That(mesh.Coordinates[(3 * n)..(3 * n + 3)], Is.EqualTo(new double[] { i, j, k }));
    }

    [Test]
    public void PlateWithHoleIsRound([Values(ElementType.Quad4, ElementType.Quad8, ElementType.Tri3, ElementType.Tri6)] ElementType type, [Values] bool full)
    {
        const double W = 4, H = 6, R = 1;
        var mesh = StructuredMesh.PlateWithHole(type, W, H, R, 16, 12, 8, full);
        MeshAssert.Positive(mesh);
        foreach (int n in mesh.BoundaryNodes("hole"))
            Assert.That(double.Hypot(mesh.Coordinates[2 * n], mesh.Coordinates[2 * n + 1]), Is.EqualTo(R).Within(1e-14));
        double quarters = full ? 4 : 1, polygon = 0;
        foreach (double half in new[] { Math.Atan2(H, W), Math.Atan2(W, H) }) polygon += 16 * 0.5 * R * R * Math.Sin(half / 16);
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(quarters * (W * H - polygon)).Within(1e-11));
        Assert.That(MeshAssert.Measure(mesh, "right"), Is.EqualTo(full ? 2 * H : H).Within(1e-12));
        Assert.That(MeshAssert.Measure(mesh, "top"), Is.EqualTo(full ? 2 * W : W).Within(1e-12));
        Assert.That(MeshAssert.Measure(mesh, "left"), Is.EqualTo(full ? 2 * H : H - R).Within(1e-12));
        Assert.That(MeshAssert.Measure(mesh, "bottom"), Is.EqualTo(full ? 2 * W : W - R).Within(1e-12));
        Assert.That(MeshTopology.Skin(mesh), Has.Count.EqualTo(mesh.Boundaries.Values.SelectMany(b => b).Sum(b => b.Count)));
        if (!full) Assert.That(mesh.BoundaryNodes("left").All(n => mesh.Coordinates[2 * n] == 0) && mesh.BoundaryNodes("bottom").All(n => mesh.Coordinates[2 * n + 1] == 0));
    }

    [Test]
    public void BadInputIsRefused()
    {
        Assert.Throws<InputException>(() => StructuredMesh.Rectangle(ElementType.Hex8, 2, 2, 1, 1));
        Assert.Throws<InputException>(() => StructuredMesh.Rectangle(ElementType.Quad4, 0, 2, 1, 1));
        Assert.Throws<InputException>(() => StructuredMesh.Rectangle(ElementType.Quad4, 2, 2, double.NaN, 1));
        Assert.Throws<InputException>(() => StructuredMesh.Rectangle(ElementType.Quad4, [0, 1, 1], [0, 1]));
        Assert.Throws<InputException>(() => StructuredMesh.Box(ElementType.Tet10, 4000, 4000, 4000, 1, 1, 1));
        Assert.Throws<InputException>(() => StructuredMesh.PlateWithHole(ElementType.Quad4, 1, 1, 1, 4, 4));
    }

    [Test]
    public void VoxelMeshKeepsTheOrderOfTheImage()
    {
        // labels[i, j, k] at (x, y, z): phase 7 in the upper half of x, else 2.
        var voxels = Voxels.FromFunction([4, 3, 2], [4, 3, 2], x => x[0] > 2 ? 7 : 2);
        var mesh = VoxelMesh.Create(voxels);
        Assert.That(mesh.Cells.Select(c => c.Region), Is.EqualTo(new[] { "2", "7" }));
        Assert.That(mesh.NodeCount, Is.EqualTo(5 * 4 * 3));
        Assert.That(MeshAssert.Measure(mesh), Is.EqualTo(24).Within(1e-12));
        int[] order = VoxelMesh.CellOrder(voxels);
        int cell = 0;
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++, cell++)
            {
                Assert.That(voxels.Labels[order[cell]].ToString(), Is.EqualTo(block.Region));
                var n = block.Nodes(e);
                int i = (int)mesh.Coordinates[3 * n[0]], j = (int)mesh.Coordinates[3 * n[0] + 1], k = (int)mesh.Coordinates[3 * n[0] + 2];
                Assert.That(order[cell], Is.EqualTo((i * 3 + j) * 2 + k));
                Assert.That(n[0], Is.EqualTo(i + 5 * (j + 4 * k)));
                Assert.That(block.Region == "7", Is.EqualTo(i >= 2));
            }
        Assert.That(mesh.BoundaryNodes("back").All(n => mesh.Coordinates[3 * n + 2] == 2));
        Assert.That(VoxelMesh.Create(Microstructures2D()).Cells, Has.Count.EqualTo(2));
    }

    private static Voxels Microstructures2D() => Voxels.FromFunction([8, 8], [1, 1], x => x[0] > x[1] ? 1 : 0);
}
