using BenchmarkDotNet.Running;

namespace MsHpc.Perf;

internal static class PerfProgram
{
    private static int Main(string[] args)
    {
        if (args.Length > 1 && args[0] == "elasticity") return ElasticityPeer.Run(args[1..]);
        if (args.Length > 0 && args[0] == "water") return WaterBench.Run(args[1..]);
        if (args.Length > 0 && args[0] == "md") return MdPeer.Run(args[1..]);
        if (args.Length > 0 && args[0] == "quantum") return QuantumPeer.Run(args[1..]);
        BenchmarkSwitcher.FromAssembly(typeof(PerfProgram).Assembly).Run(args);
        return 0;
    }
}
