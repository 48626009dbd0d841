using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public class BlockCodecTests
{
    public static TheoryData<WeightType> Blocks => [.. BlockCodec.Types.Where(type => type.IsBlock)];

    /// <summary>Blocks of random bytes, with scales that are numbers.</summary>
    static byte[] RandomBlocks(WeightType type, int count, int seed)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[count * type.BlockBytes];
        random.NextBytes(bytes);
        for (int i = 0; i < count; i++)
        {
            var block = bytes.AsSpan(i * type.BlockBytes, type.BlockBytes);
            foreach (int at in BlockReference.HalvesOf(type))
                BitConverter.TryWriteBytes(block[at..], (Half)(random.NextSingle() - 0.5f));
            if (type == WeightType.Q8_K) BitConverter.TryWriteBytes(block, random.NextSingle());
            if (type == WeightType.MXFP4) block[0] = (byte)(i < 4 ? i : random.Next(255));
        }
        return bytes;
    }

    static float[] Gaussian(int count, int seed, float deviation = 0.05f)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count)
            .Select(_ =>
                deviation
                    * (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    static uint[] Bits(IEnumerable<float> values) => [.. values.Select(BitConverter.SingleToUInt32Bits)];

    [Theory, MemberData(nameof(Blocks))]
    public void Decode_GivesEveryElementToTheBit(WeightType type)
    {
        const int Count = 40;
        byte[] blocks = RandomBlocks(type, Count, seed: (int)type);
        var codec = BlockCodec.Of(type);
        float[] values = new float[Count * codec.Elements];
        codec.Decode(blocks, values);
        for (int e = 0; e < values.Length; e++)
        {
            float expected =
                BlockReference.Decode(type, blocks.AsSpan(e / codec.Elements * codec.Bytes, codec.Bytes), e % codec.Elements);
            // 0 * -1 is -0 where a table of halves has 0: the sign of zero is the one thing the two orders of products differ in
            if (expected != 0 || values[e] != 0)
                Assert.True(Bits([expected])[0] == Bits([values[e]])[0], $"element {e}: {values[e]:R} for {expected:R}");
        }
    }

    [Theory, MemberData(nameof(Blocks))]
    public void Unpack_MeansWhatDecodeGives(WeightType type)
    {
        const int Count = 20;
        byte[] blocks = RandomBlocks(type, Count, seed: 7);
        var codec = BlockCodec.Of(type);
        int elements = Count * codec.Elements;
        float[] values = new float[elements], scales = new float[elements / codec.SubBlock],
            mins = new float[codec.HasMins ? scales.Length : 0];
        byte[] codes = new byte[elements];
        codec.Decode(blocks, values);
        codec.Unpack(blocks, codes, scales, mins);
        for (int e = 0; e < elements; e++)
        {
            float value = scales[e / codec.SubBlock] * codec.Table[codes[e]];
            Assert.Equal(values[e], codec.HasMins ? value - mins[e / codec.SubBlock] : value);
        }
    }

    // The root mean square error of normal values, as a share of their deviation: no worse than ggml's (see the searches below)
    // but for noise.
    [Theory]
    [InlineData(WeightType.Q8_0, 0.0075)]
    [InlineData(WeightType.Q8_K, 0.0085)]
    [InlineData(WeightType.Q6_K, 0.019)]
    [InlineData(WeightType.Q5_K, 0.037)]
    [InlineData(WeightType.Q5_1, 0.040)]
    [InlineData(WeightType.Q5_0, 0.044)]
    [InlineData(WeightType.Q4_K, 0.075)]
    [InlineData(WeightType.Q4_1, 0.081)]
    [InlineData(WeightType.Q4_0, 0.090)]
    [InlineData(WeightType.IQ4_NL, 0.082)]
    [InlineData(WeightType.IQ4_XS, 0.083)]
    [InlineData(WeightType.MXFP4, 0.13)]
    [InlineData(WeightType.Q3_K, 0.155)]
    [InlineData(WeightType.Q2_K, 0.30)]
    public void Encode_KeepsTheErrorSmall(WeightType type, double bound)
    {
        float[] values = Gaussian(256 * 64, seed: 3);
        Assert.InRange(Error(type, values) / 0.05, bound * 0.5, bound);
    }

    static double Error(WeightType type, float[] values)
    {
        var codec = BlockCodec.Of(type);
        byte[] blocks = new byte[values.Length / codec.Elements * codec.Bytes];
        float[] back = new float[values.Length];
        codec.Encode(values, blocks);
        codec.Decode(blocks, back);
        return Math.Sqrt(values.Zip(back, (a, b) => (double)(a - b) * (a - b)).Average());
    }

    [Theory, MemberData(nameof(Blocks))]
    public void Encode_KeepsZerosAndConstants(WeightType type)
    {
        var codec = BlockCodec.Of(type);
        byte[] blocks = new byte[codec.Bytes];
        float[] values = new float[codec.Elements], back = new float[codec.Elements];
        codec.Encode(values, blocks);
        codec.Decode(blocks, back);
        Assert.All(back, value => Assert.Equal(0, value));
        foreach (float constant in (float[])[1, -1, 1e-30f, 6e4f])
        {
            Array.Fill(values, constant);
            codec.Encode(values, blocks);
            codec.Decode(blocks, back);
            Assert.All(back, value => Assert.InRange(value, Math.Min(0, constant * 1.5), Math.Max(0, constant * 1.5)));
            if (constant is 1 or -1) Assert.All(back, value => Assert.InRange(value / constant, 0.66, 1.34));
        }
    }

    [Fact]
    public void Q4_0_IsTheBlockWorkedOutByHand()
    {
        float[] values = new float[32];
        (values[0], values[1], values[16], values[31]) = (-4, 2, 1, 0.24f);   // scale -4 / -8 = 0.5; codes -8, 4, 2, 0.48 -> 0
        byte[] block = new byte[18];
        BlockCodec.Of(WeightType.Q4_0).Encode(values, block);
        Assert.Equal([0x00, 0x38, 0xa0, 0x8c, .. Enumerable.Repeat((byte)0x88, 14)], block);
    }

    [Fact]
    public void Q8_0_RoundsHalvesAwayFromZero()
    {
        float[] values = new float[32];
        (values[0], values[1], values[2], values[3]) = (127, 0.5f, -2.5f, 0.49999997f);
        byte[] block = new byte[34];
        BlockCodec.Of(WeightType.Q8_0).Encode(values, block);
        Assert.Equal([0x00, 0x3c, 127, 1, unchecked((byte)-3), 0], block[..6]);
    }

    [Fact]
    public void Q4_1AndQ5_1_CodeFromLeastToGreatest()
    {
        float[] values = [.. Enumerable.Range(0, 32).Select(i => i - 1f)];
        byte[] five = new byte[24], four = new byte[20];
        BlockCodec.Of(WeightType.Q5_1).Encode(values, five);
        Assert.Equal([0x00, 0x3c, 0x00, 0xbc, 0, 0, 0xff, 0xff], five[..8]);
        Assert.Equal(Enumerable.Range(0, 16).Select(i => (byte)(i * 17)), five[8..]);
        BlockCodec.Of(WeightType.Q4_1).Encode([.. values.Select(value => value % 16)], four);
        Assert.Equal(-1f, (float)BitConverter.ToHalf(four, 2));
    }

    /// <summary>ggml's search for scale and minimum, one value after the other, and what its 4-bit super-blocks make of
    /// it.</summary>
    static double ReferenceErrorOfQ4_K(float[] values)
    {
        double sum = 0;
        for (int b = 0; b < values.Length; b += 256)
        {
            var found = Enumerable.Range(0, 8).Select(j => Search(values.AsSpan(b + 32 * j, 32), 15, -1, 20)).ToArray();
            float d = (float)(Half)(found.Max(pair => pair.Scale) / 63), m = (float)(Half)(found.Max(pair => pair.Min) / 63);
            float inverseD = 63 / found.Max(pair => pair.Scale), inverseM = 63 / found.Max(pair => pair.Min);
            for (int e = 0; e < 256; e++)
            {
                float scale = d * MathF.Round(inverseD * found[e / 32].Scale),
                    min = m * MathF.Round(inverseM * found[e / 32].Min);
                double back = scale * Math.Clamp(MathF.Round((values[b + e] + min) / scale), 0, 15) - min;
                sum += (back - values[b + e]) * (back - values[b + e]);
            }
        }
        return Math.Sqrt(sum / values.Length);
    }

    static (float Scale, float Min) Search(ReadOnlySpan<float> x, int most, float first, int tries)
    {
        float square = 0, least = x[0], greatest = x[0], sumW = 0, sumX = 0;
        foreach (float value in x) square += value * value;
        float[] weights = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            weights[i] = MathF.Sqrt(square / x.Length) + Math.Abs(x[i]);
            (least, greatest) = (Math.Min(least, x[i]), Math.Max(greatest, x[i]));
            sumW += weights[i];
            sumX += weights[i] * x[i];
        }
        least = Math.Min(least, 0);
        float min = least, scale = (greatest - least) / most, best = float.PositiveInfinity;
        for (int step = -1; step <= tries; step++)
        {
            float inverse = step < 0 ? most / (greatest - least) : (first + 0.1f * step + most) / (greatest - least);
            float l1 = 0, l2 = 0, xl = 0, error = 0;
            float[] codes = [.. x.ToArray().Select(value => Math.Clamp(MathF.Round(inverse * (value - min)), 0, most))];
            for (int i = 0; i < x.Length; i++)
                (l1, l2, xl) =
                    (l1 + weights[i] * codes[i], l2 + weights[i] * codes[i] * codes[i], xl + weights[i] * codes[i] * x[i]);
            float determinant = sumW * l2 - l1 * l1;
            if (determinant <= 0) continue;
            var (thisScale, thisMin) = step < 0
                ? (scale, min)
                : ((sumW * xl - sumX * l1) / determinant, (l2 * sumX - l1 * xl) / determinant);
            if (thisMin > 0) (thisMin, thisScale) = (0, xl / l2);
            for (int i = 0; i < x.Length; i++)
                error += weights[i] * (thisScale * codes[i] + thisMin - x[i]) * (thisScale * codes[i] + thisMin - x[i]);
            if (error < best) (best, scale, min) = (error, thisScale, thisMin);
        }
        return (scale, -min);
    }

    [Fact]
    public void Q4_K_IsAsGoodAsTheReferenceSearch()
    {
        float[] values = Gaussian(256 * 32, seed: 9);
        Assert.InRange(Error(WeightType.Q4_K, values) / ReferenceErrorOfQ4_K(values), 0.98, 1.005);
    }

    [Fact]
    public void Halves_AreThoseOfTheRuntime()
    {
        var codec = BlockCodec.Of(WeightType.F16);
        byte[] all = new byte[65536 * 2];
        for (int i = 0; i < 65536; i++) BitConverter.TryWriteBytes(all.AsSpan(2 * i), (ushort)i);
        float[] values = new float[65536];
        codec.Decode(all, values);
        byte[] back = new byte[all.Length];
        codec.Encode(values, back);
        for (int i = 0; i < 65536; i++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)i);
            Assert.True(float.IsNaN(expected) ? float.IsNaN(values[i]) : Bits([expected])[0] == Bits([values[i]])[0], $"{i:x}");
            Assert.True(float.IsNaN(expected)
                ? Half.IsNaN(BitConverter.ToHalf(back, 2 * i))
                : BitConverter.ToUInt16(back, 2 * i) == i, $"{i:x}");
        }
        Encode_Rounds(codec, value => BitConverter.HalfToUInt16Bits((Half)value));
    }

    [Fact]
    public void BFloat16_AreThoseOfCore() => Encode_Rounds(BlockCodec.Of(WeightType.BF16), value => ((BFloat16)value).Bits);

    static void Encode_Rounds(BlockCodec codec, Func<float, ushort> expected)
    {
        var random = new Random(5);
        float[] values =
            [.. Enumerable.Range(0, 40_000).Select(_ => BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32))),
            .. Enumerable.Range(0, 20_001).Select(_ => random.NextSingle() * MathF.Pow(2, random.Next(-28, 18))), 65519, 65520,
            float.MaxValue, 5.9604645e-8f, 2.9802322e-8f];
        byte[] bytes = new byte[2 * values.Length];
        codec.Encode(values, bytes);
        for (int i = 0; i < values.Length; i++)
            if (!float.IsNaN(values[i]))
                Assert.True(expected(values[i]) == BitConverter.ToUInt16(bytes, 2 * i), $"{values[i]:R}");
            else Assert.NotEqual(0, BitConverter.ToUInt16(bytes, 2 * i) & 0x7f);
    }

    [Fact]
    public void EightBitFloats_MeanWhatTheirBitsSay()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        float[] four = new float[256], five = new float[256], scales = new float[256];
        BlockCodec.Of(WeightType.F8E4M3).Decode(all, four);
        BlockCodec.Of(WeightType.F8E5M2).Decode(all, five);
        BlockCodec.Of(WeightType.F8E8M0).Decode(all, scales);
        for (int i = 0; i < 256; i++)
        {
            int sign = i < 128 ? 1 : -1;
            int exponent = i >> 3 & 15, fraction = i & 7;
            double value = exponent == 0 ? fraction / 8.0 * Math.Pow(2, -6) : (1 + fraction / 8.0) * Math.Pow(2, exponent - 7);
            Assert.Equal((i & 127) == 127 ? float.NaN : (float)(sign * value), four[i]);
            (exponent, fraction) = (i >> 2 & 31, i & 3);
            value = exponent == 0
                ? fraction / 4.0 * Math.Pow(2, -14)
                : exponent == 31 ? (fraction == 0 ? double.PositiveInfinity : double.NaN) : (1 + fraction / 4.0)
                    * Math.Pow(2, exponent - 15);
            Assert.Equal((float)(sign * value), five[i]);
            Assert.Equal(i == 255 ? float.NaN : (float)Math.Pow(2, i - 127), scales[i]);
        }
        float[] tail = new float[5];
        BlockCodec.Of(WeightType.F8E4M3).Decode(all.AsSpan(1, 5), tail);
        Assert.Equal(four[1..6], tail);
    }

    [Fact]
    public void Numbers_BecomeTheNearestFloat()
    {
        float[] values = new float[2];
        BlockCodec.Of(WeightType.I64).Decode([.. BitConverter.GetBytes(-5L), .. BitConverter.GetBytes(1L << 40)], values);
        Assert.Equal([-5f, 1099511627776f], values);
        BlockCodec.Of(WeightType.F64).Decode([.. BitConverter.GetBytes(0.1), .. BitConverter.GetBytes(-2.5)], values);
        Assert.Equal([0.1f, -2.5f], values);
        BlockCodec.Of(WeightType.I8).Decode([255, 7], values);
        Assert.Equal([-1f, 7f], values);
    }

    [Fact]
    public void Codecs_SayWhatTheyCannotDo()
    {
        Assert.Contains("iq2_xxs", Assert.Throws<ModelFileException>(() => BlockCodec.Of(WeightType.IQ2_XXS)).Message);
        Assert.Contains("i64", Assert.Throws<ModelFileException>(() =>
            BlockCodec.Of(WeightType.I64).Encode([1f], new byte[8])).Message);
        Assert.Throws<ArgumentException>(() => BlockCodec.Of(WeightType.Q4_0).Decode(new byte[19], new float[32]));
        Assert.Throws<ArgumentException>(() => BlockCodec.Of(WeightType.Q4_0).Decode(new byte[18], new float[31]));
        Assert.Throws<InvalidOperationException>(() =>
            BlockCodec.Of(WeightType.F16).Unpack(new byte[2], new byte[1], new float[1], []));
    }
}
