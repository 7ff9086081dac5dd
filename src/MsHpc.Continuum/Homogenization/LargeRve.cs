using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Materials;
using MsHpc.Core;
using MsHpc.Core.Parallel;
using MsHpc.Core.Sparse;

namespace MsHpc.Continuum.Homogenization;

/// <summary>Macroscopic answer of an RVE.</summary>
/// <param name="Strain">Macro strain (or F̄), n numbers.</param>
/// <param name="Stress">Volume average of the stress (or P).</param>
/// <param name="HillMandel">|⟨σ:ε⟩ − ⟨σ⟩:ε̄| over the size of the work, ‖f‖‖u‖/V.</param>
/// <param name="Norms">Relative residual per Newton iteration.</param>
/// <param name="LinearIterations">Krylov iterations over all solves.</param>
public sealed record RveResponse(double[] Strain, double[] Stress, double HillMandel, double[] Norms, int LinearIterations);

/// <summary>
/// One RVE of any size, solved by an <see cref="ILinearSolver"/>: for effective properties of large voxel images and for loading paths. The
/// points of FE² use <see cref="RveMaterial"/>, which solves four small ones at once by the same equations.
/// </summary>
/// <remarks>
/// Reduced equations and tangent as in <see cref="RveModel"/>. The coupling ∂f/∂ε̄ comes from the stiffness applied to the affine
/// displacement fields X e_c: the full nodal vector K X e_c gives both L = Tᵀ K X and V⟨C⟩ = Xᵀ K X. The macro stress is the virial of
/// the nodal forces, V σ̄ = Σ f ⊗ x, which equals ∫σ exactly.
/// </remarks>
public sealed class LargeRve : IDisposable
{
    // Rounding errors of forces, in units of the elastic forces at the macro strain; some ten times what is seen.
    private const double Rounding = 32 * 2.220446049250313e-16;
    private readonly FeModel _model;
    private readonly FeSystem _system;
    private readonly ILinearSolver _solver;
    private readonly RveOptions _options;
    private readonly RveBoundary _boundary;
    private readonly int _n, _dim;
    private readonly double _volume, _stiffForces;
    private readonly double[] _low;
    private readonly double[] _fluctuation, _committed, _u, _f, _zero, _coupling, _rhs, _dq;
    private readonly double[][] _affine;
    private readonly double[][] _multiplierRows; // Gᵀ, reduced
    private double[][] _bordered = [];
    private double[] _multiplier, _multiplierCommitted;
    private int _linearIterations;
    private double[] _strain;
    private double _time, _step;

    /// <param name="mesh">Box-shaped mesh; its regions are the phases.</param>
    /// <param name="phases">Law of each region.</param>
    /// <param name="space">Strain measure.</param>
    /// <param name="boundary">How the macro strain is imposed.</param>
    /// <param name="solver">Linear solver; owned from here on.</param>
    /// <param name="options">Tolerances; null for the defaults.</param>
    /// <param name="team">Threads.</param>
    /// <exception cref="InputException">Opposite faces do not match node by node and facet by facet, or a combination that this solver does not have.</exception>
    public LargeRve(Mesh mesh, IReadOnlyDictionary<string, IMaterial> phases, StrainSpace space, RveBoundary boundary, ILinearSolver solver,
        RveOptions? options = null, ThreadTeam? team = null)
    {
        (_solver, _options, _boundary) = (solver, options ?? new RveOptions(), boundary);
        if (boundary == RveBoundary.UniformTraction && space.IsFinite())
            throw new InputException("uniform traction at finite strain is available for RVEs that are factored directly (RveMaterial) only");
        var constraints = FluctuationConstraints.Build(mesh, boundary, space.IsFinite());
        if (!constraints.IsRenumbering)
            throw new InputException("a large RVE needs opposite faces that match node by node and facet by facet; mesh it periodically or use voxels");
        bool periodic = boundary == RveBoundary.Periodic; // other boundaries bear forces that hourglass modes would take up
        _model = new FeModel(mesh, space, phases, new FeOptions { Integration = _options.Integration, AllowsHourglass = periodic }, team: team);
        (_n, _dim) = (space.Components(), mesh.Dimension);
        var (low, high) = BoxSides.Bounds(mesh);
        _low = low;
        _volume = high.Zip(low, (h, l) => h - l).Aggregate(1.0, (v, l) => v * l);

        int values = _model.Unknowns;
        var fixedValues = new bool[values];
        var master = new int[_model.Nodes];
        var firstNode = new int[constraints.Unknowns];
        Array.Fill(firstNode, -1);
        for (int a = 0; a < _model.Nodes; a++)
        {
            master[a] = a;
            int meshNode = _model.LocalToMesh[a];
            for (int i = 0; i < _dim; i++)
            {
                int d = meshNode * _dim + i;
                if (constraints.Start[d] == constraints.Start[d + 1]) { fixedValues[a * _dim + i] = true; continue; }
                int local = _model.LocalNode(constraints.NodeOf[constraints.Unknown[constraints.Start[d]]]);
                master[a] = local;
            }
        }
        _system = new FeSystem(_model, fixedValues, master);
        _solver.Initialize(_system.ToLinearSystem(MatrixKind.SymmetricPositiveDefinite));

        _fluctuation = new double[values];
        _committed = new double[values];
        (_u, _f, _zero, _coupling) = (new double[values], new double[values], new double[values], new double[values]);
        (_rhs, _dq) = (new double[_system.Unknowns], new double[_system.Unknowns]);
        _affine = [.. Enumerable.Range(0, _n).Select(Affine)];
        _strain = new double[_n];
        if (space.IsFinite()) for (int i = 0; i < _dim; i++) _strain[i * _dim + i] = 1;
        _multiplier = new double[_n];
        _multiplierCommitted = new double[_n];
        _multiplierRows = boundary == RveBoundary.UniformTraction ? MeanStrainRows() : [];
        for (int i = 0; i < _n && _model.Assemble(_zero, 0, 0, _f, _system, _affine[i], _coupling); i++) _stiffForces = Math.Max(_stiffForces, Norm(_coupling));
        _model.Rollback();
    }

    /// <summary>Independent displacement unknowns.</summary>
    public int Unknowns => _system.Unknowns;

    /// <summary>The finite-element model inside, for output of its fields.</summary>
    public FeModel Model => _model;

    /// <summary>Strain measure.</summary>
    public StrainSpace Space => _model.Space;

    /// <summary>One line for the log.</summary>
    public string Description => $"RVE, {_model.Elements} elements, {Unknowns} unknowns, {_boundary}, {_solver.Description}";

    /// <summary>Displacement at the nodes of the last solution, Dimension numbers per mesh node.</summary>
    public double[] Displacement()
    {
        var nodal = new double[_model.Mesh.NodeCount * _dim];
        for (int a = 0; a < _model.Nodes; a++) _u.AsSpan(a * _dim, _dim).CopyTo(nodal.AsSpan(_model.LocalToMesh[a] * _dim));
        return nodal;
    }

    /// <summary>Finds equilibrium for a macro strain.</summary>
    /// <exception cref="ConvergenceException">Newton did not converge; the committed state is untouched.</exception>
    /// <exception cref="NumericalException">The linear solver failed.</exception>
    public RveResponse Solve(ReadOnlySpan<double> strain, double time = 1, double timeStep = 1)
    {
        strain.CopyTo(_strain);
        (_time, _step, _linearIterations) = (time, timeStep, 0);
        var norms = new List<double>();
        var target = new double[_n];
        for (int iteration = 0; ; iteration++)
        {
            double norm = Residual();
            norms.Add(norm);
            if (norm <= _options.Tolerance) break;
            if (double.IsNaN(norm) || iteration == _options.MaxIterations)
            {
                Rollback();
                throw new ConvergenceException($"the RVE did not reach equilibrium at macro strain ({Text(strain)}): " +
                    $"relative residual {norm:G3} after {iteration} iterations", norms);
            }
            _solver.SetValues(_system.Values);
            for (int k = 0; k < _rhs.Length; k++) _rhs[k] = -_rhs[k];
            Array.Clear(_dq); // the last answer may be of quite another size
            LinearSolve(_rhs, _dq);
            if (_multiplierRows.Length > 0)
            {
                Border();
                for (int c = 0; c < _n; c++) target[c] = -Dot(_multiplierRows[c], Reduced(_fluctuation));
                Complete(_dq, target, out var change);
                for (int c = 0; c < _n; c++) _multiplier[c] += change[c];
            }
            _system.AddTo(_dq, 1, _fluctuation);
        }
        var stress = Stress();
        return new RveResponse([.. _strain], stress, HillMandel(stress), [.. norms], _linearIterations);
    }

    /// <summary>
    /// Finds equilibrium with some macro strains and, for the other components, the macro stresses given, by Newton with the condensed tangent.
    /// </summary>
    /// <param name="stressGiven">True where <paramref name="values"/> holds a stress.</param>
    /// <param name="values">Given strain or stress of each component.</param>
    /// <param name="guess">Strain to start the free components from.</param>
    /// <param name="time">End of the step.</param>
    /// <param name="timeStep">Length of the step.</param>
    public RveResponse SolveMixed(ReadOnlySpan<bool> stressGiven, ReadOnlySpan<double> values, ReadOnlySpan<double> guess, double time = 1, double timeStep = 1)
    {
        double[] strain = guess.ToArray();
        var free = new List<int>();
        for (int c = 0; c < _n; c++)
            if (stressGiven[c]) free.Add(c);
            else strain[c] = values[c];
        var history = new List<double>();
        double largest = 0, stiffness = 0;
        for (int iteration = 0; ; iteration++)
        {
            var response = Solve(strain, time, timeStep);
            for (int c = 0; c < _n; c++) largest = Math.Max(largest, Math.Abs(strain[c] - (_model.Space.IsFinite() && c % (_dim + 1) == 0 ? 1 : 0)));
            // The last number keeps a return to zero stress from asking for more than rounding allows.
            double scale = Math.Max(response.Stress.Max(Math.Abs), 1e-4 * stiffness * largest), error = 0;
            foreach (int c in free)
            {
                scale = Math.Max(scale, Math.Abs(values[c]));
                error = Math.Max(error, Math.Abs(response.Stress[c] - values[c]));
            }
            history.Add(scale == 0 ? 0 : error / scale);
            if (error <= 1e-9 * scale || free.Count == 0) return response;
            if (iteration == _options.MaxIterations)
                throw new ConvergenceException($"the macro stresses were not met within {1e-9:G1} of the largest", history);
            var tangent = Tangent();
            stiffness = tangent.Cast<double>().Max(Math.Abs);
            int m = free.Count;
            var matrix = new double[m * m];
            var right = new double[m];
            for (int i = 0; i < m; i++)
            {
                right[i] = values[free[i]] - response.Stress[free[i]];
                for (int j = 0; j < m; j++) matrix[i * m + j] = tangent[free[i], free[j]];
            }
            if (!SmallMatrix.Solve(m, matrix, right))
                throw new NumericalException("the macro tangent is singular in the components whose stress is given");
            for (int i = 0; i < m; i++) strain[free[i]] += right[i];
        }
    }

    /// <summary>Macro tangent at the last solution.</summary>
    /// <returns>n × n; at rest of an elastic RVE its effective stiffness.</returns>
    public double[,] Tangent()
    {
        var full = new double[_n][];
        var change = new double[_n][]; // ∂ũ/∂ε̄ at the nodes
        Evaluate(_zero);
        _solver.SetValues(_system.Values);
        if (_multiplierRows.Length > 0) Border();
        for (int c = 0; c < _n; c++)
        {
            Evaluate(_affine[c]);
            full[c] = [.. _coupling];
            Reduce(_coupling, _rhs);
            for (int k = 0; k < _rhs.Length; k++) _rhs[k] = -_rhs[k];
            Array.Clear(_dq);
            LinearSolve(_rhs, _dq);
            if (_multiplierRows.Length > 0) Complete(_dq, new double[_n], out _);
            change[c] = new double[_model.Unknowns];
            _system.AddTo(_dq, 1, change[c]);
        }
        var tangent = new double[_n, _n];
        for (int r = 0; r < _n; r++)
            for (int c = 0; c < _n; c++)
                tangent[r, c] = (Dot(_affine[r], full[c]) + Dot(full[r], change[c])) / _volume;
        return tangent;
    }

    /// <summary>Accepts the last solution as the start of the next step.</summary>
    public void Commit()
    {
        _model.Commit();
        _fluctuation.CopyTo(_committed, 0);
        _multiplier.CopyTo(_multiplierCommitted, 0);
    }

    /// <summary>Returns to the last committed state.</summary>
    public void Rollback()
    {
        _model.Rollback();
        _committed.CopyTo(_fluctuation, 0);
        _multiplierCommitted.CopyTo(_multiplier, 0);
    }

    /// <summary>Committed state by name, for checkpoints; call <see cref="Rollback"/> after overwriting it.</summary>
    public IEnumerable<(string Name, Memory<double> Data)> StateFields =>
        _model.StateFields.Append(("fluctuation", _committed)).Append(("multiplier", _multiplierCommitted));

    /// <inheritdoc/>
    public void Dispose() => _solver.Dispose();

    private void Evaluate(double[] increment)
    {
        if (!_model.Assemble(_u, _time, _step, _f, _system, increment, _coupling))
            throw new NumericalException("a phase of the RVE failed where it had just succeeded");
    }

    private double Residual()
    {
        bool finite = _model.Space.IsFinite();
        _fluctuation.CopyTo(_u, 0);
        for (int c = 0; c < _n; c++)
        {
            double e = _strain[c] - (finite && c % (_dim + 1) == 0 ? 1 : 0);
            if (e != 0) for (int d = 0; d < _u.Length; d++) _u[d] += e * _affine[c][d];
        }
        if (!_model.Assemble(_u, _time, _step, _f, _system)) return double.NaN;
        Reduce(_f, _rhs);
        for (int c = 0; c < _multiplierRows.Length; c++)
            for (int k = 0; k < _rhs.Length; k++) _rhs[k] -= _multiplierRows[c][k] * _multiplier[c];
        // Where there is hardly any stress (near rest, after unloading, under a mere rotation) rounding is what remains of the forces; the
        // scale makes it pass.
        double scale = Math.Max(Norm(_f), Rounding * _stiffForces * _strain.Max(Math.Abs) / _options.Tolerance);
        return scale == 0 ? 0 : Norm(_rhs) / scale;
    }

    private void LinearSolve(double[] rhs, double[] x) => _linearIterations += _solver.Solve(rhs, x).Require().Iterations;

    private void Border()
    {
        _bordered = [.. _multiplierRows.Select(row =>
        {
            var z = new double[row.Length];
            LinearSolve(row, z);
            return z;
        })];
    }

    /// <summary>x += Z λ with G x = target.</summary>
    private void Complete(double[] x, ReadOnlySpan<double> target, out double[] multipliers)
    {
        var matrix = new double[_n * _n];
        multipliers = new double[_n];
        for (int r = 0; r < _n; r++)
        {
            multipliers[r] = target[r] - Dot(_multiplierRows[r], x);
            for (int c = 0; c < _n; c++) matrix[r * _n + c] = Dot(_multiplierRows[r], _bordered[c]);
        }
        if (!SmallMatrix.Solve(_n, matrix, multipliers)) throw new NumericalException("uniform traction: the RVE has no stiffness in some macro direction");
        for (int c = 0; c < _n; c++)
            for (int k = 0; k < x.Length; k++) x[k] += multipliers[c] * _bordered[c][k];
    }

    private double[] Stress() => [.. _affine.Select(x => Dot(x, _f) / _volume)];

    private double HillMandel(double[] stress)
    {
        // V⟨σ:ε⟩ = f·u, since f is the work-conjugate of u whatever the elements do.
        double work = Dot(_f, _u) / _volume, macro = 0, scale = Math.Max(Math.Abs(work), Norm(_f) * Norm(_u) / _volume); // the work itself may vanish
        bool finite = _model.Space.IsFinite();
        for (int c = 0; c < _n; c++)
        {
            double term = stress[c] * (_strain[c] - (finite && c % (_dim + 1) == 0 ? 1 : 0));
            macro += term;
            scale = Math.Max(scale, Math.Abs(term));
        }
        return scale == 0 ? 0 : Math.Abs(work - macro) / scale;
    }

    /// <summary>The affine displacement field of a unit of strain component c (of H = F − 1 at finite strain).</summary>
    private double[] Affine(int c)
    {
        var field = new double[_model.Unknowns];
        var x = _model.Coordinates;
        (int i, int j) = _model.Space switch
        {
            StrainSpace.PlaneSmall => c switch { 0 => (0, 0), 1 => (1, 1), _ => (0, 1) },
            StrainSpace.SolidSmall => c switch { 0 => (0, 0), 1 => (1, 1), 2 => (2, 2), 3 => (1, 2), 4 => (0, 2), _ => (0, 1) },
            _ => (c / _dim, c % _dim),
        };
        bool shear = !_model.Space.IsFinite() && i != j;
        for (int a = 0; a < _model.Nodes; a++)
        {
            // from the lower corner: far from the origin the coordinates would drown the strain in rounding
            field[a * _dim + i] = (x[a * _dim + j] - _low[j]) * (shear ? 0.5 : 1);
            if (shear) field[a * _dim + j] = (x[a * _dim + i] - _low[i]) * 0.5;
        }
        return field;
    }

    /// <summary>Rows of G: the volume integral of each strain component as a linear function of the unknowns, from the surface.</summary>
    private double[][] MeanStrainRows()
    {
        // ∫ strain(ũ) : e_c = ∫ Bᵀ e_c · ũ: the nodal forces of a uniform unit stress.
        var stress = new UnitStress(_model.Space);
        var model = new FeModel(_model.Mesh, _model.Space, _model.Mesh.Cells.Select(c => c.Region).Distinct().ToDictionary(r => r, _ => (IMaterial)stress));
        var nodal = new double[model.Unknowns];
        var rows = new double[_n][];
        for (int c = 0; c < _n; c++)
        {
            stress.Component = c;
            model.Assemble(_zero, 0, 0, nodal);
            // The virial of a unit stress is the volume that carries it.
            if (c == 0 && Math.Abs(Dot(nodal, _affine[0]) / _volume - 1) > 1e-8)
                throw new InputException("uniform traction needs an RVE without pores: fill them with a soft phase");
            rows[c] = new double[_system.Unknowns];
            Reduce(nodal, rows[c]);
        }
        return rows;
    }

    private sealed class UnitStress(StrainSpace space) : IMaterial
    {
        public int Component { get; set; }
        public string Description => $"unit stress, component {Component}";
        public StrainSpace Space => space;
        public int StateSize => 0;
        public double Density => 0;
        public bool HasSymmetricTangent => true;
        public void InitializeState(Span<double> state, int blocks) { }

        public bool Evaluate(in MaterialBatch batch)
        {
            batch.Tangent.Clear();
            for (int k = 0; k < batch.Stress.Length; k++) batch.Stress[k] = k / Lane4.Width % space.Components() == Component ? 1 : 0;
            return true;
        }
    }

    private double[] Reduced(double[] nodal)
    {
        var q = new double[_system.Unknowns];
        _system.Gather(nodal, q);
        return q;
    }

    private void Reduce(double[] nodal, double[] reduced)
    {
        Array.Clear(reduced);
        for (int d = 0; d < nodal.Length; d++)
            if (_system.Equation[d] >= 0) reduced[_system.Equation[d]] += nodal[d];
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b) => Vec.Dot(a, b);

    private static double Norm(ReadOnlySpan<double> a) => Vec.Norm(a);

    private static string Text(ReadOnlySpan<double> values) =>
        string.Join(", ", values.ToArray().Select(v => v.ToString("G6", System.Globalization.CultureInfo.InvariantCulture)));
}
