using MsHpc.Core.Sparse;

namespace MsHpc.Tests.Core.Sparse;

/// <summary>A sparse system with geometry, the common input of the direct-solver tests and benchmarks.</summary>
internal sealed record DirectProblem(string Name, SparsePattern Pattern, double[] Values, int[] NodeOf, double[] Coordinates, int Dimension)
{
    public override string ToString() => Name;

    public int Rows => Pattern.Rows;

    /// <summary>y = A x.</summary>
    public double[] Multiply(ReadOnlySpan<double> x)
    {
        var y = new double[Rows];
        for (int i = 0; i < Rows; i++)
            for (int k = Pattern.RowStart[i]; k < Pattern.RowStart[i + 1]; k++) y[i] += Values[k] * x[Pattern.Columns[k]];
        return y;
    }

    /// <summary>‖b − A x‖∞ / (‖A‖∞ ‖x‖∞ + ‖b‖∞): the normwise backward error.</summary>
    public double BackwardError(ReadOnlySpan<double> x, ReadOnlySpan<double> b)
    {
        var y = Multiply(x);
        double residual = 0, norm = 0, sizeX = 0, sizeB = 0;
        for (int i = 0; i < Rows; i++)
        {
            double row = 0;
            for (int k = Pattern.RowStart[i]; k < Pattern.RowStart[i + 1]; k++) row += Math.Abs(Values[k]);
            norm = Math.Max(norm, row);
            residual = Math.Max(residual, Math.Abs(b[i] - y[i]));
            sizeX = Math.Max(sizeX, Math.Abs(x[i]));
            sizeB = Math.Max(sizeB, Math.Abs(b[i]));
            if (double.IsNaN(x[i])) return double.NaN;
        }
        return residual == 0 ? 0 : residual / (norm * sizeX + sizeB);
    }

    public DirectProblem With(Func<int, int, double, double> change, string name)
    {
        var values = (double[])Values.Clone();
        for (int i = 0; i < Rows; i++)
            for (int k = Pattern.RowStart[i]; k < Pattern.RowStart[i + 1]; k++) values[k] = change(i, Pattern.Columns[k], values[k]);
        return this with { Name = name, Values = values };
    }

    /// <summary>
    /// Grid of cells whose corner nodes carry <paramref name="unknowns"/> unknowns each. Element matrices are Σ_q g gᵀ-like: symmetric,
    /// semi-definite, with the constant vectors as their null space; every unknown couples to every other one of the cell.
    /// </summary>
    /// <param name="name">Name.</param>
    /// <param name="cells">Cells along each axis.</param>
    /// <param name="unknowns">Unknowns per node.</param>
    /// <param name="periodic">Whether opposite faces are one.</param>
    /// <param name="pin">Removes the null space: periodic grids get node 0 fixed, others the face x = 0.</param>
    /// <param name="contrast">Stiffness ratio of a central ball to the rest.</param>
    /// <param name="seed">Seed of the cells' moduli.</param>
    public static DirectProblem Grid(string name, int[] cells, int unknowns, bool periodic, bool pin, double contrast = 1, int seed = 1)
    {
        int dim = cells.Length, corners = 1 << dim;
        var points = cells.Select(c => periodic ? c : c + 1).ToArray();
        int nodes = points.Aggregate(1, (a, b) => a * b);
        var coordinates = new double[nodes * dim];
        var unknownOf = new int[nodes * unknowns];
        var nodeOf = new List<int>();
        for (int node = 0; node < nodes; node++)
        {
            int rest = node;
            bool fixedNode = pin && periodic && node == 0;
            for (int d = 0; d < dim; d++)
            {
                int at = rest % points[d];
                rest /= points[d];
                coordinates[node * dim + d] = at;
                if (pin && !periodic && d == 0 && at == 0) fixedNode = true;
            }
            for (int u = 0; u < unknowns; u++)
            {
                unknownOf[node * unknowns + u] = fixedNode ? -1 : nodeOf.Count;
                if (!fixedNode) nodeOf.Add(node);
            }
        }

        int size = corners * unknowns;
        var groupStart = new List<int> { 0 };
        var members = new List<int>();
        int count = cells.Aggregate(1, (a, b) => a * b);
        var cell = new int[dim];
        for (int e = 0; e < count; e++)
        {
            for (int c = 0; c < corners; c++)
            {
                int node = 0;
                for (int d = dim - 1; d >= 0; d--) node = node * points[d] + (cell[d] + (c >> d & 1)) % points[d];
                for (int u = 0; u < unknowns; u++) members.Add(unknownOf[node * unknowns + u]);
            }
            groupStart.Add(members.Count);
            for (int d = 0; d < dim && ++cell[d] == cells[d]; d++) cell[d] = 0;
        }
        var pattern = SparsePattern.FromGroups(nodeOf.Count, groupStart.ToArray(), members.ToArray());

        // Linear elasticity (unknowns = dim) or a sum of Laplacians, by the 2^dim-point Gauss rule.
        var values = new double[pattern.Count];
        var random = new Random(seed);
        var element = ElementMatrix(dim, unknowns);
        for (int e = 0; e < count; e++)
        {
            double far = 0;
            for (int d = 0, rest = e; d < dim; rest /= cells[d], d++) far += Math.Pow((rest % cells[d] + 0.5) / cells[d] - 0.5, 2);
            double modulus = (far < 0.1 ? contrast : 1) * (0.8 + 0.4 * random.NextDouble());
            for (int a = 0; a < size; a++)
                for (int b = 0; b < size; b++)
                {
                    int i = members[e * size + a], j = members[e * size + b];
                    if (i >= 0 && j >= 0) values[pattern.Find(i, j)] += modulus * element[a, b];
                }
        }
        return new DirectProblem(name, pattern, values, nodeOf.ToArray(), coordinates, dim);
    }

    private static double[,] ElementMatrix(int dim, int unknowns)
    {
        int corners = 1 << dim, size = corners * unknowns;
        var k = new double[size, size];
        double lambda = 1.2, mu = 0.8, g = 0.5 / Math.Sqrt(3);
        var grad = new double[corners, dim];
        for (int q = 0; q < corners; q++)
        {
            for (int a = 0; a < corners; a++)
                for (int d = 0; d < dim; d++)
                {
                    double value = 1;
                    for (int e = 0; e < dim; e++)
                    {
                        double x = 0.5 + ((q >> e & 1) == 0 ? -g : g);
                        bool upper = (a >> e & 1) == 1;
                        value *= e == d ? (upper ? 1 : -1) : upper ? x : 1 - x;
                    }
                    grad[a, d] = value;
                }
            for (int a = 0; a < corners; a++)
                for (int b = 0; b < corners; b++)
                {
                    double dot = 0;
                    for (int d = 0; d < dim; d++) dot += grad[a, d] * grad[b, d];
                    for (int i = 0; i < unknowns; i++)
                        for (int j = 0; j < unknowns; j++)
                        {
                            double v = i == j ? mu * dot : 0;
                            if (unknowns == dim) v += lambda * grad[a, i] * grad[b, j] + mu * grad[a, j] * grad[b, i];
                            k[a * unknowns + i, b * unknowns + j] += v / corners;
                        }
                }
        }
        return k;
    }

    /// <summary>Random symmetric pattern; diagonally dominant when <paramref name="positive"/>, else of mixed signs on the diagonal.</summary>
    public static DirectProblem RandomSymmetric(string name, int n, double density, bool positive, int seed)
    {
        var random = new Random(seed);
        var rows = new SortedDictionary<int, double>[n];
        for (int i = 0; i < n; i++) rows[i] = new SortedDictionary<int, double> { [i] = 0 };
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++)
                if (random.NextDouble() < density) rows[i][j] = rows[j][i] = 2 * random.NextDouble() - 1;
        for (int i = 0; i < n; i++)
        {
            double sum = 0.1 + rows[i].Values.Sum(Math.Abs);
            rows[i][i] = positive || i % 3 != 0 ? sum : -sum;
        }
        var start = new int[n + 1];
        for (int i = 0; i < n; i++) start[i + 1] = start[i] + rows[i].Count;
        var none = new int[n];
        Array.Fill(none, -1);
        return new DirectProblem(name, new SparsePattern(n, start, rows.SelectMany(r => r.Keys).ToArray()), rows.SelectMany(r => r.Values).ToArray(),
            none, [], 0);
    }
}
