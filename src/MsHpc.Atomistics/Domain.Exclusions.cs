using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics;

/// <summary>
/// Pairs that lists leave out: those of <see cref="Topology.Scaled"/>, whose (scaled) interaction is a term of its own.
/// </summary>
/// <remarks>
/// The rule for images: of all copies of j, the one nearest to i is bonded to i and excluded; the others interact like strangers. So in a
/// cell smaller than twice the cutoff a molecule still sees the images of itself. Both ends of a pair agree on the copy as long as a molecule's
/// excluded pairs are shorter than half the cell, which the look-ups of bonded terms need too.
/// </remarks>
public sealed unsafe partial class Domain
{
    // Excluded partners of every atom, by tag; null when nothing is excluded, so that simple systems pay nothing.
    private int[]? _excludedStart;
    private int[] _excluded = [];
    // The nearest copies of excluded partners, row by row of owned slots.
    private readonly AlignedArray<int> _partnerStart = new(), _partners = new();

    private void SetExclusions(Atoms atoms)
    {
        if (atoms.Topology is not { Scaled.Count: > 0 } topology) return;
        int n = atoms.Count;
        int[] start = _excludedStart = new int[n + 1];
        foreach (var (i, j, _, _) in topology.Scaled)
        {
            if ((uint)i >= (uint)n || (uint)j >= (uint)n || i == j)
                throw new InputException($"scaled or excluded pair of atoms {i + 1} and {j + 1}: there are {n} atoms, and a pair is two of them");
            start[i + 1]++;
            start[j + 1]++;
        }
        for (int i = 0; i < n; i++) start[i + 1] += start[i];
        _excluded = new int[start[n]];
        int[] fill = [.. start[..n]];
        foreach (var (i, j, _, _) in topology.Scaled) (_excluded[fill[i]++], _excluded[fill[j]++]) = (j, i);
    }

    /// <summary>Looks up the slots of excluded partners and fills the masked part of <see cref="Pairs"/>. Before any list is built.</summary>
    private void BuildExclusions()
    {
        Pairs.HasMasks = _excludedStart is not null;
        if (_excludedStart is null) return;
        int* start = _partnerStart.Require(OwnedSlots + 1L), masked = Pairs.MaskedRows.Require(OwnedSlots + 1L);
        byte* inside = Pairs.Insides.Require(OwnedSlots + 8L);
        int count = 0, entries = 0;
        for (int s = 0; s < OwnedSlots; s++)
        {
            int tag = Tag[s];
            (start[s], masked[s], inside[s]) = (count, entries, tag < 0 ? (byte)0 : (byte)(0xfe << (s & 7)));
            if (tag < 0) continue;
            int partners = _excludedStart[tag + 1] - _excludedStart[tag], own = s >> 3;
            int* slots = _partners.Require(count + partners, count), offset = Pairs.MaskedOffsets.Require(entries + partners, entries);
            byte* mask = Pairs.Masks.Require(entries + partners, entries);
            for (int k = 0; k < partners; k++)
            {
                int copy = Closest(s, _excluded[_excludedStart[tag] + k]), cluster = copy >> 3;
                if (copy < 0) continue;
                slots[count++] = copy;
                byte others = (byte)~(1 << (copy & 7));
                if (cluster == own) { inside[s] &= others; continue; }
                // The other pairs of these two belong to the row of the partner.
                if (cluster < own || cluster >= UpperClusters) continue;
                int e = masked[s];
                while (e < entries && offset[e] != 24 * cluster) e++;
                if (e == entries) (offset[entries], mask[entries++]) = (24 * cluster, 0xff);
                mask[e] &= others;
            }
        }
        (start[OwnedSlots], masked[OwnedSlots]) = (count, entries);
    }

    /// <summary>Takes excluded slots out of the row of owned slot <paramref name="slot"/>, which is not padded yet. Any thread.</summary>
    /// <returns>The end of the row.</returns>
    private int WithoutExcluded(int slot, int* index, int start, int end)
    {
        if (_excludedStart is null) return end;
        int first = _partnerStart.Pointer[slot];
        var partners = new ReadOnlySpan<int>(_partners.Pointer + first, _partnerStart.Pointer[slot + 1] - first);
        if (partners.IsEmpty) return end;
        int kept = start;
        for (int k = start; k < end; k++) if (!partners.Contains(index[k])) index[kept++] = index[k];
        return kept;
    }

    /// <summary>The rows of an owned cluster (a bit each) that have the cluster at an offset in the masked list. Any thread.</summary>
    private uint RowsMasked(int cluster, int offset)
    {
        int* start = Pairs.MaskedRowStart + 8 * cluster;
        uint rows = 0;
        for (int r = 0; r < 8; r++)
            for (int k = start[r]; k < start[r + 1]; k++) if (Pairs.MaskedOffset[k] == offset) rows |= 1u << r;
        return rows;
    }
}
