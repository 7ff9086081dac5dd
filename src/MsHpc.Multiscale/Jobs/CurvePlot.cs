using ScottPlot;

namespace MsHpc.Multiscale.Jobs;

/// <summary>Curves as SVG for the summary page, drawn by ScottPlot.</summary>
internal static class CurvePlot
{
    // Drawn in these colours, replaced by the page's own afterwards so that light and dark themes both work.
    private const string Ink = "#123456";
    private static readonly (string Drawn, string Shown)[] s_lines = [("#654321", "var(--accent)"), ("#654322", "var(--warn)"), ("#654323", "var(--good)"), ("#654324", "var(--bad)")];

    /// <summary>One curve with axes.</summary>
    /// <returns>The svg element; null with a reason when the drawing library does not load on this machine.</returns>
    public static string? Draw(double[] x, double[] y, string xLabel, string yLabel, out string? problem, bool logarithmic = false) =>
        Draw([new Curve("", x, logarithmic ? [.. y.Select(v => Math.Log10(Math.Max(v, 1e-300)))] : y)], xLabel, yLabel, out problem);

    /// <summary>A curve of several in one picture.</summary>
    /// <param name="Label">Name for the legend; empty: none. Curves share the colour of the first ones with the same label.</param>
    /// <param name="X">Along.</param>
    /// <param name="Y">Up; NaN leaves a gap.</param>
    internal sealed record Curve(string Label, double[] X, double[] Y);

    /// <summary>Several curves with axes.</summary>
    /// <param name="curves">Curves.</param>
    /// <param name="xLabel">Axis.</param>
    /// <param name="yLabel">Axis.</param>
    /// <param name="problem">Why there is no picture.</param>
    /// <param name="ticks">Marks on the x axis instead of numbers, each with a line through the picture.</param>
    public static string? Draw(IReadOnlyList<Curve> curves, string xLabel, string yLabel, out string? problem, IReadOnlyList<(double At, string Label)>? ticks = null)
    {
        problem = null;
        if (curves.Count == 0 || curves[0].X.Length == 0) return null;
        try
        {
            using var plot = new Plot();
            var ink = new Color(Ink);
            plot.FigureBackground.Color = Colors.Transparent;
            plot.DataBackground.Color = Colors.Transparent;
            plot.Axes.Color(ink);
            plot.Grid.MajorLineColor = ink.WithAlpha(0.15);
            var labels = curves.Select(c => c.Label).Distinct().ToList();
            foreach (var curve in curves)
            {
                var drawn = plot.Add.Scatter(curve.X, curve.Y, new Color(s_lines[labels.IndexOf(curve.Label) % s_lines.Length].Drawn));
                drawn.LineWidth = curves.Count > 8 ? 1.5f : 2;
                drawn.MarkerSize = curve.X.Length > 60 || curves.Count > 1 ? 0 : 6;
                if (curve.Label.Length > 0 && ReferenceEquals(curve, curves.First(c => c.Label == curve.Label))) drawn.LegendText = curve.Label;
            }
            if (labels.Any(l => l.Length > 0))
            {
                var legend = plot.ShowLegend(Alignment.MiddleRight);
                legend.BackgroundColor = Colors.Transparent;
                legend.OutlineColor = legend.ShadowColor = Colors.Transparent;
                legend.FontColor = ink;
            }
            plot.XLabel(xLabel);
            plot.YLabel(yLabel);
            if (ticks is not null)
            {
                plot.Axes.Bottom.SetTicks([.. ticks.Select(t => t.At)], [.. ticks.Select(t => t.Label)]);
                plot.Axes.SetLimitsX(ticks.Min(t => t.At), ticks.Max(t => t.At));
            }
            plot.Axes.Bottom.Label.Bold = plot.Axes.Left.Label.Bold = false;
            plot.Axes.Left.MinimumSize = 78; // the page's own letters may be wider than those measured here
            plot.Axes.Top.FrameLineStyle.IsVisible = plot.Axes.Right.FrameLineStyle.IsVisible = false;
            string svg = plot.GetSvgXml(640, 400);
            int start = svg.IndexOf("<svg", StringComparison.Ordinal);
            svg = svg[start..].Replace(Ink, "currentColor", StringComparison.OrdinalIgnoreCase);
            foreach (var (drawn, shown) in s_lines) svg = svg.Replace(drawn, shown, StringComparison.OrdinalIgnoreCase);
            return svg.Replace("width=\"640\" height=\"400\">", "viewBox=\"0 0 640 400\" role=\"img\">", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is TypeInitializationException or DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            problem = $"no curve was drawn: the drawing library does not load here ({e.GetBaseException().Message})";
            return null;
        }
    }
}
