using Ashlar.Models;
using Ashlar.NN;

namespace Ashlar.Bench.Training;

/// <summary>The 6-layer, 384-wide, 6-head, 256-context, batch-16 character GPT in training, written as a user writes
/// it.</summary>
/// <remarks>The same model and optimizer as bench/peers/gpt.py: learned positions, LayerNorm, exact GELU, a head of its own,
/// AdamW without clipping.</remarks>
sealed class GptTraining
{
    public const int Batch = 16, Vocabulary = 65;
    public const double LearningRate = 1e-3;

    readonly Func<Tensor, Tensor, Tensor> step;

    /// <param name="layers">Blocks.</param>
    /// <param name="products">What the operands of products are rounded to; null: they stay float32.</param>
    public GptTraining(int layers = 6, DType? products = null)
    {
        Config = new GptConfig { Vocabulary = Vocabulary, Layers = layers, TiedEmbeddings = false };
        Weights = Weights.Random(seed: 1);
        var model = new Gpt(Weights, Config);
        var optimizer = new AdamW(Weights, LearningRate, beta2: 0.95, decay: 0.1);
        step = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            if (products is { } dtype) Compiled.ProductsIn(dtype);
            var loss = Loss.CrossEntropy(model.Forward(tokens), targets);
            optimizer.Update(loss.Gradient(Weights));
            return loss;
        });
    }

    public GptConfig Config { get; }

    public Weights Weights { get; }

    public int Tokens => Batch * Config.Context;

    /// <summary>Floating-point operations of a step.</summary>
    public double Work => Config.TrainingFlopsPerToken(Config.Context) * Tokens;

    /// <summary>A step on random tokens, the same for one number; waits for the loss.</summary>
    public float Step(int number)
    {
        var batch = BatchOf(number);
        return Step(batch.AsSpan(0, Tokens), batch.AsSpan(Tokens));
    }

    /// <summary>A step; waits for the loss.</summary>
    public float Step(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets) =>
        step(Tensor.From(tokens, [Batch, Config.Context]), Tensor.From(targets, [Batch, Config.Context])).Item<float>();

    /// <summary>Random inputs, then random targets.</summary>
    public int[] BatchOf(int number)
    {
        var random = new Random(number);
        return [.. Enumerable.Range(0, 2 * Tokens).Select(_ => random.Next(Vocabulary))];
    }
}
