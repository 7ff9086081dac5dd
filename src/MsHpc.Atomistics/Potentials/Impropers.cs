using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Harmonic impropers, as LAMMPS' <c>improper_style harmonic</c> and CHARMM's:
/// <code>
/// E = k (χ − χ₀)²,   χ = |ψ|,  ψ the turn from a = rᵢ − rⱼ to b = rₖ − rⱼ about the axis d = rₗ − rₖ
/// −dE/dψ = −2 k (χ − χ₀) sign ψ
/// </code>
/// χ in 0 … π is the angle between the planes that (a, d) and (b, d) span. k in eV (without the factor ½), angles in radians. For 0 &lt; χ₀ &lt; π the
/// energy has a kink at ψ = 0, as the definition has.
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
            double ax = r[0] - r[3], ay = r[1] - r[4], az = r[2] - r[5], bx = r[6] - r[3], by = r[7] - r[4], bz = r[8] - r[5];
            double dx = r[9] - r[6], dy = r[10] - r[7], dz = r[11] - r[8];
            var turn = new Turn(ax, ay, az, bx, by, bz, dx, dy, dz);
            double x = Math.Atan2(Math.Abs(turn.Sin), turn.Cos) - p[1];
            var (fx, fy, fz, hx, hy, hz, gx, gy, gz) = turn.Gradient(turn.Sin < 0 ? 2 * p[0] * x : -2 * p[0] * x);
            (f[0], f[1], f[2]) = (fx, fy, fz);
            (f[3], f[4], f[5]) = (-fx - hx, -fy - hy, -fz - hz);
            (f[6], f[7], f[8]) = (hx - gx, hy - gy, hz - gz);
            (f[9], f[10], f[11]) = (gx, gy, gz);
            return p[0] * x * x;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f)
        {
            Lanes ax = r[0] - r[3], ay = r[1] - r[4], az = r[2] - r[5], bx = r[6] - r[3], by = r[7] - r[4], bz = r[8] - r[5];
            Lanes dx = r[9] - r[6], dy = r[10] - r[7], dz = r[11] - r[8];
            var turn = new TurnLanes(ax, ay, az, bx, by, bz, dx, dy, dz);
            var x = Terms.Atan2(Vector512.Abs(turn.Sin), turn.Cos) - p[1];
            var slope = Lane.Of(-2) * p[0] * x;
            turn.Gradient(Lane.Select(Vector512.LessThan(turn.Sin, Lanes.Zero), -slope, slope),
                out var fx, out var fy, out var fz, out var hx, out var hy, out var hz, out var gx, out var gy, out var gz);
            (f[0], f[1], f[2]) = (fx, fy, fz);
            (f[3], f[4], f[5]) = (-fx - hx, -fy - hy, -fz - hz);
            (f[6], f[7], f[8]) = (hx - gx, hy - gy, hz - gz);
            (f[9], f[10], f[11]) = (gx, gy, gz);
            return p[0] * x * x;
        }
    }
}
