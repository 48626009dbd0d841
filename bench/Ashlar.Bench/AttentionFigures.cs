using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Bench.Training;
using Ashlar.Graph;
using Ashlar.Kernels;
using Ashlar.Tiles;

namespace Ashlar.Bench;

/// <summary>FlashAttention as the kernel language has it: forward and backward, its memory, and PyTorch's attention beside
/// it.</summary>
/// <remarks>
/// Operations are those of the definition: 4 T² D a head forward, 10 T² D backward, half of them where causal; that the backward
/// kernels compute scores twice counts for nothing. One sequence; few heads where it is long.
/// </remarks>
static class AttentionFigures
{
    const double Forward = 0.20, Backward = 0.18, TimesTorch = 2.5;

    /// <summary>One attention.</summary>
    public sealed record Case(bool Backward, DType DType, int HeadWidth, int Tokens, bool Causal)
    {
        public int Heads => Math.Max(2, 8192 / Tokens);

        public double Flops => (Backward ? 10.0 : 4.0) * Tokens * Tokens * HeadWidth * Heads * (Causal ? 0.5 : 1);

        public string Name =>
            $"attention.{(Backward ? "backward" : "forward")}.{DType.Name}.d{HeadWidth}_t{Tokens}.{(Causal ? "causal" : "full")}";

        public AttentionConfig Config => AttentionConfig.Tuned(HeadWidth, 1, Causal, DType, Tokens) with
        {
            BackwardParts = AttentionConfig.PartsFor(Heads),
        };
    }

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        bool hasTiles = MatrixUnit.PathOf(Isa.Chosen, DType.BFloat16, DType.BFloat16).Name == "amx";
        foreach (int count in threads)
        {
            foreach (var at in All())
            {
                bool isNarrow = at.DType == DType.BFloat16;
                string name = $"{at.Name}.t{count}";
                yield return new(name, isNarrow && hasTiles ? Target.AtLeast(at.Backward ? Backward : Forward) : null,
                    session => Measure(name, at, isNarrow && hasTiles ? Limit.AmxBF16 : Limit.Fma, session.On(count),
                        session.Cancellation));
                if (TorchProcess.Script is null || !isNarrow || count != threads.Max()) continue;
                string beside = $"{at.Name}.torch.t{count}";
                yield return new(beside, Target.AtLeast(TimesTorch),
                    session => AgainstTorch(beside, at, session.On(count), session.Cancellation));
            }
            yield return Memory(backward: false, count);
            yield return Memory(backward: true, count);
        }
    }

    static IEnumerable<Case> All() =>
        from backward in (bool[])[false, true]
        from dtype in (DType[])[DType.BFloat16, DType.Float32]
        from width in (int[])[64, 128]
        from tokens in dtype == DType.BFloat16 ? (int[])[1024, 2048, 4096, 8192] : [2048]
        from causal in (bool[])[true, false]
        select new Case(backward, dtype, width, tokens, causal);

    static Figure Measure(string name, Case at, Limit limit, Stage stage, CancellationToken cancellation)
    {
        var run = Prepare(at, stage);
        int repeats = Sampling.WarmUp(run, cancellation);
        var outcome =
            Sampling.Pairs(() => at.Flops / Sampling.Seconds(run, repeats) / 1e9, () => stage.SampleLimit(limit), cancellation);
        return new(name, outcome.Value, Limits.UnitOf(limit), outcome.Limit, outcome.Ratio);
    }

    static Figure AgainstTorch(string name, Case at, Stage stage, CancellationToken cancellation)
    {
        using var torch = new TorchAttention(at, stage.Threads);
        var run = Prepare(at, stage);
        int repeats = Sampling.WarmUp(run, cancellation);
        _ = torch.Seconds();
        var outcome = Sampling.Pairs(() => at.Flops / Sampling.Seconds(run, repeats) / 1e9,
            () => at.Flops / torch.Seconds() / 1e9, cancellation);
        return new(name, outcome.Value, "GFLOP/s", outcome.Limit, outcome.Ratio);
    }

    // Memory beyond inputs and results, against what a growth with the length allows: twice what half the length takes.
    static Benchmark Memory(bool backward, int threads)
    {
        string name = $"attention.{(backward ? "backward" : "forward")}.memory.d128_t8192.t{threads}";
        return new(name, Target.AtMost(1), _ => Figure.Against(name, Of(8192) / 1e6, "MB", 2 * Of(4096) / 1e6));

        // Of two heads, by the most of the kernels: they run one after the other.
        double Of(int tokens)
        {
            var lowered = Kernels(new(backward, DType.BFloat16, 128, tokens, true), heads: 2)
                .Select(kernel => TileLowering.Lower(kernel.Program, Isa.Chosen));
            return lowered.Max(kernel => kernel.SharedBytes.Value + kernel.ScratchBytes.Value * (double)threads);
        }
    }

    static Action Prepare(Case at, Stage stage)
    {
        var function = FunctionOf(at);
        var program = stage.Backend.Compile(function, new(OptimizationLevel.O2, null));
        var inputs = Inputs.For(stage.Backend, function);
        var outputs = Inputs.Results(stage.Backend, function, inputs, null);
        return () => program.Run(inputs, outputs, []);
    }

    static TileKernel[] Kernels(Case at, int? heads = null)
    {
        var kernels = FlashAttention.For(at.Config);
        int count = heads ?? at.Heads;
        NodeType x = new(at.DType, (int[])[1, at.Tokens, count, at.HeadWidth]),
            rows = new(DType.Float32, (int[])[1, count, at.Tokens]),
            sums = new(DType.Float32, (int[])[at.Config.BackwardParts, 1, count, at.Tokens, at.HeadWidth]);
        return at.Backward
            ? [kernels.Delta.For(x, x), kernels.Backward.For(x, x, x, x, rows, rows), kernels.Queries.For(sums)]
            : [kernels.Forward.For(x, x, x)];
    }

    // Forward: q, k, v. Backward: dy, the result and the log-sum-exp as well, which a forward pass has left.
    static Function FunctionOf(Case at)
    {
        Shape shape = (int[])[1, at.Tokens, at.Heads, at.HeadWidth];
        Node[] x = [.. Enumerable.Range(0, at.Backward ? 5 : 3).Select(i => Nodes.Parameter(i, at.DType, shape))];
        var kernels = Kernels(at);
        if (!at.Backward) return new(x.ToValueList(), [Call(kernels[0], 0, x)]);
        var lse = Nodes.Parameter(5, DType.Float32, (int[])[1, at.Heads, at.Tokens]);
        Node[] saved = [x[0], x[1], x[2], x[3], lse, Call(kernels[0], 0, x[3], x[4])];
        Node dq = Call(kernels[2], 0, Call(kernels[1], 2, saved));
        return new([.. x, lse], [dq, Call(kernels[1], 0, saved), Call(kernels[1], 1, saved)]);

        static Node Call(GraphKernel kernel, int output, params Node[] inputs) =>
            Node.Of(Op.Kernel, inputs, new KernelAttributes(kernel, output));
    }
}
