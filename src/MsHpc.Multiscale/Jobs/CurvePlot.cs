using ScottPlot;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Curves as SVG for the summary page, drawn by ScottPlot.</summary>
internal static class CurvePlot
{
    // Drawn in these colours, replaced by the page's own afterwards so that light and dark themes both work.
    private const string Ink = "#123456", Line = "#654321";

    /// <summary>One curve with axes.</summary>
    /// <returns>The svg element; null with a reason when the drawing library does not load on this machine.</returns>
    public static string? Draw(double[] x, double[] y, string xLabel, string yLabel, out string? problem, bool logarithmic = false)
    {
        problem = null;
        if (x.Length == 0) return null;
        try
        {
            using var plot = new Plot();
            var ink = new Color(Ink);
            plot.FigureBackground.Color = Colors.Transparent;
            plot.DataBackground.Color = Colors.Transparent;
            plot.Axes.Color(ink);
            plot.Grid.MajorLineColor = ink.WithAlpha(0.15);
            var curve = plot.Add.Scatter(x, logarithmic ? [.. y.Select(v => Math.Log10(Math.Max(v, 1e-300)))] : y, new Color(Line));
            curve.LineWidth = 2;
            curve.MarkerSize = x.Length > 60 ? 0 : 6;
            plot.XLabel(xLabel);
            plot.YLabel(yLabel);
            plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
            plot.Axes.Left.MinimumSize = 78; // the page's own letters may be wider than those measured here
            plot.Axes.Top.FrameLineStyle.IsVisible = plot.Axes.Right.FrameLineStyle.IsVisible = false;
            string svg = plot.GetSvgXml(640, 400);
            int start = svg.IndexOf("<svg", StringComparison.Ordinal);
            return svg[start..].Replace(Ink, "currentColor", StringComparison.OrdinalIgnoreCase)
                .Replace(Line, "var(--accent)", StringComparison.OrdinalIgnoreCase)
                .Replace("width=\"640\" height=\"400\">", "viewBox=\"0 0 640 400\" role=\"img\">", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            problem = $"no curve was drawn: the drawing library does not load here ({e.GetBaseException().Message})";
            return null;
        }
    }
}
