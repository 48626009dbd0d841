// Train: a small transformer learns a text, character by character, and goes on with it. Without a file it learns this program.
// dotnet run -c Release samples/train.cs [text file]
#:project ../src/Ashlar.Models
#:project ../src/Ashlar.Tokenizers
#:project ../src/Ashlar.Backends.Cpu
#:property PublishAot=false

using System.Diagnostics;
using System.Runtime.CompilerServices;
using Ashlar;
using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tokenizers;

Device.Use(new CpuBackend());

const int Batch = 16, Context = 64, Steps = 400;
string text = File.ReadAllText(args.Length > 0 ? args[0] : ThisFile());
var tokenizer = CharacterTokenizer.From(text);
int[] tokens = tokenizer.Encode(text);

var config = new GptConfig { Vocabulary = tokenizer.VocabularySize, Layers = 2, Width = 64, Heads = 4, Context = Context };
var weights = Weights.Random(seed: 42);
var model = new Gpt(weights, config.Modern());
var optimizer = new AdamW(weights, learningRate: Schedule.Cosine(peak: 3e-3, steps: Steps, warmup: 40));

// Gradients are values, so the whole step is one compiled program: recorded once, replayed each time.
var step = Compiled.Step((Tensor inputs, Tensor targets) =>
{
    var loss = Loss.CrossEntropy(model.Forward(inputs), targets);
    optimizer.Update(loss.Gradient(weights));
    return loss;
});

Console.WriteLine($"{weights.ParameterCount:N0} parameters learn {tokens.Length:N0} characters\n");
var random = new Random(1);
var watch = Stopwatch.StartNew();
for (int i = 1; i <= Steps; i++)
{
    var (inputs, targets) = NextBatch();
    float loss = step(inputs, targets).Item<float>();
    if (i == 1 || i % 50 == 0)
        Console.WriteLine($"  step {i,4}   loss {loss:F3}   {i * Batch * Context / watch.Elapsed.TotalSeconds:N0} tokens/s");
}

Console.WriteLine("\nIt goes on from \"var \":\n");
Console.Write("var ");
foreach (int token in new Decoding(model).Generate(tokenizer.Encode("var "), 400, new(Temperature: 0.5f), seed: 1))
    Console.Write(tokenizer.Decode([token]));
Console.WriteLine();

// Windows of the text, and as targets the same moved by one.
(Tensor Inputs, Tensor Targets) NextBatch()
{
    var (inputs, targets) = (new int[Batch * Context], new int[Batch * Context]);
    for (int row = 0; row < Batch; row++)
    {
        int start = random.Next(tokens.Length - Context);
        tokens.AsSpan(start, Context).CopyTo(inputs.AsSpan(row * Context));
        tokens.AsSpan(start + 1, Context).CopyTo(targets.AsSpan(row * Context));
    }
    return (Tensor.From<int>(inputs, [Batch, Context]), Tensor.From<int>(targets, [Batch, Context]));
}

static string ThisFile([CallerFilePath] string path = "") => path;
