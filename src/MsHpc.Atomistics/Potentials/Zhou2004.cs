using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>
/// The analytic embedded-atom potentials of X. W. Zhou, R. A. Johnson and H. N. G. Wadley, Phys. Rev. B 69, 144113 (2004), for 16 metals and their alloys:
/// <code>
/// f(r)   = f_e e^(−β (x − 1)) / (1 + (x − λ)²⁰),   x = r/r_e
/// φ(r)   = A e^(−α (x − 1)) / (1 + (x − κ)²⁰) − B e^(−β (x − 1)) / (1 + (x − λ)²⁰)
/// φ_ab   = ½ (f_b/f_a φ_aa + f_a/f_b φ_bb)
/// F(ρ)   = Σ₀³ F_ni (ρ/ρ_n − 1)^i        ρ &lt; ρ_n
///        = Σ₀³ F_i (ρ/ρ_e − 1)^i          ρ_n ≤ ρ &lt; 1.15 ρ_e
///        = F_e (1 − η ln(ρ/ρ_s)) (ρ/ρ_s)^η   beyond
/// </code>
/// with ρ_n = 0.85 ρ_e (Pt: 0.25 ρ_e).
/// </summary>
/// <remarks>
/// <para>Parameters are those of the authors' own file, which mends the printed table (Ni: ρ_s, η, F_e; Al: A; W: sign of η; Pt: ρ_n). With them F is zero at ρ = 0
/// and continuous with its slope for every metal.</para>
/// <para>The paper has no cutoff, its tables end at √5 r_e with jumps of about 10⁻⁶ eV. Here f and φ of a metal are multiplied by
/// 1 − y³ (10 − 15 y + 6 y²), y from 0 at 0.95 √5 r_e to 1 at √5 r_e: two continuous derivatives, and no neighbour of a perfect lattice in between. φ_ab ends like the longer one of the two.</para>
/// <para>Evaluated as cubic splines (<see cref="EamFunctions.Spline"/>) on 2000 distances and steps of ρ_e/200 up to 5 ρ_e.</para>
/// </remarks>
internal static class Zhou2004
{
    private sealed record Metal(double Re, double Fe, double RhoE, double RhoS, double Alpha, double Beta, double A, double B, double Kappa, double Lambda,
        double Fn0, double Fn1, double Fn2, double Fn3, double F0, double F2, double F3, double Eta, double FE, double RhoN)
    {
        public double Cutoff => Math.Sqrt(5) * Re;

        public double Density(double r) => Fe * Math.Exp(-Beta * (r / Re - 1)) / (1 + Math.Pow(r / Re - Lambda, 20));

        public double Pair(double r)
        {
            double x = r / Re;
            return A * Math.Exp(-Alpha * (x - 1)) / (1 + Math.Pow(x - Kappa, 20)) - B * Math.Exp(-Beta * (x - 1)) / (1 + Math.Pow(x - Lambda, 20));
        }

        public double Embedding(double rho)
        {
            double x;
            if (rho < RhoN * RhoE)
            {
                x = rho / (RhoN * RhoE) - 1;
                return ((Fn3 * x + Fn2) * x + Fn1) * x + Fn0;
            }
            if (rho < 1.15 * RhoE)
            {
                x = rho / RhoE - 1;
                return (F3 * x + F2) * x * x + F0;
            }
            x = rho / RhoS;
            return FE * (1 - Eta * Math.Log(x)) * Math.Pow(x, Eta);
        }
    }

    private static readonly Dictionary<string, Metal> Metals = new()
    {
        ["Cu"] = new(2.556162, 1.554485, 21.175871, 21.175395, 8.12762, 4.334731, 0.39662, 0.548085, 0.308782, 0.756515, -2.170269, -0.263788, 1.088878, -0.817603, -2.19, 0.56183, -2.100595, 0.31049, -2.186568, 0.85),
        ["Ag"] = new(2.891814, 1.106232, 14.6041, 14.604144, 9.13201, 4.870405, 0.277758, 0.419611, 0.33971, 0.750758, -1.729364, -0.255882, 0.91205, -0.561432, -1.75, 0.744561, -1.15065, 0.783924, -1.748423, 0.85),
        ["Au"] = new(2.885034, 1.529021, 19.991632, 19.991509, 9.516052, 5.075228, 0.229762, 0.356666, 0.35657, 0.748798, -2.937772, -0.500288, 1.601954, -0.83553, -2.98, 1.706587, -1.134778, 1.021095, -2.978815, 0.85),
        ["Ni"] = new(2.488746, 2.007018, 27.562015, 27.562031, 8.383453, 4.471175, 0.429046, 0.633531, 0.443599, 0.820658, -2.693513, -0.076445, 0.241442, -2.375626, -2.7, 0.26539, -0.152856, 0.44547, -2.7, 0.85),
        ["Pd"] = new(2.750897, 1.595417, 21.335246, 21.940073, 8.697397, 4.638612, 0.406763, 0.59888, 0.397263, 0.754799, -2.321006, -0.473983, 1.615343, -0.231681, -2.36, 1.481742, -1.675615, 1.13, -2.352753, 0.85),
        ["Pt"] = new(2.771916, 2.336509, 33.367564, 35.205357, 7.105782, 3.78975, 0.556398, 0.696037, 0.385255, 0.77051, -1.455568, -2.149952, 0.528491, 1.222875, -4.17, 3.010561, -2.420128, 1.45, -4.145597, 0.25),
        ["Al"] = new(2.863924, 1.403115, 20.418205, 23.19574, 6.613165, 3.527021, 0.314873, 0.365551, 0.379846, 0.759692, -2.807602, -0.301435, 1.258562, -1.247604, -2.83, 0.622245, -2.488244, 0.785902, -2.824528, 0.85),
        ["Pb"] = new(3.499723, 0.647872, 8.450154, 8.450063, 9.121799, 5.212457, 0.161219, 0.236884, 0.250805, 0.764955, -1.42237, -0.210107, 0.682886, -0.529378, -1.44, 0.702726, -0.538766, 0.93538, -1.439436, 0.85),
        ["Fe"] = new(2.481987, 1.885957, 20.041463, 20.041463, 9.81827, 5.236411, 0.392811, 0.646243, 0.170306, 0.340613, -2.534992, -0.059605, 0.193065, -2.282322, -2.54, 0.200269, -0.14877, 0.39175, -2.539945, 0.85),
        ["Mo"] = new(2.7281, 2.72371, 29.354065, 29.354065, 8.393531, 4.47655, 0.708787, 1.120373, 0.13764, 0.27528, -3.692913, -0.178812, 0.38045, -3.13365, -3.71, 0.875874, 0.776222, 0.790879, -3.712093, 0.85),
        ["Ta"] = new(2.860082, 3.086341, 33.787168, 33.787168, 8.489528, 4.527748, 0.611679, 1.032101, 0.176977, 0.353954, -5.103845, -0.405524, 1.112997, -3.585325, -5.14, 1.640098, 0.221375, 0.848843, -5.141526, 0.85),
        ["W"] = new(2.74084, 3.48734, 37.234847, 37.234847, 8.900114, 4.746728, 0.882435, 1.394592, 0.139209, 0.278417, -4.946281, -0.148818, 0.365057, -4.432406, -4.96, 0.661935, 0.348147, 0.582714, -4.961306, 0.85),
        ["Mg"] = new(3.196291, 0.544323, 7.1326, 7.1326, 10.228708, 5.455311, 0.137518, 0.22593, 0.5, 1, -0.896473, -0.044291, 0.162232, -0.68995, -0.9, 0.122838, -0.22601, 0.431425, -0.899702, 0.85),
        ["Co"] = new(2.505979, 1.975299, 27.206789, 27.206789, 8.679625, 4.629134, 0.421378, 0.640107, 0.5, 1, -2.541799, -0.219415, 0.733381, -1.589003, -2.56, 0.705845, -0.68714, 0.694608, -2.559307, 0.85),
        ["Ti"] = new(2.933872, 1.8632, 25.565138, 25.565138, 8.775431, 4.68023, 0.373601, 0.570968, 0.5, 1, -3.203773, -0.198262, 0.683779, -2.321732, -3.22, 0.608587, -0.75071, 0.558572, -3.219176, 0.85),
        ["Zr"] = new(3.199978, 2.230909, 30.879991, 30.879991, 8.55919, 4.564902, 0.424667, 0.640054, 0.5, 1, -4.485793, -0.293129, 0.990148, -3.202516, -4.51, 0.928602, -0.98187, 0.597133, -4.509025, 0.85),
    };

    /// <summary>Metals there are.</summary>
    public static IReadOnlyCollection<string> Symbols => Metals.Keys;

    public static EamFunctions Functions(IReadOnlyList<string> elements)
    {
        const int distances = 2000, perDensity = 200, reach = 5;
        if (elements.Count == 0) throw new InputException("the potential of Zhou, Johnson and Wadley needs the names of elements");
        var metals = new Metal[elements.Count];
        for (int i = 0; i < metals.Length; i++)
            if (!Metals.TryGetValue(elements[i], out metals[i]!))
                throw new InputException($"Zhou, Johnson and Wadley (2004) has no '{elements[i]}', only {string.Join(", ", Symbols)}{Nearest.Hint(elements[i], Symbols)}");
        double cutoff = metals.Max(m => m.Cutoff), dr = cutoff / (distances - 1), drho = metals.Min(m => m.RhoE) / perDensity;
        int densities = (int)(reach * metals.Max(m => m.RhoE) / drho) + 1;
        double[] Table(Func<double, double> f) => [.. Enumerable.Range(0, distances).Select(k => f(k * dr))];
        double[][] given = [.. metals.Select(m => Table(r => m.Density(r) * Switch(r, m.Cutoff)))];
        return new EamFunctions("X. W. Zhou, R. A. Johnson, H. N. G. Wadley, Phys. Rev. B 69, 144113", cutoff, dr, drho,
            [.. metals.Select(m => Enumerable.Range(0, densities).Select(k => m.Embedding(k * drho)).ToArray())],
            [.. metals.Select(_ => given)],
            [.. metals.Select(a => metals.Select(b => Table(r => r * Mixed(a, b, r) * Switch(r, Math.Max(a.Cutoff, b.Cutoff)))).ToArray())]);
    }

    private static double Mixed(Metal a, Metal b, double r) =>
        a == b ? a.Pair(r) : 0.5 * (b.Density(r) / a.Density(r) * a.Pair(r) + a.Density(r) / b.Density(r) * b.Pair(r));

    private static double Switch(double r, double cutoff)
    {
        double y = Math.Clamp((r / cutoff - 0.95) / 0.05, 0, 1);
        return 1 - y * y * y * (10 - 15 * y + 6 * y * y);
    }
}
