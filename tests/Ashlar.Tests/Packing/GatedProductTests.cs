using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Weights;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Runtime;
using Ashlar.Tiles;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Tests.Packing;

public sealed class GatedProductTests : IDisposable
{
    readonly Device.Selection selection = WeightSamples.Cpu.Select();

    public void Dispose() => selection.Dispose();

    public static TheoryData<string, Isa, bool> Cases
    {
        get
        {
            var data = new TheoryData<string, Isa, bool>();
            foreach (string name in (string[])["bf16", "f16", "i8_b32", "i4_b32"])
                foreach (var isa in Isa.Available)
                    foreach (bool usesTiles in (bool[])[true, false])
                        if (usesTiles || isa == Isa.Avx512) data.Add(name, isa, usesTiles);
            return data;
        }
    }

    // The gate works on the sums that the same engine stores without one.
    [Theory, MemberData(nameof(Cases))]
    public void Gate_TakesTheSumsOfTheProduct(string name, Isa isa, bool usesTiles)
    {
        var backend = new CpuBackend(isa, new Workers(2), usesTiles);
        var encoding = WeightEncoding.Parse(name)!;
        var random = new Random(name.Length);
        foreach (var (rows, n, k) in ((int, int, int)[])[(1, 32, 64), (2, 1056, 64), (5, 96, 544), (33, 160, 96), (70, 64, 32)])
            foreach (var gate in Enum.GetValues<WeightGate>())
            {
                var weight = WeightSamples.Random(encoding, n, k, rows).Weight;
                float[] x = Rows(random, rows, k);
                float[] sums = Run(backend, weight, x, rows), gated = Run(backend, weight, x, rows, gate);
                Check(gate, sums, gated, $"{rows}x{n}x{k}");
            }
    }

    // Two megabytes and more are stored past the caches.
    [Theory, InlineData("bf16"), InlineData("i8_b32")]
    public void Gate_TakesTheSums_OfLargeProducts(string name)
    {
        var backend = new CpuBackend(Isa.Chosen, new Workers(2));
        const int rows = 610, n = 2080, k = 64;
        var weight = WeightSamples.Random(WeightEncoding.Parse(name)!, n, k, 1).Weight;
        float[] x = Rows(new(1), rows, k);
        Check(WeightGate.Silu, Run(backend, weight, x, rows), Run(backend, weight, x, rows, WeightGate.Silu), name);
    }

    [Theory, InlineData("bf16"), InlineData("i8_b32"), InlineData("i4_b16_zero_min")]
    public void Gate_WorksForExperts(string name)
    {
        const int n = 64, k = 96, count = 4;
        var encoding = WeightEncoding.Parse(name)!;
        var weight = PackedWeight.PackExperts(encoding,
            [.. Enumerable.Range(0, count).Select(i => (IReadOnlyList<WeightSource>)[WeightSamples.Source(encoding, n, k, i).Source])]);
        foreach (var isa in Isa.Available)
            foreach (int rows in (int[])[1, 7, 150])
            {
                var backend = new CpuBackend(isa, new Workers(2));
                var random = new Random(rows);
                int[] experts = [.. Enumerable.Range(0, rows).Select(_ => random.Next(count - 1))];
                float[] x = Rows(random, rows, k);
                float[] sums = Run(backend, weight, x, rows, null, experts),
                    gated = Run(backend, weight, x, rows, WeightGate.Gelu, experts);
                Check(WeightGate.Gelu, sums, gated, $"{isa} {rows}");
            }
    }

    [Fact]
    public void ProjectGated_IsAProductOfEachMatrix()
    {
        const int inner = 48, width = 64;
        var random = new Random(3);
        Tensor gate = Matrix(random, inner, width), up = Matrix(random, inner, width), x = Matrix(random, 6, width).Reshape(3, 2, width);
        Tensor experts = Tensor.From<int>([0, 0, 0, 0, 0, 0], [6]);
        foreach (var kind in Enum.GetValues<WeightGate>())
        {
            var packed = PackedWeight.Pack(WeightEncoding.BF16, WeightSource.Gated(WeightSource.Of(gate), WeightSource.Of(up)));
            var (left, right) = (x.MatMul(gate.Transpose()), x.MatMul(up.Transpose()));
            var expected = kind == WeightGate.Silu ? left.SwiGlu(right) : left.Gelu() * right;
            var actual = x.ProjectGated(packed, kind);
            Assert.Equal("f32[3, 2, 48]", actual.Type);
            Close(expected, actual);
            Close(expected.Reshape(6, inner), x.Reshape(6, width).ProjectExperts(packed, experts, kind));
        }
    }

    [Theory, InlineData("i8_b32"), InlineData("bf16")]
    public void Gated_PutsSixteenRowsOfEachInTurn(string name)
    {
        var encoding = WeightEncoding.Parse(name)!;
        var (gate, gateValues) = WeightSamples.Source(encoding, 48, 64, 1);
        var (up, upValues) = WeightSamples.Source(encoding, 48, 64, 2);
        var weight = PackedWeight.Pack(encoding, WeightSource.Gated(gate, up));
        float[] rows = weight.RowsAt(Tensor.From<int>([.. Enumerable.Range(0, 96)], [96])).ToArray<float>();
        for (int i = 0; i < 96; i++)
            for (int k = 0; k < 64; k++)
                Assert.Equal((i / 16 % 2 == 0 ? gateValues : upValues)[i / 32 * 16 + i % 16, k], rows[i * 64 + k], 1e-6);
    }

    [Fact]
    public void Gates_Refuse()
    {
        WeightSource Of(int rows, int columns) => WeightSource.Of(Tensor.Ones(rows, columns));
        foreach (var make in (Func<WeightSource>[])[() => WeightSource.Gated(Of(16, 4), Of(32, 4)),
            () => WeightSource.Gated(Of(16, 4), Of(16, 5)), () => WeightSource.Gated(Of(24, 4), Of(24, 4)),
            () => WeightSource.Gated(WeightSource.Gated(Of(16, 4), Of(16, 4)), Of(32, 4)),
            () => WeightSource.Gated(Of(16, 4), Of(16, 4)).InOrder([.. Enumerable.Range(0, 32)])])
            Assert.Equal("ASH0647", Assert.Throws<ShapeException>(make).Code);
        var odd = PackedWeight.Pack(WeightEncoding.BF16, Of(40, 32));
        Assert.Equal("ASH0641", Assert.Throws<ShapeException>(() => Tensor.Ones(2, 32).ProjectGated(odd, WeightGate.Silu)).Code);
        var layout = new WeightAttributes(WeightEncoding.BF16, 32, 32) { Gate = WeightGate.Silu };
        Assert.Equal("ASH0641", Assert.Throws<ShapeException>(() => Nodes.WeightRows(
            Nodes.Parameter(0, DType.UInt8, [layout.Bytes]), Nodes.Parameter(1, DType.Int32, [3]), layout)).Code);
    }

    [Fact]
    public unsafe void Gate_IsRight_FromShutToOpen()
    {
        float[] gates = [-1e30f, -300, -100, -88, -20, -3, -1e-3f, 0, 1e-20f, 0.5f, 3, 20, 88, 100, 300, float.NaN];
        float* sums = stackalloc float[32], result = stackalloc float[16];
        foreach (var gate in Enum.GetValues<WeightGate>())
        {
            for (int i = 0; i < 16; i++) (sums[i], sums[16 + i]) = (gates[i], i - 7.5f);
            Gating.Row(gate, sums, 1, result, past: false);
            for (int i = 0; i < 16; i++)
            {
                double expected = gate.Apply(gates[i], i - 7.5f);
                if (float.IsNaN(gates[i])) Assert.Equal(float.NaN, result[i]);
                // A gate far below zero is shut, or all but: 1e30 times 2^-126 is left.
                else Assert.True(Math.Abs(expected - result[i]) <= 2e-6 * Math.Abs(expected) + 1e-6, $"{gate} {gates[i]}: {result[i]}");
            }
        }
    }

    [Fact]
    public void Text_ReadsBackGates()
    {
        var layout = new WeightAttributes(WeightEncoding.Int8(), 64, 32) { Gate = WeightGate.Gelu };
        Node x = Nodes.Parameter(0, DType.Float32, [6, 32]), data = Nodes.Parameter(1, DType.UInt8, [layout.Bytes]);
        var function = new Function([x, data], [Nodes.Project(x, data, layout)]);
        string text = GraphText.Print(function);
        Assert.True(function == GraphText.Parse(text), text);
        Assert.Throws<GraphException>(() => GraphText.Parse(text.Replace("gate=gelu", "gate=relu", StringComparison.Ordinal)));
        string kernel = TileText.Print(Pipelines.Compile(function, OptimizationLevel.O2).Launches[0].Kernel.Program);
        Assert.Equal(kernel, TileText.Print(TileText.Parse(kernel)));
        Assert.Contains("\"i8_b32 64 32 1 gelu\"", kernel, StringComparison.Ordinal);
    }

    static void Check(WeightGate gate, float[] sums, float[] gated, string what)
    {
        Assert.Equal(sums.Length / 2, gated.Length);
        for (int i = 0; i < gated.Length; i++)
        {
            int at = i / 16 * 32 + i % 16;
            double expected = gate.Apply(sums[at], sums[at + 16]);
            Assert.True(Math.Abs(expected - gated[i]) <= 4e-6 * Math.Abs(expected) + 1e-6,
                $"{what} {gate}: element {i} is {gated[i]}, expected {expected}");
        }
    }

    static void Close(Tensor expected, Tensor actual)
    {
        float[] left = expected.ToArray<float>(), right = actual.ToArray<float>();
        for (int i = 0; i < left.Length; i++) Assert.Equal(left[i], right[i], 0.05 * Math.Abs(left[i]) + 0.25);
    }

    static Tensor Matrix(Random random, int rows, int columns) => Tensor.From<float>(Rows(random, rows, columns), [rows, columns]);

    static float[] Rows(Random random, int rows, int columns) =>
        [.. Enumerable.Range(0, rows * columns).Select(_ => (float)(random.NextDouble() * 2 - 1))];

    static float[] Run(CpuBackend backend, PackedWeight weight, float[] x, int rows, WeightGate? gate = null, int[]? experts = null)
    {
        var layout = weight.Attributes with { Gate = gate };
        Node left = Nodes.Parameter(0, DType.Float32, [rows, weight.Columns]),
            data = Nodes.Parameter(1, DType.UInt8, weight.Data.Shape), ids = Nodes.Parameter(2, DType.Int32, [rows]);
        var function = experts is null ? new Function([left, data], [Nodes.Project(left, data, layout)])
            : new([left, data, ids], [Nodes.ProjectExperts(left, data, ids, layout)]);
        int count = checked((int)(rows * layout.Outputs));
        var output = backend.Allocate(count * 4);
        output.Span<float>(count).Fill(float.NaN);
        Buffer[] inputs =
            [Buffers.Of<float>(x), weight.Data.Memory(), .. experts is null ? [] : (Buffer[])[Buffers.Of<int>(experts)]];
        backend.Compile(function, new()).Run(inputs, [output], []);
        return output.Span<float>(count).ToArray();
    }
}
