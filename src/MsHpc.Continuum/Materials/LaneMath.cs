using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Continuum.Materials;

/// <summary>Transcendental functions built from + − × ÷ and fused multiply-add alone, so that every machine gets the same bits.</summary>
internal static class LaneMath
{
    /// <summary>
    /// eˣ for −700 ≤ x ≤ 700 (clamped outside): x = k·ln 2 + r with |r| ≤ ½ ln 2, Taylor polynomial of degree 13 in r (remainder below
    /// 4e-18), scaled by 2ᵏ. Error within 1.5 ulp.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Exp(Lanes4 x)
    {
        x = Vector256.Min(Vector256.Max(x, Lane4.Of(-700)), Lane4.Of(700));
        var shift = Lane4.Of(6755399441055744.0); // 1.5·2⁵²: adding it rounds to an integer that then stands in the low bits
        var shifted = Lane4.Fma(x, Lane4.Of(1.4426950408889634), shift);
        var k = shifted - shift;
        var r = Lane4.Fnma(k, Lane4.Of(1.9082149292705877e-10), Lane4.Fnma(k, Lane4.Of(0.6931471803691238), x));
        // even and odd powers apart: two short chains instead of a long one
        var z = r * r;
        Lanes4 even = Lane4.Of(1.0 / 479001600), odd = Lane4.Of(1.0 / 6227020800);
        even = Lane4.Fma(even, z, Lane4.Of(1.0 / 3628800)); odd = Lane4.Fma(odd, z, Lane4.Of(1.0 / 39916800));
        even = Lane4.Fma(even, z, Lane4.Of(1.0 / 40320)); odd = Lane4.Fma(odd, z, Lane4.Of(1.0 / 362880));
        even = Lane4.Fma(even, z, Lane4.Of(1.0 / 720)); odd = Lane4.Fma(odd, z, Lane4.Of(1.0 / 5040));
        even = Lane4.Fma(even, z, Lane4.Of(1.0 / 24)); odd = Lane4.Fma(odd, z, Lane4.Of(1.0 / 120));
        even = Lane4.Fma(even, z, Lane4.Of(0.5)); odd = Lane4.Fma(odd, z, Lane4.Of(1.0 / 6));
        var p = Lane4.Fma(Lane4.Fma(odd, r, even), z, r); // eʳ − 1
        var scale = Vector256.ShiftLeft(shifted.AsInt64() + Vector256.Create(1023L), 52).AsDouble();
        return Lane4.Fma(scale, p, scale);
    }

    /// <summary>
    /// ln x for normal x &gt; 0: x = 2ᵏ·m with √½ ≤ m &lt; √2, ln m = 2 artanh s with s = (m−1)/(m+1), its series to s²³ (remainder
    /// below 1e-19). Error within 2 ulp, relative also near x = 1.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Log(Lanes4 x)
    {
        var bits = x.AsInt64();
        var offset = bits - Vector256.Create(0x3FE6A09E667F3BCDL); // bits of √½
        var k = Vector256.ShiftRightArithmetic(offset, 52);
        var m = (bits - Vector256.ShiftLeft(k, 52)).AsDouble();
        // The integer k as a double without a conversion instruction: 1.5·2⁵² holds it in its low bits.
        var magic = Vector256.Create(0x4338000000000000L);
        var exponent = (k + magic).AsDouble() - magic.AsDouble();
        var s = (m - Lanes4.One) / (m + Lanes4.One);
        var z = s * s;
        var z2 = z * z;
        Lanes4 even = Lane4.Of(2.0 / 23), odd = Lane4.Of(2.0 / 21);
        even = Lane4.Fma(even, z2, Lane4.Of(2.0 / 19)); odd = Lane4.Fma(odd, z2, Lane4.Of(2.0 / 17));
        even = Lane4.Fma(even, z2, Lane4.Of(2.0 / 15)); odd = Lane4.Fma(odd, z2, Lane4.Of(2.0 / 13));
        even = Lane4.Fma(even, z2, Lane4.Of(2.0 / 11)); odd = Lane4.Fma(odd, z2, Lane4.Of(2.0 / 9));
        even = Lane4.Fma(even, z2, Lane4.Of(2.0 / 7)); odd = Lane4.Fma(odd, z2, Lane4.Of(2.0 / 5));
        var p = Lane4.Fma(Lane4.Fma(even, z, odd), z, Lane4.Of(2.0 / 3));
        var small = Lane4.Fma(exponent, Lane4.Of(1.9082149292705877e-10), (p * z) * s);
        return Lane4.Fma(exponent, Lane4.Of(0.6931471803691238), Lane4.Fma(Lane4.Of(2), s, small));
    }

    /// <summary>(½ ln x − ½ ln y)/(x − y) = artanh(s)/(s (x + y)) with s = (x − y)/(x + y), by its series for |s| ≤ 0.17; 1/(2x) for x = y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 FirstDifference(Lanes4 x, Lanes4 y)
    {
        Lanes4 sum = x + y, gap = x - y, s = gap / sum, z = s * s;
        var p = Lane4.Of(1.0 / 23);
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 21));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 19));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 17));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 15));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 13));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 11));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 9));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 7));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 5));
        p = Lane4.Fma(p, z, Lane4.Of(1.0 / 3));
        p = Lane4.Fma(p, z, Lanes4.One) / sum;
        var far = Vector256.GreaterThan(z, Lane4.Of(0.029));
        return Lane4.Bits(far) == 0 ? p : Lane4.Select(far, Lane4.Of(0.5) * Log(x / y) / gap, p);
    }

    /// <summary>
    /// f[x, y, z] for f = ½ ln: (f[y, z] − f[x, y])/(z − x) with x ≤ y ≤ z; where they lie within 1 % the Taylor series about their mean m,
    /// −(1/2m²) Σ (−1)ᵏ hₖ/(k + 2), hₖ the complete homogeneous polynomials of the relative deviations (h₁ = 0), to k = 6.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 SecondDifference(Lanes4 a, Lanes4 b, Lanes4 c)
    {
        Lanes4 low = Vector256.Min(a, b), high = Vector256.Max(a, b);
        Lanes4 x = Vector256.Min(low, c), z = Vector256.Max(high, c), y = Vector256.Max(low, Vector256.Min(high, c));
        Lanes4 m = (x + y + z) * Lane4.Of(1.0 / 3), inverse = Lanes4.One / m;
        Lanes4 u = (x - m) * inverse, v = (y - m) * inverse, w = (z - m) * inverse;
        Lanes4 e2 = Lane4.Fma(u, v, w * (u + v)), e3 = u * v * w;
        var series = Lane4.Of(0.5) - e2 * Lane4.Of(0.25) - e3 * Lane4.Of(0.2) + e2 * e2 * Lane4.Of(1.0 / 6) + e2 * e3 * Lane4.Of(2.0 / 7)
            + (e3 * e3 - e2 * e2 * e2) * Lane4.Of(0.125);
        var near = Lane4.Of(-0.5) * inverse * inverse * series;
        var gap = z - x;
        var far = Vector256.GreaterThan(gap, Lane4.Of(0.01) * m);
        return Lane4.Bits(far) == 0 ? near : Lane4.Select(far, (FirstDifference(y, z) - FirstDifference(x, y)) / gap, near);
    }
}
