using System.Globalization;
using MsHpc.Atomistics;
using MsHpc.Atomistics.Dynamics;
using MsHpc.Atomistics.Neighbors;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>What a job on atoms would compute, without computing it.</summary>
internal static class AtomPlan
{
    public static IEnumerable<string> Describe(Job job, int threads, int ranks)
    {
        var task = job.Atoms!;
        var atoms = task.MakeAtoms(job.Seed);
        var acting = task.MakeModel(atoms);
        var field = acting.ForceField;
        var invariant = CultureInfo.InvariantCulture;
        double mass = atoms.Types.Sum(t => atoms.Species[t].Mass), volume = atoms.Cell.Volume;
        bool periodic = atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2];
        yield return $"atoms: {task.System.Description}: {AtomEngine.Formula(atoms)}, {atoms.Count} atoms, {string.Join(", ", atoms.Species.Select(s => $"{s.Symbol} {s.Mass.ToString("G6", invariant)} u"))}";
        yield return string.Create(invariant, $"cell: volume {volume:G6} Å³, {(periodic ? "periodic" : atoms.Cell.IsPeriodic ? "periodic in some directions" : "not periodic")}, {atoms.Count / volume:G4} atoms/Å³, {mass * Codata.AtomicMass * 1e27 / volume:G5} g/cm³");
        foreach (string model in field.Interactions.Select(i => i.Description).Distinct()) yield return $"model: {model}";
        double memory = 1000.0 * atoms.Count;
        if (field.Reach > 0)
        {
            double skin = task.Run.Skin;
            var (within, listed) = Neighbours(atoms, field.Reach, skin);
            memory += atoms.Count * (listed * 4.0 + 400);
            yield return string.Create(invariant, $"neighbours: {within:F1} within {field.Reach:G4} Å of an atom, {listed:F1} with the skin of {skin:G3} Å");
            double narrow = Enumerable.Range(0, 3).Where(d => atoms.Cell.Periodic[d]).Select(d => atoms.Cell.Spacing[d]).DefaultIfEmpty(double.PositiveInfinity).Min();
            if (narrow < 2 * field.Reach) yield return string.Create(invariant, $"cell: narrower ({narrow:G4} Å) than twice the cutoff: atoms meet several images of each other, which is handled");
        }
        var run = task.Run;
        if (run.Ensemble is { } ensemble)
        {
            foreach (var group in task.Groups) yield return $"group {group.Name}: {atoms.Groups[group.Name].Length} atoms";
            if (atoms.Topology is { Constraints.Count: > 0 } held) yield return $"run: {held.Constraints.Count} distances are held fixed";
            yield return string.Create(invariant, $"run: {run.Steps} steps of {run.TimeStep:G4} fs = {run.Steps * run.TimeStep / 1000:G5} ps, {ensemble.Name}");
            foreach (string line in Hierarchy(task, acting, job.Seed)) yield return line;
            foreach (var analysis in AtomAnalyses.Make(task.Output, atoms, run))
            {
                memory += analysis.State.Sum(a => 8.0 * a.Length);
                yield return $"output: {analysis.File}: {analysis.What}, {Math.Max(0, (run.Steps - analysis.Choice.From) / analysis.Choice.Every)} samples";
            }
            if (task.Output.Trajectory is { } name)
            {
                double frames = 1 + run.Steps / task.Output.TrajectoryEvery, bytes = frames * atoms.Count * (name.EndsWith(".h5", StringComparison.Ordinal) || name.EndsWith(".h5md", StringComparison.Ordinal) ? 48 : 125);
                yield return $"output: {frames.ToString("F0", invariant)} frames in {name}, about {JobPlan.Size(bytes)}";
            }
        }
        if (run.Elastic is not null) yield return $"run: about {(6 + 3 * atoms.Count) * 4} force calculations for the derivatives, half as many for each step of a relaxation";
        if (run.Phonon is { } phonon)
        {
            int copies = phonon.Supercell[0] * phonon.Supercell[1] * phonon.Supercell[2];
            yield return $"run: {6 * atoms.Count} force calculations on {copies * atoms.Count} atoms, {3 * atoms.Count} bands";
            if (Narrow(atoms, phonon, field.Reach) is { } warning) yield return "run: " + warning;
            memory *= copies;
        }
        yield return $"memory: about {JobPlan.Size(memory)} in all, of {JobPlan.Size(Machine.MemoryLimit)} here{(memory > Machine.MemoryLimit ? ": more than this machine has" : "")}";
    }

    /// <summary>What is wrong with a supercell in which an atom meets two images of another; null when it is wide enough.</summary>
    public static string? Narrow(Atoms atoms, PhononChoice phonon, double reach)
    {
        double width = Enumerable.Range(0, 3).Min(d => atoms.Cell.Spacing[d] * phonon.Supercell[d]);
        return width >= 2 * reach ? null
            : string.Create(CultureInfo.InvariantCulture, $"the supercell is {width:G4} Å wide, twice the reach of the forces {2 * reach:G4} Å: force constants of images overlap and frequencies away from Γ are wrong, take a larger one");
    }

    /// <summary>Levels of multiple time stepping, with what its guard finds at the atoms as they are; a step that it refuses is an input error.</summary>
    private static IEnumerable<string> Hierarchy(AtomJob task, AtomModel model, int seed)
    {
        if (task.Run.Ensemble!.Name != "rrespa") return [];
        var md = new MolecularDynamics(model.Atoms, model.ForceField, task.Run.Ensemble.Make(model), task.MakeOptions(model, seed));
        return Levels(md, task.Run.Ensemble);
    }

    /// <summary>Has the guard of multiple time stepping look at the atoms; its refusals stand at the ensemble's place in the job file.</summary>
    public static IReadOnlyList<string> Levels(MolecularDynamics md, EnsembleChoice ensemble)
    {
        if (md.Integrator is not Respa respa) return [];
        try { md.Run(0); }
        catch (InputException e) { throw new InputException([.. e.Faults.Select(f => f.File is null ? ensemble.At(f.Message) : f)]); }
        return [.. respa.Hierarchy.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.TrimEnd())];
    }

    /// <summary>Neighbours of an atom on average, within the reach and within reach and skin, counted.</summary>
    private static unsafe (double Within, double Listed) Neighbours(Atoms atoms, double reach, double skin)
    {
        var domain = new Domain(atoms, reach, skin, ListKind.Full);
        long within = 0, listed = 0;
        double* x = domain.X;
        for (int i = 0; i < domain.OwnedSlots; i++)
        {
            if (domain.Tag[i] < 0) continue;
            int a = i / 8 * 24 + i % 8;
            for (int k = domain.Full.Start[i]; k < domain.Full.Start[i + 1]; k++)
            {
                int j = domain.Full.Index[k];
                if (domain.Tag[j] < 0) continue;
                int b = j / 8 * 24 + j % 8;
                double dx = x[b] - x[a], dy = x[b + 8] - x[a + 8], dz = x[b + 16] - x[a + 16];
                listed++;
                if (dx * dx + dy * dy + dz * dz < reach * reach) within++;
            }
        }
        return ((double)within / Math.Max(1, atoms.Count), (double)listed / Math.Max(1, atoms.Count));
    }
}
