using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Tests.Tiles.Programs;
using static Ashlar.Tiles.TileNodes;

namespace Ashlar.Tests.Tiles;

public class TileTextTests
{
    public static TheoryData<int> Indices => [.. Enumerable.Range(0, Samples().Count())];

    [Fact]
    public void Print_ReadsLikeTheKernel()
    {
        Assert.Equal("""
            symbol B: 1..8 step 1
            kernel kernel(b0: f32[B, 5], b1: out f32[B, 5]) {
              parallel i0 < B {
                tile t0: f32[] register
                tile t1: f32[] register
                tile t2: f32[5]
                each over i1 < 5 {
                  t0[] = reduce_max(b0[i0, i1])
                }
                each i1 < 5 {
                  t2[i1] = exp(b0[i0, i1] - t0[])
                }
                each over i1 < 5 {
                  t1[] = reduce_sum(t2[i1])
                }
                each i1 < 5 {
                  b1[i0, i1] = t2[i1] / t1[]
                }
              }
            }

            """, TileText.Print(Softmax(new Symbol("B", 1, 8), 5)));
    }

    [Fact]
    public void Print_NamesSharedExpressionsAndRaggedEdges()
    {
        Assert.Equal("""
            symbol N: 1..100 step 2
            kernel kernel(b0: f32[N], b1: out f32[N]) {
              parallel i0 < 25 {
                each i1 < min(4, N - i0 * 4) of 4 {
                  let v0 = i0 * 4 + i1
                  let v1 = b0[v0]
                  let v2 = v1 * v1 * 0.5 + v1
                  stream b1[v0] = exp(v2) / (v2 + 3.0)
                }
              }
            }

            """, TileText.Print(Elementwise(new Symbol("N", 1, 100, 2))));
    }

    [Theory]
    [MemberData(nameof(Indices))]
    public void Parse_GivesBackWhatPrintWrote(int sample)
    {
        string text = TileText.Print(Samples().ElementAt(sample));
        var parsed = TileText.Parse(text);
        TileVerifier.Check(parsed);
        Assert.Equal(text, TileText.Print(parsed));
    }

    [Theory]
    [MemberData(nameof(Indices))]
    public void Print_IsTheSame_WhenThePartsAreOtherObjects(int sample) =>
        Assert.Equal(TileText.Print(Samples().ElementAt(sample)), TileText.Print(Samples().ElementAt(sample)));

    [Fact]
    public void Key_DiffersWhereverKernelsDo()
    {
        var keys = Samples().Select(TileText.Key).ToList();
        keys.Add(TileText.Key(Elementwise(new Symbol("N", 1, 100))));
        keys.Add(TileText.Key(Elementwise(new Symbol("N", 1, 99, 2))));
        keys.Add(TileText.Key(Elementwise(new Symbol("M", 1, 100, 2))));
        keys.Add(TileText.Key(Elementwise(10, block: 5)));
        keys.Add(TileText.Key(Flash(10, 4)));
        keys.Add(TileText.Key(Scatter(4, 3, StoreMode.Add)));
        keys.Add(TileText.Key(CumSum(2, 3, false)));
        Assert.Equal(keys.Count, keys.Distinct().Count());
    }

    [Fact]
    public void Key_IgnoresNames()
    {
        var program = Elementwise(10);
        Assert.Equal(TileText.Key(program), TileText.Key(program with { Name = "other" }));
        Assert.NotEqual(TileText.Print(program), TileText.Print(program with { Name = "other" }));
    }

    [Fact]
    public void PrintNamed_UsesTheNamesOfThePartsThemselves() =>
        Assert.Contains("each c < 5 {\n      y[r, c] = e[c] / sum[]", TileText.PrintNamed(Softmax(2, 5)));

    // Every value must come back with its bits.
    [Theory]
    [InlineData(DType.Float32, 0.1, "0.1")]
    [InlineData(DType.Float32, -0.0, "-0.0")]
    [InlineData(DType.Float32, 1e30, "1E+30")]
    [InlineData(DType.Float64, 3.0, "3.0_f64")]
    [InlineData(DType.Float16, double.NegativeInfinity, "-inf_f16")]
    [InlineData(DType.BFloat16, double.NaN, "nan_bf16")]
    [InlineData(DType.Int64, -7.0, "-7")]
    [InlineData(DType.UInt8, 200.0, "200_u8")]
    [InlineData(DType.Bool, 1.0, "true")]
    public void Constants_KeepValueAndType(DType dtype, double value, string expected)
    {
        var y = new TileBuffer("y", dtype, [], true);
        var constant = Nodes.Constant(value, dtype, Shape.Scalar);
        string text = TileText.Print(Program([y], new Store(y, [], constant, [])));
        Assert.Contains($"b0[] = {expected}\n", text);
        Assert.Same(constant, ((Store)TileText.Parse(text).Body[0]).Value);
    }

    [Fact]
    public void Constants_KeepTheirBits_WhenTheyAreExtreme()
    {
        var y = new TileBuffer("y", DType.Int64, [], true);
        foreach (long value in (long[])[long.MinValue, long.MaxValue, (1L << 53) + 1])
        {
            string text = TileText.Print(Program([y], new Store(y, [], Number(value), [])));
            Assert.Same(Number(value), ((Store)TileText.Parse(text).Body[0]).Value);
        }
        var x = new TileBuffer("x", DType.Float64, [], true);
        var nan = Nodes.Constant(BitConverter.Int64BitsToDouble(0x7ff8_0000_0000_1234), DType.Float64, Shape.Scalar);
        Assert.Same(nan, ((Store)TileText.Parse(TileText.Print(Program([x], new Store(x, [], nan, [])))).Body[0]).Value);
    }

    public static TheoryData<string> Expressions =>
    [
        "b0[0] - (b0[1] - b0[2])", "-(b0[0] * b0[1])", "-b0[0] * b0[1]", "-(2.0)", "-(-2.0)", "--b0[3]",
        "(b0[0] + b0[1]) % b0[2]",
        "b0[0] * (b0[1] / b0[2])", "select((b0[0] < b0[1]) == (b0[2] <= b0[3]), 1.0, max(b0[i0], -inf))",
        "f32(i32(b0[0]) << 3_i32 & 255_i32 ^ 1_i32 | 4_i32)",
        "bits_f32(random_bits(1_i32, 2_i32, i32({2*N+1})))", "f32(!(!(b0[0] < 1.0) | true))", "b0[i0 where i0 < N]",
        "b0[bound(i0 * 2 - 1, {N-2}, \"a \\\"b\\\" \\\\ c\")]",
        "pow(b0[0], 2.0) - erf(rsqrt(recip(b0[1])))",
    ];

    [Theory]
    [MemberData(nameof(Expressions))]
    public void Expressions_KeepTheirStructure(string expression)
    {
        string text =
            $"symbol N: 4..9 step 1\nkernel k(b0: f32[N], b1: out f32[N]) {{\n  each i0 < N {{\n    b1[i0] = {expression}\n  }}\n}}\n";
        Assert.Equal(text, TileText.Print(TileText.Parse(text)));
    }

    [Fact]
    public void CanonicalNames_GetUnderscores_WhenASymbolIsCalledLikeOne()
    {
        var program = Elementwise(new Symbol("i1", 1, 100, 2));
        string text = TileText.Print(program);
        Assert.Contains("_b0: f32[i1]", text);
        Assert.Equal(text, TileText.Print(TileText.Parse(text)));
    }

    [Fact]
    public void DeepExpressions_AreCutIntoLets()
    {
        var y = new TileBuffer("y", DType.Float32, [], true);
        Node value = y.Load([]);
        for (int i = 0; i < 50_000; i++) value = i % 2 == 0 ? F32(i) - value : Nodes.Exp(value);
        var program = Program([y], new Store(y, [], value, []));
        string text = TileText.Print(program);
        Assert.All(text.Split('\n'), line => Assert.True(line.Length < 400));
        Assert.Equal(text, TileText.Print(TileText.Parse(text)));
    }

    [Fact]
    public void Text_KeepsBehaviour()
    {
        double[] a = [1, 2, 3, 4, 5, 6], b = [1, -1, 2, 0, 3, 1], expected = new double[4], found = new double[4];
        var program = MatMul(2, 2, 3);
        var parsed = TileText.Parse(TileText.Print(program));
        TileInterpreter.Run(program, new Dictionary<TileBuffer, double[]>
        {
            [program.Buffers[0]] = a,
            [program.Buffers[1]] = b,
            [program.Buffers[2]] = expected
        });
        TileInterpreter.Run(parsed, new Dictionary<TileBuffer, double[]>
        {
            [parsed.Buffers[0]] = a,
            [parsed.Buffers[1]] = b,
            [parsed.Buffers[2]] = found
        });
        Assert.Equal([14, 2, 32, 2], found.Select((x, i) => expected[i] == x ? x : double.NaN));
    }

    [Theory]
    [InlineData("kernel k() {", "ASH0540", "the end of the text at line 1, column 13")]
    [InlineData("kernel k() { loop i < 3 { } }", "ASH0540", "'loop' at line 1, column 14")]
    [InlineData("kernel k() {\n  serial i < n { }\n}", "ASH0541", "'n' at line 2, column 14")]
    [InlineData("kernel k(x: f33[2]) { }", "ASH0540", "'f33'")]
    [InlineData("kernel k(x: f32[2], x: f32[2]) { }", "ASH0541", "declared twice")]
    [InlineData("kernel k(x: out f32[2]) { each i < 2 { x[i] = x[i] + 1 } }", "ASH0542", "line 1, column 52")]
    [InlineData("kernel k(x: out f32[2]) { each i < 2 { x[i] = cube(x[i]) } }", "ASH0541", "'cube'")]
    [InlineData("kernel k(x: out f32[2]) { each i < 2 { x[i] = 1.0_i32 } }", "ASH0540", "'1.0_i32'")]
    [InlineData("kernel k(x: out f32[2]) { each i < 2 { x[i] = cum_sum(x[i]) } }", "ASH0541", "'cum_sum'")]
    [InlineData("kernel k(x: out f32[2]) { each i < 2 over j < 2 { x[i] = cum_sum(x[i]) } }", "ASH0540", "'cum_sum'")]
    [InlineData("kernel k(x: out f32[2]) { each i < 1 + 1 { x[i] = 1.0 } }", "ASH0540", "'of'")]
    [InlineData("symbol inf: 1..2 step 1 kernel k() { }", "ASH0540", "'inf'")]
    [InlineData("kernel k() { # }", "ASH0540", "'#'")]
    [InlineData("kernel k(x: out f32[]) { each { x[] = bound(1, 2, \"a }", "ASH0540", "an open quote")]
    public void Parse_SaysWhere_WhenTheTextIsWrong(string text, string code, string found)
    {
        var error = Assert.Throws<KernelException>(() => TileText.Parse(text));
        Assert.Equal(code, error.Code);
        Assert.Contains(found, error.Message);
    }

    [Fact]
    public void Parse_Fails_WhenParenthesesGoTooDeep()
    {
        string deep = new string('(', 10_000) + "1.0" + new string(')', 10_000);
        Assert.Equal("ASH0540", Assert.Throws<KernelException>(() =>
            TileText.Parse($"kernel k(x: out f32[]) {{ each {{ x[] = {deep} }} }}")).Code);
    }
}
