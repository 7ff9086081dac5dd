using NUnit.Framework;
using MsHpc.Continuum;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Tests.Continuum.Homogenization;

/// <summary>Builds RVEs and evaluates single points of them.</summary>
internal static class RveFixture
{
    /// <summary>A voxel mesh of the unit square or cube; phase(i, j, k) names the region of a cell.</summary>
    public static Mesh Voxels(int dim, int n, Func<int, int, int, string> phase, double size = 1)
    {
        int m = n + 1, nz = dim == 3 ? n : 1, mz = dim == 3 ? m : 1;
        var x = new double[m * m * mz * dim];
        for (int k = 0; k < mz; k++)
            for (int j = 0; j < m; j++)
                for (int i = 0; i < m; i++)
                {
                    int a = (k * m + j) * m + i;
                    x[a * dim] = size * i / n;
                    x[a * dim + 1] = size * j / n;
                    if (dim == 3) x[a * dim + 2] = size * k / n;
                }
        var cells = new SortedDictionary<string, List<int>>(StringComparer.Ordinal);
        for (int k = 0; k < nz; k++)
            for (int j = 0; j < n; j++)
                for (int i = 0; i < n; i++)
                {
                    string region = phase(i, j, k);
                    if (!cells.TryGetValue(region, out var list)) cells[region] = list = [];
                    int a = (k * m + j) * m + i, up = m * m;
                    list.AddRange([a, a + 1, a + m + 1, a + m]);
                    if (dim == 3) list.AddRange([a + up, a + up + 1, a + up + m + 1, a + up + m]);
                }
        var type = dim == 2 ? ElementType.Quad4 : ElementType.Hex8;
        return new Mesh(dim, x, [.. cells.Select(c => new CellBlock(type, c.Key, [.. c.Value]))],
            new Dictionary<string, IReadOnlyList<CellBlock>>());
    }

    /// <summary>A disc of area fraction f in the middle of a unit square.</summary>
    public static Func<int, int, int, string> Disc(int n, double f) => (i, j, _) =>
    {
        double x = (i + 0.5) / n - 0.5, y = (j + 0.5) / n - 0.5;
        return x * x + y * y <= f / Math.PI ? "inclusion" : "matrix";
    };

    public static IMaterial Law(string name, StrainSpace space, params (string Key, double Value)[] parameters) =>
        MaterialCatalog.Create(name, parameters.ToDictionary(p => p.Key, p => new[] { p.Value }), space, planeStress: false);

    public static IMaterial Elastic(StrainSpace space, double E, double nu) => Law("elastic", space, ("E", E), ("nu", nu));

    /// <summary>One evaluation of four copies; strains by lane.</summary>
    public sealed class Points(IMaterial law)
    {
        public readonly int n = law.Space.Components();
        public double[] Old = Initial(law), New = new double[law.StateSize * Lane4.Width];
        public double[] Stress = new double[law.Space.Components() * Lane4.Width];
        public double[] Tangent = new double[law.Space.Components() * law.Space.Components() * Lane4.Width];
        public byte[] Failed = new byte[1];

        private static double[] Initial(IMaterial law)
        {
            var state = new double[law.StateSize * Lane4.Width];
            law.InitializeState(state, 1);
            return state;
        }

        public bool Evaluate(Func<int, double[]> strainOfLane, byte active = Lane4.All, bool tangent = true)
        {
            var strain = new double[n * Lane4.Width];
            for (int l = 0; l < Lane4.Width; l++)
            {
                var e = strainOfLane(l);
                for (int c = 0; c < n; c++) strain[c * Lane4.Width + l] = e[c];
            }
            return law.Evaluate(new MaterialBatch
            {
                Blocks = 1, Active = new[] { active }, Strain = strain, OldState = Old, NewState = New, Stress = Stress,
                Tangent = tangent ? Tangent : [], Failed = Failed, Time = 1, TimeStep = 1,
            });
        }

        public void Commit() => (Old, New) = (New, Old);

        public double[] StressOf(int lane) => [.. Enumerable.Range(0, n).Select(c => Stress[c * Lane4.Width + lane])];

        public double[,] TangentOf(int lane)
        {
            var t = new double[n, n];
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) t[i, j] = Tangent[(i * n + j) * Lane4.Width + lane];
            return t;
        }
    }

    /// <summary>Strain (or F) of zero load.</summary>
    public static double[] Rest(StrainSpace space)
    {
        var e = new double[space.Components()];
        if (space.IsFinite()) for (int i = 0; i < space.Dimension(); i++) e[i * space.Dimension() + i] = 1;
        return e;
    }

    /// <summary>Effective stiffness at rest.</summary>
    public static double[,] Stiffness(RveModel model)
    {
        var points = new Points(new RveMaterial(model));
        Assert.That(points.Evaluate(_ => Rest(model.Space), 1), Is.True);
        return points.TangentOf(0);
    }

    public static double MaxAbs(double[,] a) => a.Cast<double>().Max(Math.Abs);

    public static double MaxDifference(double[,] a, double[,] b) =>
        a.Cast<double>().Zip(b.Cast<double>(), (x, y) => Math.Abs(x - y)).Max();

    /// <summary>Smallest eigenvalue of a symmetric matrix.</summary>
    public static double SmallestEigenvalue(double[,] a) =>
        MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.DenseOfArray(a).Evd(MathNet.Numerics.LinearAlgebra.Symmetricity.Symmetric)
            .EigenValues.Min(v => v.Real);
}
