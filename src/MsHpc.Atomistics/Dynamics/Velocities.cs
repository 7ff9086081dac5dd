using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>Velocities to start with.</summary>
public static class Velocities
{
    // Streams of random numbers: 0 … N − 1 for the kicks of atoms, others for other purposes.
    internal const long GlobalStream = 1L << 40;
    private const long StartStream = 2L << 40;

    /// <summary>
    /// Maxwell distribution: each component normal with variance kT/m, a function of (seed, atom), less what constraints forbid; then, where asked, the centre of mass at rest, and
    /// all velocities scaled to exactly the temperature 2 E_kin/(N_f k_B), N_f = 3 N − constraints − 3 at rest. What is at rest at the start and need not stay so
    /// (<see cref="MolecularDynamics.DegreesOfFreedom"/>) is colder by 3/N_f as the run counts it.
    /// </summary>
    /// <param name="atoms">Atoms; velocities are set.</param>
    /// <param name="temperature">K.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="group">Atoms to set, as indices; null: all.</param>
    /// <param name="rest">Whether the group's centre of mass is to be at rest.</param>
    /// <param name="exact">Whether to scale to the exact temperature.</param>
    /// <exception cref="InputException">A negative temperature; a group with one of two atoms that are held at a distance.</exception>
    public static void Maxwell(Atoms atoms, double temperature, ulong seed, int[]? group = null, bool rest = true, bool exact = true)
    {
        if (!(temperature >= 0) || !double.IsFinite(temperature)) throw new InputException($"the temperature is {temperature} K; it must not be negative");
        group ??= [.. Enumerable.Range(0, atoms.Count)];
        if (group.Length == 0) return;
        double[] v = atoms.Velocities;
        double kT = Codata.BoltzmannInEv * temperature, total = 0;
        Span<double> momentum = [0, 0, 0];
        foreach (int i in group)
        {
            double m = atoms.Mass(i), sigma = Math.Sqrt(kT / (m * Codata.MassVelocitySquaredInEv));
            var random = new Philox(seed, StartStream + i, 0);
            total += m;
            for (int k = 0; k < 3; k++) momentum[k] += m * (v[3 * i + k] = sigma * random.NextNormal());
        }
        rest &= group.Length > 1;
        int removed = Constrain(atoms, group);
        double twice = 0;
        foreach (int i in group)
            for (int k = 0; k < 3; k++)
            {
                if (rest) v[3 * i + k] -= momentum[k] / total;
                twice += atoms.Mass(i) * v[3 * i + k] * v[3 * i + k];
            }
        twice *= Codata.MassVelocitySquaredInEv;
        if (!exact || twice == 0) return;
        double scale = Math.Sqrt(Math.Max(1, 3L * group.Length - (rest ? 3 : 0) - removed) * kT / twice);
        foreach (int i in group) for (int k = 0; k < 3; k++) v[3 * i + k] *= scale;
    }

    /// <summary>Takes velocities along constraints away; momentum stays.</summary>
    /// <returns>Degrees of freedom of the group that are lost.</returns>
    private static unsafe int Constrain(Atoms atoms, int[] group)
    {
        if (atoms.Topology is not { Constraints.Count: > 0 } topology) return 0;
        var inside = new bool[atoms.Count];
        foreach (int i in group) inside[i] = true;
        foreach (var (i, j, _) in topology.Constraints)
            if (inside[i] != inside[j]) throw new InputException($"velocities: atoms {atoms.Ids[i]} and {atoms.Ids[j]} are held at a distance and the group has one of them: take whole molecules");
        var domain = new Domain(atoms, 0, 0, ListKind.None);
        new Constraints(atoms).Velocities(domain);
        for (int s = 0; s < domain.OwnedSlots; s++)
            for (int k = 0; k < 3 && domain.Tag[s] >= 0; k++) if (inside[domain.Tag[s]]) atoms.Velocities[3 * domain.Tag[s] + k] = domain.V[s / 8 * 24 + s % 8 + 8 * k];
        return topology.Constraints.Count(c => inside[c.I]);
    }
}
