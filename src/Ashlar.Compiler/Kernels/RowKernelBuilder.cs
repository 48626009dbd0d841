using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>Builds the tile program of a map or of a kernel of rows.</summary>
/// <remarks>
/// A row goes through phases: all reductions whose inputs are known run in one pass over the columns, then those that need their
/// results, then the stores. What costs much and is needed in a later phase too (an exponential) waits in a tile; what is cheap
/// is computed again from the row, which is in cache by then.
/// </remarks>
sealed class RowKernelBuilder
{
    // Below this cost an expression is computed again rather than kept in a tile.
    const int Cheap = 4;

    // Elements that one step of a map's grid works on: enough to hide the step, few enough to balance.
    const long MapTile = 8192;

    readonly Kernel kernel;
    readonly KernelScope scope = new();
    readonly Dictionary<Node, Tile> reductions = [];
    readonly Dictionary<Tile, (Node Reduction, Node Value)> reduced = [];
    readonly List<Tile> reductionOrder = [];
    readonly List<(Node Root, Node[] Index, Node Value, bool Whole)> stores = [];
    readonly List<(Node Root, Node[] Index, Node Value)> sums = [];   // over the rows of a part
    Domain domain = null!;

    RowKernelBuilder(Kernel kernel) => this.kernel = kernel;

    /// <summary>The tile program of a kernel of kind Map or Rows.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="isForeign">True for nodes that are in memory when the kernel runs.</param>
    public static BuiltKernel Build(Kernel kernel, Func<Node, bool> isForeign)
    {
        var builder = new RowKernelBuilder(kernel);
        builder.Evaluate(isForeign);
        return builder.reductions.Count == 0 && kernel.Columns == 1 ? builder.Map() : builder.Rows();
    }

    void Evaluate(Func<Node, bool> isForeign)
    {
        // With sums over rows: parts, the rows of a part, columns; otherwise rows and columns.
        domain = new(scope, kernel.Part is { } rowsOfPart && kernel.Rows.TryDivide(rowsOfPart, out var parts)
            ? [parts, rowsOfPart, kernel.Columns] : [kernel.Rows, kernel.Columns]);
        do
        {
            reductions.Clear();
            reduced.Clear();
            reductionOrder.Clear();
            stores.Clear();
            sums.Clear();
            var rows = kernel.Part is { } part ? domain.Positions[0] * part + domain.Positions[1] : domain.Positions[0];
            var whole = rows * kernel.Columns + domain.Positions[^1];
            IndexEvaluator evaluator = null!;
            evaluator = new((node, index, guard) =>
            {
                if (isForeign(node)) return scope.Load(node, index, guard);
                if (!Partition.IsAnchor(node)) return null;
                if (!reductions.TryGetValue(node, out var tile))
                {
                    var input = node.Inputs[0];
                    var value = evaluator.Value(input, IndexEvaluator.Unflatten(whole, input.Shape));
                    tile = scope.Tile(node.DType.Compute, Shape.Scalar);
                    reductions[node] = tile;
                    reduced[tile] = (node, value);
                    reductionOrder.Add(tile);
                }
                return tile.Load([]);
            });
            foreach (var root in kernel.Roots)
            {
                if (kernel.Part is not null && Partition.ColumnSum(root) is not null)
                {
                    var place = IndexEvaluator.Unflatten(domain.Positions[0] * kernel.Columns + domain.Positions[^1], root.Shape);
                    sums.Add((root, [.. place.Select(axis => axis.ToNode())],
                        evaluator.Value(root.Inputs[0], IndexEvaluator.Unflatten(whole, root.Inputs[0].Shape))));
                    continue;
                }
                bool isWhole = kernel.Columns != 1 && root.Shape.Elements == kernel.Rows * kernel.Columns
                    && !Partition.IsRowReduction(root);
                var index = IndexEvaluator.Unflatten(isWhole ? whole : rows, root.Shape);
                var value = Nodes.Cast(evaluator.Value(root, index), root.DType);
                stores.Add((root, [.. index.Select(axis => axis.ToNode())], value, isWhole));
            }
        }
        while (domain.Split([.. stores.SelectMany(store => store.Index.Append(store.Value)),
            .. sums.SelectMany(sum => sum.Index.Append(sum.Value)), .. reduced.Values.Select(entry => entry.Value)]));
    }

    BuiltKernel Map()
    {
        var variables = domain.Variables[0];
        var grid = new List<(LoopVariable, Node)>();
        var inner = new List<DomainAxis>();
        var replace = new Dictionary<LoopVariable, Node>();
        long elements = 1;
        for (int i = variables.Count - 1; i >= 0; i--)
        {
            var variable = variables[i];
            long count = Estimate.Of(variable.Count);
            if (grid.Count == 0 && inner.Count == 0 && (count > MapTile || !variable.Count.IsConstant))
            {
                long tile = TileOf(variable.Count);
                var block = scope.Variable(Expressions.MostTiles(variable.Count, tile), "block");
                var within = scope.Variable(tile);
                var start = Nodes.Binary(Op.Mul, block.Index(), TileNodes.Number(tile));
                replace[variable] = Nodes.Binary(Op.Add, start, within.Index());
                grid.Insert(0, (block, Expressions.Tiles(variable.Count, tile)));
                bool divides = variable.Count.TryGetValue(out long whole) && whole % tile == 0;
                inner.Insert(0, divides
                    ? DomainAxis.Whole(within)
                    : new(within, Nodes.Min(TileNodes.Number(tile), Nodes.Binary(Op.Sub, Nodes.Size(variable.Count), start))));
            }
            else if (grid.Count == 0 && (inner.Count == 0 || elements * count <= MapTile / 2))
            {
                inner.Insert(0, DomainAxis.Whole(variable));
                elements *= count;
            }
            else grid.Insert(0, (variable, Nodes.Size(variable.Count)));
        }
        inner = Paged(inner, replace);
        var body = new List<Statement>();
        // Those that read most come first: a later store may then write over an input of an earlier one (AdamW's moments).
        foreach (var (root, index, value, _) in stores.OrderByDescending(store => ContractionForm.BuffersOf([store.Value]).Count))
        {
            var replaced = Expressions.Substitute([.. index, value], replace);
            body.Add(new Store(scope.Write(root), [.. replaced[..^1]], replaced[^1], inner.ToValueList(),
                Streaming: IsStreamed(root)));
        }
        return scope.Finish(Name("map"), Expressions.Grid(grid, body.ToValueList()));
    }

    // Memory answers faster when several pages are read side by side than one after another (docs/performance/memory.md), so a
    // long innermost axis goes in strips of 64 elements through up to 8 stretches of it in turn.
    List<DomainAxis> Paged(List<DomainAxis> inner, Dictionary<LoopVariable, Node> replace)
    {
        const long strip = 64, least = 512;
        if (inner.Count == 0 || !inner[^1].Variable.Count.TryGetValue(out long count) || inner[^1].Extent.Constant != count)
            return inner;
        if (Estimate.Of(kernel.Rows * kernel.Columns) < 1 << 21) return inner;   // stays in the caches
        long stretches = new long[] { 8, 4, 2 }.FirstOrDefault(n => count % (n * strip) == 0 && count / n >= least);
        if (stretches == 0) return inner;
        var (step, stretch, within) =
            (scope.Variable(count / stretches / strip, "s"), scope.Variable(stretches, "p"), scope.Variable(strip));
        var position = Affine.Of(stretch) * (count / stretches) + Affine.Of(step) * strip + Affine.Of(within);
        foreach (var (variable, place) in replace.ToList())
            replace[variable] = Expressions.Substitute([place],
                new Dictionary<LoopVariable, Node> { [inner[^1].Variable] = position.ToNode() })[0];
        replace[inner[^1].Variable] = position.ToNode();
        return [.. inner[..^1], DomainAxis.Whole(step), DomainAxis.Whole(stretch), DomainAxis.Whole(within)];
    }

    // The tile of a long axis: one that divides it, where there is such, so that no step is ragged.
    static long TileOf(Extent count)
    {
        if (count.TryGetValue(out long number))
            for (long tile = MapTile; tile >= MapTile / 2; tile -= 128)
                if (number % tile == 0) return tile;
        return MapTile;
    }

    BuiltKernel Rows()
    {
        var columns = domain.Variables[^1];
        var over = columns.Select(DomainAxis.Whole).ToValueList();
        var phases = new Phases(reduced, columns);
        var staged =
            phases.Stage(reductionOrder, [.. stores.Select(store => store.Value), .. sums.Select(sum => sum.Value)], Cheap);
        var tiles = new Dictionary<Node, Tile>();
        var row = Shape.Of(columns.Select(column => column.Count));
        foreach (var (value, _) in staged) tiles[value] = scope.Tile(value.DType, row);
        var running = sums.ConvertAll(sum => scope.Tile(sum.Value.DType, row));
        Node[] at = [.. columns.Select(column => column.Index())];

        var body = new List<Statement>();
        body.AddRange(reductionOrder.Select(tile => new Allocate(tile)));
        body.AddRange(tiles.Values.Select(tile => new Allocate(tile)));
        for (int phase = 0; phase <= phases.Last; phase++)
        {
            foreach (var (value, first) in staged)
                if (first == phase) body.Add(new Store(tiles[value], [.. at], Later(value, phase, except: value), over));
            foreach (var tile in reductionOrder)
                if (phases.Of(tile) == phase)
                    body.Add(new Reduce(reduced[tile].Reduction.Op, tile, [], Later(reduced[tile].Value, phase), [], over));
            for (int i = 0; i < sums.Count; i++)
                if (phases.Of(sums[i].Value) == phase)
                    body.Add(new Store(running[i], [.. at],
                        Nodes.Binary(Op.Add, running[i].Load(at), Later(sums[i].Value, phase)), over));
            foreach (var (root, index, value, whole) in stores)
                if (phases.Of(value) == phase)
                    body.Add(new Store(scope.Write(root), [.. index], Later(value, phase),
                        whole ? over : [], Streaming: IsStreamed(root)));
        }
        if (sums.Count > 0) body = [.. InParts(body.ToValueList())];
        var grid = domain.Variables[0].Select(variable => (variable, Nodes.Size(variable.Count)));
        return scope.Finish(Name("rows"), Expressions.Grid(grid, body.ToValueList()));

        // The rows of a part one after another; the sums over them stay in tiles meanwhile.
        IEnumerable<Statement> InParts(ValueList<Statement> rowBody)
        {
            foreach (var tile in running) yield return new Allocate(tile);
            foreach (var tile in running) yield return new Store(tile, [.. at], tile.Load(at).Like(0), over);
            foreach (var variable in Enumerable.Reverse(domain.Variables[1]))
                rowBody = [new For(variable, Nodes.Size(variable.Count), LoopKind.Serial, rowBody)];
            foreach (var statement in rowBody) yield return statement;
            for (int i = 0; i < sums.Count; i++)
                yield return new Store(scope.Write(sums[i].Root), [.. sums[i].Index],
                    Nodes.Cast(running[i].Load(at), sums[i].Root.DType), over);
        }

        // In phases after the one that computes it, a staged value is read from its tile.
        Node Later(Node value, int phase, Node? except = null)
        {
            var replace = staged.Where(entry => entry.First < phase && entry.Value != except)
                .ToDictionary(entry => entry.Value, entry => tiles[entry.Value].Load(at));
            return replace.Count == 0 ? value : ReplaceFromTop(value, replace);
        }
    }

    static Node ReplaceFromTop(Node value, Dictionary<Node, Node> replace)
    {
        if (replace.TryGetValue(value, out var direct)) return direct;
        return Traversal.Rewrite([value], replace.GetValueOrDefault, stopAt: replace.ContainsKey)[0];
    }

    /// <summary>Whether the stores of a root bypass the caches.</summary>
    public static bool IsStreamed(Node root) => root.Shape.IsConstant && Estimate.Bytes(root) >= Store.StreamedBytes;

    string Name(string kind) => $"{kind}_{string.Join("_", kernel.Roots.Take(3).Select(root => root.Meaning.Name))}";
}
