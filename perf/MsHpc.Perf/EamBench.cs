using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;

namespace MsHpc.Perf;

/// <summary>
/// Our side of perf/peers/lammps_eam.py: LAMMPS' bench/in.eam (32,000 atoms of copper, 1600 K at the start, 5 fs) in velocity Verlet, ns per
/// atom-step of whole steps, phase by phase.
/// <code>MsHpc.Perf eam --file Cu_u3.eam|zhou [--precision double|mixed] [--steps 100] [--repeat 3] [--warm 100] [--thermo 50] [--skin 1] [--cells 20]</code>
/// </summary>
internal static unsafe class EamBench
{
    // Å/fs² for 1 eV/Å on 1 u.
    private const double Acceleration = 0.00964853321233, Boltzmann = 8.617333262e-5;

    public static int Run(string[] args)
    {
        string Option(string name, string otherwise) => Array.IndexOf(args, "--" + name) is >= 0 and int at ? args[at + 1] : otherwise;
        double Number(string name, double otherwise) => double.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        int cells = (int)Number("cells", 20), steps = (int)Number("steps", 100), repeat = (int)Number("repeat", 3), warm = (int)Number("warm", 100), thermo = (int)Number("thermo", 50);
        string file = Option("file", "Cu_u3.eam");
        var precision = Option("precision", "double") == "mixed" ? Precision.Mixed : Precision.Double;
        var eam = file == "zhou" ? Eam.FromZhou2004(["Cu"], precision) : Eam.FromFuncfl([file], precision);
        var atoms = Copper(cells);
        var field = new ForceField(eam);
        var domain = field.MakeDomain(atoms, Number("skin", 1));
        double[] seconds = new double[4];
        int builds = 0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"potential energy of the crystal {field.Compute(domain, Want.Virial).Energy / atoms.Count:F10} eV per atom"));
        Steps(warm);
        double before = Total();
        for (int r = 0; r < repeat; r++)
        {
            Array.Clear(seconds);
            builds = 0;
            long allocated = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
            Steps(steps);
            double scale = 1.0 / steps / atoms.Count, ns = Stopwatch.GetElapsedTime(start).TotalNanoseconds * scale;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{ns:F2} ns/atom-step; move {seconds[0] * 1e9 * scale:F1}, check and ghosts {seconds[1] * 1e9 * scale:F1}, rebuild {seconds[2] * 1e9 * scale:F1} ({builds} in {steps}), forces {seconds[3] * 1e9 * scale:F1}; allocated {(GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)steps:F0} B/step"));
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"energy per atom {before:F7} -> {Total():F7} eV; list entries per atom {domain.Half.Length / (double)atoms.Count:F2}, slots {domain.Slots}"));
        return 0;

        void Steps(int count)
        {
            Move(domain, 2.5, 5);
            for (int step = 1; step <= count; step++)
            {
                long t0 = Stopwatch.GetTimestamp();
                bool rebuild = domain.NeedsRebuild();
                if (!rebuild) domain.UpdateGhosts();
                long t1 = Stopwatch.GetTimestamp();
                if (rebuild) { domain.Rebuild(); builds++; }
                long t2 = Stopwatch.GetTimestamp();
                field.Compute(domain, step % thermo == 0 ? Want.Virial : Want.Forces);
                long t3 = Stopwatch.GetTimestamp();
                Move(domain, step == count ? 2.5 : 5, step == count ? 0 : 5);
                long t4 = Stopwatch.GetTimestamp();
                double tick = 1.0 / Stopwatch.Frequency;
                (seconds[0], seconds[1], seconds[2], seconds[3]) = (seconds[0] + (t4 - t3) * tick, seconds[1] + (t1 - t0) * tick, seconds[2] + (t2 - t1) * tick, seconds[3] + (t3 - t2) * tick);
            }
        }

        double Total()
        {
            double kinetic = 0;
            for (int s = 0; s < domain.OwnedSlots; s++)
                for (int k = 0; k < 3; k++) kinetic += 0.5 * domain.Mass[s] * Math.Pow(domain.V[s / 8 * 24 + s % 8 + 8 * k], 2);
            return (kinetic / Acceleration + field.Compute(domain, Want.Forces).Energy) / atoms.Count;
        }
    }

    internal static Atoms Copper(int cells)
    {
        const double a = 3.615, mass = 63.55;
        double[] basis = [0, 0, 0, 0.5, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0.5];
        var positions = new List<double>();
        for (int i = 0; i < cells; i++)
            for (int j = 0; j < cells; j++)
                for (int k = 0; k < cells; k++)
                    for (int b = 0; b < 12; b += 3) positions.AddRange([(i + basis[b]) * a, (j + basis[b + 1]) * a, (k + basis[b + 2]) * a]);
        var atoms = new Atoms([new Species("Cu", mass)], new int[positions.Count / 3], [.. positions], Cell.Box(cells * a, cells * a, cells * a));
        var random = new Random(376847);
        double[] v = atoms.Velocities;
        for (int i = 0; i < v.Length; i++) v[i] = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        for (int k = 0; k < 3; k++)
        {
            double mean = Enumerable.Range(0, atoms.Count).Average(i => v[3 * i + k]);
            for (int i = 0; i < atoms.Count; i++) v[3 * i + k] -= mean;
        }
        double scale = Math.Sqrt(3 * (atoms.Count - 1) * Boltzmann * 1600 / mass * Acceleration / v.Sum(x => x * x));
        for (int i = 0; i < v.Length; i++) v[i] *= scale;
        return atoms;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Move(Domain domain, double kick, double drift)
    {
        double* x = domain.X, v = domain.V, f = domain.F, mass = domain.Mass;
        Lanes dt = Lane.Of(drift);
        for (int c = 0; c < domain.OwnedClusters; c++, x += 24, v += 24, f += 24)
        {
            var k = Lane.Of(kick * Acceleration) / Vector512.Load(mass + 8 * c);
            for (int d = 0; d < 24; d += 8)
            {
                var velocity = Lane.Fma(k, Vector512.Load(f + d), Vector512.Load(v + d));
                velocity.Store(v + d);
                Lane.Fma(dt, velocity, Vector512.Load(x + d)).Store(x + d);
            }
        }
    }
}
