using System.Numerics;
using MathNet.Numerics.Providers.LinearAlgebra;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Core;

/// <summary>The same asserts on every provider that the machine has; MKL is asked for by name and skipped with a message where absent.</summary>
[TestFixture("managed")]
[TestFixture("openblas")]
[TestFixture("mkl")]
[NonParallelizable]
public sealed class DenseTests(string provider)
{
    [OneTimeSetUp]
    public void Choose()
    {
        try
        {
            Dense.Use(provider, threads: 1);
        }
        catch (InputException missing)
        {
            Assert.Ignore(missing.Message);
        }
        TestContext.Progress.WriteLine($"{provider}: {Dense.Provider} {Dense.LibraryPath}");
    }

    [SetUp]
    public void Again() => Dense.Use(provider, threads: 1);

    [OneTimeTearDown]
    public void Restore() => Dense.Use();

    [Test]
    public void ProviderTellsItsName()
    {
        string name = provider switch { "mkl" => "MKL 20", "openblas" => "OpenBLAS 0.", _ => "managed (MathNet.Numerics 5.0.0" };
        Assert.That(Dense.Provider, Does.StartWith(name).And.EndsWith("threads 1)"));
        Assert.That(Dense.LibraryPath, provider == "managed" ? Is.Null : Is.Not.Null);
    }

    [Test]
    public void GemmMatchesTheDefinition([Values] bool transposeA, [Values] bool transposeB, [Values(0.0, 0.7)] double beta)
    {
        const int m = 17, n = 23, k = 31;
        double[] a = Random(m * k, 1), b = Random(k * n, 2), c0 = Random(m * n, 3), c = [.. c0];
        if (beta == 0) Array.Fill(c, double.NaN);
        Dense.Gemm(transposeA, transposeB, m, n, k, 1.3, a, b, beta, c);
        var expected = new double[m * n];
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++)
            {
                double sum = 0;
                for (int l = 0; l < k; l++) sum += (transposeA ? a[l + i * k] : a[i + l * m]) * (transposeB ? b[j + l * n] : b[l + j * k]);
                expected[i + j * m] = 1.3 * sum + (beta == 0 ? 0 : beta * c0[i + j * m]);
            }
        Assert.That(Difference(c, expected), Is.LessThan(1e-14));
    }

    [Test]
    public void GemmKeepsWhatLiesBehindTheMatrix()
    {
        var c = new double[3 * 2 + 4];
        Array.Fill(c, double.NaN);
        Dense.Gemm(false, false, 3, 2, 4, 1, Random(12, 1), Random(8, 2), 0, c);
        Assert.That(c[..6], Has.None.NaN);
        Assert.That(c[6..], Is.All.NaN);
        Assert.That(() => Dense.Gemm(false, false, 3, 2, 4, 1, Random(11, 1), Random(8, 2), 0, c),
            Throws.ArgumentException.With.Message.Contains("length 11, needed 3 × 4"));
    }

    [Test]
    public void EmptyProductsScaleOnly()
    {
        double[] c = [1, 2, 3, 4];
        Dense.Gemm(false, false, 2, 2, 0, 1, [], [], 0.5, c);
        Assert.That(c, Is.EqualTo(new[] { 0.5, 1, 1.5, 2 }));
        Dense.Gemm(false, false, 0, 2, 2, 1, [], [1, 2, 3, 4], 0, []);
        Dense.SymmetricEigen(0, [], []);
        Dense.CholeskyFactor(0, []);
        Dense.Inverse(0, []);
    }

    [Test]
    public void ComplexGemmMatchesTheDefinition([Values] MatrixOp opA, [Values] MatrixOp opB)
    {
        const int m = 7, n = 5, k = 9;
        Complex[] a = RandomComplex(m * k, 1), b = RandomComplex(k * n, 2), c0 = RandomComplex(m * n, 3), c = [.. c0];
        var alpha = new Complex(1.1, -0.4);
        var beta = new Complex(0.3, 0.2);
        Dense.Gemm(opA, opB, m, n, k, alpha, a, b, beta, c);
        for (int j = 0; j < n; j++)
            for (int i = 0; i < m; i++)
            {
                var sum = Complex.Zero;
                for (int l = 0; l < k; l++) sum += Element(opA, a, m, k, i, l) * Element(opB, b, k, n, l, j);
                var expected = alpha * sum + beta * c0[i + j * m];
                Assert.That(Complex.Abs(c[i + j * m] - expected), Is.LessThan(1e-13));
            }
    }

    private static Complex Element(MatrixOp op, Complex[] x, int rows, int columns, int i, int j) => op switch
    {
        MatrixOp.None => x[i + j * rows],
        MatrixOp.Transpose => x[j + i * columns],
        _ => Complex.Conjugate(x[j + i * columns]),
    };

    [Test]
    public void CholeskyRebuildsAndSolves([Values(1, 2, 5, 64, 150)] int n)
    {
        double[] a = PositiveDefinite(n, 7), l = [.. a];
        for (int j = 0; j < n; j++) for (int i = 0; i < j; i++) l[i + j * n] = double.NaN; // the upper triangle is not read
        Dense.CholeskyFactor(n, l);
        for (int j = 0; j < n; j++) for (int i = 0; i < j; i++) Assert.That(l[i + j * n], Is.Zero);
        var back = new double[n * n];
        Dense.Gemm(false, true, n, n, n, 1, l, l, 0, back);
        Assert.That(Difference(back, a), Is.LessThan(1e-14));
        double[] x0 = Random(n * 3, 4), b = new double[n * 3];
        Dense.Gemm(false, false, n, 3, n, 1, a, x0, 0, b);
        Dense.CholeskySolve(n, l, 3, b);
        Assert.That(Difference(b, x0), Is.LessThan(1e-12));
    }

    [Test]
    public void IndefiniteMatricesAreRefused()
    {
        double[] a = PositiveDefinite(20, 3);
        a[12 + 12 * 20] = -1;
        Assert.That(() => Dense.CholeskyFactor(20, [.. a]), Throws.TypeOf<NumericalException>().With.Message.Contains("not positive definite"));
        Assert.That(() => Dense.GeneralizedSymmetricEigen(20, PositiveDefinite(20, 4), [.. a], new double[20]),
            Throws.TypeOf<NumericalException>().With.Message.Contains("matrix B: the matrix of order 20 is not positive definite"));
        a[0] = double.NaN;
        Assert.That(() => Dense.CholeskyFactor(20, [.. a]), Throws.TypeOf<NumericalException>());
        Assert.That(() => Dense.SymmetricEigen(20, [.. a], new double[20]), Throws.TypeOf<NumericalException>().With.Message.Contains("NaN"));
    }

    [Test]
    public void LuSolvesAndInverts([Values(1, 2, 5, 64, 150)] int n)
    {
        double[] a = Random(n * n, 5), kept = [.. a];
        for (int i = 0; i < n; i++) { a[i + i * n] += 0.1 * n; kept[i + i * n] += 0.1 * n; }
        double[] x0 = Random(n * 2, 6), b = new double[n * 2];
        Dense.Gemm(false, false, n, 2, n, 1, a, x0, 0, b);
        Dense.LuSolve(n, a, 2, b);
        Assert.That(Difference(b, x0), Is.LessThan(1e-12));
        Assert.That(a, Is.EqualTo(kept));

        Dense.Inverse(n, a);
        var one = new double[n * n];
        Dense.Gemm(false, false, n, n, n, 1, a, kept, 0, one);
        for (int i = 0; i < n; i++) one[i + i * n] -= 1;
        Assert.That(one.Max(Math.Abs), Is.LessThan(1e-12));
    }

    [Test]
    public void PivotsCountFromZero()
    {
        double[] a = [0, 1, 2, 0]; // columns (0, 1), (2, 0): the rows must be exchanged
        var pivots = new int[2];
        Dense.LuFactor(2, a, pivots);
        Assert.That(pivots, Is.EqualTo(new[] { 1, 1 }));
        double[] b = [4, 3];
        Dense.LuSolve(2, a, pivots, 1, b);
        Assert.That(b, Is.EqualTo(new double[] { 3, 2 }));
    }

    [Test]
    public void SingularMatricesAreRefused()
    {
        double[] exact = [1, 2, 2, 4], rounded = [1, 4, 7, 2, 5, 8, 3, 6, 9];
        Assert.That(() => Dense.LuSolve(2, exact, 1, new double[2]), Throws.TypeOf<NumericalException>().With.Message.Contains("singular"));
        Assert.That(() => Dense.Inverse(3, rounded), Throws.TypeOf<NumericalException>().With.Message.Contains("singular"));
        Assert.That(() => Dense.LuSolve(1, [double.NaN], 1, new double[1]), Throws.TypeOf<NumericalException>());
        // Bad scaling is not singularity.
        double[] scaled = [1, 0, 1, 1e-30];
        double[] b = [2, 1e-30];
        Dense.LuSolve(2, scaled, 1, b);
        Assert.That(b, Is.EqualTo(new double[] { 1, 1 }));
    }

    [Test]
    public void SymmetricEigenSatisfiesItsEquation([Values(1, 2, 3, 10, 60, 150)] int n)
    {
        double[] a = Symmetric(n, 8), v = [.. a];
        var values = new double[n];
        for (int j = 0; j < n; j++) for (int i = 0; i < j; i++) v[i + j * n] = -77; // the upper triangle is not used
        Dense.SymmetricEigen(n, v, values);
        AssertEigen(n, a, null, v, values);
        double[] only = new double[n], copy = [.. a];
        Dense.SymmetricEigenvalues(n, copy, only);
        Assert.That(Difference(only, values), Is.LessThan(1e-12));
    }

    [Test]
    public void EigenvaluesOfTheChainAreKnown()
    {
        // −1 2 −1 chain with fixed ends: λ_k = 2 − 2 cos(kπ/(n+1)).
        const int n = 50;
        double[] a = new double[n * n], values = new double[n];
        for (int i = 0; i < n; i++)
        {
            a[i + i * n] = 2;
            if (i + 1 < n) a[i + 1 + i * n] = -1;
        }
        Dense.SymmetricEigen(n, a, values);
        for (int k = 1; k <= n; k++) Assert.That(values[k - 1], Is.EqualTo(2 - 2 * Math.Cos(k * Math.PI / (n + 1))).Within(1e-13));
    }

    [Test]
    public void GeneralizedEigenSatisfiesItsEquation([Values(1, 2, 3, 10, 60, 150)] int n)
    {
        double[] a = Symmetric(n, 9), b = PositiveDefinite(n, 10), v = [.. a], l = [.. b];
        var values = new double[n];
        for (int j = 0; j < n; j++) for (int i = 0; i < j; i++) (v[i + j * n], l[i + j * n]) = (-77, -77);
        Dense.GeneralizedSymmetricEigen(n, v, l, values);
        AssertEigen(n, a, b, v, values);
        double[] back = new double[n * n];
        Dense.Gemm(false, true, n, n, n, 1, l, l, 0, back);
        Assert.That(Difference(back, b), Is.LessThan(1e-13), "B is overwritten by its factor");
    }

    [Test]
    public void HermitianEigenSatisfiesItsEquation([Values(1, 2, 10, 60)] int n)
    {
        var a = RandomComplex(n * n, 11);
        for (int j = 0; j < n; j++)
        {
            a[j + j * n] = a[j + j * n].Real;
            for (int i = 0; i < j; i++) a[i + j * n] = Complex.Conjugate(a[j + i * n]);
        }
        Complex[] v = [.. a], left = new Complex[n * n];
        var values = new double[n];
        Dense.HermitianEigen(n, v, values);
        Dense.Gemm(MatrixOp.None, MatrixOp.None, n, n, n, 1, a, v, 0, left);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++) Assert.That(Complex.Abs(left[i + k * n] - values[k] * v[i + k * n]), Is.LessThan(1e-12));
        Dense.Gemm(MatrixOp.ConjugateTranspose, MatrixOp.None, n, n, n, 1, v, v, 0, left);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++) Assert.That(Complex.Abs(left[i + k * n] - (i == k ? 1 : 0)), Is.LessThan(1e-12));
        Assert.That(values, Is.Ordered);
    }

    [Test]
    public void GeneralizedHermitianEigenSatisfiesItsEquation([Values(1, 2, 10, 60)] int n)
    {
        Complex[] a = RandomComplex(n * n, 12), g = RandomComplex(n * n, 13), b = new Complex[n * n];
        for (int j = 0; j < n; j++)
        {
            a[j + j * n] = a[j + j * n].Real;
            for (int i = 0; i < j; i++) a[i + j * n] = Complex.Conjugate(a[j + i * n]);
        }
        for (int i = 0; i < n; i++) b[i * (n + 1)] = 1;
        Dense.Gemm(MatrixOp.None, MatrixOp.ConjugateTranspose, n, n, n, 0.1, g, g, 1, b); // 1 + G G†/10
        Complex[] v = [.. a], l = [.. b], left = new Complex[n * n], right = new Complex[n * n];
        for (int j = 0; j < n; j++) for (int i = 0; i < j; i++) (v[i + j * n], l[i + j * n]) = (-77, -77);
        var values = new double[n];
        Dense.GeneralizedHermitianEigen(n, v, l, values);
        Dense.Gemm(MatrixOp.None, MatrixOp.None, n, n, n, 1, a, v, 0, left);
        Dense.Gemm(MatrixOp.None, MatrixOp.None, n, n, n, 1, b, v, 0, right);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++) Assert.That(Complex.Abs(left[i + k * n] - values[k] * right[i + k * n]), Is.LessThan(1e-11));
        Dense.Gemm(MatrixOp.ConjugateTranspose, MatrixOp.None, n, n, n, 1, v, right, 0, left);
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++) Assert.That(Complex.Abs(left[i + k * n] - (i == k ? 1 : 0)), Is.LessThan(1e-12));
        Assert.That(values, Is.Ordered);
    }

    [TestCase(8, 8)]
    [TestCase(12, 5)]
    [TestCase(5, 12)]
    [TestCase(1, 4)]
    public void SvdRebuilds(int m, int n)
    {
        double[] a = Random(m * n, 12), copy = [.. a], s = new double[Math.Min(m, n)], u = new double[m * m], vt = new double[n * n];
        Dense.Svd(m, n, copy, s, u, vt);
        Assert.That(s, Is.Ordered.Descending);
        Assert.That(s, Is.All.GreaterThanOrEqualTo(0));
        double[] sigma = new double[m * n], half = new double[m * n], back = new double[m * n];
        for (int k = 0; k < s.Length; k++) sigma[k + k * m] = s[k];
        Dense.Gemm(false, false, m, n, m, 1, u, sigma, 0, half);
        Dense.Gemm(false, false, m, n, n, 1, half, vt, 0, back);
        Assert.That(Difference(back, a), Is.LessThan(1e-13));
        double[] one = new double[m * m];
        Dense.Gemm(true, false, m, m, m, 1, u, u, 0, one);
        for (int i = 0; i < m; i++) one[i + i * m] -= 1;
        Assert.That(one.Max(Math.Abs), Is.LessThan(1e-13));
    }

    [Test]
    public void AgreesWithManagedCode()
    {
        const int n = 120;
        var mine = Everything(n);
        Dense.Use("managed", threads: 1);
        var reference = Everything(n);
        Assert.Multiple(() =>
        {
            foreach (var (what, expected) in reference)
                Assert.That(Difference(mine[what], expected), Is.LessThan(1e-12), what);
        });
    }

    /// <summary>One result of each kind, made independent of the signs of eigenvectors.</summary>
    private static Dictionary<string, double[]> Everything(int n)
    {
        double[] a = Symmetric(n, 21), b = PositiveDefinite(n, 22), general = Random(n * n, 23);
        for (int i = 0; i < n; i++) general[i + i * n] += n;
        var results = new Dictionary<string, double[]>();

        var product = new double[n * n];
        Dense.Gemm(false, true, n, n, n, 1, a, general, 0, product);
        results["gemm"] = product;

        double[] factor = [.. b];
        Dense.CholeskyFactor(n, factor);
        results["cholesky"] = factor;

        double[] lu = [.. general], x = Random(n, 24);
        var pivots = new int[n];
        Dense.LuFactor(n, lu, pivots);
        results["lu"] = lu;
        results["pivots"] = [.. pivots.Select(p => (double)p)];
        Dense.LuSolve(n, lu, pivots, 1, x);
        results["lu solve"] = x;

        double[] v = [.. a], values = new double[n];
        Dense.SymmetricEigen(n, v, values);
        results["eigenvalues"] = values;
        results["projector"] = Projector(n, v);

        double[] w = [.. a], s = [.. b], generalized = new double[n];
        Dense.GeneralizedSymmetricEigen(n, w, s, generalized);
        results["generalized eigenvalues"] = generalized;
        results["density matrix"] = Projector(n, w);

        double[] singular = new double[n], u = new double[n * n], vt = new double[n * n];
        Dense.Svd(n, n, [.. general], singular, u, vt);
        results["singular values"] = singular;
        return results;
    }

    /// <summary>Σ over the lower half of the spectrum of v vᵀ: what a density matrix is, free of signs.</summary>
    private static double[] Projector(int n, double[] v)
    {
        var p = new double[n * n];
        Dense.Gemm(false, true, n, n, n / 2, 1, v, v, 0, p);
        return p;
    }

    [Test]
    public void ThreadsAreSetAndDoNotChangeTheAnswer()
    {
        const int n = 200;
        double[] a = Random(n * n, 31), one = new double[n * n], two = new double[n * n], again = new double[n * n];
        Dense.Gemm(false, false, n, n, n, 1, a, a, 0, one);
        Dense.Use(provider, threads: 2);
        Assert.That(Dense.Threads, Is.EqualTo(2).Or.EqualTo(1).And.LessThanOrEqualTo(2));
        Assert.That(Dense.Provider, Does.EndWith($"threads {Dense.Threads})"));
        Dense.Gemm(false, false, n, n, n, 1, a, a, 0, two);
        Dense.Gemm(false, false, n, n, n, 1, a, a, 0, again);
        Assert.That(two, Is.EqualTo(again), "same threads, same bits");
        Assert.That(Difference(two, one), Is.LessThan(1e-14));
        Dense.Use(provider, threads: 1);
        Assert.That(Dense.Threads, Is.EqualTo(1));
        Dense.Gemm(false, false, n, n, n, 1, a, a, 0, again);
        Assert.That(again, Is.EqualTo(one), "back to the same bits");
    }

    [Test]
    public void MathNetItselfUsesTheProvider()
    {
        // The interface's own members, as MathNet's matrix types call them.
        const int n = 30;
        var p = LinearAlgebraControl.Provider;
        double[] a = PositiveDefinite(n, 41), inverse = [.. a], product = new double[n * n];
        p.LUInverse(inverse, n);
        p.MatrixMultiply(a, n, n, inverse, n, n, product);
        for (int i = 0; i < n; i++) product[i + i * n] -= 1;
        Assert.That(product.Max(Math.Abs), Is.LessThan(1e-12));

        double[] b = Random(n, 42), x = [.. b], y = [.. b], z = new double[n];
        p.CholeskySolve(a, n, x, 1);
        p.LUSolve(1, a, n, y);
        p.SvdSolve([.. a], n, n, b, 1, z);
        Assert.That(Difference(y, x), Is.LessThan(1e-12));
        Assert.That(Difference(z, x), Is.LessThan(1e-12));

        var vectors = new double[n * n];
        var values = new Complex[n];
        var d = new double[n * n];
        p.EigenDecomp(true, n, a, vectors, values, d);
        AssertEigen(n, a, null, vectors, [.. values.Select(v => v.Real)]);
        Assert.That(d[1 + n], Is.EqualTo(values[1].Real));
        var turn = new Complex[2];
        p.EigenDecomp(false, 2, [0, 1, -1, 0], new double[4], turn, new double[4]); // a rotation by 90°: ±i
        Assert.That(turn.Select(z => z.Imaginary).Order(), Is.EqualTo(new double[] { -1, 1 }).Within(1e-14));
        Assert.That(() => p.CholeskyFactor([1, 2, 2, 1], 2), Throws.InstanceOf<ArgumentException>());
        Assert.That(p.DotProduct(b, b), Is.EqualTo(b.Sum(t => t * t)).Within(1e-12));
    }

    private static void AssertEigen(int n, double[] a, double[]? b, double[] v, double[] values)
    {
        Assert.That(values, Is.Ordered);
        double[] left = new double[n * n], metric = new double[n * n], gram = new double[n * n];
        Dense.Gemm(false, false, n, n, n, 1, a, v, 0, left);
        if (b is null) v.CopyTo(metric, 0);
        else Dense.Gemm(false, false, n, n, n, 1, b, v, 0, metric);
        Dense.Gemm(true, false, n, n, n, 1, v, metric, 0, gram);
        double scale = Math.Max(1, left.Max(Math.Abs));
        for (int k = 0; k < n; k++)
            for (int i = 0; i < n; i++)
            {
                Assert.That(left[i + k * n] - values[k] * metric[i + k * n], Is.EqualTo(0).Within(1e-12 * scale), "A v = λ B v");
                Assert.That(gram[i + k * n], Is.EqualTo(i == k ? 1 : 0).Within(1e-12), "vᵀ B v = 1");
            }
    }

    /// <summary>max |x − y| / max |y|.</summary>
    private static double Difference(double[] x, double[] y)
    {
        double difference = 0, scale = 0;
        for (int i = 0; i < y.Length; i++)
        {
            if (double.IsNaN(x[i])) return double.NaN;
            difference = Math.Max(difference, Math.Abs(x[i] - y[i]));
            scale = Math.Max(scale, Math.Abs(y[i]));
        }
        return scale == 0 ? difference : difference / scale;
    }

    private static double[] Random(int count, long stream)
    {
        var random = new Philox(2026, stream, 0);
        var x = new double[count];
        for (int i = 0; i < count; i++) x[i] = 2 * random.NextDouble() - 1;
        return x;
    }

    private static Complex[] RandomComplex(int count, long stream)
    {
        var x = Random(2 * count, stream);
        return [.. Enumerable.Range(0, count).Select(i => new Complex(x[2 * i], x[2 * i + 1]))];
    }

    private static double[] Symmetric(int n, long stream)
    {
        var a = Random(n * n, stream);
        for (int j = 0; j < n; j++) for (int i = 0; i < j; i++) a[i + j * n] = a[j + i * n];
        return a;
    }

    private static double[] PositiveDefinite(int n, long stream)
    {
        var a = Symmetric(n, stream);
        for (int i = 0; i < n; i++) a[i + i * n] += 2 * Math.Sqrt(n) + 1; // Wigner: |λ| of the random part stays near 2√(n/3)
        return a;
    }
}

/// <summary>Choice of the provider.</summary>
[NonParallelizable]
public sealed class DenseChoiceTests
{
    [TearDown]
    public void Restore() => Dense.Use();

    [Test]
    public void AutomaticChoiceNeverFails()
    {
        Dense.Use("auto", threads: 1);
        Assert.That(Dense.Provider, Does.Match("^(MKL|OpenBLAS|BLAS|managed|Intel)"));
    }

    /// <summary>The facade's product is MKL's own: kernels of MKL are mapped into the process after it, and the bits are those of its dgemm_.</summary>
    [Test]
    public void MklIsReallyCalled()
    {
        try
        {
            Dense.Use("mkl", threads: 1);
        }
        catch (InputException missing)
        {
            Assert.Ignore(missing.Message);
        }
        if (LinearAlgebraControl.Provider is not LapackLinearAlgebraProvider lapack)
        {
            Assert.That(LinearAlgebraControl.Provider.GetType().Name, Is.EqualTo("MklLinearAlgebraProvider"));
            return;
        }
        Assert.That(lapack.Path, Does.Contain("mkl_rt"));
        const int n = 40;
        var random = new Philox(1, 2, 3);
        double[] a = [.. Enumerable.Range(0, n * n).Select(_ => random.NextNormal())], product = new double[n * n], direct = new double[n * n];
        Dense.Gemm(false, false, n, n, n, 1, a, a, 0, product);
        lapack.Gemm(false, false, n, n, n, 1, a, a, 0, direct);
        Assert.That(product, Is.EqualTo(direct));
        if (!OperatingSystem.IsLinux()) return;
        string maps = File.ReadAllText("/proc/self/maps");
        Assert.That(maps, Does.Contain("libmkl_core.so"));
        Assert.That(maps, Does.Not.Contain("libmkl_intel_ilp64").And.Not.Contain("libmkl_gf_ilp64"), "32-bit integers");
        Assert.That(maps, Does.Match(@"libmkl_(def|mc3?|avx|avx2|avx512)\.so"), "the kernels for this processor");
        TestContext.Out.WriteLine(string.Join(' ', maps.Split('\n').Select(line => Path.GetFileName(line)).Where(name => name.Contains("mkl")).Distinct()));
    }

    [Test]
    public void WrongNamesAndMissingFilesAreInputErrors()
    {
        Assert.That(() => Dense.Use("opnblas"), Throws.TypeOf<InputException>().With.Message.Contains("did you mean 'openblas'"));
        Assert.That(() => Dense.Use("/no/such/libblas.so"), Throws.TypeOf<InputException>().With.Message.Contains("/no/such/libblas.so: not found"));
        Assert.That(() => Dense.Use("libm.so.6"), Throws.TypeOf<InputException>().With.Message.Contains("has no symbol"));
    }

    [Test]
    public void EnvironmentOverrides()
    {
        var saved = (Environment.GetEnvironmentVariable("MSHPC_BLAS"), Environment.GetEnvironmentVariable("MathNetNumericsLAProvider"));
        try
        {
            Environment.SetEnvironmentVariable("MSHPC_BLAS", null);
            Environment.SetEnvironmentVariable("MathNetNumericsLAProvider", "Managed");
            Dense.Use();
            Assert.That(Dense.Provider, Does.StartWith("managed"));
            Environment.SetEnvironmentVariable("MSHPC_BLAS", "no-such");
            Assert.That(() => Dense.Use(), Throws.TypeOf<InputException>().With.Message.StartsWith("MSHPC_BLAS=no-such: "));
        }
        finally
        {
            Environment.SetEnvironmentVariable("MSHPC_BLAS", saved.Item1);
            Environment.SetEnvironmentVariable("MathNetNumericsLAProvider", saved.Item2);
        }
    }

    [Test]
    public void ReferenceLapackWorksByPath()
    {
        const string path = "/usr/lib/x86_64-linux-gnu/liblapack.so.3";
        if (!File.Exists(path)) Assert.Ignore("no liblapack.so.3 here");
        Dense.Use(path, threads: 1);
        double[] a = [2, 1, 1, 2], values = new double[2];
        Dense.SymmetricEigen(2, a, values);
        Assert.That(values, Is.EqualTo(new double[] { 1, 3 }).Within(1e-15));
    }
}
