using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests.Core;

public sealed class PhiloxTests
{
    /// <summary>Known answers of Random123 (kat_vectors, philox4x32-10).</summary>
    [TestCase(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [TestCase(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [TestCase(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void KnownAnswers(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint w0, uint w1, uint w2, uint w3) =>
        Assert.That(Philox.Block((c0, c1, c2, c3), (k0, k1)), Is.EqualTo((w0, w1, w2, w3)));

    [Test]
    public void StreamsStartFromTheirCounter()
    {
        var zero = new Philox(0, 0, 0);
        Assert.That(zero.NextBits(), Is.EqualTo(0xe169c58d6627e8d5UL));
        Assert.That(zero.NextBits(), Is.EqualTo(0x9b00dbd8bc57ac4cUL));
        var high = new Philox(0x299f31d0a4093822, (0x0370L << 32) | 0x13198a2e, (0x7344L << 32) | 0x85a308d3);
        var (w0, w1, _, _) = Philox.Block((0, 0x85a308d3, 0x13198a2e, 0x03707344), (0xa4093822, 0x299f31d0));
        Assert.That(high.NextBits(), Is.EqualTo(w0 | (ulong)w1 << 32), "all bits of seed, stream and step enter");
    }

    [Test]
    public void SameKeySameNumbersOtherKeyOtherNumbers()
    {
        static double First(ulong seed, long stream, long step) => new Philox(seed, stream, step).NextDouble();
        Assert.That(First(1, 2, 3), Is.EqualTo(First(1, 2, 3)));
        double[] all = [First(1, 2, 3), First(2, 2, 3), First(1, 3, 2), First(1, 3, 3), First(1, 2, 4), First(1, 2, 3 + (1L << 32)), First(1, 2 + (1L << 32), 3)];
        Assert.That(all, Is.Unique);
        Assert.That(() => new Philox(0, -1, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new Philox(0, 0, 1L << 48), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void UniformMoments()
    {
        const int count = 1 << 18;
        var random = new Philox(7, 1, 0);
        double sum = 0, square = 0, least = 1, most = 0;
        for (int i = 0; i < count; i++)
        {
            double x = random.NextDouble();
            sum += x;
            square += x * x;
            (least, most) = (Math.Min(least, x), Math.Max(most, x));
        }
        // Five standard deviations of the mean (1/√12N) and of the second moment (√(4/45)/√N).
        Assert.That(sum / count, Is.EqualTo(0.5).Within(5 / Math.Sqrt(12.0 * count)));
        Assert.That(square / count, Is.EqualTo(1 / 3.0).Within(5 * Math.Sqrt(4 / 45.0 / count)));
        Assert.That(least, Is.InRange(0, 1e-4));
        Assert.That(most, Is.InRange(1 - 1e-4, 1 - 1e-17));
    }

    [Test]
    public void NormalMoments()
    {
        const int count = 1 << 18;
        double m1 = 0, m2 = 0, m3 = 0, m4 = 0, neighbour = 0, last = 0;
        for (int atom = 0; atom < count / 4; atom++) // many short streams, as a thermostat uses them
        {
            var random = new Philox(7, atom, 1000);
            for (int i = 0; i < 4; i++)
            {
                double x = random.NextNormal();
                m1 += x;
                m2 += x * x;
                m3 += x * x * x;
                m4 += x * x * x * x;
                neighbour += x * last;
                last = x;
            }
        }
        // Five standard deviations: variances of x, x², x³, x⁴, x·x' are 1, 2, 15, 96, 1.
        Assert.That(m1 / count, Is.EqualTo(0).Within(5 / Math.Sqrt(count)));
        Assert.That(m2 / count, Is.EqualTo(1).Within(5 * Math.Sqrt(2.0 / count)));
        Assert.That(m3 / count, Is.EqualTo(0).Within(5 * Math.Sqrt(15.0 / count)));
        Assert.That(m4 / count, Is.EqualTo(3).Within(5 * Math.Sqrt(96.0 / count)));
        Assert.That(neighbour / count, Is.EqualTo(0).Within(5 / Math.Sqrt(count)));
    }

    [Test]
    public void IndicesCoverTheirRange()
    {
        var random = new Philox(3, 0, 0);
        var seen = new int[7];
        for (int i = 0; i < 7000; i++) seen[random.NextIndex(7)]++;
        Assert.That(seen, Is.All.InRange(850, 1150)); // 5 σ = 5 √(7000·6/49) = 146
        Assert.That(() => random.NextIndex(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
