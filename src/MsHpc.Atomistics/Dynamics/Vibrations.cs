using MsHpc.Core;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>A fast vibration of some forces.</summary>
/// <param name="Omega">Ω, rad/fs.</param>
/// <param name="SlowStiffness">λ² = uᵀ M^−½ H_slow M^−½ u, 1/fs², of other forces along it; 0 when none were given.</param>
public readonly record struct Vibration(double Omega, double SlowStiffness);

/// <summary>
/// Largest eigenvalues Ω² of the mass-weighted Hessian M^−½ H M^−½ by Lanczos (C. Lanczos, J. Res. Natl. Bur. Stand. 45, 255, 1950) with full
/// orthogonalisation; H u by central differences of forces, H u ≈ −(F(r + ε u) − F(r − ε u))/2ε, error O(ε²).
/// </summary>
/// <remarks>With constraints only what they leave free vibrates: displaced positions are brought back onto them, and displacements and forces lose their parts along them,
/// each at its own positions. That is the Hessian on the surface of the constraints, with its curvature (what turns in a field, librates).</remarks>
internal static unsafe class Vibrations
{
    private const int Iterations = 48;
    private const double Displacement = 1e-3; // Å, of the atom that moves most

    /// <summary>The fastest vibrations of <paramref name="fast"/>, fastest first; those that have converged to 10⁻³, at least one. Collective.</summary>
    public static List<Vibration> Fastest(Motion m, IReadOnlyList<Interaction> fast, int count, IReadOnlyList<Interaction>? slow)
    {
        var domain = m.Domain;
        int n = 24 * domain.OwnedClusters;
        var basis = new List<double[]>();
        var (alpha, beta) = (new List<double>(), new List<double>());
        double[] u = new double[n], w = new double[n];
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            if (domain.Tag[s] < 0) continue;
            var random = new Philox(m.Seed, domain.Tag[s], 0);
            for (int k = 0; k < 3; k++) u[s / 8 * 24 + s % 8 + 8 * k] = random.NextNormal();
        }
        Project(m, u);
        Scale(u, 1 / Math.Sqrt(Dot(m, u, u)));
        double[] values = [], vectors = [];
        int most = Math.Min(Iterations, 3 * domain.AtomCount), converged = 0;
        while (basis.Count < most)
        {
            basis.Add([.. u]);
            Apply(m, fast, u, w);
            alpha.Add(Dot(m, u, w));
            // Twice is enough to be orthogonal to rounding.
            for (int pass = 0; pass < 2; pass++)
                foreach (double[] q in basis) Subtract(w, q, Dot(m, q, w));
            double norm = Math.Sqrt(Dot(m, w, w));
            int j = alpha.Count;
            vectors = new double[j * j];
            values = new double[j];
            for (int k = 0; k < j; k++)
            {
                vectors[k * j + k] = alpha[k];
                if (k + 1 < j) vectors[k * j + k + 1] = vectors[(k + 1) * j + k] = beta[k];
            }
            Dense.SymmetricEigen(j, vectors, values);
            double scale = Math.Max(Math.Abs(values[0]), Math.Abs(values[^1]));
            converged = 0;
            // Residual of a Ritz pair: β · last component of its vector.
            while (converged < Math.Min(count, j) && norm * Math.Abs(Component(j - 1, j - 1 - converged)) < 1e-3 * scale) converged++;
            if (converged >= count || norm < 1e-10 * scale || scale == 0) break;
            beta.Add(norm);
            for (int k = 0; k < n; k++) u[k] = w[k] / norm;
        }
        int dimension = alpha.Count;
        var modes = new List<Vibration>();
        for (int c = 0; c < Math.Min(dimension, Math.Max(1, converged)); c++)
        {
            int column = dimension - 1 - c;
            double lambda = 0;
            if (slow is not null)
            {
                Array.Clear(u);
                for (int k = 0; k < dimension; k++) Subtract(u, basis[k], -Component(k, column));
                Apply(m, slow, u, w);
                lambda = Dot(m, u, w);
            }
            modes.Add(new Vibration(values[column] > 0 ? Math.Sqrt(values[column]) : 0, lambda));
        }
        return modes;

        double Component(int row, int column) => vectors[row + column * alpha.Count]; // column by column
    }

    /// <summary>w = M^−½ H M^−½ u, 1/fs².</summary>
    private static void Apply(Motion m, IReadOnlyList<Interaction> terms, double[] u, double[] w)
    {
        var domain = m.Domain;
        double largest = 0;
        for (int s = 0; s < domain.OwnedSlots; s++)
        {
            double square = 0;
            for (int k = 0; k < 3; k++) square += Math.Pow(u[s / 8 * 24 + s % 8 + 8 * k], 2) * m.InverseMass[s];
            largest = Math.Max(largest, square);
        }
        double step = Displacement / Math.Sqrt(domain.Comm.AllReduceMax(largest));
        Array.Clear(w);
        double[] here = new double[u.Length], force = new double[u.Length];
        new Span<double>(domain.X, u.Length).CopyTo(here);
        try
        {
            for (int sign = 1; sign >= -1; sign -= 2)
            {
                for (int s = 0; s < domain.OwnedSlots; s++)
                    for (int k = 0, at = s / 8 * 24 + s % 8; k < 3; k++, at += 8) domain.X[at] = here[at] + sign * step * Math.Sqrt(m.InverseMass[s]) * u[at];
                fixed (double* reference = here) m.Hold(reference);
                domain.UpdateGhosts();
                var tally = new Tally();
                m.ComputeForces(terms, Want.Forces, ref tally);
                m.ThrowFailure();
                for (int s = 0; s < domain.OwnedSlots; s++)
                    for (int k = 0, at = s / 8 * 24 + s % 8; k < 3; k++, at += 8) force[at] = domain.F[at] * Math.Sqrt(m.InverseMass[s]);
                Project(m, force);
                Subtract(w, force, sign / (2 * step));
            }
        }
        finally { here.CopyTo(new Span<double>(domain.X, u.Length)); }
        domain.UpdateGhosts();
        Project(m, w);
    }

    /// <summary>Takes away the part of a mass-weighted field along the constraints: what they take of velocities M^−½ u.</summary>
    private static void Project(Motion m, double[] u)
    {
        if (!m.Constrained) return;
        double* v = m.Domain.V;
        var kept = new Span<double>(v, u.Length).ToArray();
        for (int at = 0; at < u.Length; at++) v[at] = Math.Sqrt(m.InverseMass[at / 24 * 8 + at % 8]) * u[at];
        m.Constrain();
        for (int at = 0; at < u.Length; at++)
        {
            double weight = Math.Sqrt(m.InverseMass[at / 24 * 8 + at % 8]);
            u[at] = weight > 0 ? v[at] / weight : 0;
        }
        kept.CopyTo(new Span<double>(v, u.Length));
    }

    private static double Dot(Motion m, double[] a, double[] b)
    {
        double sum = 0;
        for (int k = 0; k < a.Length; k++) sum += a[k] * b[k];
        return m.Comm.AllReduceSum(sum);
    }

    private static void Subtract(double[] a, double[] b, double factor)
    {
        for (int k = 0; k < a.Length; k++) a[k] -= factor * b[k];
    }

    private static void Scale(double[] a, double factor)
    {
        for (int k = 0; k < a.Length; k++) a[k] *= factor;
    }
}
