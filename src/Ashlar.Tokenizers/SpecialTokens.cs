namespace Ashlar.Tokenizers;

/// <summary>The tokens that stand for something: where a text begins and ends, where a turn ends.</summary>
public sealed record SpecialTokens
{
    /// <summary>Begins a text; null where there is none.</summary>
    public int? Begin { get; init; }

    /// <summary>Ends a text; null where there is none.</summary>
    public int? End { get; init; }

    /// <summary>Stands for what is unknown; null where there is none.</summary>
    public int? Unknown { get; init; }

    /// <summary>Fills up a batch; null where there is none.</summary>
    public int? Padding { get; init; }

    /// <summary>Stands between texts (encoders); null where there is none.</summary>
    public int? Separator { get; init; }

    /// <summary>Stands for what is to be guessed (encoders); null where there is none.</summary>
    public int? Mask { get; init; }

    /// <summary>All tokens behind which a model has nothing more to say: the end of a text, of a turn, of a message.</summary>
    public IReadOnlyList<int> Stop { get; init; } = [];

    // Texts that end a turn wherever they are tokens of their own (llama.cpp keeps the same list).
    static readonly string[] ends =
    [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
        "<|endoftext|>", "</s>",
        "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
        "<|tool_response>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>", "[e~[",
    ];

    /// <summary>Those given, and those that end a turn by their text.</summary>
    internal static IReadOnlyList<int> FindStops(Tokenizer tokenizer, IEnumerable<int?> given)
    {
        var stops = given.OfType<int>().ToHashSet();
        foreach (string text in ends)
            if (tokenizer.Find(text) is { } token && tokenizer.IsSpecial(token)) stops.Add(token);
        // In harmony's format <|end|> ends a message, behind which another may follow.
        bool has(string text) => tokenizer.Find(text) is { } token && stops.Contains(token);
        if (has("<|end|>") && (has("<|return|>") && has("<|call|>") || has("<|calls|>") && has("<|flush|>")))
            stops.Remove(tokenizer.Find("<|end|>")!.Value);
        if (has("<|tool_response>") && tokenizer.Find("</s>") is { } old) stops.Remove(old);
        return [.. stops.Order()];
    }
}
