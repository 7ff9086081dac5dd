using System.Globalization;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>
/// Reads Gmsh .msh files of version 4.1, ASCII and little-endian binary. Physical groups of the highest dimension become regions, those of
/// lower dimension boundaries; a group without a name is called by its number. Elements of the highest dimension in no group get the
/// region <c>""</c>; lower ones in no group are dropped. When all z are equal the mesh is two-dimensional. Boundary elements on the surface
/// are turned so that their normal points outwards. Format: Gmsh reference manual, "MSH file format".
/// </summary>
public static class GmshReader
{
    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="notes">Receives one sentence for each thing that was repaired or left out.</param>
    /// <exception cref="InputException">The file cannot be read, is no msh 4.1, or is damaged; the message tells where.</exception>
    public static Mesh Read(string path, ICollection<string>? notes = null) => Parse(InputFile.ReadAllBytes(path), path, notes);

    /// <summary>Reads a mesh from the bytes of a file.</summary>
    /// <param name="data">Content.</param>
    /// <param name="name">What to call the file in messages.</param>
    /// <param name="notes">Receives one sentence for each thing that was repaired or left out.</param>
    /// <exception cref="InputException">The data is no msh 4.1, or is damaged; the message tells where.</exception>
    public static Mesh Parse(byte[] data, string name, ICollection<string>? notes = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        return new Reading(new MshScanner(data, name), name, notes ?? []).Run();
    }

    /// <summary>The state of one reading.</summary>
    private sealed class Reading(MshScanner scan, string file, ICollection<string> notes)
    {
        private readonly Dictionary<(int Dim, int Tag), string> _names = [];
        private readonly Dictionary<(int Dim, int Tag), int[]> _groups = []; // entity → physical groups
        private readonly Dictionary<long, int> _nodes = [];
        private readonly List<(ElementType Type, int Dim, int Entity, int[] Nodes, int At)> _blocks = [];
        private double[]? _x; // three per node
        private bool _binary;

        public Mesh Run()
        {
            Header();
            while (!scan.AtEnd)
            {
                string section = scan.SectionStart();
                switch (section)
                {
                    case "PhysicalNames": PhysicalNames(); break;
                    case "Entities": InFormat(() => Entities(false)); break;
                    case "PartitionedEntities": InFormat(() => Entities(true)); break;
                    case "Nodes": InFormat(Nodes); break;
                    case "Elements": InFormat(Elements); break;
                    default: scan.SkipSection(section); continue;
                }
                scan.SectionEnd(section);
            }
            if (_x is null) throw scan.Error("the file has no $Nodes");
            if (_blocks.Count == 0) throw scan.Error("the file has no elements");
            return Build();
        }

        private void InFormat(Action read)
        {
            scan.Binary = _binary;
            read();
            scan.Binary = false;
        }

        private void Header()
        {
            if (scan.AtEnd) throw scan.Error("the file is empty");
            if (scan.SectionStart() != "MeshFormat") throw scan.Error("a Gmsh file starts with $MeshFormat", 0);
            string version = scan.Word();
            if (version != "4.1")
                throw scan.Error($"msh version '{(version.Length > 20 ? version[..20] : version)}' is not supported; convert the file to 4.1: gmsh -format msh41 old.msh -save -o new.msh");
            int kind = scan.Int(), size = scan.Int();
            if (kind is not (0 or 1)) throw scan.Error($"file type {kind} is neither 0 (ASCII) nor 1 (binary)");
            if (size != 8) throw scan.Error($"data size {size} is not supported, it must be 8; write the file on a 64-bit machine");
            _binary = kind == 1;
            if (_binary)
            {
                scan.Line();
                scan.Binary = true;
                if (scan.Int() != 1) throw scan.Error("the binary data is not little-endian; convert the file: gmsh -format msh41 old.msh -save -o new.msh");
                scan.Binary = false;
            }
            scan.SectionEnd("MeshFormat");
        }

        private void PhysicalNames()
        {
            int count = scan.Count("physical names", 3, 1);
            for (int i = 0; i < count; i++)
            {
                int dim = Dimension(), tag = scan.Int();
                _names[(dim, Unsigned(tag))] = scan.Quoted();
            }
        }

        private int Dimension()
        {
            int dim = scan.Int();
            return dim is >= 0 and <= 3 ? dim : throw scan.Error($"{dim} is not a dimension (0 to 3)");
        }

        /// <summary>A negative group tag means the reversed orientation, which plays no part here.</summary>
        private static int Unsigned(int tag) => tag == int.MinValue ? 0 : Math.Abs(tag);

        private void Entities(bool partitioned)
        {
            if (partitioned)
            {
                scan.Tag();
                int ghosts = scan.Count("ghost entities", 2, 8);
                for (int i = 0; i < 2 * ghosts; i++) scan.Int();
            }
            Span<int> counts = stackalloc int[4];
            for (int dim = 0; dim < 4; dim++) counts[dim] = scan.Count("entities", 5, 28);
            for (int dim = 0; dim < 4; dim++)
                for (int i = 0; i < counts[dim]; i++)
                {
                    int tag = scan.Int();
                    if (partitioned)
                    {
                        scan.Int();
                        scan.Int();
                        int partitions = scan.Count("partitions", 1, 4);
                        for (int k = 0; k < partitions; k++) scan.Int();
                    }
                    for (int k = 0; k < (dim == 0 ? 3 : 6); k++) scan.Double();
                    var groups = new int[scan.Count("physical groups", 1, 4)];
                    for (int k = 0; k < groups.Length; k++) groups[k] = Unsigned(scan.Int());
                    _groups[(dim, tag)] = groups;
                    if (dim == 0) continue;
                    int bounding = scan.Count("bounding entities", 1, 4);
                    for (int k = 0; k < bounding; k++) scan.Int();
                }
        }

        private void Nodes()
        {
            if (_x is not null) throw scan.Error("the file has two $Nodes sections");
            int blocks = scan.Count("node blocks", 4, 20), total = scan.Count("nodes", 4, 32);
            scan.Tag();
            scan.Tag();
            _x = new double[3 * total];
            _nodes.EnsureCapacity(total);
            int at = 0;
            for (int b = 0; b < blocks; b++)
            {
                int dim = Dimension();
                scan.Int();
                int parametric = scan.Int() == 0 ? 0 : dim;
                int count = scan.Count("nodes", 4, 32);
                if (count > total - at) throw scan.Error($"the blocks hold more nodes than the {total} announced");
                for (int i = 0; i < count; i++)
                {
                    int start = scan.Position;
                    long tag = scan.Tag();
                    if (!_nodes.TryAdd(tag, at + i)) throw scan.Error($"node {tag} appears twice", start);
                }
                for (int i = 0; i < count; i++, at++)
                {
                    for (int k = 0; k < 3; k++) _x[3 * at + k] = scan.Double();
                    for (int k = 0; k < parametric; k++) scan.Double();
                }
            }
            if (at != total) throw scan.Error($"the blocks hold {at} nodes, but {total} are announced");
        }

        private void Elements()
        {
            if (_x is null) throw scan.Error("$Elements must come after $Nodes");
            int blocks = scan.Count("element blocks", 4, 20), total = scan.Count("elements", 2, 16), at = 0;
            Span<int> one = stackalloc int[20];
            scan.Tag();
            scan.Tag();
            for (int b = 0; b < blocks; b++)
            {
                int start = scan.Position, dim = Dimension(), entity = scan.Int(), code = scan.Int();
                var type = GmshTypes.FromCode(code) ?? throw scan.Error(GmshTypes.Refusal(code), start);
                if (type.Dimension() != dim) throw scan.Error($"{type} elements cannot belong to an entity of dimension {dim}", start);
                int size = type.Nodes(), count = scan.Count("elements", 1 + size, 8 * (1 + size));
                if (count > total - at) throw scan.Error($"the blocks hold more elements than the {total} announced");
                at += count;
                var nodes = new int[count * size];
                int[]? order = GmshTypes.Order(type);
                for (int e = 0; e < count; e++)
                {
                    long element = scan.Tag();
                    for (int k = 0; k < size; k++)
                    {
                        int where = scan.Position;
                        long tag = scan.Tag();
                        if (!_nodes.TryGetValue(tag, out one[k])) throw scan.Error($"element {element} uses node {tag}, which does not exist", where);
                    }
                    for (int k = 0; k < size; k++) nodes[e * size + k] = one[order is null ? k : order[k]];
                }
                if (count > 0) _blocks.Add((type, dim, entity, nodes, start));
            }
            if (at != total) throw scan.Error($"the blocks hold {at} elements, but {total} are announced");
        }

        private Mesh Build()
        {
            double[] x = _x!;
            int top = _blocks.Max(b => b.Dim);
            if (top < 2) throw new InputException(file, 0, 0, "the mesh has only points and lines; mesh the surfaces (gmsh -2) or volumes (gmsh -3)");
            bool[] used = new bool[_nodes.Count];
            foreach (var block in _blocks)
                if (block.Dim == top) foreach (int n in block.Nodes) used[n] = true;
            if (top == 2) RequirePlane(x, used);

            int[] number = new int[used.Length];
            int count = 0;
            for (int n = 0; n < used.Length; n++) number[n] = used[n] ? count++ : -1;
            var coordinates = new double[count * top];
            for (int n = 0; n < used.Length; n++)
                if (used[n]) x.AsSpan(3 * n, top).CopyTo(coordinates.AsSpan(number[n] * top));
            if (count < used.Length) notes.Add($"{file}: {used.Length - count} nodes belong to no element of dimension {top} and were left out");

            var cells = new Groups();
            var boundaries = new OrderedNames();
            int lost = 0;
            foreach (var (type, dim, entity, nodes, at) in _blocks)
            {
                int[] groups = _groups.GetValueOrDefault((dim, entity)) ?? [];
                for (int i = 0; i < nodes.Length; i++) nodes[i] = number[nodes[i]];
                if (dim == top)
                {
                    if (groups.Length > 1)
                        notes.Add($"{file}: entity {entity} of dimension {dim} is in the groups {string.Join(", ", groups.Select(g => $"'{Name(dim, g)}'"))}; its region is the first");
                    Orient(type, nodes, coordinates, top, entity);
                    cells.Add(type, groups.Length > 0 ? Name(dim, groups[0]) : "", nodes);
                    continue;
                }
                if (groups.Length == 0) continue;
                int[] kept = Attached(type, nodes, out int dropped);
                lost += dropped;
                if (kept.Length > 0)
                    foreach (string name in groups.Select(g => Name(dim, g)).Distinct()) boundaries.Add(name, type, kept);
            }
            if (lost > 0) notes.Add($"{file}: {lost} boundary elements use nodes that belong to no element of dimension {top} and were left out");
            foreach (var ((dim, _), name) in _names)
                if (dim < top && !boundaries.Contains(name)) notes.Add($"{file}: the physical group '{name}' of dimension {dim} has no elements");

            var blocks = cells.ToBlocks();
            var named = boundaries.ToDictionary();
            MeshTopology.OrientOutward(blocks, named.Values.SelectMany(b => b).Where(b => b.Type.Dimension() == top - 1));
            return new Mesh(top, coordinates, blocks, named);
        }

        private string Name(int dim, int tag) => _names.GetValueOrDefault((dim, tag)) ?? tag.ToString(CultureInfo.InvariantCulture);

        private void RequirePlane(double[] x, bool[] used)
        {
            double lo = double.PositiveInfinity, hi = double.NegativeInfinity, extent = 0;
            for (int n = 0; n < used.Length; n++)
            {
                if (!used[n]) continue;
                lo = Math.Min(lo, x[3 * n + 2]);
                hi = Math.Max(hi, x[3 * n + 2]);
                for (int k = 0; k < 2; k++) extent = Math.Max(extent, Math.Abs(x[3 * n + k]));
            }
            if (hi - lo > 1e-10 * extent)
                throw new InputException(file, 0, 0, $"the mesh has surface elements only, and they do not lie in one plane of constant z (z from {lo:R} to {hi:R}); shells are not supported: mesh the volume (gmsh -3)");
        }

        private void Orient(ElementType type, int[] nodes, double[] x, int dim, int entity)
        {
            int size = type.Nodes(), turned = 0;
            int[] mirror = MeshTopology.Mirror(type);
            Span<int> old = stackalloc int[20];
            for (int e = 0; e < nodes.Length / size; e++)
            {
                var element = nodes.AsSpan(e * size, size);
                double h = 0;
                for (int a = 1; a < type.Corners(); a++)
                    for (int k = 0; k < dim; k++) h = Math.Max(h, Math.Abs(x[element[a] * dim + k] - x[element[0] * dim + k]));
                double jacobian = MeshTopology.Orientation(type, element, x, dim);
                if (!(Math.Abs(jacobian) > 1e-12 * (dim == 2 ? h * h : h * h * h)))
                    throw new InputException(file, 0, 0, $"element {e + 1} of entity {entity} ({type}) has no {(dim == 2 ? "area" : "volume")}");
                if (jacobian > 0) continue;
                element.CopyTo(old);
                for (int k = 0; k < size; k++) element[k] = old[mirror[k]];
                turned++;
            }
            if (turned > 0) notes.Add($"{file}: {turned} elements of entity {entity} ({type}) were inside out and have been turned");
        }

        private static int[] Attached(ElementType type, int[] nodes, out int dropped)
        {
            int size = type.Nodes();
            dropped = 0;
            if (!nodes.Contains(-1)) return nodes;
            var kept = new List<int>(nodes.Length);
            for (int e = 0; e < nodes.Length; e += size)
                if (nodes.AsSpan(e, size).Contains(-1)) dropped++;
                else kept.AddRange(nodes.AsSpan(e, size));
            return [.. kept];
        }
    }

    /// <summary>Blocks by shape and name, in order of first appearance.</summary>
    private sealed class Groups
    {
        private readonly Dictionary<(ElementType, string), List<int>> _nodes = [];
        private readonly List<(ElementType Type, string Name)> _order = [];

        public void Add(ElementType type, string name, int[] nodes)
        {
            if (!_nodes.TryGetValue((type, name), out var list))
            {
                _nodes.Add((type, name), list = []);
                _order.Add((type, name));
            }
            list.AddRange(nodes);
        }

        public CellBlock[] ToBlocks() => [.. _order.Select(o => new CellBlock(o.Type, o.Name, [.. _nodes[o]]))];
    }

    /// <summary>Blocks of each boundary.</summary>
    private sealed class OrderedNames
    {
        private readonly Groups _groups = new();
        private readonly HashSet<string> _names = [];

        public void Add(string name, ElementType type, int[] nodes)
        {
            _names.Add(name);
            _groups.Add(type, name, nodes);
        }

        public bool Contains(string name) => _names.Contains(name);

        public Dictionary<string, IReadOnlyList<CellBlock>> ToDictionary() => _groups.ToBlocks().GroupBy(b => b.Region)
            .ToDictionary(g => g.Key, g => (IReadOnlyList<CellBlock>)[.. g]);
    }
}
