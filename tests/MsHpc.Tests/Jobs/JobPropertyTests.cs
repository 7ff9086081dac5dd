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

    private const string Head = "schema: mshpc/1\njob: {name: test, type: TYPE}\n";

    /// <summary>Small jobs of every type, with a file of atoms: each runs in a moment.</summary>
    private static readonly string[] s_atoms =
    [
        Head.Replace("TYPE", "md", StringComparison.Ordinal) + """
            system:
              file: a.extxyz
              temperature: 60 K
            groups: {first: {ids: [1-4]}, left: {box: {x: [-1 Å, 3 Å]}}}
            model: [{lennard_jones: {epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 6 Å, truncation: force_shifted}}, {wall: {harmonic: {normal: [0, 0, 1], offset: -3, stiffness: 1, cutoff: 3.5, group: left}}}]
            run: {timestep: 5 fs, steps: 12, ensemble: {langevin: {temperature: 60 K, friction: 0.01 1/fs}}, fixed: [first], skin: 1 Å}
            output: {thermo: 3, trajectory: {file: t.h5, every: 4}, checkpoint: {every: 4}, analysis: [{rdf: {range: 4, every: 5, bins: 20}}, {dos: {every: 2}}, {coordination: {cutoff: 4.5, every: 3}}]}

            """,
        Head.Replace("TYPE", "md", StringComparison.Ordinal) + """
            system: {water: {model: spce, molecules: [2, 2, 2], density: 0.9 g/cm^3}, temperature: 300 K}
            model: {water: {model: spce, cutoff: 4 Å, accuracy: 1e-4, precision: mixed}}
            run: {timestep: 1 fs, steps: 6, ensemble: {npt: {temperature: 300 K, time: 100 fs, pressure: 0 GPa, pressure_time: 1 ps}}}

            """,
        Head.Replace("TYPE", "minimize", StringComparison.Ordinal) + """
            system: {crystal: {structure: fcc, element: Cu, a: 3.6 Å, cells: [2, 2, 2], vacuum: 5 Å, remove: [3]}}
            model: zhou2004
            run: {minimizer: lbfgs, fmax: 0.01 eV/Å, max_steps: 50}

            """,
        Head.Replace("TYPE", "elastic", StringComparison.Ordinal) + """
            system: {crystal: {structure: diamond, element: Si, a: 5.43 Å, primitive: true}}
            model: {stillinger_weber: {precision: double}}
            run: {relax: true, strain: 1e-3}

            """,
        Head.Replace("TYPE", "phonon", StringComparison.Ordinal) + """
            system: {crystal: {structure: diamond, element: Si, a: 5.43 Å, primitive: true}}
            model: stillinger_weber
            run: {supercell: [2, 2, 2], points: {G: [0, 0, 0], X: [0.5, 0, 0.5]}, path: [G, X], dos_mesh: 3, resolution: 10, displacement: 0.01 Å}

            """,
        Head.Replace("TYPE", "energy", StringComparison.Ordinal) + """
            system: {file: a.extxyz, charges: {Ar: 0}, repeat: [1, 2, 1]}
            model: {lennard_jones: {pairs: [{of: [Ar, Ar], epsilon: 0.0103 eV, sigma: 3.405 Å, cutoff: 8 Å}], precision: mixed}}
            output: {structure: final.dump}

            """,
    ];

    private const string ArgonFile = """
        8
        Lattice="8 0 0 1 8 0 0 0.5 8" Properties=species:S:1:pos:R:3:vel:R:3 pbc="T T T"
        Ar 0 0 0 0.001 0 0
        Ar 4 0 0 0 0.001 0
        Ar 0 4 0 0 0 0.001
        Ar 4 4 0 -0.001 0 0
        Ar 0 0 4 0 0 0
        Ar 4 0 4 0 0 0
        Ar 0 4 4 0 0 0
        Ar 4 4 4 0 0 0

        """;

    // Not read only but run: a result, or a sentence with its exit code; never another exception, never a hang. A run that became long is asked to stop.
    [Test]
    public void Mutated_jobs_on_atoms_run_or_end_with_a_sentence()
    {
        string folder = TestData.Scratch(), file = Path.Combine(folder, "job.yaml"), atoms = Path.Combine(folder, "a.extxyz"), results = Path.Combine(folder, "results");
        int ran = 0;
        Gen.Select(Gen.Int[0, s_atoms.Length - 1], s_mutation.Array[0, 2], s_mutation.Array[0, 2], Gen.Bool).Sample((example, inJob, inFile, hit) =>
        {
            File.WriteAllText(file, inJob.Aggregate(s_atoms[example], (t, m) => m(t)), new UTF8Encoding(false));
            File.WriteAllText(atoms, hit ? inFile.Aggregate(ArgonFile, (t, m) => m(t)) : ArgonFile, new UTF8Encoding(false));
            if (Directory.Exists(results)) Directory.Delete(results, recursive: true);
            var clock = Stopwatch.StartNew();
            var stop = new StopRequest();
            using var timer = new Timer(_ => stop.Ask("long enough"), null, 2000, Timeout.Infinite);
            try
            {
                JobRunner.Run(JobFile.Load(file), new RunOptions(results, null, 1, Comm.Self, null), new Recorder(), stop);
                ran++;
            }
            catch (MsHpcException e) when (e.ExitCode is 2 or 3 or 4 && e.Message.Length > 10) { /* an answer */ }
            return clock.Elapsed.TotalSeconds < 10;
        }, iter: 300, threads: 1, print: t => $"{t.Item2.Aggregate(s_atoms[t.Item1], (x, m) => m(x))}\n{(t.Item4 ? t.Item3.Aggregate(ArgonFile, (x, m) => m(x)) : "")}");
        Assert.That(ran, Is.GreaterThan(30), "some mutations do no harm");
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
