using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Assembly;

/// <summary>
/// A solid: a mesh with a law in each region. Gives internal forces and tangent stiffness for a displacement field,
/// <code>
/// f = Σ ∫ Bᵀσ dV      K = Σ ∫ Bᵀ(∂σ/∂ε)B dV      (finite strain: P and ∂P/∂F with gradients in the reference configuration)
/// </code>
/// holds the state of the points (old: start of the step, new: last evaluation), and the parts of a distributed mesh. The whole mesh is
/// read on every rank; each rank keeps its cells and the nodes they touch, owned ones first, then ghosts. Nodal fields are arrays over
/// these local nodes, <see cref="Dimension"/> numbers per node, called <em>local</em> below.
/// </summary>
/// <remarks>
/// Results do not depend on the number of threads (bitwise: chunks of elements are coloured, colours run in order) and on the number of
/// ranks to about 1e-12. After construction an assembly allocates nothing. For the choice of elements against locking see <see cref="FeOptions"/>.
/// </remarks>
public sealed partial class FeModel
{
    private readonly MeshPartition _partition;
    private readonly ElementGroup[] _groups;
    private readonly MaterialPoints[] _materials;
    private readonly double[] _sendBuffer, _ghostBuffer;
    private readonly int[] _sendOffsets, _ghostOffsets;

    /// <summary>Builds the model. Collective.</summary>
    /// <param name="mesh">The whole mesh, the same on every rank.</param>
    /// <param name="space">Strain measure; its dimension must be the mesh's.</param>
    /// <param name="materials">Law of each region.</param>
    /// <param name="options">Thickness and integration; null for the defaults.</param>
    /// <param name="comm">Ranks that share the model; null for this process alone.</param>
    /// <param name="team">Threads; null for the caller's alone.</param>
    /// <exception cref="InputException">Regions without a law or laws without a region, a law of another strain space, an integration that
    /// the elements do not have, inverted elements; all faults at once.</exception>
    public FeModel(Mesh mesh, StrainSpace space, IReadOnlyDictionary<string, IMaterial> materials, FeOptions? options = null,
        Comm? comm = null, ThreadTeam? team = null)
    {
        Mesh = mesh;
        Space = space;
        Options = options ?? new FeOptions();
        Comm = comm ?? Comm.Self;
        Team = team ?? ThreadTeam.Single;
        Check(mesh, space, materials, Options);

        int dim = mesh.Dimension;
        _partition = new MeshPartition(mesh, Comm, dealt: materials.Values.Any(m => m.IsCollective));
        Nodes = _partition.LocalToMesh.Length;
        Coordinates = new double[Nodes * dim];
        for (int i = 0; i < Nodes; i++) mesh.Coordinates.AsSpan(_partition.LocalToMesh[i] * dim, dim).CopyTo(Coordinates.AsSpan(i * dim));

        _sendOffsets = [.. _partition.SendOffsets.Select(k => k * dim)];
        _ghostOffsets = [.. _partition.GhostOffsets.Select(k => k * dim)];
        _sendBuffer = new double[_sendOffsets[^1]];
        _ghostBuffer = new double[_ghostOffsets[^1]];

        (_groups, _materials) = Group(materials);
        RequirePositiveJacobians();
        Graph = BuildGraph();
        _chunks = Cut();
        (_order, _colorStart) = Color();
        _collectiveChunks = [.. Enumerable.Range(0, _chunks.Length).Where(c => _chunks[c].Group.Points.Law.IsCollective)];
        _scratch = new ElementScratch[Team.Count];
        for (int t = 0; t < _scratch.Length; t++) _scratch[t] = NewScratch();
        _strainTask = (task, worker) => StrainOf(_collectiveChunks[task], worker);
        _chunkTask = (task, worker) => Process(_order[_taskBase + task], worker);
        _chunkOk = new bool[_chunks.Length];
    }

    /// <summary>The whole mesh.</summary>
    public Mesh Mesh { get; }

    /// <summary>Strain measure of all laws.</summary>
    public StrainSpace Space { get; }

    /// <summary>Thickness and integration.</summary>
    public FeOptions Options { get; }

    /// <summary>Ranks that share the model.</summary>
    public Comm Comm { get; }

    /// <summary>Threads of this rank.</summary>
    public ThreadTeam Team { get; }

    /// <summary>Space dimension.</summary>
    public int Dimension => Mesh.Dimension;

    /// <summary>Local nodes: owned ones, then ghosts. Mesh nodes without a cell are no part of the model.</summary>
    public int Nodes { get; }

    /// <summary>Local nodes that this rank owns.</summary>
    public int OwnedNodes => _partition.Owned;

    /// <summary>Length of a local nodal vector field.</summary>
    public int Unknowns => Nodes * Dimension;

    /// <summary>Coordinates of the local nodes.</summary>
    public double[] Coordinates { get; }

    /// <summary>Mesh node of each local node.</summary>
    public IReadOnlyList<int> LocalToMesh => _partition.LocalToMesh;

    /// <summary>Pairs of local nodes that share an element of this rank.</summary>
    public SparsePattern Graph { get; }

    /// <summary>Elements on this rank.</summary>
    public int Elements => _groups.Sum(g => g.Count);

    /// <summary>Quadrature points on this rank.</summary>
    public int Points => _groups.Sum(g => g.Count * g.Reference.Points);

    /// <summary>Whether the tangents of all laws are symmetric.</summary>
    public bool IsSymmetric => _materials.All(m => m.Law.HasSymmetricTangent);

    /// <summary>Whether all laws are of small strain, without state and symmetric: then the stiffness is positive definite for stable laws,
    /// and the solvers that need that apply.</summary>
    public bool IsElastic => !Space.IsFinite() && _materials.All(m => m.Law.HasSymmetricTangent && m.Law.StateSize == 0);

    internal MeshPartition Partition => _partition;

    internal IReadOnlyList<ElementGroup> Groups => _groups;

    /// <summary>Local node of a mesh node; −1 where this rank has no cell with it.</summary>
    public int LocalNode(int meshNode) => _partition.MeshToLocal[meshNode];

    /// <summary>Accepts the last evaluation: its state becomes the start of the next step.</summary>
    public void Commit()
    {
        foreach (var m in _materials) m.Commit();
    }

    /// <summary>Returns to the state of the last <see cref="Commit"/>.</summary>
    public void Rollback()
    {
        foreach (var m in _materials) m.Rollback();
    }

    /// <summary>
    /// The committed state of this rank by name (<c>state/region/type</c>, and stress and strain for output), for checkpoints: read or
    /// overwrite the memory, then call <see cref="Rollback"/> to take it over. Blocked as in <see cref="MaterialBatch"/>, so only for a
    /// restart on the same number of ranks.
    /// </summary>
    public IEnumerable<(string Name, Memory<double> Data)> StateFields
    {
        get
        {
            int n = Space.Components();
            foreach (var g in _groups)
            {
                int blocks = g.Blocks * g.Reference.Points, size = g.Points.Law.StateSize;
                string name = $"{g.Region}/{g.Type}";
                if (size > 0) yield return ($"state/{name}", Slice(g.Points.OldState, size));
                yield return ($"strain/{name}", Slice(g.Points.CommittedStrain, n));
                yield return ($"stress/{name}", Slice(g.Points.CommittedStress, n));

                Memory<double> Slice(double[] values, int width) =>
                    values.AsMemory(g.FirstBlock * width * Lane4.Width, blocks * width * Lane4.Width);
            }
        }
    }

    /// <summary>Gives ghosts the values of their owners.</summary>
    /// <remarks>Collective.</remarks>
    /// <param name="field">Local nodal vector field, in and out.</param>
    public void UpdateGhosts(double[] field)
    {
        if (Comm.Size == 1) return;
        int dim = Dimension, at = 0;
        foreach (int node in _partition.SendNodes)
            for (int i = 0; i < dim; i++) _sendBuffer[at++] = field[node * dim + i];
        Comm.Exchange<double>(_partition.Neighbors, _sendBuffer, _sendOffsets, field.AsSpan(OwnedNodes * dim), _ghostOffsets);
    }

    /// <summary>Adds what this rank gathered at ghosts to their owners, and clears the ghosts.</summary>
    /// <remarks>Collective.</remarks>
    /// <param name="field">Local nodal vector field, in and out.</param>
    public void SumToOwners(double[] field)
    {
        if (Comm.Size == 1) return;
        int dim = Dimension, at = 0;
        field.AsSpan(OwnedNodes * dim, _ghostBuffer.Length).CopyTo(_ghostBuffer);
        Comm.Exchange<double>(_partition.Neighbors, _ghostBuffer, _ghostOffsets, _sendBuffer, _sendOffsets);
        foreach (int node in _partition.SendNodes)
            for (int i = 0; i < dim; i++) field[node * dim + i] += _sendBuffer[at++];
        field.AsSpan(OwnedNodes * dim).Clear();
    }

    /// <summary>Σ a·b over owned nodes of all ranks.</summary>
    /// <remarks>Collective.</remarks>
    public double Dot(double[] a, double[] b)
    {
        double sum = 0;
        int count = OwnedNodes * Dimension;
        for (int i = 0; i < count; i++) sum += a[i] * b[i];
        return Comm.AllReduceSum(sum);
    }

    /// <summary>Where a mesh cell is, in words: its number, region and centroid.</summary>
    public string Locate(int meshCell)
    {
        int cell = meshCell;
        foreach (var block in Mesh.Cells)
        {
            if (cell >= block.Count) { cell -= block.Count; continue; }
            var x = new double[Dimension];
            foreach (int node in block.Nodes(cell))
                for (int i = 0; i < x.Length; i++) x[i] += Mesh.Coordinates[node * x.Length + i] / block.Type.Nodes();
            return $"element {meshCell} ({block.Type}) of region '{block.Region}' at ({string.Join(", ", x.Select(v => v.ToString("G6")))})";
        }
        return $"element {meshCell}";
    }

    /// <summary>The first mesh cell with a point that failed in the last evaluation, on any rank; −1 when none did.</summary>
    /// <remarks>Collective.</remarks>
    public int FailedCell()
    {
        int first = int.MaxValue;
        foreach (var g in _groups)
            for (int b = 0; b < g.Blocks; b++)
                for (int q = 0; q < g.Reference.Points; q++)
                {
                    int bits = g.Points.Failed[g.FirstBlock + b * g.Reference.Points + q];
                    for (int l = 0; l < g.LanesOf(b); l++)
                        if ((bits >> l & 1) != 0) first = Math.Min(first, g.Cells[b * Lane4.Width + l]);
                }
        first = -(int)Comm.AllReduceMax(-(double)first);
        return first == int.MaxValue ? -1 : first;
    }

    /// <summary>The cell of the largest entry of a local nodal field (a residual), for messages; −1 when the field is zero.</summary>
    /// <remarks>Collective.</remarks>
    internal int CellOfLargest(double[] field)
    {
        double largest = 0;
        int at = -1;
        for (int i = 0; i < OwnedNodes * Dimension; i++)
            if (Math.Abs(field[i]) > largest || double.IsNaN(field[i])) { largest = double.IsNaN(field[i]) ? double.MaxValue : Math.Abs(field[i]); at = i / Dimension; }
        double global = Comm.AllReduceMax(largest);
        int cell = int.MaxValue;
        if (at >= 0 && largest == global)
            foreach (var g in _groups)
                for (int k = 0; k < g.Nodes.Length; k++)
                    if (g.Nodes[k] == at)
                    {
                        int element = k / (g.NodeCount * Lane4.Width) * Lane4.Width + k % Lane4.Width;
                        if (element < g.Count) cell = Math.Min(cell, g.Cells[element]);
                    }
        cell = -(int)Comm.AllReduceMax(-(double)cell);
        return cell == int.MaxValue ? -1 : cell;
    }

    private static void Check(Mesh mesh, StrainSpace space, IReadOnlyDictionary<string, IMaterial> materials, FeOptions options)
    {
        var faults = new List<InputFault>();
        void Fault(string message) => faults.Add(new InputFault(null, 0, 0, message));

        if (space.Dimension() != mesh.Dimension) Fault($"a {mesh.Dimension}-dimensional mesh cannot carry {space} strain");
        if (mesh.CellCount == 0) Fault("the mesh has no cells");
        if (!(options.Thickness > 0)) Fault($"thickness must be positive, not {options.Thickness}");
        string[] regions = [.. mesh.Cells.Select(c => c.Region).Distinct()];
        string list = string.Join(", ", regions.Select(r => $"'{r}'"));
        foreach (string region in regions)
            if (!materials.TryGetValue(region, out var law)) Fault($"region '{region}' has no material");
            else if (law.Space != space) Fault($"region '{region}': the material speaks {law.Space}, the model {space}");
        foreach (string region in materials.Keys.Concat(options.IntegrationByRegion.Keys).Distinct())
            if (!regions.Contains(region)) Fault($"the mesh has no region '{region}'; it has: {list}");
        foreach (var block in mesh.Cells)
        {
            var integration = options.IntegrationByRegion.GetValueOrDefault(block.Region, options.Integration);
            if (block.Type.Dimension() != mesh.Dimension)
                Fault($"region '{block.Region}': {block.Type} cells in a {mesh.Dimension}-dimensional mesh");
            if (integration == Integration.Reduced && block.Type is ElementType.Quad4 or ElementType.Hex8 && !options.AllowsHourglass)
                Fault($"region '{block.Region}': reduced integration of {block.Type} has hourglass modes; use BBar, or quadratic elements");
            if (integration == Integration.BBar && space.IsFinite())
                Fault($"region '{block.Region}': BBar is for small strain; in finite strain use quadratic elements with Reduced");
        }
        if (faults.Count > 0) throw new InputException(faults);
    }

    private (ElementGroup[], MaterialPoints[]) Group(IReadOnlyDictionary<string, IMaterial> materials)
    {
        int dim = Dimension, me = Comm.Rank, cell = 0;
        var cells = new Dictionary<(ElementType, string), (List<int> Cells, List<int> Nodes)>();
        var keys = new List<(ElementType Type, string Region)>();
        foreach (var block in Mesh.Cells)
        {
            var key = (block.Type, block.Region);
            if (!cells.TryGetValue(key, out var lists))
            {
                cells.Add(key, lists = ([], []));
                keys.Add(key);
            }
            for (int e = 0; e < block.Count; e++, cell++)
            {
                if (_partition.CellRank[cell] != me) continue;
                lists.Cells.Add(cell);
                foreach (int node in block.Nodes(e)) lists.Nodes.Add(_partition.MeshToLocal[node]);
            }
        }

        var points = new List<MaterialPoints>();
        var groups = new List<ElementGroup>();
        foreach (var key in keys)
        {
            var law = materials[key.Region];
            var owner = points.Find(p => ReferenceEquals(p.Law, law));
            if (owner is null) points.Add(owner = new MaterialPoints(law));
            var integration = Options.IntegrationByRegion.GetValueOrDefault(key.Region, Options.Integration);
            var reference = ReferenceElement.Get(key.Type, integration == Integration.Reduced ? QuadratureRule.Reduced : QuadratureRule.Full);
            var (list, nodeList) = cells[key];
            int nodes = reference.Nodes, blocks = Lane4.Blocks(list.Count);
            var blocked = new int[blocks * nodes * Lane4.Width];
            var coordinates = new Lanes4[blocks * nodes * dim];
            var flat = System.Runtime.InteropServices.MemoryMarshal.Cast<Lanes4, double>(coordinates.AsSpan());
            for (int b = 0; b < blocks; b++)
                for (int l = 0; l < Lane4.Width; l++)
                {
                    int e = Math.Min(b * Lane4.Width + l, list.Count - 1);
                    for (int a = 0; a < nodes; a++)
                    {
                        int node = nodeList[e * nodes + a];
                        blocked[(b * nodes + a) * Lane4.Width + l] = node;
                        for (int i = 0; i < dim; i++) flat[((b * nodes + a) * dim + i) * Lane4.Width + l] = Coordinates[node * dim + i];
                    }
                }
            groups.Add(new ElementGroup
            {
                Type = key.Type, Region = key.Region, Reference = reference, Points = owner, Cells = [.. list], Nodes = blocked,
                Coordinates = coordinates, FirstBlock = owner.Add(blocks * reference.Points),
                BBar = integration == Integration.BBar && key.Type is ElementType.Quad4 or ElementType.Hex8,
            });
        }
        foreach (var p in points) p.Allocate();
        foreach (var g in groups)
            for (int b = 0; b < g.Blocks; b++)
                g.Points.Active.AsSpan(g.FirstBlock + b * g.Reference.Points, g.Reference.Points).Fill((byte)((1 << g.LanesOf(b)) - 1));
        return ([.. groups], [.. points]);
    }

    private void RequirePositiveJacobians()
    {
        var bad = new List<int>();
        foreach (var g in _groups)
        {
            var scratch = new ElementScratch(g.Reference.Points, g.NodeCount * Dimension, 0);
            for (int b = 0; b < g.Blocks; b++)
            {
                Geometry(g, b, scratch.Gradients, scratch.Weights);
                for (int l = 0; l < g.LanesOf(b); l++)
                    for (int q = 0; q < g.Reference.Points; q++)
                        if (!(scratch.Weights[q][l] > 0)) { bad.Add(g.Cells[b * Lane4.Width + l]); break; }
            }
        }
        var (all, _) = Comm.AllGather<int>(bad.ToArray());
        if (all.Length == 0) return;
        Array.Sort(all);
        throw new InputException([.. all.Take(20).Select(c => new InputFault(null, 0, 0,
            $"{Locate(c)} is inverted or flat: its Jacobian determinant is not positive at a quadrature point; check the order of its nodes"))]);
    }

    private SparsePattern BuildGraph()
    {
        var start = new List<int> { 0 };
        var members = new List<int>();
        foreach (var g in _groups)
            for (int e = 0; e < g.Count; e++)
            {
                for (int a = 0; a < g.NodeCount; a++) members.Add(NodeOf(g, e, a));
                start.Add(members.Count);
            }
        var graph = SparsePattern.FromGroups(Nodes, start.ToArray(), members.ToArray());
        foreach (var g in _groups)
        {
            int nodes = g.NodeCount;
            g.Pairs = new int[g.Count * nodes * nodes];
            for (int e = 0; e < g.Count; e++)
                for (int a = 0; a < nodes; a++)
                    for (int b = 0; b < nodes; b++)
                        g.Pairs[(e * nodes + a) * nodes + b] = graph.Find(NodeOf(g, e, a), NodeOf(g, e, b));
        }
        return graph;
    }

    /// <summary>Local node a of element e of a group.</summary>
    internal static int NodeOf(ElementGroup g, int e, int a) => g.Nodes[(e / Lane4.Width * g.NodeCount + a) * Lane4.Width + e % Lane4.Width];
}
