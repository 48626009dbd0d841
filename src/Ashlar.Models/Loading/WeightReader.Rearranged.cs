using System.Runtime.InteropServices;
using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>Writes a row of a matrix: the inputs of one output.</summary>
/// <param name="numbers">A weight of the file.</param>
/// <param name="matrix">Which of several matrices.</param>
/// <param name="output">Which row.</param>
/// <param name="row">[inputs]</param>
delegate void MatrixRow(ReadOnlySpan<float> numbers, int matrix, int output, Span<float> row);

// Matrices that files keep in another order than [outputs, inputs].
public sealed partial class WeightReader
{
    /// <summary>A linear layer whose matrix lies otherwise in the file.</summary>
    internal Projection Rearranged(WeightEntry entry, int outputs, int inputs, MatrixRow row, Tensor? bias = null)
    {
        if (EncodingOf(entry) is not { } encoding)
            return new([new(Tensor.From<float>(Matrices([entry], 1, outputs, inputs, row), [outputs, inputs]))], bias);
        return new([new(Kept(entry.Name, encoding, outputs, inputs, 1, [entry],
            () => PackedWeight.Pack(encoding, Source(Matrices([entry], 1, outputs, inputs, row), 0, outputs, inputs), null,
                options.Cancellation)))], bias);
    }

    /// <summary>Linear layers of experts, or of heads, whose matrices lie otherwise in the file.</summary>
    /// <param name="entries">One weight per matrix, or one for all.</param>
    /// <param name="count">Matrices.</param>
    /// <param name="outputs">Of each.</param>
    /// <param name="inputs">Of each.</param>
    /// <param name="row">Writes a row.</param>
    /// <param name="bias">float32[count, outputs]; null for none.</param>
    internal ExpertProjection Rearranged(IReadOnlyList<WeightEntry> entries, int count, int outputs, int inputs, MatrixRow row,
        Tensor? bias = null)
    {
        if (EncodingOf(entries[0]) is not { } encoding)
            return new(null, Tensor.From<float>(Matrices(entries, count, outputs, inputs, row), [count, outputs, inputs]), bias);
        return new(Kept(entries[0].Name, encoding, outputs, inputs, count, entries, () =>
        {
            float[] matrices = Matrices(entries, count, outputs, inputs, row);
            return PackedWeight.PackExperts(encoding,
                [.. Enumerable.Range(0, count).Select(i => (IReadOnlyList<WeightSource>)[Source(matrices, i, outputs, inputs)])],
                null, options.Cancellation);
        }), null, bias);
    }

    /// <summary>Linear layers of experts whose blocks others take apart.</summary>
    internal ExpertProjection Packed(IReadOnlyList<WeightEntry> entries, WeightEncoding encoding,
        IReadOnlyList<WeightSource> experts, Tensor? bias)
    {
        var weight = Kept(entries[0].Name, encoding, experts[0].Rows, experts[0].Columns, experts.Count, entries, () =>
        {
            var packed = PackedWeight.PackExperts(encoding, [.. experts.Select(source => (IReadOnlyList<WeightSource>)[source])],
                null, options.Cancellation);
            foreach (var entry in entries)
            {
                File.Release(entry);
                Report(entry);
            }
            return packed;
        });
        return new(weight, null, bias);
    }

    float[] Matrices(IReadOnlyList<WeightEntry> entries, int count, int outputs, int inputs, MatrixRow row)
    {
        var matrices = new float[checked(count * outputs * inputs)];
        float[] numbers = [];
        for (int matrix = 0; matrix < count; matrix++)
        {
            if (matrix < entries.Count)
            {
                numbers = Decoded(entries[matrix]);
                File.Release(entries[matrix]);
            }
            for (int output = 0; output < outputs; output++)
                row(numbers, matrix, output, matrices.AsSpan((matrix * outputs + output) * inputs, inputs));
        }
        return matrices;
    }

    static WeightSource Source(float[] matrices, int index, int outputs, int inputs) => WeightSource.Of(
        MemoryMarshal.AsBytes(matrices.AsSpan(index * outputs * inputs, outputs * inputs)).ToArray(), DType.Float32,
        outputs, inputs);
}
