using MsHpc.Core;

namespace MsHpc.Continuum;

/// <summary>
/// Regular meshes. Nodes are numbered lexicographically, x fastest; cells as well, and the pieces of a cell (2 triangles, 6 tetrahedra)
/// follow each other. The triangles and tetrahedra of neighbouring cells match, and so do opposite sides, so the grids can be periodic.
/// </summary>
public static class StructuredMesh
{
    /// <summary>A rectangle of equal cells; boundaries left, right (x−, x+), bottom, top (y−, y+).</summary>
    /// <param name="type">Quad4, Quad8, Tri3 or Tri6.</param>
    /// <param name="nx">Cells along x.</param>
    /// <param name="ny">Cells along y.</param>
    /// <param name="lx">Length along x.</param>
    /// <param name="ly">Length along y.</param>
    /// <param name="region">Name of the region.</param>
    /// <exception cref="InputException">A number or length is not positive, or the shape does not suit.</exception>
    public static Mesh Rectangle(ElementType type, int nx, int ny, double lx, double ly, string region = "") =>
        Rectangle(type, Even(nx, lx, "x"), Even(ny, ly, "y"), region);

    /// <summary>A rectangle of cells between given grid lines; boundaries left, right, bottom, top.</summary>
    /// <param name="type">Quad4, Quad8, Tri3 or Tri6.</param>
    /// <param name="x">Rising grid lines.</param>
    /// <param name="y">Rising grid lines.</param>
    /// <param name="region">Name of the region.</param>
    /// <exception cref="InputException">The grid lines do not rise, or the shape does not suit.</exception>
    public static Mesh Rectangle(ElementType type, double[] x, double[] y, string region = "")
    {
        Check(x, "x");
        Check(y, "y");
        var grid = new Lattice(type, 2, x.Length - 1, y.Length - 1, 1, wrapY: false);
        return grid.ToMesh((i, j, _, p) => (p[0], p[1]) = (Half(x, i), Half(y, j)), grid.Side, region);
    }

    /// <summary>A box of equal cells; boundaries left, right (x−, x+), bottom, top (y−, y+), front, back (z−, z+).</summary>
    /// <param name="type">Hex8, Hex20, Tet4 or Tet10.</param>
    /// <param name="nx">Cells along x.</param>
    /// <param name="ny">Cells along y.</param>
    /// <param name="nz">Cells along z.</param>
    /// <param name="lx">Length along x.</param>
    /// <param name="ly">Length along y.</param>
    /// <param name="lz">Length along z.</param>
    /// <param name="region">Name of the region.</param>
    /// <exception cref="InputException">A number or length is not positive, or the shape does not suit.</exception>
    public static Mesh Box(ElementType type, int nx, int ny, int nz, double lx, double ly, double lz, string region = "") =>
        Box(type, Even(nx, lx, "x"), Even(ny, ly, "y"), Even(nz, lz, "z"), region);

    /// <summary>A box of cells between given grid planes; boundaries left, right, bottom, top, front, back.</summary>
    /// <param name="type">Hex8, Hex20, Tet4 or Tet10.</param>
    /// <param name="x">Rising grid planes.</param>
    /// <param name="y">Rising grid planes.</param>
    /// <param name="z">Rising grid planes.</param>
    /// <param name="region">Name of the region.</param>
    /// <exception cref="InputException">The grid planes do not rise, or the shape does not suit.</exception>
    public static Mesh Box(ElementType type, double[] x, double[] y, double[] z, string region = "")
    {
        Check(x, "x");
        Check(y, "y");
        Check(z, "z");
        var grid = new Lattice(type, 3, x.Length - 1, y.Length - 1, z.Length - 1, wrapY: false);
        return grid.ToMesh((i, j, k, p) => (p[0], p[1], p[2]) = (Half(x, i), Half(y, j), Half(z, k)), grid.Side, region);
    }

    /// <summary>
    /// A rectangular plate |x| ≤ <paramref name="halfWidth"/>, |y| ≤ <paramref name="halfHeight"/> with a round hole at the origin, or its
    /// quarter x, y ≥ 0. Grid lines run from the hole to the edges, one of them into each corner; cells grow outwards. Boundaries: left,
    /// right, bottom, top, hole; of the quarter, left (x = 0) and bottom (y = 0) are the lines of symmetry.
    /// </summary>
    /// <param name="type">Quad4, Quad8, Tri3 or Tri6.</param>
    /// <param name="halfWidth">Half the width.</param>
    /// <param name="halfHeight">Half the height.</param>
    /// <param name="radius">Radius of the hole.</param>
    /// <param name="around">Cells in each eighth of the circle.</param>
    /// <param name="radial">Cells from the hole to the edge.</param>
    /// <param name="grading">Radial size of the outermost cell over that of the innermost.</param>
    /// <param name="full">The whole plate instead of the quarter.</param>
    /// <param name="region">Name of the region.</param>
    /// <exception cref="InputException">A number is not positive, the hole does not fit, or the shape does not suit.</exception>
    public static Mesh PlateWithHole(ElementType type, double halfWidth, double halfHeight, double radius, int around, int radial,
        double grading = 5, bool full = false, string region = "")
    {
        if (!(radius > 0) || !(radius < Math.Min(halfWidth, halfHeight)) || !double.IsFinite(halfWidth + halfHeight))
            throw new InputException($"a hole of radius {radius} does not fit a plate of half width {halfWidth} and half height {halfHeight}");
        if (around < 1 || radial < 1) throw new InputException($"a plate with a hole needs at least one cell around and one outwards, not {around} and {radial}");
        if (!(grading > 0) || !double.IsFinite(grading)) throw new InputException($"the grading {grading} is not a positive number");
        double[] s = Graded(radial, grading);
        double corner = Math.Atan2(halfHeight, halfWidth);
        var grid = new Lattice(type, 2, radial, (full ? 8L : 2L) * around, 1, wrapY: full);

        void Place(int i, int j, int _, Span<double> p)
        {
            int quadrant = j / (4 * around);
            double t = (double)(j % (4 * around)) / (2 * around); // 0 at the first axis, 1 at the corner, 2 at the second axis
            if (quadrant % 2 == 1) t = 2 - t;                     // the second quadrant is the mirror image of the first
            double angle = t <= 1 ? t * corner : corner + (t - 1) * (Math.PI / 2 - corner);
            double x = t <= 1 ? halfWidth : halfWidth * (2 - t), y = t < 1 ? halfHeight * t : halfHeight, g = Half(s, i);
            x = (1 - g) * radius * (t == 2 ? 0 : Math.Cos(angle)) + g * x;
            y = (1 - g) * radius * Math.Sin(angle) + g * y;
            (p[0], p[1]) = (quadrant is 1 or 2 ? -x : x, quadrant is 2 or 3 ? -y : y);
            if (p[0] == 0) p[0] = 0; // no negative zeros
            if (p[1] == 0) p[1] = 0;
        }

        string? Side(ReadOnlySpan<int> lo, ReadOnlySpan<int> hi)
        {
            if (hi[0] == 0) return "hole";
            if (!full && hi[1] == 0) return "bottom";
            if (!full && lo[1] == 4 * around) return "left";
            if (lo[0] != 2 * radial) return null;
            return ((lo[1] + hi[1]) / 2 / (2 * around)) switch // which eighth
            {
                0 or 7 => "right", 1 or 2 => "top", 3 or 4 => "left", _ => "bottom",
            };
        }

        return grid.ToMesh(Place, Side, region);
    }

    /// <summary>Grid lines 0 … length; each interval is the same factor longer than the one before.</summary>
    /// <param name="count">Intervals.</param>
    /// <param name="ratio">Length of the last interval over that of the first.</param>
    /// <param name="length">Sum of the intervals.</param>
    /// <exception cref="InputException">A number is not positive.</exception>
    public static double[] Graded(int count, double ratio, double length = 1)
    {
        if (count < 1 || !(ratio > 0) || !(length > 0) || !double.IsFinite(ratio) || !double.IsFinite(length)) throw new InputException($"{count} graded intervals of ratio {ratio} and length {length} are not possible");
        var x = new double[count + 1];
        double factor = count == 1 ? 1 : Math.Pow(ratio, 1.0 / (count - 1)), step = 1;
        for (int i = 1; i <= count; i++, step *= factor) x[i] = x[i - 1] + step;
        for (int i = 0; i < count; i++) x[i] *= length / x[count];
        x[count] = length;
        return x;
    }

    /// <summary>Grid line i/2, halfway between lines when i is odd.</summary>
    private static double Half(double[] x, int i) => i % 2 == 0 ? x[i / 2] : 0.5 * (x[i / 2] + x[i / 2 + 1]);

    private static double[] Even(int count, double length, string axis)
    {
        if (count is < 1 or > 1 << 28) throw new InputException($"{count} cells along {axis} are not possible");
        if (!(length > 0) || !double.IsFinite(length)) throw new InputException($"the length {length} along {axis} is not a positive number");
        var x = new double[count + 1];
        for (int i = 0; i <= count; i++) x[i] = i == count ? length : length * i / count;
        return x;
    }

    private static void Check(double[] x, string axis)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Length < 2) throw new InputException($"at least two grid lines along {axis} are needed");
        for (int i = 0; i < x.Length; i++)
            if (!double.IsFinite(x[i]) || i > 0 && x[i] <= x[i - 1]) throw new InputException($"grid line {i} along {axis} ({x[i]}) does not rise");
    }
}
