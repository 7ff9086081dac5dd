using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>
/// Cells as LAMMPS wants them: a = (lx, 0, 0), b = (xy, ly, 0), c = (xz, yz, lz) with positive lx, ly, lz. Any right-handed cell becomes one by a
/// rotation, which turns positions, velocities and forces along; of a left-handed one −c is taken first, from the far end of c: the same box, the same lattice.
/// </summary>
internal readonly struct LammpsCell
{
    private readonly double[] _rotation; // rows: new axes in old coordinates

    public LammpsCell(Cell cell)
    {
        var h = cell.Rows;
        if (h[0] * (h[4] * h[8] - h[5] * h[7]) + h[1] * (h[5] * h[6] - h[3] * h[8]) + h[2] * (h[3] * h[7] - h[4] * h[6]) < 0)
        {
            var (x0, y0, z0) = cell.Cartesian(0, 0, 1);
            cell = new Cell([h[0], h[1], h[2], h[3], h[4], h[5], -h[6], -h[7], -h[8]], cell.Periodic.ToArray(), [x0, y0, z0]);
            h = cell.Rows;
        }
        Cell = cell;
        double[] a = [h[0], h[1], h[2]], b = [h[3], h[4], h[5]], c = [h[6], h[7], h[8]];
        double[] ex = Scale(a, 1 / Math.Sqrt(Dot(a, a))), n = Cross(a, b), ez = Scale(n, 1 / Math.Sqrt(Dot(n, n))), ey = Cross(ez, ex);
        // Axes that already fit stay to the last bit.
        IsRotated = h[1] != 0 || h[2] != 0 || h[5] != 0 || h[0] < 0 || h[4] < 0;
        _rotation = IsRotated ? [.. ex, .. ey, .. ez] : [1, 0, 0, 0, 1, 0, 0, 0, 1];
        double[] x = Turn(a), y = Turn(b), z = Turn(c), low = [cell.Origin[0], cell.Origin[1], cell.Origin[2]];
        (Lx, Xy, Ly, Xz, Yz, Lz) = (x[0], y[0], y[1], z[0], z[1], z[2]);
        Low = Turn(low);
    }

    /// <summary>The right-handed cell, not turned: image flags count its edges.</summary>
    public Cell Cell { get; }

    /// <summary>Whether axes had to be turned.</summary>
    public bool IsRotated { get; }

    public double Lx { get; }
    public double Ly { get; }
    public double Lz { get; }
    public double Xy { get; }
    public double Xz { get; }
    public double Yz { get; }

    /// <summary>Lower corner.</summary>
    public double[] Low { get; }

    /// <summary>Whether there is any tilt.</summary>
    public bool IsTilted => Xy != 0 || Xz != 0 || Yz != 0;

    /// <summary>A vector in the turned axes.</summary>
    public double[] Turn(ReadOnlySpan<double> v)
    {
        double[] r = _rotation;
        return [r[0] * v[0] + r[1] * v[1] + r[2] * v[2], r[3] * v[0] + r[4] * v[1] + r[5] * v[2], r[6] * v[0] + r[7] * v[1] + r[8] * v[2]];
    }

    private static double Dot(double[] a, double[] b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    private static double[] Scale(double[] a, double s) => [a[0] * s, a[1] * s, a[2] * s];
    private static double[] Cross(double[] a, double[] b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

/// <summary>Unit styles of LAMMPS that files here may be in.</summary>
public enum LammpsUnits
{
    /// <summary>eV, Å, ps, u, e.</summary>
    Metal,
    /// <summary>kcal/mol, Å, fs, u, e.</summary>
    Real,
}

/// <summary>Factors from a LAMMPS unit style to eV, Å, fs.</summary>
internal static class LammpsUnitFactors
{
    /// <summary>eV per unit of energy; 1 cal = 4.184 J.</summary>
    public static double Energy(this LammpsUnits units) => units == LammpsUnits.Metal ? 1 : 4184 / Codata.Avogadro / Codata.ElementaryCharge;

    /// <summary>Å/fs per unit of velocity.</summary>
    public static double Velocity(this LammpsUnits units) => units == LammpsUnits.Metal ? 1e-3 : 1;

    /// <summary>fs per unit of time.</summary>
    public static double Time(this LammpsUnits units) => units == LammpsUnits.Metal ? 1e3 : 1;
}
