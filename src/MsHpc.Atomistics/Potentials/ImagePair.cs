namespace MsHpc.Atomistics.Potentials;

/// <summary>Where a pair of atoms of the topology lies in the slots.</summary>
internal static class ImagePair
{
    /// <summary>Slots of atom i, if this rank owns it, and of the copy of j nearest to it; (−1, −1) on the other ranks: each pair is found once.</summary>
    public static (int I, int J) Find(Domain domain, int i, int j)
    {
        int a = domain.OwnedSlot(i);
        return a < 0 ? (-1, -1) : (a, domain.Partner(a, j));
    }
}
