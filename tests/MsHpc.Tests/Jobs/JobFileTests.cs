using NUnit.Framework;
using MsHpc.Multiscale.Jobs;

namespace MsHpc.Tests.Jobs;

[Category("Unit")]
public class JobFileTests
{
    [TestCaseSource(typeof(JobKit), nameof(JobKit.ExampleJobs))]
    public void Examples_are_fine(string file) => Assert.That(JobKit.Faults(file), Is.Empty);

    [Test]
    public void Numbers_with_units_arrive_in_the_units_of_the_job()
    {
        string file = JobKit.Write(JobKit.Elastic, TestData.Scratch());
        var job = JobFile.Load(file);
        Assert.Multiple(() =>
        {
            Assert.That(job.Model.Materials["plate"].Parameters["E"], Is.EqualTo(new[] { 210e3 }).Within(1e-9));
            Assert.That(job.Run.Steps, Is.EqualTo(2));
            Assert.That(job.Conditions[2].Displacement[0]!.At(0.5), Is.EqualTo(0.005));
        });
        var si = JobFile.Load(file, ["units=si"]);
        Assert.That(si.Model.Materials["plate"].Parameters["E"][0], Is.EqualTo(210e9));
    }

    [Test]
    public void All_faults_come_at_once_with_their_places_and_the_nearest_word()
    {
        string folder = TestData.Scratch();
        string file = JobKit.Write("""
            schema: mshpc/1
            job: {name: test, type: quasistatic}
            model:
              continuum:
                mesh: plate_hole.msh
                materials: {plate: {elastic: {E: 210 kg, nu2: 0.3, nu: 0.3}}}
                thickness: -1
            boundary_conditions:
              - {on: lefd, ux: 0}
              - {on: right, ux: {rampp: [0, 0.01]}}
              - {on: hole, uz: 0}
            run: {steps: 0, newton: {rtol: many}}
            output: {fields: fields.vtk}
            output: {every: 2}
            extra: 1

            """, folder);
        var faults = JobKit.Faults(file);
        void Has(int line, string text) => Assert.That(faults.Any(f => f.Line == line && f.Message.Contains(text, StringComparison.Ordinal)), Is.True,
            $"line {line}: {text}\namong\n{string.Join('\n', faults)}");
        Assert.Multiple(() =>
        {
            Has(6, "unknown key 'nu2', did you mean 'nu'?");
            Has(6, "pressure");
            Has(7, "out of range");
            Has(9, "no boundary 'lefd', did you mean 'left'?");
            Has(10, "unknown key 'rampp', did you mean 'ramp'?");
            Has(11, "two-dimensional");
            Has(12, "out of range");
            Has(12, "a number is needed");
            Has(13, "ends in .pvd");
            Has(14, "duplicate key 'output', first given in line 13");
            Has(15, "unknown key 'extra'");
            Assert.That(faults.All(f => f.File == file && f.Column > 0));
            Assert.That(faults.Select(f => f.Line), Is.Ordered);
        });
        // The place is the word itself.
        var nu2 = faults.First(f => f.Message.Contains("nu2", StringComparison.Ordinal));
        Assert.That(File.ReadAllLines(file)[nu2.Line - 1][(nu2.Column - 1)..], Does.StartWith("nu2"));
    }

    private static readonly TestCaseData[] s_bad =
    [
        new("", "empty"),
        new("- a list\n", "a job is a map"),
        new("schema: mshpc/2\njob: {name: a, type: quasistatic}\n", "unknown choice 'mshpc/2'"),
        new("a: [1, 2\n", "YAML"),
        new("a: *b\n", "no anchor"),
        new("a: &b [*b]\n", "inside its own anchor"),
        new("a: !!python/object 1\n", "tag"),
        new("---\na: 1\n---\nb: 2\n", "one YAML document"),
        new("a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n", "more than 200000 values"),
        new(new string('[', 500), "levels deep"),
        new("? [a, b]\n: 1\n", "a key is a word"),
    ];

    [TestCaseSource(nameof(s_bad))]
    public void Malformed_files_give_a_sentence(string yaml, string expected)
    {
        string file = Path.Combine(TestData.Scratch(), "job.yaml");
        File.WriteAllText(file, yaml);
        Assert.That(JobKit.Faults(file).Select(f => f.ToString()), Has.Some.Contains(expected));
    }

    [Test]
    public void Files_that_are_no_text_or_far_too_large_are_refused()
    {
        string folder = TestData.Scratch(), file = Path.Combine(folder, "job.yaml");
        File.WriteAllBytes(file, [0x61, 0x3a, 0x20, 0xff, 0xfe]);
        Assert.That(JobKit.Faults(file).Single().Message, Does.Contain("UTF-8"));
        File.WriteAllText(file, "a: '" + new string('x', 5 << 20) + "'");
        Assert.That(JobKit.Faults(file).Single().Message, Does.Contain("too much"));
        Assert.That(JobKit.Faults(folder).Single().Message, Does.Contain("folder"));
        Assert.That(JobKit.Faults(Path.Combine(folder, "none.yaml")).Single().Message, Does.Contain("no such file"));
    }

    [Test]
    public void Settings_replace_add_and_point_at_themselves_when_wrong()
    {
        string file = JobKit.Write(JobKit.Elastic, TestData.Scratch());
        var job = JobFile.Load(file, ["run.steps=7", "boundary_conditions.2.ux=0.5", "output.every=3", "run.newton.rtol=1e-6"]);
        Assert.Multiple(() =>
        {
            Assert.That(job.Run.Steps, Is.EqualTo(7));
            Assert.That(job.Conditions[2].Displacement[0]!.At(0), Is.EqualTo(0.5));
            Assert.That(job.Output.Every, Is.EqualTo(3));
            Assert.That(job.Run.Newton.RelativeTolerance, Is.EqualTo(1e-6));
            Assert.That(JobKit.Faults(file, "run.stepps=7").Single().ToString(), Does.StartWith("--set run.stepps=7").And.Contain("did you mean 'steps'"));
            Assert.That(JobKit.Faults(file, "run.steps").Single().Message, Does.Contain("looks like"));
            Assert.That(JobKit.Faults(file, "boundary_conditions.9.ux=1").Single().Message, Does.Contain("list of 3"));
            Assert.That(JobKit.Faults(file, "job.name.x=1").Single().Message, Does.Contain("no 'x' inside"));
        });
    }

    [Test]
    public void What_does_not_fit_the_mesh_or_the_strain_is_found()
    {
        string file = JobKit.Write(JobKit.Elastic, TestData.Scratch());
        Assert.Multiple(() =>
        {
            Assert.That(JobKit.Faults(file, "model.continuum.mesh=plate_hol.msh").Select(f => f.Message), Has.Some.Contains("did you mean 'plate_hole.msh'"));
            Assert.That(JobKit.Faults(file, "model.continuum.strain=finite").Select(f => f.Message), Has.Some.Contains("no finite-strain form"));
            Assert.That(JobKit.Faults(file, "model.continuum.materials={plat: {elastic: {E: 1, nu: 0}}}").Select(f => f.Message),
                Has.Some.Contains("no region 'plat', did you mean 'plate'").And.Some.Contains("region 'plate' of the mesh has no material"));
            Assert.That(JobKit.Faults(file, "model.continuum.materials.plate.elastic.nu=0.5").Select(f => f.Message), Has.Some.Contains("nu"));
            Assert.That(JobKit.Faults(file, "boundary_conditions.1.on=left", "boundary_conditions.1.ux=1").Select(f => f.Message), Has.Some.Contains("prescribed twice"));
            Assert.That(JobKit.Faults(file, "boundary_conditions.2={on: right}").Select(f => f.Message), Has.Some.Contains("prescribes nothing"));
            Assert.That(JobKit.Faults(file, "boundary_conditions.2={on: right, traction: [1, 2, 3]}").Select(f => f.Message), Has.Some.Contains("3 components"));
        });
    }

    [Test]
    public void The_hash_follows_what_decides_the_result_and_nothing_else()
    {
        string folder = TestData.Scratch(), file = JobKit.Write(JobKit.Elastic, folder);
        string hash = JobFile.Load(file).Hash;
        Assert.Multiple(() =>
        {
            Assert.That(JobFile.Load(file, ["output.every=5"]).Hash, Is.EqualTo(hash));
            Assert.That(JobFile.Load(file, ["run.steps=3"]).Hash, Is.Not.EqualTo(hash));
        });
        File.WriteAllText(file, "# a comment\n" + JobKit.Elastic.Replace("{steps: 2}", "{ steps:   2 }"));
        Assert.That(JobFile.Load(file).Hash, Is.EqualTo(hash));
        File.AppendAllText(Path.Combine(folder, "plate_hole.msh"), "\n");
        Assert.That(JobFile.Load(file).Hash, Is.Not.EqualTo(hash));
    }
}
