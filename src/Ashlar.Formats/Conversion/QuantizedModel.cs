namespace Ashlar.Formats;

/// <summary>Writes a model in fewer bits, as a GGUF file.</summary>
public static class QuantizedModel
{
    /// <summary>The number by which llama.cpp knows what most weights of a file are.</summary>
    static readonly Dictionary<WeightType, int> fileTypes = new()
    {
        [WeightType.F32] = 0,
        [WeightType.F16] = 1,
        [WeightType.Q4_0] = 2,
        [WeightType.Q4_1] = 3,
        [WeightType.Q8_0] = 7,
        [WeightType.Q5_0] = 8,
        [WeightType.Q5_1] = 9,
        [WeightType.Q2_K] = 10,
        [WeightType.Q3_K] = 11,
        [WeightType.Q4_K] = 14,
        [WeightType.Q5_K] = 16,
        [WeightType.Q6_K] = 18,
        [WeightType.IQ4_NL] = 25,
        [WeightType.IQ4_XS] = 30,
        [WeightType.BF16] = 32,
        [WeightType.MXFP4] = 38,
    };

    /// <summary>Quantises a model, weight after weight, in bounded memory.</summary>
    /// <remarks>A folder of safetensors files becomes a GGUF file beside the new one first, which is removed at the
    /// end.</remarks>
    /// <param name="from">A GGUF file, or the folder of a model.</param>
    /// <param name="to">The GGUF file to write; one of that name is replaced.</param>
    /// <param name="plan">Which weights become what.</param>
    /// <param name="report">Told of each weight that was changed.</param>
    /// <param name="progress">Told of the share done, from 0 to 1.</param>
    /// <param name="cancellation">Stops between pieces; nothing is left then.</param>
    /// <returns>The bytes of the weights before and after.</returns>
    /// <exception cref="ModelFileException">
    /// A file cannot be read or written, the model cannot be converted, or weights are not finite.
    /// </exception>
    public static (long Before, long After) Write(string from, string to, Quantization plan,
        Action<QuantizationError>? report = null,
        IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        using var file = WeightFile.Open(from);
        if (file is Gguf gguf) return Write(gguf, from, to, plan, report, progress, cancellation);
        string between = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(to))!, $".{Path.GetFileName(to)}.converted.gguf");
        try
        {
            ModelConversion.Convert(from, between, null, null, null, cancellation);
            using var converted = Gguf.Open(between);
            return Write(converted, from, to, plan, report, progress, cancellation);
        }
        finally
        {
            File.Delete(between);
        }
    }

    static (long Before, long After) Write(
        Gguf file, string from, string to, Quantization plan, Action<QuantizationError>? report, IProgress<double>? progress,
            CancellationToken cancellation)
    {
        var metadata = file.Metadata.Clone();
        foreach (string key in (string[])["split.no", "split.count", "split.tensors.count"]) metadata.Remove(key);
        if (fileTypes.TryGetValue(plan.To, out int number)) metadata.SetInt("general.file_type", number);
        metadata.SetInt("general.quantization_version", 2);
        long before = file.Entries.Sum(entry => entry.Bytes);
        var bytes = progress is null ? null : new Share(progress, before);
        NamedWeight[] weights = [.. plan.Apply(file, report, bytes, from, cancellation)];
        Gguf.Write(to, metadata, weights);
        return (before, weights.Sum(weight => weight.Bytes));
    }

    sealed class Share(IProgress<double> progress, long all) : IProgress<long>
    {
        public void Report(long value) => progress.Report(value / (double)Math.Max(1, all));
    }
}
