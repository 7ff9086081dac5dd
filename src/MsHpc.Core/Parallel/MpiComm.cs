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
        fixed (int* ranks = neighbors)
        fixed (T* outgoing = send, incoming = receive)
        fixed (long* starts = Bytes<T>(sendOffsets, ref _sendBytes), ends = Bytes<T>(receiveOffsets, ref _receiveBytes))
            Native.Check(NativeMethods.msh_exchange((msh_comm*)comm.Pointer, count, ranks, outgoing, starts, incoming, ends));
    }

    private long[] _sendBytes = [], _receiveBytes = []; // no garbage in a time step

    private static long[] Bytes<T>(ReadOnlySpan<int> offsets, ref long[] bytes) where T : unmanaged
    {
        if (bytes.Length < offsets.Length) bytes = new long[offsets.Length];
        for (int k = 0; k < offsets.Length; k++) bytes[k] = (long)offsets[k] * sizeof(T);
        return bytes;
    }

    public override nint BeginSend<T>(ReadOnlySpan<int> neighbors, T* data, ReadOnlySpan<int> offsets)
    {
        if (neighbors.IsEmpty) return 0;
        if (offsets.Length <= neighbors.Length) throw new ArgumentException($"{neighbors.Length} neighbors need {neighbors.Length + 1} offsets");
        using var comm = _handle.Borrow();
        msh_messages* messages = null;
        fixed (int* ranks = neighbors)
        fixed (long* starts = Bytes<T>(offsets, ref _sendBytes))
            Native.Check(NativeMethods.msh_send_begin((msh_comm*)comm.Pointer, neighbors.Length, ranks, data, starts, &messages));
        return (nint)messages;
    }

    public override nint BeginReceive<T>(ReadOnlySpan<int> neighbors, T* data, ReadOnlySpan<int> offsets)
    {
        if (neighbors.IsEmpty) return 0;
        if (offsets.Length <= neighbors.Length) throw new ArgumentException($"{neighbors.Length} neighbors need {neighbors.Length + 1} offsets");
        using var comm = _handle.Borrow();
        msh_messages* messages = null;
        fixed (int* ranks = neighbors)
        fixed (long* starts = Bytes<T>(offsets, ref _receiveBytes))
            Native.Check(NativeMethods.msh_receive_begin((msh_comm*)comm.Pointer, neighbors.Length, ranks, data, starts, &messages));
        return (nint)messages;
    }

    public override void End(ref nint messages)
    {
        if (messages == 0) return;
        var ended = (msh_messages*)messages;
        messages = 0;
        Native.Check(NativeMethods.msh_messages_end(ended));
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
