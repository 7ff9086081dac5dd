using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Coulomb's law between the charges of a cluster or molecule that does not repeat, r &lt; r_c (which should hold all pairs: the cut is plain):
/// <code>
/// φ = k_e qᵢ qⱼ/r,   F = k_e qᵢ qⱼ/r² r̂
/// </code>
/// </summary>
public static class PlainCoulomb
{
    /// <summary>The potential.</summary>
    /// <param name="types">Kinds of atoms.</param>
    /// <param name="cutoff">r_c, Å; infinite for all pairs.</param>
    /// <param name="constant">k_e, eV Å/e²; null: CODATA.</param>
    /// <exception cref="InputException">A cutoff that is not positive.</exception>
    public static Interaction Create(int types, double cutoff = double.PositiveInfinity, double? constant = null)
    {
        if (!(cutoff > 0)) throw new InputException($"the cutoff of Coulomb's law must be positive, not {cutoff}");
        cutoff = Math.Min(cutoff, MolecularForceField.NoCutoff);
        double[] row = [cutoff * cutoff, constant ?? MolecularForceField.CoulombConstant];
        return new Potential(types, [.. Enumerable.Repeat(row, types * types).SelectMany(r => r)]);
    }

    private sealed class Potential(int types, double[] rows) : PairPotential<Form>(types, rows)
    {
        public override string Description => "Coulomb, all pairs";
    }

    private readonly struct Form : IPairForm
    {
        public static int Parameters => 2;
        public static bool UsesCharges => true;

        public static double Evaluate(double r2, ReadOnlySpan<double> p, double qq, out double energy)
        {
            energy = p[1] * qq / Math.Sqrt(r2);
            return energy / r2;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate<TTypes>(Lanes r2, in PairRow<TTypes> p, Lanes qq, out Lanes energy) where TTypes : struct, ITypeCount
        {
            energy = p[1] * qq / Vector512.Sqrt(r2);
            return energy / r2;
        }
    }
}
