using MsHpc.Atomistics;
using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>The third order of charges on atoms (DFTB3), beyond that of <see cref="TightBindingOptions.SelfConsistent"/>.</summary>
/// <param name="HubbardDerivatives">∂U/∂n of each element, n its electrons, hartree/e: published with the parameter set.</param>
/// <param name="OnSiteOnly">Only Γ_ii, the form before full DFTB3; otherwise all pairs.</param>
public sealed record ThirdOrder(IReadOnlyDictionary<string, double> HubbardDerivatives, bool OnSiteOnly = false);

/// <summary>
/// How charges on atoms interact in self-consistent tight binding, Δn being the surplus of electrons:
/// E = ½ Σ_ij γ_ij Δn_i Δn_j + ⅓ Σ_ij Γ_ij Δn_i² Δn_j. DFTB2 is the first sum: Elstner et al., Phys. Rev. B 58, 7260 (1998). DFTB3 are both:
/// Gaus, Cui and Elstner, J. Chem. Theory Comput. 7, 931 (2011).
/// </summary>
/// <remarks>
/// <code>
/// γ_ij(R) = 1/R − h S(τ_i, τ_j, R),  γ_ii = U_i,  τ = 16 U/5 (γ(R → 0) of two equal spheres is 5 τ/16)
/// h = exp(−(½ (U_i + U_j))^ζ R²) if i or j is hydrogen and ζ is given, else 1
/// Γ_ij = ∂γ_ij/∂U_i · ∂U_i/∂n_i,  Γ_ii = ½ ∂U_i/∂n_i
/// </code>
/// The third order is ⅙ Σ_ijk ∂γ_ij/∂n_k Δn_i Δn_j Δn_k, taken where the atoms are neutral. γ_ij depends on n_i and n_j alone, through U: k = i and k = j
/// give the same sum, ⅙ Σ_ij Γ_ij Δn_i² Δn_j each; for i = j there is one, hence the ½ of Γ_ii.
/// Then ∂E/∂n_i = Σ_j γ_ij Δn_j + ⅓ (2 Δn_i Σ_j Γ_ij Δn_j + Σ_j Γ_ji Δn_j²). Periodic cells: Ewald's sum of 1/R, the rest directly; a cell with a net charge
/// has a uniform background, the average potential being zero.
/// </remarks>
internal sealed class ChargeInteraction
{
    private const double Small = 1e-14; // what is left out of S, relative to 1/R

    private readonly BondList _near = new();
    private double[] _hubbard = [], _derivative = [], _gamma = [], _cubic = [], _positions = [];
    private bool[] _damped = [];
    private double _zeta;
    private bool _pairs;
    private Ewald? _ewald;

    /// <summary>γ, row by row, hartree.</summary>
    public double[] Gamma => _gamma;

    /// <summary>Sets up the matrices.</summary>
    /// <param name="atoms">Atoms; their cell periodic in all directions or in none.</param>
    /// <param name="ewald">For a periodic cell.</param>
    /// <param name="hubbard">U of each atom, hartree.</param>
    /// <param name="derivative">∂U/∂n of each atom; empty: second order.</param>
    /// <param name="onSiteOnly">Γ between atoms is zero.</param>
    /// <param name="hydrogen">Atoms whose pairs are damped; empty: none.</param>
    /// <param name="zeta">ζ.</param>
    public void Build(Atoms atoms, Ewald? ewald, double[] hubbard, double[] derivative, bool onSiteOnly, bool[] hydrogen, double zeta)
    {
        int n = atoms.Count;
        double bohr = 1 / Codata.BohrInAngstrom;
        (_hubbard, _derivative, _damped, _zeta, _ewald) = (hubbard, derivative, hydrogen, zeta, ewald);
        _pairs = derivative.Length > 0 && !onSiteOnly;
        _positions = [.. atoms.Positions.Select(x => x * bohr)];
        if (_gamma.Length != n * n) _gamma = new double[n * n];
        if (_cubic.Length != (_pairs ? n * n : 0)) _cubic = new double[_pairs ? n * n : 0];
        _gamma.AsSpan().Clear();
        _cubic.AsSpan().Clear();
        for (int i = 0; i < n; i++)
        {
            _gamma[i * (n + 1)] = hubbard[i];
            if (_pairs) _cubic[i * (n + 1)] = 0.5 * derivative[i];
        }
        double range = 1e9;
        if (ewald is not null)
        {
            // S of the softest pair falls to Small within this distance, and so does ∂S/∂a, which is R times as large.
            double tau = 3.2 * hubbard.Min();
            range = 1;
            while (Math.Exp(-tau * range) * Math.Pow(1 + tau * range, _pairs ? 3 : 2) > Small) range += 0.5;
            range = Math.Max(range, ewald.Range);
        }
        _near.Build(atoms, range, 1e-3);
        foreach (ref readonly var b in _near.Bonds)
        {
            var pair = Between(b.I, b.J, b.Distance);
            _gamma[b.I * n + b.J] += pair.Value;
            _gamma[b.J * n + b.I] += pair.Value; // for I = J the image on the other side
            if (!_pairs) continue;
            _cubic[b.I * n + b.J] += pair.First * derivative[b.I];
            _cubic[b.J * n + b.I] += pair.Second * derivative[b.J];
        }
        ewald?.AddMatrix(_positions, _gamma);
    }

    /// <summary>γ(R) without images, or its part that is summed in space; its derivatives by R, by U of both atoms, and by R of these.</summary>
    private ChargedSpheres Between(int i, int j, double r)
    {
        double value = 1 / r, slope = -1 / (r * r);
        if (_ewald is { } ewald)
        {
            double x = ewald.Alpha * r;
            value = r > ewald.Range ? 0 : Special.Erfc(x) / r;
            slope = r > ewald.Range ? 0 : -(value + 2 * ewald.Alpha / Math.Sqrt(Math.PI) * Math.Exp(-x * x)) / r;
        }
        double u = 0.5 * (_hubbard[i] + _hubbard[j]);
        var s = ChargedSpheres.Of(3.2 * _hubbard[i], 3.2 * _hubbard[j], r);
        bool damped = _damped.Length > 0 && (_damped[i] || _damped[j]);
        double g = damped ? Math.Pow(u, _zeta) : 0, h = Math.Exp(-g * r * r), dh = -2 * g * r * h; // h and its derivatives by R, by U, by both
        double by = damped ? -0.5 * _zeta * g / u * r * r * h : 0, dby = damped ? -0.5 * _zeta * g / u * r * (2 * h + r * dh) : 0;
        return new(value - h * s.Value, slope - h * s.Slope - dh * s.Value, -3.2 * h * s.First - by * s.Value, -3.2 * h * s.Second - by * s.Value,
            -3.2 * (h * s.FirstSlope + dh * s.First) - by * s.Slope - dby * s.Value, -3.2 * (h * s.SecondSlope + dh * s.Second) - by * s.Slope - dby * s.Value);
    }

    /// <summary>E of a surplus of electrons Δn, hartree, and ∂E/∂n.</summary>
    public double Energy(ReadOnlySpan<double> surplus, Span<double> shift)
    {
        int n = surplus.Length;
        double energy = 0;
        for (int i = 0; i < n; i++)
        {
            double sum = 0;
            for (int j = 0; j < n; j++) sum = Math.FusedMultiplyAdd(_gamma[i * n + j], surplus[j], sum);
            energy += 0.5 * sum * surplus[i];
            shift[i] = sum;
        }
        for (int i = 0; i < n && _pairs; i++)
        {
            double sum = 0, square = surplus[i] * surplus[i] / 3;
            for (int j = 0; j < n; j++)
            {
                sum = Math.FusedMultiplyAdd(_cubic[i * n + j], surplus[j], sum);
                shift[j] += _cubic[i * n + j] * square;
            }
            energy += square * sum;
            shift[i] += 2 / 3.0 * surplus[i] * sum;
        }
        for (int i = 0; i < n && !_pairs && _derivative.Length > 0; i++)
        {
            double slope = 0.5 * _derivative[i] * surplus[i] * surplus[i];
            energy += slope * surplus[i] / 3;
            shift[i] += slope;
        }
        return energy;
    }

    /// <summary>Adds the gradient at fixed charges: ∂E/∂r of the atoms (hartree/bohr), and Σ r ∂E/∂r of the cell's strain
    /// (hartree; xx, yy, zz, yz, xz, xy).</summary>
    public void AddGradient(ReadOnlySpan<double> surplus, Span<double> gradient, Span<double> strain)
    {
        foreach (ref readonly var b in _near.Bonds)
        {
            var pair = Between(b.I, b.J, b.Distance);
            double ni = surplus[b.I], nj = surplus[b.J], slope = pair.Slope;
            if (_pairs) slope += (ni * _derivative[b.I] * pair.FirstSlope + nj * _derivative[b.J] * pair.SecondSlope) / 3;
            double factor = ni * nj * slope / b.Distance;
            ReadOnlySpan<double> g = [factor * b.X, factor * b.Y, factor * b.Z];
            for (int d = 0; d < 3; d++)
            {
                gradient[3 * b.I + d] -= g[d];
                gradient[3 * b.J + d] += g[d];
            }
            Ewald.AddStrain(strain, factor, b.X, b.Y, b.Z);
        }
        if (_ewald is not { } ewald) return;
        ewald.AddGradient(0.5, _positions, surplus, gradient, _positions, surplus, gradient, strain);
        double total = 0;
        foreach (double s in surplus) total += s;
        for (int d = 0; d < 3; d++) strain[d] -= 0.5 * ewald.Background * total * total; // goes with 1/V
    }
}
