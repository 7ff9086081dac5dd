using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// A law between two, three or four named atoms, twice: scalar to read, wide to run. Coordinates are x, y, z of the first atom, of the second
/// and so on; forces are written in the same order and sum up to zero.
/// </summary>
internal interface IBondedForm
{
    /// <summary>Atoms of one term, at most four.</summary>
    static abstract int Atoms { get; }

    /// <summary>Energy, eV, and forces, eV/Å, of one term.</summary>
    static abstract double Evaluate(ReadOnlySpan<double> r, ReadOnlySpan<double> p, Span<double> f);

    /// <summary>Energies and forces of eight terms.</summary>
    static abstract Lanes Evaluate(ReadOnlySpan<Lanes> r, ReadOnlySpan<Lanes> p, Span<Lanes> f);
}

/// <summary>
/// Terms between named atoms: bonds, angles, torsions, 1–4 pairs. A term belongs to the rank that owns its first atom; each further atom is the
/// copy nearest to the one before it. Energy and virial of a term go to its atoms in equal shares (the convention of LAMMPS).
/// </summary>
internal abstract unsafe class BondedTerms<TForm> : Interaction where TForm : struct, IBondedForm
{
    private readonly int[] _atoms, _types;
    private readonly double[] _rows;
    private readonly int _parameters;
    private readonly AlignedArray<int> _at = new();
    private readonly AlignedArray<double> _values = new();
    private int _count, _blocks;

    /// <param name="atoms">Indices of the atoms, <c>TForm.Atoms</c> per term.</param>
    /// <param name="types">Row of parameters of each term.</param>
    /// <param name="rows">Parameters, row after row.</param>
    /// <param name="parameters">Numbers per row.</param>
    /// <param name="reach">How far the first atom of a term may be from the others, Å.</param>
    protected BondedTerms(int[] atoms, int[] types, double[] rows, int parameters, double reach)
    {
        (_atoms, _types, _rows, _parameters, Cutoff) = (atoms, types, rows, parameters, reach);
        if (!(reach >= 0) || !double.IsFinite(reach)) throw new InputException($"the reach of bonded terms must be a length, not {reach}");
    }

    public override double Cutoff { get; }

    /// <summary>What a term is called in messages.</summary>
    protected abstract string Noun { get; }

    /// <summary>Finds the slots of this rank's terms; eight terms side by side, the last block filled up with copies of its first term that do not count.</summary>
    public override void Prepare(Domain domain)
    {
        int n = TForm.Atoms, terms = _types.Length;
        int* at = _at.Require((long)n * (terms + 8));
        double* values = _values.Require((long)_parameters * (terms + 8));
        Span<int> slots = stackalloc int[4];
        bool images = domain.Cell.IsPeriodic || domain.Comm.Size > 1;
        double halo = Math.Max(domain.Reach + domain.Skin, domain.MinimumHalo);
        _count = 0;
        for (int t = 0; t < terms; t++)
        {
            slots[0] = domain.OwnedSlot(_atoms[n * t]);
            if (slots[0] < 0) continue;
            for (int a = 1; a < n; a++)
            {
                slots[a] = domain.Closest(slots[a - 1], _atoms[n * t + a]);
                if (images && (slots[a] < 0 || !(Distance(domain, slots[0], slots[a]) <= halo) || !IsNearest(domain, slots[a - 1], slots[a])))
                    throw new NumericalException($"{Noun} of atoms {string.Join(", ", _atoms.AsSpan(n * t, n).ToArray().Select(i => i + 1))} is longer than the halo of {halo:g4} Å: "
                        + "the molecule is torn, or the force field needs a larger reach");
            }
            Put(slots, _types[t]);
            _count++;
        }
        _blocks = Lane.Blocks(_count);
        for (int k = _count; k < 8 * _blocks; k++)
        {
            for (int a = 0; a < n; a++) at[Index(k, n, a)] = at[Index(8 * (_blocks - 1), n, a)];
            for (int p = 0; p < _parameters; p++) values[Index(k, _parameters, p)] = values[Index(8 * (_blocks - 1), _parameters, p)];
        }

        void Put(ReadOnlySpan<int> slots, int type)
        {
            for (int a = 0; a < n; a++) _at.Pointer[Index(_count, n, a)] = slots[a] / 8 * 24 + slots[a] % 8;
            for (int p = 0; p < _parameters; p++) _values.Pointer[Index(_count, _parameters, p)] = _rows[type * _parameters + p];
        }
    }

    /// <summary>Place of number a of term k: blocks of eight terms, in a block number after number.</summary>
    private static int Index(int k, int numbers, int a) => (k / 8 * numbers + a) * 8 + k % 8;

    private static double Distance(Domain d, int i, int j)
    {
        double* a = d.X + (i / 8 * 24 + i % 8), b = d.X + (j / 8 * 24 + j % 8);
        return Math.Sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[8] - b[8]) * (a[8] - b[8]) + (a[16] - b[16]) * (a[16] - b[16]));
    }

    /// <summary>Whether no other image of j is nearer to i: beyond the minimum halo not all copies are known, and the nearest may be one that is not.</summary>
    private static bool IsNearest(Domain d, int i, int j)
    {
        double distance = Distance(d, i, j);
        if (distance <= d.MinimumHalo) return true;
        double* a = d.X + (i / 8 * 24 + i % 8), b = d.X + (j / 8 * 24 + j % 8);
        var (x, y, z) = MolecularForceField.Nearest(d.Cell, b[0] - a[0], b[8] - a[8], b[16] - a[16]);
        return distance * distance <= (x * x + y * y + z * z) * (1 + 1e-9);
    }

    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        if ((want & Want.PerAtom) != 0) Scalar(domain, ref tally);
        else Wide(domain, ref tally);
    }

    private void Scalar(Domain d, ref Tally tally)
    {
        int n = TForm.Atoms;
        Span<double> r = stackalloc double[12], f = stackalloc double[12], p = stackalloc double[_parameters], w = stackalloc double[6];
        Span<int> at = stackalloc int[4];
        double energy = 0;
        for (int t = 0; t < _count; t++)
        {
            for (int a = 0; a < n; a++)
            {
                at[a] = _at.Pointer[Index(t, n, a)];
                for (int k = 0; k < 3; k++) r[3 * a + k] = d.X[at[a] + 8 * k];
            }
            for (int k = 0; k < _parameters; k++) p[k] = _values.Pointer[Index(t, _parameters, k)];
            double e = TForm.Evaluate(r, p, f);
            energy += e;
            w.Clear();
            for (int a = 0; a < n; a++)
            {
                for (int k = 0; k < 3; k++) d.F[at[a] + 8 * k] += f[3 * a + k];
                // Relative to the first atom: forces sum up to zero, and small numbers lose less.
                double x = r[3 * a] - r[0], y = r[3 * a + 1] - r[1], z = r[3 * a + 2] - r[2];
                w[0] += x * f[3 * a];
                w[1] += y * f[3 * a + 1];
                w[2] += z * f[3 * a + 2];
                w[3] += y * f[3 * a + 2];
                w[4] += x * f[3 * a + 2];
                w[5] += x * f[3 * a + 1];
            }
            for (int a = 0; a < n; a++)
            {
                int slot = at[a] / 24 * 8 + at[a] % 8;
                d.AtomEnergy[slot] += e / n;
                for (int k = 0; k < 6; k++) d.AtomVirial[6 * slot + k] += w[k] / n;
            }
        }
        tally.Energy += energy;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Wide(Domain d, ref Tally tally)
    {
        int n = TForm.Atoms, parameters = _parameters;
        double* x = d.X, f = d.F, values = _values.Pointer;
        int* at = _at.Pointer;
        Span<Lanes> r = stackalloc Lanes[12], force = stackalloc Lanes[12];
        var total = Lanes.Zero;
        for (int b = 0; b < _blocks; b++, at += 8 * n, values += 8 * parameters)
        {
            int live = Math.Min(8, _count - 8 * b);
            for (int a = 0; a < n; a++)
            {
                int* i = at + 8 * a;
                for (int k = 0; k < 3; k++)
                {
                    double* from = x + 8 * k;
                    r[3 * a + k] = Vector512.Create(from[i[0]], from[i[1]], from[i[2]], from[i[3]], from[i[4]], from[i[5]], from[i[6]], from[i[7]]);
                }
            }
            var e = TForm.Evaluate(r, new ReadOnlySpan<Lanes>(values, parameters), force);
            total += live == 8 ? e : e & Lane.Mask((byte)((1 << live) - 1));
            // One after the other: terms of a block share atoms.
            for (int a = 0; a < n; a++)
            {
                int* i = at + 8 * a;
                for (int k = 0; k < 3; k++)
                {
                    double* to = f + 8 * k;
                    var g = force[3 * a + k];
                    for (int l = 0; l < live; l++) to[i[l]] += g[l];
                }
            }
        }
        tally.Energy += Vector512.Sum(total);
    }
}

/// <summary>
/// The dihedral angle φ of a chain i–j–k–l (0: cis; IUPAC sign) and its gradient, after Blondel and Karplus (J. Comput. Chem. 17, 1132, 1996, eqs. 7, 27, 28):
/// <code>
/// F = rᵢ − rⱼ, G = rⱼ − rₖ, H = rₗ − rₖ, A = F × G, B = H × G
/// cos φ = A·B/(|A||B|),  sin φ = (B × A)·G/(|A||B||G|) = −(F·B)|G|/(|A||B|)
/// ∂φ/∂F = −|G| A/A²,  ∂φ/∂H = |G| B/B²,  ∂φ/∂G = (F·G) A/(|G| A²) − (H·G) B/(|G| B²)
/// </code>
/// There is no division by sin φ. A or B vanish only when three atoms are on one line, where φ has no meaning; their squares are held at 1e-20 Å⁴.
/// </summary>
internal readonly struct Torsion
{
    private readonly double _ax, _ay, _az, _bx, _by, _bz, _a2, _b2, _g, _fg, _hg;

    public Torsion(ReadOnlySpan<double> r)
    {
        double fx = r[0] - r[3], fy = r[1] - r[4], fz = r[2] - r[5], gx = r[3] - r[6], gy = r[4] - r[7], gz = r[5] - r[8], hx = r[9] - r[6], hy = r[10] - r[7], hz = r[11] - r[8];
        (_ax, _ay, _az) = (fy * gz - fz * gy, fz * gx - fx * gz, fx * gy - fy * gx);
        (_bx, _by, _bz) = (hy * gz - hz * gy, hz * gx - hx * gz, hx * gy - hy * gx);
        _a2 = Math.Max(_ax * _ax + _ay * _ay + _az * _az, 1e-20);
        _b2 = Math.Max(_bx * _bx + _by * _by + _bz * _bz, 1e-20);
        _g = Math.Sqrt(gx * gx + gy * gy + gz * gz);
        _fg = fx * gx + fy * gy + fz * gz;
        _hg = hx * gx + hy * gy + hz * gz;
        double scale = 1 / Math.Sqrt(_a2 * _b2);
        Cos = (_ax * _bx + _ay * _by + _az * _bz) * scale;
        Sin = -(fx * _bx + fy * _by + fz * _bz) * _g * scale;
    }

    public double Cos { get; }

    public double Sin { get; }

    /// <summary>Forces for a torque −dE/dφ.</summary>
    public void Forces(double torque, Span<double> f)
    {
        double p = -torque * _g / _a2, q = torque * _g / _b2, s = -_fg / (_g * _g), t = -_hg / (_g * _g);
        double ix = p * _ax, iy = p * _ay, iz = p * _az, lx = q * _bx, ly = q * _by, lz = q * _bz, gx = s * ix + t * lx, gy = s * iy + t * ly, gz = s * iz + t * lz;
        (f[0], f[1], f[2]) = (ix, iy, iz);
        (f[3], f[4], f[5]) = (gx - ix, gy - iy, gz - iz);
        (f[6], f[7], f[8]) = (-gx - lx, -gy - ly, -gz - lz);
        (f[9], f[10], f[11]) = (lx, ly, lz);
    }
}

/// <summary>Eight of <see cref="Torsion"/>.</summary>
internal readonly struct TorsionLanes
{
    private readonly Lanes _ax, _ay, _az, _bx, _by, _bz, _a2, _b2, _g, _fg, _hg;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TorsionLanes(ReadOnlySpan<Lanes> r)
    {
        Lanes fx = r[0] - r[3], fy = r[1] - r[4], fz = r[2] - r[5], gx = r[3] - r[6], gy = r[4] - r[7], gz = r[5] - r[8], hx = r[9] - r[6], hy = r[10] - r[7], hz = r[11] - r[8];
        var least = Lane.Of(1e-20);
        (_ax, _ay, _az) = (fy * gz - fz * gy, fz * gx - fx * gz, fx * gy - fy * gx);
        (_bx, _by, _bz) = (hy * gz - hz * gy, hz * gx - hx * gz, hx * gy - hy * gx);
        _a2 = Vector512.Max(Lane.Fma(_az, _az, Lane.Fma(_ay, _ay, _ax * _ax)), least);
        _b2 = Vector512.Max(Lane.Fma(_bz, _bz, Lane.Fma(_by, _by, _bx * _bx)), least);
        _g = Vector512.Sqrt(Lane.Fma(gz, gz, Lane.Fma(gy, gy, gx * gx)));
        _fg = Lane.Fma(fz, gz, Lane.Fma(fy, gy, fx * gx));
        _hg = Lane.Fma(hz, gz, Lane.Fma(hy, gy, hx * gx));
        var scale = Lanes.One / Vector512.Sqrt(_a2 * _b2);
        Cos = Lane.Fma(_az, _bz, Lane.Fma(_ay, _by, _ax * _bx)) * scale;
        Sin = -Lane.Fma(fz, _bz, Lane.Fma(fy, _by, fx * _bx)) * _g * scale;
    }

    public Lanes Cos { get; }

    public Lanes Sin { get; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Forces(Lanes torque, Span<Lanes> f)
    {
        Lanes p = -torque * _g / _a2, q = torque * _g / _b2, inverse = -Lanes.One / (_g * _g), s = _fg * inverse, t = _hg * inverse;
        Lanes ix = p * _ax, iy = p * _ay, iz = p * _az, lx = q * _bx, ly = q * _by, lz = q * _bz;
        Lanes gx = Lane.Fma(s, ix, t * lx), gy = Lane.Fma(s, iy, t * ly), gz = Lane.Fma(s, iz, t * lz);
        (f[0], f[1], f[2]) = (ix, iy, iz);
        (f[3], f[4], f[5]) = (gx - ix, gy - iy, gz - iz);
        (f[6], f[7], f[8]) = (-gx - lx, -gy - ly, -gz - lz);
        (f[9], f[10], f[11]) = (lx, ly, lz);
    }
}

/// <summary>What all bonded terms need.</summary>
internal static class Terms
{
    /// <summary>Refuses parameters that are not finite and types that are not there.</summary>
    public static void Check(string noun, double[] rows, int length, IEnumerable<int> types)
    {
        for (int k = 0; k < rows.Length; k++)
            if (!double.IsFinite(rows[k])) throw new InputException($"{noun} type {k / length + 1} has a parameter {rows[k]}");
        int count = rows.Length / length, number = 0;
        foreach (int type in types)
        {
            number++;
            if ((uint)type >= (uint)count) throw new InputException($"{noun} {number} has type {type + 1}; there are {count} {noun} types");
        }
    }

    /// <summary>atan2(y, x) of eight numbers, one by one.</summary>
    public static Lanes Atan2(Lanes y, Lanes x) => Vector512.Create(Math.Atan2(y[0], x[0]), Math.Atan2(y[1], x[1]), Math.Atan2(y[2], x[2]), Math.Atan2(y[3], x[3]),
        Math.Atan2(y[4], x[4]), Math.Atan2(y[5], x[5]), Math.Atan2(y[6], x[6]), Math.Atan2(y[7], x[7]));
}
