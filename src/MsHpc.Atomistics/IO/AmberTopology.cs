using MsHpc.Core;

namespace MsHpc.Atomistics.IO;

/// <summary>Which distances of an Amber topology are held fixed instead of vibrating.</summary>
public enum AmberConstraints
{
    /// <summary>None.</summary>
    None,
    /// <summary>Water molecules are rigid.</summary>
    Water,
    /// <summary>Rigid water, and every bond to hydrogen.</summary>
    Hydrogens,
}

/// <summary>
/// A molecular force field and topology as an Amber parameter file has it (prmtop, parm7; ambermd.org/prmtop.pdf), in eV, Å, e, radians:
/// <code>
/// E = Σ k (r − r₀)² + Σ k (θ − θ₀)² + Σ k (1 + cos(n φ − δ)) + Σ (A/r¹² − B/r⁶) + k_e Σ qᵢ qⱼ/r
/// </code>
/// Non-bonded pairs of the excluded list are left out; the ends of dihedrals marked for 1–4 interactions get them divided by SCEE (Coulomb, 1.2 by
/// default) and SCNB (Lennard-Jones, 2 by default). A negative third atom of a dihedral means no 1–4 interaction, a negative fourth an improper.
/// Charges are stored times 18.2223. Refused: CHARMM (chamber) files, CMAP, 10–12 and 12-6-4 terms, polarisability, extra points, water caps, perturbations.
/// </summary>
public sealed class AmberTopology
{
    private const double ChargeUnit = 18.2223;

    // 1 kcal/mol in eV
    private static readonly double s_kcal = 4184 / (Codata.Avogadro * Codata.ElementaryCharge);

    private readonly string _path;
    private readonly double[] _charges;
    private readonly int[] _types;
    private readonly List<Species> _species = [];
    private readonly List<int> _ljTypes = [];
    private readonly (double A, double B)[,] _lennardJones;
    private readonly double[]? _box;
    private readonly bool _periodic;

    /// <summary>Bonds, angles, dihedrals, excluded and scaled pairs.</summary>
    public Topology Topology { get; } = new();

    /// <summary>Number of atoms.</summary>
    public int Count => _types.Length;

    /// <summary>Name of each atom within its residue.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Residue of each atom, from 0.</summary>
    public IReadOnlyList<int> Residues { get; }

    /// <summary>Name of each residue.</summary>
    public IReadOnlyList<string> ResidueNames { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">What the file lacks, or has and is not supported, with its line.</exception>
    public static AmberTopology Read(string path) => new(path);

    private AmberTopology(string path)
    {
        _path = path;
        var file = new AmberFile(path);
        Refuse(file);
        int[] p = file.Integers("POINTERS", 30);
        int n = p[0], types = p[1], residues = p[11];
        if (n < 1 || types < 1) throw file.Fault("POINTERS", $"{n} atoms of {types} types");
        if (p[20] != 0) throw file.Fault("POINTERS", "a perturbed topology (IFPERT) is not supported");
        if (p[29] != 0) throw file.Fault("POINTERS", "a water cap (IFCAP) is not supported");
        // Old files have 30 numbers.
        if (file.Count("POINTERS") > 30 && file.Integers("POINTERS", 31)[30] > 0) throw file.Fault("POINTERS", "extra points (NUMEXTRA, e.g. TIP4P) are not supported");

        _charges = [.. file.Reals("CHARGE", n).Select(q => q / ChargeUnit)];
        double[] masses = file.Reals("MASS", n);
        int[] lj = file.Integers("ATOM_TYPE_INDEX", n);
        for (int i = 0; i < n; i++)
        {
            if (lj[i] < 1 || lj[i] > types) throw file.Fault(file.Line("ATOM_TYPE_INDEX", i), $"atom {i + 1} has type {lj[i]}; there are {types}");
            if (!(masses[i] > 0)) throw file.Fault(file.Line("MASS", i), $"atom {i + 1} has mass {masses[i]}");
        }
        int[]? numbers = file.Has("ATOMIC_NUMBER") ? file.Integers("ATOMIC_NUMBER", n) : null;
        Names = file.Words("ATOM_NAME", n);
        ResidueNames = file.Words("RESIDUE_LABEL", residues);
        int[] firsts = file.Integers("RESIDUE_POINTER", residues), residue = new int[n];
        for (int i = 0, r = -1; i < n; i++)
        {
            while (r + 1 < residues && firsts[r + 1] <= i + 1) r++;
            residue[i] = Math.Max(r, 0);
        }
        Residues = residue;

        // A species is what differs in mass, element or Lennard-Jones type.
        _types = new int[n];
        Dictionary<(string, double, int), int> known = [];
        for (int i = 0; i < n; i++)
        {
            string symbol = (numbers is null ? null : Elements.Symbol(numbers[i])) ?? Element(masses[i]);
            if (!known.TryGetValue((symbol, masses[i], lj[i]), out int species))
            {
                known.Add((symbol, masses[i], lj[i]), species = _species.Count);
                _species.Add(new Species(symbol, masses[i]));
                _ljTypes.Add(lj[i] - 1);
            }
            _types[i] = species;
        }
        _lennardJones = Coefficients(file, types, p[19]);
        Bonded(file, p, n);
        Pairs(file, p, n);
        _periodic = p[27] > 0;
        if (_periodic && file.Has("BOX_DIMENSIONS"))
        {
            double[] box = file.Reals("BOX_DIMENSIONS", 4); // β, a, b, c
            _box = p[27] == 2 ? [box[1], box[2], box[3], box[0], box[0], box[0]] : [box[1], box[2], box[3], 90, box[0], 90];
        }
    }

    private static void Refuse(AmberFile file)
    {
        foreach (var (prefix, what) in new[]
        {
            ("CTITLE", "a CHARMM (chamber) topology"), ("CHARMM_", "a CHARMM (chamber) topology"), ("FORCE_FIELD_TYPE", "a CHARMM (chamber) topology"),
            ("CMAP", "a CMAP correction (ff19SB)"), ("LENNARD_JONES_CCOEF", "a 12-6-4 Lennard-Jones term"), ("LENNARD_JONES_14_", "a table of 1-4 Lennard-Jones coefficients (chamber)"),
            ("AMOEBA", "an AMOEBA topology"),
        })
            if (file.First(prefix) is { } name) throw file.Fault(name, $"{what} (section {name}) is not supported");
        if (file.Has("IPOL") && file.Integers("IPOL", 1)[0] != 0) throw file.Fault("IPOL", "polarisable force fields (IPOL) are not supported");
    }

    /// <summary>The tables of A and B through the index ICO of pairs of types.</summary>
    private static (double, double)[,] Coefficients(AmberFile file, int types, int hydrogenBonds)
    {
        int entries = types * (types + 1) / 2;
        int[] ico = file.Integers("NONBONDED_PARM_INDEX", types * types);
        double[] a = file.Reals("LENNARD_JONES_ACOEF", entries), b = file.Reals("LENNARD_JONES_BCOEF", entries);
        double[] ha = hydrogenBonds > 0 ? file.Reals("HBOND_ACOEF", hydrogenBonds) : [], hb = hydrogenBonds > 0 ? file.Reals("HBOND_BCOEF", hydrogenBonds) : [];
        var table = new (double, double)[types, types];
        for (int i = 0; i < types; i++)
            for (int j = 0; j < types; j++)
            {
                int at = i * types + j, k = ico[at];
                if (k > 0 && k <= entries) { table[i, j] = (a[k - 1] * s_kcal, b[k - 1] * s_kcal); continue; }
                // Negative: a 10-12 term; files of newer force fields have such entries with zero coefficients.
                if (k >= 0 || -k > hydrogenBonds) throw file.Fault(file.Line("NONBONDED_PARM_INDEX", at), $"the index of types {i + 1} and {j + 1} is {k}; there are {entries} Lennard-Jones pairs");
                if (ha[-k - 1] != 0 || hb[-k - 1] != 0) throw file.Fault(file.Line("NONBONDED_PARM_INDEX", at), $"a 10-12 hydrogen bond term between types {i + 1} and {j + 1} is not supported");
            }
        for (int i = 0; i < types; i++)
            for (int j = 0; j < i; j++)
                if (table[i, j] != table[j, i]) throw file.Fault(file.Line("NONBONDED_PARM_INDEX", i * types + j), $"types {i + 1} and {j + 1} have other coefficients than {j + 1} and {i + 1}");
        return table;
    }

    private void Bonded(AmberFile file, int[] p, int n)
    {
        double[] k = file.Reals("BOND_FORCE_CONSTANT", p[15]), r0 = file.Reals("BOND_EQUIL_VALUE", p[15]);
        for (int t = 0; t < p[15]; t++) Topology.BondTypes.Add(new Topology.BondType(k[t] * s_kcal, r0[t]));
        double[] ka = file.Reals("ANGLE_FORCE_CONSTANT", p[16]), theta = file.Reals("ANGLE_EQUIL_VALUE", p[16]);
        for (int t = 0; t < p[16]; t++) Topology.AngleTypes.Add(new Topology.AngleType(ka[t] * s_kcal, theta[t]));
        double[] kd = file.Reals("DIHEDRAL_FORCE_CONSTANT", p[17]), waves = file.Reals("DIHEDRAL_PERIODICITY", p[17]), phase = file.Reals("DIHEDRAL_PHASE", p[17]);
        for (int t = 0; t < p[17]; t++) Topology.DihedralTypes.Add(new Topology.DihedralType(kd[t] * s_kcal, (int)Math.Round(Math.Abs(waves[t])), phase[t]));
        foreach (var (name, count) in new[] { ("BONDS_INC_HYDROGEN", p[2]), ("BONDS_WITHOUT_HYDROGEN", p[12]) })
            foreach (var (a, type) in Entries(file, name, count, 2, n, p[15])) Topology.Bonds.Add((a[0], a[1], type));
        foreach (var (name, count) in new[] { ("ANGLES_INC_HYDROGEN", p[4]), ("ANGLES_WITHOUT_HYDROGEN", p[13]) })
            foreach (var (a, type) in Entries(file, name, count, 3, n, p[16])) Topology.Angles.Add((a[0], a[1], a[2], type));
    }

    /// <summary>Dihedrals, the 1–4 pairs at their ends, and the excluded pairs.</summary>
    private void Pairs(AmberFile file, int[] p, int n)
    {
        double[] scee = file.Has("SCEE_SCALE_FACTOR") ? file.Reals("SCEE_SCALE_FACTOR", p[17]) : [.. Enumerable.Repeat(1.2, p[17])];
        double[] scnb = file.Has("SCNB_SCALE_FACTOR") ? file.Reals("SCNB_SCALE_FACTOR", p[17]) : [.. Enumerable.Repeat(2.0, p[17])];
        SortedDictionary<(int, int), (double Coulomb, double LennardJones)> scaled = [];
        foreach (var (name, count) in new[] { ("DIHEDRALS_INC_HYDROGEN", p[6]), ("DIHEDRALS_WITHOUT_HYDROGEN", p[14]) })
            foreach (var (a, type) in Entries(file, name, count, 4, n, p[17]))
            {
                int i = a[0], j = a[1], k = Math.Abs(a[2]), l = Math.Abs(a[3]);
                Topology.Dihedrals.Add((i, j, k, l, type));
                if (a[2] < 0 || a[3] < 0) continue;
                // A factor of 0 means none; two chains with the same ends count twice, as in Amber (LEaP marks all but one).
                var pair = (Math.Min(i, l), Math.Max(i, l));
                var (c, v) = scaled.GetValueOrDefault(pair);
                scaled[pair] = (c + (scee[type] == 0 ? 0 : 1 / scee[type]), v + (scnb[type] == 0 ? 0 : 1 / scnb[type]));
            }
        int[] counts = file.Integers("NUMBER_EXCLUDED_ATOMS", n), list = file.Integers("EXCLUDED_ATOMS_LIST", p[10]);
        for (int i = 0, at = 0; i < n; i++)
            for (int c = 0; c < counts[i]; c++, at++)
            {
                if (at >= list.Length) throw file.Fault("NUMBER_EXCLUDED_ATOMS", $"more excluded atoms are counted than the {list.Length} of EXCLUDED_ATOMS_LIST");
                int j = list[at] - 1; // 0 in the file: none
                if (j >= n || (j >= 0 && j == i)) throw file.Fault(file.Line("EXCLUDED_ATOMS_LIST", at), $"atom {i + 1} excludes atom {j + 1}; there are {n}");
                if (j >= 0) scaled.TryAdd((Math.Min(i, j), Math.Max(i, j)), (0, 0));
            }
        foreach (var ((i, j), (c, v)) in scaled) Topology.Scaled.Add((i, j, c, v));
    }

    /// <summary>Entries of a section: atoms as 3·index (negative ones keep their sign), then a type from 1.</summary>
    private static IEnumerable<(int[] Atoms, int Type)> Entries(AmberFile file, string name, int count, int atoms, int n, int types)
    {
        int[] numbers = file.Integers(name, count * (atoms + 1));
        for (int e = 0; e < count; e++)
        {
            int at = e * (atoms + 1), type = numbers[at + atoms] - 1;
            var found = new int[atoms];
            for (int a = 0; a < atoms; a++)
            {
                int value = numbers[at + a], i = value / 3;
                if (value % 3 != 0 || Math.Abs(i) >= n || (i < 0 && (atoms < 4 || a < 2)))
                    throw file.Fault(file.Line(name, at + a), $"{name}: {value} is no atom; atoms are 0, 3, 6 … {3 * (n - 1)}");
                found[a] = i;
            }
            if (found.Select(Math.Abs).Distinct().Count() < atoms) throw file.Fault(file.Line(name, at), $"{name}: entry {e + 1} has an atom twice");
            if ((uint)type >= (uint)types) throw file.Fault(file.Line(name, at + atoms), $"{name}: type {type + 1}; there are {types}");
            yield return (found, type);
        }
    }

    /// <summary>A, eV Å¹², and B, eV Å⁶, of two species.</summary>
    public (double A, double B) LennardJones(int i, int j) => _lennardJones[_ljTypes[i], _ljTypes[j]];

    /// <summary>The atoms at given coordinates. The cell is that of the coordinate file, with angles of the topology where it has lengths only, else that of the topology; without a box in the topology (IFBOX 0) nothing repeats.</summary>
    /// <param name="coordinates">Coordinates.</param>
    /// <param name="constraints">Distances to hold.</param>
    /// <exception cref="InputException">Another number of atoms, a box that is not there.</exception>
    public Atoms MakeAtoms(AmberCoordinates coordinates, AmberConstraints constraints = AmberConstraints.None)
    {
        if (coordinates.Positions.Length != 3 * Count) throw new InputException($"{_path} has {Count} atoms, the coordinates have {coordinates.Positions.Length / 3}");
        Cell cell;
        if (_periodic) cell = AmberCoordinates.MakeCell(coordinates.Box is [_, _, _] lengths ? [.. lengths, .. _box is null ? [90, 90, 90] : _box[3..]] : coordinates.Box ?? _box ?? throw new InputException($"{_path} is periodic (IFBOX), and neither it nor the coordinates have a box"));
        else
        {
            double[] low = [.. Enumerable.Range(0, 3).Select(k => coordinates.Positions.Where((_, i) => i % 3 == k).Min() - 1)];
            double[] size = [.. Enumerable.Range(0, 3).Select(k => coordinates.Positions.Where((_, i) => i % 3 == k).Max() + 1 - low[k])];
            cell = new Cell([size[0], 0, 0, 0, size[1], 0, 0, 0, size[2]], [false, false, false], low);
        }
        var molecules = Molecules();
        var atoms = new Atoms(_species, [.. _types], [.. coordinates.Positions], cell)
        {
            Molecules = molecules,
            Topology = constraints == AmberConstraints.None ? Topology : Constrained(molecules, constraints == AmberConstraints.Hydrogens),
        };
        _charges.CopyTo(atoms.Charges, 0);
        coordinates.Velocities?.CopyTo(atoms.Velocities, 0);
        return atoms;
    }

    /// <summary>Reads both files.</summary>
    /// <exception cref="InputException">Whatever is wrong with them.</exception>
    public static (AmberTopology Topology, Atoms Atoms) Read(string prmtop, string inpcrd, AmberConstraints constraints = AmberConstraints.None)
    {
        var topology = Read(prmtop);
        return (topology, topology.MakeAtoms(AmberCoordinates.Read(inpcrd, topology._periodic), constraints));
    }

    /// <summary>Numbers, from 1, of atoms that bonds connect.</summary>
    private int[] Molecules()
    {
        int[] root = [.. Enumerable.Range(0, Count)];
        int Find(int i)
        {
            while (root[i] != i) i = root[i] = root[root[i]];
            return i;
        }
        foreach (var (i, j, _) in Topology.Bonds)
        {
            int a = Find(i), b = Find(j);
            root[Math.Max(a, b)] = Math.Min(a, b);
        }
        var number = new int[Count];
        int molecules = 0;
        for (int i = 0; i < Count; i++) number[i] = Find(i) == i ? ++molecules : number[Find(i)];
        return number;
    }

    private Topology Constrained(int[] molecules, bool hydrogens)
    {
        bool IsHydrogen(int i) => _species[_types[i]].Symbol == "H";
        var water = new bool[molecules.Max() + 1];
        foreach (var molecule in Enumerable.Range(0, Count).GroupBy(i => molecules[i]))
            water[molecule.Key] = molecule.Count() == 3 && molecule.Count(IsHydrogen) == 2 && molecule.Any(i => _species[_types[i]].Symbol == "O");
        var t = new Topology();
        t.BondTypes.AddRange(Topology.BondTypes);
        t.AngleTypes.AddRange(Topology.AngleTypes);
        t.DihedralTypes.AddRange(Topology.DihedralTypes);
        t.Dihedrals.AddRange(Topology.Dihedrals);
        t.Scaled.AddRange(Topology.Scaled);
        foreach (var (i, j, type) in Topology.Bonds)
            if (water[molecules[i]] || (hydrogens && (IsHydrogen(i) || IsHydrogen(j)))) t.Constraints.Add((i, j, Topology.BondTypes[type].R0));
            else t.Bonds.Add((i, j, type));
        foreach (var (i, j, k, type) in Topology.Angles)
            if (!water[molecules[i]]) t.Angles.Add((i, j, k, type));
            // Flexible water: the third side of the triangle by the law of cosines.
            else if (!t.Constraints.Any(c => (c.I, c.J) == (i, k) || (c.I, c.J) == (k, i)))
            {
                double Side(int a, int b) => Topology.BondTypes[Topology.Bonds.First(x => (x.I, x.J) == (a, b) || (x.I, x.J) == (b, a)).Type].R0;
                double u = Side(i, j), v = Side(k, j);
                t.Constraints.Add((i, k, Math.Sqrt(u * u + v * v - 2 * u * v * Math.Cos(Topology.AngleTypes[type].Theta0))));
            }
        return t;
    }

    /// <summary>The element nearest in mass.</summary>
    private static string Element(double mass) => Elements.Symbols.MinBy(e => Math.Abs(Elements.Mass(e)!.Value - mass))!;
}
