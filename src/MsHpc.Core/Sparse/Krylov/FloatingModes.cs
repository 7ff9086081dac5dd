using System.Runtime.InteropServices;

namespace MsHpc.Core.Sparse;

/// <summary>
/// Notices parts of a model that can move without resistance. Conjugate gradients solve a singular but consistent system happily and
/// return one of many answers; this check finds those whose null vectors are combinations of near-nullspace modes (rigid-body motion,
/// constants) on a connected part of the matrix. Other mechanisms stay unnoticed.
/// </summary>
internal static class FloatingModes
{
    /// <summary>Smallest ‖A B v‖ / (max|a_ij| ‖B v‖) that is not taken for rounding.</summary>
    private const double Threshold = 1e-13;

    /// <summary>A sentence about the first floating part; null when there is none.</summary>
    public static string? Find(BlockCsrMatrix matrix, NearNullspace nullspace)
    {
        var a = matrix.Raw;
        int m = a.Block, modes = nullspace.Modes, size = a.Size;
        var (partStart, nodes) = Parts(a, out double[] largest);
        var q = new double[modes][];
        for (int c = 0; c < modes; c++) q[c] = new double[size];
        var ranks = new int[largest.Length];
        var work = new List<double>();
        Span<double> r = stackalloc double[modes * modes];
        for (int part = 0; part < largest.Length; part++)
        {
            var w = Columns(work, partStart[part + 1] - partStart[part], m, modes, out int rows);
            for (int k = partStart[part], at = 0; k < partStart[part + 1]; k++)
                for (int s = 0; s < m; s++, at++)
                    for (int c = 0; c < modes; c++)
                        w[c * rows + at] = nullspace.Values[((long)nodes[k] * m + s) * modes + c];
            int rank = Orthonormalise(w, rows, modes, r, drop: 1e-8);
            ranks[part] = rank;
            for (int k = partStart[part], at = 0; k < partStart[part + 1]; k++)
                for (int s = 0; s < m; s++, at++)
                    for (int c = 0; c < rank; c++)
                        q[c][nodes[k] * m + s] = w[c * rows + at];
        }
        var image = new double[size];
        for (int c = 0; c < modes; c++)
        {
            a.Multiply(q[c], image);
            image.CopyTo(q[c], 0);
        }
        for (int part = 0; part < largest.Length; part++)
        {
            int rank = ranks[part];
            if (rank == 0) continue;
            var w = Columns(work, partStart[part + 1] - partStart[part], m, modes, out int rows);
            for (int k = partStart[part], at = 0; k < partStart[part + 1]; k++)
                for (int s = 0; s < m; s++, at++)
                    for (int c = 0; c < rank; c++)
                        w[c * rows + at] = q[c][nodes[k] * m + s];
            r.Clear();
            Orthonormalise(w, rows, rank, r, drop: 0);
            double smallest = SmallestSingularValue(r, rank);
            // Written so that NaN passes: other checks name it better.
            if (!(smallest <= Threshold * largest[part])) continue;
            int slot = nodes[partStart[part]] * m;
            while (matrix.Numbering.Unknown[slot] < 0) slot++;
            return largest.Length == 1
                ? "matrix is singular: nothing holds the body, a rigid motion (or a constant) costs no energy"
                : $"matrix is singular: the part that holds unknown {matrix.Numbering.Unknown[slot]} can move freely";
        }
        return null;
    }

    private static Span<double> Columns(List<double> work, int nodes, int block, int modes, out int rows)
    {
        rows = nodes * block;
        CollectionsMarshal.SetCount(work, rows * modes);
        return CollectionsMarshal.AsSpan(work);
    }

    /// <summary>Connected parts by nonzero blocks: nodes of part p at [start[p], start[p + 1]), and each part's largest |a_ij|. Empty nodes
    /// belong to no part.</summary>
    private static (int[] Start, int[] Nodes) Parts(BlockCsr a, out double[] largest)
    {
        int n = a.Nodes, size = a.Block * a.Block;
        var seen = new bool[n];
        var order = new int[n];
        List<int> start = [0];
        List<double> peaks = [];
        int filled = 0;
        for (int root = 0; root < n; root++)
        {
            if (seen[root]) continue;
            seen[root] = true;
            order[filled++] = root;
            double peak = 0;
            for (int next = start[^1]; next < filled; next++)
            {
                int i = order[next];
                for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
                {
                    double block = 0;
                    foreach (double v in a.Values.AsSpan(k * size, size)) block = Math.Max(block, Math.Abs(v));
                    peak = Math.Max(peak, block);
                    int j = a.Columns[k];
                    if (seen[j] || block == 0) continue;
                    seen[j] = true;
                    order[filled++] = j;
                }
            }
            start.Add(filled);
            peaks.Add(peak);
        }
        largest = [.. peaks];
        return ([.. start], order);
    }

    /// <summary>Gram–Schmidt, twice. Columns that shrink below <paramref name="drop"/> of their length are dropped and later ones move up;
    /// returns the rank. R gets the coefficients (meaningful when nothing is dropped).</summary>
    private static int Orthonormalise(Span<double> w, int rows, int columns, Span<double> r, double drop)
    {
        int rank = 0;
        for (int c = 0; c < columns; c++)
        {
            var column = w.Slice(c * rows, rows);
            double before = Vec.Norm(column);
            for (int pass = 0; pass < 2; pass++)
                for (int e = 0; e < rank; e++)
                {
                    double s = Vec.Dot(w.Slice(e * rows, rows), column);
                    r[e * columns + c] += s;
                    Vec.Axpy(-s, w.Slice(e * rows, rows), column);
                }
            double after = Vec.Norm(column);
            if (drop > 0 && !(after > drop * before)) continue;
            r[rank * columns + c] = after;
            if (after > 0) Vec.Scale(1 / after, column);
            column.CopyTo(w.Slice(rank * rows, rows));
            rank++;
        }
        return rank;
    }

    /// <summary>One-sided Jacobi (Hestenes): columns of R are rotated until orthogonal; the shortest is the smallest singular value.</summary>
    private static double SmallestSingularValue(Span<double> r, int n)
    {
        for (int sweep = 0; sweep < 30; sweep++)
        {
            bool rotated = false;
            for (int p = 0; p < n; p++)
                for (int q = p + 1; q < n; q++)
                {
                    double pp = 0, qq = 0, pq = 0;
                    for (int i = 0; i < n; i++)
                    {
                        pp += r[i * n + p] * r[i * n + p];
                        qq += r[i * n + q] * r[i * n + q];
                        pq += r[i * n + p] * r[i * n + q];
                    }
                    if (!(Math.Abs(pq) > 1e-15 * Math.Sqrt(pp * qq))) continue;
                    rotated = true;
                    double zeta = (qq - pp) / (2 * pq), t = (zeta >= 0 ? 1 : -1) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta));
                    double c = 1 / Math.Sqrt(1 + t * t), s = c * t;
                    for (int i = 0; i < n; i++)
                        (r[i * n + p], r[i * n + q]) = (c * r[i * n + p] - s * r[i * n + q], s * r[i * n + p] + c * r[i * n + q]);
                }
            if (!rotated) break;
        }
        double smallest = double.PositiveInfinity;
        for (int p = 0; p < n; p++)
        {
            double square = 0;
            for (int i = 0; i < n; i++) square += r[i * n + p] * r[i * n + p];
            smallest = double.IsNaN(square) ? double.NaN : Math.Min(smallest, Math.Sqrt(square));
        }
        return smallest;
    }
}
