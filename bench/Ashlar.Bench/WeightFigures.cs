using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Weights;
using Ashlar.Graph;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Bench;

/// <summary>Products with packed weights of 4096 x 4096: one row and few rows against memory, many against the tile
/// unit.</summary>
/// <remarks>
/// Weights come from memory, as a model's do: each run takes the next of so many copies that no cache holds them. Up to 16 rows
/// the value is bytes of weights over time, so figures of 8 rows say how much of one row's speed is left; beyond, products over
/// time.
/// </remarks>
static class WeightFigures
{
    const int Columns = 4096, Inner = 4096, MostMemoryRows = 16;
    const long LeastBytes = 320 << 20;

    static readonly (string Name, WeightEncoding Encoding)[] encodings =
        [("bf16", WeightEncoding.BF16), ("q8_0", WeightEncoding.Int8()), ("q4_0", WeightEncoding.Int4())];

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        bool hasTiles = MatrixUnit.PathOf(Isa.Chosen, DType.BFloat16, DType.BFloat16).Name == "amx";
        foreach (var (name, encoding) in encodings)
            foreach (int rows in (int[])[1, 8, 32, 128, 512])
                foreach (int count in threads)
                {
                    if (rows > MostMemoryRows && !hasTiles) continue;
                    string full = $"weights.{name}.m{rows}_n{Columns}_k{Inner}.t{count}";
                    yield return new(full, TargetOf(encoding, rows),
                        session => Measure(full, encoding, rows, session.On(count), session.Cancellation));
                }
    }

    // Eight rows: five times the rows in a second of one.
    static Target? TargetOf(WeightEncoding encoding, int rows) => rows switch
    {
        1 => Target.AtLeast(0.85),
        8 => Target.AtLeast(0.85 * 5 / 8),
        512 => Target.AtLeast(encoding.IsQuantized ? 0.35 : 0.40),
        _ => null,
    };

    static unsafe Figure Measure(string name, WeightEncoding encoding, int rows, Stage stage, CancellationToken cancellation)
    {
        var workers = stage.Workers ?? throw new NotSupportedException("packed weights are measured on the processor");
        var weight = new WeightAttributes(encoding, Columns, Inner);
        long bytes = weight.Bytes, copies = (LeastBytes + bytes - 1) / bytes;
        Buffer data = stage.Backend.Allocate(bytes * copies), x = stage.Backend.Allocate((long)rows * Inner * sizeof(float)),
            y = stage.Backend.Allocate((long)rows * Columns * sizeof(float));
        Fill(weight, (byte*)data.Address, bytes * copies);
        var random = new Random(1);
        for (int i = 0; i < rows * Inner; i++) ((float*)x.Address)[i] = (float)random.NextDouble() - 0.5f;

        var call = new WeightCall(weight, rows, DType.Float32) { X = x.Address, Y = y.Address, Data = data.Address };
        var product = WeightProducts.Choose(call, Isa.Chosen, usesTiles: true);
        var scratch = stage.Backend.Allocate(product.ScratchBytes(call, workers.Count));
        long at = 0;
        void Run() => product.Run(call with
        {
            Data = data.Address + (nint)(at++ % copies * bytes),
        }, workers, (byte*)scratch.Address);

        bool isMemory = rows <= MostMemoryRows;
        var limit = isMemory ? Limit.Read : Limit.AmxBF16;
        double work = isMemory ? bytes : 2.0 * rows * Columns * Inner;
        int repeats = Sampling.WarmUp(Run, cancellation);
        var outcome =
            Sampling.Pairs(() => work / Sampling.Seconds(Run, repeats) / 1e9, () => stage.SampleLimit(limit), cancellation);
        GC.KeepAlive((data, x, y, scratch));
        return new(name, outcome.Value, Limits.UnitOf(limit), outcome.Limit, outcome.Ratio);
    }

    // Any codes do; floats and scales must be ordinary numbers.
    static unsafe void Fill(WeightAttributes weight, byte* data, long bytes)
    {
        var random = new Random(2);
        for (long at = 0; at < bytes; at += 1 << 30)
            random.NextBytes(new Span<byte>(data + at, (int)Math.Min(1 << 30, bytes - at)));
        var layout = weight.Layout;
        int codes = weight.Encoding.IsQuantized ? 2 * layout.TileBytes : 0;
        for (long step = 0; step < bytes; step += layout.StepBytes)
            for (int i = codes; i < layout.StepBytes; i += 2)
            {
                ushort* number = (ushort*)(data + step + i);
                *number = weight.Encoding.IsQuantized ? (ushort)0x2000 : (ushort)(*number & 0x807f | 0x3c00);
            }
    }
}
