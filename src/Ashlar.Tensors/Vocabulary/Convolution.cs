namespace Ashlar;

/// <summary>Convolution and pooling: windows over axes, then a contraction or a reduction.</summary>
/// <remarks>Channels come before the axes of space, as in PyTorch: [N, C, L] and [N, C, H, W]. N images, C and O channels, K
/// kernel width, G groups.</remarks>
public static class Convolution
{
    extension(Tensor x)
    {
        /// <summary>Cross-correlation along one axis.</summary>
        /// <param name="weight">[O, C / G, K]</param>
        /// <param name="bias">[O]</param>
        /// <param name="stride">Elements from one window to the next.</param>
        /// <param name="padding">Zeros before and after.</param>
        /// <param name="dilation">Elements between members of a window.</param>
        /// <param name="groups">Channels are convolved in so many separate groups.</param>
        /// <returns>[N, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1] for [N, C, L]</returns>
        public Tensor Conv1d(Tensor weight, Tensor? bias = null, int stride = 1, int padding = 0, int dilation = 1,
            int groups = 1) =>
            Convolve("Conv1d", x, weight, bias, [stride], [padding], [dilation], groups);

        /// <summary>Cross-correlation along two axes.</summary>
        /// <param name="weight">[O, C / G, K, K]</param>
        /// <param name="bias">[O]</param>
        /// <param name="stride">Elements from one window to the next, along both axes.</param>
        /// <param name="padding">Zeros before and after both axes.</param>
        /// <param name="dilation">Elements between members of a window.</param>
        /// <param name="groups">Channels are convolved in so many separate groups.</param>
        /// <returns>[N, O, H', W'] for [N, C, H, W]</returns>
        public Tensor Conv2d(Tensor weight, Tensor? bias = null, int stride = 1, int padding = 0, int dilation = 1,
            int groups = 1) =>
            Convolve("Conv2d", x, weight, bias, [stride, stride], [padding, padding], [dilation, dilation], groups);

        /// <summary>Cross-correlation along two axes, each with its own stride, padding and dilation.</summary>
        public Tensor Conv2d(Tensor weight, Tensor? bias, (int H, int W) stride, (int H, int W) padding, (int H, int W) dilation,
            int groups = 1) =>
            Convolve("Conv2d", x, weight, bias, [stride.H, stride.W], [padding.H, padding.W], [dilation.H, dilation.W], groups);

        /// <summary>The adjoint of <c>Conv1d</c>: spreads each element over a window.</summary>
        /// <param name="weight">[C, O / G, K]</param>
        /// <param name="bias">[O]</param>
        /// <param name="stride">Elements from one window to the next.</param>
        /// <param name="padding">Elements cut off on both sides.</param>
        /// <param name="outputPadding">Elements added at the end, to choose among lengths that the stride maps to one.</param>
        /// <param name="dilation">Elements between members of a window.</param>
        /// <param name="groups">Separate groups of channels.</param>
        public Tensor ConvTranspose1d(Tensor weight, Tensor? bias = null, int stride = 1, int padding = 0, int outputPadding = 0,
            int dilation = 1, int groups = 1) =>
            Spread("ConvTranspose1d", x, weight, bias, 1, stride, padding, outputPadding, dilation, groups);

        /// <summary>The adjoint of <c>Conv2d</c>: spreads each element over a window.</summary>
        /// <param name="weight">[C, O / G, K, K]</param>
        /// <param name="bias">[O]</param>
        /// <param name="stride">Elements from one window to the next.</param>
        /// <param name="padding">Elements cut off on all sides.</param>
        /// <param name="outputPadding">Elements added at the end of both axes.</param>
        /// <param name="dilation">Elements between members of a window.</param>
        /// <param name="groups">Separate groups of channels.</param>
        public Tensor ConvTranspose2d(Tensor weight, Tensor? bias = null, int stride = 1, int padding = 0, int outputPadding = 0,
            int dilation = 1, int groups = 1) =>
            Spread("ConvTranspose2d", x, weight, bias, 2, stride, padding, outputPadding, dilation, groups);

        /// <summary>The greatest element of each window of the last axis.</summary>
        /// <param name="size">Elements in a window.</param>
        /// <param name="stride">Null: as the size, so that windows do not overlap.</param>
        /// <param name="padding">Elements before and after, which never win.</param>
        public Tensor MaxPool1d(int size, int? stride = null, int padding = 0) =>
            Pool(x, 1, size, stride ?? size, padding, greatest: true);

        /// <summary>The greatest element of each window of the last two axes.</summary>
        /// <param name="size">Elements in a window along each axis.</param>
        /// <param name="stride">Null: as the size, so that windows do not overlap.</param>
        /// <param name="padding">Elements before and after, which never win.</param>
        public Tensor MaxPool2d(int size, int? stride = null, int padding = 0) =>
            Pool(x, 2, size, stride ?? size, padding, greatest: true);

        /// <summary>The mean of each window of the last axis; padding counts as zeros.</summary>
        /// <param name="size">Elements in a window.</param>
        /// <param name="stride">Null: as the size.</param>
        /// <param name="padding">Zeros before and after.</param>
        public Tensor AvgPool1d(int size, int? stride = null, int padding = 0) =>
            Pool(x, 1, size, stride ?? size, padding, greatest: false);

        /// <summary>The mean of each window of the last two axes; padding counts as zeros.</summary>
        /// <param name="size">Elements in a window along each axis.</param>
        /// <param name="stride">Null: as the size.</param>
        /// <param name="padding">Zeros before and after.</param>
        public Tensor AvgPool2d(int size, int? stride = null, int padding = 0) =>
            Pool(x, 2, size, stride ?? size, padding, greatest: false);
    }

    static Tensor Convolve(string what, Tensor x, Tensor weight, Tensor? bias, int[] stride, int[] padding,
        int[] dilation, int groups)
    {
        int space = stride.Length;
        Check(what, x, weight, bias, space, groups,
            weight.Rank > 1 ? weight.Shape[1] * groups : 0, weight.Rank > 0 ? weight.Shape[0] : 0);
        var (form, image, kernels) = Of(what, x, weight, stride, padding, dilation, groups);
        return Biased(form.Convolve(image, kernels), bias, space);
    }

    static Tensor Spread(string what, Tensor x, Tensor weight, Tensor? bias, int space, int stride, int padding,
        int outputPadding, int dilation, int groups)
    {
        Check(what, x, weight, bias, space, groups,
            weight.Rank > 0 ? weight.Shape[0] : 0, weight.Rank > 1 ? weight.Shape[1] * groups : 0);
        if (outputPadding < 0 || outputPadding >= Math.Max(stride, dilation))
            throw new ShapeException("ASH0160",
                $"{what} was given an outputPadding of {outputPadding}, which must be less than the stride {stride} or the dilation {dilation}.",
                "use a smaller outputPadding.");
        var (form, image, kernels) = Of(what, x, weight, Same(stride), Same(padding), Same(dilation), groups);
        return Biased(form.Transpose(image, kernels, [.. Same(outputPadding).Select(width => (long)width)]), bias, space);

        int[] Same(int number) => [.. Enumerable.Repeat(number, space)];
    }

    // Both in the type of the result.
    static (ConvolutionForm Form, Tensor Image, Tensor Kernels) Of(string what, Tensor x, Tensor weight, int[] stride,
        int[] padding, int[] dilation, int groups)
    {
        var dtype = Promotion.Number(Promotion.Type(what, x, weight));
        long[] size = [.. weight.Shape[2..].Select(extent => extent.Value)];
        return (new(what, size, stride, padding, dilation, groups), x.Cast(dtype), weight.Cast(dtype));
    }

    static Tensor Pool(Tensor x, int space, int size, int stride, int padding, bool greatest)
    {
        if (x.Rank < space)
            throw new ShapeException("ASH0105",
                $"a pool of {space} axes needs as many, but got {x.Type}.", "reshape the input first.");
        if (padding * 2 > size)
            throw new ShapeException("ASH0160",
                $"a pool of {size} elements was given a padding of {padding}: a window could lie in it whole.",
                "pad by at most half the window.");
        double least = x.DType.IsFloat ? double.NegativeInfinity : Conversion.Range(x.DType).Least;
        var windows = x.Pad([.. Enumerable.Repeat(((long)padding, (long)padding), space)], PadMode.Constant,
            greatest ? least : 0.0);
        for (int i = 0; i < space; i++) windows = windows.Window(windows.Rank - space + i, size, stride);
        // [..., P, K, P, K]: the members' axes are every second one from the last
        int[] members = [.. Enumerable.Range(0, space).Select(i => -1 - 2 * i)];
        return greatest ? windows.Max(members) : windows.Mean(members);
    }

    static Tensor Biased(Tensor x, Tensor? bias, int space) =>
        bias is null ? x : x + bias.Reshape([bias.Shape[0], .. Enumerable.Repeat((Extent)1, space)]);

    static void Check(string what, Tensor x, Tensor weight, Tensor? bias, int space, int groups, Extent channels, Extent outputs)
    {
        if (x.Rank != space + 2 || weight.Rank != space + 2)
            throw new ShapeException("ASH0161",
                $"{what} needs an input and a weight of {space + 2} axes, but got {x.Type} and {weight.Type}.",
                "add the batch axis with Unsqueeze(0).");
        if (x.Shape[1] != channels || groups < 1 || !x.Shape[1].TryDivide(groups, out _) || !outputs.TryDivide(groups, out _))
            throw new ShapeException("ASH0161",
                $"{what} of {x.Type} by the weight {weight.Type} in {groups} groups: the channels do not fit.",
                $"the input has {x.Shape[1]} channels, the weight expects {channels}; both channel counts must be multiples of the groups.");
        if (bias is not null && (bias.Rank != 1 || bias.Shape[0] != outputs))
            throw new ShapeException("ASH0161",
                $"{what} makes {outputs} channels, but the bias is {bias.Type}.", "give one bias per output channel.");
    }
}
