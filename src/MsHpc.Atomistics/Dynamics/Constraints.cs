using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Keeps the distances of <see cref="Topology.Constraints"/> fixed: positions after every drift, velocities after every kick. Corrections are impulses along
/// the constrained bonds, so momentum and angular momentum are untouched.
/// </summary>
/// <remarks>
/// <para>Rigid three-site molecules with two equal masses and bonds (water) are solved in closed form, eight at a time (<see cref="Settle"/>); other clusters of
/// constraints by iteration (<see cref="Shake"/>). All atoms of a cluster must be owned by the same rank.</para>
/// <para>Order of a step: half kick, copy positions, drift, <see cref="Positions"/>, forces, half kick, <see cref="Velocities"/>.</para>
/// </remarks>
public sealed unsafe class Constraints
{
    private readonly List<(Settle Solver, int O, int H1, int H2)> _triangles = [];
    private readonly List<(int I, int J, double Distance)[]> _clusters = []; // other constraints that share atoms
    private readonly List<Settle> _rigid = [];
    private readonly Shake _shake;
    private Domain? _domain;
    private int _generation = -1;

    /// <param name="atoms">Atoms with a topology.</param>
    /// <param name="tolerance">Relative error of distances that iteration leaves.</param>
    /// <exception cref="InputException">A distance that is not positive, the same pair twice, an atom with itself.</exception>
    public Constraints(Atoms atoms, double tolerance = 1e-13)
    {
        if (!(tolerance is > 1e-15 and < 1e-2)) throw new InputException($"constraints: tolerance {tolerance}; it must lie between 1e-15 and 1e-2");
        var constraints = atoms.Topology?.Constraints ?? throw new InputException("constraints: the atoms have no topology");
        (Count, _shake) = (constraints.Count, new Shake(tolerance));
        var seen = new HashSet<(int, int)>();
        var parent = new Dictionary<int, int>();
        int Root(int i)
        {
            for (parent.TryAdd(i, i); parent[i] != i; i = parent[i]) parent[i] = parent[parent[i]];
            return i;
        }
        foreach (var (i, j, distance) in constraints)
        {
            if ((uint)i >= (uint)atoms.Count || (uint)j >= (uint)atoms.Count || i == j) throw new InputException($"constraint between atoms {i + 1} and {j + 1}: two different atoms of {atoms.Count} are needed");
            if (!(distance > 0) || !double.IsFinite(distance)) throw new InputException($"constraint between atoms {i + 1} and {j + 1}: distance {distance} Å; it must be positive");
            if (!seen.Add((Math.Min(i, j), Math.Max(i, j)))) throw new InputException($"constraint between atoms {i + 1} and {j + 1} is given twice");
            parent[Root(i)] = Root(j);
        }
        foreach (var group in constraints.GroupBy(c => Root(c.I)))
        {
            (int I, int J, double Distance)[] cluster = [.. group];
            if (Water(cluster, atoms) is { } w) _triangles.Add((Find(w), w.O, w.H1, w.H2));
            else _clusters.Add(cluster);
        }
    }

    /// <summary>Degrees of freedom taken away, of all ranks.</summary>
    public int Count { get; }

    /// <summary>Molecules of this rank that are solved in closed form.</summary>
    public int RigidMolecules => _rigid.Sum(s => s.Count);

    /// <summary>Looks up slots if their order has changed. Called by the other methods.</summary>
    /// <exception cref="NumericalException">A cluster is not owned by one rank.</exception>
    public void Prepare(Domain domain)
    {
        if (domain == _domain && domain.Generation == _generation) return;
        (_domain, _generation) = (domain, domain.Generation);
        for (int k = 0; k < _rigid.Count; k++) _rigid[k].Clear();
        _shake.Clear();
        for (int k = 0; k < _triangles.Count; k++)
        {
            var (settle, o, h1, h2) = _triangles[k];
            int a = domain.OwnedSlot(o), b = domain.OwnedSlot(h1), c = domain.OwnedSlot(h2);
            if (a < 0 && b < 0 && c < 0) continue;
            if (a < 0 || b < 0 || c < 0) throw Split(o, h1);
            settle.Add(domain, a, b, c);
        }
        for (int k = 0; k < _clusters.Count; k++)
        {
            var cluster = _clusters[k];
            int owned = 0;
            for (int n = 0; n < cluster.Length; n++) owned += (domain.OwnedSlot(cluster[n].I) >= 0 ? 1 : 0) + (domain.OwnedSlot(cluster[n].J) >= 0 ? 1 : 0);
            if (owned == 0) continue;
            if (owned < 2 * cluster.Length) throw Split(cluster[0].I, cluster[0].J);
            _shake.Add(domain, cluster);
        }
    }

    private static NumericalException Split(int i, int j) => new($"atoms {i + 1} and {j + 1} and what is constrained to them lie on several ranks");

    /// <summary>Moves positions onto the constraints after a drift, along the bonds before it, and velocities with them.</summary>
    /// <param name="domain">Domain.</param>
    /// <param name="reference">Owned positions before the drift, like <see cref="Domain.X"/>; they satisfy the constraints.</param>
    /// <param name="dt">Duration of the drift, fs: v += (x − x before correction)/dt. 0: velocities stay.</param>
    /// <param name="before">Cell before the drift; null: it has not changed.</param>
    /// <exception cref="NumericalException">No solution: the step is too long, or the molecule has been torn apart.</exception>
    public void Positions(Domain domain, double* reference, double dt, Cell? before = null)
    {
        Prepare(domain);
        double rate = dt == 0 ? 0 : 1 / dt;
        before ??= domain.Cell;
        for (int k = 0; k < _rigid.Count; k++) _rigid[k].Positions(domain, reference, rate, before);
        _shake.Positions(domain, reference, rate, before);
    }

    /// <summary>
    /// Takes the velocities along the constraints away: (vᵢ − vⱼ + g rᵢⱼ)·rᵢⱼ = 0.
    /// </summary>
    /// <param name="domain">Domain.</param>
    /// <param name="flow">Velocity gradient g of the cell, 9 numbers, rows, 1/fs, against which a barostat counts velocities; empty: none.</param>
    public void Velocities(Domain domain, ReadOnlySpan<double> flow = default)
    {
        Prepare(domain);
        if (flow.IsEmpty) flow = NoFlow;
        for (int k = 0; k < _rigid.Count; k++) _rigid[k].Velocities(domain, flow);
        _shake.Velocities(domain, flow);
    }

    private static readonly double[] NoFlow = new double[9];

    /// <summary>
    /// Virial Σ r ⊗ f, eV, of this rank, of the forces that hold the constraints at the present positions, velocities and forces F:
    /// f = Σ λ r along the bonds such that r·(aᵢ − aⱼ) + |vᵢ − vⱼ|² = 0, a = (F + f)/m.
    /// </summary>
    /// <remarks>A function of the state alone, so that pressures do not depend on how the state was reached: the same before and after a restart.</remarks>
    /// <param name="domain">Domain; velocities satisfy the constraints.</param>
    /// <param name="forces">All forces on owned atoms, laid out as <see cref="Domain.F"/>.</param>
    public VirialSum Virial(Domain domain, double* forces)
    {
        Prepare(domain);
        var virial = new VirialSum();
        for (int k = 0; k < _rigid.Count; k++) _rigid[k].Virial(domain, forces, ref virial);
        _shake.Virial(domain, forces, ref virial);
        for (int k = 0; k < 6; k++) virial[k] *= Codata.MassVelocitySquaredInEv;
        return virial;
    }

    private record struct Triangle(int O, int H1, int H2, double MassO, double MassH, double OH, double HH);

    /// <summary>The molecule of three mutual constraints, if it has a symmetric shape and masses.</summary>
    private static Triangle? Water((int I, int J, double Distance)[] cluster, Atoms atoms)
    {
        if (cluster.Length != 3) return null;
        for (int k = 0; k < 3; k++)
        {
            var (h1, h2, hh) = cluster[k];
            var (a, b) = (cluster[(k + 1) % 3], cluster[(k + 2) % 3]);
            int o = a.I == h1 || a.I == h2 ? a.J : a.I;
            if ((a.I != o && a.J != o) || (b.I != o && b.J != o) || atoms.Mass(h1) != atoms.Mass(h2) || a.Distance != b.Distance || !(hh < 2 * a.Distance)) continue;
            return new Triangle(o, h1, h2, atoms.Mass(o), atoms.Mass(h1), a.Distance, hh);
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
