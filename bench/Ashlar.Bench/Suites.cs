namespace Ashlar.Bench;

/// <summary>Everything that can be measured, by the words of the command line.</summary>
public static class Suites
{
    /// <summary>The suites, in the order in which a run of all takes them: what must be cold comes first.</summary>
    public static IReadOnlyList<Suite> All { get; } =
    [
        new("train",
            "a 6-layer GPT's training step: its first one, its speed, what is not kernels; against PyTorch where bench/peers/torch.sh set it up",
            Training.GptFigures.Benchmarks),
        new("compile", "time to compile kernels and a training graph of 200 nodes", Compilation.Benchmarks),
        new("dispatch", "time per kernel and managed memory of a program of 200 small kernels", Dispatch.Benchmarks),
        new("memory", "planned memory of a GPT's training step against one buffer per value", Planned.Benchmarks),
        new("tokenizer", "text to tokens and back, on one core", TokenizerFigures.Benchmarks),
        new("elementwise", "fused elementwise chains over more than the caches hold",
            threads => Timing.Of(Workloads.Elementwise(), threads)),
        new("norms", "softmax, norms and cross-entropy, forward and backward", threads => Timing.Of(Workloads.Norms(), threads)),
        new("attention", "FlashAttention forward and backward, its memory; against PyTorch where bench/peers/torch.sh set it up",
            AttentionFigures.Benchmarks),
        new("kernels", "kernels written in the kernel language: vectors, rows, gates, embeddings, losses, products",
            threads => Timing.Of(LibraryWorkloads.Kernels(), threads)),
        new("conv", "convolutions: plain, strided, dilated, grouped, depthwise, transposed, forward and backward",
            threads => Timing.Of(LibraryWorkloads.Convolutions(), threads)),
        new("gemm",
            "matrix products: float32 squares and few rows against a large matrix; bf16 and int8 where there is a tile unit; packed weights, experts",
            threads => [.. Timing.Of(Workloads.Gemm(), threads), .. Timing.Of(Workloads.TileGemm(), threads),
                .. PackedGemm.Benchmarks(threads), .. GroupedGemm.Benchmarks(threads),
                .. WeightFigures.Benchmarks(threads)]),
        new("tuning", "what tuning gains, how long it takes, and how well its model ranks configs", TuningFigures.Benchmarks),
    ];

    /// <summary>The suite of this name; null where there is none.</summary>
    public static Suite? Find(string name) => All.FirstOrDefault(suite => suite.Name == name);
}
