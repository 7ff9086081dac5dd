using System.Globalization;
using MsHpc.Core;
using MsHpc.Core.Parallel;

namespace MsHpc.Atomistics.Dynamics;

/// <summary>How a minimum is sought.</summary>
public enum MinimizeMethod
{
    /// <summary>Limited-memory BFGS (J. Nocedal, Math. Comput. 35, 773, 1980): fewest evaluations near a minimum.</summary>
    Lbfgs,
    /// <summary>FIRE 2.0 (J. Guénolé et al., Comput. Mater. Sci. 175, 109584, 2020; E. Bitzek et al., Phys. Rev. Lett. 97, 170201, 2006): damped dynamics, robust far from it.</summary>
    Fire,
    /// <summary>Conjugate gradients of Polak and Ribière with a line search on the gradient (secant).</summary>
    ConjugateGradient,
}

/// <summary>What of the cell is relaxed.</summary>
public enum CellRelaxation
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>The volume.</summary>
    Isotropic,
    /// <summary>Stretches along x, y, z.</summary>
    Anisotropic,
    /// <summary>Stretches and angles.</summary>
    Full,
}

/// <summary>How to minimise.</summary>
public sealed record MinimizerOptions
{
    /// <summary>Method.</summary>
    public MinimizeMethod Method { get; init; } = MinimizeMethod.Lbfgs;

    /// <summary>Converged when the largest force of an atom is below this, eV/Å.</summary>
    public double ForceTolerance { get; init; } = 1e-3;

    /// <summary>Converged when no relaxed stress component is farther from its target, eV/Å³.</summary>
    public double StressTolerance { get; init; } = 1e-5;

    /// <summary>Steps before giving up.</summary>
    public int MaxSteps { get; init; } = 1000;

    /// <summary>Largest move of an atom in one step, Å.</summary>
    public double MaxMove { get; init; } = 0.2;

    /// <summary>What of the cell is relaxed; directions that are not periodic never are.</summary>
    public CellRelaxation Cell { get; init; }

    /// <summary>Stress to reach (positive in tension), eV/Å³: xx, yy, zz, yz, xz, xy; null: 0. A pressure p is −p on the diagonal.</summary>
    public double[]? TargetStress { get; init; }

    /// <summary>Atoms that do not move (but with the cell), as indices.</summary>
    public int[] Fixed { get; init; } = [];

    /// <summary>What neighbour lists of a force field hold beyond the cutoff, Å.</summary>
    public double Skin { get; init; } = 0.5;

    /// <summary>Called after each step.</summary>
    public Action<MinimizeStep>? Progress { get; init; }
}

/// <summary>Where a minimisation is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Evaluations">Force evaluations.</param>
/// <param name="Energy">eV.</param>
/// <param name="MaxForce">Largest force of an atom that may move, eV/Å.</param>
/// <param name="Stress">eV/Å³, positive in tension: xx, yy, zz, yz, xz, xy.</param>
/// <param name="MaxStress">Largest deviation of a relaxed component from its target, eV/Å³.</param>
public sealed record MinimizeStep(int Step, int Evaluations, double Energy, double MaxForce, double[] Stress, double MaxStress);

/// <summary>
/// Finds a minimum of the potential energy, of the enthalpy if the cell is relaxed under stress. Collective over the ranks.
/// </summary>
/// <remarks>
/// <para>Variables are x̃ᵢ and c (D − 1): rᵢ = o + D x̃ᵢ, edge vectors h = D h₀, so that atoms follow the cell. Forces on them: Dᵀ fᵢ and
/// (W + V σ) D⁻ᵀ/c (symmetric part: the cell does not turn), W the virial, σ the target stress; both vanish exactly when forces do and the stress is σ.
/// c = √N (V/N)^⅓ gives a strain about the stiffness of an atom's move. Only forces are used, never energy differences: convergence does not stop at the
/// square root of the rounding error.</para>
/// </remarks>
public sealed class Minimizer
{
    private readonly ICalculator _calculator;
    private readonly MinimizerOptions _options;
    private readonly Comm _comm;
    private readonly ThreadTeam? _team;
    private readonly double[] _stretch = [1, 0, 0, 0, 1, 0, 0, 0, 1], _target;
    private Atoms _atoms = null!;
    private Cell _cell0 = null!;
    private CalculatorResults _results = null!;
    private Domain? _domain;
    private bool[] _fixed = [];
    private double _scale, _maxForce, _maxStress;
    private int _evaluations, _steps;
    private readonly List<double> _history = [];

    /// <param name="calculator">Energy surface. A <see cref="ForceField"/> keeps its neighbour lists from step to step.</param>
    /// <param name="options">How.</param>
    /// <param name="comm">Ranks that share the atoms; null: this one.</param>
    /// <param name="team">Threads; null: the caller's.</param>
    public Minimizer(ICalculator calculator, MinimizerOptions? options = null, Comm? comm = null, ThreadTeam? team = null)
    {
        (_calculator, _options, _comm, _team) = (calculator, options ?? new MinimizerOptions(), comm ?? Comm.Self, team);
        if (!(_options.ForceTolerance > 0) || !(_options.StressTolerance > 0) || !(_options.MaxMove > 0) || !(_options.Skin > 0))
            throw new InputException($"tolerances ({_options.ForceTolerance} eV/Å, {_options.StressTolerance} eV/Å³), largest move ({_options.MaxMove} Å) and skin ({_options.Skin} Å) of a minimisation must be positive");
        ArgumentOutOfRangeException.ThrowIfNegative(_options.MaxSteps);
        _target = _options.TargetStress ?? new double[6];
        if (_target.Length != 6) throw new InputException("a target stress is six numbers: xx, yy, zz, yz, xz, xy");
        if (_options.Cell == CellRelaxation.None && _target.Any(s => s != 0)) throw new InputException("a target stress without cell relaxation has no effect: choose what of the cell relaxes");
    }

    /// <summary>Forces, energy and virial at the end.</summary>
    public CalculatorResults Results => _results;

    /// <summary>Largest force after each step, eV/Å, the start included.</summary>
    public IReadOnlyList<double> History => _history;

    /// <summary>Moves <paramref name="atoms"/> (positions, cell) to a minimum; velocities stay.</summary>
    /// <exception cref="InputException">Constraints: moves here do not keep them, and no force holds what they hold.</exception>
    /// <exception cref="ConvergenceException">Not reached in the steps allowed; the atoms are where it stopped, the history holds the largest forces.</exception>
    /// <exception cref="NumericalException">An energy or force that is not a number.</exception>
    public MinimizeStep Run(Atoms atoms)
    {
        if (atoms.Topology is { Constraints.Count: > 0 } held)
            throw new InputException($"{held.Constraints.Count} distances are to be held, which a minimisation does not do, and nothing else holds these atoms together: minimise with flexible molecules (bonds and angles instead of constraints), or cool down in molecular dynamics");
        (_atoms, _cell0, _results, _domain) = (atoms, atoms.Cell, new CalculatorResults(atoms.Count), null);
        _fixed = new bool[atoms.Count];
        foreach (int i in _options.Fixed)
            _fixed[i] = (uint)i < (uint)atoms.Count ? true : throw new InputException($"atom index {i} is to be fixed; there are {atoms.Count} atoms");
        if (_options.Cell == CellRelaxation.Isotropic && !(atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2]))
            throw new InputException("an isotropic relaxation of the cell needs periodicity in all directions; use the anisotropic one");
        ((Span<double>)[1, 0, 0, 0, 1, 0, 0, 0, 1]).CopyTo(_stretch);
        _scale = Math.Sqrt(Math.Max(1, atoms.Count)) * Math.Cbrt(atoms.Cell.Volume / Math.Max(1, atoms.Count));
        (_evaluations, _steps) = (0, 0);
        _history.Clear();
        var q = new double[3 * atoms.Count + (_options.Cell == CellRelaxation.None ? 0 : 9)];
        var o = atoms.Cell.Origin;
        for (int k = 0; k < 3 * atoms.Count; k++) q[k] = atoms.Positions[k] - o[k % 3];
        var f = new double[q.Length];
        Evaluate(q, f);
        Record();
        switch (_options.Method)
        {
            case MinimizeMethod.Fire: Fire(q, f); break;
            case MinimizeMethod.Lbfgs: Lbfgs(q, f); break;
            default: ConjugateGradient(q, f); break;
        }
        return Here();
    }

    private MinimizeStep Here() => new(_steps, _evaluations, _results.Energy, _maxForce, [.. _results.Virial.Select(w => -w / _atoms.Cell.Volume)], _maxStress);

    private void Record()
    {
        _history.Add(_maxForce);
        _options.Progress?.Invoke(Here());
    }

    /// <summary>Whether to stop; counts a step otherwise.</summary>
    private bool Converged()
    {
        if (_maxForce <= _options.ForceTolerance && _maxStress <= _options.StressTolerance) return true;
        if (_steps >= _options.MaxSteps)
            throw new ConvergenceException(string.Create(CultureInfo.InvariantCulture,
                $"no minimum after {_steps} steps: largest force {_maxForce:g3} eV/Å (wanted {_options.ForceTolerance:g3}), largest stress deviation {_maxStress:g3} eV/Å³ "
                + $"(wanted {_options.StressTolerance:g3}). More steps, another method, or a start nearer to the minimum may help; largest forces follow"), [.. _history]);
        _steps++;
        return false;
    }

    /// <summary>Forces on the variables; positions and cell of the atoms are set.</summary>
    private void Evaluate(double[] q, double[] f)
    {
        int n = 3 * _atoms.Count;
        double[] d = _stretch;
        bool cell = q.Length > n;
        if (cell)
        {
            Span<double> rows = stackalloc double[9];
            for (int k = 0; k < 9; k++) d[k] = q[n + k] / _scale + (k % 4 == 0 ? 1 : 0);
            var h = _cell0.Rows;
            for (int i = 0; i < 3; i++)
                for (int k = 0; k < 3; k++) rows[3 * i + k] = d[3 * k] * h[3 * i] + d[3 * k + 1] * h[3 * i + 1] + d[3 * k + 2] * h[3 * i + 2];
            _atoms.Cell = _cell0.WithRows(rows);
        }
        var o = _cell0.Origin;
        for (int i = 0; i < n; i += 3)
            for (int k = 0; k < 3; k++) _atoms.Positions[i + k] = o[k] + d[3 * k] * q[i] + d[3 * k + 1] * q[i + 1] + d[3 * k + 2] * q[i + 2];
        Compute();
        _evaluations++;
        double[] force = _results.Forces;
        double most = 0;
        bool finite = double.IsFinite(_results.Energy);
        for (int i = 0; i < n; i += 3)
        {
            if (_fixed[i / 3]) (force[i], force[i + 1], force[i + 2]) = (0, 0, 0);
            most = Math.Max(most, force[i] * force[i] + force[i + 1] * force[i + 1] + force[i + 2] * force[i + 2]);
            for (int k = 0; k < 3; k++) f[i + k] = d[k] * force[i] + d[3 + k] * force[i + 1] + d[6 + k] * force[i + 2];
        }
        _maxForce = Math.Sqrt(most);
        _maxStress = 0;
        if (cell) CellForce(f.AsSpan(n));
        if (!finite || !double.IsFinite(_maxForce) || !double.IsFinite(_maxStress))
        {
            int bad = Array.FindIndex(force, x => !double.IsFinite(x));
            throw new NumericalException($"step {_steps} of a minimisation: " + (bad >= 0 ? $"the force on atom {_atoms.Ids[bad / 3]} at ({_atoms.Positions[bad / 3 * 3]:g6}, "
                + $"{_atoms.Positions[bad / 3 * 3 + 1]:g6}, {_atoms.Positions[bad / 3 * 3 + 2]:g6}) Å" : "the energy or the virial") + " is not a finite number; look for atoms on top of each other");
        }
    }

    private void CellForce(Span<double> force)
    {
        double[] w = _results.Virial, d = _stretch;
        double volume = _atoms.Cell.Volume;
        Span<double> s = stackalloc double[6], total = stackalloc double[9], inverse = stackalloc double[9];
        for (int k = 0; k < 6; k++) s[k] = w[k] + volume * _target[k];
        Span<bool> free = [_cell0.Periodic[0], _cell0.Periodic[1], _cell0.Periodic[2]];
        for (int k = 0; k < 6; k++)
        {
            var (a, b) = k switch { 0 => (0, 0), 1 => (1, 1), 2 => (2, 2), 3 => (1, 2), 4 => (0, 2), _ => (0, 1) };
            if (!free[a] || !free[b] || k > 2 && _options.Cell != CellRelaxation.Full) s[k] = 0;
        }
        if (_options.Cell == CellRelaxation.Isotropic) s[0] = s[1] = s[2] = (s[0] + s[1] + s[2]) / 3;
        for (int k = 0; k < 6; k++) _maxStress = double.IsNaN(s[k]) ? double.NaN : Math.Max(_maxStress, Math.Abs(s[k]) / volume);
        Span<double> t = [s[0], s[5], s[4], s[5], s[1], s[3], s[4], s[3], s[2]];
        if (!SmallMatrix.Invert(3, d, inverse)) throw new NumericalException("a minimisation squeezed the cell flat");
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                for (int k = 0; k < 3; k++) total[3 * i + j] += t[3 * i + k] * inverse[3 * j + k];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) force[3 * i + j] = 0.5 * (total[3 * i + j] + total[3 * j + i]) / _scale;
    }

    private void Compute()
    {
        if (_calculator is not ForceField field)
        {
            _calculator.Compute(_atoms, Want.Virial, _results);
            return;
        }
        if (_domain is null) _domain = field.MakeDomain(_atoms, _options.Skin, _comm, _team);
        else _domain.Place(_atoms);
        var tally = field.Compute(_domain, Want.Virial);
        _results.Energy = tally.Energy;
        for (int k = 0; k < 6; k++) _results.Virial[k] = tally.Virial[k];
        _domain.StoreForces(_results.Forces);
    }

    /// <summary>Factor that keeps every atom's and strain's move d within bounds.</summary>
    private double Bound(double[] d)
    {
        double most = 0;
        for (int i = 0; i + 2 < d.Length; i += 3) most = Math.Max(most, d[i] * d[i] + d[i + 1] * d[i + 1] + d[i + 2] * d[i + 2]);
        most = Math.Sqrt(most);
        return most > _options.MaxMove ? _options.MaxMove / most : 1;
    }

    private static double Dot(double[] a, double[] b)
    {
        double sum = 0;
        for (int k = 0; k < a.Length; k++) sum += a[k] * b[k];
        return sum;
    }

    /// <summary>
    /// Moves along d until the slope f·d has fallen to at most <paramref name="accept"/> of its start in size, by the secant rule; downhill all the way is
    /// accepted at the bound.
    /// </summary>
    /// <returns>Length of the move in units of d.</returns>
    private double Search(double[] q, double[] f, double[] d, double first, double accept, int most)
    {
        double[] start = [.. q];
        double slope = Dot(f, d), bound = Bound(d), t = Math.Min(first, bound), before = 0, slopeBefore = slope;
        for (int n = 0; ; n++)
        {
            for (int k = 0; k < q.Length; k++) q[k] = start[k] + t * d[k];
            Evaluate(q, f);
            double now = Dot(f, d);
            if (Math.Abs(now) <= accept * slope || now > 0 && (t >= bound || accept >= 0.9) || n >= most) return t;
            double next = now < slopeBefore && (now < 0 || now < 0.9 * slopeBefore) ? t + (t - before) * now / (slopeBefore - now) : 2 * t;
            // Past the minimum: the root lies between; else go on, but not too far.
            next = now < 0 ? Math.Clamp(next, before + 0.05 * (t - before), t - 0.05 * (t - before)) : Math.Min(next, Math.Min(4 * t, bound));
            if (now > 0) (before, slopeBefore) = (t, now);
            t = next;
        }
    }

    private void Lbfgs(double[] q, double[] f)
    {
        const int memory = 20;
        // Curvature of a stiff bond, eV/Å², for the first step (as in ASE).
        const double stiff = 70;
        var pairs = new List<(double[] S, double[] Y, double Rho)>();
        double[] d = new double[q.Length], a = new double[memory];
        while (!Converged())
        {
            f.CopyTo(d, 0);
            for (int k = pairs.Count - 1; k >= 0; k--)
            {
                a[k] = pairs[k].Rho * Dot(pairs[k].S, d);
                for (int i = 0; i < d.Length; i++) d[i] -= a[k] * pairs[k].Y[i];
            }
            double diagonal = pairs.Count == 0 ? 1 / stiff : 1 / (pairs[^1].Rho * Dot(pairs[^1].Y, pairs[^1].Y));
            for (int i = 0; i < d.Length; i++) d[i] *= diagonal;
            for (int k = 0; k < pairs.Count; k++)
            {
                double b = a[k] - pairs[k].Rho * Dot(pairs[k].Y, d);
                for (int i = 0; i < d.Length; i++) d[i] += b * pairs[k].S[i];
            }
            if (!(Dot(f, d) > 0))
            {
                pairs.Clear();
                for (int i = 0; i < d.Length; i++) d[i] = f[i] / stiff;
            }
            double[] q0 = [.. q], f0 = [.. f];
            Search(q, f, d, 1, 0.9, 10);
            double[] s = new double[q.Length], y = new double[q.Length];
            for (int i = 0; i < q.Length; i++) (s[i], y[i]) = (q[i] - q0[i], f0[i] - f[i]);
            double curvature = Dot(s, y);
            if (curvature > 1e-12 * Math.Sqrt(Dot(s, s) * Dot(y, y)))
            {
                if (pairs.Count == memory) pairs.RemoveAt(0);
                pairs.Add((s, y, 1 / curvature));
            }
            else pairs.Clear();
            Record();
        }
    }

    private void ConjugateGradient(double[] q, double[] f)
    {
        double[] d = [.. f];
        double first = 1.0 / 70, square = Dot(f, f);
        while (!Converged())
        {
            if (!(Dot(f, d) > 0)) f.CopyTo(d, 0);
            double slope = Dot(f, d);
            double[] f0 = [.. f];
            double t = Search(q, f, d, first, 0.1, 20);
            double now = Dot(f, f), beta = Math.Max(0, (now - Dot(f, f0)) / square);
            for (int i = 0; i < d.Length; i++) d[i] = f[i] + beta * d[i];
            // The same gain of slope as in the step before.
            first = Math.Clamp(t * slope / Math.Max(Dot(f, d), 1e-300), 1e-6, 1e6);
            square = now;
            Record();
        }
    }

    private void Fire(double[] q, double[] f)
    {
        // Unit mass: dt in Å/√eV, 0.1 is a tenth of the period of a stiff bond.
        const double start = 0.25, longest = 1.0, shortest = 0.002;
        double dt = 0.1, alpha = start;
        int downhill = 0;
        double[] v = new double[q.Length], move = new double[q.Length];
        while (!Converged())
        {
            if (Dot(f, v) > 0 || _steps == 1)
            {
                if (++downhill > 20)
                {
                    dt = Math.Min(1.1 * dt, longest);
                    alpha *= 0.99;
                }
            }
            else
            {
                // Uphill: half a step back, stop (FIRE 2.0, eq. 6).
                downhill = 0;
                dt = Math.Max(0.5 * dt, shortest);
                alpha = start;
                for (int i = 0; i < q.Length; i++) q[i] -= 0.5 * move[i];
                Array.Clear(v);
            }
            for (int i = 0; i < q.Length; i++) v[i] += dt * f[i];
            double mix = alpha * Math.Sqrt(Dot(v, v) / Math.Max(Dot(f, f), 1e-300));
            for (int i = 0; i < q.Length; i++)
            {
                v[i] = (1 - alpha) * v[i] + mix * f[i];
                move[i] = dt * v[i];
            }
            double bound = Bound(move);
            for (int i = 0; i < q.Length; i++)
            {
                v[i] *= bound;
                q[i] += move[i] *= bound;
            }
            Evaluate(q, f);
            Record();
        }
    }
}
