using MsHpc.Core;

namespace MsHpc.Atomistics;

/// <summary>A kind of atom.</summary>
/// <param name="Symbol">Chemical symbol, or any name.</param>
/// <param name="Mass">u.</param>
public sealed record Species(string Symbol, double Mass);

/// <summary>
/// Atoms as the user sees them: in their own order, whatever the engines do inside. Units Å, fs, u, e.
/// </summary>
public sealed class Atoms
{
    /// <param name="species">Kinds of atoms; <see cref="Types"/> index them from 0.</param>
    /// <param name="types">Kind of each atom.</param>
    /// <param name="positions">x, y, z of each atom, Å: 3·N numbers.</param>
    /// <param name="cell">Cell.</param>
    /// <exception cref="InputException">Lengths that do not fit, a type without species.</exception>
    public Atoms(IReadOnlyList<Species> species, int[] types, double[] positions, Cell cell)
    {
        if (positions.Length != 3 * types.Length) throw new InputException($"{types.Length} atoms need {3 * types.Length} coordinates, there are {positions.Length}");
        for (int i = 0; i < types.Length; i++)
            if ((uint)types[i] >= (uint)species.Count) throw new InputException($"atom {i + 1} has type {types[i] + 1}; there are {species.Count} species");
        (Species, Types, Positions, Cell) = (species, types, positions, cell);
        Count = types.Length;
        Velocities = new double[positions.Length];
        Charges = new double[Count];
        Ids = new long[Count];
        for (int i = 0; i < Count; i++) Ids[i] = i + 1;
    }

    /// <summary>Number of atoms, N.</summary>
    public int Count { get; }

    /// <summary>Kinds of atoms.</summary>
    public IReadOnlyList<Species> Species { get; }

    /// <summary>Kind of each atom, an index into <see cref="Species"/>.</summary>
    public int[] Types { get; }

    /// <summary>3·N, Å. Not wrapped: an atom that leaves through a periodic face keeps its path.</summary>
    public double[] Positions { get; }

    /// <summary>3·N, Å/fs.</summary>
    public double[] Velocities { get; }

    /// <summary>N, e.</summary>
    public double[] Charges { get; }

    /// <summary>N; positive, unique, kept for life.</summary>
    public long[] Ids { get; init; }

    /// <summary>Molecule of each atom, from 1; 0: none. Empty when there are no molecules.</summary>
    public int[] Molecules { get; init; } = [];

    /// <summary>Bonds, angles, dihedrals, exclusions and constraints, by index into the arrays here; null for none.</summary>
    public Topology? Topology { get; init; }

    /// <summary>Named sets of atoms, as indices.</summary>
    public Dictionary<string, int[]> Groups { get; } = [];

    /// <summary>Cell; changes under a barostat or a deformation.</summary>
    public Cell Cell { get; set; }

    /// <summary>Mass of one atom, u.</summary>
    public double Mass(int atom) => Species[Types[atom]].Mass;
}

/// <summary>Who is bonded to whom. Atoms are indices (from 0); the last number of each entry is an index into the matching parameter list.
/// Parameters in eV, Å, radians.</summary>
public sealed class Topology
{
    /// <summary>E = k (r − r₀)² + k₃ (r − r₀)³ + k₄ (r − r₀)⁴ (harmonic: k₃ = k₄ = 0).</summary>
    public sealed record BondType(double K, double R0, double K3 = 0, double K4 = 0);

    /// <summary>E = k (θ − θ₀)².</summary>
    public sealed record AngleType(double K, double Theta0);

    /// <summary>E = k (1 + cos(n φ − δ)).</summary>
    public sealed record DihedralType(double K, int N, double Delta);

    /// <summary>E = k (χ − χ₀)², χ the improper angle of LAMMPS' improper_style harmonic.</summary>
    public sealed record ImproperType(double K, double Chi0);

    /// <summary>Bond types.</summary>
    public List<BondType> BondTypes { get; } = [];

    /// <summary>Angle types.</summary>
    public List<AngleType> AngleTypes { get; } = [];

    /// <summary>Dihedral types, proper ones and impropers of the cosine form (Amber).</summary>
    public List<DihedralType> DihedralTypes { get; } = [];

    /// <summary>Improper types of the harmonic form.</summary>
    public List<ImproperType> ImproperTypes { get; } = [];

    /// <summary>(i, j, type).</summary>
    public List<(int I, int J, int Type)> Bonds { get; } = [];

    /// <summary>(i, j, k, type), j the vertex.</summary>
    public List<(int I, int J, int K, int Type)> Angles { get; } = [];

    /// <summary>(i, j, k, l, type); several entries for one chain add up (a Fourier series).</summary>
    public List<(int I, int J, int K, int L, int Type)> Dihedrals { get; } = [];

    /// <summary>(i, j, k, l, type).</summary>
    public List<(int I, int J, int K, int L, int Type)> Impropers { get; } = [];

    /// <summary>Pairs (i &lt; j) whose non-bonded interaction is scaled: 0 for exclusions (1–2, 1–3), e.g. 1/1.2 and 1/2 for 1–4 pairs of Amber.</summary>
    public List<(int I, int J, double Coulomb, double LennardJones)> Scaled { get; } = [];

    /// <summary>Distances held fixed (SHAKE), Å. Rigid water has three.</summary>
    public List<(int I, int J, double Distance)> Constraints { get; } = [];
}
