using BenchmarkDotNet.Attributes;
using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Materials;
using MsHpc.Core.Parallel;

namespace MsHpc.Perf;

/// <summary>Assembly of force and stiffness; elements per second = Elements / time. Must allocate nothing.</summary>
[MemoryDiagnoser]
public class AssemblyBenchmarks
{
    private FeModel _model = null!;
    private FeSystem _system = null!;
    private double[] _u = [], _f = [];

    [Params(ElementType.Hex8, ElementType.Tet10, ElementType.Hex20)]
    public ElementType Type { get; set; }

    [Params(false, true)]
    public bool Finite { get; set; }

    /// <summary>Elements of the mesh, for the table.</summary>
    public int Elements => _model.Elements;

    [GlobalSetup]
    public void Setup()
    {
        int n = Type == ElementType.Hex8 ? 20 : 8;
        var mesh = StructuredMesh.Box(Type, n, n, n, 1, 1, 1);
        var parameters = new Dictionary<string, double[]> { ["E"] = [1], ["nu"] = [0.3] };
        var law = MaterialCatalog.Create(Finite ? "neo_hooke" : "elastic", parameters, Finite ? StrainSpace.SolidFinite : StrainSpace.SolidSmall);
        _model = new FeModel(mesh, law.Space, new Dictionary<string, IMaterial> { [""] = law }, team: ThreadTeam.Single);
        _system = new FeSystem(_model, new bool[_model.Unknowns]);
        _u = new double[_model.Unknowns];
        for (int k = 0; k < _u.Length; k++) _u[k] = 1e-4 * Math.Sin(1.3 * k);
        _f = new double[_u.Length];
    }

    [Benchmark]
    public bool Stiffness() => _model.Assemble(_u, 0, 0, _f, _system);

    [Benchmark]
    public bool Force() => _model.Assemble(_u, 0, 0, _f);
}
