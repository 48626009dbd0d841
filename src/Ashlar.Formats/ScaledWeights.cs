namespace Ashlar.Formats;

/// <summary>Weights of eight bits with a scale for each block of 128 by 128, which stands beside them as
/// <c>NAME_scale_inv</c>.</summary>
/// <remarks>DeepSeek-AI 2024, arXiv:2412.19437, section 3.3; the checkpoints of DeepSeek V3 and others' FP8 ones.</remarks>
public static class ScaledWeights
{
    /// <summary>Rows and columns that share a scale.</summary>
    public const int Block = 128;

    const string Suffix = "_scale_inv";

    /// <summary>The scales of a weight; null where it has none.</summary>
    public static WeightEntry? ScalesOf(WeightFile file, WeightEntry entry)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(entry);
        return file.TryGet(entry.Name + Suffix, out var scales) ? scales : null;
    }

    /// <summary>Whether this is a name of scales that stand beside the weight that they scale.</summary>
    public static bool IsScales(WeightFile file, string name)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(name);
        return name.EndsWith(Suffix, StringComparison.Ordinal) && file.TryGet(name[..^Suffix.Length], out _);
    }

    /// <summary>The numbers of a weight, times their scales where it has some.</summary>
    /// <exception cref="ModelFileException">ASH0464: the scales do not fit the weight. Or others have scales, and this weight has
    /// none.</exception>
    public static float[] Decode(WeightFile file, WeightEntry entry)
    {
        var scales = ScalesOf(file, entry);
        if (scales is null && entry.Type == WeightType.F8E4M3
            && file.Entries.FirstOrDefault(other => IsScales(file, other.Name)) is { } lonely)
            throw new ModelFileException("ASH0464",
                $"{file.Path}: {entry} has no {entry.Name}{Suffix}, though there is '{lonely.Name}': its numbers mean nothing without.",
                "download the folder again.");
        float[] values = new float[entry.Elements];
        BlockCodec.Of(entry.Type).Decode(file.Bytes(entry).Span, values);
        if (scales is null) return values;
        if (entry.Extents.Count != 2 || !scales.Extents.Equals((ValueList<long>)[Over(entry.Extents[0]), Over(entry.Extents[1])]))
            throw new ModelFileException("ASH0464",
                $"{file.Path}: {scales} does not fit {entry}: one scale for each block of {Block} by {Block} was expected.",
                "download the folder again.");
        float[] factors = new float[scales.Elements];
        BlockCodec.Of(scales.Type).Decode(file.Bytes(scales).Span, factors);
        long rows = entry.Extents[0], columns = entry.Extents[1], across = scales.Extents[1];
        for (long i = 0; i < rows; i++)
            for (long j = 0; j < columns; j++) values[i * columns + j] *= factors[i / Block * across + j / Block];
        return values;

        static long Over(long extent) => (extent + Block - 1) / Block;
    }
}
