using CsCheck;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Core;

public sealed class SmallMatrixTests
{
    private static readonly Gen<double[]> s_entries = Gen.Double[-1, 1].Array[144];

    [Test]
    public void SolvesEveryOrder() => Gen.Select(Gen.Int[1, 12], Gen.Int[1, 4], s_entries, s_entries).Sample((n, columns, entries, solution) =>
    {
        Span<double> a = stackalloc double[144], b = stackalloc double[48];
        for (int i = 0; i < n * n; i++) a[i] = entries[i];
        for (int i = 0; i < n; i++) a[i * n + i] += n + 1; // dominant, so never singular
        for (int i = 0; i < n; i++)
            for (int j = 0; j < columns; j++)
            {
                double sum = 0;
                for (int k = 0; k < n; k++) sum += a[i * n + k] * solution[k * columns + j];
                b[i * columns + j] = sum;
            }
        if (!SmallMatrix.Solve(n, a, b, columns)) return false;
        for (int i = 0; i < n * columns; i++)
            if (Math.Abs(b[i] - solution[i]) > 1e-12) return false;
        return true;
    });

    [Test]
    public void InverseInPlace()
    {
        double[] a = [0, 2, 0, 1, 0, 0, 0, 0, -4];
        Assert.That(SmallMatrix.Invert(3, a, a), Is.True);
        Assert.That(a, Is.EqualTo(new double[] { 0, 1, 0, 0.5, 0, 0, 0, 0, -0.25 }));
    }

    [Test]
    public void SingularMatricesAreSeenWhateverTheirScale([Values(1e-200, 1e-9, 1.0, 1e150)] double scale)
    {
        double[] magic = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        for (int i = 0; i < 9; i++) magic[i] *= scale;
        Assert.That(SmallMatrix.Invert(3, magic, new double[9]), Is.False);
        double[] graded = [scale, scale, 0, scale * 1e-30]; // determinant tiny, but nothing cancels
        Assert.That(SmallMatrix.Invert(2, graded, new double[4]), Is.True);
        Assert.That(SmallMatrix.Solve(2, [0, 0, 0, 0], [1, 1]), Is.False);
        Assert.That(SmallMatrix.Solve(1, [double.NaN], [1]), Is.False);
    }

    [Test]
    public void NearlySingularIsStillSolved()
    {
        // cos/sin rows at an angle of 1e-10: condition 1e10, well within double precision.
        double[] a = [1, 1, 1, 1 + 1e-10];
        double[] b = [2, 2 + 1e-10];
        Assert.That(SmallMatrix.Solve(2, a, b), Is.True);
        Assert.That(b, Is.EqualTo(new double[] { 1, 1 }).Within(1e-5));
    }

    [Test]
    public void JacobiAgreesWithTheProvider() => Gen.Select(Gen.Int[1, 9], s_entries).Sample((n, entries) =>
    {
        double[] a = new double[n * n], values = new double[n], expected = new double[n];
        for (int i = 0; i < n; i++) for (int j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = entries[i * n + j];
        SmallMatrix.SymmetricEigenvalues(n, a, values);
        Dense.SymmetricEigenvalues(n, [.. a], expected);
        for (int i = 0; i < n; i++)
            if (Math.Abs(values[i] - expected[i]) > 1e-13) return false;
        return true;
    });

    [Test]
    public void JacobiOnSpecialMatrices()
    {
        var values = new double[3];
        SmallMatrix.SymmetricEigenvalues(3, [2, 0, 0, 0, -1, 0, 0, 0, 5], values);
        Assert.That(values, Is.EqualTo(new double[] { -1, 2, 5 }));
        SmallMatrix.SymmetricEigenvalues(3, new double[9], values);
        Assert.That(values, Is.EqualTo(new double[3]));
        SmallMatrix.SymmetricEigenvalues(3, [1, 1, 1, 1, 1, 1, 1, 1, 1], values);
        Assert.That(values, Is.EqualTo(new double[] { 0, 0, 3 }).Within(1e-15));
        SmallMatrix.SymmetricEigenvalues(2, [1, double.NaN, double.NaN, 1], values);
        Assert.That(values[..2], Is.All.NaN);
        Assert.That(() => SmallMatrix.SymmetricEigenvalues(10, new double[100], new double[10]), Throws.ArgumentException);
        Assert.That(() => SmallMatrix.Solve(13, new double[169], new double[13]), Throws.ArgumentException);
    }

    [Test]
    public void NothingIsAllocated()
    {
        double[] a = [4, 1, 0, 1, 3, 1, 0, 1, 2], inverse = new double[9], values = new double[3];
        void Work()
        {
            SmallMatrix.Invert(3, a, inverse);
            SmallMatrix.SymmetricEigenvalues(3, a, values);
        }
        Work();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) Work();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }
}
