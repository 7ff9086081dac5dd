using MsHpc.Atomistics;
using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Pairs of atoms within a distance, each once, with all periodic images: j &gt; i, or j = i with an image whose first non-zero number of cells is
/// positive. Bohr.
/// </summary>
internal sealed class BondList
{
    /// <summary>One pair: r_j + n·(a, b, c) − r_i.</summary>
    public readonly record struct Bond(int I, int J, double X, double Y, double Z, double Distance, int N0, int N1, int N2);

    private readonly List<Bond> _bonds = [];

    /// <summary>Number of pairs.</summary>
    public int Count => _bonds.Count;

    /// <summary>The pairs, by rising i.</summary>
    public ReadOnlySpan<Bond> Bonds => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bonds);

    /// <summary>Finds the pairs.</summary>
    /// <param name="atoms">Atoms, Å.</param>
    /// <param name="cutoff">Distance, bohr.</param>
    /// <param name="shortest">Least distance allowed, bohr.</param>
    /// <exception cref="InputException">Two atoms are closer than that.</exception>
    /// <remarks>Bins of the size of the cutoff: the work grows with the number of atoms.</remarks>
    public void Build(Atoms atoms, double cutoff, double shortest)
    {
        _bonds.Clear();
        double bohr = 1 / Codata.BohrInAngstrom, reach = cutoff * Codata.BohrInAngstrom;
        int n = atoms.Count;
        var cell = atoms.Cell;
        // Fractional coordinates, wrapped in periodic directions: an image number per atom.
        var s = new double[3 * n];
        var wrap = new int[3 * n];
        Span<double> low = [double.MaxValue, double.MaxValue, double.MaxValue], high = [double.MinValue, double.MinValue, double.MinValue];
        for (int i = 0; i < n; i++)
        {
            var (s0, s1, s2) = cell.Fractional(atoms.Positions[3 * i], atoms.Positions[3 * i + 1], atoms.Positions[3 * i + 2]);
            (s[3 * i], s[3 * i + 1], s[3 * i + 2]) = (s0, s1, s2);
            for (int k = 0; k < 3; k++)
            {
                if (cell.Periodic[k])
                {
                    wrap[3 * i + k] = (int)Math.Floor(s[3 * i + k]);
                    s[3 * i + k] -= wrap[3 * i + k];
                }
                low[k] = Math.Min(low[k], s[3 * i + k]);
                high[k] = Math.Max(high[k], s[3 * i + k]);
            }
        }
        Span<int> bins = stackalloc int[3], range = stackalloc int[3];
        Span<double> width = stackalloc double[3];
        for (int k = 0; k < 3; k++)
        {
            bool periodic = cell.Periodic[k];
            double extent = periodic ? 1 : high[k] - low[k];
            if (periodic) low[k] = 0;
            // At most as many bins as atoms in all; at least one.
            bins[k] = (int)Math.Clamp(Math.Floor(extent * cell.Spacing[k] / reach), 1, Math.Max(1, Math.Cbrt(n) * 2));
            width[k] = extent / bins[k];
            double size = width[k] * cell.Spacing[k];
            range[k] = size > 0 ? (int)Math.Ceiling(reach / size) : 0;
            if (!periodic) range[k] = Math.Min(range[k], bins[k] - 1);
        }
        var heads = new int[bins[0] * bins[1] * bins[2] + 1];
        var binOf = new int[3 * n];
        for (int i = 0; i < n; i++)
        {
            for (int k = 0; k < 3; k++) binOf[3 * i + k] = width[k] > 0 ? Math.Clamp((int)((s[3 * i + k] - low[k]) / width[k]), 0, bins[k] - 1) : 0;
            heads[(binOf[3 * i] * bins[1] + binOf[3 * i + 1]) * bins[2] + binOf[3 * i + 2] + 1]++;
        }
        for (int b = 0; b + 1 < heads.Length; b++) heads[b + 1] += heads[b];
        var order = new int[n];
        var fill = (int[])heads.Clone();
        for (int i = 0; i < n; i++) order[fill[(binOf[3 * i] * bins[1] + binOf[3 * i + 1]) * bins[2] + binOf[3 * i + 2]]++] = i;

        for (int i = 0; i < n; i++)
            for (int d0 = -range[0]; d0 <= range[0]; d0++)
                for (int d1 = -range[1]; d1 <= range[1]; d1++)
                    for (int d2 = -range[2]; d2 <= range[2]; d2++)
                    {
                        int b0 = binOf[3 * i] + d0, b1 = binOf[3 * i + 1] + d1, b2 = binOf[3 * i + 2] + d2;
                        int n0 = FloorDivide(b0, bins[0]), n1 = FloorDivide(b1, bins[1]), n2 = FloorDivide(b2, bins[2]);
                        if ((n0 != 0 && !cell.Periodic[0]) || (n1 != 0 && !cell.Periodic[1]) || (n2 != 0 && !cell.Periodic[2])) continue;
                        int bin = ((b0 - n0 * bins[0]) * bins[1] + b1 - n1 * bins[1]) * bins[2] + b2 - n2 * bins[2];
                        for (int k = heads[bin]; k < heads[bin + 1]; k++)
                        {
                            int j = order[k];
                            if (j < i) continue;
                            // Images counted from the atoms as they were given.
                            int m0 = n0 + wrap[3 * i] - wrap[3 * j], m1 = n1 + wrap[3 * i + 1] - wrap[3 * j + 1], m2 = n2 + wrap[3 * i + 2] - wrap[3 * j + 2];
                            if (j == i && (m0 < 0 || (m0 == 0 && (m1 < 0 || (m1 == 0 && m2 <= 0))))) continue;
                            var (x, y, z) = cell.Shift(m0, m1, m2);
                            x = (x + atoms.Positions[3 * j] - atoms.Positions[3 * i]) * bohr;
                            y = (y + atoms.Positions[3 * j + 1] - atoms.Positions[3 * i + 1]) * bohr;
                            z = (z + atoms.Positions[3 * j + 2] - atoms.Positions[3 * i + 2]) * bohr;
                            double r = Math.Sqrt(x * x + y * y + z * z);
                            if (r >= cutoff) continue;
                            if (r < shortest)
                                throw new InputException(string.Create(System.Globalization.CultureInfo.InvariantCulture,
                                    $"atoms {atoms.Ids[i]} and {atoms.Ids[j]} are {r * Codata.BohrInAngstrom:g2} Å apart: closer than the {shortest * Codata.BohrInAngstrom:g2} Å from which on the parameters hold"));
                            _bonds.Add(new Bond(i, j, x, y, z, r, m0, m1, m2));
                        }
                    }
    }

    private static int FloorDivide(int a, int b) => a >= 0 ? a / b : -((b - 1 - a) / b);
}
