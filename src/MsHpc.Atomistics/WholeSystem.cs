using System.Runtime.InteropServices;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics;

/// <summary>
/// A calculator that takes all atoms at once (quantum mechanics, a model from outside) as a term of a force field: one rank computes, with the
/// positions of all, while the others wait; every rank gets the forces of its atoms.
/// </summary>
/// <remarks>The calculator starts from its own last state where it keeps one (self-consistent charges): numbers then agree with those of a fresh start
/// to its tolerance, not to the last bit.</remarks>
/// <param name="calculator">Calculator; disposed with this.</param>
/// <param name="atoms">The atoms that it is for: kinds, ids and number; not changed.</param>
public sealed unsafe class WholeSystem(ICalculator calculator, Atoms atoms) : Interaction, IDisposable
{
    private readonly Atoms _atoms = new(atoms.Species, atoms.Types, new double[3 * atoms.Count], atoms.Cell) { Ids = atoms.Ids };

    /// <summary>What computes.</summary>
    public ICalculator Calculator { get; } = calculator;

    /// <summary>What it found last, on rank 0; atoms in their own order.</summary>
    public CalculatorResults Results { get; } = new(atoms.Count);

    /// <inheritdoc/>
    public override string Description => Calculator.Description;

    /// <inheritdoc/>
    public override double Cutoff => 0;

    /// <inheritdoc/>
    public override bool IsLocal => false;

    /// <inheritdoc/>
    /// <exception cref="InputException">Energies of single atoms are asked for: there are none.</exception>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) throw new InputException($"{Description}: there are no energies and virials of single atoms");
        if (domain.Comm.Size > 1) Array.Clear(_atoms.Positions);
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int i = domain.Tag[s], at = s / 8 * 24 + s % 8;
            if (i < 0) continue;
            for (int k = 0; k < 3; k++) _atoms.Positions[3 * i + k] = domain.X[at + 8 * k];
        }
        domain.Comm.AllReduceSum(_atoms.Positions); // each number comes from one rank
        _atoms.Cell = domain.Cell;
        MsHpcException? failure = null;
        if (domain.Comm.IsRoot)
        {
            try { Calculator.Compute(_atoms, want, Results); }
            catch (MsHpcException e) when (domain.Comm.Size > 1) { failure = e; }
        }
        Share(domain.Comm, failure);
        domain.Comm.Broadcast(MemoryMarshal.AsBytes(Results.Forces.AsSpan()));
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            int i = domain.Tag[s], at = s / 8 * 24 + s % 8;
            if (i < 0) continue;
            for (int k = 0; k < 3; k++) domain.F[at + 8 * k] += Results.Forces[3 * i + k];
        }
        if (!domain.Comm.IsRoot) return;
        tally.Energy += Results.Energy;
        for (int k = 0; k < 6; k++) tally.Virial[k] += Results.Virial[k];
    }

    /// <summary>Throws on all ranks what rank 0 found, as the same kind of error: the others are on their way to the next collective call. Collective.</summary>
    private static void Share(Comm comm, MsHpcException? failure)
    {
        if (comm.AllOk(failure is null)) return;
        if (failure is not null)
        {
            comm.AllGather<char>([(char)failure.ExitCode, .. failure.Message]);
            throw failure;
        }
        var (text, _) = comm.AllGather<char>([]);
        string message = new(text, 1, text.Length - 1);
        throw (int)text[0] switch
        {
            2 => new InputException(message),
            3 => new ConvergenceException(message, []),
            5 => new NativeException(message),
            _ => new NumericalException(message),
        };
    }

    /// <summary>Releases what the calculator holds.</summary>
    public void Dispose() => (Calculator as IDisposable)?.Dispose();
}
