namespace Ashlar;

/// <summary>The function of a gate: <c>f(gate) * up</c> (Shazeer 2020, arXiv:2002.05202).</summary>
public enum WeightGate
{
    /// <summary>x sigmoid(x): SwiGLU.</summary>
    Silu,
    /// <summary>Gelu by its approximation with tanh: GeGLU.</summary>
    Gelu,
}

/// <summary>The names of gates in listings.</summary>
public static class WeightGates
{
    /// <summary>The gate of a name; null where there is none.</summary>
    public static WeightGate? Parse(string name) => name switch
    {
        "silu" => WeightGate.Silu,
        "gelu" => WeightGate.Gelu,
        _ => null,
    };

    extension(WeightGate gate)
    {
        /// <summary>Its name: <c>silu</c>, <c>gelu</c>.</summary>
        public string Name => gate == WeightGate.Silu ? "silu" : "gelu";

        /// <summary>What one pair gives.</summary>
        /// <param name="x">The gate.</param>
        /// <param name="up">What passes it.</param>
        public double Apply(double x, double up)
        {
            double inner = Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
            return up * (gate == WeightGate.Silu ? x / (1 + Math.Exp(-x)) : 0.5 * x * (1 + Math.Tanh(inner)));
        }
    }
}
