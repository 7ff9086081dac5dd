using System.Globalization;
using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.IO;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Turns what a job names into meshes, microstructures and laws.</summary>
internal static class JobModels
{
    /// <summary>Name that stands for the law of all grains of a polycrystal.</summary>
    public const string AnyGrain = "grain";

    /// <summary>Strain measure of a model.</summary>
    public static StrainSpace Space(int dimension, bool finite) => (dimension, finite) switch
    {
        (2, false) => StrainSpace.PlaneSmall,
        (2, true) => StrainSpace.PlaneFinite,
        (_, false) => StrainSpace.SolidSmall,
        _ => StrainSpace.SolidFinite,
    };

    /// <summary>The phases of a representative volume as a mesh, and the law of each.</summary>
    public sealed record Phases(Continuum.Mesh Mesh, IReadOnlyDictionary<string, MaterialChoice> Laws, Voxels? Voxels);

    /// <summary>Builds the microstructure.</summary>
    /// <param name="micro">What the job says.</param>
    /// <param name="seed">The job's seed.</param>
    /// <exception cref="InputException">Numbers that do not fit, an unreadable file, a phase without a law or the reverse.</exception>
    public static Phases Build(MicroChoice micro, int seed)
    {
        Polycrystal? crystal = null;
        Voxels? voxels = null;
        Continuum.Mesh mesh;
        switch (micro.Microstructure)
        {
            case MeshedMicrostructure file:
                mesh = GmshReader.Read(file.File);
                break;
            case VoxelFile file:
                voxels = Voxels.FromArray(file.Shape is { } shape ? Npy.ReadRaw(file.File, shape, file.Type) : Npy.Read(file.File), micro.Size!);
                mesh = VoxelMesh.Create(voxels);
                break;
            case BuiltMicrostructure built:
                voxels = Build(built, micro.Size!, seed, out crystal);
                mesh = VoxelMesh.Create(voxels);
                break;
            default:
                throw new InvalidOperationException($"unknown microstructure {micro.Microstructure.GetType().Name}");
        }
        var laws = new Dictionary<string, MaterialChoice>(micro.Materials);
        if (crystal is not null && laws.Remove(AnyGrain, out var alike))
        {
            bool oriented = MaterialCatalog.Entries.First(e => e.Name == alike.Law).Parameters.Any(p => p.Name == "orientation");
            for (int grain = 0; grain < crystal.Count; grain++)
            {
                var parameters = new Dictionary<string, double[]>(alike.Parameters);
                if (oriented) parameters["orientation"] = crystal.Rotation(grain);
                laws.TryAdd(grain.ToString(CultureInfo.InvariantCulture), alike with { Parameters = parameters });
            }
        }
        var regions = mesh.Cells.Select(c => c.Region).Distinct().ToList();
        var faults = new List<InputFault>();
        foreach (string region in regions)
            if (!laws.ContainsKey(region)) faults.Add(new InputFault(null, 0, 0, $"phase '{region}' of the microstructure has no material"));
        foreach (string name in laws.Keys.Except(regions).ToList())
        {
            // A small image may miss a grain of the polycrystal; a name that the user wrote is a slip.
            if (crystal is null || micro.Materials.ContainsKey(name))
                faults.Add(new InputFault(null, 0, 0, $"the microstructure has no phase '{name}'; it has: {string.Join(", ", regions)}"));
            laws.Remove(name);
        }
        return faults.Count == 0 ? new Phases(mesh, laws, voxels) : throw new InputException(faults);
    }

    private static Voxels Build(BuiltMicrostructure built, double[] size, int jobSeed, out Polycrystal? crystal)
    {
        crystal = null;
        if (built.Shape.Length != size.Length) throw new InputException($"'shape' has {built.Shape.Length} directions, 'size' {size.Length}");
        var p = built.Parameters;
        ulong seed = (ulong)(built.Seed ?? jobSeed);
        switch (built.Kind)
        {
            case "spheres": return Microstructures.RandomInclusions(size, p["fraction"], p["radius"], p["gap"], seed).ToVoxels(built.Shape);
            case "fibres": return Microstructures.AlignedFibres(built.Shape, size, (int)p["axis"], p["fraction"], p["radius"], p["gap"], seed);
            case "laminate": return Microstructures.Laminate(built.Shape, size, (int)p["axis"], built.Fractions, (int)p["repeats"]);
            case "checkerboard": return Microstructures.Checkerboard(built.Shape, size, (int)p["fields"]);
            case "array": return (p["packing"] == 0 ? Inclusions.SimpleCubic(size, p["radius"]) : Inclusions.BodyCentred(size, p["radius"])).ToVoxels(built.Shape);
            default:
                crystal = Microstructures.Voronoi(built.Shape, size, (int)p["grains"], seed);
                return crystal.Grains;
        }
    }

    /// <summary>The representative volume, ready to be solved. In plane stress every phase is: the picture of a sheet that is thinner than its
    /// microstructure.</summary>
    public static RveModel Rve(MicroChoice micro, int seed, bool planeStress)
    {
        var phases = Build(micro, seed);
        var space = Space(phases.Mesh.Dimension, micro.Finite);
        // Grains that share a law and its numbers share the object too.
        var made = phases.Laws.ToDictionary(p => p.Key, p => Law(p.Value, space, planeStress));
        return new RveModel(phases.Mesh, made, space, micro.Boundary, new RveOptions(micro.Tolerance, micro.MaxIterations));
    }

    /// <summary>A law in a strain space.</summary>
    public static IMaterial Law(MaterialChoice choice, StrainSpace space, bool planeStress) =>
        MaterialCatalog.Create(choice.Law, choice.Parameters, space, planeStress);
}
