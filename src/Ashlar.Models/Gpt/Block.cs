using Ashlar.NN;

namespace Ashlar.Models;

/// <summary>One block of a <see cref="Gpt"/>: attention, then the MLP, each behind a norm and added to what came in.</summary>
sealed class Block
{
    readonly Func<Tensor, Tensor> norm1, norm2;
    readonly Attention attention;
    readonly Mlp mlp;
    readonly Dropout dropout1, dropout2;

    public Block(Weights weights, GptConfig config, int layer, Rotary? rotary)
    {
        var initial = Initial.Normal(0.02);
        var residual = Initial.Normal(0.02 / Math.Sqrt(2.0 * config.Layers));   // 2 additions per block: their variances add up
        norm1 = Gpt.Norm(weights.Scope("ln_1"), config);
        attention = new(weights.Scope("attn"), new(config.Width, config.Heads)
        {
            KvHeads = config.KvHeads,
            Bias = config.Bias,
            NormaliseQueriesAndKeys = config.NormaliseQueriesAndKeys,
            Dropout = config.Dropout,
            DropoutSeed = Gpt.Seed(config, layer, 1),
            Initial = initial,
            OutputInitial = residual,
        }, rotary);
        norm2 = Gpt.Norm(weights.Scope("ln_2"), config);
        mlp = new(weights.Scope("mlp"), config.Width, config.Hidden, config.Activation, config.Bias, initial, residual);
        dropout1 = new(config.Dropout, Gpt.Seed(config, layer, 2));
        dropout2 = new(config.Dropout, Gpt.Seed(config, layer, 3));
    }

    public Tensor Forward(Tensor x, Tensor? dropoutKey)
    {
        x += dropout1.Forward(attention.Forward(norm1(x), dropoutKey), dropoutKey);
        return x + dropout2.Forward(mlp.Forward(norm2(x)), dropoutKey);
    }

    public Tensor Forward(Tensor x, KvCacheLayer cache, Tensor places)
    {
        x += attention.Forward(norm1(x), cache, places);
        return x + mlp.Forward(norm2(x));
    }
}
