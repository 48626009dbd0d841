using Ashlar.Models;
using Ashlar.Tokenizers;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>A local encoder as the embedding generator that .NET programs are written against: texts become vectors, like texts
/// near ones.</summary>
/// <remarks>
/// <code>
/// Device.Use(new CpuBackend());
/// using var generator = LocalEmbeddingGenerator.Open("all-MiniLM-L6-v2");
/// var vector = await generator.GenerateVectorAsync("What is a stone?");
/// </code>
/// Thread-safe. Texts of a call that have equally many tokens are read side by side, so that weights are read once for all of
/// them: nothing is padded. Models that want a word before the text (such as <c>search_query: </c>) are given it by the caller.
/// </remarks>
public sealed class LocalEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    const int MostTexts = 32, MostTokens = 4096;   // of a batch

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
        embed = Compiled.Function((Tensor tokens) =>
            model.Embed(tokens), [new Symbol("B", 1, MostTexts), new Symbol("T", 1, model.Config.Context)]);
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
    /// A text has no tokens (ASH0355), more than the context holds (ASH0347), or one that the model has no embedding for
    /// (ASH0353); or something is asked for that the model does not do (ASH0356).
    /// </exception>
    public Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values,
        EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        ObjectDisposedException.ThrowIf(isDisposed, this);
        if (options?.Dimensions is { } dimensions && dimensions != model.Config.Width)
            throw new ModelException("ASH0356",
                $"embeddings of {dimensions} numbers were asked for, but the model makes {model.Config.Width}.",
                "leave Dimensions out, or cut the vectors where the model was trained for it.");
        if (options?.ModelId is { } id && id != name)
            throw new ModelException("ASH0356", $"model '{id}' was asked for, but this is '{name}'.",
                "leave ModelId out, or open the other model.");
        if (options?.AdditionalProperties?.Keys.FirstOrDefault() is { } unknown)
            throw new ModelException("ASH0356", $"'{unknown}' is among the additional properties, which is not known.",
                "leave it out.");
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
        int[][] tokens = [.. texts.Select(text => tokenizer.Encode(text, addSpecial: true))];
        foreach (int[] one in tokens) Check(one);
        var vectors = new float[texts.Length][];
        foreach (var alike in Enumerable.Range(0, texts.Length).GroupBy(i => tokens[i].Length))
            foreach (int[] batch in alike.Chunk(Math.Clamp(MostTokens / alike.Key, 1, MostTexts)))
            {
                cancellation.ThrowIfCancellationRequested();
                float[] all;
                lock (gate)
                    all = embed(Tensor.From<int>([.. batch.SelectMany(i => tokens[i])], [batch.Length, alike.Key]))
                        .ToArray<float>();
                int width = all.Length / batch.Length;
                for (int i = 0; i < batch.Length; i++) vectors[batch[i]] = all[(i * width)..((i + 1) * width)];
            }
        var made = new GeneratedEmbeddings<Embedding<float>>(vectors.Select(vector =>
            new Embedding<float>(vector) { CreatedAt = DateTimeOffset.UtcNow, ModelId = name }));
        long count = tokens.Sum(one => (long)one.Length);
        made.Usage = new() { InputTokenCount = count, TotalTokenCount = count };
        return made;
    }

    void Check(int[] tokens)
    {
        if (tokens.Length == 0)
            throw new ModelException("ASH0355", "a text has no tokens, so there is nothing to embed.", "give it a word.");
        if (tokens.Length > model.Config.Context)
            throw new ModelException("ASH0347",
                $"a text has {tokens.Length} tokens, but the maximum context length is {model.Config.Context} tokens.",
                "cut it into pieces, and embed each.");
        foreach (int token in tokens)
            if ((uint)token >= (uint)model.Config.Vocabulary)
                throw new ModelException("ASH0353",
                    $"token {token} is not of the vocabulary of {model.Config.Vocabulary} tokens.",
                    "take the tokenizer that came with the model.");
    }
}
