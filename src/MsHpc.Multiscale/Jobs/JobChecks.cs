using MsHpc.Continuum;
using MsHpc.Continuum.IO;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>
/// Whether a job fits its files: boundaries and regions exist in the mesh, every region and phase has a law, directions match the
/// dimension. What can be checked is checked even when other parts of the job are wrong.
/// </summary>
internal static class JobChecks
{
    /// <summary>A macro model against its mesh.</summary>
    public static void Macro(ModelChoice model, Node node, JobReader reader)
    {
        if (reader.MeshOf(model.MeshFile!, node["mesh"]!) is not { } mesh) return;
        var regions = mesh.Cells.Select(c => c.Region).Distinct().ToList();
        var materials = node["materials"];
        foreach (var (key, law) in materials?.Entries ?? [])
        {
            if (!regions.Contains(key.Text)) reader.Fault(key, $"the mesh has no region '{key.Text}'{JobReader.Suggest(key.Text, regions)}");
            else if (model.Materials.TryGetValue(key.Text, out var choice)) CheckStrain(choice, model.Finite, law, reader);
        }
        if (model.Micro is null)
        {
            foreach (string region in regions.Where(r => !model.Materials.ContainsKey(r)))
                reader.Fault(materials ?? node, region.Length > 0 ? $"region '{region}' of the mesh has no material"
                    : "elements of the mesh belong to no named region: give them one in Gmsh (Physical Surface or Physical Volume)");
        }
        else
        {
            if (regions.All(model.Materials.ContainsKey)) reader.Fault(node, "every region has a material of its own: nothing is left for the microstructure");
            foreach (var (key, law) in node["micro"]!["materials"]!.Entries)
                if (model.Micro.Materials.TryGetValue(key.Text, out var choice)) CheckStrain(choice, model.Finite, law, reader);
            int dimension = model.Micro.Microstructure is MeshedMicrostructure file ? reader.MeshOf(file.File, node["micro"]!["mesh"]!)?.Dimension ?? 0 : model.Micro.Size!.Length;
            if (dimension != 0 && dimension != mesh.Dimension)
                reader.Fault(node["micro"]!, $"the mesh has {mesh.Dimension} dimensions, the microstructure {dimension}");
        }
        if (mesh.Dimension == 3)
            foreach (string key in new[] { "plane", "thickness" })
                if (node[key] is { } unneeded) reader.Fault(unneeded, $"the mesh is three-dimensional: '{key}' has no meaning");
        if (model.Finite && model.Integration == Continuum.Assembly.Integration.BBar)
            reader.Fault(node["integration"]!, "b_bar works at small strain; at finite strain use quadratic elements with 'reduced'");
    }

    /// <summary>A microstructure against its files and laws. Small or finite strain is known one level up, except in a model of its own.</summary>
    public static void Micro(MicroChoice micro, Node node, JobReader reader)
    {
        try { JobModels.Build(micro, reader.Seed); }
        catch (InputException e)
        {
            foreach (var fault in e.Faults) reader.Faults.Add(fault.File is null ? node.Fault(fault.Message) : fault);
        }
        if (node["strain"] is not { } strain || strain.Text is not ("small" or "finite")) return;
        foreach (var (key, law) in node["materials"]!.Entries)
            if (micro.Materials.TryGetValue(key.Text, out var choice)) CheckStrain(choice, strain.Text == "finite", law, reader);
    }

    private static void CheckStrain(MaterialChoice choice, bool finite, Node node, JobReader reader)
    {
        var entry = MaterialCatalog.Entries.First(e => e.Name == choice.Law);
        if (finite ? entry.SupportsFinite : entry.SupportsSmall) return;
        var fit = MaterialCatalog.Entries.Where(e => finite ? e.SupportsFinite : e.SupportsSmall).Select(e => e.Name);
        reader.Fault(node, $"{choice.Law} has no {(finite ? "finite" : "small")}-strain form (strain: {(finite ? "finite" : "small")}); use one of {string.Join(", ", fit)}");
    }

    /// <summary>Supports, loads and outputs against the mesh and the strain measure, read from the nodes.</summary>
    public static void Run(Node root, JobReader reader)
    {
        var body = root["model"]?["continuum"] ?? root["model"]?["fe2"];
        if (body?["mesh"] is { Kind: NodeKind.Scalar } name)
        {
            string file = Path.GetFullPath(Path.Combine(reader.Directory, name.Text));
            if (!name.IsNull && File.Exists(file) && reader.MeshOf(file, name) is { } mesh) AgainstMesh(root, body, mesh, reader);
        }
        if (root["model"]?["continuum"] is not null && root["solvers"]?["micro"] is { } solver) reader.Fault(solver, "there is no microstructure to be solved: the model is not fe2 or rve");
        if (root["model"]?["rve"] is not null && root["solvers"]?["macro"] is { } macro) reader.Fault(macro, "there is no macro mesh to be solved: give the solver under 'micro'");
        if (root["model"]?["rve"] is { } rve) AgainstRve(root, rve, reader);
    }

    private static void AgainstMesh(Node root, Node body, Continuum.Mesh mesh, JobReader reader)
    {
        var boundaries = mesh.Boundaries.Keys.Order(StringComparer.Ordinal).ToList();
        var regions = mesh.Cells.Select(c => c.Region).Distinct().ToList();
        bool finite = body["strain"]?.Text == "finite";
        var held = new Dictionary<(string, string), Node>();
        foreach (var condition in root["boundary_conditions"]?.Items ?? [])
        {
            bool inside = condition["body_force"] is not null;
            if (condition["on"] is { Kind: NodeKind.Scalar } on && !on.IsNull)
            {
                bool surface = condition.Entries.Any(e => e.Key.Text is not ("on" or "body_force"));
                if (surface && !mesh.Boundaries.ContainsKey(on.Text))
                    reader.Fault(on, $"the mesh has no boundary '{on.Text}'{JobReader.Suggest(on.Text, boundaries)}"
                        + (mesh.Boundaries.Count == 0 ? $": name them in Gmsh (Physical {(mesh.Dimension == 2 ? "Curve" : "Surface")})" : ""));
                if (inside && on.Text != "all" && !regions.Contains(on.Text))
                    reader.Fault(on, $"the mesh has no region '{on.Text}'{JobReader.Suggest(on.Text, regions)}");
                if ((condition["traction"] is not null || condition["pressure"] is not null) && mesh.Boundaries.TryGetValue(on.Text, out var blocks)
                    && blocks.All(b => b.Type.Dimension() < mesh.Dimension - 1))
                    reader.Fault(on, $"'{on.Text}' is no {(mesh.Dimension == 2 ? "edge" : "face")} of the mesh: a traction or pressure needs one");
                foreach (string u in new[] { "ux", "uy", "uz" })
                    if (condition[u] is { } value && !held.TryAdd((on.Text, u), value))
                        reader.Fault(value, $"{u} on '{on.Text}' is prescribed twice, first in line {held[(on.Text, u)].Line}");
            }
            if (mesh.Dimension == 2 && condition["uz"] is { } uz) reader.Fault(uz, "the mesh is two-dimensional: there is no uz");
            foreach (string vector in new[] { "traction", "force", "body_force", "at" })
                if (condition[vector] is { Kind: NodeKind.Sequence } list && list.Items.Count is 2 or 3 && list.Items.Count != mesh.Dimension)
                    reader.Fault(list, $"{vector} has {list.Items.Count} components, the mesh {mesh.Dimension} dimensions");
            if (condition["follower"]?.Text == "true" && !finite) reader.Fault(condition["follower"]!, "a follower pressure needs finite strain (strain: finite)");
        }
        foreach (var (region, velocity) in root["initial_velocity"]?.Entries ?? [])
        {
            if (region.Text != "all" && !regions.Contains(region.Text)) reader.Fault(region, $"the mesh has no region '{region.Text}'{JobReader.Suggest(region.Text, regions)}");
            if (velocity.Kind == NodeKind.Sequence && velocity.Items.Count is 2 or 3 && velocity.Items.Count != mesh.Dimension)
                reader.Fault(velocity, $"the velocity has {velocity.Items.Count} components, the mesh {mesh.Dimension} dimensions");
        }
        if (root["output"]?["micro"] is { Kind: NodeKind.Sequence } micro)
            foreach (var item in micro.Items)
            {
                if (root["model"]?["fe2"] is null) { reader.Fault(item, "there is no microstructure to be written: the model is not fe2"); continue; }
                if (item["element"] is { Kind: NodeKind.Scalar } element && Numbers.TryParse(element.Text, out double number) && number >= mesh.CellCount)
                    reader.Fault(element, $"the mesh has {mesh.CellCount} elements, numbered from 0");
            }
    }

    private static void AgainstRve(Node root, Node rve, JobReader reader)
    {
        bool finite = rve["strain"]?.Text == "finite";
        int dimension = rve["size"] is { Kind: NodeKind.Sequence } size ? size.Items.Count
            : rve["mesh"] is { Kind: NodeKind.Scalar } mesh && File.Exists(Path.Combine(reader.Directory, mesh.Text)) ? reader.MeshOf(Path.GetFullPath(Path.Combine(reader.Directory, mesh.Text)), mesh)?.Dimension ?? 0 : 0;
        if (dimension is not (2 or 3)) return;
        string[] labels = JobModels.Space(dimension, finite).Labels();
        foreach (string path in new[] { "strain", "stress" })
            foreach (var (key, _) in root["run"]?[path]?.Entries ?? [])
                if (!labels.Contains(key.Text))
                    reader.Fault(key, $"at {(finite ? "finite" : "small")} strain in {dimension} dimensions the components are {string.Join(", ", labels)}, not '{key.Text}'");
        if (root["output"]?["micro"] is { } micro) reader.Fault(micro, "the job is one representative volume: it is written as the field itself");
    }
}
