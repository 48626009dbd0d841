using System.Text.Json;
using Ashlar.Tests.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>Real templates of models against the texts that are published for them.</summary>
public class PublishedTemplateTests
{
    [DataFact]
    public void Templates_GiveThePublishedTexts()
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(DataFact.Folder!, "templates/chat_templates.json")));
        Assert.True(file.RootElement.GetArrayLength() >= 28);
        var wrong = new List<string>();
        foreach (var entry in file.RootElement.EnumerateArray())
        {
            string name = entry.GetProperty("name").GetString()!;
            var variables =
                entry.GetProperty("data").EnumerateObject().ToDictionary(field => field.Name, field => (object?)field.Value);
            try
            {
                string text = ChatTemplate.Parse(entry.GetProperty("template").GetString()!, name)
                    .Render(variables, now: new(2025, 7, 10, 12, 0, 0, TimeSpan.Zero));
                if (text != entry.GetProperty("target").GetString())
                    wrong.Add($"{name}:\n{text}\n--- expected\n{entry.GetProperty("target").GetString()}");
            }
            catch (TokenizerException error)
            {
                wrong.Add($"{name}: {error.Message}");
            }
        }
        Assert.True(wrong.Count == 0, string.Join("\n=====\n", wrong));
    }
}
