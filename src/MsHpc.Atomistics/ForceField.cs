using System.Runtime.CompilerServices;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics;

/// <summary>A sum of interactions, as a calculator and as the engine of molecular dynamics.</summary>
public sealed class ForceField : ICalculator
{
    /// <param name="interactions">Terms; each counts once.</param>
    public ForceField(params Interaction[] interactions)
    {
        if (interactions.Length == 0) throw new InputException("a force field needs at least one interaction");
        Interactions = interactions;
    }

    /// <summary>Terms.</summary>
    public IReadOnlyList<Interaction> Interactions { get; }

    /// <summary>Largest cutoff, Å.</summary>
    public double Reach => Interactions.Max(i => i.Cutoff);

    /// <summary>Lists that the terms read.</summary>
    public ListKind Lists => Interactions.Aggregate(ListKind.None, (l, i) => l | i.Lists);

    /// <inheritdoc/>
    public string Description => string.Join(", ", Interactions.Select(i => i.Description).Distinct());

    /// <summary>The domain that fits these interactions.</summary>
    /// <param name="atoms">Atoms.</param>
    /// <param name="skin">Å.</param>
    /// <param name="comm">Ranks; null: this one.</param>
    /// <param name="team">Threads; null: the caller's.</param>
    /// <param name="pairSkin">See <see cref="Domain.PairSkin"/>; null: chosen.</param>
    public Domain MakeDomain(Atoms atoms, double skin, Comm? comm = null, ThreadTeam? team = null, double? pairSkin = null) =>
        new(atoms, Reach, skin, Lists, comm, team, pairSkin: pairSkin);

    private int _prepared = -1;
    private Domain? _domain;

    /// <summary>Evaluates all terms on a domain: forces of owned atoms in <see cref="Domain.F"/>.</summary>
    /// <returns>Energy and virial of all ranks. Collective.</returns>
    public Tally Compute(Domain domain, Want want)
    {
        var tally = new Tally();
        ComputeLocal(domain, want, ref tally, Interactions);
        Span<double> sums = stackalloc double[7];
        sums[0] = tally.Energy;
        for (int k = 0; k < 6; k++) sums[1 + k] = tally.Virial[k];
        domain.Comm.AllReduceSum(sums);
        tally.Energy = sums[0];
        for (int k = 0; k < 6; k++) tally.Virial[k] = sums[1 + k];
        if (double.IsNaN(tally.Energy))
        {
            var failure = Failure;
            Failure = null;
            Together.Check(domain.Comm, failure);
        }
        return tally;
    }

    /// <summary>Evaluates some terms; sums of this rank only.</summary>
    public void ComputeLocal(Domain domain, Want want, ref Tally tally, IReadOnlyList<Interaction> terms)
    {
        if (domain != _domain || domain.Generation != _prepared)
        {
            // A torn molecule is found by the rank that owns it, between collective calls of others.
            NumericalException? failure = null;
            for (int k = 0; k < Interactions.Count; k++)
                try { Interactions[k].Prepare(domain); }
                catch (NumericalException e) { failure ??= e; }
            Together.Check(domain.Comm, failure);
            (_domain, _prepared) = (domain, domain.Generation);
        }
        domain.Prune();
        domain.ZeroForces();
        if ((want & Want.PerAtom) != 0) domain.ZeroPerAtom();
        int last = -1;
        for (int k = 0; k < terms.Count; k++) if (terms[k].IsLocal) last = k;
        for (int k = 0; k <= last; k++)
        {
            if (!terms[k].IsLocal) continue;
            bool overlaps = terms[k].Overlaps && (want & Want.PerAtom) == 0;
            if (!overlaps) domain.EndGhosts();
            domain.FoldsEarly = overlaps && k == last;
            Evaluate(terms[k], domain, want, ref tally);
        }
        domain.FoldsEarly = false;
        domain.EndGhosts();
        if ((want & Want.Virial) != 0) domain.AddVirial(ref tally.Virial);
        domain.FoldForces();
        Fold(domain, want);
        for (int k = 0; k < terms.Count; k++) if (!terms[k].IsLocal) Evaluate(terms[k], domain, want, ref tally);
    }

    /// <summary>What a term found on this rank of several and the others do not know yet.</summary>
    internal NumericalException? Failure { get; set; }

    /// <summary>A term that fails on one rank of several makes the energy NaN, which all see in the sum; see <see cref="Failure"/>.</summary>
    private void Evaluate(Interaction term, Domain domain, Want want, ref Tally tally)
    {
        try { term.Compute(domain, want, ref tally); }
        catch (NumericalException e) when (domain.Comm.Size > 1)
        {
            Failure ??= e;
            tally.Energy = double.NaN;
        }
    }

    private static unsafe void Fold(Domain domain, Want want)
    {
        if ((want & Want.PerAtom) == 0) return;
        domain.Fold(domain.AtomEnergy);
        domain.Fold(domain.AtomVirial, 6);
    }

    private Domain? _own;
    private Atoms? _seen;

    /// <inheritdoc/>
    public unsafe void Compute(Atoms atoms, Want want, CalculatorResults results)
    {
        if (_own is null || _seen != atoms) (_own, _seen) = (MakeDomain(atoms, 0), atoms);
        else _own.Load(atoms);
        var tally = Compute(_own, want);
        results.Energy = tally.Energy;
        _own.StoreForces(results.Forces);
        if ((want & Want.Virial) != 0) for (int k = 0; k < 6; k++) results.Virial[k] = tally.Virial[k];
        if ((want & Want.PerAtom) == 0) return;
        if (results.AtomEnergies.Length != atoms.Count) results.AtomEnergies = new double[atoms.Count];
        if (results.AtomVirials.Length != 6 * atoms.Count) results.AtomVirials = new double[6 * atoms.Count];
        for (int s = 0; s < _own.OwnedSlots; s++)
        {
            int i = _own.Tag[s];
            if (i < 0) continue;
            results.AtomEnergies[i] = _own.AtomEnergy[s];
            for (int k = 0; k < 6; k++) results.AtomVirials[6 * i + k] = _own.AtomVirial[6 * s + k];
        }
    }
}
