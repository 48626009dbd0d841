namespace Ashlar.Graph;

/// <summary>Checks that shape rules share. Each throws with what was found and how to mend it.</summary>
static class Rules
{
    public static T Expect<T>(Op op, Attributes? attributes) where T : Attributes =>
        attributes as T ?? throw new GraphException("ASH0301",
            $"{op} needs {typeof(T).Name}, but got {attributes?.GetType().Name ?? "none"}.",
            "build nodes through Nodes, which fills the attributes.");

    public static void Arity(Op op, Node[] x, int count)
    {
        if (x.Length != count)
            throw new GraphException("ASH0302", $"{op} takes {count} inputs, but got {x.Length}.", "pass one node per input.");
    }

    public static void Same(Op op, Node[] x)
    {
        for (int i = 1; i < x.Length; i++)
        {
            if (x[i].Shape != x[0].Shape)
                throw new ShapeException("ASH0104", $"{op} needs inputs of one shape, but got {Types(x)}.",
                    "broadcast or reshape the smaller input first.");
            if (x[i].DType != x[0].DType)
                throw new DTypeException("ASH0202", $"{op} needs inputs of one element type, but got {Types(x)}.",
                    "cast one input to the other's type.");
        }
    }

    public static void Float(Op op, Node x)
    {
        if (!x.DType.IsFloat)
            throw new DTypeException("ASH0203", $"{op} needs a floating-point input, but got {x.DType.Name}{x.Shape}.",
                "cast to f32 first.");
    }

    public static void Number(Op op, Node x)
    {
        if (x.DType == DType.Bool)
            throw new DTypeException("ASH0204", $"{op} needs numbers, but got bool{x.Shape}.", "cast to i32 or f32 first.");
    }

    public static void Index(Op op, Node x)
    {
        if (x.DType is not (DType.Int32 or DType.Int64))
            throw new DTypeException("ASH0205", $"{op} needs indices of i32 or i64, but got {x.DType.Name}{x.Shape}.",
                "cast the indices to i32.");
    }

    public static void Axis(Op op, Node x, int axis)
    {
        if ((uint)axis >= (uint)x.Shape.Rank)
            throw new ShapeException("ASH0103", $"{op} was given axis {axis}, which does not exist in {x.DType.Name}{x.Shape}.",
                $"use an axis from 0 to {x.Shape.Rank - 1}.");
    }

    public static void Rank(Op op, Node x, int rank)
    {
        if (x.Shape.Rank != rank)
            throw new ShapeException("ASH0105", $"{op} needs an input of {rank} axes, but got {x.DType.Name}{x.Shape}.",
                "reshape the input first.");
    }

    public static void Distinct(Op op, IReadOnlyCollection<int> axes)
    {
        if (axes.Distinct().Count() != axes.Count)
            throw new ShapeException("ASH0129", $"{op} was given an axis twice: {string.Join(", ", axes)}.",
                "name each axis once.");
    }

    public static string Types(IEnumerable<Node> x) => string.Join(" and ", x.Select(node => $"{node.DType.Name}{node.Shape}"));
}
