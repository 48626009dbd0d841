using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The normalizers of a <c>tokenizer.json</c>.</summary>
static class Normalizers
{
    /// <returns>Null for none.</returns>
    public static Normalizer? Read(JsonPart? part)
    {
        if (part is null) return null;
        string type = part.NeededText("type");
        return part.Done<Normalizer>(type switch
        {
            "Sequence" => new NormalizerSequence([.. part.Parts("normalizers").Select(Read).OfType<Normalizer>()]),
            "NFC" => new UnicodeForm(compatible: false, composes: true),
            "NFD" => new UnicodeForm(compatible: false, composes: false),
            "NFKC" => new UnicodeForm(compatible: true, composes: true),
            "NFKD" => new UnicodeForm(compatible: true, composes: false),
            "Lowercase" => new Lowercase(),
            "StripAccents" => new StripAccents(),
            "Strip" => new StripEnds(part.Flag("strip_left", true), part.Flag("strip_right", true)),
            "Nmt" => new NmtNormalizer(),
            "Prepend" => new Prepend(part.NeededText("prepend")),
            "Replace" => Replace(part),
            "ByteLevel" => new BytesAsCharacters(),
            "Precompiled" => new PrecompiledNormalizer(new Charsmap(Map(part), part.Source)),
            "BertNormalizer" => Bert(part),
            _ => throw part.Unsupported($"it has the normalizer '{type}'"),
        });
    }

    static BertNormalizer Bert(JsonPart part)
    {
        bool lowers = part.Flag("lowercase", true);
        return new(part.Flag("clean_text", true), part.Flag("handle_chinese_chars", true),
            part.OptionalFlag("strip_accents") ?? lowers, lowers);
    }

    static byte[] Map(JsonPart part)
    {
        try
        {
            return Convert.FromBase64String(part.Text("precompiled_charsmap") ?? "");
        }
        catch (FormatException)
        {
            throw part.Invalid($"{part.Path}.precompiled_charsmap is not base64");
        }
    }

    /// <summary>A Replace, of a text or a pattern.</summary>
    public static Normalizer Replace(JsonPart part)
    {
        var pattern = part.Part("pattern") ?? throw part.Invalid($"{part.Path} has no pattern");
        string content = part.NeededText("content");
        string? text = pattern.Text("String"), regex = pattern.Text("Regex");
        return pattern.Done<Normalizer>(text is not null ? new ReplaceText(text, content)
            : new ReplacePattern(PreTokenizers.Matcher(regex
                ?? throw pattern.Invalid($"{pattern.Path} names no text and no pattern"), part.Source), content));
    }

    /// <summary>A text of one character.</summary>
    public static Rune Character(JsonPart part, string name)
    {
        string text = part.NeededText(name);
        return Rune.TryGetRuneAt(text.Length == 0 ? "\ud800" : text, 0, out var rune)
            && rune.Utf16SequenceLength == text.Length ? rune
            : throw part.Invalid($"{part.Path}.{name} is '{text}', not one character");
    }
}
