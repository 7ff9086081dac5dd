using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Where atoms come from.</summary>
/// <param name="Description">In words, for the log.</param>
/// <param name="File">File that is read; null for a built crystal.</param>
/// <param name="Make">Makes them. Throws <see cref="InputException"/>.</param>
/// <param name="Sample">Makes as few of them as show all their kinds, for checks.</param>
/// <param name="Temperature">Velocities are drawn for this temperature, K; null: as they are.</param>
public sealed record SystemChoice(string Description, string? File, Func<Atoms> Make, Func<Atoms> Sample, double? Temperature)
{
    /// <summary>A second file; null for none.</summary>
    public string? Other { get; init; }
}

/// <summary>One term of the force field of a job.</summary>
/// <param name="Name">Its key in the job language.</param>
/// <param name="Files">Parameter files, full paths.</param>
/// <param name="Make">Makes it for given atoms. Throws <see cref="InputException"/>.</param>
public sealed record InteractionChoice(string Name, IReadOnlyList<string> Files, Func<Atoms, IReadOnlyList<Interaction>> Make);

/// <summary>Rule of motion.</summary>
/// <param name="Name">Its key in the job language.</param>
/// <param name="Make">Makes it; called once a run.</param>
public sealed record EnsembleChoice(string Name, Func<Integrator> Make);

/// <summary>A minimisation.</summary>
/// <param name="Method">How.</param>
/// <param name="MaxForce">Converged below, eV/Å.</param>
/// <param name="MaxStress">Converged below, eV/Å³.</param>
/// <param name="MaxSteps">Steps before giving up.</param>
/// <param name="Cell">What of the cell relaxes.</param>
/// <param name="Pressure">eV/Å³.</param>
public sealed record MinimizeChoice(MinimizeMethod Method, double MaxForce, double MaxStress, int MaxSteps, CellRelaxation Cell, double Pressure);

/// <summary>Elastic constants.</summary>
/// <param name="Relax">Whether the crystal is relaxed first.</param>
/// <param name="Strain">Strain of the differences.</param>
public sealed record ElasticChoice(bool Relax, double Strain);

/// <summary>Phonons.</summary>
/// <param name="Supercell">Repeats of the cell.</param>
/// <param name="Displacement">Å.</param>
/// <param name="Path">Named wave vectors in fractions of the reciprocal vectors; null ends a stretch (the path jumps).</param>
/// <param name="Points">Points along the whole path.</param>
/// <param name="Mesh">Wave vectors along each direction for the density of states; 0: none.</param>
public sealed record PhononChoice(int[] Supercell, double Displacement, IReadOnlyList<(string Name, double[] Q)?> Path, int Points, int Mesh);

/// <summary>What an atomistic job does; the part that belongs to its type is there.</summary>
/// <param name="TimeStep">fs.</param>
/// <param name="Steps">Time steps.</param>
/// <param name="Skin">What neighbour lists hold beyond the cutoff, Å.</param>
/// <param name="MaxTemperature">The run stops above this temperature, K.</param>
/// <param name="Ensemble">Of type md.</param>
/// <param name="Minimize">Of type minimize.</param>
/// <param name="Elastic">Of type elastic.</param>
/// <param name="Phonon">Of type phonon.</param>
public sealed record AtomRun(double TimeStep = 0, int Steps = 0, double Skin = 1, double MaxTemperature = 1e5, EnsembleChoice? Ensemble = null, MinimizeChoice? Minimize = null,
    ElasticChoice? Elastic = null, PhononChoice? Phonon = null);

/// <summary>What an atomistic job writes beyond tables and checkpoints.</summary>
/// <param name="Thermo">A line of the table every so many steps.</param>
/// <param name="Trajectory">Name of the trajectory; null for none.</param>
/// <param name="TrajectoryEvery">A frame every so many steps.</param>
/// <param name="Structure">Name of the file with the last atoms; null for none.</param>
public sealed record AtomOutput(int Thermo, string? Trajectory, int TrajectoryEvery, string? Structure);

/// <summary>The atomistic part of a job.</summary>
/// <param name="System">Atoms.</param>
/// <param name="Model">Terms of the force field.</param>
/// <param name="Run">What is done.</param>
/// <param name="Output">What is written.</param>
public sealed record AtomJob(SystemChoice System, IReadOnlyList<InteractionChoice> Model, AtomRun Run, AtomOutput Output)
{
    /// <summary>Files that decide the result.</summary>
    public IEnumerable<string> Files => Model.SelectMany(m => m.Files).Append(System.File).Append(System.Other).OfType<string>();

    /// <summary>The atoms, with velocities where asked.</summary>
    /// <param name="seed">The job's seed.</param>
    public Atoms MakeAtoms(int seed)
    {
        var atoms = System.Make();
        if (System.Temperature is { } temperature) Velocities.Maxwell(atoms, temperature, (ulong)seed);
        return atoms;
    }

    /// <summary>The force field for given atoms.</summary>
    public ForceField MakeForceField(Atoms atoms) => new([.. Model.SelectMany(m => m.Make(atoms))]);
}
