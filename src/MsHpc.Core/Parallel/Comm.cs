namespace MsHpc.Core.Parallel;

/// <summary>
/// A group of ranks that work together. <see cref="Self"/> is one rank and needs no native library; the MPI one comes from
/// <c>MpiRuntime</c>. Code is written once against this class: serial code is the same code with <see cref="Self"/>.
/// </summary>
/// <remarks>Every method is collective unless it says otherwise: all ranks call it, in the same order. Reductions give the same bits on
/// every rank.</remarks>
public abstract unsafe class Comm
{
    /// <summary>The single-rank group of this process.</summary>
    public static Comm Self { get; } = new SelfComm();

    /// <summary>This rank, 0 … Size − 1. Not collective.</summary>
    public abstract int Rank { get; }

    /// <summary>Number of ranks. Not collective.</summary>
    public abstract int Size { get; }

    /// <summary>Whether this rank writes files and talks to the user. Not collective.</summary>
    public bool IsRoot => Rank == 0;

    /// <summary>Elementwise sum over ranks, in place.</summary>
    public abstract void AllReduceSum(Span<double> values);

    /// <summary>Elementwise sum over ranks, in place.</summary>
    public abstract void AllReduceSum(Span<long> values);

    /// <summary>Elementwise maximum over ranks, in place; a NaN on any rank gives NaN on all.</summary>
    public abstract void AllReduceMax(Span<double> values);

    /// <summary>Sum of one number over ranks.</summary>
    public double AllReduceSum(double value)
    {
        AllReduceSum(new Span<double>(ref value));
        return value;
    }

    /// <summary>Sum of one integer over ranks.</summary>
    public long AllReduceSum(long value)
    {
        AllReduceSum(new Span<long>(ref value));
        return value;
    }

    /// <summary>Maximum of one number over ranks.</summary>
    public double AllReduceMax(double value)
    {
        AllReduceMax(new Span<double>(ref value));
        return value;
    }

    /// <summary>Whether the flag is true on every rank: the agreement point where a rank-local failure becomes everybody's.</summary>
    public bool AllOk(bool ok) => AllReduceSum(ok ? 0L : 1L) == 0;

    /// <summary>Copies <paramref name="data"/> of rank <paramref name="root"/> to all ranks.</summary>
    public abstract void Broadcast(Span<byte> data, int root = 0);

    /// <summary>Concatenates the ranks' pieces in rank order on every rank; pieces may differ in length.</summary>
    /// <returns>All pieces, and the start of rank r's piece at offsets[r] (length Size + 1, in elements).</returns>
    public abstract (T[] Data, int[] Offsets) AllGather<T>(ReadOnlySpan<T> piece) where T : unmanaged;

    /// <summary>
    /// Sparse exchange with neighbours: sends <c>send[sendOffsets[k] .. sendOffsets[k+1]]</c> to rank <c>neighbors[k]</c> and receives
    /// <c>receive[receiveOffsets[k] .. ]</c> from it. All ranks that share a pair list each other.
    /// </summary>
    public abstract void Exchange<T>(ReadOnlySpan<int> neighbors, ReadOnlySpan<T> send, ReadOnlySpan<int> sendOffsets,
        Span<T> receive, ReadOnlySpan<int> receiveOffsets) where T : unmanaged;

    /// <summary>
    /// Begins to send <c>data[offsets[k] .. offsets[k+1]]</c> to rank <c>neighbors[k]</c>, which calls <see cref="BeginReceive"/>. The data must lie in pinned memory
    /// and stay as they are until <see cref="End"/>. Messages between two ranks arrive in the order in which their sends began, those of <see cref="Exchange"/> among them.
    /// </summary>
    /// <returns>For <see cref="End"/>.</returns>
    public virtual nint BeginSend<T>(ReadOnlySpan<int> neighbors, T* data, ReadOnlySpan<int> offsets) where T : unmanaged =>
        neighbors.IsEmpty ? 0 : throw new NotSupportedException("a rank alone has no neighbors");

    /// <summary>Begins to receive what <see cref="BeginSend"/> sends, into pinned memory that may be read after <see cref="End"/>.</summary>
    /// <returns>For <see cref="End"/>.</returns>
    public virtual nint BeginReceive<T>(ReadOnlySpan<int> neighbors, T* data, ReadOnlySpan<int> offsets) where T : unmanaged =>
        neighbors.IsEmpty ? 0 : throw new NotSupportedException("a rank alone has no neighbors");

    /// <summary>Waits for messages that were begun, and forgets them. 0 is no message.</summary>
    public virtual void End(ref nint messages) { }

    /// <summary>Waits for all ranks.</summary>
    public abstract void Barrier();

    /// <summary>The ranks of the same <paramref name="color"/>, ordered by <paramref name="key"/>, as a group of their own.</summary>
    public abstract Comm Split(int color, int key);

    /// <summary>The group's Fortran handle (what mpi4py's <c>py2f</c> gives); −1 without MPI. Not collective.</summary>
    public virtual int FortranHandle => -1;

    private sealed class SelfComm : Comm
    {
        public override int Rank => 0;
        public override int Size => 1;
        public override void AllReduceSum(Span<double> values) { }
        public override void AllReduceSum(Span<long> values) { }
        public override void AllReduceMax(Span<double> values) { }
        public override void Broadcast(Span<byte> data, int root = 0) { }
        public override (T[] Data, int[] Offsets) AllGather<T>(ReadOnlySpan<T> piece) => (piece.ToArray(), [0, piece.Length]);
        public override void Barrier() { }
        public override Comm Split(int color, int key) => this;

        public override void Exchange<T>(ReadOnlySpan<int> neighbors, ReadOnlySpan<T> send, ReadOnlySpan<int> sendOffsets,
            Span<T> receive, ReadOnlySpan<int> receiveOffsets)
        {
            for (int k = 0; k < neighbors.Length; k++)
                send[sendOffsets[k]..sendOffsets[k + 1]].CopyTo(receive[receiveOffsets[k]..receiveOffsets[k + 1]]);
        }
    }
}
