namespace Ashlar.Graph;

/// <summary>Rows of the ops that hold functions or order computation.</summary>
static class Regions
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Barrier, "barrier", (x, _) =>
        {
            if (x.Length == 0) throw new GraphException("ASH0302", "Barrier takes at least one input, but got none.",
                "pass the value first.");
            return new(x[0].DType, x[0].Shape);
        })
        {
            Evaluate = (_, x) => x[0],
            Gradient = (dy, _, x) => [dy, .. Enumerable.Repeat<Node?>(null, x.Count - 1)],
        },
        new(Op.Custom, "custom", (x, a) =>
        {
            var custom = Rules.Expect<CustomAttributes>(Op.Custom, a);
            Rules.Arity(Op.Custom, x, custom.Forward.Parameters.Count);
            for (int i = 0; i < x.Length; i++)
                if (x[i].Shape != custom.Forward.Parameters[i].Shape || x[i].DType != custom.Forward.Parameters[i].DType)
                    throw new ShapeException("ASH0125",
                        $"'{custom.Name}' takes {Rules.Types(custom.Forward.Parameters)}, but got {Rules.Types(x)}.",
                        "pass what the function was traced with.");
            if (custom.Forward.Results.Count != 1)
                throw new GraphException("ASH0303", $"'{custom.Name}' is a region of {custom.Forward.Results.Count} results.",
                    "make one region per result.");
            return new(custom.Forward.Results[0].DType, custom.Forward.Results[0].Shape);
        })
        {
            Decompose = node => node.Get<CustomAttributes>().Forward.Inline(node.Inputs)[0],
            Gradient = (dy, y, x) => Backward(y.Get<CustomAttributes>(), dy, y, x),
        },
        new(Op.Kernel, "kernel", (x, a) =>
        {
            var (kernel, output) = Rules.Expect<KernelAttributes>(Op.Kernel, a);
            Rules.Arity(Op.Kernel, x, kernel.Inputs.Count);
            for (int i = 0; i < x.Length; i++)
                if (x[i].Shape != kernel.Inputs[i].Shape || x[i].DType != kernel.Inputs[i].DType)
                    throw new KernelException("ASH0586",
                        $"the kernel '{kernel.Name}' takes {string.Join(", ", kernel.Inputs.Select(type => type.DType.Name + type.Shape))}, but got {Rules.Types(x)}.",
                        "make the kernel for these types: kernel.For(...), or kernel.Call with tensors.");
            return kernel.Outputs[output];
        })
        {
            Evaluate = (node, x) => node.Get<KernelAttributes>().Kernel.Evaluate(x)[node.Get<KernelAttributes>().Output],
        },
    ];

    static Node?[] Backward(CustomAttributes custom, Node dy, Node y, IReadOnlyList<Node> x)
    {
        if (custom.Backward is null) return Gradients.Through(custom.Forward.Inline(x)[0], dy, x);
        if (custom.Backward.Parameters.Count != x.Count + 2 || custom.Backward.Results.Count != x.Count)
            throw new GraphException("ASH0304",
                $"the gradient of '{custom.Name}' takes {custom.Backward.Parameters.Count} values "
                + $"and gives {custom.Backward.Results.Count}, "
                + $"but a region of {x.Count} inputs needs {x.Count + 2} and {x.Count}.",
                    "write it from (gradient of the result, result, inputs...) to one gradient per input.");
        return custom.Backward.Inline([dy, y, .. x]);
    }
}
