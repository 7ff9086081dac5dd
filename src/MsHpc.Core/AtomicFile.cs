namespace MsHpc.Core;

/// <summary>
/// Writes a file so that a reader sees the old content or the new content, never half of it: the bytes go to a temporary name in the same
/// folder, are flushed to the disk, and the file is renamed.
/// </summary>
public static class AtomicFile
{
    /// <summary>Writes <paramref name="path"/> by <paramref name="content"/>; when that throws, the old file stays as it was.</summary>
    /// <param name="path">File to write or replace.</param>
    /// <param name="content">Writes the bytes; the stream is buffered and can be read and positioned; it is closed afterwards.</param>
    /// <exception cref="InputException">The folder does not exist, or the file cannot be written there.</exception>
    public static void Write(string path, Action<Stream> content)
    {
        ArgumentNullException.ThrowIfNull(content);
        string full = FullPath(path), temporary = Path.Combine(Path.GetDirectoryName(full)!,
            $".{Path.GetFileName(full)}.{Environment.ProcessId}.{Interlocked.Increment(ref s_serial)}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                content(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e)
        {
            try { File.Delete(temporary); }
            catch (Exception second) when (second is IOException or UnauthorizedAccessException) { }
            if (e is IOException or UnauthorizedAccessException) throw new InputException(path, 0, 0, $"cannot be written: {e.Message}");
            throw;
        }
    }

    /// <summary>Writes <paramref name="text"/> as UTF-8 without a byte-order mark.</summary>
    /// <exception cref="InputException">The folder does not exist, or the file cannot be written there.</exception>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));

    private static string FullPath(string path)
    {
        try { return Path.GetFullPath(path); }
        catch (ArgumentException e) { throw new InputException($"'{path}' is not a file name: {e.Message}"); }
    }

    private static int s_serial;
}
