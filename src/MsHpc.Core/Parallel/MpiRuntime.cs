using System.Globalization;
using MsHpc.Interop;

namespace MsHpc.Core.Parallel;

/// <summary>
/// Start and end of MPI and PETSc in this process. Everything here runs on the thread that called <see cref="Initialize"/>
/// (thread level FUNNELED), and no child process may be started after it: fork and network drivers do not go together.
/// </summary>
/// <remarks>Start order: read the input, <see cref="Initialize"/>, then MKL; <see cref="FloatingPointEnvironment.Check"/> is part of it.
/// Call <see cref="Shutdown"/> before the process ends: finalizers and exit handlers are too late for collective work.</remarks>
public static class MpiRuntime
{
    private static readonly Lock Gate = new();
    private static readonly HandleGroup Roots = new();
    private static MpiComm? _world, _self;
    private static bool _ended;

    /// <summary>Whether MPI is running through us.</summary>
    public static bool IsInitialized => _world is not null;

    /// <summary>Ranks that the launcher started according to its environment variables (mpirun, mpiexec, srun); 1 without a launcher.
    /// A program need not initialise MPI when this is 1.</summary>
    public static int LaunchedRanks => RanksFrom(Environment.GetEnvironmentVariable);

    /// <summary>Whether a launcher started this process as one of several ranks.</summary>
    public static bool IsLaunchedInParallel => LaunchedRanks > 1;

    /// <summary>MPI and PETSc versions in one line for the log header; says so when the library is missing.</summary>
    public static string Versions => TryLoad(out _) ? NativeText.Versions() : "no MPI, no PETSc (libmshpc is missing)";

    /// <summary>The native library in use; null when there is none.</summary>
    public static string? LibraryPath => TryLoad(out _) ? NativeLibraryResolver.LoadedFrom : null;

    /// <summary>Whether the native library can be loaded and fits; initialises nothing. Not collective.</summary>
    /// <param name="whyNot">All paths tried and what was wrong; empty on success.</param>
    public static bool TryLoad(out string whyNot) => NativeLibraryResolver.TryLoad(out whyNot);

    /// <summary>
    /// Initialises MPI and PETSc, unless somebody (mpi4py) did, and returns all ranks of the job. Idempotent. Collective over the job.
    /// Without the native library it returns <see cref="Comm.Self"/>.
    /// </summary>
    /// <exception cref="NativeException">MPI or PETSc failed; the library is missing although a launcher started several ranks (they would
    /// all do the same work and overwrite each other's files); denormals are flushed to zero.</exception>
    /// <exception cref="InvalidOperationException">MPI was shut down: it cannot start twice.</exception>
    public static Comm Initialize()
    {
        if (!TryLoad(out string whyNot))
            return LaunchedRanks is var ranks and > 1
                ? throw new NativeException($"started as one of {ranks} ranks, but MPI is not available: {whyNot}")
                : Comm.Self;
        Start();
        return _world!;
    }

    /// <summary>The ranks of a communicator that somebody else made, e.g. mpi4py's <c>comm.py2f()</c>. A duplicate is used, so that messages
    /// do not mix. Collective over that communicator; the first call of the process initialises PETSc over all ranks of the job.</summary>
    /// <exception cref="NativeException">No native library, or no such communicator.</exception>
    public static unsafe Comm FromFortran(int handle)
    {
        Start();
        msh_comm* comm = null;
        Native.Check(NativeMethods.msh_comm_from_fortran(handle, &comm));
        return new MpiComm(new CommHandle((nint)comm, Roots));
    }

    /// <summary>
    /// Destroys all native objects that are left, in the order in which they were made, and finalises PETSc and MPI if this process
    /// initialised them here. Idempotent; nothing happens when MPI was never initialised, and objects are only forgotten when the host
    /// program has ended MPI before. Collective over the job.
    /// </summary>
    /// <exception cref="NativeException">Called from another thread, or MPI or PETSc failed.</exception>
    public static unsafe void Shutdown()
    {
        lock (Gate)
        {
            if (_world is null) return;
            int running;
            Native.Check(NativeMethods.msh_is_initialized(&running));
            if (running != 0) Native.Check(NativeRegistry.DestroyAll());
            else NativeRegistry.Abandon();
            Native.Check(NativeMethods.msh_finalize());
            _world = _self = null;
            _ended = true;
        }
    }

    /// <summary>Ends all ranks of the job with this exit code, for an error that only some ranks have. Returns only when MPI is not
    /// running; the caller then ends the process itself. Not collective, any thread.</summary>
    public static void Abort(int code)
    {
        if (_world is not null) _ = NativeMethods.msh_abort(code);
    }

    /// <summary>MPI's thread level: 1 funneled, 2 serialized, 3 multiple.</summary>
    /// <exception cref="NativeException">MPI is not initialised.</exception>
    public static unsafe int ThreadLevel
    {
        get
        {
            Native.RequireLibrary();
            int level;
            Native.Check(NativeMethods.msh_thread_level(&level));
            return level;
        }
    }

    /// <summary>Whether <see cref="Shutdown"/> will finalise MPI, because it was not running before.</summary>
    public static unsafe bool OwnsMpi
    {
        get
        {
            if (!IsInitialized) return false;
            int flag;
            Native.Check(NativeMethods.msh_owns_mpi(&flag));
            return flag != 0;
        }
    }

    /// <summary>The native group behind <paramref name="comm"/>; one of a single rank that needs no MPI gets MPI's own.</summary>
    internal static MpiComm NativeOf(Comm comm)
    {
        if (comm is MpiComm mpi) return mpi;
        if (comm.Size != 1) throw new ArgumentException($"a group of {comm.Size} ranks that is not MPI's", nameof(comm));
        Start();
        return _self!;
    }

    internal static int RanksFrom(Func<string, string?> environment)
    {
        // SLURM_STEP_NUM_TASKS is set by srun only; SLURM_NTASKS also in the batch script, which is one process.
        foreach (string name in (string[])["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
            if (int.TryParse(environment(name), NumberStyles.None, CultureInfo.InvariantCulture, out int ranks) && ranks > 0) return ranks;
        return 1;
    }

    private static unsafe void Start()
    {
        lock (Gate)
        {
            if (_world is not null) return;
            if (_ended) throw new InvalidOperationException("MPI was shut down and cannot start twice in one process");
            Native.RequireLibrary();
            Native.Check(NativeMethods.msh_init());
            msh_comm* world = null, self = null;
            Native.Check(NativeMethods.msh_comm_world(&world));
            Native.Check(NativeMethods.msh_comm_self(&self));
            _self = new MpiComm(new CommHandle((nint)self, Roots));
            _world = new MpiComm(new CommHandle((nint)world, Roots));
            FloatingPointEnvironment.Check();
        }
    }
}

/// <summary>Turns native statuses into exceptions.</summary>
internal static class Native
{
    /// <summary>Throws the library's own text unless the status is MSH_OK.</summary>
    public static void Check(int status)
    {
        if (status == NativeMethods.MSH_OK) return;
        string text = NativeText.LastError(out int code);
        throw new NativeException(text, code != 0 ? code : status);
    }

    /// <summary>Throws when the library cannot be loaded.</summary>
    public static void RequireLibrary()
    {
        if (!NativeLibraryResolver.TryLoad(out string whyNot)) throw new NativeException(whyNot);
    }
}
