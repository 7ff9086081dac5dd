using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Quantum.Scf;
using MsHpc.Quantum.TightBinding;

namespace MsHpc.Quantum.LinearScaling;

/// <summary>The density matrix by purification in the place of diagonalisation: work that grows with the number of atoms, for systems with a gap.</summary>
/// <param name="Threshold">Frobenius norm of 8 × 8 blocks of the density matrix (whose eigenvalues are 0 and 1) below which they are left out.</param>
public sealed record Purification(double Threshold = 1e-5);

/// <summary>How well a purification did.</summary>
/// <param name="Steps">Squarings.</param>
/// <param name="Trace">Tr P minus the number of pairs of electrons.</param>
/// <param name="Idempotency">Tr (P − P²).</param>
/// <param name="Rotation">Σ (Frobenius norm of what a step left out / gap of that step's matrix): the angle by which the occupied space is turned at most, to first order.</param>
/// <param name="EnergyError">Estimate of the error of the energy from the last two, eV; see <see cref="TightBindingCalculator.Purified"/>.</param>
/// <param name="Filling">Blocks kept, as a fraction of all.</param>
public sealed record PurificationReport(int Steps, double Trace, double Idempotency, double Rotation, double EnergyError, double Filling);

/// <summary>
/// P = θ(μ − H) by second-order spectral projection (Niklasson, Phys. Rev. B 66, 155115 (2002)): from X₀ = (ε_max − H)/(ε_max − ε_min) on,
/// X ← X² or 2X − X², whichever brings Tr X nearer to the number of occupied levels, until what is left of Tr (X − X²) is what dropping blocks puts there.
/// </summary>
/// <remarks>
/// <para>Once the gap is known from a calculation before, steps are stretched so that they fold what is far from it (<see cref="Map"/>): two thirds of the steps.
/// What may be dropped is the threshold times the gap of the matrix at hand, as it is the ratio that counts; the gap grows from step to step up to one.</para>
/// <para>Levels next to the gap are known from ‖X − X²‖: an eigenvalue x of X has x (1 − x) ≤ ‖X − X²‖_F, and the steps back to X₀ are invertible
/// (Rubensson and Niklasson, SIAM J. Sci. Comput. 36, B147 (2014)). The gap found is a lower bound.</para>
/// <para>A dropped E turns the occupied space of a matrix with gap ξ by ‖E‖/ξ at most (Davis and Kahan), so the whole by θ = Σ ‖E_i‖/ξ_i. To this the energy is
/// stationary; with all levels within W = ε_max − ε_min the error is at most 2 W θ². Levels that are not quite 0 or 1 add 2 W |Tr (P − P²)|; the energy is
/// taken as 2 Tr P (H − μ) + μ N, to which a wrong trace matters no more than that. Both are estimates from above, usually by far: Frobenius norms stand for
/// spectral ones.</para>
/// </remarks>
internal sealed unsafe class Purifier(Purification options, ThreadTeam team, Comm comm)
{
    private const int MaxSteps = 100;

    // A level in the middle of a small gap goes round 0.618 and 0.382, where both polynomials have the slope √5 − 1.
    private const double Golden = 1.2360679774997898;

    /// <summary>
    /// One step: ((1 − α) + α x)², or 1 − (1 − α x)² with x and 1 − x in each other's place. α = 1 are the plain x² and 2x − x²; with
    /// α = 2/(2 − x_empty) the lowest empty level and zero fall on the same place, and all others between (Rubensson, J. Chem. Theory Comput. 7, 1233 (2011)).
    /// </summary>
    private readonly record struct Map(bool Square, double Alpha)
    {
        public (double, double, double) Polynomial => Square ? (Alpha * Alpha, 2 * Alpha * (1 - Alpha), (1 - Alpha) * (1 - Alpha)) : (-Alpha * Alpha, 2 * Alpha, 0);

        public double At(double x)
        {
            double root = Square ? 1 - Alpha + Alpha * x : 1 - Alpha * x;
            return Square ? root * root : 1 - root * root;
        }

        /// <summary>The x that comes to y, on the side of the gap.</summary>
        public double Back(double y) => Square ? (Math.Sqrt(Math.Max(0, y)) - 1 + Alpha) / Alpha : y / (1 + Math.Sqrt(Math.Max(0, 1 - y))) / Alpha;
    }

    private BlockMatrix? _x, _next;

    /// <summary>Middle of the gap.</summary>
    public double Fermi { get; private set; }

    /// <summary>Lower bound of the gap.</summary>
    public double Gap { get; private set; }

    /// <summary>2 Tr P H.</summary>
    public double BandEnergy { get; private set; }

    /// <summary>How it went.</summary>
    public PurificationReport? Report { get; private set; }

    /// <summary>Density of two electrons in each level below the gap, at the places that the operators have.</summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="layout">Orbitals and bonds.</param>
    /// <param name="bonds">The bonds.</param>
    /// <param name="h">Hamiltonian at Γ, orthogonal orbitals.</param>
    /// <param name="electrons">Electrons, an even number.</param>
    /// <param name="density">Out; as in <see cref="BandSolver.Density"/>.</param>
    /// <exception cref="InputException">Electrons that do not fill levels in pairs.</exception>
    /// <exception cref="ConvergenceException">No gap at that number of electrons, or a threshold too large for it.</exception>
    public void Solve(Atoms atoms, OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator h, double electrons, BondOperator density)
    {
        double pairs = electrons / 2;
        if (pairs != Math.Round(pairs) || pairs < 0 || pairs > layout.Count)
            throw new InputException(string.Create(CultureInfo.InvariantCulture, $"{electrons:g8} electrons in {layout.Count} levels: purification fills levels with two electrons each, up to a gap. Diagonalise"));
        var groups = new OrbitalGroups(atoms, layout, bonds);
        var (low, high) = Bounds(layout, bonds, h);
        double width = high - low;
        if (_x?.Rows != groups.Count) (_x, _next) = (new(groups.Count, team, comm), new(groups.Count, team, comm));
        var (x, next) = (_x!, _next!);
        var sums = x.Fill(Start(groups, layout, bonds, h, high, width));

        // Levels at the gap in X₀, from the last calculation: they make steps shorter. The first time a gap of a hundredth of all is assumed, for thresholds alone.
        bool known = Gap > 0;
        double occupied = known ? (high - Fermi + 0.5 * Gap) / width : 0.505, empty = known ? (high - Fermi - 0.5 * Gap) / width : 0.495, gap = occupied - empty;
        var steps = new List<Map>();
        List<double> left = [sums.Trace - sums.Square], idempotency = [], dropped = [];
        while (!Converged(left, dropped, pairs))
        {
            if (left.Count > MaxSteps) throw NoGap(left);
            bool square = known ? occupied + empty > 1 : Math.Abs(sums.Square - pairs) <= Math.Abs(2 * sums.Trace - sums.Square - pairs);
            var step = new Map(square, known ? 2 / (2 - (square ? empty : 1 - occupied)) : 1);
            steps.Add(step);
            if (known) (occupied, empty) = (step.At(occupied), step.At(empty));
            gap = known ? occupied - empty : Math.Min(1, gap * Golden);
            sums = next.Step(x, step.Polynomial, options.Threshold * gap);
            (x, next) = (next, x);
            left.Add(sums.Trace - sums.Square);
            idempotency.Add(sums.Idempotency);
            dropped.Add(sums.Dropped);
        }
        (_x, _next) = (x, next);
        Gap = 0;
        // Half an electron pair off: another number of levels is filled than was asked for.
        if (!(Math.Abs(sums.Trace - pairs) < 0.5)) throw NoGap(left);

        (occupied, empty) = Edges(steps, idempotency, dropped);
        if (!(occupied > empty)) throw NoGap(left);
        Gap = (occupied - empty) * width;
        Fermi = high - 0.5 * (occupied + empty) * width;
        double angle = 0;
        for (int k = 0; k < steps.Count; k++)
        {
            (occupied, empty) = (steps[k].At(occupied), steps[k].At(empty));
            angle += dropped[k] / (occupied - empty);
        }
        Collect(groups, layout, bonds, x, density);
        BandEnergy = Fermi * electrons;
        for (int m = 0; m < layout.Count; m++) BandEnergy += density.Diagonal[m] * (h.Diagonal[m] - Fermi);
        for (int k = 0; k < layout.Block[^1]; k++) BandEnergy += density.Blocks[k] * h.Blocks[k];
        Report = new PurificationReport(steps.Count, sums.Trace - pairs, left[^1], angle, 2 * width * (angle * angle + Math.Abs(left[^1])) * Codata.HartreeInEv,
            (2.0 * x.Blocks - x.Rows) / ((double)x.Rows * x.Rows));
    }

    /// <summary>Whether Tr (X − X²) is down to what dropping puts there, ‖E‖² of the last two steps (to leading order the trace of X² only knows the square of
    /// what left it), or to rounding, or no longer falls.</summary>
    private static bool Converged(List<double> left, List<double> dropped, double pairs)
    {
        int n = dropped.Count;
        double now = Math.Abs(left[^1]);
        if (now <= 1e-14 * (pairs + 1)) return true;
        if (n < 2) return false;
        double noise = dropped[^1] * dropped[^1] + dropped[^2] * dropped[^2];
        return now <= 2 * noise || (now < 1e-3 * pairs && now > 0.5 * Math.Abs(left[^3]));
    }

    private ConvergenceException NoGap(List<double> left) => new(string.Create(CultureInfo.InvariantCulture,
        $"purification found no gap at this number of electrons with blocks below {options.Threshold:g2} left out; Tr (P − P²): ")
        + string.Join(" → ", left.TakeLast(6).Select(e => e.ToString("e1", CultureInfo.InvariantCulture))) + ". Diagonalise, or choose a smaller threshold", left);

    /// <summary>Eigenvalues of X₀ on both sides of the gap: the best of what all steps say.</summary>
    private static (double Occupied, double Empty) Edges(List<Map> steps, List<double> idempotency, List<double> dropped)
    {
        double highest = 0, lowest = 1;
        for (int k = 1; k < steps.Count; k++)
        {
            // Below some ten times what was dropped the norm speaks of that.
            if (idempotency[k] >= 0.25 || idempotency[k] < 10 * dropped[k - 1]) continue;
            double root = Math.Sqrt(1 - 4 * idempotency[k]), occupied = 0.5 * (1 + root), empty = 2 * idempotency[k] / (1 + root);
            for (int back = k - 1; back >= 0; back--) (occupied, empty) = (steps[back].Back(occupied), steps[back].Back(empty));
            (highest, lowest) = (Math.Max(highest, occupied), Math.Min(lowest, empty));
        }
        return (highest, lowest);
    }

    /// <summary>Gershgorin's circles.</summary>
    private static (double Low, double High) Bounds(OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator h)
    {
        var radius = new double[layout.Count];
        for (int b = 0; b < bonds.Length; b++)
        {
            int fi = layout.First[bonds[b].I], fj = layout.First[bonds[b].J], ni = layout.First[bonds[b].I + 1] - fi, nj = layout.First[bonds[b].J + 1] - fj;
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++)
                {
                    double x = Math.Abs(h.Blocks[layout.Block[b] + m * nj + v]);
                    radius[fi + m] += x;
                    radius[fj + v] += x;
                }
        }
        double low = double.MaxValue, high = double.MinValue;
        for (int m = 0; m < layout.Count; m++) (low, high) = (Math.Min(low, h.Diagonal[m] - radius[m]), Math.Max(high, h.Diagonal[m] + radius[m]));
        return (low, high > low ? high : low + 1);
    }

    private static SortedDictionary<int, double[]>[] Start(OrbitalGroups groups, OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BondOperator h, double high, double width)
    {
        const int size = OrbitalGroups.Size;
        var rows = new SortedDictionary<int, double[]>[groups.Count];
        for (int g = 0; g < rows.Length; g++) rows[g] = new() { [g] = new double[size * size] };
        for (int i = 0; i + 1 < layout.First.Length; i++)
        {
            var (g, at) = groups[i];
            for (int m = 0; m < layout.First[i + 1] - layout.First[i]; m++) rows[g][g][(at + m) * (size + 1)] = (high - h.Diagonal[layout.First[i] + m]) / width;
        }
        for (int b = 0; b < bonds.Length; b++)
        {
            var ((gi, oi), (gj, oj)) = (groups[bonds[b].I], groups[bonds[b].J]);
            int ni = layout.First[bonds[b].I + 1] - layout.First[bonds[b].I], nj = layout.First[bonds[b].J + 1] - layout.First[bonds[b].J];
            int row = Math.Min(gi, gj), column = Math.Max(gi, gj);
            if (!rows[row].TryGetValue(column, out var block)) rows[row][column] = block = new double[size * size];
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++)
                {
                    double x = h.Blocks[layout.Block[b] + m * nj + v] / width;
                    if (gi <= gj) block[(oi + m) * size + oj + v] -= x;
                    if (gj <= gi) block[(oj + v) * size + oi + m] -= x; // within a group both places, and the image on the other side
                }
        }
        return rows;
    }

    private static void Collect(OrbitalGroups groups, OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds, BlockMatrix x, BondOperator density)
    {
        const int size = OrbitalGroups.Size;
        density.Resize(layout.Count, layout.Block[^1]);
        for (int i = 0; i + 1 < layout.First.Length; i++)
        {
            var (g, at) = groups[i];
            double* block = x.Find(g, g);
            for (int m = 0; m < layout.First[i + 1] - layout.First[i]; m++) density.Diagonal[layout.First[i] + m] = 2 * block[(at + m) * (size + 1)];
        }
        for (int b = 0; b < bonds.Length; b++)
        {
            var ((gi, oi), (gj, oj)) = (groups[bonds[b].I], groups[bonds[b].J]);
            int ni = layout.First[bonds[b].I + 1] - layout.First[bonds[b].I], nj = layout.First[bonds[b].J + 1] - layout.First[bonds[b].J];
            double* block = x.Find(Math.Min(gi, gj), Math.Max(gi, gj));
            for (int m = 0; m < ni; m++)
                for (int v = 0; v < nj; v++) // two electrons, both halves of the matrix
                    density.Blocks[layout.Block[b] + m * nj + v] = block == null ? 0 : 4 * (gi <= gj ? block[(oi + m) * size + oj + v] : block[(oj + v) * size + oi + m]);
        }
    }
}
