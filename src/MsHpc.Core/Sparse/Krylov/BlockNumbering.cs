namespace MsHpc.Core.Sparse;

/// <summary>
/// Puts unknowns into node blocks of one size: unknown i is component <c>Component[i]</c> of node <c>Node[i]</c>. Components that have no
/// unknown (eliminated by a constraint) leave an empty slot, so that blocks stay regular. Nodes count in order of first appearance.
/// </summary>
public sealed class BlockNumbering
{
    /// <summary>Largest supported block.</summary>
    public const int MaxBlock = Lane.Width;

    private BlockNumbering(int[] node, byte[] component, int nodes, int blockSize)
    {
        Node = node;
        Component = component;
        Nodes = nodes;
        BlockSize = blockSize;
        Unknown = new int[nodes * blockSize];
        Array.Fill(Unknown, -1);
        bool identity = node.Length == nodes * blockSize;
        for (int i = 0; i < node.Length; i++)
        {
            int slot = node[i] * blockSize + component[i];
            Unknown[slot] = i;
            identity &= slot == i;
        }
        IsIdentity = identity;
    }

    /// <summary>Node of each unknown.</summary>
    public int[] Node { get; }

    /// <summary>Place of each unknown in its node's block.</summary>
    public byte[] Component { get; }

    /// <summary>Number of nodes.</summary>
    public int Nodes { get; }

    /// <summary>Slots per node, 1 … 8.</summary>
    public int BlockSize { get; }

    /// <summary>Unknown in each slot (length Nodes · BlockSize); −1 where the slot is empty.</summary>
    public int[] Unknown { get; }

    /// <summary>Whether slot and unknown are the same number throughout.</summary>
    public bool IsIdentity { get; }

    /// <summary>Number of unknowns.</summary>
    public int Unknowns => Node.Length;

    /// <summary>Aligned blocks of one size.</summary>
    /// <exception cref="ArgumentException">The number of unknowns is no multiple of the size, or the size is not 1 … 8.</exception>
    public static BlockNumbering Aligned(int unknowns, int blockSize)
    {
        if (blockSize is < 1 or > MaxBlock || unknowns % blockSize != 0)
            throw new ArgumentException($"{unknowns} unknowns do not divide into blocks of {blockSize} (1 to {MaxBlock})");
        var node = new int[unknowns];
        var component = new byte[unknowns];
        for (int i = 0; i < unknowns; i++) (node[i], component[i]) = (i / blockSize, (byte)(i % blockSize));
        return new BlockNumbering(node, component, unknowns / blockSize, blockSize);
    }

    /// <summary>Blocks from NodeOf and ComponentOf of a system; aligned blocks where there are no nodes; single unknowns where two unknowns
    /// claim the same component of a node or blocks would be larger than eight.</summary>
    public static BlockNumbering Of(LinearSystem system)
    {
        int n = system.Pattern.Rows, blockSize = 0, nodeCount = 0;
        for (int i = 0; i < n; i++)
            if (system.NodeOf[i] >= 0)
            {
                blockSize = Math.Max(blockSize, system.ComponentOf[i] + 1);
                nodeCount = Math.Max(nodeCount, system.NodeOf[i] + 1);
            }
        if (blockSize == 0)
            return Aligned(n, system.BlockSize is >= 1 and <= MaxBlock && n % system.BlockSize == 0 ? system.BlockSize : 1);
        if (blockSize > MaxBlock) return Aligned(n, 1);
        var number = new int[nodeCount];
        Array.Fill(number, -1);
        var node = new int[n];
        var component = new byte[n];
        int nodes = 0;
        for (int i = 0; i < n; i++)
        {
            int at = system.NodeOf[i];
            if (at < 0) node[i] = nodes++;
            else
            {
                if (number[at] < 0) number[at] = nodes++;
                (node[i], component[i]) = (number[at], system.ComponentOf[i]);
            }
        }
        var taken = new bool[nodes * blockSize];
        for (int i = 0; i < n; i++)
        {
            ref bool slot = ref taken[node[i] * blockSize + component[i]];
            if (slot) return Aligned(n, 1);
            slot = true;
        }
        return new BlockNumbering(node, component, nodes, blockSize);
    }

    /// <summary>Unknowns → slots; empty slots get zero.</summary>
    public void Scatter(ReadOnlySpan<double> unknowns, Span<double> slots)
    {
        if (IsIdentity)
        {
            unknowns.CopyTo(slots);
            return;
        }
        for (int s = 0; s < Unknown.Length; s++) slots[s] = Unknown[s] < 0 ? 0.0 : unknowns[Unknown[s]];
    }

    /// <summary>Slots → unknowns.</summary>
    public void Gather(ReadOnlySpan<double> slots, Span<double> unknowns)
    {
        if (IsIdentity)
        {
            slots[..unknowns.Length].CopyTo(unknowns);
            return;
        }
        for (int s = 0; s < Unknown.Length; s++) if (Unknown[s] >= 0) unknowns[Unknown[s]] = slots[s];
    }
}
