using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Atomistics;

/// <summary>Lists of random cells, triclinic, tiny, flat, periodic in any directions, against brute force over all images.</summary>
public sealed unsafe class NeighborListTests
{
    private record struct Pair(int I, int J, double R2);

    private static Atoms Random(Random random, out double reach)
    {
        double U(double a, double b) => a + (b - a) * random.NextDouble();
        int n = random.Next(4) == 0 ? random.Next(1, 4) : random.Next(4, 60);
        reach = U(1, 4);
        double[] edge = new double[3], rows = new double[9];
        // Volume of about half a unit to eight units per atom, one edge sometimes very short or long; tilts up to more than the edges.
        double size = Math.Cbrt(n * U(0.5, 8));
        for (int d = 0; d < 3; d++) edge[d] = size * (random.Next(5) == 0 ? U(0.3, 3) : U(0.8, 1.2));
        for (int d = 0; d < 3; d++)
            for (int k = 0; k < 3; k++)
                rows[3 * d + k] = d == k ? edge[d] : k < d && random.Next(3) != 0 ? U(-1, 1) * edge[k] : 0;
        if (random.Next(4) == 0)
        {
            // Any orientation: not only lower triangular rows.
            for (int k = 0; k < 3; k++) (rows[k], rows[3 + k]) = (0.8 * rows[k] + 0.6 * rows[3 + k], -0.6 * rows[k] + 0.8 * rows[3 + k]);
        }
        bool[] periodic = [random.Next(4) != 0, random.Next(4) != 0, random.Next(4) != 0];
        var cell = new Cell(rows, periodic, [U(-5, 5), U(-5, 5), U(-5, 5)]);
        var positions = new double[3 * n];
        for (int i = 0; i < n; i++)
            (positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]) = cell.Cartesian(U(-0.5, 1.5), U(-0.5, 1.5), random.Next(6) == 0 ? 0 : U(-0.5, 1.5));
        return new Atoms([new("A", 1)], new int[n], positions, cell);
    }

    /// <summary>Each pair once: i &lt; j, and of an atom and its own images one of each two.</summary>
    private static List<Pair> BruteForce(Cell cell, double[] x, double reach)
    {
        var pairs = new List<Pair>();
        int n = x.Length / 3;
        for (int i = 0; i < n; i++)
            for (int j = i; j < n; j++)
            {
                double[] d = [x[3 * j] - x[3 * i], x[3 * j + 1] - x[3 * i + 1], x[3 * j + 2] - x[3 * i + 2]];
                var (o0, o1, o2) = cell.Fractional(cell.Origin[0] + d[0], cell.Origin[1] + d[1], cell.Origin[2] + d[2]);
                double[] s = [o0, o1, o2];
                int[] low = new int[3], high = new int[3];
                for (int k = 0; k < 3; k++)
                {
                    double w = reach / cell.Spacing[k];
                    (low[k], high[k]) = cell.Periodic[k] ? ((int)Math.Ceiling(-w - s[k] - 1e-9), (int)Math.Floor(w - s[k] + 1e-9)) : (0, 0);
                }
                for (int a = low[0]; a <= high[0]; a++)
                    for (int b = low[1]; b <= high[1]; b++)
                        for (int c = low[2]; c <= high[2]; c++)
                        {
                            if (i == j && (a, b, c).CompareTo((0, 0, 0)) <= 0) continue;
                            var (sx, sy, sz) = cell.Shift(a, b, c);
                            double r2 = Square(d[0] + sx, d[1] + sy, d[2] + sz);
                            if (r2 < reach * reach) pairs.Add(new Pair(i, j, r2));
                        }
            }
        return pairs;
    }

    private static double Square(double x, double y, double z) => x * x + y * y + z * z;

    private static double Square(Domain d, int i, int j)
    {
        int a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
        return Square(d.X[a] - d.X[b], d.X[a + 8] - d.X[b + 8], d.X[a + 16] - d.X[b + 16]);
    }

    private static List<Pair> FromClusters(Domain d, double reach)
    {
        var pairs = new List<Pair>();
        void Add(int i, int j)
        {
            if (d.Tag[j] >= 0 && Square(d, i, j) is var r2 && r2 < reach * reach) pairs.Add(new Pair(Math.Min(d.Tag[i], d.Tag[j]), Math.Max(d.Tag[i], d.Tag[j]), r2));
        }
        for (int i = 0; i < d.OwnedSlots; i++)
        {
            if (d.Tag[i] < 0) continue;
            for (int j = i + 1; j < (i / 8 + 1) * 8; j++) Add(i, j);
            for (int k = d.Pairs.RowStart[i]; k < d.Pairs.RowStart[i + 1]; k++)
                for (int l = 0; l < 8; l++) Add(i, d.Pairs.Offset[k] / 3 + l);
        }
        return pairs;
    }

    private static List<Pair> FromList(Domain d, NeighborList list, double reach, bool full)
    {
        var pairs = new List<Pair>();
        for (int i = 0; i < d.OwnedSlots; i++)
        {
            Assert.That((list.Start[i + 1] - list.Start[i]) % 8, Is.Zero);
            for (int k = list.Start[i]; k < list.Start[i + 1]; k++)
            {
                int j = list.Index[k];
                if (j == d.Dummy) continue;
                double r2 = Square(d, i, j);
                int a = d.Tag[i], b = d.Tag[j];
                if (r2 < reach * reach) pairs.Add(full ? new Pair(a, b, r2) : new Pair(Math.Min(a, b), Math.Max(a, b), r2));
            }
        }
        return pairs;
    }

    private static void Same(List<Pair> found, List<Pair> expected, string what)
    {
        Assert.That(found, Has.Count.EqualTo(expected.Count), what);
        // Equal within rounding: sort by atoms, then distance.
        foreach (var list in new[] { found, expected }) list.Sort((p, q) => (p.I, p.J, p.R2).CompareTo((q.I, q.J, q.R2)));
        for (int k = 0; k < found.Count; k++)
            Assert.That((found[k].I, found[k].J, Math.Abs(found[k].R2 - expected[k].R2) < 1e-9 * (1 + expected[k].R2)), Is.EqualTo((expected[k].I, expected[k].J, true)), what);
    }

    private static void Compare(Domain domain, Atoms atoms, double reach, string what)
    {
        // Where the atoms are, ids as in the user's order. A pair at the very cutoff may fall on either side.
        domain.Store(atoms);
        var half = BruteForce(domain.Cell, atoms.Positions, reach);
        Same(FromClusters(domain, reach), half, what + ", clusters");
        Same(FromList(domain, domain.Half, reach, full: false), half, what + ", half");
        List<Pair> both = [.. half, .. half.Select(p => p with { I = p.J, J = p.I })];
        Same(FromList(domain, domain.Full, reach, full: true), both, what + ", full");
    }

    private const ListKind All = ListKind.Clusters | ListKind.Half | ListKind.Full;

    [Test]
    public void RandomCells()
    {
        for (int seed = 0; seed < 1000; seed++)
        {
            var atoms = Random(new Random(seed), out double reach);
            Compare(new Domain(atoms, reach, seed % 3 * 0.2, All), atoms, reach, $"seed {seed}");
        }
    }

    // Atoms wander: pruned and rebuilt lists lose nothing.
    [Test]
    public void MovingAtoms()
    {
        int rebuilt = 0, kept = 0;
        for (int seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var atoms = Random(random, out double reach);
            // Of all lists at once; the cluster list has its own, smaller skin.
            var domain = new Domain(atoms, reach, 0.6, All, pairSkin: 0.2);
            for (int step = 0; step < 25; step++)
            {
                for (int s = 0; s < domain.OwnedSlots; s++)
                    for (int k = 0; k < 3 && domain.Tag[s] >= 0; k++) domain.X[s / 8 * 24 + s % 8 + 8 * k] += 0.2 * (random.NextDouble() - 0.5);
                if (domain.NeedsRebuild()) { domain.Rebuild(); rebuilt++; }
                else { domain.UpdateGhosts(); domain.Prune(); kept++; }
                Compare(domain, atoms, reach, $"seed {seed}, step {step}");
            }
        }
        Assert.That(rebuilt, Is.InRange(40, 500), $"{kept} steps without");
    }
}
