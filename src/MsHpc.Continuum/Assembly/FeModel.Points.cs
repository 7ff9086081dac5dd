using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>The committed state of one integration point, among the seven others of its block.</summary>
/// <param name="Lane">Place of the point in the block.</param>
/// <param name="Strain">Its strain or F.</param>
/// <param name="Stress">Its stress or P.</param>
/// <param name="State">State of the block of eight, as in <see cref="MaterialBatch"/>.</param>
public sealed record PointState(int Lane, double[] Strain, double[] Stress, double[] State);

public sealed partial class FeModel
{
    /// <summary>Number of integration points of a mesh cell; 0 on ranks that do not have it.</summary>
    public int PointsOf(int meshCell)
    {
        foreach (var g in _groups)
            if (Array.IndexOf(g.Cells, meshCell) >= 0) return g.Reference.Points;
        return 0;
    }

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
            int block = g.FirstBlock + element / Lane.Width * g.Reference.Points + point, lane = element % Lane.Width, n = Space.Components();
            int size = g.Points.Law.StateSize * Lane.Width;
            var strain = new double[n];
            var stress = new double[n];
            for (int c = 0; c < n; c++)
            {
                strain[c] = g.Points.CommittedStrain[(block * n + c) * Lane.Width + lane];
                stress[c] = g.Points.CommittedStress[(block * n + c) * Lane.Width + lane];
            }
            return new PointState(lane, strain, stress, g.Points.OldState.AsSpan(block * size, size).ToArray());
        }
        return null;
    }
}
