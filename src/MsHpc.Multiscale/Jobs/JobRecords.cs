using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.IO;
using MsHpc.Core.Sparse;

namespace MsHpc.Multiscale.Jobs;

/// <summary>What a job computes.</summary>
public enum JobType
{
    /// <summary>Load steps in equilibrium.</summary>
    Quasistatic,
    /// <summary>Motion in time, implicit or explicit.</summary>
    Dynamics,
    /// <summary>One representative volume element: effective stiffness, loading path.</summary>
    Homogenize,
    /// <summary>Molecular dynamics.</summary>
    Md,
    /// <summary>A minimum of the energy of atoms.</summary>
    Minimize,
    /// <summary>Energy, forces and stress of atoms as they are.</summary>
    Energy,
    /// <summary>Elastic constants of a crystal.</summary>
    Elastic,
    /// <summary>Phonon dispersion of a crystal.</summary>
    Phonon,
}

/// <summary>A material law by name with its parameters in the job's units.</summary>
/// <param name="Law">Name in the catalogue of laws.</param>
/// <param name="Parameters">Parameters by name, defaults filled in. Lists (Prony terms, matrices) have more than one number.</param>
public sealed record MaterialChoice(string Law, IReadOnlyDictionary<string, double[]> Parameters);

/// <summary>One entry of <c>boundary_conditions</c>.</summary>
/// <param name="On">Boundary, region (of a body force) or named point of the mesh; null when <paramref name="At"/> says where.</param>
/// <param name="At">The node nearest to this point; null when <paramref name="On"/> says where.</param>
/// <param name="Displacement">Prescribed displacement per direction; null where free.</param>
/// <param name="Traction">Force per area per direction; null when none is applied.</param>
/// <param name="Pressure">Pressure against the outward normal; null when none is applied.</param>
/// <param name="Follower">Whether the pressure stays normal to the deformed surface.</param>
/// <param name="Force">Concentrated force on each node of a named point; null when none is applied.</param>
/// <param name="BodyForce">Force per volume in a region (or everywhere, <c>on: all</c>); null when none is applied.</param>
public sealed record ConditionChoice(string? On, double[]? At, IReadOnlyList<LoadCurve?> Displacement, IReadOnlyList<LoadCurve>? Traction,
    LoadCurve? Pressure, bool Follower, IReadOnlyList<LoadCurve>? Force, IReadOnlyList<LoadCurve>? BodyForce);

/// <summary>Where the voxels or elements of a representative volume element come from.</summary>
public abstract record MicrostructureChoice;

/// <summary>Phases by voxel from a file.</summary>
/// <param name="File">Full path.</param>
/// <param name="Shape">Voxels per direction of a raw file; null for npy, which knows its shape.</param>
/// <param name="Type">Number type of a raw file.</param>
public sealed record VoxelFile(string File, int[]? Shape, NpyType Type) : MicrostructureChoice;

/// <summary>A microstructure made on the spot.</summary>
/// <param name="Kind">spheres, fibres, laminate, voronoi, array or checkerboard.</param>
/// <param name="Shape">Voxels per direction.</param>
/// <param name="Parameters">Numbers by name, defaults filled in.</param>
/// <param name="Seed">Seed of the random placement; null for the job's.</param>
/// <param name="Fractions">Volume fractions of a laminate's layers.</param>
public sealed record BuiltMicrostructure(string Kind, int[] Shape, IReadOnlyDictionary<string, double> Parameters, int? Seed,
    double[] Fractions) : MicrostructureChoice;

/// <summary>A microstructure as a mesh whose regions are the phases.</summary>
/// <param name="File">Full path.</param>
public sealed record MeshedMicrostructure(string File) : MicrostructureChoice;

/// <summary>A representative volume element.</summary>
/// <param name="Microstructure">Where its phases come from.</param>
/// <param name="Size">Edge lengths; null for a mesh, which knows them.</param>
/// <param name="Materials">Law of each phase.</param>
/// <param name="Boundary">How the macro strain is imposed.</param>
/// <param name="Finite">Whether it works at finite strain.</param>
/// <param name="Tolerance">Equilibrium tolerance, relative.</param>
/// <param name="MaxIterations">Newton iterations before it counts as failed.</param>
public sealed record MicroChoice(MicrostructureChoice Microstructure, double[]? Size, IReadOnlyDictionary<string, MaterialChoice> Materials,
    RveBoundary Boundary, bool Finite, double Tolerance, int MaxIterations);

/// <summary>What is computed on: a mesh with laws, a mesh with representative volumes, or one representative volume.</summary>
/// <param name="MeshFile">Full path of the macro mesh; null for a representative volume alone.</param>
/// <param name="PlaneStress">In two dimensions: plane stress instead of plane strain.</param>
/// <param name="Finite">Finite instead of small strain.</param>
/// <param name="Thickness">In two dimensions.</param>
/// <param name="Integration">Element formulation.</param>
/// <param name="Materials">Law of each region; with FE², of the regions that have no microstructure.</param>
/// <param name="Micro">The representative volume at each integration point of the other regions; null on a single scale.</param>
public sealed record ModelChoice(string? MeshFile, bool PlaneStress, bool Finite, double Thickness, Integration Integration,
    IReadOnlyDictionary<string, MaterialChoice> Materials, MicroChoice? Micro);

/// <summary>Newton's method.</summary>
/// <param name="RelativeTolerance">Residual over the largest force so far.</param>
/// <param name="AbsoluteTolerance">Residual in force units that is small enough whatever the load.</param>
/// <param name="MaxIterations">Iterations before the step counts as failed.</param>
/// <param name="LineSearch">Whether a step that does not reduce the residual is shortened.</param>
/// <param name="Cutback">Factor on the step after a failure.</param>
/// <param name="MinStep">Smallest fraction of a load step before the run gives up.</param>
public sealed record NewtonChoice(double RelativeTolerance, double AbsoluteTolerance, int MaxIterations, bool LineSearch, double Cutback,
    double MinStep);

/// <summary>Time integration of a dynamic job.</summary>
/// <param name="Kind">newmark, hht or explicit.</param>
/// <param name="Parameters">beta and gamma; alpha; safety.</param>
public sealed record IntegratorChoice(string Kind, IReadOnlyDictionary<string, double> Parameters);

/// <summary>How a job goes through time.</summary>
/// <param name="Steps">Load or time steps; 0 when the stable step decides.</param>
/// <param name="EndTime">Time of the last step.</param>
/// <param name="Newton">Newton's method, of implicit jobs.</param>
/// <param name="Integrator">Time integration, of dynamic jobs; null otherwise.</param>
/// <param name="Stiffness">Homogenize: whether the effective stiffness of the unloaded volume is wanted.</param>
/// <param name="Strain">Homogenize: prescribed macro strain (or deformation gradient) components by label.</param>
/// <param name="Stress">Homogenize: prescribed macro stress components by label.</param>
public sealed record RunChoice(int Steps, double EndTime, NewtonChoice Newton, IntegratorChoice? Integrator, bool Stiffness,
    IReadOnlyDictionary<string, LoadCurve> Strain, IReadOnlyDictionary<string, LoadCurve> Stress);

/// <summary>A linear solver: one of the two is given.</summary>
/// <param name="Petsc">PETSc's own options, passed through.</param>
/// <param name="Embedded">Settings of the built-in solver.</param>
public sealed record SolverChoice(IReadOnlyDictionary<string, string>? Petsc, EmbeddedSolverOptions? Embedded);

/// <summary>An integration point whose microstructure is written out.</summary>
/// <param name="Element">Element, from 0, in the order of the mesh file.</param>
/// <param name="Point">Integration point of the element, from 0.</param>
public sealed record MicroPoint(int Element, int Point);

/// <summary>What is written.</summary>
/// <param name="Fields">Name of the field collection (.pvd); null for none.</param>
/// <param name="Reactions">Name of the table of reactions (.csv); null for none.</param>
/// <param name="Summary">Name of the page (.html); null for none.</param>
/// <param name="Micro">Integration points whose microstructure is written with the fields.</param>
/// <param name="Every">Fields are written every so many steps, and at the end.</param>
/// <param name="CheckpointSteps">A checkpoint every so many steps; 0 for none by count.</param>
/// <param name="CheckpointSeconds">A checkpoint when so many seconds have passed; 0 for none by time.</param>
/// <param name="Keep">Checkpoints that are kept.</param>
public sealed record OutputChoice(string? Fields, string? Reactions, string? Summary, IReadOnlyList<MicroPoint> Micro, int Every,
    int CheckpointSteps, double CheckpointSeconds, int Keep);

/// <summary>A job file, checked, in plain numbers of its unit system.</summary>
/// <param name="File">The file as the user named it.</param>
/// <param name="Directory">Its folder.</param>
/// <param name="Name">Name of the job.</param>
/// <param name="Type">What it computes.</param>
/// <param name="UnitSystem">Unit system of all numbers.</param>
/// <param name="Seed">Seed of everything random.</param>
/// <param name="Model">What it is computed on.</param>
/// <param name="Conditions">Supports and loads.</param>
/// <param name="InitialVelocity">Velocity at time 0 by region (<c>all</c> for everywhere).</param>
/// <param name="Run">How it goes through time.</param>
/// <param name="Macro">Linear solver of the mesh; null: the best there is on the machine.</param>
/// <param name="MicroSolver">Linear solver of the representative volumes; null for the built-in batched one.</param>
/// <param name="Output">What is written.</param>
/// <param name="Settings">Everything that decides the result, the files it names included.</param>
public sealed record Job(string File, string Directory, string Name, JobType Type, string UnitSystem, int Seed, ModelChoice Model,
    IReadOnlyList<ConditionChoice> Conditions, IReadOnlyDictionary<string, double[]> InitialVelocity, RunChoice Run, SolverChoice? Macro,
    SolverChoice? MicroSolver, OutputChoice Output, JobSettings Settings)
{
    /// <summary>SHA-256 of everything that decides the result.</summary>
    public string Hash => Settings.Hash;

    /// <summary>The atomistic part, of jobs on atoms; null for those on meshes.</summary>
    public AtomJob? Atoms { get; init; }
}
