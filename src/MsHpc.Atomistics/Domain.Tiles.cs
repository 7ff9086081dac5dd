using MsHpc.Core;

namespace MsHpc.Atomistics;

/// <remarks>
/// <para>Threads share a rank's atoms as tiles: owned clusters are numbered along x, and a slab of them is one row of columns thick. A tile is what in a slab
/// lies together, either with or without neighbours among other ranks' atoms. A kernel that works on the atoms of one tile writes to atoms within reach of it, also in
/// the next slabs. Two tiles <i>meet</i> when they can write to the same atom; who of them comes first is fixed by geometry, not by threads, so that sums
/// are taken in one order always.</para>
/// <para>Tiles without such neighbours are run while positions of ghosts come from other ranks (a first half of them) and while the forces of ghosts go there (the
/// others); those with them in between.</para>
/// <para>In each of these three parts tiles form chains of neighbours. Within a chain they run upwards, and of two that meet in different chains the one of the higher chain
/// runs first. A thread takes a chain at a time, the highest first, and waits at its upper end for the start of the next chain, which another
/// thread has long done. One thread alone takes the chains one after the other, from slab to slab as the caches like it.</para>
/// <para>There are at most 16 chains, each longer than the reach of a tile: small or narrow domains keep few threads busy. Ranks come first.</para>
/// </remarks>
public sealed unsafe partial class Domain
{
    private const int MostChains = 16, BlockClusters = 128;

    /// <summary>Clusters of one slab that are a tile.</summary>
    private record struct Section(int First, int End, int Slab);

    /// <summary>Tiles from … to − 1 in <see cref="_sections"/>, and how many chains they make.</summary>
    private record struct Part(int From, int To, int Chains);

    private readonly AlignedArray<byte> _boundary = new(); // 1: owned clusters with neighbours among ghosts of other ranks' atoms
    private int[] _slabStart = [0], _tileDone = [];
    private int _slabs, _slabSpan, _tileRound, _blockClusters;
    private Section[] _tiles = [], _wholes = [], _sections = [];
    private Part _part, _early, _middle, _late;
    private Action<Tile> _tileBody = static _ => { };
    private Action<int, int> _blockBody = static (_, _) => { };
    private Action<int, int>? _runChain, _runBlock;

    /// <summary>Number of tiles.</summary>
    public int Tiles { get; private set; }

    /// <summary>Number of slabs.</summary>
    public int Slabs => _slabs;

    /// <summary>Chains of slabs: threads that can be busy at once.</summary>
    internal int Chains => MakePart(_wholes, 0, _slabs).Chains;

    /// <summary>A tile of owned clusters, and who works on it.</summary>
    /// <param name="First">First cluster.</param>
    /// <param name="End">One after the last cluster.</param>
    /// <param name="Index">Number of the tile.</param>
    /// <param name="Worker">Number of the thread: for scratch only, results must not depend on it.</param>
    public readonly record struct Tile(int First, int End, int Index, int Worker);

    /// <summary>Whether the next <see cref="RunTiles"/> completes the forces on ghosts, so that they may go to their owners before it ends.</summary>
    internal bool FoldsEarly { get; set; }

    /// <summary>
    /// Runs the body on all tiles, some at once. It may add to all atoms within cutoff + skin of its own, ghosts included; sums over tiles
    /// (energies) it must leave in a place per tile, to be added up in order afterwards. Keep the delegate: making one allocates. Collective.
    /// </summary>
    public void RunTiles(Action<Tile> body)
    {
        (_tileBody, _sections) = (body, _tiles);
        Run(_early);
        EndGhosts();
        Run(_middle);
        if (FoldsEarly) BeginFoldForces();
        Run(_late);
    }

    /// <summary>The same with whole slabs for tiles, for kernels that keep something for each and do not overlap with messages: slabs stay while tiles
    /// come and go with atoms near other ranks.</summary>
    public void RunSlabs(Action<Tile> body)
    {
        (_tileBody, _sections) = (body, _wholes);
        Run(MakePart(_wholes, 0, _slabs));
    }

    private void Run(Part part)
    {
        if (part.To == part.From) return;
        _part = part;
        _tileRound++;
        Team.Run(part.Chains, _runChain ??= RunChain);
    }

    /// <summary>
    /// Runs body(first cluster, end cluster) on blocks of clusters 0 … <paramref name="clusters"/> − 1, some at once, in any order. It may write to
    /// their atoms only. Blocks begin at even clusters.
    /// </summary>
    public void RunBlocks(int clusters, Action<int, int> body)
    {
        (_blockBody, _blockClusters) = (body, clusters);
        Team.Run((clusters + BlockClusters - 1) / BlockClusters, _runBlock ??= RunBlock);
    }

    private void RunBlock(int task, int worker) => _blockBody(task * BlockClusters, Math.Min((task + 1) * BlockClusters, _blockClusters));

    private void RunChain(int task, int worker)
    {
        var (from, to, chains) = _part;
        int chain = chains - 1 - task, t = from + (int)((long)(to - from) * chain / chains), end = from + (int)((long)(to - from) * (chain + 1) / chains);
        try
        {
            for (; t < end; t++)
            {
                for (int u = end; u < to && _sections[u].Slab <= _sections[t].Slab + _slabSpan; u++)
                {
                    // With more threads than cores the one that is waited for may need this core.
                    SpinWait wait = default;
                    while (Volatile.Read(ref _tileDone[u]) != _tileRound) wait.SpinOnce(sleep1Threshold: -1);
                }
                _tileBody(new Tile(_sections[t].First, _sections[t].End, t, worker));
                Volatile.Write(ref _tileDone[t], _tileRound);
            }
        }
        finally
        {
            // After an exception: nobody shall wait for ever, for this tile or one that will not come.
            for (; t < end; t++) Volatile.Write(ref _tileDone[t], _tileRound);
        }
    }

    /// <summary>Slabs of owned clusters, and how many further ones a tile can meet.</summary>
    private void MakeSlabs()
    {
        int n = _slabs = _owned.CountX, stride = _boxStride;
        double* low = _boxes.Pointer, high = low + 3 * stride;
        if (_slabStart.Length < n + 1) (_slabStart, _wholes) = (new int[n + n / 8 + 1], new Section[n + n / 8]);
        for (int i = 0; i <= n; i++) _slabStart[i] = _owned.First[i * _owned.CountY];
        for (int i = 0; i < n; i++) _wholes[i] = new Section(_slabStart[i], _slabStart[i + 1], i);
        double widest = 0, left = double.PositiveInfinity, right = double.NegativeInfinity;
        for (int c = 0; c < Clusters; c++) widest = Math.Max(widest, high[c] - low[c]);
        for (int c = 0; c < OwnedClusters; c++) (left, right) = (Math.Min(left, low[c]), Math.Max(right, high[c]));
        // Both reach this far, and a cluster between them is this wide. Slabs are equally thick and an atom lies in its slab.
        double meet = 2 * (Reach + Skin) + widest, thickness = Math.Max((right - left) / n, 1e-9);
        _slabSpan = (int)Math.Min(n, Math.Ceiling(meet / thickness) + 1);
        _boundary.Require(OwnedClusters);
        _boundary.Span(OwnedClusters).Clear();
    }

    /// <summary>Tiles from the marks that building lists left on clusters.</summary>
    private void MakeTiles()
    {
        int boundaries = CountTiles(1), insides = CountTiles(0), half = insides / 2;
        if (boundaries == 0) half = insides;
        // Twice as many as now: their number changes more than that of atoms.
        if (_tiles.Length < insides + boundaries) _tiles = new Section[2 * (insides + boundaries)];
        if (_tileDone.Length < Math.Max(_tiles.Length, _wholes.Length)) _tileDone = new int[Math.Max(_tiles.Length, _wholes.Length)];
        int early = 0, middle = half, late = half + boundaries, inside = 0;
        for (int slab = 0; slab < _slabs; slab++)
            for (int c = _slabStart[slab], end; c < _slabStart[slab + 1]; c = end)
            {
                for (end = c + 1; end < _slabStart[slab + 1] && _boundary.Pointer[end] == _boundary.Pointer[c]; end++) { }
                int t = _boundary.Pointer[c] != 0 ? middle++ : inside++ < half ? early++ : late++;
                _tiles[t] = new Section(c, end, slab);
            }
        Tiles = insides + boundaries;
        (_early, _middle, _late) = (MakePart(_tiles, 0, half), MakePart(_tiles, half, half + boundaries), MakePart(_tiles, half + boundaries, Tiles));
    }

    private int CountTiles(byte boundary)
    {
        int count = 0;
        for (int slab = 0; slab < _slabs; slab++)
            for (int c = _slabStart[slab]; c < _slabStart[slab + 1]; c++)
                if (_boundary.Pointer[c] == boundary && (c == _slabStart[slab] || _boundary.Pointer[c - 1] != boundary)) count++;
        return count;
    }

    private Part MakePart(Section[] sections, int from, int to)
    {
        if (from == to) return default;
        int slabs = sections[to - 1].Slab - sections[from].Slab + 1, chains = Math.Clamp(slabs / (_slabSpan + 1), 1, MostChains);
        if (chains > 1) chains &= ~1;
        return new Part(from, to, chains);
    }
}
