using System.Diagnostics;
using System.Text;
using Ashlar.Tokenizers;

namespace Ashlar.Bench;

/// <summary>How fast text becomes tokens and tokens text, on one core.</summary>
/// <remarks>
/// Vocabularies are trained here, on the text itself, so that nothing need be fetched: one cut as GPT-2 cuts words, one as Llama
/// 3 does, and one of scored pieces without words (SentencePiece). The bound of 20 MB/s is several times what the Rust library
/// reaches on one core.
/// </remarks>
static class TokenizerFigures
{
    const double BoundMegabytes = 20;
    const int TextBytes = 1 << 20;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        var made = new Lazy<(byte[] Text, Tokenizer Gpt2, Tokenizer Llama3, Tokenizer Scored)>(Make);
        yield return Encode("gpt2", () => made.Value.Gpt2);
        yield return Encode("llama3-like", () => made.Value.Llama3);
        yield return Encode("spm", () => made.Value.Scored);
        yield return new("tokenizer.gpt2.decode", Target.AtLeast(1), session =>
        {
            int[] tokens = made.Value.Gpt2.Encode(Encoding.UTF8.GetString(made.Value.Text));
            return Rate("tokenizer.gpt2.decode", () => made.Value.Gpt2.Decode(tokens), session.Cancellation);
        });

        Benchmark Encode(string kind, Func<Tokenizer> tokenizer) => new($"tokenizer.{kind}.encode", Target.AtLeast(1), session =>
        {
            var tokens = new List<int>(TextBytes);
            var encoder = tokenizer();
            return Rate($"tokenizer.{kind}.encode", () =>
            {
                tokens.Clear();
                encoder.Encode(made.Value.Text, tokens);
            }, session.Cancellation);
        });
    }

    static Figure Rate(string name, Action work, CancellationToken cancellation)
    {
        var rates = new List<double>();
        for (int i = 0; i < 12; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            long start = Stopwatch.GetTimestamp();
            work();
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (i >= 4) rates.Add(TextBytes / seconds / 1e6);   // the first runs warm up
        }
        double rate = Sampling.Median(rates);
        return new(name, rate, "MB/s", BoundMegabytes, rate / BoundMegabytes);
    }

    static (byte[], Tokenizer, Tokenizer, Tokenizer) Make()
    {
        byte[] text = Encoding.UTF8.GetBytes(Words());
        var gpt2 = BpeTokenizer.Train([text], 8000);
        byte[][] tokens = [.. Enumerable.Range(0, gpt2.VocabularySize).Select(token => gpt2.Bytes(token).ToArray())];
        var gguf = new GgufVocabulary
        {
            Model = "gpt2",
            Pre = "llama-bpe",
            Tokens = [.. tokens.Select(token => Encoding.UTF8.GetBytes(Alphabet(token)))],
            Merges = [.. gpt2.Merges.Select(merge =>
                Encoding.UTF8.GetBytes($"{Alphabet(tokens[merge.Left])} {Alphabet(tokens[merge.Right])}"))],
        };
        // The same tokens as pieces, of which those that were learned first score best.
        byte[][] pieces = [.. ((string[])["<unk>", "<s>", "</s>"]).Select(Encoding.UTF8.GetBytes),
            .. tokens.Where(token => token.All(value => value < 128)).Select(token =>
                Encoding.UTF8.GetBytes(Encoding.ASCII.GetString(token).Replace(' ', '\u2581'))).DistinctBy(Convert.ToHexString)];
        var scored = new GgufVocabulary
        {
            Model = "llama",
            Tokens = pieces,
            Scores = [.. pieces.Select((_, i) => -(float)i)],
            Types = [.. pieces.Select((_, i) => i == 0 ? 2 : i < 3 ? 3 : 1)],
        };
        return (text, gpt2, gguf.Build().Tokenizer, scored.Build().Tokenizer);
    }

    // GPT-2's way of writing bytes as printable characters.
    static string Alphabet(byte[] token)
    {
        var text = new StringBuilder();
        foreach (byte value in token) text.Append(value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 ? (char)value
            : (char)(256 + (value <= 32 ? value : value <= 160 ? value - 127 + 33 : 67)));
        return text.ToString();
    }

    // English-like: words of syllables, the rarer the later, with signs, numbers and lines.
    static string Words()
    {
        var random = new Random(1);
        string[] syllables = ["the", "an", "to", "er", "in", "re", "st", "on", "al", "ing", "com", "ver", "be", "sen", "ti",
            "ous", "ra", "lo", "mi", "ke"];
        string[] words =
            [.. Enumerable.Range(0, 20_000)
                .Select(i =>
                    string.Concat(Enumerable.Range(0, 1 + random.Next(1 + Math.Min(4, i / 200)))
                        .Select(_ => syllables[random.Next(syllables.Length)])))];
        var text = new StringBuilder(TextBytes + 64);
        while (text.Length < TextBytes)
        {
            text.Append(words[(int)(Math.Pow(words.Length, random.NextDouble()) - 1)]);
            text.Append(random.Next(14) switch
            {
                0 => ". ",
                1 => ", ",
                2 => ".\n",
                3 => " " + random.Next(2000) + " ",
                _ => " ",
            });
        }
        return text.ToString(0, TextBytes);
    }
}
