using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Harmonic impropers, as LAMMPS' <c>improper_style harmonic</c>, and CHARMM's where χ₀ = 0:
/// <code>
/// E = k (χ − χ₀)²,   χ = |φ|,  φ the dihedral angle of i–j–k–l (<see cref="Torsion"/>)
/// −dE/dφ = −2 k (χ − χ₀) sign φ
/// </code>
/// χ in 0 … π is the angle between the planes i, j, k and j, k, l. k in eV (without the factor ½), angles in radians. For 0 &lt; χ₀ &lt; π the
/// energy has a kink at φ = 0, as the definition has.
/// </summary>
public static class Impropers
{
    /// <summary>The harmonic impropers of a topology.</summary>
    /// <param name="topology">Its impropers.</param>
    /// <param name="reach">How far the first atom of an improper may be from the others, Å.</param>
    /// <exception cref="InputException">A type that is not there, parameters that are not finite.</exception>
    public static Interaction Create(Topology topology, double reach)
    {
        double[] rows = [.. topology.ImproperTypes.SelectMany(t => new[] { t.K, t.Chi0 })];
        Terms.Check("improper", rows, 2, topology.Impropers.Select(i => i.Type));
        return new Law([.. topology.Impropers.SelectMany(i => new[] { i.I, i.J, i.K, i.L })], [.. topology.Impropers.Select(i => i.Type)], rows, 2, reach);
    }

    private sealed class Law(int[] atoms, int[] types, double[] rows, int parameters, double reach) : BondedTerms<Form>(atoms, types, rows, parameters, reach)
    {
        public override string Description => "harmonic impropers";
        protected override string Noun => "the improper";
    }

    private readonly struct Form : IBondedForm
    {
        public static int Atoms => 4;

        public static double Evaluate(ReadOnlySpan<double> r, ReadOnlySpan<double> p, Span<double> f)
        {
            var torsion = new Torsion(r);
            double x = Math.Atan2(Math.Abs(torsion.Sin), torsion.Cos) - p[1];
            torsion.Forces(torsion.Sin < 0 ? 2 * p[0] * x : -2 * p[0] * x, f);
            return p[0] * x * x;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f)
        {
            var torsion = new TorsionLanes(r);
            Lanes x = Terms.Atan2(Vector512.Abs(torsion.Sin), torsion.Cos) - p[1], torque = Lane.Of(-2) * p[0] * x;
            torsion.Forces(Lane.Select(Vector512.LessThan(torsion.Sin, Lanes.Zero), -torque, torque), f);
            return p[0] * x * x;
        }
    }
}
