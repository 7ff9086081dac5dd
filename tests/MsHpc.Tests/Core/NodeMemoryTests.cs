using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Core;

/// <summary>Memory that ranks of one machine share.</summary>
public class NodeMemoryTests
{
    [Test]
    public unsafe void OneRankHasOneSegmentOfZeros()
    {
        using var memory = NodeMemory.Create(Comm.Self, 1 << 16)!;
        Assert.That(memory.Ranks, Is.EqualTo(new[] { 0 }));
        for (int k = 0; k < 1 << 16; k++) Assert.That(memory[0][k], Is.Zero);
        memory[0][(1 << 16) - 1] = 7;
        Assert.That(memory[0][(1 << 16) - 1], Is.EqualTo(7));
    }

    // Each rank writes into every segment what only it knows; all find it there. Nothing keeps a name in the file system.
    [Test, Category("Mpi")]
    public unsafe void RanksSeeEachOther()
    {
        var comm = MpiRuntime.Initialize();
        using var memory = NodeMemory.Create(comm, 8 * comm.Size);
        Assert.That(memory, Is.Not.Null);
        int me = memory!.Me, count = memory.Ranks.Count;
        for (int k = 0; k < count; k++) Volatile.Write(ref ((long*)memory[k])[me], 100 * k + me + 1);
        comm.Barrier();
        bool right = true;
        for (int k = 0; k < count; k++)
            for (int r = 0; r < count; r++) right &= Volatile.Read(ref ((long*)memory[k])[r]) == 100 * k + r + 1;
        Assert.That(comm.AllOk(right), Is.True);
        string prefix = $"mshpc-{Environment.ProcessId}-";
        if (Directory.Exists("/dev/shm")) Assert.That(Directory.GetFiles("/dev/shm", prefix + "*"), Is.Empty);
    }

    // One rank asks for more than any machine has: all ranks must hear of it, none may hang or keep a piece.
    [Test, Category("Mpi")]
    public void NoRoomIsAnAnswer()
    {
        var comm = MpiRuntime.Initialize();
        using var memory = NodeMemory.Create(comm, comm.Rank == comm.Size - 1 ? 1L << 50 : 64);
        Assert.That(memory, Is.Null);
    }
}
