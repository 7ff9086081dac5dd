using NUnit.Framework;
using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using static MsHpc.Tests.Continuum.Homogenization.RveFixture;

namespace MsHpc.Tests.Continuum.Homogenization;

/// <summary>Periodic cells whose opposite faces are meshed differently.</summary>
[TestFixture]
public sealed class PeriodicTiesTests
{
    private static readonly Dictionary<string, Func<Mesh>> s_meshes = new()
    {
        // 2D, left and right side with other numbers of edges; sides of a single edge have no node inside
        ["rows 4 6"] = () => TwoGrids(4, 4, 6),
        ["rows 6 4"] = () => TwoGrids(4, 6, 4),
        ["rows 7 5"] = () => TwoGrids(6, 7, 5),
        ["rows 1 5"] = () => TwoGrids(4, 1, 5),
        ["rows 5 1"] = () => TwoGrids(4, 5, 1),
        // 2D, both pairs of sides
        ["Tri3"] = () => Distort(StructuredMesh.Rectangle(ElementType.Tri3, 5, 4, 1, 1)),
        ["Quad4"] = () => Distort(StructuredMesh.Rectangle(ElementType.Quad4, 5, 4, 1, 1)),
        ["Tri6"] = () => Distort(StructuredMesh.Rectangle(ElementType.Tri6, 3, 4, 1, 1)),
        ["Quad8"] = () => Distort(StructuredMesh.Rectangle(ElementType.Quad8, 3, 4, 1, 1)),
        // 3D, all three pairs of faces and all families of edges; the Kuhn tetrahedra cut corners off the faces
        ["Tet4 2"] = () => Distort(StructuredMesh.Box(ElementType.Tet4, 2, 2, 2, 1, 1, 1)),
        ["Tet4"] = () => Distort(StructuredMesh.Box(ElementType.Tet4, 4, 3, 3, 1, 1, 1)),
        // 3D, x faces only: rectangles of other grid lines; other numbers of triangles
        ["Hex8"] = () => Distort(StructuredMesh.Box(ElementType.Hex8, 3, 4, 3, 1, 1, 1), [(1, 0, 0.3)]),
        ["prisms 4 6"] = () => Extrude(TwoGrids(4, 4, 6), 3),
        ["prisms 5 3"] = () => Extrude(TwoGrids(2, 5, 3), 2),
        ["prisms 1 3"] = () => Extrude(TwoGrids(2, 1, 3), 2),
        ["diagonals"] = OtherDiagonals,
    };

    private static IEnumerable<string> Names => s_meshes.Keys;

    // A homogeneous cell is its own law whatever its mesh: the multipliers hold constant tractions. Small strain with plasticity, finite strain.
    [TestCaseSource(nameof(Names))]
    public void HomogeneousCellIsTheLaw(string name)
    {
        var mesh = s_meshes[name]();
        StrainSpace small = mesh.Dimension == 2 ? StrainSpace.PlaneSmall : StrainSpace.SolidSmall;
        StrainSpace finite = mesh.Dimension == 2 ? StrainSpace.PlaneFinite : StrainSpace.SolidFinite;
        foreach (var (law, size) in new[]
        {
            (Elastic(small, 1, 0.3), 1e-3), (Law("j2_plasticity", small, ("E", 1), ("nu", 0.3), ("sigma_y", 2e-3), ("H", 0.05)), 5e-3),
            (Law("neo_hooke", finite, ("E", 1), ("nu", 0.3)), 0.1),
        })
        {
            var model = new RveModel(mesh, Phases(mesh, law), law.Space, RveBoundary.Periodic);
            Points rve = new(new RveMaterial(model)), single = new(law);
            double[] Strain(int l) => [.. Rest(law.Space).Select((r, c) => r + size * (l + 1) / 8 * Math.Cos(1 + 2 * c))];
            Assert.That(rve.Evaluate(Strain) && single.Evaluate(Strain), Is.True);
            for (int l = 0; l < Lane4.Width; l++)
            {
                Assert.That(MaxDifference(rve.TangentOf(l), single.TangentOf(l)), Is.LessThan(1e-12), law.Description);
                Assert.That(rve.StressOf(l).Zip(single.StressOf(l), (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(1e-12 * size), law.Description);
            }
        }
    }

    // Both meshes represent fields that are linear in the plane of the face, so the tie does; constants in particular.
    [TestCaseSource(nameof(Names))]
    public void TiesReproduceLinearFields(string name)
    {
        var mesh = s_meshes[name]();
        var box = new BoxSides(mesh);
        var ties = PeriodicTies.Build(box);
        int dim = mesh.Dimension;
        for (int a = 0; a < ties.Length; a++)
        {
            if (ties[a] is not { Length: > 0 } terms) continue;
            var axes = box.Piece(box.Of[a]).Axes;
            Assert.That(terms.Sum(t => t.Weight), Is.EqualTo(1).Within(1e-13));
            foreach (int i in axes)
                Assert.That(terms.Sum(t => t.Weight * mesh.Coordinates[t.Node * dim + i]), Is.EqualTo(mesh.Coordinates[a * dim + i]).Within(1e-13));
        }
        foreach (var corner in box.Meeting(dim))
            foreach (int a in corner.Nodes) Assert.That(ties[a], Is.Empty);
        // one face of each pair follows the other
        bool Free(int side) => box.Piece(side).Nodes.Exists(a => box.Of[a] == side && ties[a] is null);
        for (int axis = 0; axis < dim; axis++) Assert.That(Free(BoxSides.Lower(axis)) && Free(BoxSides.Upper(axis)), Is.False);
    }

    // ∫u over a slave side is ∫u over its master side for any fluctuation: the mean of ∇ũ over the cell vanishes, by Gauss's theorem.
    [TestCaseSource(nameof(Names))]
    public void MeanGradientOfTheFluctuationVanishes(string name)
    {
        Assert.That(MeanDifference(s_meshes[name]()), Is.LessThan(1e-13));
    }

    // On quadrilaterals that are no parallelograms shape functions are no polynomials, and the mean is as exact as the quadrature.
    [Test]
    public void TrapezoidsAreTiedToQuadratureAccuracy()
    {
        double coarse = MeanDifference(Distort(StructuredMesh.Box(ElementType.Hex8, 3, 3, 3, 1, 1, 1))),
            fine = MeanDifference(Distort(StructuredMesh.Box(ElementType.Hex8, 6, 6, 6, 1, 1, 1)));
        Assert.That(coarse, Is.LessThan(1e-9), $"{coarse} {fine}");
        Assert.That(fine, Is.LessThan(coarse / 8), $"{coarse} {fine}");
    }

    /// <summary>Largest difference between the means of a random fluctuation on opposite faces.</summary>
    private static double MeanDifference(Mesh mesh)
    {
        int dim = mesh.Dimension;
        var constraints = FluctuationConstraints.Build(mesh, RveBoundary.Periodic, false);
        var random = new Random(7);
        double[] q = [.. Enumerable.Range(0, constraints.Unknowns).Select(_ => random.NextDouble() - 0.5)], u = new double[mesh.NodeCount];
        for (int a = 0; a < u.Length; a++)
            for (int t = constraints.Start[a * dim]; t < constraints.Start[a * dim + 1]; t++) u[a] += constraints.Weight[t] * q[constraints.Unknown[t]];
        var box = new BoxSides(mesh);
        double Mean(int side) => box.Piece(side).Facets.Select(f => new PlaneFacet(mesh, f, box.Piece(side).Axes))
            .Sum(f => f.Nodes.Zip(f.Integrals, (a, w) => w * u[a]).Sum());
        return Enumerable.Range(0, dim).Max(axis => Math.Abs(Mean(BoxSides.Lower(axis)) - Mean(BoxSides.Upper(axis))));
    }

    // Opposite pores leave sides of the same extent; where a pore ends there is no rim, so the node there has its multiplier.
    [Test]
    public void PoresMayCutTheBoundary()
    {
        var whole = TwoGrids(4, 8, 12, (x, y) => x is < 0.25 or > 0.75 && y is > 0.25 and < 0.5 ? "pore" : "a");
        var mesh = whole with { Cells = [.. whole.Cells.Where(c => c.Region == "a")] };
        var box = new BoxSides(mesh);
        var ties = PeriodicTies.Build(box);
        int tied = 0;
        foreach (int a in box.Piece(BoxSides.Upper(0)).Facets.SelectMany(f => f.Nodes).Distinct().Where(a => box.Of[a] == BoxSides.Upper(0)))
        {
            double y = mesh.Coordinates[2 * a + 1];
            Assert.That(ties[a]!.Sum(t => t.Weight), Is.EqualTo(1).Within(1e-13));
            Assert.That(ties[a]!.Sum(t => t.Weight * mesh.Coordinates[2 * t.Node + 1]), Is.EqualTo(y).Within(1e-13));
            Assert.That(ties[a]!.Where(t => box.Of[t.Node] == BoxSides.Lower(0)).Select(t => mesh.Coordinates[2 * t.Node + 1]),
                y < 0.4 ? Has.All.LessThan(0.3) : Has.All.GreaterThan(0.45));
            tied++;
        }
        Assert.That(tied, Is.EqualTo(9)); // of 13 nodes two are corners and two stand in the pore
    }

    // The stress of a linear cell is its tangent times the strain: K with weights is assembled right.
    [Test]
    public void TangentIsTheSecantOfALinearCell([Values("Tri3", "Tri6", "Tet4")] string name)
    {
        var mesh = s_meshes[name]();
        int dim = mesh.Dimension;
        var space = dim == 2 ? StrainSpace.PlaneSmall : StrainSpace.SolidSmall;
        var cells = mesh.Cells.SelectMany(c => new[] { "soft", "hard" }.Select(r => new CellBlock(c.Type, r,
            [.. c.Connectivity.Chunk(c.Type.Nodes()).Where((_, e) => e % 3 == 0 == (r == "hard")).SelectMany(n => n)])));
        var model = new RveModel(mesh with { Cells = [.. cells] },
            new Dictionary<string, IMaterial> { ["soft"] = Elastic(space, 1, 0.3), ["hard"] = Elastic(space, 20, 0.2) }, space, RveBoundary.Periodic,
            new RveOptions(1e-13));
        var points = new Points(new RveMaterial(model));
        double[] strain = [.. Enumerable.Range(0, points.n).Select(c => 1e-3 * Math.Cos(1 + 2 * c))];
        Assert.That(points.Evaluate(_ => strain, 1), Is.True);
        var tangent = points.TangentOf(0);
        for (int r = 0; r < points.n; r++)
            Assert.That(points.StressOf(0)[r], Is.EqualTo(Enumerable.Range(0, points.n).Sum(c => tangent[r, c] * strain[c])).Within(1e-12 * 20e-3));
    }

    // A square inclusion that crosses the tied sides, so that stiff meets stiff over other numbers of edges: towards the stiffness of the
    // matching mesh. Corners of the inclusion (stress singularities) keep the rate below h².
    [Test]
    public void HeterogeneousCellConvergesToTheMatchingMesh()
    {
        static string Phase(double x, double y) => x is > 0.25 and < 0.75 || y is < 0.25 or > 0.75 ? "matrix" : "inclusion";
        var space = StrainSpace.PlaneSmall;
        var phases = new Dictionary<string, IMaterial> { ["matrix"] = Elastic(space, 1, 0.3), ["inclusion"] = Elastic(space, 10, 0.2) };
        var exact = Stiffness(new RveModel(Voxels(2, 96, (i, j, _) => Phase((i + 0.5) / 96, (j + 0.5) / 96)), phases, space, RveBoundary.Periodic));
        double Error(int n) => MaxDifference(Stiffness(new RveModel(TwoGrids(n, n, n * 3 / 2, Phase), phases, space, RveBoundary.Periodic)), exact);
        double coarse = Error(8), middle = Error(16), fine = Error(32);
        Assert.That(middle, Is.LessThan(coarse / 2), $"{coarse} {middle} {fine}");
        Assert.That(fine, Is.LessThan(middle / 2), $"{coarse} {middle} {fine}");
        Assert.That(fine, Is.LessThan(5e-3 * MaxAbs(exact)));
    }

    [Test]
    public void MatchingFacesAreRenumbered()
    {
        static bool Renumbers(Mesh mesh) => FluctuationConstraints.Build(mesh, RveBoundary.Periodic, false).IsRenumbering;
        Assert.That(Renumbers(Voxels(2, 3, (_, _, _) => "a")) && Renumbers(Voxels(3, 3, (_, _, _) => "a")), Is.True);
        foreach (var type in new[] { ElementType.Tri3, ElementType.Tri6, ElementType.Quad8 })
            Assert.That(Renumbers(StructuredMesh.Rectangle(type, 3, 4, 1, 2)), Is.True, $"{type}");
        foreach (var type in new[] { ElementType.Tet4, ElementType.Tet10, ElementType.Hex8, ElementType.Hex20 })
            Assert.That(Renumbers(StructuredMesh.Box(type, 2, 3, 1, 1, 2, 1)), Is.True, $"{type}");

        // pairs that match keep their plain ties next to a pair that does not
        var mesh = s_meshes["prisms 4 6"]();
        var box = new BoxSides(mesh);
        var ties = PeriodicTies.Build(box);
        for (int axis = 1; axis < 3; axis++)
            foreach (int a in box.Piece(BoxSides.Upper(axis)).Nodes.Where(a => box.Of[a] == BoxSides.Upper(axis)))
                Assert.That(ties[a]!.Single().Weight, Is.EqualTo(1));
    }

    [Test]
    public void FacesThatCannotBeTiedAreRefused()
    {
        static void Refuses(Mesh mesh, string message) => Assert.That(() => FluctuationConstraints.Build(mesh, RveBoundary.Periodic, false),
            Throws.TypeOf<InputException>().With.Message.Contains(message));
        Refuses(Distort(StructuredMesh.Box(ElementType.Tet10, 2, 2, 2, 1, 1, 1)), "quadratic");
        Refuses(Extrude(TwoGrids(2, 2, 1), 1), "no node inside");
        var whole = Voxels(2, 4, (i, j, _) => i == 3 && j == 1 ? "pore" : "a");
        Refuses(whole with { Cells = [.. whole.Cells.Where(c => c.Region == "a")] }, "cover each other");
        var hollow = Voxels(2, 4, (i, j, _) => i == 0 && j == 0 ? "pore" : "a");
        double[] x = [.. hollow.Coordinates[2..]]; // without the lower corner
        Refuses(new Mesh(2, x, [.. hollow.Cells.Where(c => c.Region == "a").Select(c => c with { Connectivity = [.. c.Connectivity.Select(a => a - 1)] })],
            hollow.Boundaries), "lower corner");
    }

    private static Dictionary<string, IMaterial> Phases(Mesh mesh, IMaterial law) => mesh.Cells.Select(c => c.Region).Distinct().ToDictionary(r => r, _ => law);

    /// <summary>A unit square with one number of rows in the left half, another in the right, and a strip of triangles between.</summary>
    private static Mesh TwoGrids(int columns, int left, int right, Func<double, double, string>? phase = null)
    {
        var x = new List<double>();
        int[] Column(double at, int rows) => [.. Enumerable.Range(0, rows + 1).Select(j => { x.AddRange([at, (double)j / rows]); return x.Count / 2 - 1; })];
        var cells = new SortedDictionary<(ElementType, string), List<int>>();
        void Add(params int[] nodes)
        {
            var key = (nodes.Length == 3 ? ElementType.Tri3 : ElementType.Quad4,
                phase?.Invoke(nodes.Average(a => x[2 * a]), nodes.Average(a => x[2 * a + 1])) ?? "a");
            if (!cells.TryGetValue(key, out var list)) cells[key] = list = [];
            list.AddRange(nodes);
        }
        int[]? last = null;
        for (int i = 0; i <= columns; i++)
        {
            int[] column = Column((double)i / columns, i <= columns / 2 ? left : right);
            if (last is not null && last.Length == column.Length)
                for (int j = 0; j + 1 < column.Length; j++) Add(last[j], column[j], column[j + 1], last[j + 1]);
            else if (last is not null)
                for (int a = 0, b = 0; a + 1 < last.Length || b + 1 < column.Length;)
                    if (a + 1 == last.Length || b + 1 < column.Length && (b + 1) * (last.Length - 1) < (a + 1) * (column.Length - 1))
                        Add(last[a], column[b], column[++b]);
                    else
                        Add(last[a], column[b], last[++a]);
            last = column;
        }
        return new Mesh(2, [.. x], [.. cells.Select(c => new CellBlock(c.Key.Item1, c.Key.Item2, [.. c.Value]))],
            new Dictionary<string, IReadOnlyList<CellBlock>>());
    }

    /// <summary>
    /// Moves nodes along axis i in proportion to their coordinate along j, xᵢ += c xᵢ(1 − xᵢ)xⱼ: the box stays, its upper faces get
    /// another grid than the lower ones. Mid-edge nodes stay in the middle.
    /// </summary>
    private static Mesh Distort(Mesh mesh, (int I, int J, double C)[]? moves = null)
    {
        int dim = mesh.Dimension;
        moves ??= dim == 2 ? [(0, 1, 0.4), (1, 0, -0.3)] : [(0, 1, 0.3), (1, 2, -0.3), (2, 0, 0.25)];
        double[] from = mesh.Coordinates, x = [.. from];
        for (int a = 0; a < mesh.NodeCount; a++)
            foreach (var (i, j, c) in moves)
                x[a * dim + i] += c * from[a * dim + i] * (1 - from[a * dim + i]) * from[a * dim + j];
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++)
                for (int m = block.Type.Corners(); m < block.Type.Nodes(); m++)
                {
                    var (p, q) = block.Type.Edges()[m - block.Type.Corners()];
                    var nodes = block.Nodes(e);
                    for (int i = 0; i < dim; i++) x[nodes[m] * dim + i] = 0.5 * (x[nodes[p] * dim + i] + x[nodes[q] * dim + i]);
                }
        return mesh with { Coordinates = x };
    }

    /// <summary>
    /// A plane mesh extruded into tetrahedra: quadrilaterals are cut from their smallest node, and each prism by the smallest node of each of
    /// its rectangles, so that neighbours agree (Dompierre et al. 1999).
    /// </summary>
    private static Mesh Extrude(Mesh plane, int layers)
    {
        int n = plane.NodeCount;
        double[] x = [.. Enumerable.Range(0, layers + 1).SelectMany(k => Enumerable.Range(0, n)
            .SelectMany(a => new[] { plane.Coordinates[2 * a], plane.Coordinates[2 * a + 1], (double)k / layers }))];
        var triangles = new List<int[]>();
        foreach (var block in plane.Cells)
            for (int e = 0; e < block.Count; e++)
            {
                int[] c = block.Nodes(e).ToArray();
                int s = Array.IndexOf(c, c.Min());
                for (int k = 1; k + 1 < c.Length; k++) triangles.Add([c[s], c[(s + k) % c.Length], c[(s + k + 1) % c.Length]]);
            }
        // Nodes a < b < c of a sorted triangle, upper ones primed: every rectangle is cut from its smallest node, a b c c′, a b c′ b′, a b′ c′ a′.
        var cells = new List<int>();
        foreach (int[] triangle in triangles)
        {
            int[] t = [.. triangle.Order()];
            for (int k = 0; k < layers; k++)
            {
                int Low(int i) => t[i] + k * n;
                int High(int i) => t[i] + (k + 1) * n;
                int[][] tets = [[Low(0), Low(1), Low(2), High(2)], [Low(0), Low(1), High(2), High(1)], [Low(0), High(1), High(2), High(0)]];
                foreach (int[] tet in tets) cells.AddRange(Volume(x, tet) > 0 ? tet : [tet[0], tet[2], tet[1], tet[3]]);
            }
        }
        return new Mesh(3, x, [new CellBlock(ElementType.Tet4, "a", [.. cells])], new Dictionary<string, IReadOnlyList<CellBlock>>());
    }

    /// <summary>Tetrahedra whose x faces have the same nodes but are cut along opposite diagonals: the right column is numbered downwards.</summary>
    private static Mesh OtherDiagonals()
    {
        var plane = TwoGrids(2, 3, 3);
        int last = plane.NodeCount - 1, rows = 3;
        int Turned(int a) => a < last - rows ? a : last - rows + (last - a);
        double[] x = [.. plane.Coordinates];
        for (int a = 0; a <= last; a++) plane.Coordinates.AsSpan(2 * a, 2).CopyTo(x.AsSpan(2 * Turned(a)));
        return Extrude(new Mesh(2, x, [.. plane.Cells.Select(c => c with { Connectivity = [.. c.Connectivity.Select(Turned)] })], plane.Boundaries), 3);
    }

    private static double Volume(double[] x, int[] t)
    {
        double D(int a, int i) => x[3 * t[a] + i] - x[3 * t[0] + i];
        return D(1, 0) * (D(2, 1) * D(3, 2) - D(2, 2) * D(3, 1)) - D(1, 1) * (D(2, 0) * D(3, 2) - D(2, 2) * D(3, 0))
            + D(1, 2) * (D(2, 0) * D(3, 1) - D(2, 1) * D(3, 0));
    }
}
