using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Orthogonal sp model of silicon: I. Kwon, R. Biswas, C. Z. Wang, K. M. Ho and C. M. Soukoulis, Phys. Rev. B 49, 7242 (1994).
/// H_a(r) = H_a(r₀) s_a(r), E_rep = Σ_i [E₀ + F(Σ_j φ(r_ij))], F(x) = Σ_k C_k xᵏ. The tails are cubics from 3.70 to 4.16 Å: the paper patches a
/// spline of its own there.
/// </summary>
public sealed class KwonSilicon : TightBindingModel
{
    private const double R0 = 2.360352, Tail = 3.7, End = 4.16; // Å
    private static readonly double s_angstrom = 1 / Codata.BohrInAngstrom, s_ev = 1 / Codata.HartreeInEv;
    private static readonly double[] s_strength = [-2.038, 1.745, 2.75, -1.075]; // ss, sp, ppσ, ppπ, eV
    private static readonly GoodwinScaling[] s_scaling =
        [new(R0, 2, 3.4, 9.5, Tail, End), new(R0, 2, 3.55, 8.5, Tail, End), new(R0, 2, 3.7, 7.5, Tail, End), new(R0, 2, 3.7, 7.5, Tail, End)];
    private static readonly GoodwinScaling s_core = new(R0, 6.8755, 3.66995, 13.017, Tail, End);

    /// <inheritdoc/>
    public override string Name => "Kwon 1994 Si";

    /// <inheritdoc/>
    public override string Source => "Phys. Rev. B 49, 7242 (1994)";

    /// <inheritdoc/>
    public override IReadOnlyList<TightBindingElement> Elements { get; } = [new("Si", 4, [0, 1], [-5.25 * s_ev, 1.2 * s_ev])];

    /// <inheritdoc/>
    public override bool IsOrthogonal => true;

    /// <inheritdoc/>
    public override double Cutoff => End * s_angstrom;

    /// <inheritdoc/>
    public override void TwoCentre(int first, int second, double r, in TwoCentreTable table)
    {
        for (int k = 0; k < 4; k++) // the first four channels are ss, sp, ppσ, ppπ
        {
            var (s, d) = s_scaling[k].At(r / s_angstrom);
            (table.H[k], table.DH[k]) = (s_strength[k] * s * s_ev, s_strength[k] * d * s_ev / s_angstrom);
        }
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Repulsion(int first, int second, double r)
    {
        var (s, d) = s_core.At(r / s_angstrom);
        return (s, d / s_angstrom);
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Embed(int element, double x)
    {
        const double c1 = 2.1604385, c2 = -0.1384393, c3 = 5.8398423e-3, c4 = -8.0263577e-5, e0 = 8.7393204;
        return ((e0 + x * (c1 + x * (c2 + x * (c3 + x * c4)))) * s_ev, (c1 + x * (2 * c2 + x * (3 * c3 + x * 4 * c4))) * s_ev);
    }
}
