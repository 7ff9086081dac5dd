using System.Runtime.CompilerServices;
using MsHpc.Core;
using static MsHpc.Continuum.Materials.BlockAccess;

namespace MsHpc.Continuum.Materials;

/// <summary>A 6 × 6 stiffness in Voigt order xx, yy, zz, yz, xz, xy, row-major; value type, so that a law needs no memory elsewhere.</summary>
[InlineArray(36)]
public struct Stiffness6
{
    private double _first;

    /// <summary>From 21 constants (upper triangle row by row: C11, C12, …, C16, C22, …, C66) or all 36 (symmetric).</summary>
    /// <param name="constants">21 or 36 numbers, stress unit.</param>
    /// <exception cref="InputException">Another count, or 36 numbers that are not symmetric to a relative 1e-9.</exception>
    public static Stiffness6 From(ReadOnlySpan<double> constants)
    {
        Stiffness6 c = default;
        if (constants.Length == 21)
        {
            for (int i = 0, k = 0; i < 6; i++)
                for (int j = i; j < 6; j++, k++) c[i * 6 + j] = c[j * 6 + i] = constants[k];
            return c;
        }
        if (constants.Length != 36) throw new InputException($"a stiffness has 21 constants or 36, not {constants.Length}");
        double largest = 0;
        foreach (double x in constants) largest = Math.Max(largest, Math.Abs(x));
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
            {
                if (!(Math.Abs(constants[i * 6 + j] - constants[j * 6 + i]) <= 1e-9 * largest))
                    throw new InputException($"the stiffness is not symmetric: C{i + 1}{j + 1} = {constants[i * 6 + j]} " +
                        $"but C{j + 1}{i + 1} = {constants[j * 6 + i]}");
                c[i * 6 + j] = (constants[i * 6 + j] + constants[j * 6 + i]) / 2;
            }
        return c;
    }

    /// <summary>Cubic crystal in its own axes.</summary>
    /// <param name="c11">C11, stress unit.</param>
    /// <param name="c12">C12, stress unit.</param>
    /// <param name="c44">C44, stress unit.</param>
    public static Stiffness6 Cubic(double c11, double c12, double c44)
    {
        Stiffness6 c = default;
        for (int i = 0; i < 3; i++)
        {
            for (int j = 0; j < 3; j++) c[i * 6 + j] = i == j ? c11 : c12;
            c[(i + 3) * 7] = c44;
        }
        return c;
    }

    /// <summary>
    /// The same crystal turned: C'ijkl = R_ia R_jb R_kc R_ld C_abcd with R the rotation whose columns are the crystal axes in the frame of
    /// the job. Written with Bond's matrix M (Voigt stress σ' = M σ): C' = M C Mᵀ. Source: Auld, Acoustic Fields and Waves in Solids (1973), I, 3.D.
    /// </summary>
    /// <param name="rotation">R, row-major 3 × 3, orthogonal.</param>
    public readonly Stiffness6 Rotated(ReadOnlySpan<double> rotation)
    {
        ReadOnlySpan<int> first = [0, 1, 2, 1, 0, 0], second = [0, 1, 2, 2, 2, 1];
        Span<double> bond = stackalloc double[36];
        for (int r = 0; r < 6; r++)
            for (int s = 0; s < 6; s++)
            {
                int i = first[r], j = second[r], a = first[s], b = second[s];
                bond[r * 6 + s] = rotation[i * 3 + a] * rotation[j * 3 + b] + (a == b ? 0 : rotation[i * 3 + b] * rotation[j * 3 + a]);
            }
        Span<double> half = stackalloc double[36];
        Stiffness6 result = default;
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
            {
                double sum = 0;
                for (int k = 0; k < 6; k++) sum += bond[i * 6 + k] * this[k * 6 + j];
                half[i * 6 + j] = sum;
            }
        for (int i = 0; i < 6; i++)
            for (int j = 0; j <= i; j++)
            {
                double sum = 0;
                for (int k = 0; k < 6; k++) sum += half[i * 6 + k] * bond[j * 6 + k];
                result[i * 6 + j] = result[j * 6 + i] = sum;
            }
        return result;
    }

    /// <summary>Whether the stiffness is positive definite (Cholesky).</summary>
    public readonly bool IsPositiveDefinite()
    {
        Span<double> l = stackalloc double[36];
        for (int i = 0; i < 6; i++)
            for (int j = 0; j <= i; j++)
            {
                double sum = this[i * 6 + j];
                for (int k = 0; k < j; k++) sum -= l[i * 6 + k] * l[j * 6 + k];
                if (i == j)
                {
                    if (!(sum > 1e-12 * this[i * 7])) return false;
                    l[i * 7] = Math.Sqrt(sum);
                }
                else l[i * 6 + j] = sum / l[j * 7];
            }
        return true;
    }

    /// <summary>Whether in-plane strains cause no σ_yz, σ_xz (the xy plane is a mirror plane).</summary>
    public readonly bool IsMonoclinic()
    {
        double largest = 0;
        for (int k = 0; k < 36; k++) largest = Math.Max(largest, Math.Abs(this[k]));
        ReadOnlySpan<int> inPlane = [0, 1, 2, 5];
        foreach (int i in inPlane)
            if (Math.Abs(this[i * 6 + 3]) > 1e-14 * largest || Math.Abs(this[i * 6 + 4]) > 1e-14 * largest) return false;
        return true;
    }
}

/// <summary>
/// Linear elasticity with any stiffness, cubic crystals in any orientation included: σ = C ε in Voigt form; the tangent is C (in the plane
/// its rows and columns xx, yy, xy: plane strain). No state. Source: Nye, Physical Properties of Crystals (1985), chapter VIII.
/// </summary>
/// <typeparam name="TSolid"><see cref="Yes"/> in space, <see cref="No"/> in plane strain.</typeparam>
/// <param name="stiffness">C in the frame of the job, stress unit.</param>
public readonly struct AnisotropicElastic<TSolid>(Stiffness6 stiffness) : ILaw<AnisotropicElastic<TSolid>> where TSolid : struct, IFlag
{
    private readonly Stiffness6 _c = stiffness;

    /// <inheritdoc/>
    public static StrainSpace Space => TSolid.Value ? StrainSpace.SolidSmall : StrainSpace.PlaneSmall;

    /// <inheritdoc/>
    public int StateSize => 0;

    /// <inheritdoc/>
    public AnisotropicElastic<TSolid> ForStep(double timeStep) => this;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag
    {
        int n = TSolid.Value ? 6 : 3;
        for (int i = 0; i < n; i++)
        {
            int row = TSolid.Value ? i * 6 : (i + i / 2 * 3) * 6; // rows 0, 1, 5 in the plane
            var sum = Lanes4.Zero;
            for (int j = 0; j < n; j++)
            {
                var c = Lane4.Of(_c[row + (TSolid.Value ? j : j + j / 2 * 3)]);
                sum = Lane4.Fma(c, Get(in strain, j), sum);
                if (TTangent.Value) Ref(ref tangent, i * n + j) = c;
            }
            Ref(ref stress, i) = sum;
        }
        return Lanes4.Zero;
    }

    /// <inheritdoc/>
    public void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
    {
        Lanes4 xx = Get(in strain, 0), yy = Get(in strain, 1), xy = Get(in strain, 2);
        zz = Lane4.Of(_c[12]) * xx + Lane4.Of(_c[13]) * yy + Lane4.Of(_c[17]) * xy;
        yz = Lane4.Of(_c[18]) * xx + Lane4.Of(_c[19]) * yy + Lane4.Of(_c[23]) * xy;
        xz = Lane4.Of(_c[24]) * xx + Lane4.Of(_c[25]) * yy + Lane4.Of(_c[29]) * xy;
    }
}
