using MsHpc.Atomistics.Neighbors;

namespace MsHpc.Atomistics;

/// <summary>Sums of one force evaluation of one rank. Added to, never overwritten.</summary>
public struct Tally
{
    /// <summary>Potential energy, eV.</summary>
    public double Energy;

    /// <summary>Virial, eV (xx, yy, zz, yz, xz, xy), of non-local interactions only: that of local ones follows from the forces.</summary>
    public VirialSum Virial;
}

/// <summary>Six numbers, xx, yy, zz, yz, xz, xy.</summary>
[System.Runtime.CompilerServices.InlineArray(6)]
public struct VirialSum
{
    private double _first;
}

/// <summary>
/// One term of a force field on the atoms of a <see cref="Domain"/>: a pair potential, EAM, bonds, the long-range part of Coulomb, a wall.
/// An interaction object belongs to one domain's computations at a time; its scratch lives in it.
/// </summary>
public abstract class Interaction
{
    /// <summary>Name and source (paper, parameter file), for the log.</summary>
    public abstract string Description { get; }

    /// <summary>Reach of the interaction, Å; 0 when it needs no neighbours.</summary>
    public abstract double Cutoff { get; }

    /// <summary>Which lists <see cref="Compute"/> reads.</summary>
    public virtual ListKind Lists => ListKind.None;

    /// <summary>
    /// Whether forces come from neighbours within the halo and sum up to zero over owned and ghost atoms. Then ghosts' forces are folded to
    /// their owners and the virial is Σ r ⊗ f over owned and ghost atoms, so that kernels need not compute it. Otherwise the interaction
    /// adds forces to owned atoms only and its own virial to the tally.
    /// </summary>
    public virtual bool IsLocal => true;

    /// <summary>
    /// Whether <see cref="Compute"/>, unless it is asked for energies per atom, touches ghosts nowhere but in <see cref="Domain.RunTiles"/>: then ghosts of other ranks' atoms
    /// are still on their way when it is called.
    /// </summary>
    public virtual bool Overlaps => false;

    /// <summary>Called after every change of order (sorting, migration, new ghosts) and before the first evaluation: looks up slots, builds own lists.</summary>
    public virtual void Prepare(Domain domain) { }

    /// <summary>Adds forces to <see cref="Domain.F"/> and the energy to the tally; with <see cref="Want.PerAtom"/> also to
    /// <see cref="Domain.AtomEnergy"/> and <see cref="Domain.AtomVirial"/> of owned and ghost slots (ghosts' are folded).</summary>
    public abstract void Compute(Domain domain, Want want, ref Tally tally);
}
