using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Puts keys and values of new tokens into cache pages.</summary>
static unsafe class PageWriter
{
    /// <summary>Writes one token of one head. The first token of a page clears it: what a text before left there may be no
    /// number.</summary>
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
                WriteRounded(layout, page, slot, key, value);
                break;
            default:
                for (int d = 0; d < layout.KeyWidth; d++) *(sbyte*)(page + layout.KeyOffset(d, slot)) = Code(key[d], keyFactor);
                for (int d = 0; d < layout.ValueWidth; d++)
                    *(sbyte*)(page + layout.ValueOffset(d, slot)) = Code(value[d], valueFactor);
                break;
        }
    }

    // The offsets of the layout, step by step: a key runs down a column of its panel, a value along a row of each of its panels.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void WriteRounded(PageLayout layout, byte* page, int slot, float* key, float* value)
    {
        ushort* bits = stackalloc ushort[PageLayout.Panel];
        byte* column = page + layout.KeyOffset(0, slot);
        for (int d = 0; d < layout.KeyWidth; d += PageLayout.Panel, column += PagePanels.StepBytes)
            if (d + PageLayout.Panel <= layout.KeyWidth)
            {
                PagePanels.Brain(Vector512.Load(key + d), Vector512.Load(key + d + 16)).Store(bits);
                for (int i = 0; i < PageLayout.Panel / 2; i++) *(uint*)(column + i * 64) = ((uint*)bits)[i];
            }
            else
                for (int i = 0; d + i < layout.KeyWidth; i++) *(ushort*)(column + i / 2 * 64 + i % 2 * 2) = Rounded(key[d + i]);
        byte* row = page + layout.ValueOffset(0, slot);
        for (int d = 0; d < layout.ValueWidth; d += 16, row += PagePanels.StepBytes / 2)
            for (int i = 0; i < 16 && d + i < layout.ValueWidth; i++) *(ushort*)(row + i * 4) = Rounded(value[d + i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ushort Rounded(float number)
    {
        uint bits = BitConverter.SingleToUInt32Bits(number);
        return float.IsNaN(number) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static float Factor(float* numbers, int count)
    {
        float most = 0;
        for (int d = 0; d < count; d++) most = MathF.Max(most, MathF.Abs(numbers[d]));   // a NaN stays one, and so do the scores
        return most / 127;
    }

    static sbyte Code(float number, float factor) =>
        factor == 0 || float.IsNaN(factor) ? (sbyte)0 : (sbyte)MathF.Round(Math.Clamp(number / factor, -127, 127));
}
