using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The embedded-atom method (M. S. Daw, M. I. Baskes, Phys. Rev. B 29, 6443, 1984) and Finnis–Sinclair potentials:
/// <code>
/// E   = Σ_i F_i(ρ_i) + Σ_{i&lt;j} φ_ij(r_ij),   ρ_i = Σ_j f_ij(r_ij)
/// F_i = −Σ_j [F_i′(ρ_i) f_ij′ + F_j′(ρ_j) f_ji′ + φ_ij′] (r_i − r_j)/r_ij
/// </code>
/// f_ij is what an atom of j's type gives to one of i's; it depends on j's type only, except in Finnis–Sinclair files.
/// </summary>
/// <remarks>
/// Functions are cubic splines, <see cref="EamFunctions.Spline"/>, the ones of LAMMPS. A density beyond the table continues F linearly; how many
/// atoms were there is <see cref="Eam.BeyondTable"/>. With mixed precision distances and functions of them
/// are in single precision, differences of positions, F and all sums in double: errors of forces near 4·10⁻⁷ of the largest one (bulk copper); energies and virials per atom always come from
/// the scalar kernel in double.
/// </remarks>
public sealed unsafe class Eam : Interaction
{
    private readonly EamFunctions _functions;
    private readonly int _types, _knots, _width;
    private readonly AlignedArray<double> _rows = new(), _rho = new(), _slope = new(), _squares = new(), _offsets = new(), _terms = new();
    private readonly AlignedArray<int> _first = new(), _neighbors = new();
    private readonly double[][] _embedding;
    private readonly bool _mixed;
    private readonly AlignedArray<float> _singles = new();
    private int _longest;

    internal Eam(EamFunctions functions, Precision precision)
    {
        _mixed = precision == Precision.Mixed;
        _functions = functions;
        _types = functions.Embedding.Length;
        _embedding = [.. functions.Embedding.Select(EamFunctions.Spline)];
        // A row per interval of r and pair of types, i the first: f_ij, r φ and, with several types, f_ji and nothing, four coefficients each.
        _width = _types == 1 ? 8 : 16;
        _knots = functions.PairTimesR[0][0].Length - 1;
        double* rows = _rows.Require((long)_types * _types * _knots * _width);
        for (int i = 0; i < _types; i++)
            for (int j = 0; j < _types; j++)
            {
                double[][] splines = [EamFunctions.Spline(functions.Density[i][j]), EamFunctions.Spline(functions.PairTimesR[i][j]), EamFunctions.Spline(functions.Density[j][i])];
                for (int k = 0; k < _knots; k++)
                    for (int c = 0; c < _width; c++)
                        rows[((i * _types + j) * (long)_knots + k) * _width + c] = c < 12 ? splines[c / 4][4 * k + c % 4] : 0;
            }
        if (!_mixed) return;
        long size = (long)_types * _types * _knots * _width;
        float* singles = _singles.Require(size);
        for (long k = 0; k < size; k++) singles[k] = (float)rows[k];
    }

    /// <summary>From funcfl files (.eam), one for each type.</summary>
    /// <param name="files">Files.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <exception cref="InputException">A file that cannot be read, with its line.</exception>
    public static Eam FromFuncfl(IReadOnlyList<string> files, Precision precision = Precision.Double) => new(EamFile.Funcfl(files), precision);

    /// <summary>From a setfl file (.eam.alloy).</summary>
    /// <param name="file">File.</param>
    /// <param name="elements">Element of each type, as the file names it.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <exception cref="InputException">A file that cannot be read, with its line; an element it does not have.</exception>
    public static Eam FromSetfl(string file, IReadOnlyList<string> elements, Precision precision = Precision.Double) => new(EamFile.Setfl(file, elements, finnisSinclair: false), precision);

    /// <summary>From a Finnis–Sinclair file (.eam.fs).</summary>
    /// <inheritdoc cref="FromSetfl"/>
    public static Eam FromFinnisSinclair(string file, IReadOnlyList<string> elements, Precision precision = Precision.Double) => new(EamFile.Setfl(file, elements, finnisSinclair: true), precision);

    /// <summary>The analytic potentials of Zhou, Johnson and Wadley, Phys. Rev. B 69, 144113 (2004): Cu, Ag, Au, Ni, Pd, Pt, Al, Pb, Fe, Mo, Ta, W, Mg, Co, Ti, Zr and their alloys.
    /// Smoothly cut off between 0.95 and 1 times √5 r_e.</summary>
    /// <param name="elements">Element of each type.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <exception cref="InputException">Another element.</exception>
    public static Eam FromZhou2004(IReadOnlyList<string> elements, Precision precision = Precision.Double) => new(Zhou2004.Functions(elements), precision);

    /// <inheritdoc/>
    public override string Description => $"embedded-atom method ({_functions.Source}{(_mixed ? "; mixed precision" : "")})";

    /// <inheritdoc/>
    public override double Cutoff => _functions.Cutoff;

    /// <inheritdoc/>
    public override ListKind Lists => ListKind.Half;

    /// <inheritdoc/>
    public override bool UsesRows => true;

    /// <summary>Atoms of this rank whose density lay beyond the table in the last evaluation: their F was continued linearly.</summary>
    public int BeyondTable { get; private set; }

    /// <inheritdoc/>
    public override void Prepare(Domain domain)
    {
        int slots = domain.Slots + 8;
        _rho.Require(slots);
        _slope.Require(slots);
        _first.Require(domain.OwnedSlots + 1L);
        _neighbors.Require(domain.Half.Length + 8L);
        _terms.Require(domain.Half.Length * (_types == 1 ? 2L : 3L) / (_mixed ? 2 : 1) + 48);
        _longest = 0;
        for (int c = 0; c < domain.OwnedClusters; c++) _longest = Math.Max(_longest, domain.Half.Start[8 * c + 8] - domain.Half.Start[8 * c]);
        _squares.Require(_longest + 32L);
        _offsets.Require(_longest + 32L);
    }

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) { Scalar(domain, ref tally); return; }
        if (_types == 1) Wide<OneType>(domain, ref tally);
        else Wide<ManyTypes>(domain, ref tally);
    }

    /// <summary>F of owned atoms into the tally (and to the energies per atom), F′ of all atoms into <see cref="_slope"/>. Densities of ghosts go to their owners first.</summary>
    private void Embed(Domain d, bool perAtom, ref Tally tally)
    {
        d.Fold(_rho.Pointer);
        double* rho = _rho.Pointer, slope = _slope.Pointer;
        double inverse = 1 / _functions.DRho, energy = 0;
        int beyond = 0;
        for (int s = 0; s < d.OwnedSlots; s++)
        {
            slope[s] = 0;
            if (d.Tag[s] < 0) continue;
            double[] spline = _embedding[d.Type[s]];
            int last = spline.Length / 4 - 1;
            double q = rho[s] * inverse;
            int k = Math.Clamp((int)q, 0, last);
            double p = Math.Min(q - k, 1);
            k *= 4;
            double value = ((spline[k] * p + spline[k + 1]) * p + spline[k + 2]) * p + spline[k + 3];
            slope[s] = ((3 * spline[k] * p + 2 * spline[k + 1]) * p + spline[k + 2]) * inverse;
            if (q > last + 1)
            {
                value += slope[s] * (rho[s] - (last + 1) * _functions.DRho);
                beyond++;
            }
            energy += value;
            if (perAtom) d.AtomEnergy[s] += value;
        }
        tally.Energy += energy;
        BeyondTable = beyond;
        d.Forward(slope);
    }

    /// <summary>Pairs one by one, with energies and virials per atom: half of a pair goes to each.</summary>
    internal void Scalar(Domain d, ref Tally tally)
    {
        double* x = d.X, f = d.F, rho = _rho.Pointer, slope = _slope.Pointer;
        _rho.Span(d.Slots + 8).Clear();
        double energy = 0;
        Span<double> w = stackalloc double[6];
        for (int pass = 0; pass < 2; pass++)
        {
            for (int i = 0; i < d.OwnedSlots; i++)
                for (int k = d.Half.Start[i]; k < d.Half.Start[i + 1]; k++)
                {
                    int j = d.Half.Index[k], a = i / 8 * 24 + i % 8, b = j / 8 * 24 + j % 8;
                    double dx = x[a] - x[b], dy = x[a + 8] - x[b + 8], dz = x[a + 16] - x[b + 16], r2 = dx * dx + dy * dy + dz * dz;
                    if (!(r2 < Cutoff * Cutoff)) continue;
                    double r = Math.Sqrt(r2), p = r / _functions.Dr;
                    int knot = Math.Min((int)p, _knots - 1);
                    p = Math.Min(p - knot, 1);
                    double* row = _rows.Pointer + ((d.Type[i] * _types + d.Type[j]) * (long)_knots + knot) * _width;
                    var fij = Cubic(row, p);
                    var fji = _types == 1 ? fij : Cubic(row + 8, p);
                    if (pass == 0)
                    {
                        rho[i] += fij.Value;
                        rho[j] += fji.Value;
                        continue;
                    }
                    var (z, dz1) = Cubic(row + 4, p);
                    double phi = z / r, s = -(slope[i] * fij.Slope + slope[j] * fji.Slope + (dz1 - phi) / r) / r;
                    energy += phi;
                    f[a] += s * dx;
                    f[a + 8] += s * dy;
                    f[a + 16] += s * dz;
                    f[b] -= s * dx;
                    f[b + 8] -= s * dy;
                    f[b + 16] -= s * dz;
                    d.AtomEnergy[i] += 0.5 * phi;
                    d.AtomEnergy[j] += 0.5 * phi;
                    (w[0], w[1], w[2], w[3], w[4], w[5]) = (s * dx * dx, s * dy * dy, s * dz * dz, s * dy * dz, s * dx * dz, s * dx * dy);
                    for (int c = 0; c < 6; c++)
                    {
                        d.AtomVirial[6 * i + c] += 0.5 * w[c];
                        d.AtomVirial[6 * j + c] += 0.5 * w[c];
                    }
                }
            if (pass == 0) Embed(d, true, ref tally);
        }
        tally.Energy += energy;
    }

    private (double Value, double Slope) Cubic(double* s, double p) =>
        (((s[0] * p + s[1]) * p + s[2]) * p + s[3], ((3 * s[0] * p + 2 * s[1]) * p + s[2]) / _functions.Dr);

    private void Wide<TTypes>(Domain d, ref Tally tally) where TTypes : struct, ITypeCount
    {
        double* x = d.X4, rho = _rho.Pointer, slope = _slope.Pointer;
        int slots = d.Slots + 8;
        _rho.Span(slots).Clear();
        // The fourth number of a position: where the type's rows begin, then F′.
        if (_types > 1) for (int s = 0; s < slots; s++) x[4 * s + 3] = d.Type[s] * (double)_knots;
        if (_mixed) MixedDensities<TTypes>(d, ref tally);
        else Densities<TTypes>(d, ref tally);
        Embed(d, false, ref tally);
        for (int s = 0; s < d.Slots; s++) x[4L * s + 3] = slope[s];
        if (_mixed) Forces<TTypes, float>(d);
        else Forces<TTypes, double>(d);
    }

    /// <summary>
    /// Neighbours within the cutoff of the atoms of cluster <paramref name="c"/>, packed: their slots from <c>_neighbors[first[i]]</c> on, squared distances (double or float) from the start of
    /// <see cref="_squares"/> on, beginnings of their rows of the table in <see cref="_offsets"/>. Each atom's are filled up to a multiple of eight.
    /// </summary>
    /// <returns>The next position in <see cref="_neighbors"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Near<TTypes, TReal>(Domain d, int c, int position, int* counts) where TTypes : struct, ITypeCount where TReal : unmanaged
    {
        bool many = typeof(TTypes) != typeof(OneType), mixed = typeof(TReal) == typeof(float);
        double* x = d.X4, squares = _squares.Pointer, offsets = _offsets.Pointer;
        int* start = d.Half.Start, index = d.Half.Index, first = _first.Pointer, neighbors = _neighbors.Pointer + position;
        var cutoff2 = Lane.Of(Cutoff * Cutoff);
        int n = 0;
        for (int r = 0; r < 8; r++)
        {
            int i = 8 * c + r, from = n;
            first[i] = position + n;
            Lanes xi = Lane.Of(x[4L * i]), yi = Lane.Of(x[4L * i + 1]), zi = Lane.Of(x[4L * i + 2]);
            int* end = index + start[i + 1];
            for (int* k = index + start[i]; k < end; k += 8)
            {
                Rows.Load4(x, k, out var dx, out var dy, out var dz, out var w);
                dx -= xi;
                dy -= yi;
                dz -= zi;
                var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
                var near = Vector512.LessThan(r2, cutoff2);
                if (many) Rows.Pack(near, w, offsets + n);
                Rows.Pack(near, Vector256.Load(k), neighbors + n);
                n += mixed ? Rows.Pack(near, r2, (float*)squares + n) : Rows.Pack(near, r2, squares + n);
            }
            counts[r] = n - from;
            // The far atom, at a distance that the tables have.
            Vector256.Create(d.Dummy).Store(neighbors + n);
            if (mixed) Vector256.Create((float)(Cutoff * Cutoff)).Store((float*)squares + n);
            else cutoff2.Store(squares + n);
            if (many) Lanes.Zero.Store(offsets + n);
            n = (n + 7) & ~7;
        }
        return position + n;
    }

    /// <summary>
    /// First sweep over pairs: ρ, Σ φ, and for each pair within the cutoff what the second sweep needs, f_ij′/r, φ′/r (and f_ji′/r), so that it looks up no table. Cluster by
    /// cluster: first the neighbours within the cutoff are packed, then their rows of the table are loaded whole and transposed.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Densities<TTypes>(Domain d, ref Tally tally) where TTypes : struct, ITypeCount
    {
        bool many = typeof(TTypes) != typeof(OneType);
        double* rho = _rho.Pointer, rows = _rows.Pointer, term = _terms.Pointer;
        int* knot = stackalloc int[8], counts = stackalloc int[8];
        double* give = stackalloc double[8];
        int position = 0;
        Lanes perDr = Lane.Of(1 / _functions.Dr), last = Lane.Of(_knots - 1), total = Lanes.Zero, two = Lane.Of(2), three = Lane.Of(3);
        var lanes = Vector512.Create(0.0, 1, 2, 3, 4, 5, 6, 7);
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            int* neighbor = _neighbors.Pointer + position;
            double* square = _squares.Pointer, offset = _offsets.Pointer;
            position = Near<TTypes, double>(d, c, position, counts);
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                Lanes sum = Lanes.Zero;
                double* table = many ? rows + (long)d.Type[i] * _types * _knots * 16 : rows;
                for (int left = counts[r]; left > 0; left -= 8, square += 8, offset += 8, neighbor += 8)
                {
                    var real = Vector512.LessThan(lanes, Lane.Of(left));
                    var distance = Vector512.Sqrt(Vector512.Load(square));
                    var inverse = Lanes.One / distance;
                    var p = distance * perDr;
                    var low = Vector512.Floor(Vector512.Min(p, last));
                    p = Vector512.Min(p - low, Lanes.One);
                    Rows.ToInt32(many ? low + Vector512.Load(offset) : low).Store(knot);
                    Rows.Load8(table, knot, many ? 16 : 8, out var a0, out var a1, out var a2, out var a3, out var z0, out var z1, out var z2, out var z3);
                    var value = Lane.Fma(Lane.Fma(Lane.Fma(a0, p, a1), p, a2), p, a3) & real;
                    var slope = Lane.Fma(Lane.Fma(three * a0, p, two * a1), p, a2) * perDr * inverse & real;
                    var phi = Lane.Fma(Lane.Fma(Lane.Fma(z0, p, z1), p, z2), p, z3) * inverse & real;
                    var force = Lane.Fma(Lane.Fma(Lane.Fma(three * z0, p, two * z1), p, z2), perDr, -phi) * inverse * inverse & real;
                    sum += value;
                    total += phi;
                    slope.Store(term);
                    force.Store(term + 8);
                    term += 16;
                    if (many)
                    {
                        Rows.Load8(table + 8, knot, 16, out var b0, out var b1, out var b2, out var b3, out _, out _, out _, out _);
                        value = Lane.Fma(Lane.Fma(Lane.Fma(b0, p, b1), p, b2), p, b3) & real;
                        (Lane.Fma(Lane.Fma(three * b0, p, two * b1), p, b2) * perDr * inverse & real).Store(term);
                        term += 8;
                    }
                    value.Store(give);
                    Rows.Add(rho, neighbor, give);
                }
                rho[i] += Vector512.Sum(sum);
            }
        }
        _first.Pointer[d.OwnedSlots] = position;
        tally.Energy += Vector512.Sum(total);
    }

    /// <summary>The same with functions of distance in single precision, sixteen pairs at a time; differences of positions and all sums stay in double.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void MixedDensities<TTypes>(Domain d, ref Tally tally) where TTypes : struct, ITypeCount
    {
        bool many = typeof(TTypes) != typeof(OneType);
        double* rho = _rho.Pointer;
        float* rows = _singles.Pointer, term = (float*)_terms.Pointer;
        int* knot = stackalloc int[16], counts = stackalloc int[8];
        double* give = stackalloc double[16];
        int position = 0;
        Vector512<float> one = Vector512<float>.One, perDr = Vector512.Create((float)(1 / _functions.Dr)), last = Vector512.Create(_knots - 1f), two = Vector512.Create(2f), three = Vector512.Create(3f);
        var lanes = Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        var total = Lanes.Zero;
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            int* neighbor = _neighbors.Pointer + position;
            float* square = (float*)_squares.Pointer;
            double* offset = _offsets.Pointer;
            position = Near<TTypes, float>(d, c, position, counts);
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                Lanes sum = Lanes.Zero;
                float* table = many ? rows + (long)d.Type[i] * _types * _knots * 16 : rows;
                // The second eight of the last round may be the next atom's: computed, not counted.
                for (int left = counts[r]; left > 0; left -= 16)
                {
                    int taken = left > 8 ? 16 : 8;
                    var real = Vector512.LessThan(lanes, Vector512.Create((float)left));
                    var distance = Vector512.Sqrt(Vector512.Load(square));
                    var inverse = one / distance;
                    var p = distance * perDr;
                    var low = Vector512.Floor(Vector512.Min(p, last));
                    p = Vector512.Min(p - low, one);
                    var at = Vector512.ConvertToInt32(low);
                    if (many) at += Vector512.Create(Rows.ToInt32(Vector512.Load(offset)), Rows.ToInt32(Vector512.Load(offset + 8)));
                    at.Store(knot);
                    Rows.Load8(table, knot, many ? 16 : 8, out var a0, out var a1, out var a2, out var a3, out var z0, out var z1, out var z2, out var z3);
                    var value = Fma(Fma(Fma(a0, p, a1), p, a2), p, a3) & real;
                    var slope = Fma(Fma(three * a0, p, two * a1), p, a2) * perDr * inverse & real;
                    var phi = Fma(Fma(Fma(z0, p, z1), p, z2), p, z3) * inverse & real;
                    var force = Fma(Fma(Fma(three * z0, p, two * z1), p, z2), perDr, -phi) * inverse * inverse & real;
                    var (lower, upper) = Vector512.Widen(phi);
                    total += lower + upper;
                    (lower, upper) = Vector512.Widen(value);
                    sum += lower + upper;
                    slope.GetLower().Store(term);
                    force.GetLower().Store(term + 8);
                    slope.GetUpper().Store(term + (many ? 24 : 16));
                    force.GetUpper().Store(term + (many ? 32 : 24));
                    if (many)
                    {
                        Rows.Load8(table + 8, knot, 16, out var b0, out var b1, out var b2, out var b3, out _, out _, out _, out _);
                        (lower, upper) = Vector512.Widen(Fma(Fma(Fma(b0, p, b1), p, b2), p, b3) & real);
                        slope = Fma(Fma(three * b0, p, two * b1), p, b2) * perDr * inverse & real;
                        slope.GetLower().Store(term + 16);
                        slope.GetUpper().Store(term + 40);
                    }
                    lower.Store(give);
                    upper.Store(give + 8);
                    Rows.Add(rho, neighbor, give);
                    if (taken > 8) Rows.Add(rho, neighbor + 8, give + 8);
                    term += (many ? 3 : 2) * taken;
                    square += taken;
                    offset += taken;
                    neighbor += taken;
                }
                rho[i] += Vector512.Sum(sum);
            }
        }
        _first.Pointer[d.OwnedSlots] = position;
        tally.Energy += Vector512.Sum(total);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fma(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.FusedMultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Term<TReal>(TReal* at) where TReal : unmanaged =>
        typeof(TReal) == typeof(double) ? Vector512.Load((double*)at) : Rows.Widen((float*)at);

    /// <summary>Second sweep: forces of the pairs that <see cref="Densities"/> found.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Forces<TTypes, TReal>(Domain d) where TTypes : struct, ITypeCount where TReal : unmanaged
    {
        bool many = typeof(TTypes) != typeof(OneType);
        double* x = d.X4, f = d.F4;
        var term = (TReal*)_terms.Pointer;
        int* first = _first.Pointer, neighbors = _neighbors.Pointer;
        for (int i = 0; i < d.OwnedSlots; i++)
        {
            int* k = neighbors + first[i], end = neighbors + first[i + 1];
            if (k == end) continue;
            Lanes xi = Lane.Of(x[4L * i]), yi = Lane.Of(x[4L * i + 1]), zi = Lane.Of(x[4L * i + 2]), fi = Lane.Of(x[4L * i + 3]);
            Lanes ax = Lanes.Zero, ay = Lanes.Zero, az = Lanes.Zero;
            for (; k < end; k += 8)
            {
                Rows.Load4(x, k, out var dx, out var dy, out var dz, out var fj);
                Lanes s;
                if (many)
                {
                    s = Lane.Fma(fi, Term(term), Lane.Fma(fj, Term(term + 16), Term(term + 8)));
                    term += 24;
                }
                else
                {
                    s = Lane.Fma(fi + fj, Term(term), Term(term + 8));
                    term += 16;
                }
                dx = (dx - xi) * s;
                dy = (dy - yi) * s;
                dz = (dz - zi) * s;
                ax += dx;
                ay += dy;
                az += dz;
                Rows.Subtract3(f, k, dx, dy, dz);
            }
            double* fo = f + 4L * i;
            fo[0] += Vector512.Sum(ax);
            fo[1] += Vector512.Sum(ay);
            fo[2] += Vector512.Sum(az);
        }
    }
}
