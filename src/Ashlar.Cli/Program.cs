using System.Text;
using Ashlar;
using Ashlar.Backends.Cpu;
using Ashlar.Bench;
using Ashlar.Cli;
using Ashlar.Serving;

bool isTyping = !Console.IsInputRedirected && !Console.IsOutputRedirected;

// One file per verb; this list is the command line.
return await CommandLine.Run(
[
    QuickstartCommand.Define(Console.In, isTyping, Prepare),
    TrainCommand.Define(Prepare),
    GenerateCommand.Define(UseCpu),
    ChatCommand.Define(UseCpu),
    InspectCommand.Define(),
    ConvertCommand.Define(),
    QuantizeCommand.Define(MeasurePerplexity),
    KernelCommand.Define(() => Prepare()),
    TokenizeCommand.Define(),
    DetokenizeCommand.Define(),
    EnvCommand.Define(),
    BenchCommand.Define(CpuStage.Make, llm: LlmBenchCommand.Define(UseCpu)),
], args);

static double MeasurePerplexity(string model, string text, CancellationToken cancellation)
{
    UseCpu();
    string read = Encoding.UTF8.GetString(TokenizeCommand.ReadText(text));
    using var language =
        LanguageModel.Load(model, new(Engine: new(Context: 512, MostTexts: 1), Load: new(Cancellation: cancellation)));
    return Perplexity.Of(language, read, cancellation);
}

static void UseCpu() => Device.Use(new CpuBackend());

// The device of all verbs that run models, and the peak that their speed is compared with.
static double? Prepare()
{
    Device.Use(new CpuBackend());
    var limits = new Limits(Isa.Chosen);
    return 1e9 * Enumerable.Range(0, 5).Select(_ => limits.Sample(Limit.Fma, limits.Threads)).Order().ElementAt(2);
}
