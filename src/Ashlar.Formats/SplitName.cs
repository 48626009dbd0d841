using System.Globalization;
using System.Text.RegularExpressions;

namespace Ashlar.Formats;

/// <summary>The name of one file of several that make a model: <c>NAME-00002-of-00005.gguf</c>.</summary>
/// <param name="Stem">Folder and name before the numbers.</param>
/// <param name="Part">From 1 on.</param>
/// <param name="Parts">How many there are.</param>
/// <param name="Extension">With the dot.</param>
readonly partial record struct SplitName(string Stem, int Part, int Parts, string Extension)
{
    /// <summary>What a path says; null where it is not of this form.</summary>
    public static SplitName? Parse(string path)
    {
        var match = Form().Match(path);
        if (!match.Success) return null;
        int part = int.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture);
        int parts = int.Parse(match.Groups[3].ValueSpan, CultureInfo.InvariantCulture);
        return part >= 1 && part <= parts ? new(match.Groups[1].Value, part, parts, match.Groups[4].Value) : null;
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Stem}-{Part:00000}-of-{Parts:00000}{Extension}");

    [GeneratedRegex(@"^(.*)-(\d{5})-of-(\d{5})(\.[a-z]+)$", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
