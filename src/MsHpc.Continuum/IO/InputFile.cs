using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>Reads whole files and turns what can go wrong into <see cref="InputException"/>.</summary>
internal static class InputFile
{
    /// <summary>All bytes of a file (at most 2 GB).</summary>
    /// <exception cref="InputException">No such file, no permission, or too large.</exception>
    public static byte[] ReadAllBytes(string path)
    {
        try { return File.ReadAllBytes(path); }
        catch (FileNotFoundException) { throw new InputException(path, 0, 0, "no such file"); }
        catch (DirectoryNotFoundException) { throw new InputException(path, 0, 0, "no such folder"); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException or OutOfMemoryException)
        {
            throw new InputException(path, 0, 0, $"cannot be read: {e.Message}");
        }
    }
}
