using System.Text;
using System.Text.RegularExpressions;
using Ashlar.Tests.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

public partial class BpeTokenizerTests
{
    [Fact]
    public void Words_AreThoseOfTheRegularExpression()
    {
        for (int seed = 0; seed < 300; seed++)
        {
            string text = seed == 0 ? Texts.English : seed % 2 == 0 ? Basic(Texts.Random(seed, 40)) : Signs(seed);
            Assert.Equal(Words().Matches(text).Select(match => match.Value), Split(text));
        }

        // .NET's regular expressions see two halves of a pair, not one letter or sign.
        static string Basic(string text) => string.Concat(text.Where(half => !char.IsSurrogate(half)));

        // Many of the places where the branches of the expression meet.
        static string Signs(int seed)
        {
            var random = new Random(seed);
            string[] parts = [" ", "  ", "\n", "\t", "'", "'s", "'re", "'l", "'ll", "a", "Bc", "é", "1", "23", "½", "!", "?!",
                "\u3000", "\u00a0", "名", "\u0301", "'S"];
            return string.Concat(Enumerable.Range(0, 12).Select(_ => parts[random.Next(parts.Length)]));
        }
    }

    [Fact]
    public void Train_LearnsTheMostFrequentPairFirst()
    {
        // The example of Sennrich, Haddow and Birch 2016, figure 1, without its mark for the end of a word.
        string text =
            string.Join('\n', [.. Repeat("low", 5), .. Repeat("lower", 2), .. Repeat("newest", 6), .. Repeat("widest", 3)]);
        var tokenizer = BpeTokenizer.Train(text, 256 + 5);
        Assert.Equal(["es", "est", "lo", "low", "ew"], tokenizer.Merges.Select(merge =>
            Encoding.UTF8.GetString(tokenizer.Bytes(merge.Result))));
        Assert.Equal(["low", "est"], tokenizer.Encode("lowest").Select(token => tokenizer.Decode([token])));

        static IEnumerable<string> Repeat(string word, int count) => Enumerable.Repeat(word, count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Train_AgreesWithCountingEverythingAnew(int seed)
    {
        var random = new Random(seed);
        string[] syllables = ["a", "aa", "ab", "ba", "an", "na", "é"];
        string text = string.Join(' ', Enumerable.Range(0, 300).Select(_ =>
            string.Concat(Enumerable.Range(0, random.Next(1, 7)).Select(_ => syllables[random.Next(syllables.Length)]))));
        var tokenizer = BpeTokenizer.Train(text, 256 + 60);
        Assert.Equal(NaiveMerges(text, 60), tokenizer.Merges.Select(merge => (merge.Left, merge.Right)));
    }

    [Fact]
    public void Train_StopsWhenNoPairComesOftenEnough()
    {
        // "ab" alone: the first has no blank before it.
        Assert.Equal(256 + 1 + 1, BpeTokenizer.Train("ab ab cd", 1000, ["<s>"]).VocabularySize);
        Assert.Equal(256, BpeTokenizer.Train("", 300).VocabularySize);
    }

    [Fact]
    public void Train_DoesNotDependOnPieces()
    {
        var whole = BpeTokenizer.Train(Texts.English, 320);
        var pieces =
            BpeTokenizer.Train(Split(Texts.English).Select(word => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(word)), 320);
        Assert.Equal(whole.Merges, pieces.Merges);
    }

    [Fact]
    public void Train_RejectsWhatCannotBe()
    {
        Assert.Equal("ASH0444", Assert.Throws<TokenizerException>(() => BpeTokenizer.Train("a", 255)).Code);
        Assert.Equal("ASH0444", Assert.Throws<TokenizerException>(() => BpeTokenizer.Train("a", 256, ["<s>"])).Code);
        Assert.Equal("ASH0444", Assert.Throws<TokenizerException>(() => BpeTokenizer.Train("a", 300, ["<s>", "<s>"])).Code);
        Assert.Equal("ASH0444", Assert.Throws<TokenizerException>(() => BpeTokenizer.Train("a", 300, [""])).Code);
        Assert.Equal("ASH0445", Assert.Throws<TokenizerException>(() => BpeTokenizer.Train([new byte[] { 0xff }], 300)).Code);
    }

    [Fact]
    public void Encode_AppliesMergesInTheOrderLearned()
    {
        var tokenizer = BpeTokenizer.Train(Texts.English, 330);
        for (int seed = 0; seed < 60; seed++)
        {
            string text = seed == 0
                ? Texts.English
                : string.Concat(Enumerable.Range(0, 20).Select(i =>
                    Texts.English.Substring((seed * 37 + i * 11) % 200, 1 + i % 5)));
            Assert.Equal(Split(text).SelectMany(word => NaiveEncode(tokenizer, word)), tokenizer.Encode(text));
        }
    }

    [Fact]
    public void Encode_TakesWordsWithoutEnd()
    {
        var tokenizer = BpeTokenizer.Train("aaaa aaaa aaaa", 260);
        string text = new('a', 40_000);
        int[] tokens = tokenizer.Encode(text);
        Assert.Equal(10_000, tokens.Length);
        Assert.Equal(text, tokenizer.Decode(tokens));
    }

    [Fact]
    public void Encode_FindsAddedTokensAsAWhole()
    {
        var tokenizer = BpeTokenizer.Train("a b", 300, ["<|end|>", "<|end|>x"]);
        int end = tokenizer.Added[0].Token;
        Assert.Equal([end, 'a', end + 1, end, '<', '|'], tokenizer.Encode("<|end|>a<|end|>x<|end|><|"));
        Assert.Equal("<|end|>", tokenizer.Decode([end]));
    }

    /// <summary>GPT-2's vocabulary, as phi-2 has it, against tokens that llama.cpp publishes for its tests.</summary>
    [DataFact]
    public void Encode_AgreesWithGpt2()
    {
        string json = File.ReadAllText(Path.Combine(DataFact.Folder!, "tokenizers/hf/phi-2/tokenizer.json"));
        var phi = (BpeTokenizer)Tokenizer.FromJson(Encoding.UTF8.GetBytes(json));
        Assert.Equal(50295, phi.VocabularySize);
        Assert.Equal([15496, 50279], phi.Encode("Hello" + new string(' ', 9)));   // nine blanks are one added token

        var gpt = new BpeTokenizer(Enumerable.Range(0, 50257).Select(token => phi.Bytes(token).ToArray()), phi.Merges, []);
        string[] texts = File.ReadAllText(Path.Combine(DataFact.Folder!, "tokenizers/gguf/ggml-vocab-gpt-2.gguf.inp"))
            .Split("\n__ggml_vocab_test__\n");
        string[] expected = File.ReadAllText(Path.Combine(DataFact.Folder!, "tokenizers/gguf/ggml-vocab-gpt-2.gguf.out"))
            .TrimEnd('\n').Split('\n');
        Assert.True(texts.Length >= 40);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i].Trim(), string.Join(' ', gpt.Encode(texts[i])));
        Assert.Equal(gpt.Merges, ((BpeTokenizer)Tokenizer.FromJson(gpt.ToJson())).Merges);
    }

    static List<string> Split(string text)
    {
        var words = new List<string>();
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        for (int at = 0, end; at < utf8.Length; at = end)
        {
            end = Gpt2Words.Instance.End(utf8, at);
            words.Add(Encoding.UTF8.GetString(utf8, at, end - at));
        }
        return words;
    }

    static List<(int, int)> NaiveMerges(string text, int count)
    {
        var words = Split(text).Select(word => Encoding.UTF8.GetBytes(word).Select(value => (int)value).ToList()).ToList();
        var merges = new List<(int, int)>();
        while (merges.Count < count)
        {
            var best = words.SelectMany(word => word.Zip(word.Skip(1))).GroupBy(pair => pair)
                .Select(group => (Count: group.Count(), Pair: group.Key))
                .Where(entry => entry.Count >= 2).OrderByDescending(entry => entry.Count).ThenBy(entry => entry.Pair).ToList();
            if (best.Count == 0) break;
            foreach (var word in words) Join(word, best[0].Pair, 256 + merges.Count);
            merges.Add(best[0].Pair);
        }
        return merges;
    }

    static List<int> NaiveEncode(BpeTokenizer tokenizer, string word)
    {
        var tokens = Encoding.UTF8.GetBytes(word).Select(value => (int)value).ToList();
        foreach (var merge in tokenizer.Merges) Join(tokens, (merge.Left, merge.Right), merge.Result);
        return tokens;
    }

    static void Join(List<int> tokens, (int Left, int Right) pair, int result)
    {
        for (int i = 0; i + 1 < tokens.Count; i++)
        {
            if ((tokens[i], tokens[i + 1]) != pair) continue;
            tokens[i] = result;
            tokens.RemoveAt(i + 1);
        }
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    internal static partial Regex Words();
}
