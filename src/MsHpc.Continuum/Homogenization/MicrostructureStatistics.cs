using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>
/// Statistical measures of a periodic image, after S. Torquato, Random Heterogeneous Materials (2002), chapter 2; and the length that goes
/// into the ratio of the scales, ε = ℓ/L.
/// </summary>
public static class MicrostructureStatistics
{
    /// <summary>Volume fraction of each label.</summary>
    public static SortedDictionary<int, double> VolumeFractions(Voxels voxels)
    {
        ArgumentNullException.ThrowIfNull(voxels);
        var fractions = new SortedDictionary<int, double>();
        foreach (var group in voxels.Labels.CountBy(l => l)) fractions.Add(group.Key, (double)group.Value / voxels.Labels.Length);
        return fractions;
    }

    /// <summary>Two-point probability S₂(r) along an axis: that two cells r apart both have the label. S₂(0) is the volume fraction φ, and
    /// S₂ tends to φ² where there is no order.</summary>
    /// <param name="voxels">Periodic image.</param>
    /// <param name="label">Phase.</param>
    /// <param name="axis">0 = x, 1 = y, 2 = z.</param>
    /// <returns>S₂ at r = 0, 1, … cells, up to half the image.</returns>
    /// <exception cref="InputException">There is no such axis.</exception>
    public static double[] TwoPoint(Voxels voxels, int label, int axis)
    {
        var (starts, stride, length) = Lines(voxels, axis);
        var hits = new long[length / 2 + 1];
        var inside = new bool[length];
        foreach (int start in starts)
        {
            for (int i = 0; i < length; i++) inside[i] = voxels.Labels[start + i * stride] == label;
            for (int i = 0; i < length; i++)
                if (inside[i])
                    for (int r = 0; r < hits.Length; r++)
                        if (inside[i + r < length ? i + r : i + r - length]) hits[r]++;
        }
        return [.. hits.Select(h => (double)h / voxels.Labels.Length)];
    }

    /// <summary>Lineal-path function L(r) along an axis: the probability that all of r + 1 successive cells have the label.</summary>
    /// <param name="voxels">Periodic image.</param>
    /// <param name="label">Phase.</param>
    /// <param name="axis">0 = x, 1 = y, 2 = z.</param>
    /// <returns>L at r = 0, 1, … cells, up to the length of the image.</returns>
    /// <exception cref="InputException">There is no such axis.</exception>
    public static double[] LinealPath(Voxels voxels, int label, int axis)
    {
        var (starts, stride, length) = Lines(voxels, axis);
        var runs = new long[length + 1]; // runs[m]: number of runs of m cells that end at a cell of another phase
        long whole = 0;                  // lines that lie in the phase from end to end
        foreach (int start in starts)
        {
            int first = 0;
            while (first < length && voxels.Labels[start + first * stride] == label) first++;
            if (first == length)
            {
                whole++;
                continue;
            }
            for (int i = 1, run = 0; i <= length; i++)
            {
                int at = first + i < length ? first + i : first + i - length;
                if (voxels.Labels[start + at * stride] == label) run++;
                else if (run > 0) (runs[run], run) = (runs[run] + 1, 0);
            }
        }
        var path = new double[length];
        for (int r = 0; r < length; r++)
        {
            long hits = whole * length;
            for (int m = r + 1; m <= length; m++) hits += runs[m] * (m - r);
            path[r] = (double)hits / voxels.Labels.Length;
        }
        return path;
    }

    /// <summary>Mean length of the pieces that a phase cuts out of lines along an axis; infinite when no line leaves the phase.</summary>
    /// <exception cref="InputException">There is no such axis, or no such phase.</exception>
    public static double MeanChord(Voxels voxels, int label, int axis)
    {
        var (starts, stride, length) = Lines(voxels, axis);
        long cells = 0, chords = 0;
        foreach (int start in starts)
            for (int i = 0; i < length; i++)
                if (voxels.Labels[start + i * stride] == label)
                {
                    cells++;
                    if (voxels.Labels[start + (i == 0 ? length - 1 : i - 1) * stride] != label) chords++;
                }
        if (cells == 0) throw new InputException($"the image has no phase {label}; it has: {string.Join(", ", voxels.Phases.Take(20))}");
        return chords == 0 ? double.PositiveInfinity : cells * voxels.Spacing[axis] / chords;
    }

    /// <summary>
    /// Length scale ℓ of the heterogeneity: along each axis twice the mean distance between phase changes (the period of a laminate, the mean
    /// spacing of inclusions on the lines that meet them), of these the largest. Axes without a change do not count; 0 for one phase only.
    /// </summary>
    public static double CharacteristicLength(Voxels voxels)
    {
        ArgumentNullException.ThrowIfNull(voxels);
        double longest = 0;
        for (int axis = 0; axis < voxels.Dimension; axis++)
        {
            var (starts, stride, length) = Lines(voxels, axis);
            long changes = 0, lines = 0;
            foreach (int start in starts)
            {
                long before = changes;
                for (int i = 0; i < length; i++)
                    if (voxels.Labels[start + i * stride] != voxels.Labels[start + (i == 0 ? length - 1 : i - 1) * stride]) changes++;
                if (changes > before) lines++;
            }
            if (changes > 0) longest = Math.Max(longest, 2 * voxels.Size[axis] * lines / changes);
        }
        return longest;
    }

    /// <summary>Ratio of the scales ε = ℓ/L; homogenisation assumes ε ≪ 1.</summary>
    /// <param name="voxels">Periodic image.</param>
    /// <param name="macroLength">L: the length over which the macroscopic fields vary.</param>
    /// <exception cref="InputException">L is not positive.</exception>
    public static double ScaleRatio(Voxels voxels, double macroLength) => macroLength > 0 ? CharacteristicLength(voxels) / macroLength
        : throw new InputException($"the macroscopic length {macroLength} is not positive");

    /// <summary>The first cells of all lines along an axis, and the step and number of cells of a line.</summary>
    private static (IEnumerable<int> Starts, int Stride, int Length) Lines(Voxels voxels, int axis)
    {
        ArgumentNullException.ThrowIfNull(voxels);
        if (axis < 0 || axis >= voxels.Dimension) throw new InputException($"axis {axis} is none of 0 … {voxels.Dimension - 1}");
        int stride = 1, length = voxels.Shape[axis], cells = voxels.Labels.Length;
        for (int d = axis + 1; d < voxels.Dimension; d++) stride *= voxels.Shape[d];
        return (Enumerable.Range(0, cells / length).Select(l => l / stride * stride * length + l % stride), stride, length);
    }
}
