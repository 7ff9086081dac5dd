using System.Diagnostics;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Fe2;

/// <summary>
/// Shares the points of a costly law over ranks by measured cost, in blocks of four. What a rank is foretold to be late with is lent to a
/// rank that would be early, wherever that one runs; and the last blocks of each rank lie in memory that the ranks of its machine share, so
/// that who is ready first takes them. State stays with its owner, so that rollback, checkpoints and restarts need not know. Results do not
/// depend on who solves a block.
/// </summary>
/// <remarks>Every evaluation is collective: each rank calls it once per assembly, also with no blocks.</remarks>
public sealed unsafe class SharedMaterial : IMaterial, IDisposable
{
    private const int WantsTangent = 256;
    private const long PoolBytes = 32 << 20; // per rank; but room for some blocks in any case

    private readonly RveMaterial _inner;
    private readonly Comm _comm;
    private readonly int _n, _w = Lane4.Width, _s, _guess;
    private readonly List<double[]> _history = []; // seconds per block, by evaluation within a step
    private double[] _costs = [];
    private double[] _outgoing = [], _incoming = [], _answers = [], _returned = [];
    private double _time = double.NaN;
    private int _evaluation;

    private BlockPool? _pool;
    private int[] _poolSlots = []; // of each rank
    private bool _noPool;

    // One evaluation, as the threads see it.
    private RveBlocks _own;
    private double* _lentIn, _lentOut;
    private int _taken, _kept, _pooled, _next;
    private bool[] _poolSolvedHere = [];
    private readonly double[] _spent; // seconds of each thread on blocks
    private readonly byte[] _bad;
    private readonly int[] _foreign;

    /// <param name="inner">The law; the same on every rank.</param>
    /// <param name="comm">Ranks that share the work.</param>
    public SharedMaterial(RveMaterial inner, Comm comm)
    {
        (_inner, _comm) = (inner, comm);
        (_n, _s) = (inner.Space.Components(), inner.StateSize);
        _guess = inner.Model.HistoryOffset; // the part of the new state that the iteration starts from
        int threads = inner.Team.Count;
        (_spent, _bad, _foreign) = (new double[threads], new byte[threads], new int[threads]);
    }

    /// <summary>The law that is shared.</summary>
    public RveMaterial Inner => _inner;

    /// <summary>Largest over mean of the seconds that ranks spent on blocks in the last evaluation: measured, not planned.</summary>
    public double Imbalance { get; private set; } = 1;

    /// <summary>Blocks of all ranks that another rank than their owner solved in the last evaluation.</summary>
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
        int n = _n;
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
            for (int c = 0; c < n; c++) FailedStrain[c] = batch.Strain[(b * n + c) * Lane4.Width + lane];
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
        fixed (double* strain = batch.Strain, old = batch.OldState, state = batch.NewState, stress = batch.Stress, tangent = batch.Tangent)
        fixed (byte* active = batch.Active, failed = batch.Failed)
        {
            _own = new RveBlocks(strain, old, state, stress, tangent, active, failed, batch.Time, batch.TimeStep);
            (_taken, _kept, _pooled) = (0, batch.Blocks, 0);
            if (_comm.Size == 1) return SolveAll();
            return Share(forecast);
        }
    }

    private bool Share(double[] forecast)
    {
        var (all, offsets) = _comm.AllGather<double>(forecast);
        var loans = Plan(all, offsets);
        int me = _comm.Rank;
        var given = loans.Where(l => l.From == me).OrderBy(l => l.To).ThenBy(l => l.Block).ToArray();
        var taken = loans.Where(l => l.To == me).OrderBy(l => l.From).ThenBy(l => l.Block).ToArray();
        int[] neighbors = [.. given.Select(l => l.To).Concat(taken.Select(l => l.From)).Distinct().Order()];
        int[] Offsets(Loan[] part, Func<Loan, int> other, int size) =>
            [.. neighbors.Select(r => part.Count(l => other(l) < r) * size), part.Length * size];

        var outgoing = Grown(ref _outgoing, given.Length * There);
        fixed (double* at = outgoing)
            for (int k = 0; k < given.Length; k++) Pack(given[k].Block, at + k * There);
        var incoming = Grown(ref _incoming, taken.Length * There);
        _comm.Exchange<double>(neighbors, outgoing, Offsets(given, l => l.To, There), incoming, Offsets(taken, l => l.From, There));
        (_taken, _kept) = (taken.Length, _kept - given.Length); // own blocks that stay are the first ones: loans are taken from the end

        PrepareSlots(offsets);
        if (_pool is not null)
        {
            _pooled = Math.Min(_poolSlots[me], _kept);
            for (int k = 0; k < _pooled; k++) Pack(_kept - _pooled + k, (double*)_pool.Own(k) + _w);
            if (_poolSolvedHere.Length < _pooled) _poolSolvedHere = new bool[_pooled];
            _poolSolvedHere.AsSpan().Clear();
            _pool.Open(_pooled);
        }
        var answers = Grown(ref _answers, taken.Length * Back);
        bool ok;
        fixed (double* lentIn = incoming, lentOut = answers)
        {
            _lentIn = lentIn;
            _lentOut = lentOut;
            ok = SolveAll();
        }
        for (int k = 0; k < _pooled; k++)
        {
            if (_poolSolvedHere[k]) continue;
            byte* slot = _pool!.Own(k);
            _pool.Await(slot);
            ok &= Unpack(_kept - _pooled + k, (double*)slot + _w + There);
        }
        var returned = Grown(ref _returned, given.Length * Back);
        _comm.Exchange<double>(neighbors, answers, Offsets(taken, l => l.From, Back), returned, Offsets(given, l => l.To, Back));
        fixed (double* at = returned)
            for (int k = 0; k < given.Length; k++) ok &= Unpack(given[k].Block, at + k * Back);

        var (report, _) = _comm.AllGather<(double Seconds, int Foreign)>([(_spent.Sum(), _foreign.Sum())]);
        Imbalance = report.Max(r => r.Seconds) / Math.Max(report.Average(r => r.Seconds), double.Epsilon);
        Lent = report.Sum(r => r.Foreign);
        return ok;
    }

    // A block on its way: strain, old state, first guess, a vector with the active lanes and whether the tangent is wanted (a rank without
    // blocks of its own cannot tell from its empty spans). And back: stress, tangent, state, a vector of failed lanes and one of seconds.
    private int There => (_n + _s + _guess + 1) * _w;

    private int Back => (_n + _n * _n + _s + 2) * _w;

    private void Pack(int block, double* at)
    {
        Copy(_own.Strain + (long)block * _n * _w, at, _n * _w);
        Copy(_own.Old + (long)block * _s * _w, at + _n * _w, _s * _w);
        Copy(_own.State + (long)block * _s * _w, at + (_n + _s) * _w, _guess * _w);
        at[(_n + _s + _guess) * _w] = (_own.Active is null ? Lane4.All : _own.Active[block]) + (_own.Tangent is null ? 0 : WantsTangent);
    }

    /// <summary>Solves a block of another rank.</summary>
    private void SolvePacked(double* at, double* answer, int worker)
    {
        double* state = answer + (_n + _n * _n) * _w;
        Copy(at + (_n + _s) * _w, state, _guess * _w);
        int flags = (int)at[(_n + _s + _guess) * _w];
        byte active = (byte)(flags % WantsTangent), failed = 0;
        double* tangent = flags >= WantsTangent ? answer + _n * _w : null;
        long started = Stopwatch.GetTimestamp();
        _inner.Solve(new RveBlocks(at, at + _n * _w, state, answer, tangent, &active, &failed, _own.Time, _own.Step), 0, worker);
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        state[_s * _w] = failed;
        state[(_s + 1) * _w] = seconds;
        _spent[worker] += seconds;
        _foreign[worker]++;
    }

    private bool Unpack(int block, double* answer)
    {
        Copy(answer, _own.Stress + (long)block * _n * _w, _n * _w);
        if (_own.Tangent is not null) Copy(answer + _n * _w, _own.Tangent + (long)block * _n * _n * _w, _n * _n * _w);
        double* state = answer + (_n + _n * _n) * _w;
        Copy(state, _own.State + (long)block * _s * _w, _s * _w);
        byte failed = (byte)state[_s * _w];
        if (_own.Failed is not null) _own.Failed[block] = failed;
        _costs[block] = state[(_s + 1) * _w];
        return failed == 0;
    }

    private static void Copy(double* from, double* to, int count) => new ReadOnlySpan<double>(from, count).CopyTo(new Span<double>(to, count));

    /// <summary>Own blocks, those of loans, and what the pool has for this rank.</summary>
    private bool SolveAll()
    {
        _spent.AsSpan().Clear();
        _bad.AsSpan().Clear();
        _foreign.AsSpan().Clear();
        _next = 0;
        _inner.Team.Run(_inner.Team.Count, (_, worker) => Drain(worker));
        return _bad.All(b => b == 0);
    }

    private void Drain(int worker)
    {
        int lonely = _kept - _pooled, k;
        while ((k = Interlocked.Increment(ref _next) - 1) < _taken + lonely)
            if (k < _taken) SolvePacked(_lentIn + (long)k * There, _lentOut + (long)k * Back, worker);
            else SolveOwn(k - _taken, worker);
        if (_pool is null || _comm.Size == 1) return;
        while ((k = _pool.TakeOwn()) >= 0)
        {
            _poolSolvedHere[k] = true;
            SolveOwn(lonely + k, worker);
        }
        for (byte* slot = _pool.TakeOther(); slot is not null; slot = _pool.TakeOther())
        {
            SolvePacked((double*)slot + _w, (double*)slot + _w + There, worker);
            _pool.Answer(slot);
        }
    }

    private void SolveOwn(int block, int worker)
    {
        long started = Stopwatch.GetTimestamp();
        _bad[worker] |= _inner.Solve(_own, block, worker);
        _costs[block] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        _spent[worker] += _costs[block];
    }

    /// <summary>Makes the pool, anew when a rank has more blocks than before. All ranks see the same numbers of blocks.</summary>
    private void PrepareSlots(int[] offsets)
    {
        if (_noPool) return;
        long bytes = (_w + There + (long)Back) * sizeof(double); // the first vector is the pool's
        // A quarter of the blocks is far more than forecasts err; it costs a copy of each.
        int Slots(int blocks) => (int)Math.Min((blocks + 3) / 4, Math.Max(4, PoolBytes / bytes));
        int[] slots = [.. Enumerable.Range(0, _comm.Size).Select(r => Slots(offsets[r + 1] - offsets[r]))];
        if (_pool is not null && !slots.Zip(_poolSlots).Any(p => p.First > p.Second)) return;
        _pool?.Dispose();
        _pool = BlockPool.Create(_comm, slots[_comm.Rank], bytes);
        (_poolSlots, _noPool) = (slots, _pool is null);
    }

    /// <inheritdoc/>
    public void Dispose() => _pool?.Dispose();

    /// <summary>The head of a buffer that is kept from call to call: fresh pages would cost as much as the copies.</summary>
    private static Span<double> Grown(ref double[] buffer, int length)
    {
        if (buffer.Length < length) buffer = new double[length + length / 4];
        return buffer.AsSpan(0, length);
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
