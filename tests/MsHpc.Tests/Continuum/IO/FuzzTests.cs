using System.Diagnostics;
using System.Text;
using CsCheck;
using MsHpc.Continuum;
using MsHpc.Continuum.IO;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

/// <summary>Damaged files give an <see cref="InputException"/> or a mesh, quickly, and without large allocations.</summary>
[TestFixture]
internal sealed class FuzzTests
{
    private const string Seed = "0000KDXOb2U4"; // fixed, so that a failure comes back

    private static readonly byte[][] s_meshes = [.. new[] { "tri3.msh", "tri3.bin.msh", "quad8.msh", "quad8.bin.msh", "hex8.msh", "hex8.bin.msh", "partitioned.msh" }
        .Select(f => File.ReadAllBytes(TestData.File("mesh/" + f)))];

    private static readonly byte[] s_fills = [0, 0x7f, 0xff];

    private static readonly string[] s_numbers = ["1000000000000", "-1", "0", "2147483648", "9223372036854775807", "99999999999999999999", "nan", "1e400", "-2147483648", "4.5", ""];

    /// <summary>Changes of one file: cut, flipped bytes, bytes of 255 over a field, another number in place of one.</summary>
    private static Gen<byte[]> Damage(byte[] file) => Gen.OneOf(
        Gen.Int[0, file.Length - 1].Select(n => file[..n]),
        Gen.Select(Gen.Int[0, file.Length - 1], Gen.Byte).Array[1, 8].Select(flips =>
        {
            byte[] copy = [.. file];
            foreach (var (at, value) in flips) copy[at] = value;
            return copy;
        }),
        Gen.Select(Gen.Int[0, file.Length - 8], Gen.Int[0, s_fills.Length - 1]).Select((at, value) =>
        {
            byte[] copy = [.. file];
            copy.AsSpan(at, 8).Fill(s_fills[value]);
            return copy;
        }),
        Gen.Select(Gen.Int[0, file.Length - 1], Gen.Int[0, s_numbers.Length - 1]).Select((at, number) =>
        {
            int start = at, end = at;
            while (start > 0 && file[start - 1] > ' ') start--;
            while (end < file.Length && file[end] > ' ') end++;
            return (byte[])[.. file[..start], .. Encoding.ASCII.GetBytes(s_numbers[number]), .. file[end..]];
        }),
        Gen.Select(Gen.Int[0, file.Length - 1], Gen.Int[0, file.Length - 1]).Select((a, b) => (byte[])[.. file[..a], .. file[b..]]));

    [Test]
    public void DamagedMeshesAreRefusedOrRead() =>
        Run(Gen.Int[0, s_meshes.Length - 1].SelectMany(i => Damage(s_meshes[i])), data =>
        {
            var mesh = GmshReader.Parse(data, "x.msh", []);
            Assert.That(mesh.Cells.All(c => c.Connectivity.All(n => n >= 0 && n < mesh.NodeCount)));
            Assert.That(mesh.Boundaries.Values.SelectMany(b => b).All(c => c.Connectivity.All(n => n >= 0 && n < mesh.NodeCount)));
        });

    [Test]
    public void DamagedArraysAreRefusedOrRead()
    {
        string folder = TestData.Scratch();
        Npy.Write<short>(Path.Combine(folder, "a"), new short[60], [3, 4, 5]);
        Npy.Write<double>(Path.Combine(folder, "b"), new double[12], [3, 4], fortranOrder: true, bigEndian: true);
        byte[][] files = [File.ReadAllBytes(Path.Combine(folder, "a")), File.ReadAllBytes(Path.Combine(folder, "b"))];
        Run(Gen.Int[0, 1].SelectMany(i => Gen.OneOf(Damage(files[i]), Damage(files[i][..128]).Select(head => (byte[])[.. head, .. files[i][128..]]))), data =>
        {
            var array = Npy.Parse(data, "x.npy");
            Assert.That(array.ToDoubles(), Has.Length.EqualTo(array.Count));
            array.ToInts();
        });
    }

    private static void Run(Gen<byte[]> files, Action<byte[]> read) => files.Sample(data =>
    {
        var watch = Stopwatch.StartNew();
        long before = GC.GetAllocatedBytesForCurrentThread();
        try { read(data); }
        catch (InputException e) { Assert.That(e.Message, Does.StartWith("x.")); }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(20_000_000));
        Assert.That(watch.Elapsed.TotalSeconds, Is.LessThan(5));
    }, seed: Seed, iter: 400, threads: 1);
}
