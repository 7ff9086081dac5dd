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
/// Blocks of four copies are solved independently over the threads of a team, so results do not depend on threads or on which rank solves
/// which block. The first-order scheme assumes that the macro strain hardly varies over the RVE (ℓ ≪ L).
/// </remarks>
public sealed class RveMaterial : IMaterial
{
    private readonly ThreadTeam _team;
    private readonly RveSolver[] _solvers;
    private readonly byte[] _anyFailed;

    /// <param name="model">The RVE.</param>
    /// <param name="team">Threads that share the copies; null for the caller's thread alone.</param>
    public RveMaterial(RveModel model, ThreadTeam? team = null)
    {
        Model = model;
        _team = team ?? ThreadTeam.Single;
        _solvers = [.. Enumerable.Range(0, _team.Count).Select(_ => new RveSolver(model))];
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

    /// <summary>Threads that share the copies.</summary>
    public ThreadTeam Team => _team;

    /// <inheritdoc/>
    public void InitializeState(Span<double> state, int blocks)
    {
        var one = new double[StateSize * Lane4.Width];
        foreach (var group in Model.Groups)
            group.Material.InitializeState(
                one.AsSpan(group.StateOffset * Lane4.Width, group.Cells.Count * group.Points * group.Material.StateSize * Lane4.Width),
                group.Cells.Count * group.Points);
        for (int b = 0; b < blocks; b++) one.CopyTo(state[(b * one.Length)..]);
    }

    /// <inheritdoc/>
    /// <remarks>Not re-entrant: one evaluation at a time.</remarks>
    public unsafe bool Evaluate(in MaterialBatch batch)
    {
        _anyFailed.AsSpan().Clear();
        // Spans cannot be captured: the work items get pinned addresses for the duration of the call.
        fixed (double* strain = batch.Strain, old = batch.OldState, state = batch.NewState, stress = batch.Stress, tangent = batch.Tangent)
        fixed (byte* active = batch.Active, failed = batch.Failed)
        {
            var blocks = new RveBlocks(strain, old, state, stress, tangent, active, failed, batch.Time, batch.TimeStep);
            _team.Run(batch.Blocks, (block, worker) => _anyFailed[worker] |= Solve(blocks, block, worker));
        }
        foreach (byte f in _anyFailed) if (f != 0) return false;
        return true;
    }

    /// <summary>Solves one block of four copies.</summary>
    /// <param name="blocks">The arrays.</param>
    /// <param name="block">Its number in them.</param>
    /// <param name="worker">Thread of <see cref="Team"/> that calls.</param>
    /// <returns>Lanes4 that failed; also written to the blocks' array of failures when there is one.</returns>
    public unsafe byte Solve(in RveBlocks blocks, int block, int worker)
    {
        int n = Space.Components(), width = Lane4.Width;
        long s = (long)StateSize * width;
        var tangent = blocks.Tangent is null ? [] : Vectors(blocks.Tangent + (long)block * n * n * width, n * n);
        byte bad = _solvers[worker].Solve(
            Vectors(blocks.Strain + (long)block * n * width, n), Vectors(blocks.Old + block * s, StateSize),
            Vectors(blocks.State + block * s, StateSize), Vectors(blocks.Stress + (long)block * n * width, n), tangent,
            blocks.Active is null ? Lane4.All : blocks.Active[block], blocks.Time, blocks.Step);
        if (blocks.Failed is not null) blocks.Failed[block] = bad;
        return bad;
    }

    private static unsafe Span<Lanes4> Vectors(double* at, int count) => new(at, count);

    /// <inheritdoc/>
    public IReadOnlyList<string> OutputNames { get; } = ["hill_mandel", "micro_iterations", "micro_unstable"];

    /// <inheritdoc/>
    public void GetOutputs(in MaterialBatch batch, Span<double> outputs)
    {
        for (int b = 0; b < batch.Blocks; b++)
            batch.NewState.Slice((b * StateSize + Model.HistoryOffset) * Lane4.Width, RveModel.HistorySize * Lane4.Width)
                .CopyTo(outputs[(b * RveModel.HistorySize * Lane4.Width)..]);
    }

    /// <summary>Displacement u − ū at the RVE's nodes of one copy, in the job's length unit: its fluctuation ũ.</summary>
    /// <param name="state">State of all points, blocked.</param>
    /// <param name="point">Copy: block·8 + lane.</param>
    /// <returns>Dimension numbers per node.</returns>
    public double[] Fluctuation(ReadOnlySpan<double> state, int point)
    {
        var block = MemoryMarshal.Cast<double, Lanes4>(state.Slice(point / Lane4.Width * StateSize * Lane4.Width, StateSize * Lane4.Width));
        var nodal = new Lanes4[Model.Mesh.NodeCount * Model.Mesh.Dimension];
        _solvers[0].Fluctuation(block, nodal);
        return [.. nodal.Select(v => v[point % Lane4.Width])];
    }
}

/// <summary>The arrays of a <see cref="MaterialBatch"/> by address, for threads: null where the batch has an empty span.</summary>
public readonly unsafe struct RveBlocks(double* strain, double* old, double* state, double* stress, double* tangent, byte* active,
    byte* failed, double time, double step)
{
    /// <summary>Macro strain.</summary>
    public readonly double* Strain = strain;

    /// <summary>State at the start of the step.</summary>
    public readonly double* Old = old;

    /// <summary>State at its end.</summary>
    public readonly double* State = state;

    /// <summary>Macro stress.</summary>
    public readonly double* Stress = stress;

    /// <summary>Macro tangent.</summary>
    public readonly double* Tangent = tangent;

    /// <summary>Lanes4 in use.</summary>
    public readonly byte* Active = active;

    /// <summary>Lanes4 that failed.</summary>
    public readonly byte* Failed = failed;

    /// <summary>End of the step.</summary>
    public readonly double Time = time;

    /// <summary>Length of the step.</summary>
    public readonly double Step = step;
}
