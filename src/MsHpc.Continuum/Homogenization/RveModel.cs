using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Homogenization;

/// <summary>Numbers that steer the equilibrium iteration of an RVE.</summary>
/// <param name="Tolerance">Residual ‖Tᵀf‖ over the norm of all element forces, at convergence. Where the stress is so small (near rest, after
/// unloading, under a mere rotation) that rounding alone exceeds this, a residual of the size of rounding will do.</param>
/// <param name="MaxIterations">Newton iterations before the RVE counts as failed.</param>
/// <param name="Integration">Element integrals; other than full in <see cref="LargeRve"/> only. Reduced on linear quadrilaterals and hexahedra
/// (the one-point rule of voxel codes) needs periodic boundaries and a Krylov solver: K has hourglass modes, which the averages do not see.</param>
public sealed record RveOptions(double Tolerance = 1e-11, int MaxIterations = 25, Integration Integration = Integration.Full);

/// <summary>
/// A representative volume element: a box-shaped mesh of phases with one way of imposing the macro strain. Everything here is shared by all
/// its copies (the integration points of a macro model): geometry, constraints, sparsity, elimination order. What differs from copy to copy
/// is the state.
/// </summary>
/// <remarks>
/// Displacement u = ε̄·x + ũ (small strain; F̄·X − X + ũ at finite strain) with ũ = T q. Equilibrium: Tᵀ f(u, state) = 0.
/// Under uniform traction in addition ⟨∇ũ⟩ = 0 with the macro stress as multiplier (Miehe and Koch 2002; Yvonnet 2019, sec. 4).
/// </remarks>
public sealed class RveModel
{
    /// <summary>Elements of one shape and one phase.</summary>
    internal sealed class Group
    {
        public required CellBlock Cells { get; init; }
        public required IMaterial Material { get; init; }
        public required ReferenceElement Reference { get; init; }

        /// <summary>Gradient table of each element: index into <see cref="Tables"/>.</summary>
        public required int[] TableOf { get; init; }

        /// <summary>Per table and quadrature point: ∂N/∂X [(q·nodes + a)·dim + i], then the weights w·det J [q].</summary>
        public required double[][] Tables { get; init; }

        /// <summary>First state vector of the group in the state of the RVE.</summary>
        public required int StateOffset { get; init; }

        /// <summary>First quadrature point of the group among all.</summary>
        public required int PointOffset { get; init; }

        /// <summary>Scatter list of element e: ScatterStart[e] … ScatterStart[e+1].</summary>
        public int[] ScatterStart { get; set; } = [];

        /// <summary>Position in the element stiffness (lower triangle) of each scattered term.</summary>
        public short[] ScatterFrom { get; set; } = [];

        /// <summary>Slot of the factor storage that each term adds to.</summary>
        public int[] ScatterTo { get; set; } = [];

        /// <summary>Weight of each term; empty when all are 1.</summary>
        public double[] ScatterWeight { get; set; } = [];

        public int Nodes => Reference.Nodes;
        public int Points => Reference.Points;
    }

    /// <param name="mesh">Box-shaped mesh; its regions are the phases.</param>
    /// <param name="phases">Law of each region, all in the same <paramref name="space"/>, with symmetric tangents.</param>
    /// <param name="space">Strain measure of the RVE and of its phases.</param>
    /// <param name="boundary">How the macro strain is imposed.</param>
    /// <param name="options">Tolerances; null for the defaults.</param>
    /// <exception cref="InputException">A phase without law, a law in another space, a mesh that is not a box, an inverted element.</exception>
    public RveModel(Mesh mesh, IReadOnlyDictionary<string, IMaterial> phases, StrainSpace space, RveBoundary boundary, RveOptions? options = null)
    {
        (Mesh, Space, Boundary, Options, Phases) = (mesh, space, boundary, options ?? new RveOptions(), phases);
        int dim = mesh.Dimension;
        if (dim != space.Dimension()) throw new InputException($"a {dim}D RVE mesh cannot work in {space}");
        if (Options.Integration != Integration.Full) throw new InputException("RVEs that are factored directly are integrated in full; LargeRve has the other rules");
        CheckPhases();
        var (low, high) = BoxSides.Bounds(mesh);
        Size = [.. high.Zip(low, (h, l) => h - l)];
        BoxVolume = Size.Aggregate(1.0, (v, l) => v * l);
        CellBlock[] blocks = [.. mesh.Cells.Where(c => c.Count > 0)];
        var references = Array.ConvertAll(blocks, c => ReferenceElement.Get(c.Type, QuadratureRule.Full));
        var geometry = blocks.Zip(references, GradientTables).ToArray(); // first, since a tie of inverted elements would fail for less clear reasons
        Constraints = FluctuationConstraints.Build(mesh, boundary, space.IsFinite());

        int n = space.Components();
        StressOffset = Constraints.Unknowns;
        int leading = StressOffset + (boundary == RveBoundary.UniformTraction ? n : 0);
        SensitivityOffset = leading;
        StrainOffset = SensitivityOffset + leading * n;
        HistoryOffset = StrainOffset + n;
        int stateOffset = HistoryOffset + HistorySize, pointOffset = 0;
        var groups = new List<Group>();
        for (int b = 0; b < blocks.Length; b++)
        {
            var (cells, reference, (tableOf, tables)) = (blocks[b], references[b], geometry[b]);
            var material = phases[cells.Region];
            groups.Add(new Group
            {
                Cells = cells, Material = material, Reference = reference, TableOf = tableOf, Tables = tables,
                StateOffset = stateOffset, PointOffset = pointOffset,
            });
            stateOffset += cells.Count * reference.Points * material.StateSize;
            pointOffset += cells.Count * reference.Points;
        }
        Groups = [.. groups];
        (StateSize, Points) = (stateOffset, pointOffset);
        double[] volumes = [.. Groups.Select(g => Volume(g, dim))];
        SolidVolume = volumes.Sum();
        if (boundary == RveBoundary.UniformTraction && Math.Abs(SolidVolume / BoxVolume - 1) > 1e-8)
            throw new InputException("uniform traction needs an RVE without pores: fill them with a soft phase");
        Density = Groups.Zip(volumes, (g, v) => g.Material.Density * v).Sum() / BoxVolume;

        (Pattern, Symbolic) = Analyze();
        BuildScatter();
        Strains = boundary == RveBoundary.UniformTraction ? MeanStrainRows() : [];
        ForceScale = ElasticForces();
    }

    /// <summary>√Σ‖element forces‖² for strains of size one and the stiffness at rest, without regard to sign. Times the macro strain (F̄ at
    /// finite strain) and the unit roundoff this is what rounding leaves of a residual, however small the stress is.</summary>
    private double ElasticForces()
    {
        int n = Space.Components(), dim = Mesh.Dimension, w = Lane4.Width;
        double sum = 0;
        foreach (var group in Groups)
        {
            int size = group.Material.StateSize;
            double[] strain = new double[n * w], old = new double[size * w], state = new double[size * w], stress = new double[n * w], tangent = new double[n * n * w];
            if (Space.IsFinite()) for (int i = 0; i < dim; i++) strain.AsSpan((i * dim + i) * w, w).Fill(1);
            if (size > 0) group.Material.InitializeState(old, 1);
            group.Material.Evaluate(new MaterialBatch
            {
                Blocks = 1, Active = new byte[] { Lane4.All }, Strain = strain, OldState = old, NewState = state, Stress = stress, Tangent = tangent,
                Time = 0, TimeStep = 0, Failed = new byte[1],
            });
            double stiffness = tangent.Max(Math.Abs);
            if (!double.IsFinite(stiffness)) continue;
            var size2 = Array.ConvertAll(group.Tables, t =>
            {
                double force = 0;
                for (int q = 0; q < group.Points; q++)
                    force += t[group.Points * group.Nodes * dim + q] * Math.Sqrt(t.Skip(q * group.Nodes * dim).Take(group.Nodes * dim).Sum(g => g * g));
                return force * force;
            });
            foreach (int table in group.TableOf) sum += stiffness * stiffness * size2[table];
        }
        return Math.Sqrt(sum);
    }

    /// <summary>Numbers kept with the state of each copy besides displacements and phase states: Hill–Mandel residual, iterations,
    /// whether equilibrium is unstable.</summary>
    internal const int HistorySize = 3;

    /// <summary>The mesh.</summary>
    public Mesh Mesh { get; }

    /// <summary>Strain measure.</summary>
    public StrainSpace Space { get; }

    /// <summary>How the macro strain is imposed.</summary>
    public RveBoundary Boundary { get; }

    /// <summary>Tolerances.</summary>
    public RveOptions Options { get; }

    /// <summary>Law of each region.</summary>
    public IReadOnlyDictionary<string, IMaterial> Phases { get; }

    /// <summary>Edge lengths of the box, in the job's length unit.</summary>
    public double[] Size { get; }

    /// <summary>Volume of the box (area in 2D): averages are taken over it, pores included.</summary>
    public double BoxVolume { get; }

    /// <summary>Volume of the elements.</summary>
    public double SolidVolume { get; }

    /// <summary>Mean mass per volume.</summary>
    public double Density { get; }

    /// <summary>Number of independent displacement unknowns.</summary>
    public int Unknowns => Constraints.Unknowns;

    /// <summary>Number of quadrature points.</summary>
    public int Points { get; }

    /// <summary>Numbers of state per copy: fluctuation, (multiplier,) their sensitivity, macro strain, history and the states of all phases.</summary>
    public int StateSize { get; }

    /// <summary>Nonzeros of the factor, and multiply-adds to compute it, per copy.</summary>
    public (long Nonzeros, double Flops) FactorCost => (Symbolic.FactorNonzeros, Symbolic.Flops);

    internal FluctuationConstraints Constraints { get; }
    internal Group[] Groups { get; }
    internal SparsePattern Pattern { get; }
    internal SymbolicLdl Symbolic { get; }

    /// <summary>∫∂(component c)/∂q: n dense rows over the unknowns; only for uniform traction.</summary>
    internal double[] Strains { get; }

    /// <summary>Size of the element forces at a strain of one, see <see cref="ElasticForces"/>.</summary>
    internal double ForceScale { get; }

    internal int StressOffset { get; }
    /// <summary>∂(q, λ)/∂ε̄ of the last evaluation, [i·n + c]: where the next one starts from.</summary>
    internal int SensitivityOffset { get; }

    /// <summary>Macro strain of the last evaluation.</summary>
    internal int StrainOffset { get; }

    /// <summary>First entry of the history; what stands before it is the start of an iteration, not history.</summary>
    public int HistoryOffset { get; }

    /// <summary>One line for the log.</summary>
    public string Description =>
        $"RVE {string.Join(" × ", Size.Select(s => s.ToString("G4", System.Globalization.CultureInfo.InvariantCulture)))}, " +
        $"{Mesh.CellCount} elements, {Unknowns} unknowns, {Boundary}, {Phases.Count} phases";

    private static double Volume(Group group, int dim)
    {
        double[] table = [.. group.Tables.Select(t => t[(group.Points * group.Nodes * dim)..].Sum())];
        return group.TableOf.Sum(t => table[t]);
    }

    private void CheckPhases()
    {
        var missing = Mesh.Cells.Select(c => c.Region).Distinct().Where(r => !Phases.ContainsKey(r)).ToArray();
        if (missing.Length > 0)
            throw new InputException($"the RVE has no material for phase {string.Join(", ", missing.Select(m => $"'{m}'"))}");
        foreach (var (name, law) in Phases)
        {
            if (law.Space != Space) throw new InputException($"phase '{name}' works in {law.Space}, the RVE in {Space}");
            if (!law.HasSymmetricTangent) throw new InputException($"phase '{name}': an RVE needs laws with a symmetric tangent");
        }
    }

    private (int[] TableOf, double[][] Tables) GradientTables(CellBlock cells, ReferenceElement reference)
    {
        int dim = Mesh.Dimension, nodes = reference.Nodes;
        var tableOf = new int[cells.Count];
        var tables = new List<double[]>();
        var shapes = new List<double[]>(); // coordinates relative to the first node, of each table
        double scale = Size.Max();
        for (int e = 0; e < cells.Count; e++)
        {
            var x = new double[nodes * dim];
            for (int a = 0; a < nodes; a++)
                for (int i = 0; i < dim; i++)
                    x[a * dim + i] = Mesh.Coordinates[cells.Nodes(e)[a] * dim + i] - Mesh.Coordinates[cells.Nodes(e)[0] * dim + i];
            // Voxels all share one table; in an unstructured mesh the last few shapes are worth a look, not all.
            int found = -1;
            for (int t = shapes.Count - 1; t >= Math.Max(0, shapes.Count - 4) && found < 0; t--)
                if (x.Zip(shapes[t], (a, b) => Math.Abs(a - b)).Max() <= 1e-13 * scale) found = t;
            if (found < 0)
            {
                found = tables.Count;
                shapes.Add(x);
                tables.Add(Table(cells, e, reference, x));
            }
            tableOf[e] = found;
        }
        return (tableOf, [.. tables]);
    }

    private double[] Table(CellBlock cells, int element, ReferenceElement reference, double[] x)
    {
        int dim = Mesh.Dimension, nodes = reference.Nodes;
        var table = new double[reference.Points * (nodes * dim + 1)];
        Span<double> jacobian = stackalloc double[9], inverse = stackalloc double[9];
        for (int q = 0; q < reference.Points; q++)
        {
            var dn = reference.Gradients.AsSpan(q * nodes * dim, nodes * dim);
            jacobian.Clear();
            for (int a = 0; a < nodes; a++)
                for (int i = 0; i < dim; i++)
                    for (int j = 0; j < dim; j++) jacobian[i * dim + j] += x[a * dim + i] * dn[a * dim + j];
            double det = Invert(jacobian, inverse, dim);
            if (!(det > 0))
                throw new InputException($"element {element} of RVE phase '{cells.Region}' is inverted or flat (det J = {det:G3})");
            for (int a = 0; a < nodes; a++)
                for (int j = 0; j < dim; j++)
                {
                    double g = 0;
                    for (int k = 0; k < dim; k++) g += dn[a * dim + k] * inverse[k * dim + j];
                    table[(q * nodes + a) * dim + j] = g;
                }
            table[reference.Points * nodes * dim + q] = reference.Weights[q] * det;
        }
        return table;
    }

    private static double Invert(ReadOnlySpan<double> m, Span<double> inverse, int dim)
    {
        if (dim == 2)
        {
            double det = m[0] * m[3] - m[1] * m[2];
            (inverse[0], inverse[1], inverse[2], inverse[3]) = (m[3] / det, -m[1] / det, -m[2] / det, m[0] / det);
            return det;
        }
        double c0 = m[4] * m[8] - m[5] * m[7], c1 = m[5] * m[6] - m[3] * m[8], c2 = m[3] * m[7] - m[4] * m[6];
        double d = m[0] * c0 + m[1] * c1 + m[2] * c2;
        inverse[0] = c0 / d; inverse[1] = (m[2] * m[7] - m[1] * m[8]) / d; inverse[2] = (m[1] * m[5] - m[2] * m[4]) / d;
        inverse[3] = c1 / d; inverse[4] = (m[0] * m[8] - m[2] * m[6]) / d; inverse[5] = (m[2] * m[3] - m[0] * m[5]) / d;
        inverse[6] = c2 / d; inverse[7] = (m[1] * m[6] - m[0] * m[7]) / d; inverse[8] = (m[0] * m[4] - m[1] * m[3]) / d;
        return d;
    }

    private (SparsePattern, SymbolicLdl) Analyze()
    {
        int dim = Mesh.Dimension;
        var start = new List<int> { 0 };
        var members = new List<int>();
        foreach (var group in Groups)
            for (int e = 0; e < group.Cells.Count; e++)
            {
                foreach (int a in group.Cells.Nodes(e))
                    for (int i = 0; i < dim; i++)
                    {
                        int d = a * dim + i;
                        for (int t = Constraints.Start[d]; t < Constraints.Start[d + 1]; t++) members.Add(Constraints.Unknown[t]);
                    }
                start.Add(members.Count);
            }
        var pattern = SparsePattern.FromGroups(Unknowns, start.ToArray(), members.ToArray());
        return (pattern, SymbolicLdl.Analyze(pattern, Constraints.NodeOf, Mesh.Coordinates, dim));
    }

    private void BuildScatter()
    {
        int dim = Mesh.Dimension;
        var ldl = new BatchedLdl(Symbolic);
        foreach (var group in Groups)
        {
            int size = group.Nodes * dim;
            var start = new int[group.Cells.Count + 1];
            var from = new List<short>();
            var to = new List<int>();
            var weight = new List<double>();
            for (int e = 0; e < group.Cells.Count; e++)
            {
                var nodes = group.Cells.Nodes(e);
                for (int i = 0; i < size; i++)
                    for (int j = 0; j <= i; j++)
                    {
                        int di = nodes[i / dim] * dim + i % dim, dj = nodes[j / dim] * dim + j % dim;
                        for (int s = Constraints.Start[di]; s < Constraints.Start[di + 1]; s++)
                            for (int t = Constraints.Start[dj]; t < Constraints.Start[dj + 1]; t++)
                            {
                                if (i == j && t > s) break; // K_ii appears once in the lower triangle, not as (s, t) and as (t, s)
                                int r = Constraints.Unknown[s], c = Constraints.Unknown[t];
                                // K_ij and K_ji both fall on the diagonal when two values of an element are one unknown.
                                double w = Constraints.Weight[s] * Constraints.Weight[t] * (i != j && r == c ? 2 : 1);
                                from.Add((short)(i * size + j));
                                to.Add(ldl.Slot(Pattern.Find(Math.Max(r, c), Math.Min(r, c))));
                                weight.Add(w);
                            }
                    }
                start[e + 1] = from.Count;
            }
            group.ScatterStart = start;
            group.ScatterFrom = [.. from];
            group.ScatterTo = [.. to];
            group.ScatterWeight = weight.TrueForAll(w => w == 1) ? [] : [.. weight];
        }
    }

    private double[] MeanStrainRows()
    {
        int dim = Mesh.Dimension, n = Space.Components();
        var rows = new double[n * Unknowns];
        // Component c of the strain of a unit value along i at a node with gradient g.
        static double Component(StrainSpace space, int c, int i, ReadOnlySpan<double> g)
        {
            if (space.IsFinite()) { int dim = space.Dimension(); return c / dim == i ? g[c % dim] : 0; }
            (int p, int q) = space == StrainSpace.PlaneSmall
                ? c switch { 0 => (0, 0), 1 => (1, 1), _ => (0, 1) }
                : c switch { 0 => (0, 0), 1 => (1, 1), 2 => (2, 2), 3 => (1, 2), 4 => (0, 2), _ => (0, 1) };
            return p == q ? (i == p ? g[p] : 0) : (i == p ? g[q] : 0) + (i == q ? g[p] : 0);
        }
        foreach (var group in Groups)
            for (int e = 0; e < group.Cells.Count; e++)
            {
                var table = group.Tables[group.TableOf[e]];
                for (int q = 0; q < group.Points; q++)
                    for (int a = 0; a < group.Nodes; a++)
                        for (int i = 0; i < dim; i++)
                        {
                            int d = group.Cells.Nodes(e)[a] * dim + i;
                            var g = table.AsSpan((q * group.Nodes + a) * dim, dim);
                            double w = table[group.Points * group.Nodes * dim + q];
                            for (int t = Constraints.Start[d]; t < Constraints.Start[d + 1]; t++)
                                for (int c = 0; c < n; c++)
                                    rows[c * Unknowns + Constraints.Unknown[t]] += Constraints.Weight[t] * w * Component(Space, c, i, g);
                        }
            }
        return rows;
    }
}
