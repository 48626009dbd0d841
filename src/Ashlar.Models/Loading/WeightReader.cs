using System.Runtime.InteropServices;
using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>How the weights of a model are kept.</summary>
/// <param name="Encoding">What matrices of floats become; null keeps the type of the file, float32 too.</param>
/// <param name="Progress">Told which share of the bytes is read, from 0 to 1.</param>
/// <param name="Cancellation">Stops loading.</param>
public sealed record LoadOptions(WeightEncoding? Encoding = null, IProgress<double>? Progress = null,
    CancellationToken Cancellation = default)
{
    /// <summary>Keeps packed weights in a file for the next start; null packs them each time.</summary>
    public WeightCache? Cache { get; init; }
}

/// <summary>Takes weights out of a file by name: matrices packed for products, vectors as float32. Knows what was not
/// taken.</summary>
/// <remarks>Pages of the file are given back as soon as a matrix is packed, so a model is never held twice.</remarks>
public sealed partial class WeightReader
{
    const double PackingShare = 0.7;   // of the time, where a file of packed weights is written afterwards

    readonly HashSet<string> taken = new(StringComparer.Ordinal);
    readonly LoadOptions options;
    readonly long total;
    readonly PackedCache? cache;
    readonly List<Action> pending = [];
    int packedWeights;
    long done;

    /// <summary>Reads from an open file.</summary>
    public WeightReader(WeightFile file, LoadOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        File = file;
        this.options = options ?? new();
        total = Math.Max(1, file.Entries.Sum(entry => entry.Bytes));
        if (this.options.Cache is { } wanted) cache = new(file, this.options.Encoding, wanted);
    }

    /// <summary>The file.</summary>
    public WeightFile File { get; }

    /// <summary>True where the file has a weight of this name.</summary>
    public bool Has(string name) => File.TryGet(name, out _);

    /// <summary>A weight that others read: marks it as taken.</summary>
    /// <exception cref="ModelException">It is not there, or has other extents.</exception>
    public WeightEntry Entry(string name, params ReadOnlySpan<long> extents)
    {
        if (!File.TryGet(name, out var entry))
            throw new ModelException("ASH0341", $"{File.Path} has no weight '{name}' of [{string.Join(", ", extents.ToArray())}]."
                + SimilarNames.Text(name, File.Entries.Select(other => other.Name)),
                "check that the file is whole, and that its config is that of the weights.");
        taken.Add(name);
        if (ScaledWeights.ScalesOf(File, entry) is { } scales) taken.Add(scales.Name);   // they are read with the weight
        if (!Same(entry.Extents, extents))
            throw new ModelException("ASH0342",
                $"the weight '{name}' should be [{string.Join(", ", extents.ToArray())}], but {File.Path} holds {entry}.",
                "check the config against the weights.");
        return entry;
    }

    /// <summary>A weight as float32, [extents].</summary>
    public Tensor Dense(string name, params ReadOnlySpan<long> extents) => DensePlus(0, name, extents);

    /// <summary>A weight plus a number, as float32, [extents].</summary>
    public Tensor DensePlus(float plus, string name, params ReadOnlySpan<long> extents)
    {
        float[] numbers = Numbers(name, extents);
        if (plus != 0)
            for (int i = 0; i < numbers.Length; i++) numbers[i] += plus;
        return Tensor.From<float>(numbers, Shape.Of(extents.ToArray().Select(extent => (Extent)extent)));
    }

    /// <summary>The numbers of a weight.</summary>
    /// <exception cref="ModelException">ASH0352: one of them is not finite; or the weight is missing or of other
    /// extents.</exception>
    public float[] Numbers(string name, params ReadOnlySpan<long> extents)
    {
        return Decoded(Entry(name, extents));
    }

    /// <summary>A linear layer of matrices [outputs, inputs] that lie above each other, packed as one.</summary>
    /// <param name="inputs">Numbers that come in.</param>
    /// <param name="parts">Name and outputs of each matrix.</param>
    /// <param name="bias">Names of the biases, one per matrix; empty for none.</param>
    public Projection Projection(long inputs, IReadOnlyList<(string Name, long Outputs)> parts,
        params IReadOnlyList<string> bias) =>
        Projection(inputs, parts, bias, []);

    /// <summary>A linear layer of matrices whose outputs come in another order than in the file.</summary>
    /// <param name="inputs">Numbers that come in.</param>
    /// <param name="parts">Name and outputs of each matrix.</param>
    /// <param name="bias">Names of the biases, one per matrix; empty for none.</param>
    /// <param name="orders">Of each output of each matrix, which row of the file it is; null for matrices that stay. Empty: all
    /// stay.</param>
    public Projection Projection(long inputs, IReadOnlyList<(string Name, long Outputs)> parts, IReadOnlyList<string> bias,
        IReadOnlyList<int[]?> orders)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(bias);
        ArgumentNullException.ThrowIfNull(orders);
        int[]? OrderOf(int part) => part < orders.Count ? orders[part] : null;
        var entries = parts.Select(part => Entry(part.Name, part.Outputs, inputs)).ToArray();
        Tensor? added = bias.Count == 0 ? null
            : Tensor.From<float>([.. bias.SelectMany((name, i) => Ordered(Numbers(name, parts[i].Outputs), 1, OrderOf(i)))]);
        var encodings = entries.Select(EncodingOf).ToArray();
        var matrices = new List<WeightMatrix>();
        for (int first = 0; first < entries.Length;)
        {
            int end = first + 1;
            while (end < entries.Length && encodings[end] == encodings[first]) end++;
            var alike = entries[first..end];
            int[]?[] alikeOrders = [.. Enumerable.Range(first, end - first).Select(OrderOf)];
            matrices.Add(encodings[first] is { } encoding ? new(Pack(encoding, [alike], alikeOrders))
                : new(Tensor.From<float>([.. alike.SelectMany((entry, i) => Ordered(Decoded(entry), (int)inputs,
                    alikeOrders[i]))], [alike.Sum(entry => entry.Elements) / inputs, inputs])));
            first = end;
        }
        return new(matrices, added);
    }

    /// <summary>A linear layer of a gate and of what passes it. The gate becomes part of the product
    /// (<see cref="Models.Projection.Gate"/>) where both are packed alike, and their outputs are a multiple of 16.</summary>
    /// <param name="inputs">Numbers that come in.</param>
    /// <param name="parts">Name and outputs of the gate and of what passes it, or of one matrix of both, the gate above.</param>
    /// <param name="gate">The function; null leaves it to the caller.</param>
    public Projection Gated(long inputs, IReadOnlyList<(string Name, long Outputs)> parts, WeightGate? gate)
    {
        ArgumentNullException.ThrowIfNull(parts);
        if (gate is null) return Projection(inputs, parts);
        WeightEntry[] entries = [.. parts.Select(part => Entry(part.Name, part.Outputs, inputs))];
        return EncodingOf(entries[0]) is { } encoding && CanGate([entries])
            ? new([new(Pack(encoding, [entries], isGated: true))], null, gate)
            : Projection(inputs, parts);
    }

    bool CanGate(WeightEntry[][] matrices) => matrices.All(parts =>
        parts.Sum(part => part.Elements / part.RowElements) % (2 * PackedWeight.GateSide) == 0 && parts.Length <= 2
        && parts.All(part => EncodingOf(part) == EncodingOf(parts[0]) && part.Elements == parts[0].Elements));

    /// <summary>The linear layers of experts.</summary>
    /// <param name="inputs">Numbers that come in.</param>
    /// <param name="experts">Of each expert, name and outputs of the matrices that lie above each other.</param>
    /// <param name="bias">float32[experts, outputs]; null for none.</param>
    /// <param name="gate">The first matrix of each expert is a gate of this function, which becomes part of the product where it
    /// can (<see cref="ExpertProjection.Gate"/>); null for none, or to leave it to the caller.</param>
    public ExpertProjection Experts(long inputs, IReadOnlyList<IReadOnlyList<(string Name, long Outputs)>> experts,
        Tensor? bias = null, WeightGate? gate = null)
    {
        ArgumentNullException.ThrowIfNull(experts);
        WeightEntry[][] entries =
            [.. experts.Select(parts => parts.Select(part => Entry(part.Name, part.Outputs, inputs)).ToArray())];
        return Experts(entries, inputs, bias, gate);
    }

    internal ExpertProjection Experts(WeightEntry[][] entries, long inputs, Tensor? bias, WeightGate? gate = null)
    {
        long outputs = entries[0].Sum(entry => entry.Elements / inputs);
        var first = entries[0][0];
        if (entries.SelectMany(parts => parts).FirstOrDefault(entry => EncodingOf(entry) != EncodingOf(first)) is { } other)
            throw new ModelException("ASH0366",
                $"{File.Path} keeps '{first.Name}' as {first.Type.Name} and '{other.Name}' as {other.Type.Name}, but what experts multiply at once is of one type.",
                "quantise the gates and the ups of all experts of a layer alike.");
        if (EncodingOf(first) is { } encoding)
            return gate is not null && bias is null && CanGate(entries)
                ? new(Pack(encoding, entries, isGated: true), null, null, gate)
                : new(Pack(encoding, entries), null, bias);
        float[] all = [.. entries.SelectMany(parts => parts.SelectMany(Decoded))];
        return new(null, Tensor.From<float>(all, [entries.Length, outputs, inputs]), bias);
    }

    /// <summary>Matrices of all experts that the file keeps as one weight [experts, outputs, inputs]: that of one of
    /// them.</summary>
    public static WeightEntry Slice(WeightEntry stacked, int expert)
    {
        ArgumentNullException.ThrowIfNull(stacked);
        long bytes = stacked.Bytes / stacked.Extents[0];
        return stacked with
        {
            Extents = stacked.Extents.Skip(1).ToValueList(),
            Offset = stacked.Offset + expert * bytes,
            Bytes = bytes,
        };
    }

    /// <summary>Weights that are known and not needed.</summary>
    public void Skip(Func<string, bool> isSkipped)
    {
        ArgumentNullException.ThrowIfNull(isSkipped);
        foreach (var entry in File.Entries)
            if (isSkipped(entry.Name)) taken.Add(entry.Name);
    }

    /// <summary>Fails where the file has weights that nothing took: it is of another model.</summary>
    /// <exception cref="ModelException">ASH0343: it has.</exception>
    public void ThrowIfUnused()
    {
        string[] unused = [.. File.Entries.Select(entry => entry.Name).Where(name => !taken.Contains(name))];
        if (unused.Length == 0) return;
        throw new ModelException("ASH0343",
            $"{File.Path} holds {string.Join(", ", unused.Take(3).Select(name => $"'{name}'"))}{(unused.Length > 3 ? $" and {unused.Length - 3} more" : "")}, which the model does not use.",
            "check that the config is that of the weights; the model may need a newer version of Ashlar.");
    }

    /// <summary>How a matrix is packed; null keeps float32.</summary>
    WeightEncoding? EncodingOf(WeightEntry entry) => entry.Type switch
    {
        WeightType.F32 or WeightType.F64 => options.Encoding,
        WeightType.BF16 => options.Encoding ?? WeightEncoding.BF16,
        WeightType.F16 => options.Encoding ?? WeightEncoding.F16,
        WeightType.F8E4M3 or WeightType.F8E5M2 => options.Encoding ?? WeightEncoding.BF16,
        _ => BlockPacking.EncodingOf(BlockCodec.Of(entry.Type)),
    };

    // The bytes come when Finish is called; what is wrong with names and extents is found before any of them is packed.
    PackedWeight Pack(WeightEncoding encoding, WeightEntry[][] experts, int[]?[]? orders = null, bool isGated = false)
    {
        long columns = experts[0][0].RowElements, rows = experts[0].Sum(entry => entry.Elements / columns);
        string name =
            string.Join('+',
                experts.SelectMany((parts, expert) => parts.Select((entry, i) =>
                    expert == 0 ? entry.Name + (orders?[i] is null ? "" : "*") : "")).Where(part => part.Length > 0)) + (isGated ? "|gated" : "");
        return Kept(name, encoding, rows, columns, experts.Length, experts.SelectMany(parts => parts), () =>
        {
            var weight = PackedWeight.Reserve(encoding, rows, columns, experts.Length);
            pending.Add(() =>
            {
                var progress = options.Progress is null ? null : new RowProgress(this, experts);
                weight.Fill([.. experts.Select(parts => isGated ? [GatedSource(parts)]
                    : (IReadOnlyList<WeightSource>)[.. parts.Select((entry, i) => orders?[i] is { } order
                        ? Source(entry).InOrder(order)
                        : Source(entry))])],
                    progress, options.Cancellation);
                foreach (var entry in experts.SelectMany(parts => parts))
                {
                    File.Release(entry);
                    Report(entry);
                }
            });
            return weight;
        });
    }

    // A packed weight out of the file that keeps them, or made anew.
    PackedWeight Kept(string name, WeightEncoding encoding, long rows, long columns, long count, IEnumerable<WeightEntry> entries,
        Func<PackedWeight> make)
    {
        if (cache is null) return make();
        string key = $"{packedWeights++}:{name}";
        if (cache.Find(key, encoding, rows, columns, count) is { } found)
        {
            foreach (var entry in entries) Report(entry);
            return found;
        }
        var made = make();
        cache.Keep(key, made);
        return made;
    }

    /// <summary>Packs what was asked for, and keeps it in a file where that is wanted. Until then weights have memory, but no
    /// content.</summary>
    /// <returns>False where the file of packed weights turned out to be damaged: the model is to be opened anew, without
    /// it.</returns>
    /// <exception cref="ModelFileException">A weight holds what is no number (ASH0648).</exception>
    public bool Finish()
    {
        if (cache?.IsWhole() == false)
        {
            cache.Close();
            return false;
        }
        foreach (var pack in pending) pack();
        pending.Clear();
        cache?.Save(share => options.Progress?.Report(PackingShare + (1 - PackingShare) * share));
        cache?.Close();
        options.Progress?.Report(1);
        return true;
    }

    static float[] Ordered(float[] numbers, int width, int[]? order)
    {
        if (order is null) return numbers;
        var ordered = new float[numbers.Length];
        for (int row = 0; row < order.Length; row++)
            numbers.AsSpan(order[row] * width, width).CopyTo(ordered.AsSpan(row * width));
        return ordered;
    }

    WeightSource Source(WeightEntry entry)
    {
        long columns = entry.RowElements, rows = entry.Elements / columns;
        if (entry.Type.IsBlock) return BlockPacking.Source(File, entry);
        if (entry.Type.DType is { } dtype and (DType.Float32 or DType.Float16 or DType.BFloat16) && entry.Bytes <= int.MaxValue)
            return WeightSource.Of(File.Bytes(entry), dtype, rows, columns);
        return WeightSource.Of(MemoryMarshal.AsBytes<float>(Decoded(entry)).ToArray(), DType.Float32, rows, columns);
    }

    WeightSource GatedSource(WeightEntry[] parts)
    {
        if (parts.Length == 2) return WeightSource.Gated(Source(parts[0]), Source(parts[1]));
        var both = Source(parts[0]);
        const int tile = PackedWeight.GateSide;
        int rows = (int)both.Rows;
        return both.InOrder([.. Enumerable.Range(0, rows).Select(row =>
            row / tile % 2 * (rows / 2) + row / (2 * tile) * tile + row % tile)]);
    }

    float[] Decoded(WeightEntry entry)
    {
        float[] numbers = ScaledWeights.Decode(File, entry);
        foreach (float number in numbers)
            if (!float.IsFinite(number))
                throw new ModelException("ASH0352", $"the weight '{entry.Name}' of {File.Path} holds {number}.",
                    "the file is damaged, or its training went wrong: download it again, or take another one.");
        Report(entry);
        return numbers;
    }

    void Report(WeightEntry entry)
    {
        done += entry.Bytes;
        Report(done);
        options.Cancellation.ThrowIfCancellationRequested();
    }

    void Report(double bytes) =>
        options.Progress?.Report(Math.Min(1, bytes / total) * (cache is { IsMissing: true } ? PackingShare : 1));

    static bool Same(ValueList<long> extents, ReadOnlySpan<long> wanted)
    {
        // GGUF drops leading extents of 1.
        if (extents.Count != wanted.Length) return false;
        for (int i = 0; i < wanted.Length; i++)
            if (extents[i] != wanted[i]) return false;
        return true;
    }

    // Rows of a matrix that is being packed, as a share of the file.
    sealed class RowProgress(WeightReader owner, WeightEntry[][] experts) : IProgress<long>
    {
        readonly long rows = experts.Sum(parts => parts.Sum(entry => entry.Elements / entry.RowElements));
        readonly long bytes = experts.Sum(parts => parts.Sum(entry => entry.Bytes));

        public void Report(long value) => owner.Report(owner.done + (double)bytes * value / rows);
    }
}
