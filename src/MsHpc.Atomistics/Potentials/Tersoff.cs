using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>Parameters of one triplet of types (i, j, k) in the order of LAMMPS' files; n, β, λ₂, B, λ₁ and A count for j = k only.</summary>
/// <param name="M">m, 1 or 3.</param>
/// <param name="Gamma">γ.</param>
/// <param name="Lambda3">λ₃, 1/Å.</param>
/// <param name="C">c.</param>
/// <param name="D">d.</param>
/// <param name="Cosine">cos θ₀ (h).</param>
/// <param name="N">n.</param>
/// <param name="Beta">β.</param>
/// <param name="Lambda2">λ₂, 1/Å.</param>
/// <param name="B">B, eV.</param>
/// <param name="R">R, Å: middle of the range over which the neighbour is switched off.</param>
/// <param name="HalfWidth">D, Å: half of that range.</param>
/// <param name="Lambda1">λ₁, 1/Å.</param>
/// <param name="A">A, eV.</param>
public readonly record struct TersoffTriplet(double M, double Gamma, double Lambda3, double C, double D, double Cosine, double N, double Beta,
    double Lambda2, double B, double R, double HalfWidth, double Lambda1, double A);

/// <summary>
/// Tersoff's bond-order potential (J. Tersoff, Phys. Rev. B 37, 6991, 1988; several elements: Phys. Rev. B 39, 5566, 1989) for any kinds of atoms:
/// <code>
/// E    = ½ Σ_i Σ_{j≠i} f_C(r_ij) [A e^(−λ₁ r_ij) − b_ij B e^(−λ₂ r_ij)]
/// b_ij = (1 + (β ζ_ij)ⁿ)^(−1/2n),   ζ_ij = Σ_{k≠i,j} f_C(r_ik) g(θ_jik) e^(λ₃^m (r_ij − r_ik)^m)
/// g    = γ (1 + c²/d² − c²/(d² + (h − cos θ)²))
/// f_C  = 1 below R − D, 0 above R + D, ½ − ½ sin(π (r − R)/2D) between
/// F_j  = −∂E/∂r_j: of each (i, j) the derivative at fixed b along û_ij, and −½ f_C B e^(−λ₂ r) b′(ζ) times that of ζ, which moves j and every k
/// </code>
/// f_C of r_ik, g and the exponential take the parameters of the triplet (i, j, k), everything else those of (i, j, j). As in LAMMPS, b is 1 and its
/// derivative 0 where (βζ)ⁿ is below the rounding of 1, and the exponent stays within ±69.08.
/// Energies per atom: half of each bond's to each end.
/// </summary>
/// <remarks>
/// <para>Parameter sets of this form: T2 (file Si.tersoff), T3 (Phys. Rev. B 38, 9902, 1988; element Si(C) of SiCGe.tersoff), SiC.tersoff, GaN.tersoff, BNC.tersoff.
/// Where A, λ₁, R or D of (i, j, j) and (j, i, i) differ, each gives half of a bond's repulsion.</para>
/// <para>Mixed precision takes coordinates in single, so its error grows with the box: for disturbed T2 silicon (rms force 2.8 eV/Å) force errors are
/// 1.4·10⁻⁵ of that rms (largest 1.8·10⁻⁴) in a box of 87 Å, 1.5·10⁻⁶ (largest 7·10⁻⁶) in one of 16 Å; the energy is off by less than 10⁻⁶ eV per atom.</para>
/// </remarks>
public sealed unsafe partial class Tersoff : TripletPotential<TersoffTriplet>
{
    private static readonly string[] Columns = ["m", "gamma", "lambda3", "c", "d", "cos(theta0)", "n", "beta", "lambda2", "B", "R", "D", "lambda1", "A"];
    private readonly string _source;

    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="triplets">Parameters of types (i, j, k): the bond i–j seen by neighbour k of i.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <param name="source">Where the parameters come from, for the log.</param>
    /// <exception cref="InputException">Parameters out of range.</exception>
    public Tersoff(int types, Func<int, int, int, TersoffTriplet> triplets, Precision precision = Precision.Double, string source = "parameters given")
        : base(types, triplets, precision) => _source = source;

    /// <summary>Parameters from a file of LAMMPS' pair style tersoff.</summary>
    /// <param name="path">File, e.g. SiC.tersoff.</param>
    /// <param name="elements">Element of each type, as the file spells it.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <exception cref="InputException">Faults of the file, with their lines; missing triplets; parameters out of range.</exception>
    public static Tersoff Read(string path, IReadOnlyList<string> elements, Precision precision = Precision.Double)
    {
        int t = elements.Count;
        double[][] rows = TripletFile.Read(path, elements, Columns);
        return new Tersoff(t, (i, j, k) =>
        {
            double[] p = rows[(i * t + j) * t + k];
            return new TersoffTriplet(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13]);
        }, precision, Path.GetFileName(path));
    }

    /// <inheritdoc/>
    public override string Description => $"Tersoff (Phys. Rev. B 37, 6991; 39, 5566), {_source}";

    private protected override void Check()
    {
        for (int i = 0; i < Types; i++)
            for (int j = 0; j < Types; j++)
                for (int k = 0; k < Types; k++)
                {
                    var p = Triplet(i, j, k);
                    string? fault = p.M is not (1 or 3) ? "m must be 1 or 3"
                        : !(p.R > 0 && p.HalfWidth >= 0 && p.HalfWidth <= p.R) ? "R must be positive and D between 0 and R"
                        : !(p.C >= 0 && p.D >= 0 && p.Gamma >= 0 && p.N >= 0 && p.Beta >= 0 && p.Lambda1 >= 0 && p.Lambda2 >= 0 && p.A >= 0 && p.B >= 0) ? "only lambda3 and cos(theta0) may be negative"
                        : p.D == 0 && p.C != 0 ? "d is 0: g divides by it"
                        : j == k && p.Beta > 0 && p.N == 0 ? "n is 0 although beta is not"
                        : null;
                    if (fault != null) throw new InputException($"Tersoff triplet {i + 1} {j + 1} {k + 1}: {p}: {fault}");
                    Cut[i * Types + k] = Math.Max(Cut[i * Types + k], p.R + p.HalfWidth);
                }
    }

    private protected override Shells MakeKernel<T>() => new Kernel<T>(this);

    private protected override void Scalar(Domain d, int i, List<Neighbor> shell, ref Tally tally)
    {
        int ti = d.Type[i];
        for (int a = 0; a < shell.Count; a++)
        {
            var j = shell[a];
            int tj = d.Type[j.Slot];
            var p = Triplet(ti, tj, tj);
            var (fc, fcSlope) = Switch(p, j.R);
            if (fc == 0) continue;
            double zeta = 0;
            for (int b = 0; b < shell.Count; b++)
                if (b != a) zeta += Zeta(Triplet(ti, tj, d.Type[shell[b].Slot]), j, shell[b]).Value;
            var (order, orderSlope) = BondOrder(p, zeta);
            double repulsive = 0.5 * p.A * Math.Exp(-p.Lambda1 * j.R), attractive = 0.5 * p.B * Math.Exp(-p.Lambda2 * j.R);
            double slope = repulsive * (fcSlope - p.Lambda1 * fc) - order * attractive * (fcSlope - p.Lambda2 * fc);
            AtomTerms.AddPair(d, i, j.Slot, fc * (repulsive - order * attractive), -slope / j.R, j.X, j.Y, j.Z, ref tally);
            double dZeta = -fc * attractive * orderSlope;
            for (int b = 0; b < shell.Count; b++)
            {
                if (b == a) continue;
                var z = Zeta(Triplet(ti, tj, d.Type[shell[b].Slot]), j, shell[b]);
                AtomTerms.AddAngle(d, i, j, shell[b], 0, dZeta * z.Dj, dZeta * z.Dk, dZeta * z.Dc, z.Cosine, ref tally);
            }
        }
    }

    private static (double Value, double Slope) Switch(in TersoffTriplet p, double r)
    {
        if (r < p.R - p.HalfWidth) return (1, 0);
        if (r >= p.R + p.HalfWidth) return (0, 0);
        var (sin, cos) = Math.SinCos(0.5 * Math.PI * (r - p.R) / p.HalfWidth);
        return (0.5 - 0.5 * sin, -0.25 * Math.PI / p.HalfWidth * cos);
    }

    /// <summary>One term of ζ_ij, its derivatives by r_ij, r_ik and the cosine, and the cosine.</summary>
    private static (double Value, double Dj, double Dk, double Dc, double Cosine) Zeta(in TersoffTriplet p, in Neighbor j, in Neighbor k)
    {
        var (fc, slope) = Switch(p, k.R);
        if (fc == 0) return default;
        double cosine = (j.X * k.X + j.Y * k.Y + j.Z * k.Z) / (j.R * k.R), difference = p.Cosine - cosine;
        double c2 = p.C * p.C, d2 = p.C == 0 ? 1 : p.D * p.D, q = 1 / (d2 + difference * difference);
        double g = p.Gamma * (1 + c2 / d2 - c2 * q), gSlope = -2 * p.Gamma * c2 * difference * q * q;
        double x = p.Lambda3 * (j.R - k.R), exponent = p.M == 3 ? x * x * x : x;
        double e = exponent > Limit ? 1e30 : exponent < -Limit ? 0 : Math.Exp(exponent), relative = p.M == 3 ? 3 * p.Lambda3 * x * x : p.Lambda3;
        return (fc * g * e, fc * g * e * relative, slope * g * e - fc * g * e * relative, fc * gSlope * e, cosine);
    }

    /// <summary>ln 10³⁰: beyond it the exponential is cut, as in LAMMPS.</summary>
    private const double Limit = 69.0776;

    /// <summary>(βζ)ⁿ/2n below which b is 1 to within rounding.</summary>
    private const double Rounding = 1e-16;

    /// <summary>b and b′ of ζ.</summary>
    private static (double Value, double Slope) BondOrder(in TersoffTriplet p, double zeta)
    {
        double x = p.Beta * zeta, n = p.N;
        if (x == 0 || x < Math.Pow(2 * n * Rounding, 1 / n)) return (1, 0);
        // With t = xⁿ: b = (1 + t)^(−1/2n); for large t from 1/t, which does not overflow.
        double t = Math.Pow(x, n);
        if (t <= 1) return (Math.Pow(1 + t, -0.5 / n), -0.5 * Math.Pow(1 + t, -0.5 / n - 1) * t / zeta);
        double b = Math.Pow(1 + Math.Pow(x, -n), -0.5 / n) / Math.Sqrt(x);
        return (b, -0.5 * b / (1 + Math.Pow(x, -n)) / zeta);
    }
}
