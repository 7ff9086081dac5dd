using BenchmarkDotNet.Attributes;
using MsHpc.Continuum.Materials;

namespace MsHpc.Perf;

/// <summary>
/// One evaluation of 4096 points (512 blocks, in the second-level cache) per law; points per second = 4096 / time. Plastic cases
/// have half the points yielding. Prepared once, so that every call does the same work.
/// </summary>
[MemoryDiagnoser]
public class MaterialBenchmarks
{
    private const int Blocks = 512;
    private IMaterial _material = null!;
    private double[] _strain = [], _old = [], _new = [], _stress = [], _tangent = [];

    /// <summary>Law, space, and whether in plane stress.</summary>
    [Params("elastic PlaneSmall", "elastic SolidSmall", "anisotropic SolidSmall", "j2 PlaneSmall", "j2 SolidSmall", "voce PlaneSmall",
        "maxwell PlaneSmall", "neo_hooke PlaneFinite", "neo_hooke SolidFinite", "saint_venant_kirchhoff PlaneFinite", "j2 PlaneStress",
        "j2 PlaneFinite", "j2 SolidFinite")]
    public string Law { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        string[] words = Law.Split(' ');
        bool planeStress = words[1] == "PlaneStress";
        var space = planeStress ? StrainSpace.PlaneSmall : Enum.Parse<StrainSpace>(words[1]);
        Dictionary<string, double[]> p = new() { ["E"] = [210], ["nu"] = [0.3] };
        string name = words[0];
        switch (name)
        {
            case "j2": name = "j2_plasticity"; p["sigma_y"] = [0.4]; p["H"] = [2]; break;
            case "voce": name = "j2_plasticity"; p["sigma_y"] = [0.4]; p["H"] = [2]; p["sigma_inf"] = [0.6]; p["delta"] = [50]; break;
            case "maxwell": p["g"] = [0.2, 0.3]; p["tau"] = [0.1, 2]; break;
            case "anisotropic":
                p = new() { ["C"] = [165.7, 63.9, 63.9, 0, 0, 0, 165.7, 63.9, 0, 0, 0, 165.7, 0, 0, 0, 79.6, 0, 0, 79.6, 0, 79.6] };
                break;
        }
        _material = MaterialCatalog.Create(name, p, space, planeStress);
        int n = space.Components(), points = Blocks * 8;
        _strain = new double[points * n];
        for (int b = 0; b < Blocks; b++)
            for (int c = 0; c < n; c++)
                for (int l = 0; l < 8; l++)
                    _strain[(b * n + c) * 8 + l] = (l % 2 == 0 ? 5e-3 : 5e-4) * Math.Sin(b + 0.7 * c + 0.2 * l)
                        + (space.IsFinite() && c % (space.Dimension() + 1) == 0 ? 1 : 0);
        _old = new double[points * _material.StateSize];
        _new = new double[_old.Length];
        _stress = new double[_strain.Length];
        _tangent = new double[points * n * n];
        _material.InitializeState(_old, Blocks);
    }

    [Benchmark(OperationsPerInvoke = Blocks * 8)]
    public bool Stress() => _material.Evaluate(new MaterialBatch { Blocks = Blocks, Strain = _strain, OldState = _old, NewState = _new, Stress = _stress });

    [Benchmark(OperationsPerInvoke = Blocks * 8)]
    public bool StressAndTangent() => _material.Evaluate(new MaterialBatch
    {
        Blocks = Blocks, Strain = _strain, OldState = _old, NewState = _new, Stress = _stress, Tangent = _tangent,
    });
}
