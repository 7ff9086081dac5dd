using MsHpc.Core;

namespace MsHpc.Atomistics.Neighbors;

/// <summary>Lists that an interaction reads.</summary>
[Flags]
public enum ListKind
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary><see cref="Domain.Pairs"/>: each pair once, one atom against clusters of eight.</summary>
    Clusters = 1,
    /// <summary><see cref="Domain.Half"/>: each pair once, atom by atom.</summary>
    Half = 2,
    /// <summary><see cref="Domain.Full"/>: all neighbours of every owned atom.</summary>
    Full = 4,
}

/// <summary>
/// Neighbours of every owned slot within cutoff + skin. Row i is <c>Index[Start[i] .. Start[i+1]]</c>, slots of owned or ghost atoms, padded to a
/// multiple of eight with <see cref="Domain.Dummy"/>, an atom far away from everything. Rows of padding slots are empty.
/// </summary>
public sealed unsafe class NeighborList
{
    internal readonly AlignedArray<int> Starts = new(), Indices = new();

    /// <summary>Owned slots + 1 positions.</summary>
    public int* Start => Starts.Pointer;

    /// <summary>Slots.</summary>
    public int* Index => Indices.Pointer;

    /// <summary>Entries, padding included.</summary>
    public int Length { get; internal set; }
}

/// <summary>
/// Pairs as one atom against a cluster of eight. For owned cluster I and its row r: <c>Offset[RowStart[8 I + r] .. RowStart[8 I + r + 1]]</c>
/// are offsets (24·J) of clusters J with at least one atom within cutoff + <see cref="Domain.PairSkin"/> of atom (I, r). Each pair of atoms appears once: J &gt; I, or J a cluster
/// of upper ghosts. Pairs inside a cluster are not listed: kernels take rows r &lt; lane of every owned cluster themselves.
/// <para>With exclusions (<see cref="HasMasks"/>) entries that hold an excluded atom are in a second list of the same kind, <see cref="MaskedRowStart"/>,
/// <see cref="MaskedOffset"/>, with the lanes that do interact in <see cref="Mask"/>; and <see cref="Inside"/> has the higher lanes of its own
/// cluster that each row interacts with. Masked entries are few, so that a kernel may take its pairs inside clusters and masked entries in a loop of its own.</para>
/// </summary>
public sealed unsafe class ClusterList
{
    internal readonly AlignedArray<int> Rows = new(), Offsets = new();

    /// <summary>8·owned clusters + 1 positions.</summary>
    public int* RowStart => Rows.Pointer;

    /// <summary>24·J.</summary>
    public int* Offset => Offsets.Pointer;

    /// <summary>Entries without masks.</summary>
    public int Length { get; internal set; }

    internal readonly AlignedArray<int> MaskedRows = new(), MaskedOffsets = new();
    internal readonly AlignedArray<byte> Masks = new(), Insides = new();

    /// <summary>Whether there are exclusions; the masked list is empty and not to be read otherwise.</summary>
    public bool HasMasks { get; internal set; }

    /// <summary>8·owned clusters + 1 positions in the masked list.</summary>
    public int* MaskedRowStart => MaskedRows.Pointer;

    /// <summary>24·J of entries with excluded lanes.</summary>
    public int* MaskedOffset => MaskedOffsets.Pointer;

    /// <summary>Bit l is set when lane l of the masked entry interacts.</summary>
    public byte* Mask => Masks.Pointer;

    /// <summary>For each owned slot: bit l is set when it interacts with lane l of its own cluster, l above its own.</summary>
    public byte* Inside => Insides.Pointer;
}
