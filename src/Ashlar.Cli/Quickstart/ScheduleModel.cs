using System.Text;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Training;

namespace Ashlar.Cli.Quickstart;

/// <summary>How the quickstart trains. What begins here is its full run; <see cref="Quick"/> is one of seconds.</summary>
sealed record ScheduleRecipe
{
    /// <summary>Updates.</summary>
    public long Steps { get; init; } = 2000;

    /// <summary>Examples of a batch.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Tokens of a row in training; few examples are longer.</summary>
    public int RowTokens { get; init; } = 40;

    /// <summary>Tokens that the model can look back on.</summary>
    public int Context { get; init; } = 96;

    /// <summary>Tokens: 256 bytes, and the words of the grammar.</summary>
    public int Vocabulary { get; init; } = 640;

    /// <summary>Examples that the tokenizer is learned from.</summary>
    public int VocabularyExamples { get; init; } = 20_000;

    /// <summary>Blocks of the transformer.</summary>
    public int Layers { get; init; } = 3;

    /// <summary>Numbers per token between blocks.</summary>
    public int Width { get; init; } = 128;

    /// <summary>Attention heads.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>The greatest learning rate of the matrices (Muon).</summary>
    public double MatrixRate { get; init; } = 0.02;

    /// <summary>The greatest learning rate of all others (Adam).</summary>
    public double Rate { get; init; } = 3e-3;

    /// <summary>Held-out examples of each kind that are answered at the end.</summary>
    public int HeldOut { get; init; } = 2000;

    /// <summary>A run of seconds, for tests: it shows that everything works, not that anything was learned.</summary>
    public static ScheduleRecipe Quick { get; } = new()
    {
        Steps = 10,
        BatchSize = 8,
        Vocabulary = 400,
        VocabularyExamples = 1000,
        Layers = 1,
        Width = 32,
        Heads = 2,
        HeldOut = 64,
    };
}

/// <summary>A transformer that reads descriptions of schedules and writes cron expressions.</summary>
sealed class ScheduleModel
{
    const int Together = 64;               // held-out examples in one batch
    const int LongestAnswer = 32;          // tokens

    readonly Decoding decoding;
    readonly Func<Tensor, Tensor> likeliest;

    /// <summary>A model that was trained, or will be.</summary>
    public ScheduleModel(Gpt model, Weights weights, ScheduleCodec codec)
    {
        (Model, Weights, Codec) = (model, weights, codec);
        decoding = new(model);
        likeliest = Compiled.Function((Tensor tokens) => model.Forward(tokens).ArgMax(-1));
    }

    /// <summary>The transformer.</summary>
    public Gpt Model { get; }

    /// <summary>Its parameters.</summary>
    public Weights Weights { get; }

    /// <summary>Text to tokens.</summary>
    public ScheduleCodec Codec { get; }

    /// <summary>A model with random weights.</summary>
    public static ScheduleModel Make(ScheduleRecipe recipe, ScheduleCodec codec, long seed)
    {
        var weights = Weights.Random(seed);
        var config = new GptConfig
        {
            Vocabulary = codec.Tokenizer.VocabularySize,
            Layers = recipe.Layers,
            Width = recipe.Width,
            Heads = recipe.Heads,
            Context = recipe.Context,
        };
        return new(new(weights, config.Modern()), weights, codec);
    }

    /// <summary>A trainer of this model.</summary>
    /// <param name="recipe">How.</param>
    /// <param name="peakFlopsPerSecond">Of the machine; null: unknown.</param>
    public Trainer Trainer(ScheduleRecipe recipe, double? peakFlopsPerSecond)
    {
        long warmup = Math.Max(1, recipe.Steps / 20);
        Schedule Rates(double peak) => Schedule.Cosine(peak, recipe.Steps, warmup);
        Tensor LossOf(Tensor tokens, Tensor targets, Tensor? dropoutKey) =>
            Loss.CrossEntropy(Model.Forward(tokens), targets, ignore: IBatches.Ignored);
        return new(Weights, new Muon(Weights, Rates(recipe.MatrixRate), Rates(recipe.Rate)), LossOf, new()
        {
            Steps = recipe.Steps,
            EvaluateEvery = null,
            FlopsPerToken = Model.Config.TrainingFlopsPerToken(recipe.RowTokens),
            PeakFlopsPerSecond = peakFlopsPerSecond,
        });
    }

    /// <summary>The cron expression of a description, as the model has it; any text, where it was trained too little.</summary>
    public string Answer(string english)
    {
        var text = new StringBuilder();
        var decoder = Codec.Tokenizer.Decoder();
        int[] prompt = Codec.Prompt(ScheduleData.Normalise(english));
        foreach (int token in decoding.Generate(prompt, LongestAnswer, new(Temperature: 0), isLast: token => token == Codec.End))
            if (token != Codec.End) text.Append(decoder.Add(token));
        return text.Append(decoder.Finish()).ToString().Trim();
    }

    /// <summary>The share of held-out examples whose expression the model writes without a single wrong token.</summary>
    /// <param name="portion">Which of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="seed">Which random numbers.</param>
    /// <remarks>
    /// The model reads the right expression and is asked at each of its tokens for the next. It writes that expression by itself,
    /// taking the likeliest token each time, exactly when every one of these is right; so one forward pass tells, for many
    /// examples side by side.
    /// </remarks>
    public double ExactMatch(Portion portion, int count, long seed)
    {
        int length = Model.Config.Context, right = 0;
        var tokens = new int[Together * length];
        long number = 0;
        for (int done = 0; done < count; done += Together)
        {
            Array.Fill(tokens, Codec.End);
            var examples = new (int[] Tokens, int Given)[Math.Min(Together, count - done)];
            for (int i = 0; i < examples.Length; i++) examples[i] = Codec.Encode(ScheduleData.Draw(seed, ref number, portion));
            for (int row = 0; row < examples.Length; row++)
            {
                int[] text = examples[row].Tokens;
                text.AsSpan(0, Math.Min(text.Length, length)).CopyTo(tokens.AsSpan(row * length));
            }
            right += likeliest(Tensor.From<int>(tokens, [Together, length])).Read((ReadOnlySpan<int> best) =>
            {
                int all = 0;
                for (int row = 0; row < examples.Length; row++)
                {
                    var (text, given) = examples[row];
                    bool fits = text.Length <= length;
                    for (int i = given; fits && i < text.Length; i++) fits = best[row * length + i - 1] == text[i];
                    if (fits) all++;
                }
                return all;
            });
        }
        return (double)right / count;
    }
}
