using System.Runtime.CompilerServices;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Puts keys and values of new tokens into cache pages.</summary>
static unsafe class PageWriter
{
    /// <summary>Writes one token of one head. The first token of a page clears it: what a text before left there may be no number.</summary>
    /// <param name="layout">How the page lies.</param>
    /// <param name="page">The page of the head.</param>
    /// <param name="slot">Which token of the page.</param>
    /// <param name="key">The key's numbers.</param>
    /// <param name="value">The value's numbers.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(PageLayout layout, byte* page, int slot, float* key, float* value)
    {
        if (slot == 0) new Span<byte>(page, (int)layout.Bytes).Clear();
        float keyFactor = 1, valueFactor = 1;
        if (layout.HasFactors)
        {
            var factors = (float*)(page + layout.FactorOffset);
            factors[slot] = keyFactor = Factor(key, layout.KeyWidth);
            factors[PageLayout.Tokens + slot] = valueFactor = Factor(value, layout.ValueWidth);
        }
        switch (layout.DType)
        {
            case DType.Float32:
                for (int d = 0; d < layout.KeyWidth; d++) *(float*)(page + layout.KeyOffset(d, slot)) = key[d];
                for (int d = 0; d < layout.ValueWidth; d++) *(float*)(page + layout.ValueOffset(d, slot)) = value[d];
                break;
            case DType.BFloat16:
                for (int d = 0; d < layout.KeyWidth; d++) *(BFloat16*)(page + layout.KeyOffset(d, slot)) = (BFloat16)key[d];
                for (int d = 0; d < layout.ValueWidth; d++) *(BFloat16*)(page + layout.ValueOffset(d, slot)) = (BFloat16)value[d];
                break;
            default:
                for (int d = 0; d < layout.KeyWidth; d++) *(sbyte*)(page + layout.KeyOffset(d, slot)) = Code(key[d], keyFactor);
                for (int d = 0; d < layout.ValueWidth; d++) *(sbyte*)(page + layout.ValueOffset(d, slot)) = Code(value[d], valueFactor);
                break;
        }
    }

    static float Factor(float* numbers, int count)
    {
        float most = 0;
        for (int d = 0; d < count; d++) most = MathF.Max(most, MathF.Abs(numbers[d]));   // a NaN stays one, and so do the scores
        return most / 127;
    }

    static sbyte Code(float number, float factor) => factor == 0 || float.IsNaN(factor) ? (sbyte)0 : (sbyte)MathF.Round(Math.Clamp(number / factor, -127, 127));
}
