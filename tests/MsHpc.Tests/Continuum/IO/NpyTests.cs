using MsHpc.Continuum;
using MsHpc.Continuum.IO;
using MsHpc.Core;
using NUnit.Framework;

namespace MsHpc.Tests;

[TestFixture]
internal sealed class NpyTests
{
    [Test]
    public void EveryTypeAndOrderComesBack([Values] bool fortran, [Values] bool bigEndian)
    {
        string file = Path.Combine(TestData.Scratch(), "x.npy");
        int[] shape = [2, 3, 4];
        void Check<T>(NpyType type, Func<int, T> value, Func<T, double> number) where T : unmanaged
        {
            T[] values = [.. Enumerable.Range(0, 24).Select(value)];
            Npy.Write<T>(file, values, shape, fortran, bigEndian);
            var back = Npy.Read(file);
            Assert.That(back.Type, Is.EqualTo(type));
            Assert.That(back.Shape, Is.EqualTo(shape));
            Assert.That(back.ToDoubles(), Is.EqualTo(values.Select(number)));
        }
        Check(NpyType.Bool, i => i % 3 == 0, b => b ? 1 : 0);
        Check(NpyType.U1, i => (byte)(250 - i), b => b);
        Check(NpyType.I1, i => (sbyte)(i - 12), b => b);
        Check(NpyType.U2, i => (ushort)(65000 + i), b => b);
        Check(NpyType.I2, i => (short)(i - 3000), b => b);
        Check(NpyType.I4, i => i * -1000000, b => b);
        Check(NpyType.I8, i => i * 1000000000000, b => b);
        Check(NpyType.F4, i => i / 3f, b => b);
        Check(NpyType.F8, i => i / 3.0, b => b);
    }

    [Test]
    public void NumPyAgrees([Values] bool fortran)
    {
        Python.RequireModule("numpy");
        string folder = TestData.Scratch(), ours = Path.Combine(folder, "ours.npy"), theirs = Path.Combine(folder, "theirs.npy");
        Npy.Write<int>(ours, [.. Enumerable.Range(0, 24)], [2, 3, 4], fortran, bigEndian: fortran);
        string said = Python.Run("""
            import numpy as np, sys
            a = np.load(sys.argv[1])
            print(a[1, 2, 3], a[0, 1, 0], a.shape, a.flags["F_CONTIGUOUS"])
            b = np.arange(24, dtype=">i2").reshape(2, 3, 4)
            np.save(sys.argv[2], np.asfortranarray(b) if a.flags["F_CONTIGUOUS"] else b)
            """, ours, theirs);
        Assert.That(said.Trim(), Is.EqualTo($"23 4 (2, 3, 4) {fortran}"));
        Assert.That(Npy.Read(theirs).ToInts(), Is.EqualTo(Enumerable.Range(0, 24)));
    }

    [Test]
    public void RawVoxelsAreRead()
    {
        string file = Path.Combine(TestData.Scratch(), "x.raw");
        File.WriteAllBytes(file, [99, 0, 1, 2, 3, 4, 5]);
        var xFastest = Npy.ReadRaw(file, [3, 2], NpyType.U1, fortranOrder: true, skipBytes: 1);
        Assert.That(xFastest.ToInts(), Is.EqualTo(new[] { 0, 3, 1, 4, 2, 5 }));
        Assert.That(Voxels.FromArray(xFastest, 3, 2)[2, 1], Is.EqualTo(5));
        Assert.That(Npy.ReadRaw(file, [3], NpyType.U2, bigEndian: true, skipBytes: 1).ToInts(), Is.EqualTo(new[] { 1, 0x203, 0x405 }));
        Assert.That(() => Npy.ReadRaw(file, [3, 2], NpyType.U1), Throws.InstanceOf<InputException>().With.Message.Contains("does not fit the 7 bytes"));
        Assert.That(() => Npy.ReadRaw(file, [3, -2], NpyType.U1), Throws.InstanceOf<InputException>());
        Assert.That(() => Npy.ReadRaw(file, [int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue], NpyType.F8), Throws.InstanceOf<InputException>());
    }

    [Test]
    public void VoxelsAreSavedAndLoaded()
    {
        string file = Path.Combine(TestData.Scratch(), "x.npy");
        var voxels = Voxels.FromFunction([3, 4, 5], [1, 1, 1], x => (int)(100 * x[0]));
        voxels.Save(file);
        Assert.That(Npy.Read(file).Type, Is.EqualTo(NpyType.U1));
        Assert.That(Voxels.Load(file, 1, 1, 1).Labels, Is.EqualTo(voxels.Labels));
        Assert.That(() => Voxels.Load(file, 1, 1), Throws.InstanceOf<InputException>());
        Npy.Write<double>(file, [1, 2.5], [1, 2]);
        Assert.That(() => Voxels.Load(file, 1, 1), Throws.InstanceOf<InputException>().With.Message.Contains("element 1"));
    }

    [TestCase("'descr': '<f8'", "'descr': '<c16'", "type '<c16'")]
    [TestCase("'descr': '<f8'", "'descr': [('a', '<f8')]", "structured")]
    [TestCase("'descr'", "'escr'", "no 'descr'")]
    [TestCase("False", "Maybe", "fortran_order")]
    [TestCase("(2, 3)", "(2, 4)", "does not fit the 48 bytes")]
    [TestCase("(2, 3)", "(1000000000, 1000000000, 1000000000)", "does not fit the 48 bytes")]
    [TestCase("(2, 3)", "(2, -3)", "'-3'")]
    [TestCase("(2, 3)", "(2, 99999999999)", "'99999999999'")]
    [TestCase("(2, 3)", "[2, 3]", "tuple")]
    [TestCase("(2, 3)", "(2, 3", "tuple|shape")]
    public void FaultsAreNamed(string find, string replace, string what)
    {
        string file = Path.Combine(TestData.Scratch(), "x.npy");
        Npy.Write<double>(file, new double[6], [2, 3]);
        byte[] data = File.ReadAllBytes(file);
        int length = data[8] + 256 * data[9];
        string header = System.Text.Encoding.ASCII.GetString(data, 10, length).Replace(find, replace);
        byte[] changed = [.. data[..8], (byte)header.Length, (byte)(header.Length >> 8), .. System.Text.Encoding.ASCII.GetBytes(header), .. data[(10 + length)..]];
        var error = Assert.Throws<InputException>(() => Npy.Parse(changed, "x.npy"))!;
        Assert.That(error.Message, Does.StartWith("x.npy: byte "));
        Assert.That(error.Message, Does.Match(what.Contains('|') ? what : System.Text.RegularExpressions.Regex.Escape(what)));
    }
}
