using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

public sealed partial class FeModel
{
    /// <summary>Bytes of scratch that a chunk may fill: about half a second-level cache.</summary>
    private const int ChunkBytes = 256 << 10;

    private readonly Chunk[] _chunks;
    private int[] _order, _colorStart; // chunks by colour
    private readonly int[] _collectiveChunks;
    private readonly bool[] _chunkOk;
    private readonly ElementScratch[] _scratch;
    private readonly Action<int, int> _strainTask, _chunkTask;

    // The assembly in progress: fields, because tasks are delegates that are made once.
    private double[] _displacement = [], _force = [];
    private double[]? _increment, _coupling;
    private FeSystem? _system;
    private double _time, _timeStep;
    private int _taskBase;
    private bool _wantTangent, _bounding;

    /// <summary>
    /// Internal forces, and the tangent stiffness when a system is given. Evaluates every point from its old state; the new state waits for
    /// <see cref="Commit"/> or <see cref="Rollback"/>.
    /// </summary>
    /// <remarks>Collective. Laws that are jobs of their own get exactly one call, with all points of the rank.</remarks>
    /// <param name="displacement">u, local nodal field with ghosts up to date. In.</param>
    /// <param name="time">Time at the end of the step.</param>
    /// <param name="timeStep">Length of the step; 0 in a static evaluation.</param>
    /// <param name="force">∫ Bᵀσ, local nodal field, summed at owners, ghosts zero. Out.</param>
    /// <param name="system">Receives the stiffness of the free components in its values; null for forces only.</param>
    /// <param name="increment">Δu, local nodal field (say of the prescribed components), to be multiplied with the tangent; needs a system.</param>
    /// <param name="coupling">K Δu, local nodal field, summed at owners, ghosts zero. Out; needed with an increment.</param>
    /// <returns>False, on every rank, when a point failed on any; then <see cref="FailedCell"/> tells where, and the results are void.</returns>
    public bool Assemble(double[] displacement, double time, double timeStep, double[] force, FeSystem? system = null,
        double[]? increment = null, double[]? coupling = null)
    {
        if (displacement.Length != Unknowns || force.Length != Unknowns) throw new ArgumentException($"nodal fields have {Unknowns} entries here");
        if ((increment is null) != (coupling is null) || increment is not null && system is null)
            throw new ArgumentException("increment and coupling go together, and with a system");
        _displacement = displacement;
        _force = force;
        _system = system;
        _increment = increment;
        _coupling = coupling;
        _wantTangent = system is not null;
        Array.Clear(force);
        if (coupling is not null) Array.Clear(coupling);
        if (system is not null) Array.Clear(system.Values);
        bool ok = Run(time, timeStep);
        SumToOwners(force);
        if (coupling is not null) SumToOwners(coupling);
        return ok;
    }

    /// <summary>Strains, laws and element integrals of all chunks; collective calls first.</summary>
    private bool Run(double time, double timeStep)
    {
        _time = time;
        _timeStep = timeStep;
        foreach (var m in _materials) Array.Clear(m.Failed);
        Team.Run(_collectiveChunks.Length, _strainTask);
        bool ok = true;
        foreach (var m in _materials)
            if (m.Law.IsCollective) ok &= Evaluate(m, 0, m.Blocks, _wantTangent ? m.Tangent : []);
        if (ok)
        {
            for (int color = 0; color + 1 < _colorStart.Length; color++)
            {
                _taskBase = _colorStart[color];
                Team.Run(_colorStart[color + 1] - _taskBase, _chunkTask);
            }
            foreach (bool good in _chunkOk) ok &= good;
        }
        return Comm.AllOk(ok);
    }

    private bool Evaluate(MaterialPoints points, int first, int count, Span<double> tangent)
    {
        int n = Space.Components() * Lane4.Width, s = points.Law.StateSize * Lane4.Width;
        var batch = new MaterialBatch
        {
            Blocks = count,
            Active = points.Active.AsSpan(first, count),
            Strain = points.Strain.AsSpan(first * n, count * n),
            Stress = points.Stress.AsSpan(first * n, count * n),
            OldState = points.OldState.AsSpan(first * s, count * s),
            NewState = points.NewState.AsSpan(first * s, count * s),
            Tangent = tangent,
            Failed = points.Failed.AsSpan(first, count),
            Time = _time,
            TimeStep = _timeStep,
        };
        return points.Law.Evaluate(batch);
    }

    /// <summary>Strains of a chunk, for laws that want all points at once.</summary>
    private void StrainOf(int chunk, int worker)
    {
        var (g, first, count) = _chunks[chunk];
        var s = _scratch[worker];
        int points = g.Reference.Points, nodal = g.NodeCount * Dimension;
        for (int b = 0; b < count; b++)
        {
            var gradients = s.Gradients.AsSpan(b * points * nodal, points * nodal);
            Geometry(g, first + b, gradients, s.Weights.AsSpan(b * points, points));
            Strains(g, first + b, gradients, s.Weights.AsSpan(b * points, points), s);
        }
    }

    /// <summary>Everything for one chunk: geometry, strains, law, element forces and stiffness, and their scatter.</summary>
    private void Process(int chunk, int worker)
    {
        var (g, first, count) = _chunks[chunk];
        var s = _scratch[worker];
        var law = g.Points;
        int points = g.Reference.Points, nodes = g.NodeCount, nodal = nodes * Dimension, n = Space.Components();
        bool collective = law.Law.IsCollective, symmetric = law.Law.HasSymmetricTangent;
        int firstPoint = g.FirstBlock + first * points;

        for (int b = 0; b < count; b++)
        {
            var gradients = s.Gradients.AsSpan(b * points * nodal, points * nodal);
            var weights = s.Weights.AsSpan(b * points, points);
            Geometry(g, first + b, gradients, weights);
            if (!collective) Strains(g, first + b, gradients, weights, s);
        }

        Span<Lanes4> tangents = [];
        if (collective)
        {
            if (_wantTangent)
                tangents = MemoryMarshal.Cast<double, Lanes4>(law.Tangent.AsSpan(firstPoint * n * n * Lane4.Width, count * points * n * n * Lane4.Width));
            _chunkOk[chunk] = true;
        }
        else
        {
            if (_wantTangent) tangents = s.Tangent.AsSpan(0, count * points * n * n);
            if (!(_chunkOk[chunk] = Evaluate(law, firstPoint, count * points, MemoryMarshal.Cast<Lanes4, double>(tangents)))) return;
        }

        var stress = MemoryMarshal.Cast<double, Lanes4>(law.Stress.AsSpan(firstPoint * n * Lane4.Width, count * points * n * Lane4.Width));
        for (int b = 0; b < count; b++)
        {
            var gradients = s.Gradients.AsSpan(b * points * nodal, points * nodal);
            var weights = s.Weights.AsSpan(b * points, points);
            if (g.BBar) MeanGradients(gradients, weights, s.Mean.AsSpan(0, nodal));
            var force = s.Force.AsSpan(0, nodal);
            force.Clear();
            for (int q = 0; q < points; q++)
            {
                var at = gradients.Slice(q * nodal, nodal);
                var sigma = stress.Slice((b * points + q) * n, n);
                if (g.BBar) AddMeanForce(at, s.Mean.AsSpan(0, nodal), sigma, weights[q], force);
                else ElementKernels.AddForce(Space, nodes, at, sigma, weights[q], force);
            }
            if (!_bounding) Scatter(g, first + b, force, _force);

            if (!_wantTangent) continue;
            var stiffness = s.Stiffness.AsSpan(0, nodal * nodal);
            stiffness.Clear();
            for (int q = 0; q < points; q++)
            {
                var at = gradients.Slice(q * nodal, nodal);
                var tangent = tangents.Slice((b * points + q) * n * n, n * n);
                if (g.BBar) AddMeanStiffness(at, tangent, weights[q], symmetric, s, stiffness);
                else ElementKernels.AddStiffness(Space, nodes, at, tangent, weights[q], symmetric, stiffness);
            }
            if (symmetric) Mirror(stiffness, nodal);
            if (_bounding)
            {
                s.MaxEigenvalue = Math.Max(s.MaxEigenvalue, LargestEigenvalue(g, first + b, s));
                continue;
            }
            ScatterStiffness(g, first + b, MemoryMarshal.Cast<Lanes4, double>(stiffness), _system!);

            if (_increment is null) continue;
            var increment = s.Increment.AsSpan(0, nodal);
            GatherNodal(g, first + b, _increment, increment);
            var coupling = s.Coupling.AsSpan(0, nodal);
            Multiply(stiffness, increment, coupling);
            Scatter(g, first + b, coupling, _coupling!);
        }
    }

    /// <summary>Gradients and weights (times det J and thickness) of all points of one element block.</summary>
    /// <remarks>J = Σ xₐ ⊗ ∂Nₐ/∂ξ, gₐ = J⁻ᵀ ∂Nₐ/∂ξ.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Geometry(ElementGroup g, int block, Span<Lanes4> gradients, Span<Lanes4> weights)
    {
        int dim = Dimension, nodes = g.NodeCount, nodal = nodes * dim;
        var x = g.Coordinates.AsSpan(block * nodal, nodal);
        var reference = g.Reference;
        for (int q = 0; q < weights.Length; q++)
        {
            var dn = reference.Gradients.AsSpan(q * nodal, nodal);
            var at = gradients.Slice(q * nodal, nodal);
            if (dim == 2)
            {
                Lanes4 j00 = default, j01 = default, j10 = default, j11 = default;
                for (int a = 0; a < nodes; a++)
                {
                    Lanes4 d0 = Lane4.Of(dn[a * 2]), d1 = Lane4.Of(dn[a * 2 + 1]), x0 = x[a * 2], x1 = x[a * 2 + 1];
                    j00 = Lane4.Fma(x0, d0, j00); j01 = Lane4.Fma(x0, d1, j01);
                    j10 = Lane4.Fma(x1, d0, j10); j11 = Lane4.Fma(x1, d1, j11);
                }
                var det = Lane4.Fnma(j01, j10, j00 * j11);
                var inverse = Lanes4.One / det;
                weights[q] = Lane4.Of(reference.Weights[q] * Options.Thickness) * det;
                Lanes4 i00 = j11 * inverse, i01 = -j01 * inverse, i10 = -j10 * inverse, i11 = j00 * inverse;
                for (int a = 0; a < nodes; a++)
                {
                    Lanes4 d0 = Lane4.Of(dn[a * 2]), d1 = Lane4.Of(dn[a * 2 + 1]);
                    at[a * 2] = Lane4.Fma(d0, i00, d1 * i10);
                    at[a * 2 + 1] = Lane4.Fma(d0, i01, d1 * i11);
                }
            }
            else
            {
                Lanes4 j00 = default, j01 = default, j02 = default, j10 = default, j11 = default, j12 = default, j20 = default,
                    j21 = default, j22 = default;
                for (int a = 0; a < nodes; a++)
                {
                    Lanes4 d0 = Lane4.Of(dn[a * 3]), d1 = Lane4.Of(dn[a * 3 + 1]), d2 = Lane4.Of(dn[a * 3 + 2]);
                    Lanes4 x0 = x[a * 3], x1 = x[a * 3 + 1], x2 = x[a * 3 + 2];
                    j00 = Lane4.Fma(x0, d0, j00); j01 = Lane4.Fma(x0, d1, j01); j02 = Lane4.Fma(x0, d2, j02);
                    j10 = Lane4.Fma(x1, d0, j10); j11 = Lane4.Fma(x1, d1, j11); j12 = Lane4.Fma(x1, d2, j12);
                    j20 = Lane4.Fma(x2, d0, j20); j21 = Lane4.Fma(x2, d1, j21); j22 = Lane4.Fma(x2, d2, j22);
                }
                Lanes4 c00 = Lane4.Fnma(j12, j21, j11 * j22), c01 = Lane4.Fnma(j10, j22, j12 * j20), c02 = Lane4.Fnma(j11, j20, j10 * j21);
                Lanes4 c10 = Lane4.Fnma(j01, j22, j02 * j21), c11 = Lane4.Fnma(j02, j20, j00 * j22), c12 = Lane4.Fnma(j00, j21, j01 * j20);
                Lanes4 c20 = Lane4.Fnma(j02, j11, j01 * j12), c21 = Lane4.Fnma(j00, j12, j02 * j10), c22 = Lane4.Fnma(j01, j10, j00 * j11);
                var det = Lane4.Fma(j00, c00, Lane4.Fma(j01, c01, j02 * c02));
                var inverse = Lanes4.One / det;
                weights[q] = Lane4.Of(reference.Weights[q]) * det;
                c00 *= inverse; c01 *= inverse; c02 *= inverse; c10 *= inverse; c11 *= inverse; c12 *= inverse;
                c20 *= inverse; c21 *= inverse; c22 *= inverse;
                // The cofactor matrix over det is J⁻ᵀ.
                for (int a = 0; a < nodes; a++)
                {
                    Lanes4 d0 = Lane4.Of(dn[a * 3]), d1 = Lane4.Of(dn[a * 3 + 1]), d2 = Lane4.Of(dn[a * 3 + 2]);
                    at[a * 3] = Lane4.Fma(d0, c00, Lane4.Fma(d1, c01, d2 * c02));
                    at[a * 3 + 1] = Lane4.Fma(d0, c10, Lane4.Fma(d1, c11, d2 * c12));
                    at[a * 3 + 2] = Lane4.Fma(d0, c20, Lane4.Fma(d1, c21, d2 * c22));
                }
            }
        }
    }

    private void Strains(ElementGroup g, int block, ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> weights, ElementScratch s)
    {
        int dim = Dimension, nodes = g.NodeCount, nodal = nodes * dim, n = Space.Components(), points = weights.Length;
        var u = s.Displacement.AsSpan(0, nodal);
        GatherNodal(g, block, _displacement, u);
        var strain = MemoryMarshal.Cast<double, Lanes4>(
            g.Points.Strain.AsSpan((g.FirstBlock + block * points) * n * Lane4.Width, points * n * Lane4.Width));
        Lanes4 mean = default;
        if (g.BBar)
        {
            MeanGradients(gradients, weights, s.Mean.AsSpan(0, nodal));
            for (int k = 0; k < nodal; k++) mean = Lane4.Fma(s.Mean[k], u[k], mean);
        }
        for (int q = 0; q < points; q++)
        {
            var e = strain.Slice(q * n, n);
            ElementKernels.Strain(Space, nodes, gradients.Slice(q * nodal, nodal), u, e);
            if (!g.BBar) continue;
            // ε̄ = ε + (θ̄ − θ)/d · 1; in plane strain d = 2, so that the in-plane trace is the mean one and εzz stays 0.
            var trace = e[0];
            for (int i = 1; i < dim; i++) trace += e[i];
            var shift = (mean - trace) * Lane4.Of(1.0 / dim);
            for (int i = 0; i < dim; i++) e[i] += shift;
        }
    }

    /// <summary>ḡₐ = (1/V) ∫ gₐ dV.</summary>
    private static void MeanGradients(ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> weights, Span<Lanes4> mean)
    {
        mean.Clear();
        Lanes4 volume = default;
        for (int q = 0; q < weights.Length; q++)
        {
            volume += weights[q];
            for (int k = 0; k < mean.Length; k++) mean[k] = Lane4.Fma(weights[q], gradients[q * mean.Length + k], mean[k]);
        }
        var inverse = Lanes4.One / volume;
        for (int k = 0; k < mean.Length; k++) mean[k] *= inverse;
    }

    /// <summary>fₐ += w ((σ − p1)·gₐ + p ḡₐ) with p = tr σ/d.</summary>
    private void AddMeanForce(ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> mean, ReadOnlySpan<Lanes4> sigma, Lanes4 weight, Span<Lanes4> force)
    {
        int dim = Dimension, n = Space.Components();
        Span<Lanes4> deviator = stackalloc Lanes4[6];
        sigma.CopyTo(deviator);
        var p = sigma[0];
        for (int i = 1; i < dim; i++) p += sigma[i];
        p *= Lane4.Of(1.0 / dim);
        for (int i = 0; i < dim; i++) deviator[i] -= p;
        ElementKernels.AddForce(Space, force.Length / dim, gradients, deviator[..n], weight, force);
        p *= weight;
        for (int k = 0; k < force.Length; k++) force[k] = Lane4.Fma(p, mean[k], force[k]);
    }

    /// <summary>
    /// K += w B̄ᵀCB̄ with B̄ = 𝒫B + (1/d) m ḡᵀ, 𝒫 the deviator in d dimensions and m = (1, …, 1, 0, …): the kernel with 𝒫C𝒫, plus
    /// h ḡᵀ + ḡ h'ᵀ + κ ḡḡᵀ with h = Bᵀ𝒫Cm/d, h' = Bᵀ𝒫Cᵀm/d, κ = mᵀCm/d².
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddMeanStiffness(ReadOnlySpan<Lanes4> gradients, ReadOnlySpan<Lanes4> tangent, Lanes4 weight, bool symmetric, ElementScratch s,
        Span<Lanes4> stiffness)
    {
        int dim = Dimension, n = Space.Components(), nodal = gradients.Length;
        Span<Lanes4> c = stackalloc Lanes4[36];
        Span<Lanes4> row = stackalloc Lanes4[6];
        Span<Lanes4> column = stackalloc Lanes4[6];
        var share = Lane4.Of(1.0 / dim);
        for (int i = 0; i < n; i++)
        {
            row[i] = column[i] = default;
            for (int k = 0; k < dim; k++)
            {
                row[i] += tangent[i * n + k];
                column[i] += tangent[k * n + i];
            }
            row[i] *= share;
            column[i] *= share;
        }
        Lanes4 kappa = default;
        for (int k = 0; k < dim; k++) kappa += row[k];
        kappa *= share;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                var value = tangent[i * n + j];
                if (j < dim) value -= row[i];
                if (i < dim) value -= column[j];
                if (i < dim && j < dim) value += kappa;
                c[i * n + j] = value;
            }
        ElementKernels.AddStiffness(Space, nodal / dim, gradients, c[..(n * n)], weight, symmetric, stiffness);

        for (int i = 0; i < dim; i++)
        {
            row[i] -= kappa;
            column[i] -= kappa;
        }
        Span<Lanes4> h = s.Left.AsSpan(0, nodal), t = s.Right.AsSpan(0, nodal), mean = s.Mean.AsSpan(0, nodal);
        h.Clear();
        t.Clear();
        ElementKernels.AddForce(Space, nodal / dim, gradients, row[..n], weight, h);
        ElementKernels.AddForce(Space, nodal / dim, gradients, column[..n], weight, t);
        kappa *= weight;
        for (int r = 0; r < nodal; r++)
        {
            var left = Lane4.Fma(kappa, mean[r], h[r]);
            for (int k = 0; k < nodal; k++)
                stiffness[r * nodal + k] = Lane4.Fma(left, mean[k], Lane4.Fma(mean[r], t[k], stiffness[r * nodal + k]));
        }
    }

    /// <summary>Copies the lower triangle to the upper one (block triangles below the diagonal are complete).</summary>
    private static void Mirror(Span<Lanes4> stiffness, int size)
    {
        for (int r = 0; r < size; r++)
            for (int k = r + 1; k < size; k++) stiffness[r * size + k] = stiffness[k * size + r];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(ReadOnlySpan<Lanes4> stiffness, ReadOnlySpan<Lanes4> x, Span<Lanes4> y)
    {
        int size = x.Length;
        for (int r = 0; r < size; r++)
        {
            Lanes4 sum = default;
            for (int k = 0; k < size; k++) sum = Lane4.Fma(stiffness[r * size + k], x[k], sum);
            y[r] = sum;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void GatherNodal(ElementGroup g, int block, double[] field, Span<Lanes4> values)
    {
        int dim = Dimension, nodes = g.NodeCount;
        var flat = MemoryMarshal.Cast<Lanes4, double>(values);
        var list = g.Nodes.AsSpan(block * nodes * Lane4.Width, nodes * Lane4.Width);
        for (int a = 0; a < nodes; a++)
            for (int l = 0; l < Lane4.Width; l++)
            {
                int node = list[a * Lane4.Width + l] * dim;
                for (int i = 0; i < dim; i++) flat[(a * dim + i) * Lane4.Width + l] = field[node + i];
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Scatter(ElementGroup g, int block, ReadOnlySpan<Lanes4> values, double[] field)
    {
        int dim = Dimension, nodes = g.NodeCount, lanes = g.LanesOf(block);
        var flat = MemoryMarshal.Cast<Lanes4, double>(values);
        var list = g.Nodes.AsSpan(block * nodes * Lane4.Width, nodes * Lane4.Width);
        for (int l = 0; l < lanes; l++)
            for (int a = 0; a < nodes; a++)
            {
                int node = list[a * Lane4.Width + l] * dim;
                for (int i = 0; i < dim; i++) field[node + i] += flat[(a * dim + i) * Lane4.Width + l];
            }
    }

    /// <summary>Adds the matrices of a block's elements to the CSR values.</summary>
    /// <remarks>Pointers: every index comes from tables that the constructors of the model and the system made for each other.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void ScatterStiffness(ElementGroup g, int block, ReadOnlySpan<double> k, FeSystem system)
    {
        int dim = Dimension, nodes = g.NodeCount, size = nodes * dim, lanes = g.LanesOf(block);
        int* eq = stackalloc int[size], offset = stackalloc int[nodes];
        fixed (int* equation = system.Equation, offsets = system.ColumnOffset, rowStart = system.Pattern.RowStart, pairs = g.Pairs, list = g.Nodes)
        fixed (double* values = system.Values, matrix = k)
        {
            for (int l = 0; l < lanes; l++)
            {
                bool free = dim == 3;
                for (int a = 0; a < nodes; a++)
                {
                    int* from = equation + list[(block * nodes + a) * Lane4.Width + l] * dim;
                    for (int i = 0; i < dim; i++)
                    {
                        eq[a * dim + i] = from[i];
                        free &= from[i] >= 0;
                    }
                }
                int* pair = pairs + (long)(block * Lane4.Width + l) * nodes * nodes;
                for (int a = 0; a < nodes; a++, pair += nodes)
                {
                    for (int b = 0; b < nodes; b++) offset[b] = offsets[pair[b]];
                    for (int i = 0; i < dim; i++)
                    {
                        int r = a * dim + i;
                        if (eq[r] < 0) continue;
                        double* row = values + rowStart[eq[r]], from = matrix + r * size * Lane4.Width + l;
                        if (free)
                            for (int b = 0; b < nodes; b++, from += 3 * Lane4.Width)
                            {
                                double* at = row + offset[b];
                                at[0] += from[0];
                                at[1] += from[Lane4.Width];
                                at[2] += from[2 * Lane4.Width];
                            }
                        else
                            for (int b = 0; b < nodes; b++)
                            {
                                double* at = row + offset[b];
                                for (int j = 0; j < dim; j++, from += Lane4.Width)
                                    if (eq[b * dim + j] >= 0) *at++ += *from;
                            }
                    }
                }
            }
        }
    }

    private Chunk[] Cut()
    {
        int n = Space.Components();
        var chunks = new List<Chunk>();
        foreach (var g in _groups)
        {
            int perBlock = g.Reference.Points * (n * n + g.NodeCount * Dimension + 3 * n) * Lane4.Width * sizeof(double);
            int size = Math.Clamp(ChunkBytes / perBlock, 1, 16);
            for (int first = 0; first < g.Blocks; first += size) chunks.Add(new Chunk(g, first, Math.Min(size, g.Blocks - first)));
        }
        return [.. chunks];
    }

    /// <summary>Colours anew for a system whose tied nodes share rows: chunks that touch two nodes of one master must not run at once.</summary>
    internal void Tie(ReadOnlySpan<int> master) => (_order, _colorStart) = Color(master);

    /// <summary>Greedy colouring in the order of the chunks: chunks of a colour share no node, so they may run at once.</summary>
    private (int[] Order, int[] ColorStart) Color(ReadOnlySpan<int> master = default)
    {
        var used = new List<ulong[]>(); // per colour: nodes already taken
        var color = new int[_chunks.Length];
        int words = (Nodes + 63) / 64;
        var mine = new HashSet<int>();
        for (int c = 0; c < _chunks.Length; c++)
        {
            var (g, first, count) = _chunks[c];
            mine.Clear();
            foreach (int node in g.Nodes.AsSpan(first * g.NodeCount * Lane4.Width, count * g.NodeCount * Lane4.Width)) mine.Add(master.IsEmpty ? node : master[node]);
            int k = 0;
            for (; k < used.Count; k++)
            {
                var taken = used[k];
                bool clash = false;
                foreach (int node in mine)
                    if ((taken[node >> 6] >> (node & 63) & 1) != 0) { clash = true; break; }
                if (!clash) break;
            }
            if (k == used.Count) used.Add(new ulong[words]);
            foreach (int node in mine) used[k][node >> 6] |= 1UL << (node & 63);
            color[c] = k;
        }
        int[] order = [.. Enumerable.Range(0, color.Length).OrderBy(c => color[c]).ThenBy(c => c)];
        var start = new int[used.Count + 1];
        foreach (int k in color) start[k + 1]++;
        for (int k = 0; k < used.Count; k++) start[k + 1] += start[k];
        return (order, start);
    }

    private ElementScratch NewScratch()
    {
        int points = 0, nodal = 0;
        foreach (var (g, _, count) in _chunks)
        {
            points = Math.Max(points, count * g.Reference.Points * g.NodeCount * Dimension);
            nodal = Math.Max(nodal, g.NodeCount * Dimension);
        }
        // Gradients are sized by points × nodal: round the points up so that every chunk fits, whatever its shape.
        int most = nodal == 0 ? 0 : Math.Max((points + nodal - 1) / nodal, _chunks.Max(c => c.Count * c.Group.Reference.Points));
        return new ElementScratch(most, nodal, Space.Components());
    }
}
