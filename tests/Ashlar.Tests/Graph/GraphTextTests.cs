using System.Globalization;
using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

public class GraphTextTests
{
    [Fact]
    public void Print_ReadsLikeTheGrammar()
    {
        Symbol b = new("B", 1, 64, 2);
        Node x = Parameter(0, DType.Float32, [b, 128], "x"), w = Parameter(1, DType.Float32, [128, 10]);
        var y = Contract(x, w, [], [], [1], [0]) + Constant(0.1, DType.Float32, [b, 10]);
        Assert.Equal("""
            symbol B: 1..64 multiple 2
            function(%0 "x": f32[B, 128], %1: f32[128, 10]) {
              %2 = contract %0 %1 sum_left=[1] sum_right=[0] : f32[B, 10]
              %3 = constant value=0.1 : f32[B, 10]
              %4 = add %2 %3 : f32[B, 10]
              return %4
            }

            """, GraphText.Print(new Function([x, w], [y])));
    }

    [Fact]
    public void Parse_GivesTheSameNodes_OfRandomGraphs()
    {
        var seen = new HashSet<Op>();
        for (int seed = 0; seed < 300; seed++)
        {
            var function = new RandomGraphs(20, seed % 2 == 0 ? DType.Float32 : DType.BFloat16, Symbolic: seed % 3 == 0)
                .Make(seed);
            string text = GraphText.Print(function);
            Assert.True(function == GraphText.Parse(text), text);
            seen.UnionWith(function.Order().Select(node => node.Op));
        }
        Op[] rare = [Op.Buffer, Op.Size, Op.BitCast, Op.RandomBits, Op.Barrier, Op.Custom, Op.Kernel, Op.Project,
            Op.ProjectExperts, Op.WeightRows, Op.Index, Op.Load, Op.Bound];
        Assert.Empty(Enum.GetValues<Op>().Except(seen).Except(rare));
    }

    [Fact]
    public void Parse_GivesTheSameNodes_OfWhatRandomGraphsLack()
    {
        Symbol b = new("B"), t = new("T", 0, 100, 4);
        var x = Parameter(0, DType.Float32, [(Extent)b * 4 + (Extent)t * b * 2 - 1], "a \"quoted\\\" name");
        var foreign = Parameter(7, DType.Float32, x.Shape, "outer");
        var buffer = Node.Of(Op.Buffer, [], new BufferAttributes(new object(), DType.Float32, x.Shape));
        var again = Node.Of(Op.Buffer, [], new BufferAttributes(new object(), DType.Float32, x.Shape));
        var p = Parameter(0, DType.Float32, x.Shape);
        var inner = new Function([p], [Exp(p) + buffer]);
        var custom = Node.Of(Op.Custom, [x], new CustomAttributes(inner, null, "inner"));
        var checkpoint = Checkpoint.Of(Unary(Op.Tanh, Exp(custom)) * again, [custom]);
        var nan = Node.Of(Op.Constant, [], new ConstantAttributes(0x7ff8_0000_0000_1234, DType.Float32, x.Shape));
        Node[] odd = [.. new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 1e-310, 0.1, 1 / 3.0 }
            .SelectMany(value =>
                new[] { x.Like(value), Constant(value, DType.Float64, x.Shape), Constant(value, DType.Float16, x.Shape) })];
        Node[] results = [checkpoint, foreign, buffer, Barrier(x, custom), BitCast(x, DType.Int32), Cast(x, DType.Bool),
            Size((Extent)b * t + 3), nan, .. odd,
            Constant(long.MinValue, DType.Int64, []), Constant(1, DType.Bool, []),
                Fold(Window(Parameter(8, DType.Float32, [8]), 0, 2, 3, 1), 0, 8, 3, 1)];
        var function = new Function([x], [.. results]);
        string text = GraphText.Print(function);
        Assert.Equal(function, GraphText.Parse(text, GraphText.Buffers(function)));
        Assert.Equal(text, GraphText.Print(GraphText.Parse(text)));
    }

    [Theory]
    [InlineData("function(%0: f32[2]) {\n  %1 = frob %0 : f32[2]\n  return %1\n}", 2, 8, "'frob' is no op")]
    [InlineData("function(%0: f32[2]) {\n  %1 = exp %2 : f32[2]\n  return %1\n}", 2, 12, "%2 is not defined")]
    [InlineData("function(%0: f32[2]) {\n  %1 = exp %0 : f32[3]\n  return %1\n}", 2, 8, "has the type f32[2], but f32[3]")]
    [InlineData("function(%0: f32[B]) {\n  return %0\n}", 1, 18, "'B' is not declared")]
    [InlineData("function(%0: f33[2]) {\n  return %0\n}", 1, 14, "'f33' is no element type")]
    [InlineData("function(%0: f32[2]) {\n  return %0\n", 3, 1, "expected '}', but found the end")]
    [InlineData("function(%0 f32[2]) {\n  return %0\n}", 1, 13, "expected ':', but found 'f32[2])'")]
    [InlineData("function(%0: f32[2]) {\n  %1 = add %0 : f32[2]\n  return %1\n}", 2, 8, "breaks a rule: ASH0302")]
    [InlineData("function(%0: f32[2]) {\n  %0 = exp %0 : f32[2]\n  return %0\n}", 2, 3, "defined twice")]
    [InlineData("function(%0: f32[2]) {\n  %1 = softmax %0 : f32[2]\n  return %1\n}", 2, 8, "needs the field axis=")]
    [InlineData("function(%0: f32[2]) {\n  %1 = exp %0 axis=1 : f32[2]\n  return %1\n}", 2, 15, "this op has no field 'axis'")]
    [InlineData("function(%0: f32[2]) {\n  %1 = constant value=abc : f32[2]\n  return %1\n}", 2, 17, "'abc' is no f32 number")]
    public void Parse_SaysWhereAndWhat(string text, int line, int column, string problem)
    {
        var error = Assert.Throws<GraphException>(() => GraphText.Parse(text));
        Assert.Equal("ASH0320", error.Code);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"line {line}, column {column}: "), error.Message,
            StringComparison.Ordinal);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_NeverFailsOtherwise_WhenTextIsCutOrChanged()
    {
        string text = GraphText.Print(new RandomGraphs(12).Make(5));
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            int at = random.Next(text.Length);
            string changed = random.Next(2) == 0 ? text[..at]
                : text.Remove(at, 1).Insert(at, ((char)random.Next(32, 127)).ToString());
            try
            {
                GraphText.Parse(changed);
            }
            catch (AshlarException)
            {
                // named, as it should be
            }
        }
    }
}
