using System.Numerics;
using System.Runtime.InteropServices;

namespace MsHpc.Core;

/// <summary>
/// A V = B V Λ, A Hermitian, B Hermitian positive definite or absent, with eigenvalues first and then as many of the lowest eigenvectors as are
/// asked for: which ones carry weight is often known only from the eigenvalues. V†B V = 1.
/// </summary>
/// <typeparam name="T">double (symmetric) or <see cref="Complex"/> (Hermitian).</typeparam>
/// <remarks>
/// B = L L†, A ← L⁻¹ A L⁻† = Q T Q† with tridiagonal T, T Z = Z Λ by divide and conquer, V = L⁻† Q Z: the steps of LAPACK's xSYGVD, but only the columns
/// of Z that are asked for go through the last two, which is n³ of the 2n³ operations of V when half are. L serves until the next
/// <see cref="FactorMetric"/>. Matrices are column-major, of lower triangles; arrays are kept between calls. Without a native library
/// <see cref="Dense"/>'s managed code does it all at once.
/// </remarks>
public sealed class Eigenproblem<T> where T : unmanaged, INumberBase<T>
{
    private T[] _a = [], _metric = [], _tau = [], _vectors = [];
    private double[] _z = [], _offDiagonal = [];
    private bool _hasMetric;

    /// <summary>n.</summary>
    public int Order { get; private set; }

    /// <summary>A, n × n: filled by the caller before <see cref="Solve"/>, which destroys it. Only the lower triangle is read.</summary>
    public T[] Matrix => _a;

    /// <summary>B, n × n: filled by the caller before <see cref="FactorMetric"/>. Only the lower triangle is read.</summary>
    public T[] Metric => _metric.Length == _a.Length ? _metric : _metric = new T[_a.Length];

    /// <summary>Makes room, and forgets B.</summary>
    /// <param name="order">n.</param>
    public void Resize(int order)
    {
        _hasMetric = false;
        if (order == Order) return;
        Order = order;
        (_a, _metric, _vectors) = (new T[checked(order * order)], [], []);
        (_tau, _offDiagonal) = (new T[order], new double[order]);
        _z = [];
    }

    /// <summary>Takes <see cref="Metric"/> as B.</summary>
    /// <exception cref="NumericalException">It is not positive definite, or holds a NaN or infinity.</exception>
    public void FactorMetric()
    {
        Dense.RequireFinite("generalized eigenproblem", MemoryMarshal.Cast<T, double>(_metric.AsSpan()));
        _hasMetric = true;
        if (Dense.Lapack is { } lapack && lapack.Factor<T>(Order, _metric) is var minor and > 0)
            throw Dense.NotPositiveDefinite("generalized eigenproblem, matrix B", Order, minor);
    }

    /// <summary>Finds Λ.</summary>
    /// <param name="values">Out: eigenvalues, rising; length n.</param>
    /// <exception cref="NumericalException">A holds a NaN or infinity, or the iteration failed.</exception>
    public void Solve(Span<double> values)
    {
        values = values[..Order];
        if (Order == 0) return;
        if (Dense.Lapack is not { } lapack)
        {
            SolveManaged(values);
            return;
        }
        Dense.RequireFinite("eigenproblem", MemoryMarshal.Cast<T, double>(_a.AsSpan()));
        if (_z.Length == 0) _z = new double[_a.Length];
        if (_hasMetric) lapack.Reduce<T>(Order, _a, _metric);
        lapack.Tridiagonalize<T>(Order, _a, values, _offDiagonal, _tau);
        if (lapack.TridiagonalEigen(Order, values, _offDiagonal, _z) > 0) throw Dense.NotConverged("eigenproblem", Order);
    }

    /// <summary>Eigenvectors of the lowest eigenvalues; once per <see cref="Solve"/>.</summary>
    /// <param name="count">How many.</param>
    /// <returns>n × count, valid until the next call.</returns>
    public ReadOnlySpan<T> Vectors(int count)
    {
        if (Order == 0 || count == 0) return [];
        if (Dense.Lapack is not { } lapack) return _a.AsSpan(0, Order * count);
        Span<T> v;
        if (typeof(T) == typeof(double)) v = MemoryMarshal.Cast<double, T>(_z.AsSpan(0, Order * count));
        else
        {
            if (_vectors.Length < Order * count) _vectors = new T[Order * count];
            v = _vectors.AsSpan(0, Order * count);
            for (int k = 0; k < v.Length; k++) v[k] = T.CreateChecked(_z[k]);
        }
        lapack.ApplyReflectors(Order, count, _a, _tau, v);
        if (_hasMetric) lapack.SolveAdjoint(Order, count, _metric, v);
        return v;
    }

    private void SolveManaged(Span<double> values)
    {
        if (typeof(T) == typeof(double))
        {
            var a = MemoryMarshal.Cast<T, double>(_a.AsSpan());
            if (_hasMetric) Dense.GeneralizedSymmetricEigen(Order, a, MemoryMarshal.Cast<T, double>(_metric.AsSpan()).ToArray(), values);
            else Dense.SymmetricEigen(Order, a, values);
        }
        else
        {
            var a = MemoryMarshal.Cast<T, Complex>(_a.AsSpan());
            if (_hasMetric) Dense.GeneralizedHermitianEigen(Order, a, MemoryMarshal.Cast<T, Complex>(_metric.AsSpan()).ToArray(), values);
            else Dense.HermitianEigen(Order, a, values);
        }
    }
}
