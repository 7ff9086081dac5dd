using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Fe2;

/// <summary>
/// Blocks that the ranks of one machine put up for whoever is free first. An owner fills its slots and opens them; the owner and the others
/// take them one by one from a counter, and who took one leaves the answer in its slot.
/// </summary>
internal sealed unsafe class BlockPool : IDisposable
{
    private const int HeadBytes = 256; // round, counter and count, on a cache line each
    private const int NextAt = 8, CountAt = 16; // in numbers of eight bytes

    private readonly NodeMemory _memory;
    private readonly long _slotBytes;
    private long _round;

    private BlockPool(NodeMemory memory, long slotBytes) => (_memory, _slotBytes) = (memory, slotBytes);

    /// <summary>Makes a pool. Collective.</summary>
    /// <param name="comm">Ranks.</param>
    /// <param name="slots">Slots of this rank.</param>
    /// <param name="slotBytes">Length of one, the same on all ranks; a multiple of 64.</param>
    /// <returns>Null on all ranks when they cannot share memory.</returns>
    public static BlockPool? Create(Comm comm, int slots, long slotBytes) =>
        NodeMemory.Create(comm, HeadBytes + slots * slotBytes) is { } memory ? new BlockPool(memory, slotBytes) : null;

    private ref long Number(int rank, int at) => ref ((long*)_memory[rank])[at];

    private byte* Slot(int rank, long k) => _memory[rank] + HeadBytes + k * _slotBytes;

    /// <summary>A slot of this rank.</summary>
    public byte* Own(int k) => Slot(_memory.Me, k);

    /// <summary>Lets all ranks of the machine take this rank's first <paramref name="count"/> slots. Each rank calls it once per round, after
    /// a collective call that ended the round before.</summary>
    public void Open(int count)
    {
        _round++;
        Number(_memory.Me, CountAt) = count;
        Number(_memory.Me, NextAt) = 0;
        Volatile.Write(ref Number(_memory.Me, 0), _round);
    }

    /// <summary>Takes a slot of this rank: its number, or −1 when none is left.</summary>
    public int TakeOwn() => Take(_memory.Me);

    private int Take(int rank)
    {
        long k = Interlocked.Increment(ref Number(rank, NextAt)) - 1;
        return k < Number(rank, CountAt) ? (int)k : -1;
    }

    /// <summary>Takes a slot of the rank of this machine that has most left; null when there is none and will be none in this round.</summary>
    public byte* TakeOther()
    {
        var spin = new SpinWait();
        while (true)
        {
            int richest = -1;
            long most = 0;
            bool closed = false;
            for (int rank = 0; rank < _memory.Ranks.Count; rank++)
            {
                if (rank == _memory.Me) continue;
                if (Volatile.Read(ref Number(rank, 0)) != _round)
                {
                    closed = true;
                    continue;
                }
                long left = Number(rank, CountAt) - Volatile.Read(ref Number(rank, NextAt));
                if (left > most) (richest, most) = (rank, left);
            }
            if (richest >= 0)
            {
                int k = Take(richest);
                if (k >= 0) return Slot(richest, k);
            }
            else if (!closed) return null;
            else spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Says that the answer is in the slot.</summary>
    /// <param name="slot">Its first eight bytes are the pool's.</param>
    public void Answer(byte* slot) => Volatile.Write(ref *(long*)slot, _round);

    /// <summary>Waits until the answer of another rank is in the slot.</summary>
    public void Await(byte* slot)
    {
        var spin = new SpinWait();
        while (Volatile.Read(ref *(long*)slot) != _round) spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
