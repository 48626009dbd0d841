using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Compiler.Passes;

/// <summary>Computes what depends on constants alone, with the interpreter.</summary>
/// <remarks>A constant is one number in every element, so only results that are so are folded; others stay ops.</remarks>
static class ConstantFolding
{
    // Reductions and scans of constants are run on whole arrays; larger ones are left to the program.
    const long MostElements = 1 << 14;

    // Integers beyond this are not exact in the interpreter.
    const long MostExact = 1L << 53;

    public static RuleSet Rules { get; } = new("constant folding")
    {
        { "an elementwise op of constants is a constant",
            n => n.Meaning.IsElementwise && n.Inputs.All(IsExact) ? Folded(n, [.. n.Inputs.Select(Scalar)]) : null },
        { "an op of small constants that gives one number everywhere is a constant", n =>
            !n.Meaning.IsElementwise && n.Meaning.Evaluate is not null && n.Inputs.Count > 0 && n.Shape.IsConstant
                && n.Inputs.All(input => IsExact(input) && IsSmall(input)) && IsSmall(n) ? Folded(n, [.. n.Inputs]) : null },
        { "an iota of length 1 is 0", n => n.Attributes is IotaAttributes iota && n.Shape[iota.Axis] == 1 ? n.Like(0) : null },
        { "a comparison of an iota with what it never reaches is a constant", Unreached },
        { "the size of a number is a constant",
            n => n.Attributes is SizeAttributes { Extent.IsConstant: true } size
                ? Constant(size.Extent.Value, DType.Int64, n.Shape)
                : null },
    };

    static Node? Folded(Node node, Node[] inputs)
    {
        Value value;
        try
        {
            value = Interpreter.Run(Node.Of(node.Op, inputs, node.Attributes));
        }
        catch (KernelException)
        {
            return null;   // an index out of range: the program will say so when it runs
        }
        if (value.Data.Length == 0 || Array.Exists(value.Data, element => !element.Equals(value.Data[0]))) return null;
        double number = value.Data[0];
        if (node.DType.IsFloat) return Constant(number, node.DType, node.Shape);
        return Math.Abs(number) < MostExact ? Constant((long)number, node.DType, node.Shape) : null;
    }

    static Node? Unreached(Node node)
    {
        if (node is not (Op.Less or Op.LessEqual or Op.Equal or Op.NotEqual,
            [{ Attributes: IotaAttributes iota } i, { Constant: { } c }])) return null;
        if (!i.DType.IsInteger || i.Shape[iota.Axis].Max is var length
            && length > Conversion.Range(i.DType).Greatest) return null;
        bool none = c < 0 || c > length - 1;   // the iota runs from 0 to length - 1
        return node.Op switch
        {
            Op.Less when c <= 0 || c > length - 1 => node.Like(c <= 0 ? 0 : 1),
            Op.LessEqual when c < 0 || c >= length - 1 => node.Like(c < 0 ? 0 : 1),
            Op.Equal or Op.NotEqual when none => node.Like(node.Op == Op.Equal ? 0 : 1),
            _ => null,
        };
    }

    static Node Scalar(Node constant) =>
        Node.Of(Op.Constant, [], constant.Get<ConstantAttributes>() with { Shape = Shape.Scalar });

    static bool IsExact(Node node) =>
        node.Attributes is ConstantAttributes constant && (node.DType.IsFloat || Math.Abs(constant.Bits) < MostExact);

    static bool IsSmall(Node node) => node.Shape.IsConstant && node.Shape.Elements.Value <= MostElements;
}
