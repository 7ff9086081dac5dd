using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Quantum.LinearScaling;

/// <summary>What a step of purification says about its matrix; sums over the whole matrix.</summary>
/// <param name="Trace">Tr X of the result.</param>
/// <param name="Square">Tr X² of the result.</param>
/// <param name="Idempotency">‖X − X²‖_F of what went in.</param>
/// <param name="Dropped">Frobenius norm of what was left out of the result: blocks below the threshold, and products too small to reach it.</param>
internal readonly record struct BlockSums(double Trace, double Square, double Idempotency, double Dropped);

/// <summary>
/// A symmetric sparse matrix of 8 × 8 blocks: of each row the blocks from the diagonal on (upper), and transposed copies of those before it (lower).
/// </summary>
/// <remarks>
/// A row of X² is the sum over its blocks X_ik of X_ik times row k, from column i on: each block of the result once, in the order of k, so that neither
/// threads nor ranks change a bit. Blocks stand row by row, a row of a block being one lane vector; 64 multiply-adds for 24 accesses.
/// </remarks>
internal sealed unsafe class BlockMatrix
{
    private const int Block = OrbitalGroups.Size * OrbitalGroups.Size, ChunkRows = 4;

    /// <summary>Blocks of a row by rising column.</summary>
    private struct Row
    {
        public int* Columns;
        public double* Norms;
        public double* Values;
        public int Count;

        /// <summary>Begins at a block of a store.</summary>
        public void Stand(Store store, long at)
        {
            Columns = store.Columns.Pointer + at;
            Norms = store.Norms.Pointer + at;
            Values = store.Values.Pointer + at * Block;
        }

        /// <summary>First block whose column is at least this.</summary>
        public readonly int From(int column)
        {
            int low = 0, high = Count;
            while (low < high)
            {
                int middle = (low + high) >> 1;
                if (Columns[middle] < column) low = middle + 1;
                else high = middle;
            }
            return low;
        }
    }

    private sealed class Store
    {
        public readonly AlignedArray<int> Columns = new();
        public readonly AlignedArray<double> Norms = new(), Values = new();

        public void Require(long count, int keep)
        {
            Columns.Require(count, keep);
            Norms.Require(count, keep);
            Values.Require(count * Block, keep * Block);
        }
    }

    /// <summary>What a thread needs for a row: the place of every column, and the sums.</summary>
    private sealed class Scratch
    {
        public int[] Place = [], Columns = [], Order = [];
        public double*[] Old = [];
        public readonly AlignedArray<double> Sums = new();

        public void Require(int rows)
        {
            if (Place.Length == rows) return;
            (Place, Columns, Order, Old) = (new int[rows], new int[rows], new int[rows], new double*[rows]);
            Array.Fill(Place, -1);
            Sums.Require((long)rows * Block);
        }
    }

    private readonly ThreadTeam _team;
    private readonly Comm _comm;
    private readonly Scratch[] _scratch;
    private readonly Store[] _chunks;
    private readonly Store _lowerStore = new(), _gathered = new();
    private readonly Row[] _upper, _lower;
    private readonly double[] _sums; // four for each row
    private nint[] _sources = [];

    /// <param name="rows">Rows of blocks.</param>
    /// <param name="team">Threads.</param>
    /// <param name="comm">Ranks: each computes a part of the rows, all hold the whole.</param>
    public BlockMatrix(int rows, ThreadTeam team, Comm comm)
    {
        (Rows, _team, _comm) = (rows, team, comm);
        _chunks = [.. Enumerable.Range(0, (rows + ChunkRows - 1) / ChunkRows).Select(_ => new Store())];
        (_upper, _lower, _sums) = (new Row[rows], new Row[rows], new double[4 * rows]);
        _scratch = [.. Enumerable.Range(0, team.Count).Select(_ => new Scratch())];
    }

    /// <summary>Rows of blocks.</summary>
    public int Rows { get; }

    /// <summary>Blocks of the upper half.</summary>
    public long Blocks => _upper.Sum(r => (long)r.Count);

    /// <summary>The block (row, column), row ≤ column, row by row; null where there is none.</summary>
    public double* Find(int row, int column)
    {
        ref readonly var r = ref _upper[row];
        int at = r.From(column);
        return at < r.Count && r.Columns[at] == column ? r.Values + (long)at * Block : null;
    }

    /// <summary>Takes a matrix given by its blocks.</summary>
    /// <param name="rows">For each row the columns from the diagonal on, rising, with their blocks.</param>
    public BlockSums Fill(SortedDictionary<int, double[]>[] rows)
    {
        Array.Clear(_sums);
        for (int chunk = 0; chunk < _chunks.Length; chunk++)
        {
            int first = chunk * ChunkRows, last = Math.Min(Rows, first + ChunkRows), count = 0;
            var store = _chunks[chunk];
            store.Require(rows[first..last].Sum(r => (long)r.Count), 0);
            for (int i = first; i < last; i++)
            {
                int before = count;
                foreach (var (column, block) in rows[i])
                {
                    block.CopyTo(new Span<double>(store.Values.Pointer + (long)count * Block, Block));
                    Keep(store, ref count, i, column, 0);
                }
                _upper[i].Count = count - before;
            }
            Place(store, first, last);
        }
        Mirror();
        return Sum();
    }

    /// <summary>This ← a X² + b X + c 1, without blocks whose norm is below the threshold.</summary>
    /// <param name="x">X.</param>
    /// <param name="polynomial">a, b, c.</param>
    /// <param name="threshold">Norm below which a block off the diagonal is left out.</param>
    public BlockSums Step(BlockMatrix x, (double A, double B, double C) polynomial, double threshold)
    {
        Array.Clear(_sums);
        int share = (_chunks.Length + _comm.Size - 1) / _comm.Size, begin = Math.Min(_chunks.Length, _comm.Rank * share), end = Math.Min(_chunks.Length, begin + share);
        _team.Run(end - begin, (task, worker) =>
        {
            int chunk = begin + task, first = chunk * ChunkRows, last = Math.Min(Rows, first + ChunkRows), count = 0;
            var scratch = _scratch[worker];
            scratch.Require(Rows);
            for (int i = first; i < last; i++)
            {
                int before = count;
                Multiply(x, i, polynomial, threshold, scratch, _chunks[chunk], ref count);
                _upper[i].Count = count - before;
            }
            Place(_chunks[chunk], first, last);
        });
        if (_comm.Size > 1) Gather(Math.Min(Rows, begin * ChunkRows), Math.Min(Rows, end * ChunkRows));
        Mirror();
        return Sum();
    }

    private void Multiply(BlockMatrix x, int i, (double A, double B, double C) polynomial, double threshold, Scratch scratch, Store store, ref int count)
    {
        // Products below this cannot matter: a few hundred of them, of either sign, stay below the threshold.
        double least = 0.01 * threshold, lost = 0;
        int places = 0;
        double* sums = scratch.Sums.Pointer;
        int[] place = scratch.Place, columns = scratch.Columns;
        int At(int column)
        {
            int p = place[column];
            if (p >= 0) return p;
            place[column] = places;
            columns[places] = column;
            scratch.Old[places] = null;
            new Span<double>(sums + (long)places * Block, Block).Clear();
            return places++;
        }
        ref readonly var own = ref x._upper[i];
        for (int t = 0; t < own.Count; t++)
        {
            int p = At(own.Columns[t]);
            scratch.Old[p] = own.Values + (long)t * Block;
        }
        for (int half = 0; half < 2; half++)
        {
            var row = half == 0 ? x._lower[i] : own;
            for (int t = 0; t < row.Count; t++)
            {
                int k = row.Columns[t];
                double* a = row.Values + (long)t * Block;
                double norm = row.Norms[t];
                for (int part = k <= i ? 1 : 0; part < 2; part++)
                {
                    ref readonly var right = ref (part == 0 ? ref x._lower[k] : ref x._upper[k]);
                    for (int u = k > i && part == 1 ? 0 : right.From(i); u < right.Count; u++)
                    {
                        double size = norm * right.Norms[u];
                        if (size < least) lost += size * size;
                        else AddProduct(a, right.Values + (long)u * Block, sums + (long)At(right.Columns[u]) * Block);
                    }
                }
            }
        }
        var order = scratch.Order.AsSpan(0, places);
        for (int p = 0; p < places; p++)
        {
            order[p] = p;
            place[columns[p]] = -1;
        }
        columns.AsSpan(0, places).Sort(order);
        store.Require(count + places, count);
        double* zero = stackalloc double[Block];
        new Span<double>(zero, Block).Clear();
        double idempotency = 0;
        Lanes a2 = Lane.Of(polynomial.A), a1 = Lane.Of(polynomial.B);
        for (int t = 0; t < places; t++)
        {
            double* c = sums + (long)order[t] * Block, old = scratch.Old[order[t]], to = store.Values.Pointer + (long)count * Block;
            if (old == null) old = zero;
            Lanes error = default;
            for (int r = 0; r < Block; r += Lane.Width)
            {
                Lanes product = Vector512.Load(c + r), before = Vector512.Load(old + r), difference = before - product;
                error = Lane.Fma(difference, difference, error);
                Vector512.Store(Lane.Fma(a2, product, a1 * before), to + r);
            }
            if (columns[t] == i)
                for (int m = 0; m < OrbitalGroups.Size; m++) to[m * (OrbitalGroups.Size + 1)] += polynomial.C;
            idempotency += (columns[t] == i ? 1 : 2) * Vector512.Sum(error);
            Keep(store, ref count, i, columns[t], threshold);
        }
        _sums[4 * i + 2] = idempotency;
        _sums[4 * i + 3] += 2 * lost;
    }

    /// <summary>Adds the block that stands at the end of the store to a row, unless it is too small.</summary>
    private void Keep(Store store, ref int count, int row, int column, double threshold)
    {
        double* block = store.Values.Pointer + (long)count * Block;
        Lanes sum = default;
        for (int r = 0; r < Block; r += Lane.Width) sum = Lane.Fma(Vector512.Load(block + r), Vector512.Load(block + r), sum);
        double square = Vector512.Sum(sum), norm = Math.Sqrt(square);
        if (row == column)
            for (int m = 0; m < OrbitalGroups.Size; m++) _sums[4 * row] += block[m * (OrbitalGroups.Size + 1)];
        else if (norm < threshold || norm == 0)
        {
            _sums[4 * row + 3] += 2 * square;
            return;
        }
        _sums[4 * row + 1] += (row == column ? 1 : 2) * square;
        (store.Columns.Pointer[count], store.Norms.Pointer[count]) = (column, norm);
        count++;
    }

    /// <summary>C += A B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProduct(double* a, double* b, double* c)
    {
        Lanes c0 = Vector512.Load(c), c1 = Vector512.Load(c + 8), c2 = Vector512.Load(c + 16), c3 = Vector512.Load(c + 24);
        Lanes c4 = Vector512.Load(c + 32), c5 = Vector512.Load(c + 40), c6 = Vector512.Load(c + 48), c7 = Vector512.Load(c + 56);
        for (int m = 0; m < 8; m++)
        {
            Lanes x = Vector512.Load(b + 8 * m);
            c0 = Lane.Fma(Lane.Of(a[m]), x, c0);
            c1 = Lane.Fma(Lane.Of(a[m + 8]), x, c1);
            c2 = Lane.Fma(Lane.Of(a[m + 16]), x, c2);
            c3 = Lane.Fma(Lane.Of(a[m + 24]), x, c3);
            c4 = Lane.Fma(Lane.Of(a[m + 32]), x, c4);
            c5 = Lane.Fma(Lane.Of(a[m + 40]), x, c5);
            c6 = Lane.Fma(Lane.Of(a[m + 48]), x, c6);
            c7 = Lane.Fma(Lane.Of(a[m + 56]), x, c7);
        }
        Vector512.Store(c0, c);
        Vector512.Store(c1, c + 8);
        Vector512.Store(c2, c + 16);
        Vector512.Store(c3, c + 24);
        Vector512.Store(c4, c + 32);
        Vector512.Store(c5, c + 40);
        Vector512.Store(c6, c + 48);
        Vector512.Store(c7, c + 56);
    }

    /// <summary>Rows first … last − 1 stand one after the other in a store; their counts are known.</summary>
    private void Place(Store store, int first, int last)
    {
        long at = 0;
        for (int i = first; i < last; i++)
        {
            ref var row = ref _upper[i];
            row.Stand(store, at);
            at += row.Count;
        }
    }

    /// <summary>Gives every rank the rows of all.</summary>
    private void Gather(int first, int last)
    {
        var counts = new int[last - first];
        for (int i = first; i < last; i++) counts[i - first] = _upper[i].Count;
        int total = counts.Sum();
        int[] columns = new int[total];
        double[] norms = new double[total], values = new double[checked(total * Block)];
        int at = 0;
        for (int i = first; i < last; i++)
        {
            ref readonly var row = ref _upper[i];
            new Span<int>(row.Columns, row.Count).CopyTo(columns.AsSpan(at));
            new Span<double>(row.Norms, row.Count).CopyTo(norms.AsSpan(at));
            new Span<double>(row.Values, row.Count * Block).CopyTo(values.AsSpan(at * Block));
            at += row.Count;
        }
        var (allCounts, _) = _comm.AllGather<int>(counts);
        var (allColumns, _) = _comm.AllGather<int>(columns);
        var (allNorms, _) = _comm.AllGather<double>(norms);
        var (allValues, _) = _comm.AllGather<double>(values);
        _gathered.Require(allColumns.Length, 0);
        allColumns.CopyTo(_gathered.Columns.Span(allColumns.Length));
        allNorms.CopyTo(_gathered.Norms.Span(allNorms.Length));
        allValues.CopyTo(_gathered.Values.Span(allValues.Length));
        for (int i = 0; i < Rows; i++) _upper[i].Count = allCounts[i];
        Place(_gathered, 0, Rows);
        _comm.AllReduceSum(_sums); // one rank has a row's sums, the others zeros
    }

    /// <summary>Makes the lower half.</summary>
    private void Mirror()
    {
        for (int i = 0; i < Rows; i++) _lower[i].Count = 0;
        long total = 0;
        for (int i = 0; i < Rows; i++)
            for (int t = 0; t < _upper[i].Count; t++)
                if (_upper[i].Columns[t] != i)
                {
                    _lower[_upper[i].Columns[t]].Count++;
                    total++;
                }
        _lowerStore.Require(total, 0);
        if (_sources.Length < total) _sources = new nint[total + total / 8];
        long at = 0;
        for (int i = 0; i < Rows; i++)
        {
            ref var row = ref _lower[i];
            row.Stand(_lowerStore, at);
            at += row.Count;
            row.Count = 0;
        }
        for (int i = 0; i < Rows; i++)
            for (int t = 0; t < _upper[i].Count; t++)
            {
                int j = _upper[i].Columns[t];
                if (j == i) continue;
                ref var row = ref _lower[j];
                (row.Columns[row.Count], row.Norms[row.Count]) = (i, _upper[i].Norms[t]);
                _sources[(row.Columns - _lowerStore.Columns.Pointer) + row.Count++] = (nint)(_upper[i].Values + (long)t * Block);
            }
        _team.Run(_chunks.Length, (chunk, _) =>
        {
            for (int i = chunk * ChunkRows; i < Math.Min(Rows, (chunk + 1) * ChunkRows); i++)
            {
                ref readonly var row = ref _lower[i];
                long start = row.Columns - _lowerStore.Columns.Pointer;
                for (int t = 0; t < row.Count; t++)
                {
                    double* from = (double*)_sources[start + t], to = row.Values + (long)t * Block;
                    for (int r = 0; r < OrbitalGroups.Size; r++)
                        for (int c = 0; c < OrbitalGroups.Size; c++) to[r * OrbitalGroups.Size + c] = from[c * OrbitalGroups.Size + r];
                }
            }
        });
    }

    private BlockSums Sum()
    {
        double trace = 0, square = 0, idempotency = 0, dropped = 0;
        for (int i = 0; i < Rows; i++)
        {
            trace += _sums[4 * i];
            square += _sums[4 * i + 1];
            idempotency += _sums[4 * i + 2];
            dropped += _sums[4 * i + 3];
        }
        return new BlockSums(trace, square, Math.Sqrt(idempotency), Math.Sqrt(dropped));
    }
}
