using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Rigid molecules O, H, H with two equal bonds and masses, in closed form and eight at a time: positions by SETTLE (S. Miyamoto, P. A. Kollman, J. Comput. Chem. 13,
/// 952, 1992, whose names are kept), velocities and the virial by the linear system of the three impulses along the bonds. The same result as SHAKE and RATTLE without tolerance.
/// </summary>
internal sealed unsafe class Settle(double massO, double massH, double bondOH, double bondHH)
{
    private readonly List<(int O, int H1, int H2, (int, int, int) Hops1, (int, int, int) Hops2)> _molecules = [];

    public int Count => _molecules.Count;

    public bool Fits(double mO, double mH, double oh, double hh) => (mO, mH, oh, hh) == (massO, massH, bondOH, bondHH);

    public void Clear() => _molecules.Clear();

    public void Add(Domain d, int o, int h1, int h2) => _molecules.Add((o, h1, h2, Constraints.Hops(d, o, h1), Constraints.Hops(d, o, h2)));

    private struct Vector(Lanes x, Lanes y, Lanes z)
    {
        public Lanes X = x, Y = y, Z = z;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector operator +(Vector a, Vector b) => new(a.X + b.X, a.Y + b.Y, a.Z + b.Z);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector operator -(Vector a, Vector b) => new(a.X - b.X, a.Y - b.Y, a.Z - b.Z);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector operator *(Lanes s, Vector a) => new(s * a.X, s * a.Y, s * a.Z);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lanes Dot(Vector a, Vector b) => Lane.Fma(a.X, b.X, Lane.Fma(a.Y, b.Y, a.Z * b.Z));

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector Cross(Vector a, Vector b) => new(a.Y * b.Z - a.Z * b.Y, a.Z * b.X - a.X * b.Z, a.X * b.Y - a.Y * b.X);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector Unit(Vector a) => (Lanes.One / Vector512.Sqrt(Dot(a, a))) * a;
    }

    /// <summary>Slots' offsets of eight molecules, 8 of O, of H₁, of H₂; a last incomplete eight repeats its first molecule.</summary>
    private int Offsets(int first, int* at, Cell cell, double* shift)
    {
        int count = Math.Min(8, _molecules.Count - first);
        for (int l = 0; l < 8; l++)
        {
            var (a, b, c, n1, n2) = _molecules[l < count ? first + l : first];
            (at[l], at[8 + l], at[16 + l]) = (a / 8 * 24 + a % 8, b / 8 * 24 + b % 8, c / 8 * 24 + c % 8);
            (shift[l], shift[8 + l], shift[16 + l]) = n1 == (0, 0, 0) ? (0, 0, 0) : cell.Shift(n1.Item1, n1.Item2, n1.Item3);
            (shift[24 + l], shift[32 + l], shift[40 + l]) = n2 == (0, 0, 0) ? (0, 0, 0) : cell.Shift(n2.Item1, n2.Item2, n2.Item3);
        }
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector Load(double* field, int* at)
    {
        Lanes Part(double* p) => Vector512.Create(p[at[0]], p[at[1]], p[at[2]], p[at[3]], p[at[4]], p[at[5]], p[at[6]], p[at[7]]);
        return new(Part(field), Part(field + 8), Part(field + 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector Load(double* shift) => new(Vector512.Load(shift), Vector512.Load(shift + 8), Vector512.Load(shift + 16));

    private static void Add(double* field, int* at, Vector change, int count)
    {
        for (int l = 0; l < count; l++)
        {
            double* p = field + at[l];
            p[0] += change.X[l];
            p[8] += change.Y[l];
            p[16] += change.Z[l];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Positions(Domain d, double* reference, double rate, Cell before)
    {
        int* at = stackalloc int[24];
        double* shift = stackalloc double[48];
        bool moved = !ReferenceEquals(before, d.Cell);
        double total = massO + 2 * massH, height = Math.Sqrt(bondOH * bondOH - 0.25 * bondHH * bondHH);
        Lanes ra = Lane.Of(2 * massH * height / total), rb = Lane.Of(height - 2 * massH * height / total), rc = Lane.Of(0.5 * bondHH);
        for (int first = 0; first < _molecules.Count; first += 8)
        {
            int count = Offsets(first, at, before, shift);
            Vector oldO = Load(reference, at), b0 = Load(reference, at + 8) + Load(shift) - oldO, c0 = Load(reference, at + 16) + Load(shift + 24) - oldO;
            if (moved) _ = Offsets(first, at, d.Cell, shift);
            Vector o = Load(d.X, at), h1 = Load(d.X, at + 8) + Load(shift) - o, h2 = Load(d.X, at + 16) + Load(shift + 24) - o;
            // Relative to the centre of mass after the drift.
            Vector centre = Lane.Of(massH / total) * (h1 + h2), a1 = Lanes.Zero * o - centre, b1 = h1 - centre, c1 = h2 - centre;
            Vector axisZ = Vector.Cross(b0, c0), axisX = Vector.Cross(a1, axisZ), axisY = Vector.Cross(axisZ, axisX);
            (axisX, axisY, axisZ) = (Vector.Unit(axisX), Vector.Unit(axisY), Vector.Unit(axisZ));
            Lanes xb0 = Vector.Dot(axisX, b0), yb0 = Vector.Dot(axisY, b0), xc0 = Vector.Dot(axisX, c0), yc0 = Vector.Dot(axisY, c0);
            Lanes za1 = Vector.Dot(axisZ, a1), xb1 = Vector.Dot(axisX, b1), yb1 = Vector.Dot(axisY, b1), zb1 = Vector.Dot(axisZ, b1);
            Lanes xc1 = Vector.Dot(axisX, c1), yc1 = Vector.Dot(axisY, c1), zc1 = Vector.Dot(axisZ, c1);
            Lanes sinPhi = za1 / ra, cosPhi = Vector512.Sqrt(Lane.Fnma(sinPhi, sinPhi, Lanes.One));
            Lanes sinPsi = (zb1 - zc1) / (Lane.Of(2) * rc * cosPhi), cosPsi = Vector512.Sqrt(Lane.Fnma(sinPsi, sinPsi, Lanes.One));
            Lanes ya2 = ra * cosPhi, xb2 = -rc * cosPsi, t = rc * sinPsi * sinPhi, yb2 = -rb * cosPhi - t, yc2 = -rb * cosPhi + t;
            Lanes alpha = xb2 * (xb0 - xc0) + yb0 * yb2 + yc0 * yc2, beta = xb2 * (yc0 - yb0) + xb0 * yb2 + xc0 * yc2;
            Lanes gamma = xb0 * yb1 - xb1 * yb0 + xc0 * yc1 - xc1 * yc0, square = alpha * alpha + beta * beta;
            Lanes sin = (alpha * gamma - beta * Vector512.Sqrt(square - gamma * gamma)) / square, cos = Vector512.Sqrt(Lane.Fnma(sin, sin, Lanes.One));
            Vector Back(Lanes x, Lanes y, Lanes z) => x * axisX + y * axisY + z * axisZ;
            Vector da = Back(-ya2 * sin, ya2 * cos, za1) - a1;
            Vector db = Back(xb2 * cos - yb2 * sin, xb2 * sin + yb2 * cos, zb1) - b1;
            Vector dc = Back(-xb2 * cos - yc2 * sin, yc2 * cos - xb2 * sin, zc1) - c1;
            var failed = ~Vector512.LessThan(Vector512.Abs(Vector.Dot(da, da) + Vector.Dot(db, db) + Vector.Dot(dc, dc)), Lane.Of(bondOH * bondOH));
            if (Lane.Bits(failed) != 0) throw Torn(d, first, Lane.Bits(failed), count);
            Add(d.X, at, da, count);
            Add(d.X, at + 8, db, count);
            Add(d.X, at + 16, dc, count);
            if (rate == 0) continue;
            var r = Lane.Of(rate);
            Add(d.V, at, r * da, count);
            Add(d.V, at + 8, r * db, count);
            Add(d.V, at + 16, r * dc, count);
        }
    }

    /// <summary>Bonds d₁ = O − H₁, d₂ = O − H₂, d₃ = H₁ − H₂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector D1, Vector D2, Vector D3) Bonds(Domain d, int* at, double* shift)
    {
        Vector o = Load(d.X, at), h1 = Load(d.X, at + 8) + Load(shift), h2 = Load(d.X, at + 16) + Load(shift + 24);
        return (o - h1, o - h2, h1 - h2);
    }

    /// <summary>Impulses λ d along the bonds that change the relative velocities along them, d·(v − v′), by r: M λ = r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private (Vector P1, Vector P2, Vector P3) Impulses(Vector d1, Vector d2, Vector d3, Lanes r1, Lanes r2, Lanes r3)
    {
        Lanes io = Lane.Of(1 / massO), ih = Lane.Of(1 / massH);
        Lanes m11 = Vector.Dot(d1, d1) * (io + ih), m22 = Vector.Dot(d2, d2) * (io + ih), m33 = Vector.Dot(d3, d3) * (ih + ih);
        Lanes m12 = Vector.Dot(d1, d2) * io, m13 = -Vector.Dot(d1, d3) * ih, m23 = Vector.Dot(d2, d3) * ih;
        Lanes c11 = m22 * m33 - m23 * m23, c12 = m13 * m23 - m12 * m33, c13 = m12 * m23 - m13 * m22;
        Lanes c22 = m11 * m33 - m13 * m13, c23 = m12 * m13 - m11 * m23, c33 = m11 * m22 - m12 * m12;
        Lanes inverse = Lanes.One / (m11 * c11 + m12 * c12 + m13 * c13);
        return ((c11 * r1 + c12 * r2 + c13 * r3) * inverse * d1, (c12 * r1 + c22 * r2 + c23 * r3) * inverse * d2, (c13 * r1 + c23 * r2 + c33 * r3) * inverse * d3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Velocities(Domain d, ReadOnlySpan<double> flow)
    {
        int* at = stackalloc int[24];
        double* shift = stackalloc double[48];
        Vector gx = new(Lane.Of(flow[0]), Lane.Of(flow[1]), Lane.Of(flow[2])), gy = new(Lane.Of(flow[3]), Lane.Of(flow[4]), Lane.Of(flow[5]));
        Vector gz = new(Lane.Of(flow[6]), Lane.Of(flow[7]), Lane.Of(flow[8]));
        Lanes io = Lane.Of(1 / massO), ih = Lane.Of(1 / massH);
        for (int first = 0; first < _molecules.Count; first += 8)
        {
            int count = Offsets(first, at, d.Cell, shift);
            var (d1, d2, d3) = Bonds(d, at, shift);
            Vector vo = Load(d.V, at), v1 = Load(d.V, at + 8), v2 = Load(d.V, at + 16);
            Lanes Rate(Vector b, Vector v) => -Vector.Dot(b, v + new Vector(Vector.Dot(gx, b), Vector.Dot(gy, b), Vector.Dot(gz, b)));
            var (p1, p2, p3) = Impulses(d1, d2, d3, Rate(d1, vo - v1), Rate(d2, vo - v2), Rate(d3, v1 - v2));
            Add(d.V, at, io * (p1 + p2), count);
            Add(d.V, at + 8, ih * (p3 - p1), count);
            Add(d.V, at + 16, (Lanes.Zero - ih) * (p2 + p3), count);
        }
    }

    /// <summary>Adds Σ r ⊗ f, u Å²/fs², of the constraint forces in the present state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Virial(Domain d, double* forces, ref VirialSum virial)
    {
        int* at = stackalloc int[24];
        double* shift = stackalloc double[48];
        Lanes io = Lane.Of(1 / (massO * Codata.MassVelocitySquaredInEv)), ih = Lane.Of(1 / (massH * Codata.MassVelocitySquaredInEv));
        for (int first = 0; first < _molecules.Count; first += 8)
        {
            int count = Offsets(first, at, d.Cell, shift);
            var (d1, d2, d3) = Bonds(d, at, shift);
            Vector ao = io * Load(forces, at), a1 = ih * Load(forces, at + 8), a2 = ih * Load(forces, at + 16);
            Vector vo = Load(d.V, at), v1 = Load(d.V, at + 8), v2 = Load(d.V, at + 16);
            Lanes Rate(Vector b, Vector a, Vector v) => -(Vector.Dot(b, a) + Vector.Dot(v, v));
            var (f1, f2, f3) = Impulses(d1, d2, d3, Rate(d1, ao - a1, vo - v1), Rate(d2, ao - a2, vo - v2), Rate(d3, a1 - a2, v1 - v2));
            var some = Vector512.LessThan(Vector512.Create(0.0, 1, 2, 3, 4, 5, 6, 7), Lane.Of(count));
            virial[0] += Vector512.Sum(some & Lane.Fma(d1.X, f1.X, Lane.Fma(d2.X, f2.X, d3.X * f3.X)));
            virial[1] += Vector512.Sum(some & Lane.Fma(d1.Y, f1.Y, Lane.Fma(d2.Y, f2.Y, d3.Y * f3.Y)));
            virial[2] += Vector512.Sum(some & Lane.Fma(d1.Z, f1.Z, Lane.Fma(d2.Z, f2.Z, d3.Z * f3.Z)));
            virial[3] += Vector512.Sum(some & Lane.Fma(d1.Y, f1.Z, Lane.Fma(d2.Y, f2.Z, d3.Y * f3.Z)));
            virial[4] += Vector512.Sum(some & Lane.Fma(d1.X, f1.Z, Lane.Fma(d2.X, f2.Z, d3.X * f3.Z)));
            virial[5] += Vector512.Sum(some & Lane.Fma(d1.X, f1.Y, Lane.Fma(d2.X, f2.Y, d3.X * f3.Y)));
        }
    }

    private NumericalException Torn(Domain d, int first, byte lanes, int count)
    {
        int lane = Math.Min(count - 1, System.Numerics.BitOperations.TrailingZeroCount(lanes));
        var (o, h1, h2, _, _) = _molecules[first + lane];
        return new($"the rigid molecule of atoms {d.Tag[o] + 1}, {d.Tag[h1] + 1}, {d.Tag[h2] + 1} cannot be restored: the time step is too long, or forces are too large");
    }
}
