using MsHpc.Core;

namespace MsHpc.Quantum.Scf;

/// <summary>
/// Occupations f(ε) = g/(1 + exp((ε − μ)/kT)), g electrons in a full level (2 without spin), with μ such that they sum to the number of electrons
/// (Mermin, Phys. Rev. 137, A1441 (1965)). The free energy Σ w f ε − TS, TS = −g kT Σ w [n ln n + (1 − n) ln(1 − n)], n = f/g, is what forces
/// are the gradient of.
/// </summary>
public static class FermiDirac
{
    /// <summary>Fills levels.</summary>
    /// <param name="levels">ε, any order.</param>
    /// <param name="weights">Weight of each level; times g electrons.</param>
    /// <param name="electrons">Electrons to place.</param>
    /// <param name="kT">Temperature, in the unit of the levels; at least zero. Zero fills from below, levels of one energy alike.</param>
    /// <param name="full">g.</param>
    /// <param name="occupations">f of each level, weight not included. Out.</param>
    /// <returns>μ and TS.</returns>
    /// <exception cref="InputException">More electrons than levels, or fewer than none.</exception>
    public static (double Fermi, double Entropy) Fill(ReadOnlySpan<double> levels, ReadOnlySpan<double> weights, double electrons, double kT,
        double full, Span<double> occupations)
    {
        double room = 0, low = double.MaxValue, high = double.MinValue;
        for (int k = 0; k < levels.Length; k++)
        {
            room += full * weights[k];
            low = Math.Min(low, levels[k]);
            high = Math.Max(high, levels[k]);
        }
        if (electrons < 0 || electrons > room * (1 + 1e-12))
            throw new InputException($"{electrons:g6} electrons in levels for {room:g6}: the charge does not fit the atoms");
        // Zero is a temperature so low that only levels of the same energy (to rounding) share.
        kT = Math.Max(kT, 1e-14 * Math.Max(1, Math.Max(Math.Abs(low), Math.Abs(high))));
        double below = low - 40 * kT - 1, above = high + 40 * kT + 1, fermi = 0.5 * (below + above);
        // Bisection to the last bit: the sum rises with μ, whatever the gaps.
        for (int k = 0; k < 200; k++)
        {
            fermi = 0.5 * (below + above);
            if (fermi <= below || fermi >= above) break;
            double sum = 0;
            for (int l = 0; l < levels.Length; l++) sum += weights[l] * Number(levels[l], fermi, kT);
            sum *= full;
            if (Math.Abs(sum - electrons) < 1e-15 * room) break;
            if (sum < electrons) below = fermi;
            else above = fermi;
        }
        for (int l = 0; l < levels.Length; l++) occupations[l] = full * Number(levels[l], fermi, kT);
        return (fermi, Entropy(occupations, weights, kT, full));
    }

    /// <summary>TS of occupations.</summary>
    /// <param name="occupations">f of each level.</param>
    /// <param name="weights">Weight of each level.</param>
    /// <param name="kT">Temperature; TS has its unit.</param>
    /// <param name="full">g.</param>
    public static double Entropy(ReadOnlySpan<double> occupations, ReadOnlySpan<double> weights, double kT, double full)
    {
        double entropy = 0;
        for (int l = 0; l < occupations.Length; l++)
        {
            double n = occupations[l] / full;
            if (n > 0 && n < 1) entropy -= weights[l] * (n * Math.Log(n) + (1 - n) * Math.Log(1 - n));
        }
        return full * kT * entropy;
    }

    private static double Number(double level, double fermi, double kT)
    {
        double x = (level - fermi) / kT;
        return x > 0 ? Math.Exp(-x) / (1 + Math.Exp(-x)) : 1 / (1 + Math.Exp(x));
    }
}
