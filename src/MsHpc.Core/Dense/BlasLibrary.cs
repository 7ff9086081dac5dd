using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using unsafe GemmRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, int*, int*, int*, double*, double*, int*, double*, int*, double*,
    double*, int*, nint, nint, void>;
using unsafe GemmComplexRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, int*, int*, int*, System.Numerics.Complex*,
    System.Numerics.Complex*, int*, System.Numerics.Complex*, int*, System.Numerics.Complex*, System.Numerics.Complex*, int*, nint, nint,
    void>;
using unsafe PotrfRoutine = delegate* unmanaged[Cdecl]<byte*, int*, double*, int*, int*, nint, void>;
using unsafe PotrsRoutine = delegate* unmanaged[Cdecl]<byte*, int*, int*, double*, int*, double*, int*, int*, nint, void>;
using unsafe GetrfRoutine = delegate* unmanaged[Cdecl]<int*, int*, double*, int*, int*, int*, void>;
using unsafe GetrsRoutine = delegate* unmanaged[Cdecl]<byte*, int*, int*, double*, int*, int*, double*, int*, int*, nint, void>;
using unsafe GetriRoutine = delegate* unmanaged[Cdecl]<int*, double*, int*, int*, double*, int*, int*, void>;
using unsafe SyevdRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, int*, double*, int*, double*, double*, int*, int*, int*, int*, nint,
    nint, void>;
using unsafe SygvdRoutine = delegate* unmanaged[Cdecl]<int*, byte*, byte*, int*, double*, int*, double*, int*, double*, double*, int*,
    int*, int*, int*, nint, nint, void>;
using unsafe HeevdRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, int*, System.Numerics.Complex*, int*, double*,
    System.Numerics.Complex*, int*, double*, int*, int*, int*, int*, nint, nint, void>;
using unsafe HegvdRoutine = delegate* unmanaged[Cdecl]<int*, byte*, byte*, int*, System.Numerics.Complex*, int*, System.Numerics.Complex*,
    int*, double*, System.Numerics.Complex*, int*, double*, int*, int*, int*, int*, nint, nint, void>;
using unsafe TrdRoutine = delegate* unmanaged[Cdecl]<byte*, int*, void*, int*, double*, double*, void*, void*, int*, int*, nint, void>;
using unsafe StedcRoutine = delegate* unmanaged[Cdecl]<byte*, int*, double*, double*, double*, int*, double*, int*, int*, int*, int*, nint, void>;
using unsafe MtrRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, byte*, int*, int*, void*, int*, void*, void*, int*, void*, int*, int*, nint, nint, nint, void>;
using unsafe PotrfAnyRoutine = delegate* unmanaged[Cdecl]<byte*, int*, void*, int*, int*, nint, void>;
using unsafe GstRoutine = delegate* unmanaged[Cdecl]<int*, byte*, int*, void*, int*, void*, int*, int*, nint, void>;
using unsafe TrsmRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, byte*, byte*, int*, int*, void*, void*, int*, void*, int*, nint, nint, nint, nint, void>;
using unsafe GesvdRoutine = delegate* unmanaged[Cdecl]<byte*, byte*, int*, int*, double*, int*, double*, double*, int*, double*, int*,
    double*, int*, int*, nint, nint, void>;

namespace MsHpc.Core;

/// <summary>
/// A BLAS/LAPACK found at run time: Fortran symbols of Intel MKL, OpenBLAS or the reference libraries behind function pointers.
/// Nothing is linked; a machine without any of them loses speed only. All integers are 32 bits (LP64), which is checked at load.
/// </summary>
/// <remarks>
/// Character arguments carry their hidden lengths at the end, as gfortran's convention has it; libraries that do not read them (MKL)
/// are not disturbed. MPI must be initialised before the first load of MKL (Open MPI issue 5070).
/// </remarks>
internal sealed unsafe partial class BlasLibrary
{
    private readonly nint[] _handles;
    private readonly delegate* unmanaged[Cdecl]<int, void> _setThreads;
    private readonly delegate* unmanaged[Cdecl]<int> _getThreads;

    internal readonly GemmRoutine Gemm;
    internal readonly GemmComplexRoutine GemmComplex;
    internal readonly PotrfRoutine Potrf;
    internal readonly PotrsRoutine Potrs;
    internal readonly GetrfRoutine Getrf;
    internal readonly GetrsRoutine Getrs;
    internal readonly GetriRoutine Getri;
    internal readonly SyevdRoutine Syevd;
    internal readonly SygvdRoutine Sygvd;
    internal readonly HeevdRoutine Heevd;
    internal readonly HegvdRoutine Hegvd;
    internal readonly GesvdRoutine Gesvd;
    internal readonly StedcRoutine Stedc;

    // Of these the real and the complex routine take the same arguments.
    internal readonly TrdRoutine Sytrd, Hetrd;
    internal readonly MtrRoutine Ormtr, Unmtr;
    internal readonly PotrfAnyRoutine PotrfReal, PotrfComplex;
    internal readonly GstRoutine Sygst, Hegst;
    internal readonly TrsmRoutine TrsmReal, TrsmComplex;

    private BlasLibrary(nint[] handles, string path, int threads)
    {
        _handles = handles;
        Path = path;
        Name = "BLAS";
        Detail = "";

        // MKL fixes its layers at the first call of anything else, so they come first.
        if (Find("MKL_Set_Num_Threads") != 0)
        {
            Name = "MKL";
            ConfigureMkl(out string threading, out string reproducibility);
            _setThreads = (delegate* unmanaged[Cdecl]<int, void>)Find("MKL_Set_Num_Threads");
            _getThreads = (delegate* unmanaged[Cdecl]<int>)Find("MKL_Get_Max_Threads");
            Version = MklVersion();
            Detail = $"CBWR {reproducibility}, {threading} threading";
        }
        else if (Find("openblas_set_num_threads") != 0)
        {
            Name = "OpenBLAS";
            _setThreads = (delegate* unmanaged[Cdecl]<int, void>)Find("openblas_set_num_threads");
            _getThreads = (delegate* unmanaged[Cdecl]<int>)Find("openblas_get_num_threads");
            string config = Text("openblas_get_config");
            var words = config.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Version = words.Length > 1 && words[0] == "OpenBLAS" ? words[1] : "";
            Detail = Text("openblas_get_corename");
        }

        Gemm = (GemmRoutine)Need("dgemm_");
        GemmComplex = (GemmComplexRoutine)Need("zgemm_");
        Potrf = (PotrfRoutine)Need("dpotrf_");
        Potrs = (PotrsRoutine)Need("dpotrs_");
        Getrf = (GetrfRoutine)Need("dgetrf_");
        Getrs = (GetrsRoutine)Need("dgetrs_");
        Getri = (GetriRoutine)Need("dgetri_");
        Syevd = (SyevdRoutine)Need("dsyevd_");
        Sygvd = (SygvdRoutine)Need("dsygvd_");
        Heevd = (HeevdRoutine)Need("zheevd_");
        Hegvd = (HegvdRoutine)Need("zhegvd_");
        Gesvd = (GesvdRoutine)Need("dgesvd_");
        Stedc = (StedcRoutine)Need("dstedc_");
        Sytrd = (TrdRoutine)Need("dsytrd_");
        Hetrd = (TrdRoutine)Need("zhetrd_");
        Ormtr = (MtrRoutine)Need("dormtr_");
        Unmtr = (MtrRoutine)Need("zunmtr_");
        PotrfReal = (PotrfAnyRoutine)Need("dpotrf_");
        PotrfComplex = (PotrfAnyRoutine)Need("zpotrf_");
        Sygst = (GstRoutine)Need("dsygst_");
        Hegst = (GstRoutine)Need("zhegst_");
        TrsmReal = (TrsmRoutine)Need("dtrsm_");
        TrsmComplex = (TrsmRoutine)Need("ztrsm_");

        CheckIntegers();
        SetThreads(threads);
    }

    /// <summary>"MKL", "OpenBLAS" or "BLAS" (anything else, the reference library among them).</summary>
    public string Name { get; }

    /// <summary>The library's own version, empty when it does not tell.</summary>
    public string Version { get; } = "";

    /// <summary>File or soname that was loaded.</summary>
    public string Path { get; }

    /// <summary>Kernel family, reproducibility mode, threading layer: what the library tells about itself.</summary>
    public string Detail { get; }

    /// <summary>Threads the library uses now; 1 when it has no knob.</summary>
    public int Threads => _getThreads == null ? 1 : _getThreads();

    /// <summary>Sets the library's thread count; <see cref="Threads"/> tells what it made of it.</summary>
    public void SetThreads(int threads)
    {
        if (_setThreads != null) _setThreads(threads);
    }

    /// <summary>Loads a library (or the pair LAPACK + BLAS) and checks it.</summary>
    /// <param name="paths">Files or sonames; symbols are looked up in this order.</param>
    /// <param name="threads">Threads to set, at least one.</param>
    /// <param name="reason">Why it cannot be used; empty on success.</param>
    /// <returns>The library, or null.</returns>
    public static BlasLibrary? TryLoad(string[] paths, int threads, out string reason)
    {
        var handles = new nint[paths.Length];
        for (int i = 0; i < paths.Length; i++)
            if (!NativeLibrary.TryLoad(paths[i], out handles[i]))
            {
                reason = $"{paths[i]}: not found or not loadable";
                return null;
            }
        try
        {
            var library = new BlasLibrary(handles, string.Join(" + ", paths), threads);
            reason = "";
            return library;
        }
        catch (EntryPointNotFoundException failure)
        {
            reason = failure.Message;
            return null;
        }
    }

    private nint Find(string symbol)
    {
        foreach (nint handle in _handles)
            if (NativeLibrary.TryGetExport(handle, symbol, out nint address)) return address;
        return 0;
    }

    private nint Need(string symbol) =>
        Find(symbol) is var address and not 0 ? address : throw new EntryPointNotFoundException($"{Path}: has no symbol {symbol}");

    private string Text(string symbol)
    {
        var function = (delegate* unmanaged[Cdecl]<byte*>)Find(symbol);
        return function == null ? "" : Marshal.PtrToStringUTF8((nint)function())?.Trim() ?? "";
    }

    private void ConfigureMkl(out string threading, out string reproducibility)
    {
        var setInterface = (delegate* unmanaged[Cdecl]<int, int>)Find("MKL_Set_Interface_Layer");
        var setThreading = (delegate* unmanaged[Cdecl]<int, int>)Find("MKL_Set_Threading_Layer");
        var setBranch = (delegate* unmanaged[Cdecl]<int, int>)Find("MKL_CBWR_Set");

        // MKL puts its own libraries into the process's global scope: what PETSc has not bound yet may then come from MKL too. So it
        // has to speak gfortran's conventions (they differ for complex return values) where its library for them is there.
        string file = MklFile();
        string gnuInterface = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(file) ?? "",
            System.IO.Path.GetFileName(file).Replace("libmkl_rt", "libmkl_gf_lp64", StringComparison.Ordinal));
        const int lp64 = 0, gnuLp64 = 2;
        if (setInterface != null && Environment.GetEnvironmentVariable("MKL_INTERFACE_LAYER") is null)
            setInterface(File.Exists(gnuInterface) ? gnuLp64 : lp64);

        // MKL's core calls libm without naming it as a dependency; most hosts have loaded it, but not all must.
        LoadGlobally("libm.so.6");

        // The GNU layer does not name libgomp as a dependency: without its symbols in the global scope the process would die at the
        // first call. Intel's own OpenMP is avoided: it does not share a process with libgomp well.
        string? wish = Environment.GetEnvironmentVariable("MKL_THREADING_LAYER");
        bool gnu = wish is null && LoadGlobally("libgomp.so.1");
        threading = wish ?? (gnu ? "GNU" : "sequential");
        if (wish is null && setThreading != null) setThreading(gnu ? 3 : 1);

        // One code path whatever the processor's vendor and the arrays' alignment: same input, same bits.
        const int avx2 = 10, auto = 2;
        reproducibility = Environment.GetEnvironmentVariable("MKL_CBWR") ?? "";
        if (reproducibility.Length == 0)
            reproducibility = setBranch == null ? "none" : setBranch(avx2) == 0 ? "AVX2" : setBranch(auto) == 0 ? "AUTO" : "none";
    }

    /// <summary>Where the loader found libmkl_rt; the name that was asked for when the system does not tell.</summary>
    private string MklFile()
    {
        const string maps = "/proc/self/maps";
        if (File.Exists(maps))
            foreach (string line in File.ReadLines(maps))
                if (line.IndexOf('/', StringComparison.Ordinal) is var at and >= 0
                    && System.IO.Path.GetFileName(line.AsSpan(at)).StartsWith("libmkl_rt", StringComparison.Ordinal)) return line[at..];
        return Path;
    }

    private string MklVersion()
    {
        var function = (delegate* unmanaged[Cdecl]<byte*, int, void>)Find("MKL_Get_Version_String");
        if (function == null) return "";
        byte* text = stackalloc byte[256];
        new Span<byte>(text, 256).Clear();
        function(text, 255);
        var match = VersionPattern().Match(Marshal.PtrToStringUTF8((nint)text) ?? "");
        return match.Success ? match.Groups[1].Value : "";
    }

    /// <summary>
    /// Refuses a library with 64-bit integers. The count is laid out as the 32-bit numbers (2, −1): an LP64 library sees 2, an ILP64
    /// library a negative number, for which DDOT returns zero without touching memory.
    /// </summary>
    private void CheckIntegers()
    {
        var dot = (delegate* unmanaged[Cdecl]<int*, double*, int*, double*, int*, double>)Need("ddot_");
        int* count = stackalloc int[2] { 2, -1 };
        int* increment = stackalloc int[2] { 1, 0 };
        double* x = stackalloc double[2] { 3, 4 };
        if (dot(count, x, increment, x, increment) != 25)
            throw new EntryPointNotFoundException($"{Path}: does not use 32-bit integers (LP64)");
    }

    private static bool LoadGlobally(string library)
    {
        const int lazy = 1, global = 0x100;
        try
        {
            return OpenLibrary(library, lazy | global) != 0;
        }
        catch (Exception failure) when (failure is DllNotFoundException or EntryPointNotFoundException)
        {
            return false; // not a glibc system
        }
    }

    [LibraryImport("libc.so.6", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenLibrary(string path, int flags);

    [GeneratedRegex(@"Version\s+(\d+(?:\.\d+)*)")]
    private static partial Regex VersionPattern();
}
