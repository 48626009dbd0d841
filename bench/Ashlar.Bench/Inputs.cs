using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Bench;

/// <summary>Buffers for a function: parameters with finite random numbers, the same ones each time, and room for
/// results.</summary>
public static class Inputs
{
    // Longer than any cache line pattern, shorter than what takes noticeable time to draw; repeated to the end of a buffer.
    const int BlockElements = (1 << 16) + 17;

    /// <summary>One filled buffer per parameter.</summary>
    /// <param name="backend">Whose memory.</param>
    /// <param name="function">All extents are numbers.</param>
    /// <param name="classes">Integers are drawn from 0 up to this.</param>
    /// <param name="positive">Parameters whose numbers must not be negative, such as squares.</param>
    public static Buffer[] For(IBackend backend, Function function, int classes = 1, params IReadOnlyCollection<int> positive) =>
        [.. function.Parameters.Select((parameter, i) => Filled(backend, parameter, seed: i, classes, positive.Contains(i)))];

    /// <summary>A filled buffer for a parameter.</summary>
    public static Buffer Filled(IBackend backend, Node parameter, int seed, int classes = 1, bool positive = false)
    {
        long elements = parameter.Shape.Elements.Value;
        var buffer = backend.Allocate(elements * parameter.DType.Bytes);
        var random = new Random(seed);
        if (parameter.DType == DType.Float32)
            Fill(buffer, elements, () => positive ? random.NextSingle() : 2 * random.NextSingle() - 1);
        else if (parameter.DType == DType.Int32) Fill(buffer, elements, () => random.Next(classes));
        else if (parameter.DType == DType.BFloat16) Fill(buffer, elements, () => (BFloat16)(2 * random.NextSingle() - 1));
        else if (parameter.DType == DType.Int8) Fill(buffer, elements, () => (sbyte)random.Next(-127, 128));
        else throw new NotSupportedException($"benchmarks have no inputs of type {parameter.DType.Name}");
        return buffer;
    }

    /// <summary>A buffer per result; for a donated one the parameter's own.</summary>
    public static Buffer[] Results(IBackend backend, Function function, Buffer[] inputs,
        ValueList<(int Result, int Parameter)>? donations)
    {
        var outputs = new Buffer[function.Results.Count];
        foreach (var (result, parameter) in donations ?? []) outputs[result] = inputs[parameter];
        for (int i = 0; i < outputs.Length; i++)
            outputs[i] ??= backend.Allocate(function.Results[i].Shape.Elements.Value * function.Results[i].DType.Bytes);
        return outputs;
    }

    static void Fill<T>(Buffer buffer, long elements, Func<T> draw) where T : unmanaged
    {
        var block = new T[Math.Min(BlockElements, elements)];
        for (int i = 0; i < block.Length; i++) block[i] = draw();
        for (long start = 0; start < elements; start += block.Length)
        {
            int count = (int)Math.Min(block.Length, elements - start);
            block.AsSpan(0, count).CopyTo(buffer.Span<T>(start, count));
        }
    }
}
