using System.Runtime.InteropServices;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests.Native;

/// <summary>Collectives against what one rank can work out alone; on any number of ranks.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class CommTests
{
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp() => _comm = NativeTest.World();

    /// <summary>Short and long enough for both ways of reducing; the terms round differently in another order.</summary>
    [Test]
    public void SumIsTakenInRankOrder([Values(0, 1, 5, 30_000)] int count)
    {
        static double Term(int rank, int i) => 0.1 / (rank + 1) + 1e-3 * i / (rank + 3);
        var values = new double[count];
        for (int i = 0; i < count; i++) values[i] = Term(_comm.Rank, i);
        _comm.AllReduceSum(values);
        bool same = true;
        for (int i = 0; i < count; i++)
        {
            double expected = Term(0, i);
            for (int r = 1; r < _comm.Size; r++) expected += Term(r, i);
            same &= BitConverter.DoubleToInt64Bits(values[i]) == BitConverter.DoubleToInt64Bits(expected);
        }
        NativeTest.Agree(_comm, same, "sum in rank order, to the bit");
    }

    [Test]
    public void IntegersAndScalarsAreSummed()
    {
        long big = _comm.AllReduceSum((1L << 53) + 1 + _comm.Rank); // beyond what doubles hold
        double sum = _comm.AllReduceSum((double)(_comm.Rank + 1));
        int n = _comm.Size;
        NativeTest.Agree(_comm, big == n * ((1L << 53) + 1) + n * (n - 1L) / 2, "sum of integers");
        NativeTest.Agree(_comm, sum == n * (n + 1) / 2.0, "sum of doubles");
    }

    [Test]
    public void MaximumKeepsNaN()
    {
        double[] values = [_comm.Rank, -1 - _comm.Rank, _comm.Rank == _comm.Size - 1 ? double.NaN : 1, double.NegativeInfinity];
        _comm.AllReduceMax(values);
        NativeTest.Agree(_comm, values[0] == _comm.Size - 1 && values[1] == -1, "maximum");
        NativeTest.Agree(_comm, double.IsNaN(values[2]) && double.IsNegativeInfinity(values[3]), "NaN and infinity");
    }

    [Test]
    public void FailureOfOneRankBecomesEverybodys()
    {
        bool all = _comm.AllOk(true), one = _comm.AllOk(_comm.Rank != _comm.Size - 1);
        NativeTest.Agree(_comm, all && !one, "AllOk");
    }

    [Test]
    public void BroadcastComesFromItsRoot()
    {
        int root = _comm.Size - 1;
        var data = new double[1000];
        if (_comm.Rank == root) for (int i = 0; i < data.Length; i++) data[i] = Math.Sqrt(i);
        _comm.Broadcast(MemoryMarshal.AsBytes(data.AsSpan()), root);
        bool same = true;
        for (int i = 0; i < data.Length; i++) same &= data[i] == Math.Sqrt(i);
        NativeTest.Agree(_comm, same, "broadcast");
        Assert.Throws<NativeException>(() => _comm.Broadcast(new byte[1], _comm.Size));
    }

    private record struct Item(long Id, float X, byte Kind);

    [Test]
    public void GatherConcatenatesInRankOrder()
    {
        // Rank r gives r items: rank 0 none.
        var mine = new Item[_comm.Rank];
        for (int i = 0; i < mine.Length; i++) mine[i] = new Item(_comm.Rank * 100 + i, 0.5f * i, (byte)_comm.Rank);
        var (all, offsets) = _comm.AllGather<Item>(mine);
        bool ok = offsets.Length == _comm.Size + 1 && offsets[0] == 0 && all.Length == offsets[^1];
        for (int r = 0; r < _comm.Size && ok; r++)
        {
            ok &= offsets[r + 1] - offsets[r] == r;
            for (int i = 0; i < r && ok; i++) ok &= all[offsets[r] + i] == new Item(r * 100 + i, 0.5f * i, (byte)r);
        }
        NativeTest.Agree(_comm, ok, "gather");
    }

    /// <summary>Around a ring, with pieces whose lengths depend on sender and receiver; on one rank it is its own neighbour.</summary>
    [Test]
    public void ExchangeDeliversToNeighbors()
    {
        int me = _comm.Rank, n = _comm.Size;
        int[] neighbors = n == 1 ? [0] : n == 2 ? [1 - me] : [(me + 1) % n, (me + n - 1) % n];
        static int Length(int from, int to) => (from + 2 * to) % 3; // also empty messages
        static double Value(int from, int to, int i) => 1000 * from + 10 * to + i;
        int[] sendOffsets = new int[neighbors.Length + 1], receiveOffsets = new int[neighbors.Length + 1];
        for (int k = 0; k < neighbors.Length; k++)
        {
            sendOffsets[k + 1] = sendOffsets[k] + Length(me, neighbors[k]);
            receiveOffsets[k + 1] = receiveOffsets[k] + Length(neighbors[k], me);
        }
        var send = new double[sendOffsets[^1]];
        var receive = new double[receiveOffsets[^1] + 2]; // canaries behind the end
        Array.Fill(receive, double.NaN);
        for (int k = 0; k < neighbors.Length; k++)
            for (int i = sendOffsets[k]; i < sendOffsets[k + 1]; i++) send[i] = Value(me, neighbors[k], i - sendOffsets[k]);
        _comm.Exchange<double>(neighbors, send, sendOffsets, receive, receiveOffsets);
        bool ok = double.IsNaN(receive[^1]) && double.IsNaN(receive[^2]);
        for (int k = 0; k < neighbors.Length; k++)
            for (int i = receiveOffsets[k]; i < receiveOffsets[k + 1]; i++) ok &= receive[i] == Value(neighbors[k], me, i - receiveOffsets[k]);
        NativeTest.Agree(_comm, ok, "exchange");
        Assert.Throws<ArgumentException>(() => _comm.Exchange<double>([0], new double[1], [0, 2], new double[2], [0, 2]), "offset beyond the buffer");
        Assert.Throws<NativeException>(() => _comm.Exchange<double>([_comm.Size], new double[1], [0, 1], new double[1], [0, 1]), "no such rank");
    }

    [Test]
    public void SplitGroupsByColorAndOrdersByKey()
    {
        var turned = _comm.Split(0, -_comm.Rank);
        var alone = _comm.Split(_comm.Rank, 0);
        double sum = turned.AllReduceSum((double)_comm.Rank);
        NativeTest.Agree(_comm, turned.Size == _comm.Size && turned.Rank == _comm.Size - 1 - _comm.Rank, "order by key");
        NativeTest.Agree(_comm, sum == _comm.Size * (_comm.Size - 1) / 2.0, "sum in the part");
        NativeTest.Agree(_comm, alone.Size == 1 && alone.AllReduceSum(7L) == 7, "one rank a color");
        Assert.Throws<ArgumentOutOfRangeException>(() => _comm.Split(-1, 0));
    }

    [Test]
    public void FortranHandleLeadsBack()
    {
        var again = MpiRuntime.FromFortran(_comm.FortranHandle);
        double sum = again.AllReduceSum(1.0);
        NativeTest.Agree(_comm, again.Size == _comm.Size && again.Rank == _comm.Rank && sum == _comm.Size, "same group");
        NativeTest.Agree(_comm, again.FortranHandle != _comm.FortranHandle, "a duplicate");
        Assert.Throws<NativeException>(() => MpiRuntime.FromFortran(1_234_567));
        _comm.Barrier();
    }

    [Test]
    public void InitializeIsIdempotent()
    {
        Assert.That(MpiRuntime.Initialize(), Is.SameAs(_comm));
        Assert.That(MpiRuntime.OwnsMpi, Is.True);
        Assert.That(MpiRuntime.Versions, Does.Contain("MPI").And.Contain("PETSc"));
        Assert.That(Comm.Self.FortranHandle, Is.EqualTo(-1));
    }

    /// <summary>A time step reduces and exchanges without garbage.</summary>
    [Test]
    public void CollectivesAllocateNothing()
    {
        var values = new double[64];
        int[] self = [_comm.Rank], offsets = [0, 64];
        var copy = new double[64];
        void Step()
        {
            _comm.AllReduceSum(values);
            _comm.AllReduceMax(values);
            _comm.Exchange<double>(self, values, offsets, copy, offsets);
        }
        for (int i = 0; i < 50; i++) Step();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 50; i++) Step();
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        NativeTest.Agree(_comm, allocated == 0, $"{allocated} bytes allocated");
    }
}

/// <summary>What needs no MPI.</summary>
[TestFixture]
public sealed class LaunchTests
{
    [TestCase("OMPI_COMM_WORLD_SIZE", "4", 4)]
    [TestCase("PMI_SIZE", "2", 2)]
    [TestCase("SLURM_STEP_NUM_TASKS", "8", 8)]
    [TestCase("SLURM_NTASKS", "8", 1, Description = "the batch script of a job is one process")]
    [TestCase("OMPI_COMM_WORLD_SIZE", "nonsense", 1)]
    public void LauncherIsRecognised(string name, string value, int ranks) =>
        Assert.That(MpiRuntime.RanksFrom(n => n == name ? value : null), Is.EqualTo(ranks));
}
