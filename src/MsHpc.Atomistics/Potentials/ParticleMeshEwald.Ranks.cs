using System.Runtime.Intrinsics;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics.Potentials;

/// <remarks>
/// <para>Ranks: each spreads its own atoms on its brick, the part of the mesh that their splines reach; bricks are added to slabs, ranges of the second axis, in which the first
/// transform is done; the waves go, transposed, to planes of the first axis for the other two, and all back again. That is two exchanges of the
/// half-spectrum and two of the bricks' surfaces a step. The second axis is the direction that ranks cut most, so that a brick is its own slab but for the reach
/// of the splines. More ranks than points along the second axis, or planes along the first, have nothing to do in the transforms.</para>
/// <para>One rank: brick and slab are the whole mesh, nothing is copied.</para>
/// </remarks>
public sealed unsafe partial class ParticleMeshEwald
{
    /// <summary>Points of a periodic axis: <paramref name="Count"/> from <paramref name="First"/> on.</summary>
    private record struct Range(int First, int Count);

    private Comm? _comm;
    private (int, int, int) _grid;
    private int[] _axes = [0, 1, 2], _slabOf = [], _ranks = [], _outStart = [], _inStart = [];
    private Range[] _bricks = []; // three of each rank
    private double[] _reaches = [];
    private readonly Range[] _brick = new Range[3];
    private readonly AlignedArray<double> _own = new(), _outgoing = new(), _incoming = new();
    private int _rank, _size, _brickRow;
    private bool _outside;

    /// <summary>First point of a rank's slab along the second axis.</summary>
    private int Slab(int rank) => (int)((long)rank * _n1 / _size);

    /// <summary>First plane of a rank.</summary>
    private int Planes(int rank) => (int)((long)rank * (_n0 / 2 + 1) / _size);

    private double* Brick => _size == 1 ? _mesh.Pointer : _own.Pointer;

    /// <inheritdoc/>
    public override void Prepare(Domain domain)
    {
        if (domain.Comm != _comm || domain.Grid != _grid) Share(domain.Comm, domain.Grid);
        _outside = false;
        if (_size == 1) return;
        for (int k = 0; k < 3; k++) _brick[k] = Reach(domain, k);
        // Everybody's bricks: each rank knows its own, the others' come as the larger number. A gather would allocate.
        Array.Fill(_reaches, -1);
        for (int k = 0; k < 3; k++) (_reaches[6 * _rank + 2 * k], _reaches[6 * _rank + 2 * k + 1]) = (_brick[k].First, _brick[k].Count);
        _comm!.AllReduceMax(_reaches);
        for (int b = 0; b < _bricks.Length; b++) _bricks[b] = new((int)_reaches[2 * b], (int)_reaches[2 * b + 1]);
        _brickRow = _brick[2].Count + Halo(Order);
        long points = (long)_brick[0].Count * _brick[1].Count * _brickRow;
        // A plane more in each direction next time shall not need new memory.
        if (_own.Capacity < points) _own.Require((_brick[0].Count + 2L) * (_brick[1].Count + 2L) * (_brickRow + 2L));
    }

    /// <summary>The points under the splines of own atoms until lists are made anew.</summary>
    private Range Reach(Domain d, int k)
    {
        int n = _points[_axes[k]];
        double low = double.PositiveInfinity, high = double.NegativeInfinity, slope = 0;
        for (int s = 0; s < d.OwnedSlots; s++)
        {
            if (d.Tag[s] < 0) continue;
            double* x = d.X + s / 8 * 24 + s % 8;
            var (a, b, c) = d.Cell.Fractional(x[0], x[8], x[16]);
            double f = _axes[k] switch { 0 => a, 1 => b, _ => c };
            (low, high) = (Math.Min(low, f), Math.Max(high, f));
        }
        if (!(high >= low)) return new(0, Order);
        for (int j = 0; j < 3; j++) slope += Math.Pow(d.Cell.Reciprocal[3 * _axes[k] + j], 2);
        // An atom moves by half the skin before lists are made anew; one point more for those who look around without a step.
        int margin = (int)Math.Ceiling(0.5 * d.Skin * Math.Sqrt(slope) * n) + 1;
        double first = Math.Floor(low * n) - margin, count = Math.Floor(high * n) + margin + Order - first;
        return count >= n ? new(0, n) : new((int)(first - n * Math.Floor(first / n)), (int)count);
    }

    /// <summary>Slabs and planes.</summary>
    private void Share(Comm comm, (int A, int B, int C) grid)
    {
        (_comm, _grid, _rank, _size, _cell) = (comm, grid, comm.Rank, comm.Size, null);
        int most = Math.Max(grid.A, Math.Max(grid.B, grid.C));
        _axes = _size == 1 ? [0, 1, 2] : grid.A == most ? [1, 0, 2] : grid.B == most ? [0, 1, 2] : [0, 2, 1];
        (_n0, _n1, _n2) = (_points[_axes[0]], _points[_axes[1]], _points[_axes[2]]);
        (_fft0, _fft1, _fft2) = (new LaneFft(_n0), new LaneFft(_n1), new LaneFft(_n2));
        _euler = [Euler(_n0, Order), Euler(_n1, Order), Euler(_n2, Order)];
        _rowBlocks = Lane.Blocks(_n2);
        _columnBlocks = Lane.Blocks(_n1);
        _row = 8 * _rowBlocks + Halo(Order);
        int slab = Slab(_rank + 1) - Slab(_rank), planes = Planes(_rank + 1) - Planes(_rank);
        _mesh.Require((long)_n0 * slab * _row);
        _waves.Require((long)planes * _n1 * _rowBlocks * 16);
        _psi.Require((long)planes * _columnBlocks * 8 * _n2);
        _lines.Require(16L * Math.Max(_n0, 8 * _rowBlocks));
        _spline.Require(16L * 3 * Order);
        (_brick[0], _brick[1], _brick[2], _brickRow) = (new(0, _n0), new(0, _n1), new(0, _n2), _row);
        if (_size == 1) return;
        _slabOf = new int[_n1];
        for (int r = 0; r < _size; r++) for (int n1 = Slab(r); n1 < Slab(r + 1); n1++) _slabOf[n1] = r;
        _ranks = [.. Enumerable.Range(0, _size)];
        (_outStart, _inStart, _bricks, _reaches) = (new int[_size + 1], new int[_size + 1], new Range[3 * _size], new double[6 * _size]);
        _outgoing.Require((_n0 / 2 + 1L) * slab * _rowBlocks * 16);
        _incoming.Require((long)planes * _n1 * _rowBlocks * 16);
    }

    /// <summary>Where the first of this slab's rows lies in each plane: among the waves, or in what goes to and comes from another rank.</summary>
    private void Address(double** plane, double* buffer)
    {
        int slab = Slab(_rank), rows = Slab(_rank + 1) - slab, line = _rowBlocks * 16;
        for (int r = 0; r < _size; r++)
            for (int k = Planes(r); k < Planes(r + 1); k++)
                if (r == _rank) plane[k] = _waves.Pointer + ((k - Planes(r)) * _n1 + slab) * line;
                else
                {
                    plane[k] = buffer;
                    buffer += rows * line;
                }
    }

    /// <summary>Waves from slabs to planes or back.</summary>
    private void Transpose(bool forward)
    {
        if (_size == 1) return;
        int rows = Slab(_rank + 1) - Slab(_rank), planes = Planes(_rank + 1) - Planes(_rank), line = _rowBlocks * 16;
        for (int r = 0; r < _size; r++)
        {
            _outStart[r + 1] = _outStart[r] + (r == _rank ? 0 : (Planes(r + 1) - Planes(r)) * rows * line);
            _inStart[r + 1] = _inStart[r] + (r == _rank ? 0 : planes * (Slab(r + 1) - Slab(r)) * line);
        }
        double* waves = _waves.Pointer, parts = _incoming.Pointer;
        Span<double> slabs = new(_outgoing.Pointer, _outStart[_size]), others = new(parts, _inStart[_size]);
        if (forward) _comm!.Exchange<double>(_ranks, slabs, _outStart, others, _inStart);
        for (int r = 0; r < _size; r++)
        {
            if (r == _rank) continue;
            int length = (Slab(r + 1) - Slab(r)) * line;
            for (int k = 0; k < planes; k++)
            {
                Span<double> wave = new(waves + (k * _n1 + Slab(r)) * line, length), part = new(parts + _inStart[r] + k * length, length);
                if (forward) part.CopyTo(wave);
                else wave.CopyTo(part);
            }
        }
        if (!forward) _comm!.Exchange<double>(_ranks, others, _inStart, slabs, _outStart);
    }

    /// <summary>Adds bricks to slabs.</summary>
    private void Fold()
    {
        double* brick = Brick;
        if (_brick[2].Count == _n2)
            for (int k = 0; k < _brick[0].Count * _brick[1].Count; k++)
                for (int h = 0; h < Halo(Order); h++)
                {
                    double* at = brick + (long)k * _brickRow;
                    at[h % _n2] += at[_n2 + h];
                    at[_n2 + h] = 0;
                }
        if (_size == 1) return;
        new Span<double>(_mesh.Pointer, _n0 * (Slab(_rank + 1) - Slab(_rank)) * _row).Clear();
        double* outgoing = Buffers();
        for (int r = 0; r < _size; r++) if (r != _rank) BrickRows(_rank, r, outgoing + _outStart[r], Copy.FromBrick);
        _comm!.Exchange<double>(_ranks, new(outgoing, _outStart[_size]), _outStart, new(_incoming.Pointer, _inStart[_size]), _inStart);
        for (int r = 0; r < _size; r++) BrickRows(r, _rank, _incoming.Pointer + _inStart[r], Copy.AddToSlab);
    }

    /// <summary>Potentials of slabs to bricks, and around the ends of rows.</summary>
    private void Unfold()
    {
        double* brick = Brick;
        if (_size > 1)
        {
            double* outgoing = Buffers();
            for (int r = 0; r < _size; r++) BrickRows(r, _rank, _incoming.Pointer + _inStart[r], Copy.FromSlab);
            _comm!.Exchange<double>(_ranks, new(_incoming.Pointer, _inStart[_size]), _inStart, new(outgoing, _outStart[_size]), _outStart);
            for (int r = 0; r < _size; r++) if (r != _rank) BrickRows(_rank, r, outgoing + _outStart[r], Copy.ToBrick);
        }
        if (_brick[2].Count == _n2)
            for (int k = 0; k < _brick[0].Count * _brick[1].Count; k++)
                for (int h = 0; h < Halo(Order); h++) brick[(long)k * _brickRow + _n2 + h] = brick[(long)k * _brickRow + h % _n2];
    }

    private enum Copy { FromBrick, ToBrick, AddToSlab, FromSlab }

    /// <summary>Room for what bricks and slabs exchange; own rows are not exchanged.</summary>
    /// <returns>The side of the brick; that of the slab is what comes in.</returns>
    private double* Buffers()
    {
        for (int r = 0; r < _size; r++)
        {
            _outStart[r + 1] = _outStart[r] + Shared(_rank, r);
            _inStart[r + 1] = _inStart[r] + Shared(r, _rank);
        }
        _incoming.Require(_inStart[_size]);
        return _outgoing.Require(_outStart[_size]);

        int Shared(int brick, int slab)
        {
            if (brick == slab) return 0;
            Range all = _bricks[3 * brick], rows = _bricks[3 * brick + 1];
            int count = 0;
            for (int j = 0; j < rows.Count; j++) if (_slabOf[(rows.First + j) % _n1] == slab) count++;
            return count * all.Count * _bricks[3 * brick + 2].Count;
        }
    }

    /// <summary>Rows that a brick and a slab share, in the order in which they are sent: between the buffer and this rank's brick or slab, or, of own rows, between both.</summary>
    private void BrickRows(int brick, int slab, double* buffer, Copy what)
    {
        Range a = _bricks[3 * brick], b = _bricks[3 * brick + 1], c = _bricks[3 * brick + 2];
        int first = Slab(slab), rows = Slab(slab + 1) - first, head = Math.Min(c.Count, _n2 - c.First);
        for (int j = 0; j < b.Count; j++)
        {
            int n1 = (b.First + j) % _n1;
            if (_slabOf[n1] != slab) continue;
            for (int i = 0; i < a.Count; i++)
            {
                double* mine = _own.Pointer + (i * b.Count + j) * _brickRow, row = brick == slab ? mine : buffer;
                double* mesh = _mesh.Pointer + ((a.First + i) % _n0 * rows + n1 - first) * _row;
                switch (what)
                {
                    case Copy.FromBrick: new Span<double>(mine, c.Count).CopyTo(new(row, c.Count)); break;
                    case Copy.ToBrick: new Span<double>(row, c.Count).CopyTo(new(mine, c.Count)); break;
                    case Copy.FromSlab:
                        new Span<double>(mesh + c.First, head).CopyTo(new(row, head));
                        new Span<double>(mesh, c.Count - head).CopyTo(new(row + head, c.Count - head));
                        break;
                    default:
                        Add(mesh + c.First, row, head);
                        Add(mesh, row + head, c.Count - head);
                        break;
                }
                buffer += c.Count;
            }
        }

        static void Add(double* to, double* from, int count)
        {
            int k = 0;
            for (; k + 8 <= count; k += 8) (Vector512.Load(to + k) + Vector512.Load(from + k)).Store(to + k);
            for (; k < count; k++) to[k] += from[k];
        }
    }
}
