using Ashlar.Graph;

namespace Ashlar.Compiler.Kernels;

/// <summary>How a kernel of rows and columns sees the nodes it computes: element for element, value per row, or
/// otherwise.</summary>
/// <remarks>
/// From each root downward: elementwise ops and reshapes keep the view, a broadcast along trailing axes turns the whole into one
/// value per row, a row reduction turns a value per row into the whole, and so does a sum over rows, which is a root. Anything
/// else (transposes, slices, gathers) may only lead to memory that other kernels wrote, since those elements are not the ones
/// this iteration computes.
/// </remarks>
sealed class Views
{
    enum View { Whole, Row, Column, Other }

    readonly HashSet<(Node, View)> seen = [];
    readonly HashSet<Node> foreign = [];

    /// <summary>The nodes computed inside, roots included.</summary>
    public HashSet<Node> Members { get; } = [];

    /// <summary>Instructions per element, roughly.</summary>
    public int Cost { get; private set; }

    /// <summary>How many stored nodes are read.</summary>
    public int Reads => foreign.Count;

    /// <summary>The views of a would-be kernel; null when it cannot compute its roots each element once.</summary>
    public static Views? Of(List<Node> roots, Extent rows, Extent columns, Func<Node, bool> isForeign)
    {
        var views = new Views();
        var own = new HashSet<Node>(roots);
        var stack = new Stack<(Node Node, View View)>();
        foreach (var root in roots)
        {
            if (Level(root) is not { } level) return null;
            stack.Push((root, level));
        }
        while (stack.TryPop(out var top))
        {
            if (!views.seen.Add(top)) continue;
            var (node, view) = top;
            if (isForeign(node)) { views.foreign.Add(node); continue; }
            bool statement = own.Contains(node) || Partition.IsAnchor(node);
            if (statement && Level(node) != view) return null;
            if (views.Members.Add(node)) views.Cost += Estimate.Cost(node.Op);
            if (node.Op == Op.Contract) continue;   // its operands are read by the matrix engine
            if (Level(node) == View.Column)
            {
                stack.Push((node.Inputs[0], View.Whole));
                continue;
            }
            if (Partition.IsAnchor(node))
            {
                if (!Partition.IsRowReduction(node) || node.Inputs[0].Shape.Elements != rows * columns
                    || node.Shape.Elements != rows) return null;
                stack.Push((node.Inputs[0], View.Whole));
                continue;
            }
            foreach (var input in node.Inputs) stack.Push((input, Through(node, input, view)));
        }
        return views;

        View? Level(Node node)
        {
            if (columns != 1 && own.Contains(node) && Partition.ColumnSum(node) is var (parts, part, width)
                && parts * part == rows && width == columns) return View.Column;
            if (columns != 1 && node.Shape.Elements == rows * columns && !Partition.IsRowReduction(node)) return View.Whole;
            if (node.Shape.Elements == rows) return columns == 1 ? View.Whole : View.Row;
            return null;
        }

        View Through(Node node, Node input, View view)
        {
            if (view == View.Other) return View.Other;
            if (node.Meaning.Element is not null || node.Op is Op.Cast or Op.BitCast)
                return input.Shape == node.Shape ? view : View.Other;
            switch (node.Op)
            {
                case Op.Reshape or Op.Barrier:
                    return input.Shape.Elements == node.Shape.Elements ? view : View.Other;
                case Op.Broadcast:
                    if (input.Shape.Elements == node.Shape.Elements) return view;
                    return view == View.Whole && columns != 1 && input.Shape.Elements == rows
                        && StretchesTrailingAxes(input.Shape, node.Shape) ? View.Row : View.Other;
                default:
                    return View.Other;
            }
        }
    }

    static bool StretchesTrailingAxes(Shape from, Shape to)
    {
        int lastKept = -1, firstStretched = to.Rank;
        for (int i = 0; i < to.Rank; i++)
        {
            if (from[i] == to[i] && from[i] != 1) lastKept = i;
            else if (from[i] != to[i]) firstStretched = Math.Min(firstStretched, i);
        }
        return lastKept < firstStretched;
    }
}
