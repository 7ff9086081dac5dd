using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>Atoms that do not follow the forces in some directions: held at rest (velocity 0) or driven at constant velocity.</summary>
/// <param name="Name">For messages and the log.</param>
/// <param name="Atoms">Indices.</param>
/// <param name="Vx">Å/fs; null: free along x.</param>
/// <param name="Vy">Å/fs; null: free along y.</param>
/// <param name="Vz">Å/fs; null: free along z.</param>
public sealed record DrivenGroup(string Name, int[] Atoms, double? Vx, double? Vy, double? Vz)
{
    /// <summary>Atoms at rest.</summary>
    public static DrivenGroup Fixed(string name, int[] atoms) => new(name, atoms, 0, 0, 0);

    internal double? Velocity(int k) => k switch { 0 => Vx, 1 => Vy, _ => Vz };
}

/// <summary>
/// Deformation at a constant rate: edge vectors h(t) = h(0) (1 + ε̇ t)ᵀ, atoms carried along affinely with each step; velocities are those relative to
/// the flow. Engineering rates: 1/fs of the cell at the start.
/// </summary>
/// <param name="Rate">ε̇ as ∂u_a/∂x_b, row by row, 9 numbers, 1/fs.</param>
public sealed record Deformation(double[] Rate);

/// <summary>How a run is done; lengths Å, times fs, temperatures K. Distances in <see cref="Topology.Constraints"/> of the atoms are always held.</summary>
public sealed record MdOptions
{
    /// <summary>Δt, fs.</summary>
    public required double TimeStep { get; init; }

    /// <summary>What neighbour lists hold beyond the cutoff, Å. Larger: fewer rebuilds, more pairs per step.</summary>
    public double Skin { get; init; } = 1;

    /// <summary>Seed of all random numbers.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Fixed and driven atoms.</summary>
    public IReadOnlyList<DrivenGroup> Driven { get; init; } = [];

    /// <summary>Cell deformed at a constant rate; null: not.</summary>
    public Deformation? Deformation { get; init; }

    /// <summary>Steps between removals of the motion of the centre of mass; 0: never.</summary>
    public long RemoveMomentumEvery { get; init; }

    /// <summary>Steps between evaluations of the energy, on which the conserved quantity is watched; steps with output always have it. More than 1 saves time.</summary>
    public long EnergyEvery { get; init; } = 5;

    /// <summary>Whether forces from outside (walls, indenters, fields) act, so that the total momentum is not conserved.</summary>
    public bool ExternalForces { get; init; }

    /// <summary>The run stops above this temperature, K.</summary>
    public double MaxTemperature { get; init; } = 1e5;

    /// <summary>The run stops when an atom would move farther than this in one step, Å.</summary>
    public double MaxMove { get; init; } = 1;

    internal void Check(Atoms atoms)
    {
        if (!(TimeStep > 0) || !double.IsFinite(TimeStep)) throw new InputException($"the time step is {TimeStep} fs; it must be positive");
        if (!(Skin > 0) || !double.IsFinite(Skin)) throw new InputException($"the skin is {Skin} Å; it must be positive (1 Å suits most solids, 2 Å light liquids)");
        if (!(MaxTemperature > 0)) throw new InputException($"the largest temperature is {MaxTemperature} K; it must be positive");
        if (!(MaxMove > 0)) throw new InputException($"the largest move is {MaxMove} Å; it must be positive");
        ArgumentOutOfRangeException.ThrowIfNegative(RemoveMomentumEvery);
        ArgumentOutOfRangeException.ThrowIfLessThan(EnergyEvery, 1);
        foreach (var group in Driven)
            foreach (int i in group.Atoms)
                if ((uint)i >= (uint)atoms.Count) throw new InputException($"group '{group.Name}' names atom index {i}; there are {atoms.Count} atoms");
        if (Deformation is { } d && (d.Rate.Length != 9 || !d.Rate.All(double.IsFinite))) throw new InputException("a deformation rate is 9 finite numbers, ∂u_a/∂x_b row by row");
        for (int t = 0; t < atoms.Species.Count; t++)
            if (!(atoms.Species[t].Mass > 0)) throw new InputException($"species {atoms.Species[t].Symbol} has mass {atoms.Species[t].Mass} u; dynamics needs a positive one");
        for (int i = 0; i < 3 * atoms.Count; i++)
            if (!double.IsFinite(atoms.Positions[i]) || !double.IsFinite(atoms.Velocities[i]))
                throw new InputException($"atom {atoms.Ids[i / 3]} has a position or velocity that is not a number");
    }
}
