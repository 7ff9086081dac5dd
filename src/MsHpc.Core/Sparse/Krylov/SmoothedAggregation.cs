using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Core.Parallel;

namespace MsHpc.Core.Sparse;

/// <summary>Settings of <see cref="SmoothedAggregation"/>.</summary>
/// <param name="StrengthThreshold">θ: nodes i, j are coupled where ‖A_ij‖ &gt; θ √(‖A_ii‖ ‖A_jj‖) (Frobenius norms); halved on each level.</param>
/// <param name="SmootherDegree">Degree of the Chebyshev smoother, before and after the coarse correction.</param>
/// <param name="SmootherRange">The smoother damps eigenvalues of D⁻¹A in [λmax / SmootherRange, λmax].</param>
/// <param name="CoarseSize">Levels of at most this many unknowns are solved by dense Cholesky.</param>
/// <param name="MaxLevels">Limit on the number of levels.</param>
public readonly record struct SmoothedAggregationOptions(double StrengthThreshold = 0.02, int SmootherDegree = 2,
    double SmootherRange = 10, int CoarseSize = 500, int MaxLevels = 12)
{
    /// <summary>The defaults.</summary>
    public SmoothedAggregationOptions() : this(0.02) { }
}

/// <summary>
/// Algebraic multigrid by smoothed aggregation (Vaněk, Mandel, Brezina, Computing 56, 179 (1996)) for symmetric positive definite
/// matrices; one V-cycle is one application.
/// </summary>
/// <remarks>
/// Nodes are grouped into aggregates of strongly coupled neighbours. On each aggregate the near-nullspace B (rigid-body modes) is
/// factored, B = Q R; Q is the tentative prolongator, R the coarse level's near-nullspace. One Jacobi step smooths it,
/// P = (I − ω D⁻¹ A) Q with ω = 4 / (3 λmax(D⁻¹A)), D the block diagonal; the coarse matrix is Pᵀ A P. λmax comes from Lanczos steps:
/// power iteration underestimates it. The smoother is Chebyshev in D⁻¹A, hence symmetric and the same for any number of threads.
/// <see cref="Update"/> keeps aggregates, Q and all patterns and redoes the numbers.
/// </remarks>
public sealed unsafe class SmoothedAggregation : IPreconditioner
{
    private readonly SmoothedAggregationOptions _options;
    private readonly BlockCsrMatrix _fine;
    private readonly List<Level> _levels = [];
    private readonly ThreadTeam _team;
    private readonly int _modes;
    private double[] _cholesky = [];
    private int _coarseSize;

    /// <param name="fine">The matrix, with its values.</param>
    /// <param name="nullspace">Near-nullspace over the same numbering.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    /// <param name="team">Threads for the cycle; null runs on the caller's thread. The result does not depend on it.</param>
    /// <exception cref="NumericalException">A diagonal block of the matrix is not positive definite.</exception>
    /// <exception cref="ArgumentException">Settings out of range, or a near-nullspace of another numbering.</exception>
    public SmoothedAggregation(BlockCsrMatrix fine, NearNullspace nullspace, SmoothedAggregationOptions? options = null, ThreadTeam? team = null)
    {
        if (nullspace.Values.Length != fine.Raw.Size * nullspace.Modes)
            throw new ArgumentException($"near-nullspace of {nullspace.Values.Length / nullspace.Modes} slots for {fine.Raw.Size}", nameof(nullspace));
        _fine = fine;
        _options = options ?? new SmoothedAggregationOptions();
        if (_options.SmootherDegree < 1 || !(_options.SmootherRange > 1) || _options.MaxLevels < 1 || !(_options.StrengthThreshold >= 0))
            throw new ArgumentException($"multigrid: {_options} needs a degree and level limit of at least 1, a range above 1, a threshold of at least 0");
        _team = team ?? ThreadTeam.Single;
        _modes = nullspace.Modes;
        var level = new Level(fine.Raw);
        _levels.Add(level);
        double[] b = nullspace.Values;
        while (true)
        {
            Smooth(level);
            if (level.A.Size <= _options.CoarseSize || _levels.Count >= _options.MaxLevels) break;
            int coarse = Aggregate(level, _options.StrengthThreshold * Math.Pow(0.5, _levels.Count - 1));
            if (coarse == 0 || (long)coarse * _modes > 0.8 * level.A.Size)
            {
                level.Aggregates = 0;
                break;
            }
            b = Tentative(level, b, coarse);
            ProlongatorPattern(level);
            Prolongator(level);
            var next = new Level(CoarsePattern(level));
            Galerkin(level, next.A);
            _levels.Add(next);
            level = next;
        }
        FactorCoarse();
    }

    /// <summary>Unknowns on each level, finest first.</summary>
    public int[] LevelSizes => _levels.ConvertAll(l => l.A.Size).ToArray();

    /// <summary>Stored entries of all levels over those of the finest.</summary>
    public double OperatorComplexity
    {
        get
        {
            double sum = 0;
            foreach (var l in _levels) sum += (double)l.A.Count * l.A.Block * l.A.Block;
            return sum / Math.Max(1.0, (double)_levels[0].A.Count * _levels[0].A.Block * _levels[0].A.Block);
        }
    }

    /// <summary>λmax(D⁻¹A) of the finest level, from Lanczos.</summary>
    public double LargestEigenvalue => _levels[0].Lambda;

    /// <inheritdoc/>
    public string Description => $"smoothed aggregation ({_modes} modes; levels {string.Join(" > ", LevelSizes)}; "
        + $"operator complexity {OperatorComplexity:f2}; Chebyshev({_options.SmootherDegree}))";

    /// <summary>Takes over new values of the fine matrix; aggregates and patterns stay.</summary>
    /// <exception cref="NumericalException">A diagonal block of the matrix is not positive definite.</exception>
    public void Update()
    {
        for (int l = 0; l < _levels.Count; l++)
        {
            Smooth(_levels[l]);
            if (l + 1 == _levels.Count) break;
            Prolongator(_levels[l]);
            Array.Clear(_levels[l + 1].A.Values);
            Galerkin(_levels[l], _levels[l + 1].A);
        }
        FactorCoarse();
    }

    /// <inheritdoc/>
    public void Apply(ReadOnlySpan<double> r, Span<double> z)
    {
        var top = _levels[0];
        _fine.Numbering.Scatter(r, top.B);
        Cycle(0);
        _fine.Numbering.Gather(top.X, z);
    }

    private void Cycle(int l)
    {
        var level = _levels[l];
        if (l + 1 == _levels.Count)
        {
            if (_coarseSize > 0) SolveCoarse(level);
            else Chebyshev(level, 4 * _options.SmootherDegree, zeroGuess: true);
            return;
        }
        var coarse = _levels[l + 1];
        Chebyshev(level, _options.SmootherDegree, zeroGuess: true);
        level.A.Residual(level.B, level.X, level.R);
        Restrict(level, level.R, coarse.B);
        Cycle(l + 1);
        ProlongAdd(level, coarse.X, level.X);
        Chebyshev(level, _options.SmootherDegree, zeroGuess: false);
    }

    /// <summary>x ← x + p(D⁻¹A) D⁻¹ (b − A x) with the Chebyshev polynomial of [λ / range, 1.1 λ] (Saad, alg. 12.1).</summary>
    private void Chebyshev(Level level, int degree, bool zeroGuess)
    {
        double upper = 1.1 * level.Lambda, lower = level.Lambda / _options.SmootherRange;
        double theta = 0.5 * (upper + lower), delta = 0.5 * (upper - lower), sigma = theta / delta, rho = 1 / sigma;
        Span<double> x = level.X.AsSpan(0, level.A.Size), d = level.D.AsSpan(0, level.A.Size);
        if (zeroGuess)
        {
            BlockCsr.ApplyBlocks(level.A.Nodes, level.A.Block, level.Inverse, level.B, d, 1 / theta);
            d.CopyTo(x);
        }
        else
        {
            level.A.ChebyshevStep(level.B, x, d, level.Inverse, 0, 1 / theta);
            Vec.Axpy(1, d, x);
        }
        for (int k = 1; k < degree; k++)
        {
            double next = 1 / (2 * sigma - rho);
            level.A.ChebyshevStep(level.B, x, d, level.Inverse, next * rho, 2 * next / delta);
            Vec.Axpy(1, d, x);
            rho = next;
        }
    }

    /// <summary>D⁻¹ and λmax(D⁻¹A).</summary>
    private void Smooth(Level level)
    {
        int bad = level.A.InvertDiagonal(level.Inverse);
        if (bad >= 0)
            throw new NumericalException(ReferenceEquals(level, _levels[0])
                ? $"matrix is not positive definite: diagonal block at unknown {_fine.Numbering.Unknown[bad]}"
                : "matrix is not positive definite: a coarse diagonal block is not");
        level.Lambda = LargestRitzValue(level, 12);
    }

    /// <summary>Largest Ritz value of D⁻¹A after a few Lanczos steps in the inner product of D.</summary>
    private static double LargestRitzValue(Level level, int steps)
    {
        int n = level.A.Size;
        if (n == 0) return 1;
        steps = Math.Min(steps, n);
        Span<double> previous = level.R.AsSpan(0, n), current = level.B.AsSpan(0, n), y = level.D.AsSpan(0, n), v = level.X.AsSpan(0, n);
        Span<double> alpha = stackalloc double[steps], beta = stackalloc double[steps + 1];
        Vec.FillNoise(current);
        BlockCsr.ApplyBlocks(level.A.Nodes, level.A.Block, level.Inverse, current, y, 1);
        beta[0] = Math.Sqrt(Vec.Dot(current, y));
        int done = 0;
        while (done < steps)
        {
            double b = beta[done];
            if (!(b > 1e-200)) break;
            for (int i = 0; i < n; i++) v[i] = y[i] / b;
            level.A.Multiply(v, y);
            if (done > 0) Vec.Axpy(-b / beta[done - 1], previous, y);
            alpha[done] = Vec.Dot(v, y);
            Vec.Axpy(-alpha[done] / b, current, y);
            current.CopyTo(previous);
            y.CopyTo(current);
            BlockCsr.ApplyBlocks(level.A.Nodes, level.A.Block, level.Inverse, current, y, 1);
            done++;
            beta[done] = Math.Sqrt(Math.Max(0, Vec.Dot(current, y)));
            if (beta[done] < 1e-12 * beta[1]) break;
        }
        // Largest eigenvalue of the tridiagonal matrix by bisection on Sturm counts.
        double high = 0;
        for (int i = 0; i < done; i++) high = Math.Max(high, Math.Abs(alpha[i]) + (i > 0 ? beta[i] : 0) + (i + 1 < done ? beta[i + 1] : 0));
        double low = 0;
        for (int step = 0; step < 50; step++)
        {
            double middle = 0.5 * (low + high), pivot = 1;
            int above = 0;
            for (int i = 0; i < done; i++)
            {
                double off = i > 0 ? beta[i] * beta[i] : 0;
                pivot = alpha[i] - middle - (i > 0 ? off / pivot : 0);
                if (pivot == 0) pivot = 1e-300;
                if (pivot > 0) above++;
            }
            if (above > 0) low = middle;
            else high = middle;
        }
        double lambda = 0.5 * (low + high);
        return lambda > 0 && double.IsFinite(lambda) ? lambda : 1;
    }

    /// <summary>Groups nodes into aggregates (the three passes of Vaněk et al.); returns their number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Aggregate(Level level, double threshold)
    {
        var a = level.A;
        int n = a.Nodes, size = a.Block * a.Block;
        var norm = new float[a.Count];
        var diagonal = new double[n];
        for (int i = 0; i < n; i++)
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
            {
                double s = Vec.Dot(a.Values.AsSpan(k * size, size), a.Values.AsSpan(k * size, size));
                if (a.Columns[k] == i) diagonal[i] = Math.Sqrt(s);
                // Scaled below, once the diagonals are known.
                norm[k] = (float)Math.Sqrt(s);
            }
        float strong = (float)threshold;
        for (int i = 0; i < n; i++)
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
            {
                double scale = Math.Sqrt(diagonal[i] * diagonal[a.Columns[k]]);
                double ratio = a.Columns[k] == i || scale == 0 ? 0 : norm[k] / scale;
                norm[k] = ratio > strong ? (float)ratio : 0f;
            }

        const int Free = -1;
        int[] aggregate = level.Aggregate;
        Array.Fill(aggregate, Free);
        int count = 0;
        for (int i = 0; i < n; i++)
        {
            if (aggregate[i] != Free) continue;
            bool any = false, clear = true;
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1] && clear; k++)
            {
                if (norm[k] == 0) continue;
                any = true;
                clear = aggregate[a.Columns[k]] == Free;
            }
            if (!any || !clear) continue;
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++) if (norm[k] > 0) aggregate[a.Columns[k]] = count;
            aggregate[i] = count++;
        }
        // Second pass: stragglers join the aggregate of their strongest neighbour; marked as −2 − aggregate so that none joins through another.
        for (int i = 0; i < n; i++)
        {
            if (aggregate[i] != Free) continue;
            float best = 0;
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
                if (norm[k] > best && aggregate[a.Columns[k]] >= 0)
                {
                    best = norm[k];
                    aggregate[i] = -2 - aggregate[a.Columns[k]];
                }
        }
        for (int i = 0; i < n; i++) if (aggregate[i] < Free) aggregate[i] = -2 - aggregate[i];
        // Third pass: what is left and has neighbours groups with its free neighbours; isolated nodes stay with the smoother.
        for (int i = 0; i < n; i++)
        {
            if (aggregate[i] != Free) continue;
            bool any = false;
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
                if (norm[k] > 0)
                {
                    any = true;
                    if (aggregate[a.Columns[k]] == Free) aggregate[a.Columns[k]] = count;
                }
            if (any) aggregate[i] = count++;
        }
        level.Aggregates = count;
        return count;
    }

    /// <summary>Q of each aggregate's near-nullspace, into level.Tentative; returns R, the near-nullspace of the coarse level.</summary>
    private double[] Tentative(Level level, double[] b, int coarse)
    {
        int m = level.A.Block, modes = _modes, n = level.A.Nodes;
        level.Tentative = new double[(long)n * m * modes + BlockCsr.Pad];
        double[] q = level.Tentative;
        var memberStart = new int[coarse + 1];
        foreach (int g in level.Aggregate) if (g >= 0) memberStart[g + 1]++;
        for (int g = 0; g < coarse; g++) memberStart[g + 1] += memberStart[g];
        var members = new int[memberStart[coarse]];
        var fill = memberStart.AsSpan(0, coarse).ToArray();
        for (int i = 0; i < n; i++) if (level.Aggregate[i] >= 0) members[fill[level.Aggregate[i]]++] = i;

        var result = new double[(long)coarse * modes * modes];
        var work = new List<double>();
        for (int g = 0; g < coarse; g++)
        {
            int rows = (memberStart[g + 1] - memberStart[g]) * m;
            CollectionsMarshal.SetCount(work, rows * modes);
            var w = CollectionsMarshal.AsSpan(work);
            for (int k = memberStart[g], at = 0; k < memberStart[g + 1]; k++)
                for (int a = 0; a < m; a++, at++)
                    for (int c = 0; c < modes; c++)
                        w[c * rows + at] = b[((long)members[k] * m + a) * modes + c];
            var r = result.AsSpan(g * modes * modes, modes * modes);
            // Gram–Schmidt, twice: columns that depend on earlier ones (small or straight aggregates) become zero.
            for (int c = 0; c < modes; c++)
            {
                var column = w.Slice(c * rows, rows);
                double before = Vec.Norm(column);
                for (int pass = 0; pass < 2; pass++)
                    for (int e = 0; e < c; e++)
                    {
                        var other = w.Slice(e * rows, rows);
                        double s = Vec.Dot(other, column);
                        r[e * modes + c] += s;
                        Vec.Axpy(-s, other, column);
                    }
                double after = Vec.Norm(column);
                if (after > 1e-8 * before && after > 0)
                {
                    r[c * modes + c] = after;
                    Vec.Scale(1 / after, column);
                }
                else column.Clear();
            }
            for (int k = memberStart[g], at = 0; k < memberStart[g + 1]; k++)
                for (int a = 0; a < m; a++, at++)
                    for (int c = 0; c < modes; c++)
                        q[((long)members[k] * m + a) * modes + c] = w[c * rows + at];
        }
        return result;
    }

    /// <summary>Row i of P holds the aggregates of i and of its neighbours; also its transpose, by position.</summary>
    private static void ProlongatorPattern(Level level)
    {
        var a = level.A;
        int n = a.Nodes, coarse = level.Aggregates;
        var marker = new int[coarse];
        Array.Fill(marker, -1);
        var columns = new List<int>(6 * n);
        level.PStart = new int[n + 1];
        for (int i = 0; i < n; i++)
        {
            int begin = columns.Count;
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
            {
                int g = level.Aggregate[a.Columns[k]];
                if (g < 0 || marker[g] == i) continue;
                marker[g] = i;
                columns.Add(g);
            }
            CollectionsMarshal.AsSpan(columns)[begin..].Sort();
            level.PStart[i + 1] = columns.Count;
        }
        level.PColumns = columns.ToArray();
        int[] start = new int[coarse + 1], rows = new int[columns.Count], at = new int[columns.Count];
        foreach (int g in level.PColumns) start[g + 1]++;
        for (int g = 0; g < coarse; g++) start[g + 1] += start[g];
        var fill = start.AsSpan(0, coarse).ToArray();
        for (int i = 0; i < n; i++)
            for (int p = level.PStart[i]; p < level.PStart[i + 1]; p++)
            {
                int to = fill[level.PColumns[p]]++;
                (rows[to], at[to]) = (i, p);
            }
        (level.RStart, level.RRows, level.RAt) = (start, rows, at);
    }

    /// <summary>P = (I − ω D⁻¹ A) Q, blocks row by row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Prolongator(Level level)
    {
        var a = level.A;
        int m = a.Block, modes = _modes, widest = 0;
        for (int i = 0; i < a.Nodes; i++) widest = Math.Max(widest, level.PStart[i + 1] - level.PStart[i]);
        if (level.PValues.Length == 0) level.PValues = new double[(long)level.PColumns.Length * m * modes + BlockCsr.Pad];
        double omega = 4.0 / (3.0 * level.Lambda);
        var place = new int[level.Aggregates];
        var accumulators = new Lanes[widest * m];
        fixed (double* av = a.Values, q = level.Tentative, pv = level.PValues, inverse = level.Inverse)
        fixed (Lanes* acc = accumulators)
            for (int i = 0; i < a.Nodes; i++)
            {
                int begin = level.PStart[i], end = level.PStart[i + 1];
                for (int p = begin; p < end; p++) place[level.PColumns[p]] = p - begin;
                for (int s = 0; s < (end - begin) * m; s++) acc[s] = Lanes.Zero;
                for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
                {
                    int j = a.Columns[k], g = level.Aggregate[j];
                    if (g >= 0) AddProduct(m, av + (long)k * m * m, q + (long)j * m * modes, modes, acc + place[g] * m);
                }
                int own = level.Aggregate[i];
                for (int p = begin; p < end; p++)
                {
                    Lanes* t = acc + (p - begin) * m;
                    double* di = inverse + (long)i * m * m, qi = q + (long)i * m * modes, target = pv + (long)p * m * modes;
                    for (int r = 0; r < m; r++)
                    {
                        var sum = Lanes.Zero;
                        for (int c = 0; c < m; c++) sum = Lane.Fma(Lane.Of(di[c * m + r]), t[c], sum);
                        bool home = level.PColumns[p] == own;
                        for (int c = 0; c < modes; c++)
                            target[r * modes + c] = (home ? qi[r * modes + c] : 0.0) - omega * sum.GetElement(c);
                    }
                }
            }
    }

    /// <summary>acc (m rows of lanes) += A (m × m, column by column) · P (m × modes, row by row).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddProduct(int m, double* a, double* p, int modes, Lanes* acc)
    {
        if (m == 3)
        {
            Lanes p0 = Vector512.Load(p), p1 = Vector512.Load(p + modes), p2 = Vector512.Load(p + 2 * modes);
            acc[0] = Lane.Fma(Lane.Of(a[6]), p2, Lane.Fma(Lane.Of(a[3]), p1, Lane.Fma(Lane.Of(a[0]), p0, acc[0])));
            acc[1] = Lane.Fma(Lane.Of(a[7]), p2, Lane.Fma(Lane.Of(a[4]), p1, Lane.Fma(Lane.Of(a[1]), p0, acc[1])));
            acc[2] = Lane.Fma(Lane.Of(a[8]), p2, Lane.Fma(Lane.Of(a[5]), p1, Lane.Fma(Lane.Of(a[2]), p0, acc[2])));
            return;
        }
        for (int r = 0; r < m; r++)
        {
            var sum = acc[r];
            for (int c = 0; c < m; c++) sum = Lane.Fma(Lane.Of(a[c * m + r]), Vector512.Load(p + c * modes), sum);
            acc[r] = sum;
        }
    }

    /// <summary>Pattern of Pᵀ A P.</summary>
    private BlockCsr CoarsePattern(Level level)
    {
        var a = level.A;
        int coarse = level.Aggregates;
        var marker = new int[coarse];
        Array.Fill(marker, -1);
        var productStart = new int[a.Nodes + 1];
        var product = new List<int>(14 * a.Nodes);
        for (int i = 0; i < a.Nodes; i++)
        {
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
            {
                int j = a.Columns[k];
                for (int p = level.PStart[j]; p < level.PStart[j + 1]; p++)
                {
                    int g = level.PColumns[p];
                    if (marker[g] == i) continue;
                    marker[g] = i;
                    product.Add(g);
                }
            }
            productStart[i + 1] = product.Count;
        }
        Array.Fill(marker, -1);
        var entries = CollectionsMarshal.AsSpan(product);
        var start = new int[coarse + 1];
        var columns = new List<int>(30 * coarse);
        for (int g = 0; g < coarse; g++)
        {
            int begin = columns.Count;
            marker[g] = g;
            columns.Add(g);
            for (int k = level.RStart[g]; k < level.RStart[g + 1]; k++)
            {
                int i = level.RRows[k];
                for (int e = productStart[i]; e < productStart[i + 1]; e++)
                {
                    int h = entries[e];
                    if (marker[h] == g) continue;
                    marker[h] = g;
                    columns.Add(h);
                }
            }
            CollectionsMarshal.AsSpan(columns)[begin..].Sort();
            start[g + 1] = columns.Count;
        }
        return new BlockCsr(coarse, _modes, start, columns.ToArray(), _team);
    }

    /// <summary>Coarse values Pᵀ A P: row by row A_i P, then its outer product with row i of P; upper blocks only, mirrored at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Galerkin(Level level, BlockCsr coarse)
    {
        var a = level.A;
        int m = a.Block, modes = _modes;
        var slotOf = new int[coarse.Nodes];
        Array.Fill(slotOf, -1);
        var slots = new int[64];
        var accumulators = new Lanes[64 * m];
        Lanes* rows = stackalloc Lanes[Lane.Width];
        var mask = Lane.Mask((byte)((1 << modes) - 1));
        int[] pStart = level.PStart, pColumns = level.PColumns;
        fixed (double* av = a.Values, pv = level.PValues, cv = coarse.Values)
            for (int i = 0; i < a.Nodes; i++)
            {
                if (pStart[i] == pStart[i + 1]) continue;
                int used = 0;
                for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
                {
                    int j = a.Columns[k];
                    if (used + pStart[j + 1] - pStart[j] > slots.Length)
                    {
                        Array.Resize(ref slots, 2 * (used + pStart[j + 1] - pStart[j]));
                        Array.Resize(ref accumulators, slots.Length * m);
                    }
                    fixed (Lanes* acc = accumulators)
                        for (int p = pStart[j]; p < pStart[j + 1]; p++)
                        {
                            int g = pColumns[p], s = slotOf[g];
                            if (s < 0)
                            {
                                s = slotOf[g] = used++;
                                slots[s] = g;
                                for (int r = 0; r < m; r++) acc[s * m + r] = Lanes.Zero;
                            }
                            AddProduct(m, av + (long)k * m * m, pv + (long)p * m * modes, modes, acc + s * m);
                        }
                }
                fixed (Lanes* acc = accumulators)
                {
                    for (int s = 0; s < used * m; s++) acc[s] = Lane.Select(mask, acc[s], Lanes.Zero);
                    for (int p = pStart[i]; p < pStart[i + 1]; p++)
                    {
                        int g = pColumns[p];
                        double* pi = pv + (long)p * m * modes;
                        for (int s = 0; s < used; s++)
                        {
                            if (slots[s] < g) continue;
                            double* target = cv + (long)coarse.Find(g, slots[s]) * modes * modes;
                            Lanes* t = acc + s * m;
                            // All rows are read before any is written: a row's lanes reach into the next.
                            for (int c = 0; c < modes; c++)
                            {
                                var sum = Vector512.Load(target + c * modes);
                                for (int r = 0; r < m; r++) sum = Lane.Fma(Lane.Of(pi[r * modes + c]), t[r], sum);
                                rows[c] = sum;
                            }
                            for (int c = 0; c < modes; c++) rows[c].Store(target + c * modes);
                        }
                    }
                }
                for (int s = 0; s < used; s++) slotOf[slots[s]] = -1;
            }
        Mirror(coarse);
    }

    /// <summary>Upper blocks (row by row) → both triangles, column by column; empty coarse unknowns get a unit diagonal.</summary>
    private static void Mirror(BlockCsr a)
    {
        int m = a.Block;
        double[] v = a.Values;
        Span<double> block = stackalloc double[m * m];
        for (int i = 0; i < a.Nodes; i++)
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
            {
                int j = a.Columns[k];
                if (j < i) continue;
                var upper = v.AsSpan(k * m * m, m * m);
                upper.CopyTo(block);
                if (j > i)
                {
                    block.CopyTo(v.AsSpan(a.Find(j, i) * m * m, m * m));
                    for (int r = 0; r < m; r++) for (int c = 0; c < m; c++) upper[c * m + r] = block[r * m + c];
                    continue;
                }
                for (int r = 0; r < m; r++)
                {
                    for (int c = 0; c < m; c++) upper[c * m + r] = 0.5 * (block[r * m + c] + block[c * m + r]);
                    if (upper[r * m + r] == 0) upper[r * m + r] = 1;
                }
            }
    }

    /// <summary>coarse = Pᵀ fine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Restrict(Level level, double[] fine, double[] coarse)
    {
        int m = level.A.Block, modes = _modes;
        fixed (double* pv = level.PValues, f = fine, c = coarse)
            for (int g = 0; g < level.Aggregates; g++)
            {
                Lanes s0 = Lanes.Zero, s1 = Lanes.Zero;
                for (int k = level.RStart[g]; k < level.RStart[g + 1]; k++)
                {
                    double* p = pv + (long)level.RAt[k] * m * modes;
                    double* x = f + (long)level.RRows[k] * m;
                    int r = 0;
                    for (; r + 2 <= m; r += 2)
                    {
                        s0 = Lane.Fma(Vector512.Load(p + r * modes), Lane.Of(x[r]), s0);
                        s1 = Lane.Fma(Vector512.Load(p + (r + 1) * modes), Lane.Of(x[r + 1]), s1);
                    }
                    if (r < m) s0 = Lane.Fma(Vector512.Load(p + r * modes), Lane.Of(x[r]), s0);
                }
                // Rising order: what spills into the next node is overwritten by it, the last spill lands in the padding.
                (s0 + s1).Store(c + (long)g * modes);
            }
    }

    /// <summary>fine += P coarse.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ProlongAdd(Level level, double[] coarse, double[] fine)
    {
        int m = level.A.Block, modes = _modes;
        var mask = Lane.Mask((byte)((1 << modes) - 1));
        Lanes* acc = stackalloc Lanes[Lane.Width];
        fixed (double* pv = level.PValues, f = fine, c = coarse)
            for (int i = 0; i < level.A.Nodes; i++)
            {
                double* p = pv + (long)level.PStart[i] * m * modes;
                for (int r = 0; r < m; r++) acc[r] = Lanes.Zero;
                for (int k = level.PStart[i]; k < level.PStart[i + 1]; k++)
                {
                    var e = Vector512.Load(c + (long)level.PColumns[k] * modes);
                    for (int r = 0; r < m; r++, p += modes) acc[r] = Lane.Fma(Vector512.Load(p), e, acc[r]);
                }
                for (int r = 0; r < m; r++) f[(long)i * m + r] += Vector512.Sum(Lane.Select(mask, acc[r], Lanes.Zero));
            }
    }

    /// <summary>Dense Cholesky factor of the coarsest level, rows of L; sizes beyond 3000 are left to the smoother.</summary>
    private void FactorCoarse()
    {
        var a = _levels[^1].A;
        int n = a.Size, m = a.Block;
        _coarseSize = n <= 3000 ? n : 0;
        if (_coarseSize == 0) return;
        if (_cholesky.Length != n * n) _cholesky = new double[n * n];
        else Array.Clear(_cholesky);
        double[] l = _cholesky;
        for (int i = 0; i < a.Nodes; i++)
            for (int k = a.RowStart[i]; k < a.RowStart[i + 1]; k++)
                for (int r = 0; r < m; r++)
                    for (int c = 0; c < m; c++)
                        l[(i * m + r) * n + a.Columns[k] * m + c] = a.Values[(k * m + c) * m + r];
        for (int i = 0; i < n; i++)
        {
            var row = l.AsSpan(i * n, n);
            double original = row[i];
            for (int j = 0; j < i; j++)
            {
                var other = l.AsSpan(j * n, n);
                row[j] = (row[j] - Vec.Dot(row[..j], other)) / other[j];
            }
            double pivot = original - Vec.Dot(row[..i], row);
            // A vanishing pivot is a mode that the coarse level does not see; a negative one is for CG to judge.
            row[i] = pivot > 1e-13 * Math.Abs(original) ? Math.Sqrt(pivot) : 1e10 * Math.Sqrt(Math.Max(Math.Abs(original), 1e-300));
        }
    }

    private void SolveCoarse(Level level)
    {
        int n = _coarseSize;
        double[] l = _cholesky;
        Span<double> x = level.X.AsSpan(0, n);
        level.B.AsSpan(0, n).CopyTo(x);
        for (int i = 0; i < n; i++) x[i] = (x[i] - Vec.Dot(l.AsSpan(i * n, i), x)) / l[i * n + i];
        for (int i = n - 1; i >= 0; i--)
        {
            x[i] /= l[i * n + i];
            Vec.Axpy(-x[i], l.AsSpan(i * n, i), x);
        }
    }

    private sealed class Level
    {
        public Level(BlockCsr a)
        {
            A = a;
            Inverse = new double[(long)a.Nodes * a.Block * a.Block + BlockCsr.Pad];
            Aggregate = new int[a.Nodes];
            X = new double[a.Size + BlockCsr.Pad];
            B = new double[a.Size + BlockCsr.Pad];
            R = new double[a.Size + BlockCsr.Pad];
            D = new double[a.Size + BlockCsr.Pad];
        }

        public readonly BlockCsr A;
        public readonly double[] Inverse, X, B, R, D;
        public readonly int[] Aggregate;
        public double Lambda = 1;
        public int Aggregates;
        public double[] Tentative = [], PValues = [];
        public int[] PStart = [], PColumns = [], RStart = [], RRows = [], RAt = [];
    }
}
