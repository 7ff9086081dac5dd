using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Homogenization;

/// <summary>
/// Brings four copies of one RVE to equilibrium at once, one copy per vector lane: same mesh, same elimination order, so that assembly,
/// factorization and substitution run without a gather. A lane's result does not depend on its neighbours. One solver per thread;
/// nothing is allocated after construction.
/// </summary>
/// <remarks>
/// Newton on r(q) = Tᵀ f − Gᵀλ = 0 (and G q = 0 under uniform traction). At the solution the macro tangent follows by static condensation,
/// with L = ∂r/∂ε̄ = Tᵀ∫Bᵀ C dV:
/// <code>
/// C̄ = ⟨C⟩ + (1/V) Lᵀ ∂q/∂ε̄,      ∂q/∂ε̄ = −K⁻¹ L                                 (linear displacement, periodic)
/// [K −Gᵀ; G 0] [∂q/∂ε̄; ∂λ/∂ε̄] = [−L; 0]                                         (uniform traction)
/// </code>
/// (Miehe, Schröder and Schotte 1999; Kouznetsova, Brekelmans and Baaijens 2001; Saeb, Steinmann and Javili 2016.) At finite strain and zero stress K does not
/// resist the free rotations of uniform traction: springs k e eᵀ are added to factor it and taken out again by bordering with
/// μ = eᵀ q, which is exact.
/// </remarks>
internal sealed class RveSolver
{
    // Rounding errors of a residual, in units of the elastic forces at the macro strain; some ten times what is seen.
    private const double Rounding = 32 * 2.220446049250313e-16;
    private const int ChunkPoints = 128; // blocks of one material call: strain + stress + tangent fit the second-level cache

    private readonly RveModel _model;
    private readonly StrainSpace _space;
    private readonly int _n, _dim, _unknowns, _multipliers, _borders;
    private readonly BatchedLdl _ldl;
    private readonly Lanes4[] _u, _f, _r, _dq, _base, _multiplier, _multiplierBase, _multiplierStep;
    private readonly Lanes4[] _strain, _stress, _tangent; // strain and stress of one chunk, tangents of all points
    private readonly Lanes4[] _gradients, _ue, _fe, _ke, _me, _coupling, _columns;
    private readonly Lanes4[] _meanStress, _meanTangent, _bordered;
    private readonly byte[] _active, _failed;
    private readonly double[] _dense, _denseRhs;
    private Vector256<ulong> _hash, _factored;
    private bool _hasFactor;
    private Lanes4 _work, _workSize; // ⟨σ:ε⟩ and ⟨|σ:ε|⟩
    private Lanes4 _forces; // Σ |element force|², the scale of the residual
    private Lanes4 _springStiffness;

    public RveSolver(RveModel model)
    {
        _model = model;
        _space = model.Space;
        (_n, _dim, _unknowns) = (_space.Components(), _space.Dimension(), model.Unknowns);
        _multipliers = model.Boundary == RveBoundary.UniformTraction ? _n : 0;
        _borders = _multipliers + model.Constraints.RotationPins.Length;
        _ldl = new BatchedLdl(model.Symbolic);
        int nodes = model.Groups.Max(g => g.Nodes), points = model.Groups.Max(g => g.Points), size = nodes * _dim;
        int chunk = Math.Max(ChunkPoints, points);
        _u = new Lanes4[model.Mesh.NodeCount * _dim];
        _f = new Lanes4[model.Mesh.NodeCount * _dim];
        _r = new Lanes4[_unknowns];
        _dq = new Lanes4[_unknowns];
        _base = new Lanes4[_unknowns];
        (_multiplier, _multiplierBase, _multiplierStep) = (new Lanes4[_n], new Lanes4[_n], new Lanes4[_n]);
        _strain = new Lanes4[chunk * _n];
        _stress = new Lanes4[chunk * _n];
        _tangent = new Lanes4[model.Points * _n * _n];
        _gradients = new Lanes4[points * (size + 1)];
        (_ue, _fe, _ke, _me) = (new Lanes4[size], new Lanes4[size], new Lanes4[size * size], new Lanes4[_n * size]);
        _coupling = new Lanes4[model.Mesh.NodeCount * _dim * _n];
        _columns = new Lanes4[_unknowns * Math.Max(_n, Math.Max(1, _borders))];
        (_meanStress, _meanTangent) = (new Lanes4[_n], new Lanes4[_n * _n]);
        _bordered = new Lanes4[_unknowns * _borders];
        (_active, _failed) = (new byte[chunk], new byte[chunk]);
        _dense = new double[_borders * _borders];
        _denseRhs = new double[Math.Max(1, _borders) * (_n + 1)];
    }

    /// <summary>Newton iterations of the last block: the largest over its lanes.</summary>
    public int Iterations { get; private set; }

    /// <summary>Lanes4 of the last block whose stiffness had a negative pivot at the solution: equilibrium there is unstable (under uniform
    /// traction the pivots do not tell: never).</summary>
    public byte Unstable { get; private set; }

    /// <summary>Solves one block of four copies.</summary>
    /// <param name="strain">Macro strain (or F̄), n vectors.</param>
    /// <param name="old">State at the start of the step, StateSize vectors.</param>
    /// <param name="state">In: state of the last evaluation, or the old one: where the iteration starts. Out: state at the end.</param>
    /// <param name="stress">Macro stress, n vectors. Out.</param>
    /// <param name="tangent">Macro tangent, n·n vectors; empty when not wanted. Out.</param>
    /// <param name="active">Lanes4 that hold a copy.</param>
    /// <param name="time">End of the step.</param>
    /// <param name="timeStep">Length of the step.</param>
    /// <returns>Lanes4 that failed.</returns>
    public byte Solve(ReadOnlySpan<Lanes4> strain, ReadOnlySpan<Lanes4> old, Span<Lanes4> state, Span<Lanes4> stress, Span<Lanes4> tangent,
        byte active, double time, double timeStep)
    {
        var q = state[.._unknowns];
        Predict(strain, state);
        q.CopyTo(_base);

        byte failed = 0, converged = 0;
        var largest = Lanes4.Zero;
        for (int c = 0; c < _n; c++) largest = Vector256.Max(largest, Vector256.Abs(strain[c]));
        var floor = Lane4.Of(Rounding * _model.ForceScale) * largest;
        // Line search on the work rate s(α) = r(q + α dq)·dq. Where the law derives from an incremental potential (elasticity, associated
        // plasticity) s is its slope: s(0) < 0, and a step that ends with a large s > 0 has overshot the minimum.
        Lanes4 alpha = Lane4.Of(1), slope = Lanes4.Zero;
        int iteration = 0;
        for (; ; iteration++)
        {
            byte materialFailed = Residual(strain, old, state, active, time, timeStep);
            var (norm, scale) = ResidualNorm();
            var small = Vector256.LessThanOrEqual(norm, Vector256.Max(Lane4.Of(_model.Options.Tolerance) * scale, floor));
            converged |= (byte)(Lane4.Bits(small) & ~materialFailed & active);
            byte open = (byte)(active & ~failed & ~converged);
            if (open == 0) break;
            if (iteration == _model.Options.MaxIterations)
            {
                failed |= open;
                break;
            }

            var rate = Lanes4.Zero;
            if (iteration > 0) for (int i = 0; i < _unknowns; i++) rate = Lane4.Fma(_r[i], _dq[i], rate);
            var sound = Vector256.LessThan(norm, Lane4.Of(double.PositiveInfinity)); // false for NaN too
            byte settled = Lane4.Bits(sound & Vector256.LessThanOrEqual(rate, Lane4.Of(-0.5) * slope));
            byte step = (byte)(open & settled & ~materialFailed);
            byte back = (byte)(open & ~step);
            if (back != 0)
            {
                // The secant's zero of s, kept between a tenth and three quarters of the step; half of it where s is not a number.
                var secant = -slope / (rate - slope);
                var factor = Vector256.Min(Vector256.Max(secant, Lane4.Of(0.1)), Lane4.Of(0.75));
                factor = Lane4.Select(sound & ~Lane4.Mask(materialFailed) & Vector256.Equals(factor, factor), factor, Lane4.Of(0.5));
                alpha *= Lane4.Select(Lane4.Mask(back), factor, Lane4.Of(1));
                byte tired = (byte)(back & Lane4.Bits(Vector256.LessThan(alpha, Lane4.Of(1e-3))));
                if (iteration == 0) tired = back;
                failed |= tired;
                open &= (byte)~tired;
            }
            if (step != 0)
            {
                var stepMask = Lane4.Mask(step);
                failed |= (byte)(step & Factor(active));
                for (int i = 0; i < _unknowns; i++) _columns[i] = -_r[i];
                _ldl.Solve(_columns.AsSpan(0, _unknowns), 1);
                if (_borders > 0) SolveMultipliers(q, step);
                var start = Lanes4.Zero;
                for (int i = 0; i < _unknowns; i++)
                {
                    _base[i] = Lane4.Select(stepMask, q[i], _base[i]);
                    _dq[i] = Lane4.Select(stepMask, _columns[i], _dq[i]);
                    start = Lane4.Fma(_r[i], _columns[i], start);
                }
                for (int c = 0; c < _multipliers; c++) _multiplierBase[c] = Lane4.Select(stepMask, _multiplier[c], _multiplierBase[c]);
                alpha = Lane4.Select(stepMask, Lane4.Of(1), alpha);
                // A saddle point (multipliers) or a softening law has no potential to descend: there every finite step is taken.
                var descent = _multipliers > 0 ? Lane4.Of(double.NegativeInfinity) : Vector256.Min(start, Lanes4.Zero);
                descent = Lane4.Select(Vector256.LessThan(descent, Lanes4.Zero), descent, Lane4.Of(double.NegativeInfinity));
                slope = Lane4.Select(stepMask, descent, slope);
            }
            var openMask = Lane4.Mask((byte)(open & ~failed));
            for (int i = 0; i < _unknowns; i++) q[i] = Lane4.Select(openMask, Lane4.Fma(alpha, _dq[i], _base[i]), q[i]);
            for (int c = 0; c < _multipliers; c++)
                _multiplier[c] = Lane4.Select(openMask, Lane4.Fma(alpha, _multiplierStep[c], _multiplierBase[c]), _multiplier[c]);
            if ((active & ~failed & ~converged) == 0) break;
        }
        Iterations = iteration;

        if (_multipliers > 0) _multiplier.AsSpan().CopyTo(state[_model.StressOffset..]);
        strain[.._n].CopyTo(state[_model.StrainOffset..]);
        _meanStress.AsSpan().CopyTo(stress);
        state[_model.HistoryOffset] = HillMandel(strain);
        state[_model.HistoryOffset + 1] = Lane4.Of(iteration);
        Unstable = 0;
        if (!tangent.IsEmpty)
        {
            failed |= (byte)(active & Factor(active));
            for (int l = 0; l < Lane4.Width; l++)
                if ((active >> l & 1) != 0 && _multipliers == 0 && _ldl.NegativePivots(l) > 0) Unstable |= (byte)(1 << l);
            Condense(tangent, state);
        }
        state[_model.HistoryOffset + 2] = Lane4.Select(Lane4.Mask(Unstable), Lane4.Of(1), Lanes4.Zero);
        if (failed != 0)
        {
            // The next attempt must not start from where this one got lost.
            var lost = Lane4.Mask(failed);
            for (int i = 0; i < _model.HistoryOffset; i++) state[i] = Lane4.Select(lost, old[i], state[i]);
        }
        return failed;
    }

    /// <summary>
    /// Starts from the last evaluation, carried along its sensitivity: q + ∂q/∂ε̄ (ε̄ − ε̄_last). The state handed in is that of the last
    /// macro iteration, or of the start of the step, so elastic copies are at equilibrium at once and others nearly so.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Predict(ReadOnlySpan<Lanes4> strain, Span<Lanes4> state)
    {
        Span<Lanes4> change = stackalloc Lanes4[9];
        for (int c = 0; c < _n; c++) change[c] = strain[c] - state[_model.StrainOffset + c];
        int count = _unknowns + _multipliers;
        var sensitivity = state.Slice(_model.SensitivityOffset, count * _n);
        for (int i = 0; i < count; i++)
        {
            var value = state[i];
            for (int c = 0; c < _n; c++) value = Lane4.Fma(sensitivity[i * _n + c], change[c], value);
            if (i < _unknowns) state[i] = value;
            else _multiplier[i - _unknowns] = value;
        }
    }

    /// <summary>Displacement fluctuation ũ at all nodes from a state, one vector per nodal value.</summary>
    public void Fluctuation(ReadOnlySpan<Lanes4> state, Span<Lanes4> nodal) => Expand(state[.._unknowns], nodal);

    private void Expand(ReadOnlySpan<Lanes4> q, Span<Lanes4> nodal)
    {
        var constraints = _model.Constraints;
        for (int d = 0; d < nodal.Length; d++)
        {
            var sum = Lanes4.Zero;
            for (int t = constraints.Start[d]; t < constraints.Start[d + 1]; t++)
                sum = Lane4.Fma(Lane4.Of(constraints.Weight[t]), q[constraints.Unknown[t]], sum);
            nodal[d] = sum;
        }
    }

    private void LoadGradients(double[] table)
    {
        for (int k = 0; k < table.Length; k++) _gradients[k] = Lane4.Of(table[k]);
    }

    /// <summary>Stresses, states and tangents of all points and the residual at fluctuation q (the head of <paramref name="state"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private byte Residual(ReadOnlySpan<Lanes4> strain, ReadOnlySpan<Lanes4> old, Span<Lanes4> state, byte active, double time, double timeStep)
    {
        Expand(state[.._unknowns], _u);
        _f.AsSpan().Clear();
        _meanStress.AsSpan().Clear();
        _work = _workSize = _forces = Lanes4.Zero;
        _hash = Vector256.Create(0xcbf29ce484222325UL);
        _active.AsSpan().Fill(active);
        byte failed = 0;
        Span<Lanes4> offset = stackalloc Lanes4[9]; // what the macro strain adds to the strain of ũ: ε̄, or F̄ − 1
        for (int c = 0; c < _n; c++) offset[c] = strain[c];
        if (_space.IsFinite()) for (int i = 0; i < _dim; i++) offset[i * _dim + i] -= Lane4.Of(1);

        foreach (var group in _model.Groups)
        {
            int nodes = group.Nodes, points = group.Points, size = nodes * _dim, s = group.Material.StateSize;
            int perChunk = Math.Max(1, ChunkPoints / points);
            double[]? loaded = null;
            for (int first = 0; first < group.Cells.Count; first += perChunk)
            {
                int count = Math.Min(perChunk, group.Cells.Count - first);
                for (int e = 0; e < count; e++)
                {
                    var table = group.Tables[group.TableOf[first + e]];
                    if (table != loaded) LoadGradients(loaded = table);
                    Gather(group.Cells.Nodes(first + e));
                    for (int p = 0; p < points; p++)
                    {
                        var eps = _strain.AsSpan((e * points + p) * _n, _n);
                        ElementKernels.Strain(_space, nodes, _gradients.AsSpan(p * size, size), _ue, eps);
                        for (int c = 0; c < _n; c++) eps[c] += offset[c];
                    }
                }

                int blocks = count * points, at = group.PointOffset + first * points, stateAt = group.StateOffset + first * points * s;
                var tangents = _tangent.AsSpan(at * _n * _n, blocks * _n * _n);
                var failures = _failed.AsSpan(0, blocks);
                failures.Clear();
                bool ok = group.Material.Evaluate(new MaterialBatch
                {
                    Blocks = blocks, Active = _active.AsSpan(0, blocks),
                    Strain = Doubles(_strain.AsSpan(0, blocks * _n)),
                    OldState = Doubles(old.Slice(stateAt, blocks * s)),
                    NewState = Doubles(state.Slice(stateAt, blocks * s)),
                    Stress = Doubles(_stress.AsSpan(0, blocks * _n)),
                    Tangent = Doubles(tangents),
                    Time = time, TimeStep = timeStep, Failed = failures,
                });
                if (!ok) foreach (byte b in failures) failed |= b;
                _hash = Hash(tangents, _hash);

                for (int e = 0; e < count; e++)
                {
                    var table = group.Tables[group.TableOf[first + e]];
                    if (table != loaded) LoadGradients(loaded = table);
                    _fe.AsSpan(0, size).Clear();
                    for (int p = 0; p < points; p++)
                    {
                        var sigma = _stress.AsSpan((e * points + p) * _n, _n);
                        var eps = _strain.AsSpan((e * points + p) * _n, _n);
                        var w = _gradients[points * size + p];
                        ElementKernels.AddForce(_space, nodes, _gradients.AsSpan(p * size, size), sigma, w, _fe);
                        var power = Lanes4.Zero;
                        for (int c = 0; c < _n; c++)
                        {
                            _meanStress[c] = Lane4.Fma(w, sigma[c], _meanStress[c]);
                            power = Lane4.Fma(sigma[c], eps[c], power);
                        }
                        _work = Lane4.Fma(w, power, _work);
                        _workSize = Lane4.Fma(w, Vector256.Abs(power), _workSize);
                    }
                    ScatterForce(group.Cells.Nodes(first + e));
                }
            }
        }
        var volume = Lane4.Of(1 / _model.BoxVolume);
        for (int c = 0; c < _n; c++) _meanStress[c] *= volume;
        _work *= volume;
        _workSize *= volume;
        return (byte)(failed & active);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Gather(ReadOnlySpan<int> nodes)
    {
        for (int a = 0; a < nodes.Length; a++)
            for (int i = 0; i < _dim; i++) _ue[a * _dim + i] = _u[nodes[a] * _dim + i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ScatterForce(ReadOnlySpan<int> nodes)
    {
        for (int a = 0; a < nodes.Length; a++)
            for (int i = 0; i < _dim; i++)
            {
                var fe = _fe[a * _dim + i];
                _f[nodes[a] * _dim + i] += fe;
                _forces = Lane4.Fma(fe, fe, _forces);
            }
    }

    /// <summary>Reduces nodal forces to r, subtracts Gᵀλ, and returns ‖r‖ with its scale.</summary>
    private (Lanes4 Norm, Lanes4 Scale) ResidualNorm()
    {
        var constraints = _model.Constraints;
        _r.AsSpan().Clear();
        for (int d = 0; d < _f.Length; d++)
            for (int t = constraints.Start[d]; t < constraints.Start[d + 1]; t++)
            {
                int k = constraints.Unknown[t];
                _r[k] = Lane4.Fma(Lane4.Of(constraints.Weight[t]), _f[d], _r[k]);
            }
        for (int c = 0; c < _multipliers; c++)
        {
            var row = _model.Strains.AsSpan(c * _unknowns, _unknowns);
            for (int k = 0; k < _unknowns; k++) _r[k] = Lane4.Fnma(Lane4.Of(row[k]), _multiplier[c], _r[k]);
        }
        var sum = Lanes4.Zero;
        foreach (var r in _r) sum = Lane4.Fma(r, r, sum);
        // G q = 0 needs no check: q starts from a state that meets it and every Newton step restores it, G being constant.
        return (Vector256.Sqrt(sum), Vector256.Sqrt(_forces));
    }

    private Lanes4 MeanStrain(int component, ReadOnlySpan<Lanes4> x, int stride = 1, int column = 0)
    {
        var row = _model.Strains.AsSpan(component * _unknowns, _unknowns);
        var sum = Lanes4.Zero;
        for (int k = 0; k < _unknowns; k++) sum = Lane4.Fma(Lane4.Of(row[k]), x[k * stride + column], sum);
        return sum;
    }

    /// <summary>|⟨σ:ε⟩ − ⟨σ⟩:ε̄| / ⟨|σ:ε|⟩; at finite strain with P and F − 1.</summary>
    private Lanes4 HillMandel(ReadOnlySpan<Lanes4> strain)
    {
        // For F: ⟨P:F⟩ − P̄:F̄ is the same number whether or not 1 is subtracted from both, since ⟨P⟩ = P̄.
        Lanes4 macro = Lanes4.Zero, scale = _workSize; // ⟨σ:ε⟩ itself may vanish, as after a cycle
        for (int c = 0; c < _n; c++)
        {
            macro = Lane4.Fma(_meanStress[c], strain[c], macro);
            scale = Vector256.Max(scale, Vector256.Abs(_meanStress[c] * strain[c]));
        }
        var residual = Vector256.Abs(_work - macro);
        return Lane4.Select(Vector256.GreaterThan(scale, Lanes4.Zero), residual / scale, Lanes4.Zero);
    }

    // K depends on the state through the tangents alone: when none of them changed, the factor at hand is still the right one. In the
    // elastic range this saves nearly all factorizations. Two different sets of tangents share a 64-bit hash once in 10¹⁹. Adding +0 makes
    // −0 the same as 0: a plastic law's elastic tangent has zeros of either sign.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector256<ulong> Hash(ReadOnlySpan<Lanes4> values, Vector256<ulong> hash)
    {
        var prime = Vector256.Create(0x9E3779B97F4A7C15UL);
        Vector256<ulong> a = hash, b = hash ^ prime, c = hash + prime, d = ~hash;
        int k = 0;
        var zero = Lanes4.Zero;
        for (; k + 4 <= values.Length; k += 4)
        {
            a = (a ^ (values[k] + zero).AsUInt64()) * prime;
            b = (b ^ (values[k + 1] + zero).AsUInt64()) * prime;
            c = (c ^ (values[k + 2] + zero).AsUInt64()) * prime;
            d = (d ^ (values[k + 3] + zero).AsUInt64()) * prime;
            a ^= Vector256.ShiftRightLogical(a, 29);
            b ^= Vector256.ShiftRightLogical(b, 29);
            c ^= Vector256.ShiftRightLogical(c, 29);
            d ^= Vector256.ShiftRightLogical(d, 29);
        }
        for (; k < values.Length; k++) a = (a ^ (values[k] + zero).AsUInt64()) * prime;
        a = (a ^ Vector256.ShiftRightLogical(b, 17)) * prime ^ b;
        c = (c ^ Vector256.ShiftRightLogical(d, 17)) * prime ^ d;
        return (a ^ Vector256.ShiftRightLogical(a, 32)) * prime + c;
    }

    /// <summary>Assembles and factors K unless the factor at hand has the same tangents.</summary>
    /// <returns>Lanes4 whose K is singular.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private byte Factor(byte active)
    {
        byte same = Lane4.Bits(Vector256.Equals(_hash, _factored).AsDouble());
        if (_hasFactor && (active & ~same) == 0) return 0;
        _ldl.Clear();
        var storage = _ldl.Storage;
        foreach (var group in _model.Groups)
        {
            int nodes = group.Nodes, points = group.Points, size = nodes * _dim;
            double[]? loaded = null;
            var ke = _ke.AsSpan(0, size * size);
            for (int e = 0; e < group.Cells.Count; e++)
            {
                var table = group.Tables[group.TableOf[e]];
                if (table != loaded) LoadGradients(loaded = table);
                ke.Clear();
                int at = group.PointOffset + e * points;
                for (int p = 0; p < points; p++)
                    ElementKernels.AddStiffness(_space, nodes, _gradients.AsSpan(p * size, size),
                        _tangent.AsSpan((at + p) * _n * _n, _n * _n), _gradients[points * size + p], true, ke);
                int begin = group.ScatterStart[e], end = group.ScatterStart[e + 1];
                var from = group.ScatterFrom.AsSpan(begin, end - begin);
                var to = group.ScatterTo.AsSpan(begin, end - begin);
                if (group.ScatterWeight.Length == 0)
                    for (int t = 0; t < from.Length; t++) storage[to[t]] += ke[from[t]];
                else
                    for (int t = 0; t < from.Length; t++)
                        storage[to[t]] = Lane4.Fma(Lane4.Of(group.ScatterWeight[begin + t]), ke[from[t]], storage[to[t]]);
            }
        }
        AddSprings(storage);
        byte singular = _ldl.Factor(active, requirePositive: false);
        (_hasFactor, _factored) = (singular == 0, _hash);
        if (_borders > 0) SolveBorders();
        return singular;
    }

    private void AddSprings(Span<Lanes4> storage)
    {
        var pins = _model.Constraints.RotationPins;
        if (pins.Length == 0) return;
        // As stiff as the pinned value itself: any positive number is exact, this one keeps K well conditioned.
        _springStiffness = Vector256.Abs(storage[_ldl.Slot(_model.Pattern.Find(pins[0], pins[0]))]);
        foreach (int pin in pins) storage[_ldl.Slot(_model.Pattern.Find(pin, pin))] += _springStiffness;
    }

    /// <summary>Z = K′⁻¹ [Gᵀ | e], kept for the multiplier solves.</summary>
    private void SolveBorders()
    {
        var pins = _model.Constraints.RotationPins;
        _bordered.AsSpan().Clear();
        for (int c = 0; c < _multipliers; c++)
            for (int k = 0; k < _unknowns; k++) _bordered[k * _borders + c] = Lane4.Of(_model.Strains[c * _unknowns + k]);
        for (int s = 0; s < pins.Length; s++) _bordered[pins[s] * _borders + _multipliers + s] = Lane4.Of(1);
        _ldl.Solve(_bordered, _borders);
    }

    /// <summary>
    /// Completes columns x₀ = K′⁻¹ b to the bordered solution: with dq = x₀ + Z_G dλ + k Z_e μ the conditions G dq = g and eᵀ dq = μ are a
    /// small dense system per lane.
    /// </summary>
    private void CompleteColumns(Span<Lanes4> x, int columns, ReadOnlySpan<Lanes4> target, Span<Lanes4> multipliers)
    {
        var pins = _model.Constraints.RotationPins;
        int m = _borders;
        Span<Lanes4> matrix = stackalloc Lanes4[m * m], rhs = stackalloc Lanes4[m * columns];
        for (int c = 0; c < m; c++)
        {
            var scale = c < _multipliers ? Lane4.Of(1) : _springStiffness;
            for (int r = 0; r < _multipliers; r++) matrix[r * m + c] = MeanStrain(r, _bordered, m, c) * scale;
            for (int s = 0; s < pins.Length; s++)
                matrix[(_multipliers + s) * m + c] = _bordered[pins[s] * m + c] * scale - Lane4.Of(c == _multipliers + s ? 1 : 0);
        }
        for (int k = 0; k < columns; k++)
        {
            for (int r = 0; r < _multipliers; r++) rhs[r * columns + k] = target[r * columns + k] - MeanStrain(r, x, columns, k);
            for (int s = 0; s < pins.Length; s++) rhs[(_multipliers + s) * columns + k] = -x[pins[s] * columns + k];
        }
        for (int lane = 0; lane < Lane4.Width; lane++)
        {
            for (int k = 0; k < m * m; k++) _dense[k] = matrix[k][lane];
            for (int k = 0; k < m * columns; k++) _denseRhs[k] = rhs[k][lane];
            bool solved = SmallMatrix.Solve(m, _dense.AsSpan(0, m * m), _denseRhs.AsSpan(0, m * columns), columns);
            for (int k = 0; k < m * columns; k++) rhs[k] = rhs[k].WithElement(lane, solved ? _denseRhs[k] : double.NaN);
        }
        for (int k = 0; k < columns; k++)
            for (int c = 0; c < m; c++)
            {
                var value = rhs[c * columns + k] * (c < _multipliers ? Lane4.Of(1) : _springStiffness);
                if (c < _multipliers) multipliers[c * columns + k] = value;
                for (int i = 0; i < _unknowns; i++) x[i * columns + k] = Lane4.Fma(_bordered[i * m + c], value, x[i * columns + k]);
            }
    }

    private void SolveMultipliers(ReadOnlySpan<Lanes4> q, byte step)
    {
        Span<Lanes4> target = stackalloc Lanes4[_n], answer = stackalloc Lanes4[_n];
        for (int c = 0; c < _n; c++) target[c] = -MeanStrain(c, q);
        CompleteColumns(_columns.AsSpan(0, _unknowns), 1, target, answer);
        var mask = Lane4.Mask(step);
        for (int c = 0; c < _n; c++) _multiplierStep[c] = Lane4.Select(mask, answer[c], _multiplierStep[c]);
    }

    /// <summary>C̄ by static condensation of the factored K.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Condense(Span<Lanes4> tangent, Span<Lanes4> state)
    {
        // L as nodal columns: the force of each column of C; C is symmetric, so row c serves as column c.
        _coupling.AsSpan().Clear();
        _meanTangent.AsSpan().Clear();
        foreach (var group in _model.Groups)
        {
            int nodes = group.Nodes, points = group.Points, size = nodes * _dim;
            double[]? loaded = null;
            for (int e = 0; e < group.Cells.Count; e++)
            {
                var table = group.Tables[group.TableOf[e]];
                if (table != loaded) LoadGradients(loaded = table);
                _me.AsSpan(0, _n * size).Clear();
                int at = group.PointOffset + e * points;
                for (int p = 0; p < points; p++)
                {
                    var w = _gradients[points * size + p];
                    var c = _tangent.AsSpan((at + p) * _n * _n, _n * _n);
                    for (int k = 0; k < _n; k++)
                        ElementKernels.AddForce(_space, nodes, _gradients.AsSpan(p * size, size), c.Slice(k * _n, _n), w, _me.AsSpan(k * size, size));
                    for (int k = 0; k < _n * _n; k++) _meanTangent[k] = Lane4.Fma(w, c[k], _meanTangent[k]);
                }
                var ids = group.Cells.Nodes(e);
                for (int a = 0; a < nodes; a++)
                    for (int i = 0; i < _dim; i++)
                        for (int k = 0; k < _n; k++)
                            _coupling[(ids[a] * _dim + i) * _n + k] += _me[k * size + a * _dim + i];
            }
        }

        var constraints = _model.Constraints;
        var columns = _columns.AsSpan(0, _unknowns * _n);
        columns.Clear();
        for (int d = 0; d < _f.Length; d++)
            for (int t = constraints.Start[d]; t < constraints.Start[d + 1]; t++)
            {
                var w = Lane4.Of(-constraints.Weight[t]);
                for (int k = 0; k < _n; k++)
                {
                    int to = constraints.Unknown[t] * _n + k;
                    columns[to] = Lane4.Fma(w, _coupling[d * _n + k], columns[to]);
                }
            }
        _ldl.Solve(columns, _n);
        if (_borders > 0)
        {
            Span<Lanes4> none = stackalloc Lanes4[_n * _n], multipliers = stackalloc Lanes4[_n * _n];
            none.Clear();
            CompleteColumns(columns, _n, none, multipliers);
            multipliers.CopyTo(state[(_model.SensitivityOffset + _unknowns * _n)..]);
        }
        columns.CopyTo(state[_model.SensitivityOffset..]);
        // ⟨C⟩ + (1/V) Lᵀ ∂q/∂ε̄; expanding q to the nodes avoids keeping the reduced L
        Span<Lanes4> sum = stackalloc Lanes4[81], nodal = stackalloc Lanes4[9];
        for (int k = 0; k < _n * _n; k++) sum[k] = _meanTangent[k];
        for (int d = 0; d < _f.Length; d++)
        {
            if (constraints.Start[d] == constraints.Start[d + 1]) continue;
            nodal.Clear();
            for (int t = constraints.Start[d]; t < constraints.Start[d + 1]; t++)
            {
                var w = Lane4.Of(constraints.Weight[t]);
                for (int k = 0; k < _n; k++) nodal[k] = Lane4.Fma(w, columns[constraints.Unknown[t] * _n + k], nodal[k]);
            }
            for (int r = 0; r < _n; r++)
            {
                var l = _coupling[d * _n + r];
                for (int k = 0; k < _n; k++) sum[r * _n + k] = Lane4.Fma(l, nodal[k], sum[r * _n + k]);
            }
        }
        var volume = Lane4.Of(1 / _model.BoxVolume);
        for (int k = 0; k < _n * _n; k++) tangent[k] = sum[k] * volume;
    }

    private static Span<double> Doubles(Span<Lanes4> lanes) => MemoryMarshal.Cast<Lanes4, double>(lanes);

    private static ReadOnlySpan<double> Doubles(ReadOnlySpan<Lanes4> lanes) => MemoryMarshal.Cast<Lanes4, double>(lanes);
}
