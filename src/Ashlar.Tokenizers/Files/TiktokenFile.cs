using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Reads files of tiktoken: on each line a token in base64, a blank, and its rank, which is its number.</summary>
static class TiktokenFile
{
    /// <summary>True where the first line is such a line.</summary>
    public static bool LooksLike(ReadOnlySpan<byte> content)
    {
        int end = content.IndexOf((byte)'\n');
        var line = end < 0 ? content : content[..end];
        int blank = line.IndexOf((byte)' ');
        return blank > 0 && line.Length < 1000 && Base64.IsValid(line[..blank])
            && line[(blank + 1)..].TrimEnd((byte)'\r').IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;
    }

    /// <summary>The pattern of the encoding that has about so many ranks.</summary>
    public static string PatternOf(int ranks) => ranks switch
    {
        < 51_000 => Gpt2Words.Pattern,
        < 110_000 => KnownPatterns.Cl100k,
        < 140_000 => KnownPatterns.Llama3,
        < 160_000 => KnownPatterns.Qwen2,
        _ => KnownPatterns.O200k,
    };

    /// <param name="content">The file.</param>
    /// <param name="source">What errors call it.</param>
    /// <param name="pattern">How words are cut.</param>
    /// <param name="added">Special tokens, which the file does not hold.</param>
    /// <exception cref="TokenizerException">A line is not a token and a rank.</exception>
    public static TokenizerPipeline Read(ReadOnlySpan<byte> content, string source, string pattern,
        IReadOnlyList<AddedToken> added)
    {
        var tokens = new List<byte[]?>();
        int number = 0;
        foreach (var range in content.Split((byte)'\n'))
        {
            number++;
            var line = content[range].TrimEnd("\r"u8);
            if (line.IsEmpty) continue;
            int blank = line.IndexOf((byte)' ');
            byte[] bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(Math.Max(blank, 0))];
            if (blank <= 0
                || Base64.DecodeFromUtf8(line[..blank], bytes, out _, out int length) != System.Buffers.OperationStatus.Done
                || !int.TryParse(line[(blank + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int rank)
                || rank >= Vocabulary.Limit)
                throw Invalid(source,
                    $"line {number} is not a token in base64 and its rank: '{Encoding.UTF8.GetString(line[..Math.Min(line.Length, 40)])}'");
            while (tokens.Count <= rank) tokens.Add(null);
            if (tokens[rank] is not null) throw Invalid(source, $"line {number} gives the rank {rank} again");
            tokens[rank] = bytes[..length];
        }
        if (tokens.Count == 0) throw Invalid(source, "it is empty");
        var vocabulary = new Vocabulary([.. tokens]);
        var model = BytePairModel.OfRanks(vocabulary, rank => rank, new() { Bytes = true, WholeWordsFirst = true });
        if (model.MissingByte is { } missing) throw Invalid(source, $"it has no token for the byte 0x{missing:x2}");
        byte[]?[] names = new byte[]?[Math.Max(tokens.Count, added.Select(token => token.Token + 1).DefaultIfEmpty().Max())];
        tokens.CopyTo(names);
        foreach (var token in added) names[token.Token] ??= Encoding.UTF8.GetBytes(token.Text);
        return new(new()
        {
            Model = model,
            PreTokenizers = [new SplitPieces(PreTokenizers.Matcher(pattern, source), SplitBehavior.Isolated)],
            Decoders = [new FuseTokens()],
            Names = new Vocabulary(names),
            Added = added,
        });
    }

    static TokenizerException Invalid(string source, string problem) =>
        new("ASH0476", $"{source} cannot be used: {problem}.", "fetch the file again.");
}
