using System.Text.RegularExpressions;

namespace Ashlar.Tests.Repository;

/// <summary>C# in documents, and the compiled C# that it is cut from.</summary>
static partial class Snippets
{
    /// <summary>The parts of a source file between a line with the marker and a line with <c>// end</c>, without their
    /// indentation.</summary>
    public static IEnumerable<string> InSource(string path, string marker)
    {
        string[] lines = Files.Read(path).Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Trim() != marker) continue;
            int indent = lines[i].IndexOf('/', StringComparison.Ordinal);
            var snippet = new List<string>();
            while (lines[++i].Trim() != "// end") snippet.Add(lines[i].Length >= indent ? lines[i][indent..] : "");
            yield return string.Join('\n', snippet).Trim();
        }
    }

    /// <summary>The C# blocks of a document.</summary>
    public static IEnumerable<string> InDocument(string path) =>
        Blocks().Matches(Files.Read(path)).Select(match => match.Groups[1].Value.Trim());

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    internal static partial Regex Blocks();
}
