namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// S(a, b, R) = 1/R − γ(R) of two spheres of charge (τ³/8π) exp(−τ r), τ = a and b: how far two clouds are from two points (Elstner et al.,
/// Phys. Rev. B 58, 7260 (1998), whose γ this is), with the derivatives that the third order needs.
/// </summary>
/// <remarks>
/// The Fourier transform of a sphere is A²/(A + k²)², A = a². So γ is the transform of 4π A²B²/(k² (A + k²)² (B + k²)²), which partial fractions split into
/// <code>
/// S = e^(−a R) K(a, b) + e^(−b R) K(b, a),   K(a, b) = b⁴ a/(2 (a² − b²)²) − (b⁶ − 3 b⁴ a²)/((a² − b²)³ R)
/// </code>
/// These two nearly cancel where a ≈ b. There the product is what it is by definition, a divided difference of φ(A) = e^(−√A R)/(A R):
/// <code>
/// S = −A²B² φ[A, A, B, B] = −A²B² Σ_k (k + 1) h^(2k) c_(2k+3),   h = (A − B)/2,
/// </code>
/// with c_n the Taylor coefficients of φ at M = (A + B)/2, since the divided difference of xⁿ at (h, h, −h, −h) is the coefficient of tⁿ⁻³ in
/// 1/(1 − h²t²)². For a = b its one term is e^(−a R) (1/R + 11 a/16 + 3 a² R/16 + a³ R²/48).
/// </remarks>
/// <param name="Value">S, 1/bohr.</param>
/// <param name="Slope">∂S/∂R.</param>
/// <param name="First">∂S/∂a.</param>
/// <param name="Second">∂S/∂b.</param>
/// <param name="FirstSlope">∂²S/∂a∂R.</param>
/// <param name="SecondSlope">∂²S/∂b∂R.</param>
internal readonly record struct ChargedSpheres(double Value, double Slope, double First, double Second, double FirstSlope, double SecondSlope)
{
    /// <summary>S and its derivatives.</summary>
    /// <param name="a">Exponent of the first sphere, 1/bohr.</param>
    /// <param name="b">Of the second.</param>
    /// <param name="r">R, bohr.</param>
    public static ChargedSpheres Of(double a, double b, double r)
    {
        if (a * r > 40 + 3 * Math.Log(1 + a * r) && b * r > 40 + 3 * Math.Log(1 + b * r)) return default;
        // Rounding is lifted by (M/2h)⁴ in the first form; ten per cent leave 1e-13, and the series a factor of a hundred a term.
        if (Math.Abs(a * a - b * b) < 0.1 * (a * a + b * b)) return Series(a, b, r);
        ChargedSpheres x = Half(a, b, r), y = Half(b, a, r);
        return new(x.Value + y.Value, x.Slope + y.Slope, x.First + y.Second, x.Second + y.First, x.FirstSlope + y.SecondSlope, x.SecondSlope + y.FirstSlope);
    }

    /// <summary>e^(−a R) K(a, b), K = k − m/R.</summary>
    private static ChargedSpheres Half(double a, double b, double r)
    {
        double d = a * a - b * b, d2 = d * d, d3 = d2 * d, b3 = b * b * b, b4 = b3 * b, e = Math.Exp(-a * r);
        double k = b4 * a / (2 * d2), ka = b4 / (2 * d2) - 2 * a * a * b4 / d3, kb = 2 * b3 * a / d2 + 2 * b4 * b * a / d3;
        double n = b4 * (b * b - 3 * a * a), m = n / d3, ma = -6 * a * (b4 + n / d) / d3, mb = (6 * b3 * (b * b - 2 * a * a) + 6 * b * n / d) / d3;
        double p = k - m / r, dp = m / (r * r), pa = ka - ma / r, pb = kb - mb / r;
        return new(e * p, e * (dp - a * p), e * (pa - r * p), e * pb, e * (ma / (r * r) - a * pa - p - r * (dp - a * p)), e * (mb / (r * r) - a * pb));
    }

    private static ChargedSpheres Series(double a, double b, double r)
    {
        const int Most = 8;
        double first = a * a, second = b * b, middle = 0.5 * (first + second), h = 0.5 * (first - second), h2 = h * h;
        int terms = 0; // after the first: (h/M)² each
        for (double size = 1; terms < Most && size > 1e-17; terms++) size *= h2 / (middle * middle);
        int top = 2 * terms + 4;
        // Taylor coefficients at M of √A, e^(−√A R), φ and ∂φ/∂R = −(√A + 1/R) φ.
        Span<double> root = stackalloc double[2 * Most + 5], e = stackalloc double[2 * Most + 5], c = stackalloc double[2 * Most + 5], dc = stackalloc double[2 * Most + 5];
        (root[0], e[0]) = (Math.Sqrt(middle), Math.Exp(-Math.Sqrt(middle) * r));
        for (int n = 0; n <= top; n++)
        {
            if (n > 0)
            {
                root[n] = root[n - 1] * (1.5 - n) / (n * middle);
                for (int k = 1; k <= n; k++) e[n] -= k * r * root[k] * e[n - k] / n; // n e_n = Σ k (−R √A)_k e_(n−k)
            }
            c[n] = (e[n] / r - (n > 0 ? c[n - 1] : 0)) / middle; // (M + x) φ R = e
            dc[n] = -c[n] / r;
            for (int k = 0; k <= n; k++) dc[n] -= root[k] * c[n - k];
        }
        double value = 0, slope = 0, byMiddle = 0, byH = 0, slopeByMiddle = 0, slopeByH = 0, power = 1;
        for (int k = 0; k <= terms; k++)
        {
            value += (k + 1) * power * c[2 * k + 3];
            slope += (k + 1) * power * dc[2 * k + 3];
            byMiddle += (k + 1) * power * (2 * k + 4) * c[2 * k + 4];
            slopeByMiddle += (k + 1) * power * (2 * k + 4) * dc[2 * k + 4];
            if (k < terms)
            {
                byH += 2 * (k + 1) * (k + 2) * h * power * c[2 * k + 5]; // the derivative of the next term
                slopeByH += 2 * (k + 1) * (k + 2) * h * power * dc[2 * k + 5];
            }
            power *= h2;
        }
        double product = -first * first * second * second;
        // ∂/∂a = 2 a ∂/∂A, ∂/∂A = ½ (∂/∂M + ∂/∂h), ∂A²/∂a = 4 A²/a.
        return new(product * value, product * slope,
            product * (4 / a * value + a * (byMiddle + byH)), product * (4 / b * value + b * (byMiddle - byH)),
            product * (4 / a * slope + a * (slopeByMiddle + slopeByH)), product * (4 / b * slope + b * (slopeByMiddle - slopeByH)));
    }
}
