using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>Point charges around a quantum system.</summary>
/// <param name="Positions">x, y, z of each, Å.</param>
/// <param name="Charges">e.</param>
/// <param name="Widths">Width w of the Gaussian that stands for each charge, Å: potential q erf(r/w)/r; 0: a point. Empty: all are points.</param>
public sealed record ExternalCharges(double[] Positions, double[] Charges, double[] Widths);

/// <summary>
/// Potential φ of external charges at atoms, and the gradient of E = −Σ_i Δn_i φ_i: φ(r) = Σ_k Q_k erf(R/w_k)/R, R = |r − r_k|. In a periodic
/// cell the charges have images and a uniform background each, so that the average of φ is zero; what external charges do to each other is not
/// part of E. Bohr, hartree.
/// </summary>
/// <remarks>
/// Periodic: Ewald's sum for points, plus −erfc(R/w)/R in space, whose average −π w²/V joins the background:
/// Σ_n [erfc(α R)/R − erfc(R/w)/R] + Σ_k w_k cos k·R − π/V (1/α² − w²).
/// </remarks>
internal sealed class ExternalField
{
    private const double Inside = 0.2; // bohr: closer than any electron of a valence shell
    private double[] _atoms = [], _positions = [], _charges = [], _widths = [], _potential = [];
    private Ewald? _ewald;
    private Cell _cell = Cell.Box(1, 1, 1); // bohr

    /// <summary>φ at the atoms, hartree/e; empty without charges.</summary>
    public ReadOnlySpan<double> Potential => _potential;

    /// <summary>Refuses charges that cannot be.</summary>
    /// <exception cref="InputException">Lengths that do not fit, numbers that are none, a point charge inside an atom or its image.</exception>
    public static void Check(Atoms atoms, ExternalCharges external)
    {
        int m = external.Charges.Length;
        if (external.Positions.Length != 3 * m || (external.Widths.Length != 0 && external.Widths.Length != m))
            throw new InputException($"{m} external charges need {3 * m} coordinates and {m} widths (or none); there are {external.Positions.Length} and {external.Widths.Length}");
        for (int k = 0; k < m; k++)
        {
            double w = external.Widths.Length == 0 ? 0 : external.Widths[k];
            if (!double.IsFinite(external.Charges[k] + external.Positions[3 * k] + external.Positions[3 * k + 1] + external.Positions[3 * k + 2]) || !(w >= 0) || !double.IsFinite(w))
                throw new InputException($"external charge {k + 1} needs finite numbers and a width of zero or more");
            if (w > Inside * Codata.BohrInAngstrom) continue;
            for (int i = 0; i < atoms.Count; i++)
            {
                var (x, y, z) = Difference(atoms.Cell, external.Positions, k, atoms.Positions, i);
                double r = Math.Sqrt(x * x + y * y + z * z);
                if (r < Inside * Codata.BohrInAngstrom)
                    throw new InputException(string.Create(CultureInfo.InvariantCulture, $"external charge {k + 1} is {r:g2} Å from atom {atoms.Ids[i]}: inside it; blur it, or leave it out"));
            }
        }
    }

    /// <summary>r_i − r_k, in periodic directions within half a cell.</summary>
    private static (double X, double Y, double Z) Difference(Cell cell, ReadOnlySpan<double> charges, int k, ReadOnlySpan<double> atoms, int i)
    {
        double x = atoms[3 * i] - charges[3 * k], y = atoms[3 * i + 1] - charges[3 * k + 1], z = atoms[3 * i + 2] - charges[3 * k + 2];
        if (!cell.IsPeriodic) return (x, y, z);
        var o = cell.Origin;
        var p = cell.Periodic;
        var (s0, s1, s2) = cell.Fractional(x + o[0], y + o[1], z + o[2]);
        var (dx, dy, dz) = cell.Shift(p[0] ? -(int)Math.Round(s0) : 0, p[1] ? -(int)Math.Round(s1) : 0, p[2] ? -(int)Math.Round(s2) : 0);
        return (x + dx, y + dy, z + dz);
    }

    /// <summary>Sets up φ.</summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="ewald">For a periodic cell.</param>
    /// <param name="external">Checked charges; null: none.</param>
    public void Build(Atoms atoms, Ewald? ewald, ExternalCharges? external)
    {
        if (external is null)
        {
            (_potential, _charges) = ([], []);
            return;
        }
        double bohr = 1 / Codata.BohrInAngstrom;
        (_ewald, _charges) = (ewald, external.Charges);
        _cell = atoms.Cell.WithRows([.. atoms.Cell.Rows.ToArray().Select(x => x * bohr)]);
        (_atoms, _positions) = ([.. atoms.Positions.Select(x => x * bohr)], [.. external.Positions.Select(x => x * bohr)]);
        _widths = external.Widths.Length == 0 ? new double[_charges.Length] : [.. external.Widths.Select(x => x * bohr)];
        double[] potential = _potential = new double[atoms.Count];
        double background = Background();
        potential.AsSpan().Fill(background);
        Visit((i, k, value, _, _, _, _) => potential[i] += _charges[k] * value);
        ewald?.AddPotential(_positions, _charges, _atoms, potential);
    }

    /// <summary>−π/V Σ Q (1/α² − w²); zero without a cell.</summary>
    private double Background()
    {
        double sum = 0;
        if (_ewald is { } e) for (int k = 0; k < _charges.Length; k++) sum += _charges[k] * (e.Background + Math.PI / e.Volume * _widths[k] * _widths[k]);
        return sum;
    }

    /// <summary>All pairs of an atom and a charge, images within range included: what stands in space of 1/R, its slope over R, and R as a vector.</summary>
    private void Visit(Action<int, int, double, double, double, double, double> pair)
    {
        Span<int> most = stackalloc int[3];
        for (int k = 0; k < _charges.Length; k++)
        {
            double width = _widths[k], range = double.MaxValue;
            if (_ewald is not null)
            {
                range = Math.Max(_ewald.Range, _ewald.Range * _ewald.Alpha * width); // erfc(R/w) falls as erfc(α R) does
                for (int d = 0; d < 3; d++) most[d] = (int)Math.Ceiling(range / (_cell.Spacing[d]) + 0.5);
            }
            for (int i = 0; i < _potential.Length; i++)
            {
                var (x0, y0, z0) = Difference(_cell, _positions, k, _atoms, i);
                for (int n0 = -most[0]; n0 <= most[0]; n0++)
                    for (int n1 = -most[1]; n1 <= most[1]; n1++)
                        for (int n2 = -most[2]; n2 <= most[2]; n2++)
                        {
                            var (x, y, z) = _cell.Shift(n0, n1, n2);
                            (x, y, z) = (x0 + x, y0 + y, z0 + z);
                            double r = Math.Sqrt(x * x + y * y + z * z);
                            if (r > range) continue;
                            var (value, slope) = Space(r, width);
                            pair(i, k, value, slope, x, y, z);
                        }
            }
        }
    }

    /// <summary>1/R, erf(R/w)/R, or what of them Ewald's sum has in space, and its slope over R.</summary>
    private (double Value, double SlopeOverR) Space(double r, double width)
    {
        if (_ewald is { } ewald)
        {
            double a = ewald.Alpha, x = a * r;
            if (width == 0)
            {
                double value = Special.Erfc(x) / r;
                return (value, -(value + 2 * a / Math.Sqrt(Math.PI) * Math.Exp(-x * x)) / (r * r));
            }
            var (near, far) = (Blurred(r, 1 / width), Blurred(r, a));
            return (near.Value - far.Value, near.SlopeOverR - far.SlopeOverR);
        }
        return width == 0 ? (1 / r, -1 / (r * r * r)) : Blurred(r, 1 / width);
    }

    /// <summary>erf(a R)/R and its slope over R.</summary>
    private static (double Value, double SlopeOverR) Blurred(double r, double a)
    {
        double t = a * r, t2 = t * t, c = 2 * a / Math.Sqrt(Math.PI);
        // Near zero the slope is a difference of equals: terms to t⁶ leave t⁸/216 of the value, 3e-15 at 0.03.
        if (t < 0.03) return (c * (1 - t2 * (1 / 3.0 - t2 * (0.1 - t2 / 42))), c * a * a * (-2 / 3.0 + t2 * (0.4 - t2 / 7)));
        double value = Special.Erf(t) / r;
        return (value, (c * Math.Exp(-t2) - value) / (r * r));
    }

    /// <summary>Adds the gradient at fixed charges of the atoms: ∂E/∂r of atoms and external charges (hartree/bohr), and Σ r ∂E/∂r of the strain
    /// of cell, atoms and charges (hartree; xx, yy, zz, yz, xz, xy).</summary>
    public void AddGradient(double[] surplus, double[] gradient, double[] strain, double[] external)
    {
        if (_potential.Length == 0) return;
        Visit((i, k, _, slope, x, y, z) =>
        {
            double factor = -surplus[i] * _charges[k] * slope;
            ReadOnlySpan<double> g = [factor * x, factor * y, factor * z];
            for (int d = 0; d < 3; d++)
            {
                gradient[3 * i + d] += g[d];
                external[3 * k + d] -= g[d];
            }
            Ewald.AddStrain(strain, factor, x, y, z);
        });
        if (_ewald is null) return;
        _ewald.AddGradient(-1, _atoms, surplus, gradient, _positions, _charges, external, strain);
        double energy = -surplus.Sum() * Background();
        for (int d = 0; d < 3; d++) strain[d] -= energy;
    }
}
