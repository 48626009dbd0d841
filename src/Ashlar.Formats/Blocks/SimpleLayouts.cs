using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Formats;

// Blocks of 32 elements with one scale. The bytes of each are in docs/formats/blocks.md.

/// <summary>Scale, then 16 bytes: element i in the low half of byte i, element i + 16 in the high half.</summary>
unsafe struct Q4_0Layout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => false;
    public static int Codes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte() - Vector128.Create((sbyte)8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block);
        var pairs = Vector128.Load(block + 2);
        sink.Put(CodeBits.Low(pairs), scale, 0);
        sink.Put(CodeBits.High(pairs), scale, 0);
    }

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[32];
        Symmetric(values, block, codes, 8);
        CodeBits.PutNibbles(block + 2, codes);
    }

    /// <summary>Codes around <paramref name="middle"/>: the value farthest from zero becomes code 0.</summary>
    public static void Symmetric(float* values, byte* scaleAt, byte* codes, int middle)
    {
        float farthest = CodeBits.Farthest(values), scale = farthest / -middle, inverse = scale != 0 ? 1 / scale : 0;
        CodeBits.PutHalf(scaleAt, scale);
        for (int i = 0; i < 32; i += 8)
            CodeBits.PutEight(codes + i, Vector256.Load(values + i) * inverse + Vector256.Create(middle + 0.5f), 2 * middle - 1);
    }
}

/// <summary>Scale and minimum, then the codes as <see cref="Q4_0Layout"/> has them.</summary>
unsafe struct Q4_1Layout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => true;
    public static int Codes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block), min = -CodeBits.Half(block + 2);
        var pairs = Vector128.Load(block + 4);
        sink.Put(CodeBits.Low(pairs), scale, min);
        sink.Put(CodeBits.High(pairs), scale, min);
    }

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[32];
        Between(values, block, codes, 15);
        CodeBits.PutNibbles(block + 4, codes);
    }

    /// <summary>Codes from the least value, 0, to the greatest, <paramref name="most"/>.</summary>
    public static void Between(float* values, byte* scaleAt, byte* codes, int most)
    {
        float least = float.MaxValue, greatest = -float.MaxValue;
        for (int i = 0; i < 32; i++)
        {
            if (values[i] < least) least = values[i];
            if (values[i] > greatest) greatest = values[i];
        }
        float scale = (greatest - least) / most, inverse = scale != 0 ? 1 / scale : 0;
        CodeBits.PutHalf(scaleAt, scale);
        CodeBits.PutHalf(scaleAt + 2, least);
        for (int i = 0; i < 32; i += 8)
            CodeBits.PutEight(codes + i,
                (Vector256.Load(values + i) - Vector256.Create(least)) * inverse + Vector256.Create(0.5f), most);
    }
}

/// <summary>Scale, 32 fifth bits, then the lower four as <see cref="Q4_0Layout"/> has them.</summary>
unsafe struct Q5_0Layout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => false;
    public static int Codes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte() - Vector128.Create((sbyte)16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block);
        uint fifth = *(uint*)(block + 2);
        var pairs = Vector128.Load(block + 6);
        sink.Put(CodeBits.Low(pairs) | CodeBits.Spread(fifth, 16), scale, 0);
        sink.Put(CodeBits.High(pairs) | CodeBits.Spread(fifth >> 16, 16), scale, 0);
    }

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[32];
        Q4_0Layout.Symmetric(values, block, codes, 16);
        Put(block + 2, codes);
    }

    /// <summary>The fifth bits, then the lower four.</summary>
    public static void Put(byte* at, byte* codes)
    {
        uint fifth = 0;
        for (int i = 0; i < 32; i++) fifth |= (uint)(codes[i] >> 4 & 1) << i;
        *(uint*)at = fifth;
        CodeBits.PutNibbles(at + 4, codes);
    }
}

/// <summary>Scale and minimum, then the codes as <see cref="Q5_0Layout"/> has them.</summary>
unsafe struct Q5_1Layout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => true;
    public static int Codes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block), min = -CodeBits.Half(block + 2);
        uint fifth = *(uint*)(block + 4);
        var pairs = Vector128.Load(block + 8);
        sink.Put(CodeBits.Low(pairs) | CodeBits.Spread(fifth, 16), scale, min);
        sink.Put(CodeBits.High(pairs) | CodeBits.Spread(fifth >> 16, 16), scale, min);
    }

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[32];
        Q4_1Layout.Between(values, block, codes, 31);
        Q5_0Layout.Put(block + 4, codes);
    }
}

/// <summary>Scale, then 32 signed bytes.</summary>
unsafe struct Q8_0Layout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => false;
    public static int Codes => 256;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block);
        sink.Put(Vector128.Load(block + 2), scale, 0);
        sink.Put(Vector128.Load(block + 18), scale, 0);
    }

    public static void Encode(float* values, byte* block)
    {
        float largest = CodeBits.Largest(values), scale = largest / 127, inverse = scale != 0 ? 1 / scale : 0;
        CodeBits.PutHalf(block, scale);
        // Halves away from zero. The largest float below 0.5 keeps 0.49999997 from becoming 1.
        var sign = Vector256.Create(-0f);
        var half = Vector256.Create(0.49999997f);
        for (int i = 0; i < 32; i += 16)
        {
            var (low, high) = (Vector256.Load(values + i) * inverse, Vector256.Load(values + i + 8) * inverse);
            var codes = Vector256.Narrow(Vector256.ConvertToInt32(low + (low & sign | half)),
                Vector256.ConvertToInt32(high + (high & sign | half)));
            Vector128.Narrow(codes.GetLower(), codes.GetUpper()).Store((sbyte*)block + 2 + i);
        }
    }
}

/// <summary>Scale, then codes as <see cref="Q4_0Layout"/> has them, into a table that is denser around zero.</summary>
unsafe struct IQ4_NLLayout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => false;
    public static int Codes => 16;

    public static Vector128<sbyte> Table =>
        Vector128.Create(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => Vector128.Shuffle(Table, codes.AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink =>
        Q4_0Layout.Read(block, ref sink);

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[32];
        float scale = TableSearch.Scale(values);
        CodeBits.PutHalf(block, scale);
        TableSearch.Nearest(values, scale != 0 ? 1 / scale : 0, codes);
        CodeBits.PutNibbles(block + 2, codes);
    }
}

/// <summary>The exponent of the scale, then 4-bit floats as <see cref="Q4_0Layout"/> has its codes (OCP Microscaling Formats,
/// MXFP4).</summary>
/// <remarks>The table holds twice the values of E2M1, which are whole, and the scale is half of what the exponent says.</remarks>
unsafe struct MXFP4Layout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => false;
    public static int Codes => 16;

    static Vector128<sbyte> Table => Vector128.Create(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => Vector128.Shuffle(Table, codes.AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = HalfScale(*block);
        var pairs = Vector128.Load(block + 1);
        sink.Put(CodeBits.Low(pairs), scale, 0);
        sink.Put(CodeBits.High(pairs), scale, 0);
    }

    public static void Encode(float* values, byte* block)
    {
        float largest = CodeBits.Largest(values);
        *block = largest > 0 ? (byte)Math.Clamp((int)MathF.Floor(MathF.Log2(largest)) - 2 + 127, 0, 254) : (byte)0;
        float scale = HalfScale(*block);
        byte* codes = stackalloc byte[32];
        var table = Table;
        for (int i = 0; i < 32; i += 8)
        {
            var value = Vector256.Load(values + i);
            var (least, nearest) = (Vector256.Create(float.PositiveInfinity), Vector256<float>.Zero);
            for (int code = 0; code < 16; code++)
            {
                var error = Vector256.Abs(Vector256.Create(table[code] * scale) - value);
                var isNearer = Vector256.LessThan(error, least);
                least = Vector256.ConditionalSelect(isNearer, error, least);
                nearest = Vector256.ConditionalSelect(isNearer, Vector256.Create((float)code), nearest);
            }
            CodeBits.PutEight(codes + i, nearest, 15);
        }
        CodeBits.PutNibbles(block + 1, codes);
    }

    /// <summary>2^(exponent - 128); the two least are subnormal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float HalfScale(byte exponent) =>
        BitConverter.UInt32BitsToSingle(exponent < 2 ? 0x00200000u << exponent : (uint)(exponent - 1) << 23);
}
