using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Formats;

// Types without scales. Conversions from 16 and 8 bits use what the formats have in common: moved to the place of a float32's
// exponent and fraction,
// the bits mean the right value but for a power of two, subnormal ones too.

sealed unsafe class F32Codec() : BlockCodec(WeightType.F32, canEncode: true)
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count) =>
        new Span<byte>(blocks, 4 * count).CopyTo(new Span<byte>(values, 4 * count));

    private protected override void EncodeBlocks(float* values, byte* blocks, int count) =>
        new Span<byte>(values, 4 * count).CopyTo(new Span<byte>(blocks, 4 * count));
}

sealed unsafe class BF16Codec() : BlockCodec(WeightType.BF16, canEncode: true)
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count)
    {
        ushort* from = (ushort*)blocks;
        int i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(from + i));
            (low << 16).AsSingle().Store(values + i);
            (high << 16).AsSingle().Store(values + i + 8);
        }
        for (; i < count; i++) values[i] = BFloat16.FromBits(from[i]);
    }

    private protected override void EncodeBlocks(float* values, byte* blocks, int count)
    {
        ushort* to = (ushort*)blocks;
        int i = 0;
        for (; i + 16 <= count; i += 16) Vector256.Narrow(Rounded(values + i), Rounded(values + i + 8)).Store(to + i);
        for (; i < count; i++) to[i] = ((BFloat16)values[i]).Bits;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<uint> Rounded(float* at)
    {
        var value = Vector256.Load(at);
        var bits = value.AsUInt32();
        var nearest = bits + Vector256.Create(0x7fffu) + (bits >> 16 & Vector256<uint>.One) >> 16;
        return Vector256.ConditionalSelect(Vector256.Equals(value, value).AsUInt32(), nearest,
            bits >> 16 | Vector256.Create(0x40u));
    }
}

sealed unsafe class F16Codec() : BlockCodec(WeightType.F16, canEncode: true)
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count)
    {
        ushort* from = (ushort*)blocks;
        int i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(from + i));
            Widened(low).Store(values + i);
            Widened(high).Store(values + i + 8);
        }
        for (; i < count; i++) values[i] = (float)BitConverter.UInt16BitsToHalf(from[i]);
    }

    /// <summary>Float32 of the bits of float16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widened(Vector256<uint> half)
    {
        var rest = half & Vector256.Create(0x7fffu);
        var value = ((rest << 13).AsSingle() * BitConverter.UInt32BitsToSingle(0x77800000)).AsUInt32();   // times 2^112
        value |= Vector256.GreaterThanOrEqual(rest, Vector256.Create(0x7c00u)) & Vector256.Create(0x7f800000u);
        return (value | (half & Vector256.Create(0x8000u)) << 16).AsSingle();
    }

    private protected override void EncodeBlocks(float* values, byte* blocks, int count)
    {
        ushort* to = (ushort*)blocks;
        int i = 0;
        for (; i + 16 <= count; i += 16) Vector256.Narrow(Narrowed(values + i), Narrowed(values + i + 8)).Store(to + i);
        for (; i < count; i++) to[i] = BitConverter.HalfToUInt16Bits((Half)values[i]);
    }

    /// <summary>Bits of the nearest float16, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<uint> Narrowed(float* at)
    {
        var bits = Vector256.Load(at).AsUInt32();
        var sign = bits >> 16 & Vector256.Create(0x8000u);
        var rest = bits & Vector256.Create(0x7fffffffu);
        var normal = rest + Vector256.Create(0xc8000fffu) + (rest >> 13 & Vector256<uint>.One) >> 13;
        // Adding 0.5 leaves the bits of a subnormal float16, rounded by the adder, at the end of the sum.
        var small = (rest.AsSingle() + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(0x3f000000u);
        var special = Vector256.ConditionalSelect(Vector256.GreaterThan(rest, Vector256.Create(0x7f800000u)),
            Vector256.Create(0x7e00u) | rest >> 13 & Vector256.Create(0x3ffu), Vector256.Create(0x7c00u));
        var finite = Vector256.ConditionalSelect(Vector256.LessThan(rest, Vector256.Create(0x38800000u)), small, normal);
        return sign | Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(rest, Vector256.Create(0x47800000u)), special,
            finite);
    }
}

/// <summary>The upper byte of float16.</summary>
sealed unsafe class F8E5M2Codec() : BlockCodec(WeightType.F8E5M2, canEncode: false)
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count)
    {
        int i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.WidenLower(Vector128.Load(blocks + i).ToVector256()));
            F16Codec.Widened(low << 8).Store(values + i);
            F16Codec.Widened(high << 8).Store(values + i + 8);
        }
        for (; i < count; i++) values[i] = (float)BitConverter.UInt16BitsToHalf((ushort)(blocks[i] << 8));
    }
}

/// <summary>No infinity: all ones are NaN, and 448 is the greatest (Micikevicius et al. 2022, arXiv:2209.05433).</summary>
sealed unsafe class F8E4M3Codec() : BlockCodec(WeightType.F8E4M3, canEncode: false)
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count)
    {
        int i = 0;
        for (; i + 16 <= count; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.WidenLower(Vector128.Load(blocks + i).ToVector256()));
            Widened(low).Store(values + i);
            Widened(high).Store(values + i + 8);
        }
        for (; i < count; i++) values[i] = Widened(Vector256.Create((uint)blocks[i]))[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> Widened(Vector256<uint> eight)
    {
        var rest = eight & Vector256.Create(0x7fu);
        var value = ((rest << 20).AsSingle() * BitConverter.UInt32BitsToSingle(0x7b800000)).AsUInt32();   // times 2^120
        value |= Vector256.Equals(rest, Vector256.Create(0x7fu)) & Vector256.Create(0x7fc00000u);
        return (value | (eight & Vector256.Create(0x80u)) << 24).AsSingle();
    }
}

/// <summary>2^(byte - 127); 255 is NaN (OCP Microscaling Formats).</summary>
sealed unsafe class F8E8M0Codec() : BlockCodec(WeightType.F8E8M0, canEncode: false)
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count)
    {
        for (int i = 0; i < count; i++)
            values[i] = blocks[i] switch
            {
                255 => float.NaN,
                0 => BitConverter.UInt32BitsToSingle(0x00400000),
                _ =>
                BitConverter.UInt32BitsToSingle((uint)blocks[i] << 23)
            };
    }
}

/// <summary>Integers and float64, converted one by one to the nearest float32.</summary>
static class NumberCodec
{
    public static BlockCodec Of<T>(WeightType type) where T : unmanaged, INumber<T> => new Codec<T>(type);

    sealed unsafe class Codec<T>(WeightType type) : BlockCodec(type, canEncode: false) where T : unmanaged, INumber<T>
    {
        private protected override void DecodeBlocks(byte* blocks, float* values, int count)
        {
            for (int i = 0; i < count; i++) values[i] = float.CreateTruncating(
                Unsafe.ReadUnaligned<T>(blocks + (nint)i * sizeof(T)));
        }
    }
}
