using System.Diagnostics;
using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Perf;

/// <summary>A benchmark: a cubic crystal with a force field, temperature at the start, K, time step, fs, skin, Å, and steps between outputs.</summary>
internal sealed record MdSystem(string Structure, Species Species, double Edge, Interaction Law, double Temperature, double Step, double Skin, int Thermo);

/// <summary>
/// Our side of perf/peers/lammps_md.py: whole steps of <see cref="MolecularDynamics"/>, energy and virial at LAMMPS' interval; ns per atom-step.
/// Under mpirun the ranks share the atoms; bytes are those of rank 0.
/// <code>MsHpc.Perf md --system lj|eam|sw|tersoff [--precision double|mixed] [--steps 300] [--atoms 32000] [--skin Å] [--threads 1] [--warm 100] [--repeat 3] [--potentials folder]</code>
/// </summary>
internal static class MdPeer
{
    private static MdSystem Make(string system, Precision precision, string folder) => system switch
    {
        // LAMMPS' bench/in.lj: ε = 1 eV, σ = 1 Å, and the mass that makes √(m σ²/ε) = 1 fs.
        "lj" => new("fcc", new("A", 1 / Codata.MassVelocitySquaredInEv), Math.Cbrt(4 / 0.8442), LennardJones.Create(1, (_, _) => new LennardJonesPair(1, 1, 2.5), precision: precision), 1.44 / Codata.BoltzmannInEv, 0.005, 1, 100),
        "eam" => new("fcc", new("Cu", 63.55), 3.615, Eam.FromFuncfl([Path.Combine(folder, "Cu_u3.eam")], precision), 1600, 5, 1.5, 50),
        "sw" => new("diamond", new("Si", 28.06), 5.431, StillingerWeber.Read(Path.Combine(folder, "Si.sw"), ["Si"], precision), 1000, 1, 2, 100),
        "tersoff" => new("diamond", new("Si", 28.06), 5.431, Tersoff.Read(Path.Combine(folder, "Si.tersoff"), ["Si"], precision), 1000, 1, 2, 100),
        _ => throw new ArgumentException($"no system {system}; there are lj, eam, sw, tersoff"),
    };

    public static int Run(string[] args)
    {
        string Option(string name, string otherwise) => Array.IndexOf(args, "--" + name) is >= 0 and int at ? args[at + 1] : otherwise;
        double Number(string name, double otherwise) => double.Parse(Option(name, otherwise.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
        int steps = (int)Number("steps", 300), warm = (int)Number("warm", 100), repeat = (int)Number("repeat", 3);
        var system = Make(Option("system", "lj"), Option("precision", "double") == "mixed" ? Precision.Mixed : Precision.Double, Option("potentials", "/usr/share/lammps/potentials"));
        double resident = Environment.WorkingSet;
        int cells = (int)Math.Round(Math.Cbrt(Number("atoms", 32000) / (system.Structure == "fcc" ? 4 : 8)));
        var atoms = Crystal.Create(system.Structure, [system.Species], system.Edge, [cells, cells, cells]);
        Velocities.Maxwell(atoms, system.Temperature, 87287);
        var comm = MpiRuntime.IsLaunchedInParallel ? MpiRuntime.Initialize() : Comm.Self;
        using var team = new ThreadTeam((int)Number("threads", 1));
        int rebuilds = 0, generation = 0;
        var options = new MdOptions { TimeStep = system.Step, Skin = Number("skin", system.Skin), EnergyEvery = system.Thermo };
        var md = new MolecularDynamics(atoms, new ForceField(system.Law), new VelocityVerlet(), options, comm, team);
        var start = md.Measure();
        Print($"{atoms.Count} atoms; energy of the crystal {start.Potential / atoms.Count:F10} eV per atom; {md.Description}");
        md.Every(system.Thermo, run => run.Measure());
        md.Run(warm);
        for (int r = 0; r < repeat; r++)
        {
            generation = md.Domain.Generation;
            long allocated = GC.GetAllocatedBytesForCurrentThread(), begin = Stopwatch.GetTimestamp();
            md.Run(steps);
            double ns = Stopwatch.GetElapsedTime(begin).TotalNanoseconds / steps / atoms.Count;
            rebuilds = md.Domain.Generation - generation;
            Print($"{ns:F2} ns/atom-step; {rebuilds} rebuilds in {steps} steps; {GC.GetAllocatedBytesForCurrentThread() - allocated} bytes allocated");
        }
        var end = md.Measure();
        Print($"total energy {start.Total / atoms.Count:F6} -> {end.Total / atoms.Count:F6} eV per atom; {(Environment.WorkingSet - resident) / atoms.Count:F0} bytes of memory per atom");
        MpiRuntime.Shutdown();
        return 0;

        void Print(FormattableString text)
        {
            if (comm.IsRoot) Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
        }
    }
}
