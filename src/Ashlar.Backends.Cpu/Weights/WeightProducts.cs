namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Which engine multiplies by packed weights.</summary>
static class WeightProducts
{
    /// <summary>The fastest engine that path and machine have for a call.</summary>
    public static WeightProduct Choose(in WeightCall call, Isa isa, bool usesTiles)
    {
        _ = usesTiles;
        return RowWeightProduct.WhyNot(isa) is null ? new RowWeightProduct(call.Weight.Encoding) : new FloatWeightProduct(isa);
    }
}
