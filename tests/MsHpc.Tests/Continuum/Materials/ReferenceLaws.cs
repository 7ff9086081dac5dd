namespace MsHpc.Tests.Continuum.Materials;

/// <summary>
/// The laws once more, one point at a time, with plain 3 × 3 tensors and four nested loops: slow, readable, and written from the formulas, not
/// from the kernels. Each object is one material point and remembers its history.
/// </summary>
internal abstract class ReferenceLaw
{
    /// <summary>Stress (σ, or P) and tangent ∂stress_ij/∂strain_kl for the full tensor strain (ε with tensor shears, or F).</summary>
    public abstract (double[,] Stress, double[,,,] Tangent) Step(double[,] strain, double timeStep);

    public static double D(int i, int j) => i == j ? 1 : 0;

    public static double[,,,] Fill(Func<int, int, int, int, double> c)
    {
        var t = new double[3, 3, 3, 3];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 3; k++)
                    for (int l = 0; l < 3; l++) t[i, j, k, l] = c(i, j, k, l);
        return t;
    }

    public static double[,] Fill(Func<int, int, double> s)
    {
        var t = new double[3, 3];
        for (int i = 0; i < 3; i++) for (int j = 0; j < 3; j++) t[i, j] = s(i, j);
        return t;
    }

    public static double Trace(double[,] a) => a[0, 0] + a[1, 1] + a[2, 2];

    public static double Norm(double[,] a)
    {
        double s = 0;
        foreach (double x in a) s += x * x;
        return Math.Sqrt(s);
    }

    public static double[,] Deviator(double[,] a) => Fill((i, j) => a[i, j] - Trace(a) / 3 * D(i, j));

    public static double Symmetric(int i, int j, int k, int l) => (D(i, k) * D(j, l) + D(i, l) * D(j, k)) / 2;

    public static double[,,,] Isotropic(double kappa, double mu)
        => Fill((i, j, k, l) => kappa * D(i, j) * D(k, l) + 2 * mu * (Symmetric(i, j, k, l) - D(i, j) * D(k, l) / 3));

    public static double[,] Contract(double[,,,] c, double[,] e) => Fill((i, j) =>
    {
        double s = 0;
        for (int k = 0; k < 3; k++) for (int l = 0; l < 3; l++) s += c[i, j, k, l] * e[k, l];
        return s;
    });

    public static double Determinant(double[,] f) => f[0, 0] * (f[1, 1] * f[2, 2] - f[1, 2] * f[2, 1])
        - f[0, 1] * (f[1, 0] * f[2, 2] - f[1, 2] * f[2, 0]) + f[0, 2] * (f[1, 0] * f[2, 1] - f[1, 1] * f[2, 0]);

    public static double[,] Inverse(double[,] f)
    {
        double d = Determinant(f);
        return Fill((i, j) =>
        {
            int a = (j + 1) % 3, b = (j + 2) % 3, c = (i + 1) % 3, e = (i + 2) % 3;
            return (f[a, c] * f[b, e] - f[a, e] * f[b, c]) / d;
        });
    }
}

internal sealed class ReferenceLinear(double[,,,] c) : ReferenceLaw
{
    public override (double[,], double[,,,]) Step(double[,] e, double dt) => (Contract(c, e), c);

    /// <summary>Four-index rotation of a Voigt stiffness.</summary>
    public static double[,,,] FromVoigt(Func<int, int, double> voigt, double[,]? r = null)
    {
        int[,] index = { { 0, 5, 4 }, { 5, 1, 3 }, { 4, 3, 2 } };
        var c = Fill((i, j, k, l) => voigt(index[i, j], index[k, l]));
        if (r is null) return c;
        return Fill((i, j, k, l) =>
        {
            double s = 0;
            for (int p = 0; p < 3; p++) for (int q = 0; q < 3; q++) for (int m = 0; m < 3; m++) for (int n = 0; n < 3; n++)
                            s += r[i, p] * r[j, q] * r[k, m] * r[l, n] * c[p, q, m, n];
            return s;
        });
    }
}

/// <summary>Simo and Hughes (1998), Box 3.1 and 3.2, with an explicit back stress.</summary>
internal sealed class ReferenceJ2(double e, double nu, double sigmaY, double h, double hk, double q, double delta) : ReferenceLaw
{
    private double[,] _plastic = new double[3, 3], _back = new double[3, 3];
    private double _alpha;

    public double Alpha => _alpha;

    public override (double[,], double[,,,]) Step(double[,] strain, double dt)
    {
        double mu = e / (2 * (1 + nu)), kappa = e / (3 * (1 - 2 * nu)), root = Math.Sqrt(2.0 / 3);
        var dev = Deviator(strain);
        var trial = Fill((i, j) => 2 * mu * (dev[i, j] - _plastic[i, j]) - _back[i, j]);
        double norm = Norm(trial);
        double Yield(double a) => sigmaY + h * a + q * (1 - Math.Exp(-delta * a));
        double Slope(double a) => h + q * delta * Math.Exp(-delta * a);
        double f = norm - root * Yield(_alpha), gamma = 0;
        if (f <= 0)
            return (Fill((i, j) => kappa * Trace(strain) * D(i, j) + 2 * mu * (dev[i, j] - _plastic[i, j])), Isotropic(kappa, mu));
        for (int k = 0; k < 60; k++)
        {
            double a = _alpha + root * gamma;
            double step = (norm - (2 * mu + 2.0 / 3 * hk) * gamma - root * Yield(a)) / (2 * mu + 2.0 / 3 * (hk + Slope(a)));
            gamma += step;
            if (Math.Abs(step) < 1e-18) break;
        }
        var n = Fill((i, j) => trial[i, j] / norm);
        _alpha += root * gamma;
        _back = Fill((i, j) => _back[i, j] + 2.0 / 3 * hk * gamma * n[i, j]);
        _plastic = Fill((i, j) => _plastic[i, j] + gamma * n[i, j]);
        double theta = 1 - 2 * mu * gamma / norm, bar = 1 / (1 + (Slope(_alpha) + hk) / (3 * mu)) - (1 - theta);
        return (Fill((i, j) => kappa * Trace(strain) * D(i, j) + 2 * mu * (dev[i, j] - _plastic[i, j])),
            Fill((i, j, k, l) => kappa * D(i, j) * D(k, l) + 2 * mu * theta * (Symmetric(i, j, k, l) - D(i, j) * D(k, l) / 3)
                - 2 * mu * bar * n[i, j] * n[k, l]));
    }
}

/// <summary>The hereditary integral itself: σ = ∫ G(t − s) dε/ds ds over all past steps, each with constant strain rate.</summary>
internal sealed class ReferenceMaxwell(double e, double nu, double[] g, double[] k, double[] tau) : ReferenceLaw
{
    private readonly List<(double[,] Increment, double Length)> _history = [];
    private double[,] _last = new double[3, 3];

    public override (double[,], double[,,,]) Step(double[,] strain, double dt)
    {
        double mu = e / (2 * (1 + nu)), kappa = e / (3 * (1 - 2 * nu));
        var last = _last;
        _history.Add((Fill((i, j) => strain[i, j] - last[i, j]), dt));
        _last = (double[,])strain.Clone();
        var stress = new double[3, 3];
        double end = 0, relaxedG = 0, relaxedK = 0;
        for (int s = _history.Count - 1; s >= 0; s--)
        {
            var (increment, length) = _history[s];
            relaxedG = relaxedK = 1;
            for (int i = 0; i < g.Length; i++)
            {
                // mean of e^(−t/τ) over the step that ended 'end' ago
                double mean = length > 0 ? (Math.Exp(-end / tau[i]) - Math.Exp(-(end + length) / tau[i])) * tau[i] / length : Math.Exp(-end / tau[i]);
                relaxedG -= g[i] * (1 - mean);
                relaxedK -= k[i] * (1 - mean);
            }
            var part = Contract(Isotropic(kappa * relaxedK, mu * relaxedG), increment);
            stress = Fill((i, j) => stress[i, j] + part[i, j]);
            end += length;
        }
        double lastG = 1, lastK = 1, x = dt;
        for (int i = 0; i < g.Length; i++)
        {
            double mean = x > 0 ? (1 - Math.Exp(-x / tau[i])) * tau[i] / x : 1;
            lastG -= g[i] * (1 - mean);
            lastK -= k[i] * (1 - mean);
        }
        return (stress, Isotropic(kappa * lastK, mu * lastG));
    }
}

internal sealed class ReferenceNeoHooke(double lambda, double mu) : ReferenceLaw
{
    public static double Energy(double[,] f, double lambda, double mu)
    {
        double i1 = 0, lnJ = Math.Log(Determinant(f));
        foreach (double x in f) i1 += x * x;
        return mu / 2 * (i1 - 3 - 2 * lnJ) + lambda / 2 * lnJ * lnJ;
    }

    public override (double[,], double[,,,]) Step(double[,] f, double dt)
    {
        var inv = Inverse(f);
        double lnJ = Math.Log(Determinant(f));
        return (Fill((i, j) => mu * (f[i, j] - inv[j, i]) + lambda * lnJ * inv[j, i]),
            Fill((i, j, k, l) => mu * D(i, k) * D(j, l) + (mu - lambda * lnJ) * inv[j, k] * inv[l, i] + lambda * inv[j, i] * inv[l, k]));
    }
}

internal sealed class ReferenceSvk(double lambda, double mu) : ReferenceLaw
{
    public static double Energy(double[,] f, double lambda, double mu)
    {
        var e = Green(f);
        return lambda / 2 * Trace(e) * Trace(e) + mu * Norm(e) * Norm(e);
    }

    private static double[,] Green(double[,] f) => Fill((i, j) => (f[0, i] * f[0, j] + f[1, i] * f[1, j] + f[2, i] * f[2, j] - D(i, j)) / 2);

    public override (double[,], double[,,,]) Step(double[,] f, double dt)
    {
        var e = Green(f);
        var s = Fill((i, j) => lambda * Trace(e) * D(i, j) + 2 * mu * e[i, j]);
        var c = Fill((i, j, k, l) => lambda * D(i, j) * D(k, l) + 2 * mu * Symmetric(i, j, k, l));
        return (Fill((i, j) => f[i, 0] * s[0, j] + f[i, 1] * s[1, j] + f[i, 2] * s[2, j]), Fill((i, j, k, l) =>
        {
            double sum = D(i, k) * s[j, l];
            for (int m = 0; m < 3; m++) for (int n = 0; n < 3; n++) sum += f[i, m] * c[m, j, n, l] * f[k, n];
            return sum;
        }));
    }
}

internal static class ReferenceHencky
{
    /// <summary>½ ln C = artanh Z with Z = (C − 1)(C + 1)⁻¹, by its power series.</summary>
    public static double[,] Strain(double[,] f)
    {
        double[,] Plus(double s) => ReferenceLaw.Fill((i, j) => f[0, i] * f[0, j] + f[1, i] * f[1, j] + f[2, i] * f[2, j] + s * ReferenceLaw.D(i, j));
        var z = MaterialCases.Multiply(Plus(-1), ReferenceLaw.Inverse(Plus(1)));
        double[,] power = z, square = MaterialCases.Multiply(z, z), sum = z;
        for (int k = 3; k < 120; k += 2)
        {
            power = MaterialCases.Multiply(power, square);
            double[,] last = sum, term = power;
            sum = ReferenceLaw.Fill((i, j) => last[i, j] + term[i, j] / k);
        }
        return sum;
    }

    public static double Energy(double[,] f, double lambda, double mu)
    {
        var e = Strain(f);
        return lambda / 2 * ReferenceLaw.Trace(e) * ReferenceLaw.Trace(e) + mu * ReferenceLaw.Norm(e) * ReferenceLaw.Norm(e);
    }
}
