using System.Globalization;

namespace Ashlar.Models;

/// <summary>What the weights of a decoder are called in a file. Names of layers stand behind the layer's path; <c>.weight</c> and
/// <c>.bias</c> are added.</summary>
public sealed record DecoderNames
{
    /// <summary>The names in Hugging Face checkpoints, as Llama has them; families change what differs.</summary>
    public static DecoderNames HuggingFace { get; } = new();

    /// <summary>The names in GGUF files.</summary>
    public static DecoderNames Gguf { get; } = new()
    {
        Embedding = "token_embd",
        Positions = "position_embd",
        FinalNorm = "output_norm",
        Head = "output",
        Layer = "blk.{0}.",
        AttentionNorm = "attn_norm",
        AttentionPostNorm = "post_attention_norm",
        FeedForwardNorm = "ffn_norm",
        FeedForwardPostNorm = "post_ffw_norm",
        Query = "attn_q",
        Key = "attn_k",
        Value = "attn_v",
        Qkv = "attn_qkv",
        Output = "attn_output",
        QueryNorm = "attn_q_norm",
        KeyNorm = "attn_k_norm",
        Sinks = "attn_sinks.weight",
        Gate = "ffn_gate",
        Up = "ffn_up",
        Down = "ffn_down",
        GateUp = "ffn_up",
        Router = "ffn_gate_inp",
        ChoiceBias = "exp_probs_b.bias",
        ExpertGate = "ffn_gate_exps",
        ExpertUp = "ffn_up_exps",
        ExpertDown = "ffn_down_exps",
        ExpertsAreStacked = true,
        SharedGate = "ffn_gate_shexp",
        SharedUp = "ffn_up_shexp",
        SharedDown = "ffn_down_shexp",
        SharedWeight = "ffn_gate_inp_shexp",
    };

    /// <summary>The table of embeddings.</summary>
    public string Embedding { get; init; } = "model.embed_tokens";
    /// <summary>Learned positions.</summary>
    public string Positions { get; init; } = "model.embed_positions";
    /// <summary>The norm after the last layer.</summary>
    public string FinalNorm { get; init; } = "model.norm";
    /// <summary>From the width to logits.</summary>
    public string Head { get; init; } = "lm_head";
    /// <summary>The path of layer {0}, with the dot at its end.</summary>
    public string Layer { get; init; } = "model.layers.{0}.";
    /// <summary>Before attention.</summary>
    public string AttentionNorm { get; init; } = "input_layernorm";
    /// <summary>After attention.</summary>
    public string AttentionPostNorm { get; init; } = "post_attention_layernorm";
    /// <summary>Before feed-forward.</summary>
    public string FeedForwardNorm { get; init; } = "post_attention_layernorm";
    /// <summary>After feed-forward.</summary>
    public string FeedForwardPostNorm { get; init; } = "post_feedforward_layernorm";
    /// <summary>Queries.</summary>
    public string Query { get; init; } = "self_attn.q_proj";
    /// <summary>Keys.</summary>
    public string Key { get; init; } = "self_attn.k_proj";
    /// <summary>Values.</summary>
    public string Value { get; init; } = "self_attn.v_proj";
    /// <summary>The three as one matrix.</summary>
    public string Qkv { get; init; } = "self_attn.qkv_proj";
    /// <summary>After attention, back to the width.</summary>
    public string Output { get; init; } = "self_attn.o_proj";
    /// <summary>The norm of each query head.</summary>
    public string QueryNorm { get; init; } = "self_attn.q_norm";
    /// <summary>The norm of each key head.</summary>
    public string KeyNorm { get; init; } = "self_attn.k_norm";
    /// <summary>Scores without values, whole name.</summary>
    public string Sinks { get; init; } = "self_attn.sinks";
    /// <summary>The gate of feed-forward.</summary>
    public string Gate { get; init; } = "mlp.gate_proj";
    /// <summary>What the gate weighs.</summary>
    public string Up { get; init; } = "mlp.up_proj";
    /// <summary>Back to the width.</summary>
    public string Down { get; init; } = "mlp.down_proj";
    /// <summary>Gate and up as one matrix.</summary>
    public string GateUp { get; init; } = "mlp.gate_up_proj";
    /// <summary>Scores of experts.</summary>
    public string Router { get; init; } = "mlp.gate";
    /// <summary>What counts when experts are chosen, whole name.</summary>
    public string ChoiceBias { get; init; } = "mlp.gate.e_score_correction_bias";
    /// <summary>The gate of expert {0}; of all where they are stacked.</summary>
    public string ExpertGate { get; init; } = "mlp.experts.{0}.gate_proj";
    /// <summary>What the gate weighs.</summary>
    public string ExpertUp { get; init; } = "mlp.experts.{0}.up_proj";
    /// <summary>Back to the width.</summary>
    public string ExpertDown { get; init; } = "mlp.experts.{0}.down_proj";
    /// <summary>The matrices of all experts are one weight [experts, outputs, inputs].</summary>
    public bool ExpertsAreStacked { get; init; }
    /// <summary>The gate of the layer that every token takes.</summary>
    public string SharedGate { get; init; } = "mlp.shared_expert.gate_proj";
    /// <summary>What it weighs.</summary>
    public string SharedUp { get; init; } = "mlp.shared_expert.up_proj";
    /// <summary>Back to the width.</summary>
    public string SharedDown { get; init; } = "mlp.shared_expert.down_proj";
    /// <summary>The weight of that layer.</summary>
    public string SharedWeight { get; init; } = "mlp.shared_expert_gate";

    /// <summary>The path of a layer.</summary>
    public string PathOf(int layer) => string.Format(CultureInfo.InvariantCulture, Layer, layer);
}
