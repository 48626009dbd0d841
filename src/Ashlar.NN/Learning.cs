namespace Ashlar.NN;

/// <summary>Gradients of weights, and what is done to them before an optimizer uses them.</summary>
public static class Learning
{
    extension(Tensor loss)
    {
        /// <summary>The gradients of this scalar with respect to all parameters of the weights.</summary>
        /// <returns>One per parameter in the order of <see cref="Weights.Parameters"/>, like it; zeros where the loss does not
        /// depend on it.</returns>
        /// <exception cref="GraphException">This is no scalar of a float type.</exception>
        public Tensor[] Gradient(Weights weights) => loss.Gradient(weights.Parameters.Select(parameter => parameter.State));
    }

    extension(IReadOnlyList<Tensor> gradients)
    {
        /// <summary>The length of all gradients seen as one vector: <c>sqrt(sum of squares)</c>.</summary>
        /// <returns>A float32 scalar (float64 for gradients of that type).</returns>
        public Tensor GlobalNorm()
        {
            Tensor? sum = null;
            foreach (var gradient in gradients)
            {
                var part = gradient.Cast(gradient.DType.Compute).Square().Sum();
                sum = sum is null ? part : sum + part;
            }
            return (sum ?? Tensor.Zeros()).Sqrt();
        }

        /// <summary>The gradients, scaled down together where their global norm is greater than
        /// <paramref name="limit"/>.</summary>
        /// <param name="limit">Above 0; 1 is usual for language models.</param>
        /// <returns>The gradients, and their norm before: worth watching.</returns>
        /// <remarks>
        /// <c>g * min(1, limit / (norm + 1e-6))</c>. Every gradient waits for all others, so their updates cannot be part of the
        /// kernels that compute them. Source: Pascanu et al. 2013, arXiv:1211.5063.
        /// </remarks>
        public (Tensor[] Gradients, Tensor Norm) ClipByGlobalNorm(double limit)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
            var norm = gradients.GlobalNorm();
            var scale = (limit / (norm + 1e-6)).Minimum(1.0);
            return ([.. gradients.Select(gradient => gradient * scale.Cast(gradient.DType))], norm);
        }
    }
}
