using MsHpc.Continuum;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.IO;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;
using MsHpc.Multiscale.Fe2;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Makes the engine of a job from its parts.</summary>
internal static class JobEngines
{
    /// <summary>The engine that a job asks for. Collective.</summary>
    public static JobEngine Create(Job job, Comm comm, ThreadTeam team) => (job.Type, job.Run.Integrator?.Kind) switch
    {
        (JobType.Homogenize, _) => new HomogenizeEngine(job, comm, team),
        (JobType.Md, _) => new MdEngine(job, comm, team),
        (JobType.Minimize, _) => new MinimizeEngine(job, comm, team),
        (JobType.Energy, _) => new EnergyEngine(job, comm, team),
        (JobType.Elastic, _) => new ElasticEngine(job, comm),
        (JobType.Phonon, _) => new PhononEngine(job, comm),
        (JobType.Dynamics, "explicit") => new ExplicitEngine(job, comm, team),
        (JobType.Dynamics, _) => new ImplicitEngine(job, comm, team),
        _ => new QuasistaticEngine(job, comm, team),
    };

    /// <summary>A linear solver: what the job names; otherwise PETSc on several ranks and the embedded one on one.</summary>
    /// <param name="choice">What the job says; null for nothing.</param>
    /// <param name="prefix">Prefix of PETSc options from the environment.</param>
    /// <param name="comm">Ranks that share the system.</param>
    /// <param name="team">Threads.</param>
    /// <param name="notes">Told when the job's wish cannot be met.</param>
    public static ILinearSolver Solver(SolverChoice? choice, string prefix, Comm comm, ThreadTeam team, ICollection<string> notes)
    {
        if (choice?.Petsc is { } options)
        {
            if (PetscSolver.IsAvailable) return new PetscSolver(prefix, options);
            notes.Add($"PETSc is not available here: the built-in solver stands in for the {prefix.TrimEnd('_')} options of the job");
        }
        else if (choice is null && comm.Size > 1 && PetscSolver.IsAvailable) return new PetscSolver(prefix, new Dictionary<string, string>());
        return new EmbeddedSolver((choice?.Embedded ?? new EmbeddedSolverOptions()) with { Team = team });
    }

    /// <summary>Newton's options of the macro solver.</summary>
    public static NewtonOptions Newton(NewtonChoice newton) => new()
    {
        RelativeTolerance = newton.RelativeTolerance,
        AbsoluteTolerance = newton.AbsoluteTolerance,
        MaxIterations = newton.MaxIterations,
        LineSearch = newton.LineSearch ? LineSearch.Energy : LineSearch.None,
        Cutback = newton.Cutback,
        MinimumStep = newton.MinStep,
    };

    /// <summary>Supports and loads of a job.</summary>
    public static BoundaryConditions Conditions(Job job)
    {
        var conditions = new BoundaryConditions();
        foreach (var c in job.Conditions)
        {
            var target = c.At is { } point ? NodeTarget.Nearest(point) : NodeTarget.On(c.On!);
            for (int i = 0; i < c.Displacement.Count; i++)
                if (c.Displacement[i] is { } u) conditions.Displace(target, i, u);
            if (c.Pressure is { } p) conditions.Pressure(c.On!, p, c.Follower);
            EachComponent(c.Traction, (unit, curve) => conditions.Traction(c.On!, unit, curve));
            EachComponent(c.Force, (unit, curve) => conditions.Force(target, unit, curve));
            EachComponent(c.BodyForce, (unit, curve) => conditions.BodyForce(c.On == "all" ? null : c.On, unit, curve));
        }
        return conditions;
    }

    private static void EachComponent(IReadOnlyList<LoadCurve>? curves, Action<double[], LoadCurve> add)
    {
        for (int i = 0; i < curves?.Count; i++)
        {
            if (curves[i] == LoadCurve.Zero) continue;
            var unit = new double[curves.Count];
            unit[i] = 1;
            add(unit, curves[i]);
        }
    }
}

/// <summary>What engines on a mesh share: the model, its columns and its fields.</summary>
internal abstract class MeshEngine : JobEngine
{
    private readonly (string Boundary, int[] Nodes)[] _watched;
    private readonly HashSet<(string Boundary, int Axis)> _held;
    private readonly string[] _axes;
    private (string Name, string Unit)[] _columns = [];

    protected MeshEngine(Job job, Comm comm, ThreadTeam team)
    {
        (Job, Comm, Team) = (job, comm, team);
        var notes = new List<string>();
        var mesh = GmshReader.Read(job.Model.MeshFile!, notes);
        Notes.AddRange(notes);
        var space = JobModels.Space(mesh.Dimension, job.Model.Finite);
        var laws = job.Model.Materials.ToDictionary(p => p.Key, p => JobModels.Law(p.Value, space, job.Model.PlaneStress));
        if (job.Model.Micro is { } micro)
        {
            if (job.MicroSolver is not null) Notes.Add("solvers.micro is left aside: the volumes of FE² are solved by the built-in batched factorization");
            Rve = JobModels.Rve(micro, job.Seed, job.Model.PlaneStress);
            if (job.Model.PlaneStress)
                Notes.Add("plane stress holds in every phase of the volume by itself: right for a sheet thinner than its microstructure, too soft for a thick one");
            if (Rve.Size.Any(l => l <= 0)) throw new InputException("the representative volume has no extent");
            Shared = new SharedMaterial(new RveMaterial(Rve, team), comm);
            foreach (string region in mesh.Cells.Select(c => c.Region).Distinct()) laws.TryAdd(region, Shared);
        }
        Laws = laws;
        Model = new FeModel(mesh, space, laws, new FeOptions { Thickness = job.Model.Thickness, Integration = job.Model.Integration }, comm, team);
        Conditions = JobEngines.Conditions(job);
        _axes = mesh.Dimension == 2 ? ["x", "y"] : ["x", "y", "z"];
        var named = job.Conditions.Where(c => c.On is not null && mesh.Boundaries.ContainsKey(c.On)).ToList();
        _held = [.. named.SelectMany(c => Enumerable.Range(0, mesh.Dimension).Where(i => c.Displacement[i] is not null).Select(i => (c.On!, i)))];
        _watched = [.. named.Select(c => c.On!).Distinct().Select(b => (b, mesh.BoundaryNodes(b)))];
    }

    protected Job Job { get; }
    protected Comm Comm { get; }
    protected ThreadTeam Team { get; }
    protected FeModel Model { get; }
    protected BoundaryConditions Conditions { get; }
    protected RveModel? Rve { get; }
    protected SharedMaterial? Shared { get; }
    protected IReadOnlyDictionary<string, IMaterial> Laws { get; }

    /// <summary>u at the nodes of this rank, with ghosts.</summary>
    protected abstract double[] Displacement { get; }

    /// <summary>Force of a support.</summary>
    protected abstract double[] Reaction(string boundary);

    /// <summary>One line on the linear solver or time integration.</summary>
    protected abstract string Method { get; }

    /// <summary>Columns after those of the boundaries.</summary>
    protected virtual IReadOnlyList<(string Name, string Unit)> MoreColumns => [];

    public override string What
    {
        get
        {
            var mesh = Model.Mesh;
            string strain = Job.Model.Finite ? "finite" : "small", plane = mesh.Dimension == 3 ? "3D" : Job.Model.PlaneStress ? "plane stress" : "plane strain";
            string head = $"{Path.GetFileName(Job.Model.MeshFile)}: {mesh.CellCount} elements, {mesh.NodeCount} nodes, {strain} strain, {plane}";
            return Rve is null ? head : $"{head}; FE² with a representative volume ({Rve.Description}) at each integration point";
        }
    }

    public override IReadOnlyList<string> Models => [.. Laws.Values.Select(l => l.Description).Concat(Rve?.Phases.Values.Select(p => p.Description) ?? []).Distinct(), Method];

    public override IReadOnlyList<(string Name, string Unit)> Columns
    {
        get
        {
            if (_columns.Length > 0) return _columns;
            var units = UnitSystem.Parse(Job.UnitSystem);
            var columns = new List<(string, string)>();
            foreach (var (boundary, _) in _watched)
            {
                foreach (string axis in _axes) columns.Add(($"{boundary}_u{axis}", units.Symbol(Dimension.Distance)));
                for (int i = 0; i < _axes.Length; i++) if (_held.Contains((boundary, i))) columns.Add(($"{boundary}_f{_axes[i]}", units.Symbol(Dimension.Force)));
            }
            return _columns = [.. columns, .. MoreColumns];
        }
    }

    public override (string X, string Y)? Curve
    {
        get
        {
            foreach (var c in Job.Conditions)
                for (int i = 0; i < _axes.Length && c.On is not null; i++)
                {
                    if (c.Displacement[i] is { } u && Moves(u)) return ($"{c.On}_u{_axes[i]}", $"{c.On}_f{_axes[i]}");
                    if (c.Traction?[i] is { } t && Moves(t) && _held.FirstOrDefault(h => h.Axis == i).Boundary is { } support) return ($"{c.On}_u{_axes[i]}", $"{support}_f{_axes[i]}");
                }
            return null;
        }
    }

    private bool Moves(LoadCurve curve) => curve.At(0) != curve.At(Job.Run.EndTime) || !double.IsInfinity(curve.NextKnot(0));

    /// <summary>Mean displacement and reaction of each named boundary, in the order of the columns. Collective.</summary>
    protected double[] BoundaryValues()
    {
        int dim = Model.Dimension;
        var values = new List<double>();
        var u = Displacement;
        foreach (var (boundary, nodes) in _watched)
        {
            var sum = new double[dim + 1];
            foreach (int node in nodes)
            {
                int local = Model.LocalNode(node);
                if (local < 0 || local >= Model.OwnedNodes) continue;
                for (int i = 0; i < dim; i++) sum[i] += u[local * dim + i];
                sum[dim]++;
            }
            Comm.AllReduceSum(sum.AsSpan());
            for (int i = 0; i < dim; i++) values.Add(sum[i] / Math.Max(1, sum[dim]));
            if (!_held.Any(h => h.Boundary == boundary)) continue;
            // A corner may be held by a neighbour in the other direction: that is not this boundary's force.
            double[] force = Reaction(boundary);
            for (int i = 0; i < dim; i++) if (_held.Contains((boundary, i))) values.Add(force[i]);
        }
        return [.. values];
    }

    /// <summary>Largest Hill–Mandel residual of all representative volumes now; null on a single scale. Collective.</summary>
    protected double? HillMandel()
    {
        if (Shared is null) return null;
        double largest = Model.LargestOutput("hill_mandel");
        if (largest > 1e-8) Notes.Add($"the Hill–Mandel condition is met to {largest:0.0e+00} only");
        const string unstable = "some representative volumes are in unstable equilibrium (softening, buckling): their answer is one of several, and depends on the mesh";
        if (Model.LargestOutput("micro_unstable") > 0 && !Notes.Contains(unstable)) Notes.Add(unstable);
        return largest;
    }

    public override string? DumpFailure(string folder)
    {
        if (Shared is null) return null;
        // Every rank may have a failed volume; the first rank that has one sends it.
        int n = Model.Space.Components();
        var mine = Model.FailedPoint() is { } f && f.State.State.Length == Shared.StateSize * Lane4.Width && Shared.FailedStrain.Length > 0 ? f : ((int Cell, int Point, PointState State)?)null;
        var (data, offsets) = Comm.AllGather<double>(mine is { } m ? [m.Cell, m.Point, m.State.Lane, .. Shared.FailedStrain, .. m.State.Stress, .. m.State.State] : []);
        if (data.Length == 0 || !Comm.IsRoot) return null;
        int length = offsets.Zip(offsets.Skip(1), (a, b) => b - a).First(l => l > 0);
        var first = data.AsSpan(0, length);
        int cell = (int)first[0], number = (int)first[1];
        double[] strain = first.Slice(3, n).ToArray();
        var point = new PointState((int)first[2], strain, first.Slice(3 + n, n).ToArray(), first[(3 + 2 * n)..].ToArray());
        // The volume as it stood before the step, under the strain that broke it.
        var snapshot = new FieldSnapshot(Rve!.Mesh, Model.Space, RveFields.Of(Shared.Inner, point));
        VtuWriter.Write(Path.Combine(folder, "failed-volume.vtu"), Rve.Mesh, snapshot.Arrays(onCells: false), snapshot.Arrays(onCells: true));
        var file = new PureHDF.H5File
        {
            ["element"] = cell, ["point"] = number, ["lane"] = point.Lane, ["strain"] = point.Strain, ["last_stress"] = point.Stress, ["state"] = point.State,
        };
        AtomicFile.Write(Path.Combine(folder, "failed-volume.h5"), stream => file.Write(stream));
        return $"the representative volume at point {number} of {Model.Locate(cell)} does not reach equilibrium under the macro strain " +
            $"({string.Join(", ", Model.Space.Labels().Zip(strain, (l, e) => $"{l} {Numbers.Short(e)}"))}); its state before the step is in failed-volume.vtu and failed-volume.h5";
    }

    public override FieldSnapshot? Snapshot()
    {
        var fields = Model.Fields(Displacement);
        return Comm.IsRoot ? new FieldSnapshot(Model.Mesh, Model.Space, fields) : null;
    }

    private List<(string Name, FieldSnapshot Fields)> _micro = [];

    public override IReadOnlyList<(string Name, FieldSnapshot Fields)> MicroSnapshots()
    {
        if (Shared is null) return [];
        var all = new List<(string, FieldSnapshot)>();
        foreach (var (element, number) in Job.Output.Micro)
        {
            if (!ReferenceEquals(Laws[RegionOf(element)], Shared))
            {
                string note = $"element {element} has a law of its own: there is no microstructure to be written";
                if (!Notes.Contains(note)) Notes.Add(note);
                continue;
            }
            // The rank that has the point sends it to all; the writing rank evaluates it.
            var mine = Model.Point(element, number);
            int n = Model.Space.Components();
            var (data, _) = Comm.AllGather<double>(mine is null ? [] : [mine.Lane, .. mine.Strain, .. mine.Stress, .. mine.State]);
            if (!Comm.IsRoot) continue;
            var point = new PointState((int)data[0], data[1..(1 + n)], data[(1 + n)..(1 + 2 * n)], data[(1 + 2 * n)..]);
            all.Add(($"micro-{element}-{number}", new FieldSnapshot(Rve!.Mesh, Model.Space, RveFields.Of(Shared.Inner, point))));
        }
        return _micro = all;
    }

    private string RegionOf(int element)
    {
        foreach (var block in Model.Mesh.Cells)
        {
            if (element < block.Count) return block.Region;
            element -= block.Count;
        }
        throw new InputException($"the mesh has {Model.Mesh.CellCount} elements, numbered from 0: there is no {element}");
    }

    public override IReadOnlyList<(string Svg, string Caption)> Pictures(FieldSnapshot last) =>
        [FieldPictures.Draw(last, "macro", UnitSystem.Parse(Job.UnitSystem)), .. _micro.Select(m => FieldPictures.Draw(m.Fields, m.Name, UnitSystem.Parse(Job.UnitSystem)))];

    public override void Dispose() => Shared?.Dispose();
}

/// <summary>Load steps in equilibrium, on one scale or FE².</summary>
internal sealed class QuasistaticEngine : MeshEngine
{
    private readonly ILinearSolver _linear;
    private readonly QuasistaticSolver _solver;
    private double _largest;

    public QuasistaticEngine(Job job, Comm comm, ThreadTeam team) : base(job, comm, team)
    {
        _linear = JobEngines.Solver(job.Macro, "macro_", comm, team, Notes);
        _solver = new QuasistaticSolver(Model, Conditions, _linear, JobEngines.Newton(job.Run.Newton));
    }

    public override int TotalSteps => Job.Run.Steps;
    public override double EndTime => Job.Run.EndTime;
    protected override double[] Displacement => _solver.Displacement;
    protected override double[] Reaction(string boundary) => _solver.Reaction(boundary);
    protected override string Method => _linear.Description;

    private sealed class Stopped : Exception;

    public override StepRecord? Advance(StopCheck stop)
    {
        double end = TotalSteps == Step + 1 ? EndTime : EndTime * (Step + 1) / TotalSteps;
        int iterations = 0, cuts = 0;
        double seconds = 0;
        double[] norms = [];
        double imbalance = 1;
        long failures = Failures();
        try
        {
            _solver.Solve(end, end - Time, report =>
            {
                iterations += report.Iterations;
                cuts += report.Cuts;
                seconds += report.WallTime;
                norms = [.. report.Norms.Select(n => report.Reference > 0 ? n / report.Reference : n)];
                imbalance = Math.Max(imbalance, Shared?.Imbalance ?? 1);
                if (report.Time < end * (1 - 1e-12) && stop()) throw new Stopped();
            }, divided: Remember); // only whole steps are kept, so that a restart repeats exactly what was done
        }
        catch (Stopped)
        {
            Recall();
            return null;
        }
        Step++;
        Time = end;
        _largest = HillMandel() ?? 0;
        return new StepRecord(Step, Time, iterations, cuts, norms, BoundaryValues(), Shared is null ? null : _largest, (int)(Failures() - failures), imbalance, seconds);
    }

    private long Failures() => Shared is null ? 0 : Comm.AllReduceSum(Shared.Failures);

    // Kept from step to step: with FE² this is the largest array there is, and fresh pages would cost more than the copy.
    private readonly List<double[]> _remembered = [];

    private void Remember()
    {
        int k = 0;
        foreach (var (_, data) in StateArrays)
        {
            if (k == _remembered.Count) _remembered.Add([]);
            if (_remembered[k].Length != data.Length) _remembered[k] = new double[data.Length];
            data.CopyTo(_remembered[k++]);
        }
    }

    private void Recall()
    {
        int k = 0;
        foreach (var (_, data) in StateArrays) _remembered[k++].CopyTo(data);
        Restored(Step, Time, changed: false);
    }

    public override IEnumerable<(string Name, Memory<double> Data)> StateArrays => Model.StateFields.Concat(_solver.StateFields);

    public override void Restored(int step, double time, bool changed)
    {
        base.Restored(step, time, changed);
        Model.Rollback();
        _solver.Restart(time, step);
    }

    public override void Dispose()
    {
        _linear.Dispose();
        base.Dispose();
    }
}
