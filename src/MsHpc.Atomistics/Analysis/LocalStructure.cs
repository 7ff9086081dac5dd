using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Analysis;

/// <summary>What surrounds an atom, by common-neighbour analysis.</summary>
public enum CrystalStructure
{
    /// <summary>None of the others: surfaces, dislocation cores, liquid.</summary>
    Other,
    /// <summary>Face-centred cubic.</summary>
    Fcc,
    /// <summary>Hexagonal close-packed: also the stacking faults of fcc.</summary>
    Hcp,
    /// <summary>Body-centred cubic.</summary>
    Bcc,
    /// <summary>Icosahedral.</summary>
    Icosahedral,
}

/// <summary>Classification of atoms by their neighbours. All functions take periodic cells of any shape and size.</summary>
public static unsafe class LocalStructure
{
    /// <summary>Number of neighbours within a distance, per atom.</summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="cutoff">Å.</param>
    public static int[] Coordination(Atoms atoms, double cutoff)
    {
        var count = new int[atoms.Count];
        foreach (var (i, near) in Neighbors(atoms, cutoff)) count[i] = near.Count;
        return count;
    }

    /// <summary>
    /// Centro-symmetry parameter, Å²: P = Σ |Rₖ + Rₖ′|² over the N/2 pairs of neighbours, of the N nearest, for which |Rₖ + Rₖ′| is smallest
    /// (Kelchner, Plimpton, Hamilton, Phys. Rev. B 58, 11085, 1998). Zero in a perfect centrosymmetric crystal at any strain; large at defects and surfaces.
    /// </summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="neighbors">N: 12 for fcc, 8 for bcc.</param>
    /// <param name="cutoff">Where the N nearest neighbours are looked for, Å. An atom that has fewer counts as 0.</param>
    public static double[] CentroSymmetry(Atoms atoms, int neighbors, double cutoff)
    {
        if (neighbors < 2 || neighbors % 2 != 0) throw new InputException($"the centro-symmetry parameter needs an even number of neighbours, not {neighbors}");
        var result = new double[atoms.Count];
        var pairs = new List<double>();
        foreach (var (i, near) in Neighbors(atoms, cutoff))
        {
            if (near.Count < neighbors) continue;
            near.Sort((a, b) => a.R2 != b.R2 ? a.R2.CompareTo(b.R2) : a.Tag.CompareTo(b.Tag));
            pairs.Clear();
            for (int a = 0; a < neighbors; a++)
                for (int b = a + 1; b < neighbors; b++)
                {
                    double x = near[a].X + near[b].X, y = near[a].Y + near[b].Y, z = near[a].Z + near[b].Z;
                    pairs.Add(x * x + y * y + z * z);
                }
            pairs.Sort();
            for (int k = 0; k < neighbors / 2; k++) result[i] += pairs[k];
        }
        return result;
    }

    /// <summary>Cutoff of <see cref="CommonNeighbors"/> for a lattice constant a, halfway between the shells: fcc 0.8536 a, bcc 1.207 a, hcp 1.207 a of
    /// its basal a.</summary>
    public static double CommonNeighborCutoff(CrystalStructure structure, double a) => structure switch
    {
        CrystalStructure.Fcc => 0.5 * (Math.Sqrt(0.5) + 1) * a,
        CrystalStructure.Hcp => 0.5 * (1 + Math.Sqrt(2)) * a,
        CrystalStructure.Bcc => 0.5 * (1 + Math.Sqrt(2)) * a,
        _ => throw new InputException($"there is no cutoff for {structure}; give a number"),
    };

    /// <summary>
    /// Common-neighbour analysis (Honeycutt, Andersen, J. Phys. Chem. 91, 4950, 1987; Faken, Jónsson, Comput. Mater. Sci. 2, 279, 1994). Every bond of an
    /// atom has a signature: common neighbours of its ends, bonds among these, longest chain of such bonds. fcc has twelve 421; hcp six 421 and six
    /// 422; icosahedra twelve 555; bcc eight 666 and six 444.
    /// </summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="cutoff">Length below which two atoms are bonded, Å; see <see cref="CommonNeighborCutoff"/>.</param>
    public static CrystalStructure[] CommonNeighbors(Atoms atoms, double cutoff)
    {
        var result = new CrystalStructure[atoms.Count];
        uint[] bonds = new uint[14]; // which neighbours are bonded to each other, as bits: from the vectors themselves, so images need no care
        foreach (var (i, near) in Neighbors(atoms, cutoff))
        {
            int n = near.Count;
            if (n is not (12 or 14)) continue;
            Array.Clear(bonds);
            for (int a = 0; a < n; a++)
                for (int b = a + 1; b < n; b++)
                {
                    double x = near[a].X - near[b].X, y = near[a].Y - near[b].Y, z = near[a].Z - near[b].Z;
                    if (x * x + y * y + z * z >= cutoff * cutoff) continue;
                    bonds[a] |= 1u << b;
                    bonds[b] |= 1u << a;
                }
            int s421 = 0, s422 = 0, s555 = 0, s666 = 0, s444 = 0;
            for (int a = 0; a < n; a++)
            {
                uint common = bonds[a];
                switch (System.Numerics.BitOperations.PopCount(common), Edges(common, bonds), Longest(common, bonds))
                {
                    case (4, 2, 1): s421++; break;
                    case (4, 2, 2): s422++; break;
                    case (5, 5, 5): s555++; break;
                    case (6, 6, 6): s666++; break;
                    case (4, 4, 4): s444++; break;
                }
            }
            result[i] = (n, s421, s422, s555, s666, s444) switch
            {
                (12, 12, _, _, _, _) => CrystalStructure.Fcc,
                (12, 6, 6, _, _, _) => CrystalStructure.Hcp,
                (12, _, _, 12, _, _) => CrystalStructure.Icosahedral,
                (14, _, _, _, 8, 6) => CrystalStructure.Bcc,
                _ => CrystalStructure.Other,
            };
        }
        return result;
    }

    /// <summary>Bonds among the atoms of a set.</summary>
    private static int Edges(uint set, ReadOnlySpan<uint> bonds)
    {
        int twice = 0;
        for (uint rest = set; rest != 0; rest &= rest - 1)
            twice += System.Numerics.BitOperations.PopCount(bonds[System.Numerics.BitOperations.TrailingZeroCount(rest)] & set);
        return twice / 2;
    }

    /// <summary>Bonds of the longest chain: of the largest connected set of bonds, since the sets here are paths and rings.</summary>
    private static int Longest(uint set, ReadOnlySpan<uint> bonds)
    {
        int longest = 0;
        while (set != 0)
        {
            uint part = set & (~set + 1), grown;
            for (; ; part = grown)
            {
                grown = part;
                for (uint rest = part; rest != 0; rest &= rest - 1) grown |= bonds[System.Numerics.BitOperations.TrailingZeroCount(rest)] & set;
                if (grown == part) break;
            }
            longest = Math.Max(longest, Edges(part, bonds));
            set &= ~part;
        }
        return longest;
    }

    private record struct Neighbor(double X, double Y, double Z, double R2, int Tag);

    /// <summary>Vectors from each atom to its neighbours; the list is reused.</summary>
    private static IEnumerable<(int Atom, List<Neighbor> Near)> Neighbors(Atoms atoms, double cutoff)
    {
        if (!(cutoff > 0)) throw new InputException($"a cutoff must be positive, not {cutoff}");
        var domain = Everyone(atoms, cutoff);
        var near = new List<Neighbor>();
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int tag = Collect(domain, s, cutoff, near);
            if (tag >= 0) yield return (tag, near);
        }
    }

    /// <summary>A domain whose lists hold all pairs: those of atoms with a topology leave bonded neighbours out.</summary>
    internal static Domain Everyone(Atoms atoms, double cutoff) => new(new Atoms(atoms.Species, atoms.Types, atoms.Positions, atoms.Cell), cutoff, 0, ListKind.Full);

    private static int Collect(Domain domain, int s, double cutoff, List<Neighbor> near)
    {
        near.Clear();
        double* x = domain.X;
        int at = s / 8 * 24 + s % 8;
        for (int k = domain.Full.Start[s]; k < domain.Full.Start[s + 1]; k++)
        {
            int j = domain.Full.Index[k], b = j / 8 * 24 + j % 8;
            double dx = x[b] - x[at], dy = x[b + 8] - x[at + 8], dz = x[b + 16] - x[at + 16], r2 = dx * dx + dy * dy + dz * dz;
            if (r2 < cutoff * cutoff) near.Add(new Neighbor(dx, dy, dz, r2, domain.Tag[j]));
        }
        return domain.Tag[s];
    }
}
