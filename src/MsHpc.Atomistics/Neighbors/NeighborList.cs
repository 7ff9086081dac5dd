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
/// </summary>
public sealed unsafe class ClusterList
{
    internal readonly AlignedArray<int> Rows = new(), Offsets = new();

    /// <summary>Of a wide list: entries that the last pruning kept.</summary>
    internal int Kept;

    /// <summary>8·owned clusters + 1 positions.</summary>
    public int* RowStart => Rows.Pointer;

    /// <summary>24·J.</summary>
    public int* Offset => Offsets.Pointer;

    /// <summary>Entries.</summary>
    public int Length { get; internal set; }
}
