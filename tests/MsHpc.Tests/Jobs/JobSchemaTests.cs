using NUnit.Framework;
using System.Globalization;
using System.Text.Json.Nodes;
using MsHpc.Core;
using MsHpc.Multiscale.Jobs;
using NJsonSchema;

namespace MsHpc.Tests.Jobs;

[Category("Unit")]
public class JobSchemaTests
{
    /// <summary>NJsonSchema knows neither draft 2020-12's $defs nor if/then: the case of the job's type is picked here, references renamed.</summary>
    private static JsonSchema SchemaFor(string type)
    {
        var all = JsonNode.Parse(JobFile.JsonSchema())!.AsObject();
        var then = all["allOf"]!.AsArray().First(c => c!["if"]!["properties"]!["job"]!["properties"]!["type"]!["const"]!.GetValue<string>() == type)!["then"]!;
        var picked = new JsonObject { ["definitions"] = all["$defs"]!.DeepClone(), ["allOf"] = new JsonArray(then.DeepClone()) };
        return JsonSchema.FromJsonAsync(picked.ToString().Replace("#/$defs/", "#/definitions/", StringComparison.Ordinal)).Result;
    }

    private static JsonNode? ToJson(Node node) => node.Kind switch
    {
        NodeKind.Map => new JsonObject(node.Entries.Select(e => KeyValuePair.Create(e.Key.Text, ToJson(e.Value)))),
        NodeKind.Sequence => new JsonArray([.. node.Items.Select(ToJson)]),
        _ when node.IsNull => null,
        _ when node.IsPlain && node.Text is "true" or "false" => node.Text == "true",
        _ when node.IsPlain && long.TryParse(node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) => whole,
        _ when node.IsPlain && Numbers.TryParse(node.Text, out double number) => number,
        _ => node.Text,
    };

    private static JsonNode Load(string file)
    {
        var faults = new List<InputFault>();
        var root = YamlTree.Load(file, file, faults);
        Assert.That(faults, Is.Empty);
        return ToJson(root!)!;
    }

    [TestCaseSource(typeof(JobKit), nameof(JobKit.ExampleJobs))]
    public void Examples_conform(string file)
    {
        var json = Load(file);
        var errors = SchemaFor(json["job"]!["type"]!.GetValue<string>()).Validate(json.ToJsonString());
        Assert.That(errors.Select(e => e.ToString()), Is.Empty);
    }

    [TestCase("run", "steps", "many")]
    [TestCase("run", "steps", 0)]
    [TestCase("run", "stepps", 3)]
    [TestCase("output", "fields", "fields.vtk")]
    [TestCase("job", "kind", "quasistatic")]
    public void Mutants_do_not(string map, string key, object value)
    {
        var json = Load(Path.Combine(JobKit.Examples, "plate-elastic", "job.yaml"));
        json[map] ??= new JsonObject();
        json[map]![key] = JsonValue.Create(value);
        Assert.That(SchemaFor("quasistatic").Validate(json.ToJsonString()), Is.Not.Empty);
    }

    [Test]
    public void Every_reference_resolves_and_every_key_is_explained()
    {
        var all = JsonNode.Parse(JobFile.JsonSchema())!.AsObject();
        var defs = all["$defs"]!.AsObject();
        Assert.That(all["$schema"]!.GetValue<string>(), Does.Contain("2020-12"));
        void Walk(JsonNode? node)
        {
            switch (node)
            {
                case JsonObject map:
                    if (map["$ref"] is JsonValue reference)
                        Assert.That(defs.ContainsKey(reference.GetValue<string>()["#/$defs/".Length..]), Is.True, reference.ToString());
                    foreach (var (_, value) in map) Walk(value);
                    break;
                case JsonArray list:
                    foreach (var item in list) Walk(item);
                    break;
            }
        }
        Walk(all);
        foreach (var (name, map) in defs)
            foreach (var (key, property) in map!["properties"]!.AsObject())
                Assert.That(property!["description"]?.GetValue<string>(), Is.Not.Null.And.Not.Empty, $"{name}.{key}");
    }
}
