using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MsHpc.Core;

/// <summary>A growing array whose address is fixed between calls of <see cref="Require"/> and aligned to 64 bytes, for SIMD kernels and for views from Python.</summary>
/// <typeparam name="T">A plain number type.</typeparam>
public sealed unsafe class AlignedArray<T> where T : unmanaged
{
    private T[] _memory = [];

    /// <summary>Usable elements.</summary>
    public int Capacity { get; private set; }

    /// <summary>First element; changes only in <see cref="Require"/>. Valid while this object is reachable.</summary>
    public T* Pointer { get; private set; }

    /// <summary>The first <paramref name="count"/> elements.</summary>
    public Span<T> Span(int count) => new(Pointer, count);

    /// <summary>Makes room for at least <paramref name="count"/> elements, and some more so that it settles: an eighth, or less for large arrays, whose
    /// needs change like the root of their length. While it is filled it grows by a quarter.</summary>
    /// <param name="count">Elements needed.</param>
    /// <param name="keep">Elements from the start whose values survive growth.</param>
    /// <exception cref="NumericalException">More than one array can hold.</exception>
    public T* Require(long count, int keep = 0)
    {
        if (count <= Capacity && Pointer != null) return Pointer;
        long slack = Math.Min(count / 8, (long)(64 * Math.Sqrt(count)));
        long size = Math.Min(Math.Max(count + slack, keep > 0 ? Capacity + (long)Capacity / 4 : 0) + 512, Array.MaxLength - 128);
        if (size < count) throw new NumericalException($"an array of {count} elements is larger than .NET allows: use more ranks");
        if (keep == 0)
        {
            // The collector may have the old one before the new one comes.
            (_memory, Capacity) = ([], 0);
            Pointer = null;
        }
        int pad = 64 / Unsafe.SizeOf<T>() + 1;
        var memory = GC.AllocateArray<T>((int)size + pad, pinned: true);
        nuint address = (nuint)Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        var pointer = (T*)((address + 63) & ~(nuint)63);
        keep = Math.Min(keep, Capacity);
        if (keep > 0) new Span<T>(Pointer, keep).CopyTo(new Span<T>(pointer, keep));
        _memory = memory;
        Capacity = (int)size;
        Pointer = pointer;
        GC.KeepAlive(_memory);
        return pointer;
    }
}
