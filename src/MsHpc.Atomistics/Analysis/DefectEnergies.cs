using MsHpc.Atomistics.Dynamics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Analysis;

/// <summary>Energies that surfaces and vacancies cost, at 0 K.</summary>
public static class DefectEnergies
{
    /// <summary>
    /// Energy of a surface per area, eV/Å²: γ = (E_slab − N e)/(2 A), A the area of the face of a and b. 1 eV/Å² = 16.02177 J/m².
    /// </summary>
    /// <param name="calculator">Energy surface.</param>
    /// <param name="slab">A slab with two like surfaces and empty space between it and its images along c. Positions are moved when relaxed.</param>
    /// <param name="bulk">e: energy per atom of the perfect crystal with the slab's lattice constant, eV.</param>
    /// <param name="minimize">How atoms are relaxed; null: not at all. The cell must stay.</param>
    /// <exception cref="ConvergenceException">The relaxation does not converge.</exception>
    public static double Surface(ICalculator calculator, Atoms slab, double bulk, MinimizerOptions? minimize = null)
    {
        var h = slab.Cell.Rows;
        double x = h[1] * h[5] - h[2] * h[4], y = h[2] * h[3] - h[0] * h[5], z = h[0] * h[4] - h[1] * h[3];
        return (Energy(calculator, slab, minimize) - slab.Count * bulk) / (2 * Math.Sqrt(x * x + y * y + z * z));
    }

    /// <summary>Energy to make a vacancy, eV, at constant volume: E_f = E_(N−1) − (N − 1) e. The atom goes to a place in the bulk.</summary>
    /// <param name="calculator">Energy surface.</param>
    /// <param name="crystal">Perfect crystal of one kind of atoms, large enough for the vacancies' images not to feel each other; not changed.</param>
    /// <param name="atom">Atom that is taken out, an index.</param>
    /// <param name="minimize">How atoms are relaxed; null: not at all. The cell must stay.</param>
    /// <exception cref="InputException">No such atom, or several kinds of atoms: their energy in the bulk is not defined by the crystal alone.</exception>
    /// <exception cref="ConvergenceException">The relaxation does not converge.</exception>
    public static double Vacancy(ICalculator calculator, Atoms crystal, int atom = 0, MinimizerOptions? minimize = null)
    {
        if ((uint)atom >= (uint)crystal.Count) throw new InputException($"atom index {atom} is to be taken out; there are {crystal.Count} atoms");
        if (crystal.Types.Distinct().Count() > 1) throw new InputException("a vacancy of a crystal with several kinds of atoms has an energy only with a chemical potential");
        double bulk = Energy(calculator, crystal, null) / crystal.Count;
        var left = new Atoms(crystal.Species, [.. crystal.Types.Where((_, i) => i != atom)], [.. crystal.Positions.Where((_, k) => k / 3 != atom)], crystal.Cell);
        return Energy(calculator, left, minimize) - left.Count * bulk;
    }

    private static double Energy(ICalculator calculator, Atoms atoms, MinimizerOptions? minimize)
    {
        if (minimize is not null)
        {
            if (minimize.Cell != CellRelaxation.None) throw new InputException("the cell stays while a defect relaxes: its strain is that of the crystal around it");
            return new Minimizer(calculator, minimize).Run(atoms).Energy;
        }
        var results = new CalculatorResults(atoms.Count);
        calculator.Compute(atoms, Want.Forces, results);
        return results.Energy;
    }
}
