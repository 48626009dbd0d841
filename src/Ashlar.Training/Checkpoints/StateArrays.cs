using Ashlar.Formats;

namespace Ashlar.Training;

/// <summary>States as arrays of files, bit for bit, whatever their element type.</summary>
public static class StateArrays
{
    /// <summary>What a state holds, to be written.</summary>
    /// <param name="name">Its name in the file.</param>
    /// <param name="state">Read when the file is written.</param>
    public static NamedArray Array(string name, State state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return new(name, state.DType, state.Shape, stream =>
        {
            switch (state.DType)
            {
                case DType.Float32: Write<float>(stream, state.Value); break;
                case DType.Float64: Write<double>(stream, state.Value); break;
                case DType.Float16: Write<Half>(stream, state.Value); break;
                case DType.BFloat16: Write<BFloat16>(stream, state.Value); break;
                case DType.Int8: Write<sbyte>(stream, state.Value); break;
                case DType.Int16: Write<short>(stream, state.Value); break;
                case DType.Int32: Write<int>(stream, state.Value); break;
                case DType.Int64: Write<long>(stream, state.Value); break;
                case DType.UInt8: Write<byte>(stream, state.Value); break;
                default: Write<bool>(stream, state.Value); break;
            }
        });
    }

    /// <summary>An array of a file as a tensor of its own memory: the file may be replaced or closed then.</summary>
    public static Tensor Read(Safetensors file, ArrayEntry entry)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(entry);
        return entry.DType switch
        {
            DType.Float32 => Tensor.From(file.Elements<float>(entry.Name).Span, entry.Shape),
            DType.Float64 => Tensor.From(file.Elements<double>(entry.Name).Span, entry.Shape),
            DType.Float16 => Tensor.From(file.Elements<Half>(entry.Name).Span, entry.Shape),
            DType.BFloat16 => Tensor.From(file.Elements<BFloat16>(entry.Name).Span, entry.Shape),
            DType.Int8 => Tensor.From(file.Elements<sbyte>(entry.Name).Span, entry.Shape),
            DType.Int16 => Tensor.From(file.Elements<short>(entry.Name).Span, entry.Shape),
            DType.Int32 => Tensor.From(file.Elements<int>(entry.Name).Span, entry.Shape),
            DType.Int64 => Tensor.From(file.Elements<long>(entry.Name).Span, entry.Shape),
            DType.UInt8 => Tensor.From(file.Elements<byte>(entry.Name).Span, entry.Shape),
            _ => Tensor.From(file.Elements<bool>(entry.Name).Span, entry.Shape),
        };
    }

    static void Write<T>(Stream stream, Tensor value) where T : unmanaged => value.Read((ReadOnlySpan<T> elements) =>
    {
        NamedArray.WriteElements(stream, elements);
        return 0;
    });
}
