namespace Ashlar;

/// <summary>Which names a mistyped one may have meant, for messages of errors.</summary>
public static class SimilarNames
{
    /// <summary>The three names most alike, the nearest first; equally near ones in ordinal order.</summary>
    /// <param name="name">What was asked for.</param>
    /// <param name="names">What there is.</param>
    public static string[] Nearest(string name, IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(names);
        return [.. names.OrderBy(other => Distance(name, other)).ThenBy(other => other, StringComparer.Ordinal).Take(3)];
    }

    /// <summary>A sentence with <see cref="Nearest"/>, to follow another one: begins with a space.</summary>
    /// <inheritdoc cref="Nearest"/>
    public static string Text(string name, IEnumerable<string> names)
    {
        string[] near = Nearest(name, names);
        return near.Length == 0
            ? " It has none at all."
            : $" Called alike: {string.Join(", ", near.Select(other => $"'{other}'"))}.";
    }

    // How many letters must be inserted, deleted or replaced to make one name of the other: Levenshtein 1966.
    static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
                (row[j], diagonal) =
                    (Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)), row[j]);
        }
        return row[^1];
    }
}
