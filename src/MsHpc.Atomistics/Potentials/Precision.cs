namespace MsHpc.Atomistics.Potentials;

/// <summary>Arithmetic of a kernel.</summary>
public enum Precision
{
    /// <summary>Double throughout.</summary>
    Double,
    /// <summary>Distances and forces between atoms in single, sums over atoms in double. The error is stated at each potential.</summary>
    Mixed,
}
