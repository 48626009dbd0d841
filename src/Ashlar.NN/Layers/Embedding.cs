namespace Ashlar.NN;

/// <summary>A row of a table for every integer: tokens become vectors.</summary>
/// <remarks>Parameter: <c>weight</c> [count, width]. Its gradient is a scatter: rows that no token names get 0.</remarks>
/// <param name="weights">The layer's scope.</param>
/// <param name="count">How many rows: the vocabulary.</param>
/// <param name="width">How long they are.</param>
/// <param name="initial">How the table begins; null: normal with deviation 0.02, as GPT-2's.</param>
public sealed class Embedding(Weights weights, int count, int width, Initial? initial = null)
{
    readonly string name = weights.Path;

    /// <summary>[count, width]</summary>
    public Parameter Weight { get; } = weights.Get("weight", [count, width], initial ?? Initial.Normal(0.02), isTable: true);

    /// <param name="indices">[...], integers from 0 to below <c>count</c>; others are an error when the program runs.</param>
    /// <returns>[..., width]</returns>
    public Tensor Forward(Tensor indices) => Weight.Value.Take(indices);

    /// <summary>The other way round: how well a vector fits each row of the table. A language model's head, where it shares the
    /// table.</summary>
    /// <param name="x">[..., width]</param>
    /// <returns>[..., count], in the element type of <paramref name="x"/>.</returns>
    /// <exception cref="ModelException">The last axis of <paramref name="x"/> is not <c>width</c> long.</exception>
    public Tensor Scores(Tensor x)
    {
        Widths.ThrowUnlessLastAxisIs(width, x, name);
        return x.MatMul(Weight.Value.Cast(x.DType).Transpose());
    }
}
