using MsHpc.Core;

namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// Ewald's sum (Ann. Phys. 369, 253 (1921)) of 1/R over the images of a cell: Σ_n erfc(α R_n)/R_n + Σ_k w_k cos k·R − π/(V α²),
/// w_k = (4π/V) exp(−k²/4α²)/k². The average over the cell is zero, so that a net charge has a uniform background. Bohr, hartree.
/// </summary>
internal sealed class Ewald
{
    private const double Small = 1e-14; // what is left out of both parts, relative to 1/R
    private readonly double[] _vectors, _weights;

    /// <summary>α, 1/bohr.</summary>
    public double Alpha { get; }

    /// <summary>Volume of the cell, bohr³.</summary>
    public double Volume { get; }

    /// <summary>Distance at which the sum in space ends, bohr.</summary>
    public double Range { get; }

    /// <summary>−π/(V α²).</summary>
    public double Background => -Math.PI / (Volume * Alpha * Alpha);

    /// <param name="cell">A cell periodic in three directions.</param>
    public Ewald(Cell cell)
    {
        double bohr = 1 / Codata.BohrInAngstrom;
        Volume = cell.Volume * bohr * bohr * bohr;
        // √π would make both sums as long. A term in space is an erfc for every pair, one in k a sine for every atom and a column of a matrix product.
        Alpha = 2 * Math.Sqrt(Math.PI) / Math.Cbrt(Volume);
        while (Special.Erfc(Alpha * Range) > Small) Range += 0.05 / Alpha;
        double limit = 2 * Alpha * Math.Sqrt(-Math.Log(Small)); // exp(−k²/4α²) = Small
        var g = cell.Reciprocal;
        Span<int> most = stackalloc int[3];
        for (int d = 0; d < 3; d++)
        {
            var edge = cell.Rows.Slice(3 * d, 3);
            most[d] = (int)Math.Ceiling(limit * Math.Sqrt(edge[0] * edge[0] + edge[1] * edge[1] + edge[2] * edge[2]) * bohr / (2 * Math.PI));
        }
        List<double> vectors = [], weights = [];
        double unit = 2 * Math.PI * Codata.BohrInAngstrom;
        for (int a = 0; a <= most[0]; a++)
            for (int b = a == 0 ? 0 : -most[1]; b <= most[1]; b++)
                for (int c = a == 0 && b == 0 ? 1 : -most[2]; c <= most[2]; c++)
                {
                    double x = unit * (a * g[0] + b * g[3] + c * g[6]), y = unit * (a * g[1] + b * g[4] + c * g[7]), z = unit * (a * g[2] + b * g[5] + c * g[8]);
                    double k2 = x * x + y * y + z * z;
                    if (k2 > limit * limit) continue;
                    vectors.AddRange([x, y, z]);
                    weights.Add(8 * Math.PI / Volume * Math.Exp(-k2 / (4 * Alpha * Alpha)) / k2); // k and −k
                }
        (_vectors, _weights) = ([.. vectors], [.. weights]);
    }

    private void Phases(int k, ReadOnlySpan<double> positions, Span<double> cos, Span<double> sin)
    {
        double x = _vectors[3 * k], y = _vectors[3 * k + 1], z = _vectors[3 * k + 2];
        for (int i = 0; i < cos.Length; i++) (sin[i], cos[i]) = Math.SinCos(x * positions[3 * i] + y * positions[3 * i + 1] + z * positions[3 * i + 2]);
    }

    /// <summary>Adds the part in k, the background and the self-term −2α/√π to a matrix, n × n.</summary>
    public void AddMatrix(ReadOnlySpan<double> positions, double[] matrix)
    {
        int n = positions.Length / 3, count = _weights.Length;
        double[] phase = new double[2 * n * count], scaled = new double[2 * n * count];
        for (int k = 0; k < count; k++)
        {
            Phases(k, positions, phase.AsSpan(2 * k * n, n), phase.AsSpan((2 * k + 1) * n, n));
            for (int i = 2 * k * n; i < 2 * (k + 1) * n; i++) scaled[i] = _weights[k] * phase[i];
        }
        Dense.Gemm(false, true, n, n, 2 * count, 1, scaled, phase, 1, matrix);
        for (int i = 0; i < n * n; i++) matrix[i] += Background;
        for (int i = 0; i < n; i++) matrix[i * (n + 1)] -= 2 * Alpha / Math.Sqrt(Math.PI);
    }

    /// <summary>Adds the potential of charges at other places, the part in k.</summary>
    public void AddPotential(ReadOnlySpan<double> sources, ReadOnlySpan<double> charges, ReadOnlySpan<double> positions, Span<double> potential)
    {
        int n = potential.Length, m = charges.Length;
        double[] cos = new double[n + m], sin = new double[n + m];
        for (int k = 0; k < _weights.Length; k++)
        {
            Phases(k, positions, cos.AsSpan(0, n), sin.AsSpan(0, n));
            Phases(k, sources, cos.AsSpan(n), sin.AsSpan(n));
            double c = 0, s = 0;
            for (int i = 0; i < m; i++)
            {
                c += charges[i] * cos[n + i];
                s += charges[i] * sin[n + i];
            }
            for (int i = 0; i < n; i++) potential[i] += _weights[k] * (c * cos[i] + s * sin[i]);
        }
    }

    /// <summary>Adds the gradient of E = scale Σ_k w_k Re[ρ(k)* ρ′(k)], ρ(k) = Σ q exp(i k·r): by the places of both sets of charges, and
    /// ∂E/∂ε of the cell. The same set twice with scale ½ is the energy of a set with itself.</summary>
    public void AddGradient(double scale, ReadOnlySpan<double> first, ReadOnlySpan<double> firstCharges, Span<double> firstGradient,
        ReadOnlySpan<double> second, ReadOnlySpan<double> secondCharges, Span<double> secondGradient, Span<double> strain)
    {
        int n = firstCharges.Length, m = secondCharges.Length;
        double[] cos = new double[n + m], sin = new double[n + m];
        for (int k = 0; k < _weights.Length; k++)
        {
            Phases(k, first, cos.AsSpan(0, n), sin.AsSpan(0, n));
            Phases(k, second, cos.AsSpan(n), sin.AsSpan(n));
            double c = 0, s = 0, d = 0, t = 0, w = scale * _weights[k];
            for (int i = 0; i < n; i++)
            {
                c += firstCharges[i] * cos[i];
                s += firstCharges[i] * sin[i];
            }
            for (int i = 0; i < m; i++)
            {
                d += secondCharges[i] * cos[n + i];
                t += secondCharges[i] * sin[n + i];
            }
            double x = _vectors[3 * k], y = _vectors[3 * k + 1], z = _vectors[3 * k + 2];
            for (int i = 0; i < n; i++) Along(firstGradient.Slice(3 * i, 3), w * firstCharges[i] * (t * cos[i] - d * sin[i]), x, y, z);
            for (int i = 0; i < m; i++) Along(secondGradient.Slice(3 * i, 3), w * secondCharges[i] * (s * cos[n + i] - c * sin[n + i]), x, y, z);
            // w ~ exp(−k²/4α²)/(k² V): ∂/∂ε_ab = w [2 k_a k_b (1/k² + 1/4α²) − δ_ab]
            double energy = w * (c * d + s * t), k2 = x * x + y * y + z * z;
            AddStrain(strain, 2 * (1 / k2 + 1 / (4 * Alpha * Alpha)) * energy, x, y, z);
            for (int e = 0; e < 3; e++) strain[e] -= energy;
        }
    }

    private static void Along(Span<double> gradient, double f, double x, double y, double z)
    {
        gradient[0] += f * x;
        gradient[1] += f * y;
        gradient[2] += f * z;
    }

    /// <summary>Adds factor × v vᵀ; xx, yy, zz, yz, xz, xy.</summary>
    public static void AddStrain(Span<double> strain, double factor, double x, double y, double z)
    {
        strain[0] += factor * x * x;
        strain[1] += factor * y * y;
        strain[2] += factor * z * z;
        strain[3] += factor * y * z;
        strain[4] += factor * x * z;
        strain[5] += factor * x * y;
    }
}
