namespace Ashlar.NN;

/// <summary>A recurrent layer with a cell that gates open and close: reads a sequence step by step.</summary>
/// <remarks>
/// <c>c = σ(f) c + σ(i) tanh(g); h = σ(o) tanh(c)</c>, where i, f, g and o are parts of <c>x W + h U + b</c>, in this order.
/// Parameters: <c>weight_ih</c> [inputs, 4 hidden], <c>weight_hh</c> [hidden, 4 hidden], <c>bias</c> [4 hidden]. The sequence is
/// unrolled: the program grows with its length, but kernels of all steps are the same. B batch, T steps. Source: Hochreiter and
/// Schmidhuber 1997, "Long short-term memory", with the forget gate of Gers et al. 2000.
/// </remarks>
public sealed class Lstm
{
    readonly string name;
    readonly int inputs, hidden;

    /// <summary>Asks for the parameters.</summary>
    /// <param name="weights">The layer's scope.</param>
    /// <param name="inputs">The width of what comes in.</param>
    /// <param name="hidden">The width of what goes out.</param>
    /// <param name="initial">How the matrices begin; null: uniform within <c>1 / sqrt(hidden)</c>. The bias begins as
    /// zeros.</param>
    public Lstm(Weights weights, int inputs, int hidden, Initial? initial = null)
    {
        (name, this.inputs, this.hidden) = (weights.Path, inputs, hidden);
        initial ??= Initial.Uniform(1 / Math.Sqrt(hidden));
        InputWeight = weights.Get("weight_ih", [inputs, 4 * hidden], initial);
        HiddenWeight = weights.Get("weight_hh", [hidden, 4 * hidden], initial);
        Bias = weights.Get("bias", [4 * hidden], Initial.Zeros);
    }

    /// <summary>[inputs, 4 hidden]</summary>
    public Parameter InputWeight { get; }

    /// <summary>[hidden, 4 hidden]</summary>
    public Parameter HiddenWeight { get; }

    /// <summary>[4 hidden]</summary>
    public Parameter Bias { get; }

    /// <param name="x">[B, T, inputs], T a number.</param>
    /// <param name="start">What an earlier part of the sequence ended with; null: zeros.</param>
    /// <returns>The output of every step, [B, T, hidden], and what the last one ended with.</returns>
    /// <exception cref="ModelException"><paramref name="x"/> has another width.</exception>
    public (Tensor Outputs, LstmState End) Forward(Tensor x, LstmState? start = null)
    {
        Widths.ThrowUnlessLastAxisIs(inputs, x, name);
        if (x.Rank != 3)
            throw new ModelException("ASH0346",
                $"the layer '{name}' needs [batch, steps, {inputs}], but got {x.Type}.",
                "add the batch axis by Unsqueeze(0).");
        // [B, T, 4 hidden]: one product for all steps.
        var all = x.MatMul(InputWeight.Value.Cast(x.DType)) + Bias.Value.Cast(x.DType);
        var zeros = Tensor.Zeros([x.Shape[0], hidden], all.DType);
        var (h, c) = start ?? new(zeros, zeros);
        var recurrent = HiddenWeight.Value.Cast(x.DType);
        var outputs = new List<Tensor>();
        foreach (var step in all.Unstack(1))
        {
            var gates = (step + h.MatMul(recurrent)).Chunk(4, axis: 1);
            c = gates[1].Sigmoid() * c + gates[0].Sigmoid() * gates[2].Tanh();
            h = gates[3].Sigmoid() * c.Tanh();
            outputs.Add(h);
        }
        var together = outputs.Count > 0 ? Tensor.Stack([.. outputs], axis: 1)
            : Tensor.Zeros([x.Shape[0], 0, hidden], all.DType);
        return (together, new(h, c));
    }
}

/// <summary>What an <see cref="Lstm"/> remembers between steps.</summary>
/// <param name="Hidden">[B, hidden], the last output.</param>
/// <param name="Cell">[B, hidden], the cell.</param>
public sealed record LstmState(Tensor Hidden, Tensor Cell);
