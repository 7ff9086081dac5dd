using System.Reflection;
using System.Runtime.InteropServices;

namespace MsHpc.Interop;

/// <summary>Finds and loads <c>libmshpc.so</c>, and refuses one that does not fit these bindings.</summary>
internal static class NativeLibraryResolver
{
    /// <summary>File name of the library.</summary>
    public const string FileName = "libmshpc.so";

    /// <summary>Where packages and the build put it, below a root.</summary>
    private static readonly string Runtimes = Path.Combine("runtimes", "linux-x64", "native");

    private static readonly Lock Gate = new();
    private static nint _library;
    private static string? _failure;

    /// <summary>The file that was loaded; null before and without it.</summary>
    public static string? LoadedFrom { get; private set; }

    /// <summary>Loads the library once; later calls repeat the first answer.</summary>
    /// <param name="whyNot">Every path tried and what was wrong with it; empty on success.</param>
    public static bool TryLoad(out string whyNot)
    {
        lock (Gate)
        {
            if (_library == 0 && _failure is null) Load();
            whyNot = _failure ?? "";
            return _failure is null;
        }
    }

    /// <summary>Places that are searched, best first.</summary>
    /// <param name="directory">Value of MSHPC_NATIVE_DIR; null or empty when unset.</param>
    /// <param name="applicationBase">Folder of the application.</param>
    public static List<string> Candidates(string? directory, string applicationBase)
    {
        var paths = new List<string>();
        if (!string.IsNullOrEmpty(directory)) paths.Add(Path.Combine(directory, FileName));
        paths.Add(Path.Combine(applicationBase, FileName));
        paths.Add(Path.Combine(applicationBase, Runtimes, FileName));
        // A development tree: bin/… lies somewhere below the checkout, which the solution file marks.
        for (var folder = new DirectoryInfo(applicationBase); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "MsHpc.sln")))
            {
                paths.Add(Path.Combine(folder.FullName, "artifacts", "native", Runtimes, FileName));
                break;
            }
        return paths;
    }

    private static void Load()
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeMethods).Assembly, Resolve);
        // The word of the user, also where the library lies beside the program.
        if (Environment.GetEnvironmentVariable("MSHPC_EMBEDDED") == "1")
        {
            _failure = $"{FileName} is not wanted: MSHPC_EMBEDDED=1";
            return;
        }
        var tried = new List<string>();
        foreach (string path in Candidates(Environment.GetEnvironmentVariable("MSHPC_NATIVE_DIR"), AppContext.BaseDirectory))
        {
            if (!File.Exists(path))
            {
                tried.Add($"{path}: no such file");
                continue;
            }
            try
            {
                _library = NativeLibrary.Load(path);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                tried.Add($"{path}: {e.Message.Split('\n')[0]}");
                continue;
            }
            if (Mismatch() is { } mismatch)
            {
                // It stays mapped (MPI libraries do not like to be unloaded), but nothing will call it again.
                _library = 0;
                _failure = $"{path}: {mismatch}";
                return;
            }
            LoadedFrom = path;
            return;
        }
        _failure = $"{FileName} cannot be loaded; tried{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", tried)}";
    }

    private static unsafe string? Mismatch()
    {
        try
        {
            int version = NativeMethods.msh_abi_version(), info = NativeMethods.msh_sizeof_solve_info();
            int scalar = NativeMethods.msh_sizeof_petsc_scalar(), index = NativeMethods.msh_sizeof_petsc_int();
            if (version != NativeMethods.MSH_ABI_VERSION)
                return $"interface version {version}, these bindings are for {NativeMethods.MSH_ABI_VERSION}: rebuild native/";
            if (info != sizeof(msh_solve_info)) return $"msh_solve_info has {info} bytes, these bindings say {sizeof(msh_solve_info)}";
            if (scalar is not (0 or 8)) return $"PETSc with scalars of {scalar} bytes; real doubles are needed";
            if (index is not (0 or 4 or 8)) return $"PETSc with indices of {index} bytes";
            return null;
        }
        catch (EntryPointNotFoundException e)
        {
            return e.Message;
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) => name == "mshpc" ? _library : 0;
}
