using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>Round inclusions (discs or spheres) in a periodic cell.</summary>
/// <param name="Size">Edge lengths of the cell, two or three.</param>
/// <param name="Centres">Coordinates of the centres, one inclusion after the other.</param>
/// <param name="Radii">One radius per inclusion.</param>
public sealed record Inclusions(double[] Size, double[] Centres, double[] Radii)
{
    /// <summary>2 or 3.</summary>
    public int Dimension => Size.Length;

    /// <summary>Area (volume) of the inclusions over that of the cell, as long as they do not overlap.</summary>
    public double VolumeFraction => Radii.Sum(r => Volume(Dimension, r)) / Size.Aggregate(1.0, (p, l) => p * l);

    /// <summary>Inclusions given by hand, all of one radius.</summary>
    /// <param name="size">Edge lengths of the cell.</param>
    /// <param name="radius">Radius.</param>
    /// <param name="centres">Centres, each with as many coordinates as the cell has dimensions.</param>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public static Inclusions At(double[] size, double radius, params double[][] centres)
    {
        Microstructures.CheckSize(size);
        if (!(radius > 0) || !double.IsFinite(radius)) throw new InputException($"the radius {radius} is not a positive number");
        if (centres.Length == 0 || centres.Any(c => c.Length != size.Length || c.Any(x => !double.IsFinite(x))))
            throw new InputException($"inclusions need centres of {size.Length} coordinates each");
        return new Inclusions(size, [.. centres.SelectMany(c => c)], [.. centres.Select(_ => radius)]);
    }

    /// <summary>One inclusion in the middle of the cell: a simple cubic (square) array.</summary>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public static Inclusions SimpleCubic(double[] size, double radius) => At(size, radius, [.. size.Select(l => 0.5 * l)]);

    /// <summary>One inclusion in the middle and one at the corners: a body-centred cubic (centred square) array.</summary>
    /// <exception cref="InputException">The numbers do not fit together.</exception>
    public static Inclusions BodyCentred(double[] size, double radius) => At(size, radius, [.. size.Select(l => 0.5 * l)], new double[size.Length]);

    /// <summary>The image: 0 where there is matrix, 1 where the cell centre lies in an inclusion (nearest periodic image, distance ≤ R).</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <exception cref="InputException">The shape does not fit the dimension.</exception>
    public Voxels ToVoxels(params int[] shape) => ToVoxels(shape, numbered: false);

    /// <summary>The image, with label 1 in every inclusion or 1 + its number.</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <param name="numbered">Label inclusion n with n + 1 instead of 1; where two overlap the later one wins.</param>
    /// <exception cref="InputException">The shape does not fit the dimension.</exception>
    public Voxels ToVoxels(int[] shape, bool numbered)
    {
        ArgumentNullException.ThrowIfNull(shape);
        int dim = Dimension;
        if (shape.Length != dim) throw new InputException($"a cell of {dim} dimensions cannot become an image of {shape.Length}");
        var labels = new int[Voxels.CellCount(shape)];
        int nz = dim == 3 ? shape[2] : 1;
        // Per axis, the cells within reach and the square of their nearest-image distance.
        var near = new List<(int Cell, double Square)>[3];
        near[2] = [(0, 0)];
        for (int n = 0; n < Radii.Length; n++)
        {
            double square = Radii[n] * Radii[n];
            for (int d = 0; d < dim; d++)
            {
                near[d] = [];
                for (int c = 0; c < shape[d]; c++)
                {
                    double x = (c + 0.5) / shape[d] * Size[d] - Centres[n * dim + d];
                    x -= Size[d] * Math.Round(x / Size[d]);
                    if (x * x <= square) near[d].Add((c, x * x));
                }
            }
            foreach (var (i, xx) in near[0])
                foreach (var (j, yy) in near[1])
                    foreach (var (k, zz) in near[2])
                        if (xx + yy + zz <= square) labels[(i * shape[1] + j) * nz + k] = numbered ? n + 1 : 1;
        }
        return new Voxels(shape, labels, Size);
    }

    internal static double Volume(int dim, double radius) => dim == 2 ? Math.PI * radius * radius : 4.0 / 3.0 * Math.PI * radius * radius * radius;
}

/// <summary>A periodic Voronoi polycrystal.</summary>
/// <param name="Grains">Image with the number of the grain, 0 … n − 1.</param>
/// <param name="Seeds">Coordinates of the seeds, grain by grain.</param>
/// <param name="Quaternions">Orientation of each grain as a unit quaternion (w, x, y, z), uniform on SO(3).</param>
public sealed record Polycrystal(Voxels Grains, double[] Seeds, double[] Quaternions)
{
    /// <summary>Number of grains.</summary>
    public int Count => Quaternions.Length / 4;

    /// <summary>Rotation matrix of a grain, row-major: it takes components in crystal axes to the axes of the sample.</summary>
    public double[] Rotation(int grain)
    {
        double w = Quaternions[4 * grain], x = Quaternions[4 * grain + 1], y = Quaternions[4 * grain + 2], z = Quaternions[4 * grain + 3];
        return
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
        ];
    }
}

/// <summary>Synthetic microstructures. All are periodic, and the same seed gives the same bits on every machine.</summary>
public static class Microstructures
{
    /// <summary>
    /// Non-overlapping discs or spheres of one radius by random sequential addition. Their number is the one that comes nearest to the wanted
    /// fraction; <see cref="Inclusions.VolumeFraction"/> tells what was reached.
    /// </summary>
    /// <param name="size">Edge lengths of the periodic cell, two or three.</param>
    /// <param name="fraction">Volume fraction; beyond about 0.5 (discs) or 0.35 (spheres) random addition jams.</param>
    /// <param name="radius">Radius.</param>
    /// <param name="gap">Smallest distance between two surfaces.</param>
    /// <param name="seed">Seed.</param>
    /// <exception cref="InputException">A number is out of range, or the fraction cannot be reached; the message tells how far it went.</exception>
    public static Inclusions RandomInclusions(double[] size, double fraction, double radius, double gap = 0, ulong seed = 0) =>
        RandomInclusions(size, fraction, _ => radius, gap, seed);

    /// <summary>Non-overlapping discs or spheres with a distribution of radii, by random sequential addition, the largest first.</summary>
    /// <param name="size">Edge lengths of the periodic cell, two or three.</param>
    /// <param name="fraction">Volume fraction.</param>
    /// <param name="radius">Quantile function of the radius: takes a number in (0, 1), gives a radius.</param>
    /// <param name="gap">Smallest distance between two surfaces.</param>
    /// <param name="seed">Seed.</param>
    /// <exception cref="InputException">A number is out of range, or the fraction cannot be reached; the message tells how far it went.</exception>
    public static Inclusions RandomInclusions(double[] size, double fraction, Func<double, double> radius, double gap = 0, ulong seed = 0)
    {
        ArgumentNullException.ThrowIfNull(radius);
        CheckSize(size);
        if (!(fraction > 0 && fraction < 1)) throw new InputException($"the volume fraction {fraction} is not between 0 and 1");
        if (!(gap >= 0) || !double.IsFinite(gap)) throw new InputException($"the gap {gap} is negative");
        int dim = size.Length;
        var random = new Generator(seed);
        double cell = size.Aggregate(1.0, (p, l) => p * l), smallest = size.Min();
        var radii = new List<double>();
        for (double filled = 0; ;)
        {
            double r = radius(random.Uniform());
            if (!(r > 0) || 2 * r + gap > smallest) throw new InputException($"an inclusion of radius {r:G6} with a gap of {gap:G6} does not fit a periodic cell of length {smallest:G6}");
            double volume = Inclusions.Volume(dim, r);
            if (filled + 0.5 * volume > fraction * cell) break;
            if (radii.Count == 2_000_000) throw new InputException("more than 2 million inclusions; use larger ones or a smaller cell");
            filled += volume;
            radii.Add(r);
        }
        if (radii.Count == 0) throw new InputException($"a single inclusion already exceeds the volume fraction {fraction:G6}; use smaller ones or a larger cell");
        radii.Sort((a, b) => b.CompareTo(a));

        var centres = new double[radii.Count * dim];
        var bins = new Bins(size, 2 * radii[0] + gap);
        double placed = 0;
        Span<double> x = stackalloc double[3];
        for (int n = 0; n < radii.Count; n++)
        {
            int attempt = 0;
            do
            {
                if (attempt++ == 100_000)
                    throw new InputException($"the volume fraction {fraction:G4} cannot be reached by random addition: {n} of {radii.Count} inclusions fit ({placed / cell:G3} by volume); lower the fraction or the gap");
                for (int d = 0; d < dim; d++) x[d] = random.Uniform() * size[d];
            }
            while (Collides(x[..dim], radii[n], n));
            x[..dim].CopyTo(centres.AsSpan(n * dim));
            bins.Add(x[..dim], n);
            placed += Inclusions.Volume(dim, radii[n]);
        }
        return new Inclusions(size, centres, [.. radii]);

        bool Collides(ReadOnlySpan<double> at, double r, int count)
        {
            foreach (int bin in bins.Around(at))
                foreach (int other in bins[bin])
                {
                    double reach = r + radii[other] + gap;
                    if (Square(size, at, centres.AsSpan(other * at.Length, at.Length)) < reach * reach) return true;
                }
            return false;
        }
    }

    /// <summary>Image of parallel fibres: discs placed at random in the cross-section, drawn out along an axis.</summary>
    /// <param name="shape">Cells along x, y, z.</param>
    /// <param name="size">Edge lengths.</param>
    /// <param name="axis">Direction of the fibres: 0 = x, 1 = y, 2 = z.</param>
    /// <param name="fraction">Volume fraction.</param>
    /// <param name="radius">Radius of the fibres.</param>
    /// <param name="gap">Smallest distance between two fibres.</param>
    /// <param name="seed">Seed.</param>
    /// <exception cref="InputException">A number is out of range, or the fraction cannot be reached.</exception>
    public static Voxels AlignedFibres(int[] shape, double[] size, int axis, double fraction, double radius, double gap = 0, ulong seed = 0)
    {
        CheckShape(shape, size);
        if (shape.Length != 3) throw new InputException("aligned fibres need a three-dimensional cell; in two dimensions use random inclusions");
        if (axis is < 0 or > 2) throw new InputException($"axis {axis} is none of 0, 1, 2");
        int[] across = [.. Enumerable.Range(0, 3).Where(d => d != axis)];
        return RandomInclusions([.. across.Select(d => size[d])], fraction, radius, gap, seed)
            .ToVoxels([.. across.Select(d => shape[d])]).Extrude(axis, shape[axis], size[axis]);
    }

    /// <summary>Layers across an axis; label n for the n-th layer of the stack.</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <param name="size">Edge lengths.</param>
    /// <param name="axis">Normal of the layers.</param>
    /// <param name="fractions">Thickness of each layer over that of the stack; they sum to 1.</param>
    /// <param name="repeats">Number of stacks.</param>
    /// <exception cref="InputException">A number is out of range.</exception>
    public static Voxels Laminate(int[] shape, double[] size, int axis, double[] fractions, int repeats = 1)
    {
        CheckShape(shape, size);
        ArgumentNullException.ThrowIfNull(fractions);
        if (axis < 0 || axis >= shape.Length) throw new InputException($"axis {axis} is none of 0 … {shape.Length - 1}");
        if (fractions.Length == 0 || fractions.Any(f => !(f >= 0)) || !(Math.Abs(fractions.Sum() - 1) < 1e-9))
            throw new InputException($"the layer fractions ({string.Join(", ", fractions)}) do not sum to 1");
        if (repeats < 1) throw new InputException($"{repeats} stacks of layers are not possible");
        var layer = new int[shape[axis]];
        for (int c = 0; c < layer.Length; c++)
        {
            double s = (c + 0.5) / layer.Length * repeats % 1, top = 0;
            while (layer[c] < fractions.Length - 1 && s > (top += fractions[layer[c]])) layer[c]++;
        }
        return Cells(shape, size, index => layer[index[axis]]);
    }

    /// <summary>A chequered pattern of labels 0 and 1, starting with 0 at the origin.</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <param name="size">Edge lengths.</param>
    /// <param name="fields">Squares (cubes) along each axis; even, so that the pattern is periodic, and a divisor of the cells.</param>
    /// <exception cref="InputException">The fields do not divide the cells, or are odd.</exception>
    public static Voxels Checkerboard(int[] shape, double[] size, int fields = 2)
    {
        CheckShape(shape, size);
        if (fields < 2 || fields % 2 != 0 || shape.Any(n => n % fields != 0))
            throw new InputException($"a periodic checkerboard needs an even number of fields that divides {string.Join(", ", shape)}, not {fields}");
        return Cells(shape, size, index => index.Select((i, d) => i / (shape[d] / fields)).Sum() % 2);
    }

    /// <summary>A periodic Voronoi tessellation of random points, with a random crystal orientation in each grain (K. Shoemake, Uniform
    /// random rotations, Graphics Gems III, 1992).</summary>
    /// <param name="shape">Cells along x, y (, z).</param>
    /// <param name="size">Edge lengths.</param>
    /// <param name="grains">Number of grains.</param>
    /// <param name="seed">Seed.</param>
    /// <exception cref="InputException">A number is out of range.</exception>
    public static Polycrystal Voronoi(int[] shape, double[] size, int grains, ulong seed = 0)
    {
        CheckShape(shape, size);
        int dim = shape.Length;
        if (grains is < 1 or > 10_000_000) throw new InputException($"{grains} grains are not possible");
        var random = new Generator(seed);
        var seeds = new double[grains * dim];
        for (int i = 0; i < seeds.Length; i++) seeds[i] = random.Uniform() * size[i % dim];
        var quaternions = new double[4 * grains];
        for (int g = 0; g < grains; g++)
        {
            double u = random.Uniform(), a = 2 * Math.PI * random.Uniform(), b = 2 * Math.PI * random.Uniform();
            (quaternions[4 * g], quaternions[4 * g + 1]) = (Math.Sqrt(u) * Math.Cos(b), Math.Sqrt(1 - u) * Math.Sin(a));
            (quaternions[4 * g + 2], quaternions[4 * g + 3]) = (Math.Sqrt(1 - u) * Math.Cos(a), Math.Sqrt(u) * Math.Sin(b));
        }
        var bins = new Bins(size, Math.Pow(size.Aggregate(1.0, (p, l) => p * l) / grains, 1.0 / dim));
        for (int g = 0; g < grains; g++) bins.Add(seeds.AsSpan(g * dim, dim), g);

        var at = new double[dim];
        var labels = Voxels.FromFunction(shape, size, x =>
        {
            x.CopyTo(at, 0);
            double best = double.PositiveInfinity;
            int grain = 0;
            for (int ring = 0; ring <= bins.Rings && (ring - 1) * bins.Width is var near && (near <= 0 || near * near <= best); ring++)
                foreach (int bin in bins.Ring(at, ring))
                    foreach (int g in bins[bin])
                    {
                        double square = Square(size, at, seeds.AsSpan(g * dim, dim));
                        if (square < best || square == best && g < grain) (best, grain) = (square, g);
                    }
            return grain;
        });
        return new Polycrystal(labels, seeds, quaternions);
    }

    internal static void CheckSize(double[] size)
    {
        ArgumentNullException.ThrowIfNull(size);
        if (size.Length is not (2 or 3) || size.Any(l => !(l > 0) || !double.IsFinite(l)))
            throw new InputException($"a cell has two or three positive lengths, not ({string.Join(", ", size)})");
    }

    private static void CheckShape(int[] shape, double[] size)
    {
        CheckSize(size);
        Voxels.CellCount(shape);
        if (shape.Length != size.Length) throw new InputException($"{shape.Length} cell numbers and {size.Length} lengths do not go together");
    }

    private static Voxels Cells(int[] shape, double[] size, Func<int[], int> label)
    {
        var labels = new int[Voxels.CellCount(shape)];
        var index = new int[shape.Length];
        for (int c = 0; c < labels.Length; c++)
        {
            labels[c] = label(index);
            for (int d = shape.Length - 1; d >= 0 && ++index[d] == shape[d]; d--) index[d] = 0;
        }
        return new Voxels(shape, labels, size);
    }

    /// <summary>Square of the distance to the nearest periodic image.</summary>
    private static double Square(ReadOnlySpan<double> size, ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int d = 0; d < a.Length; d++)
        {
            double x = Math.Abs(a[d] - b[d]);
            x = Math.Min(x, size[d] - x);
            sum += x * x;
        }
        return sum;
    }

    /// <summary>Points sorted into the boxes of a periodic grid.</summary>
    private sealed class Bins
    {
        private readonly double[] _size;
        private readonly int[] _count;
        private readonly List<int>[] _points;
        private readonly List<int> _found = [];

        /// <summary>Boxes at least as wide as <paramref name="reach"/>, where the cell is that long.</summary>
        public Bins(double[] size, double reach)
        {
            int most = size.Length == 2 ? 500 : 64;
            _size = size;
            _count = [.. size.Select(l => (int)Math.Clamp(l / reach, 1, most))];
            _points = [.. Enumerable.Range(0, _count.Aggregate(1, (p, n) => p * n)).Select(_ => new List<int>(1))];
            Width = size.Select((l, d) => l / _count[d]).Min();
            Rings = _count.Max() / 2 + 1;
        }

        /// <summary>Smallest edge of a box.</summary>
        public double Width { get; }

        /// <summary>Rings of boxes that cover the whole cell.</summary>
        public int Rings { get; }

        public List<int> this[int bin] => _points[bin];

        public void Add(ReadOnlySpan<double> x, int point)
        {
            int bin = 0;
            for (int d = 0; d < x.Length; d++) bin = bin * _count[d] + Box(x[d], d);
            _points[bin].Add(point);
        }

        /// <summary>The box of a point and those around it.</summary>
        public List<int> Around(ReadOnlySpan<double> x)
        {
            _found.Clear();
            Collect(x, 0, 0, 1, 0, shell: false);
            return _found;
        }

        /// <summary>Boxes whose index differs from that of the point by <paramref name="ring"/> along one axis and by no more along others.
        /// Boxes may come twice where the ring meets its own images.</summary>
        public List<int> Ring(ReadOnlySpan<double> x, int ring)
        {
            _found.Clear();
            Collect(x, 0, 0, ring, 0, shell: true);
            return _found;
        }

        private void Collect(ReadOnlySpan<double> x, int d, int bin, int reach, int far, bool shell)
        {
            if (d == x.Length)
            {
                if (!shell || far == reach) _found.Add(bin);
                return;
            }
            int n = _count[d], at = Box(x[d], d);
            int lo = -reach, hi = reach;
            if (!shell && n < 3) (lo, hi) = (0, n - 1); // each box once
            for (int o = lo; o <= hi; o++)
                Collect(x, d + 1, bin * n + ((at + o) % n + n) % n, reach, Math.Max(far, Math.Abs(o)), shell);
        }

        private int Box(double x, int d) => Math.Min((int)(x / _size[d] * _count[d]), _count[d] - 1);
    }

    /// <summary>Counter-based random numbers: output n is the SplitMix64 finaliser of seed + n·γ (Steele, Lea and Flood, OOPSLA 2014).</summary>
    private struct Generator(ulong seed)
    {
        private ulong _state = seed;

        /// <summary>A number in (0, 1).</summary>
        public double Uniform()
        {
            unchecked
            {
                ulong z = _state += 0x9E3779B97F4A7C15;
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                return (((z ^ (z >> 31)) >> 12) + 0.5) * (1.0 / (1L << 52));
            }
        }
    }
}
