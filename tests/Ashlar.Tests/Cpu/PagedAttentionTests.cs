using System.Runtime.Intrinsics;
using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Attention;
using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Tests.Cpu;

public sealed class PagedAttentionTests
{
    const int Pages = 40, MostPages = 9;

    public static TheoryData<string> Cases => new(
        "float32 4 2 8 8", "bfloat16 4 2 8 8", "int8 4 2 8 8",
        "float32 8 8 64 64", "bfloat16 8 2 64 64", "int8 8 2 64 64",
        "float32 6 1 40 24", "bfloat16 6 1 40 24", "bfloat16 40 1 72 33", "int8 6 3 33 65", "bfloat16 80 1 16 16",
        "float32 4 2 16 16 window=5", "bfloat16 4 2 16 16 window=33", "bfloat16 4 2 16 16 cap=2",
        "float32 4 2 16 16 cap=5 window=40",
        "bfloat16 4 2 16 16 sinks", "int8 4 2 16 16 sinks window=7");

    [Theory, MemberData(nameof(Cases))]
    public void Attention_EqualsItsReference_WhateverIsNew(string text)
    {
        var random = new Random(7);
        // Texts of several lengths: one new token each, a long prompt, and both at once.
        Check(text, random, [(0, 0, 1), (1, 255, 1), (2, 64, 1)]);
        Check(text, random, [(1, 0, 77)]);
        Check(text, random, [(0, 31, 1), (2, 100, 70), (1, 5, 3)]);
        Check(text, random, [(0, 287, 1)]);
    }

    [Theory]
    [InlineData("float32 2 1 16 16"), InlineData("bfloat16 4 2 16 16"), InlineData("bfloat16 8 1 24 40")]
    [InlineData("bfloat16 10 1 16 16"), InlineData("int8 4 2 16 16"), InlineData("bfloat16 4 2 16 16 cap=3 window=700 sinks")]
    public void Attention_EqualsItsReference_WhenPagesAreSplit(string text)
    {
        // From 32 pages on parts of them are items of their own.
        var random = new Random(11);
        Check(text, random, [(0, 1100, 1)], mostPages: 36);
        Check(text, random, [(1, 40, 1), (0, 1055, 1)], mostPages: 36);
        Check(text, random, [(2, 1054, 3)], mostPages: 36);
    }

    [Fact]
    public void Attention_NamesThePage_WhenATableIsWrong()
    {
        using var workers = new Workers(2);
        var kernel = Kernel("float32 4 2 8 8", 1);
        var inputs = Inputs(kernel, new Random(1), [(0, 70, 1)]);
        inputs[6].Data[1] = Pages;
        var error = Assert.Throws<KernelException>(() => Run(kernel, inputs, Isa.Chosen, workers, tiles: true));
        Assert.Equal("ASH0588", error.Code);
        Assert.Contains($"page 1 of text 0 is page {Pages} of a cache of {Pages}", error.Message, StringComparison.Ordinal);
        inputs[6].Data[1] = 3;
        inputs[5].Data[0] = MostPages * 32;
        Assert.Contains("not within its 9 pages", Assert.Throws<KernelException>(() =>
            Run(kernel, inputs, Isa.Chosen, workers, tiles: true)).Message, StringComparison.Ordinal);
        inputs[4].Data[0] = 3;
        Assert.Contains("of text 3, but there are 3", Assert.Throws<KernelException>(() =>
            Run(kernel, inputs, Isa.Chosen, workers, tiles: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Attention_NamesTheShapes_WhenTheyDoNotFit()
    {
        NodeType f32(params Extent[] extents) => new(DType.Float32, Shape.Of(extents));
        NodeType i32(params Extent[] extents) => new(DType.Int32, Shape.Of(extents));
        var error = Assert.Throws<ShapeException>(() => new PagedAttention(DType.Float32, new(1),
            [f32(1, 4, 8), f32(1, 3, 8), f32(1, 3, 8), new(DType.UInt8, [4, 3, 2048]), i32(1), i32(1), i32(1, 2)]));
        Assert.Equal("ASH0171", error.Code);
        Assert.Contains("G divides H", error.Message, StringComparison.Ordinal);
        Assert.Equal("ASH0227", Assert.Throws<DTypeException>(() => new PageLayout(DType.Float16, 8, 8)).Code);
        Assert.Equal("ASH0170", Assert.Throws<ShapeException>(() => new PageLayout(DType.Int8, 0, 8)).Code);
    }

    [Fact]
    public void Page_ForgetsTheTextBefore_WhenItsFirstTokenIsWritten()
    {
        using var workers = new Workers(1);
        var kernel = Kernel("bfloat16 4 2 8 8", 1);
        var inputs = Inputs(kernel, new Random(1), [(0, 0, 1)]);
        Array.Fill(inputs[3].Data, 0xFF);   // all no number
        Assert.All(Run(kernel, inputs, Isa.Chosen, workers, tiles: true)[0].Data, value => Assert.True(double.IsFinite(value)));
    }

    [Theory]
    [InlineData("float32 4 2 32 32"), InlineData("bfloat16 4 2 32 32"), InlineData("int8 4 2 32 32")]
    public void Attention_IsNoNumber_WhereAQueryOrAKeyIsNone(string text)
    {
        using var workers = new Workers(2);
        foreach (int tokens in (int[])[1, 70])
            foreach (int input in (int[])[0, 1])
                foreach (bool tiles in (bool[])[true, false])
                {
                    var kernel = Kernel(text, tokens);
                    var inputs = Inputs(kernel, new Random(1), [(0, 40, tokens)]);
                    inputs[input].Data[3] = double.NaN;
                    // The first token's first head takes part in both; the last head has keys of its own.
                    var result = Run(kernel, inputs, Isa.Chosen, workers, tiles)[0].Data;
                    Assert.All(result[..32],
                        value => Assert.True(double.IsNaN(value), $"{tokens} tokens, input {input}: {value}"));
                    Assert.All(result[96..128], value => Assert.True(double.IsFinite(value)));
                }
    }

    [Fact]
    public unsafe void Exp_IsWithinTwoUnitsOfTheLastPlace()
    {
        for (float x = -87; x <= 0; x += 0.0101f)
        {
            float actual = PagePanels.Exp(Vector512.Create(x))[0], expected = MathF.Exp(x);
            Assert.InRange(Math.Abs(BitConverter.SingleToInt32Bits(actual) - BitConverter.SingleToInt32Bits(expected)), 0, 2);
        }
        Assert.Equal(0, PagePanels.Exp(Vector512.Create(float.NegativeInfinity))[5]);
        Assert.Equal(0, PagePanels.Exp(Vector512.Create(-90f))[5]);
        Assert.True(float.IsNaN(PagePanels.Exp(Vector512.Create(float.NaN))[5]));
    }

    [Theory, InlineData(0, 0), InlineData(0, 7), InlineData(5, 48), InlineData(16, 32), InlineData(40, 41), InlineData(0, 64)]
    public unsafe void Hide_ChangesWhatLiesBetween_AndNothingElse(int from, int to)
    {
        float* numbers = stackalloc float[64];
        for (int i = 0; i < 64; i++) numbers[i] = i;
        PagePanels.Hide(numbers, from, to);
        for (int i = 0; i < 64; i++) Assert.Equal(i >= from && i < to ? float.NegativeInfinity : i, numbers[i]);
    }

    static void Check(string text, Random random, (int Text, int Place, int Count)[] news, int mostPages = MostPages)
    {
        var kernel = Kernel(text, news.Sum(run => run.Count), mostPages);
        var inputs = Inputs(kernel, random, news);
        var expected = kernel.Evaluate(inputs);
        using var one = new Workers(1);
        using var two = new Workers(2);
        foreach (var (workers, tiles) in new[] { (one, true), (two, true), (two, false) })
        {
            var actual = Run(kernel, inputs, Isa.Chosen, workers, tiles);
            double tolerance = kernel.Layout.DType == DType.Float32
                ? 2e-5
                : tiles ? 3e-2 : kernel.Layout.DType == DType.Int8 ? 5e-3 : 1e-4;
            for (int i = 0; i < expected[0].Data.Length; i++)
                Assert.True(Math.Abs(expected[0].Data[i] - actual[0].Data[i]) <= tolerance
                    * Math.Max(1, Math.Abs(expected[0].Data[i])),
                    $"{text}{(tiles ? " with tiles" : "")}, {workers.Count} workers, [{string.Join(", ", news)}]: element {i} should be {expected[0].Data[i]}, but is {actual[0].Data[i]}");
            // Codes of bytes may round the other way where the factor is a float32 quotient; all else is exact.
            if (kernel.Layout.DType != DType.Int8) Assert.Equal(expected[1].Data, actual[1].Data);
        }
    }

    static PagedAttention Kernel(string text, int tokens, int mostPages = MostPages)
    {
        string[] words = text.Split(' ');
        int heads = int.Parse(words[1]), kvHeads = int.Parse(words[2]), keyWidth = int.Parse(words[3]),
            valueWidth = int.Parse(words[4]);
        var dtype = Enum.Parse<DType>(words[0], ignoreCase: true);
        int? window = null;
        double? cap = null;
        foreach (string word in words)
        {
            if (word.StartsWith("window=", StringComparison.Ordinal)) window = int.Parse(word[7..]);
            if (word.StartsWith("cap=", StringComparison.Ordinal)) cap = int.Parse(word[4..]);
        }
        bool sinks = words.Contains("sinks");
        long bytes = new PageLayout(dtype, keyWidth, valueWidth).Bytes;
        NodeType[] inputs =
        [
            new(DType.Float32, [tokens, heads, keyWidth]), new(DType.Float32, [tokens, kvHeads, keyWidth]),
            new(DType.Float32, [tokens, kvHeads, valueWidth]),
            new(DType.UInt8, [Math.Max(Pages, 3 * mostPages), kvHeads, bytes]),
            new(DType.Int32, [tokens]), new(DType.Int32, [tokens]), new(DType.Int32, [3, mostPages]),
            .. sinks ? [new(DType.Float32, [heads])] : (NodeType[])[],
        ];
        return new(dtype, new(1 / Math.Sqrt(keyWidth), window, cap, sinks), inputs);
    }

    // The cache already holds the tokens before the new ones: written by the reference itself.
    static Value[] Inputs(PagedAttention kernel, Random random, (int Text, int Place, int Count)[] news)
    {
        int[] pages = [.. Enumerable.Range(0, (int)kernel.Inputs[3].Shape[0].Value)];
        random.Shuffle(pages);
        var tableShape = kernel.Inputs[6].Shape.Values;
        double[] tables = [.. pages.Take((int)(tableShape[0] * tableShape[1])).Select(page => (double)page)];
        Value Random(IReadOnlyList<long> extents) =>
            new([.. Enumerable.Range(0, (int)extents.Aggregate(1L, (a, b) => a * b))
                .Select(_ => (double)(float)(random.NextDouble() * 4 - 2))], [.. extents]);
        var cache = Value.Zeros(kernel.Inputs[3].Shape.Values);
        foreach (var (text, place, _) in news)
        {
            if (place == 0) continue;
            var before = new PagedAttention(kernel.Layout.DType, new(0, Window: 1), [.. kernel.Inputs.Take(7).Select((type, i) =>
                i is 3 or 6 ? type : type with { Shape = Shape.Of([place, .. type.Shape.Skip(1)]) })]);
            cache = before.Evaluate([Value.Zeros([place, kernel.Heads, kernel.Layout.KeyWidth]),
                Random(before.Inputs[1].Shape.Values), Random(before.Inputs[2].Shape.Values), cache,
                new([.. Enumerable.Repeat((double)text, place)], [place]),
                new([.. Enumerable.Range(0, place).Select(i => (double)i)], [place]), new(tables, tableShape)])[1];
        }
        return
        [
            Random(kernel.Inputs[0].Shape.Values), Random(kernel.Inputs[1].Shape.Values),
            Random(kernel.Inputs[2].Shape.Values), cache,
            new([.. news.SelectMany(run => Enumerable.Repeat((double)run.Text, run.Count))], kernel.Inputs[4].Shape.Values),
            new([.. news.SelectMany(run => Enumerable.Range(run.Place, run.Count).Select(place => (double)place))],
                kernel.Inputs[5].Shape.Values),
            new(tables, tableShape),
            .. kernel.Options.HasSinks ? [Random(kernel.Inputs[7].Shape.Values)] : (Value[])[],
        ];
    }

    [Theory, InlineData("bfloat16 4 2 32 32"), InlineData("float32 4 2 32 32"), InlineData("bfloat16 40 2 32 32")]
    public void Attention_AllocatesNothing_WhenATokenIsRead(string text)
    {
        using var workers = new Workers(1);   // only the caller's allocations are counted
        var kernel = Kernel(text, 1, mostPages: 36);
        var inputs = Inputs(kernel, new Random(3), [(0, 1050, 1)]);
        var (program, buffers, outputs) = Prepared(kernel, inputs, Isa.Chosen, workers, tiles: true);
        for (int i = 0; i < 3; i++) program.Run(buffers, outputs, []);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++) program.Run(buffers, outputs, []);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    static Value[] Run(PagedAttention kernel, Value[] inputs, Isa isa, Workers workers, bool tiles)
    {
        var (program, buffers, outputs) = Prepared(kernel, inputs, isa, workers, tiles);
        program.Run(buffers, outputs, []);
        return [.. kernel.Outputs.Select((type, i) => Storage.Load(outputs[i], type.DType, type.Shape.Values))];
    }

    static (IProgram Program, Buffer[] Inputs, Buffer[] Outputs) Prepared(PagedAttention kernel, Value[] inputs, Isa isa,
        Workers workers, bool tiles)
    {
        var backend = new CpuBackend(isa, workers, tiles);
        Node[] parameters = [.. kernel.Inputs.Select((type, i) => Nodes.Parameter(i, type.DType, type.Shape))];
        var function = new Function(parameters.ToValueList(),
            new[] { Node.Of(Op.Kernel, parameters, new KernelAttributes(kernel, 0)),
                Node.Of(Op.Kernel, parameters, new KernelAttributes(kernel, 1)) }.ToValueList());
        var program = backend.Compile(function, new(Donations: new[] { (1, 3) }.ToValueList()));
        Buffer[] buffers = [.. kernel.Inputs.Select(type => backend.Allocate(type.Shape.Elements.Value * type.DType.Bytes))];
        for (int i = 0; i < buffers.Length; i++) Storage.Store(inputs[i].Data, kernel.Inputs[i].DType, buffers[i]);
        Buffer[] outputs = [backend.Allocate(kernel.Outputs[0].Shape.Elements.Value * 4), buffers[3]];
        return (program, buffers, outputs);
    }
}
