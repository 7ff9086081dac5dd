using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Any <see cref="ICalculator"/> as a term of a force field: quantum mechanics, ONIOM, a model from Python. Positions of all atoms are gathered on every
/// rank in the order of the <see cref="Atoms"/>, every rank calls the calculator, and takes the forces of the atoms it owns.
/// </summary>
public sealed unsafe class CalculatorInteraction : Interaction
{
    private readonly ICalculator _calculator;
    private readonly Atoms _atoms;
    private readonly CalculatorResults _results;

    /// <param name="calculator">Calculator.</param>
    /// <param name="atoms">Species, types, charges and ids for it; a copy takes positions and cell from the domain.</param>
    public CalculatorInteraction(ICalculator calculator, Atoms atoms)
    {
        _calculator = calculator;
        _atoms = new Atoms(atoms.Species, atoms.Types, [.. atoms.Positions], atoms.Cell) { Ids = atoms.Ids, Molecules = atoms.Molecules, Topology = atoms.Topology };
        atoms.Charges.CopyTo(_atoms.Charges, 0);
        foreach (var (name, group) in atoms.Groups) _atoms.Groups[name] = group;
        _results = new CalculatorResults(atoms.Count);
    }

    /// <inheritdoc/>
    public override string Description => _calculator.Description;

    /// <inheritdoc/>
    public override double Cutoff => 0;

    /// <inheritdoc/>
    public override bool IsLocal => false;

    /// <summary>What the calculator found last.</summary>
    public CalculatorResults Results => _results;

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        domain.Store(_atoms);
        _calculator.Compute(_atoms, want, _results);
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int i = domain.Tag[s];
            if (i < 0) continue;
            double* f = domain.F + (s / 8 * 24 + s % 8);
            for (int k = 0; k < 3; k++) f[8 * k] += _results.Forces[3 * i + k];
            if ((want & Want.PerAtom) == 0) continue;
            if (_results.AtomEnergies.Length > 0) domain.AtomEnergy[s] += _results.AtomEnergies[i];
            for (int k = 0; k < 6 && _results.AtomVirials.Length > 0; k++) domain.AtomVirial[6 * s + k] += _results.AtomVirials[6 * i + k];
        }
        // The tally is summed over ranks: one of them gives the whole.
        if (!domain.Comm.IsRoot) return;
        tally.Energy += _results.Energy;
        if ((want & Want.Virial) != 0) for (int k = 0; k < 6; k++) tally.Virial[k] += _results.Virial[k];
    }
}
