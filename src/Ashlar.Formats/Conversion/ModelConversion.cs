using System.Text;
using System.Text.RegularExpressions;

namespace Ashlar.Formats;

/// <summary>What a conversion wrote.</summary>
/// <param name="Architecture">By GGUF's name.</param>
/// <param name="Tensors">How many weights.</param>
/// <param name="Bytes">How many bytes they take.</param>
/// <param name="Files">The files of weights.</param>
/// <param name="Notes">What the user should know: what was left out and why.</param>
public sealed record ConversionResult(string Architecture, int Tensors, long Bytes, IReadOnlyList<string> Files,
    IReadOnlyList<string> Notes);

/// <summary>Models from folders of safetensors files to GGUF and back, by the names and in the order of rows that llama.cpp
/// has.</summary>
/// <remarks>docs/guides/model-files.md lists the families. A tensor, setting or architecture without a place in the other format
/// is an error.</remarks>
public static class ModelConversion
{
    /// <summary>Converts a model, weight after weight, in bounded memory.</summary>
    /// <param name="from">A GGUF file, or a folder of safetensors files with its config.json.</param>
    /// <param name="to">A name that ends in .gguf, or a folder.</param>
    /// <param name="type">The type of the matrices: F32, F16 or BF16; null keeps what they are, and takes BF16 for blocks that
    /// safetensors lacks.</param>
    /// <param name="partBytes">The most bytes of weights in a file; null writes one file.</param>
    /// <param name="progress">Told of the share done, from 0 to 1.</param>
    /// <param name="cancellation">Stops between weights.</param>
    /// <exception cref="ModelFileException">A file cannot be read or written, or the model cannot be said in the other
    /// format.</exception>
    public static ConversionResult Convert(
        string from, string to, WeightType? type, long? partBytes, IProgress<double>? progress, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(to);
        using var file = WeightFile.Open(from);
        bool isGguf = to.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);
        return (file, isGguf) switch
        {
            (SafetensorsFolder folder, true) => FolderToGguf.Convert(folder, to, type, partBytes, progress, cancellation),
            (Gguf gguf, false) => GgufToFolder.Convert(gguf, to, type, partBytes, progress, cancellation),
            (_, true) => throw new ModelFileException("ASH0462", $"{from} is a GGUF file already.",
                "to change its types: ashlar quantize."),
            _ => throw new ModelFileException("ASH0462", $"{from} is a folder of safetensors files already.",
                "name a file that ends in .gguf to convert it."),
        };
    }

    /// <summary>The names of a rule as a pattern.</summary>
    internal static Regex Pattern(string template) => new(
        $"^{Regex.Escape(template).Replace("\\{l}", "(?<l>[0-9]{1,6})", StringComparison.Ordinal).Replace("\\{e}", "(?<e>[0-9]{1,6})", StringComparison.Ordinal)}$",
        RegexOptions.CultureInvariant);

    internal static string Fill(string template, long layer, long expert = 0) => new StringBuilder(template)
        .Replace("{l}", layer.ToString(System.Globalization.CultureInfo.InvariantCulture))
            .Replace("{e}", expert.ToString(System.Globalization.CultureInfo.InvariantCulture)).ToString();

    /// <summary>The same weights, which tell how far they are.</summary>
    internal static IEnumerable<NamedWeight> Counted(IReadOnlyList<NamedWeight> weights, IProgress<double>? progress,
        CancellationToken cancellation)
    {
        long all = Math.Max(1, weights.Sum(weight => weight.Bytes)), done = 0;
        return weights.Select(weight => weight with
        {
            Write = stream =>
            {
                cancellation.ThrowIfCancellationRequested();
                weight.Write(stream);
                progress?.Report((done += weight.Bytes) / (double)all);
            },
        });
    }

    /// <summary>Of a row of queries or keys in GGUF's order, the row in the other: pairs lie side by side there, and half a head
    /// apart here.</summary>
    internal static long RotaryRow(long row, long headWidth)
    {
        long head = row / headWidth, inHead = row % headWidth;
        return head * headWidth + inHead % 2 * (headWidth / 2) + inHead / 2;
    }

    /// <summary>The inverse of <see cref="RotaryRow"/>.</summary>
    internal static long UnrotaryRow(long row, long headWidth)
    {
        long head = row / headWidth, inHead = row % headWidth;
        return head * headWidth + inHead % (headWidth / 2) * 2 + inHead / (headWidth / 2);
    }

    internal static float[] Transpose(float[] values, long rows, long columns)
    {
        float[] transposed = new float[values.Length];
        for (long i = 0; i < rows; i++)
            for (long j = 0; j < columns; j++) transposed[j * rows + i] = values[i * columns + j];
        return transposed;
    }
}
