using System.Text.Json.Nodes;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using static MsHpc.Multiscale.Jobs.AtomKeys;

namespace MsHpc.Multiscale.Jobs;

/// <summary>The part of the job language that is about atoms: where they come from, what acts between them, what is done with them.</summary>
internal static class AtomLanguage
{
    // ---- system --------------------------------------------------------------------------------------------------------------------

    private static readonly Key<string> StructureKey = Need("structure", new ChoiceSpec<string>([.. Crystal.Structures.Select(s => (s, s, $"{Crystal.Kinds(s)} kind{(Crystal.Kinds(s) > 1 ? "s" : "")} of atoms"))]), "crystal structure");
    private static readonly Key<string> ElementKey = May<string>("element", new TextSpec("a chemical symbol"), "chemical symbol, of structures with one kind of atoms");
    private static readonly Key<IReadOnlyList<string>> ElementsKey = May<IReadOnlyList<string>>("elements", new ListSpec<string>(new TextSpec("a chemical symbol"), "chemical symbols", 1, 4), "chemical symbols, one per kind of atoms of the structure");
    private static readonly Key<double> AKey = Need("a", Positive(Dimension.Distance), "lattice constant");
    private static readonly Key<double> CKey = May("c", Positive(Dimension.Distance), "second lattice constant, of hcp; left out: the ideal one", 0.0);
    private static readonly ListSpec<int> Triple = new(new IntegerSpec(1, 100_000), "three whole numbers", 3, 3);
    private static readonly Key<IReadOnlyList<int>> CellsKey = May<IReadOnlyList<int>>("cells", Triple, "cells along the three edges", [1, 1, 1]);
    private static readonly Key<bool> PrimitiveKey = May("primitive", new FlagSpec(), "primitive cells instead of cubes", false);
    private static readonly Key<IReadOnlyList<IReadOnlyList<int>>> OrientationKey = May<IReadOnlyList<IReadOnlyList<int>>>("orientation",
        new ListSpec<IReadOnlyList<int>>(new ListSpec<int>(new IntegerSpec(-50, 50), "[h, k, l]", 3, 3), "three directions [h, k, l]", 3, 3), "directions of the cubic crystal along x, y, z, at right angles");
    private static readonly Key<double> VacuumKey = May("vacuum", NotNegative(Dimension.Distance), "empty space added along the third edge: two surfaces", 0.0);

    private static readonly Key<double> OffsetKey = May("offset", NumberSpec.Any, "shift of the atoms along the third edge, in parts of a repeat: where the vacuum cuts the crystal", 0.0);

    private static readonly Key<IReadOnlyList<int>> RemoveKey = May<IReadOnlyList<int>>("remove", new ListSpec<int>(new IntegerSpec(1), "ids of atoms", 1), "atoms that are taken out: vacancies", []);

    private static readonly MapSpec<SystemChoice> CrystalSpec = new("crystal", "A perfect crystal, or one with surfaces and vacancies.", m =>
    {
        string[] names = m.Has(ElementKey) ? [m.Get(ElementKey)!] : [.. m.Get(ElementsKey)!];
        string structure = m.Get(StructureKey);
        int[] cells = [.. m.Get(CellsKey)!];
        double vacuum = m.Get(VacuumKey);
        var removed = m.Get(RemoveKey)!;
        Atoms Make(int[] times, double vacuum) => Crystal.Create(structure, [.. names.Select(n => Crystal.Element(n))], m.Get(AKey), times,
            m.Get(CKey), m.Get(PrimitiveKey), m.Get(OrientationKey)?.Select(o => o.ToArray()).ToArray(), vacuum, m.Get(OffsetKey));
        return new SystemChoice($"{structure} {string.Join(' ', names)}, {string.Join(" × ", cells)} cells", null, _ => Crystal.Remove(Make(cells, vacuum), removed), () => Make([1, 1, 1], vacuum), null)
        {
            Perfect = vacuum > 0 || removed.Count > 0 ? () => Make([1, 1, 1], 0) : null, Surfaces = vacuum > 0,
        };
    }, StructureKey, ElementKey, ElementsKey, AKey, CKey, CellsKey, PrimitiveKey, OrientationKey, VacuumKey, OffsetKey, RemoveKey)
    { ExactlyOne = [[ElementKey, ElementsKey]] };

    private static readonly string[] s_suffixes = [".extxyz", ".xyz", ".data", ".lmp", ".dump", ".lammpstrj", ".h5", ".h5md"];
    private static readonly Key<string> FileKey = May<string>("file", new FileSpec("a file of atoms", s_suffixes), "extxyz, LAMMPS data (.data, .lmp) or dump (.dump, .lammpstrj), H5MD (.h5, .h5md); of several frames the last");
    private static readonly Key<SystemChoice> CrystalKey = May<SystemChoice>("crystal", CrystalSpec, "a perfect crystal, made on the spot");
    private static readonly Key<string> InpcrdKey = Need("inpcrd", new FileSpec("an Amber coordinate file", ".inpcrd", ".rst7", ".crd", ".rst"), "Amber coordinates");
    private static readonly Key<AmberConstraints> RigidKey = May("rigid", new ChoiceSpec<AmberConstraints>(("none", AmberConstraints.None, "nothing"), ("water", AmberConstraints.Water, "water molecules"), ("h-bonds", AmberConstraints.Hydrogens, "water molecules and bonds to hydrogen")),
        "what is held rigid, so that the time step can be longer: 2 fs with h-bonds", AmberConstraints.None);
    private static readonly Key<SystemChoice> AmberKey = May<SystemChoice>("amber", new MapSpec<SystemChoice>("amber_system", "Atoms, charges and bonds of Amber files.", m =>
    {
        string prmtop = m.Get(AtomModels.PrmtopKey), inpcrd = m.Get(InpcrdKey);
        Atoms Make() => AmberTopology.Read(prmtop, inpcrd, m.Get(RigidKey)).Atoms;
        return new SystemChoice(Path.GetFileName(prmtop), prmtop, _ => Make(), Make, null) { Other = inpcrd };
    }, AtomModels.PrmtopKey, InpcrdKey, RigidKey), "Amber files; their force field is the model 'amber'");
    private static readonly Key<IReadOnlyList<int>> MoleculesKey = Need<IReadOnlyList<int>>("molecules", Triple, "molecules along x, y, z");
    // 1 g/cm³ = 1e-24 g/Å³.
    private const double GramPerCubicCentimetre = 1e-27 / Codata.AtomicMass;
    private static readonly Key<double> DensityKey = May("density", Positive(Dimension.Density), "mass density, '0.997 g/cm^3'", 0.997 * GramPerCubicCentimetre);
    private static readonly Key<SystemChoice> WaterKey = May<SystemChoice>("water", new MapSpec<SystemChoice>("water_system", "Rigid water molecules on a lattice, turned at random: a start for equilibration.", m =>
    {
        var (model, n, density) = (m.Get(AtomModels.WaterModelKey)!, m.Get(MoleculesKey)!, m.Get(DensityKey) / GramPerCubicCentimetre);
        Atoms Make(int seed, IReadOnlyList<int> n) => model.Box(n[0], n[1], n[2], (ulong)seed, density);
        return new SystemChoice($"water, {model.Name}, {string.Join(" × ", n)} molecules", null, seed => Make(seed, n), () => Make(0, n), null);
    }, AtomModels.WaterModelKey, MoleculesKey, DensityKey), "a box of rigid water; its forces are the model 'water'");
    private static readonly Key<string> StyleKey = May<string>("atom_style", new ChoiceSpec<string>(("atomic", "atomic", "id type x y z"), ("charge", "charge", "id type q x y z"),
        ("molecular", "molecular", "id molecule type x y z"), ("full", "full", "id molecule type q x y z")), "of a LAMMPS data file that does not say it");
    private static readonly Key<LammpsUnits> FileUnitsKey = May("file_units", new ChoiceSpec<LammpsUnits>(("metal", LammpsUnits.Metal, "eV, Å, ps"), ("real", LammpsUnits.Real, "kcal/mol, Å, fs")), "units of a LAMMPS file", LammpsUnits.Metal);
    private static readonly Key<IReadOnlyList<string>> DumpElementsKey = May<IReadOnlyList<string>>("elements", new ListSpec<string>(new TextSpec("a chemical symbol"), "a symbol per type", 1, 100), "symbol of each type, of a dump without the column 'element'");
    private static readonly Key<IReadOnlyList<double>> Scale14Key = May<IReadOnlyList<double>>("scale14", new ListSpec<double>(new NumberSpec(Dimension.None, 0, 1), "[Coulomb, Lennard-Jones]", 2, 2), "factors between atoms three bonds apart, of a LAMMPS data file with bonds", [0, 0]);
    private static readonly Key<IReadOnlyDictionary<string, double>> ChargesKey = May<IReadOnlyDictionary<string, double>>("charges", new NamedSpec<double>(new NumberSpec(Dimension.None, -100, 100), "symbol: charge"), "charge of each kind of atoms, e, instead of those of the file");
    private static readonly Key<IReadOnlyList<int>> RepeatKey = May<IReadOnlyList<int>>("repeat", Triple, "the atoms repeated along the three edges", [1, 1, 1]);
    private static readonly Key<double> StartTemperatureKey = May("temperature", NotNegative(Dimension.Kelvin), "velocities drawn for this temperature; left out: as in the file");

    private static readonly MapSpec<SystemChoice> SystemSpec = new("system", "Where the atoms come from.", m =>
    {
        double? temperature = m.Optional(StartTemperatureKey);
        int[] repeat = [.. m.Get(RepeatKey)!];
        var source = m.Has(CrystalKey) ? m.Get(CrystalKey)! : m.Has(WaterKey) ? m.Get(WaterKey)! : m.Has(AmberKey) ? m.Get(AmberKey)! : FromFile(m);
        bool again = repeat.Any(n => n > 1);
        var charges = m.Get(ChargesKey);
        Atoms Charged(Atoms atoms)
        {
            string[] symbols = [.. atoms.Species.Select(s => s.Symbol)];
            foreach (var (symbol, _) in charges ?? new Dictionary<string, double>())
                if (!symbols.Contains(symbol)) throw new InputException($"charges: there are no atoms '{symbol}'{JobReader.Suggest(symbol, symbols)}");
            for (int i = 0; i < atoms.Count && charges is not null; i++) if (charges.TryGetValue(symbols[atoms.Types[i]], out double q)) atoms.Charges[i] = q;
            return atoms;
        }
        return source with { Temperature = temperature, Sample = () => Charged(source.Sample()), Perfect = source.Perfect is { } perfect ? () => Charged(perfect()) : null, Make = seed => Charged(again ? Crystal.Repeat(source.Make(seed), repeat) : source.Make(seed)), Description = again ? $"{source.Description}, repeated {string.Join(" × ", repeat)}" : source.Description };
    }, FileKey, CrystalKey, WaterKey, AmberKey, StyleKey, FileUnitsKey, DumpElementsKey, Scale14Key, ChargesKey, RepeatKey, StartTemperatureKey)
    { ExactlyOne = [[FileKey, CrystalKey, WaterKey, AmberKey]] };

    private static SystemChoice FromFile(MapValues m)
    {
        string file = m.Get(FileKey)!;
        Atoms Make() => Path.GetExtension(file).ToLowerInvariant() switch
        {
            ".extxyz" or ".xyz" => ExtXyz.Read(file).Atoms,
            ".h5" or ".h5md" => H5md.Read(file).Atoms,
            ".data" or ".lmp" => LammpsData.Read(file, m.Get(StyleKey), m.Get(FileUnitsKey), (m.Get(Scale14Key)![0], m.Get(Scale14Key)![1])).Atoms,
            _ => LammpsDump.Read(file, m.Get(DumpElementsKey), m.Get(FileUnitsKey)).Atoms,
        };
        Atoms Some() => Make() is { Count: > 0 } atoms ? atoms : throw new InputException(file, 0, 0, "there are no atoms in it");
        return new SystemChoice(Path.GetFileName(file), file, _ => Some(), Some, null);
    }

    // ---- run -----------------------------------------------------------------------------------------------------------------------

    private static readonly Key<double> TimeStepKey = Need("timestep", Positive(Dimension.Duration), "time step");
    private static readonly Key<int> StepsKey = Need("steps", new IntegerSpec(1), "time steps");
    private static readonly Key<double> SkinKey = May("skin", Positive(Dimension.Distance), "what neighbour lists hold beyond the cutoff; changes the speed, not the result", 1.0);
    private static readonly Key<double> HotKey = May("max_temperature", Positive(Dimension.Kelvin), "the run stops above this temperature", 1e5);
    private static readonly Key<double> TemperatureKey = Need("temperature", NotNegative(Dimension.Kelvin), "temperature");
    private static readonly Key<double> FrictionKey = Need("friction", Positive(Dimension.Rate), "friction γ");
    private static readonly Key<double> BathTimeKey = Need("time", Positive(Dimension.Duration), "time constant of the thermostat");
    private static readonly Key<double> PressureKey = Need("pressure", new NumberSpec(Dimension.Pressure), "pressure");
    private static readonly Key<double> PressureTimeKey = Need("pressure_time", Positive(Dimension.Duration), "time constant of the barostat; about 1000 time steps");
    private static readonly Key<CellMotion> CellMotionKey = May("cell", new ChoiceSpec<CellMotion>(("isotropic", CellMotion.Isotropic, "the volume"), ("anisotropic", CellMotion.Anisotropic, "lengths along x, y, z"), ("flexible", CellMotion.Flexible, "lengths and angles")), "how the cell moves", CellMotion.Isotropic);

    private static readonly Key<string> BathKey = May<string>("group", GroupName, "atoms that the thermostat acts on; left out: all");

    private static (string, Spec<EnsembleChoice>, bool) Ensemble(string name, string doc, Func<MapValues, AtomModel, Integrator> make, bool bare, params Key[] keys) =>
        (name, new MapSpec<EnsembleChoice>("ensemble_" + name, doc, m => new EnsembleChoice(name, model => make(m, model), m.Node.Fault), keys), bare);

    private static int[]? Bath(MapValues m, AtomModel model) => AtomGroups.Find(model.Atoms, m.Get(BathKey));

    private static readonly Key<int> EvaluationsKey = Need("evaluations", new IntegerSpec(1, 1000), "evaluations per time step; 1: the slowest, the others multiples of each other");
    private static readonly Key<IReadOnlyList<string>> TermsKey = Need<IReadOnlyList<string>>("terms", new ListSpec<string>(new TextSpec("the name of a term"), "names of terms", 1, 100), "terms of the model: bonds, angles, lennard_jones, coulomb_reciprocal, …");
    private static readonly MapSpec<(int Evaluations, IReadOnlyList<string> Terms)> LevelSpec = new("rrespa_group", "Terms that are evaluated equally often.", m => (m.Get(EvaluationsKey), m.Get(TermsKey)!), EvaluationsKey, TermsKey);
    private static readonly Key<IReadOnlyDictionary<string, (int Evaluations, IReadOnlyList<string> Terms)>> LevelsKey = Need<IReadOnlyDictionary<string, (int Evaluations, IReadOnlyList<string> Terms)>>("groups",
        new NamedSpec<(int Evaluations, IReadOnlyList<string> Terms)>(LevelSpec, "name: {evaluations: …, terms: […]}"), "groups of terms by name; every term of the model in exactly one");
    private static readonly Key<double> WarmKey = May("temperature", NotNegative(Dimension.Kelvin), "temperature of a Langevin thermostat; left out: constant energy"), RubKey = May("friction", Positive(Dimension.Rate), "its friction γ");
    private static readonly Key<bool> ResonanceKey = May("allow_resonance", new FlagSpec(), "run even with a step that resonates, for studies of the instability", false);

    private static Respa MakeRespa(MapValues m, AtomModel model)
    {
        string[] known = [.. model.Terms.Select(t => t.Term.Name).Distinct()];
        var faults = new List<InputFault>();
        var groups = m.Node["groups"]!;
        foreach (var (key, node) in groups.Entries)
            foreach (var name in node["terms"]!.Items)
                if (!known.Contains(name.Text)) faults.Add(name.Fault($"the model has no term '{name.Text}'{JobReader.Suggest(name.Text, known)}"));
        foreach (string term in known)
        {
            string[] holders = [.. m.Get(LevelsKey).Where(g => g.Value.Terms.Contains(term)).Select(g => g.Key)];
            if (holders.Length == 0) faults.Add(groups.Fault($"a force would not act: '{term}' is in no group"));
            if (holders.Length > 1) faults.Add(groups.Fault($"a force would act twice: '{term}' is in the groups {string.Join(" and ", holders.Select(h => $"'{h}'"))}"));
        }
        if (faults.Count > 0) throw new InputException(faults);
        try
        {
            return new Respa(model.ForceField, [.. m.Get(LevelsKey).Select(g => new ForceGroup(g.Key, g.Value.Evaluations, [.. model.Terms.Where(t => g.Value.Terms.Contains(t.Term.Name)).Select(t => t.Term.Interaction)]))],
                m.Has(WarmKey) ? new Langevin(m.Get(WarmKey), m.Get(RubKey)) : null, m.Get(ResonanceKey));
        }
        catch (InputException e) { throw new InputException([.. e.Faults.Select(f => f.File is null ? groups.Fault(f.Message) : f)]); }
    }

    private static readonly MapSpec<EnsembleChoice> RespaSpec = new("ensemble_rrespa", "Multiple time steps: impulse r-RESPA, with constant energy or a Langevin thermostat. Steps that resonate with a vibration are refused.",
        m => new EnsembleChoice("rrespa", model => MakeRespa(m, model), m.Node.Fault), LevelsKey, WarmKey, RubKey, ResonanceKey)
    {
        Check = (m, reader) =>
        {
            if (m.Has(WarmKey) != m.Has(RubKey)) reader.Fault(m.Node, "a Langevin thermostat needs temperature and friction");
        },
    };

    private static readonly Key<EnsembleChoice> EnsembleKey = May("ensemble", new VariantSpec<EnsembleChoice>("ensemble",
        Ensemble("nve", "Constant energy: velocity Verlet.", (_, _) => new VelocityVerlet(), true),
        Ensemble("langevin", "Constant temperature: Langevin dynamics, BAOAB.", (m, model) => new Langevin(m.Get(TemperatureKey), m.Get(FrictionKey), Bath(m, model)), false, TemperatureKey, FrictionKey, BathKey),
        Ensemble("nose_hoover", "Constant temperature: Nosé–Hoover chains.", (m, model) => new NoseHoover(m.Get(TemperatureKey), m.Get(BathTimeKey), group: Bath(m, model)), false, TemperatureKey, BathTimeKey, BathKey),
        Ensemble("velocity_rescaling", "Constant temperature: stochastic velocity rescaling.", (m, model) => new VelocityRescaling(m.Get(TemperatureKey), m.Get(BathTimeKey), Bath(m, model)), false, TemperatureKey, BathTimeKey, BathKey),
        Ensemble("berendsen", "Weak coupling to a temperature: samples no ensemble, for equilibration only.", (m, model) => new Berendsen(m.Get(TemperatureKey), m.Get(BathTimeKey), group: Bath(m, model)), false, TemperatureKey, BathTimeKey, BathKey),
        Ensemble("npt", "Constant pressure and temperature: Nosé–Hoover chains with the barostat of Martyna, Tobias and Klein.", (m, _) => new NoseHooverBarostat(m.Get(TemperatureKey), m.Get(BathTimeKey), m.Get(PressureKey),
            m.Get(PressureTimeKey), m.Get(CellMotionKey)), false, TemperatureKey, BathTimeKey, PressureKey, PressureTimeKey, CellMotionKey),
        ("rrespa", RespaSpec, false)),
        "what is held constant", new EnsembleChoice("nve", _ => new VelocityVerlet(), text => new InputFault(null, 0, 0, text)));

    private static readonly Key<string> DrivenGroupKey = Need("group", GroupName, "atoms");
    private static readonly Key<double>[] s_velocity = [.. "xyz".Select(k => May("v" + k, new NumberSpec(Dimension.Velocity), $"velocity along {k}; left out: free", 0.0))];
    private static readonly MapSpec<DrivenChoice> DrivenSpec = new("driven", "Atoms that move at a constant velocity, whatever the forces.", m => new DrivenChoice(m.Get(DrivenGroupKey)!, [.. s_velocity.Select(k => m.Has(k) ? m.Get(k) : (double?)null)]), [DrivenGroupKey, .. s_velocity])
    {
        Check = (m, reader) =>
        {
            if (!s_velocity.Any(m.Has)) reader.Fault(m.Node, "give vx, vy or vz");
        },
    };
    private static readonly Key<IReadOnlyList<DrivenChoice>> DrivenKey = May<IReadOnlyList<DrivenChoice>>("driven", new ListSpec<DrivenChoice>(DrivenSpec, "- {group: …, vx: …}", 1, 1000), "groups that move at a constant velocity", []);
    private static readonly Key<IReadOnlyList<string>> FixedKey = May<IReadOnlyList<string>>("fixed", new ListSpec<string>(GroupName, "names of groups", 1, 1000), "groups that are held where they are", []);
    private static readonly Key<double>[] s_rates = [.. "xyz".SelectMany(a => "xyz".Select(b => May($"{a}{b}", new NumberSpec(Dimension.Rate), $"∂u_{a}/∂{b} per time", 0.0)))];
    private static readonly Key<double[]> DeformKey = May<double[]>("deform", new MapSpec<double[]>("deform", "Rates at which the cell is deformed, of its shape at the start; atoms are carried along.", m => [.. s_rates.Select(k => m.Get(k))], s_rates), "the cell is deformed at a constant rate");
    private static readonly Key<int> StillKey = May("remove_momentum", new IntegerSpec(0), "the centre of mass is stopped every so many steps; 0: never", 0);

    private static readonly MapSpec<AtomRun> MdRun = new("md_run", "Motion in time.", m => new AtomRun(m.Get(TimeStepKey), m.Get(StepsKey), m.Get(SkinKey), m.Get(HotKey), Ensemble: m.Get(EnsembleKey),
        Driven: [.. m.Get(FixedKey)!.Select(g => new DrivenChoice(g, [0, 0, 0])), .. m.Get(DrivenKey)!], Deform: m.Get(DeformKey), RemoveMomentum: m.Get(StillKey)),
        TimeStepKey, StepsKey, EnsembleKey, SkinKey, HotKey, FixedKey, DrivenKey, DeformKey, StillKey);

    private static readonly Key<MinimizeMethod> MethodKey = May("minimizer", new ChoiceSpec<MinimizeMethod>(("lbfgs", MinimizeMethod.Lbfgs, "limited-memory BFGS"), ("fire", MinimizeMethod.Fire, "FIRE 2.0, robust far from a minimum"),
        ("cg", MinimizeMethod.ConjugateGradient, "conjugate gradients")), "how", MinimizeMethod.Lbfgs);
    private static readonly Key<double> ForceKey = May("fmax", Positive(Dimension.Force), "converged when the largest force is below this", 1e-3);
    private static readonly Key<double> StressKey = May("smax", Positive(Dimension.Pressure), "with a relaxed cell: converged when no stress component is farther from its target", 1e-5);
    private static readonly Key<int> MaxStepsKey = May("max_steps", new IntegerSpec(1), "steps before giving up", 1000);
    private static readonly Key<CellRelaxation> CellKey = May("cell", new ChoiceSpec<CellRelaxation>(("fixed", CellRelaxation.None, "nothing"), ("isotropic", CellRelaxation.Isotropic, "the volume"),
        ("anisotropic", CellRelaxation.Anisotropic, "stretches along x, y, z"), ("full", CellRelaxation.Full, "stretches and angles")), "what of the cell relaxes", CellRelaxation.None);
    private static readonly Key<double> TargetKey = May("pressure", new NumberSpec(Dimension.Pressure), "pressure on a relaxed cell", 0.0);
    private static readonly MapSpec<AtomRun> MinimizeRun = new("minimize_run", "The nearest minimum of the energy.",
        m => new AtomRun(Minimize: new MinimizeChoice(m.Get(MethodKey), m.Get(ForceKey), m.Get(StressKey), m.Get(MaxStepsKey), m.Get(CellKey), m.Get(TargetKey))),
        MethodKey, ForceKey, StressKey, MaxStepsKey, CellKey, TargetKey)
    {
        Check = (m, reader) =>
        {
            if (m.Has(TargetKey) && m.Get(CellKey) == CellRelaxation.None) reader.Fault(m.Node["pressure"]!, "a pressure needs a cell that can relax: cell: isotropic, anisotropic or full");
        },
    };

    private static readonly MapSpec<AtomRun> EnergyRun = new("energy_run", "Nothing to choose: energy, forces and stress of the atoms as they are.", _ => new AtomRun());

    private static readonly Key<bool> RelaxKey = May("relax", new FlagSpec(), "cell and atoms are brought to zero stress and force first", true);
    private static readonly Key<double> StrainKey = May("strain", new NumberSpec(Dimension.None, 0, 0.05, open: true), "strain of the differences", 1e-3);
    private static readonly MapSpec<AtomRun> ElasticRun = new("elastic_run", "Elastic constants at 0 K, with inner relaxation.", m => new AtomRun(Elastic: new ElasticChoice(m.Get(RelaxKey), m.Get(StrainKey))), RelaxKey, StrainKey);

    private static readonly Key<IReadOnlyList<int>> SupercellKey = Need<IReadOnlyList<int>>("supercell", Triple, "repeats of the cell: wider than twice the reach of the forces");
    private static readonly Key<double> DisplacementKey = May("displacement", Positive(Dimension.Distance), "displacement of the differences", 0.01);
    private static readonly Key<IReadOnlyList<string>> PathKey = Need<IReadOnlyList<string>>("path", new ListSpec<string>(new TextSpec("the name of a point"), "names of points; '|' jumps", 2, 100), "path through reciprocal space by names of 'points'; '|' jumps");
    private static readonly Key<IReadOnlyDictionary<string, IReadOnlyList<double>>> PointsKey = Need("points", new NamedSpec<IReadOnlyList<double>>(new ListSpec<double>(NumberSpec.Any, "three fractions", 3, 3), "name: [q1, q2, q3]"),
        "wave vectors by name, in fractions of the reciprocal vectors of the cell");
    private static readonly Key<int> PathPointsKey = May("resolution", new IntegerSpec(10, 10_000), "points along the whole path", 200);
    private static readonly Key<int> MeshKey = May("dos_mesh", new IntegerSpec(0, 200), "wave vectors per direction for the density of states; 0: none", 24);
    private static readonly MapSpec<AtomRun> PhononRun = new("phonon_run", "Phonon dispersion by finite displacements.", m => new AtomRun(Phonon: new PhononChoice([.. m.Get(SupercellKey)], m.Get(DisplacementKey),
        [.. m.Get(PathKey).Select(p => p == "|" ? null : ((string, double[])?)(p, m.Get(PointsKey)[p].ToArray()))], m.Get(PathPointsKey), m.Get(MeshKey))), SupercellKey, DisplacementKey, PathKey, PointsKey, PathPointsKey, MeshKey)
    {
        Check = (m, reader) =>
        {
            var path = m.Get(PathKey);
            var known = m.Get(PointsKey).Keys.ToList();
            for (int i = 0; i < path.Count; i++)
            {
                var at = m.Node["path"]!.Items[i];
                if (path[i] != "|" && !known.Contains(path[i])) reader.Fault(at, $"'points' has no '{path[i]}'{JobReader.Suggest(path[i], known)}");
                if (path[i] == "|" && (i == 0 || i == path.Count - 1 || path[i - 1] == "|")) reader.Fault(at, "'|' stands between two points");
            }
        },
    };

    // ---- output --------------------------------------------------------------------------------------------------------------------

    /// <summary>A trajectory: {file, every}.</summary>
    private static readonly Key<string> TrajectoryFileKey = Need("file", new TrajectoryName(), "file: .extxyz, .dump or .h5 (H5MD)");
    private static readonly Key<int> TrajectoryEveryKey = Need("every", new IntegerSpec(1), "a frame every so many steps");
    private static readonly MapSpec<(string File, int Every)> TrajectorySpec = new("trajectory", "Frames over time.", m => (m.Get(TrajectoryFileKey), m.Get(TrajectoryEveryKey)), TrajectoryFileKey, TrajectoryEveryKey);
    private static readonly Key<(string File, int Every)> TrajectoryKey = May<(string File, int Every)>("trajectory", TrajectorySpec, "frames over time");
    private static readonly Key<int> ThermoKey = May("thermo", new IntegerSpec(1), "a line of thermo.csv every so many steps", 100);
    private static readonly Key<string> LastKey = May("structure", new TrajectoryName(), "file with the atoms at the end", "final.extxyz");

    private sealed class TrajectoryName : Spec<string>
    {
        private static readonly TextSpec s_text = new("a file name");

        public override bool Read(Node node, JobReader reader, [System.Diagnostics.CodeAnalysis.MaybeNullWhen(false)] out string value)
        {
            if (!s_text.Read(node, reader, out value)) return false;
            string ending = Path.GetExtension(value);
            if (!Trajectory.Suffixes.Contains(ending)) return reader.Fault(node, $"a trajectory ends in {string.Join(", ", Trajectory.Suffixes)}, unlike '{value}'");
            return !Path.IsPathRooted(value) && !value.Split('/').Contains("..") || reader.Fault(node, $"a trajectory stays inside the output folder (choose that with --output), unlike '{value}'");
        }

        public override JsonObject Schema(JsonObject defs) => new() { ["type"] = "string", ["pattern"] = @"\.(extxyz|xyz|dump|lammpstrj|h5|h5md)$" };
    }

    /// <summary>Files of one name would take each other's place; names of checkpoints are the run's own.</summary>
    private static void CheckNames(MapValues m, JobReader reader, bool frames, bool last)
    {
        static string Plain(string name) => Path.GetRelativePath("/", Path.GetFullPath(name, "/"));
        string? trajectory = frames && m.Has(TrajectoryKey) ? m.Get(TrajectoryKey).File : null, structure = last ? m.Get(LastKey) : null;
        Node At(string key) => m.Node[key] is not { } at ? m.Node : at["file"] ?? at;
        foreach (var (key, name) in new[] { ("trajectory", trajectory), ("structure", structure) })
            if (name is not null && Plain(name).StartsWith("checkpoint-", StringComparison.Ordinal)) reader.Fault(At(key), $"'{key}' is written to {name}, and files that begin with checkpoint- are the run's own: choose another name");
        if (trajectory is not null && structure is not null && Plain(trajectory) == Plain(structure))
            reader.Fault(At("trajectory"), $"'trajectory' and 'structure'{(m.Has(LastKey) ? "" : " (which was left out)")} would both be written to {structure}: choose another name for one of them");
    }

    private static MapSpec<(OutputChoice, AtomOutput)> Output(string word, params Key[] more) => new(word + "_output", "What is written into the output folder.", m => (
        new OutputChoice(null, word == "md" ? "thermo.csv" : null, m.Get(JobLanguage.Summary), [], 1, m.Get(JobLanguage.Checkpoint).Steps, m.Get(JobLanguage.Checkpoint).Seconds, m.Get(JobLanguage.Checkpoint).Keep),
        new AtomOutput(m.Get(ThermoKey), m.Has(TrajectoryKey) ? m.Get(TrajectoryKey).File : null, m.Has(TrajectoryKey) ? m.Get(TrajectoryKey).Every : 0, m.Get(LastKey)) { Analysis = m.Get(AtomAnalyses.Key) ?? [] }), [JobLanguage.Summary, .. more])
    { Check = (m, reader) => CheckNames(m, reader, more.Contains(TrajectoryKey), more.Contains(LastKey)) };

    // ---- the job -------------------------------------------------------------------------------------------------------------------

    private static readonly Key<SystemChoice> SystemKey = Need("system", SystemSpec, "where the atoms come from");
    private static readonly Key<IReadOnlyList<InteractionChoice>> ModelKey = Need("model", AtomModels.ModelSpec, "what acts between the atoms: one interaction, or a list that adds up");
    private static readonly Key<string> UnitsKey = May("units", new ChoiceSpec<string>((UnitSystem.Metal.Name, UnitSystem.Metal.Name, "Å, eV, fs, u, K, eV/Å³")), "unit system of plain numbers", UnitSystem.Metal.Name);

    private static MapSpec<JobLanguage.Draft> Root(JobType type, string word, Spec<AtomRun> run, MapSpec<(OutputChoice, AtomOutput)> output)
    {
        bool empty = type is JobType.Energy;
        var runKey = empty || type is JobType.Elastic or JobType.Minimize ? May("run", run, "what is done", new AtomRun()) : Need("run", run, "what is done");
        var outputKey = May("output", output, "what is written");
        AtomRun Run(MapValues m) => m.Has(runKey) ? m.Get(runKey)! : type switch
        {
            JobType.Elastic => new AtomRun(Elastic: new ElasticChoice(true, 1e-3)),
            JobType.Minimize => new AtomRun(Minimize: new MinimizeChoice(MinimizeMethod.Lbfgs, 1e-3, 1e-5, 1000, CellRelaxation.None, 0)),
            _ => new AtomRun(),
        };
        return new MapSpec<JobLanguage.Draft>(word + "_job", $"A job of type {word}.", m =>
        {
            var (general, atoms) = m.Has(outputKey) ? m.Get(outputKey) : (new OutputChoice(null, word == "md" ? "thermo.csv" : null, "summary.html", [], 1, 0, 600, 2), new AtomOutput(100, null, 0, "final.extxyz"));
            return new JobLanguage.Draft(m.Get(JobLanguage.JobKey).Name, type, m.Get(UnitsKey)!, m.Get(JobLanguage.SeedKey), JobLanguage.NoModel, [], new Dictionary<string, IReadOnlyList<double>>(), JobLanguage.NoRun,
                null, null, general) { Atoms = new AtomJob(m.Get(SystemKey), m.Get(ModelKey), Run(m), atoms) { Groups = AtomGroups.Read(m) } };
        }, JobLanguage.SchemaKey, JobLanguage.JobKey, UnitsKey, JobLanguage.SeedKey, SystemKey, AtomGroups.GroupsKey, ModelKey, runKey, outputKey)
        {
            Check = (m, reader) =>
            {
                if (AtomGroups.Check(m.Node, reader))
                    Fits(new AtomJob(m.Get(SystemKey), m.Get(ModelKey), Run(m), m.Has(outputKey) ? m.Get(outputKey).Item2 : new AtomOutput(1, null, 0, null)) { Groups = AtomGroups.Read(m) }, type, m.Node, reader);
            },
        };
    }

    /// <summary>Whether atoms, model and task fit together: found out by making them.</summary>
    private static void Fits(AtomJob job, JobType type, Node root, JobReader reader)
    {
        void Try(string key, Action action)
        {
            try { action(); }
            catch (InputException e)
            {
                foreach (var fault in e.Faults) reader.Faults.Add(fault.File is null ? root[key]!.Fault(fault.Message) : fault);
            }
        }
        Atoms? atoms = null;
        Try(job.Groups.Count > 0 && root["groups"] is not null ? "groups" : "system", () => atoms = job.MakeSample());
        if (atoms is null) return;
        AtomModel? model = null;
        Try("model", () => model = job.MakeModel(atoms));
        if (model is null) return;
        if (job.Run.Ensemble is { } ensemble)
        {
            Try("run", () => ensemble.Make(model));
            Try("output", () => AtomAnalyses.Make(job.Output, atoms, job.Run));
        }
        foreach (var term in model.ForceField.Interactions) (term as IDisposable)?.Dispose();
        bool periodic = atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2];
        if (type is JobType.Elastic && !periodic) reader.Fault(root["system"]!, "elastic constants need a cell that is periodic in three directions");
        if (type is JobType.Elastic && atoms.Count > 500) reader.Fault(root["system"]!, $"{atoms.Count} atoms are more than elastic constants are computed of here (500): give one cell of the crystal");
        // These scale velocities: zero stays zero.
        if (job.Run.Ensemble?.Name is "nose_hoover" or "npt" or "velocity_rescaling" or "berendsen" && job.System.Temperature is null or 0 && atoms.Velocities.All(v => v == 0))
            reader.Fault(root["run"]!["ensemble"]!, $"'{job.Run.Ensemble!.Name}' scales velocities, and all are zero: set 'temperature' of 'system', or take langevin, which needs no start");
        if (type is JobType.Md && job.Run.Ensemble?.Name == "npt" && !periodic) reader.Fault(root["run"]!["ensemble"]!, "a barostat needs a cell that is periodic in three directions");
    }

    /// <summary>The roots of the language for jobs on atoms.</summary>
    public static readonly (JobType Type, string Word, MapSpec<JobLanguage.Draft> Spec)[] Roots =
    [
        (JobType.Md, "md", Root(JobType.Md, "md", MdRun, Output("md", ThermoKey, TrajectoryKey, LastKey, AtomAnalyses.Key, JobLanguage.Checkpoint))),
        (JobType.Minimize, "minimize", Root(JobType.Minimize, "minimize", MinimizeRun, Output("minimize", LastKey))),
        (JobType.Energy, "energy", Root(JobType.Energy, "energy", EnergyRun, Output("energy", LastKey))),
        (JobType.Elastic, "elastic", Root(JobType.Elastic, "elastic", ElasticRun, Output("elastic", LastKey))),
        (JobType.Phonon, "phonon", Root(JobType.Phonon, "phonon", PhononRun, Output("phonon"))),
    ];
}
