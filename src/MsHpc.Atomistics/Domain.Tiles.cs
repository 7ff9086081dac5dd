namespace MsHpc.Atomistics;

/// <remarks>
/// <para>Threads share a rank's atoms as tiles: owned clusters are numbered along x, and a tile is a slab of them, one row of columns thick.
/// A kernel that works on the atoms of one tile writes to atoms within reach of it, also in the next tiles. Two tiles <i>meet</i> when they can
/// write to the same atom; who of them comes first is fixed by geometry, not by threads, so that sums are taken in one order always.</para>
/// <para>Tiles form chains of neighbours. Within a chain they run upwards, and of two that meet in different chains the one of the higher chain
/// runs first. A thread takes a chain at a time, the highest first, and waits at its upper end for the start of the next chain, which another
/// thread has long done. One thread alone takes the chains one after the other, from slab to slab as the caches like it.</para>
/// <para>There are at most 16 chains, each longer than the reach of a tile: small or narrow domains keep few threads busy. Ranks come first.</para>
/// </remarks>
public sealed unsafe partial class Domain
{
    private const int MostChains = 16;

    private int[] _tileStart = [0], _tileDone = [];
    private int _tileSpan, _chains = 1, _tileRound;
    private Action<int, int, int> _tileBody = static (_, _, _) => { };
    private Action<int, int>? _runChain;

    /// <summary>Number of tiles.</summary>
    public int Tiles { get; private set; }

    /// <summary>
    /// Runs body(first cluster, end cluster, tile) on all tiles of owned clusters, some at once. The body may add to all atoms within cutoff + skin
    /// of its own, ghosts included; sums over tiles (energies) it must leave in a place per tile, to be added up in order afterwards. Keep the
    /// delegate: making one allocates.
    /// </summary>
    public void RunTiles(Action<int, int, int> body)
    {
        _tileBody = body;
        _tileRound++;
        Team.Run(_chains, _runChain ??= RunChain);
    }

    private void RunChain(int task, int worker)
    {
        int chain = _chains - 1 - task, first = (int)((long)Tiles * chain / _chains), end = (int)((long)Tiles * (chain + 1) / _chains);
        int t = first;
        try
        {
            for (; t < end; t++)
            {
                for (int u = end; u <= t + _tileSpan && u < Tiles; u++)
                    while (Volatile.Read(ref _tileDone[u]) != _tileRound) Thread.SpinWait(10);
                _tileBody(_tileStart[t], _tileStart[t + 1], t);
                Volatile.Write(ref _tileDone[t], _tileRound);
            }
        }
        finally
        {
            // After an exception: nobody shall wait for ever, for this tile or one that will not come.
            for (; t < end; t++) Volatile.Write(ref _tileDone[t], _tileRound);
        }
    }

    private void MakeTiles()
    {
        int n = _owned.CountX, stride = _boxStride;
        double* low = _boxes.Pointer, high = low + 3 * stride;
        if (_tileStart.Length != n + 1) (_tileStart, _tileDone) = (new int[n + 1], new int[n]);
        for (int i = 0; i <= n; i++) _tileStart[i] = _owned.First[i * _owned.CountY];
        Tiles = n;
        double widest = 0, left = double.PositiveInfinity, right = double.NegativeInfinity;
        for (int c = 0; c < Clusters; c++) widest = Math.Max(widest, high[c] - low[c]);
        for (int c = 0; c < OwnedClusters; c++) (left, right) = (Math.Min(left, low[c]), Math.Max(right, high[c]));
        // Both reach this far, and a cluster between them is this wide. Slabs are equally thick and an atom lies in its slab.
        double meet = 2 * (Reach + Skin) + widest, thickness = Math.Max((right - left) / n, 1e-9);
        _tileSpan = (int)Math.Min(n, Math.Ceiling(meet / thickness) + 1);
        _chains = Math.Clamp(n / (_tileSpan + 1), 1, MostChains);
        if (_chains > 1) _chains &= ~1;
    }
}
