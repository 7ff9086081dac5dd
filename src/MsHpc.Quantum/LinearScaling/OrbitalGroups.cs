using MsHpc.Atomistics;
using MsHpc.Core;
using MsHpc.Quantum.Scf;
using MsHpc.Quantum.TightBinding;

namespace MsHpc.Quantum.LinearScaling;

/// <summary>
/// Neighbouring atoms put together to groups of at most eight orbitals, numbered along a space-filling curve: a block between two groups is then
/// eight whole lanes, and rows near each other in number have most of their columns in common.
/// </summary>
internal sealed class OrbitalGroups
{
    /// <summary>Orbitals that a group has room for.</summary>
    public const int Size = Lane.Width;

    private readonly int[] _group, _offset;

    /// <param name="atoms">Atoms.</param>
    /// <param name="layout">Orbitals of each.</param>
    /// <param name="bonds">Who is near whom.</param>
    /// <exception cref="InputException">An atom with more than eight orbitals.</exception>
    public OrbitalGroups(Atoms atoms, OrbitalLayout layout, ReadOnlySpan<BondList.Bond> bonds)
    {
        int n = atoms.Count;
        (_group, _offset) = (new int[n], new int[n]);
        Array.Fill(_group, -1);
        // The nearest neighbours of each atom first.
        var near = new List<(double Distance, int Atom)>[n];
        for (int i = 0; i < n; i++)
        {
            near[i] = [];
            if (layout.First[i + 1] - layout.First[i] > Size)
                throw new InputException($"atom {atoms.Ids[i]} has {layout.First[i + 1] - layout.First[i]} orbitals: the linear-scaling route has blocks of {Size}. Diagonalise");
        }
        foreach (ref readonly var bond in bonds)
        {
            if (bond.I == bond.J) continue;
            near[bond.I].Add((bond.Distance, bond.J));
            near[bond.J].Add((bond.Distance, bond.I));
        }
        foreach (int i in Curve(atoms))
        {
            if (_group[i] >= 0) continue;
            int used = 0;
            void Take(int atom)
            {
                int orbitals = layout.First[atom + 1] - layout.First[atom];
                if (_group[atom] >= 0 || used + orbitals > Size) return;
                (_group[atom], _offset[atom]) = (Count, used);
                used += orbitals;
            }
            Take(i);
            near[i].Sort();
            foreach (var (_, j) in near[i]) Take(j);
            Count++;
        }
    }

    /// <summary>Number of groups.</summary>
    public int Count { get; }

    /// <summary>Group of an atom, and its first orbital in there.</summary>
    public (int Group, int Offset) this[int atom] => (_group[atom], _offset[atom]);

    /// <summary>Atoms in the order of interleaved bits of their coordinates (Morton's curve), 1024 steps along the longest edge.</summary>
    private static int[] Curve(Atoms atoms)
    {
        int n = atoms.Count;
        var cell = atoms.Cell;
        var x = new double[3 * n];
        double longest = 1e-3;
        for (int i = 0; i < n; i++)
        {
            var (s0, s1, s2) = cell.Fractional(atoms.Positions[3 * i], atoms.Positions[3 * i + 1], atoms.Positions[3 * i + 2]);
            (x[3 * i], x[3 * i + 1], x[3 * i + 2]) = (s0, s1, s2);
        }
        for (int k = 0; k < 3; k++)
        {
            double low = double.MaxValue, high = double.MinValue;
            for (int i = 0; i < n; i++)
            {
                if (cell.Periodic[k]) x[3 * i + k] -= Math.Floor(x[3 * i + k]);
                x[3 * i + k] *= cell.Spacing[k];
                (low, high) = (Math.Min(low, x[3 * i + k]), Math.Max(high, x[3 * i + k]));
            }
            for (int i = 0; i < n; i++) x[3 * i + k] -= low;
            longest = Math.Max(longest, high - low);
        }
        var keys = new long[n];
        int[] order = [.. Enumerable.Range(0, n)];
        for (int i = 0; i < n; i++)
            for (int bit = 0; bit < 10; bit++)
                for (int k = 0; k < 3; k++) keys[i] |= (long)(((int)(x[3 * i + k] / longest * 1023) >> bit) & 1) << (3 * bit + k);
        // Equal keys by their number: the order must not depend on the sort.
        for (int i = 0; i < n; i++) keys[i] = keys[i] << 32 | (uint)i;
        Array.Sort(keys, order);
        return order;
    }
}
