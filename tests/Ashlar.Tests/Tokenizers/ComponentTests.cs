using System.Text;
using System.Text.Json;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>Each component of a <c>tokenizer.json</c>, with results from the documentation and tests of the Rust
/// library.</summary>
public class ComponentTests
{
    static JsonPart Part(string json) => new(JsonDocument.Parse(json).RootElement, "part", "the test");

    static string[] Cut(string json, string text, bool isStart = true)
    {
        var words = new Words();
        words.Set(Encoding.UTF8.GetBytes(text), isStart);
        foreach (var step in PreTokenizers.Read(Part(json), takesBytes: true).Steps) step.Cut(words);
        return [.. words.Pieces.Select(piece => Encoding.UTF8.GetString(words.Text.Span[piece.Start..piece.End]))];
    }

    static string Normalize(string json, string text) =>
        Encoding.UTF8.GetString(Normalizers.Read(Part(json))!.Apply(Encoding.UTF8.GetBytes(text)));

    static Tokenizer Load(string model, string more = "") =>
        Tokenizer.FromJson(Encoding.UTF8.GetBytes($$"""{"model":{{model}}{{(more == "" ? "" : "," + more)}}}"""));

    static void Decodes(Tokenizer tokenizer, string expected, params int[] tokens)
    {
        Assert.Equal(expected, tokenizer.Decode(tokens));
        var decoder = tokenizer.Decoder();
        Assert.Equal(expected, string.Concat(tokens.Select(decoder.Add)) + decoder.Finish());
    }

    [Theory]
    [InlineData("Removed", "the", "final", "countdown")]
    [InlineData("Isolated", "the", "-", "final", "-", "-", "countdown")]
    [InlineData("MergedWithPrevious", "the-", "final-", "-", "countdown")]
    [InlineData("MergedWithNext", "the", "-final", "-", "-countdown")]
    [InlineData("Contiguous", "the", "-", "final", "--", "countdown")]
    public void Split_TreatsMatchesAsAsked(string behavior, params string[] expected)
    {
        Assert.Equal(expected, Cut($$"""{"type":"Split","pattern":{"String":"-"},"behavior":"{{behavior}}","invert":false}""",
            "the-final--countdown"));
        Assert.Equal(expected, Cut($$"""{"type":"Split","pattern":{"Regex":"-"},"behavior":"{{behavior}}","invert":false}""",
            "the-final--countdown"));
    }

    [Fact]
    public void Split_TakesWhatIsBetween_WhenInverted() => Assert.Equal(["Hello", "Hello"],
        Cut("""{"type":"Split","pattern":{"String":"Hello"},"behavior":"Removed","invert":true}""", "Hello Hello "));

    [Theory]
    [InlineData("""{"type":"Whitespace"}""", "Hey friend!     How are you?!?", "Hey", "friend", "!", "How", "are", "you", "?!?")]
    [InlineData("""{"type":"WhitespaceSplit"}""", "Hey friend!\u3000How", "Hey", "friend!", "How")]
    [InlineData("""{"type":"BertPreTokenizer"}""", "Hey friend!     How are you?!?", "Hey", "friend", "!", "How", "are", "you",
        "?", "!", "?")]
    [InlineData("""{"type":"Punctuation"}""", "Hey? $3 «x»", "Hey", "?", " ", "$", "3 ", "«", "x", "»")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "Hey 123 friend!", "Hey ", "123", " friend!")]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "Hey 123", "Hey ", "1", "2", "3")]
    [InlineData("""{"type":"CharDelimiterSplit","delimiter":"|"}""", "a|b||c", "a", "b", "c")]
    [InlineData("""{"type":"FixedLength","length":3}""", "Hello é!", "Hel", "lo ", "é!")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","add_prefix_space":true}""", "Hey  friend!", "▁Hey", "▁", "▁friend!")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", " Hey", "▁Hey")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"}""", "Hey you", "Hey", "▁you")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":false}""", "Hey you", "▁Hey▁you")]
    [InlineData(
        """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}]}""", "Hey you", "▁Hey", "you")]
    [InlineData(
        """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","add_prefix_space":true}]}""", "Hey you", "▁Hey", "▁you")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}""", "Hello you're é",
        " Hello", " you", "'re", " é")]
    [InlineData(
        """{"type":"Sequence","pretokenizers":[{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},{"type":"Digits","individual_digits":true}]}""", "é 1", "Ã©Ġ", "1")]
    public void PreTokenizer_CutsAsDocumented(string json, string text, params string[] expected) =>
        Assert.Equal(expected, Cut(json, text));

    [Fact]
    public void Metaspace_WritesItsFirstMark_OnlyAtTheStartOfAll() =>
        Assert.Equal(["Hey"], Cut("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}""", "Hey", isStart: false));

    [Theory]
    [InlineData("""{"type":"NFD"}""", "é한ﬁ", "e\u0301\u1112\u1161\u11abﬁ")]
    [InlineData("""{"type":"NFC"}""", "e\u0301\u1112\u1161\u11aba\u0323\u0302", "é한ậ")]
    [InlineData("""{"type":"NFC"}""", "\u212b\u0958a\u0315\u0300", "\u00c5\u0915\u093cà\u0315")]
    [InlineData("""{"type":"NFKC"}""", "ﬁ①Ｈ\u00a0㎜", "fi1H mm")]
    [InlineData("""{"type":"NFKD"}""", "ﬁé½", "fie\u03011\u20442")]
    [InlineData("""{"type":"Lowercase"}""", "ÉA\u0130Σ", "éai\u0307σ")]
    [InlineData("""{"type":"StripAccents"}""", "e\u0301a\u0327x", "eax")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":false}""", " \u3000a ", "a ")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "", "")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "a", "▁a")]
    [InlineData("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""", " a b", "▁a▁b")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}""", "a    b c", "a b c")]
    [InlineData("""{"type":"Nmt"}""", "a\u0001\tb\u200b\u0000", "a b \u0000")]
    [InlineData("""{"type":"ByteLevel"}""", "é a", "Ã©Ġa")]
    [InlineData("""{"type":"BertNormalizer"}""", "Héé\u0000 \t漢x\u200d", "hee   漢 x")]
    [InlineData("""{"type":"BertNormalizer","lowercase":false}""", "HÉ", "HÉ")]
    [InlineData("""{"type":"BertNormalizer","lowercase":false,"strip_accents":true,"handle_chinese_chars":false}""", "É漢", "E漢")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},{"type":"Lowercase"}]}""", "ÉÀ",
        "ea")]
    public void Normalizer_ChangesAsDocumented(string json, string text, string expected) =>
        Assert.Equal(expected, Normalize(json, text));

    [Fact]
    public void UnicodeForms_AgreeWithEachOther()
    {
        UnicodeForm nfc = new(false, true), nfd = new(false, false), nfkc = new(true, true);
        for (int seed = 0; seed < 300; seed++)
        {
            byte[] text = Encoding.UTF8.GetBytes(Texts.Random(seed, 40) + "\u0323\u0301a\u0301\u0323\u0344ΐ\u1100\u1161");
            Assert.Equal(nfc.Apply(text), nfc.Apply(nfd.Apply(text)));
            Assert.Equal(nfd.Apply(text), nfd.Apply(nfc.Apply(text)));
            Assert.Equal(nfkc.Apply(text), nfkc.Apply(nfkc.Apply(text)));
        }
        // A million marks are ordered in time.
        Assert.Equal(2_000_001,
            nfd.Apply(Encoding.UTF8.GetBytes("a" + string.Concat(Enumerable.Repeat("\u0301\u0323", 500_000)))).Length);
    }

    const string Letters = """{"<unk>":0,"a":1,"b":2}""";

    [Fact]
    public void Bpe_FusesUnknown_WhenAsked()
    {
        var apart = Load($$"""{"type":"BPE","vocab":{{Letters}},"merges":[],"unk_token":"<unk>","fuse_unk":false}""");
        var fused = Load($$"""{"type":"BPE","vocab":{{Letters}},"merges":[],"unk_token":"<unk>","fuse_unk":true}""");
        Assert.Equal([1, 0, 0, 2], apart.Encode("accb"));
        Assert.Equal([1, 0, 2], fused.Encode("accb"));
        var none = Load($$"""{"type":"BPE","vocab":{{Letters}},"merges":[]}""");
        Assert.Equal("ASH0440", Assert.Throws<TokenizerException>(() => none.Encode("c")).Code);
    }

    [Fact]
    public void Bpe_FallsBackToTheBytesThatItHas()
    {
        var tokenizer =
            Load(
                """{"type":"BPE","vocab":{"<unk>":0,"<0x61>":1,"<0x0A>":2,"<0xC3>":3},"merges":[],"unk_token":"<unk>","byte_fallback":true}""");
        Assert.Equal([0, 1, 2, 0], tokenizer.Encode("ca\né"));
    }

    [Theory]
    [InlineData("true", ".:.:", 0)]
    [InlineData("true", " belirtilen", 1)]
    [InlineData("false", ".:.:", 7, 7)]
    [InlineData("false", " belirtilen", 6, 4, 15, 14)]
    public void Bpe_TakesWholeWords_WhenItIgnoresMerges(string ignores, string text, params int[] expected)
    {
        var tokenizer = Load($$"""
            {"type":"BPE","ignore_merges":{{ignores}},"vocab":{".:.:":0,"Ġbelirtilen":1,".":2,":":3,"bel":4,"irtilen":5,"Ġ":6,".:":7,"belirtilen":8,".:.":9,"be":10,"l":11,
            "ir":12,"ti":13,"en":14,"irtil":15,"irti":16,"i":17,"r":18,"t":19,"b":20,"e":21,"n":22},
            "merges":[[".",":"],["b","e"],["be","l"],["i","r"],["t","i"],["ir","ti"],["e","n"],["irti","l"]]}
            """, """ "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},"decoder":{"type":"ByteLevel"} """);
        Assert.Equal(expected, tokenizer.Encode(text));
        Decodes(tokenizer, text, expected);
    }

    [Fact]
    public void Bpe_MarksPartsAndEndsOfWords()
    {
        var ends =
            Load(
                """{"type":"BPE","vocab":{"l":0,"o":1,"w</w>":2,"lo":3,"low</w>":4,"o</w>":5},"merges":["l o","lo w</w>"],"end_of_word_suffix":"</w>"}""",
            """ "pre_tokenizer":{"type":"Whitespace"},"decoder":{"type":"BPEDecoder"} """);
        Assert.Equal([4, 0, 5], ends.Encode("low lo"));
        Decodes(ends, "low lo", 4, 0, 5);
        var parts =
            Load(
                """{"type":"BPE","vocab":{"a":0,"##b":1,"##c":2,"ab":3,"abc":4},"merges":["a ##b","ab ##c"],"continuing_subword_prefix":"##"}""");
        Assert.Equal([4], parts.Encode("abc"));
    }

    [Fact]
    public void Bpe_OfLongWords_AgreesWithThatOfShortOnes()
    {
        var tokenizer =
            Load("""{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"aba":3,"aa":4,"aaaa":5},"merges":["a b","ab a","a a","aa aa"]}""");
        var random = new Random(3);
        for (int i = 0; i < 50; i++)
        {
            // The same text, as one word and behind a word that makes it long: merges never cross a 'b' that is followed by 'b'.
            string text = "b" + string.Concat(Enumerable.Range(0, 60).Select(_ => random.Next(3) == 0 ? 'b' : 'a')) + "b";
            string longText = string.Concat(Enumerable.Repeat(text, 5));
            int[] once = tokenizer.Encode(text);
            Assert.Equal(Enumerable.Repeat(once, 5).SelectMany(tokens => tokens), tokenizer.Encode(longText));
        }
        Assert.Equal(250_000, tokenizer.Encode(new string('a', 1_000_000)).Length);
    }

    [Theory]
    [InlineData("abcd", 8)]
    [InlineData("abc", 7)]
    [InlineData("abcdacdxx", 8, 1, 5, 0)]
    public void Unigram_TakesTheBestSum(string text, params int[] expected) => Assert.Equal(expected,
        Load(
            """{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["a",0.0],["b",0.0],["c",0.0],["d",0.0],["cd",1.0],["ab",2.0],["abc",5.0],["abcd",10.0]]}""").Encode(text));

    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("AB", "<unk>")]
    [InlineData("abcd", "ab", "cd")]
    [InlineData("abcc", "abc", "c")]
    [InlineData("xabcabaabcdd", "<unk>", "abc", "ab", "a", "ab", "cd", "<unk>")]
    [InlineData("xyz東京", "<unk>")]
    [InlineData("ABC", "ABC")]
    [InlineData("abABCcd", "ab", "ABC", "cd")]
    [InlineData("ababcdabcdcd", "ab", "abcdabcd", "cd")]
    [InlineData("abqrcd", "ab", "q", "r", "cd")]
    public void Unigram_AgreesWithTheRustTests(string text, params string[] expected)
    {
        var tokenizer = Load("""
            {"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["ab",0.0],["cd",-0.1],["abc",-0.2],["a",-0.3],["b",-0.4],["c",-0.5],["ABC",-0.5],["abcdabcd",20.0],
            ["q",20.5],["r",20.5],["qr",-0.5]]}
            """);
        Assert.Equal(expected, tokenizer.Encode(text).Select(tokenizer.Name));
    }

    [Fact]
    public void Unigram_FallsBackToBytes()
    {
        string bytes = string.Join(',', Enumerable.Range(0, 256).Select(value => $"[\"<0x{value:X2}>\",-9.0]"));
        var tokenizer =
            Load($$"""{"type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["<unk>",0.0],{{bytes}},["a",-1.0]]}""",
            """ "decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]} """);
        Assert.Equal([257, 1 + 0xc3, 1 + 0xa9, 1 + 'b', 257], tokenizer.Encode("aéba"));
        Decodes(tokenizer, "aéba", 257, 1 + 0xc3, 1 + 0xa9, 1 + 'b', 257);
        Decodes(tokenizer, "a\ufffd", 257, 1 + 0xc3);
    }

    [Fact]
    public void WordPiece_TakesTheLongest_OrNothing()
    {
        var tokenizer =
            Load(
                """{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[UNK]":0,"un":1,"##aff":2,"##able":3,"##ab":4,".":5,"a":6},"max_input_chars_per_word":10}""",
            """ "pre_tokenizer":{"type":"BertPreTokenizer"},"decoder":{"type":"WordPiece","prefix":"##","cleanup":true} """);
        Assert.Equal([1, 2, 3, 0, 5], tokenizer.Encode("unaffable unx."));
        Assert.Equal([0], tokenizer.Encode("aaaaaaaaaaa"));
        Decodes(tokenizer, "unaffable un.", 1, 2, 3, 1, 5);
        Decodes(tokenizer, "##aff un", 2, 1);
    }

    [Fact]
    public void WordLevel_KnowsWords_OrNot()
    {
        var tokenizer = Load("""{"type":"WordLevel","vocab":{"the":0,"cat":1,"?":2},"unk_token":"?"}""",
            """ "pre_tokenizer":{"type":"WhitespaceSplit"} """);
        Assert.Equal([0, 2, 1], tokenizer.Encode("the black cat"));
        Decodes(tokenizer, "the cat", 0, 1);
    }

    [Theory]
    [InlineData("""{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true}""", "hello w",
        "<pad> <pad> h e e l l <pad> l o o o <pad> | w")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", "Hey friend! x", "▁Hey ▁friend! ▁x")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"}""", " Hey", "▁Hey")]
    [InlineData(
        """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""", " Hey", "▁ ▁Hey")]
    [InlineData("""{"type":"Strip","content":"_","start":1,"stop":1}""", "a_b", "_a__ b_")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"_","start":0,"stop":2}]}""",
        "a_b", "a_ b__")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"Regex":"aa"},"content":"b"}]}""",
        "b", "a a")]
    [InlineData("""{"type":"BPEDecoder","suffix":"</w>"}""", "My name is John", "My</w> na me</w> is</w> Jo hn</w>")]
    public void Decoder_JoinsAsDocumented(string decoder, string expected, string tokens)
    {
        string[] parts = tokens.Split(' ');
        string[] distinct = [.. parts.Distinct()];
        string vocabulary = string.Join(',', distinct.Select((part, i) => $"{JsonSerializer.Serialize(part)}:{i}"));
        var tokenizer = Load("{\"type\":\"WordLevel\",\"vocab\":{" + vocabulary + "}}", $"\"decoder\":{decoder}");
        Decodes(tokenizer, expected, [.. parts.Select(part => Array.IndexOf(distinct, part))]);
    }

    static string Added(string text, int id, string flags) => $$"""{"content":"{{text}}","id":{{id}},{{flags}}}""";

    [Fact]
    public void AddedTokens_KeepTheirFlags()
    {
        string added = string.Join(',', Added("<l>", 10, "\"lstrip\":true,\"special\":true"),
            Added("<r>", 11, "\"rstrip\":true,\"special\":true"),
            Added("word", 12, "\"single_word\":true,\"normalized\":false"), Added("wo", 13, "\"normalized\":false"));
        var tokenizer = Load("""{"type":"WordLevel","vocab":{"a":0,"b":1,"?":2},"unk_token":"?"}""",
            $"\"added_tokens\":[{added}],\"pre_tokenizer\":{{\"type\":\"FixedLength\",\"length\":1}}");
        Assert.Equal([0, 10, 1], tokenizer.Encode("a  <l>b"));
        Assert.Equal([0, 11, 1], tokenizer.Encode("a<r> \n b"));
        Assert.Equal([0, 2, 12, 2, 1], tokenizer.Encode("a word b"));
        Assert.Equal([2, 2, 2, 2, 2], tokenizer.Encode("words"));      // nor is the shorter one within it
        Assert.Equal([13, 2], tokenizer.Encode("wot"));
        Assert.Equal([2, 2, 2], tokenizer.Encode("<l>", parseSpecial: false));
        Assert.Equal([13], tokenizer.Encode("wo", parseSpecial: false));
        Assert.Equal("ab", tokenizer.Decode([0, 10, 1], skipSpecial: true).Replace(" ", ""));
    }

    [Fact]
    public void AddedTokens_AreFoundBehindNormalisation_WhenNormalized()
    {
        string added = string.Join(',', Added("ABC", 10, "\"normalized\":true"), Added("DEF", 11, "\"normalized\":false"));
        var tokenizer = Load("""{"type":"WordLevel","vocab":{"?":2},"unk_token":"?"}""",
            $"\"added_tokens\":[{added}],\"normalizer\":{{\"type\":\"Lowercase\"}}");
        Assert.Equal([10], tokenizer.Encode("aBc"));
        Assert.Equal([2], tokenizer.Encode("dEf"));
        Assert.Equal([11], tokenizer.Encode("DEF"));
    }

    [Theory]
    [InlineData(
        """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[7],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[8,9],"tokens":["</s>"]}}}""", 7, 0, 8, 9)]
    [InlineData("""{"type":"BertProcessing","sep":["[SEP]",4],"cls":["[CLS]",3]}""", 3, 0, 4)]
    [InlineData("""{"type":"RobertaProcessing","sep":["</s>",4],"cls":["<s>",3],"trim_offsets":true,"add_prefix_space":true}""",
        3, 0, 4)]
    [InlineData("""{"type":"ByteLevel","trim_offsets":true}""", 0)]
    [InlineData(
        """{"type":"Sequence","processors":[{"type":"ByteLevel"},{"type":"BertProcessing","sep":["[SEP]",4],"cls":["[CLS]",3]}]}""", 3, 0, 4)]
    public void PostProcessor_WritesAroundTheText(string json, params int[] expected)
    {
        var tokenizer = Load("""{"type":"WordLevel","vocab":{"a":0}}""", $"\"post_processor\":{json}");
        Assert.Equal(expected, tokenizer.Encode("a", addSpecial: true));
        Assert.Equal([0], tokenizer.Encode("a"));
    }

    [Fact]
    public void Trained_TokenizersAreTheSame_ReadAsAPipeline()
    {
        var trained = BpeTokenizer.Train(Texts.English, 400, ["<|end|>"]);
        byte[] json = trained.ToJson();
        var read = new TokenizerJsonReader(JsonDocument.Parse(json).RootElement, "the test").Read(() => json);
        for (int seed = 0; seed < 100; seed++)
        {
            string text = Texts.Random(seed, 50) + "<|end|>" + Texts.English[..(seed * 2)];
            Assert.Equal(trained.Encode(text), read.Encode(text));
            Assert.Equal(text, read.Decode(read.Encode(text)));
        }
    }

    [Fact]
    public void Encode_AllocatesNothing_OnceWordsAreKnown()
    {
        var tokenizer = BpeTokenizer.Train(Texts.English, 400);
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(Texts.English, 50)));
        var tokens = new List<int>(text.Length);
        for (int i = 0; i < 3; i++)
        {
            tokens.Clear();
            tokenizer.Encode(text, tokens);
        }
        long before = GC.GetAllocatedBytesForCurrentThread();
        tokens.Clear();
        tokenizer.Encode(text, tokens);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 2000,
            $"{GC.GetAllocatedBytesForCurrentThread() - before} bytes");
    }

    [Fact]
    public void Encode_IsTheSame_OnManyThreads()
    {
        var tokenizer = BpeTokenizer.Train(Texts.English, 350);
        string[] texts = [.. Enumerable.Range(0, 64).Select(seed => Texts.Random(seed, 200) + Texts.English)];
        int[][] alone = [.. texts.Select(text => BpeTokenizer.Train(Texts.English, 350).Encode(text)).Take(8)];
        int[][] together = [.. texts.AsParallel().AsOrdered().Select(text => tokenizer.Encode(text))];
        for (int i = 0; i < alone.Length; i++) Assert.Equal(alone[i], together[i]);
    }
}
