namespace MsHpc.Atomistics.Potentials;

/// <summary>A neighbour: slot, vector from the centre and distance, Å.</summary>
internal readonly record struct Neighbor(int Slot, double X, double Y, double Z, double R);

/// <summary>What readable three-body potentials share: the neighbours of an atom, and the accounts of energy, force and virial per atom.</summary>
internal static unsafe class AtomTerms
{
    /// <summary>Neighbours of slot <paramref name="i"/> within the cutoff for their type.</summary>
    public static void Shell(Domain d, int i, ReadOnlySpan<double> cut, List<Neighbor> shell)
    {
        shell.Clear();
        double* x = d.X;
        int a = i / 8 * 24 + i % 8;
        for (int k = d.Full.Start[i]; k < d.Full.Start[i + 1]; k++)
        {
            int j = d.Full.Index[k], b = j / 8 * 24 + j % 8;
            if (d.Tag[j] < 0) continue;
            double dx = x[b] - x[a], dy = x[b + 8] - x[a + 8], dz = x[b + 16] - x[a + 16], r = Math.Sqrt(dx * dx + dy * dy + dz * dz);
            if (r < cut[d.Type[j]]) shell.Add(new(j, dx, dy, dz, r));
        }
    }

    /// <summary>A pair: energy, force s·(r_j − r_i) on j and its opposite on i; half of energy and virial to each.</summary>
    public static void AddPair(Domain d, int i, int j, double energy, double s, double dx, double dy, double dz, ref Tally tally)
    {
        tally.Energy += energy;
        Add(d, i, -s * dx, -s * dy, -s * dz);
        Add(d, j, s * dx, s * dy, s * dz);
        if (d.AtomEnergy == null) return;
        ReadOnlySpan<double> w = [s * dx * dx, s * dy * dy, s * dz * dz, s * dy * dz, s * dx * dz, s * dx * dy];
        foreach (int a in (ReadOnlySpan<int>)[i, j])
        {
            d.AtomEnergy[a] += 0.5 * energy;
            for (int k = 0; k < 6; k++) d.AtomVirial[6 * a + k] += 0.5 * w[k];
        }
    }

    /// <summary>
    /// A triplet with vertex i whose energy depends on r_ij, r_ik and cos θ_jik, by its three derivatives. Thirds of virial and energy go to each atom.
    /// </summary>
    public static void AddAngle(Domain d, int i, in Neighbor j, in Neighbor k, double energy, double dj, double dk, double dc, double cosine, ref Tally tally)
    {
        // ∂E/∂r_j = dj û_j + dc (û_k − cos û_j)/r_j
        double jj = -(dj / j.R - dc * cosine / (j.R * j.R)), kk = -(dk / k.R - dc * cosine / (k.R * k.R)), jk = -dc / (j.R * k.R);
        double jx = jj * j.X + jk * k.X, jy = jj * j.Y + jk * k.Y, jz = jj * j.Z + jk * k.Z;
        double kx = kk * k.X + jk * j.X, ky = kk * k.Y + jk * j.Y, kz = kk * k.Z + jk * j.Z;
        tally.Energy += energy;
        Add(d, i, -jx - kx, -jy - ky, -jz - kz);
        Add(d, j.Slot, jx, jy, jz);
        Add(d, k.Slot, kx, ky, kz);
        if (d.AtomEnergy == null) return;
        ReadOnlySpan<double> w = [j.X * jx + k.X * kx, j.Y * jy + k.Y * ky, j.Z * jz + k.Z * kz, j.Y * jz + k.Y * kz, j.X * jz + k.X * kz, j.X * jy + k.X * ky];
        foreach (int a in (ReadOnlySpan<int>)[i, j.Slot, k.Slot])
        {
            d.AtomEnergy[a] += energy / 3;
            for (int c = 0; c < 6; c++) d.AtomVirial[6 * a + c] += w[c] / 3;
        }
    }

    private static void Add(Domain d, int slot, double x, double y, double z)
    {
        double* f = d.F + (slot / 8 * 24 + slot % 8);
        f[0] += x;
        f[8] += y;
        f[16] += z;
    }
}
