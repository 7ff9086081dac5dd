using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Analysis;

/// <summary>
/// Radial distribution function, averaged over the frames added:
/// <code>
/// g(r) = (V/N_a N_b) ⟨Σ_{i∈a} Σ_{j∈b, j≠i} δ(r − r_ij)⟩ / (4π r² dr)
/// </code>
/// with the exact volume of each spherical shell. Periodic images count, so r may exceed half the cell.
/// </summary>
public sealed unsafe class RadialDistribution
{
    private readonly double[] _counts;
    private readonly double _range;
    private readonly int _a, _b;
    private double _density;
    private long _frames, _centres;

    /// <param name="range">Largest r, Å.</param>
    /// <param name="bins">Number of bins.</param>
    /// <param name="typeA">Kind of the central atoms; −1: all.</param>
    /// <param name="typeB">Kind of the others; −1: all.</param>
    public RadialDistribution(double range, int bins, int typeA = -1, int typeB = -1)
    {
        if (!(range > 0) || bins < 1) throw new InputException($"a radial distribution needs a positive range and bins, not {range} and {bins}");
        (_range, _a, _b) = (range, typeA, typeB);
        _counts = new double[bins];
    }

    /// <summary>Refuses a cell that does not repeat: its density, in which g is measured, would be that of the empty space around the atoms, too.</summary>
    /// <exception cref="InputException">A direction that is not periodic.</exception>
    public static void Check(Cell cell)
    {
        if (cell.Periodic.Contains(false))
            throw new InputException("a radial distribution needs a cell that is periodic in all three directions: it is measured in the mean density, which the empty space around a surface makes meaningless; coordination numbers need none");
    }

    /// <summary>Adds a frame.</summary>
    /// <exception cref="InputException">See <see cref="Check"/>.</exception>
    public void Add(Atoms atoms)
    {
        Check(atoms.Cell);
        var domain = LocalStructure.Everyone(atoms, _range);
        double* x = domain.X;
        int others = 0;
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            if (domain.Tag[s] < 0) continue;
            if (_b < 0 || domain.Type[s] == _b) others++;
            if (_a >= 0 && domain.Type[s] != _a) continue;
            _centres++;
            int at = s / 8 * 24 + s % 8;
            for (int k = domain.Full.Start[s]; k < domain.Full.Start[s + 1]; k++)
            {
                int j = domain.Full.Index[k], b = j / 8 * 24 + j % 8;
                if (domain.Tag[j] < 0 || _b >= 0 && domain.Type[j] != _b) continue;
                double dx = x[b] - x[at], dy = x[b + 8] - x[at + 8], dz = x[b + 16] - x[at + 16];
                int bin = (int)(Math.Sqrt(dx * dx + dy * dy + dz * dz) / _range * _counts.Length);
                if (bin < _counts.Length) _counts[bin]++;
            }
        }
        _density += others / atoms.Cell.Volume;
        _frames++;
    }

    /// <summary>Middle of each bin, Å, and g there.</summary>
    public (double[] R, double[] G) Result()
    {
        int n = _counts.Length;
        var (r, g) = (new double[n], new double[n]);
        double dr = _range / n, density = _density / Math.Max(1, _frames);
        for (int k = 0; k < n; k++)
        {
            r[k] = (k + 0.5) * dr;
            double shell = 4 * Math.PI / 3 * (Math.Pow((k + 1) * dr, 3) - Math.Pow(k * dr, 3));
            g[k] = _counts[k] / (Math.Max(1, _centres) * density * shell);
        }
        return (r, g);
    }
}

/// <summary>
/// Mean-square displacement ⟨|r(t₀ + t) − r(t₀)|²⟩ and velocity autocorrelation ⟨v(t₀ + t)·v(t₀)⟩ over atoms and all starting times t₀ of a trajectory with
/// equal time steps. Positions must be unwrapped, as in <see cref="Atoms.Positions"/>.
/// </summary>
public sealed class TimeCorrelation
{
    private readonly List<double[]> _positions = [], _velocities = [];

    /// <summary>Adds the next frame.</summary>
    /// <exception cref="InputException">Another number of atoms than before.</exception>
    public void Add(Atoms atoms)
    {
        if (_positions.Count > 0 && _positions[0].Length != atoms.Positions.Length) throw new InputException("all frames of a trajectory must hold the same atoms");
        _positions.Add([.. atoms.Positions]);
        _velocities.Add([.. atoms.Velocities]);
    }

    /// <summary>Mean-square displacement after 0, 1, 2 … frames, Å². The drift of the centre of all atoms is not taken out.</summary>
    /// <param name="longest">Largest delay, frames.</param>
    public double[] MeanSquareDisplacement(int longest) => Average(_positions, longest, static (a, b) =>
    {
        double sum = 0;
        for (int k = 0; k < a.Length; k++) sum += (b[k] - a[k]) * (b[k] - a[k]);
        return 3 * sum / a.Length;
    });

    /// <summary>⟨v(t)·v(0)⟩ after 0, 1, 2 … frames, Å²/fs².</summary>
    /// <param name="longest">Largest delay, frames.</param>
    public double[] VelocityAutocorrelation(int longest) => Average(_velocities, longest, static (a, b) =>
    {
        double sum = 0;
        for (int k = 0; k < a.Length; k++) sum += a[k] * b[k];
        return 3 * sum / a.Length;
    });

    /// <summary>
    /// Phonon density of states: the cosine transform of the normalised velocity autocorrelation C with a Hann window,
    /// D(ν) = 4 ∫₀^T C(t)/C(0) cos(2πνt) cos²(πt/2T) dt, normalised so that ∫₀^∞ D dν = 1 (equal masses; otherwise atoms weigh alike).
    /// </summary>
    /// <param name="longest">Longest delay T, frames; the resolution is about 1/T.</param>
    /// <param name="step">Time between frames, fs.</param>
    /// <param name="highest">Highest frequency, THz.</param>
    /// <param name="points">Number of frequencies from 0.</param>
    /// <returns>Frequencies, THz, and D, 1/THz.</returns>
    public (double[] Frequency, double[] Density) DensityOfStates(int longest, double step, double highest, int points) => Spectrum(VelocityAutocorrelation(longest), step, highest, points);

    /// <summary>The transform of <see cref="DensityOfStates"/>.</summary>
    /// <param name="c">⟨v(t)·v(0)⟩ at equal steps from 0, in any unit.</param>
    /// <param name="step">Time between them, fs.</param>
    /// <param name="highest">Highest frequency, THz.</param>
    /// <param name="points">Number of frequencies from 0.</param>
    /// <returns>Frequencies, THz, and D, 1/THz.</returns>
    public static (double[] Frequency, double[] Density) Spectrum(double[] c, double step, double highest, int points)
    {
        var (frequency, density) = (new double[points], new double[points]);
        for (int p = 0; p < points; p++)
        {
            frequency[p] = highest * p / Math.Max(1, points - 1);
            double sum = 0;
            for (int k = 0; k < c.Length; k++)
            {
                double window = Math.Pow(Math.Cos(0.5 * Math.PI * k / c.Length), 2), weight = k == 0 ? 0.5 : 1;
                sum += weight * window * c[k] / c[0] * Math.Cos(2 * Math.PI * frequency[p] * 1e-3 * k * step);
            }
            density[p] = 4 * sum * step * 1e-3;
        }
        return (frequency, density);
    }

    private static double[] Average(List<double[]> frames, int longest, Func<double[], double[], double> product)
    {
        if (frames.Count == 0) throw new InputException("a time correlation needs at least one frame");
        longest = Math.Min(longest, frames.Count - 1);
        var result = new double[longest + 1];
        for (int delay = 0; delay <= longest; delay++)
        {
            for (int start = 0; start + delay < frames.Count; start++) result[delay] += product(frames[start], frames[start + delay]);
            result[delay] /= frames.Count - delay;
        }
        return result;
    }
}
