namespace Ashlar;

/// <summary>Attention over a key/value cache.</summary>
public static class CacheAttention
{
    extension(Tensor queries)
    {
        /// <summary>Attention of new tokens over a paged cache, which takes up their keys and values.</summary>
        /// <remarks>Head h reads keys and values of head h / (H / G). A token sees itself and what is before it in its
        /// text.</remarks>
        /// <param name="keys">float32[T, G, K], of new tokens; those of one text follow each other in order.</param>
        /// <param name="values">float32[T, G, V]</param>
        /// <param name="cache">uint8[pages, G, <see cref="PageLayout.Bytes"/>]: in a compiled step assigned with what it returns,
        /// it is changed in place.</param>
        /// <param name="dtype">The element type of the cache: float32, bfloat16 or int8.</param>
        /// <param name="texts">int32[T]: the text of each token, a row of <paramref name="tables"/>.</param>
        /// <param name="places">int32[T]: the place of each token in its text.</param>
        /// <param name="tables">int32[texts, most pages]: the pages of each text, 32 tokens each.</param>
        /// <param name="options">Scale, window, cap.</param>
        /// <param name="sinks">float32[H]: a score of each head that has no value; null for none.</param>
        /// <returns>float32[T, H, V], and the cache.</returns>
        /// <exception cref="ShapeException">ASH0171: the shapes do not fit each other.</exception>
        public (Tensor Result, Tensor Cache) PagedAttention(Tensor keys, Tensor values, Tensor cache, DType dtype, Tensor texts,
            Tensor places, Tensor tables,
            PagedAttentionOptions options, Tensor? sinks = null)
        {
            Tensor[] inputs = [queries, keys, values, cache, texts, places, tables, .. sinks is null ? [] : (Tensor[])[sinks]];
            var kernel = new PagedAttention(dtype, options with { HasSinks = sinks is not null },
                [.. inputs.Select(input => new NodeType(input.DType, input.Shape))]);
            Node[] nodes = [.. inputs.Select(input => input.Node)];
            return (new(Node.Of(Op.Kernel, nodes, new KernelAttributes(kernel, 0))),
                new(Node.Of(Op.Kernel, nodes, new KernelAttributes(kernel, 1))));
        }
    }
}
