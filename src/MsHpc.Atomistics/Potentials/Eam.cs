using System.Numerics;
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
    private readonly AlignedArray<double> _rows = new(), _rho = new(), _slope = new(), _positions = new(), _forces = new();
    private readonly double[][] _embedding;
    private readonly bool _mixed;
    private readonly AlignedArray<float> _singles = new();
    private readonly Action<Domain.Tile> _findDensities, _embed, _addForces;
    private readonly Action<int, int> _push, _pull;
    private Found[] _found = []; // of each tile
    private Scratch[] _scratch = []; // of each thread
    private Domain _domain = null!;

    /// <summary>Pairs within the cutoff of the atoms of a tile. Neighbours of its slot s are <c>Neighbors[First[s]] … Neighbors[First[s + 1] − 1]</c>, filled up to
    /// multiples of eight with s itself; terms lie in vectors, each kind for eight pairs after the other.</summary>
    private sealed class Found
    {
        public readonly AlignedArray<int> First = new(), Neighbors = new();
        public readonly AlignedArray<double> Terms = new();
        public double Energy;
        public int Beyond;
    }

    /// <summary>Squared distances (double or float) and types of the neighbours of a cluster.</summary>
    private sealed class Scratch
    {
        public readonly AlignedArray<double> Squares = new();
        public readonly AlignedArray<int> Kinds = new();
        public int Shift, Astray;
    }

    internal Eam(EamFunctions functions, Precision precision)
    {
        (_mixed, _functions) = (precision == Precision.Mixed, functions);
        (_findDensities, _embed, _addForces, _push, _pull) = (FindDensities, Embed, AddForces, Push, Pull);
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
    public override ListKind Lists => ListKind.Clusters;

    /// <summary>Atoms of this rank whose density lay beyond the table in the last evaluation: their F was continued linearly.</summary>
    public int BeyondTable { get; private set; }

    /// <inheritdoc/>
    public override void Prepare(Domain domain)
    {
        if (domain.TypeCount > _types) throw new InputException($"{Description}: functions of {_types} kinds of atoms, but there are {domain.TypeCount}");
        int slots = domain.Slots + 8;
        _rho.Require(slots);
        _slope.Require(slots);
        _positions.Require(4L * slots);
        _forces.Require(4L * slots);
        while (_found.Length < domain.Slabs) _found = [.. _found, new Found()];
        while (_scratch.Length < domain.Team.Count) _scratch = [.. _scratch, new Scratch()];
    }

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        _domain = domain;
        _rho.Span(domain.Slots + 8).Clear();
        if ((want & Want.PerAtom) != 0)
        {
            Scalar(domain, ref tally);
            return;
        }
        domain.RunSlabs(_findDensities);
        for (int t = 0; t < domain.Slabs; t++) tally.Energy += _found[t].Energy;
        EmbedAll(ref tally);
        domain.RunBlocks(domain.Clusters, _push);
        domain.RunSlabs(_addForces);
        domain.RunBlocks(domain.Clusters, _pull);
    }

    /// <summary>F of owned atoms into the tally, F′ of all atoms into <see cref="_slope"/>. Densities of ghosts go to their owners first.</summary>
    private void EmbedAll(ref Tally tally)
    {
        _domain.Fold(_rho.Pointer);
        _domain.RunSlabs(_embed);
        BeyondTable = 0;
        for (int t = 0; t < _domain.Slabs; t++)
        {
            tally.Energy += _found[t].Energy;
            BeyondTable += _found[t].Beyond;
        }
        _domain.Forward(_slope.Pointer);
    }

    private void Embed(Domain.Tile tile)
    {
        var (d, found) = (_domain, _found[tile.Index]);
        (found.Energy, found.Beyond) = (0, 0);
        for (int s = 8 * tile.First; s < 8 * tile.End; s++)
        {
            bool beyond = false;
            double energy = d.Tag[s] < 0 ? _slope.Pointer[s] = 0 : Embedding(d.Type[s], _rho.Pointer[s], out _slope.Pointer[s], out beyond);
            found.Energy += energy;
            if (beyond) found.Beyond++;
        }
    }

    /// <summary>F and F′.</summary>
    private double Embedding(int type, double rho, out double slope, out bool beyond)
    {
        double[] spline = _embedding[type];
        int last = spline.Length / 4 - 1;
        double inverse = 1 / _functions.DRho, q = rho * inverse;
        int k = Math.Clamp((int)q, 0, last);
        double p = Math.Min(q - k, 1);
        k *= 4;
        slope = ((3 * spline[k] * p + 2 * spline[k + 1]) * p + spline[k + 2]) * inverse;
        double value = ((spline[k] * p + spline[k + 1]) * p + spline[k + 2]) * p + spline[k + 3];
        beyond = q > last + 1;
        return beyond ? value + slope * (rho - (last + 1) * _functions.DRho) : value;
    }

    /// <summary>Pairs one by one, with energies and virials per atom: half of a pair goes to each.</summary>
    private void Scalar(Domain d, ref Tally tally)
    {
        double* x = d.X, f = d.F, rho = _rho.Pointer, slope = _slope.Pointer;
        double energy = 0;
        d.EachPair((i, j) =>
        {
            if (Pair(i, j, out _, out _, out var fij, out var fji, out _) == 0) return;
            rho[i] += fij.Value;
            rho[j] += fji.Value;
        });
        EmbedAll(ref tally);
        for (int s = 0; s < d.OwnedSlots; s++) if (d.Tag[s] >= 0) d.AtomEnergy[s] += Embedding(d.Type[s], rho[s], out _, out _);
        d.EachPair((i, j) =>
        {
            if (Pair(i, j, out int a, out int b, out var fij, out var fji, out var z) is not (> 0 and double r)) return;
            double dx = x[a] - x[b], dy = x[a + 8] - x[b + 8], dz = x[a + 16] - x[b + 16];
            double phi = z.Value / r, s = -(slope[i] * fij.Slope + slope[j] * fji.Slope + (z.Slope - phi) / r) / r;
            energy += phi;
            f[a] += s * dx;
            f[a + 8] += s * dy;
            f[a + 16] += s * dz;
            f[b] -= s * dx;
            f[b + 8] -= s * dy;
            f[b + 16] -= s * dz;
            d.AtomEnergy[i] += 0.5 * phi;
            d.AtomEnergy[j] += 0.5 * phi;
            ReadOnlySpan<double> w = [s * dx * dx, s * dy * dy, s * dz * dz, s * dy * dz, s * dx * dz, s * dx * dy];
            for (int c = 0; c < 6; c++)
            {
                d.AtomVirial[6 * i + c] += 0.5 * w[c];
                d.AtomVirial[6 * j + c] += 0.5 * w[c];
            }
        });
        tally.Energy += energy;

        // The distance, 0 beyond the cutoff.
        double Pair(int i, int j, out int a, out int b, out (double Value, double Slope) fij, out (double Value, double Slope) fji, out (double Value, double Slope) z)
        {
            (a, b) = (i / 8 * 24 + i % 8, j / 8 * 24 + j % 8);
            (fij, fji, z) = (default, default, default);
            double dx = x[a] - x[b], dy = x[a + 8] - x[b + 8], dz = x[a + 16] - x[b + 16], r2 = dx * dx + dy * dy + dz * dz;
            if (!(r2 < Cutoff * Cutoff)) return 0;
            double r = Math.Sqrt(r2), p = r / _functions.Dr;
            int knot = Math.Min((int)p, _knots - 1);
            p = Math.Min(p - knot, 1);
            double* row = _rows.Pointer + ((d.Type[i] * _types + d.Type[j]) * (long)_knots + knot) * _width;
            (fij, z) = (Cubic(row, p), Cubic(row + 4, p));
            fji = _types == 1 ? fij : Cubic(row + 8, p);
            return r;
        }
    }

    private (double Value, double Slope) Cubic(double* s, double p) =>
        (((s[0] * p + s[1]) * p + s[2]) * p + s[3], ((3 * s[0] * p + 2 * s[1]) * p + s[2]) / _functions.Dr);

    private void FindDensities(Domain.Tile tile)
    {
        var (found, scratch) = (_found[tile.Index], _scratch[tile.Worker]);
        found.First.Require(8L * (tile.End - tile.First) + 1);
        // Half a sphere of neighbours each, a tenth more of them at times, and the filling: what is short of that grows.
        double each = 1.1 * 2 / 3 * Math.PI * Math.Pow(Cutoff, 3) * _domain.AtomCount / _domain.Cell.Volume + 4;
        Reserve(found, (int)Math.Min(8 * (tile.End - tile.First) * each, 1e8), 0);
        // See Shells: vectors that find no register shall not straddle two lines of the cache.
        byte* shift = stackalloc byte[scratch.Shift + 1];
        *shift = 0;
        found.Energy = (_mixed, _types) switch
        {
            (false, 1) => Densities<OneType, double>(tile, found, scratch, _rows.Pointer),
            (false, _) => Densities<ManyTypes, double>(tile, found, scratch, _rows.Pointer),
            (true, 1) => Densities<OneType, float>(tile, found, scratch, _singles.Pointer),
            (true, _) => Densities<ManyTypes, float>(tile, found, scratch, _singles.Pointer),
        };
        scratch.Shift = scratch.Shift + scratch.Astray & 63;
    }

    private void Reserve(Found found, int pairs, int keep)
    {
        found.Neighbors.Require(pairs, keep);
        int terms = (_types == 1 ? 2 : 3) * (_mixed ? 4 : 8);
        found.Terms.Require((pairs + 7L) / 8 * terms, keep / 8 * terms);
    }

    private void AddForces(Domain.Tile tile)
    {
        var found = _found[tile.Index];
        if (_mixed && _types == 1) Forces<OneType, float>(tile, found);
        else if (_mixed) Forces<ManyTypes, float>(tile, found);
        else if (_types == 1) Forces<OneType, double>(tile, found);
        else Forces<ManyTypes, double>(tile, found);
    }

    /// <summary>Positions with F′ as rows of four numbers; forces in such rows are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Push(int first, int end)
    {
        double* x = _domain.X, slope = _slope.Pointer, to = _positions.Pointer;
        for (int c = first; c < end; c++)
            Rows.Store4(Vector512.Load(x + 24L * c), Vector512.Load(x + 24L * c + 8), Vector512.Load(x + 24L * c + 16), Vector512.Load(slope + 8L * c), to + 32L * c);
        new Span<double>(_forces.Pointer + 32L * first, 32 * (end - first)).Clear();
    }

    /// <summary>Adds the rows of forces to the domain's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Pull(int first, int end)
    {
        double* f = _domain.F + 24L * first, rows = _forces.Pointer + 32L * first;
        int* eight = stackalloc int[8];
        Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7).Store(eight);
        for (int c = first; c < end; c++, f += 24, rows += 32)
        {
            Wide<double>.LoadRows(rows, eight, out var x, out var y, out var z, out _);
            (Vector512.Load(f) + x).Store(f);
            (Vector512.Load(f + 8) + y).Store(f + 8);
            (Vector512.Load(f + 16) + z).Store(f + 16);
        }
    }

    /// <summary>
    /// Packs the neighbours within the cutoff of the atoms of cluster <paramref name="c"/>: slots, squared distances (double or float) and types from the start of the
    /// scratch on. Each atom's are filled up to a multiple of eight with itself, at a distance that the tables have.
    /// </summary>
    /// <param name="d">Atoms.</param>
    /// <param name="c">Cluster.</param>
    /// <param name="found">Its neighbours go there, from the position on.</param>
    /// <param name="scratch">For squared distances and types.</param>
    /// <param name="first">Of slot 0 of the domain; beginnings of the rows of this cluster are filled in.</param>
    /// <param name="position">Neighbours that are there.</param>
    /// <param name="counts">Neighbours of each atom.</param>
    /// <returns>The next position.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private int Near<TTypes, T>(Domain d, int c, Found found, Scratch scratch, int* first, int position, int* counts) where TTypes : struct, ITypeCount where T : unmanaged
    {
        bool many = typeof(TTypes) != typeof(OneType), masks = d.Pairs.HasMasks;
        int* start = d.Pairs.RowStart, offset = d.Pairs.Offset, maskedStart = d.Pairs.MaskedRowStart, type = d.Type;
        // All lanes of all entries, the own cluster's and a last vector.
        int most = 8 * (start[8 * c + 8] - start[8 * c] + (masks ? maskedStart[8 * c + 8] - maskedStart[8 * c] : 0) + 8) + 64;
        Reserve(found, position + most, position);
        int* neighbors = found.Neighbors.Pointer + position, kinds = scratch.Kinds.Require(most);
        double* x = d.X, xc = x + 24L * c;
        T* squares = (T*)scratch.Squares.Require(most);
        ulong* places = Rows.Places;
        var cutoff2 = Lane.Of(Cutoff * Cutoff);
        int n = 0;
        for (int r = 0; r < 8; r++)
        {
            int i = 8 * c + r, from = n;
            first[i] = position + n;
            Lanes xi = Lane.Of(xc[r]), yi = Lane.Of(xc[8 + r]), zi = Lane.Of(xc[16 + r]);
            n = Take<TTypes, T>(x, type, places, 24 * c, xi, yi, zi, cutoff2 & Lane.Mask(masks ? d.Pairs.Inside[i] : (byte)(0xfe << r)), n, neighbors, squares, kinds);
            for (int k = masks ? maskedStart[i] : 0; masks && k < maskedStart[i + 1]; k++)
                n = Take<TTypes, T>(x, type, places, d.Pairs.MaskedOffset[k], xi, yi, zi, cutoff2 & Lane.Mask(d.Pairs.Mask[k]), n, neighbors, squares, kinds);
            int* end = offset + start[i + 1];
            for (int* k = offset + start[i]; k < end; k++) n = Take<TTypes, T>(x, type, places, *k, xi, yi, zi, cutoff2, n, neighbors, squares, kinds);
            counts[r] = n - from;
            Vector256.Create(i).Store(neighbors + n);
            Put(cutoff2, squares + n);
            if (many) Vector256<int>.Zero.Store(kinds + n);
            n = (n + 7) & ~7;
        }
        return position + n;
    }

    /// <summary>Packs those atoms of the cluster at an offset whose squared distance is below the limit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Take<TTypes, T>(double* all, int* type, ulong* places, int offset, Lanes x, Lanes y, Lanes z, Lanes limit, int n, int* neighbors, T* squares, int* kinds)
        where TTypes : struct, ITypeCount where T : unmanaged
    {
        double* p = all + offset;
        Lanes dx = Vector512.Load(p) - x, dy = Vector512.Load(p + 8) - y, dz = Vector512.Load(p + 16) - z;
        var r2 = Lane.Fma(dz, dz, Lane.Fma(dy, dy, dx * dx));
        uint near = (uint)Vector512.LessThan(r2, limit).ExtractMostSignificantBits();
        int slot = offset / 3;
        places += near;
        (Rows.Integers(places) + Vector256.Create(slot)).Store(neighbors + n);
        if (typeof(TTypes) != typeof(OneType)) Rows.Pack(Vector256.Load(type + slot), places).Store(kinds + n);
        Put(Rows.Pack(r2, places), squares + n);
        return n + BitOperations.PopCount(near);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<T>(Lanes value, T* to) where T : unmanaged
    {
        if (typeof(T) == typeof(double)) value.Store((double*)to);
        else Vector256.Narrow(value.GetLower(), value.GetUpper()).Store((float*)to);
    }

    /// <summary>
    /// First sweep over pairs: ρ, Σ φ, and for each pair within the cutoff what the second sweep needs, f_ij′/r, φ′/r (and f_ji′/r), so that it looks up no table. Cluster by
    /// cluster: first the neighbours within the cutoff are packed, then their rows of the table are loaded whole and transposed. With single precision, sixteen
    /// pairs at a time, differences of positions and all sums stay in double.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private double Densities<TTypes, T>(Domain.Tile tile, Found found, Scratch scratch, T* rows) where TTypes : struct, ITypeCount where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        bool many = typeof(TTypes) != typeof(OneType);
        var d = _domain;
        double* rho = _rho.Pointer;
        int w = Wide<T>.Width, position = 0, knots = _knots, vectors = many ? 3 : 2;
        int* first = found.First.Pointer - 8 * tile.First, at = stackalloc int[16], counts = stackalloc int[8];
        double* give = stackalloc double[16];
        Vector512<T> one = Vector512<T>.One, perDr = Wide<T>.Of(1 / _functions.Dr), last = Wide<T>.Of(_knots - 1);
        Vector512<T> lanes = Vector512<T>.Indices;
        var total = Lanes.Zero;
        for (int c = tile.First; c < tile.End; c++)
        {
            int begin = position;
            position = Near<TTypes, T>(d, c, found, scratch, first, position, counts);
            int* neighbor = found.Neighbors.Pointer + begin, kind = scratch.Kinds.Pointer;
            T* square = (T*)scratch.Squares.Pointer, term = (T*)found.Terms.Pointer + begin * vectors;
            for (int r = 0; r < 8; r++)
            {
                int i = 8 * c + r;
                var sum = Lanes.Zero;
                T* table = many ? rows + (long)d.Type[i] * _types * _knots * 16 : rows;
                // The second eight of the last sixteen may be the next atom's: computed, not counted.
                for (int left = counts[r], taken; left > 0; left -= taken)
                {
                    taken = left > 8 ? w : 8;
                    Vector512<T> r2 = Vector512.Load(square), inverse, distance;
                    if (typeof(T) == typeof(double))
                    {
                        inverse = Wide<T>.ReciprocalSqrt(r2);
                        distance = r2 * inverse;
                    }
                    else
                    {
                        distance = Vector512.Sqrt(r2);
                        inverse = one / distance;
                    }
                    var real = Vector512.LessThan(lanes, Vector512.Create(T.CreateTruncating(left)));
                    inverse &= real;
                    var p = distance * perDr;
                    var low = Wide<T>.Floor(Vector512.MinNative(p, last));
                    p = Vector512.MinNative(p - low, one);
                    Offsets<TTypes, T>(low, kind, knots, at);
                    Wide<T>.LoadRows(table, at, out var a0, out var a1, out var a2, out var a3, out var z0, out var z1, out var z2, out var z3);
                    var value = Cubic(a0, a1, a2, a3, p, out var slope) & real;
                    var phi = Cubic(z0, z1, z2, z3, p, out var phiSlope) * inverse;
                    var force = Wide<T>.Fma(phiSlope, perDr, -phi) * inverse * inverse;
                    sum += Wide<T>.Widen(value);
                    total += Wide<T>.Widen(phi);
                    Wide<T>.StoreEights(slope * perDr * inverse, term, 8 * vectors);
                    Wide<T>.StoreEights(force, term + 8, 8 * vectors);
                    if (many)
                    {
                        Wide<T>.LoadRows(table + 8, at, out a0, out a1, out a2, out a3, out _, out _, out _, out _);
                        value = Cubic(a0, a1, a2, a3, p, out slope) & real;
                        Wide<T>.StoreEights(slope * perDr * inverse, term + 16, 8 * vectors);
                    }
                    Wide<T>.StoreDoubles(value, give);
                    Rows.Add(rho, neighbor, give);
                    if (taken > 8) Rows.Add(rho, neighbor + 8, give + 8);
                    term += vectors * taken;
                    square += taken;
                    kind += taken;
                    neighbor += taken;
                }
                rho[i] += Vector512.Sum(sum);
            }
        }
        first[8 * tile.End] = position;
        Lanes probe = total;
        scratch.Astray = (int)((nint)(&probe) & 63);
        return Vector512.Sum(probe);
    }

    /// <summary>Where rows begin, from numbers of knots and the neighbours' types.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Offsets<TTypes, T>(Vector512<T> knot, int* kind, int knots, int* at) where TTypes : struct, ITypeCount where T : unmanaged
    {
        bool one = typeof(TTypes) == typeof(OneType);
        if (typeof(T) == typeof(double))
        {
            var k = Rows.ToInt32(knot.AsDouble());
            (one ? k << 3 : k + Vector256.Load(kind) * knots << 4).Store(at);
        }
        else
        {
            var k = Vector512.ConvertToInt32Native(knot.AsSingle());
            (one ? k << 3 : k + Vector512.Load(kind) * knots << 4).Store(at);
        }
    }

    /// <summary>A cubic of p and its derivative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> Cubic<T>(Vector512<T> s0, Vector512<T> s1, Vector512<T> s2, Vector512<T> s3, Vector512<T> p, out Vector512<T> slope) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        Vector512<T> a = Wide<T>.Fma(s0, p, s1), b = Wide<T>.Fma(a, p, s2);
        slope = Wide<T>.Fma(Wide<T>.Fma(s0, p, a), p, b);
        return Wide<T>.Fma(b, p, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lanes Term<T>(T* at) where T : unmanaged => typeof(T) == typeof(double) ? Vector512.Load((double*)at) : Rows.Widen((float*)at);

    /// <summary>Second sweep: forces of the pairs that <see cref="Densities"/> found.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void Forces<TTypes, TReal>(Domain.Tile tile, Found found) where TTypes : struct, ITypeCount where TReal : unmanaged
    {
        bool many = typeof(TTypes) != typeof(OneType);
        double* x = _positions.Pointer, f = _forces.Pointer;
        var term = (TReal*)found.Terms.Pointer;
        int* first = found.First.Pointer - 8 * tile.First, neighbors = found.Neighbors.Pointer;
        for (int i = 8 * tile.First; i < 8 * tile.End; i++)
        {
            int* k = neighbors + first[i], end = neighbors + first[i + 1];
            if (k == end) continue;
            Lanes xi = Lane.Of(x[4L * i]), yi = Lane.Of(x[4L * i + 1]), zi = Lane.Of(x[4L * i + 2]), fi = Lane.Of(x[4L * i + 3]);
            Lanes ax = Lanes.Zero, ay = Lanes.Zero, az = Lanes.Zero;
            for (; k < end; k += 8)
            {
                Wide<double>.LoadRows(x, k, out var dx, out var dy, out var dz, out var fj);
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
                Wide<double>.AddRows(f, k, -dx, -dy, -dz);
            }
            double* fo = f + 4L * i;
            fo[0] += Vector512.Sum(ax);
            fo[1] += Vector512.Sum(ay);
            fo[2] += Vector512.Sum(az);
        }
    }
}
