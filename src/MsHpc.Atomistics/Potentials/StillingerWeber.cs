using MsHpc.Core;

namespace MsHpc.Atomistics.Potentials;

/// <summary>Parameters of one triplet of types (i, j, k), i the vertex; two-body ones count for j = k only.</summary>
/// <param name="Epsilon">ε, eV.</param>
/// <param name="Sigma">σ, Å; of j = k.</param>
/// <param name="Range">a: the cutoff is aσ; of j = k.</param>
/// <param name="Lambda">λ.</param>
/// <param name="Gamma">γ; of j = k.</param>
/// <param name="Cosine">cos θ₀.</param>
/// <param name="A">A; of j = k.</param>
/// <param name="B">B; of j = k.</param>
/// <param name="P">p; of j = k.</param>
/// <param name="Q">q; of j = k.</param>
/// <param name="Tolerance">Shortens the cutoff to where the exponential falls below it, as LAMMPS does; 0: not at all. Of j = k.</param>
public readonly record struct StillingerWeberTriplet(double Epsilon, double Sigma, double Range, double Lambda, double Gamma, double Cosine, double A, double B, double P, double Q, double Tolerance = 0);

/// <summary>
/// Stillinger–Weber potential (F. H. Stillinger and T. A. Weber, Phys. Rev. B 31, 5262, 1985) for any kinds of atoms:
/// <code>
/// E   = Σ_{i&lt;j} φ₂(r_ij) + Σ_i Σ_{j&lt;k} λ ε (cos θ_jik − cos θ₀)² h_ij h_ik
/// φ₂  = A ε [B (σ/r)^p − (σ/r)^q] exp(σ/(r − aσ)),   h = exp(γσ/(r − aσ)),   r &lt; aσ
/// F_j = −φ₂′ û − λ ε Σ_k h_ik {(cos θ − cos θ₀)² h′_ij û_ij + 2 (cos θ − cos θ₀) h_ij (û_ik − cos θ û_ij)/r_ij},   F_i = −Σ F_j
/// </code>
/// φ₂ and h take the parameters of the triplet (i, j, j); λ, ε and cos θ₀ of the angle those of (i, j, k) and (i, k, j), which may differ by rounding (10⁻⁵; the mean counts). Where
/// those of (i, j, j) and (j, i, i) differ, each gives half of φ₂.
/// Energies per atom: half of φ₂ to each of two atoms, a third of a triplet to each of three.
/// </summary>
/// <remarks>
/// <para>The wide kernel sums a triplet's terms over a shell by moments: with S = Σ h, V = Σ h û, T = Σ h û⊗û over the neighbours of an atom,
/// Σ_{j≠k} h_j h_k (û_j·û_k − c)² = T:T − 2c V·V + c² S² − (1−c)² Σ h². So the work grows with the neighbours, not with their pairs. Of
/// several kinds of neighbours each has its own moments.</para>
/// <para>It leaves out what lies so near to aσ that exp(σ/(r − aσ)) &lt; e⁻⁴⁰ (min(1, γ)σ for σ where γ is smaller): less than 10⁻¹³ eV/Å.</para>
/// <para>Mixed precision takes coordinates in single, so its error grows with the box: for disturbed silicon (rms force 2.6 eV/Å) force errors are
/// 1.2·10⁻⁵ of that rms (largest 9·10⁻⁵) in a box of 87 Å, 1.5·10⁻⁶ (largest 10⁻⁵) in one of 16 Å; the energy is off by 10⁻⁶ eV per atom.</para>
/// </remarks>
public sealed unsafe partial class StillingerWeber : TripletPotential<StillingerWeberTriplet>
{
    private static readonly string[] Columns = ["epsilon", "sigma", "a", "lambda", "gamma", "cos(theta0)", "A", "B", "p", "q", "tol"];
    private readonly string _source;

    /// <param name="types">Kinds of atoms, T.</param>
    /// <param name="triplets">Parameters of types (i, j, k), i the vertex.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <param name="source">Where the parameters come from, for the log.</param>
    /// <exception cref="InputException">Parameters out of range; λε or cos θ₀ that differ by more than 10⁻⁵ between (i, j, k) and (i, k, j).</exception>
    public StillingerWeber(int types, Func<int, int, int, StillingerWeberTriplet> triplets, Precision precision = Precision.Double, string source = "parameters given")
        : base(types, triplets, precision) => _source = source;

    /// <summary>Silicon with the parameters of the paper (ε = 2.1683 eV, as LAMMPS has it: a cohesive energy of 4.63 eV but for the last digit).</summary>
    public static StillingerWeber Silicon(Precision precision = Precision.Double) => new(1,
        (_, _, _) => new StillingerWeberTriplet(2.1683, 2.0951, 1.8, 21, 1.2, -0.333333333333, 7.049556277, 0.6022245584, 4, 0), precision, "silicon of the paper");

    /// <summary>Parameters from a file of LAMMPS' pair style sw.</summary>
    /// <param name="path">File, e.g. Si.sw.</param>
    /// <param name="elements">Element of each type, as the file spells it.</param>
    /// <param name="precision">Arithmetic.</param>
    /// <exception cref="InputException">Faults of the file, with their lines; missing triplets; parameters out of range.</exception>
    public static StillingerWeber Read(string path, IReadOnlyList<string> elements, Precision precision = Precision.Double)
    {
        int t = elements.Count;
        double[][] rows = TripletFile.Read(path, elements, Columns);
        return new StillingerWeber(t, (i, j, k) =>
        {
            double[] p = rows[(i * t + j) * t + k];
            return new StillingerWeberTriplet(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10]);
        }, precision, Path.GetFileName(path));
    }

    /// <inheritdoc/>
    public override string Description => $"Stillinger-Weber (Phys. Rev. B 31, 5262), {_source}";

    private protected override void Check()
    {
        for (int i = 0; i < Types; i++)
            for (int j = 0; j < Types; j++)
            {
                var p = Pair(i, j);
                if (!(p.Epsilon >= 0 && p.Sigma > 0 && p.Range > 0 && p.Gamma >= 0 && p.A >= 0 && p.B >= 0 && p.P >= 0 && p.Q >= 0 && p.Tolerance >= 0))
                    throw new InputException($"Stillinger-Weber triplet {i + 1} {j + 1} {j + 1}: {p}; sigma and a must be positive, nothing else but cos(theta0) and lambda negative");
                double cut = p.Range * p.Sigma;
                if (p.Tolerance > 0) cut += Math.Min(1, p.Gamma) * p.Sigma / Math.Log(Math.Min(p.Tolerance, 0.01));
                Cut[i * Types + j] = Math.Max(0, cut);
                for (int k = 0; k < j; k++)
                {
                    var (a, b) = (Triplet(i, j, k), Triplet(i, k, j));
                    double difference = Math.Abs(a.Lambda * a.Epsilon - b.Lambda * b.Epsilon);
                    if (difference > SameAngle * Math.Abs(a.Lambda * a.Epsilon) || Math.Abs(a.Cosine - b.Cosine) > SameAngle)
                        throw new InputException($"Stillinger-Weber triplets {i + 1} {j + 1} {k + 1} and {i + 1} {k + 1} {j + 1} are the same angle but differ in epsilon, lambda or cos(theta0)");
                }
            }
    }

    private protected override Shells MakeKernel<T>() => new Kernel<T>(this);

    private StillingerWeberTriplet Pair(int i, int j) => Triplet(i, j, j);

    /// <summary>How much λε (relative) and cos θ₀ of an angle may depend on its direction: files round them.</summary>
    private const double SameAngle = 1e-5;

    /// <summary>λε and cos θ₀ of an angle, means of both its directions.</summary>
    private (double Strength, double Cosine) Angle(int i, int j, int k)
    {
        var (p, q) = (Triplet(i, j, k), Triplet(i, k, j));
        return (0.5 * (p.Lambda * p.Epsilon + q.Lambda * q.Epsilon), 0.5 * (p.Cosine + q.Cosine));
    }

    private protected override void Scalar(Domain d, int i, List<Neighbor> shell, ref Tally tally)
    {
        int ti = d.Type[i];
        for (int a = 0; a < shell.Count; a++)
        {
            var j = shell[a];
            int tj = d.Type[j.Slot];
            var p = Pair(ti, tj);
            double s = 1 / (j.R - p.Range * p.Sigma), br = p.B * Math.Pow(p.Sigma / j.R, p.P), cr = Math.Pow(p.Sigma / j.R, p.Q);
            double exp = p.A * p.Epsilon * Math.Exp(p.Sigma * s), slope = exp * ((p.Q * cr - p.P * br) / j.R - (br - cr) * p.Sigma * s * s);
            // Each of the two atoms of a pair brings one half.
            AtomTerms.AddPair(d, i, j.Slot, 0.5 * exp * (br - cr), -0.5 * slope / j.R, j.X, j.Y, j.Z, ref tally);
            double h = Math.Exp(p.Gamma * p.Sigma * s), hSlope = -p.Gamma * p.Sigma * s * s * h;
            for (int b = 0; b < a; b++)
            {
                var k = shell[b];
                int tk = d.Type[k.Slot];
                var q = Pair(ti, tk);
                var (strength, cosine0) = Angle(ti, tj, tk);
                double sk = 1 / (k.R - q.Range * q.Sigma), hk = Math.Exp(q.Gamma * q.Sigma * sk), hkSlope = -q.Gamma * q.Sigma * sk * sk * hk;
                double cosine = (j.X * k.X + j.Y * k.Y + j.Z * k.Z) / (j.R * k.R), delta = cosine - cosine0;
                double dj = strength * delta * delta * hSlope * hk, dk = strength * delta * delta * h * hkSlope, dc = 2 * strength * delta * h * hk;
                AtomTerms.AddAngle(d, i, j, k, strength * delta * delta * h * hk, dj, dk, dc, cosine, ref tally);
            }
        }
    }
}
