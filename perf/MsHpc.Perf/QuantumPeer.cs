using System.Diagnostics;
using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.IO;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Quantum.LinearScaling;
using MsHpc.Quantum.Scf;
using MsHpc.Quantum.TightBinding;

namespace MsHpc.Perf;

/// <summary>
/// Seconds of energy and forces by tight binding, atoms moved a little from call to call as in dynamics, and of the eigensolver alone (DSYEVD with all
/// vectors of a Hamiltonian of the same order) beside them.
/// <code>MsHpc.Perf quantum --xyz Si216.xyz | --cells 4 [--model bowler|kwon|nrl|skf folder] [--mesh 1] [--threads 1] [--repeat 5] [--eigen yes] [--purify threshold]</code>
/// </summary>
internal static class QuantumPeer
{
    public static int Run(string[] args)
    {
        string Option(string name, string otherwise) => Array.IndexOf(args, "--" + name) is >= 0 and int at ? args[at + 1] : otherwise;
        int Number(string name, int otherwise) => int.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        int threads = Number("threads", 1), mesh = Number("mesh", 1), repeat = Number("repeat", 5);
        Dense.Use(null, threads);
        var atoms = Option("xyz", "") is { Length: > 0 } path ? Read(path) : Crystal.Create("diamond", [new Species("Si", 28.0855)], 5.431, [.. Enumerable.Repeat(Number("cells", 3), 3)]);
        var random = new Random(1);
        void Move(double size)
        {
            for (int k = 0; k < atoms.Positions.Length; k++) atoms.Positions[k] += size * (random.NextDouble() - 0.5);
        }
        if (Option("xyz", "").Length == 0) Move(0.1);
        string name = Option("model", "bowler");
        TightBindingModel model = name switch
        {
            "bowler" => new BowlerSiliconHydrogen(),
            "kwon" => new KwonSilicon(),
            "nrl" => new NrlSilicon(),
            _ => new SlaterKosterSet(name, [.. atoms.Species.Select(s => s.Symbol)]),
        };
        using var team = new ThreadTeam(threads);
        var options = new TightBindingOptions(mesh > 1 ? KMesh.MonkhorstPack(mesh, mesh, mesh) : null, SelfConsistent: model is SlaterKosterSet,
            Purify: Option("purify", "") is { Length: > 0 } threshold ? new Purification(double.Parse(threshold, CultureInfo.InvariantCulture)) : null);
        var calculator = new TightBindingCalculator(model, options, team);
        var results = new CalculatorResults(atoms.Count);
        int orbitals = atoms.Types.ToArray().Sum(t => model.Elements[model.IndexOf(atoms.Species[t].Symbol)].Orbitals);
        Console.WriteLine($"{atoms.Count} atoms, {orbitals} orbitals, {Dense.Provider}, team of {threads}; {calculator.Description}");
        for (int r = 0; r < repeat; r++)
        {
            long bytes = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
            calculator.Compute(atoms, Want.Forces, results);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{seconds:f4} s, {calculator.Energies!.Cycles} cycles, {results.Energy:f8} eV, largest force {results.Forces.Max():f6} eV/Å, {(GC.GetAllocatedBytesForCurrentThread() - bytes) / 1024} kB allocated"));
            if (calculator.Purified is { } report) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    gap {calculator.Energies.Gap:f3} eV; {report}"));
            Move(1e-3);
        }
        if (Option("eigen", "no") == "yes") Eigensolver(calculator, atoms, orbitals);
        return 0;
    }

    private static void Eigensolver(TightBindingCalculator calculator, Atoms atoms, int n)
    {
        double[] h = calculator.GammaHamiltonian(atoms), a = new double[n * n], values = new double[n];
        for (int r = 0; r < 3; r++)
        {
            h.CopyTo(a, 0);
            long start = Stopwatch.GetTimestamp();
            Dense.SymmetricEigen(n, a, values);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"eigensolver alone {Stopwatch.GetElapsedTime(start).TotalSeconds:f4} s"));
        }
    }

    /// <summary>Extended XYZ, or the plain one that other programs write (its second line is theirs): then a molecule.</summary>
    private static Atoms Read(string path)
    {
        string[] lines = File.ReadAllLines(path);
        if (lines[1].Contains("Lattice=", StringComparison.Ordinal)) return ExtXyz.Read(path).Atoms;
        string[][] rows = [.. lines.Skip(2).Take(int.Parse(lines[0], CultureInfo.InvariantCulture)).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        string[] symbols = [.. rows.Select(r => r[0]).Distinct()];
        return new Atoms([.. symbols.Select(s => new Species(s, 1))], [.. rows.Select(r => Array.IndexOf(symbols, r[0]))],
            [.. rows.SelectMany(r => r[1..4]).Select(x => double.Parse(x, CultureInfo.InvariantCulture))], new Cell([99, 0, 0, 0, 99, 0, 0, 0, 99], [false, false, false]));
    }
}
