using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using MsHpc.Atomistics;
using MsHpc.Core;
using static MsHpc.Multiscale.Jobs.AtomKeys;

namespace MsHpc.Multiscale.Jobs;

/// <summary>The part of the job language that names sets of atoms.</summary>
internal static class AtomGroups
{
    private static readonly Key<IReadOnlyList<(long, long)>> IdsKey = May<IReadOnlyList<(long, long)>>("ids", new ListSpec<(long, long)>(new RangeSpec(), "ids and ranges, as 7 and 10-20", 1), "ids of atoms, and ranges of them");
    private static readonly Key<IReadOnlyList<string>> ElementsKey = May<IReadOnlyList<string>>("elements", new ListSpec<string>(new TextSpec("a chemical symbol"), "chemical symbols", 1, 100), "kinds of atoms");
    private static readonly ListSpec<double> Interval = new(new NumberSpec(Dimension.Distance), "from, to", 2, 2);
    private static readonly Key<IReadOnlyList<double>> XKey = May<IReadOnlyList<double>>("x", Interval, "from, to"), YKey = May<IReadOnlyList<double>>("y", Interval, "from, to"), ZKey = May<IReadOnlyList<double>>("z", Interval, "from, to");
    private static readonly Key<double[]?[]> BoxKey = May("box", new MapSpec<double[]?[]>("group_box", "Atoms between planes, at the start.", m => [.. new[] { XKey, YKey, ZKey }.Select(k => m.Get(k)?.ToArray())], XKey, YKey, ZKey), "atoms inside a box; directions that are left out do not count");
    private static readonly Key<IReadOnlyList<double>> CenterKey = Need<IReadOnlyList<double>>("center", Vector(Dimension.Distance), "x, y, z");
    private static readonly Key<double> RadiusKey = Need("radius", Positive(Dimension.Distance), "radius");
    private static readonly Key<(double[] Center, double Radius)> SphereKey = May("sphere", new MapSpec<(double[] Center, double Radius)>("group_sphere", "Atoms around a point, at the start.", m => ([.. m.Get(CenterKey)!], m.Get(RadiusKey)), CenterKey, RadiusKey), "atoms inside a sphere");
    private static readonly Key<bool> InvertKey = May("invert", new FlagSpec(), "all other atoms instead", false);

    private static readonly MapSpec<Func<Atoms, int[]>> Group = new("group", "A set of atoms: those that fulfil everything given here, at the start of the run.", m => atoms =>
    {
        var elements = m.Get(ElementsKey);
        foreach (string symbol in elements ?? [])
            if (atoms.Species.All(s => s.Symbol != symbol)) throw new InputException($"a group names '{symbol}', and there are no such atoms{JobReader.Suggest(symbol, [.. atoms.Species.Select(s => s.Symbol)])}");
        var ranges = m.Get(IdsKey);
        foreach (var (first, last) in ranges ?? [])
            if (atoms.Ids.All(id => id < first || id > last)) throw new InputException($"a group names the ids {first} to {last}, and there are no such atoms: ids are {atoms.Ids.Min()} to {atoms.Ids.Max()}");
        double[]?[]? box = m.Get(BoxKey);
        bool Inside(int i)
        {
            if (ranges is not null && !ranges.Any(r => atoms.Ids[i] >= r.Item1 && atoms.Ids[i] <= r.Item2)) return false;
            if (elements is not null && !elements.Contains(atoms.Species[atoms.Types[i]].Symbol)) return false;
            for (int k = 0; k < 3 && box is not null; k++)
                if (box[k] is { } side && (atoms.Positions[3 * i + k] < side[0] || atoms.Positions[3 * i + k] > side[1])) return false;
            if (!m.Has(SphereKey)) return true;
            var (center, radius) = m.Get(SphereKey);
            double r2 = 0;
            for (int k = 0; k < 3; k++) r2 += Math.Pow(atoms.Positions[3 * i + k] - center[k], 2);
            return r2 <= radius * radius;
        }
        return [.. Enumerable.Range(0, atoms.Count).Where(i => Inside(i) != m.Get(InvertKey))];
    }, IdsKey, ElementsKey, BoxKey, SphereKey, InvertKey)
    {
        Check = (m, reader) =>
        {
            if (!m.All.Any(v => v.Key != InvertKey)) reader.Fault(m.Node, "a group needs ids, elements, box or sphere");
            foreach (var (key, side) in m.Node["box"]?.Entries ?? [])
                if (m.Get(BoxKey)!["xyz".IndexOf(key.Text, StringComparison.Ordinal)] is { } range && !(range[0] < range[1])) reader.Fault(side, "the first number is the smaller one");
        },
    };

    /// <summary>Groups by name.</summary>
    public static readonly Key<IReadOnlyDictionary<string, Func<Atoms, int[]>>> GroupsKey = May<IReadOnlyDictionary<string, Func<Atoms, int[]>>>("groups", new NamedSpec<Func<Atoms, int[]>>(Group, "name: {elements: …}"), "named sets of atoms");

    /// <summary>Groups as read.</summary>
    public static IReadOnlyList<GroupChoice> Read(MapValues m) => [.. (m.Get(GroupsKey) ?? new Dictionary<string, Func<Atoms, int[]>>()).Select(g => new GroupChoice(g.Key, g.Value))];

    /// <summary>Atoms of a group; null for no name.</summary>
    public static int[]? Find(Atoms atoms, string? name) => name is null ? null
        : atoms.Groups.TryGetValue(name, out int[]? found) ? found : throw new InputException($"there is no group '{name}'{JobReader.Suggest(name, [.. atoms.Groups.Keys])}");

    /// <summary>Whether every group that is named anywhere in the job exists.</summary>
    public static bool Check(Node root, JobReader reader)
    {
        string[] known = [.. (root["groups"]?.Entries ?? []).Select(e => e.Key.Text)];
        int before = reader.Faults.Count;
        foreach (string part in new[] { "model", "run", "output" }) if (root[part] is { } node) Look(node);
        return reader.Faults.Count == before;

        void Look(Node node)
        {
            foreach (var (key, value) in node.Entries)
                if (key.Text == "group") Name(value);
                else if (key.Text == "fixed") foreach (var item in value.Items) Name(item);
                else Look(value);
            foreach (var item in node.Items) Look(item);
        }

        void Name(Node at)
        {
            if (!known.Contains(at.Text)) reader.Fault(at, $"there is no group '{at.Text}'{JobReader.Suggest(at.Text, known)}");
        }
    }

    /// <summary>An id, or first-last.</summary>
    private sealed class RangeSpec : Spec<(long, long)>
    {
        public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out (long, long) value)
        {
            string[] ends = node.Text.Split('-');
            value = default;
            if (node.Kind != NodeKind.Scalar || ends.Length > 2 || !ends.All(e => long.TryParse(e, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out _)))
                return reader.Fault(node, $"an id or a range of ids as 10-20 is needed here, not {node.Describe()}");
            value = (long.Parse(ends[0], System.Globalization.CultureInfo.InvariantCulture), long.Parse(ends[^1], System.Globalization.CultureInfo.InvariantCulture));
            return value.Item1 <= value.Item2 || reader.Fault(node, $"the range {node.Text} is empty");
        }

        public override JsonObject Schema(JsonObject defs) => new() { ["type"] = new JsonArray("integer", "string"), ["pattern"] = @"^\d+(-\d+)?$" };
    }
}
