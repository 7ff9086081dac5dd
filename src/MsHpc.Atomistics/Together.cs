using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics;

/// <summary>Failures that one rank finds alone: the others are on their way to the next collective call and must be told, or all wait for ever.</summary>
internal static class Together
{
    /// <summary>Throws on all ranks what the first of those that found something found. Collective.</summary>
    /// <param name="comm">Ranks.</param>
    /// <param name="failure">What this rank found; null: nothing.</param>
    public static void Check(Comm comm, NumericalException? failure)
    {
        if (comm.AllOk(failure is null)) return;
        if (comm.Size == 1) throw failure!;
        var (text, start) = comm.AllGather<char>(failure?.Message ?? "");
        for (int r = 0; r < comm.Size; r++)
            if (start[r + 1] > start[r]) throw new NumericalException(new string(text, start[r], start[r + 1] - start[r]));
    }
}
