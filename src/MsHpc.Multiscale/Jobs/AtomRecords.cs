using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Where atoms come from.</summary>
/// <param name="Description">In words, for the log.</param>
/// <param name="File">File that is read; null for a built crystal.</param>
/// <param name="Make">Makes them with the job's seed. Throws <see cref="InputException"/>.</param>
/// <param name="Sample">Makes as few of them as show all their kinds, for checks.</param>
/// <param name="Temperature">Velocities are drawn for this temperature, K; null: as they are.</param>
public sealed record SystemChoice(string Description, string? File, Func<int, Atoms> Make, Func<Atoms> Sample, double? Temperature)
{
    /// <summary>Makes a cell of the perfect crystal that surfaces or vacancies were cut into; null where there are none.</summary>
    public Func<Atoms>? Perfect { get; init; }

    /// <summary>Whether there are two surfaces across the third edge.</summary>
    public bool Surfaces { get; init; }

    /// <summary>A second file; null for none.</summary>
    public string? Other { get; init; }
}

/// <summary>One part of a force field with the name by which groups of multiple time steps call it.</summary>
/// <param name="Name">Name in the job language; several parts may share one.</param>
/// <param name="Interaction">The part.</param>
public sealed record Term(string Name, Interaction Interaction)
{
    /// <summary>Of Lennard-Jones that is cut: makes it together with the real-space part of an Ewald sum, in one pass over the pairs; null where their cutoffs or precisions differ.</summary>
    internal Func<RealSpace, Interaction?>? With { get; init; }

    /// <summary>Of the real-space part of an Ewald sum: what it is.</summary>
    internal RealSpace? RealSpace { get; init; }
}

/// <summary>The real-space part of an Ewald sum.</summary>
/// <param name="Split">How the sum is split.</param>
/// <param name="Precision">Arithmetic.</param>
internal sealed record RealSpace(EwaldSplit Split, Precision Precision);

/// <summary>One entry of the model of a job.</summary>
/// <param name="Name">Its key in the job language.</param>
/// <param name="Files">Parameter files, full paths.</param>
/// <param name="Make">Makes its terms for given atoms. Throws <see cref="InputException"/>.</param>
public sealed record InteractionChoice(string Name, IReadOnlyList<string> Files, Func<Atoms, IReadOnlyList<Term>> Make)
{
    /// <summary>Whether it pushes from outside, so that the total momentum is not conserved.</summary>
    public bool IsExternal { get; init; }

    /// <summary>Brings its term to where it is at a time, fs; null: it rests.</summary>
    public Action<Interaction, double>? Move { get; init; }
}

/// <summary>What acts between given atoms.</summary>
/// <param name="Atoms">Atoms.</param>
/// <param name="Terms">Terms with the entries that they come from.</param>
public sealed record AtomModel(Atoms Atoms, IReadOnlyList<(InteractionChoice Choice, Term Term)> Terms)
{
    /// <summary>The sum of the terms.</summary>
    public ForceField ForceField { get; } = new([.. Terms.Select(t => t.Term.Interaction)]);

    /// <summary>Whether something pushes from outside.</summary>
    public bool IsExternal => Terms.Any(t => t.Choice.IsExternal);

    /// <summary>Whether something moves by itself.</summary>
    public bool Moves => Terms.Any(t => t.Choice.Move is not null);

    /// <summary>Brings what moves by itself to where it is at a time, fs.</summary>
    public void MoveTo(double time)
    {
        foreach (var (choice, term) in Terms) choice.Move?.Invoke(term.Interaction, time);
    }
}

/// <summary>Rule of motion.</summary>
/// <param name="Name">Its key in the job language.</param>
/// <param name="Make">Makes it for a model; called once a run. Throws <see cref="InputException"/>.</param>
/// <param name="At">A fault at its place in the job file.</param>
public sealed record EnsembleChoice(string Name, Func<AtomModel, Integrator> Make, Func<string, InputFault> At);

/// <summary>A set of atoms.</summary>
/// <param name="Name">Name in the job.</param>
/// <param name="Find">Its atoms, as indices.</param>
public sealed record GroupChoice(string Name, Func<Atoms, int[]> Find);

/// <summary>Atoms that do not follow the forces.</summary>
/// <param name="Group">Their group.</param>
/// <param name="Velocity">x, y, z, Å/fs; null: free in that direction.</param>
public sealed record DrivenChoice(string Group, double?[] Velocity);

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
/// <param name="Driven">Atoms that are held or driven; null for none.</param>
/// <param name="Deform">∂u_a/∂x_b, 1/fs, nine numbers; null: the cell is not deformed.</param>
/// <param name="RemoveMomentum">The centre of mass is stopped every so many steps; 0: never.</param>
public sealed record AtomRun(double TimeStep = 0, int Steps = 0, double Skin = 1, double MaxTemperature = 1e5, EnsembleChoice? Ensemble = null, MinimizeChoice? Minimize = null,
    ElasticChoice? Elastic = null, PhononChoice? Phonon = null, IReadOnlyList<DrivenChoice>? Driven = null, double[]? Deform = null, int RemoveMomentum = 0);

/// <summary>What an atomistic job writes beyond tables and checkpoints.</summary>
/// <param name="Thermo">A line of the table every so many steps.</param>
/// <param name="Trajectory">Name of the trajectory; null for none.</param>
/// <param name="TrajectoryEvery">A frame every so many steps.</param>
/// <param name="Structure">Name of the file with the last atoms; null for none.</param>
public sealed record AtomOutput(int Thermo, string? Trajectory, int TrajectoryEvery, string? Structure)
{
    /// <summary>What is computed of the atoms during the run.</summary>
    internal IReadOnlyList<AnalysisChoice> Analysis { get; init; } = [];
}

/// <summary>The atomistic part of a job.</summary>
/// <param name="System">Atoms.</param>
/// <param name="Model">Terms of the force field.</param>
/// <param name="Run">What is done.</param>
/// <param name="Output">What is written.</param>
public sealed record AtomJob(SystemChoice System, IReadOnlyList<InteractionChoice> Model, AtomRun Run, AtomOutput Output)
{
    /// <summary>Named sets of atoms.</summary>
    public IReadOnlyList<GroupChoice> Groups { get; init; } = [];

    /// <summary>Files that decide the result.</summary>
    public IEnumerable<string> Files => Model.SelectMany(m => m.Files).Append(System.File).Append(System.Other).OfType<string>();

    /// <summary>The atoms, with groups, and velocities where asked.</summary>
    /// <param name="seed">The job's seed.</param>
    public Atoms MakeAtoms(int seed)
    {
        var atoms = WithGroups(System.Make(seed));
        if (System.Temperature is { } temperature) Velocities.Maxwell(atoms, temperature, (ulong)seed);
        return atoms;
    }

    /// <summary>Atoms to check the model with: as few as show all kinds where that is enough.</summary>
    public Atoms MakeSample() => Groups.Count > 0 || Model.Any(m => m.IsExternal) ? WithGroups(System.Make(0)) : System.Sample();

    private Atoms WithGroups(Atoms atoms)
    {
        foreach (var group in Groups) atoms.Groups[group.Name] = group.Find(atoms) is { Length: > 0 } found ? found : throw new InputException($"group '{group.Name}' has no atoms");
        return atoms;
    }

    /// <summary>What acts between given atoms.</summary>
    /// <remarks>Lennard-Jones and the real-space part of an Ewald sum become one where they can, unless multiple time steps keep them apart.</remarks>
    public AtomModel MakeModel(Atoms atoms)
    {
        List<(InteractionChoice Choice, Term Term)> terms = [.. Model.SelectMany(m => m.Make(atoms).Select(t => (m, t)))];
        int near = terms.FindIndex(t => t.Term.With is not null), real = terms.FindIndex(t => t.Term.RealSpace is not null);
        if (near >= 0 && real >= 0 && Run.Ensemble?.Name != "rrespa" && terms[near].Term.With!(terms[real].Term.RealSpace!) is { } both)
        {
            terms[real] = (terms[real].Choice, new Term("lennard_jones and coulomb_real", both));
            terms.RemoveAt(near);
        }
        return new AtomModel(atoms, terms);
    }

    /// <summary>How the atoms move.</summary>
    public MdOptions MakeOptions(AtomModel model, int seed) => new()
    {
        TimeStep = Run.TimeStep, Skin = Run.Skin, Seed = (ulong)seed, MaxTemperature = Run.MaxTemperature, RemoveMomentumEvery = Run.RemoveMomentum, ExternalForces = model.IsExternal,
        Deformation = Run.Deform is { } rate ? new Deformation(rate) : null,
        Driven = [.. (Run.Driven ?? []).Select(d => new DrivenGroup(d.Group, model.Atoms.Groups[d.Group], d.Velocity[0], d.Velocity[1], d.Velocity[2]))],
    };
}
