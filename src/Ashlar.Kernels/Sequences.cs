using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>What goes on at each token of a sequence: embeddings, positions, the choice of experts.</summary>
public static class Sequences
{
    // T tokens, V vocabulary, W width, H heads, P pairs of a head, E experts

    /// <summary>Rows of a table: ids i32 [T] and table [V, W] give y [T, W]. An id outside of the vocabulary is an error
    /// (ASH0510).</summary>
    /// <param name="dtype">Element type of the table.</param>
    /// <param name="tile">Tokens per step of the grid.</param>
    public static Kernel Embed(DType dtype = DType.Float32, int tile = 16) => Kernel.Define("embed", k =>
    {
        var (ids, table) = (k.Input("ids", DType.Int32, "T"), k.Input("table", dtype, "V", "W"));
        var y = k.Output("y", dtype, "T", "W");
        var t = k.Grid(("T", tile));
        y[t, ..] = table[ids[t], ..];
    });

    /// <summary>The gradient of an embedding's table: ids i32 [T], dy [T, W] and any table [V, W], for its height, give dtable
    /// [V, W]; rows that several tokens name are summed in the order of the tokens.</summary>
    /// <param name="tile">Columns per step of the grid.</param>
    public static Kernel EmbedBackward(int tile = 128) => Kernel.Define("embed_backward", k =>
    {
        var (ids, dy) = (k.Input("ids", DType.Int32, "T"), k.Input("dy", "T", "W"));
        _ = k.Input("table", "V", "W");
        var table = k.Output("dtable", "V", "W");
        k.Initialize(table, 0f);
        // Each worker has columns of its own, so no two meet in one row, and sums do not depend on the workers.
        var w = k.Grid(("W", tile));
        foreach (var t in k.Serial("T")) table[ids[t], w] += dy[t, w];
    });

    /// <summary>Rotary position embedding: x [T, H, 2, P], the two halves of each head, and cos and sin [T, P] give y like
    /// x.</summary>
    /// <param name="backward">Turns back: the gradient of x for that of y.</param>
    /// <param name="dtype">Element type of x and y; computed in float32.</param>
    /// <remarks>Source: Su et al. 2021, arXiv:2104.09864; halves instead of neighbours, as published weights have it.</remarks>
    public static Kernel Rotate(bool backward = false, DType dtype = DType.Float32) =>
        Kernel.Define(backward ? "rotary_backward" : "rotary", k =>
    {
        var x = k.Input("x", dtype, "T", "H", 2, "P");
        var (cos, sin) = (k.Input("cos", "T", "P"), k.Input("sin", "T", "P"));
        var y = k.Output("y", dtype, "T", "H", 2, "P");
        var t = k.Grid("T");
        foreach (var h in k.Serial("H"))
        {
            var (a, b) = (Cast(x[t, h, 0, ..], DType.Float32), Cast(x[t, h, 1, ..], DType.Float32));
            var s = backward ? -sin[t, ..] : sin[t, ..];
            y[t, h, 0, ..] = Cast(a * cos[t, ..] - b * s, dtype);
            y[t, h, 1, ..] = Cast(a * s + b * cos[t, ..], dtype);
        }
    });

    /// <summary>The experts of each token: logits [T, E] give experts i32 [T, count], the greatest first, and weights [T, count],
    /// their softmax among themselves.</summary>
    /// <remarks>The experts of a token are distinct: where fewer than <paramref name="count"/> logits are above minus infinity,
    /// the first of the others follow, with weight 0. A token whose logits are all minus infinity has weights NaN, as their
    /// softmax is.</remarks>
    /// <param name="count">Experts per token, at most E.</param>
    /// <param name="tile">Tokens per step of the grid.</param>
    /// <exception cref="KernelException">There are fewer experts than a token shall have (ASH0571).</exception>
    public static Kernel Route(int count, int tile = 32) => Kernel.Define("route", k =>
    {
        var logits = k.Input("logits", "T", "E");
        if (k.Extent("E").Max < count)
            throw new KernelException("ASH0571",
                $"'route' shall choose {count} experts for each token, but its logits have {k.Extent("E")}.",
                "choose at most as many experts as there are.");
        var (experts, weights) = (k.Output("experts", DType.Int32, "T", count), k.Output("weights", "T", count));
        var t = k.Grid(("T", tile));
        // Experts are rows here: the lanes of a vector are tokens, each with a greatest of its own.
        // Only what was chosen already is minus infinity there, so nothing is chosen twice.
        var left = k.Load(Max(logits[t, ..].T, -float.MaxValue));
        var chosen = k.Tile(t, count);
        foreach (var i in k.Serial(count))
        {
            var best = k.Keep(ColumnArgMax(left));
            foreach (var token in k.Serial(tile, until: t.Length))
            {
                var expert = best[token];
                experts[t.Start + token, i] = expert;
                chosen[token, i] = logits[t.Start + token, expert];
                left[expert, token] = float.NegativeInfinity;
            }
        }
        var weight = k.Keep(Exp(chosen - chosen[.., 0].Rows));
        weights[t, ..] = weight / RowSum(weight).Rows;
    });
}
