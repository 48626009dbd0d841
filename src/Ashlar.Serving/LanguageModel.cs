using System.Runtime.InteropServices;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.Tokenizers;

namespace Ashlar.Serving;

/// <summary>How a model is opened.</summary>
/// <param name="Load">How weights are kept.</param>
/// <param name="Engine">Cache and chunks.</param>
/// <param name="Template">A chat template in place of the model's own.</param>
/// <param name="FirstPrompt">How many tokens the first prompt has, where that is known: its program is compiled while weights are
/// packed.</param>
/// <param name="Tokenizer">The model's tokenizer where it has been read already, by <see cref="ModelTokenizer.Load"/>.</param>
public sealed record LanguageModelOptions(LoadOptions? Load = null, EngineOptions? Engine = null, string? Template = null,
    int? FirstPrompt = null, TokenizerFiles? Tokenizer = null);

/// <summary>A model of files, ready to talk: weights, tokenizer, chat template and an engine.</summary>
/// <remarks>Thread-safe: texts of several callers take turns, token by token.</remarks>
public sealed class LanguageModel : IDisposable
{
    const int LikelyPrompt = 50;   // of any length but a multiple of 16

    readonly TokenizerFiles? files;
    readonly ChatTemplate? template;

    LanguageModel(string path, Decoder decoder, Engine engine, TokenizerFiles? files, ChatTemplate? template)
    {
        (Path, Decoder, Engine, this.files, this.template) = (path, decoder, engine, files, template);
        Name = System.IO.Path.GetFileNameWithoutExtension(path.TrimEnd('/', '\\'));
    }

    /// <summary>Where it was opened.</summary>
    public string Path { get; }

    /// <summary>The name of its folder or file.</summary>
    public string Name { get; }

    /// <summary>Layers and weights.</summary>
    public Decoder Decoder { get; }

    /// <summary>Runs it.</summary>
    public Engine Engine { get; }

    /// <summary>Text to tokens.</summary>
    /// <exception cref="ModelFileException">ASH0737: the model came without a tokenizer.</exception>
    public Tokenizer Tokenizer => Files.Tokenizer;

    /// <summary>Tokens that stand for something.</summary>
    public SpecialTokens Special => files?.Special ?? new();

    /// <summary>The chat template.</summary>
    /// <exception cref="ModelFileException">ASH0738: the model has none.</exception>
    public ChatTemplate Template => template ?? throw new ModelFileException("ASH0738",
        $"{Path} has no chat template, so how a conversation is written for it is not known.",
        "give one when the model is opened, or let it go on with a text instead: it may not be made to talk.");

    /// <summary>How the model's makers advise to choose its tokens; null where its files do not say.</summary>
    public GenerationDefaults? Defaults { get; private init; }

    // What later tokens need is compiled while the first prompt is read. A step that comes earlier waits for it, and fails as it
    // did.
    Task Preparing { get; init; } = Task.CompletedTask;

    /// <summary>True where the model was made to talk.</summary>
    public bool HasTemplate => template is not null;

    /// <summary>True where there is a tokenizer; without one the model goes on from token ids, and its tokens have no
    /// text.</summary>
    public bool HasTokenizer => files is not null;

    TokenizerFiles Files => files ?? throw new ModelFileException("ASH0737", $"{Path} has no tokenizer.",
        "put tokenizer.json beside the weights, or pass token ids.");

    /// <summary>Opens a safetensors folder or a GGUF file.</summary>
    /// <param name="path">A folder or a file.</param>
    /// <param name="options">How weights, cache and template are chosen.</param>
    /// <exception cref="ModelFileException">A file is missing or damaged.</exception>
    /// <exception cref="ModelException">The model is of a kind that Ashlar does not know, or its weights are not those of its
    /// config.</exception>
    /// <exception cref="TokenizerException">The tokenizer or the template cannot be read.</exception>
    public static LanguageModel Load(string path, LanguageModelOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new();
        // A large vocabulary takes a while, and so do the weights.
        var reading = Task.Run(() => options.Tokenizer ?? ReadTokenizer(path));
        var defaults = GenerationDefaults.Read(Directory.Exists(path)
            ? path
            : System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        Decoder? opened = null;
        try
        {
            var loading = ModelFamily.Begin(path, options.Load);
            while (true)
            {
                var decoder = opened = loading.Decoder;
                var engine = new Engine(decoder, options.Engine);
                // Compiling keeps one processor busy for a while, packing all of them. The first prompt does not wait for what
                // only later tokens need.
                var compiling = Task.Run(() => engine.PreparePrompt(options.FirstPrompt ?? LikelyPrompt));
                var rest = Task.Run(() => PrepareRest(engine, compiling));
                TokenizerFiles? files = null;
                ChatTemplate? template = null;
                bool isWhole = false;
                try
                {
                    files = reading.GetAwaiter().GetResult();
                    Check(path, files, decoder.Config.Vocabulary);
                    template = options.Template is { } own ? ChatTemplate.Parse(own, "the given chat template")
                        : files is not null && files.ChatTemplates.TryGetValue("default", out string? text)
                        ? ChatTemplate.Parse(text, $"the chat template of {path}")
                        : null;
                    isWhole = loading.Finish();
                }
                finally
                {
                    compiling.GetAwaiter().GetResult();
                    if (!isWhole) rest.GetAwaiter().GetResult();
                }
                if (isWhole) return new(path, decoder, engine, files, template) { Defaults = defaults, Preparing = rest };
                engine.Dispose();
                loading = loading.Again();
            }
        }
        catch
        {
            opened?.Dispose();
            throw;
        }
    }

    static void PrepareRest(Engine engine, Task compiling)
    {
        engine.PrepareToken();
        compiling.Wait();
        Engine.Tidy();
    }

    static void Check(string path, TokenizerFiles? files, int vocabulary)
    {
        if (files is not null && files.Tokenizer.VocabularySize > vocabulary && !Pads(files.Tokenizer, vocabulary))
            throw new ModelException("ASH0353",
                $"the tokenizer of {path} has {files.Tokenizer.VocabularySize} tokens, but the model has embeddings of {vocabulary}.",
                "take the tokenizer that came with the model.");
    }

    /// <summary>The tokens of a conversation, ready for the model's answer.</summary>
    public int[] Encode(ChatPrompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var complete = prompt with
        {
            BeginText = prompt.BeginText ?? NameOf(Special.Begin),
            EndText = prompt.EndText ?? NameOf(Special.End),
        };
        return Tokenizer.Encode(Template.Render(complete), addSpecial: false, parseSpecial: true);
    }

    /// <summary>How a text goes on, token by token.</summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="options">How each token is chosen, and when the text ends.</param>
    /// <param name="text">A text to go on with: of its tokens the part that the prompt begins with too is not read again. Null
    /// reads the whole prompt.</param>
    /// <param name="progress">Told how many tokens of the prompt are read.</param>
    /// <param name="cancellation">Ends the text with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="ModelException">The prompt is empty (ASH0355), does not fit (ASH0347), or holds a token that is not of
    /// the vocabulary (ASH0353).</exception>
    public IEnumerable<GeneratedToken> Generate(ReadOnlyMemory<int> prompt, GenerationOptions? options = null,
        TextState? text = null, IProgress<int>? progress = null,
        CancellationToken cancellation = default)
    {
        options ??= new();
        if (prompt.IsEmpty)
            throw new ModelException("ASH0355", "the prompt has no tokens, and a model goes on from something.",
                "give it at least one word.");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MostTokens, 1);
        if (prompt.Length > Engine.MostTokens)
            throw new ModelException("ASH0347",
                $"the prompt has {prompt.Length} tokens, but the maximum context length is {Engine.MostTokens} tokens.",
                Engine.MostTokens < Decoder.Config.Context ? "give the engine a larger context." : "shorten the prompt.");
        int vocabulary = Decoder.Config.Vocabulary;
        foreach (int token in options.Sampling.Bias?.Keys ?? [])
            if ((uint)token >= (uint)vocabulary)
                throw new ModelException("ASH0353",
                    $"a bias is given for token {token}, which is not of the vocabulary of {vocabulary} tokens.",
                    "pass ids that the model's own tokenizer gave.");
        return Tokens(prompt, options, text, progress, cancellation);
    }

    IEnumerable<GeneratedToken> Tokens(ReadOnlyMemory<int> prompt, GenerationOptions options, TextState? given,
        IProgress<int>? progress, CancellationToken cancellation)
    {
        var state = given ?? Engine.NewText((int)Math.Min(Engine.MostTokens, prompt.Length + (long)options.MostTokens));
        try
        {
            int known = KnownTokens(state, prompt.Span);
            state.Truncate(known);
            var chooser = new TokenChooser(Decoder.Config.Vocabulary, options, prompt);
            Engine.Read(state, prompt.Span[known..], chooser.Use, progress, cancellation);
            var decoder = files?.Tokenizer.Decoder(skipSpecial: true, continues: HasText(prompt.Span));
            var stops = new StopTexts(options.Stop);
            for (int made = 1; ; made++)
            {
                int token = chooser.Token;
                bool isEnd = !options.IgnoreEnd && Special.Stop.Contains(token), isFound = false;
                // Embeddings may be padded with tokens that the tokenizer does not have: they have no text.
                string piece = isEnd || decoder is null || !files!.Tokenizer.Has(token)
                    ? ""
                    : stops.Add(decoder.Add(token), out isFound);
                var finish = isEnd || isFound ? FinishReason.Stop
                    : made == options.MostTokens || state.Count >= Engine.MostTokens ? FinishReason.Length : (FinishReason?)null;
                if (finish is not null && !isFound && decoder is not null)
                    piece += stops.Add(decoder.Finish(), out isFound) + (isFound ? "" : stops.Rest());
                yield return new(token, piece, chooser.LogProbability, chooser.Likeliest, finish);
                if (finish is not null) yield break;
                cancellation.ThrowIfCancellationRequested();
                chooser.Step(token);
                Engine.Read(state, new ReadOnlySpan<int>(in token), chooser.Use, cancellation: cancellation);
            }
        }
        finally
        {
            if (given is null) state.Dispose();
        }
    }

    /// <summary>Closes the files. Texts must have ended.</summary>
    public void Dispose()
    {
        Task.WhenAny(Preparing).Wait();
        Engine.Dispose();
        Decoder.Dispose();
    }

    // Behind nothing but signs, such as that of the begin, a text begins: its first blank is not shown.
    bool HasText(ReadOnlySpan<int> prompt)
    {
        foreach (int token in prompt)
            if (!Tokenizer.IsSpecial(token)) return true;
        return false;
    }

    string? NameOf(int? token) => token is { } id ? Tokenizer.Name(id) : null;

    /// <summary>How many tokens of a prompt are in a text already and need not be read; the last one is read anyway, for its
    /// logits.</summary>
    internal static int KnownTokens(TextState text, ReadOnlySpan<int> prompt)
    {
        int count = 0;
        while (count < text.Count && count < prompt.Length - 1 && text.Tokens[count] == prompt[count]) count++;
        return count;
    }

    static TokenizerFiles? ReadTokenizer(string path)
    {
        string folder = Directory.Exists(path) ? path : System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        string from = Directory.Exists(path) || Gguf.IsOne(path) ? path : folder;
        if (from == folder && !ModelTokenizer.IsIn(folder)) return null;
        if (from != folder)
        {
            using var file = Gguf.Open(from);
            if (!file.Metadata.Has("tokenizer.ggml.tokens")) return null;
        }
        return ModelTokenizer.Load(from);
    }

    // Some tokenizers name tokens that no embedding has, and that no text becomes.
    static bool Pads(Tokenizer tokenizer, int vocabulary)
    {
        for (int token = vocabulary; token < tokenizer.VocabularySize; token++)
            if (tokenizer.Has(token) && !tokenizer.IsSpecial(token)) return false;
        return true;
    }

    // Chooses a token out of logits while they are there.
    sealed class TokenChooser
    {
        readonly GenerationOptions options;
        readonly Sampler sampler;
        readonly Random random;
        readonly List<int> all;
        readonly int promptLength;

        public TokenChooser(int vocabulary, GenerationOptions options, ReadOnlyMemory<int> prompt)
        {
            this.options = options;
            sampler = new(vocabulary);
            random = options.Seed is { } seed ? new(unchecked((int)(seed ^ seed >> 32))) : new();
            all = [.. prompt.Span];
            promptLength = prompt.Length;
            Use = Choose;
        }

        public LogitsReader Use { get; }

        public int Token { get; private set; }

        public double? LogProbability { get; private set; }

        public IReadOnlyList<(int, double)> Likeliest { get; private set; } = [];

        public void Step(int token) => all.Add(token);

        void Choose(ReadOnlySpan<float> logits)
        {
            var text = CollectionsMarshal.AsSpan(all);
            Token = sampler.Sample(logits, options.Sampling, random.NextDouble(), text, text[promptLength..]);
            if (!float.IsFinite(logits[Token]))
                throw new ModelException("ASH0352", $"the model gave a logit of {logits[Token]} for token {Token}.",
                    "the weights are damaged, or a product overflowed; try another encoding of the weights.");
            if (options.LogProbabilities is not { } count) return;
            LogProbability = Sampler.LogProbability(logits, Token);
            Likeliest = count == 0 ? [] : Sampler.Likeliest(logits, count);
        }
    }
}
