using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

/// <summary>What one element of a block is, by its number: written from the descriptions of the layouts, element by
/// element.</summary>
static class BlockReference
{
    static readonly int[] nonlinear = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
    static readonly float[] e2m1 = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    public static float Decode(WeightType type, ReadOnlySpan<byte> block, int e)
    {
        int nibble(ReadOnlySpan<byte> codes) => e % 32 < 16 ? codes[e % 32] & 15 : codes[e % 32 - 16] >> 4;
        switch (type)
        {
            case WeightType.Q4_0: return (nibble(block[2..]) - 8) * Half(block, 0);
            case WeightType.Q4_1: return nibble(block[4..]) * Half(block, 0) + Half(block, 2);
            case WeightType.Q5_0: return (nibble(block[6..]) + 16 * (block[2 + e / 8] >> e % 8 & 1) - 16) * Half(block, 0);
            case WeightType.Q5_1:
                return (nibble(block[8..]) + 16 * (block[4 + e / 8] >> e % 8 & 1)) * Half(block, 0)
                + Half(block, 2);
            case WeightType.Q8_0: return (sbyte)block[2 + e] * Half(block, 0);
            case WeightType.IQ4_NL: return nonlinear[nibble(block[2..])] * Half(block, 0);
            case WeightType.MXFP4:
                int code = nibble(block[1..]);
                return (float)(Math.Pow(2, block[0] - 127) * e2m1[code & 7] * (code >= 8 ? -1 : 1));
            case WeightType.Q2_K:
                return Half(block, 80) * (block[e / 16] & 15) * (block[16 + e / 128 * 32 + e % 32] >> e % 128 / 32 * 2 & 3)
                    - Half(block, 82) * (block[e / 16] >> 4);
            case WeightType.Q3_K:
                int j = e / 16;
                int six = (j < 8 ? block[96 + j] & 15 : block[96 + j - 8] >> 4) | (block[104 + j % 4] >> j / 4 * 2 & 3) << 4;
                int three = (block[32 + e / 128 * 32 + e % 32] >> e % 128 / 32 * 2 & 3)
                    - ((block[e % 32] >> e / 32 & 1) == 1 ? 0 : 4);
                return Half(block, 108) * (six - 32) * three;
            case WeightType.Q4_K:
                {
                    var (scale, min) = SixBits(block[4..], e / 32);
                    int four = block[16 + e / 64 * 32 + e % 32] >> e % 64 / 32 * 4 & 15;
                    return Half(block, 0) * scale * four - Half(block, 2) * min;
                }
            case WeightType.Q5_K:
                {
                    var (scale, min) = SixBits(block[4..], e / 32);
                    int five = (block[48 + e / 64 * 32 + e % 32] >> e % 64 / 32 * 4 & 15)
                        + 16 * (block[16 + e % 32] >> e / 32 & 1);
                    return Half(block, 0) * scale * five - Half(block, 2) * min;
                }
            case WeightType.Q6_K:
                {
                    int half = e / 128, quarter = e % 128 / 32, l = e % 32;
                    int low = block[64 * half + l + 32 * (quarter % 2)] >> 4 * (quarter / 2) & 15;
                    int high = block[128 + 32 * half + l] >> 2 * quarter & 3;
                    return Half(block, 208) * (sbyte)block[192 + e / 16] * (low + 16 * high - 32);
                }
            case WeightType.Q8_K: return BitConverter.ToSingle(block) * (sbyte)block[4 + e];
            case WeightType.IQ4_XS:
                {
                    int part = e / 32;
                    int scale = (block[4 + part / 2] >> part % 2 * 4 & 15)
                        | (BitConverter.ToUInt16(block[2..]) >> 2 * part & 3) << 4;
                    return Half(block, 0) * (scale - 32) * nonlinear[nibble(block[(8 + 16 * part)..])];
                }
            default: throw new ArgumentOutOfRangeException(nameof(type));
        }
    }

    /// <summary>Where a block has scales in float16.</summary>
    public static int[] HalvesOf(WeightType type) => type switch
    {
        WeightType.Q4_1 or WeightType.Q5_1 or WeightType.Q4_K or WeightType.Q5_K => [0, 2],
        WeightType.Q2_K => [80, 82],
        WeightType.Q3_K => [108],
        WeightType.Q6_K => [208],
        WeightType.MXFP4 or WeightType.Q8_K => [],
        _ => [0],
    };

    static float Half(ReadOnlySpan<byte> block, int at) => (float)BitConverter.ToHalf(block[at..]);

    static (int Scale, int Min) SixBits(ReadOnlySpan<byte> packed, int j) => j < 4 ? (packed[j] & 63, packed[j + 4] & 63)
        : (packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4);
}
