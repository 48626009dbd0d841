using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>What the metadata of all GGUF decoders have in common: sizes, norms, and rotary positions with the stretching that
/// the file asks for.</summary>
public static class GgufDecoder
{
    /// <summary>Reads what decoders have in common; families add to it.</summary>
    /// <param name="keys">The metadata of the architecture.</param>
    /// <param name="file">The file; that a weight is there says that a model has such a part.</param>
    /// <param name="family">The family's name.</param>
    /// <param name="interleaved">Pairs of rotary positions are neighbours: files of this architecture are permuted so.</param>
    /// <param name="truncate">The ends of YaRN's ramp are rounded to whole pairs.</param>
    /// <exception cref="ModelFileException">A key is missing, of another kind, or says what Ashlar cannot compute.</exception>
    public static DecoderConfig Read(GgufKeys keys, Gguf file, string family, bool interleaved, bool truncate = true)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(file);
        int width = keys.Integer("embedding_length"), heads = keys.Integer("attention.head_count");
        int headWidth = keys.Integer("attention.key_length", width / Math.Max(1, heads));
        keys.Ignore("attention.value_length", "vocab_size", "tensor_data_layout", "rope.scaling.finetuned");
        double theta = keys.Number("rope.freq_base", 10000);
        var layer = new AttentionLayer(null,
            Stretched(Rope.Plain(keys.Integer("rope.dimension_count", headWidth), theta, interleaved), theta, keys,
                file, truncate));
        bool isLayerNorm = keys.Has("attention.layer_norm_epsilon");
        return new()
        {
            Family = family,
            Width = width,
            Heads = heads,
            KvHeads = keys.Integer("attention.head_count_kv", heads),
            HeadWidth = headWidth,
            FeedForward = keys.Integer("feed_forward_length", 1),
            Vocabulary = checked((int)file["token_embd.weight"].Extents[0]),
            Context = keys.Integer("context_length"),
            Layers = Enumerable.Repeat(layer, keys.Layers("block_count")).ToValueList(),
            Norm = isLayerNorm ? NormKind.Layer : NormKind.Rms,
            NormEpsilon = keys.Number(isLayerNorm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
            TiedEmbeddings = !Has(file, "output.weight"),
            QkvBias = Has(file, "blk.0.attn_q.bias") || Has(file, "blk.0.attn_qkv.bias"),
            OutputBias = Has(file, "blk.0.attn_output.bias"),
            HeadNorms = Has(file, "blk.0.attn_q_norm.weight"),
            FusedQkv = Has(file, "blk.0.attn_qkv.weight"),
        };
    }

    /// <summary>Whether a file has a weight.</summary>
    public static bool Has(Gguf file, string weight) =>
        file?.TryGet(weight, out _) ?? throw new ArgumentNullException(nameof(file));

    /// <summary>The numbers of a small weight that is a part of the config, such as divisors of rotary frequencies; null where
    /// there is none.</summary>
    public static float[]? Numbers(Gguf file, string weight)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (!file.TryGet(weight, out var entry)) return null;
        float[] numbers = new float[entry.Elements];
        BlockCodec.Of(entry.Type).Decode(file.Bytes(entry).Span, numbers);
        return numbers;
    }

    /// <summary>Rotary positions stretched as the file's <c>rope.scaling</c> and <c>rope_freqs.weight</c> say.</summary>
    public static Rope Stretched(Rope rope, double theta, GgufKeys keys, Gguf file, bool truncate = true)
    {
        ArgumentNullException.ThrowIfNull(rope);
        ArgumentNullException.ThrowIfNull(keys);
        if (Numbers(file, "rope_freqs.weight") is { } divisors) rope = rope.Divided(divisors);
        string kind = keys.Text("rope.scaling.type", "none");
        double factor = keys.Number("rope.scaling.factor", 1);
        double? context = keys.NumberOrNone("rope.scaling.original_context_length");
        keys.Ignore("rope.scaling.yarn_log_multiplier", "rope.scaling.attn_factor");
        return kind switch
        {
            "none" or "longrope" => rope,   // LongRoPE's tables are the family's business
            "linear" => factor == 1 ? rope : rope.Linear(factor),
            "yarn" => rope.Yarn(theta, factor, context ?? keys.Number("rope.scaling.original_context_length"),
                keys.Number("rope.scaling.yarn_beta_fast", 32), keys.Number("rope.scaling.yarn_beta_slow", 1),
                truncate: truncate),
            _ => throw keys.Unsupported("rope.scaling.type", kind, "none, linear and yarn are computed"),
        };
    }
}
