using NUnit.Framework;
using System.Diagnostics;
using System.Text;
using CsCheck;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Tests.Jobs;

/// <summary>Whatever becomes of a job file: it is fine, or it is bad input with sentences; never anything else, never slow.</summary>
[Category("Property")]
public class JobPropertyTests
{
    private static readonly string[] s_words = ["0", "-1", "1e999", ".nan", ".inf", "null", "~", "[]", "{}", "[1, [2]]", "{a: 1}", "true", "'", "\"", "&a", "*a", "!!x 1",
        "99999999999999999999", "1 GPa", "2 parsec", "ä", "\u0000", "\t", ": :", "- -", "? x", "|", ">", "%", "@", "`", "../../etc/passwd", "/dev/zero", "left", "0x10"];

    /// <summary>Changes one place of a text.</summary>
    private static readonly Gen<Func<string, string>> s_mutation = Gen.Select(Gen.Int[0, 7], Gen.Double[0, 1], Gen.Double[0, 1], Gen.Int[0, s_words.Length - 1], Gen.Char, (kind, where, span, word, c) => (Func<string, string>)(text =>
    {
        if (text.Length < 4) return text + s_words[word];
        int at = (int)(where * (text.Length - 1)), length = Math.Min(text.Length - at, 1 + (int)(span * 12));
        string[] lines = text.Split('\n');
        int line = (int)(where * (lines.Length - 1));
        switch (kind)
        {
            case 0: return text[..at] + text[(at + length)..];
            case 1: return text[..at] + s_words[word] + text[at..];
            case 2: return text[..at] + c + text[(at + 1)..];
            case 3: return string.Concat(text.AsSpan(0, at), text.AsSpan(at, length), text.AsSpan(at));
            case 4: lines[line] = ""; return string.Join('\n', lines);
            case 5: lines[line] += "\n" + lines[(line + 1) % lines.Length]; return string.Join('\n', lines);
            case 6: return text[..at];
            default:
                // A value for another one: what stands after a colon.
                int colon = text.IndexOf(": ", at, StringComparison.Ordinal);
                if (colon < 0) return text;
                int end = text.IndexOfAny([',', '}', ']', '\n'], colon + 2);
                return end < 0 ? text : text[..(colon + 2)] + s_words[word] + text[end..];
        }
    }));

    private static readonly string[] s_files = JobKit.ExampleJobs;
    private static readonly string[] s_texts = [.. s_files.Select(File.ReadAllText)];

    [Test]
    public void Mutated_jobs_are_fine_or_bad_input()
    {
        string folder = TestData.Scratch();
        foreach (string mesh in Directory.EnumerateFiles(JobKit.Examples, "*.msh", SearchOption.AllDirectories)) File.Copy(mesh, Path.Combine(folder, Path.GetFileName(mesh)), true);
        int serial = 0;
        Gen.Select(Gen.Int[0, s_texts.Length - 1], s_mutation.Array[1, 4]).Sample((example, mutations) =>
        {
            string text = mutations.Aggregate(s_texts[example], (t, m) => m(t));
            string file = Path.Combine(folder, $"job{Interlocked.Increment(ref serial)}.yaml");
            File.WriteAllText(file, text, new UTF8Encoding(false));
            var clock = Stopwatch.StartNew();
            try { JobFile.Load(file); }
            catch (InputException e)
            {
                foreach (var fault in e.Faults) if (fault.Message.Length == 0) throw new InvalidOperationException("a fault without a sentence");
            }
            finally { File.Delete(file); }
            return clock.Elapsed.TotalSeconds < 20;
        }, iter: 400, threads: 1, print: t => t.ToString()!);
    }

    [Test]
    public void The_program_ends_with_2_or_0_on_mutated_jobs()
    {
        // The same through the door, a few: a process costs half a second.
        string folder = TestData.Scratch(), file = JobKit.Write("", folder);
        Gen.Select(Gen.Int[0, s_texts.Length - 1], s_mutation.Array[1, 3]).Sample((example, mutations) =>
        {
            File.WriteAllText(file, mutations.Aggregate(s_texts[example], (t, m) => m(t)), new UTF8Encoding(false));
            var (code, _, error) = JobKit.Run("validate", file);
            return code is 0 or 2 && !error.Contains("   at ", StringComparison.Ordinal) && (code == 0 || error.Length > 5);
        }, iter: 12, threads: 1);
    }

    [Test]
    public void Mutated_meshes_are_fine_or_bad_input()
    {
        string folder = TestData.Scratch(), file = JobKit.Write(JobKit.Elastic, folder), mesh = Path.Combine(folder, "plate_hole.msh"), text = File.ReadAllText(mesh);
        s_mutation.Array[1, 3].Sample(mutations =>
        {
            File.WriteAllText(mesh, mutations.Aggregate(text, (t, m) => m(t)));
            try { JobFile.Load(file); }
            catch (InputException) { /* bad input is an answer; anything else fails the test */ }
            return true;
        }, iter: 100, threads: 1);
    }
}
