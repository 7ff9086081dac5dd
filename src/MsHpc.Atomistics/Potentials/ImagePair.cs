namespace MsHpc.Atomistics.Potentials;

/// <summary>Where a pair of atoms lies in the slots.</summary>
internal static unsafe class ImagePair
{
    /// <summary>
    /// Slots of atoms i and j (by tag) with at least one owned and the other its nearest image, on exactly one rank; (−1, −1) on the others. With half lists
    /// a rank keeps upper ghosts only, so of two atoms on both sides of a face only one owner sees the other.
    /// </summary>
    public static (int I, int J) Find(Domain domain, int i, int j)
    {
        int a = domain.OwnedSlot(i), b = domain.OwnedSlot(j);
        var (ab, d1) = a < 0 ? (-1, double.PositiveInfinity) : Near(domain, a, j);
        var (ba, d2) = b < 0 ? (-1, double.PositiveInfinity) : Near(domain, b, i);
        // Both ways round may give the same pair, on one rank or, where full lists keep all ghosts, on two: the owner of i takes it then.
        if (ab >= 0 && d1 <= d2 * (1 + 1e-9)) return (a, ab);
        return ba >= 0 && !(domain.Comm.Size > 1 && (domain.Lists & Neighbors.ListKind.Full) != 0 && a < 0) ? (ba, b) : (-1, -1);
    }

    private static (int Slot, double Distance) Near(Domain d, int slot, int tag)
    {
        int other = d.Closest(slot, tag);
        if (other < 0) return (-1, double.PositiveInfinity);
        int a = slot / 8 * 24 + slot % 8, b = other / 8 * 24 + other % 8;
        double x = d.X[a] - d.X[b], y = d.X[a + 8] - d.X[b + 8], z = d.X[a + 16] - d.X[b + 16];
        double r2 = x * x + y * y + z * z;
        // A farther image is not the pair that is meant: some other rank has the near one.
        return r2 < 0.25 * d.Reach * d.Reach || d.Comm.Size == 1 ? (other, r2) : (-1, double.PositiveInfinity);
    }
}
