namespace MsHpc.Core;

/// <summary>Finds what a mistyped word most likely meant, for messages about bad input.</summary>
public static class Nearest
{
    /// <summary>The candidate with the smallest edit distance to the word, if it is near enough to be a plausible slip.</summary>
    /// <param name="word">What was written.</param>
    /// <param name="candidates">What would have been valid; of equally near ones the first is taken.</param>
    /// <returns>The candidate, or null when none is within a third of the longer word's length (at least one edit). Difference in case,
    /// and of <c>-</c> against <c>_</c>, counts as no edit.</returns>
    public static string? Match(string word, IEnumerable<string> candidates)
    {
        ArgumentNullException.ThrowIfNull(word);
        ArgumentNullException.ThrowIfNull(candidates);
        string? best = null;
        int bestDistance = int.MaxValue;
        string folded = Fold(word);
        foreach (string candidate in candidates)
        {
            int distance = Distance(folded, Fold(candidate));
            int allowed = Math.Max(1, Math.Max(word.Length, candidate.Length) / 3);
            if (distance > allowed || distance >= bestDistance || distance >= Math.Max(word.Length, candidate.Length)) continue;
            (best, bestDistance) = (candidate, distance);
        }
        return best;
    }

    /// <summary>"; did you mean 'x'?", or nothing when no candidate is near.</summary>
    public static string Hint(string word, IEnumerable<string> candidates) =>
        Match(word, candidates) is { } match ? $"; did you mean '{match}'?" : "";

    /// <summary>Edit distance of Levenshtein (Soviet Physics Doklady 10, 707, 1966): insertions, deletions and substitutions, one each.</summary>
    public static int Distance(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        Span<int> row = b.Length < 128 ? stackalloc int[b.Length + 1] : new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++) row[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }
        return row[b.Length];
    }

    private static string Fold(string text) => text.ToLowerInvariant().Replace('-', '_');
}
