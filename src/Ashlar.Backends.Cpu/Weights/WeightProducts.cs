namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Which engine multiplies by packed weights.</summary>
static class WeightProducts
{
    /// <summary>The fastest engine that path and machine have for a call.</summary>
    public static WeightProduct Choose(in WeightCall call, Isa isa, bool usesTiles)
    {
        _ = (call, usesTiles);
        return new FloatWeightProduct(isa);
    }
}
