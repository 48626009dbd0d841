using Ashlar.Tiles;

namespace Ashlar;

/// <summary>Kernels that people wrote, called with tensors.</summary>
/// <remarks>
/// A call is a node like any other: lazy, shared with equal calls, one launch of a compiled program. It has no gradient of its
/// own; <c>Tensor.CustomGradient</c> gives one.
/// </remarks>
public static class KernelCalls
{
    extension(Kernel kernel)
    {
        /// <summary>The result of a kernel with one output.</summary>
        /// <param name="inputs">One tensor per input, of its element type; axes of one name are equally long.</param>
        /// <returns>Of the output's element type and shape.</returns>
        /// <exception cref="KernelException">The tensors do not fit the inputs, or the kernel has several outputs
        /// (ASH0571).</exception>
        public Tensor Call(params ReadOnlySpan<Tensor> inputs)
        {
            var results = kernel.CallAll(inputs);
            return results.Length == 1 ? results[0] : throw new KernelException("ASH0571",
                $"'{kernel.Name}' has {results.Length} outputs, but one is asked for.",
                    "take them with kernel.CallAll(...), which gives one tensor per output.");
        }

        /// <summary>The results of a kernel.</summary>
        /// <param name="inputs">One tensor per input, of its element type; axes of one name are equally long.</param>
        /// <returns>One tensor per output, in the order of their declarations. However many are used, the kernel runs
        /// once.</returns>
        /// <exception cref="KernelException">The tensors do not fit the inputs (ASH0571).</exception>
        public Tensor[] CallAll(params ReadOnlySpan<Tensor> inputs)
        {
            Node[] nodes = [.. inputs.ToArray().Select(input => input.Node)];
            var traced = kernel.For([.. nodes.Select(node => new NodeType(node.DType, node.Shape))]);
            return [.. traced.Outputs.Select((_, output) =>
                new Tensor(Node.Of(Op.Kernel, nodes, new KernelAttributes(traced, output))))];
        }
    }
}
