using System.Buffers;
using System.Numerics;
using MathNet.Numerics;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace MsHpc.Core;

/// <summary>
/// A MathNet provider on top of a BLAS/LAPACK found at run time. Double-precision products, factorisations, eigen- and singular values and
/// the complex product and Hermitian eigenproblem go to the library; the rest is MathNet's managed code.
/// All matrices are column-major and dense (leading dimension = rows).
/// </summary>
/// <remarks>The public members obey MathNet's contract (<see cref="ArgumentException"/> for a matrix that is not positive definite,
/// 0-based pivots); the internal ones return LAPACK's <c>info</c> and also serve what the interface lacks.</remarks>
internal sealed unsafe partial class LapackLinearAlgebraProvider : ILinearAlgebraProvider
{
    private readonly BlasLibrary _library;

    internal LapackLinearAlgebraProvider(BlasLibrary library) => _library = library;

    internal BlasLibrary Library => _library;

    /// <summary>"MKL", "OpenBLAS" or "BLAS".</summary>
    public string Name => _library.Name;

    /// <summary>File that was loaded.</summary>
    public string Path => _library.Path;

    /// <summary>Name, version, threads and the library's own details, as in "OpenBLAS 0.3.21 (MathNet provider, SkylakeX, threads 1)".</summary>
    public override string ToString()
    {
        string detail = _library.Detail.Length > 0 ? $"{_library.Detail}, " : "";
        return $"{_library.Name}{(_library.Version.Length > 0 ? " " + _library.Version : "")} (MathNet provider, {detail}threads {_library.Threads})";
    }

    /// <summary>Always true: the library was loaded and checked before this object came to be.</summary>
    public bool IsAvailable() => true;

    /// <summary>Nothing to do; see <see cref="IsAvailable"/>.</summary>
    public void InitializeVerify() { }

    /// <summary>Nothing to free: libraries stay loaded.</summary>
    public void FreeResources() { }

    // ---- what LAPACK does, on spans -------------------------------------------------------------------------------------------------

    /// <summary>C ← α op(A) op(B) + β C; op(A) is m × k, op(B) k × n.</summary>
    internal void Gemm(bool transposeA, bool transposeB, int m, int n, int k, double alpha, ReadOnlySpan<double> a, ReadOnlySpan<double> b,
        double beta, Span<double> c)
    {
        byte ta = (byte)(transposeA ? 'T' : 'N'), tb = (byte)(transposeB ? 'T' : 'N');
        int lda = Math.Max(1, transposeA ? k : m), ldb = Math.Max(1, transposeB ? n : k), ldc = Math.Max(1, m);
        fixed (double* pa = a, pb = b, pc = c)
            _library.Gemm(&ta, &tb, &m, &n, &k, &alpha, pa, &lda, pb, &ldb, &beta, pc, &ldc, 1, 1);
    }

    /// <summary>C ← α op(A) op(B) + β C with op one of N, T, C.</summary>
    internal void Gemm(Transpose transposeA, Transpose transposeB, int m, int n, int k, Complex alpha, ReadOnlySpan<Complex> a,
        ReadOnlySpan<Complex> b, Complex beta, Span<Complex> c)
    {
        byte ta = Letter(transposeA), tb = Letter(transposeB);
        int lda = Math.Max(1, ta != 'N' ? k : m), ldb = Math.Max(1, tb != 'N' ? n : k), ldc = Math.Max(1, m);
        fixed (Complex* pa = a, pb = b, pc = c)
            _library.GemmComplex(&ta, &tb, &m, &n, &k, &alpha, pa, &lda, pb, &ldb, &beta, pc, &ldc, 1, 1);
    }

    /// <summary>A = L Lᵀ; L in the lower triangle, the strict upper triangle set to zero.</summary>
    /// <returns>0, or k > 0: the leading minor of order k is not positive.</returns>
    internal int CholeskyFactor(int n, Span<double> a)
    {
        byte lower = (byte)'L';
        int info, lda = Math.Max(1, n);
        fixed (double* pa = a) _library.Potrf(&lower, &n, pa, &lda, &info, 1);
        for (int j = 1; j < n; j++) a.Slice(j * n, j).Clear();
        // OpenBLAS lets NaN and infinity pass.
        for (int k = 0; k < n && info == 0; k++)
            if (!(a[k + k * n] > 0 && double.IsFinite(a[k + k * n]))) info = k + 1;
        return info;
    }

    /// <summary>B ← (L Lᵀ)⁻¹ B.</summary>
    internal void CholeskySolve(int n, ReadOnlySpan<double> l, int columns, Span<double> b)
    {
        byte lower = (byte)'L';
        int info, ld = Math.Max(1, n);
        fixed (double* pl = l, pb = b) _library.Potrs(&lower, &n, &columns, pl, &ld, pb, &ld, &info, 1);
    }

    /// <summary>P A = L U; pivots 0-based: row i was exchanged with row pivots[i].</summary>
    /// <returns>0, or k > 0: U(k, k) is exactly zero.</returns>
    internal int LuFactor(int n, Span<double> a, Span<int> pivots)
    {
        int info, lda = Math.Max(1, n);
        fixed (double* pa = a)
        fixed (int* pp = pivots)
            _library.Getrf(&n, &n, pa, &lda, pp, &info);
        for (int i = 0; i < n; i++) pivots[i]--;
        return info;
    }

    /// <summary>B ← A⁻¹ B from <see cref="LuFactor"/>.</summary>
    internal void LuSolve(int n, ReadOnlySpan<double> lu, ReadOnlySpan<int> pivots, int columns, Span<double> b)
    {
        using var oneBased = new OneBased(pivots[..n]);
        byte none = (byte)'N';
        int info, ld = Math.Max(1, n);
        fixed (double* pl = lu, pb = b)
        fixed (int* pp = oneBased.Values)
            _library.Getrs(&none, &n, &columns, pl, &ld, pp, pb, &ld, &info, 1);
    }

    /// <summary>A⁻¹ in place from <see cref="LuFactor"/>.</summary>
    /// <returns>0, or k > 0: U(k, k) is exactly zero.</returns>
    internal int LuInvert(int n, Span<double> lu, ReadOnlySpan<int> pivots)
    {
        using var oneBased = new OneBased(pivots[..n]);
        int info, ld = Math.Max(1, n), size = -1;
        fixed (double* pl = lu)
        fixed (int* pp = oneBased.Values)
        {
            double best;
            _library.Getri(&n, pl, &ld, pp, &best, &size, &info);
            size = Math.Max(1, (int)best);
            double[] work = ArrayPool<double>.Shared.Rent(size);
            fixed (double* pw = work) _library.Getri(&n, pl, &ld, pp, pw, &size, &info);
            ArrayPool<double>.Shared.Return(work);
        }
        return info;
    }

    /// <summary>A V = V Λ for symmetric A (lower triangle read); A is overwritten by V, columns; values rise.</summary>
    /// <returns>0, or k > 0: not converged.</returns>
    internal int SymmetricEigen(int n, Span<double> a, Span<double> values, bool vectors)
    {
        byte job = (byte)(vectors ? 'V' : 'N'), lower = (byte)'L';
        int info, lda = Math.Max(1, n), size = -1, integers = -1, bestInteger;
        double best;
        fixed (double* pa = a, pv = values)
        {
            _library.Syevd(&job, &lower, &n, pa, &lda, pv, &best, &size, &bestInteger, &integers, &info, 1, 1);
            size = (int)best;
            integers = bestInteger;
            double[] work = ArrayPool<double>.Shared.Rent(size);
            int[] integerWork = ArrayPool<int>.Shared.Rent(integers);
            fixed (double* pw = work)
            fixed (int* pi = integerWork)
                _library.Syevd(&job, &lower, &n, pa, &lda, pv, pw, &size, pi, &integers, &info, 1, 1);
            ArrayPool<double>.Shared.Return(work);
            ArrayPool<int>.Shared.Return(integerWork);
        }
        return info;
    }

    /// <summary>A V = B V Λ; A is overwritten by V with Vᵀ B V = 1, B by its Cholesky factor; values rise.</summary>
    /// <returns>0; 1 … n: not converged; n + k: the leading minor of B of order k is not positive.</returns>
    internal int GeneralizedSymmetricEigen(int n, Span<double> a, Span<double> b, Span<double> values)
    {
        byte job = (byte)'V', lower = (byte)'L';
        int kind = 1, info, ld = Math.Max(1, n), size = -1, integers = -1, bestInteger;
        double best;
        fixed (double* pa = a, pb = b, pv = values)
        {
            _library.Sygvd(&kind, &job, &lower, &n, pa, &ld, pb, &ld, pv, &best, &size, &bestInteger, &integers, &info, 1, 1);
            size = (int)best;
            integers = bestInteger;
            double[] work = ArrayPool<double>.Shared.Rent(size);
            int[] integerWork = ArrayPool<int>.Shared.Rent(integers);
            fixed (double* pw = work)
            fixed (int* pi = integerWork)
                _library.Sygvd(&kind, &job, &lower, &n, pa, &ld, pb, &ld, pv, pw, &size, pi, &integers, &info, 1, 1);
            ArrayPool<double>.Shared.Return(work);
            ArrayPool<int>.Shared.Return(integerWork);
        }
        for (int j = 1; j < n; j++) b.Slice(j * n, j).Clear();
        return info;
    }

    /// <summary>A V = V Λ for Hermitian A (lower triangle read); A is overwritten by V, columns; values rise.</summary>
    /// <returns>0, or k > 0: not converged.</returns>
    internal int HermitianEigen(int n, Span<Complex> a, Span<double> values)
    {
        byte job = (byte)'V', lower = (byte)'L';
        int info, lda = Math.Max(1, n), size = -1, reals = -1, integers = -1, bestInteger;
        Complex best;
        double bestReal;
        fixed (Complex* pa = a)
        fixed (double* pv = values)
        {
            _library.Heevd(&job, &lower, &n, pa, &lda, pv, &best, &size, &bestReal, &reals, &bestInteger, &integers, &info, 1, 1);
            size = (int)best.Real;
            reals = (int)bestReal;
            integers = bestInteger;
            Complex[] work = ArrayPool<Complex>.Shared.Rent(size);
            double[] realWork = ArrayPool<double>.Shared.Rent(reals);
            int[] integerWork = ArrayPool<int>.Shared.Rent(integers);
            fixed (Complex* pw = work)
            fixed (double* pr = realWork)
            fixed (int* pi = integerWork)
                _library.Heevd(&job, &lower, &n, pa, &lda, pv, pw, &size, pr, &reals, pi, &integers, &info, 1, 1);
            ArrayPool<Complex>.Shared.Return(work);
            ArrayPool<double>.Shared.Return(realWork);
            ArrayPool<int>.Shared.Return(integerWork);
        }
        return info;
    }

    /// <summary>A V = B V Λ for Hermitian A and positive definite B (lower triangles read); A is overwritten by V with V†B V = 1, B is destroyed.</summary>
    /// <returns>0; 1 … n: not converged; n + k: the leading minor of B of order k is not positive.</returns>
    internal int GeneralizedHermitianEigen(int n, Span<Complex> a, Span<Complex> b, Span<double> values)
    {
        byte job = (byte)'V', lower = (byte)'L';
        int kind = 1, info, ld = Math.Max(1, n), size = -1, reals = -1, integers = -1, bestInteger;
        Complex best;
        double bestReal;
        fixed (Complex* pa = a, pb = b)
        fixed (double* pv = values)
        {
            _library.Hegvd(&kind, &job, &lower, &n, pa, &ld, pb, &ld, pv, &best, &size, &bestReal, &reals, &bestInteger, &integers, &info, 1, 1);
            size = (int)best.Real;
            reals = (int)bestReal;
            integers = bestInteger;
            Complex[] work = ArrayPool<Complex>.Shared.Rent(size);
            double[] realWork = ArrayPool<double>.Shared.Rent(reals);
            int[] integerWork = ArrayPool<int>.Shared.Rent(integers);
            fixed (Complex* pw = work)
            fixed (double* pr = realWork)
            fixed (int* pi = integerWork)
                _library.Hegvd(&kind, &job, &lower, &n, pa, &ld, pb, &ld, pv, pw, &size, pr, &reals, pi, &integers, &info, 1, 1);
            ArrayPool<Complex>.Shared.Return(work);
            ArrayPool<double>.Shared.Return(realWork);
            ArrayPool<int>.Shared.Return(integerWork);
        }
        return info;
    }

    // ---- the pieces of eigenproblems; T is double or Complex --------------------------------------------------------------------------

    /// <summary>A = Q T Q†: T's diagonal and off-diagonal, Q as reflectors in the lower triangle of A and in tau.</summary>
    internal void Tridiagonalize<T>(int n, Span<T> a, Span<double> diagonal, Span<double> offDiagonal, Span<T> tau) where T : unmanaged
    {
        byte lower = (byte)'L';
        int info, ld = Math.Max(1, n), size = -1;
        T best;
        var routine = typeof(T) == typeof(double) ? _library.Sytrd : _library.Hetrd;
        fixed (T* pa = a, pt = tau)
        fixed (double* pd = diagonal, pe = offDiagonal)
        {
            routine(&lower, &n, pa, &ld, pd, pe, pt, &best, &size, &info, 1);
            size = Math.Max(1, (int)*(double*)&best); // the real part of a complex number stands first
            T[] work = ArrayPool<T>.Shared.Rent(size);
            fixed (T* pw = work) routine(&lower, &n, pa, &ld, pd, pe, pt, pw, &size, &info, 1);
            ArrayPool<T>.Shared.Return(work);
        }
    }

    /// <summary>T Z = Z Λ of a tridiagonal matrix (divide and conquer); the diagonal becomes Λ, rising, the off-diagonal is destroyed.</summary>
    /// <returns>0, or k > 0: not converged.</returns>
    internal int TridiagonalEigen(int n, Span<double> diagonal, Span<double> offDiagonal, Span<double> z)
    {
        byte job = (byte)'I';
        int info, ld = Math.Max(1, n), size = -1, integers = -1, bestInteger;
        double best;
        fixed (double* pd = diagonal, pe = offDiagonal, pz = z)
        {
            _library.Stedc(&job, &n, pd, pe, pz, &ld, &best, &size, &bestInteger, &integers, &info, 1);
            (size, integers) = ((int)best, bestInteger);
            double[] work = ArrayPool<double>.Shared.Rent(size);
            int[] integerWork = ArrayPool<int>.Shared.Rent(integers);
            fixed (double* pw = work)
            fixed (int* pi = integerWork)
                _library.Stedc(&job, &n, pd, pe, pz, &ld, pw, &size, pi, &integers, &info, 1);
            ArrayPool<double>.Shared.Return(work);
            ArrayPool<int>.Shared.Return(integerWork);
        }
        return info;
    }

    /// <summary>C ← Q C with Q from <see cref="Tridiagonalize"/>.</summary>
    internal void ApplyReflectors<T>(int n, int columns, Span<T> a, Span<T> tau, Span<T> c) where T : unmanaged
    {
        byte left = (byte)'L', lower = (byte)'L', none = (byte)'N';
        int info, ld = Math.Max(1, n), size = -1;
        T best;
        var routine = typeof(T) == typeof(double) ? _library.Ormtr : _library.Unmtr;
        fixed (T* pa = a, pt = tau, pc = c)
        {
            routine(&left, &lower, &none, &n, &columns, pa, &ld, pt, pc, &ld, &best, &size, &info, 1, 1, 1);
            size = Math.Max(1, (int)*(double*)&best);
            T[] work = ArrayPool<T>.Shared.Rent(size);
            fixed (T* pw = work) routine(&left, &lower, &none, &n, &columns, pa, &ld, pt, pc, &ld, pw, &size, &info, 1, 1, 1);
            ArrayPool<T>.Shared.Return(work);
        }
    }

    /// <summary>B = L L† in place, lower triangle.</summary>
    /// <returns>0, or k > 0: the leading minor of order k is not positive.</returns>
    internal int Factor<T>(int n, Span<T> b) where T : unmanaged
    {
        byte lower = (byte)'L';
        int info, ld = Math.Max(1, n);
        var routine = typeof(T) == typeof(double) ? _library.PotrfReal : _library.PotrfComplex;
        fixed (T* pb = b) routine(&lower, &n, pb, &ld, &info, 1);
        return info;
    }

    /// <summary>A ← L⁻¹ A L⁻†, lower triangle.</summary>
    internal void Reduce<T>(int n, Span<T> a, Span<T> l) where T : unmanaged
    {
        byte lower = (byte)'L';
        int kind = 1, info, ld = Math.Max(1, n);
        var routine = typeof(T) == typeof(double) ? _library.Sygst : _library.Hegst;
        fixed (T* pa = a, pl = l) routine(&kind, &lower, &n, pa, &ld, pl, &ld, &info, 1);
    }

    /// <summary>C ← L⁻† C.</summary>
    internal void SolveAdjoint<T>(int n, int columns, Span<T> l, Span<T> c) where T : unmanaged, INumberBase<T>
    {
        byte left = (byte)'L', lower = (byte)'L', adjoint = (byte)'C', any = (byte)'N';
        int ld = Math.Max(1, n);
        T one = T.One;
        var routine = typeof(T) == typeof(double) ? _library.TrsmReal : _library.TrsmComplex;
        fixed (T* pl = l, pc = c) routine(&left, &lower, &adjoint, &any, &n, &columns, &one, pl, &ld, pc, &ld, 1, 1, 1, 1);
    }

    /// <summary>A = U Σ Vᵀ; A (m × n) is destroyed, s falls; u (m × m) and vt (n × n) are full, or empty when not wanted.</summary>
    /// <returns>0, or k > 0: not converged.</returns>
    internal int Svd(int m, int n, Span<double> a, Span<double> s, Span<double> u, Span<double> vt, bool vectors)
    {
        byte job = (byte)(vectors ? 'A' : 'N');
        int info, lda = Math.Max(1, m), ldu = Math.Max(1, m), ldvt = Math.Max(1, n), size = -1;
        double best, none;
        fixed (double* pa = a, ps = s, fu = u, fv = vt)
        {
            double* pu = vectors ? fu : &none, pv = vectors ? fv : &none;
            _library.Gesvd(&job, &job, &m, &n, pa, &lda, ps, pu, &ldu, pv, &ldvt, &best, &size, &info, 1, 1);
            size = (int)best;
            double[] work = ArrayPool<double>.Shared.Rent(size);
            fixed (double* pw = work)
                _library.Gesvd(&job, &job, &m, &n, pa, &lda, ps, pu, &ldu, pv, &ldvt, pw, &size, &info, 1, 1);
            ArrayPool<double>.Shared.Return(work);
        }
        return info;
    }

    private static byte Letter(Transpose transpose) => transpose switch
    {
        Transpose.Transpose => (byte)'T',
        Transpose.ConjugateTranspose => (byte)'C',
        _ => (byte)'N',
    };

    /// <summary>LAPACK counts pivots from one, MathNet from zero.</summary>
    private readonly ref struct OneBased
    {
        private readonly int[] _rented;

        public OneBased(ReadOnlySpan<int> pivots)
        {
            _rented = ArrayPool<int>.Shared.Rent(Math.Max(1, pivots.Length));
            for (int i = 0; i < pivots.Length; i++) _rented[i] = pivots[i] + 1;
        }

        public ReadOnlySpan<int> Values => _rented;

        public void Dispose() => ArrayPool<int>.Shared.Return(_rented);
    }

    // ---- MathNet's interface, double ------------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public void MatrixMultiply(double[] x, int rowsX, int columnsX, double[] y, int rowsY, int columnsY, double[] result) =>
        MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.DontTranspose, 1, x, rowsX, columnsX, y, rowsY, columnsY, 0, result);

    /// <inheritdoc/>
    public void MatrixMultiplyWithUpdate(Transpose transposeA, Transpose transposeB, double alpha, double[] a, int rowsA, int columnsA,
        double[] b, int rowsB, int columnsB, double beta, double[] c)
    {
        bool ta = transposeA != Transpose.DontTranspose, tb = transposeB != Transpose.DontTranspose;
        int m = ta ? columnsA : rowsA, k = ta ? rowsA : columnsA, n = tb ? rowsB : columnsB;
        Require(a, rowsA * columnsA, nameof(a));
        Require(b, rowsB * columnsB, nameof(b));
        Require(c, m * n, nameof(c));
        if (k != (tb ? columnsB : rowsB)) throw new ArgumentException("inner dimensions differ", nameof(b));
        Gemm(ta, tb, m, n, k, alpha, a, b, beta, c);
    }

    /// <inheritdoc/>
    public void LUFactor(double[] data, int order, int[] ipiv)
    {
        Require(data, order * order, nameof(data));
        ArgumentNullException.ThrowIfNull(ipiv);
        LuFactor(order, data, ipiv);
    }

    /// <inheritdoc/>
    public void LUInverse(double[] a, int order)
    {
        var pivots = new int[order];
        LUFactor(a, order, pivots);
        LUInverseFactored(a, order, pivots);
    }

    /// <inheritdoc/>
    public void LUInverseFactored(double[] a, int order, int[] ipiv)
    {
        Require(a, order * order, nameof(a));
        if (LuInvert(order, a, ipiv) > 0) throw new ArgumentException("the matrix is singular", nameof(a));
    }

    /// <inheritdoc/>
    public void LUSolve(int columnsOfB, double[] a, int order, double[] b)
    {
        Require(a, order * order, nameof(a));
        var factors = (double[])a.Clone();
        var pivots = new int[order];
        LuFactor(order, factors, pivots);
        LUSolveFactored(columnsOfB, factors, order, pivots, b);
    }

    /// <inheritdoc/>
    public void LUSolveFactored(int columnsOfB, double[] a, int order, int[] ipiv, double[] b)
    {
        Require(a, order * order, nameof(a));
        Require(b, order * columnsOfB, nameof(b));
        LuSolve(order, a, ipiv, columnsOfB, b);
    }

    /// <inheritdoc/>
    public void CholeskyFactor(double[] a, int order)
    {
        Require(a, order * order, nameof(a));
        if (CholeskyFactor(order, a) > 0) throw new ArgumentException("the matrix is not positive definite", nameof(a));
    }

    /// <inheritdoc/>
    public void CholeskySolve(double[] a, int orderA, double[] b, int columnsB)
    {
        Require(a, orderA * orderA, nameof(a));
        var factor = (double[])a.Clone();
        CholeskyFactor(factor, orderA);
        CholeskySolveFactored(factor, orderA, b, columnsB);
    }

    /// <inheritdoc/>
    public void CholeskySolveFactored(double[] a, int orderA, double[] b, int columnsB)
    {
        Require(a, orderA * orderA, nameof(a));
        Require(b, orderA * columnsB, nameof(b));
        CholeskySolve(orderA, a, columnsB, b);
    }

    /// <inheritdoc/>
    public void SingularValueDecomposition(bool computeVectors, double[] a, int rowsA, int columnsA, double[] s, double[] u, double[] vt)
    {
        Require(a, rowsA * columnsA, nameof(a));
        Require(s, Math.Min(rowsA, columnsA), nameof(s));
        Require(u, rowsA * rowsA, nameof(u));
        Require(vt, columnsA * columnsA, nameof(vt));
        if (Svd(rowsA, columnsA, a, s, u, vt, computeVectors) > 0) throw new NonConvergenceException();
    }

    /// <inheritdoc/>
    public void SvdSolve(double[] a, int rowsA, int columnsA, double[] b, int columnsB, double[] x)
    {
        var s = new double[Math.Min(rowsA, columnsA)];
        var u = new double[rowsA * rowsA];
        var vt = new double[columnsA * columnsA];
        SingularValueDecomposition(true, (double[])a.Clone(), rowsA, columnsA, s, u, vt);
        SvdSolveFactored(rowsA, columnsA, s, u, vt, b, columnsB, x);
    }

    /// <inheritdoc/>
    /// <remarks>Symmetric matrices go to the library (DSYEVD), others to MathNet's managed code.</remarks>
    public void EigenDecomp(bool isSymmetric, int order, double[] matrix, double[] matrixEv, Complex[] vectorEv, double[] matrixD)
    {
        if (!isSymmetric)
        {
            Managed.EigenDecomp(false, order, matrix, matrixEv, vectorEv, matrixD);
            return;
        }
        Require(matrix, order * order, nameof(matrix));
        Require(matrixEv, order * order, nameof(matrixEv));
        Require(matrixD, order * order, nameof(matrixD));
        matrix.CopyTo(matrixEv, 0);
        var values = new double[order];
        if (SymmetricEigen(order, matrixEv, values, vectors: true) > 0) throw new NonConvergenceException();
        Spread(order, values, vectorEv, matrixD, 1.0);
    }

    // ---- MathNet's interface, complex -----------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public void MatrixMultiply(Complex[] x, int rowsX, int columnsX, Complex[] y, int rowsY, int columnsY, Complex[] result) =>
        MatrixMultiplyWithUpdate(Transpose.DontTranspose, Transpose.DontTranspose, Complex.One, x, rowsX, columnsX, y, rowsY, columnsY,
            Complex.Zero, result);

    /// <inheritdoc/>
    public void MatrixMultiplyWithUpdate(Transpose transposeA, Transpose transposeB, Complex alpha, Complex[] a, int rowsA, int columnsA,
        Complex[] b, int rowsB, int columnsB, Complex beta, Complex[] c)
    {
        bool ta = transposeA != Transpose.DontTranspose, tb = transposeB != Transpose.DontTranspose;
        int m = ta ? columnsA : rowsA, k = ta ? rowsA : columnsA, n = tb ? rowsB : columnsB;
        Require(a, rowsA * columnsA, nameof(a));
        Require(b, rowsB * columnsB, nameof(b));
        Require(c, m * n, nameof(c));
        if (k != (tb ? columnsB : rowsB)) throw new ArgumentException("inner dimensions differ", nameof(b));
        Gemm(transposeA, transposeB, m, n, k, alpha, a, b, beta, c);
    }

    /// <inheritdoc/>
    /// <remarks>Hermitian matrices go to the library (ZHEEVD), others to MathNet's managed code.</remarks>
    public void EigenDecomp(bool isSymmetric, int order, Complex[] matrix, Complex[] matrixEv, Complex[] vectorEv, Complex[] matrixD)
    {
        if (!isSymmetric)
        {
            Managed.EigenDecomp(false, order, matrix, matrixEv, vectorEv, matrixD);
            return;
        }
        Require(matrix, order * order, nameof(matrix));
        Require(matrixEv, order * order, nameof(matrixEv));
        Require(matrixD, order * order, nameof(matrixD));
        matrix.CopyTo(matrixEv, 0);
        var values = new double[order];
        if (HermitianEigen(order, matrixEv, values) > 0) throw new NonConvergenceException();
        Spread(order, values, vectorEv, matrixD, Complex.One);
    }

    private static void Spread<T>(int order, double[] values, Complex[] vectorEv, T[] matrixD, T one) where T : struct, INumberBase<T>
    {
        Array.Clear(matrixD);
        for (int i = 0; i < order; i++)
        {
            vectorEv[i] = values[i];
            matrixD[i * order + i] = one * T.CreateChecked(values[i]);
        }
    }

    private static void Require<T>(T[] array, int length, string name)
    {
        ArgumentNullException.ThrowIfNull(array, name);
        if (array.Length < length) throw new ArgumentException($"length {array.Length}, needed {length}", name);
    }
}
