using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Bench;

/// <summary>Products with weights that were packed beforehand, as a model's are: few hundred rows against 4096 x 4096.</summary>
/// <remarks>Below the compiler: the engine itself, for no graph op packs yet.</remarks>
static class PackedGemm
{
    const int Columns = 4096, Inner = 4096;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        if (MatrixUnit.PathOf(Isa.Chosen, DType.BFloat16, DType.BFloat16).Name != "amx") yield break;
        foreach (int rows in (int[])[128, 512])
            foreach (int count in threads)
            {
                string name = $"gemm.bf16.packed.m{rows}_n{Columns}_k{Inner}.t{count}";
                yield return new(name, Target.AtLeast(0.50),
                    session => Measure(name, rows, session.On(count), session.Cancellation));
            }
    }

    static unsafe Figure Measure(string name, int rows, Stage stage, CancellationToken cancellation)
    {
        var workers = stage.Workers ?? throw new NotSupportedException("packed products are measured on the processor");
        var product = TileProduct.BF16;
        var function = Workloads.TileProductOf(DType.BFloat16, rows, Columns, Inner);
        var inputs = Inputs.For(stage.Backend, function);
        var result = stage.Backend.Allocate((long)rows * Columns * 2);
        var packed = stage.Backend.Allocate(PackedOperand.Bytes(product, Inner, Columns));
        PackedOperand.Pack(product, new(inputs[1].Address, DType.BFloat16, Columns, 1), Inner, Columns,
            (byte*)packed.Address, workers);

        var engine = new MatrixContraction(product, rightIsPacked: true);
        var call = new ContractionCall
        {
            Rows = rows,
            Columns = Columns,
            Inner = Inner,
            Left = new(inputs[0].Address, DType.BFloat16, Inner, 1),
            Right = new(packed.Address, DType.BFloat16, 0, 0),
            Result = new(result.Address, DType.BFloat16, Columns, 1),
        };
        var scratch = stage.Backend.Allocate(engine.ScratchBytes(call, workers.Count));
        void Run() => engine.Run(call, workers, (byte*)scratch.Address);

        int repeats = Sampling.WarmUp(Run, cancellation);
        double flops = 2.0 * rows * Columns * Inner;
        var outcome = Sampling.Pairs(() => flops / Sampling.Seconds(Run, repeats) / 1e9,
            () => stage.SampleLimit(Limit.AmxBF16), cancellation);
        GC.KeepAlive((inputs, result, packed, scratch));
        return new(name, outcome.Value, Limits.UnitOf(Limit.AmxBF16), outcome.Limit, outcome.Ratio);
    }
}
