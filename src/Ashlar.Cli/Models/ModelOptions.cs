using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tokenizers;

namespace Ashlar.Cli;

/// <summary>The options that every verb over a downloaded model has: how weights and cache are kept.</summary>
sealed class ModelOptions
{
    /// <summary>Matrices of floats become these.</summary>
    public Option<string?> Weights { get; } = Choice("--weights",
        "Keep float matrices of the file as: bf16, f16, int8, int4. Default: as the file has them.", "bf16", "f16",
        "int8", "int4");

    /// <summary>Keys and values are these.</summary>
    public Option<string?> Cache { get; } = Choice("--cache",
        "Keep keys and values as: bf16, int8, f32. Default: bf16; f32 for float32 models.", "bf16", "int8", "f32");

    /// <summary>Tokens of the cache.</summary>
    public Option<int?> Context { get; } = new("--context")
    {
        Description = "Tokens that the cache holds. Default: what the text needs, or 4096 for a chat.",
        HelpName = "tokens",
    };

    /// <summary>Packed weights are kept in a file.</summary>
    public Option<string?> KeepPacked { get; } = new("--keep-packed")
    {
        Description =
            "Keep packed weights in a file, beside the model or in this folder: the next start maps it instead of packing.",
        HelpName = "folder",
        Arity = ArgumentArity.ZeroOrOne,
    };

    /// <summary>A template in place of the model's.</summary>
    public Option<FileInfo> Template { get; } = new Option<FileInfo>("--template")
    {
        Description = "A chat template (Jinja) in place of the model's own.",
        HelpName = "file",
    }.AcceptExistingOnly();

    public ModelOptions() => Context.Validators.Add(result =>
    {
        if (!result.Errors.Any() && result.GetValue(Context) is { } value and < 1)
            result.AddError($"--context must be at least 1, and {value} is not.");
    });

    /// <summary>Opens a model behind a progress bar.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="path">The model.</param>
    /// <param name="context">Tokens that are needed, where the command line does not say.</param>
    /// <param name="quiet">Draws nothing.</param>
    /// <param name="cancellation">Stops loading.</param>
    /// <param name="texts">Texts that are read side by side.</param>
    /// <param name="prompt">Tokens of the first prompt, where they are known.</param>
    /// <param name="tokenizer">The model's tokenizer, where it is read already.</param>
    public LanguageModel Open(ParseResult parsed, string path, int? context, bool quiet, CancellationToken cancellation,
        int texts = 1, int? prompt = null, TokenizerFiles? tokenizer = null)
    {
        var encoding = parsed.GetValue(Weights) switch
        {
            "bf16" => WeightEncoding.BF16,
            "f16" => WeightEncoding.F16,
            "int8" => WeightEncoding.Int8(),
            "int4" => WeightEncoding.Int4(),
            _ => null,
        };
        var cache = parsed.GetValue(Cache) switch
        {
            "int8" => DType.Int8,
            "f32" => DType.Float32,
            "bf16" => DType.BFloat16,
            _ => (DType?)null,
        };
        string? template = parsed.GetValue(Template) is { } file ? File.ReadAllText(file.FullName) : null;
        var engine = new EngineOptions(cache, parsed.GetValue(Context) ?? context, texts) { IsBound = true };
        LanguageModel? model = null;
        var notices = new List<string>();
        var keep = parsed.GetResult(KeepPacked) is { Implicit: false }
            ? new WeightCache(parsed.GetValue(KeepPacked), notices.Add)
            : null;
        void Load(IProgress<double>? progress) =>
            model = LanguageModel.Load(path,
                new(new(encoding, progress, cancellation) { Cache = keep }, engine, template, prompt, tokenizer));
        if (quiet || Console.IsErrorRedirected) Load(null);
        else Screen.On(Console.Error).WithProgress("loading", Load);
        foreach (string notice in notices) parsed.InvocationConfiguration.Error.WriteLine(notice);
        return model!;
    }

    static Option<string?> Choice(string name, string description, params string[] choices)
    {
        var option = new Option<string?>(name) { Description = description, HelpName = string.Join('|', choices) };
        option.AcceptOnlyFromAmong(choices);
        return option;
    }
}

/// <summary>The options of sampling, which generate and chat share.</summary>
sealed class SamplingChoices
{
    public Option<float> Temperature { get; } = Number("--temperature",
        "0 takes the likeliest token each time; 1 draws as the model learned; more is wilder. What is not given, generation_config.json says where the model has one.", 0.8f);
    public Option<int> TopK { get; } = Number("--top-k", "Draw among so many of the likeliest tokens; 0: all.", 0);
    public Option<float> TopP { get; } =
        Number("--top-p", "Draw among the likeliest tokens that together have this share of the probability.", 1f);
    public Option<float> MinP { get; } =
        Number("--min-p", "Draw among tokens at least so likely as this share of the likeliest.", 0f);
    public Option<float> Typical { get; } =
        Number("--typical", "Draw among the most typical tokens that together have this share of the probability.", 1f);
    public Option<float> Repetition { get; } =
        Number("--repetition-penalty", "Make tokens that came before less likely; 1: not.", 1f);
    public Option<float> Presence { get; } =
        Number("--presence-penalty", "Subtract this from the logits of tokens that were generated before.", 0f);
    public Option<float> Frequency { get; } =
        Number("--frequency-penalty", "Subtract this from the logits of tokens, as often as they were generated before.", 0f);
    public Option<Dictionary<int, float>?> Bias { get; } = new("--logit-bias")
    {
        Description = "Add to the logit of a token, such as 13=-2.5; 13=-inf rules it out. May be given several times.",
        HelpName = "token=number",
        CustomParser = ParseBias,
    };
    public Option<long?> Seed { get; } = new("--seed")
    {
        Description = "Equal seeds give equal texts. Default: 0.",
        HelpName = "number",
    };

    public SamplingChoices()
    {
        Check(Temperature, value => value is >= 0 and < float.PositiveInfinity, "must be 0 or more");
        Check(TopK, value => value >= 0, "must be 0, for all, or more");
        Check(TopP, value => value is > 0 and <= 1, "must be above 0 and at most 1");
        Check(MinP, value => value is >= 0 and <= 1, "must be from 0 to 1");
        Check(Typical, value => value is > 0 and <= 1, "must be above 0 and at most 1");
        Check(Repetition, value => value is > 0 and < float.PositiveInfinity, "must be above 0");
        Check(Presence, float.IsFinite, "must be a number");
        Check(Frequency, float.IsFinite, "must be a number");
    }

    public IReadOnlyList<Option> All => [Temperature, TopK, TopP, MinP, Typical, Repetition, Presence, Frequency, Bias, Seed];

    /// <summary>What the command line says.</summary>
    public SamplingOptions Of(ParseResult parsed) =>
        new(parsed.GetValue(Temperature), parsed.GetValue(TopK), parsed.GetValue(TopP))
        {
            MinP = parsed.GetValue(MinP),
            TypicalP = parsed.GetValue(Typical),
            RepetitionPenalty = parsed.GetValue(Repetition),
            PresencePenalty = parsed.GetValue(Presence),
            FrequencyPenalty = parsed.GetValue(Frequency),
            Bias = parsed.GetValue(Bias),
        };

    /// <summary>What the command line says, and where it says nothing what the model's makers advise.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="model">The model.</param>
    /// <param name="output">Told what of that advice is not done.</param>
    public SamplingOptions Of(ParseResult parsed, LanguageModel model, TextWriter output)
    {
        if (model.Defaults is not { } defaults) return Of(parsed);
        if (defaults.NotDone.Count > 0)
            output.WriteLine($"generation_config.json asks for {string.Join(", ", defaults.NotDone)}, which is not done here.");
        var advised = defaults.Sampling;
        return Of(parsed) with
        {
            Temperature = Given(Temperature) ? parsed.GetValue(Temperature) : advised.Temperature,
            TopK = Given(TopK) ? parsed.GetValue(TopK) : advised.TopK,
            TopP = Given(TopP) ? parsed.GetValue(TopP) : advised.TopP,
            MinP = Given(MinP) ? parsed.GetValue(MinP) : advised.MinP,
            TypicalP = Given(Typical) ? parsed.GetValue(Typical) : advised.TypicalP,
            RepetitionPenalty = Given(Repetition) ? parsed.GetValue(Repetition) : advised.RepetitionPenalty,
        };

        bool Given(Option option) => parsed.GetResult(option) is { Implicit: false };
    }

    static Dictionary<int, float> ParseBias(ArgumentResult result)
    {
        var bias = new Dictionary<int, float>();
        foreach (string word in result.Tokens.Select(token => token.Value))
        {
            string[] parts = word.Split('=');
            if (parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int token)
                && Added(parts[1]) is { } added) bias[token] = added;
            else result.AddError($"--logit-bias takes a token and a number such as 13=-2.5, and '{word}' is not that.");
        }
        return bias;

        static float? Added(string text) => text == "-inf" ? float.NegativeInfinity
            : float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float number) && float.IsFinite(number)
            ? number
            : null;
    }

    static Option<T> Number<T>(string name, string description, T usual) =>
        new(name) { Description = description, HelpName = "number", DefaultValueFactory = _ => usual };

    static void Check<T>(Option<T> option, Func<T, bool> holds, string rule) => option.Validators.Add(result =>
    {
        if (!result.Errors.Any() && result.GetValue(option) is { } value && !holds(value))
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} {rule}, and {value} is not."));
    });
}
