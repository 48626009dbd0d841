using Ashlar.Compiler.Passes;
using Ashlar.Graph;
using Ashlar.Tests.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Compiler;

public class RuleTests
{
    [Fact]
    public void Rules_KeepValues_WhereverTheyApply()
    {
        var fired = Simplify.Rules.ToDictionary(rule => rule.Law, _ => 0);
        for (int seed = 0; seed < 4000; seed++)
        {
            var function = new LawGraphs(seed).Make();
            var found = (from node in function.Order()
                         from rule in Simplify.Rules
                         let other = rule.Apply(node)
                         where other is not null && !ReferenceEquals(other, node)
                         select (Law: rule.Law, Before: node, After: other)).ToArray();
            var values = Interpreter.Run(new Function(function.Parameters,
                [.. found.SelectMany(one => (Node[])[one.Before, one.After])]), LawGraphs.Arguments(function, seed));
            for (int i = 0; i < found.Length; i++)
            {
                var (law, before, after) = found[i];
                Assert.Equal((before.DType, before.Shape), (after.DType, after.Shape));
                if (!Arrays.AreClose(values[2 * i], values[2 * i + 1], Tolerance(before)))
                    Assert.Fail($"{law} (seed {seed})\n{GraphText.Print(new(function.Parameters, [before]))}\n"
                        + $"{GraphText.Print(new(function.Parameters, [after]))}");
                fired[law]++;
            }
        }
        Assert.DoesNotContain(fired, pair => pair.Value < 3);
    }

    [Fact]
    public void Simplify_KeepsTheValuesOfRandomGraphs()
    {
        for (int seed = 0; seed < 150; seed++)
        {
            var function = new RandomGraphs(18, Symbolic: seed % 3 == 0).Make(seed);
            var simple = Simplify.Rules.Rewrite(function);
            Verifier.Check(simple, closed: true);
            Compare(function, simple, seed);
            Assert.Equal(simple, Simplify.Rules.Rewrite(simple));
        }
    }

    [Fact]
    public void Simplify_KeepsTheValuesOfGradients_AndMakesThemSmaller()
    {
        int before = 0, after = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            var function = new RandomGraphs(14, Smooth: true).Make(seed);
            Node[] outputs = [.. function.Results.Where(node => node.DType.IsFloat)];
            var gradients = Gradients.Of(outputs, [.. outputs.Select(node => node.Like(1))],
                [.. function.Parameters.Where(node => node.DType.IsFloat)]);
            var all = function with { Results = gradients.ToValueList() };
            var simple = Simplify.Rules.Rewrite(all);
            Compare(all, simple, seed);
            before += all.Order().Count;
            after += simple.Order().Count;
        }
        Assert.InRange(after, 1, before * 9 / 10);
    }

    [Fact]
    public void Simplify_StopsRules_ThatUndoEachOther()
    {
        var x = Parameter(0, DType.Float32, [2]);
        var rules = new RuleSet("circle") { { "a", n => n is (Op.Neg, [var y]) ? Unary(Op.Abs, y) : null },
            { "b", n => n is (Op.Abs, [var y]) ? -y : null } };
        Assert.Equal("ASH0340", Assert.Throws<GraphException>(() => rules.Rewrite(new Function([x], [-(-x)]))).Code);
    }

    [Fact]
    public void Simplify_DoesNotMoveFloatsThatOverflow()
    {
        // (x * 2^100) * 2^-100 is infinite where x is large; x is not
        var x = Parameter(0, DType.Float32, [2]);
        var y = x * Math.ScaleB(1, 100) * Math.ScaleB(1, -100);
        Assert.Same(y, Simplify.Rules.Rewrite(new Function([x], [y])).Results[0]);
    }

    // A folded constant is rounded to its type, which the interpreter does for constants and casts alone.
    static double Tolerance(Node node) => Traversal.PostOrder([node]).Max(inner => inner.DType switch
    {
        DType.BFloat16 => 0.01,
        DType.Float16 => 0.001,
        DType.Float32 => 1e-6,
        _ => 1e-12,
    });

    static void Compare(Function before, Function after, int seed)
    {
        var arguments = RandomGraphs.Arguments(before, seed);
        Value[] expected = Interpreter.Run(before, arguments), found = Interpreter.Run(after, arguments);
        for (int i = 0; i < expected.Length; i++) Arrays.AssertClose(expected[i], found[i], 1e-8, $"seed {seed}, result {i}");
    }
}
