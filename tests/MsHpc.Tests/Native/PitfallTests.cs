using System.Runtime.CompilerServices;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using MsHpc.Interop;
using NUnit.Framework;

namespace MsHpc.Tests.Native;

/// <summary>The traps of native libraries under .NET (DESIGN, pitfalls 1–5), each with the behaviour that we rely on.</summary>
[TestFixture, Category("Mpi"), Category("Native"), SingleThreaded]
public sealed class PitfallTests
{
    private static readonly Dictionary<string, string> Jacobi = new() { ["ksp_type"] = "cg", ["pc_type"] = "jacobi" };
    private Comm _comm = Comm.Self;

    [OneTimeSetUp]
    public void SetUp() => _comm = NativeTest.World();

    private TestBlock Block() => new(_comm, [4, 2], (x, _) => x[0] == 0, MatrixKind.SymmetricPositiveDefinite);

    /// <summary>1: PETSc's signal handlers would turn both into the end of the job.</summary>
    [Test]
    public void ManagedFaultsAreStillExceptions()
    {
        Assert.That(MpiRuntime.IsInitialized);
        object? nothing = Environment.GetEnvironmentVariable("MSHPC_NO_SUCH_VARIABLE");
        int zero = nothing is null ? 0 : 1;
        Assert.Throws<NullReferenceException>(() => nothing!.ToString());
        Assert.Throws<DivideByZeroException>(() => _ = 1 / zero);
    }

    /// <summary>2: no library in this process was built with -ffast-math.</summary>
    [Test]
    public void DenormalsAreAlive()
    {
        Assert.That(FloatingPointEnvironment.DenormalsAlive, Is.True);
        FloatingPointEnvironment.Check();
        bool onNewThread = false;
        var thread = new Thread(() => onNewThread = FloatingPointEnvironment.DenormalsAlive);
        thread.Start();
        thread.Join();
        Assert.That(onNewThread, Is.True, "threads inherit the mode");
    }

    /// <summary>3: FUNNELED is granted, and calls from elsewhere are refused instead of racing (unless MPI allows them).</summary>
    [Test]
    public void OtherThreadsAreRefused()
    {
        Assert.That(MpiRuntime.ThreadLevel, Is.GreaterThanOrEqualTo(1));
        if (MpiRuntime.ThreadLevel > 1) Assert.Ignore("this MPI grants more than FUNNELED");
        Exception? caught = null;
        var thread = new Thread(() =>
        {
            try { _comm.AllReduceSum(1.0); }
            catch (NativeException e) { caught = e; }
        });
        thread.Start();
        thread.Join();
        Assert.That(caught?.Message, Does.Contain("thread"));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference Forget()
    {
        var solver = new PetscSolver("forgotten_", Jacobi);
        solver.Initialize(Block().System);
        return new WeakReference(solver);
    }

    /// <summary>4: destroying is collective; a finalizer only queues, and the next solver on the same ranks destroys what all have dropped.</summary>
    [Test]
    public void ForgottenSolverIsDestroyedAtAKnownPoint()
    {
        NativeTest.RequirePetsc();
        Collect(); // what other tests dropped is queued now, not in the middle of this one,
        using (var first = new PetscSolver("first_", Jacobi)) first.Initialize(Block().System); // and drained here
        var group = ((MpiComm)_comm).Handle.Children;
        int alive = NativeRegistry.Count;
        var weak = Forget();
        if (_comm.Size > 1 && _comm.Rank == 0)
        {
            // This rank has not noticed yet: nothing may be destroyed anywhere.
        }
        else
            Collect();
        int pending = group.Pending;
        NativeTest.Agree(_comm, NativeRegistry.Count == alive + 1, "the finalizer does not destroy");
        NativeTest.Agree(_comm, pending == (_comm.Size > 1 && _comm.Rank == 0 ? 0 : 1), $"{pending} queued");
        ((MpiComm)_comm).DestroyDropped();
        NativeTest.Agree(_comm, NativeRegistry.Count == (_comm.Size > 1 ? alive + 1 : alive), "destroyed only when all ranks dropped it");
        Collect();
        Assert.That(weak.IsAlive, Is.False);
        using var next = new PetscSolver("next_", Jacobi);
        next.Initialize(Block().System);
        NativeTest.Agree(_comm, NativeRegistry.Count == alive + 1 && group.Pending == 0, "destroyed by the next one's initialisation");

        static void Collect()
        {
            for (int i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }
    }

    /// <summary>4: disposing on a worker does not touch PETSc either.</summary>
    [Test]
    public void DisposingOnAnotherThreadQueues()
    {
        NativeTest.RequirePetsc();
        if (MpiRuntime.ThreadLevel > 1) Assert.Ignore("this MPI grants more than FUNNELED");
        var solver = new PetscSolver("worker_", Jacobi);
        solver.Initialize(Block().System);
        int alive = NativeRegistry.Count;
        var thread = new Thread(solver.Dispose);
        thread.Start();
        thread.Join();
        NativeTest.Agree(_comm, NativeRegistry.Count == alive, "still there");
        ((MpiComm)_comm).DestroyDropped();
        NativeTest.Agree(_comm, NativeRegistry.Count == alive - 1, "destroyed by the main thread");
    }

    /// <summary>4: one COO assembly per iteration, and a second one replaces the first.</summary>
    [Test]
    public void AssemblingTwiceReplaces()
    {
        NativeTest.RequirePetsc();
        var block = Block();
        using var solver = new PetscSolver("coo_", Jacobi);
        solver.Initialize(block.System);
        double[] ones = [.. Enumerable.Repeat(1.0, block.Owned)], once = new double[block.Owned], twice = new double[block.Owned];
        solver.SetValues(block.Values);
        solver.Multiply(ones, once);
        solver.SetValues(block.Values);
        solver.Multiply(ones, twice);
        var dense = block.Dense();
        bool right = true;
        for (int i = 0; i < block.Owned; i++)
        {
            double sum = 0;
            for (int j = 0; j < block.Unknowns; j++) sum += dense[block.First + i, j];
            right &= Math.Abs(once[i] - sum) < 1e-13;
        }
        NativeTest.Agree(_comm, right, "entries of several ranks add up");
        NativeTest.Agree(_comm, once.AsSpan().SequenceEqual(twice), "the second assembly gives the same matrix");
    }

    /// <summary>5: native code dies on dead handles, so they do not reach it.</summary>
    [Test]
    public unsafe void DeadHandlesAreRefused()
    {
        NativeTest.RequirePetsc();
        var block = Block();
        var solver = new PetscSolver("dead_", Jacobi);
        solver.Initialize(block.System);
        solver.SetValues(block.Values);
        var handle = solver.Handle!;
        solver.Dispose();
        solver.Dispose();
        double[] b = block.Rhs(), x = new double[block.Owned];
        Assert.Throws<ObjectDisposedException>(() => solver.SetValues(block.Values));
        Assert.Throws<ObjectDisposedException>(() => solver.Solve(b, x));
        Assert.Throws<ObjectDisposedException>(() => solver.Multiply(b, x));
        Assert.Throws<ObjectDisposedException>(() => solver.Initialize(block.System));
        Assert.Throws<ObjectDisposedException>(() => { using var lease = handle.Borrow(); });
        var part = (MpiComm)_comm.Split(0, 0);
        part.Handle.Dispose();
        Assert.Throws<ObjectDisposedException>(() => part.Barrier());
        // And null in the raw layer is an error, not a crash.
        Assert.That(NativeMethods.msh_barrier(null), Is.EqualTo(NativeMethods.MSH_ERR_ARGUMENT));
        Assert.That(NativeMethods.msh_solver_solve(null, null, null, null), Is.EqualTo(NativeMethods.MSH_ERR_ARGUMENT));
        Assert.That(NativeMethods.msh_sum_f64(null, null, 3), Is.EqualTo(NativeMethods.MSH_ERR_ARGUMENT));
        Assert.That(NativeText.LastError(out _), Does.Contain("msh_sum_f64"));
    }
}

/// <summary>Finding the library.</summary>
[TestFixture]
public sealed class ResolverTests
{
    [Test]
    public void UsersFolderComesFirstAndTheCheckoutLast()
    {
        var paths = NativeLibraryResolver.Candidates("/opt/mine", AppContext.BaseDirectory);
        Assert.That(paths[0], Is.EqualTo("/opt/mine/libmshpc.so"));
        Assert.That(paths[1], Is.EqualTo(Path.Combine(AppContext.BaseDirectory, "libmshpc.so")));
        Assert.That(paths[2], Does.EndWith("runtimes/linux-x64/native/libmshpc.so"));
        Assert.That(paths[3], Is.EqualTo(Path.Combine(TestData.Root, "artifacts/native/runtimes/linux-x64/native/libmshpc.so")));
        Assert.That(NativeLibraryResolver.Candidates(null, "/tmp"), Has.Count.EqualTo(2), "no checkout above");
    }

    [Test]
    public void MissingLibraryNamesAllPaths()
    {
        if (MpiRuntime.TryLoad(out string whyNot))
        {
            Assert.That(whyNot, Is.Empty);
            Assert.That(MpiRuntime.LibraryPath, Does.EndWith("libmshpc.so"));
            return;
        }
        foreach (string path in NativeLibraryResolver.Candidates(Environment.GetEnvironmentVariable("MSHPC_NATIVE_DIR"), AppContext.BaseDirectory))
            Assert.That(whyNot, Does.Contain(path));
        Assert.That(PetscSolver.IsAvailable, Is.False);
        if (MpiRuntime.LaunchedRanks == 1) Assert.That(MpiRuntime.Initialize(), Is.SameAs(Comm.Self));
    }
}
