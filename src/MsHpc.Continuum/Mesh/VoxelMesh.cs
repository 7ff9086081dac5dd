using System.Globalization;
using System.Runtime.InteropServices;

namespace MsHpc.Continuum;

/// <summary>Turns an image into a mesh with one element per cell.</summary>
public static class VoxelMesh
{
    /// <summary>
    /// Quad4 (Hex8) mesh of an image. One block per phase, in rising order of the labels, its region the label as text; within a block the
    /// elements follow each other with x fastest, then y, then z (note that <see cref="Voxels.Labels"/> has the last index fastest). Node
    /// (i, j, k) has the number i + (Nx + 1)(j + (Ny + 1) k). Boundaries left, right, bottom, top (, front, back) as in
    /// <see cref="StructuredMesh"/>.
    /// </summary>
    /// <exception cref="Core.InputException">The mesh would be too large.</exception>
    public static Mesh Create(Voxels voxels)
    {
        ArgumentNullException.ThrowIfNull(voxels);
        int dim = voxels.Dimension, nx = voxels.Shape[0], ny = voxels.Shape[1], nz = dim == 3 ? voxels.Shape[2] : 1;
        var type = dim == 2 ? ElementType.Quad4 : ElementType.Hex8;
        var grid = new Lattice(type, dim, nx, ny, nz, wrapY: false);
        var blocks = new SortedDictionary<int, List<int>>();
        int cell = 0, size = type.Nodes();
        for (int k = 0; k < nz; k++)
            for (int j = 0; j < ny; j++)
                for (int i = 0; i < nx; i++, cell++)
                {
                    int label = voxels[i, j, k];
                    if (!blocks.TryGetValue(label, out var list)) blocks.Add(label, list = []);
                    list.AddRange(grid.Connectivity.AsSpan(cell * size, size));
                }
        double[] lengths = voxels.Size;
        int[] shape = voxels.Shape;
        return new Mesh(dim, grid.Coordinates((i, j, k, p) =>
        {
            p[0] = At(i, 0);
            p[1] = At(j, 1);
            if (dim == 3) p[2] = At(k, 2);
        }), [.. blocks.Select(b => new CellBlock(type, b.Key.ToString(CultureInfo.InvariantCulture), CollectionsMarshal.AsSpan(b.Value).ToArray()))],
            grid.Boundaries(grid.Side));

        double At(int half, int d) => half == 2 * shape[d] ? lengths[d] : lengths[d] * (half / 2) / shape[d];
    }

    /// <summary>
    /// Cell index in <see cref="Voxels.Labels"/> of each element of the mesh that <see cref="Create"/> makes, block after block; carries
    /// cell fields from the image to the mesh.
    /// </summary>
    public static int[] CellOrder(Voxels voxels)
    {
        ArgumentNullException.ThrowIfNull(voxels);
        int nx = voxels.Shape[0], ny = voxels.Shape[1], nz = voxels.Dimension == 3 ? voxels.Shape[2] : 1;
        var order = new SortedDictionary<int, List<int>>();
        for (int k = 0; k < nz; k++)
            for (int j = 0; j < ny; j++)
                for (int i = 0; i < nx; i++)
                {
                    int cell = (i * ny + j) * nz + k, label = voxels.Labels[cell];
                    if (!order.TryGetValue(label, out var list)) order.Add(label, list = []);
                    list.Add(cell);
                }
        return [.. order.Values.SelectMany(l => l)];
    }
}
