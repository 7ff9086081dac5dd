namespace MsHpc.Core;

/// <summary>
/// A periodic cell: three edge vectors a, b, c (rows) of any shape, an origin, and which directions repeat. A point is
/// r = origin + s₀ a + s₁ b + s₂ c with fractional coordinates s. Immutable.
/// </summary>
/// <remarks>Lengths in Å for atoms. Directions that do not repeat still have an edge vector: it gives the box its size on paper (volume,
/// files), not a wall.</remarks>
public sealed class Cell
{
    private readonly double[] _rows, _inverse, _origin;
    private readonly bool[] _periodic;

    /// <param name="rows">a, b, c one after the other: 9 numbers.</param>
    /// <param name="periodic">Which of a, b, c repeat; null: all.</param>
    /// <param name="origin">Corner of the cell; null: 0.</param>
    /// <exception cref="InputException">Edge vectors that are not finite or span no volume.</exception>
    public Cell(ReadOnlySpan<double> rows, bool[]? periodic = null, ReadOnlySpan<double> origin = default)
    {
        if (rows.Length != 9) throw new ArgumentException("nine numbers: a, b, c", nameof(rows));
        _rows = rows.ToArray();
        _periodic = periodic is null ? [true, true, true] : [.. periodic];
        _origin = origin.IsEmpty ? new double[3] : origin.ToArray();
        double[] h = _rows;
        double[] cross =
        [
            h[4] * h[8] - h[5] * h[7], h[5] * h[6] - h[3] * h[8], h[3] * h[7] - h[4] * h[6], // b × c
            h[7] * h[2] - h[8] * h[1], h[8] * h[0] - h[6] * h[2], h[6] * h[1] - h[7] * h[0], // c × a
            h[1] * h[5] - h[2] * h[4], h[2] * h[3] - h[0] * h[5], h[0] * h[4] - h[1] * h[3], // a × b
        ];
        double det = h[0] * cross[0] + h[1] * cross[1] + h[2] * cross[2];
        double size = Length(h, 0) * Length(h, 3) * Length(h, 6);
        if (!(Math.Abs(det) > 1e-12 * size) || !double.IsFinite(size))
            throw new InputException($"the cell ({string.Join(", ", _rows)}) spans no volume; its rows are the edge vectors a, b, c");
        Volume = Math.Abs(det);
        // s = (r − origin)·(b×c)/det, …: row i of the inverse transposed
        _inverse = [.. cross.Select(x => x / det)];
        Spacing = [1 / Length(_inverse, 0), 1 / Length(_inverse, 3), 1 / Length(_inverse, 6)];
        IsOrthogonal = h[1] == 0 && h[2] == 0 && h[3] == 0 && h[5] == 0 && h[6] == 0 && h[7] == 0;
    }

    /// <summary>A box with edges along x, y, z.</summary>
    public static Cell Box(double x, double y, double z, bool[]? periodic = null) => new([x, 0, 0, 0, y, 0, 0, 0, z], periodic);

    private static double Length(double[] v, int at) => Math.Sqrt(v[at] * v[at] + v[at + 1] * v[at + 1] + v[at + 2] * v[at + 2]);

    /// <summary>a, b, c: 9 numbers.</summary>
    public ReadOnlySpan<double> Rows => _rows;

    /// <summary>Reciprocal vectors without 2π, as rows: row i is the gradient of sᵢ.</summary>
    public ReadOnlySpan<double> Reciprocal => _inverse;

    /// <summary>Corner of the cell.</summary>
    public ReadOnlySpan<double> Origin => _origin;

    /// <summary>Which of a, b, c repeat.</summary>
    public ReadOnlySpan<bool> Periodic => _periodic;

    /// <summary>|det(a, b, c)|.</summary>
    public double Volume { get; }

    /// <summary>Distances between opposite faces.</summary>
    public double[] Spacing { get; }

    /// <summary>Whether a, b, c lie along x, y, z.</summary>
    public bool IsOrthogonal { get; }

    /// <summary>Whether any direction repeats.</summary>
    public bool IsPeriodic => _periodic[0] || _periodic[1] || _periodic[2];

    /// <summary>Fractional coordinates of a point.</summary>
    public (double S0, double S1, double S2) Fractional(double x, double y, double z)
    {
        (x, y, z) = (x - _origin[0], y - _origin[1], z - _origin[2]);
        double[] g = _inverse;
        return (g[0] * x + g[1] * y + g[2] * z, g[3] * x + g[4] * y + g[5] * z, g[6] * x + g[7] * y + g[8] * z);
    }

    /// <summary>The point with given fractional coordinates.</summary>
    public (double X, double Y, double Z) Cartesian(double s0, double s1, double s2)
    {
        double[] h = _rows;
        return (_origin[0] + s0 * h[0] + s1 * h[3] + s2 * h[6], _origin[1] + s0 * h[1] + s1 * h[4] + s2 * h[7], _origin[2] + s0 * h[2] + s1 * h[5] + s2 * h[8]);
    }

    /// <summary>The vector n₀ a + n₁ b + n₂ c.</summary>
    public (double X, double Y, double Z) Shift(int n0, int n1, int n2)
    {
        double[] h = _rows;
        return (n0 * h[0] + n1 * h[3] + n2 * h[6], n0 * h[1] + n1 * h[4] + n2 * h[7], n0 * h[2] + n1 * h[5] + n2 * h[8]);
    }

    /// <summary>The same periodicity and origin with other edge vectors.</summary>
    public Cell WithRows(ReadOnlySpan<double> rows) => new(rows, _periodic, _origin);
}
