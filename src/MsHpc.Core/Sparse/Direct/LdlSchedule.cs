using System.Runtime.InteropServices;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Where a supernodal factorisation keeps and updates its numbers, for panels cut into groups of G rows (4 of lanes, 8 of doubles).
/// </summary>
/// <remarks>
/// A supernode of w columns and m rows below is one panel: the w rows of its diagonal block, padded to a multiple of G, then the m rows,
/// padded likewise. Element (r, c) lies at panel + (r / G)·G·w + c·G + r mod G, so a group is read along c as one stream. The rows of
/// a supernode that are columns of the same later supernode form a segment: one dense update whose targets are
/// Rel[row] + ColumnOffset[column]. Rows that a target does not have (padding, or rows above its segment) point to a trash area behind
/// the panels, so kernels need no masks.
/// </remarks>
internal sealed class LdlSchedule
{
    public readonly int Group, Supernodes, Columns, MaxWidth, MaxOwn;
    public readonly int Trash, Length;
    public readonly int[] Panel, Width, Below, OwnGroups, BelowGroups;
    /// <summary>Rows below, padded with <see cref="Columns"/> to whole groups; start of supernode s at RowPad[PadStart[s]].</summary>
    public readonly int[] RowPad, PadStart;
    public readonly int[] SegmentStart, SegmentRow, SegmentColumns, SegmentRel;
    /// <summary>Offset of the target column of each padded row of a supernode, at PadStart[s] + row.</summary>
    public readonly int[] ColumnOffset;
    /// <summary>Target offset of the rows of a segment, from the group of its first row on.</summary>
    public readonly int[] Rel;
    /// <summary>Offset of each pattern entry of the lower triangle (original numbering); −1 for the others.</summary>
    public readonly int[] Slot;
    /// <summary>Offset of each pivot, in elimination order.</summary>
    public readonly int[] Diagonal;

    public LdlSchedule(SymbolicLdl symbolic, int group)
    {
        int g = Group = group;
        int count = Supernodes = symbolic.Supernodes;
        Columns = symbolic.Rows;
        var first = symbolic.First;
        var rows = symbolic.RowIndex;
        var rowStart = symbolic.RowStart;
        Panel = new int[count + 1];
        Width = new int[count];
        Below = new int[count];
        OwnGroups = new int[count];
        BelowGroups = new int[count];
        PadStart = new int[count + 1];
        long length = 0;
        for (int s = 0; s < count; s++)
        {
            int w = Width[s] = first[s + 1] - first[s];
            int m = Below[s] = rowStart[s + 1] - rowStart[s];
            OwnGroups[s] = (w + g - 1) / g;
            BelowGroups[s] = (m + g - 1) / g;
            PadStart[s + 1] = PadStart[s] + BelowGroups[s] * g;
            MaxWidth = Math.Max(MaxWidth, w);
            MaxOwn = Math.Max(MaxOwn, OwnGroups[s] * g * w);
            length += (long)(OwnGroups[s] + BelowGroups[s]) * g * w;
            if (length > int.MaxValue - 64L * (MaxWidth + g)) throw new NumericalException("the factor has more than 2³¹ entries: use an iterative solver");
            Panel[s + 1] = (int)length;
        }
        Trash = (int)length;
        Length = Trash + g * (MaxWidth + 1);

        RowPad = new int[PadStart[count]];
        ColumnOffset = new int[PadStart[count]];
        SegmentStart = new int[count + 1];
        var segmentRow = new List<int>();
        var segmentColumns = new List<int>();
        var segmentRel = new List<int>();
        var rel = new List<int>();
        for (int s = 0; s < count; s++)
        {
            int m = Below[s], padded = BelowGroups[s] * g, begin = rowStart[s];
            for (int r = 0; r < padded; r++) RowPad[PadStart[s] + r] = r < m ? rows[begin + r] : Columns;
            for (int r = 0; r < m;)
            {
                int target = symbolic.SupernodeOf[rows[begin + r]];
                int end = r;
                while (end < m && rows[begin + end] < first[target + 1])
                {
                    ColumnOffset[PadStart[s] + end] = g * (rows[begin + end] - first[target]);
                    end++;
                }
                segmentRow.Add(r);
                segmentColumns.Add(end - r);
                segmentRel.Add(rel.Count);
                int own = OwnGroups[target] * g, at = rowStart[target];
                for (int k = r / g * g; k < padded; k++)
                {
                    if (k < r || k >= m) { rel.Add(Trash); continue; }
                    int row = rows[begin + k], local;
                    if (row < first[target + 1]) local = row - first[target];
                    else
                    {
                        while (rows[at] != row) at++;
                        local = own + at - rowStart[target];
                    }
                    rel.Add(Offset(target, local, 0));
                }
                r = end;
            }
            SegmentStart[s + 1] = segmentRow.Count;
        }
        SegmentRow = [.. segmentRow];
        SegmentColumns = [.. segmentColumns];
        SegmentRel = [.. segmentRel];
        Rel = [.. rel];

        var pattern = symbolic.Pattern;
        Slot = new int[pattern.Count];
        for (int i = 0; i < pattern.Rows; i++)
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
            {
                int j = pattern.Columns[k];
                Slot[k] = j > i ? -1 : Locate(symbolic, symbolic.Inverse[i], symbolic.Inverse[j]);
            }
        Diagonal = new int[Columns];
        for (int j = 0; j < Columns; j++) Diagonal[j] = Locate(symbolic, j, j);
    }

    private int Offset(int s, int row, int column) => Panel[s] + row / Group * Group * Width[s] + column * Group + row % Group;

    private int Locate(SymbolicLdl symbolic, int a, int b)
    {
        int row = Math.Max(a, b), column = Math.Min(a, b);
        int s = symbolic.SupernodeOf[column];
        int local;
        if (row < symbolic.First[s + 1]) local = row - symbolic.First[s];
        else
        {
            int at = Array.BinarySearch(symbolic.RowIndex, symbolic.RowStart[s], symbolic.RowStart[s + 1] - symbolic.RowStart[s], row);
            local = OwnGroups[s] * Group + at - symbolic.RowStart[s];
        }
        return Offset(s, local, column - symbolic.First[s]);
    }
}

/// <summary>Memory for kernels: pinned and aligned to a cache line, so that pointers into it stay valid and vector loads never split.</summary>
internal sealed unsafe class AlignedBuffer
{
    private readonly double[] _memory;

    public AlignedBuffer(long doubles)
    {
        if (doubles > int.MaxValue - 64) throw new NumericalException("a solver's work array exceeds 16 GB");
        Length = (int)Math.Max(doubles, 8);
        _memory = GC.AllocateArray<double>(Length + 8, pinned: true);
        nuint address = (nuint)Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0);
        Pointer = (double*)((address + 63) & ~(nuint)63);
    }

    /// <summary>First element, 64-byte aligned; valid while this object is reachable.</summary>
    public double* Pointer { get; }

    public int Length { get; }

    public Lanes* Lanes => (Lanes*)Pointer;

    public Lanes4* Lanes4 => (Lanes4*)Pointer;
}
