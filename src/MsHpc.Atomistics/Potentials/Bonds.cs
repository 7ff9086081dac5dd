using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Bonds, harmonic or quartic (the form of LAMMPS' <c>bond_style class2</c>; H. Sun, J. Phys. Chem. B 102, 7338, 1998), with x = r − r₀:
/// <code>
/// E = k x² + k₃ x³ + k₄ x⁴
/// F = −(2 k x + 3 k₃ x² + 4 k₄ x³) r̂     on the first atom, r̂ from the second to the first
/// </code>
/// k in eV/Å² (without the factor ½ of some textbooks), k₃ in eV/Å³, k₄ in eV/Å⁴.
/// </summary>
public static class Bonds
{
    /// <summary>The bonds of a topology.</summary>
    /// <param name="topology">Its bonds.</param>
    /// <param name="reach">How long a bond may become, Å: needed where the cell is periodic or shared among ranks.</param>
    /// <exception cref="InputException">A type that is not there, parameters that are not finite.</exception>
    public static Interaction Create(Topology topology, double reach)
    {
        double[] rows = [.. topology.BondTypes.SelectMany(t => new[] { t.R0, t.K, t.K3, t.K4 })];
        Terms.Check("bond", rows, 4, topology.Bonds.Select(b => b.Type));
        return new Law([.. topology.Bonds.SelectMany(b => new[] { b.I, b.J })], [.. topology.Bonds.Select(b => b.Type)], rows, 4, reach);
    }

    private sealed class Law(int[] atoms, int[] types, double[] rows, int parameters, double reach) : BondedTerms<Form>(atoms, types, rows, parameters, reach)
    {
        public override string Description => "harmonic and quartic bonds";
        protected override string Noun => "the bond";
    }

    private readonly struct Form : IBondedForm
    {
        public static int Atoms => 2;

        public static double Evaluate(ReadOnlySpan<double> r, ReadOnlySpan<double> p, Span<double> f)
        {
            double dx = r[0] - r[3], dy = r[1] - r[4], dz = r[2] - r[5], length = Math.Sqrt(dx * dx + dy * dy + dz * dz), x = length - p[0];
            double s = -(2 * p[1] + (3 * p[2] + 4 * p[3] * x) * x) * x / length;
            (f[0], f[1], f[2]) = (s * dx, s * dy, s * dz);
            (f[3], f[4], f[5]) = (-f[0], -f[1], -f[2]);
            return (p[1] + (p[2] + p[3] * x) * x) * x * x;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f)
        {
            Lanes dx = r[0] - r[3], dy = r[1] - r[4], dz = r[2] - r[5], length = Vector512.Sqrt(Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx))), x = length - p[0];
            var s = -Lane.Fma(Lane.Fma(Lane.Of(4) * p[3], x, Lane.Of(3) * p[2]), x, Lane.Of(2) * p[1]) * x / length;
            (f[0], f[1], f[2]) = (s * dx, s * dy, s * dz);
            (f[3], f[4], f[5]) = (-f[0], -f[1], -f[2]);
            return Lane.Fma(Lane.Fma(p[3], x, p[2]), x, p[1]) * x * x;
        }
    }
}
