using NUnit.Framework;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Tests.Jobs;

[Category("Unit")]
public class CheckpointTests
{
    private sealed class State(double first) : ICheckpointed
    {
        public double[] A { get; } = [first, double.NaN, -0.0, double.Epsilon];
        public double[] Empty { get; } = [];
        public double[] B { get; } = [.. Enumerable.Range(0, 1000).Select(i => first * i)];
        public IEnumerable<(string Name, Memory<double> Data)> StateArrays => [("a", A), ("empty", Empty), ("state/region/Quad4", B)];
    }

    private static CheckpointStore Store(string folder, string hash = "h", int keep = 2) => new(folder, new JobSettings([("run.steps", hash)]), keep, Comm.Self);

    [Test]
    public void Comes_back_bit_for_bit()
    {
        string folder = TestData.Scratch(), notes = new('ä', 100_000);
        var state = new State(1.0 / 3);
        Store(folder).Save(12, 0.1, state, notes);
        var other = new State(0);
        var info = Store(folder).Restore("latest", other, Assert.Fail);
        Assert.Multiple(() =>
        {
            Assert.That(info with { File = "" }, Is.EqualTo(new CheckpointInfo("", 12, 0.1, notes, info.Changes)));
            Assert.That(info.Changes, Is.Empty);
            Assert.That(other.A.Select(BitConverter.DoubleToInt64Bits), Is.EqualTo(state.A.Select(BitConverter.DoubleToInt64Bits)));
            Assert.That(other.B, Is.EqualTo(state.B));
        });
    }

    [Test]
    public void Keeps_the_last_ones_and_no_temporary_files()
    {
        string folder = TestData.Scratch();
        var store = Store(folder);
        for (int step = 1; step <= 5; step++) store.Save(step, step, new State(step), "");
        Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName).Order(), Is.EqualTo(new[] { "checkpoint-000004.h5", "checkpoint-000005.h5" }));
    }

    [Test]
    public void A_damaged_one_is_passed_over_with_a_warning([Values("cut", "flip", "empty", "text")] string damage)
    {
        string folder = TestData.Scratch();
        var store = Store(folder);
        store.Save(1, 1, new State(1), "one");
        store.Save(2, 2, new State(2), "two");
        string newest = Path.Combine(folder, "checkpoint-000002.h5");
        byte[] bytes = File.ReadAllBytes(newest);
        // The last kilobytes are numbers: a flipped bit there leaves the file readable.
        int at = bytes.AsSpan().LastIndexOf(BitConverter.GetBytes(2.0 * 500));
        Assert.That(at, Is.GreaterThan(0));
        File.WriteAllBytes(newest, damage switch
        {
            "cut" => bytes[..(bytes.Length / 2)],
            "flip" => [.. bytes[..at], (byte)(bytes[at] ^ 1), .. bytes[(at + 1)..]],
            "empty" => [],
            _ => "not HDF5 at all"u8.ToArray(),
        });
        var warnings = new List<string>();
        var state = new State(0);
        var info = store.Restore("latest", state, warnings.Add);
        Assert.Multiple(() =>
        {
            Assert.That(info.Step, Is.EqualTo(1));
            Assert.That(state.B[1], Is.EqualTo(1));
            Assert.That(warnings, Has.Count.EqualTo(1).And.Some.Contains("damaged"));
        });
        Assert.That(() => store.Restore(newest, state, warnings.Add), Throws.TypeOf<InputException>().With.Message.Contains("damaged"));
    }

    [Test]
    public void Any_damage_anywhere_is_noticed_or_harmless()
    {
        string folder = TestData.Scratch();
        Store(folder).Save(1, 1, new State(7), "notes");
        string file = Path.Combine(folder, "checkpoint-000001.h5");
        byte[] good = File.ReadAllBytes(file);
        var reference = new State(7);
        for (int k = 0; k < 150; k++)
        {
            byte[] bad = (byte[])good.Clone();
            bad[(int)((long)good.Length * k / 150)] ^= (byte)(1 << k % 8);
            File.WriteAllBytes(file, bad);
            var state = new State(0);
            try
            {
                Store(folder).Restore("latest", state, _ => { });
                Assert.That(state.B, Is.EqualTo(reference.B), $"byte {(long)good.Length * k / 150}");
            }
            catch (InputException) { Assert.That(state.B, Is.EqualTo(new State(0).B)); }
        }
    }

    [Test]
    public void Another_job_and_an_empty_folder_are_refused()
    {
        string folder = TestData.Scratch();
        Assert.That(() => Store(folder).Restore("latest", new State(0), _ => { }), Throws.TypeOf<InputException>().With.Message.Contains("no checkpoint"));
        Store(folder, "one").Save(1, 1, new State(1), "");
        Assert.That(() => Store(folder, "two").Restore("latest", new State(0), _ => { }), Throws.TypeOf<InputException>().With.Message.Contains("another job: 'run.steps' was one and is two now"));
    }
}
