namespace MsHpc.Core.Parallel;

/// <summary>
/// A fixed team of worker threads. Tasks are numbered; which worker runs which task must not matter for the result (each task writes its
/// own outputs), so results do not depend on the number of threads.
/// </summary>
public sealed class ThreadTeam : IDisposable
{
    /// <summary>A team of one: runs on the caller's thread.</summary>
    public static ThreadTeam Single { get; } = new(1);

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _start = new(0);
    private readonly CountdownEvent _done = new(1);
    private Action<int, int> _body = static (_, _) => { };
    private int _tasks;
    private int _next;
    private bool _stopping;
    private Exception? _failure;

    /// <param name="threads">Workers including the caller; at least one.</param>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Count = threads;
        _threads = new Thread[threads - 1];
        // An event makes its lock when a waiter first sleeps; here, so that no later Run allocates.
        if (threads > 1) _done.Wait(1);
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            // Native libraries called from workers (MKL, Fortran) may need more than the default 1.5 MB.
            _threads[i] = new Thread(() => Work(worker), maxStackSize: 16 << 20) { IsBackground = true, Name = $"mshpc-{worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Number of workers, the caller included.</summary>
    public int Count { get; }

    /// <summary>Runs body(task, worker) for task = 0 … tasks − 1; 0 ≤ worker &lt; <see cref="Count"/> indexes per-worker scratch.
    /// Returns when all have ended; the first exception of a task is rethrown here. Not re-entrant.</summary>
    public void Run(int tasks, Action<int, int> body)
    {
        if (tasks <= 0) return;
        if (_threads.Length == 0 || tasks == 1)
        {
            for (int task = 0; task < tasks; task++) body(task, 0);
            return;
        }
        _body = body;
        _tasks = tasks;
        _next = 0;
        _failure = null;
        _done.Reset(_threads.Length);
        _start.Release(_threads.Length);
        Drain(0);
        _done.Wait();
        if (_failure is { } failure) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    private void Work(int worker)
    {
        while (true)
        {
            _start.Wait();
            if (Volatile.Read(ref _stopping)) return;
            Drain(worker);
            _done.Signal();
        }
    }

    private void Drain(int worker)
    {
        try
        {
            for (int task = Interlocked.Increment(ref _next) - 1; task < _tasks; task = Interlocked.Increment(ref _next) - 1)
                _body(task, worker);
        }
        catch (Exception failure)
        {
            // Kept for the caller: an exception that left a worker thread would end the process.
            Interlocked.CompareExchange(ref _failure, failure, null);
            Volatile.Write(ref _next, _tasks);
        }
    }

    /// <summary>Ends the workers.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _stopping, true);
        if (_threads.Length > 0) _start.Release(_threads.Length);
        foreach (var thread in _threads) thread.Join();
        _start.Dispose();
        _done.Dispose();
    }
}
