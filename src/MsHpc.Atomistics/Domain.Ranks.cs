using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics;

// Who owns which atom: a grid of boxes in fractional coordinates, one for each rank, between cuts that move with the load.
public sealed unsafe partial class Domain
{
    private const int Bins = 1024;

    /// <summary>Rebuilds between two moves of the cuts: atoms that change ranks cost, too.</summary>
    private const int Patience = 10;

    /// <summary>Largest cost of a rank over the mean that stays: a loss of two hundredths, about the noise of counts of some thousand atoms.</summary>
    private const double Tolerated = 1.02;

    private readonly int[] _grid = [1, 1, 1], _place = [0, 0, 0];
    private readonly double[][] _cuts = [[], [], []];
    private readonly double[] _overhang = new double[3], _low = new double[3], _high = new double[3];
    private double[] _histogram = [];
    private int _sinceCut;

    // Atoms that constraints join move between ranks together: with the first of them. Null when there is nothing to join or nowhere to go.
    private int[]? _leader;

    private int[] _others = [], _leaving = [], _arriving = [], _leavingStart = [], _arrivingStart = [], _units = [];
    private readonly AlignedArray<Mover> _moversOut = new(), _moversIn = new();
    private readonly AlignedArray<int> _destination = new();

    private record struct Mover(double X, double Y, double Z, double VX, double VY, double VZ, int Tag, int N0, int N1, int N2);

    /// <summary>Ranks along a, b, c.</summary>
    public (int A, int B, int C) Grid => (_grid[0], _grid[1], _grid[2]);

    /// <summary>
    /// What the last steps cost this rank, in a unit that all ranks share, e.g. seconds in forces; null: the number of list entries, which makes runs
    /// repeatable to the bit. Cuts move by it when one rank's exceeds the mean by more than a fiftieth.
    /// </summary>
    public double? MeasuredCost { get; set; }

    /// <summary>Largest cost of a rank over the mean, at the last <see cref="Rebuild"/> before its cuts moved; 1: perfect.</summary>
    public double Imbalance { get; private set; } = 1;

    private int RankAt(int i, int j, int k) => (i * _grid[1] + j) * _grid[2] + k;

    private void MakeGrid(Atoms atoms, (int A, int B, int C)? wish)
    {
        int size = Comm.Size;
        for (int d = 0; d < 3; d++) (_low[d], _high[d]) = (0, 1);
        if (wish is { } g)
        {
            if (g.A < 1 || g.B < 1 || g.C < 1 || (long)g.A * g.B * g.C != size) throw new InputException($"a grid of {g.A} × {g.B} × {g.C} boxes does not fit {size} ranks");
            (_grid[0], _grid[1], _grid[2]) = g;
        }
        else if (size > 1)
        {
            Extent(atoms);
            double halo = Math.Max(Math.Max(Reach + Skin, MinimumHalo), 1e-3), least = double.PositiveInfinity;
            // Ties go to cuts across a: columns along z stay long.
            for (int c = 1; c <= size; c++)
                for (int b = 1; b * c <= size; b++)
                {
                    if (size % (b * c) != 0) continue;
                    int[] trial = [size / (b * c), b, c];
                    double inner = 1, outer = 1;
                    for (int d = 0; d < 3; d++)
                    {
                        double edge = Math.Max(_high[d] - _low[d], 1e-6) * Cell.Spacing[d] / trial[d];
                        inner *= edge;
                        outer *= edge + (Cell.Periodic[d] || trial[d] > 1 ? 2 * halo : 0);
                    }
                    if (!(outer - inner < least * (1 - 1e-9))) continue;
                    least = outer - inner;
                    trial.CopyTo(_grid, 0);
                }
        }
        int rank = Comm.Rank;
        (_place[0], _place[1], _place[2]) = (rank / (_grid[1] * _grid[2]), rank / _grid[2] % _grid[1], rank % _grid[2]);
        for (int d = 0; d < 3; d++) _cuts[d] = new double[_grid[d] + 1];
        if (size == 1) return;
        _histogram = new double[3 * Bins];
        _others = [.. Enumerable.Range(0, size).Where(r => r != rank)];
        _units = [.. Enumerable.Range(0, size)];
        (_leaving, _arriving, _leavingStart, _arrivingStart) = (new int[size], new int[size], new int[size], new int[size]);
        if (atoms.Topology is { Constraints.Count: > 0 } topology) _leader = Leaders(topology);
    }

    /// <summary>The first atom of each atom's component of the constraints' graph.</summary>
    private int[] Leaders(Topology topology)
    {
        var leader = new int[AtomCount];
        for (int i = 0; i < leader.Length; i++) leader[i] = i;
        foreach (var (i, j, _) in topology.Constraints)
        {
            int a = Find(i), b = Find(j);
            leader[Math.Max(a, b)] = Math.Min(a, b);
        }
        for (int i = 0; i < leader.Length; i++) leader[i] = Find(i);
        return leader;

        int Find(int i)
        {
            while (leader[i] != i) i = leader[i] = leader[leader[i]];
            return i;
        }
    }

    /// <summary>
    /// How far apart atoms of one term of the topology lie or can come, Å: a quarter more than the way along its bonds, half as much again as the distance of scaled pairs.
    /// </summary>
    private static double TermSpan(Atoms atoms)
    {
        if (atoms.Topology is not { } t) return 0;
        double span = 0;
        foreach (var (i, j, _) in t.Bonds) Take(1.25 * Distance(i, j));
        foreach (var (i, j, k, _) in t.Angles) Take(1.25 * (Distance(i, j) + Distance(j, k)));
        foreach (var (i, j, k, l, _) in t.Dihedrals) Take(1.25 * (Distance(i, j) + Distance(j, k) + Distance(k, l)));
        foreach (var (i, j, k, l, _) in t.Impropers) Take(1.25 * (Distance(i, j) + Distance(j, k) + Distance(k, l)));
        foreach (var (i, j, _) in t.Constraints) Take(1.25 * Distance(i, j));
        foreach (var (i, j, _, _) in t.Scaled) Take(1.5 * Distance(i, j));
        return span;

        void Take(double d) => span = Math.Max(span, d);

        double Distance(int i, int j)
        {
            double[] x = atoms.Positions;
            var cell = atoms.Cell;
            double dx = x[3 * i] - x[3 * j], dy = x[3 * i + 1] - x[3 * j + 1], dz = x[3 * i + 2] - x[3 * j + 2];
            var g = cell.Reciprocal;
            double n0 = Whole(0, g[0] * dx + g[1] * dy + g[2] * dz), n1 = Whole(1, g[3] * dx + g[4] * dy + g[5] * dz), n2 = Whole(2, g[6] * dx + g[7] * dy + g[8] * dz);
            var h = cell.Rows;
            dx -= n0 * h[0] + n1 * h[3] + n2 * h[6];
            dy -= n0 * h[1] + n1 * h[4] + n2 * h[7];
            dz -= n0 * h[2] + n1 * h[5] + n2 * h[8];
            return Math.Sqrt(dx * dx + dy * dy + dz * dz);

            double Whole(int d, double s) => cell.Periodic[d] ? Math.Round(s) : 0;
        }
    }

    /// <summary>Fractional coordinates of an atom, brought into the cell.</summary>
    private (double, double, double) Wrapped(Atoms atoms, int i)
    {
        var (s0, s1, s2) = Fraction(atoms.Positions[3 * i], atoms.Positions[3 * i + 1], atoms.Positions[3 * i + 2]);
        return (Inside(0, s0), Inside(1, s1), Inside(2, s2));

        double Inside(int d, double s) => Cell.Periodic[d] ? s - Math.Floor(s) : s;
    }

    private int BoxOf(int d, double s)
    {
        double[] cut = _cuts[d];
        int k = 0;
        while (k < _grid[d] - 1 && s >= cut[k + 1]) k++;
        return k;
    }

    private bool IsMine(Atoms atoms, int i)
    {
        if (Comm.Size == 1) return true;
        var (s0, s1, s2) = Wrapped(atoms, _leader is null ? i : _leader[i]);
        return BoxOf(0, s0) == _place[0] && BoxOf(1, s1) == _place[1] && BoxOf(2, s2) == _place[2];
    }

    /// <summary>Where atoms are along directions that do not repeat.</summary>
    private void Extent(Atoms atoms)
    {
        Span<double> low = [double.PositiveInfinity, double.PositiveInfinity, double.PositiveInfinity], high = [double.NegativeInfinity, double.NegativeInfinity, double.NegativeInfinity];
        for (int i = 0; i < AtomCount; i++)
        {
            var (s0, s1, s2) = Wrapped(atoms, i);
            Span<double> s = [s0, s1, s2];
            for (int d = 0; d < 3; d++) (low[d], high[d]) = (Math.Min(low[d], s[d]), Math.Max(high[d], s[d]));
        }
        SetExtent(low, high);
    }

    private void SetExtent(ReadOnlySpan<double> low, ReadOnlySpan<double> high)
    {
        for (int d = 0; d < 3; d++)
            (_low[d], _high[d]) = Cell.Periodic[d] || !(double.Abs(low[d]) < 1e6 && double.Abs(high[d]) < 1e6) ? (0, 1) : (low[d], Math.Max(high[d], low[d] + 1e-9));
    }

    /// <summary>Cuts so that about as many atoms lie between any two.</summary>
    private void CutEvenly(Atoms atoms)
    {
        Array.Clear(_histogram);
        if (Comm.Size > 1)
        {
            Extent(atoms);
            for (int i = 0; i < AtomCount; i++)
            {
                var (s0, s1, s2) = Wrapped(atoms, i);
                Count(s0, s1, s2, 1);
            }
        }
        Cut();
    }

    private void Count(double s0, double s1, double s2, double weight)
    {
        _histogram[Bin(0, s0)] += weight;
        _histogram[Bins + Bin(1, s1)] += weight;
        _histogram[2 * Bins + Bin(2, s2)] += weight;

        int Bin(int d, double s) => double.IsNaN(s) ? 0 : (int)Math.Clamp((s - _low[d]) / (_high[d] - _low[d]) * Bins, 0, Bins - 1);
    }

    /// <summary>Cuts at equal parts of the weight in the histograms.</summary>
    private void Cut()
    {
        _sinceCut = 0;
        for (int d = 0; d < 3; d++)
        {
            int boxes = _grid[d];
            double[] cut = _cuts[d];
            (cut[0], cut[boxes]) = Cell.Periodic[d] ? (0, 1) : (double.NegativeInfinity, double.PositiveInfinity);
            if (boxes == 1) continue;
            var weights = _histogram.AsSpan(d * Bins, Bins);
            double total = 0, below = 0;
            foreach (double w in weights) total += w;
            for (int p = 1, b = 0; p < boxes; p++)
            {
                double target = total * p / boxes;
                while (b < Bins - 1 && below + weights[b] < target) below += weights[b++];
                double s = b + Math.Clamp((target - below) / Math.Max(weights[b], double.Epsilon), 0, 1);
                // Between layers of atoms, the middle.
                if (below + weights[b] <= target * (1 + 1e-12))
                {
                    int next = b + 1;
                    while (next < Bins && weights[next] == 0) next++;
                    s = 0.5 * (b + 1 + next);
                }
                if (total == 0) s = (double)Bins * p / boxes;
                cut[p] = _low[d] + s / Bins * (_high[d] - _low[d]);
            }
        }
    }

    /// <summary>Moves the cuts when one rank costs too much more than the others.</summary>
    private void Balance()
    {
        double cost = MeasuredCost ?? 8.0 * Pairs.Length + Half.Length + Full.Length + 4.0 * Slots;
        double sum = Comm.AllReduceSum(cost), largest = Comm.AllReduceMax(cost);
        Imbalance = sum > 0 ? largest * Comm.Size / sum : 1;
        if (++_sinceCut < Patience || !(Imbalance > Tolerated)) return;
        Span<double> low = [double.PositiveInfinity, double.PositiveInfinity, double.PositiveInfinity], high = [double.NegativeInfinity, double.NegativeInfinity, double.NegativeInfinity], both = stackalloc double[6];
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (Tag[s] < 0) continue;
            var (s0, s1, s2) = Fraction(s);
            Span<double> f = [s0, s1, s2];
            for (int d = 0; d < 3; d++) (low[d], high[d]) = (Math.Min(low[d], f[d]), Math.Max(high[d], f[d]));
        }
        for (int d = 0; d < 3; d++) (both[d], both[3 + d]) = (-low[d], high[d]);
        Comm.AllReduceMax(both);
        for (int d = 0; d < 3; d++) (low[d], high[d]) = (-both[d], both[3 + d]);
        SetExtent(low, high);
        Array.Clear(_histogram);
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (Tag[s] < 0) continue;
            var (s0, s1, s2) = Fraction(s);
            Count(s0, s1, s2, cost / Owned);
        }
        Comm.AllReduceSum(_histogram);
        Cut();
    }

    private void MapOwned()
    {
        int* slotOf = _slotOf.Require(AtomCount);
        for (int s = 0; s < OwnedSlots; s++) if (Tag[s] >= 0) slotOf[Tag[s]] = s;
    }

    /// <summary>Brings atoms to the copy of the cell in which the atom is that they follow, along directions that ranks share; elsewhere into the cell.</summary>
    private void FollowLeaders()
    {
        MapOwned();
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (Tag[s] < 0 || _leader![Tag[s]] == Tag[s]) continue;
            var (s0, s1, s2) = Fraction(s);
            var (l0, l1, l2) = Fraction(_slotOf.Pointer[_leader[Tag[s]]]);
            int n0 = Cells(0, s0, l0), n1 = Cells(1, s1, l1), n2 = Cells(2, s2, l2);
            if ((n0 | n1 | n2) != 0) MoveBack(s, n0, n1, n2);
        }

        int Cells(int d, double s, double l) => _grid[d] > 1 && Cell.Periodic[d] ? (int)Math.Round(s - l) : Whole(s, d);
    }

    /// <summary>How far atoms reach out of the boxes of their ranks: those that follow others do.</summary>
    private void MeasureOverhang()
    {
        if (_leader is null) return;
        Array.Clear(_overhang);
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (Tag[s] < 0) continue;
            var (s0, s1, s2) = Fraction(s);
            Span<double> f = [s0, s1, s2];
            for (int d = 0; d < 3; d++) _overhang[d] = Math.Max(_overhang[d], Math.Max(_cuts[d][_place[d]] - f[d], f[d] - _cuts[d][_place[d] + 1]));
        }
        Comm.AllReduceMax(_overhang);
    }

    /// <summary>Sends atoms that left this rank's box to their new owners, however far away.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Migrate()
    {
        int leavers = FindLeavers();
        int* slot = _destination.Pointer;
        long far = 0;
        for (int k = 0; k < leavers; k++) if (Array.BinarySearch(_peers, slot[2 * k + 1]) < 0) far++;
        // Mostly atoms go to neighbours; then only these talk to each other.
        int[] ranks = Comm.AllReduceSum(far) > 0 ? _others : _peers;
        int n = ranks.Length;
        if (n == 0) return;
        Array.Clear(_leaving);
        for (int k = 0; k < leavers; k++) _leaving[Array.BinarySearch(ranks, slot[2 * k + 1])]++;
        Comm.Exchange<int>(ranks, _leaving.AsSpan(0, n), _units.AsSpan(0, n + 1), _arriving.AsSpan(0, n), _units.AsSpan(0, n + 1));
        for (int r = 0; r < n; r++)
        {
            _leavingStart[r + 1] = _leavingStart[r] + _leaving[r];
            _arrivingStart[r + 1] = _arrivingStart[r] + _arriving[r];
            _leaving[r] = _leavingStart[r];
        }
        int arrivals = _arrivingStart[n];
        Mover* leaving = _moversOut.Require(leavers), arriving = _moversIn.Require(arrivals);
        for (int k = 0; k < leavers; k++)
        {
            int s = slot[2 * k];
            double* x = X + At(s), v = V + At(s);
            int* image = _image.Pointer + 3 * s;
            leaving[_leaving[Array.BinarySearch(ranks, slot[2 * k + 1])]++] = new Mover(x[0], x[8], x[16], v[0], v[8], v[16], Tag[s], image[0], image[1], image[2]);
            Tag[s] = -1;
        }
        Comm.Exchange<Mover>(ranks, new(leaving, leavers), _leavingStart.AsSpan(0, n + 1), new(arriving, arrivals), _arrivingStart.AsSpan(0, n + 1));
        int first = OwnedSlots, clusters = OwnedClusters + Lane.Blocks(arrivals);
        RequireOwned(clusters);
        for (int k = 0; k < arrivals; k++)
        {
            int s = first + k;
            ref var m = ref arriving[k];
            double* x = X + At(s), v = V + At(s);
            int* image = _image.Pointer + 3 * s;
            (x[0], x[8], x[16], v[0], v[8], v[16]) = (m.X, m.Y, m.Z, m.VX, m.VY, m.VZ);
            (Tag[s], image[0], image[1], image[2]) = (m.Tag, m.N0, m.N1, m.N2);
        }
        OwnedClusters = clusters;
        for (int s = first + arrivals; s < OwnedSlots; s++) Tag[s] = -1;
    }

    /// <summary>Slots of atoms of other ranks' boxes, and these ranks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int FindLeavers()
    {
        if (_leader is not null) MapOwned();
        var fractions = new Fractions(Cell);
        int count = 0;
        Lanes low0 = Low(0), low1 = Low(1), low2 = Low(2), high0 = High(0), high1 = High(1), high2 = High(2);
        for (int c = 0; c < OwnedClusters; c++)
        {
            fractions.Of(X + 24L * c, out var s0, out var s1, out var s2);
            var inside = Vector512.GreaterThanOrEqual(s0, low0) & Vector512.LessThan(s0, high0) & Vector512.GreaterThanOrEqual(s1, low1)
                & Vector512.LessThan(s1, high1) & Vector512.GreaterThanOrEqual(s2, low2) & Vector512.LessThan(s2, high2);
            var atoms = ColumnSorter.IsAtom(Tag + 8 * c);
            // Who follows another may be inside while that one is not.
            uint bits = Lane.Bits(_leader is null ? Vector512.AndNot(atoms, inside) : atoms);
            for (; bits != 0; bits &= bits - 1)
            {
                int s = 8 * c + BitOperations.TrailingZeroCount(bits);
                var (f0, f1, f2) = Fraction(_leader is null ? s : _slotOf.Pointer[_leader[Tag[s]]]);
                int to = RankAt(BoxOf(0, f0), BoxOf(1, f1), BoxOf(2, f2));
                if (to == Comm.Rank) continue;
                int* list = _destination.Require(2L * count + 2, 2 * count);
                (list[2 * count], list[2 * count + 1]) = (s, to);
                count++;
            }
        }
        return count;

        Lanes Low(int d) => Lane.Of(_cuts[d][_place[d]]);
        Lanes High(int d) => Lane.Of(_cuts[d][_place[d] + 1]);
    }
}
