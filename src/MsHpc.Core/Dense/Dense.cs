using System.Numerics;
using System.Runtime.InteropServices;
using MathNet.Numerics;
using MathNet.Numerics.Providers.LinearAlgebra;

namespace MsHpc.Core;

/// <summary>How a complex matrix enters a product.</summary>
public enum MatrixOp
{
    /// <summary>As it is.</summary>
    None,
    /// <summary>Transposed.</summary>
    Transpose,
    /// <summary>Transposed and conjugated.</summary>
    ConjugateTranspose,
}

/// <summary>
/// Dense linear algebra of the program, through MathNet's provider interface: Intel MKL where it is found, else OpenBLAS, else another
/// LAPACK, else MathNet's managed code. This is the only place that talks to MathNet.
/// <para>Matrices are column-major without padding: A(i, j) of an m-row matrix is <c>a[i + j·m]</c>. Numbers carry whatever unit the
/// caller gives them. Spans may be longer than needed; outputs must not overlap inputs.</para>
/// <para>The choice is made at the first call or by <see cref="Use"/>: argument, else the environment variable <c>MSHPC_BLAS</c>
/// (<c>mkl</c>, <c>openblas</c>, <c>managed</c>, or the path of a library), else <c>MathNetNumericsLAProvider</c>
/// (<c>MKL</c>, <c>OpenBLAS</c>, <c>Managed</c>), else the best that is found. MPI must be initialised before.</para>
/// </summary>
/// <remarks>Results are the same bits for the same provider, thread count and machine; providers agree to about 1e-12 relative. With a
/// native library nothing is allocated beyond pooled work arrays; the managed code works on copies.</remarks>
public static class Dense
{
    private sealed record Selection(ILinearAlgebraProvider Provider, LapackLinearAlgebraProvider? Lapack, string Name, int Threads);

    private static readonly Lock s_gate = new();
    private static readonly Dictionary<string, LapackLinearAlgebraProvider> s_loaded = [];
    private static volatile Selection? s_current;

    private static Selection Current => s_current ?? Choose();

    /// <summary>What is in use, for the log: "MKL 2020.0.4 (MathNet provider, CBWR AVX2, GNU threading, threads 1)".</summary>
    public static string Provider => Current is { Lapack: { } lapack } ? lapack.ToString() : $"{Current.Name}, threads {Current.Threads})";

    /// <summary>Threads that the provider uses.</summary>
    public static int Threads => Current is { Lapack: { } lapack } ? lapack.Library.Threads : Current.Threads;

    /// <summary>The native library in use, for what is made of several calls; null for managed code.</summary>
    internal static LapackLinearAlgebraProvider? Lapack => Current.Lapack;

    /// <summary>Runs with the library on one thread, and gives it its threads back: for bodies that call it from threads of their own. The count is
    /// that of the process.</summary>
    /// <param name="body">What to run.</param>
    public static void OnOneThread(Action body)
    {
        var library = Current.Lapack?.Library;
        int threads = library?.Threads ?? 1;
        if (threads > 1) library!.SetThreads(1);
        try { body(); }
        finally { if (threads > 1) library!.SetThreads(threads); }
    }

    /// <summary>File of the native library in use; null for managed code.</summary>
    public static string? LibraryPath => Current.Lapack?.Path;

    /// <summary>Chooses the provider and its thread count for the whole process.</summary>
    /// <param name="choice"><c>mkl</c>, <c>openblas</c>, <c>managed</c>, the path of a BLAS/LAPACK library, or null: see the class.</param>
    /// <param name="threads">Threads of the library; 0 takes <see cref="Machine.ChooseThreads(int?)"/>.</param>
    /// <exception cref="InputException">The library that was asked for is not there or not usable; the message lists what was tried. An
    /// automatic choice never fails.</exception>
    public static void Use(string? choice = null, int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        lock (s_gate) s_current = Select(choice, threads > 0 ? threads : Machine.ChooseThreads().Count);
    }

    private static Selection Choose()
    {
        lock (s_gate) return s_current ??= Select(null, Machine.ChooseThreads().Count);
    }

    private static Selection Select(string? choice, int threads)
    {
        string origin = "";
        if (string.IsNullOrWhiteSpace(choice))
            foreach (string variable in (ReadOnlySpan<string>)["MSHPC_BLAS", "MathNetNumericsLAProvider"])
                if (Environment.GetEnvironmentVariable(variable) is { } text && !string.IsNullOrWhiteSpace(text))
                {
                    (choice, origin) = (text.Trim(), $"{variable}={text.Trim()}: ");
                    break;
                }

        Control.MaxDegreeOfParallelism = threads; // MathNet's own code, with every provider
        var tried = new List<string>();
        var selection = choice?.ToLowerInvariant() switch
        {
            null => Mkl(threads, tried) ?? OpenBlas(threads, tried) ?? AnyLapack(threads, tried) ?? ManagedCode(threads),
            "auto" => Mkl(threads, tried) ?? OpenBlas(threads, tried) ?? AnyLapack(threads, tried) ?? ManagedCode(threads),
            "mkl" => Mkl(threads, tried),
            "openblas" => OpenBlas(threads, tried),
            "managed" => ManagedCode(threads),
            _ when choice!.Contains('/', StringComparison.Ordinal) || choice.Contains(".so", StringComparison.Ordinal) =>
                Native([choice], threads, tried),
            _ => throw new InputException($"{origin}'{choice}' is not a dense-algebra provider; known are mkl, openblas, managed and the path "
                + "of a library" + Nearest.Hint(choice, ["mkl", "openblas", "managed"])),
        };
        if (selection is null)
            throw new InputException($"{origin}no usable library for '{choice}'. Tried: {string.Join("; ", tried)}."
                + (choice is "mkl" or "MKL" ? " Install it with './mshpc setup --mkl'." : ""));
        LinearAlgebraControl.Provider = selection.Provider;
        return selection;
    }

    private static Selection? Mkl(int threads, List<string> tried)
    {
        // System library first; then MathNet's own provider, found by its type name when its package is there.
        foreach (string name in (ReadOnlySpan<string>)["libmkl_rt.so", "libmkl_rt.so.2", "libmkl_rt.so.1", ..MklFolders()])
            if (Native([name], threads, tried) is { Lapack.Name: "MKL" } found) return found;
        if (LinearAlgebraControl.TryUseNativeMKL())
            return new Selection(LinearAlgebraControl.Provider, null, $"{LinearAlgebraControl.Provider} (MathNet's own provider", threads);
        tried.Add("MathNet.Numerics.Providers.MKL: not found");
        return null;
    }

    private static IEnumerable<string> MklFolders()
    {
        string?[] roots = [Environment.GetEnvironmentVariable("MKLROOT"), "/opt/intel/oneapi/mkl/latest", "/opt/intel/mkl"];
        foreach (string? root in roots)
            if (!string.IsNullOrEmpty(root))
                foreach (string folder in (string[])["lib", "lib/intel64"])
                    foreach (string file in (string[])["libmkl_rt.so.2", "libmkl_rt.so"])
                        if (Path.Combine(root, folder, file) is var path && File.Exists(path)) yield return path;
    }

    private static Selection? OpenBlas(int threads, List<string> tried) =>
        Native(["libopenblas.so.0"], threads, tried) ?? Native(["libopenblas.so"], threads, tried);

    private static Selection? AnyLapack(int threads, List<string> tried) => Native(["liblapack.so.3", "libblas.so.3"], threads, tried);

    private static Selection ManagedCode(int threads) => new(ManagedLinearAlgebraProvider.Instance, null,
        $"managed (MathNet.Numerics {typeof(ManagedLinearAlgebraProvider).Assembly.GetName().Version?.ToString(3)}", threads);

    private static Selection? Native(string[] paths, int threads, List<string> tried)
    {
        string key = string.Join('|', paths);
        if (s_loaded.TryGetValue(key, out var provider)) provider.Library.SetThreads(threads);
        else
        {
            if (BlasLibrary.TryLoad(paths, threads, out string reason) is not { } library)
            {
                tried.Add(reason);
                return null;
            }
            s_loaded[key] = provider = new LapackLinearAlgebraProvider(library);
        }
        return new Selection(provider, provider, provider.Name, threads);
    }

    // ---- products -------------------------------------------------------------------------------------------------------------------

    /// <summary>C ← α op(A) op(B) + β C.</summary>
    /// <param name="transposeA">op(A) = Aᵀ, else A.</param>
    /// <param name="transposeB">op(B) = Bᵀ, else B.</param>
    /// <param name="m">Rows of op(A) and C.</param>
    /// <param name="n">Columns of op(B) and C.</param>
    /// <param name="k">Columns of op(A), rows of op(B).</param>
    /// <param name="alpha">α.</param>
    /// <param name="a">A: m × k, or k × m when transposed.</param>
    /// <param name="b">B: k × n, or n × k when transposed.</param>
    /// <param name="beta">β; with 0 the old C is not read.</param>
    /// <param name="c">C: m × n, updated.</param>
    public static void Gemm(bool transposeA, bool transposeB, int m, int n, int k, double alpha, ReadOnlySpan<double> a,
        ReadOnlySpan<double> b, double beta, Span<double> c)
    {
        a = Take(a, m, k, nameof(a));
        b = Take(b, k, n, nameof(b));
        c = Take(c, m, n, nameof(c));
        if (Current is { Lapack: { } lapack })
        {
            lapack.Gemm(transposeA, transposeB, m, n, k, alpha, a, b, beta, c);
            return;
        }
        var result = beta == 0 ? new double[c.Length] : c.ToArray();
        if (k > 0)
            Current.Provider.MatrixMultiplyWithUpdate(transposeA ? Transpose.Transpose : Transpose.DontTranspose,
                transposeB ? Transpose.Transpose : Transpose.DontTranspose, alpha, a.ToArray(), transposeA ? k : m, transposeA ? m : k,
                b.ToArray(), transposeB ? n : k, transposeB ? k : n, beta, result);
        else
            for (int i = 0; i < result.Length; i++) result[i] *= beta;
        result.CopyTo(c);
    }

    /// <summary>C ← α op(A) op(B) + β C, complex.</summary>
    /// <param name="opA">op of A.</param>
    /// <param name="opB">op of B.</param>
    /// <param name="m">Rows of op(A) and C.</param>
    /// <param name="n">Columns of op(B) and C.</param>
    /// <param name="k">Columns of op(A), rows of op(B).</param>
    /// <param name="alpha">α.</param>
    /// <param name="a">A: m × k, or k × m.</param>
    /// <param name="b">B: k × n, or n × k.</param>
    /// <param name="beta">β; with 0 the old C is not read.</param>
    /// <param name="c">C: m × n, updated.</param>
    public static void Gemm(MatrixOp opA, MatrixOp opB, int m, int n, int k, Complex alpha, ReadOnlySpan<Complex> a,
        ReadOnlySpan<Complex> b, Complex beta, Span<Complex> c)
    {
        a = Take(a, m, k, nameof(a));
        b = Take(b, k, n, nameof(b));
        c = Take(c, m, n, nameof(c));
        if (Current is { Lapack: { } lapack })
        {
            lapack.Gemm(MathNetOp(opA), MathNetOp(opB), m, n, k, alpha, a, b, beta, c);
            return;
        }
        // MathNet's managed product does not conjugate, so the operands are written out.
        var left = Apply(opA, m, k, a);
        var right = Apply(opB, k, n, b);
        var product = new Complex[m * n];
        if (k > 0) Current.Provider.MatrixMultiply(left, m, k, right, k, n, product);
        for (int i = 0; i < c.Length; i++) c[i] = alpha * product[i] + (beta == Complex.Zero ? Complex.Zero : beta * c[i]);
    }

    private static Transpose MathNetOp(MatrixOp op) => op switch
    {
        MatrixOp.Transpose => Transpose.Transpose,
        MatrixOp.ConjugateTranspose => Transpose.ConjugateTranspose,
        _ => Transpose.DontTranspose,
    };

    private static Complex[] Apply(MatrixOp op, int rows, int columns, ReadOnlySpan<Complex> matrix)
    {
        if (op == MatrixOp.None) return matrix.ToArray();
        var result = new Complex[rows * columns];
        for (int j = 0; j < columns; j++)
            for (int i = 0; i < rows; i++)
            {
                var value = matrix[j + i * columns];
                result[i + j * rows] = op == MatrixOp.ConjugateTranspose ? Complex.Conjugate(value) : value;
            }
        return result;
    }

    // ---- factorisations and solves --------------------------------------------------------------------------------------------------

    /// <summary>A = L Lᵀ of a symmetric positive definite matrix.</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n, of which the lower triangle is read. Out: L, its upper triangle zero.</param>
    /// <exception cref="NumericalException">A is not positive definite (or holds a NaN).</exception>
    public static void CholeskyFactor(int n, Span<double> a)
    {
        a = Take(a, n, n, nameof(a));
        if (n == 0) return;
        if (Current is { Lapack: { } lapack })
        {
            int info = lapack.CholeskyFactor(n, a);
            if (info > 0) throw NotPositiveDefinite("Cholesky factorisation", n, info);
            return;
        }
        var copy = Symmetrized(n, a);
        FactorManaged("Cholesky factorisation", n, copy);
        copy.CopyTo(a);
    }

    /// <summary>Solves A X = B from the factor of <see cref="CholeskyFactor"/>.</summary>
    /// <param name="n">Order.</param>
    /// <param name="l">L, n × n.</param>
    /// <param name="columns">Right-hand sides.</param>
    /// <param name="b">In: B, n × columns. Out: X.</param>
    public static void CholeskySolve(int n, ReadOnlySpan<double> l, int columns, Span<double> b)
    {
        l = Take(l, n, n, nameof(l));
        b = Take(b, n, columns, nameof(b));
        if (b.Length == 0) return;
        if (Current is { Lapack: { } lapack }) lapack.CholeskySolve(n, l, columns, b);
        else
        {
            var x = b.ToArray();
            Current.Provider.CholeskySolveFactored(l.ToArray(), n, x, columns);
            x.CopyTo(b);
        }
    }

    /// <summary>P A = L U with partial pivoting.</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n. Out: L (unit diagonal, not stored) below, U on and above the diagonal.</param>
    /// <param name="pivots">Out: row i was exchanged with row pivots[i], counted from zero; length n.</param>
    /// <exception cref="NumericalException">A is singular to working precision: a pivot is zero, not a number, or nothing but the rounding
    /// error of the terms it was computed from, |U(k,k)| ≤ 4 √n ε Σⱼ |L(k,j) U(j,k)|. The test does not depend on the scaling of rows and
    /// columns.</exception>
    public static void LuFactor(int n, Span<double> a, Span<int> pivots)
    {
        a = Take(a, n, n, nameof(a));
        if (pivots.Length < n) throw new ArgumentException($"length {pivots.Length}, needed {n}", nameof(pivots));
        if (n == 0) return;
        if (Current is { Lapack: { } lapack }) lapack.LuFactor(n, a, pivots[..n]);
        else
        {
            var copy = a.ToArray();
            var rows = new int[n];
            Current.Provider.LUFactor(copy, n, rows);
            copy.CopyTo(a);
            rows.CopyTo(pivots);
        }
        int lost = LostPivot(n, a);
        if (lost >= 0)
            throw new NumericalException($"LU factorisation: the matrix of order {n} is singular to working precision "
                + $"(pivot {lost + 1} is {a[lost + lost * n]:g3})");
    }

    /// <summary>Solves A X = B from the factors of <see cref="LuFactor"/>.</summary>
    /// <param name="n">Order.</param>
    /// <param name="lu">Factors, n × n.</param>
    /// <param name="pivots">Pivots, length n.</param>
    /// <param name="columns">Right-hand sides.</param>
    /// <param name="b">In: B, n × columns. Out: X.</param>
    public static void LuSolve(int n, ReadOnlySpan<double> lu, ReadOnlySpan<int> pivots, int columns, Span<double> b)
    {
        lu = Take(lu, n, n, nameof(lu));
        b = Take(b, n, columns, nameof(b));
        if (b.Length == 0) return;
        if (Current is { Lapack: { } lapack }) lapack.LuSolve(n, lu, pivots, columns, b);
        else
        {
            var x = b.ToArray();
            Current.Provider.LUSolveFactored(columns, lu.ToArray(), n, pivots[..n].ToArray(), x);
            x.CopyTo(b);
        }
    }

    /// <summary>Solves A X = B; allocates a copy of A.</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">A, n × n, kept.</param>
    /// <param name="columns">Right-hand sides.</param>
    /// <param name="b">In: B, n × columns. Out: X.</param>
    /// <exception cref="NumericalException">A is singular, as in <see cref="LuFactor"/>.</exception>
    public static void LuSolve(int n, ReadOnlySpan<double> a, int columns, Span<double> b)
    {
        var factors = Take(a, n, n, nameof(a)).ToArray();
        var pivots = new int[n];
        LuFactor(n, factors, pivots);
        LuSolve(n, factors, pivots, columns, b);
    }

    /// <summary>A ← A⁻¹.</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n. Out: its inverse.</param>
    /// <exception cref="NumericalException">A is singular, as in <see cref="LuFactor"/>.</exception>
    public static void Inverse(int n, Span<double> a)
    {
        a = Take(a, n, n, nameof(a));
        var pivots = new int[n];
        LuFactor(n, a, pivots);
        if (n == 0) return;
        if (Current is { Lapack: { } lapack }) lapack.LuInvert(n, a, pivots);
        else
        {
            var copy = a.ToArray();
            Current.Provider.LUInverseFactored(copy, n, pivots);
            copy.CopyTo(a);
        }
    }

    // ---- eigenvalues and singular values --------------------------------------------------------------------------------------------

    /// <summary>A V = V Λ of a symmetric matrix, VᵀV = 1 (LAPACK DSYEVD, divide and conquer).</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n, of which the lower triangle is read. Out: V, eigenvector k in column k (sign not defined).</param>
    /// <param name="values">Out: eigenvalues, rising; length n.</param>
    /// <exception cref="NumericalException">A holds a NaN or infinity, or the iteration failed.</exception>
    public static void SymmetricEigen(int n, Span<double> a, Span<double> values)
    {
        a = Take(a, n, n, nameof(a));
        values = Take(values, n, 1, nameof(values));
        if (n == 0) return;
        RequireFinite("symmetric eigenproblem", a);
        if (Current is { Lapack: { } lapack })
        {
            if (lapack.SymmetricEigen(n, a, values, vectors: true) > 0) throw NotConverged("symmetric eigenproblem", n);
        }
        else EigenManaged(n, Symmetrized(n, a), a, values);
    }

    /// <summary>Eigenvalues only of a symmetric matrix.</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n, of which the lower triangle is read. Destroyed.</param>
    /// <param name="values">Out: eigenvalues, rising; length n.</param>
    /// <exception cref="NumericalException">A holds a NaN or infinity, or the iteration failed.</exception>
    public static void SymmetricEigenvalues(int n, Span<double> a, Span<double> values)
    {
        a = Take(a, n, n, nameof(a));
        values = Take(values, n, 1, nameof(values));
        if (n == 0) return;
        RequireFinite("symmetric eigenproblem", a);
        if (Current is { Lapack: { } lapack })
        {
            if (lapack.SymmetricEigen(n, a, values, vectors: false) > 0) throw NotConverged("symmetric eigenproblem", n);
        }
        else EigenManaged(n, Symmetrized(n, a), a, values);
    }

    /// <summary>
    /// A V = B V Λ with A symmetric, B symmetric positive definite, VᵀB V = 1 (LAPACK DSYGVD). Without a native library: B = L Lᵀ,
    /// (L⁻¹ A L⁻ᵀ) Z = Z Λ, V = L⁻ᵀ Z.
    /// </summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n, of which the lower triangle is read. Out: V, eigenvector k in column k (sign not defined).</param>
    /// <param name="b">In: B, n × n, of which the lower triangle is read. Out: its Cholesky factor L, upper triangle zero.</param>
    /// <param name="values">Out: eigenvalues, rising; length n.</param>
    /// <exception cref="NumericalException">B is not positive definite, an entry is not finite, or the iteration failed.</exception>
    public static void GeneralizedSymmetricEigen(int n, Span<double> a, Span<double> b, Span<double> values)
    {
        a = Take(a, n, n, nameof(a));
        b = Take(b, n, n, nameof(b));
        values = Take(values, n, 1, nameof(values));
        if (n == 0) return;
        RequireFinite("generalized eigenproblem", a);
        RequireFinite("generalized eigenproblem", b);
        if (Current is { Lapack: { } lapack })
        {
            int info = lapack.GeneralizedSymmetricEigen(n, a, b, values);
            if (info > n) throw NotPositiveDefinite("generalized eigenproblem, matrix B", n, info - n);
            if (info > 0) throw NotConverged("generalized eigenproblem", n);
            return;
        }
        var l = Symmetrized(n, b);
        FactorManaged("generalized eigenproblem, matrix B", n, l);
        var c = Symmetrized(n, a);
        for (int half = 0; half < 2; half++)
        {
            for (int j = 0; j < n; j++) ForwardSubstitute(n, l, c.AsSpan(j * n, n));
            for (int j = 0; j < n; j++)
                for (int i = 0; i < j; i++) (c[i + j * n], c[j + i * n]) = (c[j + i * n], c[i + j * n]);
        }
        EigenManaged(n, Symmetrized(n, c), a, values);
        for (int j = 0; j < n; j++) BackSubstitute(n, l, a.Slice(j * n, n));
        l.CopyTo(b);
    }

    /// <summary>A V = V Λ of a Hermitian matrix, V†V = 1 (LAPACK ZHEEVD).</summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n, of which the lower triangle is read. Out: V, eigenvector k in column k (phase not defined).</param>
    /// <param name="values">Out: eigenvalues, rising; length n.</param>
    /// <exception cref="NumericalException">A holds a NaN or infinity, or the iteration failed.</exception>
    public static void HermitianEigen(int n, Span<Complex> a, Span<double> values)
    {
        a = Take(a, n, n, nameof(a));
        values = Take(values, n, 1, nameof(values));
        if (n == 0) return;
        RequireFinite("Hermitian eigenproblem", MemoryMarshal.Cast<Complex, double>(a));
        if (Current is { Lapack: { } lapack })
        {
            if (lapack.HermitianEigen(n, a, values) > 0) throw NotConverged("Hermitian eigenproblem", n);
            return;
        }
        var full = a.ToArray();
        for (int j = 0; j < n; j++)
        {
            full[j + j * n] = full[j + j * n].Real;
            for (int i = 0; i < j; i++) full[i + j * n] = Complex.Conjugate(full[j + i * n]);
        }
        var vectors = new Complex[n * n]; // MathNet's managed code multiplies into it: the identity to start with
        for (int i = 0; i < n; i++) vectors[i + i * n] = Complex.One;
        var complexValues = new Complex[n];
        try
        {
            Current.Provider.EigenDecomp(true, n, full, vectors, complexValues, new Complex[n * n]);
        }
        catch (NonConvergenceException)
        {
            throw NotConverged("Hermitian eigenproblem", n);
        }
        for (int k = 0; k < n; k++) values[k] = complexValues[k].Real;
        vectors.CopyTo(a);
    }

    /// <summary>
    /// A V = B V Λ with A Hermitian, B Hermitian positive definite, V†B V = 1 (LAPACK ZHEGVD). Without a native library: B = L L†,
    /// (L⁻¹ A L⁻†) Z = Z Λ, V = L⁻† Z.
    /// </summary>
    /// <param name="n">Order.</param>
    /// <param name="a">In: A, n × n, of which the lower triangle is read. Out: V, eigenvector k in column k (phase not defined).</param>
    /// <param name="b">In: B, n × n, of which the lower triangle is read. Destroyed.</param>
    /// <param name="values">Out: eigenvalues, rising; length n.</param>
    /// <exception cref="NumericalException">B is not positive definite, an entry is not finite, or the iteration failed.</exception>
    public static void GeneralizedHermitianEigen(int n, Span<Complex> a, Span<Complex> b, Span<double> values)
    {
        a = Take(a, n, n, nameof(a));
        b = Take(b, n, n, nameof(b));
        values = Take(values, n, 1, nameof(values));
        if (n == 0) return;
        RequireFinite("generalized eigenproblem", MemoryMarshal.Cast<Complex, double>(a));
        RequireFinite("generalized eigenproblem", MemoryMarshal.Cast<Complex, double>(b));
        if (Current is { Lapack: { } lapack })
        {
            int info = lapack.GeneralizedHermitianEigen(n, a, b, values);
            if (info > n) throw NotPositiveDefinite("generalized eigenproblem, matrix B", n, info - n);
            if (info > 0) throw NotConverged("generalized eigenproblem", n);
            return;
        }
        for (int j = 0; j < n; j++) // b ← L
        {
            double pivot = b[j + j * n].Real;
            for (int k = 0; k < j; k++) pivot -= b[j + k * n].Real * b[j + k * n].Real + b[j + k * n].Imaginary * b[j + k * n].Imaginary;
            if (!(pivot > 0)) throw NotPositiveDefinite("generalized eigenproblem, matrix B", n, j + 1);
            pivot = Math.Sqrt(pivot);
            b[j + j * n] = pivot;
            for (int i = j + 1; i < n; i++)
            {
                var sum = b[i + j * n];
                for (int k = 0; k < j; k++) sum -= b[i + k * n] * Complex.Conjugate(b[j + k * n]);
                b[i + j * n] = sum / pivot;
            }
            for (int i = 0; i < j; i++) a[i + j * n] = Complex.Conjugate(a[j + i * n]);
            a[j + j * n] = a[j + j * n].Real;
        }
        for (int half = 0; half < 2; half++) // columns by L⁻¹, then the adjoint's columns
        {
            for (int j = 0; j < n; j++)
                for (int i = 0; i < n; i++)
                {
                    var x = a[i + j * n] /= b[i + i * n];
                    for (int k = i + 1; k < n; k++) a[k + j * n] -= b[k + i * n] * x;
                }
            for (int j = 0; j < n; j++)
                for (int i = 0; i <= j; i++) (a[i + j * n], a[j + i * n]) = (Complex.Conjugate(a[j + i * n]), Complex.Conjugate(a[i + j * n]));
        }
        HermitianEigen(n, a, values);
        for (int j = 0; j < n; j++)
            for (int i = n - 1; i >= 0; i--)
            {
                var sum = a[i + j * n];
                for (int k = i + 1; k < n; k++) sum -= Complex.Conjugate(b[k + i * n]) * a[k + j * n];
                a[i + j * n] = sum / b[i + i * n];
            }
    }

    /// <summary>A = U Σ Vᵀ (LAPACK DGESVD).</summary>
    /// <param name="m">Rows.</param>
    /// <param name="n">Columns.</param>
    /// <param name="a">In: A, m × n. Destroyed.</param>
    /// <param name="s">Out: singular values, falling; length min(m, n).</param>
    /// <param name="u">Out: U, m × m, left vectors in columns.</param>
    /// <param name="vt">Out: Vᵀ, n × n, right vectors in rows.</param>
    /// <exception cref="NumericalException">A holds a NaN or infinity, or the iteration failed.</exception>
    public static void Svd(int m, int n, Span<double> a, Span<double> s, Span<double> u, Span<double> vt)
    {
        a = Take(a, m, n, nameof(a));
        s = Take(s, Math.Min(m, n), 1, nameof(s));
        u = Take(u, m, m, nameof(u));
        vt = Take(vt, n, n, nameof(vt));
        if (m == 0 || n == 0) return;
        RequireFinite("singular values", a);
        if (Current is { Lapack: { } lapack })
        {
            if (lapack.Svd(m, n, a, s, u, vt, vectors: true) > 0) throw NotConverged("singular values", Math.Min(m, n));
            return;
        }
        var (values, left, right) = (new double[s.Length], new double[m * m], new double[n * n]);
        try
        {
            Current.Provider.SingularValueDecomposition(true, a.ToArray(), m, n, values, left, right);
        }
        catch (NonConvergenceException)
        {
            throw NotConverged("singular values", Math.Min(m, n));
        }
        values.CopyTo(s);
        left.CopyTo(u);
        right.CopyTo(vt);
    }

    // ---- pieces ---------------------------------------------------------------------------------------------------------------------

    private static ReadOnlySpan<T> Take<T>(ReadOnlySpan<T> data, int rows, int columns, string name)
    {
        int length = Length(rows, columns);
        return data.Length >= length ? data[..length] : throw TooShort(data.Length, rows, columns, name);
    }

    private static Span<T> Take<T>(Span<T> data, int rows, int columns, string name)
    {
        int length = Length(rows, columns);
        return data.Length >= length ? data[..length] : throw TooShort(data.Length, rows, columns, name);
    }

    private static int Length(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        return checked(rows * columns);
    }

    private static ArgumentException TooShort(int length, int rows, int columns, string name) =>
        new($"length {length}, needed {rows} × {columns}", name);

    private static double[] Symmetrized(int n, ReadOnlySpan<double> lower)
    {
        var full = lower.ToArray();
        for (int j = 0; j < n; j++)
            for (int i = 0; i < j; i++) full[i + j * n] = full[j + i * n];
        return full;
    }

    private static void FactorManaged(string what, int n, double[] a)
    {
        try
        {
            Current.Provider.CholeskyFactor(a, n);
        }
        catch (ArgumentException)
        {
            throw NotPositiveDefinite(what, n, 0);
        }
    }

    private static void EigenManaged(int n, double[] full, Span<double> vectors, Span<double> values)
    {
        var columns = new double[n * n];
        var complexValues = new Complex[n];
        try
        {
            Current.Provider.EigenDecomp(true, n, full, columns, complexValues, new double[n * n]);
        }
        catch (NonConvergenceException)
        {
            throw NotConverged("symmetric eigenproblem", n);
        }
        for (int k = 0; k < n; k++) values[k] = complexValues[k].Real;
        columns.CopyTo(vectors);
    }

    private static void ForwardSubstitute(int n, ReadOnlySpan<double> l, Span<double> x)
    {
        for (int j = 0; j < n; j++)
        {
            var column = l.Slice(j * n, n);
            double xj = x[j] /= column[j];
            for (int i = j + 1; i < n; i++) x[i] -= column[i] * xj;
        }
    }

    private static void BackSubstitute(int n, ReadOnlySpan<double> l, Span<double> x)
    {
        for (int j = n - 1; j >= 0; j--)
        {
            var column = l.Slice(j * n, n);
            double sum = x[j];
            for (int i = j + 1; i < n; i++) sum -= column[i] * x[i];
            x[j] = sum / column[j];
        }
    }

    /// <summary>First pivot that is zero, not a number, or lost in the rounding of its own terms; −1 when there is none.</summary>
    private static int LostPivot(int n, ReadOnlySpan<double> lu)
    {
        double threshold = 4 * Math.Sqrt(n) * SmallMatrix.Epsilon;
        for (int k = 0; k < n; k++)
        {
            double pivot = Math.Abs(lu[k + k * n]), terms = 0;
            for (int j = 0; j < k; j++) terms += Math.Abs(lu[k + j * n] * lu[j + k * n]);
            if (!(pivot > threshold * terms && double.IsFinite(pivot))) return k;
        }
        return -1;
    }

    internal static void RequireFinite(string what, ReadOnlySpan<double> data)
    {
        foreach (double x in data)
            if (!double.IsFinite(x)) throw new NumericalException($"{what}: the matrix holds {x}");
    }

    internal static NumericalException NotPositiveDefinite(string what, int n, int minor) =>
        new($"{what}: the matrix of order {n} is not positive definite" + (minor > 0 ? $" (leading minor {minor})" : ""));

    internal static NumericalException NotConverged(string what, int n) => new($"{what}: no convergence (order {n})");
}
