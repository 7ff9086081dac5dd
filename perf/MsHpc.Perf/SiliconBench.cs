using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;

namespace MsHpc.Perf;

/// <summary>
/// Diamond silicon, n³ cells of 5.431 Å, started at 1000 K, 1 fs, velocity Verlet; energy and virial every 100 steps:
/// <c>silicon sw|tersoff double|mixed [steps 500] [cells 16] [skin 2] [kinds 1] [file]</c>. Prints ns per atom-step of whole steps, best and median of parts of 100 steps.
/// </summary>
internal static unsafe class SiliconBench
{
    private const double Mass = 28.06, Dt = 1.0, Lattice = 5.431;

    public static int Run(string[] args)
    {
        bool sw = args[0] == "sw";
        var precision = args[1] == "mixed" ? Precision.Mixed : Precision.Double;
        int steps = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 500, cells = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : 16;
        double skin = args.Length > 4 ? double.Parse(args[4], CultureInfo.InvariantCulture) : 2;
        // More than one kind of the same silicon: what several species cost.
        int kinds = args.Length > 5 ? int.Parse(args[5], CultureInfo.InvariantCulture) : 1;
        string file = args.Length > 6 ? args[6] : sw ? "/usr/share/lammps/potentials/Si.sw" : "/usr/share/lammps/potentials/Si.tersoff";
        string[] elements = [.. Enumerable.Repeat("Si", kinds)];
        Interaction law = sw ? StillingerWeber.Read(file, elements, precision) : Tersoff.Read(file, elements, precision);
        var field = new ForceField(law);
        var atoms = Diamond(cells, kinds);
        var domain = field.MakeDomain(atoms, skin);
        var tally = field.Compute(domain, Want.Virial);
        double start = tally.Energy + Kinetic(domain);
        Console.WriteLine($"{law.Description}, {precision}: {atoms.Count} atoms, skin {skin} Å, energy per atom {tally.Energy / atoms.Count:F6} eV");
        var times = new List<double>();
        int builds = 0;
        for (int part = 0; part <= steps / 100; part++)
        {
            long from = Stopwatch.GetTimestamp();
            for (int s = 1; s <= 100; s++)
            {
                Move(domain);
                domain.UpdateGhosts();
                if (domain.NeedsRebuild())
                {
                    domain.Rebuild();
                    builds++;
                }
                tally = field.Compute(domain, s == 100 ? Want.Virial : Want.Forces);
                Kick(domain);
            }
            // The first part warms up.
            if (part > 0) times.Add(Stopwatch.GetElapsedTime(from).TotalNanoseconds / 100 / atoms.Count);
        }
        times.Sort();
        double kinetic = Kinetic(domain);
        Console.WriteLine($"ns per atom-step: best {times[0]:F1}, median {times[times.Count / 2]:F1}; builds {builds}, drift {(tally.Energy + kinetic - start) / atoms.Count:E2} eV per atom, T {kinetic * 2 / 3 / atoms.Count / 8.617333262e-5:F1} K");
        return 0;
    }

    public static Atoms Diamond(int cells, int kinds)
    {
        double[] basis = [0, 0, 0, 0, .5, .5, .5, 0, .5, .5, .5, 0, .25, .25, .25, .25, .75, .75, .75, .25, .75, .75, .75, .25];
        var x = new List<double>();
        for (int i = 0; i < cells; i++)
            for (int j = 0; j < cells; j++)
                for (int k = 0; k < cells; k++)
                    for (int b = 0; b < 8; b++) x.AddRange([(i + basis[3 * b]) * Lattice, (j + basis[3 * b + 1]) * Lattice, (k + basis[3 * b + 2]) * Lattice]);
        double length = cells * Lattice;
        var atoms = new Atoms([.. Enumerable.Repeat(new Species("Si", Mass), kinds)], [.. Enumerable.Range(0, x.Count / 3).Select(i => i % kinds)], [.. x], new Cell([length, 0, 0, 0, length, 0, 0, 0, length], [true, true, true], [0, 0, 0]));
        var random = new Random(7);
        double spread = Math.Sqrt(8.617333262e-5 * 1000 / Mass * Acceleration);
        for (int k = 0; k < x.Count; k++) atoms.Velocities[k] = spread * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        for (int k = 0; k < 3; k++)
        {
            double mean = Enumerable.Range(0, atoms.Count).Average(i => atoms.Velocities[3 * i + k]);
            for (int i = 0; i < atoms.Count; i++) atoms.Velocities[3 * i + k] -= mean;
        }
        return atoms;
    }

    /// <summary>Å/fs² of 1 eV/Å on 1 u.</summary>
    private const double Acceleration = 9.648533212e-3;

    private static void Kick(Domain d)
    {
        var half = Lane.Of(0.5 * Dt * Acceleration / Mass);
        for (int k = 0; k < 24 * d.OwnedClusters; k += 8) Lane.Fma(half, Vector512.Load(d.F + k), Vector512.Load(d.V + k)).Store(d.V + k);
    }

    private static void Move(Domain d)
    {
        Lanes half = Lane.Of(0.5 * Dt * Acceleration / Mass), dt = Lane.Of(Dt);
        for (int k = 0; k < 24 * d.OwnedClusters; k += 8)
        {
            var v = Lane.Fma(half, Vector512.Load(d.F + k), Vector512.Load(d.V + k));
            v.Store(d.V + k);
            Lane.Fma(dt, v, Vector512.Load(d.X + k)).Store(d.X + k);
        }
    }

    private static double Kinetic(Domain d)
    {
        double sum = 0;
        for (int k = 0; k < 24 * d.OwnedClusters; k++) sum += d.V[k] * d.V[k];
        return 0.5 * Mass / Acceleration * sum;
    }
}
