using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics;

/// <remarks>
/// Pairs of clusters are kept twice: a wide list within cutoff + <see cref="Skin"/>, which costs sorting and a search to build, and the list that
/// kernels read, within cutoff + <see cref="PairSkin"/>, pruned from the wide one whenever an atom has moved half of that smaller skin. So
/// kernels see few useless pairs while sorting stays rare. The wide list names a pair of clusters once, with the rows it concerns, which takes a third
/// of the memory of one entry a row.
/// </remarks>
public sealed unsafe partial class Domain
{
    private readonly Places _reference = new(), _pruned = new();
    private Cell? _prunedCell;
    private Searcher[] _searchers = []; // of each thread
    private WideList[] _wideLists = []; // of each slab
    private int[] _pairsOfSlab = [];
    private Action<int, int>? _buildSlab, _pruneSlab;
    private bool _pruneDue;
    private int _boxStride;
    private double _pairsPerCluster; // in the wide list of the last slab built; only a hint

    /// <summary>What <see cref="Pairs"/> hold beyond the cutoff, Å; at most <see cref="Skin"/>.</summary>
    public double PairSkin { get; }

    /// <summary>Clusters near those of one slab. Cluster c meets those at <c>Offset[Start[c] .. Start[c + 1]]</c> (c counts from the slab's first); bit r of the
    /// same entry of <c>Rows</c> is set when its atom r comes within cutoff + <see cref="Skin"/> of one of theirs.</summary>
    private sealed class WideList
    {
        public readonly AlignedArray<int> Starts = new(), Offsets = new();
        public readonly AlignedArray<byte> Rows = new();

        /// <summary>Pairs of clusters; pairs of a row and a cluster; those of them that the last pruning kept.</summary>
        public int Length, Entries, Kept;
    }

    /// <summary>Where owned atoms were: offsets from the low corners of their clusters' boxes, which stay from one <see cref="Rebuild"/> to the next. In single
    /// precision; by how far the farthest is off is known, and counts as if atoms had moved by so much more.</summary>
    private sealed class Places
    {
        public readonly AlignedArray<float> Offsets = new();
        public double Error;
    }

    /// <summary>Keeps where owned atoms are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Keep(Places places)
    {
        float* offset = places.Offsets.Require(24L * (OwnedClusters + 1));
        double* x = X, low = _boxes.Pointer;
        var most = Lanes.Zero;
        for (int c = 0; c < OwnedClusters; c++, x += 24, offset += 24)
        {
            var error2 = Lanes.Zero;
            for (int k = 0; k < 3; k++)
            {
                var exact = Vector512.Load(x + 8 * k) - Lane.Of(low[k * _boxStride + c]);
                var single = Vector256.Narrow(exact.GetLower(), exact.GetUpper());
                single.Store(offset + 8 * k);
                var error = exact - Widen(offset + 8 * k);
                error2 = Lane.Fma(error, error, error2);
            }
            most = Vector512.Max(most, error2 & Atoms(8 * c));
        }
        places.Error = Math.Sqrt(Largest(most));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Widen(float* x)
    {
        if (Avx512F.IsSupported) return Avx512F.ConvertToVector512Double(Vector256.Load(x));
        var (lower, upper) = Vector256.Widen(Vector256.Load(x));
        return Vector512.Create(lower, upper);
    }

    /// <summary>The largest of eight numbers; NaN if one is.</summary>
    private static double Largest(Lanes v)
    {
        double most = 0;
        for (int l = 0; l < 8; l++) most = double.IsNaN(v[l]) ? double.NaN : Math.Max(most, v[l]);
        return most;
    }

    /// <summary>Largest squared distance of an owned atom from where it was, Å², rounding of the places included: an upper bound. Of this rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private double MaxDisplacementSquared(Places places)
    {
        var largest = Lanes.Zero;
        double* x = X, lowX = _boxes.Pointer, lowY = lowX + _boxStride, lowZ = lowY + _boxStride;
        float* offset = places.Offsets.Pointer;
        for (int c = 0; c < OwnedClusters; c++, x += 24, offset += 24)
        {
            var dx = Vector512.Load(x) - Lane.Of(lowX[c]) - Widen(offset);
            var dy = Vector512.Load(x + 8) - Lane.Of(lowY[c]) - Widen(offset + 8);
            var dz = Vector512.Load(x + 16) - Lane.Of(lowZ[c]) - Widen(offset + 16);
            // Padding is far from any corner. Vector512.Max keeps a NaN of either side.
            largest = Vector512.Max(largest, Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)) & Atoms(8 * c));
        }
        return Bound(largest, places.Error);
    }

    private static double Bound(Lanes largest, double error) => Math.Pow(Math.Sqrt(Largest(largest)) + error, 2);

    /// <summary>Largest squared displacement of an owned atom since the last <see cref="Rebuild"/>, beyond the affine motion of the cell, Å²: an upper bound, above it
    /// by the rounding of single precision. Of this rank.</summary>
    public double MaxDisplacementSquared() => ReferenceEquals(Cell, _referenceCell) ? MaxDisplacementSquared(_reference) : MaxNonAffineSquared();

    /// <summary>
    /// Whether lists may miss a pair and <see cref="Rebuild"/> is due. When an atom has moved only half of <see cref="PairSkin"/>, or the cell has
    /// changed a little, it is enough to prune <see cref="Pairs"/> anew: that is noted and done by the next <see cref="Prune"/>. Collective.
    /// </summary>
    public bool NeedsRebuild() => NeedsRebuild(Comm.AllReduceMax(ListDisplacementSquared()));

    private bool TwoLists => PairSkin < Skin && (Lists & ListKind.Clusters) != 0;

    /// <summary>Largest squared displacement since the list that is older than it may be first was made, Å². Of this rank.</summary>
    internal double ListDisplacementSquared() =>
        TwoLists && ReferenceEquals(Cell, _prunedCell) ? MaxDisplacementSquared(_pruned) : MaxDisplacementSquared();

    /// <summary>As <see cref="NeedsRebuild()"/>, given the largest <see cref="ListDisplacementSquared"/> of all ranks.</summary>
    internal bool NeedsRebuild(double movedSquared)
    {
        if (!TwoLists) return ListsMiss(movedSquared, Skin);
        if (ReferenceEquals(Cell, _prunedCell))
        {
            if (4 * movedSquared <= PairSkin * PairSkin) return false;
            movedSquared = Comm.AllReduceMax(MaxDisplacementSquared());
        }
        // The wide list holds what is within PairSkin now if no pair came nearer by more than the rest of the skin.
        _pruneDue = !ListsMiss(movedSquared, Skin - PairSkin);
        return !_pruneDue;
    }

    /// <summary>Bounding boxes of clusters, without padding: all low x, all low y, … high z. Beyond the last there are eight empty ones.</summary>
    private void Boxes()
    {
        _boxStride = Lane.Blocks(Clusters) * 8 + 8;
        double* low = _boxes.Require(6L * _boxStride), high = low + 3L * _boxStride, x = X;
        int* tag = Tag;
        for (int c = 0; c < _boxStride; c++, x += 24)
            for (int k = 0; k < 3; k++)
            {
                double least = double.PositiveInfinity, most = double.NegativeInfinity;
                for (int l = 0; l < 8 && c < Clusters; l++)
                    if (tag[8 * c + l] >= 0) (least, most) = (Math.Min(least, x[8 * k + l]), Math.Max(most, x[8 * k + l]));
                (low[k * _boxStride + c], high[k * _boxStride + c]) = (least, most);
            }
    }

    private void BuildLists()
    {
        MakeSlabs();
        BuildExclusions();
        if (_searchers.Length == 0) _searchers = [.. Enumerable.Range(0, Team.Count).Select(_ => new Searcher())];
        if ((Lists & ListKind.Clusters) != 0)
        {
            if (_wideLists.Length < _slabs) _wideLists = [.. _wideLists, .. Enumerable.Range(_wideLists.Length, _slabs - _wideLists.Length).Select(_ => new WideList())];
            Team.Run(_slabs, _buildSlab ??= BuildSlab);
            _pruneDue = true;
            Prune();
        }
        double reach = Reach + Skin;
        if ((Lists & ListKind.Half) != 0) BuildAtoms(Half, reach, full: false);
        if ((Lists & ListKind.Full) != 0) BuildAtoms(Full, reach, full: true);
        MakeTiles();
    }

    /// <summary>Looks for clusters near those of one column, from its lowest cluster upwards. Scratch of one thread.</summary>
    private sealed class Searcher
    {
        public readonly AlignedArray<int> Found = new();
        private (int From, int End)[] _columns = new (int, int)[64];
        private int _count;
        private bool _all;

        /// <summary>Columns that come within reach of owned column <paramref name="home"/>: from itself on and upper ghosts', or all.</summary>
        public void Begin(Domain d, int home, double reach, bool all)
        {
            int n = d._boxStride, first = d._owned.First[home], end = d._owned.First[home + 1];
            double* x0 = d._boxes.Pointer, y0 = x0 + n, x1 = x0 + 3 * n, y1 = x0 + 4 * n;
            double lowX = double.PositiveInfinity, lowY = lowX, highX = double.NegativeInfinity, highY = highX;
            for (int c = first; c < end; c++)
                (lowX, lowY, highX, highY) = (Math.Min(lowX, x0[c]), Math.Min(lowY, y0[c]), Math.Max(highX, x1[c]), Math.Max(highY, y1[c]));
            (_count, _all) = (0, all);
            // As much as can be found: what is found changes from list to list.
            Found.Require(d.Clusters + 32L);
            Add(d._owned, all ? 0 : first);
            Add(d._upper, 0);
            if (all) Add(d._lower, 0);

            void Add(Columns columns, int least)
            {
                var (i0, i1, j0, j1) = columns.Range(lowX - reach, highX + reach, lowY - reach, highY + reach);
                for (int i = i0; i <= i1; i++)
                    for (int j = j0; j <= j1; j++)
                    {
                        int column = i * columns.CountY + j, from = Math.Max(columns.First[column], least), to = columns.First[column + 1];
                        if (from >= to) continue;
                        if (_count == _columns.Length) Array.Resize(ref _columns, 2 * _count);
                        _columns[_count++] = (from, to);
                    }
            }
        }

        /// <summary>Clusters whose boxes come within reach of cluster <paramref name="c"/>, in <see cref="Found"/>; itself first, unless all are asked for. Within a
        /// column heights rise, and so do ours from call to call.</summary>
        /// <returns>Their number.</returns>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int Search(Domain d, int c, double reach)
        {
            int n = d._boxStride, count = 0;
            double* x0 = d._boxes.Pointer, y0 = x0 + n, z0 = y0 + n, x1 = z0 + n, y1 = x1 + n, z1 = y1 + n;
            double bottom = z0[c] - reach, top = z1[c] + reach;
            Lanes lowX = Lane.Of(x0[c]), lowY = Lane.Of(y0[c]), lowZ = Lane.Of(z0[c]), highX = Lane.Of(x1[c]), highY = Lane.Of(y1[c]), highZ = Lane.Of(z1[c]);
            Lanes reach2 = Lane.Of(reach * reach);
            var lanes = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7);
            for (int k = 0; k < _count; k++)
            {
                ref var column = ref _columns[k];
                int from = column.From, end = column.End;
                while (from < end && z1[from] < bottom) from++;
                column.From = from;
                if (k == 0 && !_all) from = c;
                int* found = Found.Pointer;
                for (int other = from; other < end && z0[other] <= top; other += 8)
                {
                    Lanes dx = Gap(Vector512.Load(x0 + other), Vector512.Load(x1 + other), lowX, highX);
                    Lanes dy = Gap(Vector512.Load(y0 + other), Vector512.Load(y1 + other), lowY, highY);
                    Lanes dz = Gap(Vector512.Load(z0 + other), Vector512.Load(z1 + other), lowZ, highZ);
                    uint near = (uint)Vector512.LessThan(Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)), reach2).ExtractMostSignificantBits();
                    if (end - other < 8) near &= (1u << end - other) - 1;
                    count += Append(found + count, near, lanes + Vector256.Create(other));
                }
            }
            if (d._peers.Length > 0)
            {
                byte* remote = d._remote.Pointer;
                byte meets = 0;
                for (int* k = Found.Pointer, end = k + count; k < end; k++) meets |= remote[*k];
                d._boundary.Pointer[c] |= meets;
            }
            return count;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static Lanes Gap(Lanes low, Lanes high, Lanes mineLow, Lanes mineHigh) =>
            Vector512.MaxNative(Lanes.Zero, Vector512.MaxNative(low - mineHigh, mineLow - high));
    }

    /// <summary>Writes the items whose bits are set to <paramref name="to"/> (eight places are overwritten) and returns their number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Append(int* to, uint bits, Vector256<int> items)
    {
        if (Avx512F.VL.IsSupported)
        {
            var mask = Vector256.Equals(Vector256.Create((int)bits) & BitOfLane, BitOfLane);
            Avx512F.VL.Compress(Vector256<int>.Zero, mask, items).Store(to);
            return BitOperations.PopCount(bits);
        }
        int count = 0;
        for (; bits != 0; bits &= bits - 1) to[count++] = items[BitOperations.TrailingZeroCount(bits)];
        return count;
    }

    /// <summary>Renews <see cref="Pairs"/> if <see cref="NeedsRebuild()"/> found that due. Ghosts must be up to date or on their way.</summary>
    public void Prune()
    {
        if (!_pruneDue) return;
        EndGhosts();
        _pruneDue = false;
        Keep(_pruned);
        _prunedCell = Cell;
        if (_pairsOfSlab.Length < _slabs + 1) _pairsOfSlab = new int[_slabs + _slabs / 8 + 1];
        // A slab's place would hold its wide list, and one that it writes too much.
        for (int t = 0; t < _slabs; t++) _pairsOfSlab[t + 1] = _pairsOfSlab[t] + _wideLists[t].Entries + 1;
        int* rows = Pairs.Rows.Require(OwnedSlots + 1L), offsets = Pairs.Offsets.Require(_pairsOfSlab[_slabs] + 8L);
        int length = 0;
        if (Team.Count == 1)
            for (int t = 0; t < _slabs; t++)
            {
                _pairsOfSlab[t] = length;
                PruneSlab(t, 0);
                length += _wideLists[t].Kept;
            }
        else
        {
            // Each in its place, then all move together.
            Team.Run(_slabs, _pruneSlab ??= PruneSlab);
            for (int t = 0; t < _slabs; t++)
            {
                int first = _pairsOfSlab[t], count = _wideLists[t].Kept, gap = first - length;
                if (gap > 0)
                {
                    new Span<int>(offsets + first, count).CopyTo(new Span<int>(offsets + length, count));
                    for (int s = 8 * _slabStart[t]; s < 8 * _slabStart[t + 1]; s++) rows[s] -= gap;
                }
                length += count;
            }
        }
        rows[OwnedSlots] = length;
        Pairs.Length = length;
        // Kernels read ahead.
        new Span<int>(offsets + length, 4).Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PruneSlab(int slab, int worker)
    {
        var list = _wideLists[slab];
        double* x = X;
        int* starts = list.Starts.Pointer - _slabStart[slab], rows = Pairs.RowStart, to = Pairs.Offset, row = _searchers[worker].Found.Require(Clusters + 32L);
        var reach2 = Lane.Of((Reach + PairSkin) * (Reach + PairSkin));
        int length = _pairsOfSlab[slab];
        for (int c = _slabStart[slab]; c < _slabStart[slab + 1]; c++)
            for (int r = 0; r < 8; r++)
            {
                double* me = x + (24L * c + r);
                Lanes px = Lane.Of(me[0]), py = Lane.Of(me[8]), pz = Lane.Of(me[16]);
                rows[8 * c + r] = length;
                int* last = row + Row(list.Offsets.Pointer + starts[c], list.Rows.Pointer + starts[c], starts[c + 1] - starts[c], r, row) - 1;
                // Two at a time, so that one's arithmetic fills the other's waits; after the end of the row there is room to read.
                for (int* k = row; k <= last; k += 2)
                {
                    int at = k[0], bt = k[1];
                    uint near = Near(x + at, px, py, pz, reach2), other = Near(x + bt, px, py, pz, reach2) & (uint)((long)k - (long)last >> 63);
                    // 1 if any of eight bits is set; a branch would be a coin's toss.
                    to[length] = at;
                    length += (int)(near + 255 >> 8);
                    to[length] = bt;
                    length += (int)(other + 255 >> 8);
                }
            }
        list.Kept = length - _pairsOfSlab[slab];
    }

    /// <summary>Writes the entries of one row, and something after them that may be read as one; sixteen places more are overwritten.</summary>
    /// <returns>Their number.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Row(int* offsets, byte* rows, int count, int r, int* to)
    {
        int length = 0, k = 0;
        if (Avx512F.IsSupported)
        {
            var bit = Vector512.Create(1 << r);
            for (; k < count; k += 16)
            {
                var mask = Vector512.Equals(Avx512F.ConvertToVector512Int32(Vector128.Load(rows + k)) & bit, bit) & Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count - k));
                Avx512F.Compress(Vector512<int>.Zero, mask, Vector512.Load(offsets + k)).Store(to + length);
                length += BitOperations.PopCount(mask.ExtractMostSignificantBits());
            }
            to[length] = 0;
            return length;
        }
        for (; k < count; k++)
        {
            to[length] = offsets[k];
            length += rows[k] >> r & 1;
        }
        to[length] = 0;
        return length;
    }

    /// <summary>Lanes of cluster d within reach of a point.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Near(double* d, Lanes x, Lanes y, Lanes z, Lanes reach2)
    {
        Lanes dx = Vector512.Load(d) - x, dy = Vector512.Load(d + 8) - y, dz = Vector512.Load(d + 16) - z;
        return (uint)Vector512.LessThan(Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)), reach2).ExtractMostSignificantBits();
    }

    private void BuildSlab(int slab, int worker)
    {
        var list = _wideLists[slab];
        int clusters = _slabStart[slab + 1] - _slabStart[slab];
        list.Starts.Require(clusters + 1L);
        (list.Length, list.Entries) = (0, 0);
        // Room as the slab before needed it: growing leaves behind as much again.
        if (_pairsPerCluster > 0) Reserve(list, (int)(_pairsPerCluster * clusters), 0);
        for (int j = 0; j < _owned.CountY; j++) BuildColumn(slab * _owned.CountY + j, list, _slabStart[slab], _searchers[worker]);
        list.Starts.Pointer[clusters] = list.Length;
        if (clusters > 0) _pairsPerCluster = (double)list.Length / clusters;
    }

    /// <summary>Room for entries, which are read sixteen at a time.</summary>
    private static void Reserve(WideList list, int length, int keep)
    {
        list.Offsets.Require(length + 16L, keep);
        list.Rows.Require(length + 16L, keep);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BuildColumn(int column, WideList list, int firstCluster, Searcher searcher)
    {
        double* x = X;
        double reach = Reach + Skin;
        int* starts = list.Starts.Pointer - firstCluster;
        var reach2 = Lane.Of(reach * reach);
        bool masks = Pairs.HasMasks;
        int length = list.Length;
        searcher.Begin(this, column, reach, all: false);
        for (int c = _owned.First[column]; c < _owned.First[column + 1]; c++)
        {
            // The first found is the cluster itself.
            int count = searcher.Search(this, c, reach);
            starts[c] = length;
            Reserve(list, length + count, length);
            int* found = searcher.Found.Pointer, offsets = list.Offsets.Pointer;
            byte* rows = list.Rows.Pointer;
            double* me = x + 24L * c;
            Lanes px = Vector512.Load(me), py = Vector512.Load(me + 8), pz = Vector512.Load(me + 16);
            uint atoms = (uint)Atoms(8 * c).ExtractMostSignificantBits();
            for (int k = 1; k < count; k++)
            {
                // Our eight atoms against one after the other of theirs; the nearest counts.
                int at = 24 * found[k];
                double* other = x + at;
                var least = Lane.Of(double.PositiveInfinity);
                for (int l = 0; l < 8; l++)
                {
                    Lanes dx = px - Lane.Of(other[l]), dy = py - Lane.Of(other[8 + l]), dz = pz - Lane.Of(other[16 + l]);
                    least = Vector512.MinNative(least, Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)));
                }
                uint near = (uint)Vector512.LessThan(least, reach2).ExtractMostSignificantBits() & atoms;
                if (masks) near &= ~RowsMasked(c, at);
                (offsets[length], rows[length]) = (at, (byte)near);
                list.Entries += BitOperations.PopCount(near);
                length += (int)(near + 255 >> 8);
            }
        }
        list.Length = length;
    }

    /// <summary>Calls pair(i, j) for the slots of all pairs of atoms in <see cref="Pairs"/>, nearer than the cutoff or not.</summary>
    internal void EachPair(Action<int, int> pair)
    {
        bool masks = Pairs.HasMasks;
        for (int i = 0; i < OwnedSlots; i++)
        {
            if (Tag[i] < 0) continue;
            Cluster(i, i >> 3, masks ? Pairs.Inside[i] : 0xfe << (i & 7));
            for (int k = masks ? Pairs.MaskedRowStart[i] : 0; masks && k < Pairs.MaskedRowStart[i + 1]; k++) Cluster(i, Pairs.MaskedOffset[k] / 24, Pairs.Mask[k]);
            for (int k = Pairs.RowStart[i]; k < Pairs.RowStart[i + 1]; k++) Cluster(i, Pairs.Offset[k] / 24, 0xff);
        }

        void Cluster(int i, int c, int lanes)
        {
            for (int l = 0; l < 8; l++) if ((lanes >> l & 1) != 0 && Tag[8 * c + l] >= 0) pair(i, 8 * c + l);
        }
    }

    private void BuildAtoms(NeighborList list, double reach, bool full)
    {
        list.Starts.Require(OwnedSlots + 1L);
        list.Length = 0;
        for (int column = 0; column < _owned.CountX * _owned.CountY; column++) BuildAtoms(column, list, reach, full);
        list.Start[OwnedSlots] = list.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BuildAtoms(int column, NeighborList list, double reach, bool full)
    {
        double* x = X;
        int* start = list.Start;
        var reach2 = Lane.Of(reach * reach);
        var lanes = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7);
        int length = list.Length, dummy = Dummy;
        var searcher = _searchers[0];
        searcher.Begin(this, column, reach, full);
        for (int c = _owned.First[column]; c < _owned.First[column + 1]; c++)
        {
            int count = searcher.Search(this, c, reach);
            int* found = searcher.Found.Pointer, index = list.Indices.Require(length + 64L * count + 128, length);
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
                    length += Append(index + length, near, lanes + Vector256.Create(8 * d));
                }
                length = WithoutExcluded(8 * c + r, index, start[8 * c + r], length);
                while ((length & 7) != 0) index[length++] = dummy;
            }
        }
        list.Length = length;
    }

    private static Vector256<int> BitOfLane => Vector256.Create(1, 2, 4, 8, 16, 32, 64, 128);
}
