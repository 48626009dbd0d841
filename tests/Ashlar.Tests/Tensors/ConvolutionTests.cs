using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Tensors;

/// <summary>Convolutions, transposed ones and all their gradients, on every path, against loops over their definition.</summary>
public class ConvolutionTests
{
    /// <summary>One convolution: two images, so that batches are seen.</summary>
    /// <param name="Space">Axes of space, 1 or 2.</param>
    /// <param name="Groups">Separate groups of channels.</param>
    /// <param name="Inputs">Channels that come in.</param>
    /// <param name="Outputs">Channels that go out.</param>
    /// <param name="Length">Of the first axis of space; a second one is two shorter.</param>
    /// <param name="Size">Members of a window along each axis.</param>
    /// <param name="Stride">Elements from one window to the next.</param>
    /// <param name="Padding">Zeros before and after.</param>
    /// <param name="Dilation">Elements between members of a window.</param>
    /// <param name="OutputPadding">Of the transposed one.</param>
    public sealed record Kind(int Space, int Groups, int Inputs, int Outputs, int Length, int Size, int Stride, int Padding,
        int Dilation, int OutputPadding = 0);

    static readonly SortedDictionary<string, Kind> kinds = new()
    {
        ["plain, few channels"] = new(2, 1, 3, 5, 9, 3, 1, 1, 1),
        ["plain, vectors of channels"] = new(2, 1, 33, 31, 17, 3, 1, 1, 1),
        ["no padding, window as large as the image"] = new(2, 1, 2, 3, 5, 3, 1, 0, 1),
        ["one member"] = new(2, 1, 7, 9, 9, 1, 1, 0, 1),
        ["one member, stride"] = new(2, 1, 4, 4, 9, 1, 2, 0, 1),
        ["stride that leaves a rest"] = new(2, 1, 4, 6, 11, 3, 2, 1, 1, 1),
        ["stride beyond the window"] = new(2, 1, 2, 3, 11, 2, 3, 0, 1, 1),
        ["large window, stride"] = new(2, 1, 3, 8, 23, 7, 2, 3, 1),
        ["even window, stride"] = new(2, 1, 4, 6, 8, 4, 2, 1, 1),
        ["dilation"] = new(2, 1, 8, 8, 15, 3, 1, 2, 2, 1),
        ["dilation and stride"] = new(2, 1, 2, 3, 13, 3, 3, 1, 2, 2),
        ["padding beyond the window"] = new(2, 1, 2, 3, 6, 2, 1, 3, 1),
        ["groups"] = new(2, 4, 8, 12, 12, 3, 1, 1, 1),
        ["groups, stride"] = new(2, 2, 4, 6, 11, 3, 2, 1, 1, 1),
        ["groups of few channels, blocks of rows that overlap"] = new(2, 4, 8, 32, 41, 3, 1, 1, 1),
        ["groups of few channels, stride"] = new(2, 4, 8, 12, 14, 3, 2, 1, 1, 1),
        ["groups of few channels, dilation"] = new(2, 5, 10, 10, 15, 3, 1, 2, 3),
        ["groups of few channels, padding beyond the window"] = new(2, 4, 8, 8, 6, 2, 1, 3, 1),
        ["1-D, groups of few channels"] = new(1, 6, 18, 12, 70, 5, 1, 2, 1),
        ["depthwise"] = new(2, 6, 6, 6, 18, 3, 1, 1, 1),
        ["depthwise, no padding"] = new(2, 3, 3, 3, 19, 3, 1, 0, 1),
        ["depthwise, stride that leaves a rest"] = new(2, 5, 5, 5, 14, 3, 2, 1, 1, 1),
        ["depthwise, dilation and stride"] = new(2, 3, 3, 3, 15, 3, 2, 1, 2, 1),
        ["depthwise, padding beyond the window"] = new(2, 3, 3, 3, 6, 2, 1, 3, 1),
        ["depthwise, several channels out"] = new(2, 3, 3, 6, 9, 3, 1, 1, 1),
        ["depthwise, window of 6"] = new(2, 3, 3, 3, 11, 6, 1, 2, 1),
        ["1-D"] = new(1, 1, 5, 7, 65, 3, 1, 1, 1),
        ["1-D, stride and dilation"] = new(1, 2, 6, 4, 50, 4, 3, 1, 2, 2),
        ["1-D, even rest"] = new(1, 1, 6, 4, 50, 4, 3, 1, 1, 2),
        ["1-D, depthwise"] = new(1, 7, 7, 7, 37, 3, 2, 1, 1),
    };

    static readonly Dictionary<string, Device> devices =
        Isa.Available.ToDictionary(isa => isa.Name, isa => new Device(new CpuBackend(isa, Workers.Shared)));

    public static TheoryData<string, string> KindsOnPaths
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var isa in Isa.Available)
                foreach (string kind in kinds.Keys) data.Add(isa.Name, kind);
            return data;
        }
    }

    [Theory, MemberData(nameof(KindsOnPaths))]
    public void Convolution_AndItsGradients_MatchTheirDefinition(string path, string name)
    {
        using var selected = devices[path].Select();
        var kind = kinds[name];
        var (x, w, b) = (Random(1, kind.Inputs), Windows(2, kind.Outputs, kind.Inputs), Tensor.RandomNormal(3, [kind.Outputs]));
        var y = Convolved(kind, x, w, b);
        var dy = Tensor.RandomNormal(4, y.Shape);
        var walk = new Definition(kind, x.Shape.Values, w.Shape.Values);
        var (xs, ws, dys, bs) = (Read(x), Read(w), Read(dy), Read(b));
        double[] expected = [.. Enumerable.Range(0, walk.Elements).Select(i => bs[walk.ChannelOf(i)])],
            dx = new double[xs.Length], dw = new double[ws.Length];
        walk.Each((at, from, member) =>
        {
            expected[at] += xs[from] * ws[member];
            dx[from] += dys[at] * ws[member];
            dw[member] += dys[at] * xs[from];
        });
        Same(expected, y);
        Same(expected.Select((value, i) => Math.Max(0, value)).ToArray(), Convolved(kind, x, w, b).Relu());
        var gradients = (Convolved(kind, x, w, null) * dy).Sum().Gradient(x, w);
        Same(dx, gradients[0]);
        Same(dw, gradients[1]);

        Tensor Random(int seed, int channels) => Tensor.RandomNormal(seed, [2, channels, .. Image(kind)]);

        Tensor Windows(int seed, int outputs, int inputs) =>
            Tensor.RandomNormal(seed, [outputs, inputs / kind.Groups, .. Enumerable.Repeat((Extent)kind.Size, kind.Space)]);
    }

    [Theory, MemberData(nameof(KindsOnPaths))]
    public void Transposed_AndItsGradients_MatchTheirDefinition(string path, string name)
    {
        using var selected = devices[path].Select();
        var kind = kinds[name];
        Tensor x = Tensor.RandomNormal(1, [2, kind.Outputs, .. Image(kind)]);
        Tensor w = Tensor.RandomNormal(2,
            [kind.Outputs, kind.Inputs / kind.Groups, .. Enumerable.Repeat((Extent)kind.Size, kind.Space)]);
        long reach = kind.Dilation * (kind.Size - 1) + 1;
        if ((x.Shape[^1].Value - 1) * kind.Stride + reach - 2 * kind.Padding < 1) return;      // nothing would be left
        var y = Transposed(kind, x, w);
        var dy = Tensor.RandomNormal(4, y.Shape);
        // What a convolution reads, its transpose writes. Windows that outputPadding makes room for have no element of x.
        var walk = new Definition(kind, y.Shape.Values, w.Shape.Values) { Positions = x.Shape.Values };
        var (xs, ws, dys) = (Read(x), Read(w), Read(dy));
        double[] expected = new double[dys.Length], dx = new double[xs.Length], dw = new double[ws.Length];
        walk.Each((at, from, member) =>
        {
            expected[from] += xs[at] * ws[member];
            dx[at] += dys[from] * ws[member];
            dw[member] += dys[from] * xs[at];
        });
        Same(expected, y);
        var gradients = (Transposed(kind, x, w) * dy).Sum().Gradient(x, w);
        Same(dx, gradients[0]);
        Same(dw, gradients[1]);
    }

    [Theory]
    [InlineData("plain, few channels")]
    [InlineData("stride that leaves a rest")]
    [InlineData("depthwise")]
    [InlineData("depthwise, stride that leaves a rest")]
    [InlineData("1-D, depthwise")]
    [InlineData("groups")]
    [InlineData("groups of few channels, stride")]
    public void SecondGradients_MatchThoseOfTheUnrolledSum(string name)
    {
        using var selected = devices[Isa.Available[0].Name].Select();
        var kind = kinds[name];
        Tensor x = Tensor.RandomNormal(1, [2, kind.Inputs, .. Image(kind)]);
        Tensor w = Tensor.RandomNormal(2,
            [kind.Outputs, kind.Inputs / kind.Groups, .. Enumerable.Repeat((Extent)kind.Size, kind.Space)]);
        // The square of a bilinear map: both of its first gradients depend on both inputs.
        var found = Second(t => Convolved(kind, t[0], t[1], null));
        var expected = Second(t => Form(kind).Plain(t[0], t[1]));
        for (int i = 0; i < 2; i++) Same(Read(expected[i]), found[i]);

        Tensor[] Second(Func<Tensor[], Tensor> f)
        {
            var first = f([x, w]).Square().Sum().Gradient(x, w);
            return (first[0].Square().Sum() + first[1].Square().Sum() * 0.01).Gradient(x, w)
                .Select(gradient => gradient * 1e-3).ToArray();
        }
    }

    [Fact]
    public void Convolution_TakesSymbolicBatches_AndImagesOfSymbolicLength()
    {
        using var selected = devices[Isa.Available[0].Name].Select();
        var w = Tensor.RandomNormal(2, [4, 3, 3]);
        var step = Compiled.Function((Tensor x) => x.Conv1d(w, padding: 1).Sum().Gradient(x));
        foreach (int length in (int[])[8, 16, 24])
        {
            var x = Tensor.RandomNormal(1, [length / 8, 3, length]);
            Same(Read(x.Conv1d(w, padding: 1).Sum().Gradient(x)), step(x));
        }
    }

    [Theory]
    [InlineData(DType.BFloat16, 4e-2)]
    [InlineData(DType.Float16, 5e-3)]
    [InlineData(DType.Float64, 1e-12)]
    [InlineData(DType.Int32, 0)]
    public void Convolution_OfOtherTypes_MatchesFloat32(DType dtype, double tolerance)
    {
        foreach (var isa in Isa.Available)
        {
            using var selected = devices[isa.Name].Select();
            foreach (string name in (string[])["plain, vectors of channels", "stride that leaves a rest", "depthwise", "groups"])
            {
                var kind = kinds[name];
                Tensor x = Whole(1, [2, kind.Inputs, .. Image(kind)]), w =
                    Whole(2, [kind.Outputs, kind.Inputs / kind.Groups, kind.Size, kind.Size]);
                var expected = Read(Convolved(kind, x, w, null));
                double[] found = Read(Convolved(kind, x.Cast(dtype), w.Cast(dtype), null));
                Assert.All(expected.Zip(found),
                    pair => Assert.True(Math.Abs(pair.First - pair.Second) <= tolerance * Math.Max(1, Math.Abs(pair.First)),
                        $"{isa.Name}, {name}: {pair}"));
            }
        }

        // Quarters, which every float has; integers of an integer type.
        Tensor Whole(int seed, Shape shape) => (Tensor.RandomNormal(seed, shape) * 4).Round() * (dtype.IsFloat ? 0.25 : 1);
    }

    static Extent[] Image(Kind kind) => kind.Space == 2 ? [kind.Length, kind.Length - 2] : [kind.Length];

    static ConvolutionForm Form(Kind kind) =>
        new("Conv", [.. Repeated(kind, kind.Size).Select(size => (long)size)], Repeated(kind, kind.Stride),
            Repeated(kind, kind.Padding),
        Repeated(kind, kind.Dilation), kind.Groups);

    static int[] Repeated(Kind kind, int number) => [.. Enumerable.Repeat(number, kind.Space)];

    static Tensor Convolved(Kind kind, Tensor x, Tensor w, Tensor? b) => kind.Space == 2
        ? x.Conv2d(w, b, kind.Stride, kind.Padding, kind.Dilation, kind.Groups) : x.Conv1d(w, b, kind.Stride, kind.Padding,
            kind.Dilation, kind.Groups);

    static Tensor Transposed(Kind kind, Tensor x, Tensor w) => kind.Space == 2
        ? x.ConvTranspose2d(w, null, kind.Stride, kind.Padding, kind.OutputPadding, kind.Dilation, kind.Groups)
        : x.ConvTranspose1d(w, null, kind.Stride, kind.Padding, kind.OutputPadding, kind.Dilation, kind.Groups);

    static double[] Read(Tensor x) => x.Cast(DType.Float64).ToArray<double>();

    static void Same(double[] expected, Tensor actual)
    {
        double[] found = Read(actual);
        Assert.Equal(expected.Length, found.Length);
        // Sums of up to 9 * 33 products of normal numbers, in another order: 300 roundings of 2^-24 of sums below 60.
        for (int i = 0; i < found.Length; i++)
            Assert.True(Math.Abs(expected[i] - found[i]) <= 1e-4 * Math.Max(1, Math.Abs(expected[i])),
                $"element {i} of {actual.Type} is {found[i]:R}, not {expected[i]:R}");
    }

    /// <summary>Which elements of a result, an image and the windows meet.</summary>
    sealed class Definition(Kind kind, long[] image, long[] windows)
    {
        readonly long[] image = Plane(image), windows = Plane(windows);

        long[]? positions;

        /// <summary>The shape of the result, where it is less than what fits.</summary>
        public long[] Positions
        {
            get => positions ?? [image[0], windows[0], Fitting(0), Fitting(1)];
            set => positions = Plane(value);
        }

        public int Elements => (int)Positions.Aggregate((a, b) => a * b);

        public int ChannelOf(int element) => (int)(element / (Positions[2] * Positions[3]) % Positions[1]);

        // One axis of space counts as the second of two.
        static long[] Plane(long[] shape) => shape.Length == 4 ? shape : [shape[0], shape[1], 1, shape[2]];

        (int Stride, int Padding, int Dilation) At(int axis) =>
            axis == 0 && kind.Space == 1 ? (1, 0, 1) : (kind.Stride, kind.Padding, kind.Dilation);

        long Fitting(int axis)
        {
            var (stride, padding, dilation) = At(axis);
            return (image[2 + axis] + 2 * padding - dilation * (windows[2 + axis] - 1) - 1) / stride + 1;
        }

        public void Each(Action<long, long, long> meet)
        {
            var (result, outputs) = (Positions, windows[0] / kind.Groups);
            var ((strideH, paddingH, dilationH), (strideW, paddingW, dilationW)) = (At(0), At(1));
            for (long n = 0; n < result[0]; n++)
                for (long o = 0; o < result[1]; o++)
                    for (long i = 0; i < result[2]; i++)
                        for (long j = 0; j < result[3]; j++)
                            for (long c = 0; c < windows[1]; c++)
                                for (long u = 0; u < windows[2]; u++)
                                    for (long v = 0; v < windows[3]; v++)
                                    {
                                        long row = i * strideH + u * dilationH - paddingH, column = j * strideW
                                            + v * dilationW - paddingW;
                                        if (row < 0 || column < 0 || row >= image[2] || column >= image[3]) continue;
                                        meet(((n * result[1] + o) * result[2] + i) * result[3] + j,
                                            ((n * image[1] + o / outputs * windows[1] + c) * image[2] + row) * image[3] + column,
                                            ((o * windows[1] + c) * windows[2] + u) * windows[3] + v);
                                    }
        }
    }
}
