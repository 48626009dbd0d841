using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>Convolution in groups of few channels, of which a product would have as few rows.</summary>
/// <remarks>
/// One channel at a time is copied between its zeros into a plane. There every member of all windows is one run: the rows of a
/// plane follow each other, and sums lie as they do, so that those beyond the end of a row are computed and not used. A vector
/// that is loaded serves all channels of the group that go out. Windows have no stride.
/// </remarks>
public static class GroupedConvolution
{
    // N images, G groups, I channels of a group that come in, O that go out, H x W elements of an image, U x V of a window

    /// <summary>Most channels of a group that go out: with more, a product fills its rows.</summary>
    public const int MostOutputs = 8;

    /// <summary>Most channels that go out times members of a window: each is a term of one loop.</summary>
    public const int MostTerms = 80;

    // What the plane and the sums of a block of rows take of the first cache.
    const long BlockBytes = 32 << 10;

    /// <summary>x [N, G, I, H, W] and w [G, O, I, U, V] give y [N, G, O, rows, columns].</summary>
    /// <param name="c">How windows lie; stride and spread must be 1.</param>
    /// <param name="inputs">I.</param>
    /// <param name="outputs">O, at most <see cref="MostOutputs"/>.</param>
    /// <exception cref="ArgumentException">Windows have a stride or a spread.</exception>
    public static Kernel Convolve(DepthwiseConfig c, int inputs, int outputs) => Kernel.Define("grouped", k =>
    {
        Check(c);
        var x = k.Input("x", c.DType, "N", "G", inputs, c.Height, c.Width);
        var w = k.Input("w", c.DType, "G", outputs, inputs, c.WindowHeight, c.WindowWidth);
        var y = k.Output("y", c.DType, "N", "G", outputs, c.Rows, c.Columns);
        var (n, g) = k.Grid("N", "G");
        var plane = Plane.InBlocks(k, c, outputs);
        KernelTile[] sums = [.. Enumerable.Range(0, outputs).Select(_ => k.Tile(plane.Length))];
        foreach (var block in k.Serial(plane.Blocks))
        {
            // The last block ends with the last row: what it has in common with the one before is computed twice.
            KernelValue first = plane.Blocks == 1 ? 0 : Min(block * plane.Rows, c.Rows - plane.Rows);
            foreach (var sum in sums) sum[..] = 0f;
            foreach (var i in k.Serial(inputs))
            {
                plane.Fill((row, columns, isInside) => x.Load([n, g, i, row, columns], isInside), first);
                for (int o = 0; o < outputs; o++)
                {
                    KernelValue sum = sums[o];
                    foreach (var (u, v) in c.Members)
                        sum = sum + Cast(w[g, o, i, u, v], DType.Float32) * plane.Run(u, v);
                    sums[o][..] = sum;
                }
            }
            foreach (var p in k.Serial(plane.Rows))
                for (int o = 0; o < outputs; o++)
                    y[n, g, o, first + p, ..] =
                        Cast(sums[o][k.Map(c.Columns, q => p * plane.Pitch + q)], c.DType);
        }
    });

    /// <summary>The gradient of the windows: x [N, G, I, H, W] and dy [N, G, O, rows, columns] give dw [G, O, I, U, V].</summary>
    /// <param name="c">How windows lie; stride and spread must be 1.</param>
    /// <param name="inputs">I.</param>
    /// <param name="outputs">O.</param>
    /// <exception cref="ArgumentException">Windows have a stride or a spread.</exception>
    public static Kernel Correlate(DepthwiseConfig c, int inputs, int outputs) => Kernel.Define("grouped_backward_window", k =>
    {
        Check(c);
        var x = k.Input("x", c.DType, "N", "G", inputs, c.Height, c.Width);
        var dy = k.Input("dy", c.DType, "N", "G", outputs, c.Rows, c.Columns);
        var dw = k.Output("dw", c.DType, "G", outputs, inputs, c.WindowHeight, c.WindowWidth);
        var (g, i) = k.Grid("G", inputs);
        var plane = Plane.Whole(k, c);
        var sums = k.Full(0f, outputs, c.WindowHeight, c.WindowWidth);
        // As many sums at once as registers hold.
        int together = outputs % 2 == 0 && c.Members.Count() <= 9 ? 2 : 1;
        foreach (var n in k.Serial("N"))
        {
            plane.Fill((row, columns, isInside) => x.Load([n, g, i, row, columns], isInside), 0);
            foreach (var pair in k.Serial(outputs / together))
            {
                var parts = new List<(KernelValue O, int U, int V, KernelValue Sum)>();
                for (int o = 0; o < together; o++)
                {
                    var output = pair * together + o;
                    foreach (var (u, v) in c.Members)
                        parts.Add((output, u, v, Sum(Cast(dy[n, g, output, .., ..], DType.Float32) * plane.All(u, v))));
                }
                foreach (var (o, u, v, sum) in parts) sums[o, u, v] += sum;
            }
        }
        dw[g, .., i, .., ..] = Cast(sums, c.DType);
    });

    static void Check(DepthwiseConfig c)
    {
        if (c.Stride != (1, 1) || c.Spread != (1, 1))
            throw new ArgumentException($"windows in groups have no stride and no spread, but got {c.Stride} and {c.Spread}; "
                + "a product takes them.", nameof(c));
    }

    /// <summary>Rows of one channel between its zeros.</summary>
    sealed class Plane
    {
        readonly KernelBuilder k;
        readonly DepthwiseConfig c;
        readonly KernelTile tile;
        readonly int height;

        Plane(KernelBuilder k, DepthwiseConfig c, int rows, int blocks)
        {
            (this.k, this.c, Rows, Blocks, Pitch) = (k, c, rows, blocks, c.Reach.W);
            height = rows + c.Reach.H - c.Rows;
            tile = k.Tile(height * Pitch);
            tile[..] = 0f;
        }

        /// <summary>For all rows of the result.</summary>
        public static Plane Whole(KernelBuilder k, DepthwiseConfig c) => new(k, c, c.Rows, 1);

        /// <summary>For blocks of rows, which stay in the first cache together with so many tiles of sums.</summary>
        public static Plane InBlocks(KernelBuilder k, DepthwiseConfig c, int sums)
        {
            int most = (int)Math.Clamp(BlockBytes / (4L * c.Reach.W * (sums + 1)), 1, c.Rows);
            int blocks = (c.Rows + most - 1) / most;
            return new(k, c, (c.Rows + blocks - 1) / blocks, blocks);
        }

        /// <summary>Rows of the result in a block.</summary>
        public int Rows { get; }

        public int Blocks { get; }

        /// <summary>Elements from one row to the next.</summary>
        public int Pitch { get; }

        /// <summary>Elements from the first of the first row to the last of the last one.</summary>
        public int Length => (Rows - 1) * Pitch + c.Columns;

        /// <summary>Copies what the rows from some row on need.</summary>
        /// <param name="load">Columns of a row of the image where a condition holds, else 0.</param>
        /// <param name="first">The first row of the result.</param>
        public void Fill(Func<KernelValue, KernelValue, KernelValue, KernelValue> load, KernelValue first)
        {
            // Columns within the image; zeros lie around them for good.
            int place = Math.Max(0, c.Before.W), begin = Math.Max(0, -c.Before.W);
            int count = Math.Min(Pitch - place, c.Width - begin);
            if (count < 1) return;
            foreach (var r in k.Serial(height))
            {
                var row = first + r - c.Before.H;
                tile[k.Map(count, j => r * Pitch + place + j)] = Cast(
                    load(row, k.Map(count, j => j + begin), (row >= 0) & (row < c.Height)), DType.Float32);
            }
        }

        /// <summary>One member of all windows, rows one after the other.</summary>
        public KernelValue Run(int u, int v) => tile[k.Map(Length, f => f + Offset(u, v))];

        /// <summary>One member of all windows, [rows, columns].</summary>
        public KernelValue All(int u, int v) => tile[k.Map(c.Rows, c.Columns, (p, q) => p * Pitch + q + Offset(u, v))];

        int Offset(int u, int v) => u * c.Dilation.H * Pitch + v * c.Dilation.W;
    }
}
