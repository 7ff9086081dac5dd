using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MsHpc.Core;

namespace MsHpc.Continuum.Materials;

/// <summary>
/// Drives a material with some strains and, for the other components, the stresses given: find the free strains ε_f with
/// σ_f(ε) = σ̄_f by Newton, Δε_f = C_ff⁻¹ (σ̄_f − σ_f), halving the step of a lane whose residual grew. Four lanes at once, each
/// for itself. Plane stress is the case σ̄_f = 0 for the components across the plane; a representative volume is driven the same way,
/// since it is a material. Source: de Borst, Eng. Comput. 8, 99 (1991); Klinkel and Govindjee, Eng. Comput. 19, 909 (2002).
/// </summary>
public static class MixedControl
{
    /// <summary>Residual that ends the iteration, relative to the largest stress of the point.</summary>
    public const double DefaultTolerance = 1e-12;

    /// <summary>Evaluations after which a lane counts as failed.</summary>
    public const int DefaultMaxIterations = 60;

    /// <summary>
    /// Solves one block of four points. The material is evaluated once per iteration with one block, so it may be a collective one: every
    /// rank calls this with the same numbers. Allocates nothing.
    /// </summary>
    /// <param name="material">The law; n strain components.</param>
    /// <param name="stressGiven">n entries: true where the stress is given and the strain sought. C_ff must have non-zero pivots: at finite
    /// strain leave F21, F31, F32 given (0), or the rotation is free.</param>
    /// <param name="values">Given strain or stress, n × 8, component by component.</param>
    /// <param name="strain">In: first guess of the free components, n × 8 (1 on the diagonal at finite strain). Out: the full strain.</param>
    /// <param name="oldState">State at the start of the step, StateSize × 8.</param>
    /// <param name="newState">Out: state at the end of the step.</param>
    /// <param name="stress">Out: full stress, n × 8.</param>
    /// <param name="tangent">Out: full tangent, n² × 8.</param>
    /// <param name="time">Time at the end of the step.</param>
    /// <param name="timeStep">Length of the step.</param>
    /// <param name="failed">Bit l is set when lane l did not converge; its stress and tangent are then zero.</param>
    /// <param name="active">Bit l is set when lane l counts.</param>
    /// <param name="tolerance">Residual relative to the largest stress of the point.</param>
    /// <param name="maxIterations">Most evaluations.</param>
    /// <returns>True when every active lane converged.</returns>
    /// <exception cref="ArgumentException">An array is too short.</exception>
    public static bool Solve(IMaterial material, ReadOnlySpan<bool> stressGiven, ReadOnlySpan<double> values, Span<double> strain,
        ReadOnlySpan<double> oldState, Span<double> newState, Span<double> stress, Span<double> tangent, double time, double timeStep,
        out byte failed, byte active = Lane4.All, double tolerance = DefaultTolerance, int maxIterations = DefaultMaxIterations)
    {
        ArgumentNullException.ThrowIfNull(material);
        int n = material.Space.Components(), w = Lane4.Width;
        if (stressGiven.Length < n || values.Length < n * w || strain.Length < n * w || stress.Length < n * w || tangent.Length < n * n * w)
            throw new ArgumentException($"mixed control of a material with {n} components: an array is too short");
        Span<int> free = stackalloc int[9];
        int count = 0;
        for (int c = 0; c < n; c++)
        {
            if (stressGiven[c]) free[count++] = c;
            else values.Slice(c * w, w).CopyTo(strain.Slice(c * w, w));
        }
        Span<Lanes4> target = stackalloc Lanes4[9];
        for (int f = 0; f < count; f++) target[f] = Vector256.Create(values.Slice(free[f] * w, w));
        failed = Newton(material, free[..count], target[..count], strain, oldState, newState, stress, tangent, time, timeStep, active,
            tolerance, maxIterations);
        return failed == 0;
    }

    /// <summary>
    /// The tangent that is left when the stresses <paramref name="free"/> are held: C_kk − C_kf C_ff⁻¹ C_fk (static condensation).
    /// </summary>
    /// <param name="n">Components of the full tangent.</param>
    /// <param name="kept">Components that remain, m of them.</param>
    /// <param name="free">Components whose strain is eliminated.</param>
    /// <param name="tangent">Full tangent, n² × 8. In.</param>
    /// <param name="condensed">m² × 8. Out.</param>
    public static void Condense(int n, ReadOnlySpan<int> kept, ReadOnlySpan<int> free, ReadOnlySpan<double> tangent, Span<double> condensed)
    {
        var c = MemoryMarshal.Cast<double, Lanes4>(tangent);
        var result = MemoryMarshal.Cast<double, Lanes4>(condensed);
        int m = kept.Length, f = free.Length;
        Span<Lanes4> matrix = stackalloc Lanes4[81], right = stackalloc Lanes4[9];
        for (int j = 0; j < m; j++)
        {
            Gather(n, free, c, matrix);
            for (int r = 0; r < f; r++) right[r] = c[free[r] * n + kept[j]];
            SolveSmall(f, matrix, right);
            for (int i = 0; i < m; i++)
            {
                var sum = c[kept[i] * n + kept[j]];
                for (int r = 0; r < f; r++) sum = Lane4.Fnma(c[kept[i] * n + free[r]], right[r], sum);
                result[i * m + j] = sum;
            }
        }
    }

    /// <summary>The iteration; strain holds the given components and the guess of the free ones.</summary>
    /// <returns>Bits of the active lanes that failed.</returns>
    internal static byte Newton(IMaterial material, ReadOnlySpan<int> free, ReadOnlySpan<Lanes4> target, Span<double> strain,
        ReadOnlySpan<double> oldState, Span<double> newState, Span<double> stress, Span<double> tangent, double time, double timeStep,
        byte active, double tolerance, int maxIterations)
    {
        int n = material.Space.Components(), count = free.Length;
        var e = MemoryMarshal.Cast<double, Lanes4>(strain);
        var s = MemoryMarshal.Cast<double, Lanes4>(stress);
        var c = MemoryMarshal.Cast<double, Lanes4>(tangent);
        Span<byte> openBits = [active], inner = [0];
        Span<Lanes4> matrix = stackalloc Lanes4[81], residual = stackalloc Lanes4[9], guess = stackalloc Lanes4[9];
        Span<Lanes4> accepted = stackalloc Lanes4[9], step = stackalloc Lanes4[9];
        for (int f = 0; f < count; f++) guess[f] = accepted[f] = e[free[f]];
        step.Clear();
        Lanes4 open = Lane4.Mask(active), last = Lane4.Of(double.PositiveInfinity), broken = Lanes4.Zero;
        for (int iteration = 0; ; iteration++)
        {
            openBits[0] = Lane4.Bits(open);
            inner[0] = 0;
            material.Evaluate(new MaterialBatch
            {
                Blocks = 1, Active = openBits, Strain = strain, OldState = oldState, NewState = newState, Stress = stress, Tangent = tangent,
                Time = time, TimeStep = timeStep, Failed = inner,
            });
            Lanes4 norm = Lanes4.Zero, scale = Lanes4.Zero, stiff = Lanes4.Zero, reach = Lanes4.Zero;
            for (int k = 0; k < n; k++)
            {
                scale = Vector256.Max(scale, Vector256.Abs(s[k]));
                reach = Vector256.Max(reach, Vector256.Abs(e[k]));
            }
            for (int f = 0; f < count; f++)
            {
                residual[f] = target[f] - s[free[f]];
                norm = Vector256.Max(norm, Vector256.Abs(residual[f]));
                scale = Vector256.Max(scale, Vector256.Abs(target[f]));
                stiff = Vector256.Max(stiff, Vector256.Abs(c[free[f] * (n + 1)]));
            }
            var sound = Vector256.LessThan(norm, Lane4.Of(double.MaxValue)) & ~Lane4.Mask(inner[0]);
            norm = Lane4.Select(sound, norm, Lane4.Of(double.PositiveInfinity));
            // The second part is what rounding of the strains leaves in the stress; strains beyond any sense must not loosen it.
            var limit = Lane4.Fma(Lane4.Of(tolerance), scale, Lane4.Of(1e-14) * stiff * Vector256.Min(reach, Lane4.Of(10)));
            open &= ~(sound & Vector256.LessThanOrEqual(norm, limit));
            if (iteration == 0) { broken = open & ~sound; open &= ~broken; } // the guess itself cannot be evaluated
            if (Lane4.Bits(open) == 0 || iteration + 1 >= maxIterations) break;
            Gather(n, free, c, matrix);
            SolveSmall(count, matrix, residual);
            var worse = ~Vector256.LessThan(norm, last);
            if (iteration == 0) worse = Lanes4.Zero;
            for (int f = 0; f < count; f++)
            {
                var current = e[free[f]];
                accepted[f] = Lane4.Select(worse, accepted[f], current);
                step[f] = Lane4.Select(worse, step[f] * Lane4.Of(0.5), residual[f]);
                e[free[f]] = Lane4.Select(open, accepted[f] + step[f], current);
            }
            last = Lane4.Select(worse, last, norm);
        }
        var bad = open | broken;
        byte bits = Lane4.Bits(bad);
        if (bits != 0)
        {
            for (int f = 0; f < count; f++) e[free[f]] = Lane4.Select(bad, guess[f], e[free[f]]);
            for (int k = 0; k < n; k++) s[k] = Lane4.Select(bad, Lanes4.Zero, s[k]);
            for (int k = 0; k < n * n; k++) c[k] = Lane4.Select(bad, Lanes4.Zero, c[k]);
        }
        return bits;
    }

    private static void Gather(int n, ReadOnlySpan<int> free, ReadOnlySpan<Lanes4> tangent, Span<Lanes4> matrix)
    {
        for (int i = 0; i < free.Length; i++)
            for (int j = 0; j < free.Length; j++) matrix[i * free.Length + j] = tangent[free[i] * n + free[j]];
    }

    /// <summary>Gauss elimination without pivoting; the matrix is destroyed, the right-hand side becomes the solution.</summary>
    private static void SolveSmall(int m, Span<Lanes4> a, Span<Lanes4> x)
    {
        for (int k = 0; k < m; k++)
        {
            var inverse = Lanes4.One / a[k * m + k];
            for (int i = k + 1; i < m; i++)
            {
                var factor = a[i * m + k] * inverse;
                for (int j = k + 1; j < m; j++) a[i * m + j] = Lane4.Fnma(factor, a[k * m + j], a[i * m + j]);
                x[i] = Lane4.Fnma(factor, x[k], x[i]);
            }
        }
        for (int k = m - 1; k >= 0; k--)
        {
            var sum = x[k];
            for (int j = k + 1; j < m; j++) sum = Lane4.Fnma(a[k * m + j], x[j], sum);
            x[k] = sum / a[k * m + k];
        }
    }
}
