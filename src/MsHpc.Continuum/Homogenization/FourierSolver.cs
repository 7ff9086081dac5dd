using System.Numerics;
using MsHpc.Core;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Homogenization;

/// <summary>
/// Conjugate gradients for periodic volumes on regular grids of voxels, preconditioned by the volume's own homogeneous average, inverted by
/// Fourier transform. The number of iterations depends on the contrast of the phases, not on the number of voxels.
/// </summary>
/// <remarks>
/// <para>The matrix of a homogeneous material is the same around every node, so that its Fourier transform is one d × d matrix per frequency.
/// Here that material is the average of the matrix K over all translations of the grid,
/// <code>
/// K̄(Δ) = (1/N) Σₙ K(n, n + Δ),   K̂(ξ) = Σ_Δ K̄(Δ) e^{iξ·Δ},   M⁻¹ r = F⁻¹ (K̂(ξ) + ε)⁻¹ F r,
/// </code>
/// for any element and any phases (the idea of FE with a discrete fundamental solution: Leuschner and Fritzen, Comput. Mech. 62, 359, 2018; Ladecký et al.,
/// Appl. Math. Comput. 446, 127835, 2023). Translations (ξ = 0) are left out. ε = 10⁻⁹ of the largest entry matters only for the hourglass modes of one-point
/// elements, which carry no energy and receive no force.</para>
/// <para>One node is held against translation. With G extending a force by what that node bears, −Σ r, and Gᵀ taking its motion from all others,
/// the preconditioner of the free nodes is Gᵀ M⁻¹ G.</para>
/// </remarks>
/// <param name="tolerance">‖b − A x‖ / ‖b‖ at which an answer counts.</param>
/// <param name="maxIterations">Limit on iterations.</param>
public sealed class FourierSolver(double tolerance = 1e-10, int maxIterations = 2000) : ILinearSolver
{
    private CsrMatrix? _matrix;
    private ConjugateGradient? _cg;
    private Grid? _grid;
    private bool _stale = true;

    /// <inheritdoc/>
    public string Description => $"conjugate gradients with {_grid?.Description ?? "a Fourier preconditioner"} (relative tolerance {tolerance:g3})";

    /// <inheritdoc/>
    /// <exception cref="InputException">Not one rank, or nodes that do not form a periodic regular grid with one node held.</exception>
    public void Initialize(LinearSystem system)
    {
        if (system.Comm.Size > 1) throw new InputException("the Fourier solver works on one rank");
        _matrix = new CsrMatrix(system.Pattern);
        _grid = new Grid(system);
        _cg = new ConjugateGradient(system.Pattern.Rows);
        _stale = true;
    }

    /// <inheritdoc/>
    public void SetValues(ReadOnlySpan<double> values)
    {
        if (_matrix is null) throw new InvalidOperationException("FourierSolver.SetValues before Initialize");
        values.CopyTo(_matrix.Values);
        _stale = true;
    }

    /// <inheritdoc/>
    public SolveReport Solve(ReadOnlySpan<double> rhs, Span<double> solution)
    {
        if (_matrix is null || _grid is null) throw new InvalidOperationException("FourierSolver.Solve before Initialize");
        if (_stale) _grid.Average(_matrix);
        _stale = false;
        return _cg!.Solve(_matrix, _grid, rhs, solution, new KrylovOptions(tolerance, maxIterations));
    }

    /// <inheritdoc/>
    public void Dispose() => (_matrix, _cg, _grid) = (null, null, null);

    private sealed class Grid : IPreconditioner
    {
        private const double Shift = 1e-9;
        private readonly int _d, _n0, _n1, _n2, _nodes, _held;
        private readonly int[] _place; // d·grid node + component of each unknown
        private readonly Complex[][] _field;
        private readonly Complex[] _inverse; // d × d per frequency
        private readonly Fft3 _fft;

        public Grid(LinearSystem system)
        {
            _d = system.Dimension;
            int rows = system.Pattern.Rows;
            var values = new SortedSet<double>[3];
            var (low, step, count) = (new double[3], new double[3], new[] { 1, 1, 1 });
            for (int k = 0; k < _d; k++)
            {
                double[] x = [.. Enumerable.Range(0, rows).Select(u => system.Coordinates[system.NodeOf[u] * _d + k])];
                double min = x.Min(), max = x.Max(), gap = double.PositiveInfinity;
                foreach (double v in x) if (v - min > 1e-9 * (max - min)) gap = Math.Min(gap, v - min);
                (low[k], step[k], count[k]) = (min, gap, 1 + (int)Math.Round((max - min) / gap));
            }
            (_n0, _n1, _n2) = (count[0], count[1], count[2]);
            _nodes = _n0 * _n1 * _n2;
            _place = new int[rows];
            var seen = new bool[_nodes * _d];
            for (int u = 0; u < rows; u++)
            {
                int node = 0;
                for (int k = 0; k < _d; k++)
                {
                    double s = (system.Coordinates[system.NodeOf[u] * _d + k] - low[k]) / step[k];
                    if (Math.Abs(s - Math.Round(s)) > 1e-6) throw Irregular();
                    node = node * count[k] + (int)Math.Round(s);
                }
                _place[u] = node * _d + system.ComponentOf[u];
                if (seen[_place[u]]) throw Irregular();
                seen[_place[u]] = true;
            }
            _held = Array.IndexOf(seen, false) / _d;
            if (rows != (_nodes - 1) * _d) throw Irregular();
            _field = [.. Enumerable.Range(0, _d).Select(_ => new Complex[_nodes])];
            _inverse = new Complex[_nodes * _d * _d];
            _fft = new Fft3(_n0, _n1, _n2);
        }

        private static InputException Irregular() =>
            new("the Fourier solver needs a periodic volume of equal voxels (all of one size, opposite faces tied, one node held)");

        public string Description => $"Fourier preconditioner ({_n0} × {_n1}{(_d == 3 ? $" × {_n2}" : "")})";

        /// <summary>Sets up for the average of a matrix over translations.</summary>
        public void Average(CsrMatrix a)
        {
            // Neighbours reach one node each way, periodically: 3^d offsets suffice, and in grids of fewer than three nodes several fall together,
            // which is why the sums run over grid nodes.
            var stencil = new double[_nodes * _d * _d];
            var heldRow = new double[_nodes * _d * _d]; // what the held node would have: rows sum up to zero
            Span<double> sum = stackalloc double[3];
            for (int u = 0; u < a.Rows; u++)
            {
                int from = _place[u] / _d, i = _place[u] % _d;
                sum.Clear();
                for (int k = a.Pattern.RowStart[u]; k < a.Pattern.RowStart[u + 1]; k++)
                {
                    int to = _place[a.Pattern.Columns[k]], j = to % _d;
                    stencil[(Offset(from, to / _d) * _d + i) * _d + j] += a.Values[k];
                    sum[j] += a.Values[k];
                }
                for (int j = 0; j < _d; j++)
                {
                    if (sum[j] == 0) continue;
                    stencil[(Offset(from, _held) * _d + i) * _d + j] -= sum[j];
                    stencil[(Offset(_held, from) * _d + j) * _d + i] -= sum[j];
                    heldRow[i * _d + j] += sum[j];
                }
            }
            for (int k = 0; k < _d * _d; k++) stencil[k] += heldRow[k];

            for (int i = 0; i < _d; i++)
                for (int j = 0; j < _d; j++)
                {
                    var field = _field[0];
                    // Σ_Δ K̄(Δ) e^{+iξΔ}: the transform with the other sign, so of the mirrored stencil.
                    for (int n = 0; n < _nodes; n++) field[n] = stencil[(Offset(n, 0) * _d + i) * _d + j] / _nodes;
                    _fft.Forward(field);
                    for (int n = 0; n < _nodes; n++) _inverse[(n * _d + i) * _d + j] = field[n];
                }
            double largest = _inverse.Max(Complex.Abs);
            double[] real = new double[4 * _d * _d], inverse = new double[4 * _d * _d];
            _inverse.AsSpan(0, _d * _d).Clear();
            for (int n = 1; n < _nodes; n++) Invert(_inverse.AsSpan(n * _d * _d, _d * _d), Shift * largest, real, inverse);
        }

        /// <summary>Grid node of the displacement from one node to another.</summary>
        private int Offset(int from, int to)
        {
            int a0 = from / (_n1 * _n2), a1 = from / _n2 % _n1, a2 = from % _n2, b0 = to / (_n1 * _n2), b1 = to / _n2 % _n1, b2 = to % _n2;
            return ((b0 - a0 + _n0) % _n0 * _n1 + (b1 - a1 + _n1) % _n1) * _n2 + (b2 - a2 + _n2) % _n2;
        }

        /// <summary>(K̂ + ε)⁻¹ of a Hermitian matrix through its real form [Re −Im; Im Re]: K̂ + ε is positive definite.</summary>
        private void Invert(Span<Complex> matrix, double shift, double[] real, double[] inverse)
        {
            int d = _d, m = 2 * d;
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++)
                {
                    // the Hermitian part: rounding leaves the rest
                    var h = 0.5 * (matrix[i * d + j] + Complex.Conjugate(matrix[j * d + i])) + (i == j ? shift : 0);
                    (real[i * m + j], real[(i + d) * m + j + d]) = (h.Real, h.Real);
                    (real[i * m + j + d], real[(i + d) * m + j]) = (-h.Imaginary, h.Imaginary);
                }
            if (!SmallMatrix.Invert(m, real, inverse)) throw new NumericalException("the average stiffness of the volume is singular: all phases are void");
            for (int i = 0; i < d; i++)
                for (int j = 0; j < d; j++) matrix[i * d + j] = new Complex(inverse[i * m + j], inverse[(i + d) * m + j]);
        }

        public void Apply(ReadOnlySpan<double> r, Span<double> z)
        {
            Span<double> sum = stackalloc double[3];
            sum.Clear();
            for (int u = 0; u < r.Length; u++)
            {
                _field[_place[u] % _d][_place[u] / _d] = r[u];
                sum[_place[u] % _d] += r[u];
            }
            for (int i = 0; i < _d; i++) _field[i][_held] = -sum[i];
            for (int i = 0; i < _d; i++) _fft.Forward(_field[i]);
            Span<Complex> f = stackalloc Complex[3];
            for (int n = 0; n < _nodes; n++)
            {
                for (int i = 0; i < _d; i++) f[i] = _field[i][n];
                for (int i = 0; i < _d; i++)
                {
                    var s = Complex.Zero;
                    for (int j = 0; j < _d; j++) s += _inverse[(n * _d + i) * _d + j] * f[j];
                    _field[i][n] = s;
                }
            }
            for (int i = 0; i < _d; i++) _fft.Inverse(_field[i]);
            for (int i = 0; i < _d; i++) sum[i] = _field[i][_held].Real;
            for (int u = 0; u < z.Length; u++) z[u] = _field[_place[u] % _d][_place[u] / _d].Real - sum[_place[u] % _d];
        }
    }
}
