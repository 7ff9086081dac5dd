namespace MsHpc.Core.Sparse;

/// <summary>Where a sparse matrix may be nonzero, row by row (CSR). Columns rise within a row and include the diagonal.</summary>
/// <param name="Rows">Number of rows (and columns: all our matrices are square).</param>
/// <param name="RowStart">Start of each row in <paramref name="Columns"/>; length Rows + 1.</param>
/// <param name="Columns">Column of each entry.</param>
public sealed record SparsePattern(int Rows, int[] RowStart, int[] Columns)
{
    /// <summary>Number of stored entries.</summary>
    public int Count => RowStart[Rows];

    /// <summary>Position of entry (row, column) in the value array.</summary>
    /// <exception cref="ArgumentException">The entry is not in the pattern.</exception>
    public int Find(int row, int column)
    {
        int at = Array.BinarySearch(Columns, RowStart[row], RowStart[row + 1] - RowStart[row], column);
        return at >= 0 ? at : throw new ArgumentException($"entry ({row}, {column}) is not in the sparsity pattern");
    }

    /// <summary>Builds the pattern of all pairs of unknowns that share a group (an element); a diagonal is always there.</summary>
    /// <param name="rows">Number of unknowns.</param>
    /// <param name="groupStart">Start of each group in <paramref name="members"/>; one longer than the number of groups.</param>
    /// <param name="members">Unknowns of each group; negative ones (eliminated) are skipped.</param>
    public static SparsePattern FromGroups(int rows, ReadOnlySpan<int> groupStart, ReadOnlySpan<int> members)
    {
        // Groups of each row, then the union of their members: two passes over a marker array, no hashing.
        var rowGroupStart = new int[rows + 1];
        foreach (int m in members) if (m >= 0) rowGroupStart[m + 1]++;
        for (int r = 0; r < rows; r++) rowGroupStart[r + 1] += rowGroupStart[r];
        var rowGroups = new int[rowGroupStart[rows]];
        var fill = rowGroupStart.AsSpan(0, rows).ToArray();
        for (int g = 0; g + 1 < groupStart.Length; g++)
            for (int k = groupStart[g]; k < groupStart[g + 1]; k++)
                if (members[k] >= 0) rowGroups[fill[members[k]]++] = g;

        var marker = new int[rows];
        Array.Fill(marker, -1);
        var rowStart = new int[rows + 1];
        var columns = new List<int>(members.Length * 4);
        for (int r = 0; r < rows; r++)
        {
            int begin = columns.Count;
            marker[r] = r;
            columns.Add(r);
            for (int k = rowGroupStart[r]; k < rowGroupStart[r + 1]; k++)
                for (int j = groupStart[rowGroups[k]]; j < groupStart[rowGroups[k] + 1]; j++)
                {
                    int c = members[j];
                    if (c < 0 || marker[c] == r) continue;
                    marker[c] = r;
                    columns.Add(c);
                }
            columns.Sort(begin, columns.Count - begin, null);
            rowStart[r + 1] = columns.Count;
        }
        return new SparsePattern(rows, rowStart, columns.ToArray());
    }
}
