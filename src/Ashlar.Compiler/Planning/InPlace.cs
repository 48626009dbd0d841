using Ashlar.Compiler.Kernels;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Planning;

/// <summary>Whether a kernel may write an output over an input.</summary>
static class InPlace
{
    /// <summary>True when each element of <paramref name="output"/> is written after the last read of the same element of
    /// <paramref name="input"/>.</summary>
    /// <remarks>
    /// That holds when the output is stored by one plain store, every load of the input is at the position of that store, in it
    /// or before it in the same iteration, and the two have elements of one size.
    /// </remarks>
    public static bool IsSafe(BuiltKernel kernel, TileBuffer input, TileBuffer output)
    {
        if (input.DType.Bytes != output.DType.Bytes || input.Shape.Elements != output.Shape.Elements) return false;
        if (kernel.Library is { } library)
            return library.MayOverwrite(kernel.Program.Buffers.IndexOf(input),
                kernel.Program.Buffers.IndexOf(output) - kernel.Inputs.Count);
        return kernel.Form is { } form ? IsSafe(form, input, output) : IsSafe(kernel.Program.Body, input, output);
    }

    static bool IsSafe(ContractionForm form, TileBuffer input, TileBuffer output)
    {
        if (Loads([form.Left, form.Right], input).Count > 0) return false;
        var before = form.Stores.TakeWhile(store => store.Target != output).ToList();
        if (form.Stores.Skip(before.Count + 1).Any(store => Loads([store.Value], input).Count > 0)) return false;
        var target = form.Stores[before.Count];
        var position = Flat(output, target.Indices);
        return before.Append(target).All(store =>
            Loads([.. store.Indices, store.Value], input).TrueForAll(load => Flat(input, load.Indices()) == position));
    }

    static bool IsSafe(IReadOnlyList<Statement> body, TileBuffer input, TileBuffer output)
    {
        while (body is [For { Kind: LoopKind.Parallel } loop]) body = loop.Body;
        Node? position = null;
        foreach (var statement in Enumerable.Reverse(body))
        {
            if (Writes(statement, output))
            {
                if (position is not null || statement is not Store { Mode: StoreMode.Set } store) return false;
                position = Flat(output, store.Indices);
            }
            var loads = Loads(Values(statement), input);
            if (loads.Count == 0) continue;
            if (position is null || !loads.TrueForAll(load => Flat(input, load.Indices()) == position)) return false;
        }
        return position is not null;
    }

    static bool Writes(Statement statement, Memory output) => statement switch
    {
        Store store => store.Target == output,
        Reduce reduce => reduce.Target == output,
        Scan scan => scan.Target == output,
        Sort sort => sort.Target == output,
        For or If or Whole => true,   // not looked into: counts as a write that is no plain store
        _ => false,
    };

    static IEnumerable<Node> Values(Statement statement) => statement switch
    {
        Store store => [.. store.Indices, store.Value, .. store.Guard is null ? [] : (Node[])[store.Guard]],
        Reduce reduce => [.. reduce.Indices, reduce.Value],
        Scan scan => [.. scan.Indices, scan.Value],
        Sort sort => [.. sort.Indices, sort.Value],
        Dot dot => [dot.Left, dot.Right],
        _ => [],
    };

    static List<Node> Loads(IEnumerable<Node> values, Memory memory) =>
        Traversal.PostOrder(values).FindAll(node => node.Op == Op.Load && ReferenceEquals(node.Source(), memory));

    static Node Flat(Memory memory, IReadOnlyList<Node> indices) =>
        IndexEvaluator.Flatten([.. indices.Select(Affine.Of)], memory.Shape).ToNode();
}
