using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>Puts other extents, such as numbers, in place of the symbols of a program.</summary>
static class ProgramSubstitution
{
    public static TileProgram Of(TileProgram program, Func<Symbol, Extent> values)
    {
        var rewriting = new Rewriting(values);
        return new(program.Name, [.. program.Buffers.Select(buffer => (TileBuffer)rewriting.Memory(buffer))],
            rewriting.Body(program.Body));
    }

    sealed class Rewriting(Func<Symbol, Extent> values)
    {
        readonly Dictionary<Memory, Memory> memories = [];
        readonly Dictionary<LoopVariable, LoopVariable> variables = [];
        readonly Dictionary<Node, Node> nodes = [];

        public Memory Memory(Memory old)
        {
            if (memories.TryGetValue(old, out var known)) return known;
            var shape = Shape.Of(old.Shape.Select(extent => extent.Substitute(values)));
            return memories[old] = old is Tile tile ? new Tile(old.Name, old.DType, shape, tile.Space) : new TileBuffer(old.Name,
                old.DType, shape, ((TileBuffer)old).Written);
        }

        public ValueList<Statement> Body(ValueList<Statement> body) =>
            [.. body.Select(statement => Changed(statement) with { Origin = statement.Origin })];

        Statement Changed(Statement statement) => statement switch
        {
            For loop => loop with { Variable = Variable(loop.Variable), Count = Changed(loop.Count), Body = Body(loop.Body) },
            If branch => new If(Changed(branch.Condition), Body(branch.Body)),
            Allocate allocate => new Allocate((Tile)Memory(allocate.Tile)),
            Store store => store with
            {
                Target = Memory(store.Target),
                Indices = Changed(store.Indices),
                Value = Changed(store.Value),
                Domain = Changed(store.Domain),
                Guard = store.Guard is null ? null : Changed(store.Guard),
            },
            Reduce reduce => new Reduce(reduce.Op, Memory(reduce.Target), Changed(reduce.Indices), Changed(reduce.Value),
                Changed(reduce.Domain), Changed(reduce.Over), reduce.Accumulate),
            Scan scan => new Scan(scan.Op, Memory(scan.Target), Changed(scan.Indices), Changed(scan.Value), Changed(scan.Domain),
                Changed(scan.Along), scan.Reverse),
            Sort sort => new Sort(Memory(sort.Target), Changed(sort.Indices), Changed(sort.Value), Changed(sort.Domain),
                Changed(sort.Along), sort.Descending),
            Whole whole =>
                new Whole(whole.Op, (TileBuffer)Memory(whole.Target),
                    [.. whole.Inputs.Select(input => (TileBuffer)Memory(input))], whole.Weight),
            Dot dot => new Dot((Tile)Memory(dot.Target), Changed(dot.Left), Changed(dot.Right), Changed(dot.Row),
                Changed(dot.Column), Changed(dot.Inner)),
            _ => throw new KernelException("ASH0528", $"'{statement.GetType().Name}' is not a statement that tile programs know.",
                "build programs from the statements of Ashlar.Tiles."),
        };

        LoopVariable Variable(LoopVariable old)
        {
            if (!variables.TryGetValue(old, out var variable)) variables[old] = variable = new(old.Name,
                old.Count.Substitute(values));
            return variable;
        }

        DomainAxis Changed(DomainAxis axis) => new(Variable(axis.Variable), Changed(axis.Extent));

        ValueList<DomainAxis> Changed(ValueList<DomainAxis> axes) => [.. axes.Select(Changed)];

        ValueList<Node> Changed(ValueList<Node> expressions) => [.. expressions.Select(Changed)];

        Node Changed(Node root)
        {
            foreach (var node in Traversal.PostOrder([root]))
            {
                if (nodes.ContainsKey(node)) continue;
                Node[] inputs = [.. node.Inputs.Select(input => nodes[input])];
                nodes[node] = node.Op switch
                {
                    Op.Index => Variable(node.Variable()).Index(),
                    Op.Load => Node.Of(Op.Load, inputs, node.Get<LoadAttributes>() with { Source = Memory(node.Source()) }),
                    Op.Size => Nodes.Size(node.Get<SizeAttributes>().Extent.Substitute(values)),
                    _ => node.With(inputs),
                };
            }
            return nodes[root];
        }
    }
}
