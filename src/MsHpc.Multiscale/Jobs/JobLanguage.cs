using System.Text.Json.Nodes;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.IO;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Multiscale.Jobs;

/// <summary>
/// The job language, declared once. Reading, checking, suggestions and the JSON Schema for editors all come from the keys below;
/// a new option is one <see cref="Key{T}"/> and its use in a record.
/// </summary>
internal static class JobLanguage
{
    /// <summary>First line of every job.</summary>
    public const string Version = "mshpc/1";

    private static Key<T> Need<T>(string name, Spec<T> spec, string doc) => new(name, spec, doc, required: true);
    private static Key<T> May<T>(string name, Spec<T> spec, string doc, T? fallback = default) => new(name, spec, doc, fallback: fallback);
    private static NumberSpec Positive(Dimension dimension = default) => new(dimension, min: 0, open: true);
    private static NumberSpec Free(Dimension dimension) => new(dimension);

    // ---- histories -----------------------------------------------------------------------------------------------------------------

    /// <summary>A number over time; the end of a ramp is the end of the job, which is known only later.</summary>
    internal sealed record Curve(double[]? Times, double[] Values)
    {
        public LoadCurve Resolve(double end) => Times is not null ? LoadCurve.Table(Times, Values)
            : Values.Length == 1 ? LoadCurve.Constant(Values[0]) : LoadCurve.Table([0, end], Values);
    }

    private static Spec<Curve> History(Dimension dimension)
    {
        var number = Free(dimension);
        string name = "history" + (dimension == Dimension.None ? "" : "_of_" + (dimension == Dimension.Force / Dimension.Volume ? "body_force" : dimension.ToString()));
        var ramp = May("ramp", new ListSpec<double>(number, "[start, end]", 2, 2), "goes in a straight line from the first number at time 0 to the second at the end of the job");
        var table = May("table", new TableSpec(number), "points [time, value], joined by straight lines and constant outside");
        var map = new MapSpec<Curve>(name, "A number that changes with time.", m => m.Has(ramp)
            ? new Curve(null, [.. m.Get(ramp)])
            : new Curve([.. m.Get(table).Select(p => p.Time)], [.. m.Get(table).Select(p => p.Value)]), ramp, table) { ExactlyOne = [[ramp, table]] };
        return new EitherSpec<Curve>("a number, {ramp: [a, b]} or {table: [[t, v], …]}",
            (NodeKind.Scalar, new MappedSpec<double, Curve>(number, v => new Curve(null, [v]))), (NodeKind.Map, map));
    }

    /// <summary>Rising [time, value] pairs.</summary>
    private sealed class TableSpec(NumberSpec number) : Spec<IReadOnlyList<(double Time, double Value)>>
    {
        private readonly NumberSpec _time = new(Dimension.Duration);

        public override bool Read(Node node, JobReader reader, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out IReadOnlyList<(double Time, double Value)> value)
        {
            var points = new List<(double, double)>();
            value = points;
            if (node.Kind != NodeKind.Sequence || node.Items.Count == 0) return reader.Fault(node, $"a list of [time, value] pairs is needed here, not {node.Describe()}");
            bool ok = true;
            double last = double.NegativeInfinity;
            foreach (var pair in node.Items)
            {
                if (pair.Kind != NodeKind.Sequence || pair.Items.Count != 2)
                {
                    ok = reader.Fault(pair, $"a pair [time, value] is needed here, not {pair.Describe()}");
                    continue;
                }
                if (!_time.Read(pair.Items[0], reader, out double time) | !number.Read(pair.Items[1], reader, out double v)) { ok = false; continue; }
                if (time <= last) ok = reader.Fault(pair, $"the times of a table must rise; {Numbers.Text(time)} follows {Numbers.Text(last)}");
                last = time;
                points.Add((time, v));
            }
            return ok;
        }

        public override JsonObject Schema(JsonObject defs) => new()
        {
            ["type"] = "array",
            ["minItems"] = 1,
            ["items"] = new JsonObject
            {
                ["type"] = "array", ["minItems"] = 2, ["maxItems"] = 2,
                ["items"] = new JsonObject { ["anyOf"] = new JsonArray(_time.Schema(defs), number.Schema(defs)) },
            },
        };
    }

    // ---- materials -----------------------------------------------------------------------------------------------------------------

    private static readonly VariantSpec<MaterialChoice> Law = new("material law", [.. MaterialCatalog.Entries.Select(e => (e.Name, LawSpec(e), false))]);

    private static Spec<MaterialChoice> LawSpec(MaterialEntry entry)
    {
        Key<double[]>[] keys = [.. entry.Parameters.Select(p => new Key<double[]>(p.Name, ParameterSpec(p),
            p.Required ? p.Summary : $"{p.Summary} Left out: {p.Default}.", p.Required))];
        return new MapSpec<MaterialChoice>("law_" + entry.Name, $"{entry.Summary} {entry.Reference}.",
            m => new MaterialChoice(entry.Name, keys.Where(m.Has).ToDictionary(k => k.Name, m.Get)), keys)
        {
            Check = (m, reader) =>
            {
                // The catalog knows what numbers a law admits; any space will do for that.
                try { MaterialCatalog.Create(entry.Name, keys.Where(m.Has).ToDictionary(k => k.Name, m.Get), entry.SupportsSmall ? StrainSpace.SolidSmall : StrainSpace.SolidFinite); }
                catch (InputException e)
                {
                    foreach (var fault in e.Faults) reader.Fault(m.Node, fault.Message);
                }
            },
        };
    }

    private static Spec<double[]> ParameterSpec(MaterialParameter parameter)
    {
        var number = parameter.Dimension switch
        {
            "stress" => new NumberSpec(Dimension.Pressure),
            "time" => new NumberSpec(Dimension.Duration),
            "density" => new NumberSpec(Dimension.Density),
            _ => NumberSpec.Any, // angles are in degrees
        };
        return parameter.MaxCount == 1 ? new MappedSpec<double, double[]>(number, v => [v])
            : new MappedSpec<IReadOnlyList<double>, double[]>(new ListSpec<double>(number, parameter.Summary, parameter.MinCount, parameter.MaxCount), v => [.. v]);
    }

    private static readonly NamedSpec<MaterialChoice> Regions = new(Law, "region: law");

    // ---- microstructures -----------------------------------------------------------------------------------------------------------

    private static readonly Key<IReadOnlyList<int>> ShapeKey = Need<IReadOnlyList<int>>("shape", new ListSpec<int>(new IntegerSpec(1, 4096), "voxels per direction", 2, 3), "voxels per direction");
    private static readonly Key<int> MicroSeedKey = May("seed", new IntegerSpec(), "seed of the random placement; left out: the job's");

    private static readonly Key<double> FractionKey = Need("fraction", new NumberSpec(Dimension.None, 0, 1, open: true), "volume fraction of the inclusions");
    private static readonly Key<double> RadiusKey = Need("radius", Positive(Dimension.Distance), "radius");
    private static readonly Key<double> GapKey = May("gap", new NumberSpec(Dimension.Distance, 0), "smallest distance between two surfaces", 0.0);
    private static readonly Key<double> AxisKey = Need("axis", new ChoiceSpec<double>(("x", 0, "x"), ("y", 1, "y"), ("z", 2, "z")), "direction of the fibres, or normal of the layers");
    private static readonly Key<double> RepeatsKey = May("repeats", new MappedSpec<int, double>(new IntegerSpec(1, 10_000), v => v), "number of stacks of layers", 1.0);
    private static readonly Key<IReadOnlyList<double>> FractionsKey = Need<IReadOnlyList<double>>("fractions", new ListSpec<double>(new NumberSpec(Dimension.None, 0, 1), "one per layer", 1, 1000), "thickness of each layer over that of the stack; they sum to 1");
    private static readonly Key<double> GrainsKey = Need("grains", new MappedSpec<int, double>(new IntegerSpec(1, 1_000_000), v => v), "number of grains; materials name them 0, 1, … or, all alike with random crystal axes, 'grain'");
    private static readonly Key<double> PackingKey = May("packing", new ChoiceSpec<double>(("simple", 0, "one inclusion in the middle"), ("centred", 1, "one in the middle, one at the corners")), "arrangement", 0.0);
    private static readonly Key<double> FieldsKey = May("fields", new MappedSpec<int, double>(new IntegerSpec(2, 4096), v => v), "squares (cubes) along each axis, even", 2.0);

    private static (string, Spec<MicrostructureChoice>, bool) Built(string name, string doc, bool random, params Key[] keys) => (name,
        new MapSpec<MicrostructureChoice>(name, doc, m => new BuiltMicrostructure(name, [.. m.Get(ShapeKey)],
            keys.OfType<Key<double>>().ToDictionary(k => k.Name, m.Get), m.Optional(MicroSeedKey), keys.Contains(FractionsKey) ? [.. m.Get(FractionsKey)] : []),
            [ShapeKey, .. keys, .. random ? new Key[] { MicroSeedKey } : []]), false);

    private static readonly VariantSpec<MicrostructureChoice> BuiltSpec = new("microstructure",
        Built("spheres", "Phase 0 with random, non-overlapping spheres (discs in two dimensions) of phase 1.", true, FractionKey, RadiusKey, GapKey),
        Built("fibres", "Phase 0 with random parallel fibres of phase 1, in three dimensions.", true, FractionKey, RadiusKey, GapKey, AxisKey),
        Built("laminate", "Layers; phase n is the n-th of the stack.", false, AxisKey, FractionsKey, RepeatsKey),
        Built("voronoi", "A periodic polycrystal of Voronoi cells.", true, GrainsKey),
        Built("array", "Phase 0 with a regular array of spheres (discs) of phase 1.", false, RadiusKey, PackingKey),
        Built("checkerboard", "Phases 0 and 1 in a chequered pattern.", false, FieldsKey));

    private static readonly MapSpec<VoxelFile> RawVoxels = RawFile();

    private static MapSpec<VoxelFile> RawFile()
    {
        var file = Need("file", new FileSpec("a voxel file"), "numbers without a header, the last index (z, or y in two dimensions) running fastest, as NumPy writes them");
        var type = May("type", new ChoiceSpec<NpyType>(("uint8", NpyType.U1, "one byte"), ("uint16", NpyType.U2, "two bytes, low first"), ("int32", NpyType.I4, "four bytes, low first")), "type of each number", NpyType.U1);
        return new MapSpec<VoxelFile>("raw_voxels", "Voxels from a file without a header.", m => new VoxelFile(m.Get(file), [.. m.Get(ShapeKey)], m.Get(type)), file, ShapeKey, type);
    }

    private static readonly Key<MicrostructureChoice> VoxelsKey = May<MicrostructureChoice>("voxels", new EitherSpec<MicrostructureChoice>("an .npy file or {file, shape, type}",
        (NodeKind.Scalar, new MappedSpec<string, MicrostructureChoice>(new FileSpec("a voxel file", ".npy"), f => new VoxelFile(f, null, default))),
        (NodeKind.Map, new MappedSpec<VoxelFile, MicrostructureChoice>(RawVoxels, v => v))), "phase number of each voxel, from a file");
    private static readonly Key<MicrostructureChoice> BuiltKey = May<MicrostructureChoice>("microstructure", BuiltSpec, "a microstructure made on the spot");
    private static readonly Key<MicrostructureChoice> MicroMeshKey = May<MicrostructureChoice>("mesh", new MappedSpec<string, MicrostructureChoice>(new FileSpec("a mesh file", ".msh"), f => new MeshedMicrostructure(f)), "Gmsh mesh of a box; its regions are the phases");
    private static readonly Key<IReadOnlyList<double>> SizeKey = May<IReadOnlyList<double>>("size", new ListSpec<double>(Positive(Dimension.Distance), "an edge length per direction", 2, 3), "edge lengths (voxels and built microstructures)");
    private static readonly Key<IReadOnlyDictionary<string, MaterialChoice>> PhasesKey = Need("materials", new NamedSpec<MaterialChoice>(Law, "phase: law"), "law of each phase");
    private static readonly Key<RveBoundary> BoundaryKey = May("boundary", new ChoiceSpec<RveBoundary>(
        ("periodic", RveBoundary.Periodic, "opposite points move alike"), ("linear_displacement", RveBoundary.LinearDisplacement, "the boundary follows the macro strain, upper bound"),
        ("uniform_traction", RveBoundary.UniformTraction, "the boundary carries the macro stress, lower bound")), "how the macro strain is imposed", RveBoundary.Periodic);
    private static readonly Key<double> MicroTolerance = May("tolerance", new NumberSpec(Dimension.None, 0, 1e-4, open: true), "equilibrium residual, relative", 1e-11);
    private static readonly Key<int> MicroIterations = May("max_iterations", new IntegerSpec(1, 1000), "Newton iterations before the macro step is cut", 25);

    private static MapSpec<MicroChoice> MicroSpec(string name, string doc) => MicroMap<MicroChoice>(name, doc, null, (_, micro) => micro);

    private static MicroChoice Choice(MapValues m) => new(m.Get(m.Has(VoxelsKey) ? VoxelsKey : m.Has(BuiltKey) ? BuiltKey : MicroMeshKey)!,
        m.Get(SizeKey) is { } size ? [.. size] : null, m.Get(PhasesKey), m.Get(BoundaryKey), false, m.Get(MicroTolerance), m.Get(MicroIterations));

    private static MapSpec<T> MicroMap<T>(string name, string doc, Key? more, Func<MapValues, MicroChoice, T> build) => new(name, doc,
        m => build(m, Choice(m)),
        [VoxelsKey, BuiltKey, MicroMeshKey, SizeKey, PhasesKey, BoundaryKey, MicroTolerance, MicroIterations, .. more is null ? Array.Empty<Key>() : [more]])
    {
        ExactlyOne = [[VoxelsKey, BuiltKey, MicroMeshKey]],
        Check = (m, reader) =>
        {
            int before = reader.Faults.Count;
            if (!m.Has(MicroMeshKey) && !m.Has(SizeKey)) reader.Fault(m.Node, "'size' is missing: the edge lengths of the voxel box");
            if (m.Has(MicroMeshKey) && m.Has(SizeKey)) reader.Fault(m.Node["size"]!, "a mesh has its own size; leave 'size' out");
            if (reader.Faults.Count == before) JobChecks.Micro(Choice(m), m.Node, reader);
        },
    };

    // ---- model ---------------------------------------------------------------------------------------------------------------------

    private static readonly Key<string> MeshKey = Need("mesh", new FileSpec("a mesh file", ".msh"), "Gmsh mesh (.msh 4.1); its physical groups are the regions and boundaries");
    private static readonly Key<bool> PlaneKey = May("plane", new ChoiceSpec<bool>(("strain", false, "no strain out of plane"), ("stress", true, "no stress out of plane")), "two dimensions: what holds out of plane");
    private static readonly Key<bool> StrainKey = May("strain", new ChoiceSpec<bool>(("small", false, "small strain"), ("finite", true, "finite strain, F and first Piola–Kirchhoff stress")), "small or finite strain");
    private static readonly Key<double> ThicknessKey = May("thickness", Positive(Dimension.Distance), "two dimensions: thickness", 1.0);
    private static readonly Key<Integration> IntegrationKey = May("integration", new ChoiceSpec<Integration>(("full", Integration.Full, "full quadrature"),
        ("reduced", Integration.Reduced, "one point per direction less, on serendipity elements"),
        ("b_bar", Integration.BBar, "mean dilatation on linear quadrilaterals and hexahedra, against locking; small strain")), "element formulation", Integration.Full);
    private static readonly Key<IReadOnlyDictionary<string, MaterialChoice>> MaterialsKey = Need("materials", Regions, "law of each region of the mesh");
    private static readonly Key<IReadOnlyDictionary<string, MaterialChoice>> SomeMaterialsKey = May("materials", Regions, "regions that have a law instead of a microstructure");
    private static readonly Key<MicroChoice> MicroKey = Need("micro", MicroSpec("micro", "The representative volume at every integration point."), "the representative volume at every integration point");
    private static readonly Key<string> TangentKey = May("tangent", new ChoiceSpec<string>(("condensation", "condensation", "exact, by static condensation of the converged volume")), "macroscopic tangent", "condensation");
    private static readonly IReadOnlyDictionary<string, MaterialChoice> NoMaterials = new Dictionary<string, MaterialChoice>();

    private static ModelChoice Macro(MapValues m, Key<IReadOnlyDictionary<string, MaterialChoice>> materials, MicroChoice? micro) => new(m.Get(MeshKey),
        m.Get(PlaneKey), m.Get(StrainKey), m.Get(ThicknessKey), m.Get(IntegrationKey), m.Has(materials) ? m.Get(materials) : NoMaterials, micro);

    private static readonly MapSpec<ModelChoice> Continuum = new("continuum", "A mesh whose regions have material laws.",
        m => Macro(m, MaterialsKey, null), MeshKey, PlaneKey, StrainKey, ThicknessKey, IntegrationKey, MaterialsKey)
    {
        Check = (m, reader) => JobChecks.Macro(Macro(m, MaterialsKey, null), m.Node, reader),
    };

    private static readonly MapSpec<ModelChoice> Fe2 = new("fe2", "A mesh with a representative volume at every integration point.",
        m => Macro(m, SomeMaterialsKey, m.Get(MicroKey) with { Finite = m.Get(StrainKey) }),
        MeshKey, PlaneKey, StrainKey, ThicknessKey, IntegrationKey, MicroKey, SomeMaterialsKey, TangentKey)
    {
        Check = (m, reader) => JobChecks.Macro(Macro(m, SomeMaterialsKey, m.Get(MicroKey)), m.Node, reader),
    };

    private static readonly MapSpec<ModelChoice> Rve = MicroMap("rve", "A representative volume by itself.", StrainKey,
        (m, micro) => new ModelChoice(null, false, m.Get(StrainKey), 1, Integration.Full, NoMaterials, micro with { Finite = m.Get(StrainKey) }));

    private static readonly VariantSpec<ModelChoice> MacroModels = new("model", ("continuum", Continuum, false), ("fe2", Fe2, false));
    private static readonly VariantSpec<ModelChoice> RveModels = new("model", ("rve", Rve, false));

    // ---- boundary conditions -------------------------------------------------------------------------------------------------------

    /// <summary>A condition before the end time is known.</summary>
    internal sealed record Condition(string? On, double[]? At, Curve?[] Displacement, IReadOnlyList<Curve>? Traction, Curve? Pressure, bool Follower,
        IReadOnlyList<Curve>? Force, IReadOnlyList<Curve>? BodyForce)
    {
        public ConditionChoice Resolve(double end) => new(On, At, [.. Displacement.Select(d => d?.Resolve(end))], Many(Traction, end),
            Pressure?.Resolve(end), Follower, Many(Force, end), Many(BodyForce, end));

        private static LoadCurve[]? Many(IReadOnlyList<Curve>? curves, double end) => curves?.Select(c => c.Resolve(end)).ToArray();
    }

    private static readonly Key<string> OnKey = May("on", new TextSpec("the name of a boundary"), "boundary, region or point of the mesh (a physical group); 'all' for a body force everywhere");
    private static readonly Key<IReadOnlyList<double>> AtKey = May<IReadOnlyList<double>>("at", new ListSpec<double>(Free(Dimension.Distance), "a coordinate per direction", 2, 3), "the node nearest to this point, instead of a boundary");
    private static readonly Key<Curve>[] DisplacementKeys = [.. "xyz".Select(c => May($"u{c}", History(Dimension.Distance), $"displacement along {c}"))];
    private static readonly Key<IReadOnlyList<Curve>> TractionKey = May<IReadOnlyList<Curve>>("traction", new ListSpec<Curve>(History(Dimension.Pressure), "a component per direction", 2, 3), "force per reference area, a component per direction");
    private static readonly Key<Curve> PressureKey = May("pressure", History(Dimension.Pressure), "pressure against the outward normal");
    private static readonly Key<bool> FollowerKey = May("follower", new FlagSpec(), "the pressure stays normal to the deformed surface", false);
    private static readonly Key<IReadOnlyList<Curve>> ForceKey = May<IReadOnlyList<Curve>>("force", new ListSpec<Curve>(History(Dimension.Force), "a component per direction", 2, 3), "force on each node of a named point, a component per direction");
    private static readonly Key<IReadOnlyList<Curve>> BodyForceKey = May<IReadOnlyList<Curve>>("body_force", new ListSpec<Curve>(History(Dimension.Force / Dimension.Volume), "a component per direction", 2, 3), "force per volume of a region, a component per direction");

    private static readonly MapSpec<Condition> ConditionSpec = new("boundary_condition", "A support or a load on a named part of the mesh.",
        m => new Condition(m.Get(OnKey), m.Get(AtKey)?.ToArray(), [.. DisplacementKeys.Select(k => m.Has(k) ? m.Get(k) : null)], m.Get(TractionKey), m.Get(PressureKey), m.Get(FollowerKey), m.Get(ForceKey), m.Get(BodyForceKey)),
        [OnKey, AtKey, .. DisplacementKeys, TractionKey, PressureKey, FollowerKey, ForceKey, BodyForceKey])
    {
        ExactlyOne = [[OnKey, AtKey]],
        Check = (m, reader) =>
        {
            if (!m.All.Any(v => v.Key != OnKey && v.Key != AtKey && v.Key != FollowerKey))
                reader.Fault(m.Node, "this condition prescribes nothing: give ux, uy, uz, traction, pressure, force or body_force");
            if (m.Has(AtKey) && (m.Has(TractionKey) || m.Has(PressureKey) || m.Has(BodyForceKey)))
                reader.Fault(m.Node, "at a point there can be displacements and a force; tractions, pressures and body forces need a boundary or region ('on')");
            if (m.Has(FollowerKey) && !m.Has(PressureKey)) reader.Fault(m.Node, "'follower' belongs to a pressure, and there is none");
        },
    };

    private static readonly NamedSpec<IReadOnlyList<double>> Velocities = new(new ListSpec<double>(Free(Dimension.Velocity), "a component per direction", 2, 3), "region: velocity");

    // ---- run -----------------------------------------------------------------------------------------------------------------------

    private static readonly Key<double> Rtol = May("rtol", new NumberSpec(Dimension.None, 0, 1, open: true), "residual over the largest force so far", 1e-8);
    private static readonly Key<double> Atol = May("atol", new NumberSpec(Dimension.Force, 0), "residual that is small enough whatever the load", 1e-14);
    private static readonly Key<int> MaxIterations = May("max_iterations", new IntegerSpec(1, 1000), "iterations before the step counts as failed", 15);
    private static readonly Key<bool> LineSearch = May("line_search", new FlagSpec(), "shorten an iteration that does not reduce the residual", true);
    private static readonly Key<double> Cutback = May("cutback", new NumberSpec(Dimension.None, 0, 1, open: true), "factor on the step after a failure", 0.5);
    private static readonly Key<double> MinStep = May("min_step", new NumberSpec(Dimension.None, 0, 1, open: true), "smallest fraction of a load step before the run gives up", 1.0 / 64);
    private static readonly MapSpec<NewtonChoice> NewtonSpec = new("newton", "Newton's method.", m => new NewtonChoice(m.Get(Rtol), m.Get(Atol),
        m.Get(MaxIterations), m.Get(LineSearch), m.Get(Cutback), m.Get(MinStep)), Rtol, Atol, MaxIterations, LineSearch, Cutback, MinStep);
    private static readonly NewtonChoice DefaultNewton = new(1e-8, 1e-14, 15, true, 0.5, 1.0 / 64);

    private static readonly Key<NewtonChoice> NewtonKey = May("newton", NewtonSpec, "Newton's method", DefaultNewton);
    private static readonly Key<int> StepsKey = Need("steps", new IntegerSpec(1, 10_000_000), "equal steps to the end time");
    private static readonly Key<double> EndKey = May("end_time", Positive(Dimension.Duration), "time at the end", 1.0);
    private static readonly Key<double> NeedEndKey = Need("end_time", Positive(Dimension.Duration), "time at the end");
    private static readonly IReadOnlyDictionary<string, Curve> NoCurves = new Dictionary<string, Curve>();

    /// <summary>A run before its histories are resolved.</summary>
    internal sealed record Run(int Steps, double EndTime, NewtonChoice Newton, IntegratorChoice? Integrator, bool Stiffness,
        IReadOnlyDictionary<string, Curve> Strain, IReadOnlyDictionary<string, Curve> Stress)
    {
        public RunChoice Resolve() => new(Steps, EndTime, Newton, Integrator, Stiffness,
            Strain.ToDictionary(p => p.Key, p => p.Value.Resolve(EndTime)), Stress.ToDictionary(p => p.Key, p => p.Value.Resolve(EndTime)));
    }

    private static readonly MapSpec<Run> QuasistaticRun = new("quasistatic_run", "Load steps.", m => new Run(m.Get(StepsKey), m.Get(EndKey), m.Get(NewtonKey)!, null, false, NoCurves, NoCurves),
        StepsKey, EndKey, NewtonKey);

    private static Spec<IntegratorChoice> Integrator(string name, string doc, params Key<double>[] keys) => new MapSpec<IntegratorChoice>(name, doc,
        m => new IntegratorChoice(name, keys.ToDictionary(k => k.Name, k => m.Get(k))), keys);

    private static readonly Key<double> Alpha = May("alpha", new NumberSpec(Dimension.None, -1.0 / 3, 0), "α: 0 damps nothing, −1/3 damps high frequencies most", -0.05);
    private static readonly Key<double> MassDamping = May("mass_damping", new NumberSpec(Dimension.Rate, 0), "damping: this times the mass", 0.0);
    private static readonly Key<double> StiffnessDamping = May("stiffness_damping", new NumberSpec(Dimension.Duration, 0), "damping: this times the initial stiffness", 0.0);
    private static readonly Key<double> Safety = May("safety", new NumberSpec(Dimension.None, 0, 1), "fraction of the stable step", 0.9);
    private static readonly Key<IntegratorChoice> IntegratorKey = Need("integrator", new VariantSpec<IntegratorChoice>("integrator",
        ("newmark", Integrator("newmark", "Newmark's average acceleration: implicit, no damping of its own.", MassDamping, StiffnessDamping), true),
        ("hht", Integrator("hht", "Hilber–Hughes–Taylor: implicit, with damping of high frequencies.", Alpha, MassDamping, StiffnessDamping), true),
        ("explicit", Integrator("explicit", "Central differences with a lumped mass and the stable step of the elements.", Safety, MassDamping), true)), "time integration");
    private static readonly Key<int> TimeStepsKey = May("steps", new IntegerSpec(1, 10_000_000), "equal steps to the end time (explicit: the stable step decides when this is left out)", 0);
    private static readonly MapSpec<Run> DynamicsRun = new("dynamics_run", "Motion in time.", m => new Run(m.Get(TimeStepsKey), m.Get(NeedEndKey), m.Get(NewtonKey)!, m.Get(IntegratorKey), false, NoCurves, NoCurves),
        IntegratorKey, NeedEndKey, TimeStepsKey, NewtonKey)
    {
        Check = (m, reader) =>
        {
            if (m.Get(IntegratorKey).Kind != "explicit" && !m.Has(TimeStepsKey)) reader.Fault(m.Node, "'steps' is missing: implicit time integration needs the number of steps to the end time");
        },
    };

    private static readonly string[] SmallLabels = StrainSpace.SolidSmall.Labels(), FiniteLabels = StrainSpace.SolidFinite.Labels();
    private static readonly Spec<IReadOnlyDictionary<string, Curve>> StrainPath = new NamedSpec<Curve>(History(Dimension.None), "component: history", [.. SmallLabels, .. FiniteLabels], required: false);
    private static readonly Spec<IReadOnlyDictionary<string, Curve>> StressPath = new NamedSpec<Curve>(History(Dimension.Pressure), "component: history", [.. SmallLabels, .. FiniteLabels], required: false);
    private static readonly Key<bool> StiffnessKey = May("stiffness", new FlagSpec(), "effective stiffness of the unloaded volume", true);
    private static readonly Key<IReadOnlyDictionary<string, Curve>> StrainPathKey = May("strain", StrainPath, "macroscopic strain: engineering components xx … xy (small strain) or deformation gradient 11 … 33 (finite strain); what is named neither here nor under stress stays undeformed", NoCurves);
    private static readonly Key<IReadOnlyDictionary<string, Curve>> StressPathKey = May("stress", StressPath, "macroscopic stress components (finite strain: first Piola–Kirchhoff) that are prescribed instead of the strain", NoCurves);
    private static readonly Key<int> PathStepsKey = May("steps", new IntegerSpec(1, 10_000_000), "steps of the loading path", 1);
    private static readonly MapSpec<Run> HomogenizeRun = new("homogenize_run", "Effective stiffness and a loading path of one representative volume.",
        m => new Run(m.Get(PathStepsKey), m.Get(EndKey), m.Get(NewtonKey)!, null, m.Get(StiffnessKey), m.Get(StrainPathKey)!, m.Get(StressPathKey)!),
        StiffnessKey, StrainPathKey, StressPathKey, PathStepsKey, EndKey, NewtonKey)
    {
        Check = (m, reader) =>
        {
            foreach (string both in m.Get(StrainPathKey)!.Keys.Intersect(m.Get(StressPathKey)!.Keys))
                reader.Fault(m.Node, $"component {both} has both a strain and a stress; only one of them can be prescribed");
        },
    };

    // ---- solvers -------------------------------------------------------------------------------------------------------------------

    private static readonly Key<EmbeddedMethod> Method = May("method", new ChoiceSpec<EmbeddedMethod>(
        ("auto", EmbeddedMethod.Auto, "direct while its factor is cheap, otherwise the Krylov method of the matrix"), ("direct", EmbeddedMethod.Direct, "sparse LDLᵀ or LU"),
        ("cg", EmbeddedMethod.Cg, "conjugate gradients"), ("minres", EmbeddedMethod.Minres, "minimal residuals, symmetric indefinite"), ("gmres", EmbeddedMethod.Gmres, "any matrix")), "method", EmbeddedMethod.Auto);
    private static readonly Key<EmbeddedPreconditioner> Preconditioner = May("preconditioner", new ChoiceSpec<EmbeddedPreconditioner>(
        ("auto", EmbeddedPreconditioner.Auto, "what suits the method"), ("jacobi", EmbeddedPreconditioner.Jacobi, "diagonal"), ("ic0", EmbeddedPreconditioner.Ic0, "incomplete Cholesky"),
        ("ilu0", EmbeddedPreconditioner.Ilu0, "incomplete LU"), ("multigrid", EmbeddedPreconditioner.Multigrid, "smoothed aggregation")), "preconditioner of the iterative methods", EmbeddedPreconditioner.Auto);
    private static readonly Key<double> SolverTolerance = May("tolerance", new NumberSpec(Dimension.None, 0, 1, open: true), "relative residual at which an answer counts", 1e-10);
    private static readonly Key<int> SolverIterations = May("max_iterations", new IntegerSpec(1, 10_000_000), "limit of the iterative methods", 5000);
    private static readonly MapSpec<SolverChoice> Embedded = new("embedded_solver", "The built-in solvers, which need no library.",
        m => new SolverChoice(null, new EmbeddedSolverOptions
        {
            Method = m.Get(Method), Preconditioner = m.Get(Preconditioner), RelativeTolerance = m.Get(SolverTolerance), MaxIterations = m.Get(SolverIterations),
        }), Method, Preconditioner, SolverTolerance, SolverIterations)
    {
        Check = (m, reader) =>
        {
            if (m.Get(Method) is EmbeddedMethod.Minres && m.Get(Preconditioner) is EmbeddedPreconditioner.Ilu0)
                reader.Fault(m.Node, "MINRES needs a positive definite preconditioner; ilu0 is none (choose jacobi, or gmres)");
        },
    };

    /// <summary>PETSc options by their own names, or <c>embedded: {…}</c>.</summary>
    private sealed class SolverSpec : Spec<SolverChoice>
    {
        public override bool Read(Node node, JobReader reader, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out SolverChoice value)
        {
            value = null;
            if (node.Kind == NodeKind.Scalar && node.Text == "embedded") { value = new SolverChoice(null, new EmbeddedSolverOptions()); return true; }
            if (node.Kind != NodeKind.Map) return reader.Fault(node, $"PETSc options or 'embedded: {{…}}' are needed here, not {node.Describe()}");
            if (node["embedded"] is { } embedded)
            {
                bool alone = node.Entries.Count == 1 || reader.Fault(node, "'embedded' and PETSc options exclude each other");
                return Embedded.Read(embedded, reader, out value) && alone;
            }
            var options = new Dictionary<string, string>(StringComparer.Ordinal);
            bool ok = true;
            foreach (var (key, child) in node.Entries)
            {
                if (key.Text.Length == 0 || !key.Text.All(c => c is >= 'a' and <= 'z' or >= 'A' and <= 'Z' or >= '0' and <= '9' or '_' or '-') || key.Text[0] is '-')
                    ok = reader.Fault(key, $"'{key.Text}' is not the name of a PETSc option; those look like ksp_type, without a leading dash");
                else if (child.Kind != NodeKind.Scalar) ok = reader.Fault(child, $"a PETSc option has one value, not {child.Describe()}");
                else options[key.Text] = child.IsNull ? "" : child.Text;
            }
            value = new SolverChoice(options, null);
            return ok;
        }

        public override JsonObject Schema(JsonObject defs) => new()
        {
            ["anyOf"] = new JsonArray(
                new JsonObject { ["enum"] = new JsonArray("embedded") },
                new JsonObject
                {
                    ["type"] = "object", ["properties"] = new JsonObject { ["embedded"] = Embedded.Schema(defs) },
                    ["required"] = new JsonArray("embedded"), ["additionalProperties"] = false,
                },
                new JsonObject
                {
                    ["type"] = "object", ["not"] = new JsonObject { ["required"] = new JsonArray("embedded") },
                    ["additionalProperties"] = new JsonObject { ["type"] = new JsonArray("string", "number", "integer", "boolean", "null") },
                    ["description"] = "PETSc options by their own names (ksp_type, pc_type, …), passed through",
                }),
        };
    }

    private static readonly Key<SolverChoice> MacroSolver = May("macro", new SolverSpec(), "linear solver of the mesh");
    private static readonly Key<SolverChoice> MicroSolver = May("micro", new SolverSpec(), "linear solver of the representative volume of a homogenize job; the many volumes of fe2 always use the built-in batched factorization");
    private static readonly MapSpec<(SolverChoice? Macro, SolverChoice? Micro)> Solvers = new("solvers", "Linear solvers: PETSc's own option names, or embedded.",
        m => (m.Get(MacroSolver), m.Get(MicroSolver)), MacroSolver, MicroSolver);

    // ---- output --------------------------------------------------------------------------------------------------------------------

    private static readonly Key<int> Element = Need("element", new IntegerSpec(), "element, from 0, in the order of the mesh file");
    private static readonly Key<int> Point = May("point", new IntegerSpec(0, 1000), "integration point of the element, from 0", 0);
    private static readonly MapSpec<MicroPoint> MicroPointSpec = new("micro_point", "An integration point whose microstructure is written.", m => new MicroPoint(m.Get(Element), m.Get(Point)), Element, Point);

    /// <summary>How often: steps as a number, or a time with a unit.</summary>
    private sealed class EverySpec : Spec<(int Steps, double Seconds)>
    {
        private static readonly (string Unit, double Seconds)[] Times = [("s", 1), ("min", 60), ("h", 3600)];

        public override bool Read(Node node, JobReader reader, out (int Steps, double Seconds) value)
        {
            value = default;
            if (node.Kind == NodeKind.Scalar)
            {
                if (Numbers.TryParse(node.Text, out double steps) && steps == Math.Floor(steps) && steps is >= 1 and <= int.MaxValue)
                {
                    value = ((int)steps, 0);
                    return true;
                }
                foreach (var (unit, seconds) in Times)
                    if (node.Text.EndsWith(unit, StringComparison.Ordinal) && Numbers.TryParse(node.Text[..^unit.Length].Trim(), out double number) && number is > 0 and < 1e9)
                    {
                        value = (0, number * seconds);
                        return true;
                    }
            }
            return reader.Fault(node, $"a number of steps (10) or a time ('30 min') is needed here, not {node.Describe()}");
        }

        public override JsonObject Schema(JsonObject defs) => new()
        {
            ["anyOf"] = new JsonArray(new JsonObject { ["type"] = "integer", ["minimum"] = 1 }, new JsonObject { ["type"] = "string", ["pattern"] = @"^[0-9.eE+-]+\s*(s|min|h)$" }),
        };
    }

    private static readonly Key<(int Steps, double Seconds)> CheckpointEvery = May<(int Steps, double Seconds)>("every", new EverySpec(), "steps (1) or wall time ('30 min') between checkpoints", (0, 600));
    private static readonly Key<int> Keep = May("keep", new IntegerSpec(1, 1000), "checkpoints that are kept", 2);
    private static readonly MapSpec<(int Steps, double Seconds, int Keep)> CheckpointSpec = new("checkpoint", "State from which --restart goes on.",
        m => (m.Get(CheckpointEvery).Steps, m.Get(CheckpointEvery).Seconds, m.Get(Keep)), CheckpointEvery, Keep);

    private static readonly Key<string> Fields = May("fields", new TextSpec("a file name", ".pvd"), "displacements, stresses and internal variables for ParaView", "fields.pvd");
    private static readonly Key<string> Reactions = May("reactions", new TextSpec("a file name", ".csv"), "reaction forces of the supported boundaries", "reactions.csv");
    internal static readonly Key<string> Summary = May("summary", new TextSpec("a file name", ".html"), "a page to look at", "summary.html");
    private static readonly Key<IReadOnlyList<MicroPoint>> MicroPoints = May<IReadOnlyList<MicroPoint>>("micro", new ListSpec<MicroPoint>(MicroPointSpec, "{element, point}", 0, 100), "microstructures that are written with the fields", []);
    private static readonly Key<int> Every = May("every", new IntegerSpec(1), "fields are written every so many steps, and at the end", 1);
    internal static readonly Key<(int Steps, double Seconds, int Keep)> Checkpoint = May("checkpoint", CheckpointSpec, "state from which --restart goes on", (0, 600.0, 2));
    private static readonly MapSpec<OutputChoice> OutputSpec = new("output", "What is written into the output folder.",
        m => new OutputChoice(m.Get(Fields), m.Get(Reactions), m.Get(Summary), m.Get(MicroPoints)!, m.Get(Every), m.Get(Checkpoint).Steps,
            m.Get(Checkpoint).Seconds, m.Get(Checkpoint).Keep), Fields, Reactions, Summary, MicroPoints, Every, Checkpoint);
    private static readonly OutputChoice DefaultOutput = new("fields.pvd", "reactions.csv", "summary.html", [], 1, 0, 600, 2);

    // ---- the job -------------------------------------------------------------------------------------------------------------------

    /// <summary>A job as read; file, folder and hash are added by <see cref="JobFile"/>.</summary>
    internal sealed record Draft(string Name, JobType Type, string Units, int Seed, ModelChoice Model, IReadOnlyList<Condition> Conditions,
        IReadOnlyDictionary<string, IReadOnlyList<double>> InitialVelocity, Run Run, SolverChoice? Macro, SolverChoice? Micro, OutputChoice Output)
    {
        /// <summary>The atomistic part; null for jobs on meshes.</summary>
        public AtomJob? Atoms { get; init; }
    }

    /// <summary>What stands for model and run of a job on atoms.</summary>
    internal static ModelChoice NoModel { get; } = new(null, false, false, 1, Integration.Full, NoMaterials, null);
    internal static Run NoRun { get; } = new(0, 0, DefaultNewton, null, false, NoCurves, NoCurves);

    private static readonly ChoiceSpec<JobType> Types = new(("quasistatic", JobType.Quasistatic, "load steps in equilibrium"),
        ("dynamics", JobType.Dynamics, "motion in time"), ("homogenize", JobType.Homogenize, "one representative volume"), ("md", JobType.Md, "molecular dynamics"),
        ("minimize", JobType.Minimize, "a minimum of the energy of atoms"), ("energy", JobType.Energy, "energy, forces and stress of atoms as they are"),
        ("elastic", JobType.Elastic, "elastic constants of a crystal"), ("phonon", JobType.Phonon, "phonon dispersion of a crystal"));
    private static readonly Key<string> NameKey = Need("name", new TextSpec("a name"), "name of the job");
    private static readonly Key<JobType> TypeKey = Need("type", Types, "what the job computes");
    private static readonly MapSpec<(string Name, JobType Type)> JobSpec = new("job", "Name and kind of the job.", m => (m.Get(NameKey), m.Get(TypeKey)), NameKey, TypeKey);

    internal static readonly Key<string> SchemaKey = Need("schema", new ChoiceSpec<string>((Version, Version, "this version of the language")), "version of the job language");
    internal static readonly Key<(string Name, JobType Type)> JobKey = Need("job", JobSpec, "name and kind of the job");
    private static readonly Key<string> UnitsKey = May("units", new ChoiceSpec<string>([.. UnitSystem.All.Select(u => (u.Name, u.Name, $"{u.Symbol(Dimension.Distance)}, {u.Symbol(Dimension.Force)}, {u.Symbol(Dimension.Pressure)}, {u.Symbol(Dimension.Duration)}, {u.Symbol(Dimension.Density)}"))]), "unit system of plain numbers", UnitSystem.MillimetreNewton.Name);
    internal static readonly Key<int> SeedKey = May("seed", new IntegerSpec(), "seed of everything random", 0);
    private static readonly Key<IReadOnlyList<Condition>> ConditionsKey = Need<IReadOnlyList<Condition>>("boundary_conditions", new ListSpec<Condition>(ConditionSpec, "supports and loads"), "supports and loads");
    private static readonly Key<IReadOnlyDictionary<string, IReadOnlyList<double>>> VelocityKey = May("initial_velocity", Velocities, "velocity at time 0 by region; 'all' for everywhere");
    private static readonly Key<(SolverChoice? Macro, SolverChoice? Micro)> SolversKey = May("solvers", Solvers, "linear solvers; left out: the best on the machine");
    private static readonly Key<OutputChoice> OutputKey = May("output", OutputSpec, "what is written", DefaultOutput);

    private static MapSpec<Draft> Root(JobType type, Spec<ModelChoice> model, Spec<Run> run)
    {
        var modelKey = Need("model", model, "what it is computed on");
        var runKey = Need("run", run, "how the job goes through time");
        Key[] keys = type switch
        {
            JobType.Homogenize => [SchemaKey, JobKey, UnitsKey, SeedKey, modelKey, runKey, SolversKey, OutputKey],
            JobType.Dynamics => [SchemaKey, JobKey, UnitsKey, SeedKey, modelKey, ConditionsKey, VelocityKey, runKey, SolversKey, OutputKey],
            _ => [SchemaKey, JobKey, UnitsKey, SeedKey, modelKey, ConditionsKey, runKey, SolversKey, OutputKey],
        };
        var none = new Dictionary<string, IReadOnlyList<double>>();
        return new MapSpec<Draft>(type.ToString().ToLowerInvariant() + "_job", $"A job of type {type.ToString().ToLowerInvariant()}.", m => new Draft(m.Get(JobKey).Name, type,
            m.Get(UnitsKey)!, m.Get(SeedKey), m.Get(modelKey), m.Has(ConditionsKey) ? m.Get(ConditionsKey) : [],
            m.Has(VelocityKey) ? m.Get(VelocityKey)! : none, m.Get(runKey),
            m.Get(SolversKey).Macro, m.Get(SolversKey).Micro, m.Get(OutputKey)!), keys);
    }

    private static readonly (JobType Type, string Word, MapSpec<Draft> Spec)[] Roots =
    [
        (JobType.Quasistatic, "quasistatic", Root(JobType.Quasistatic, MacroModels, QuasistaticRun)),
        (JobType.Dynamics, "dynamics", Root(JobType.Dynamics, MacroModels, DynamicsRun)),
        (JobType.Homogenize, "homogenize", Root(JobType.Homogenize, RveModels, HomogenizeRun)),
        .. AtomLanguage.Roots,
    ];

    /// <summary>Reads a whole job; <c>job.type</c> decides what else belongs in it.</summary>
    public static Draft? Read(Node root, JobReader reader)
    {
        if (root.Kind != NodeKind.Map)
        {
            reader.Fault(root, $"a job is a map that starts with 'schema: {Version}', not {root.Describe()}");
            return null;
        }
        string? word = root["job"]?["type"]?.Text;
        var spec = Roots.FirstOrDefault(r => r.Word == word).Spec;
        // With an unknown type the rest is still read, as what its model says: the other faults should not wait for the next attempt.
        spec ??= root["system"] is not null ? AtomLanguage.Roots.First(r => r.Type == (root["run"]?["supercell"] is not null ? JobType.Phonon : root["run"]?["timestep"] is not null ? JobType.Md : JobType.Minimize)).Spec
            : root["model"]?["rve"] is not null ? Roots[2].Spec : root["run"]?["integrator"] is not null ? Roots[1].Spec : Roots[0].Spec;
        return spec.Read(root, reader, out var draft) ? draft : null;
    }

    /// <summary>The whole language as JSON Schema, draft 2020-12.</summary>
    public static JsonObject Schema()
    {
        var defs = new JsonObject();
        var cases = new JsonArray();
        foreach (var (_, word, spec) in Roots)
            cases.Add(new JsonObject
            {
                ["if"] = new JsonObject
                {
                    ["properties"] = new JsonObject { ["job"] = new JsonObject { ["properties"] = new JsonObject { ["type"] = new JsonObject { ["const"] = word } }, ["required"] = new JsonArray("type") } },
                    ["required"] = new JsonArray("job"),
                },
                ["then"] = spec.Schema(defs),
            });
        return new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["$id"] = "urn:mshpc:job:1",
            ["title"] = "MsHpc job",
            ["description"] = $"A job file of MsHpc ({Version}). Numbers are in the job's unit system; strings carry their unit ('210 GPa').",
            ["type"] = "object",
            ["properties"] = new JsonObject { ["schema"] = SchemaKey.Values.Schema(defs), ["job"] = JobSpec.Schema(defs) },
            ["required"] = new JsonArray("schema", "job"),
            ["allOf"] = cases,
            ["$defs"] = defs,
        };
    }
}
