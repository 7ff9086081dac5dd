using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>Nine vectors on the stack: a second-order tensor, row-major 2 × 2 or 3 × 3.</summary>
[InlineArray(9)]
internal struct LaneTensor
{
    private Lanes4 _first;
}

/// <summary>What finite-strain kernels share.</summary>
internal static class FiniteStrain
{
    /// <summary>
    /// Copies F, replacing it by the identity where det F ≤ 0 (or is not a number), with its determinant.
    /// </summary>
    /// <returns>Mask of the replaced lanes.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Load<TSolid>(ref readonly Lanes4 strain, ref Lanes4 f, out Lanes4 jacobian) where TSolid : struct, IFlag
    {
        int d = TSolid.Value ? 3 : 2;
        jacobian = TSolid.Value
            ? Lane4.Fma(Get(in strain, 0), Minor(in strain, 4, 8, 5, 7), Lane4.Fma(Get(in strain, 1), Minor(in strain, 5, 6, 3, 8),
                Get(in strain, 2) * Minor(in strain, 3, 7, 4, 6)))
            : Minor(in strain, 0, 3, 1, 2);
        var bad = ~(Vector256.GreaterThan(jacobian, Lane4.Of(1e-300)) & Vector256.LessThan(jacobian, Lane4.Of(1e300)));
        jacobian = Lane4.Select(bad, Lanes4.One, jacobian);
        for (int k = 0; k < d * d; k++)
            Ref(ref f, k) = Lane4.Select(bad, k % (d + 1) == 0 ? Lanes4.One : Lanes4.Zero, Get(in strain, k));
        return bad;
    }

    /// <summary>F⁻ᵀ.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void InverseTranspose<TSolid>(ref Lanes4 f, Lanes4 jacobian, ref Lanes4 result) where TSolid : struct, IFlag
    {
        var inverse = Lanes4.One / jacobian;
        if (TSolid.Value)
        {
            Ref(ref result, 0) = Minor(in f, 4, 8, 5, 7) * inverse;
            Ref(ref result, 1) = Minor(in f, 5, 6, 3, 8) * inverse;
            Ref(ref result, 2) = Minor(in f, 3, 7, 4, 6) * inverse;
            Ref(ref result, 3) = Minor(in f, 2, 7, 1, 8) * inverse;
            Ref(ref result, 4) = Minor(in f, 0, 8, 2, 6) * inverse;
            Ref(ref result, 5) = Minor(in f, 1, 6, 0, 7) * inverse;
            Ref(ref result, 6) = Minor(in f, 1, 5, 2, 4) * inverse;
            Ref(ref result, 7) = Minor(in f, 2, 3, 0, 5) * inverse;
            Ref(ref result, 8) = Minor(in f, 0, 4, 1, 3) * inverse;
        }
        else
        {
            Ref(ref result, 0) = Get(in f, 3) * inverse;
            Ref(ref result, 1) = -Get(in f, 2) * inverse;
            Ref(ref result, 2) = -Get(in f, 1) * inverse;
            Ref(ref result, 3) = Get(in f, 0) * inverse;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes4 Minor(ref readonly Lanes4 t, int a, int b, int c, int d)
        => Lane4.Fma(Get(in t, a), Get(in t, b), -(Get(in t, c) * Get(in t, d)));
}
