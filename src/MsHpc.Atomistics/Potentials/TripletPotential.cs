using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// A potential of the angles between neighbours, with parameters for every triplet of types: a readable kernel, atom by atom, with energies and virials
/// per atom, and a wide one, <see cref="Shells{T}"/>.
/// </summary>
/// <typeparam name="TTriplet">Parameters of one triplet (i, j, k), i the vertex.</typeparam>
public abstract unsafe class TripletPotential<TTriplet> : Interaction where TTriplet : struct
{
    private readonly TTriplet[] _triplets;
    private readonly Shells _kernel;

    private protected TripletPotential(int types, Func<int, int, int, TTriplet> triplets, Precision precision)
    {
        (Types, Cut) = (types, new double[types * types]);
        _triplets = new TTriplet[types * types * types];
        for (int i = 0; i < types; i++)
            for (int j = 0; j < types; j++)
                for (int k = 0; k < types; k++) _triplets[(i * types + j) * types + k] = triplets(i, j, k);
        Check();
        Cutoff = Cut.Max();
        _kernel = precision == Precision.Double ? MakeKernel<double>() : MakeKernel<float>();
    }

    /// <inheritdoc/>
    public sealed override double Cutoff { get; }

    /// <inheritdoc/>
    public sealed override ListKind Lists => ListKind.Full;

    /// <summary>Kinds of atoms, T.</summary>
    private protected int Types { get; }

    /// <summary>Cutoff of a neighbour of type j around a centre of type i at i·T + j, Å.</summary>
    private protected double[] Cut { get; }

    /// <inheritdoc/>
    public sealed override void Prepare(Domain domain)
    {
        if (domain.TypeCount > Types) throw new InputException($"{Description}: parameters for {Types} kinds of atoms, but there are {domain.TypeCount}");
        _kernel.Forget();
    }

    /// <inheritdoc/>
    public sealed override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) == 0)
        {
            _kernel.Compute(domain, ref tally);
            return;
        }
        var shell = new List<Neighbor>();
        for (int i = 0; i < domain.OwnedSlots; i++)
        {
            if (domain.Tag[i] < 0) continue;
            AtomTerms.Shell(domain, i, Cut.AsSpan(domain.Type[i] * Types, Types), shell);
            Scalar(domain, i, shell, ref tally);
        }
    }

    private protected TTriplet Triplet(int i, int j, int k) => _triplets[(i * Types + j) * Types + k];

    /// <summary>Refuses bad parameters and fills <see cref="Cut"/>. Once, before anything else.</summary>
    private protected abstract void Check();

    /// <summary>The wide kernel.</summary>
    private protected abstract Shells MakeKernel<T>() where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>;

    /// <summary>Terms of one atom and its neighbours, with energies and virials per atom.</summary>
    private protected abstract void Scalar(Domain d, int i, List<Neighbor> shell, ref Tally tally);
}
