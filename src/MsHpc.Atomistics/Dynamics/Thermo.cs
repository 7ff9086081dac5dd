using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>State of a run in numbers; of all ranks.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Time">fs.</param>
/// <param name="Potential">eV.</param>
/// <param name="Kinetic">eV; atoms held or driven do not count in their directions.</param>
/// <param name="Conserved">Total energy and what thermostat, barostat and deformation hold or have taken, eV; NaN for rules that conserve nothing.</param>
/// <param name="Temperature">2 E_kin/(N_f k_B), K, N_f <see cref="MolecularDynamics.DegreesOfFreedom"/>.</param>
/// <param name="PressureTensor">(Σ m v ⊗ v + W)/V, eV/Å³; xx, yy, zz, yz, xz, xy. The stress is its negative.</param>
/// <param name="Cell">Cell.</param>
/// <param name="Drift">Slope of the conserved quantity by linear regression over the steps done, eV per ps and atom; NaN before the third step.</param>
public sealed record Thermo(long Step, double Time, double Potential, double Kinetic, double Conserved, double Temperature,
    double[] PressureTensor, Cell Cell, double Drift)
{
    /// <summary>Potential and kinetic energy, eV.</summary>
    public double Total => Potential + Kinetic;

    /// <summary>Å³.</summary>
    public double Volume => Cell.Volume;

    /// <summary>A third of the trace, eV/Å³.</summary>
    public double Pressure => (PressureTensor[0] + PressureTensor[1] + PressureTensor[2]) / 3;

    /// <summary>GPa.</summary>
    public double PressureGPa => Pressure * Codata.EvPerCubicAngstromInGPa;
}

/// <summary>
/// The full state of a run as named arrays, the same on every rank and for every number of ranks: <c>step</c> (1), <c>cell</c> (9), <c>positions</c>
/// and <c>velocities</c> (3 N, in the order of the <see cref="Atoms"/>), <c>integrator</c> (its own variables), <c>monitor</c>.
/// </summary>
public sealed class StateFields
{
    /// <summary>The arrays.</summary>
    public SortedDictionary<string, double[]> Fields { get; } = new(StringComparer.Ordinal);

    /// <summary>One array.</summary>
    /// <exception cref="InputException">Missing, or of another length than needed (−1: any).</exception>
    public double[] Get(string name, int length = -1)
    {
        if (!Fields.TryGetValue(name, out var field)) throw new InputException($"the saved state has no field '{name}'{Nearest.Hint(name, Fields.Keys)}");
        if (length >= 0 && field.Length != length)
            throw new InputException($"field '{name}' of the saved state has {field.Length} numbers, {length} are needed: it belongs to other atoms or another integrator");
        return field;
    }
}
