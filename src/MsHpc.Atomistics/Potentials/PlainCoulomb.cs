using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Coulomb's law between charges, cut at r_c (C = e²/4πε₀):
/// <code>
/// φ = C qᵢ qⱼ/r,   F = C qᵢ qⱼ/r² · r̂,   r &lt; r_c
/// </code>
/// Meant for molecules without periodic images, with a cutoff larger than the molecule; in a periodic system the cut is an error of first order: use
/// <see cref="Ewald"/> or <see cref="ParticleMeshEwald"/>.
/// </summary>
public static class PlainCoulomb
{
    /// <summary>The potential for T types.</summary>
    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="cutoff">r_c, Å; infinite for all pairs.</param>
    /// <param name="constant">C, eV Å/e².</param>
    /// <exception cref="InputException">Cutoff or constant not positive.</exception>
    public static Interaction Create(int types, double cutoff, double constant = Codata.CoulombInEvAngstrom)
    {
        if (!(cutoff > 0)) throw new InputException($"Coulomb: cutoff {cutoff} Å; it must be positive");
        cutoff = Math.Min(cutoff, MolecularForceField.NoCutoff);
        if (!(constant > 0) || !double.IsFinite(constant)) throw new InputException($"Coulomb: constant {constant} eV Å; it must be positive");
        return new PairPotential<Form>("Coulomb", types, PairRows.Of(types, Form.Parameters, (_, _) => [cutoff * cutoff, constant]));
    }

    private readonly struct Form(Lanes constant) : IPairForm<Form>
    {
        public static int Parameters => 2;
        public static bool UsesCharges => true;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            energy = p[1] * qq / Math.Sqrt(r2);
            return energy / r2;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Form Load<TTypes>(in PairRow<TTypes> p) where TTypes : struct, ITypeCount => new(p[1]);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lanes Evaluate(Lanes r2, Lanes qq, out Lanes energy)
        {
            var r = CoulombReal.ReciprocalSqrt(r2);
            energy = constant * qq * r;
            return energy * r * r;
        }
    }
}
