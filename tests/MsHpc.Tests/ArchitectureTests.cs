using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using NUnit.Framework;

namespace MsHpc.Tests;

/// <summary>The house plan as a test: who may reference whom. Read from metadata, so nothing is loaded; assemblies that do not exist
/// (yet) are skipped.</summary>
public sealed class ArchitectureTests
{
    /// <summary>Assemblies of the program that each may reference, directly or not.</summary>
    private static readonly Dictionary<string, string[]> s_allowed = new()
    {
        ["MsHpc.Interop"] = [],
        ["MsHpc.Core"] = ["MsHpc.Interop"],
        ["MsHpc.Atomistics"] = ["MsHpc.Core"],
        ["MsHpc.Quantum"] = ["MsHpc.Core", "MsHpc.Atomistics"],
        ["MsHpc.Continuum"] = ["MsHpc.Core"],
        ["MsHpc.Multiscale"] = ["MsHpc.Core", "MsHpc.Atomistics", "MsHpc.Quantum", "MsHpc.Continuum"],
        ["mshpc"] = ["MsHpc.Core", "MsHpc.Atomistics", "MsHpc.Quantum", "MsHpc.Continuum", "MsHpc.Multiscale"],
    };

    private static readonly string[] s_required = ["MsHpc.Interop", "MsHpc.Core", "MsHpc.Atomistics", "MsHpc.Continuum", "MsHpc.Multiscale", "mshpc"];

    private static Dictionary<string, string[]> References()
    {
        var found = new Dictionary<string, string[]>();
        foreach (string name in s_allowed.Keys)
        {
            string file = Path.Combine(AppContext.BaseDirectory, name + ".dll");
            if (!File.Exists(file)) continue;
            using var image = new PEReader(File.OpenRead(file));
            var metadata = image.GetMetadataReader();
            found[name] = [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
        }
        return found;
    }

    [Test]
    public void AssembliesFollowTheGraph()
    {
        var references = References();
        Assert.That(references.Keys, Is.SupersetOf(s_required));
        Assert.Multiple(() =>
        {
            foreach (var (assembly, used) in references)
            {
                var ours = used.Where(name => name.StartsWith("MsHpc", StringComparison.OrdinalIgnoreCase));
                Assert.That(ours, Is.SubsetOf(s_allowed[assembly]), $"{assembly} references");
            }
        });
    }

    [Test]
    public void OnlyCoreUsesMathNetAndInterop()
    {
        var users = References().Where(pair => pair.Value.Any(name => name is "MathNet.Numerics" or "MsHpc.Interop")).Select(pair => pair.Key);
        Assert.That(users, Is.SubsetOf(new[] { "MsHpc.Core" }));
    }

    [Test]
    public void OnlyTheDenseFacadeUsesMathNet()
    {
        string source = Path.Combine(TestData.Root, "src"), dense = Path.Combine(source, "MsHpc.Core", "Dense");
        var users = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.StartsWith(dense, StringComparison.Ordinal) && !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}"))
            .Where(file => File.ReadAllText(file).Contains("using MathNet", StringComparison.Ordinal));
        Assert.That(users, Is.Empty);
    }

    [Test]
    public void OnlyTheCommandLineWritesToTheConsole()
    {
        var users = References().Where(pair => pair.Value.Any(name => name is "System.Console" or "Spectre.Console" or "System.CommandLine"))
            .Select(pair => pair.Key);
        Assert.That(users, Is.SubsetOf(new[] { "mshpc" }));
    }

    [Test]
    public void TheGraphHasNoCycles()
    {
        foreach (var (name, uses) in s_allowed)
            foreach (string used in uses) Assert.That(s_allowed[used], Does.Not.Contain(name), $"{name} ↔ {used}");
    }
}
