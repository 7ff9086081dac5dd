using System.Globalization;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>
/// Writes Gmsh .msh files of version 4.1. Each region and each boundary becomes a physical group of its name on an entity of its own; the
/// region <c>""</c> is written without a group.
/// </summary>
public static class GmshWriter
{
    /// <summary>Writes or replaces a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="mesh">The mesh; a two-dimensional one gets z = 0.</param>
    /// <param name="binary">Little-endian binary instead of text; both keep every bit of the coordinates.</param>
    /// <exception cref="InputException">The file cannot be written, or a name cannot be stored.</exception>
    public static void Write(string path, Mesh mesh, bool binary = true)
    {
        ArgumentNullException.ThrowIfNull(mesh);
        var parts = Parts(mesh);
        AtomicFile.Write(path, stream =>
        {
            using var sink = new Sink(stream, binary);
            sink.Text($"$MeshFormat\n4.1 {(binary ? 1 : 0)} 8\n");
            if (binary) sink.Int(1).End();
            sink.Text("$EndMeshFormat\n");
            Names(sink, parts);
            Entities(sink, mesh, parts);
            Nodes(sink, mesh, parts[0].Type.Dimension());
            Elements(sink, parts);
        });
    }

    private sealed record Part(ElementType Type, string Name, int Entity, int Group, int[] Nodes);

    private static List<Part> Parts(Mesh mesh)
    {
        var parts = new List<Part>();
        var groups = new Dictionary<(int Dim, string Name), int>();
        Span<int> entities = stackalloc int[4];
        foreach (var (name, block) in mesh.Cells.Select(c => (c.Region, c))
            .Concat(mesh.Boundaries.SelectMany(b => b.Value.Select(block => (b.Key, block)))))
        {
            if (name.AsSpan().IndexOfAny('"', '\n', '\r') >= 0) throw new InputException($"the name '{name}' holds a quote or a line break, which .msh cannot store");
            int dim = block.Type.Dimension(), group = 0;
            if (block.Count == 0) continue;
            if (name.Length > 0 && !groups.TryGetValue((dim, name), out group)) groups.Add((dim, name), group = groups.Count + 1);
            parts.Add(new Part(block.Type, name, ++entities[dim], group, block.Connectivity));
        }
        if (parts.Count == 0) throw new InputException("a mesh without elements cannot be written");
        return parts;
    }

    private static void Names(Sink sink, List<Part> parts)
    {
        var names = parts.Where(p => p.Group > 0).Select(p => (p.Type.Dimension(), p.Group, p.Name)).Distinct().Order().ToArray();
        sink.Text(string.Create(CultureInfo.InvariantCulture, $"$PhysicalNames\n{names.Length}\n"));
        foreach (var (dim, group, name) in names) sink.Text(string.Create(CultureInfo.InvariantCulture, $"{dim} {group} \"{name}\"\n"));
        sink.Text("$EndPhysicalNames\n");
    }

    private static void Entities(Sink sink, Mesh mesh, List<Part> parts)
    {
        sink.Text("$Entities\n");
        for (int dim = 0; dim < 4; dim++) sink.Size(parts.Count(p => p.Type.Dimension() == dim));
        sink.End();
        Span<double> lo = stackalloc double[3], hi = stackalloc double[3];
        for (int dim = 0; dim < 4; dim++)
            foreach (var part in parts)
            {
                if (part.Type.Dimension() != dim) continue;
                sink.Int(part.Entity);
                lo.Clear();
                hi.Clear();
                for (int k = 0; k < mesh.Dimension; k++)
                {
                    lo[k] = double.PositiveInfinity;
                    hi[k] = double.NegativeInfinity;
                    foreach (int n in part.Nodes)
                    {
                        lo[k] = Math.Min(lo[k], mesh.Coordinates[n * mesh.Dimension + k]);
                        hi[k] = Math.Max(hi[k], mesh.Coordinates[n * mesh.Dimension + k]);
                    }
                }
                foreach (double x in lo) sink.Double(x);
                if (dim > 0) foreach (double x in hi) sink.Double(x);
                sink.Size(part.Group > 0 ? 1 : 0);
                if (part.Group > 0) sink.Int(part.Group);
                if (dim > 0) sink.Size(0);
                sink.End();
            }
        sink.Text("\n$EndEntities\n", onlyAfterBinary: 1);
    }

    private static void Nodes(Sink sink, Mesh mesh, int dim)
    {
        sink.Text("$Nodes\n");
        sink.Size(1).Size(mesh.NodeCount).Size(1).Size(mesh.NodeCount).End();
        sink.Int(dim).Int(1).Int(0).Size(mesh.NodeCount).End();
        for (int n = 1; n <= mesh.NodeCount; n++) sink.Size(n).End();
        for (int n = 0; n < mesh.NodeCount; n++)
        {
            for (int k = 0; k < 3; k++) sink.Double(k < mesh.Dimension ? mesh.Coordinates[n * mesh.Dimension + k] : 0);
            sink.End();
        }
        sink.Text("\n$EndNodes\n", onlyAfterBinary: 1);
    }

    private static void Elements(Sink sink, List<Part> parts)
    {
        long total = parts.Sum(p => (long)(p.Nodes.Length / p.Type.Nodes())), tag = 0;
        Span<int> place = stackalloc int[20]; // place of Gmsh's node k in our order
        sink.Text("$Elements\n");
        sink.Size(parts.Count).Size(total).Size(1).Size(total).End();
        foreach (var part in parts)
        {
            int size = part.Type.Nodes();
            sink.Int(part.Type.Dimension()).Int(part.Entity).Int(GmshTypes.Code(part.Type)).Size(part.Nodes.Length / size).End();
            int[]? order = GmshTypes.Order(part.Type);
            for (int k = 0; k < size; k++) place[order is null ? k : order[k]] = k;
            for (int e = 0; e < part.Nodes.Length; e += size)
            {
                sink.Size(++tag);
                for (int k = 0; k < size; k++) sink.Size(part.Nodes[e + place[k]] + 1);
                sink.End();
            }
        }
        sink.Text("\n$EndElements\n", onlyAfterBinary: 1);
    }

    /// <summary>Numbers as text or as bytes.</summary>
    private sealed class Sink(Stream stream, bool binary) : IDisposable
    {
        private readonly BinaryWriter _out = new(stream, Encoding.UTF8, leaveOpen: true);
        private readonly StringBuilder _line = new();

        public Sink Int(int value) => Put(value, 4);

        public Sink Size(long value) => Put(value, 8);

        public Sink Double(double value)
        {
            if (binary) _out.Write(value);
            else _line.Append(CultureInfo.InvariantCulture, $"{value:R} ");
            return this;
        }

        /// <summary>Ends a line of text; nothing in binary data.</summary>
        public void End()
        {
            if (binary) return;
            if (_line.Length > 0) _line[^1] = '\n';
            Flush();
        }

        /// <summary>Writes text; the first <paramref name="onlyAfterBinary"/> characters only where binary data precedes.</summary>
        public void Text(string text, int onlyAfterBinary = 0)
        {
            _line.Append(binary ? text : text[onlyAfterBinary..]);
            Flush();
        }

        public void Dispose() => _out.Dispose();

        private Sink Put(long value, int bytes)
        {
            if (!binary) _line.Append(CultureInfo.InvariantCulture, $"{value} ");
            else if (bytes == 4) _out.Write((int)value);
            else _out.Write(value);
            return this;
        }

        private void Flush()
        {
            _out.Write(Encoding.UTF8.GetBytes(_line.ToString()));
            _line.Clear();
        }
    }
}
