using Ashlar.Graph;

namespace Ashlar.Bench;

/// <summary>The training step of a character GPT, written with nodes: what compile time, dispatch and memory are measured
/// on.</summary>
/// <remarks>Pre-norm blocks, causal attention, exact GELU, AdamW with the moments as parameters; the model of the tinyshakespeare
/// figures.</remarks>
public static class GptStep
{
    /// <summary>The step as a function: parameters are tokens, targets, then each weight with its two moments; results are the
    /// loss, then those three again.</summary>
    /// <returns>The function, and pairs (result, parameter) that are one buffer.</returns>
    public static (Function Function, ValueList<(int Result, int Parameter)> Donations) Build(
        int layers = 6, int width = 384, int heads = 6, int context = 256, int batch = 16, int vocabulary = 65)
    {
        var parameters = new List<Node>();
        Node Parameter(DType dtype, Shape shape)
        {
            parameters.Add(Nodes.Parameter(parameters.Count, dtype, shape));
            return parameters[^1];
        }

        Node tokens = Parameter(DType.Int32, [batch, context]), targets = Parameter(DType.Int32, [batch, context]);
        var weights = new List<(Node Weight, Node First, Node Second)>();
        Node Weight(params int[] shape)
        {
            weights.Add((Parameter(DType.Float32, shape), Parameter(DType.Float32, shape), Parameter(DType.Float32, shape)));
            return weights[^1].Weight;
        }

        int rows = batch * context;
        Node Linear(Node x, int from, int to)
        {
            var y = Nodes.MatMul(x, Weight(from, to));
            return y + Nodes.Stretch(Weight(to), y.Shape);
        }
        Node Norm(Node x) => Node.Of(Op.LayerNorm, [x, Weight(width), Weight(width)], new NormAttributes(1e-5));

        var index = Nodes.Broadcast(Nodes.Reshape(tokens, [rows, 1]), [rows, width]);
        var positions =
            Nodes.Reshape(Nodes.Broadcast(Nodes.Reshape(Weight(context, width), [1, context, width]), [batch, context, width]),
                [rows, width]);
        var x = Nodes.Gather(Weight(vocabulary, width), index, 0) + positions;
        for (int layer = 0; layer < layers; layer++)
        {
            var qkv = Linear(Norm(x), width, 3 * width);
            Node Part(int i) => Nodes.Reshape(Nodes.SliceAxis(qkv, 1, i * width, width), [batch, context, heads, width / heads]);
            var attended = Node.Of(Op.Attention, [Part(0), Part(1), Part(2)],
                new AttentionAttributes(1 / Math.Sqrt(width / heads), Causal: true));
            x = x + Linear(Nodes.Reshape(attended, [rows, width]), width, width);
            var hidden = Node.Of(Op.Gelu, [Linear(Norm(x), width, 4 * width)], new GeluAttributes(false));
            x = x + Linear(hidden, 4 * width, width);
        }
        var logits = Nodes.MatMul(Norm(x), Weight(width, vocabulary));
        var loss = Nodes.Sum(Node.Of(Op.CrossEntropy, [logits, Nodes.Reshape(targets, [rows])]), 0) * (1.0 / rows);

        var gradients = Gradients.Of([loss], [loss.Like(1)], [.. weights.Select(entry => entry.Weight)]);
        var results = new List<Node> { loss };
        var donations = new List<(int, int)>();
        for (int i = 0; i < weights.Count; i++)
        {
            var (weight, first, second) = weights[i];
            var updated = AdamW(weight, first, second, gradients[i], 1e-3);
            for (int j = 0; j < 3; j++) donations.Add((results.Count + j, 2 + 3 * i + j));
            results.AddRange(updated);
        }
        return (new(parameters.ToValueList(), results.ToValueList()), donations.ToValueList());
    }

    /// <summary>AdamW's update: the new weight and moments (Loshchilov and Hutter 2019, arXiv:1711.05101).</summary>
    public static Node[] AdamW(Node weight, Node first, Node second, Node gradient, double learningRate)
    {
        var m = first * 0.9 + gradient * 0.1;
        var v = second * 0.95 + gradient * gradient * 0.05;
        var step = m / (Nodes.Unary(Op.Sqrt, v) + 1e-8);
        return [weight * (1 - learningRate * 0.1) - step * learningRate, m, v];
    }
}
