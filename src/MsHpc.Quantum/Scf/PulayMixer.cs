using MsHpc.Core;

namespace MsHpc.Quantum.Scf;

/// <summary>
/// Next input of a self-consistent cycle from the last ones: x = Σ_k c_k (x_k + β F_k), F_k = output − input, with the c_k, Σ c_k = 1, that make
/// |Σ c_k F_k| least (Pulay, Chem. Phys. Lett. 73, 393 (1980); Anderson, J. ACM 12, 547 (1965)).
/// </summary>
/// <param name="beta">β, the part of the residual that is taken.</param>
/// <param name="depth">Pairs that are remembered.</param>
internal sealed class PulayMixer(double beta = 0.3, int depth = 8)
{
    private readonly List<(double[] X, double[] F)> _past = [];

    /// <summary>Forgets.</summary>
    public void Reset() => _past.Clear();

    /// <summary>The next input.</summary>
    /// <param name="x">In: the last input. Out: the next.</param>
    /// <param name="output">What came out of it.</param>
    public void Next(Span<double> x, ReadOnlySpan<double> output)
    {
        int n = x.Length;
        if (_past.Count > 0 && _past[0].X.Length != n) _past.Clear();
        if (_past.Count == depth) _past.RemoveAt(0);
        var f = new double[n];
        for (int i = 0; i < n; i++) f[i] = output[i] - x[i];
        _past.Add((x.ToArray(), f));

        // Differences from the newest pair: min |F − Σ g_k (F − F_k)|, normal equations. They are scaled to unit diagonal and lifted by 1e-14, so that
        // residuals that repeat each other are not divided by nothing.
        int m = _past.Count - 1;
        var g = new double[m];
        if (m > 0)
        {
            double[] a = new double[m * m], scale = new double[m];
            for (int k = 0; k < m; k++) scale[k] = 1 / Math.Sqrt(Math.Max(Product(f, _past[k].F, _past[k].F), double.Epsilon * 1e20));
            for (int k = 0; k < m; k++)
            {
                for (int l = 0; l < m; l++) a[k * m + l] = Product(f, _past[k].F, _past[l].F) * scale[k] * scale[l] + (k == l ? 1e-14 : 0);
                double right = 0;
                for (int i = 0; i < n; i++) right += (f[i] - _past[k].F[i]) * f[i];
                g[k] = right * scale[k];
            }
            if (SmallMatrix.Solve(m, a, g)) for (int k = 0; k < m; k++) g[k] *= scale[k];
            else g.AsSpan().Clear();
        }
        for (int i = 0; i < n; i++)
        {
            double next = x[i] + beta * f[i];
            for (int k = 0; k < m; k++) next -= g[k] * (x[i] - _past[k].X[i] + beta * (f[i] - _past[k].F[i]));
            x[i] = next;
        }
    }

    private static double Product(double[] f, double[] a, double[] b)
    {
        double sum = 0;
        for (int i = 0; i < f.Length; i++) sum += (f[i] - a[i]) * (f[i] - b[i]);
        return sum;
    }
}
