using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// One file of a Slater–Koster set (<c>A-B.skf</c>, the format of DFTB+ and its sets; hartree and bohr): integrals ⟨A, l₁| · |B, l₂⟩, l₁ ≤ l₂,
/// on an even grid; for A = B the atom; the repulsion of the pair.
/// </summary>
/// <remarks>
/// Between grid points the integrals are the polynomial of degree seven through the eight nearest ones, from the last point on a quintic that
/// goes on with the same value and two derivatives and ends with zero ones 1 bohr later: the rules of DFTB+, so that energies agree with it.
/// The polynomials of neighbouring intervals meet in value only; their slopes differ by up to some 1e-8.
/// </remarks>
internal sealed class SlaterKosterFile
{
    /// <summary>Distance beyond the last grid point at which integrals are zero, bohr.</summary>
    public const double Tail = 1;

    private const int Nodes = 8, Columns = 2 * Channel.Count;

    // Column of the file → channel: dd0 dd1 dd2 pd0 pd1 pp0 pp1 sd0 sp0 ss0.
    private static readonly int[] s_channel =
        [Channel.DdSigma, Channel.DdPi, Channel.DdDelta, Channel.PdSigma, Channel.PdPi, Channel.PpSigma, Channel.PpPi, Channel.SdSigma, Channel.SpSigma, Channel.SsSigma];

    private static readonly double[] s_weights = NodeWeights();

    private readonly double _spacing;
    private readonly int _points;
    private readonly double[] _table; // row k: r = (k + 1)·spacing; channels of H, then of S
    private readonly double[] _end = new double[3 * Columns]; // value, slope·(−Tail), curvature·Tail² at the last point

    // Repulsion
    private readonly double[] _polynomial; // c₂ … c₉
    private readonly double _polynomialEnd;
    private readonly double[] _starts, _splines; // cubic pieces, six numbers each; the last is a quintic
    private readonly double _splineEnd;
    private readonly double[] _exponential; // exp(−a₁ r + a₂) + a₃ before the first piece

    /// <summary>Energies of d, p, s shells, hartree; empty for two different elements.</summary>
    public double[] OnSite { get; } = [];

    /// <summary>Hubbard U of d, p, s, hartree; empty for two different elements.</summary>
    public double[] Hubbard { get; } = [];

    /// <summary>Electrons of the neutral atom in d, p, s; empty for two different elements.</summary>
    public double[] Occupations { get; } = [];

    /// <summary>Distance beyond which the integrals are zero, bohr.</summary>
    public double Cutoff => _points * _spacing + Tail;

    /// <summary>Distance beyond which the repulsion is zero, bohr.</summary>
    public double RepulsionCutoff => Math.Max(_splineEnd, _starts.Length > 0 ? 0 : _polynomialEnd);

    /// <summary>Reads a file.</summary>
    /// <param name="path">File.</param>
    /// <param name="same">Whether both elements are the same: then the second line holds the atom.</param>
    /// <param name="polynomial">Take the polynomial repulsion also where there is a spline.</param>
    /// <exception cref="InputException">A file that is absent or is not one of these; file and line.</exception>
    public SlaterKosterFile(string path, bool same, bool polynomial = false)
    {
        string[] lines;
        try { lines = File.ReadAllLines(path); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { throw new InputException($"{path}: {e.Message}"); }
        int at = 0;
        double[] Next(int least, string what)
        {
            if (at >= lines.Length) throw new InputException($"{path}: ends where {what} should be");
            var numbers = Numbers(lines[at++], path, at);
            if (numbers.Count < least) throw new InputException($"{path}:{at}: {numbers.Count} numbers, where {what} needs {least}");
            return [.. numbers];
        }
        if (lines.Length > 0 && lines[0].TrimStart().StartsWith('@')) throw new InputException($"{path}:1: the extended format (f orbitals) is not read; s, p and d are");
        double[] grid = Next(2, "the grid (spacing, number of points)");
        _spacing = grid[0];
        if (!(_spacing > 0) || !(grid[1] >= Nodes + 1) || grid[1] > 1e6 || grid[1] != Math.Floor(grid[1]))
            throw new InputException($"{path}:1: a grid of {grid[1]} points {grid[0]} bohr apart; at least {Nodes + 1} points, positive spacing");
        if (same)
        {
            double[] atom = Next(10, "the atom (Ed Ep Es SPE Ud Up Us fd fp fs)");
            (OnSite, Hubbard, Occupations) = (atom[..3], atom[4..7], atom[7..10]);
        }
        double[] mass = Next(10, "mass, c2 … c9 and the range of the repulsion");
        (_polynomial, _polynomialEnd) = (mass[1..9], mass[9]);

        // The number of points counts r = 0, which has no row.
        int rows = (int)grid[1] - 1;
        var table = new List<double>();
        while (_points < rows && at < lines.Length && !IsWord(lines[at]))
        {
            if (string.IsNullOrWhiteSpace(lines[at]))
            {
                at++;
                continue;
            }
            double[] row = Next(Columns, "a row of the table");
            var ordered = new double[Columns];
            for (int c = 0; c < Channel.Count; c++) (ordered[s_channel[c]], ordered[Channel.Count + s_channel[c]]) = (row[c], row[Channel.Count + c]);
            table.AddRange(ordered);
            _points++;
        }
        if (_points < rows) throw new InputException($"{path}:{at + 1}: {_points} rows of integrals, where line 1 promises {rows}");
        _table = [.. table];
        double[] y = new double[Columns], d = new double[Columns], dd = new double[Columns];
        Interpolate(_points - Nodes, _points * _spacing, y, d, dd);
        for (int c = 0; c < Columns; c++) (_end[c], _end[Columns + c], _end[2 * Columns + c]) = (y[c], -Tail * d[c], Tail * Tail * dd[c]);

        (_starts, _splines, _exponential) = ([], [], []);
        while (at < lines.Length && lines[at].Trim() != "Spline") at++;
        if (at == lines.Length || polynomial) return;
        at++;
        double[] head = Next(2, "the spline (pieces, range)");
        int pieces = (int)head[0];
        if (pieces < 1 || head[0] != pieces) throw new InputException($"{path}:{at}: {head[0]} pieces of a spline");
        _splineEnd = head[1];
        _exponential = Next(3, "a1 a2 a3 of the exponential")[..3];
        (_starts, _splines) = (new double[pieces], new double[6 * pieces]);
        for (int p = 0; p < pieces; p++)
        {
            double[] piece = Next(p == pieces - 1 ? 8 : 6, "a piece of the spline");
            _starts[p] = piece[0];
            if (p > 0 && !(piece[0] > _starts[p - 1])) throw new InputException($"{path}:{at}: the pieces of the spline must rise");
            piece.AsSpan(2, Math.Min(6, piece.Length - 2)).CopyTo(_splines.AsSpan(6 * p));
        }
    }

    private static bool IsWord(string line) => line.AsSpan().TrimStart() is { Length: > 0 } t && (char.IsLetter(t[0]) || t[0] == '<');

    /// <summary>Numbers of a line: separated by blanks or commas, n*x for n times x.</summary>
    private static List<double> Numbers(string line, string path, int number)
    {
        var result = new List<double>();
        foreach (var range in line.AsSpan().SplitAny(' ', ',', '\t', '\r'))
        {
            var word = line.AsSpan(range);
            if (word.IsEmpty) continue;
            int star = word.IndexOf('*'), times = 1;
            if ((star > 0 && (!int.TryParse(word[..star], CultureInfo.InvariantCulture, out times) || times < 0 || times > 10000))
                || !double.TryParse(word[(star + 1)..].ToString().Replace('d', 'e').Replace('D', 'e'), CultureInfo.InvariantCulture, out double x) || !double.IsFinite(x))
            {
                // What follows the numbers of a line is a comment.
                if (result.Count > 0) break;
                throw new InputException($"{path}:{number}: '{word}' is not a number");
            }
            for (int k = 0; k < times; k++) result.Add(x);
        }
        return result;
    }

    /// <summary>1/Π_{j≠k} (k − j).</summary>
    private static double[] NodeWeights()
    {
        var weights = new double[Nodes];
        for (int k = 0; k < Nodes; k++)
        {
            double product = 1;
            for (int j = 0; j < Nodes; j++) if (j != k) product *= k - j;
            weights[k] = 1 / product;
        }
        return weights;
    }

    /// <summary>Value, slope and curvature of the polynomials through eight rows.</summary>
    private void Interpolate(int first, double r, Span<double> value, Span<double> slope, Span<double> curvature)
    {
        // Lagrange: ℓ_k(t) = w_k Π_{j<k} (t − j) · Π_{j>k} (t − j), each factor with its first two derivatives, built from both ends.
        double t = r / _spacing - (first + 1);
        Span<double> right = stackalloc double[3 * (Nodes + 1)];
        (right[3 * Nodes], right[3 * Nodes + 1], right[3 * Nodes + 2]) = (1, 0, 0);
        for (int k = Nodes - 1; k >= 0; k--)
        {
            double x = t - k, p = right[3 * k + 3], d = right[3 * k + 4], e = right[3 * k + 5];
            (right[3 * k], right[3 * k + 1], right[3 * k + 2]) = (p * x, d * x + p, e * x + 2 * d);
        }
        value.Clear();
        slope.Clear();
        curvature.Clear();
        double l0 = 1, l1 = 0, l2 = 0, scale = 1 / _spacing;
        for (int k = 0; k < Nodes; k++)
        {
            double r0 = right[3 * k + 3], r1 = right[3 * k + 4], r2 = right[3 * k + 5], w = s_weights[k];
            double f = w * l0 * r0, d = w * scale * (l1 * r0 + l0 * r1), e = w * scale * scale * (l2 * r0 + 2 * l1 * r1 + l0 * r2);
            var row = _table.AsSpan((first + k) * Columns, Columns);
            for (int c = 0; c < Columns; c++) value[c] = Math.FusedMultiplyAdd(f, row[c], value[c]);
            for (int c = 0; c < Columns; c++) slope[c] = Math.FusedMultiplyAdd(d, row[c], slope[c]);
            if (!curvature.IsEmpty) for (int c = 0; c < Columns; c++) curvature[c] = Math.FusedMultiplyAdd(e, row[c], curvature[c]);
            double x = t - k;
            (l0, l1, l2) = (l0 * x, l1 * x + l0, l2 * x + 2 * l1);
        }
    }

    /// <summary>Integrals at a distance: ten channels of H and S and their slopes.</summary>
    public void At(double r, in TwoCentreTable table)
    {
        if (r >= Cutoff) return;
        Span<double> value = stackalloc double[Columns], slope = stackalloc double[Columns];
        int interval = (int)(r / _spacing);
        if (interval < _points)
        {
            int last = Math.Max(Nodes, Math.Min(_points, interval + Nodes / 2));
            Interpolate(last - Nodes, r, value, slope, []);
        }
        else
        {
            // p(x) = x³ (A + B x + C x²), x from 1 at the last point to 0 at the cutoff, with p, p′, p″ given at 1.
            double x = (Cutoff - r) / Tail, x2 = x * x;
            for (int c = 0; c < Columns; c++)
            {
                double y = _end[c], d = _end[Columns + c], e = _end[2 * Columns + c];
                double a = 10 * y - 4 * d + 0.5 * e, b = -15 * y + 7 * d - e, q = 6 * y - 3 * d + 0.5 * e;
                value[c] = x2 * x * (a + x * (b + x * q));
                slope[c] = -x2 * (3 * a + x * (4 * b + x * 5 * q)) / Tail;
            }
        }
        value[..Channel.Count].CopyTo(table.H);
        value[Channel.Count..].CopyTo(table.S);
        slope[..Channel.Count].CopyTo(table.DH);
        slope[Channel.Count..].CopyTo(table.DS);
    }

    /// <summary>Repulsion of the pair, hartree, and its slope.</summary>
    public (double Value, double Slope) Repulsion(double r)
    {
        if (_starts.Length == 0)
        {
            if (r >= _polynomialEnd) return (0, 0);
            double x = _polynomialEnd - r, value = 0, slope = 0, power = x;
            for (int k = 0; k < _polynomial.Length; k++) // Σ c_k (r_end − r)ᵏ, k from 2
            {
                slope -= (k + 2) * _polynomial[k] * power;
                power *= x;
                value += _polynomial[k] * power;
            }
            return (value, slope);
        }
        if (r >= _splineEnd) return (0, 0);
        if (r < _starts[0])
        {
            double e = Math.Exp(-_exponential[0] * r + _exponential[1]);
            return (e + _exponential[2], -_exponential[0] * e);
        }
        int p = Array.BinarySearch(_starts, r);
        if (p < 0) p = ~p - 1;
        var s = _splines.AsSpan(6 * p, 6);
        double t = r - _starts[p];
        return (s[0] + t * (s[1] + t * (s[2] + t * (s[3] + t * (s[4] + t * s[5])))), s[1] + t * (2 * s[2] + t * (3 * s[3] + t * (4 * s[4] + t * 5 * s[5]))));
    }
}
