using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Tests.Core.Sparse;

/// <summary>Linear systems that the solver tests share, each with its own small assembler.</summary>
internal static class KrylovProblems
{
    /// <summary>One system with its values and right-hand side.</summary>
    internal sealed record Problem(LinearSystem System, double[] Values, double[] Rhs)
    {
        public CsrMatrix Csr => new(System.Pattern, Values);
        public int Rows => System.Pattern.Rows;

        public BlockCsrMatrix Blocks()
        {
            var a = new BlockCsrMatrix(System.Pattern, BlockNumbering.Of(System));
            a.SetValues(Values);
            return a;
        }

        public double[] DenseSolve()
        {
            var dense = MathNet.Numerics.LinearAlgebra.Matrix<double>.Build.Dense(Rows, Rows);
            for (int i = 0; i < Rows; i++)
                for (int k = System.Pattern.RowStart[i]; k < System.Pattern.RowStart[i + 1]; k++) dense[i, System.Pattern.Columns[k]] = Values[k];
            return dense.Solve(MathNet.Numerics.LinearAlgebra.Vector<double>.Build.DenseOfArray(Rhs)).ToArray();
        }
    }

    /// <summary>
    /// The unit cube of fe_cube_compliance.json: n³ hex8 cells (2×2×2 Gauss), E(x) and ν = 0.3, u = 0 on x = 0 (eliminated), traction
    /// (0, 0, −0.01) on x = 1.
    /// </summary>
    public static Problem Cube(int n, Func<double, double, double, double>? young = null, bool clamp = true)
    {
        int nodes = (n + 1) * (n + 1) * (n + 1), unknowns = 0;
        var dof = new int[nodes];
        var coordinates = new double[3 * nodes];
        int Node(int i, int j, int k) => (k * (n + 1) + j) * (n + 1) + i;
        for (int k = 0; k <= n; k++)
            for (int j = 0; j <= n; j++)
                for (int i = 0; i <= n; i++)
                {
                    int at = Node(i, j, k);
                    (coordinates[3 * at], coordinates[3 * at + 1], coordinates[3 * at + 2]) = ((double)i / n, (double)j / n, (double)k / n);
                    dof[at] = clamp && i == 0 ? -1 : unknowns++ * 3;
                }
        unknowns *= 3;
        int cells = n * n * n;
        var start = new int[cells + 1];
        var members = new int[24 * cells];
        var stiffness = new double[cells];
        for (int k = 0, cell = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                for (int i = 0; i < n; i++, cell++)
                {
                    start[cell + 1] = 24 * (cell + 1);
                    stiffness[cell] = young?.Invoke((i + 0.5) / n, (j + 0.5) / n, (k + 0.5) / n) ?? 1.0;
                    for (int a = 0; a < 8; a++)
                        for (int c = 0; c < 3; c++)
                        {
                            int d = dof[Node(i + (a & 1), j + ((a >> 1) & 1), k + (a >> 2))];
                            members[24 * cell + 3 * a + c] = d < 0 ? -1 : d + c;
                        }
                }
        var pattern = SparsePattern.FromGroups(unknowns, start, members);
        double[] ke = HexStiffness(1.0 / n, 0.3);
        var values = new double[pattern.Count];
        for (int cell = 0; cell < cells; cell++)
            for (int r = 0; r < 24; r++)
            {
                int row = members[24 * cell + r];
                if (row < 0) continue;
                for (int c = 0; c < 24; c++)
                {
                    int column = members[24 * cell + c];
                    if (column >= 0) values[pattern.Find(row, column)] += stiffness[cell] * ke[24 * r + c];
                }
            }
        var rhs = new double[unknowns];
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                for (int a = 0; a < 4; a++)
                    rhs[dof[Node(n, j + (a & 1), k + (a >> 1))] + 2] -= 0.01 / (4.0 * n * n);
        var nodeOf = new int[unknowns];
        var component = new byte[unknowns];
        for (int at = 0; at < nodes; at++)
            for (int c = 0; c < 3 && dof[at] >= 0; c++) (nodeOf[dof[at] + c], component[dof[at] + c]) = (at, (byte)c);
        var system = LinearSystem.Serial(pattern, MatrixKind.SymmetricPositiveDefinite) with
        {
            BlockSize = 3,
            NodeOf = nodeOf,
            ComponentOf = component,
            Coordinates = coordinates,
            Dimension = 3,
        };
        return new Problem(system, values, rhs);
    }

    /// <summary>Removes unknowns (prescribed to zero): blocks become incomplete.</summary>
    public static Problem Constrain(Problem p, Func<int, bool> remove)
    {
        var map = new int[p.Rows];
        int left = 0;
        for (int i = 0; i < p.Rows; i++) map[i] = remove(i) ? -1 : left++;
        var start = new int[left + 1];
        var columns = new List<int>();
        var values = new List<double>();
        var rhs = new double[left];
        var nodeOf = new int[left];
        var component = new byte[left];
        for (int i = 0; i < p.Rows; i++)
        {
            if (map[i] < 0) continue;
            for (int k = p.System.Pattern.RowStart[i]; k < p.System.Pattern.RowStart[i + 1]; k++)
                if (map[p.System.Pattern.Columns[k]] >= 0)
                {
                    columns.Add(map[p.System.Pattern.Columns[k]]);
                    values.Add(p.Values[k]);
                }
            start[map[i] + 1] = columns.Count;
            rhs[map[i]] = p.Rhs[i];
            nodeOf[map[i]] = p.System.NodeOf[i];
            component[map[i]] = p.System.ComponentOf[i];
        }
        var pattern = new SparsePattern(left, start, columns.ToArray());
        var system = LinearSystem.Serial(pattern, p.System.Kind) with
        {
            NodeOf = nodeOf,
            ComponentOf = component,
            Coordinates = p.System.Coordinates,
            Dimension = p.System.Dimension,
        };
        return new Problem(system, values.ToArray(), rhs);
    }

    /// <summary>Five-point Laplacian on an n × n grid plus <paramref name="shift"/> times the identity, wind in x; Dirichlet unless told.</summary>
    public static Problem Grid(int n, double shift = 0, double wind = 0, bool neumann = false, MatrixKind kind = MatrixKind.SymmetricPositiveDefinite)
    {
        int rows = n * n;
        var start = new int[rows + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int j = 0, row = 0; j < n; j++)
            for (int i = 0; i < n; i++, row++)
            {
                int neighbours = (i > 0 ? 1 : 0) + (i < n - 1 ? 1 : 0) + (j > 0 ? 1 : 0) + (j < n - 1 ? 1 : 0);
                void Put(int column, double value)
                {
                    columns.Add(column);
                    values.Add(value);
                }
                if (j > 0) Put(row - n, -1);
                if (i > 0) Put(row - 1, -1 - wind);
                Put(row, (neumann ? neighbours : 4) + shift);
                if (i < n - 1) Put(row + 1, -1 + wind);
                if (j < n - 1) Put(row + n, -1);
                start[row + 1] = columns.Count;
            }
        var rhs = new double[rows];
        for (int i = 0; i < rows; i++) rhs[i] = Math.Sin(1.0 + 0.7 * i) + 0.1;
        return new Problem(LinearSystem.Serial(new SparsePattern(rows, start, columns.ToArray()), kind), values.ToArray(), rhs);
    }

    /// <summary>
    /// Plane lattice of nx × ny square cells with both diagonals, springs of stiffness 1 along their axes; clamped on the left unless told,
    /// pulled down on the right.
    /// </summary>
    public static Problem Lattice(int nx, int ny, bool clamp = true)
    {
        int nodes = (nx + 1) * (ny + 1), unknowns = 0;
        var dof = new int[nodes];
        var coordinates = new double[2 * nodes];
        for (int at = 0; at < nodes; at++)
        {
            (coordinates[2 * at], coordinates[2 * at + 1]) = (at % (nx + 1), at / (nx + 1));
            dof[at] = clamp && at % (nx + 1) == 0 ? -1 : unknowns++ * 2;
        }
        unknowns *= 2;
        var springs = new List<(int A, int B)>();
        for (int j = 0; j <= ny; j++)
            for (int i = 0; i <= nx; i++)
            {
                int at = j * (nx + 1) + i;
                if (i < nx) springs.Add((at, at + 1));
                if (j < ny) springs.Add((at, at + nx + 1));
                if (i < nx && j < ny) springs.Add((at, at + nx + 2));
                if (i > 0 && j < ny) springs.Add((at, at + nx));
            }
        var start = new int[springs.Count + 1];
        var members = new int[4 * springs.Count];
        for (int e = 0; e < springs.Count; e++)
        {
            start[e + 1] = 4 * (e + 1);
            for (int a = 0; a < 4; a++)
            {
                int d = dof[a < 2 ? springs[e].A : springs[e].B];
                members[4 * e + a] = d < 0 ? -1 : d + (a & 1);
            }
        }
        var pattern = SparsePattern.FromGroups(unknowns, start, members);
        var values = new double[pattern.Count];
        for (int e = 0; e < springs.Count; e++)
        {
            double dx = coordinates[2 * springs[e].B] - coordinates[2 * springs[e].A], dy = coordinates[2 * springs[e].B + 1] - coordinates[2 * springs[e].A + 1];
            double length = Math.Sqrt(dx * dx + dy * dy);
            double[] n = [-dx / length, -dy / length, dx / length, dy / length];
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < 4; c++)
                    if (members[4 * e + r] >= 0 && members[4 * e + c] >= 0)
                        values[pattern.Find(members[4 * e + r], members[4 * e + c])] += n[r] * n[c];
        }
        var rhs = new double[unknowns];
        var nodeOf = new int[unknowns];
        var component = new byte[unknowns];
        for (int at = 0; at < nodes; at++)
        {
            if (at % (nx + 1) == nx) rhs[dof[at] + 1] = -1;
            for (int c = 0; c < 2 && dof[at] >= 0; c++) (nodeOf[dof[at] + c], component[dof[at] + c]) = (at, (byte)c);
        }
        var system = LinearSystem.Serial(pattern, MatrixKind.SymmetricPositiveDefinite) with
        {
            BlockSize = 2,
            NodeOf = nodeOf,
            ComponentOf = component,
            Coordinates = coordinates,
            Dimension = 2,
        };
        return new Problem(system, values, rhs);
    }

    /// <summary>The same system with its nodes in a random order; blocks of three.</summary>
    public static Problem Shuffle(Problem p)
    {
        int nodes = p.Rows / 3;
        int[] to = new int[nodes], from = new int[nodes];
        for (int i = 0; i < nodes; i++) to[i] = i;
        new Random(1).Shuffle(to);
        for (int i = 0; i < nodes; i++) from[to[i]] = i;
        int[] start = new int[p.Rows + 1], columns = new int[p.Values.Length], nodeOf = new int[p.Rows];
        double[] values = new double[p.Values.Length], rhs = new double[p.Rows];
        var component = new byte[p.Rows];
        for (int r = 0, at = 0; r < p.Rows; r++)
        {
            int old = from[r / 3] * 3 + r % 3, begin = at;
            for (int k = p.System.Pattern.RowStart[old]; k < p.System.Pattern.RowStart[old + 1]; k++, at++)
            {
                int c = p.System.Pattern.Columns[k];
                (columns[at], values[at]) = (to[c / 3] * 3 + c % 3, p.Values[k]);
            }
            Array.Sort(columns, values, begin, at - begin);
            start[r + 1] = at;
            (rhs[r], nodeOf[r], component[r]) = (p.Rhs[old], p.System.NodeOf[old], p.System.ComponentOf[old]);
        }
        var system = p.System with { Pattern = new SparsePattern(p.Rows, start, columns), NodeOf = nodeOf, ComponentOf = component };
        return new Problem(system, values, rhs);
    }

    /// <summary>‖b − A x‖ / ‖b‖, computed plainly.</summary>
    public static double RelativeResidual(Problem p, ReadOnlySpan<double> x)
    {
        double r2 = 0, b2 = 0;
        for (int i = 0; i < p.Rows; i++)
        {
            double r = p.Rhs[i];
            for (int k = p.System.Pattern.RowStart[i]; k < p.System.Pattern.RowStart[i + 1]; k++) r -= p.Values[k] * x[p.System.Pattern.Columns[k]];
            r2 += r * r;
            b2 += p.Rhs[i] * p.Rhs[i];
        }
        return Math.Sqrt(r2 / b2);
    }

    public static double Dot(double[] a, double[] b)
    {
        double s = 0;
        for (int i = 0; i < a.Length; i++) s += a[i] * b[i];
        return s;
    }

    /// <summary>K_e = ∫ Bᵀ C B dV of a cube of edge h, E = 1, 2×2×2 Gauss points; node a at ((a&amp;1), (a>>1)&amp;1, a>>2).</summary>
    private static double[] HexStiffness(double h, double nu)
    {
        double lambda = nu / ((1 + nu) * (1 - 2 * nu)), mu = 0.5 / (1 + nu), g = 1 / Math.Sqrt(3);
        var ke = new double[24 * 24];
        Span<double> grad = stackalloc double[24];
        for (int q = 0; q < 8; q++)
        {
            double x = (q & 1) == 0 ? -g : g, y = (q & 2) == 0 ? -g : g, z = (q & 4) == 0 ? -g : g;
            for (int a = 0; a < 8; a++)
            {
                double sx = (a & 1) == 0 ? -1 : 1, sy = (a & 2) == 0 ? -1 : 1, sz = (a & 4) == 0 ? -1 : 1;
                grad[3 * a] = sx * (1 + sy * y) * (1 + sz * z) / 8 * (2 / h);
                grad[3 * a + 1] = sy * (1 + sx * x) * (1 + sz * z) / 8 * (2 / h);
                grad[3 * a + 2] = sz * (1 + sx * x) * (1 + sy * y) / 8 * (2 / h);
            }
            double weight = h * h * h / 8;
            for (int a = 0; a < 8; a++)
                for (int b = 0; b < 8; b++)
                {
                    double dot = grad[3 * a] * grad[3 * b] + grad[3 * a + 1] * grad[3 * b + 1] + grad[3 * a + 2] * grad[3 * b + 2];
                    for (int i = 0; i < 3; i++)
                        for (int j = 0; j < 3; j++)
                            ke[24 * (3 * a + i) + 3 * b + j] += weight * (lambda * grad[3 * a + i] * grad[3 * b + j]
                                + mu * grad[3 * a + j] * grad[3 * b + i] + (i == j ? mu * dot : 0));
                }
        }
        return ke;
    }
}
