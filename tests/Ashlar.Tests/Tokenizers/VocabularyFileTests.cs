using System.Text;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>SentencePiece models, tiktoken ranks, vocabularies of GGUF and model folders, made by hand.</summary>
public sealed class VocabularyFileTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("ashlar-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    static byte[] Field(int number, byte[] bytes) =>
        [.. Number((ulong)number << 3 | 2), .. Number((ulong)bytes.Length), .. bytes];

    static byte[] Field(int number, ulong value) => [.. Number((ulong)number << 3), .. Number(value)];

    static byte[] Number(ulong value) => value < 128 ? [(byte)value] : [(byte)(value & 127 | 128), .. Number(value >> 7)];

    static byte[] Piece(string text, float score, int type) =>
        Field(1, [.. Field(1, Encoding.UTF8.GetBytes(text)), 2 << 3 | 5, .. BitConverter.GetBytes(score),
            .. Field(3, (ulong)type)]);

    static byte[] SentencePiece(int kind, bool removesExtra = true, bool prefix = true) =>
    [
        .. Piece("<unk>", 0, 2), .. Piece("<s>", 0, 3), .. Piece("</s>", 0, 3), .. Piece("▁", -3, 1), .. Piece("a", -3.5f, 1),
        .. Piece("b", -4, 1),
        .. Piece("▁a", -1, 1), .. Piece("ab", -2, 1), .. Piece("<user>", 0, 4), .. Piece("ca", -5, 1),
        .. Field(2, [.. Field(3, (ulong)kind), .. Field(41, 1), .. Field(42, 2)]),
        .. Field(3, [.. Field(3, prefix ? 1u : 0), .. Field(4, removesExtra ? 1u : 0), .. Field(5, 1)]),
    ];

    [Theory]
    [InlineData(1, true, "ab", 3, 7)]            // unigram: -3 - 2 and -1 - 4 are equal, and the first found stays
    [InlineData(2, true, "ab", 6, 5)]            // merges: "▁a" has the best score
    [InlineData(2, true, "  b  ab ", 3, 5, 6, 5)]
    [InlineData(2, false, "  b", 3, 3, 3, 5)]
    [InlineData(2, true, "bxxb", 3, 5, 0, 5)]
    [InlineData(2, true, "bcab", 3, 5, 0, 7)]    // "ab" comes before "ca", and "c" alone is no piece
    [InlineData(2, true, "b<user>ab", 3, 5, 8, 7)]
    public void SentencePiece_EncodesAsItsModelSays(int kind, bool removesExtra, string text, params int[] expected)
    {
        var tokenizer = SentencePieceModel.Read(SentencePiece(kind, removesExtra), "the test").Tokenizer;
        Assert.Equal(expected, tokenizer.Encode(text));
        Assert.Equal([1, .. expected], tokenizer.Encode(text, addSpecial: true));
    }

    [Fact]
    public void SentencePiece_CannotBeWrittenAsTokenizerJson()
    {
        var error = Assert.Throws<TokenizerException>(() =>
            SentencePieceModel.Read(SentencePiece(1), "the test").Tokenizer.ToJson());
        Assert.Equal("ASH0474", error.Code);
        Assert.Contains("keep the file", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void SentencePiece_MergesCharactersThatAreNoPieces() =>
        Assert.Equal([3, 5, 9], SentencePieceModel.Read(SentencePiece(2), "the test").Tokenizer.Encode("bca"));

    [Fact]
    public void SentencePiece_TellsItsSpecialTokens()
    {
        var files = SentencePieceModel.Read(SentencePiece(2), "the test");
        Assert.Equal((1, 2, 0), (files.Special.Begin, files.Special.End, files.Special.Unknown));
        Assert.Equal([2], files.Special.Stop);
        Assert.Equal([1], files.Tokenizer.Encode("<s>"));
        Assert.DoesNotContain(1, files.Tokenizer.Encode("<s>", parseSpecial: false));
    }

    [Fact]
    public void SentencePiece_NeverFailsOtherwise_OnDamagedFiles()
    {
        byte[] file = SentencePiece(1);
        var random = new Random(11);
        for (int i = 0; i < 4000; i++)
        {
            byte[] damaged = [.. file];
            for (int changes = 1 + random.Next(4); changes > 0; changes--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0) damaged = damaged[..random.Next(damaged.Length)];
            try
            {
                SentencePieceModel.Read(damaged, "the test").Tokenizer.Encode("a b <user> \u00e9");
            }
            catch (TokenizerException)
            {
                // what is wrong is said
            }
        }
        // A length that lies asks for no memory.
        Assert.Equal("ASH0471", Assert.Throws<TokenizerException>(() =>
            SentencePieceModel.Read([10, 0xff, 0xff, 0xff, 0xff, 0x7f], "the test")).Code);
    }

    static string Tiktoken(params string[] more) =>
        string.Join('\n', Enumerable.Range(0, 256).Select(value => new[] { (byte)value })
            .Concat(more.Select(Encoding.UTF8.GetBytes))
        .Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}")) + "\n";

    [Fact]
    public void Tiktoken_MergesByRank()
    {
        byte[] file = Encoding.UTF8.GetBytes(Tiktoken("bc", "ab", "abc", " ab", "abcd"));
        Assert.True(TiktokenFile.LooksLike(file));
        var tokenizer = TiktokenFile.Read(file, "the test", KnownPatterns.Cl100k, [new("<|end|>", 300)]);
        Assert.Equal([258], tokenizer.Encode("abc"));                 // a whole word that is a token
        Assert.Equal([258, 'b'], tokenizer.Encode("abcb"));           // "bc" comes first, then "a" with it
        Assert.Equal(['b', 'a', 'x'], tokenizer.Encode("bax"));
        Assert.Equal("abcb é", tokenizer.Decode(tokenizer.Encode("abcb é")));
    }

    [Theory]
    [InlineData("YQ== 0\nYQ== x\n")]
    [InlineData("YQ== 0\nYg== 0\n")]
    [InlineData("YQ== 0\n?? 1\n")]
    [InlineData("YQ== 99999999999\n")]
    [InlineData("YQ== 0\n")]
    public void Tiktoken_RefusesWhatIsNoRank(string file) =>
        Assert.Equal("ASH0476", Assert.Throws<TokenizerException>(() =>
            TiktokenFile.Read(Encoding.UTF8.GetBytes(file), "the test", KnownPatterns.Cl100k, [])).Code);

    [Theory]
    [InlineData("'gpt5'")]
    [InlineData("'frobnicate'")]
    [InlineData("scores")]
    [InlineData("types")]
    [InlineData("bos_token_id")]
    [InlineData("merges")]
    [InlineData("merge 0")]
    [InlineData("finite")]
    [InlineData("0 tokens")]
    public void Gguf_RefusesWhatDoesNotFit(string says)
    {
        var good = new GgufVocabulary
        {
            Model = "gpt2",
            Pre = "qwen2",
            Tokens = [.. Enumerable.Range(0, 256).Select(value => Encoding.UTF8.GetBytes(ByteAlphabet.Write([(byte)value])))],
            Merges = [],
        };
        Assert.Equal([97], good.Build().Tokenizer.Encode("a"));
        var bad = says switch
        {
            "'gpt5'" => good with { Model = "gpt5" },
            "'frobnicate'" => good with { Pre = "frobnicate" },
            "scores" => good with { Scores = [1] },
            "types" => good with { Types = [1] },
            "bos_token_id" => good with { Begin = 256 },
            "merges" => good with { Merges = null },
            "merge 0" => good with { Merges = ["ab"u8.ToArray()] },
            "finite" => good with { Scores = [.. Enumerable.Repeat(float.NaN, 256)] },
            _ => good with { Tokens = [] },
        };
        var error = Assert.Throws<TokenizerException>(() => bad.Build("model.gguf"));
        Assert.Equal("ASH0475", error.Code);
        Assert.Contains(says, error.Message);
        Assert.Contains("model.gguf", error.Message);
    }

    [Fact]
    public void Gguf_Unigrams_AreThoseOfSentencePiece()
    {
        var gguf = new GgufVocabulary
        {
            Model = "t5",
            Tokens = [.. ((string[])["<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a"]).Select(Encoding.UTF8.GetBytes)],
            Scores = [0, 0, 0, -3, -3.5f, -4, -1],
            Types = [3, 3, 2, 1, 1, 1, 1],
            AddSpacePrefix = true,
            RemoveExtraWhitespaces = true,
        };
        var tokenizer = gguf.Build().Tokenizer;
        Assert.Equal([6, 5, 3, 2, 1], tokenizer.Encode("  ab  xx", addSpecial: true));
        Assert.Equal("ab", tokenizer.Decode([6, 5]));
    }

    [Fact]
    public void Folder_GivesTokensTemplatesAndSpecialTokens()
    {
        var trained = BpeTokenizer.Train("aa bb aa bb", 258, ["<s>", "</s>"]);
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"), trained.ToJson());
        int begin = trained.Find("<s>")!.Value, end = trained.Find("</s>")!.Value;
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"),
            """{"bos_token":{"content":"<s>"},"eos_token":"</s>","chat_template":[{"name":"default","template":"a"},{"name":"tool_use","template":"b"}]}""");
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), $$"""{"eos_token_id":[{{begin}},{{end}}]}""");
        var files = TokenizerFiles.Load(folder);
        Assert.Equal((begin, end), (files.Special.Begin, files.Special.End));
        Assert.Equal([begin, end], files.Special.Stop);
        Assert.Equal("a", files.Template().Text);
        Assert.Equal("b", files.Template("tool_use").Text);
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "c");
        Assert.Equal("c", TokenizerFiles.Load(Path.Combine(folder, "tokenizer.json")).Template().Text);
        Assert.Contains("tool_use", Assert.Throws<TokenizerException>(() =>
            TokenizerFiles.Load(folder).Template("none")).Message);
    }

    [Fact]
    public void Folder_WritesTheBeginAsItsConfigSays()
    {
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.model"), SentencePiece(2));
        Assert.Equal([1, 6], TokenizerFiles.Load(folder).Tokenizer.Encode("a", addSpecial: true));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"),
            """{"add_bos_token":false,"add_eos_token":true,"added_tokens_decoder":{"10":{"content":"<|im_end|>","special":true}}}""");
        var files = TokenizerFiles.Load(folder);
        Assert.Equal([6, 2], files.Tokenizer.Encode("a", addSpecial: true));
        Assert.Equal([6, 10], files.Tokenizer.Encode("a<|im_end|>"));
        Assert.Equal([2, 10], files.Special.Stop);
        Assert.Equal("a", files.Tokenizer.Decode([6, 10], skipSpecial: true));
    }

    [Fact]
    public void Folder_OfTiktokenRanks_TakesThePatternOfItsModel()
    {
        File.WriteAllText(Path.Combine(folder, "qwen.tiktoken"), Tiktoken("12"));
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), """{"tokenizer_class":"QWenTokenizer"}""");
        Assert.Equal(['1', '2'], TokenizerFiles.Load(folder).Tokenizer.Encode("12"));   // each digit is a word
    }

    [Fact]
    public void Folder_WithoutATokenizer_SaysSo()
    {
        Assert.Equal("ASH0470", Assert.Throws<TokenizerException>(() => TokenizerFiles.Load(folder)).Code);
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "{}");
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"), "{");
        Assert.Contains("tokenizer_config.json", Assert.Throws<TokenizerException>(() => TokenizerFiles.Load(folder)).Message);
    }
}
