using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>
/// An Amber coordinate file (inpcrd, rst7; text): a title, the number of atoms and perhaps the time, positions as 6F12.7, perhaps velocities, perhaps a
/// line with the box (ambermd.org/FileFormats.php#restart).
/// </summary>
public sealed class AmberCoordinates
{
    /// <summary>Amber's unit of time is 1/20.455 ps.</summary>
    private const double VelocityUnit = 20.455e-3;

    private AmberCoordinates(double[] positions, double[]? velocities, double[]? box, double time) => (Positions, Velocities, Box, Time) = (positions, velocities, box, time);

    /// <summary>3·N, Å.</summary>
    public double[] Positions { get; }

    /// <summary>3·N, Å/fs; null when the file has none.</summary>
    public double[]? Velocities { get; }

    /// <summary>a, b, c, Å, and, where the file has them, α, β, γ, degrees; null when the file has no box.</summary>
    public double[]? Box { get; }

    /// <summary>fs; 0 when the file does not say.</summary>
    public double Time { get; }

    /// <summary>Reads a file.</summary>
    /// <param name="path">File.</param>
    /// <param name="periodic">Whether a box is expected: decides what a single line after the positions of one or two atoms is.</param>
    /// <exception cref="InputException">Missing, NetCDF or malformed file.</exception>
    public static AmberCoordinates Read(string path, bool periodic = false)
    {
        string[] lines = AmberText.Lines(path, "inpcrd");
        InputException Fault(int line, string message) => new(path, line, 0, message);
        if (lines.Length < 2) throw Fault(1, "the second line must hold the number of atoms");
        string[] head = lines[1].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        double time = 0;
        if (head.Length == 0 || !int.TryParse(head[0], NumberStyles.Integer, CultureInfo.InvariantCulture, out int n) || n <= 0) throw Fault(2, $"'{lines[1].Trim()}': the number of atoms is expected here");
        if (head.Length > 1 && !double.TryParse(head[1], NumberStyles.Float, CultureInfo.InvariantCulture, out time)) throw Fault(2, $"'{head[1]}' is not a time in ps");
        int end = lines.Length;
        while (end > 2 && lines[end - 1].Trim().Length == 0) end--;
        int rows = (n + 1) / 2, rest = end - 2 - rows;
        if (rest < 0) throw Fault(end, $"{n} atoms need {rows} lines of positions, there are {end - 2}");
        var positions = Numbers(2, 3 * n, "position");
        bool hasVelocities = rest == rows + 1 || (rest == rows && !(rows == 1 && periodic)), hasBox = rest == rows + 1 || (rest == 1 && !hasVelocities);
        if (rest != (hasVelocities ? rows : 0) + (hasBox ? 1 : 0)) throw Fault(end, $"after {rows} lines of positions there are {rest} more; {rows} lines of velocities, or one line of the box, or both may follow");
        var velocities = hasVelocities ? Numbers(2 + rows, 3 * n, "velocity") : null;
        for (int k = 0; k < 3 * n && velocities is not null; k++) velocities[k] *= VelocityUnit;
        double[]? box = null;
        if (hasBox)
        {
            int count = Math.Min(6, (lines[end - 1].TrimEnd().Length + 11) / 12);
            if (count is not (3 or 6)) throw Fault(end, "the box needs three lengths, or three lengths and three angles");
            box = Numbers(end - 1, count, "box");
        }
        return new AmberCoordinates(positions, velocities, box, 1e3 * time);

        // Columns of twelve: large numbers leave no space between them.
        double[] Numbers(int line, int count, string what)
        {
            var values = new double[count];
            for (int k = 0; k < count; k++)
            {
                int row = line + k / 6, column = k % 6 * 12;
                string text = row < end && column < lines[row].Length ? lines[row].Substring(column, Math.Min(12, lines[row].Length - column)).Trim() : "";
                if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out values[k]) || !double.IsFinite(values[k]))
                    throw new InputException(path, row + 1, column + 1, $"'{text}' is not a number ({what}{(what == "box" ? "" : $" of atom {k / 3 + 1}")})");
            }
            return values;
        }
    }

    /// <summary>The cell of a box given by lengths, Å, and angles, degrees: a along x, b in the plane of x and y.</summary>
    internal static Cell MakeCell(ReadOnlySpan<double> box)
    {
        double Cos(double degrees) => degrees == 90 ? 0 : Math.Cos(degrees * Math.PI / 180);
        double a = box[0], b = box[1], c = box[2], ca = Cos(box[3]), cb = Cos(box[4]), cg = Cos(box[5]), sg = Math.Sqrt(1 - cg * cg);
        double cy = (ca - cb * cg) / sg, cz = Math.Sqrt(Math.Max(0, 1 - cb * cb - cy * cy));
        return new Cell([a, 0, 0, b * cg, b * sg, 0, c * cb, c * cy, c * cz]);
    }
}
