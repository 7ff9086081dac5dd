using System.Diagnostics;
using System.Runtime.InteropServices;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Continuum.Homogenization;

/// <summary>
/// A representative volume element as a material law: each point is a copy of the RVE with a state of its own, macro strain goes in, volume
/// averages of stress and the condensed tangent come out. Used at the points of a macro mesh this is FE².
/// </summary>
/// <remarks>
/// Blocks of eight copies are solved independently over the threads of a team, so results do not depend on threads or on which rank solves
/// which block. The first-order scheme assumes that the macro strain hardly varies over the RVE (ℓ ≪ L).
/// </remarks>
public sealed class RveMaterial : IMaterial
{
    private readonly ThreadTeam _team;
    private readonly RveSolver[] _solvers;
    private double[] _seconds = [];
    private readonly int[] _iterations;
    private readonly byte[] _anyFailed;

    /// <param name="model">The RVE.</param>
    /// <param name="team">Threads that share the copies; null for the caller's thread alone.</param>
    public RveMaterial(RveModel model, ThreadTeam? team = null)
    {
        Model = model;
        _team = team ?? ThreadTeam.Single;
        _solvers = [.. Enumerable.Range(0, _team.Count).Select(_ => new RveSolver(model))];
        _iterations = new int[_team.Count];
        _anyFailed = new byte[_team.Count];
    }

    /// <summary>The RVE that every point is a copy of.</summary>
    public RveModel Model { get; }

    /// <inheritdoc/>
    public string Description => Model.Description;

    /// <inheritdoc/>
    public StrainSpace Space => Model.Space;

    /// <inheritdoc/>
    public int StateSize => Model.StateSize;

    /// <inheritdoc/>
    public double Density => Model.Density;

    /// <inheritdoc/>
    public bool HasSymmetricTangent => true;

    /// <inheritdoc/>
    public bool IsCollective => true;

    /// <summary>Seconds that each block of the last evaluation took, for sharing the work over ranks.</summary>
    public ReadOnlySpan<double> BlockSeconds => _seconds;

    /// <summary>Largest number of micro Newton iterations in the last evaluation.</summary>
    public int MaxIterations => _iterations.Max();

    /// <inheritdoc/>
    public void InitializeState(Span<double> state, int blocks)
    {
        var one = new double[StateSize * Lane.Width];
        foreach (var group in Model.Groups)
            group.Material.InitializeState(
                one.AsSpan(group.StateOffset * Lane.Width, group.Cells.Count * group.Points * group.Material.StateSize * Lane.Width),
                group.Cells.Count * group.Points);
        for (int b = 0; b < blocks; b++) one.CopyTo(state[(b * one.Length)..]);
    }

    /// <inheritdoc/>
    /// <remarks>Not re-entrant: one evaluation at a time.</remarks>
    public unsafe bool Evaluate(in MaterialBatch batch)
    {
        if (_seconds.Length != batch.Blocks) _seconds = new double[batch.Blocks];
        _iterations.AsSpan().Clear();
        _anyFailed.AsSpan().Clear();
        int n = Space.Components(), width = Lane.Width;
        // Spans cannot be captured: the work items get pinned addresses for the duration of the call.
        fixed (double* strain = batch.Strain, old = batch.OldState, state = batch.NewState, stress = batch.Stress, tangent = batch.Tangent)
        fixed (byte* active = batch.Active, failed = batch.Failed)
        {
            var call = new Call(strain, old, state, stress, tangent, active, failed, batch.Time, batch.TimeStep);
            _team.Run(batch.Blocks, (block, worker) => SolveBlock(call, block, worker, n, width));
        }
        foreach (byte f in _anyFailed) if (f != 0) return false;
        return true;
    }

    private readonly unsafe struct Call(double* strain, double* old, double* state, double* stress, double* tangent, byte* active,
        byte* failed, double time, double step)
    {
        public readonly double* Strain = strain, Old = old, State = state, Stress = stress, Tangent = tangent;
        public readonly byte* Active = active, Failed = failed;
        public readonly double Time = time, Step = step;
    }

    private unsafe void SolveBlock(Call call, int block, int worker, int n, int width)
    {
        long started = Stopwatch.GetTimestamp();
        byte active = call.Active is null ? (byte)0xff : call.Active[block];
        long s = (long)StateSize * width;
        var tangent = call.Tangent is null ? [] : Vectors(call.Tangent + (long)block * n * n * width, n * n);
        byte bad = _solvers[worker].Solve(
            Vectors(call.Strain + (long)block * n * width, n), Vectors(call.Old + block * s, StateSize),
            Vectors(call.State + block * s, StateSize), Vectors(call.Stress + (long)block * n * width, n), tangent,
            active, call.Time, call.Step);
        if (call.Failed is not null) call.Failed[block] = bad;
        _anyFailed[worker] |= bad;
        _iterations[worker] = Math.Max(_iterations[worker], _solvers[worker].Iterations);
        _seconds[block] = Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static unsafe Span<Lanes> Vectors(double* at, int count) => new(at, count);

    /// <inheritdoc/>
    public IReadOnlyList<string> OutputNames { get; } = ["hill_mandel", "micro_iterations", "micro_unstable"];

    /// <inheritdoc/>
    public void GetOutputs(in MaterialBatch batch, Span<double> outputs)
    {
        for (int b = 0; b < batch.Blocks; b++)
            batch.NewState.Slice((b * StateSize + Model.HistoryOffset) * Lane.Width, RveModel.HistorySize * Lane.Width)
                .CopyTo(outputs[(b * RveModel.HistorySize * Lane.Width)..]);
    }

    /// <summary>Displacement u − ū at the RVE's nodes of one copy, in the job's length unit: its fluctuation ũ.</summary>
    /// <param name="state">State of all points, blocked.</param>
    /// <param name="point">Copy: block·8 + lane.</param>
    /// <returns>Dimension numbers per node.</returns>
    public double[] Fluctuation(ReadOnlySpan<double> state, int point)
    {
        var block = MemoryMarshal.Cast<double, Lanes>(state.Slice(point / Lane.Width * StateSize * Lane.Width, StateSize * Lane.Width));
        var nodal = new Lanes[Model.Mesh.NodeCount * Model.Mesh.Dimension];
        _solvers[0].Fluctuation(block, nodal);
        return [.. nodal.Select(v => v[point % Lane.Width])];
    }
}
