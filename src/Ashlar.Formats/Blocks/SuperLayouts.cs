using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Ashlar.Formats;

// Blocks of 256 elements whose sub-blocks have scales of few bits. The bytes of each are in docs/formats/blocks.md.

/// <summary>16 pairs of scale and minimum of 4 bits, codes of 2 bits, then the scales of both.</summary>
unsafe struct Q2_KLayout : IBlockLayout
{
    public static int SubBlock => 16;
    public static bool HasMins => true;
    public static int Codes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block + 80), min = CodeBits.Half(block + 82);
        byte* pair = block;
        for (byte* codes = block + 16; codes < block + 80; codes += 32)
        {
            var (low, high) = (Vector128.Load(codes), Vector128.Load(codes + 16));
            for (int shift = 0; shift < 8; shift += 2, pair += 2)
            {
                sink.Put(CodeBits.Two(low, shift), scale * (pair[0] & 0xf), min * (pair[0] >> 4));
                sink.Put(CodeBits.Two(high, shift), scale * (pair[1] & 0xf), min * (pair[1] >> 4));
            }
        }
    }

    public static void Encode(float* values, byte* block)
    {
        float* weights = stackalloc float[16], scales = stackalloc float[16], mins = stackalloc float[16];
        float mostScale = 0, mostMin = 0;
        for (int j = 0; j < 16; j++)
        {
            for (int i = 0; i < 16; i++) weights[i] = Math.Abs(values[16 * j + i]);
            (scales[j], mins[j]) = ScaleSearch.WithMin(values + 16 * j, weights, 16, 3, -0.5f, 15, isAbsolute: true);
            (mostScale, mostMin) = (Math.Max(mostScale, scales[j]), Math.Max(mostMin, mins[j]));
        }
        float scale = CodeBits.PutHalf(block + 80, mostScale / 15), min = CodeBits.PutHalf(block + 82, mostMin / 15);
        byte* codes = stackalloc byte[256];
        for (int j = 0; j < 16; j++)
        {
            int s = mostScale > 0 ? (int)MathF.Round(15 / mostScale * scales[j]) : 0,
                m = mostMin > 0 ? (int)MathF.Round(15 / mostMin * mins[j]) : 0;
            block[j] = (byte)(s | m << 4);
            SuperBlock.Round(values + 16 * j, codes + 16 * j, 16, scale * s, min * m, 3);
        }
        SuperBlock.PutTwo(block + 16, codes);
    }
}

/// <summary>Third bits, codes of 2 bits, 16 scales of 6 bits, then their scale.</summary>
unsafe struct Q3_KLayout : IBlockLayout
{
    public static int SubBlock => 16;
    public static bool HasMins => false;
    public static int Codes => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte() - Vector128.Create((sbyte)4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block + 108);
        uint* packed = (uint*)(block + 96);
        // the 16 scales, 6 bits in a byte each: four low bits in order, two high ones woven in packed[2]
        uint* six = stackalloc uint[4];
        six[0] = packed[0] & 0x0f0f0f0f | (packed[2] & 0x03030303) << 4;
        six[1] = packed[1] & 0x0f0f0f0f | (packed[2] >> 2 & 0x03030303) << 4;
        six[2] = packed[0] >> 4 & 0x0f0f0f0f | (packed[2] >> 4 & 0x03030303) << 4;
        six[3] = packed[1] >> 4 & 0x0f0f0f0f | (packed[2] >> 6 & 0x03030303) << 4;
        byte* scales = (byte*)six;
        var (thirdLow, thirdHigh) = (Vector128.Load(block), Vector128.Load(block + 16));
        byte bit = 1;
        for (byte* codes = block + 32; codes < block + 96; codes += 32)
        {
            var (low, high) = (Vector128.Load(codes), Vector128.Load(codes + 16));
            for (int shift = 0; shift < 8; shift += 2, scales += 2, bit <<= 1)
            {
                var mask = Vector128.Create(bit);
                var four = Vector128.Create((byte)4);
                sink.Put(CodeBits.Two(low, shift) | Vector128.Equals(thirdLow & mask, mask) & four, scale * (scales[0] - 32), 0);
                sink.Put(CodeBits.Two(high, shift) | Vector128.Equals(thirdHigh & mask, mask) & four, scale * (scales[1] - 32),
                    0);
            }
        }
    }

    public static void Encode(float* values, byte* block)
    {
        new Span<byte>(block, 110).Clear();
        float* scales = stackalloc float[16];
        float largest = 0, farthest = 0;
        for (int j = 0; j < 16; j++)
        {
            scales[j] = ScaleSearch.SymmetricByDescent(values + 16 * j, 4);
            if (Math.Abs(scales[j]) > largest) (largest, farthest) = (Math.Abs(scales[j]), scales[j]);
        }
        float inverse = farthest != 0 ? -32 / farthest : 0;
        float scale = CodeBits.PutHalf(block + 108, inverse != 0 ? 1 / inverse : 0);
        byte* codes = stackalloc byte[256];
        for (int j = 0; j < 16; j++)
        {
            int s = inverse == 0 ? 0 : Math.Clamp((int)MathF.Round(inverse * scales[j]), -32, 31) + 32;
            if (inverse != 0)
            {
                block[96 + j % 8] |= (byte)((s & 0xf) << (j < 8 ? 0 : 4));
                block[104 + j % 4] |= (byte)((s >> 4) << 2 * (j / 4));
            }
            SuperBlock.RoundAround(values + 16 * j, codes + 16 * j, scale * (s - 32), 4);
        }
        for (int i = 0; i < 256; i++)
        {
            if (codes[i] > 3) block[i % 32] |= (byte)(1 << i / 32);
            codes[i] &= 3;
        }
        SuperBlock.PutTwo(block + 32, codes);
    }
}

/// <summary>Scales of both, 8 pairs of scale and minimum of 6 bits, then codes of 4 bits.</summary>
unsafe struct Q4_KLayout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => true;
    public static int Codes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block), min = CodeBits.Half(block + 2);
        var (scales, mins) = SuperBlock.SixBits(block + 4);
        for (byte* codes = block + 16; codes < block + 144; codes += 32, scales >>= 16, mins >>= 16)
        {
            var (a, b) = (Vector128.Load(codes), Vector128.Load(codes + 16));
            float firstScale = scale * (byte)scales, firstMin = min * (byte)mins;
            sink.Put(CodeBits.Low(a), firstScale, firstMin);
            sink.Put(CodeBits.Low(b), firstScale, firstMin);
            float secondScale = scale * (byte)(scales >> 8), secondMin = min * (byte)(mins >> 8);
            sink.Put(CodeBits.High(a), secondScale, secondMin);
            sink.Put(CodeBits.High(b), secondScale, secondMin);
        }
    }

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[256];
        SuperBlock.EncodeSixBits(values, block, codes, 15, -1, 20);
        for (int i = 0; i < 128; i++) block[16 + i] = (byte)(codes[i / 32 * 64 + i % 32] | codes[i / 32 * 64 + 32 + i % 32] << 4);
    }
}

/// <summary>As <see cref="Q4_KLayout"/>, with 256 fifth bits before the lower four.</summary>
unsafe struct Q5_KLayout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => true;
    public static int Codes => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block), min = CodeBits.Half(block + 2);
        var (scales, mins) = SuperBlock.SixBits(block + 4);
        var (fifthA, fifthB) = (Vector128.Load(block + 16), Vector128.Load(block + 32));
        byte bit = 1;
        for (byte* codes = block + 48; codes < block + 176; codes += 32, scales >>= 16, mins >>= 16, bit <<= 2)
        {
            var (a, b) = (Vector128.Load(codes), Vector128.Load(codes + 16));
            float firstScale = scale * (byte)scales, firstMin = min * (byte)mins;
            sink.Put(CodeBits.Low(a) | Fifth(fifthA, bit), firstScale, firstMin);
            sink.Put(CodeBits.Low(b) | Fifth(fifthB, bit), firstScale, firstMin);
            float secondScale = scale * (byte)(scales >> 8), secondMin = min * (byte)(mins >> 8);
            sink.Put(CodeBits.High(a) | Fifth(fifthA, (byte)(bit << 1)), secondScale, secondMin);
            sink.Put(CodeBits.High(b) | Fifth(fifthB, (byte)(bit << 1)), secondScale, secondMin);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<byte> Fifth(Vector128<byte> bits, byte bit)
    {
        var mask = Vector128.Create(bit);
        return Vector128.Equals(bits & mask, mask) & Vector128.Create((byte)16);
    }

    public static void Encode(float* values, byte* block)
    {
        byte* codes = stackalloc byte[256];
        SuperBlock.EncodeSixBits(values, block, codes, 31, -0.5f, 15);
        new Span<byte>(block + 16, 32).Clear();
        for (int i = 0; i < 256; i++) block[16 + i % 32] |= (byte)(codes[i] >> 4 << i / 32);
        for (int i = 0; i < 128; i++) block[48
            + i] = (byte)(codes[i / 32 * 64 + i % 32] & 0xf | (codes[i / 32 * 64 + 32 + i % 32] & 0xf) << 4);
    }
}

/// <summary>The lower four bits of codes, the upper two, 16 scales of 8 bits, then their scale.</summary>
unsafe struct Q6_KLayout : IBlockLayout
{
    public static int SubBlock => 16;
    public static bool HasMins => false;
    public static int Codes => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte() - Vector128.Create((sbyte)32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block + 208);
        sbyte* scales = (sbyte*)(block + 192);
        byte* upper = block + 128;
        for (byte* lower = block; lower < block + 128; lower += 64, upper += 32, scales += 8)
        {
            var (a, b, c, d) = (Vector128.Load(lower), Vector128.Load(lower + 16), Vector128.Load(lower + 32),
                Vector128.Load(lower + 48));
            var (e, f) = (Vector128.Load(upper), Vector128.Load(upper + 16));
            sink.Put(CodeBits.Low(a) | Upper(e, 0), scale * scales[0], 0);
            sink.Put(CodeBits.Low(b) | Upper(f, 0), scale * scales[1], 0);
            sink.Put(CodeBits.Low(c) | Upper(e, 2), scale * scales[2], 0);
            sink.Put(CodeBits.Low(d) | Upper(f, 2), scale * scales[3], 0);
            sink.Put(CodeBits.High(a) | Upper(e, 4), scale * scales[4], 0);
            sink.Put(CodeBits.High(b) | Upper(f, 4), scale * scales[5], 0);
            sink.Put(CodeBits.High(c) | Upper(e, 6), scale * scales[6], 0);
            sink.Put(CodeBits.High(d) | Upper(f, 6), scale * scales[7], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<byte> Upper(Vector128<byte> bits, int shift) => (CodeBits.Two(bits, shift).AsUInt16() << 4).AsByte();

    public static void Encode(float* values, byte* block)
    {
        new Span<byte>(block, 210).Clear();
        float* scales = stackalloc float[16];
        float largest = 0, farthest = 0;
        for (int j = 0; j < 16; j++)
        {
            scales[j] = ScaleSearch.Symmetric(values + 16 * j, 32);
            if (Math.Abs(scales[j]) > largest) (largest, farthest) = (Math.Abs(scales[j]), scales[j]);
        }
        if (largest < 1e-15f) return;
        float inverse = -128 / farthest, scale = CodeBits.PutHalf(block + 208, 1 / inverse);
        byte* codes = stackalloc byte[256];
        for (int j = 0; j < 16; j++)
        {
            sbyte s = (sbyte)Math.Min(127, (int)MathF.Round(inverse * scales[j]));
            block[192 + j] = (byte)s;
            SuperBlock.RoundAround(values + 16 * j, codes + 16 * j, scale * s, 32);
        }
        for (int half = 0; half < 2; half++)
            for (int i = 0; i < 32; i++)
            {
                byte* four = codes + 128 * half + i;
                block[64 * half + i] = (byte)(four[0] & 0xf | (four[64] & 0xf) << 4);
                block[64 * half + 32 + i] = (byte)(four[32] & 0xf | (four[96] & 0xf) << 4);
                block[128 + 32 * half + i] = (byte)(four[0] >> 4 | four[32] >> 4 << 2 | four[64] >> 4 << 4 | four[96] >> 4 << 6);
            }
    }
}

/// <summary>The scale in float32, 256 signed bytes, then their sums by 16.</summary>
unsafe struct Q8_KLayout : IBlockLayout
{
    public static int SubBlock => 256;
    public static bool HasMins => false;
    public static int Codes => 256;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => codes.AsSByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = *(float*)block;
        for (int i = 0; i < 256; i += 16) sink.Put(Vector128.Load(block + 4 + i), scale, 0);
    }

    public static void Encode(float* values, byte* block)
    {
        new Span<byte>(block, 292).Clear();
        float largest = 0, farthest = 0;
        for (int i = 0; i < 256; i++)
            if (Math.Abs(values[i]) > largest) (largest, farthest) = (Math.Abs(values[i]), values[i]);
        if (largest == 0) return;
        float inverse = -127 / farthest;
        *(float*)block = 1 / inverse;
        short* sums = (short*)(block + 260);
        for (int i = 0; i < 256; i++)
        {
            int code = Math.Min(127, (int)MathF.Round(inverse * values[i]));
            ((sbyte*)block)[4 + i] = (sbyte)code;
            sums[i / 16] += (short)code;
        }
    }
}

/// <summary>The scale, 8 scales of 6 bits, then codes of 4 bits into the table of <see cref="IQ4_NLLayout"/>.</summary>
unsafe struct IQ4_XSLayout : IBlockLayout
{
    public static int SubBlock => 32;
    public static bool HasMins => false;
    public static int Codes => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<sbyte> Values(Vector128<byte> codes) => IQ4_NLLayout.Values(codes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Read<TSink>(byte* block, ref TSink sink) where TSink : struct, ICodeSink
    {
        float scale = CodeBits.Half(block);
        int high = *(ushort*)(block + 2);
        for (int j = 0; j < 8; j++)
        {
            int s = block[4 + j / 2] >> 4 * (j % 2) & 0xf | (high >> 2 * j & 3) << 4;
            var pairs = Vector128.Load(block + 8 + 16 * j);
            sink.Put(CodeBits.Low(pairs), scale * (s - 32), 0);
            sink.Put(CodeBits.High(pairs), scale * (s - 32), 0);
        }
    }

    public static void Encode(float* values, byte* block)
    {
        new Span<byte>(block, 8).Clear();
        float* scales = stackalloc float[8];
        float largest = 0, farthest = 0;
        for (int j = 0; j < 8; j++)
        {
            scales[j] = TableSearch.Scale(values + 32 * j);
            if (Math.Abs(scales[j]) > largest) (largest, farthest) = (Math.Abs(scales[j]), scales[j]);
        }
        float scale = -farthest / 32, inverse = scale != 0 ? 1 / scale : 0;
        CodeBits.PutHalf(block, scale);
        byte* codes = stackalloc byte[32];
        for (int j = 0; j < 8; j++)
        {
            int s = Math.Clamp((int)MathF.Round(inverse * scales[j]), -32, 31);
            float own = scale * s;
            TableSearch.Nearest(values + 32 * j, own != 0 ? 1 / own : 0, codes);
            CodeBits.PutNibbles(block + 8 + 16 * j, codes);
            s += 32;
            block[4 + j / 2] |= (byte)((s & 0xf) << 4 * (j % 2));
            *(ushort*)(block + 2) |= (ushort)(s >> 4 << 2 * j);
        }
    }
}

/// <summary>What several layouts of super-blocks share.</summary>
static unsafe class SuperBlock
{
    /// <summary>Eight scales and eight minima of 6 bits, one a byte, out of 12 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (ulong Scales, ulong Mins) SixBits(byte* at)
    {
        uint a = *(uint*)at, b = *(uint*)(at + 4), c = *(uint*)(at + 8);
        uint lastScales = c & 0x0f0f0f0f | (a >> 6 & 0x03030303) << 4,
            lastMins = c >> 4 & 0x0f0f0f0f | (b >> 6 & 0x03030303) << 4;
        return (a & 0x3f3f3f3f | (ulong)lastScales << 32, b & 0x3f3f3f3f | (ulong)lastMins << 32);
    }

    /// <summary>The head of a Q4_K or Q5_K block, and its codes.</summary>
    public static void EncodeSixBits(float* values, byte* block, byte* codes, int most, float first, int tries)
    {
        float* weights = stackalloc float[32], scales = stackalloc float[8], mins = stackalloc float[8];
        float mostScale = 0, mostMin = 0;
        for (int j = 0; j < 8; j++)
        {
            float* x = values + 32 * j;
            float square = 0;
            for (int i = 0; i < 32; i++) square += x[i] * x[i];
            float average = MathF.Sqrt(square / 32);
            for (int i = 0; i < 32; i++) weights[i] = average + Math.Abs(x[i]);
            (scales[j], mins[j]) = ScaleSearch.WithMin(x, weights, 32, most, first, tries, isAbsolute: false);
            (mostScale, mostMin) = (Math.Max(mostScale, scales[j]), Math.Max(mostMin, mins[j]));
        }
        float scale = CodeBits.PutHalf(block, mostScale / 63), min = CodeBits.PutHalf(block + 2, mostMin / 63);
        byte* six = block + 4;
        for (int j = 0; j < 8; j++)
        {
            int s = mostScale > 0 ? Math.Clamp((int)MathF.Round(63 / mostScale * scales[j]), 0, 63) : 0;
            int m = mostMin > 0 ? Math.Clamp((int)MathF.Round(63 / mostMin * mins[j]), 0, 63) : 0;
            if (j < 4) (six[j], six[j + 4]) = ((byte)s, (byte)m);
            else
            {
                six[j + 4] = (byte)(s & 0xf | (m & 0xf) << 4);
                six[j - 4] |= (byte)(s >> 4 << 6);
                six[j] |= (byte)(m >> 4 << 6);
            }
            Round(values + 32 * j, codes + 32 * j, 32, scale * s, min * m, most);
        }
    }

    /// <summary>The nearest codes from 0 to <paramref name="most"/>; 0 where the scale is 0.</summary>
    public static void Round(float* x, byte* codes, int n, float scale, float min, int most)
    {
        for (int i = 0; i < n; i++) codes[i] = scale == 0 ? (byte)0
            : (byte)Math.Clamp(MathF.Round((x[i] + min) / scale), 0, most);
    }

    /// <summary>The nearest of 16 codes around <paramref name="middle"/>, which is what a scale of 0 gives.</summary>
    public static void RoundAround(float* x, byte* codes, float scale, int middle)
    {
        for (int i = 0; i < 16; i++)
            codes[i] = scale == 0 ? (byte)middle : (byte)(Math.Clamp(MathF.Round(x[i] / scale), -middle, middle - 1) + middle);
    }

    /// <summary>Stores 256 codes of 2 bits: of each 128, elements i, i + 32, i + 64 and i + 96 share a byte.</summary>
    public static void PutTwo(byte* at, byte* codes)
    {
        for (int half = 0; half < 2; half++, codes += 128)
            for (int i = 0; i < 32; i++) at[32 * half
                + i] = (byte)(codes[i] | codes[i + 32] << 2 | codes[i + 64] << 4 | codes[i + 96] << 6);
    }
}
