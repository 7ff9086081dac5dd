using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics;

// Copies of atoms within the halo, and what travels between them and their owners.
//
// The owner of an atom knows all boxes, so it decides alone who needs a copy: a box h hops away along a direction does when the atom lies within the
// halo of the box's face that looks this way. The copies are all combinations of the three directions' hops, edges and corners with them,
// and go straight to their ranks in one message each.
public sealed unsafe partial class Domain
{
    private int _copies, _localUppers, _localLowers;
    private readonly AlignedArray<int> _copySlot = new(), _copyHop = new();

    // Hops −most … +most along each direction, as one number each; where each leads, and the cell vectors crossed (0 for hops that never happen).
    private readonly int[] _most = [-1, -1, -1];
    private int[] _hops = [], _hopPeer = [];
    private double[] _shiftVectors = [];

    // Hop h along direction d (at [d][most + h]) is made by atoms with fraction s < limit (h > 0) or s ≥ limit (h < 0): for the whole halo, and
    // for what lower ghosts need.
    private readonly double[][] _wide = [[], [], []], _narrow = [[], [], []];

    private readonly AlignedArray<int> _localFrom = new(), _localTo = new(), _localShift = new();
    private int _locals;

    // Ghosts here of other ranks' atoms and there of ours: one message for each peer.
    private int[] _peers = [], _sendStart = [0], _receiveStart = [0], _one = [0], _peerOut = [], _peerIn = [];
    private readonly AlignedArray<int> _sendSlot = new(), _sendShift = new(), _receiveSlot = new(), _origin = new();
    private readonly Post _toGhosts = new(), _toOwners = new();
    private readonly AlignedArray<byte> _remote = new(); // 1: clusters with ghosts of other ranks' atoms
    private readonly AlignedArray<Visitor> _visitorsOut = new(), _visitorsIn = new();

    private record struct Visitor(double X, double Y, double Z, int Tag, int Sign);

    private bool HasGhosts => _most[0] + _most[1] + _most[2] > 0;

    /// <summary>Which hops can happen, how near to a face an atom must be for each, and where they lead.</summary>
    private void PrepareHops()
    {
        double wide = Math.Max(Reach + Skin, MinimumHalo), narrow = (Lists & ListKind.Full) != 0 ? wide : MinimumHalo;
        CheckHalo(wide);
        bool changed = false;
        for (int d = 0; d < 3; d++)
        {
            int boxes = _grid[d], mine = _place[d], most = 0;
            double[] cut = _cuts[d];
            bool periodic = Cell.Periodic[d];
            // A little more than needed: rounding must not lose a pair.
            double a = wide / Cell.Spacing[d] * (1 + 1e-9) + 1e-12 + _overhang[d], b = narrow / Cell.Spacing[d] * (1 + 1e-9) + 1e-12 + _overhang[d];
            if (wide > 0)
                for (int k = 0; k < boxes; k++)
                    for (int h = 1; (periodic || k + h < boxes) && cut[(k + h) % boxes] + (k + h) / boxes - cut[k + 1] < a + _overhang[d]; h++) most = Math.Max(most, h);
            changed |= most != _most[d];
            _most[d] = most;
            if (_wide[d].Length != 2 * most + 1) (_wide[d], _narrow[d]) = (new double[2 * most + 1], new double[2 * most + 1]);
            for (int h = -most; h <= most; h++)
            {
                // The box that sees the copy at hop h is h below: number r of the endless row of boxes.
                int r = mine - h, period = (int)Math.Floor((double)r / boxes), box = r - period * boxes;
                double none = h > 0 ? double.NegativeInfinity : double.PositiveInfinity, face = h > 0 ? cut[box + 1] + period : cut[box] + period;
                bool exists = h != 0 && (periodic || period == 0);
                _wide[d][most + h] = !exists ? none : h > 0 ? face + a : face - a;
                _narrow[d][most + h] = !exists || narrow == 0 ? none : h > 0 ? face + b : face - b;
            }
        }
        if (changed) MakeHops();
        SetShifts();
    }

    /// <summary>Copies of which there would be more than fit anywhere are refused, not tried: a cutoff in another unit, a cell that is nearly flat.</summary>
    private void CheckHalo(double halo)
    {
        double copies = 1;
        for (int d = 0; d < 3; d++) if (Cell.Periodic[d]) copies *= 1 + 2 * halo / Cell.Spacing[d];
        // Ten million ghosts are a gigabyte or two; a large system in a large cell has fewer of them than atoms.
        if (copies * AtomCount <= Math.Max(1e7, 30.0 * AtomCount)) return;
        throw new InputException(string.Create(CultureInfo.InvariantCulture,
            $"each of {AtomCount} atoms would meet {copies:g3} images: cutoff and skin reach {halo:g4} Å, and the cell measures {Cell.Spacing[0]:g4} × {Cell.Spacing[1]:g4} × {Cell.Spacing[2]:g4} Å between its faces. ")
            + "Take a smaller cutoff, switch off the periodic directions of a molecule in vacuum, or give shorter edge vectors of the same crystal where the cell is flat");
    }

    private void MakeHops()
    {
        int m0 = _most[0], m1 = _most[1], m2 = _most[2], count = (2 * m0 + 1) * (2 * m1 + 1) * (2 * m2 + 1), n = 0;
        (_hops, _hopPeer, _shiftVectors) = (new int[3 * count], new int[count], new double[3 * count]);
        var peers = new SortedSet<int>();
        for (int h0 = -m0; h0 <= m0; h0++)
            for (int h1 = -m1; h1 <= m1; h1++)
                for (int h2 = -m2; h2 <= m2; h2++, n++)
                {
                    var (p0, b0) = Box(0, h0);
                    var (p1, b1) = Box(1, h1);
                    var (p2, b2) = Box(2, h2);
                    _hopPeer[n] = Comm.Rank;
                    if (p0 != 0 && !Cell.Periodic[0] || p1 != 0 && !Cell.Periodic[1] || p2 != 0 && !Cell.Periodic[2]) continue;
                    _hopPeer[n] = RankAt(b0, b1, b2);
                    (_hops[3 * n], _hops[3 * n + 1], _hops[3 * n + 2]) = (-p0, -p1, -p2);
                    if (_hopPeer[n] != Comm.Rank) peers.Add(_hopPeer[n]);
                }
        // With its hops a rank sees those that see it: the set is closed under h → −h.
        _peers = [.. peers];
        for (int k = 0; k < count; k++) _hopPeer[k] = Array.BinarySearch(_peers, _hopPeer[k]) is >= 0 and int p ? p : -1;
        int ends = _peers.Length + 1;
        (_sendStart, _receiveStart) = (new int[ends], new int[ends]);
        _one = [.. Enumerable.Range(0, ends)];
        (_peerOut, _peerIn) = (new int[ends], new int[ends]);

        (int Period, int Box) Box(int d, int h)
        {
            int r = _place[d] - h, period = (int)Math.Floor((double)r / _grid[d]);
            return (period, r - period * _grid[d]);
        }
    }

    private void SetShifts()
    {
        for (int h = 0; 3 * h < _hops.Length; h++)
            (_shiftVectors[3 * h], _shiftVectors[3 * h + 1], _shiftVectors[3 * h + 2]) = Cell.Shift(_hops[3 * h], _hops[3 * h + 1], _hops[3 * h + 2]);
    }

    private void MakeGhosts()
    {
        PrepareHops();
        FindCopies();
        // Positions before sorting lie in the forces, upper ghosts first.
        int visitors = SendVisitors(), uppers = _localUppers, lowers = _localLowers;
        int* hop = _copyHop.Pointer, slot = _copySlot.Pointer, tag = Tag;
        int centre = _hopPeer.Length / 2;
        var visitor = _visitorsIn.Pointer;
        for (int k = 0; k < visitors; k++) (uppers, lowers) = visitor[k].Sign > 0 ? (uppers + 1, lowers) : (uppers, lowers + 1);

        int middle = Lane.Blocks(uppers), end = middle + Lane.Blocks(lowers), up = 0, low = 8 * middle;
        double* x = X, unsorted = _f.Require(24L * (end + 1));
        int* origin = _origin.Require(8L * end + 8), tags = _ghostTag.Require(8L * end + 8);
        fixed (double* vectors = _shiftVectors)
            for (int k = 0; k < _copies; k++)
            {
                if (_hopPeer[hop[k]] >= 0) continue;
                int to = hop[k] > centre ? up++ : low++;
                double* v = vectors + 3 * hop[k], from = x + At(slot[k]), p = unsorted + At(to);
                (p[0], p[8], p[16]) = (from[0] + v[0], from[8] + v[1], from[16] + v[2]);
                (origin[to], tags[to]) = (k, tag[slot[k]]);
            }
        for (int k = 0; k < visitors; k++)
        {
            int to = visitor[k].Sign > 0 ? up++ : low++;
            double* p = unsorted + At(to);
            (p[0], p[8], p[16]) = (visitor[k].X, visitor[k].Y, visitor[k].Z);
            (origin[to], tags[to]) = (~k, visitor[k].Tag);
        }
        while (up % 8 != 0) tags[up++] = -1;
        while (low % 8 != 0) tags[low++] = -1;

        _locals = 0;
        _localFrom.Require(_copies);
        _localTo.Require(_copies);
        _localShift.Require(_copies);
        _receiveSlot.Require(visitors);
        _remote.Require(OwnedClusters);
        _remote.Span(OwnedClusters).Clear();
        UpperClusters = OwnedClusters + _sorter.Sort(unsorted, tags, 0, middle, _upper, OwnedClusters);
        PlaceGhosts(OwnedClusters, UpperClusters);
        Clusters = UpperClusters + _sorter.Sort(unsorted, tags, middle, end, _lower, UpperClusters);
        PlaceGhosts(UpperClusters, Clusters);
        // The dummies. Owned padding and these lie in opposite corners.
        _x.Require(24L * (Clusters + 1), 24 * Clusters);
        _tag.Require(8L * (Clusters + 1), 8 * Clusters);
        for (int s = Slots; s < Slots + 8; s++) Pad(s);
        _f.Require(24L * (Clusters + 1));
    }

    private void Pad(int s)
    {
        double* x = X + At(s);
        (x[0], x[8], x[16]) = (-FarAway - 100.0 * (s % 4096), -FarAway, -FarAway);
        Tag[s] = -1;
    }

    /// <summary>Atoms that other boxes need, and the hop on which each is seen there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FindCopies()
    {
        (_copies, _localUppers, _localLowers) = (0, 0, 0);
        Array.Clear(_peerOut);
        if (!HasGhosts) return;
        int m0 = _most[0], m1 = _most[1], m2 = _most[2], centre = _hopPeer.Length / 2;
        Lanes up0 = First(_wide[0], 1), up1 = First(_wide[1], 1), up2 = First(_wide[2], 1);
        Lanes down0 = First(_narrow[0], -1), down1 = First(_wide[1], -1), down2 = First(_wide[2], -1);
        // Atoms of a cluster that make hop h along b and c: by h, for the whole halo and for lower ghosts.
        byte* wide1 = stackalloc byte[2 * m1 + 1], narrow1 = stackalloc byte[2 * m1 + 1], wide2 = stackalloc byte[2 * m2 + 1], narrow2 = stackalloc byte[2 * m2 + 1];
        var fractions = new Fractions(Cell);
        int* tag = Tag;
        double* x = X;
        for (int c = 0; c < OwnedClusters; c++)
        {
            fractions.Of(x + 24L * c, out var s0, out var s1, out var s2);
            var outer = Vector512.LessThan(s0, up0) | Vector512.GreaterThanOrEqual(s0, down0) | Vector512.LessThan(s1, up1)
                | Vector512.GreaterThanOrEqual(s1, down1) | Vector512.LessThan(s2, up2) | Vector512.GreaterThanOrEqual(s2, down2);
            uint candidates = Lane.Bits(outer & ColumnSorter.IsAtom(tag + 8 * c));
            if (candidates == 0) continue;
            Hopping(_wide[1], s1, wide1);
            Hopping(_narrow[1], s1, narrow1);
            Hopping(_wide[2], s2, wide2);
            Hopping(_narrow[2], s2, narrow2);
            int* slots = _copySlot.Require(_copies + 8L * _hopPeer.Length, _copies), hops = _copyHop.Require(_copies + 8L * _hopPeer.Length, _copies);
            for (int h0 = -m0; h0 <= m0; h0++)
            {
                // The first hop that is not zero makes the ghost upper or lower.
                uint bits0 = candidates & (h0 == 0 ? 0xff : Bits(h0 > 0 ? _wide[0] : _narrow[0], m0, h0, s0));
                if (bits0 == 0) continue;
                for (int h1 = -m1; h1 <= m1; h1++)
                {
                    int sign = h0 != 0 ? h0 : h1;
                    uint bits1 = bits0 & (sign >= 0 ? wide1 : narrow1)[m1 + h1];
                    if (bits1 == 0) continue;
                    int row = ((h0 + m0) * (2 * m1 + 1) + h1 + m1) * (2 * m2 + 1) + m2;
                    for (int h2 = -m2; h2 <= m2; h2++)
                    {
                        int hop = row + h2;
                        uint bits = bits1 & (sign > 0 || sign == 0 && h2 > 0 ? wide2 : narrow2)[m2 + h2];
                        if (bits == 0 || hop == centre) continue;
                        int count = BitOperations.PopCount(bits);
                        if (_hopPeer[hop] is >= 0 and int peer) _peerOut[peer] += count;
                        else if (hop > centre) _localUppers += count;
                        else _localLowers += count;
                        for (; bits != 0; bits &= bits - 1) (slots[_copies], hops[_copies++]) = (8 * c + BitOperations.TrailingZeroCount(bits), hop);
                    }
                }
            }
        }

        static Lanes First(double[] limits, int h) =>
            Lane.Of(limits.Length > 1 ? limits[limits.Length / 2 + h] : h > 0 ? double.NegativeInfinity : double.PositiveInfinity);

        static uint Bits(double[] limits, int most, int h, Lanes s) =>
            Lane.Bits(h > 0 ? Vector512.LessThan(s, Lane.Of(limits[most + h])) : Vector512.GreaterThanOrEqual(s, Lane.Of(limits[most + h])));

        static void Hopping(double[] limits, Lanes s, byte* bits)
        {
            int most = limits.Length / 2;
            bits[most] = 0xff;
            for (int h = 1; h <= most; h++) (bits[most + h], bits[most - h]) = ((byte)Bits(limits, most, h, s), (byte)Bits(limits, most, -h, s));
        }
    }

    /// <summary>Sends copies to other ranks.</summary>
    /// <returns>Copies that came from them.</returns>
    private int SendVisitors()
    {
        int peers = _peers.Length;
        if (peers == 0) return 0;
        int* hop = _copyHop.Pointer, slot = _copySlot.Pointer;
        Comm.Exchange<int>(_peers, _peerOut.AsSpan(0, peers), _one, _peerIn.AsSpan(0, peers), _one);
        for (int p = 0; p < peers; p++)
        {
            _sendStart[p + 1] = _sendStart[p] + _peerOut[p];
            _receiveStart[p + 1] = _receiveStart[p] + _peerIn[p];
            _peerOut[p] = _sendStart[p];
        }
        int sent = _sendStart[peers], received = _receiveStart[peers], centre = _hopPeer.Length / 2;
        int* sendSlot = _sendSlot.Require(sent), sendShift = _sendShift.Require(sent);
        Visitor* leaving = _visitorsOut.Require(sent), coming = _visitorsIn.Require(received);
        for (int k = 0; k < _copies; k++)
        {
            if (_hopPeer[hop[k]] is not (>= 0 and int p)) continue;
            int to = _peerOut[p]++, h = 3 * hop[k];
            double* x = X + At(slot[k]);
            (sendSlot[to], sendShift[to]) = (slot[k], h);
            leaving[to] = new Visitor(x[0] + _shiftVectors[h], x[8] + _shiftVectors[h + 1], x[16] + _shiftVectors[h + 2], Tag[slot[k]], Math.Sign(hop[k] - centre));
        }
        Comm.Exchange<Visitor>(_peers, new(leaving, sent), _sendStart, new(coming, received), _receiveStart);
        return received;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void PlaceGhosts(int first, int end)
    {
        double* x = _x.Require(24L * (end + 1), 24 * first), unsorted = F;
        int* tag = _tag.Require(8L * (end + 1), 8 * first), tags = _ghostTag.Pointer, order = _sorter.Order, origin = _origin.Pointer;
        int* from = _localFrom.Pointer, to = _localTo.Pointer, shift = _localShift.Pointer, slot = _copySlot.Pointer, hop = _copyHop.Pointer, receive = _receiveSlot.Pointer;
        int n = _locals;
        byte* remote = _remote.Require(end, first);
        new Span<byte>(remote + first, end - first).Clear();
        for (int s = 8 * first; s < 8 * end; s++)
        {
            int k = order[s - 8 * first];
            if (k < 0)
            {
                Pad(s);
                continue;
            }
            double* p = unsorted + At(k), q = x + At(s);
            (q[0], q[8], q[16]) = (p[0], p[8], p[16]);
            tag[s] = tags[k];
            int o = origin[k];
            if (o < 0) (receive[~o], remote[s >> 3]) = (s, 1);
            else (from[n], to[n], shift[n++]) = (slot[o], s, 3 * hop[o]);
        }
        _locals = n;
    }

    /// <summary>Numbers on their way between ranks. What was sent is waited for apart from what comes, so that no rank waits until another one listens.</summary>
    private sealed class Post
    {
        private readonly AlignedArray<double> _out = new(), _in = new();
        private int[] _outStart = [], _inStart = [];
        private nint _sending, _receiving;

        /// <summary>Whether <see cref="End"/> is due.</summary>
        public bool IsUnderWay { get; private set; }

        /// <summary>What to fill before <see cref="Begin"/>.</summary>
        public double* Outgoing(Domain d, long count)
        {
            Finish(d);
            return _out.Require(count);
        }

        /// <summary>Begins to exchange <paramref name="width"/> numbers of each atom whose first is numbered in the starts, with each peer.</summary>
        public void Begin(Domain d, int width, int[] outStart, int[] inStart)
        {
            int n = outStart.Length;
            if (_outStart.Length != n) (_outStart, _inStart) = (new int[n], new int[n]);
            for (int p = 0; p < n; p++) (_outStart[p], _inStart[p]) = (width * outStart[p], width * inStart[p]);
            _receiving = d.Comm.BeginReceive(d._peers, _in.Require(_inStart[^1]), _inStart);
            _sending = d.Comm.BeginSend(d._peers, _out.Pointer, _outStart);
            IsUnderWay = true;
        }

        /// <summary>What came.</summary>
        public double* End(Domain d)
        {
            IsUnderWay = false;
            d.Comm.End(ref _receiving);
            return _in.Pointer;
        }

        /// <summary>Waits until what was sent is out.</summary>
        public void Finish(Domain d) => d.Comm.End(ref _sending);
    }

    /// <summary>Moves ghosts after their owners. Collective.</summary>
    public void UpdateGhosts()
    {
        BeginGhosts();
        EndGhosts();
    }

    /// <summary>Begins to move ghosts after their owners: those of other ranks' atoms are where they were until <see cref="EndGhosts"/>. Collective.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void BeginGhosts()
    {
        EndGhosts();
        double* x = X;
        fixed (double* vectors = _shiftVectors)
        {
            if (_peers.Length > 0)
            {
                int sent = _sendStart[^1];
                double* buffer = _toGhosts.Outgoing(this, 3L * sent);
                int* slot = _sendSlot.Pointer, hop = _sendShift.Pointer;
                for (int k = 0; k < sent; k++, buffer += 3)
                {
                    double* v = vectors + hop[k], p = x + At(slot[k]);
                    (buffer[0], buffer[1], buffer[2]) = (p[0] + v[0], p[8] + v[1], p[16] + v[2]);
                }
                _toGhosts.Begin(this, 3, _sendStart, _receiveStart);
            }
            int* from = _localFrom.Pointer, to = _localTo.Pointer, shift = _localShift.Pointer;
            int n = _locals;
            for (int k = 0; k < n; k++)
            {
                double* v = vectors + shift[k], p = x + At(from[k]), q = x + At(to[k]);
                q[0] = p[0] + v[0];
                q[8] = p[8] + v[1];
                q[16] = p[16] + v[2];
            }
        }
    }

    /// <summary>Waits for what <see cref="BeginGhosts"/> began, if anything.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void EndGhosts()
    {
        if (!_toGhosts.IsUnderWay) return;
        double* x = X, buffer = _toGhosts.End(this);
        int* arrived = _receiveSlot.Pointer;
        int received = _receiveStart[^1];
        for (int k = 0; k < received; k++, buffer += 3)
        {
            double* p = x + At(arrived[k]);
            (p[0], p[8], p[16]) = (buffer[0], buffer[1], buffer[2]);
        }
    }

    /// <summary>Copies owned values of a field of one number per slot to the ghosts. Collective.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Forward(double* field)
    {
        if (_peers.Length > 0)
        {
            EndGhosts();
            int sent = _sendStart[^1], received = _receiveStart[^1];
            double* outgoing = _toGhosts.Outgoing(this, sent);
            int* slot = _sendSlot.Pointer, arrived = _receiveSlot.Pointer;
            for (int k = 0; k < sent; k++) outgoing[k] = field[slot[k]];
            _toGhosts.Begin(this, 1, _sendStart, _receiveStart);
            double* incoming = _toGhosts.End(this);
            for (int k = 0; k < received; k++) field[arrived[k]] = incoming[k];
            _toGhosts.Finish(this);
        }
        int* from = _localFrom.Pointer, to = _localTo.Pointer;
        for (int k = 0; k < _locals; k++) field[to[k]] = field[from[k]];
    }

    /// <summary>Adds ghosts' values of a field of <paramref name="width"/> numbers per slot to their owners. Collective.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Fold(double* field, int width = 1)
    {
        int* from = _localFrom.Pointer, to = _localTo.Pointer;
        for (int k = 0; k < _locals; k++)
            for (int i = 0; i < width; i++) field[width * from[k] + i] += field[width * to[k] + i];
        if (_peers.Length == 0) return;
        int sent = _sendStart[^1], received = _receiveStart[^1];
        double* atGhost = _toOwners.Outgoing(this, (long)width * received);
        int* slot = _sendSlot.Pointer, arrived = _receiveSlot.Pointer;
        for (int k = 0; k < received; k++)
            for (int i = 0; i < width; i++) atGhost[width * k + i] = field[width * arrived[k] + i];
        _toOwners.Begin(this, width, _receiveStart, _sendStart);
        double* atOwner = _toOwners.End(this);
        for (int k = 0; k < sent; k++)
            for (int i = 0; i < width; i++) field[width * slot[k] + i] += atOwner[width * k + i];
        _toOwners.Finish(this);
    }

    /// <summary>Begins to send the forces of ghosts of other ranks' atoms, complete by now, to their owners. Collective.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BeginFoldForces()
    {
        if (_peers.Length == 0) return;
        int received = _receiveStart[^1];
        double* f = F, buffer = _toOwners.Outgoing(this, 3L * received);
        int* arrived = _receiveSlot.Pointer;
        for (int k = 0; k < received; k++, buffer += 3)
        {
            double* p = f + At(arrived[k]);
            (buffer[0], buffer[1], buffer[2]) = (p[0], p[8], p[16]);
        }
        _toOwners.Begin(this, 3, _receiveStart, _sendStart);
    }

    /// <summary>Adds ghosts' forces to their owners. Collective.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void FoldForces()
    {
        if (!_toOwners.IsUnderWay) BeginFoldForces();
        double* f = F;
        int* from = _localFrom.Pointer, to = _localTo.Pointer;
        int n = _locals;
        for (int k = 0; k < n; k++)
        {
            double* owner = f + At(from[k]), ghost = f + At(to[k]);
            owner[0] += ghost[0];
            owner[8] += ghost[8];
            owner[16] += ghost[16];
        }
        if (_peers.Length == 0) return;
        int* slot = _sendSlot.Pointer;
        int sent = _sendStart[^1];
        double* buffer = _toOwners.End(this);
        for (int k = 0; k < sent; k++, buffer += 3)
        {
            double* p = f + At(slot[k]);
            (p[0], p[8], p[16]) = (p[0] + buffer[0], p[8] + buffer[1], p[16] + buffer[2]);
        }
        // Who sent forces had our positions, and who needs ours is about to meet us in a sum.
        _toGhosts.Finish(this);
        _toOwners.Finish(this);
    }
}
