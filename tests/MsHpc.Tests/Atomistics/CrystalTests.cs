using MsHpc.Atomistics;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Crystals have the right numbers of atoms at the right distances, whatever cell they are built in.</summary>
public sealed class CrystalTests
{
    /// <summary>Squared distances from the first atom over a, sorted, with multiplicities.</summary>
    private static double[] Shells(Atoms atoms, double a, double most)
    {
        var found = new List<double>();
        var cell = atoms.Cell;
        int reach = 8;
        for (int j = 0; j < atoms.Count; j++)
            for (int n0 = -reach; n0 <= reach; n0++)
                for (int n1 = -reach; n1 <= reach; n1++)
                    for (int n2 = -reach; n2 <= reach; n2++)
                    {
                        var (sx, sy, sz) = cell.Shift(n0, n1, n2);
                        double dx = atoms.Positions[3 * j] + sx - atoms.Positions[0], dy = atoms.Positions[3 * j + 1] + sy - atoms.Positions[1], dz = atoms.Positions[3 * j + 2] + sz - atoms.Positions[2];
                        double r2 = (dx * dx + dy * dy + dz * dz) / (a * a);
                        if (r2 > 1e-12 && r2 < most) found.Add(Math.Round(r2, 6));
                    }
        found.Sort();
        return [.. found];
    }

    [TestCase("fcc", 4, 12, 0.5)]
    [TestCase("bcc", 2, 8, 0.75)]
    [TestCase("sc", 1, 6, 1)]
    [TestCase("diamond", 8, 4, 0.1875)]
    [TestCase("hcp", 2, 12, 1)]
    public void NearestNeighbours(string structure, int atoms, int neighbours, double squared)
    {
        var cell = Crystal.Create(structure, [Crystal.Element("Cu")], 3, [1, 1, 1]);
        Assert.That(cell.Count, Is.EqualTo(atoms));
        Assert.That(Shells(cell, 3, squared + 0.01), Is.EqualTo(Enumerable.Repeat(squared, neighbours)).Within(1e-6));
    }

    [TestCase("zincblende", 4, 0.1875)]
    [TestCase("rocksalt", 6, 0.25)]
    [TestCase("cscl", 8, 0.75)]
    public void NeighboursAreOfTheOtherKind(string structure, int neighbours, double squared)
    {
        var cell = Crystal.Create(structure, [Crystal.Element("Na"), Crystal.Element("Cl")], 5, [2, 2, 2]);
        Assert.That(cell.Types.Count(t => t == 0), Is.EqualTo(cell.Count / 2));
        Assert.That(Shells(cell, 5, squared + 0.01), Has.Length.EqualTo(neighbours));
    }

    // The same crystal in other cells: shells of neighbours up to 2 a agree.
    [Test]
    public void OrientationsAndPrimitiveCellsAreTheSameCrystal([Values("fcc", "bcc", "diamond", "zincblende")] string structure)
    {
        Species[] species = structure == "zincblende" ? [Crystal.Element("Ga"), Crystal.Element("As")] : [Crystal.Element("Si")];
        var cube = Crystal.Create(structure, species, 4, [1, 1, 1]);
        double[] shells = Shells(cube, 4, 4.01);
        foreach (var other in new[]
        {
            Crystal.Create(structure, species, 4, [1, 1, 1], primitive: true),
            Crystal.Create(structure, species, 4, [1, 1, 1], orientation: [[1, -1, 0], [1, 1, -2], [1, 1, 1]]),
            Crystal.Create(structure, species, 4, [1, 1, 1], orientation: [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]),
            Crystal.Repeat(cube, [2, 1, 1]),
        })
        {
            Assert.That(other.Count / other.Cell.Volume, Is.EqualTo(cube.Count / cube.Cell.Volume).Within(1e-9));
            Assert.That(Shells(other, 4, 4.01), Is.EqualTo(shells));
        }
        Assert.That(Crystal.Create(structure, species, 4, [1, 1, 1], primitive: true).Count, Is.EqualTo(structure is "fcc" or "bcc" ? 1 : 2));
    }

    [Test]
    public void BadInputIsRefused() => Assert.Multiple(() =>
    {
        Species[] one = [Crystal.Element("Si")];
        Assert.That(() => Crystal.Create("diamnd", one, 5, [1, 1, 1]), Throws.TypeOf<InputException>().With.Message.Contains("did you mean 'diamond'?"));
        Assert.That(() => Crystal.Create("rocksalt", one, 5, [1, 1, 1]), Throws.TypeOf<InputException>().With.Message.Contains("2 kinds"));
        Assert.That(() => Crystal.Create("fcc", one, -5, [1, 1, 1]), Throws.TypeOf<InputException>());
        Assert.That(() => Crystal.Create("fcc", one, 5, [1, 1, 1], orientation: [[1, 1, 0], [1, 0, 0], [0, 0, 1]]), Throws.TypeOf<InputException>().With.Message.Contains("right angles"));
        Assert.That(() => Crystal.Create("fcc", one, 5, [1, 1, 1], orientation: [[0, 1, 0], [1, 0, 0], [0, 0, 1]]), Throws.TypeOf<InputException>().With.Message.Contains("right-handed"));
        Assert.That(() => Crystal.Element("Xy"), Throws.TypeOf<InputException>());
    });
}
