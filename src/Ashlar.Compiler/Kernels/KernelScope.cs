using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>A tile program with the graph nodes that its buffers hold.</summary>
/// <param name="Program">What runs.</param>
/// <param name="Inputs">The stored node of each buffer that is read, in the order of the program's buffers.</param>
/// <param name="Outputs">The root of each buffer that is written; these buffers come after the inputs.</param>
/// <param name="Form">Of a contraction: the same before blocking, for targets with a matrix engine.</param>
/// <param name="Library">Of a kernel whose inside is the backend's: which; the program has no body then.</param>
public sealed record BuiltKernel(TileProgram Program, ValueList<Node> Inputs, ValueList<Node> Outputs,
    ContractionForm? Form = null,
    BackendKernel? Library = null);

/// <summary>What building one tile program needs: its buffers, made when first read, and its loop variables.</summary>
sealed class KernelScope
{
    readonly Dictionary<Node, TileBuffer> reads = [];
    readonly List<Node> inputs = [];
    readonly List<(Node Root, TileBuffer Buffer)> outputs = [];
    int variables;
    int tiles;

    /// <summary>The buffer that holds a stored node.</summary>
    public TileBuffer Read(Node node)
    {
        if (!reads.TryGetValue(node, out var buffer))
        {
            reads[node] = buffer = new($"in{reads.Count}", node.DType, node.Shape, written: false);
            inputs.Add(node);
        }
        return buffer;
    }

    /// <summary>An element of a stored node in its compute type.</summary>
    public Node Load(Node node, Affine[] index, Node? guard) =>
        Nodes.Cast(Read(node).Load([.. index.Select(axis => axis.ToNode())], guard), node.DType.Compute);

    /// <summary>The buffer that a root is stored to.</summary>
    public TileBuffer Write(Node root)
    {
        foreach (var (known, buffer) in outputs)
            if (known == root) return buffer;
        outputs.Add((root, new($"out{outputs.Count}", root.DType, root.Shape, written: true)));
        return outputs[^1].Buffer;
    }

    /// <summary>A new loop variable below <paramref name="count"/>.</summary>
    public LoopVariable Variable(Extent count, string letter = "i") => new($"{letter}{variables++}", count);

    /// <summary>A new tile.</summary>
    public Tile Tile(DType dtype, Shape shape, TileSpace space = TileSpace.Scratch) => new($"t{tiles++}", dtype, shape, space);

    /// <summary>The finished kernel.</summary>
    public BuiltKernel Finish(string name, IEnumerable<Statement> body) => new(
        new(name, [.. inputs.Select(node => reads[node]), .. outputs.Select(output => output.Buffer)], body.ToValueList()),
        inputs.ToValueList(), outputs.Select(output => output.Root).ToValueList());
}

/// <summary>An iteration space that splits its variables where index arithmetic asks for it.</summary>
/// <remarks>
/// It begins with one variable per run of axes. Where an expression divides a variable by a divisor of its count, the variable
/// becomes an outer and an inner one, so the division disappears: a bias over the last axis of a flat loop splits it into rows.
/// </remarks>
sealed class Domain(KernelScope scope, IReadOnlyList<Extent> runs)
{
    /// <summary>For each run its variables, outermost first.</summary>
    public List<LoopVariable>[] Variables { get; private set; } =
        [.. runs.Select(run => new List<LoopVariable> { scope.Variable(run) })];

    /// <summary>The row-major position within each run.</summary>
    public Affine[] Positions => [.. Variables.Select(Position)];

    /// <summary>Splits variables that occur under a division in <paramref name="values"/>.</summary>
    /// <returns>False when nothing had to be split: the values are final.</returns>
    public bool Split(IEnumerable<Node> values)
    {
        var own = Variables.SelectMany(run => run).ToHashSet();
        var divisors = new Dictionary<LoopVariable, long>();
        foreach (var node in Traversal.PostOrder(values))
        {
            if (node is not (Op.Div or Op.Mod, [{ Op: Op.Index } index, { Attributes: ConstantAttributes divisor }])
                || node.DType != DType.Int64) continue;
            var variable = index.Variable();
            if (!own.Contains(variable) || divisor.Integer < 2 || !variable.Count.TryDivide(divisor.Integer, out var outer)
                || outer == 1) continue;
            // The greatest divisor first: the smaller ones then split the inner part.
            divisors[variable] = Math.Max(divisors.GetValueOrDefault(variable), divisor.Integer);
        }
        if (divisors.Count == 0) return false;
        foreach (var run in Variables)
        {
            for (int i = 0; i < run.Count; i++)
            {
                if (!divisors.TryGetValue(run[i], out long divisor)) continue;
                run[i].Count.TryDivide(divisor, out var outer);
                run[i] = scope.Variable(outer);
                run.Insert(i + 1, scope.Variable(divisor));
            }
        }
        return true;
    }

    static Affine Position(List<LoopVariable> run)
    {
        var position = Affine.Of(0);
        foreach (var variable in run) position = position * variable.Count + Affine.Of(variable);
        return position;
    }
}

/// <summary>Rewrites of tile expressions.</summary>
static class Expressions
{
    /// <summary>The values with other expressions in place of loop variables.</summary>
    public static Node[] Substitute(IEnumerable<Node> values, IReadOnlyDictionary<LoopVariable, Node> replace) =>
        replace.Count == 0
        ? [.. values]
        : Traversal.Rewrite(values, node => node.Op == Op.Index ? replace.GetValueOrDefault(node.Variable()) : null);

    /// <summary>True when a value depends on one of the variables.</summary>
    public static bool DependsOn(Node value, IReadOnlyCollection<LoopVariable> variables) =>
        Traversal.PostOrder([value]).Exists(node => node.Op == Op.Index && variables.Contains(node.Variable()));

    /// <summary>How many tiles of <paramref name="tile"/> cover <paramref name="extent"/>.</summary>
    public static Node Tiles(Extent extent, long tile) => extent.TryGetValue(out long number)
        ? TileNodes.Number((number + tile - 1) / tile)
        : Nodes.Binary(Op.Div, Nodes.Size(extent + (tile - 1)), TileNodes.Number(tile));

    /// <summary>A count that the number of tiles never exceeds.</summary>
    public static Extent MostTiles(Extent extent, long tile) =>
        extent.TryGetValue(out long number) ? (number + tile - 1) / tile : extent;

    /// <summary>Loops over variables, outermost first, around a body.</summary>
    public static ValueList<Statement> Grid(IEnumerable<(LoopVariable Variable, Node Count)> loops, ValueList<Statement> body)
    {
        foreach (var (variable, count) in loops.Reverse()) body = [new For(variable, count, LoopKind.Parallel, body)];
        return body;
    }
}
