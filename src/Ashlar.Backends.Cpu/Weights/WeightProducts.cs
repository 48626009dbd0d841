using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Which engine multiplies by packed weights.</summary>
static class WeightProducts
{
    /// <summary>The fastest engine that path and machine have for a call.</summary>
    public static WeightProduct Choose(in WeightCall call, Isa isa, bool usesTiles)
    {
        if (usesTiles && call.Rows > MostRows(call.Weight.Encoding) * call.Weight.Count
            && MatrixUnit.Takes(isa, TileProduct.BF16))
            return new TileWeightProduct(call.Weight);
        return RowWeightProduct.WhyNot(isa) is null ? new RowWeightProduct(call.Weight.Encoding) : new FloatWeightProduct(isa);
    }

    // Rows of each matrix up to which vectors are faster than tiles. Tiles take bfloat16 weights as they lie; others are decoded
    // first, while dot products of bytes do a row of codes in a quarter of a float row's time.
    static long MostRows(WeightEncoding encoding) => encoding.Code switch
    {
        WeightCode.BF16 => 10,
        WeightCode.F16 => 12,
        _ => 28,
    };
}
