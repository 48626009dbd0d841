using System.Globalization;
using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>Makes a decoder of a config and the weights of a file.</summary>
public class DecoderLoader
{
    /// <summary>Prepares to load.</summary>
    /// <param name="config">What the model is.</param>
    /// <param name="names">What its weights are called.</param>
    /// <param name="reader">The file.</param>
    public DecoderLoader(DecoderConfig config, DecoderNames names, WeightReader reader)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(reader);
        (Config, Names, Reader) = (config.Checked(), names, reader);
    }

    /// <summary>What the model is.</summary>
    protected DecoderConfig Config { get; }

    /// <summary>What its weights are called.</summary>
    protected DecoderNames Names { get; }

    /// <summary>The file.</summary>
    protected WeightReader Reader { get; }

    /// <summary>The decoder with the memory of all weights; their content comes with <see cref="WeightReader.Finish"/>, and
    /// nothing runs before.</summary>
    /// <exception cref="ModelException">A weight is missing, left over, of other extents, or not finite.</exception>
    public Decoder Begin()
    {
        int width = Config.Width, vocabulary = Config.Vocabulary;
        var embedding = Reader.Entry($"{Names.Embedding}.weight", vocabulary, width);
        if (embedding.RowElements % BlockCodec.Of(embedding.Type).Elements != 0)
            throw new ModelException("ASH0342", $"rows of {embedding} are no whole number of blocks.", "check the file.");
        float[]? positions = Config.LearnedPositions ? Reader.Numbers($"{Names.Positions}.weight", Config.Context, width) : null;
        DecoderLayer[] layers = [.. Enumerable.Range(0, Config.Layers.Count).Select(Layer)];
        var norm = Norm(Names.FinalNorm);
        var head = Config.TiedEmbeddings
            ? Reader.Projection(width, [($"{Names.Embedding}.weight", vocabulary)])
            : Reader.Projection(width, [($"{Names.Head}.weight", vocabulary)]);
        if (Config.TiedEmbeddings) Reader.Skip(name => name == $"{Names.Head}.weight");   // some files hold it twice
        Reader.ThrowIfUnused();
        return new(Config, Reader.File, embedding, positions, layers, norm, head);
    }

    /// <summary>A layer.</summary>
    protected virtual DecoderLayer Layer(int layer)
    {
        string path = Names.PathOf(layer);
        return new(Norm(path + Names.AttentionNorm), Attention(path, layer),
            Config.PostNorms ? Norm(path + Names.AttentionPostNorm) : null,
            Norm(path + Names.FeedForwardNorm), Config.HasExperts(layer) ? Experts(path) : FeedForward(path),
            Config.PostNorms ? Norm(path + Names.FeedForwardPostNorm) : null, Config.ResidualScale);
    }

    /// <summary>A norm over the width, or over that of a head.</summary>
    /// <param name="name">The weight's, without its end.</param>
    /// <param name="width">Numbers; null: the model's width.</param>
    /// <param name="order">Of each number, which one of the file it is; null: they stay.</param>
    protected Norm Norm(string name, int? width = null, int[]? order = null)
    {
        long count = width ?? Config.Width;
        return new(Vector(Config.Norm == NormKind.RmsPlusOne ? 1 : 0, $"{name}.weight"),
            Config.Norm == NormKind.Layer ? Vector(0, $"{name}.bias") : null, Config.NormEpsilon);

        Tensor Vector(float plus, string full)
        {
            if (order is null) return Reader.DensePlus(plus, full, count);
            float[] numbers = Reader.Numbers(full, count);
            return Tensor.From<float>(Array.ConvertAll(order, from => numbers[from] + plus), [count]);
        }
    }

    /// <summary>The attention of a layer.</summary>
    protected virtual IAttention Attention(string path, int layer)
    {
        long queries = (long)Config.Heads * Config.HeadWidth, keys = (long)Config.KvHeads * Config.HeadWidth;
        // Neighbours that are rotated together come to lie half a head apart: no result differs, and vectors turn whole.
        bool isTurned = Config.Layers[layer].Rope is { Interleaved: true };
        int[]? queryOrder = isTurned ? HalvesOf(Config.Heads, layer) : null,
            keyOrder = isTurned ? HalvesOf(Config.KvHeads, layer) : null;
        Projection qkv;
        if (!isTurned)
            qkv = Config.FusedQkv ? Linear(Config.Width, Config.QkvBias, (path + Names.Qkv, queries + 2 * keys))
                : Linear(Config.Width, Config.QkvBias, (path + Names.Query, queries), (path + Names.Key, keys),
                    (path + Names.Value, keys));
        else if (Config.FusedQkv)
        {
            int[] order = [.. queryOrder!, .. keyOrder!.Select(row => (int)queries + row),
                .. Enumerable.Range((int)(queries + keys), (int)keys)];
            qkv = Reader.Projection(Config.Width, [($"{path}{Names.Qkv}.weight", queries + 2 * keys)],
                Config.QkvBias ? [$"{path}{Names.Qkv}.bias"] : [], [order]);
        }
        else
            qkv = Reader.Projection(Config.Width, [($"{path}{Names.Query}.weight", queries), ($"{path}{Names.Key}.weight", keys),
                ($"{path}{Names.Value}.weight", keys)],
                Config.QkvBias ? [$"{path}{Names.Query}.bias", $"{path}{Names.Key}.bias", $"{path}{Names.Value}.bias"] : [],
                [queryOrder, keyOrder, null]);
        int[]? within = isTurned ? HalvesOf(1, layer) : null;
        return new GroupedAttention(Config, Config.Layers[layer], qkv,
            Linear(queries, Config.OutputBias, (path + Names.Output, Config.Width)),
            Config.HeadNorms ? Norm(path + Names.QueryNorm, Config.HeadWidth, within) : null,
            Config.HeadNorms ? Norm(path + Names.KeyNorm, Config.HeadWidth, within) : null,
            Config.Sinks ? Reader.Dense(path + Names.Sinks, Config.Heads) : null, isTurned);
    }

    // Of each number of heads in halves, which one of the file it is: the even ones of the rotated part, then the odd ones.
    int[] HalvesOf(int heads, int layer)
    {
        int width = Config.HeadWidth, rotated = Config.Layers[layer].Rope!.Width;
        return [.. Enumerable.Range(0, heads * width).Select(i =>
        {
            int at = i % width;
            return i - at + (at >= rotated ? at : at < rotated / 2 ? 2 * at : 2 * (at - rotated / 2) + 1);
        })];
    }

    /// <summary>The feed-forward layer of a layer.</summary>
    protected virtual IFeedForward FeedForward(string path) =>
        FeedForward(path, Config.FeedForward, Names.Gate, Names.Up, Names.Down);

    /// <summary>A feed-forward layer of these names.</summary>
    protected IFeedForward FeedForward(string path, int inner, string gate, string up, string down)
    {
        (string, long)[] parts = !Config.Gated ? [(path + up, inner)]
            : Config.FusedGateUp ? [(path + Names.GateUp, 2L * inner)] : [(path + gate, inner), (path + up, inner)];
        var first = Config.Gated && !Config.FeedForwardBias
            ? Reader.Gated(Config.Width, [.. parts.Select(part => ($"{part.Item1}.weight", part.Item2))], Config.Activation.Gate)
            : Linear(Config.Width, Config.FeedForwardBias, parts);
        return new FeedForward(Config.Activation, first, Linear(inner, Config.FeedForwardBias, (path + down, Config.Width)),
            Config.Gated);
    }

    /// <summary>The experts of a layer.</summary>
    protected virtual IFeedForward Experts(string path)
    {
        var experts = Config.Experts!;
        var shared = experts.SharedWidth == 0
            ? null
            : FeedForward(path, experts.SharedWidth, Names.SharedGate, Names.SharedUp, Names.SharedDown);
        var sharedGate = experts.SharedGate ? SharedWeight(path) : null;
        return new ExpertFeedForward(experts, Config.Activation,
            Linear(Config.Width, experts.RouterBias, (path + Names.Router, experts.Count)),
            ExpertLinear(path, Config.Width, experts.Width, Config.Activation.Gate, Names.ExpertGate, Names.ExpertUp),
            ExpertLinear(path, experts.Width, Config.Width, null, Names.ExpertDown),
            experts.ChoiceBias ? Reader.Dense(path + Names.ChoiceBias, experts.Count) : null, shared, sharedGate);
    }

    // GGUF files keep the one row as a vector.
    Projection SharedWeight(string path)
    {
        string name = $"{path}{Names.SharedWeight}.weight";
        bool isVector = Reader.File.TryGet(name, out var entry) && entry.Extents.Count == 1;
        return isVector
            ? new([new(Reader.Dense(name, Config.Width).Reshape(1, Config.Width))], null)
            : Linear(Config.Width, false, (path + Names.SharedWeight, 1));
    }

    /// <summary>The linear layers of all experts; those of several names lie above each other. With a function of gates the first
    /// name is that of the gates.</summary>
    protected ExpertProjection ExpertLinear(string path, int inputs, int outputs, WeightGate? gate, params string[] names)
    {
        int count = Config.Experts!.Count;
        var bias = Config.Experts.Bias ? Tensor.Concat([.. names.Select(name => ExpertBias(path + name, outputs))], 1) : null;
        if (!Names.ExpertsAreStacked)
            return Reader.Experts(inputs, [.. Enumerable.Range(0, count).Select(expert => (IReadOnlyList<(string, long)>)
                [.. names.Select(name =>
                    ($"{path}{string.Format(CultureInfo.InvariantCulture, name, expert)}.weight", (long)outputs))])], bias, gate);
        WeightEntry[] stacked = [.. names.Select(name => Reader.Entry($"{path}{name}.weight", count, outputs, inputs))];
        return Reader.Experts([.. Enumerable.Range(0, count).Select(expert =>
            stacked.Select(entry => WeightReader.Slice(entry, expert)).ToArray())], inputs, bias, gate);
    }

    Tensor ExpertBias(string name, int outputs) => Names.ExpertsAreStacked
        ? Reader.Dense($"{name}.bias", Config.Experts!.Count, outputs)
        : Tensor.From<float>([.. Enumerable.Range(0, Config.Experts!.Count)
            .SelectMany(expert => Reader.Numbers($"{string.Format(CultureInfo.InvariantCulture, name, expert)}.bias", outputs))],
            [Config.Experts.Count, outputs]);

    /// <summary>A linear layer of matrices that lie above each other.</summary>
    protected virtual Projection Linear(long inputs, bool bias, params (string Name, long Outputs)[] parts) =>
        Reader.Projection(inputs, [.. parts.Select(part => ($"{part.Name}.weight", part.Outputs))],
            bias ? [.. parts.Select(part => $"{part.Name}.bias")] : []);
}
