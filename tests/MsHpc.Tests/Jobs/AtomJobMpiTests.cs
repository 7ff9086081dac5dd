using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;
using MsHpc.Tests.Native;
using NUnit.Framework;

namespace MsHpc.Tests.Jobs;

/// <summary>Jobs on atoms shared by ranks: the table of one step is that of one rank.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class AtomJobMpiTests
{
    // An atom that flies into another: all ranks stop at the same step, and the atoms before it are written whole.
    [Test]
    public void AFailureLeavesAllAtoms()
    {
        var comm = NativeTest.World();
        string folder = Path.Combine(TestData.Scratch(), $"rank{comm.Rank}"), file = Path.Combine(folder, "job.yaml");
        Directory.CreateDirectory(folder);
        var text = new System.Text.StringBuilder("216\nLattice=\"24 0 0 0 24 0 0 0 24\" Properties=species:S:1:pos:R:3:vel:R:3\n");
        for (int i = 0; i < 216; i++) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"Ar {4 * (i / 36)} {4 * (i / 6 % 6)} {4 * (i % 6)} {(i == 100 ? 0.15 : 0)} 0 0\n");
        File.WriteAllText(Path.Combine(folder, "a.extxyz"), text.ToString());
        File.WriteAllText(file, """
            schema: mshpc/1
            job: {name: test, type: md}
            system: {file: a.extxyz}
            model: {lennard_jones: {epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8.5 Å}}
            run: {timestep: 5 fs, steps: 100}

            """);
        string? message = null;
        try { JobRunner.Run(JobFile.Load(file), new RunOptions(Path.Combine(folder, "results"), null, 1, comm, null), new Recorder(), new StopRequest()); }
        catch (NumericalException e) { message = e.Message; }
        NativeTest.Agree(comm, message?.Contains("an atom would move more than 1 Å", StringComparison.Ordinal) == true, message ?? "no failure");
        var end = comm.IsRoot ? ExtXyz.Read(Path.Combine(folder, "results", "final.extxyz")) : null;
        // The one flew for some steps; all others, of whatever rank, are still about where they were.
        double[] site = [.. Enumerable.Range(0, 216).SelectMany(i => new double[] { 4 * (i / 36), 4 * (i / 6 % 6), 4 * (i % 6) })];
        bool whole = end is null || end.Step > 1 && end.Atoms.Positions.Zip(site, (x, y) => Math.Abs(x - y)).Select((d, k) => k == 300 ? d > 1 : d < 0.5).All(ok => ok);
        NativeTest.Agree(comm, whole, $"atoms at the end: step {end?.Step}");
    }

    [TestCase("energy", "")]
    [TestCase("minimize", "run: {fmax: 1e-3 eV/Å}")]
    public void TablesAreThoseOfOneRank(string type, string run)
    {
        var comm = NativeTest.World();
        string folder = Path.Combine(TestData.Scratch(), $"rank{comm.Rank}"), file = Path.Combine(folder, "job.yaml");
        Directory.CreateDirectory(folder);
        // A surface: forces that do not vanish, more atoms than one rank's halo holds.
        File.WriteAllText(file, $$$"""
            schema: mshpc/1
            job: {name: test, type: {{{type}}}}
            system: {crystal: {structure: fcc, element: Ar, a: 5.4 Å, cells: [6, 5, 5], vacuum: 10 Å}}
            model: {lennard_jones: {epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8.5 Å, truncation: force_shifted}}
            {{{run}}}

            """);
        double[] Table(Comm ranks, string name) =>
            JobRunner.Run(JobFile.Load(file), new RunOptions(Path.Combine(folder, name), null, 1, ranks, null), new Recorder(), new StopRequest()).History.Steps.LastOrDefault()?.Values ?? [];
        double[] one = Table(Comm.Self, "one"), here = Table(comm, "many");
        // The history is kept by the rank that writes.
        bool same = !comm.IsRoot || one.Length > 2 && one.Zip(here, (a, b) => Math.Abs(a - b) <= 1e-9 * (Math.Abs(a) + 1)).All(ok => ok);
        NativeTest.Agree(comm, same, $"{string.Join(" ", one)} and {string.Join(" ", here)}");
    }
}
