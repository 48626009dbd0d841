using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Which neighbouring statements may run as one loop, point by point.</summary>
internal static class LoopGroup
{
    /// <summary>The axes of a statement: those that stay, then those that vanish.</summary>
    public static DomainAxis[] Axes(Statement statement) => statement switch
    {
        Store store => [.. store.Domain],
        Reduce reduce => [.. reduce.Domain, .. reduce.Over],
        _ => [],
    };

    /// <summary>The end of the group that begins at a statement.</summary>
    public static int End(IReadOnlyList<Statement> body, int begin)
    {
        var axes = Axes(body[begin]);
        int end = begin + 1;
        if (axes.Length == 0 || body[begin] is Store { IsAtomic: true }) return end;
        while (end < body.Count && body[end] is Store { IsAtomic: false } or Reduce
            && Axes(body[end]).AsSpan().SequenceEqual(axes)
            && Enumerable.Range(begin, end - begin).All(i => MayShareLoop(body[i], body[end]))) end++;
        return end;
    }

    // The second statement would see the first one's work half done: that must make no difference.
    static bool MayShareLoop(Statement first, Statement second)
    {
        var (written, overwritten) = (Target(first), Target(second));
        if (ReferenceEquals(written, overwritten)) return false;
        foreach (var load in Loads(second))
        {
            if (!ReferenceEquals(load.Source(), written)) continue;
            // It reads what the first has just stored at this point: a value that no store changes, or a 16-bit float, rounded
            // before.
            if (first is not Store { Mode: StoreMode.Set, Guard: null } store
                || written.DType.Compute != written.DType && written.DType is not (DType.Float16 or DType.BFloat16)
                || load.Guard() is not null
                || !load.Indices().AsSpan().SequenceEqual([.. store.Indices])) return false;
        }
        foreach (var load in Loads(first))
        {
            if (!ReferenceEquals(load.Source(), overwritten)) continue;
            if (second is not Store store || !load.Indices().AsSpan().SequenceEqual([.. store.Indices])) return false;
        }
        return true;
    }

    static Memory Target(Statement statement) => statement is Store store ? store.Target : ((Reduce)statement).Target;

    /// <summary>The expressions that a statement evaluates at each point.</summary>
    public static Node[] Values(Statement statement) => statement switch
    {
        Store store => [.. store.Indices, store.Value, .. store.Guard is null ? [] : (Node[])[store.Guard]],
        Reduce reduce => [.. reduce.Indices, reduce.Value],
        _ => [],
    };

    static IEnumerable<Node> Loads(Statement statement) =>
        Traversal.PostOrder(Values(statement)).Where(node => node.Op == Op.Load);
}
