using System.Diagnostics;
using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Homogenization;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Multiscale.Jobs;

/// <summary>One representative volume: effective stiffness and a loading path of prescribed macro strains and stresses.</summary>
internal sealed class HomogenizeEngine : JobEngine
{
    private readonly Job _job;
    private readonly Comm _comm;
    private readonly LargeRve _rve;
    private readonly string[] _labels;
    private readonly LoadCurve?[] _strain, _stress;
    private readonly double[] _macro;
    private readonly UnitSystem _units;
    private readonly string _source;
    private double[,]? _stiffness;

    public HomogenizeEngine(Job job, Comm comm, ThreadTeam team)
    {
        (_job, _comm) = (job, comm);
        _units = UnitSystem.Parse(job.UnitSystem);
        var micro = job.Model.Micro!;
        var phases = JobModels.Build(micro, job.Seed);
        var space = JobModels.Space(phases.Mesh.Dimension, micro.Finite);
        Laws = phases.Laws.ToDictionary(p => p.Key, p => JobModels.Law(p.Value, space, false));
        // Every rank solves the same volume: one is enough work for one rank, and the answer is the same on all.
        _rve = new LargeRve(phases.Mesh, Laws, space, micro.Boundary, JobEngines.Solver(job.MicroSolver, "micro_", Comm.Self, team, Notes),
            new RveOptions(micro.Tolerance, micro.MaxIterations), team);
        if (comm.Size > 1) Notes.Add("one representative volume is solved by one rank; the others wait");
        _source = phases.Voxels is { } v ? $"{string.Join(" × ", v.Shape)} voxels" : $"{phases.Mesh.CellCount} elements";
        _labels = space.Labels();
        _strain = [.. _labels.Select(l => job.Run.Strain.GetValueOrDefault(l))];
        _stress = [.. _labels.Select(l => job.Run.Stress.GetValueOrDefault(l))];
        HasPath = job.Run.Strain.Count + job.Run.Stress.Count > 0;
        _macro = Rest(space);
        if (job.Run.Stiffness)
        {
            _rve.Solve(_macro, 0, 0);
            _stiffness = _rve.Tangent();
            _rve.Rollback();
        }
    }

    private IReadOnlyDictionary<string, IMaterial> Laws { get; }
    private bool HasPath { get; }

    private static double[] Rest(StrainSpace space)
    {
        var rest = new double[space.Components()];
        if (space.IsFinite()) for (int i = 0; i < space.Dimension(); i++) rest[i * (space.Dimension() + 1)] = 1;
        return rest;
    }

    public override string What => $"representative volume of {_source}: {_rve.Description}";
    public override IReadOnlyList<string> Models => [.. Laws.Values.Select(l => l.Description).Distinct()];
    public override int TotalSteps => HasPath ? _job.Run.Steps : 0;
    public override double EndTime => HasPath ? _job.Run.EndTime : 0;

    public override IReadOnlyList<(string Name, string Unit)> Columns =>
    [
        .. _labels.Select(l => ((_rve.Space.IsFinite() ? "F_" : "strain_") + l, "")),
        .. _labels.Select(l => ((_rve.Space.IsFinite() ? "P_" : "stress_") + l, _units.Symbol(Dimension.Pressure))),
    ];

    public override (string X, string Y)? Curve
    {
        get
        {
            int c = Array.FindIndex(_strain, s => s is not null);
            if (c < 0) c = Array.FindIndex(_stress, s => s is not null);
            return c < 0 ? null : (Columns[c].Name, Columns[_labels.Length + c].Name);
        }
    }

    public override StepRecord? Advance(StopCheck stop)
    {
        long start = Stopwatch.GetTimestamp();
        double end = Step + 1 == TotalSteps ? EndTime : EndTime * (Step + 1) / TotalSteps, from = Time, whole = end - Time, dt = whole, now = Time;
        var newton = _job.Run.Newton;
        var rest = Rest(_rve.Space);
        int n = _labels.Length, cuts = 0, iterations = 0;
        var given = new bool[n];
        var values = new double[n];
        var macro = (double[])_macro.Clone();
        var saved = StateArrays.Select(s => s.Data.ToArray()).ToArray();
        RveResponse? response = null;
        while (now < end)
        {
            // A step that jumped over a knot of a curve would miss the peak of the path.
            double stopAt = Math.Min(end, NextKnot(now * (1 + 1e-12))), target = dt >= stopAt - now ? stopAt : now + dt;
            for (int c = 0; c < n; c++)
            {
                given[c] = _stress[c] is not null;
                values[c] = (_stress[c] ?? _strain[c])?.At(target) ?? rest[c];
            }
            try
            {
                response = _rve.SolveMixed(given, values, macro, target, target - now);
                _rve.Commit();
                response.Strain.CopyTo(macro, 0);
                iterations += response.Norms.Length - 1;
                now = target;
            }
            catch (MsHpcException e) when (e is ConvergenceException or NumericalException && dt * newton.Cutback >= newton.MinStep * whole)
            {
                _rve.Rollback();
                dt *= newton.Cutback;
                cuts++;
            }
            if (now < end && stop())
            {
                int k = 0;
                foreach (var (_, data) in StateArrays) saved[k++].CopyTo(data);
                _rve.Rollback();
                Time = from;
                return null;
            }
        }
        macro.CopyTo(_macro, 0);
        Step++;
        Time = end;
        return new StepRecord(Step, Time, iterations, cuts, response!.Norms, [.. response.Strain, .. response.Stress], response.HillMandel, 0, 1,
            Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private double NextKnot(double time) => _strain.Concat(_stress).Min(c => c?.NextKnot(time) ?? double.PositiveInfinity);

    public override IEnumerable<(string Name, Memory<double> Data)> StateArrays => _rve.StateFields.Prepend(("macro", _macro));

    public override void Restored(int step, double time, bool changed)
    {
        base.Restored(step, time, changed);
        _rve.Rollback();
    }

    public override FieldSnapshot? Snapshot()
    {
        if (!HasPath || Step == 0 || !_comm.IsRoot) return null;
        return new FieldSnapshot(_rve.Model.Mesh, _rve.Space, _rve.Model.Fields(_rve.Model.ScatterNodes(_rve.Displacement())));
    }

    public override IReadOnlyList<ResultTable> Tables => _stiffness is not { } c ? [] :
        [new ResultTable("effective_stiffness", "Effective stiffness", _units.Symbol(Dimension.Pressure), _labels, _labels,
            [.. Enumerable.Range(0, _labels.Length).Select(i => Enumerable.Range(0, _labels.Length).Select(j => c[i, j]).ToArray())])];

    public override IReadOnlyList<(string Svg, string Caption)> Pictures(FieldSnapshot last) => [FieldPictures.Draw(last, "volume", _units)];

    public override void Dispose() => _rve.Dispose();
}
