using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>One product with a packed weight.</summary>
/// <param name="Weight">The weight's encoding and extents.</param>
/// <param name="Rows">Rows of the activations and of the result.</param>
/// <param name="Type">Element type of the activations: float32 or bfloat16.</param>
readonly record struct WeightCall(WeightAttributes Weight, long Rows, DType Type)
{
    /// <summary>[Rows, K], contiguous.</summary>
    public nint X { get; init; }

    /// <summary>The packed matrices.</summary>
    public nint Data { get; init; }

    /// <summary>Int32 [Rows]: which matrix each row takes; 0 for the first.</summary>
    public nint Experts { get; init; }

    /// <summary>Float32 [Rows, N], contiguous; with a gate [Rows, N / 2].</summary>
    public nint Y { get; init; }
}

/// <summary>Multiplies rows by packed weights; one call at a time.</summary>
abstract unsafe class WeightProduct
{
    /// <summary>Bytes of scratch memory that a call needs; addresses do not matter.</summary>
    public abstract long ScratchBytes(in WeightCall call, int workers);

    /// <summary>Computes the product.</summary>
    /// <param name="scratch"><see cref="ScratchBytes"/>, aligned to 128.</param>
    /// <exception cref="KernelException">A row names an expert that does not exist (ASH0646).</exception>
    public abstract void Run(in WeightCall call, Workers workers, byte* scratch);

    protected static long Aligned(long bytes) => (bytes + 127) / 128 * 128;

    /// <summary>A row of activations as float32, padded with zeros to <paramref name="padded"/>.</summary>
    protected static void Widen(in WeightCall call, long row, float* to, long padded)
    {
        long columns = call.Weight.Columns;
        if (call.Type == DType.Float32)
            new ReadOnlySpan<float>((float*)call.X + row * columns, (int)columns).CopyTo(new(to, (int)columns));
        else
        {
            ushort* from = (ushort*)call.X + row * columns;
            for (long k = 0; k < columns; k++) to[k] = BitConverter.UInt32BitsToSingle((uint)from[k] << 16);
        }
        new Span<float>(to + columns, (int)(padded - columns)).Clear();
    }
}
