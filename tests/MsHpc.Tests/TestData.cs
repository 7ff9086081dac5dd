using System.Runtime.CompilerServices;
using System.Text.Json;

namespace MsHpc.Tests;

/// <summary>Finds the repository and its data, wherever the test executable was started from.</summary>
internal static class TestData
{
    /// <summary>Root of the checkout.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A file in tests/data.</summary>
    public static string File(string relative) => Path.Combine(Root, "tests", "data", relative);

    /// <summary>A JSON file in tests/data.</summary>
    public static JsonElement Json(string relative) => JsonDocument.Parse(System.IO.File.ReadAllBytes(File(relative))).RootElement;

    /// <summary>A fresh folder for one test's output, below the system's temporary folder.</summary>
    public static string Scratch([CallerMemberName] string name = "")
    {
        string path = Path.Combine(Path.GetTempPath(), "mshpc-tests", $"{name}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(path);
        return path;
    }

    private static string FindRoot()
    {
        for (var dir = new DirectoryInfo(AppContext.BaseDirectory); dir is not null; dir = dir.Parent)
            if (System.IO.File.Exists(Path.Combine(dir.FullName, "MsHpc.sln"))) return dir.FullName;
        throw new InvalidOperationException($"no MsHpc.sln above {AppContext.BaseDirectory}");
    }
}
