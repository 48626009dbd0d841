namespace Ashlar.Graph;

/// <summary>Rows of the ops over packed weights: bytes whose layout is <see cref="WeightLayout"/>.</summary>
/// <remarks>The weight is data, not a variable: these ops have no gradient.</remarks>
static class PackedWeights
{
    public static readonly Meaning[] Rows =
    [
        // y[..., n] = sum over k of x[..., k] * w[n, k]; with a gate the outputs 32 p to 32 p + 15 let those behind them pass
        new(Op.Project, "project", (x, a) =>
        {
            Rules.Arity(Op.Project, x, 2);
            var weight = Weight(Op.Project, x[1], a);
            Activations(Op.Project, x[0], weight);
            if (weight.Count != 1)
                throw new ShapeException("ASH0643",
                    $"Project takes one matrix, but got {weight.Count} of {weight.Rows} by {weight.Columns}.",
                    "say which matrix each row takes: ProjectExperts.");
            return new(DType.Float32, x[0].Shape.With(x[0].Shape.Rank - 1, weight.Outputs));
        })
        {
            Evaluate = (node, x) => Product(node, x[0], x[1], null),
        },
        // y[m, n] = sum over k of x[m, k] * w[expert[m], n, k]
        new(Op.ProjectExperts, "project_experts", (x, a) =>
        {
            Rules.Arity(Op.ProjectExperts, x, 3);
            var weight = Weight(Op.ProjectExperts, x[1], a);
            Activations(Op.ProjectExperts, x[0], weight);
            Rules.Rank(Op.ProjectExperts, x[0], 2);
            if (x[2].DType != DType.Int32 || x[2].Shape.Rank != 1 || x[2].Shape[0] != x[0].Shape[0])
                throw new ShapeException("ASH0642", $"ProjectExperts needs one i32 expert per row, but got {Rules.Types(x)}.",
                    "pass rows [M, K] and experts [M]; gather or repeat the rows first.");
            return new(DType.Float32, [x[0].Shape[0], weight.Outputs]);
        })
        {
            Evaluate = (node, x) => Product(node, x[0], x[1], x[2]),
        },
        // y[..., k] = w[index[...], k]; rows of several matrices are numbered on
        new(Op.WeightRows, "weight_rows", (x, a) =>
        {
            Rules.Arity(Op.WeightRows, x, 2);
            var weight = Weight(Op.WeightRows, x[0], a);
            if (weight.Gate is not null)
                throw new ShapeException("ASH0641", "WeightRows got a weight with a gate, but rows that are looked up meet none.",
                    "leave the gate out.");
            if (x[1].DType != DType.Int32)
                throw new DTypeException("ASH0645", $"WeightRows needs i32 indices, but got {Rules.Types([x[1]])}.",
                    "cast the indices to i32.");
            return new(DType.Float32, x[1].Shape.Insert(x[1].Shape.Rank, weight.Columns));
        })
        {
            Evaluate = (node, x) =>
            {
                var weight = node.Get<WeightAttributes>();
                byte[] data = Bytes(x[0]);
                var result = Value.Zeros([.. x[1].Extents, weight.Columns]);
                for (long i = 0; i < x[1].Data.LongLength; i++)
                {
                    var (matrix, row) = Math.DivRem(Index(node, x[1].Data[i], weight.Count * weight.Rows), weight.Rows);
                    Decode(weight, data, matrix, row, result.Data.AsSpan((int)(i * weight.Columns), (int)weight.Columns));
                }
                return result;
            },
        },
    ];

    static WeightAttributes Weight(Op op, Node data, Attributes? attributes)
    {
        var weight = Rules.Expect<WeightAttributes>(op, attributes);
        if (weight.Rows < 1 || weight.Columns < 1 || weight.Count < 1)
            throw new ShapeException("ASH0641",
                $"{op} got a weight of {weight.Count} times {weight.Rows} by {weight.Columns}, which holds nothing.",
                "give every extent at least 1.");
        if (weight.Gate is not null && weight.Rows % WeightLayout.PanelSide != 0)
            throw new ShapeException("ASH0641", $"{op} got a gate over {weight.Rows} outputs, which are no whole number of 32.",
                "pack 16 outputs of the gate, 16 that pass it, and so on (WeightSource.Gated); other widths take a product and a gate of its own.");
        if (data.DType != DType.UInt8 || data.Shape.Rank != 1 || data.Shape[0] != weight.Bytes)
            throw new ShapeException("ASH0641",
                $"{op} needs the {weight.Bytes} bytes of {weight.Count} times {weight.Rows} by {weight.Columns} in {weight.Encoding}, but got {Rules.Types([data])}.",
                "pass the data of a PackedWeight with its own encoding and extents.");
        return weight;
    }

    static void Activations(Op op, Node x, WeightAttributes weight)
    {
        if (x.DType is not (DType.Float32 or DType.BFloat16))
            throw new DTypeException("ASH0644", $"{op} multiplies f32 and bf16 by packed weights, but got {Rules.Types([x])}.",
                "cast the rows to f32.");
        if (x.Shape.Rank == 0 || x.Shape[^1] != weight.Columns)
            throw new ShapeException("ASH0642", $"{op} needs rows of {weight.Columns} elements, but got {Rules.Types([x])}.",
                "check the layer's width, or transpose the weight before packing: it is [outputs, inputs].");
    }

    static Value Product(Node node, Value x, Value bytes, Value? experts)
    {
        var weight = node.Get<WeightAttributes>();
        byte[] data = Bytes(bytes);
        long rows = x.Data.LongLength / weight.Columns;
        double[] sums = new double[rows * weight.Rows];
        var matrices = new long[rows];
        for (long i = 0; i < rows; i++) matrices[i] = experts is null ? 0 : Index(node, experts.Data[i], weight.Count);
        var column = new double[weight.Columns];
        foreach (long matrix in matrices.Distinct())
            for (long n = 0; n < weight.Rows; n++)
            {
                Decode(weight, data, matrix, n, column);
                for (long i = 0; i < rows; i++)
                {
                    if (matrices[i] != matrix) continue;
                    double sum = 0;
                    for (long k = 0; k < column.LongLength; k++) sum += x.Data[i * column.LongLength + k] * column[k];
                    sums[i * weight.Rows + n] = sum;
                }
            }
        var result = Value.Zeros([.. x.Extents[..^1], weight.Outputs]);
        for (long i = 0; i < result.Data.LongLength; i++)
        {
            long at = i / WeightLayout.TileSide * WeightLayout.PanelSide + i % WeightLayout.TileSide;
            result.Data[i] = weight.Gate is { } gate ? gate.Apply(sums[at], sums[at + WeightLayout.TileSide]) : sums[i];
        }
        return result;
    }

    static void Decode(WeightAttributes weight, byte[] data, long matrix, long row, Span<double> to)
    {
        var layout = weight.Layout;
        var bytes = data.AsSpan((int)(matrix * layout.Bytes), (int)layout.Bytes);
        for (int k = 0; k < to.Length; k++) to[k] = layout.Decode(bytes, row, k);
    }

    static byte[] Bytes(Value value) => Array.ConvertAll(value.Data, element => (byte)element);

    static long Index(Node node, double index, long count) => index >= 0 && index < count ? (long)index
        : throw new KernelException("ASH0646", $"{node.Op} met the index {index}, but the weight has {count} to choose from.",
            "check the indices; they count from 0.");
}
