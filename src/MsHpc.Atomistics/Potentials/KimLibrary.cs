using System.Runtime.InteropServices;

namespace MsHpc.Atomistics.Potentials;

/// <summary>The C interface of libkim-api 2 as far as a simulator needs it. Its enumerations are structs of one int, which travel as ints.</summary>
internal static unsafe partial class KimLibrary
{
    private const string Library = "libkim-api.so.2";

    /// <summary>Whether the library is on this machine.</summary>
    public static bool IsAvailable { get; } = NativeLibrary.TryLoad(Library, typeof(KimLibrary).Assembly, null, out _);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_Numbering_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_LengthUnit_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_EnergyUnit_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_ChargeUnit_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_TemperatureUnit_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_TimeUnit_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_SpeciesName_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_ComputeArgumentName_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_ComputeCallbackName_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_LanguageName_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_LogVerbosity_FromString(string name);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] public static partial int KIM_SupportStatus_FromString(string name);

    [LibraryImport(Library)] public static partial void KIM_Log_PushDefaultVerbosity(int verbosity);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int KIM_Model_Create(int numbering, int length, int energy, int charge, int temperature, int time, string model, int* unitsAccepted, nint* handle);

    [LibraryImport(Library)] public static partial void KIM_Model_Destroy(nint* model);
    [LibraryImport(Library)] public static partial void KIM_Model_GetInfluenceDistance(nint model, double* distance);
    [LibraryImport(Library)] public static partial void KIM_Model_GetNeighborListPointers(nint model, int* lists, double** cutoffs, int** ownOnly);
    [LibraryImport(Library)] public static partial int KIM_Model_GetSpeciesSupportAndCode(nint model, int species, int* supported, int* code);
    [LibraryImport(Library)] public static partial int KIM_Model_ComputeArgumentsCreate(nint model, nint* arguments);
    [LibraryImport(Library)] public static partial int KIM_Model_ComputeArgumentsDestroy(nint model, nint* arguments);
    [LibraryImport(Library)] public static partial int KIM_Model_Compute(nint model, nint arguments);
    [LibraryImport(Library)] public static partial int KIM_ComputeArguments_GetArgumentSupportStatus(nint arguments, int name, int* status);
    [LibraryImport(Library)] public static partial int KIM_ComputeArguments_SetArgumentPointerInteger(nint arguments, int name, int* values);
    [LibraryImport(Library)] public static partial int KIM_ComputeArguments_SetArgumentPointerDouble(nint arguments, int name, double* values);
    [LibraryImport(Library)] public static partial int KIM_ComputeArguments_SetCallbackPointer(nint arguments, int name, int language, void* function, void* data);
}
