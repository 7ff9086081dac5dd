using MsHpc.Continuum.Elements;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>Boundary conditions compiled for one model: prescribed components, nodal loads with their curves, follower faces.</summary>
public sealed class FeLoads
{
    private readonly FeModel _model;
    private readonly List<(int Local, double Amplitude, LoadCurve Curve)> _prescribed = [];
    private readonly List<(LoadCurve Curve, double[] Field)> _terms = [];
    private readonly List<(Face Face, LoadCurve Curve)> _followers = [];
    private readonly LoadCurve[] _curves;

    /// <summary>A boundary face with the cell behind it.</summary>
    private sealed record Face(ElementType Type, int[] MeshNodes, int Cell, double Sign);

    internal FeLoads(FeModel model, BoundaryConditions conditions)
    {
        _model = model;
        Constrained = new bool[model.Unknowns];
        var faults = new List<InputFault>();
        void Fault(string message) => faults.Add(new InputFault(null, 0, 0, message));
        int dim = model.Dimension;
        var mesh = model.Mesh;

        CompileDisplacements(conditions, Fault);

        var faces = new Dictionary<string, Face[]>();
        foreach (var s in conditions.Surfaces)
        {
            if (!faces.TryGetValue(s.Boundary, out var list))
            {
                list = FindFaces(s.Boundary, Fault, s.Field is null);
                faces.Add(s.Boundary, list);
            }
            if (s.Vector is { } v && v.Length != dim)
            {
                Fault($"a traction on '{s.Boundary}' has {v.Length} components, the model {dim}");
                continue;
            }
            if (s.Follower)
            {
                HasFollowers = true;
                foreach (var face in list) if (IsMine(face.Cell)) _followers.Add((face, s.Curve));
                continue;
            }
            AddTerm(s.Curve, field => { foreach (var face in list) if (IsMine(face.Cell)) AddFace(face, s.Field, field); });
        }

        foreach (var f in conditions.Forces)
        {
            if (f.Vector.Length != dim) { Fault($"a force at {f.On} has {f.Vector.Length} components, the model {dim}"); continue; }
            var nodes = Resolve(f.On, Fault);
            AddTerm(f.Curve, field =>
            {
                foreach (int node in nodes)
                    if (model.LocalNode(node) is int local && local >= 0 && local < model.OwnedNodes)
                        for (int i = 0; i < dim; i++) field[local * dim + i] += f.Vector[i];
            });
        }

        string[] regions = [.. mesh.Cells.Select(c => c.Region).Distinct()];
        foreach (var b in conditions.Bodies)
        {
            if (b.Region is not null && !regions.Contains(b.Region))
            {
                Fault($"a body force names region '{b.Region}'; the mesh has: {string.Join(", ", regions.Select(r => $"'{r}'"))}");
                continue;
            }
            if (b.Vector is { } v && v.Length != dim)
            {
                Fault($"a body force has {v.Length} components, the model {dim}");
                continue;
            }
            var massless = model.Groups.Where(g => b.TimesDensity && (b.Region is null || g.Region == b.Region) && !(g.Points.Law.Density > 0));
            string[] names = [.. massless.Select(g => $"'{g.Region}'").Distinct()];
            if (names.Length > 0)
            {
                Fault($"gravity needs a density in region {string.Join(", ", names)}");
                continue;
            }
            AddTerm(b.Curve, field => AddBody(b, field));
        }
        if (faults.Count > 0) throw new InputException(faults);
        _curves = [.. _prescribed.Select(p => p.Curve).Concat(_terms.Select(t => t.Curve)).Concat(conditions.Surfaces.Select(s => s.Curve)).Distinct()];
    }

    /// <summary>Which local components are prescribed.</summary>
    public bool[] Constrained { get; }

    /// <summary>Whether some load follows the surface; the tangent is then without symmetry.</summary>
    public bool HasFollowers { get; }

    /// <summary>The next time at which the slope of a curve jumps.</summary>
    public double NextKnot(double time) => _curves.Length == 0 ? double.PositiveInfinity : _curves.Min(c => c.NextKnot(time));

    /// <summary>Writes the prescribed displacements of a time into a local nodal field.</summary>
    public void Prescribe(double time, double[] displacement)
    {
        foreach (var (local, amplitude, curve) in _prescribed) displacement[local] = amplitude * curve.At(time);
    }

    /// <summary>External nodal forces, summed at owners, ghosts zero. Collective.</summary>
    /// <param name="time">Time.</param>
    /// <param name="displacement">Local nodal field with ghosts up to date; only followers read it.</param>
    /// <param name="force">Local nodal field. Out.</param>
    public void External(double time, double[] displacement, double[] force)
    {
        Array.Clear(force);
        if (HasFollowers)
        {
            foreach (var (face, curve) in _followers) Follower(face, curve.At(time), displacement, force, null);
            _model.SumToOwners(force);
        }
        foreach (var (curve, field) in _terms)
        {
            double factor = curve.At(time);
            if (factor != 0) for (int k = 0; k < force.Length; k++) force[k] += factor * field[k];
        }
    }

    /// <summary>Adds −∂f_ext/∂u of the followers to the values of a system.</summary>
    public void AddTangent(double time, double[] displacement, FeSystem system)
    {
        foreach (var (face, curve) in _followers) Follower(face, curve.At(time), displacement, null, system);
    }

    /// <summary>Sum of a local nodal field over the prescribed components of a named boundary, one number per direction: with internal
    /// minus external forces (plus inertia) this is the reaction. Collective.</summary>
    /// <exception cref="InputException">No boundary of that name.</exception>
    public double[] Reaction(string boundary, double[] field)
    {
        int dim = _model.Dimension;
        var sum = new double[dim];
        foreach (int node in _model.Mesh.BoundaryNodes(boundary))
        {
            int local = _model.LocalNode(node);
            if (local < 0 || local >= _model.OwnedNodes) continue;
            for (int i = 0; i < dim; i++) if (Constrained[local * dim + i]) sum[i] += field[local * dim + i];
        }
        _model.Comm.AllReduceSum(sum.AsSpan());
        return sum;
    }

    private void CompileDisplacements(BoundaryConditions conditions, Action<string> fault)
    {
        int dim = _model.Dimension;
        var mesh = _model.Mesh;
        var taken = new Dictionary<int, (double Amplitude, LoadCurve Curve, NodeTarget On)>();
        var value = new double[dim];
        foreach (var p in conditions.Displacements)
        {
            if (p.Profile is null && (p.Component < 0 || p.Component >= dim))
            {
                fault($"a displacement on {p.On} names component {p.Component}; the model has 0 … {dim - 1}");
                continue;
            }
            bool told = false;
            foreach (int node in Resolve(p.On, fault))
            {
                p.Profile?.Invoke(mesh.Coordinates.AsSpan(node * dim, dim), value);
                for (int i = 0; i < dim; i++)
                {
                    if (p.Profile is null && i != p.Component) continue;
                    double amplitude = p.Profile is null ? 1 : value[i];
                    int key = node * dim + i;
                    if (taken.TryGetValue(key, out var other))
                    {
                        bool same = other.Curve.Equals(p.Curve) && other.Amplitude == amplitude
                            || IsZero(other.Amplitude, other.Curve) && IsZero(amplitude, p.Curve);
                        if (!same && !told)
                        {
                            fault($"component {i} of node {node} is prescribed on {other.On} and, differently, on {p.On}");
                            told = true;
                        }
                        continue;
                    }
                    taken.Add(key, (amplitude, p.Curve, p.On));
                    int local = _model.LocalNode(node);
                    if (local < 0) continue;
                    Constrained[local * dim + i] = true;
                    _prescribed.Add((local * dim + i, amplitude, p.Curve));
                }
            }
        }

        static bool IsZero(double amplitude, LoadCurve curve) => amplitude == 0 || curve.Equals(LoadCurve.Zero);
    }

    private int[] Resolve(NodeTarget on, Action<string> fault)
    {
        var mesh = _model.Mesh;
        int dim = mesh.Dimension;
        if (on.Boundary is { } name)
        {
            if (mesh.Boundaries.ContainsKey(name)) return mesh.BoundaryNodes(name);
            fault($"the mesh has no boundary '{name}'; it has: {string.Join(", ", mesh.Boundaries.Keys.Order(StringComparer.Ordinal))}");
            return [];
        }
        if (on.Nodes is { } nodes)
        {
            int bad = Array.FindIndex(nodes, n => n < 0 || n >= mesh.NodeCount);
            if (bad < 0) return [.. nodes.Distinct()];
            fault($"node {nodes[bad]} does not exist; the mesh has {mesh.NodeCount} nodes");
            return [];
        }
        var point = on.Point!;
        if (point.Length != dim)
        {
            fault($"a point with {point.Length} coordinates in a {dim}-dimensional model");
            return [];
        }
        int best = -1;
        double least = double.PositiveInfinity;
        var used = new bool[mesh.NodeCount];
        foreach (var block in mesh.Cells) foreach (int node in block.Connectivity) used[node] = true;
        for (int node = 0; node < mesh.NodeCount; node++)
        {
            if (!used[node]) continue;
            double distance = 0;
            for (int i = 0; i < dim; i++) distance += Math.Pow(mesh.Coordinates[node * dim + i] - point[i], 2);
            if (distance < least) (least, best) = (distance, node);
        }
        return [best];
    }

    private void AddTerm(LoadCurve curve, Action<double[]> add)
    {
        var field = new double[_model.Unknowns];
        add(field);
        _model.SumToOwners(field);
        int at = _terms.FindIndex(t => t.Curve.Equals(curve));
        if (at < 0) _terms.Add((curve, field));
        else for (int k = 0; k < field.Length; k++) _terms[at].Field[k] += field[k];
    }

    private bool IsMine(int cell) => cell >= 0 && _model.Partition.CellRank[cell] == _model.Comm.Rank;

    /// <summary>The faces of a boundary with the lowest cell that has all their nodes, and the sign that turns their normal outward.</summary>
    private Face[] FindFaces(string name, Action<string> fault, bool needsOneSide)
    {
        var mesh = _model.Mesh;
        int dim = mesh.Dimension;
        if (!mesh.Boundaries.TryGetValue(name, out var blocks))
        {
            fault($"the mesh has no boundary '{name}'; it has: {string.Join(", ", mesh.Boundaries.Keys.Order(StringComparer.Ordinal))}");
            return [];
        }
        var found = new List<(ElementType Type, int[] Nodes)>();
        foreach (var block in blocks)
            if (block.Type.Dimension() == dim - 1)
                for (int e = 0; e < block.Count; e++) found.Add((block.Type, block.Nodes(e).ToArray()));
        if (found.Count == 0)
        {
            fault($"boundary '{name}' has no {(dim == 3 ? "faces" : "edges")} that could carry a load");
            return [];
        }
        var byNode = new Dictionary<int, List<int>>();
        for (int f = 0; f < found.Count; f++)
        {
            if (!byNode.TryGetValue(found[f].Nodes[0], out var list)) byNode.Add(found[f].Nodes[0], list = []);
            list.Add(f);
        }
        var parent = new int[found.Count];
        var sign = new double[found.Count];
        Array.Fill(parent, -1);
        bool twoSided = false;
        int cell = 0;
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++, cell++)
            {
                var nodes = block.Nodes(e);
                foreach (int node in nodes)
                {
                    if (!byNode.TryGetValue(node, out var list)) continue;
                    foreach (int f in list)
                    {
                        bool all = true;
                        foreach (int k in found[f].Nodes) all &= nodes.Contains(k);
                        if (!all) continue;
                        if (parent[f] >= 0) { twoSided = true; continue; }
                        parent[f] = cell;
                        sign[f] = Outward(found[f].Type, found[f].Nodes, nodes);
                    }
                }
            }
        int orphan = Array.IndexOf(parent, -1);
        if (orphan >= 0) fault($"boundary '{name}': face {orphan} (nodes {string.Join(", ", found[orphan].Nodes)}) belongs to no cell");
        if (twoSided && needsOneSide) fault($"boundary '{name}' has cells on both sides: a pressure needs an outward normal");
        return [.. found.Select((f, k) => new Face(f.Type, f.Nodes, parent[k], sign[k]))];
    }

    private double Outward(ElementType type, int[] face, ReadOnlySpan<int> cell)
    {
        int dim = _model.Dimension;
        Span<double> center = stackalloc double[3];
        Span<double> normal = stackalloc double[3];
        var x = _model.Mesh.Coordinates;
        for (int i = 0; i < dim; i++)
        {
            foreach (int n in face) center[i] += x[n * dim + i] / face.Length;
            foreach (int n in cell) center[i] -= x[n * dim + i] / cell.Length;
        }
        var reference = ReferenceElement.Get(type, QuadratureRule.Full);
        Span<double> tangents = stackalloc double[6];
        Tangents(reference, 0, face, x, tangents);
        Normal(tangents, normal);
        double dot = 0;
        for (int i = 0; i < dim; i++) dot += normal[i] * center[i];
        return dot >= 0 ? 1 : -1;
    }

    /// <summary>∂x/∂ξₖ of a face at a point, [k·3 + i], of mesh nodes with given coordinates.</summary>
    private void Tangents(ReferenceElement r, int q, int[] nodes, double[] x, Span<double> tangents)
    {
        int dim = _model.Dimension;
        tangents.Clear();
        for (int a = 0; a < r.Nodes; a++)
            for (int k = 0; k < r.Dimension; k++)
                for (int i = 0; i < dim; i++) tangents[k * 3 + i] += r.Gradients[(q * r.Nodes + a) * r.Dimension + k] * x[nodes[a] * dim + i];
    }

    /// <summary>n da/dξ: tangent turned to its right in the plane, cross product in space.</summary>
    private void Normal(ReadOnlySpan<double> t, Span<double> normal)
    {
        if (_model.Dimension == 2) { normal[0] = t[1]; normal[1] = -t[0]; return; }
        normal[0] = t[1] * t[5] - t[2] * t[4];
        normal[1] = t[2] * t[3] - t[0] * t[5];
        normal[2] = t[0] * t[4] - t[1] * t[3];
    }

    private void AddFace(Face face, VectorField? traction, double[] field)
    {
        int dim = _model.Dimension;
        var r = ReferenceElement.Get(face.Type, QuadratureRule.Mass);
        var mesh = _model.Mesh;
        Span<double> tangents = stackalloc double[6];
        Span<double> normal = stackalloc double[3];
        Span<double> x = stackalloc double[3];
        Span<double> t = stackalloc double[3];
        for (int q = 0; q < r.Points; q++)
        {
            Tangents(r, q, face.MeshNodes, mesh.Coordinates, tangents);
            normal.Clear();
            Normal(tangents, normal);
            double w = r.Weights[q] * (dim == 2 ? _model.Options.Thickness : 1);
            if (traction is null) for (int i = 0; i < dim; i++) t[i] = -face.Sign * normal[i] * w;
            else
            {
                x.Clear();
                for (int a = 0; a < r.Nodes; a++)
                    for (int i = 0; i < dim; i++) x[i] += r.N[q * r.Nodes + a] * mesh.Coordinates[face.MeshNodes[a] * dim + i];
                traction(x[..dim], t[..dim]);
                double area = Math.Sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
                for (int i = 0; i < dim; i++) t[i] *= area * w;
            }
            for (int a = 0; a < r.Nodes; a++)
                for (int i = 0; i < dim; i++)
                    field[_model.LocalNode(face.MeshNodes[a]) * dim + i] += r.N[q * r.Nodes + a] * t[i];
        }
    }

    /// <summary>Pressure on the deformed face: forces, or −∂f/∂u into a system.</summary>
    private void Follower(Face face, double pressure, double[] displacement, double[]? force, FeSystem? system)
    {
        if (pressure == 0) return;
        int dim = _model.Dimension;
        var r = ReferenceElement.Get(face.Type, QuadratureRule.Mass);
        Span<double> tangents = stackalloc double[6];
        Span<double> normal = stackalloc double[3];
        Span<double> turned = stackalloc double[6];
        Span<double> change = stackalloc double[3];
        for (int q = 0; q < r.Points; q++)
        {
            tangents.Clear();
            for (int a = 0; a < r.Nodes; a++)
            {
                int local = _model.LocalNode(face.MeshNodes[a]) * dim;
                for (int k = 0; k < r.Dimension; k++)
                    for (int i = 0; i < dim; i++)
                        tangents[k * 3 + i] += r.Gradients[(q * r.Nodes + a) * r.Dimension + k] * (_model.Coordinates[local + i] + displacement[local + i]);
            }
            double w = pressure * face.Sign * r.Weights[q] * (dim == 2 ? _model.Options.Thickness : 1);
            if (force is not null)
            {
                Normal(tangents, normal);
                for (int a = 0; a < r.Nodes; a++)
                    for (int i = 0; i < dim; i++)
                        force[_model.LocalNode(face.MeshNodes[a]) * dim + i] -= w * r.N[q * r.Nodes + a] * normal[i];
                continue;
            }
            for (int b = 0; b < r.Nodes; b++)
                for (int j = 0; j < dim; j++)
                {
                    int column = system!.Equation[_model.LocalNode(face.MeshNodes[b]) * dim + j];
                    if (column < 0) continue;
                    // ∂(g₁ × g₂)/∂x_bj: replace one tangent after the other by ∂N_b/∂ξ e_j; in the plane there is one.
                    change.Clear();
                    for (int k = 0; k < r.Dimension; k++)
                    {
                        tangents.CopyTo(turned);
                        turned.Slice(k * 3, 3).Clear();
                        turned[k * 3 + j] = r.Gradients[(q * r.Nodes + b) * r.Dimension + k];
                        Normal(turned, normal);
                        for (int i = 0; i < dim; i++) change[i] += normal[i];
                    }
                    for (int a = 0; a < r.Nodes; a++)
                        for (int i = 0; i < dim; i++)
                        {
                            int row = system.Equation[_model.LocalNode(face.MeshNodes[a]) * dim + i];
                            if (row >= 0 && change[i] != 0) system.Values[system.Pattern.Find(row, column)] += w * r.N[q * r.Nodes + a] * change[i];
                        }
                }
        }
    }

    private void AddBody(BoundaryConditions.Body body, double[] field)
    {
        int dim = _model.Dimension;
        Span<double> x = stackalloc double[3];
        Span<double> value = stackalloc double[3];
        foreach (var g in _model.Groups)
        {
            if (body.Region is not null && g.Region != body.Region) continue;
            double factor = body.TimesDensity ? g.Points.Law.Density : 1;
            var r = ReferenceElement.Get(g.Type, QuadratureRule.Mass);
            for (int e = 0; e < g.Count; e++)
                for (int q = 0; q < r.Points; q++)
                {
                    if (body.Vector is not null) body.Vector.CopyTo(value);
                    else
                    {
                        x.Clear();
                        for (int a = 0; a < r.Nodes; a++)
                            for (int i = 0; i < dim; i++) x[i] += r.N[q * r.Nodes + a] * _model.Coordinates[FeModel.NodeOf(g, e, a) * dim + i];
                        body.Field!(x[..dim], value[..dim]);
                    }
                    double w = factor * _model.Measure(g, e, r, q);
                    for (int a = 0; a < r.Nodes; a++)
                        for (int i = 0; i < dim; i++) field[FeModel.NodeOf(g, e, a) * dim + i] += w * r.N[q * r.Nodes + a] * value[i];
                }
        }
    }
}
