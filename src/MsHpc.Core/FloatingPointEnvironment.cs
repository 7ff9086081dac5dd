using System.Runtime.CompilerServices;

namespace MsHpc.Core;

/// <summary>Checks the processor's floating-point mode, which belongs to the whole process and which any native library can change.</summary>
public static class FloatingPointEnvironment
{
    // Written at run time and read through calls that are not inlined, so that neither compiler computes the answer itself.
    private static double _smallest = double.Epsilon;
    private static double _smallestNormal = 2.2250738585072014e-308;

    /// <summary>Whether denormal numbers survive as operands (no DAZ) and as results (no FTZ) on this thread.</summary>
    public static bool DenormalsAlive => Add(_smallest, _smallest) > 0 && _smallest > 0 && Halve(_smallestNormal) > 0;

    /// <summary>Refuses to compute with denormals flushed to zero: results would differ from those of other machines.</summary>
    /// <remarks>Call it after the native libraries are loaded. The usual culprit is a library that was compiled with
    /// <c>-ffast-math</c> or <c>-Ofast</c>, whose start-up code sets the flags.</remarks>
    /// <exception cref="NativeException">Denormals are flushed to zero.</exception>
    public static void Check()
    {
        if (!DenormalsAlive)
            throw new NativeException("denormal numbers are flushed to zero in this process: a native library was built with -ffast-math "
                + "or -Ofast (see /proc/self/maps for those loaded)");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Add(double a, double b) => a + b;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static double Halve(double a) => a * 0.5;
}
