using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Core;

public sealed class MachineTests
{
    private static ThreadChoice Choose(int? flag, int cores, params (string Name, string Value)[] variables) =>
        Machine.ChooseThreads(flag, cores, name => variables.FirstOrDefault(v => v.Name == name).Value);

    [Test]
    public void ThreadsByPrecedence()
    {
        (string, string) mine = ("MSHPC_NUM_THREADS", "3"), omp = ("OMP_NUM_THREADS", "5,2"), mpi = ("OMPI_COMM_WORLD_SIZE", "4"), local = ("OMPI_COMM_WORLD_LOCAL_SIZE", "2");
        Assert.Multiple(() =>
        {
            Assert.That(Choose(7, 16, mine, omp, mpi, local), Is.EqualTo(new ThreadChoice(7, "--threads")));
            Assert.That(Choose(null, 16, mine, omp, mpi, local), Is.EqualTo(new ThreadChoice(3, "MSHPC_NUM_THREADS")));
            Assert.That(Choose(null, 16, omp, mpi, local), Is.EqualTo(new ThreadChoice(5, "OMP_NUM_THREADS")));
            Assert.That(Choose(null, 16, mpi, local), Is.EqualTo(new ThreadChoice(1, "MPI launcher")));
            Assert.That(Choose(null, 16), Is.EqualTo(new ThreadChoice(16, "affinity mask")));
            Assert.That(Choose(null, 16, ("SLURM_NTASKS_PER_NODE", "4")), Is.EqualTo(new ThreadChoice(4, "affinity mask")));
            Assert.That(Choose(null, 1, ("SLURM_NTASKS_PER_NODE", "4")), Is.EqualTo(new ThreadChoice(1, "affinity mask")));
            Assert.That(() => Choose(0, 16), Throws.TypeOf<InputException>());
            Assert.That(() => Choose(null, 16, ("MSHPC_NUM_THREADS", "many")), Throws.TypeOf<InputException>().With.Message.Contains("MSHPC_NUM_THREADS=many"));
            Assert.That(() => Choose(null, 16, ("OMP_NUM_THREADS", "0")), Throws.TypeOf<InputException>());
        });
    }

    [TestCase("0-3,8,10-11", 7)]
    [TestCase("0", 1)]
    [TestCase("3-1", null)]
    [TestCase("x", null)]
    [TestCase("", null)]
    public void KernelLists(string list, int? expected) => Assert.That(Machine.CountList(list), Is.EqualTo(expected));

    [Test]
    public void CommitComesFromTheBuild()
    {
        Assert.That(Machine.ParseInformational("0.1.0+9f3c2a1d5e"), Is.EqualTo(("0.1.0", "9f3c2a1")));
        Assert.That(Machine.ParseInformational("0.1.0"), Is.EqualTo(("0.1.0", "unknown")));
        Assert.That(Machine.Version, Does.Match(@"^\d+\.\d+\.\d+"));
        Assert.That(Machine.Commit, Does.Match("^([0-9a-f]{7}|unknown)$"));
    }

    [Test]
    public void FactsOfThisMachine()
    {
        Assert.That(Machine.Cores, Is.InRange(1, Environment.ProcessorCount));
        Assert.That(Machine.MemoryLimit, Is.InRange(1L << 20, 1L << 50));
        Assert.That(Machine.InstructionSet, Is.Not.Empty);
        Assert.That(Machine.LocalRanks, Is.GreaterThanOrEqualTo(1));
    }

    [Test]
    public void HeaderHasItsThreeLines()
    {
        string text = Machine.Format(new LogHeader
        {
            Ranks = 8, Threads = 2, Petsc = "3.18.5 real int32", Seed = 42, Blas = "OpenBLAS 0.3.21 (threads 2)",
            Models = ["StillingerWeber (Phys. Rev. B 31, 5262)", "TightBinding (Europhys. Lett. 9, 701)"],
        });
        var lines = text.Split('\n');
        Assert.That(lines, Has.Length.EqualTo(3));
        Assert.That(lines[0], Does.Match(@"^mshpc \d+\.\d+\.\d+ \(\w+\) \.NET 10\.\S+ \S+ \(kernels 512-bit(, emulated)?\)  ranks 8 × threads 2, (not bound|bound to cores)  memory \d+\.\d GiB$"));
        Assert.That(lines[1], Is.EqualTo("BLAS: OpenBLAS 0.3.21 (threads 2)   PETSc 3.18.5 real int32   seed 42   deterministic: yes"));
        Assert.That(lines[2], Is.EqualTo("models: StillingerWeber (Phys. Rev. B 31, 5262), TightBinding (Europhys. Lett. 9, 701)"));
        string plain = Machine.Format(new LogHeader());
        Assert.That(plain.Split('\n'), Has.Length.EqualTo(2));
        Assert.That(plain, Does.Contain($"BLAS: {Dense.Provider}").And.Contain("PETSc not in use"));
        TestContext.Out.WriteLine(plain);
    }
}
