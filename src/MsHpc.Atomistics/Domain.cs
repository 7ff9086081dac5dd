using System.Globalization;
using System.Numerics;
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
/// zero is positive. Lower ghosts exist only when a full list or bonded partners are wanted.</para>
/// <para>Ranks share the atoms as a grid of boxes in fractional coordinates. A hop goes from box to box, so that a grid of one box is the
/// periodic cell itself and the rule above holds across ranks unchanged.</para>
/// </remarks>
public sealed unsafe partial class Domain
{
    /// <summary>Where padding sits; beyond any cutoff, and squared still far from overflow in single precision.</summary>
    internal const double FarAway = 1e7;

    // What a change of order moves is gathered into the memory of the forces, which are void then. Coordinates change places with it.
    private AlignedArray<double> _x = new(), _v = new(), _f = new();
    private AlignedArray<int> _tag = new(), _image = new(), _ghostTag = new();
    private readonly AlignedArray<double> _charge = new(), _mass = new(), _boxes = new(), _atomEnergy = new(), _atomVirial = new();
    private readonly AlignedArray<int> _type = new(), _next = new(), _slotOf = new();
    private readonly int[] _types;
    private readonly double[] _charges, _massOfType;
    private readonly long[] _ids;
    private readonly ColumnSorter _sorter = new();
    private readonly Columns _owned = new(), _upper = new(), _lower = new();

    /// <param name="atoms">Atoms; copied. Types, charges and masses are read once.</param>
    /// <param name="reach">Largest cutoff of all interactions, Å.</param>
    /// <param name="skin">What lists hold beyond the cutoff, Å: they are good until an atom has moved half of it.</param>
    /// <param name="lists">Lists to keep.</param>
    /// <param name="comm">Ranks that share the atoms; null: this one alone.</param>
    /// <param name="team">Threads; null: the caller's.</param>
    /// <param name="minimumHalo">How far from its owned atoms a rank must at least know all copies of atoms, Å. What the terms of the
    /// topology need is known without it.</param>
    /// <param name="grid">Ranks along a, b, c; null: the grid with the fewest ghosts.</param>
    /// <param name="pairSkin"><see cref="PairSkin"/>; null: a quarter of the skin.</param>
    /// <exception cref="InputException">A grid that is not one of all ranks.</exception>
    /// <exception cref="NumericalException">A position that is not a number. On all ranks.</exception>
    public Domain(Atoms atoms, double reach, double skin, ListKind lists, Comm? comm = null, ThreadTeam? team = null,
        double minimumHalo = 0, (int A, int B, int C)? grid = null, double? pairSkin = null)
    {
        (Comm, Team, Reach, Skin, Lists) = (comm ?? Comm.Self, team ?? ThreadTeam.Single, reach, skin, lists);
        PairSkin = pairSkin ?? 0.25 * skin;
        _types = atoms.Types;
        _charges = atoms.Charges;
        _ids = atoms.Ids;
        _massOfType = [.. atoms.Species.Select(s => s.Mass)];
        TypeCount = atoms.Species.Count;
        AtomCount = atoms.Count;
        Cell = atoms.Cell;
        SetExclusions(atoms);
        MinimumHalo = Math.Max(minimumHalo, TermSpan(atoms));
        MakeGrid(atoms, grid);
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

    /// <summary>All copies of atoms within this distance of an owned atom are known, Å; beyond it, within reach + skin, only those that lists need.</summary>
    public double MinimumHalo { get; }

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

    /// <summary>Type of each slot; 0 for padding.</summary>
    public int* Type => _type.Pointer;

    /// <summary>The user's number of an atom, for messages.</summary>
    /// <param name="tag">Its index into the <see cref="Atoms"/>.</param>
    public long Id(int tag) => _ids[tag];

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

    /// <summary>Takes positions, velocities and cell from <paramref name="atoms"/>, the same on all ranks, divides the atoms anew and sorts. Collective.</summary>
    /// <remarks>What follows depends on these numbers only, not on what the domain did before: a run that stores, writes a restart and loads
    /// again goes on as one that starts from that restart.</remarks>
    public void Load(Atoms atoms)
    {
        Cell = atoms.Cell;
        CutEvenly(atoms);
        int n = 0, mine = 0;
        for (int i = 0; i < AtomCount; i++) if (IsMine(atoms, i)) mine++;
        (Owned, OwnedClusters) = (0, 0);
        RequireOwned(Lane.Blocks(mine));
        for (int i = 0; i < AtomCount; i++)
        {
            if (!IsMine(atoms, i)) continue;
            int at = At(n);
            Tag[n] = i;
            for (int k = 0; k < 3; k++) (X[at + 8 * k], V[at + 8 * k], _image.Pointer[3 * n + k]) = (atoms.Positions[3 * i + k], atoms.Velocities[3 * i + k], 0);
            n++;
        }
        OwnedClusters = Lane.Blocks(n);
        for (int s = n; s < OwnedSlots; s++) Tag[s] = -1;
        Renew(migrate: false);
    }

    /// <summary>Writes positions (unwrapped) and velocities of the atoms of all ranks into <paramref name="atoms"/> of every rank, and the cell. Collective.</summary>
    public void Store(Atoms atoms) => Store(atoms, Cell, X, V, Tag, _image.Pointer, OwnedSlots);

    private void Store(Atoms atoms, Cell cell, double* x, double* v, int* tag, int* image, int slots)
    {
        if (Comm.Size > 1)
        {
            Array.Clear(atoms.Positions);
            Array.Clear(atoms.Velocities);
        }
        for (int s = 0; s < slots; s++)
        {
            int i = tag[s];
            if (i < 0) continue;
            int at = At(s);
            int* n = image + 3 * s;
            var (sx, sy, sz) = cell.Shift(n[0], n[1], n[2]);
            atoms.Positions[3 * i] = x[at] + sx;
            atoms.Positions[3 * i + 1] = x[at + 8] + sy;
            atoms.Positions[3 * i + 2] = x[at + 16] + sz;
            for (int k = 0; k < 3; k++) atoms.Velocities[3 * i + k] = v[at + 8 * k];
        }
        atoms.Cell = cell;
        // Each number comes from one rank; zeros of the others change nothing.
        Comm.AllReduceSum(atoms.Positions);
        Comm.AllReduceSum(atoms.Velocities);
    }

    /// <summary>Copies forces of the atoms of all ranks into an array of 3 numbers per atom of the <see cref="Atoms"/>, on every rank. Collective.</summary>
    public void StoreForces(Span<double> forces)
    {
        if (Comm.Size > 1) forces.Clear();
        for (int s = 0; s < OwnedSlots; s++)
        {
            int i = Tag[s];
            if (i < 0) continue;
            for (int k = 0; k < 3; k++) forces[3 * i + k] = F[At(s) + 8 * k];
        }
        Comm.AllReduceSum(forces);
    }

    /// <summary>Sets another cell, carrying the atoms along affinely when asked; ghosts follow. Lists stay as long as <see cref="NeedsRebuild()"/> says so. Collective.</summary>
    public void SetCell(Cell cell, bool moveAtoms)
    {
        if (moveAtoms)
            for (int s = 0; s < OwnedSlots; s++)
            {
                if (Tag[s] < 0) continue;
                int at = At(s);
                var (s0, s1, s2) = Cell.Fractional(X[at], X[at + 8], X[at + 16]);
                (X[at], X[at + 8], X[at + 16]) = cell.Cartesian(s0, s1, s2);
            }
        Cell = cell;
        SetShifts();
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

    /// <summary>Wraps, sends atoms to the ranks that own them, sorts, makes ghosts and lists. Changes slots. Collective.</summary>
    /// <exception cref="NumericalException">An atom was lost. On all ranks.</exception>
    public void Rebuild() => Renew(migrate: true);

    private void Renew(bool migrate)
    {
        EndGhosts();
        Generation++;
        long lost = Wrap();
        if (Comm.AllReduceSum(lost) > 0) throw Lost();
        if (Comm.Size > 1)
        {
            if (_leader is not null) FollowLeaders();
            if (migrate)
            {
                Balance();
                Migrate();
            }
            MeasureOverhang();
        }
        SortOwned();
        MakeGhosts();
        FillProperties();
        Boxes();
        Keep(_reference);
        _referenceCell = Cell;
        BuildLists();
    }

    /// <summary>Where slot s begins in <see cref="X"/>: 24·(s/8) + s mod 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int At(int slot) => slot + 2 * (slot & ~7);

    /// <summary>Fractional coordinates of eight atoms.</summary>
    private readonly ref struct Fractions
    {
        private readonly Lanes _g0, _g1, _g2, _g3, _g4, _g5, _g6, _g7, _g8, _x, _y, _z;

        public Fractions(Cell cell)
        {
            ReadOnlySpan<double> g = cell.Reciprocal, o = cell.Origin;
            (_g0, _g1, _g2) = (Lane.Of(g[0]), Lane.Of(g[1]), Lane.Of(g[2]));
            (_g3, _g4, _g5) = (Lane.Of(g[3]), Lane.Of(g[4]), Lane.Of(g[5]));
            (_g6, _g7, _g8) = (Lane.Of(g[6]), Lane.Of(g[7]), Lane.Of(g[8]));
            (_x, _y, _z) = (Lane.Of(o[0]), Lane.Of(o[1]), Lane.Of(o[2]));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Of(double* cluster, out Lanes s0, out Lanes s1, out Lanes s2)
        {
            Lanes x = Vector512.Load(cluster) - _x, y = Vector512.Load(cluster + 8) - _y, z = Vector512.Load(cluster + 16) - _z;
            s0 = Lane.Fma(_g0, x, Lane.Fma(_g1, y, _g2 * z));
            s1 = Lane.Fma(_g3, x, Lane.Fma(_g4, y, _g5 * z));
            s2 = Lane.Fma(_g6, x, Lane.Fma(_g7, y, _g8 * z));
        }
    }

    private (double S0, double S1, double S2) Fraction(int slot)
    {
        double* x = X + At(slot);
        return Fraction(x[0], x[8], x[16]);
    }

    /// <summary>Fractional coordinates of one atom, the same bits as those of eight: of an atom on a face, who owns it and to which side it is wrapped
    /// are decided apart and must not differ.</summary>
    private (double S0, double S1, double S2) Fraction(double x, double y, double z)
    {
        ReadOnlySpan<double> g = Cell.Reciprocal, o = Cell.Origin;
        (x, y, z) = (x - o[0], y - o[1], z - o[2]);
        return (Math.FusedMultiplyAdd(g[0], x, Math.FusedMultiplyAdd(g[1], y, g[2] * z)),
            Math.FusedMultiplyAdd(g[3], x, Math.FusedMultiplyAdd(g[4], y, g[5] * z)),
            Math.FusedMultiplyAdd(g[6], x, Math.FusedMultiplyAdd(g[7], y, g[8] * z)));
    }

    /// <summary>Brings owned atoms into the cell.</summary>
    /// <returns>How many are a million cells away, or nowhere.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long Wrap()
    {
        var fractions = new Fractions(Cell);
        int* tag = Tag;
        Lanes far = Lane.Of(1e6);
        Lanes low0 = Low(0), low1 = Low(1), low2 = Low(2), high0 = High(0), high1 = High(1), high2 = High(2);
        long lost = 0;
        for (int c = 0; c < OwnedClusters; c++)
        {
            fractions.Of(X + 24L * c, out var s0, out var s1, out var s2);
            // Comparisons with a NaN are false.
            var inside = Vector512.GreaterThanOrEqual(s0, low0) & Vector512.LessThan(s0, high0) & Vector512.GreaterThanOrEqual(s1, low1)
                & Vector512.LessThan(s1, high1) & Vector512.GreaterThanOrEqual(s2, low2) & Vector512.LessThan(s2, high2);
            uint bits = (uint)Lane.Bits(Vector512.AndNot(ColumnSorter.IsAtom(tag + 8 * c), inside));
            if (bits == 0) continue;
            var near = Vector512.LessThan(Vector512.Abs(s0), far) & Vector512.LessThan(Vector512.Abs(s1), far) & Vector512.LessThan(Vector512.Abs(s2), far);
            lost += BitOperations.PopCount(bits & ~(uint)Lane.Bits(near));
            bits &= Lane.Bits(near);
            for (; bits != 0; bits &= bits - 1)
            {
                int l = BitOperations.TrailingZeroCount(bits), s = 8 * c + l;
                if (_leader is null || _leader[tag[s]] == tag[s]) MoveBack(s, Whole(s0[l], 0), Whole(s1[l], 1), Whole(s2[l], 2));
            }
        }
        return lost;

        Lanes Low(int d) => Lane.Of(Cell.Periodic[d] ? 0 : -1e6);
        Lanes High(int d) => Lane.Of(Cell.Periodic[d] ? 1 : 1e6);
    }

    private int Whole(double s, int d) => Cell.Periodic[d] ? (int)Math.Floor(s) : 0;

    /// <summary>Moves an atom by −n₀ a − n₁ b − n₂ c and remembers it.</summary>
    private void MoveBack(int s, int n0, int n1, int n2)
    {
        double* x = X + At(s);
        var (sx, sy, sz) = Cell.Shift(n0, n1, n2);
        (x[0], x[8], x[16]) = (x[0] - sx, x[8] - sy, x[16] - sz);
        int* image = _image.Pointer + 3 * s;
        (image[0], image[1], image[2]) = (image[0] + n0, image[1] + n1, image[2] + n2);
    }

    private record struct LostAtom(int Tag, double X, double Y, double Z);

    /// <summary>The error that names lost atoms, on all ranks.</summary>
    private NumericalException Lost()
    {
        var mine = new List<LostAtom>();
        for (int s = 0; s < OwnedSlots && mine.Count < 4; s++)
        {
            if (Tag[s] < 0) continue;
            var (s0, s1, s2) = Fraction(s);
            if (!(Math.Abs(s0) < 1e6 && Math.Abs(s1) < 1e6 && Math.Abs(s2) < 1e6)) mine.Add(new LostAtom(Tag[s], X[At(s)], X[At(s) + 8], X[At(s) + 16]));
        }
        var (all, _) = Comm.AllGather<LostAtom>(mine.ToArray());
        var text = all.OrderBy(a => a.Tag).Take(4).Select(a => string.Create(CultureInfo.InvariantCulture, $"{_ids[a.Tag]} at ({a.X}, {a.Y}, {a.Z}) Å"));
        return new NumericalException($"atoms were lost: a million cells away, or without a position: id {string.Join(", ", text)}. "
            + "Atoms that overlap at the start or a time step that is too long do this: minimise first, or take a shorter step");
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SortOwned()
    {
        int clusters = _sorter.Sort(X, Tag, 0, OwnedClusters, _owned, 0, adapt: true), slots = 8 * clusters;
        int* order = _sorter.Order;
        Reorder(ref _x, order, clusters, FarAway);
        Reorder(ref _v, order, clusters, 0);
        _tag.Require(8L * clusters + 8, OwnedSlots);
        _image.Require(24L * clusters + 24, 3 * OwnedSlots);
        int* tag = Tag, image = _image.Pointer, spare = (int*)_f.Require(24L * clusters);
        for (int s = 0; s < slots; s++) spare[s] = order[s] < 0 ? -1 : tag[order[s]];
        new Span<int>(spare, slots).CopyTo(new Span<int>(tag, slots));
        for (int s = 0; s < slots; s++)
        {
            int from = Math.Max(order[s], 0);
            (spare[3 * s], spare[3 * s + 1], spare[3 * s + 2]) = (image[3 * from], image[3 * from + 1], image[3 * from + 2]);
        }
        new Span<int>(spare, 3 * slots).CopyTo(new Span<int>(image, 3 * slots));
        (Owned, OwnedClusters) = (_sorter.Count, clusters);
    }

    /// <summary>Puts an array like <see cref="X"/> in another order. Padding gets <paramref name="padding"/>, along x farther from slot to slot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Reorder(ref AlignedArray<double> array, int* order, int clusters, double padding)
    {
        double* to = _f.Require(24L * (clusters + 1)), from = array.Pointer;
        for (int s = 0; s < 8 * clusters; s++)
        {
            int k = order[s];
            double* q = to + At(s);
            if (k < 0)
            {
                (q[0], q[8], q[16]) = (padding * (1 + 1e-5 * (s % 4096)), padding, padding);
                continue;
            }
            double* p = from + At(k);
            (q[0], q[8], q[16]) = (p[0], p[8], p[16]);
        }
        (array, _f) = (_f, array);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FillProperties()
    {
        int slots = Slots + 8;
        int* type = _type.Require(slots), next = _next.Require(slots), slotOf = _slotOf.Require(AtomCount), tag = Tag;
        double* charge = _charge.Require(slots), mass = _mass.Require(OwnedSlots + 8L);
        new Span<int>(slotOf, AtomCount).Fill(-1);
        fixed (int* types = _types)
        fixed (double* charges = _charges, masses = _massOfType)
            for (int s = slots - 1; s >= 0; s--)
            {
                int i = tag[s], t = i < 0 ? 0 : types[i];
                type[s] = t;
                charge[s] = i < 0 ? 0 : charges[i];
                if (s < OwnedSlots) mass[s] = i < 0 ? 1 : masses[t];
                next[s] = -1;
                if (i >= 0) (next[s], slotOf[i]) = (slotOf[i], s);
            }
    }

    /// <summary>Slot of the copy of atom <paramref name="tag"/> (owned or ghost) nearest to a slot; −1 when this rank has none.</summary>
    public int Closest(int slot, int tag)
    {
        int best = -1;
        double least = double.PositiveInfinity;
        for (int s = _slotOf.Pointer[tag]; s >= 0; s = _next.Pointer[s])
        {
            double d = DistanceSquared(s, slot);
            if (d < least) (least, best) = (d, s);
        }
        return best;
    }

    private double DistanceSquared(int s, int t)
    {
        double* a = X + At(s), b = X + At(t);
        double dx = a[0] - b[0], dy = a[8] - b[8], dz = a[16] - b[16];
        return dx * dx + dy * dy + dz * dz;
    }

    /// <summary>As <see cref="Closest"/>, for a partner that a term of the topology needs.</summary>
    /// <exception cref="NumericalException">No copy of the atom is near enough to be known as the nearest one.</exception>
    public int Partner(int slot, int tag)
    {
        int found = Closest(slot, tag);
        if (found >= 0 && (!HasGhosts || DistanceSquared(found, slot) <= MinimumHalo * MinimumHalo)) return found;
        throw new NumericalException(string.Create(CultureInfo.InvariantCulture,
            $"atom {_ids[tag]}, bonded to atom {_ids[Tag[slot]]} at ({X[At(slot)]}, {X[At(slot) + 8]}, {X[At(slot) + 16]}) Å, is not within {MinimumHalo} Å of it: the bond broke, or the cell is too small for it"));
    }

    /// <summary>Slot of atom <paramref name="tag"/> if this rank owns it, else −1.</summary>
    public int OwnedSlot(int tag)
    {
        int s = _slotOf.Pointer[tag];
        return s < OwnedSlots ? s : -1;
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
}
