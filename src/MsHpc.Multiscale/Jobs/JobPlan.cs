using System.Globalization;
using MsHpc.Continuum;
using MsHpc.Continuum.Elements;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.IO;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>What a job would solve, without solving it.</summary>
public static class JobPlan
{
    /// <summary>Sizes, memory and the separation of scales, line by line.</summary>
    /// <param name="job">The job.</param>
    /// <param name="ranks">Ranks it would run on.</param>
    /// <param name="threads">Threads per rank.</param>
    public static IReadOnlyList<string> Describe(Job job, int ranks, int threads)
    {
        var lines = new List<string>
        {
            $"job '{job.Name}' ({job.Type.ToString().ToLowerInvariant()}), units {job.UnitSystem}, {ranks} rank{(ranks == 1 ? "" : "s")} × {threads} thread{(threads == 1 ? "" : "s")}",
        };
        if (job.Atoms is not null) return [.. lines, .. AtomPlan.Describe(job, threads, ranks)];
        double memory = 0;
        Continuum.Mesh? macro = null;
        int points = 0;
        if (job.Model.MeshFile is { } file)
        {
            macro = GmshReader.Read(file);
            var space = JobModels.Space(macro.Dimension, job.Model.Finite);
            int n = space.Components(), dim = macro.Dimension, state = 0;
            foreach (var block in macro.Cells)
            {
                int inBlock = block.Count * ReferenceElement.Get(block.Type, QuadratureRule.Full).Points;
                points += inBlock;
                if (job.Model.Materials.TryGetValue(block.Region, out var choice))
                    state += inBlock * JobModels.Law(choice, space, job.Model.PlaneStress).StateSize;
            }
            int unknowns = macro.NodeCount * dim;
            // Strain, stress, tangent, two states per point; about 30 fields per node; rows of a direct factor grow like n log n (2D) or n^(4/3) (3D).
            double factor = job.Run.Integrator?.Kind == "explicit" ? 0 : 8 * (dim == 2 ? 12.0 * unknowns * Math.Log2(Math.Max(2, unknowns)) : 30 * Math.Pow(unknowns, 4.0 / 3));
            double needed = 8.0 * (points * (4 * n + n * n) + 2.0 * state + 30.0 * unknowns) + factor;
            memory += needed;
            lines.Add($"macro: {Path.GetFileName(file)}, {macro.CellCount} elements, {macro.NodeCount} nodes, {unknowns} displacement components, {points} integration points, about {Size(needed)}");
        }
        if (job.Model.Micro is { } micro)
        {
            var rve = JobModels.Rve(micro, job.Seed, job.Model.PlaneStress);
            var (nonzeros, flops) = rve.FactorCost;
            if (macro is null)
            {
                double needed = 8.0 * (2.0 * rve.StateSize + 2.0 * nonzeros + 30.0 * rve.Unknowns);
                memory += needed;
                lines.Add($"volume: {rve.Mesh.CellCount} elements, {rve.Unknowns} unknowns, {rve.Points} integration points, about {Size(needed)}");
            }
            else
            {
                int copies = macro.Cells.Where(c => !job.Model.Materials.ContainsKey(c.Region)).Sum(c => c.Count * ReferenceElement.Get(c.Type, QuadratureRule.Full).Points);
                double states = 2.0 * 8 * rve.StateSize * copies, scratch = 8.0 * Lane4.Width * (2.0 * nonzeros + 10.0 * rve.StateSize) * threads * ranks;
                memory += states + scratch;
                lines.Add($"micro: {copies} representative volumes of {rve.Mesh.CellCount} elements, {rve.Unknowns} unknowns and {rve.Points} points each: {(double)copies * rve.Unknowns:0.0e+00} micro unknowns in all");
                lines.Add($"micro memory: states {Size(states)} ({Size(8.0 * rve.StateSize)} per volume, old and new), solvers {Size(scratch)}");
                lines.Add($"micro work: {flops * copies / 1e9:F1} GFlop of factorizations per macro iteration");
                lines.AddRange(Scales(rve, macro));
            }
        }
        string steps = job.Run.Steps > 0 ? $"{job.Run.Steps} steps" : "steps as the stable time step asks";
        lines.Add($"run: {steps} to time {Numbers.Text(job.Run.EndTime)}");
        long limit = Machine.MemoryLimit;
        lines.Add($"memory: about {Size(memory)} in all, of {Size(limit)} here{(memory > limit ? ": more than this machine has" : "")}");
        return lines;
    }

    /// <summary>ε = ℓ/L with the sentence that says what follows from it.</summary>
    private static IEnumerable<string> Scales(RveModel rve, Continuum.Mesh macro)
    {
        double micro = rve.Size.Max(), smallest = double.PositiveInfinity;
        int dim = macro.Dimension;
        double[] low = [.. Enumerable.Repeat(double.PositiveInfinity, dim)], high = [.. Enumerable.Repeat(double.NegativeInfinity, dim)];
        for (int k = 0; k < macro.Coordinates.Length; k++)
        {
            low[k % dim] = Math.Min(low[k % dim], macro.Coordinates[k]);
            high[k % dim] = Math.Max(high[k % dim], macro.Coordinates[k]);
        }
        foreach (var block in macro.Cells)
            for (int e = 0; e < block.Count; e++)
                foreach (var (a, b) in block.Type.Edges())
                {
                    double square = 0;
                    int i = block.Nodes(e)[a], j = block.Nodes(e)[b];
                    for (int d = 0; d < dim; d++) square += Math.Pow(macro.Coordinates[i * dim + d] - macro.Coordinates[j * dim + d], 2);
                    smallest = Math.Min(smallest, Math.Sqrt(square));
                }
        double extent = high.Zip(low, (h, l) => h - l).Min(), epsilon = micro / extent;
        yield return $"scales: ε = ℓ/L = {Numbers.Short(micro)}/{Numbers.Short(extent)} = {Numbers.Short(epsilon)} (ℓ: edge of the representative volume, L: smallest extent of the body); " + (epsilon switch
        {
            <= 0.02 => "the scales are well separated, first-order homogenization holds",
            <= 0.1 => "the scales are separated, expect errors of the order of ε where the macro fields vary quickly",
            < 1 => "the scales are hardly separated: first-order homogenization neglects the variation of the macro strain over the volume, which is not small here",
            _ => "the representative volume is larger than the body: this is no homogenization",
        });
        if (micro > smallest)
            yield return $"scales: the representative volume is larger than the smallest macro element ({Numbers.Short(smallest)}): the mesh resolves gradients that the volume cannot see; read results there as those of a point model";
    }

    internal static string Size(double bytes) => bytes switch
    {
        < 1e4 => $"{bytes:F0} B",
        < 1e6 => (bytes / 1024).ToString("F1", CultureInfo.InvariantCulture) + " KiB",
        < 1e9 => (bytes / 1048576).ToString("F1", CultureInfo.InvariantCulture) + " MiB",
        _ => (bytes / 1073741824).ToString("F1", CultureInfo.InvariantCulture) + " GiB",
    };
}
