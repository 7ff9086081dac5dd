using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics;

/// <summary>
/// The atoms of one rank in the order and layout that kernels like: owned atoms, then ghosts (periodic images and neighbours' atoms within
/// the halo), each sorted in space and cut into clusters of eight.
/// </summary>
/// <remarks>
/// <para>Slot = 8·cluster + lane. Coordinates of cluster c lie at <c>X[24 c + 8 k + lane]</c>, k = 0, 1, 2, so that one atom meets eight with three
/// contiguous loads. Clusters are cut from columns along z whose cross-section makes a cluster about a cube. The last cluster of a column is
/// filled up with padding: atoms far away, of type 0, mass 1, at rest.</para>
/// <para>Ghosts carry the sum of hops (−1, 0, +1, … along a, b, c) on which they came. Of two atoms i, j that meet twice, as (i, ghost of j)
/// and (j, ghost of i), the hops are opposite; so a half list keeps the pairs with <i>upper</i> ghosts, those whose first hop that is not
/// zero is positive. Lower ghosts exist only when a full list
/// or <see cref="ListKind.Copies"/> is wanted.</para>
/// </remarks>
public sealed unsafe partial class Domain
{
    /// <summary>Where padding sits; beyond any cutoff, and squared still far from overflow in single precision.</summary>
    private const double FarAway = 1e7;

    private readonly AlignedArray<double> _x = new(), _v = new(), _f = new(), _x2 = new(), _v2 = new(), _x4 = new(), _f4 = new();
    private readonly AlignedArray<double> _charge = new(), _mass = new(), _reference = new(), _boxes = new(), _atomEnergy = new(), _atomVirial = new();
    private readonly AlignedArray<int> _type = new(), _tag = new(), _tag2 = new(), _image = new(), _image2 = new(), _root = new(), _shift = new(), _next = new(), _slotOf = new();
    private readonly int[] _types;
    private readonly double[] _charges, _masses;
    private double[] _shiftVectors = new double[3];
    private readonly ColumnSorter _sorter = new();
    private readonly Columns _owned = new(), _upper = new(), _lower = new();

    /// <param name="atoms">Atoms; copied. Types, charges and masses are read once.</param>
    /// <param name="reach">Largest cutoff of all interactions, Å.</param>
    /// <param name="skin">What lists hold beyond the cutoff, Å: they are good until an atom has moved half of it.</param>
    /// <param name="lists">Lists to keep.</param>
    /// <param name="comm">Ranks that share the atoms; null: this one alone.</param>
    /// <param name="team">Threads; null: the caller's.</param>
    public Domain(Atoms atoms, double reach, double skin, ListKind lists, Comm? comm = null, ThreadTeam? team = null)
    {
        (Comm, Team, Reach, Skin, Lists) = (comm ?? Comm.Self, team ?? ThreadTeam.Single, reach, skin, lists);
        _types = atoms.Types;
        _charges = atoms.Charges;
        _masses = [.. atoms.Types.Select(t => atoms.Species[t].Mass)];
        TypeCount = atoms.Species.Count;
        AtomCount = atoms.Count;
        Cell = atoms.Cell;
        SetExclusions(atoms);
        if (_excludedStart is not null) Lists |= ListKind.Copies;
        Load(atoms);
    }

    /// <summary>Ranks that share the atoms.</summary>
    public Comm Comm { get; }

    /// <summary>Threads of this rank.</summary>
    public ThreadTeam Team { get; }

    /// <summary>Cell of all ranks.</summary>
    public Cell Cell { get; private set; }

    /// <summary>Largest cutoff, Å.</summary>
    public double Reach { get; }

    /// <summary>Å.</summary>
    public double Skin { get; }

    /// <summary>Lists that are kept.</summary>
    public ListKind Lists { get; }

    /// <summary>Atoms of all ranks.</summary>
    public int AtomCount { get; }

    /// <summary>Kinds of atoms.</summary>
    public int TypeCount { get; }

    /// <summary>Atoms that this rank owns.</summary>
    public int Owned { get; private set; }

    /// <summary>Clusters of owned atoms: 0 … OwnedClusters − 1.</summary>
    public int OwnedClusters { get; private set; }

    /// <summary>Clusters of owned atoms and upper ghosts; lower ghosts follow.</summary>
    public int UpperClusters { get; private set; }

    /// <summary>All clusters.</summary>
    public int Clusters { get; private set; }

    /// <summary>Owned slots, padding included: 8·<see cref="OwnedClusters"/>.</summary>
    public int OwnedSlots => 8 * OwnedClusters;

    /// <summary>All slots: 8·<see cref="Clusters"/>.</summary>
    public int Slots => 8 * Clusters;

    /// <summary>A slot far away from everything, for padding of lists: the first after all others; seven more like it follow.</summary>
    public int Dummy => Slots;

    /// <summary>Positions, Å: X[24 c + 8 k + lane].</summary>
    public double* X => _x.Pointer;

    /// <summary>Velocities of owned atoms, Å/fs, like <see cref="X"/>.</summary>
    public double* V => _v.Pointer;

    /// <summary>Forces, eV/Å, like <see cref="X"/>.</summary>
    public double* F => _f.Pointer;

    /// <summary>Positions as rows of four, X4[4 slot + k]; the fourth number is free for an interaction's own use.</summary>
    public double* X4 => _x4.Pointer;

    /// <summary>Forces as rows of four.</summary>
    public double* F4 => _f4.Pointer;

    /// <summary>Type of each slot; 0 for padding.</summary>
    public int* Type => _type.Pointer;

    /// <summary>Index into the <see cref="Atoms"/> of each slot; −1 for padding.</summary>
    public int* Tag => _tag.Pointer;

    /// <summary>Charge of each slot, e; 0 for padding.</summary>
    public double* Charge => _charge.Pointer;

    /// <summary>Mass of each owned slot, u; 1 for padding.</summary>
    public double* Mass => _mass.Pointer;

    /// <summary>Energy of each slot, eV, with <see cref="Want.PerAtom"/>.</summary>
    public double* AtomEnergy => _atomEnergy.Pointer;

    /// <summary>Virial of each slot, 6 numbers, eV, with <see cref="Want.PerAtom"/>.</summary>
    public double* AtomVirial => _atomVirial.Pointer;

    /// <summary>Pairs as one atom against clusters.</summary>
    public ClusterList Pairs { get; } = new();

    /// <summary>Each pair once.</summary>
    public NeighborList Half { get; } = new();

    /// <summary>All neighbours of owned atoms.</summary>
    public NeighborList Full { get; } = new();

    /// <summary>Goes up with every change of order.</summary>
    public int Generation { get; private set; }

    /// <summary>Takes positions, velocities and cell from <paramref name="atoms"/> and sorts anew.</summary>
    public void Load(Atoms atoms)
    {
        int n = AtomCount, slots = 8 * Lane.Blocks(n);
        RequireOwned(Lane.Blocks(n));
        double* x = X, v = V;
        int* tag = Tag, image = _image.Pointer;
        for (int s = 0; s < slots; s++)
        {
            int at = s / 8 * 24 + s % 8;
            tag[s] = s < n ? s : -1;
            for (int k = 0; k < 3; k++)
            {
                x[at + 8 * k] = s < n ? atoms.Positions[3 * s + k] : 0;
                v[at + 8 * k] = s < n ? atoms.Velocities[3 * s + k] : 0;
                image[3 * s + k] = 0;
            }
        }
        (Owned, OwnedClusters, Cell) = (n, slots / 8, atoms.Cell);
        Rebuild();
    }

    /// <summary>Writes positions (unwrapped) and velocities of owned atoms into <paramref name="atoms"/>, and the cell.</summary>
    public void Store(Atoms atoms)
    {
        for (int s = 0; s < OwnedSlots; s++)
        {
            int i = Tag[s];
            if (i < 0) continue;
            int at = s / 8 * 24 + s % 8;
            int* n = _image.Pointer + 3 * s;
            var (sx, sy, sz) = Cell.Shift(n[0], n[1], n[2]);
            atoms.Positions[3 * i] = X[at] + sx;
            atoms.Positions[3 * i + 1] = X[at + 8] + sy;
            atoms.Positions[3 * i + 2] = X[at + 16] + sz;
            for (int k = 0; k < 3; k++) atoms.Velocities[3 * i + k] = V[at + 8 * k];
        }
        atoms.Cell = Cell;
    }

    /// <summary>Copies forces of owned atoms into an array of 3 numbers per atom of the <see cref="Atoms"/>.</summary>
    public void StoreForces(Span<double> forces)
    {
        for (int s = 0; s < OwnedSlots; s++)
        {
            int i = Tag[s];
            if (i < 0) continue;
            int at = s / 8 * 24 + s % 8;
            for (int k = 0; k < 3; k++) forces[3 * i + k] = F[at + 8 * k];
        }
    }

    /// <summary>Sets another cell, carrying the atoms along affinely when asked; ghosts follow. Lists stay as long as <see cref="NeedsRebuild"/> says so.</summary>
    public void SetCell(Cell cell, bool moveAtoms)
    {
        if (moveAtoms)
            for (int s = 0; s < OwnedSlots; s++)
            {
                if (Tag[s] < 0) continue;
                int at = s / 8 * 24 + s % 8;
                var (s0, s1, s2) = Cell.Fractional(X[at], X[at + 8], X[at + 16]);
                (X[at], X[at + 8], X[at + 16]) = cell.Cartesian(s0, s1, s2);
            }
        Cell = cell;
        for (int h = 0; 3 * h < _shiftVectors.Length; h++)
            (_shiftVectors[3 * h], _shiftVectors[3 * h + 1], _shiftVectors[3 * h + 2]) = cell.Shift(_hops[3 * h], _hops[3 * h + 1], _hops[3 * h + 2]);
        UpdateGhosts();
    }

    private void RequireOwned(int clusters)
    {
        // One cluster more than counted: the dummies.
        int c = clusters + 1, keep = OwnedClusters;
        _x.Require(24L * c, 24 * keep);
        _v.Require(24L * c, 24 * keep);
        _tag.Require(8L * c, 8 * keep);
        _image.Require(24L * c, 24 * keep);
    }

    /// <summary>Wraps, sorts, makes ghosts and lists. Changes slots.</summary>
    public void Rebuild()
    {
        Generation++;
        Wrap();
        SortOwned();
        MakeGhosts();
        FillProperties();
        _reference.Require(24L * (OwnedClusters + 1));
        new Span<double>(X, 24 * OwnedClusters).CopyTo(_reference.Span(24 * OwnedClusters));
        _referenceCell = Cell;
        Boxes();
        BuildLists();
    }

    /// <summary>Largest squared displacement of an owned atom since the last <see cref="Rebuild"/>, beyond the affine motion of the cell, Å². Of this rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public double MaxDisplacementSquared()
    {
        if (!ReferenceEquals(Cell, _referenceCell)) return MaxNonAffineSquared();
        var largest = Lanes.Zero;
        double* x = X, r = _reference.Pointer;
        for (int c = 0; c < OwnedClusters; c++, x += 24, r += 24)
        {
            var dx = Vector512.Load(x) - Vector512.Load(r);
            var dy = Vector512.Load(x + 8) - Vector512.Load(r + 8);
            var dz = Vector512.Load(x + 16) - Vector512.Load(r + 16);
            // Max would lose a NaN on one side only; the sum of both orders keeps it.
            largest = Vector512.Max(largest, Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)));
        }
        double max = 0;
        for (int l = 0; l < 8; l++) max = double.IsNaN(largest[l]) ? double.NaN : Math.Max(max, largest[l]);
        return max;
    }

    /// <summary>Whether lists may miss a pair: an atom moved more than half the skin. Collective.</summary>
    public bool NeedsRebuild()
    {
        return ListsMiss(Comm.AllReduceMax(MaxDisplacementSquared()));
    }

    private void Wrap()
    {
        var cell = Cell;
        double* x = X;
        int* image = _image.Pointer, tag = Tag;
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (tag[s] < 0) continue;
            int at = s / 8 * 24 + s % 8;
            var (s0, s1, s2) = cell.Fractional(x[at], x[at + 8], x[at + 16]);
            int n0 = cell.Periodic[0] ? Floor(s0) : 0, n1 = cell.Periodic[1] ? Floor(s1) : 0, n2 = cell.Periodic[2] ? Floor(s2) : 0;
            if ((n0 | n1 | n2) == 0) continue;
            var (sx, sy, sz) = cell.Shift(n0, n1, n2);
            x[at] -= sx;
            x[at + 8] -= sy;
            x[at + 16] -= sz;
            image[3 * s] += n0;
            image[3 * s + 1] += n1;
            image[3 * s + 2] += n2;
        }
    }

    private static int Floor(double s)
    {
        double n = Math.Floor(s);
        return Math.Abs(n) < 1e6 ? (int)n : throw new NumericalException("an atom is a million cells away: it was lost, or its position is not a number");
    }

    private void SortOwned()
    {
        var sorter = _sorter;
        sorter.Begin(Owned);
        double* x = X;
        int* tag = Tag;
        int n = 0;
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (tag[s] < 0) continue;
            int at = s / 8 * 24 + s % 8;
            sorter.Set(n++, x[at], x[at + 8], x[at + 16], tag[s], s);
        }
        int clusters = sorter.Sort(0, n, _owned, 0, adapt: true);
        double* x2 = _x2.Require(24L * (clusters + 1)), v2 = _v2.Require(24L * (clusters + 1));
        int* tag2 = _tag2.Require(8L * (clusters + 1)), image2 = _image2.Require(24L * (clusters + 1)), image = _image.Pointer;
        double* v = V;
        for (int s = 0; s < 8 * clusters; s++)
        {
            int to = s / 8 * 24 + s % 8, from = sorter.Order[s];
            if (from < 0)
            {
                tag2[s] = -1;
                for (int k = 0; k < 3; k++) (x2[to + 8 * k], v2[to + 8 * k], image2[3 * s + k]) = (k == 0 ? FarAway + 100.0 * (s % 4096) : FarAway, 0, 0);
                continue;
            }
            int at = from / 8 * 24 + from % 8;
            tag2[s] = tag[from];
            for (int k = 0; k < 3; k++) (x2[to + 8 * k], v2[to + 8 * k], image2[3 * s + k]) = (x[at + 8 * k], v[at + 8 * k], image[3 * from + k]);
        }
        OwnedClusters = clusters;
        RequireOwned(clusters);
        new Span<double>(x2, 24 * clusters).CopyTo(new Span<double>(X, 24 * clusters));
        new Span<double>(v2, 24 * clusters).CopyTo(new Span<double>(V, 24 * clusters));
        new Span<int>(tag2, 8 * clusters).CopyTo(new Span<int>(Tag, 8 * clusters));
        new Span<int>(image2, 24 * clusters).CopyTo(new Span<int>(_image.Pointer, 24 * clusters));
    }

    private readonly List<int> _hops = []; // the vectors n₀ a + n₁ b + n₂ c that occur, three numbers each
    private readonly Dictionary<(int, int, int), int> _hopNumber = [];

    private record struct Ghost(int Root, int N0, int N1, int N2, int Sign);

    private readonly List<Ghost> _ghosts = [];

    /// <summary>Images of owned atoms within the halo. Direction after direction, so that edges and corners come by themselves.</summary>
    private void MakeGhosts()
    {
        bool lower = (Lists & (ListKind.Full | ListKind.Copies)) != 0;
        double halo = Reach + Skin;
        var cell = Cell;
        _ghosts.Clear();
        var fraction = new double[3 * OwnedSlots];
        for (int s = 0; s < OwnedSlots; s++)
        {
            if (Tag[s] < 0) continue;
            int at = s / 8 * 24 + s % 8;
            (fraction[3 * s], fraction[3 * s + 1], fraction[3 * s + 2]) = cell.Fractional(X[at], X[at + 8], X[at + 16]);
        }
        for (int d = 0; d < 3 && halo > 0; d++)
        {
            if (!cell.Periodic[d]) continue;
            double w = halo / cell.Spacing[d];
            int before = _ghosts.Count;
            for (int s = 0; s < OwnedSlots; s++) if (Tag[s] >= 0) Hop(new Ghost(s, 0, 0, 0, 0), fraction[3 * s + d]);
            for (int g = 0; g < before; g++) Hop(_ghosts[g], fraction[3 * _ghosts[g].Root + d]);

            void Hop(Ghost g, double s)
            {
                for (int n = 1; s + n < 1 + w; n++) Add(g, n);
                if (g.Sign > 0 || lower) for (int n = -1; s + n > -w; n--) Add(g, n);
            }
            void Add(Ghost g, int n) => _ghosts.Add(new Ghost(g.Root, d == 0 ? n : g.N0, d == 1 ? n : g.N1, d == 2 ? n : g.N2, g.Sign != 0 ? g.Sign : Math.Sign(n)));
        }

        _hops.Clear();
        _hopNumber.Clear();
        var sorter = _sorter;
        sorter.Begin(_ghosts.Count);
        int uppers = 0;
        foreach (var g in _ghosts) if (g.Sign > 0) uppers++;
        int up = 0, low = uppers;
        for (int k = 0; k < _ghosts.Count; k++)
        {
            var g = _ghosts[k];
            int at = g.Root / 8 * 24 + g.Root % 8;
            var (sx, sy, sz) = cell.Shift(g.N0, g.N1, g.N2);
            sorter.Set(g.Sign > 0 ? up++ : low++, X[at] + sx, X[at + 8] + sy, X[at + 16] + sz, Tag[g.Root], k);
        }
        UpperClusters = OwnedClusters + sorter.Sort(0, uppers, _upper, OwnedClusters);
        PlaceGhosts(OwnedClusters, UpperClusters);
        Clusters = UpperClusters + sorter.Sort(uppers, _ghosts.Count, _lower, UpperClusters);
        PlaceGhosts(UpperClusters, Clusters);
        _x.Require(24L * (Clusters + 1), 24 * OwnedClusters);
        _shiftVectors = new double[_hops.Count];
        for (int h = 0; 3 * h < _hops.Count; h++)
            (_shiftVectors[3 * h], _shiftVectors[3 * h + 1], _shiftVectors[3 * h + 2]) = cell.Shift(_hops[3 * h], _hops[3 * h + 1], _hops[3 * h + 2]);
        for (int s = OwnedSlots; s < Slots + 8; s++)
        {
            if (s < Slots && _root.Pointer[s] >= 0) continue;
            double* x = X + (s / 8 * 24 + s % 8);
            (x[0], x[8], x[16]) = (-FarAway - 100.0 * (s % 4096), -FarAway, -FarAway);
        }
        UpdateGhosts();
    }

    private void PlaceGhosts(int first, int end)
    {
        int* root = _root.Require(8L * (end + 1), 8 * first), shift = _shift.Require(8L * (end + 1), 8 * first);
        int* tag = _tag.Require(8L * (end + 1), 8 * first);
        for (int s = 8 * first; s < 8 * end; s++)
        {
            int k = _sorter.Order[s - 8 * first];
            (root[s], tag[s]) = (-1, -1);
            if (k < 0) continue;
            var g = _ghosts[k];
            if (!_hopNumber.TryGetValue((g.N0, g.N1, g.N2), out int number))
            {
                _hopNumber.Add((g.N0, g.N1, g.N2), number = _hops.Count / 3);
                _hops.AddRange([g.N0, g.N1, g.N2]);
            }
            (root[s], shift[s], tag[s]) = (g.Root, 3 * number, tag[g.Root]);
        }
    }

    private void FillProperties()
    {
        int slots = Slots + 8;
        int* type = _type.Require(slots), next = _next.Require(slots), slotOf = _slotOf.Require(AtomCount);
        double* charge = _charge.Require(slots), mass = _mass.Require(slots);
        _tag.Require(slots, Slots);
        new Span<int>(slotOf, AtomCount).Fill(-1);
        for (int s = slots - 1; s >= 0; s--)
        {
            if (s >= Slots) Tag[s] = -1;
            int i = Tag[s];
            (type[s], charge[s], mass[s], next[s]) = (0, 0, 1, -1);
            if (i < 0) continue;
            (type[s], charge[s], mass[s]) = (_types[i], _charges[i], _masses[i]);
            (next[s], slotOf[i]) = (slotOf[i], s);
        }
        _f.Require(24L * (Clusters + 1));
    }

    /// <summary>Slot of the copy of atom <paramref name="tag"/> (owned or ghost) nearest to a slot; −1 when this rank has none.</summary>
    public int Closest(int slot, int tag)
    {
        int best = -1, a = slot / 8 * 24 + slot % 8;
        double least = double.PositiveInfinity;
        for (int s = _slotOf.Pointer[tag]; s >= 0; s = _next.Pointer[s])
        {
            int b = s / 8 * 24 + s % 8;
            double dx = X[b] - X[a], dy = X[b + 8] - X[a + 8], dz = X[b + 16] - X[a + 16], d = dx * dx + dy * dy + dz * dz;
            if (d < least) (least, best) = (d, s);
        }
        return best;
    }

    /// <summary>Slot of atom <paramref name="tag"/> if this rank owns it, else −1.</summary>
    public int OwnedSlot(int tag)
    {
        int s = _slotOf.Pointer[tag];
        return s < OwnedSlots ? s : -1;
    }

    /// <summary>Moves ghosts after their owners.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void UpdateGhosts()
    {
        double* x = X;
        int* root = _root.Pointer, shift = _shift.Pointer;
        fixed (double* vectors = _shiftVectors)
            for (int s = OwnedSlots; s < Slots; s++)
            {
                int r = root[s];
                if (r < 0) continue;
                double* v = vectors + shift[s], from = x + (r / 8 * 24 + r % 8), to = x + (s / 8 * 24 + s % 8);
                to[0] = from[0] + v[0];
                to[8] = from[8] + v[1];
                to[16] = from[16] + v[2];
            }
    }

    /// <summary>Copies owned values of a field of one number per slot to the ghosts.</summary>
    public void Forward(double* field)
    {
        int* root = _root.Pointer;
        for (int s = OwnedSlots; s < Slots; s++) if (root[s] >= 0) field[s] = field[root[s]];
    }

    /// <summary>Adds ghosts' values of a field of <paramref name="width"/> numbers per slot to their owners.</summary>
    public void Fold(double* field, int width = 1)
    {
        int* root = _root.Pointer;
        for (int s = OwnedSlots; s < Slots; s++)
            if (root[s] >= 0)
                for (int k = 0; k < width; k++) field[width * root[s] + k] += field[width * s + k];
    }

    /// <summary>Adds ghosts' forces to their owners.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void FoldForces()
    {
        double* f = F;
        int* root = _root.Pointer;
        for (int s = OwnedSlots; s < Slots; s++)
        {
            int r = root[s];
            if (r < 0) continue;
            double* to = f + (r / 8 * 24 + r % 8), from = f + (s / 8 * 24 + s % 8);
            to[0] += from[0];
            to[8] += from[8];
            to[16] += from[16];
        }
    }

    /// <summary>Sets forces of all slots to zero.</summary>
    public void ZeroForces() => NativeMemory.Clear(F, 24 * sizeof(double) * ((nuint)Clusters + 1));

    /// <summary>Σ r ⊗ f over owned and ghost slots: the virial of local interactions, before their ghosts' forces are folded. Of this rank.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddVirial(ref VirialSum virial)
    {
        Lanes xx = Lanes.Zero, yy = Lanes.Zero, zz = Lanes.Zero, yz = Lanes.Zero, xz = Lanes.Zero, xy = Lanes.Zero;
        double* x = X, f = F;
        for (int c = 0; c < Clusters; c++, x += 24, f += 24)
        {
            Lanes rx = Vector512.Load(x), ry = Vector512.Load(x + 8), rz = Vector512.Load(x + 16);
            Lanes fx = Vector512.Load(f), fy = Vector512.Load(f + 8), fz = Vector512.Load(f + 16);
            xx = Lane.Fma(rx, fx, xx);
            yy = Lane.Fma(ry, fy, yy);
            zz = Lane.Fma(rz, fz, zz);
            yz = Lane.Fma(ry, fz, yz);
            xz = Lane.Fma(rx, fz, xz);
            xy = Lane.Fma(rx, fy, xy);
        }
        virial[0] += Vector512.Sum(xx);
        virial[1] += Vector512.Sum(yy);
        virial[2] += Vector512.Sum(zz);
        virial[3] += Vector512.Sum(yz);
        virial[4] += Vector512.Sum(xz);
        virial[5] += Vector512.Sum(xy);
    }

    /// <summary>Makes and clears <see cref="AtomEnergy"/> and <see cref="AtomVirial"/>.</summary>
    public void ZeroPerAtom()
    {
        _atomEnergy.Require(Slots + 8);
        _atomVirial.Require(6L * (Slots + 8));
        _atomEnergy.Span(Slots + 8).Clear();
        _atomVirial.Span(6 * (Slots + 8)).Clear();
    }

    /// <summary>Fills <see cref="X4"/> from <see cref="X"/> and clears <see cref="F4"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void PushRows()
    {
        double* rows = _x4.Require(32L * (Clusters + 1)), x = X;
        for (int c = 0; c <= Clusters; c++, x += 24, rows += 32)
            for (int l = 0; l < 8; l++)
                Vector256.Create(x[l], x[8 + l], x[16 + l], 0).Store(rows + 4 * l);
        NativeMemory.Clear(_f4.Require(32L * (Clusters + 1)), 32 * sizeof(double) * ((nuint)Clusters + 1));
    }

    /// <summary>Adds <see cref="F4"/> to <see cref="F"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void PullRows()
    {
        double* rows = F4, f = F;
        for (int c = 0; c < Clusters; c++, f += 24, rows += 32)
            for (int l = 0; l < 8; l++)
            {
                f[l] += rows[4 * l];
                f[8 + l] += rows[4 * l + 1];
                f[16 + l] += rows[4 * l + 2];
            }
    }
}
