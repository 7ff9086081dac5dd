using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Perf;

/// <summary>A system of LAMMPS' benchmarks: atoms, force field, time step (fs, or the unit of the system) and the skin that serves it best.</summary>
internal sealed record MdSystem(Atoms Atoms, ForceField Field, double Step, double Skin, double Acceleration = 1);

/// <summary>
/// Our side of perf/peers/lammps_md.py: velocity Verlet on a system of 32,000 atoms, ns per atom-step of whole steps, phase by phase.
/// <code>MsHpc.Perf md --system lj [--precision double|mixed] [--steps 500] [--repeat 3] [--skin s] [--threads n] [--cells 20]</code>
/// A further system is a row in <see cref="Make"/>.
/// </summary>
internal static class MdPeer
{
    private static MdSystem Make(string system, int cells, Precision precision) => system switch
    {
        "lj" => Melt(cells, precision),
        _ => throw new ArgumentException($"no system {system}"),
    };

    /// <summary>LAMMPS' bench/in.lj in its own units: fcc at density 0.8442, temperature 1.44, cutoff 2.5, step 0.005.</summary>
    private static MdSystem Melt(int cells, Precision precision)
    {
        var atoms = Lattice(cells, Math.Cbrt(4 / 0.8442), [0, 0, 0, 0.5, 0.5, 0, 0.5, 0, 0.5, 0, 0.5, 0.5], new Species("A", 1));
        Heat(atoms, 1.44);
        return new MdSystem(atoms, new ForceField(LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 2.5), precision: precision)), 0.005, 1);
    }

    /// <summary>A cubic crystal of cells³ unit cells.</summary>
    internal static Atoms Lattice(int cells, double a, double[] basis, Species species)
    {
        int n = basis.Length / 3;
        var positions = new double[3 * n * cells * cells * cells];
        int at = 0;
        for (int i = 0; i < cells; i++)
            for (int j = 0; j < cells; j++)
                for (int k = 0; k < cells; k++)
                    for (int b = 0; b < n; b++)
                    {
                        positions[at++] = (i + basis[3 * b]) * a;
                        positions[at++] = (j + basis[3 * b + 1]) * a;
                        positions[at++] = (k + basis[3 * b + 2]) * a;
                    }
        return new Atoms([species], new int[positions.Length / 3], positions, Cell.Box(cells * a, cells * a, cells * a));
    }

    /// <summary>Maxwell's velocities without drift, scaled to k_B T/m = <paramref name="kT"/> (velocity units squared).</summary>
    internal static void Heat(Atoms atoms, double kT)
    {
        var random = new Random(12345);
        double[] v = atoms.Velocities;
        for (int i = 0; i < v.Length; i++) v[i] = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        for (int k = 0; k < 3; k++)
        {
            double mean = 0;
            for (int i = 0; i < atoms.Count; i++) mean += v[3 * i + k] / atoms.Count;
            for (int i = 0; i < atoms.Count; i++) v[3 * i + k] -= mean;
        }
        double sum = 0;
        foreach (double x in v) sum += x * x;
        double scale = Math.Sqrt(3 * (atoms.Count - 1) * kT / sum);
        for (int i = 0; i < v.Length; i++) v[i] *= scale;
    }

    public static int Run(string[] args)
    {
        string Option(string name, string otherwise) => Array.IndexOf(args, "--" + name) is >= 0 and int at ? args[at + 1] : otherwise;
        int Whole(string name, int otherwise) => int.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        int cells = Whole("cells", 20), steps = Whole("steps", 500), repeat = Whole("repeat", 3), warm = Whole("warm", 100), thermo = Whole("thermo", 100);
        var system = Make(Option("system", "lj"), cells, Option("precision", "double") == "mixed" ? Precision.Mixed : Precision.Double);
        double skin = double.Parse(Option("skin", system.Skin.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        double pairSkin = double.Parse(Option("pairskin", (0.24 * skin).ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        using var team = new ThreadTeam(Whole("threads", 1));
        var domain = system.Field.MakeDomain(system.Atoms, skin, team: team, pairSkin: pairSkin);
        var run = new MdLoop(domain, system);
        run.Steps(warm, thermo);
        double before = run.Total();
        for (int r = 0; r < repeat; r++)
        {
            run.Clear();
            long allocated = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
            run.Steps(steps, thermo);
            double ns = Stopwatch.GetElapsedTime(start).TotalNanoseconds / steps / system.Atoms.Count;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{ns:F2} ns/atom-step; {run.Phases()}; allocated {(GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)steps:F0} B/step"));
        }
        double after = run.Total();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"energy per atom {before / system.Atoms.Count:F6} -> {after / system.Atoms.Count:F6}; pair entries per atom {domain.Pairs.Length / (double)system.Atoms.Count:F2}, slots {domain.Slots}"));
        return 0;
    }
}

/// <summary>Velocity Verlet, bare: two half kicks between outputs are one.</summary>
internal sealed unsafe class MdLoop(Domain domain, MdSystem system)
{
    private readonly double[] _seconds = new double[4];
    private int _builds, _steps;
    private bool _started;

    public void Clear()
    {
        Array.Clear(_seconds);
        (_builds, _steps) = (0, 0);
    }

    public string Phases()
    {
        double scale = 1e9 / _steps / domain.AtomCount;
        return string.Create(CultureInfo.InvariantCulture,
            $"move {_seconds[0] * scale:F2}, check and ghosts {_seconds[1] * scale:F2}, rebuild {_seconds[2] * scale:F2} ({_builds} in {_steps}), forces {_seconds[3] * scale:F2}");
    }

    public void Steps(int steps, int thermo)
    {
        double dt = system.Step, half = 0.5 * dt * system.Acceleration;
        if (!_started) { system.Field.Compute(domain, Want.Virial); _started = true; }
        Move(half, dt);
        for (int step = 1; step <= steps; step++)
        {
            bool output = step % thermo == 0 || step == steps;
            long t0 = Stopwatch.GetTimestamp();
            bool rebuild = domain.NeedsRebuild();
            if (!rebuild) domain.UpdateGhosts();
            long t1 = Stopwatch.GetTimestamp();
            if (rebuild) { domain.Rebuild(); _builds++; }
            long t2 = Stopwatch.GetTimestamp();
            system.Field.Compute(domain, output ? Want.Virial : Want.NoEnergy);
            long t3 = Stopwatch.GetTimestamp();
            if (step == steps) Move(half, 0);
            else Move(2 * half, dt);
            long t4 = Stopwatch.GetTimestamp();
            double tick = 1.0 / Stopwatch.Frequency;
            _seconds[0] += (t4 - t3) * tick;
            _seconds[1] += (t1 - t0) * tick;
            _seconds[2] += (t2 - t1) * tick;
            _seconds[3] += (t3 - t2) * tick;
            _steps++;
        }
    }

    /// <summary>Kinetic and potential energy.</summary>
    public double Total()
    {
        double kinetic = 0;
        for (int s = 0; s < domain.OwnedSlots; s++)
            for (int k = 0; k < 3; k++) kinetic += 0.5 * domain.Mass[s] * Math.Pow(domain.V[s / 8 * 24 + s % 8 + 8 * k], 2);
        return kinetic / system.Acceleration + system.Field.Compute(domain, Want.Forces).Energy;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Move(double kick, double drift)
    {
        double* x = domain.X, v = domain.V, f = domain.F, mass = domain.Mass;
        Lanes dt = Lane.Of(drift);
        for (int c = 0; c < domain.OwnedClusters; c++, x += 24, v += 24, f += 24)
        {
            var k = Lane.Of(kick) / Vector512.Load(mass + 8 * c);
            for (int d = 0; d < 24; d += 8)
            {
                var velocity = Lane.Fma(k, Vector512.Load(f + d), Vector512.Load(v + d));
                velocity.Store(v + d);
                Lane.Fma(dt, velocity, Vector512.Load(x + d)).Store(x + d);
            }
        }
    }
}
