using MsHpc.Core;

namespace MsHpc.Continuum;

/// <summary>
/// Topology of a regular grid of one element shape, in half cells: cell (i, j, k) spans 2i … 2i + 2 and so on, so corners have even and
/// mid-edge nodes odd coordinates.
/// </summary>
internal sealed class Lattice
{
    private readonly int _dim, _nx, _ny, _nz;
    private readonly bool _wrapY;
    private readonly ElementType _type;
    private readonly int[][] _pieces; // per element of a cell: offsets (x, y, z) of its nodes
    private readonly int[] _number;   // node number by lattice point

    /// <summary>Numbers the nodes of a grid.</summary>
    /// <param name="type">Shape of the elements.</param>
    /// <param name="dim">2 or 3.</param>
    /// <param name="nx">Cells along x.</param>
    /// <param name="ny">Cells along y.</param>
    /// <param name="nz">Cells along z, 1 in two dimensions.</param>
    /// <param name="wrapY">The last row of cells is joined to the first.</param>
    /// <exception cref="InputException">The shape has another dimension, or there would be too many nodes.</exception>
    public Lattice(ElementType type, int dim, long nx, long ny, long nz, bool wrapY)
    {
        if (type.Dimension() != dim)
            throw new InputException($"{type} elements do not fill a {(dim == 2 ? "rectangle: use Quad4, Quad8, Tri3 or Tri6" : "box: use Hex8, Hex20, Tet4 or Tet10")}");
        _pieces = Pieces(type);
        if ((Int128)(2 * nx + 1) * (2 * ny + 1) * (dim == 2 ? 1 : 2 * nz + 1) > int.MaxValue / 4
            || (Int128)nx * ny * nz * _pieces.Length * type.Nodes() > int.MaxValue / 2)
            throw new InputException($"a grid of {nx} x {ny}{(dim == 3 ? $" x {nz}" : "")} cells is too large for one mesh");
        (_type, _dim, _nx, _ny, _nz, _wrapY) = (type, dim, (int)nx, (int)ny, (int)nz, wrapY);
        Connectivity = new int[_nx * _ny * _nz * _pieces.Length * type.Nodes()];
        _number = new int[(2 * _nx + 1) * (2 * _ny + 1) * (dim == 2 ? 1 : 2 * _nz + 1)];
        int at = 0;
        for (int c = 0; c < _nx * _ny * _nz; c++)
            foreach (int[] piece in _pieces)
                for (int a = 0; a < piece.Length; a += 3) _number[Connectivity[at++] = Point(c, piece, a)] = 1;
        for (int p = 0; p < _number.Length; p++) _number[p] = _number[p] == 0 ? -1 : NodeCount++;
        for (int i = 0; i < at; i++) Connectivity[i] = _number[Connectivity[i]];
    }

    /// <summary>Position of a lattice point.</summary>
    public delegate void Placement(int i, int j, int k, Span<double> position);

    /// <summary>Name of the boundary of a facet that spans the lattice box lo … hi, or null.</summary>
    public delegate string? Boundary(ReadOnlySpan<int> lo, ReadOnlySpan<int> hi);

    /// <summary>Number of nodes.</summary>
    public int NodeCount { get; }

    /// <summary>Nodes of all elements, cell by cell, x fastest.</summary>
    public int[] Connectivity { get; }

    /// <summary>The grid as a mesh of one region.</summary>
    public Mesh ToMesh(Placement place, Boundary side, string region) =>
        new(_dim, Coordinates(place), [new CellBlock(_type, region, Connectivity)], Boundaries(side));

    /// <summary>Coordinates of all nodes.</summary>
    public double[] Coordinates(Placement place)
    {
        var x = new double[NodeCount * _dim];
        int sx = 2 * _nx + 1, sy = 2 * _ny + 1;
        for (int p = 0; p < _number.Length; p++)
            if (_number[p] >= 0) place(p % sx, p / sx % sy, p / sx / sy, x.AsSpan(_number[p] * _dim, _dim));
        return x;
    }

    /// <summary>The sides left, right, bottom, top, front, back.</summary>
    public string? Side(ReadOnlySpan<int> lo, ReadOnlySpan<int> hi) =>
        hi[0] == 0 ? "left" : lo[0] == 2 * _nx ? "right" : hi[1] == 0 ? "bottom" : lo[1] == 2 * _ny ? "top"
        : _dim == 2 ? null : hi[2] == 0 ? "front" : lo[2] == 2 * _nz ? "back" : null;

    /// <summary>Facets of the outer cells by the name that <paramref name="side"/> gives them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<CellBlock>> Boundaries(Boundary side)
    {
        var facets = _type.Facets();
        var names = new List<string>();
        var nodes = new Dictionary<string, List<int>>();
        Span<int> lo = stackalloc int[3], hi = stackalloc int[3];
        for (int c = 0; c < _nx * _ny * _nz; c++)
        {
            int i = c % _nx, j = c / _nx % _ny, k = c / _nx / _ny;
            if (i > 0 && i < _nx - 1 && j > 0 && j < _ny - 1 && (_dim == 2 || k > 0 && k < _nz - 1)) continue;
            for (int piece = 0; piece < _pieces.Length; piece++)
                foreach (int[] facet in facets)
                {
                    lo.Fill(int.MaxValue);
                    hi.Fill(int.MinValue);
                    foreach (int a in facet)
                        for (int d = 0; d < 3; d++)
                        {
                            int at = 2 * (d == 0 ? i : d == 1 ? j : k) + _pieces[piece][3 * a + d];
                            (lo[d], hi[d]) = (Math.Min(lo[d], at), Math.Max(hi[d], at));
                        }
                    if (side(lo, hi) is not { } name) continue;
                    if (!nodes.TryGetValue(name, out var list))
                    {
                        nodes.Add(name, list = []);
                        names.Add(name);
                    }
                    foreach (int a in facet) list.Add(Connectivity[(c * _pieces.Length + piece) * _type.Nodes() + a]);
                }
        }
        return names.ToDictionary(n => n, n => (IReadOnlyList<CellBlock>)[new CellBlock(_type.FacetType(), n, [.. nodes[n]])]);
    }

    private int Point(int cell, int[] piece, int a)
    {
        int x = 2 * (cell % _nx) + piece[a], y = 2 * (cell / _nx % _ny) + piece[a + 1], z = 2 * (cell / _nx / _ny) + piece[a + 2];
        if (_wrapY && y == 2 * _ny) y = 0;
        return x + (2 * _nx + 1) * (y + (2 * _ny + 1) * z);
    }

    /// <summary>Offsets of the nodes of each element that fills a cell; the six tetrahedra go along the diagonal (Kuhn's division).</summary>
    private static int[][] Pieces(ElementType type)
    {
        int[] cube = [0, 0, 0, 2, 0, 0, 2, 2, 0, 0, 2, 0, 0, 0, 2, 2, 0, 2, 2, 2, 2, 0, 2, 2];
        int[][] corners = type switch
        {
            ElementType.Quad4 or ElementType.Quad8 => [[0, 1, 2, 3]],
            ElementType.Tri3 or ElementType.Tri6 => [[0, 1, 2], [0, 2, 3]],
            ElementType.Hex8 or ElementType.Hex20 => [[0, 1, 2, 3, 4, 5, 6, 7]],
            _ => [[0, 1, 2, 6], [0, 2, 3, 6], [0, 3, 7, 6], [0, 7, 4, 6], [0, 4, 5, 6], [0, 5, 1, 6]],
        };
        return [.. corners.Select(c =>
        {
            var offsets = new List<int>(c.SelectMany(v => cube[(3 * v)..(3 * v + 3)]));
            if (type.IsQuadratic())
                foreach (var (a, b) in type.Edges())
                    for (int d = 0; d < 3; d++) offsets.Add((cube[3 * c[a] + d] + cube[3 * c[b] + d]) / 2);
            return offsets.ToArray();
        })];
    }
}
