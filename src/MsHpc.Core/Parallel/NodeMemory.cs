using System.IO.MemoryMappedFiles;
using System.Text;

namespace MsHpc.Core.Parallel;

/// <summary>
/// Memory that the ranks of one machine share: every rank has a segment of its own and sees those of the others at addresses of its own.
/// Ranks of different machines do not see each other's.
/// </summary>
/// <remarks>
/// A file in the machine's memory file system that all map and that loses its name at once, so that nothing is left behind whatever ends the
/// ranks. Who writes what when is the user's affair: with <see cref="Interlocked"/> and <see cref="Volatile"/>, as between threads.
/// </remarks>
public sealed unsafe class NodeMemory : IDisposable
{
    private readonly (MemoryMappedFile File, MemoryMappedViewAccessor View, nint At)[] _segments;

    private NodeMemory(int[] ranks, int me, (MemoryMappedFile, MemoryMappedViewAccessor, nint)[] segments)
    {
        (Ranks, Me) = (ranks, me);
        _segments = segments;
    }

    /// <summary>Ranks of this machine in ascending order.</summary>
    public IReadOnlyList<int> Ranks { get; }

    /// <summary>Where the own rank stands among <see cref="Ranks"/>.</summary>
    public int Me { get; }

    /// <summary>First byte of the segment of the k-th of <see cref="Ranks"/>.</summary>
    public byte* this[int k] => (byte*)_segments[k].At;

    /// <summary>Makes the segments, filled with zeros. Collective.</summary>
    /// <param name="comm">Ranks, some of which share a machine.</param>
    /// <param name="bytes">Length of the own segment.</param>
    /// <returns>Null on all ranks when one of them cannot (no room, a machine that hides its ranks' files from each other).</returns>
    public static NodeMemory? Create(Comm comm, long bytes)
    {
        string folder = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string path = Path.Combine(folder, $"mshpc-{Environment.ProcessId}-{Guid.NewGuid():N}");
        bytes = Math.Max(bytes, 1);
        FileStream? own = null;
        try
        {
            // Reserved at once: a file system that fills up later would end the process with a bus error.
            own = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete, PreallocationSize = bytes,
            });
            own.SetLength(bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            own?.Dispose();
            own = null;
        }

        // One record a rank: length of its segment (0: none), machine, name of the file.
        var (records, offsets) = comm.AllGather<byte>([.. BitConverter.GetBytes(own is null ? 0 : bytes), .. Encoding.UTF8.GetBytes($"{Machine()}\n{path}")]);
        string[][] names = [.. Enumerable.Range(0, comm.Size).Select(r => Encoding.UTF8.GetString(records, offsets[r] + 8, offsets[r + 1] - offsets[r] - 8).Split('\n'))];
        int[] ranks = [.. Enumerable.Range(0, comm.Size).Where(r => names[r][0] == names[comm.Rank][0])];
        var segments = new (MemoryMappedFile, MemoryMappedViewAccessor, nint)[ranks.Length];
        int made = 0;
        try
        {
            for (; made < ranks.Length; made++)
            {
                long length = BitConverter.ToInt64(records, offsets[ranks[made]]);
                if (length == 0) break;
                var file = MemoryMappedFile.CreateFromFile(
                    ranks[made] == comm.Rank ? own! : new FileStream(names[ranks[made]][1], FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete),
                    null, length, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: false);
                var view = file.CreateViewAccessor(0, length);
                byte* p = null;
                view.SafeMemoryMappedViewHandle.AcquirePointer(ref p);
                segments[made] = (file, view, (nint)p);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        var memory = new NodeMemory(ranks, Array.IndexOf(ranks, comm.Rank), segments[..made]);
        bool whole = comm.AllOk(made == ranks.Length);
        if (own is not null) File.Delete(path);
        if (whole) return memory;
        memory.Dispose();
        own?.Dispose();
        return null;
    }

    // Containers of several machines may share a host name, but not the boot of a kernel.
    private static string Machine()
    {
        const string boot = "/proc/sys/kernel/random/boot_id";
        return Environment.MachineName + (File.Exists(boot) ? File.ReadAllText(boot).Trim() : "");
    }

    /// <summary>Unmaps the segments of this process. Not collective.</summary>
    public void Dispose()
    {
        for (int k = 0; k < _segments.Length; k++)
        {
            var (file, view, at) = _segments[k];
            if (at == 0) continue;
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            file.Dispose();
            _segments[k] = default;
        }
    }
}
