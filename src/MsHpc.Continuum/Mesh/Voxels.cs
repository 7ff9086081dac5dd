using MsHpc.Continuum.IO;
using MsHpc.Core;

namespace MsHpc.Continuum;

/// <summary>
/// An image of a microstructure: a phase label per cell of a regular grid. Index [i, j, k] is the cell at (x, y, z), stored as NumPy does (C
/// order: the last index runs fastest), so <c>np.load</c> of a saved image and <see cref="Labels"/> agree element by element.
/// </summary>
public sealed class Voxels
{
    /// <summary>Wraps labels; the arrays are not copied.</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <param name="labels">Phase of each cell, C order.</param>
    /// <param name="size">Edge lengths of the whole image.</param>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public Voxels(int[] shape, int[] labels, double[] size)
    {
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(labels);
        ArgumentNullException.ThrowIfNull(size);
        if (CellCount(shape) != labels.Length) throw new InputException($"{labels.Length} labels do not fill an image of {string.Join(" x ", shape)} cells");
        if (size.Length != shape.Length || size.Any(l => !(l > 0) || !double.IsFinite(l)))
            throw new InputException($"an image of {shape.Length} dimensions needs as many positive lengths, not ({string.Join(", ", size)})");
        (Shape, Labels, Size) = (shape, labels, size);
    }

    /// <summary>Cells along each axis.</summary>
    public int[] Shape { get; }

    /// <summary>Phase of each cell, C order.</summary>
    public int[] Labels { get; }

    /// <summary>Edge lengths of the whole image.</summary>
    public double[] Size { get; }

    /// <summary>2 or 3.</summary>
    public int Dimension => Shape.Length;

    /// <summary>Label of cell (i, j, k).</summary>
    public int this[int i, int j, int k = 0] => Labels[Dimension == 2 ? i * Shape[1] + j : (i * Shape[1] + j) * Shape[2] + k];

    /// <summary>Edge lengths of a cell.</summary>
    public double[] Spacing => [.. Size.Select((l, d) => l / Shape[d])];

    /// <summary>The labels that occur, rising.</summary>
    public int[] Phases => [.. Labels.Distinct().Order()];

    /// <summary>Number of cells with a label.</summary>
    public int Count(int label) => Labels.AsSpan().Count(label);

    /// <summary>An image from a function of the cell's centre.</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <param name="size">Edge lengths.</param>
    /// <param name="label">Phase at a point (two or three coordinates, origin at the corner of the image).</param>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public static Voxels FromFunction(int[] shape, double[] size, Func<double[], int> label)
    {
        ArgumentNullException.ThrowIfNull(label);
        ArgumentNullException.ThrowIfNull(size);
        var voxels = new Voxels(shape, new int[CellCount(shape)], size);
        var x = new double[shape.Length];
        for (int c = 0; c < voxels.Labels.Length; c++)
        {
            for (int d = shape.Length - 1, rest = c; d >= 0; rest /= shape[d], d--) x[d] = (rest % shape[d] + 0.5) / shape[d] * size[d];
            voxels.Labels[c] = label(x);
        }
        return voxels;
    }

    /// <summary>An image from a .npy file of two or three dimensions.</summary>
    /// <exception cref="InputException">The file is no such array, or the size does not fit it.</exception>
    public static Voxels Load(string path, params double[] size)
    {
        var array = Npy.Read(path);
        try { return FromArray(array, size); }
        catch (InputException e) when (e.Faults[0].File is null) { throw new InputException(path, 0, 0, e.Message); }
    }

    /// <summary>An image from an array of two or three dimensions.</summary>
    /// <exception cref="InputException">The array has other dimensions or no integers, or the size does not fit it.</exception>
    public static Voxels FromArray(NpyArray array, params double[] size)
    {
        ArgumentNullException.ThrowIfNull(array);
        return new Voxels([.. array.Shape], array.ToInts(), size);
    }

    /// <summary>Writes the labels as .npy: as bytes when they fit, else as 32-bit integers.</summary>
    /// <exception cref="InputException">The file cannot be written.</exception>
    public void Save(string path)
    {
        if (Labels.Any(l => l is < 0 or > 255)) Npy.Write<int>(path, Labels, Shape);
        else Npy.Write<byte>(path, [.. Labels.Select(l => (byte)l)], Shape);
    }

    /// <summary>The image of a cross-section, drawn out along a new axis.</summary>
    /// <param name="axis">Place of the new axis: 0 = x, 1 = y, 2 = z.</param>
    /// <param name="cells">Cells along it.</param>
    /// <param name="length">Length along it.</param>
    /// <exception cref="InputException">The image is not two-dimensional, or a number is out of range.</exception>
    public Voxels Extrude(int axis, int cells, double length)
    {
        if (Dimension != 2) throw new InputException("only a two-dimensional image can be extruded");
        if (axis is < 0 or > 2) throw new InputException($"axis {axis} is none of 0, 1, 2");
        int[] shape = [.. Shape[..axis], cells, .. Shape[axis..]];
        var labels = new int[CellCount(shape)];
        for (int c = 0; c < labels.Length; c++)
        {
            int k = c % shape[2], j = c / shape[2] % shape[1], i = c / shape[2] / shape[1];
            labels[c] = axis == 0 ? this[j, k] : axis == 1 ? this[i, k] : this[i, j];
        }
        return new Voxels(shape, labels, [.. Size[..axis], length, .. Size[axis..]]);
    }

    /// <summary>Product of the extents.</summary>
    /// <exception cref="InputException">There are not two or three positive extents, or too many cells.</exception>
    internal static int CellCount(int[] shape)
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Length is not (2 or 3)) throw new InputException($"an image has two or three dimensions, not {shape.Length}");
        if (shape.Any(n => n < 1)) throw new InputException($"an image of {string.Join(" x ", shape)} cells has no cells");
        Int128 cells = shape.Aggregate((Int128)1, (p, n) => p * n);
        return cells <= 1 << 30 ? (int)cells : throw new InputException($"an image of {string.Join(" x ", shape)} cells is too large");
    }
}
