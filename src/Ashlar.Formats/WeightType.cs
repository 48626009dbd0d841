namespace Ashlar.Formats;

/// <summary>How the elements of a weight are stored: the plain and block types of GGUF and safetensors files.</summary>
/// <remarks>docs/formats/blocks.md gives the layout of each block. Names are those of ggml and of safetensors.</remarks>
public enum WeightType : byte
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,
    /// <summary>IEEE 754 binary16.</summary>
    F16,
    /// <summary>The upper half of a binary32.</summary>
    BF16,
    /// <summary>IEEE 754 binary64.</summary>
    F64,
    /// <summary>True or false, one byte each.</summary>
    Bool,
    /// <summary>Unsigned 8-bit integers.</summary>
    U8,
    /// <summary>Signed 8-bit integers.</summary>
    I8,
    /// <summary>Unsigned 16-bit integers.</summary>
    U16,
    /// <summary>Signed 16-bit integers.</summary>
    I16,
    /// <summary>Unsigned 32-bit integers.</summary>
    U32,
    /// <summary>Signed 32-bit integers.</summary>
    I32,
    /// <summary>Unsigned 64-bit integers.</summary>
    U64,
    /// <summary>Signed 64-bit integers.</summary>
    I64,
    /// <summary>8-bit float: 4 bits of exponent, 3 of fraction; no infinity (OCP "FN").</summary>
    F8E4M3,
    /// <summary>8-bit float: 5 bits of exponent, 2 of fraction.</summary>
    F8E5M2,
    /// <summary>A power of two: 8 bits of exponent and nothing else (OCP MX scales).</summary>
    F8E8M0,
    /// <summary>8-bit float of other hardware: 4 bits of exponent, bias 8, no negative zero.</summary>
    F8E4M3FNUZ,
    /// <summary>8-bit float of other hardware: 5 bits of exponent, bias 16, no negative zero.</summary>
    F8E5M2FNUZ,
    /// <summary>4-bit float, two a byte.</summary>
    F4,
    /// <summary>6-bit float: 2 bits of exponent, 3 of fraction; four in three bytes.</summary>
    F6E2M3,
    /// <summary>6-bit float: 3 bits of exponent, 2 of fraction; four in three bytes.</summary>
    F6E3M2,
    /// <summary>Two binary32: real and imaginary part.</summary>
    C64,
    /// <summary>32 codes of 4 bits and a scale; 18 bytes.</summary>
    Q4_0,
    /// <summary>32 codes of 4 bits, a scale and a minimum; 20 bytes.</summary>
    Q4_1,
    /// <summary>32 codes of 5 bits and a scale; 22 bytes.</summary>
    Q5_0,
    /// <summary>32 codes of 5 bits, a scale and a minimum; 24 bytes.</summary>
    Q5_1,
    /// <summary>32 codes of 8 bits and a scale; 34 bytes.</summary>
    Q8_0,
    /// <summary>32 codes of 8 bits, a scale and the sum of the values; 36 bytes. For activations.</summary>
    Q8_1,
    /// <summary>256 codes of 2 bits, 16 scales and minima of 4 bits; 84 bytes.</summary>
    Q2_K,
    /// <summary>256 codes of 3 bits, 16 scales of 6 bits; 110 bytes.</summary>
    Q3_K,
    /// <summary>256 codes of 4 bits, 8 scales and minima of 6 bits; 144 bytes.</summary>
    Q4_K,
    /// <summary>256 codes of 5 bits, 8 scales and minima of 6 bits; 176 bytes.</summary>
    Q5_K,
    /// <summary>256 codes of 6 bits, 16 scales of 8 bits; 210 bytes.</summary>
    Q6_K,
    /// <summary>256 codes of 8 bits, a float32 scale and sums; 292 bytes. For activations.</summary>
    Q8_K,
    /// <summary>32 codes of 4 bits into a table of 16 values, and a scale; 18 bytes.</summary>
    IQ4_NL,
    /// <summary>256 codes of 4 bits into the table of <see cref="IQ4_NL"/>, 8 scales of 6 bits; 136 bytes.</summary>
    IQ4_XS,
    /// <summary>32 4-bit floats (E2M1) and a power of two; 17 bytes (OCP MXFP4).</summary>
    MXFP4,
    /// <summary>64 4-bit floats (E2M1) and 4 scales; 36 bytes. Recognised, not decoded.</summary>
    NVFP4,
    /// <summary>128 signs and a scale; 18 bytes. Recognised, not decoded.</summary>
    Q1_0,
    /// <summary>64 codes of 2 bits and a scale; 18 bytes. Recognised, not decoded.</summary>
    Q2_0,
    /// <summary>256 codes of a 2-bit grid; 66 bytes. Recognised, not decoded.</summary>
    IQ2_XXS,
    /// <summary>256 codes of a 2-bit grid; 74 bytes. Recognised, not decoded.</summary>
    IQ2_XS,
    /// <summary>256 codes of a 2-bit grid; 82 bytes. Recognised, not decoded.</summary>
    IQ2_S,
    /// <summary>256 codes of a 3-bit grid; 98 bytes. Recognised, not decoded.</summary>
    IQ3_XXS,
    /// <summary>256 codes of a 3-bit grid; 110 bytes. Recognised, not decoded.</summary>
    IQ3_S,
    /// <summary>256 codes of a 1-bit grid; 50 bytes. Recognised, not decoded.</summary>
    IQ1_S,
    /// <summary>256 codes of a 1-bit grid; 56 bytes. Recognised, not decoded.</summary>
    IQ1_M,
    /// <summary>256 ternary codes, five a byte; 54 bytes. Recognised, not decoded.</summary>
    TQ1_0,
    /// <summary>256 ternary codes, four a byte; 66 bytes. Recognised, not decoded.</summary>
    TQ2_0,
}

/// <summary>What each <see cref="WeightType"/> is: its name, its block, and how each format calls it.</summary>
public static class WeightTypes
{
    // Of a block: how many elements and bytes it has; then the number in GGUF and the name in safetensors, where there is one.
    sealed record Facts(WeightType Type, string Name, int Elements, int Bytes, int? Gguf = null, string? Safetensors = null);

    static readonly Facts[] facts =
    [
        new(WeightType.F32, "f32", 1, 4, 0, "F32"), new(WeightType.F16, "f16", 1, 2, 1, "F16"),
        new(WeightType.BF16, "bf16", 1, 2, 30, "BF16"), new(WeightType.F64, "f64", 1, 8, 28, "F64"),
        new(WeightType.Bool, "bool", 1, 1, null, "BOOL"),
        new(WeightType.U8, "u8", 1, 1, null, "U8"), new(WeightType.I8, "i8", 1, 1, 24, "I8"),
        new(WeightType.U16, "u16", 1, 2, null, "U16"), new(WeightType.I16, "i16", 1, 2, 25, "I16"),
        new(WeightType.U32, "u32", 1, 4, null, "U32"), new(WeightType.I32, "i32", 1, 4, 26, "I32"),
        new(WeightType.U64, "u64", 1, 8, null, "U64"), new(WeightType.I64, "i64", 1, 8, 27, "I64"),
        new(WeightType.F8E4M3, "f8_e4m3", 1, 1, null, "F8_E4M3"), new(WeightType.F8E5M2, "f8_e5m2", 1, 1, null, "F8_E5M2"),
        new(WeightType.F8E8M0, "f8_e8m0", 1, 1, null, "F8_E8M0"),
        new(WeightType.F8E4M3FNUZ, "f8_e4m3fnuz", 1, 1, null, "F8_E4M3FNUZ"),
        new(WeightType.F8E5M2FNUZ, "f8_e5m2fnuz", 1, 1, null, "F8_E5M2FNUZ"),
        new(WeightType.F4, "f4", 2, 1, null, "F4"),
        new(WeightType.F6E2M3, "f6_e2m3", 4, 3, null, "F6_E2M3"), new(WeightType.F6E3M2, "f6_e3m2", 4, 3, null, "F6_E3M2"),
        new(WeightType.C64, "c64", 1, 8, null, "C64"),
        new(WeightType.Q4_0, "q4_0", 32, 18, 2), new(WeightType.Q4_1, "q4_1", 32, 20, 3),
        new(WeightType.Q5_0, "q5_0", 32, 22, 6), new(WeightType.Q5_1, "q5_1", 32, 24, 7),
        new(WeightType.Q8_0, "q8_0", 32, 34, 8), new(WeightType.Q8_1, "q8_1", 32, 36, 9),
        new(WeightType.Q2_K, "q2_k", 256, 84, 10), new(WeightType.Q3_K, "q3_k", 256, 110, 11),
        new(WeightType.Q4_K, "q4_k", 256, 144, 12), new(WeightType.Q5_K, "q5_k", 256, 176, 13),
        new(WeightType.Q6_K, "q6_k", 256, 210, 14), new(WeightType.Q8_K, "q8_k", 256, 292, 15),
        new(WeightType.IQ4_NL, "iq4_nl", 32, 18, 20), new(WeightType.IQ4_XS, "iq4_xs", 256, 136, 23),
        new(WeightType.MXFP4, "mxfp4", 32, 17, 39), new(WeightType.NVFP4, "nvfp4", 64, 36, 40),
        new(WeightType.Q1_0, "q1_0", 128, 18, 41), new(WeightType.Q2_0, "q2_0", 64, 18, 42),
        new(WeightType.IQ2_XXS, "iq2_xxs", 256, 66, 16), new(WeightType.IQ2_XS, "iq2_xs", 256, 74, 17),
        new(WeightType.IQ2_S, "iq2_s", 256, 82, 22), new(WeightType.IQ3_XXS, "iq3_xxs", 256, 98, 18),
        new(WeightType.IQ3_S, "iq3_s", 256, 110, 21), new(WeightType.IQ1_S, "iq1_s", 256, 50, 19),
        new(WeightType.IQ1_M, "iq1_m", 256, 56, 29), new(WeightType.TQ1_0, "tq1_0", 256, 54, 34),
        new(WeightType.TQ2_0, "tq2_0", 256, 66, 35),
    ];

    // Numbers of GGUF that once meant a type and no longer do.
    static readonly Dictionary<uint, string> retired = new()
    {
        [4] = "Q4_2",
        [5] = "Q4_3",
        [31] = "Q4_0_4_4",
        [32] = "Q4_0_4_8",
        [33] = "Q4_0_8_8",
        [36] = "IQ4_NL_4_4",
        [37] = "IQ4_NL_4_8",
        [38] = "IQ4_NL_8_8",
    };

    static readonly Dictionary<uint, WeightType> byGguf =
        facts.Where(fact => fact.Gguf is not null).ToDictionary(fact => (uint)fact.Gguf!.Value, fact => fact.Type);

    static readonly Dictionary<string, WeightType> bySafetensors =
        facts.Where(fact => fact.Safetensors is not null).ToDictionary(fact => fact.Safetensors!, fact => fact.Type);

    extension(WeightType type)
    {
        /// <summary>The name in texts and on command lines: <c>f32</c>, <c>q4_k</c>.</summary>
        public string Name => facts[(int)type].Name;

        /// <summary>Elements of one block; 1 for plain types.</summary>
        public int BlockElements => facts[(int)type].Elements;

        /// <summary>Bytes of one block, or of one element of a plain type.</summary>
        public int BlockBytes => facts[(int)type].Bytes;

        /// <summary>True where several elements share a scale and must be decoded together.</summary>
        public bool IsBlock => type >= WeightType.Q4_0;

        /// <summary>Bits that an element takes, scales included: 4.5 for <see cref="WeightType.Q4_0"/>.</summary>
        public double BitsPerElement => 8.0 * type.BlockBytes / type.BlockElements;

        /// <summary>The number of the type in GGUF files; null where the format has none.</summary>
        public int? GgufNumber => facts[(int)type].Gguf;

        /// <summary>The name of the type in safetensors files; null where the format has none.</summary>
        public string? SafetensorsName => facts[(int)type].Safetensors;

        /// <summary>The element type of tensors that holds the same bytes; null where there is none.</summary>
        public DType? DType => type switch
        {
            WeightType.F32 => Ashlar.DType.Float32,
            WeightType.F16 => Ashlar.DType.Float16,
            WeightType.BF16 => Ashlar.DType.BFloat16,
            WeightType.F64 => Ashlar.DType.Float64,
            WeightType.Bool => Ashlar.DType.Bool,
            WeightType.U8 => Ashlar.DType.UInt8,
            WeightType.I8 => Ashlar.DType.Int8,
            WeightType.I16 => Ashlar.DType.Int16,
            WeightType.I32 => Ashlar.DType.Int32,
            WeightType.I64 => Ashlar.DType.Int64,
            _ => null,
        };
    }

    /// <summary>Every type, in the order of the enumeration.</summary>
    public static IReadOnlyList<WeightType> All { get; } = Enum.GetValues<WeightType>();

    /// <summary>The type of a name such as <c>q4_k</c>, in any case; null where no type has it.</summary>
    public static WeightType? Parse(string name) =>
        Array.Find(facts, fact => string.Equals(fact.Name, name, StringComparison.OrdinalIgnoreCase))?.Type;

    /// <summary>The type that a number of a GGUF file means; null where none.</summary>
    public static WeightType? OfGguf(uint number) => byGguf.TryGetValue(number, out var type) ? type : null;

    /// <summary>The type that a name of a safetensors file means; null where none.</summary>
    public static WeightType? OfSafetensors(string name) => bySafetensors.TryGetValue(name, out var type) ? type : null;

    /// <summary>The bytes that elements take; null where they are no whole number of blocks, or more than a file can
    /// hold.</summary>
    public static long? BytesOf(WeightType type, IReadOnlyList<long> extents)
    {
        ArgumentNullException.ThrowIfNull(extents);
        Int128 elements = 1;
        foreach (long extent in extents)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent, nameof(extents));
            elements *= extent;
            if (elements > long.MaxValue) return null;
        }
        if (elements % type.BlockElements != 0) return null;
        Int128 bytes = elements / type.BlockElements * type.BlockBytes;
        return bytes > long.MaxValue ? null : (long)bytes;
    }

    /// <summary>What a number of a GGUF file meant once, where it did.</summary>
    internal static string? Retired(uint number) => retired.GetValueOrDefault(number);

    /// <summary>Every name of safetensors files, for errors.</summary>
    internal static string SafetensorsNames =>
        string.Join(", ", facts.Select(fact => fact.Safetensors).Where(name => name is not null));
}
