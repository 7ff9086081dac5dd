namespace MsHpc.Continuum.Materials;

/// <summary>Which strain goes into a law and which stress comes out.</summary>
public enum StrainSpace
{
    /// <summary>Small strain in the plane: (εxx, εyy, γxy) → (σxx, σyy, σxy). Out of plane the law is in plane strain (εzz = 0).</summary>
    PlaneSmall,
    /// <summary>Small strain in space, Voigt xx, yy, zz, yz, xz, xy with engineering shears.</summary>
    SolidSmall,
    /// <summary>Finite strain in the plane: F11, F12, F21, F22 (F33 = 1) → first Piola–Kirchhoff P in the same order.</summary>
    PlaneFinite,
    /// <summary>Finite strain in space: F row by row (nine numbers) → P in the same order.</summary>
    SolidFinite,
}

/// <summary>Sizes that follow from a <see cref="StrainSpace"/>.</summary>
public static class StrainSpaces
{
    /// <summary>Number of strain components n: 3, 6, 4 or 9. The tangent is n × n, row-major.</summary>
    public static int Components(this StrainSpace space) => space switch
    {
        StrainSpace.PlaneSmall => 3,
        StrainSpace.SolidSmall => 6,
        StrainSpace.PlaneFinite => 4,
        _ => 9,
    };

    /// <summary>Space dimension, 2 or 3.</summary>
    public static int Dimension(this StrainSpace space) => space is StrainSpace.PlaneSmall or StrainSpace.PlaneFinite ? 2 : 3;

    /// <summary>Whether the strain is a deformation gradient.</summary>
    public static bool IsFinite(this StrainSpace space) => space is StrainSpace.PlaneFinite or StrainSpace.SolidFinite;

    /// <summary>Names of the components, for tables and files.</summary>
    public static string[] Labels(this StrainSpace space) => space switch
    {
        StrainSpace.PlaneSmall => ["xx", "yy", "xy"],
        StrainSpace.SolidSmall => ["xx", "yy", "zz", "yz", "xz", "xy"],
        StrainSpace.PlaneFinite => ["11", "12", "21", "22"],
        _ => ["11", "12", "13", "21", "22", "23", "31", "32", "33"],
    };
}

/// <summary>
/// Many material points at once. Points come in blocks of four lanes (<see cref="MsHpc.Core.Lane4.Width"/>); every array is an array of blocks:
/// component c of lane l of block b of a field with n components stands at [(b·n + c)·8 + l], so one block is contiguous and one
/// component of it is one vector. Idle lanes (padding) hold harmless strain and valid state; what comes out of them is not used.
/// </summary>
public readonly ref struct MaterialBatch
{
    /// <summary>Number of blocks of four points.</summary>
    public required int Blocks { get; init; }

    /// <summary>Bit l of entry b is set when lane l of block b is a real point. Empty: all are.</summary>
    public ReadOnlySpan<byte> Active { get; init; }

    /// <summary>Strain (n per point, dimensionless) at the end of the step, total, not an increment. In.</summary>
    public required ReadOnlySpan<double> Strain { get; init; }

    /// <summary>State at the start of the step (<see cref="IMaterial.StateSize"/> per point). In.</summary>
    public required ReadOnlySpan<double> OldState { get; init; }

    /// <summary>State at the end of the step; must not overlap <see cref="OldState"/>. On entry it holds the last evaluation of the same step,
    /// or the old state, or zeros: a law that iterates may start from it. Out.</summary>
    public required Span<double> NewState { get; init; }

    /// <summary>Stress (n per point). Out.</summary>
    public required Span<double> Stress { get; init; }

    /// <summary>Consistent tangent ∂stress/∂strain (n² per point, row-major). Out; empty when not wanted.</summary>
    public Span<double> Tangent { get; init; }

    /// <summary>Time at the end of the step, in the job's unit.</summary>
    public double Time { get; init; }

    /// <summary>Length of the step; 0 in a static evaluation.</summary>
    public double TimeStep { get; init; }

    /// <summary>Bit l of entry b is set by the law when that point failed (no convergence, inverted). Out; empty when not wanted.</summary>
    public Span<byte> Failed { get; init; }
}

/// <summary>
/// A constitutive law over batches of points: strain and old state in; stress, tangent and new state out. A representative volume, a
/// database or a micro simulation is one too; that is what makes scales nest.
/// </summary>
public interface IMaterial
{
    /// <summary>Name and parameters in one line, with the literature reference of the law, for the log.</summary>
    string Description { get; }

    /// <summary>Which strain and stress the law speaks.</summary>
    StrainSpace Space { get; }

    /// <summary>State numbers per point; 0 for elastic laws.</summary>
    int StateSize { get; }

    /// <summary>Mass per reference volume; 0 when the user gave none.</summary>
    double Density { get; }

    /// <summary>Whether the tangent is symmetric for every state.</summary>
    bool HasSymmetricTangent { get; }

    /// <summary>
    /// Whether one evaluation is a job of its own (threads and ranks inside): then the model hands over all points of a rank in one call,
    /// exactly once per assembly and on every rank. Otherwise calls are cut to fit the cache and may come from several threads.
    /// </summary>
    bool IsCollective => false;

    /// <summary>Fills the state of unloaded points, blocked as in <see cref="MaterialBatch"/>.</summary>
    void InitializeState(Span<double> state, int blocks);

    /// <summary>Evaluates the law.</summary>
    /// <returns>False when some active point failed; <see cref="MaterialBatch.Failed"/> says which.</returns>
    bool Evaluate(in MaterialBatch batch);

    /// <summary>Names of further results per point (for example <c>sigma_zz</c>, <c>equivalent_plastic_strain</c>).</summary>
    IReadOnlyList<string> OutputNames => [];

    /// <summary>Computes the further results from an evaluated batch, blocked like every field.</summary>
    /// <param name="batch">A batch after <see cref="Evaluate"/>: strain, stress and new state are read, nothing is written.</param>
    /// <param name="outputs">OutputNames.Count numbers per point. Out.</param>
    void GetOutputs(in MaterialBatch batch, Span<double> outputs) { }
}
