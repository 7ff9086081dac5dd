using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Perf;

/// <summary>Grid elasticity with made-up, diagonally dominant values: the cost of the direct solvers depends on the pattern only.</summary>
internal static class DirectSystems
{
    public static (SymbolicLdl Symbolic, double[] Values) Grid(int cells, int dim, bool periodic, LdlUse use)
    {
        int points = periodic ? cells : cells + 1, nodes = 1, count = 1, corners = 1 << dim;
        for (int d = 0; d < dim; d++) { nodes *= points; count *= cells; }
        var start = new int[count + 1];
        var members = new int[count * corners * dim];
        var coordinates = new double[nodes * dim];
        var nodeOf = new int[nodes * dim];
        for (int i = 0; i < nodes; i++)
            for (int d = 0, rest = i; d < dim; d++, rest /= points)
            {
                coordinates[i * dim + d] = rest % points;
                nodeOf[i * dim + d] = i;
            }
        for (int e = 0, at = 0; e < count; e++)
        {
            for (int c = 0; c < corners; c++)
            {
                int node = 0, scale = 1;
                for (int d = 0, rest = e; d < dim; d++, rest /= cells, scale *= points) node += (rest % cells + (c >> d & 1)) % points * scale;
                for (int d = 0; d < dim; d++) members[at++] = node * dim + d;
            }
            start[e + 1] = at;
        }
        var pattern = SparsePattern.FromGroups(nodes * dim, start, members);
        var values = new double[pattern.Count];
        for (int i = 0; i < pattern.Rows; i++)
            for (int k = pattern.RowStart[i]; k < pattern.RowStart[i + 1]; k++)
                values[k] = pattern.Columns[k] == i ? pattern.RowStart[i + 1] - pattern.RowStart[i] : -1 + 0.3 * ((i + pattern.Columns[k]) % 3);
        return (SymbolicLdl.Analyze(pattern, nodeOf, coordinates, dim, use), values);
    }
}

/// <summary>Four periodic plane RVEs at once: refill and factor, and solve for k right-hand sides.</summary>
public class BatchedLdlBenchmarks
{
    private BatchedLdl _ldl = null!;
    private Lanes4[] _matrix = null!, _x = null!;

    [Params(24, 32)] public int Cells { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var (symbolic, values) = DirectSystems.Grid(Cells, 2, true, LdlUse.Batched);
        _ldl = new BatchedLdl(symbolic);
        _ldl.Clear();
        for (int k = 0; k < values.Length; k++) if (_ldl.Slot(k) is >= 0 and int slot) _ldl.Storage[slot] = Vector256.Create(values[k]);
        _matrix = _ldl.Storage.ToArray();
        _x = new Lanes4[symbolic.Rows * 3];
        Array.Fill(_x, Lanes4.One);
        _ldl.Factor(Lane4.All, true);
    }

    [Benchmark]
    public byte Factor()
    {
        _matrix.CopyTo(_ldl.Storage);
        return _ldl.Factor(Lane4.All, true);
    }

    [Benchmark]
    public void Solve1() => _ldl.Solve(_x.AsSpan(0, _x.Length / 3), 1);

    [Benchmark]
    public void Solve3() => _ldl.Solve(_x, 3);
}

/// <summary>One matrix: a clamped-size cube of hex8 cells, three unknowns a node.</summary>
public class SparseLdlBenchmarks
{
    private SparseLdl _ldl = null!;
    private double[] _values = null!, _x = null!;

    [Params(12, 20)] public int Cells { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (var symbolic, _values) = DirectSystems.Grid(Cells, 3, false, LdlUse.Single);
        _ldl = new SparseLdl(symbolic);
        _x = new double[symbolic.Rows];
        Array.Fill(_x, 1);
        _ldl.Factor(_values, true);
    }

    [Benchmark]
    public bool Factor() => _ldl.Factor(_values, true).IsOk;

    [Benchmark]
    public void Solve() => _ldl.Solve(_x);
}
