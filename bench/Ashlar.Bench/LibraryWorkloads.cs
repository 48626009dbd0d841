using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Kernels;

namespace Ashlar.Bench;

/// <summary>Kernels written in the kernel language, and convolutions as the tensors' vocabulary has them.</summary>
static class LibraryWorkloads
{
    const double LeastBytes = 256e6;                   // more than the caches keep
    const double MostElements = 1.5e8;

    /// <summary>Every kernel of the library but attention, which has a suite of its own, against memory or the
    /// multiply-adds.</summary>
    public static IEnumerable<Workload> Kernels()
    {
        foreach (var kernel in KernelLibrary.All)
        {
            if (kernel.Name.StartsWith("flash_", StringComparison.Ordinal)) continue;
            long size = kernel.Size;
            if (kernel.Flops is { } flops)
            {
                yield return new($"kernel.{kernel.Name}", () => Call(kernel, size), flops(size), Limit.Fma)
                {
                    Classes = kernel.Classes,
                };
                continue;
            }
            while (Bytes(kernel, size) < LeastBytes && Bytes(kernel, 2 * size) / 4 < MostElements) size *= 2;
            bool writes = kernel.For(size).Outputs.Sum(Bytes) > 0.1 * Bytes(kernel, size);
            yield return new($"kernel.{kernel.Name}", () => Call(kernel, size), Moved(kernel, size),
                writes ? Limit.CopyStreaming : Limit.Read)
            {
                Classes = kernel.Classes,
            };
        }
    }

    // One launch of the kernel, whatever its outputs.
    static Function Call(LibraryKernel kernel, long size)
    {
        var traced = kernel.For(size);
        Node[] parameters = [.. kernel.Inputs(size).Select((input, i) => Nodes.Parameter(i, input.DType, input.Shape))];
        return new(parameters.ToValueList(), traced.Outputs.Select((_, output) =>
            Node.Of(Op.Kernel, parameters, new KernelAttributes(traced, output))).ToValueList());
    }

    static double Bytes(LibraryKernel kernel, long size) => kernel.Inputs(size).Sum(Bytes) + kernel.For(size).Outputs.Sum(Bytes);

    // Of a table only the rows that tokens name are read, at most all of them; a table that gives but its height is not read.
    static double Moved(LibraryKernel kernel, long size) => kernel.Name switch
    {
        "embed" => 2 * Bytes(kernel.For(size).Outputs[0]),
        "embed_backward" => Bytes(kernel.Inputs(size)[1]) + 2 * Bytes(kernel.For(size).Outputs[0]),
        _ => Bytes(kernel, size),
    };

    static double Bytes(NodeType type) => (double)type.Shape.Elements.Value * type.DType.Bytes;

    /// <summary>Convolutions of float32 in the sizes of published networks, against the peak of the multiply-adds; depthwise ones
    /// against memory.</summary>
    public static IEnumerable<Workload> Convolutions()
    {
        // ResNet-50 (He et al. 2015): 3 x 3 and 1 x 1 at two depths, and the strided one between them.
        foreach (var workload in All("3x3_c64_56", [8, 64, 56, 56], [64, 64, 3, 3], (x, w) => x.Conv2d(w, padding: 1)))
            yield return workload;
        foreach (var workload in All("3x3_c256_14", [8, 256, 14, 14], [256, 256, 3, 3], (x, w) => x.Conv2d(w, padding: 1)))
            yield return workload;
        yield return Forward("1x1_c256_56", [8, 256, 56, 56], [64, 256, 1, 1], (x, w) => x.Conv2d(w));
        yield return Forward("3x3_c128_stride2", [8, 128, 56, 56], [128, 128, 3, 3],
            (x, w) => x.Conv2d(w, stride: 2, padding: 1));
        yield return Forward("7x7_c3_stride2", [8, 3, 224, 224], [64, 3, 7, 7], (x, w) => x.Conv2d(w, stride: 2, padding: 3));
        yield return Forward("3x3_c128_dilation2", [8, 128, 28, 28], [128, 128, 3, 3],
            (x, w) => x.Conv2d(w, padding: 2, dilation: 2));
        // ResNeXt: 32 groups of 4 channels. MobileNet: as many groups as channels.
        yield return Forward("3x3_c128_groups32", [8, 128, 56, 56], [128, 4, 3, 3],
            (x, w) => x.Conv2d(w, padding: 1, groups: 32));
        foreach (var workload in All("3x3_depthwise_c256", [8, 256, 56, 56], [256, 1, 3, 3],
            (x, w) => x.Conv2d(w, padding: 1, groups: 256), Limit.CopyStreaming)) yield return workload;
        // A decoder of images, and the first layers of Whisper.
        foreach (var workload in All("transposed4x4_c64_stride2", [8, 64, 28, 28], [64, 32, 4, 4],
            (x, w) => x.ConvTranspose2d(w, stride: 2, padding: 1))) yield return workload;
        yield return Forward("1d_c384_k3", [4, 384, 1500], [384, 384, 3], (x, w) => x.Conv1d(w, padding: 1));

        static Workload Forward(string name, Shape x, Shape w, Func<Tensor, Tensor, Tensor> f, Limit limit = Limit.Fma) =>
            All(name, x, w, f, limit).First();
    }

    static IEnumerable<Workload> All(string name, Shape xShape, Shape wShape, Func<Tensor, Tensor, Tensor> f,
        Limit limit = Limit.Fma)
    {
        Node x = Nodes.Parameter(0, DType.Float32, xShape), w = Nodes.Parameter(1, DType.Float32, wShape);
        var y = f(new Tensor(x), new Tensor(w)).Node;
        // Each output sums over the window and the channels of its group; a transposed one spreads each input instead.
        bool isTransposed = name.StartsWith("transposed", StringComparison.Ordinal);
        double flops = 2.0 * (isTransposed ? xShape : y.Shape).Elements.Value * wShape.Elements.Value / wShape[0].Value;
        double bytes = 4.0 * (xShape.Elements.Value + y.Shape.Elements.Value + wShape.Elements.Value);
        double work = limit == Limit.Fma ? flops : bytes;
        yield return new($"conv.f32.{name}.forward", () => new([x, w], [y]), work, limit);
        var dy = Nodes.Parameter(2, DType.Float32, y.Shape);
        Node dyFirst = Nodes.Parameter(0, DType.Float32, y.Shape);
        yield return new($"conv.f32.{name}.backward_input",
            () => Renamed([dyFirst, w], Gradients.Of([y], [dyFirst], [x])[0]), work, limit);
        yield return new($"conv.f32.{name}.backward_weight", () => Renamed([x, Nodes.Parameter(1, DType.Float32, y.Shape)],
            Traversal.Rewrite([Gradients.Of([y], [dy], [w])[0]],
                node => node == dy ? Nodes.Parameter(1, DType.Float32, y.Shape) : null, node => node == dy)[0]), work, limit);

        static Function Renamed(ValueList<Node> parameters, Node result) => new(parameters, [result]);
    }
}
