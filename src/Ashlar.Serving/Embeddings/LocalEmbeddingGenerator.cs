using Ashlar.Models;
using Ashlar.Tokenizers;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>A local encoder as the embedding generator that .NET programs are written against: texts become vectors, like texts near ones.</summary>
/// <remarks>
/// <code>
/// Device.Use(new CpuBackend());
/// using var generator = LocalEmbeddingGenerator.Open("all-MiniLM-L6-v2");
/// var vector = await generator.GenerateVectorAsync("What is a stone?");
/// </code>
/// Thread-safe: texts are read one after the other. Models that want a word before the text (such as <c>search_query: </c>) are given it by the caller.
/// </remarks>
public sealed class LocalEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    readonly Bert model;
    readonly Tokenizer tokenizer;
    readonly string name;
    readonly Func<Tensor, Tensor> embed;
    readonly EmbeddingGeneratorMetadata metadata;
    readonly Lock gate = new();
    volatile bool isDisposed;

    LocalEmbeddingGenerator(Bert model, Tokenizer tokenizer, string name)
    {
        (this.model, this.tokenizer, this.name) = (model, tokenizer, name);
        embed = Compiled.Function((Tensor tokens) => model.Embed(tokens), [1, new Symbol("T", 1, model.Config.Context)]);
        metadata = new("ashlar", null, name, model.Config.Width);
    }

    /// <summary>Opens an encoder: BERT, RoBERTa, XLM-RoBERTa or nomic-embed.</summary>
    /// <param name="path">A folder in the Hugging Face layout, as sentence-transformers writes it, or a GGUF file.</param>
    /// <exception cref="ModelFileException">The files are damaged, or of a model that Ashlar does not know.</exception>
    /// <exception cref="ModelException">Weights are missing, too many, or do not fit the config.</exception>
    /// <exception cref="TokenizerException">There is no tokenizer, or it cannot be read.</exception>
    public static LocalEmbeddingGenerator Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var tokenizer = ModelTokenizer.Load(path).Tokenizer;
        return new(BertFiles.Load(path), tokenizer, Path.GetFileNameWithoutExtension(path.TrimEnd('/', '\\')));
    }

    /// <inheritdoc/>
    /// <exception cref="ModelException">
    /// A text has no tokens (ASH0355), more than the context holds (ASH0347), or one that the model has no embedding for (ASH0353); or something is asked
    /// for that the model does not do (ASH0356).
    /// </exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        ObjectDisposedException.ThrowIf(isDisposed, this);
        if (options?.Dimensions is { } dimensions && dimensions != model.Config.Width)
            throw new ModelException("ASH0356", $"embeddings of {dimensions} numbers were asked for, but the model makes {model.Config.Width}.", "leave Dimensions out, or cut the vectors where the model was trained for it.");
        if (options?.ModelId is { } id && id != name)
            throw new ModelException("ASH0356", $"model '{id}' was asked for, but this is '{name}'.", "leave ModelId out, or open the other model.");
        if (options?.AdditionalProperties?.Keys.FirstOrDefault() is { } unknown)
            throw new ModelException("ASH0356", $"'{unknown}' is among the additional properties, which is not known.", "leave it out.");
        string[] texts = [.. values];
        return Task.Run(() => Generate(texts, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? metadata
            : serviceType == typeof(Bert) ? model
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>No more texts are taken.</summary>
    public void Dispose() => isDisposed = true;

    GeneratedEmbeddings<Embedding<float>> Generate(string[] texts, CancellationToken cancellation)
    {
        var made = new GeneratedEmbeddings<Embedding<float>>(texts.Length);
        long count = 0;
        foreach (string text in texts)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] tokens = tokenizer.Encode(text, addSpecial: true);
            Check(tokens);
            count += tokens.Length;
            float[] vector;
            lock (gate) vector = embed(Tensor.From<int>(tokens, [1, tokens.Length])).ToArray<float>();
            made.Add(new(vector) { CreatedAt = DateTimeOffset.UtcNow, ModelId = name });
        }
        made.Usage = new() { InputTokenCount = count, TotalTokenCount = count };
        return made;
    }

    void Check(int[] tokens)
    {
        if (tokens.Length == 0) throw new ModelException("ASH0355", "a text has no tokens, so there is nothing to embed.", "give it a word.");
        if (tokens.Length > model.Config.Context)
            throw new ModelException("ASH0347", $"a text has {tokens.Length} tokens, but the maximum context length is {model.Config.Context} tokens.", "cut it into pieces, and embed each.");
        foreach (int token in tokens)
            if ((uint)token >= (uint)model.Config.Vocabulary)
                throw new ModelException("ASH0353", $"token {token} is not of the vocabulary of {model.Config.Vocabulary} tokens.", "take the tokenizer that came with the model.");
    }
}
