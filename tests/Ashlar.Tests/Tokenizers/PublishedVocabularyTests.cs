using System.Text;
using Ashlar.Tests.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>Real vocabularies against the tokens that llama.cpp publishes for its tests, and against each other.</summary>
public class PublishedVocabularyTests
{
    static string At(string path) => Path.Combine(DataFact.Folder!, path);

    static string[] TextsOf(string name) =>
        File.ReadAllText(At($"tokenizers/gguf/ggml-vocab-{name}.gguf.inp")).Split("\n__ggml_vocab_test__\n");

    [DataFact]
    public void Gguf_GivesThePublishedTokens()
    {
        var wrong = new List<string>();
        foreach (string name in (string[])["gpt-2", "llama-spm", "phi-3", "deepseek-coder", "falcon", "bert-bge"])
        {
            string path = At($"tokenizers/gguf/ggml-vocab-{name}.gguf");
            var tokenizer = GgufFile.Vocabulary(path).Build(path).Tokenizer;
            string[] texts = TextsOf(name);
            string[] expected = File.ReadAllText(path + ".out").TrimEnd('\n').Split('\n');
            Assert.True(expected.Length >= 40 && texts.Length >= expected.Length);
            for (int i = 0; i < expected.Length; i++)
                if (expected[i].Trim() != string.Join(' ', tokenizer.Encode(texts[i], parseSpecial: false)))
                    wrong.Add(
                        $"{name}, text {i} '{texts[i]}':\n  {expected[i]}\n   {string.Join(' ', tokenizer.Encode(texts[i], parseSpecial: false))}");
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [DataFact]
    public void Llama_IsTheSameFromBothFiles()
    {
        var json = Tokenizer.Load(At("tokenizers/hf/llama2/tokenizer.json"));
        var gguf = GgufFile.Vocabulary(At("tokenizers/gguf/ggml-vocab-llama-spm.gguf")).Build().Tokenizer;
        foreach (string text in TextsOf("llama-spm").Concat(Enumerable.Range(0, 50).Select(seed => Texts.Random(seed, 60))))
        {
            int[] tokens = json.Encode(text, parseSpecial: false);
            Assert.Equal(gguf.Encode(text, parseSpecial: false), tokens);
            Assert.Equal(text, json.Decode(tokens));
            Assert.Equal(text, gguf.Decode(tokens));
        }
        Assert.Equal([1, 15043], json.Encode("Hello", addSpecial: true));
        Assert.Equal([1, 15043], gguf.Encode("Hello", addSpecial: true));
    }

    [DataFact]
    public void Stories_IsTheSameFromAllThreeFiles()
    {
        string folder = At("models/stories260k");
        var json = Tokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        var model = SentencePieceModel.Read(File.ReadAllBytes(Path.Combine(folder, "tokenizer.model")),
            "tokenizer.model").Tokenizer;
        var gguf = GgufFile.Vocabulary(Path.Combine(folder, "stories260k.gguf")).Build().Tokenizer;
        string[] texts = [Texts.English, "", " ", "  a  b ", "Once upon a time, there was a little girl.",
            .. Enumerable.Range(0, 200).Select(seed => Texts.Random(seed, 1 + seed))];
        foreach (string text in texts)
        {
            int[] tokens = json.Encode(text, addSpecial: true, parseSpecial: false);
            Assert.Equal(tokens, model.Encode(text, addSpecial: true, parseSpecial: false));
            Assert.Equal(tokens, gguf.Encode(text, addSpecial: true, parseSpecial: false));
            foreach (var tokenizer in (Tokenizer[])[json, model, gguf])
            {
                Assert.Equal(text, tokenizer.Decode(tokens, skipSpecial: true));
                var decoder = tokenizer.Decoder(skipSpecial: true);
                Assert.Equal(text, string.Concat(tokens.Select(decoder.Add)) + decoder.Finish());
            }
        }
    }

    [DataFact]
    public void T5_GivesBackItsText()
    {
        var t5 = Tokenizer.Load(At("tokenizers/hf/t5-small/tokenizer.json"));
        Assert.Equal("unigram", t5.Kind);
        // As the model's own card and the tests of transformers have it.
        Assert.Equal([13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1],
            t5.Encode("translate English to German: The house is wonderful.", addSpecial: true));
        Assert.Equal("translate English to German: The house is wonderful.",
            t5.Decode(t5.Encode("translate English to German: The house is wonderful.")));
        Assert.Equal([t5.Find("<extra_id_0>")!.Value], t5.Encode("<extra_id_0>"));
        Assert.Equal("Fifi",
            t5.Decode(t5.Encode("ﬁﬁ").Select(token => token).ToArray()).Replace("fi", "Fi") is "FiFi" ? "Fifi" : "");
    }
}
