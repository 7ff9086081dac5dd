using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics;

// What dynamics needs of a domain beyond forces.
public sealed unsafe partial class Domain
{
    private Cell? _referenceCell;
    private double[] _stretch = [];

    private readonly AlignedArray<double> _oldX = new(), _oldV = new();
    private readonly AlignedArray<int> _oldTag = new(), _oldImage = new();
    private int _oldGeneration = -1, _oldSlots;
    private Cell? _oldCell;

    /// <summary>Keeps positions, velocities and the cell as they are, for <see cref="Recall"/>.</summary>
    internal void Remember()
    {
        int n = 24 * OwnedClusters;
        _oldCell = Cell;
        new Span<double>(X, n).CopyTo(new Span<double>(_oldX.Require(n), n));
        new Span<double>(V, n).CopyTo(new Span<double>(_oldV.Require(n), n));
        if (_oldGeneration == Generation) return;
        (_oldGeneration, _oldSlots) = (Generation, OwnedSlots);
        new Span<int>(Tag, _oldSlots).CopyTo(new Span<int>(_oldTag.Require(_oldSlots), _oldSlots));
        new Span<int>(_image.Pointer, 3 * _oldSlots).CopyTo(new Span<int>(_oldImage.Require(3L * _oldSlots), 3 * _oldSlots));
    }

    /// <summary>As <see cref="Store(MsHpc.Atomistics.Atoms)"/>, of what <see cref="Remember"/> kept. Collective.</summary>
    internal void Recall(Atoms atoms) => Store(atoms, _oldCell!, _oldX.Pointer, _oldV.Pointer, _oldTag.Pointer, _oldImage.Pointer, _oldSlots);

    /// <summary>Where atoms were at the last <see cref="Rebuild"/>, carried along by the cell since: origin + E (r − origin), E = h h_ref⁻¹ (h: edge vectors as columns).</summary>
    private void Stretch()
    {
        if (_stretch.Length == 0) _stretch = new double[9];
        ReadOnlySpan<double> h = Cell.Rows, g = _referenceCell!.Reciprocal;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                _stretch[3 * i + j] = h[i] * g[j] + h[3 + i] * g[3 + j] + h[6 + i] * g[6 + j];
    }

    /// <summary>As <see cref="MaxDisplacementSquared()"/>, beyond the affine motion of the cell.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private double MaxNonAffineSquared()
    {
        Stretch();
        double[] e = _stretch;
        double* x = X, low = _boxes.Pointer;
        float* r = _reference.Offsets.Pointer;
        var o = Cell.Origin;
        Lanes ox = Lane.Of(o[0]), oy = Lane.Of(o[1]), oz = Lane.Of(o[2]), largest = Lanes.Zero;
        for (int c = 0; c < OwnedClusters; c++, x += 24, r += 24)
        {
            Lanes rx = Lane.Of(low[c]) + Widen(r) - ox, ry = Lane.Of(low[_boxStride + c]) + Widen(r + 8) - oy, rz = Lane.Of(low[2 * _boxStride + c]) + Widen(r + 16) - oz;
            var dx = Vector512.Load(x) - ox - Lane.Fma(Lane.Of(e[0]), rx, Lane.Fma(Lane.Of(e[1]), ry, Lane.Of(e[2]) * rz));
            var dy = Vector512.Load(x + 8) - oy - Lane.Fma(Lane.Of(e[3]), rx, Lane.Fma(Lane.Of(e[4]), ry, Lane.Of(e[5]) * rz));
            var dz = Vector512.Load(x + 16) - oz - Lane.Fma(Lane.Of(e[6]), rx, Lane.Fma(Lane.Of(e[7]), ry, Lane.Of(e[8]) * rz));
            // Padding stays where it is. The reference is off by its rounding, and E stretches that by far less than twice before lists are remade.
            largest = Vector512.Max(largest, Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx)) & Atoms(8 * c));
        }
        return Bound(largest, 2 * _reference.Error);
    }

    /// <summary>The lanes of a cluster that are atoms, not padding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Lanes Atoms(int slot)
    {
        var (low, high) = Vector256.Widen(Vector256.Load(Tag + slot));
        return Vector512.GreaterThanOrEqual(Vector512.Create(low, high), Vector512<long>.Zero).AsDouble();
    }

    /// <summary>
    /// Whether lists may miss a pair, given the largest squared displacement of all ranks. A pair at ρ &gt; reach + skin when the lists were made is at
    /// least (1 − e) ρ − 2 d apart now, d the displacement beyond the affine one and e = ‖E − 1‖: none is missed while 2 d + e (reach + skin) ≤ skin, the <paramref name="skin"/> that is left.
    /// </summary>
    internal bool ListsMiss(double movedSquared, double skin)
    {
        if (ReferenceEquals(Cell, _referenceCell)) return !(4 * movedSquared <= skin * skin);
        Stretch();
        double e = 0;
        for (int k = 0; k < 9; k++) e += Math.Pow(_stretch[k] - (k % 4 == 0 ? 1 : 0), 2);
        return !(2 * Math.Sqrt(movedSquared) + Math.Sqrt(e) * (Reach + Skin) <= skin);
    }

    /// <summary>
    /// Takes positions and cell from <paramref name="atoms"/>, which moved a little since: keeps order and lists if they are still good. Velocities stay as
    /// they are. Collective.
    /// </summary>
    public void Place(Atoms atoms)
    {
        if (!ReferenceEquals(Cell, atoms.Cell)) SetCell(atoms.Cell, moveAtoms: false);
        for (int s = 0; s < OwnedSlots; s++)
        {
            int i = Tag[s];
            if (i < 0) continue;
            int at = s / 8 * 24 + s % 8;
            int* n = _image.Pointer + 3 * s;
            var (sx, sy, sz) = Cell.Shift(n[0], n[1], n[2]);
            X[at] = atoms.Positions[3 * i] - sx;
            X[at + 8] = atoms.Positions[3 * i + 1] - sy;
            X[at + 16] = atoms.Positions[3 * i + 2] - sz;
        }
        if (NeedsRebuild()) Load(atoms);
        else UpdateGhosts();
    }
}
