using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace MsHpc.Core;

/// <summary>
/// Arithmetic on <c>Lanes</c> (<see cref="Vector512{T}"/> of double): eight neighbours of one problem, atoms or rows of one matrix. Hardware
/// with narrower registers emulates it, so sums are taken in the same order, and give the same bits, everywhere.
/// </summary>
public static class Lane
{
    /// <summary>Doubles in one <c>Lanes</c> value.</summary>
    public const int Width = 8;

    /// <summary>Number of blocks of eight that hold <paramref name="count"/> items.</summary>
    public static int Blocks(int count) => (count + Width - 1) / Width;

    /// <summary>a·b + c, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Fma(Lanes a, Lanes b, Lanes c) => Vector512.FusedMultiplyAdd(a, b, c);

    /// <summary>c − a·b, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Fnma(Lanes a, Lanes b, Lanes c) => Vector512.FusedMultiplyAdd(-a, b, c);

    /// <summary>The same number in all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Of(double x) => Vector512.Create(x);

    /// <summary>Picks <paramref name="a"/> where the mask is set, else <paramref name="b"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Select(Lanes mask, Lanes a, Lanes b) => Vector512.ConditionalSelect(mask, a, b);

    /// <summary>Bit l is set when lane l of a comparison mask is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Bits(Lanes mask) => (byte)Vector512.ExtractMostSignificantBits(mask);

    /// <summary>The comparison mask whose lane l is set when bit l of <paramref name="bits"/> is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes Mask(byte bits)
    {
        var bit = Vector512.Create(1L, 2, 4, 8, 16, 32, 64, 128);
        return Vector512.Equals(Vector512.Create((long)bits) & bit, bit).AsDouble();
    }
}
