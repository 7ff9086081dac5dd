using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// Harmonic angles between the arms u = rᵢ − rⱼ and v = rₖ − rⱼ at the vertex j:
/// <code>
/// E = k (θ − θ₀)²,   θ = atan2(|u × v|, u·v)
/// Fᵢ = g (v̂ − cos θ û)/|u|,  Fₖ = g (û − cos θ v̂)/|v|,  Fⱼ = −Fᵢ − Fₖ,   g = 2 k (θ − θ₀)/sin θ
/// </code>
/// k in eV (without the factor ½), angles in radians. The arms' normals v̂ − cos θ û vanish like sin θ, so a stretched angle with θ₀ = π feels
/// the right force down to θ = π; sin θ is held at 1e-15 or more, where normals are rounding errors.
/// </summary>
public static class Angles
{
    /// <summary>The angles of a topology.</summary>
    /// <param name="topology">Its angles.</param>
    /// <param name="reach">How far the first atom of an angle may be from the others, Å.</param>
    /// <exception cref="InputException">A type that is not there, parameters that are not finite.</exception>
    public static Interaction Create(Topology topology, double reach)
    {
        double[] rows = [.. topology.AngleTypes.SelectMany(t => new[] { t.K, t.Theta0 })];
        Terms.Check("angle", rows, 2, topology.Angles.Select(a => a.Type));
        return new Law([.. topology.Angles.SelectMany(a => new[] { a.I, a.J, a.K })], [.. topology.Angles.Select(a => a.Type)], rows, 2, reach);
    }

    private sealed class Law(int[] atoms, int[] types, double[] rows, int parameters, double reach) : BondedTerms<Form>(atoms, types, rows, parameters, reach)
    {
        public override string Description => "harmonic angles";
        protected override string Noun => "the angle";
    }

    private readonly struct Form : IBondedForm
    {
        private const double LeastSine = 1e-15;

        public static int Atoms => 3;

        public static double Evaluate(ReadOnlySpan<double> r, ReadOnlySpan<double> p, Span<double> f)
        {
            double ux = r[0] - r[3], uy = r[1] - r[4], uz = r[2] - r[5], vx = r[6] - r[3], vy = r[7] - r[4], vz = r[8] - r[5];
            double iu = 1 / Math.Sqrt(ux * ux + uy * uy + uz * uz), iv = 1 / Math.Sqrt(vx * vx + vy * vy + vz * vz);
            (ux, uy, uz, vx, vy, vz) = (ux * iu, uy * iu, uz * iu, vx * iv, vy * iv, vz * iv);
            double nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
            double cos = ux * vx + uy * vy + uz * vz, sin = Math.Sqrt(nx * nx + ny * ny + nz * nz), x = Math.Atan2(sin, cos) - p[1];
            double g = 2 * p[0] * x / Math.Max(sin, LeastSine), gu = g * iu, gv = g * iv;
            (f[0], f[1], f[2]) = (gu * (vx - cos * ux), gu * (vy - cos * uy), gu * (vz - cos * uz));
            (f[6], f[7], f[8]) = (gv * (ux - cos * vx), gv * (uy - cos * vy), gv * (uz - cos * vz));
            (f[3], f[4], f[5]) = (-f[0] - f[6], -f[1] - f[7], -f[2] - f[8]);
            return p[0] * x * x;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f)
        {
            Lanes ux = r[0] - r[3], uy = r[1] - r[4], uz = r[2] - r[5], vx = r[6] - r[3], vy = r[7] - r[4], vz = r[8] - r[5];
            Lanes iu = Lanes.One / Vector512.Sqrt(Lane.Fma(uz, uz, Lane.Fma(uy, uy, ux * ux))), iv = Lanes.One / Vector512.Sqrt(Lane.Fma(vz, vz, Lane.Fma(vy, vy, vx * vx)));
            (ux, uy, uz, vx, vy, vz) = (ux * iu, uy * iu, uz * iu, vx * iv, vy * iv, vz * iv);
            Lanes nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
            Lanes cos = Lane.Fma(uz, vz, Lane.Fma(uy, vy, ux * vx)), sin = Vector512.Sqrt(Lane.Fma(nz, nz, Lane.Fma(ny, ny, nx * nx)));
            var x = Terms.Atan2(sin, cos) - p[1];
            Lanes g = Lane.Of(2) * p[0] * x / Vector512.Max(sin, Lane.Of(LeastSine)), gu = g * iu, gv = g * iv;
            (f[0], f[1], f[2]) = (gu * (vx - cos * ux), gu * (vy - cos * uy), gu * (vz - cos * uz));
            (f[6], f[7], f[8]) = (gv * (ux - cos * vx), gv * (uy - cos * vy), gv * (uz - cos * vz));
            (f[3], f[4], f[5]) = (-f[0] - f[6], -f[1] - f[7], -f[2] - f[8]);
            return p[0] * x * x;
        }
    }
}
