using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// A rigid indenter, sphere or cylinder of radius R, that pushes atoms out; r is the distance from its centre or axis, r &lt; R:
/// <code>
/// E = K/3 (R − r)³,   F = K (R − r)² r̂
/// </code>
/// (C. L. Kelchner, S. J. Plimpton, J. C. Hamilton, Phys. Rev. B 58, 11085, 1998; LAMMPS' fix indent.) The virial is taken about the centre or axis,
/// W = Σ r ⊗ F, as if the indenter were carried along by a strain; LAMMPS leaves it out.
/// </summary>
/// <remarks>The nearest image of the indenter acts. It may be moved between evaluations.</remarks>
public sealed unsafe class Indenter : Interaction
{
    private readonly double _stiffness;
    private readonly double[]? _axis;
    private readonly double[] _center;
    private readonly double[] _reaction = new double[3];

    private Indenter(double stiffness, double radius, ReadOnlySpan<double> center, ReadOnlySpan<double> axis)
    {
        if (!(stiffness > 0) || !(radius >= 0) || !double.IsFinite(stiffness + radius))
            throw new InputException($"indenter: stiffness {stiffness}, radius {radius}; the stiffness must be positive, the radius not negative");
        if (center.Length != 3) throw new InputException("indenter: the centre needs three coordinates");
        (_stiffness, Radius, _center) = (stiffness, radius, center.ToArray());
        if (axis.IsEmpty) return;
        double length = axis.Length == 3 ? Math.Sqrt(axis[0] * axis[0] + axis[1] * axis[1] + axis[2] * axis[2]) : 0;
        if (!(length > 0) || !double.IsFinite(length)) throw new InputException("indenter: the axis needs three numbers that are not all zero");
        _axis = [axis[0] / length, axis[1] / length, axis[2] / length];
    }

    /// <summary>A sphere.</summary>
    /// <param name="stiffness">K, eV/Å³.</param>
    /// <param name="radius">R, Å.</param>
    /// <param name="center">x, y, z, Å.</param>
    /// <exception cref="InputException">Bad parameters.</exception>
    public static Indenter Sphere(double stiffness, double radius, ReadOnlySpan<double> center) => new(stiffness, radius, center, []);

    /// <summary>An endless cylinder.</summary>
    /// <param name="stiffness">K, eV/Å³.</param>
    /// <param name="radius">R, Å.</param>
    /// <param name="point">A point on the axis, Å.</param>
    /// <param name="axis">Its direction, of any length.</param>
    /// <exception cref="InputException">Bad parameters.</exception>
    public static Indenter Cylinder(double stiffness, double radius, ReadOnlySpan<double> point, ReadOnlySpan<double> axis) => new(stiffness, radius, point, axis);

    /// <inheritdoc/>
    public override string Description => _axis is null ? "spherical indenter (Phys. Rev. B 58, 11085)" : "cylindrical indenter (Phys. Rev. B 58, 11085)";

    /// <inheritdoc/>
    public override double Cutoff => 0;

    /// <inheritdoc/>
    public override bool IsLocal => false;

    /// <summary>R, Å.</summary>
    public double Radius { get; set; }

    /// <summary>x, y, z of the centre or a point on the axis, Å; may be written.</summary>
    public Span<double> Center => _center;

    /// <summary>Force of this rank's atoms on the indenter, eV/Å, of the last evaluation.</summary>
    public ReadOnlySpan<double> Reaction => _reaction;

    /// <exception cref="InputException">Two images of the indenter could reach one atom.</exception>
    public override void Prepare(Domain domain)
    {
        var cell = domain.Cell;
        for (int d = 0; d < 3; d++)
        {
            // Along its axis a cylinder is its own image.
            if (!cell.Periodic[d] || IsAlong(cell, d)) continue;
            var g = cell.Reciprocal.Slice(3 * d, 3);
            if (_axis is { } a && Math.Abs(g[0] * a[0] + g[1] * a[1] + g[2] * a[2]) * cell.Spacing[d] > 1e-9)
                throw new InputException($"the axis of a cylindrical indenter must lie along a cell vector or across the directions that repeat; it is oblique to {"abc"[d]}");
            if (2 * Radius > cell.Spacing[d])
                throw new InputException($"an indenter of radius {Radius} overlaps its periodic image: the cell measures {cell.Spacing[d]} along {"abc"[d]}");
        }
    }

    private bool IsAlong(Cell cell, int d)
    {
        if (_axis is null) return false;
        var v = cell.Rows.Slice(3 * d, 3);
        double along = v[0] * _axis[0] + v[1] * _axis[1] + v[2] * _axis[2];
        // Of the part across, not of v² − along², whose rounding alone is larger than what is allowed here.
        double x = v[0] - along * _axis[0], y = v[1] - along * _axis[1], z = v[2] - along * _axis[2];
        return x * x + y * y + z * z < 1e-18 * along * along;
    }

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        double* x = domain.X, f = domain.F;
        var cell = domain.Cell;
        bool pa = cell.Periodic[0], pb = cell.Periodic[1], pc = cell.Periodic[2];
        var (c0, c1, c2) = cell.Fractional(_center[0], _center[1], _center[2]);
        double energy = 0, radius2 = Radius * Radius;
        VirialSum virial = default;
        Span<double> reaction = stackalloc double[3];
        reaction.Clear();
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            if (domain.Tag[s] < 0) continue;
            int at = s / 8 * 24 + s % 8;
            var (s0, s1, s2) = cell.Fractional(x[at], x[at + 8], x[at + 16]);
            int n0 = pa ? (int)Math.Round(s0 - c0) : 0, n1 = pb ? (int)Math.Round(s1 - c1) : 0, n2 = pc ? (int)Math.Round(s2 - c2) : 0;
            var (sx, sy, sz) = cell.Shift(n0, n1, n2);
            double dx = x[at] - _center[0] - sx, dy = x[at + 8] - _center[1] - sy, dz = x[at + 16] - _center[2] - sz;
            if (_axis is { } a)
            {
                double along = dx * a[0] + dy * a[1] + dz * a[2];
                (dx, dy, dz) = (dx - along * a[0], dy - along * a[1], dz - along * a[2]);
            }
            double r2 = dx * dx + dy * dy + dz * dz;
            if (r2 >= radius2) continue;
            double r = Math.Sqrt(r2), depth = Radius - r, e = _stiffness / 3 * depth * depth * depth;
            // On the very centre there is no direction.
            double scale = r > 0 ? _stiffness * depth * depth / r : 0, fx = scale * dx, fy = scale * dy, fz = scale * dz;
            energy += e;
            f[at] += fx;
            f[at + 8] += fy;
            f[at + 16] += fz;
            (reaction[0], reaction[1], reaction[2]) = (reaction[0] - fx, reaction[1] - fy, reaction[2] - fz);
            Span<double> w = [dx * fx, dy * fy, dz * fz, dy * fz, dx * fz, dx * fy];
            for (int k = 0; k < 6; k++) virial[k] += w[k];
            if ((want & Want.PerAtom) == 0) continue;
            domain.AtomEnergy[s] += e;
            for (int k = 0; k < 6; k++) domain.AtomVirial[6 * s + k] += w[k];
        }
        tally.Energy += energy;
        for (int k = 0; k < 6; k++) tally.Virial[k] += virial[k];
        reaction.CopyTo(_reaction);
    }
}
