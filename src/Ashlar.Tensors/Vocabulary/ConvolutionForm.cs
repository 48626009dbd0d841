using Ashlar.Kernels;

namespace Ashlar;

/// <summary>How the windows of a convolution lie: one entry per axis of space.</summary>
/// <remarks>
/// The three maps that follow, of images and windows to results, of results and windows to images, and of both to windows, are
/// each other's gradients. Those of images are products with the windows of an image, which the matrix engine packs from the
/// image itself: nothing is spread in memory and summed up. Where a result has a stride, each phase of it is a convolution of its
/// own with every stride-th member, and all phases are columns of one product.
/// Labels of products: 0 image, 1 group, 2 channel of the group that comes in, 3 of the one that goes out, then positions,
/// members, phases.
/// </remarks>
/// <param name="What">What errors call it.</param>
/// <param name="Size">Members of a window.</param>
/// <param name="Stride">Elements from one window to the next.</param>
/// <param name="Padding">Zeros before and after.</param>
/// <param name="Dilation">Elements between members of a window.</param>
/// <param name="Groups">Separate groups of channels.</param>
sealed record ConvolutionForm(string What, long[] Size, int[] Stride, int[] Padding, int[] Dilation, int Groups)
{
    // With fewer, a product has enough rows or too few workers would have work.
    const int FewestGroups = 4;

    int Space => Size.Length;

    int[] Positions => [.. Enumerable.Range(4, Space)];

    int[] Members => [.. Enumerable.Range(4 + Space, Space)];

    int[] Phases => [.. Enumerable.Range(4 + 2 * Space, Space)];

    int[] Windows => [.. Positions.Zip(Members).SelectMany(pair => new[] { pair.First, pair.Second })];

    /// <summary>x [N, C, ...] and weight [O, C / G, ...] give [N, O, ...]; with gradients of its own where these are
    /// floats.</summary>
    public Tensor Convolve(Tensor x, Tensor weight)
    {
        if (!x.DType.IsFloat || OutputPadding(x.Shape) is not { } rest) return Plain(x, weight);
        if (IsDepthwise(x, weight))
            return Tensor.CustomGradient(t => Planes(t[0], t[1]),
                (dy, _, t) => [PlanesBack(dy, t[1], t[0].Shape, rest), PlanesWeight(t[0], dy, t[1].Shape)], [x, weight],
                "depthwise_convolution");
        if (IsGrouped(x, weight))
            return Tensor.CustomGradient(t => GroupedForward(t[0], t[1]),
                (dy, _, t) => [GroupedSpread(dy, t[1], t[0].Shape, rest), GroupedWeight(t[0], dy, t[1].Shape)], [x, weight],
                "grouped_convolution");
        return Tensor.CustomGradient(t => Plain(t[0], t[1]),
            (dy, _, t) => [Spread(dy, t[1], rest), Weight(t[0], dy, t[1].Shape)], [x, weight], "convolution");
    }

    /// <summary>The same by ops that are differentiated one by one.</summary>
    public Tensor Plain(Tensor x, Tensor weight)
    {
        var product = Products.Multiply(What, weight.Unflatten(0, Groups, -1), [1, 3, 2, .. Members], Windowed(x),
            [0, 1, 2, .. Windows], [0, 1, 3, .. Positions]);
        return product.Reshape([product.Shape[0], weight.Shape[0], .. product.Shape[3..]]);
    }

    /// <summary>The gradient of the weight: x [N, C, ...] and dy [N, O, ...] give [O, C / G, ...].</summary>
    Tensor Weight(Tensor x, Tensor dy, Shape shape) =>
        Products.Multiply(What, dy.Unflatten(1, Groups, -1), [0, 1, 3, .. Positions], Windowed(x), [0, 1, 2, .. Windows],
            [1, 3, 2, .. Members]).Reshape(shape);

    Tensor Windowed(Tensor x)
    {
        var windows = x.Pad([.. Padding.Select(width => ((long)width, (long)width))]);
        for (int i = 0; i < Space; i++) windows = windows.Window(2 + 2 * i, Size[i], Stride[i], Dilation[i]);
        return windows.Unflatten(1, Groups, -1);
    }

    /// <summary>The adjoint with gradients of its own, where these are floats and lengths are numbers: that of the image is the
    /// convolution, that of the weight the one of the convolution.</summary>
    /// <inheritdoc cref="Spread"/>
    public Tensor Transpose(Tensor x, Tensor weight, long[] outputPadding)
    {
        for (int i = 0; i < Space; i++)
            if (!x.DType.IsFloat || outputPadding[i] >= Stride[i] || !x.Shape[2 + i].IsConstant)
                return Spread(x, weight, outputPadding);
        return Tensor.CustomGradient(t => Spread(t[0], t[1], outputPadding),
            (dy, _, t) => [Plain(dy, t[1]), Weight(dy, t[0], t[1].Shape)], [x, weight], "transposed_convolution");
    }

    /// <summary>The adjoint, which is the gradient of the image: x [N, C, ...] and weight [C, O / G, ...] give [N, O,
    /// ...].</summary>
    /// <param name="x">Each element of which is spread over a window.</param>
    /// <param name="weight">The windows.</param>
    /// <param name="outputPadding">Elements added at the end of each axis.</param>
    public Tensor Spread(Tensor x, Tensor weight, long[] outputPadding)
    {
        var cut = Enumerable.Range(0, Space).Select(i => (-(long)Padding[i], outputPadding[i] - Padding[i])).ToArray();
        if (Enumerable.Range(0, Space).Any(i => Stride[i] > 1 && Dilation[i] > 1)) return Folded(x, weight).Pad(cut);

        // Members of a window that meet the same phase of a result: every stride-th. An axis without stride has one phase.
        var kernels = weight.Unflatten(0, Groups, -1);                       // [G, C, O, members and phases ...]
        var windows = x;
        long[] length = new long[Space];                                     // of the members that a phase meets
        for (int i = 0; i < Space; i++)
        {
            long phases = Stride[i], most = (Size[i] + phases - 1) / phases;
            length[i] = most;
            kernels = kernels.Pad([(0, most * phases - Size[i]), .. Enumerable.Repeat((0L, 0L), Space - 1 - i)])
                .Unflatten(3 + 2 * i, most, phases);
            long reach = Dilation[i] * (most - 1);
            // Without phases the result is cut before it is computed.
            windows = windows.Pad([phases == 1 ? (reach + cut[i].Item1, reach + cut[i].Item2) : (reach, reach),
                .. Enumerable.Repeat((0L, 0L), Space - 1 - i)]);
        }
        for (int i = 0; i < Space; i++) windows = windows.Window(2 + 2 * i, length[i], 1, Dilation[i]);
        int[] members = [.. Enumerable.Range(0, Space).Select(i => 3 + 2 * i)], phaseAxes = [.. members.Select(axis => axis + 1)];
        // Last of all turned round: so it lies in memory as the product reads it.
        kernels = kernels.Permute([0, 2, .. phaseAxes, 1, .. members]).Flip([.. Enumerable.Range(3 + Space, Space)]);
        var product = Products.Multiply(What, kernels, [1, 3, .. Phases, 2, .. Members], windows.Unflatten(1, Groups, -1),
            [0, 1, 2, .. Windows],
            [0, 1, 3, .. Positions.Zip(Phases).SelectMany(pair => new[] { pair.First, pair.Second })]);
        var lengths = Enumerable.Range(0, Space).Select(i => product.Shape[3 + 2 * i] * Stride[i]);
        var whole = product.Reshape([product.Shape[0], product.Shape[1] * product.Shape[2], .. lengths]);
        return whole.Pad([.. cut.Select((ends, i) =>
            Stride[i] == 1 ? (0L, 0L) : (ends.Item1, ends.Item2 + Size[i] - length[i] * Stride[i]))]);
    }

    // Products of all elements with all members, summed up where they meet.
    Tensor Folded(Tensor x, Tensor weight)
    {
        var product = Products.Multiply(What, x.Unflatten(1, Groups, -1), [0, 1, 2, .. Positions],
            weight.Unflatten(0, Groups, -1), [1, 2, 3, .. Members],
            [0, 1, 3, .. Windows]);
        var spread = product.Reshape([product.Shape[0], product.Shape[1] * product.Shape[2], .. product.Shape[3..]]);
        for (int i = 0; i < Space; i++)
            spread = spread.Fold(2 + i, (x.Shape[2 + i] - 1) * Stride[i] + Dilation[i] * (Size[i] - 1) + 1,
                Stride[i], Dilation[i]);
        return spread;
    }

    /// <summary>Elements of each axis of an image that no window reaches, so that an adjoint gives them back; null where they
    /// depend on a symbol.</summary>
    long[]? OutputPadding(Shape image)
    {
        long[] rest = new long[Space];
        for (int i = 0; i < Space; i++)
        {
            if (Stride[i] == 1) continue;
            if (!image[2 + i].TryGetValue(out long length)) return null;
            rest[i] = (length + 2 * Padding[i] - Dilation[i] * (Size[i] - 1) - 1) % Stride[i];
        }
        return rest;
    }

    // One channel per group, and images that a cache holds: kernels of their own, bound by memory.
    bool IsDepthwise(Tensor x, Tensor weight) => x.Shape[1] == Groups && weight.Shape[0] == Groups && FitsKernels(x);

    // Few channels per group: kernels of their own, since a product of so few rows is bound by packing. Where there is a stride,
    // products are as fast.
    bool IsGrouped(Tensor x, Tensor weight) => Groups >= FewestGroups && Array.TrueForAll(Stride, stride => stride == 1)
        && FitsKernels(x) && IsFew(weight.Shape[0]);

    // As channels of a group that go out.
    bool IsFew(Extent channels) => channels.TryDivide(Groups, out var each) && each.Max <= GroupedConvolution.MostOutputs
        && each.Max * Size.Aggregate((a, b) => a * b) <= GroupedConvolution.MostTerms;

    bool FitsKernels(Tensor x)
    {
        if (Groups == 1 || Space > 2 || Size.Aggregate((a, b) => a * b) > Depthwise.MostMembers) return false;
        if (x.DType is not (DType.Float32 or DType.BFloat16 or DType.Float16)) return false;
        for (int i = 0; i < Space; i++)
            if (!x.Shape[2 + i].TryGetValue(out long length) || length < 1 || length > Depthwise.MostImageBytes
                || length + 2 * Padding[i] <= Dilation[i] * (Size[i] - 1)) return false;
        return Config(x).ImageBytes <= Depthwise.MostImageBytes
            && 4 * Enumerable.Range(0, Space).Select(i => x.Shape[2 + i].Value + 2L * Dilation[i] * Size[i])
            .Aggregate((a, b) => a * b) <= Depthwise.MostImageBytes;
    }

    DepthwiseConfig Config(Tensor x)
    {
        int[] image = Lined([.. x.Shape[2..].Select(extent => (int)extent.Value)]),
            size = Lined([.. Size.Select(size => (int)size)]);
        int[] stride = Lined(Stride), dilation = Lined(Dilation), padding = Space == 2 ? Padding : [0, .. Padding];
        int Count(int i) => (image[i] + 2 * padding[i] - dilation[i] * (size[i] - 1) - 1) / stride[i] + 1;
        return new(image[0], image[1], Count(0), Count(1), size[0], size[1])
        {
            Stride = (stride[0], stride[1]),
            Dilation = (dilation[0], dilation[1]),
            Before = (padding[0], padding[1]),
            DType = x.DType,
        };
    }

    // One axis of space counts as the second of two.
    int[] Lined(int[] axes) => Space == 2 ? axes : [1, .. axes];

    static Tensor Plane(Tensor x) => x.Rank == 4 ? x : x.Unsqueeze(2);

    Tensor Back(Tensor plane) => Space == 2 ? plane : plane.Squeeze(2);

    // [C, 1, ...] as [C, U, V]
    Tensor Window(Tensor weight) =>
        weight.Reshape([weight.Shape[0], .. Space == 2 ? weight.Shape[2..] : [1, .. weight.Shape[2..]]]);

    Tensor Planes(Tensor x, Tensor weight) => Back(Depthwise.Convolve(Config(x)).Call(Plane(x), Window(weight)));

    // The gradients' own gradients are those of ordinary ops.
    Tensor PlanesBack(Tensor dy, Tensor weight, Shape image, long[] rest) => Tensor.CustomGradient(t =>
    {
        var forward = Config(Tensor.Zeros(image, dy.DType));
        var config = new DepthwiseConfig(forward.Rows, forward.Columns, forward.Height, forward.Width, forward.WindowHeight,
            forward.WindowWidth)
        {
            Dilation = forward.Dilation,
            Spread = forward.Stride,
            Before = (forward.Dilation.H * (forward.WindowHeight - 1) - forward.Before.H,
                forward.Dilation.W * (forward.WindowWidth - 1) - forward.Before.W),
            DType = forward.DType,
        };
        return Back(Depthwise.Convolve(config).Call(Plane(t[0]), Window(t[1]).Flip(1, 2)));
    }, (d, _, t) => [Plain(d, t[1]), Weight(d, t[0], t[1].Shape)], [dy, weight], "depthwise_spread");

    Tensor PlanesWeight(Tensor x, Tensor dy, Shape shape) => Tensor.CustomGradient(
        t => Depthwise.Correlate(Config(t[0])).Call(Plane(t[0]), Plane(t[1])).Reshape(shape),
        (d, _, t) => [Spread(t[1], d, OutputPadding(t[0].Shape)!), Plain(t[0], d)], [x, dy], "depthwise_windows");

    Tensor GroupedForward(Tensor x, Tensor weight)
    {
        var kernel = GroupedConvolution.Convolve(Config(x), (int)weight.Shape[1].Value, (int)(weight.Shape[0].Value / Groups));
        var y = kernel.Call(Plane(x).Unflatten(1, Groups, -1), GroupedWindows(weight));
        return Back(y.Reshape([y.Shape[0], weight.Shape[0], .. y.Shape[3..]]));
    }

    // [O, I, ...] as [G, O / G, I, U, V]
    Tensor GroupedWindows(Tensor weight) =>
        weight.Reshape([Groups, weight.Shape[0].Value / Groups, weight.Shape[1], .. Space == 2 ? weight.Shape[2..]
            : [1, .. weight.Shape[2..]]]);

    Tensor GroupedSpread(Tensor dy, Tensor weight, Shape image, long[] rest)
    {
        if (!IsFew(image[1])) return Spread(dy, weight, rest);
        return Tensor.CustomGradient(t =>
        {
            var forward = Config(Tensor.Zeros(image, dy.DType));
            var config = new DepthwiseConfig(forward.Rows, forward.Columns, forward.Height, forward.Width,
                forward.WindowHeight, forward.WindowWidth)
            {
                Dilation = forward.Dilation,
                Before = (forward.Dilation.H * (forward.WindowHeight - 1) - forward.Before.H,
                    forward.Dilation.W * (forward.WindowWidth - 1) - forward.Before.W),
                DType = forward.DType,
            };
            var windows = GroupedWindows(t[1]).Transpose(1, 2).Flip(3, 4);
            var kernel = GroupedConvolution.Convolve(config, (int)(weight.Shape[0].Value / Groups), (int)weight.Shape[1].Value);
            return Back(kernel.Call(Plane(t[0]).Unflatten(1, Groups, -1), windows).Flatten(1, 2));
        }, (d, _, t) => [Plain(d, t[1]), Weight(d, t[0], t[1].Shape)], [dy, weight], "grouped_spread");
    }

    Tensor GroupedWeight(Tensor x, Tensor dy, Shape shape) => Tensor.CustomGradient(t =>
    {
        var kernel = GroupedConvolution.Correlate(Config(t[0]), (int)shape[1].Value, (int)(shape[0].Value / Groups));
        return kernel.Call(Plane(t[0]).Unflatten(1, Groups, -1), Plane(t[1]).Unflatten(1, Groups, -1)).Reshape(shape);
    }, (d, _, t) => [Spread(t[1], d, OutputPadding(t[0].Shape)!), Plain(t[0], d)], [x, dy], "grouped_windows");
}
