using System.Diagnostics;
using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Perf;

/// <summary>
/// Our side of perf/peers/gromacs_water.py: rigid TIP3P water, particle-mesh Ewald, velocity Verlet, ns per atom-step of whole steps, phase by phase.
/// <code>MsHpc.Perf water --gro water.gro [--steps 200] [--repeat 3] [--warm 100] [--cutoff 9] [--spacing 1.2] [--order 4] [--skin 1] [--dt 2] [--energy 100] [--precision double|mixed] [--trace yes]</code>
/// </summary>
internal static class WaterBench
{
    /// <summary>A term whose time is taken.</summary>
    private sealed class Timed(Interaction term) : Interaction
    {
        public double Seconds { get; set; }
        public override string Description => term.Description;
        public override double Cutoff => term.Cutoff;
        public override ListKind Lists => term.Lists;
        public override bool IsLocal => term.IsLocal;

        public override void Prepare(Domain domain) => Time(() => term.Prepare(domain));

        public override void Compute(Domain domain, Want want, ref Tally tally)
        {
            long start = Stopwatch.GetTimestamp();
            term.Compute(domain, want, ref tally);
            Seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        private void Time(Action action)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            Prepared += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        public double Prepared { get; set; }
    }

    public static int Run(string[] args)
    {
        var comm = MpiRuntime.IsLaunchedInParallel ? MpiRuntime.Initialize() : Comm.Self;
        void Print(FormattableString text)
        {
            if (comm.IsRoot) Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
        }
        string Option(string name, string otherwise) => Array.IndexOf(args, "--" + name) is >= 0 and int at ? args[at + 1] : otherwise;
        double Number(string name, double otherwise) => double.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        int steps = (int)Number("steps", 200), repeat = (int)Number("repeat", 3), warm = (int)Number("warm", 100), energy = (int)Number("energy", 100), order = (int)Number("order", 4);
        double cutoff = Number("cutoff", 9), spacing = Number("spacing", 1.2), step = Number("dt", 2);
        var atoms = Read(Option("gro", "water.gro"));
        // GROMACS' choice: erfc(α r_c) = 1e-5. The mesh's error is of the same order.
        var split = new EwaldSplit(3.1234132743 / cutoff, cutoff, 1e-5, Codata.CoulombInEvAngstrom);
        int points = Points(atoms.Cell.Rows[0] / spacing);
        var mesh = new Timed(new ParticleMeshEwald(atoms, split, (points, points, points), order));
        var real = new Timed(CoulombReal.Create(2, split, Water.Tip3p.LennardJones(cutoff), Option("precision", "double") == "mixed" ? Precision.Mixed : Precision.Double));
        var excluded = new Timed(Ewald.Reciprocal(mesh, split, atoms.Topology)[1]);
        var field = new ForceField(real, mesh, excluded);
        var md = new MolecularDynamics(atoms, field, new VelocityVerlet(), new MdOptions { TimeStep = step, Skin = Number("skin", 1) }, comm);
        var start = md.Measure();
        Print($"{atoms.Count} atoms, mesh {points}; potential energy {start.Potential:f6} eV, {start.Temperature:f2} K, pressure {start.PressureGPa * 1e4:f1} bar; {comm.Size} ranks");
        bool trace = Option("trace", "no") == "yes";
        md.Every(energy, run =>
        {
            var now = run.Measure();
            if (trace) Print($"at {run.Time / 1000:f3} ps conserved {now.Conserved:f9} eV");
        });
        md.Run(warm);
        for (int r = 0; r < repeat; r++)
        {
            foreach (var term in (Timed[])[real, mesh, excluded]) (term.Seconds, term.Prepared) = (0, 0);
            int generation = md.Domain.Generation;
            long allocated = GC.GetAllocatedBytesForCurrentThread(), begin = Stopwatch.GetTimestamp();
            md.Run(steps);
            double scale = 1e9 / steps / atoms.Count, ns = Stopwatch.GetElapsedTime(begin).TotalSeconds * scale;
            double forces = (real.Seconds + mesh.Seconds + excluded.Seconds) * scale;
            Print(
                $"{ns:f1} ns/atom-step; real space {real.Seconds * scale:f1}, mesh {mesh.Seconds * scale:f1}, excluded {excluded.Seconds * scale:f1} (look-up {excluded.Prepared * scale:f1}), rest {ns - forces:f1}; {md.Domain.Generation - generation} rebuilds; allocated {(GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)steps:f0} B/step");
        }
        Print($"{md.Summary}");
        if (comm.Size == 1) Phases(md, atoms);
        MpiRuntime.Shutdown();
        return 0;
    }

    /// <summary>What is not forces, each by itself, ns per atom.</summary>
    private static unsafe void Phases(MolecularDynamics md, Atoms atoms)
    {
        var domain = md.Domain;
        var constraints = new Constraints(atoms);
        var before = new AlignedArray<double>();
        int n = 24 * domain.OwnedClusters;
        new Span<double>(domain.X, n).CopyTo(new Span<double>(before.Require(n), n));
        double Time(int count, Action action)
        {
            action();
            long begin = Stopwatch.GetTimestamp();
            for (int k = 0; k < count; k++) action();
            return Stopwatch.GetElapsedTime(begin).TotalSeconds * 1e9 / count / atoms.Count;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"positions onto constraints {Time(50, () => constraints.Positions(domain, before.Pointer, 2)):f1}, velocities {Time(50, () => constraints.Velocities(domain)):f1}, displacement {Time(50, () => domain.MaxDisplacementSquared()):f1}, ghosts {Time(50, domain.UpdateGhosts):f1}, rebuild {Time(5, domain.Rebuild):f0} ns/atom; {domain.Pairs.Length * 8.0 / atoms.Count:f0} listed pairs per atom"));
    }

    private static int Points(double least)
    {
        for (int n = (int)Math.Ceiling(least); ; n++)
        {
            int rest = n;
            foreach (int p in (int[])[2, 3, 5]) while (rest % p == 0) rest /= p;
            if (rest == 1) return n;
        }
    }

    /// <summary>Molecules O, H, H of a .gro file with velocities, nm and nm/ps.</summary>
    private static Atoms Read(string path)
    {
        string[] lines = File.ReadAllLines(path);
        int count = int.Parse(lines[1], CultureInfo.InvariantCulture);
        double Column(string line, int start, int width) => double.Parse(line.AsSpan(start, width), CultureInfo.InvariantCulture);
        double[] edges = [.. lines[2 + count].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(t => 10 * double.Parse(t, CultureInfo.InvariantCulture))];
        var topology = new Topology();
        Water.Tip3p.Add(topology, 0, count / 3);
        double[] x = new double[3 * count], v = new double[3 * count];
        for (int i = 0; i < count; i++)
            for (int k = 0; k < 3; k++)
            {
                x[3 * i + k] = 10 * Column(lines[2 + i], 20 + 8 * k, 8);
                v[3 * i + k] = 1e-2 * Column(lines[2 + i], 44 + 8 * k, 8);
            }
        var atoms = new Atoms([new Species("O", 16), new Species("H", 1.008)], [.. Enumerable.Range(0, count).Select(i => i % 3 == 0 ? 0 : 1)], x, Cell.Box(edges[0], edges[1], edges[2])) { Topology = topology };
        v.CopyTo(atoms.Velocities, 0);
        for (int i = 0; i < count; i++) atoms.Charges[i] = i % 3 == 0 ? -2 * Water.Tip3p.ChargeH : Water.Tip3p.ChargeH;
        return atoms;
    }
}
