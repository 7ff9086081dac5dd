using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Elements;

/// <summary>
/// The element routine at one quadrature point, for four elements at once (four neighbours of one model, or the same element of four
/// representative volumes). With gradients gₐ = ∂Nₐ/∂X, displacement u and quadrature weight w·det J:
/// <code>
/// strain     ε = sym Σₐ uₐ ⊗ gₐ   (engineering shears)      F = 1 + Σₐ uₐ ⊗ gₐ
/// force      fₐ += w σ·gₐ                                    fₐ += w P·gₐ
/// stiffness  Kₐᵦ += w gₐ·C·gᵦ                                Kₐᵦ += w gₐ·(∂P/∂F)·gᵦ
/// </code>
/// All arrays hold one vector of four lanes per number: gradients and displacements [node·dim + component], strain, stress [n], tangent
/// [n·n] row-major, stiffness [row·N + column] with N = nodes·dim.
/// </summary>
[SkipLocalsInit]
public static class ElementKernels
{
    private const MethodImplOptions Hot = MethodImplOptions.AggressiveOptimization;

    /// <summary>Strain (or F) from displacements.</summary>
    [MethodImpl(Hot)]
    public static void Strain(StrainSpace space, int nodes, ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> u, Span<Lanes4> strain)
    {
        int dim = space.Dimension();
        Check(gradients.Length, nodes * dim, u.Length, nodes * dim, strain.Length, space.Components());
        ref var g = ref MemoryMarshal.GetReference(gradients);
        ref var v = ref MemoryMarshal.GetReference(u);
        ref var e = ref MemoryMarshal.GetReference(strain);
        if (dim == 2)
        {
            Lanes4 h00 = Lanes4.Zero, h01 = h00, h10 = h00, h11 = h00;
            for (int a = 0; a < nodes; a++)
            {
                Lanes4 ux = Unsafe.Add(ref v, 2 * a), uy = Unsafe.Add(ref v, 2 * a + 1);
                Lanes4 gx = Unsafe.Add(ref g, 2 * a), gy = Unsafe.Add(ref g, 2 * a + 1);
                h00 = Lane4.Fma(ux, gx, h00);
                h01 = Lane4.Fma(ux, gy, h01);
                h10 = Lane4.Fma(uy, gx, h10);
                h11 = Lane4.Fma(uy, gy, h11);
            }
            if (space == StrainSpace.PlaneSmall)
            {
                e = h00;
                Unsafe.Add(ref e, 1) = h11;
                Unsafe.Add(ref e, 2) = h01 + h10;
            }
            else
            {
                e = h00 + Lane4.Of(1);
                Unsafe.Add(ref e, 1) = h01;
                Unsafe.Add(ref e, 2) = h10;
                Unsafe.Add(ref e, 3) = h11 + Lane4.Of(1);
            }
            return;
        }
        Lanes4 a00 = Lanes4.Zero, a01 = a00, a02 = a00, a10 = a00, a11 = a00, a12 = a00, a20 = a00, a21 = a00, a22 = a00;
        for (int a = 0; a < nodes; a++)
        {
            Lanes4 ux = Unsafe.Add(ref v, 3 * a), uy = Unsafe.Add(ref v, 3 * a + 1), uz = Unsafe.Add(ref v, 3 * a + 2);
            Lanes4 gx = Unsafe.Add(ref g, 3 * a), gy = Unsafe.Add(ref g, 3 * a + 1), gz = Unsafe.Add(ref g, 3 * a + 2);
            a00 = Lane4.Fma(ux, gx, a00); a01 = Lane4.Fma(ux, gy, a01); a02 = Lane4.Fma(ux, gz, a02);
            a10 = Lane4.Fma(uy, gx, a10); a11 = Lane4.Fma(uy, gy, a11); a12 = Lane4.Fma(uy, gz, a12);
            a20 = Lane4.Fma(uz, gx, a20); a21 = Lane4.Fma(uz, gy, a21); a22 = Lane4.Fma(uz, gz, a22);
        }
        if (space == StrainSpace.SolidSmall)
        {
            e = a00;
            Unsafe.Add(ref e, 1) = a11;
            Unsafe.Add(ref e, 2) = a22;
            Unsafe.Add(ref e, 3) = a12 + a21;
            Unsafe.Add(ref e, 4) = a02 + a20;
            Unsafe.Add(ref e, 5) = a01 + a10;
        }
        else
        {
            var one = Lane4.Of(1);
            e = a00 + one; Unsafe.Add(ref e, 1) = a01; Unsafe.Add(ref e, 2) = a02;
            Unsafe.Add(ref e, 3) = a10; Unsafe.Add(ref e, 4) = a11 + one; Unsafe.Add(ref e, 5) = a12;
            Unsafe.Add(ref e, 6) = a20; Unsafe.Add(ref e, 7) = a21; Unsafe.Add(ref e, 8) = a22 + one;
        }
    }

    /// <summary>Adds w Bᵀ·stress to the nodal forces.</summary>
    [MethodImpl(Hot)]
    public static void AddForce(StrainSpace space, int nodes, ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> stress, Lanes4 weight,
        Span<Lanes4> force)
    {
        int dim = space.Dimension();
        Check(gradients.Length, nodes * dim, force.Length, nodes * dim, stress.Length, space.Components());
        ref var g = ref MemoryMarshal.GetReference(gradients);
        ref var f = ref MemoryMarshal.GetReference(force);
        if (dim == 2)
        {
            bool small = space == StrainSpace.PlaneSmall;
            Lanes4 s00 = weight * stress[0], s01 = weight * stress[small ? 2 : 1], s10 = small ? s01 : weight * stress[2];
            Lanes4 s11 = weight * stress[small ? 1 : 3];
            for (int a = 0; a < nodes; a++)
            {
                Lanes4 gx = Unsafe.Add(ref g, 2 * a), gy = Unsafe.Add(ref g, 2 * a + 1);
                ref var fa = ref Unsafe.Add(ref f, 2 * a);
                fa = Lane4.Fma(s00, gx, Lane4.Fma(s01, gy, fa));
                fa = ref Unsafe.Add(ref fa, 1);
                fa = Lane4.Fma(s10, gx, Lane4.Fma(s11, gy, fa));
            }
            return;
        }
        Lanes4 t00, t01, t02, t10, t11, t12, t20, t21, t22;
        if (space == StrainSpace.SolidSmall)
        {
            t00 = weight * stress[0]; t11 = weight * stress[1]; t22 = weight * stress[2];
            t12 = t21 = weight * stress[3]; t02 = t20 = weight * stress[4]; t01 = t10 = weight * stress[5];
        }
        else
        {
            t00 = weight * stress[0]; t01 = weight * stress[1]; t02 = weight * stress[2];
            t10 = weight * stress[3]; t11 = weight * stress[4]; t12 = weight * stress[5];
            t20 = weight * stress[6]; t21 = weight * stress[7]; t22 = weight * stress[8];
        }
        for (int a = 0; a < nodes; a++)
        {
            Lanes4 gx = Unsafe.Add(ref g, 3 * a), gy = Unsafe.Add(ref g, 3 * a + 1), gz = Unsafe.Add(ref g, 3 * a + 2);
            ref var fa = ref Unsafe.Add(ref f, 3 * a);
            fa = Lane4.Fma(t00, gx, Lane4.Fma(t01, gy, Lane4.Fma(t02, gz, fa)));
            fa = ref Unsafe.Add(ref fa, 1);
            fa = Lane4.Fma(t10, gx, Lane4.Fma(t11, gy, Lane4.Fma(t12, gz, fa)));
            fa = ref Unsafe.Add(ref fa, 1);
            fa = Lane4.Fma(t20, gx, Lane4.Fma(t21, gy, Lane4.Fma(t22, gz, fa)));
        }
    }

    /// <summary>Adds w Bᵀ·tangent·B to the element stiffness.</summary>
    /// <param name="space">Strain measure.</param>
    /// <param name="nodes">Nodes of the element.</param>
    /// <param name="gradients">gₐ.</param>
    /// <param name="tangent">n × n.</param>
    /// <param name="weight">Quadrature weight times det J (times thickness).</param>
    /// <param name="symmetric">Only the lower triangle of node blocks (column node ≤ row node) is computed.</param>
    /// <param name="stiffness">N × N, accumulated.</param>
    [MethodImpl(Hot)]
    public static void AddStiffness(StrainSpace space, int nodes, ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> tangent, Lanes4 weight,
        bool symmetric, Span<Lanes4> stiffness)
    {
        int dim = space.Dimension(), n = space.Components(), size = nodes * dim;
        Check(gradients.Length, size, tangent.Length, n * n, stiffness.Length, size * size);
        ref var g = ref MemoryMarshal.GetReference(gradients);
        ref var c = ref MemoryMarshal.GetReference(tangent);
        ref var k = ref MemoryMarshal.GetReference(stiffness);
        switch (space)
        {
            case StrainSpace.PlaneSmall: PlaneSmall(ref g, ref c, ref k, nodes, weight, symmetric); break;
            case StrainSpace.PlaneFinite: PlaneFinite(ref g, ref c, ref k, nodes, weight, symmetric); break;
            case StrainSpace.SolidSmall: SolidSmall(ref g, ref c, ref k, nodes, weight, symmetric); break;
            default: SolidFinite(ref g, ref c, ref k, nodes, weight, symmetric); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes4 At(ref Lanes4 first, int index) => Unsafe.Add(ref first, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add2(ref Lanes4 at, Lanes4 a, Lanes4 b, Lanes4 c, Lanes4 d) => at = Lane4.Fma(a, b, Lane4.Fma(c, d, at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add3(ref Lanes4 at, Lanes4 a, Lanes4 b, Lanes4 c, Lanes4 d, Lanes4 e, Lanes4 f) =>
        at = Lane4.Fma(a, b, Lane4.Fma(c, d, Lane4.Fma(e, f, at)));

    [MethodImpl(Hot)]
    private static void PlaneSmall(ref Lanes4 g, ref Lanes4 c, ref Lanes4 k, int nodes, Lanes4 w, bool symmetric)
    {
        int size = 2 * nodes;
        Lanes4 c00 = w * c, c01 = w * At(ref c, 1), c02 = w * At(ref c, 2);
        Lanes4 c10 = w * At(ref c, 3), c11 = w * At(ref c, 4), c12 = w * At(ref c, 5);
        Lanes4 c20 = w * At(ref c, 6), c21 = w * At(ref c, 7), c22 = w * At(ref c, 8);
        for (int b = 0; b < nodes; b++)
        {
            Lanes4 gx = At(ref g, 2 * b), gy = At(ref g, 2 * b + 1);
            // columns of w·C·B for the two displacements of node b
            Lanes4 x0 = Lane4.Fma(c00, gx, c02 * gy), x1 = Lane4.Fma(c10, gx, c12 * gy), x2 = Lane4.Fma(c20, gx, c22 * gy);
            Lanes4 y0 = Lane4.Fma(c01, gy, c02 * gx), y1 = Lane4.Fma(c11, gy, c12 * gx), y2 = Lane4.Fma(c21, gy, c22 * gx);
            for (int a = symmetric ? b : 0; a < nodes; a++)
            {
                Lanes4 hx = At(ref g, 2 * a), hy = At(ref g, 2 * a + 1);
                ref var at = ref Unsafe.Add(ref k, 2 * a * size + 2 * b);
                Add2(ref at, hx, x0, hy, x2);
                Add2(ref Unsafe.Add(ref at, 1), hx, y0, hy, y2);
                at = ref Unsafe.Add(ref at, size);
                Add2(ref at, hy, x1, hx, x2);
                Add2(ref Unsafe.Add(ref at, 1), hy, y1, hx, y2);
            }
        }
    }

    [MethodImpl(Hot)]
    private static void PlaneFinite(ref Lanes4 g, ref Lanes4 c, ref Lanes4 k, int nodes, Lanes4 w, bool symmetric)
    {
        int size = 2 * nodes;
        for (int b = 0; b < nodes; b++)
        {
            Lanes4 gx = w * At(ref g, 2 * b), gy = w * At(ref g, 2 * b + 1);
            Lanes4 x0 = Lane4.Fma(At(ref c, 0), gx, At(ref c, 1) * gy), y0 = Lane4.Fma(At(ref c, 2), gx, At(ref c, 3) * gy);
            Lanes4 x1 = Lane4.Fma(At(ref c, 4), gx, At(ref c, 5) * gy), y1 = Lane4.Fma(At(ref c, 6), gx, At(ref c, 7) * gy);
            Lanes4 x2 = Lane4.Fma(At(ref c, 8), gx, At(ref c, 9) * gy), y2 = Lane4.Fma(At(ref c, 10), gx, At(ref c, 11) * gy);
            Lanes4 x3 = Lane4.Fma(At(ref c, 12), gx, At(ref c, 13) * gy), y3 = Lane4.Fma(At(ref c, 14), gx, At(ref c, 15) * gy);
            for (int a = symmetric ? b : 0; a < nodes; a++)
            {
                Lanes4 hx = At(ref g, 2 * a), hy = At(ref g, 2 * a + 1);
                ref var at = ref Unsafe.Add(ref k, 2 * a * size + 2 * b);
                Add2(ref at, hx, x0, hy, x1);
                Add2(ref Unsafe.Add(ref at, 1), hx, y0, hy, y1);
                at = ref Unsafe.Add(ref at, size);
                Add2(ref at, hx, x2, hy, x3);
                Add2(ref Unsafe.Add(ref at, 1), hx, y2, hy, y3);
            }
        }
    }

    [MethodImpl(Hot)]
    private static void SolidSmall(ref Lanes4 g, ref Lanes4 c, ref Lanes4 k, int nodes, Lanes4 w, bool symmetric)
    {
        int size = 3 * nodes;
        Span<Lanes4> cb = stackalloc Lanes4[18]; // w·C·B of one node, 6 × 3
        ref var d = ref MemoryMarshal.GetReference(cb);
        for (int b = 0; b < nodes; b++)
        {
            Lanes4 gx = w * At(ref g, 3 * b), gy = w * At(ref g, 3 * b + 1), gz = w * At(ref g, 3 * b + 2);
            for (int r = 0; r < 6; r++)
            {
                ref var row = ref Unsafe.Add(ref c, 6 * r);
                Lanes4 cyz = At(ref row, 3), cxz = At(ref row, 4), cxy = At(ref row, 5);
                Unsafe.Add(ref d, 3 * r) = Lane4.Fma(row, gx, Lane4.Fma(cxz, gz, cxy * gy));
                Unsafe.Add(ref d, 3 * r + 1) = Lane4.Fma(At(ref row, 1), gy, Lane4.Fma(cyz, gz, cxy * gx));
                Unsafe.Add(ref d, 3 * r + 2) = Lane4.Fma(At(ref row, 2), gz, Lane4.Fma(cyz, gy, cxz * gx));
            }
            for (int a = symmetric ? b : 0; a < nodes; a++)
            {
                Lanes4 hx = At(ref g, 3 * a), hy = At(ref g, 3 * a + 1), hz = At(ref g, 3 * a + 2);
                ref var at = ref Unsafe.Add(ref k, 3 * a * size + 3 * b);
                for (int j = 0; j < 3; j++)
                {
                    Lanes4 yz = At(ref d, 9 + j), xz = At(ref d, 12 + j), xy = At(ref d, 15 + j);
                    Add3(ref Unsafe.Add(ref at, j), hx, At(ref d, j), hz, xz, hy, xy);
                    Add3(ref Unsafe.Add(ref at, size + j), hy, At(ref d, 3 + j), hz, yz, hx, xy);
                    Add3(ref Unsafe.Add(ref at, 2 * size + j), hz, At(ref d, 6 + j), hy, yz, hx, xz);
                }
            }
        }
    }

    [MethodImpl(Hot)]
    private static void SolidFinite(ref Lanes4 g, ref Lanes4 c, ref Lanes4 k, int nodes, Lanes4 w, bool symmetric)
    {
        int size = 3 * nodes;
        Span<Lanes4> cb = stackalloc Lanes4[27]; // w·(∂P/∂F)·g of one node: 9 × 3
        ref var d = ref MemoryMarshal.GetReference(cb);
        for (int b = 0; b < nodes; b++)
        {
            Lanes4 gx = w * At(ref g, 3 * b), gy = w * At(ref g, 3 * b + 1), gz = w * At(ref g, 3 * b + 2);
            for (int r = 0; r < 27; r++)
            {
                ref var row = ref Unsafe.Add(ref c, 3 * r);
                Unsafe.Add(ref d, r) = Lane4.Fma(row, gx, Lane4.Fma(At(ref row, 1), gy, At(ref row, 2) * gz));
            }
            for (int a = symmetric ? b : 0; a < nodes; a++)
            {
                Lanes4 hx = At(ref g, 3 * a), hy = At(ref g, 3 * a + 1), hz = At(ref g, 3 * a + 2);
                ref var at = ref Unsafe.Add(ref k, 3 * a * size + 3 * b);
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < 3; j++)
                        Add3(ref Unsafe.Add(ref at, i * size + j), hx, At(ref d, 9 * i + j), hy, At(ref d, 9 * i + 3 + j),
                            hz, At(ref d, 9 * i + 6 + j));
            }
        }
    }

    // The bodies run on bare references: lengths are checked once here.
    private static void Check(int a, int needA, int b, int needB, int c, int needC)
    {
        if (a < needA || b < needB || c < needC) throw new ArgumentException("an array of the element routine is too short");
    }
}
