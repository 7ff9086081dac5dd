using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Non-orthogonal sp model of silicon without a pair term (NRL-TB): N. Bernstein, M. J. Mehl, D. A. Papaconstantopoulos, N. I. Papanicolaou,
/// M. Z. Bazant and E. Kaxiras, Phys. Rev. B 62, 4477 (2000); parameters as published with the method at NRL.
/// <code>
/// h_l = a_l + b_l ρ^(2/3) + c_l ρ^(4/3) + d_l ρ²,   ρ_i = Σ_j exp(−λ² r) F(r)
/// H(r) = (e + f r + g r²) exp(−h² r) F(r),   S(r) = (δ + p r + q r² + t r³) exp(−u² r) F(r),   δ = 1 for ss, ppσ, ppπ: S → δ as r → 0
/// F(r) = 1/(1 + exp((r − R_c)/ℓ + 5)) · C(r),   C = 1 for r &lt; R_c − ℓ, then ½ + ½ cos(π (r − R_c + ℓ)/ℓ), 0 beyond R_c
/// </code>
/// Rydberg and bohr. The factor C is not in the paper: without it F ends at R_c with 0.7 %. It is the one of QUIP.
/// </summary>
public sealed class NrlSilicon : TightBindingModel
{
    private const double Rc = 12.5, Screen = 0.5, LambdaSquared = 1.2178584715159753, Rydberg = 0.5;

    // a, b, c, d of s and p
    private static readonly double[][] s_onSite =
    [
        [-0.0532334619024, -0.907642743186, -8.83084913674, 56.5661321469],
        [0.357859715265, 0.303647693101, 7.0922290356, -77.47855083990],
    ];

    // e, f, g, h² and, for the overlap, p, q, t, u²: ss, sp, ppσ, ppπ
    private static readonly double[][] s_h =
    [
        [219.56081365100, -16.2132459618, -15.5048968097, 1.5987058429226642],
        [10.1276876206, -4.40368112396, 0.226676783368, 0.851323509869076],
        [-22.9590281075, 1.72077077405, 1.41913077132, 1.0637223547809533],
        [10.2654492628, 4.6718241428, -2.21615627209, 1.2350950098834053],
    ];

    private static readonly double[][] s_s =
    [
        [5.15758718641, 0.660009307776, -0.0815441307353, 1.2279842062847821],
        [8.87364666488, -16.2407704748, 5.18229690495, 1.5392183365105399],
        [11.2504890092, -1.17013229289, -1.0591485021, 1.2941988550186143],
        [-692.184231145, 396.153248956, -13.817210627, 2.4727109467970014],
    ];

    /// <inheritdoc/>
    public override string Name => "NRL-TB Si";

    /// <inheritdoc/>
    public override string Source => "Phys. Rev. B 62, 4477 (2000)";

    /// <inheritdoc/>
    public override IReadOnlyList<TightBindingElement> Elements { get; } = [new("Si", 4, [0, 1], [0, 0])];

    /// <inheritdoc/>
    public override bool IsOrthogonal => false;

    /// <inheritdoc/>
    public override double Cutoff => Rc;

    /// <inheritdoc/>
    public override bool HasEnvironment => true;

    private static (double Value, double Slope) Screening(double r)
    {
        if (r >= Rc) return (0, 0);
        double f = 1 / (1 + Math.Exp((r - Rc) / Screen + 5)), d = -f * (1 - f) / Screen;
        if (r < Rc - Screen) return (f, d);
        var (sin, cos) = double.SinCosPi((r - Rc + Screen) / Screen);
        double c = 0.5 + 0.5 * cos, dc = -0.5 * Math.PI / Screen * sin;
        return (f * c, d * c + f * dc);
    }

    private static (double Value, double Slope) Fall(double c0, double c1, double c2, double c3, double decay, double r, double f, double df)
    {
        double polynomial = c0 + r * (c1 + r * (c2 + r * c3)), slope = c1 + r * (2 * c2 + r * 3 * c3), e = Math.Exp(-decay * r);
        return (polynomial * e * f, e * (slope * f - decay * polynomial * f + polynomial * df));
    }

    /// <inheritdoc/>
    public override void TwoCentre(int first, int second, double r, in TwoCentreTable table)
    {
        var (f, df) = Screening(r);
        if (f == 0) return;
        for (int k = 0; k < 4; k++)
        {
            var (h, dh) = Fall(s_h[k][0], s_h[k][1], s_h[k][2], 0, s_h[k][3], r, f, df);
            (table.H[k], table.DH[k]) = (Rydberg * h, Rydberg * dh);
            (table.S[k], table.DS[k]) = Fall(k == Channel.SpSigma ? 0 : 1, s_s[k][0], s_s[k][1], s_s[k][2], s_s[k][3], r, f, df);
        }
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Density(int atom, int neighbor, double r)
    {
        var (f, df) = Screening(r);
        return f == 0 ? (0, 0) : Fall(1, 0, 0, 0, LambdaSquared, r, f, df);
    }

    /// <inheritdoc/>
    public override void OnSite(int element, double density, Span<double> energy, Span<double> slope)
    {
        double third = Math.Cbrt(density), two = third * third;
        for (int l = 0; l < 2; l++)
        {
            var c = s_onSite[l];
            energy[l] = Rydberg * (c[0] + two * (c[1] + two * (c[2] + two * c[3])));
            // d/dρ of powers 2/3, 4/3 and 2; an atom alone has ρ = 0, and no neighbour that its slope could act on
            slope[l] = density > 0 ? Rydberg * (2 / 3.0 * c[1] / third + 4 / 3.0 * c[2] * third + 2 * c[3] * density) : 0;
        }
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Repulsion(int first, int second, double r) => (0, 0);
}
