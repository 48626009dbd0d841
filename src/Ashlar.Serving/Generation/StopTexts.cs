namespace Ashlar.Serving;

/// <summary>Watches for texts that end an answer; holds back what may be the begin of one.</summary>
sealed class StopTexts(IReadOnlyList<string> stops)
{
    string held = "";

    /// <summary>What can be shown now.</summary>
    /// <param name="piece">What came.</param>
    /// <param name="isFound">True where a stop text is whole: the answer ends before it.</param>
    public string Add(string piece, out bool isFound)
    {
        isFound = false;
        if (stops.Count == 0) return piece;
        string text = held + piece;
        int first = -1;
        foreach (string stop in stops)
            if (stop.Length > 0 && text.IndexOf(stop, StringComparison.Ordinal) is >= 0 and var at && (first < 0 || at < first))
                first = at;
        if (first >= 0)
        {
            (isFound, held) = (true, "");
            return text[..first];
        }
        int longest = 0;
        foreach (string stop in stops)
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length))) longest = length;
        held = text[^longest..];
        return text[..^longest];
    }

    /// <summary>What was held back, at the end.</summary>
    public string Rest()
    {
        string rest = held;
        held = "";
        return rest;
    }
}
