using MsHpc.Core.Parallel;
using NUnit.Framework;

namespace MsHpc.Tests;

/// <summary>
/// Under mpirun MPI starts before the first test and ends after the last one. Alone, tests that need it start it themselves, so that those
/// which start child processes mostly run before it; it ends here too.
/// </summary>
[SetUpFixture]
public sealed class MpiSetUp
{
    [OneTimeSetUp]
    public void Start()
    {
        if (MpiRuntime.IsLaunchedInParallel) MpiRuntime.Initialize();
    }

    [OneTimeTearDown]
    public void End() => MpiRuntime.Shutdown();
}
