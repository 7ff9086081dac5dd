using MsHpc.Atomistics;
using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>Point charges around a quantum system.</summary>
/// <param name="Positions">x, y, z of each, Å.</param>
/// <param name="Charges">e.</param>
/// <param name="Widths">Width w of the Gaussian that stands for each charge, Å: potential q erf(r/w)/r; 0: a point. Empty: all are points.</param>
public sealed record ExternalCharges(double[] Positions, double[] Charges, double[] Widths);

/// <summary>
/// How charges on atoms interact in self-consistent tight binding (DFTB2: Elstner et al., Phys. Rev. B 58, 7260 (1998)):
/// E = ½ Σ_ij γ_ij Δn_i Δn_j − Σ_i Δn_i φ_i, with Δn the surplus of electrons, φ the potential of external charges and
/// γ(R) = 1/R − S(R): spheres of charge exp(−τ r), τ = 16 U/5, so that γ_ii = U_i. Periodic cells: Ewald's sum of 1/R, −S directly.
/// </summary>
/// <remarks>
/// <code>
/// S = e^(−a R) K(a, b) + e^(−b R) K(b, a),   K(a, b) = b⁴ a/(2 (a² − b²)²) − (b⁶ − 3 b⁴ a²)/((a² − b²)³ R)       a ≠ b
/// S = e^(−a R) (1/R + 11 a/16 + 3 a² R/16 + a³ R²/48)                                                            a = b
/// </code>
/// A cell with a net charge has a uniform background; the cell's average potential is zero.
/// </remarks>
internal sealed class ChargeInteraction
{
    private const double Small = 1e-14; // what is left out of S and of both parts of Ewald's sum, relative to 1/R

    private readonly BondList _near = new();
    private double[] _tau = [], _gamma = [], _potential = [], _kVectors = [], _kWeights = [];
    private double[] _positions = [];
    private double _alpha, _background, _volume;
    private bool _periodic;
    private Cell? _cell;
    private ExternalCharges? _external;

    /// <summary>γ, row by row, hartree.</summary>
    public double[] Gamma => _gamma;

    /// <summary>φ at the atoms, hartree/e.</summary>
    public double[] Potential => _potential;

    /// <summary>Sets up the matrix.</summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="hubbard">U of each atom, hartree.</param>
    /// <param name="external">External charges; null: none.</param>
    /// <exception cref="InputException">External charges in a periodic cell, one inside an atom, a cell periodic in some directions only.</exception>
    public void Build(Atoms atoms, double[] hubbard, ExternalCharges? external)
    {
        int n = atoms.Count;
        _cell = atoms.Cell;
        _external = external;
        _periodic = atoms.Cell.IsPeriodic;
        bool all = atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2];
        if (_periodic && !all) throw new InputException("charges on the atoms of a cell that is periodic in one or two directions: take all three (with empty space) or none");
        double bohr = 1 / Codata.BohrInAngstrom;
        _tau = [.. hubbard.Select(u => 3.2 * u)];
        _positions = [.. atoms.Positions.Select(x => x * bohr)];
        if (_gamma.Length != n * n) (_gamma, _potential) = (new double[n * n], new double[n]);
        _gamma.AsSpan().Clear();
        _potential.AsSpan().Clear();
        for (int i = 0; i < n; i++) _gamma[i * (n + 1)] = hubbard[i];

        // S of the softest pair falls to Small within this distance.
        double tau = _tau.Min(), range = 1;
        while (Math.Exp(-tau * range) * (1 + tau * range) * (1 + tau * range) > Small) range += 0.5;
        if (_periodic)
        {
            PrepareEwald(atoms.Cell);
            range = Math.Max(range, RealRange());
        }
        else range = 1e9;
        _near.Build(atoms, range, 1e-3);
        foreach (ref readonly var b in _near.Bonds)
        {
            double value = Pair(b.I, b.J, b.Distance).Value;
            _gamma[b.I * n + b.J] += value;
            if (b.I != b.J) _gamma[b.J * n + b.I] += value;
            else _gamma[b.I * n + b.I] += value; // the image on the other side
        }
        if (_periodic) AddReciprocal(n);
        if (external is not null) AddExternal(atoms, external);
    }

    /// <summary>γ(R) without images, or its part that is summed in space, and the slope.</summary>
    private (double Value, double Slope) Pair(int i, int j, double r)
    {
        var (s, ds) = Short(_tau[i], _tau[j], r);
        if (!_periodic) return (1 / r - s, -1 / (r * r) - ds);
        double x = _alpha * r, e = Special.Erfc(x) / r;
        return (e - s, -e / r - 2 * _alpha / Math.Sqrt(Math.PI) * Math.Exp(-x * x) / r - ds);
    }

    /// <summary>S and dS/dR.</summary>
    internal static (double Value, double Slope) Short(double a, double b, double r)
    {
        if (a * r > 40 + 3 * Math.Log(1 + a * r) && b * r > 40 + 3 * Math.Log(1 + b * r)) return (0, 0);
        // Nearly equal exponents cancel in K: the symmetric form with the mean is as exact there, S being even in a − b.
        if (Math.Abs(a - b) < 1e-4 * (a + b))
        {
            double t = 0.5 * (a + b), e = Math.Exp(-t * r);
            double p = 1 / r + t * (11 / 16.0 + t * r * (3 / 16.0 + t * r / 48)), dp = -1 / (r * r) + t * t * (3 / 16.0 + t * r / 24);
            return (e * p, e * (dp - t * p));
        }
        static (double Value, double Slope) Half(double a, double b, double r)
        {
            double d = a * a - b * b, b4 = b * b * b * b, e = Math.Exp(-a * r);
            double k = b4 * a / (2 * d * d), m = (b4 * b * b - 3 * b4 * a * a) / (d * d * d);
            double p = k - m / r;
            return (e * p, e * (m / (r * r) - a * p));
        }
        var (x, dx) = Half(a, b, r);
        var (y, dy) = Half(b, a, r);
        return (x + y, dx + dy);
    }

    // ---- Ewald --------------------------------------------------------------------------------------------------------------------------

    private void PrepareEwald(Cell cell)
    {
        double bohr = 1 / Codata.BohrInAngstrom;
        _volume = cell.Volume * bohr * bohr * bohr;
        // Equal effort in both sums for a cube.
        _alpha = Math.Sqrt(Math.PI) / Math.Cbrt(_volume);
        _background = -Math.PI / (_volume * _alpha * _alpha);
        double limit = 2 * _alpha * Math.Sqrt(-Math.Log(Small)); // exp(−k²/4α²) = Small
        var g = cell.Reciprocal;
        Span<int> most = stackalloc int[3];
        for (int d = 0; d < 3; d++)
        {
            var edge = cell.Rows.Slice(3 * d, 3);
            most[d] = (int)Math.Ceiling(limit * Math.Sqrt(edge[0] * edge[0] + edge[1] * edge[1] + edge[2] * edge[2]) * bohr / (2 * Math.PI));
        }
        List<double> vectors = [], weights = [];
        double unit = 2 * Math.PI * Codata.BohrInAngstrom;
        for (int a = 0; a <= most[0]; a++)
            for (int b = a == 0 ? 0 : -most[1]; b <= most[1]; b++)
                for (int c = a == 0 && b == 0 ? 1 : -most[2]; c <= most[2]; c++)
                {
                    double x = unit * (a * g[0] + b * g[3] + c * g[6]), y = unit * (a * g[1] + b * g[4] + c * g[7]), z = unit * (a * g[2] + b * g[5] + c * g[8]);
                    double k2 = x * x + y * y + z * z;
                    if (k2 > limit * limit) continue;
                    vectors.AddRange([x, y, z]);
                    weights.Add(8 * Math.PI / _volume * Math.Exp(-k2 / (4 * _alpha * _alpha)) / k2); // k and −k
                }
        (_kVectors, _kWeights) = ([.. vectors], [.. weights]);
    }

    private double RealRange()
    {
        double r = 1;
        while (Special.Erfc(_alpha * r) > Small) r += 0.25;
        return r;
    }

    private (double[] Cos, double[] Sin) Phases(int n)
    {
        int count = _kWeights.Length;
        double[] cos = new double[n * count], sin = new double[n * count];
        for (int k = 0; k < count; k++)
            for (int i = 0; i < n; i++)
                (sin[k * n + i], cos[k * n + i]) = Math.SinCos(_kVectors[3 * k] * _positions[3 * i] + _kVectors[3 * k + 1] * _positions[3 * i + 1] + _kVectors[3 * k + 2] * _positions[3 * i + 2]);
        return (cos, sin);
    }

    private void AddReciprocal(int n)
    {
        int count = _kWeights.Length;
        var (cos, sin) = Phases(n);
        double[] scaled = new double[n * count];
        for (int part = 0; part < 2; part++)
        {
            var phase = part == 0 ? cos : sin;
            for (int k = 0; k < count; k++) for (int i = 0; i < n; i++) scaled[k * n + i] = _kWeights[k] * phase[k * n + i];
            Dense.Gemm(false, true, n, n, count, 1, scaled, phase, 1, _gamma);
        }
        double self = 2 * _alpha / Math.Sqrt(Math.PI);
        for (int i = 0; i < n * n; i++) _gamma[i] += _background;
        for (int i = 0; i < n; i++) _gamma[i * (n + 1)] -= self;
    }

    // ---- external charges ---------------------------------------------------------------------------------------------------------------

    private void AddExternal(Atoms atoms, ExternalCharges external)
    {
        if (_periodic) throw new InputException("external charges around a periodic cell: their images are not summed; take a cell without periodic directions");
        int m = external.Charges.Length;
        if (external.Positions.Length != 3 * m || (external.Widths.Length != 0 && external.Widths.Length != m))
            throw new InputException($"{m} external charges need {3 * m} coordinates and {m} widths (or none); there are {external.Positions.Length} and {external.Widths.Length}");
        for (int i = 0; i < atoms.Count; i++)
            for (int k = 0; k < m; k++)
            {
                var (value, _, r, _) = FromCharge(i, k);
                if (external.Widths.Length == 0 || external.Widths[k] == 0)
                    if (r < 0.2) throw new InputException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"external charge {k + 1} is {r * Codata.BohrInAngstrom:g2} Å from atom {atoms.Ids[i]}: inside it; blur it, or leave it out"));
                _potential[i] += value;
            }
    }

    /// <summary>Potential of external charge k at atom i, its slope, the distance and r_i − r_k, bohr.</summary>
    private (double Value, double Slope, double R, (double X, double Y, double Z) Vector) FromCharge(int i, int k)
    {
        double bohr = 1 / Codata.BohrInAngstrom;
        var e = _external!;
        double x = _positions[3 * i] - e.Positions[3 * k] * bohr, y = _positions[3 * i + 1] - e.Positions[3 * k + 1] * bohr, z = _positions[3 * i + 2] - e.Positions[3 * k + 2] * bohr;
        double r = Math.Sqrt(x * x + y * y + z * z), q = e.Charges[k], w = e.Widths.Length == 0 ? 0 : e.Widths[k] * bohr;
        if (w <= 0) return (q / r, -q / (r * r), r, (x, y, z));
        double t = r / w, small = 2 / Math.Sqrt(Math.PI) / w;
        if (t < 1e-3) return (q * small * (1 - t * t / 3), -q * small * 2 * t / (3 * w), r, (x, y, z));
        double erf = Special.Erf(t);
        return (q * erf / r, q * (small * Math.Exp(-t * t) - erf / r) / r, r, (x, y, z));
    }

    /// <summary>Energy of a surplus of electrons Δn, hartree.</summary>
    public double Energy(ReadOnlySpan<double> surplus)
    {
        int n = surplus.Length;
        double energy = 0;
        for (int i = 0; i < n; i++)
        {
            double sum = 0;
            for (int j = 0; j < n; j++) sum += _gamma[i * n + j] * surplus[j];
            energy += surplus[i] * (0.5 * sum - _potential[i]);
        }
        return energy;
    }

    /// <summary>V_i = ∂E/∂n_i = Σ_j γ_ij Δn_j − φ_i.</summary>
    public void Shift(ReadOnlySpan<double> surplus, Span<double> shift)
    {
        int n = surplus.Length;
        for (int i = 0; i < n; i++)
        {
            double sum = -_potential[i];
            for (int j = 0; j < n; j++) sum = Math.FusedMultiplyAdd(_gamma[i * n + j], surplus[j], sum);
            shift[i] = sum;
        }
    }

    /// <summary>Adds the gradient at fixed charges: ∂E/∂r of atoms and external charges (hartree/bohr), and Σ r ∂E/∂r of the cell's strain
    /// (hartree; xx, yy, zz, yz, xz, xy).</summary>
    public void AddGradient(ReadOnlySpan<double> surplus, Span<double> gradient, Span<double> strain, Span<double> external)
    {
        int n = surplus.Length;
        foreach (ref readonly var b in _near.Bonds)
        {
            double factor = surplus[b.I] * surplus[b.J] * Pair(b.I, b.J, b.Distance).Slope / b.Distance;
            Bond(b.I, b.J, factor * b.X, factor * b.Y, factor * b.Z, gradient);
            Strain(strain, factor, b.X, b.Y, b.Z);
        }
        if (_periodic) AddReciprocalGradient(surplus, gradient, strain);
        if (_external is null) return;
        for (int i = 0; i < n; i++)
            for (int k = 0; k < _external.Charges.Length; k++)
            {
                var (_, slope, r, v) = FromCharge(i, k);
                if (r == 0) continue;
                double factor = -surplus[i] * slope / r;
                ReadOnlySpan<double> g = [factor * v.X, factor * v.Y, factor * v.Z];
                for (int d = 0; d < 3; d++)
                {
                    gradient[3 * i + d] += g[d];
                    external[3 * k + d] -= g[d];
                }
            }
    }

    private static void Bond(int i, int j, double x, double y, double z, Span<double> gradient)
    {
        gradient[3 * i] -= x;
        gradient[3 * i + 1] -= y;
        gradient[3 * i + 2] -= z;
        gradient[3 * j] += x;
        gradient[3 * j + 1] += y;
        gradient[3 * j + 2] += z;
    }

    private static void Strain(Span<double> strain, double factor, double x, double y, double z)
    {
        strain[0] += factor * x * x;
        strain[1] += factor * y * y;
        strain[2] += factor * z * z;
        strain[3] += factor * y * z;
        strain[4] += factor * x * z;
        strain[5] += factor * x * y;
    }

    private void AddReciprocalGradient(ReadOnlySpan<double> surplus, Span<double> gradient, Span<double> strain)
    {
        // E = ½ Σ_k w_k |Σ_j Δn_j exp(i k·r_j)|²
        int n = surplus.Length;
        var (cos, sin) = Phases(n);
        double total = 0;
        foreach (double s in surplus) total += s;
        for (int k = 0; k < _kWeights.Length; k++)
        {
            double c = 0, s = 0, w = _kWeights[k];
            for (int i = 0; i < n; i++)
            {
                c += surplus[i] * cos[k * n + i];
                s += surplus[i] * sin[k * n + i];
            }
            double x = _kVectors[3 * k], y = _kVectors[3 * k + 1], z = _kVectors[3 * k + 2];
            for (int i = 0; i < n; i++)
            {
                double f = w * surplus[i] * (s * cos[k * n + i] - c * sin[k * n + i]);
                gradient[3 * i] += f * x;
                gradient[3 * i + 1] += f * y;
                gradient[3 * i + 2] += f * z;
            }
            // w ~ exp(−k²/4α²)/(k² V): ∂/∂ε_ab = w [2 k_a k_b (1/k² + 1/4α²) − δ_ab]
            double energy = 0.5 * w * (c * c + s * s), k2 = x * x + y * y + z * z, factor = 2 * (1 / k2 + 1 / (4 * _alpha * _alpha)) * energy;
            Strain(strain, factor, x, y, z);
            for (int d = 0; d < 3; d++) strain[d] -= energy;
        }
        // The background goes with 1/V.
        for (int d = 0; d < 3; d++) strain[d] -= 0.5 * _background * total * total;
    }
}
