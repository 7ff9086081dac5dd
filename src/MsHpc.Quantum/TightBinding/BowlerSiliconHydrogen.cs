using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Orthogonal sp model of silicon and hydrogen: D. R. Bowler, M. Fearn, C. M. Goringe, A. P. Horsfield and D. G. Pettifor, J. Phys.: Condens.
/// Matter 10, 3719 (1998). H(r) = H(r₀) s(r), φ(r) = φ(r₀) s(r) with <see cref="GoodwinScaling"/>, tails from 2.8 to 3.2 Å. Two hydrogens do
/// not interact.
/// </summary>
public sealed class BowlerSiliconHydrogen : TightBindingModel
{
    private const double Tail = 2.8, End = 3.2; // Å
    private static readonly double s_angstrom = 1 / Codata.BohrInAngstrom, s_ev = 1 / Codata.HartreeInEv;
    private static readonly GoodwinScaling s_silicon = new(2.35, 1.9771, 3.8661, 6.8702, Tail, End);
    private static readonly GoodwinScaling s_siliconCore = new(2.35, 4.7104, 3.8521, 7.0531, Tail, End);
    private static readonly GoodwinScaling s_hydrogen = new(1.474, 2.6752, 3.4, 20, Tail, End);
    private static readonly GoodwinScaling s_hydrogenCore = new(1.474, 4.2302, 3.4, 20, Tail, End);

    /// <inheritdoc/>
    public override string Name => "Bowler 1998 Si-H";

    /// <inheritdoc/>
    public override string Source => "J. Phys.: Condens. Matter 10, 3719 (1998)";

    /// <inheritdoc/>
    public override IReadOnlyList<TightBindingElement> Elements { get; } =
        [new("Si", 4, [0, 1], [-12.2 * s_ev, -5.75 * s_ev]), new("H", 1, [0], [-8.4 * s_ev])];

    /// <inheritdoc/>
    public override bool IsOrthogonal => true;

    /// <inheritdoc/>
    public override double Cutoff => End * s_angstrom;

    /// <inheritdoc/>
    public override void TwoCentre(int first, int second, double r, in TwoCentreTable table)
    {
        if (first == 1 && second == 1) return;
        bool silicon = first == 0 && second == 0;
        var (s, d) = (silicon ? s_silicon : s_hydrogen).At(r / s_angstrom);
        (s, d) = (s * s_ev, d * s_ev / s_angstrom);
        void Set(in TwoCentreTable t, int channel, double strength) => (t.H[channel], t.DH[channel]) = (strength * s, strength * d);
        Set(table, Channel.SsSigma, silicon ? -1.938 : -3.834);
        if (second == 0) Set(table, Channel.SpSigma, silicon ? 1.745 : 4.734);
        if (!silicon) return;
        Set(table, Channel.PpSigma, 3.05);
        Set(table, Channel.PpPi, -1.075);
    }

    /// <inheritdoc/>
    public override (double Value, double Slope) Repulsion(int first, int second, double r)
    {
        if (first == 1 && second == 1) return (0, 0);
        bool silicon = first == 0 && second == 0;
        double strength = (silicon ? 3.44566 : 7.4399) * s_ev;
        var (s, d) = (silicon ? s_siliconCore : s_hydrogenCore).At(r / s_angstrom);
        return (strength * s, strength * d / s_angstrom);
    }
}
