using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MsHpc.Core;

namespace MsHpc.Continuum.Materials;

/// <summary>A yes or no that the JIT knows: a type argument instead of a variable, so that the other branch is not even compiled.</summary>
public interface IFlag
{
    /// <summary>The answer.</summary>
    static abstract bool Value { get; }
}

/// <summary>Yes; as a dimension: the law in space.</summary>
public readonly struct Yes : IFlag
{
    /// <inheritdoc/>
    public static bool Value => true;
}

/// <summary>No; as a dimension: the law in plane strain.</summary>
public readonly struct No : IFlag
{
    /// <inheritdoc/>
    public static bool Value => false;
}

/// <summary>
/// The physics of one law at four points: a struct with the parameters, without memory. <see cref="LawMaterial{TLaw}"/> is the loop
/// around it, once for all laws. Every reference points at the first component of a block; component c is the c-th vector after it.
/// A kernel treats its lanes alike (select, no branch) and lets no lane influence another, iterations included.
/// </summary>
/// <typeparam name="TLaw">The struct itself.</typeparam>
public interface ILaw<TLaw> where TLaw : struct, ILaw<TLaw>
{
    /// <summary>Strain and stress measure.</summary>
    static abstract StrainSpace Space { get; }

    /// <summary>State numbers per point; zero is the unloaded state.</summary>
    int StateSize { get; }

    /// <summary>The law with everything that depends only on the length of the step worked out.</summary>
    TLaw ForStep(double timeStep);

    /// <summary>Stress, new state and, where wanted, the consistent tangent (row-major).</summary>
    /// <returns>Mask of the lanes that failed; their output means nothing and is finite unless the strain is not.</returns>
    Lanes4 Evaluate<TTangent>(ref readonly Lanes4 strain, ref readonly Lanes4 oldState, ref Lanes4 newState, ref Lanes4 stress,
        ref Lanes4 tangent) where TTangent : struct, IFlag;

    /// <summary>Cauchy stresses that the plane does not carry; only called for laws in the plane.</summary>
    void OutOfPlane(ref readonly Lanes4 strain, ref readonly Lanes4 newState, out Lanes4 zz, out Lanes4 yz, out Lanes4 xz)
        => zz = yz = xz = Lanes4.Zero;

    /// <summary>Whether the tangent is symmetric for every state.</summary>
    static virtual bool HasSymmetricTangent => true;

    /// <summary>Name of the one result beyond stresses, or null.</summary>
    static virtual string? Extra => null;

    /// <summary>That result.</summary>
    Lanes4 GetExtra(ref readonly Lanes4 newState) => Lanes4.Zero;
}

/// <summary>Component access on blocks.</summary>
internal static class BlockAccess
{
    /// <summary>Component <paramref name="c"/> of a block that is read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes4 Get(ref readonly Lanes4 block, int c) => Unsafe.Add(ref Unsafe.AsRef(in block), c);

    /// <summary>Component <paramref name="c"/> of a block that is written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref Lanes4 Ref(ref Lanes4 block, int c) => ref Unsafe.Add(ref block, c);
}

/// <summary>A kernel as a material: checks, the loop over blocks, outputs. Allocates nothing after construction; safe from several threads.</summary>
/// <typeparam name="TLaw">The kernel.</typeparam>
/// <param name="law">The kernel with its parameters.</param>
/// <param name="description">One line for the log: name, parameters, reference.</param>
/// <param name="density">Mass per reference volume; 0 when not given.</param>
public sealed class LawMaterial<TLaw>(TLaw law, string description, double density = 0) : IMaterial where TLaw : struct, ILaw<TLaw>
{
    private static readonly string[] s_outputs = Names();

    /// <summary>The kernel with its parameters.</summary>
    public TLaw Law { get; } = law;

    /// <inheritdoc/>
    public string Description { get; } = description;

    /// <inheritdoc/>
    public StrainSpace Space => TLaw.Space;

    /// <inheritdoc/>
    public int StateSize { get; } = law.StateSize;

    /// <inheritdoc/>
    public double Density { get; } = density;

    /// <inheritdoc/>
    public bool HasSymmetricTangent => TLaw.HasSymmetricTangent;

    /// <inheritdoc/>
    public IReadOnlyList<string> OutputNames => s_outputs;

    /// <inheritdoc/>
    public void InitializeState(Span<double> state, int blocks) => state[..(blocks * StateSize * Lane4.Width)].Clear();

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">An array is too short, or old and new state overlap.</exception>
    public bool Evaluate(in MaterialBatch batch)
    {
        int n = TLaw.Space.Components(), blocks = batch.Blocks;
        BatchChecks.Require(in batch, n, StateSize);
        if (blocks == 0) return true;
        var law = Law.ForStep(batch.TimeStep);
        return batch.Tangent.IsEmpty
            ? Loop<No>(in law, n, blocks, in batch, ref Unsafe.NullRef<double>())
            : Loop<Yes>(in law, n, blocks, in batch, ref MemoryMarshal.GetReference(batch.Tangent));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool Loop<TTangent>(in TLaw law, int n, int blocks, in MaterialBatch batch, ref double tangentStart)
        where TTangent : struct, IFlag
    {
        ref readonly Lanes4 strain = ref Unsafe.As<double, Lanes4>(ref MemoryMarshal.GetReference(batch.Strain));
        ref readonly Lanes4 old = ref Unsafe.As<double, Lanes4>(ref MemoryMarshal.GetReference(batch.OldState));
        ref Lanes4 state = ref Unsafe.As<double, Lanes4>(ref MemoryMarshal.GetReference(batch.NewState));
        ref Lanes4 stress = ref Unsafe.As<double, Lanes4>(ref MemoryMarshal.GetReference(batch.Stress));
        ref Lanes4 tangent = ref Unsafe.As<double, Lanes4>(ref tangentStart);
        int size = law.StateSize;
        var active = batch.Active;
        var failed = batch.Failed;
        int any = 0;
        for (int b = 0; b < blocks; b++)
        {
            var bad = law.Evaluate<TTangent>(in strain, in old, ref state, ref stress, ref tangent);
            int bits = Lane4.Bits(bad);
            if (active.Length > 0) bits &= active[b];
            if (failed.Length > 0) failed[b] = (byte)bits;
            any |= bits;
            strain = ref Unsafe.Add(ref Unsafe.AsRef(in strain), n);
            old = ref Unsafe.Add(ref Unsafe.AsRef(in old), size);
            state = ref Unsafe.Add(ref state, size);
            stress = ref Unsafe.Add(ref stress, n);
            if (TTangent.Value) tangent = ref Unsafe.Add(ref tangent, n * n);
        }
        return any == 0;
    }

    /// <summary>
    /// Stresses that the stress array does not show: σ_zz in plane strain, Cauchy σ = P·Fᵀ/J and J at finite strain; von Mises stress
    /// √(3/2 s:s) and hydrostatic stress tr σ/3 (positive in tension); the law's own result, such as <c>equivalent_plastic_strain</c>.
    /// </summary>
    public void GetOutputs(in MaterialBatch batch, Span<double> outputs)
    {
        int n = TLaw.Space.Components(), size = StateSize, count = s_outputs.Length, dim = TLaw.Space.Dimension();
        var strains = MemoryMarshal.Cast<double, Lanes4>(batch.Strain);
        var stresses = MemoryMarshal.Cast<double, Lanes4>(batch.Stress);
        var states = MemoryMarshal.Cast<double, Lanes4>(batch.NewState);
        var result = MemoryMarshal.Cast<double, Lanes4>(outputs);
        var law = Law.ForStep(batch.TimeStep);
        Lanes4 noState = Lanes4.Zero;
        for (int b = 0; b < batch.Blocks; b++)
        {
            var e = strains.Slice(b * n, n);
            var s = stresses.Slice(b * n, n);
            ref readonly Lanes4 state = ref noState;
            if (size > 0) state = ref states[b * size];
            var o = result.Slice(b * count, count);
            Lanes4 xx, yy, zz, yz, xz, xy, jacobian = Lanes4.One;
            zz = yz = xz = Lanes4.Zero;
            if (dim == 2) law.OutOfPlane(in e[0], in state, out zz, out yz, out xz);
            int k = 0;
            if (!TLaw.Space.IsFinite())
            {
                xx = s[0]; yy = s[1];
                if (dim == 2) { xy = s[2]; o[k++] = zz; }
                else { zz = s[2]; yz = s[3]; xz = s[4]; xy = s[5]; }
            }
            else if (dim == 2)
            {
                jacobian = e[0] * e[3] - e[1] * e[2];
                xx = (s[0] * e[0] + s[1] * e[1]) / jacobian;
                yy = (s[2] * e[2] + s[3] * e[3]) / jacobian;
                xy = (s[0] * e[2] + s[1] * e[3]) / jacobian;
                o[k++] = xx; o[k++] = yy; o[k++] = zz; o[k++] = xy; o[k++] = jacobian;
            }
            else
            {
                jacobian = e[0] * (e[4] * e[8] - e[5] * e[7]) - e[1] * (e[3] * e[8] - e[5] * e[6]) + e[2] * (e[3] * e[7] - e[4] * e[6]);
                xx = (s[0] * e[0] + s[1] * e[1] + s[2] * e[2]) / jacobian;
                yy = (s[3] * e[3] + s[4] * e[4] + s[5] * e[5]) / jacobian;
                zz = (s[6] * e[6] + s[7] * e[7] + s[8] * e[8]) / jacobian;
                yz = (s[3] * e[6] + s[4] * e[7] + s[5] * e[8]) / jacobian;
                xz = (s[0] * e[6] + s[1] * e[7] + s[2] * e[8]) / jacobian;
                xy = (s[0] * e[3] + s[1] * e[4] + s[2] * e[5]) / jacobian;
                o[k++] = xx; o[k++] = yy; o[k++] = zz; o[k++] = yz; o[k++] = xz; o[k++] = xy; o[k++] = jacobian;
            }
            var mean = (xx + yy + zz) * Lane4.Of(1.0 / 3);
            Lanes4 dx = xx - mean, dy = yy - mean, dz = zz - mean;
            var shear = yz * yz + xz * xz + xy * xy;
            o[k++] = System.Runtime.Intrinsics.Vector256.Sqrt(Lane4.Of(1.5) * (dx * dx + dy * dy + dz * dz) + Lane4.Of(3) * shear);
            o[k++] = mean;
            if (TLaw.Extra is not null) o[k] = law.GetExtra(in state);
        }
    }

    private static string[] Names()
    {
        List<string> names = TLaw.Space switch
        {
            StrainSpace.PlaneSmall => ["sigma_zz"],
            StrainSpace.SolidSmall => [],
            StrainSpace.PlaneFinite => ["sigma_xx", "sigma_yy", "sigma_zz", "sigma_xy", "J"],
            _ => ["sigma_xx", "sigma_yy", "sigma_zz", "sigma_yz", "sigma_xz", "sigma_xy", "J"],
        };
        names.Add("von_mises");
        names.Add("hydrostatic_stress");
        if (TLaw.Extra is { } extra) names.Add(extra);
        return [.. names];
    }
}

/// <summary>The checks every batched material makes before its loop.</summary>
internal static class BatchChecks
{
    /// <summary>Throws unless every array of the batch holds its blocks and the states do not overlap.</summary>
    public static void Require(in MaterialBatch batch, int n, int stateSize)
    {
        int w = batch.Blocks * Lane4.Width;
        if (batch.Blocks < 0 || batch.Strain.Length < w * n || batch.Stress.Length < w * n || batch.OldState.Length < w * stateSize
            || batch.NewState.Length < w * stateSize || (!batch.Tangent.IsEmpty && batch.Tangent.Length < w * n * n)
            || (!batch.Active.IsEmpty && batch.Active.Length < batch.Blocks)
            || (!batch.Failed.IsEmpty && batch.Failed.Length < batch.Blocks))
            throw new ArgumentException($"material batch of {batch.Blocks} blocks: an array is shorter than its blocks " +
                $"({n} strain and {stateSize} state numbers per point)");
        if (stateSize > 0 && batch.OldState[..(w * stateSize)].Overlaps(batch.NewState[..(w * stateSize)]))
            throw new ArgumentException("material batch: the new state overlaps the old one");
    }
}
