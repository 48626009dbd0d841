namespace Ashlar.Formats;

/// <summary>Which names a mistyped one may have meant.</summary>
static class SimilarNames
{
    /// <summary>A sentence with the three names most alike, to follow another one.</summary>
    public static string Text(string name, IEnumerable<string> names)
    {
        string[] alike = [.. names.OrderBy(other => Distance(name, other)).ThenBy(other => other, StringComparer.Ordinal)
            .Take(3).Select(other => $"'{other}'")];
        return alike.Length == 0 ? " It has none at all." : $" Called alike: {string.Join(", ", alike)}.";
    }

    /// <summary>How many letters must be inserted, deleted or replaced to make one name of the other.</summary>
    static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
                (row[j], diagonal) = (Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)),
                    row[j]);
        }
        return row[^1];
    }
}
