using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics;

public sealed unsafe partial class Domain
{
    private readonly AlignedArray<int> _candidates = new();

    /// <summary>Bounding boxes of clusters, without padding: low x, y, z, high x, y, z.</summary>
    private void Boxes()
    {
        double* box = _boxes.Require(6L * (Clusters + 1)), x = X;
        int* tag = Tag;
        for (int c = 0; c < Clusters; c++, box += 6, x += 24)
            for (int k = 0; k < 3; k++)
            {
                double low = double.PositiveInfinity, high = double.NegativeInfinity;
                for (int l = 0; l < 8; l++)
                    if (tag[8 * c + l] >= 0) (low, high) = (Math.Min(low, x[8 * k + l]), Math.Max(high, x[8 * k + l]));
                (box[k], box[3 + k]) = (low, high);
            }
    }

    private void BuildLists()
    {
        double reach = Reach + Skin;
        BuildExclusions();
        if ((Lists & ListKind.Clusters) != 0) BuildPairs(reach);
        if ((Lists & ListKind.Half) != 0) BuildAtoms(Half, reach, full: false);
        if ((Lists & ListKind.Full) != 0) BuildAtoms(Full, reach, full: true);
    }

    /// <summary>Clusters whose boxes come within reach of cluster <paramref name="c"/>: from c on (c included) and upper ghosts, or all.</summary>
    private int Candidates(int c, double reach, bool all)
    {
        double* boxes = _boxes.Pointer, mine = boxes + 6 * c;
        int count = 0;
        Search(_owned, all ? 0 : c, ref count);
        Search(_upper, 0, ref count);
        if (all) Search(_lower, 0, ref count);
        return count;

        void Search(Columns columns, int least, ref int count)
        {
            var (x0, x1, y0, y1) = columns.Range(mine[0] - reach, mine[3] + reach, mine[1] - reach, mine[4] + reach);
            for (int i = x0; i <= x1; i++)
                for (int j = y0; j <= y1; j++)
                {
                    int column = i * columns.CountY + j, first = Math.Max(columns.First[column], least), end = columns.First[column + 1];
                    int* found = _candidates.Require(count + Math.Max(0, end - first), count);
                    for (int d = first; d < end; d++)
                    {
                        double* box = boxes + 6 * d;
                        if (box[2] - mine[5] > reach) break;
                        double dx = Math.Max(0, Math.Max(box[0] - mine[3], mine[0] - box[3]));
                        double dy = Math.Max(0, Math.Max(box[1] - mine[4], mine[1] - box[4]));
                        double dz = Math.Max(0, Math.Max(box[2] - mine[5], mine[2] - box[5]));
                        if (dx * dx + dy * dy + dz * dz < reach * reach) found[count++] = d;
                    }
                }
        }
    }

    /// <summary>Lanes of cluster d within reach of a point.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Near(double* d, Lanes x, Lanes y, Lanes z, Lanes reach2)
    {
        Lanes dx = Vector512.Load(d) - x, dy = Vector512.Load(d + 8) - y, dz = Vector512.Load(d + 16) - z;
        return (uint)Vector512.LessThan(Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)), reach2).ExtractMostSignificantBits();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BuildPairs(double reach)
    {
        double* x = X;
        int* rows = Pairs.Rows.Require(OwnedSlots + 1L);
        var reach2 = Lane.Of(reach * reach);
        int length = 0;
        for (int c = 0; c < OwnedClusters; c++)
        {
            int count = Candidates(c, reach, all: false);
            int* found = _candidates.Pointer, offsets = Pairs.Offsets.Require(length + 8L * count + 8, length);
            for (int r = 0; r < 8; r++)
            {
                rows[8 * c + r] = length;
                if (Tag[8 * c + r] < 0) continue;
                Lanes px = Lane.Of(x[24 * c + r]), py = Lane.Of(x[24 * c + 8 + r]), pz = Lane.Of(x[24 * c + 16 + r]);
                for (int k = 0; k < count; k++)
                {
                    int d = found[k];
                    uint near = d == c ? 0 : Near(x + 24L * d, px, py, pz, reach2);
                    offsets[length] = 24 * d;
                    length += near != 0 ? 1 : 0;
                }
                length = WithoutMasked(8 * c + r, offsets, rows[8 * c + r], length);
            }
        }
        rows[OwnedSlots] = length;
        Pairs.Length = length;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BuildAtoms(NeighborList list, double reach, bool full)
    {
        double* x = X;
        int* start = list.Starts.Require(OwnedSlots + 1L);
        var reach2 = Lane.Of(reach * reach);
        var lanes = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7);
        int length = 0, dummy = Dummy;
        for (int c = 0; c < OwnedClusters; c++)
        {
            int count = Candidates(c, reach, all: full);
            int* found = _candidates.Pointer, index = list.Indices.Require(length + 64L * count + 128, length);
            for (int r = 0; r < 8; r++)
            {
                start[8 * c + r] = length;
                if (Tag[8 * c + r] < 0) continue;
                Lanes px = Lane.Of(x[24 * c + r]), py = Lane.Of(x[24 * c + 8 + r]), pz = Lane.Of(x[24 * c + 16 + r]);
                for (int k = 0; k < count; k++)
                {
                    int d = found[k];
                    uint near = Near(x + 24L * d, px, py, pz, reach2);
                    if (d == c) near &= full ? ~(1u << r) : ~0u << r + 1;
                    if (Avx512F.VL.IsSupported)
                    {
                        var mask = Vector256.Equals(Vector256.Create((int)near) & BitOfLane, BitOfLane);
                        Avx512F.VL.Compress(Vector256<int>.Zero, mask, lanes + Vector256.Create(8 * d)).Store(index + length);
                        length += BitOperations.PopCount(near);
                    }
                    else
                        for (; near != 0; near &= near - 1) index[length++] = 8 * d + BitOperations.TrailingZeroCount(near);
                }
                length = WithoutExcluded(8 * c + r, index, start[8 * c + r], length);
                while ((length & 7) != 0) index[length++] = dummy;
            }
        }
        start[OwnedSlots] = length;
        list.Length = length;
    }

    private static Vector256<int> BitOfLane => Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
}
