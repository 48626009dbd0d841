using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Weights;
using Ashlar.Graph;

namespace Ashlar.Bench;

/// <summary>The grouped product of a mixture of experts: each row by the matrix of its own expert, against as many products with
/// one matrix.</summary>
/// <remarks>
/// 8192 rows, as 1024 tokens that take 8 of 64 experts each; few experts are chosen often, many seldom, some never. The limit is
/// the same engine on the same rows with one matrix for all: what is lost is padding of small groups, and that all matrices come
/// from memory.
/// </remarks>
static class GroupedGemm
{
    const int Experts = 64, Rows = 8192, Columns = 1024, Inner = 1024;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        if (MatrixUnit.PathOf(Isa.Chosen, DType.BFloat16, DType.BFloat16).Name != "amx") yield break;
        foreach (int count in threads)
        {
            string name = $"gemm.grouped.e{Experts}_m{Rows}_n{Columns}_k{Inner}.t{count}";
            yield return new(name, Target.AtLeast(0.85), session => Measure(name, session.On(count), session.Cancellation));
        }
    }

    static unsafe Figure Measure(string name, Stage stage, CancellationToken cancellation)
    {
        var workers = stage.Workers ?? throw new NotSupportedException("grouped products are measured on the processor");
        var many = new WeightAttributes(WeightEncoding.BF16, Columns, Inner, Experts);
        var one = new WeightAttributes(WeightEncoding.BF16, Columns, Inner);
        var (data, x, y) = (stage.Backend.Allocate(many.Bytes), stage.Backend.Allocate((long)Rows * Inner * sizeof(float)),
            stage.Backend.Allocate((long)Rows * Columns * sizeof(float)));
        var ids = stage.Backend.Allocate(Rows * sizeof(int));
        var random = new Random(1);
        for (long i = 0; i < (long)Rows * Inner; i++) ((float*)x.Address)[i] = random.NextSingle() - 0.5f;
        for (long i = 0; i < many.Bytes / 2; i++) ((ushort*)data.Address)[i] = (ushort)(random.Next() & 0x807f | 0x3c00);
        for (int i = 0; i < Rows; i++) ((int*)ids.Address)[i] = ExpertOf(random.NextDouble());

        var grouped = new WeightCall(many, Rows, DType.Float32)
        {
            X = x.Address,
            Y = y.Address,
            Data = data.Address,
            Experts = ids.Address,
        };
        var single = new WeightCall(one, Rows, DType.Float32) { X = x.Address, Y = y.Address, Data = data.Address };
        var (product, plain) = (WeightProducts.Choose(grouped, Isa.Chosen, usesTiles: true),
            WeightProducts.Choose(single, Isa.Chosen, usesTiles: true));
        var scratch =
            stage.Backend.Allocate(Math.Max(product.ScratchBytes(grouped, workers.Count),
                plain.ScratchBytes(single, workers.Count)));
        void Grouped() => product.Run(grouped, workers, (byte*)scratch.Address);
        void Single() => plain.Run(single, workers, (byte*)scratch.Address);

        double flops = 2.0 * Rows * Columns * Inner;
        int repeats = Sampling.WarmUp(Grouped, cancellation);
        Sampling.WarmUp(Single, cancellation);
        var outcome = Sampling.Pairs(() => flops / Sampling.Seconds(Grouped, repeats) / 1e9,
            () => flops / Sampling.Seconds(Single, repeats) / 1e9, cancellation);
        GC.KeepAlive((data, x, y, ids, scratch));
        return new(name, outcome.Value, Limits.UnitOf(Limit.AmxBF16), outcome.Limit, outcome.Ratio);
    }

    // Popular ones first, and every eighth is never chosen.
    static int ExpertOf(double chance)
    {
        int expert = (int)(chance * chance * Experts);
        return expert % 8 == 7 ? expert - 1 : expert;
    }
}
