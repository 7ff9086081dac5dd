namespace MsHpc.Atomistics.Dynamics;

/// <summary>
/// Linear regression of the conserved quantity E over time, one pass: with running means, S_tt += (t − t̄ₙ₋₁)(t − t̄ₙ), S_tE alike
/// (B. P. Welford, Technometrics 4, 419, 1962); slope = S_tE/S_tt.
/// </summary>
internal sealed class DriftMonitor
{
    /// <summary>n, t̄, Ē, S_tt, S_tE, S_EE, first E.</summary>
    public double[] State { get; } = new double[7];

    public void Add(double time, double energy)
    {
        double[] s = State;
        if (s[0] == 0) s[6] = energy;
        energy -= s[6];
        s[0]++;
        double dt = time - s[1], de = energy - s[2];
        s[1] += dt / s[0];
        s[2] += de / s[0];
        s[3] += dt * (time - s[1]);
        s[4] += dt * (energy - s[2]);
        s[5] += de * (energy - s[2]);
    }

    public void Clear() => Array.Clear(State);

    /// <summary>eV/fs; NaN for fewer than three points.</summary>
    public double Slope => State[0] < 3 ? double.NaN : State[4] / State[3];

    /// <summary>Root mean square of E about the line, eV.</summary>
    public double Scatter => State[0] < 3 ? double.NaN : Math.Sqrt(Math.Max(0, State[5] - State[4] * State[4] / State[3]) / State[0]);
}
