using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json.Nodes;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>One pass over a job file: collects faults, resolves files and units.</summary>
internal sealed class JobReader(string directory, UnitSystem? units, List<InputFault> faults)
{
    /// <summary>Folder that file names are relative to.</summary>
    public string Directory { get; } = directory;

    /// <summary>Unit system of plain numbers, null when the job names none that exists.</summary>
    public UnitSystem? Units { get; } = units;

    /// <summary>The job's seed, as far as it can be read.</summary>
    public int Seed { get; init; }

    /// <summary>Everything that is wrong, so far.</summary>
    public List<InputFault> Faults { get; } = faults;

    private readonly Dictionary<string, Continuum.Mesh?> _meshes = [];

    /// <summary>A mesh, read once; null, with its faults reported once, when it cannot be read.</summary>
    public Continuum.Mesh? MeshOf(string file, Node at)
    {
        if (_meshes.TryGetValue(file, out var mesh)) return mesh;
        try { mesh = Continuum.IO.GmshReader.Read(file); }
        catch (InputException e)
        {
            foreach (var fault in e.Faults) Faults.Add(fault.File is null ? at.Fault(fault.Message) : fault);
        }
        return _meshes[file] = mesh;
    }

    /// <summary>Adds a fault at a node. Always false, so that readers can return it.</summary>
    public bool Fault(Node at, string message)
    {
        Faults.Add(at.Fault(message));
        return false;
    }

    /// <summary>", did you mean 'x'?" or the list of what there is.</summary>
    public static string Suggest(string word, IReadOnlyCollection<string> valid) =>
        Nearest.Match(word, valid) is { } near ? $", did you mean '{near}'?"
            : valid.Count == 0 ? "; there is none" : $"; there is: {string.Join(", ", valid)}";
}

/// <summary>What may stand at a place of a job file: reads it, checks it, and describes itself as JSON Schema.</summary>
internal abstract class Spec
{
    /// <summary>JSON Schema of the values; shared pieces go to <paramref name="defs"/> and are referred to.</summary>
    public abstract JsonObject Schema(JsonObject defs);

    /// <summary>Reads a value whatever its type; for readers that do not know it.</summary>
    public abstract bool ReadObject(Node node, JobReader reader, out object? value);

    /// <summary>How a value would be written in a job; null when it is more than a word.</summary>
    public virtual JsonNode? Literal(object value) => value is int or double or bool or string ? JsonValue.Create(value) : null;
}

/// <summary>A <see cref="Spec"/> whose values have a type.</summary>
internal abstract class Spec<T> : Spec
{
    /// <summary>Reads a value. False, with at least one fault reported, when there is none to be had.</summary>
    public abstract bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out T value);

    public sealed override bool ReadObject(Node node, JobReader reader, out object? value)
    {
        bool ok = Read(node, reader, out var typed);
        value = typed;
        return ok;
    }
}

/// <summary>A number, plain or (where a dimension is given) with a unit.</summary>
internal sealed class NumberSpec(Dimension dimension, double min = double.NegativeInfinity, double max = double.PositiveInfinity,
    bool open = false) : Spec<double>
{
    public static NumberSpec Any { get; } = new(Dimension.None);

    public override bool Read(Node node, JobReader reader, out double value)
    {
        value = 0;
        if (node.Kind != NodeKind.Scalar || node.IsNull) return reader.Fault(node, $"a number{Unit()} is needed here, not {node.Describe()}");
        if (!Numbers.TryParse(node.Text, out value))
        {
            if (dimension == Dimension.None) return reader.Fault(node, $"a number is needed here, not {node.Describe()}");
            if (reader.Units is not { } units) return false; // the missing or wrong 'units' is already reported
            if (!Units.TryParse(node.Text, dimension, units, out value, out string problem)) return reader.Fault(node, problem);
        }
        if (!double.IsFinite(value)) return reader.Fault(node, $"{node.Text} is not a finite number");
        if (value < min || value > max || open && (value == min || value == max))
            return reader.Fault(node, $"{node.Text} is out of range: {Range()}");
        return true;
    }

    private string Unit() => dimension == Dimension.None ? "" : $" ({dimension})";

    private string Range()
    {
        string less = open ? "<" : "≤", more = open ? ">" : "≥";
        return double.IsInfinity(max) ? $"it must be {more} {Numbers.Text(min)}"
            : double.IsInfinity(min) ? $"it must be {less} {Numbers.Text(max)}"
            : $"it must lie between {Numbers.Text(min)} and {Numbers.Text(max)}{(open ? ", limits excluded" : "")}";
    }

    public override JsonObject Schema(JsonObject defs)
    {
        var number = new JsonObject { ["type"] = "number" };
        if (double.IsFinite(min)) number[open ? "exclusiveMinimum" : "minimum"] = min;
        if (double.IsFinite(max)) number[open ? "exclusiveMaximum" : "maximum"] = max;
        if (dimension == Dimension.None) return number;
        return new JsonObject
        {
            ["anyOf"] = new JsonArray(number, new JsonObject
            {
                ["type"] = "string",
                ["pattern"] = @"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*\S.*$",
                ["description"] = $"a number with a unit, dimension: {dimension}",
            }),
        };
    }
}

/// <summary>Numbers as YAML 1.2 writes them, without any culture.</summary>
internal static class Numbers
{
    public static bool TryParse(string text, out double value)
    {
        value = 0;
        // Only what starts like a number: "nan" and "infinity", which .NET accepts, are words here; YAML has .nan and .inf.
        switch (text)
        {
            case ".inf" or ".Inf" or ".INF" or "+.inf": value = double.PositiveInfinity; return true;
            case "-.inf" or "-.Inf" or "-.INF": value = double.NegativeInfinity; return true;
            case ".nan" or ".NaN" or ".NAN": value = double.NaN; return true;
        }
        foreach (char c in text) if (c is not (>= '0' and <= '9' or '.' or '-' or '+' or 'e' or 'E')) return false;
        return double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out value);
    }

    /// <summary>Shortest text that reads back to the same number.</summary>
    public static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>A few digits for people.</summary>
    public static string Short(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}

/// <summary>A whole number.</summary>
internal sealed class IntegerSpec(int min = 0, int max = int.MaxValue) : Spec<int>
{
    public override bool Read(Node node, JobReader reader, out int value)
    {
        value = 0;
        if (node.Kind != NodeKind.Scalar || !Numbers.TryParse(node.Text, out double number) || number != Math.Floor(number))
            return reader.Fault(node, $"a whole number is needed here, not {node.Describe()}");
        if (number < min || number > max)
            return reader.Fault(node, max == int.MaxValue ? $"{node.Text} is out of range: it must be ≥ {min}"
                : $"{node.Text} is out of range: it must lie between {min} and {max}");
        value = (int)number;
        return true;
    }

    public override JsonNode? Literal(object value) => (int)value >= min ? JsonValue.Create((int)value) : null;

    public override JsonObject Schema(JsonObject defs)
    {
        var schema = new JsonObject { ["type"] = "integer", ["minimum"] = min };
        if (max != int.MaxValue) schema["maximum"] = max;
        return schema;
    }
}

/// <summary>true or false.</summary>
internal sealed class FlagSpec : Spec<bool>
{
    public override bool Read(Node node, JobReader reader, out bool value)
    {
        value = node.Text is "true" or "True" or "TRUE";
        if (node.Kind == NodeKind.Scalar && node.IsPlain && (value || node.Text is "false" or "False" or "FALSE")) return true;
        return reader.Fault(node, $"true or false is needed here, not {node.Describe()}");
    }

    public override JsonObject Schema(JsonObject defs) => new() { ["type"] = "boolean" };
}

/// <summary>A word or sentence; numbers are taken as written.</summary>
internal sealed class TextSpec(string what, string? suffix = null) : Spec<string>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out string value)
    {
        value = node.Text;
        if (node.Kind != NodeKind.Scalar || node.IsNull || value.Length == 0) return reader.Fault(node, $"{what} is needed here, not {node.Describe()}");
        if (value.Length > 1000 || value.Any(char.IsControl)) return reader.Fault(node, $"{what} is one line of text");
        if (suffix is not null)
        {
            if (!value.EndsWith(suffix, StringComparison.Ordinal)) return reader.Fault(node, $"{what} ends in {suffix}, unlike {node.Describe()}");
            if (Path.IsPathRooted(value) || value.Split('/').Contains(".."))
                return reader.Fault(node, $"{what} stays inside the output folder (choose that with --output), unlike {node.Describe()}");
        }
        return true;
    }

    public override JsonObject Schema(JsonObject defs) => suffix is null
        ? new() { ["type"] = new JsonArray("string", "number", "integer", "boolean"), ["minLength"] = 1 }
        : new() { ["type"] = "string", ["pattern"] = $"{suffix.Replace(".", @"\.", StringComparison.Ordinal)}$" };
}

/// <summary>One of a few words, each with its meaning.</summary>
internal sealed class ChoiceSpec<T>(params (string Word, T Value, string Doc)[] options) : Spec<T>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out T value)
    {
        foreach (var option in options)
            if (node.Kind == NodeKind.Scalar && option.Word == node.Text) { value = option.Value; return true; }
        value = default;
        var words = options.Select(o => o.Word).ToArray();
        return reader.Fault(node, node.Kind == NodeKind.Scalar && !node.IsNull
            ? $"unknown choice '{node.Text}'{JobReader.Suggest(node.Text, words)}"
            : $"one of {string.Join(", ", words)} is needed here, not {node.Describe()}");
    }

    public override JsonNode? Literal(object value) => options.FirstOrDefault(o => Equals(o.Value, value)).Word;

    public override JsonObject Schema(JsonObject defs) => new()
    {
        ["enum"] = new JsonArray([.. options.Select(o => (JsonNode)o.Word)]),
        ["description"] = string.Join("; ", options.Select(o => $"{o.Word}: {o.Doc}")),
    };
}

/// <summary>A file that must exist, relative to the job file. The value is its full path.</summary>
internal sealed class FileSpec(string what, params string[] suffixes) : Spec<string>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out string value)
    {
        value = null;
        if (node.Kind != NodeKind.Scalar || node.IsNull || node.Text.Length == 0 || node.Text.Any(char.IsControl) || node.Text.Length > 1000)
            return reader.Fault(node, $"the name of {what} is needed here, not {node.Describe()}");
        if (suffixes.Length > 0 && !suffixes.Any(s => node.Text.EndsWith(s, StringComparison.OrdinalIgnoreCase)))
            return reader.Fault(node, $"{what} ends in {string.Join(" or ", suffixes)}, unlike {node.Describe()}");
        value = Path.GetFullPath(Path.Combine(reader.Directory, node.Text));
        if (File.Exists(value)) return true;
        string folder = Path.GetDirectoryName(value)!;
        string near = "";
        if (Directory.Exists(folder))
        {
            var names = Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)!).Take(200).ToArray();
            if (Nearest.Match(Path.GetFileName(value), names) is { } match) near = $", did you mean '{match}'?";
        }
        return reader.Fault(node, $"there is no file '{node.Text}' in {folder}{near}");
    }

    public override JsonObject Schema(JsonObject defs) => suffixes.Length == 0
        ? new() { ["type"] = "string", ["minLength"] = 1 }
        : new() { ["type"] = "string", ["pattern"] = $"({string.Join('|', suffixes.Select(s => s.Replace(".", @"\.", StringComparison.Ordinal)))})$" };
}

/// <summary>A list of like values.</summary>
internal sealed class ListSpec<T>(Spec<T> item, string what, int min = 0, int max = 100_000) : Spec<IReadOnlyList<T>>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out IReadOnlyList<T> value)
    {
        value = null;
        if (node.Kind != NodeKind.Sequence) return reader.Fault(node, $"a list ({what}) is needed here, not {node.Describe()}");
        var items = new List<T>(node.Items.Count);
        bool ok = true;
        foreach (var child in node.Items)
            if (item.Read(child, reader, out var read)) items.Add(read);
            else ok = false;
        if (node.Items.Count < min || node.Items.Count > max)
            ok = reader.Fault(node, $"{node.Items.Count} entries where {(min == max ? $"{min}" : node.Items.Count < min ? $"at least {min}" : $"at most {max}")} are needed ({what})");
        value = items;
        return ok;
    }

    public override JsonObject Schema(JsonObject defs)
    {
        var schema = new JsonObject { ["type"] = "array", ["items"] = item.Schema(defs) };
        if (min > 0) schema["minItems"] = min;
        if (max < 100_000) schema["maxItems"] = max;
        return schema;
    }
}

/// <summary>A map whose keys the user chooses (regions, phases).</summary>
internal sealed class NamedSpec<T>(Spec<T> item, string what, IReadOnlyList<string>? names = null, bool required = true)
    : Spec<IReadOnlyDictionary<string, T>>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out IReadOnlyDictionary<string, T> value)
    {
        value = null;
        if (node.Kind != NodeKind.Map) return reader.Fault(node, $"a map ({what}) is needed here, not {node.Describe()}");
        var all = new Dictionary<string, T>(StringComparer.Ordinal);
        bool ok = true;
        foreach (var (key, child) in node.Entries)
        {
            if (names is not null && !names.Contains(key.Text))
                ok = reader.Fault(key, $"unknown key '{key.Text}'{JobReader.Suggest(key.Text, [.. names])}");
            else if (item.Read(child, reader, out var read)) all[key.Text] = read;
            else ok = false;
        }
        if (required && node.Entries.Count == 0) ok = reader.Fault(node, $"at least one entry is needed here ({what})");
        value = all;
        return ok;
    }

    public override JsonObject Schema(JsonObject defs)
    {
        var schema = new JsonObject { ["type"] = "object" };
        if (required) schema["minProperties"] = 1;
        if (names is null) schema["additionalProperties"] = item.Schema(defs);
        else
        {
            schema["properties"] = new JsonObject(names.Select(n => KeyValuePair.Create(n, (JsonNode?)item.Schema(defs))));
            schema["additionalProperties"] = false;
        }
        return schema;
    }
}

/// <summary>Several shapes of value at one place, told apart by what stands there.</summary>
internal sealed class EitherSpec<T>(string what, params (NodeKind Kind, Spec<T> Spec)[] forms) : Spec<T>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out T value)
    {
        foreach (var (kind, spec) in forms)
            if (kind == node.Kind && !node.IsNull) return spec.Read(node, reader, out value);
        value = default;
        return reader.Fault(node, $"{what} is needed here, not {node.Describe()}");
    }

    public override JsonObject Schema(JsonObject defs) => new() { ["anyOf"] = new JsonArray([.. forms.Select(f => (JsonNode)f.Spec.Schema(defs))]) };
}

/// <summary>A value made from another one.</summary>
internal sealed class MappedSpec<TFrom, TTo>(Spec<TFrom> inner, Func<TFrom, TTo> map) : Spec<TTo>
{
    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out TTo value)
    {
        bool ok = inner.Read(node, reader, out var from);
        value = ok ? map(from!) : default;
        return ok;
    }

    public override JsonObject Schema(JsonObject defs) => inner.Schema(defs);
}

/// <summary>A key of a map.</summary>
internal abstract class Key(string name, string doc, bool required)
{
    public string Name { get; } = name;
    public string Doc { get; } = doc;
    public bool Required { get; } = required;
    public abstract Spec Values { get; }
    /// <summary>What holds when the key is absent; null when nothing does.</summary>
    public abstract object? Fallback { get; }
}

/// <inheritdoc/>
internal sealed class Key<T>(string name, Spec<T> spec, string doc, bool required = false, T? fallback = default) : Key(name, doc, required)
{
    public override Spec Values => spec;
    public override object? Fallback => Required ? null : fallback;
}

/// <summary>What was read from a map.</summary>
internal sealed class MapValues(Node node, Dictionary<Key, object?> values)
{
    public Node Node => node;
    public T Get<T>(Key<T> key) => values.TryGetValue(key, out object? value) ? (T)value! : (T)key.Fallback!;
    public T? Optional<T>(Key<T> key) where T : struct => values.TryGetValue(key, out object? value) ? (T)value! : null;
    public bool Has(Key key) => values.ContainsKey(key);
    public IEnumerable<KeyValuePair<Key, object?>> All => values;
}

/// <summary>A map with known keys.</summary>
/// <param name="name">Name among the schema's definitions.</param>
/// <param name="doc">What the map is for.</param>
/// <param name="build">Makes the record.</param>
/// <param name="keys">Every key there is.</param>
internal sealed class MapSpec<T>(string name, string doc, Func<MapValues, T> build, params Key[] keys) : Spec<T>
{
    private readonly string[] _names = [.. keys.Select(k => k.Name)];

    /// <summary>Of each group exactly one key must be there.</summary>
    public IReadOnlyList<Key[]> ExactlyOne { get; init; } = [];

    /// <summary>Further checks on the values read; called when all needed keys are there.</summary>
    public Action<MapValues, JobReader>? Check { get; init; }

    /// <summary>Keys of the map.</summary>
    public IReadOnlyList<Key> Keys => keys;

    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        if (node.Kind != NodeKind.Map)
            return reader.Fault(node, $"a map with {string.Join(", ", _names.Take(8))}{(_names.Length > 8 ? ", …" : "")} is needed here, not {node.Describe()}");
        var values = new Dictionary<Key, object?>();
        bool ok = true;
        var given = new HashSet<Key>();
        foreach (var (keyNode, child) in node.Entries)
        {
            var key = Array.Find(keys, k => k.Name == keyNode.Text);
            if (key is null)
            {
                ok = reader.Fault(keyNode, $"unknown key '{keyNode.Text}'{JobReader.Suggest(keyNode.Text, _names)}");
                continue;
            }
            given.Add(key);
            if (child.IsNull) ok = reader.Fault(keyNode, $"'{key.Name}' has no value");
            else if (key.Values.ReadObject(child, reader, out object? read)) values[key] = read;
            else ok = false;
        }
        foreach (var key in keys)
            if (key.Required && !given.Contains(key)) ok = reader.Fault(node, $"'{key.Name}' is missing: {key.Doc}");
        foreach (var group in ExactlyOne)
        {
            int count = group.Count(given.Contains);
            if (count != 1)
                ok = reader.Fault(node, $"{(count == 0 ? "one" : "only one")} of {string.Join(", ", group.Select(k => $"'{k.Name}'"))} must be given");
        }
        if (!ok) return false;
        var map = new MapValues(node, values);
        int before = reader.Faults.Count;
        Check?.Invoke(map, reader);
        if (reader.Faults.Count > before) return false;
        value = build(map)!;
        return true;
    }

    public override JsonObject Schema(JsonObject defs)
    {
        if (!defs.ContainsKey(name))
        {
            defs[name] = new JsonObject(); // a placeholder first: maps may contain themselves
            var properties = new JsonObject();
            foreach (var key in keys)
            {
                var schema = key.Values.Schema(defs);
                // A $ref with neighbours is fine since draft 2019-09, but some editors still drop them.
                var property = schema.ContainsKey("$ref") ? new JsonObject { ["allOf"] = new JsonArray(schema) } : schema;
                property["description"] = property["description"] is { } more ? $"{key.Doc} ({more})" : key.Doc;
                if (key.Fallback is { } fallback && key.Values.Literal(fallback) is { } literal) property["default"] = literal;
                properties[key.Name] = property;
            }
            var map = new JsonObject { ["type"] = "object", ["description"] = doc, ["properties"] = properties, ["additionalProperties"] = false };
            if (keys.Any(k => k.Required)) map["required"] = new JsonArray([.. keys.Where(k => k.Required).Select(k => (JsonNode)k.Name)]);
            if (ExactlyOne.Count > 0)
                map["allOf"] = new JsonArray([.. ExactlyOne.Select(group => (JsonNode)new JsonObject
                {
                    ["oneOf"] = new JsonArray([.. group.Select(k => (JsonNode)new JsonObject { ["required"] = new JsonArray(k.Name) })]),
                })]);
            defs[name] = map;
        }
        return new JsonObject { ["$ref"] = "#/$defs/" + name };
    }
}

/// <summary>A map with exactly one key that says which variant it is; where the variant needs nothing, its bare name will do.</summary>
internal sealed class VariantSpec<T>(string what, params (string Name, Spec<T> Spec, bool Bare)[] variants) : Spec<T>
{
    private readonly string[] _names = [.. variants.Select(v => v.Name)];

    public override bool Read(Node node, JobReader reader, [MaybeNullWhen(false)] out T value)
    {
        value = default;
        Node key, body;
        if (node.Kind == NodeKind.Scalar && !node.IsNull) (key, body) = (node, new Node(NodeKind.Map, node.Source, node.Line, node.Column));
        else if (node.Kind == NodeKind.Map && node.Entries.Count == 1) (key, body) = node.Entries[0];
        else
            return reader.Fault(node, $"{what} is needed here ({string.Join(" | ", _names)}), " +
                (node.Kind == NodeKind.Map ? $"one, not {node.Entries.Count}" : "not " + node.Describe()));
        foreach (var (name, spec, bare) in variants)
            if (name == key.Text)
            {
                if (ReferenceEquals(key, node) && !bare) return reader.Fault(node, $"'{name}' needs its parameters: {name}: {{…}}");
                return spec.Read(body.IsNull ? new Node(NodeKind.Map, key.Source, key.Line, key.Column) : body, reader, out value);
            }
        return reader.Fault(key, $"unknown {what} '{key.Text}'{JobReader.Suggest(key.Text, _names)}");
    }

    public override JsonObject Schema(JsonObject defs)
    {
        var forms = new JsonArray();
        foreach (var (name, spec, _) in variants)
            forms.Add(new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { [name] = spec.Schema(defs) },
                ["required"] = new JsonArray(name),
                ["additionalProperties"] = false,
            });
        var bare = variants.Where(v => v.Bare).Select(v => (JsonNode)v.Name).ToArray();
        if (bare.Length > 0) forms.Add(new JsonObject { ["enum"] = new JsonArray(bare) });
        return new JsonObject { ["anyOf"] = forms };
    }
}
