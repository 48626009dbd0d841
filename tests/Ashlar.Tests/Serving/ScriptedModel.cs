using System.Text.Json.Nodes;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Serving;

/// <summary>A model folder that says what a test wants: each word is a token of its own, and what follows depends on the last
/// token alone.</summary>
/// <remarks>Attention and MLP give 0, so the last token's embedding reaches the head, where the row of the next word is equal to
/// it.</remarks>
static class ScriptedModel
{
    const int Width = 40;

    public const string Template = """
        {% for m in messages %}<|turn|>{{ m.role }}:{{ m.content }}{% if m.reasoning_content %}[{{ m.reasoning_content }}]{% endif %}{% for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}{% if tools %}<|turn|>{{ tools | tojson }}{% endif %}<|go|>
        """;

    /// <summary>Writes the folder.</summary>
    /// <param name="folder">Exists.</param>
    /// <param name="words">What the model says, word by word, all different; it ends behind the last.</param>
    /// <param name="template">How conversations are written; must end in &lt;|go|&gt;. Empty for none.</param>
    public static string Write(string folder, string[] words, string template = Template)
    {
        string[] special = ["<s>", "</s>", "<|turn|>", "<|go|>"];
        string[] added = [.. special, .. words];
        var tokenizer = JsonNode.Parse(BpeTokenizer.Train("a", 256 + added.Length, added).ToJson())!;
        foreach (var token in tokenizer["added_tokens"]!.AsArray())
            token!["special"] = special.Contains((string)token["content"]!);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJsonString());
        var settings = new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>", ["add_bos_token"] = false };
        if (template.Length > 0) settings["chat_template"] = template;
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), settings.ToJsonString());

        var model = TinyModels.Make("llama2");
        int vocabulary = 256 + added.Length + 3;   // padded, as many models are
        model.Config["vocab_size"] = vocabulary;
        model.Config["max_position_embeddings"] = 512;
        model.Config.Remove("bos_token_id");
        model.Config.Remove("eos_token_id");
        model.Random("model.embed_tokens.weight", 1, vocabulary, Width);
        model.Random("lm_head.weight", 0.1, vocabulary, Width);
        foreach (var (name, weight) in model.Weights)
            if (name.EndsWith("o_proj.weight", StringComparison.Ordinal)
                || name.EndsWith("down_proj.weight", StringComparison.Ordinal)) Array.Clear(weight.Data);
            else if (name == "model.norm.weight") Array.Fill(weight.Data, 1);
        var ids = Tokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        float[] embeddings = model.Weights["model.embed_tokens.weight"].Data, head = model.Weights["lm_head.weight"].Data;
        string before = "<|go|>";
        foreach (string word in (string[])[.. words, "</s>"])
        {
            for (int i = 0; i < Width; i++)
                head[ids.Find(word)!.Value * Width + i] += embeddings[ids.Find(before)!.Value * Width + i];
            before = word;
        }
        return model.Write(folder);
    }
}
