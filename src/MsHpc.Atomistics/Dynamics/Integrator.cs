namespace MsHpc.Atomistics.Dynamics;

/// <summary>A rule that advances atoms by one time step. One object serves one run at a time: what it remembers (thermostat, barostat) lives in it.</summary>
public abstract class Integrator
{
    /// <summary>Name and source, for the log.</summary>
    public abstract string Description { get; }

    /// <summary>Whether the total momentum stays as it is; then the motion of the centre of mass is no degree of freedom.</summary>
    public virtual bool ConservesMomentum => true;

    /// <summary>Whether each step needs the virial.</summary>
    public virtual bool NeedsVirial => false;

    /// <summary>Whether the rule changes the cell.</summary>
    public virtual bool ChangesCell => false;

    /// <summary>Whether the cell may be deformed along.</summary>
    public virtual bool AllowsDeformation => !ChangesCell;

    /// <summary>The atoms a thermostat acts on, as indices; null: all.</summary>
    internal virtual int[]? BathGroup => null;

    /// <summary>Energy that thermostat and barostat hold or have taken, eV: with it the total energy is conserved up to the error of the time step.
    /// NaN for rules that conserve nothing.</summary>
    public virtual double Reservoir => 0;

    /// <summary>The rule's own variables, for restarts; fixed length and order after <see cref="Start"/>.</summary>
    internal virtual Span<double> State => default;

    /// <summary>Called before the first step and whenever positions or velocities were set from outside: makes variables the first time, keeps them later.</summary>
    internal virtual void Start(Motion motion) { }

    /// <summary>One step: positions, velocities and forces at t in, at t + Δt out; <see cref="Motion.Tally"/> and <see cref="Motion.Kinetic"/> belong to the end.</summary>
    internal abstract void Step(Motion motion);
}

/// <summary>
/// Velocity Verlet (W. C. Swope et al., J. Chem. Phys. 76, 637, 1982), constant number of atoms, volume and energy:
/// <code>
/// v(t + Δt/2) = v(t) + Δt/2 · F(t)/m,  r(t + Δt) = r(t) + Δt v(t + Δt/2),  v(t + Δt) = v(t + Δt/2) + Δt/2 · F(t + Δt)/m
/// </code>
/// Symplectic and reversible; the energy oscillates by O(Δt²) and does not drift while Δt is well below 2/Ω of the fastest vibration.
/// </summary>
public sealed class VelocityVerlet : Integrator
{
    /// <inheritdoc/>
    public override string Description => "velocity Verlet (J. Chem. Phys. 76, 637)";

    internal override void Step(Motion motion) => motion.VerletStep();
}
