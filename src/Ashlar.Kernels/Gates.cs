using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>Gated activations of feed-forward layers, forward and backward, in one pass over memory each.</summary>
/// <remarks>Source: Shazeer 2020, arXiv:2002.05202.</remarks>
public static class Gates
{
    /// <summary><c>y = silu(gate) * up</c>, element by element: gate and up [N].</summary>
    /// <param name="dtype">Element type; computed in float32.</param>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel SwiGlu(DType dtype = DType.Float32, int tile = 4096) => Forward("swiglu", dtype, tile, Silu);

    /// <summary>The gradients of <see cref="SwiGlu"/>: dy, gate and up [N] give those of gate and up.</summary>
    /// <param name="dtype">Element type; computed in float32.</param>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel SwiGluBackward(DType dtype = DType.Float32, int tile = 4096) =>
        Backward("swiglu_backward", dtype, tile, Silu, gate =>
    {
        var s = Sigmoid(gate);
        return s * (1f + gate * (1f - s));
    });

    /// <summary><c>y = gelu(gate) * up</c>, element by element: gate and up [N]; gelu by its approximation with tanh.</summary>
    /// <param name="dtype">Element type; computed in float32.</param>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel GeGlu(DType dtype = DType.Float32, int tile = 4096) => Forward("geglu", dtype, tile, Gelu);

    /// <summary>The gradients of <see cref="GeGlu"/>: dy, gate and up [N] give those of gate and up.</summary>
    /// <param name="dtype">Element type; computed in float32.</param>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel GeGluBackward(DType dtype = DType.Float32, int tile = 4096) =>
        Backward("geglu_backward", dtype, tile, Gelu, gate =>
    {
        var t = Tanh(Inner(gate));
        return 0.5f * (1f + t) + 0.5f * gate * (1f - t * t) * (Root + 3 * Cubic * Root * gate * gate);
    });

    const float Root = 0.7978845608f, Cubic = 0.044715f;   // sqrt(2 / pi); Hendrycks and Gimpel 2016, arXiv:1606.08415

    static KernelValue Silu(KernelValue x) => x * Sigmoid(x);

    static KernelValue Gelu(KernelValue x) => 0.5f * x * (1f + Tanh(Inner(x)));

    static KernelValue Inner(KernelValue x) => Root * (x + Cubic * x * x * x);

    static Kernel Forward(string name, DType dtype, int tile, Func<KernelValue, KernelValue> activation) =>
        Kernel.Define(name, k =>
    {
        var (gate, up) = (k.Input("gate", dtype, "N"), k.Input("up", dtype, "N"));
        var y = k.Output("y", dtype, "N");
        var n = k.Grid(("N", tile));
        y[n] = Cast(activation(Cast(gate[n], DType.Float32)) * Cast(up[n], DType.Float32), dtype);
    });

    static Kernel Backward(string name, DType dtype, int tile, Func<KernelValue, KernelValue> activation,
        Func<KernelValue, KernelValue> slope) =>
        Kernel.Define(name, k =>
        {
            var (dy, gate, up) = (k.Input("dy", dtype, "N"), k.Input("gate", dtype, "N"), k.Input("up", dtype, "N"));
            var (dGate, dUp) = (k.Output("dgate", dtype, "N"), k.Output("dup", dtype, "N"));
            var n = k.Grid(("N", tile));
            var (d, g, u) = (Cast(dy[n], DType.Float32), Cast(gate[n], DType.Float32), Cast(up[n], DType.Float32));
            dGate[n] = Cast(d * u * slope(g), dtype);
            dUp[n] = Cast(d * activation(g), dtype);
        });
}
