namespace Ashlar.Tokenizers;

/// <summary>The decoders of a <c>tokenizer.json</c>.</summary>
static class Decoders
{
    public static IReadOnlyList<DecoderPart> Read(JsonPart? part) => part is null ? [new JoinWithBlanks()] : ReadOne(part);

    static IReadOnlyList<DecoderPart> ReadOne(JsonPart part)
    {
        string type = part.NeededText("type");
        return part.Done<IReadOnlyList<DecoderPart>>(type switch
        {
            "Sequence" => [.. part.Parts("decoders").SelectMany(ReadOne)],
            "ByteLevel" => Bytes(part.Ignore("add_prefix_space", "trim_offsets", "use_regex")),
            "ByteFallback" => [new BytesOfFallback()],
            "Fuse" => [new FuseTokens()],
            "Strip" =>
                [new StripCharacter(Normalizers.Character(part, "content"), part.Number("start") ?? 0, part.Number("stop") ?? 0)],
            "Replace" => [new ReplaceInTokens(Normalizers.Replace(part))],
            "Metaspace" => [Metaspace(part)],
            "WordPiece" => [new JoinWordPieces(part.Text("prefix") ?? "##", part.Flag("cleanup", true))],
            "BPEDecoder" => [new JoinWordEnds(part.Text("suffix") ?? "</w>")],
            "CTC" => [new JoinFrames(part.Text("pad_token") ?? "<pad>", part.Text("word_delimiter_token") ?? "|",
                part.Flag("cleanup", true))],
            _ => throw part.Unsupported($"it has the decoder '{type}'"),
        });
    }

    static DecoderPart[] Bytes(JsonPart part) => [new CharactersToBytes(), new FuseTokens()];

    static MetaspaceToBlanks Metaspace(JsonPart part)
    {
        part.Ignore("str_rep", "split");
        bool? legacy = part.OptionalFlag("add_prefix_space");
        bool drops = part.Text("prepend_scheme") is { } scheme ? scheme != "never" : legacy != false;
        return new(Normalizers.Character(part, "replacement"), drops);
    }
}
