using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The reciprocal part of an Ewald sum in any cell (P. P. Ewald, Ann. Phys. 369, 253, 1921), with self energy and neutralising background; C = e²/4πε₀,
/// k = 2π (n₀ a* + n₁ b* + n₂ c*), |k| ≤ k_c:
/// <code>
/// E = 2πC/V Σ_{k≠0} exp(−k²/4α²)/k² |S(k)|² − C α/√π Σ qᵢ² − πC/(2Vα²) (Σ qᵢ)²,   S(k) = Σ qᵢ exp(i k·rᵢ)
/// Fᵢ = 4πC/V qᵢ Σ_{k≠0} exp(−k²/4α²)/k² k Im(S*(k) exp(i k·rᵢ))
/// W_ab = Σ_k E_k [δ_ab − 2 (1/k² + 1/4α²) k_a k_b] − δ_ab πC/(2Vα²) (Σ qᵢ)²
/// </code>
/// The last energy term is that of a uniform background which makes a charged cell neutral; without net charge it is zero. No surface term: the sum is
/// embedded in a conductor. Cost N · number of k; ranks add their atoms' structure factors. See <see cref="ParticleMeshEwald"/> for many atoms.
/// </summary>
public sealed unsafe class Ewald : Interaction
{
    /// <summary>Clusters whose phases are kept at once: the tables stay in the cache.</summary>
    private const int Block = 8;

    private readonly EwaldSplit _split;
    private readonly double _waveCutoff;
    private readonly AlignedArray<double> _phase = new(), _sum = new(), _weight = new();
    private readonly double[] _charges;
    private readonly List<(int N0, int N1, int First, int Last, int At)> _rows = [];
    private Cell? _cell;
    private int _m0, _m1, _m2, _waves;

    /// <param name="atoms">Atoms: their number, charges and cell choose the cutoff of k.</param>
    /// <param name="split">α, r_c, accuracy; the wave cutoff follows from the accuracy.</param>
    public Ewald(Atoms atoms, EwaldSplit split)
    {
        _split = split;
        _waveCutoff = split.WaveCutoff(atoms.Count, atoms.Charges.Sum(q => q * q), atoms.Cell.Volume);
        _charges = atoms.Charges;
    }

    /// <summary>All parts of an Ewald sum: real space, reciprocal space, and the pairs of <see cref="Topology.Scaled"/> taken out of the latter.</summary>
    /// <param name="atoms">Atoms with charges, a periodic cell and perhaps a topology.</param>
    /// <param name="cutoff">r_c of the real sum, Å.</param>
    /// <param name="accuracy">Root mean square force error over the force between two elementary charges 1 Å apart.</param>
    /// <param name="constant">e²/4πε₀, eV Å.</param>
    /// <exception cref="InputException">See <see cref="EwaldSplit.For"/>.</exception>
    public static Interaction[] Create(Atoms atoms, double cutoff, double accuracy, double constant = Codata.CoulombInEvAngstrom)
    {
        var split = EwaldSplit.For(atoms, cutoff, accuracy, constant);
        return [CoulombReal.Create(atoms.Species.Count, split), .. Reciprocal(new Ewald(atoms, split), split, atoms.Topology)];
    }

    /// <summary>A reciprocal sum and, where a topology has scaled pairs, what takes them out again.</summary>
    internal static Interaction[] Reciprocal(Interaction sum, EwaldSplit split, Topology? topology) =>
        topology is { Scaled.Count: > 0 } ? [sum, new EwaldExclusions(split, topology)] : [sum];

    /// <inheritdoc/>
    public override string Description => "Ewald sum (Ann. Phys. 369, 253)";

    /// <inheritdoc/>
    public override double Cutoff => 0;

    /// <inheritdoc/>
    public override bool IsLocal => false;

    /// <summary>Number of wave vectors, of each pair ±k one.</summary>
    public int Waves => _waves;

    /// <inheritdoc/>
    public override void Compute(Domain domain, Want want, ref Tally tally)
    {
        CheckCount(domain, _charges.Length);
        if (_cell != domain.Cell) Tabulate(domain.Cell);
        Sum(domain);
        domain.Comm.AllReduceSum(_sum.Span(2 * _waves));
        if (domain.Comm.IsRoot) Total(domain, ref tally);
        if ((want & Want.PerAtom) != 0) Scalar(domain);
        else Forces(domain);
    }

    /// <summary>Energy of each k is weight · |S|², the pair ±k counted together; weights are planar behind k: weight, k_x, k_y, k_z.</summary>
    private void Tabulate(Cell cell)
    {
        _cell = cell;
        var g = cell.Reciprocal;
        double[] star = [.. g.ToArray().Select(v => 2 * Math.PI * v)];
        // |k| ≤ k_c allows |n_i| ≤ k_c · |edge i| / 2π.
        int Most(int i) => (int)(_waveCutoff / (2 * Math.PI) * Math.Sqrt(cell.Rows[3 * i] * cell.Rows[3 * i] + cell.Rows[3 * i + 1] * cell.Rows[3 * i + 1] + cell.Rows[3 * i + 2] * cell.Rows[3 * i + 2]));
        (_m0, _m1, _m2) = (Most(0), Most(1), Most(2));
        _rows.Clear();
        _waves = 0;
        double factor = 4 * Math.PI * _split.Constant / cell.Volume, decay = -0.25 / (_split.Alpha * _split.Alpha);
        for (int n0 = 0; n0 <= _m0; n0++)
            for (int n1 = n0 == 0 ? 0 : -_m1; n1 <= _m1; n1++)
            {
                int first = int.MaxValue, last = int.MinValue;
                for (int n2 = n0 == 0 && n1 == 0 ? 1 : -_m2; n2 <= _m2; n2++)
                    if (Square(n0, n1, n2) <= _waveCutoff * _waveCutoff) (first, last) = (Math.Min(first, n2), n2);
                if (last < first) continue;
                _rows.Add((n0, n1, first, last, _waves));
                double* weight = _weight.Require(_waves + last - first + 1, _waves) + _waves;
                for (int n2 = first; n2 <= last; n2++)
                {
                    double k2 = Square(n0, n1, n2);
                    weight[n2 - first] = factor * Math.Exp(decay * k2) / k2;
                }
                _waves += last - first + 1;
            }
        _sum.Require(2L * _waves);

        double Square(int n0, int n1, int n2)
        {
            double s = 0;
            for (int d = 0; d < 3; d++)
            {
                double k = n0 * star[d] + n1 * star[3 + d] + n2 * star[6 + d];
                s += k * k;
            }
            return s;
        }
    }

    /// <summary>exp(2πi n s) of eight atoms: n₀ = 0 … m₀, then n₁ = −m₁ … m₁, n₂ = −m₂ … m₂; 16 numbers each.</summary>
    private void Phases(Domain d, int cluster, double* table)
    {
        double* s = stackalloc double[48];
        for (int l = 0; l < 8; l++)
        {
            double* x = d.X + 24L * cluster + l;
            var (s0, s1, s2) = d.Tag[8 * cluster + l] < 0 ? (0, 0, 0) : d.Cell.Fractional(x[0], x[8], x[16]);
            (s[8 + l], s[l]) = Math.SinCos(2 * Math.PI * s0);
            (s[24 + l], s[16 + l]) = Math.SinCos(2 * Math.PI * s1);
            (s[40 + l], s[32 + l]) = Math.SinCos(2 * Math.PI * s2);
        }
        Powers(s, table, _m0, both: false);
        Powers(s + 16, table + 16 * (_m0 + 1 + _m1), _m1, both: true);
        Powers(s + 32, table + 16 * (_m0 + 1 + 2 * _m1 + 1 + _m2), _m2, both: true);

        static void Powers(double* one, double* zero, int most, bool both)
        {
            Lanes c = Vector512.Load(one), s = Vector512.Load(one + 8), re = Lanes.One, im = Lanes.Zero;
            for (int n = 0; n <= most; n++)
            {
                re.Store(zero + 16 * n);
                im.Store(zero + 16 * n + 8);
                if (both)
                {
                    re.Store(zero - 16 * n);
                    (-im).Store(zero - 16 * n + 8);
                }
                (re, im) = (Lane.Fnma(im, s, re * c), Lane.Fma(im, c, re * s));
            }
        }
    }

    private int TableLength => 16 * (_m0 + 1 + 2 * _m1 + 1 + 2 * _m2 + 1);

    /// <summary>S(k) of this rank's atoms.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Sum(Domain d)
    {
        _sum.Span(2 * _waves).Clear();
        int length = TableLength, widest = 2 * _m2 + 1;
        double* tables = _phase.Require((long)Block * length + 16L * widest), lanes = tables + Block * length;
        for (int begin = 0; begin < d.OwnedClusters; begin += Block)
        {
            int count = Math.Min(Block, d.OwnedClusters - begin);
            for (int c = 0; c < count; c++) Phases(d, begin + c, tables + c * length);
            foreach (var (n0, n1, first, last, at) in _rows)
            {
                new Span<double>(lanes, 16 * (last - first + 1)).Clear();
                for (int c = 0; c < count; c++)
                {
                    double* e0 = tables + c * length + 16 * n0, e1 = tables + c * length + 16 * (_m0 + 1 + _m1 + n1);
                    double* e2 = tables + c * length + 16 * (_m0 + 1 + 2 * _m1 + 1 + _m2 + first);
                    var q = Vector512.Load(d.Charge + 8 * (begin + c));
                    Lanes a = Vector512.Load(e0) * q, b = Vector512.Load(e0 + 8) * q, r = Vector512.Load(e1), i = Vector512.Load(e1 + 8);
                    Lanes re = Lane.Fnma(b, i, a * r), im = Lane.Fma(b, r, a * i);
                    for (int n = 0; n <= last - first; n++)
                    {
                        Lanes u = Vector512.Load(e2 + 16 * n), v = Vector512.Load(e2 + 16 * n + 8);
                        Lane.Fnma(im, v, Lane.Fma(re, u, Vector512.Load(lanes + 16 * n))).Store(lanes + 16 * n);
                        Lane.Fma(im, u, Lane.Fma(re, v, Vector512.Load(lanes + 16 * n + 8))).Store(lanes + 16 * n + 8);
                    }
                }
                double* sum = _sum.Pointer + 2 * at;
                for (int n = 0; n <= last - first; n++, sum += 2)
                {
                    sum[0] += Vector512.Sum(Vector512.Load(lanes + 16 * n));
                    sum[1] += Vector512.Sum(Vector512.Load(lanes + 16 * n + 8));
                }
            }
        }
    }

    private (double X, double Y, double Z) Wave(int n0, int n1, int n2)
    {
        var g = _cell!.Reciprocal;
        return (2 * Math.PI * (n0 * g[0] + n1 * g[3] + n2 * g[6]), 2 * Math.PI * (n0 * g[1] + n1 * g[4] + n2 * g[7]), 2 * Math.PI * (n0 * g[2] + n1 * g[5] + n2 * g[8]));
    }

    /// <summary>Energy and virial of all atoms.</summary>
    private void Total(Domain domain, ref Tally tally)
    {
        var own = Own(_split, _charges, domain.Cell.Volume);
        tally.Energy += own.Self + own.Background;
        for (int k = 0; k < 3; k++) tally.Virial[k] += own.Background;
        double inverse = 0.25 / (_split.Alpha * _split.Alpha);
        foreach (var (n0, n1, first, last, at) in _rows)
            for (int n2 = first; n2 <= last; n2++)
            {
                double* s = _sum.Pointer + 2 * (at + n2 - first);
                var (x, y, z) = Wave(n0, n1, n2);
                double e = _weight.Pointer[at + n2 - first] * (s[0] * s[0] + s[1] * s[1]), t = 2 * e * (1 / (x * x + y * y + z * z) + inverse);
                tally.Energy += e;
                tally.Virial[0] += e - t * x * x;
                tally.Virial[1] += e - t * y * y;
                tally.Virial[2] += e - t * z * z;
                tally.Virial[3] -= t * y * z;
                tally.Virial[4] -= t * x * z;
                tally.Virial[5] -= t * x * y;
            }
    }

    /// <summary>Refuses other atoms, a supercell for instance, than the sum was made for: their self energy would be wrong, and their mesh too coarse.</summary>
    internal static void CheckCount(Domain domain, int count)
    {
        if (domain.AtomCount != count) throw new InputException($"an Ewald sum made for {count} atoms is asked about {domain.AtomCount}: make one for these");
    }

    /// <summary>Energies that do not depend on positions: of every charge's own Gaussian, and of the background. The latter is also the diagonal of its virial.</summary>
    internal static (double Self, double Background) Own(EwaldSplit split, double[] charges, double volume)
    {
        double squares = 0, net = 0;
        foreach (double q in charges) (squares, net) = (squares + q * q, net + q);
        return (-split.Constant * split.Alpha / Math.Sqrt(Math.PI) * squares, -split.Constant * Math.PI / (2 * volume * split.Alpha * split.Alpha) * net * net);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Forces(Domain d)
    {
        int length = TableLength;
        double* tables = _phase.Pointer;
        var (ax, ay, az) = Wave(1, 0, 0);
        var (bx, by, bz) = Wave(0, 1, 0);
        var (cx, cy, cz) = Wave(0, 0, 1);
        for (int c = 0; c < d.OwnedClusters; c++)
        {
            Phases(d, c, tables);
            var q = Vector512.Load(d.Charge + 8 * c) * Lane.Of(2);
            Lanes fa = Lanes.Zero, fb = Lanes.Zero, fc = Lanes.Zero;
            foreach (var (n0, n1, first, last, at) in _rows)
            {
                double* e0 = tables + 16 * n0, e1 = tables + 16 * (_m0 + 1 + _m1 + n1), e2 = tables + 16 * (_m0 + 1 + 2 * _m1 + 1 + _m2 + first);
                double* sum = _sum.Pointer + 2 * at, weight = _weight.Pointer + at;
                // Σ over n₂ of weight S* e₂, and the same times n₂.
                Lanes pr = Lanes.Zero, pi = Lanes.Zero, qr = Lanes.Zero, qi = Lanes.Zero;
                for (int n = 0; n <= last - first; n++)
                {
                    Lanes u = Vector512.Load(e2 + 16 * n), v = Vector512.Load(e2 + 16 * n + 8);
                    Lanes sr = Lane.Of(weight[n] * sum[2 * n]), si = Lane.Of(weight[n] * sum[2 * n + 1]), m = Lane.Of(first + n);
                    Lanes re = Lane.Fma(si, v, sr * u), im = Lane.Fnma(si, u, sr * v);
                    pr += re;
                    pi += im;
                    qr = Lane.Fma(m, re, qr);
                    qi = Lane.Fma(m, im, qi);
                }
                Lanes a = Vector512.Load(e0), b = Vector512.Load(e0 + 8), r = Vector512.Load(e1), i = Vector512.Load(e1 + 8);
                Lanes xr = Lane.Fnma(b, i, a * r), xi = Lane.Fma(b, r, a * i), t = Lane.Fma(xr, pi, xi * pr);
                fa = Lane.Fma(Lane.Of(n0), t, fa);
                fb = Lane.Fma(Lane.Of(n1), t, fb);
                fc += Lane.Fma(xr, qi, xi * qr);
            }
            double* f = d.F + 24L * c;
            Lane.Fma(q, fa * Lane.Of(ax) + fb * Lane.Of(bx) + fc * Lane.Of(cx), Vector512.Load(f)).Store(f);
            Lane.Fma(q, fa * Lane.Of(ay) + fb * Lane.Of(by) + fc * Lane.Of(cy), Vector512.Load(f + 8)).Store(f + 8);
            Lane.Fma(q, fa * Lane.Of(az) + fb * Lane.Of(bz) + fc * Lane.Of(cz), Vector512.Load(f + 16)).Store(f + 16);
        }
    }

    /// <summary>Forces, and energies and virials per atom: to atom i goes the share qᵢ Re(S* exp(i k·rᵢ))/|S|² of each wave.</summary>
    private void Scalar(Domain d)
    {
        double net = 0, background = Own(_split, _charges, d.Cell.Volume).Background, inverse = 0.25 / (_split.Alpha * _split.Alpha);
        foreach (double q in _charges) net += q;
        for (int i = 0; i < d.OwnedSlots; i++)
        {
            if (d.Tag[i] < 0) continue;
            int at = i / 8 * 24 + i % 8;
            double rx = d.X[at], ry = d.X[at + 8], rz = d.X[at + 16], q = d.Charge[i], own = net == 0 ? 0 : background * q / net;
            d.AtomEnergy[i] += own - _split.Constant * _split.Alpha / Math.Sqrt(Math.PI) * q * q;
            double* w = d.AtomVirial + 6 * i;
            for (int k = 0; k < 3; k++) w[k] += own;
            foreach (var (n0, n1, first, last, row) in _rows)
                for (int n2 = first; n2 <= last; n2++)
                {
                    double* s = _sum.Pointer + 2 * (row + n2 - first);
                    var (x, y, z) = Wave(n0, n1, n2);
                    var (sin, cos) = Math.SinCos(x * (rx - d.Cell.Origin[0]) + y * (ry - d.Cell.Origin[1]) + z * (rz - d.Cell.Origin[2]));
                    double weight = _weight.Pointer[row + n2 - first] * q;
                    double e = weight * (s[0] * cos + s[1] * sin), t = 2 * e * (1 / (x * x + y * y + z * z) + inverse), force = 2 * weight * (s[0] * sin - s[1] * cos);
                    d.F[at] += force * x;
                    d.F[at + 8] += force * y;
                    d.F[at + 16] += force * z;
                    d.AtomEnergy[i] += e;
                    w[0] += e - t * x * x;
                    w[1] += e - t * y * y;
                    w[2] += e - t * z * z;
                    w[3] -= t * y * z;
                    w[4] -= t * x * z;
                    w[5] -= t * x * y;
                }
        }
    }
}
