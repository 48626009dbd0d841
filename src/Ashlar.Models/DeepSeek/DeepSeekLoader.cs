using System.Globalization;

namespace Ashlar.Models.DeepSeek;

/// <summary>Reads latent attention.</summary>
sealed class DeepSeekLoader : DecoderLoader
{
    readonly bool isGguf;

    public DeepSeekLoader(DecoderConfig config, DecoderNames names, WeightReader reader, bool isGguf) : base(config,
        names, reader)
    {
        this.isGguf = isGguf;
        // layers that predict tokens after the next, and what they bring along
        string prefix = names.Layer[..names.Layer.IndexOf('{', StringComparison.Ordinal)];
        reader.Skip(name => name.StartsWith(prefix, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(prefix.Length, Math.Max(0, name.IndexOf('.', prefix.Length) - prefix.Length)),
                NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            && layer >= config.Layers.Count);
    }

    protected override IAttention Attention(string path, int layer)
    {
        var latent = Config.Latent!;
        int heads = Config.Heads, width = Config.Width, rank = latent.KeyRank, plain = latent.PlainWidth,
            value = latent.ValueWidth;
        string At(string published, string gguf) => isGguf ? path + gguf : $"{path}self_attn.{published}";

        Projection? down = null;
        Norm? norm = null;
        if (latent.QueryRank is { } queryRank)
        {
            down = Linear(width, bias: false, (At("q_a_proj", "attn_q_a"), queryRank));
            norm = Norm(At("q_a_layernorm", "attn_q_a_norm"), queryRank);
        }
        long queries = (long)heads * (plain + latent.RotatedWidth);
        var query = latent.QueryRank is { } compressed ? Linear(compressed, bias: false, (At("q_b_proj", "attn_q_b"), queries))
            : Linear(width, bias: false, (path + Names.Query, queries));
        var keyDown = Linear(width, bias: false, (At("kv_a_proj_with_mqa", "attn_kv_a_mqa"), rank + latent.RotatedWidth));
        var keyNorm = Norm(At("kv_a_layernorm", "attn_kv_a_norm"), rank);

        ExpertProjection keyUp, valueUp;
        string both = At("kv_b_proj", "attn_kv_b") + ".weight";
        if (Reader.Has(both))
        {
            // rows of each head: keys without position, then values
            var entry = Reader.Entry(both, (long)heads * (plain + value), rank);
            keyUp = Reader.Rearranged([entry], heads, rank, plain, (numbers, head, output, row) =>
            {
                for (int i = 0; i < plain; i++) row[i] = numbers[(head * (plain + value) + i) * rank + output];
            });
            valueUp = Reader.Rearranged([entry], heads, value, rank, (numbers, head, output, row) =>
                numbers.Slice((head * (plain + value) + plain + output) * rank, rank).CopyTo(row));
        }
        else
        {
            keyUp = Stacked($"{path}attn_k_b.weight", rank, plain);
            valueUp = Stacked($"{path}attn_v_b.weight", value, rank);
        }
        return new LatentAttention(Config, Config.Layers[layer], down, norm, query, keyDown, keyNorm, keyUp, valueUp,
            Linear((long)heads * value, Config.OutputBias, (path + Names.Output, width)));

        ExpertProjection Stacked(string name, int outputs, int inputs)
        {
            var entry = Reader.Entry(name, heads, outputs, inputs);
            return Reader.Experts([.. Enumerable.Range(0, heads).Select(head => new[] { WeightReader.Slice(entry, head) })],
                inputs, null);
        }
    }
}
