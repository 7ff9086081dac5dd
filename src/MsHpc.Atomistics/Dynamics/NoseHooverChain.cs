namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// A chain of M thermostats on N_f degrees of freedom (G. J. Martyna, M. E. Tuckerman, D. J. Tobias, M. L. Klein, Mol. Phys. 87, 1117, 1996, eqs 29–35):
/// <code>
/// η̇ₖ = vₖ,  Q₁ v̇₁ = 2 E_kin − N_f kT − Q₁ v₁ v₂,  Qₖ v̇ₖ = Qₖ₋₁ vₖ₋₁² − kT − Qₖ vₖ vₖ₊₁
/// Q₁ = N_f kT τ²,  Qₖ = kT τ²;   energy Σ ½ Qₖ vₖ² + N_f kT η₁ + kT Σₖ₌₂ ηₖ
/// </code>
/// Half a step is split by Suzuki and Yoshida's fourth-order weights. eV, fs.
/// </summary>
/// <param name="state">Array with the variables: M η, then M v.</param>
/// <param name="at">Where they start in it.</param>
/// <param name="length">M.</param>
internal sealed class NoseHooverChain(double[] state, int at, int length)
{
    /// <summary>w = 1/(2 − 2^⅓), 1 − 2w, w: sums to one.</summary>
    private static readonly double[] s_weights = [1 / (2 - Math.Cbrt(2)), 1 - 2 / (2 - Math.Cbrt(2)), 1 / (2 - Math.Cbrt(2))];

    private Span<double> Eta => state.AsSpan(at, length);

    private Span<double> V => state.AsSpan(at + length, length);

    private static double Q(int k, double freedom, double kT, double tau) => (k == 0 ? freedom : 1) * kT * tau * tau;

    /// <summary>Advances the chain by half of <paramref name="dt"/>.</summary>
    /// <param name="twice">2 E_kin at the start, eV.</param>
    /// <param name="freedom">N_f.</param>
    /// <param name="kT">eV.</param>
    /// <param name="tau">τ, fs.</param>
    /// <param name="dt">fs.</param>
    /// <returns>Factor of the velocities.</returns>
    public double Half(double twice, double freedom, double kT, double tau, double dt)
    {
        Span<double> eta = Eta, v = V;
        double scale = 1;
        foreach (double weight in s_weights)
        {
            double d = weight * dt;
            for (int k = length - 1; k >= 0; k--) Kick(k);
            scale *= Math.Exp(-0.5 * d * V[0]);
            for (int k = 0; k < length; k++) eta[k] += 0.5 * d * v[k];
            for (int k = 0; k < length; k++) Kick(k);

            void Kick(int k)
            {
                var u = V;
                double drag = k + 1 < length ? Math.Exp(-0.125 * d * u[k + 1]) : 1;
                double force = k == 0 ? twice * scale * scale - freedom * kT : Q(k - 1, freedom, kT, tau) * u[k - 1] * u[k - 1] - kT;
                u[k] = (u[k] * drag + 0.25 * d * force / Q(k, freedom, kT, tau)) * drag;
            }
        }
        return scale;
    }

    /// <summary>Energy of the chain, eV.</summary>
    public double Energy(double freedom, double kT, double tau)
    {
        double sum = 0;
        for (int k = 0; k < length; k++) sum += 0.5 * Q(k, freedom, kT, tau) * V[k] * V[k] + (k == 0 ? freedom : 1) * kT * Eta[k];
        return sum;
    }
}
