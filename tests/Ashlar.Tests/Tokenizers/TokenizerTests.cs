using System.Text;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>What holds for every kind of tokenizer.</summary>
public class TokenizerTests
{
    static readonly BpeTokenizer bpe = BpeTokenizer.Train(Texts.English, 300, ["<|end|>"]);

    static Tokenizer Make(string kind, string text) => kind switch
    {
        "byte" => new ByteTokenizer(),
        "character" => CharacterTokenizer.From(text),
        _ => bpe,
    };

    public static TheoryData<string> Kinds => ["byte", "character", "bpe"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decode_GivesBackWhatWasEncoded(string kind)
    {
        for (int seed = 0; seed < 200; seed++)
        {
            string text = Texts.Random(seed, characters: 1 + seed);
            var tokenizer = Make(kind, text);
            int[] tokens = tokenizer.Encode(text);
            Assert.True(text == tokenizer.Decode(tokens), $"seed {seed}");
            Assert.All(tokens, token => Assert.InRange(token, 0, tokenizer.VocabularySize - 1));

            var decoder = tokenizer.Decoder();
            string streamed = string.Concat(tokens.Select(decoder.Add));
            Assert.True(text == streamed, $"seed {seed}, streamed");
            Assert.Equal("", decoder.Finish());
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Json_GivesBackTheSameTokenizer(string kind)
    {
        string text = Texts.English + Texts.Random(1, 500);
        var tokenizer = Make(kind, text);
        byte[] json = tokenizer.ToJson();
        var again = Tokenizer.FromJson(json);
        Assert.Equal(tokenizer.GetType(), again.GetType());
        Assert.Equal(tokenizer.Encode(text), again.Encode(text));
        Assert.Equal(tokenizer.VocabularySize, again.VocabularySize);
        Assert.Equal(json, again.ToJson());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Tokenizer_TakesTheEmptyText(string kind)
    {
        var tokenizer = Make(kind, "a");
        Assert.Empty(tokenizer.Encode(""));
        Assert.Equal("", tokenizer.Decode([]));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Tokenizer_RejectsTokensThatDoNotExist(string kind)
    {
        var tokenizer = Make(kind, "a");
        Assert.Equal("ASH0443", Assert.Throws<TokenizerException>(() => tokenizer.Decode([tokenizer.VocabularySize])).Code);
        Assert.Equal("ASH0443", Assert.Throws<TokenizerException>(() => tokenizer.Decode([-1])).Code);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Encode_RejectsWhatIsNoText(string kind)
    {
        var tokenizer = Make(kind, "ab");
        var half = Assert.Throws<TokenizerException>(() => tokenizer.Encode("ab\ud800"));
        Assert.Equal("ASH0445", half.Code);
        Assert.Contains("char 2", half.Message);
        Assert.Contains("byte 1", Assert.Throws<TokenizerException>(() => tokenizer.Encode([(byte)'a', 0xff], [])).Message);
    }

    [Fact]
    public void Decoder_EqualsDecode_ForAnyBytes()
    {
        var tokenizer = new ByteTokenizer();
        var random = new Random(5);
        for (int round = 0; round < 500; round++)
        {
            // Bytes of characters, often damaged.
            byte[] bytes = Encoding.UTF8.GetBytes(Texts.Random(round, 6));
            for (int damage = random.Next(4); damage > 0; damage--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            int[] tokens = [.. bytes.Take(bytes.Length - random.Next(2)).Select(value => (int)value)];
            var decoder = tokenizer.Decoder();
            Assert.Equal(tokenizer.Decode(tokens), string.Concat(tokens.Select(decoder.Add)) + decoder.Finish());
        }
    }

    [Fact]
    public void Decoder_HoldsBackPartsOfCharacters()
    {
        var decoder = new ByteTokenizer().Decoder();
        Assert.Equal(["", "", "", "😀", "a"], "😀a"u8.ToArray().Select(value => decoder.Add(value)));
        Assert.Equal("", decoder.Add(0xe2));
        Assert.Equal("\ufffd", decoder.Finish());
        Assert.Equal("", decoder.Finish());
    }

    [Theory]
    [InlineData("ASH0441", "")]
    [InlineData("ASH0441", "[]")]
    [InlineData("ASH0441", "{}")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","merges":[]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{},"merges":[]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":0,"b":0},"merges":[]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[3]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"Unigram"}}""")]
    [InlineData("ASH0441", """{"model":{"type":"Unigram","vocab":[["a"]]}}""")]
    [InlineData("ASH0441", """{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":1}}""")]
    [InlineData("ASH0441", """{"model":{"type":"WordPiece","vocab":{"a":0}}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"byte_fallback":true}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[],"news":1}}""")]
    [InlineData("ASH0442", """{"model":{"type":"Letters","vocab":{"a":0}}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"Rot13"}}""")]
    [InlineData("ASH0442",
        """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"UnicodeLines"}]}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"post_processor":{"type":"Rhyme"}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"decoder":{"type":"Rot13"}}""")]
    [InlineData("ASH0442", """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"truth":1}""")]
    [InlineData("ASH0441",
        """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"normalizer":{"type":"Precompiled","precompiled_charsmap":"?"}}""")]
    [InlineData("ASH0472",
        """{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}}""")]
    [InlineData("ASH0442",
        """{"model":{"type":"WordLevel","vocab":{"ab":0}},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?s:.)"}}}""")]
    [InlineData("ASH0441",
        """{"model":{"type":"WordLevel","vocab":{"a":1}},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?s:.)"}}}""")]
    public void FromJson_RejectsWhatItCannotUse(string code, string json)
    {
        var error = Assert.Throws<TokenizerException>(() => Tokenizer.FromJson(Encoding.UTF8.GetBytes(json), "the file"));
        Assert.Equal(code, error.Code);
        Assert.Contains("the file", error.Message);
    }

    [Fact]
    public void Load_SaysWhichFileIsMissing() =>
        Assert.Contains("no/tokenizer.json", Assert.Throws<TokenizerException>(() =>
            Tokenizer.Load("no/tokenizer.json")).Message);
}
