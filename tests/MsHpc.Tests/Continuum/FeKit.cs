using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Materials;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Tests.Fe;

/// <summary>Laws, meshes and a solver for the finite-element tests.</summary>
internal static class FeKit
{
    public static readonly ElementType[] Plane = [ElementType.Tri3, ElementType.Tri6, ElementType.Quad4, ElementType.Quad8];
    public static readonly ElementType[] Solid = [ElementType.Tet4, ElementType.Tet10, ElementType.Hex8, ElementType.Hex20];
    public static readonly ElementType[] All = [.. Plane, .. Solid];

    public static readonly string[] Sides = ["left", "right", "bottom", "top", "front", "back"];

    public static StrainSpace Space(int dim, bool finite) => (dim, finite) switch
    {
        (2, false) => StrainSpace.PlaneSmall, (2, true) => StrainSpace.PlaneFinite,
        (_, false) => StrainSpace.SolidSmall, _ => StrainSpace.SolidFinite,
    };

    public static IMaterial Elastic(int dim, double young = 1, double poisson = 0.3, double density = 1) => Make("elastic", Space(dim, false), young, poisson, density);

    public static IMaterial NeoHooke(int dim, double young = 1, double poisson = 0.3, double density = 1) => Make("neo_hooke", Space(dim, true), young, poisson, density);

    public static IMaterial J2(int dim, double yield, double hardening) => MaterialCatalog.Create("j2_plasticity",
        new Dictionary<string, double[]> { ["E"] = [1], ["nu"] = [0.3], ["sigma_y"] = [yield], ["H"] = [hardening], ["density"] = [1] }, Space(dim, false));

    public static IMaterial Law(int dim, bool finite) => finite ? NeoHooke(dim) : Elastic(dim);

    private static IMaterial Make(string name, StrainSpace space, double young, double poisson, double density) => MaterialCatalog.Create(name,
        new Dictionary<string, double[]> { ["E"] = [young], ["nu"] = [poisson], ["density"] = [density] }, space);

    public static FeModel Model(Mesh mesh, IMaterial law, Integration integration = Integration.Full, Comm? comm = null, ThreadTeam? team = null) =>
        new(mesh, law.Space, mesh.Cells.Select(c => c.Region).Distinct().ToDictionary(r => r, _ => law),
            new FeOptions { Integration = integration }, comm, team);

    public static Mesh Grid(ElementType type, int n, double length = 1) => type.Dimension() == 2
        ? StructuredMesh.Rectangle(type, n, n, length, length) : StructuredMesh.Box(type, n, n, n, length, length, length);

    /// <summary>Moves the corner nodes by a map; mid-edge nodes stay half way between their corners.</summary>
    public static Mesh Map(Mesh mesh, Func<double[], double[]> map)
    {
        int dim = mesh.Dimension;
        var x = new double[mesh.Coordinates.Length];
        for (int n = 0; n < mesh.NodeCount; n++) map(mesh.Coordinates.AsSpan(n * dim, dim).ToArray()).CopyTo(x, n * dim);
        foreach (var block in mesh.Cells)
        {
            if (!ReferenceElement.IsQuadratic(block.Type)) continue;
            var edges = ReferenceElement.Edges(block.Type);
            int corners = block.Type.Nodes() - edges.Length / 2;
            for (int e = 0; e < block.Count; e++)
            {
                var nodes = block.Nodes(e);
                for (int m = 0; m < edges.Length / 2; m++)
                    for (int i = 0; i < dim; i++)
                        x[nodes[corners + m] * dim + i] = 0.5 * (x[nodes[edges[2 * m]] * dim + i] + x[nodes[edges[2 * m + 1]] * dim + i]);
            }
        }
        return mesh with { Coordinates = x };
    }

    /// <summary>The unit grid with its inner nodes moved about.</summary>
    public static Mesh Distorted(ElementType type, int n, double amount = 0.12) => Map(Grid(type, n), x =>
    {
        double bubble = type is ElementType.Tet4 or ElementType.Tet10 ? 0.4 : 1;
        foreach (double v in x) bubble *= Math.Min(1, 6 * v * (1 - v));
        return [.. x.Select((v, i) => v + amount * 3.0 / n * 0.8 * bubble * Math.Sin(7.3 * (i + 1) + 11 * x[0] + 5 * x[1] + (x.Length > 2 ? 9 * x[2] : 0)))];
    });

    public static string[] SidesOf(Mesh mesh) => Sides[..(2 * mesh.Dimension)];

    public static BoundaryConditions OnAllSides(Mesh mesh, VectorField profile, LoadCurve factor)
    {
        var conditions = new BoundaryConditions();
        foreach (string side in SidesOf(mesh)) conditions.Displace(side, profile, factor);
        return conditions;
    }

    public static VectorField Linear(double[] gradient) => (x, u) =>
    {
        for (int i = 0; i < x.Length; i++)
        {
            u[i] = 0;
            for (int j = 0; j < x.Length; j++) u[i] += gradient[i * x.Length + j] * x[j];
        }
    };

    /// <summary>A displacement gradient without symmetry.</summary>
    public static double[] Gradient(int dim, double scale)
    {
        double[] g = dim == 2 ? [0.7, 0.4, -0.3, -0.5] : [0.7, 0.4, -0.2, -0.3, -0.5, 0.25, 0.1, 0.35, 0.6];
        return [.. g.Select(v => scale * v)];
    }

    public static double[] Wave(FeModel model, double amplitude)
    {
        var u = new double[model.Unknowns];
        for (int k = 0; k < u.Length; k++)
        {
            int node = model.LocalToMesh[k / model.Dimension];
            u[k] = amplitude * Math.Sin(1.7 * node + 2.3 * (k % model.Dimension) + 0.4);
        }
        return u;
    }

    public static double[] Copy(ReadOnlySpan<double> x) => x.ToArray();
}

/// <summary>Solves any LinearSystem exactly: gathers it on every rank, then supernodal LDLᵀ, or dense elimination without symmetry.</summary>
internal sealed class GatheredSolver : ILinearSolver
{
    private LinearSystem _system = null!;
    private SparsePattern _pattern = null!;
    private int[] _position = [];
    private double[] _values = [], _x = [];
    private SparseLdl? _ldl;
    private LdlStatus _status;
    private int _first;

    public string Description => "gathered direct";
    public int Solves { get; private set; }

    public void Initialize(LinearSystem system)
    {
        _system = system;
        var (owned, _) = system.Comm.AllGather<int>([system.Owned]);
        int rows = owned.Sum();
        _first = owned.Take(system.Comm.Rank).Sum();
        var (r, c) = Triplets();
        var start = new int[rows + 1];
        var columns = new List<int>();
        var byRow = r.Zip(c).GroupBy(p => p.First).ToDictionary(g => g.Key, g => g.Select(p => p.Second).Distinct().Order().ToArray());
        for (int i = 0; i < rows; i++)
        {
            columns.AddRange(byRow[i]);
            start[i + 1] = columns.Count;
        }
        _pattern = new SparsePattern(rows, start, [.. columns]);
        _position = [.. r.Zip(c, (i, j) => _pattern.Find((int)i, (int)j))];
        _values = new double[_pattern.Count];
        _x = new double[rows];
        if (system.Kind != MatrixKind.General) _ldl = new SparseLdl(SymbolicLdl.Analyze(_pattern));
    }

    private (long[], int[]) Triplets()
    {
        var p = _system.Pattern;
        var r = new List<long>();
        var c = new List<int>();
        for (int i = 0; i < p.Rows; i++)
            for (int k = p.RowStart[i]; k < p.RowStart[i + 1]; k++)
            {
                r.Add(_system.LocalToGlobal[i]);
                c.Add((int)_system.LocalToGlobal[p.Columns[k]]);
            }
        return (_system.Comm.AllGather<long>(r.ToArray()).Data, _system.Comm.AllGather<int>(c.ToArray()).Data);
    }

    public void SetValues(ReadOnlySpan<double> values)
    {
        var (all, _) = _system.Comm.AllGather(values);
        Array.Clear(_values);
        for (int k = 0; k < all.Length; k++) _values[_position[k]] += all[k];
        if (_ldl is not null) _status = _ldl.Factor(_values, _system.Kind == MatrixKind.SymmetricPositiveDefinite);
    }

    public SolveReport Solve(ReadOnlySpan<double> rhs, Span<double> solution)
    {
        Solves++;
        _system.Comm.AllGather(rhs).Data.CopyTo(_x, 0);
        if (_ldl is not null)
        {
            if (!_status.IsOk) return new SolveReport(false, 0, 1, _status.ToString());
            _ldl.Solve(_x);
        }
        else if (!Dense()) return new SolveReport(false, 0, 1, "singular");
        _x.AsSpan(_first, solution.Length).CopyTo(solution);
        return new SolveReport(true, 0, 0, "direct");
    }

    private bool Dense()
    {
        int n = _x.Length;
        var a = new double[n, n];
        for (int i = 0; i < n; i++) for (int k = _pattern.RowStart[i]; k < _pattern.RowStart[i + 1]; k++) a[i, _pattern.Columns[k]] = _values[k];
        for (int k = 0; k < n; k++)
        {
            int p = k;
            for (int i = k + 1; i < n; i++) if (Math.Abs(a[i, k]) > Math.Abs(a[p, k])) p = i;
            if (a[p, k] == 0) return false;
            if (p != k)
            {
                for (int j = 0; j < n; j++) (a[k, j], a[p, j]) = (a[p, j], a[k, j]);
                (_x[k], _x[p]) = (_x[p], _x[k]);
            }
            for (int i = k + 1; i < n; i++)
            {
                double f = a[i, k] / a[k, k];
                if (f == 0) continue;
                for (int j = k; j < n; j++) a[i, j] -= f * a[k, j];
                _x[i] -= f * _x[k];
            }
        }
        for (int i = n - 1; i >= 0; i--)
        {
            for (int j = i + 1; j < n; j++) _x[i] -= a[i, j] * _x[j];
            _x[i] /= a[i, i];
        }
        return true;
    }

    public void Dispose() { }
}

/// <summary>Several ranks in one process, one thread each: the distributed code is tested without MPI.</summary>
internal sealed class ThreadComm(ThreadComm.Hub hub, int rank) : Comm
{
    internal sealed class Hub(int size) : IDisposable
    {
        public int Size { get; } = size;
        public object?[] Slots { get; } = new object?[size];
        public Barrier Barrier { get; } = new(size);
        public void Dispose() => Barrier.Dispose();
    }

    /// <summary>Runs a body on each of the ranks.</summary>
    public static void Run(int size, Action<Comm> body)
    {
        using var hub = new Hub(size);
        var failures = new Exception?[size];
        var threads = Enumerable.Range(0, size).Select(r => new Thread(() =>
        {
            try { body(new ThreadComm(hub, r)); }
            catch (Exception e)
            {
                failures[r] = e;
                hub.Barrier.RemoveParticipant();
            }
        })).ToArray();
        foreach (var t in threads) t.Start();
        foreach (var t in threads) t.Join();
        if (Array.Find(failures, f => f is not null) is { } failure) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    public override int Rank => rank;
    public override int Size => hub.Size;

    private object?[] Share(object? mine)
    {
        hub.Slots[rank] = mine;
        hub.Barrier.SignalAndWait();
        var all = (object?[])hub.Slots.Clone();
        hub.Barrier.SignalAndWait();
        return all;
    }

    public override void AllReduceSum(Span<double> values)
    {
        var all = Share(values.ToArray());
        values.Clear();
        foreach (double[]? a in all.Cast<double[]>()) for (int k = 0; k < values.Length; k++) values[k] += a[k];
    }

    public override void AllReduceSum(Span<long> values)
    {
        var all = Share(values.ToArray());
        values.Clear();
        foreach (long[]? a in all.Cast<long[]>()) for (int k = 0; k < values.Length; k++) values[k] += a[k];
    }

    public override void AllReduceMax(Span<double> values)
    {
        var all = Share(values.ToArray());
        foreach (double[]? a in all.Cast<double[]>()) for (int k = 0; k < values.Length; k++) values[k] = Math.Max(values[k], a[k]);
    }

    public override void Broadcast(Span<byte> data, int root = 0) => ((byte[])Share(data.ToArray())[root]!).CopyTo(data);

    public override (T[] Data, int[] Offsets) AllGather<T>(ReadOnlySpan<T> piece)
    {
        var all = Share(piece.ToArray()).Cast<T[]>().ToArray();
        var offsets = new int[all.Length + 1];
        for (int r = 0; r < all.Length; r++) offsets[r + 1] = offsets[r] + all[r].Length;
        return ([.. all.SelectMany(a => a)], offsets);
    }

    public override void Exchange<T>(ReadOnlySpan<int> neighbors, ReadOnlySpan<T> send, ReadOnlySpan<int> sendOffsets, Span<T> receive,
        ReadOnlySpan<int> receiveOffsets)
    {
        var boxes = new Dictionary<int, T[]>();
        for (int k = 0; k < neighbors.Length; k++) boxes[neighbors[k]] = send[sendOffsets[k]..sendOffsets[k + 1]].ToArray();
        var all = Share(boxes);
        for (int k = 0; k < neighbors.Length; k++)
            ((Dictionary<int, T[]>)all[neighbors[k]]!)[rank].CopyTo(receive[receiveOffsets[k]..receiveOffsets[k + 1]]);
    }

    public override void Barrier() => Share(null);

    public override Comm Split(int color, int key) => throw new NotSupportedException();
}
