using System.Runtime.Intrinsics;
using System.Text.RegularExpressions;

namespace Ashlar.Formats;

/// <summary>How far the values of a weight are from what they were.</summary>
/// <param name="Name">The weight.</param>
/// <param name="From">What it was.</param>
/// <param name="To">What it became.</param>
/// <param name="Elements">How many elements it has.</param>
/// <param name="Bytes">How many bytes it takes now.</param>
/// <param name="RootMeanSquare">The root of the mean squared difference.</param>
/// <param name="Greatest">The greatest difference.</param>
/// <param name="Relative">The root mean square of the differences over that of the values; 0 where all values are zero.</param>
public sealed record QuantizationError(string Name, WeightType From, WeightType To, long Elements, long Bytes,
    double RootMeanSquare, double Greatest, double Relative)
{
    /// <summary>The ratio of signal to noise in decibels; infinite where nothing changed.</summary>
    public double Decibels => Relative == 0 ? double.PositiveInfinity : -20 * Math.Log10(Relative);
}

/// <summary>Which weights become which type, and how: a model in fewer bits.</summary>
/// <param name="To">The type of the matrices.</param>
/// <param name="Keep">Types of weights by a pattern of their names, with * and ?; the first that fits wins over all other
/// rules.</param>
public sealed record Quantization(WeightType To, IReadOnlyList<(string Pattern, WeightType Type)> Keep)
{
    /// <summary>Rows are worked on in pieces of about so many elements: 4 MiB of float32.</summary>
    const int PieceElements = 1 << 20;

    static readonly Dictionary<string, WeightType> names = new(StringComparer.OrdinalIgnoreCase)
    {
        ["int8"] = WeightType.Q8_0,
        ["int4"] = WeightType.Q4_0,
    };

    /// <summary>The names of <see cref="Parse"/>.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. BlockCodec.Types.Where(type => type != WeightType.Q8_K && BlockCodec.Of(type).CanEncode).Select(type => type.Name),
            .. names.Keys];

    /// <summary>The type of a name: one that can be encoded, or <c>int8</c> (q8_0) and <c>int4</c> (q4_0).</summary>
    /// <exception cref="ModelFileException">There is no such type, or nothing encodes it.</exception>
    public static WeightType Parse(string name) =>
        names.TryGetValue(name, out var plain) ? plain
        : Names.Contains(name, StringComparer.OrdinalIgnoreCase) ? WeightTypes.Parse(name)!.Value
        : throw new ModelFileException("ASH0466", $"'{name}' is no type to quantise to. There are: {string.Join(", ", Names)}.",
            "choose one of these types.");

    /// <summary>The type that a weight gets.</summary>
    /// <remarks>
    /// As llama.cpp does: norms, biases, routers of experts and other small weights stay float32; embeddings and the output
    /// matrix get at least
    /// 6 bits, because every token passes them; rows that are no whole number of blocks get the nearest type of smaller blocks.
    /// </remarks>
    public WeightType TypeOf(WeightEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        foreach (var (pattern, type) in Keep)
            if (Fits(pattern, entry.Name)) return type;
        if (!BlockCodec.TryOf(entry.Type, out _) || IsInteger(entry.Type)) return entry.Type;
        if (entry.Extents.Count < 2 || IsSmall(entry.Name)) return entry.Type == WeightType.F64 ? WeightType.F32
            : IsFloat(entry.Type) ? WeightType.F32 : entry.Type;
        var wanted = To;
        if (IsEmbeddingOrOutput(entry.Name) && To.IsBlock && To.BitsPerElement < 6.5)
            wanted = WeightType.Q6_K;
        while (entry.RowElements % wanted.BlockElements != 0) wanted = Smaller(wanted);
        return wanted;
    }

    /// <summary>Every weight of a model in its new type, encoded when it is written: nothing of it is held before or
    /// after.</summary>
    /// <param name="file">Stays open until all are written.</param>
    /// <param name="report">Told of each weight that was changed, in order.</param>
    /// <param name="progress">Told of the bytes of the old weights that are done.</param>
    /// <param name="source">What errors call the model; null: its path.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    public IEnumerable<NamedWeight> Apply(WeightFile file, Action<QuantizationError>? report = null,
        IProgress<long>? progress = null, string? source = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(file);
        long done = 0;
        foreach (var entry in file.Entries)
        {
            var type = TypeOf(entry);
            if (type == entry.Type)
            {
                var copy = NamedWeight.Copy(file, entry);
                yield return copy with
                {
                    Write = stream =>
                    {
                        copy.Write(stream);
                        progress?.Report(done += entry.Bytes);
                    },
                };
                continue;
            }
            yield return new(entry.Name, type, entry.Extents, stream =>
            {
                long before = done;
                var error = Convert(file, entry, type, stream, bytes => progress?.Report(done = before + bytes),
                    source ?? file.Path, cancellation);
                report?.Invoke(error);
                file.Release(entry);
            });
        }
    }

    static QuantizationError Convert(WeightFile file, WeightEntry entry, WeightType type, Stream stream, Action<long> progress,
        string source, CancellationToken cancellation)
    {
        var (from, to) = (BlockCodec.Of(entry.Type), BlockCodec.Of(type));
        int unit = Math.Max(from.Elements, to.Elements);
        int lanes = Environment.ProcessorCount;
        int elements = (int)Math.Min(Math.Max(unit, PieceElements / unit * unit), entry.Elements);
        float[] values = new float[elements], back = new float[elements];
        byte[] blocks = new byte[(long)elements / to.Elements * to.Bytes];
        double square = 0, signal = 0, greatest = 0;
        for (long start = 0; start < entry.Elements; start += elements)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = (int)Math.Min(elements, entry.Elements - start);
            var raw = file.Bytes(entry, start / from.Elements * from.Bytes, count / from.Elements * from.Bytes);
            int slice = (count / unit + lanes - 1) / lanes * unit;
            var sums = new (double Square, double Signal, double Greatest, bool Finite)[lanes];
            Parallel.For(0, lanes, lane =>
            {
                int first = lane * slice, length = Math.Min(slice, count - first);
                if (length <= 0)
                {
                    sums[lane].Finite = true;
                    return;
                }
                var x = values.AsSpan(first, length);
                var y = back.AsSpan(first, length);
                var packed = blocks.AsSpan(first / to.Elements * to.Bytes, length / to.Elements * to.Bytes);
                from.Decode(raw.Span.Slice(first / from.Elements * from.Bytes, length / from.Elements * from.Bytes), x);
                if (!(sums[lane].Finite = AreFinite(x))) return;
                to.Encode(x, packed);
                to.Decode(packed, y);
                sums[lane] = Differences(x, y);
            });
            foreach (var sum in sums)
            {
                if (!sum.Finite)
                    throw new ModelFileException("ASH0466",
                        $"'{entry.Name}' of {source} holds values that are not finite.",
                            "take the model from elsewhere; these weights cannot be used.");
                square += sum.Square;
                signal += sum.Signal;
                greatest = Math.Max(greatest, sum.Greatest);
            }
            stream.Write(blocks, 0, (int)((long)count / to.Elements * to.Bytes));
            progress((start + count) / from.Elements * from.Bytes);
        }
        return new(entry.Name, entry.Type, type, entry.Elements, entry.Elements / to.Elements * to.Bytes,
            Math.Sqrt(square / Math.Max(1, entry.Elements)), greatest, signal == 0 ? 0 : Math.Sqrt(square / signal));
    }

    static bool AreFinite(ReadOnlySpan<float> values)
    {
        var exponent = Vector256.Create(0x7f800000);
        int i = 0;
        for (; i + 8 <= values.Length; i += 8)
            if (Vector256.EqualsAny(Vector256.Create(values[i..]).AsInt32() & exponent, exponent)) return false;
        for (; i < values.Length; i++)
            if (!float.IsFinite(values[i])) return false;
        return true;
    }

    static (double Square, double Signal, double Greatest, bool Finite) Differences(ReadOnlySpan<float> x, ReadOnlySpan<float> y)
    {
        Vector256<double> squares = default, signals = default;
        Vector256<float> most = default;
        int i = 0;
        for (; i + 8 <= x.Length; i += 8)
        {
            var value = Vector256.Create(x[i..]);
            var difference = value - Vector256.Create(y[i..]);
            most = Vector256.Max(most, Vector256.Abs(difference));
            var (low, high) = Vector256.Widen(difference);
            squares += low * low + high * high;
            (low, high) = Vector256.Widen(value);
            signals += low * low + high * high;
        }
        double square = Vector256.Sum(squares), signal = Vector256.Sum(signals), greatest = 0;
        for (int lane = 0; lane < 8; lane++) greatest = Math.Max(greatest, most[lane]);
        for (; i < x.Length; i++)
        {
            double difference = x[i] - (double)y[i];
            square += difference * difference;
            signal += (double)x[i] * x[i];
            greatest = Math.Max(greatest, Math.Abs(difference));
        }
        return (square, signal, greatest, double.IsFinite(square));
    }

    static bool Fits(string pattern, string name) =>
        Regex.IsMatch(name,
            $"^{Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal)}$",
            RegexOptions.Singleline | RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    static bool IsFloat(WeightType type) => type is WeightType.F32 or WeightType.F16 or WeightType.BF16 or WeightType.F64;

    static bool IsInteger(WeightType type) => type is >= WeightType.Bool and <= WeightType.I64;

    internal static bool IsSmall(string name) =>
        name.EndsWith(".bias", StringComparison.Ordinal) || name.Contains("norm", StringComparison.Ordinal)
            || name.Contains("ffn_gate_inp", StringComparison.Ordinal)
        || name.StartsWith("rope_", StringComparison.Ordinal) || name is "position_embd.weight" or "token_types.weight";

    static bool IsEmbeddingOrOutput(string name) => name is "token_embd.weight" or "output.weight";

    static WeightType Smaller(WeightType type) => type switch
    {
        WeightType.Q2_K or WeightType.Q3_K or WeightType.IQ4_XS => WeightType.IQ4_NL,
        WeightType.Q4_K => WeightType.Q5_0,
        WeightType.Q5_K => WeightType.Q5_1,
        WeightType.Q6_K => WeightType.Q8_0,
        _ => WeightType.F16,
    };
}
