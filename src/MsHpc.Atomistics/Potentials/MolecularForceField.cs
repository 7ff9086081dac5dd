using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>Puts a molecular force field together.</summary>
public static class MolecularForceField
{
    /// <summary>A cutoff that holds all pairs of what does not repeat, Å: longer than any molecule, shorter than the way to padding.</summary>
    public const double NoCutoff = 1e6;

    /// <summary>
    /// All terms of the atoms' topology that have entries, in the order bonds, angles, dihedrals, impropers, scaled pairs, then Lennard-Jones and
    /// Coulomb. Constraints are the integrator's business.
    /// </summary>
    /// <param name="atoms">Atoms with topology, types, charges.</param>
    /// <param name="lennardJones">A, eV Å¹², and B, eV Å⁶, of types (i, j), i ≤ j: E = A/r¹² − B/r⁶. From ε, σ by <see cref="Mixed"/>.</param>
    /// <param name="cutoff">Of Lennard-Jones, Å; <see cref="NoCutoff"/> or more for all pairs of a molecule in vacuum; 0 when <paramref name="coulomb"/> contains it.</param>
    /// <param name="coulomb">Coulomb between all pairs that are not excluded (Ewald's parts, damped shifted force, plain); empty: no charges.</param>
    /// <param name="truncation">What happens to Lennard-Jones at the cutoff.</param>
    /// <param name="coulombConstant">k_e of the scaled pairs, eV Å/e². Give what <paramref name="coulomb"/> uses.</param>
    /// <exception cref="InputException">No topology, an infinite cutoff where the cell repeats, parameters that do not fit.</exception>
    public static ForceField FromTopology(Atoms atoms, Func<int, int, (double A, double B)> lennardJones, double cutoff, IReadOnlyList<Interaction>? coulomb = null,
        Truncation truncation = Truncation.Cut, double coulombConstant = Codata.CoulombInEvAngstrom)
    {
        var topology = atoms.Topology ?? throw new InputException("a molecular force field needs atoms with a topology: bonds, angles, dihedrals");
        coulomb ??= [];
        cutoff = Math.Min(cutoff, NoCutoff);
        if (atoms.Cell.IsPeriodic && (cutoff == NoCutoff || coulomb.Any(c => c.Cutoff == NoCutoff)))
            throw new InputException("an infinite cutoff needs a cell that does not repeat; give a cutoff, or switch the periodic directions off");
        double reach = Reach(atoms, topology);
        List<Interaction> terms = [];
        if (topology.Bonds.Count > 0) terms.Add(Bonds.Create(topology, reach));
        if (topology.Angles.Count > 0) terms.Add(Angles.Create(topology, reach));
        if (topology.Dihedrals.Count > 0) terms.Add(Dihedrals.Create(topology, reach));
        if (topology.Impropers.Count > 0) terms.Add(Impropers.Create(topology, reach));
        if (topology.Scaled.Any(s => s.Coulomb != 0 || s.LennardJones != 0))
            terms.Add(ScaledPairs.Create(atoms, lennardJones, coulomb.Count == 0 ? 0 : coulombConstant, reach));
        if (cutoff != 0)
            terms.Add(LennardJones.Create(atoms.Species.Count, (i, j) => lennardJones(i, j) is var (a, b) && (a != 0 || b != 0) ? (a, b, cutoff) : (0, 0, 0), truncation));
        return new ForceField([.. terms, .. coulomb]);
    }

    /// <summary>A and B by Lorentz–Berthelot mixing of each type's ε, eV, and σ, Å.</summary>
    public static Func<int, int, (double A, double B)> Mixed(IReadOnlyList<(double Epsilon, double Sigma)> types) => (i, j) =>
    {
        double s6 = Math.Pow(0.5 * (types[i].Sigma + types[j].Sigma), 6), e = Math.Sqrt(types[i].Epsilon * types[j].Epsilon);
        return (4 * e * s6 * s6, 4 * e * s6);
    };

    /// <summary>Half more than the largest distance now from the first atom of a term to another of its atoms, Å.</summary>
    private static double Reach(Atoms atoms, Topology t)
    {
        double reach = 0;
        foreach (var (i, j, _) in t.Bonds) Chain([i, j]);
        foreach (var (i, j, k, _) in t.Angles) Chain([i, j, k]);
        foreach (var (i, j, k, l, _) in t.Dihedrals) Chain([i, j, k, l]);
        foreach (var (i, j, k, l, _) in t.Impropers) Chain([i, j, k, l]);
        foreach (var (i, j, coulomb, lj) in t.Scaled) if (coulomb != 0 || lj != 0) Chain([i, j]);
        return 1.5 * reach;

        void Chain(ReadOnlySpan<int> chain)
        {
            double x = 0, y = 0, z = 0;
            for (int a = 1; a < chain.Length; a++)
            {
                int i = chain[a - 1], j = chain[a];
                if ((uint)i >= (uint)atoms.Count || (uint)j >= (uint)atoms.Count) throw new InputException($"a bonded term of atoms {i + 1} and {j + 1}: there are {atoms.Count} atoms");
                double[] r = atoms.Positions;
                var (dx, dy, dz) = Nearest(atoms.Cell, r[3 * j] - r[3 * i], r[3 * j + 1] - r[3 * i + 1], r[3 * j + 2] - r[3 * i + 2]);
                (x, y, z) = (x + dx, y + dy, z + dz);
                reach = Math.Max(reach, Math.Sqrt(x * x + y * y + z * z));
            }
        }
    }

    /// <summary>The shortest of a vector's images.</summary>
    internal static (double X, double Y, double Z) Nearest(Cell cell, double x, double y, double z)
    {
        var (ox, oy, oz) = (cell.Origin[0], cell.Origin[1], cell.Origin[2]);
        var (s0, s1, s2) = cell.Fractional(ox + x, oy + y, oz + z);
        var (a, b, c) = (cell.Periodic[0] ? 1 : 0, cell.Periodic[1] ? 1 : 0, cell.Periodic[2] ? 1 : 0);
        var (n0, n1, n2) = (a * (int)Math.Round(s0), b * (int)Math.Round(s1), c * (int)Math.Round(s2));
        (double X, double Y, double Z) best = (x, y, z);
        double least = double.PositiveInfinity;
        for (int i = -a; i <= a; i++)
            for (int j = -b; j <= b; j++)
                for (int k = -c; k <= c; k++)
                {
                    var (sx, sy, sz) = cell.Shift(n0 + i, n1 + j, n2 + k);
                    double dx = x - sx, dy = y - sy, dz = z - sz, d = dx * dx + dy * dy + dz * dz;
                    if (d < least) (least, best) = (d, (dx, dy, dz));
                }
        return best;
    }
}
