using BenchmarkDotNet.Attributes;
using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Perf;

/// <summary>Four copies of the 32 × 32 RVE of examples/fe2-plate to equilibrium and tangent, from rest.</summary>
[MemoryDiagnoser]
public class RveBenchmarks
{
    private RveMaterial _rve = null!;
    private double[] _strain = [], _old = [], _state = [], _stress = [], _tangent = [];

    [Params(1e-4, 5e-3)] // elastic; through yield
    public double Load { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        const StrainSpace space = StrainSpace.PlaneSmall;
        var voxels = Microstructures.RandomInclusions([0.01, 0.01], 0.25, 0.0017, 0.0004, 3).ToVoxels(32, 32);
        IMaterial Law(string name, params (string Key, double Value)[] p) => MaterialCatalog.Create(name, p.ToDictionary(x => x.Key, x => new[] { x.Value }), space);
        var phases = new Dictionary<string, IMaterial>
        {
            ["0"] = Law("j2_plasticity", ("E", 70000), ("nu", 0.33), ("sigma_y", 250), ("H", 1000)),
            ["1"] = Law("elastic", ("E", 400000), ("nu", 0.2)),
        };
        _rve = new RveMaterial(new RveModel(VoxelMesh.Create(voxels), phases, space, RveBoundary.Periodic));
        (_old, _state) = (new double[_rve.StateSize * Lane4.Width], new double[_rve.StateSize * Lane4.Width]);
        (_strain, _stress, _tangent) = (new double[3 * Lane4.Width], new double[3 * Lane4.Width], new double[9 * Lane4.Width]);
        _rve.InitializeState(_old, 1);
        for (int l = 0; l < Lane4.Width; l++)
            (_strain[l], _strain[8 + l], _strain[16 + l]) = (Load * (1 + 0.1 * l), -0.4 * Load, 0.5 * Load);
    }

    [Benchmark(OperationsPerInvoke = 8)]
    public bool EquilibriumAndTangent()
    {
        _old.CopyTo(_state, 0);
        return _rve.Evaluate(new MaterialBatch { Blocks = 1, Strain = _strain, OldState = _old, NewState = _state, Stress = _stress, Tangent = _tangent });
    }
}
