using System.Text.Json.Nodes;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.IO;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>The part of the job language that is about atoms: where they come from, what acts between them, what is done with them.</summary>
internal static class AtomLanguage
{
    private static Key<T> Need<T>(string name, Spec<T> spec, string doc) => new(name, spec, doc, required: true);
    private static Key<T> May<T>(string name, Spec<T> spec, string doc, T? fallback = default) => new(name, spec, doc, fallback: fallback);
    private static NumberSpec Positive(Dimension dimension = default) => new(dimension, min: 0, open: true);
    private static NumberSpec NotNegative(Dimension dimension = default) => new(dimension, min: 0);

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

    private static readonly MapSpec<SystemChoice> CrystalSpec = new("crystal", "A perfect crystal.", m =>
    {
        string[] names = m.Has(ElementKey) ? [m.Get(ElementKey)!] : [.. m.Get(ElementsKey)!];
        string structure = m.Get(StructureKey);
        int[] cells = [.. m.Get(CellsKey)!];
        Atoms Make(int[] times) => Crystal.Create(structure, [.. names.Select(n => Crystal.Element(n))], m.Get(AKey), times,
            m.Get(CKey), m.Get(PrimitiveKey), m.Get(OrientationKey)?.Select(o => o.ToArray()).ToArray(), m.Get(VacuumKey), m.Get(OffsetKey));
        return new SystemChoice($"{structure} {string.Join(' ', names)}, {string.Join(" × ", cells)} cells", null, () => Make(cells), () => Make([1, 1, 1]), null);
    }, StructureKey, ElementKey, ElementsKey, AKey, CKey, CellsKey, PrimitiveKey, OrientationKey, VacuumKey, OffsetKey)
    { ExactlyOne = [[ElementKey, ElementsKey]] };

    private static readonly string[] s_suffixes = [".extxyz", ".xyz", ".data", ".lmp", ".dump", ".lammpstrj"];
    private static readonly Key<string> FileKey = May<string>("file", new FileSpec("a file of atoms", s_suffixes), "extxyz, LAMMPS data (.data, .lmp) or dump (.dump, .lammpstrj); of several frames the last");
    private static readonly Key<SystemChoice> CrystalKey = May<SystemChoice>("crystal", CrystalSpec, "a perfect crystal, made on the spot");
    private static readonly Key<string> PrmtopKey = Need("prmtop", new FileSpec("an Amber parameter file", ".prmtop", ".parm7", ".top"), "Amber parameter file");
    private static readonly Key<string> InpcrdKey = Need("inpcrd", new FileSpec("an Amber coordinate file", ".inpcrd", ".rst7", ".crd", ".rst"), "Amber coordinates");
    private static readonly Key<SystemChoice> AmberKey = May<SystemChoice>("amber", new MapSpec<SystemChoice>("amber_system", "Atoms, charges and bonds of Amber files.", m =>
    {
        string prmtop = m.Get(PrmtopKey), inpcrd = m.Get(InpcrdKey);
        Atoms Make() => AmberTopology.Read(prmtop, inpcrd).Atoms;
        return new SystemChoice(Path.GetFileName(prmtop), prmtop, Make, Make, null) { Other = inpcrd };
    }, PrmtopKey, InpcrdKey), "Amber files; their force field is the model 'amber'");
    private static readonly Key<string> StyleKey = May<string>("atom_style", new ChoiceSpec<string>(("atomic", "atomic", "id type x y z"), ("charge", "charge", "id type q x y z"),
        ("molecular", "molecular", "id molecule type x y z"), ("full", "full", "id molecule type q x y z")), "of a LAMMPS data file that does not say it");
    private static readonly Key<LammpsUnits> FileUnitsKey = May("file_units", new ChoiceSpec<LammpsUnits>(("metal", LammpsUnits.Metal, "eV, Å, ps"), ("real", LammpsUnits.Real, "kcal/mol, Å, fs")), "units of a LAMMPS file", LammpsUnits.Metal);
    private static readonly Key<IReadOnlyList<string>> DumpElementsKey = May<IReadOnlyList<string>>("elements", new ListSpec<string>(new TextSpec("a chemical symbol"), "a symbol per type", 1, 100), "symbol of each type, of a dump without the column 'element'");
    private static readonly Key<IReadOnlyList<int>> RepeatKey = May<IReadOnlyList<int>>("repeat", Triple, "the atoms repeated along the three edges", [1, 1, 1]);
    private static readonly Key<double> StartTemperatureKey = May("temperature", NotNegative(Dimension.Kelvin), "velocities drawn for this temperature; left out: as in the file");

    private static readonly MapSpec<SystemChoice> SystemSpec = new("system", "Where the atoms come from.", m =>
    {
        double? temperature = m.Optional(StartTemperatureKey);
        int[] repeat = [.. m.Get(RepeatKey)!];
        var source = m.Has(CrystalKey) ? m.Get(CrystalKey)! : m.Has(AmberKey) ? m.Get(AmberKey)! : FromFile(m);
        bool again = repeat.Any(n => n > 1);
        return source with { Temperature = temperature, Make = again ? () => Crystal.Repeat(source.Make(), repeat) : source.Make, Description = again ? $"{source.Description}, repeated {string.Join(" × ", repeat)}" : source.Description };
    }, FileKey, CrystalKey, AmberKey, StyleKey, FileUnitsKey, DumpElementsKey, RepeatKey, StartTemperatureKey)
    { ExactlyOne = [[FileKey, CrystalKey, AmberKey]] };

    private static SystemChoice FromFile(MapValues m)
    {
        string file = m.Get(FileKey)!;
        Atoms Make() => Path.GetExtension(file).ToLowerInvariant() switch
        {
            ".extxyz" or ".xyz" => ExtXyz.Read(file).Atoms,
            ".data" or ".lmp" => LammpsData.Read(file, m.Get(StyleKey), m.Get(FileUnitsKey)).Atoms,
            _ => LammpsDump.Read(file, m.Get(DumpElementsKey), m.Get(FileUnitsKey)).Atoms,
        };
        return new SystemChoice(Path.GetFileName(file), file, Make, Make, null);
    }

    // ---- model ---------------------------------------------------------------------------------------------------------------------

    private static readonly Key<Truncation> TruncationKey = May("truncation", new ChoiceSpec<Truncation>(("cut", Truncation.Cut, "the energy jumps at the cutoff"), ("shifted", Truncation.Shifted, "the energy is shifted to zero there"),
        ("force_shifted", Truncation.ForceShifted, "energy and force are shifted to zero there")), "what happens at the cutoff", Truncation.Cut);
    private static readonly Key<IReadOnlyList<string>> OfKey = Need<IReadOnlyList<string>>("of", new ListSpec<string>(new TextSpec("a chemical symbol"), "two symbols", 2, 2), "the two kinds of atoms");
    private static readonly Key<double> CutoffKey = Need("cutoff", Positive(Dimension.Distance), "cutoff");

    /// <summary>A law between pairs: its numbers for all pairs alike, or pair by pair.</summary>
    private static (string, Spec<InteractionChoice>, bool) PairLaw<T>(string name, string doc, Func<double[], double, T> make, T off, Func<T, T, T>? mix, Func<int, Func<int, int, T>, Truncation, Interaction> create, params (string Name, Dimension Dimension, string Doc)[] numbers)
    {
        Key<double>[] needed = [.. numbers.Select(n => Need(n.Name, new NumberSpec(n.Dimension), n.Doc))], optional = [.. numbers.Select(n => May(n.Name, new NumberSpec(n.Dimension), n.Doc + ", of all pairs", 0.0))];
        var cutoffAll = May("cutoff", Positive(Dimension.Distance), "cutoff of all pairs", 0.0);
        var one = new MapSpec<(string A, string B, T Value)>(name + "_pair", $"Parameters of one pair of kinds of atoms.", m => (m.Get(OfKey)[0], m.Get(OfKey)[1], make([.. needed.Select(k => m.Get(k))], m.Get(CutoffKey))),
            [OfKey, .. needed, CutoffKey]);
        var pairs = May<IReadOnlyList<(string A, string B, T Value)>>("pairs", new ListSpec<(string A, string B, T Value)>(one, "{of: [A, B], …}", 1, 10_000),
            "parameters pair by pair" + (mix is null ? "" : "; unlike pairs that are left out are mixed by Lorentz and Berthelot"));
        return (name, new MapSpec<InteractionChoice>("model_" + name, doc, m =>
        {
            var truncation = m.Get(TruncationKey);
            return new InteractionChoice(name, [], atoms =>
            {
                if (!m.Has(pairs))
                {
                    var all = make([.. optional.Select(k => m.Get(k))], m.Get(cutoffAll));
                    return [create(atoms.Species.Count, (_, _) => all, truncation)];
                }
                var given = m.Get(pairs)!;
                string[] symbols = [.. atoms.Species.Select(s => s.Symbol)];
                foreach (var (a, b, _) in given)
                    foreach (string symbol in new[] { a, b })
                        if (!symbols.Contains(symbol)) throw new InputException($"{name}: there are no atoms '{symbol}'{JobReader.Suggest(symbol, symbols)}");
                (bool Found, T Value) Find(string a, string b)
                {
                    foreach (var p in given) if (p.A == a && p.B == b || p.A == b && p.B == a) return (true, p.Value);
                    return (false, off);
                }
                return [create(symbols.Length, (i, j) =>
                {
                    if (Find(symbols[i], symbols[j]) is { Found: true } known) return known.Value;
                    if (mix is not null && Find(symbols[i], symbols[i]) is { Found: true } first && Find(symbols[j], symbols[j]) is { Found: true } second) return mix(first.Value, second.Value);
                    throw new InputException($"{name}: the pair {symbols[i]}–{symbols[j]} has no parameters");
                }, truncation)];
            });
        }, [.. optional, cutoffAll, pairs, TruncationKey])
        {
            Check = (m, reader) =>
            {
                bool any = optional.Any(m.Has) || m.Has(cutoffAll);
                if (m.Has(pairs) && any) reader.Fault(m.Node, $"give the numbers of all pairs, or 'pairs', not both");
                if (m.Has(pairs)) return;
                foreach (var key in optional.Append(cutoffAll)) if (!m.Has(key)) reader.Fault(m.Node, $"'{key.Name}' is missing: {key.Doc}");
            },
        }, false);
    }

    private static string[] Symbols(Atoms atoms) => [.. atoms.Species.Select(s => s.Symbol)];

    /// <summary>A law whose numbers stand in a file: its name alone, or {file, …}.</summary>
    private static (string, Spec<InteractionChoice>, bool) FileLaw(string name, string doc, string what, string[] suffixes, Func<string, Atoms, Interaction> make, Func<Atoms, Interaction>? builtIn = null)
    {
        var file = builtIn is null ? Need("file", new FileSpec(what, suffixes), what) : May<string>("file", new FileSpec(what, suffixes), what + "; left out: the one built in");
        return (name, new EitherSpec<InteractionChoice>($"{what}, or {{file: …}}",
            (NodeKind.Scalar, new MappedSpec<string, InteractionChoice>(new FileSpec(what, suffixes), f => new InteractionChoice(name, [f], atoms => [make(f, atoms)]))),
            (NodeKind.Map, new MapSpec<InteractionChoice>("model_" + name, doc, m => m.Get(file) is { } f ? new InteractionChoice(name, [f], atoms => [make(f, atoms)]) : new InteractionChoice(name, [], atoms => [builtIn!(atoms)]), file))),
            builtIn is not null);
    }

    // Amber's own value of e²/4πε₀, 18.2223² kcal/mol Å: its charges are meant with it.
    private const double AmberCoulomb = 18.2223 * 18.2223 * 4184 / (Codata.Avogadro * Codata.ElementaryCharge);

    private static readonly Key<double> AmberCutoffKey = May("cutoff", Positive(Dimension.Distance), "cutoff of Lennard-Jones and of the real-space Coulomb sum; left out: all pairs, of molecules in vacuum", 0.0);
    private static readonly Key<string> CoulombKey = May("coulomb", new ChoiceSpec<string>(("plain", "plain", "all pairs within the cutoff, without correction: for molecules in vacuum"), ("ewald", "ewald", "Ewald's sum: periodic in three directions"), ("pme", "pme", "Ewald's sum on a mesh: for more than a few thousand atoms"), ("none", "none", "no charges")),
        "interaction of charges", "plain");
    private static readonly Key<double> AccuracyKey = May("accuracy", new NumberSpec(Dimension.None, 1e-14, 1e-2), "of Ewald's sum, relative", 1e-6);

    private static readonly MapSpec<InteractionChoice> Amber = new("model_amber", "The force field of an Amber parameter file: bonds, angles, dihedrals, scaled 1–4 pairs, Lennard-Jones, charges.", m =>
    {
        string prmtop = m.Get(PrmtopKey), coulomb = m.Get(CoulombKey)!;
        double cutoff = m.Has(AmberCutoffKey) ? m.Get(AmberCutoffKey) : double.PositiveInfinity;
        return new InteractionChoice("amber", [prmtop], atoms =>
        {
            var topology = AmberTopology.Read(prmtop);
            if (topology.Count != atoms.Count) throw new InputException($"{Path.GetFileName(prmtop)} has {topology.Count} atoms, the system {atoms.Count}");
            Interaction[] charges = coulomb switch
            {
                "none" => [],
                "ewald" => Ewald.Create(atoms, cutoff, m.Get(AccuracyKey), AmberCoulomb),
                "pme" => ParticleMeshEwald.Create(atoms, cutoff, m.Get(AccuracyKey), constant: AmberCoulomb),
                _ => [PlainCoulomb.Create(atoms.Species.Count, cutoff, AmberCoulomb)],
            };
            return MolecularForceField.FromTopology(atoms, topology.LennardJones, cutoff, charges, coulombConstant: AmberCoulomb).Interactions;
        });
    }, PrmtopKey, AmberCutoffKey, CoulombKey, AccuracyKey)
    {
        Check = (m, reader) =>
        {
            bool sum = m.Get(CoulombKey) is "ewald" or "pme";
            if (sum && !m.Has(AmberCutoffKey)) reader.Fault(m.Node, "'cutoff' is missing: Ewald's sum needs one");
            if (m.Has(AccuracyKey) && !sum) reader.Fault(m.Node["accuracy"]!, "the accuracy is that of Ewald's sum: coulomb: ewald or pme");
        },
    };

    private static Interaction Silicon(Atoms atoms) => Symbols(atoms) is ["Si"] ? StillingerWeber.Silicon()
        : throw new InputException($"the Stillinger–Weber potential that is built in is for Si alone, and there is {string.Join(", ", Symbols(atoms))}: give a file");

    private static readonly (string Name, Spec<InteractionChoice> Spec, bool Bare)[] s_laws =
    [
        PairLaw("lennard_jones", "Lennard-Jones: 4ε[(σ/r)¹² − (σ/r)⁶].", (n, cutoff) => new LennardJonesPair(n[0], n[1], cutoff), default, LennardJones.Mix, (types, pairs, truncation) => LennardJones.Create(types, pairs, truncation),
            ("epsilon", Dimension.Energy, "depth ε"), ("sigma", Dimension.Distance, "σ")),
        FileLaw("eam", "Embedded-atom method from a file.", "an EAM file (setfl .eam.alloy, Finnis–Sinclair .eam.fs, funcfl .eam)", [".alloy", ".fs", ".eam"], (file, atoms) => Path.GetExtension(file) switch
        {
            ".alloy" => Eam.FromSetfl(file, Symbols(atoms)),
            ".fs" => Eam.FromFinnisSinclair(file, Symbols(atoms)),
            _ => atoms.Species.Count == 1 ? Eam.FromFuncfl([file]) : throw new InputException("a funcfl file (.eam) holds one kind of atoms: several need a setfl file (.eam.alloy)"),
        }),
        ("zhou2004", new MapSpec<InteractionChoice>("model_zhou2004", "Embedded-atom method, the analytic potentials of Zhou, Johnson and Wadley (Phys. Rev. B 69, 144113) for 16 metals and their alloys.",
            _ => new InteractionChoice("zhou2004", [], atoms => [Eam.FromZhou2004(Symbols(atoms))])), true),
        FileLaw("stillinger_weber", "Stillinger–Weber potential.", "a LAMMPS .sw file", [".sw"], (file, atoms) => StillingerWeber.Read(file, Symbols(atoms)), Silicon),
        ("amber", Amber, false),
        ("kim", new MappedSpec<string, InteractionChoice>(new TextSpec("the name of a KIM model"), model => new InteractionChoice("kim", [], atoms => [new KimModel(model, Symbols(atoms))])), false),
        FileLaw("tersoff", "Tersoff potential.", "a LAMMPS .tersoff file", [".tersoff"], (file, atoms) => Tersoff.Read(file, Symbols(atoms))),
    ];

    private static readonly VariantSpec<InteractionChoice> Law = new("interaction", s_laws);
    private static readonly Spec<IReadOnlyList<InteractionChoice>> ModelSpec = new EitherSpec<IReadOnlyList<InteractionChoice>>("an interaction or a list of them",
        (NodeKind.Scalar, new MappedSpec<InteractionChoice, IReadOnlyList<InteractionChoice>>(Law, l => [l])), (NodeKind.Map, new MappedSpec<InteractionChoice, IReadOnlyList<InteractionChoice>>(Law, l => [l])),
        (NodeKind.Sequence, new ListSpec<InteractionChoice>(Law, "interactions, which add up", 1, 100)));

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

    private static (string, Spec<EnsembleChoice>, bool) Ensemble(string name, string doc, Func<MapValues, Integrator> make, bool bare, params Key[] keys) =>
        (name, new MapSpec<EnsembleChoice>("ensemble_" + name, doc, m => new EnsembleChoice(name, () => make(m)), keys), bare);

    private static readonly Key<EnsembleChoice> EnsembleKey = May("ensemble", new VariantSpec<EnsembleChoice>("ensemble",
        Ensemble("nve", "Constant energy: velocity Verlet.", _ => new VelocityVerlet(), true),
        Ensemble("langevin", "Constant temperature: Langevin dynamics, BAOAB.", m => new Langevin(m.Get(TemperatureKey), m.Get(FrictionKey)), false, TemperatureKey, FrictionKey),
        Ensemble("nose_hoover", "Constant temperature: Nosé–Hoover chains.", m => new NoseHoover(m.Get(TemperatureKey), m.Get(BathTimeKey)), false, TemperatureKey, BathTimeKey),
        Ensemble("velocity_rescaling", "Constant temperature: stochastic velocity rescaling.", m => new VelocityRescaling(m.Get(TemperatureKey), m.Get(BathTimeKey)), false, TemperatureKey, BathTimeKey),
        Ensemble("berendsen", "Weak coupling to a temperature: samples no ensemble, for equilibration only.", m => new Berendsen(m.Get(TemperatureKey), m.Get(BathTimeKey)), false, TemperatureKey, BathTimeKey),
        Ensemble("npt", "Constant pressure and temperature: Nosé–Hoover chains with the barostat of Martyna, Tobias and Klein.", m => new NoseHooverBarostat(m.Get(TemperatureKey), m.Get(BathTimeKey), m.Get(PressureKey),
            m.Get(PressureTimeKey), m.Get(CellMotionKey)), false, TemperatureKey, BathTimeKey, PressureKey, PressureTimeKey, CellMotionKey)),
        "what is held constant", new EnsembleChoice("nve", () => new VelocityVerlet()));

    private static readonly MapSpec<AtomRun> MdRun = new("md_run", "Motion in time.", m => new AtomRun(m.Get(TimeStepKey), m.Get(StepsKey), m.Get(SkinKey), m.Get(HotKey), Ensemble: m.Get(EnsembleKey)),
        TimeStepKey, StepsKey, EnsembleKey, SkinKey, HotKey);

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

    private static MapSpec<(OutputChoice, AtomOutput)> Output(string word, params Key[] more) => new(word + "_output", "What is written into the output folder.", m => (
        new OutputChoice(null, word == "md" ? "thermo.csv" : null, m.Get(JobLanguage.Summary), [], 1, m.Get(JobLanguage.Checkpoint).Steps, m.Get(JobLanguage.Checkpoint).Seconds, m.Get(JobLanguage.Checkpoint).Keep),
        new AtomOutput(m.Get(ThermoKey), m.Has(TrajectoryKey) ? m.Get(TrajectoryKey).File : null, m.Has(TrajectoryKey) ? m.Get(TrajectoryKey).Every : 0, m.Get(LastKey))), [JobLanguage.Summary, .. more]);

    // ---- the job -------------------------------------------------------------------------------------------------------------------

    private static readonly Key<SystemChoice> SystemKey = Need("system", SystemSpec, "where the atoms come from");
    private static readonly Key<IReadOnlyList<InteractionChoice>> ModelKey = Need("model", ModelSpec, "what acts between the atoms: one interaction, or a list that adds up");
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
                null, null, general) { Atoms = new AtomJob(m.Get(SystemKey), m.Get(ModelKey), Run(m), atoms) };
        }, JobLanguage.SchemaKey, JobLanguage.JobKey, UnitsKey, JobLanguage.SeedKey, SystemKey, ModelKey, runKey, outputKey)
        {
            Check = (m, reader) => Fits(new AtomJob(m.Get(SystemKey), m.Get(ModelKey), Run(m), new AtomOutput(1, null, 0, null)), type, m.Node, reader),
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
        Try("system", () => atoms = job.System.Sample());
        if (atoms is null) return;
        Try("model", () =>
        {
            foreach (var term in job.MakeForceField(atoms).Interactions) (term as IDisposable)?.Dispose();
        });
        if (job.Run.Ensemble is { } ensemble) Try("run", () => ensemble.Make());
        bool periodic = atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2];
        if (type is JobType.Elastic && !periodic) reader.Fault(root["system"]!, "elastic constants need a cell that is periodic in three directions");
        if (type is JobType.Elastic && atoms.Count > 500) reader.Fault(root["system"]!, $"{atoms.Count} atoms are more than elastic constants are computed of here (500): give one cell of the crystal");
        if (type is JobType.Md && job.Run.Ensemble?.Name == "npt" && !periodic) reader.Fault(root["run"]!["ensemble"]!, "a barostat needs a cell that is periodic in three directions");
    }

    /// <summary>The roots of the language for jobs on atoms.</summary>
    public static readonly (JobType Type, string Word, MapSpec<JobLanguage.Draft> Spec)[] Roots =
    [
        (JobType.Md, "md", Root(JobType.Md, "md", MdRun, Output("md", ThermoKey, TrajectoryKey, LastKey, JobLanguage.Checkpoint))),
        (JobType.Minimize, "minimize", Root(JobType.Minimize, "minimize", MinimizeRun, Output("minimize", LastKey))),
        (JobType.Energy, "energy", Root(JobType.Energy, "energy", EnergyRun, Output("energy", LastKey))),
        (JobType.Elastic, "elastic", Root(JobType.Elastic, "elastic", ElasticRun, Output("elastic", LastKey))),
        (JobType.Phonon, "phonon", Root(JobType.Phonon, "phonon", PhononRun, Output("phonon"))),
    ];
}
