using System.Globalization;
using System.Text.RegularExpressions;

namespace Ashlar.Formats;

/// <summary>A folder in the Hugging Face layout as a GGUF file.</summary>
static class FolderToGguf
{
    /// <summary>The weights that one weight of GGUF is made of: one, or one for each expert.</summary>
    sealed record Found(TensorRule Rule, long Layer, SortedDictionary<long, WeightEntry> Experts);

    public static ConversionResult Convert(
        SafetensorsFolder file, string to, WeightType? type, long? partBytes, IProgress<double>? progress,
            CancellationToken cancellation)
    {
        var json = ModelJson.Read(file.Folder, "config.json") ?? throw new ModelFileException("ASH0463",
            $"{file.Folder} has no config.json, which says what its weights are.", "download the folder of the model whole.");
        var config = new ModelConfig(json, Path.Combine(file.Folder, "config.json"));
        var architecture = Architecture.All.FirstOrDefault(one =>
            one.Classes.Contains(config.Class)) ?? throw ModelConfig.Unknown(file.Path, config.Class);
        config.Check(architecture);
        var notes = new List<string>();
        var metadata = new GgufMetadata();
        GgufMetadataOfModel.Add(metadata, config, architecture, file.Folder);
        TokenizerMetadata.Add(metadata, file.Folder, config, architecture, notes);
        NamedWeight[] weights = [.. Find(file, architecture, config, notes).SelectMany(found => Make(file, found, config, type)),
            .. RopeFactors.Of(config, architecture.Gguf)];
        var kind = weights.GroupBy(weight => weight.Type)
            .MaxBy(group => group.Sum(weight => weight.Bytes))?.Key ?? WeightType.F32;
        metadata.SetInt("general.file_type",
            kind switch { WeightType.F32 => 0, WeightType.F16 => 1, WeightType.MXFP4 => 38, _ => 32 });
        Gguf.Write(to, metadata, ModelConversion.Counted(weights, progress, cancellation), partBytes);
        string[] files = [.. WeightFilesOf(to)];
        return new(architecture.Gguf, weights.Length, weights.Sum(weight => weight.Bytes), files, notes);
    }

    static IEnumerable<string> WeightFilesOf(string to)
    {
        using var written = Gguf.Open(File.Exists(to) ? to
            : Directory.EnumerateFiles(Path.GetDirectoryName(Path.GetFullPath(to))!,
            $"{Path.GetFileNameWithoutExtension(to)}-00001-of-*.gguf").Order(StringComparer.Ordinal).Last());
        return written.Parts;
    }

    /// <summary>Every weight of the file by its rule, in the order of layers; nothing is passed over in silence.</summary>
    static List<Found> Find(SafetensorsFolder file, Architecture architecture, ModelConfig config, List<string> notes)
    {
        (TensorRule Rule, Regex Pattern)[] rules = [.. architecture.Tensors.Select(rule =>
            (rule, ModelConversion.Pattern(rule.Folder)))];
        long layers = config.Int(architecture.Config.First(rule => rule.Gguf == "block_count").Folder);
        var found = new Dictionary<(TensorRule, long), Found>();
        int unused = 0, further = 0;
        foreach (var entry in file.Entries)
        {
            string name = entry.Name;
            foreach (string prefix in architecture.Prefixes ?? [])
                if (name.StartsWith(prefix, StringComparison.Ordinal)) name = name[prefix.Length..];
            if (IsPartOfAnother(file, entry.Name)) continue;
            if ((architecture.Unused ?? [])
                .Any(part => name.StartsWith(part, StringComparison.Ordinal) || name.EndsWith(part, StringComparison.Ordinal)))
            {
                unused++;
                continue;
            }
            if (architecture.Gguf == "deepseek2" && Regex.Match(name,
                @"^model\.layers\.([0-9]{1,6})\.") is { Success: true } layer
                && long.Parse(layer.Groups[1].ValueSpan, CultureInfo.InvariantCulture) >= layers)
            {
                further++;
                continue;
            }
            var (rule, match) = rules.Select(pair => (pair.Rule, Match: pair.Pattern.Match(name)))
                .FirstOrDefault(pair => pair.Match.Success);
            if (rule is null)
                throw new ModelFileException("ASH0464",
                    $"{file.Path}: the weight '{entry.Name}' has no place in {architecture.Gguf} files.{SimilarNames.Text(name, architecture.Tensors.Select(other => other.Folder))}",
                    "convert the model with the program of its makers.");
            long l = match.Groups["l"].Success ? long.Parse(match.Groups["l"].ValueSpan, CultureInfo.InvariantCulture) : -1;
            long e = match.Groups["e"].Success ? long.Parse(match.Groups["e"].ValueSpan, CultureInfo.InvariantCulture) : 0;
            if (l >= layers) throw new ModelFileException("ASH0464",
                $"{file.Path}: '{entry.Name}' is of a layer beyond the {layers} of config.json.", "download the folder again.");
            if (!found.TryGetValue((rule, l), out var one)) found[(rule, l)] = one = new(rule, l, []);
            if (!one.Experts.TryAdd(e, entry)) throw new ModelFileException("ASH0464",
                $"{file.Path}: '{entry.Name}' is there twice, with and without a prefix.", "download the folder again.");
        }
        if (unused > 0) notes.Add($"left out: {unused} weights that are published with the model and not used by it");
        if (further > 0) notes.Add($"left out: {further} weights of the layers that predict tokens after the next");
        foreach (var one in found.Values)
            if (one.Experts.Keys.Last() != one.Experts.Count - 1)
                throw new ModelFileException("ASH0464",
                    $"{file.Path}: of {ModelConversion.Fill(one.Rule.Folder, one.Layer)} there are {one.Experts.Count} experts, but the last has the number {one.Experts.Keys.Last()}.", "download the folder again.");
        return [.. found.Values.OrderBy(one => one.Layer).ThenBy(one => Array.IndexOf(architecture.Tensors, one.Rule))];
    }

    // Scales that stand beside the weight that they scale are read with it.
    static bool IsPartOfAnother(SafetensorsFolder file, string name) =>
        ScaledWeights.IsScales(file, name) || name.EndsWith("_scales", StringComparison.Ordinal)
            && file.TryGet($"{name[..^"_scales".Length]}_blocks", out _);

    static IEnumerable<NamedWeight> Make(SafetensorsFolder file, Found found, ModelConfig config, WeightType? wanted)
    {
        var first = found.Experts[0];
        string name = ModelConversion.Fill(found.Rule.Gguf, found.Layer);
        ValueList<long> extents = found.Rule.Folder.Contains("{e}", StringComparison.Ordinal)
            ? [found.Experts.Count, .. first.Extents] : first.Extents;
        if (found.Experts.Values.FirstOrDefault(entry =>
            !entry.Extents.Equals(first.Extents) || entry.Type != first.Type) is { } odd)
            throw new ModelFileException("ASH0464", $"{file.Path}: {odd} is unlike {first}, which it is stacked with.",
                "download the folder again.");
        var type = TypeOf(name, extents, first.Type, wanted);
        long rows = first.Elements / Math.Max(1, first.RowElements);
        RowSource.Place Row(long row) => new(found.Experts[row / rows], row % rows);
        switch (found.Rule.Change)
        {
            case TensorChange.RotaryQueries or TensorChange.RotaryKeys:
                long width = config.HeadWidth;
                if (width % 2 != 0 || first.Extents[0] % width != 0)
                    throw new ModelFileException("ASH0464", $"{file.Path}: {first} is no whole number of heads of {width}.",
                        "check config.json.");
                if (first.Extents.Count > 1) return [RowSource.Gather(file, name, type, extents,
                    row => new(first, ModelConversion.RotaryRow(row, width)))];
                return [RowSource.Compute(name, type, extents, () =>
                {
                    float[] values = RowSource.Values(file, first);
                    return [.. Enumerable.Range(0, values.Length).Select(i => values[ModelConversion.RotaryRow(i, width)])];
                })];
            case TensorChange.PlusOne:
                return [RowSource.Gather(file, name, type, extents, Row, plus: 1)];
            case TensorChange.Transposed:
                return [RowSource.Compute(name, type, [extents[1], extents[0]],
                    () => ModelConversion.Transpose(RowSource.Values(file, first), extents[0], extents[1]))];
            case TensorChange.Squeezed:
                return [RowSource.Gather(file, name, WeightType.F32, [extents[^1]], Row)];
            case TensorChange.LatentKeysAndValues:
                return Latent(file, found, config, wanted);
            case TensorChange.GateAndUpBlocks:
                return [Blocks(file, first, name, 2, 0),
                    Blocks(file, first, name.Replace("gate", "up", StringComparison.Ordinal), 2, 1)];
            case TensorChange.DownBlocks:
                return [Blocks(file, first, name, 1, 0)];
            case TensorChange.GateAndUpBiases:
                return [Turn(file, first, name, 0), Turn(file, first, name.Replace("gate", "up", StringComparison.Ordinal), 1)];
            default:
                return first.Extents.Count == 0 || ScaledWeights.ScalesOf(file, first) is not null
                    ? [RowSource.Compute(name, type, extents, () =>
                        [.. found.Experts.Values.SelectMany(entry => ScaledWeights.Decode(file, entry))])]
                    : [RowSource.Gather(file, name, type, extents, Row)];
        }
    }

    /// <summary>As llama.cpp has it: vectors and small matrices in float32.</summary>
    static WeightType TypeOf(string name, ValueList<long> extents, WeightType source, WeightType? wanted) =>
        extents.Count < 2 || Quantization.IsSmall(name) ? WeightType.F32
        : wanted ?? source switch
        {
            WeightType.F32 or WeightType.F16 or WeightType.BF16 => source,
            WeightType.F64 => WeightType.F32,
            _ => WeightType.BF16,
        };

    /// <summary>Keys' part of each head transposed, values' part as it is (the absorbed form of DeepSeek-V2,
    /// arXiv:2405.04434).</summary>
    static NamedWeight[] Latent(SafetensorsFolder file, Found found, ModelConfig config, WeightType? wanted)
    {
        var entry = found.Experts[0];
        long heads = config.Int("num_attention_heads"), plain = config.Int("qk_nope_head_dim"), wide = config.Int("v_head_dim"),
            latent = config.Int("kv_lora_rank");
        if (!entry.Extents.Equals((ValueList<long>)[heads * (plain + wide), latent]))
            throw new ModelFileException("ASH0464",
                $"{file.Path}: {entry} does not fit {heads} heads of {plain} and {wide} over {latent}.", "check config.json.");
        string keys = ModelConversion.Fill("blk.{l}.attn_k_b.weight", found.Layer),
            values = ModelConversion.Fill("blk.{l}.attn_v_b.weight", found.Layer);
        return
        [
            RowSource.Compute(keys, TypeOf(keys, entry.Extents, entry.Type, wanted), [heads, latent, plain], () =>
            {
                float[] all = ScaledWeights.Decode(file, entry), made = new float[heads * latent * plain];
                for (long h = 0; h < heads; h++)
                    for (long c = 0; c < latent; c++)
                        for (long n = 0; n < plain; n++)
                            made[(h * latent + c) * plain + n] = all[(h * (plain + wide) + n) * latent + c];
                return made;
            }),
            RowSource.Compute(values, TypeOf(values, entry.Extents, entry.Type, wanted), [heads, wide, latent], () =>
            {
                float[] all = ScaledWeights.Decode(file, entry), made = new float[heads * wide * latent];
                for (long h = 0; h < heads; h++)
                    Array.Copy(all, (h * (plain + wide) + plain) * latent, made, h * wide * latent, wide * latent);
                return made;
            }),
        ];
    }

    /// <summary>Blocks of 4-bit floats: there element 2 i lies beside element 2 i + 1, in GGUF element i beside element i +
    /// 16.</summary>
    static NamedWeight Blocks(SafetensorsFolder file, WeightEntry blocks, string name, int step, int start)
    {
        var scales = file[blocks.Name[..^"_blocks".Length] + "_scales"];
        if (blocks.Type != WeightType.U8 || blocks.Extents.Count != 4 || blocks.Extents[3] != 16
            || !scales.Extents.Equals((ValueList<long>)[.. blocks.Extents.Take(3)]))
            throw new ModelFileException("ASH0464", $"{file.Path}: {blocks} and {scales} are no blocks of 4-bit floats.",
                "download the folder again.");
        int groups = (int)blocks.Extents[2];
        return RowSource.Make(name, WeightType.MXFP4, [blocks.Extents[0], blocks.Extents[1] / step, 32L * groups], (row, into) =>
        {
            long from = row * step + start;
            var codes = file.Span(blocks, from * groups * 16, groups * 16);
            var exponents = file.Span(scales, from * groups, groups);
            for (int g = 0; g < groups; g++) MXFP4Order.ToGguf(exponents[g], codes.Slice(16 * g, 16), into.Slice(17 * g, 17));
        });
    }

    static NamedWeight Turn(SafetensorsFolder file, WeightEntry biases, string name, int start)
    {
        long width = biases.Extents[^1];
        return RowSource.Compute(name, WeightType.F32, [biases.Extents[0], width / 2],
            () => [.. RowSource.Values(file, biases).Where((_, i) => i % 2 == start)]);
    }
}

/// <summary>The order of the 32 codes of a block of 4-bit floats in both formats.</summary>
static class MXFP4Order
{
    public static void ToGguf(byte exponent, ReadOnlySpan<byte> pairs, Span<byte> block)
    {
        block[0] = exponent;
        for (int i = 0; i < 16; i++)
            block[1 + i] = (byte)(Neighbour(pairs, i) | Neighbour(pairs, i + 16) << 4);
    }

    public static byte ToFolder(ReadOnlySpan<byte> block, Span<byte> pairs)
    {
        for (int i = 0; i < 16; i++) pairs[i] = (byte)(Apart(block[1..], 2 * i) | Apart(block[1..], 2 * i + 1) << 4);
        return block[0];
    }

    static int Neighbour(ReadOnlySpan<byte> pairs, int element) => pairs[element / 2] >> element % 2 * 4 & 0xf;

    static int Apart(ReadOnlySpan<byte> codes, int element) => codes[element % 16] >> element / 16 * 4 & 0xf;
}
