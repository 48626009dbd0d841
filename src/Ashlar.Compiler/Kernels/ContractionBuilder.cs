using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>Builds a contraction with the elementwise work on its operands (prologue) and on its result (epilogue).</summary>
static class ContractionBuilder
{
    /// <summary>The form and tile program of a kernel of kind Contraction.</summary>
    public static BuiltKernel Build(Kernel kernel, Func<Node, bool> isForeign)
    {
        var scope = new KernelScope();
        var contract = kernel.Anchor!;
        var pairs = contract.Get<ContractAttributes>();
        Node left = contract.Inputs[0], right = contract.Inputs[1];
        int[] freeLeft = pairs.FreeLeft(left.Shape.Rank), freeRight = pairs.FreeRight(right.Shape.Rank);
        Shape batch = Shape.Of(pairs.BatchLeft.Select(axis => left.Shape[axis]));
        Shape rows = Shape.Of(freeLeft.Select(axis => left.Shape[axis])),
            columns = Shape.Of(freeRight.Select(axis => right.Shape[axis]));
        Shape inner = Shape.Of(pairs.SumLeft.Select(axis => left.Shape[axis]));
        var domain = new Domain(scope, [batch.Elements, rows.Elements, columns.Elements, inner.Elements]);
        var result = scope.Tile(left.DType.Compute, Shape.Scalar);

        var evaluator = new IndexEvaluator((node, index, guard) =>
            isForeign(node) ? scope.Load(node, index, guard)
            : ReferenceEquals(node, contract) ? Nodes.Cast(Nodes.Cast(result.Load([]), contract.DType), contract.DType.Compute)
            : null);
        Node leftValue, rightValue;
        var stores = new List<(Node Root, Node[] Indices, Node Value)>();
        do
        {
            var at = domain.Positions;
            Affine[] b = IndexEvaluator.Unflatten(at[0], batch), k = IndexEvaluator.Unflatten(at[3], inner);
            Affine[] m = IndexEvaluator.Unflatten(at[1], rows), n = IndexEvaluator.Unflatten(at[2], columns);
            leftValue = evaluator.Value(left, Arrange(left.Shape.Rank, pairs.BatchLeft, b, pairs.SumLeft, k, freeLeft, m));
            rightValue = evaluator.Value(right, Arrange(right.Shape.Rank, pairs.BatchRight, b, pairs.SumRight, k, freeRight, n));
            var flat = (at[0] * rows.Elements + at[1]) * columns.Elements + at[2];
            stores.Clear();
            foreach (var root in kernel.Roots)
            {
                var index = IndexEvaluator.Unflatten(flat, root.Shape);
                stores.Add((root, [.. index.Select(axis => axis.ToNode())],
                    Nodes.Cast(evaluator.Value(root, index), root.DType)));
            }
        }
        while (domain.Split([leftValue, rightValue, .. stores.SelectMany(store => store.Indices.Append(store.Value))]));

        var form = new ContractionForm(
            domain.Variables[0].ToValueList(), domain.Variables[1].ToValueList(), domain.Variables[2].ToValueList(),
            domain.Variables[3].ToValueList(),
            leftValue, rightValue, result,
            stores.OrderByDescending(store => ContractionForm.BuffersOf([store.Value]).Count)
                .Select(store => new ContractionStore(scope.Write(store.Root), store.Indices.ToValueList(), store.Value))
                .ToValueList())
        {
            LeftType = TypeOf(left, leftValue),
            RightType = TypeOf(right, rightValue),
        };
        return scope.Finish(kernel.Roots is [var only] && only == contract
            ? "contract"
            : $"contract_{kernel.Roots[^1].Meaning.Name}", form.ToProgram()) with
        {
            Form = form,
        };
    }

    // The graph's own type, or the one that the value was widened from just before.
    static DType TypeOf(Node node, Node value) =>
        node.DType != value.DType ? node.DType : value is (Op.Cast, [var narrow])
            && narrow.DType.Compute == value.DType ? narrow.DType : value.DType;

    static Affine[] Arrange(int rank, ValueList<int> batchAxes, Affine[] batch, ValueList<int> sumAxes, Affine[] sum,
        int[] freeAxes, Affine[] free)
    {
        var index = new Affine[rank];
        for (int i = 0; i < batch.Length; i++) index[batchAxes[i]] = batch[i];
        for (int i = 0; i < sum.Length; i++) index[sumAxes[i]] = sum[i];
        for (int i = 0; i < free.Length; i++) index[freeAxes[i]] = free[i];
        return index;
    }
}
