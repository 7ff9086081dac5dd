using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using NUnit.Framework;

namespace MsHpc.Tests.Native;

/// <summary>What tests of the native library share.</summary>
internal static class NativeTest
{
    /// <summary>Ignores the test, with the reason, when the library is not built.</summary>
    public static void Require()
    {
        if (!MpiRuntime.TryLoad(out string whyNot)) Assert.Ignore($"libmshpc is not built (cmake, see CMakeLists.txt): {whyNot}");
    }

    /// <summary>Ignores the test when PETSc, or one of its packages, is missing.</summary>
    public static void RequirePetsc(string? package = null)
    {
        Require();
        if (!PetscSolver.IsAvailable) Assert.Ignore("libmshpc was built without PETSc");
        if (package is not null && !PetscSolver.HasPackage(package)) Assert.Ignore($"this PETSc was built without {package}");
    }

    /// <summary>All ranks of the job.</summary>
    public static Comm World()
    {
        Require();
        return MpiRuntime.Initialize();
    }

    /// <summary>Fails on all ranks when the condition is false on one: no rank leaves the others waiting in a collective.</summary>
    public static void Agree(Comm comm, bool ok, string what)
    {
        bool all = comm.AllOk(ok);
        Assert.That(all, Is.True, ok ? $"{what} (on another rank)" : $"{what} (rank {comm.Rank})");
    }
}
