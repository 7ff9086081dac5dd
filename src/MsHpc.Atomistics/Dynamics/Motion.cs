using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>What went wrong within a step; <see cref="MolecularDynamics"/> restores the state before it and reports.</summary>
internal sealed class StepFailure(string reason) : Exception(reason);

/// <summary>
/// The moves that integrators are made of, on the arrays of a <see cref="Domain"/>: kick, drift, forces, kinetic energy, scaling. Wide, nothing is
/// allocated after the first step.
/// </summary>
/// <remarks>Units: v in Å/fs, F in eV/Å, m in u, so that a = F/(m C) with C = 1 u Å²/fs² in eV = 103.6427. Padding has F = 0, v = 0 and stays.</remarks>
public sealed unsafe class Motion
{
    private const double C = Codata.MassVelocitySquaredInEv;
    private readonly AlignedArray<double> _inverseMass = new(), _before = new(), _bath = new();
    private readonly MdOptions _options;
    private readonly long[] _ids;
    private readonly byte[]? _held; // bit k: direction k of this atom does not follow the forces; by tag
    private readonly bool[]? _inBath; // atoms a thermostat acts on, by tag; null: all
    private int _generation = -1;
    private double _farthest; // since the last Moved, Å
    private readonly Constraints? _constraints;
    private int[] _heldSlots = [];
    private int _heldCount;
    private readonly int _heldDirections;
    private long _lastWork;

    internal Motion(Domain domain, ForceField forceField, MdOptions options, Atoms atoms, Integrator integrator)
    {
        int[]? bath = integrator.BathGroup;
        (Domain, ForceField, _options, _ids, _startCell) = (domain, forceField, options, atoms.Ids, atoms.Cell);
        if (options.Driven.Count > 0)
        {
            _held = new byte[atoms.Count];
            foreach (var group in options.Driven)
                foreach (int i in group.Atoms)
                    for (int k = 0; k < 3; k++)
                        if (group.Velocity(k) is not null) _held[i] |= (byte)(1 << k);
        }
        if (bath is not null || _held is not null)
        {
            _inBath = new bool[atoms.Count];
            if (bath is null) Array.Fill(_inBath, true);
            else foreach (int i in bath) _inBath[i] = (uint)i < (uint)atoms.Count ? true : throw new InputException($"the thermostat's group names atom index {i}; there are {atoms.Count} atoms");
            for (int i = 0; i < atoms.Count; i++) if (_held is not null && _held[i] != 0) _inBath[i] = false;
        }
        var held = atoms.Topology?.Constraints ?? [];
        if (held.Count > 0) _constraints = new Constraints(atoms);
        double removedInBath = 0;
        foreach (var (i, j, _) in held)
        {
            if (_held is not null && (_held[i] | _held[j]) != 0)
                throw new InputException($"atoms {_ids[i]} and {_ids[j]} are held at a distance and one of them does not follow the forces: leave such molecules out of fixed and driven groups, or their constraints out of the topology");
            if (_inBath is null) continue;
            if (_inBath[i] != _inBath[j]) throw new InputException($"atoms {_ids[i]} and {_ids[j]} are held at a distance and the thermostat's group has one of them: take whole molecules");
            if (_inBath[i]) removedInBath++;
        }
        Span<long> free = [atoms.Count, atoms.Count, atoms.Count];
        for (int i = 0; _held is not null && i < atoms.Count; i++)
            for (int k = 0; k < 3; k++) free[k] -= _held[i] >> k & 1;
        for (int i = 0; _held is not null && i < atoms.Count; i++) _heldDirections |= _held[i];
        long inBath = _inBath is null ? atoms.Count : _inBath.LongCount(b => b), all = 0;
        // Scaling the velocities of some atoms changes the momentum of all.
        bool conserves = integrator.ConservesMomentum && !options.ExternalForces && atoms.Count > 1 && (integrator is not Thermostat || inBath == atoms.Count);
        for (int k = 0; k < 3; k++) all += free[k] - (conserves && free[k] == atoms.Count ? 1 : 0);
        DegreesOfFreedom = Math.Max(1, all - held.Count);
        if (bath is not null && inBath == 0) throw new InputException("the thermostat's group holds no atom that is free to move");
        BathDegreesOfFreedom = inBath == atoms.Count ? DegreesOfFreedom : Math.Max(1, 3 * inBath - removedInBath);
    }

    /// <summary>Atoms.</summary>
    public Domain Domain { get; }

    /// <summary>Forces.</summary>
    public ForceField ForceField { get; }

    /// <summary>Ranks.</summary>
    public Comm Comm => Domain.Comm;

    /// <summary>Δt, fs.</summary>
    public double TimeStep => _options.TimeStep;

    /// <summary>Seed of all random numbers.</summary>
    public ulong Seed => _options.Seed;

    /// <summary>Number of the step that is being made, from 1.</summary>
    public long Step { get; internal set; }

    /// <summary>What the forces of this step are asked for.</summary>
    public Want Want { get; internal set; }

    /// <summary>Energy and virial of all ranks at the last positions, without the forces of constraints (<see cref="Virial"/>).</summary>
    public Tally Tally { get; set; }

    /// <summary>Σ m v ⊗ v, eV, all ranks, at the last <see cref="MeasureKinetic"/>; xx, yy, zz, yz, xz, xy.</summary>
    public VirialSum Kinetic { get; private set; }

    /// <summary>Kinetic energy, eV, at the last <see cref="MeasureKinetic"/>.</summary>
    public double KineticEnergy => 0.5 * (Kinetic[0] + Kinetic[1] + Kinetic[2]);

    /// <summary>N_f of the whole system.</summary>
    public double DegreesOfFreedom { get; }

    /// <summary>N_f of what the thermostat acts on: that of the whole system, or 3 N less constraints of a part, whose momentum is not conserved.</summary>
    public double BathDegreesOfFreedom { get; }

    /// <summary>Whether constraints hold distances.</summary>
    public bool Constrained => _constraints is not null;

    /// <summary>Whether some atoms are held or driven.</summary>
    public bool Holds => _held is not null;

    /// <summary>Whether the thermostat leaves some atoms alone.</summary>
    public bool PartBath => _inBath is not null;

    /// <summary>1/(m C) of each owned slot, Å²/(eV fs²); padding 1/C.</summary>
    public double* InverseMass => _inverseMass.Pointer;

    /// <summary>1 where the thermostat acts, 0 elsewhere, per owned slot; only with <see cref="PartBath"/>.</summary>
    public double* Bath => _bath.Pointer;

    /// <summary>Brings per-slot arrays in line with the domain's order.</summary>
    public void Refresh()
    {
        if (_generation == Domain.Generation) return;
        _generation = Domain.Generation;
        int slots = Domain.OwnedSlots;
        double* w = _inverseMass.Require(slots + 8), mass = Domain.Mass;
        for (int s = 0; s < slots; s++) w[s] = 1 / (mass[s] * C);
        if (_inBath is not null)
        {
            double* bath = _bath.Require(slots + 8);
            for (int s = 0; s < slots; s++) bath[s] = Domain.Tag[s] >= 0 && _inBath[Domain.Tag[s]] ? 1 : 0;
        }
        if (_held is null) return;
        _heldCount = 0;
        for (int s = 0; s < slots; s++)
        {
            int i = Domain.Tag[s];
            if (i < 0 || _held[i] == 0) continue;
            if (_heldCount == _heldSlots.Length) Array.Resize(ref _heldSlots, Math.Max(64, 2 * _heldCount));
            _heldSlots[_heldCount++] = 8 * s + _held[i];
        }
    }

    /// <summary>Forces, energy and virial of all terms at the present positions, ghosts included.</summary>
    public void ComputeForces()
    {
        Tally = ForceField.Compute(Domain, Want);
        Refresh();
        ReleaseHeld();
        if (_options.Deformation is not null && Step > _lastWork)
        {
            // The second half of the step's work; not for evaluations between steps.
            HalfWork();
            _lastWork = Step;
        }
        if (!double.IsFinite(Tally.Energy)) throw new StepFailure("the potential energy is not a finite number");
    }

    /// <summary>Forces of some terms at the present positions in <see cref="Domain.F"/>; adds this rank's energy and virial to <paramref name="tally"/>.</summary>
    internal void ComputeForces(IReadOnlyList<Interaction> terms, Want want, ref Tally tally)
    {
        ForceField.ComputeLocal(Domain, want, ref tally, terms);
        Refresh();
        ReleaseHeld();
    }

    /// <summary>Makes the sum over ranks of <paramref name="local"/> the <see cref="Tally"/>. Collective.</summary>
    internal void Conclude(in Tally local)
    {
        Span<double> sums = stackalloc double[7];
        // Of an evaluation between, by a fast group, the energy is forgotten, but not that it failed.
        sums[0] = ForceField.Failure is null ? local.Energy : double.NaN;
        for (int k = 0; k < 6; k++) sums[1 + k] = local.Virial[k];
        Comm.AllReduceSum(sums);
        if (double.IsNaN(sums[0])) ThrowFailure();
        var tally = new Tally { Energy = sums[0] };
        for (int k = 0; k < 6; k++) tally.Virial[k] = sums[1 + k];
        Tally = tally;
        if (!double.IsFinite(Tally.Energy)) throw new StepFailure("the potential energy is not a finite number");
    }

    /// <summary>Held directions feel no force.</summary>
    internal void ReleaseHeld()
    {
        for (int n = 0; n < _heldCount; n++)
        {
            int s = _heldSlots[n] >> 3;
            double* f = Domain.F + (s / 8 * 24 + s % 8);
            for (int k = 0; k < 3; k++) if ((_heldSlots[n] >> k & 1) != 0) f[8 * k] = 0;
        }
    }

    /// <summary>v += dt F/m.</summary>
    public void Kick(double dt) => Kick(dt, Domain.F);

    /// <summary>As above with other forces, laid out as <see cref="Domain.F"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Kick(double dt, double* forces)
    {
        double* v = Domain.V, f = forces, w = InverseMass;
        var h = Lane.Of(dt);
        for (int c = 0; c < Domain.OwnedClusters; c++, v += 24, f += 24, w += 8)
        {
            var a = h * Vector512.Load(w);
            Lane.Fma(a, Vector512.Load(f), Vector512.Load(v)).Store(v);
            Lane.Fma(a, Vector512.Load(f + 8), Vector512.Load(v + 8)).Store(v + 8);
            Lane.Fma(a, Vector512.Load(f + 16), Vector512.Load(v + 16)).Store(v + 16);
        }
        Constrain();
    }

    /// <summary>r += dt v.</summary>
    public void Drift(double dt) => KickDrift(0, dt);

    /// <summary>v += kick F/m, then r += drift v; one pass.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void KickDrift(double kick, double drift)
    {
        if (Constrained) CopyBefore();
        double* x = Domain.X, v = Domain.V, f = Domain.F, w = InverseMass;
        Lanes h = Lane.Of(kick), t = Lane.Of(drift), fastest = Lanes.Zero;
        for (int c = 0; c < Domain.OwnedClusters; c++, x += 24, v += 24, f += 24, w += 8)
        {
            Lanes vx = Vector512.Load(v), vy = Vector512.Load(v + 8), vz = Vector512.Load(v + 16);
            if (kick != 0)
            {
                var a = h * Vector512.Load(w);
                vx = Lane.Fma(a, Vector512.Load(f), vx);
                vy = Lane.Fma(a, Vector512.Load(f + 8), vy);
                vz = Lane.Fma(a, Vector512.Load(f + 16), vz);
                vx.Store(v);
                vy.Store(v + 8);
                vz.Store(v + 16);
            }
            Lane.Fma(t, vx, Vector512.Load(x)).Store(x);
            Lane.Fma(t, vy, Vector512.Load(x + 8)).Store(x + 8);
            Lane.Fma(t, vz, Vector512.Load(x + 16)).Store(x + 16);
            fastest = Vector512.Max(fastest, Lane.Fma(vz, vz, Lane.Fma(vy, vy, vx * vx)));
        }
        Drifted(fastest, drift, null);
    }

    private void Drifted(Lanes fastest, double drift, Cell? before)
    {
        double most = 0;
        for (int l = 0; l < 8; l++) most = double.IsNaN(fastest[l]) ? double.NaN : Math.Max(most, fastest[l]);
        _farthest += Math.Sqrt(most) * drift;
        if (_constraints is null) return;
        try { _constraints.Positions(Domain, _before.Pointer, drift, before); }
        catch (NumericalException e) when (Comm.Size > 1) { _failure ??= e; }
    }

    /// <summary>Virial of all forces, eV, those that hold constraints included: they belong to the present velocities, so that whoever scales these
    /// leaves nothing out of date. Needs all forces in <see cref="Domain.F"/> and a <see cref="Tally"/> with a virial. Collective.</summary>
    internal VirialSum Virial()
    {
        var virial = Tally.Virial;
        if (_constraints is null) return virial;
        var sum = new VirialSum();
        try { sum = _constraints.Virial(Domain, Domain.F); }
        catch (NumericalException e) when (Comm.Size > 1)
        {
            _failure ??= e;
            sum[0] = double.NaN;
        }
        Comm.AllReduceSum(sum);
        if (double.IsNaN(sum[0])) ThrowFailure();
        for (int k = 0; k < 6; k++) virial[k] += sum[k];
        return virial;
    }

    /// <summary>Brings positions that almost satisfy the constraints, and velocities, to satisfy them: for a start. Collective.</summary>
    internal void Fit()
    {
        if (_constraints is null) return;
        CopyBefore();
        NumericalException? failure = null;
        try
        {
            _constraints.Positions(Domain, _before.Pointer, 0);
            _constraints.Velocities(Domain);
        }
        catch (NumericalException e) { failure = e; }
        Together.Check(Comm, failure);
        Domain.Rebuild();
    }

    private void CopyBefore()
    {
        int n = 24 * Domain.OwnedClusters;
        _before.Require(n);
        new Span<double>(Domain.X, n).CopyTo(_before.Span(n));
    }

    /// <summary>After a drift: stops an atom that went too far, begins to move ghosts or rebuilds. Collective.</summary>
    public void Moved()
    {
        if (_options.Deformation is { } deformation) Deform(deformation.Rate);
        Span<double> most = [Domain.ListDisplacementSquared(), (_failure ?? ForceField.Failure) is null ? _farthest : double.NaN];
        Comm.AllReduceMax(most);
        _farthest = 0;
        if (double.IsNaN(most[1])) ThrowFailure();
        if (!(most[1] <= _options.MaxMove)) throw new StepFailure($"an atom would move more than {_options.MaxMove} Å in one step");
        if (!double.IsFinite(most[0])) throw new StepFailure("a position is not a finite number");
        if (Domain.NeedsRebuild(most[0]))
        {
            Domain.Rebuild();
            Refresh();
            long owned = Comm.AllReduceSum((long)Domain.Owned);
            if (owned != Domain.AtomCount) throw new StepFailure(Lost());
        }
        else Domain.BeginGhosts();
    }

    private string Lost()
    {
        var owners = new long[Domain.AtomCount];
        for (int s = 0; s < Domain.OwnedSlots; s++) if (Domain.Tag[s] >= 0) owners[Domain.Tag[s]]++;
        Comm.AllReduceSum(owners);
        long[] lost = [.. _ids.Where((_, i) => owners[i] != 1)];
        return $"{lost.Length} atoms were lost or are owned twice: {string.Join(", ", lost.Take(10))}{(lost.Length > 10 ? " …" : "")}";
    }

    /// <summary>What steps of another length before a restart took beyond those of this run, fs.</summary>
    internal double Earlier { get; set; }

    /// <summary>fs since step 0 at a step, with the present time step.</summary>
    internal double TimeAt(long step) => Earlier + step * TimeStep;

    // The cell and the time from which the deformation counts.
    private Cell _startCell;
    private double _startTime;

    private double[] Rate => _options.Deformation?.Rate ?? new double[9];

    /// <summary>Rates (9), the cell (9) and the time (1) from which they count.</summary>
    internal double[] DeformationState => [.. Rate, .. _startCell.Rows, _startTime];

    /// <summary>After a restart: the same rates go on from where they began, others begin with the present cell.</summary>
    internal void ResumeDeformation(double[] state)
    {
        bool same = state.AsSpan(0, 9).SequenceEqual(Rate);
        _lastWork = Step;
        (_startCell, _startTime) = same ? (Domain.Cell.WithRows(state.AsSpan(9, 9)), state[18]) : (Domain.Cell, TimeAt(Step));
    }

    /// <summary>Work done on the atoms by the deformation (and taken out with the motion of the centre of mass), eV, 1 number: dU = −W : (E − 1), E the stretch of one step, W at its beginning and end averaged.</summary>
    internal double[] Work { get; } = new double[1];

    private void Deform(double[] rate)
    {
        Span<double> e = [1, 0, 0, 0, 1, 0, 0, 0, 1];
        for (int k = 0; k < 9; k++) e[k] += rate[k] * (TimeAt(Step) - _startTime);
        var before = Domain.Cell;
        Domain.SetCell(Stretched(_startCell, e), moveAtoms: true);
        ReadOnlySpan<double> h = Domain.Cell.Rows, g = before.Reciprocal;
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                _strain[3 * i + j] = h[i] * g[j] + h[3 + i] * g[3 + j] + h[6 + i] * g[6 + j] - (i == j ? 1 : 0);
        HalfWork();
    }

    private readonly double[] _strain = new double[9];

    private void HalfWork()
    {
        var w = Tally.Virial;
        double[] e = _strain;
        Work[0] -= 0.5 * (w[0] * e[0] + w[1] * e[4] + w[2] * e[8] + w[3] * (e[5] + e[7]) + w[4] * (e[2] + e[6]) + w[5] * (e[1] + e[3]));
    }

    /// <summary>One step of velocity Verlet.</summary>
    internal void VerletStep()
    {
        KickDrift(0.5 * TimeStep, TimeStep);
        Moved();
        ComputeForces();
        FinalKick(0.5 * TimeStep);
    }

    /// <summary>The last kick of a step, and the kinetic energy after it; one pass. Collective.</summary>
    public void FinalKick(double dt)
    {
        if (Constrained)
        {
            Kick(dt);
            MeasureKinetic();
        }
        else Measure(dt);
    }

    /// <summary>Sums <see cref="Kinetic"/>. Collective.</summary>
    public void MeasureKinetic() => Measure(0);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Measure(double kick)
    {
        Span<double> sum = stackalloc double[6];
        double* v = Domain.V, f = Domain.F, w = InverseMass, m = Domain.Mass;
        Lanes h = Lane.Of(kick), xx = Lanes.Zero, yy = Lanes.Zero, zz = Lanes.Zero, yz = Lanes.Zero, xz = Lanes.Zero, xy = Lanes.Zero;
        for (int c = 0; c < Domain.OwnedClusters; c++, v += 24, f += 24, w += 8, m += 8)
        {
            Lanes vx = Vector512.Load(v), vy = Vector512.Load(v + 8), vz = Vector512.Load(v + 16), mass = Vector512.Load(m);
            if (kick != 0)
            {
                var a = h * Vector512.Load(w);
                vx = Lane.Fma(a, Vector512.Load(f), vx);
                vy = Lane.Fma(a, Vector512.Load(f + 8), vy);
                vz = Lane.Fma(a, Vector512.Load(f + 16), vz);
                vx.Store(v);
                vy.Store(v + 8);
                vz.Store(v + 16);
            }
            Lanes px = mass * vx, py = mass * vy;
            xx = Lane.Fma(px, vx, xx);
            yy = Lane.Fma(py, vy, yy);
            zz = Lane.Fma(mass * vz, vz, zz);
            yz = Lane.Fma(py, vz, yz);
            xz = Lane.Fma(px, vz, xz);
            xy = Lane.Fma(px, vy, xy);
        }
        (sum[0], sum[1], sum[2]) = (Vector512.Sum(xx), Vector512.Sum(yy), Vector512.Sum(zz));
        (sum[3], sum[4], sum[5]) = (Vector512.Sum(yz), Vector512.Sum(xz), Vector512.Sum(xy));
        // Held directions do not count.
        for (int n = 0; n < _heldCount; n++)
        {
            int s = _heldSlots[n] >> 3, held = _heldSlots[n] & 7;
            double* u = Domain.V + (s / 8 * 24 + s % 8);
            for (int k = 0; k < 6; k++)
            {
                var (a, b) = k switch { 0 => (0, 0), 1 => (1, 1), 2 => (2, 2), 3 => (1, 2), 4 => (0, 2), _ => (0, 1) };
                if ((held >> a & 1) != 0 || (held >> b & 1) != 0) sum[k] -= Domain.Mass[s] * u[8 * a] * u[8 * b];
            }
        }
        if (_failure is not null) sum[0] = double.NaN;
        Comm.AllReduceSum(sum);
        if (double.IsNaN(sum[0])) ThrowFailure();
        var kinetic = new VirialSum();
        for (int k = 0; k < 6; k++) kinetic[k] = C * sum[k];
        Kinetic = kinetic;
    }

    /// <summary>Kinetic energy of what the thermostat acts on, eV. Collective.</summary>
    public double BathKineticEnergy()
    {
        if (!PartBath) return KineticEnergy;
        double* v = Domain.V, m = Domain.Mass, bath = Bath;
        var sum = Lanes.Zero;
        for (int c = 0; c < Domain.OwnedClusters; c++, v += 24, m += 8, bath += 8)
        {
            Lanes vx = Vector512.Load(v), vy = Vector512.Load(v + 8), vz = Vector512.Load(v + 16);
            sum = Lane.Fma(Vector512.Load(m) * Vector512.Load(bath), Lane.Fma(vz, vz, Lane.Fma(vy, vy, vx * vx)), sum);
        }
        return 0.5 * C * Comm.AllReduceSum(Vector512.Sum(sum));
    }

    /// <summary>Velocities of what the thermostat acts on times a factor; <see cref="Kinetic"/> follows. Collective.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Scale(double factor)
    {
        double* v = Domain.V, bath = PartBath ? Bath : null;
        for (int c = 0; c < Domain.OwnedClusters; c++, v += 24)
        {
            var s = bath == null ? Lane.Of(factor) : Lane.Select(Vector512.Equals(Vector512.Load(bath + 8 * c), Lanes.Zero), Lanes.One, Lane.Of(factor));
            (s * Vector512.Load(v)).Store(v);
            (s * Vector512.Load(v + 8)).Store(v + 8);
            (s * Vector512.Load(v + 16)).Store(v + 16);
        }
        if (PartBath)
        {
            MeasureKinetic();
            return;
        }
        var kinetic = Kinetic;
        for (int k = 0; k < 6; k++) kinetic[k] *= factor * factor;
        Kinetic = kinetic;
    }

    /// <summary>Brings positions onto the constraints, along the bonds of reference positions that satisfy them, laid out as <see cref="Domain.X"/>.</summary>
    internal void Hold(double* reference)
    {
        if (_constraints is null) return;
        try { _constraints.Positions(Domain, reference, 0); }
        catch (NumericalException e) when (Comm.Size > 1) { _failure ??= e; }
    }

    /// <summary>Removes velocity components along constraints.</summary>
    /// <param name="flow">Velocity gradient of the cell, 9 numbers, rows, 1/fs, against which velocities are counted; empty: none.</param>
    public void Constrain(ReadOnlySpan<double> flow = default)
    {
        if (_constraints is null) return;
        try { _constraints.Velocities(Domain, flow); }
        catch (NumericalException e) when (Comm.Size > 1) { _failure ??= e; }
    }

    /// <summary>What this rank alone found; the next sum or maximum over the ranks tells the others.</summary>
    private NumericalException? _failure;

    /// <summary>Throws on all ranks what one of them found, if any did. Collective.</summary>
    internal void ThrowFailure()
    {
        var failure = _failure ?? ForceField.Failure;
        (_failure, ForceField.Failure) = (null, null);
        Together.Check(Comm, failure);
    }

    /// <summary>v ← A v + B F/m (3 × 3, rows), held directions excepted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void KickFlow(double[] a, double[] b)
    {
        KeepHeld();
        double* v = Domain.V, f = Domain.F, w = InverseMass;
        for (int c = 0; c < Domain.OwnedClusters; c++, v += 24, f += 24, w += 8)
        {
            var m = Vector512.Load(w);
            Lanes vx = Vector512.Load(v), vy = Vector512.Load(v + 8), vz = Vector512.Load(v + 16);
            Lanes fx = m * Vector512.Load(f), fy = m * Vector512.Load(f + 8), fz = m * Vector512.Load(f + 16);
            for (int k = 0; k < 3; k++)
            {
                var u = Lane.Fma(Lane.Of(b[3 * k]), fx, Lane.Fma(Lane.Of(b[3 * k + 1]), fy, Lane.Of(b[3 * k + 2]) * fz));
                Lane.Fma(Lane.Of(a[3 * k]), vx, Lane.Fma(Lane.Of(a[3 * k + 1]), vy, Lane.Fma(Lane.Of(a[3 * k + 2]), vz, u))).Store(v + 8 * k);
            }
        }
        RestoreHeld();
    }

    /// <summary>r ← o + E (r − o) + D v, cell ← E cell, o its origin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void DriftFlow(double[] e, double[] d, double dt)
    {
        if (Constrained) CopyBefore();
        double* x = Domain.X, v = Domain.V;
        var o = Domain.Cell.Origin;
        Lanes fastest = Lanes.Zero, ox = Lane.Of(o[0]), oy = Lane.Of(o[1]), oz = Lane.Of(o[2]);
        for (int c = 0; c < Domain.OwnedClusters; c++, x += 24, v += 24)
        {
            Lanes vx = Vector512.Load(v), vy = Vector512.Load(v + 8), vz = Vector512.Load(v + 16), atoms = Domain.Atoms(8 * c);
            Lanes rx = Vector512.Load(x) - ox, ry = Vector512.Load(x + 8) - oy, rz = Vector512.Load(x + 16) - oz;
            for (int k = 0; k < 3; k++)
            {
                var u = Lane.Fma(Lane.Of(d[3 * k]), vx, Lane.Fma(Lane.Of(d[3 * k + 1]), vy, Lane.Fma(Lane.Of(d[3 * k + 2]), vz, Lane.Of(o[k]))));
                var r = Lane.Fma(Lane.Of(e[3 * k]), rx, Lane.Fma(Lane.Of(e[3 * k + 1]), ry, Lane.Fma(Lane.Of(e[3 * k + 2]), rz, u)));
                Lane.Select(atoms, r, Vector512.Load(x + 8 * k)).Store(x + 8 * k);
            }
            fastest = Vector512.Max(fastest, Lane.Fma(vz, vz, Lane.Fma(vy, vy, vx * vx)));
        }
        var before = Domain.Cell;
        Domain.SetCell(Stretched(before, e), moveAtoms: false);
        Drifted(fastest, dt, before);
    }

    /// <summary>A cell stretched by a matrix (rows).</summary>
    private static Cell Stretched(Cell cell, ReadOnlySpan<double> e)
    {
        Span<double> rows = stackalloc double[9];
        var h = cell.Rows;
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < 3; k++) rows[3 * i + k] = e[3 * k] * h[3 * i] + e[3 * k + 1] * h[3 * i + 1] + e[3 * k + 2] * h[3 * i + 2];
        // What the dynamics made of the cell is no fault of the input.
        try { return cell.WithRows(rows); }
        catch (InputException) { throw new StepFailure("the cell collapsed or ran away: the pressure is beyond what the material bears, or the barostat or the deformation is too fast"); }
    }

    /// <summary>Stretches cell and positions by a matrix (rows); velocities stay.</summary>
    internal void StretchCell(ReadOnlySpan<double> e) =>
        Domain.SetCell(Stretched(Domain.Cell, e), moveAtoms: true);

    private double[] _heldVelocities = [];

    private void KeepHeld()
    {
        if (_heldVelocities.Length < 3 * _heldCount) _heldVelocities = new double[3 * _heldCount];
        for (int n = 0; n < 3 * _heldCount; n++)
        {
            int s = _heldSlots[n / 3] >> 3;
            _heldVelocities[n] = Domain.V[s / 8 * 24 + s % 8 + n % 3 * 8];
        }
    }

    private void RestoreHeld()
    {
        for (int n = 0; n < 3 * _heldCount; n++)
        {
            int s = _heldSlots[n / 3] >> 3;
            if ((_heldSlots[n / 3] >> n % 3 & 1) != 0) Domain.V[s / 8 * 24 + s % 8 + n % 3 * 8] = _heldVelocities[n];
        }
    }

    /// <summary>Brings the centre of mass to rest in the directions in which no atom is held. Collective.</summary>
    /// <returns>Kinetic energy taken out, eV.</returns>
    internal double RemoveMomentum()
    {
        Span<double> sum = [0, 0, 0, 0];
        for (int s = 0; s < Domain.OwnedSlots; s++)
        {
            if (Domain.Tag[s] < 0) continue;
            double m = Domain.Mass[s];
            for (int k = 0; k < 3; k++) sum[k] += m * Domain.V[s / 8 * 24 + s % 8 + 8 * k];
            sum[3] += m;
        }
        Comm.AllReduceSum(sum);
        double taken = 0;
        for (int k = 0; k < 3; k++)
        {
            if (_held is not null && (_heldDirections >> k & 1) != 0) continue;
            double u = sum[k] / sum[3];
            taken += 0.5 * C * sum[3] * u * u;
            for (int s = 0; s < Domain.OwnedSlots; s++) if (Domain.Tag[s] >= 0) Domain.V[s / 8 * 24 + s % 8 + 8 * k] -= u;
        }
        MeasureKinetic();
        return taken;
    }

    /// <summary>Keeps positions and velocities as they are before a step.</summary>
    internal void Remember()
    {
        (_lastWork, _farthest) = (Step - 1, 0);
        Domain.Remember();
    }

    /// <summary>Writes what <see cref="Remember"/> kept. Collective.</summary>
    internal void Recall(Atoms atoms)
    {
        (_failure, ForceField.Failure) = (null, null);
        Domain.Recall(atoms);
        // The forces that come next are not those of the end of a step.
        _lastWork = Step;
    }
}
