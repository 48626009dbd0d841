using Ashlar.Graph;

namespace Ashlar.Tests.Graph;

/// <summary>Compares derivatives with finite differences in one random direction, in double precision.</summary>
static class Derivatives
{
    const double Step = 1e-5;

    /// <summary>Checks the gradient, the gradient of the gradient, and forward mode against reverse mode.</summary>
    public static void Assert(Func<Node[], Node> build, Value[] at, int seed = 1, double tolerance = 2e-6, bool second = true)
    {
        var random = new Random(seed);
        Node[] x = [.. at.Select((value, i) => Nodes.Parameter(i, DType.Float64, value.Extents))];
        var y = build(x);
        var weights = Nodes.Parameter(at.Length, y.DType, y.Shape, "weights");
        Value[] inputs = [.. at, Arrays.Random(random, y.Shape.Values)];
        var loss = Nodes.Sum(y * weights, [.. Enumerable.Range(0, y.Shape.Rank)]);
        Value[] direction = [.. at.Select(value => Arrays.Random(random, value.Extents))];

        Function Of(params Node[] results) => new([.. x, weights], [.. results]);
        var gradient = Gradients.Of([y], [weights], x);
        double slope = Arrays.Dot(Interpreter.Run(Of(gradient), inputs), direction);
        Near(Difference(Of(loss), inputs, direction), slope, tolerance, "gradient");

        Node[] along = [.. x.Select((_, i) => Nodes.Parameter(at.Length + 1 + i, DType.Float64, at[i].Extents))];
        var forward = Gradients.Jvp([y], x, along)[0];
        var jvp = new Function([.. x, weights, .. along], [forward]);
        var change = Interpreter.Run(jvp, [.. inputs, .. direction])[0];
        Near(slope, Arrays.Dot([change], [inputs[^1]]), 1e-10, "forward mode");

        if (!second) return;
        var product = gradient.Zip(along, (g, v) => Nodes.Sum(g * v, [.. Enumerable.Range(0, g.Shape.Rank)]))
            .Aggregate((a, b) => a + b);
        var curvature = Gradients.Of(product, x);
        var all = new Function([.. x, weights, .. along], curvature.ToValueList());
        Value[] other = [.. at.Select(value => Arrays.Random(random, value.Extents))];
        double bend = Arrays.Dot(Interpreter.Run(all, [.. inputs, .. direction]), other);
        var scalar = new Function([.. x, weights, .. along], [product]);
        Near(Difference(scalar, [.. inputs, .. direction], other), bend, tolerance, "gradient of the gradient");
    }

    static double Difference(Function scalar, Value[] at, Value[] direction)
    {
        double Run(double step) => Interpreter.Run(scalar, [.. at.Select((value, i) =>
            i < direction.Length ? new Value([.. value.Data.Zip(direction[i].Data, (a, d) => a + step * d)], value.Extents)
                : value)])[0].Data[0];
        return (Run(Step) - Run(-Step)) / (2 * Step);
    }

    static void Near(double expected, double actual, double tolerance, string what) =>
        Xunit.Assert.True(Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)),
            $"{what}: {expected:R} expected, but {actual:R} found");
}
