using System.Diagnostics;
using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>A family of models: how its files say what it is, and what its weights are called.</summary>
public abstract class ModelFamily
{
    /// <summary>Every family that Ashlar runs.</summary>
    public static IReadOnlyList<ModelFamily> All { get; } =
    [
        new Llama.LlamaFamily(), new Mistral.MistralFamily(), new Mistral.MixtralFamily(),
        new Qwen.Qwen2Family(), new Qwen.Qwen2MoeFamily(), new Qwen.Qwen3Family(), new Qwen.Qwen3MoeFamily(),
        new Gemma.Gemma2Family(), new Gemma.Gemma3Family(), new Phi.Phi3Family(), new SmolLm.SmolLm3Family(), new Glm.GlmFamily(),
        new Glm.Glm4Family(),
        new GptOss.GptOssFamily(), new DeepSeek.DeepSeek2Family(), new DeepSeek.DeepSeek3Family(), new Gpt2.Gpt2Family(),
    ];

    /// <summary>The <c>model_type</c>s of config.json.</summary>
    public abstract IReadOnlyList<string> ModelTypes { get; }

    /// <summary>The <c>general.architecture</c>s of GGUF files; none where such files go by the name of another family.</summary>
    public virtual IReadOnlyList<string> Architectures => [];

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="ModelException">A key is missing, of another kind, or says what Ashlar cannot compute.</exception>
    public abstract DecoderConfig Read(JsonKeys keys);

    /// <summary>Reads the metadata of a GGUF file of one of <see cref="Architectures"/>.</summary>
    /// <exception cref="ModelException">A key is missing, of another kind, or says what Ashlar cannot compute.</exception>
    public virtual DecoderConfig Read(GgufKeys keys, Gguf file) =>
        throw new UnreachableException($"no GGUF file is a {ModelTypes[0]}");

    // How matrices are stored, where that is not as plain numbers: here as ScaledWeights has them. How activations are rounded is
    // left out: they are not.
    private protected virtual void AllowStorage(ModelKeys storage)
    {
        storage.Allow("quant_method", "fp8");
        storage.Allow("fmt", "e4m3");
        storage.Allow("activation_scheme", "dynamic");
        storage.Ignore("scale_fmt");
        if (storage.Numbers("weight_block_size") is not [ScaledWeights.Block, ScaledWeights.Block])
            throw storage.Wrong("weight_block_size", $"should be [{ScaledWeights.Block}, {ScaledWeights.Block}]");
    }

    /// <summary>What the weights are called.</summary>
    /// <param name="isGguf">In a GGUF file; else in a Hugging Face checkpoint.</param>
    public virtual DecoderNames Names(bool isGguf) => isGguf ? DecoderNames.Gguf : DecoderNames.HuggingFace;

    /// <summary>What loads a model of this family.</summary>
    public virtual DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader) =>
        new(config, Names(isGguf), reader);

    /// <summary>Opens a model: a safetensors folder with its config.json, or a GGUF file.</summary>
    /// <param name="path">A folder or a file.</param>
    /// <param name="options">How weights are kept.</param>
    /// <exception cref="ModelFileException">A file is missing or damaged.</exception>
    /// <exception cref="ModelException">The model is of a kind that Ashlar does not know, or its weights are not those of its
    /// config.</exception>
    public static Decoder Load(string path, LoadOptions? options = null)
    {
        var loading = Begin(path, options);
        while (!loading.Finish()) loading = loading.Again();
        return loading.Decoder;
    }

    /// <summary>Opens a model, and leaves the packing of its weights for later: meanwhile programs over it can be
    /// compiled.</summary>
    /// <inheritdoc cref="Load"/>
    public static ModelLoading Begin(string path, LoadOptions? options = null)
    {
        var file = WeightFile.Open(path);
        try
        {
            var (family, config, isGguf) = Describe(path, file);
            var reader = new WeightReader(file, options);
            return new(path, options ?? new(), family.Loader(config, isGguf, reader).Begin(), reader);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What the files of a model say it is, without reading weights.</summary>
    public static (ModelFamily Family, DecoderConfig Config, bool IsGguf) Describe(string path, WeightFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file is Gguf gguf)
        {
            var metadata = new GgufKeys(gguf);
            var known = All.FirstOrDefault(family => family.Architectures.Contains(metadata.Family))
                ?? throw Unknown(path, "general.architecture", metadata.Family, All.SelectMany(family => family.Architectures));
            var read = known.Read(metadata, gguf);
            metadata.ThrowIfUnread();
            return (known, read, true);
        }
        var keys = JsonKeys.Read(Directory.Exists(path)
            ? path
            : Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "config.json"));
        var found = All.FirstOrDefault(family => family.ModelTypes.Contains(keys.Family))
            ?? throw Unknown(path, "model_type", keys.Family, All.SelectMany(family => family.ModelTypes));
        keys.Ignore(Bookkeeping);
        var config = found.Read(keys);
        if (keys.Part("quantization_config") is { } storage)
        {
            storage.Ignore("modules_to_not_convert");   // the file says which they are
            found.AllowStorage(storage);
            storage.ThrowIfUnread();
        }
        keys.ThrowIfUnread();
        return (found, config, false);
    }

    // What these keys of a config.json say changes nothing that is computed: training, other programs, and special tokens, which
    // the tokenizer knows.
    private protected static ReadOnlySpan<string> Bookkeeping => new[]
    {
        "architectures", "torch_dtype", "dtype", "transformers_version", "use_cache", "initializer_range", "attention_dropout",
            "pretraining_tp",
        "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "_name_or_path", "auto_map", "hidden_dropout",
        "resid_pdrop", "embd_pdrop", "attn_pdrop",
        "output_router_logits", "router_aux_loss_coef", "aux_loss_alpha", "seq_aux", "task_specific_params",
        "gradient_checkpointing", "output_attentions",
        "output_hidden_states", "is_encoder_decoder", "_attn_implementation", "attn_implementation", "cache_implementation",
        "tokenizer_class", "transformers.js_config",
    };

    static ModelException Unknown(string path, string key, string value, IEnumerable<string> known) => new("ASH0351",
        $"{path} is a model of {key} '{value}', which Ashlar does not know. It knows {string.Join(", ", known.Order(StringComparer.Ordinal))}.",
        "take a model of one of these, or update Ashlar.");
}

/// <summary>A model whose weights have memory, but no content yet.</summary>
public sealed class ModelLoading
{
    readonly string path;
    readonly LoadOptions options;
    readonly WeightReader reader;

    internal ModelLoading(string path, LoadOptions options, Decoder decoder, WeightReader reader) =>
        (this.path, this.options, Decoder, this.reader) = (path, options, decoder, reader);

    /// <summary>The model. Nothing is to be computed with it before <see cref="Finish"/>.</summary>
    public Decoder Decoder { get; }

    /// <summary>Packs the weights, or waits until those of an earlier start are checked. Where that fails, the model is
    /// closed.</summary>
    /// <returns>False where the file of packed weights turned out to be damaged: the model is closed, and <see cref="Again"/>
    /// opens it without that file.</returns>
    /// <exception cref="ModelFileException">A weight holds what is no number (ASH0648).</exception>
    public bool Finish()
    {
        bool isWhole = false;
        try
        {
            isWhole = reader.Finish();
        }
        finally
        {
            if (!isWhole) Decoder.Dispose();
        }
        return isWhole;
    }

    /// <summary>Opens the model anew; its file of packed weights is replaced, not read.</summary>
    /// <inheritdoc cref="ModelFamily.Begin"/>
    public ModelLoading Again() => ModelFamily.Begin(path, options with
    {
        Cache = options.Cache is { } cache ? cache with { Replaces = true } : null,
    });
}
