using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>A kernel whose lanes are central atoms, in one of the two precisions.</summary>
internal abstract class Shells
{
    /// <summary>The domain's slots changed.</summary>
    public abstract void Forget();

    /// <summary>Adds forces to <see cref="Domain.F"/> and the energy to the tally.</summary>
    public abstract void Compute(Domain domain, ref Tally tally);
}

/// <summary>
/// Kernels whose lanes are central atoms, on the neighbours that really are within the cutoff: group g has <see cref="Wide{T}.Width"/> centres,
/// <c>Centers[g·W + lane]</c>, and its neighbours lie in layers <c>First[g] … First[g + 1] − 1</c>, <c>Neighbors[layer·W + lane]</c>. Lanes that have
/// fewer neighbours than others of their group see a dummy, far away.
/// </summary>
/// <remarks>
/// Three stages, since the second neighbours of silicon sit just outside its cutoff, where any skin is filled up in vain: the domain's list (rarely
/// built), rows within cutoff + margin (when an atom has moved half the margin), and every time an exact filter that also puts centres with equally
/// many neighbours together, within windows of 64 atoms of a tile. Positions and forces are rows of four numbers, the fourth the type.
/// </remarks>
internal abstract unsafe class Shells<T> : Shells where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const int Window = 64;

    /// <summary>What the rows between hold beyond the cutoff, Å; rounding of positions in single precision included.</summary>
    private const double Margin = 0.45, Slack = 1e-3;

    private readonly int _types, _kept, _fixed;
    private readonly AlignedArray<T> _filter = new(), _prune = new(), _rows = new(), _forces = new();
    private readonly AlignedArray<double> _reference = new();
    private readonly Action<int, int> _push, _pull;
    private readonly Action<Domain.Tile> _run;
    private Close[] _close = []; // of each tile
    private Scratch[] _scratch = []; // of each thread
    private double[] _energies = [];
    private Domain _domain = null!;
    private bool _stale = true, _pruning;

    /// <summary>Rows between, of a tile: neighbours of its slot s from <c>Index[Start[s]]</c> on.</summary>
    private sealed class Close
    {
        public readonly AlignedArray<int> Start = new(), Index = new();
        public int Longest;
    }

    /// <summary>Groups of one tile and a kernel's numbers. Of one thread.</summary>
    protected sealed class Scratch
    {
        internal readonly AlignedArray<int> Found = new(), Histogram = new(), AllCenters = new(), AllFirst = new(), AllNeighbors = new();
        internal readonly AlignedArray<T> Numbers = new();
        internal int Dummy, Deepest, Shift;

        /// <summary>Groups of centres.</summary>
        public int Groups { get; internal set; }

        /// <summary>Slots of the centres; lanes without one have a dummy other than that of their neighbours.</summary>
        public int* Centers => AllCenters.Pointer;

        /// <summary>First layer of each group, and the end.</summary>
        public int* First => AllFirst.Pointer;

        /// <summary>Slots of the neighbours.</summary>
        public int* Neighbors => AllNeighbors.Pointer;

        /// <summary>Room for the numbers of a group.</summary>
        public T* Buffer => Numbers.Pointer;
    }

    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="cut">Cutoff of a neighbour of type j around a centre of type i at i·T + j, Å.</param>
    /// <param name="kept">Vectors that the kernel keeps per layer.</param>
    /// <param name="others">Vectors that it keeps besides, after those of one layer more than there are.</param>
    protected Shells(int types, double[] cut, int kept, int others = 0)
    {
        (_types, _kept, _fixed) = (types, kept, others);
        (_push, _pull, _run) = (Push, Pull, Run);
        T* filter = _filter.Require(cut.Length + 16), prune = _prune.Require(cut.Length + 16);
        for (int k = 0; k < cut.Length; k++)
        {
            filter[k] = T.CreateTruncating(cut[k] * cut[k]);
            prune[k] = T.CreateTruncating(cut[k] > 0 ? Math.Pow(cut[k] + Margin + Slack, 2) : 0);
        }
    }

    /// <summary>Positions and types, a row of four numbers each slot.</summary>
    protected T* Rows => _rows.Pointer;

    /// <summary>Forces that kernels add to, a row of four numbers each slot.</summary>
    protected T* Forces => _forces.Pointer;

    public sealed override void Forget() => _stale = true;

    /// <summary>Adds the forces of all groups to <see cref="Forces"/>.</summary>
    /// <param name="groups">Groups.</param>
    /// <param name="energy">Their energy, eV.</param>
    /// <returns>Bytes by which vectors on the stack are beyond a multiple of 64.</returns>
    protected abstract int Run(Scratch groups, out double energy);

    public sealed override void Compute(Domain d, ref Tally tally)
    {
        _domain = d;
        int threads = d.Team.Count, clusters = d.Clusters;
        while (_scratch.Length < threads) _scratch = [.. _scratch, new Scratch()];
        while (_close.Length < d.Slabs) _close = [.. _close, new Close()];
        if (_energies.Length < d.Slabs) _energies = new double[d.Slabs];
        // Dummies of each thread at the end: it costs time when two write to one line of the cache.
        long size = 32L * (clusters + threads) + 64;
        bool grown = _forces.Capacity < size;
        _rows.Require(size);
        T* forces = _forces.Require(size);
        // Pull leaves zeros behind; slots may be others after a change.
        if (grown || _stale) NativeMemory.Clear(forces, (nuint)(size * sizeof(T)));
        _pruning = _stale;
        d.RunBlocks(clusters, _push);
        for (int t = 0; t < threads; t++)
        {
            _scratch[t].Dummy = d.Dummy + 8 * t;
            Push(d.X + 24L * clusters, d.Type + 8L * clusters, Rows + 32L * (clusters + t));
        }
        if (_pruning) new Span<double>(d.X, 24 * clusters).CopyTo(new Span<double>(_reference.Require(24L * clusters), 24 * clusters));
        d.RunSlabs(_run);
        _stale = false;
        for (int t = 0; t < d.Slabs; t++) tally.Energy += _energies[t];
        d.RunBlocks(clusters, _pull);
        // Forces on dummies count for nothing.
        NativeMemory.Clear(Forces + 32L * clusters, (nuint)(32 * threads * sizeof(T)));
    }

    private void Run(Domain.Tile tile)
    {
        var (close, scratch) = (_close[tile.Index], _scratch[tile.Worker]);
        if (_types == 1) Select<OneType>(tile, close, scratch);
        else Select<ManyTypes>(tile, close, scratch);
        scratch.Numbers.Require(((long)_kept * (scratch.Deepest + 1) + _fixed) * Wide<T>.Width);
        // Vectors that find no register live on the stack. Where it does not start on a line of the cache each of them straddles two, at twice the
        // time: so it is shifted by what the last call found.
        byte* shift = stackalloc byte[scratch.Shift + 1];
        *shift = 0;
        int astray = Run(scratch, out _energies[tile.Index]);
        scratch.Shift = scratch.Shift + astray & 63;
    }

    private void Select<TTypes>(Domain.Tile tile, Close close, Scratch scratch) where TTypes : struct, ITypeCount
    {
        if (_pruning) Prune<TTypes>(_domain, tile, close);
        Filter<TTypes>(_domain, tile, close, scratch);
    }

    /// <summary>Rows of clusters, and whether an atom of theirs moved more than half the margin since the rows between were made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Push(int first, int end)
    {
        double* x = _domain.X + 24L * first, r = _reference.Pointer + 24L * first;
        int* type = _domain.Type + 8L * first;
        T* rows = Rows + 32L * first;
        Lanes limit = Lane.Of(0.25 * Margin * Margin), far = Lanes.Zero;
        bool compare = !_stale;
        for (int c = first; c < end; c++, x += 24, r += 24, type += 8, rows += 32)
        {
            Push(x, type, rows);
            if (!compare) continue;
            Lanes dx = Vector512.Load(x) - Vector512.Load(r), dy = Vector512.Load(x + 8) - Vector512.Load(r + 8), dz = Vector512.Load(x + 16) - Vector512.Load(r + 16);
            // Not "greater": a NaN counts as moved.
            far |= ~Vector512.LessThanOrEqual(Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)), limit);
        }
        if (Lane.Bits(far) != 0) _pruning = true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Push(double* x, int* type, T* rows)
    {
        Lanes a = Vector512.Load(x), b = Vector512.Load(x + 8), z = Vector512.Load(x + 16);
        if (typeof(T) == typeof(double))
        {
            var (low, high) = Vector256.Widen(Vector256.Load(type));
            Potentials.Rows.Store4(a, b, z, Vector512.Create(low, high).AsDouble(), (double*)rows);
        }
        else if (!Avx512F.IsSupported)
        {
            for (int l = 0; l < 8; l++)
            {
                (rows[4 * l], rows[4 * l + 1], rows[4 * l + 2]) = (T.CreateTruncating(a[l]), T.CreateTruncating(b[l]), T.CreateTruncating(z[l]));
                ((int*)rows)[4 * l + 3] = type[l];
            }
        }
        else
        {
            float* to = (float*)rows;
            Vector256<float> fx = Avx512F.ConvertToVector256Single(a), fy = Avx512F.ConvertToVector256Single(b), fz = Avx512F.ConvertToVector256Single(z);
            var t = Vector256.Load(type).AsSingle();
            Vector256<double> xyLow = Avx.UnpackLow(fx, fy).AsDouble(), xyHigh = Avx.UnpackHigh(fx, fy).AsDouble();
            Vector256<double> zwLow = Avx.UnpackLow(fz, t).AsDouble(), zwHigh = Avx.UnpackHigh(fz, t).AsDouble();
            Vector256<double> r04 = Avx.UnpackLow(xyLow, zwLow), r15 = Avx.UnpackHigh(xyLow, zwLow), r26 = Avx.UnpackLow(xyHigh, zwHigh), r37 = Avx.UnpackHigh(xyHigh, zwHigh);
            r04.GetLower().AsSingle().Store(to);
            r15.GetLower().AsSingle().Store(to + 4);
            r26.GetLower().AsSingle().Store(to + 8);
            r37.GetLower().AsSingle().Store(to + 12);
            r04.GetUpper().AsSingle().Store(to + 16);
            r15.GetUpper().AsSingle().Store(to + 20);
            r26.GetUpper().AsSingle().Store(to + 24);
            r37.GetUpper().AsSingle().Store(to + 28);
        }
    }

    /// <summary>Adds the forces to those of the domain and leaves zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pull(int first, int end)
    {
        double* f = _domain.F + 24L * first;
        T* forces = Forces + 32L * first;
        int* eight = stackalloc int[16];
        for (int l = 0; l < 16; l++) eight[l] = l;
        int step = Wide<T>.Width;
        for (int s = 8 * first; s < 8 * end; s += step, forces += 4 * step, f += 3 * step)
        {
            Wide<T>.LoadRows(forces, eight, out var x, out var y, out var z, out _);
            for (int k = 0; k < 4; k++) Vector512.Store(Vector512<T>.Zero, forces + k * step);
            if (typeof(T) == typeof(double)) Add(f, x.AsDouble(), y.AsDouble(), z.AsDouble());
            else
            {
                var (x0, x1) = Vector512.Widen(x.AsSingle());
                var (y0, y1) = Vector512.Widen(y.AsSingle());
                var (z0, z1) = Vector512.Widen(z.AsSingle());
                Add(f, x0, y0, z0);
                // After the last cluster there are dummies.
                if (s + 8 < 8 * end) Add(f + 24, x1, y1, z1);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Add(double* f, Lanes x, Lanes y, Lanes z)
        {
            (Vector512.Load(f) + x).Store(f);
            (Vector512.Load(f + 8) + y).Store(f + 8);
            (Vector512.Load(f + 16) + z).Store(f + 16);
        }
    }

    /// <summary>Rows of the domain's list within cutoff + margin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Prune<TTypes>(Domain d, Domain.Tile tile, Close close) where TTypes : struct, ITypeCount
    {
        int width = Wide<T>.Width, length = 0, longest = 0, dummy = d.Dummy, first = 8 * tile.First, end = 8 * tile.End;
        int* starts = close.Start.Require(end - first + 1L) - first, start = d.Full.Start, index = d.Full.Index;
        T* rows = Rows;
        int* part = stackalloc int[16];
        var limit = Vector512.Create(_prune.Pointer[0]);
        for (int i = first; i < end; i++)
        {
            starts[i] = length;
            int* to = close.Index.Require(length + (start[i + 1] - start[i]) + 32L, length);
            T* row = rows + 4L * i, limits = _prune.Pointer + d.Type[i] * _types;
            Vector512<T> x = Vector512.Create(row[0]), y = Vector512.Create(row[1]), z = Vector512.Create(row[2]);
            for (int k = start[i]; k < start[i + 1]; k += width)
            {
                int* p = index + k;
                if (k + width > start[i + 1])
                {
                    // Rows of the list are multiples of eight, not of sixteen.
                    Vector256.Load(p).Store(part);
                    Vector256.Create(dummy).Store(part + 8);
                    p = part;
                }
                length += Keep<TTypes>(rows, p, x, y, z, limit, limits, to + length);
            }
            longest = Math.Max(longest, length - starts[i]);
            while ((length - starts[i]) % width != 0) to[length++] = dummy;
        }
        starts[end] = length;
        close.Longest = longest;
    }

    /// <summary>Writes those of a vector's neighbours that are within the cutoff for their types, and any numbers after them; returns how many they are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Keep<TTypes>(T* rows, int* p, Vector512<T> x, Vector512<T> y, Vector512<T> z, Vector512<T> limit, T* limits, int* to) where TTypes : struct, ITypeCount
    {
        Wide<T>.LoadRows(rows, p, out var dx, out var dy, out var dz, out var type);
        dx -= x;
        dy -= y;
        dz -= z;
        if (typeof(TTypes) != typeof(OneType)) limit = Wide<T>.Lookup(limits, _types, type);
        var mask = Vector512.LessThan(Wide<T>.Dot(dx, dy, dz, dx, dy, dz), limit);
        ulong bits = Vector512.ExtractMostSignificantBits(mask);
        if (!Avx512F.VL.IsSupported)
        {
            int n = 0;
            for (; bits != 0; bits &= bits - 1) to[n++] = p[BitOperations.TrailingZeroCount(bits)];
            return n;
        }
        if (typeof(T) == typeof(double))
            Avx512F.VL.Compress(Vector256<int>.Zero, Avx512F.ConvertToVector256Int32(mask.AsInt64()), Vector256.Load(p)).Store(to);
        else
            Avx512F.Compress(Vector512<int>.Zero, mask.AsInt32(), Vector512.Load(p)).Store(to);
        return BitOperations.PopCount(bits);
    }

    /// <summary>The exact neighbours, in groups.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Filter<TTypes>(Domain d, Domain.Tile tile, Close rowsBetween, Scratch scratch) where TTypes : struct, ITypeCount
    {
        int width = Wide<T>.Width, dummy = scratch.Dummy, begin = 8 * tile.First, slots = 8 * tile.End - begin, stride = (rowsBetween.Longest + 15) / 16 * 16 + 32;
        int* found = scratch.Found.Require((Window + 1L) * stride), centers = scratch.AllCenters.Require(slots + 2L * Window), first = scratch.AllFirst.Require(slots / width + slots / Window + 4L);
        int* starts = rowsBetween.Start.Pointer - begin, close = rowsBetween.Index.Pointer, tag = d.Tag, type = d.Type;
        int* counts = stackalloc int[Window], members = stackalloc int[Window], order = stackalloc int[Window];
        int* histogram = scratch.Histogram.Require(stride + 1L);
        int** rowsOf = stackalloc int*[8];
        var padding = Vector512.Create(dummy);
        T* rows = Rows;
        var limit = Vector512.Create(_filter.Pointer[0]);
        // Lanes without centre, far from the dummies they have as neighbours.
        int* none = found + Window * stride;
        for (int k = 0; k < stride; k++) none[k] = dummy;
        int groups = 0, layers = 0, deepest = 0;
        for (int w = begin; w < begin + slots; w += Window)
        {
            int n = 0, end = Math.Min(w + Window, begin + slots);
            for (int k = 0; k <= stride; k++) histogram[k] = 0;
            for (int i = w; i < end; i++)
            {
                if (tag[i] < 0) continue;
                T* row = rows + 4L * i, limits = _filter.Pointer + type[i] * _types;
                Vector512<T> x = Vector512.Create(row[0]), y = Vector512.Create(row[1]), z = Vector512.Create(row[2]);
                int* to = found + n * stride;
                int count = 0;
                for (int k = starts[i]; k < starts[i + 1]; k += width) count += Keep<TTypes>(rows, close + k, x, y, z, limit, limits, to + count);
                padding.Store(to + count);
                (members[n], counts[n]) = (i, count);
                histogram[count]++;
                n++;
            }
            // Many neighbours first.
            for (int k = stride, sum = 0; k >= 0; k--) (histogram[k], sum) = (sum, sum + histogram[k]);
            for (int m = 0; m < n; m++) order[histogram[counts[m]]++] = m;
            for (int m = 0; m < n; m += width)
            {
                int depth = counts[order[m]];
                if (depth == 0) break;
                first[groups] = layers;
                int* to = scratch.AllNeighbors.Require((layers + depth + 16L) * width, layers * width) + (long)layers * width;
                for (int h = 0; h < width; h += 8)
                {
                    for (int l = 0; l < 8; l++)
                    {
                        bool real = m + h + l < n;
                        int member = real ? order[m + h + l] : Window;
                        centers[groups * width + h + l] = real ? members[member] : dummy + 1;
                        rowsOf[l] = found + member * stride;
                        for (int k = real ? counts[member] + 16 : depth + 8; k < depth + 8; k++) rowsOf[l][k] = dummy;
                    }
                    for (int k = 0; k < depth; k += 8) Turn(rowsOf, k, to + k * width + h, width);
                }
                layers += depth;
                deepest = Math.Max(deepest, depth);
                groups++;
            }
        }
        first[groups] = layers;
        (scratch.Groups, scratch.Deepest) = (groups, deepest);
    }

    /// <summary>Eight entries of eight rows, turned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn(int** rows, int k, int* to, int step)
    {
        if (!Avx2.IsSupported)
        {
            for (int l = 0; l < 8; l++)
                for (int j = 0; j < 8; j++) to[j * step + l] = rows[l][k + j];
            return;
        }
        Vector256<int> a = Vector256.Load(rows[0] + k), b = Vector256.Load(rows[1] + k), c = Vector256.Load(rows[2] + k), d = Vector256.Load(rows[3] + k);
        Vector256<int> e = Vector256.Load(rows[4] + k), f = Vector256.Load(rows[5] + k), g = Vector256.Load(rows[6] + k), h = Vector256.Load(rows[7] + k);
        Vector256<long> ab0 = Avx2.UnpackLow(a, b).AsInt64(), ab1 = Avx2.UnpackHigh(a, b).AsInt64(), cd0 = Avx2.UnpackLow(c, d).AsInt64(), cd1 = Avx2.UnpackHigh(c, d).AsInt64();
        Vector256<long> ef0 = Avx2.UnpackLow(e, f).AsInt64(), ef1 = Avx2.UnpackHigh(e, f).AsInt64(), gh0 = Avx2.UnpackLow(g, h).AsInt64(), gh1 = Avx2.UnpackHigh(g, h).AsInt64();
        Both(Avx2.UnpackLow(ab0, cd0), Avx2.UnpackLow(ef0, gh0), to, step);
        Both(Avx2.UnpackHigh(ab0, cd0), Avx2.UnpackHigh(ef0, gh0), to + step, step);
        Both(Avx2.UnpackLow(ab1, cd1), Avx2.UnpackLow(ef1, gh1), to + 2 * step, step);
        Both(Avx2.UnpackHigh(ab1, cd1), Avx2.UnpackHigh(ef1, gh1), to + 3 * step, step);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static void Both(Vector256<long> left, Vector256<long> right, int* to, int step)
        {
            Avx2.Permute2x128(left, right, 0x20).AsInt32().Store(to);
            Avx2.Permute2x128(left, right, 0x31).AsInt32().Store(to + 4 * step);
        }
    }
}
