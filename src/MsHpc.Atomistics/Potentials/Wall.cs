using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// A flat wall {r: n·r = offset} that acts on atoms at distance d = n·r − offset, 0 &lt; d &lt; d_c, on the side its normal n points to; s = σ/d:
/// <code>
/// harmonic:           E = K (d − d_c)²                          F = 2K (d_c − d) n
/// Lennard-Jones 9–3:  E = ε [2/15 s⁹ − s³] − E(d_c)             F = ε [6/5 s⁹ − 3 s³]/d · n
/// Lennard-Jones 12–6: E = 4ε [s¹² − s⁶] − E(d_c)                F = 24ε [2 s¹² − s⁶]/d · n
/// </code>
/// 9–3 is 12–6 integrated over a half-space of atoms. As in LAMMPS' fix wall/harmonic, wall/lj93, wall/lj126. The virial is taken about the wall:
/// W = Σ d F n⊗n, as if the wall were carried along by a strain.
/// </summary>
/// <remarks>Positions are those in the cell: a wall makes sense across a direction that does not repeat. It may be moved between evaluations.</remarks>
public sealed unsafe class Wall : Interaction
{
    private enum Law { Harmonic, LennardJones93, LennardJones126 }

    private readonly Law _law;
    private readonly double _strength, _sigma, _reach, _offsetEnergy;
    private readonly double[] _normal;
    private readonly bool[]? _acts;

    private Wall(Law law, string name, ReadOnlySpan<double> normal, double offset, double strength, double sigma, double reach, int[]? atoms)
    {
        double length = normal.Length == 3 ? Math.Sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]) : 0;
        if (!(length > 0) || !double.IsFinite(length)) throw new InputException($"{name} wall: the normal needs three numbers that are not all zero");
        if (!(strength >= 0) || !(sigma > 0) || !(reach > 0) || !double.IsFinite(strength + sigma + reach + offset))
            throw new InputException($"{name} wall: strength {strength}, sigma {sigma}, cutoff {reach}, offset {offset}; sigma and cutoff must be positive, the strength not negative");
        (_law, _strength, _sigma, _reach, Offset) = (law, strength, sigma, reach, offset);
        _normal = [normal[0] / length, normal[1] / length, normal[2] / length];
        _offsetEnergy = Evaluate(reach).Energy;
        Description = name + " wall";
        if (atoms is null) return;
        _acts = new bool[atoms.Length == 0 ? 0 : atoms.Max() + 1];
        foreach (int i in atoms) _acts[i] = true;
    }

    /// <summary>E = K (d − d_c)².</summary>
    /// <param name="normal">n, of any length; points to the atoms.</param>
    /// <param name="offset">n·r on the wall, with n of length 1, Å.</param>
    /// <param name="stiffness">K, eV/Å².</param>
    /// <param name="cutoff">d_c, Å.</param>
    /// <param name="atoms">Indices of the atoms that feel it; null: all.</param>
    /// <exception cref="InputException">Bad parameters.</exception>
    public static Wall Harmonic(ReadOnlySpan<double> normal, double offset, double stiffness, double cutoff, int[]? atoms = null) =>
        new(Law.Harmonic, "harmonic", normal, offset, stiffness, 1, cutoff, atoms);

    /// <summary>Lennard-Jones 9–3; ε in eV, σ in Å. Other parameters as of <see cref="Harmonic"/>.</summary>
    public static Wall LennardJones93(ReadOnlySpan<double> normal, double offset, double epsilon, double sigma, double cutoff, int[]? atoms = null) =>
        new(Law.LennardJones93, "Lennard-Jones 9-3", normal, offset, epsilon, sigma, cutoff, atoms);

    /// <summary>Lennard-Jones 12–6; ε in eV, σ in Å. Other parameters as of <see cref="Harmonic"/>.</summary>
    public static Wall LennardJones126(ReadOnlySpan<double> normal, double offset, double epsilon, double sigma, double cutoff, int[]? atoms = null) =>
        new(Law.LennardJones126, "Lennard-Jones 12-6", normal, offset, epsilon, sigma, cutoff, atoms);

    /// <inheritdoc/>
    public override string Description { get; }

    /// <inheritdoc/>
    public override double Cutoff => 0;

    /// <inheritdoc/>
    public override bool IsLocal => false;

    /// <summary>Where the wall is: n·r, Å.</summary>
    public double Offset { get; set; }

    /// <summary>Force of this rank's atoms on the wall along n, eV/Å, of the last evaluation.</summary>
    public double Reaction { get; private set; }

    private (double Energy, double Force) Evaluate(double d)
    {
        double s = _sigma / d, s3 = s * s * s, s6 = s3 * s3;
        return _law switch
        {
            Law.Harmonic => (_strength * (d - _reach) * (d - _reach), 2 * _strength * (_reach - d)),
            Law.LennardJones93 => (_strength * (2.0 / 15 * s6 * s3 - s3), _strength * (1.2 * s6 * s3 - 3 * s3) / d),
            _ => (4 * _strength * (s6 * s6 - s6), 24 * _strength * (2 * s6 * s6 - s6) / d),
        };
    }

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        double* x = domain.X, f = domain.F;
        double nx = _normal[0], ny = _normal[1], nz = _normal[2], energy = 0, virial = 0, reaction = 0;
        Span<double> nn = [nx * nx, ny * ny, nz * nz, ny * nz, nx * nz, nx * ny];
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int i = domain.Tag[s], at = s / 8 * 24 + s % 8;
            if (i < 0 || _acts is { } acts && (i >= acts.Length || !acts[i])) continue;
            double d = nx * x[at] + ny * x[at + 8] + nz * x[at + 16] - Offset;
            if (d >= _reach) continue;
            if (d <= 0 && _law != Law.Harmonic)
                throw new NumericalException($"atom {domain.Id(i)} at ({x[at]}, {x[at + 8]}, {x[at + 16]}) is behind the {Description}: move the wall away from the atoms, or lower the time step");
            var (e, force) = Evaluate(d);
            e -= _offsetEnergy;
            energy += e;
            virial += d * force;
            reaction -= force;
            f[at] += force * nx;
            f[at + 8] += force * ny;
            f[at + 16] += force * nz;
            if ((want & Want.PerAtom) == 0) continue;
            domain.AtomEnergy[s] += e;
            for (int k = 0; k < 6; k++) domain.AtomVirial[6 * s + k] += d * force * nn[k];
        }
        tally.Energy += energy;
        for (int k = 0; k < 6; k++) tally.Virial[k] += virial * nn[k];
        Reaction = reaction;
    }
}
