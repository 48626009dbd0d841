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
    /// <summary>The configs to choose from; null where there is but one.</summary>
    public KernelChoice? Choice { get; init; }

    /// <summary>Integer inputs are drawn from 0 up to this.</summary>
    public int Classes { get; init; } = 1;

    /// <summary>The kernel's name.</summary>
    public string Name => Kernel.Name;

    /// <summary>The kernel for a size.</summary>
    public TileKernel For(long size) => Kernel.For(Inputs(size));
}

/// <summary>The kernels that come with Ashlar, by name.</summary>
public static class KernelLibrary
{
    const int HeadWidth = 64, Words = 8192, Width = 256, Loss = 256, LossWords = 8192;

    /// <summary>All of them, the simplest first.</summary>
    public static IReadOnlyList<LibraryKernel> All { get; } =
    [
        new(Vectors.Add(), "y = a + b, element by element", 1 << 22, n => [F32(n), F32(n)]),
        new(Vectors.Scale(2), "y = 2 x", 1 << 22, n => [F32(n)]),
        new(Vectors.Sum(), "the sum of a vector, by atomic additions of its tiles' sums", 1 << 22, n => [F32(n)]),
        new(Rows.Softmax(), "softmax of every row, rows of 1024", 1024, n => [F32(n, 1024)]),
        new(Rows.RmsNorm(), "RMSNorm of every row, rows of 1024", 1024, n => [F32(n, 1024), F32(1024)]),
        new(Rows.LayerNorm(), "layer norm of every row, rows of 1024", 1024, n => [F32(n, 1024), F32(1024), F32(1024)]),
        new(Gates.SwiGlu(), "silu(gate) * up, element by element", 1 << 22, n => [F32(n), F32(n)]),
        new(Gates.SwiGluBackward(), "the gradients of gate and up", 1 << 22, n => [F32(n), F32(n), F32(n)]),
        new(Gates.GeGlu(), "gelu(gate) * up, element by element", 1 << 22, n => [F32(n), F32(n)]),
        new(Gates.GeGluBackward(), "the gradients of gate and up", 1 << 22, n => [F32(n), F32(n), F32(n)]),
        new(Sequences.Rotate(), "rotary embedding of 16 heads, 64 wide", 1024, Rotated),
        new(Sequences.Rotate(backward: true), "its gradient", 1024, Rotated),
        new(Sequences.Embed(), "rows of a table of 8192, 256 wide", 1024, n => [I32(n), F32(Words, Width)]) { Classes = Words },
        new(Sequences.EmbedBackward(), "the gradient of such a table of 1024 rows", 1024,
            n => [I32(n), F32(n, Width), F32(1024, Width)])
        {
            Classes = 1024,
        },
        new(Sequences.Route(8), "the 8 of 64 experts of every token, and their weights", 4096, n => [F32(n, 64)]),
        new(CrossEntropy.Forward(), "cross-entropy of every row, a vocabulary of 8192", 256, n => [F32(n, Words), I32(n)])
        {
            Classes = Words,
        },
        new(CrossEntropy.Backward(), "its gradient", 256, n => [F32(n, Words), I32(n), F32(n), F32(n)]) { Classes = Words },
        new(CrossEntropy.ProjectedForward(new(Loss)),
            "from hidden values, 256 wide, to cross-entropy over 8192 words, without logits", 1024,
            n => [F32(n, Loss), F32(LossWords, Loss), I32(n)], n => 2.0 * n * Loss * LossWords)
        {
            Classes = LossWords,
            Choice = Kernel.Choose(from rows in (int[])[64, 32, 128] from words in (int[])[256, 128, 512]
                                   select new ProjectedLossConfig(Loss, RowTile: rows, VocabularyTile: words),
                                       CrossEntropy.ProjectedForward),
        },
        new(CrossEntropy.ProjectedBackwardHidden(new(Loss)), "the gradient of the hidden values", 1024, SavedLoss,
            n => 4.0 * n * Loss * LossWords)
        {
            Classes = LossWords,
        },
        new(CrossEntropy.ProjectedBackwardWeights(new(Loss)), "the gradient of the weights", 1024, SavedLoss,
            n => 4.0 * n * Loss * LossWords)
        {
            Classes = LossWords,
        },
        new(MatMul.Define(new(Bias: true), x => x * KernelMath.Sigmoid(x)), "c = silu(a b + bias), square", 1024,
            n => [F32(n, n), F32(n, n), F32(n)], n => 2.0 * n * n * n),
        new(FlashAttention.Forward(new(HeadWidth)), "causal attention of one head, 64 wide, with log-sum-exp", 1024,
            n => [Heads(n), Heads(n), Heads(n)], n => 2.0 * n * n * HeadWidth) { Choice = Attention(FlashAttention.Forward) },
        new(FlashAttention.Delta(new(HeadWidth)), "sums of dy * o, which the backward kernels need", 1024,
            n => [Heads(n), Heads(n)]),
        new(FlashAttention.Backward(new(HeadWidth)), "the gradients of causal attention, that of the queries in float32", 1024,
            Saved, n => 5.0 * n * n * HeadWidth) { Choice = Attention(FlashAttention.Backward) },
        new(FlashAttention.Queries(new(HeadWidth)), "the gradient of the queries from its parts", 1024,
            n => [F32(1, 1, 1, n, HeadWidth)]),
    ];

    /// <summary>The kernel of this name; null where there is none.</summary>
    public static LibraryKernel? Find(string name) => All.FirstOrDefault(kernel => kernel.Name == name);

    // The tiles that FlashAttention takes by itself come first.
    static KernelChoice Attention(Func<AttentionConfig, Kernel> define)
    {
        var usual = new AttentionConfig(HeadWidth);
        var others = from queries in (int[])[32, 64, 96, 128]
                     from keys in (int[])[32, 64, 128, 256]
                     select usual with
                     {
                         QueryTile = queries,
                         KeyTile = keys,
                     };
        return Kernel.Choose(others.Prepend(usual).Distinct(), define);
    }

    // q, k, v, dy, lse, delta
    static NodeType[] Saved(long n) => [Heads(n), Heads(n), Heads(n), Heads(n), F32(1, 1, n), F32(1, 1, n)];

    // h, weight, targets, lse, dloss
    static NodeType[] SavedLoss(long n) => [F32(n, Loss), F32(LossWords, Loss), I32(n), F32(n), F32(n)];

    static NodeType[] Rotated(long n) => [F32(n, 16, 2, 32), F32(n, 32), F32(n, 32)];

    static NodeType I32(params long[] shape) => new(DType.Int32, shape);

    static NodeType Heads(long n) => F32(1, n, 1, HeadWidth);

    static NodeType F32(params long[] shape) => new(DType.Float32, shape);
}
