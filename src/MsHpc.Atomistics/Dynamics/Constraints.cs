using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Keeps the distances of <see cref="Topology.Constraints"/> fixed in a velocity-Verlet-like step: positions after every drift, velocities after every kick.
/// Corrections are impulses along the constrained bonds, so momentum and angular momentum are untouched.
/// </summary>
/// <remarks>
/// <para>Rigid three-site molecules with two equal masses and bonds (water) are solved in closed form, eight at a time (<see cref="Settle"/>); other clusters of
/// constraints by iteration (<see cref="Shake"/>). All atoms of a cluster must be owned by the same rank.</para>
/// <para>Order of a step: half kick, copy positions, drift, <see cref="ApplyPositions"/>, forces, half kick, <see cref="ApplyVelocities"/>.</para>
/// </remarks>
public sealed unsafe class Constraints
{
    private readonly Topology _topology;
    private readonly List<int[]> _clusters = []; // indices of constraints that share atoms
    private readonly double[] _masses;
    private readonly double _tolerance;
    private readonly List<Settle> _rigid = [];
    private readonly Shake _shake;
    private Domain? _domain;
    private int _generation = -1;
    private VirialSum _impulse;

    /// <param name="atoms">Atoms with a topology.</param>
    /// <param name="tolerance">Relative error of distances that iteration leaves.</param>
    /// <exception cref="InputException">A distance that is not positive, the same pair twice, an atom with itself.</exception>
    public Constraints(Atoms atoms, double tolerance = 1e-13)
    {
        if (!(tolerance is > 1e-15 and < 1e-2)) throw new InputException($"constraints: tolerance {tolerance}; it must lie between 1e-15 and 1e-2");
        _topology = atoms.Topology ?? throw new InputException("constraints: the atoms have no topology");
        _masses = [.. Enumerable.Range(0, atoms.Count).Select(atoms.Mass)];
        (_tolerance, _shake) = (tolerance, new Shake(tolerance));
        var seen = new HashSet<(int, int)>();
        var parent = new Dictionary<int, int>();
        int Root(int i)
        {
            for (parent.TryAdd(i, i); parent[i] != i; i = parent[i]) parent[i] = parent[parent[i]];
            return i;
        }
        foreach (var (i, j, distance) in _topology.Constraints)
        {
            if ((uint)i >= (uint)atoms.Count || (uint)j >= (uint)atoms.Count || i == j) throw new InputException($"constraint between atoms {i + 1} and {j + 1}: two different atoms of {atoms.Count} are needed");
            if (!(distance > 0) || !double.IsFinite(distance)) throw new InputException($"constraint between atoms {i + 1} and {j + 1}: distance {distance} Å; it must be positive");
            if (!seen.Add((Math.Min(i, j), Math.Max(i, j)))) throw new InputException($"constraint between atoms {i + 1} and {j + 1} is given twice");
            parent[Root(i)] = Root(j);
        }
        foreach (var group in Enumerable.Range(0, _topology.Constraints.Count).GroupBy(k => Root(_topology.Constraints[k].I))) _clusters.Add([.. group]);
    }

    /// <summary>Degrees of freedom taken away, of all ranks.</summary>
    public int Count => _topology.Constraints.Count;

    /// <summary>Molecules of this rank that are solved in closed form.</summary>
    public int RigidMolecules => _rigid.Sum(s => s.Count);

    /// <summary>Looks up slots if their order has changed. Called by the other methods.</summary>
    /// <exception cref="NumericalException">A cluster is not owned by one rank.</exception>
    public void Prepare(Domain domain)
    {
        if (domain == _domain && domain.Generation == _generation) return;
        (_domain, _generation) = (domain, domain.Generation);
        foreach (var settle in _rigid) settle.Clear();
        _shake.Clear();
        foreach (int[] cluster in _clusters)
        {
            int owned = 0;
            foreach (int k in cluster)
                owned += (domain.OwnedSlot(_topology.Constraints[k].I) >= 0 ? 1 : 0) + (domain.OwnedSlot(_topology.Constraints[k].J) >= 0 ? 1 : 0);
            if (owned == 0) continue;
            if (owned < 2 * cluster.Length)
                throw new NumericalException($"atoms {_topology.Constraints[cluster[0]].I + 1} and {_topology.Constraints[cluster[0]].J + 1} and what is constrained to them lie on several ranks");
            if (Water(cluster) is { } w) Find(w).Add(domain, w.O, w.H1, w.H2);
            else _shake.Add(domain, cluster.Select(k => _topology.Constraints[k]));
        }
    }

    /// <summary>Moves positions onto the constraints after a drift, along the bonds before it, and velocities with them.</summary>
    /// <param name="domain">Domain.</param>
    /// <param name="reference">Owned positions before the drift, like <see cref="Domain.X"/>; they satisfy the constraints.</param>
    /// <param name="dt">Duration of the drift, fs: v += (x − x before correction)/dt. 0: velocities stay.</param>
    /// <exception cref="NumericalException">No solution: the step is too long, or the molecule has been torn apart.</exception>
    public void ApplyPositions(Domain domain, double* reference, double dt)
    {
        Prepare(domain);
        _impulse = default;
        double rate = dt == 0 ? 0 : 1 / dt;
        foreach (var settle in _rigid) settle.Positions(domain, reference, rate, ref _impulse);
        _shake.Positions(domain, reference, rate, ref _impulse);
    }

    /// <summary>Takes the velocities along the constraints away.</summary>
    public void ApplyVelocities(Domain domain)
    {
        Prepare(domain);
        _impulse = default;
        foreach (var settle in _rigid) settle.Velocities(domain, ref _impulse);
        _shake.Velocities(domain, ref _impulse);
    }

    /// <summary>
    /// Virial Σ r ⊗ f of the constraint forces behind the last correction, of this rank, eV. In velocity Verlet both corrections make up for forces that
    /// act over half a step: <paramref name="duration"/> = dt/2; in a leap-frog step the one of positions over the whole.
    /// </summary>
    /// <param name="duration">fs.</param>
    public VirialSum Virial(double duration)
    {
        var virial = _impulse;
        for (int k = 0; k < 6; k++) virial[k] *= Codata.MassVelocitySquaredInEv / duration;
        return virial;
    }

    private record struct Triangle(int O, int H1, int H2, double MassO, double MassH, double OH, double HH);

    /// <summary>The molecule of three mutual constraints, if it has a symmetric shape and masses.</summary>
    private Triangle? Water(int[] cluster)
    {
        if (cluster.Length != 3) return null;
        foreach (int k in cluster)
        {
            var (h1, h2, hh) = _topology.Constraints[k];
            var others = cluster.Where(c => c != k).Select(c => _topology.Constraints[c]).ToArray();
            int o = others[0].I == h1 || others[0].I == h2 ? others[0].J : others[0].I;
            if (others.Any(c => c.I != o && c.J != o) || _masses[h1] != _masses[h2] || others[0].Distance != others[1].Distance || !(hh < 2 * others[0].Distance)) continue;
            return new Triangle(o, h1, h2, _masses[o], _masses[h1], others[0].Distance, hh);
        }
        return null;
    }

    private Settle Find(Triangle w)
    {
        foreach (var settle in _rigid) if (settle.Fits(w.MassO, w.MassH, w.OH, w.HH)) return settle;
        _rigid.Add(new Settle(w.MassO, w.MassH, w.OH, w.HH));
        return _rigid[^1];
    }

    /// <summary>Hops (of a, b, c) that bring slot j next to slot i.</summary>
    internal static (int, int, int) Hops(Domain d, int i, int j)
    {
        int a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
        var (s0, s1, s2) = d.Cell.Fractional(d.X[a], d.X[a + 8], d.X[a + 16]);
        var (t0, t1, t2) = d.Cell.Fractional(d.X[b], d.X[b + 8], d.X[b + 16]);
        int Hop(double s, int k) => d.Cell.Periodic[k] ? (int)Math.Round(s) : 0;
        return (Hop(s0 - t0, 0), Hop(s1 - t1, 1), Hop(s2 - t2, 2));
    }
}
