using System.Runtime.CompilerServices;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Elements;

/// <summary>
/// The element routine at one quadrature point, for eight elements at once (eight neighbours of one model, or the same element of eight
/// representative volumes). With gradients gₐ = ∂Nₐ/∂X, displacement u and quadrature weight w·det J:
/// <code>
/// strain     ε = sym Σₐ uₐ ⊗ gₐ   (engineering shears)      F = 1 + Σₐ uₐ ⊗ gₐ
/// force      fₐ += w σ·gₐ                                    fₐ += w P·gₐ
/// stiffness  Kₐᵦ += w gₐ·C·gᵦ                                Kₐᵦ += w gₐ·(∂P/∂F)·gᵦ
/// </code>
/// All arrays hold one vector of eight lanes per number: gradients and displacements [node·dim + component], strain, stress [n], tangent
/// [n·n] row-major, stiffness [row·N + column] with N = nodes·dim.
/// </summary>
public static class ElementKernels
{
    /// <summary>Strain (or F) from displacements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Strain(StrainSpace space, int nodes, ReadOnlySpan<Lanes> gradients, ReadOnlySpan<Lanes> u, Span<Lanes> strain)
    {
        int dim = space.Dimension();
        Span<Lanes> h = stackalloc Lanes[9]; // displacement gradient, row-major dim × dim
        h.Clear();
        for (int a = 0; a < nodes; a++)
            for (int i = 0; i < dim; i++)
            {
                var ui = u[a * dim + i];
                for (int j = 0; j < dim; j++) h[i * dim + j] = Lane.Fma(ui, gradients[a * dim + j], h[i * dim + j]);
            }
        switch (space)
        {
            case StrainSpace.PlaneSmall:
                strain[0] = h[0]; strain[1] = h[3]; strain[2] = h[1] + h[2];
                break;
            case StrainSpace.SolidSmall:
                strain[0] = h[0]; strain[1] = h[4]; strain[2] = h[8];
                strain[3] = h[5] + h[7]; strain[4] = h[2] + h[6]; strain[5] = h[1] + h[3];
                break;
            default:
                for (int k = 0; k < dim * dim; k++) strain[k] = h[k];
                for (int i = 0; i < dim; i++) strain[i * dim + i] += Lane.Of(1);
                break;
        }
    }

    /// <summary>Adds w Bᵀ·stress to the nodal forces.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddForce(StrainSpace space, int nodes, ReadOnlySpan<Lanes> gradients, ReadOnlySpan<Lanes> stress, Lanes weight,
        Span<Lanes> force)
    {
        int dim = space.Dimension();
        Span<Lanes> s = stackalloc Lanes[9]; // w·σ or w·P as a full tensor
        if (space.IsFinite()) for (int k = 0; k < dim * dim; k++) s[k] = weight * stress[k];
        else if (dim == 2) { s[0] = weight * stress[0]; s[3] = weight * stress[1]; s[1] = s[2] = weight * stress[2]; }
        else
        {
            s[0] = weight * stress[0]; s[4] = weight * stress[1]; s[8] = weight * stress[2];
            s[5] = s[7] = weight * stress[3]; s[2] = s[6] = weight * stress[4]; s[1] = s[3] = weight * stress[5];
        }
        for (int a = 0; a < nodes; a++)
            for (int i = 0; i < dim; i++)
            {
                var f = force[a * dim + i];
                for (int j = 0; j < dim; j++) f = Lane.Fma(s[i * dim + j], gradients[a * dim + j], f);
                force[a * dim + i] = f;
            }
    }

    /// <summary>Adds w Bᵀ·tangent·B to the element stiffness.</summary>
    /// <param name="space">Strain measure.</param>
    /// <param name="nodes">Nodes of the element.</param>
    /// <param name="gradients">gₐ.</param>
    /// <param name="tangent">n × n.</param>
    /// <param name="weight">Quadrature weight times det J (times thickness).</param>
    /// <param name="symmetric">Only the lower triangle (column ≤ row) is computed.</param>
    /// <param name="stiffness">N × N, accumulated.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddStiffness(StrainSpace space, int nodes, ReadOnlySpan<Lanes> gradients, ReadOnlySpan<Lanes> tangent, Lanes weight,
        bool symmetric, Span<Lanes> stiffness)
    {
        int dim = space.Dimension(), n = space.Components(), size = nodes * dim;
        Span<Lanes> cb = stackalloc Lanes[27]; // w·C·B of one node: n × dim
        for (int b = 0; b < nodes; b++)
        {
            var g = gradients.Slice(b * dim, dim);
            for (int r = 0; r < n; r++)
            {
                var c = tangent.Slice(r * n, n);
                switch (space)
                {
                    case StrainSpace.PlaneSmall:
                        cb[r * 2] = weight * Lane.Fma(c[0], g[0], c[2] * g[1]);
                        cb[r * 2 + 1] = weight * Lane.Fma(c[1], g[1], c[2] * g[0]);
                        break;
                    case StrainSpace.SolidSmall:
                        cb[r * 3] = weight * Lane.Fma(c[0], g[0], Lane.Fma(c[4], g[2], c[5] * g[1]));
                        cb[r * 3 + 1] = weight * Lane.Fma(c[1], g[1], Lane.Fma(c[3], g[2], c[5] * g[0]));
                        cb[r * 3 + 2] = weight * Lane.Fma(c[2], g[2], Lane.Fma(c[3], g[1], c[4] * g[0]));
                        break;
                    case StrainSpace.PlaneFinite:
                        cb[r * 2] = weight * Lane.Fma(c[0], g[0], c[1] * g[1]);
                        cb[r * 2 + 1] = weight * Lane.Fma(c[2], g[0], c[3] * g[1]);
                        break;
                    default:
                        for (int j = 0; j < 3; j++)
                            cb[r * 3 + j] = weight * Lane.Fma(c[j * 3], g[0], Lane.Fma(c[j * 3 + 1], g[1], c[j * 3 + 2] * g[2]));
                        break;
                }
            }
            for (int a = symmetric ? b : 0; a < nodes; a++)
            {
                var h = gradients.Slice(a * dim, dim);
                for (int j = 0; j < dim; j++)
                {
                    int at = a * dim * size + b * dim + j;
                    switch (space)
                    {
                        case StrainSpace.PlaneSmall:
                            stiffness[at] = Lane.Fma(h[0], cb[j], Lane.Fma(h[1], cb[4 + j], stiffness[at]));
                            stiffness[at + size] = Lane.Fma(h[1], cb[2 + j], Lane.Fma(h[0], cb[4 + j], stiffness[at + size]));
                            break;
                        case StrainSpace.SolidSmall:
                            stiffness[at] = Lane.Fma(h[0], cb[j], Lane.Fma(h[2], cb[12 + j], Lane.Fma(h[1], cb[15 + j], stiffness[at])));
                            at += size;
                            stiffness[at] = Lane.Fma(h[1], cb[3 + j], Lane.Fma(h[2], cb[9 + j], Lane.Fma(h[0], cb[15 + j], stiffness[at])));
                            at += size;
                            stiffness[at] = Lane.Fma(h[2], cb[6 + j], Lane.Fma(h[1], cb[9 + j], Lane.Fma(h[0], cb[12 + j], stiffness[at])));
                            break;
                        case StrainSpace.PlaneFinite:
                            stiffness[at] = Lane.Fma(h[0], cb[j], Lane.Fma(h[1], cb[2 + j], stiffness[at]));
                            stiffness[at + size] = Lane.Fma(h[0], cb[4 + j], Lane.Fma(h[1], cb[6 + j], stiffness[at + size]));
                            break;
                        default:
                            for (int i = 0; i < 3; i++, at += size)
                                stiffness[at] = Lane.Fma(h[0], cb[i * 9 + j], Lane.Fma(h[1], cb[i * 9 + 3 + j],
                                    Lane.Fma(h[2], cb[i * 9 + 6 + j], stiffness[at])));
                            break;
                    }
                }
            }
        }
    }
}
