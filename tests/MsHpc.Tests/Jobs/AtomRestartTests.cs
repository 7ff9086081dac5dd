using NUnit.Framework;

namespace MsHpc.Tests.Jobs;

/// <summary>Molecular dynamics that is killed and goes on.</summary>
public sealed class AtomRestartTests
{
    private const string Job = """
        schema: mshpc/1
        job: {name: test, type: md}
        system:
          crystal: {structure: fcc, element: Ar, a: 5.4 Å, cells: [5, 5, 5]}
          temperature: 90 K
        model:
          lennard_jones: {epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8.5 Å, truncation: force_shifted}
        run: {timestep: 5 fs, steps: 3000, ensemble: {langevin: {temperature: 90 K, friction: 0.01 1/fs}}}
        output: {thermo: 10, trajectory: {file: t.extxyz, every: 50}, checkpoint: {every: 100}}

        """;

    [Test]
    public void KilledItGoesOnWithTheSameBits() => KillAndGoOn(1, 1);

    [Test, Category("Slow")]
    public void KilledAgainAndAgainItGoesOnWithTheSameBits([Values(2, 3)] int seed) => KillAndGoOn(3, seed);

    private static void KillAndGoOn(int kills, int seed)
    {
        string folder = TestData.Scratch(), file = Path.Combine(folder, "job.yaml"), whole = Path.Combine(folder, "whole"), parts = Path.Combine(folder, "parts");
        File.WriteAllText(file, Job);
        var (code, _, error) = JobKit.Run("run", file, "--output", whole, "--threads", "1");
        Assert.That(code, Is.Zero, error);
        var random = new Random(seed);
        for (int k = 0; k < kills; k++)
        {
            int newest = Newest();
            using var process = JobKit.Start(["run", file, "--output", parts, "--threads", "1", .. newest > 0 ? new[] { "--restart", "latest" } : []]);
            _ = process.StandardError.ReadToEndAsync();
            _ = process.StandardOutput.ReadToEndAsync();
            // After the first new checkpoint, at any moment, that of writing the next one not excepted.
            while (!process.HasExited && Newest() <= newest) Thread.Sleep(1);
            Thread.Sleep(random.Next(0, 150));
            process.Kill();
            process.WaitForExit();
            TestContext.Out.WriteLine($"killed after step {Newest()}");
        }
        (code, string output, error) = JobKit.Run("run", file, "--output", parts, "--restart", "latest", "--threads", "1");
        Assert.That(code, Is.Zero, error);
        Assert.That(output, Does.Contain("restarted from"));
        string[] compared = [.. Directory.EnumerateFiles(whole).Select(Path.GetFileName).OfType<string>().Where(f => f.EndsWith(".csv", StringComparison.Ordinal) || f.EndsWith(".extxyz", StringComparison.Ordinal))];
        Assert.That(compared, Has.Length.GreaterThanOrEqualTo(2), "a table and a trajectory");
        foreach (string name in compared) Assert.That(File.ReadAllBytes(Path.Combine(parts, name)), Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, name))), name);

        int Newest() => !Directory.Exists(parts) ? 0 : Directory.EnumerateFiles(parts, "checkpoint-*.h5")
            .Select(f => int.TryParse(Path.GetFileNameWithoutExtension(f)["checkpoint-".Length..], out int step) ? step : 0).DefaultIfEmpty().Max();
    }
}
