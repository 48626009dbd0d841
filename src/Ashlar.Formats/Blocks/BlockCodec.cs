using System.Diagnostics.CodeAnalysis;

namespace Ashlar.Formats;

/// <summary>Decodes and encodes the elements of one <see cref="WeightType"/>. Stateless and thread-safe.</summary>
/// <remarks>
/// Decoding gives what ggml's <c>dequantize_row_*</c> give, bit for bit in float32. docs/formats/blocks.md describes the blocks.
/// </remarks>
public abstract class BlockCodec
{
    static readonly BlockCodec?[] codecs = MakeAll();

    readonly float[] table;

    private protected BlockCodec(WeightType type, bool canEncode, int subBlock = 0, bool hasMins = false, float[]? table = null)
    {
        (Type, CanEncode, SubBlock, HasMins) = (type, canEncode, subBlock, hasMins);
        this.table = table ?? [];
    }

    /// <summary>What it decodes.</summary>
    public WeightType Type { get; }

    /// <summary>Elements of a block; 1 for plain types.</summary>
    public int Elements => Type.BlockElements;

    /// <summary>Bytes of a block.</summary>
    public int Bytes => Type.BlockBytes;

    /// <summary>True where <see cref="Encode"/> works.</summary>
    public bool CanEncode { get; }

    /// <summary>True for types of codes and scales, which <see cref="Unpack"/> takes apart; false for plain floats and
    /// integers.</summary>
    public bool HasCodes => table.Length > 0;

    /// <summary>How many elements share a scale in the neutral form: 16, 32 or 256; 0 without codes.</summary>
    public int SubBlock { get; }

    /// <summary>True where sub-blocks have a minimum too.</summary>
    public bool HasMins { get; }

    /// <summary>What each code means, before the scale; its length is the number of codes. Signed codes of 8 bits are read as
    /// bytes.</summary>
    public ReadOnlySpan<float> Table => table;

    /// <summary>The codec of a type.</summary>
    /// <exception cref="ModelFileException">The type is recognised but not decoded.</exception>
    public static BlockCodec Of(WeightType type) => codecs[(int)type] ?? throw new ModelFileException("ASH0459",
        $"weights of type {type.Name} cannot be decoded. Ashlar decodes {Names(_ => true)}.",
        "take the model in one of these types.");

    /// <summary>The codec of a type, where there is one.</summary>
    public static bool TryOf(WeightType type, [NotNullWhen(true)] out BlockCodec? codec) =>
        (codec = codecs[(int)type]) is not null;

    /// <summary>Every type that can be decoded.</summary>
    public static IReadOnlyList<WeightType> Types { get; } = [.. WeightTypes.All.Where(type => TryOf(type, out _))];

    /// <summary>Decodes blocks.</summary>
    /// <param name="blocks">A whole number of blocks.</param>
    /// <param name="values">As many elements as the blocks have.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    public unsafe void Decode(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        int count = BlocksIn(blocks.Length, values.Length);
        fixed (byte* from = blocks)
        fixed (float* to = values)
            DecodeBlocks(from, to, count);
    }

    /// <summary>Encodes values: the nearest blocks that ggml's rules find.</summary>
    /// <remarks>
    /// Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q8_K and MXFP4 give the bytes of ggml's <c>quantize_row_*_ref</c>. The other types search
    /// for
    /// scales as ggml does, but sum in another order, so a code may differ where two are equally good.
    /// </remarks>
    /// <param name="values">Finite; a whole number of blocks.</param>
    /// <param name="blocks">As many blocks as the values fill.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    /// <exception cref="ModelFileException">Nothing encodes this type.</exception>
    public unsafe void Encode(ReadOnlySpan<float> values, Span<byte> blocks)
    {
        if (!CanEncode)
            throw new ModelFileException("ASH0459",
                $"weights of type {Type.Name} cannot be encoded. Ashlar encodes {Names(codec => codec.CanEncode)}.",
                "choose one of these types.");
        int count = BlocksIn(blocks.Length, values.Length);
        fixed (float* from = values)
        fixed (byte* to = blocks)
            EncodeBlocks(from, to, count);
    }

    /// <summary>Takes blocks apart into the neutral form: <c>value = scale * Table[code] - minimum</c>, for each
    /// sub-block.</summary>
    /// <param name="blocks">A whole number of blocks.</param>
    /// <param name="codes">One byte an element, in the order of the elements.</param>
    /// <param name="scales">One for <see cref="SubBlock"/> elements.</param>
    /// <param name="mins">The same where <see cref="HasMins"/>; otherwise not written, and may be empty.</param>
    /// <exception cref="ArgumentException">The lengths do not fit.</exception>
    /// <exception cref="InvalidOperationException">The type has no codes.</exception>
    public unsafe void Unpack(ReadOnlySpan<byte> blocks, Span<byte> codes, Span<float> scales, Span<float> mins)
    {
        if (!HasCodes) throw new InvalidOperationException($"{Type.Name} has no codes and scales.");
        int count = BlocksIn(blocks.Length, codes.Length), subBlocks = codes.Length / SubBlock;
        if (scales.Length != subBlocks) throw new ArgumentException(
            $"{codes.Length} elements have {subBlocks} scales, not {scales.Length}.", nameof(scales));
        if (HasMins && mins.Length != subBlocks) throw new ArgumentException(
            $"{codes.Length} elements have {subBlocks} minima, not {mins.Length}.", nameof(mins));
        fixed (byte* from = blocks, to = codes)
        fixed (float* scale = scales, min = mins)
            UnpackBlocks(from, to, scale, min, count);
    }

    private protected abstract unsafe void DecodeBlocks(byte* blocks, float* values, int count);

    private protected virtual unsafe void EncodeBlocks(float* values, byte* blocks, int count) =>
        throw new NotSupportedException();

    private protected virtual unsafe void UnpackBlocks(byte* blocks, byte* codes, float* scales, float* mins, int count) =>
        throw new NotSupportedException();

    int BlocksIn(int bytes, int elements)
    {
        int count = bytes / Bytes;
        if (count * (long)Bytes != bytes) throw new ArgumentException(
            $"{bytes} bytes are no whole number of {Type.Name} blocks of {Bytes}.");
        return count * (long)Elements == elements ? count
            : throw new ArgumentException($"{count} {Type.Name} blocks have {count * (long)Elements} elements, not {elements}.");
    }

    static string Names(Func<BlockCodec, bool> isWanted) =>
        string.Join(", ", codecs.OfType<BlockCodec>().Where(isWanted).Select(codec => codec.Type.Name));

    static BlockCodec?[] MakeAll()
    {
        var all = new BlockCodec?[WeightTypes.All.Count];
        foreach (var codec in (BlockCodec[])
        [
            new F32Codec(), new F16Codec(), new BF16Codec(), new F8E4M3Codec(), new F8E5M2Codec(), new F8E8M0Codec(),
            NumberCodec.Of<double>(WeightType.F64), NumberCodec.Of<byte>(WeightType.U8), NumberCodec.Of<sbyte>(WeightType.I8),
            NumberCodec.Of<ushort>(WeightType.U16), NumberCodec.Of<short>(WeightType.I16), NumberCodec.Of<uint>(WeightType.U32),
            NumberCodec.Of<int>(WeightType.I32), NumberCodec.Of<ulong>(WeightType.U64), NumberCodec.Of<long>(WeightType.I64),
            new LayoutCodec<Q4_0Layout>(WeightType.Q4_0), new LayoutCodec<Q4_1Layout>(WeightType.Q4_1),
            new LayoutCodec<Q5_0Layout>(WeightType.Q5_0), new LayoutCodec<Q5_1Layout>(WeightType.Q5_1),
            new LayoutCodec<Q8_0Layout>(WeightType.Q8_0), new LayoutCodec<IQ4_NLLayout>(WeightType.IQ4_NL),
            new LayoutCodec<MXFP4Layout>(WeightType.MXFP4), new LayoutCodec<Q2_KLayout>(WeightType.Q2_K),
            new LayoutCodec<Q3_KLayout>(WeightType.Q3_K), new LayoutCodec<Q4_KLayout>(WeightType.Q4_K),
            new LayoutCodec<Q5_KLayout>(WeightType.Q5_K), new LayoutCodec<Q6_KLayout>(WeightType.Q6_K),
            new LayoutCodec<Q8_KLayout>(WeightType.Q8_K), new LayoutCodec<IQ4_XSLayout>(WeightType.IQ4_XS),
        ])
            all[(int)codec.Type] = codec;
        return all;
    }
}
