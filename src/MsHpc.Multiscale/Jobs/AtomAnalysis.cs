using System.Globalization;
using System.Text;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Analysis;
using MsHpc.Core;
using static MsHpc.Multiscale.Jobs.AtomKeys;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Something computed of the atoms during a run.</summary>
/// <param name="Name">Its key in the job language.</param>
/// <param name="Every">A sample every so many steps.</param>
/// <param name="From">First step.</param>
internal sealed record AnalysisChoice(string Name, int Every, int From)
{
    /// <summary>Makes it for a run.</summary>
    public required Func<Atoms, AtomRun, AtomAnalysis> Make { get; init; }
}

/// <summary>An analysis while the run goes on: takes samples, ends as a table and a picture.</summary>
internal abstract class AtomAnalysis(AnalysisChoice choice)
{
    public AnalysisChoice Choice => choice;

    /// <summary>Name of the table; set when several analyses of a kind are asked for.</summary>
    public string File { get; set; } = choice.Name + ".csv";

    /// <summary>What the table holds.</summary>
    public abstract string What { get; }

    /// <summary>What a restart needs; fixed lengths, written to in place.</summary>
    public abstract IReadOnlyList<double[]> State { get; }

    /// <summary>Takes a sample.</summary>
    public abstract void Add(Atoms atoms, long step, double time);

    /// <summary>Headings and columns of the table.</summary>
    public abstract (string Heading, double[] Values)[] Table { get; }

    /// <summary>Columns to be drawn over the first one, with the axis.</summary>
    protected virtual IEnumerable<int> Drawn => [1];

    protected abstract string Axis { get; }

    public virtual IReadOnlyList<(string Label, string Value)> KeyNumbers => [];

    /// <summary>A number of each atom for trajectories; null when there is none.</summary>
    public virtual (string Name, double[] Values)? PerAtom(Atoms atoms) => null;

    public string Csv()
    {
        var table = Table;
        var text = new StringBuilder().AppendJoin(',', table.Select(c => c.Heading)).Append('\n');
        for (int row = 0; row < table[0].Values.Length; row++) text.AppendJoin(',', table.Select(c => c.Values[row].ToString("R", CultureInfo.InvariantCulture))).Append('\n');
        return text.ToString();
    }

    public (string? Svg, string Caption) Figure(out string? trouble)
    {
        var table = Table;
        trouble = null;
        if (table[0].Values.Length < 2) return (null, "");
        int[] drawn = [.. Drawn];
        string Label(int c) => drawn.Length == 1 ? "" : table[c].Heading.Split(" [")[0];
        return (CurvePlot.Draw([.. drawn.Select(c => new CurvePlot.Curve(Label(c), table[0].Values, table[c].Values))], table[0].Heading, Axis, out trouble), char.ToUpperInvariant(What[0]) + What[1..]);
    }
}

/// <summary>Radial distribution, averaged over samples.</summary>
internal sealed class RdfAnalysis(AnalysisChoice choice, double range, int bins, (string A, string B)? pair) : AtomAnalysis(choice)
{
    private readonly double[] _sum = new double[bins], _samples = new double[1];

    public override string What => pair is { } p ? $"radial distribution function {p.A}–{p.B}" : "radial distribution function";
    public override IReadOnlyList<double[]> State => [_sum, _samples];
    protected override string Axis => "g(r)";

    public override void Add(Atoms atoms, long step, double time)
    {
        // Several types may be one element: 0 and 1 are the two that are asked for.
        string a = pair?.A ?? "", b = pair?.B ?? "";
        int Kind(string symbol) => symbol == a ? 0 : symbol == b ? 1 : 2;
        var one = pair is null ? new RadialDistribution(range, bins) : new RadialDistribution(range, bins, 0, Kind(b));
        one.Add(pair is null ? atoms : new Atoms([new(a, 1), new(b, 1), new("other", 1)], [.. atoms.Types.Select(t => Kind(atoms.Species[t].Symbol))], atoms.Positions, atoms.Cell));
        double[] g = one.Result().G;
        for (int k = 0; k < bins; k++) _sum[k] += g[k];
        _samples[0]++;
    }

    public override (string Heading, double[] Values)[] Table => [("r [Å]", [.. _sum.Select((_, k) => (k + 0.5) * range / bins)]), ("g", [.. _sum.Select(g => g / Math.Max(1, _samples[0]))])];
}

/// <summary>Mean-square displacement, velocity autocorrelation, density of states.</summary>
internal sealed class CorrelationAnalysis(AnalysisChoice choice, int atoms, int[]? group, int window, double step, double highest, int points) : AtomAnalysis(choice)
{
    private readonly RunningCorrelation _correlation = new(group?.Length ?? atoms, window, choice.Name == "msd");

    public override string What => Choice.Name switch { "msd" => "mean-square displacement", "vacf" => "velocity autocorrelation", _ => "vibrational density of states" };
    public override IReadOnlyList<double[]> State => _correlation.State;
    protected override string Axis => Choice.Name switch { "msd" => "displacement² [Å²]", "vacf" => "⟨v(t)·v(0)⟩/⟨v²⟩", _ => "states [1/THz]" };
    protected override IEnumerable<int> Drawn => [Choice.Name == "vacf" ? 2 : 1];

    public override void Add(Atoms atoms, long at, double time) => _correlation.Add(Choice.Name == "msd" ? atoms.Positions : atoms.Velocities, group);

    public override (string Heading, double[] Values)[] Table
    {
        get
        {
            double[] c = _correlation.Result(), time = [.. c.Select((_, k) => 1e-3 * k * step)];
            if (Choice.Name == "msd") return [("time [ps]", time), ("msd [Å^2]", c)];
            if (Choice.Name == "vacf") return [("time [ps]", time), ("vacf [Å^2/fs^2]", c), ("normalised", [.. c.Select(v => c[0] > 0 ? v / c[0] : 0)])];
            var (frequency, density) = c.Length > 1 && c[0] > 0 ? TimeCorrelation.Spectrum(c, step, highest, points) : ([], []);
            return [("frequency [THz]", frequency), ("states [1/THz]", density)];
        }
    }

    /// <summary>Diffusion coefficient: a sixth of the slope over the second half of the delays.</summary>
    public override IReadOnlyList<(string Label, string Value)> KeyNumbers
    {
        get
        {
            if (Choice.Name != "msd" || _correlation.Result() is not { Length: >= 8 } c) return [];
            double[] y = c[(c.Length / 2)..];
            double middle = 0.5 * (y.Length - 1), slope = y.Select((v, k) => (k - middle) * v).Sum() / y.Select((_, k) => (k - middle) * (k - middle)).Sum() / step;
            // 1 Å²/fs = 0.1 cm²/s = 1e-5 m²/s.
            return [("diffusion (slope of the msd/6)", $"{(slope / 6 * 1e-5).ToString("G3", CultureInfo.InvariantCulture)} m²/s")];
        }
    }
}

/// <summary>Numbers of the local structure over time.</summary>
internal sealed class StructureAnalysis : AtomAnalysis
{
    private readonly string[] _columns;
    private readonly Func<Atoms, double[]> _perAtom;
    private readonly Func<double[], double[]> _summary;
    private readonly double[] _rows, _used = new double[1];
    private readonly string _column, _axis;

    public StructureAnalysis(AnalysisChoice choice, AtomRun run, string what, string column, string axis, string[] columns, Func<Atoms, double[]> perAtom, Func<double[], double[]> summary) : base(choice)
    {
        (What, _column, _axis, _columns, _perAtom, _summary) = (what, column, axis, columns, perAtom, summary);
        _rows = new double[(run.Steps / choice.Every + 2) * (columns.Length + 2)];
    }

    public override string What { get; }
    public override IReadOnlyList<double[]> State => [_rows, _used];
    protected override string Axis => _axis;
    protected override IEnumerable<int> Drawn => Enumerable.Range(2, _columns.Length).Where(c => Table[c].Values.Any(v => v != 0)).DefaultIfEmpty(2);

    public override void Add(Atoms atoms, long step, double time) => ((double[])[1e-3 * time, step, .. _summary(_perAtom(atoms))]).CopyTo(_rows, (_columns.Length + 2) * (int)_used[0]++);

    public override (string Heading, double[] Values)[] Table =>
        [.. ((string[])["time [ps]", "step", .. _columns]).Select((heading, c) => (heading, Enumerable.Range(0, (int)_used[0]).Select(row => _rows[row * (_columns.Length + 2) + c]).ToArray()))];

    public override (string Name, double[] Values)? PerAtom(Atoms atoms) => (_column, _perAtom(atoms));

    public override IReadOnlyList<(string Label, string Value)> KeyNumbers => _used[0] == 0 || Choice.Name != "common_neighbors" ? [] :
        Table[2..].MaxBy(c => c.Values[^1]) is var most ? [($"of the atoms are {most.Heading} at the end", most.Values[^1].ToString("P1", CultureInfo.InvariantCulture))] : [];
}

/// <summary>The part of the job language that asks for analyses.</summary>
internal static class AtomAnalyses
{
    private static readonly Key<int> EveryKey = Need("every", new IntegerSpec(1), "a sample every so many steps"), FromKey = May("from", new IntegerSpec(0), "first step that is sampled", 0);
    private static readonly Key<double> RangeKey = Need("range", Positive(Dimension.Distance), "largest distance"), CutoffKey = Need("cutoff", Positive(Dimension.Distance), "distance within which atoms are neighbours");
    private static readonly Key<int> BinsKey = May("bins", new IntegerSpec(1, 100_000), "number of bins", 200);
    private static readonly Key<IReadOnlyList<string>> PairKey = May<IReadOnlyList<string>>("pair", new ListSpec<string>(new TextSpec("a chemical symbol"), "two symbols", 2, 2), "the two kinds of atoms; left out: all");
    private static readonly Key<int> WindowKey = May("window", new IntegerSpec(1, 1_000_000), "longest delay, in samples; left out: half the run, at most 500", 0);
    private static readonly Key<string> GroupKey = May<string>("group", GroupName, "the atoms that count; left out: all");
    private static readonly Key<double> HighestKey = May("highest", Positive(Dimension.Rate), "highest frequency", 0.03);
    private static readonly Key<int> PointsKey = May("points", new IntegerSpec(2, 100_000), "number of frequencies", 300);
    private static readonly Key<int> NeighborsKey = May("neighbors", new IntegerSpec(2, 100), "number of nearest neighbours: 12 for fcc, 8 for bcc", 12);
    private static readonly Key<double> BondKey = May("cutoff", Positive(Dimension.Distance), "length below which atoms are bonded", 0.0);
    private static readonly Key<CrystalStructure> LatticeKey = Need("structure", new ChoiceSpec<CrystalStructure>(("fcc", CrystalStructure.Fcc, "face-centred cubic"), ("hcp", CrystalStructure.Hcp, "hexagonal"), ("bcc", CrystalStructure.Bcc, "body-centred cubic")), "crystal structure");
    private static readonly Key<double> AKey = Need("a", Positive(Dimension.Distance), "lattice constant");
    private static readonly Key<double> LatticeCutoffKey = May("lattice", new MapSpec<double>("analysis_lattice", "The cutoff halfway between the shells of a crystal.", m => LocalStructure.CommonNeighborCutoff(m.Get(LatticeKey), m.Get(AKey)), LatticeKey, AKey), "the crystal whose bonds count, instead of a cutoff", 0.0);

    private static (string, Spec<AnalysisChoice>, bool) Of(string name, string doc, Func<MapValues, AnalysisChoice, Atoms, AtomRun, AtomAnalysis> make, Key[][]? one, params Key[] keys) =>
        (name, new MapSpec<AnalysisChoice>("analysis_" + name, doc, m =>
        {
            AnalysisChoice? choice = null;
            return choice = new AnalysisChoice(name, m.Get(EveryKey), m.Get(FromKey)) { Make = (atoms, run) => make(m, choice!, atoms, run) };
        }, [EveryKey, FromKey, .. keys]) { ExactlyOne = one ?? [] }, false);

    private static AtomAnalysis Correlation(MapValues m, AnalysisChoice choice, Atoms atoms, AtomRun run)
    {
        int samples = Math.Max(1, (run.Steps - choice.From) / choice.Every);
        int[]? group = AtomGroups.Find(atoms, m.Get(GroupKey));
        return new CorrelationAnalysis(choice, atoms.Count, group, m.Has(WindowKey) ? Math.Min(m.Get(WindowKey), samples) : Math.Clamp(samples / 2, 1, 500), choice.Every * run.TimeStep, 1e3 * m.Get(HighestKey), m.Get(PointsKey));
    }

    private static RdfAnalysis Radial(MapValues m, AnalysisChoice choice, Atoms atoms)
    {
        RadialDistribution.Check(atoms.Cell);
        return new RdfAnalysis(choice, m.Get(RangeKey), m.Get(BinsKey), Pair(atoms, m.Get(PairKey)));
    }

    private static (string, string)? Pair(Atoms atoms, IReadOnlyList<string>? pair)
    {
        string[] symbols = [.. atoms.Species.Select(s => s.Symbol).Distinct()];
        foreach (string symbol in pair ?? [])
            if (!symbols.Contains(symbol)) throw new InputException($"rdf: there are no atoms '{symbol}'{JobReader.Suggest(symbol, symbols)}");
        return pair is null ? null : (pair[0], pair[1]);
    }

    private static readonly string[] s_structures = ["other", "fcc", "hcp", "bcc", "icosahedral"];

    private static readonly VariantSpec<AnalysisChoice> Analysis = new("analysis",
        Of("rdf", "Radial distribution function g(r).", (m, choice, atoms, _) => Radial(m, choice, atoms), null, RangeKey, BinsKey, PairKey),
        Of("msd", "Mean-square displacement over delays, all samples as starts.", Correlation, null, WindowKey, GroupKey),
        Of("vacf", "Velocity autocorrelation.", Correlation, null, WindowKey, GroupKey),
        Of("dos", "Vibrational density of states: the cosine transform of the velocity autocorrelation.", Correlation, null, WindowKey, GroupKey, HighestKey, PointsKey),
        Of("coordination", "Number of neighbours within a distance.", (m, choice, _, run) => new StructureAnalysis(choice, run, "coordination number", "coordination", "neighbours", ["mean", "least", "most"],
            atoms => [.. LocalStructure.Coordination(atoms, m.Get(CutoffKey)).Select(n => (double)n)], n => [n.Average(), n.Min(), n.Max()]), null, CutoffKey),
        Of("centro_symmetry", "Centro-symmetry parameter: large at defects and surfaces.", (m, choice, _, run) => new StructureAnalysis(choice, run, "centro-symmetry parameter", "centro_symmetry", "P [Å²]", ["mean [Å^2]", "most [Å^2]"],
            atoms => LocalStructure.CentroSymmetry(atoms, m.Get(NeighborsKey), m.Get(CutoffKey)), p => [p.Average(), p.Max()]), null, NeighborsKey, CutoffKey),
        Of("common_neighbors", "Common-neighbour analysis: which crystal an atom is in.", (m, choice, _, run) => new StructureAnalysis(choice, run, "parts of the atoms in each crystal structure", "structure", "part of the atoms", s_structures,
            atoms => [.. LocalStructure.CommonNeighbors(atoms, m.Has(BondKey) ? m.Get(BondKey) : m.Get(LatticeCutoffKey)).Select(s => (double)(int)s)],
            s => [.. s_structures.Select((_, k) => s.Count(v => v == k) / (double)s.Length)]), [[BondKey, LatticeCutoffKey]], BondKey, LatticeCutoffKey));

    /// <summary>A list of analyses.</summary>
    public static readonly Key<IReadOnlyList<AnalysisChoice>> Key = May<IReadOnlyList<AnalysisChoice>>("analysis", new ListSpec<AnalysisChoice>(Analysis, "- rdf: {…}", 1, 100), "what is computed of the atoms during the run, as tables and pictures");

    /// <summary>The analyses of a run; the second of a kind is called rdf-2, and so on.</summary>
    public static IReadOnlyList<AtomAnalysis> Make(AtomOutput output, Atoms atoms, AtomRun run)
    {
        var seen = new Dictionary<string, int>();
        return [.. output.Analysis.Select(choice =>
        {
            int n = seen[choice.Name] = seen.GetValueOrDefault(choice.Name) + 1;
            var made = choice.Make(atoms, run);
            if (n > 1) made.File = $"{choice.Name}-{n}.csv";
            return made;
        })];
    }
}
