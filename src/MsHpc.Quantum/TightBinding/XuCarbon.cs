using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Orthogonal sp model of carbon: C. H. Xu, C. Z. Wang, C. T. Chan and K. M. Ho, J. Phys.: Condens. Matter 4, 6047 (1992).
/// H_a(r) = H_a(r₀) s(r), E_rep = Σ_i f(Σ_j φ(r_ij)), f(x) = Σ_k c_k xᵏ; s and φ of the form of <see cref="GoodwinScaling"/>, from 2.45 and 2.57 Å
/// on by the cubics of the paper, which end at 2.6 Å.
/// </summary>
public sealed class XuCarbon : TightBindingModel
{
    private const double End = 2.6; // Å
    private static readonly double s_angstrom = 1 / Codata.BohrInAngstrom, s_ev = 1 / Codata.HartreeInEv;
    private static readonly double[] s_strength = [-5.0, 4.7, 5.5, -1.55]; // ss, sp, ppσ, ppπ, eV
    private static readonly GoodwinScaling s_bare = new(1.536329, 2, 2.18, 6.5, double.PositiveInfinity, double.PositiveInfinity);
    private static readonly GoodwinScaling s_bareCore = new(1.64, 3.30304, 2.1052, 8.6655, double.PositiveInfinity, double.PositiveInfinity);
    private static readonly double[] s_tail = [6.7392620074314e-3, -8.1885359517898e-2, 0.1932365259144, 0.354287433238];
    private static readonly double[] s_coreTail = [2.2504290109e-8, -1.4408640561e-6, 2.1043303374e-5, 6.6024390226e-5];

    /// <inheritdoc/>
    public override string Name => "Xu 1992 C";

    /// <inheritdoc/>
    public override string Source => "J. Phys.: Condens. Matter 4, 6047 (1992)";

    /// <inheritdoc/>
    public override IReadOnlyList<TightBindingElement> Elements { get; } = [new("C", 4, [0, 1], [-2.99 * s_ev, 3.71 * s_ev])];

    /// <inheritdoc/>
    public override bool IsOrthogonal => true;

    /// <inheritdoc/>
    public override double Cutoff => End * s_angstrom;

    private static (double Value, double Slope) Patched(GoodwinScaling bare, double from, double[] c, double r)
    {
        if (r >= End) return (0, 0);
        if (r < from) return bare.At(r);
        double x = r - from;
        return (c[0] + x * (c[1] + x * (c[2] + x * c[3])), c[1] + x * (2 * c[2] + 3 * x * c[3]));
    }

    /// <inheritdoc/>
    public override void TwoCentre(int first, int second, double r, in TwoCentreTable table)
    {
        var (s, d) = Patched(s_bare, 2.45, s_tail, r / s_angstrom);
        for (int k = 0; k < 4; k++) (table.H[k], table.DH[k]) = (s_strength[k] * s * s_ev, s_strength[k] * d * s_ev / s_angstrom);
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Repulsion(int first, int second, double r)
    {
        const double phi0 = 8.18555;
        double x = r / s_angstrom;
        // The cubic is that of φ itself, the bare form is scaled by φ₀.
        double scale = x < 2.57 ? phi0 : 1;
        var (s, d) = Patched(s_bareCore, 2.57, s_coreTail, x);
        return (scale * s, scale * d / s_angstrom);
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Embed(int element, double x)
    {
        const double c0 = -2.5909765118191, c1 = 0.5721151498619, c2 = -1.7896349903996e-3, c3 = 2.3539221516757e-5, c4 = -1.24251169551587e-7;
        return ((c0 + x * (c1 + x * (c2 + x * (c3 + x * c4)))) * s_ev, (c1 + x * (2 * c2 + x * (3 * c3 + x * 4 * c4))) * s_ev);
    }
}
