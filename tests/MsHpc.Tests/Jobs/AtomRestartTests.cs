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

    // A bullet flies for 38 steps and hits a slab: exit code 4, ids and positions, and everything before is there to look at and go on from.
    [Test]
    public void AFailureLeavesWhatWasBefore()
    {
        string folder = TestData.Scratch(), file = Path.Combine(folder, "job.yaml"), results = Path.Combine(folder, "results");
        WriteBullet(Path.Combine(folder, "bullet.extxyz"), -0.18);
        File.WriteAllText(file, Job.Replace("  crystal: {structure: fcc, element: Ar, a: 5.4 Å, cells: [5, 5, 5]}\n  temperature: 90 K", "  file: bullet.extxyz", StringComparison.Ordinal)
            .Replace("{langevin: {temperature: 90 K, friction: 0.01 1/fs}}", "nve", StringComparison.Ordinal).Replace("every: 50", "every: 5", StringComparison.Ordinal)
            .Replace("thermo: 10", "thermo: 5", StringComparison.Ordinal).Replace("every: 100", "every: 10", StringComparison.Ordinal));
        var (code, _, error) = JobKit.Run("run", file, "--output", results, "--threads", "1");
        Assert.Multiple(() =>
        {
            Assert.That(code, Is.EqualTo(4), error);
            Assert.That(error, Does.Contain("an atom would move more than 1 Å").And.Match(@"atom \d+ at \(.*nearest neighbour is \d+ at \("));
            Assert.That(File.ReadAllText(Path.Combine(results, "t.extxyz")).Split("Lattice").Length - 1, Is.EqualTo(8), "frames of steps 0, 5, … 35");
            Assert.That(File.Exists(Path.Combine(results, "checkpoint-000030.h5")));
        });
        (code, string output, error) = JobKit.Run("run", file, "--output", results, "--threads", "1", "--restart", "latest");
        Assert.That(code, Is.EqualTo(4), error);
        Assert.That(output, Does.Contain("after step 30"));
        Assert.That(File.ReadAllText(Path.Combine(results, "t.extxyz")).Split("Lattice").Length - 1, Is.EqualTo(8), "no frame is lost or doubled");
        // A velocity whose square is infinite.
        WriteBullet(Path.Combine(folder, "bullet.extxyz"), 1e200);
        (code, _, error) = JobKit.Run("run", file, "--output", results, "--threads", "1");
        Assert.That(code, Is.EqualTo(4), error);
        Assert.That(error, Does.Contain("atom 257 at ("));
    }

    private static void WriteBullet(string file, double speed)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < 64; i++)
            foreach (var (x, y, z) in new[] { (0.0, 0.0, 0.0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5) })
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Ar {5.4 * (i / 16 + x)} {5.4 * (i / 4 % 4 + y)} {5.4 * (i % 4 + z)} 0 0 0\n");
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Ar 51.6 0.7 0.4 {speed} 0 0\n");
        File.WriteAllText(file, $"257\nLattice=\"81.6 0 0 0 21.6 0 0 0 21.6\" Properties=species:S:1:pos:R:3:vel:R:3 pbc=\"T T T\"\n{text}");
    }

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
