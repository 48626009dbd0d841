using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>Blocks of the kernels that go from hidden values to the loss.</summary>
/// <param name="Width">Elements of a hidden row.</param>
/// <param name="DType">Element type of hidden values and weights; sums are float32.</param>
/// <param name="RowTile">Tokens per step.</param>
/// <param name="VocabularyTile">Words per step.</param>
/// <param name="Stages">How many steps ahead loads begin.</param>
public sealed record ProjectedLossConfig(int Width, DType DType = DType.Float32, int RowTile = 64, int VocabularyTile = 256,
    int Stages = 2)
{
    /// <summary>Tiles that lie in a second cache of 2 MiB: fewer words a step where rows are wide.</summary>
    public static ProjectedLossConfig For(int width, DType dtype) =>
        new(width, dtype, VocabularyTile: width <= 512 ? 256 : width <= 1024 ? 128 : 64);
}

/// <summary>Cross-entropy: the negative logarithm of the probability that softmax gives to the target.</summary>
public static class CrossEntropy
{
    // M rows, V vocabulary

    /// <summary>logits [M, V] and targets i32 [M] give loss [M] and lse [M], the log-sum-exp that the gradient needs.</summary>
    public static Kernel Forward() => Kernel.Define("cross_entropy", k =>
    {
        var (logits, targets) = (k.Input("logits", "M", "V"), k.Input("targets", DType.Int32, "M"));
        var (loss, lse) = (k.Output("loss", "M"), k.Output("lse", "M"));
        var m = k.Grid("M");
        var greatest = k.Keep(Max(logits[m, ..]));
        var total = k.Keep(greatest + Log(Sum(Exp(logits[m, ..] - greatest))));
        lse[m] = total;
        loss[m] = total - logits[m, targets[m]];
    });

    /// <summary>logits [M, V], targets i32 [M], lse and the loss' gradient dloss [M] give dlogits [M, V].</summary>
    public static Kernel Backward() => Kernel.Define("cross_entropy_backward", k =>
    {
        var (logits, targets) = (k.Input("logits", "M", "V"), k.Input("targets", DType.Int32, "M"));
        var (lse, dLoss) = (k.Input("lse", "M"), k.Input("dloss", "M"));
        var dLogits = k.Output("dlogits", "M", "V");
        var m = k.Grid("M");
        dLogits[m, ..] = k.Map(k.Extent("V"),
            v => (Exp(logits[m, v] - lse[m]) - Select(Equal(Cast(v, DType.Int32), targets[m]), 1f, 0f)) * dLoss[m]);
    });

    /// <summary>
    /// From hidden values to the loss, without the logits: h [M, W], weight [V, W] and targets i32 [M] give loss [M] and lse [M].
    /// The logits exist a tile at a time, under a running maximum and sum, so memory does not grow with the vocabulary. A target
    /// outside of it is an error (ASH0510).
    /// </summary>
    /// <remarks>Source: Wijmans et al. 2024, arXiv:2411.09009; the running sum as in Milakov and Gimelshein 2018,
    /// arXiv:1805.02867.</remarks>
    public static Kernel ProjectedForward(ProjectedLossConfig c) => Kernel.Define("projected_cross_entropy", k =>
    {
        var (h, weight) = (k.Input("h", c.DType, "M", c.Width), k.Input("weight", c.DType, "V", c.Width));
        var targets = k.Input("targets", DType.Int32, "M");
        var (loss, lse) = (k.Output("loss", "M"), k.Output("lse", "M"));

        var m = k.Grid(("M", c.RowTile));
        var rows = k.Load(h[m, ..]);
        var (greatest, sum) = (k.Full(-1e30f, m), k.Full(0f, m));
        foreach (var v in k.Pipeline(("V", c.VocabularyTile), c.Stages))
        {
            var s = k.Keep(Dot(rows, weight[v, ..].T));
            var next = k.Keep(Max(greatest, RowMax(s)));
            sum[..] = sum * Exp(greatest - next) + RowSum(Exp(s - next.Rows));
            greatest[..] = next;
        }
        var total = k.Keep(greatest + Log(sum));
        lse[m] = total;
        loss[m] = total - RowSum(Cast(rows, DType.Float32) * Cast(weight[targets[m], ..], DType.Float32));
    });

    /// <summary>The gradient of the hidden values: h, weight, targets, lse and dloss [M] give dh [M, W]. Logits are computed
    /// again, a tile at a time.</summary>
    public static Kernel ProjectedBackwardHidden(ProjectedLossConfig c) =>
        Kernel.Define("projected_cross_entropy_backward_hidden", k =>
    {
        var (h, weight, targets, lse, dLoss) = Saved(k, c);
        var dh = k.Output("dh", c.DType, "M", c.Width);
        var m = k.Grid(("M", c.RowTile));
        var rows = k.Load(h[m, ..]);
        var sum = k.Full(0f, m, c.Width);
        foreach (var v in k.Pipeline(("V", c.VocabularyTile), c.Stages))
        {
            var s = k.Keep(Dot(rows, weight[v, ..].T));
            var ds =
                k.Keep((Exp(s - lse[m].Rows) - Select(Equal(Cast(v, DType.Int32), targets[m].Rows), 1f, 0f)) * dLoss[m].Rows);
            sum += Dot(Cast(ds, c.DType), weight[v, ..]);
        }
        dh[m, ..] = Cast(sum, c.DType);
    });

    /// <summary>The gradient of the weights: inputs as <see cref="ProjectedBackwardHidden"/> has them give dweight f32 [V,
    /// W].</summary>
    public static Kernel ProjectedBackwardWeights(ProjectedLossConfig c) =>
        Kernel.Define("projected_cross_entropy_backward_weights", k =>
    {
        var (h, weight, targets, lse, dLoss) = Saved(k, c);
        var dWeight = k.Output("dweight", "V", c.Width);
        var v = k.Grid(("V", c.VocabularyTile));
        var words = k.Load(weight[v, ..]);
        var sum = k.Full(0f, v, c.Width);
        foreach (var m in k.Pipeline(("M", c.RowTile), c.Stages))
        {
            var s = k.Keep(Dot(words, h[m, ..].T));                // [words, tokens]
            var ds = k.Keep((Exp(s - lse[m]) - Select(Equal(Cast(v.Rows, DType.Int32), targets[m]), 1f, 0f)) * dLoss[m]);
            sum += Dot(Cast(ds, c.DType), h[m, ..]);
        }
        dWeight[v, ..] = sum;
    });

    static (KernelBuffer H, KernelBuffer Weight, KernelBuffer Targets, KernelBuffer Lse,
        KernelBuffer DLoss) Saved(KernelBuilder k, ProjectedLossConfig c) =>
        (k.Input("h", c.DType, "M", c.Width), k.Input("weight", c.DType, "V", c.Width), k.Input("targets", DType.Int32, "M"),
            k.Input("lse", "M"),
            k.Input("dloss", "M"));
}
