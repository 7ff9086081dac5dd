namespace MsHpc.Atomistics.Dynamics;

/// <summary>Distances or shapes that dynamics keeps: SHAKE/RATTLE, SETTLE. Acts on owned atoms of a domain.</summary>
public abstract class Constraint
{
    /// <summary>Name and source, for the log.</summary>
    public abstract string Description { get; }

    /// <summary>Degrees of freedom taken away, of all ranks.</summary>
    public abstract long Removed { get; }

    /// <summary>Called after every change of order: looks up slots.</summary>
    public virtual void Prepare(Domain domain) { }

    /// <summary>
    /// After a drift by <paramref name="dt"/>: moves <see cref="Domain.X"/> back onto the constraints along the bonds before the drift and adds the
    /// displacement/dt to <see cref="Domain.V"/>. Adds Σ r ⊗ (constraint force), eV, of this rank to <paramref name="virial"/>, for velocities
    /// kicked by half a step before.
    /// </summary>
    /// <param name="domain">Atoms.</param>
    /// <param name="before">Positions before the drift, laid out as <see cref="Domain.X"/>.</param>
    /// <param name="dt">fs.</param>
    /// <param name="virial">Added to.</param>
    public abstract unsafe void Positions(Domain domain, double* before, double dt, ref VirialSum virial);

    /// <summary>After a kick: removes velocity components along the constraints.</summary>
    public abstract void Velocities(Domain domain);
}
