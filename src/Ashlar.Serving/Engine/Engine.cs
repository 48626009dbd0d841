using Ashlar.Models;

namespace Ashlar.Serving;

/// <summary>Tokens of one text that a step reads.</summary>
/// <param name="Text">The text; its cache holds what came before.</param>
/// <param name="Tokens">What comes now, at least one.</param>
public readonly record struct TextTokens(TextState Text, ReadOnlyMemory<int> Tokens);

/// <summary>Gets logits; they are gone when it returns.</summary>
/// <param name="logits">[vocabulary], or [texts, vocabulary].</param>
public delegate void LogitsReader(ReadOnlySpan<float> logits);

/// <summary>Runs a model over texts: reads tokens into a paged cache and gives logits of what comes next.</summary>
/// <remarks>
/// One compiled program serves all steps of a kind: one token of one text, one token of several, and prompts. A step reads tokens
/// of several texts at once; long prompts are cut into chunks. A step of one token of one or several texts allocates nothing.
/// Thread-safe: steps run one after the other.
/// </remarks>
public sealed class Engine : IDisposable
{
    const long BytesOfCompiling = 8 << 20;   // no step allocates as much that does not compile

    readonly Decoder model;
    readonly State[] cache;
    readonly PagePool pool;
    readonly int mostPages;
    readonly Action<Tensor, Tensor, Tensor, Tensor, Tensor> step, tokenStep;   // the latter for one token of one text
    readonly StepMemory memory;
    readonly Lock gate = new();

    /// <summary>An engine with an empty cache.</summary>
    /// <param name="model">Stays the caller's to dispose.</param>
    /// <param name="options">Cache and chunks.</param>
    /// <exception cref="ModelException">ASH0354: an option cannot be.</exception>
    public Engine(Decoder model, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        this.model = model;
        Options = options ?? new();
        int context = Options.Context ?? Math.Min(model.Config.Context, 4096);
        if (Options.IsBound) context = (int)Math.Min(context, model.Config.Context * (long)Options.MostTexts);
        if (context < 1 || Options.MostTexts < 1 || Options.Chunk < 1)
            throw new ModelException("ASH0354",
                $"an engine of {context} tokens, {Options.MostTexts} texts and chunks of {Options.Chunk} cannot be.",
                "every number must be at least 1.");
        // Each text's last page is partly empty.
        int pages = (context + PageLayout.Tokens - 1) / PageLayout.Tokens + Options.MostTexts - 1;
        Context = context;
        mostPages = (Math.Min(context, model.Config.Context) + PageLayout.Tokens - 1) / PageLayout.Tokens;
        var type = CacheType = Options.CacheType ?? (model.IsFloat32 ? DType.Float32 : DType.BFloat16);
        cache = model.NewCache(pages, type);
        pool = new(pages);
        Symbol tokens = new("T", 1, Math.Max(Options.Chunk, Options.MostTexts)), texts = new("S", 1, Options.MostTexts),
            wanted = new("W", 1, Math.Max(Options.Chunk, Options.MostTexts));
        // Two, so that the one is compiled while the other is, or runs.
        step = Compiled.StepInto((Tensor features, Tensor placed, Tensor tables, Tensor rows) =>
            model.Forward(features, placed, tables, rows, cache, type),
            [tokens, model.FeatureWidth], [2, tokens], [texts, mostPages], [wanted]);
        tokenStep = Compiled.StepInto((Tensor features, Tensor placed, Tensor tables, Tensor rows) =>
            model.Forward(features, placed, tables, rows, cache, type),
            [1, model.FeatureWidth], [2, 1], [1, mostPages], [1]);
        memory = new(Math.Max(Options.Chunk, Options.MostTexts), model.FeatureWidth, Options.MostTexts, mostPages,
            model.Config.Vocabulary);
    }

    /// <summary>Cache and chunks.</summary>
    public EngineOptions Options { get; }

    /// <summary>The element type of keys and values.</summary>
    public DType CacheType { get; }

    /// <summary>The model.</summary>
    public Decoder Model => model;

    /// <summary>Tokens that all texts together may have.</summary>
    public int Context { get; }

    /// <summary>Tokens that one text may have: the model's context, or less where the cache is smaller.</summary>
    public int MostTokens => Math.Min(Context, model.Config.Context);

    /// <summary>Bytes of the cache.</summary>
    public long CacheBytes => cache.Sum(layer => layer.Shape.Elements.Value);

    /// <summary>A new, empty text.</summary>
    /// <param name="length">How many tokens it is expected to have at last; null takes <see cref="MostTokens"/>.</param>
    public TextState NewText(int? length = null) => new(this, length ?? MostTokens);

    /// <summary>Reads tokens of one text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="tokens">What comes now, at least one.</param>
    /// <param name="use">Gets the logits of what follows the last token, [vocabulary]; null for none.</param>
    /// <param name="progress">Told how many tokens are read.</param>
    /// <param name="cancellation">Looked at between chunks; the text then holds the chunks before.</param>
    /// <exception cref="ModelException">The text does not fit (ASH0347), or a token is not of the vocabulary
    /// (ASH0353).</exception>
    public void Read(TextState text, ReadOnlySpan<int> tokens, LogitsReader? use, IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        ObjectDisposedException.ThrowIf(text.IsDisposed, text);
        if (tokens.IsEmpty)
            throw new ModelException("ASH0355", "there are no tokens to read.", "give a prompt of at least one token.");
        model.ThrowUnlessKnown(tokens);
        if (text.Count + tokens.Length > MostTokens)
            throw new ModelException("ASH0347",
                $"the text would have {text.Count + tokens.Length} tokens, but the maximum context length is {MostTokens} tokens.",
                MostTokens < model.Config.Context ? "give the engine a larger context." : "shorten the prompt.");
        lock (gate)
            for (int first = 0; first < tokens.Length; first += Options.Chunk)
            {
                cancellation.ThrowIfCancellationRequested();
                var chunk = tokens.Slice(first, Math.Min(Options.Chunk, tokens.Length - first));
                bool isLast = first + chunk.Length == tokens.Length;
                Grow(text, chunk.Length);
                memory.Begin(chunk.Length, 1, 1);
                model.Features(chunk, text.Count, text.Length, memory.Features);
                memory.Place(0, chunk.Length, 0, text.Count, text.Pages);
                memory.Wanted[0] = chunk.Length - 1;
                Step();
                text.Append(chunk);
                progress?.Report(first + chunk.Length);
                if (isLast) use?.Invoke(memory.Logits);
            }
    }

    /// <summary>Logits of every token of a text's next tokens: for scoring. At most a chunk at once.</summary>
    /// <returns>[tokens, vocabulary]</returns>
    public float[] ReadAll(TextState text, ReadOnlySpan<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        ObjectDisposedException.ThrowIf(text.IsDisposed, text);
        model.ThrowUnlessKnown(tokens);
        if (tokens.IsEmpty || tokens.Length > Options.Chunk || text.Count + tokens.Length > MostTokens)
            throw new ModelException("ASH0347",
                $"{tokens.Length} tokens after {text.Count} cannot be scored at once: chunks have {Options.Chunk}, and the maximum context length is {MostTokens} tokens.",
                "score fewer at once.");
        lock (gate)
        {
            Grow(text, tokens.Length);
            memory.Begin(tokens.Length, 1, tokens.Length);
            model.Features(tokens, text.Count, text.Length, memory.Features);
            memory.Place(0, tokens.Length, 0, text.Count, text.Pages);
            for (int i = 0; i < tokens.Length; i++) memory.Wanted[i] = i;
            Step();
            text.Append(tokens);
            return memory.Logits.ToArray();
        }
    }

    /// <summary>Reads one token of each of several texts.</summary>
    /// <param name="texts">At most <see cref="EngineOptions.MostTexts"/>, each once.</param>
    /// <param name="tokens">One per text.</param>
    /// <param name="use">Gets the logits, [texts, vocabulary].</param>
    /// <exception cref="ModelException">A text does not fit (ASH0347), or a token is not of the vocabulary (ASH0353).</exception>
    public void ReadEach(ReadOnlySpan<TextState> texts, ReadOnlySpan<int> tokens, LogitsReader use)
    {
        ArgumentNullException.ThrowIfNull(use);
        if (texts.Length == 0 || texts.Length != tokens.Length || texts.Length > Options.MostTexts)
            throw new ModelException("ASH0354",
                $"{texts.Length} texts with {tokens.Length} tokens were given to an engine of {Options.MostTexts} texts.",
                "give one token per text.");
        model.ThrowUnlessKnown(tokens);
        for (int i = 0; i < texts.Length; i++)
        {
            ObjectDisposedException.ThrowIf(texts[i].IsDisposed, texts[i]);
            for (int other = 0; other < i; other++)
                if (ReferenceEquals(texts[i], texts[other]))
                    throw new ModelException("ASH0354", $"texts {other} and {i} of a step are the same one.",
                        "give each text once; Read takes several tokens of one.");
        }
        lock (gate)
        {
            memory.Begin(texts.Length, texts.Length, texts.Length);
            for (int i = 0; i < texts.Length; i++)
            {
                if (texts[i].Count + 1 > MostTokens)
                    throw new ModelException("ASH0347",
                        $"a text would have {texts[i].Count + 1} tokens, but the maximum context length is {MostTokens} tokens.",
                        "end the text, or begin it anew with less.");
                Grow(texts[i], 1);
                model.Features(tokens.Slice(i, 1), texts[i].Count, texts[i].Length,
                    memory.Features.Slice(i * model.FeatureWidth, model.FeatureWidth));
                memory.Place(i, 1, i, texts[i].Count, texts[i].Pages);
                memory.Wanted[i] = i;
            }
            Step();
            for (int i = 0; i < texts.Length; i++) texts[i].Append(tokens.Slice(i, 1));
            use(memory.Logits);
        }
    }

    /// <summary>Compiles what reading a prompt and then token by token takes, without running it: beside the packing of weights,
    /// for one.</summary>
    /// <param name="promptTokens">How many tokens the first prompt has; other prompts share the program unless one of them only
    /// is a multiple of 16, or short.</param>
    public void Prepare(int promptTokens)
    {
        var rest = Task.Run(PrepareToken);
        try
        {
            PreparePrompt(promptTokens);
        }
        finally
        {
            rest.GetAwaiter().GetResult();
        }
    }

    /// <summary>The part of <see cref="Prepare"/> that a prompt needs.</summary>
    internal void PreparePrompt(int promptTokens) => PrepareStep(Math.Clamp(promptTokens, 1, Options.Chunk));

    /// <summary>The part of <see cref="Prepare"/> that a token of a text needs; prompts are read meanwhile.</summary>
    internal void PrepareToken() => PrepareStep(1);

    void PrepareStep(int tokens)
    {
        Tensor[] arguments;
        lock (gate)
        {
            memory.Begin(tokens, 1, 1);
            arguments = [memory.FeatureTensor, memory.TokenTensor, memory.TableTensor, memory.WantedTensor];
        }
        Compiled.Prepare(tokens == 1 ? tokenStep : step, arguments);
    }

    // What was written to the memory goes through the model.
    void Step()
    {
        var run = memory.IsToken ? tokenStep : step;
        long before = GC.GetAllocatedBytesForCurrentThread();
        run(memory.FeatureTensor, memory.TokenTensor, memory.TableTensor, memory.WantedTensor, memory.LogitsTensor);
        if (GC.GetAllocatedBytesForCurrentThread() - before > BytesOfCompiling) Tidy();
    }

    /// <summary>Gives back what compiling left behind: several times what stays of it, and steps make no garbage that would bring
    /// a collection about.</summary>
    internal static void Tidy() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    /// <summary>What was compiled: kernels and memory of each program.</summary>
    public string Describe() => $"{Compiled.Describe(step)}\n{Compiled.Describe(tokenStep)}";

    /// <summary>Gives the memory of inputs back. The cache goes with the engine.</summary>
    public void Dispose() => memory.Dispose();

    internal void Shrink(TextState text)
    {
        lock (gate)
        {
            int needed = (text.Count + PageLayout.Tokens - 1) / PageLayout.Tokens;
            for (int i = text.Pages.Count - 1; i >= needed; i--) pool.Return(text.Pages[i]);
            text.Pages.RemoveRange(needed, text.Pages.Count - needed);
        }
    }

    void Grow(TextState text, int added)
    {
        int needed = (text.Count + added + PageLayout.Tokens - 1) / PageLayout.Tokens;
        if (needed - text.Pages.Count > pool.Free)
            throw new ModelException("ASH0347",
                $"the cache of {Context} tokens is full: a text of {text.Count + added} tokens needs {needed - text.Pages.Count} more pages, {pool.Free} are free.",
                "end other texts, or give the engine a larger context.");
        while (text.Pages.Count < needed && pool.TryTake(out int page)) text.Pages.Add(page);
    }
}
