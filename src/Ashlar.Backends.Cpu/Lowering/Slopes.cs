using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>How expressions move with a loop's variable.</summary>
static class Slopes
{
    /// <summary>Whether some loop among these statements gets longer as the variable grows, and none shorter.</summary>
    public static bool Lengthens(IEnumerable<Statement> body, LoopVariable variable)
    {
        int[] slopes = [.. Counts(body).Select(count => Of(count, variable) ?? -1)];
        return Array.TrueForAll(slopes, slope => slope >= 0) && slopes.Contains(1);
    }

    static IEnumerable<Node> Counts(IEnumerable<Statement> body) => body.SelectMany(statement => statement switch
    {
        For loop => Counts(loop.Body).Prepend(loop.Count),
        If branch => Counts(branch.Body),
        _ => [],
    });

    /// <summary>1 where an integer never falls as the variable grows, -1 where it never rises, 0 where it stays the same; null
    /// where nobody knows.</summary>
    public static int? Of(Node node, LoopVariable variable)
    {
        switch (node.Op)
        {
            case Op.Index:
                return node.Variable() == variable ? 1 : 0;
            case Op.Constant or Op.Size:
                return 0;
            case Op.Cast when node.DType == DType.Int64 && node.Inputs[0].DType == DType.Int64:
                return Of(node.Inputs[0], variable);
            case Op.Neg:
                return -Of(node.Inputs[0], variable);
            // The end of a tile: start + min(tile, end - start).
            case Op.Add when node.Inputs is [var start, (Op.Min, [var tile, (Op.Sub, [var end, var again])])] && again == start:
                return Both(Both(Of(start, variable), Of(tile, variable)), Of(end, variable));
            case Op.Add or Op.Min or Op.Max:
                return Both(Of(node.Inputs[0], variable), Of(node.Inputs[1], variable));
            case Op.Sub:
                return Both(Of(node.Inputs[0], variable), -Of(node.Inputs[1], variable));
            case Op.Mul or Op.Div when node.Inputs[1].Constant is { } factor && (double)factor > 0:
                return Of(node.Inputs[0], variable);
            case Op.Mul when node.Inputs[0].Constant is { } factor && (double)factor > 0:
                return Of(node.Inputs[1], variable);
            default:
                return node.Inputs.All(input => Of(input, variable) == 0) ? 0 : null;
        }

        static int? Both(int? a, int? b) => a == 0 ? b : b == 0 || a == b ? a : null;
    }
}
