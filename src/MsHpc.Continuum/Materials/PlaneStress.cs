using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MsHpc.Core;

namespace MsHpc.Continuum.Materials;

/// <summary>
/// Any law in space as a law in plane stress: the strains across the plane are found such that σ_zz = σ_yz = σ_xz = 0 (at finite strain
/// P_33 = P_13 = P_23 = 0 with F_31 = F_32 = 0), the tangent is condensed statically: C_kk − C_kf C_ff⁻¹ C_fk. Local Newton per point, see
/// <see cref="MixedControl"/>. State: that of the inner law, then the strains across the plane, from which the next step starts.
/// A point whose iteration does not converge fails; its stress and tangent are zero.
/// Source: de Borst, Eng. Comput. 8, 99 (1991); Klinkel and Govindjee, Eng. Comput. 19, 909 (2002).
/// </summary>
public sealed class PlaneStress : IMaterial
{
    private readonly IMaterial _inner;
    private readonly int[] _kept, _free;
    private readonly int _components, _innerState;
    private readonly bool _finite;
    private readonly string[] _outputs;

    /// <summary>Wraps a law.</summary>
    /// <param name="solid">Law in <see cref="StrainSpace.SolidSmall"/> or <see cref="StrainSpace.SolidFinite"/>.</param>
    /// <param name="mirror">Whether the plane is a mirror plane of the law (isotropic laws, crystals along their axes): then the shears across
    /// it vanish by themselves and only the normal strain is sought and stored.</param>
    /// <exception cref="ArgumentException">The law is not one in space, or is a collective one, which a local iteration cannot call.</exception>
    public PlaneStress(IMaterial solid, bool mirror)
    {
        ArgumentNullException.ThrowIfNull(solid);
        if (solid.Space.Dimension() != 3) throw new ArgumentException($"plane stress needs a law in space, not one in {solid.Space}", nameof(solid));
        if (solid.IsCollective) throw new ArgumentException("plane stress iterates at each point and cannot wrap a collective material; " +
            "prescribe the stress in that material's own boundary condition", nameof(solid));
        _inner = solid;
        _finite = solid.Space.IsFinite();
        _kept = _finite ? [0, 1, 3, 4] : [0, 1, 5];
        _free = _finite ? (mirror ? [8] : [8, 2, 5]) : mirror ? [2] : [2, 3, 4];
        _components = solid.Space.Components();
        _innerState = solid.StateSize;
        _outputs = [.. solid.OutputNames, _finite ? "F_33" : "strain_zz"];
    }

    /// <inheritdoc/>
    public string Description => _inner.Description + "; plane stress (de Borst, Eng. Comput. 8, 99)";

    /// <inheritdoc/>
    public StrainSpace Space => _finite ? StrainSpace.PlaneFinite : StrainSpace.PlaneSmall;

    /// <inheritdoc/>
    public int StateSize => _innerState + _free.Length;

    /// <inheritdoc/>
    public double Density => _inner.Density;

    /// <inheritdoc/>
    public bool HasSymmetricTangent => _inner.HasSymmetricTangent;

    /// <inheritdoc/>
    public IReadOnlyList<string> OutputNames => _outputs;

    /// <inheritdoc/>
    public void InitializeState(Span<double> state, int blocks)
    {
        int w = Lane4.Width, size = StateSize;
        for (int b = 0; b < blocks; b++)
        {
            var block = state.Slice(b * size * w, size * w);
            _inner.InitializeState(block[..(_innerState * w)], 1);
            block[(_innerState * w)..].Clear();
            if (_finite) block.Slice(_innerState * w, w).Fill(1);
        }
    }

    /// <inheritdoc/>
    [SkipLocalsInit]
    public bool Evaluate(in MaterialBatch batch)
    {
        int w = Lane4.Width, n = _components, m = _kept.Length, f = _free.Length, size = StateSize;
        BatchChecks.Require(in batch, m, size);
        Span<double> strain = stackalloc double[9 * w], stress = stackalloc double[9 * w], tangent = stackalloc double[81 * w];
        Span<Lanes4> target = stackalloc Lanes4[9];
        target.Clear();
        strain = strain[..(n * w)];
        stress = stress[..(n * w)];
        tangent = tangent[..(n * n * w)];
        tangent.Clear();
        bool ok = true;
        for (int b = 0; b < batch.Blocks; b++)
        {
            var old = batch.OldState.Slice(b * size * w, size * w);
            var state = batch.NewState.Slice(b * size * w, size * w);
            Expand(batch.Strain.Slice(b * m * w, m * w), old[(_innerState * w)..], strain);
            byte active = batch.Active.IsEmpty ? Lane4.All : batch.Active[b];
            // All lanes are solved, idle ones too: their state stays valid. Only active ones can fail the call.
            byte bad = MixedControl.Newton(_inner, _free, target[..f], strain, old[..(_innerState * w)], state[..(_innerState * w)], stress,
                tangent, batch.Time, batch.TimeStep, Lane4.All, MixedControl.DefaultTolerance, MixedControl.DefaultMaxIterations);
            bad &= active;
            if (!batch.Failed.IsEmpty) batch.Failed[b] = bad;
            ok &= bad == 0;
            for (int k = 0; k < m; k++) stress.Slice(_kept[k] * w, w).CopyTo(batch.Stress.Slice((b * m + k) * w, w));
            for (int k = 0; k < f; k++) strain.Slice(_free[k] * w, w).CopyTo(state.Slice((_innerState + k) * w, w));
            if (batch.Tangent.IsEmpty) continue;
            var condensed = batch.Tangent.Slice(b * m * m * w, m * m * w);
            MixedControl.Condense(n, _kept, _free, tangent, condensed);
            if (bad == 0) continue;
            var mask = Lane4.Mask(bad);
            foreach (ref var c in MemoryMarshal.Cast<double, Lanes4>(condensed)) c = Lane4.Select(mask, Lanes4.Zero, c);
        }
        return ok;
    }

    /// <summary>Results of the inner law, then <c>strain_zz</c> or <c>F_33</c>.</summary>
    [SkipLocalsInit]
    public void GetOutputs(in MaterialBatch batch, Span<double> outputs)
    {
        int w = Lane4.Width, n = _components, m = _kept.Length, size = StateSize, count = _outputs.Length;
        Span<double> strain = stackalloc double[9 * w], stress = stackalloc double[9 * w];
        strain = strain[..(n * w)];
        stress = stress[..(n * w)];
        stress.Clear(); // what is not kept is zero by definition
        for (int b = 0; b < batch.Blocks; b++)
        {
            var state = batch.NewState.Slice(b * size * w, size * w);
            Expand(batch.Strain.Slice(b * m * w, m * w), state[(_innerState * w)..], strain);
            for (int k = 0; k < m; k++) batch.Stress.Slice((b * m + k) * w, w).CopyTo(stress.Slice(_kept[k] * w, w));
            var o = outputs.Slice(b * count * w, count * w);
            _inner.GetOutputs(new MaterialBatch
            {
                Blocks = 1, Strain = strain, OldState = default, NewState = state[..(_innerState * w)], Stress = stress,
                Time = batch.Time, TimeStep = batch.TimeStep,
            }, o[..((count - 1) * w)]);
            strain.Slice(_free[0] * w, w).CopyTo(o[((count - 1) * w)..]);
        }
    }

    /// <summary>The strain in space from the strain in the plane and the strains across it.</summary>
    private void Expand(ReadOnlySpan<double> plane, ReadOnlySpan<double> across, Span<double> strain)
    {
        int w = Lane4.Width;
        strain.Clear();
        for (int k = 0; k < _kept.Length; k++) plane.Slice(k * w, w).CopyTo(strain.Slice(_kept[k] * w, w));
        for (int k = 0; k < _free.Length; k++) across.Slice(k * w, w).CopyTo(strain.Slice(_free[k] * w, w));
    }
}
