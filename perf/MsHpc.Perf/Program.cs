using BenchmarkDotNet.Running;

namespace MsHpc.Perf;

internal static class PerfProgram
{
    private static void Main(string[] args) => BenchmarkSwitcher.FromAssembly(typeof(PerfProgram).Assembly).Run(args);
}
