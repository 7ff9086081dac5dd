using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using static MsHpc.Multiscale.Jobs.AtomKeys;

namespace MsHpc.Multiscale.Jobs;

/// <summary>The part of the job language that says what acts between atoms.</summary>
internal static class AtomModels
{
    /// <summary>Of the system and of its model.</summary>
    public static readonly Key<string> PrmtopKey = Need("prmtop", new FileSpec("an Amber parameter file", ".prmtop", ".parm7", ".top"), "Amber parameter file");

    // ---- between pairs -------------------------------------------------------------------------------------------------------------

    private static readonly Key<Precision> PrecisionKey = May("precision", new ChoiceSpec<Precision>(("double", Precision.Double, "double throughout"), ("mixed", Precision.Mixed, "distances and forces between atoms in single, sums in double: faster")),
        "arithmetic", Precision.Double);

    private static readonly Key<Truncation> TruncationKey = May("truncation", new ChoiceSpec<Truncation>(("cut", Truncation.Cut, "the energy jumps at the cutoff"), ("shifted", Truncation.Shifted, "the energy is shifted to zero there"),
        ("force_shifted", Truncation.ForceShifted, "energy and force are shifted to zero there")), "what happens at the cutoff", Truncation.Cut);
    private static readonly Key<IReadOnlyList<string>> OfKey = Need<IReadOnlyList<string>>("of", new ListSpec<string>(new TextSpec("a chemical symbol"), "two symbols", 2, 2), "the two kinds of atoms");
    private static readonly Key<double> CutoffKey = Need("cutoff", Positive(Dimension.Distance), "cutoff");

    /// <summary>A law between pairs: its numbers for all pairs alike, or pair by pair.</summary>
    private static (string, Spec<InteractionChoice>, bool) PairLaw<T>(string name, string doc, Func<double[], double, T> make, T off, Func<T, T, T>? mix, Func<int, Func<int, int, T>, Truncation, Precision, Interaction> create, bool mixed, params (string Name, Dimension Dimension, string Doc)[] numbers)
    {
        Key<double>[] needed = [.. numbers.Select(n => Need(n.Name, new NumberSpec(n.Dimension), n.Doc))], optional = [.. numbers.Select(n => May(n.Name, new NumberSpec(n.Dimension), n.Doc + ", of all pairs", 0.0))];
        var cutoffAll = May("cutoff", Positive(Dimension.Distance), "cutoff of all pairs", 0.0);
        var one = new MapSpec<(string A, string B, T Value)>(name + "_pair", $"Parameters of one pair of kinds of atoms.", m => (m.Get(OfKey)[0], m.Get(OfKey)[1], make([.. needed.Select(k => m.Get(k))], m.Get(CutoffKey))),
            [OfKey, .. needed, CutoffKey]);
        var pairs = May<IReadOnlyList<(string A, string B, T Value)>>("pairs", new ListSpec<(string A, string B, T Value)>(one, "{of: [A, B], …}", 1, 10_000),
            "parameters pair by pair" + (mix is null ? "" : "; unlike pairs that are left out are mixed by Lorentz and Berthelot"));
        return (name, new MapSpec<InteractionChoice>("model_" + name, doc, m =>
        {
            var (truncation, precision) = (m.Get(TruncationKey), m.Get(PrecisionKey));
            return new InteractionChoice(name, [], atoms =>
            {
                if (!m.Has(pairs))
                {
                    var all = make([.. optional.Select(k => m.Get(k))], m.Get(cutoffAll));
                    return [new(name, create(atoms.Species.Count, (_, _) => all, truncation, precision))];
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
                return [new(name, create(symbols.Length, (i, j) =>
                {
                    if (Find(symbols[i], symbols[j]) is { Found: true } known) return known.Value;
                    if (mix is not null && Find(symbols[i], symbols[i]) is { Found: true } first && Find(symbols[j], symbols[j]) is { Found: true } second) return mix(first.Value, second.Value);
                    throw new InputException($"{name}: the pair {symbols[i]}–{symbols[j]} has no parameters");
                }, truncation, precision))];
            });
        }, [.. optional, cutoffAll, pairs, TruncationKey, .. mixed ? (Key[])[PrecisionKey] : []])
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
    private static (string, Spec<InteractionChoice>, bool) FileLaw(string name, string doc, string what, string[] suffixes, Func<string, Atoms, Precision, Interaction> make, Func<Atoms, Precision, Interaction>? builtIn = null)
    {
        var file = builtIn is null ? Need("file", new FileSpec(what, suffixes), what) : May<string>("file", new FileSpec(what, suffixes), what + "; left out: the one built in");
        InteractionChoice Choice(string? f, Precision precision) => new(name, f is null ? [] : [f], atoms => [new(name, f is null ? builtIn!(atoms, precision) : make(f, atoms, precision))]);
        return (name, new EitherSpec<InteractionChoice>($"{what}, or {{file: …}}",
            (NodeKind.Scalar, new MappedSpec<string, InteractionChoice>(new FileSpec(what, suffixes), f => Choice(f, Precision.Double))),
            (NodeKind.Map, new MapSpec<InteractionChoice>("model_" + name, doc, m => Choice(m.Get(file), m.Get(PrecisionKey)), file, PrecisionKey))), builtIn is not null);
    }

    // Amber's own value of e²/4πε₀, 18.2223² kcal/mol Å: its charges are meant with it.
    private const double AmberCoulomb = 18.2223 * 18.2223 * 4184 / (Codata.Avogadro * Codata.ElementaryCharge);

    // ---- charges -------------------------------------------------------------------------------------------------------------------

    private static readonly Key<double> AccuracyKey = May("accuracy", new NumberSpec(Dimension.None, 1e-14, 1e-2), "of Ewald's sum: root mean square error of forces, over that between two elementary charges 1 Å apart", 1e-6);
    private static readonly Key<double> AlphaKey = Need("alpha", NotNegative(Dimension.Distance.Power(-1)), "damping α; around 0.2 1/Å"), MayAlphaKey = May("alpha", NotNegative(Dimension.Distance.Power(-1)), "damping α of damped_shifted", 0.2);
    private static readonly Key<double> PermittivityKey = May("permittivity", Positive(), "relative permittivity", 1.0);
    private static readonly Key<int> OrderKey = May("order", new IntegerSpec(4, 8), "order of the splines", 5);
    private static readonly Key<double> SpacingKey = May("spacing", Positive(Dimension.Distance), "largest spacing of the mesh; left out: from the accuracy", 0.0);
    private static readonly Key<double> FarKey = May("cutoff", Positive(Dimension.Distance), "cutoff; left out: all pairs, of molecules in vacuum", 0.0);

    /// <summary>Parts of an Ewald sum; what takes excluded pairs out of the long-range part belongs to it.</summary>
    private static IReadOnlyList<Term> Parts(Interaction[] sum) => [new("coulomb_real", sum[0]), .. sum[1..].Select(s => new Term("coulomb_reciprocal", s))];

    private static (string, Spec<InteractionChoice>, bool) Charges(string name, string doc, Func<MapValues, Atoms, IReadOnlyList<Term>> make, bool bare, params Key[] keys) =>
        (name, new MapSpec<InteractionChoice>("model_" + name, doc, m => new InteractionChoice(name, [], atoms => atoms.Charges.Any(q => q != 0) ? make(m, atoms)
            : throw new InputException($"{name}: all charges are zero: they come from the file of the atoms, or from 'charges' of the system")), keys), bare);

    // ---- molecules -----------------------------------------------------------------------------------------------------------------

    private static readonly Key<double> MolecularCutoffKey = May("cutoff", Positive(Dimension.Distance), "cutoff of Lennard-Jones and of the real-space Coulomb sum; left out: all pairs, of molecules in vacuum", 0.0);
    private static readonly Key<string> CoulombKey = May("coulomb", new ChoiceSpec<string>(("plain", "plain", "all pairs within the cutoff, without correction: for molecules in vacuum"), ("damped_shifted", "damped_shifted", "damped shifted force: without a sum over images"),
        ("ewald", "ewald", "Ewald's sum: periodic in three directions"), ("pme", "pme", "Ewald's sum on a mesh: for more than a few thousand atoms"), ("none", "none", "no charges")), "interaction of charges", "plain");

    /// <summary>All terms of the atoms' topology with Lennard-Jones and charges, by name.</summary>
    private static IReadOnlyList<Term> Molecule(MapValues m, Atoms atoms, Func<int, int, (double A, double B)> lennardJones, Truncation truncation, double constant)
    {
        double cutoff = m.Has(MolecularCutoffKey) ? m.Get(MolecularCutoffKey) : double.PositiveInfinity;
        IReadOnlyList<Term> charges = m.Get(CoulombKey) switch
        {
            "none" => [],
            "ewald" => Parts(Ewald.Create(atoms, cutoff, m.Get(AccuracyKey), constant)),
            "pme" => Parts(ParticleMeshEwald.Create(atoms, cutoff, m.Get(AccuracyKey), constant: constant)),
            "damped_shifted" => [new("coulomb", DampedShiftedCoulomb.Create(m.Get(MayAlphaKey), cutoff, Codata.CoulombInEvAngstrom / constant))],
            _ => [new("coulomb", PlainCoulomb.Create(atoms.Species.Count, cutoff, constant))],
        };
        var field = MolecularForceField.FromTopology(atoms, lennardJones, cutoff, [.. charges.Select(c => c.Interaction)], truncation, constant);
        var t = atoms.Topology!;
        List<string> names = [];
        if (t.Bonds.Count > 0) names.Add("bonds");
        if (t.Angles.Count > 0) names.Add("angles");
        if (t.Dihedrals.Count > 0) names.Add("dihedrals");
        if (t.Impropers.Count > 0) names.Add("impropers");
        if (t.Scaled.Any(s => s.Coulomb != 0 || s.LennardJones != 0)) names.Add("scaled_pairs");
        names.Add("lennard_jones");
        return [.. field.Interactions.Select((term, k) => k < names.Count ? new Term(names[k], term) : charges[k - names.Count])];
    }

    private static void CheckCharges(MapValues m, JobReader reader)
    {
        string coulomb = m.Get(CoulombKey)!;
        bool sum = coulomb is "ewald" or "pme";
        if ((sum || coulomb == "damped_shifted") && !m.Has(MolecularCutoffKey)) reader.Fault(m.Node, $"'cutoff' is missing: {(sum ? "Ewald's sum" : "the damped shifted force")} needs one");
        if (m.Has(AccuracyKey) && !sum) reader.Fault(m.Node["accuracy"]!, "the accuracy is that of Ewald's sum: coulomb: ewald or pme");
        if (m.Has(MayAlphaKey) && coulomb != "damped_shifted") reader.Fault(m.Node["alpha"]!, "alpha belongs to coulomb: damped_shifted");
    }

    private static readonly MapSpec<InteractionChoice> Amber = new("model_amber", "The force field of an Amber parameter file: bonds, angles, dihedrals, scaled 1–4 pairs, Lennard-Jones, charges.", m =>
    {
        string prmtop = m.Get(PrmtopKey);
        return new InteractionChoice("amber", [prmtop], atoms =>
        {
            var topology = AmberTopology.Read(prmtop);
            if (topology.Count != atoms.Count) throw new InputException($"{Path.GetFileName(prmtop)} has {topology.Count} atoms, the system {atoms.Count}");
            return Molecule(m, atoms, topology.LennardJones, Truncation.Cut, AmberCoulomb);
        });
    }, PrmtopKey, MolecularCutoffKey, CoulombKey, AccuracyKey, MayAlphaKey) { Check = CheckCharges };

    private static readonly Key<string> DataKey = Need("data", new FileSpec("a LAMMPS data file", ".data", ".lmp"), "LAMMPS data file with the section Pair Coeffs: ε and σ of each type, of the styles lj/cut…");
    private static readonly Key<LammpsUnits> UnitsKey = May("file_units", new ChoiceSpec<LammpsUnits>(("metal", LammpsUnits.Metal, "eV, Å, ps"), ("real", LammpsUnits.Real, "kcal/mol, Å, fs")), "units of the file", LammpsUnits.Metal);
    private static readonly Key<bool> GeometricKey = May("mixing", new ChoiceSpec<bool>(("arithmetic", false, "Lorentz and Berthelot: mean σ, geometric mean of ε"), ("geometric", true, "geometric means of σ and ε, LAMMPS' own default")), "Lennard-Jones of unlike types", false);

    private static readonly MapSpec<InteractionChoice> Molecular = new("model_molecular", "The force field of a LAMMPS data file: bonds, angles, dihedrals, impropers with the coefficients there, Lennard-Jones by its Pair Coeffs, charges.", m =>
    {
        string data = m.Get(DataKey);
        return new InteractionChoice("molecular", [data], atoms =>
        {
            var file = LammpsData.Read(data, units: m.Get(UnitsKey));
            if (file.Atoms.Count != atoms.Count) throw new InputException($"{Path.GetFileName(data)} has {file.Atoms.Count} atoms, the system {atoms.Count}");
            if (file.PairCoeffs.Count == 0) throw new InputException($"{Path.GetFileName(data)} has no section 'Pair Coeffs' with ε and σ of each type");
            // Two or three numbers of other styles (buck, morse, lj/class2, which is 9-6) would be taken for ε, σ and a cutoff.
            if (file.PairStyle is { } pairs && !pairs.StartsWith("lj/cut", StringComparison.Ordinal) && !pairs.StartsWith("lj/long", StringComparison.Ordinal))
                throw new InputException($"{Path.GetFileName(data)}: Pair Coeffs are of the style {pairs}; read are those of lj/cut…");
            double energy = m.Get(UnitsKey) == LammpsUnits.Real ? 4184 / (Codata.Avogadro * Codata.ElementaryCharge) : 1;
            var types = file.PairCoeffs.Select((words, t) => words.Length is 2 or 3 && Numbers.TryParse(words[0], out double epsilon) && Numbers.TryParse(words[1], out double sigma) ? (Epsilon: epsilon * energy, Sigma: sigma)
                : throw new InputException($"{Path.GetFileName(data)}: Pair Coeffs of type {t + 1} are 'epsilon sigma', not '{string.Join(' ', words)}'")).ToArray();
            return Molecule(m, atoms, m.Get(GeometricKey) ? Geometric : MolecularForceField.Mixed(types), m.Get(TruncationKey), Codata.CoulombInEvAngstrom);

            (double, double) Geometric(int i, int j)
            {
                double s6 = Math.Pow(types[i].Sigma * types[j].Sigma, 3), e = Math.Sqrt(types[i].Epsilon * types[j].Epsilon);
                return (4 * e * s6 * s6, 4 * e * s6);
            }
        });
    }, DataKey, UnitsKey, GeometricKey, MolecularCutoffKey, TruncationKey, CoulombKey, AccuracyKey, MayAlphaKey) { Check = CheckCharges };

    // ---- from outside --------------------------------------------------------------------------------------------------------------

    private static readonly Key<IReadOnlyList<double>> NormalKey = Need<IReadOnlyList<double>>("normal", Vector(Dimension.None), "direction from the wall to the atoms, of any length");
    private static readonly Key<double> WallAtKey = Need("offset", new NumberSpec(Dimension.Distance), "where the wall is: n·r on it, with n of length 1");
    private static readonly Key<double> WallReachKey = Need("cutoff", Positive(Dimension.Distance), "distance from the wall at which its force ends");
    private static readonly Key<double> WallSpeedKey = May("velocity", new NumberSpec(Dimension.Velocity), "speed of the wall along its normal", 0.0);
    private static readonly Key<string> OnKey = May<string>("group", GroupName, "atoms that feel it; left out: all");
    private static readonly Key<double> SpringKey = Need("stiffness", Positive(Dimension.EnergyPerArea), "K of K (d − d_c)²");
    private static readonly Key<double> EpsilonKey = Need("epsilon", Positive(Dimension.Energy), "ε"), SigmaKey = Need("sigma", Positive(Dimension.Distance), "σ");

    private static (string, Spec<InteractionChoice>, bool) WallLaw(string name, string doc, Func<MapValues, double[], int[]?, Wall> make, params Key[] keys) =>
        (name, new MapSpec<InteractionChoice>("wall_" + name, doc, m => new InteractionChoice("wall", [], atoms => [new("wall", make(m, [.. m.Get(NormalKey)!], AtomGroups.Find(atoms, m.Get(OnKey))))])
        {
            IsExternal = true,
            Move = m.Get(WallSpeedKey) == 0 ? null : (term, time) => ((Wall)term).Offset = m.Get(WallAtKey) + m.Get(WallSpeedKey) * time,
        }, [NormalKey, WallAtKey, .. keys, WallReachKey, WallSpeedKey, OnKey]), false);

    private static readonly VariantSpec<InteractionChoice> WallSpec = new("law of the wall",
        WallLaw("harmonic", "K (d − d_c)².", (m, n, on) => Wall.Harmonic(n, m.Get(WallAtKey), m.Get(SpringKey), m.Get(WallReachKey), on), SpringKey),
        WallLaw("lennard_jones_93", "ε [2/15 (σ/d)⁹ − (σ/d)³].", (m, n, on) => Wall.LennardJones93(n, m.Get(WallAtKey), m.Get(EpsilonKey), m.Get(SigmaKey), m.Get(WallReachKey), on), EpsilonKey, SigmaKey),
        WallLaw("lennard_jones_126", "4ε [(σ/d)¹² − (σ/d)⁶].", (m, n, on) => Wall.LennardJones126(n, m.Get(WallAtKey), m.Get(EpsilonKey), m.Get(SigmaKey), m.Get(WallReachKey), on), EpsilonKey, SigmaKey));

    private static readonly Key<IReadOnlyList<double>> CenterKey = Need<IReadOnlyList<double>>("center", Vector(Dimension.Distance), "centre at the start, or a point on the axis"), VelocityKey = May<IReadOnlyList<double>>("velocity", Vector(Dimension.Velocity), "velocity of the indenter", [0, 0, 0]);
    private static readonly Key<IReadOnlyList<double>> AxisKey = May<IReadOnlyList<double>>("axis", Vector(Dimension.None), "direction of the axis: a cylinder; left out: a sphere");
    private static readonly Key<double> RadiusKey = Need("radius", Positive(Dimension.Distance), "radius R"), PushKey = Need("stiffness", Positive(Dimension.Pressure), "K of K (R − r)²");

    private static readonly MapSpec<InteractionChoice> IndenterSpec = new("model_indenter", "A rigid sphere or cylinder that pushes atoms out with the force K (R − r)².", m =>
    {
        double[] start = [.. m.Get(CenterKey)!], velocity = [.. m.Get(VelocityKey)!];
        return new InteractionChoice("indenter", [], _ => [new("indenter", m.Has(AxisKey) ? Indenter.Cylinder(m.Get(PushKey), m.Get(RadiusKey), start, [.. m.Get(AxisKey)!]) : Indenter.Sphere(m.Get(PushKey), m.Get(RadiusKey), start))])
        {
            IsExternal = true,
            Move = velocity.All(v => v == 0) ? null : (term, time) => { for (int k = 0; k < 3; k++) ((Indenter)term).Center[k] = start[k] + velocity[k] * time; },
        };
    }, CenterKey, RadiusKey, PushKey, AxisKey, VelocityKey);

    // ---- all -----------------------------------------------------------------------------------------------------------------------

    private static Interaction Silicon(Atoms atoms, Precision precision) => Symbols(atoms) is ["Si"] ? StillingerWeber.Silicon(precision)
        : throw new InputException($"the Stillinger–Weber potential that is built in is for Si alone, and there is {string.Join(", ", Symbols(atoms))}: give a file");

    private static readonly (string Name, Spec<InteractionChoice> Spec, bool Bare)[] s_laws =
    [
        PairLaw("lennard_jones", "Lennard-Jones: 4ε[(σ/r)¹² − (σ/r)⁶].", (n, cutoff) => new LennardJonesPair(n[0], n[1], cutoff), default, LennardJones.Mix, (types, pairs, truncation, precision) => LennardJones.Create(types, pairs, truncation, precision), true,
            ("epsilon", Dimension.Energy, "depth ε"), ("sigma", Dimension.Distance, "σ")),
        PairLaw("morse", "Morse: D [e² − 2e], e = exp(−α (r − r₀)).", (n, cutoff) => new MorsePair(n[0], n[1], n[2], cutoff), default, null, (types, pairs, truncation, _) => Morse.Create(types, pairs, truncation), false,
            ("depth", Dimension.Energy, "depth D"), ("alpha", Dimension.Distance.Power(-1), "α"), ("r0", Dimension.Distance, "distance r₀ of the minimum")),
        PairLaw("buckingham", "Buckingham: A exp(−r/ρ) − C/r⁶.", (n, cutoff) => new BuckinghamPair(n[0], n[1], n[2], cutoff), default, null, (types, pairs, truncation, _) => Buckingham.Create(types, pairs, truncation), false,
            ("A", Dimension.Energy, "A"), ("rho", Dimension.Distance, "ρ"), ("C", Dimension.Energy * Dimension.Distance.Power(6), "C")),
        Charges("damped_shifted_coulomb", "Charges, by damped shifted force, with the self energy.", (m, _) => [new("damped_shifted_coulomb", DampedShiftedCoulomb.Create(m.Get(AlphaKey), m.Get(CutoffKey), m.Get(PermittivityKey)))], false, AlphaKey, CutoffKey, PermittivityKey),
        Charges("coulomb", "Charges, all pairs within the cutoff without correction: for molecules in vacuum.", (m, atoms) =>
        {
            if (atoms.Cell.IsPeriodic && !m.Has(FarKey)) throw new InputException("coulomb: all pairs need a cell that does not repeat; give a cutoff, or use ewald or pme");
            return [new("coulomb", PlainCoulomb.Create(atoms.Species.Count, m.Has(FarKey) ? m.Get(FarKey) : double.PositiveInfinity))];
        }, true, FarKey),
        Charges("ewald", "Charges, by Ewald's sum.", (m, atoms) => Parts(Ewald.Create(atoms, m.Get(CutoffKey), m.Get(AccuracyKey))), false, CutoffKey, AccuracyKey),
        Charges("pme", "Charges, by Ewald's sum on a mesh.", (m, atoms) => Parts(ParticleMeshEwald.Create(atoms, m.Get(CutoffKey), m.Get(AccuracyKey), m.Get(OrderKey), m.Get(SpacingKey))), false, CutoffKey, AccuracyKey, OrderKey, SpacingKey),
        FileLaw("eam", "Embedded-atom method from a file.", "an EAM file (setfl .eam.alloy, Finnis–Sinclair .eam.fs, funcfl .eam)", [".alloy", ".fs", ".eam"], (file, atoms, precision) => Path.GetExtension(file) switch
        {
            ".alloy" => Eam.FromSetfl(file, Symbols(atoms), precision),
            ".fs" => Eam.FromFinnisSinclair(file, Symbols(atoms), precision),
            _ => atoms.Species.Count == 1 ? Eam.FromFuncfl([file], precision) : throw new InputException("a funcfl file (.eam) holds one kind of atoms: several need a setfl file (.eam.alloy)"),
        }),
        ("zhou2004", new MapSpec<InteractionChoice>("model_zhou2004", "Embedded-atom method, the analytic potentials of Zhou, Johnson and Wadley (Phys. Rev. B 69, 144113) for 16 metals and their alloys.",
            m => new InteractionChoice("zhou2004", [], atoms => [new("zhou2004", Eam.FromZhou2004(Symbols(atoms), m.Get(PrecisionKey)))]), PrecisionKey), true),
        FileLaw("stillinger_weber", "Stillinger–Weber potential.", "a LAMMPS .sw file", [".sw"], (file, atoms, precision) => StillingerWeber.Read(file, Symbols(atoms), precision), Silicon),
        FileLaw("tersoff", "Tersoff potential.", "a LAMMPS .tersoff file", [".tersoff"], (file, atoms, precision) => Tersoff.Read(file, Symbols(atoms), precision)),
        ("kim", new MappedSpec<string, InteractionChoice>(new TextSpec("the name of a KIM model"), model => new InteractionChoice("kim", [], atoms => [new("kim", new KimModel(model, Symbols(atoms)))])), false),
        ("amber", Amber, false),
        ("molecular", Molecular, false),
        ("wall", WallSpec, false),
        ("indenter", IndenterSpec, false),
    ];

    private static readonly VariantSpec<InteractionChoice> Law = new("interaction", s_laws);
    /// <summary>An interaction, or a list of them.</summary>
    public static readonly Spec<IReadOnlyList<InteractionChoice>> ModelSpec = new EitherSpec<IReadOnlyList<InteractionChoice>>("an interaction or a list of them",
        (NodeKind.Scalar, new MappedSpec<InteractionChoice, IReadOnlyList<InteractionChoice>>(Law, l => [l])), (NodeKind.Map, new MappedSpec<InteractionChoice, IReadOnlyList<InteractionChoice>>(Law, l => [l])),
        (NodeKind.Sequence, new ListSpec<InteractionChoice>(Law, "interactions, which add up", 1, 100)));

}
