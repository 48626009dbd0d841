// Tensors: creating, computing, indexing, reducing, printing.          dotnet run samples/tensors.cs
#:project ../src/Ashlar.Tensors
#:project ../src/Ashlar.Backends.Cpu
#:property PublishAot=false

using Ashlar;
using Ashlar.Backends.Cpu;

Device.Use(new CpuBackend());

Title("A tensor is a recipe until somebody reads it; then the whole expression is one program");
var celsius = Tensor.Linspace(-10, 30, 5);
var fahrenheit = celsius * 9 / 5 + 32;
Show("celsius", celsius);
Show("fahrenheit", fahrenheit);

Title("Shapes broadcast, element types promote, numbers never widen");
var rows = Tensor.Arange(3).Unsqueeze(1);
var columns = Tensor.Arange(4);
Show("rows * 10 + columns", rows * 10 + columns);
Show("an integer over an integer", rows / 2);

Title("Indexing with C# ranges; a copy with a part replaced");
var table = Tensor.Arange(12).Reshape(3, 4);
Show("table[^1, 1..3]", table[^1, 1..3]);
Show("table[.., 2]", table[.., 2]);
Show("every second column, backwards", table[.., AxisIndex.Every(.., -2)]);
Show("table.With(0, 1)", table.With(0, 1));

Title("Statistics of random numbers: a seed gives the same ones on every device");
var sample = Tensor.RandomNormal(seed: 7, 1000);
Console.WriteLine(
    $"  mean {sample.Mean().Item<float>():F3}, deviation {sample.StandardDeviation().Item<float>():F3}, largest {sample.Abs().Max().Item<float>():F3}");
var (largest, where) = sample.TopK(3);
Show("the three largest", largest);
Show("and where they are", where);

Title("Products by name of axis");
var queries = Tensor.Random(seed: 1, 2, 3, 4);
var keys = Tensor.Random(seed: 2, 2, 5, 4);
Show("einsum bqd,bkd->bqk, softmax over k", Tensor.Einsum("bqd,bkd->bqk", queries, keys).Softmax());

Title("A convolution finds edges");
var picture = Tensor.Zeros(1, 1, 6, 8).With(1.0, 0, 0, 1..5, 2..6);
var edge = Tensor.From([1f, 0, -1, 2, 0, -2, 1, 0, -1], [1, 1, 3, 3]);
Draw(picture[0, 0]);
Console.WriteLine("  vertical edges:");
Draw(picture.Conv2d(edge, padding: 1)[0, 0].Abs());

Title("Mistakes say what, where and how to mend it");
try
{
    _ = Tensor.Zeros(3, 4) + Tensor.Zeros(3);
}
catch (ShapeException error)
{
    Console.WriteLine(Indented(error.Message));
}

static void Title(string text) => Console.WriteLine($"\n\e[1m{text}\e[0m");

static void Show(string name, Tensor x) => Console.WriteLine($"  {name}:\n{Indented(x.ToString())}");

static string Indented(string text) => "    " + text.ReplaceLineEndings("\n").Replace("\n", "\n    ");

static void Draw(Tensor matrix)
{
    float[,] values = matrix.ToArray2D<float>();
    float greatest = matrix.Max().Item<float>();
    for (int row = 0; row < values.GetLength(0); row++)
    {
        Console.Write("    ");
        for (int column = 0; column < values.GetLength(1); column++)
            Console.Write(new string(" ░▒▓█"[(int)(values[row, column] / greatest * 4)], 2));
        Console.WriteLine();
    }
}
