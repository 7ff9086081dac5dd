using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Takes the pairs of <see cref="Topology.Scaled"/> out of a reciprocal sum, which contains every pair fully:
/// <code>
/// E = −C Σ qᵢ qⱼ erf(α r)/r,   F = C qᵢ qⱼ [2α/√π exp(−α² r²)/r − erf(α r)/r²] r̂
/// </code>
/// The lists of the real sum must not hold these pairs; what a scaled pair keeps of its Coulomb energy is the bonded terms' to add.
/// </summary>
internal sealed unsafe class EwaldExclusions(EwaldSplit split, Topology topology) : Interaction
{
    private readonly AlignedArray<int> _pairs = new();
    private readonly double[] _series = split.ErfSeries(0);
    private int _count;

    public override string Description => "Ewald sum without excluded pairs";

    public override double Cutoff => split.Cutoff;

    public override void Prepare(Domain domain)
    {
        int* pairs = _pairs.Require(2L * topology.Scaled.Count);
        _count = 0;
        foreach (var (i, j, _, _) in topology.Scaled)
        {
            var (a, b) = ImagePair.Find(domain, i, j);
            if (a < 0) continue;
            (pairs[2 * _count], pairs[2 * _count + 1]) = (a, b);
            _count++;
        }
    }

    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        double* x = domain.X, f = domain.F, charge = domain.Charge;
        int* pairs = _pairs.Pointer;
        double scale = 2 / (split.Cutoff * split.Cutoff), energy = 0, strength = split.Constant * split.Alpha;
        for (int p = 0; p < _count; p++)
        {
            int i = pairs[2 * p], j = pairs[2 * p + 1], a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
            double dx = x[a] - x[b], dy = x[a + 8] - x[b + 8], dz = x[a + 16] - x[b + 16], u = (dx * dx + dy * dy + dz * dz) * scale - 1;
            double g = 0, slope = 0;
            if (u <= 1)
                for (int k = _series.Length - 1; k >= 0; k--)
                {
                    slope = Math.FusedMultiplyAdd(slope, u, g);
                    g = Math.FusedMultiplyAdd(g, u, _series[k]);
                }
            else
            {
                // An excluded pair may be longer than the cutoff, where the series ends: g = erf(√t)/√t, g′ = (exp(−t)/√π − g/2)/t.
                double perU = split.Alpha * split.Alpha / scale, t = perU * (u + 1);
                g = EwaldSplit.Smooth(t);
                slope = (Math.Exp(-t) / Math.Sqrt(Math.PI) - 0.5 * g) / t * perU;
            }
            double qq = strength * charge[i] * charge[j], e = -qq * g, s = 2 * qq * slope * scale;
            energy += e;
            f[a] += s * dx;
            f[a + 8] += s * dy;
            f[a + 16] += s * dz;
            f[b] -= s * dx;
            f[b + 8] -= s * dy;
            f[b + 16] -= s * dz;
            if ((want & Want.PerAtom) == 0) continue;
            Span<double> w = [s * dx * dx, s * dy * dy, s * dz * dz, s * dy * dz, s * dx * dz, s * dx * dy];
            domain.AtomEnergy[i] += 0.5 * e;
            domain.AtomEnergy[j] += 0.5 * e;
            for (int k = 0; k < 6; k++)
            {
                domain.AtomVirial[6 * i + k] += 0.5 * w[k];
                domain.AtomVirial[6 * j + k] += 0.5 * w[k];
            }
        }
        tally.Energy += energy;
    }
}
