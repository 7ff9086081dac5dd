using System.Globalization;
using System.Security;
using System.Text;
using MsHpc.Core;

namespace MsHpc.Continuum.IO;

/// <summary>How a <see cref="FieldPicture"/> looks.</summary>
public sealed record FieldPictureOptions
{
    /// <summary>Heading.</summary>
    public string Title { get; init; } = "";

    /// <summary>What the colours mean, with its unit: "σ_yy / MPa"; letters and digits after an underscore are set lower.</summary>
    public string Label { get; init; } = "";

    /// <summary>Value of the darkest colour; the smallest value when null.</summary>
    public double? Min { get; init; }

    /// <summary>Value of the brightest colour; the largest value when null.</summary>
    public double? Max { get; init; }

    /// <summary>Draw element edges; when null, on meshes of up to 3000 elements.</summary>
    public bool? Edges { get; init; }

    /// <summary>Displacement, Dimension numbers per node; the deformed shape is drawn.</summary>
    public double[]? Displacement { get; init; }

    /// <summary>Factor on the displacement.</summary>
    public double DeformationScale { get; init; } = 1;

    /// <summary>Width in pixels.</summary>
    public int Width { get; init; } = 1000;

    /// <summary>Largest height in pixels.</summary>
    public int MaxHeight { get; init; } = 800;
}

/// <summary>
/// Draws a scalar field on a mesh as self-contained SVG: filled contours with the viridis colour map (S. van der Walt and N. Smith, 2015),
/// evenly spaced to the eye and readable in grey. Two-dimensional meshes are drawn as they are, of three-dimensional ones the visible
/// surface, orthographically from azimuth −60° and elevation 30°. Quadratic elements are drawn by their corners; values that are not
/// numbers are grey.
/// </summary>
public static class FieldPicture
{
    private const int Unit = 10; // coordinates are integers in tenths of a pixel
    private const int MaxPieces = 24_000;

    /// <summary>A field with one value per node.</summary>
    /// <param name="mesh">Mesh.</param>
    /// <param name="values">One value per node.</param>
    /// <param name="options">Heading, range and so on.</param>
    /// <returns>SVG text.</returns>
    /// <exception cref="InputException">An array has the wrong length, or an option is out of range.</exception>
    public static string Nodal(Mesh mesh, ReadOnlySpan<double> values, FieldPictureOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(mesh);
        if (values.Length != mesh.NodeCount) throw new InputException($"a nodal field of {values.Length} values does not fit a mesh of {mesh.NodeCount} nodes");
        return Draw(mesh, values, nodal: true, options ?? new FieldPictureOptions());
    }

    /// <summary>A field with one value per element.</summary>
    /// <param name="mesh">Mesh.</param>
    /// <param name="values">One value per element, block after block.</param>
    /// <param name="options">Heading, range and so on.</param>
    /// <returns>SVG text.</returns>
    /// <exception cref="InputException">An array has the wrong length, or an option is out of range.</exception>
    public static string PerCell(Mesh mesh, ReadOnlySpan<double> values, FieldPictureOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(mesh);
        if (values.Length != mesh.CellCount) throw new InputException($"a cell field of {values.Length} values does not fit a mesh of {mesh.CellCount} elements");
        return Draw(mesh, values, nodal: false, options ?? new FieldPictureOptions());
    }

    /// <summary>Colour of t in 0 … 1 as <c>#rrggbb</c>.</summary>
    public static string Colour(double t)
    {
        if (!double.IsFinite(t)) return "#c8c8c8";
        t = Math.Clamp(t, 0, 1) * (s_viridis.Length - 1);
        int i = Math.Min((int)t, s_viridis.Length - 2), a = s_viridis[i], b = s_viridis[i + 1];
        int Mix(int shift) => (int)Math.Round(((a >> shift) & 255) + (t - i) * (((b >> shift) & 255) - ((a >> shift) & 255)));
        return $"#{Mix(16):x2}{Mix(8):x2}{Mix(0):x2}";
    }

    private static string Draw(Mesh mesh, ReadOnlySpan<double> values, bool nodal, FieldPictureOptions o)
    {
        if (o.Width is < 300 or > 10_000 || o.MaxHeight is < 200 or > 10_000) throw new InputException($"a picture of {o.Width} x {o.MaxHeight} pixels is not possible");
        if (o.Displacement is { } u && u.Length != mesh.Coordinates.Length)
            throw new InputException($"a displacement of {u.Length} numbers does not fit a mesh of {mesh.NodeCount} nodes in {mesh.Dimension} dimensions");
        if (mesh.CellCount == 0) throw new InputException("a mesh without elements cannot be drawn");
        var faces = Faces(mesh);

        // Range of the colours, over what is seen.
        double lo = double.PositiveInfinity, hi = double.NegativeInfinity;
        foreach (var face in faces)
            foreach (int n in nodal ? face.Nodes : [face.Cell])
                if (double.IsFinite(values[n])) (lo, hi) = (Math.Min(lo, values[n]), Math.Max(hi, values[n]));
        if (lo > hi) (lo, hi) = (0, 0);
        var scale = new Scale(o.Min ?? lo, o.Max ?? hi);

        // Projection to the screen.
        var at = new double[2 * mesh.NodeCount];
        var depth = new double[mesh.NodeCount];
        Project(mesh, o, at, depth);
        double x0 = double.PositiveInfinity, x1 = double.NegativeInfinity, y0 = x0, y1 = x1;
        foreach (var face in faces)
            foreach (int n in face.Nodes)
            {
                (x0, x1) = (Math.Min(x0, at[2 * n]), Math.Max(x1, at[2 * n]));
                (y0, y1) = (Math.Min(y0, at[2 * n + 1]), Math.Max(y1, at[2 * n + 1]));
            }
        if (!double.IsFinite(x1 - x0 + y1 - y0)) throw new InputException("the positions to be drawn are not finite");
        double top = o.Title.Length > 0 ? 64 : 32, left = 32, right = 170, bottom = o.Displacement is null && mesh.Dimension == 2 ? 32 : 52;
        double wide = o.Width - left - right, high = o.MaxHeight - top - bottom;
        double zoom = Math.Min(wide / Math.Max(x1 - x0, 1e-300), high / Math.Max(y1 - y0, 1e-300));
        if (!double.IsFinite(zoom) || !(zoom * (x1 - x0) + zoom * (y1 - y0) > 0)) throw new InputException("the mesh has no extent");
        double height = Math.Max(top + bottom + zoom * (y1 - y0), top + bottom + 220), dx = left + 0.5 * (wide - zoom * (x1 - x0));
        double dy = top + 0.5 * (height - top - bottom - zoom * (y1 - y0));
        var screen = new (int X, int Y)[mesh.NodeCount];
        for (int n = 0; n < screen.Length; n++)
            screen[n] = (Pixel(dx + zoom * (at[2 * n] - x0)), Pixel(dy + zoom * (at[2 * n + 1] - y0)));

        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{o.Width}" height="{height:F0}" viewBox="0 0 {o.Width} {height:F0}" font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif" fill="#222">
            <rect width="100%" height="100%" fill="#fff"/>

            """);
        if (o.Title.Length > 0)
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{left}\" y=\"38\" font-size=\"21\" font-weight=\"600\">{Escape(o.Title)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<g transform=\"scale({1.0 / Unit})\" stroke-linejoin=\"round\" stroke-linecap=\"round\" stroke-width=\"10\">\n");
        bool edges = o.Edges ?? faces.Count <= 3000;
        if (mesh.Dimension == 2) Plane(svg, mesh, faces, screen, values, nodal, scale, edges);
        else Solid(svg, faces, screen, at, depth, values, nodal, scale, edges);
        svg.Append("</g>\n");
        if (mesh.Dimension == 3) Axes(svg, left + 6, height - 48);
        if (o.Displacement is not null)
            svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{(mesh.Dimension == 3 ? left + 76 : left):F0}\" y=\"{height - 18:F0}\" font-size=\"13\" fill=\"#666\">deformation × {o.DeformationScale:G4}</text>\n");
        Bar(svg, o, scale, lo, hi, o.Width - right + 34, top, Math.Min(height - top - bottom, 460), height);
        svg.Append("</svg>\n");
        return svg.ToString();
    }

    /// <summary>Corner nodes of a polygon to draw, and the element it belongs to.</summary>
    private readonly record struct Face(int[] Nodes, int Cell);

    /// <summary>The range of the colours, cut into bands.</summary>
    private sealed class Scale(double lo, double hi)
    {
        public double Lo { get; } = double.IsFinite(lo) && double.IsFinite(hi) && lo <= hi ? lo
            : throw new InputException($"colours cannot range from {lo} to {hi}");

        public double Hi { get; } = hi;

        /// <summary>Position of a value in 0 … 1; all at ½ when the range is empty.</summary>
        public double Of(double value) => !double.IsFinite(value) ? double.NaN : Hi > Lo ? Math.Clamp((value / 2 - Lo / 2) / (Hi / 2 - Lo / 2), 0, 1) : 0.5;
    }

    private static List<Face> Faces(Mesh mesh)
    {
        var faces = new List<Face>();
        if (mesh.Dimension == 3)
        {
            int[] first = new int[mesh.Cells.Count];
            for (int b = 1; b < first.Length; b++) first[b] = first[b - 1] + mesh.Cells[b - 1].Count;
            foreach (var f in MeshTopology.Skin(mesh)) faces.Add(new Face(f.Nodes[..f.Type.Corners()], first[f.Block] + f.Element));
            return faces;
        }
        int cell = 0;
        foreach (var block in mesh.Cells)
            for (int e = 0; e < block.Count; e++) faces.Add(new Face(block.Nodes(e)[..block.Type.Corners()].ToArray(), cell++));
        return faces;
    }

    private static void Project(Mesh mesh, FieldPictureOptions o, double[] at, double[] depth)
    {
        int dim = mesh.Dimension;
        Span<double> x = stackalloc double[3];
        x.Clear();
        for (int n = 0; n < depth.Length; n++)
        {
            for (int d = 0; d < dim; d++) x[d] = mesh.Coordinates[n * dim + d] + (o.Displacement is { } u ? o.DeformationScale * u[n * dim + d] : 0);
            if (dim == 2) (at[2 * n], at[2 * n + 1]) = (x[0], -x[1]);
            else
            {
                for (int d = 0; d < 3; d++)
                {
                    at[2 * n] += s_right[d] * x[d];
                    at[2 * n + 1] -= s_up[d] * x[d];
                    depth[n] += s_view[d] * x[d];
                }
            }
        }
    }

    private static void Plane(StringBuilder svg, Mesh mesh, List<Face> faces, (int X, int Y)[] screen, ReadOnlySpan<double> values, bool nodal,
        Scale scale, bool edges)
    {
        int bands = Bands(faces, values, nodal, scale);
        var paths = new StringBuilder?[bands + 1]; // the last is for what is not a number
        foreach (var face in faces)
            Pieces(face, screen, values, nodal, scale, bands, (band, polygon) => Polygon(paths[band] ??= new StringBuilder(), polygon));
        for (int b = 0; b <= bands; b++)
            if (paths[b] is { } d)
            {
                string colour = b == bands ? Colour(double.NaN) : Colour((b + 0.5) / bands);
                svg.Append("<path fill=\"").Append(colour).Append("\" stroke=\"").Append(colour).Append("\" d=\"").Append(d).Append("\"/>\n");
            }
        var done = new HashSet<(int, int)>();
        if (edges)
        {
            svg.Append("<path fill=\"none\" stroke=\"#000\" stroke-opacity=\".28\" stroke-width=\"5\" d=\"");
            foreach (var face in faces)
                for (int a = 0; a < face.Nodes.Length; a++)
                {
                    int p = face.Nodes[a], q = face.Nodes[(a + 1) % face.Nodes.Length];
                    if (done.Add((Math.Min(p, q), Math.Max(p, q)))) Line(svg, screen[p], screen[q]);
                }
            svg.Append("\"/>\n");
        }
        svg.Append("<path fill=\"none\" stroke=\"#222\" stroke-width=\"14\" d=\"");
        foreach (var f in MeshTopology.Skin(mesh)) Line(svg, screen[f.Nodes[0]], screen[f.Nodes[1]]);
        svg.Append("\"/>\n");
    }

    private static void Solid(StringBuilder svg, List<Face> faces, (int X, int Y)[] screen, double[] at, double[] depth,
        ReadOnlySpan<double> values, bool nodal, Scale scale, bool edges)
    {
        // Faces turned away are hidden; the rest is painted from the back to the front.
        var seen = faces.Where(f => Area(f, screen) < 0).ToList();
        double[] order = [.. seen.Select(f => f.Nodes.Average(n => depth[n]))];
        int[] sorted = [.. Enumerable.Range(0, seen.Count)];
        Array.Sort(order, sorted);
        int bands = Bands(seen, values, nodal, scale);
        svg.Append("<style>");
        for (int b = 0; b <= bands; b++)
        {
            string colour = b == bands ? Colour(double.NaN) : Colour((b + 0.5) / bands);
            svg.Append(CultureInfo.InvariantCulture, $".b{b}{{fill:{colour};stroke:{colour}}}");
        }
        svg.Append(".e{fill:none;stroke:#000;stroke-opacity:.3;stroke-width:5}.f{fill:none;stroke:#222;stroke-width:13}</style>\n");
        var sharp = SharpEdges(faces, at, depth, screen);
        var body = new StringBuilder();
        foreach (int i in sorted)
        {
            int last = -1;
            Pieces(seen[i], screen, values, nodal, scale, bands, (band, polygon) =>
            {
                if (band != last) body.Append(last < 0 ? "" : "\"/>\n").Append(CultureInfo.InvariantCulture, $"<path class=\"b{band}\" d=\"");
                last = band;
                Polygon(body, polygon);
            });
            if (last >= 0) body.Append("\"/>\n");
            if (edges)
            {
                body.Append("<path class=\"e\" d=\"");
                Polygon(body, [.. seen[i].Nodes.Select(n => screen[n])]);
                body.Append("\"/>\n");
            }
            bool any = false;
            for (int a = 0; a < seen[i].Nodes.Length; a++)
            {
                int p = seen[i].Nodes[a], q = seen[i].Nodes[(a + 1) % seen[i].Nodes.Length];
                if (!sharp.Contains((Math.Min(p, q), Math.Max(p, q)))) continue;
                if (!any) body.Append("<path class=\"f\" d=\"");
                any = true;
                Line(body, screen[p], screen[q]);
            }
            if (any) body.Append("\"/>\n");
        }
        svg.Append(body);
    }

    /// <summary>Edges between faces that meet at more than 40°, or of which only one is turned to the viewer: the outline of the body.</summary>
    private static HashSet<(int, int)> SharpEdges(List<Face> faces, double[] at, double[] depth, (int X, int Y)[] screen)
    {
        var first = new Dictionary<(int, int), (double X, double Y, double Z, bool Seen)>();
        var sharp = new HashSet<(int, int)>();
        foreach (var face in faces)
        {
            var (a, b, c) = (face.Nodes[0], face.Nodes[1], face.Nodes[^1]);
            double ux = at[2 * b] - at[2 * a], uy = at[2 * b + 1] - at[2 * a + 1], uz = depth[b] - depth[a];
            double vx = at[2 * c] - at[2 * a], vy = at[2 * c + 1] - at[2 * a + 1], vz = depth[c] - depth[a];
            double x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx, length = Math.Sqrt(x * x + y * y + z * z);
            var normal = (X: x / length, Y: y / length, Z: z / length, Seen: Area(face, screen) < 0);
            for (int k = 0; k < face.Nodes.Length; k++)
            {
                int p = face.Nodes[k], q = face.Nodes[(k + 1) % face.Nodes.Length];
                var key = (Math.Min(p, q), Math.Max(p, q));
                if (first.TryAdd(key, normal)) continue;
                var other = first[key];
                if (other.Seen != normal.Seen || other.X * normal.X + other.Y * normal.Y + other.Z * normal.Z < 0.766) sharp.Add(key);
            }
        }
        return sharp;
    }

    /// <summary>Twice the signed area on the screen; negative for faces that look at the viewer, since y points down.</summary>
    private static double Area(Face face, (int X, int Y)[] screen)
    {
        double area = 0;
        for (int a = 0; a < face.Nodes.Length; a++)
        {
            var (p, q) = (screen[face.Nodes[a]], screen[face.Nodes[(a + 1) % face.Nodes.Length]]);
            area += (double)p.X * q.Y - (double)q.X * p.Y;
        }
        return area;
    }

    /// <summary>Number of colour bands: 64, or fewer where the field is so rough that the picture would become large.</summary>
    private static int Bands(List<Face> faces, ReadOnlySpan<double> values, bool nodal, Scale scale)
    {
        if (!nodal) return 128;
        double spread = 0;
        foreach (var face in faces)
        {
            double lo = 1, hi = 0;
            foreach (int n in face.Nodes)
            {
                double t = scale.Of(values[n]);
                if (!double.IsNaN(t)) (lo, hi) = (Math.Min(lo, t), Math.Max(hi, t));
            }
            spread += Math.Max(0, hi - lo);
        }
        return (int)Math.Clamp((MaxPieces - faces.Count) / Math.Max(spread, 1e-9), 8, 64);
    }

    /// <summary>Cuts a face into polygons of one colour band.</summary>
    private static void Pieces(Face face, (int X, int Y)[] screen, ReadOnlySpan<double> values, bool nodal, Scale scale, int bands,
        Action<int, List<(int X, int Y)>> emit)
    {
        int count = face.Nodes.Length, lo = bands, hi = 0;
        Span<double> x = stackalloc double[5], y = stackalloc double[5], t = stackalloc double[5]; // the fifth is the centre
        (x[4], y[4], t[4]) = (0, 0, 0);
        for (int a = 0; a < count; a++)
        {
            (x[a], y[a]) = screen[face.Nodes[a]];
            t[a] = scale.Of(values[nodal ? face.Nodes[a] : face.Cell]) * bands;
            int band = double.IsNaN(t[a]) ? bands : Math.Min((int)t[a], bands - 1);
            (lo, hi) = (Math.Min(lo, band), Math.Max(hi, band));
        }
        if (hi == bands || lo == hi)
        {
            emit(hi, [.. face.Nodes.Select(n => screen[n])]);
            return;
        }
        if (count == 3 || (t[0] - t[1]) * (t[2] - t[3]) <= 0 || (t[1] - t[2]) * (t[3] - t[0]) <= 0)
        {
            Cut(x, y, t, [0, 1, 2, 3], count, bands, emit);
            return;
        }
        // On a saddle a band may reach the sides in four places: cut the triangles about the centre instead.
        for (int a = 0; a < 4; a++) (x[4], y[4], t[4]) = (x[4] + x[a] / 4, y[4] + y[a] / 4, t[4] + t[a] / 4);
        for (int a = 0; a < 4; a++) Cut(x, y, t, [a, (a + 1) % 4, 4], 3, bands, emit);
    }

    private static void Cut(ReadOnlySpan<double> x, ReadOnlySpan<double> y, ReadOnlySpan<double> t, ReadOnlySpan<int> corner, int count, int bands,
        Action<int, List<(int X, int Y)>> emit)
    {
        double least = double.PositiveInfinity, most = double.NegativeInfinity;
        for (int k = 0; k < count; k++) (least, most) = (Math.Min(least, t[corner[k]]), Math.Max(most, t[corner[k]]));
        int lo = Math.Min((int)least, bands - 1), hi = Math.Min((int)most, bands - 1);
        var polygon = new List<(int X, int Y)>(8);
        for (int band = lo; band <= hi; band++)
        {
            polygon.Clear();
            for (int k = 0; k < count; k++)
            {
                // Along each side, the part with band ≤ t ≤ band + 1, in order.
                int p = corner[k], q = corner[(k + 1) % count];
                double from = 0, to = 1, slope = t[q] - t[p];
                if (slope == 0)
                {
                    if (t[p] < band || t[p] > band + 1) continue;
                }
                else
                {
                    double s0 = (band - t[p]) / slope, s1 = (band + 1 - t[p]) / slope;
                    from = Math.Max(0, Math.Min(s0, s1));
                    to = Math.Min(1, Math.Max(s0, s1));
                    if (from > to) continue;
                }
                Put(x[p] + from * (x[q] - x[p]), y[p] + from * (y[q] - y[p]));
                Put(x[p] + to * (x[q] - x[p]), y[p] + to * (y[q] - y[p]));
            }
            if (polygon.Count > 1 && polygon[^1] == polygon[0]) polygon.RemoveAt(polygon.Count - 1);
            if (polygon.Count > 2) emit(band, polygon);
        }

        void Put(double px, double py)
        {
            var point = ((int)Math.Round(px), (int)Math.Round(py));
            if (polygon.Count == 0 || polygon[^1] != point) polygon.Add(point);
        }
    }

    private static void Polygon(StringBuilder d, List<(int X, int Y)> polygon)
    {
        d.Append(CultureInfo.InvariantCulture, $"M{polygon[0].X} {polygon[0].Y}l");
        for (int i = 1; i < polygon.Count; i++)
        {
            if (i > 1 && polygon[i].X >= polygon[i - 1].X) d.Append(' ');
            Step(d, polygon[i - 1], polygon[i]);
        }
        d.Append('z');
    }

    private static void Line(StringBuilder d, (int X, int Y) p, (int X, int Y) q)
    {
        d.Append(CultureInfo.InvariantCulture, $"M{p.X} {p.Y}l");
        Step(d, p, q);
    }

    private static void Step(StringBuilder d, (int X, int Y) p, (int X, int Y) q) =>
        d.Append(CultureInfo.InvariantCulture, $"{q.X - p.X}{(q.Y >= p.Y ? " " : "")}{q.Y - p.Y}");

    private static void Axes(StringBuilder svg, double x, double y)
    {
        svg.Append("<g stroke=\"#444\" stroke-width=\"1.4\" font-size=\"13\" fill=\"#444\">");
        for (int d = 0; d < 3; d++)
        {
            double ex = x + 14 + 30 * s_right[d], ey = y + 14 - 30 * s_up[d];
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{x + 14:F1} {y + 14:F1}L{ex:F1} {ey:F1}\"/>");
            svg.Append(CultureInfo.InvariantCulture, $"<text stroke=\"none\" text-anchor=\"middle\" x=\"{x + 14 + 40 * s_right[d]:F1}\" y=\"{y + 18 - 40 * s_up[d]:F1}\">{"xyz"[d]}</text>");
        }
        svg.Append("</g>\n");
    }

    private static void Bar(StringBuilder svg, FieldPictureOptions o, Scale scale, double lo, double hi, double x, double y, double length, double height)
    {
        y = Math.Max(y + 30, 0.5 * (y + 30 + height - length - 32)); // room for the label above
        length = Math.Min(length - 30, height - y - 40);
        double size = Math.Max(Math.Abs(scale.Lo), Math.Abs(scale.Hi));
        int power = size > 0 ? (int)Math.Floor(Math.Log10(size)) : 0;
        if (power is > -3 and < 4) power = 0;
        double factor = Math.Pow(10, -power);
        string label = power == 0 ? o.Label : $"{o.Label}{(o.Label.Length > 0 ? "  " : "")}×10{Superscript(power)}";
        svg.Append("<defs><linearGradient id=\"c\" x1=\"0\" y1=\"1\" x2=\"0\" y2=\"0\">");
        for (int i = 0; i < s_viridis.Length; i++)
            svg.Append(CultureInfo.InvariantCulture, $"<stop offset=\"{(double)i / (s_viridis.Length - 1):0.####}\" stop-color=\"#{s_viridis[i]:x6}\"/>");
        svg.Append("</linearGradient></defs>\n");
        bool wide = label.Length > 17; // ends at the right edge instead of starting at the bar
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{(wide ? o.Width - 12 : x):F0}\" y=\"{y - 16:F1}\" font-size=\"15\"{(wide ? " text-anchor=\"end\"" : "")}>{Subscripts(Escape(label))}</text>\n");
        string fill = scale.Hi > scale.Lo ? "url(#c)" : Colour(0.5);
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{x:F0}\" y=\"{y:F1}\" width=\"20\" height=\"{length:F1}\" fill=\"{fill}\" stroke=\"#222\" stroke-width=\"1\"/>\n");
        svg.Append("<g font-size=\"13\" stroke=\"#222\" stroke-width=\"1\">");
        if (scale.Hi > scale.Lo)
        {
            double step = NiceStep(scale.Hi / 6 - scale.Lo / 6);
            for (int i = 0; i <= 12; i++)
            {
                double value = (Math.Ceiling(scale.Lo / step - 1e-9) + i) * step;
                if (!(value <= scale.Hi + 1e-9 * step)) break;
                Tick(value, Number(Math.Abs(value) < 1e-9 * step ? 0 : value * factor));
            }
        }
        else Tick(scale.Lo, Number(scale.Lo * factor));
        svg.Append("</g>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<g font-size=\"12\" fill=\"#666\"><text x=\"{x:F0}\" y=\"{y + length + 20:F1}\">min {Range(lo)}</text><text x=\"{x:F0}\" y=\"{y + length + 36:F1}\">max {Range(hi)}</text></g>\n");

        void Tick(double value, string text)
        {
            double ty = y + length * (1 - scale.Of(value));
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{x + 20:F0} {ty:F1}h5\"/><text stroke=\"none\" x=\"{x + 30:F0}\" y=\"{ty + 4.5:F1}\">{text}</text>");
        }

        static string Number(double v) => v.ToString("0.######", CultureInfo.InvariantCulture).Replace('-', '−');
        static string Range(double v) => v.ToString("G5", CultureInfo.InvariantCulture).Replace('-', '−');
    }

    /// <summary>1, 2 or 5 times a power of ten, at least <paramref name="raw"/>.</summary>
    private static double NiceStep(double raw)
    {
        double power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        return (raw / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 } * power;
    }

    private static string Subscripts(string escaped)
    {
        var text = new StringBuilder();
        for (int i = 0, end; i < escaped.Length; i = end)
        {
            for (end = i + 1; end < escaped.Length && (escaped[i] == '_' ? char.IsLetterOrDigit(escaped[end]) : escaped[end] != '_');) end++;
            if (escaped[i] != '_' || end == i + 1) text.Append(escaped, i, end - i);
            else text.Append("<tspan dy=\"4\" font-size=\"11\">").Append(escaped, i + 1, end - i - 1).Append("</tspan><tspan dy=\"-4\">\u200b</tspan>");
        }
        return text.ToString();
    }

    private static string Superscript(int power) => string.Concat(power.ToString(CultureInfo.InvariantCulture)
        .Select(c => c == '-' ? '⁻' : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c - '0']));

    private static string Escape(string text) => SecurityElement.Escape(new string([.. text.Where(c => !char.IsControl(c) && !char.IsSurrogate(c))]));

    private static int Pixel(double x) => (int)Math.Round(x * Unit);

    private static readonly double[] s_view = [0.4330127018922193, -0.75, 0.5], s_right = [0.8660254037844386, 0.5, 0],
        s_up = [-0.25, 0.4330127018922193, 0.8660254037844386];

    private static readonly int[] s_viridis = [0x440154, 0x482878, 0x3e4a89, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6dcd59, 0xb4de2c, 0xfde725];
}
