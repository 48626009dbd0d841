using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>Builds the tile program of one op that is neither elementwise nor a short row reduction nor a contraction.</summary>
/// <remarks>Inputs are inlined as everywhere else, so a cast or a mask in front of a scan costs no memory.</remarks>
sealed class SingleKernelBuilder
{
    // Columns that one step of the grid works on: a few vectors, so that rows of a reduction stay whole cache lines.
    const long ColumnTile = 256;

    // Columns that one step of a scatter works on: all rows of a table, and few enough that a table of usual width has one or
    // more for each worker.
    const long ScatterTile = 128;

    // Elements of a scatter's base that one step copies.
    const long CopyTile = 4096;

    readonly Node node;
    readonly KernelScope scope = new();
    readonly IndexEvaluator evaluator;

    SingleKernelBuilder(Node node, Func<Node, bool> isForeign)
    {
        this.node = node;
        evaluator = new((inner, index, guard) => isForeign(inner) ? scope.Load(inner, index, guard) : null);
    }

    /// <summary>The tile program of a kernel of kind Single.</summary>
    public static BuiltKernel Build(Kernel kernel, Func<Node, bool> isForeign)
    {
        if (kernel.Anchor is { Attributes: KernelAttributes { Kernel: TileKernel written } } call)
            return new(written.Program, call.Inputs.ToValueList(), kernel.Roots.ToValueList());
        if (kernel.Anchor is { Attributes: KernelAttributes { Kernel: BackendKernel library } } known)
            return Library(kernel, known, library);
        var builder = new SingleKernelBuilder(kernel.Anchor!, isForeign);
        return kernel.Anchor!.Op switch
        {
            Op.Project or Op.ProjectExperts or Op.WeightRows => builder.Whole(),
            Op.Fold => builder.Fold(),
            Op.CumSum or Op.CumProd or Op.CumMax or Op.ArgSort => builder.Along(),
            Op.Scatter => builder.Scatter(),
            _ => builder.Reduce(),
        };
    }

    BuiltKernel Whole()
    {
        // Buffers have the op's own shapes; a reshaped input is read where it lies.
        var inputs = new List<Node>();
        var buffers = new List<TileBuffer>();
        var operands = new List<TileBuffer>();
        foreach (var input in node.Inputs)
        {
            var source = Partition.Unshaped(input);
            int known = inputs.IndexOf(source);
            if (known < 0 || buffers[known].Shape != input.Shape)
            {
                known = inputs.Count;
                inputs.Add(source);
                buffers.Add(new($"in{known}", input.DType, input.Shape, written: false));
            }
            operands.Add(buffers[known]);
        }
        var target = new TileBuffer("out0", node.DType, node.Shape, written: true);
        var statement = new Whole(node.Op, target, operands.ToValueList(), node.Get<WeightAttributes>());
        return new(new(node.Meaning.Name, [.. buffers, target], [statement]), inputs.ToValueList(), [node]);
    }

    // Its inside is the backend's: the program only says what it reads and writes.
    static BuiltKernel Library(Kernel kernel, Node call, BackendKernel library)
    {
        var inputs = library.Inputs.Select((type, i) => new TileBuffer($"in{i}", type.DType, type.Shape, written: false));
        var outputs = library.Outputs.Select((type, i) => new TileBuffer($"out{i}", type.DType, type.Shape, written: true));
        return new(new(library.Name, [.. inputs, .. outputs], []), call.Inputs.ToValueList(), kernel.Roots.ToValueList(),
            Library: library);
    }

    BuiltKernel Reduce()
    {
        var input = node.Inputs[0];
        int[] reducedAxes = Partition.ReducedAxes(node);
        var runs = Runs(input.Shape, axis => reducedAxes.Contains(axis));
        var domain = new Domain(scope, [.. runs.Select(run => run.Extent)]);
        Node value;
        do value = evaluator.Value(input, IndexEvaluator.Unflatten(Flat(domain, runs), input.Shape));
        while (domain.Split([value]));

        var over = runs.SelectMany((run, i) => run.Marked ? domain.Variables[i] : []).Select(DomainAxis.Whole).ToValueList();
        var kept = runs.SelectMany((run, i) => run.Marked ? [] : domain.Variables[i]).ToList();
        var keptFlat = Affine.Of(0);
        for (int i = 0; i < runs.Count; i++)
            if (!runs[i].Marked) keptFlat = keptFlat * runs[i].Extent + domain.Positions[i];
        return Finish(kept, runs.Count > 0 && !runs[^1].Marked, keptFlat, value,
            (target, index, what, inner) => new Reduce(node.Op, target, index, what, inner, over));
    }

    BuiltKernel Fold()
    {
        var window = node.Get<WindowAttributes>();
        var input = node.Inputs[0];
        var domain = new Domain(scope, [node.Shape.Elements]);
        var member = scope.Variable(window.Size, "k");
        Node value;
        do
        {
            var index = IndexEvaluator.Unflatten(domain.Positions[0], node.Shape);
            var offset = index[window.Axis] - Affine.Of(member) * window.Dilation;
            Affine position = offset.Divide(window.Stride), rest = offset.Modulo(window.Stride);
            var inside = IndexEvaluator.And(
                IndexEvaluator.And(Nodes.Binary(Op.LessEqual, TileNodes.Number(0), offset.ToNode()),
                    Nodes.Binary(Op.Less, position.ToNode(), Nodes.Size(window.Positions))),
                window.Stride == 1 ? null : Nodes.Binary(Op.Equal, rest.ToNode(), TileNodes.Number(0)));
            var element = evaluator.Value(input,
                [.. index[..window.Axis], position, Affine.Of(member), .. index[(window.Axis + 1)..]], inside);
            value = Nodes.Select(inside!, element, element.Like(0));
        }
        while (domain.Split([value]));
        return Finish(domain.Variables[0], true, domain.Positions[0], value,
            (target, index, what, inner) => new Reduce(Op.ReduceSum, target, index, what, inner, [DomainAxis.Whole(member)]));
    }

    BuiltKernel Along()
    {
        var input = node.Inputs[0];
        int axis = node.Attributes is ScanAttributes scan ? scan.Axis : node.Get<SortAttributes>().Axis;
        Extent before = Extent.Product(input.Shape.Take(axis)), after = Extent.Product(input.Shape.Skip(axis + 1));
        var domain = new Domain(scope, [before, after]);
        var along = scope.Variable(input.Shape[axis], "k");
        Affine Flat() => (domain.Positions[0] * input.Shape[axis] + Affine.Of(along)) * after + domain.Positions[1];
        Node value;
        do value = evaluator.Value(input, IndexEvaluator.Unflatten(Flat(), input.Shape));
        while (domain.Split([value]));
        return Finish([.. domain.Variables[0], .. domain.Variables[1]], after != 1, Flat(), value, (target, index, what, inner) =>
            node.Attributes is SortAttributes sort
            ? new Sort(target, index, what, inner, DomainAxis.Whole(along), sort.Descending)
            : new Scan(node.Op, target, index, what, inner, DomainAxis.Whole(along), node.Get<ScanAttributes>().Reverse));
    }

    // The grid cuts the axes around the one that indices point along, so that no two workers write one element. Where that leaves
    // it but columns, the base is copied before, from end to end.
    BuiltKernel Scatter()
    {
        var (data, indices, updates) = (node.Inputs[0], node.Inputs[1], node.Inputs[2]);
        var attributes = node.Get<ScatterAttributes>();
        int axis = attributes.Axis, rank = node.Shape.Rank;
        Extent before = Extent.Product(node.Shape.Take(axis)), after = Extent.Product(node.Shape.Skip(axis + 1));
        bool copiesFirst = before == 1;
        // The last two: rows kept, updates.
        var domain = new Domain(scope, [before, after, node.Shape[axis], indices.Shape[axis]]);
        var to = scope.Write(node);
        Node[] kept, target;
        Node old, added;
        do
        {
            Affine[] At(Affine along, Shape shape) =>
                IndexEvaluator.Unflatten((domain.Positions[0] * shape[axis] + along) * after + domain.Positions[1], shape);
            Affine[] at = At(domain.Positions[2], node.Shape), from = At(domain.Positions[3], indices.Shape),
                moved = (Affine[])from.Clone();
            var chosen = Nodes.Cast(evaluator.Value(indices, from), DType.Int64);
            moved[axis] =
                Affine.Of(TileNodes.Bound(chosen, Nodes.Size(node.Shape[axis]),
                    $"scatter along axis {axis} of {node.DType.Name}{node.Shape}"));
            kept = [.. at.Select(i => i.ToNode())];
            target = [.. moved.Select(i => i.ToNode())];
            old = copiesFirst ? node.Like(0) : Nodes.Cast(evaluator.Value(data, at), node.DType);
            added = Nodes.Cast(evaluator.Value(updates, from), node.DType);
        }
        while (domain.Split([.. kept, .. target, old, added]));

        var (grid, columns, replaced) = Tiled([.. domain.Variables[0], .. domain.Variables[1]], after != 1,
            [.. kept, .. target, old, added], copiesFirst ? ScatterTile : ColumnTile);
        var mode = attributes.Mode switch
        {
            ScatterMode.Add => StoreMode.Add,
            ScatterMode.Max => StoreMode.Max,
            _ => StoreMode.Set,
        };
        var put = new Store(to, [.. replaced[rank..(2 * rank)]], replaced[^1],
            [.. domain.Variables[3].Select(DomainAxis.Whole), .. columns], mode);
        if (copiesFirst) return scope.Finish("scatter", [.. Copied(data, to), .. Expressions.Grid(grid, [put])]);
        var copy = new Store(to, [.. replaced[..rank]], replaced[^2],
            [.. domain.Variables[2].Select(DomainAxis.Whole), .. columns]);
        return scope.Finish("scatter", Expressions.Grid(grid, [copy, put]));
    }

    ValueList<Statement> Copied(Node data, TileBuffer to)
    {
        var domain = new Domain(scope, [node.Shape.Elements]);
        Affine[] at;
        Node value;
        do
        {
            at = IndexEvaluator.Unflatten(domain.Positions[0], node.Shape);
            value = Nodes.Cast(evaluator.Value(data, at), node.DType);
        }
        while (domain.Split([.. at.Select(i => i.ToNode()), value]));
        var (grid, inner, replaced) = Tiled(domain.Variables[0], true, [.. at.Select(i => i.ToNode()), value], CopyTile);
        return Expressions.Grid(grid, [new Store(to, [.. replaced[..^1]], replaced[^1], inner,
            Streaming: RowKernelBuilder.IsStreamed(node))]);
    }

    // Grid over the kept variables; the innermost one, where it is contiguous, is cut into tiles that become the statement's
    // domain.
    (List<(LoopVariable, Node)> Grid, ValueList<DomainAxis> Inner, Node[] Values) Tiled(List<LoopVariable> kept, bool contiguous,
        Node[] values, long tile = ColumnTile)
    {
        var grid = kept.Select(variable => (variable, Nodes.Size(variable.Count))).ToList();
        if (!contiguous || kept.Count == 0) return (grid, [], values);
        var last = kept[^1];
        if (last.Count.TryGetValue(out long count) && count <= tile)
        {
            grid.RemoveAt(grid.Count - 1);
            return (grid, [DomainAxis.Whole(last)], values);
        }
        var block = scope.Variable(Expressions.MostTiles(last.Count, tile), "block");
        var within = scope.Variable(tile);
        var start = Nodes.Binary(Op.Mul, block.Index(), TileNodes.Number(tile));
        grid[^1] = (block, Expressions.Tiles(last.Count, tile));
        return (grid, [new(within, Nodes.Min(TileNodes.Number(tile), Nodes.Binary(Op.Sub, Nodes.Size(last.Count), start)))],
            Expressions.Substitute(values, new Dictionary<LoopVariable, Node>
            {
                [last] = Nodes.Binary(Op.Add, start, within.Index()),
            }));
    }

    BuiltKernel Finish(List<LoopVariable> kept, bool contiguous, Affine position, Node value,
        Func<Memory, ValueList<Node>, Node, ValueList<DomainAxis>, Statement> statement)
    {
        var (grid, inner, replaced) =
            Tiled(kept, contiguous, [.. IndexEvaluator.Unflatten(position, node.Shape).Select(axis => axis.ToNode()), value]);
        var index = replaced[..^1].ToValueList();
        value = replaced[^1];
        var to = scope.Write(node);
        var body = new List<Statement>();
        var compute = node.DType.Compute;
        if (node.Op is Op.ArgSort || compute == node.DType) body.Add(statement(to, index, value, inner));
        else if (node.Op is Op.CumSum or Op.CumProd or Op.CumMax)
        {
            body.Add(statement(to, index, Nodes.Cast(value, node.DType), inner));   // the scan itself keeps float32
        }
        else
        {
            // Sums of small types are kept in the compute type and rounded once.
            var tile = scope.Tile(compute, Shape.Of(inner.Select(axis => axis.Variable.Count)));
            Node[] at = [.. inner.Select(axis => axis.Variable.Index())];
            body.Add(new Allocate(tile));
            body.Add(statement(tile, [.. at], value, inner));
            body.Add(new Store(to, index, Nodes.Cast(tile.Load(at), node.DType), inner));
        }
        return scope.Finish(node.Meaning.Name, Expressions.Grid(grid, body.ToValueList()));
    }

    readonly record struct Run(Extent Extent, bool Marked);

    // Neighbouring axes of one kind become one run.
    static List<Run> Runs(Shape shape, Func<int, bool> isMarked)
    {
        var runs = new List<Run>();
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            if (runs.Count > 0 && runs[^1].Marked == isMarked(axis)) runs[^1] = runs[^1] with
            {
                Extent = runs[^1].Extent * shape[axis],
            };
            else runs.Add(new(shape[axis], isMarked(axis)));
        }
        return runs;
    }

    static Affine Flat(Domain domain, List<Run> runs)
    {
        var flat = Affine.Of(0);
        for (int i = 0; i < runs.Count; i++) flat = flat * runs[i].Extent + domain.Positions[i];
        return flat;
    }
}
