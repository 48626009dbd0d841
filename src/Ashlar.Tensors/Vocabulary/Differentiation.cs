namespace Ashlar;

/// <summary>Derivatives. They are tensors like all others, of the same graph: differentiate them again, fuse them, compile
/// them.</summary>
public static class Differentiation
{
    extension(Tensor)
    {
        /// <summary>A function with a gradient of its own.</summary>
        /// <param name="forward">From the inputs to one result.</param>
        /// <param name="backward">From (gradient of the result, result, inputs) to one gradient per input.</param>
        /// <param name="inputs">What the function is called with. Other tensors that it uses get no gradient.</param>
        /// <param name="name">For text forms.</param>
        /// <exception cref="ShapeException">A gradient is not like its input.</exception>
        public static Tensor CustomGradient(
            Func<Tensor[], Tensor> forward, Func<Tensor, Tensor, Tensor[], Tensor[]> backward, ReadOnlySpan<Tensor> inputs,
            string name = "custom") =>
            Regions.Custom(forward, backward, inputs.ToArray(), name);

        /// <summary>The same value as <c>f(inputs)</c>; the gradient computes what is inside again instead of keeping
        /// it.</summary>
        /// <param name="f">Called once, now. Other tensors that it uses, such as weights, get their gradients too.</param>
        /// <param name="inputs">What is kept.</param>
        /// <remarks>Trades one more forward computation of the region for its memory. Source: Chen et al. 2016,
        /// arXiv:1604.06174.</remarks>
        public static Tensor Checkpoint(Func<Tensor[], Tensor> f, params ReadOnlySpan<Tensor> inputs)
        {
            var arguments = inputs.ToArray();
            return new(Graph.Checkpoint.Of(f(arguments).Node, [.. arguments.Select(x => x.Node)]));
        }
    }

    extension(Tensor y)
    {
        /// <summary>The gradient of this scalar with respect to a tensor that it was computed from; zeros where it was
        /// not.</summary>
        /// <exception cref="GraphException">This is no scalar of a float type.</exception>
        public Tensor Gradient(Tensor parameter) => y.Gradient([parameter])[0];

        /// <summary>The gradients of this scalar with respect to tensors that it was computed from; zeros where it was
        /// not.</summary>
        /// <returns>One per parameter, like it.</returns>
        /// <exception cref="GraphException">This is no scalar of a float type.</exception>
        public Tensor[] Gradient(params ReadOnlySpan<Tensor> parameters) =>
            Regions.Pull(parameters.ToArray(), nodes => Gradients.Of(y.Node, nodes));

        /// <summary>The gradients of this scalar with respect to the values of states.</summary>
        /// <returns>One per state, like its value.</returns>
        public Tensor[] Gradient(IEnumerable<State> states) => y.Gradient([.. states.Select(state => state.Value)]);

        /// <summary>Vector-Jacobian product: the gradient of <c>sum(y * seed)</c> with respect to each parameter.</summary>
        /// <param name="seed">Like this tensor.</param>
        /// <param name="parameters">Tensors that this was computed from.</param>
        public Tensor[] Vjp(Tensor seed, params ReadOnlySpan<Tensor> parameters) =>
            Regions.Pull(parameters.ToArray(), nodes => Gradients.Of([y.Node], [seed.Node], nodes));

        /// <summary>Jacobian-vector product: how this changes when each input moves along its tangent (forward mode).</summary>
        /// <param name="inputs">Tensors that this was computed from.</param>
        /// <param name="tangents">For each input, a tensor like it.</param>
        /// <returns>Like this tensor.</returns>
        public Tensor Jvp(ReadOnlySpan<Tensor> inputs, ReadOnlySpan<Tensor> tangents)
        {
            if (inputs.Length != tangents.Length)
                throw new GraphException("ASH0313",
                    $"{inputs.Length} inputs need as many tangents, but got {tangents.Length}.", "pass one tangent per input.");
            var (nodes, directions) = (new List<Node>(), new List<Node>());
            for (int i = 0; i < inputs.Length; i++)
                foreach (var node in inputs[i].Identities)
                {
                    nodes.Add(node);
                    directions.Add(tangents[i].Node);
                }
            return new(Gradients.Jvp([y.Node], nodes, directions)[0]);
        }

        /// <summary>Jacobian-vector product for one input.</summary>
        public Tensor Jvp(Tensor input, Tensor tangent) => y.Jvp([input], [tangent]);

        /// <summary>The same value; no gradient flows through it.</summary>
        public Tensor StopGradient() => Regions.Stop(y);
    }
}
