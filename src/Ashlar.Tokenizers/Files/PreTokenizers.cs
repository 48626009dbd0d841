using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The pre-tokenizers of a <c>tokenizer.json</c>.</summary>
static class PreTokenizers
{
    /// <summary>The steps, and whether the model then sees bytes.</summary>
    public sealed record Cutting(IReadOnlyList<PreTokenizer> Steps, bool MakesBytes);

    static readonly Matcher punctuation = new RunMatcher(character =>
        character < 128 ? char.IsPunctuation((char)character)
            || char.IsSymbol((char)character) : (CharacterKinds.Of(character) & CharacterKinds.Punctuation) != 0)
    { Most = 1 };

    static readonly Matcher space = RunMatcher.Of(CharacterKinds.Spaces, most: 1);

    /// <param name="part">Null for none.</param>
    /// <param name="takesBytes">The model can see bytes, so that a last step need not write them as characters.</param>
    public static Cutting Read(JsonPart? part, bool takesBytes)
    {
        var steps = new List<PreTokenizer>();
        bool makesBytes = false;
        if (part is not null) Add(part, isLast: true);
        return new(steps, makesBytes);

        void Add(JsonPart part, bool isLast)
        {
            string type = part.NeededText("type");
            switch (type)
            {
                case "Sequence":
                    JsonPart[] parts = [.. part.Parts("pretokenizers")];
                    for (int i = 0; i < parts.Length; i++) Add(parts[i], isLast && i == parts.Length - 1);
                    break;
                case "ByteLevel":
                    part.Ignore("trim_offsets");
                    if (part.Flag("add_prefix_space", true)) steps.Add(new PrefixBlank());
                    if (part.Flag("use_regex", true)) steps.Add(new SplitPieces(Gpt2Words.Instance, SplitBehavior.Isolated));
                    if (isLast && takesBytes) makesBytes = true;
                    else steps.Add(new ChangePieces(new BytesAsCharacters()));
                    break;
                case "Split":
                    var pattern = part.Part("pattern") ?? throw part.Invalid($"{part.Path} has no pattern");
                    string? text = pattern.Text("String");
                    var matcher = text is not null ? new TextMatcher(text)
                        : Matcher(pattern.Text("Regex")
                            ?? throw pattern.Invalid($"{pattern.Path} names no text and no pattern"), part.Source);
                    pattern.Done(0);
                    steps.Add(new SplitPieces(matcher, Behavior(part), part.Flag("invert")));
                    break;
                case "Metaspace":
                    part.Ignore("str_rep");
                    bool? legacy = part.OptionalFlag("add_prefix_space");
                    var scheme = part.Text("prepend_scheme") switch
                    {
                        null => legacy == false ? PrependScheme.Never : PrependScheme.Always,
                        "always" => PrependScheme.Always,
                        "first" => PrependScheme.First,
                        "never" => PrependScheme.Never,
                        var other => throw part.Unsupported($"{part.Path}.prepend_scheme is '{other}'"),
                    };
                    steps.Add(new Metaspace(Normalizers.Character(part, "replacement"), scheme, part.Flag("split", true)));
                    break;
                case "Digits":
                    steps.Add(new SplitPieces(RunMatcher.Of(CharacterKinds.Numbers, most: 1),
                        part.Flag("individual_digits") ? SplitBehavior.Isolated : SplitBehavior.Contiguous));
                    break;
                case "Punctuation":
                    steps.Add(new SplitPieces(punctuation,
                        part.Field("behavior") is null ? SplitBehavior.Isolated : Behavior(part)));
                    break;
                case "Whitespace":
                    steps.Add(new SplitPieces(new WordsAndSigns(), SplitBehavior.Removed, inverted: true));
                    break;
                case "WhitespaceSplit":
                    steps.Add(new SplitPieces(space, SplitBehavior.Removed));
                    break;
                case "BertPreTokenizer":
                    steps.AddRange(Bert);
                    break;
                case "CharDelimiterSplit":
                    int delimiter = Normalizers.Character(part, "delimiter").Value;
                    steps.Add(new SplitPieces(new RunMatcher(character => character == delimiter) { Most = 1 },
                        SplitBehavior.Removed));
                    break;
                case "FixedLength":
                    steps.Add(new FixedLength(part.Number("length") is { } length ? length > 0 ? length
                        : throw part.Invalid($"{part.Path}.length is {length}") : 5));
                    break;
                default:
                    throw part.Unsupported($"it has the pre-tokenizer '{type}'");
            }
            part.Done(0);
        }
    }

    /// <summary>White space is left out, signs stand alone.</summary>
    public static IReadOnlyList<PreTokenizer> Bert { get; } =
        [new SplitPieces(space, SplitBehavior.Removed), new SplitPieces(punctuation, SplitBehavior.Isolated)];

    /// <summary>What matches a pattern: a hand-written splitter where there is one.</summary>
    public static Matcher Matcher(string pattern, string source) =>
        KnownPatterns.Find(pattern) ?? new RegexMatcher(pattern, source);

    static SplitBehavior Behavior(JsonPart part) => part.NeededText("behavior") switch
    {
        "Removed" or "removed" => SplitBehavior.Removed,
        "Isolated" or "isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" or "merged_with_previous" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" or "merged_with_next" => SplitBehavior.MergedWithNext,
        "Contiguous" or "contiguous" => SplitBehavior.Contiguous,
        var other => throw part.Unsupported($"{part.Path}.behavior is '{other}'"),
    };
}

/// <summary>Finds a text.</summary>
sealed class TextMatcher(string text) : Matcher
{
    readonly byte[] bytes = Encoding.UTF8.GetBytes(text);

    /// <inheritdoc/>
    public override bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        int at = bytes.Length == 0 ? -1 : utf8[from..].IndexOf(bytes);
        start = at < 0 ? utf8.Length : from + at;
        end = at < 0 ? start : start + bytes.Length;
        return at >= 0;
    }
}

/// <summary><c>\w+|[^\w\s]+</c>.</summary>
sealed class WordsAndSigns : WordMatcher
{
    /// <inheritdoc/>
    public override int End(ReadOnlySpan<byte> utf8, int start)
    {
        uint kind = CharacterKinds.At(utf8, start, out _);
        if ((kind & CharacterKinds.Spaces) != 0) return start;
        return Gpt4Words.Run(utf8, start,
            (kind & CharacterKinds.Word) != 0 ? CharacterKinds.Word : ~(CharacterKinds.Word | CharacterKinds.Spaces));
    }
}
