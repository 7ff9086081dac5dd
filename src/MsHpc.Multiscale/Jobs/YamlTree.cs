using System.Globalization;
using System.Text;
using MsHpc.Core;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace MsHpc.Multiscale.Jobs;

/// <summary>What a node of a YAML file is.</summary>
internal enum NodeKind { Scalar, Sequence, Map }

/// <summary>A node of a job file that remembers where it stands, so that every later complaint can point at it.</summary>
internal sealed class Node(NodeKind kind, string source, int line, int column)
{
    public NodeKind Kind { get; } = kind;
    /// <summary>File, or the --set option that brought the node.</summary>
    public string Source { get; } = source;
    public int Line { get; } = line;
    public int Column { get; } = column;
    /// <summary>Text of a scalar.</summary>
    public string Text { get; init; } = "";
    /// <summary>Whether a scalar stands without quotes: only then can it be a number, a flag or empty.</summary>
    public bool IsPlain { get; init; }
    /// <summary>Items of a sequence.</summary>
    public List<Node> Items { get; } = [];
    /// <summary>Entries of a map in the order of the file; duplicates are already removed and reported.</summary>
    public List<(Node Key, Node Value)> Entries { get; } = [];
    /// <summary>Nodes below and including this one, each alias counted in full.</summary>
    public long Size { get; set; } = 1;

    public bool IsNull => Kind == NodeKind.Scalar && IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    /// <summary>Value of a key; null when absent or not a map.</summary>
    public Node? this[string key]
    {
        get
        {
            foreach (var (k, v) in Entries) if (k.Text == key) return v;
            return null;
        }
    }

    public InputFault Fault(string message) => new(Source, Line, Column, message);

    /// <summary>What stands here, for messages.</summary>
    public string Describe() => Kind switch
    {
        NodeKind.Map => "a map",
        NodeKind.Sequence => "a list",
        _ when IsNull => "nothing",
        _ => $"'{(Text.Length > 60 ? Text[..57] + "…" : Text).ReplaceLineEndings(" ")}'",
    };

    /// <summary>Every scalar with the path to it, <c>run.steps</c>, <c>boundary_conditions.0.on</c>, whatever the layout was: jobs are compared by them.</summary>
    public IEnumerable<(string Path, string Text)> Settings(string path = "")
    {
        string Below(string step) => path.Length == 0 ? step : $"{path}.{step}";
        if (Kind == NodeKind.Scalar) return [(path, IsPlain ? Text : $"\"{Text}\"")];
        var below = Kind == NodeKind.Sequence ? Items.SelectMany((item, k) => item.Settings(Below(k.ToString(CultureInfo.InvariantCulture)))) : Entries.SelectMany(e => e.Value.Settings(Below(e.Key.Text)));
        return Items.Count + Entries.Count == 0 ? [(path, Kind == NodeKind.Sequence ? "[]" : "{}")] : below;
    }
}

/// <summary>Reads YAML into <see cref="Node"/>s and refuses what no honest job needs: huge or very deep files, alias bombs, tags.</summary>
internal static class YamlTree
{
    private const int MaxBytes = 4 << 20, MaxDepth = 48, MaxNodes = 200_000;

    /// <summary>Reads a file; null when there is nothing that could be checked further.</summary>
    public static Node? Load(string path, string shownAs, List<InputFault> faults)
    {
        byte[] bytes;
        try
        {
            var info = new FileInfo(path);
            if (Directory.Exists(path)) { faults.Add(new(shownAs, 0, 0, "this is a folder, not a job file")); return null; }
            if (!info.Exists) { faults.Add(new(shownAs, 0, 0, "there is no such file")); return null; }
            if (info.Length > MaxBytes)
            {
                faults.Add(new(shownAs, 0, 0, $"{info.Length / 1048576.0:F1} MB is too much for a job file (at most {MaxBytes >> 20} MB); keep data in files that it names"));
                return null;
            }
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            faults.Add(new(shownAs, 0, 0, $"cannot be read: {e.Message}"));
            return null;
        }
        string text;
        try { text = new UTF8Encoding(false, true).GetString(bytes); }
        catch (DecoderFallbackException e)
        {
            int line = 1 + bytes.AsSpan(0, Math.Min(Math.Max(e.Index, 0), bytes.Length)).Count((byte)'\n');
            faults.Add(new(shownAs, line, 0, "this is not UTF-8 text"));
            return null;
        }
        return Parse(text, shownAs, faults);
    }

    /// <summary>Reads a text.</summary>
    public static Node? Parse(string text, string source, List<InputFault> faults)
    {
        if (text.StartsWith('\uFEFF')) text = text[1..];
        var state = new Loader(text, source, faults);
        try { return state.Document(); }
        catch (YamlException e)
        {
            // For a tab the library tells where the surrounding mapping starts; the reader looks for the tab.
            int tab = e.Message.Contains("invalid tab", StringComparison.Ordinal)
                ? Array.FindIndex(text.Split('\n'), line => line[..(line.Length - line.TrimStart().Length)].TrimEnd('\r').Contains('\t')) : -1;
            if (tab >= 0) faults.Add(new(source, tab + 1, 0, "YAML: a tab as indentation; use spaces"));
            else faults.Add(new(source, (int)e.Start.Line, (int)e.Start.Column, "YAML: " + Plain(e)));
        }
        catch (LoadRefused e)
        {
            faults.Add(e.Fault);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or IndexOutOfRangeException or KeyNotFoundException)
        {
            // The scanner of the library itself stumbles over some malformed texts instead of reporting them.
            faults.Add(new(source, state.Line, 0, $"YAML: not understood near this line ({e.Message.ReplaceLineEndings(" ")})"));
        }
        return null;
    }

    private static string Plain(YamlException e)
    {
        // The library's message starts with its own rendering of the position, which the fault has already.
        string message = e.Message;
        int at = message.LastIndexOf("): ", StringComparison.Ordinal);
        message = (at >= 0 ? message[(at + 3)..] : message).ReplaceLineEndings(" ").Trim();
        return message.Length == 0 ? "not understood here" : char.ToLowerInvariant(message[0]) + message[1..].TrimEnd('.');
    }

    private sealed class LoadRefused(InputFault fault) : Exception { public InputFault Fault { get; } = fault; }

    private sealed class Loader(string text, string source, List<InputFault> faults)
    {
        private readonly Parser _parser = new(new Scanner(new StringReader(text)));
        private readonly Dictionary<string, Node?> _anchors = [];
        private long _nodes;

        public int Line => (int)(_parser.Current?.Start.Line ?? 0);

        public Node? Document()
        {
            Next();
            if (_parser.Current is not StreamStart) return Empty();
            Next();
            if (_parser.Current is not DocumentStart) return Empty();
            Next();
            var root = Read(0);
            if (_parser.Current is not DocumentEnd) throw Refuse("the document should end here");
            Next();
            if (_parser.Current is DocumentStart) throw Refuse("a job file holds one YAML document; a second one starts here");
            return root;
        }

        private Node? Empty()
        {
            faults.Add(new(source, 1, 1, "the file is empty; 'schema: mshpc/1' is its first line"));
            return null;
        }

        private void Next()
        {
            if (!_parser.MoveNext()) throw Refuse("the file ends too early");
        }

        private LoadRefused Refuse(string message) => new(new InputFault(source, Line, (int)(_parser.Current?.Start.Column ?? 0), message));

        private Node Read(int depth)
        {
            if (depth > MaxDepth) throw Refuse($"nested more than {MaxDepth} levels deep");
            var at = _parser.Current!;
            int line = (int)at.Start.Line, column = (int)at.Start.Column;
            if (at is AnchorAlias alias)
            {
                if (!_anchors.TryGetValue(alias.Value.Value, out var target)) throw Refuse($"no anchor '&{alias.Value.Value}' before this alias");
                if (target is null) throw Refuse($"alias '*{alias.Value.Value}' stands inside its own anchor");
                Count(target.Size);
                Next();
                return target;
            }
            if (at is NodeEvent { Tag: { IsEmpty: false, IsNonSpecific: false } tag })
                throw Refuse($"the YAML tag '{tag.Value}' is not supported; write the value without it");
            string? anchor = at is NodeEvent { Anchor: { IsEmpty: false } name } ? name.Value : null;
            if (anchor is not null) _anchors[anchor] = null;
            Count(1);
            Node node;
            switch (at)
            {
                case Scalar scalar:
                    node = new Node(NodeKind.Scalar, source, line, column)
                    {
                        Text = scalar.Value,
                        IsPlain = scalar.Style == ScalarStyle.Plain,
                    };
                    Next();
                    break;
                case SequenceStart:
                    node = new Node(NodeKind.Sequence, source, line, column);
                    Next();
                    while (_parser.Current is not SequenceEnd)
                    {
                        var item = Read(depth + 1);
                        node.Items.Add(item);
                        node.Size += item.Size;
                    }
                    Next();
                    break;
                case MappingStart:
                    node = new Node(NodeKind.Map, source, line, column);
                    var seen = new Dictionary<string, Node>(StringComparer.Ordinal);
                    Next();
                    while (_parser.Current is not MappingEnd)
                    {
                        var key = Read(depth + 1);
                        var value = Read(depth + 1);
                        if (key.Kind != NodeKind.Scalar) { faults.Add(key.Fault("a key is a word, not " + key.Describe())); continue; }
                        if (seen.TryGetValue(key.Text, out var first))
                        {
                            faults.Add(key.Fault($"duplicate key '{key.Text}', first given in line {first.Line}"));
                            continue;
                        }
                        seen[key.Text] = key;
                        node.Entries.Add((key, value));
                        node.Size += key.Size + value.Size;
                    }
                    Next();
                    break;
                default:
                    throw Refuse("a value is missing here");
            }
            if (anchor is not null) _anchors[anchor] = node;
            return node;
        }

        private void Count(long size)
        {
            _nodes += size;
            if (_nodes > MaxNodes) throw Refuse($"more than {MaxNodes} values (aliases counted in full)");
        }
    }
}
