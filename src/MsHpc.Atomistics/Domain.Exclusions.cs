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
    private readonly AlignedArray<int> _mark = new();
    private int _masked;

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

    /// <summary>Partners of an atom that are left out of its lists.</summary>
    private ReadOnlySpan<int> Excluded(int tag) => _excluded.AsSpan(_excludedStart![tag], _excludedStart[tag + 1] - _excludedStart[tag]);

    /// <summary>Takes excluded entries out of the row of owned slot <paramref name="slot"/>, which is not padded yet.</summary>
    /// <returns>The end of the row.</returns>
    private int DropExcluded(int slot, int* index, int start, int end)
    {
        var partners = Excluded(Tag[slot]);
        if (partners.IsEmpty) return end;
        int* mark = _mark.Pointer;
        foreach (int tag in partners) if (Closest(slot, tag) is >= 0 and int copy) mark[copy] = slot;
        int kept = start;
        for (int k = start; k < end; k++) if (mark[index[k]] != slot) index[kept++] = index[k];
        return kept;
    }

    /// <summary>Clears the marks, which hold the row that excludes a slot; before each list.</summary>
    private void BeginExclusions()
    {
        if (_excludedStart is not null) new Span<int>(_mark.Require(Slots + 8), Slots + 8).Fill(-1);
    }

    /// <summary>Before <see cref="BuildPairs"/>.</summary>
    private void BeginMasks()
    {
        _masked = 0;
        Pairs.HasMasks = _excludedStart is not null;
        if (!Pairs.HasMasks) return;
        Pairs.MaskedRows.Require(OwnedSlots + 1L);
        new Span<byte>(Pairs.Insides.Require(OwnedSlots + 8L), OwnedSlots).Fill(0xff);
    }

    /// <summary>Moves entries of the row of owned slot <paramref name="slot"/> that hold excluded atoms to the masked list. Rows come in order.</summary>
    /// <returns>The end of the row.</returns>
    private int MaskExcluded(int slot, int start, int end)
    {
        Pairs.MaskedRows.Pointer[slot] = _masked;
        if (Tag[slot] < 0) return end;
        int* offsets = Pairs.Offsets.Pointer;
        foreach (int tag in Excluded(Tag[slot]))
        {
            int copy = Closest(slot, tag), cluster = copy >> 3, at = 24 * cluster;
            if (copy < 0) continue;
            byte keep = (byte)~(1 << (copy & 7));
            if (cluster == slot >> 3) { Pairs.Insides.Pointer[slot] &= keep; continue; }
            int k = Pairs.MaskedRows.Pointer[slot];
            while (k < _masked && Pairs.MaskedOffsets.Pointer[k] != at) k++;
            if (k < _masked) { Pairs.Masks.Pointer[k] &= keep; continue; }
            int entry = new Span<int>(offsets + start, end - start).IndexOf(at);
            if (entry < 0) continue;
            // Order of a row is the order of its sums: keep it.
            new Span<int>(offsets + start + entry + 1, end - start - entry - 1).CopyTo(new Span<int>(offsets + start + entry, end - start - entry - 1));
            end--;
            Pairs.MaskedOffsets.Require(_masked + 1L, _masked)[_masked] = at;
            Pairs.Masks.Require(_masked + 1L, _masked)[_masked++] = keep;
        }
        return end;
    }

    private void EndMasks()
    {
        if (Pairs.HasMasks) Pairs.MaskedRows.Pointer[OwnedSlots] = _masked;
    }
}
