using MsHpc.Continuum.Materials;
using MsHpc.Core;

namespace MsHpc.Continuum.Assembly;

/// <summary>A field over the nodes or cells of the whole mesh, in the mesh's order, the same on every rank.</summary>
/// <param name="Name">Name for files.</param>
/// <param name="OnCells">Per cell, otherwise per node.</param>
/// <param name="Components">Numbers per node or cell.</param>
/// <param name="Values">Values, component fastest.</param>
public sealed record FeField(string Name, bool OnCells, int Components, double[] Values);

public sealed partial class FeModel
{
    /// <summary>A local nodal field as a field over the mesh's nodes; nodes without a cell get 0.</summary>
    /// <remarks>Collective.</remarks>
    public double[] GatherNodes(ReadOnlySpan<double> field)
    {
        int dim = Dimension;
        var (values, _) = Comm.AllGather(field[..(OwnedNodes * dim)]);
        var (nodes, _) = Comm.AllGather<int>(_partition.LocalToMesh.AsSpan(0, OwnedNodes));
        var all = new double[Mesh.NodeCount * dim];
        for (int k = 0; k < nodes.Length; k++) values.AsSpan(k * dim, dim).CopyTo(all.AsSpan(nodes[k] * dim));
        return all;
    }

    /// <summary>A field over the mesh's nodes as a local nodal field with ghosts.</summary>
    public double[] ScatterNodes(ReadOnlySpan<double> all)
    {
        var field = new double[Unknowns];
        for (int k = 0; k < Nodes; k++) all.Slice(_partition.LocalToMesh[k] * Dimension, Dimension).CopyTo(field.AsSpan(k * Dimension));
        return field;
    }

    /// <summary>
    /// Everything for a result file: <c>displacement</c> at nodes; per cell the volume averages of <c>stress</c> (Cauchy, Voigt order xx, yy,
    /// xy or xx, yy, zz, yz, xz, xy), of <c>strain</c> (engineering shears) or <c>F</c>, and of the law's further outputs; <c>nodal_stress</c>,
    /// the volume-weighted mean over the cells of a node. Stress and state are those of the last <see cref="Commit"/>.
    /// </summary>
    /// <remarks>Collective.</remarks>
    public IReadOnlyList<FeField> Fields(double[] displacement)
    {
        int n = Space.Components(), dim = Dimension, voigt = dim == 2 ? 3 : 6;
        string[] outputs = [.. _materials.SelectMany(m => m.Law.OutputNames).Distinct()];
        int width = 1 + voigt + n + outputs.Length; // volume first
        var local = new double[Elements * width];
        var cells = new int[Elements];
        int at = 0;
        foreach (var g in _groups) CellAverages(g, outputs, local.AsSpan(at * width), cells.AsSpan(at), width, ref at);

        var (values, _) = Comm.AllGather<double>(local);
        var (numbers, _) = Comm.AllGather<int>(cells);
        int count = Mesh.CellCount;
        double[] stress = new double[count * voigt], strain = new double[count * n], volume = new double[count];
        var further = outputs.Select(_ => new double[count]).ToArray();
        for (int k = 0; k < numbers.Length; k++)
        {
            var row = values.AsSpan(k * width, width);
            int cell = numbers[k];
            volume[cell] = row[0];
            row.Slice(1, voigt).CopyTo(stress.AsSpan(cell * voigt));
            row.Slice(1 + voigt, n).CopyTo(strain.AsSpan(cell * n));
            for (int o = 0; o < outputs.Length; o++) further[o][cell] = row[1 + voigt + n + o];
        }

        double[] nodal = new double[Mesh.NodeCount * voigt], weight = new double[Mesh.NodeCount];
        int c = 0;
        foreach (var block in Mesh.Cells)
            for (int e = 0; e < block.Count; e++, c++)
                foreach (int node in block.Nodes(e))
                {
                    weight[node] += volume[c];
                    for (int i = 0; i < voigt; i++) nodal[node * voigt + i] += volume[c] * stress[c * voigt + i];
                }
        for (int node = 0; node < weight.Length; node++)
            if (weight[node] > 0) for (int i = 0; i < voigt; i++) nodal[node * voigt + i] /= weight[node];

        return
        [
            new("displacement", false, dim, GatherNodes(displacement)),
            new("nodal_stress", false, voigt, nodal),
            new("stress", true, voigt, stress),
            new(Space.IsFinite() ? "F" : "strain", true, n, strain),
            .. outputs.Select((name, o) => new FeField(name, true, 1, further[o])),
        ];
    }

    private void CellAverages(ElementGroup g, string[] outputs, Span<double> rows, Span<int> cells, int width, ref int at)
    {
        int n = Space.Components(), dim = Dimension, voigt = dim == 2 ? 3 : 6, points = g.Reference.Points, nodal = g.NodeCount * dim;
        var law = g.Points.Law;
        int own = law.OutputNames.Count, state = law.StateSize * Lane4.Width;
        int[] column = [.. law.OutputNames.Select(name => 1 + voigt + n + Array.IndexOf(outputs, name))];
        var gradients = new Lanes4[points * nodal];
        var weights = new Lanes4[points];
        var extra = new double[points * own * Lane4.Width];
        Span<double> f = stackalloc double[9];
        Span<double> p = stackalloc double[9];
        Span<double> sigma = stackalloc double[6];
        rows[..(g.Count * width)].Clear();
        for (int b = 0; b < g.Blocks; b++)
        {
            Geometry(g, b, gradients, weights);
            int first = g.FirstBlock + b * points;
            if (own > 0)
                law.GetOutputs(new MaterialBatch
                {
                    Blocks = points,
                    Active = g.Points.Active.AsSpan(first, points),
                    Strain = g.Points.CommittedStrain.AsSpan(first * n * Lane4.Width, points * n * Lane4.Width),
                    Stress = g.Points.CommittedStress.AsSpan(first * n * Lane4.Width, points * n * Lane4.Width),
                    OldState = g.Points.OldState.AsSpan(first * state, points * state),
                    NewState = g.Points.OldState.AsSpan(first * state, points * state),
                    Time = _time,
                    TimeStep = _timeStep,
                }, extra);
            for (int l = 0; l < g.LanesOf(b); l++)
            {
                int element = b * Lane4.Width + l;
                var row = rows.Slice(element * width, width);
                cells[element] = g.Cells[element];
                for (int q = 0; q < points; q++)
                {
                    double w = weights[q][l];
                    row[0] += w;
                    for (int i = 0; i < n; i++)
                    {
                        f[i] = g.Points.CommittedStrain[((first + q) * n + i) * Lane4.Width + l];
                        p[i] = g.Points.CommittedStress[((first + q) * n + i) * Lane4.Width + l];
                        row[1 + voigt + i] += w * f[i];
                    }
                    if (Space.IsFinite()) Cauchy(dim, f, p, sigma);
                    else p[..voigt].CopyTo(sigma);
                    for (int i = 0; i < voigt; i++) row[1 + i] += w * sigma[i];
                    for (int o = 0; o < own; o++) row[column[o]] += w * extra[(q * own + o) * Lane4.Width + l];
                }
                for (int i = 1; i < width; i++) row[i] /= row[0];
            }
        }
        at += g.Count;
    }

    /// <summary>σ = P Fᵀ / det F in Voigt order.</summary>
    private static void Cauchy(int dim, ReadOnlySpan<double> f, ReadOnlySpan<double> p, Span<double> sigma)
    {
        double det = dim == 2 ? f[0] * f[3] - f[1] * f[2]
            : f[0] * (f[4] * f[8] - f[5] * f[7]) - f[1] * (f[3] * f[8] - f[5] * f[6]) + f[2] * (f[3] * f[7] - f[4] * f[6]);
        ReadOnlySpan<int> rows = dim == 2 ? [0, 1, 0] : [0, 1, 2, 1, 0, 0], columns = dim == 2 ? [0, 1, 1] : [0, 1, 2, 2, 2, 1];
        for (int k = 0; k < rows.Length; k++)
        {
            double sum = 0;
            for (int m = 0; m < dim; m++) sum += p[rows[k] * dim + m] * f[columns[k] * dim + m];
            sigma[k] = sum / det;
        }
    }
}
