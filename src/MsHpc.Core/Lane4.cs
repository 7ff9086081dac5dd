using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core;

/// <summary>
/// Arithmetic on <c>Lanes4</c> (<see cref="Vector256{T}"/> of double): four material points, elements or representative volumes side by side,
/// everything that the continuum computes. Sums are taken in the same order, and give the same bits, on all hardware.
/// </summary>
/// <remarks>
/// Why four, where atoms take eight (<see cref="Lane"/>): a lane here carries a whole problem, so the width multiplies the memory between one
/// use and the next. The factor of a plane RVE of 32² cells fills 0.9 MB per lane; with its tangents and states eight lanes are 14 MB, more
/// than a core's share of the last cache. Eight lanes are 6 % faster as long as one core works alone, and 15 to 30 % slower as soon as both
/// cores of the machine they were measured on (AVX-512 in two halves) do.
/// </remarks>
public static class Lane4
{
    /// <summary>Doubles in one <c>Lanes4</c> value.</summary>
    public const int Width = 4;

    /// <summary>The bits of all lanes.</summary>
    public const byte All = 0x0f;

    /// <summary>Number of blocks of four that hold <paramref name="count"/> items.</summary>
    public static int Blocks(int count) => (count + Width - 1) / Width;

    /// <summary>a·b + c, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Fma(Lanes4 a, Lanes4 b, Lanes4 c) => Vector256.FusedMultiplyAdd(a, b, c);

    /// <summary>c − a·b, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Fnma(Lanes4 a, Lanes4 b, Lanes4 c) => Vector256.FusedMultiplyAdd(-a, b, c);

    /// <summary>The same number in all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Of(double x) => Vector256.Create(x);

    /// <summary>Picks <paramref name="a"/> where the mask is set, else <paramref name="b"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Select(Lanes4 mask, Lanes4 a, Lanes4 b) => Vector256.ConditionalSelect(mask, a, b);

    /// <summary>Bit l is set when lane l of a comparison mask is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Bits(Lanes4 mask) => (byte)Vector256.ExtractMostSignificantBits(mask);

    /// <summary>The comparison mask whose lane l is set when bit l of <paramref name="bits"/> is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Mask(byte bits)
    {
        var bit = Vector256.Create(1L, 2, 4, 8);
        return Vector256.Equals(Vector256.Create((long)bits) & bit, bit).AsDouble();
    }
}
