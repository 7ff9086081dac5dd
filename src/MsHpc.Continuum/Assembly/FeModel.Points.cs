using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>The committed state of one integration point, among the seven others of its block.</summary>
/// <param name="Lane">Place of the point in the block.</param>
/// <param name="Strain">Its strain or F.</param>
/// <param name="Stress">Its stress or P.</param>
/// <param name="State">State of the block of four, as in <see cref="MaterialBatch"/>.</param>
public sealed record PointState(int Lane, double[] Strain, double[] Stress, double[] State);

public sealed partial class FeModel
{
    /// <summary>The committed state of a point; null on ranks that do not have the cell.</summary>
    /// <exception cref="InputException">The cell has no such point.</exception>
    public PointState? Point(int meshCell, int point)
    {
        foreach (var g in _groups)
        {
            int element = Array.IndexOf(g.Cells, meshCell);
            if (element < 0) continue;
            if (point < 0 || point >= g.Reference.Points)
                throw new InputException($"element {meshCell} ({g.Type}) has {g.Reference.Points} integration points, numbered from 0; there is no {point}");
            return At(g, g.FirstBlock + element / Lane4.Width * g.Reference.Points + point, element % Lane4.Width, g.Points.CommittedStrain);
        }
        return null;
    }

    /// <summary>The first point of this rank that failed in the last evaluation, with its committed state; null when none failed.</summary>
    public (int Cell, int Point, PointState State)? FailedPoint()
    {
        foreach (var g in _groups)
            for (int b = 0; b < g.Blocks; b++)
                for (int q = 0; q < g.Reference.Points; q++)
                {
                    int block = g.FirstBlock + b * g.Reference.Points + q, bits = g.Points.Failed[block];
                    for (int l = 0; l < g.LanesOf(b); l++)
                        if ((bits >> l & 1) != 0) return (g.Cells[b * Lane4.Width + l], q, At(g, block, l, g.Points.CommittedStrain));
                }
        return null;
    }

    /// <summary>Largest value of a further output (see <see cref="IMaterial.OutputNames"/>) over all points whose law has it; −∞ when none
    /// does. Collective.</summary>
    public double LargestOutput(string name)
    {
        double largest = double.NegativeInfinity;
        int n = Space.Components();
        foreach (var g in _groups)
        {
            var law = g.Points.Law;
            int points = g.Reference.Points, own = law.OutputNames.Count, size = law.StateSize * Lane4.Width, at = -1;
            for (int k = 0; k < own; k++) if (law.OutputNames[k] == name) at = k;
            if (at < 0) continue;
            var outputs = new double[points * own * Lane4.Width];
            for (int b = 0; b < g.Blocks; b++)
            {
                int first = g.FirstBlock + b * points;
                law.GetOutputs(new MaterialBatch
                {
                    Blocks = points,
                    Active = g.Points.Active.AsSpan(first, points),
                    Strain = g.Points.CommittedStrain.AsSpan(first * n * Lane4.Width, points * n * Lane4.Width),
                    Stress = g.Points.CommittedStress.AsSpan(first * n * Lane4.Width, points * n * Lane4.Width),
                    OldState = g.Points.OldState.AsSpan(first * size, points * size),
                    NewState = g.Points.OldState.AsSpan(first * size, points * size),
                    Time = _time,
                    TimeStep = _timeStep,
                }, outputs);
                for (int q = 0; q < points; q++)
                    for (int l = 0; l < g.LanesOf(b); l++) largest = Math.Max(largest, outputs[(q * own + at) * Lane4.Width + l]);
            }
        }
        return Comm.AllReduceMax(largest);
    }

    private PointState At(ElementGroup g, int block, int lane, double[] strains)
    {
        int n = Space.Components(), size = g.Points.Law.StateSize * Lane4.Width;
        var strain = new double[n];
        var stress = new double[n];
        for (int c = 0; c < n; c++)
        {
            strain[c] = strains[(block * n + c) * Lane4.Width + lane];
            stress[c] = g.Points.CommittedStress[(block * n + c) * Lane4.Width + lane];
        }
        return new PointState(lane, strain, stress, g.Points.OldState.AsSpan(block * size, size).ToArray());
    }
}
