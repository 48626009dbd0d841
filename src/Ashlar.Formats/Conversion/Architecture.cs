namespace Ashlar.Formats;

/// <summary>What happens to a weight between the two formats, besides its name.</summary>
enum TensorChange
{
    None,
    /// <summary>Rows of queries: halves that rotate together in one format lie beside each other in the other.</summary>
    RotaryQueries,
    /// <summary>The same for keys.</summary>
    RotaryKeys,
    /// <summary>GGUF has norms as they multiply; the other format has them less 1.</summary>
    PlusOne,
    /// <summary>GPT-2's [inputs, outputs].</summary>
    Transposed,
    /// <summary>GGUF has the last of several axes alone: a gate of one output.</summary>
    Squeezed,
    /// <summary>Keys and values of latent attention in one matrix, which GGUF has in two.</summary>
    LatentKeysAndValues,
    /// <summary>Experts' gates and ups in turn, in blocks of 4-bit floats.</summary>
    GateAndUpBlocks,
    /// <summary>Experts' outputs in blocks of 4-bit floats.</summary>
    DownBlocks,
    /// <summary>Biases of experts' gates and ups in turn.</summary>
    GateAndUpBiases,
}

/// <summary>A weight by both its names: {l} is the layer, {e} the expert, of which GGUF stacks all.</summary>
sealed record TensorRule(string Folder, string Gguf, TensorChange Change = TensorChange.None);

/// <summary>How a kind of value of the configuration is stored.</summary>
enum ConfigKind
{
    Int,
    Float,
    Bool,
}

/// <summary>A value of the configuration by both its names; the key of GGUF stands behind the architecture.</summary>
sealed record ConfigRule(string Folder, string Gguf, ConfigKind Kind = ConfigKind.Int, string? Other = null);

/// <summary>How a family of models is called, and how its weights and settings are named, in both formats.</summary>
/// <param name="Gguf">general.architecture.</param>
/// <param name="Classes">"architectures" of config.json; the first is written.</param>
/// <param name="ModelType">"model_type" of config.json.</param>
/// <param name="Activation">What "hidden_act" must be.</param>
/// <param name="Tensors">Every weight.</param>
/// <param name="Config">Every setting that is a single value.</param>
/// <param name="Prefixes">What may stand before the names of a folder.</param>
/// <param name="Unused">Names of weights that are published and not used, by how they begin or end.</param>
sealed record Architecture(string Gguf, string[] Classes, string ModelType, string Activation, TensorRule[] Tensors,
    ConfigRule[] Config, string[]? Prefixes = null, string[]? Unused = null)
{
    static readonly TensorRule[] frame =
    [
        new("model.embed_tokens.weight", "token_embd.weight"), new("model.norm.weight", "output_norm.weight"),
            new("lm_head.weight", "output.weight"),
        new("model.layers.{l}.input_layernorm.weight", "blk.{l}.attn_norm.weight"),
    ];

    static readonly TensorRule[] feedForward =
        [.. ((string[])["gate", "up", "down"]).SelectMany(part => Both($"mlp.{part}_proj", $"ffn_{part}"))];

    static readonly TensorRule[] fusedFeedForward =
        [new("model.layers.{l}.mlp.gate_up_proj.weight", "blk.{l}.ffn_up.weight"),
            new("model.layers.{l}.mlp.down_proj.weight", "blk.{l}.ffn_down.weight")];

    static readonly TensorRule[] secondNorm = [new("model.layers.{l}.post_attention_layernorm.weight",
        "blk.{l}.ffn_norm.weight")];

    static readonly TensorRule[] headNorms =
        [.. ((string[])["q", "k"]).Select(part =>
            new TensorRule($"model.layers.{{l}}.self_attn.{part}_norm.weight", $"blk.{{l}}.attn_{part}_norm.weight"))];

    static readonly TensorRule[] experts =
    [
        new("model.layers.{l}.mlp.gate.weight", "blk.{l}.ffn_gate_inp.weight"),
        .. ((string[])["gate", "up", "down"])
            .Select(part => new TensorRule($"model.layers.{{l}}.mlp.experts.{{e}}.{part}_proj.weight",
            $"blk.{{l}}.ffn_{part}_exps.weight")),
    ];

    static readonly TensorRule[] fourNorms =
    [
        new("model.layers.{l}.post_attention_layernorm.weight", "blk.{l}.post_attention_norm.weight"),
        new("model.layers.{l}.pre_feedforward_layernorm.weight", "blk.{l}.ffn_norm.weight"),
        new("model.layers.{l}.post_feedforward_layernorm.weight", "blk.{l}.post_ffw_norm.weight"),
    ];

    static readonly ConfigRule[] sizes =
    [
        new("max_position_embeddings", "context_length"), new("hidden_size", "embedding_length"),
            new("num_hidden_layers", "block_count"),
        new("intermediate_size", "feed_forward_length"), new("num_attention_heads", "attention.head_count"),
        new("num_key_value_heads", "attention.head_count_kv"),
            new("rms_norm_eps", "attention.layer_norm_rms_epsilon", ConfigKind.Float),
        new("rope_theta", "rope.freq_base", ConfigKind.Float), new("vocab_size", "vocab_size"),
    ];

    static readonly ConfigRule[] headWidth = [new("head_dim", "attention.key_length", Other: "attention.value_length")];

    static readonly ConfigRule[] window = [new("sliding_window", "attention.sliding_window")];

    static readonly ConfigRule[] expertSizes =
    [
        new("num_experts", "expert_count"), new("num_experts_per_tok", "expert_used_count"),
            new("moe_intermediate_size", "expert_feed_forward_length"),
    ];

    static readonly ConfigRule[] softCaps =
    [
        new("attn_logit_softcapping", "attn_logit_softcapping", ConfigKind.Float),
            new("final_logit_softcapping", "final_logit_softcapping", ConfigKind.Float),
    ];

    static readonly TensorRule[] llama = [.. frame, .. secondNorm, .. Attention(isRotated: true), .. feedForward];

    /// <summary>Every family that can be converted.</summary>
    public static IReadOnlyList<Architecture> All { get; } =
    [
        new("llama", ["LlamaForCausalLM"], "llama", "silu", llama, [.. sizes, .. headWidth]),
        new("llama", ["MistralForCausalLM"], "mistral", "silu", llama, [.. sizes, .. headWidth, .. window]),
        new("llama", ["MixtralForCausalLM"], "mixtral", "silu",
            [
                .. llama, new("model.layers.{l}.block_sparse_moe.gate.weight", "blk.{l}.ffn_gate_inp.weight"),
                .. (((string, string)[])[("w1", "gate"), ("w2", "down"), ("w3", "up")])
                    .Select(part => new TensorRule($"model.layers.{{l}}.block_sparse_moe.experts.{{e}}.{part.Item1}.weight",
                        $"blk.{{l}}.ffn_{part.Item2}_exps.weight")),
            ],
            [.. sizes, .. headWidth, .. window, new("num_local_experts", "expert_count"),
                new("num_experts_per_tok", "expert_used_count")]),
        new("smollm3", ["SmolLM3ForCausalLM"], "smollm3", "silu", llama, [.. sizes, .. headWidth, .. window]),
        new("qwen2", ["Qwen2ForCausalLM"], "qwen2", "silu", [.. frame, .. secondNorm, .. Attention(), .. feedForward],
            [.. sizes, .. headWidth]),
        new("qwen2moe", ["Qwen2MoeForCausalLM"], "qwen2_moe", "silu",
            [
                .. frame, .. secondNorm, .. Attention(), .. feedForward, .. experts,
                .. ((string[])["gate", "up", "down"])
                    .Select(part => new TensorRule($"model.layers.{{l}}.mlp.shared_expert.{part}_proj.weight",
                    $"blk.{{l}}.ffn_{part}_shexp.weight")),
                new("model.layers.{l}.mlp.shared_expert_gate.weight", "blk.{l}.ffn_gate_inp_shexp.weight", TensorChange.Squeezed),
            ],
            [.. sizes, .. headWidth, .. expertSizes, new("shared_expert_intermediate_size", "expert_shared_feed_forward_length"),
                new("norm_topk_prob", "expert_weights_norm", ConfigKind.Bool)]),
        new("qwen3", ["Qwen3ForCausalLM"], "qwen3", "silu",
            [.. frame, .. secondNorm, .. Attention(), .. headNorms, .. feedForward], [.. sizes, .. headWidth]),
        new("qwen3moe", ["Qwen3MoeForCausalLM"], "qwen3_moe", "silu",
            [.. frame, .. secondNorm, .. Attention(), .. headNorms, .. feedForward, .. experts],
            [.. sizes, .. headWidth, .. expertSizes, new("norm_topk_prob", "expert_weights_norm", ConfigKind.Bool)]),
        new("gemma2", ["Gemma2ForCausalLM"], "gemma2", "gelu_pytorch_tanh",
            PlusOne([.. frame, .. fourNorms, .. Attention(), .. feedForward]),
            [.. sizes, .. headWidth, .. window, .. softCaps]),
        new("gemma3", ["Gemma3ForCausalLM"], "gemma3_text", "gelu_pytorch_tanh",
            PlusOne([.. frame, .. fourNorms, .. Attention(), .. headNorms, .. feedForward]),
            [.. sizes, .. headWidth, .. window, .. softCaps]),
        new("phi3", ["Phi3ForCausalLM"], "phi3", "silu",
            [
                .. frame, .. secondNorm, new("model.layers.{l}.self_attn.qkv_proj.weight", "blk.{l}.attn_qkv.weight"),
                new("model.layers.{l}.self_attn.o_proj.weight", "blk.{l}.attn_output.weight"), .. fusedFeedForward,
            ],
            [.. sizes, .. window, new("original_max_position_embeddings", "rope.scaling.original_context_length")]),
        new("glm4", ["Glm4ForCausalLM"], "glm4", "silu",
            [
                .. frame, .. secondNorm, .. Attention(), .. fusedFeedForward,
                new("model.layers.{l}.post_self_attn_layernorm.weight", "blk.{l}.post_attention_norm.weight"),
                new("model.layers.{l}.post_mlp_layernorm.weight", "blk.{l}.post_ffw_norm.weight"),
            ],
            [.. sizes, .. headWidth]),
        new("gpt-oss", ["GptOssForCausalLM"], "gpt_oss", "silu",
            [
                .. frame, new("model.layers.{l}.post_attention_layernorm.weight", "blk.{l}.post_attention_norm.weight"),
                    .. Attention(),
                new("model.layers.{l}.self_attn.sinks", "blk.{l}.attn_sinks.weight"), .. Both("mlp.router", "ffn_gate_inp"),
                new("model.layers.{l}.mlp.experts.gate_up_proj_blocks", "blk.{l}.ffn_gate_exps.weight",
                    TensorChange.GateAndUpBlocks),
                new("model.layers.{l}.mlp.experts.gate_up_proj_bias", "blk.{l}.ffn_gate_exps.bias", TensorChange.GateAndUpBiases),
                new("model.layers.{l}.mlp.experts.down_proj_blocks", "blk.{l}.ffn_down_exps.weight", TensorChange.DownBlocks),
                new("model.layers.{l}.mlp.experts.down_proj_bias", "blk.{l}.ffn_down_exps.bias"),
            ],
            [
                .. sizes, .. headWidth, .. window, new("num_local_experts", "expert_count"),
                    new("num_experts_per_tok", "expert_used_count"),
            ]),
        new("deepseek2", ["DeepseekV2ForCausalLM"], "deepseek_v2", "silu", DeepSeek(), DeepSeekConfig()),
        new("deepseek2", ["DeepseekV3ForCausalLM"], "deepseek_v3", "silu", DeepSeek(), DeepSeekConfig()),
        new("gpt2", ["GPT2LMHeadModel"], "gpt2", "gelu_new",
            [
                new("wte.weight", "token_embd.weight"), new("wpe.weight", "position_embd.weight"),
                    new("lm_head.weight", "output.weight"),
                .. WeightAndBias("ln_f", "output_norm"), .. WeightAndBias("h.{l}.ln_1", "blk.{l}.attn_norm"),
                    .. WeightAndBias("h.{l}.ln_2", "blk.{l}.ffn_norm"),
                .. WeightAndBias("h.{l}.attn.c_attn", "blk.{l}.attn_qkv", TensorChange.Transposed),
                    .. WeightAndBias("h.{l}.attn.c_proj", "blk.{l}.attn_output", TensorChange.Transposed),
                .. WeightAndBias("h.{l}.mlp.c_fc", "blk.{l}.ffn_up", TensorChange.Transposed),
                    .. WeightAndBias("h.{l}.mlp.c_proj", "blk.{l}.ffn_down", TensorChange.Transposed),
            ],
            [
                new("n_positions", "context_length"), new("n_embd", "embedding_length"), new("n_layer", "block_count"),
                    new("n_inner", "feed_forward_length"),
                new("n_head", "attention.head_count"),
                    new("layer_norm_epsilon", "attention.layer_norm_epsilon", ConfigKind.Float), new("vocab_size", "vocab_size"),
            ],
            Prefixes: ["transformer."], Unused: [".attn.bias", ".attn.masked_bias"]),
        new("bert", ["BertModel"], "bert", "gelu",
            [
                new("embeddings.word_embeddings.weight", "token_embd.weight"),
                    new("embeddings.position_embeddings.weight", "position_embd.weight"),
                new("embeddings.token_type_embeddings.weight", "token_types.weight"),
                    .. WeightAndBias("embeddings.LayerNorm", "token_embd_norm"),
                .. ((string[])["query", "key", "value"])
                    .SelectMany(part => WeightAndBias($"encoder.layer.{{l}}.attention.self.{part}", $"blk.{{l}}.attn_{part[0]}")),
                .. WeightAndBias("encoder.layer.{l}.attention.output.dense", "blk.{l}.attn_output"),
                .. WeightAndBias("encoder.layer.{l}.attention.output.LayerNorm", "blk.{l}.attn_output_norm"),
                .. WeightAndBias("encoder.layer.{l}.intermediate.dense", "blk.{l}.ffn_up"),
                    .. WeightAndBias("encoder.layer.{l}.output.dense", "blk.{l}.ffn_down"),
                .. WeightAndBias("encoder.layer.{l}.output.LayerNorm", "blk.{l}.layer_output_norm"),
            ],
            [
                new("max_position_embeddings", "context_length"), new("hidden_size", "embedding_length"),
                    new("num_hidden_layers", "block_count"),
                new("intermediate_size", "feed_forward_length"), new("num_attention_heads", "attention.head_count"),
                new("layer_norm_eps", "attention.layer_norm_epsilon", ConfigKind.Float), new("vocab_size", "vocab_size"),
                    new("type_vocab_size", "token_type_count"),
            ],
            Prefixes: ["bert."], Unused: ["pooler.", ".position_ids"]),
    ];

    static TensorRule[] DeepSeek() =>
    [
        .. frame, .. secondNorm, .. feedForward, .. experts,
        .. (((string, string)[])
        [
            ("self_attn.q_proj", "attn_q"), ("self_attn.q_a_proj", "attn_q_a"), ("self_attn.q_a_layernorm", "attn_q_a_norm"),
                ("self_attn.q_b_proj", "attn_q_b"),
            ("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"), ("self_attn.kv_a_layernorm", "attn_kv_a_norm"),
                ("self_attn.o_proj", "attn_output"),
            ("mlp.shared_experts.gate_proj", "ffn_gate_shexp"), ("mlp.shared_experts.up_proj", "ffn_up_shexp"),
                ("mlp.shared_experts.down_proj", "ffn_down_shexp"),
        ]).SelectMany(part => Both(part.Item1, part.Item2)),
        new("model.layers.{l}.mlp.gate.e_score_correction_bias", "blk.{l}.exp_probs_b.bias"),
        new("model.layers.{l}.self_attn.kv_b_proj.weight", "blk.{l}.attn_k_b.weight", TensorChange.LatentKeysAndValues),
    ];

    static ConfigRule[] DeepSeekConfig() =>
    [
        .. sizes.Where(rule => rule.Folder != "num_key_value_heads"), new("first_k_dense_replace", "leading_dense_block_count"),
        new("q_lora_rank", "attention.q_lora_rank"), new("kv_lora_rank", "attention.kv_lora_rank"),
            new("moe_intermediate_size", "expert_feed_forward_length"),
        new("n_routed_experts", "expert_count"), new("num_experts_per_tok", "expert_used_count"),
            new("n_shared_experts", "expert_shared_count"),
        new("routed_scaling_factor", "expert_weights_scale", ConfigKind.Float),
            new("norm_topk_prob", "expert_weights_norm", ConfigKind.Bool),
        new("qk_rope_head_dim", "rope.dimension_count"), new("v_head_dim", "attention.value_length_mla"),
        new("n_group", "expert_group_count"), new("topk_group", "expert_group_used_count"),
    ];

    static TensorRule[] Attention(bool isRotated = false) =>
    [
        .. Both("self_attn.q_proj", "attn_q", isRotated ? TensorChange.RotaryQueries : TensorChange.None),
        .. Both("self_attn.k_proj", "attn_k", isRotated ? TensorChange.RotaryKeys : TensorChange.None),
        .. Both("self_attn.v_proj", "attn_v"), .. Both("self_attn.o_proj", "attn_output"),
    ];

    static TensorRule[] Both(string folder, string gguf, TensorChange change = TensorChange.None) =>
        [.. ((string[])["weight", "bias"])
            .Select(part => new TensorRule($"model.layers.{{l}}.{folder}.{part}", $"blk.{{l}}.{gguf}.{part}", change))];

    static TensorRule[] WeightAndBias(string folder, string gguf, TensorChange ofWeight = TensorChange.None) =>
        [new(folder + ".weight", gguf + ".weight", ofWeight), new(folder + ".bias", gguf + ".bias")];

    static TensorRule[] PlusOne(TensorRule[] rules) =>
        [.. rules.Select(rule => rule.Gguf.EndsWith("norm.weight", StringComparison.Ordinal)
            ? rule with { Change = TensorChange.PlusOne } : rule)];
}
