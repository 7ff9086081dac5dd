using MathNet.Numerics;

namespace MsHpc.Core;

/// <summary>Special functions.</summary>
public static class Special
{
    /// <summary>erfc(x) = 2/√π ∫ₓ^∞ exp(−t²) dt, to a few units in the last place.</summary>
    public static double Erfc(double x) => SpecialFunctions.Erfc(x);

    /// <summary>erf(x) = 1 − erfc(x), without cancellation at small x.</summary>
    public static double Erf(double x) => SpecialFunctions.Erf(x);
}
