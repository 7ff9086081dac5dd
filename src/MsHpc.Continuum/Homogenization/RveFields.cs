using MsHpc.Continuum.Assembly;
using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Homogenization;

/// <summary>Fields inside one copy of a representative volume, for pictures and files.</summary>
public static class RveFields
{
    /// <summary>
    /// Displacement (macro part ε̄·x or (F̄ − 1)·X from the lower corner, plus fluctuation) and fluctuation at the nodes; per element the means
    /// of the stress, of the strain, and of what the phases' laws tell further. The phases are evaluated once more at their committed state.
    /// </summary>
    /// <param name="material">The volume.</param>
    /// <param name="point">A point of a macro model, see <see cref="FeModel.Point"/>.</param>
    public static IReadOnlyList<FeField> Of(RveMaterial material, PointState point)
    {
        var model = material.Model;
        var mesh = model.Mesh;
        int dim = mesh.Dimension, n = model.Space.Components(), w = Lane4.Width, lane = point.Lane;
        double[] fluctuation = material.Fluctuation(point.State, lane), displacement = (double[])fluctuation.Clone();
        var (low, _) = BoxSides.Bounds(mesh);
        var gradient = Gradient(model.Space, point.Strain);
        for (int a = 0; a < mesh.NodeCount; a++)
            for (int i = 0; i < dim; i++)
                for (int j = 0; j < dim; j++)
                    displacement[a * dim + i] += gradient[i * dim + j] * (mesh.Coordinates[a * dim + j] - low[j]);

        string[] names = [.. model.Groups.SelectMany(g => g.Material.OutputNames).Distinct()];
        double[] stress = new double[mesh.CellCount * n], strain = new double[mesh.CellCount * n];
        var further = names.Select(_ => new double[mesh.CellCount]).ToArray();
        int first = 0;
        Span<double> h = stackalloc double[9];
        foreach (var group in model.Groups)
        {
            // The state of a group is that of its points, one after the other, four copies in the lanes: a batch as it stands.
            int points = group.Points, blocks = group.Cells.Count * points, size = group.Material.StateSize, own = group.Material.OutputNames.Count;
            double[] e = new double[blocks * n * w], s = new double[blocks * n * w], newState = new double[blocks * size * w], o = new double[blocks * own * w];
            for (int c = 0; c < group.Cells.Count; c++)
                for (int q = 0; q < points; q++)
                {
                    var table = group.Tables[group.TableOf[c]];
                    h.Clear();
                    for (int a = 0; a < group.Nodes; a++)
                        for (int i = 0; i < dim; i++)
                            for (int j = 0; j < dim; j++)
                                h[i * dim + j] += displacement[group.Cells.Nodes(c)[a] * dim + i] * table[(q * group.Nodes + a) * dim + j];
                    for (int k = 0; k < n; k++) e.AsSpan(((c * points + q) * n + k) * w, w).Fill(Component(model.Space, h, k));
                }
            var batch = new MaterialBatch
            {
                Blocks = blocks, Strain = e, OldState = point.State.AsSpan(group.StateOffset * w, blocks * size * w), NewState = newState, Stress = s,
            };
            group.Material.Evaluate(batch);
            if (own > 0) group.Material.GetOutputs(batch, o);
            for (int c = 0; c < group.Cells.Count; c++)
            {
                var table = group.Tables[group.TableOf[c]];
                double volume = 0;
                int cell = first + c;
                for (int q = 0; q < points; q++)
                {
                    double weight = table[points * group.Nodes * dim + q];
                    int block = c * points + q;
                    volume += weight;
                    for (int k = 0; k < n; k++)
                    {
                        stress[cell * n + k] += weight * s[(block * n + k) * w + lane];
                        strain[cell * n + k] += weight * e[(block * n + k) * w + lane];
                    }
                    for (int k = 0; k < own; k++)
                        further[Array.IndexOf(names, group.Material.OutputNames[k])][cell] += weight * o[(block * own + k) * w + lane];
                }
                for (int k = 0; k < n; k++) { stress[cell * n + k] /= volume; strain[cell * n + k] /= volume; }
                foreach (string name in group.Material.OutputNames) further[Array.IndexOf(names, name)][cell] /= volume;
            }
            first += group.Cells.Count;
        }
        return
        [
            new("displacement", false, dim, displacement),
            new("fluctuation", false, dim, fluctuation),
            new(model.Space.IsFinite() ? "P" : "stress", true, n, stress),
            new(model.Space.IsFinite() ? "F" : "strain", true, n, strain),
            .. names.Select((name, k) => new FeField(name, true, 1, further[k])),
        ];
    }

    private static double[] Gradient(StrainSpace space, double[] e) => space switch
    {
        StrainSpace.PlaneSmall => [e[0], e[2] / 2, e[2] / 2, e[1]],
        StrainSpace.SolidSmall => [e[0], e[5] / 2, e[4] / 2, e[5] / 2, e[1], e[3] / 2, e[4] / 2, e[3] / 2, e[2]],
        StrainSpace.PlaneFinite => [e[0] - 1, e[1], e[2], e[3] - 1],
        _ => [e[0] - 1, e[1], e[2], e[3], e[4] - 1, e[5], e[6], e[7], e[8] - 1],
    };

    private static double Component(StrainSpace space, ReadOnlySpan<double> h, int k) => space switch
    {
        StrainSpace.PlaneSmall => k switch { 0 => h[0], 1 => h[3], _ => h[1] + h[2] },
        StrainSpace.SolidSmall => k switch { 0 => h[0], 1 => h[4], 2 => h[8], 3 => h[5] + h[7], 4 => h[2] + h[6], _ => h[1] + h[3] },
        StrainSpace.PlaneFinite => h[k] + (k is 0 or 3 ? 1 : 0),
        _ => h[k] + (k is 0 or 4 or 8 ? 1 : 0),
    };
}
