using MsHpc.Core;

namespace MsHpc.Quantum.Scf;

/// <summary>
/// Points of the Brillouin zone with weights that sum to one. Points k and −k have the same energies, since Hamiltonians here are real in space:
/// one of them stands for both.
/// </summary>
public sealed class KMesh
{
    /// <summary>A point in fractions of the reciprocal vectors.</summary>
    public readonly record struct Point(double K0, double K1, double K2, double Weight)
    {
        /// <summary>Whether all phases exp(2πi k·n) are ±1, so that matrices are real.</summary>
        public bool IsReal => IsHalf(K0) && IsHalf(K1) && IsHalf(K2);

        private static bool IsHalf(double k) => Math.Abs(2 * k - Math.Round(2 * k)) < 1e-12;
    }

    private KMesh(Point[] points) => Points = points;

    /// <summary>Γ alone.</summary>
    public static KMesh Gamma { get; } = new([new Point(0, 0, 0, 1)]);

    /// <summary>The points.</summary>
    public IReadOnlyList<Point> Points { get; }

    /// <summary>The mesh of Monkhorst and Pack (Phys. Rev. B 13, 5188 (1976)): k = (2 a − n + 1)/(2 n), a = 0 … n − 1, in each direction.</summary>
    /// <param name="n0">Points along the first reciprocal vector.</param>
    /// <param name="n1">Along the second.</param>
    /// <param name="n2">Along the third.</param>
    /// <exception cref="InputException">A number below one.</exception>
    public static KMesh MonkhorstPack(int n0, int n1, int n2)
    {
        if (n0 < 1 || n1 < 1 || n2 < 1) throw new InputException($"a mesh of {n0} × {n1} × {n2} points: every number must be at least 1");
        var points = new List<Point>();
        int total = n0 * n1 * n2;
        // The mesh is symmetric: point number t and point number total − 1 − t are k and −k.
        for (int t = 0; 2 * t < total; t++)
        {
            int a0 = t / (n1 * n2), a1 = t / n2 % n1, a2 = t % n2;
            bool own = 2 * t + 1 == total;
            points.Add(new Point((2 * a0 - n0 + 1) / (2.0 * n0), (2 * a1 - n1 + 1) / (2.0 * n1), (2 * a2 - n2 + 1) / (2.0 * n2), (own ? 1.0 : 2.0) / total));
        }
        return new KMesh([.. points]);
    }

    /// <summary>Given points, e.g. along a path or from another program; weights are scaled to sum to one.</summary>
    /// <param name="points">k₀, k₁, k₂ and weight of each.</param>
    /// <exception cref="InputException">No point, or weights that are not positive.</exception>
    public static KMesh Of(IEnumerable<(double K0, double K1, double K2, double Weight)> points)
    {
        var list = points.ToArray();
        double sum = list.Sum(p => p.Weight);
        if (list.Length == 0 || list.Any(p => !(p.Weight > 0))) throw new InputException("a list of k points needs at least one point, and positive weights");
        return new KMesh([.. list.Select(p => new Point(p.K0, p.K1, p.K2, p.Weight / sum))]);
    }
}
