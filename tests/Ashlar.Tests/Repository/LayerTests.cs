namespace Ashlar.Tests.Repository;

public class LayerTests
{
    static readonly Dictionary<string, string[]> allowed = Files.Read("eng/layers.txt").Split('\n')
        .Where(line => line.Length > 0 && line[0] != '#')
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .ToDictionary(words => words[0], words => words[1..]);

    [Fact]
    public void Layers_ListEveryProject_AndNoOther() =>
        Assert.Equal(Files.Projects().Select(project => project.Name).Order(), allowed.Keys.Order());

    [Fact]
    public void Layers_AreKept_ByEveryReference()
    {
        var broken = from project in Files.Projects()
                     from reference in project.Project.Descendants("ProjectReference")
                     let target = Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'))
                     where allowed[project.Name] is var names && !names.Contains("*") && !names.Contains(target)
                     select $"{project.Name} references {target}, which eng/layers.txt does not allow";
        Assert.Empty(broken);
    }

    [Fact]
    public void Layers_GoOneWay()
    {
        var order = allowed.Keys.ToList();
        foreach (var (project, targets) in allowed)
            Assert.All(targets.Where(target => target != "*"),
                target => Assert.True(order.IndexOf(target) < order.IndexOf(project), $"{project} comes before {target}"));
    }

    [Fact]
    public void Packages_HaveADecision()
    {
        string decisions = string.Concat(Files.Under("docs/decisions", ".md").Select(Files.Read));
        var packages = Files.Projects().SelectMany(project => project.Project.Descendants("PackageReference"))
            .Select(package => package.Attribute("Include")!.Value).Distinct();
        Assert.All(packages, package => Assert.Contains($"**{package}**", decisions));
    }

    [Fact]
    public void Namespaces_StayWithinTheirProject()
    {
        foreach (var (name, project) in Files.Projects())
        {
            string root = project.Descendants("RootNamespace").Single().Value;
            foreach (string path in Files.Under($"src/{name}", ".cs"))
                foreach (string line in Files.Read(path).Split('\n').Where(line =>
                    line.StartsWith("namespace ", StringComparison.Ordinal)))
                {
                    string found = line["namespace ".Length..].TrimEnd(';');
                    bool own = found == root || root != "Ashlar" && found.StartsWith(root + ".", StringComparison.Ordinal);
                    // Device stands beside Tensor in a user's program.
                    bool forUsers = found == "Ashlar" && name is "Ashlar.Runtime";
                    Assert.True(own || forUsers, $"{path} declares {found}, but its project is {root}");
                }
        }
    }
}
