using Ashlar.Kernels;

namespace Ashlar;

/// <summary>Losses over vocabularies so large that the logits of all tokens do not fit into memory.</summary>
public static class LargeVocabulary
{
    extension(Tensor x)
    {
        /// <summary>
        /// The same as <c>x.MatMul(weight.Transpose()).CrossEntropyRows(targets)</c>, without those logits: they exist a tile at
        /// a time, and the gradient computes them again instead of keeping them.
        /// </summary>
        /// <param name="weight">[V, W], like the table of an embedding.</param>
        /// <param name="targets">[...], integers from 0 to below V; another is an error when the program runs.</param>
        /// <returns>f32[...], the loss of each row, for x [..., W].</returns>
        /// <remarks>
        /// For float32 and bfloat16 and a known W; other tensors take the way over logits. It spares 8 V bytes a row and costs
        /// two more products of the head (docs/guides/neural-networks.md has figures). The gradient has no gradient again.
        /// Source: Wijmans et al. 2024, arXiv:2411.09009.
        /// </remarks>
        /// <exception cref="ShapeException">The last axes differ, or there is not one target per row.</exception>
        public Tensor ProjectedCrossEntropyRows(Tensor weight, Tensor targets)
        {
            ArgumentNullException.ThrowIfNull(weight);
            ArgumentNullException.ThrowIfNull(targets);
            if (x.Rank == 0 || weight.Rank != 2 || x.Shape[^1] != weight.Shape[1] || targets.Shape != x.Shape[..^1]
                || !weight.Shape[1].TryGetValue(out long width) || x.DType is not (DType.Float32 or DType.BFloat16)
                || weight.DType is not (DType.Float32 or DType.BFloat16))
                return x.MatMul(weight.Cast(x.DType).Transpose()).CrossEntropyRows(targets);

            bool isNarrow = x.DType == DType.BFloat16 || Trace.Current?.Products == DType.BFloat16;
            var config = ProjectedLossConfig.For((int)width, isNarrow ? DType.BFloat16 : DType.Float32);
            var forward = CrossEntropy.ProjectedForward(config);
            var goals = targets.Cast(DType.Int32).Flatten();
            return Tensor.CustomGradient(
                inputs => forward.CallAll(Arguments(inputs))[0].Reshape(targets.Shape),
                (dy, _, inputs) =>
                {
                    Tensor[] saved = Arguments(inputs);
                    var lse = forward.CallAll(saved)[1];                // the call of the forward pass: an equal node
                    saved = [.. saved, lse, dy.Flatten()];
                    return
                    [
                        CrossEntropy.ProjectedBackwardHidden(config).Call(saved).Reshape(x.Shape).Cast(x.DType),
                        CrossEntropy.ProjectedBackwardWeights(config).Call(saved).Cast(weight.DType),
                    ];
                }, [x, weight], "projected_cross_entropy");

            Tensor[] Arguments(Tensor[] inputs) =>
                [inputs[0].Cast(config.DType).Reshape(goals.Shape[0], width), inputs[1].Cast(config.DType), goals];
        }
    }
}
