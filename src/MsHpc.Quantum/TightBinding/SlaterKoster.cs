namespace MsHpc.Quantum.TightBinding;

/// <summary>
/// From two-centre integrals to blocks between the orbitals of two atoms, and back: what energies change when the bond moves.
/// </summary>
/// <remarks>
/// Orbitals of one shell: s; p_x, p_y, p_z; d_a = √(3/2) ûᵀQ_a û times the radial part, with five symmetric traceless matrices, Q_a : Q_b = δ_ab.
/// With the bond direction u, σ orbitals are s, u·p and √(3/2) uᵀQ u; the sums over both π (both δ) orbitals do not depend on how these are
/// turned, since Σ_π e eᵀ = 1 − u uᵀ, and σ + π + δ of two d shells is the unit matrix:
/// <code>
/// s p_c   u_c V_σ                                         p_c d_a   √(3/2) u_c q_a V_σ + √2 [(Q_a u)_c − u_c q_a] V_π,   q_a = uᵀQ_a u
/// p_c p_e u_c u_e V_σ + (δ_ce − u_c u_e) V_π              d_a d_b   σ_ab V_σ + π_ab V_π + (δ_ab − σ_ab − π_ab) V_δ
/// s d_a   √(3/2) q_a V_σ                                            σ_ab = 3/2 q_a q_b,   π_ab = 2 [Q_a u · Q_b u − q_a q_b]
/// </code>
/// These are the entries of Slater and Koster's table (Phys. Rev. 94, 1498 (1954)). A shell with larger l on the first atom is the block of the
/// turned bond, transposed.
/// </remarks>
internal static class SlaterKoster
{
    private const double Sqrt2 = 1.4142135623730951, Sqrt3Half = 1.2247448713915890, Sqrt6 = 2.4494897427831781;

    // d_xy, d_yz, d_z², d_xz, d_x²−y²: xx, yy, zz, yz, xz, xy of each matrix
    private static readonly double[][] s_q =
    [
        [0, 0, 0, 0, 0, 1 / Sqrt2],
        [0, 0, 0, 1 / Sqrt2, 0, 0],
        [-1 / Sqrt6, -1 / Sqrt6, 2 / Sqrt6, 0, 0, 0],
        [0, 0, 0, 0, 1 / Sqrt2, 0],
        [1 / Sqrt2, -1 / Sqrt2, 0, 0, 0, 0],
    ];

    private static void Times(ReadOnlySpan<double> q, ReadOnlySpan<double> u, Span<double> result)
    {
        result[0] = q[0] * u[0] + q[5] * u[1] + q[4] * u[2];
        result[1] = q[5] * u[0] + q[1] * u[1] + q[3] * u[2];
        result[2] = q[4] * u[0] + q[3] * u[1] + q[2] * u[2];
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

    /// <summary>Writes the block of two atoms.</summary>
    /// <param name="first">Shells of the first atom.</param>
    /// <param name="second">Shells of the second atom.</param>
    /// <param name="u">Unit vector from the first to the second.</param>
    /// <param name="forward">Channels with the smaller l on the first atom.</param>
    /// <param name="backward">Channels with the smaller l on the second atom.</param>
    /// <param name="block">Orbitals of the first × orbitals of the second, row by row. Out.</param>
    public static void Block(int[] first, int[] second, ReadOnlySpan<double> u, ReadOnlySpan<double> forward, ReadOnlySpan<double> backward, Span<double> block)
    {
        int columns = 0;
        foreach (int l in second) columns += 2 * l + 1;
        Span<double> turned = [-u[0], -u[1], -u[2]];
        int row = 0;
        foreach (int l1 in first)
        {
            int column = 0;
            foreach (int l2 in second)
            {
                if (l1 <= l2) Shell(l1, l2, u, forward, block[(row * columns + column)..], columns, 1);
                else Shell(l2, l1, turned, backward, block[(row * columns + column)..], 1, columns);
                column += 2 * l2 + 1;
            }
            row += 2 * l1 + 1;
        }
    }

    /// <summary>Block of shells l₁ ≤ l₂; entry (a, b) at a·rowStep + b·columnStep.</summary>
    private static void Shell(int l1, int l2, ReadOnlySpan<double> u, ReadOnlySpan<double> v, Span<double> block, int rowStep, int columnStep)
    {
        if (l2 == 0)
        {
            block[0] = v[Channel.SsSigma];
            return;
        }
        if (l2 == 1)
        {
            if (l1 == 0)
            {
                for (int c = 0; c < 3; c++) block[c * columnStep] = u[c] * v[Channel.SpSigma];
                return;
            }
            double pi = v[Channel.PpPi], difference = v[Channel.PpSigma] - pi;
            for (int a = 0; a < 3; a++)
                for (int b = 0; b < 3; b++) block[a * rowStep + b * columnStep] = u[a] * u[b] * difference + (a == b ? pi : 0);
            return;
        }
        Span<double> qu = stackalloc double[15], q = stackalloc double[5];
        for (int a = 0; a < 5; a++)
        {
            Times(s_q[a], u, qu.Slice(3 * a, 3));
            q[a] = Dot(qu.Slice(3 * a, 3), u);
        }
        if (l1 == 0)
            for (int a = 0; a < 5; a++) block[a * columnStep] = Sqrt3Half * q[a] * v[Channel.SdSigma];
        else if (l1 == 1)
            for (int c = 0; c < 3; c++)
                for (int a = 0; a < 5; a++)
                    block[c * rowStep + a * columnStep] = Sqrt3Half * u[c] * q[a] * v[Channel.PdSigma] + Sqrt2 * (qu[3 * a + c] - u[c] * q[a]) * v[Channel.PdPi];
        else
            for (int a = 0; a < 5; a++)
                for (int b = 0; b < 5; b++)
                {
                    double sigma = 1.5 * q[a] * q[b], pi = 2 * (Dot(qu.Slice(3 * a, 3), qu.Slice(3 * b, 3)) - q[a] * q[b]);
                    block[a * rowStep + b * columnStep] =
                        sigma * v[Channel.DdSigma] + pi * v[Channel.DdPi] + ((a == b ? 1 : 0) - sigma - pi) * v[Channel.DdDelta];
                }
    }

    /// <summary>Adds Σ weight·∂block/∂r, r the vector from the first to the second atom.</summary>
    /// <param name="first">Shells of the first atom.</param>
    /// <param name="second">Shells of the second atom.</param>
    /// <param name="u">r/|r|.</param>
    /// <param name="distance">|r|.</param>
    /// <param name="forward">Channels with the smaller l on the first atom.</param>
    /// <param name="forwardSlope">Their derivatives by the distance.</param>
    /// <param name="backward">Channels with the smaller l on the second atom.</param>
    /// <param name="backwardSlope">Their derivatives by the distance.</param>
    /// <param name="weight">Orbitals of the first × orbitals of the second.</param>
    /// <param name="gradient">Three numbers, added to.</param>
    public static void AddGradient(int[] first, int[] second, ReadOnlySpan<double> u, double distance, ReadOnlySpan<double> forward,
        ReadOnlySpan<double> forwardSlope, ReadOnlySpan<double> backward, ReadOnlySpan<double> backwardSlope, ReadOnlySpan<double> weight,
        Span<double> gradient)
    {
        int columns = 0;
        foreach (int l in second) columns += 2 * l + 1;
        Span<double> turned = [-u[0], -u[1], -u[2]], part = stackalloc double[3];
        int row = 0;
        foreach (int l1 in first)
        {
            int column = 0;
            foreach (int l2 in second)
            {
                bool direct = l1 <= l2;
                part.Clear();
                double slope = direct
                    ? ShellGradient(l1, l2, u, forward, forwardSlope, weight[(row * columns + column)..], columns, 1, part)
                    : ShellGradient(l2, l1, turned, backward, backwardSlope, weight[(row * columns + column)..], 1, columns, part);
                // du/dr = (1 − u uᵀ)/|r|; a turned bond has −u.
                double along = Dot(part, direct ? u : turned), sign = (direct ? 1 : -1) / distance;
                for (int x = 0; x < 3; x++) gradient[x] += slope * u[x] + sign * (part[x] - along * (direct ? u[x] : turned[x]));
                column += 2 * l2 + 1;
            }
            row += 2 * l1 + 1;
        }
    }

    /// <summary>For shells l₁ ≤ l₂ with weights W: returns Σ W ∂/∂|r| and adds Σ W ∂/∂u (u taken as three free numbers) to <paramref name="g"/>.</summary>
    private static double ShellGradient(int l1, int l2, ReadOnlySpan<double> u, ReadOnlySpan<double> v, ReadOnlySpan<double> d, ReadOnlySpan<double> weight,
        int rowStep, int columnStep, Span<double> g)
    {
        if (l2 == 0) return weight[0] * d[Channel.SsSigma];
        if (l2 == 1)
        {
            if (l1 == 0)
            {
                double sum = 0;
                for (int c = 0; c < 3; c++)
                {
                    double w = weight[c * columnStep];
                    sum += w * u[c];
                    g[c] += w * v[Channel.SpSigma];
                }
                return sum * d[Channel.SpSigma];
            }
            double trace = 0, sigma = 0, difference = v[Channel.PpSigma] - v[Channel.PpPi];
            for (int a = 0; a < 3; a++)
            {
                double wu = 0;
                for (int b = 0; b < 3; b++) wu += (weight[a * rowStep + b * columnStep] + weight[b * rowStep + a * columnStep]) * u[b];
                g[a] += wu * difference;
                sigma += 0.5 * wu * u[a];
                trace += weight[a * (rowStep + columnStep)];
            }
            return sigma * d[Channel.PpSigma] + (trace - sigma) * d[Channel.PpPi];
        }

        Span<double> qu = stackalloc double[15], q = stackalloc double[5], t = stackalloc double[3], qt = stackalloc double[3];
        for (int a = 0; a < 5; a++)
        {
            Times(s_q[a], u, qu.Slice(3 * a, 3));
            q[a] = Dot(qu.Slice(3 * a, 3), u);
        }
        if (l1 == 0)
        {
            double sum = 0;
            for (int a = 0; a < 5; a++)
            {
                double w = Sqrt3Half * weight[a * columnStep];
                sum += w * q[a];
                for (int x = 0; x < 3; x++) g[x] += 2 * w * qu[3 * a + x] * v[Channel.SdSigma];
            }
            return sum * d[Channel.SdSigma];
        }
        if (l1 == 1)
        {
            // Σ W u_c q_a and Σ W (Q_a u)_c
            double product = 0, mixed = 0, onProduct = Sqrt3Half * v[Channel.PdSigma] - Sqrt2 * v[Channel.PdPi], onMixed = Sqrt2 * v[Channel.PdPi];
            for (int a = 0; a < 5; a++)
            {
                double wu = 0;
                for (int c = 0; c < 3; c++)
                {
                    double w = weight[c * rowStep + a * columnStep];
                    t[c] = w;
                    wu += w * u[c];
                    mixed += w * qu[3 * a + c];
                }
                product += wu * q[a];
                Times(s_q[a], t, qt);
                for (int x = 0; x < 3; x++) g[x] += onProduct * (t[x] * q[a] + 2 * wu * qu[3 * a + x]) + onMixed * qt[x];
            }
            return Sqrt3Half * product * d[Channel.PdSigma] + Sqrt2 * (mixed - product) * d[Channel.PdPi];
        }
        {
            // Σ W q_a q_b and Σ W Q_a u · Q_b u
            double trace = 0, product = 0, mixed = 0;
            double delta = v[Channel.DdDelta], onProduct = 1.5 * (v[Channel.DdSigma] - delta) - 2 * (v[Channel.DdPi] - delta), onMixed = 2 * (v[Channel.DdPi] - delta);
            for (int a = 0; a < 5; a++)
            {
                double wq = 0;
                t.Clear();
                for (int b = 0; b < 5; b++)
                {
                    double w = weight[a * rowStep + b * columnStep] + weight[b * rowStep + a * columnStep];
                    wq += w * q[b];
                    for (int x = 0; x < 3; x++) t[x] += w * qu[3 * b + x];
                }
                trace += weight[a * (rowStep + columnStep)];
                product += 0.5 * wq * q[a];
                mixed += 0.5 * Dot(t, qu.Slice(3 * a, 3));
                Times(s_q[a], t, qt);
                for (int x = 0; x < 3; x++) g[x] += onProduct * 2 * wq * qu[3 * a + x] + onMixed * qt[x];
            }
            double sigma = 1.5 * product, pi = 2 * (mixed - product);
            return sigma * d[Channel.DdSigma] + pi * d[Channel.DdPi] + (trace - sigma - pi) * d[Channel.DdDelta];
        }
    }
}
