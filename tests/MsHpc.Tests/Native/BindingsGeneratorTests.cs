using System.Diagnostics;
using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Native;

/// <summary>The checked-in bindings are what the generator makes of the header today. Runs where the generator can be built.</summary>
[TestFixture, Category("Slow")] // runs before the fixtures that start MPI (by name): no child process after it
public sealed class BindingsGeneratorTests
{
    [Test]
    public void RegeneratingChangesNothing()
    {
        if (MpiRuntime.IsInitialized) Assert.Ignore("MPI runs: no child process after it");
        string output = Path.Combine(TestData.Scratch(), "NativeMethods.g.cs");
        var start = new ProcessStartInfo("sh")
        {
            ArgumentList = { Path.Combine(TestData.Root, "bindings", "csbindgen", "generate.sh"), output },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (string tool in (string[])["bindgen", "cargo"])
            if (!IsInstalled(tool)) Assert.Ignore($"{tool} is not installed");
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var text = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Ignore("building the generator takes more than five minutes here");
        }
        if (process.ExitCode != 0 && !File.Exists(output))
            Assert.Ignore($"the generator cannot be built here: {errors.Result}{text.Result}");
        Assert.That(process.ExitCode, Is.Zero, errors.Result);
        string checkedIn = Path.Combine(TestData.Root, "bindings", "MsHpc.Interop", "NativeMethods.g.cs");
        Assert.That(File.ReadAllText(checkedIn), Is.EqualTo(File.ReadAllText(output)), "run bindings/csbindgen/generate.sh");
    }

    private static bool IsInstalled(string tool)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(tool, "--version") { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
