using System.Globalization;
using System.Net;
using System.Text;

namespace MsHpc.Multiscale.Jobs;

/// <summary>The page at the end of a run: one file, no network, light and dark.</summary>
internal sealed class SummaryPage
{
    private readonly StringBuilder _body = new();

    /// <summary>Text made safe for HTML.</summary>
    public static string Safe(string text) => WebUtility.HtmlEncode(text);

    /// <summary>Opens with the job's name, what it is, and how it ended.</summary>
    public SummaryPage(string name, string what, string status, string statusClass)
    {
        Title = name;
        _body.Append($"<header><div class=\"status {statusClass}\">{Safe(status)}</div><h1>{Safe(name)}</h1><p class=\"what\">{Safe(what)}</p></header>\n");
    }

    private string Title { get; }

    /// <summary>A row of numbers worth seeing first.</summary>
    public void KeyNumbers(IEnumerable<(string Label, string Value)> numbers)
    {
        _body.Append("<section class=\"numbers\">");
        foreach (var (label, value) in numbers) _body.Append($"<div><b>{Safe(value)}</b><span>{Safe(label)}</span></div>");
        _body.Append("</section>\n");
    }

    /// <summary>Pictures side by side where there is room.</summary>
    public void Figures(string heading, IReadOnlyList<(string Svg, string Caption)> figures)
    {
        if (figures.Count == 0) return;
        _body.Append($"<section><h2>{Safe(heading)}</h2><div class=\"figures\">");
        foreach (var (svg, caption) in figures) _body.Append($"<figure>{svg}<figcaption>{Safe(caption)}</figcaption></figure>");
        _body.Append("</div></section>\n");
    }

    /// <summary>A table; numbers are set right.</summary>
    public void Table(string heading, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, bool folded = false)
    {
        string inside = $"<div class=\"scroll\"><table><thead><tr>{string.Concat(columns.Select(c => $"<th>{Safe(c)}</th>"))}</tr></thead><tbody>" +
            string.Concat(rows.Select(r => $"<tr>{string.Concat(r.Select(c => $"<td>{Safe(c)}</td>"))}</tr>\n")) + "</tbody></table></div>";
        _body.Append(folded ? $"<section><details><summary>{Safe(heading)}</summary>{inside}</details></section>\n" : $"<section><h2>{Safe(heading)}</h2>{inside}</section>\n");
    }

    /// <summary>Sentences as a list.</summary>
    public void Notes(string heading, IEnumerable<string> notes)
    {
        var all = notes.ToList();
        if (all.Count > 0) _body.Append($"<section><h2>{Safe(heading)}</h2><ul>{string.Concat(all.Select(n => $"<li>{Safe(n)}</li>"))}</ul></section>\n");
    }

    /// <summary>Files of the output folder, as links.</summary>
    public void Files(IEnumerable<(string Name, string What)> files)
    {
        _body.Append("<section><h2>Files</h2><ul class=\"files\">");
        foreach (var (name, what) in files) _body.Append($"<li><a href=\"{Safe(Uri.EscapeDataString(name))}\">{Safe(name)}</a> {Safe(what)}</li>");
        _body.Append("</ul></section>\n");
    }

    /// <summary>Text as it is.</summary>
    public void Text(string heading, string text) => _body.Append($"<section><h2>{Safe(heading)}</h2><pre>{Safe(text)}</pre></section>\n");

    /// <summary>The whole page.</summary>
    public override string ToString() => $"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark"><title>{Safe(Title)} · MsHpc</title>
        <style>{Style}</style></head><body><main>
        {_body}<footer>Written by MsHpc {typeof(SummaryPage).Assembly.GetName().Version?.ToString(3)} on {DateTimeOffset.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} UTC</footer>
        </main></body></html>

        """;

    private const string Style = """
        :root{--ink:#1d2530;--soft:#5b6675;--paper:#fbfbf9;--card:#fff;--rule:#e2e4e6;--accent:#0b6e8a;--good:#1a7f4b;--warn:#a65b00;--bad:#b3261e}
        @media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa6b2;--paper:#14181d;--card:#1b2027;--rule:#2d343d;--accent:#5cc4de;--good:#57c78b;--warn:#f0a95a;--bad:#ff8a80}}
        *{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        main{max-width:1080px;margin:0 auto;padding:2.5rem 1.25rem 4rem}header{border-bottom:1px solid var(--rule);padding-bottom:1.25rem;margin-bottom:1.5rem}
        h1{font-size:2rem;line-height:1.2;margin:.2rem 0;letter-spacing:-.01em}h2{font-size:1.1rem;margin:2.2rem 0 .8rem}.what{color:var(--soft);margin:0;max-width:70ch}
        .status{float:right;border:1.5px solid currentColor;border-radius:99px;padding:.15rem .8rem;font-size:.85rem;font-weight:600}.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}
        .numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.75rem}.numbers div{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.8rem 1rem}
        .numbers b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.numbers span{color:var(--soft);font-size:.85rem}
        .figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:1rem}figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:1rem}
        figure svg{width:100%;height:auto;display:block}figure svg text{font-family:inherit}figcaption{color:var(--soft);font-size:.9rem;margin-top:.6rem}
        .scroll{overflow-x:auto;border:1px solid var(--rule);border-radius:10px;background:var(--card)}table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
        th,td{padding:.38rem .8rem;text-align:right;white-space:nowrap}th{color:var(--soft);font-weight:600;border-bottom:1px solid var(--rule)}tbody tr:nth-child(even){background:color-mix(in srgb,var(--rule) 28%,transparent)}
        th:first-child,td:first-child{text-align:left}a{color:var(--accent)}ul{padding-left:1.2rem}.files li{color:var(--soft)}summary{cursor:pointer;font-weight:600;margin:1.5rem 0 .6rem}
        pre{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:1rem;overflow-x:auto;font-size:.84rem;line-height:1.5}footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
        @media print{body{background:#fff}main{max-width:none;padding:0}}
        """;
}
