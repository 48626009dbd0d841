namespace Ashlar.Tokenizers;

/// <summary>How words are cut, by <c>tokenizer.ggml.pre</c>: the patterns, each of which cuts what those before left.</summary>
static class GgufWords
{
    /// <param name="Patterns">In order.</param>
    /// <param name="WholeWordsFirst">A word that is a token is that token.</param>
    /// <param name="AddsBegin">Texts begin with the token for that, where the file does not say otherwise.</param>
    public sealed record Words(string[] Patterns, bool WholeWordsFirst = false, bool AddsBegin = false);

    const string Gpt2 = Gpt2Words.Pattern;
    const string Chinese = @"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
    const string DeepSeekLetters =
        @"\s?[A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a]+";
    const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";

    static readonly Words gpt2 = new([Gpt2]), digits = new([@"\p{N}", Gpt2]), qwen2 = new([KnownPatterns.Qwen2]),
        llama3 = new([KnownPatterns.Llama3], WholeWordsFirst: true, AddsBegin: true),
        deepSeek3 = new([@"\p{N}{1,3}", Chinese, DeepSeekWords.Pattern]),
        gpt4o = new([KnownPatterns.O200k]), bloom = new([@" ?[^(\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"]);

    static readonly Words bailing =
        new([@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"]);

    static readonly Dictionary<string, Words> known = new(StringComparer.Ordinal)
    {
        ["default"] = new([@"[\p{P}\$\+<=>\^~\|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"]),
        ["llama3"] = llama3,
        ["llama-v3"] = llama3,
        ["llama-bpe"] = llama3,
        ["falcon3"] = llama3,
        ["falcon-h1"] = llama3,
        ["pixtral"] = llama3,
        ["midm-2.0"] = llama3,
        ["lfm2"] = llama3,
        ["jina-v5-nano"] = llama3,
        ["dbrx"] = new([KnownPatterns.Llama3]),
        ["smaug-bpe"] = new([KnownPatterns.Llama3]),
        ["glm4"] = new([KnownPatterns.Llama3]),
        ["chatglm-bpe"] = new([KnownPatterns.Llama3]),
        ["minicpm5"] =
            new([@"\p{N}{1,3}", Contractions
                + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"], WholeWordsFirst: true),
        ["jais-2"] =
            new([Contractions
                + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"]),
        ["deepseek-llm"] = new([@"[\r\n]", DeepSeekLetters, @"\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
            @"\s+$", @"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", @"\p{N}+"]),
        ["deepseek-coder"] =
            new([@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", @"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", @"\p{N}"]),
        ["deepseek-v3"] = deepSeek3,
        ["hunyuan-dense"] = deepSeek3,
        ["joyai-llm"] = deepSeek3,
        ["hy_v4"] = deepSeek3,
        ["falcon"] = new([@"[\p{P}\$\+<=>\^~\|`]+", Gpt2, "[0-9][0-9][0-9]"]),
        ["starcoder"] = digits,
        ["refact"] = digits,
        ["command-r"] = digits,
        ["smollm"] = digits,
        ["codeshell"] = digits,
        ["exaone"] = digits,
        ["minerva-7b"] = digits,
        ["mellum2"] = digits,
        ["gpt-2"] = gpt2,
        ["gpt2"] = gpt2,
        ["phi-2"] = gpt2,
        ["mpt"] = gpt2,
        ["olmo"] = gpt2,
        ["jais"] = gpt2,
        ["trillion"] = gpt2,
        ["granite-docling"] = gpt2,
        ["jina-es"] = gpt2,
        ["jina-de"] = gpt2,
        ["jina-v2-es"] = gpt2,
        ["jina-v2-de"] = gpt2,
        ["jina-v1-en"] = gpt2,
        ["jina-v2-code"] = gpt2,
        ["roberta-bpe"] = gpt2,
        ["gigachat"] = gpt2,
        ["a.x-4.0"] = gpt2,
        ["mellum"] = gpt2,
        ["modern-bert"] = gpt2,
        ["exaone4"] = gpt2,
        ["stablelm2"] = qwen2,
        ["qwen2"] = qwen2,
        ["deepseek-r1-qwen"] = qwen2,
        ["kormo"] = qwen2,
        ["f2llmv2"] = qwen2,
        ["megrez"] = qwen2,
        ["hunyuan"] = qwen2,
        ["solar-open"] = qwen2,
        ["grok-2"] = qwen2,
        ["qwen35"] = new([KnownPatterns.Qwen35]),
        ["ufakzeka"] = new([@"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]),
        ["laguna"] = new([@"[^\n]+|[\n]+", KnownPatterns.Qwen2]),
        ["poro-chat"] = bloom,
        ["bloom"] = bloom,
        ["gpt3-finnish"] = bloom,
        ["viking"] = new([.. bloom.Patterns, @"\p{N}"]),
        ["tekken"] = new([KnownPatterns.Tekken], WholeWordsFirst: true, AddsBegin: true),
        ["chameleon"] = new(["<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", @"([\t\n]|    |  )", @"\p{N}",
            @"[\p{P}!-/:-@\[-`{-~]", Gpt2], AddsBegin: true),
        ["gpt-4o"] = gpt4o,
        ["llama4"] = gpt4o,
        ["kanana2"] = gpt4o,
        ["talkie"] = gpt4o,
        ["minimax-m2"] = gpt4o,
        ["granite-embed-multi-97m"] = new([KnownPatterns.O200k], WholeWordsFirst: true),
        ["tiny_aya"] = new([@"\d{1,3}(?=(?:\d{3})*\b)", KnownPatterns.O200k]),
        ["cohere2moe"] = new([@"\d{1,3}(?=(?:\d{3})*\b)", KnownPatterns.O200k]),
        ["kimi-k2"] = new([KnownPatterns.Kimi]),
        ["superbpe"] = new([@"\p{N}+", @"[0-9]{1,3}(?=(?:[0-9]{3})*(?![0-9]))"]),
        ["bailingmoe"] = bailing,
        ["bailingmoe2"] = bailing,
        ["llada-moe"] = bailing,
        ["seed-coder"] =
            new([Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"]),
        ["spark2_5"] =
            new([@"\p{N}{1,3}", Chinese,
                @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+", @"\p{N}"]),
        ["youtu"] =
            new(
                [@"[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|[\u3105-\u312f]+|[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", KnownPatterns.Youtu], WholeWordsFirst: true),
        ["exaone-moe"] =
            new([Contractions
                + @"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"]),
        ["afmoe"] =
            new([@"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))",
                @"[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+", DeepSeekWords.Pattern]),
    };

    /// <summary>All names, in order.</summary>
    public static IEnumerable<string> Names => known.Keys.Order(StringComparer.Ordinal);

    /// <returns>Null for a name that is not known.</returns>
    public static Words? Find(string name) => known.GetValueOrDefault(name);
}
