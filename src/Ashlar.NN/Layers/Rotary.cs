namespace Ashlar.NN;

/// <summary>Rotary positions: pairs of a head's numbers turn by an angle that grows with the token's place.</summary>
/// <remarks>
/// Pair i of D / 2 turns by <c>place / base^(2 i / D)</c>; the two halves of a head make the pairs, as in Llama. Source: Su et
/// al. 2021, arXiv:2104.09864.
/// </remarks>
public sealed class Rotary
{
    readonly Tensor cos, sin;   // [context, D / 2]

    /// <summary>Tables for all places of a context.</summary>
    /// <param name="headWidth">D, even.</param>
    /// <param name="context">How many places there are.</param>
    /// <param name="frequencyBase">Greater ones turn slower, for longer contexts; Llama 3 has 500000.</param>
    public Rotary(int headWidth, int context, double frequencyBase = 10000)
    {
        Widths.ThrowIf(headWidth < 2 || headWidth % 2 != 0,
            $"rotary positions need heads of an even width, but they are {headWidth} wide.",
            "choose a width and heads whose quotient is even.");
        Widths.ThrowIf(frequencyBase is not > 1, $"the rotary base is {frequencyBase}, which is not above 1.", "10000 is usual.");
        int half = headWidth / 2;
        float[] cosines = new float[context * half], sines = new float[context * half];
        for (int place = 0; place < context; place++)
            for (int pair = 0; pair < half; pair++)
            {
                double angle = place * Math.Pow(frequencyBase, -2.0 * pair / headWidth);   // float angles go wrong far out
                (cosines[place * half + pair], sines[place * half + pair]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
            }
        (cos, sin) = (Tensor.From<float>(cosines, [context, half]), Tensor.From<float>(sines, [context, half]));
        Context = context;
    }

    /// <summary>How many places there are.</summary>
    public int Context { get; }

    /// <param name="x">[..., T, H, D], heads of the tokens at places 0 to T - 1.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    public Tensor Rotate(Tensor x)
    {
        var tokens = x.Shape[^3];
        return x.Rope(cos.Narrow(0, 0, tokens).Cast(x.DType), sin.Narrow(0, 0, tokens).Cast(x.DType));
    }

    /// <param name="x">[..., T, H, D], heads of tokens.</param>
    /// <param name="places">[T], integers: where each token stands.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    public Tensor Rotate(Tensor x, Tensor places) => x.Rope(cos.Take(places).Cast(x.DType), sin.Take(places).Cast(x.DType));
}
