// Gradients: they are tensors of the same graph, so they can be differentiated again.          dotnet run samples/gradients.cs
#:project ../src/Ashlar.Tensors
#:project ../src/Ashlar.Backends.Cpu
#:property PublishAot=false

using Ashlar;
using Ashlar.Backends.Cpu;

Device.Use(new CpuBackend());

Title("A function and its first three derivatives at 0.5: each is the gradient of the one before");
var x = Tensor.Of(0.5f);
var y = (x * x).Sin();
for (int order = 0; order <= 3; order++)
{
    Console.WriteLine($"  order {order}: {y.Item<float>(),9:F5}");
    y = y.Gradient(x);
}

Title("Newton's method on Rosenbrock's valley: gradient and Hessian are built, not written by hand");
var point = Tensor.From([-1.2f, 1f]);
for (int step = 0; step < 7; step++)
{
    var at = point;
    var valley = (1 - at[0]).Square() + 100 * (at[1] - at[0].Square()).Square();
    var gradient = valley.Gradient(at);
    var hessian = Tensor.Stack([gradient[0].Gradient(at), gradient[1].Gradient(at)]);
    float[,] h = hessian.ToArray2D<float>();
    float[] p = at.ToArray<float>(), g = gradient.ToArray<float>();
    Console.WriteLine($"  step {step}: ({p[0],8:F4}, {p[1],8:F4})   value {valley.Item<float>():G4}");
    double determinant = (double)h[0, 0] * h[1, 1] - (double)h[0, 1] * h[1, 0];
    point = Tensor.From([
        (float)(p[0] - (h[1, 1] * (double)g[0] - h[0, 1] * (double)g[1]) / determinant),
        (float)(p[1] - (h[0, 0] * (double)g[1] - h[1, 0] * (double)g[0]) / determinant)]);
}

Title("Forward mode: how a softmax moves when one logit does");
var logits = Tensor.From([1f, 2f, 3f]);
Console.WriteLine(Indented(logits.Softmax().Jvp(logits, Tensor.From([0f, 0f, 1f])).ToString()));

Title("A gradient of one's own: rounding that lets gradients pass");
Tensor Round(Tensor t) => Tensor.CustomGradient(inputs => inputs[0].Round(), (dy, _, _) => [dy], [t], "round");
var weights = Tensor.From([0.2f, 1.7f, -2.6f]);
Console.WriteLine($"  plain:    {Row(weights.Round().Sum().Gradient(weights))}");
Console.WriteLine($"  straight: {Row(Round(weights).Sum().Gradient(weights))}");

Title("Checkpoints: the same gradient, with the inside computed again instead of kept");
Tensor Block(Tensor[] t) => t[0].Tanh().Square().Exp();
var input = Tensor.Linspace(-1, 1, 4);
Console.WriteLine($"  kept:       {Row(Block([input]).Sum().Gradient(input))}");
Console.WriteLine($"  recomputed: {Row(Tensor.Checkpoint(Block, input).Sum().Gradient(input))}");

static void Title(string text) => Console.WriteLine($"\n\e[1m{text}\e[0m");

static string Row(Tensor x) => string.Join("  ", x.ToArray<float>().Select(value => $"{value,8:F4}"));

static string Indented(string text) => "    " + text.Replace("\n", "\n    ");
