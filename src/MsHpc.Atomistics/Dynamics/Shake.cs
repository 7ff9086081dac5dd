using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Distance constraints by iteration, one after the other: positions by SHAKE (J.-P. Ryckaert, G. Ciccotti, H. J. C. Berendsen, J. Comput. Phys. 23, 327, 1977),
/// velocities by RATTLE (H. C. Andersen, J. Comput. Phys. 52, 24, 1983). With r = rᵢ − rⱼ, s the same before the drift, μ = 1/mᵢ + 1/mⱼ:
/// <code>
/// g = (d² − r²)/(2 μ r·s),   rᵢ += g s/mᵢ,   rⱼ −= g s/mⱼ
/// g = −(v·r)/(μ r²),         vᵢ += g r/mᵢ,   vⱼ −= g r/mⱼ
/// </code>
/// </summary>
internal sealed unsafe class Shake(double tolerance)
{
    private const int Most = 1000;

    private record struct Bond(int A, int B, int N0, int N1, int N2, double Square);

    private readonly List<Bond> _bonds = [];
    private readonly List<int> _ends = []; // ends of clusters in the list of bonds

    public void Clear()
    {
        _bonds.Clear();
        _ends.Clear();
    }

    public void Add(Domain d, IEnumerable<(int I, int J, double Distance)> cluster)
    {
        foreach (var (i, j, distance) in cluster)
        {
            int a = d.OwnedSlot(i), b = d.OwnedSlot(j);
            var (n0, n1, n2) = Constraints.Hops(d, a, b);
            _bonds.Add(new Bond(a, b, n0, n1, n2, distance * distance));
        }
        _ends.Add(_bonds.Count);
    }

    private static int At(int slot) => slot / 8 * 24 + slot % 8;

    public void Positions(Domain d, double* reference, double rate, ref VirialSum impulse)
    {
        double* x = d.X, v = d.V, mass = d.Mass;
        for (int c = 0, first = 0; c < _ends.Count; first = _ends[c++])
        {
            int iteration = 0;
            for (bool moved = true; moved; iteration++)
            {
                moved = false;
                for (int k = first; k < _ends[c]; k++)
                {
                    var bond = _bonds[k];
                    int a = At(bond.A), b = At(bond.B);
                    var (hx, hy, hz) = d.Cell.Shift(bond.N0, bond.N1, bond.N2);
                    double rx = x[a] - x[b] - hx, ry = x[a + 8] - x[b + 8] - hy, rz = x[a + 16] - x[b + 16] - hz;
                    double error = bond.Square - (rx * rx + ry * ry + rz * rz);
                    if (Math.Abs(error) <= 2 * tolerance * bond.Square) continue;
                    double sx = reference[a] - reference[b] - hx, sy = reference[a + 8] - reference[b + 8] - hy, sz = reference[a + 16] - reference[b + 16] - hz;
                    double along = rx * sx + ry * sy + rz * sz;
                    if (!(along > 1e-3 * bond.Square) || iteration > Most) throw Torn(d, bond);
                    double ia = 1 / mass[bond.A], ib = 1 / mass[bond.B], g = error / (2 * (ia + ib) * along);
                    Push(x, a, b, g * ia, g * ib, sx, sy, sz);
                    Push(v, a, b, g * ia * rate, g * ib * rate, sx, sy, sz);
                    Tally(ref impulse, g * rate, sx, sy, sz);
                    moved = true;
                }
            }
        }
    }

    public void Velocities(Domain d, ref VirialSum impulse)
    {
        double* x = d.X, v = d.V, mass = d.Mass;
        for (int c = 0, first = 0; c < _ends.Count; first = _ends[c++])
        {
            int iteration = 0;
            for (bool moved = true; moved; iteration++)
            {
                moved = false;
                for (int k = first; k < _ends[c]; k++)
                {
                    var bond = _bonds[k];
                    int a = At(bond.A), b = At(bond.B);
                    var (hx, hy, hz) = d.Cell.Shift(bond.N0, bond.N1, bond.N2);
                    double rx = x[a] - x[b] - hx, ry = x[a + 8] - x[b + 8] - hy, rz = x[a + 16] - x[b + 16] - hz;
                    double ux = v[a] - v[b], uy = v[a + 8] - v[b + 8], uz = v[a + 16] - v[b + 16], along = rx * ux + ry * uy + rz * uz;
                    double size = Math.Sqrt(bond.Square) * (Math.Abs(v[a]) + Math.Abs(v[a + 8]) + Math.Abs(v[a + 16]) + Math.Abs(v[b]) + Math.Abs(v[b + 8]) + Math.Abs(v[b + 16]));
                    if (Math.Abs(along) <= tolerance * size) continue;
                    if (iteration > Most || !double.IsFinite(along)) throw Torn(d, bond);
                    double ia = 1 / mass[bond.A], ib = 1 / mass[bond.B], g = -along / ((ia + ib) * (rx * rx + ry * ry + rz * rz));
                    Push(v, a, b, g * ia, g * ib, rx, ry, rz);
                    Tally(ref impulse, g, rx, ry, rz);
                    moved = true;
                }
            }
        }
    }

    private static void Push(double* y, int a, int b, double ga, double gb, double x, double yy, double z)
    {
        y[a] += ga * x;
        y[a + 8] += ga * yy;
        y[a + 16] += ga * z;
        y[b] -= gb * x;
        y[b + 8] -= gb * yy;
        y[b + 16] -= gb * z;
    }

    private static void Tally(ref VirialSum impulse, double g, double x, double y, double z)
    {
        impulse[0] += g * x * x;
        impulse[1] += g * y * y;
        impulse[2] += g * z * z;
        impulse[3] += g * y * z;
        impulse[4] += g * x * z;
        impulse[5] += g * x * y;
    }

    private static NumericalException Torn(Domain d, Bond bond) =>
        new($"the distance of atoms {d.Tag[bond.A] + 1} and {d.Tag[bond.B] + 1} cannot be restored to {Math.Sqrt(bond.Square):g6} Å: the time step is too long, or forces are too large");
}
