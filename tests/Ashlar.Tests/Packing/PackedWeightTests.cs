using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Graph;
using Ashlar.Runtime;

namespace Ashlar.Tests.Packing;

public sealed class PackedWeightTests : IDisposable
{
    readonly Device.Selection selection = WeightSamples.Cpu.Select();

    public void Dispose() => selection.Dispose();

    static readonly (int Rows, int Columns)[] shapes =
        [(1, 1), (15, 16), (16, 31), (17, 32), (31, 33), (32, 64), (33, 127), (70, 128), (5, 129), (40, 1120)];

    [Fact]
    public void Encoding_IsReadBackFromItsName()
    {
        Assert.All(WeightEncoding.All, encoding => Assert.Equal(encoding, WeightEncoding.Parse(encoding.Name)));
        Assert.Equal(WeightEncoding.All.Count, WeightEncoding.All.Select(encoding => encoding.Name).Distinct().Count());
        Assert.Null(WeightEncoding.Parse("i3_b32"));
        Assert.Equal("ASH0640", Assert.Throws<DTypeException>(() => WeightEncoding.Int4(64)).Code);
    }

    [Theory, MemberData(nameof(WeightSamples.Names), MemberType = typeof(WeightSamples))]
    public void Layout_PutsEveryPartElsewhere(string name)
    {
        var layout = new WeightLayout(WeightEncoding.Parse(name)!, 70, 1120);
        Assert.Equal(layout.Bytes, layout.Panels * layout.Steps * layout.StepBytes);
        var offsets = from panel in Enumerable.Range(0, (int)layout.Panels)
                      from step in Enumerable.Range(0,
            (int)layout.Steps)
                      select layout.Offset(panel, step);
        Assert.Equal(Enumerable.Range(0, (int)(layout.Panels * layout.Steps)).Select(i => (long)i * layout.StepBytes),
            offsets.Order());
        int halves = layout.Encoding.Code == WeightCode.Int4 ? 2 : 1;
        var codes =
            from output in Enumerable.Range(0, 32) from input in Enumerable.Range(0, 32) select layout.CodeAt(output, input);
        Assert.All(codes.GroupBy(at => at), group => Assert.Equal(halves, group.Count()));
        if (layout.Encoding.IsQuantized) Assert.True(layout.ScaleAt(0, 0) > codes.Max());
    }

    [Theory, MemberData(nameof(WeightSamples.Names), MemberType = typeof(WeightSamples))]
    public void Pack_KeepsWhatBlocksHold(string name)
    {
        var encoding = WeightEncoding.Parse(name)!;
        foreach (var (rows, columns) in shapes)
        {
            bool isExact = !encoding.IsQuantized || columns % encoding.Block == 0;
            var (weight, values) = WeightSamples.Random(encoding, rows, columns, rows * 1000 + columns);
            byte[] bytes = WeightSamples.Bytes(weight);
            var layout = new WeightLayout(encoding, rows, columns);
            double worst = encoding.Code == WeightCode.Int8 ? 0.02 : 0.3;
            for (int row = 0; row < rows; row++)
                for (int column = 0; column < columns; column++)
                    if (isExact) Assert.Equal(values[row, column], layout.Decode(bytes, row, column), 1e-6);
                    else if (encoding.Table != WeightTable.FromZero || encoding.HasMinimum)
                        Assert.InRange(layout.Decode(bytes, row, column) - values[row, column], -worst, worst);
        }
    }

    [Fact]
    public void Pack_LaysBFloat16AsTheTileUnitTakesIt()
    {
        const int rows = 70, columns = 1111;
        var layout = new WeightLayout(WeightEncoding.BF16, rows, columns);
        Assert.Equal(PackedOperand.Bytes(TileProduct.BF16, columns, rows), layout.Bytes);
        var (blocks, steps) = MatrixBlocking.InnerBlocksOf(layout.Steps);
        Assert.Equal((blocks, steps), (layout.Blocks, layout.BlockSteps));
    }

    [Fact]
    public void Pack_StacksPartsAndExperts()
    {
        var encoding = WeightEncoding.Int8();
        var parts = new[] { 3, 40, 21 }.Select((rows, i) => WeightSamples.Source(encoding, rows, 64, i)).ToArray();
        var all = WeightSamples.Source(encoding, 64, 64, 9);
        var weight = PackedWeight.PackExperts(encoding, [[.. parts.Select(part => part.Source)], [all.Source]]);
        Assert.Equal((64, 64, 2), (weight.Rows, weight.Columns, weight.Count));
        byte[] bytes = WeightSamples.Bytes(weight);
        var layout = new WeightLayout(encoding, 64, 64);
        for (int k = 0; k < 64; k++)
        {
            Assert.Equal(parts[0].Values[2, k], layout.Decode(bytes, 2, k));
            Assert.Equal(parts[1].Values[0, k], layout.Decode(bytes, 3, k));
            Assert.Equal(parts[2].Values[20, k], layout.Decode(bytes, 63, k));
            Assert.Equal(all.Values[5, k], layout.Decode(bytes.AsSpan((int)layout.Bytes), 5, k));
        }
    }

    [Theory, InlineData(DType.Float32), InlineData(DType.Float16), InlineData(DType.BFloat16)]
    public void Pack_QuantizesFloatsWithinHalfAStep(DType dtype)
    {
        var matrix = Tensor.RandomNormal(3, 33, 96).Cast(dtype);
        float[] values = matrix.Cast(DType.Float32).ToArray<float>();
        foreach (var encoding in WeightEncoding.All.Where(encoding => encoding.IsQuantized
            && (encoding.HasMinimum || encoding.Table != WeightTable.FromZero)))
        {
            var weight = PackedWeight.Pack(encoding, matrix);
            float[] back = weight.RowsAt(Tensor.Arange(33)).ToArray<float>();
            double error = Math.Sqrt(values.Zip(back, (a, b) => (a - b) * (double)(a - b)).Average());
            Assert.True(error < (encoding.Code == WeightCode.Int8 ? 0.012 : 0.16), $"{encoding}: {error}");
        }
    }

    [Fact]
    public void Pack_FlushesDenormals_OfBFloat16()
    {
        var weight = PackedWeight.Pack(WeightEncoding.BF16, Tensor.From<float>([1e-39f, -1e-39f, 1e-37f, 2f], [1, 4]));
        Assert.Equal([0f, 0f, (float)(BFloat16)1e-37f, 2f], weight.RowsAt(Tensor.From<int>([0], [1])).ToArray<float>());
    }

    [Fact]
    public void Pack_Refuses()
    {
        Assert.Equal("ASH0648", Assert.Throws<ModelFileException>(() =>
            PackedWeight.Pack(WeightEncoding.BF16, Tensor.From<float>([1f, float.NaN], [1, 2]))).Code);
        Assert.Equal("ASH0648", Assert.Throws<ModelFileException>(() =>
            PackedWeight.Pack(WeightEncoding.F16, Tensor.From<float>([1f, 1e6f], [1, 2]))).Code);
        Assert.Equal("ASH0648", Assert.Throws<ModelFileException>(() =>
            PackedWeight.Pack(WeightEncoding.Int8(), Tensor.From<float>([1f, float.PositiveInfinity], [1, 2]))).Code);
        Assert.Equal("ASH0648", Assert.Throws<ModelFileException>(() =>
            PackedWeight.Pack(WeightEncoding.Int8(), Tensor.From<float>([1f, 1e9f], [1, 2]))).Code);
        Assert.Equal("ASH0647", Assert.Throws<ShapeException>(() =>
            WeightSource.OfBlocks(1, 40, 32, (_, _, _, _, _) => { })).Code);
        Assert.Equal("ASH0647", Assert.Throws<ShapeException>(() =>
            PackedWeight.Pack(WeightEncoding.BF16, WeightSource.OfBlocks(1, 32, 32, (_, _, _, _, _) => { }))).Code);
        Assert.Equal("ASH0647",
            Assert.Throws<ShapeException>(() =>
                PackedWeight.Pack(WeightEncoding.BF16,
                    [WeightSource.Of(Tensor.Ones(2, 3)), WeightSource.Of(Tensor.Ones(2, 4))])).Code);
        Assert.Equal("ASH0641", Assert.Throws<ShapeException>(() => WeightSource.Of(new byte[7], DType.Float32, 1, 2)).Code);
        Assert.Equal("ASH0641", Assert.Throws<ShapeException>(() =>
            new PackedWeight(WeightEncoding.BF16, 4, 4, Tensor.Zeros([7], DType.UInt8))).Code);
        Assert.Equal("ASH0644", Assert.Throws<DTypeException>(() => WeightSource.Of(new byte[7], DType.Int8, 1, 2)).Code);
        Assert.Throws<OperationCanceledException>(() =>
            PackedWeight.Pack(WeightEncoding.BF16, WeightSource.Of(Tensor.Ones(2, 3)), cancellation: new(true)));
    }

    [Fact]
    public void Pack_TellsItsProgress()
    {
        long most = 0;
        var progress = new Told(rows => most = Math.Max(most, rows));
        PackedWeight.Pack(WeightEncoding.Int4(), WeightSource.Of(Tensor.Ones(200, 64)), progress);
        Assert.Equal(200, most);
    }

    sealed class Told(Action<long> tell) : IProgress<long>
    {
        public void Report(long value)
        {
            lock (this) tell(value);
        }
    }
}
