using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ashlar.Formats;

/// <summary>A GGUF file as a folder in the Hugging Face layout.</summary>
static class GgufToFolder
{
    // config.json says the same
    static readonly HashSet<string> derived = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];

    public static ConversionResult Convert(Gguf file, string to, WeightType? type, long? partBytes, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        var (config, architecture) = ModelConfig.Of(file);
        var main = type ?? MainType(file);
        var notes = new List<string>();
        NamedWeight[] weights = [.. file.Entries.Where(entry => !derived.Contains(entry.Name))
            .SelectMany(entry => Make(file, entry, architecture, config, main))];
        SafetensorsFolder.Write(to, ModelConversion.Counted(weights, progress, cancellation), partBytes);
        AtomicFile.Write(Path.Combine(to, "config.json"), Encoding.UTF8.GetBytes(config.WithType(main)));
        TokenizerMetadata.Restore(file.Metadata, to, notes);
        using var written = SafetensorsFolder.Open(to);
        return new(architecture.Gguf, weights.Length, weights.Sum(weight => weight.Bytes), written.Parts, notes);
    }

    // Most matrices are of it; vectors are float32 in GGUF whatever the model is.
    static WeightType MainType(Gguf file) =>
        file.Entries.Where(entry => entry.Extents.Count >= 2).GroupBy(entry => entry.Type)
        .MaxBy(group => group.Sum(entry => entry.Bytes))?.Key switch
        {
            WeightType.F32 => WeightType.F32,
            WeightType.F16 => WeightType.F16,
            _ => WeightType.BF16,
        };

    static IEnumerable<NamedWeight> Make(Gguf file, WeightEntry entry, Architecture architecture, ModelConfig config,
        WeightType type)
    {
        // made with the keys
        if (entry.Name.EndsWith(".attn_v_b.weight", StringComparison.Ordinal) && architecture.Gguf == "deepseek2") return [];
        // made with the gates
        if (architecture.Gguf == "gpt-oss" && entry.Name.Contains(".ffn_up_exps.", StringComparison.Ordinal)) return [];
        var (rule, match) = architecture.Tensors.Select(rule =>
            (rule, Match: ModelConversion.Pattern(rule.Gguf).Match(entry.Name))).FirstOrDefault(pair => pair.Match.Success);
        if (rule is null)
            throw new ModelFileException("ASH0464",
                $"{file.Path}: the weight '{entry.Name}' has no place in a folder of {architecture.Classes[0]}.{SimilarNames.Text(entry.Name, architecture.Tensors.Select(other => other.Gguf))}",
                "keep the model as GGUF.");
        long layer = match.Groups["l"].Success ? long.Parse(match.Groups["l"].ValueSpan, CultureInfo.InvariantCulture) : -1;
        string name = ModelConversion.Fill(rule.Folder, layer);
        if (rule.Folder.Contains("{e}", StringComparison.Ordinal)) return Experts(file, entry, rule, layer, type);
        RowSource.Place Row(long row) => new(entry, row);
        switch (rule.Change)
        {
            case TensorChange.RotaryQueries or TensorChange.RotaryKeys:
                long width = config.HeadWidth;
                if (width % 2 != 0 || entry.Extents[0] % width != 0)
                    throw new ModelFileException("ASH0464", $"{file.Path}: {entry} is no whole number of heads of {width}.",
                        "keep the model as GGUF.");
                if (entry.Extents.Count > 1) return [RowSource.Gather(file, name, type, entry.Extents,
                    row => new(entry, ModelConversion.UnrotaryRow(row, width)))];
                return [RowSource.Compute(name, type, entry.Extents, () =>
                {
                    float[] values = RowSource.Values(file, entry);
                    return [.. Enumerable.Range(0, values.Length).Select(i => values[ModelConversion.UnrotaryRow(i, width)])];
                })];
            case TensorChange.PlusOne:
                return [RowSource.Gather(file, name, type, entry.Extents, Row, plus: -1)];
            case TensorChange.Transposed:
                return [RowSource.Compute(name, type, [entry.Extents[1], entry.Extents[0]],
                    () => ModelConversion.Transpose(RowSource.Values(file, entry), entry.Extents[0], entry.Extents[1]))];
            case TensorChange.Squeezed:
                return [RowSource.Gather(file, name, type, [1, entry.Extents[0]], Row)];
            case TensorChange.LatentKeysAndValues:
                return [Latent(file, entry, name, type)];
            case TensorChange.GateAndUpBlocks:
                return Blocks(file, [entry, file[entry.Name.Replace("gate", "up", StringComparison.Ordinal)]], name);
            case TensorChange.DownBlocks:
                return Blocks(file, [entry], name);
            case TensorChange.GateAndUpBiases:
                var up = file[entry.Name.Replace("gate", "up", StringComparison.Ordinal)];
                return [RowSource.Compute(name, type, [entry.Extents[0], 2 * entry.Extents[1]],
                    () => [.. RowSource.Values(file, entry).Zip(RowSource.Values(file, up), (a, b) => (float[])[a, b])
                        .SelectMany(pair => pair)])];
            default:
                return [RowSource.Gather(file, name, type, entry.Extents, Row)];
        }
    }

    static IEnumerable<NamedWeight> Experts(Gguf file, WeightEntry entry, TensorRule rule, long layer, WeightType type)
    {
        if (entry.Extents.Count != 3) throw new ModelFileException("ASH0464",
            $"{file.Path}: {entry} should have three axes, experts first.", "keep the model as GGUF.");
        long rows = entry.Extents[1];
        return Enumerable.Range(0, checked((int)entry.Extents[0])).Select(expert =>
            RowSource.Gather(file, ModelConversion.Fill(rule.Folder, layer, expert), type, [rows, entry.Extents[2]],
                row => new(entry, expert * rows + row)));
    }

    static NamedWeight Latent(Gguf file, WeightEntry keys, string name, WeightType type)
    {
        var values = file[keys.Name.Replace("attn_k_b", "attn_v_b", StringComparison.Ordinal)];
        if (keys.Extents.Count != 3 || values.Extents.Count != 3 || keys.Extents[0] != values.Extents[0]
            || keys.Extents[1] != values.Extents[2])
            throw new ModelFileException("ASH0464",
                $"{file.Path}: {keys} and {values} are no keys and values of one latent vector.", "keep the model as GGUF.");
        long heads = keys.Extents[0], latent = keys.Extents[1], plain = keys.Extents[2], wide = values.Extents[1];
        return RowSource.Compute(name, type, [heads * (plain + wide), latent], () =>
        {
            float[] k = RowSource.Values(file, keys), v = RowSource.Values(file, values),
                all = new float[heads * (plain + wide) * latent];
            for (long h = 0; h < heads; h++)
            {
                for (long n = 0; n < plain; n++)
                    for (long c = 0; c < latent; c++) all[(h * (plain + wide) + n) * latent + c] = k[(h * latent + c) * plain
                        + n];
                Array.Copy(v, h * wide * latent, all, (h * (plain + wide) + plain) * latent, wide * latent);
            }
            return all;
        });
    }

    static NamedWeight[] Blocks(Gguf file, WeightEntry[] turns, string name)
    {
        var first = turns[0];
        if (turns.Any(entry => entry.Type != WeightType.MXFP4 || !entry.Extents.Equals(first.Extents))
            || first.Extents.Count != 3)
            throw new ModelFileException("ASH0464",
                $"{file.Path}: {first} is not in blocks of 4-bit floats, as the folder has it.", "keep the model as GGUF.");
        int groups = (int)(first.Extents[2] / 32);
        long outputs = first.Extents[1] * turns.Length;
        ReadOnlySpan<byte> Row(long row) => file.Span(turns[row % turns.Length], row / turns.Length * groups * 17, groups * 17);
        return
        [
            RowSource.Make(name, WeightType.U8, [first.Extents[0], outputs, groups, 16],
                (row, into) => MXFP4Order.ToFolder(Row(row / groups).Slice((int)(row % groups) * 17, 17), into)),
            RowSource.Make(name[..^"_blocks".Length] + "_scales", WeightType.U8, [first.Extents[0], outputs, groups],
                (row, into) =>
            {
                var blocks = Row(row);
                for (int g = 0; g < groups; g++) into[g] = blocks[17 * g];
            }),
        ];
    }
}
