using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>How a cell may move under a barostat.</summary>
public enum CellMotion
{
    /// <summary>Volume only, shape kept.</summary>
    Isotropic,
    /// <summary>Lengths along x, y, z on their own, angles kept.</summary>
    Anisotropic,
    /// <summary>Lengths and angles (Parrinello–Rahman), without rotation.</summary>
    Flexible,
}

/// <summary>
/// Constant pressure and temperature: Nosé–Hoover chains on atoms and on the cell, equations of Martyna, Tobias and Klein (J. Chem. Phys. 101, 4177, 1994;
/// integrator: Mol. Phys. 87, 1117, 1996), which make Parrinello and Rahman's cell sample the right ensemble:
/// <code>
/// ṙ = v + g r,  v̇ = F/m − (g + Tr g/N_f) v − η̇ v,  ḣ = g h
/// W_g ġ = V (P_int − P) + (2 E_kin/N_f) 1 − W_g ξ̇ g,  V P_int = Σ m v ⊗ v + Σ r ⊗ F,  W_g = (N_f + 3) kT τ_P²/3
/// </code>
/// g is a multiple of 1 (isotropic), diagonal, or symmetric. Conserved: E + P V + ½ W_g Tr g² + energies of both chains. Flows with constant g are solved
/// exactly by matrix exponentials. The average of P_int is P. Constraints hold distances between the moving atoms, ṙ·r = 0, so that peculiar velocities keep
/// v·r = −r·g r along them; their forces are part of the virial.
/// </summary>
public sealed class NoseHooverBarostat : Thermostat
{
    private const int Length = 3;
    private readonly double _pressure, _pressureTime;
    private readonly CellMotion _motion;
    private readonly bool[] _axes;
    private readonly double[] _state = new double[4 * Length + 9];
    private readonly NoseHooverChain _atoms, _cell;
    private readonly double[] _kickA = new double[9], _kickB = new double[9], _driftE = new double[9], _driftD = new double[9], _work = new double[9];
    private double _freedom, _volume;

    /// <param name="temperature">K.</param>
    /// <param name="time">τ of the thermostat, fs.</param>
    /// <param name="pressure">P, eV/Å³.</param>
    /// <param name="pressureTime">τ_P, fs; about 1000 time steps.</param>
    /// <param name="motion">How the cell moves.</param>
    /// <param name="axes">Which of x, y, z respond (not with <see cref="CellMotion.Isotropic"/>); null: all.</param>
    public NoseHooverBarostat(double temperature, double time, double pressure, double pressureTime, CellMotion motion = CellMotion.Isotropic, bool[]? axes = null)
        : base(temperature, time, null)
    {
        if (!(temperature > 0)) throw new InputException("a Nosé–Hoover barostat needs a temperature above 0 K");
        if (!(pressureTime > 0) || !double.IsFinite(pressureTime)) throw new InputException($"the time constant of the barostat is {pressureTime} fs; it must be positive (1000 time steps is usual)");
        if (!double.IsFinite(pressure)) throw new InputException($"the pressure is {pressure} eV/Å³");
        if (axes is not null && (axes.Length != 3 || !axes.Contains(true))) throw new InputException("axes of a barostat are three flags, at least one of them set");
        if (axes is not null && motion == CellMotion.Isotropic && axes.Contains(false)) throw new InputException("an isotropic barostat moves all axes: choose the anisotropic one");
        (_pressure, _pressureTime, _motion, _axes) = (pressure, pressureTime, motion, axes ?? [true, true, true]);
        _atoms = new NoseHooverChain(_state, 0, Length);
        _cell = new NoseHooverChain(_state, 2 * Length, Length);
    }

    /// <inheritdoc/>
    public override string Description => $"Nosé–Hoover chains and {_motion.ToString().ToLowerInvariant()} MTK barostat (J. Chem. Phys. 101, 4177; Mol. Phys. 87, 1117), "
        + $"{Temperature} K, {_pressure} eV/Å³, times {Time} and {_pressureTime} fs";

    /// <inheritdoc/>
    public override bool NeedsVirial => true;

    /// <inheritdoc/>
    public override bool ChangesCell => true;

    private Span<double> G => _state.AsSpan(4 * Length, 9);

    /// <summary>Degrees of freedom of the cell.</summary>
    private double CellFreedom
    {
        get
        {
            int axes = _axes.Count(a => a);
            return _motion switch { CellMotion.Isotropic => 1, CellMotion.Anisotropic => axes, _ => axes * (axes + 1) / 2 };
        }
    }

    private double Mass => (_freedom + 3) * KT * _pressureTime * _pressureTime / 3;

    private double CellKinetic
    {
        get
        {
            double sum = 0;
            foreach (double g in G) sum += g * g;
            return Mass * sum;
        }
    }

    /// <inheritdoc/>
    public override double Reservoir => 0.5 * CellKinetic + _pressure * _volume + _atoms.Energy(_freedom, KT, Time) + _cell.Energy(CellFreedom, KT, _pressureTime);

    internal override Span<double> State => _state;

    internal override void Start(Motion m)
    {
        Check(m, _axes);
        _freedom = m.DegreesOfFreedom;
        _volume = m.Domain.Cell.Volume;
    }

    /// <summary>Refuses what a barostat has no pressure for: held atoms, directions in which nothing repeats.</summary>
    internal static void Check(Motion m, bool[] axes)
    {
        if (m.Holds) throw new InputException("atoms that are held or driven and a barostat: the pressure of such a system is not defined; use a constant cell or a deformation");
        for (int k = 0; k < 3; k++)
            if (axes[k] && !m.Domain.Cell.Periodic[k])
                throw new InputException($"the barostat would move edge {"abc"[k]} of the cell, along which it is not periodic: there is no pressure to hold; use the anisotropic Nosé–Hoover barostat and name the axes that repeat");
    }

    internal override void Step(Motion m)
    {
        double dt = m.TimeStep, h = 0.5 * dt;
        ThermostatCell(dt);
        m.Scale(_atoms.Half(2 * m.KineticEnergy, _freedom, KT, Time, dt));
        Push(m, h);
        var g = G;
        double trace = (g[0] + g[4] + g[8]) / _freedom;
        for (int k = 0; k < 9; k++) _work[k] = -h * (g[k] + (k % 4 == 0 ? trace : 0));
        Exponentials(_work, h, _kickA, _kickB);
        for (int k = 0; k < 9; k++) _work[k] = dt * g[k];
        Exponentials(_work, dt, _driftE, _driftD);
        m.KickFlow(_kickA, _kickB);
        m.DriftFlow(_driftE, _driftD, dt);
        m.Moved();
        _volume = m.Domain.Cell.Volume;
        m.ComputeForces();
        m.KickFlow(_kickA, _kickB);
        m.Constrain(G);
        m.MeasureKinetic();
        Push(m, h);
        m.Scale(_atoms.Half(2 * m.KineticEnergy, _freedom, KT, Time, dt));
        ThermostatCell(dt);
    }

    private void ThermostatCell(double dt)
    {
        double scale = _cell.Half(CellKinetic, CellFreedom, KT, _pressureTime, dt);
        foreach (ref double g in G) g *= scale;
    }

    /// <summary>g += h/W_g (V (P_int − P) + 2 E_kin/N_f), of the components that may move.</summary>
    private void Push(Motion m, double h)
    {
        var g = G;
        double volume = m.Domain.Cell.Volume, share = 2 * m.KineticEnergy / _freedom, factor = h / Mass;
        Span<double> force = stackalloc double[6];
        var virial = m.Virial();
        for (int k = 0; k < 6; k++) force[k] = m.Kinetic[k] + virial[k] + (k < 3 ? share - _pressure * volume : 0);
        if (_motion == CellMotion.Isotropic) force[0] = force[1] = force[2] = (force[0] + force[1] + force[2]) / 3;
        for (int k = 0; k < 3; k++) if (_axes[k]) g[4 * k] += factor * force[k];
        if (_motion != CellMotion.Flexible) return;
        for (int k = 3; k < 6; k++)
        {
            var (a, b) = k switch { 3 => (1, 2), 4 => (0, 2), _ => (0, 1) };
            if (!_axes[a] || !_axes[b]) continue;
            g[3 * a + b] += factor * force[k];
            g[3 * b + a] = g[3 * a + b];
        }
    }

    /// <summary>exp(M) and t φ(M), φ(M) = Σ Mⁿ/(n + 1)! = (exp(M) − 1)/M, by their series: |M| is a strain of one step, far below 1.</summary>
    private static void Exponentials(ReadOnlySpan<double> m, double t, Span<double> exponential, Span<double> integral)
    {
        Span<double> power = [1, 0, 0, 0, 1, 0, 0, 0, 1], next = stackalloc double[9];
        exponential.Clear();
        integral.Clear();
        double factorial = 1;
        for (int n = 0; n < 20; n++)
        {
            double size = 0;
            for (int k = 0; k < 9; k++)
            {
                exponential[k] += power[k] / factorial;
                integral[k] += t * power[k] / (factorial * (n + 1));
                size = Math.Max(size, Math.Abs(power[k]) / factorial);
            }
            if (size < 1e-18) break;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++) next[3 * i + j] = power[3 * i] * m[j] + power[3 * i + 1] * m[3 + j] + power[3 * i + 2] * m[6 + j];
            next.CopyTo(power);
            factorial *= n + 1;
        }
    }
}
