using MsHpc.Continuum.IO;
using MsHpc.Core;

namespace MsHpc.Multiscale.Jobs;

/// <summary>The stress picture of a snapshot: von Mises where the laws give it, else from the stresses there are.</summary>
internal static class FieldPictures
{
    /// <summary>A picture on the deformed shape, with its caption.</summary>
    public static (string Svg, string Caption) Draw(FieldSnapshot snapshot, string what, UnitSystem units)
    {
        var mesh = snapshot.Mesh;
        string unit = units.Symbol(Dimension.Pressure);
        double[]? displacement = snapshot.Fields.FirstOrDefault(f => f.Name == "displacement")?.Values;
        double scale = Magnification(mesh, displacement);
        var stress = snapshot.Fields.First(f => f.Name is "stress" or "P");
        double[] values;
        string label, name;
        // Laws of single points tell von Mises with the stress out of the plane; a volume average has none, there the largest load path shows best.
        if (snapshot.Fields.FirstOrDefault(f => f.Name == "von_mises")?.Values is { } mises) (values, label, name) = (mises, $"σ_vM / {unit}", "von Mises stress");
        else
        {
            double[] all = stress.Values;
            int n = stress.Components, best = 0;
            double largest = -1;
            for (int c = 0; c < n; c++)
            {
                double sum = 0;
                for (int k = c; k < all.Length; k += n) sum += Math.Abs(all[k]);
                if (sum > largest) (largest, best) = (sum, c);
            }
            string component = snapshot.Labels(stress)[best];
            values = [.. Enumerable.Range(0, all.Length / n).Select(e => all[e * n + best])];
            (label, name) = stress.Name == "P" ? ($"P_{component} / {unit}", $"first Piola–Kirchhoff stress {component}") : ($"σ_{component} / {unit}", $"stress {component}");
        }
        string svg = FieldPicture.PerCell(mesh, values, new FieldPictureOptions { Title = what, Label = label, Displacement = displacement, DeformationScale = scale, Width = 720, MaxHeight = 600 });
        int start = svg.IndexOf("<svg", StringComparison.Ordinal);
        string shape = displacement is null || scale == 0 ? "" : scale == 1 ? ", on the deformed shape" : $", displacements × {Numbers.Short(scale)}";
        // The page's own paper and ink, so that the picture follows its theme; colours of the field stay.
        var themed = new System.Text.StringBuilder(svg[Math.Max(0, start)..]).Replace("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>", "");
        foreach (string ink in new[] { "#222", "#444", "#666" }) themed.Replace($"=\"{ink}\"", "=\"currentColor\"");
        return (themed.ToString(), $"{what}: {name} in {unit}{shape}");
    }

    /// <summary>One where the deformation can be seen, else a round number that makes it a few percent of the body.</summary>
    private static double Magnification(Continuum.Mesh mesh, double[]? displacement)
    {
        if (displacement is null) return 1;
        double largest = displacement.Max(Math.Abs), extent = 0;
        for (int d = 0; d < mesh.Dimension; d++)
        {
            double low = double.PositiveInfinity, high = double.NegativeInfinity;
            for (int k = d; k < mesh.Coordinates.Length; k += mesh.Dimension) (low, high) = (Math.Min(low, mesh.Coordinates[k]), Math.Max(high, mesh.Coordinates[k]));
            extent = Math.Max(extent, high - low);
        }
        if (largest == 0 || largest > 0.03 * extent) return 1;
        double wanted = 0.05 * extent / largest, power = Math.Pow(10, Math.Floor(Math.Log10(wanted)));
        return power * (wanted / power >= 5 ? 5 : wanted / power >= 2 ? 2 : 1);
    }
}
