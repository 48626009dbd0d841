namespace Ashlar.NN;

/// <summary>Cross-correlation over images: each output channel is a sum over windows of the input channels.</summary>
/// <remarks>Parameters as in PyTorch: <c>weight</c> [outputs, inputs / groups, size, size], and <c>bias</c> [outputs].</remarks>
public sealed class Conv2d
{
    readonly string name;
    readonly int inputs, stride, padding, dilation, groups;

    /// <summary>Asks for the parameters.</summary>
    /// <param name="weights">The layer's scope.</param>
    /// <param name="inputs">Channels of what comes in.</param>
    /// <param name="outputs">Channels of what goes out.</param>
    /// <param name="size">Height and width of the window.</param>
    /// <param name="stride">Elements from one window to the next.</param>
    /// <param name="padding">Zeros around the image; half the size, rounded down, keeps height and width of odd windows.</param>
    /// <param name="dilation">Elements between members of a window.</param>
    /// <param name="groups">Channels are convolved in so many separate groups; as many as channels is a depthwise
    /// convolution.</param>
    /// <param name="bias">Whether a bias is added; it begins as zeros.</param>
    /// <param name="initial">How the windows begin; null: uniform within <c>1 / sqrt(inputs / groups * size * size)</c>.</param>
    /// <exception cref="ModelException">Groups do not divide the channels, or a size is below 1.</exception>
    public Conv2d(
        Weights weights, int inputs, int outputs, int size, int stride = 1, int padding = 0, int dilation = 1, int groups = 1,
        bool bias = true, Initial? initial = null)
    {
        Widths.ThrowIf(inputs < 1 || outputs < 1 || size < 1 || stride < 1 || dilation < 1 || padding < 0,
            $"a convolution of {inputs} to {outputs} channels, size {size}, stride {stride}, padding {padding}, "
            + $"dilation {dilation} cannot be.",
            "every number must be at least 1, the padding at least 0.");
        Widths.ThrowIf(groups < 1 || inputs % groups != 0 || outputs % groups != 0,
            $"{groups} groups do not divide {inputs} and {outputs} channels.", "choose a divisor of both.");
        (name, this.inputs) = (weights.Path, inputs);
        (this.stride, this.padding, this.dilation, this.groups) = (stride, padding, dilation, groups);
        initial ??= Initial.Uniform(1 / Math.Sqrt(inputs / groups * size * size));
        Weight = weights.Get("weight", [outputs, inputs / groups, size, size], initial);
        Bias = bias ? weights.Get("bias", [outputs], Initial.Zeros) : null;
    }

    /// <summary>[outputs, inputs / groups, size, size]</summary>
    public Parameter Weight { get; }

    /// <summary>[outputs]; null where there is none.</summary>
    public Parameter? Bias { get; }

    /// <param name="x">[N, inputs, H, W]</param>
    /// <returns>[N, outputs, H', W'], each <c>(H + 2 padding - dilation (size - 1) - 1) / stride + 1</c> long.</returns>
    /// <exception cref="ModelException"><paramref name="x"/> has other channels or no batch axis.</exception>
    public Tensor Forward(Tensor x)
    {
        Widths.ThrowUnlessChannelsAre(inputs, x, name, x.Rank == 4);
        return x.Conv2d(Weight.Value.Cast(x.DType), Bias?.Value.Cast(x.DType), stride, padding, dilation, groups);
    }
}
