using System.Security.Cryptography;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Reads job files.</summary>
public static class JobFile
{
    private const int MostFaults = 100;

    /// <summary>Reads and checks a job: its language, the files it names, and that the two fit together.</summary>
    /// <param name="path">The YAML file.</param>
    /// <param name="overrides">Settings <c>a.b=c</c> that replace or add values; the value is YAML, list entries are numbered from 0.</param>
    /// <exception cref="InputException">Everything that is wrong with it.</exception>
    public static Job Load(string path, IEnumerable<string>? overrides = null)
    {
        var faults = new List<InputFault>();
        var root = YamlTree.Load(path, path, faults);
        Job? job = null;
        if (root is not null)
        {
            foreach (string text in overrides ?? []) Override(root, text, faults);
            string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
            var reader = new JobReader(directory, UnitSystem.All.FirstOrDefault(u => u.Name == (root["units"]?.Text ?? (root["system"] is not null ? UnitSystem.Metal : UnitSystem.MillimetreNewton).Name)), faults)
            {
                Seed = int.TryParse(root["seed"]?.Text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int seed) ? seed : 0,
            };
            var draft = JobLanguage.Read(root, reader);
            JobChecks.Run(root, reader);
            if (draft is not null && faults.Count == 0) job = Finish(draft, path, directory, root);
        }
        if (job is not null && faults.Count == 0) return job;
        // The order of the file is the order in which they will be mended.
        var sorted = faults.Distinct().OrderBy(f => f.File != path).ThenBy(f => f.Line).ThenBy(f => f.Column).ToList();
        if (sorted.Count > MostFaults)
        {
            int more = sorted.Count - MostFaults;
            sorted.RemoveRange(MostFaults, more);
            sorted.Add(new InputFault(path, 0, 0, $"and {more} more"));
        }
        throw new InputException(sorted);
    }

    /// <summary>JSON Schema (draft 2020-12) of the job language, for editors.</summary>
    public static string JsonSchema() => JsonText.Indented(JobLanguage.Schema());

    private static Job Finish(JobLanguage.Draft draft, string path, string directory, Node root) => new(path, directory, draft.Name, draft.Type,
        draft.Units, draft.Seed, draft.Model, [.. draft.Conditions.Select(c => c.Resolve(draft.Run.EndTime))],
        draft.InitialVelocity.ToDictionary(p => p.Key, p => p.Value.ToArray()), draft.Run.Resolve(), draft.Macro, draft.Micro, draft.Output,
        new JobSettings([.. Settings(root, draft)])) { Atoms = draft.Atoms };

    /// <summary>What decides the result: the text without its layout and without what is only written, and the files.</summary>
    private static IEnumerable<(string Key, string Value)> Settings(Node root, JobLanguage.Draft draft)
    {
        foreach (var setting in root.Settings()) if (!setting.Path.StartsWith("output.", StringComparison.Ordinal) && setting.Path != "output") yield return setting;
        foreach (string? file in new[] { draft.Model.MeshFile, FileOf(draft.Model.Micro?.Microstructure) }.Concat(draft.Atoms?.Files ?? []))
            if (file is not null) yield return ($"file {Path.GetFileName(file)}", "SHA-256 " + Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))));
    }

    private static string? FileOf(MicrostructureChoice? choice) => choice switch
    {
        VoxelFile voxels => voxels.File,
        MeshedMicrostructure mesh => mesh.File,
        _ => null,
    };

    /// <summary>Applies one <c>--set a.b.0.c=value</c>.</summary>
    private static void Override(Node root, string text, List<InputFault> faults)
    {
        string source = "--set " + text;
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) { faults.Add(new(source, 0, 0, "a setting looks like run.steps=20")); return; }
        string[] path = text[..equals].Split('.');
        string value = text[(equals + 1)..];
        var node = value.Length == 0 ? new Node(NodeKind.Scalar, source, 0, 0) { IsPlain = true } : YamlTree.Parse(value, source, faults);
        if (node is null) return;
        var at = root;
        for (int i = 0; i < path.Length; i++)
        {
            string step = path[i];
            bool last = i == path.Length - 1;
            if (step.Length == 0) { faults.Add(new(source, 0, 0, "a part of the key is empty")); return; }
            switch (at.Kind)
            {
                case NodeKind.Sequence:
                    if (!int.TryParse(step, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int index) || index >= at.Items.Count)
                    {
                        faults.Add(new(source, 0, 0, $"'{string.Join('.', path[..i])}' is a list of {at.Items.Count}: '{step}' should be a number from 0 to {at.Items.Count - 1}"));
                        return;
                    }
                    if (last) at.Items[index] = node;
                    else at = at.Items[index];
                    break;
                case NodeKind.Map:
                    int found = at.Entries.FindIndex(e => e.Key.Text == step);
                    var key = new Node(NodeKind.Scalar, source, 0, 0) { Text = step, IsPlain = true };
                    if (last)
                    {
                        if (found >= 0) at.Entries[found] = (key, node);
                        else at.Entries.Add((key, node));
                    }
                    else
                    {
                        if (found < 0)
                        {
                            at.Entries.Add((key, new Node(NodeKind.Map, source, 0, 0)));
                            found = at.Entries.Count - 1;
                        }
                        at = at.Entries[found].Value;
                    }
                    break;
                default:
                    faults.Add(new(source, 0, 0, $"'{string.Join('.', path[..i])}' is {at.Describe()}; it has no '{step}' inside"));
                    return;
            }
        }
    }
}

/// <summary>Everything that decides the result of a job: its settings by their place in the job file, and the contents of the files it names.</summary>
/// <param name="Values">Key and value.</param>
public sealed record JobSettings(IReadOnlyList<(string Key, string Value)> Values)
{
    /// <summary>One line each; values are escaped, so that no text looks like two settings.</summary>
    public string Text { get; } = string.Join('\n', Values.Select(v => $"{Escape(v.Key)}\t{Escape(v.Value)}"));

    /// <summary>SHA-256 of it.</summary>
    public string Hash => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Text)));

    /// <summary>What is different in a later job: key, value before, value now; null where there is none.</summary>
    /// <param name="before"><see cref="Text"/> of the earlier one.</param>
    public IReadOnlyList<(string Key, string? Before, string? Now)> Changes(string before)
    {
        static Dictionary<string, string> Read(string text) => text.Split('\n').Select(l => l.Split('\t', 2)).GroupBy(l => l[0]).ToDictionary(g => g.Key, g => string.Join(", ", g.Select(l => l[^1])));
        Dictionary<string, string> old = Read(before), now = Read(Text);
        return [.. old.Keys.Union(now.Keys).Where(k => old.GetValueOrDefault(k) != now.GetValueOrDefault(k)).Select(k => (k, old.GetValueOrDefault(k), now.GetValueOrDefault(k)))];
    }

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal);
}

/// <summary>JSON for people: indented, with every letter as it is.</summary>
internal static class JsonText
{
    public static string Indented(System.Text.Json.Nodes.JsonNode node)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new System.Text.Json.Utf8JsonWriter(buffer, new System.Text.Json.JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            node.WriteTo(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
