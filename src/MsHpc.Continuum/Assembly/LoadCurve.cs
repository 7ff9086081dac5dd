using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>A factor as a function of time. Curves of the same shape are equal.</summary>
public abstract record LoadCurve
{
    /// <summary>Zero at all times.</summary>
    public static LoadCurve Zero { get; } = new ConstantCurve(0);

    /// <summary>One at all times.</summary>
    public static LoadCurve One { get; } = new ConstantCurve(1);

    /// <summary>The same value at all times.</summary>
    public static LoadCurve Constant(double value) => new ConstantCurve(value);

    /// <summary>Linear from (0, 0) to (duration, value), then constant.</summary>
    public static LoadCurve Ramp(double value, double duration = 1) => Table([0, duration], [0, value]);

    /// <summary>Piecewise linear through the given points, constant outside.</summary>
    /// <param name="times">Rising times.</param>
    /// <param name="values">One value per time.</param>
    /// <exception cref="InputException">Lengths differ, are zero, or times do not rise.</exception>
    public static LoadCurve Table(IReadOnlyList<double> times, IReadOnlyList<double> values)
    {
        if (times.Count == 0 || times.Count != values.Count)
            throw new InputException($"a load table needs as many times as values, at least one; it has {times.Count} and {values.Count}");
        for (int i = 0; i < times.Count; i++)
            if (!double.IsFinite(times[i]) || !double.IsFinite(values[i]) || i > 0 && !(times[i] > times[i - 1]))
                throw new InputException($"a load table needs finite numbers at rising times; entry {i + 1} is ({times[i]}, {values[i]})");
        return new TableCurve([.. times], [.. values]);
    }

    /// <summary>A function of time, for programs; equal only to itself.</summary>
    public static LoadCurve Function(Func<double, double> function) => new FunctionCurve(function);

    /// <summary>Value at a time.</summary>
    public abstract double At(double time);

    /// <summary>The next time after the given one at which the slope jumps; +∞ when there is none. Steps end there.</summary>
    public virtual double NextKnot(double time) => double.PositiveInfinity;

    private sealed record ConstantCurve(double Value) : LoadCurve
    {
        public override double At(double time) => Value;
    }

    private sealed record FunctionCurve(Func<double, double> Value) : LoadCurve
    {
        public override double At(double time) => Value(time);
    }

    private sealed record TableCurve(double[] Times, double[] Values) : LoadCurve
    {
        public override double At(double time)
        {
            if (time <= Times[0]) return Values[0];
            if (time >= Times[^1]) return Values[^1];
            int i = Array.BinarySearch(Times, time);
            if (i >= 0) return Values[i];
            i = ~i;
            double s = (time - Times[i - 1]) / (Times[i] - Times[i - 1]);
            return Values[i - 1] + s * (Values[i] - Values[i - 1]);
        }

        public override double NextKnot(double time)
        {
            foreach (double t in Times) if (t > time) return t;
            return double.PositiveInfinity;
        }

        public bool Equals(TableCurve? other) => other is not null && Times.AsSpan().SequenceEqual(other.Times) && Values.AsSpan().SequenceEqual(other.Values);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            foreach (double t in Times) hash.Add(t);
            foreach (double v in Values) hash.Add(v);
            return hash.ToHashCode();
        }
    }
}
