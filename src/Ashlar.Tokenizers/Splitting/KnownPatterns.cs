using static Ashlar.Tokenizers.CharacterKinds;

namespace Ashlar.Tokenizers;

/// <summary>The patterns of well-known models, by the splitter that was written for them.</summary>
static class KnownPatterns
{
    const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    const string ContractionsSpelled = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

    /// <summary>Llama 3's form of cl100k.</summary>
    public const string Llama3 =
        Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>tiktoken's cl100k.</summary>
    public const string Cl100k =
        @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s";

    public const string Qwen2 =
        Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string Qwen35 =
        Contractions + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    const string Capital = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Small = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

    public const string O200k = @"[^\r\n\p{L}\p{N}]?" + Capital + "*" + Small + "+" + Contractions + @"?|[^\r\n\p{L}\p{N}]?" + Capital + "+" + Small + "*"
        + Contractions + @"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string Tekken = @"[^\r\n\p{L}\p{N}]?" + Capital + "*" + Small + @"+|[^\r\n\p{L}\p{N}]?" + Capital + "+" + Small
        + @"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>O200k with one digit, and slashes behind signs: Youtu.</summary>
    public const string Youtu = @"[^\r\n\p{L}\p{N}]?" + Capital + "*" + Small + "+" + Contractions + @"?|[^\r\n\p{L}\p{N}]?" + Capital + "+" + Small + "*"
        + Contractions + @"?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    const string CapitalNotHan = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]",
        SmallNotHan = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]";

    /// <summary>Kimi: o200k, where Chinese stands apart.</summary>
    public const string Kimi = @"[\p{Han}]+|[^\r\n\p{L}\p{N}]?" + CapitalNotHan + "*" + SmallNotHan + "+" + Contractions + @"?|[^\r\n\p{L}\p{N}]?"
        + CapitalNotHan + "+" + SmallNotHan + "*" + Contractions
        + @"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    static bool IsHan(int character) =>
        character is >= 0x2e80 and <= 0x2fd5 && character != 0x2e9a && character is not (>= 0x2ef4 and <= 0x2eff)
        || character is 0x3005 or 0x3007 or >= 0x3021 and <= 0x3029 or >= 0x3038 and <= 0x303b or >= 0x3400 and <= 0x4dbf
            or >= 0x4e00 and <= 0x9fff
            or >= 0xf900 and <= 0xfa6d or >= 0xfa70 and <= 0xfad9 or >= 0x20000 and <= 0x323af;

    static readonly Dictionary<string, Matcher> known = new(StringComparer.Ordinal)
    {
        [Gpt2Words.Pattern] = Gpt2Words.Instance,
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = Gpt2Words.Instance,
        [@"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"] = Gpt2Words.Instance,
        [Llama3] = new Gpt4Words(),
        [Cl100k] = new Gpt4Words { EndIsOneWord = true },
        [Qwen2] = new Gpt4Words { Digits = 1 },
        [Qwen35] = new Gpt4Words { Digits = 1, MarksAreLetters = true },
        [O200k] = new O200kWords(),
        [Youtu] = new O200kWords { Digits = 1 },
        [Kimi] = new O200kWords { Apart = IsHan, SlashesFollowSigns = false },
        [Tekken] = new O200kWords { Digits = 1, Contractions = false },
        [DeepSeekWords.Pattern] = DeepSeekWords.Instance,
        [@"\p{N}"] = RunMatcher.Of(Numbers, most: 1),
        [@"\p{N}+"] = RunMatcher.Of(Numbers),
        [@"\p{N}{1,3}"] = RunMatcher.Of(Numbers, most: 3),
        [@"\p{L}+"] = RunMatcher.Of(Letters),
        [@"\s?\p{L}+"] = new RunMatcher(character => (Of(character) & Letters) != 0) { SpaceMayLead = true },
        [@"\s?\p{P}+"] = new RunMatcher(character => (Of(character) & Punctuation) != 0) { SpaceMayLead = true },
        [@"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"] =
            new RunMatcher(character => character is >= 0x800 and <= 0x9fa5 or >= 0xac00 and <= 0xd7ff),
        [@"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"] =
            new RunMatcher(character => character is >= 0x4e00 and <= 0x9fa5 or >= 0x3040 and <= 0x30ff),
        ["[一-龥぀-ゟ゠-ヿ]+"] = new RunMatcher(character => character is >= 0x4e00 and <= 0x9fa5 or >= 0x3040 and <= 0x30ff),
        [@"\S+"] = RunMatcher.Of(~Spaces),
        [@"[\r\n]"] = new RunMatcher(character => character is '\r' or '\n') { Most = 1 },
        ["[\r\n]"] = new RunMatcher(character => character is '\r' or '\n') { Most = 1 },
    };

    /// <returns>Null where the pattern is not known.</returns>
    public static Matcher? Find(string pattern)
    {
        if (known.TryGetValue(pattern, out var matcher)) return matcher;
        return known.GetValueOrDefault(pattern.Replace(ContractionsSpelled, Contractions, StringComparison.Ordinal)
            .Replace("\r", @"\r").Replace("\n", @"\n"));
    }
}
