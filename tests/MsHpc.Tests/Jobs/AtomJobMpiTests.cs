using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;
using MsHpc.Tests.Native;
using NUnit.Framework;

namespace MsHpc.Tests.Jobs;

/// <summary>Jobs on atoms shared by ranks: the table of one step is that of one rank.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class AtomJobMpiTests
{
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
