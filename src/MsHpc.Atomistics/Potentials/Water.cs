using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>A rigid model of water with charges on three sites and Lennard-Jones between the oxygens.</summary>
/// <param name="Name">Name and source.</param>
/// <param name="OH">Distance O–H, Å.</param>
/// <param name="Angle">Angle H–O–H, degrees.</param>
/// <param name="ChargeH">Charge of H, e; O has −2 of it.</param>
/// <param name="Epsilon">ε of O–O, eV.</param>
/// <param name="Sigma">σ of O–O, Å.</param>
public sealed record Water(string Name, double OH, double Angle, double ChargeH, double Epsilon, double Sigma)
{
    /// <summary>1 kJ/mol, eV.</summary>
    private const double KilojoulePerMole = 1e3 / (Codata.Avogadro * Codata.ElementaryCharge);

    /// <summary>TIP3P without Lennard-Jones on hydrogen; ε and σ as in the force-field files of Amber and GROMACS (0.1521 kcal/mol; the paper's A and C give 0.15207 and 3.1506 Å).</summary>
    public static Water Tip3p { get; } = new("TIP3P (J. Chem. Phys. 79, 926)", 0.9572, 104.52, 0.417, 0.1521 * 4.184 * KilojoulePerMole, 3.15061);

    /// <summary>SPC/E; ε and σ from the paper's A and B.</summary>
    public static Water SpcE { get; } = new("SPC/E (J. Phys. Chem. 91, 6269)", 1, 109.47122063449069, 0.4238, 0.650194 * KilojoulePerMole, 3.16557);

    /// <summary>Distance H–H, Å.</summary>
    public double HH => 2 * OH * Math.Sin(0.5 * Angle * Math.PI / 180);

    /// <summary>Lennard-Jones parameters of types 0 (O) and 1 (H).</summary>
    /// <param name="cutoff">Å.</param>
    public Func<int, int, LennardJonesPair> LennardJones(double cutoff) => (i, j) => new(i == 0 && j == 0 ? Epsilon : 0, Sigma, cutoff);

    /// <summary>Constraints and exclusions of molecules O, H, H, one after the other, from atom <paramref name="first"/> on.</summary>
    public void Add(Topology topology, int first, int molecules)
    {
        for (int o = first; o < first + 3 * molecules; o += 3)
        {
            topology.Constraints.AddRange([(o, o + 1, OH), (o, o + 2, OH), (o + 1, o + 2, HH)]);
            topology.Scaled.AddRange([(o, o + 1, 0, 0), (o, o + 2, 0, 0), (o + 1, o + 2, 0, 0)]);
        }
    }

    /// <summary>Molecules at the points of a cubic lattice, turned at random: a start for equilibration. With topology, charges and molecules.</summary>
    /// <param name="a">Molecules along x.</param>
    /// <param name="b">Along y.</param>
    /// <param name="c">Along z.</param>
    /// <param name="seed">Seed of the orientations.</param>
    /// <param name="density">g/cm³.</param>
    public Atoms Box(int a, int b, int c, ulong seed, double density = 0.997)
    {
        if (a < 1 || b < 1 || c < 1 || !(density > 0)) throw new InputException($"water: {a} × {b} × {c} molecules at {density} g/cm³; all must be positive");
        Species[] species = [new("O", 15.9994), new("H", 1.008)];
        int molecules = a * b * c;
        double edge = Math.Cbrt((species[0].Mass + 2 * species[1].Mass) * Codata.AtomicMass * 1e3 / density * 1e24);
        var x = new double[9 * molecules];
        var topology = new Topology();
        Add(topology, 0, molecules);
        var atoms = new Atoms(species, [.. Enumerable.Range(0, 3 * molecules).Select(i => i % 3 == 0 ? 0 : 1)], x, Cell.Box(a * edge, b * edge, c * edge))
        {
            Topology = topology,
            Molecules = [.. Enumerable.Range(0, 3 * molecules).Select(i => i / 3 + 1)],
        };
        double height = Math.Sqrt(OH * OH - 0.25 * HH * HH);
        for (int m = 0; m < molecules; m++)
        {
            var random = new Philox(seed, m, 0);
            // A random unit quaternion's first two columns: along H–H, and from O to their middle.
            double[] q = [random.NextNormal(), random.NextNormal(), random.NextNormal(), random.NextNormal()];
            double n = Math.Sqrt(q.Sum(v => v * v));
            for (int k = 0; k < 4; k++) q[k] /= n;
            double[] u = [1 - 2 * (q[2] * q[2] + q[3] * q[3]), 2 * (q[1] * q[2] + q[0] * q[3]), 2 * (q[1] * q[3] - q[0] * q[2])];
            double[] v = [2 * (q[1] * q[2] - q[0] * q[3]), 1 - 2 * (q[1] * q[1] + q[3] * q[3]), 2 * (q[2] * q[3] + q[0] * q[1])];
            int[] cell = [m % a, m / a % b, m / a / b];
            for (int k = 0; k < 3; k++)
            {
                double o = (cell[k] + 0.5) * edge;
                x[9 * m + k] = o;
                x[9 * m + 3 + k] = o + height * v[k] + 0.5 * HH * u[k];
                x[9 * m + 6 + k] = o + height * v[k] - 0.5 * HH * u[k];
            }
            (atoms.Charges[3 * m], atoms.Charges[3 * m + 1], atoms.Charges[3 * m + 2]) = (-2 * ChargeH, ChargeH, ChargeH);
        }
        return atoms;
    }
}
