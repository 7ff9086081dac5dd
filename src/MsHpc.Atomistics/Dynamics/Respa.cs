using System.Globalization;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>Terms of a force field that are evaluated equally often.</summary>
/// <param name="Name">For the log.</param>
/// <param name="Evaluations">Per outer step; the slowest group has 1.</param>
/// <param name="Interactions">Terms.</param>
public sealed record ForceGroup(string Name, int Evaluations, params Interaction[] Interactions);

/// <summary>
/// Multiple time stepping by impulses, r-RESPA on any number of levels (M. Tuckerman, B. J. Berne, G. J. Martyna, J. Chem. Phys. 97, 1990, 1992):
/// <code>
/// exp(iL Δt) = exp(Δt/2 F_slow ∂_p) [exp(iL_fast Δt/n)]ⁿ exp(Δt/2 F_slow ∂_p),  and so on within L_fast; innermost is velocity Verlet
/// </code>
/// With one group it is velocity Verlet, bit for bit. With a <see cref="Langevin"/> bath its velocity update sits in the middle of each innermost drift.
/// </summary>
/// <remarks>
/// <para>The impulses resonate with fast vibrations (see <see cref="ResonanceBand"/>). Before the first step the fastest vibrations of all groups faster than
/// each level are found (<see cref="Vibrations"/>), with the stiffness that the level adds along them, and those of the level itself with the stiffness of the faster groups along them;
/// an outer step inside a forbidden band of any of these pairs is refused. Vibrations are taken one by one: that is exact where both stiffnesses have the same eigenvectors. What
/// constraints hold does not vibrate.</para>
/// <para>That is the theory of harmonic vibrations about the positions at the start. Heat stiffens them: a perfect lattice underestimates Ω (Lennard-Jones: 17
/// against 25 at kT = 0.15 ε), so <see cref="Check"/> again when the system is hot. And anharmonic vibrations resonate at third and fourth
/// order too, Ω Δt near 2π/3 and π/2 (Q. Ma, J. A. Izaguirre, R. D. Skeel, SIAM J. Sci. Comput. 24, 1951, 2003): that crystal, a tenth of its forces in the slow group, drifts by 0.0015 ε
/// per 1000 time units and atom at 0.4 π, by 0.02 at 0.5 π, by 0.16 at 0.55 π, and flies apart at 0.6 π. The hierarchy says where a step is beyond π/2; it is not
/// refused, since harmonic vibrations are stable there.</para>
/// </remarks>
public sealed unsafe class Respa : Integrator
{
    /// <summary>Modes looked at per level.</summary>
    private const int Modes = 8;

    private sealed class Level(string name, int evaluations, Interaction[] terms)
    {
        public string Name { get; } = name;
        public int Evaluations { get; } = evaluations;
        public Interaction[] Terms { get; } = terms;
        public AlignedArray<double> Forces { get; } = new();
        public Tally Tally;
    }

    private readonly Level[] _levels;
    private readonly Langevin? _bath;
    private readonly bool _allowResonance;
    private string _hierarchy = "";
    private long _draw;

    /// <param name="forceField">All terms.</param>
    /// <param name="groups">Every term in exactly one group; evaluations of each group a multiple of those of the next slower one.</param>
    /// <param name="bath">Langevin thermostat; null: constant energy.</param>
    /// <param name="allowResonance">Run even inside a forbidden band, for studies of the instability itself.</param>
    /// <exception cref="InputException">A term in no group or in two, evaluations that do not divide.</exception>
    public Respa(ForceField forceField, IReadOnlyList<ForceGroup> groups, Langevin? bath = null, bool allowResonance = false)
    {
        var faults = new List<InputFault>();
        void Fault(string text) => faults.Add(new InputFault(null, 0, 0, text));
        var owner = new Dictionary<Interaction, string>(ReferenceEqualityComparer.Instance);
        foreach (var group in groups)
        {
            if (group.Evaluations < 1) Fault($"force group '{group.Name}' has {group.Evaluations} evaluations per step; at least one is needed");
            foreach (var term in group.Interactions)
            {
                if (!forceField.Interactions.Contains(term)) Fault($"force group '{group.Name}' names a term that is not in the force field: {term.Description}");
                if (!owner.TryAdd(term, group.Name)) Fault($"a force would act twice: '{term.Description}' is in the groups '{owner[term]}' and '{group.Name}'");
            }
        }
        foreach (var term in forceField.Interactions)
            if (!owner.ContainsKey(term)) Fault($"a force would not act: '{term.Description}' is in no force group (groups: {string.Join(", ", groups.Select(g => g.Name))})");
        // In the order of the force field, so that one group sums as the force field does.
        _levels = [.. groups.GroupBy(g => g.Evaluations).OrderBy(g => g.Key).Select(g => new Level(string.Join(" + ", g.Select(x => x.Name)), g.Key,
            [.. forceField.Interactions.Where(t => g.Any(x => x.Interactions.Contains(t)))]))];
        for (int k = 0, found = faults.Count; k < _levels.Length && found == 0; k++)
        {
            int slower = k == 0 ? 1 : _levels[k - 1].Evaluations;
            if (k == 0 ? _levels[0].Evaluations != 1 : _levels[k].Evaluations % slower != 0)
                Fault(k == 0 ? $"the slowest force group '{_levels[0].Name}' has {_levels[0].Evaluations} evaluations per step; choose the time step so that it has one"
                    : $"force group '{_levels[k].Name}': {_levels[k].Evaluations} evaluations per step are not a multiple of the {slower} of '{_levels[k - 1].Name}'");
        }
        if (faults.Count > 0) throw new InputException(faults);
        (_bath, _allowResonance) = (bath, allowResonance);
    }

    /// <inheritdoc/>
    public override string Description => "impulse r-RESPA (J. Chem. Phys. 97, 1990), " + string.Join(", ", _levels.Select(l => $"{l.Name}: {l.Evaluations}")) +
        (_bath is null ? "" : "; " + _bath.Description);

    /// <summary>The hierarchy of time steps with the fastest vibrations and forbidden bands; filled before the first step.</summary>
    public string Hierarchy => _hierarchy;

    /// <summary>Looks for vibrations and resonances at the present positions of a run with this rule; the run goes on as if nothing had happened. Collective.</summary>
    /// <returns>The new <see cref="Hierarchy"/>.</returns>
    /// <exception cref="InputException">A step is inside a forbidden band now.</exception>
    public string Check(MolecularDynamics run)
    {
        var domain = run.Motion.Domain;
        double[] forces = new Span<double>(domain.F, 24 * domain.OwnedClusters).ToArray();
        Guard(run.Motion);
        forces.CopyTo(new Span<double>(domain.F, forces.Length));
        return _hierarchy;
    }

    /// <inheritdoc/>
    public override bool ConservesMomentum => _bath is null;

    /// <inheritdoc/>
    public override bool AllowsDeformation => false;

    /// <inheritdoc/>
    public override double Reservoir => _bath?.Reservoir ?? 0;

    internal override int[]? BathGroup => _bath?.BathGroup;

    internal override Span<double> State => _bath is null ? default : _bath.State;

    internal override void Start(Motion m)
    {
        if (_hierarchy.Length == 0) Guard(m);
        for (int k = 0; k < _levels.Length; k++) Compute(m, _levels[k], Want.Forces);
        AddLevels(m);
    }

    /// <summary>All forces, for the virial of constraints.</summary>
    private void AddLevels(Motion m)
    {
        if (!m.Constrained) return;
        double* f = m.Domain.F;
        int n = 24 * m.Domain.OwnedClusters;
        new Span<double>(f, n).Clear();
        foreach (var level in _levels) for (int k = 0; k < n; k++) f[k] += level.Forces.Pointer[k];
    }

    internal override void Step(Motion m)
    {
        _draw = (m.Step - 1) * _levels[^1].Evaluations;
        Advance(m, 0, m.TimeStep, last: true);
        var sum = new Tally();
        foreach (var level in _levels)
        {
            sum.Energy += level.Tally.Energy;
            for (int k = 0; k < 6; k++) sum.Virial[k] += level.Tally.Virial[k];
        }
        m.Conclude(sum);
        m.MeasureKinetic();
        if ((m.Want & Want.Virial) != 0) AddLevels(m);
    }

    private void Advance(Motion m, int k, double dt, bool last)
    {
        var level = _levels[k];
        m.Kick(0.5 * dt, level.Forces.Pointer);
        if (k + 1 < _levels.Length)
        {
            int n = _levels[k + 1].Evaluations / level.Evaluations;
            for (int i = 0; i < n; i++) Advance(m, k + 1, dt / n, last && i == n - 1);
        }
        else if (_bath is null)
        {
            m.Drift(dt);
            m.Moved();
        }
        else
        {
            m.Drift(0.5 * dt);
            _bath.Stir(m, dt, ++_draw);
            m.Drift(0.5 * dt);
            m.Moved();
        }
        Compute(m, level, last ? m.Want : Want.Forces);
        m.Kick(0.5 * dt, level.Forces.Pointer);
    }

    /// <summary>Forces of a level. Those of slower levels that were kept in an older order of atoms are used up: they are computed anew before their next kick.</summary>
    private static void Compute(Motion m, Level level, Want want)
    {
        level.Tally = default;
        m.ComputeForces(level.Terms, want, ref level.Tally);
        int n = 24 * m.Domain.OwnedClusters;
        new Span<double>(m.Domain.F, n).CopyTo(new Span<double>(level.Forces.Require(n), n));
    }

    /// <summary>Finds vibrations, writes the hierarchy, refuses steps inside a band.</summary>
    private void Guard(Motion m)
    {
        var text = new StringBuilder();
        var refusals = new List<InputFault>();
        for (int k = 0; k < _levels.Length; k++)
        {
            double dt = m.TimeStep / _levels[k].Evaluations;
            text.Append(CultureInfo.InvariantCulture, $"level {k + 1}: {_levels[k].Name}, every {dt:g6} fs");
            bool innermost = k == _levels.Length - 1;
            // What moves between two impulses of this level.
            Interaction[] fast = innermost ? _levels[k].Terms : [.. _levels.Skip(k + 1).SelectMany(l => l.Terms)];
            var modes = Vibrations.Fastest(m, fast, Modes, innermost ? null : _levels[k].Terms);
            var own = innermost ? [] : Vibrations.Fastest(m, _levels[k].Terms, Modes, fast);
            if (modes.Count == 0 || modes[0].Omega <= 0) { text.AppendLine("; no vibration found"); continue; }
            double omega = modes[0].Omega;
            text.Append(CultureInfo.InvariantCulture, $"; fastest vibration of {(innermost ? "it" : "faster groups")}: {omega:g5} rad/fs, period {2 * Math.PI / omega:g4} fs");
            if (innermost)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $", {2 * Math.PI / (omega * dt):g4} steps; velocity Verlet is stable below {2 / omega:g5} fs");
                if (omega * dt >= 2)
                    refusals.Add(new InputFault(null, 0, 0, string.Create(CultureInfo.InvariantCulture,
                        $"force group '{_levels[k].Name}': its step {dt:g6} fs is beyond the stability bound of velocity Verlet, 2/Ω = {2 / omega:g5} fs for its fastest vibration (period {2 * Math.PI / omega:g4} fs)")));
                continue;
            }
            ResonanceBand[] bands = [.. modes.Where(mode => mode.Omega > 0).Select(mode => new ResonanceBand(mode.Omega, mode.SlowStiffness)),
                .. own.Where(mode => mode.Omega > 0).Select(mode => new ResonanceBand(Math.Sqrt(Math.Max(mode.SlowStiffness, 1e-12 * mode.Omega * mode.Omega)), mode.Omega * mode.Omega))];
            var (low, high) = bands[0].Edges(1);
            text.AppendLine(CultureInfo.InvariantCulture, $"; first forbidden band {low:g6} … {high:g6} fs");
            var hit = bands.FirstOrDefault(b => b.Forbids(dt));
            if (hit is null)
            {
                if (omega * dt > Math.PI) text.AppendLine(CultureInfo.InvariantCulture,
                    $"  the step is beyond the first band of the fastest vibration: slower ones near Ω = {Math.PI / dt:g4} rad/fs would resonate if there were any");
                else if (omega * dt > 0.5 * Math.PI) text.AppendLine(CultureInfo.InvariantCulture,
                    $"  Ω Δt = {omega * dt / Math.PI:g3} π: anharmonic vibrations may resonate at third and fourth order beyond π/2; watch the drift, {0.5 * Math.PI / omega:g4} fs is safer");
                continue;
            }
            double below = ResonanceBand.Safe(bands, dt, -1), above = ResonanceBand.Safe(bands, dt, 1);
            int evaluations = _levels[k].Evaluations;
            refusals.Add(new InputFault(null, 0, 0, string.Create(CultureInfo.InvariantCulture,
                $"force group '{_levels[k].Name}': impulses every {dt:g6} fs resonate with a vibration of {hit.Omega:g5} rad/fs (period {2 * Math.PI / hit.Omega:g4} fs) of the faster groups, along which this one has Λ² = {hit.SlowStiffness:g4} 1/fs²: "
                + $"Ω Δt = {hit.Omega * dt / Math.PI:g5} π lies in a forbidden band, amplitudes would grow by {hit.Growth(dt):g4} per step. "
                + $"Nearest safe time steps of the run: {below * evaluations:g5} fs and {above * evaluations:g5} fs")));
        }
        _hierarchy = text.ToString();
        if (refusals.Count > 0 && !_allowResonance) throw new InputException(refusals);
        foreach (var refusal in refusals) _hierarchy += $"  allowed on request: {refusal.Message}{Environment.NewLine}";
    }
}

/// <summary>
/// Time steps at which slow impulses pump a fast vibration.
/// </summary>
/// <remarks>
/// Fast oscillator ẍ = −Ω² x, propagated exactly over Δt (φ = Ω Δt), slow force −λ² x as impulses of Δt/2 before and after. In (x, v):
/// <code>
/// M = K R K,  K = [1 0; −λ²Δt/2 1],  R = [cos φ, sin φ/Ω; −Ω sin φ, cos φ],  det M = 1
/// ½ tr M = cos φ − β sin φ = √(1 + β²) cos(φ + atan β),  β = λ²Δt/(2Ω)
/// </code>
/// (tr KRK = tr R K², K² = [1 0; −λ²Δt 1].) The motion is bounded while |½ tr M| ≤ 1, that is unless φ ∈ (nπ − 2 atan β, nπ); there the amplitude grows per step
/// by g = |t| + √(t² − 1), t = ½ tr M, at most √(1 + β²) + β, at φ = nπ − atan β. For β &lt; 0 the band lies above nπ.
/// </remarks>
/// <param name="omega">Ω, rad/fs.</param>
/// <param name="slowStiffness">λ², 1/fs²; may be negative.</param>
public sealed class ResonanceBand(double omega, double slowStiffness)
{
    /// <summary>Ω, rad/fs.</summary>
    public double Omega => omega;

    /// <summary>λ², 1/fs².</summary>
    public double SlowStiffness => slowStiffness;

    private double HalfTrace(double dt) => Math.Cos(omega * dt) - slowStiffness * dt / (2 * omega) * Math.Sin(omega * dt);

    /// <summary>Growth of the amplitude per step; 1 outside the bands.</summary>
    public double Growth(double dt)
    {
        double t = Math.Abs(HalfTrace(dt));
        return t > 1 ? t + Math.Sqrt(t * t - 1) : 1;
    }

    /// <summary>Whether a step lies inside a band.</summary>
    public bool Forbids(double dt) => Math.Abs(HalfTrace(dt)) > 1;

    /// <summary>The n-th band in Δt, fs: between nπ/Ω and the root of Ω Δt + 2 atan(λ²Δt/(2Ω)) = nπ.</summary>
    public (double Low, double High) Edges(int n)
    {
        double edge = n * Math.PI / omega, a = 0, b = 2 * edge;
        double Phase(double dt) => omega * dt + 2 * Math.Atan(slowStiffness * dt / (2 * omega)) - n * Math.PI;
        while (Phase(b) < 0 && b < 1e3 * edge) b *= 2;
        for (int i = 0; i < 200 && b - a > 1e-15 * edge; i++)
        {
            double c = 0.5 * (a + b);
            (a, b) = Phase(c) < 0 ? (c, b) : (a, c);
        }
        double root = 0.5 * (a + b);
        return root < edge ? (root, edge) : (edge, root);
    }

    /// <summary>Nearest step, below (−1) or above (+1), outside all bands, with a margin of 1 %.</summary>
    public static double Safe(IReadOnlyList<ResonanceBand> bands, double dt, int direction)
    {
        // Bands overlap and nest: leave each that is met until none is.
        for (int guard = 0; guard < 10000; guard++)
        {
            var hit = bands.FirstOrDefault(b => b.Forbids(dt));
            if (hit is null) return dt;
            int n = Math.Max(1, (int)Math.Round(hit.Omega * dt / Math.PI));
            var (low, high) = hit.Edges(n);
            dt = direction < 0 ? 0.99 * Math.Min(low, dt) : 1.01 * Math.Max(high, dt);
        }
        return double.NaN;
    }
}
