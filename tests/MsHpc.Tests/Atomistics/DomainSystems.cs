using MsHpc.Atomistics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Atomistics.Potentials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Tests.Atomistics;

/// <summary>Random systems, and small programs on them, for the tests of <see cref="Domain"/>.</summary>
internal static unsafe class DomainSystems
{
    public static string[] Names => ["ortho", "triclinic", "slab", "wire", "cluster", "tiny", "needle", "one", "half", "outside"];

    public static Atoms Make(string name)
    {
        bool[] all = [true, true, true];
        return name switch
        {
            "ortho" => Fill(Cell.Box(11, 12, 13), 8),
            "triclinic" => Fill(new Cell([10, 0, 0, 3, 9, 0, -4, 3, 8], all, [1, -2, 3]), 6),
            "slab" => Fill(Cell.Box(9, 10, 14, [true, true, false]), 7),
            "wire" => Fill(new Cell([8, 0, 0, 1, 7, 0, 1, 2, 9], [false, false, true]), 5),
            "cluster" => Fill(Cell.Box(10, 10, 10, [false, false, false]), 5),
            // Much smaller than the cutoff: many images, many hops, and more boxes than room.
            "tiny" => Fill(new Cell([2.2, 0, 0, 0.4, 2.1, 0, 0.3, -0.5, 2.4], all), 2),
            "needle" => Fill(Cell.Box(1.2, 1.3, 30), 1, 26),
            "one" => Fill(Cell.Box(1.1, 1.2, 1.3), 1),
            "half" => Half(),
            "outside" => Outside(),
            _ => throw new ArgumentException(name),
        };
    }

    /// <summary>A disturbed lattice with m points along each direction.</summary>
    private static Atoms Fill(Cell cell, int m, int along = 0)
    {
        var random = new Random(m);
        int mz = along > 0 ? along : m;
        var positions = new List<double>();
        for (int i = 0; i < m; i++)
            for (int j = 0; j < m; j++)
                for (int k = 0; k < mz; k++)
                {
                    var (x, y, z) = cell.Cartesian((i + 0.2 * random.NextDouble()) / m, (j + 0.2 * random.NextDouble()) / m, (k + 0.2 * random.NextDouble()) / mz);
                    positions.AddRange([x, y, z]);
                }
        var atoms = new Atoms([new Species("A", 1), new Species("B", 2)], [.. Enumerable.Range(0, m * m * mz).Select(i => i % 3 == 0 ? 1 : 0)], [.. positions], cell);
        for (int k = 0; k < atoms.Velocities.Length; k++) atoms.Velocities[k] = 3 * (random.NextDouble() - 0.5);
        return atoms;
    }

    private static Atoms Half()
    {
        var atoms = Fill(Cell.Box(20, 10, 10), 9);
        for (int i = 0; i < atoms.Count; i++) atoms.Positions[3 * i] *= 0.5;
        return atoms;
    }

    /// <summary>Atoms far from the paper size of a cell that does not repeat, and one in the middle of nowhere.</summary>
    private static Atoms Outside()
    {
        var atoms = Fill(Cell.Box(10, 10, 10, [false, false, false]), 4);
        for (int i = 0; i < atoms.Count; i++) atoms.Positions[3 * i] += 100;
        atoms.Positions[0] = -300;
        return atoms;
    }

    /// <summary>Three atoms each, joined by constraints, with random places and directions.</summary>
    public static Atoms Molecules(bool triclinic)
    {
        var cell = triclinic ? new Cell([20, 0, 0, 6, 18, 0, -5, 4, 17]) : Cell.Box(20, 18, 19);
        const int Count = 300;
        var random = new Random(1);
        var positions = new double[9 * Count];
        var topology = new Topology();
        topology.BondTypes.Add(new Topology.BondType(1, 1));
        for (int m = 0; m < Count; m++)
        {
            var (x, y, z) = cell.Cartesian(random.NextDouble(), random.NextDouble(), random.NextDouble());
            int a = random.Next(3), b = (a + 1) % 3;
            for (int i = 0; i < 3; i++) (positions[9 * m + 3 * i], positions[9 * m + 3 * i + 1], positions[9 * m + 3 * i + 2]) = (x, y, z);
            positions[9 * m + 3 + a] += 1;
            positions[9 * m + 6 + b] += 1;
            topology.Constraints.Add((3 * m, 3 * m + 1, 1));
            topology.Constraints.Add((3 * m, 3 * m + 2, 1));
            topology.Bonds.Add((3 * m, 3 * m + 1, 0));
            topology.Angles.Add((3 * m + 1, 3 * m, 3 * m + 2, 0));
        }
        return new Atoms([new Species("A", 1)], new int[3 * Count], positions, cell) { Topology = topology };
    }

    private static LennardJonesPair Pair(int i, int j) => (i, j) switch { (0, 0) => new(1, 1, 2.5), (0, 1) => new(1.3, 0.9, 2.2), _ => new(0.7, 0.8, 2) };

    private static ForceField Field => new(LennardJones.Create(2, Pair));

    /// <summary>Energy, virial, forces; from cluster pairs by Lennard-Jones, from the other lists by a smooth repulsion that is written here.</summary>
    public static double[] Evaluate(Atoms atoms, ListKind lists, Comm comm, (int, int, int)? grid)
    {
        var domain = new Domain(atoms, 2.5, 0.3, lists, comm, grid: grid);
        var result = new double[7 + 3 * atoms.Count];
        Tally tally;
        if (lists == ListKind.Clusters) tally = Field.Compute(domain, Want.Virial);
        else tally = new ForceField(new Smooth(lists)).Compute(domain, Want.Virial);
        result[0] = tally.Energy;
        for (int k = 0; k < 6; k++) result[1 + k] = tally.Virial[k];
        domain.StoreForces(result.AsSpan(7));
        return result;
    }

    /// <summary>Largest difference of energies, virials, forces, each relative to the largest of its kind.</summary>
    public static double Differ(double[] a, double[] b)
    {
        double Part(int begin, int end)
        {
            double most = 0, size = 1e-300;
            for (int k = begin; k < end; k++) (most, size) = (Math.Max(most, Math.Abs(a[k] - b[k])), Math.Max(size, Math.Abs(a[k])));
            return double.IsNaN(most) ? double.NaN : most / size;
        }
        return Math.Max(Part(0, 1), Math.Max(Part(1, 7), Part(7, a.Length)));
    }

    /// <summary>φ = (1 − r²/c²)³, from a half or a full list.</summary>
    private sealed class Smooth(ListKind lists) : Interaction
    {
        public override string Description => "test";
        public override double Cutoff => 2.5;
        public override ListKind Lists => lists;

        public override void Compute(Domain d, Want want, ref Tally tally)
        {
            var list = lists == ListKind.Half ? d.Half : d.Full;
            double weight = lists == ListKind.Half ? 1 : 0.5;
            for (int i = 0; i < d.OwnedSlots; i++)
                for (int k = list.Start[i]; k < list.Start[i + 1]; k++)
                {
                    int j = list.Index[k], a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
                    if (d.Tag[j] < 0) continue;
                    double dx = d.X[a] - d.X[b], dy = d.X[a + 8] - d.X[b + 8], dz = d.X[a + 16] - d.X[b + 16], u = 1 - (dx * dx + dy * dy + dz * dz) / 6.25;
                    if (u <= 0) continue;
                    tally.Energy += weight * u * u * u;
                    double s = weight * 6 * u * u / 6.25;
                    (d.F[a], d.F[a + 8], d.F[a + 16]) = (d.F[a] + s * dx, d.F[a + 8] + s * dy, d.F[a + 16] + s * dz);
                    (d.F[b], d.F[b + 8], d.F[b + 16]) = (d.F[b] - s * dx, d.F[b + 8] - s * dy, d.F[b + 16] - s * dz);
                }
        }
    }

    public static double[] PerAtom(Atoms atoms, Comm comm)
    {
        var field = Field;
        var domain = new Domain(atoms, 2.5, 0.3, field.Lists, comm);
        field.Compute(domain, Want.PerAtom);
        var values = new double[7 * atoms.Count];
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int i = domain.Tag[s];
            if (i < 0) continue;
            values[7 * i] = domain.AtomEnergy[s];
            for (int k = 0; k < 6; k++) values[7 * i + 1 + k] = domain.AtomVirial[6 * s + k];
        }
        comm.AllReduceSum(values);
        return values;
    }

    public static double[] Forces(Domain domain)
    {
        Field.Compute(domain, Want.Forces);
        var forces = new double[3 * domain.AtomCount];
        domain.StoreForces(forces);
        return forces;
    }

    /// <summary>Velocity Verlet with a fresh start; the time step is short.</summary>
    public static Atoms Run(Atoms start, int steps, Comm comm, (int, int, int)? grid, out int rebuilds, out bool complete)
    {
        const double Step = 0.002;
        var field = Field;
        var domain = new Domain(start, 2.5, 0.1, field.Lists, comm, grid: grid);
        field.Compute(domain, Want.Forces);
        rebuilds = 0;
        complete = true;
        for (int k = 0; k < steps; k++)
        {
            Kick();
            for (int i = 0; i < 24 * domain.OwnedClusters; i++) domain.X[i] += Step * domain.V[i];
            if (domain.NeedsRebuild())
            {
                domain.Rebuild();
                rebuilds++;
                complete &= Complete(domain);
            }
            else domain.UpdateGhosts();
            field.Compute(domain, Want.Forces);
            Kick();
        }
        var end = new Atoms(start.Species, start.Types, new double[3 * start.Count], start.Cell);
        domain.Store(end);
        return end;

        void Kick()
        {
            for (int s = 0; s < domain.OwnedSlots; s++)
                for (int d = 0; d < 3; d++) domain.V[s / 8 * 24 + 8 * d + s % 8] += 0.5 * Step * domain.F[s / 8 * 24 + 8 * d + s % 8] / domain.Mass[s];
        }
    }

    /// <summary>Adds to the positions of owned atoms.</summary>
    public static void Move(Domain domain, double[] jump)
    {
        for (int s = 0; s < domain.OwnedSlots; s++)
            for (int d = 0; d < 3 && domain.Tag[s] >= 0; d++) domain.X[s / 8 * 24 + 8 * d + s % 8] += jump[3 * domain.Tag[s] + d];
    }

    /// <summary>Whether each atom has one owner. Collective.</summary>
    public static bool Complete(Domain domain)
    {
        var owners = new long[domain.AtomCount];
        int count = 0;
        for (int s = 0; s < domain.OwnedSlots; s++)
            if (domain.Tag[s] >= 0)
            {
                owners[domain.Tag[s]]++;
                count++;
            }
        bool same = count == domain.Owned;
        domain.Comm.AllReduceSum(owners);
        return owners.All(n => n == 1) & domain.Comm.AllOk(same);
    }
}
