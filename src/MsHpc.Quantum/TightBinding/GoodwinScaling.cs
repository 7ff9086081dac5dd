namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// How integrals fall off with distance: s(r) = (r₀/r)ⁿ exp(n [(r₀/r_c)^n_c − (r/r_c)^n_c]), so that s(r₀) = 1 (Goodwin, Skinner and Pettifor,
/// Europhys. Lett. 9, 701 (1989)); from <paramref name="tail"/> on by the cubic that goes on smoothly and ends at <paramref name="end"/> with
/// value and slope zero. Distances in Å, as the sets are published.
/// </summary>
/// <param name="r0">r₀.</param>
/// <param name="n">n.</param>
/// <param name="rc">r_c.</param>
/// <param name="nc">n_c.</param>
/// <param name="tail">Where the cubic begins.</param>
/// <param name="end">Where it ends.</param>
internal sealed class GoodwinScaling(double r0, double n, double rc, double nc, double tail, double end)
{
    /// <summary>s and ds/dr, 1/Å.</summary>
    public (double Value, double Slope) At(double r)
    {
        if (r >= end) return (0, 0);
        if (r <= tail) return Bare(r);
        // Hermite: f(t) = f₀ (1 + 2t)(1 − t)² + h f₀′ t (1 − t)², t = (r − tail)/h
        var (f0, d0) = Bare(tail);
        double h = end - tail, t = (r - tail) / h, u = 1 - t;
        return (f0 * (1 + 2 * t) * u * u + h * d0 * t * u * u, -6 * f0 * t * u / h + d0 * u * (1 - 3 * t));
    }

    private (double Value, double Slope) Bare(double r)
    {
        double power = Math.Pow(r / rc, nc);
        double value = Math.Exp(n * (Math.Log(r0 / r) + Math.Pow(r0 / rc, nc) - power));
        return (value, -n * value / r * (1 + nc * power));
    }
}
