using System.Xml.Linq;

namespace Ashlar.Tests.Repository;

/// <summary>The files of the repository that these tests were built from.</summary>
static class Files
{
    public static string Root { get; } = FindRoot();

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path)).ReplaceLineEndings("\n");

    /// <summary>Every file with this ending under a folder, as paths from the root; nothing that a build has made.</summary>
    public static IEnumerable<string> Under(string folder, string ending)
    {
        string start = Path.Combine(Root, folder);
        if (!Directory.Exists(start)) return [];
        return Directory.EnumerateFiles(start, "*" + ending, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => !path.Split('/').Any(part => part is "bin" or "obj" or "artifacts"))
            .Order(StringComparer.Ordinal);
    }

    /// <summary>The projects of src: name and parsed file.</summary>
    public static IEnumerable<(string Name, XDocument Project)> Projects() =>
        Under("src", ".csproj").Select(path =>
            (Path.GetFileNameWithoutExtension(path), XDocument.Load(Path.Combine(Root, path))));

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Ashlar.slnx"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException($"no Ashlar.slnx above {AppContext.BaseDirectory}");
    }
}
