using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Coulomb interaction by damped shifted force (C. J. Fennell, J. D. Gezelter, J. Chem. Phys. 124, 234104, 2006, after D. Wolf et al., J. Chem. Phys.
/// 110, 8254, 1999), for r &lt; r_c, k = e²/(4π ε₀):
/// <code>
/// φ = k qᵢ qⱼ [erfc(αr)/r − erfc(αr_c)/r_c + b (r − r_c)],   b = erfc(αr_c)/r_c² + 2α/√π · exp(−α²r_c²)/r_c
/// F = k qᵢ qⱼ [erfc(αr)/r² + 2α/√π · exp(−α²r²)/r − b] r̂
/// E_self = −k/2 Σ qᵢ² [2α/√π + erfc(αr_c)/r_c + b r_c]
/// </code>
/// Energy and force go to zero at the cutoff. The self term is the limit of ½ (φ − k q²/r) at r → 0; it makes energies of periodic crystals come near those
/// of Ewald's sum, and exerts no force.
/// </summary>
/// <remarks>
/// erfc(αr)/r = 1/r − α G(u) with u = α²r² and G(u) = erf(√u)/√u = 2/√π ∫₀¹ exp(−u t²) dt, an entire function. G and G′ are summed as Chebyshev series on
/// 0 ≤ u ≤ (αr_c)², to 1e-16: no exponential, no square root of their own.
/// </remarks>
public static class DampedShiftedCoulomb
{
    private const int MostTerms = 60;

    /// <summary>The interaction of all charges, whatever their types.</summary>
    /// <param name="alpha">Damping α, 1/Å; around 0.2.</param>
    /// <param name="cutoff">r_c, Å.</param>
    /// <param name="permittivity">Relative permittivity.</param>
    /// <exception cref="InputException">α negative or α r_c beyond 6, a cutoff or permittivity that is not positive.</exception>
    public static Interaction Create(double alpha, double cutoff, double permittivity = 1)
    {
        if (!(alpha >= 0) || !(cutoff > 0) || !double.IsFinite(cutoff) || !(permittivity > 0))
            throw new InputException($"damped shifted Coulomb: alpha {alpha}, cutoff {cutoff}, permittivity {permittivity}; alpha must not be negative, the others positive");
        if (alpha * cutoff > 6) throw new InputException($"damped shifted Coulomb: alpha {alpha} times cutoff {cutoff} is beyond 6, where nothing of the interaction is left: lower one of them");
        double k = Codata.CoulombInEvAngstrom / permittivity, most = alpha * alpha * cutoff * cutoff;
        double[] g = Series(most, 0), slope = Series(most, 1);
        double erfcByR = 1 / cutoff - alpha * Sum(g, most, most);
        // From the slope of erfc(αr)/r at r_c.
        double b = 1 / (cutoff * cutoff) + 2 * alpha * alpha * alpha * Sum(slope, most, most) * cutoff;
        int terms = Math.Max(g.Length, slope.Length);
        var row = new double[Form.Parameters];
        (row[0], row[1], row[2], row[3], row[4], row[5]) = (cutoff * cutoff, k, most > 0 ? 4 * alpha * alpha / most : 0, b, -erfcByR - b * cutoff, terms);
        for (int n = 0; n < g.Length; n++) row[Form.First + 2 * n] = -alpha * g[n];
        for (int n = 0; n < slope.Length; n++) row[Form.First + 2 * n + 1] = 2 * alpha * alpha * alpha * slope[n];
        return new Potential(row, 0.5 * k * (row[4] - 2 * alpha / Math.Sqrt(Math.PI)));
    }

    /// <summary>Chebyshev coefficients (c₀ halved) on [0, most] of G (derivative 0) or G′ (1).</summary>
    private static double[] Series(double most, int derivative)
    {
        var c = new double[MostTerms];
        for (int k = 0; k < MostTerms; k++)
        {
            double angle = Math.PI * (k + 0.5) / MostTerms, value = Integral(0.5 * most * (1 + Math.Cos(angle)), derivative);
            for (int n = 0; n < MostTerms; n++) c[n] += (n == 0 ? 1.0 : 2.0) / MostTerms * value * Math.Cos(n * angle);
        }
        int length = MostTerms;
        while (length > 1 && Math.Abs(c[length - 1]) < 1e-17) length--;
        return c[..length];
    }

    /// <summary>(2/√π) ∫₀¹ (−t²)ᵈ exp(−u t²) dt by Gauss and Legendre.</summary>
    private static double Integral(double u, int derivative)
    {
        const int n = 40;
        double sum = 0;
        for (int k = 0; k < n; k++)
        {
            double t = Math.Cos(Math.PI * (k + 0.75) / (n + 0.5)), slope = 1;
            for (int iteration = 0; iteration < 10; iteration++)
            {
                double p0 = 1, p1 = t;
                for (int m = 2; m <= n; m++) (p0, p1) = (p1, ((2 * m - 1) * t * p1 - (m - 1) * p0) / m);
                slope = n * (t * p1 - p0) / (t * t - 1);
                t -= p1 / slope;
            }
            double x = 0.5 * (1 + t), weight = 1 / ((1 - t * t) * slope * slope);
            sum += weight * (derivative == 0 ? 1 : -x * x) * Math.Exp(-u * x * x);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    /// <summary>Clenshaw's sum.</summary>
    private static double Sum(double[] c, double u, double most)
    {
        double s = most > 0 ? 4 * u / most - 2 : -2, b1 = 0, b2 = 0;
        for (int n = c.Length - 1; n > 0; n--) (b1, b2) = (s * b1 - b2 + c[n], b1);
        return 0.5 * s * b1 - b2 + c[0];
    }

    private sealed unsafe class Potential(double[] row, double self)
        : PairPotential<Form>("damped shifted force Coulomb (J. Chem. Phys. 124, 234104)", 1, row, anyType: true)
    {
        public override void Compute(Domain domain, Want want, ref Tally tally)
        {
            base.Compute(domain, want, ref tally);
            double sum = 0;
            for (int s = 0; s < domain.OwnedSlots; s++)
            {
                double energy = self * domain.Charge[s] * domain.Charge[s];
                sum += energy;
                if ((want & Want.PerAtom) != 0) domain.AtomEnergy[s] += energy;
            }
            tally.Energy += sum;
        }
    }

    /// <summary>Row: r_c², k, 4α²/most, b, constant, terms, then pairs of coefficients of −αG and 2α³G′.</summary>
    private readonly unsafe struct Form(double* row, int stride) : IPairForm<Form>
    {
        public const int First = 6;
        public static int Parameters => First + 2 * MostTerms;
        public static bool UsesCharges => true;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            double r = Math.Sqrt(r2), s = p[2] * r2 - 2, g1 = 0, g2 = 0, d1 = 0, d2 = 0;
            for (int n = (int)p[5] - 1; n > 0; n--)
            {
                (g1, g2) = (s * g1 - g2 + p[First + 2 * n], g1);
                (d1, d2) = (s * d1 - d2 + p[First + 2 * n + 1], d1);
            }
            double g = 0.5 * s * g1 - g2 + p[First], d = 0.5 * s * d1 - d2 + p[First + 1];
            qq *= p[1];
            energy = qq * (1 / r + g + p[3] * r + p[4]);
            return qq * (1 / (r2 * r) + d - p[3] / r);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Form Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount => new(p.Table, p.Stride);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            double* p = row;
            Lanes r = Vector512.Sqrt(r2), i1 = Lanes.One / r, s = Lane.Fma(Lane.Of(p[2 * stride]), r2, Lane.Of(-2)), half = Lane.Of(0.5) * s;
            Lanes g1 = Lanes.Zero, g2 = Lanes.Zero, d1 = Lanes.Zero, d2 = Lanes.Zero;
            double* first = p + First * stride;
            for (double* c = first + 2 * stride * ((int)p[5 * stride] - 1); c > first; c -= 2 * stride)
            {
                (g1, g2) = (Lane.Fma(s, g1, Lane.Of(c[0]) - g2), g1);
                (d1, d2) = (Lane.Fma(s, d1, Lane.Of(c[stride]) - d2), d1);
            }
            Lanes g = Lane.Fma(half, g1, Lane.Of(first[0]) - g2), d = Lane.Fma(half, d1, Lane.Of(first[stride]) - d2), b = Lane.Of(p[3 * stride]);
            qq *= Lane.Of(p[stride]);
            energy = qq * (i1 + g + Lane.Fma(b, r, Lane.Of(p[4 * stride])));
            return qq * (Lane.Fma(i1 * i1 - b, i1, d));
        }
    }
}
