using System.Buffers;
using MsHpc.Interop;

namespace MsHpc.Core.Parallel;

/// <summary>A group of MPI ranks. All methods pass whole arrays in one call.</summary>
internal sealed unsafe class MpiComm : Comm
{
    private readonly CommHandle _handle;

    /// <summary>Takes ownership of a communicator.</summary>
    public MpiComm(CommHandle handle)
    {
        _handle = handle;
        using var comm = handle.Borrow();
        int rank, size, fortran;
        Native.Check(NativeMethods.msh_comm_rank((msh_comm*)comm.Pointer, &rank));
        Native.Check(NativeMethods.msh_comm_size((msh_comm*)comm.Pointer, &size));
        Native.Check(NativeMethods.msh_comm_to_fortran((msh_comm*)comm.Pointer, &fortran));
        Rank = rank;
        Size = size;
        FortranHandle = fortran;
    }

    /// <summary>The communicator.</summary>
    public CommHandle Handle => _handle;

    public override int Rank { get; }

    public override int Size { get; }

    public override int FortranHandle { get; }

    public override void AllReduceSum(Span<double> values)
    {
        using var comm = _handle.Borrow();
        fixed (double* p = values) Native.Check(NativeMethods.msh_sum_f64((msh_comm*)comm.Pointer, p, values.Length));
    }

    public override void AllReduceSum(Span<long> values)
    {
        using var comm = _handle.Borrow();
        fixed (long* p = values) Native.Check(NativeMethods.msh_sum_i64((msh_comm*)comm.Pointer, p, values.Length));
    }

    public override void AllReduceMax(Span<double> values)
    {
        using var comm = _handle.Borrow();
        fixed (double* p = values) Native.Check(NativeMethods.msh_max_f64((msh_comm*)comm.Pointer, p, values.Length));
    }

    public override void Broadcast(Span<byte> data, int root = 0)
    {
        using var comm = _handle.Borrow();
        fixed (byte* p = data) Native.Check(NativeMethods.msh_broadcast((msh_comm*)comm.Pointer, p, data.Length, root));
    }

    public override (T[] Data, int[] Offsets) AllGather<T>(ReadOnlySpan<T> piece)
    {
        using var comm = _handle.Borrow();
        var bytes = new long[Size + 1];
        var offsets = new int[Size + 1];
        fixed (long* p = bytes) Native.Check(NativeMethods.msh_gather_i64((msh_comm*)comm.Pointer, (long)piece.Length * sizeof(T), p));
        long total = 0;
        for (int r = 0; r <= Size; r++)
        {
            long mine = bytes[r]; // counts become starts; the last entry, 0 so far, becomes the total
            bytes[r] = total;
            offsets[r] = (int)Math.Min(total / sizeof(T), int.MaxValue);
            total += mine;
        }
        if (total > int.MaxValue) // the same on all ranks
            throw new NativeException($"AllGather of {total} bytes from {Size} ranks: one gather carries 2147483647", NativeMethods.MSH_ERR_RANGE);
        var all = GC.AllocateUninitializedArray<T>(offsets[Size]);
        fixed (T* mine = piece, target = all)
        fixed (long* starts = bytes)
            Native.Check(NativeMethods.msh_gather_bytes((msh_comm*)comm.Pointer, mine, target, starts));
        return (all, offsets);
    }

    public override void Exchange<T>(ReadOnlySpan<int> neighbors, ReadOnlySpan<T> send, ReadOnlySpan<int> sendOffsets,
        Span<T> receive, ReadOnlySpan<int> receiveOffsets)
    {
        int count = neighbors.Length;
        if (count == 0) return;
        if (sendOffsets.Length <= count || receiveOffsets.Length <= count)
            throw new ArgumentException($"{count} neighbors need {count + 1} offsets");
        if (sendOffsets[count] > send.Length || receiveOffsets[count] > receive.Length || sendOffsets[0] < 0 || receiveOffsets[0] < 0)
            throw new ArgumentException("offsets reach beyond the buffers");
        using var comm = _handle.Borrow();
        var rented = ArrayPool<long>.Shared.Rent(2 * (count + 1)); // no garbage in a time step
        for (int k = 0; k <= count; k++)
        {
            rented[k] = (long)sendOffsets[k] * sizeof(T);
            rented[count + 1 + k] = (long)receiveOffsets[k] * sizeof(T);
        }
        int status;
        fixed (int* ranks = neighbors)
        fixed (T* outgoing = send, incoming = receive)
        fixed (long* starts = rented)
            status = NativeMethods.msh_exchange((msh_comm*)comm.Pointer, count, ranks, outgoing, starts, incoming, starts + count + 1);
        ArrayPool<long>.Shared.Return(rented);
        Native.Check(status);
    }

    public override void Barrier()
    {
        using var comm = _handle.Borrow();
        Native.Check(NativeMethods.msh_barrier((msh_comm*)comm.Pointer));
    }

    public override Comm Split(int color, int key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(color);
        DestroyDropped();
        using var comm = _handle.Borrow();
        msh_comm* part = null;
        Native.Check(NativeMethods.msh_comm_split((msh_comm*)comm.Pointer, color, key, &part));
        return new MpiComm(new CommHandle((nint)part, _handle.Children));
    }

    /// <summary>
    /// Destroys the objects of this group that finalizers dropped on all ranks. Collective: called where new objects are made
    /// (<see cref="Split"/>, a solver's initialisation), so that forgotten ones do not pile up.
    /// </summary>
    public void DestroyDropped()
    {
        long[] mine = _handle.Children.Dropped();
        if (Size > 1)
        {
            var (all, _) = AllGather<long>(mine);
            Array.Sort(all);
            var agreed = new List<long>();
            for (int begin = 0, end; begin < all.Length; begin = end)
            {
                for (end = begin; end < all.Length && all[end] == all[begin]; end++) { }
                if (end - begin == Size) agreed.Add(all[begin]);
            }
            mine = [.. agreed];
        }
        _handle.Children.Destroy(mine);
    }
}
