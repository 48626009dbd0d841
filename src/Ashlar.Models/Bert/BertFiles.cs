using Ashlar.Formats;
using Ashlar.NN;

namespace Ashlar.Models;

/// <summary>Encoders in their published files: BERT, RoBERTa and XLM-RoBERTa, and nomic-embed, as folders of
/// sentence-transformers and as GGUF.</summary>
public static class BertFiles
{
    /// <summary>The types of models that are read here, as config.json and GGUF call them.</summary>
    public static IReadOnlyList<string> Families { get; } = ["bert", "roberta", "xlm-roberta", "nomic_bert", "nomic-bert"];

    /// <summary>Reads a model.</summary>
    /// <param name="path">A folder in the Hugging Face layout, or a GGUF file.</param>
    /// <exception cref="ModelFileException">The files are damaged, or of a model that Ashlar does not know.</exception>
    /// <exception cref="ModelException">Weights are missing, too many, or do not fit the config.</exception>
    public static Bert Load(string path)
    {
        using var file = WeightFile.Open(path);
        var reader = new WeightReader(file);
        if (file is Gguf gguf)
        {
            var config = ReadConfig(new GgufKeys(gguf), reader);
            return new(Weights.From(FromGguf(reader, config)), config);
        }
        string folder = ((SafetensorsFolder)file).Folder;
        var keys = JsonKeys.Read(folder);
        if (!Families.Contains(keys.Family)) throw UnknownFamily(keys);
        int skipped = SkippedPlaces(keys);
        var (pooling, normalises) = ReadPooling(folder);
        var published = ReadConfig(keys, skipped) with { Pooling = pooling, Normalises = normalises };
        return new(Weights.From(published.RotaryBase is null
            ? FromBert(reader, published, skipped)
            : FromNomic(reader, published)), published);
    }

    /// <summary>What a config.json says.</summary>
    /// <exception cref="ModelFileException">A key is missing, unknown, or of a kind that is not computed.</exception>
    internal static BertConfig ReadConfig(JsonKeys keys, int skipped)
    {
        keys.Ignore("architectures", "_name_or_path", "auto_map", "torch_dtype", "dtype", "transformers_version", "use_cache",
            "initializer_range",
            "attention_probs_dropout_prob", "hidden_dropout_prob", "classifier_dropout", "gradient_checkpointing",
            "id2label", "label2id",
            "bos_token_id", "eos_token_id", "pad_token_id", "output_past", "directionality", "pooler_fc_size",
            "pooler_num_attention_heads",
            "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "max_trained_positions");
        var config = keys.Family == "nomic_bert" ? ReadNomic(keys) : new()
        {
            Vocabulary = keys.Integer("vocab_size"),
            Layers = keys.Layers("num_hidden_layers"),
            Width = keys.Integer("hidden_size"),
            Heads = keys.Integer("num_attention_heads"),
            Hidden = keys.Integer("intermediate_size"),
            Context = keys.Integer("max_position_embeddings") - skipped,
            Parts = keys.Integer("type_vocab_size", 2),
            Epsilon = keys.Number("layer_norm_eps", 1e-12),
            Activation = keys.Text("hidden_act", "gelu") switch
            {
                "gelu" => Activation.Gelu,
                "gelu_new" or "gelu_pytorch_tanh" => Activation.GeluTanh,
                var other =>
                    throw keys.Unsupported("hidden_act", other, "only gelu, gelu_new and gelu_pytorch_tanh are computed"),
            },
        };
        if (keys.Family != "nomic_bert")
        {
            keys.Allow("position_embedding_type", "absolute");
            keys.Allow("is_decoder", false);
            keys.Allow("add_cross_attention", false);
        }
        keys.ThrowIfUnread();
        return config;
    }

    static BertConfig ReadNomic(JsonKeys keys)
    {
        keys.Ignore("attn_pdrop", "embd_pdrop", "resid_pdrop", "dense_seq_output", "fused_bias_fc", "fused_dropout_add_ln",
            "pad_vocab_size_multiple",
            "use_flash_attn", "use_xentropy", "reorder_and_upcast_attn", "summary_activation", "summary_first_dropout",
            "summary_proj_to_labels",
            "summary_type", "summary_use_proj");
        keys.Allow("activation_function", "swiglu");
        foreach (string key in (string[])["causal", "parallel_block", "parallel_block_tied_norm", "prenorm", "mlp_fc1_bias",
            "mlp_fc2_bias",
            "qkv_proj_bias", "use_rms_norm", "rotary_emb_interleaved", "scale_attn_by_inverse_layer_idx"])
            keys.Allow(key, false);
        keys.Allow("scale_attn_weights", true);
        keys.Allow("rotary_emb_fraction", 1.0);
        keys.AllowNone("rotary_emb_scale_base");
        keys.AllowNone("rotary_scaling_factor");
        int width = keys.Integer("n_embd");
        return new()
        {
            Vocabulary = keys.Integer("vocab_size"),
            Layers = keys.Layers("n_layer"),
            Width = width,
            Heads = keys.Integer("n_head"),
            Hidden = keys.Integer("n_inner", 4 * width),
            Context = keys.Integer("n_positions"),
            Parts = keys.Integer("type_vocab_size", 2),
            Epsilon = keys.Number("layer_norm_epsilon", 1e-12),
            Activation = Activation.SwiGlu,
            RotaryBase = keys.Number("rotary_emb_base", 10000),
            Bias = false,
        };
    }

    // RoBERTa counts places from the one after the number of its padding token; those before are never used.
    static int SkippedPlaces(JsonKeys keys) =>
        keys.Family is "roberta" or "xlm-roberta" ? keys.Integer("pad_token_id", 1) + 1 : 0;

    // What sentence-transformers says of the way from tokens to one vector; a bare encoder is taken by its mean.
    static (Pooling Pooling, bool Normalises) ReadPooling(string folder)
    {
        string modules = Path.Combine(folder, "modules.json");
        if (!File.Exists(modules)) return (Pooling.Mean, true);
        // a list of objects: as the value of a key it can be read by the same reader
        var steps = JsonKeys.Parse(modules, (byte[])[.. "{\"steps\":"u8, .. File.ReadAllBytes(modules), (byte)'}'])
            .Parts("steps");
        var pooling = Pooling.Mean;
        bool normalises = false;
        foreach (var step in steps)
        {
            step.Ignore("idx", "name");
            string type = step.Text("type"), path = step.Text("path", "");
            step.ThrowIfUnread();
            switch (type[(type.LastIndexOf('.') + 1)..])
            {
                case "Transformer": break;
                case "Normalize": normalises = true; break;
                case "Pooling" when path.Length == 0 || path.Any(letter => letter is '/' or '\\' or ':')
                    || path.StartsWith("..", StringComparison.Ordinal):
                    throw step.Wrong("path", $"is '{path}', not the name of a folder beside it");
                case "Pooling": pooling = ReadPoolingStep(JsonKeys.Read(Path.Combine(folder, path, "config.json"))); break;
                default: throw step.Unsupported("type", type, "only Transformer, Pooling and Normalize are computed");
            }
        }
        return (pooling, normalises);
    }

    static Pooling ReadPoolingStep(JsonKeys keys)
    {
        keys.Ignore("word_embedding_dimension", "include_prompt");
        bool first = keys.Flag("pooling_mode_cls_token", false), mean = keys.Flag("pooling_mode_mean_tokens", false);
        foreach (string key in (string[])["pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
            "pooling_mode_weightedmean_tokens",
            "pooling_mode_lasttoken"])
            keys.Allow(key, false);
        keys.ThrowIfUnread();
        return first != mean ? first ? Pooling.First : Pooling.Mean
            : throw keys.Unsupported("pooling_mode_cls_token", $"{first} beside pooling_mode_mean_tokens = {mean}",
                "exactly one of the two is computed");
    }

    static ModelFileException UnknownFamily(ModelKeys keys) => new("ASH0735",
        $"{keys.Source} is of a model of type '{keys.Family}', which is no encoder that Ashlar knows.",
        $"take one of {string.Join(", ", Families)}.");

    static BertConfig ReadConfig(GgufKeys keys, WeightReader reader)
    {
        bool isNomic = keys.Family == "nomic-bert";
        if (!isNomic && keys.Family != "bert") throw UnknownFamily(keys);
        keys.Allow("attention.causal", false);
        keys.Ignore("vocab_size");
        int width = keys.Integer("embedding_length");
        BertConfig config = new()
        {
            Vocabulary = checked((int)reader.File["token_embd.weight"].Extents[0]),
            Layers = keys.Layers("block_count"),
            Width = width,
            Heads = keys.Integer("attention.head_count"),
            Hidden = keys.Integer("feed_forward_length"),
            Context = isNomic ? keys.Integer("context_length") : checked((int)reader.File["position_embd.weight"].Extents[0]),
            Parts = checked((int)reader.File["token_types.weight"].Extents[0]),
            Epsilon = keys.Number("attention.layer_norm_epsilon"),
            Activation = isNomic ? Activation.SwiGlu : Activation.Gelu,
            RotaryBase = isNomic ? keys.Number("rope.freq_base") : null,
            Bias = !isNomic,
            Pooling = keys.Integer("pooling_type", 1) switch
            {
                1 => Pooling.Mean,
                2 => Pooling.First,
                var other =>
                    throw keys.Unsupported("pooling_type", $"{other}", "only 1, the mean, and 2, the first token, are computed"),
            },
        };
        keys.Ignore("context_length");
        keys.ThrowIfUnread();
        return config;
    }

    static Dictionary<string, Tensor> FromBert(WeightReader reader, BertConfig config, int skipped)
    {
        string prefix =
            new[] { "bert.", "roberta." }.FirstOrDefault(name => reader.Has($"{name}embeddings.word_embeddings.weight")) ?? "";
        int width = config.Width, hidden = config.Hidden;
        // heads of other tasks, and a constant that some files keep
        reader.Skip(name => name.StartsWith($"{prefix}pooler.", StringComparison.Ordinal)
            || name.StartsWith("cls.", StringComparison.Ordinal)
            || name.StartsWith("lm_head.", StringComparison.Ordinal)
            || name.EndsWith("embeddings.position_ids", StringComparison.Ordinal));
        var tensors = new Dictionary<string, Tensor>
        {
            ["tokens.weight"] = reader.Dense($"{prefix}embeddings.word_embeddings.weight", config.Vocabulary, width),
            ["parts.weight"] = reader.Dense($"{prefix}embeddings.token_type_embeddings.weight", config.Parts, width),
            ["places.weight"] = reader.Dense($"{prefix}embeddings.position_embeddings.weight", config.Context + skipped, width)
                .Narrow(0, skipped, config.Context),
        };
        Norm(tensors, reader, "norm", $"{prefix}embeddings.LayerNorm", width);
        for (int i = 0; i < config.Layers; i++)
        {
            string to = $"layers.{i}", from = $"{prefix}encoder.layer.{i}", self = $"{from}.attention.self";
            tensors[$"{to}.attn.c_attn.weight"] =
                Turned(reader, width, width, $"{self}.query.weight", $"{self}.key.weight", $"{self}.value.weight");
            tensors[$"{to}.attn.c_attn.bias"] =
                Joined(reader, width, $"{self}.query.bias", $"{self}.key.bias", $"{self}.value.bias");
            Linear(tensors, reader, $"{to}.attn.c_proj", $"{from}.attention.output.dense", width, width, true);
            Norm(tensors, reader, $"{to}.norm_1", $"{from}.attention.output.LayerNorm", width);
            Linear(tensors, reader, $"{to}.mlp.c_fc", $"{from}.intermediate.dense", hidden, width, true);
            Linear(tensors, reader, $"{to}.mlp.c_proj", $"{from}.output.dense", width, hidden, true);
            Norm(tensors, reader, $"{to}.norm_2", $"{from}.output.LayerNorm", width);
        }
        reader.ThrowIfUnused();
        return tensors;
    }

    static Dictionary<string, Tensor> FromNomic(WeightReader reader, BertConfig config)
    {
        int width = config.Width, hidden = config.Hidden;
        reader.Skip(name =>
            name.StartsWith("pooler.", StringComparison.Ordinal) || name.StartsWith("cls.", StringComparison.Ordinal));
        var tensors = new Dictionary<string, Tensor>
        {
            ["tokens.weight"] = reader.Dense("embeddings.word_embeddings.weight", config.Vocabulary, width),
            ["parts.weight"] = reader.Dense("embeddings.token_type_embeddings.weight", config.Parts, width),
        };
        Norm(tensors, reader, "norm", "emb_ln", width);
        for (int i = 0; i < config.Layers; i++)
        {
            string to = $"layers.{i}", from = $"encoder.layers.{i}";
            Linear(tensors, reader, $"{to}.attn.c_attn", $"{from}.attn.Wqkv", 3 * width, width, false);
            Linear(tensors, reader, $"{to}.attn.c_proj", $"{from}.attn.out_proj", width, width, false);
            Norm(tensors, reader, $"{to}.norm_1", $"{from}.norm1", width);
            Linear(tensors, reader, $"{to}.mlp.c_gate", $"{from}.mlp.fc12", hidden, width, false);
            Linear(tensors, reader, $"{to}.mlp.c_fc", $"{from}.mlp.fc11", hidden, width, false);
            Linear(tensors, reader, $"{to}.mlp.c_proj", $"{from}.mlp.fc2", width, hidden, false);
            Norm(tensors, reader, $"{to}.norm_2", $"{from}.norm2", width);
        }
        reader.ThrowIfUnused();
        return tensors;
    }

    static Dictionary<string, Tensor> FromGguf(WeightReader reader, BertConfig config)
    {
        int width = config.Width, hidden = config.Hidden;
        bool isNomic = config.RotaryBase is not null;
        reader.Skip(name => name.StartsWith("cls", StringComparison.Ordinal));
        var tensors = new Dictionary<string, Tensor>
        {
            ["tokens.weight"] = reader.Dense("token_embd.weight", config.Vocabulary, width),
            ["parts.weight"] = reader.Dense("token_types.weight", config.Parts, width),
        };
        if (!isNomic) tensors["places.weight"] = reader.Dense("position_embd.weight", config.Context, width);
        Norm(tensors, reader, "norm", "token_embd_norm", width);
        for (int i = 0; i < config.Layers; i++)
        {
            string to = $"layers.{i}", from = $"blk.{i}";
            if (isNomic) Linear(tensors, reader, $"{to}.attn.c_attn", $"{from}.attn_qkv", 3 * width, width, false);
            else
            {
                tensors[$"{to}.attn.c_attn.weight"] =
                    Turned(reader, width, width, $"{from}.attn_q.weight", $"{from}.attn_k.weight", $"{from}.attn_v.weight");
                tensors[$"{to}.attn.c_attn.bias"] =
                    Joined(reader, width, $"{from}.attn_q.bias", $"{from}.attn_k.bias", $"{from}.attn_v.bias");
            }
            Linear(tensors, reader, $"{to}.attn.c_proj", $"{from}.attn_output", width, width, config.Bias);
            Norm(tensors, reader, $"{to}.norm_1", $"{from}.attn_output_norm", width);
            if (isNomic) Linear(tensors, reader, $"{to}.mlp.c_gate", $"{from}.ffn_gate", hidden, width, false);
            Linear(tensors, reader, $"{to}.mlp.c_fc", $"{from}.ffn_up", hidden, width, config.Bias);
            Linear(tensors, reader, $"{to}.mlp.c_proj", $"{from}.ffn_down", width, hidden, config.Bias);
            Norm(tensors, reader, $"{to}.norm_2", $"{from}.layer_output_norm", width);
        }
        reader.ThrowIfUnused();
        return tensors;
    }

    static void Linear(Dictionary<string, Tensor> tensors, WeightReader reader, string to, string from, int outputs,
        int inputs, bool bias)
    {
        tensors[$"{to}.weight"] = Turned(reader, outputs, inputs, $"{from}.weight");
        if (bias) tensors[$"{to}.bias"] = reader.Dense($"{from}.bias", outputs);
    }

    static void Norm(Dictionary<string, Tensor> tensors, WeightReader reader, string to, string from, int width)
    {
        tensors[$"{to}.weight"] = reader.Dense($"{from}.weight", width);
        tensors[$"{to}.bias"] = reader.Dense($"{from}.bias", width);
    }

    // Matrices that the file has as [outputs, inputs], beside each other as [inputs, outputs of all].
    static Tensor Turned(WeightReader reader, int outputs, int inputs, params ReadOnlySpan<string> names)
    {
        int all = outputs * names.Length;
        var turned = new float[inputs * all];
        for (int n = 0; n < names.Length; n++)
        {
            float[] part = reader.Numbers(names[n], outputs, inputs);
            for (int o = 0; o < outputs; o++)
                for (int i = 0; i < inputs; i++)
                    turned[i * all + n * outputs + o] = part[o * inputs + i];
        }
        return Tensor.From<float>(turned, [inputs, all]);
    }

    static Tensor Joined(WeightReader reader, int width, params ReadOnlySpan<string> names)
    {
        var joined = new float[width * names.Length];
        for (int n = 0; n < names.Length; n++) reader.Numbers(names[n], width).CopyTo(joined, n * width);
        return Tensor.From<float>(joined, [joined.Length]);
    }
}
