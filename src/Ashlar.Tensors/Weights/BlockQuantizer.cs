namespace Ashlar;

/// <summary>Rounds floats to codes with a scale per block: the rules of Q8_0, Q4_0, Q4_1 and their kin.</summary>
static class BlockQuantizer
{
    /// <summary>Quantises a row whose length is a whole number of steps, so of blocks.</summary>
    /// <param name="encoding">Blocks, table, and whether there are minima.</param>
    /// <param name="row">The floats.</param>
    /// <param name="codes">One byte each.</param>
    /// <param name="scales">One per block; a block of zeros has the scale 0.</param>
    /// <param name="minima">One per block where the encoding has minima; else empty.</param>
    /// <returns>False where a number is NaN or infinite.</returns>
    public static bool Quantize(WeightEncoding encoding, ReadOnlySpan<float> row, Span<byte> codes, Span<float> scales,
        Span<float> minima)
    {
        int block = encoding.Block;
        bool isFinite = true;
        for (int i = 0; i < scales.Length; i++)
        {
            var from = row.Slice(i * block, block);
            var to = codes.Slice(i * block, block);
            float least = from[0], greatest = from[0], sum = 0;
            foreach (float value in from)
            {
                least = Math.Min(least, value);
                greatest = Math.Max(greatest, value);
                sum += value - value;                  // NaN for what is not finite
            }
            isFinite &= sum == 0;
            var (scale, minimum) = encoding.HasMinimum
                ? Range(encoding, least, greatest)
                : (Magnitude(encoding, least, greatest), 0);
            scales[i] = scale;
            if (encoding.HasMinimum) minima[i] = minimum;
            float inverse = scale == 0 ? 0 : 1 / scale;
            if (encoding.Code == WeightCode.Int8)
                for (int k = 0; k < block; k++)
                    to[k] = (byte)(sbyte)Math.Clamp(MathF.Round((from[k] + minimum) * inverse), -128, 127);
            else
                for (int k = 0; k < block; k++) to[k] = Nearest(encoding, (from[k] + minimum) * inverse);
        }
        return isFinite;
    }

    // The number of greatest magnitude becomes the code of greatest magnitude.
    static float Magnitude(WeightEncoding encoding, float least, float greatest)
    {
        float extreme = -least > greatest ? least : greatest;
        if (encoding.Code == WeightCode.Int8) return MathF.Abs(extreme) / 127;
        return encoding.Table switch
        {
            WeightTable.Centered => extreme / -8,
            WeightTable.FromZero => Math.Max(greatest, 0) / 15,
            WeightTable.IQ4NL => extreme / -127,
            // MXFP4: a power of two.
            _ => extreme == 0 ? 0 : MathF.ScaleB(1, (int)MathF.Floor(MathF.Log2(MathF.Abs(extreme))) - 2),
        };
    }

    static (float Scale, float Minimum) Range(WeightEncoding encoding, float least, float greatest)
    {
        float low = -128, high = 127;
        if (encoding.Code == WeightCode.Int4)
        {
            low = float.MaxValue;
            high = float.MinValue;
            foreach (float value in encoding.Values) (low, high) = (Math.Min(low, value), Math.Max(high, value));
        }
        float scale = (greatest - least) / (high - low);
        return (scale, scale * low - least);
    }

    static byte Nearest(WeightEncoding encoding, float value)
    {
        if (encoding.Table == WeightTable.Centered) return (byte)Math.Clamp((int)(value + 8.5f), 0, 15);
        if (encoding.Table == WeightTable.FromZero) return (byte)Math.Clamp((int)(value + 0.5f), 0, 15);
        var values = encoding.Values;
        int best = 0;
        for (int code = 1; code < values.Length; code++)
            if (Math.Abs(values[code] - value) < Math.Abs(values[best] - value)) best = code;
        return (byte)best;
    }
}
