using Ashlar.Runtime;

namespace Ashlar.Tests.Packing;

/// <summary>Weights of each encoding, and what they stand for.</summary>
static class WeightSamples
{
    public static TheoryData<string> Names => [.. WeightEncoding.All.Select(encoding => encoding.Name)];

    /// <summary>A matrix with codes and scales drawn at random, every code of the encoding among them.</summary>
    /// <remarks>Where simple, scales are 1 and minima whole, so that sums are exact.</remarks>
    public static (PackedWeight Weight, float[,] Values) Random(WeightEncoding encoding, int rows, int columns, int seed,
        bool isSimple = false)
    {
        var (source, values) = Source(encoding, rows, columns, seed, isSimple);
        return (PackedWeight.Pack(encoding, source), values);
    }

    public static (WeightSource Source, float[,] Values) Source(WeightEncoding encoding, int rows, int columns, int seed,
        bool isSimple = false)
    {
        var random = new Random(seed);
        var values = new float[rows, columns];
        if (!encoding.IsQuantized || columns % encoding.Block != 0)
        {
            var bytes = new byte[rows * columns * 4];
            for (int i = 0; i < rows * columns; i++)
            {
                float value = isSimple ? random.Next(-16, 17) : (float)(random.NextDouble() * 2 - 1);
                values[i / columns, i % columns] = encoding.Code switch
                {
                    WeightCode.BF16 => (BFloat16)value,
                    WeightCode.F16 => (float)(Half)value,
                    _ => value,
                };
                BitConverter.TryWriteBytes(bytes.AsSpan(i * 4), value);
            }
            return (WeightSource.Of(bytes, DType.Float32, rows, columns), values);
        }
        var codes = new byte[rows * columns];
        int blocks = columns / encoding.Block;
        float[] scales = new float[rows * blocks], minima = new float[rows * blocks];
        for (int i = 0; i < scales.Length; i++)
        {
            float factor = encoding.Table == WeightTable.E2M1 && encoding.Code == WeightCode.Int4 ? 0.5f : 1;
            scales[i] = isSimple ? 1 : (float)(Half)(float)((random.NextDouble() * 2 - 1) * factor) / factor;
            if (encoding.HasMinimum)
                minima[i] = isSimple ? random.Next(-3, 4) : (float)(Half)(float)(random.NextDouble() * 2 - 1);
        }
        for (int i = 0; i < codes.Length; i++)
        {
            codes[i] = (byte)random.Next(encoding.Code == WeightCode.Int8 ? 256 : 16);
            int block = i / encoding.Block;
            float value = encoding.Code == WeightCode.Int8 ? (sbyte)codes[i] : encoding.Values[codes[i]];
            values[i / columns, i % columns] = scales[block] * value - minima[block];
        }
        return (WeightSource.OfBlocks(rows, columns, encoding.Block, (first, count, toCodes, toScales, toMinima) =>
        {
            codes.AsSpan((int)first * columns, count * columns).CopyTo(toCodes);
            scales.AsSpan((int)first * blocks, count * blocks).CopyTo(toScales);
            if (encoding.HasMinimum) minima.AsSpan((int)first * blocks, count * blocks).CopyTo(toMinima);
        }), values);
    }

    public static Device Cpu { get; } = new(new Ashlar.Backends.Cpu.CpuBackend());

    public static byte[] Bytes(PackedWeight weight) => weight.Data.ToArray<byte>();
}
