namespace Ashlar.Graph;

/// <summary>Trades digits of matrix products for speed.</summary>
public static class Precision
{
    /// <summary>The same function with the operands of its float32 contractions rounded to a narrower type; sums stay
    /// float32.</summary>
    /// <param name="function">Regions within it are narrowed too; an attention is written out first.</param>
    /// <param name="dtype">float16 or bfloat16.</param>
    /// <remarks>
    /// What is stored and added up stays as it was: weights, activations, norms, the loss. Matrix units take the rounded operands
    /// many times faster (Micikevicius et al. 2017, arXiv:1710.03740; Kalamkar et al. 2019, arXiv:1905.12322).
    /// </remarks>
    /// <exception cref="DTypeException">ASH0226: the type is not a 16-bit float.</exception>
    public static Function NarrowProducts(Function function, DType dtype)
    {
        Check(dtype);
        return function with { Results = Traversal.Rewrite(function.Results, node => Narrow(node, dtype)).ToValueList() };
    }

    /// <summary>Throws unless products can be narrowed to the type.</summary>
    /// <exception cref="DTypeException">ASH0226: the type is not a 16-bit float.</exception>
    public static void Check(DType dtype)
    {
        if (dtype is DType.Float16 or DType.BFloat16) return;
        throw new DTypeException("ASH0226", $"products cannot be computed on operands rounded to {dtype.Name}.",
            "round to bf16, or to f16 where the values are known to stay within 65504.");
    }

    static Node? Narrow(Node node, DType dtype) => node switch
    {
        { Op: Op.Contract, DType: DType.Float32 } when node.Inputs[0].DType == DType.Float32 =>
            Node.Of(Op.Contract, [Nodes.Cast(node.Inputs[0], dtype), Nodes.Cast(node.Inputs[1], dtype)], node.Attributes),
        { Op: Op.Attention } =>
            Traversal.Rewrite([node.Meaning.Decompose!(node)!], inner => Narrow(inner, dtype), node.Inputs.Contains)[0],
        { Attributes: CustomAttributes custom } => Node.Of(node.Op, [.. node.Inputs], custom with
        {
            Forward = NarrowProducts(custom.Forward, dtype),
        }),
        _ => null,
    };
}
