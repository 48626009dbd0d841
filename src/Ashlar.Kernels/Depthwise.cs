using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>How the windows of a depthwise convolution lie over an image.</summary>
/// <param name="Height">Rows of the image.</param>
/// <param name="Width">Columns of the image.</param>
/// <param name="Rows">Windows along the height: rows of the result.</param>
/// <param name="Columns">Windows along the width.</param>
/// <param name="WindowHeight">Rows of a window.</param>
/// <param name="WindowWidth">Columns of a window.</param>
public sealed record DepthwiseConfig(int Height, int Width, int Rows, int Columns, int WindowHeight, int WindowWidth)
{
    /// <summary>Elements from one window to the next.</summary>
    public (int H, int W) Stride { get; init; } = (1, 1);

    /// <summary>Elements between members of a window.</summary>
    public (int H, int W) Dilation { get; init; } = (1, 1);

    /// <summary>Places from one element of the image to the next: more than 1 puts zeros in between, as the gradient of a stride
    /// does.</summary>
    public (int H, int W) Spread { get; init; } = (1, 1);

    /// <summary>Zeros before the first row and column; negative leaves rows or columns out.</summary>
    public (int H, int W) Before { get; init; }

    /// <summary>Element type of images and windows; sums are float32.</summary>
    public DType DType { get; init; } = DType.Float32;

    /// <summary>Bytes of an image with its zeros, which each worker keeps in a cache.</summary>
    public long ImageBytes => 4L * Reach.H * Reach.W;

    /// <summary>Rows and columns of a window's members.</summary>
    internal IEnumerable<(int U, int V)> Members =>
        from u in Enumerable.Range(0, WindowHeight)
        from v in Enumerable.Range(0, WindowWidth)
        select (u, v);

    // What all windows together cover.
    internal (int H, int W) Reach =>
        ((Rows - 1) * Stride.H + Dilation.H * (WindowHeight - 1) + 1,
            (Columns - 1) * Stride.W + Dilation.W * (WindowWidth - 1) + 1);
}

/// <summary>Depthwise convolution: each channel has a window of its own. Bound by memory, so images are read and written
/// once.</summary>
/// <remarks>
/// An image is copied between its zeros once, into a tile that stays in a cache; windows then need no conditions, and every load
/// is a vector.
/// </remarks>
public static class Depthwise
{
    // N images, C channels, H x W elements of an image, U x V of a window

    /// <summary>Most members of a window: each is a term of one expression.</summary>
    public const int MostMembers = 25;

    // Sums of members that one pass over an image keeps in registers.
    const int MostSums = 12;

    /// <summary>Most bytes of an image with its zeros (<see cref="DepthwiseConfig.ImageBytes"/>), so that it stays in the second
    /// cache.</summary>
    public const long MostImageBytes = 1 << 20;

    /// <summary>x [N, C, H, W] and w [C, U, V] give y [N, C, rows, columns].</summary>
    public static Kernel Convolve(DepthwiseConfig c) => Kernel.Define("depthwise", k =>
    {
        var (x, w) =
            (k.Input("x", c.DType, "N", "C", c.Height, c.Width), k.Input("w", c.DType, "C", c.WindowHeight, c.WindowWidth));
        var y = k.Output("y", c.DType, "N", "C", c.Rows, c.Columns);
        var (n, channel) = k.Grid("N", "C");
        var member = Members(k, c, x, n, channel);
        foreach (var p in k.Serial(c.Rows))
        {
            KernelValue sum = 0f;
            for (int u = 0; u < c.WindowHeight; u++)
                for (int v = 0; v < c.WindowWidth; v++)
                {
                    var term = Cast(w[channel, u, v], DType.Float32) * member(p, u, v);
                    sum = u + v == 0 ? term : sum + term;
                }
            y[n, channel, p, ..] = Cast(sum, c.DType);
        }
    });

    /// <summary>The gradient of the windows: x [N, C, H, W] and dy [N, C, rows, columns] give dw [C, U, V].</summary>
    public static Kernel Correlate(DepthwiseConfig c) => Kernel.Define("depthwise_backward_window", k =>
    {
        var (x, dy) = (k.Input("x", c.DType, "N", "C", c.Height, c.Width), k.Input("dy", c.DType, "N", "C", c.Rows, c.Columns));
        var dw = k.Output("dw", c.DType, "C", c.WindowHeight, c.WindowWidth);
        var channel = k.Grid("C");
        var sums = k.Full(0f, c.WindowHeight, c.WindowWidth);
        bool atOnce = c.WindowHeight * c.WindowWidth <= MostSums;
        foreach (var n in k.Serial("N"))
        {
            var member = Members(k, c, x, n, channel);
            var rows = k.Map(c.Rows, p => p);
            // All sums of one pass are in registers, and each element of dy is read once for all of them.
            if (atOnce) Add([.. Enumerable.Range(0, c.WindowHeight).Select(u => ((KernelIndex)u, (KernelValue)u))]);
            else foreach (var u in k.Serial(c.WindowHeight)) Add((u, u));

            void Add(params (KernelIndex Index, KernelValue Value)[] heights)
            {
                var parts = new List<(KernelIndex U, int V, KernelValue Sum)>();
                foreach (var (u, value) in heights)
                    for (int v = 0; v < c.WindowWidth; v++)
                        parts.Add((u, v, Sum(Cast(dy[n, channel, .., ..], DType.Float32) * member(rows, value, v))));
                foreach (var (u, v, sum) in parts) sums[u, v] += sum;
            }
        }
        dw[channel, .., ..] = Cast(sums, c.DType);
    });

    // One member of all windows of a row.
    static Func<KernelValue, KernelValue, int, KernelValue> Members(KernelBuilder k, DepthwiseConfig c, KernelBuffer x,
        KernelRange n, KernelRange channel)
    {
        var (rows, columns) =
            (Part(c.Height, c.Spread.H, c.Before.H, c.Reach.H), Part(c.Width, c.Spread.W, c.Before.W, c.Reach.W));
        if (rows.Place == 0 && columns.Place == 0 && c.Spread == (1, 1) && rows.Count == c.Reach.H && columns.Count == c.Reach.W)
            return (p, u, v) =>
                Cast(x[n, channel, Row(p, u) + rows.First, k.Map(c.Columns, q => Column(q, v) + columns.First)], DType.Float32);

        var image = k.Tile(c.Reach.H, c.Reach.W);
        image[..] = 0f;
        foreach (var i in k.Serial(rows.Count))
            image[i * c.Spread.H + rows.Place, k.Map(columns.Count, j => j * c.Spread.W + columns.Place)] =
                Cast(x[n, channel, i + rows.First, k.Map(columns.Count, j => j + columns.First)], DType.Float32);
        return (p, u, v) => image[Row(p, u), k.Map(c.Columns, q => Column(q, v))];

        KernelValue Row(KernelValue p, KernelValue u) => p * c.Stride.H + u * c.Dilation.H;

        KernelValue Column(KernelValue q, int v) => q * c.Stride.W + v * c.Dilation.W;
    }

    // Which elements of an axis lie within reach: the first one, how many, and the place of the first.
    static (int First, int Count, int Place) Part(int length, int spread, int before, int reach)
    {
        int first = before >= 0 ? 0 : (-before + spread - 1) / spread, place = before + first * spread;
        return (first, Math.Clamp((reach - place + spread - 1) / spread, 0, Math.Max(0, length - first)), place);
    }
}
