using Ashlar.Backends.Cpu;
using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

/// <summary>Each optimizer against its paper's formula, written for single numbers.</summary>
public sealed class OptimizerTests() : DeviceTests(Devices.Reference)
{
    const int Steps = 5;
    static readonly Schedule rates = Schedule.Cosine(0.1, 6, warmup: 2, final: 0.01);

    // A matrix and a vector, moved a few steps by gradients that depend on the weights. Compares with Expected, which gets the
    // weights, the gradients of the step and its number, and moves the weights itself.
    static void Check(Func<Weights, Optimizer> make, Action<double[][], double[][], int> expected, double tolerance = 1e-12)
    {
        var weights = Weights.Random(11, DType.Float64);
        weights.Get("matrix", [3, 4], Initial.Normal(1));
        weights.Get("vector", [4], Initial.Normal(1));
        double[][] values = [.. weights.Parameters.Select(parameter => Numbers(parameter.Value))];
        var optimizer = make(weights);
        var step = Compiled.Step((Tensor noise) =>
        {
            var (matrix, vector) = (weights.Parameters[0].Value, weights.Parameters[1].Value);
            var loss = ((matrix - noise).Square() * noise.Exp()).Sum() + (vector.Sin() * noise[0]).Sum();
            Tensor[] gradients = loss.Gradient(weights);
            optimizer.Update(gradients);
            return gradients;
        });
        for (int i = 0; i < Steps; i++)
        {
            var noise = Tensor.RandomNormal(100 + i, [3, 4], DType.Float64).Realize();
            double[][] gradients = [.. step(noise).Select(Numbers)];
            expected(values, gradients, i);
            for (int p = 0; p < values.Length; p++)
                Close(weights.Parameters[p].Value, weights.Parameters[p].DType.Name + weights.Parameters[p].Shape,
                    tolerance, values[p]);
        }
        Assert.Equal(Steps, optimizer.Count.Value.Item<int>());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void AdamW_IsItsPaper(bool everythingDecays)
    {
        double[][] m = [new double[12], new double[4]], v = [new double[12], new double[4]];
        Check(
            weights => new AdamW(weights, rates, 0.8, 0.95, 1e-6, 0.3, everythingDecays ? _ => true : null),
            (values, gradients, step) =>
            {
                double rate = (float)rates.At(step);
                for (int p = 0; p < 2; p++)
                    for (int i = 0; i < values[p].Length; i++)
                    {
                        double g = gradients[p][i];
                        m[p][i] = 0.8 * m[p][i] + 0.2 * g;
                        v[p][i] = 0.95 * v[p][i] + 0.05 * g * g;
                        double mean = m[p][i] / (1 - Math.Pow(0.8, step + 1)), square = v[p][i] / (1 - Math.Pow(0.95, step + 1));
                        double decay = p == 0 || everythingDecays ? 0.3 * values[p][i] : 0;
                        values[p][i] -= rate * (mean / (Math.Sqrt(square) + 1e-6) + decay);
                    }
            },
            1e-6);   // bias corrections are rounded to float32
    }

    [Theory]
    [InlineData(0, false, 0)]
    [InlineData(0, false, 0.2)]
    [InlineData(0.9, false, 0.2)]
    [InlineData(0.9, true, 0)]
    public void Sgd_IsItsFormula(double momentum, bool nesterov, double decay)
    {
        double[][] v = [new double[12], new double[4]];
        Check(
            weights => new Sgd(weights, rates, momentum, nesterov, decay),
            (values, gradients, step) => Each(values, (p, i) =>
            {
                double g = gradients[p][i] + (p == 0 ? decay * values[p][i] : 0);
                v[p][i] = momentum * v[p][i] + g;
                values[p][i] -= (float)rates.At(step) * (nesterov ? g + momentum * v[p][i] : v[p][i]);
            }));
    }

    [Fact]
    public void Lion_IsItsPaper()
    {
        double[][] m = [new double[12], new double[4]];
        Check(
            weights => new Lion(weights, rates, 0.8, 0.9, 0.3),
            (values, gradients, step) => Each(values, (p, i) =>
            {
                double g = gradients[p][i], direction = Math.Sign(0.8 * m[p][i] + (1 - 0.8) * g);
                values[p][i] -= (float)rates.At(step) * (direction + (p == 0 ? 0.3 * values[p][i] : 0));
                m[p][i] = 0.9 * m[p][i] + (1 - 0.9) * g;
            }));
    }

    [Fact]
    public void Muon_IsItsPaper()
    {
        double[] velocity = new double[12], m = new double[4], v = new double[4];
        Schedule adamRates = 0.05;
        Check(
            weights => new Muon(weights, rates, adamRates, momentum: 0.9, decay: 0.2, beta1: 0.8, beta2: 0.95, epsilon: 1e-6),
            (values, gradients, step) =>
            {
                double rate = (float)rates.At(step), adamRate = (float)adamRates.At(step);
                var direction = new double[3, 4];
                for (int i = 0; i < 12; i++)
                {
                    velocity[i] = 0.9 * velocity[i] + gradients[0][i];
                    direction[i / 4, i % 4] = gradients[0][i] + 0.9 * velocity[i];
                }
                direction = NewtonSchulz(direction);
                for (int i = 0; i < 12; i++)
                    values[0][i] = values[0][i] * (1 - rate * 0.2) - rate * Math.Sqrt(4.0 / 3) * direction[i / 4, i % 4];
                for (int i = 0; i < 4; i++)
                {
                    double g = gradients[1][i];
                    m[i] = 0.8 * m[i] + 0.2 * g;
                    v[i] = 0.95 * v[i] + 0.05 * g * g;
                    values[1][i] -= adamRate
                        * m[i] / (1 - Math.Pow(0.8, step + 1)) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.95, step + 1))) + 1e-6);
                }
            },
            1e-6);
    }

    static double[,] NewtonSchulz(double[,] x)
    {
        double norm = Math.Sqrt(x.Cast<double>().Sum(value => value * value)) + 1e-7;
        int rows = x.GetLength(0), columns = x.GetLength(1);
        x = Make(rows, columns, (i, j) => x[i, j] / norm);
        for (int step = 0; step < 5; step++)
        {
            double[,] now = x, square = Make(rows, rows, (i, j) => Enumerable.Range(0, columns).Sum(k => now[i, k] * now[j, k]));
            double[,] mixed = Make(rows, rows,
                (i, j) => -4.7750 * square[i, j] + 2.0315 * Enumerable.Range(0, rows).Sum(k => square[i, k] * square[k, j]));
            x = Make(rows, columns, (i, j) => 3.4445 * now[i, j] + Enumerable.Range(0, rows).Sum(k => mixed[i, k] * now[k, j]));
        }
        return x;

        static double[,] Make(int rows, int columns, Func<int, int, double> of)
        {
            var made = new double[rows, columns];
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < columns; j++) made[i, j] = of(i, j);
            return made;
        }
    }

    [Theory, InlineData(7, 3), InlineData(3, 7), InlineData(5, 5)]
    public void Muon_MakesSingularValuesNear1(int rows, int columns)
    {
        var x = Tensor.RandomNormal(rows, [rows, columns], DType.Float64).Detach();
        var u = Muon.Orthogonal(x);
        Assert.Equal(x.Type, u.Type);
        var square = rows < columns ? u.MatMul(u.Transpose()) : u.Transpose().MatMul(u);
        // all singular values lie in [0.68, 1.14], so those of the square within 0.55 of 1, and so does every element
        Assert.All(Numbers(square - Tensor.Eye(square.Shape[0], dtype: DType.Float64)),
            error => Assert.InRange(Math.Abs(error), 0, 0.55));
    }

    [Fact]
    public void Muon_LeavesTablesAndVectorsToAdamW()
    {
        var weights = Weights.Random(1);
        _ = new Embedding(weights.Scope("table"), 3, 2);
        _ = new Linear(weights.Scope("linear"), 2, 2);
        var optimizer = new Muon(weights, 0.02, 3e-4);
        Assert.Equal(
            ["muon.step", "muon.velocity.linear.weight", "muon.mean.table.weight", "muon.mean.linear.bias",
                "muon.square.table.weight", "muon.square.linear.bias"],
            optimizer.States.Select(state => state.Name));
        Fails<ModelException>(() =>
            new Muon(weights, 0.02, 3e-4, orthogonalises: _ => true), "ASH0345", "'linear.bias'", "no matrix");
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Adafactor_IsItsPaper(bool isRelative)
    {
        double[] r = new double[3], c = new double[4], v = new double[4];
        Check(
            weights => new Adafactor(weights, rates, limit: 0.8, isRelative),
            (values, gradients, step) =>
            {
                double beta = (float)(1 - Math.Pow(step + 1, -0.8));
                double[] squares = [.. gradients[0].Select(g => g * g + 1e-30)];
                for (int i = 0; i < 3; i++) r[i] = beta * r[i] + (1 - beta) * Enumerable.Range(0, 4).Sum(j => squares[i * 4 + j]);
                for (int j = 0; j < 4; j++) c[j] = beta * c[j] + (1 - beta) * Enumerable.Range(0, 3).Sum(i => squares[i * 4 + j]);
                for (int j = 0; j < 4; j++) v[j] = beta * v[j] + (1 - beta) * (gradients[1][j] * gradients[1][j] + 1e-30);
                double[] matrix = [.. gradients[0].Select((g, i) => g / Math.Sqrt(r[i / 4] * c[i % 4] / r.Sum()))];
                double[] vector = [.. gradients[1].Select((g, i) => g / Math.Sqrt(v[i]))];
                foreach (var (value, change) in (ReadOnlySpan<(double[], double[])>)[(values[0], matrix), (values[1], vector)])
                {
                    double scale =
                        (float)rates.At(step) * (isRelative ? Math.Max(1e-3, Rms(value)) : 1) / Math.Max(1, Rms(change) / 0.8);
                    for (int i = 0; i < value.Length; i++) value[i] -= scale * change[i];
                }
            },
            1e-6);

        static double Rms(double[] x) => Math.Sqrt(x.Average(value => value * value));
    }

    [Theory, InlineData("sgd"), InlineData("lion"), InlineData("muon"), InlineData("adafactor")]
    public void Optimizer_GivesTheSame_OnTheProcessor(string name)
    {
        double[] expected = Train(Device);
        Assert.All(expected.Zip(Train(new(new CpuBackend()))), pair => Assert.Equal(pair.First, pair.Second, 1e-4));

        double[] Train(Device device)
        {
            using var selected = device.Select();
            var weights = Weights.Random(5);
            var layer = new Linear(weights, 6, 5);
            Optimizer optimizer = name switch
            {
                "sgd" => new Sgd(weights, 0.1, 0.9, nesterov: true),
                "lion" => new Lion(weights, 0.05),
                "muon" => new Muon(weights, 0.1, 0.05),
                _ => new Adafactor(weights, 0.1),
            };
            var step = Compiled.Step((Tensor x) => optimizer.Update(layer.Forward(x).Tanh().Square().Sum().Gradient(weights)));
            var inputs = Tensor.RandomNormal(1, 7, 6).Realize();
            for (int i = 0; i < 3; i++) step(inputs);
            return [.. weights.Parameters.SelectMany(parameter => Numbers(parameter.Value))];
        }
    }

    static void Each(double[][] values, Action<int, int> of)
    {
        for (int p = 0; p < values.Length; p++)
            for (int i = 0; i < values[p].Length; i++) of(p, i);
    }

    [Fact]
    public void Accumulator_GivesTheStepOfTheLargeBatch()
    {
        Tensor x = Tensor.RandomNormal(1, [8, 3], DType.Float64).Detach(),
            y = Tensor.RandomNormal(2, [8, 2], DType.Float64).Detach();
        double[][] whole = Train(1), parts = Train(4);
        Assert.All(whole.Zip(parts),
            pair => Assert.All(pair.First.Zip(pair.Second), numbers => Assert.Equal(numbers.First, numbers.Second, 1e-6)));

        double[][] Train(int batches)
        {
            var weights = Weights.Random(5, DType.Float64);
            var layer = new Linear(weights, 3, 2);
            var optimizer = new AdamW(weights, 0.1);
            var accumulator = new GradientAccumulator(weights);
            var add = Compiled.Step((Tensor inputs, Tensor targets) =>
                accumulator.Add(Loss.MeanSquaredError(layer.Forward(inputs), targets).Gradient(weights)));
            var update = Compiled.Step(() => optimizer.Update(accumulator.Take()));
            for (int step = 0; step < 3; step++)
            {
                foreach (var (inputs, targets) in x.Chunk(batches).Zip(y.Chunk(batches))) add(inputs, targets);
                update();
            }
            Assert.Equal(0, accumulator.States[0].Value.Item<int>());
            return [.. weights.Parameters.Select(parameter => Numbers(parameter.Value))];
        }
    }

    [Fact]
    public void Accumulator_Refuses_OtherGradients()
    {
        var weights = Weights.Random(1);
        _ = new Linear(weights, 2, 2);
        Fails<ModelException>(() => new GradientAccumulator(weights).Add([]), "ASH0348", "0 gradients");
    }

    [Fact]
    public void MovingAverage_FollowsTheWeights_AndCanStandInForThem()
    {
        var weights = Weights.Random(1);
        var w = weights.Get("w", [2], Initial.Constant(1));
        var average = new MovingAverage(weights, 0.75);
        var step = Compiled.Step(() =>
        {
            w.Value += 1;
            average.Update();
        });
        step();
        step();
        Same(average.States[0].Value, "f32[2]", 1.6875, 1.6875);   // 0.75 (0.75 * 1 + 0.25 * 2) + 0.25 * 3
        average.Exchange();
        Same(w.Value, "f32[2]", 1.6875, 1.6875);
        Same(average.States[0].Value, "f32[2]", 3, 3);
        average.Exchange();
        step();
        Same(w.Value, "f32[2]", 4, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => new MovingAverage(weights, 1));
    }

    [Fact]
    public void States_AreNamed_AndBringBackTheCourse()
    {
        var (weights, optimizer, step) = Course();
        for (int i = 0; i < 3; i++) step();
        var saved = weights.States.Concat(optimizer.States).ToDictionary(state => state.Name, state => state.Value.Detach());
        Assert.Equal(["adamw.mean.w", "adamw.square.w", "adamw.step", "w"], saved.Keys.Order(StringComparer.Ordinal));
        double[] later = [.. Enumerable.Range(0, 4).Select(_ => step().Item<double>())];

        var (weights2, optimizer2, step2) = Course();
        foreach (var state in weights2.States.Concat(optimizer2.States)) state.Value = saved[state.Name];
        Assert.Equal(later, Enumerable.Range(0, 4).Select(_ => step2().Item<double>()));

        static (Weights, Optimizer, Func<Tensor>) Course()
        {
            var weights = Weights.Random(1, DType.Float64);
            var w = weights.Get("w", [5], Initial.Normal(1));
            var optimizer = new AdamW(weights, Schedule.Cosine(0.1, 10, 2));
            return (weights, optimizer, Compiled.Step(() =>
            {
                var loss = w.Value.Square().Sum();
                optimizer.Update(loss.Gradient(weights));
                return loss;
            }));
        }
    }

    [Fact]
    public void Optimizer_KeepsMomentsInFloat32_WhenWeightsAreNarrow()
    {
        var weights = Weights.Random(1, DType.BFloat16);
        var w = weights.Get("w", [3], Initial.Ones);
        var optimizer = new AdamW(weights, 0.5);
        optimizer.Update((w.Value * 2).Sum().Gradient(weights));
        Assert.Equal("bf16[3]", w.Value.Type);
        Assert.All(optimizer.States.Skip(1), state => Assert.Equal(DType.Float32, state.DType));
        Same(w.Value, "bf16[3]", 0.5, 0.5, 0.5);
    }

    [Fact]
    public void Optimizer_Refuses_OtherGradients()
    {
        var weights = Weights.Random(1);
        Fails<ModelException>(() => new AdamW(weights, 0.1), "ASH0348", "without parameters");
        _ = new Linear(weights, 2, 2);
        var optimizer = new AdamW(weights, 0.1);
        Fails<ModelException>(() => optimizer.Update([Tensor.Zeros(2, 2)]), "ASH0348", "2 parameters", "1 gradients");
        Assert.Throws<ArgumentOutOfRangeException>(() => new AdamW(weights, 0.1, beta1: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AdamW(weights, 0.1, beta2: -0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Sgd(weights, 0.1, momentum: 1));
        Assert.Throws<ArgumentException>(() => new Sgd(weights, 0.1, nesterov: true));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Lion(weights, 0.1, beta1: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Muon(weights, 0.1, 0.1, momentum: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Adafactor(weights, 0.1, limit: 0));
    }

    [Fact]
    public void ClipByGlobalNorm_ScalesAllTogether_WhenTheyAreLong()
    {
        Tensor[] gradients = [Tensor.From([3f, 0f]), Tensor.From([[4f]])];
        Same(gradients.GlobalNorm(), "f32[]", 5);
        var (clipped, norm) = gradients.ClipByGlobalNorm(1);
        Same(norm, "f32[]", 5);
        Same(clipped[0], "f32[2]", 0.6, 0);
        Same(clipped[1], "f32[1, 1]", 0.8);
        var kept = gradients.ClipByGlobalNorm(6).Gradients;
        Same(kept[0], "f32[2]", 3, 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => gradients.ClipByGlobalNorm(0));
    }
}
