using System.Text;
using Ashlar.Compiler;
using Ashlar.Tests.Repository;
using Ashlar.Tiles;

namespace Ashlar.Tests.Compiler;

/// <summary>What each pass makes of a few functions, kept as text: a change of the compiler shows as a change of these
/// files.</summary>
/// <remarks>ASHLAR_ACCEPT=1 dotnet test --filter Golden writes them anew; read the difference before you commit it.</remarks>
public class GoldenTests
{
    public static TheoryData<string> Functions =>
        [.. (string[])["gelu(x*w+b)", "softmax gradient", "layer norm gradient of many rows", "linear gelu", "attention",
            "prologues", "two layer gradient"]];

    [Theory, MemberData(nameof(Functions))]
    public void Passes_MakeWhatTheyMade(string name)
    {
        string path = Path.Combine(Files.Root, "tests/Ashlar.Tests/Compiler/Golden",
            $"{string.Concat(name.Select(letter => char.IsLetterOrDigit(letter) ? letter : '-'))}.txt");
        string made = Text(name);
        if (AshlarEnvironment.Accept.Value is "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, made);
        }
        Assert.True(File.Exists(path), $"{path} is missing; ASHLAR_ACCEPT=1 writes it.");
        Assert.Equal(File.ReadAllText(path).ReplaceLineEndings("\n"), made);
    }

    static string Text(string name)
    {
        var text = new StringBuilder();
        string last = "";
        var plan = Pipelines.Compile(Programs.All[name](), OptimizationLevel.O2, dump: (pass, print) =>
        {
            string made = print().TrimEnd();
            text.Append($"== {pass}\n{(made == last ? "(unchanged)" : made)}\n\n");
            last = made;
        });
        foreach (var launch in plan.Launches) text.Append($"== kernel\n{TileText.Print(launch.Kernel.Program).TrimEnd()}\n\n");
        return text.ToString().ReplaceLineEndings("\n");
    }
}
