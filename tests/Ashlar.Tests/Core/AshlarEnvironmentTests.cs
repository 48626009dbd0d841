using System.Text.RegularExpressions;

namespace Ashlar.Tests.Core;

public partial class AshlarEnvironmentTests
{
    [GeneratedRegex(@"\bASHLAR_[A-Z0-9_]+")]
    private static partial Regex VariableName();

    [Fact]
    public void AshlarEnvironment_ListsEveryVariableThatTheSourcesName()
    {
        var known = AshlarEnvironment.All.Select(variable => variable.Name).ToHashSet();
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Ashlar.slnx"))) root = root.Parent!;

        var unknown =
            from folder in new[] { "src", "tests" }
            from file in Directory.EnumerateFiles(Path.Combine(root.FullName, folder), "*.cs", SearchOption.AllDirectories)
            from Match match in VariableName().Matches(File.ReadAllText(file))
            where !known.Contains(match.Value)
            select $"{Path.GetRelativePath(root.FullName, file)}: {match.Value}";
        Assert.Empty(unknown.Distinct());
    }

    [Fact]
    public void AshlarEnvironment_NamesEachVariableOnce() =>
        Assert.Equal(AshlarEnvironment.All.Count, AshlarEnvironment.All.Select(variable => variable.Name).Distinct().Count());
}
