using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>Common to thermostats.</summary>
public abstract class Thermostat : Integrator
{
    private readonly int[]? _group;

    private protected Thermostat(double temperature, double time, int[]? group)
    {
        if (!(temperature >= 0) || !double.IsFinite(temperature)) throw new InputException($"the temperature is {temperature} K; it must not be negative");
        if (!(time > 0) || !double.IsFinite(time)) throw new InputException($"the time constant of the thermostat is {time} fs; it must be positive (100 time steps is usual)");
        (Temperature, Time, _group) = (temperature, time, group);
    }

    /// <summary>Target, K; may be changed during a run.</summary>
    public double Temperature { get; set; }

    /// <summary>Time constant, fs.</summary>
    public double Time { get; }

    internal override int[]? BathGroup => _group;

    private protected double KT => Codata.BoltzmannInEv * Temperature;
}

/// <summary>
/// Langevin dynamics, dv = F/m dt − γ v dt + √(2 γ kT/m) dW, split as BAOAB (B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34): half a kick, half
/// a drift, v ← c v + √((1 − c²) kT/m) ξ with c = exp(−γ Δt), half a drift, half a kick. Samples the canonical ensemble; errors of averages over positions are
/// O(Δt²), with an uncommonly small factor (none for harmonic forces).
/// </summary>
/// <remarks>ξ are functions of (seed, atom, step): the same on any number of ranks and threads, and after restarts. The conserved quantity counts the heat
/// that came through v ← c v + ….</remarks>
public sealed class Langevin : Thermostat
{
    private readonly double[] _heat = new double[1];

    /// <param name="temperature">K.</param>
    /// <param name="friction">γ, 1/fs; 0.001 … 0.01 usually.</param>
    /// <param name="group">Atoms it acts on, as indices; null: all.</param>
    public Langevin(double temperature, double friction, int[]? group = null) : base(temperature, 1 / friction, group) => Friction = friction;

    /// <summary>γ, 1/fs.</summary>
    public double Friction { get; }

    /// <inheritdoc/>
    public override string Description => $"Langevin, BAOAB (Appl. Math. Res. Express 2013, 34), {Temperature} K, friction {Friction} 1/fs";

    /// <inheritdoc/>
    public override bool ConservesMomentum => false;

    /// <inheritdoc/>
    public override double Reservoir => -_heat[0];

    internal override Span<double> State => _heat;

    internal override void Step(Motion m)
    {
        double h = 0.5 * m.TimeStep;
        m.KickDrift(h, h);
        Stir(m, m.TimeStep, m.Step);
        m.Drift(h);
        m.Moved();
        m.ComputeForces();
        m.FinalKick(h);
    }

    /// <summary>v ← c v + √((1 − c²) kT/m) ξ, c = exp(−γ dt).</summary>
    /// <param name="m">Atoms.</param>
    /// <param name="dt">fs.</param>
    /// <param name="draw">Number of the drawing, never twice the same in a run.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal unsafe void Stir(Motion m, double dt, long draw)
    {
        var domain = m.Domain;
        double before = 0;
        if (m.Constrained)
        {
            // Geodesic BAOAB (B. Leimkuhler, C. Matthews, Proc. R. Soc. A 472, 20160138, 2016): velocities in the tangent space after the drift.
            m.Constrain();
            m.MeasureKinetic();
            before = m.KineticEnergy;
        }
        double decay = Math.Exp(-Friction * dt), spread = (1 - decay * decay) * KT;
        double* v = domain.V, w = m.InverseMass, bath = m.PartBath ? m.Bath : null;
        Lanes sum = Lanes.Zero, keep = Lane.Of(decay);
        for (int c = 0; c < domain.OwnedClusters; c++, v += 24, w += 8)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(domain.Tag + 8 * c));
            var tags = Vector512.Create(low, high);
            var mask = Vector512.GreaterThanOrEqual(tags, Vector512<long>.Zero).AsDouble();
            if (bath != null) mask &= Vector512.GreaterThan(Vector512.Load(bath + 8 * c), Lanes.Zero);
            WideNormals.Next(m.Seed, tags, draw, out var x, out var y, out var z);
            Lanes inverse = Vector512.Load(w), sigma = Vector512.Sqrt(inverse * spread);
            Lanes vx = Vector512.Load(v), vy = Vector512.Load(v + 8), vz = Vector512.Load(v + 16);
            x = Lane.Select(mask, Lane.Fma(sigma, x, keep * vx), vx);
            y = Lane.Select(mask, Lane.Fma(sigma, y, keep * vy), vy);
            z = Lane.Select(mask, Lane.Fma(sigma, z, keep * vz), vz);
            var change = Lane.Fma(x - vx, x + vx, Lane.Fma(y - vy, y + vy, (z - vz) * (z + vz)));
            x.Store(v);
            y.Store(v + 8);
            z.Store(v + 16);
            sum += change / inverse;
        }
        if (!m.Constrained)
        {
            _heat[0] += m.Comm.AllReduceSum(0.5 * Vector512.Sum(sum));
            return;
        }
        // What constraints take out of the random velocities is no heat.
        m.Constrain();
        m.MeasureKinetic();
        _heat[0] += m.KineticEnergy - before;
    }
}

/// <summary>
/// Nosé–Hoover chains, constant number of atoms, volume and temperature: see <see cref="NoseHooverChain"/> for the equations (Mol. Phys. 87, 1117, 1996).
/// Deterministic and reversible; samples the canonical ensemble if the motion is ergodic (not for a few harmonic oscillators).
/// </summary>
public sealed class NoseHoover : Thermostat
{
    private readonly double[] _state;
    private readonly NoseHooverChain _chain;
    private double _freedom;

    /// <param name="temperature">K.</param>
    /// <param name="time">τ, fs; about 100 time steps.</param>
    /// <param name="length">Thermostats in the chain.</param>
    /// <param name="group">Atoms it acts on, as indices; null: all.</param>
    public NoseHoover(double temperature, double time, int length = 3, int[]? group = null) : base(temperature, time, group)
    {
        if (!(temperature > 0)) throw new InputException("a Nosé–Hoover thermostat needs a temperature above 0 K");
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        _state = new double[2 * length];
        _chain = new NoseHooverChain(_state, 0, length);
    }

    /// <inheritdoc/>
    public override string Description => $"Nosé–Hoover chain of {_state.Length / 2} (Mol. Phys. 87, 1117), {Temperature} K, time {Time} fs";

    /// <inheritdoc/>
    public override double Reservoir => _chain.Energy(_freedom, KT, Time);

    internal override Span<double> State => _state;

    internal override void Start(Motion m) => _freedom = m.BathDegreesOfFreedom;

    internal override void Step(Motion m)
    {
        m.Scale(_chain.Half(2 * m.BathKineticEnergy(), _freedom, KT, Time, m.TimeStep));
        m.VerletStep();
        m.Scale(_chain.Half(2 * m.BathKineticEnergy(), _freedom, KT, Time, m.TimeStep));
    }
}

/// <summary>
/// Stochastic velocity rescaling (G. Bussi, D. Donadio, M. Parrinello, J. Chem. Phys. 126, 014101, 2007): after each step of velocity Verlet velocities are
/// scaled by α,
/// <code>
/// α² = c + (1 − c) kT/(2 E_kin) (R₁² + Σᵢ₌₂ Rᵢ²) + 2 R₁ √(c (1 − c) kT/(2 E_kin)),  c = exp(−Δt/τ), R normal, N_f of them
/// </code>
/// Samples the canonical ensemble and disturbs the dynamics little.
/// </summary>
public sealed class VelocityRescaling : Thermostat
{
    private readonly double[] _heat = new double[1];

    /// <param name="temperature">K.</param>
    /// <param name="time">τ, fs.</param>
    /// <param name="group">Atoms it acts on, as indices; null: all.</param>
    public VelocityRescaling(double temperature, double time, int[]? group = null) : base(temperature, time, group) { }

    /// <inheritdoc/>
    public override string Description => $"stochastic velocity rescaling (J. Chem. Phys. 126, 014101), {Temperature} K, time {Time} fs";

    /// <inheritdoc/>
    public override double Reservoir => -_heat[0];

    internal override Span<double> State => _heat;

    internal override void Step(Motion m)
    {
        m.VerletStep();
        double before = m.BathKineticEnergy();
        if (before <= 0) return;
        double c = Math.Exp(-m.TimeStep / Time), freedom = m.BathDegreesOfFreedom, q = 0.5 * KT / before * (1 - c);
        var random = new Philox(m.Seed, Velocities.GlobalStream, m.Step);
        double r = random.NextNormal(), others = 2 * Gamma(ref random, 0.5 * (freedom - 1));
        double square = c + q * (r * r + others) + 2 * r * Math.Sqrt(c * q);
        // The square root's sign, eq. A8: positive but for very few degrees of freedom.
        double sign = r + Math.Sqrt(c / q) < 0 ? -1 : 1;
        m.Scale(sign * Math.Sqrt(Math.Max(0, square)));
        _heat[0] += (square - 1) * before;
    }

    /// <summary>Gamma distribution of given shape, scale 1 (G. Marsaglia, W. W. Tsang, ACM Trans. Math. Softw. 26, 363, 2000); below shape 1 by
    /// Γ(a) = Γ(a + 1) U^(1/a).</summary>
    internal static double Gamma(ref Philox random, double shape)
    {
        if (shape <= 0) return 0;
        if (shape < 1)
        {
            double u = 1 - random.NextDouble();
            return Gamma(ref random, shape + 1) * Math.Pow(u, 1 / shape);
        }
        double d = shape - 1.0 / 3, c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = random.NextNormal(), v = 1 + c * x;
            if (v <= 0) continue;
            v = v * v * v;
            if (Math.Log(1 - random.NextDouble()) < 0.5 * x * x + d * (1 - v + Math.Log(v))) return d * v;
        }
    }
}

/// <summary>
/// Weak coupling (H. J. C. Berendsen et al., J. Chem. Phys. 81, 3684, 1984): velocities × √(1 + Δt/τ_T (T₀/T − 1)), and with a pressure lengths ×
/// (1 − β Δt/τ_P (P₀ − P))^⅓. <b>Samples no ensemble</b>: fluctuations come out wrong. For bringing a system near its state, then use another rule.
/// </summary>
public sealed class Berendsen : Thermostat
{
    private readonly double? _pressure;
    private readonly double _pressureTime, _compressibility;

    /// <param name="temperature">K.</param>
    /// <param name="time">τ_T, fs.</param>
    /// <param name="pressure">P₀, eV/Å³; null: constant volume.</param>
    /// <param name="pressureTime">τ_P, fs.</param>
    /// <param name="compressibility">β, Å³/eV, roughly.</param>
    /// <param name="group">Atoms the thermostat acts on, as indices; null: all.</param>
    public Berendsen(double temperature, double time, double? pressure = null, double pressureTime = 1000, double compressibility = 1, int[]? group = null)
        : base(temperature, time, group)
    {
        if (!(pressureTime > 0) || !(compressibility > 0)) throw new InputException($"Berendsen barostat: time {pressureTime} fs and compressibility {compressibility} Å³/eV must be positive");
        (_pressure, _pressureTime, _compressibility) = (pressure, pressureTime, compressibility);
    }

    /// <inheritdoc/>
    public override string Description => $"Berendsen weak coupling, samples no ensemble (J. Chem. Phys. 81, 3684), {Temperature} K, time {Time} fs"
        + (_pressure is { } p ? $", {p} eV/Å³" : "");

    /// <inheritdoc/>
    public override bool NeedsVirial => _pressure is not null;

    /// <inheritdoc/>
    public override bool ChangesCell => _pressure is not null;

    /// <inheritdoc/>
    public override double Reservoir => double.NaN;

    internal override void Start(Motion m)
    {
        if (_pressure is not null) NoseHooverBarostat.Check(m, [true, true, true]);
    }

    internal override void Step(Motion m)
    {
        if (_pressure is { } target)
        {
            double pressure = 0, volume = m.Domain.Cell.Volume;
            for (int k = 0; k < 3; k++) pressure += (m.Kinetic[k] + m.Tally.Virial[k]) / (3 * volume);
            double mu = Math.Cbrt(Math.Clamp(1 - _compressibility * m.TimeStep / _pressureTime * (target - pressure), 0.97, 1.03));
            m.StretchCell([mu, 0, 0, 0, mu, 0, 0, 0, mu]);
            // Forces of the cell before are off by O(Δt/τ): not worth an evaluation of their own.
        }
        m.VerletStep();
        double temperature = 2 * m.BathKineticEnergy() / (m.BathDegreesOfFreedom * Codata.BoltzmannInEv);
        if (temperature > 0) m.Scale(Math.Sqrt(Math.Max(0, 1 + m.TimeStep / Time * (Temperature / temperature - 1))));
    }
}
