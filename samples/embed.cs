// Embeddings: which of these sentences is nearest to the question? An encoder turns each into a vector.
// dotnet run -c Release samples/embed.cs MODEL [question]     (such as the folder of all-MiniLM-L6-v2, or a GGUF file of it)
#:project ../src/Ashlar.Serving
#:project ../src/Ashlar.Backends.Cpu
#:property PublishAot=false

using Ashlar;
using Ashlar.Backends.Cpu;
using Ashlar.Serving;
using Microsoft.Extensions.AI;

Device.Use(new CpuBackend());
if (args.Length == 0)
{
    Console.Error.WriteLine("which model? dotnet run -c Release samples/embed.cs MODEL [question]");
    return 1;
}
using var generator = LocalEmbeddingGenerator.Open(args[0]);

string question = args.Length > 1 ? args[1] : "How do I keep bread fresh?";
string[] sentences =
[
    "Put the loaf into a linen bag, and never into the fridge.",
    "The train to Ulm leaves at half past eight.",
    "Granite is harder than marble.",
    "Old rolls become soft again in steam.",
];
var asked = await generator.GenerateVectorAsync(question);
Console.WriteLine(question);
foreach (var (sentence, embedding) in (await generator.GenerateAndZipAsync(sentences))
    .OrderByDescending(pair => Likeness(pair.Embedding)))
    Console.WriteLine($"  {Likeness(embedding):F3}  {sentence}");
return 0;

// The cosine of the angle between the two: 1 where they point the same way.
double Likeness(Embedding<float> embedding)
{
    ReadOnlySpan<float> a = asked.Span, b = embedding.Vector.Span;
    double product = 0, lengthA = 0, lengthB = 0;
    for (int i = 0; i < a.Length; i++)
        (product, lengthA, lengthB) = (product + a[i] * b[i], lengthA + a[i] * a[i], lengthB + b[i] * b[i]);
    return product / Math.Sqrt(lengthA * lengthB);
}
