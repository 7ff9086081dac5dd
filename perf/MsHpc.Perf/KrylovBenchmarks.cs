using BenchmarkDotNet.Attributes;
using MsHpc.Core.Sparse;

namespace MsHpc.Perf;

/// <summary>Embedded solvers on a scalar 3D model problem: 7-point Laplacian on n³ points, Dirichlet boundary.</summary>
[MemoryDiagnoser]
public class KrylovBenchmarks
{
    private LinearSystem _system = null!;
    private double[] _values = [], _rhs = [], _x = [], _y = [];
    private CsrMatrix _matrix = null!;
    private BlockCsrMatrix _blocks = null!;
    private NearNullspace _nullspace = null!;
    private SmoothedAggregation _multigrid = null!;
    private ConjugateGradient _cg = null!;

    [Params(40)]
    public int N { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int rows = N * N * N;
        var start = new int[rows + 1];
        var columns = new List<int>(7 * rows);
        var values = new List<double>(7 * rows);
        for (int k = 0, row = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                for (int i = 0; i < N; i++, row++)
                {
                    Put(k > 0, row - N * N, -1);
                    Put(j > 0, row - N, -1);
                    Put(i > 0, row - 1, -1);
                    Put(true, row, 6);
                    Put(i < N - 1, row + 1, -1);
                    Put(j < N - 1, row + N, -1);
                    Put(k < N - 1, row + N * N, -1);
                    start[row + 1] = columns.Count;
                }
        _system = LinearSystem.Serial(new SparsePattern(rows, start, columns.ToArray()), MatrixKind.SymmetricPositiveDefinite);
        _values = values.ToArray();
        _rhs = new double[rows];
        _x = new double[rows];
        _y = new double[rows];
        Array.Fill(_rhs, 1.0);
        _matrix = new CsrMatrix(_system.Pattern, _values);
        _blocks = new BlockCsrMatrix(_system.Pattern, BlockNumbering.Of(_system));
        _blocks.SetValues(_values);
        _nullspace = NearNullspace.Of(_system, _blocks.Numbering);
        _multigrid = new SmoothedAggregation(_blocks, _nullspace);
        _cg = new ConjugateGradient(rows);

        void Put(bool there, int column, double value)
        {
            if (!there) return;
            columns.Add(column);
            values.Add(value);
        }
    }

    [Benchmark]
    public void Spmv() => _matrix.Apply(_rhs, _y);

    [Benchmark]
    public SmoothedAggregation MultigridSetup() => new(_blocks, _nullspace);

    [Benchmark]
    public void MultigridUpdate() => _multigrid.Update();

    [Benchmark]
    public SolveReport CgMultigrid()
    {
        Array.Clear(_x);
        return _cg.Solve(_matrix, _multigrid, _rhs, _x, new KrylovOptions(1e-8, 100));
    }
}
