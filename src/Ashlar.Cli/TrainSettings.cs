using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Training;
using Rates = Ashlar.NN.Schedule;

namespace Ashlar.Cli;

/// <summary>How text becomes tokens.</summary>
enum TokenizerKind
{
    /// <summary>One token per character of the text.</summary>
    Char,
    /// <summary>One token per byte.</summary>
    Byte,
    /// <summary>Byte-pair encoding, learned from the text.</summary>
    Bpe,
}

/// <summary>What moves the weights.</summary>
enum OptimizerKind
{
    /// <summary>AdamW.</summary>
    AdamW,
    /// <summary>Muon for matrices, AdamW for the rest.</summary>
    Muon,
    /// <summary>Lion.</summary>
    Lion,
    /// <summary>SGD with momentum.</summary>
    Sgd,
    /// <summary>Adafactor.</summary>
    Adafactor,
}

/// <summary>How the learning rate changes.</summary>
enum ScheduleKind
{
    /// <summary>Falls along half a cosine to a tenth.</summary>
    Cosine,
    /// <summary>Stays, and falls to 0 over the last fifth.</summary>
    Wsd,
    /// <summary>Stays.</summary>
    Constant,
}

/// <summary>What products are computed in.</summary>
enum ProductKind
{
    /// <summary>float32.</summary>
    F32,
    /// <summary>Operands rounded to bfloat16, sums in float32; weights stay float32.</summary>
    BF16,
}

/// <summary>All that <c>ashlar train</c> needs to begin a training, or to go on with it as if it had never stopped.</summary>
sealed record TrainSettings
{
    public required string Text { get; init; }

    public TokenizerKind Tokenizer { get; init; } = TokenizerKind.Char;

    public int? Vocabulary { get; init; }

    public int Layers { get; init; } = 6;

    public int Width { get; init; } = 384;

    public int Heads { get; init; } = 6;

    public int Context { get; init; } = 256;

    public bool Modern { get; init; }

    public double Dropout { get; init; }

    public int Batch { get; init; } = 16;

    public int Accumulate { get; init; } = 1;

    public long Steps { get; init; } = 5000;

    public OptimizerKind Optimizer { get; init; } = OptimizerKind.AdamW;

    public double LearningRate { get; init; } = 1e-3;

    public ScheduleKind Schedule { get; init; } = ScheduleKind.Cosine;

    public long Warmup { get; init; } = 100;

    public double Decay { get; init; } = 0.1;

    public double Clip { get; init; } = 1;

    public double Validation { get; init; } = 0.1;

    public long EvaluateEvery { get; init; } = 250;

    public long SaveEvery { get; init; } = 250;

    public long Seed { get; init; } = 1;

    public ProductKind Dtype { get; init; }

    const string Name = "training.json";

    static readonly JsonSerializerOptions json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    /// <summary>True where a training was begun in a folder.</summary>
    public static bool Exist(string folder) => File.Exists(Path.Combine(folder, Name));

    /// <summary>Reads what a training was begun with.</summary>
    /// <exception cref="TrainingException">The folder holds none.</exception>
    public static TrainSettings Load(string folder)
    {
        string path = Path.Combine(folder, Name);
        try
        {
            var settings = JsonSerializer.Deserialize<TrainSettings>(File.ReadAllBytes(path), json);
            return settings ?? throw new JsonException("it is empty");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException("ASH0507",
                $"there is no training in {folder} to resume: {problem.Message.TrimEnd('.')}.",
                "name the --out of a training that was begun, or begin one with --text.");
        }
        catch (JsonException problem)
        {
            throw new TrainingException("ASH0507",
                $"{path} cannot be read: {problem.Message.TrimEnd('.')}.", "put back the file, or begin anew in another folder.");
        }
    }

    /// <summary>Writes the settings.</summary>
    /// <exception cref="ModelFileException">The folder cannot be written to.</exception>
    public void Save(string folder)
    {
        string text = JsonSerializer.Serialize(this, json) + "\n";
        AtomicFile.Write(Path.Combine(folder, Name), Encoding.UTF8.GetBytes(text));
    }

    /// <summary>The config of the model.</summary>
    /// <param name="vocabulary">Tokens of the tokenizer.</param>
    public GptConfig Config(int vocabulary)
    {
        var config = new GptConfig
        {
            Vocabulary = vocabulary,
            Layers = Layers,
            Width = Width,
            Heads = Heads,
            Context = Context,
            Dropout = Dropout,
            DropoutSeed = Seed,
        };
        return Modern ? config.Modern() : config;
    }

    /// <summary>The learning rate over the steps.</summary>
    /// <param name="peak">Its greatest value.</param>
    public Rates LearningRates(double peak) => Schedule switch
    {
        ScheduleKind.Cosine => Rates.Cosine(peak, Steps, Warmup, peak / 10),
        ScheduleKind.Wsd => Rates.Wsd(peak, Steps, Warmup, Math.Min(Steps / 5, Steps - Warmup)),
        _ => Rates.Wsd(peak, Steps, Warmup, 0),
    };

    /// <summary>An optimizer of a model's weights.</summary>
    public Optimizer MakeOptimizer(Weights weights) => Optimizer switch
    {
        OptimizerKind.AdamW => new AdamW(weights, LearningRates(LearningRate), beta2: 0.99, decay: Decay),
        OptimizerKind.Muon => new Muon(weights, LearningRates(LearningRate), LearningRates(LearningRate / 10), decay: Decay),
        OptimizerKind.Lion => new Lion(weights, LearningRates(LearningRate), decay: Decay),
        OptimizerKind.Adafactor => new Adafactor(weights, LearningRates(LearningRate)),
        _ => new Sgd(weights, LearningRates(LearningRate), momentum: 0.9),
    };
}
