// Compiled: a training step recorded once and replayed as one program. A small network learns to tell two spirals apart.
// dotnet run samples/compiled.cs
#:project ../src/Ashlar.Tensors
#:project ../src/Ashlar.Backends.Cpu
#:property PublishAot=false

using System.Diagnostics;
using Ashlar;
using Ashlar.Backends.Cpu;

Device.Use(new CpuBackend());

const int Points = 96, Width = 24, Steps = 400;
var (points, labels) = Spirals(Points);

// Weights are states: reads become inputs of the program, assignments are written over the old value in place.
State[] weights =
[
    new("hidden1", Tensor.RandomNormal(1, 2, Width)), new("bias1", Tensor.Zeros(Width)),
    new("hidden2", Tensor.RandomNormal(2, Width, Width) * 0.3), new("bias2", Tensor.Zeros(Width)),
    new("output", Tensor.RandomNormal(3, Width, 2) * 0.3), new("bias3", Tensor.Zeros(2)),
];
State[] means = [.. weights.Select(weight => new State($"{weight.Name}.mean", Tensor.Zeros(weight.Shape, weight.DType)))];
State[] squares = [.. weights.Select(weight => new State($"{weight.Name}.square", Tensor.Zeros(weight.Shape, weight.DType)))];
var count = new State("count", Tensor.Zeros([], DType.Float32));

Tensor Forward(Tensor x)
{
    x = (x.MatMul(weights[0].Value) + weights[1].Value).Tanh();
    x = (x.MatMul(weights[2].Value) + weights[3].Value).Tanh();
    return x.MatMul(weights[4].Value) + weights[5].Value;
}

var step = Compiled.Step((Tensor x, Tensor targets) =>
{
    var loss = Forward(x).CrossEntropy(targets);
    var gradients = loss.Gradient(weights);
    count.Value += 1;
    for (int i = 0; i < weights.Length; i++)   // Adam (Kingma and Ba 2014, arXiv:1412.6980)
    {
        means[i].Value = 0.9 * means[i].Value + 0.1 * gradients[i];
        squares[i].Value = 0.99 * squares[i].Value + 0.01 * gradients[i].Square();
        var mean = means[i].Value / (1 - Tensor.Full([], 0.9).Pow(count.Value));
        var square = squares[i].Value / (1 - Tensor.Full([], 0.99).Pow(count.Value));
        weights[i].Value -= 0.02 * mean / (square.Sqrt() + 1e-8);
    }
    return loss;
});

// A symbolic batch: one recording serves every number of points.
var classify = Compiled.Function((Tensor x) => Forward(x).Softmax()[.., 1], [new Symbol("N"), 2]);

Console.WriteLine($"\n\e[1mA network of 2-{Width}-{Width}-2 learns two spirals of {Points / 2} points each\e[0m\n");
var watch = Stopwatch.StartNew();
for (int i = 0; i <= Steps; i++)
{
    float loss = step(points, labels).Item<float>();
    if (i % 50 == 0) Console.WriteLine($"  step {i,4}   loss {loss:F4}   {new string('▇', (int)(loss * 50))}");
}
var right = ((classify(points) > 0.5).EqualTo(labels.EqualTo(1))).Sum();
Console.WriteLine(
    $"\n  {right.Item<int>()} of {Points} points are right after {watch.Elapsed.TotalSeconds:F1} s; the plane as the network sees it:\n");
Draw();

static (Tensor Points, Tensor Labels) Spirals(int count)
{
    var along = Tensor.Linspace(0.25, 1, count / 2);
    var angle = along * 9;
    var arm = Tensor.Stack([along * angle.Cos(), along * angle.Sin()], axis: 1);
    return (Tensor.Concat([arm, -arm]).Realize(),
        Tensor.Concat([Tensor.Zeros([count / 2], DType.Int32), Tensor.Ones([count / 2], DType.Int32)]).Realize());
}

void Draw()
{
    const int Columns = 56, Rows = 26;
    var x = Tensor.Linspace(-1.1, 1.1, Columns).Unsqueeze(0).BroadcastTo(Rows, Columns);
    var y = Tensor.Linspace(1.1, -1.1, Rows).Unsqueeze(1).BroadcastTo(Rows, Columns);
    float[] chance = classify(Tensor.Stack([x, y], axis: -1).Reshape(-1, 2)).ToArray<float>();
    float[,] known = points.ToArray2D<float>();
    var marks = new Dictionary<(int, int), char>();
    for (int i = 0; i < Points; i++)
        marks[((int)Math.Round((1.1 - known[i, 1]) / 2.2 * (Rows - 1)),
            (int)Math.Round((known[i, 0] + 1.1) / 2.2 * (Columns - 1)))] = i < Points / 2 ? 'o' : 'x';
    for (int row = 0; row < Rows; row++)
    {
        Console.Write("    ");
        for (int column = 0; column < Columns; column++)
            Console.Write(marks.TryGetValue((row, column), out char mark)
                ? mark
                : " ·░▒▓"[(int)(chance[row * Columns + column] * 4.999)]);
        Console.WriteLine();
    }
}
