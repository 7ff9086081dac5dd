using MsHpc.Core;

namespace MsHpc.Atomistics.Analysis;

/// <summary>Elastic constants of a crystal at 0 K, by Voigt's notation: xx, yy, zz, yz, xz, xy with engineering shears; eV/Å³.</summary>
/// <param name="Atoms">The crystal as it was strained: relaxed, when that was asked for.</param>
/// <param name="Energy">eV.</param>
/// <param name="Relaxed">C_ab with atoms that follow the strain and relax: what an experiment sees. 6×6.</param>
/// <param name="Clamped">C_ab with atoms that follow the strain affinely (Born term). 6×6.</param>
/// <param name="Stress">Residual stress, eV/Å³, xx, yy, zz, yz, xz, xy. Constants are those of the stress-free crystal only as far as this is small beside them.</param>
/// <param name="MaxForce">Largest force component left, eV/Å.</param>
/// <param name="Modes">Eigenvalues of the Hessian of the cell's atoms without their common motion, eV/Å², smallest first: a negative one means a crystal that wants
/// to change its structure.</param>
public sealed record ElasticResult(Atoms Atoms, double Energy, double[,] Relaxed, double[,] Clamped, double[] Stress, double MaxForce, double[] Modes)
{
    /// <summary>Bulk modulus of Voigt's average, (C₁₁ + C₂₂ + C₃₃ + 2(C₁₂ + C₂₃ + C₁₃))/9.</summary>
    public double BulkVoigt => (Relaxed[0, 0] + Relaxed[1, 1] + Relaxed[2, 2] + 2 * (Relaxed[0, 1] + Relaxed[1, 2] + Relaxed[0, 2])) / 9;

    /// <summary>Shear modulus of Voigt's average.</summary>
    public double ShearVoigt => (Relaxed[0, 0] + Relaxed[1, 1] + Relaxed[2, 2] - Relaxed[0, 1] - Relaxed[1, 2] - Relaxed[0, 2]
        + 3 * (Relaxed[3, 3] + Relaxed[4, 4] + Relaxed[5, 5])) / 15;

    /// <summary>Eigenvalues of <see cref="Relaxed"/>, smallest first: the crystal is stable (Born) when all are positive.</summary>
    public double[] Stability
    {
        get
        {
            var a = new double[36];
            for (int i = 0; i < 6; i++) for (int j = 0; j < 6; j++) a[i + 6 * j] = 0.5 * (Relaxed[i, j] + Relaxed[j, i]);
            var values = new double[6];
            Dense.SymmetricEigen(6, a, values);
            return values;
        }
    }

    /// <summary>Bulk and shear modulus of Reuss' average, from the compliances.</summary>
    public (double Bulk, double Shear) Reuss
    {
        get
        {
            var s = new double[36];
            for (int i = 0; i < 6; i++) for (int j = 0; j < 6; j++) s[i + 6 * j] = Relaxed[i, j];
            Dense.Inverse(6, s);
            double S(int i, int j) => s[i + 6 * j];
            double axial = S(0, 0) + S(1, 1) + S(2, 2), cross = S(0, 1) + S(1, 2) + S(0, 2);
            return (1 / (axial + 2 * cross), 15 / (4 * axial - 4 * cross + 3 * (S(3, 3) + S(4, 4) + S(5, 5))));
        }
    }
}

/// <summary>
/// Elastic constants by second derivatives of the energy in strain ε and in the positions u of the cell's atoms, with inner relaxation eliminated exactly:
/// <code>
/// C = (E_εε − E_εu E_uu⁻¹ E_uε)/V
/// </code>
/// (M. Born, K. Huang, Dynamical Theory of Crystal Lattices, 1954; M. Catti, Acta Cryst. A 41, 494, 1985). Derivatives are central differences of forces and of
/// the virial, at steps h and 2h with Richardson's extrapolation: an error of order h⁴. The three common translations are projected out of E_uu.
/// </summary>
public static class ElasticConstants
{
    /// <summary>Computes them.</summary>
    /// <param name="calculator">Energy surface with forces and virial.</param>
    /// <param name="atoms">A cell, periodic in three directions; as small as the crystal allows, since each atom costs twelve force calculations.</param>
    /// <param name="relax">Whether cell and positions are brought to zero stress and force first, by Newton's method on these very derivatives.</param>
    /// <param name="strain">Strain of the differences; atoms move by this times the cube root of the volume per atom.</param>
    /// <param name="progress">Told how many of how many force calculations are done; returns false to stop. Null: nobody.</param>
    /// <exception cref="InputException">A cell that is not periodic, or with more atoms than sensible (500).</exception>
    /// <exception cref="ConvergenceException">The relaxation does not converge.</exception>
    public static ElasticResult Compute(ICalculator calculator, Atoms atoms, bool relax = true, double strain = 1e-3, Func<string, bool>? progress = null)
    {
        if (!(atoms.Cell.Periodic[0] && atoms.Cell.Periodic[1] && atoms.Cell.Periodic[2])) throw new InputException("elastic constants need a cell that is periodic in three directions");
        if (atoms.Count > 500) throw new InputException($"{atoms.Count} atoms are more than elastic constants are computed of here (500): give one cell of the crystal, not a supercell");
        if (!(strain > 0 && strain < 0.05)) throw new InputException($"the strain of the differences is {strain}; it should lie between 0 and 0.05 (0.001 suits most)");
        var state = new State(calculator, Copy(atoms));
        var history = new List<double>();
        for (int iteration = 0; ; iteration++)
        {
            var (energy, gradient) = state.Gradient();
            double volume = state.Atoms.Cell.Volume, stress = gradient[..6].Max(Math.Abs) / volume, force = gradient[6..].Max(Math.Abs);
            history.Add(force);
            // eV/Å³ and eV/Å: far below what changes a digit of the constants.
            bool done = !relax || stress < 1e-9 && force < 1e-8 || iteration > 1 && iteration >= 12 && stress < 1e-7 && force < 1e-6;
            if (!done && iteration >= 25) throw new ConvergenceException($"the crystal was not relaxed in {iteration} Newton steps: stress {stress * Codata.EvPerCubicAngstromInGPa:g3} GPa, force {force:g3} eV/Å are left; relax it with a minimize job first", history);
            if (progress?.Invoke(done ? "second derivatives" : $"relaxation {iteration + 1}: stress {stress * Codata.EvPerCubicAngstromInGPa:g3} GPa, force {force:g3} eV/Å") == false) throw new OperationCanceledException();
            int n = gradient.Length;
            var hessian = state.Hessian(strain, richardson: done);
            if (done) return Result(state, energy, gradient, hessian);
            // Damped by its own eigenvalues: downhill along every mode, translations (eigenvalue 0) left alone, no step longer than a tenth.
            double scale = Math.Cbrt(volume / state.Atoms.Count) ;
            var a = new double[n * n];
            for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) a[i + n * j] = hessian[i, j] * Weight(i) * Weight(j);
            double Weight(int i) => i < 6 ? 1 / Math.Sqrt(state.Atoms.Count) : scale;
            var values = new double[n];
            Dense.SymmetricEigen(n, a, values);
            double largest = Math.Max(Math.Abs(values[0]), Math.Abs(values[^1]));
            var step = new double[n];
            for (int m = 0; m < n; m++)
            {
                if (Math.Abs(values[m]) < 1e-7 * largest) continue;
                double along = 0;
                for (int i = 0; i < n; i++) along += a[i + n * m] * gradient[i] * Weight(i);
                for (int i = 0; i < n; i++) step[i] -= Weight(i) * a[i + n * m] * along / Math.Abs(values[m]);
            }
            double size = Math.Max(step[..6].Max(Math.Abs) / 0.03, step[6..].Max(Math.Abs) / (0.1 * scale));
            if (size > 1) for (int i = 0; i < n; i++) step[i] /= size;
            state.Move(step);
        }
    }

    private static ElasticResult Result(State state, double energy, double[] gradient, double[,] h)
    {
        int n = gradient.Length, u = n - 6, count = u / 3;
        double volume = state.Atoms.Cell.Volume;
        // Common translations pushed far up: their part of the inverse vanishes, and E_uε has none.
        double trace = 0;
        for (int i = 6; i < n; i++) trace += Math.Abs(h[i, i]);
        double lift = Math.Max(trace / u, 1e-6);
        var k = new double[u * u];
        for (int i = 0; i < u; i++)
            for (int j = 0; j < u; j++) k[i + u * j] = 0.5 * (h[6 + i, 6 + j] + h[6 + j, 6 + i]) + (i % 3 == j % 3 ? lift / count : 0);
        var eigen = (double[])k.Clone();
        var modes = new double[u];
        Dense.SymmetricEigen(u, eigen, modes);
        // The three lifted ones are translations; take those nearest to the lift with uniform vectors away.
        var inner = new List<double>();
        for (int m = 0; m < u; m++)
        {
            double uniform = 0;
            for (int d = 0; d < 3; d++)
            {
                double sum = 0;
                for (int i = d; i < u; i += 3) sum += eigen[i + u * m];
                uniform += sum * sum / count;
            }
            if (uniform < 0.5) inner.Add(modes[m]);
        }
        var right = new double[u * 6];
        for (int e = 0; e < 6; e++) for (int i = 0; i < u; i++) right[i + u * e] = 0.5 * (h[6 + i, e] + h[e, 6 + i]);
        var solved = (double[])right.Clone();
        Dense.LuSolve(u, k, 6, solved);
        var clamped = new double[6, 6];
        var relaxed = new double[6, 6];
        for (int a = 0; a < 6; a++)
            for (int b = 0; b < 6; b++)
            {
                clamped[a, b] = 0.5 * (h[a, b] + h[b, a]) / volume;
                double inside = 0;
                for (int i = 0; i < u; i++) inside += right[i + u * a] * solved[i + u * b];
                relaxed[a, b] = clamped[a, b] - inside / volume;
            }
        return new ElasticResult(state.Atoms, energy, relaxed, clamped, [.. gradient[..6].Select(g => g / volume)], gradient[6..].Max(Math.Abs), [.. inner.Order()]);
    }

    private static Atoms Copy(Atoms atoms)
    {
        var copy = new Atoms(atoms.Species, atoms.Types, [.. atoms.Positions], atoms.Cell) { Ids = atoms.Ids, Molecules = atoms.Molecules, Topology = atoms.Topology };
        atoms.Charges.CopyTo(copy.Charges, 0);
        return copy;
    }

    /// <summary>A cell with its generalized coordinates: six strains, then displacements.</summary>
    private sealed class State(ICalculator calculator, Atoms atoms)
    {
        private readonly CalculatorResults _results = new(atoms.Count);
        private Cell _cell = atoms.Cell;
        private double[] _positions = [.. atoms.Positions];

        public Atoms Atoms => atoms;

        /// <summary>Energy, then ∂E/∂ε (= V σ) and ∂E/∂u (= −F) at the reference.</summary>
        public (double Energy, double[] Gradient) Gradient()
        {
            calculator.Compute(atoms, Want.Virial, _results);
            if (!double.IsFinite(_results.Energy)) throw new NumericalException("the energy of the crystal is not a number: do atoms overlap?");
            return (_results.Energy, [.. _results.Virial.Select(w => -w), .. _results.Forces.Select(f => -f)]);
        }

        /// <summary>Takes a step from the reference; it becomes the new one.</summary>
        public void Move(double[] q)
        {
            Place(q);
            (_cell, _positions) = (atoms.Cell, [.. atoms.Positions]);
        }

        /// <summary>r = (1 + ε)(r₀ + u) with edges alike; ε symmetric.</summary>
        private void Place(double[] q)
        {
            double[] f = [1 + q[0], q[5] / 2, q[4] / 2, q[5] / 2, 1 + q[1], q[3] / 2, q[4] / 2, q[3] / 2, 1 + q[2]];
            var rows = new double[9];
            for (int e = 0; e < 3; e++)
                for (int a = 0; a < 3; a++)
                    for (int b = 0; b < 3; b++) rows[3 * e + a] += f[3 * a + b] * _cell.Rows[3 * e + b];
            var origin = _cell.Origin;
            for (int i = 0; i < atoms.Count; i++)
                for (int a = 0; a < 3; a++)
                {
                    double x = origin[a];
                    for (int b = 0; b < 3; b++) x += f[3 * a + b] * (_positions[3 * i + b] + q[6 + 3 * i + b] - origin[b]);
                    atoms.Positions[3 * i + a] = x;
                }
            atoms.Cell = _cell.WithRows(rows);
        }

        public double[,] Hessian(double strain, bool richardson)
        {
            int n = 6 + 3 * atoms.Count;
            double length = strain * Math.Cbrt(_cell.Volume / atoms.Count);
            var h = new double[n, n];
            var q = new double[n];
            for (int c = 0; c < n; c++)
            {
                double step = c < 6 ? strain : length;
                double[] one = Slope(c, step), two = richardson ? Slope(c, 2 * step) : one;
                for (int i = 0; i < n; i++) h[i, c] = richardson ? (4 * one[i] - two[i]) / 3 : one[i];
            }
            Place(q);
            return h;

            double[] Slope(int c, double step)
            {
                q[c] = step;
                Place(q);
                var plus = At(c).ToArray();
                q[c] = -step;
                Place(q);
                double[] minus = At(c);
                q[c] = 0;
                for (int i = 0; i < n; i++) plus[i] = (plus[i] - minus[i]) / (2 * step);
                return plus;
            }

            // ∂E/∂ε at strain ε: the virial is that per strain of the strained cell, W(1 + ε)⁻¹ per strain of the reference; forces likewise.
            double[] At(int c)
            {
                var (_, g) = Gradient();
                double[] e = q;
                double[] f = [1 + e[0], e[5] / 2, e[4] / 2, e[5] / 2, 1 + e[1], e[3] / 2, e[4] / 2, e[3] / 2, 1 + e[2]];
                if (c >= 6) return g;
                double[] inverse = Inverse3(f), w = [g[0], g[5], g[4], g[5], g[1], g[3], g[4], g[3], g[2]], p = new double[9];
                for (int a = 0; a < 3; a++) for (int b = 0; b < 3; b++) for (int k = 0; k < 3; k++) p[3 * a + b] += w[3 * a + k] * inverse[3 * k + b];
                (g[0], g[1], g[2], g[3], g[4], g[5]) = (p[0], p[4], p[8], (p[5] + p[7]) / 2, (p[2] + p[6]) / 2, (p[1] + p[3]) / 2);
                for (int i = 6; i < n; i += 3)
                {
                    double x = g[i], y = g[i + 1], z = g[i + 2];
                    for (int a = 0; a < 3; a++) g[i + a] = f[3 * a] * x + f[3 * a + 1] * y + f[3 * a + 2] * z;
                }
                return g;
            }
        }

        private static double[] Inverse3(double[] m)
        {
            double d = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
            return
            [
                (m[4] * m[8] - m[5] * m[7]) / d, (m[2] * m[7] - m[1] * m[8]) / d, (m[1] * m[5] - m[2] * m[4]) / d,
                (m[5] * m[6] - m[3] * m[8]) / d, (m[0] * m[8] - m[2] * m[6]) / d, (m[2] * m[3] - m[0] * m[5]) / d,
                (m[3] * m[7] - m[4] * m[6]) / d, (m[1] * m[6] - m[0] * m[7]) / d, (m[0] * m[4] - m[1] * m[3]) / d,
            ];
        }
    }
}
