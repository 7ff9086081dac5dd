using System.Text;

namespace MsHpc.Interop;

/// <summary>Text that the native library keeps.</summary>
internal static unsafe class NativeText
{
    /// <summary>Text and code of the last failure in this process.</summary>
    public static string LastError(out int code)
    {
        code = NativeMethods.msh_last_error_code();
        var text = new byte[NativeMethods.msh_last_error(null, 0) + 1];
        fixed (byte* p = text) _ = NativeMethods.msh_last_error(p, text.Length);
        return Decode(text);
    }

    /// <summary>MPI library and PETSc version in one line; needs no initialisation.</summary>
    public static string Versions()
    {
        var text = new byte[NativeMethods.msh_versions(null, 0) + 1];
        fixed (byte* p = text) _ = NativeMethods.msh_versions(p, text.Length);
        return Decode(text);
    }

    /// <summary>Zero-terminated UTF-8.</summary>
    public static string Decode(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? text : text[..end]);
    }

    /// <summary>Zero-terminated UTF-8 for a call.</summary>
    public static byte[] Encode(string text)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }
}
