using System.Runtime.InteropServices;

namespace MsHpc.Quantum.Xtb;

/// <summary>The C interface of libxtb 6 as far as a calculator needs it, and the thread counts of what it works with.</summary>
internal static unsafe partial class XtbLibrary
{
    private const string Library = "libxtb.so.6";

    /// <summary>Whether the library is on this machine.</summary>
    public static bool IsAvailable { get; } = NativeLibrary.TryLoad(Library, typeof(XtbLibrary).Assembly, null, out _);

    private static readonly delegate* unmanaged[Cdecl]<int, void> s_setOpenMp, s_setBlas;
    private static readonly delegate* unmanaged[Cdecl]<int> s_getOpenMp, s_getBlas;

    // libxtb brings these along under their own names; where it was built with others they keep what the environment says.
    static XtbLibrary()
    {
        if (!IsAvailable) return;
        if (NativeLibrary.TryLoad("libgomp.so.1", out nint openMp))
        {
            s_setOpenMp = (delegate* unmanaged[Cdecl]<int, void>)NativeLibrary.GetExport(openMp, "omp_set_num_threads");
            s_getOpenMp = (delegate* unmanaged[Cdecl]<int>)NativeLibrary.GetExport(openMp, "omp_get_max_threads");
        }
        if (NativeLibrary.TryLoad("libopenblas.so.0", out nint blas))
        {
            s_setBlas = (delegate* unmanaged[Cdecl]<int, void>)NativeLibrary.GetExport(blas, "openblas_set_num_threads");
            s_getBlas = (delegate* unmanaged[Cdecl]<int>)NativeLibrary.GetExport(blas, "openblas_get_num_threads");
        }
    }

    /// <summary>Sets the threads of OpenMP (for the calling thread) and of OpenBLAS, which others of this process share.</summary>
    /// <returns>What was set before.</returns>
    public static (int OpenMp, int Blas) SetThreads(int openMp, int blas)
    {
        var before = (s_getOpenMp == null ? 1 : s_getOpenMp(), s_getBlas == null ? 1 : s_getBlas());
        if (s_setOpenMp != null && before.Item1 != openMp) s_setOpenMp(openMp);
        if (s_setBlas != null && before.Item2 != blas) s_setBlas(blas);
        return before;
    }

    [LibraryImport(Library)] public static partial XtbEnvironment xtb_newEnvironment();
    [LibraryImport(Library)] public static partial void xtb_delEnvironment(nint* env);
    [LibraryImport(Library)] public static partial int xtb_checkEnvironment(XtbEnvironment env);
    [LibraryImport(Library)] public static partial void xtb_getError(XtbEnvironment env, byte* buffer, int* size);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial void xtb_setOutput(XtbEnvironment env, string file);
    [LibraryImport(Library)] public static partial void xtb_releaseOutput(XtbEnvironment env);
    [LibraryImport(Library)] public static partial void xtb_setVerbosity(XtbEnvironment env, int verbosity);

    [LibraryImport(Library)]
    public static partial XtbMolecule xtb_newMolecule(XtbEnvironment env, int* count, int* numbers, double* positions, double* charge, int* unpaired, double* lattice, byte* periodic);

    [LibraryImport(Library)] public static partial void xtb_delMolecule(nint* molecule);
    [LibraryImport(Library)] public static partial void xtb_updateMolecule(XtbEnvironment env, XtbMolecule molecule, double* positions, double* lattice);

    [LibraryImport(Library)] public static partial XtbParameters xtb_newCalculator();
    [LibraryImport(Library)] public static partial void xtb_delCalculator(nint* calculator);
    [LibraryImport(Library)] public static partial void xtb_loadGFN1xTB(XtbEnvironment env, XtbMolecule molecule, XtbParameters calculator, byte* file);
    [LibraryImport(Library)] public static partial void xtb_loadGFN2xTB(XtbEnvironment env, XtbMolecule molecule, XtbParameters calculator, byte* file);
    [LibraryImport(Library)] public static partial void xtb_loadGFNFF(XtbEnvironment env, XtbMolecule molecule, XtbParameters calculator, byte* file);
    [LibraryImport(Library)] public static partial void xtb_setExternalCharges(XtbEnvironment env, XtbParameters calculator, int* count, int* numbers, double* charges, double* positions);
    [LibraryImport(Library)] public static partial void xtb_releaseExternalCharges(XtbEnvironment env, XtbParameters calculator);
    [LibraryImport(Library)] public static partial void xtb_setAccuracy(XtbEnvironment env, XtbParameters calculator, double accuracy);
    [LibraryImport(Library)] public static partial void xtb_setMaxIter(XtbEnvironment env, XtbParameters calculator, int iterations);
    [LibraryImport(Library)] public static partial void xtb_setElectronicTemp(XtbEnvironment env, XtbParameters calculator, double temperature);
    [LibraryImport(Library)] public static partial void xtb_singlepoint(XtbEnvironment env, XtbMolecule molecule, XtbParameters calculator, XtbFindings results);

    [LibraryImport(Library)] public static partial XtbFindings xtb_newResults();
    [LibraryImport(Library)] public static partial void xtb_delResults(nint* results);
    [LibraryImport(Library)] public static partial void xtb_getEnergy(XtbEnvironment env, XtbFindings results, double* energy);
    [LibraryImport(Library)] public static partial void xtb_getGradient(XtbEnvironment env, XtbFindings results, double* gradient);
    [LibraryImport(Library)] public static partial void xtb_getPCGradient(XtbEnvironment env, XtbFindings results, double* gradient);
    [LibraryImport(Library)] public static partial void xtb_getDipole(XtbEnvironment env, XtbFindings results, double* dipole);
    [LibraryImport(Library)] public static partial void xtb_getCharges(XtbEnvironment env, XtbFindings results, double* charges);
    [LibraryImport(Library)] public static partial void xtb_getNao(XtbEnvironment env, XtbFindings results, int* orbitals);
    [LibraryImport(Library)] public static partial void xtb_getOrbitalEigenvalues(XtbEnvironment env, XtbFindings results, double* levels);
    [LibraryImport(Library)] public static partial void xtb_getOrbitalOccupations(XtbEnvironment env, XtbFindings results, double* occupations);
}

/// <summary>An object of libxtb, deleted with its handle.</summary>
internal abstract class XtbHandle() : SafeHandle(0, ownsHandle: true)
{
    public override bool IsInvalid => handle == 0;
}

/// <summary>Errors and output.</summary>
internal sealed unsafe class XtbEnvironment : XtbHandle
{
    protected override bool ReleaseHandle() { nint h = handle; XtbLibrary.xtb_delEnvironment(&h); return true; }
}

/// <summary>Atoms.</summary>
internal sealed unsafe class XtbMolecule : XtbHandle
{
    protected override bool ReleaseHandle() { nint h = handle; XtbLibrary.xtb_delMolecule(&h); return true; }
}

/// <summary>A parametrisation: what libxtb calls a calculator.</summary>
internal sealed unsafe class XtbParameters : XtbHandle
{
    protected override bool ReleaseHandle() { nint h = handle; XtbLibrary.xtb_delCalculator(&h); return true; }
}

/// <summary>Results, the density among them: where the next calculation starts.</summary>
internal sealed unsafe class XtbFindings : XtbHandle
{
    protected override bool ReleaseHandle() { nint h = handle; XtbLibrary.xtb_delResults(&h); return true; }
}
