using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Fe2;

/// <summary>
/// Shares the points of a costly law over ranks by measured cost: blocks of eight points that would make their owner late are solved by a
/// rank that would be early. State stays with its owner; a block that is lent out travels with it, so that rollback, checkpoints and
/// restarts need not know. Results do not depend on who solves a block.
/// </summary>
/// <remarks>Every evaluation is collective: each rank calls it once per assembly, also with no blocks.</remarks>
public sealed class SharedMaterial : IMaterial
{
    private readonly RveMaterial _inner;
    private readonly Comm _comm;
    private readonly List<double[]> _history = []; // seconds per block, by evaluation within a step
    private double[] _costs = [];
    private double[] _outgoing = [], _incoming = [], _answers = [], _returned = [], _strain = [], _old = [], _state = [], _stress = [], _tangent = [];
    private const int WantsTangent = 256;
    private double _seconds; // what this rank spent on blocks in the last evaluation
    private double _time = double.NaN;
    private int _evaluation;

    /// <param name="inner">The law; the same on every rank.</param>
    /// <param name="comm">Ranks that share the work.</param>
    public SharedMaterial(RveMaterial inner, Comm comm) => (_inner, _comm) = (inner, comm);

    /// <summary>The law that is shared.</summary>
    public RveMaterial Inner => _inner;

    /// <summary>Largest over mean of the seconds that ranks spent on blocks in the last evaluation: measured, not planned.</summary>
    public double Imbalance { get; private set; } = 1;

    /// <summary>Blocks lent out over all ranks in the last evaluation.</summary>
    public int Lent { get; private set; }

    /// <inheritdoc/>
    public string Description => _inner.Description;

    /// <inheritdoc/>
    public StrainSpace Space => _inner.Space;

    /// <inheritdoc/>
    public int StateSize => _inner.StateSize;

    /// <inheritdoc/>
    public double Density => _inner.Density;

    /// <inheritdoc/>
    public bool HasSymmetricTangent => _inner.HasSymmetricTangent;

    /// <inheritdoc/>
    public bool IsCollective => true;

    /// <inheritdoc/>
    public IReadOnlyList<string> OutputNames => _inner.OutputNames;

    /// <inheritdoc/>
    public void InitializeState(Span<double> state, int blocks) => _inner.InitializeState(state, blocks);

    /// <inheritdoc/>
    public void GetOutputs(in MaterialBatch batch, Span<double> outputs) => _inner.GetOutputs(batch, outputs);

    /// <summary>A loan of one block.</summary>
    internal readonly record struct Loan(int From, int To, int Block);

    /// <summary>Points of this rank that failed since the start.</summary>
    public long Failures { get; private set; }

    /// <inheritdoc/>
    public bool Evaluate(in MaterialBatch batch)
    {
        bool ok = Share(batch);
        if (!ok) Note(batch);
        return ok;
    }

    /// <summary>Macro strain of the first point of this rank that failed in the last evaluation that had one; empty before.</summary>
    public double[] FailedStrain { get; private set; } = [];

    private void Note(in MaterialBatch batch)
    {
        int n = Space.Components();
        bool first = true;
        for (int b = 0; b < batch.Failed.Length; b++)
        {
            int bits = batch.Failed[b];
            if (bits == 0) continue;
            Failures += System.Numerics.BitOperations.PopCount((uint)bits);
            if (!first) continue;
            first = false;
            int lane = System.Numerics.BitOperations.TrailingZeroCount(bits);
            FailedStrain = new double[n];
            for (int c = 0; c < n; c++) FailedStrain[c] = batch.Strain[(b * n + c) * Lane.Width + lane];
        }
    }

    private bool Share(in MaterialBatch batch)
    {
        // What a block will cost is best foretold by the same evaluation of the last step: the first one of a step follows the load, the
        // later ones only correct it.
        if (batch.Time != _time || batch.Blocks != _costs.Length) (_time, _evaluation) = (batch.Time, 0);
        var forecast = _evaluation < _history.Count && _history[_evaluation].Length == batch.Blocks ? _history[_evaluation] : _costs;
        if (forecast.Length != batch.Blocks) Array.Fill(forecast = new double[batch.Blocks], 1e-3);
        _costs = new double[batch.Blocks];
        if (_evaluation == _history.Count) _history.Add(_costs);
        else _history[_evaluation] = _costs;
        _evaluation++;
        if (_comm.Size == 1)
        {
            bool good = _inner.Evaluate(batch);
            _inner.BlockSeconds.CopyTo(_costs);
            return good;
        }

        var (all, offsets) = _comm.AllGather<double>(forecast);
        var loans = Plan(all, offsets);
        Lent = loans.Count;
        int me = _comm.Rank, n = Space.Components(), w = Lane.Width, s = StateSize;
        var given = loans.Where(l => l.From == me).OrderBy(l => l.To).ThenBy(l => l.Block).ToArray();
        var taken = loans.Where(l => l.To == me).OrderBy(l => l.From).ThenBy(l => l.Block).ToArray();
        int[] neighbors = [.. given.Select(l => l.To).Concat(taken.Select(l => l.From)).Distinct().Order()];

        int guess = _inner.Model.HistoryOffset; // the part of the new state that the iteration starts from
        int there = (n + s + guess + 1) * w, back = (n + n * n + s + 2) * w;
        int[] Offsets(Loan[] part, Func<Loan, int> other, int size) =>
            [.. neighbors.Select(r => part.Count(l => other(l) < r) * size), part.Length * size];
        var outgoing = Grown(ref _outgoing, given.Length * there);
        for (int k = 0; k < given.Length; k++)
        {
            var at = outgoing.Slice(k * there, there);
            int b = given[k].Block;
            batch.Strain.Slice(b * n * w, n * w).CopyTo(at);
            batch.OldState.Slice(b * s * w, s * w).CopyTo(at[(n * w)..]);
            batch.NewState.Slice(b * s * w, guess * w).CopyTo(at[((n + s) * w)..]);
            // A rank without blocks of its own cannot tell from its empty spans whether tangents are wanted.
            at[(n + s + guess) * w] = (batch.Active.IsEmpty ? 0xff : batch.Active[b]) + (batch.Tangent.IsEmpty ? 0 : WantsTangent);
        }
        var incoming = Grown(ref _incoming, taken.Length * there);
        _comm.Exchange<double>(neighbors, outgoing, Offsets(given, l => l.To, there), incoming, Offsets(taken, l => l.From, there));

        // Own blocks that stay are the first ones: loans are taken from the end.
        int kept = batch.Blocks - given.Length;
        bool ok = _inner.Evaluate(new MaterialBatch
        {
            Blocks = kept,
            Active = batch.Active.IsEmpty ? [] : batch.Active[..kept],
            Strain = batch.Strain[..(kept * n * w)], OldState = batch.OldState[..(kept * s * w)],
            NewState = batch.NewState[..(kept * s * w)], Stress = batch.Stress[..(kept * n * w)],
            Tangent = batch.Tangent.IsEmpty ? [] : batch.Tangent[..(kept * n * n * w)],
            Time = batch.Time, TimeStep = batch.TimeStep, Failed = batch.Failed.IsEmpty ? [] : batch.Failed[..kept],
        });
        _inner.BlockSeconds.CopyTo(_costs);
        _seconds = Sum(_inner.BlockSeconds);

        var answers = Grown(ref _answers, taken.Length * back);
        EvaluateTaken(batch, incoming, answers, taken.Length, there, back);
        var returned = Grown(ref _returned, given.Length * back);
        _comm.Exchange<double>(neighbors, answers, Offsets(taken, l => l.From, back), returned, Offsets(given, l => l.To, back));
        for (int k = 0; k < given.Length; k++)
        {
            var at = returned.Slice(k * back, back);
            int b = given[k].Block;
            at[..(n * w)].CopyTo(batch.Stress[(b * n * w)..]);
            if (!batch.Tangent.IsEmpty) at.Slice(n * w, n * n * w).CopyTo(batch.Tangent[(b * n * n * w)..]);
            at.Slice((n + n * n) * w, s * w).CopyTo(batch.NewState[(b * s * w)..]);
            byte failed = (byte)at[(n + n * n + s) * w];
            if (!batch.Failed.IsEmpty) batch.Failed[b] = failed;
            ok &= failed == 0;
            _costs[b] = at[(n + n * n + s + 1) * w];
        }
        var (seconds, _) = _comm.AllGather<double>([_seconds]);
        Imbalance = seconds.Max() / Math.Max(seconds.Average(), double.Epsilon);
        return ok;
    }

    private void EvaluateTaken(in MaterialBatch batch, ReadOnlySpan<double> incoming, Span<double> answers, int count, int there, int back)
    {
        if (count == 0) return;
        int n = Space.Components(), w = Lane.Width, s = StateSize, guess = _inner.Model.HistoryOffset;
        var strain = Grown(ref _strain, count * n * w);
        var old = Grown(ref _old, count * s * w);
        var state = Grown(ref _state, count * s * w);
        var stress = Grown(ref _stress, count * n * w);
        var tangent = incoming[(n + s + guess) * w] < WantsTangent ? [] : Grown(ref _tangent, count * n * n * w);
        byte[] active = new byte[count], failed = new byte[count];
        for (int k = 0; k < count; k++)
        {
            var at = incoming.Slice(k * there, there);
            at[..(n * w)].CopyTo(strain[(k * n * w)..]);
            at.Slice(n * w, s * w).CopyTo(old[(k * s * w)..]);
            at.Slice((n + s) * w, guess * w).CopyTo(state[(k * s * w)..]);
            active[k] = (byte)((int)at[(n + s + guess) * w] % WantsTangent);
        }
        _inner.Evaluate(new MaterialBatch
        {
            Blocks = count, Active = active, Strain = strain, OldState = old, NewState = state, Stress = stress, Tangent = tangent,
            Time = batch.Time, TimeStep = batch.TimeStep, Failed = failed,
        });
        _seconds += Sum(_inner.BlockSeconds);
        for (int k = 0; k < count; k++)
        {
            var at = answers.Slice(k * back, back);
            stress.Slice(k * n * w, n * w).CopyTo(at);
            if (tangent.Length > 0) tangent.Slice(k * n * n * w, n * n * w).CopyTo(at[(n * w)..]);
            state.Slice(k * s * w, s * w).CopyTo(at[((n + n * n) * w)..]);
            at[(n + n * n + s) * w] = failed[k];
            at[(n + n * n + s + 1) * w] = _inner.BlockSeconds[k];
        }
    }

    /// <summary>The head of a buffer that is kept from call to call: fresh pages would cost as much as the copies.</summary>
    private static Span<double> Grown(ref double[] buffer, int length)
    {
        if (buffer.Length < length) buffer = new double[length + length / 4];
        return buffer.AsSpan(0, length);
    }

    private static double Sum(ReadOnlySpan<double> values)
    {
        double sum = 0;
        foreach (double v in values) sum += v;
        return sum;
    }

    /// <summary>
    /// Which blocks to lend to whom: from the most loaded rank to the least loaded one, last block first, as long as that lowers the larger of
    /// the two loads. The same on every rank, since all see the same costs.
    /// </summary>
    /// <param name="costs">Seconds of all blocks of all ranks.</param>
    /// <param name="offsets">First block of each rank.</param>
    internal static List<Loan> Plan(double[] costs, int[] offsets)
    {
        int ranks = offsets.Length - 1;
        var load = new double[ranks];
        var kept = new int[ranks];
        var received = new bool[ranks];
        for (int r = 0; r < ranks; r++)
        {
            kept[r] = offsets[r + 1] - offsets[r];
            for (int b = offsets[r]; b < offsets[r + 1]; b++) load[r] += costs[b];
        }
        var loans = new List<Loan>();
        while (true)
        {
            int most = -1, least = -1;
            for (int r = 0; r < ranks; r++)
            {
                if (kept[r] > 0 && !received[r] && (most < 0 || load[r] > load[most])) most = r;
                if (least < 0 || load[r] < load[least]) least = r;
            }
            if (most < 0 || most == least) break;
            double cost = costs[offsets[most] + kept[most] - 1];
            if (load[least] + cost >= load[most]) break;
            kept[most]--;
            load[most] -= cost;
            load[least] += cost;
            received[least] = true;
            loans.Add(new Loan(most, least, kept[most]));
        }
        return loans;
    }
}
