namespace MsHpc.Atomistics;

/// <summary>What a calculation is asked for; forces always come.</summary>
[Flags]
public enum Want
{
    /// <summary>Forces and the energy.</summary>
    Forces = 0,
    /// <summary>The virial too.</summary>
    Virial = 1,
    /// <summary>Energies and virials per atom too.</summary>
    PerAtom = 2,
    /// <summary>The energy may be left out: steps between outputs.</summary>
    NoEnergy = 4,
    /// <summary>The dipole moment too, of models with charges of their own; refused in periodic cells, where it has no meaning.</summary>
    Dipole = 8,
}

/// <summary>
/// An energy surface of atoms: positions and cell in, energy, forces and virial out. Molecular mechanics, tight binding, ONIOM and models
/// called from Python are all this, and go into every scheme alike.
/// </summary>
public interface ICalculator
{
    /// <summary>Name and source, for the log.</summary>
    string Description { get; }

    /// <summary>Computes.</summary>
    /// <param name="atoms">Atoms; not changed.</param>
    /// <param name="want">What beyond energy and forces.</param>
    /// <param name="results">Filled; its arrays fit the atoms already.</param>
    void Compute(Atoms atoms, Want want, CalculatorResults results);
}

/// <summary>What a calculator found. Units eV, Å, e.</summary>
/// <param name="count">Number of atoms, N.</param>
public sealed class CalculatorResults(int count)
{
    /// <summary>Potential energy, eV.</summary>
    public double Energy { get; set; }

    /// <summary>3·N, eV/Å.</summary>
    public double[] Forces { get; } = new double[3 * count];

    /// <summary>W_ab = Σ r_a f_b = −∂E/∂ε_ab, eV; order xx, yy, zz, yz, xz, xy. Stress (positive in tension) is −W/V at rest.</summary>
    public double[] Virial { get; } = new double[6];

    /// <summary>N, eV; sums to the energy. Filled with <see cref="Want.PerAtom"/>; empty if the model has no such split.</summary>
    public double[] AtomEnergies { get; set; } = [];

    /// <summary>6·N, eV; sums to the virial. Filled with <see cref="Want.PerAtom"/>; empty if the model has no such split.</summary>
    public double[] AtomVirials { get; set; } = [];

    /// <summary>N, e; empty for models without charges of their own.</summary>
    public double[] Charges { get; set; } = [];

    /// <summary>Σ q r, e·Å, about the origin of the coordinates (of a neutral system it does not depend on where that is). Filled with
    /// <see cref="Want.Dipole"/>; empty for models without charges of their own.</summary>
    public double[] Dipole { get; set; } = [];

    /// <summary>Of quantum models; null for the others.</summary>
    public ElectronicState? Electrons { get; set; }
}

/// <summary>What a quantum model knows of its electrons; null where it does not.</summary>
/// <param name="Gap">Lowest empty level above the highest occupied one, over all k points, eV.</param>
/// <param name="Entropy">TS of the electrons, eV; the energy of <see cref="CalculatorResults"/> is E − TS.</param>
/// <param name="Fermi">Fermi level, eV.</param>
/// <param name="Points">k points that were computed.</param>
/// <param name="Cycles">Cycles of self-consistency.</param>
public sealed record ElectronicState(double? Gap, double? Entropy, double? Fermi, int Points, int? Cycles);
