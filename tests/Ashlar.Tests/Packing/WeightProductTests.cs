using Ashlar.Backends.Cpu;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Runtime;
using Ashlar.Tests.Compiler;
using Ashlar.Tiles;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Tests.Packing;

public sealed class WeightProductTests : IDisposable
{
    readonly Device.Selection selection = WeightSamples.Cpu.Select();

    public void Dispose() => selection.Dispose();

    static readonly Dictionary<(Isa, bool), CpuBackend> backends = [];

    public static TheoryData<string, Isa, bool> Cases
    {
        get
        {
            var data = new TheoryData<string, Isa, bool>();
            foreach (var encoding in WeightEncoding.All)
                foreach (var isa in Isa.Available)
                    foreach (bool usesTiles in (bool[])[true, false])
                        if (usesTiles || isa == Isa.Avx512) data.Add(encoding.Name, isa, usesTiles);
            return data;
        }
    }

    // Whole numbers, and in each 32 of them one of 127: rounding to eight bits loses nothing, nor does bfloat16 up to 256.
    static float[] WholeRows(int rows, int columns, int seed)
    {
        var random = new Random(seed);
        var x = new float[rows * columns];
        for (int i = 0; i < x.Length; i++) x[i] = i % columns % 32 == 0 ? (random.Next(2) * 2 - 1) * 127 : random.Next(-127, 128);
        return x;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Project_IsExact_OnWholeNumbers(string name, Isa isa, bool usesTiles)
    {
        var encoding = WeightEncoding.Parse(name)!;
        var random = new Random(name.Length);
        int[] widths = [1, 15, 16, 17, 31, 32, 33, 127, 128, 129], inner = [32, 64, 96, 128, 544];
        foreach (int rows in (int[])[1, 2, 3, 5, 8, 9, 17, 33, 70])
        {
            int n = widths[random.Next(widths.Length)], k = inner[random.Next(inner.Length)];
            if (!encoding.IsQuantized) k -= random.Next(0, 32);
            var (weight, values) = WeightSamples.Random(encoding, n, k, rows, isSimple: true);
            float[] x = WholeRows(rows, k, rows);
            double[] expected = Product(x, values);
            float[] actual = Run(Backend(isa, usesTiles), weight, x, rows);
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= 1e-6 * Math.Abs(expected[i]) + 0.25,
                    $"{rows}x{n}x{k}: element {i} is {actual[i]}, expected {expected[i]}");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Project_MatchesInterpreter(string name, Isa isa, bool usesTiles)
    {
        var encoding = WeightEncoding.Parse(name)!;
        var random = new Random(name.Length + 1);
        int[] sizes = [1, 15, 16, 17, 31, 32, 33, 127, 128, 129];
        foreach (int rows in (int[])[1, 3, 13, 40])
        {
            int n = sizes[random.Next(sizes.Length)], k = sizes[random.Next(sizes.Length)];
            var (weight, _) = WeightSamples.Random(encoding, n, k, rows);
            float[] x = [.. Enumerable.Range(0, rows * k).Select(_ => (float)(random.NextDouble() * 2 - 1))];
            var (function, arguments) = Function(weight, x, rows);
            double[] expected = Interpreter.Run(function, arguments)[0].Data;
            float[] actual = Run(Backend(isa, usesTiles), weight, x, rows);
            double scale = Math.Sqrt(expected.Average(y => y * y)) + 1e-3;
            for (int i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - actual[i]) <= 0.03 * scale,
                    $"{rows}x{n}x{k}: element {i} is {actual[i]}, expected {expected[i]}, scale {scale}");
        }
    }

    [Theory, InlineData("bf16"), InlineData("f16"), InlineData("i8_b32"), InlineData("i4_b32"), InlineData("i4_b16_zero_min")]
    public void ProjectExperts_TakesEachRowsMatrix(string name)
    {
        var encoding = WeightEncoding.Parse(name)!;
        foreach (var isa in Isa.Available)
            foreach (int rows in isa == Isa.Avx512 ? (int[])[1, 5, 33, 130, 1300] : [1, 5, 33, 130])
            {
                const int n = 45, k = 96, count = 5;
                var matrices =
                    Enumerable.Range(0, count).Select(i => WeightSamples.Source(encoding, n, k, i, isSimple: true)).ToArray();
                var weight = PackedWeight.PackExperts(encoding,
                    [.. matrices.Select(matrix => (IReadOnlyList<WeightSource>)[matrix.Source])]);
                var random = new Random(rows);
                // Nobody takes the last.
                int[] experts = [.. Enumerable.Range(0, rows).Select(_ => random.Next(2) == 0 ? 3 : random.Next(count - 1))];
                float[] x = WholeRows(rows, k, rows);
                float[] actual = Run(Backend(isa, true), weight, x, rows, experts);
                for (int i = 0; i < rows; i++)
                {
                    double[] expected = Product(x.AsSpan(i * k, k).ToArray(), matrices[experts[i]].Values);
                    for (int j = 0; j < n; j++) Assert.Equal(expected[j], actual[i * n + j], Math.Abs(expected[j]) * 1e-6 + 0.25);
                }
            }
    }

    [Theory, InlineData(1), InlineData(9), InlineData(40)]
    public void Project_AllocatesNothing_OnceWarm(int rows)
    {
        var weight = WeightSamples.Random(WeightEncoding.Int8(), 70, 544, 1).Weight;
        Node left = Nodes.Parameter(0, DType.Float32, [rows, 544]), data = Nodes.Parameter(1, DType.UInt8, weight.Data.Shape);
        var backend = new CpuBackend(Isa.Chosen, new Workers(1));
        var program = backend.Compile(new([left, data], [Nodes.Project(left, data, weight.Attributes)]), new());
        Buffer[] inputs = [Buffers.Of<float>(WholeRows(rows, 544, 1)), weight.Data.Memory()],
            outputs = [backend.Allocate(rows * 70 * 4)];
        for (int i = 0; i < 3; i++) program.Run(inputs, outputs, []);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 3; i++) program.Run(inputs, outputs, []);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void ProjectExperts_Throws_WhenThereIsNoSuchExpert()
    {
        var weight = PackedWeight.PackExperts(WeightEncoding.BF16,
            [[WeightSource.Of(Tensor.Ones(3, 4))], [WeightSource.Of(Tensor.Ones(3, 4))]]);
        foreach (int expert in (int[])[-1, 2])
            Assert.Equal("ASH0646", Assert.Throws<KernelException>(() =>
                Run(Backend(Isa.Chosen, true), weight, new float[8], 2, [0, expert])).Code);
    }

    [Theory, MemberData(nameof(WeightSamples.Names), MemberType = typeof(WeightSamples))]
    public void RowsAt_DecodesRows(string name)
    {
        var (weight, values) = WeightSamples.Random(WeightEncoding.Parse(name)!, 40, 96, 5);
        float[] rows = weight.RowsAt(Tensor.From<int>([39, 0, 17, 39], [2, 2])).ToArray<float>();
        foreach (var (place, row) in new[] { 39, 0, 17, 39 }.Index())
            for (int k = 0; k < 96; k++) Assert.Equal(values[row, k], rows[place * 96 + k], 1e-6);
        Assert.Equal("ASH0646", Assert.Throws<KernelException>(() =>
            weight.RowsAt(Tensor.From<int>([40], [1])).ToArray<float>()).Code);
    }

    [Fact]
    public void Project_TakesSymbolicRows_ReshapedInputs_AndWorkAround()
    {
        var symbol = new Symbol("T", 1, 100);
        var (weight, values) = WeightSamples.Random(WeightEncoding.BF16, 24, 32, 1, isSimple: true);
        Node x = Nodes.Parameter(0, DType.Float32, [2, symbol, 4, 8]), data = Nodes.Parameter(1, DType.UInt8, weight.Data.Shape);
        var y = Nodes.Project(Nodes.Reshape(x * 2, [2, symbol, 32]), data, weight.Attributes);
        var function = new Function([x, data], [y + 1]);
        foreach (long t in (long[])[1, 5])
        {
            float[] rows = WholeRows((int)(2 * t), 32, 3);
            Value[] arguments = [new([.. rows.Select(value => (double)value)], [2, t, 4, 8]),
                new([.. WeightSamples.Bytes(weight).Select(value => (double)value)], [weight.Attributes.Bytes])];
            double[] expected = [.. Product(rows, values).Select(sum => 2 * sum + 1)];
            var plan = Pipelines.Compile(function, OptimizationLevel.O2);
            Assert.Equal(expected, PlanInterpreter.Run(plan, arguments, _ => t)[0].Data);
            Assert.Equal(expected, Interpreter.Run(function, arguments, _ => t)[0].Data);
            var backend = Backend(Isa.Chosen, true);
            var output = backend.Allocate(expected.Length * 4);
            backend.Compile(function, new()).Run([Buffers.Of<float>(rows), Buffers.Of<byte>(WeightSamples.Bytes(weight))],
                [output], [t]);
            Assert.Equal(expected, output.Span<float>(expected.Length).ToArray().Select(value => (double)value));
        }
    }

    [Fact]
    public void Tensors_ProjectBothElementTypes_AndLeadingAxes()
    {
        var (weight, values) = WeightSamples.Random(WeightEncoding.Int8(), 24, 32, 1, isSimple: true);
        float[] rows = WholeRows(6, 32, 1);
        double[] expected = Product(rows, values);
        foreach (var dtype in (DType[])[DType.Float32, DType.BFloat16])
        {
            var y = Tensor.From<float>(rows, [3, 2, 32]).Cast(dtype).Project(weight);
            Assert.Equal("f32[3, 2, 24]", y.Type);
            Assert.Equal(expected, y.ToArray<float>().Select(value => (double)value));
        }
        Assert.Equal("ASH0642", Assert.Throws<ShapeException>(() => Tensor.Ones(2, 31).Project(weight)).Code);
        Assert.Equal("ASH0644", Assert.Throws<DTypeException>(() => Tensor.Ones(2, 32).Cast(DType.Float64).Project(weight)).Code);
        Assert.Equal("ASH0642", Assert.Throws<ShapeException>(() =>
            Tensor.Ones(2, 32).ProjectExperts(weight, Tensor.Zeros([3], DType.Int32))).Code);
        Assert.Equal("ASH0645", Assert.Throws<DTypeException>(() => weight.RowsAt(Tensor.Ones(3))).Code);
        var both = PackedWeight.PackExperts(WeightEncoding.BF16,
            [[WeightSource.Of(Tensor.Ones(3, 4))], [WeightSource.Of(Tensor.Ones(3, 4))]]);
        Assert.Equal("ASH0643", Assert.Throws<ShapeException>(() => Tensor.Ones(2, 4).Project(both)).Code);
        Assert.Equal("ASH0312", Assert.Throws<GraphException>(() =>
            { var x = Tensor.Ones(2, 32); _ = x.Project(weight).Sum().Gradient(x); }).Code);
    }

    [Fact]
    public void Text_ReadsBackGraphsAndKernels()
    {
        var layout = new WeightAttributes(WeightEncoding.Int4(16, true, WeightTable.FromZero), 24, 32, 3);
        Node x = Nodes.Parameter(0, DType.Float32, [6, 32]), data = Nodes.Parameter(1, DType.UInt8, [layout.Bytes]),
            ids = Nodes.Parameter(2, DType.Int32, [6]);
        var function =
            new Function([x, data, ids], [Nodes.ProjectExperts(x, data, ids, layout), Nodes.WeightRows(data, ids, layout),
            Nodes.Project(x, Nodes.Parameter(3, DType.UInt8, [layout.Bytes / 3], "one"), layout with { Count = 1 })]);
        string text = GraphText.Print(function);
        Assert.True(function == GraphText.Parse(text), text);
        foreach (var launch in Pipelines.Compile(function with { Results = [.. function.Results.Take(2)] },
            OptimizationLevel.O2).Launches)
        {
            string kernel = TileText.Print(launch.Kernel.Program);
            Assert.Equal(kernel, TileText.Print(TileText.Parse(kernel)));
            TileVerifier.Check(TileText.Parse(kernel));
            Assert.Throws<KernelException>(() =>
                TileVerifier.Check(TileText.Parse(kernel.Replace(": out f32[6, ", ": out i32[6, ", StringComparison.Ordinal))));
        }
    }

    static double[] Product(float[] x, float[,] values)
    {
        int n = values.GetLength(0), k = values.GetLength(1), rows = x.Length / k;
        var y = new double[rows * n];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < n; j++)
                for (int at = 0; at < k; at++) y[i * n + j] += (double)x[i * k + at] * values[j, at];
        return y;
    }

    static (Function Function, Value[] Arguments) Function(PackedWeight weight, float[] x, int rows)
    {
        Node left = Nodes.Parameter(0, DType.Float32, [rows, weight.Columns]),
            data = Nodes.Parameter(1, DType.UInt8, weight.Data.Shape);
        return (new([left, data], [Nodes.Project(left, data, weight.Attributes)]),
            [new([.. x.Select(value => (double)value)], [rows, weight.Columns]),
                new([.. WeightSamples.Bytes(weight).Select(value => (double)value)], [weight.Attributes.Bytes])]);
    }

    static float[] Run(CpuBackend backend, PackedWeight weight, float[] x, int rows, int[]? experts = null)
    {
        Node left = Nodes.Parameter(0, DType.Float32, [rows, weight.Columns]),
            data = Nodes.Parameter(1, DType.UInt8, weight.Data.Shape);
        Node ids = Nodes.Parameter(2, DType.Int32, [rows]);
        var function = experts is null ? new Function([left, data], [Nodes.Project(left, data, weight.Attributes)])
            : new([left, data, ids], [Nodes.ProjectExperts(left, data, ids, weight.Attributes)]);
        var output = backend.Allocate(rows * weight.Rows * 4);
        output.Span<float>(rows * weight.Rows).Fill(float.NaN);
        Buffer[] inputs =
            [Buffers.Of<float>(x), weight.Data.Memory(), .. experts is null ? [] : (Buffer[])[Buffers.Of<int>(experts)]];
        backend.Compile(function, new()).Run(inputs, [output], []);
        return output.Span<float>(rows * weight.Rows).ToArray();
    }

    static CpuBackend Backend(Isa isa, bool usesTiles)
    {
        lock (backends)
        {
            if (!backends.TryGetValue((isa, usesTiles), out var backend))
                backends[(isa, usesTiles)] = backend = new(isa, new Workers(2), usesTiles);
            return backend;
        }
    }
}
