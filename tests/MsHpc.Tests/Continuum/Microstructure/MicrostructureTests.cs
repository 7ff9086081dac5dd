using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

[TestFixture]
internal sealed class MicrostructureTests
{
    [Test]
    public void SphereVoxelsMatchTheReference()
    {
        var data = TestData.Json("microstructure/spheres.json");
        foreach (var entry in data.GetProperty("counts").EnumerateObject())
        {
            string[] key = entry.Name.Split('/');
            int n = int.Parse(key[1]);
            var geometry = data.GetProperty("geometry").GetProperty(key[0]);
            double[][] centres = [.. geometry.GetProperty("centres").EnumerateArray().Select(c => c.EnumerateArray().Select(x => x.GetDouble()).ToArray())];
            var voxels = Inclusions.At([1, 1, 1], geometry.GetProperty("R").GetDouble(), centres).ToVoxels(n, n, n);
            Assert.That(voxels.Count(1), Is.EqualTo(entry.Value.GetInt32()), entry.Name);
        }
        Assert.That(Inclusions.SimpleCubic([1, 1, 1], 0.3).ToVoxels(32, 32, 32).Count(1), Is.EqualTo(3648));
        Assert.That(Inclusions.BodyCentred([1, 1, 1], 0.3).ToVoxels(32, 32, 32).Count(1), Is.EqualTo(7296));
    }

    [TestCase(2, 0.4, 0.05, 0.005), TestCase(3, 0.25, 0.1, 0.01), TestCase(3, 0.02, 0.17, 0.0), TestCase(2, 0.3, 0.3, 0.0)]
    public void RandomInclusionsKeepTheirDistance(int dim, double fraction, double radius, double gap)
    {
        double[] size = dim == 2 ? [1, 1.3] : [1, 1.1, 1.2];
        var found = Microstructures.RandomInclusions(size, fraction, radius, gap, 7);
        Assert.That(found.VolumeFraction, Is.EqualTo(fraction).Within(0.5 * found.VolumeFraction / found.Radii.Length + 1e-12));
        for (int a = 0; a < found.Radii.Length; a++)
            for (int b = 0; b < a; b++)
            {
                double square = 0;
                for (int d = 0; d < dim; d++)
                {
                    double x = found.Centres[a * dim + d] - found.Centres[b * dim + d];
                    x -= size[d] * Math.Round(x / size[d]);
                    square += x * x;
                }
                Assert.That(Math.Sqrt(square), Is.GreaterThanOrEqualTo(2 * radius + gap - 1e-12));
            }
        Assert.That(Microstructures.RandomInclusions(size, fraction, radius, gap, 7).Centres, Is.EqualTo(found.Centres), "reproducible");
        Assert.That(Microstructures.RandomInclusions(size, fraction, radius, gap, 8).Centres, Is.Not.EqualTo(found.Centres));
        int[] shape = [.. size.Select(l => (int)(80 * l))];
        Assert.That(MicrostructureStatistics.VolumeFractions(found.ToVoxels(shape))[1], Is.EqualTo(found.VolumeFraction).Within(0.01));
        Assert.That(found.ToVoxels(shape, numbered: true).Phases, Has.Length.EqualTo(found.Radii.Length + 1));
    }

    [Test]
    public void RadiiCanBeDistributed()
    {
        var found = Microstructures.RandomInclusions([1, 1], 0.45, u => 0.02 + 0.06 * u, 0, 3);
        Assert.That(found.VolumeFraction, Is.EqualTo(0.45).Within(0.01));
        Assert.That(found.Radii, Is.Ordered.Descending);
        Assert.That(found.Radii.Max() - found.Radii.Min(), Is.GreaterThan(0.04));
    }

    [Test]
    public void WhatCannotBeReachedIsSaid()
    {
        Assert.That(() => Microstructures.RandomInclusions([1, 1], 0.7, 0.05), Throws.InstanceOf<InputException>().With.Message.Contains("cannot be reached"));
        Assert.That(() => Microstructures.RandomInclusions([1, 1, 1], 0.5, 0.1), Throws.InstanceOf<InputException>().With.Message.Contains("cannot be reached"));
        Assert.That(() => Microstructures.RandomInclusions([1, 1], 0.2, 0.6), Throws.InstanceOf<InputException>().With.Message.Contains("does not fit"));
        Assert.That(() => Microstructures.RandomInclusions([1, 1], 0.01, 0.4), Throws.InstanceOf<InputException>().With.Message.Contains("already exceeds"));
        Assert.That(() => Microstructures.RandomInclusions([1, 1], 1.2, 0.1), Throws.InstanceOf<InputException>());
        Assert.That(() => Microstructures.RandomInclusions([1, 1], 0.2, double.NaN), Throws.InstanceOf<InputException>());
        Assert.That(() => Microstructures.RandomInclusions([1], 0.2, 0.1), Throws.InstanceOf<InputException>());
        Assert.That(() => Microstructures.RandomInclusions([1, 1], 0.5, 1e-9), Throws.InstanceOf<InputException>().With.Message.Contains("2 million"));
    }

    [Test]
    public void FibresRunAlongTheirAxis([Values(0, 1, 2)] int axis)
    {
        var voxels = Microstructures.AlignedFibres([24, 28, 32], [1, 1.1, 1.2], axis, 0.4, 0.12, 0.01, 5);
        Assert.That(MicrostructureStatistics.MeanChord(voxels, 1, axis), Is.EqualTo(double.PositiveInfinity));
        for (int other = 0; other < 3; other++)
            if (other != axis) Assert.That(MicrostructureStatistics.MeanChord(voxels, 1, other), Is.LessThan(0.24));
        Assert.That(MicrostructureStatistics.VolumeFractions(voxels)[1], Is.EqualTo(0.4).Within(0.05));
    }

    [Test]
    public void LaminateAndCheckerboardStatisticsAreExact()
    {
        var laminate = Microstructures.Laminate([8, 40], [1, 2], 1, [0.3, 0.7], 2);
        Assert.That(MicrostructureStatistics.VolumeFractions(laminate)[0], Is.EqualTo(0.3).Within(1e-15));
        Assert.That(MicrostructureStatistics.MeanChord(laminate, 0, 1), Is.EqualTo(0.3).Within(1e-14));
        Assert.That(MicrostructureStatistics.CharacteristicLength(laminate), Is.EqualTo(1).Within(1e-14));
        Assert.That(MicrostructureStatistics.ScaleRatio(laminate, 50), Is.EqualTo(0.02).Within(1e-14));
        double[] s2 = MicrostructureStatistics.TwoPoint(laminate, 0, 1);
        for (int r = 0; r <= 6; r++) Assert.That(s2[r], Is.EqualTo(0.3 - r / 20.0).Within(1e-14));
        Assert.That(s2[20], Is.EqualTo(0.3).Within(1e-14), "periodic");
        double[] path = MicrostructureStatistics.LinealPath(laminate, 0, 1);
        for (int r = 0; r < 40; r++) Assert.That(path[r], Is.EqualTo(Math.Max(0, 0.3 - r / 20.0)).Within(1e-14));
        Assert.That(MicrostructureStatistics.LinealPath(laminate, 0, 0), Is.All.EqualTo(0.3).Within(1e-14));

        var board = Microstructures.Checkerboard([12, 12, 12], [1, 1, 1], 4);
        Assert.That(board[0, 0, 0] == 0 && board[3, 0, 0] == 1 && board[3, 3, 0] == 0 && board[3, 3, 3] == 1);
        Assert.That(board.Count(1), Is.EqualTo(12 * 12 * 6));
        Assert.That(MicrostructureStatistics.CharacteristicLength(board), Is.EqualTo(0.5).Within(1e-14));
        Assert.That(() => Microstructures.Checkerboard([9, 9], [1, 1], 3), Throws.InstanceOf<InputException>());
        Assert.That(() => Microstructures.Laminate([8, 8], [1, 1], 0, [0.3, 0.3]), Throws.InstanceOf<InputException>());
        Assert.That(MicrostructureStatistics.CharacteristicLength(Voxels.FromFunction([4, 4], [1, 1], _ => 0)), Is.Zero);
    }

    [TestCase(new[] { 24, 30 }, 13), TestCase(new[] { 12, 14, 16 }, 40), TestCase(new[] { 10, 10, 10 }, 1), TestCase(new[] { 60, 6 }, 9)]
    public void VoronoiCellsAreNearest(int[] shape, int grains)
    {
        double[] size = [.. shape.Select(n => 0.1 * n)];
        var crystal = Microstructures.Voronoi(shape, size, grains, 11);
        int dim = shape.Length;
        Assert.That(crystal.Count, Is.EqualTo(grains));
        var brute = Voxels.FromFunction(shape, size, x =>
        {
            double Square(int g)
            {
                double sum = 0;
                for (int d = 0; d < dim; d++)
                {
                    double y = x[d] - crystal.Seeds[g * dim + d];
                    y -= size[d] * Math.Round(y / size[d]);
                    sum += y * y;
                }
                return sum;
            }
            return Enumerable.Range(0, grains).MinBy(Square);
        });
        Assert.That(crystal.Grains.Labels, Is.EqualTo(brute.Labels));
    }

    [Test]
    public void OrientationsAreUniform()
    {
        const int n = 4000;
        var crystal = Microstructures.Voronoi([4, 4], [1, 1], n, 2);
        var mean = new double[9];
        var square = new double[9];
        for (int g = 0; g < n; g++)
        {
            double[] r = crystal.Rotation(g);
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++)
                    Assert.That(r[3 * i] * r[3 * j] + r[3 * i + 1] * r[3 * j + 1] + r[3 * i + 2] * r[3 * j + 2], Is.EqualTo(i == j ? 1 : 0).Within(1e-14));
            for (int k = 0; k < 9; k++) (mean[k], square[k]) = (mean[k] + r[k] / n, square[k] + r[k] * r[k] / n);
        }
        Assert.That(mean, Is.All.EqualTo(0).Within(4 * Math.Sqrt(1 / 3.0 / n)));          // E R = 0
        Assert.That(square, Is.All.EqualTo(1 / 3.0).Within(4 * Math.Sqrt(4 / 45.0 / n))); // E R² = 1/3, variance of R² = 4/45
    }
}
