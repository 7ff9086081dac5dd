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
    private readonly AlignedArray<double> _acceleration = new();
    private readonly List<int> _ends = []; // ends of clusters in the list of bonds

    public void Clear()
    {
        _bonds.Clear();
        _ends.Clear();
    }

    public void Add(Domain d, (int I, int J, double Distance)[] cluster)
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

    private static (double X, double Y, double Z) Difference(double* field, int a, int b) => (field[a] - field[b], field[a + 8] - field[b + 8], field[a + 16] - field[b + 16]);

    /// <summary>r = rᵢ − rⱼ in a cell.</summary>
    private static (double X, double Y, double Z) Difference(double* x, Bond bond, int a, int b, Cell cell)
    {
        var (hx, hy, hz) = cell.Shift(bond.N0, bond.N1, bond.N2);
        var (rx, ry, rz) = Difference(x, a, b);
        return (rx - hx, ry - hy, rz - hz);
    }

    /// <summary>
    /// What one unit of the last place of the largest coordinate of two atoms is, u. A push of less than u/2 in every component does nothing: the lighter atom takes at
    /// least half of an error δ of the distance d, its largest component is 1/√3 of that, so that errors below δ = √3 u, of r² 2√3 d u, may stay.
    /// </summary>
    private static double Unit(double* x, int a, int b)
    {
        double most = 0;
        for (int k = 0; k < 24; k += 8) most = Math.Max(most, Math.Max(Math.Abs(x[a + k]), Math.Abs(x[b + k])));
        return most * 2.220446049250313e-16;
    }

    public void Positions(Domain d, double* reference, double rate, Cell before)
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
                    var (rx, ry, rz) = Difference(x, bond, a, b, d.Cell);
                    double error = bond.Square - (rx * rx + ry * ry + rz * rz);
                    if (Math.Abs(error) <= 2 * tolerance * bond.Square + 4 * Math.Sqrt(bond.Square) * Unit(x, a, b)) continue;
                    var (sx, sy, sz) = Difference(reference, bond, a, b, before);
                    double along = rx * sx + ry * sy + rz * sz;
                    if (!(along > 1e-3 * bond.Square) || iteration > Most) throw Torn(d, bond);
                    double ia = 1 / mass[bond.A], ib = 1 / mass[bond.B], g = error / (2 * (ia + ib) * along);
                    Push(x, a, b, g * ia, g * ib, sx, sy, sz);
                    Push(v, a, b, g * ia * rate, g * ib * rate, sx, sy, sz);
                    moved = true;
                }
            }
        }
    }

    public void Velocities(Domain d, ReadOnlySpan<double> flow)
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
                    var (rx, ry, rz) = Difference(x, bond, a, b, d.Cell);
                    var (ux, uy, uz) = Difference(v, a, b);
                    ux += flow[0] * rx + flow[1] * ry + flow[2] * rz;
                    uy += flow[3] * rx + flow[4] * ry + flow[5] * rz;
                    uz += flow[6] * rx + flow[7] * ry + flow[8] * rz;
                    double along = rx * ux + ry * uy + rz * uz, size = Math.Sqrt(bond.Square) * (Size(v, a) + Size(v, b));
                    if (Math.Abs(along) <= tolerance * size) continue;
                    if (iteration > Most || !double.IsFinite(along)) throw Torn(d, bond);
                    double ia = 1 / mass[bond.A], ib = 1 / mass[bond.B], g = -along / ((ia + ib) * (rx * rx + ry * ry + rz * rz));
                    Push(v, a, b, g * ia, g * ib, rx, ry, rz);
                    moved = true;
                }
            }
        }
    }

    /// <summary>Adds Σ r ⊗ f, u Å²/fs², of the constraint forces in the present state: accelerations made to fit as velocities are.</summary>
    public void Virial(Domain d, double* forces, ref VirialSum virial)
    {
        if (_bonds.Count == 0) return;
        double* x = d.X, v = d.V, mass = d.Mass, y = _acceleration.Require(24L * d.OwnedClusters);
        for (int k = 0; k < 24 * d.OwnedClusters; k++) y[k] = forces[k] / (mass[k / 24 * 8 + k % 8] * Codata.MassVelocitySquaredInEv);
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
                    var (rx, ry, rz) = Difference(x, bond, a, b, d.Cell);
                    var (ux, uy, uz) = Difference(v, a, b);
                    var (px, py, pz) = Difference(y, a, b);
                    double turn = ux * ux + uy * uy + uz * uz, error = rx * px + ry * py + rz * pz + turn;
                    if (Math.Abs(error) <= tolerance * (turn + Math.Sqrt(bond.Square) * (Size(y, a) + Size(y, b)))) continue;
                    if (iteration > Most || !double.IsFinite(error)) throw Torn(d, bond);
                    double ia = 1 / mass[bond.A], ib = 1 / mass[bond.B], g = -error / ((ia + ib) * (rx * rx + ry * ry + rz * rz));
                    Push(y, a, b, g * ia, g * ib, rx, ry, rz);
                    virial[0] += g * rx * rx;
                    virial[1] += g * ry * ry;
                    virial[2] += g * rz * rz;
                    virial[3] += g * ry * rz;
                    virial[4] += g * rx * rz;
                    virial[5] += g * rx * ry;
                    moved = true;
                }
            }
        }
    }

    private static double Size(double* field, int a) => Math.Abs(field[a]) + Math.Abs(field[a + 8]) + Math.Abs(field[a + 16]);

    private static void Push(double* y, int a, int b, double ga, double gb, double x, double yy, double z)
    {
        y[a] += ga * x;
        y[a + 8] += ga * yy;
        y[a + 16] += ga * z;
        y[b] -= gb * x;
        y[b + 8] -= gb * yy;
        y[b + 16] -= gb * z;
    }

    private static NumericalException Torn(Domain d, Bond bond) =>
        new($"the distance of atoms {d.Tag[bond.A] + 1} and {d.Tag[bond.B] + 1} cannot be restored to {Math.Sqrt(bond.Square):g6} Å: the time step is too long, or forces are too large");
}
