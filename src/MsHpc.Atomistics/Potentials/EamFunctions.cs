namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The functions of an embedded-atom model as values on equidistant knots, and the cubic splines through them: those of LAMMPS, so that the
/// same file gives the same numbers.
/// </summary>
/// <param name="Source">File or paper.</param>
/// <param name="Cutoff">Å.</param>
/// <param name="Dr">Distance of knots in r, Å, the first at r = 0.</param>
/// <param name="DRho">Distance of knots in ρ, the first at ρ = 0.</param>
/// <param name="Embedding">F of each type, eV.</param>
/// <param name="Density">f at an atom of type i due to one of type j: <c>Density[i][j]</c>.</param>
/// <param name="PairTimesR">r φ of types i, j, eV Å: <c>PairTimesR[i][j]</c>, symmetric.</param>
internal sealed record EamFunctions(string Source, double Cutoff, double Dr, double DRho, double[][] Embedding, double[][][] Density, double[][][] PairTimesR)
{
    /// <summary>
    /// Cubic Hermite spline through equidistant values: on interval k, with 0 ≤ p ≤ 1, ((s₀ p + s₁) p + s₂) p + s₃, s₀ … s₃ at [4 k …].
    /// Slopes at knots are differences of five points, (f₋₂ − f₂ + 8 (f₁ − f₋₁))/12, at the second knot from an end of three, at the ends of two. Errors: h⁴ f⁗/384
    /// and the slopes' h⁴ f⁽⁵⁾/30 in between, h² at the ends.
    /// </summary>
    /// <param name="f">Values, five at least.</param>
    public static double[] Spline(double[] f)
    {
        int n = f.Length;
        double Slope(int m) =>
            m == 0 ? f[1] - f[0]
            : m == 1 ? 0.5 * (f[2] - f[0])
            : m == n - 2 ? 0.5 * (f[n - 1] - f[n - 3])
            : m == n - 1 ? f[n - 1] - f[n - 2]
            : (f[m - 2] - f[m + 2] + 8 * (f[m + 1] - f[m - 1])) / 12;
        var s = new double[4 * (n - 1)];
        for (int m = 0; m < n - 1; m++)
        {
            double a = Slope(m), b = Slope(m + 1), d = f[m + 1] - f[m];
            (s[4 * m], s[4 * m + 1], s[4 * m + 2], s[4 * m + 3]) = (a + b - 2 * d, 3 * d - 2 * a - b, a, f[m]);
        }
        return s;
    }

    /// <summary>Values at other equidistant knots, by cubic Lagrange interpolation through the four around (inside the table) or at its ends.</summary>
    /// <param name="f">Values.</param>
    /// <param name="h">Their distance.</param>
    /// <param name="count">Knots asked for.</param>
    /// <param name="spacing">Their distance.</param>
    public static double[] Regrid(double[] f, double h, int count, double spacing)
    {
        var values = new double[count];
        for (int m = 0; m < count; m++)
        {
            double p = m * spacing / h;
            int k = Math.Max(Math.Min((int)p, f.Length - 3), 1);
            p = Math.Min(p - k, 2);
            values[m] = -p * (p - 1) * (p - 2) / 6 * f[k - 1] + 0.5 * (p * p - 1) * (p - 2) * f[k] - 0.5 * p * (p + 1) * (p - 2) * f[k + 1] + p * (p * p - 1) / 6 * f[k + 2];
        }
        return values;
    }
}
