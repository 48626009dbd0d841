using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Formats;

/// <summary>Takes what a layout reads out of a block: 16 codes after another, with their scale and minimum.</summary>
interface ICodeSink
{
    void Put(Vector128<byte> codes, float scale, float min);
}

/// <summary>How the codes, scales and minima of a type lie in its blocks.</summary>
unsafe interface IBlockLayout
{
    /// <summary>How many elements share a scale.</summary>
    static abstract int SubBlock { get; }

    static abstract bool HasMins { get; }

    /// <summary>How many codes there are.</summary>
    static abstract int Codes { get; }

    /// <summary>What codes mean before the scale.</summary>
    static abstract Vector128<sbyte> Values(Vector128<byte> codes);

    /// <summary>Hands all codes of a block to the sink, in the order of the elements.</summary>
    static abstract void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink;

    static abstract void Encode(float* values, byte* block);
}

/// <summary>The codec of a layout: decoding and unpacking are the same walk over a block, so they cannot disagree.</summary>
sealed unsafe class LayoutCodec<TLayout>(WeightType type) : BlockCodec(type, true, TLayout.SubBlock, TLayout.HasMins, MakeTable())
    where TLayout : struct, IBlockLayout
{
    private protected override void DecodeBlocks(byte* blocks, float* values, int count)
    {
        var sink = new FloatSink { To = values };
        for (int i = 0; i < count; i++) TLayout.Read(blocks + (nint)i * Bytes, ref sink);
    }

    private protected override void UnpackBlocks(byte* blocks, byte* codes, float* scales, float* mins, int count)
    {
        var sink = new CodeSink { Codes = codes, Scales = scales, Mins = mins };
        for (int i = 0; i < count; i++) TLayout.Read(blocks + (nint)i * Bytes, ref sink);
    }

    private protected override void EncodeBlocks(float* values, byte* blocks, int count)
    {
        for (int i = 0; i < count; i++) TLayout.Encode(values + (nint)i * Elements, blocks + (nint)i * Bytes);
    }

    static float[] MakeTable()
    {
        float[] table = new float[TLayout.Codes];
        for (int code = 0; code < table.Length; code++) table[code] = TLayout.Values(Vector128.Create((byte)code))[0];
        return table;
    }

    struct FloatSink : ICodeSink
    {
        public float* To;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Put(Vector128<byte> codes, float scale, float min)
        {
            var values = TLayout.Values(codes);
            // A product and then a difference, each rounded: a fused operation would round once and give other bits than ggml.
            if (Vector512.IsHardwareAccelerated)
            {
                var scaled = Vector512.ConvertToSingle(Avx512F.ConvertToVector512Int32(values)) * scale;
                if (TLayout.HasMins) scaled -= Vector512.Create(min);
                scaled.Store(To);
            }
            else if (Avx2.IsSupported)
            {
                var low = Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(values)) * scale;
                var high = Vector256.ConvertToSingle(
                    Avx2.ConvertToVector256Int32(Sse2.ShiftRightLogical128BitLane(values, 8))) * scale;
                if (TLayout.HasMins) (low, high) = (low - Vector256.Create(min), high - Vector256.Create(min));
                low.Store(To);
                high.Store(To + 8);
            }
            else
            {
                var (low, high) = Vector128.Widen(values);
                Put4(Vector128.WidenLower(low), scale, min, 0);
                Put4(Vector128.WidenUpper(low), scale, min, 4);
                Put4(Vector128.WidenLower(high), scale, min, 8);
                Put4(Vector128.WidenUpper(high), scale, min, 12);
            }
            To += 16;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        readonly void Put4(Vector128<int> values, float scale, float min, int at)
        {
            var scaled = Vector128.ConvertToSingle(values) * scale;
            if (TLayout.HasMins) scaled -= Vector128.Create(min);
            scaled.Store(To + at);
        }
    }

    struct CodeSink : ICodeSink
    {
        public byte* Codes;
        public float* Scales, Mins;
        int elements;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Put(Vector128<byte> codes, float scale, float min)
        {
            codes.Store(Codes);
            Codes += 16;
            if (elements == 0)
            {
                *Scales++ = scale;
                if (TLayout.HasMins) *Mins++ = min;
            }
            elements += 16;
            if (elements == TLayout.SubBlock) elements = 0;
        }
    }
}

/// <summary>What several layouts do to codes of 16 elements.</summary>
static unsafe class CodeBits
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Half(byte* at) => (float)BitConverter.UInt16BitsToHalf(*(ushort*)at);

    /// <summary>Rounds to float16, stores it, and gives the rounded value.</summary>
    public static float PutHalf(byte* at, float value)
    {
        var half = (Half)value;
        *(ushort*)at = BitConverter.HalfToUInt16Bits(half);
        return (float)half;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Low(Vector128<byte> pairs) => pairs & Vector128.Create((byte)0xf);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> High(Vector128<byte> pairs) => (pairs.AsUInt16() >> 4).AsByte() & Vector128.Create((byte)0xf);

    /// <summary>Bits [shift, shift + 2) of each byte.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Two(Vector128<byte> bytes, int shift) =>
        (bytes.AsUInt16() >> shift).AsByte() & Vector128.Create((byte)3);

    /// <summary>A byte of <paramref name="value"/> for every set bit of 16, zero for the others.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Spread(uint bits, byte value)
    {
        var each = Vector128.Create(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128).AsByte();
        var mine = Vector128.Create((ulong)(byte)bits * 0x0101010101010101UL, (ulong)(byte)(bits >> 8) * 0x0101010101010101UL)
            .AsByte();
        return Vector128.Equals(mine & each, each) & Vector128.Create(value);
    }

    /// <summary>The greatest absolute value of 32.</summary>
    public static float Largest(float* values)
    {
        var most = Vector256.Max(Vector256.Max(Vector256.Abs(Vector256.Load(values)), Vector256.Abs(Vector256.Load(values + 8))),
            Vector256.Max(Vector256.Abs(Vector256.Load(values + 16)), Vector256.Abs(Vector256.Load(values + 24))));
        var four = Vector128.Max(most.GetLower(), most.GetUpper());
        return Math.Max(Math.Max(four[0], four[1]), Math.Max(four[2], four[3]));
    }

    /// <summary>The first of 32 values that is as far from zero as any.</summary>
    public static float Farthest(float* values)
    {
        float largest = Largest(values);
        for (int i = 0; i < 32; i++)
            if (Math.Abs(values[i]) == largest) return values[i];
        return 0;
    }

    /// <summary>Stores eight codes: the whole parts of values, which are at least 0, and at most <paramref
    /// name="most"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void PutEight(byte* at, Vector256<float> values, int most)
    {
        var codes = Vector256.Max(Vector256.Min(Vector256.ConvertToInt32(values), Vector256.Create(most)), Vector256<int>.Zero);
        var half = Vector128.Narrow(codes.GetLower(), codes.GetUpper());
        *(ulong*)at = Vector128.Narrow(half, half).AsUInt64()[0];
    }

    /// <summary>Stores 32 codes of up to 4 bits: element i beside element i + 16.</summary>
    public static void PutNibbles(byte* at, byte* codes)
    {
        for (int i = 0; i < 16; i++) at[i] = (byte)(codes[i] & 0xf | (codes[i + 16] & 0xf) << 4);
    }
}
