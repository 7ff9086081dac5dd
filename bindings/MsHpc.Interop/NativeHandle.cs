using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace MsHpc.Interop;

/// <summary>
/// The native objects that were created on one communicator. Destroying one is collective, while finalizers run at different times on
/// different ranks: a finalizer only drops the object's number here, and the owner of the communicator destroys what all ranks have
/// dropped, at a point where all of them are.
/// </summary>
internal sealed class HandleGroup
{
    private readonly ConcurrentDictionary<long, NativeRecord> _dropped = new();
    private long _count;

    /// <summary>Number of objects that finalizers dropped and nobody has destroyed yet.</summary>
    public int Pending => _dropped.Count;

    /// <summary>Number of the next object: the same on all ranks, since creating is collective.</summary>
    public long NextNumber() => Interlocked.Increment(ref _count);

    /// <summary>Remembers an object that is no longer reachable. Any thread.</summary>
    public void Drop(NativeRecord record) => _dropped[record.Number] = record;

    /// <summary>Numbers of the dropped objects on this rank, rising.</summary>
    public long[] Dropped()
    {
        long[] numbers = [.. _dropped.Keys];
        Array.Sort(numbers);
        return numbers;
    }

    /// <summary>Destroys dropped objects; collective, with the same numbers in the same order on all ranks.</summary>
    public void Destroy(ReadOnlySpan<long> numbers)
    {
        foreach (long number in numbers)
            if (_dropped.TryRemove(number, out var record)) NativeRegistry.Destroy(record);
    }
}

/// <summary>One native object.</summary>
/// <param name="Pointer">Its address.</param>
/// <param name="IsComm">A communicator; else a solver.</param>
/// <param name="Order">Position in the order of creation of this process.</param>
/// <param name="Number">Number in its group.</param>
/// <param name="Group">The objects of the same communicator.</param>
internal sealed record NativeRecord(nint Pointer, bool IsComm, long Order, long Number, HandleGroup Group)
{
    /// <summary>The handle, unless it was collected.</summary>
    public WeakReference<NativeHandle>? Owner { get; set; }
}

/// <summary>All native objects that exist in this process, so that each is destroyed exactly once.</summary>
internal static class NativeRegistry
{
    private static readonly ConcurrentDictionary<long, NativeRecord> Alive = new();
    private static long _order;

    /// <summary>Number of native objects that exist.</summary>
    public static int Count => Alive.Count;

    /// <summary>Enters a new object.</summary>
    public static NativeRecord Add(nint pointer, bool isComm, HandleGroup group)
    {
        var record = new NativeRecord(pointer, isComm, Interlocked.Increment(ref _order), group.NextNumber(), group);
        Alive[record.Order] = record;
        return record;
    }

    /// <summary>Destroys an object unless that was done already. Returns a status of mshpc.h.</summary>
    public static unsafe int Destroy(NativeRecord record)
    {
        if (!Alive.TryRemove(record.Order, out _)) return NativeMethods.MSH_OK;
        int status = record.IsComm
            ? NativeMethods.msh_comm_free((msh_comm*)record.Pointer)
            : NativeMethods.msh_solver_destroy((msh_solver*)record.Pointer);
        if (status == NativeMethods.MSH_ERR_THREAD) Alive[record.Order] = record; // not touched: it still exists
        return status;
    }

    /// <summary>Forgets everything without touching it: somebody else has ended MPI.</summary>
    public static void Abandon()
    {
        foreach (var record in Alive.Values)
            if (record.Owner is { } owner && owner.TryGetTarget(out var handle)) handle.SetHandleAsInvalid();
        Alive.Clear();
    }

    /// <summary>Destroys everything in the order of creation, solvers first. Collective over all communicators in use.</summary>
    /// <returns>The first status that is not MSH_OK, or MSH_OK.</returns>
    public static int DestroyAll()
    {
        int first = NativeMethods.MSH_OK;
        foreach (var record in Alive.Values.OrderBy(r => r.IsComm).ThenBy(r => r.Order).ToArray())
        {
            if (record.Owner is { } owner && owner.TryGetTarget(out var handle)) handle.SetHandleAsInvalid(); // later calls: disposed
            int status = Destroy(record);
            if (first == NativeMethods.MSH_OK) first = status;
            if (status == NativeMethods.MSH_ERR_THREAD) break;
        }
        return first;
    }
}

/// <summary>
/// Owner of a native object. <see cref="SafeHandle.Dispose()"/> destroys it (collective); a finalizer only drops it into its group.
/// </summary>
internal abstract class NativeHandle : SafeHandle
{
    private readonly NativeRecord _record;

    private protected NativeHandle(nint pointer, bool isComm, HandleGroup group) : base(0, ownsHandle: true)
    {
        SetHandle(pointer);
        _record = NativeRegistry.Add(pointer, isComm, group);
        _record.Owner = new WeakReference<NativeHandle>(this);
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The address for the duration of one call.</summary>
    /// <exception cref="ObjectDisposedException">The object was disposed, or MPI was shut down.</exception>
    public Lease Borrow() => new(this);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing && !IsClosed && !IsInvalid)
        {
            // The finalizer's thread may neither call MPI nor destroy at a time of its own.
            _record.Group.Drop(_record);
            SetHandleAsInvalid();
        }
        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        int status = NativeRegistry.Destroy(_record);
        if (status == NativeMethods.MSH_ERR_THREAD) _record.Group.Drop(_record); // disposed on a worker: the main thread will do it
        return status == NativeMethods.MSH_OK;
    }

    /// <summary>Keeps the object alive during a native call.</summary>
    public readonly ref struct Lease
    {
        private readonly NativeHandle _owner;

        /// <summary>Takes a reference.</summary>
        public Lease(NativeHandle owner)
        {
            bool taken = false;
            owner.DangerousAddRef(ref taken);
            _owner = owner;
        }

        /// <summary>The native address, never null.</summary>
        public nint Pointer => _owner.handle;

        /// <summary>Gives the reference back.</summary>
        public void Dispose() => _owner.DangerousRelease();
    }
}

/// <summary>A communicator (<c>msh_comm</c>).</summary>
internal sealed class CommHandle(nint pointer, HandleGroup parent) : NativeHandle(pointer, isComm: true, parent)
{
    /// <summary>What was created on this communicator.</summary>
    public HandleGroup Children { get; } = new();
}

/// <summary>A matrix with its solver (<c>msh_solver</c>).</summary>
internal sealed class SolverHandle(nint pointer, CommHandle comm) : NativeHandle(pointer, isComm: false, comm.Children);
