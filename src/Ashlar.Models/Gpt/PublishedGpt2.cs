namespace Ashlar.Models;

/// <summary>The published files of GPT-2, as a <see cref="Gpt"/> asks for them.</summary>
public static class PublishedGpt2
{
    const string Prefix = "transformer.";

    /// <summary>The tensors of a published file under the names of <see cref="Gpt"/>: some files put <c>transformer.</c> before
    /// all names, and hold attention's masks and a copy of the tied table, which are no weights.</summary>
    /// <param name="tensors">By the names of the file.</param>
    /// <returns>What <c>Weights.From</c> takes.</returns>
    public static Dictionary<string, Tensor> Rename(IReadOnlyDictionary<string, Tensor> tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var result = new Dictionary<string, Tensor>();
        foreach (var (name, tensor) in tensors)
        {
            bool isMask = name.EndsWith(".attn.bias", StringComparison.Ordinal)
                || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal);
            if (isMask || name == "lm_head.weight") continue;
            result[name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name] = tensor;
        }
        return result;
    }
}
