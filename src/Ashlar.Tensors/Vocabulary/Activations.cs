namespace Ashlar;

/// <summary>What layers are made of. Each is one composite node, so that gradients and kernels know it whole.</summary>
/// <remarks>B batch, T and S tokens, H query heads, K key-value heads, D head width, V vocabulary.</remarks>
public static class Activations
{
    extension(Tensor x)
    {
        /// <summary>max(x, 0); the gradient at 0 is 0.</summary>
        public Tensor Relu() => Tensor.Where(x <= 0, x.ZerosLike(), x);

        /// <summary>x where positive, slope * x elsewhere</summary>
        public Tensor LeakyRelu(double slope = 0.01) => Tensor.Where(x <= 0, x * slope, x);

        /// <summary>x where positive, exp(x) - 1 elsewhere</summary>
        public Tensor Elu(double alpha = 1) => Tensor.Where(x <= 0, Tensor.Where(x <= 0, x, 0).ExpM1() * alpha, x);

        /// <summary>log(1 + exp(x)), without overflow</summary>
        public Tensor Softplus() => x.Maximum(0) + (-x.Abs()).Exp().Log1P();

        /// <summary>elu(x) scaled so that mean and variance stay through layers: 1.0507 * (x, or 1.6733 * (exp(x) - 1) below
        /// 0).</summary>
        /// <remarks>Source: Klambauer et al. 2017, arXiv:1706.02515.</remarks>
        public Tensor Selu() => x.Elu(1.6732632423543772848170429916717) * 1.0507009873554804934193349852946;

        /// <summary>x where positive, weight * x elsewhere: a leaky ReLU whose slope is learnt.</summary>
        /// <param name="weight">Broadcasts: a scalar, or one per channel, such as [C, 1, 1] for [N, C, H, W].</param>
        /// <remarks>Source: He et al. 2015, arXiv:1502.01852.</remarks>
        public Tensor PRelu(Tensor weight) => Tensor.Where(x <= 0, x * weight, x);

        /// <summary>x moved into [0, 6].</summary>
        public Tensor Relu6() => x.Clamp(0, 6);

        /// <summary>x moved into [min, max].</summary>
        /// <param name="min">The least value.</param>
        /// <param name="max">The greatest value.</param>
        public Tensor Hardtanh(double min = -1, double max = 1) => x.Clamp(min, max);

        /// <summary>(x + 3) / 6, moved into [0, 1]: a sigmoid of straight lines.</summary>
        public Tensor HardSigmoid() => (x + 3.0).Clamp(0, 6) * (1.0 / 6);

        /// <summary>x * hardsigmoid(x)</summary>
        /// <remarks>Source: Howard et al. 2019, arXiv:1905.02244.</remarks>
        public Tensor Hardswish() => x * x.HardSigmoid();

        /// <summary>x * tanh(softplus(x))</summary>
        /// <remarks>Source: Misra 2019, arXiv:1908.08681.</remarks>
        public Tensor Mish() => x * x.Softplus().Tanh();

        /// <summary>The first half of an axis times the sigmoid of the second.</summary>
        /// <param name="axis">Of an even extent, which is halved.</param>
        /// <exception cref="ShapeException">ASH0154: the axis cannot be halved.</exception>
        /// <remarks>Source: Dauphin et al. 2016, arXiv:1612.08083.</remarks>
        public Tensor Glu(int axis = -1)
        {
            var halves = x.Chunk(2, axis);
            return halves[0] * halves[1].Sigmoid();
        }

        /// <summary>1 / (1 + exp(-x))</summary>
        public Tensor Sigmoid() => Composite(Op.Sigmoid, null, x);

        /// <summary>log(sigmoid(x)), without overflow</summary>
        public Tensor LogSigmoid() => -(-x).Softplus();

        /// <summary>x * sigmoid(x)</summary>
        /// <remarks>Source: Elfwing et al. 2017, arXiv:1702.03118; also called swish.</remarks>
        public Tensor Silu() => Composite(Op.Silu, null, x);

        /// <summary>x times the normal distribution's share below x.</summary>
        /// <param name="approximate">By tanh, as GPT-2 does; else exact, through erf.</param>
        /// <remarks>Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.</remarks>
        public Tensor Gelu(bool approximate = true) => Composite(Op.Gelu, new GeluAttributes(approximate), x);

        /// <summary>exp(x) / sum(exp(x)) along an axis</summary>
        public Tensor Softmax(int axis = -1) => Composite(Op.Softmax, new AxisAttributes(x.Shape.Axis(axis)), x);

        /// <summary>log(softmax(x)) along an axis</summary>
        public Tensor LogSoftmax(int axis = -1) => Composite(Op.LogSoftmax, new AxisAttributes(x.Shape.Axis(axis)), x);

        /// <summary>x / sqrt(mean(x²) + epsilon) * weight over the last axis</summary>
        /// <param name="weight">[width]; null: ones.</param>
        /// <param name="epsilon">Keeps the root from 0.</param>
        /// <remarks>The mean is kept in float32 for 16-bit inputs. Source: Zhang and Sennrich 2019, arXiv:1910.07467.</remarks>
        public Tensor RmsNorm(Tensor? weight = null, double epsilon = 1e-6) =>
            Composite(Op.RmsNorm, new NormAttributes(epsilon), x, weight ?? Width("RmsNorm", x, 1));

        /// <summary>(x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis</summary>
        /// <param name="weight">[width]; null: ones.</param>
        /// <param name="bias">[width]; null: zeros.</param>
        /// <param name="epsilon">Keeps the root from 0.</param>
        /// <remarks>Source: Ba et al. 2016, arXiv:1607.06450.</remarks>
        public Tensor LayerNorm(Tensor? weight = null, Tensor? bias = null, double epsilon = 1e-5) =>
            Composite(Op.LayerNorm, new NormAttributes(epsilon), x, weight ?? Width("LayerNorm", x, 1),
                bias ?? Width("LayerNorm", x, 0));

        /// <summary>silu(x) * up</summary>
        /// <remarks>Source: Shazeer 2020, arXiv:2002.05202.</remarks>
        public Tensor SwiGlu(Tensor up) => Composite(Op.SwiGlu, null, x, up);

        /// <summary>The loss of each row: the negative logarithm of the probability that softmax gives to the target.</summary>
        /// <param name="targets">[...], integers below V.</param>
        /// <returns>[...] for logits [..., V]</returns>
        public Tensor CrossEntropyRows(Tensor targets) =>
            Composite(Op.CrossEntropy, null, x,
                targets.DType is DType.UInt8 or DType.Int8 or DType.Int16 ? targets.Cast(DType.Int32) : targets);

        /// <summary>The mean loss of all rows: the negative logarithm of the probability that softmax gives to the
        /// target.</summary>
        /// <param name="targets">[...], integers below V.</param>
        /// <param name="ignore">Rows of this target do not count.</param>
        /// <returns>A scalar, for logits [..., V].</returns>
        public Tensor CrossEntropy(Tensor targets, long? ignore = null)
        {
            if (ignore is not { } ignored) return x.CrossEntropyRows(targets).Mean();
            var counts = targets.NotEqualTo(ignored);
            var rows = x.CrossEntropyRows(Tensor.Where(counts, targets, targets.ZerosLike()));
            var sum = Reductions.Wide(Tensor.Where(counts, rows, rows.ZerosLike())).Sum();
            return (sum / counts.Cast(sum.DType).Sum().Maximum(1)).Cast(rows.DType);
        }

        /// <summary>Rotates pairs of the last axis by angles that depend on the token.</summary>
        /// <param name="cos">[T, D / 2]</param>
        /// <param name="sin">[T, D / 2]</param>
        /// <param name="interleaved">Pairs are neighbours; else the two halves of the axis.</param>
        /// <returns>[..., T, H, D], as this tensor.</returns>
        /// <remarks>Source: Su et al. 2021, arXiv:2104.09864.</remarks>
        public Tensor Rope(Tensor cos, Tensor sin, bool interleaved = false) =>
            Composite(Op.Rope, new RopeAttributes(interleaved), x, cos, sin);

        /// <summary>softmax(q k^T * scale) v for every head: this tensor holds the queries, [B, T, H, D].</summary>
        /// <param name="keys">[B, S, K, D]; each key-value head serves H / K query heads.</param>
        /// <param name="values">[B, S, K, E]</param>
        /// <param name="causal">A query sees keys up to its own place, counted from the end where S is greater than T.</param>
        /// <param name="scale">Null: 1 / sqrt(D).</param>
        /// <returns>[B, T, H, E]</returns>
        /// <remarks>
        /// Of bfloat16, or where <see cref="Compiled.ProductsIn"/> asks for it, 1024 tokens and more go through kernels that keep
        /// no matrix of T x S scores (Dao et al. 2022, arXiv:2205.14135); their gradient has no gradient again.
        /// </remarks>
        public Tensor Attention(Tensor keys, Tensor values, bool causal = false, double? scale = null)
        {
            if (x.Rank != 4)
                throw new ShapeException("ASH0105",
                    $"Attention needs queries [B, T, H, D], but got {x.Type}.",
                    "split the heads first: x.Unflatten(-1, heads, -1).");
            double factor = scale ?? 1 / Math.Sqrt(x.Shape[3].Value);
            return LongAttention.Of(x, keys, values, causal, factor)
                ?? Composite(Op.Attention, new AttentionAttributes(factor, causal), x, keys, values);
        }

        /// <summary>Sets elements to 0 at random and scales the others so that the mean stays.</summary>
        /// <param name="rate">The share that is dropped, from 0 to below 1.</param>
        /// <param name="seed">Which random numbers.</param>
        /// <param name="key">A scalar that chooses among them, such as the number of the step: with it a compiled step draws anew
        /// each time.</param>
        /// <exception cref="RangeException">ASH0185: the rate is not from 0 to below 1.</exception>
        public Tensor Dropout(double rate, long seed, Tensor? key = null)
        {
            if (rate is not (>= 0 and < 1)) throw new RangeException("ASH0185",
                $"Dropout of {x.Type} was given the rate {rate}, which is not from 0 to below 1.",
                "give the share that is dropped, such as 0.1; x.ZerosLike() drops everything.");
            return rate == 0
                ? x
                : Tensor.Where(Tensor.Bernoulli(seed, 1 - rate, x.Shape, key), x * (1 / (1 - rate)), x.ZerosLike());
        }
    }

    static Tensor Width(string what, Tensor x, double value) => x.Rank > 0
        ? new(Nodes.Constant(value, Promotion.Float(x.DType), [x.Shape[^1]]))
        : throw new ShapeException("ASH0105",
            $"{what} needs at least one axis, but got {x.Type}.", "normalise over the last axis of a tensor.");

    static Tensor Composite(Op op, Attributes? attributes, Tensor x, params ReadOnlySpan<Tensor> others)
    {
        var inputs = new Node[others.Length + 1];
        inputs[0] = Nodes.Cast(x.Node, Promotion.Float(x.DType));
        for (int i = 0; i < others.Length; i++) inputs[i + 1] = others[i].Node;
        return new(Node.Of(op, inputs, attributes));
    }
}
