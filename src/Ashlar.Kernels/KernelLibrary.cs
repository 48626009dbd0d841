using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Kernels;

/// <summary>A kernel of the library, with what listings, runs and benchmarks need.</summary>
/// <param name="Kernel">The kernel as it comes, in float32.</param>
/// <param name="Meaning">One line.</param>
/// <param name="Size">The size that is run and measured where none is given.</param>
/// <param name="Inputs">Element types and shapes of the inputs for a size.</param>
/// <param name="Flops">Multiplications and additions for a size; null for a kernel that memory bounds.</param>
public sealed record LibraryKernel(Kernel Kernel, string Meaning, long Size, Func<long, NodeType[]> Inputs, Func<long,
    double>? Flops = null)
{
    /// <summary>The kernel's name.</summary>
    public string Name => Kernel.Name;

    /// <summary>The kernel for a size.</summary>
    public TileKernel For(long size) => Kernel.For(Inputs(size));
}

/// <summary>The kernels that come with Ashlar, by name.</summary>
public static class KernelLibrary
{
    const int HeadWidth = 64;

    /// <summary>All of them, the simplest first.</summary>
    public static IReadOnlyList<LibraryKernel> All { get; } =
    [
        new(Vectors.Add(), "y = a + b, element by element", 1 << 22, n => [F32(n), F32(n)]),
        new(Vectors.Scale(2), "y = 2 x", 1 << 22, n => [F32(n)]),
        new(Vectors.Sum(), "the sum of a vector, by atomic additions of its tiles' sums", 1 << 22, n => [F32(n)]),
        new(Rows.Softmax(), "softmax of every row, rows of 1024", 1024, n => [F32(n, 1024)]),
        new(Rows.RmsNorm(), "RMSNorm of every row, rows of 1024", 1024, n => [F32(n, 1024), F32(1024)]),
        new(Rows.LayerNorm(), "layer norm of every row, rows of 1024", 1024, n => [F32(n, 1024), F32(1024), F32(1024)]),
        new(MatMul.Define(new(Bias: true), x => x * KernelMath.Sigmoid(x)), "c = silu(a b + bias), square", 1024, n =>
            [F32(n, n), F32(n, n), F32(n)], n => 2.0 * n * n * n),
        new(FlashAttention.Forward(new(HeadWidth)), "causal attention of one head, 64 wide, with log-sum-exp", 1024,
            n => [Heads(n), Heads(n), Heads(n)], n => 2.0 * n * n * HeadWidth),
        new(FlashAttention.Delta(new(HeadWidth)), "sums of dy * o, which the backward kernels need", 1024, n =>
            [Heads(n), Heads(n)]),
        new(FlashAttention.BackwardQueries(new(HeadWidth)), "the gradient of the queries of causal attention", 1024, Saved, n =>
            3.0 * n * n * HeadWidth),
        new(FlashAttention.BackwardKeys(new(HeadWidth)), "the gradients of keys and values of causal attention", 1024, Saved, n =>
            4.0 * n * n * HeadWidth),
    ];

    /// <summary>The kernel of this name; null where there is none.</summary>
    public static LibraryKernel? Find(string name) => All.FirstOrDefault(kernel => kernel.Name == name);

    // q, k, v, dy, lse, delta
    static NodeType[] Saved(long n) => [Heads(n), Heads(n), Heads(n), Heads(n), F32(1, 1, n), F32(1, 1, n)];

    static NodeType Heads(long n) => F32(1, n, 1, HeadWidth);

    static NodeType F32(params long[] shape) => new(DType.Float32, shape);
}
