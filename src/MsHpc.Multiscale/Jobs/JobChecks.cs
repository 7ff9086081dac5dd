using MsHpc.Continuum;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>
/// Whether a job fits its files: boundaries and regions exist in the mesh, every region and phase has a law, directions match the
/// dimension. Works on the nodes, so that what can be checked is checked even when other parts are wrong.
/// </summary>
internal static class JobChecks
{
    public static void Run(Node root, JobReader reader)
    {
        // CHECKS-HERE
    }
}
