using BenchmarkDotNet.Attributes;
using MsHpc.Core;

namespace MsHpc.Perf;

/// <summary>Product and symmetric eigenproblem on every provider, one thread; sizes of a small Hamiltonian.</summary>
[MemoryDiagnoser]
public class DenseBenchmarks
{
    private double[] _a = [], _b = [], _c = [], _values = [];

    [Params("managed", "openblas", "mkl")] public string Provider { get; set; } = "";

    [Params(64, 256)] public int Order { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Dense.Use(Provider, threads: 1);
        var random = new Philox(1, 0, 0);
        (_a, _b, _c, _values) = (new double[Order * Order], new double[Order * Order], new double[Order * Order], new double[Order]);
        for (int j = 0; j < Order; j++)
            for (int i = j; i < Order; i++) _a[i + j * Order] = _a[j + i * Order] = random.NextNormal();
    }

    [Benchmark]
    public void Gemm() => Dense.Gemm(false, false, Order, Order, Order, 1, _a, _a, 0, _c);

    [Benchmark]
    public void SymmetricEigen()
    {
        _a.CopyTo(_b, 0);
        Dense.SymmetricEigen(Order, _b, _values);
    }
}
